/** What the kernel may refuse to processes of actors, and to messages between them. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { patience } from '../../src/io/supervisor.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { MAIN, openDescriptors, runLua } from '../support/spec.ts';

/** An actor that answers; its text needs no file. */
const SETUP = `
  local inbox = require 'inbox'
  local function new()
    return spawn_vm{module = './echo', subprocess = {stderr = 'share', source_tree_cache = {echo = [[
      local inbox = require 'inbox'
      local home = inbox:receive()
      for i = 1, 3 do home:send(inbox:receive()) end
    ]]}}}
  end
`;

if (nativeFailure() === undefined) {
  await openReactor();
  await runLua(`${SETUP} new()`);
}

const withFault = faultTests(SETUP);

for (const [call, skip] of [
  ['socketpair', 0],
  ['sendmsg', 1],
] as const) {
  withFault(
    `${call}: no more descriptors`,
    call,
    { errno: 'EMFILE', skip, times: 1 },
    `
    print(select(2, pcall(new)))
    local c = new()
    c:send(inbox)
    c:send(1)
    print(inbox:receive())
    c:close()
  `,
    call === 'socketpair' ? 'Too many open files\n1\n' : 'End of file\n1\n',
  );
}

const TALK = `
  local c = new()
  c:send(inbox)
  for i = 1, 3 do
    c:send(i)
    print(inbox:receive())
  end
  c:close()
`;
for (const errno of ['EINTR', 'EAGAIN']) {
  // The task, which goes in a file then; the request; messages.
  for (const skip of [0, 1, 2, 3, 4]) {
    if (errno === 'EAGAIN' && skip === 1) continue; // the supervisor's socket is never full
    withFault(
      `sendmsg: ${errno}, after ${skip}`,
      'sendmsg',
      { errno, skip, times: 1 },
      TALK,
      '1\n2\n3\n',
    );
  }
  for (const skip of [0, 1, 2, 3])
    withFault(
      `recvmsg: ${errno}, after ${skip}`,
      'recvmsg',
      { errno, skip, times: 2 },
      TALK,
      '1\n2\n3\n',
    );
}

withFault(
  'no more descriptors for the address in a message: it is not sent, and the next one is',
  'socketpair',
  { errno: 'EMFILE', skip: 1, times: 1 },
  `
  local c = new()
  print(select(2, pcall(c.send, c, inbox)))
  c:send(inbox)
  c:send 'x'
  print(inbox:receive())
  c:close()
`,
  'Too many open files\nx\n',
);

withFault(
  'a message that the kernel refuses keeps nothing locked',
  'sendmsg',
  { errno: 'ENOBUFS', skip: 3, times: 1 },
  `
  local c = new()
  c:send(inbox)
  local fd = require('pipe').pair():release()
  print(select(2, pcall(c.send, c, {fd = fd, a = inbox})))
  print(fd.type)
  fd:close()
  c:send 'x'
  print(inbox:receive())
  c:close()
`,
  'No buffer space available\nfifo\nx\n',
);

for (const [kind, value] of Object.entries({ number: '7', text: "'7'", boolean: 'true' })) {
  withFault(
    `a ${kind} that the kernel refuses is not sent, and its sender told`,
    'sendmsg',
    { errno: 'ENOBUFS', skip: 3, times: 1 },
    `
    local c = new()
    c:send(inbox)
    print(select(2, pcall(c.send, c, ${value})))
    c:send 'x'
    print(inbox:receive())
    c:close()
  `,
    'No buffer space available\nx\n',
  );
}

/** The children of this process: those that it has started. proc_pid_children(5) */
const children = (): number[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1')
    .split(' ')
    .filter((pid) => pid !== '')
    .map(Number);

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

test('a supervisor that has no more descriptors keeps none of a request that it can not take', {
  timeout: 300_000,
  skip: nativeFailure() ?? (hasPrlimit ? false : 'there is no prlimit'),
}, async () => {
  for (const old of children()) process.kill(old, 'SIGKILL');
  // A script: then no process is made ahead, for which it would have descriptors, too.
  const setUp = SETUP.replace("stderr = 'share'", "stderr = 'share', init = {script = ''}");
  assert.equal((await runLua(`${setUp} pcall(new) ${TALK}`)).stdout, '1\n2\n3\n');
  const [supervisor] = children().slice(-1);
  const open = (): Set<string> => new Set(readdirSync(`/proc/${supervisor}/fd`));
  const before = open();
  let free = 0;
  while (before.has(`${free}`)) free++;
  // Room for one of three.
  const limit = (soft: string) =>
    spawnSync('prlimit', ['--pid', `${supervisor}`, `--nofile=${soft}`]);
  limit(`${free + 1}:`);
  const refused = await runLua(`${setUp} for i = 1, 3 do print(select(2, pcall(new))) end`);
  const after = open();
  limit('1000:');
  assert.equal(refused.stdout, 'Too many open files\n'.repeat(3));
  assert.deepEqual(after, before);
  assert.equal((await runLua(setUp + TALK)).stdout, '1\n2\n3\n');
});

test('a supervisor that hangs is killed, and the next process has another', {
  timeout: 300_000,
  skip: nativeFailure() ?? false,
}, async () => {
  assert.equal((await runLua(SETUP + TALK)).stdout, '1\n2\n3\n');
  const before = openDescriptors();
  const [hung, ...others] = children();
  assert.ok(hung !== undefined && others.length === 0, 'there is one supervisor');
  process.kill(hung, 'SIGSTOP');
  const { ms } = patience;
  patience.ms = 500;
  const refused = await runLua(`${SETUP} print(select(2, pcall(new)))`);
  patience.ms = ms;
  assert.equal(refused.stdout, 'No child processes\n');
  assert.equal((await runLua(SETUP + TALK)).stdout, '1\n2\n3\n');
  while (children().includes(hung)) await setTimeout(10);
  assert.equal(children().length, 1);
  assert.deepEqual(openDescriptors(), before);
});

const traces = ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=prctl'];
const canTrace =
  spawnSync(traces[0]!, [...traces.slice(1), 'unshare', '-Urpf', 'true']).status === 0;

test('a process whose supervisor ends before it has asked to end with it ends', {
  timeout: 600_000,
  skip: nativeFailure() ?? (canTrace ? false : 'there is no strace, or there are no namespaces'),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-orphan-'));
  writeFileSync(join(folder, 'busy.lua'), 'while true do end');
  writeFileSync(
    join(folder, 'main.lua'),
    `print(spawn_vm{module = './busy', subprocess = {newns_user = true, newns_pid = true}}.child_pid)
    require('time').sleep(100)`,
  );
  // The first thing that a process asks for with prctl(2) takes a second: that is PR_SET_PDEATHSIG.
  const slow = [...traces, '-e', 'inject=prctl:delay_enter=1000000:when=1'];
  const program = [process.execPath, '--stack-size=3900', MAIN, join(folder, 'main.lua')];
  const [command, ...args] = [...slow, ...program];
  const tracer = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let child = 0;
  try {
    const said = new Promise((done) => {
      tracer.stdout.once('data', done);
      tracer.once('close', () => done(''));
    });
    child = Number(await said);
    const supervisor = parentOf(child);
    const ends = [parentOf(supervisor), supervisor];
    for (const pid of ends) process.kill(pid, 'SIGKILL');
    while (isThere(child)) await setTimeout(20);
    child = 0;
  } finally {
    if (child > 0) process.kill(child, 'SIGKILL');
    tracer.kill();
    rmSync(folder, { recursive: true });
  }
});

/** And no zombie, whose memory is gone. */
function isThere(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`).length > 0;
  } catch {
    return false;
  }
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]);
