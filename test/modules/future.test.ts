import { spec } from '../support/spec.ts';

spec(
  'many fibers may wait for one value, which stays readable',
  `
  local p, f = require('future').new()
  for i = 1, 2 do spawn(function() print(i, f:get()) end) end
  this_fiber.yield()
  p:set_value('v')
  print(f:get())
`,
  'v\n1\tv\n2\tv\n',
);

spec(
  'get raises exactly the error that was set',
  `
  local p, f = require('future').new()
  local e = {}
  p:set_error(e)
  print(select(2, pcall(f.get, f)) == e, select(2, pcall(f.get, f)) == e)
`,
  'true\ttrue\n',
);

spec(
  'a promise is set once; errors must not be nil',
  `
  local p, f = require('future').new()
  local _, e = pcall(p.set_error, p, nil)
  print(e, e.arg)
  p:set_value(nil)
  print(f:get(), pcall(p.set_value, p, 1))
  print(pcall(p.set_error, p, 'e'))
`,
  'Invalid argument\t2\nnil\tfalse\tPromise already satisfied\nfalse\tPromise already satisfied\n',
);

spec(
  'get is an interruption point',
  `
  local p, f = require('future').new()
  local g = spawn(function() f:get() print('never') end)
  this_fiber.yield()
  g:interrupt()
  g:join()
  print(g.interruption_caught)
  p:set_value(1)
`,
  'true\n',
);

spec(
  'a value set before the interruption is seen is not lost',
  `
  local p, f = require('future').new()
  local g = spawn(function() print(f:get()) this_fiber.yield() print('never') end)
  this_fiber.yield()
  p:set_value('kept')
  g:interrupt()
  g:join()
  print(g.interruption_caught)
`,
  'kept\ntrue\n',
);

spec(
  'getmetatable names the types',
  `
  local p, f = require('future').new()
  print(getmetatable(p), getmetatable(f))
`,
  'promise\tfuture\n',
);

spec(
  'errors of any kind but nil, values of any kind; more than one value is EINVAL',
  `
  local future = require 'future'
  for _, value in ipairs { 'text', 7, false, {}, print } do
    local p, f = future.new()
    local waiter = spawn(function() return f:get() end)
    this_fiber.yield()
    p:set_error(value)
    local ok, e = pcall(waiter.join, waiter)
    local ok2, e2 = pcall(f.get, f)
    assert(not ok and e == value and not ok2 and e2 == value)
    p, f = future.new()
    waiter = spawn(function() return coroutine.wrap(function() return f:get() end)() end)
    this_fiber.yield()
    p:set_value(value)
    assert(waiter:join() == value and f:get() == value)
  end
  local p, f = future.new()
  p:set_value(1, 2)
  print(f:get())
  p, f = future.new()
  p:set_value()
  print(f:get(), select('#', f:get()))
  this_fiber.forbid_suspend()
  print(pcall(f.get, f))
`,
  '1\nnil\t1\nfalse\tEPERM within a forbid-suspend block\n',
);

spec(
  'a promise that is collected after it was set breaks nothing',
  `
  local time = require 'time'
  local p, f = require('future').new()
  p:set_value('kept')
  p = nil
  for i = 1, 3 do collectgarbage() time.sleep(0.001) end
  print(f:get())
  local q, g = require('future').new()
  g = nil
  for i = 1, 3 do collectgarbage() time.sleep(0.001) end
  print(pcall(q.set_value, q, 'for nobody'))
`,
  'kept\ntrue\n',
);

spec(
  'one of those who wait is interrupted; the others are woken in their order',
  `
  local p, f = require('future').new()
  local fibers = {}
  for i = 1, 4 do fibers[i] = spawn(function() f:get() print(i) end) end
  for i = 1, 9 do this_fiber.yield() end
  fibers[2]:interrupt()
  this_fiber.yield()
  p:set_value()
  for i = 1, 4 do fibers[i]:join() end
  print(fibers[2].interruption_caught)
`,
  '1\n3\n4\ntrue\n',
);
