import { spec } from '../support/spec.ts';

spec(
  'spawn queues the fiber; join returns what its function returned',
  `
  local f = spawn(function() print('in') return 1, nil, 3 end)
  print('out')
  print(f:join())
`,
  'out\nin\n1\tnil\t3\n',
);

spec(
  'join raises the error of the fiber, unchanged',
  `
  local e = {}
  local f = spawn(function() error(e) end)
  local ok, err = pcall(f.join, f)
  print(ok, err == e, f.joinable)
`,
  'false\ttrue\tfalse\n',
);

spec(
  'fibers take turns in the order in which they yielded',
  `
  for i = 1, 3 do
    spawn(function() for n = 1, 2 do print(i, n) this_fiber.yield() end end)
  end
`,
  '1\t1\n2\t1\n3\t1\n1\t2\n2\t2\n3\t2\n',
);

spec(
  'joining twice, or a detached fiber, is EINVAL; joining oneself is EDEADLK',
  `
  local f = spawn(function() end)
  f:join()
  local _, e = pcall(f.join, f)
  print(e, e.arg)
  local g = spawn(function() end)
  g:detach()
  print(select(2, pcall(g.join, g)), g.joinable)
  local h
  h = spawn(function() print(select(2, pcall(h.join, h))) end)
`,
  'Invalid argument\t1\nInvalid argument\tfalse\nResource deadlock avoided\n',
);

spec(
  'a detached fiber that fails is reported, and the others go on',
  `
  spawn(function() error('lost') end):detach()
  this_fiber.yield()
  print('still here')
`,
  'still here\n',
  {
    stderr:
      /^Fiber 0x2 panicked: 'main\.lua:2: lost'\nstack traceback:\n\tmain\.lua:2: in function/,
  },
);

spec(
  'a failed fiber that nobody joined is reported when the VM ends',
  `
  spawn(function() error('lost') end)
`,
  '',
  { stderr: /^Fiber 0x2 panicked: 'main\.lua:2: lost'/ },
);

spec(
  'an error of the main fiber ends the VM with exit code 1',
  `
  spawn(function() for i = 1, 3 do this_fiber.yield() end print('never') end)
  this_fiber.yield()
  local t
  t.x = 1
`,
  '',
  {
    stderr:
      /^Main fiber from VM 0x[0-9a-f]+ panicked: 'main\.lua:5: attempt to index local 't' \(a nil value\)'/,
    code: 1,
  },
);

spec(
  'interrupt raises `interrupted` at the next suspension point; join then returns nothing',
  `
  local f = spawn(function()
    print(pcall(this_fiber.yield))
    this_fiber.yield()
    print('never')
  end)
  f:interrupt()
  print(f:join())
  print(f.interruption_caught)
`,
  '\ntrue\n',
);

spec(
  'a disabled interruption stays pending',
  `
  local f = spawn(function()
    this_fiber.disable_interruption()
    this_fiber.yield()
    print('ran on')
    this_fiber.restore_interruption()
    this_fiber.yield()
    print('never')
  end)
  this_fiber.yield()
  f:cancel()
  f:join()
  print(f.cancellation_caught)
`,
  'ran on\ntrue\n',
);

spec(
  'an interrupted join leaves the handle joinable',
  `
  local slow = spawn(function() for i = 1, 5 do this_fiber.yield() end return 'slow' end)
  local joiner = spawn(function() slow:join() end)
  this_fiber.yield()
  joiner:interrupt()
  joiner:join()
  print(joiner.interruption_caught, slow.joinable, slow:join())
`,
  'true\ttrue\tslow\n',
);

spec(
  'suspension can be forbidden',
  `
  this_fiber.forbid_suspend()
  print(pcall(this_fiber.yield))
  this_fiber.allow_suspend()
  print(select(2, pcall(this_fiber.allow_suspend)))
`,
  'false\tEPERM within a forbid-suspend block\nSuspension already allowed\n',
);

spec(
  'this_fiber knows the fiber that runs, and refuses assignment',
  `
  print(this_fiber.is_main, type(this_fiber.id))
  spawn(function()
    print(this_fiber.is_main)
    this_fiber.local_.x = 1
    print(this_fiber.local_.x)
  end):join()
  print(this_fiber.local_.x)
  print(pcall(function() this_fiber.local_ = {} end))
  print(pcall(function() return this_fiber.nothing end))
  print(getmetatable(this_fiber), getmetatable(spawn(function() end)))
`,
  `true\tstring
false
1
nil
false\tOperation not permitted
false\tRequested key wasn't found in the table/userdata
this_fiber\tfiber
`,
);

spec(
  'a coroutine may suspend its fiber, and goes on in the same resume',
  `
  local co = coroutine.create(function(a)
    this_fiber.yield()
    local b = coroutine.yield(a + 1)
    this_fiber.yield()
    return b + 1
  end)
  spawn(function() print('other fiber') end)
  print(coroutine.resume(co, 1))
  print(coroutine.resume(co, 10))
  print(coroutine.status(co))
`,
  'other fiber\ntrue\t2\ntrue\t11\ndead\n',
);

spec(
  'a coroutine in the middle of an operation cannot be resumed from another fiber',
  `
  local co = coroutine.create(function() this_fiber.yield() return 'end' end)
  local f = spawn(function() return coroutine.resume(co) end)
  this_fiber.yield()
  print(coroutine.status(co), select(2, pcall(coroutine.resume, co)))
  print(f:join())
`,
  'normal\tOperation not permitted\ntrue\tend\n',
  { once: true },
);

spec(
  'coroutine.yield belongs in coroutines',
  `
  print(pcall(coroutine.yield, 1))
  print(coroutine.running())
`,
  'false\tBad coroutine\nnil\n',
);
