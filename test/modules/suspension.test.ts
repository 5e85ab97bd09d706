/** What holds for every function that suspends: forbidden, interrupted before, during and after. */
import { runLua, spec } from '../support/spec.ts';

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`
  local a = require('ip').tcp.listen('127.0.0.1:0')
  spawn(function() pcall(a.accept, a) end)
  this_fiber.yield()
  a:close()
`);

/** `ops`: each suspending function with arguments with which it would not have to wait. */
const everyOperation = `
  local ip, time = require 'ip', require 'time'
  local promise, future = require('future').new() promise:set_value(1)
  local channel = require('channel').new(9) for i = 1, 5 do channel:send(i) end
  local mutex, condition = require('mutex').new(), require('condition_variable').new() mutex:lock()
  local semaphore, barrier = require('semaphore').new(9), require('barrier').new(1)
  local limiter, group = require('rate_limiter').new { rate = 1 }, require('wait_group').new()
  local ended = spawn(function() end)
  local timer = time.steady_timer.new()
  local acceptor = ip.tcp.listen('127.0.0.1:0')
  local ops = {
    { 'yield', this_fiber.yield }, { 'join', ended.join, ended },
    { 'sleep', time.sleep, 0 }, { 'timer', timer.wait, timer },
    { 'get', future.get, future }, { 'wait', condition.wait, condition, mutex },
    { 'send', channel.send, channel, 1 }, { 'receive', channel.receive, channel }, { 'values', channel:values() },
    { 'select', require 'select', { channel:receiving() } }, { 'acquire', semaphore.acquire, semaphore },
    { 'barrier', barrier.wait, barrier }, { 'wait_group', group.wait, group }, { 'limiter', limiter.acquire, limiter },
    { 'timeout', require 'timeout', 1, function() end }, { 'fiber_group', require 'fiber_group', function() end },
    { 'accept', acceptor.accept, acceptor }, { 'acceptor.wait', acceptor.wait, acceptor, 'read' },
    { 'dial', ip.tcp.dial, '127.0.0.1:1' },
    { 'address', ip.tcp.get_address_info, 'localhost', '80' },
    { 'name', ip.tcp.get_name_info, ip.address.loopback_v4(), 80 },
  }
`;

spec(
  'nothing suspends where that is forbidden, even if it would not have to wait',
  `${everyOperation}
  this_fiber.forbid_suspend()
  local wrong = 0
  for _, op in ipairs(ops) do
    local ok, e = pcall(op[2], op[3], op[4])
    if ok or tostring(e) ~= 'EPERM within a forbid-suspend block' then wrong = wrong + 1 print(op[1], ok, e) end
  end
  print(wrong, mutex:try_lock(), #channel, semaphore.count, timer:cancel())
  acceptor:close()
`,
  '0\tfalse\t5\t9\t0\n',
);

spec(
  'a request that is pending is raised before anything is done; restored, it is raised then',
  `${everyOperation}
  local wrong = 0
  for _, op in ipairs(ops) do
    local f = spawn(function() op[2](op[3], op[4]) print('never', op[1]) end)
    f:interrupt()
    f:join()
    if not f.interruption_caught then wrong = wrong + 1 print(op[1]) end
  end
  print(wrong, mutex:try_lock(), #channel, semaphore.count, ended.joinable)
  acceptor:close()
`,
  '0\tfalse\t5\t9\ttrue\n',
);

spec(
  'files, pipes, sockets, streams and the inbox: forbidden, and interrupted before they begin',
  `
  local ip, file, pipe, unix, stream, system = require 'ip', require 'file', require 'pipe', require 'unix', require 'stream', require 'system'
  local buf, inbox, here = byte_span.new(8), require 'inbox', ip.address.loopback_v4()
  local input, output = pipe.pair()
  local a, b = unix.stream.socket.pair()
  local c, d = unix.datagram.socket.pair()
  local e, f = unix.seqpacket.socket.pair()
  local u = ip.udp.socket.new()
  u:open('v4') u:bind('127.0.0.1', 0)
  local acceptor = ip.tcp.listen('127.0.0.1:0')
  local near = ip.tcp.dial('127.0.0.1:' .. acceptor.local_port)
  local far = acceptor:accept()
  local s, r = file.stream.new(), file.random_access.new()
  s:open(_FILE, { 'read_only' }) r:open(_FILE, { 'read_write' })
  local scanner = stream.scanner.new { stream = s }
  local ops = {
    { 'pipe.read_some', input.read_some, input, buf }, { 'pipe.write_some', output.write_some, output, buf },
    { 'udp.receive', u.receive, u, buf }, { 'udp.receive_from', u.receive_from, u, buf },
    { 'udp.send_to', u.send_to, u, buf, here, 9 }, { 'udp.connect', u.connect, u, here, 9 },
    { 'unix.read_some', a.read_some, a, buf }, { 'unix.write_some', a.write_some, a, buf },
    { 'receive_with_fds', a.receive_with_fds, a, buf, 1 }, { 'send_with_fds', a.send_with_fds, a, buf, {} },
    { 'datagram.receive', c.receive, c, buf }, { 'datagram.send', c.send, c, buf },
    { 'seqpacket.receive', e.receive, e, buf }, { 'seqpacket.send', e.send, e, buf },
    { 'tcp.read_some', near.read_some, near, buf }, { 'tcp.write_some', near.write_some, near, buf },
    { 'tcp.wait', near.wait, near, 'write' }, { 'tcp.accept', acceptor.accept, acceptor },
    { 'file.read_some', s.read_some, s, buf }, { 'write_some_at', r.write_some_at, r, 0, buf }, { 'read_some_at', r.read_some_at, r, 0, buf },
    { 'read_all', stream.read_all, s, buf }, { 'write_all', stream.write_all, a, buf },
    { 'read_at_least', stream.read_at_least, s, buf, 1 }, { 'write_at_least', stream.write_at_least, a, buf, 1 },
    { 'get_line', scanner.get_line, scanner }, { 'in_', system.in_.read_some, system.in_, buf },
    { 'out', system.out.write_some, system.out, byte_span.append('wrong') }, { 'inbox', inbox.receive, inbox },
  }
  local wrong = 0
  for _, op in ipairs(ops) do
    this_fiber.forbid_suspend()
    local ok, e = pcall(unpack(op, 2))
    this_fiber.allow_suspend()
    if ok or tostring(e) ~= 'EPERM within a forbid-suspend block' then wrong = wrong + 1 print(op[1], ok, e) end
    local f = spawn(function() op[2](unpack(op, 3)) print('never', op[1]) end)
    f:interrupt()
    ok, e = pcall(f.join, f)
    if not ok or not f.interruption_caught then wrong = wrong + 1 print(op[1], ok, e) end
  end
  print(wrong, s:read_some(buf), (tostring(buf):gsub('%s', '')))
  for _, o in ipairs { input, output, a, b, c, d, e, f, u, acceptor, near, far, s, r } do o:close() end
`,
  '0\t8\tlocal\n',
  { once: true },
);

spec(
  'each wait: interrupted it has no effect, completed first its result is kept',
  `
  local time, future, channel, select = require 'time', require 'future', require 'channel', require 'select'
  local function settle() for i = 1, 40 do this_fiber.yield() end end
  local function check(name, start, complete)
    local during = spawn(function() start() print(name, 'never') end)
    settle()
    during:interrupt()
    during:join()
    local before = spawn(function() start() print(name, 'never') end)
    settle()
    before:interrupt()
    local ok, lost = pcall(complete)
    before:join()
    local got
    local after = spawn(function() got = start() or 'done' this_fiber.yield() print(name, 'never') end)
    settle()
    complete()
    after:interrupt()
    after:join()
    print(name, during.interruption_caught, before.interruption_caught, after.interruption_caught, got, lost)
  end
  local a, b = channel.new(), channel.new()
  check('receive', function() return a:receive() end, function() return a:try_send('v') end)
  check('send', function() return b:send('v') end, function() return b:try_receive() end)
  check('select receiving', function() return select { 99, a:receiving() } end, function() return a:try_send('v') end)
  check('select sending', function() return select { 99, b:sending('v') } end, function() return b:try_receive() end)
  local s = require('semaphore').new()
  check('acquire', function() return s:acquire() end, function() s:release() return s:try_acquire() end)
  local ba = require('barrier').new(2)
  check('barrier', function() return tostring(ba:wait()) end, function() return ba.arrived == 1 and ba:wait() end)
  local m, c = require('mutex').new(), require('condition_variable').new()
  check('wait', function()
    m:lock()
    scope_cleanup_push(function() m:unlock() end)
    c:wait(m)
  end, function() c:notify_one() end)
  print('free', m:try_lock(), s.count, ba.arrived)
  local p, f
  local function renew() p, f = future.new() end
  renew()
  check('get', function() return f:get() end, function() p:set_value('v') renew() end)
  local w = require('wait_group').new()
  check('wait_group', function() if w.count == 0 then w:add() end w:wait() end, function() w:done() end)
`,
  `receive	true	true	true	v	false
send	true	true	true	done	false
select receiving	true	true	true	2	false
select sending	true	true	true	2	false
acquire	true	true	true	done	true
barrier	true	true	true	false	false
wait	true	true	true	done	nil
free	true	0	0
get	true	true	true	v	nil
wait_group	true	true	true	done	nil
`,
);

spec(
  'an operation that another fiber ended raises its own error, also if an interruption follows',
  `
  local time, ip = require 'time', require 'ip'
  local timer = time.steady_timer.new()
  timer:expires_after(99)
  local f = spawn(function() timer:wait() end)
  for i = 1, 20 do this_fiber.yield() end
  print(timer:cancel())
  f:interrupt()
  print(pcall(f.join, f))
  local acceptor = ip.tcp.listen('127.0.0.1:0')
  local f = spawn(function() acceptor:accept() end)
  for i = 1, 20 do this_fiber.yield() end
  acceptor:close()
  f:interrupt()
  print(pcall(f.join, f))
  print(f.interruption_caught)
`,
  '1\nfalse\tOperation canceled\nfalse\tOperation canceled\nfalse\n',
);

spec(
  'pcall, xpcall and coroutines raise a pending request themselves; scope does not',
  `
  local caught = {}
  for i, call in ipairs {
    function() pcall(print) end,
    function() xpcall(print, print) end,
    function() coroutine.resume(coroutine.create(print)) end,
    function() coroutine.wrap(print)() end,
    function() scope(function() print('in scope') end) end,
  } do
    local f = spawn(call)
    f:interrupt()
    f:join()
    caught[i] = tostring(f.interruption_caught)
  end
  print(table.concat(caught, ' '))
`,
  'in scope\ntrue true true true false\n',
);

spec(
  'an interrupted wait lets a notification pass to the next; both lock the mutex again',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local function settle() for i = 1, 40 do this_fiber.yield() end end
  local function waiter()
    return spawn(function()
      m:lock()
      local ok, e = pcall(c.wait, c, m)
      print(ok, e, m:try_lock())
      m:unlock()
      this_fiber.yield()
      print('never')
    end)
  end
  local f = waiter()
  settle()
  local g = waiter()
  settle()
  m:lock()
  f:interrupt()
  c:notify_one()
  settle()
  g:interrupt()
  f:interrupt()
  settle()
  m:unlock()
  f:join()
  g:join()
  print(f.interruption_caught, g.interruption_caught, m:try_lock())
`,
  'false\tFiber interrupted\tfalse\ntrue\tnil\tfalse\ntrue\ttrue\ttrue\n',
);

spec(
  'errors of any type cross join, also nil and false, from inside a coroutine',
  `
  local e = {}
  for _, value in ipairs { 'text', 7, e, false, print, 'nil' } do
    local f = spawn(function()
      coroutine.wrap(function()
        this_fiber.yield()
        if value == 'nil' then error(nil) end
        error(value, 0)
      end)()
    end)
    local ok, got = pcall(f.join, f)
    print(ok, type(got), got == value)
  end
`,
  'false\tstring\ttrue\nfalse\tnumber\ttrue\nfalse\ttable\ttrue\nfalse\tboolean\ttrue\nfalse\tfunction\ttrue\nfalse\tnil\tfalse\n',
);

spec(
  'handlers of all kinds of scope run from the inside out, suspending, with the error kept',
  `
  local function say(what) return function() this_fiber.yield() print(what) end end
  local f = spawn(function()
    scope_cleanup_push(say 'fiber')
    pcall(function()
      scope_cleanup_push(say 'pcall')
      local co = coroutine.wrap(function()
        scope_cleanup_push(say 'coroutine')
        scope(function()
          scope_cleanup_push(function() print('scope') scope_cleanup_push(say 'pushed by a handler') end)
          coroutine.yield()
          error('kept', 0)
        end)
      end)
      co()
      print(pcall(co))
    end)
    print('after pcall')
  end)
  f:join()
`,
  'scope\npushed by a handler\ncoroutine\nfalse\tkept\npcall\nafter pcall\nfiber\n',
);

spec(
  'system.exit in a handler ends everything there',
  `
  local system, time = require 'system', require 'time'
  spawn(function()
    scope_cleanup_push(function() print('never') end)
    scope_cleanup_push(function() time.sleep(0.001) print('exit') system.exit(7) end)
    error('not reported')
  end):join()
  print('never')
`,
  'exit\n',
  { code: 7 },
);

spec(
  'when the main fiber has ended its handlers run, and the others go on',
  `
  local time = require 'time'
  spawn(function() time.sleep(0.01) print('other') spawn(function() time.sleep(0.001) print('its child') end) end)
  scope_cleanup_push(function() this_fiber.yield() print('handler') end)
  print('main')
`,
  'main\nhandler\nother\nits child\n',
);

spec(
  'a broken promise fails those who wait and those who come',
  `
  local time = require 'time'
  local function waiter()
    local p, f = require('future').new()
    return spawn(function() f:get() end), f
  end
  local w, f = waiter()
  this_fiber.yield()
  for i = 1, 5 do collectgarbage() time.sleep(0.001) end
  print(pcall(w.join, w))
  print(pcall(f.get, f))
`,
  'false\tBroken promise\nfalse\tBroken promise\n',
);

spec(
  'methods with another self: EINVAL for argument 1; fields cannot be set',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local p, f = require('future').new()
  local h = spawn(function() end)
  local wrong = 0
  for _, method in ipairs { m.lock, m.unlock, m.try_lock, c.wait, c.notify_one, c.notify_all, f.get, p.set_value,
      p.set_error, h.join, h.detach, h.interrupt, h.cancel, require('recursive_mutex').new().lock } do
    for _, self in ipairs { 1, 'x', {}, this_fiber } do
      local ok, e = pcall(method, self)
      if ok or e ~= require('generic_error').EINVAL or e.arg ~= 1 then wrong = wrong + 1 end
    end
    local ok, e = pcall(method)
    if ok or e.arg ~= 1 then wrong = wrong + 1 end
  end
  for _, object in ipairs { m, c, p, f, h } do
    local ok, e = pcall(function() object.x = 1 end)
    if e ~= require('generic_error').EPERM then wrong = wrong + 1 end
    local ok, e = pcall(function() return object.x end)
    if e.index ~= 2 then wrong = wrong + 1 end
  end
  print(wrong)
  h:join()
`,
  '0\n',
);

spec(
  'a long queue of fibers: those that are interrupted are passed over, the others keep their order',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local full, empty, s = require('channel').new(), require('channel').new(), require('semaphore').new()
  local p, f = require('future').new()
  local b, w, select = require('barrier').new(101), require('wait_group').new(), require 'select'
  w:add()
  local waits = {
    { 'condition_variable', function() m:lock() scope(function() scope_cleanup_push(function() m:unlock() end) c:wait(m) end) end,
      function() c:notify_one() end },
    { 'receive', function() empty:receive() end, function() empty:try_send(1) end },
    { 'send', function() full:send(1) end, function() full:try_receive() end },
    { 'semaphore', function() s:acquire() end, function() s:release() end },
    { 'select', function() select { empty:receiving(), full:sending(1) } end,
      function(i) if i % 2 == 0 then empty:try_send(1) else full:try_receive() end end },
    { 'future', function() f:get() end, function() p:set_value() end, 1 },
    { 'barrier', function() b:wait() end, function() for _ = 1, 68 do spawn(function() b:wait() end) end end, 1 },
    { 'wait_group', function() w:wait() end, function() w:done() end, 1 },
  }
  for _, x in ipairs(waits) do
    local name, wait, wake, times = x[1], x[2], x[3], x[4] or 33
    local order, fibers = {}, {}
    for i = 1, 100 do fibers[i] = spawn(function() wait() order[#order + 1] = i end) end
    for i = 1, 40 do this_fiber.yield() end
    for i = 0, 99 do
      local k = i * 37 % 100 + 1
      if k % 3 ~= 0 then fibers[k]:interrupt() end
    end
    for i = 1, times do wake(i) for k = 1, 12 do this_fiber.yield() end end
    local interrupted = 0
    for i = 1, 100 do
      fibers[i]:join()
      if fibers[i].interruption_caught then interrupted = interrupted + 1 end
    end
    local sorted = true
    for i = 1, #order do sorted = sorted and order[i] == 3 * i end
    print(name, interrupted, #order, sorted)
  end
  print(m:try_lock(), empty:try_send(1), full:try_receive(), s.count, b.arrived)
`,
  `condition_variable	67	33	true
receive	67	33	true
send	67	33	true
semaphore	67	33	true
select	67	33	true
future	67	33	true
barrier	67	33	true
wait_group	67	33	true
true	false	false	0	0
`,
  { once: true },
);

const GUARD = `
  local collect = require('./collect').now
  local function guard(name)
    local p = newproxy(true)
    getmetatable(p).__gc = function() print(name .. ' is gone') end
    return p
  end
`;
/** In a module of its own: a chunk that names this function is compiled to keep all. */
const COLLECT = {
  'collect.lua': `function now() spawn(function() this_fiber.yield() collectgarbage() end):join() end`,
};

spec(
  'while a fiber waits, what its locals hold is held up to the end of their blocks, read again or not',
  `${GUARD}  do
    local one, two = 1, guard 'two'
    local three
    three = guard 'three'
    local unused = type(two)
    for _ = 1, 2 do
      local each = guard 'each'
      collect()
      print 'in the loop'
    end
    collect()
    print 'in the block'
  end
  collect()
  print 'behind it'
  `,
  `in the loop
each is gone
in the loop
each is gone
in the block
three is gone
two is gone
behind it
`,
  { files: COLLECT },
);

spec(
  'so is what its parameters hold, and what they and its locals hold in tables',
  `${GUARD}  local function taking(one)
    local kind = type(one)
    collect()
    print('in the function', kind)
  end
  taking(guard 'parameter')
  local function many(...)
    local count = select('#', ...)
    collect()
    print('in the variadic one', count)
  end
  many(guard 'argument', 2)
  local object = setmetatable({guard 'self'}, {__index = {method = function(self)
    local kind = type(self)
    collect()
    print('in the method', kind)
  end}})
  object:method()
  object = nil
  do
    local one = nil or guard 'or'
    local two = true and guard 'and'
    local list = {}
    list[1] = guard 'list'
    local three, four
    three, four = 3, guard 'four'
    collect()
    print 'in the block'
  end
  collect()
  print 'behind it'
  `,
  `in the function	userdata
parameter is gone
in the variadic one	2
argument is gone
in the method	table
self is gone
in the block
four is gone
list is gone
and is gone
or is gone
behind it
`,
  { files: COLLECT },
);
