/** Processes of actors that are made before they are wanted: who gets one, and that nobody can tell. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { SLURP } from '../sandbox/slurp.ts';
import { openReactor } from '../support/faulty.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { buildScanner, scan } from '../support/scan-memory.ts';
import { MAIN, runLua, type SpecOptions, spec } from '../support/spec.ts';

function reason(): string | undefined {
  if (nativeFailure() !== undefined) return nativeFailure();
  if (process.arch !== 'x64') return 'looks for a system call by its number';
  return existsSync('/proc/self/syscall') ? undefined : 'needs /proc/PID/syscall';
}
const missing = reason();

/** `spare(c)` waits for one beside the process of `c`: a child of the same supervisor that waits in recvmsg(2). */
const TOOLS = `
  local inbox, file, time, system = require 'inbox', require 'file', require 'time', require 'system'
${SLURP}
  local function proc(pid, what)
    local ok, text = pcall(slurp, '/proc/' .. pid .. '/' .. what)
    return ok and text or ''
  end
  local function children(pid)
    local list = {}
    for p in proc(pid, 'task/' .. pid .. '/children'):gmatch('%d+') do list[#list + 1] = p end
    return list
  end
  local function waits(pid)
    if proc(pid, 'syscall'):match('^47 0x3 ') then return true end
    for _, p in ipairs(children(pid)) do if waits(p) then return true end end
    return false
  end
  local function supervisor(c) return proc(c.child_pid, 'status'):match('PPid:%s*(%d+)') end
  local function spare(c)
    local own = supervisor(c)
    for i = 1, 20000 do
      for _, pid in ipairs(children(own)) do
        if tonumber(pid) ~= c.child_pid and waits(pid) then return tonumber(pid) end
      end
      time.sleep(0.01)
    end
    error 'there is no spare'
  end
  local function worker(options)
    options.stderr = options.stderr or 'share'
    local c = spawn_vm{module = './w', subprocess = options}
    c:send(inbox)
    return c
  end
`;

const WORKER = `
  local inbox, system = require 'inbox', require 'system'
  local home = inbox:receive()
  home:send(system.environment.A or 'none')
  local ok, message = pcall(inbox.receive, inbox)
  if ok then home:send(message) end
`;
const files = { 'w.lua': WORKER };

if (missing === undefined) {
  await openReactor();
  // What these open stays: the supervisor's socket, what reads files.
  await runLua(`${TOOLS} proc('self', 'status') spawn_vm{module = './w', subprocess = {}}`, {
    files: { 'w.lua': '' },
  });
} else test('spares', { skip: missing });

function there(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (missing === undefined)
    spec(name, TOOLS + source, expected, { files, once: true, ...options });
}

there(
  'the next process is the spare: it has the environment, the streams and the directory of its task',
  `
  local pipe, stream, fs = require 'pipe', require 'stream', require 'filesystem'
  local first = worker{environment = {A = '1'}}
  print(inbox:receive())
  local pid = spare(first)
  print(proc(pid, 'cwd'), proc(pid, 'environ'):match('A='))
  local r, w = pipe.pair()
  w = w:release()
  local second = spawn_vm{module = './p', subprocess = {environment = {A = '2'}, stdout = w, stderr = 'share'}}
  w:close()
  print(second.child_pid == pid)
  local line = byte_span.new(4096)
  print(tostring(line:slice(1, r:read_some(line))) == '2 ' .. tostring(fs.current_working_directory()) .. '\\n')
  r:close()
  second:close()
  first:close()
`,
  '1\n\tnil\ntrue\ntrue\n',
  {
    files: {
      ...files,
      'p.lua': `
        local cwd = require('filesystem').current_working_directory()
        print(require('system').environment.A .. ' ' .. tostring(cwd))
      `,
    },
  },
);

there(
  'the spare has no entries for memory that actors do not look at',
  `
  local first = worker{}
  print(inbox:receive())
  local pid = spare(first)
  local size = 0 -- of the file in memory that its heap is in; where there is none it has no entries, either
  for start, stop in proc(pid, 'maps'):gmatch('(%x+)%-(%x+) [^\\n]*/memfd:perilune') do
    size = size + tonumber(stop, 16) - tonumber(start, 16)
  end
  print(proc(pid, 'status'):match('RssShmem:%s*(%d+)') * 1024 * 2 <= size)
  first:close()
`,
  'none\ntrue\n',
);

there(
  'a text too long for a packet reaches the first and the spare',
  `
  local text = "local inbox = require 'inbox' inbox:receive():send(#[[" .. ('x'):rep(200000) .. "]])"
  local first = spawn_vm{module = './long', subprocess = {stderr = 'share', source_tree_cache = {
    long = text .. 'pcall(inbox.receive, inbox)',
  }}}
  first:send(inbox)
  print(inbox:receive())
  local pid = spare(first)
  local second = spawn_vm{module = './long', subprocess = {stderr = 'share', source_tree_cache = {
    long = text,
  }}}
  second:send(inbox)
  print(inbox:receive(), second.child_pid == pid)
  first:close()
  second:close()
`,
  '200000\n200000\ttrue\n',
);

there(
  'what one has run before its task leaves nothing open',
  `
  local fs = require 'filesystem'
  local function open(c)
    local list = {}
    for entry in fs.directory_iterator(fs.path.new('/proc/' .. c.child_pid .. '/fd')) do
      list[#list + 1] = tonumber(tostring(entry.path.filename)) or -1
    end
    table.sort(list)
    return table.concat(list, ' ')
  end
  local first = worker{}
  print(inbox:receive())
  local pid = spare(first)
  local second = worker{}
  print(inbox:receive(), second.child_pid == pid)
  for i = 1, 20000 do -- until both wait
    if open(first) == open(second) then break end
    time.sleep(0.01)
  end
  print(open(first) == open(second) or open(first) .. ' / ' .. open(second))
  first:close()
  second:close()
`,
  'none\nnone\ttrue\ntrue\n',
);

there(
  'one that was killed is not missed',
  `
  local first = worker{}
  inbox:receive()
  local pid = spare(first)
  system.kill(pid, 9)
  repeat
    local is_there = false
    for _, p in ipairs(children(supervisor(first))) do is_there = is_there or tonumber(p) == pid end
  until not is_there
  local second = worker{}
  print(inbox:receive(), second.child_pid == pid)
  print(spare(second) ~= pid)
  first:close()
  second:close()
`,
  'none\tfalse\ntrue\n',
);

const noHeap = existsSync(join(import.meta.dirname, '../../build/Release/heap.node'))
  ? existsSync('/sys/kernel/mm/transparent_hugepage')
    ? undefined
    : 'a kernel without huge pages'
  : 'the addons are not built';
if (noHeap === undefined)
  there(
    'the heap is in one piece, with nothing new in huge pages, the program in some, and nobody sees how that was done',
    `
  local function look(pid)
    local largest, asking, size, rights, code = 0, 0
    for line in proc(pid, 'smaps'):gmatch('[^\\n]+') do
      size = tonumber(line:match('^Size: +(%d+) kB')) or size
      rights = line:match('^%x+%-%x+ (%S+)') or rights
      if rights == 'r-xp' and line:match('^AnonHugePages: +[1-9]') then code = true end
      if line:match('^VmFlags:.* hg') then asking = asking + 1 end
      if line:match('^VmFlags: rd wr.* nh') then largest = math.max(largest, size) end
    end
    return largest >= 8192, code, asking, (proc(pid, 'environ'):gsub('%z', ''))
  end
  for i = 1, 2 do
    local c = worker{environment = {A = 'x'}}
    print(inbox:receive())
    c:send 'go'
    print(inbox:receive())
    if i == 1 then print(look(spare(c))) else print(look(supervisor(c))) print(look(c.child_pid)) end
  end
`,
    'x\nA=x\n\ntrue\ttrue\t0\t\nx\nA=x\n\ntrue\ttrue\t0\t\ntrue\ttrue\t0\t\n',
    {
      files: {
        'w.lua': `
          local inbox, system, pipe = require 'inbox', require 'system', require 'pipe'
          local home = inbox:receive()
          home:send(system.environment.A)
          inbox:receive()
          local r, w = pipe.pair()
          w = w:release()
          system.spawn{program = '/usr/bin/env', stdout = w, environment = system.environment}:wait()
          w:close()
          local line = byte_span.new(4096)
          home:send(tostring(line:slice(1, r:read_some(line))))
          pcall(inbox.receive, inbox)
        `,
      },
    },
  );
else test('the heap of processes', { skip: noHeap });

there(
  'nothing is made ahead of a process that has a supervisor of its own',
  `
  local c = worker{isolate = 'exec'}
  inbox:receive()
  time.sleep(0.3)
  print(#children(supervisor(c)))
  c:monitor()
  c:close()
  print(inbox:receive().reason)
`,
  '1\nnil\n',
);

const noInit = missing ?? noSandboxes();
if (noInit === undefined)
  there(
    'PID 1 of a namespace keeps next to nothing, and a process that waits no stack below what it needs',
    `
  local function private(pid, name)
    local sum, found, counts = 0, 0, false
    for line in proc(pid, 'smaps'):gmatch('[^\\n]+') do
      if line:match('^%x+%-%x+ ') then counts = line:match(name) end
      local kb = line:match('^Private_%a+: +(%d+)')
      if kb and counts then sum, found = sum + tonumber(kb), found + 1 end
    end
    return found > 0 and sum or 1 / 0
  end
  local function becomes(what, limit, ...)
    local kb
    for i = 1, 20000 do
      kb = private(...)
      if kb <= limit then return true end
      time.sleep(0.01)
    end
    print(what, kb)
  end
  for i = 1, 2 do -- the second is the spare
    local c = worker{newns_user = true, newns_pid = true}
    print(inbox:receive())
    local actor = tonumber(children(c.child_pid)[1])
    print(becomes('PID 1', 40, c.child_pid, ''), becomes('stack', 20, actor, '%[stack%]$'))
    if i == 1 then spare(c) end
    c:send 'go on'
    print(inbox:receive())
  end
`,
    'none\ntrue\ttrue\ngo on\n'.repeat(2),
  );
else test('PID 1 of a namespace', { skip: noInit });

const walled = missing ?? noSandboxes();
if (walled === undefined) {
  await runLua(`spawn_vm{module = './w', subprocess = {sandbox = 'inbox'}}`, {
    files: { 'w.lua': '' },
  });
  const both: [string, string, string][] = [
    ['with all walls', `{sandbox = 'inbox'}`, `{sandbox = 'inbox', limits = {cpu = 100}}`],
    ['with namespaces', '{newns_user = true, newns_pid = true, newns_net = true}', '{}'],
  ];
  for (const [name, kind, other] of both)
    there(
      `${name}: the spare is of the same kind, and one of another kind ends`,
      `
      local first = worker(${kind})
      print(inbox:receive())
      local pid = spare(first)
      local second = worker(${kind})
      print(inbox:receive(), second.child_pid == pid)
      local actor = children(second.child_pid)[1] or second.child_pid
      local of_first = children(first.child_pid)[1] or first.child_pid
      for _, what in ipairs{'Seccomp', 'NoNewPrivs', 'CapEff', 'CapBnd'} do
        local a, b = proc(actor, 'status'), proc(of_first, 'status')
        if a:match(what .. ':[^\\n]*') ~= b:match(what .. ':[^\\n]*') then print('differs', what) end
      end
      print(proc(actor, 'limits') == proc(of_first, 'limits'))
      local next_one = spare(second)
      local third = worker(${other})
      print(inbox:receive(), third.child_pid == next_one)
      while proc(next_one, 'status') ~= '' do time.sleep(0.01) end
      for _, c in ipairs{first, second, third} do
        c:send 'end'
        print(inbox:receive())
      end
    `,
      'none\nnone\ttrue\ntrue\nnone\tfalse\nend\nend\nend\n',
    );

  there(
    'a limit of descriptors that leaves no room for a task',
    `
    for i = 1, 3 do
      local c = worker{sandbox = 'inbox', limits = {files = 40}}
      print(inbox:receive())
      time.sleep(0.1)
      c:close()
    end
  `,
    'none\n'.repeat(3),
  );
} else test('spares with walls', { skip: walled });

const HOST = `${TOOLS}
  local secret = system.environment.SECRET
  local first = worker{environment = {A = secret}}
  print(inbox:receive() == secret)
  spare(first)
  first:monitor()
  first:close()
  inbox:receive()
  local second = worker{}
  inbox:receive()
  spare(second)
  local third = worker{environment = {A = 'x'}}
  inbox:receive()
  print(supervisor(third), second.child_pid, third.child_pid)
  system.in_:read_some(byte_span.new(1))
  second:close()
  third:close()
`;

test('a process knows nothing of those before it, nor does the supervisor', {
  skip: missing,
  timeout: 900_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-spares-'));
  const scanner = buildScanner(folder);
  try {
    if (typeof scanner !== 'string') return t.skip(scanner.reason);
    writeFileSync(join(folder, 'main.lua'), HOST);
    writeFileSync(join(folder, 'w.lua'), WORKER);
    const secret = randomBytes(32).toString('hex');
    const host = spawn(process.execPath, ['--stack-size=3900', MAIN, join(folder, 'main.lua')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { SECRET: secret },
    });
    const ended = new Promise<number | null>((done) => host.on('close', done));
    const text = await new Promise<string>((done) => {
      let all = '';
      host.stdout.on('data', (data) => {
        all += data;
        if (all.split('\n').length === 3) done(all);
      });
      host.on('close', () => done(all));
    });
    const [, pids] = /^true\n([\d\t]+)\n$/.exec(text) ?? [];
    assert.ok(pids, text);
    for (const pid of pids.split('\t').map(Number)) {
      const found = scan(scanner, pid, Buffer.from(secret));
      assert.deepEqual(
        found.slice(0, 4),
        [0, 0, 0, 0],
        readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
      );
    }
    assert.ok(
      scan(scanner, host.pid!, Buffer.from(secret))[0]! > 0,
      'the control: the host has it',
    );
    host.stdin.end('x');
    assert.equal(await ended, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
