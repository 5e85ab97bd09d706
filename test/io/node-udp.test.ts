import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpEndpoint } from '../../src/io/endpoint.ts';
import { IoGroup } from '../../src/io/group.ts';
import { nodeBackend } from '../../src/io/node-backend.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import type { UdpSocket } from '../../src/io/transport.ts';
import {
  EBADF,
  ECANCELED,
  EDESTADDRREQ,
  EISCONN,
  ENOSYS,
  ENOTCONN,
  EOPNOTSUPP,
  errnoNumber,
  SysError,
} from '../../src/sys/errno.ts';
import { loopback4, loopback6, Recorded, run, turns } from './support.ts';

const throwsErrno = (errno: number) => (error: unknown) =>
  error instanceof SysError && error.errno === errno;

function nodeTest(name: string, body: (group: IoGroup) => Promise<void> | void): void {
  test(name, { timeout: 300_000 }, async () => {
    const group = new IoGroup();
    try {
      await body(group);
    } finally {
      group.closeAll();
    }
    assert.equal(group.size, 0);
  });
}

function bound(group: IoGroup, address = loopback4): UdpSocket {
  const socket = nodeBackend.udpSocket(group);
  socket.open(address.family);
  socket.bind(address, 0);
  return socket;
}

/** @returns the datagram's text, and who sent it */
async function receive(socket: UdpSocket, room = 64): Promise<[string, IpEndpoint]> {
  const bytes = Buffer.alloc(room);
  const op = new Operation(() => {});
  const result = await new Promise<number>((resolve) => {
    op.done = resolve;
    const now = socket.receiveFrom(op, bytes, 0, room, 0);
    if (now !== PENDING) resolve(now);
  });
  assert.ok(result >= 0, `receive gave ${result}`);
  return [bytes.toString('latin1', 0, result), op.value as IpEndpoint];
}

const sendTo = (from: UdpSocket, text: string, to: UdpSocket): Promise<number> => {
  const { address, port } = to.localEndpoint();
  return run((op) => from.sendTo(op, Buffer.from(text), 0, text.length, address, port, 0));
};

for (const address of [loopback4, loopback6]) {
  nodeTest(
    `datagrams are whole, in order, and tell who sent them: IPv${address.family}`,
    async (group) => {
      const [a, b] = [bound(group, address), bound(group, address)];
      const waiting = receive(b);
      for (const text of ['one', '', 'three', 'far too long']) {
        assert.equal(await sendTo(a, text, b), text.length);
      }
      const [text, from] = await waiting;
      assert.equal(text, 'one');
      assert.deepEqual(from, a.localEndpoint());
      assert.equal((await receive(b))[0], '');
      await turns();
      assert.equal(b.bytesReadable(), 5);
      assert.equal((await receive(b))[0], 'three');
      assert.equal((await receive(b, 3))[0], 'far');
    },
  );
}

nodeTest('a peer: connect, send, refused, disconnect', async (group) => {
  const [a, b, stranger] = [bound(group), bound(group), bound(group)];
  const { address, port } = b.localEndpoint();
  assert.throws(() => a.remoteEndpoint(), throwsErrno(ENOTCONN));
  assert.equal(await run((op) => a.send(op, Buffer.from('x'), 0, 1, 0)), -EDESTADDRREQ);
  assert.equal(a.connect(address, port), 0);
  assert.deepEqual(a.remoteEndpoint(), b.localEndpoint());
  assert.equal(a.connect(address, port), -EISCONN);
  assert.equal(await sendTo(a, 'x', b), -EISCONN);
  assert.equal(await run((op) => a.send(op, Buffer.from('hello'), 0, 5, 0)), 5);
  assert.equal((await receive(b))[0], 'hello');
  await sendTo(stranger, 'not heard', a);
  await sendTo(b, 'heard', a);
  assert.equal((await receive(a))[0], 'heard');
  b.close();
  const refused = run((op) => a.receive(op, Buffer.alloc(8), 0, 8, 0));
  await run((op) => a.send(op, Buffer.from('x'), 0, 1, 0));
  assert.equal(await refused, -errnoNumber('ECONNREFUSED')!);
  a.disconnect();
  assert.throws(() => a.remoteEndpoint(), throwsErrno(ENOTCONN));
});

nodeTest('connect opens a closed socket; an address in use is told at once', (group) => {
  const server = bound(group);
  const { address, port } = server.localEndpoint();
  const client = nodeBackend.udpSocket(group);
  assert.equal(client.connect(address, port), 0);
  assert.ok(client.isOpen && client.localEndpoint().port > 0);
  const other = nodeBackend.udpSocket(group);
  other.open(4);
  assert.throws(() => other.bind(address, port), throwsErrno(errnoNumber('EADDRINUSE')!));
  other.bind(address, 0);
  assert.ok(other.localEndpoint().port > 0);
});

nodeTest('options, and what Node has none of', async (group) => {
  const socket = nodeBackend.udpSocket(group);
  assert.throws(() => socket.setOption('broadcast', 1), throwsErrno(EBADF));
  socket.open(4);
  for (const [name, value] of [
    ['broadcast', 1],
    ['unicast_hops', 9],
    ['multicast_hops', 3],
    ['multicast_loop', 0],
    ['receive_buffer_size', 20_000],
  ] as const) {
    socket.setOption(name, value);
    assert.equal(socket.getOption(name), value);
  }
  socket.bind(loopback4, 0);
  socket.setOption('unicast_hops', 10);
  assert.throws(() => socket.setOption('debug', 1), throwsErrno(ENOSYS));
  assert.throws(() => socket.setOption('tcp_no_delay', 1), throwsErrno(EOPNOTSUPP));
  assert.throws(() => socket.release(), throwsErrno(ENOSYS));
  const { op } = new Recorded();
  assert.equal(socket.receive(op, Buffer.alloc(1), 0, 1, 2), -ENOSYS);
  const long = Buffer.alloc(70_000);
  const tooLong = await run((o) => socket.sendTo(o, long, 0, long.length, loopback4, 9, 0));
  assert.equal(tooLong, -errnoNumber('EMSGSIZE')!);
});

nodeTest('cancel and close end what waits', (group) => {
  const socket = bound(group);
  const recorded = new Recorded();
  const start = () => socket.receive(recorded.op, Buffer.alloc(1), 0, 1, 0);
  assert.equal(start(), PENDING);
  recorded.op.cancel();
  assert.equal(start(), PENDING);
  socket.cancel();
  assert.equal(start(), PENDING);
  socket.close();
  assert.deepEqual(recorded.results, [-ECANCELED, -ECANCELED, -ECANCELED]);
  assert.equal(start(), -EBADF);
  socket.close();
  assert.throws(() => socket.localEndpoint(), throwsErrno(EBADF));
});
