/**
 * Filters of system calls. What a program of BPF says is asked of an interpreter that is written here, from the
 * kernel's description; what it should say, of a model that goes through the rules one by one.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARCHITECTURES, type Architecture, arm64, x64 } from '../../src/sandbox/architectures.ts';
import { encode, MAX_INSTRUCTIONS } from '../../src/sandbox/bpf.ts';
import { DEFAULT_LIMITS, planFiltered, planInbox } from '../../src/sandbox/plan.ts';
import { computeProfile, PROFILES, serviceProfile } from '../../src/sandbox/profiles.ts';
import {
  type Action,
  ALL_BITS,
  type Comparison,
  type Condition,
  compile,
  DENY,
  type Rule,
  run,
} from '../../src/sandbox/seccomp.ts';
import { Random } from '../fuzz/random.ts';

const KILL = 0x80000000;
const ALLOW = 0x7fff0000;
const LOG = 0x7ffc0000;
const errno = (n: number): number => 0x00050000 + n;
const EPERM = errno(1);

// ── the interpreter ────────────────────────────────────────────────────────────────────────────────

/** seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]. */
function interpret(filter: Uint8Array, audit: number, nr: number, args: readonly bigint[]): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, audit, true);
  args.forEach((arg, i) => data.setBigUint64(16 + 8 * i, arg, true));
  const code = new DataView(filter.buffer, filter.byteOffset, filter.length);
  const count = filter.length / 8;
  let a = 0;
  let pc = 0;
  for (let steps = 0; ; steps++) {
    assert.ok(pc < count, 'it runs beyond its end');
    assert.ok(steps < count, 'jumps lead forwards only');
    const op = code.getUint16(pc * 8, true);
    const [jt, jf] = [code.getUint8(pc * 8 + 2), code.getUint8(pc * 8 + 3)];
    const k = code.getUint32(pc * 8 + 4, true);
    pc++;
    switch (op) {
      case 0x20:
        assert.ok(k % 4 === 0 && k <= 60);
        a = data.getUint32(k, true);
        break;
      case 0x54:
        a = Number(BigInt(a) & BigInt(k));
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        pc += a === k ? jt : jf;
        break;
      case 0x25:
        pc += a > k ? jt : jf;
        break;
      case 0x35:
        pc += a >= k ? jt : jf;
        break;
      case 0x45:
        pc += (BigInt(a) & BigInt(k)) !== 0n ? jt : jf;
        break;
      case 0x06:
        return k;
      default:
        assert.fail(`no instruction: ${op}`);
    }
  }
}

// ── the model ──────────────────────────────────────────────────────────────────────────────────────

function holds({ arg, mask, compare, values }: Condition, args: readonly bigint[]): boolean {
  const v = args[arg]! & mask;
  const first = values[0]!;
  switch (compare) {
    case 'eq':
      return values.includes(v);
    case 'ne':
      return v !== first;
    case 'lt':
      return v < first;
    case 'le':
      return v <= first;
    case 'gt':
      return v > first;
    case 'ge':
      return v >= first;
  }
}

function meaning(action: Action): number {
  if (action === 'allow') return ALLOW;
  if (action === 'log') return LOG;
  return action === 'kill' ? KILL : errno(action.errno);
}

function expected(
  rules: readonly Rule[],
  otherwise: Action,
  on: Architecture,
  nr: number,
  args: readonly bigint[],
): number {
  if (on.foreignFrom !== undefined && nr >>> 0 >= on.foreignFrom) return KILL;
  const name = on.names.get(nr);
  const rule = rules.find(
    ({ calls, when }) =>
      name !== undefined && calls.includes(name) && when.every((c) => holds(c, args)),
  );
  return meaning(rule === undefined ? otherwise : rule.action);
}

/** Numbers that a filter may be asked for: all that there are, some that there aren't, and other tables'. */
const NUMBERS = [
  ...Array.from({ length: 600 }, (_, n) => n),
  1023,
  0x3fffffff,
  0x40000000,
  0x40000001,
  0x40000208,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];
const ZEROS: readonly bigint[] = [0n, 0n, 0n, 0n, 0n, 0n];

function agrees(
  rules: readonly Rule[],
  otherwise: Action,
  on: Architecture,
  argumentsOf: (nr: number) => readonly (readonly bigint[])[],
): void {
  const program = compile(rules, otherwise, on);
  const filter = encode(program);
  for (const nr of NUMBERS) {
    for (const args of argumentsOf(nr)) {
      const said = interpret(filter, on.audit, nr, args);
      const shown = (): string =>
        `${on.names.get(nr) ?? nr}(${args.map((v) => v.toString(16)).join(', ')}): ${said.toString(16)}`;
      if (said !== expected(rules, otherwise, on, nr, args)) assert.fail(shown());
      // What filter:verdict() asks is another interpreter, of ours.
      if (run(program, on.audit, nr, args) !== said) assert.fail(`run: ${shown()}`);
    }
  }
}

// ── profiles ───────────────────────────────────────────────────────────────────────────────────────

const filter = encode(compile(computeProfile(false), DENY, x64));
const words = (args: readonly number[]): bigint[] =>
  ZEROS.map((_, i) => BigInt.asUintN(64, BigInt(args[i] ?? 0)));
const askOf = (program: Uint8Array, name: string, args: readonly number[]) =>
  interpret(program, x64.audit, x64.calls.get(name)!, words(args));
const ask = (name: string, ...args: number[]) => askOf(filter, name, args);

test('another architecture, and the other table of this one, are killed', () => {
  assert.equal(interpret(filter, arm64.audit, 0, ZEROS), KILL);
  assert.equal(interpret(filter, 0x40000003, 1, ZEROS), KILL); // i386
  assert.equal(interpret(filter, x64.audit, 0x40000000, ZEROS), KILL); // x32
  assert.equal(interpret(filter, x64.audit, 0xffffffff, ZEROS), KILL);
});

test('what is not named is refused', () => {
  const named = new Set(computeProfile(false).flatMap(({ calls }) => calls));
  for (let number = 0; number < 600; number++) {
    const verdict = interpret(filter, x64.audit, number, ZEROS);
    if (!named.has(x64.names.get(number) ?? '')) assert.equal(verdict, EPERM, `call ${number}`);
  }
  // open, execve, ptrace, kill, connect, socket, bind, mount, io_uring_setup, bpf, process_vm_readv, unshare, setns
  for (const number of [2, 59, 101, 62, 42, 41, 49, 165, 425, 321, 310, 272, 308])
    assert.equal(interpret(filter, x64.audit, number, ZEROS), EPERM);
});

test('every profile is what its rules say, for all numbers, on both architectures', () => {
  const interesting = words([0, 1, 2, 3, 4, 5]);
  for (const on of ARCHITECTURES.values())
    for (const rules of [...PROFILES.values(), computeProfile(true)])
      agrees(rules, DENY, on, () => [ZEROS, interesting, ZEROS.map(() => ALL_BITS)]);
});

test('arguments count, with all of their bits', () => {
  assert.equal(ask('clone', 0x3d0f00), ALLOW); // a thread, as the C library makes it
  assert.equal(ask('clone', 17), EPERM); // a process
  assert.equal(ask('clone', 0x10000000 | 0x3d0f00), EPERM); // with a user namespace
  assert.equal(ask('clone', 0x3d0f00 + 2 ** 33), EPERM);
  assert.equal(ask('clone3'), errno(38));
  assert.equal(ask('prctl', 15), ALLOW);
  for (const option of [1, 4, 22, 38, 15 + 2 ** 32]) assert.equal(ask('prctl', option), EPERM);
  assert.equal(ask('ioctl', 0, 0x541b), ALLOW);
  for (const request of [0x5412, 0x5414, 0x541d, 0x541b + 2 ** 32])
    assert.equal(ask('ioctl', 0, request), EPERM);
  assert.equal(ask('fcntl', 0, 3), ALLOW);
  for (const command of [5, 6, 8, 1024, 1031, 1033]) assert.equal(ask('fcntl', 0, command), EPERM);
  assert.equal(ask('socketpair', 1, 5 | 0o2004000), ALLOW);
  assert.equal(ask('socketpair', 1, 2), EPERM);
  assert.equal(ask('socketpair', 2, 5), EPERM);
  assert.equal(ask('fcntl', 0, 4, 0o4002), ALLOW);
  assert.equal(ask('fcntl', 0, 4, 0o24002), EPERM); // O_ASYNC
  assert.equal(ask('setsockopt', 0, 1, 9), ALLOW);
  assert.equal(ask('setsockopt', 0, 6, 1), ALLOW);
  for (const option of [7, 8, 13, 26, 50, 51, 25, 36])
    assert.equal(ask('setsockopt', 0, 1, option), EPERM);
  assert.equal(ask('setsockopt', 0, 0, 7), EPERM);
  for (const flags of [0, 0x40, 0x4040]) assert.equal(ask('sendto', 0, 1, 1, flags), ALLOW);
  assert.equal(ask('sendto', 0, 1, 1, 0x20000000), EPERM); // MSG_FASTOPEN
  for (const flags of [0x40, 0x4040]) assert.equal(ask('sendmsg', 0, 1, flags), ALLOW);
  for (const flags of [0, 0x4000, 0x20000040]) assert.equal(ask('sendmsg', 0, 1, flags), EPERM);
  for (const name of ['poll', 'ppoll']) {
    assert.equal(ask(name, 1, 7), ALLOW);
    for (const count of [8, 2 ** 32]) assert.equal(ask(name, 1, count), EPERM);
  }
});

test('what is open can be asked for, but no path, not even beside AT_EMPTY_PATH', () => {
  assert.equal(ask('fstat', 5), ALLOW);
  for (const flags of [0, 0x1000, 0x800]) {
    assert.equal(ask('newfstatat', 5, 0, 0, flags), EPERM);
    assert.equal(ask('statx', 5, 0, flags), EPERM);
  }
});

test('without a compiler no memory becomes executable', () => {
  const jitless = encode(compile(computeProfile(true), DENY, x64));
  for (const name of ['mmap', 'mprotect', 'pkey_mprotect']) {
    for (const protection of [0, 3])
      assert.equal(askOf(jitless, name, [0, 4096, protection, 0x22]), ALLOW);
    for (const protection of [4, 5, 7])
      assert.equal(askOf(jitless, name, [0, 4096, protection, 0x22]), EPERM);
    assert.equal(ask(name, 0, 4096, 7, 0x22), ALLOW);
  }
});

test('memory is private, of the usual kind: all other escapes the limit of memory', () => {
  for (const more of [0, 0x10, 0x4000, 0x20000, 0x100000]) // FIXED, NORESERVE, STACK, FIXED_NOREPLACE
    assert.equal(ask('mmap', 0, 4096, 3, 0x22 | more), ALLOW);
  // SHARED, SHARED_VALIDATE, none; GROWSDOWN, LOCKED, HUGETLB of private ones
  for (const flags of [0x21, 0x23, 0x20, 0x122, 0x2022, 0x40022])
    assert.equal(ask('mmap', 0, 4096, 3, flags), EPERM);
});

test('a client opens files for reading only', () => {
  const client = encode(compile(PROFILES.get('net_client')!, DENY, x64));
  assert.equal(askOf(client, 'openat', [-100, 0, 0o2000000]), ALLOW);
  // O_WRONLY, O_RDWR, both, O_CREAT, O_TRUNC, O_TMPFILE
  for (const flags of [1, 2, 3, 0o100, 0o1000, 0o20200000])
    assert.equal(askOf(client, 'openat', [-100, 0, flags]), EPERM);
  assert.equal(askOf(client, 'openat2', [-100]), EPERM);
  assert.equal(askOf(client, 'socket', [2, 1 | 0o2004000]), ALLOW);
  // AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK; SOCK_RAW
  for (const family of [1, 16, 17, 40]) assert.equal(askOf(client, 'socket', [family, 1]), EPERM);
  assert.equal(askOf(client, 'socket', [2, 3]), EPERM);
  for (const name of ['bind', 'listen']) assert.equal(askOf(client, name, []), EPERM);
});

test('a sandbox whose calls are answered makes sockets that lead nowhere, and has no other call more', () => {
  const service = encode(compile(serviceProfile(false), DENY, x64));
  for (const type of [1, 1 | 0o2004000])
    for (const family of [1, 2, 10]) assert.equal(askOf(service, 'socket', [family, type]), ALLOW);
  assert.equal(askOf(service, 'socket', [1, 5 | 0o2004000]), ALLOW);
  // Datagrams, raw packets, other families and protocols.
  for (const args of [
    [2, 2],
    [10, 2],
    [2, 3],
    [2, 5],
    [1, 2],
    [16, 3],
    [17, 3],
    [40, 1],
    [2, 1, 262],
  ])
    assert.equal(askOf(service, 'socket', args), EPERM);
  assert.equal(askOf(service, 'dup3', [3, 4, 0]), ALLOW);
  for (const name of [
    'connect',
    'bind',
    'listen',
    'openat',
    'openat2',
    'newfstatat',
    'unlinkat',
    'sendmmsg',
    'dup2',
  ])
    assert.equal(askOf(service, name, []), EPERM);
});

// ── the compiler ───────────────────────────────────────────────────────────────────────────────────

const condition = (
  arg: number,
  compare: Comparison,
  values: readonly bigint[],
  mask = ALL_BITS,
): Condition => ({ arg, mask, compare, values });
const rule = (call: string, action: Action, ...when: Condition[]): Rule => ({
  calls: [call],
  when,
  action,
});

test('every comparison, around every border, with every kind of mask', () => {
  const borders = [
    0n,
    1n,
    2n,
    0x7fffffffn,
    0x80000000n,
    0xfffffffen,
    0xffffffffn,
    0x100000000n,
    0x100000001n,
    0x1ffffffffn,
    0x7fffffffffffffffn,
    0x8000000000000000n,
    ALL_BITS - 1n,
    ALL_BITS,
  ];
  const masks = [ALL_BITS, 0xffffffffn, 0xffffffff00000000n, 1n, 0x8000000000000001n, 0xff00n, 0n];
  for (const compare of ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const) {
    for (const mask of masks) {
      for (const border of borders) {
        const value = border & mask;
        const rules = [rule('ioctl', 'allow', condition(3, compare, [value], mask))];
        const program = encode(compile(rules, DENY, x64));
        for (const v of borders) {
          const args = [0n, 0n, 0n, v, 0n, 0n];
          assert.equal(
            interpret(program, x64.audit, 16, args),
            expected(rules, DENY, x64, 16, args),
            `${v} & ${mask} ${compare} ${value}`,
          );
        }
      }
    }
  }
});

test('the first rule that fits decides; one without conditions ends the list', () => {
  const rules = [
    rule('read', { errno: 5 }, condition(0, 'eq', [7n])),
    rule('read', 'log', condition(0, 'ge', [7n]), condition(1, 'ne', [0n])),
    rule('read', 'allow'),
    rule('read', 'kill'),
    rule('write', 'kill', condition(0, 'eq', [1n, 2n, 2n ** 40n, 2n ** 40n + 1n])),
  ];
  const program = encode(compile(rules, { errno: 95 }, x64));
  const say = (nr: number, ...args: number[]) => interpret(program, x64.audit, nr, words(args));
  assert.equal(say(0, 7, 1), errno(5));
  assert.equal(say(0, 8, 1), LOG);
  assert.equal(say(0, 8, 0), ALLOW);
  assert.equal(say(0, 6, 1), ALLOW);
  for (const fd of [1, 2, 2 ** 40, 2 ** 40 + 1]) assert.equal(say(1, fd), KILL);
  for (const fd of [0, 3, 2 ** 40 + 2, 2 ** 41, 2 ** 32 + 1]) assert.equal(say(1, fd), errno(95));
  assert.equal(say(2), errno(95));
});

test('neighbours with the same verdict are one question', () => {
  const all = compile([{ calls: [...x64.calls.keys()], when: [], action: 'allow' }], DENY, x64);
  const two = compile([{ calls: ['read', 'write'], when: [], action: 'allow' }], DENY, x64);
  assert.ok(all.length < 20, `${all.length}`);
  assert.equal(two.length, 8);
});

test('what is alike is there once', () => {
  const when = [condition(0, 'eq', [3n]), condition(1, 'lt', [9n])];
  const calls = [...x64.calls.keys()].filter((_, i) => i % 2 === 0);
  const one = compile([{ calls: ['read'], when, action: 'allow' }], DENY, x64);
  const many = compile([{ calls, when, action: 'allow' }], DENY, x64);
  assert.ok(many.length < one.length + 3 * calls.length, `${many.length}`);
});

test('jumps of more than 255 instructions lead where they should', () => {
  const names = [...x64.calls.keys()];
  // Each call has a value of its own: nothing is alike.
  const rules = names.map((name, i) =>
    rule(
      name,
      i % 3 === 0 ? { errno: i } : 'allow',
      condition(i % 6, 'eq', [BigInt(i) + 2n ** 33n]),
    ),
  );
  assert.ok(compile(rules, 'kill', x64).length > 4 * 255);
  agrees(rules, 'kill', x64, (nr) => {
    const i = names.indexOf(x64.names.get(nr) ?? '');
    const args = (v: bigint): bigint[] => ZEROS.map((_, at) => (at === i % 6 ? v : 0n));
    return [ZEROS, args(BigInt(i) + 2n ** 33n), args(BigInt(i)), args(BigInt(i) + 2n ** 34n)];
  });
  // One call with hundreds of rules.
  const values = Array.from({ length: 700 }, (_, i) => BigInt(i * 3));
  const long = values.map((v, i) => rule('ioctl', { errno: i }, condition(1, 'eq', [v])));
  const program = compile(long, 'allow', x64);
  assert.ok(program.length > 700 && program.length < MAX_INSTRUCTIONS);
  for (let v = 0; v < 2200; v++) {
    const args = words([0, v]);
    assert.equal(
      interpret(encode(program), x64.audit, 16, args),
      expected(long, 'allow', x64, 16, args),
    );
  }
});

test('a call of one architecture only is left out on the other', () => {
  const rules = [rule('open', 'kill'), rule('openat', 'kill')];
  agrees(rules, 'allow', x64, () => [ZEROS]);
  agrees(rules, 'allow', arm64, () => [ZEROS]);
  const said = NUMBERS.filter(
    (nr) => interpret(encode(compile(rules, 'allow', arm64)), arm64.audit, nr, ZEROS) === KILL,
  );
  assert.deepEqual(said, [56]); // openat
});

test('random filters are what their rules say', () => {
  const random = new Random(20261129);
  const pick = <T>(list: readonly T[]): T => random.pick(list);
  const names = [...x64.calls.keys()];
  const near = [0n, 1n, 2n, 3n, 255n, 0xffffffffn, 0x100000000n, 0x100000003n, ALL_BITS];
  const actions: Action[] = ['allow', 'log', 'kill', { errno: 1 }, { errno: 38 }, { errno: 4095 }];
  for (let i = 0; i < 60; i++) {
    const some = names.slice(random.int(300)).slice(0, 1 + random.int(12));
    const rules = Array.from({ length: 1 + random.int(40) }, (): Rule => {
      const when = Array.from({ length: pick([0, 1, 1, 2, 3]) }, () => {
        const mask = pick([ALL_BITS, ALL_BITS, 0xffffffffn, 3n, 0xffffffff00000000n]);
        const compare = pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const);
        const count = compare === 'eq' ? 1 + random.int(4) : 1;
        const values = Array.from({ length: count }, () => pick(near) & mask);
        return condition(random.int(3), compare, values, mask);
      });
      return { calls: [pick(some), pick(some)], when, action: pick(actions) };
    });
    agrees(rules, pick(actions), pick([x64, arm64]), () =>
      Array.from({ length: 4 }, () => ZEROS.map(() => pick(near))),
    );
  }
});

// ── plans ──────────────────────────────────────────────────────────────────────────────────────────

test('the plan: the root goes first, privileges before Landlock, calls last', () => {
  const all = planInbox(
    new Set(['namespaces', 'landlock', 'seccomp']),
    { ...DEFAULT_LIMITS, cpu: 5 },
    false,
  );
  assert.deepEqual(
    all.both.map((step) => step.do),
    ['empty_root', 'limit', 'limit', 'limit', 'no_new_privs', 'drop_capabilities', 'landlock'],
  );
  assert.deepEqual(all.actor, [
    { do: 'new_session' },
    { do: 'limit', resource: 'files', most: 256 },
    { do: 'limit', resource: 'memory', most: 2 ** 30 + 2 ** 28 },
    { do: 'limit', resource: 'addresses', most: 2 ** 34 + 2 ** 30 + 2 ** 28 },
    { do: 'limit', resource: 'processes', most: 32 },
    { do: 'limit', resource: 'cpu', most: 5 },
    { do: 'seccomp', jitless: false },
  ]);
  const few = planInbox(new Set(), DEFAULT_LIMITS, true);
  assert.deepEqual(
    few.both.map((step) => step.do),
    ['limit', 'limit', 'limit', 'no_new_privs', 'drop_capabilities'],
  );
  assert.deepEqual(
    few.actor.map((step) => step.do),
    ['new_session', 'limit', 'limit', 'limit'],
  );
});

test('a filter takes the place of the profile, and is the last step without a sandbox, too', () => {
  const { actor } = planInbox(new Set(['seccomp']), DEFAULT_LIMITS, false, 'program');
  assert.deepEqual(actor.at(-1), { do: 'filter', program: 'program' });
  assert.ok(actor.every((step) => step.do !== 'seccomp'));
  assert.deepEqual(planFiltered('program'), {
    both: [],
    actor: [{ do: 'no_new_privs' }, { do: 'filter', program: 'program' }],
  });
});
