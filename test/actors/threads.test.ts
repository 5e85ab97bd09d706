/** Actors in other threads: pools, what crosses between threads, and the ends of threads. */
import assert from 'node:assert/strict';
import { rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { frameLimit } from '../../src/actors/threads/wire.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import {
  openDescriptors,
  runLua,
  runProgram,
  type SpecOptions,
  spec as specIn,
} from '../support/spec.ts';
import { bundleThread } from '../support/threads.ts';
import { ECHO } from './programs.ts';

const skip = nativeFailure() === undefined ? false : 'the addon is not there';
if (skip === false) {
  await openReactor();
  await bundleThread();
  // Bells of threads stay, and so do the supervisor and its socket.
  await runLua(
    `for i = 1, 8 do spawn_vm{module = './w', inherit_context = false} end
     spawn_vm{module = './w', subprocess = {}}`,
    { files: { 'w.lua': '' } },
  );
}

function spec(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (skip === false) specIn(name, source, expected, options);
}

// ── pools ──────────────────────────────────────────────────────────────────────────────────────────

spec(
  'spawn_context_threads: arguments, and a pool that takes no more',
  `
  local inbox = require 'inbox'
  print(pcall(spawn_context_threads, 'x'))
  print(pcall(spawn_context_threads))
  print(spawn_context_threads(0), spawn_context_threads(-1))
  print(select(2, pcall(spawn_context_threads, 1000)))
  local w = spawn_vm{module = './w', inherit_context = false, concurrency_hint = 1}
  print(w:request('one'), w:request('none'))
  w = spawn_vm{module = './w', inherit_context = false, concurrency_hint = 'safe'}
  print(w:request('one'), w:request('none'))
`,
  [
    "false\tbad argument #1 to 'spawn_context_threads' (number expected, got string)",
    "false\tbad argument #1 to 'spawn_context_threads' (number expected, got no value)",
    'nil',
    'Resource temporarily unavailable',
    'Operation not supported\tok',
    'ok\tok',
    '',
  ].join('\n'),
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      for i = 1, 2 do
        local m = inbox:receive()
        local ok, e = pcall(spawn_context_threads, m.request == 'one' and 1 or 0)
        m.reply:send(ok and 'ok' or tostring(e))
      end
      `,
    },
  },
);

spec(
  'VMs are spread over the threads of a pool, also those that VMs of it make',
  `
  local inbox = require 'inbox'
  spawn_context_threads(2)
  -- Each waits for the others to be there, without letting go of its thread.
  for i = 1, 2 do spawn_vm './w':send{home = inbox, makes = i == 1} end
  local count = 0
  for i = 1, 5 do count = count + inbox:receive() end
  print(count, select(2, pcall(inbox.receive, inbox)))
`,
  '5\tBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local m = inbox:receive()
      m.home:send(1)
      if m.makes then for i = 1, 3 do spawn_vm '.':send{home = m.home} end end
      `,
    },
  },
);

test('an actor that computes for ever keeps no other from running', { skip }, async () => {
  const { stdout, code } = await runProgram(
    `
    local inbox, system = require 'inbox', require 'system'
    if _CONTEXT == 'worker' then
      local m = inbox:receive()
      if m.spins then m.from:send(0) while true do end end
      for i = 1, 100 do m.from:send(i) end
      return
    end
    spawn_context_threads(1)
    spawn_vm '.':send{from = inbox, spins = true}
    local sum = inbox:receive()
    spawn_vm{module = '.', inherit_context = false}:send{from = inbox}
    for i = 1, 100 do sum = sum + inbox:receive() end
    print(sum)
    system.exit(3, {force = 2})
    `,
  );
  assert.equal(stdout, '5050\n');
  assert.equal(code, 3);
});

// ── messages ───────────────────────────────────────────────────────────────────────────────────────

spec(
  'large values, deep ones, and every number',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './echo', inherit_context = false}
  local function echo(v) w:send{from = inbox, value = v} return inbox:receive() end
  local s = ('0123456789abcde\\255'):rep(100000)
  print(echo(s) == s, echo('') == '', echo('\\0') == '\\0')
  local t = {}
  for i = 1, 20000 do t[i] = {i, {x = tostring(i)}} end
  t = echo(t)
  print(#t, t[777][1], t[20000][2].x)
  local deep = {}
  local p = deep
  for i = 1, 900 do p.x = {} p = p.x end
  p.x = 'bottom'
  deep = echo(deep)
  local n = 0
  while type(deep) == 'table' do deep = deep.x n = n + 1 end
  print(n, deep)
  for _, v in ipairs{0, -0, 1, -1, 2^31 - 1, 2^31, -2^31, -2^31 - 1, 2^53, 1e308, 5e-324, 1/0, -1/0, 0.1} do
    assert(echo(v) == v and 1 / echo(v) == 1 / v)
  end
  local nan = echo(0/0)
  print(nan ~= nan, next(echo{}), #echo{true, false, 'x', 1.5})
`,
  'true\ttrue\ttrue\n20000\t777\t20000\n901\tbottom\ntrue\tnil\t4\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'more than there is room for on the way: senders wait in turn, and one that is interrupted has not sent',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './count', inherit_context = false}
  local pad = ('x'):rep(16384)
  local sent = 0
  local senders = {}
  for k = 1, 6 do
    senders[k] = spawn(function()
      for i = 1, 60 do
        w:send{from = k, n = i, pad = pad}
        if k == 6 then sent = i end
      end
    end)
  end
  this_fiber.yield()
  this_fiber.yield()
  senders[6]:interrupt()
  for k = 1, 6 do senders[k]:join() end
  w:send{done = inbox}
  local got = inbox:receive()
  print(got.ordered, got.count - sent, sent < 60)
`,
  'true\t300\ttrue\n',
  {
    files: {
      'count.lua': `
      local inbox = require 'inbox'
      local last, count, ordered = {}, 0, true
      while true do
        local m = inbox:receive()
        if m.done then m.done:send{count = count, ordered = ordered} return end
        count = count + 1
        ordered = ordered and m.n == (last[m.from] or 0) + 1 and #m.pad == 16384
        last[m.from] = m.n
      end`,
    },
  },
);

test('a message that is too long is refused, and the next one is not', { skip }, async () => {
  const { bytes } = frameLimit;
  frameLimit.bytes = 2_000_000; // more than is kept of a buffer
  try {
    const { stdout, stderr } = await runLua(
      `
      local inbox, pipe = require 'inbox', require 'pipe'
      local w = spawn_vm{module = './echo', inherit_context = false}
      local function try(v) return select(2, pcall(w.send, w, {from = inbox, value = v})) end
      local r = pipe.pair()
      for _, v in ipairs{('x'):rep(3000000), {('x'):rep(1200000), r:release(), ('x'):rep(1200000)}} do
        for i = 1, 30 do assert(tostring(try(v) or nil) == 'Message too long') end
      end
      w:send{from = inbox, value = ('y'):rep(1900000)}
      print(#inbox:receive())
      `,
      { files: { 'echo.lua': ECHO } },
    );
    assert.equal(stderr + stdout, '1900000\n');
  } finally {
    frameLimit.bytes = bytes;
  }
});

spec(
  'what cannot be sent leaves nothing behind',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  local w = spawn_vm{module = './echo', inherit_context = false}
  local r = pipe.pair()
  local fd = r:release()
  local cycle = {fd = fd, from = inbox}
  cycle.x = cycle
  print(select(2, pcall(w.send, w, cycle)))
  print(select(2, pcall(w.send, w, print)))
  w:close()
  print(select(2, pcall(w.send, w, {fd})))
  print(select(2, pcall(inbox.receive, inbox)))
  fd:close()
`,
  'Reference cycle exists\nInvalid argument\nChannel closed\nBroadcast the address before attempting to receive on it\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'an address that came around is the same; addresses of three threads',
  `
  local inbox = require 'inbox'
  local function make() return spawn_vm{module = './echo', inherit_context = false} end
  local a, b = make(), make()
  a:send{from = inbox, value = {a = a, b = b, me = inbox}}
  local m = inbox:receive()
  print(m.a == a, m.b == b, m.a == m.b, m.me == a)
  m.me:send 'to myself'
  print(inbox:receive())
  -- b answers to a, which sends what it gets on to here.
  b:send{from = a, value = {from = inbox, value = 'by way of both'}}
  print(inbox:receive())
`,
  'true\ttrue\tfalse\tfalse\nto myself\nby way of both\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'many senders, a low mark: nothing lost or doubled, the order of each kept',
  `
  local inbox = require 'inbox'
  inbox.high_water = 3
  for id = 1, 4 do
    spawn_vm{module = './sender', inherit_context = false}:send{to = inbox, id = id}
  end
  local last = {0, 0, 0, 0}
  for i = 1, 4 * 500 do
    local m = inbox:receive()
    assert(m.n == last[m.id] + 1)
    last[m.id] = m.n
    if i % 100 == 0 then inbox.high_water = i % 300 == 0 and 0 or 5 end
  end
  print(last[1], last[2], last[3], last[4], #inbox, select(2, pcall(inbox.receive, inbox)))
`,
  '500\t500\t500\t500\t0\tBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'sender.lua': `
      local m = require('inbox'):receive()
      -- Fibers of one VM wait together.
      local n = 0
      local mutex = require('mutex').new()
      local function work()
        while true do
          mutex:lock()
          if n == 500 then mutex:unlock() return end
          n = n + 1
          m.to:send{id = m.id, n = n, text = ('x'):rep(n)}
          mutex:unlock()
        end
      end
      local a, b = spawn(work), spawn(work)
      a:join() b:join()
      `,
    },
  },
);

spec(
  'a sender that waits for room: interrupted, its message has not been sent; the inbox closed, it learns it',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './w', inherit_context = false}
  w:send(inbox)
  local gate = inbox:receive()
  local sent = {}
  local f = {}
  for i = 1, 5 do f[i] = spawn(function() w:send(i) sent[#sent + 1] = i end) end
  for i = 1, 20 do this_fiber.yield() end
  print(#sent)
  f[3]:interrupt()
  f[3]:join()
  print(f[3].interruption_caught)
  gate:send 'open'
  for i = 4, 5 do f[i]:join() end
  print(#sent, inbox:receive())
  for i = 1, 4 do f[i] = spawn(function() w:send(i) end) end
  for i = 1, 20 do this_fiber.yield() end
  gate:send 'close'
  local failed = 0
  for i = 1, 4 do if not pcall(f[i].join, f[i]) then failed = failed + 1 end end
  print(failed, select(2, pcall(w.send, w, 1)), inbox:receive())
`,
  '2\ntrue\n4\t1 2 4 5\n2\tChannel closed\tclosed\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      inbox.high_water = 2
      local home = inbox:receive()
      -- Another inbox says when to receive from this one.
      local gate = spawn_vm '/gate'
      gate:send(home)
      gate:request 'wait'
      local got = {}
      for i = 1, 4 do got[i] = inbox:receive() end
      home:send(table.concat(got, ' '))
      gate:request 'wait'
      inbox:close()
      home:send 'closed'
      `,
      'gate.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      home:send(inbox)
      local waiting
      local open = 0
      while true do
        local ok, m = pcall(inbox.receive, inbox)
        if not ok then return end
        if type(m) == 'string' then open = open + 1 else waiting = m.reply end
        if waiting ~= nil and open > 0 then
          open = open - 1
          waiting:send(true)
          waiting = nil
        end
      end
      `,
    },
  },
);

spec(
  'a receiver that dies with messages queued gives back what is in them',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  local w = spawn_vm{module = './w', inherit_context = false}
  w:monitor()
  local r, write = pipe.pair()
  local fd = write:release()
  local wait, go = pipe.pair()
  wait = wait:release()
  for i = 1, 5 do w:send{fd = fd, home = inbox, wait = i == 1 and wait or nil} end
  fd:close()
  wait:close()
  w:send 'end'
  go:write_some(byte_span.append 'x') -- now it may end
  print(inbox:receive().down)
  print(select(2, pcall(r.read_some, r, byte_span.new(1))))
  print(select(2, pcall(inbox.receive, inbox)))
  print(select(2, pcall(w.send, w, {inbox})))
`,
  'true\nEnd of file\nBroadcast the address before attempting to receive on it\nChannel closed\n',
  {
    files: {
      'w.lua': `
      local inbox, pipe = require 'inbox', require 'pipe'
      local m = inbox:receive()
      -- The rest is on its way, or here.
      pipe.read_stream.new(m.wait):read_some(byte_span.new(1))
      `,
    },
  },
);

spec(
  'an address that is forgotten in another thread is found to be',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './w', inherit_context = false}
  w:send(inbox)
  print(inbox:receive())
  print(select(2, pcall(inbox.receive, inbox)))
  w:close()
`,
  'x\nBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local function first() inbox:receive():send 'x' end
      first()
      pcall(inbox.receive, inbox)
      `,
    },
  },
);

spec(
  'requests to another thread: many at once, late, to nobody',
  `
  local w = spawn_vm{module = './w', inherit_context = false}
  local f = {}
  for i = 1, 200 do f[i] = spawn(function() return w:request(i) end) end
  local sum = 0
  for i = 1, 200 do sum = sum + f[i]:join() end
  print(sum)
  print(select(2, pcall(w.request, w, 'late', 0.01)))
  print(select(2, pcall(w.request, w, 'never')))
  print(w:request 'still there')
  w:send 'end'
  print(select(2, pcall(w.request, w, 1, 60)))
`,
  '40200\nConnection timed out\nChannel closed\nstill there\nChannel closed\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local late
      while true do
        local m = inbox:receive()
        if m == 'end' then return end
        if type(m.request) == 'number' then m.reply:send(m.request * 2)
        elseif m.request == 'late' then late = m.reply
        elseif m.request == 'never' then m.reply:close()
        else
          pcall(late.send, late, 'too late')
          m.reply:send(m.request)
        end
      end
      `,
    },
  },
);

spec(
  'an actor that is watched and forgotten keeps its address: who gets it again later has the same',
  `
  local inbox = require 'inbox'
  local keeper, w = spawn_vm{module = './keeper', inherit_context = false}, spawn_vm{module = './w', inherit_context = false}
  w:monitor()
  w:send{keeper = keeper, home = inbox}
  keeper:send(inbox)
  print(inbox:receive())
  w:close()
  w = nil
  keeper:send 'give'
  w = inbox:receive()
  w:send 'end'
  local m = inbox:receive()
  print(m.down, m.reason, m.channel == w)
  -- Many that are not even waited for.
  for i = 1, 50 do
    local c = spawn_vm{module = './keeper', inherit_context = i % 10 > 0}
    c:monitor()
    c:close()
  end
  local down = 0
  for i = 1, 50 do if inbox:receive().down then down = down + 1 end end
  print(down)
  keeper:close()
`,
  'ready\ntrue\tnil\ttrue\n50\n',
  {
    files: {
      'keeper.lua': `
      local inbox = require 'inbox'
      local ok, first = pcall(inbox.receive, inbox)
      if not ok then return end
      local second = inbox:receive()
      local home, kept = first, second
      if type(first) == 'table' then home, kept = second, first end
      home:send 'ready'
      inbox:receive()
      home:send(kept.w)
      kept.w:close()
      kept = nil
      pcall(inbox.receive, inbox)
      `,
      'w.lua': `
      local inbox = require 'inbox'
      local m = inbox:receive()
      m.keeper:send{w = inbox}
      m.keeper:close()
      assert(inbox:receive() == 'end')
      `,
    },
  },
);

// ── descriptors, IO and processes ──────────────────────────────────────────────────────────────────

spec(
  'a thread has IO of its own: sockets, files, names, timers; what it sends is closed once',
  `
  local inbox, ip, stream = require 'inbox', require 'ip', require 'stream'
  local w = spawn_vm{module = './w', inherit_context = false}
  w:send(inbox)
  local port = inbox:receive()
  local s = ip.tcp.socket.new()
  s:connect(ip.address.loopback_v4(), port)
  stream.write_all(s, 'over tcp')
  local b = byte_span.new(8)
  stream.read_all(s, b)
  print(b)
  s:close()
  print(inbox:receive(), inbox:receive())
`,
  'OVER TCP\nlocalhost\ttrue\n',
  {
    files: {
      'w.lua': `
      local inbox, ip, stream, time = require 'inbox', require 'ip', require 'stream', require 'time'
      local file, fs = require 'file', require 'filesystem'
      local home = inbox:receive()
      local a = ip.tcp.acceptor.new()
      a:open(ip.address.loopback_v4())
      a:bind(ip.address.loopback_v4(), 0)
      a:listen()
      home:send(a.local_port)
      local s = a:accept()
      local b = byte_span.new(8)
      stream.read_all(s, b)
      time.sleep(0.001)
      stream.write_all(s, tostring(b):upper())
      s:close()
      a:close()
      home:send(#ip.tcp.get_address_info('127.0.0.1', '80') > 0 and 'localhost' or 'none')
      home:send(fs.is_directory(fs.path.new('/')))
      `,
    },
  },
);

spec(
  'channels of processes cross threads, and channels of threads reach processes',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './w', inherit_context = false}
  local child = spawn_vm{module = './child', subprocess = {stderr = 'share'}}
  w:send{home = inbox, child = child}
  print(inbox:receive())
  -- The process answers to the thread itself, and that to here.
  child:send{to = w, text = 'from here'}
  print(inbox:receive())
  child:close()
  w = nil
`,
  'by the thread\nfrom here\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local m = inbox:receive()
      m.child:send{to = inbox, text = 'by the thread'}
      for i = 1, 2 do m.home:send(inbox:receive()) end
      m.child:close()
      `,
      'child.lua': `
      local inbox = require 'inbox'
      for i = 1, 2 do
        local m = inbox:receive()
        m.to:send(m.text)
      end
      `,
    },
  },
);

// ── life and death ─────────────────────────────────────────────────────────────────────────────────

spec(
  'new_master in another thread: the role goes over, and the exit code with it',
  `
  local inbox, fs = require 'inbox', require 'filesystem'
  local w = spawn_vm{module = './w', inherit_context = false, new_master = true}
  print(select(2, pcall(spawn_vm, {module = './w', new_master = true})))
  print(select(2, pcall(fs.current_working_directory, fs.path.new('/'))))
  print(w:request 'go')
`,
  'Operation not permitted\nOperation not permitted\ntrue\n',
  {
    files: {
      'w.lua': `
      local inbox, fs = require 'inbox', require 'filesystem'
      local m = inbox:receive()
      fs.current_working_directory(fs.current_working_directory())
      local mask = fs.umask(18)
      m.reply:send(fs.umask(mask) == 18)
      `,
    },
  },
);

test('threads start in a working directory that has been removed', { skip }, async () => {
  const { stdout, stderr } = await runProgram(`
    local inbox, fs = require 'inbox', require 'filesystem'
    if _CONTEXT == 'worker' then
      inbox:receive():send(tostring(select(2, pcall(fs.current_working_directory))))
      return
    end
    local gone = _FILE.parent_path / 'gone'
    fs.create_directory(gone)
    fs.current_working_directory(gone)
    fs.remove(gone)
    spawn_vm{module = '.', inherit_context = false}:send(inbox)
    print(inbox:receive())
    spawn_context_threads(1)
    for i = 1, 2 do
      spawn_vm('.'):send(inbox)
      print(inbox:receive())
    end
  `);
  assert.deepEqual([stdout, stderr], ['No such file or directory\n'.repeat(3), '']);
});

test('the exit code of a master in another thread is the process’s', { skip }, async () => {
  const { stdout, code } = await runProgram(
    `
    local inbox, system = require 'inbox', require 'system'
    if _CONTEXT == 'worker' then
      inbox:receive():send(system.arguments[3])
      print 'last'
      system.exit(7)
    end
    spawn_vm{module = '.', inherit_context = false, new_master = true}:send(inbox)
    print(inbox:receive())
    `,
    { args: ['argument'] },
  );
  assert.equal(stdout.split('\n').sort().join(' '), ' argument last');
  assert.equal(code, 7);
});

test('a thread that dies leaves no descriptor open, and no child', { skip }, async () => {
  const { stdout } = await runProgram(
    `
    local inbox, fs, unix = require 'inbox', require 'filesystem', require 'unix'
    local file, system, time = require 'file', require 'system', require 'time'
    if _CONTEXT == 'worker' then
      local home, dies = inbox:receive(), inbox:receive()
      if not dies then return end
      local near, far = unix.stream.socket.pair()
      local kept = {
        near, unix.datagram.socket.pair(), unix.seqpacket.socket.pair(),
        file.stream.new(), file.random_access.new(),
        fs.directory_iterator(fs.path.new('/proc/self')),
        spawn_vm{module = '.', subprocess = {}},
        system.spawn{program = 'sleep', arguments = {'sleep', '600'}},
        system.spawn{program = 'sleep', arguments = {'sleep', '600'}, signal_on_gcreaper = 0, pdeathsig = 9},
      }
      kept[4]:open(_FILE, {'read_only'})
      kept[5]:open(_FILE, {'read_only'})
      home:send{far = far:release(), children = {kept[#kept - 1].pid, kept[#kept].pid}}
      local t = {}
      while true do t[#t + 1] = {#t} end
    end

    local function open()
      local n = 0
      for _ in fs.directory_iterator(fs.path.new('/proc/self/fd')) do n = n + 1 end
      return n
    end
    local function soon(holds)
      for _ = 1, 2000 do
        if holds() then return true end
        time.sleep(0.1)
      end
      return false
    end
    local function run(dies)
      local w = spawn_vm{module = '.', inherit_context = false}
      w:monitor()
      w:send(inbox)
      w:send(dies)
      local sent = dies and inbox:receive()
      local reason
      if dies then
        local far = unix.stream.socket.new()
        far:assign(sent.far)
        print(select(2, pcall(far.read_some, far, byte_span.new(8))))
        far:close()
      end
      print(inbox:receive().reason)
      return dies and sent.children
    end
    run(false)
    local before
    soon(function() -- it takes its own leave first
      local last = before
      before = open()
      return last == before
    end)
    local children = run(true)
    for _, pid in ipairs(children) do
      print(soon(function() return not fs.exists(fs.path.new('/proc/' .. pid)) end))
    end
    print(soon(function() return open() <= before end))
    `,
    {
      env: { NODE_OPTIONS: '--max-old-space-size=60' },
    },
  );
  assert.equal(stdout, 'nil\nEnd of file\nout of memory\ntrue\ntrue\ntrue\n');
});

test('memory that runs out in a thread ends its VMs, and nobody else', { skip }, async () => {
  const { stdout, code } = await runProgram(
    `
    local inbox = require 'inbox'
    if _CONTEXT == 'worker' then
      local home = inbox:receive()
      home:send 'begins'
      local t = {}
      while true do t[#t + 1] = {#t} end
    end
    local w = spawn_vm{module = '.', inherit_context = false}
    w:monitor()
    w:send(inbox)
    print(inbox:receive())
    print(inbox:receive().reason)
    print(select(2, pcall(w.send, w, 1)))
    `,
    { env: { NODE_OPTIONS: '--max-old-space-size=60' } },
  );
  assert.equal(stdout, 'begins\nout of memory\nChannel closed\n');
  assert.equal(code, 0);
});

test('what a thread whose memory has run out had of others is nobody’s: addresses, and room for messages on their way', {
  skip,
}, async () => {
  const mark = join(tmpdir(), `perilune-mark-${process.pid}`);
  const outcome = await runProgram(
    `
      local inbox, time, fs = require 'inbox', require 'time', require 'filesystem'
      local mark = fs.path.new(require('system').arguments[3])
      if _CONTEXT == 'worker' then
        local order = inbox:receive()
        if order.to then
          for _ = 1, 12 do
            spawn(function() order.to:send(('x'):rep(60 * 1024)) end):detach()
          end
          order.home:send 'sending'
          local t = {}
          while true do t[#t + 1] = {#t} end
        end
        -- Nothing of its ring is read meanwhile: there is no room for all.
        inbox.high_water = 11
        local home = order.home
        home:send 'busy'
        while not fs.exists(mark) do end
        local got, e = 0
        while true do
          local ok, m = pcall(inbox.receive, inbox)
          if not ok then e = m break end
          got = got + 1
        end
        home:send{got = got, e = tostring(e)}
        return
      end
      local keeper = spawn(function() time.sleep(60) end) -- something goes on all the time
      local reader = spawn_vm{module = '.', inherit_context = false}
      local sender = spawn_vm{module = '.', inherit_context = false}
      sender:monitor()
      reader:send{home = inbox}
      print(inbox:receive())
      sender:send{to = reader, home = inbox}
      reader:close()
      print(inbox:receive())
      print(inbox:receive().reason)
      fs.create_directory(mark)
      local result = inbox:receive()
      print(result.got < 12, result.e)
      keeper:interrupt()
      keeper:join()
      `,
    {
      args: [mark],
      env: { NODE_OPTIONS: '--max-old-space-size=60' },
    },
  );
  rmdirSync(mark);
  assert.equal(
    outcome.stdout,
    'busy\nsending\nout of memory\ntrue\tBroadcast the address before attempting to receive on it\n',
  );
});

spec(
  'VMs of several threads that only wait for each other are reported, and end',
  `
  local inbox = require 'inbox'
  local w = spawn_vm{module = './w', inherit_context = false}
  w:send(inbox)
  inbox:receive()
  w:send 'never'
`,
  '',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local main = inbox:receive()
      inbox:receive()
      main:send 'never'
      `,
    },
    stderr:
      /^(Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x1 waits for rx-channel .*\n){2}$/,
  },
);

// Low marks, senders that are interrupted, addresses that are passed on and closed, receivers that leave.
for (const seed of [1, 2, 3]) {
  spec(
    `actors of several threads that know each other by chance, ${seed}: all come to their ends`,
    `
    local inbox = require 'inbox'
    if _CONTEXT == 'worker' then
      local start = inbox:receive()
      math.randomseed(start.seed)
      local known = {}
      local got = 0
      inbox.high_water = math.random(0, 4)
      -- sends to whoever it knows, with interruption
      local sender = spawn(function()
        local sent = 0
        while true do
          this_fiber.yield()
          if over then return end
          if #known > 0 then
            local to = known[math.random(#known)]
            local f = spawn(function() pcall(to.send, to, {ch = known[math.random(#known)], n = math.random(100), s = ('y'):rep(math.random(0, 2000))}) end)
            this_fiber.yield()
            if math.random(3) == 1 then f:interrupt() end
            pcall(f.join, f)
            sent = sent + 1
            if sent > 300 then return end
          end
        end
      end)
      while true do
        local ok, m = pcall(inbox.receive, inbox)
        if not ok then break end
        got = got + 1
        if m.ch then known[#known + 1] = m.ch end
        if #known > 5 then table.remove(known, 1) end
        if m.stop then break end
        if math.random(200) == 1 then
          break
        end
      end
      inbox:close()
      for _, c in ipairs(known) do c:close() end
      known = {}
      over = true
      sender:detach()
      return
    end
    local seed = ${seed}
    math.randomseed(seed)
    spawn_context_threads(2)
    local all, alive = {}, 0
    for i = 1, 12 do
      all[i] = spawn_vm{module = '.', inherit_context = i % 3 > 0}
      all[i]:monitor()
      all[i]:send{seed = seed * 100 + i}
      alive = alive + 1
    end
    local fibers = {}
    for i = 1, 12 do
      fibers[i] = spawn(function()
        for j = 1, 3 do pcall(all[i].send, all[i], {ch = all[math.random(12)]}) end
        for j = 1, 30 do this_fiber.yield() end
        pcall(all[i].send, all[i], {stop = true})
      end)
    end
    for i = 1, 12 do fibers[i]:join() end
    for i = 1, 12 do all[i]:close() end
    all = nil
    local down = 0
    while down < alive do local m = inbox:receive() if m.down then down = down + 1 end m.channel:close() end
    print('down', down)
`,
    'down\t12\n',
    { once: true },
  );
}

test('threads, one after the other, leave nothing', { skip }, async () => {
  const cycle = (n: number) =>
    runLua(
      `
      local inbox = require 'inbox'
      for i = 1, ${n} do
        local w = spawn_vm{module = './w', inherit_context = false}
        w:monitor()
        w:send{inbox}
        assert(inbox:receive() == 1)
        assert(inbox:receive().down)
      end
      print 'done'
      `,
      { files: { 'w.lua': `require('inbox'):receive()[1]:send(1)` } },
    );
  await cycle(5);
  const descriptors = openDescriptors().length;
  const memory = process.memoryUsage.rss();
  assert.equal((await cycle(50)).stdout, 'done\n');
  assert.equal(openDescriptors().length, descriptors);
  const grown = process.memoryUsage.rss() - memory;
  assert.ok(grown < 40 * 2 ** 20, `${grown >> 20} MB more`);
});
