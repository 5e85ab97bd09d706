import { spec } from '../support/spec.ts';

spec(
  'a semaphore limits how many fibers are inside',
  `
  local s = require('semaphore').new(2)
  local inside, most = 0, 0
  local fibers = {}
  for i = 1, 6 do
    fibers[i] = spawn(function()
      s:acquire()
      inside = inside + 1
      most = math.max(most, inside)
      for n = 1, i do this_fiber.yield() end
      inside = inside - 1
      s:release()
    end)
  end
  for _, f in ipairs(fibers) do f:join() end
  print(most, s.count)
`,
  '2\t2\n',
);

spec(
  'large requests are not overtaken; an interrupted one makes room',
  `
  local s = require('semaphore').new(1)
  local big = spawn(function() s:acquire(3) print('big') end)
  local small = spawn(function() s:acquire(1) print('small') end)
  this_fiber.yield()
  print(s:try_acquire())
  big:interrupt()
  big:join()
  small:join()
  print(s.count)
`,
  'false\nsmall\n0\n',
);

spec(
  'a barrier lets go when all have arrived, again and again',
  `
  local b = require('barrier').new(3)
  local fibers = {}
  for i = 1, 3 do
    fibers[i] = spawn(function() for round = 1, 2 do print(round, i, b:wait()) end end)
  end
  for _, f in ipairs(fibers) do f:join() end
  print(b.arrived)
`,
  '1\t3\ttrue\n1\t1\tfalse\n1\t2\tfalse\n2\t2\ttrue\n2\t3\tfalse\n2\t1\tfalse\n0\n',
);

spec(
  'a wait group waits for all that was added',
  `
  local wg = require('wait_group').new()
  for i = 1, 3 do
    wg:add()
    spawn(function() this_fiber.yield() print('done', i) wg:done() end)
  end
  wg:wait()
  print('all', wg.count)
  wg:wait()
  print(pcall(wg.done, wg))
`,
  'done\t1\ndone\t2\ndone\t3\nall\t0\nfalse\tInvalid argument\n',
);

spec(
  'a rate limiter lets a burst through, then makes fibers wait',
  `
  local limiter = require('rate_limiter').new { rate = 200, burst = 3 }
  print(limiter:try_acquire(3), limiter:try_acquire())
  limiter:acquire()
  print('after a while')
  print(pcall(limiter.acquire, limiter, 4))
  print(pcall(require('rate_limiter').new, { rate = 0 }))
`,
  'true\tfalse\nafter a while\nfalse\tInvalid argument\nfalse\tInvalid argument\n',
  { schedule: 1 },
);

spec(
  'a full bucket has its whole burst, at whatever rate and time',
  `
  local time, limiter = require 'time', require 'rate_limiter'
  local refused = 0
  local function take(l, n) if not l:try_acquire(n) then refused = refused + 1 end end
  for i = 1, 100 do
    time.sleep(i * 0.0137)
    for _, rate in ipairs{0.1, 3, 7, 1000 / 3} do
      local l = limiter.new { rate = rate, burst = 3 }
      for _ = 1, 3 do take(l, 1) end
      assert(not l:try_acquire(0.001))
      take(limiter.new { rate = rate, burst = 0.7 }, 0.7)
    end
  end
  print(refused)
`,
  '0\n',
  { schedule: 1 },
);

spec(
  'arguments that make no sense; what is not there; other objects',
  `
  local semaphore, barrier, wait_group, limiter = require 'semaphore', require 'barrier', require 'wait_group', require 'rate_limiter'
  local s, b, w, r = semaphore.new(1), barrier.new(2), wait_group.new(), limiter.new { rate = 5 }
  local function code(...)
    local ok, e = pcall(...)
    return ok and 'ok' or type(e) == 'table' and (e.arg or e.index or tostring(e)) or e
  end
  print(code(semaphore.new, -1), code(semaphore.new, 0 / 0), code(semaphore.new, 1 / 0), code(semaphore.new, 'x'))
  print(code(s.acquire, s, 0), code(s.acquire, s, -1), code(s.try_acquire, s, 0), code(s.release, s, 0), code(s.release, s, 2 ^ 53))
  print(code(s.acquire, s, 'x'))
  print(code(s.acquire), code(s.try_acquire, b), code(s.release, w), code(b.wait, s), code(w.wait, s), code(r.acquire, s))
  print(code(barrier.new), code(barrier.new, 0), code(wait_group.new().add, w, -1), code(w.done, w))
  print(code(limiter.new, {}), code(limiter.new, { rate = 0 }), code(limiter.new, { rate = 1 / 0 }), code(limiter.new, { rate = 1, burst = 0 }))
  print(code(r.acquire, r, 6), code(r.acquire, r, 0), code(r.try_acquire, r, 0 / 0))
  for _, o in ipairs { s, b, w, r } do
    print(getmetatable(o), code(function() return o.nothing end), code(function() o.count = 1 end))
  end
  print(s.count, b.parties, b.arrived, w.count, r.rate, r.burst)
`,
  `1	1	1	bad argument #1 to 'new' (number expected, got string)
2	2	2	2	Value too large for defined data type
bad argument #2 to 'acquire' (number expected, got string)
1	1	1	1	1	1
bad argument #1 to 'new' (number expected, got no value)	1	2	2
bad argument #1 to 'new' (number expected, got nil)	rate	rate	burst
2	2	2
semaphore	2	Operation not permitted
barrier	2	Operation not permitted
wait_group	2	Operation not permitted
rate_limiter	2	Operation not permitted
1	2	0	0	5	5
`,
);

spec(
  'a rate limiter keeps its rate; what an interrupted fiber was promised goes to those who ask later',
  `
  local time, limiter = require 'time', require('rate_limiter').new { rate = 10, burst = 2 }
  local start = time.steady_clock.now()
  local function tenths() return math.floor((time.steady_clock.now() - start) * 10 + 0.5) end
  local at = {}
  for i = 1, 6 do limiter:acquire() at[i] = tenths() end
  print(table.concat(at, ' '))
  local f = spawn(function() limiter:acquire(2) print('never') end)
  time.sleep(0.01)
  f:interrupt()
  f:join()
  print(f.interruption_caught, limiter:try_acquire())
  limiter:acquire(1)
  print(tenths())
`,
  '0 0 1 2 3 4\ntrue\tfalse\n5\n',
  { schedule: 1 },
);

spec(
  'a barrier of which a fiber is interrupted waits for another; one that has been let go is not interrupted there',
  `
  local b = require('barrier').new(2)
  local f = spawn(function() b:wait() print('never') end)
  this_fiber.yield()
  print(b.arrived)
  f:interrupt()
  f:join()
  print(b.arrived)
  local g = spawn(function() print(b:wait()) this_fiber.yield() print('never') end)
  this_fiber.yield()
  print(b:wait())
  g:interrupt()
  g:join()
  print(g.interruption_caught, b.arrived)
`,
  '1\n0\ntrue\nfalse\ntrue\t0\n',
  { once: true },
);
