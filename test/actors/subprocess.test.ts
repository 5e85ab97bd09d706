/** Actors in processes of their own: what is not as it is for those in the thread. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, runProgram, type SpecOptions, spec } from '../support/spec.ts';
import { EARLY_SIGNALS, ECHO } from './programs.ts';

const missing = nativeFailure();

if (missing === undefined) {
  await openReactor();
  // The supervisor, and its socket, come with the first one.
  await runLua(`spawn_vm{module = './w', subprocess = {}}`, { files: { 'w.lua': '' } });
}

function there(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (missing === undefined) spec(name, source, expected, options);
}

// ── options ────────────────────────────────────────────────────────────────────────────────────────

there(
  'what is wrong with the options',
  `
  local pipe = require 'pipe'
  local closed = pipe.pair():release()
  closed:close()
  local function try(options)
    local ok, e = pcall(spawn_vm, options)
    print(e, e.arg)
  end
  try{module = './w', subprocess = true}
  try{module = './w', subprocess = {}, inherit_context = true}
  try{module = './w', subprocess = {}, new_master = false}
  try{subprocess = {}}
  try{module = 1, subprocess = {}}
  try{module = './missing', subprocess = {}}
  try{module = 'w', subprocess = {}}
  for _, name in ipairs{'newns_user', 'newns_pid', 'stdin', 'stdout', 'stderr', 'environment', 'source_tree_cache'} do
    try{module = './w', subprocess = {[name] = 1}}
  end
  try{module = './w', subprocess = {stdout = closed}}
  try{module = './w', subprocess = {environment = {1}}}
  try{module = './w', subprocess = {environment = {a = 1}}}
  try{module = './w', subprocess = {environment = {['a=b'] = ''}}}
  try{module = './w', subprocess = {source_tree_cache = {x = 1}}}
  try{module = './w', subprocess = {source_tree_cache = {['../x'] = ''}}}
  try{module = './w', subprocess = {libc_service = true}}
  for _, v in ipairs{1, {1}, {'plugin'}} do try{module = './w', subprocess = {native_modules_cache = v}} end
  for _, v in ipairs{'all', {}} do spawn_vm{module = './w', subprocess = {native_modules_cache = v}}:close() end
`,
  `Invalid argument	subprocess
Invalid argument	1
Invalid argument	1
Invalid argument	module
Invalid argument	module
Module not found	nil
Cannot have a module with this name	nil
${['newns_user', 'newns_pid', 'stdin', 'stdout', 'stderr', 'environment', 'source_tree_cache'].map((name) => `Invalid argument	subprocess/${name}\n`).join('')}Device or resource busy	subprocess/stdout
${'Invalid argument	subprocess/environment\n'.repeat(3)}${'Invalid argument	subprocess/source_tree_cache\n'.repeat(2)}Invalid argument	subprocess/libc_service
${'Invalid argument	subprocess/native_modules_cache\n'.repeat(2)}Module not found	nil
`,
  { files: { 'w.lua': '' } },
);

there(
  'the process: its environment, context and arguments',
  `
  local inbox, system = require 'inbox', require 'system'
  local worker = spawn_vm{
    module = './w', subprocess = {stderr = 'share', environment = {A = '1', B = 'x=y', C = '\\255'}},
  }
  worker:send(inbox)
  for i = 1, 5 do print(inbox:receive()) end
  local pid = inbox:receive()
  print(pid == worker.child_pid, pid ~= system.getpid())
  print(system.environment.A)
`,
  '1\nx=y\n3\nworker\n2\ntrue\ttrue\nnil\n',
  {
    files: {
      'w.lua': `
      local inbox, system = require 'inbox', require 'system'
      local home = inbox:receive()
      local env = system.environment
      local n = 0
      for _ in pairs(env) do n = n + 1 end
      home:send(env.A)
      home:send(env.B)
      home:send(n)
      home:send(_CONTEXT)
      home:send(#system.arguments)
      home:send(system.getpid())
      `,
    },
  },
);

test('the process: descriptors, signals, umask, directory', {
  skip: missing,
  timeout: 300_000,
}, async () => {
  const run = runLua(
    `
    local inbox = require 'inbox'
    local c = spawn_vm{module = './w', subprocess = {}}
    c:monitor()
    inbox:receive()
    c:close()
  `,
    { files: { 'w.lua': `require('inbox'):receive()` } },
  );
  // It has entered its event loop when it waits there, which neither the supervisor does nor a process that is made ahead.
  let pid: number | undefined;
  while (pid === undefined) {
    await new Promise((done) => setTimeout(done, 20));
    pid = descendants(process.pid).slice(1).find(waitsForEvents);
  }
  const open = readdirSync(`/proc/${pid}/fd`).sort((x, y) => Number(x) - Number(y));
  const kinds = open.map((fd) => {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    return Number(fd) < 4 ? `${fd} ${target.replace(/:.*/, '')}` : target.replace(/\d+/, '');
  });
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1];
  const directory = readlinkSync(`/proc/${pid}/cwd`);
  process.kill(pid, 'SIGKILL');
  await run;
  assert.equal(field('Umask'), '0022');
  assert.equal(field('SigBlk'), '0000000000000000');
  assert.equal(BigInt(`0x${field('SigIgn')}`), 1n << 12n, 'SIGPIPE and no other');
  assert.equal(directory, process.cwd());
  assert.deepEqual(kinds.slice(0, 4), ['0 pipe', '1 pipe', '2 pipe', '3 socket']);
  const event = /^(anon_inode:\[(eventpoll|eventfd|io_uring)\]|pipe:\[\])$/;
  for (const kind of kinds.slice(4)) assert.match(kind, event, 'only the event loop has more');
});

/** It sleeps in epoll_wait(2). */
function waitsForEvents(pid: number): boolean {
  if (!existsSync('/proc/self/syscall')) return true; // some kernels don't tell
  try {
    return /^(232|281|22) /.test(readFileSync(`/proc/${pid}/syscall`, 'latin1'));
  } catch {
    return false;
  }
}

there(
  'standard streams: a descriptor, or an end whose other end is closed',
  `
  local pipe, stream, inbox = require 'pipe', require 'stream', require 'inbox'
  local r, w = pipe.pair()
  local fd = w:release()
  local r2, w2 = pipe.pair()
  local input = r2:release()
  local worker = spawn_vm{module = './w', subprocess = {stdin = input, stdout = fd}}
  print(fd.type, input.type)
  fd:close()
  input:close()
  stream.write_all(w2, 'input')
  w2:close()
  worker:send(inbox)
  print(inbox:receive())
  print(inbox:receive())
  local b = byte_span.new(64)
  print(b:slice(1, r:read_some(b)))
  print(pcall(r.read_some, r, b))
`,
  'fifo\tfifo\ninput\nBroken pipe\nfrom the worker\n\nfalse\tEnd of file\n',
  {
    files: {
      'w.lua': `
      local inbox, system, stream = require 'inbox', require 'system', require 'stream'
      local home = inbox:receive()
      local b = byte_span.new(5)
      stream.read_all(system.in_, b)
      home:send(tostring(b))
      home:send(tostring(select(2, pcall(system.err.write_some, system.err, b))))
      print 'from the worker'
      `,
    },
  },
);

there(
  'the sources of modules need no files',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm{
    module = './not_there',
    subprocess = {
      stderr = 'share',
      source_tree_cache = {
        not_there = [[
          local inbox = require 'inbox'
          local part = require '/lib/part'
          inbox:receive():send(part.text)
        ]],
        lib = {part = {init = "text = require('./x').text", ['x.lua'] = "text = 'deep'"}},
      },
    },
  }
  worker:send(inbox)
  print(inbox:receive())
  print(select(2, pcall(spawn_vm, './not_there')))
`,
  'deep\nModule not found\n',
  { stderr: '' },
);

there(
  'a path is opened by the process itself; what is wrong with it shows there',
  `
  local inbox, pipe, fs = require 'inbox', require 'pipe', require 'filesystem'
  local file = _FILE.parent_path / 'w.lua'
  local worker = spawn_vm{module = file, subprocess = {}}
  worker:send(inbox)
  print(inbox:receive())
  local r, w = pipe.pair()
  w = w:release()
  worker = spawn_vm{module = file / 'missing', subprocess = {stderr = w}}
  w:close()
  worker:monitor()
  local b = byte_span.new(200)
  print((tostring(b:slice(1, r:read_some(b))):gsub('/%S*/', '')))
  print(inbox:receive().reason)
`,
  'there\nError starting the lua VM: cannot open missing: Not a directory\n\nexit status 1\n',
  { files: { 'w.lua': `require('inbox'):receive():send 'there'` } },
);

// ── messages ───────────────────────────────────────────────────────────────────────────────────────

there(
  'what may be in a message, and what not',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm{module = './echo', subprocess = {stderr = 'share'}}
  local function try(name, value)
    local ok, e = pcall(echo.send, echo, value)
    print(name, ok or tostring(e), not ok and e.arg or nil)
  end
  local many = {}
  for i = 1, 21 do many['k' .. i] = i end
  try('nil', nil)
  try('function', print)
  try('thread', coroutine.create(print))
  try('empty', {})
  try('array', {1, 2})
  try('nested', {a = {}})
  try('meta', setmetatable({a = 1}, {}))
  try('function inside', {a = print})
  try('21 members', many)
  try('long string', ('x'):rep(256))
  try('long key', {[('x'):rep(256)] = 1})
  try('byte_span', byte_span.new(1))
  print(select(2, pcall(echo.send, echo)).arg)
  many.k21 = nil
  many.k20 = nil
  many.from = inbox
  many.value = nil
  many[1] = 'ignored'
  echo:send(many)
  print(inbox:receive())
  local long = ('y'):rep(255)
  echo:send{from = inbox, value = long, [long] = 1}
  print(inbox:receive() == long)
`,
  `${['nil', 'function', 'thread', 'empty', 'array', 'nested', 'meta', 'function inside', '21 members', 'long string', 'long key', 'byte_span'].map((what) => `${what}\tInvalid argument\t2\n`).join('')}2\nnothing\ntrue\n`,
  { files: { 'echo.lua': ECHO } },
);

there(
  'descriptors: EBUSY where they are closed; twenty in one message',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  local counter = spawn_vm{module = './counter', subprocess = {stderr = 'share'}}
  local closed = pipe.pair():release()
  closed:close()
  print(select(2, pcall(counter.send, counter, closed)), select(2, pcall(counter.send, counter, {fd = closed})))
  local fd = pipe.pair():release()
  local m = {home = inbox}
  for i = 1, 19 do m['fd' .. i] = fd end
  counter:send(m)
  print(inbox:receive(), fd.type)
`,
  'Device or resource busy\tDevice or resource busy\n19\tfifo\n',
  {
    files: {
      'counter.lua': `
      local m = require('inbox'):receive()
      local n = 0
      for _, v in pairs(m) do if getmetatable(v) == 'file_descriptor' then n = n + 1 end end
      m.home:send(n)
      `,
    },
  },
);

there(
  'channels of processes go into messages, in this process and to others',
  `
  local inbox = require 'inbox'
  local sink = spawn_vm{module = './sink', subprocess = {stderr = 'share'}}
  sink:send(inbox)
  local here = spawn_vm './writer'
  here:send{to = sink, name = 'here'}
  print(inbox:receive())
  local there = spawn_vm{module = './writer', subprocess = {stderr = 'share'}}
  there:send{to = sink, name = 'there'}
  print(inbox:receive())
`,
  'from here\nfrom there\n',
  {
    files: {
      'sink.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      for i = 1, 2 do home:send('from ' .. inbox:receive()) end
      `,
      'writer.lua': `
      local m = require('inbox'):receive()
      m.to:send(m.name)
      `,
    },
  },
);

there(
  'a full socket makes the sender wait, and nothing is lost when it is interrupted then',
  `
  local inbox = require 'inbox'
  local slow = spawn_vm{module = './slow', subprocess = {stderr = 'share'}}
  slow:send(inbox)
  local n = 0
  local sender = spawn(function()
    while true do
      slow:send(n + 1)
      n = n + 1
    end
  end)
  local sleep = require('time').sleep
  local last
  repeat last = n sleep(0.01) until n == last and n > 0
  sender:interrupt()
  sender:join()
  spawn(function() slow:send 'end' end)
  local got = inbox:receive()
  print(got == n or (got .. ' of ' .. n))
`,
  'true\n',
  {
    files: {
      'slow.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      local last = 0
      require('time').sleep(0.2)
      while true do
        local m = inbox:receive()
        if m == 'end' then home:send(last) return end
        assert(m == last + 1)
        last = m
      end
      `,
    },
    once: true,
  },
);

there(
  'the VM ends while a message with addresses and descriptors waits: nothing stays open',
  `
  local inbox = require 'inbox'
  local deaf = spawn_vm{module = './deaf', subprocess = {stderr = 'share'}}
  deaf:send(inbox)
  inbox:receive()
  local fd = require('pipe').pair():release()
  local n = 0
  spawn(function()
    while true do
      deaf:send{a = inbox, b = inbox, fd = fd}
      n = n + 1
    end
  end)
  local sleep = require('time').sleep
  local last
  repeat last = n sleep(0.01) until n == last
  print(n > 0, pcall(fd.close, fd))
  require('system').exit(0)
`,
  'true\tfalse\tDevice or resource busy\n',
  {
    files: {
      'deaf.lua': `
      local home = require('inbox'):receive()
      home:send 'deaf from now on'
      while true do require('time').sleep(10) end
      `,
    },
    once: true,
  },
);

// ── life and death ─────────────────────────────────────────────────────────────────────────────────

there(
  'the end of a process is told after all that it has sent, by whichever addresses',
  `
  local inbox, time = require 'inbox', require 'time'
  local c = spawn_vm{module = './last_words', subprocess = {}}
  c:monitor()
  c:send{a = inbox, b = inbox}
  time.sleep(0.3) -- it may have ended before anything is received
  local counts, m = {a = 0, b = 0}
  repeat
    m = inbox:receive()
    if m.from then counts[m.from] = counts[m.from] + 1 end
  until m.down
  print(counts.a, counts.b, m.reason)
  print(select(2, pcall(inbox.receive, inbox)))
`,
  `100\t50\tnil
Broadcast the address before attempting to receive on it
`,
  {
    once: true,
    files: {
      'last_words.lua': `
      local to = require('inbox'):receive()
      for i = 1, 100 do
        to.a:send{from = 'a'}
        if i % 2 == 0 then to.b:send{from = 'b'} end
      end
      `,
    },
  },
);

there(
  'kill, detach and child_pid',
  `
  local inbox, ge = require 'inbox', require 'generic_error'
  local function new() return spawn_vm{module = './w', subprocess = {}} end
  local function failure(f, ...)
    local ok, e = pcall(f, ...)
    return tostring(e), not ok and e.arg or nil
  end
  local c = new()
  print(type(c.child_pid), failure(c.kill, c, 'x'))
  c:monitor()
  c:kill(0)
  c:send(inbox)
  print(inbox:receive())
  c:kill(15)
  print(inbox:receive().reason)
  print(failure(c.kill, c, 15))
  c:close()
  print(failure(c.kill, c), failure(c.send, c, 1))
  print(failure(function() return c.child_pid end))
  c = new()
  c:monitor()
  c:kill()
  print(failure(c.send, c, 1))
  print(inbox:receive().reason)
  c = new()
  c:send(inbox)
  print(inbox:receive())
  c:detach()
  print(failure(c.detach, c))
  print(failure(function() return c.child_pid end))
  print(failure(c.kill, c))
  c:close()
`,
  `number\tInvalid argument	2
ready
killed by SIGTERM
No such process	nil
Channel closed	Channel closed	nil
Invalid argument	1
Channel closed	nil
killed by SIGKILL
ready
Invalid argument	1
Invalid argument	1
Operation not permitted	nil
`,
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      inbox:receive():send 'ready'
      pcall(inbox.receive, inbox)
      `,
    },
  },
);

there(
  'exit codes, errors and dead receivers',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  for _, what in ipairs{'exit', 'error', 'nothing', 'syntax'} do
    local r, w = pipe.pair()
    w = w:release()
    local c = spawn_vm{module = './' .. what, subprocess = {stderr = w}}
    w:close()
    c:monitor()
    local m = inbox:receive()
    local b = byte_span.new(500)
    local ok, n = pcall(r.read_some, r, b)
    print(what, m.reason, ok and tostring(b:slice(1, n)):match("[^\\n]*"):gsub('0x%x+', 'N'):gsub('/.*/', '') or '')
    print(pcall(c.send, c, 1))
  end
`,
  `exit	exit status 7	
false	Broken pipe
error	exit status 1	Main fiber from VM N panicked: 'error.lua:1: oh'
false	Broken pipe
nothing	nil	
false	Broken pipe
syntax	exit status 1	Error starting the lua VM: syntax.lua:1: '=' expected near '<eof>'
false	Broken pipe
`.replace(/\t\n/g, '\t\n'),
  {
    files: {
      'exit.lua': `require('system').exit(7)`,
      'error.lua': `error 'oh'`,
      'nothing.lua': '',
      'syntax.lua': 'x',
    },
  },
);

there(
  'processes of processes',
  `
  local inbox = require 'inbox'
  local c = spawn_vm{module = './outer', subprocess = {stderr = 'share'}}
  c:send(inbox)
  print(inbox:receive())
  c:close()
`,
  'from inside\n',
  {
    files: {
      'outer.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      local c = spawn_vm{module = '../inner', subprocess = {stderr = 'share'}}
      c:send(home)
      inbox:receive()
      c:close()
      `,
      'inner.lua': `
      local inbox = require 'inbox'
      inbox:receive():send 'from inside'
      `,
    },
    once: true,
  },
);

/** It has ended, even if nobody has asked how. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return true;
  }
}

/** Processes whose parent, or its, is `pid`. */
function descendants(pid: number): number[] {
  const children = (of: number): number[] => {
    try {
      const text = readFileSync(`/proc/${of}/task/${of}/children`, 'latin1');
      return text.split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  };
  return children(pid).flatMap((child) => [child, ...descendants(child)]);
}

there(
  'a signal reaches a process that has hardly begun',
  `${EARLY_SIGNALS}
  endings{}
`,
  'killed by SIGTERM\n',
  { once: true, files: { 'w.lua': `require('inbox'):receive()` } },
);

test('the end of a program takes its processes along', {
  skip: missing,
  timeout: 300_000,
}, async () => {
  const { stdout, code } = await runProgram(
    `
    local inbox = require 'inbox'
    if _CONTEXT == 'worker' then
      inbox:receive():send(require('system').getpid())
      while true do require('time').sleep(1) end
    end
    for i = 1, 3 do
      spawn_vm{module = '.', subprocess = {stdout = 'share'}}:send(inbox)
      print(inbox:receive())
    end
    print(require('system').getpid())
  `,
  );
  // What shares the pipe is gone, or this would not have returned.
  assert.equal(code, 0);
  const pids = stdout.trim().split('\n').map(Number);
  assert.equal(pids.length, 4);
  // A process closes what it has open before it is seen to have ended.
  for (let looks = 0; !pids.every(isGone); looks++) {
    assert.ok(looks < 3000, `of ${pids} there are ${pids.filter((pid) => !isGone(pid))}`);
    await new Promise((done) => setTimeout(done, 20));
  }
});

/** Processes of ours become the supervisor and one that is made ahead, whenever that comes, and stay that. */
async function onlySpareLeft(): Promise<void> {
  const names = (): string => descendants(process.pid).map(String).join(' ');
  let last = '';
  for (let same = 0, looks = 0; same < 20; looks++) {
    assert.ok(looks < 10_000, `there are ${last}`);
    await new Promise((done) => setTimeout(done, 20));
    const now = names();
    same = now === last && now.split(' ').length === 2 ? same + 1 : 0;
    last = now;
  }
}

test('a hundred in a row leave no process and no descriptor', {
  skip: missing,
  timeout: 600_000,
}, async () => {
  const { stdout, stderr } = await runLua(
    `
    local inbox = require 'inbox'
    for i = 1, 100 do
      local c = spawn_vm{module = './w', subprocess = {}}
      c:monitor()
      c:send(inbox)
      local answered, ended
      repeat
        local m = inbox:receive()
        if m == 1 then answered = true else ended = m.reason == nil end
      until answered and ended
      c:close()
    end
    print 'all'
  `,
    { files: { 'w.lua': `require('inbox'):receive():send(1)` } },
  );
  assert.equal(stderr, '');
  assert.equal(stdout, 'all\n');
  await onlySpareLeft();
});

spec(
  'several addresses of a process whose socket is full: each can be closed, and its sender interrupted, by itself',
  `
  local inbox, pipe, time = require 'inbox', require 'pipe', require 'time'
  local r, w = pipe.pair()
  r = r:release()
  local a = spawn_vm{module = './reader', subprocess = {stdin = r, stderr = 'share'}}
  r:close()
  local mirror = spawn_vm './mirror'
  local function copy()
    mirror:send{from = inbox, channel = a}
    return inbox:receive()
  end
  local b, c = copy(), copy()
  local sent, stop = {}, false
  local function flood(name, channel)
    sent[name] = 0
    return spawn(function()
      while not stop do
        local ok, e = pcall(channel.send, channel, name)
        if not ok then return tostring(e) end
        sent[name] = sent[name] + 1
      end
    end)
  end
  local of_a, of_b, of_c = flood('a', a), flood('b', b), flood('c', c)
  local before
  repeat
    before = sent.a + sent.b + sent.c
    for _ = 1, 10 do time.sleep(0.001) end -- turns of the event loop
  until before > 0 and sent.a + sent.b + sent.c == before
  c:close()
  print(of_c:join())
  of_b:interrupt()
  print(of_b:join())
  print(sent.a + sent.b + sent.c == before)
  w:write_some(byte_span.append 'x') -- it reads now
  while sent.a < before + 100 do this_fiber.yield() end
  stop = true
  print(of_a:join())
  a:send{home = inbox}
  local got = inbox:receive()
  print(got.a == sent.a, got.b == sent.b, got.c == sent.c)
`,
  'Channel closed\nFiber interrupted\ntrue\n\ntrue\ttrue\ttrue\n',
  {
    files: {
      'reader.lua': `
      local inbox, system = require 'inbox', require 'system'
      system.in_:read_some(byte_span.new(1))
      local got = {a = 0, b = 0, c = 0}
      while true do
        local m = inbox:receive()
        if type(m) == 'table' then m.home:send(got) break end
        got[m] = got[m] + 1
      end
      `,
      'mirror.lua': `
      local inbox = require 'inbox'
      while true do
        local ok, m = pcall(inbox.receive, inbox)
        if not ok then break end
        m.from:send(m.channel)
      end
      `,
    },
  },
);

spec(
  'concurrency_hint = 1: the pool of the process takes no more threads',
  `
  local inbox = require 'inbox'
  for _, hint in ipairs{1, 2, 'safe'} do
    spawn_vm{module = './w', concurrency_hint = hint, subprocess = {stderr = 'share'}}:send(inbox)
    print(inbox:receive())
  end
`,
  'Operation not supported\ntrue\ntrue\n',
  {
    files: {
      'w.lua': `
      local home = require('inbox'):receive()
      local ok, e = pcall(spawn_context_threads, 1)
      home:send(ok or tostring(e))
      `,
    },
  },
);
