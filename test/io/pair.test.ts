/**
 * Both ends of a pair in one process (io/pair.ts): what waits at one goes on without an event once something was done
 * at the other, and nothing is lost, nor do others starve, whatever happens then.
 */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Descriptor } from '../../src/io/descriptor.ts';
import { PENDING } from '../../src/io/operation.ts';
import { pipePair } from '../../src/io/pipe.ts';
import { UnixSocket } from '../../src/io/unix.ts';
import { ECANCELED, EIO } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close, dup, read } from '../../src/sys/fd.ts';
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from '../../src/sys/socket.ts';
import { ioTest, Recorded, run } from './support.ts';

/** What has been put off to microtasks is done; the kernel hasn't been asked for events. */
async function jobs(): Promise<void> {
  for (let i = 0; i < 8; i++) await null;
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

for (const [name, type] of [
  ['stream', SOCK_STREAM],
  ['seqpacket', SOCK_SEQPACKET],
] as const) {
  ioTest(`${name}: who waits to read has what was written without an event`, async (group) => {
    const [near, far] = UnixSocket.pair(group, type);
    const into = Buffer.alloc(8);
    const reading = new Recorded();
    assert.equal(near.read(reading.op, into, 0, 8), PENDING);
    assert.equal(far.write(new Recorded().op, bytes('ab'), 0, 2), 2);
    assert.deepEqual(reading.results, [], 'not inside of the write');
    await jobs();
    assert.deepEqual(reading.results, [2]);
    assert.equal(into.toString('latin1', 0, 2), 'ab');
    for (let i = 0; i < 3; i++) await nextTurn(); // the event, which finds nothing
    assert.deepEqual(reading.results, [2]);
    const next = new Recorded();
    assert.equal(near.read(next.op, into, 0, 8), PENDING);
    next.op.cancel();
    assert.deepEqual(next.results, [-ECANCELED]);
  });
}

ioTest('two readers: each has what its turn is', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_SEQPACKET);
  const into = [Buffer.alloc(4), Buffer.alloc(4)] as const;
  const [first, second] = [new Recorded(), new Recorded()];
  assert.equal(near.read(first.op, into[0], 0, 4), PENDING);
  assert.equal(near.read(second.op, into[1], 0, 4), PENDING);
  far.write(new Recorded().op, bytes('1'), 0, 1);
  await jobs();
  assert.deepEqual([first.results, second.results], [[1], []]);
  far.write(new Recorded().op, bytes('2'), 0, 1);
  await jobs();
  assert.deepEqual([first.results, second.results], [[1], [1]]);
  assert.equal(into[0][0]! * 256 + into[1][0]!, 0x3132);
});

ioTest('pipe: who waits for room has it once the other end was read', async (group) => {
  const { source, sink } = pipePair(group);
  const block = Buffer.alloc(1 << 20, 'x');
  const written = sink.write(new Recorded().op, block, 0, block.length);
  assert.ok(written > 0 && written < block.length);
  const writing = new Recorded();
  assert.equal(sink.write(writing.op, block, 0, 10), PENDING);
  assert.equal(source.read(new Recorded().op, Buffer.alloc(written), 0, written), written);
  await jobs();
  assert.deepEqual(writing.results, [10]);
});

ioTest('a cancel that comes first leaves the bytes for the next', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const into = Buffer.alloc(4);
  const reading = new Recorded();
  assert.equal(near.read(reading.op, into, 0, 4), PENDING);
  far.write(new Recorded().op, bytes('abcd'), 0, 4);
  reading.op.cancel();
  assert.deepEqual(reading.results, [-ECANCELED]);
  await jobs();
  assert.deepEqual(reading.results, [-ECANCELED]);
  assert.equal(await run((op) => near.read(op, into, 0, 4)), 4);
  assert.equal(into.toString(), 'abcd');
});

ioTest('either end is closed, or given away, before the other goes on', async (group) => {
  for (const what of ['close reader', 'release reader', 'close writer', 'release writer']) {
    const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
    const into = Buffer.alloc(4);
    const reading = new Recorded();
    assert.equal(near.read(reading.op, into, 0, 4), PENDING);
    far.write(new Recorded().op, bytes('ab'), 0, 2);
    const end = what.endsWith('reader') ? near : far;
    const released = what.startsWith('release') ? end.release() : -1;
    if (released < 0) end.close();
    await jobs();
    await nextTurn();
    // Of one whose own end was closed, the read has ended with it; the other's has what was written.
    assert.deepEqual(reading.results, [end === near ? -ECANCELED : 2], what);
    if (released >= 0) {
      if (end === near) assert.equal(read(released, into, 0, 4), 2, 'the bytes went along');
      close(released);
    }
    near.close();
    far.close();
  }
});

ioTest('somebody else has read it: the read waits on', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const other = dup(near.number);
  const into = Buffer.alloc(4);
  const reading = new Recorded();
  assert.equal(near.read(reading.op, into, 0, 4), PENDING);
  far.write(new Recorded().op, bytes('ab'), 0, 2);
  assert.equal(read(other, into, 0, 4), 2);
  await jobs();
  assert.deepEqual(reading.results, []);
  far.write(new Recorded().op, bytes('c'), 0, 1);
  for (let i = 0; i < 3; i++) await nextTurn();
  assert.deepEqual(reading.results, [1]);
  assert.equal(into.toString('latin1', 0, 1), 'c');
  close(other);
});

ioTest('the read that is tried without an event fails: so it ends', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const reading = new Recorded();
  assert.equal(near.read(reading.op, Buffer.alloc(4), 0, 4), PENDING);
  far.write(new Recorded().op, bytes('ab'), 0, 2);
  injectFault('read', { errno: EIO });
  try {
    await jobs();
  } finally {
    clearFault('read');
  }
  assert.deepEqual(reading.results, [-EIO]);
});

ioTest('ping-pong leaves the event loop its turns', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const one = Buffer.alloc(1);
  let left = 20_000;
  const turns = { count: 0 };
  const turn = (): void => {
    turns.count++;
    if (left > 0) setImmediate(turn);
  };
  setImmediate(turn);
  await new Promise<void>((resolve) => {
    const player = (socket: UnixSocket): void => {
      const recorded = new Recorded();
      const go = (): void => {
        assert.equal(socket.write(new Recorded().op, one, 0, 1), 1);
        if (--left <= 0) return resolve();
        recorded.op.done = go;
        assert.equal(socket.read(recorded.op, one, 0, 1), PENDING);
      };
      recorded.op.done = go;
      if (socket === near) go();
      else assert.equal(socket.read(recorded.op, one, 0, 1), PENDING);
    };
    player(far);
    player(near);
  });
  assert.ok(turns.count >= 200, `${turns.count} turns`);
});

ioTest('datagrams, and ends that came by number, have none of it', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_DGRAM);
  const { source, sink } = pipePair(group);
  const [readEnd, writeEnd] = [source.release(), sink.release()];
  const into = Buffer.alloc(4);
  const [datagram, piped] = [new Recorded(), new Recorded()];
  const [from, to] = [new Descriptor(readEnd, group), new Descriptor(writeEnd, group)];
  assert.equal(near.read(datagram.op, into, 0, 4), PENDING);
  assert.equal(from.read(piped.op, into, 0, 4), PENDING);
  far.write(new Recorded().op, bytes('ab'), 0, 2);
  to.write(new Recorded().op, bytes('ab'), 0, 2);
  await jobs();
  assert.deepEqual([datagram.results, piped.results], [[], []]);
  for (let i = 0; i < 3; i++) await nextTurn();
  assert.deepEqual([datagram.results, piped.results], [[2], [2]]);
});
