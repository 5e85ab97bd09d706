/** The wait for events: both loops get their turn, and registrations go with their descriptors. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, connect as netConnect } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { nativeBackend } from '../../src/io/backend.ts';
import type { IoGroup } from '../../src/io/group.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import { readInWait } from '../../src/io/reactor.ts';
import { UnixSocket } from '../../src/io/unix.ts';
import { EAGAIN, ECANCELED, EINTR, EIO } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close, dup, pipe2, write } from '../../src/sys/fd.ts';
import { SOCK_STREAM, SOL_SOCKET, send, setSocketOption } from '../../src/sys/socket.ts';
import { sendmsgUnix } from '../../src/sys/unix.ts';
import { accept, connected, ioTest, listening, loopback4, pipe, Recorded, run } from './support.ts';

const MSG_OOB = 1;
const SO_PASSCRED = 16;
const EOPNOTSUPP = 95;

/** Descriptors in epoll sets of this process. */
function registrations(): number {
  let count = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[eventpoll]') continue;
      count += readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1').split('tfd:').length - 1;
    } catch {
      // the directory itself
    }
  }
  return count;
}

/** A pipe that has an event at each wait, until `stop`. */
function endless(group: IoGroup): { readonly rounds: () => number; readonly stop: () => void } {
  const { source, sink } = pipe(group);
  const byte = new Uint8Array(1);
  let rounds = 0;
  const next = (): void => {
    write(sink.fd, byte, 0, 1);
    source.reads.ready = false; // not at once
    assert.equal(source.read(op, byte, 0, 1), PENDING);
  };
  const op = new Operation((result) => {
    if (result === -ECANCELED) return;
    rounds++;
    queueMicrotask(next);
  });
  next();
  return { rounds: () => rounds, stop: () => op.cancel() };
}

ioTest('what Node does goes on while events never end', async (group) => {
  const { rounds, stop } = endless(group);
  await delay(5);
  await nextTurn();
  assert.match(await readFile(import.meta.filename, 'utf8'), /never end/);
  const { stdout } = await promisify(execFile)('echo', ['child']);
  assert.equal(stdout, 'child\n');
  for (const before = rounds(); rounds() === before; ) await nextTurn();
  stop();
});

test('where nothing keeps the loop alive, a rest that holds something takes the place of its end', () => {
  const program = join(import.meta.dirname, 'programs/rest.ts');
  const restsAndEnds = (...args: string[]): string =>
    spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' }).stdout;
  assert.equal(restsAndEnds('5', '1'), '6 1\n');
  // One that says so, and holds nothing, is no rest.
  assert.equal(restsAndEnds('5', '0'), '1 1\n');
});

ioTest('between two waits Node does what it does behind a callback', async (group) => {
  const { source, sink } = pipe(group);
  const byte = new Uint8Array(1);
  const log: string[] = [];
  const begin = (then: () => void): void => {
    const op = new Operation(then);
    write(sink.fd, byte, 0, 1);
    source.reads.ready = false; // not at once
    assert.equal(source.read(op, byte, 0, 1), PENDING);
  };
  await new Promise<void>((resolve) => {
    begin(() => {
      log.push('first');
      process.nextTick(() => log.push('tick'));
      Promise.resolve().then(() => {
        log.push('microtask');
        process.nextTick(() => log.push('tick of the microtask'));
      });
      begin(() => {
        log.push('second');
        resolve();
      });
    });
  });
  assert.deepEqual(log, ['first', 'tick', 'microtask', 'tick of the microtask', 'second']);
});

ioTest(
  'an error thrown between two waits is the process’s, and later events come',
  async (group) => {
    const { rounds, stop } = endless(group);
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const caught: string[] = [];
    process.on('uncaughtException', (error) => caught.push(error.message));
    try {
      for (const throwIn of [process.nextTick, queueMicrotask, setImmediate]) {
        const { source, sink } = pipe(group);
        const op = new Operation(() => {
          throwIn(() => {
            throw new Error(throwIn.name);
          });
        });
        assert.equal(source.read(op, new Uint8Array(1), 0, 1), PENDING);
        write(sink.fd, new Uint8Array(1), 0, 1);
        while (!caught.includes(throwIn.name)) await nextTurn();
        const before = rounds();
        while (rounds() < before + 3) await nextTurn();
      }
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
      stop();
    }
    assert.deepEqual(caught, ['nextTick', 'queueMicrotask', 'setImmediate']);
  },
);

ioTest('a timer rings though nothing else happens', async (group) => {
  const { source } = pipe(group);
  const { op, results } = new Recorded();
  assert.equal(source.read(op, new Uint8Array(1), 0, 1), PENDING);
  const start = performance.now();
  await delay(30);
  assert.ok(performance.now() - start >= 29);
  assert.deepEqual(results, []);
});

ioTest('what is begun in the middle of a wait is waited for, too', async (group) => {
  const server = createServer((peer) => peer.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { source, sink } = pipe(group);
  const other = pipe(group);
  const idle = new Recorded();
  assert.equal(other.source.read(idle.op, new Uint8Array(1), 0, 1), PENDING); // all the time
  const text = new Promise<string>((resolve) => {
    const op = new Operation(() => {
      // On Node's side: a socket of libuv's, a timer and an immediate, begun from inside an event.
      let all = '';
      const peer = netConnect(port, '127.0.0.1');
      peer.on('data', (part) => {
        all += part;
      });
      peer.on('close', () => setImmediate(() => setTimeout(() => resolve(all), 2)));
    });
    assert.equal(source.read(op, new Uint8Array(1), 0, 1), PENDING);
  });
  await delay(2);
  write(sink.fd, new Uint8Array(1), 0, 1);
  assert.equal(await text, 'hello');
  await new Promise((resolve) => server.close(resolve));
});

ioTest('closing takes the registration along, whoever has the file, too', async (group) => {
  const before = registrations();
  const [near, far] = await connected(group);
  const reads = [near, far].map((socket) => {
    const { op } = new Recorded();
    assert.equal(socket.read(op, new Uint8Array(1), 0, 1), PENDING);
    return op;
  });
  assert.equal(registrations(), before + 2);
  near.close();
  far.close();
  assert.equal(registrations(), before);
  assert.deepEqual(
    reads.map((op) => op.pending),
    [false, false],
  );

  // One that came from elsewhere, and stays open there.
  const { readEnd, writeEnd } = pipe2(0);
  const [shared] = UnixSocket.pair(group, SOCK_STREAM);
  const number = shared.release();
  const other = dup(number, 3);
  const taken = new UnixSocket(group, SOCK_STREAM);
  taken.assign(number);
  assert.equal(registrations(), before + 1);
  taken.close();
  assert.equal(registrations(), before);
  for (const fd of [other, readEnd, writeEnd]) close(fd);
});

ioTest('the next owner of a number gets its own events only', async (group) => {
  const acceptor = listening(group);
  const { port } = acceptor.localEndpoint();
  for (let i = 0; i < 50; i++) {
    const near = nativeBackend.tcpSocket(group);
    const accepting = accept(acceptor);
    assert.equal(await run((op) => near.connect(op, loopback4, port)), 0);
    const far = await accepting;
    const waiting = new Recorded();
    assert.equal(far.read(waiting.op, new Uint8Array(1), 0, 1), PENDING);
    await run((op) => near.write(op, new Uint8Array(1), 0, 1)); // its event is under way
    far.close();
    assert.deepEqual(waiting.results, [-ECANCELED]);
    const [a, b] = UnixSocket.pair(group, SOCK_STREAM); // has the number now
    const next = new Recorded();
    assert.equal(a.read(next.op, new Uint8Array(1), 0, 1), PENDING);
    await nextTurn();
    await nextTurn();
    assert.deepEqual(next.results, []);
    assert.equal(await run((op) => b.write(op, new Uint8Array(1), 0, 1)), 1);
    while (next.op.pending) await nextTurn();
    assert.deepEqual(next.results, [1]);
    for (const one of [near, a, b]) one.close();
  }
});

// ── short reads of unix streams ────────────────────────────────────────────────────────────────────

interface Streams {
  readonly near: UnixSocket;
  readonly far: UnixSocket;
  /** Read up to ten bytes from `near`, waiting for them. */
  readonly next: () => Promise<string>;
}

function streams(group: IoGroup): Streams {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const into = Buffer.alloc(10);
  const next = async (): Promise<string> => {
    const count = await run((op) => near.read(op, into, 0, 10));
    assert.ok(count >= 0, `read gave ${count}`);
    return into.toString('latin1', 0, count);
  };
  return { near, far, next };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

ioTest('bytes behind descriptors that nobody takes are not forgotten', async (group) => {
  for (const registered of [false, true]) {
    const { far, next } = streams(group);
    if (registered) {
      const first = next();
      write(far.number, bytes('0'), 0, 1);
      assert.equal(await first, '0');
    }
    const fds = new Int32Array([far.number]);
    assert.equal(sendmsgUnix(far.number, bytes('a'), 0, 1, 0, undefined, fds), 1);
    write(far.number, bytes('b'), 0, 1);
    assert.equal(sendmsgUnix(far.number, bytes('c'), 0, 1, 0, undefined, fds), 1);
    write(far.number, bytes('d'), 0, 1);
    let all = '';
    while (all.length < 4) all += await next();
    assert.equal(all, 'abcd');
  }
});

ioTest('bytes of another process are not glued to ours, and not forgotten', async (group) => {
  for (const registered of [false, true]) {
    const { near, far, next } = streams(group);
    setSocketOption(near.number, SOL_SOCKET, SO_PASSCRED, 1);
    if (registered) {
      const first = next();
      write(far.number, bytes('0'), 0, 1);
      assert.equal(await first, '0');
    }
    write(far.number, bytes('a'), 0, 1);
    spawnSync('sh', ['-c', 'printf b'], { stdio: ['ignore', far.number, 'inherit'] });
    write(far.number, bytes('c'), 0, 1);
    assert.deepEqual([await next(), await next(), await next()], ['a', 'b', 'c']);
  }
});

ioTest('bytes behind an urgent one are not forgotten', async (group) => {
  const { far, next } = streams(group);
  const first = next();
  write(far.number, bytes('0'), 0, 1);
  assert.equal(await first, '0');
  write(far.number, bytes('a'), 0, 1);
  const urgent = send(far.number, bytes('!'), 0, 1, MSG_OOB);
  if (urgent === -EOPNOTSUPP) return; // CONFIG_AF_UNIX_OOB
  write(far.number, bytes('b'), 0, 1);
  let all = '';
  while (!all.endsWith('b')) all += await next();
  assert.equal(all.replace('!', ''), 'ab');
});

ioTest('a stream that is read in small pieces gives all, and its end', async (group) => {
  const { near, far } = streams(group);
  const piece = Buffer.alloc(3);
  const text = 'x'.repeat(100);
  write(far.number, bytes(text), 0, 100);
  far.close();
  let all = '';
  for (;;) {
    const count = await run((op) => near.read(op, piece, 0, 3));
    if (count === 0) break;
    all += piece.toString('latin1', 0, count);
  }
  assert.equal(all, text);
});

/** Reads at one end, each waited for, of what is written at the other when it waits. */
async function oneByOne(
  near: UnixSocket,
  far: UnixSocket,
  texts: readonly string[],
): Promise<string[]> {
  const got: string[] = [];
  const into = Buffer.alloc(16);
  for (const text of texts) {
    const waiting = run((op) => near.read(op, into, 0, 16));
    write(far.number, Buffer.from(text), 0, text.length);
    const count = await waiting;
    got.push(count > 0 ? into.toString('latin1', 0, count) : String(count));
  }
  return got;
}

const NUMBERS = Array.from({ length: 20 }, (_, i) => `number ${i}`);

ioTest('one message after the other is read in the call that waits', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  const before = readInWait();
  assert.deepEqual(await oneByOne(near, far, NUMBERS), NUMBERS);
  assert.ok(readInWait() - before >= NUMBERS.length / 2, `${readInWait() - before} of them`);
});

ioTest('of two that take turns each gets its own', async (group) => {
  const pairs = [UnixSocket.pair(group, SOCK_STREAM), UnixSocket.pair(group, SOCK_STREAM)];
  for (let i = 0; i < 20; i++) {
    const reads = pairs.map(([near]) => {
      const into = Buffer.alloc(16);
      return run((op) => near.read(op, into, 0, 16)).then((n) => into.toString('latin1', 0, n));
    });
    write(pairs[i % 2]![1].number, Buffer.from(`first ${i}`), 0, `first ${i}`.length);
    assert.equal(await reads[i % 2], `first ${i}`);
    write(pairs[1 - (i % 2)]![1].number, Buffer.from(`then ${i}`), 0, `then ${i}`.length);
    assert.equal(await reads[1 - (i % 2)], `then ${i}`);
  }
});

ioTest('what the call that waits has read comes to what a read of its own would', async (group) => {
  const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
  await oneByOne(near, far, NUMBERS); // so may the next be
  injectFault('read', { errno: EIO });
  assert.deepEqual(await oneByOne(near, far, ['lost?']), [String(-EIO)]);
  clearFault('read');
  assert.deepEqual(await oneByOne(near, far, ['']), ['lost?']); // is there still
  for (const errno of [EAGAIN, EINTR]) {
    await oneByOne(near, far, NUMBERS);
    injectFault('read', { errno });
    assert.deepEqual(await oneByOne(near, far, ['still there']), ['still there']);
    clearFault('read');
  }
  await oneByOne(near, far, NUMBERS);
  injectFault('read', { limit: 3 });
  assert.deepEqual(await oneByOne(near, far, ['in parts']), ['in ']);
  clearFault('read');
  assert.deepEqual(await oneByOne(near, far, ['']), ['parts']);
  await oneByOne(near, far, NUMBERS);
  const into = Buffer.alloc(4);
  const end = run((op) => near.read(op, into, 0, 4));
  far.close();
  assert.equal(await end, 0);
});

ioTest(
  'a read that is cancelled, and one whose socket is closed, are not made any more',
  async (group) => {
    const [near, far] = UnixSocket.pair(group, SOCK_STREAM);
    await oneByOne(near, far, NUMBERS);
    const cancelled = new Recorded();
    assert.equal(near.read(cancelled.op, Buffer.alloc(16), 0, 16), PENDING);
    await nextTurn();
    cancelled.op.cancel();
    write(far.number, Buffer.from('kept'), 0, 4);
    await delay(5);
    assert.deepEqual(cancelled.results, [-ECANCELED]);
    assert.deepEqual(await oneByOne(near, far, ['']), ['kept']);
    const closed = new Recorded();
    assert.equal(near.read(closed.op, Buffer.alloc(16), 0, 16), PENDING);
    await nextTurn();
    near.close();
    await delay(5);
    assert.deepEqual(closed.results, [-ECANCELED]);
  },
);
