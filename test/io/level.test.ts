/**
 * Reads that wait at once, on events that last (io/descriptor.ts): when that begins, and that nothing is
 * lost, nor told for ever, whatever happens then.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { nativeBackend } from '../../src/io/backend.ts';
import type { IoGroup } from '../../src/io/group.ts';
import { PENDING } from '../../src/io/operation.ts';
import type { UdpSocket } from '../../src/io/transport.ts';
import { UnixSocket } from '../../src/io/unix.ts';
import { EAGAIN, ECANCELED, EIO } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { read, write } from '../../src/sys/fd.ts';
import { SOCK_SEQPACKET, SOCK_STREAM, send } from '../../src/sys/socket.ts';
import { ioTest, loopback4, Recorded, run } from './support.ts';

const EPOLLET = 0x80000000;
const MSG_OOB = 1;

/** Whether this descriptor's events last. */
function isLevel(fd: number): boolean {
  for (const one of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${one}`) !== 'anon_inode:[eventpoll]') continue;
      for (const line of readFileSync(`/proc/self/fdinfo/${one}`, 'latin1').split('\n')) {
        const [, number, events] = /^tfd:\s*(\d+) events:\s*([0-9a-f]+)/.exec(line) ?? [];
        if (Number(number) === fd && number !== undefined) {
          return (Number.parseInt(events!, 16) & EPOLLET) === 0;
        }
      }
    } catch {
      // the directory itself
    }
  }
  throw new Error(`${fd} is in no epoll set`);
}

interface Ends {
  readonly near: UnixSocket;
  readonly far: UnixSocket;
  /** Read up to two bytes at `near`, waiting for them. */
  readonly next: () => Promise<string>;
  readonly put: (text: string) => void;
}

/** A pair of sockets whose `near` end has read, one by one, what came: its events last. */
async function accustomed(group: IoGroup, type = SOCK_STREAM): Promise<Ends> {
  const [near, far] = UnixSocket.pair(group, type);
  const into = Buffer.alloc(2);
  const next = async (): Promise<string> => {
    const count = await run((op) => near.read(op, into, 0, 2));
    assert.ok(count >= 0, `read gave ${count}`);
    return into.toString('latin1', 0, count);
  };
  const put = (text: string): void => {
    assert.equal(write(far.number, Buffer.from(text, 'latin1'), 0, text.length), text.length);
  };
  for (let i = 10; i < 22; i++) {
    const waiting = next();
    put(String(i));
    assert.equal(await waiting, String(i));
  }
  const last = next();
  assert.ok(isLevel(near.number));
  put('ok');
  assert.equal(await last, 'ok');
  return { near, far, next, put };
}

for (const type of [SOCK_STREAM, SOCK_SEQPACKET]) {
  const name = type === SOCK_STREAM ? 'stream' : 'seqpacket';
  ioTest(`${name}: one message after the other, without a read in vain`, async (group) => {
    const { near, next, put } = await accustomed(group, type);
    injectFault('read', { errno: EIO, skip: 8 });
    for (let i = 0; i < 8; i++) {
      const waiting = next();
      put('ab');
      assert.equal(await waiting, 'ab');
    }
    // The eight messages took eight reads: the ninth is that of the next one.
    const waiting = run((op) => near.read(op, Buffer.alloc(2), 0, 2));
    put('ab');
    assert.equal(await waiting, -EIO);
    clearFault('read');
    assert.equal(await next(), 'ab');
  });

  ioTest(`${name}: many at once are all read, and in order`, async (group) => {
    const { near, next, put } = await accustomed(group, type);
    for (let round = 0; round < 3; round++) {
      for (let i = 100; i < 200; i++) put(String(i % 100).padStart(2, '0'));
      let all = '';
      while (all.length < 200) all += await next();
      assert.equal(all, Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''));
      assert.equal(isLevel(near.number), false); // tried again, it found something
    }
  });

  ioTest(`${name}: what comes while nobody reads is told once, and kept`, async (group) => {
    const { near, next, put } = await accustomed(group, type);
    put('xy');
    for (let i = 0; i < 3; i++) await nextTurn();
    assert.equal(isLevel(near.number), false);
    assert.equal(await next(), 'xy');
  });

  ioTest(`${name}: the end comes, too, and is not told for ever`, async (group) => {
    const { near, far, next, put } = await accustomed(group, type);
    put('xy');
    far.close();
    assert.equal(await next(), 'xy');
    assert.equal(await next(), '');
    for (let i = 0; i < 3; i++) await nextTurn();
    assert.equal(isLevel(near.number), false);
    assert.equal(await next(), '');
  });
}

ioTest('several that wait are served in order', async (group) => {
  const { near, put } = await accustomed(group);
  const into = Buffer.alloc(6);
  const reads = [0, 2, 4].map((at) => {
    const recorded = new Recorded();
    assert.equal(near.read(recorded.op, into, at, 2), PENDING);
    return recorded;
  });
  put('aabbcc');
  while (reads[2]!.op.pending) await nextTurn();
  assert.deepEqual(
    reads.map(({ results }) => results),
    [[2], [2], [2]],
  );
  assert.equal(into.toString(), 'aabbcc');
});

ioTest('a read that is cancelled loses nothing', async (group) => {
  const { near, next, put } = await accustomed(group);
  const { op, results } = new Recorded();
  assert.equal(near.read(op, Buffer.alloc(2), 0, 2), PENDING);
  put('ab');
  op.cancel();
  assert.deepEqual(results, [-ECANCELED]);
  for (let i = 0; i < 3; i++) await nextTurn();
  assert.equal(isLevel(near.number), false);
  assert.equal(await next(), 'ab');
});

ioTest('who waits for room to write is told of it', async (group) => {
  const { near, far, next, put } = await accustomed(group);
  const block = Buffer.alloc(65536);
  let result = 0;
  const writing = new Recorded();
  while (result !== PENDING) result = near.write(writing.op, block, 0, block.length);
  const waiting = next();
  while (read(far.number, block, 0, block.length) > 0);
  while (writing.op.pending) await nextTurn();
  assert.equal(writing.results.length, 1);
  assert.ok(writing.results[0]! > 0);
  put('ab');
  assert.equal(await waiting, 'ab');
});

ioTest('who waits for urgent data is told of it', async (group) => {
  const acceptor = nativeBackend.tcpAcceptor(group);
  acceptor.open(4);
  acceptor.bind(loopback4, 0);
  acceptor.listen(1);
  const near = nativeBackend.tcpSocket(group);
  const { op: accepting } = new Recorded();
  const pending = acceptor.accept(accepting);
  assert.equal(await run((op) => near.connect(op, loopback4, acceptor.localEndpoint().port)), 0);
  while (pending === PENDING && accepting.pending) await nextTurn();
  const far = accepting.value as typeof near;
  const into = Buffer.alloc(2);
  for (let i = 0; i < 12; i++) {
    const waiting = run((op) => near.read(op, into, 0, 2));
    assert.equal(await run((op) => far.write(op, Buffer.from('ab'), 0, 2)), 2);
    assert.equal(await waiting, 2);
  }
  const urgent = new Recorded();
  assert.equal(near.wait(urgent.op, 'error'), PENDING);
  const number = far.release();
  assert.equal(send(number, Buffer.from('!'), 0, 1, MSG_OOB), 1);
  while (urgent.op.pending) await nextTurn();
  assert.deepEqual(urgent.results, [0]);
  far.assign(number);
});

ioTest('an event with nothing behind it is not told for ever', async (group) => {
  const { near, next, put } = await accustomed(group);
  const waiting = next();
  injectFault('read', { errno: EAGAIN });
  put('ab');
  assert.equal(await waiting, 'ab');
  clearFault('read');
  assert.equal(isLevel(near.number), false);
});

ioTest('a low watermark ends it: what is below is there, and not told', async (group) => {
  const { near, next, put } = await accustomed(group);
  near.setOption('receive_low_watermark', 4);
  assert.equal(isLevel(near.number), false);
  const first = next();
  put('abcdef');
  assert.deepEqual([await first, await next(), await next()], ['ab', 'cd', 'ef']);
});

ioTest('what came from elsewhere is left as it was', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const number = near.release();
  near.assign(number);
  const into = Buffer.alloc(2);
  for (let i = 0; i < 30; i++) {
    const waiting = run((op) => near.read(op, into, 0, 2));
    write(far.number, Buffer.from('ab'), 0, 2);
    assert.equal(await waiting, 2);
  }
  const { op } = new Recorded();
  assert.equal(near.read(op, into, 0, 2), PENDING);
  assert.equal(isLevel(number), false);
});

ioTest('datagrams of two that answer each other, and of one that sends many', async (group) => {
  const [a, b] = [0, 1].map(() => {
    const socket = nativeBackend.udpSocket(group);
    socket.open(4);
    socket.bind(loopback4, 0);
    return socket;
  }) as [UdpSocket, UdpSocket];
  const to = (socket: UdpSocket): number => socket.localEndpoint().port;
  const into = Buffer.alloc(8);
  const say = (from: UdpSocket, port: number, text: string): Promise<number> =>
    run((op) => from.sendTo(op, Buffer.from(text), 0, text.length, loopback4, port, 0));
  for (let i = 0; i < 40; i++) {
    const waiting = run((op) => a.receiveFrom(op, into, 0, 8, 0));
    await say(b, to(a), `q${i}`);
    assert.equal(into.toString('latin1', 0, await waiting), `q${i}`);
  }
  for (let i = 0; i < 40; i++) await say(b, to(a), `m${i}`);
  for (let i = 0; i < 40; i++) {
    const count = await run((op) => a.receiveFrom(op, into, 0, 8, 0));
    assert.equal(into.toString('latin1', 0, count), `m${i}`);
  }
});
