/** Actors as programs see them: in one thread, and each in a thread of its own. */
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { spec as here, runLua, type SpecOptions } from '../support/spec.ts';
import { bundleThread, elsewhere } from '../support/threads.ts';
import { ECHO } from './programs.ts';

const hasThreads = nativeFailure() === undefined;
if (hasThreads) {
  await openReactor();
  await bundleThread();
  // Bells of threads stay.
  const [warmUp, options] = elsewhere(`for i = 1, 8 do spawn_vm './w' end`, {
    files: { 'w.lua': '' },
  });
  await runLua(warmUp, options);
}

interface Options extends SpecOptions {
  /** It is about the order in which VMs of a thread run, or about many of them. */
  oneThread?: boolean;
}

function spec(name: string, source: string, expected: string, options: Options = {}): void {
  here(name, source, expected, options);
  if (options.oneThread === true || !hasThreads) return;
  here(
    `${name}: in other threads`,
    elsewhere(source, options)[0],
    expected,
    elsewhere(source, options)[1],
  );
}

// ── making them ────────────────────────────────────────────────────────────────────────────────────

spec(
  'arrays arrive as they were when they were sent, without what is no element',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm './worker'
  local numbers, texts, mixed = {1, 2.5, -0.0, [0] = 'zero'}, {'a', 'b', [0] = 1}, {1, 'b', true, {2.5}}
  local holes = {1, 2, 3, 4}
  holes[2] = nil
  local many = {}
  for i = 1, 2000 do many[i] = i * 0.5 end
  numbers.name, texts.name = 'left out', 'left out'
  for _, array in ipairs{numbers, texts, mixed, many, holes, {1, print, 3}, {'a', 2, print}} do worker:send{from = inbox, array = array} end
  numbers[1], texts[1], mixed[4][1], many[2000] = 'changed', 'changed', 'changed', 'changed'
  for _ = 1, 7 do print(inbox:receive()) end
`,
  [
    '3\t1 2.5 -0\tnil\tnil\t7',
    '2\ta b\tnil\tnil\t7',
    '4\t1 b true 2.5\tnil\tnil\t7',
    '2000\t0.5 1 1.5 1000\tnil\tnil\t7',
    '1\t1\tnil\tnil\t7',
    '1\t1\tnil\tnil\t7',
    '2\ta 2\tnil\tnil\t7',
    '',
  ].join('\n'),
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      for _ = 1, 7 do
        local m = inbox:receive()
        local a, list = m.array, {}
        for i = 1, math.min(#a, 3) do list[i] = tostring(a[i]) end
        if #a > 3 then list[4] = tostring(type(a[#a]) == 'table' and a[#a][1] or a[#a]) end
        local length = #a
        a[length + 1] = 'more'
        a[1] = 7
        m.from:send(('%d\\t%s\\t%s\\t%s\\t%s'):format(length, table.concat(list, ' '), tostring(a[0]), tostring(a.name), tostring(a[1])))
      end
      `,
    },
  },
);

spec(
  'a message goes there, and the answer comes back',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm './worker'
  print(getmetatable(worker), getmetatable(inbox), type(worker), type(inbox))
  worker:send { from = inbox, n = 20 }
  print(inbox:receive())
  worker:send { from = inbox, n = 21 }
  print(inbox:receive())
`,
  'tx-channel\trx-channel\tuserdata\tuserdata\n6765\n10946\n',
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
      for i = 1, 2 do
        local m = inbox:receive()
        m.from:send(fib(m.n))
      end
      `,
    },
  },
);

spec(
  'spawn_vm returns at once; the new VM runs when others suspend',
  `
  print 'before'
  local c = spawn_vm './hello'
  print 'after'
  this_fiber.yield()
  print 'end'
`,
  'before\nafter\nhello from worker\nend\n',
  { oneThread: true, files: { 'hello.lua': `print('hello from ' .. _CONTEXT)` } },
);

spec(
  'its root module is a worker; modules that it requires are not; each VM loads its own',
  `
  local shared = require './shared'
  shared.count = shared.count + 1
  spawn_vm './worker'
  spawn_vm { module = './worker' }
  print('main', shared.count, shared.context)
`,
  'main\t2\t\nworker\t2\t\nworker\t2\t\n',
  {
    files: {
      'shared.lua': `count = 1 context = _CONTEXT`,
      'worker.lua': `
        local shared = require '../shared'
        shared.count = shared.count + 1
        print(_CONTEXT, shared.count, shared.context)
      `,
    },
  },
);

spec(
  'ids: the file itself, beside it, above it, from the root',
  `
  if _CONTEXT == 'worker' then print('itself') return end
  spawn_vm '.'
  this_fiber.yield()
  local dir = require './dir'
  dir.run()
`,
  'itself\nsibling\nup\nroot\nleaf\n',
  {
    oneThread: true,
    files: {
      'dir/init.lua': `
      function run()
        spawn_vm './sibling'
        this_fiber.yield()
        spawn_vm '../up'
        this_fiber.yield()
        spawn_vm '/dir/deep/root'
        this_fiber.yield()
        spawn_vm '/dir/deep/leaf'
      end
      `,
      'dir/sibling.lua': `print 'sibling'`,
      'up.lua': `print 'up'`,
      'dir/deep/root/init.lua': `print 'root' require './part'`,
      'dir/deep/root/part.lua': ``,
      'dir/deep/leaf.lua': `print(pcall(require, './part') and '?' or 'leaf')`,
    },
  },
);

spec(
  'ids that are wrong, or lead nowhere',
  `
  for _, id in ipairs { '', 'x', 'system', '.x', './x.y', '/', '/a//b', '../x', './missing', '/missing' } do
    local ok, e = pcall(spawn_vm, id)
    print(id, e, e.module)
  end
  local file = _FILE
  _FILE = nil
  print(select(2, pcall(spawn_vm, './x')))
`,
  [
    '\tCannot have a module with this name\t',
    'x\tCannot have a module with this name\tx',
    'system\tCannot have a module with this name\tsystem',
    '.x\tCannot have a module with this name\t.x',
    './x.y\tCannot have a module with this name\t./x.y',
    '/\tCannot have a module with this name\t/',
    '/a//b\tCannot have a module with this name\t/a//b',
    "../x\tThe root module doesn't have a parent and can't reference one\t../x",
    './missing\tModule not found\t./missing',
    '/missing\tModule not found\t/missing',
    'Global _FILE is missing or invalid',
    '',
  ].join('\n'),
);

spec(
  'options',
  `
  local function try(...)
    local ok, e = pcall(spawn_vm, ...)
    print(e, type(e) == 'table' and e.arg or nil)
  end
  try()
  try(nil)
  try(12)
  try(function() end)
  try {}
  try { module = 1 }
  spawn_vm { module = './w', unknown = 1, inherit_context = true, concurrency_hint = 1 }
  spawn_vm { module = './w', concurrency_hint = 'safe', new_master = false }
`,
  [
    ...Array(4).fill('Invalid argument\t1'),
    ...Array(2).fill('Invalid argument\tmodule'),
    'w',
    'w',
    '',
  ].join('\n'),
  { files: { 'w.lua': `print 'w'` } },
);

spec(
  'options of another type are no options',
  `
  local function try(options)
    local ok, e = pcall(spawn_vm, options)
    print(e, e.arg)
  end
  for _, wrong in ipairs { 'false', 0, {} } do
    try { module = './w', inherit_context = wrong }
    try { module = './w', new_master = wrong }
  end
  for _, wrong in ipairs { 'saf', '1', true, {} } do try { module = './w', concurrency_hint = wrong } end
  try { module = './w', concurrency_hint = 'x', subprocess = {} }
`,
  'Invalid argument\tinherit_context\nInvalid argument\tnew_master\n'.repeat(3) +
    'Invalid argument\tconcurrency_hint\n'.repeat(5),
  { oneThread: true, files: { 'w.lua': `print 'w'` } },
);

spec(
  'a module that cannot be compiled: the error is raised where the VM was to be made',
  `
  local ok, e = pcall(spawn_vm, './broken')
  print(ok, e, (e.message:gsub('^.*/', '')))
  print('goes on')
`,
  "false\tSyntax error\tbroken.lua:2: unexpected symbol near '='\ngoes on\n",
  { files: { 'broken.lua': 'local x = 1\nlocal y = = 2\n' } },
);

// ── what is sent ───────────────────────────────────────────────────────────────────────────────────

spec(
  'values arrive as they were sent',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  local function send(v)
    echo:send { from = inbox, value = v }
    return inbox:receive()
  end
  print(send(true), send(false), send(1.5), send(-0), send(1/0), send(''), send('a\\0b\\255') == 'a\\0b\\255')
  local nan = send(0/0)
  print(nan ~= nan)
  local long = ('x'):rep(1000000)
  print(send(long) == long)
  local t = send { 1, 2, { 'three', { four = 4 } } }
  print(#t, t[1], t[2], t[3][1], t[3][2].four)
  t = send { a = 1, b = { c = { d = 'deep' } }, __proto__ = 'p', ['constructor'] = 'c' }
  print(t.a, t.b.c.d, t.__proto__, t.constructor, t.toString, getmetatable(t))
  print(next(send {}))
`,
  'true\tfalse\t1.5\t0\tinf\t\ttrue\ntrue\ntrue\n3\t1\t2\tthree\t4\n1\tdeep\tp\tc\tnil\tnil\nnil\n'.replace(
    '1.5\t0',
    '1.5\t-0',
  ),
  { files: { 'echo.lua': ECHO } },
);

spec(
  'tables are copied when they are sent; the same one twice becomes two',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  local t = { 1, 2 }
  echo:send { from = inbox, value = { t, t } }
  t[1] = 'changed'
  local copy = inbox:receive()
  print(copy[1][1], copy[2][1], copy[1] == copy[2])
`,
  '1\t1\tfalse\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'what cannot be sent at all',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  local function try(...)
    local ok, e = pcall(echo.send, echo, ...)
    print(ok, e, type(e) == 'table' and e.arg or nil)
  end
  try()
  try(nil)
  try(print)
  try(coroutine.create(print))
  try(setmetatable({}, {}))
  try(byte_span.new(1))
  try(require('json').null)
  local cycle = {}
  cycle.inner = { cycle }
  try(cycle)
  local deep = {}
  for i = 1, 2000 do deep = { deep } end
  try(deep)
  local closed = spawn_vm './echo'
  closed:close()
  try(closed)
  print(pcall(echo.send, 1, 2))
  print(select(2, pcall(echo.send, inbox, 2)))
`,
  [
    ...Array(5).fill('false\tInvalid argument\t2'),
    ...Array(2).fill('false\tOperation not supported\tnil'),
    'false\tReference cycle exists\tnil',
    'false\tToo many levels\tnil',
    'false\tInvalid argument\t2',
    'false\tInvalid argument',
    'Invalid argument',
    '',
  ].join('\n'),
  { files: { 'echo.lua': ECHO } },
);

spec(
  'inside of tables, what cannot be sent is left out; an array ends there',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  local function send(v)
    echo:send { from = inbox, value = v }
    return inbox:receive()
  end
  local t = send { f = print, n = 1, m = setmetatable({}, {}), s = byte_span.new(1), null = require('json').null, [3] = 3, [true] = 4 }
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = tostring(k) end
  print(#keys, keys[1], t.n)
  t = send { 1, 2, print, 4, key = 'dropped' }
  print(#t, t[2], t[4], t.key)
  t = send { 'a', nested = 1 }
  print(#t, t[1], t.nested)
  print(#send { print, 1 })
`,
  '1\tn\t1\n2\t2\tnil\tnil\n1\ta\tnil\n0\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'VMs share nothing: tables, metatables, globals, modules',
  `
  local inbox = require 'inbox'
  string.upper = nil
  table.insert = 'changed'
  string.added = 1
  getmetatable('').__index.from_main = 1
  math.pi = 3
  bit.bxor = nil
  coroutine.wrap = nil
  print_ = print
  require('generic_error')
  require('stream').read_all = nil
  require('json').decode = nil
  spawn_vm('./look'):send(inbox)
  print(inbox:receive())
`,
  'clean\n',
  {
    files: {
      'look.lua': `
      local inbox = require 'inbox'
      assert(string.upper('a') == 'A' and type(table.insert) == 'function' and string.added == nil)
      assert(('').from_main == nil and math.pi > 3.14 and bit.bxor(1, 3) == 2 and coroutine.wrap ~= nil)
      assert(print_ == nil and require('stream').read_all ~= nil and require('json').decode('1') == 1)
      inbox:receive():send('clean')
      `,
    },
  },
);

// ── addresses ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'channels travel in messages: any graph of actors can be built',
  `
  local inbox = require 'inbox'
  local ring = {}
  for i = 1, 5 do ring[i] = spawn_vm './node' end
  for i = 1, 5 do ring[i]:send { id = i, next = ring[i % 5 + 1], main = inbox } end
  ring[1]:send(12)
  print(inbox:receive())
`,
  'node 3 has it\n',
  {
    files: {
      'node.lua': `
      local inbox = require 'inbox'
      local me = inbox:receive()
      while true do
        local ok, left = pcall(inbox.receive, inbox)
        if not ok then return end
        if left == 0 then me.main:send('node ' .. me.id .. ' has it') return end
        if not pcall(me.next.send, me.next, left - 1) then return end
      end
      `,
    },
  },
);

spec(
  'channels to the same VM are equal, and are read-only',
  `
  local inbox = require 'inbox'
  local a, b = spawn_vm './echo', spawn_vm './echo'
  a:send { from = inbox, value = { a = a, b = b, me = inbox } }
  local got = inbox:receive()
  print(got.a == a, got.b == b, got.a == b, rawequal(got.a, a), getmetatable(got.me))
  print(pcall(function() a.x = 1 end))
  print(pcall(function() return a.child_pid end))
  print(pcall(function() inbox.x = 1 end))
  print(pcall(function() return a.kill end))
  got.me:send('to myself')
  print(inbox:receive())
`,
  'true\ttrue\tfalse\tfalse\ttx-channel\n' +
    'false\tOperation not permitted\n' +
    "false\tRequested key wasn't found in the table/userdata\n" +
    'false\tOperation not permitted\n' +
    "false\tRequested key wasn't found in the table/userdata\n" +
    'to myself\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'close: this handle only; sending on it is channel_closed, closing it again nothing',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  echo:send { from = inbox, value = echo }
  local other = inbox:receive()
  echo:close()
  echo:close()
  print(select(2, pcall(echo.send, echo, 1)))
  print(echo == other)
  other:send { from = inbox, value = 'still there' }
  print(inbox:receive())
`,
  'Channel closed\ntrue\nstill there\n',
  { files: { 'echo.lua': ECHO } },
);

// ── the inbox ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'receive without anybody who could send',
  `
  local inbox = require 'inbox'
  print(select(2, pcall(inbox.receive, inbox)))
  inbox:close()
  inbox:close()
  print(select(2, pcall(inbox.receive, inbox)))
`,
  'Broadcast the address before attempting to receive on it\nChannel closed\n',
);

spec(
  'receive: what is queued first; then that the last sender has gone',
  `
  local w = spawn_vm './w'
  for i = 1, 3 do w:send(i) end
  w:close()
`,
  '1\n2\n3\nBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      for i = 1, 3 do print(inbox:receive()) end
      print(select(2, pcall(inbox.receive, inbox)))
      `,
    },
  },
);

spec(
  'the last sender goes while the receiver waits: closed, ended, or forgotten',
  `
  local how = ...
  local a, b, c = spawn_vm './w', spawn_vm './w', spawn_vm './w'
  a:send('closed') b:send('forgotten') c:send('ended')
  this_fiber.yield()
  a:close()
  this_fiber.yield()
  b = nil
  for i = 1, 10 do collectgarbage() require('time').sleep(0.001) end
`,
  'closed\tBroadcast the address before attempting to receive on it\nforgotten\tBroadcast the address before attempting to receive on it\nended\tBroadcast the address before attempting to receive on it\n',
  {
    oneThread: true,
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local name = inbox:receive()
      print(name, select(2, pcall(inbox.receive, inbox)))
      `,
    },
  },
);

spec(
  'two fibers cannot receive at once',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  echo:send { from = inbox, value = inbox }
  local me = inbox:receive()
  local f = spawn(function() return inbox:receive() end)
  this_fiber.yield()
  print(select(2, pcall(inbox.receive, inbox)))
  me:send('x')
  print(f:join())
  f = spawn(function() return pcall(inbox.receive, inbox) end)
  this_fiber.yield()
  inbox:close()
  print(f:join())
  print(select(2, pcall(me.send, me, 1)))
`,
  'Device or resource busy\nx\nfalse\tChannel closed\nChannel closed\n',
  { files: { 'echo.lua': ECHO } },
);

spec(
  'a VM whose main fiber ends without having imported its inbox takes no messages',
  `
  local deaf, listening = spawn_vm './deaf', spawn_vm './listening'
  deaf:send('lost')
  print(select(2, pcall(deaf.send, deaf, 1)))
  listening:send('heard')
`,
  'Channel closed\nheard\n',
  {
    oneThread: true,
    files: {
      'deaf.lua': `local time = require 'time' spawn(function() time.sleep(0.01) end):detach()`,
      'listening.lua': `local inbox = require 'inbox' spawn(function() print(inbox:receive()) end):detach()`,
    },
    once: true,
  },
);

spec(
  'interrupting a receive loses no message; an interrupted send has not been sent',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  echo:send { from = inbox, value = inbox }
  local me = inbox:receive()
  local f = spawn(function() inbox:receive() end)
  this_fiber.yield()
  f:interrupt()
  me:send('kept')
  f:join()
  print(f.interruption_caught, inbox:receive())
  f = spawn(function() return inbox:receive() end)
  this_fiber.yield()
  spawn(function() me:send('delivered') end):detach()
  spawn(function() f:interrupt() end):detach()
  print(f:join())

  inbox.high_water = 1
  me:send('first')
  local s = spawn(function() me:send('second') end)
  local t = spawn(function() me:send('third') end)
  this_fiber.yield()
  print(#inbox)
  s:interrupt()
  s:join()
  print(s.interruption_caught, inbox:receive(), inbox:receive(), #inbox)
  t:join()
  print(pcall(function()
    this_fiber.disable_interruption()
  end))
`,
  'true\tkept\ndelivered\n1\ttrue\tfirst\tthird\t0\ntrue\n'.replace(
    '1\ttrue\tfirst',
    '1\ntrue\tfirst',
  ),
  { files: { 'echo.lua': ECHO } },
);

spec(
  'high_water: senders wait, and go on in the order in which they came',
  `
  local inbox = require 'inbox'
  local w = spawn_vm './w'
  print(inbox.high_water)
  w:send { main = inbox }
  inbox:receive()
  local sent = 0
  local fibers = {}
  for i = 1, 10 do fibers[i] = spawn(function() w:send(i) sent = sent + 1 end) end
  for i = 1, 50 do this_fiber.yield() end
  print('sent', sent)
  w:send('go')
  for _, f in ipairs(fibers) do f:join() end
  print('sent', sent)
  for _, bad in ipairs { -1, 1.5, 'x', 0/0 } do print(pcall(function() inbox.high_water = bad end)) end
  inbox.high_water = math.huge
  print(inbox.high_water)
`,
  '4096\nsent\t3\nreceived 1 2 3 4 5 6 7 8 9 10 go\nsent\t10\n' +
    'false\tInvalid argument\n'.repeat(4) +
    'inf\n',
  {
    oneThread: true,
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local first = inbox:receive()
      inbox.high_water = 3
      first.main:send('ready')
      require('time').sleep(0.02)
      local got = {}
      repeat got[#got + 1] = tostring(inbox:receive()) until got[#got] == 'go'
      print('received ' .. table.concat(got, ' '))
      `,
    },
    once: true,
  },
);

spec(
  'high_water 0: whoever waits for a message gets it',
  `
  local inbox = require 'inbox'
  local w = spawn_vm './w'
  w:send(inbox)
  print(inbox:receive())
  for i = 1, 20 do this_fiber.yield() end
  w:send('handed over')
  print(inbox:receive())
  for i = 1, 3 do w:send(i) end
  print(inbox:receive())
`,
  'ready\nhanded over\n1 2 3\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      inbox.high_water = 0
      local home = inbox:receive()
      home:send('ready')
      home:send(inbox:receive())
      home:send(inbox:receive() .. ' ' .. inbox:receive() .. ' ' .. inbox:receive())
      `,
    },
  },
);

spec(
  'who waits to send through a handle that is closed hears it; others do not, and what was not sent is given back',
  `
  local inbox = require 'inbox'
  local w = spawn_vm './w'
  w:send(inbox)
  local question = inbox:receive()
  local r, s = require('pipe').pair()
  local fd = s:release()
  local waiting = {}
  for i, message in ipairs { 'not this', { fd } } do
    waiting[i] = spawn(function() print(i, pcall(w.send, w, message)) end)
  end
  local other = spawn(function() question.request:send('this') end)
  for i = 1, 20 do this_fiber.yield() end
  w:close()
  waiting[1]:join()
  waiting[2]:join()
  r:close()
  fd:close()
  question.reply:send('go on')
  print(inbox:receive())
  other:join()
`,
  '1\tfalse\tChannel closed\n2\tfalse\tChannel closed\nthis\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      inbox.high_water = 0
      local home = inbox:receive()
      home:request(inbox)
      home:send(inbox:receive())
      `,
    },
  },
);

spec(
  'fan-in from many senders: nothing lost or doubled, the order of each kept',
  `
  local inbox = require 'inbox'
  inbox.high_water = 8
  local senders = 100
  for i = 1, senders do spawn_vm('./sender'):send { to = inbox, id = i } end
  local last, total = {}, 0
  for i = 1, senders * 20 do
    local m = inbox:receive()
    assert(m.n == (last[m.id] or 0) + 1)
    last[m.id] = m.n
    total = total + 1
  end
  for i = 1, senders do assert(last[i] == 20) end
  print(total, select(2, pcall(inbox.receive, inbox)))
`,
  '2000\tBroadcast the address before attempting to receive on it\n',
  {
    oneThread: true,
    files: {
      'sender.lua': `
      local m = require('inbox'):receive()
      for n = 1, 20 do m.to:send { id = m.id, n = n } end
      `,
    },
  },
);

// ── life and death ─────────────────────────────────────────────────────────────────────────────────

spec(
  'an error of its main fiber ends the VM, and nobody else',
  `
  local inbox = require 'inbox'
  local w = spawn_vm './w'
  w:send(inbox)
  print(inbox:receive())
  print(select(2, pcall(inbox.receive, inbox)))
  print(select(2, pcall(w.send, w, 1)))
`,
  'hello\nBroadcast the address before attempting to receive on it\nChannel closed\n',
  {
    files: {
      'w.lua': `
      local main, time = require('inbox'):receive(), require 'time'
      spawn(function() time.sleep(1000) end):detach()
      main:send('hello')
      error('broken')
      `,
    },
    stderr: /^Main fiber from VM 0x[0-9a-f]+ panicked: '\S*w.lua:5: broken'\nstack traceback:\n/,
  },
);

spec(
  'a timer gets its turn beside hundreds of VMs that never rest',
  `
  local inbox, time = require 'inbox', require 'time'
  for id = 1, 300 do
    local w = spawn_vm './sender'
    w:send(inbox)
    w:close()
  end
  local got, turns = 0, 0
  spawn(function()
    for i = 1, 5 do
      time.sleep(0)
      turns = turns + 1
    end
  end):detach()
  -- Each message wakes its sender. This is not about time, but about how many come in between.
  while turns < 5 and got < 200000 do
    inbox:receive()
    got = got + 1
  end
  print(got < 100000 or got)
  inbox:close()
`,
  'true\n',
  {
    oneThread: true,
    once: true,
    files: {
      'sender.lua': `
      local home = require('inbox'):receive()
      while pcall(home.send, home, 1) do end
      `,
    },
  },
);

spec(
  'what ends a wait has the traceback of who waits, not of who caused it',
  `
  local inbox = require 'inbox'
  local waits = spawn_vm './waits'
  waits:send(inbox)
  inbox:receive()
  local function let_go() waits:close() end
  let_go()
`,
  '',
  {
    files: {
      'waits.lua': `
      local inbox = require 'inbox'
      inbox:receive():send 'ready'
      local function wait()
        local got = inbox:receive()
        return got
      end
      local got = wait()
      `,
    },
    stderr:
      /^Main fiber from VM 0x[0-9a-f]+ panicked: 'Broadcast the address before attempting to receive on it'\nstack traceback:\n\t\S*waits\.lua:5: in function 'wait'\n\t\S*waits\.lua:8: in main chunk\n$/,
  },
);

spec(
  'strings of 1 GB can be neither made nor sent; one of 8 MB can',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm './echo'
  print(pcall(string.rep, 'x', 2^30))
  local long = ('0123456789abcdef'):rep(2^19)
  print(pcall(function() return long:rep(128) end))
  echo:send{from = inbox, value = long}
  print(inbox:receive() == long)
`,
  'false\tnot enough memory\nfalse\tnot enough memory\ntrue\n',
  { once: true, files: { 'echo.lua': ECHO } },
);

spec(
  'fairness: each of two thousand senders gets its turn',
  `
  local inbox = require 'inbox'
  inbox.high_water = 10
  local SENDERS = 2000
  for id = 1, SENDERS do
    local w = spawn_vm './sender'
    w:send{to = inbox, id = id}
    w:close()
  end
  local counts = {}
  for i = 1, 10 * SENDERS do
    local id = inbox:receive()
    counts[id] = (counts[id] or 0) + 1
  end
  local least, most = math.huge, 0
  for id = 1, SENDERS do
    least, most = math.min(least, counts[id] or 0), math.max(most, counts[id] or 0)
  end
  print(least >= 5 or least, most <= 20 or most)
  inbox:close()
`,
  'true\ttrue\n',
  {
    oneThread: true,
    once: true,
    files: {
      'sender.lua': `
      local m = require('inbox'):receive()
      while pcall(m.to.send, m.to, m.id) do end
      `,
    },
  },
);

spec(
  'system.exit ends the calling VM; the process has the code of the master',
  `
  local system = require 'system'
  local w = spawn_vm './w'
  w:send(1)
  system.exit(7)
`,
  'worker 1\nstill there\n',
  {
    code: 7,
    files: {
      'w.lua': `
      local system = require 'system'
      print('worker ' .. require('inbox'):receive())
      print(pcall(system.exit, 3, { force = 2 }) and 'exited' or 'still there')
      system.exit(3)
      print('never')
      `,
    },
  },
);

spec(
  'new_master: the role goes over, once',
  `
  local inbox = require 'inbox'
  local w = spawn_vm { module = './w', new_master = true }
  print(select(2, pcall(spawn_vm, { module = './w', new_master = true })))
  print(select(2, pcall(require('system').exit, 1, { force = 0 })))
  w:send(inbox)
  print(inbox:receive())
`,
  'Operation not permitted\nOperation not permitted\nmaster\n',
  {
    files: {
      'w.lua': `
      local main = require('inbox'):receive()
      main:send('master')
      `,
    },
  },
);

spec(
  'messages that nobody received give back the addresses in them',
  `
  local inbox = require 'inbox'
  local w = spawn_vm './w'
  w:send { main = inbox }
  w:send { main = inbox }
  print(inbox:receive())
  print(select(2, pcall(inbox.receive, inbox)))
`,
  'one\nBroadcast the address before attempting to receive on it\n',
  {
    files: { 'w.lua': `require('inbox'):receive().main:send('one')` },
  },
);

spec(
  'VMs that only wait for each other are reported, and end',
  `
  local inbox = require 'inbox'
  local a = spawn_vm './w'
  a:send(inbox)
  inbox:receive()
  a:send('never')
`,
  '',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local main = inbox:receive()
      inbox:receive()
      main:send('never')
      `,
    },
    stderr:
      /^Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x1 waits for rx-channel 0x[0-9a-f]+ at main\.lua:5\nPossible deadlock/,
  },
);

spec(
  'a fiber of another VM that waits for a mutex for ever does not keep its VM alive',
  `
  local inbox = require 'inbox'
  spawn_vm('./w'):send(inbox)
  print(inbox:receive())
  print(select(2, pcall(inbox.receive, inbox)))
`,
  'waiting\nBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'w.lua': `
      local main = require('inbox'):receive()
      local m = require('mutex').new()
      m:lock()
      main:send('waiting')
      m:lock()
      `,
    },
    stderr:
      /^Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x1 waits for mutex/,
  },
);

spec(
  'a thousand VMs one after the other, and alive at once',
  `
  local inbox = require 'inbox'
  for i = 1, 300 do
    local w = spawn_vm './echo'
    w:send { from = inbox, value = i }
    assert(inbox:receive() == i)
    w:close()
  end
  local all = {}
  for i = 1, 300 do all[i] = spawn_vm './echo' end
  for i = 1, 300 do all[i]:send { from = inbox, value = i } end
  local sum = 0
  for i = 1, 300 do sum = sum + inbox:receive() end
  print(sum)
`,
  '45150\n',
  { oneThread: true, files: { 'echo.lua': ECHO }, once: true },
);

// ── beyond the reference ───────────────────────────────────────────────────────────────────────────

spec(
  'monitor: a death arrives as a message, with its reason',
  `
  local inbox = require 'inbox'
  local good, bad = spawn_vm './good', spawn_vm './bad'
  good:monitor()
  bad:monitor()
  local reasons = {}
  for i = 1, 2 do
    local m = inbox:receive()
    assert(m.down)
    reasons[m.channel == good and 'good' or m.channel == bad and 'bad'] = tostring(m.reason):gsub('^.*/', '')
  end
  print(reasons.good, reasons.bad)
  -- Of one that is dead already, too.
  good:monitor()
  print(inbox:receive().reason)
  good:close()
  print(select(2, pcall(good.monitor, good)))
`,
  'nil\tbad.lua:1: oops\nnil\nChannel closed\n',
  { files: { 'good.lua': '', 'bad.lua': `error 'oops'` }, stderr: /oops/ },
);

spec(
  'request: an answer, a late one, none',
  `
  local w = spawn_vm './w'
  print(w:request { add = { 1, 2 } })
  print(w:request { add = { 3, 4 } }, w:request('text'))
  print(select(2, pcall(w.request, w, { silent = true }, 0.005)))
  print(select(2, pcall(w.request, w, { drop = true })))
  print(select(2, pcall(w.request, w, { twice = true }, 10)))
  local f = spawn(function() w:request { silent = true } end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  print(select(2, pcall(w.request, w)), select(2, pcall(w.request, w, 1, -1)), select(2, pcall(w.request, w, print)))
  print(w:request { add = { 5, 6 } })
  w:close()
  print(select(2, pcall(w.request, w, 1)))
`,
  '3\n7\ttext\nConnection timed out\nChannel closed\nfirst\ntrue\nInvalid argument\tNumerical argument out of domain\tInvalid argument\n11\nChannel closed\n',
  {
    files: {
      'w.lua': `
      local inbox = require 'inbox'
      local kept = {}
      while true do
        local ok, m = pcall(inbox.receive, inbox)
        if not ok then return end
        local r = m.request
        if r == 'text' then m.reply:send(r)
        elseif r.add then m.reply:send(r.add[1] + r.add[2])
        elseif r.silent then kept[#kept + 1] = m
        elseif r.drop then m.reply:close()
        elseif r.twice then
          m.reply:send('first')
          print(pcall(m.reply.send, m.reply, 'second') == false or nil)
        end
      end
      `.replace(
        /print\(pcall\(m.reply.send, m.reply, 'second'\).*\n/,
        "pcall(m.reply.send, m.reply, 'second')\n",
      ),
    },
  },
);
