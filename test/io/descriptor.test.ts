import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { closeWithOwner, closeWithOwnerInTime, type Descriptor } from '../../src/io/descriptor.ts';
import { IoGroup } from '../../src/io/group.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import {
  addPending,
  type EventTarget,
  pendingCount,
  register,
  removePending,
  unregister,
} from '../../src/io/reactor.ts';
import { EBADF, ECANCELED, EINTR, EIO, EPIPE, errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close, dup, O_NONBLOCK, pipe2, read, write } from '../../src/sys/fd.ts';
import { ioTest, openFds, pipe, Recorded, run, turns } from './support.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

ioTest('what can be done at once is, without calling done', (group) => {
  const { source, sink } = pipe(group);
  const written = new Recorded();
  assert.equal(sink.write(written.op, bytes('hello'), 1, 3), 3);
  const got = new Recorded();
  const into = Buffer.alloc(8, '-');
  assert.equal(source.read(got.op, into, 2, 6), 3);
  assert.equal(into.toString(), '--ell---');
  assert.deepEqual([written.results, got.results], [[], []]);
  assert.equal(got.op.pending, false);
});

ioTest('what has to wait completes once, from the event loop', async (group) => {
  const { source, sink } = pipe(group);
  const got = new Recorded();
  const into = Buffer.alloc(8);
  assert.equal(source.read(got.op, into, 0, 8), PENDING);
  assert.equal(got.op.pending, true);
  assert.equal(pendingCount(), 1);
  write(sink.fd, bytes('ab'), 0, 2);
  assert.deepEqual(got.results, []);
  await turns();
  assert.deepEqual(got.results, [2]);
  assert.equal(into.toString('latin1', 0, 2), 'ab');
  got.op.cancel(); // too late: nothing
  await turns();
  assert.deepEqual(got.results, [2]);
});

ioTest('reads complete in the order in which they were started', async (group) => {
  const { source, sink } = pipe(group);
  const into = Buffer.alloc(6);
  const reads = [0, 2, 4].map((offset) => {
    const recorded = new Recorded();
    assert.equal(source.read(recorded.op, into, offset, 2), PENDING);
    return recorded;
  });
  await run((op) => sink.write(op, bytes('aabb'), 0, 4));
  await turns();
  assert.deepEqual(
    reads.map((one) => one.results),
    [[2], [2], []],
  );
  await run((op) => sink.write(op, bytes('cc'), 0, 2));
  await turns();
  assert.equal(into.toString(), 'aabbcc');
});

ioTest('the end of the input is 0, for every read that waits', async (group) => {
  const { source, sink } = pipe(group);
  const reads = [new Recorded(), new Recorded()];
  for (const { op } of reads) source.read(op, Buffer.alloc(1), 0, 1);
  sink.close();
  await turns();
  assert.deepEqual(
    reads.map((one) => one.results),
    [[0], [0]],
  );
});

ioTest('cancel completes with ECANCELED before it returns, and only that one', async (group) => {
  const { source, sink } = pipe(group);
  const into = Buffer.alloc(3);
  const [first, second, third] = [0, 1, 2].map((at) => {
    const recorded = new Recorded();
    source.read(recorded.op, into, at, 1);
    return recorded;
  });
  second!.op.cancel();
  assert.deepEqual(second!.results, [-ECANCELED]);
  assert.equal(second!.op.pending, false);
  second!.op.cancel();
  await run((op) => sink.write(op, bytes('xyz'), 0, 3));
  await turns();
  assert.deepEqual([first!.results, second!.results, third!.results], [[1], [-ECANCELED], [1]]);
  assert.equal(into.toString('latin1'), 'x\0y');
  assert.equal(await run((op) => source.read(op, into, 0, 3)), 1); // z is still there
});

ioTest('an operation can be started again from its own done', async (group) => {
  const { source, sink } = pipe(group);
  const recorded = new Recorded();
  const into = Buffer.alloc(1);
  const seen: string[] = [];
  recorded.op.done = (result) => {
    for (let next = result; next !== PENDING; next = source.read(recorded.op, into, 0, 1)) {
      seen.push(into.toString());
    }
  };
  assert.equal(source.read(recorded.op, into, 0, 1), PENDING);
  await run((op) => sink.write(op, bytes('abc'), 0, 3));
  await turns();
  assert.deepEqual(seen, ['a', 'b', 'c']);
  recorded.op.done = () => {};
});

ioTest('close completes all that waits, in both directions, once', async (group) => {
  const { source, sink } = pipe(group);
  const reads = [new Recorded(), new Recorded()];
  for (const { op } of reads) source.read(op, Buffer.alloc(1), 0, 1);
  const full = Buffer.alloc(1 << 20);
  while (write(sink.fd, full, 0, full.length) > 0);
  const written = new Recorded();
  assert.equal(sink.write(written.op, full, 0, full.length), PENDING);
  sink.close();
  sink.close();
  assert.deepEqual(written.results, [-ECANCELED]);
  source.close();
  assert.deepEqual(
    reads.map((one) => one.results),
    [[-ECANCELED], [-ECANCELED]],
  );
  const late = new Recorded();
  assert.equal(source.read(late.op, Buffer.alloc(1), 0, 1), -EBADF);
  assert.equal(source.wait(late.op, 'read'), -EBADF);
  assert.deepEqual(late.results, []);
});

ioTest('done may close, cancel and start what it likes', async (group) => {
  const { source, sink } = pipe(group);
  const [first, second, third] = [new Recorded(), new Recorded(), new Recorded()];
  const into = Buffer.alloc(4);
  first.op.done = (result) => {
    first.results.push(result);
    second.op.cancel();
    source.close();
  };
  for (const { op } of [first, second, third]) source.read(op, into, 0, 1);
  await run((op) => sink.write(op, bytes('abc'), 0, 3));
  await turns();
  assert.deepEqual(
    [first.results, second.results, third.results],
    [[1], [-ECANCELED], [-ECANCELED]],
  );
});

ioTest('cancelAll leaves what done starts meanwhile', async (group) => {
  const { source } = pipe(group);
  const again = new Recorded();
  const recorded = new Recorded();
  recorded.op.done = (result) => {
    recorded.results.push(result);
    source.read(again.op, Buffer.alloc(1), 0, 1);
  };
  source.read(recorded.op, Buffer.alloc(1), 0, 1);
  source.cancelAll();
  assert.deepEqual(recorded.results, [-ECANCELED]);
  assert.equal(again.op.pending, true);
});

ioTest('release gives the number away, open', (group) => {
  const { source } = pipe(group);
  const recorded = new Recorded();
  source.read(recorded.op, Buffer.alloc(1), 0, 1);
  const fd = source.release();
  assert.deepEqual(recorded.results, [-ECANCELED]);
  assert.equal(source.isOpen, false);
  assert.equal(source.release(), -EBADF);
  source.close();
  assert.ok(readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:'));
  close(fd);
});

ioTest('a closed reader gives EPIPE to a write that waits, and to later ones', async (group) => {
  const { source, sink } = pipe(group);
  const full = Buffer.alloc(1 << 20);
  while (write(sink.fd, full, 0, full.length) > 0);
  const written = new Recorded();
  assert.equal(sink.write(written.op, full, 0, 10), PENDING);
  source.close();
  await turns();
  assert.deepEqual(written.results, [-EPIPE]);
  assert.equal(sink.write(written.op, full, 0, 10), -EPIPE);
});

ioTest('a write that waits goes on when there is room', async (group) => {
  const { source, sink } = pipe(group);
  const data = Buffer.alloc(1 << 20, 'abcdefgh');
  const received = Buffer.alloc(data.length);
  const writing = (async () => {
    let at = 0;
    while (at < data.length) {
      const result = await run((op) => sink.write(op, data, at, data.length - at));
      assert.ok(result > 0);
      at += result;
    }
  })();
  for (let at = 0; at < data.length; ) {
    at += await run((op) => source.read(op, received, at, Math.min(7000, data.length - at)));
  }
  await writing;
  assert.ok(received.equals(data));
});

ioTest('wait takes no bytes', async (group) => {
  const { source, sink } = pipe(group);
  const waiting = new Recorded();
  assert.equal(sink.wait(waiting.op, 'write'), 0);
  assert.equal(source.wait(waiting.op, 'read'), PENDING);
  write(sink.fd, bytes('q'), 0, 1);
  await turns();
  assert.deepEqual(waiting.results, [0]);
  assert.equal(source.wait(waiting.op, 'read'), 0);
  assert.equal(await run((op) => source.read(op, Buffer.alloc(4), 0, 4)), 1);
  const failure = new Recorded();
  assert.equal(source.wait(failure.op, 'error'), PENDING);
  sink.close();
  await turns();
  assert.deepEqual(failure.results, [0]);
});

ioTest('an event fetched for a closed descriptor never reaches its successor', async () => {
  const pipes = [pipe2(O_NONBLOCK), pipe2(O_NONBLOCK), pipe2(O_NONBLOCK)];
  const idle = pipe2(O_NONBLOCK); // what the successors are duplicates of
  const numbers = pipes.map((ends) => ends.readEnd);
  const events: string[] = [];
  const targets: EventTarget[] = numbers.map(() => ({ generation: 0, onEvents: () => {} }));
  const successors: EventTarget[] = numbers.map((number) => ({
    generation: 0,
    onEvents: () => events.push(`successor of ${number}`),
  }));
  // All three become ready in one wake-up; the first to hear of it replaces the two others.
  for (const [i, target] of targets.entries()) {
    target.onEvents = () => {
      events.push('first');
      for (const [j, number] of numbers.entries()) {
        if (j === i) continue;
        unregister(number, targets[j]!);
        close(number);
        assert.equal(dup(idle.readEnd, number), number);
        assert.equal(register(number, successors[j]!), 0);
      }
    };
    assert.equal(register(numbers[i]!, target), 0);
  }
  for (const { writeEnd } of pipes) write(writeEnd, bytes('x'), 0, 1);
  addPending();
  await turns(30);
  assert.deepEqual(events, ['first']);
  write(idle.writeEnd, bytes('x'), 0, 1);
  await turns(30);
  assert.equal(events.length, 3);
  removePending();
  for (const [i, number] of numbers.entries()) {
    unregister(number, targets[i]!);
    unregister(number, successors[i]!);
    close(number);
    close(pipes[i]!.writeEnd);
  }
  close(idle.readEnd);
  close(idle.writeEnd);
});

ioTest('a duplicate elsewhere keeps no registration alive', async (group) => {
  const { source, sink } = pipe(group);
  const recorded = new Recorded();
  source.read(recorded.op, Buffer.alloc(1), 0, 1);
  const copy = dup(source.fd);
  source.close();
  await run((op) => sink.write(op, bytes('x'), 0, 1));
  await turns();
  assert.deepEqual(recorded.results, [-ECANCELED]);
  close(copy);
});

ioTest('EINTR is retried, at the first attempt and at later ones', async (group) => {
  const { source, sink } = pipe(group);
  const into = Buffer.alloc(4);
  injectFault('write', { errno: EINTR, times: 3 });
  assert.equal(await run((op) => sink.write(op, bytes('ab'), 0, 2)), 2);
  injectFault('read', { errno: EINTR, times: 3 });
  assert.equal(await run((op) => source.read(op, into, 0, 4)), 2);
  const recorded = new Recorded();
  source.read(recorded.op, into, 0, 4);
  injectFault('read', { errno: EINTR, times: 2 });
  write(sink.fd, bytes('z'), 0, 1);
  await turns();
  assert.deepEqual(recorded.results, [1]);
});

ioTest('other failures are results, at once or later', async (group) => {
  const { source, sink } = pipe(group);
  const into = Buffer.alloc(4);
  const ENOSPC = errnoNumber('ENOSPC')!;
  injectFault('write', { errno: ENOSPC });
  assert.equal(await run((op) => sink.write(op, bytes('ab'), 0, 2)), -ENOSPC);
  const recorded = new Recorded();
  source.read(recorded.op, into, 0, 4);
  injectFault('read', { errno: EIO });
  write(sink.fd, bytes('z'), 0, 1);
  await turns();
  assert.deepEqual(recorded.results, [-EIO]);
  assert.equal(await run((op) => source.read(op, into, 0, 4)), 1);
});

ioTest('a descriptor that the reactor refuses says why, and can be tried again', async (group) => {
  const { source, sink } = pipe(group);
  const ENOSPC = errnoNumber('ENOSPC')!;
  injectFault('epoll_ctl', { errno: ENOSPC });
  const recorded = new Recorded();
  assert.equal(source.read(recorded.op, Buffer.alloc(1), 0, 1), -ENOSPC);
  assert.equal(source.read(recorded.op, Buffer.alloc(1), 0, 1), PENDING);
  await run((op) => sink.write(op, bytes('x'), 0, 1));
  await turns();
  assert.deepEqual(recorded.results, [1]);
});

ioTest('bytes survive random EAGAIN, EINTR and short transfers', async (group) => {
  const { source, sink } = pipe(group);
  const data = Buffer.alloc(300_000, 'The quick brown fox jumps over the lazy dog. ');
  const received = Buffer.alloc(data.length);
  let finished = false;
  const faults = [{ errno: 11 }, { errno: EINTR }, { limit: 1 }, { limit: 77 }];
  const disturb = setInterval(() => {
    for (const call of ['read', 'write']) {
      const fault = faults[Math.floor(Math.random() * faults.length)]!;
      injectFault(call, { ...fault, skip: Math.floor(Math.random() * 3), times: 2 });
    }
  }, 0);
  const writing = (async () => {
    for (let at = 0; at < data.length; ) {
      const length = Math.min(3000, data.length - at);
      const result = await run((op) => sink.write(op, data, at, length));
      assert.ok(result > 0);
      at += result;
      if (Math.random() < 0.1) await turns(1);
    }
    finished = true;
  })();
  for (let at = 0; at < data.length; ) {
    at += await run((op) => source.read(op, received, at, data.length - at));
  }
  await writing;
  clearInterval(disturb);
  clearFault('read');
  clearFault('write');
  assert.ok(finished && received.equals(data));
});

ioTest('a group closes all that is its own, and nothing else', async (group) => {
  const other = new IoGroup();
  const [mine, theirs] = [pipe(group), pipe(other)];
  const [a, b] = [new Recorded(), new Recorded()];
  mine.source.read(a.op, Buffer.alloc(1), 0, 1);
  theirs.source.read(b.op, Buffer.alloc(1), 0, 1);
  group.closeAll();
  assert.deepEqual([a.results, b.results], [[-ECANCELED], []]);
  assert.equal(theirs.source.isOpen, true);
  other.closeAll();
  assert.deepEqual(b.results, [-ECANCELED]);
});

ioTest('an owner that is collected takes its descriptor along, unless it waits', async (group) => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const before = openFds().length;
  const sinks: Descriptor[] = [];
  const recorded = new Recorded();
  const into = Buffer.alloc(1);
  (() => {
    for (const waits of [false, true]) {
      const owner = {};
      const { source, sink } = pipe(group);
      sinks.push(sink);
      closeWithOwner(owner, source);
      if (!waits) continue;
      recorded.op.owner = owner;
      assert.equal(source.read(recorded.op, into, 0, 1), PENDING);
    }
  })();
  for (let i = 0; i < 20 && openFds().length > before + 3; i++) {
    gc();
    await turns(10);
  }
  assert.equal(openFds().length, before + 3);
  await run((op) => sinks[1]!.write(op, bytes('x'), 0, 1));
  await turns();
  assert.deepEqual(recorded.results, [1]);
});

ioTest(
  'of many that come and go, those are closed whose owner was collected, and no others',
  async (group) => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const kept: object[] = [];
    const [theirs, nobodys]: Descriptor[][] = [[], []];
    for (let round = 0; round < 3; round++) {
      (() => {
        const passing: Descriptor[] = [];
        for (let i = 0; i < 30; i++) {
          const { source, sink } = pipe(group);
          const owner = {};
          closeWithOwnerInTime(owner, source);
          closeWithOwnerInTime({}, sink);
          if (i % 3 === 0) passing.push(source, sink);
          else {
            kept.push(owner);
            theirs!.push(source);
            nobodys!.push(sink);
          }
          if (i % 7 === 0) for (const some of passing.splice(0)) some.close(); // from among the others
        }
        for (const some of passing) some.close();
      })();
      for (let i = 0; i < 20 && nobodys!.some((one) => one.isOpen); i++) {
        gc();
        await turns(10);
      }
      assert.deepEqual(
        nobodys!.filter((one) => one.isOpen),
        [],
      );
      assert.deepEqual(
        theirs!.filter((one) => !one.isOpen),
        [],
      );
      assert.equal(group.size, kept.length);
    }
    const [first] = theirs!;
    const moved = new IoGroup();
    first!.moveTo(moved);
    assert.deepEqual([group.size, moved.size], [kept.length - 1, 1]);
    moved.closeAll();
    group.closeAll();
    assert.deepEqual(
      theirs!.filter((one) => one.isOpen),
      [],
    );
  },
);

ioTest('a group that is closed closes what that opens, too', (group) => {
  const { source, sink } = pipe(group);
  const opened: Descriptor[] = [];
  const waiting = new Operation(() => {
    const more = pipe(group);
    opened.push(more.source, more.sink);
    group.add({ close: () => void opened.push(...Object.values(pipe(group))) });
  });
  assert.equal(source.read(waiting, Buffer.alloc(1), 0, 1), PENDING);
  group.closeAll();
  assert.equal(opened.length, 4);
  assert.deepEqual(
    [source, sink, ...opened].filter((one) => one.isOpen),
    [],
  );
  assert.equal(group.size, 0);
});

ioTest('the event loop ends when nothing waits, and not before', () => {
  const io = new URL('../../src/io/', import.meta.url).href;
  const program = `
    const { Descriptor } = await import('${io}descriptor.ts');
    const { IoGroup } = await import('${io}group.ts');
    const { Operation } = await import('${io}operation.ts');
    const { pipe2, write } = await import('${io}../sys/fd.ts');
    const { readEnd, writeEnd } = pipe2(0o4000);
    const source = new Descriptor(readEnd, new IoGroup());
    const bytes = new Uint8Array(8);
    const op = new Operation((result) => {
      console.log('read', result);
      const again = new Operation((result) => console.log('cancelled', result));
      source.read(again, bytes, 0, 8);
      again.cancel();
    });
    source.read(op, bytes, 0, 8);
    setTimeout(() => write(writeEnd, bytes, 0, 3), 60).unref();
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.equal(child.stderr, '');
  assert.equal(child.stdout, `read 3\ncancelled ${-ECANCELED}\n`);
  assert.equal(child.status, 0);
});

ioTest('a done that throws is reported, and the others are served', () => {
  const io = new URL('../../src/io/', import.meta.url).href;
  const program = `
    const { Descriptor } = await import('${io}descriptor.ts');
    const { IoGroup } = await import('${io}group.ts');
    const { Operation } = await import('${io}operation.ts');
    const { pipe2, write } = await import('${io}../sys/fd.ts');
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const bytes = new Uint8Array(8);
    for (const name of ['a', 'b', 'c']) {
      const { readEnd, writeEnd } = pipe2(0o4000);
      const source = new Descriptor(readEnd, new IoGroup());
      source.read(new Operation(() => { console.log(name); throw new Error(name); }), bytes, 0, 8);
      write(writeEnd, bytes, 0, 3);
    }
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.deepEqual(child.stdout.trim().split('\n').sort(), [
    'a',
    'b',
    'c',
    'uncaught a',
    'uncaught b',
    'uncaught c',
  ]);
});

ioTest('a worker has a reactor of its own, and may be ended while it waits', async () => {
  const { Worker } = await import('node:worker_threads');
  const io = new URL('../../src/io/', import.meta.url).href;
  const program = `
    const { parentPort } = require('node:worker_threads');
    (async () => {
      const { Descriptor } = await import('${io}descriptor.ts');
      const { IoGroup } = await import('${io}group.ts');
      const { Operation } = await import('${io}operation.ts');
      const { pipe2, write } = await import('${io}../sys/fd.ts');
      const { readEnd, writeEnd } = pipe2(0o4000);
      const group = new IoGroup();
      const source = new Descriptor(readEnd, group);
      const sink = new Descriptor(writeEnd, group);
      const bytes = new Uint8Array(8);
      parentPort.once('message', () => { group.closeAll(); parentPort.postMessage('closed'); });
      source.read(new Operation((result) => {
        parentPort.postMessage(result);
        source.read(new Operation(() => {}), bytes, 0, 8);
      }), bytes, 0, 8);
      setTimeout(() => write(writeEnd, bytes, 0, 5), 10);
    })();
  `;
  for (const politely of [true, false]) {
    const worker = new Worker(program, { eval: true });
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    const message = () => new Promise((resolve) => worker.once('message', resolve));
    assert.equal(await message(), 5);
    worker.postMessage('end');
    assert.equal(await message(), 'closed');
    if (!politely) await worker.terminate();
    await exited;
  }
});

ioTest('reads start at the offset of a subarray', async (group) => {
  const { source, sink } = pipe(group);
  const memory = Buffer.alloc(16, '.');
  await run((op) => sink.write(op, bytes('hi'), 0, 2));
  assert.equal(await run((op) => source.read(op, memory.subarray(4, 10), 1, 5)), 2);
  assert.equal(memory.toString(), '.....hi.........');
  assert.equal(read(source.fd, memory, 0, 1) < 0, true);
});
