import { spec } from '../support/spec.ts';

spec(
  'sleep suspends for at least so long',
  `
  local time = require 'time'
  local fibers = {}
  for i, ms in ipairs{30, 10, 20} do
    fibers[i] = spawn(function()
      local start = time.steady_clock.now()
      time.sleep(ms / 1000)
      print(time.steady_clock.now() - start >= ms / 1000)
    end)
  end
  for i = 1, 3 do fibers[i]:join() end
`,
  'true\n'.repeat(3),
);

spec(
  'shorter sleeps end first',
  `
  local time = require 'time'
  for _, ms in ipairs{30, 10, 20} do
    spawn(function() time.sleep(ms / 1000) print(ms) end)
  end
  print(time.sleep(0))
`,
  '\n10\n20\n30\n',
  { schedule: 1 },
);

spec(
  'sleep is an interruption point',
  `
  local time = require 'time'
  local f = spawn(function() time.sleep(1000) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'true\n',
);

spec(
  'delays that are no delays',
  `
  local time = require 'time'
  for _, s in ipairs{-1, 0/0, 1/0, 1e300} do
    local ok, e = pcall(time.sleep, s)
    print(e, e.arg)
  end
  local t = time.steady_timer.new()
  print(select(2, pcall(time.sleep, 'x')))
  print(pcall(function() time.sleep() end))
  print(pcall(function() t:expires_after({}) end))
  print(time.sleep('0'), t:expires_after('0'))
`,
  'Numerical argument out of domain\t1\n'.repeat(3) +
    'Value too large for defined data type\tnil\n' +
    "bad argument #1 to 'sleep' (number expected, got string)\n" +
    "false\tmain.lua:9: bad argument #1 to 'sleep' (number expected, got no value)\n" +
    "false\tmain.lua:10: bad argument #1 to 'expires_after' (number expected, got table)\n" +
    'nil\t0\n',
);

spec(
  'clocks go on',
  `
  local time = require 'time'
  for _, name in ipairs{'steady_clock', 'system_clock', 'high_resolution_clock'} do
    local clock = time[name]
    local a = clock.now()
    time.sleep(0.002)
    local b = clock.now()
    print(name, a < b, a <= b, a == a, b - a > 0.001, b - a < 3600, clock.epoch().seconds_since_epoch)
  end
  print(time.high_resolution_clock.is_steady, time.system_clock.now().seconds_since_epoch > 1.7e9)
`,
  'steady_clock\ttrue\ttrue\ttrue\ttrue\ttrue\t0\nsystem_clock\ttrue\ttrue\ttrue\ttrue\ttrue\t0\n' +
    'high_resolution_clock\ttrue\ttrue\ttrue\ttrue\ttrue\t0\ntrue\ttrue\n',
  { once: true },
);

spec(
  'time points: new ones by + and -, in place by add and sub',
  `
  local epoch = require('time').steady_clock.epoch()
  local t = epoch + 1.5
  print(t.seconds_since_epoch, (t - 0.5).seconds_since_epoch, t - epoch, epoch - t)
  t:add(1) print(t.seconds_since_epoch)
  t:sub(0.25) print(t.seconds_since_epoch)
`,
  '1.5\t1\t1.5\t-1.5\n2.5\n2.25\n',
);

spec(
  'time points round to the nearest nanosecond, halves to even',
  `
  local epoch = require('time').steady_clock.epoch()
  for _, ns in ipairs{0.4, 0.5, 0.6, 1.5, 2.5, -0.5, -1.5} do
    io = (epoch + ns / 1e9) - epoch
    print(ns, ('%.0f'):format(io * 1e9))
  end
`,
  '0.4\t0\n0.5\t0\n0.6\t1\n1.5\t2\n2.5\t2\n-0.5\t0\n-1.5\t-2\n',
);

spec(
  'time points: what is refused',
  `
  local time = require 'time'
  local a, b, h = time.steady_clock.now(), time.system_clock.now(), time.high_resolution_clock.now()
  for _, f in ipairs{
    function() return a + 0/0 end, function() return a + 1/0 end, function() return a + 1e10 end,
    function() return a:add(1e11) end, function() return a - b end, function() return a < b end,
    function() return 1 + a end, function() return h + 1 end, function() return a.x end,
    function() return a - 'x' end, function() return a * 2 end,
  } do
    local ok, e = pcall(f)
    print(e, e.arg)
  end
  print(pcall(function() return a + 'x' end))
  print(pcall(function() a:sub(nil) end))
  print(((a + '1') - a))
`,
  'Numerical argument out of domain\t2\n'.repeat(2) +
    'Value too large for defined data type\tnil\n'.repeat(2) +
    'Invalid argument\t2\n'.repeat(2) +
    'Invalid argument\t1\nInvalid argument\t2\n' +
    "Requested key wasn't found in the table/userdata\tnil\n" +
    'Invalid argument\t2\n'.repeat(2) +
    "false\tmain.lua:13: bad argument #2 to '__add' (number expected, got string)\n" +
    "false\tmain.lua:14: bad argument #1 to 'sub' (number expected, got nil)\n1\n",
);

spec(
  'a timer wakes all that wait for it; an expired one at once',
  `
  local time = require 'time'
  local t = time.steady_timer.new()
  spawn(function() print('others come first') end)
  t:wait()
  print(t:cancel(), t:expires_after(0.01))
  local fibers = {}
  for i = 1, 2 do fibers[i] = spawn(function() t:wait() return i, time.steady_clock.now() >= t.expiry end) end
  for i = 1, 2 do print(fibers[i]:join()) end
`,
  'others come first\n0\t0\n1\ttrue\n2\ttrue\n',
);

spec(
  'cancel and a new expiry end the waits with operation_aborted',
  `
  local time, ae = require 'time', require 'asio_error'
  local t = time.steady_timer.new()
  t:expires_after(100)
  local function wait() local ok, e = pcall(t.wait, t) print(e, e == ae.basic.operation_aborted) end
  spawn(wait) spawn(wait)
  this_fiber.yield() this_fiber.yield()
  print(t:cancel())
  local f = spawn(wait)
  this_fiber.yield() this_fiber.yield() this_fiber.yield()
  print(t:expires_at(time.steady_clock.now() + 0.001))
  f:join()
  t:wait()
`,
  '2\nOperation canceled\ttrue\nOperation canceled\ttrue\n1\nOperation canceled\ttrue\n',
  { once: true },
);

spec(
  'waiting for a timer is an interruption point',
  `
  local time = require 'time'
  local t = time.steady_timer.new()
  t:expires_after(100)
  local f = spawn(function() t:wait() end)
  this_fiber.yield()
  f:interrupt() f:join()
  print(f.interruption_caught, t:cancel())
`,
  'true\t0\n',
  { once: true },
);

spec(
  'system_timer follows the wall clock',
  `
  local time = require 'time'
  local t = time.system_timer.new()
  t:expires_at(time.system_clock.now() + 0.01)
  t:wait()
  print(time.system_clock.now() >= t.expiry)
  local ok, e = pcall(t.expires_at, t, time.steady_clock.now()) print(e, e.arg)
  local ok, e = pcall(function() return t.expires_after end) print(e)
`,
  "true\nInvalid argument\t2\nRequested key wasn't found in the table/userdata\n",
);

spec(
  'expires_after refuses what is no delay',
  `
  local t = require('time').steady_timer.new()
  for _, s in ipairs{-1, 0/0, 1e300} do
    local ok, e = pcall(t.expires_after, t, s) print(e, e.arg)
  end
`,
  'Numerical argument out of domain\t2\n'.repeat(2) +
    'Value too large for defined data type\tnil\n',
);
