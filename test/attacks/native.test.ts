/**
 * Attacks from behind the walls by somebody who makes any system call that he likes: each says what it tries, and
 * what comes of it. They run in processes that are made as those of `sandbox = 'inbox'` are.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after, before } from 'node:test';
import { packetPair, sendAtOnce } from '../../src/io/packet.ts';
import { startProcess } from '../../src/io/supervisor.ts';
import { availableWalls } from '../../src/sandbox/apply.ts';
import { DEFAULT_LIMITS, NO_WALLS, type Plan, planInbox } from '../../src/sandbox/plan.ts';
import { ALL_NAMESPACES } from '../../src/sandbox/policy.ts';
import { close, pipe2 } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import {
  AF_INET,
  bind,
  ENDPOINT_SIZE,
  getsockname,
  listen,
  SOCK_STREAM,
  socket,
} from '../../src/sys/socket.ts';
import { noSandboxes } from '../support/sandboxes.ts';

function reason(): string | undefined {
  if (nativeFailure() !== undefined) return nativeFailure();
  if (process.arch !== 'x64') return 'the numbers of calls are those of x86-64';
  if (spawnSync('cc', ['--version']).error !== undefined) return 'there is no C compiler';
  return noSandboxes();
}
const skip = reason() ?? false;

const folder = mkdtempSync(join(tmpdir(), 'perilune-attacks-'));
const addon = join(folder, 'raw.node');
after(() => rmSync(folder, { recursive: true }));
before(() => {
  if (skip !== false) return;
  const include = join(dirname(dirname(process.execPath)), 'include/node');
  const source = join(import.meta.dirname, 'raw.c');
  const made = spawnSync('cc', ['-shared', '-fPIC', '-O1', `-I${include}`, '-o', addon, source], {
    encoding: 'utf8',
  });
  assert.equal(made.stderr, '');
});

const command = (): string[] => [
  process.execPath,
  '--single-threaded',
  '--v8-pool-size=0',
  '--disable-sigusr1',
  join(import.meta.dirname, 'jail.ts'),
  addon,
];

/** First in its inbox. */
function sendTask(sender: number, walls: Plan, code: string): void {
  const task = Buffer.from(JSON.stringify({ walls, code }));
  assert.equal(sendAtOnce(sender, task, task.length, []), task.length);
}

/**
 * What `code` gives in there; undefined: the process ended without a word.
 * @param input  its descriptor 0, as a message would bring it
 */
function inside(code: string, walls: Plan, cloneFlags: number, input?: number): unknown {
  const { sender, receiver } = packetPair();
  const { readEnd, writeEnd } = pipe2(0);
  try {
    sendTask(sender, walls, code);
    startProcess(command(), false, {
      cloneFlags,
      isNobody: cloneFlags !== 0,
      inbox: receiver,
      cwd: undefined,
      standard: [input, writeEnd, undefined],
      arg: undefined,
      setUpTime: undefined,
      kind: undefined,
      body: undefined,
    });
    close(writeEnd);
    let text = '';
    const bytes = Buffer.alloc(65536);
    for (let n = readSync(readEnd, bytes); n > 0; n = readSync(readEnd, bytes))
      text += bytes.toString('utf8', 0, n);
    return text === '' ? undefined : JSON.parse(text);
  } finally {
    close(readEnd);
    close(sender);
    close(receiver);
  }
}

const walls = planInbox(availableWalls(), DEFAULT_LIMITS, false);
const attack = (code: string, input?: number): unknown =>
  inside(code, walls, ALL_NAMESPACES, input);

const EPERM = -1;

/** Of each: what it tries, and the system call that would do it. All are refused. */
const REFUSED: Readonly<Record<string, string>> = {
  'open a file of the host': "call(257, -100, '/etc/passwd', 0)",
  'open it by its old call': "call(2, '/etc/passwd', 0)",
  'open it by the newest call': "call(437, -100, '/etc/passwd', new Uint8Array(24), 24)",
  'open its own program': "call(257, -100, '/proc/self/exe', 0)",
  "open the host's memory": "call(257, -100, '/proc/1/mem', 2)",
  'open a file by its handle, past all mounts': 'call(304, -100, new Uint8Array(128), 0)',
  'make such a handle': "call(303, -100, '/', new Uint8Array(128), new Int32Array(1), 0)",
  'see whether a file is there': "call(21, '/etc/passwd', 0)",
  'ask for its size': "call(4, '/etc/passwd', new Uint8Array(256))",
  'ask for it beside an empty path': "call(262, -100, '/etc/passwd', new Uint8Array(256), 0x1000)",
  'ask for it by the newest call': "call(332, -100, '/etc/passwd', 0, 0x7ff, new Uint8Array(256))",
  'ask so beside an empty path':
    "call(332, -100, '/etc/passwd', 0x1000, 0x7ff, new Uint8Array(256))",
  'read a link': "call(89, '/proc/self/exe', new Uint8Array(100), 100)",
  'make a directory': "call(83, '/x', 511)",
  'make a device': "call(133, '/x', 8630, 259)",
  'make a link': "call(88, '/etc', '/x')",
  'remove a file': "call(87, '/etc/passwd')",
  'rename one': "call(82, '/etc', '/x')",
  'change the mode of one': "call(90, '/etc/passwd', 511)",
  'ask where it is': 'call(79, new Uint8Array(4096), 4096)',
  'go elsewhere': "call(80, '/proc')",
  'go back through a descriptor': 'call(81, 3)',
  'list a directory': 'call(217, 0, new Uint8Array(1024), 1024)',
  'execute a program': "call(59, '/bin/sh', 0, 0)",
  'execute a descriptor': "call(322, 0, '', 0, 0, 4096)",
  'make a process': 'call(57)',
  'make one that shares the memory': 'call(58)',
  'make one by clone': 'call(56, 17, 0, 0, 0, 0)',
  'make one in a user namespace': 'call(56, 0x10000011, 0, 0, 0, 0)',
  'leave for a new user namespace': 'call(272, 0x10000000)',
  'enter a namespace': 'call(308, 3, 0)',
  'mount a file system': "call(165, 'none', '/', 'proc', 0, 0)",
  'mount one by the new calls': "call(430, 'proc', 0)",
  'unmount the root': "call(166, '/', 2)",
  'change the root': "call(161, '/')",
  'exchange the root': "call(155, '/', '/')",
  'signal PID 1': 'call(62, 1, 9)',
  'signal all': 'call(62, -1, 9)',
  'signal a thread': 'call(234, 1, 1, 9)',
  'queue a signal': 'call(129, 1, 9, new Uint8Array(128))',
  'get a handle of a process': 'call(434, 1, 0)',
  'signal by it': 'call(424, 3, 9, 0, 0)',
  'take a descriptor out of a process': 'call(438, 3, 0, 0)',
  'trace PID 1': 'call(101, 16, 1, 0, 0)',
  'let itself be traced': 'call(101, 0, 0, 0, 0)',
  "read another's memory": 'call(310, 1, new Uint8Array(16), 1, new Uint8Array(16), 1, 0)',
  'write to it': 'call(311, 1, new Uint8Array(16), 1, new Uint8Array(16), 1, 0)',
  'compare descriptors with another': 'call(312, 1, 2, 0, 0, 0)',
  'make an internet socket': 'call(41, 2, 1, 0)',
  'make a local socket': 'call(41, 1, 1, 0)',
  'make a raw socket': 'call(41, 17, 3, 0)',
  'talk to the kernel by netlink': 'call(41, 16, 3, 0)',
  'talk to the hypervisor': 'call(41, 40, 1, 0)',
  'use the kernel for cryptography': 'call(41, 38, 5, 0)',
  'make a pair of other sockets': 'call(53, 1, 1, 0, new Int32Array(2))',
  'connect what it has': 'call(42, 3, new Uint8Array(110), 110)',
  'name what it has': 'call(49, 3, new Uint8Array(2), 2)',
  'listen on what it has': 'call(50, 3, 1)',
  'attach a program to a socket': 'call(54, 3, 1, 26, new Uint8Array(16), 16)',
  'be told the credentials of others': 'call(54, 3, 1, 16, new Int32Array([1]), 4)',
  'make a ring of io_uring': 'call(425, 8, new Uint8Array(120))',
  'use a ring of io_uring': 'call(426, 4, 1, 0, 0, 0, 0)',
  'load a program into the kernel': 'call(321, 5, new Uint8Array(64), 64)',
  'watch the processor': 'call(298, new Uint8Array(128), 0, -1, -1, 0)',
  'handle page faults': 'call(323, 0)',
  'use keys of the kernel': 'call(250, 0, -3, 0, 0, 0)',
  'add one': "call(248, 'user', 'x', 'x', 1, -3)",
  'take back identity': 'call(105, 0)',
  'take back privileges':
    'call(126, new Uint8Array([0x22, 5, 8, 0x20, 0, 0, 0, 0]), new Uint8Array(24).fill(255))',
  'outlive its parent': 'call(157, 1, 0, 0, 0, 0)',
  'become dumpable': 'call(157, 4, 1, 0, 0, 0)',
  'allow others to trace it': 'call(157, 0x59616d61, -1, 0, 0, 0)',
  'install a filter that tells on system calls': 'call(317, 1, 8, new Uint8Array(16))',
  'type into the terminal': 'call(16, 0, 0x5412, new Uint8Array(1))',
  'take a terminal': 'call(16, 0, 0x540e, 1)',
  'be signalled by a descriptor for others': 'call(72, 3, 8, 1)',
  'be told of changes in a directory': 'call(72, 3, 1026, 1)',
  'watch files': 'call(294, 0)',
  'watch all files': 'call(300, 0, 0)',
  'share memory': 'call(29, 0, 4096, 0x3ff)',
  'make a message queue': "call(240, 'x', 66, 511, 0)",
  'make semaphores': 'call(64, 0, 1, 0x3ff)',
  'make a file in memory': "call(319, 'x', 0)",
  'make secret memory': 'call(447, 0)',
  'raise its limits': 'call(302, 0, 7, new Uint8Array(16).fill(255), 0)',
  'raise them by the old call': 'call(160, 7, new Uint8Array(16).fill(255))',
  'raise its priority': 'call(141, 0, 0, -20)',
  'become a real-time process': 'call(144, 0, 1, new Int32Array([1]))',
  'read the log of the kernel': 'call(103, 3, new Uint8Array(100), 100)',
  'load a module': "call(175, new Uint8Array(8), 8, '')",
  'start another kernel': 'call(246, 0, 0, 0, 0)',
  reboot: 'call(169, 0xfee1dead, 672274793, 0x1234567, 0)',
  'set the clock': 'call(227, 0, new Uint8Array(16))',
  'set the name of the host': "call(170, 'x', 1)",
  'ask for the kernel and its version': 'call(63, new Uint8Array(390))',
  'use ports of the hardware': 'call(173, 0, 1, 1)',
  'change its segments': 'call(154, 1, new Uint8Array(16), 16)',
  'change its personality': 'call(135, 0x0040000)',
  'send a file from descriptor to descriptor': 'call(40, 1, 0, 0, 1)',
  'splice pipes': 'call(275, 0, 0, 1, 0, 1, 0)',
  'move pages of others': 'call(279, 1, 0, 0, 0, 0, 0)',
  swap: "call(167, '/x', 0)",
  count: "call(163, '/x')",
  'connect by sending': "call(44, 3, 'x', 1, 0x20000000, new Uint8Array(16), 16)",
  'connect by a message': 'call(46, 3, new Uint8Array(56), 0x20000040)',
  'send and wait, with more descriptors than may be on their way':
    'call(46, 3, new Uint8Array(56), 0)',
  'wait for more than it has descriptors of': 'call(7, new Uint8Array(64), 8, 0)',
  'wait for them by the other call': 'call(271, new Uint8Array(64), 8, 0, 0, 8)',
  'make the buffer of a socket larger': 'call(54, 3, 1, 7, new Int32Array([2 ** 24]), 4)',
  'make the other one larger': 'call(54, 3, 1, 8, new Int32Array([2 ** 24]), 4)',
  'let who closes a socket wait': 'call(54, 3, 1, 13, new Int32Array([1, 65535]), 8)',
  'have a terminal signal those who use it': 'call(72, 3, 4, 0x2002)',
  'set a timer that signals': 'call(222, 0, new Uint8Array(64), new Int32Array(1))',
};

test('the same calls work without walls: the attacks are real', { skip }, () => {
  const open =
    "(call) => [call(257, -100, '/etc/passwd', 0) >= 0, call(41, 2, 1, 0) >= 0, call(62, 1, 0), call(63, new Uint8Array(390))]";
  const [opened, socket, , uname] = inside(open, NO_WALLS, 0) as unknown[];
  assert.deepEqual([opened, socket, uname], [true, true, 0]);
});

const names = Object.keys(REFUSED);
let outcome: Record<string, number> = {};
test('all of these at once', { skip }, () => {
  const body = names.map((name) => `${JSON.stringify(name)}: ${REFUSED[name]}`).join(',\n');
  outcome = attack(`(call) => ({${body}})`) as Record<string, number>;
  assert.equal(Object.keys(outcome).length, names.length);
});
for (const name of names) test(name, { skip }, () => assert.equal(outcome[name], EPERM));

test('where there are no namespaces, and so the files of the host, it can not ask about them', {
  skip,
}, () => {
  const few = planInbox(new Set(['seccomp']), DEFAULT_LIMITS, false);
  const code = `(call) => ['/etc/passwd', ''].flatMap((path) => [
    call(262, -100, path, new Uint8Array(256), 0x1000), call(262, 0, path, new Uint8Array(256), 0x1000),
    call(332, -100, path, 0x1000, 0x7ff, new Uint8Array(256)), call(332, 0, path, 0x1000, 0x7ff, new Uint8Array(256)),
    call(4, path, new Uint8Array(256)), call(6, path, new Uint8Array(256)), call(439, -100, path, 0, 0x1000),
  ]).concat(call(5, 0, new Uint8Array(256)))`;
  assert.deepEqual(inside(code, few, 0), [...Array(14).fill(EPERM), 0]);
});

test('a process by the newest call is one that the kernel does not know', { skip }, () => {
  assert.equal(attack('(call) => call(435, new Uint8Array(88), 88)'), -38);
});

test('the table of calls for x32 kills it', { skip }, () => {
  assert.equal(attack('(call) => call(0x40000000 | 39)'), undefined);
});

test('and so does the one for 32 bits', { skip }, () => {
  assert.equal(attack('(call, call32) => call32(20)'), undefined);
});

test('of its descriptors one is a socket, and none leads to a file or a directory', {
  skip,
}, () => {
  const kinds = attack(`(call) => {
    const kinds = {};
    for (let fd = 0; fd < 1024; fd++) {
      const stat = new Uint32Array(36);
      if (call(5, fd, stat) < 0) continue;
      const kind = (stat[6] >>> 12).toString(8);
      kinds[kind] = (kinds[kind] || 0) + 1;
    }
    return kinds;
  }`) as Record<string, number>;
  // 0: of no file system (events); 1: pipes; 14: sockets
  assert.deepEqual(Object.keys(kinds).sort(), ['0', '1', '14']);
  assert.equal(kinds['14'], 1);
});

test('the socket of its inbox is no way to write to the host', { skip }, () => {
  assert.equal(attack("(call) => call(44, 3, 'x', 1, 0x4000, 0, 0)"), -32); // EPIPE
});

test('a directory that it gets is of no use', { skip }, () => {
  // As a message would bring it: descriptor 0.
  const directory = openSync('/etc', 'r');
  const code = `(call) => [
    call(257, 0, 'passwd', 0), call(257, 0, '../etc/passwd', 0), call(437, 0, 'passwd', new Uint8Array(24), 24),
    call(217, 0, new Uint8Array(1024), 1024), call(81, 0), call(262, 0, 'passwd', new Uint8Array(256), 0),
    call(269, 0, 'passwd', 0), call(263, 0, 'passwd', 0), call(322, 0, 'passwd', 0, 0, 0),
  ]`;
  try {
    assert.deepEqual(attack(code, directory), Array(9).fill(EPERM));
  } finally {
    closeSync(directory);
  }
});

function listenOnLoopback(): { readonly fd: number; readonly port: number } {
  const fd = socket(AF_INET, SOCK_STREAM, 0);
  const endpoint = new Uint8Array(ENDPOINT_SIZE);
  endpoint.set([4, 0, 127, 0, 0, 1], 6);
  bind(fd, endpoint);
  listen(fd, 1);
  getsockname(fd, endpoint);
  return { fd, port: endpoint[4]! + 256 * endpoint[5]! };
}

test('a socket that listens is no way to connect', { skip }, () => {
  const listening = listenOnLoopback();
  const target = listenOnLoopback();
  const { port } = target;
  // shutdown: it doesn't listen any more. Then data, and who it is for.
  const code = `(call) => [call(48, 0, 2), ...[0x20000000, 0x20000040].map((flags) =>
    call(44, 0, 'x', 1, flags, new Uint8Array([2, 0, ${port >> 8}, ${port & 255}, 127, 0, 0, 1, ...Array(8).fill(0)]), 16))]`;
  try {
    assert.deepEqual(attack(code, listening.fd), [0, EPERM, EPERM]);
  } finally {
    for (const { fd } of [listening, target]) close(fd);
  }
});

// What follows is not refused altogether, but is to have an end.

const ENOMEM = -12;
const [SHARED, PRIVATE, ANONYMOUS, GROWS_DOWN, HUGE] = [1, 2, 0x20, 0x100, 0x40000];
const map = (size: number, protection: number, flags: number): string =>
  `call(9, 0, ${size}, ${protection}, ${flags | ANONYMOUS | 0x4000}, -1, 0)`; // MAP_NORESERVE

test('memory that the limit does not count: shared, a stack, huge pages', { skip }, () => {
  const codes = [SHARED, 3 /* MAP_SHARED_VALIDATE */, PRIVATE | GROWS_DOWN, PRIVATE | HUGE];
  const code = `(call) => [${codes.map((flags) => map(2 ** 21, 3, flags)).join(', ')}]`;
  assert.deepEqual(attack(code), [EPERM, EPERM, EPERM, EPERM]);
});

test('tables of pages for more addresses than there is memory for', { skip }, () => {
  // Each 512 GB that are only looked at have 1 GB of tables, which are nobody's.
  assert.equal(attack(`(call) => ${map(2 ** 39, 1, PRIVATE)}`), ENOMEM);
});

test('more threads than the machine has numbers for', { skip }, () => {
  const made = attack('(call, call32, process, threads) => threads(3000)') as number;
  assert.ok(made >= 16 && made < 64, `${made}`);
});

test('where kill(2) is left, a signal to its group does not reach the group of its host', {
  skip,
}, () => {
  // Namespaces don't keep that from a group that has members on both sides; Landlock does from Linux 6.12 on.
  const open = planInbox(new Set(['namespaces']), DEFAULT_LIMITS, false);
  const ids = '(call) => [call(111), call(124, 0), call(62, 0, 0)]'; // getpgrp, getsid, kill
  const [group, session, killed] = inside(ids, open, ALL_NAMESPACES) as number[];
  assert.ok(group! > 0 && group === session && killed === 0, `${group} ${session} ${killed}`);
});
