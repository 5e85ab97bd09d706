import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/io/address.ts';
import { packEndpoint, unpackEndpoint } from '../../src/io/endpoint.ts';
import { EAFNOSUPPORT, EAGAIN, EMFILE, errnoNumber, SysError } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close } from '../../src/sys/fd.ts';
import { nativeFailure, transfers } from '../../src/sys/native.ts';
import {
  AF_INET,
  AF_INET6,
  accept4,
  bind,
  ENDPOINT_SIZE,
  getLinger,
  getSocketOption,
  getsockname,
  interfaceIndex,
  interfaceName,
  listen,
  recv,
  SO_KEEPALIVE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  setLinger,
  setSocketOption,
  socket,
} from '../../src/sys/socket.ts';

const skip = nativeFailure() ?? false;

for (const [text, domain] of [
  ['127.0.0.1', AF_INET],
  ['::1', AF_INET6],
] as const) {
  test(`an address comes back as it was bound: ${text}`, { skip }, () => {
    const fd = socket(domain, SOCK_STREAM, 0);
    bind(fd, packEndpoint(parseAddress(text)!, 0));
    listen(fd, 5);
    const endpoint = new Uint8Array(ENDPOINT_SIZE);
    getsockname(fd, endpoint);
    const { address, port } = unpackEndpoint(endpoint)!;
    assert.deepEqual(address, parseAddress(text));
    assert.ok(port > 0 && port < 65536);
    assert.equal(accept4(fd), -EAGAIN);
    close(fd);
  });
}

test('the layout keeps ports, scopes and all bytes', () => {
  const address = parseAddress('fe80:102:304:506:708:90a:b0c:d0e%4294967295')!;
  assert.deepEqual(unpackEndpoint(packEndpoint(address, 65535)), { address, port: 65535 });
  assert.equal(unpackEndpoint(new Uint8Array(ENDPOINT_SIZE)), undefined);
});

test('sockets are non-blocking; options and linger are read back', { skip }, () => {
  const datagram = socket(AF_INET, SOCK_DGRAM, 0);
  bind(datagram, packEndpoint(parseAddress('127.0.0.1')!, 0));
  assert.equal(recv(datagram, new Uint8Array(8), 0, 8, 0), -EAGAIN);
  close(datagram);
  const stream = socket(AF_INET, SOCK_STREAM, 0);
  setSocketOption(stream, SOL_SOCKET, SO_KEEPALIVE, 1);
  assert.equal(getSocketOption(stream, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert.deepEqual(getLinger(stream), { on: false, seconds: 0 });
  setLinger(stream, true, 12);
  assert.deepEqual(getLinger(stream), { on: true, seconds: 12 });
  close(stream);
});

test('interfaces by name and number', { skip }, () => {
  const index = interfaceIndex('lo');
  assert.ok(index > 0);
  assert.equal(interfaceName(index), 'lo');
  assert.equal(interfaceIndex('no-such-interface'), 0);
  assert.equal(interfaceName(0x7fffffff), undefined);
});

test('a fault hits the calls that it is meant for, and no others', { skip }, () => {
  injectFault('socket', { errno: EMFILE, skip: 1, times: 2 });
  close(socket(AF_INET, SOCK_STREAM, 0));
  for (let i = 0; i < 2; i++) {
    assert.throws(
      () => socket(AF_INET, SOCK_STREAM, 0),
      (error) => error instanceof SysError && error.errno === EMFILE,
    );
  }
  close(socket(AF_INET, SOCK_STREAM, 0));
  injectFault('socket', { errno: EMFILE, times: 100 });
  clearFault('socket');
  close(socket(AF_INET, SOCK_STREAM, 0));
  assert.throws(() => injectFault('no_such_call', {}), SysError);
});

test('what the kernel refuses throws with its number', { skip }, () => {
  const wrong = (errno: number) => (error: unknown) =>
    error instanceof SysError && error.errno === errno;
  assert.throws(() => socket(77, SOCK_STREAM, 0), wrong(EAFNOSUPPORT));
  assert.throws(() => listen(-1, 5), wrong(errnoNumber('EBADF')!));
  assert.throws(() => bind(-1, packEndpoint(parseAddress('::')!, 1)), wrong(errnoNumber('EBADF')!));
});

test('a batch of calls that lacks a buffer, or names no call, is refused before any is made', {
  skip,
}, () => {
  const calls = Int32Array.of(-1, 0, 0, 1, 7, -1, 0, 0, 1, 7); // (fd, recv, offset, length, result), twice
  const one = new Uint8Array(1);
  assert.throws(() => transfers().transfer(2, calls, one), TypeError);
  assert.throws(() => transfers().transfer(3, calls, one, one, one), TypeError);
  assert.throws(() => transfers().transfer(65, new Int32Array(65 * 5)), TypeError);
  assert.throws(() => transfers().transfer(1, one as never, one), TypeError);
  assert.deepEqual([calls[4], calls[9]], [7, 7]);
});
