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
);
