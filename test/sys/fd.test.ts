import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EAGAIN, EBADF, EPIPE, SysError } from '../../src/sys/errno.ts';
import {
  bytesReadable,
  close,
  dup,
  getStatusFlags,
  isatty,
  O_NONBLOCK,
  POLLHUP,
  POLLIN,
  POLLOUT,
  pipe2,
  poll,
  read,
  readNoWait,
  setStatusFlags,
  write,
} from '../../src/sys/fd.ts';
import { builtBeside, native, nativeFailure } from '../../src/sys/native.ts';
import { getLimits, RLIMIT_NOFILE, setLimits } from '../../src/sys/rlimit.ts';

const skip = nativeFailure() ?? false;

test('bytes go through a pipe, at offsets of the buffer', { skip }, () => {
  const { readEnd, writeEnd } = pipe2(O_NONBLOCK);
  const bytes = Buffer.from('..hello..');
  assert.equal(write(writeEnd, bytes, 2, 5), 5);
  assert.equal(bytesReadable(readEnd), 5);
  const into = Buffer.alloc(8, '-');
  assert.equal(read(readEnd, into, 1, 7), 5);
  assert.equal(into.toString(), '-hello--');
  assert.equal(read(readEnd, into, 0, 8), -EAGAIN);
  assert.equal(close(writeEnd), 0);
  assert.equal(read(readEnd, into, 0, 8), 0);
  assert.equal(poll(readEnd, POLLIN, 0) & POLLHUP, POLLHUP);
  assert.equal(close(readEnd), 0);
  assert.equal(close(readEnd), -EBADF);
});

test('a pipe that nobody reads gives EPIPE, and no signal', { skip }, () => {
  const { readEnd, writeEnd } = pipe2(0);
  close(readEnd);
  assert.equal(write(writeEnd, Buffer.from('x'), 0, 1), -EPIPE);
  close(writeEnd);
});

test('new descriptors are close-on-exec', { skip }, () => {
  const { readEnd, writeEnd } = pipe2(0);
  const third = dup(readEnd, 50);
  assert.ok(third >= 50);
  for (const fd of [readEnd, writeEnd, third]) {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!;
    assert.equal(Number.parseInt(flags, 8) & 0o2000000, 0o2000000);
    close(fd);
  }
});

test('status flags can be set and are read back', { skip }, () => {
  const { readEnd, writeEnd } = pipe2(0);
  assert.equal(getStatusFlags(readEnd) & O_NONBLOCK, 0);
  setStatusFlags(readEnd, O_NONBLOCK);
  assert.equal(getStatusFlags(readEnd) & O_NONBLOCK, O_NONBLOCK);
  assert.equal(poll(writeEnd, POLLOUT, 0), POLLOUT);
  assert.equal(isatty(readEnd), false);
  close(readEnd);
  close(writeEnd);
  assert.throws(() => getStatusFlags(readEnd), SysError);
});

test('readNoWait follows the file position', { skip }, () => {
  const fd = openSync(import.meta.filename, 'r');
  const first = Buffer.alloc(10);
  const second = Buffer.alloc(10);
  const result = readNoWait(fd, first, 0, 10);
  if (result > 0) {
    assert.equal(readNoWait(fd, second, 0, 10), 10);
    assert.equal(`${first}${second}`, readFileSync(import.meta.filename, 'latin1').slice(0, 20));
  }
  closeSync(fd);
});

test('two who load the addon in one thread have their results in the same memory', { skip }, () => {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, builtBeside('perilune'));
  const other = module.exports as ReturnType<typeof native>;
  const memory = other.results_memory();
  assert.equal(read(-1, new Uint8Array(1), 0, 1), -9);
  assert.equal(memory[0], -9);
  other.read(-1, new Uint8Array(1), 0, 1);
  const { readEnd, writeEnd } = pipe2(0);
  assert.equal(write(writeEnd, Buffer.from('abc'), 0, 3), 3);
  assert.equal(memory[0], 3);
  close(readEnd);
  close(writeEnd);
});

test('bytes outside of the buffer are refused before the call', { skip }, () => {
  const bytes = new Uint8Array(8);
  for (const [offset, length] of [
    [0, 9],
    [8, 1],
    [-1, 2],
    [0, -1],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ] as const) {
    assert.throws(() => read(0, bytes, offset, length), RangeError);
  }
  assert.throws(() => native().read(0, 'text' as never, 0, 1), RangeError);
  assert.throws(() => (native().read as () => void)(), TypeError);
  assert.throws(() => native().close('1' as never), TypeError);
  const detached = new Uint8Array(100);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  assert.throws(() => read(0, detached, 0, 1), RangeError);
});

test('limits: soft can be lowered and put back', { skip }, () => {
  const limits = getLimits(RLIMIT_NOFILE);
  setLimits(RLIMIT_NOFILE, { soft: limits.soft - 1, hard: limits.hard });
  assert.equal(getLimits(RLIMIT_NOFILE).soft, limits.soft - 1);
  setLimits(RLIMIT_NOFILE, limits);
  assert.throws(() => setLimits(RLIMIT_NOFILE, { soft: limits.hard + 1, hard: limits.hard }));
});
