/** init.script in the processes of actors: what a hostile or an unlucky one does to them, and what it leaves. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { folder } from '../support/init-script.ts';
import { buildScanner, scan } from '../support/scan-memory.ts';
import { MAIN, runLua, spec } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
const noNamespaces =
  skip ||
  (spawnSync('unshare', ['-Urpf', 'true']).status === 0 ? false : 'no namespaces can be made here');

const ACTOR = `
  local inbox = require 'inbox'
  local home = inbox:receive()
  home:send('running')
  home:close()
  pcall(inbox.receive, inbox)
`;

if (!skip) {
  await openReactor();
  await runLua(`spawn_vm{module = './actor', subprocess = {}}`, { files: { 'actor.lua': '' } });
}

/** \`actor(script, more)\` gives the channel; \`outcome(channel)\` 'running', or why it ended. */
const TOOLS = `
  local inbox = require 'inbox'
  local function actor(script, more)
    local options = more or {}
    options.init = {script = script, arg = options.arg, timeout = options.timeout}
    local channel = spawn_vm{module = './actor', subprocess = options}
    channel:monitor()
    pcall(channel.send, channel, inbox)
    return channel
  end
  local function outcome()
    local message = inbox:receive()
    return type(message) == 'table' and (message.reason or 'ended') or message
  end
`;

function actors(name: string, source: string, expected: string, needs = skip): void {
  if (needs) test(name, { skip: needs });
  else spec(name, TOOLS + source, expected, { once: true, files: { 'actor.lua': ACTOR } });
}

actors(
  'a script without end is killed with its channel',
  `
  local channel = actor 'while true do end'
  channel:kill()
  print(outcome())
  channel = actor 'while true do pcall(string.rep, "x", 1e9) end'
  channel:kill()
  print(outcome())
  `,
  'killed by SIGKILL\nkilled by SIGKILL\n',
);

actors(
  'a script has as much time as it is given, as PID 1 too',
  `
  for _, pid in ipairs{false, true} do
    local pipe = require 'pipe'
    local source, sink = pipe.pair()
    sink = sink:release()
    actor('while true do pcall(C.umask, 18) end', {newns_user = pid, newns_pid = pid, timeout = 0.1, stderr = sink})
    sink:close()
    print(outcome())
    print(require('stream').scanner.new{stream = source}:get_line())
    local one, other = require('unix').seqpacket.socket.pair()
    other = other:release()
    actor('C.read(arg, 1)', {newns_user = pid, newns_pid = pid, timeout = 0.1, arg = other})
    other:close()
    print(outcome())
    one:close()
  end
  local channel = actor('C.umask(18)', {timeout = 1000})
  print(outcome())
  channel:kill()
  print(outcome())
  for _, wrong in ipairs{0, -1, 0/0, 'x', false} do
    local ok, e = pcall(actor, '', {timeout = wrong})
    print(ok, e, e.arg)
  end
  `,
  `${'exit status 1\n<3>ipc_actor/init/script: its time is over\nexit status 1\n'.repeat(2)}running
killed by SIGKILL
${'false\tInvalid argument\tsubprocess/init/timeout\n'.repeat(5)}`,
  noNamespaces,
);

actors(
  'a script, and what it starts, have the environment of the actor and nothing else, as PID 1 too',
  `
  local pipe = require 'pipe'
  for _, pid in ipairs{false, true} do
    local source, sink = pipe.pair()
    sink = sink:release()
    actor([[
      C.write(1, tostring(os.getenv 'NAME') .. ' ' .. tostring(os.getenv 'HOME') .. '\\n')
      os.execute 'echo $NAME; env | grep -c ^PERILUNE'
      os.exit(0)
    ]], {newns_user = pid, newns_pid = pid, stdout = sink, environment = {NAME = 'some text', PATH = '/bin:/usr/bin'}})
    sink:close()
    print(outcome())
    local lines = require('stream').scanner.new{stream = source}
    for _ = 1, 3 do print(lines:get_line()) end
  end
  `,
  'ended\nsome text nil\nsome text\n0\n'.repeat(2),
  noNamespaces,
);

actors(
  'one that can do nothing about its time is killed from outside, and none that is set up',
  `
  local system, time = require 'system', require 'time'
  local socket = require('unix').seqpacket.socket
  local there = actor('C.umask(18)', {timeout = 2})
  print(outcome())
  local here = {}
  for _, pid in ipairs{false, true} do
    local one, other = socket.pair()
    other = other:release()
    local channel = actor('C.read(arg, 1)', {newns_user = pid, newns_pid = pid, timeout = 2, arg = other})
    system.kill(channel.child_pid, system.signal.SIGSTOP)
    other:close()
    here[#here + 1] = one
  end
  local start = time.steady_clock.now()
  print(outcome())
  print(outcome())
  print(time.steady_clock.now() - start > 5)
  for _, one in ipairs(here) do one:close() end
  there:kill()
  print(outcome())
  `,
  'running\nkilled by SIGKILL\nkilled by SIGKILL\ntrue\nkilled by SIGKILL\n',
  noNamespaces,
);

actors(
  'what fails ends the process with status 1',
  `
  for _, script in ipairs{
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    'C.open("/no/such", 0)',
    'error{}',
    'this is no Lua',
    'os.exit(1)',
    'C.landlock_create_ruleset{handled_access_fs = {"everything"}}',
  } do
    actor(script)
    print(outcome())
  end
  actor 'os.exit(7)'
  print(outcome())
  `,
  `${'exit status 1\n'.repeat(6)}exit status 7\n`,
);

actors(
  'a script may close what it likes but for the inbox',
  `
  for _, more in ipairs{{}, {newns_user = true, newns_pid = true}} do
    for _, script in ipairs{
      'C.closefrom(4)',
      'errexit = false for fd = 4, 300 do C.close(fd) end',
      'errexit = false for fd = 4, 300 do C.dup2(0, fd) end',
      'errexit = false for fd = 4, 300 do C.dup2(fd, 0) end',
    } do
      local channel = actor(script, {newns_user = more.newns_user, newns_pid = more.newns_pid})
      print(outcome())
      channel:close()
      print(outcome())
    end
  end
  `,
  'running\nended\n'.repeat(8),
  noNamespaces,
);

actors(
  'a script may become another program',
  `
  local pipe = require 'pipe'
  local source, sink = pipe.pair()
  sink = sink:release()
  actor("C.execve('/bin/sh', {'sh', '-c', 'echo $0 $WHO; exit 3'}, {WHO = 'me'})", {stdout = sink})
  sink:close()
  print(outcome())
  local buffer = byte_span.new(100)
  print(buffer:first(source:read_some(buffer)))
  `,
  'exit status 3\nsh me\n\n',
);

actors(
  'the script has the signals at their defaults, the actor ignores SIGPIPE',
  `
  local pipe = require 'pipe'
  local source, sink = pipe.pair()
  sink = sink:release()
  actor([[
    for line in io.lines('/proc/self/status') do
      if line:find('^SigIgn') or line:find('^SigBlk') then write_all(1, line .. '\\n') end
    end
    write_all(1, ('umask %o\\n'):format(C.umask(0)))
  ]], {stdout = sink})
  sink:close()
  print(outcome())
  local lines = require('stream').scanner.new{stream = source}
  for _ = 1, 3 do print(lines:get_line()) end
  `,
  'running\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\numask 22\n',
);

const isRoot = process.getuid?.() === 0;

test('a process that has changed its user still ends with its supervisor', {
  skip: noNamespaces || (isRoot ? false : 'only root can change its user'),
  timeout: 300_000,
}, async () => {
  const outcome = await runLua(
    `${TOOLS}
    local system = require 'system'
    for _, more in ipairs{{}, {newns_pid = true}} do
      more.isolate = 'exec'
      local channel = actor('C.setresuid(1000, 1000, 1000)', more)
      print(outcome())
      local status = io_status(channel.child_pid)
      system.kill(tonumber(status:match 'PPid:%s*(%d+)'), system.signal.SIGKILL)
      print(outcome())
    end
    `.replace(
      'io_status(channel.child_pid)',
      `(function(pid)
        local file = require('file').stream.new()
        file:open(require('filesystem').path.new('/proc/' .. pid .. '/status'), {'read_only'})
        local buffer = byte_span.new(4096)
        local text = tostring(buffer:first(file:read_some(buffer)))
        file:close()
        return text
      end)(channel.child_pid)`,
    ),
    { files: { 'actor.lua': ACTOR } },
  );
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.stdout, 'running\nkilled by SIGKILL\n'.repeat(2));
});

/** The host stands still, so that nobody but the kernel ends it. */
test('so does one whose script has changed its user and goes on', {
  skip: noNamespaces || (isRoot ? false : 'only root can change its user'),
  timeout: 120_000,
}, async () => {
  for (const more of ['', 'newns_pid = true']) {
    const main = join(folder, 'changed-user.lua');
    writeFileSync(join(folder, 'actor.lua'), ACTOR);
    writeFileSync(
      main,
      `local source, sink = require('pipe').pair()
       sink = sink:release()
       local script = [[
         C.setresgid(1000, 1000, 1000)
         C.setresuid(1000, 1000, 1000)
         write_all(2, 'changed\\n')
         C.read(arg, 1)
       ]]
       local one, other = require('unix').seqpacket.socket.pair()
       local c = spawn_vm{module = './actor', subprocess = {
         init = {script = script, arg = other:release()}, stderr = sink, ${more}
       }}
       print(c.child_pid, require('stream').scanner.new{stream = source}:get_line())
       one:receive(byte_span.new(1))`,
    );
    const host = spawn(process.execPath, ['--stack-size=3900', MAIN, main], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let pid = 0;
    try {
      const line = await new Promise((done) => {
        host.stdout.once('data', done);
        host.once('close', () => done(''));
      });
      pid = Number(/^(\d+)\tchanged/.exec(`${line}`)?.[1]);
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      host.kill('SIGSTOP');
      process.kill(Number(/^PPid:\s*(\d+)/m.exec(status)![1]), 'SIGKILL');
      while (hasMemory(pid)) await setTimeout(20);
    } finally {
      if (hasMemory(pid)) process.kill(pid, 'SIGKILL');
      host.kill('SIGKILL');
    }
  }
});

/** What has ended, and nobody has asked for, has none. */
function hasMemory(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`).length > 0;
  } catch {
    return false;
  }
}

/** The host has a secret of its own, as a control; the script reads another one from a file. */
test('a secret of the script is in no process afterwards', {
  skip: noNamespaces,
  timeout: 300_000,
}, async (t) => {
  const scanner = buildScanner(folder);
  if (typeof scanner !== 'string') return t.skip(scanner.reason);
  const secrets = { script: randomBytes(32), host: randomBytes(32) };
  for (const [name, secret] of Object.entries(secrets)) writeFileSync(join(folder, name), secret);
  const program = join(folder, 'host.lua');
  writeFileSync(join(folder, 'actor.lua'), ACTOR);
  writeFileSync(
    program,
    `${TOOLS}
    local system, file = require 'system', require 'file'
    local f = file.stream.new()
    f:open(require 'filesystem'.path.new '${join(folder, 'host')}', {'read_only'})
    local mine = byte_span.new(32)
    f:read_some(mine)
    local text = tostring(mine)
    local channel = actor([[
      local fd = C.open('${join(folder, 'script')}', C.O_RDONLY)
      local secret = C.read(fd, 32)
      local t = {secret, secret:upper(), secret .. secret, (secret:gsub('.', '%0\\0'))}
      t[table.concat(t)] = pcall(error, secret)
      assert(#secret == 32)
    ]], {newns_user = true, newns_pid = true, stderr = 'share'})
    assert(outcome() == 'running')
    print(channel.child_pid)
    system.in_:read_some(byte_span.new(1))
    print(#text)
    channel:kill()
    `,
  );
  const host = spawn(process.execPath, ['--stack-size=3900', MAIN, program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve, reject) => {
    host.stdout.once('data', (data) => resolve(Number(data)));
    host.once('close', () => reject(new Error('the host ended')));
  });
  const status = (of: number): string => readFileSync(`/proc/${of}/status`, 'latin1');
  const supervisor = Number(/PPid:\s*(\d+)/.exec(status(pid))![1]);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
  const processes = { host: host.pid!, supervisor, init: pid, actor: Number(children[0]) };
  const closed = new Promise((resolve) => host.once('close', resolve));
  try {
    for (const [who, of] of Object.entries(processes)) {
      assert.deepEqual(scan(scanner, of, secrets.script).slice(0, 4), [0, 0, 0, 0], who);
      const found = scan(scanner, of, secrets.host);
      if (who === 'host') assert.ok(found[0]! > 0, 'the control finds it');
      else assert.deepEqual(found.slice(0, 4), [0, 0, 0, 0], who);
    }
  } finally {
    host.stdin.end('x');
    await closed;
  }
});
