/**
 * What actors do wherever they live: in the thread of their maker, in another, and in a process of their own. Each program
 * calls `actor(id)` for the options of `spawn_vm`.
 */
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';
import { bundleThread } from '../support/threads.ts';
import { ECHO, WRITER } from './programs.ts';

const HOMES = {
  'in the thread': `local function actor(id) return {module = id} end\n`,
  'in another thread': `local function actor(id) return {module = id, inherit_context = false} end\n`,
  'in a process': `local function actor(id)
    return {module = id, subprocess = {stderr = 'share'}}
  end\n`,
} as const;

if (nativeFailure() === undefined) {
  await openReactor();
  await bundleThread();
  // The supervisor, and its socket, come with the first one.
  await runLua(`spawn_vm{module = './w', subprocess = {}}`, { files: { 'w.lua': '' } });
  // So do the bells of threads, which they keep.
  await runLua(`for i = 1, 5 do spawn_vm{module = './w', inherit_context = false} end`, {
    files: { 'w.lua': '' },
  });
}

function everywhere(
  name: string,
  source: string,
  expected: string | RegExp,
  options: SpecOptions = {},
) {
  for (const [home, prelude] of Object.entries(HOMES)) {
    if (home !== 'in the thread' && nativeFailure() !== undefined) continue;
    spec(`${name}: ${home}`, prelude + source, expected, options);
  }
}

everywhere(
  'a message goes there, and the answer comes back',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm(actor './echo')
  for _, value in ipairs{1, -0.5, 1/0, 'text', '', '\\0\\255', true, false} do
    echo:send{from = inbox, value = value}
    local got = inbox:receive()
    print(type(got), got == value)
  end
  echo:send{from = inbox, value = 0/0}
  local got = inbox:receive()
  print(got ~= got)
`,
  'number\ttrue\nnumber\ttrue\nnumber\ttrue\nstring\ttrue\nstring\ttrue\nstring\ttrue\nboolean\ttrue\nboolean\ttrue\ntrue\n',
  { files: { 'echo.lua': ECHO } },
);

everywhere(
  'messages through one address keep their order, whether they wait or not',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm(actor './echo')
  echo:send(inbox)
  spawn(function()
    for i = 1, 1000 do echo:send(i) end
  end)
  local wrong = 0
  for i = 1, 1000 do if inbox:receive() ~= i then wrong = wrong + 1 end end
  print(wrong)
`,
  '0\n',
  {
    files: {
      'echo.lua': `
      local inbox = require 'inbox'
      local to = inbox:receive()
      for i = 1, 1000 do to:send(inbox:receive()) end
      `,
    },
  },
);

everywhere(
  'more than there is room for on the way, in both directions: each message arrives as it was sent',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm(actor './echo')
  echo:send(inbox)
  local function text(i) return ('%4d'):format(i):rep(63) end
  local N = 1500
  local sender = spawn(function()
    for i = 1, N do
      -- Some 8 KB.
      local t = {}
      for k = 1, 20 do t[('%02d'):format(k) .. ('k'):rep(150)] = text(i) end
      echo:send(t)
    end
  end)
  for i = 1, N do
    local n = 0
    for k, v in pairs(inbox:receive()) do
      assert(v == text(i) and #k == 152, i)
      n = n + 1
    end
    assert(n == 20)
  end
  sender:join()
  print 'all'
`,
  'all\n',
  {
    once: true,
    files: {
      'echo.lua': `
      local inbox = require 'inbox'
      local to = inbox:receive()
      for i = 1, 1500 do to:send(inbox:receive()) end
      `,
    },
  },
);

everywhere(
  'actors know each other by addresses in messages: a ring',
  `
  local inbox = require 'inbox'
  local ring = {}
  for i = 1, 5 do ring[i] = spawn_vm(actor './link') end
  for i = 1, 5 do ring[i]:send{next = ring[i % 5 + 1], home = inbox, last = i == 5} end
  ring[1]:send(0)
  print(inbox:receive())
`,
  '5\n',
  {
    files: {
      'link.lua': `
      local inbox = require 'inbox'
      local m = inbox:receive()
      local n = inbox:receive()
      if m.last then m.home:send(n + 1) else m.next:send(n + 1) end
      inbox:close()
      `,
    },
  },
);

everywhere(
  'an actor sees that nobody can send to it any more',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm(actor './worker')
  worker:send(inbox)
  print(inbox:receive())
  worker:close()
  print(inbox:receive())
  print(pcall(worker.send, worker, 1))
  worker:close()
`,
  'ready\nBroadcast the address before attempting to receive on it\nfalse\tChannel closed\n',
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      home:send 'ready'
      local ok, e = pcall(inbox.receive, inbox)
      home:send(tostring(e))
      `,
    },
  },
);

everywhere(
  'and so does its maker, when the last address of it is gone',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm(actor './worker')
  worker:send(inbox)
  print(inbox:receive())
  print(pcall(inbox.receive, inbox))
`,
  'bye\nfalse\tBroadcast the address before attempting to receive on it\n',
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      inbox:receive():send 'bye'
      `,
    },
  },
);

everywhere(
  'a descriptor arrives as a duplicate, alone or in a table; the original stays usable',
  `
  local pipe, stream = require 'pipe', require 'stream'
  for i = 1, 2 do
    local r, w = pipe.pair()
    local fd = w:release()
    local worker = spawn_vm(actor './worker')
    worker:send(i == 1 and fd or {fd = fd, more = 1})
    print(fd.type)
    fd:close()
    local b = byte_span.new(15)
    stream.read_all(r, b)
    print(b)
    print(pcall(r.read_some, r, b))
    worker:close()
  end
`,
  'fifo\nfrom the worker\nfalse\tEnd of file\n'.repeat(2),
  {
    files: {
      'worker.lua': WRITER,
    },
  },
);

everywhere(
  'request and reply',
  `
  local echo = spawn_vm(actor './server')
  print(echo:request(20))
  print(echo:request(1))
  print(select(2, pcall(echo.request, echo, 'forget')))
  print(select(2, pcall(echo.request, echo, 'wait', 0.01)))
`,
  '40\n2\nChannel closed\nConnection timed out\n',
  {
    files: {
      'server.lua': `
      local inbox = require 'inbox'
      local waiting
      for i = 1, 4 do
        local m = inbox:receive()
        if type(m.request) == 'number' then m.reply:send(m.request * 2)
        elseif m.request == 'forget' then m.reply:close()
        else waiting = m.reply pcall(inbox.receive, inbox) end
      end
      `,
    },
  },
);

everywhere(
  'interrupted while it waits for a message: the next one is not lost',
  `
  local inbox = require 'inbox'
  local echo = spawn_vm(actor './echo')
  echo:send{from = inbox, value = 0}
  print(inbox:receive())
  local fiber = spawn(function() return inbox:receive() end)
  this_fiber.yield()
  fiber:interrupt()
  print(pcall(fiber.join, fiber), fiber.interruption_caught)
  echo:send{from = inbox, value = 1}
  print(inbox:receive())
`,
  '0\ntrue\ttrue\n1\n',
  { files: { 'echo.lua': ECHO } },
);

everywhere(
  'one fiber at a time receives',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm(actor './worker')
  worker:send(inbox)
  local fiber = spawn(function() return inbox:receive() end)
  this_fiber.yield()
  print(select(2, pcall(inbox.receive, inbox)) == require('generic_error').EBUSY)
  worker:send 'go'
  print(fiber:join())
`,
  'true\nfirst\n',
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      local home = inbox:receive()
      inbox:receive()
      home:send 'first'
      `,
    },
  },
);

everywhere(
  'monitor tells of its end, and why',
  `
  local inbox = require 'inbox'
  local worker = spawn_vm(actor './worker')
  worker:monitor()
  worker:send(1)
  local m = inbox:receive()
  print(m.down, m.reason)
`,
  'true\tnil\n',
  { files: { 'worker.lua': `require('inbox'):receive()` } },
);

everywhere(
  'who watches an actor does not keep it from learning that nobody can send to it',
  `
  local inbox = require 'inbox'
  local worker, other = spawn_vm(actor './worker'), spawn_vm(actor './worker')
  worker:monitor()
  worker:send{name = 'worker', home = inbox}
  print(inbox:receive())
  worker:close()
  print(inbox:receive())
  local m = inbox:receive()
  print(m.down, m.reason, m.channel == worker, m.channel == other)
  -- It is dead: its handle can be used as any.
  print(select(2, pcall(m.channel.send, m.channel, 1)) ~= nil)
  m.channel:close()
  print(select(2, pcall(inbox.receive, inbox)))
  other:close()
`,
  `worker is there
Broadcast the address before attempting to receive on it
true\tnil\ttrue\tfalse
true
Broadcast the address before attempting to receive on it
`,
  {
    files: {
      'worker.lua': `
      local inbox = require 'inbox'
      local ok, m = pcall(inbox.receive, inbox)
      if not ok then return end
      m.home:send(m.name .. ' is there')
      m.home:send(tostring(select(2, pcall(inbox.receive, inbox))))
      `,
    },
  },
);

// ── what must hold at any moment ───────────────────────────────────────────────────────────────────

for (const seed of [1, 2, 3]) {
  everywhere(
    `senders and a receiver that are interrupted at any moment, ${seed}: nothing lost, doubled or out of order`,
    `
    local inbox, time = require 'inbox', require 'time'
    math.randomseed(${seed})
    inbox.high_water = 3
    local N, WORKERS = 300, 3
    for id = 1, WORKERS do
      local w = spawn_vm(actor './sender')
      w:send{home = inbox, id = id, count = N, seed = ${seed} * 100 + id}
      w:close()
    end
    local next_of = {1, 1, 1}
    local left, caught = WORKERS * N, 0
    while left > 0 do
      local f = spawn(function() return inbox:receive() end)
      for i = 1, math.random(0, 3) do this_fiber.yield() end
      if math.random(3) == 1 then f:interrupt() end
      local ok, m = pcall(f.join, f)
      if f.interruption_caught then caught = caught + 1
      else
        assert(ok, m)
        assert(m.n == next_of[m.id], m.id .. ': ' .. m.n .. ' after ' .. next_of[m.id] - 1)
        next_of[m.id] = m.n + 1
        left = left - 1
      end
    end
    print(next_of[1], next_of[2], next_of[3], caught > 0)
    print(select(2, pcall(inbox.receive, inbox)))
`,
    '301\t301\t301\ttrue\nBroadcast the address before attempting to receive on it\n',
    {
      once: true,
      files: {
        'sender.lua': `
        local inbox, time = require 'inbox', require 'time'
        local m = inbox:receive()
        math.randomseed(m.seed)
        local n = 1
        while n <= m.count do
          local f = spawn(function() m.home:send{id = m.id, n = n} end)
          for i = 1, math.random(0, 3) do this_fiber.yield() end
          if math.random(3) == 1 then f:interrupt() end
          f:join()
          -- An interruption that was caught took the message back; otherwise it came too late.
          if not f.interruption_caught then n = n + 1 end
          if n % 50 == 0 then time.sleep(0.001) end
        end
        `,
      },
    },
  );
}

everywhere(
  'a sender that ends while it waits for room: what it has sent arrives, and nothing twice',
  `
  local inbox = require 'inbox'
  inbox.high_water = 1
  local w = spawn_vm(actor './sender')
  w:monitor()
  w:send(inbox)
  w:close()
  -- Its end is told whatever waits.
  local seen, down = {}, false
  while true do
    local ok, m = pcall(inbox.receive, inbox)
    if not ok then print(m) break end
    if type(m) == 'table' then down = true
    else
      assert(seen[m] == nil and (m == 1 or seen[m - 1]))
      seen[m] = true
    end
  end
  print(down, seen[1], seen[7])
`,
  'Broadcast the address before attempting to receive on it\ntrue\ttrue\tnil\n',
  {
    once: true,
    files: {
      'sender.lua': `
      local inbox, system = require 'inbox', require 'system'
      local home = inbox:receive()
      for i = 1, 3 do spawn(function() home:send(i) end):detach() end
      for i = 1, 10 do this_fiber.yield() end
      spawn(function() home:send(7) end):detach()
      system.exit(0)
      `,
    },
  },
);

everywhere(
  'a receiver that dies with messages queued: what is in them is closed, and senders learn it',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  local w = spawn_vm(actor './w')
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
  print(pcall(w.send, w, {home = inbox}))
`,
  /^true\nEnd of file\nBroadcast the address before attempting to receive on it\nfalse\t(Channel closed|Broken pipe|Connection reset by peer)\n$/,
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

everywhere(
  'a question that is nothing is none',
  `
  local w = spawn_vm(actor './w')
  for _, args in ipairs{{}, {nil, 1}, {print}} do
    local ok, e = pcall(w.request, w, unpack(args, 1, 2))
    print(e, e.arg)
  end
  local ok, e = pcall(w.request, w)
  print(e, e.arg)
  print(w:request(1))
`,
  'Invalid argument\t2\nInvalid argument\t2\nInvalid argument\t2\nInvalid argument\t2\nfirst\n',
  {
    files: {
      'w.lua': `
      local m = require('inbox'):receive()
      m.reply:send(m.request == 1 and 'first' or 'another')
      `,
    },
  },
);

spec(
  'what is wrong with the text of an actor is an error of its maker, of the category lua',
  `
  for _, options in ipairs{'./syntax', {module = './syntax', inherit_context = false}} do
    local ok, e = pcall(spawn_vm, options)
    print(ok, tostring(e.category), e.code, tostring(e), e.module)
    print((e.message:gsub('^.*/', '')))
  end
  spawn_vm './syntax'
`,
  `${"false\tlua\t3\tSyntax error\t./syntax\nsyntax.lua:2: unexpected symbol near '='\n".repeat(2)}`,
  {
    code: 1,
    stderr:
      /^Main fiber from VM 0x\w+ panicked: 'Syntax error: \S+syntax\.lua:2: unexpected symbol near '=''\n/,
    files: { 'syntax.lua': '\nx = = 1' },
  },
);

everywhere(
  'an actor that fails while it loads: its end is told, with the reason, and nobody waits',
  `
  local inbox = require 'inbox'
  for _, id in ipairs{'./throws', './requires', './broken_part'} do
    local w = spawn_vm(actor(id))
    w:monitor()
    pcall(w.send, w, inbox)
    local m = inbox:receive()
    print(m.down, m.reason ~= nil)
    print(pcall(w.send, w, 1) == false)
  end
  for _, id in ipairs{'./syntax', './missing', './folder'} do
    print(select(2, pcall(spawn_vm, actor(id))) ~= nil)
  end
  print(select(2, pcall(inbox.receive, inbox)))
`,
  `${'true\ttrue\ntrue\n'.repeat(3)}${'true\n'.repeat(3)}Broadcast the address before attempting to receive on it
`,
  {
    stderr: /^/, // of a process it is that process’s
    files: {
      'throws.lua': `error 'at once'`,
      'requires.lua': `require '/nowhere'`,
      'broken_part.lua': `require '/syntax'`,
      'syntax.lua': 'x = = 1',
      'folder/x.lua': '',
    },
  },
);
