/** Messages of AF_UNIX sockets as the addon sees them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { close, pipe2 } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { SOCK_SEQPACKET, SOL_SOCKET, setSocketOption } from '../../src/sys/socket.ts';
import {
  MAX_UNIX_PATH,
  MSG_CTRUNC,
  OUT_FD_COUNT,
  OUT_FDS,
  OUT_FLAGS,
  OUT_PATH_LENGTH,
  recvmsgUnix,
  sendmsgUnix,
  socketpair,
} from '../../src/sys/unix.ts';
import { openDescriptors } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
const SO_PASSCRED = 16;
const O_CLOEXEC = 0o2000000;
const ECONNRESET = 104;

const flagsOf = (fd: number): number =>
  Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!, 8);

/** Send `sent` descriptors to a receiver that wants `wanted`. */
function pass(sent: number, wanted: number, prepare?: (receiver: number) => void): Int32Array {
  const [a, b] = socketpair(SOCK_SEQPACKET);
  prepare?.(b);
  const { readEnd, writeEnd } = pipe2(0);
  const byte = new Uint8Array(1);
  const fds = new Int32Array(sent).fill(readEnd);
  assert.equal(sendmsgUnix(a, byte, 0, 1, 0, undefined, fds), 1);
  const out = new Int32Array(OUT_FDS + wanted);
  assert.equal(recvmsgUnix(b, byte, 0, 1, 0, new Uint8Array(MAX_UNIX_PATH), out), 1);
  for (const fd of [a, b, readEnd, writeEnd]) close(fd);
  return out;
}

for (const [sent, wanted] of [
  [0, 4],
  [1, 1],
  [2, 1],
  [3, 2],
  [12, 1],
  [253, 1],
  [253, 253],
  [4, 0],
] as const) {
  for (const withCredentials of [false, true]) {
    const name = `${sent} descriptors for who wants ${wanted}${withCredentials ? ', beside credentials' : ''}`;
    test(name, { skip }, () => {
      const before = openDescriptors().length;
      const out = pass(sent, wanted, (fd) => {
        if (withCredentials) setSocketOption(fd, SOL_SOCKET, SO_PASSCRED, 1);
      });
      const count = Math.min(sent, wanted);
      assert.equal(out[OUT_FD_COUNT], count);
      assert.equal(out[OUT_PATH_LENGTH], 0);
      if (sent > wanted + 8) assert.notEqual(out[OUT_FLAGS]! & MSG_CTRUNC, 0);
      if (sent <= wanted) assert.equal(out[OUT_FLAGS]! & MSG_CTRUNC, 0);
      assert.equal(openDescriptors().length, before + count, 'others are closed');
      for (let i = 0; i < count; i++) {
        assert.notEqual(flagsOf(out[OUT_FDS + i]!) & O_CLOEXEC, 0);
        close(out[OUT_FDS + i]!);
      }
    });
  }
}

test('a receiver that is closed takes the descriptors with it', { skip }, () => {
  const before = openDescriptors().length;
  const [a, b] = socketpair(SOCK_SEQPACKET);
  const { readEnd, writeEnd } = pipe2(0);
  const byte = new Uint8Array(1);
  sendmsgUnix(a, byte, 0, 1, 0, undefined, Int32Array.of(readEnd));
  close(b);
  const out = new Int32Array(OUT_FDS + 1);
  assert.equal(recvmsgUnix(a, byte, 0, 1, 0, new Uint8Array(MAX_UNIX_PATH), out), -ECONNRESET);
  for (const fd of [a, readEnd, writeEnd]) close(fd);
  assert.equal(openDescriptors().length, before);
});

test('arrays that are too small are refused', { skip }, () => {
  const bytes = new Uint8Array(4);
  assert.throws(() => recvmsgUnix(0, bytes, 0, 4, 0, bytes, new Int32Array(4)), RangeError);
  const path = new Uint8Array(MAX_UNIX_PATH);
  assert.throws(() => recvmsgUnix(0, bytes, 0, 4, 0, path, new Int32Array(2)), TypeError);
  assert.throws(() => recvmsgUnix(0, bytes, 0, 5, 0, path, new Int32Array(4)), RangeError);
  assert.throws(
    () => sendmsgUnix(0, bytes, 0, 4, 0, undefined, new Uint8Array(4) as never),
    TypeError,
  );
});
