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
