/**
 * Reads and writes of many sockets in one call (io/batch.ts): each operation comes to what it would have come
 * to alone, whatever is done to it, or to its socket, between the call and its turn.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { madeTogether, useBatches } from '../../src/io/batch.ts';
import type { IoGroup } from '../../src/io/group.ts';
import { PENDING } from '../../src/io/operation.ts';
import { asBatch } from '../../src/io/reactor.ts';
import type { TcpSocket } from '../../src/io/transport.ts';
import { UnixSocket } from '../../src/io/unix.ts';
import { EAGAIN, ECANCELED, EIO, EPERM } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close, getStatusFlags, write } from '../../src/sys/fd.ts';
import { SOCK_STREAM } from '../../src/sys/socket.ts';
import { MAIN } from '../support/spec.ts';
import { connected, ioTest, Recorded, readAll, turns } from './support.ts';

const ENOSPC = 28;
/** As many connections as make a batch, and some. */
const MANY = 8;

type Socket = TcpSocket | UnixSocket;

type Ends = [near: Socket, far: Socket];

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** The read that waits at `near`. */
  readonly read: Recorded;
  readonly into: Buffer;
}

/** Connections of which a read waits at one end. */
async function waiting(
  group: IoGroup,
  count = MANY,
  room = 16,
  connect: (group: IoGroup) => Ends | Promise<Ends> = connected,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const [near, far] = await connect(group);
    const pair = { near, far, read: new Recorded(), into: Buffer.alloc(room) };
    assert.equal(near.read(pair.read.op, pair.into, 0, room), PENDING);
    pairs.push(pair);
  }
  return pairs;
}

const numberOf = (socket: Socket): number =>
  (socket as unknown as { readonly number: number }).number;

/** All at once, before the event loop hears of any. */
function putAll(pairs: readonly Pair[], text = (i: number) => `hello ${i}`): void {
  pairs.forEach(({ far }, i) => {
    const bytes = Buffer.from(text(i));
    assert.equal(write(numberOf(far), bytes, 0, bytes.length), bytes.length);
  });
}

const got = ({ read, into }: Pair): string => into.toString('latin1', 0, read.results[0]);

/** Each answers what it has read, as soon as it has. @returns the writes */
function answering(pairs: readonly Pair[], then: (i: number) => void = () => {}): Recorded[] {
  return pairs.map(({ near, into, read }, i) => {
    const writing = new Recorded();
    read.op.done = (result) => {
      read.results.push(result);
      const now = near.write(writing.op, into, 0, result);
      if (now !== PENDING) writing.results.push(now);
      then(i);
    };
    return writing;
  });
}

const batched = { skip: false };

function batchTest(name: string, body: (group: IoGroup) => Promise<void>): void {
  ioTest(name, async (group) => {
    if (!useBatches(true)) {
      batched.skip = true; // io_uring isn't allowed here: nothing is put off
    }
    try {
      await body(group);
    } finally {
      for (const call of ['read', 'write', 'epoll_ctl', 'io_uring_enter']) clearFault(call);
      useBatches(true);
    }
  });
}

const together = async (least: number, body: () => Promise<void>): Promise<void> => {
  const before = madeTogether();
  await body();
  if (!batched.skip) assert.ok(madeTogether() - before >= least, 'they were made one by one');
};

batchTest('what waits on many sockets is read together', async (group) => {
  const pairs = await waiting(group);
  await together(MANY, async () => {
    putAll(pairs);
    await turns();
  });
  assert.deepEqual(
    pairs.map(got),
    pairs.map((_, i) => `hello ${i}`),
  );
});

batchTest('without batches it is read one by one', async (group) => {
  useBatches(false);
  const pairs = await waiting(group);
  const before = madeTogether();
  putAll(pairs);
  await turns();
  assert.equal(madeTogether(), before);
  assert.deepEqual(
    pairs.map(got),
    pairs.map((_, i) => `hello ${i}`),
  );
});

batchTest('more than one call takes', async (group) => {
  const pairs = await waiting(group, 100);
  const answers = answering(pairs);
  await together(100, async () => {
    putAll(pairs);
    await turns(20);
  });
  for (const [i, { far }] of pairs.entries()) {
    assert.equal((await readAll(far, `hello ${i}`.length)).toString(), `hello ${i}`);
    assert.deepEqual(answers[i]!.results, [`hello ${i}`.length]);
  }
});

batchTest('answers are written together, after all have been read', async (group) => {
  const pairs = await waiting(group);
  const answers = answering(pairs, (i) => {
    if (!batched.skip) assert.deepEqual(answers[i]!.results, [], 'it was written at once');
  });
  await together(2 * MANY, async () => {
    putAll(pairs);
    await turns();
  });
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 7)).toString(), `hello ${i}`);
  }
});

batchTest('sockets of one machine, too, and before a message that follows', async (group) => {
  const pairs = await waiting(group, MANY, 16, () => UnixSocket.pair(group, SOCK_STREAM));
  const sent: number[] = [];
  const answers = answering(pairs, (i) => {
    const { op } = new Recorded();
    op.done = (result) => void sent.push(result);
    const now = (pairs[i]!.near as UnixSocket).send(op, Buffer.from('!'), 0, 1, 0);
    if (now !== PENDING) sent.push(now);
  });
  await together(2 * MANY, async () => {
    putAll(pairs);
    await turns();
  });
  assert.deepEqual(sent, Array(MANY).fill(1));
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 8)).toString(), `hello ${i}!`);
  }
});

batchTest('the end and an error reach the one that they are of', async (group) => {
  const pairs = await waiting(group);
  injectFault('read', { errno: EIO, skip: 2 });
  putAll(pairs);
  pairs[5]!.far.close();
  await turns();
  assert.equal(pairs[2]!.read.results[0], -EIO);
  for (const i of [0, 1, 3, 4, 5, 6, 7]) assert.equal(got(pairs[i]!), `hello ${i}`);
  const { op } = new Recorded();
  assert.equal(pairs[5]!.near.read(op, Buffer.alloc(4), 0, 4), 0);
  const again = Buffer.alloc(7);
  assert.equal(pairs[2]!.near.read(op, again, 0, 7), 7);
  assert.equal(again.toString(), 'hello 2');
});

batchTest('EAGAIN in a batch: it goes on waiting, and is told again', async (group) => {
  const pairs = await waiting(group);
  injectFault('read', { errno: EAGAIN, skip: 3, times: 2 });
  putAll(pairs);
  await turns();
  assert.deepEqual(
    pairs.map(got),
    pairs.map((_, i) => `hello ${i}`),
  );
});

batchTest('reads that bring less leave the rest', async (group) => {
  const pairs = await waiting(group);
  injectFault('read', { limit: 3, times: MANY });
  putAll(pairs);
  await turns();
  for (const pair of pairs) assert.equal(got(pair), 'hel');
  clearFault('read');
  for (const [i, { near }] of pairs.entries()) {
    assert.equal((await readAll(near, 4)).toString(), `lo ${i}`);
  }
});

batchTest('what has been read is delivered, though it is cancelled in its batch', async (group) => {
  const pairs = await waiting(group);
  const cancelAll = (): void => {
    for (const { read } of pairs) read.op.cancel();
  };
  pairs[0]!.read.op.done = (result) => {
    pairs[0]!.read.results.push(result);
    cancelAll();
  };
  putAll(pairs);
  await turns();
  // Whose batch it was: the others had been read by then, and any that had not is there to be read.
  for (const [i, { near, read, into }] of pairs.entries()) {
    const { op } = new Recorded();
    if (read.results[0] === -ECANCELED) assert.equal(near.read(op, into, 0, 16), 7);
    else assert.deepEqual(read.results, [7]);
    assert.equal(into.toString('latin1', 0, 7), `hello ${i}`);
  }
  if (!batched.skip) {
    assert.deepEqual(
      pairs.map(({ read }) => read.results[0]),
      pairs.map(() => 7),
    );
  }
});

batchTest('and though its socket is closed in its batch', async (group) => {
  const pairs = await waiting(group);
  let closed: number | undefined;
  pairs.forEach(({ read }, i) => {
    read.op.done = (result) => {
      read.results.push(result);
      if (closed !== undefined) return;
      closed = i;
      for (const { near } of pairs) near.close();
    };
  });
  putAll(pairs);
  await turns();
  for (const [i, pair] of pairs.entries()) {
    assert.equal(pair.read.results.length, 1);
    if (!batched.skip) assert.equal(got(pair), `hello ${i}`);
  }
});

/** What is done right after a write that may have been put off; its bytes must reach the peer. */
const afterwards: Record<string, (pair: Pair, writing: Recorded) => void> = {
  cancel: (_, { op }) => op.cancel(),
  'cancel of all': ({ near }) => near.cancel(),
  close: ({ near }) => near.close(),
  shutdown: ({ near }) => near.shutdown('send'),
  release: ({ near }) => {
    const number = near.release();
    assert.ok(getStatusFlags(number) > 0);
    close(number);
  },
  'an option': ({ near }) => near.setOption('send_buffer_size', 4096),
};
for (const [what, act] of Object.entries(afterwards)) {
  batchTest(`a write comes before what follows it: ${what}`, async (group) => {
    const pairs = await waiting(group);
    const answers = answering(pairs, (i) => act(pairs[i]!, answers[i]!));
    putAll(pairs);
    await turns();
    for (const [i, { far }] of pairs.entries()) {
      assert.deepEqual(answers[i]!.results, [7]);
      assert.equal((await readAll(far, 7)).toString(), `hello ${i}`);
    }
  });
}

batchTest(
  'after many writes the next are put off, but not again and again if each waits for the one before',
  async (group) => {
    const pairs = await waiting(group);
    const [first, ...others] = pairs;
    /** What comes to the first is passed on to all others. */
    const passOn = async (): Promise<void> => {
      const writing = others.map(() => new Recorded());
      first!.read.op.done = () => {
        others.forEach(({ near }, i) => {
          const now = near.write(writing[i]!.op, first!.into, 0, 7);
          if (now !== PENDING) writing[i]!.results.push(now);
        });
      };
      putAll([first!]);
      await turns();
      for (const { results } of writing) assert.deepEqual(results, [7]);
      for (const { far } of others) assert.equal((await readAll(far, 7)).toString(), 'hello 0');
      assert.equal(first!.near.read(first!.read.op, first!.into, 0, 16), PENDING);
    };
    const before = madeTogether();
    await passOn();
    assert.equal(madeTogether(), before);
    await together(others.length, passOn);

    const order: number[] = [];
    first!.read.op.done = () => {
      const next = (i: number): void => {
        const op = new Recorded().op;
        op.done = (result) => {
          order.push(result);
          if (i + 1 < others.length) next(i + 1);
        };
        const now = others[i]!.near.write(op, first!.into, 0, 7);
        if (now !== PENDING) op.done(now);
      };
      next(0);
    };
    putAll([first!]);
    await turns();
    assert.deepEqual(
      order,
      others.map(() => 7),
    );
    for (const { far } of others) assert.equal((await readAll(far, 7)).toString(), 'hello 0');
  },
);

const CROWD_THAT_EXITS = `
  local ip, stream, system = require 'ip', require 'stream', require 'system'
  local a = ip.tcp.listen('127.0.0.1:0')
  local answered = 0
  for i = 1, ${MANY} do
    spawn(function()
      local s = a:accept()
      local b = byte_span.new(8)
      while true do
        local n = s:read_some(b)
        if tostring(b:first(n)) == 'end' then
          answered = answered + 1
          if answered == ${MANY} then system.exit(0, {force = 2}) end
          stream.write_all(s, 'last')
        else
          stream.write_all(s, b:first(n))
        end
      end
    end):detach()
  end
  print(a.local_port)
`;

test('what fibers have written is sent, though another one ends the process before its turn', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  writeFileSync(join(folder, 'main.lua'), CROWD_THAT_EXITS);
  const child = spawn(process.execPath, [MAIN, join(folder, 'main.lua')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(child.stdout, 'data');
    const sockets = await Promise.all(
      Array.from({ length: MANY }, async () => {
        const socket = connect(Number(String(line)), '127.0.0.1');
        socket.setNoDelay(true);
        await once(socket, 'connect');
        return socket;
      }),
    );
    const got = sockets.map(() => '');
    const answer = sockets.map((socket, i) => {
      socket.on('data', (part) => {
        got[i] += String(part);
      });
      socket.on('error', () => {});
      return once(socket, 'data');
    });
    for (const socket of sockets) socket.write('once');
    await Promise.all(answer);
    child.kill('SIGSTOP'); // what is sent now is one batch
    for (const socket of sockets) socket.write('end');
    await delay(50);
    child.kill('SIGCONT');
    await once(child, 'exit');
    await Promise.all(
      sockets.map((socket) => (socket.destroyed ? undefined : once(socket, 'close'))),
    );
    assert.deepEqual(got.toSorted(), [...Array(MANY - 1).fill('oncelast'), 'once'].toSorted());
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

batchTest('writes of one socket keep their order, the first put off or not', async (group) => {
  const pairs = await waiting(group);
  const results: number[][] = pairs.map(() => []);
  answering(pairs, (i) => {
    for (const text of ['one', 'two', 'three']) {
      const { op } = new Recorded();
      op.done = (result) => results[i]!.push(result);
      const bytes = Buffer.from(text);
      const now = pairs[i]!.near.write(op, bytes, 0, bytes.length);
      if (now !== PENDING) results[i]!.push(now);
    }
  });
  putAll(pairs);
  await turns();
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(results[i], [3, 3, 5]);
    assert.equal((await readAll(far, 18)).toString(), `hello ${i}onetwothree`);
  }
});

batchTest('a write for which there is no room waits for it', async (group) => {
  const pairs = await waiting(group);
  const answers = answering(pairs);
  putAll(pairs);
  injectFault('write', { errno: EAGAIN, skip: 1, times: 3 });
  await turns();
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 7)).toString(), `hello ${i}`);
  }
});

batchTest('and so does that of a socket whose events last', async (group) => {
  const pairs = await waiting(group, MANY, 2);
  for (let round = 0; round < 12; round++) {
    putAll(pairs, () => 'ab');
    await turns(1);
    for (const { near, read, into } of pairs) {
      assert.deepEqual(read.results.splice(0), [2]);
      assert.equal(near.read(read.op, into, 0, 2), PENDING);
    }
  }
  const answers = answering(pairs);
  putAll(pairs, () => 'ok');
  injectFault('write', { errno: EAGAIN, times: MANY });
  await turns();
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [2]);
    assert.equal((await readAll(far, 2)).toString(), 'ok');
  }
});

batchTest('a kernel that takes none any more: each is made by itself', async (group) => {
  const pairs = await waiting(group);
  const answers = answering(pairs);
  injectFault('io_uring_enter', { errno: EPERM });
  putAll(pairs);
  await turns();
  clearFault('io_uring_enter');
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 7)).toString(), `hello ${i}`);
  }
});

batchTest('and for writes only', async (group) => {
  const pairs = await waiting(group);
  const answers = answering(pairs);
  injectFault('io_uring_enter', { errno: EPERM, skip: 1 });
  putAll(pairs);
  await turns();
  clearFault('io_uring_enter');
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 7)).toString(), `hello ${i}`);
  }
});

/** Connections at which nothing has waited yet. */
async function fresh(group: IoGroup): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < MANY; i++) {
    const [far, near] = await connected(group); // who connects has waited
    pairs.push({ near, far, read: new Recorded(), into: Buffer.from(`hello ${i}`) });
  }
  return pairs;
}

/** Write at all of them in one turn; the turn before had as many writes. */
function greet(pairs: readonly Pair[]): Recorded[] {
  const put = (): Recorded[] =>
    pairs.map(({ near, into }) => {
      const writing = new Recorded();
      const now = near.write(writing.op, into, 0, 7);
      if (now !== PENDING) writing.results.push(now);
      return writing;
    });
  let answers: Recorded[] = [];
  asBatch(() => void put());
  asBatch(() => {
    answers = put();
    if (!batched.skip) for (const { results } of answers) assert.deepEqual(results, []);
  });
  return answers;
}

batchTest(
  'in a turn of the event loop, too, and of connections that have never waited',
  async (group) => {
    const pairs = await fresh(group);
    let answers: Recorded[] = [];
    await together(MANY, async () => void (answers = greet(pairs)));
    for (const [i, { far }] of pairs.entries()) {
      assert.deepEqual(answers[i]!.results, [7]);
      assert.equal((await readAll(far, 14)).toString(), `hello ${i}hello ${i}`);
    }
  },
);

batchTest('the first write of a connection finds no room: it waits for it', async (group) => {
  const pairs = await fresh(group);
  injectFault('write', { errno: EAGAIN, skip: MANY + 2, times: 3 });
  const answers = greet(pairs);
  await turns();
  for (const [i, { far }] of pairs.entries()) {
    assert.deepEqual(answers[i]!.results, [7]);
    assert.equal((await readAll(far, 14)).toString(), `hello ${i}hello ${i}`);
  }
});

batchTest('and cannot wait: it is told, and the next is tried', async (group) => {
  const pairs = await fresh(group);
  injectFault('write', { errno: EAGAIN, skip: MANY + 2, times: 1 });
  injectFault('epoll_ctl', { errno: ENOSPC });
  const answers = greet(pairs);
  await turns();
  clearFault('epoll_ctl');
  assert.deepEqual(
    answers.map(({ results }) => results),
    pairs.map((_, i) => [i === 2 ? -ENOSPC : 7]),
  );
  const { op } = new Recorded();
  assert.equal(pairs[2]!.near.write(op, pairs[2]!.into, 0, 7), 7);
});

batchTest('what throws in a turn leaves no write behind', async (group) => {
  const pairs = await fresh(group);
  greet(pairs);
  const writing = new Recorded();
  assert.throws(() =>
    asBatch(() => {
      pairs[0]!.near.write(writing.op, pairs[0]!.into, 0, 7);
      throw new Error('a bug');
    }),
  );
  if (!batched.skip) assert.deepEqual(writing.results, [7]);
  assert.equal((await readAll(pairs[0]!.far, 21)).toString(), 'hello 0hello 0hello 0');
});

/** A read of 16 bytes at each of them in one turn, `after` which something else is done; the turn before had as many. */
function listen(pairs: readonly Pair[], after: (pair: Pair) => void = () => {}): Pair[] {
  // All that is there, and no room for more: it stays ready.
  const first = pairs.map((pair) => ({ ...pair, into: Buffer.alloc(7), read: new Recorded() }));
  const second = pairs.map((pair) => ({ ...pair, into: Buffer.alloc(16), read: new Recorded() }));
  const start = ({ near, into, read }: Pair): void => {
    const now = near.read(read.op, into, 0, into.length);
    if (now !== PENDING) read.results.push(now);
  };
  putAll(pairs, (i) => `first ${i}`);
  asBatch(() => first.forEach(start));
  assert.deepEqual(
    first.map(got),
    pairs.map((_, i) => `first ${i}`),
  );
  putAll(pairs);
  asBatch(() => {
    second.forEach(start);
    if (!batched.skip) for (const { read } of second) assert.deepEqual(read.results, []);
    for (const pair of second) after(pair);
  });
  return second;
}

batchTest('first reads of a turn are made together', async (group) => {
  const pairs = await fresh(group);
  await together(MANY, async () => {
    assert.deepEqual(
      listen(pairs).map(got),
      pairs.map((_, i) => `hello ${i}`),
    );
  });
});

const afterRead: typeof afterwards = {
  ...afterwards,
  shutdown: ({ near }) => near.shutdown('both'),
  'a look at what is there': ({ near }) => assert.equal(near.bytesReadable(), 0),
};
for (const [what, act] of Object.entries(afterRead)) {
  batchTest(`a first read comes before what follows it: ${what}`, async (group) => {
    const pairs = await fresh(group);
    const before = listen(pairs, (pair) => act(pair, pair.read));
    assert.deepEqual(
      before.map(got),
      pairs.map((_, i) => `hello ${i}`),
    );
  });
}

batchTest(
  'first reads: an error is of the one that it is of, and reads of one socket keep their order',
  async (group) => {
    const pairs = await fresh(group);
    const next: number[] = [];
    injectFault('read', { errno: EIO, skip: MANY + 3 });
    const reads = listen(pairs, ({ near, read }) => {
      const { op } = new Recorded();
      op.done = () => void next.push(read.results.length);
      if (near.read(op, Buffer.alloc(16), 0, 16) !== PENDING) next.push(read.results.length);
    });
    await turns();
    for (const [i, pair] of reads.entries()) {
      if (i === 3) assert.deepEqual(pair.read.results, [-EIO]);
      else assert.equal(got(pair), `hello ${i}`);
    }
    assert.deepEqual(next, [1]); // the one behind the error has what was there
    for (const { near } of pairs) near.close();
    assert.deepEqual(next, Array(MANY).fill(1));
  },
);

batchTest('a first read finds nothing: it waits, or is told that it cannot', async (group) => {
  const pairs = await fresh(group);
  injectFault('read', { errno: EAGAIN, skip: MANY, times: 2 });
  injectFault('epoll_ctl', { errno: ENOSPC });
  const reads = listen(pairs);
  clearFault('epoll_ctl');
  assert.deepEqual(reads[0]!.read.results, [-ENOSPC]);
  await turns();
  for (const [i, pair] of reads.entries()) if (i > 0) assert.equal(got(pair), `hello ${i}`);
});

batchTest('what throws in a turn leaves no read behind', async (group) => {
  const pairs = await fresh(group);
  listen(pairs);
  putAll(pairs);
  const [{ near, into }] = pairs as [Pair];
  const read = new Recorded();
  assert.throws(() =>
    asBatch(() => {
      near.read(read.op, into, 0, 7);
      throw new Error('a bug');
    }),
  );
  if (!batched.skip) assert.equal(got({ ...pairs[0]!, read }), 'hello 0');
});

batchTest(
  'what is put off again after something was done to its socket is done once',
  async (group) => {
    const pairs = await fresh(group);
    greet(pairs);
    await Promise.all(pairs.map(({ far }) => readAll(far, 14)));
    const writes: Recorded[] = [];
    const write = ({ near }: Pair, text: string): void => {
      const writing = new Recorded();
      const now = near.write(writing.op, Buffer.from(text), 0, text.length);
      if (now !== PENDING) writing.results.push(now);
      writes.push(writing);
    };
    asBatch(() => {
      for (const pair of pairs) write(pair, 'one,');
      for (const { near } of pairs) near.bytesReadable();
      for (const pair of pairs) write(pair, 'two,');
    });
    asBatch(() => pairs.forEach((pair) => void write(pair, 'end')));
    for (const { far } of pairs) assert.equal((await readAll(far, 11)).toString(), 'one,two,end');
    for (const { results } of writes) assert.equal(results.length, 1);

    const reads: Pair[] = [];
    listen(pairs, (pair) => {
      pair.near.bytesReadable();
      putAll([pair], () => 'then');
      const again = { ...pair, read: new Recorded(), into: Buffer.alloc(4) };
      const now = pair.near.read(again.read.op, again.into, 0, 4);
      if (now !== PENDING) again.read.results.push(now);
      reads.push(again);
    });
    await turns();
    for (const pair of reads) assert.equal(got(pair), 'then');
  },
);
