/** Filters of system calls: what they let through, read by an interpreter of theirs; and the plan of walls. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DEFAULT_LIMITS, planInbox } from '../../src/sandbox/plan.ts';
import { computeProfile } from '../../src/sandbox/profiles.ts';
import { assemble, judge } from '../../src/sandbox/seccomp.ts';
import { arm64, x64 } from '../../src/sandbox/system-calls.ts';

const EPERM = 1;
const filter = assemble(computeProfile(false), x64);
const ask = (name: string, ...args: number[]) => judge(filter, x64.audit, x64.calls[name]!, args);

test('another architecture, and the other table of this one, are killed', () => {
  assert.equal(judge(filter, arm64.audit, 0, []), 'kill');
  assert.equal(judge(filter, 0x40000003, 1, []), 'kill'); // i386
  assert.equal(judge(filter, x64.audit, 0x40000000, []), 'kill'); // x32
  assert.equal(judge(filter, x64.audit, 0xffffffff, []), 'kill');
});

test('what is not named is refused', () => {
  const named = new Set(Object.values(x64.calls));
  for (let number = 0; number < 600; number++) {
    const verdict = judge(filter, x64.audit, number, [0, 0, 0, 0, 0, 0]);
    if (!named.has(number)) assert.equal(verdict, EPERM, `call ${number}`);
  }
  // open, execve, ptrace, kill, connect, socket, bind, mount, io_uring_setup, bpf, process_vm_readv, unshare, setns
  for (const number of [2, 59, 101, 62, 42, 41, 49, 165, 425, 321, 310, 272, 308])
    assert.equal(judge(filter, x64.audit, number, []), EPERM);
});

test('arguments count, with all of their bits', () => {
  assert.equal(ask('clone', 0x3d0f00), 'allow'); // a thread, as the C library makes it
  assert.equal(ask('clone', 17), EPERM); // a process
  assert.equal(ask('clone', 0x10000000 | 0x3d0f00), EPERM); // with a user namespace
  assert.equal(ask('clone', 0x3d0f00 + 2 ** 33), EPERM);
  assert.equal(ask('clone3'), 38);
  assert.equal(ask('prctl', 15), 'allow');
  for (const option of [1, 4, 22, 38, 15 + 2 ** 32]) assert.equal(ask('prctl', option), EPERM);
  assert.equal(ask('ioctl', 0, 0x541b), 'allow');
  for (const request of [0x5412, 0x5414, 0x541d, 0x541b + 2 ** 32])
    assert.equal(ask('ioctl', 0, request), EPERM);
  assert.equal(ask('fcntl', 0, 3), 'allow');
  for (const command of [5, 6, 8, 1024, 1031, 1033]) assert.equal(ask('fcntl', 0, command), EPERM);
  assert.equal(ask('socketpair', 1, 5 | 0o2004000), 'allow');
  assert.equal(ask('socketpair', 1, 2), EPERM);
  assert.equal(ask('socketpair', 2, 5), EPERM);
  assert.equal(ask('setsockopt', 0, 1, 7), 'allow');
  assert.equal(ask('setsockopt', 0, 6, 1), 'allow');
  for (const option of [26, 50, 51, 25, 36]) assert.equal(ask('setsockopt', 0, 1, option), EPERM);
  assert.equal(ask('setsockopt', 0, 0, 7), EPERM);
  assert.equal(ask('newfstatat', 5, 0, 0, 0x1000), 'allow');
  assert.equal(ask('newfstatat', 5, 0, 0, 0), EPERM);
  assert.equal(ask('statx', 5, 0, 0x1000), 'allow');
  assert.equal(ask('statx', 5, 0, 0x800), EPERM);
});

test('without a compiler no memory becomes executable', () => {
  const jitless = assemble(computeProfile(true), x64);
  const map = (name: string, protection: number) =>
    judge(jitless, x64.audit, x64.calls[name]!, [0, 4096, protection, 0x22]);
  for (const name of ['mmap', 'mprotect', 'pkey_mprotect']) {
    assert.equal(map(name, 3), 'allow');
    assert.equal(map(name, 0), 'allow');
    for (const protection of [4, 5, 7]) assert.equal(map(name, protection), EPERM);
    assert.equal(ask(name, 0, 4096, 7), 'allow');
  }
});

test('for aarch64 the same rules', () => {
  const other = assemble(computeProfile(false), arm64);
  assert.equal(judge(other, arm64.audit, arm64.calls.read!, []), 'allow');
  assert.equal(judge(other, arm64.audit, arm64.calls.clone!, [17]), EPERM);
  assert.equal(judge(other, arm64.audit, 221, []), EPERM); // execve
  assert.equal(judge(other, x64.audit, 0, []), 'kill');
});

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
    { do: 'limit', resource: 'files', most: 256 },
    { do: 'limit', resource: 'memory', most: 2 ** 30 + 2 ** 28 },
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
    ['limit', 'limit'],
  );
});
