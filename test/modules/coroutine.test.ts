/** What Emilua changes about coroutines; the language's own tests are in test/conformance. */
import { spec } from '../support/spec.ts';

spec(
  'a coroutine that waits is `normal`; to resume it is EPERM, raised also by what wrap made, and in coroutines',
  `
  local co = coroutine.create(function() this_fiber.yield() this_fiber.yield() return 'result' end)
  local wrapped = coroutine.wrap(function() return coroutine.resume(co) end)
  local f = spawn(function() return wrapped() end)
  this_fiber.yield()
  print(coroutine.status(co))
  for _, resume in ipairs {
    function() coroutine.resume(co) end, function() wrapped() end,
    function() coroutine.wrap(coroutine.resume)(co) end,
    function() local ok, e = coroutine.resume(coroutine.create(wrapped)) error(e, 0) end,
  } do print(pcall(resume)) end
  print(f:join())
  print(coroutine.status(co), coroutine.resume(co))
`,
  `normal
${'false	Operation not permitted\n'.repeat(4)}true	result
dead	false	cannot resume dead coroutine
`,
  { once: true },
);

spec(
  'one coroutine, resumed by several fibers in turn: this_fiber is always the one that runs',
  `
  local seen = {}
  local co = coroutine.create(function()
    while true do
      this_fiber.local_.visits = (this_fiber.local_.visits or 0) + 1
      this_fiber.yield()
      coroutine.yield(this_fiber.id, this_fiber.local_.visits)
    end
  end)
  local function visit()
    local ok, id, visits = coroutine.resume(co)
    return ok, id == this_fiber.id, visits
  end
  for i = 1, 3 do print(spawn(visit):join()) end
  print(visit())
  print(visit())
`,
  'true\ttrue\t1\n'.repeat(4) + 'true\ttrue\t2\n',
);

spec(
  'running is nil in threads of fibers; yield does not belong there',
  `
  print(coroutine.running(), pcall(coroutine.yield, 1))
  spawn(function() print(coroutine.running(), pcall(coroutine.yield)) end):join()
  local co
  co = coroutine.create(function()
    this_fiber.yield()
    return coroutine.running() == co, coroutine.status(co)
  end)
  print(coroutine.resume(co))
  print(pcall(function() setmetatable({}, { __index = coroutine.yield })[1]() end))
`,
  `nil	false	The fiber coroutine is reserved to the scheduler
nil	false	The fiber coroutine is reserved to the scheduler
true	true	running
false	The fiber coroutine is reserved to the scheduler
`,
);

spec(
  'a pending interruption is raised out of resume and wrap before the coroutine runs; it can be resumed later',
  `
  local co = coroutine.create(function() print('runs') return 1 end)
  local f = spawn(function() coroutine.resume(co) end)
  f:interrupt()
  f:join()
  print(f.interruption_caught, coroutine.status(co))
  print(coroutine.resume(co))
  -- Inside, it is an error like others.
  local g = spawn(function()
    print(coroutine.resume(coroutine.create(function() while true do this_fiber.yield() end end)))
    print(pcall(this_fiber.yield))
  end)
  this_fiber.yield() this_fiber.yield() this_fiber.yield()
  g:interrupt()
  g:join()
  print(g.interruption_caught)
`,
  'true\tsuspended\nruns\ntrue\t1\nfalse\tFiber interrupted\ntrue\n',
);

spec(
  'an interruption reaches what a coroutine waits for, at any depth; its handlers run',
  `
  local time = require 'time'
  local function say(what) return function() this_fiber.yield() print(what) end end
  local f = spawn(function()
    scope_cleanup_push(say 'fiber')
    coroutine.wrap(function()
      scope_cleanup_push(say 'outer')
      coroutine.wrap(function()
        scope_cleanup_push(say 'inner')
        setmetatable({}, { __index = function() table.sort({ 1, 2 }, function() time.sleep(1000) end) end }).x()
      end)()
    end)()
    print('never')
  end)
  for i = 1, 5 do this_fiber.yield() end
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'inner\nouter\nfiber\ntrue\n',
);

spec(
  'wrap raises errors unmodified; handlers of a dropped coroutine never run',
  `
  local e = {}
  print(select(2, pcall(coroutine.wrap(function() error(e) end))) == e)
  print(pcall(coroutine.wrap(function() this_fiber.yield() error('with a place') end)))
  print(pcall(coroutine.wrap(function() error('without', 0) end)))
  local dropped = coroutine.wrap(function() scope_cleanup_push(function() print('never') end) coroutine.yield() end)
  dropped()
  dropped = nil
  collectgarbage()
`,
  'true\nfalse\tmain.lua:4: with a place\nfalse\twithout\n',
);

spec(
  'arguments that are no coroutines and no functions',
  `
  for _, f in ipairs { coroutine.create, coroutine.wrap, coroutine.resume, coroutine.status } do
    print(select(2, pcall(f)))
    print(select(2, pcall(f, 1)))
  end
`,
  `bad argument #1 to 'create' (function expected, got no value)
bad argument #1 to 'create' (function expected, got number)
bad argument #1 to 'wrap' (function expected, got no value)
bad argument #1 to 'wrap' (function expected, got number)
${"bad argument #1 to 'resume' (coroutine expected)\n".repeat(2)}${"bad argument #1 to 'status' (coroutine expected)\n".repeat(2)}`,
);

spec(
  'what waiting frames hold has an end: many of them, and many values in `...`',
  `
  local depth = 0
  local function deep(i) coroutine.yield() depth = i deep(i + 1) end
  local function wide(...) coroutine.yield() depth = depth + 1 wide(1, ...) end
  local function outcome(f)
    depth = 0
    local co, ok, e = coroutine.create(f)
    repeat ok, e = coroutine.resume(co, 1) until not ok
    return e, depth
  end
  print(outcome(deep))
  local e, depth = outcome(wide)
  print(e, depth > 4000 and depth < 20000)
`,
  `main.lua:3: stack overflow	1000000
main.lua:4: stack overflow	true
`,
  { once: true },
);
