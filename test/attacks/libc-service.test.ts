/**
 * The master of libc_service, attacked by who has its slave and sends what he likes: what he can make the master hold, wait for,
 * or believe.
 */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import { IoGroup } from '../../src/io/group.ts';
import { type Gate, type ServiceEnd, servicePair } from '../../src/io/libc-service.ts';
import {
  type Call,
  encodeQuestion,
  encodeResult,
  type Question,
  USE_OWN,
} from '../../src/io/libc-service-protocol.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import { EAGAIN, EBADMSG } from '../../src/sys/errno.ts';
import { close, dup, pipe2 } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import {
  getLinger,
  MSG_DONTWAIT,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from '../../src/sys/socket.ts';
import {
  PACKET_FD_COUNT,
  PACKET_FDS,
  receivePacket,
  sendmsgUnix,
  socketpair,
} from '../../src/sys/unix.ts';
import { randomQuestion } from '../fuzz/libc-service.ts';
import { connected } from '../io/support.ts';
import { openReactor } from '../support/faulty.ts';
import { spec } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
if (skip === false) await openReactor();

const folder = mkdtempSync(join(tmpdir(), 'perilune-slave-'));
writeFileSync(join(folder, 'one'), 'one');
after(() => rmSync(folder, { recursive: true }));

const fdCount = (): number => readdirSync('/proc/self/fd').length;
const OPEN_GATE: Gate = { open: () => true, passed: () => {} };
const stat: Question = { call: 'stat', path: '/a' };
const connect: Question = { call: 'connect_inet', fd: 3, address: new Uint8Array(4), port: 1 };

interface Pair {
  readonly master: ServiceEnd;
  /** The slave's socket, as a process has it. */
  readonly slave: number;
}

/** For as long as `use` runs; nothing may be open afterwards that was not before. */
async function withPair(
  use: (pair: Pair) => unknown,
  filters: ReadonlyMap<Call, string> = new Map(),
  gate = OPEN_GATE,
): Promise<void> {
  const before = fdCount();
  const group = new IoGroup();
  const [master, end] = servicePair(group, gate);
  const slave = end.give(filters, dup);
  try {
    await use({ master, slave });
  } finally {
    close(slave);
    group.closeAll();
  }
  assert.equal(fdCount(), before, 'descriptors left open');
}

const send = (slave: number, bytes: Uint8Array, ...fds: number[]): number =>
  sendmsgUnix(slave, bytes, 0, bytes.length, MSG_DONTWAIT, undefined, Int32Array.from(fds));

/** Ask as the library does. @returns where the answer will be */
function ask(slave: number, question: Question, ...fds: number[]): number {
  const [near, far] = socketpair(SOCK_SEQPACKET);
  assert.ok(send(slave, encodeQuestion(question), far, ...fds) > 0);
  close(far);
  return near;
}

function receive(master: ServiceEnd): Promise<number> {
  return new Promise((done) => {
    const op = new Operation(done);
    const result = master.nextQuestion(op);
    if (result !== PENDING) done(result);
  });
}

/** What is there; undefined: nothing. */
function read(socket: number): Uint8Array | undefined {
  const bytes = new Uint8Array(2048);
  const out = new Int32Array(PACKET_FDS + 8);
  const length = receivePacket(socket, bytes, out);
  for (let i = 0; i < out[PACKET_FD_COUNT]!; i++) close(out[PACKET_FDS + i]!);
  return length === -EAGAIN ? undefined : bytes.slice(0, Math.max(length, 0));
}

const attack = (name: string, body: () => Promise<void>): void =>
  void test(name, { skip, timeout: 300_000 }, body);

// ── what is no question ────────────────────────────────────────────────────────────────────────────

attack('bytes that are no question end the service, with all that came with them', async () => {
  const random = randomFrom(Number(process.env.PERILUNE_TEST_SEED ?? 3));
  const good = encodeQuestion(stat);
  const wrong = [
    new Uint8Array(1),
    good.slice(0, 8),
    good.slice(0, -1),
    Uint8Array.of(...good, 0),
    Uint8Array.from(good, (b, i) => (i === 4 ? 99 : b)),
    Uint8Array.from(good, (b, i) => (i === 9 ? 0xff : b)), // of 255 bytes
    Uint8Array.from(good, (b, i) => (i === 12 ? 0x80 : b)), // of 2 GiB
    Uint8Array.from(good, (b, i) => (i === 5 ? 1 : b)),
    encodeResult([0, 0]), // what only the master says
    USE_OWN,
    new Uint8Array(60_000).fill(0x73),
  ];
  for (let i = 0; i < 40; i++) {
    const bytes = encodeQuestion(randomQuestion(random));
    bytes[Math.floor(random() * 4)]! ^= 1 + Math.floor(random() * 255);
    wrong.push(bytes);
  }
  for (const bytes of wrong)
    await withPair(async ({ master, slave }) => {
      const [near, far] = socketpair(SOCK_SEQPACKET);
      send(slave, bytes, far, far, far);
      assert.equal(
        await receive(master),
        -EBADMSG,
        Buffer.from(bytes.subarray(0, 40)).toString('hex'),
      );
      assert.equal(master.question, undefined);
      close(near);
      close(far);
    });
});

attack('too many descriptors, too few, and others than a socket for the answer', async () => {
  const file = openSync(join(folder, 'one'), 'r');
  const { readEnd, writeEnd } = pipe2(0);
  const [stream, stream2] = socketpair(SOCK_STREAM);
  const [datagram, datagram2] = socketpair(SOCK_DGRAM);
  const [packets, packets2] = socketpair(SOCK_SEQPACKET);
  const all = [file, readEnd, writeEnd, stream, stream2, datagram, datagram2, packets, packets2];
  const lists = [
    [stat, []],
    [stat, [packets, packets]],
    [stat, Array.from({ length: 253 }, () => packets)],
    [connect, [packets]],
    [connect, [packets, file, file]],
    ...all.slice(0, 7).map((fd) => [stat, [fd]] as const),
  ] as const;
  for (const [question, fds] of lists)
    await withPair(async ({ master, slave }) => {
      send(slave, encodeQuestion(question), ...fds);
      assert.equal(await receive(master), -EBADMSG);
    });
  for (const fd of all) close(fd);
});

attack('an empty packet with descriptors in it', () =>
  withPair(async ({ master, slave }) => {
    const [near, far] = socketpair(SOCK_SEQPACKET);
    send(slave, new Uint8Array(0), far);
    assert.equal(await receive(master), -EBADMSG);
    close(near);
    close(far);
  }),
);

// ── answers ────────────────────────────────────────────────────────────────────────────────────────

attack(
  'who never reads, has left, or has filled the socket for the answer keeps nobody waiting',
  async () => {
    const answer = encodeResult([0, 0]);
    for (const spoil of [(near: number) => close(near), () => {}])
      await withPair(async ({ master, slave }) => {
        const near = ask(slave, stat);
        assert.equal(await receive(master), 1);
        spoil(near);
        assert.equal(master.answer(answer, []), 0);
        assert.equal(master.question, undefined);
        if (spoil.length === 0) close(near);
      });
    await withPair(async ({ master, slave }) => {
      const [near, far] = socketpair(SOCK_SEQPACKET);
      while (send(far, new Uint8Array(4096)) > 0);
      send(slave, encodeQuestion(stat), far);
      assert.equal(await receive(master), 1);
      const file = openSync(join(folder, 'one'), 'r');
      assert.equal(master.answer(answer, [file]), 0);
      closeSync(file);
      close(near);
      close(far);
      // Another question is answered as if nothing had been.
      const next = ask(slave, stat);
      assert.equal(await receive(master), 1);
      assert.equal(master.answer(answer, []), 0);
      assert.deepEqual(read(next), answer);
      close(next);
    });
  },
);

attack('nobody sees the question of another, nor answers it', () =>
  withPair(async ({ master, slave }) => {
    const mine = ask(slave, stat);
    const other = dup(slave); // of another process
    // There is nothing to be read but the packet of filters, and that is not the master's answer.
    assert.deepEqual(Buffer.from(read(other)!).toString('latin1'), 'PLSF\0\0\0\0');
    assert.equal(read(other), undefined);
    assert.equal(await receive(master), 1);
    assert.equal(read(other), undefined);
    const answer = encodeResult([-1, 13]);
    assert.equal(master.answer(answer, []), 0);
    assert.equal(read(other), undefined);
    assert.deepEqual(read(mine), answer);
    assert.equal(read(mine)?.length, 0); // and nothing else can come
    close(mine);
    // What looks like an answer is no question.
    send(other, answer, other);
    close(other);
    assert.equal(await receive(master), -EBADMSG);
  }),
);

attack('a slave as the socket for its own answer gets an answer, and nothing of the host', () =>
  withPair(async ({ master, slave }) => {
    send(slave, encodeQuestion(stat), slave);
    assert.equal(await receive(master), 1);
    // It goes to the master itself, where it is no question.
    assert.equal(master.answer(encodeResult([0, 0]), []), 0);
    assert.equal(await receive(master), -EBADMSG);
  }),
);

// ── floods ─────────────────────────────────────────────────────────────────────────────────────────

attack('questions that nobody has asked for wait in the kernel, and their sender with them', () =>
  withPair(async ({ master, slave }) => {
    const file = openSync(join(folder, 'one'), 'r');
    const before = fdCount();
    const asked: number[] = [];
    const [near, far] = socketpair(SOCK_SEQPACKET);
    asked.push(near, far);
    let count = 0;
    while (count < 5000 && send(slave, encodeQuestion(connect), far, file) > 0) count++;
    assert.ok(count > 10 && count < 5000, `${count}`);
    assert.equal(fdCount(), before + 2);
    let turns = 0;
    const others = (async () => {
      for (; turns < 3; turns++) await nextTurn();
    })();
    for (let i = 0; i < count; i++) {
      assert.equal(await receive(master), 1);
      if (i % 100 === 0) assert.ok(fdCount() <= before + 4);
      assert.ok(master.answer(USE_OWN, []) <= 0);
    }
    await others;
    assert.equal(fdCount(), before + 2);
    for (const fd of asked) close(fd);
    closeSync(file);
  }),
);

attack('while descriptors that were dropped are collected, no question is received', () => {
  let go: (() => void) | undefined;
  let isOpen = false;
  const gate: Gate = {
    open: (goOn) => {
      go = goOn;
      return isOpen;
    },
    passed: () => {},
  };
  return withPair(
    async ({ master, slave }) => {
      const near = ask(slave, stat);
      let result: number | undefined;
      const received = receive(master).then((r) => {
        result = r;
      });
      await nextTurn();
      assert.equal(result, undefined);
      isOpen = true;
      go!();
      await received;
      assert.equal(result, 1);
      close(near);
    },
    new Map(),
    gate,
  );
});

attack(
  'nothing that a question brings, or that waits for its answer, keeps the host waiting when it closes',
  async () => {
    const group = new IoGroup();
    const bad = Uint8Array.of(...encodeQuestion(stat), 0);
    const ways: Record<string, (pair: Pair, lingers: number) => unknown> = {
      'in a question that nobody has received': ({ master, slave }, lingers) => {
        const near = ask(slave, connect, lingers);
        master.close();
        close(near);
      },
      'in one of somebody who is gone': (_, lingers) => {
        const own = new IoGroup();
        const [, end] = servicePair(own, OPEN_GATE);
        const slave = end.give(new Map(), dup);
        close(ask(slave, connect, lingers));
        close(slave); // what the master has sent is unread: its next call says ECONNRESET
        own.closeAll();
      },
      'in the socket for the answer to one': ({ master, slave }, lingers) => {
        const near = ask(slave, stat);
        send(near, new Uint8Array(0));
        send(near, new Uint8Array(1), lingers);
        close(near);
        master.close();
      },
      'in that of one that is answered': async ({ master, slave }, lingers) => {
        const near = ask(slave, stat);
        send(near, new Uint8Array(0));
        send(near, new Uint8Array(1), lingers);
        assert.equal(await receive(master), 1);
        assert.equal(master.answer(USE_OWN, []), 0);
        close(near);
      },
      'in that of what is no question': async ({ master, slave }, lingers) => {
        const [near, far] = socketpair(SOCK_SEQPACKET);
        send(slave, bad, far);
        close(far);
        send(near, new Uint8Array(1), lingers);
        close(near);
        assert.equal(await receive(master), -EBADMSG);
      },
    };
    for (const [name, use] of Object.entries(ways)) {
      const [near, far] = await connected(group);
      near.setLinger(true, 3600);
      const lingers = near.release();
      const same = dup(lingers); // the kernel waits only where nobody else has it: here it doesn't
      await withPair((pair) => use(pair, lingers));
      assert.equal(getLinger(same).on, false, name);
      close(lingers);
      close(same);
      far.close();
    }
  },
);

attack('a master that is closed, or cancelled, in the middle leaves nothing open', async () => {
  await withPair(async ({ master, slave }) => {
    const file = openSync(join(folder, 'one'), 'r');
    const near = ask(slave, connect, file);
    const second = ask(slave, connect, file);
    assert.equal(await receive(master), 1);
    master.close();
    closeSync(file);
    // Both see that there will be no answer.
    for (const socket of [near, second]) {
      assert.equal(read(socket)?.length, 0);
      close(socket);
    }
  });
  await withPair(async ({ master, slave }) => {
    const op = new Operation(() => {});
    assert.equal(master.nextQuestion(op), PENDING);
    const near = ask(slave, stat);
    op.cancel();
    // It may have come before the cancel; then it is not lost.
    if (master.question === undefined) assert.equal(await receive(master), 1);
    assert.notEqual(master.question, undefined);
    close(near);
  });
});

// ── Lua ────────────────────────────────────────────────────────────────────────────────────────────

const SETUP = `
  local libc_service, system, fs = require 'libc_service', require 'system', require 'filesystem'
  local null = fs.open(fs.path.new '/dev/null', {'write_only'})
  local function cat(slave, ...)
    return system.spawn{program = 'cat', arguments = {'cat', ...}, environment = {LD_PRELOAD = libc_service.preload_library}, stderr = null,
      extra_fds = {[3] = slave}}
  end
`;

if (skip === false) {
  spec(
    'a filter is text to whoever installs it: it runs where the slave is, and nowhere else',
    `${SETUP}
    local before = require 'filesystem'.exists(fs.path.new '${folder}/made')
    for _, source in ipairs{
      'os.exit(7)', 'C.open("${folder}/made", bit.bor(C.O_CREAT, C.O_WRONLY), 384) os.exit(8)', '\\27Lua bytecode', 'x = ("y"):rep(2^20) os.exit(9)',
      '\\0', ('a = 1 '):rep(100000) .. 'os.exit(10)', ']] os.exit(1) --[[', 'while true do end',
    } do
      local master, slave = libc_service.new()
      slave.open = source
      local p = cat(slave, '/nowhere')
      if source == 'while true do end' then
        require 'time'.sleep(0.05)
        p:kill(system.signal.SIGKILL)
      end
      while pcall(master.receive, master) do master:send(-1, 2) end
      p:wait()
      print(p.exit_code, p.exit_signal)
    end
    null:close()
    print(before, fs.exists(fs.path.new '${folder}/made'))
    `,
    '7\tnil\n8\tnil\n1\tnil\n1\tnil\n1\tnil\n1\tnil\n1\tnil\n137\t9\nfalse\ttrue\n',
    { once: true },
  );

  spec(
    'names that lead elsewhere are the affair of who opens them: a directory that nothing leads out of',
    `${SETUP}
    local root = fs.path.new '${folder}/root'
    fs.create_directory(root)
    fs.create_symlink(fs.path.new '${folder}/one', root / 'link')
    local dir = fs.open(root, {'path', 'directory'})
    local master, slave = libc_service.new()
    local p = cat(slave, '/data/../one', '/data/link', '/data//one', '/data/./../../one')
    while pcall(master.receive, master) do
      local name = tostring((master:arguments())):match '^/data/(.*)'
      local ok, fd = pcall(dir.openat, dir, fs.path.new(name or ''), {'read_only', 'resolve_beneath'})
      print(name, ok, tostring(fd))
      if ok then master:send_with_fds(0, {fd}) fd:close() else master:send(-1, fd) end
    end
    p:wait()
    dir:close()
    null:close()
    fs.remove_all(root)
    `,
    `../one\tfalse\tInvalid cross-device link
link\tfalse\tInvalid cross-device link
/one\tfalse\tInvalid cross-device link
./../../one\tfalse\tInvalid cross-device link
`,
    { once: true },
  );
}
