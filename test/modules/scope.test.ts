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
  'c\nend\na\nfalse\tscope_cleanup_pop() called w/o a matching scope_cleanup_push()\nfalse\tInvalid argument\n',
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
  'handler\ntrue\tresult\nhandler\nfalse\tseen e\ntrue\tfalse\tscope_cleanup_pop() called w/o a matching scope_cleanup_push()\n',
);

spec(
  'the handler of xpcall runs before what the function has pushed, which runs before xpcall returns',
  `
  local function handler(e) this_fiber.yield() print('handler', e) return 'seen' end
  print(xpcall(function()
    scope_cleanup_push(function() this_fiber.yield() print('cleanup') end)
    scope(function() scope_cleanup_push(function() print('inner') end) error('e', 0) end)
  end, handler))
  print(xpcall(function()
    scope_cleanup_push(function() print('cleanup') end)
    this_fiber.yield()
    error('f', 0)
  end, function(e)
    scope_cleanup_push(function() print('of the handler') end)
    error(e)
  end))
`,
  'inner\nhandler\te\ncleanup\nfalse\tseen\nof the handler\ncleanup\nfalse\terror in error handling\n',
);

spec(
  'scope calls what can be called',
  `
  scope(setmetatable({}, { __call = function(self, ...) print(type(self), select('#', ...)) end }))
  print(pcall(scope))
  print(pcall(function() scope(1) end))
`,
  'table\t0\nfalse\tattempt to call a nil value\nfalse\tattempt to call a number value\n',
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
  'false\tInterrupt-ability already allowed\ntrue\n',
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

spec(
  'handlers that push, pop, open scopes, call protected, spawn and join, and use coroutines',
  `
  local function try(f) local h = spawn(f) print(pcall(h.join, h)) end
  try(function()
    scope_cleanup_push(function()
      scope_cleanup_push(function() scope_cleanup_push(function() print('third') end) print('second') end)
      print('first')
    end)
  end)
  try(function()
    scope_cleanup_push(function() print('popped by the other') end)
    scope_cleanup_push(function() scope_cleanup_pop() print('the other') end)
  end)
  try(function()
    scope_cleanup_push(function()
      scope(function() scope_cleanup_push(function() print('inner') end) end)
      print(pcall(function() scope_cleanup_push(function() print('protected') end) error('x', 0) end))
      print(spawn(function() this_fiber.yield() return 'joined' end):join())
      for v in coroutine.wrap(function() for i = 1, 2 do this_fiber.yield() coroutine.yield(i) end end) do print(v) end
    end)
    error('kept', 0)
  end)
`,
  `first
second
third
true
popped by the other
the other
true
inner
protected
false	x
joined
1
2
false	kept
`,
);

spec(
  'scopes of coroutines that take turns keep apart; a pop reaches the innermost scope only',
  `
  local function make(name)
    return coroutine.wrap(function()
      scope(function()
        scope_cleanup_push(function() print(name, 1) end)
        coroutine.yield()
        scope_cleanup_push(function() print(name, 2) end)
        coroutine.yield()
        print(pcall(scope, scope_cleanup_pop))
        print(pcall(function() scope_cleanup_pop() end))
      end)
    end)
  end
  local a, b = make('a'), make('b')
  a() b() a() b()
  print(pcall(scope_cleanup_pop))
  b() a()
`,
  `false	scope_cleanup_pop() called w/o a matching scope_cleanup_push()
false	scope_cleanup_pop() called w/o a matching scope_cleanup_push()
false	scope_cleanup_pop() called w/o a matching scope_cleanup_push()
b	2
b	1
false	scope_cleanup_pop() called w/o a matching scope_cleanup_push()
false	scope_cleanup_pop() called w/o a matching scope_cleanup_push()
a	2
a	1
`,
);

spec(
  'scope_cleanup_pop: false does not execute, all else does, without interruption',
  `
  local f = spawn(function()
    for _, execute in ipairs { 'none', 'nil', false, true, 0 } do
      scope(function()
        scope_cleanup_push(function() this_fiber.yield() print('ran', execute) end)
        if execute == 'none' then scope_cleanup_pop()
        elseif execute == 'nil' then scope_cleanup_pop(nil)
        else scope_cleanup_pop(execute) end
      end)
    end
    this_fiber.yield()
    print('never')
  end)
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'ran\tnone\nran\tnil\nran\ttrue\nran\t0\ntrue\n',
);

spec(
  'a handler that raises while it is popped, or is not a function',
  `
  for _, value in ipairs { 1, 'x', {}, setmetatable({}, { __call = print }), this_fiber } do
    local ok, e = pcall(scope_cleanup_push, value)
    print(e, e.category, e.arg)
  end
  spawn(function() scope_cleanup_push(function() print('never') end) for i = 1, 9 do this_fiber.yield() end end)
  this_fiber.yield()
  pcall(function()
    scope_cleanup_push(function() error('popped') end)
    print('now')
    scope_cleanup_pop()
    print('never')
  end)
  print('never')
`,
  `${'Invalid argument\tgeneric\tnil\n'.repeat(5)}now\n`,
  {
    code: 1,
    stderr:
      /^VM 0x\w+ forcibly closed due to error raised on cleanup handler from coroutine 0x1\n'main\.lua:9: popped'\n/,
  },
);

spec(
  'many handlers, deep scopes, and what a handler has disabled or forbidden stays so',
  `
  local ran = 0
  scope(function() for i = 1, 20000 do scope_cleanup_push(function() ran = ran + 1 end) end end)
  local function nest(n)
    if n == 0 then return this_fiber.yield() end
    scope(function() scope_cleanup_push(function() ran = ran + 1 end) nest(n - 1) end)
  end
  nest(1000)
  print(ran)
  spawn(function()
    scope(function() scope_cleanup_push(this_fiber.forbid_suspend) scope_cleanup_push(this_fiber.disable_interruption) end)
    print(pcall(this_fiber.yield))
    this_fiber.allow_suspend()
    this_fiber.restore_interruption()
    print(pcall(this_fiber.yield))
    print(pcall(this_fiber.restore_interruption))
  end):join()
`,
  '21000\nfalse\tEPERM within a forbid-suspend block\ntrue\nfalse\tInterrupt-ability already allowed\n',
);

spec(
  'a coroutine that yields in a handler leaves its fiber interruptible; whoever resumes it is not, until it yields again',
  `
  local function body()
    scope_cleanup_push(coroutine.yield)
    scope_cleanup_push(function()
      scope_cleanup_push(function()
        coroutine.yield('inner')
        this_fiber.yield()
        print('cleaned up')
      end)
      coroutine.yield('outer')
      scope_cleanup_pop()
    end)
  end
  local co = coroutine.create(body)
  local function step(name)
    local f
    f = spawn(function()
      print(name, coroutine.resume(co))
      print(pcall(this_fiber.restore_interruption))
      f:interrupt()
      this_fiber.yield()
      print('never')
    end)
    f:join()
    print(f.interruption_caught)
  end
  step('first')
  step('second')
  local f
  f = spawn(function()
    this_fiber.disable_interruption()
    f:interrupt()
    this_fiber.yield()
    print('third', coroutine.resume(co))
    print('fourth', coroutine.resume(co))
    print(coroutine.status(co), pcall(this_fiber.restore_interruption))
    this_fiber.yield()
    print('never')
  end)
  f:join()
  print(f.interruption_caught)
`,
  [
    'first\ttrue\touter',
    'false\tInterrupt-ability already allowed',
    'true',
    'second\ttrue\tinner',
    'false\tInterrupt-ability already allowed',
    'true',
    'cleaned up',
    'third\ttrue',
    'fourth\ttrue',
    'dead\ttrue',
    'true',
    '',
  ].join('\n'),
);

const handlerFails =
  /'main\.lua:3: broken'\nstack traceback:\n\tmain\.lua:3: in function 'break_it'\n\tmain\.lua:5: in function 'clean'/;

spec(
  'a handler that raises is reported with its traceback, whoever would have caught an error of what it cleans up',
  `
  local function break_it()
    error('broken')
  end
  local function clean() break_it() return 1 end
  print(pcall(coroutine.wrap(function() scope_cleanup_push(clean) end)))
`,
  '',
  { code: 1, stderr: handlerFails },
);

spec(
  'the same after the handler has waited, within a pcall that has waited',
  `
  local function break_it()
    error('broken')
  end
  local function clean() this_fiber.yield() break_it() return 1 end
  pcall(function()
    this_fiber.yield()
    scope(function() scope_cleanup_push(clean) end)
    return 1
  end)
`,
  '',
  { code: 1, stderr: handlerFails },
);
