import { spec } from '../support/spec.ts';

spec(
  'all children have ended when fiber_group returns; results of its function pass through',
  `
  local group = require 'fiber_group'
  print(group(function(g)
    for i = 1, 3 do g:spawn(function() for n = 1, i do this_fiber.yield() end print('child', i) end) end
    print('body')
    return 'a', nil, 'c'
  end))
`,
  'body\nchild\t1\nchild\t2\nchild\t3\na\tnil\tc\n',
);

spec(
  'the first failure interrupts the others, and is raised',
  `
  local group = require 'fiber_group'
  print(pcall(group, function(g)
    g:spawn(function()
      scope_cleanup_push(function() this_fiber.yield() print('cleaned up') end)
      while true do this_fiber.yield() end
    end)
    g:spawn(function() this_fiber.yield() error('first', 0) end)
    g:spawn(function() while true do this_fiber.yield() end end)
  end))
`,
  'cleaned up\nfalse\tfirst\n',
);

spec(
  'a failing body interrupts the children and waits for them',
  `
  local group = require 'fiber_group'
  print(pcall(group, function(g)
    local f = g:spawn(function() while true do this_fiber.yield() end end)
    this_fiber.yield()
    error('body', 0)
  end))
`,
  'false\tbody\n',
);

spec(
  'an interrupted owner interrupts the children; they end first',
  `
  local group = require 'fiber_group'
  local f = spawn(function()
    group(function(g)
      g:spawn(function()
        scope_cleanup_push(function() this_fiber.yield() print('child ends') end)
        while true do this_fiber.yield() end
      end)
    end)
    print('never')
  end)
  for i = 1, 3 do this_fiber.yield() end
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'child ends\ntrue\n',
);

spec(
  'children can be joined for their results, and spawn more',
  `
  local group = require 'fiber_group'
  group(function(g)
    local f = g:spawn(function()
      g:spawn(function() print('grandchild') end)
      return 42
    end)
    print(f:join())
  end)
`,
  '42\ngrandchild\n',
);

spec(
  'groups nest; a group that is over takes no more children',
  `
  local group = require 'fiber_group'
  local kept
  print(pcall(group, function(outer)
    kept = outer
    outer:spawn(function()
      group(function(inner) inner:spawn(function() error('deep', 0) end) end)
    end)
  end))
  print(pcall(kept.spawn, kept, print))
`,
  'false\tdeep\nfalse\tOperation not permitted\n',
);

spec(
  'children have ended even if the body forbids to wait for them',
  `
  local group = require 'fiber_group'
  local f = spawn(function()
    print(pcall(group, function(g)
      g:spawn(function()
        scope_cleanup_push(function() this_fiber.yield() print('child ends') end)
        while true do this_fiber.yield() end
      end)
      this_fiber.yield()
      this_fiber.forbid_suspend()
    end))
  end)
  f:join()
`,
  'child ends\nfalse\tEPERM within a forbid-suspend block\n',
);

spec(
  'it is a suspending function from the start: nothing runs where it could not wait',
  `
  local group = require 'fiber_group'
  this_fiber.forbid_suspend()
  print(pcall(group, function() print('never') end))
  this_fiber.allow_suspend()
  local f = spawn(function() group(function() print('never') end) end)
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'false\tEPERM within a forbid-suspend block\ntrue\n',
);

spec(
  'errors that are no strings, nil among them; an interrupted child is no failure',
  `
  local group = require 'fiber_group'
  local e = {}
  for _, fail in ipairs { function() error(e) end, function() error(nil) end, function() error(false) end } do
    local ok, got = pcall(group, function(g) g:spawn(fail) end)
    local ok2, got2 = pcall(group, fail)
    print(ok, got == e or got, ok2, got2 == e or got2)
  end
  print(group(function(g)
    local f = g:spawn(function() while true do this_fiber.yield() end end)
    this_fiber.yield()
    f:interrupt()
    return 'fine'
  end))
  print(group(function(g)
    g:cancel()
    g:spawn(function() this_fiber.yield() print('never') end)
    return g.cancelled
  end))
`,
  `false	true	false	true
false	nil	false	nil
false	false	false	false
fine
true
`,
);

spec(
  'groups and time limits nest by the hundred; thousands of children end with the first failure',
  `
  local group, timeout = require 'fiber_group', require 'timeout'
  local function nest(n)
    if n == 0 then return 'deep' end
    return (group(function() return timeout(60, function() return nest(n - 1) end) end))
  end
  print(nest(200))
  local ended = 0
  print(pcall(group, function(g)
    for i = 1, 3000 do
      g:spawn(function()
        scope_cleanup_push(function() ended = ended + 1 end)
        this_fiber.yield()
        if i == 1500 then error('one of them', 0) end
        while true do this_fiber.yield() end
      end)
    end
  end))
  print(ended)
`,
  'deep\nfalse\tone of them\n3000\n',
  { once: true },
);
