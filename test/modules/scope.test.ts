import { spec } from '../support/spec.ts';

spec(
  'scope runs its handlers in reverse order, on success and on failure',
  `
  scope(function()
    scope_cleanup_push(function() print('first pushed') end)
    scope_cleanup_push(function() print('second pushed') end)
    print('body')
  end)
  print(pcall(scope, function()
    scope_cleanup_push(function() print('cleaned') end)
    error('kept', 0)
  end))
`,
  'body\nsecond pushed\nfirst pushed\ncleaned\nfalse\tkept\n',
);

spec(
  'scopes nest, return nothing, and handlers may suspend',
  `
  print(scope(function()
    scope_cleanup_push(function() this_fiber.yield() print('outer') end)
    scope(function()
      scope_cleanup_push(function() this_fiber.yield() print('inner') end)
    end)
    print('between')
    return 1
  end))
`,
  'inner\nbetween\nouter\n\n',
);

spec(
  'scope_cleanup_pop removes the newest handler, and runs it unless told not to',
  `
  scope(function()
    scope_cleanup_push(function() print('a') end)
    scope_cleanup_push(function() print('b') end)
    scope_cleanup_push(function() print('c') end)
    scope_cleanup_pop()
    scope_cleanup_pop(false)
    print('end')
  end)
  print(pcall(scope_cleanup_pop))
  print(pcall(scope_cleanup_push, 1))
`,
  'c\nend\na\nfalse\tUnmatched scope cleanup\nfalse\tInvalid argument\n',
);

spec(
  'pcall and xpcall open a scope of their own',
  `
  print(pcall(function()
    scope_cleanup_push(function() print('handler') end)
    this_fiber.yield()
    return 'result'
  end))
  print(xpcall(function()
    scope_cleanup_push(function() print('handler') end)
    error('e', 0)
  end, function(e) return 'seen ' .. e end))
  print(pcall(function() return pcall(scope_cleanup_pop) end))
`,
  'handler\ntrue\tresult\nhandler\nfalse\tseen e\ntrue\tfalse\tUnmatched scope cleanup\n',
);

spec(
  'the handlers of a fiber run when its function ends, either way',
  `
  local f = spawn(function() scope_cleanup_push(function() print('done') end) return 5 end)
  print(f:join())
  local g = spawn(function() scope_cleanup_push(function() this_fiber.yield() print('failed') end) error('e', 0) end)
  print(pcall(g.join, g))
`,
  'done\n5\nfailed\nfalse\te\n',
);

spec(
  'interruption is disabled while handlers run',
  `
  local f = spawn(function()
    scope_cleanup_push(function() this_fiber.yield() print('cleanup finished') end)
    while true do this_fiber.yield() end
  end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'cleanup finished\ntrue\n',
);

spec(
  'each coroutine has a root scope of its own',
  `
  local co = coroutine.create(function()
    scope_cleanup_push(function() print('coroutine ends') end)
    coroutine.yield(1)
    return 2
  end)
  print(coroutine.resume(co))
  print(coroutine.resume(co))
  print(coroutine.status(co))
`,
  'true\t1\ncoroutine ends\ntrue\t2\ndead\n',
);

spec(
  'a handler that raises ends the VM at once',
  `
  spawn(function() this_fiber.yield() print('never') end)
  scope(function()
    scope_cleanup_push(function() error('broken') end)
    print('body')
  end)
  print('never')
`,
  'body\n',
  {
    code: 1,
    stderr:
      /^VM 0x[0-9a-f]+ forcibly closed due to error raised on cleanup handler from coroutine 0x1\n'main\.lua:4: broken'\nstack traceback:\n\tmain\.lua:4: in function <main\.lua:4>\n/,
  },
);

spec(
  "the main fiber's handlers run when it ends without an error, and not with one",
  `
  scope_cleanup_push(function() print('end') end)
`,
  'end\n',
);
spec(
  'an error of the main fiber tears the VM down without its handlers',
  `
  scope_cleanup_push(function() print('never') end)
  error('e', 0)
`,
  '',
  { code: 1, stderr: /^Main fiber from VM/ },
);

spec(
  'a handler may restore what its fiber disabled, and no more than that',
  `
  local f = spawn(function()
    scope(function()
      this_fiber.disable_interruption()
      scope_cleanup_push(this_fiber.restore_interruption)
      scope_cleanup_push(function() this_fiber.yield() end)
    end)
    scope(function()
      scope_cleanup_push(function() print(pcall(this_fiber.restore_interruption)) end)
    end)
    this_fiber.yield()
    print('never')
  end)
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'false\tInterruption already allowed\ntrue\n',
);

spec(
  "a coroutine's handlers may yield; it ends when they have ended, with its own result",
  `
  local function body()
    scope_cleanup_push(function() print('last') end)
    scope_cleanup_push(function() print('got', coroutine.yield('from a handler')) end)
  end
  local co = coroutine.create(function() body() return 'result' end)
  print(coroutine.resume(co))
  print(coroutine.status(co))
  print(coroutine.resume(co, 'x'))
  print(coroutine.status(co))
  co = coroutine.create(function() body() error('failed', 0) end)
  print(coroutine.resume(co))
  print(coroutine.resume(co, 'y'))
`,
  `true\tfrom a handler
suspended
got\tx
last
true\tresult
dead
true\tfrom a handler
got\ty
last
false\tfailed
`,
);
