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
  'who joins goes on where the other has ended, before all that can run',
  `
  local time = require 'time'
  local a = spawn(function() print('a') this_fiber.yield() print('a ends') end)
  local function other(name) spawn(function() print(name) end) end
  other('b')
  spawn(function() a:join() print('a was joined') other('e') this_fiber.yield() print('last') end)
  other('c')
  local f = spawn(function() error('lost', 0) end)
  other('d')
  print(pcall(f.join, f))
`,
  'a\nb\nc\nfalse\tlost\nd\na ends\na was joined\ne\nlast\n',
);

spec(
  'a fiber that was detached, or that is being joined, is no fiber to join, not even for itself',
  `
  local function try(h) local ok, e = pcall(h.join, h) print(e, e.arg) end
  local f
  f = spawn(function() try(f) end)
  f:join()
  f = spawn(function() f:detach() try(f) end)
  this_fiber.yield()
  f = spawn(function() try(f) end)
`,
  'Invalid argument\t1\nInvalid argument\t1\nResource deadlock avoided\tnil\n',
);

spec(
  'a table with the fields of an error is that error: an interruption, or what a report says',
  `
  local time = require 'time'
  local seen
  local f = spawn(function() seen = select(2, pcall(time.sleep, 9)) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  f = spawn(function() error({ code = seen.code, category = seen.category }) end)
  print(f:join())
  print(f.interruption_caught)
  print(seen.togeneric({ code = 2, category = require('asio_error').basic.fault.category }))
  local code = require('generic_error').EPERM
  error({ code = code.code, category = code.category })
`,
  '\ntrue\nNo such file or directory\n',
  { code: 1, stderr: /^Main fiber from VM 0x\w+ panicked: 'Operation not permitted'\n/ },
);

spec(
  'what the kernel refuses has its traceback in the report',
  `
  local system = require 'system'
  local function ask(pid) return (system.getpgid(pid)) end
  spawn(function() local group = ask(2 ^ 30) return group end):detach()
  spawn(function() this_fiber.yield() local group = ask(2 ^ 30) return group end):detach()
`,
  '',
  {
    stderr:
      /^(Fiber 0x\w+ panicked: 'No such process'\nstack traceback:\n(\t\[C\]: .*\n)?\tmain\.lua:3: in function 'ask'\n\tmain\.lua:(4|5): in function <main\.lua:\3>\nspawned by fiber 0x1:\n\tmain\.lua:\3: in main chunk\n){2}$/,
  },
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
  'a report ends with the fields of a table that was raised, in one line',
  `
  local fs, EPERM = require 'filesystem', require('generic_error').EPERM
  local function lost(f) spawn(f):detach() this_fiber.yield() end
  lost(function() return this_fiber.yeild end)
  lost(function() fs.file_size(fs.path.new('/nowhere/ü "x"')) end)
  lost(function() fs.file_size('x') end)
  lost(function() error({reason = 'no flour', tries = 3, at = {1, 2}, [1] = true}) end)
  lost(function() error(setmetatable({id = this_fiber}, {__tostring = error})) end)
  lost(function() error({}) end)
  lost(function() error(EPERM) end)
  require './absent'
`,
  '',
  {
    code: 1,
    stderr:
      /^Fiber \w+ panicked: 'Requested key .*'\n(\s.*\n|s.*\n)+with index = 2, key = "yeild"\nFiber \w+ panicked: 'No such file .*'\n(\s.*\n|s.*\n)+with path1 = "\/nowhere\/\xc3\xbc \\"x\\""\nFiber \w+ panicked: 'Invalid argument'\n(\s.*\n|s.*\n)+with arg = 1\nFiber \w+ panicked: ''\n(\s.*\n|s.*\n)+with reason = "no flour", tries = 3, at = \{1, 2\}\nFiber \w+ panicked: ''\n(\s.*\n|s.*\n)+with id = <this_fiber>\nFiber \w+ panicked: ''\n(\s.*\n|s.*\n)+Fiber \w+ panicked: 'Operation not permitted'\n(\s.*\n|s.*\n)+Main fiber from VM 0x\w+ panicked: 'Module not found'\n(\s.*\n|s.*\n)+with module = "\.\/absent"\n$/,
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
  'false\tThe fiber coroutine is reserved to the scheduler\nnil\n',
);

spec(
  'module fibers are never interrupted, but count what is disabled and restored as others do',
  `
  print(pcall(this_fiber.restore_interruption))
  this_fiber.disable_interruption()
  this_fiber.restore_cancellation()
  print(pcall(this_fiber.restore_cancellation))
  require './m'
  spawn(function()
    print(pcall(this_fiber.restore_interruption))
    this_fiber.disable_interruption()
    this_fiber.disable_cancellation()
    this_fiber.restore_interruption()
    this_fiber.restore_cancellation()
    print(pcall(this_fiber.restore_cancellation))
  end):join()
`,
  `${'false\tInterrupt-ability already allowed\n'.repeat(2)}in a module\tfalse
${'false\tInterrupt-ability already allowed\n'.repeat(2)}`,
  {
    files: {
      'm.lua': `
  this_fiber.disable_interruption()
  this_fiber.yield()
  this_fiber.restore_interruption()
  print('in a module', (pcall(this_fiber.restore_interruption)))
`,
    },
  },
);

spec(
  'spawn takes a function only, and calls it without arguments; also from a coroutine',
  `
  for _, value in ipairs { 1, 'f', {}, setmetatable({}, { __call = print }) } do print(pcall(spawn, value)) end
  print(pcall(spawn), pcall(spawn, nil))
  print(coroutine.wrap(function()
    return spawn(function(...) return select('#', ...), this_fiber.is_main end):join()
  end)())
`,
  `false	bad argument #1 to 'spawn' (function expected, got number)
false	bad argument #1 to 'spawn' (function expected, got string)
false	bad argument #1 to 'spawn' (function expected, got table)
false	bad argument #1 to 'spawn' (function expected, got table)
false	false	bad argument #1 to 'spawn' (function expected, got nil)
0	false
`,
);

spec(
  'to interrupt oneself sets the flag only; a request cannot be withdrawn, and each later point raises again',
  `
  local f
  f = spawn(function()
    f:interrupt()
    print('goes on')
    local caught = 0
    local co = coroutine.create(function()
      for i = 1, 3 do
        scope(function()
          this_fiber.disable_interruption()
          scope_cleanup_push(this_fiber.restore_interruption)
          local ok, e = pcall(function()
            this_fiber.restore_interruption()
            scope_cleanup_push(this_fiber.disable_interruption)
            this_fiber.yield()
          end)
          caught = caught + 1
          print(ok, e)
        end)
      end
    end)
    this_fiber.disable_interruption()
    print(coroutine.resume(co))
    this_fiber.restore_interruption()
    print(caught)
    this_fiber.yield()
    print('never')
  end)
  f:join()
  print(f.interruption_caught)
`,
  `goes on
true	nil
true	nil
true	nil
true
3
true
`,
);

spec(
  'while a fiber is being joined: no other join, no detach; interrupt reaches it',
  `
  local f = spawn(function() while true do this_fiber.yield() end end)
  local joiner = spawn(function() return select('#', f:join()) end)
  this_fiber.yield()
  this_fiber.yield()
  print(f.joinable)
  for _, method in ipairs { 'join', 'detach' } do
    local ok, e = pcall(f[method], f)
    print(ok, e, e.arg)
  end
  f:interrupt()
  print(joiner:join())
  print(f.interruption_caught)
`,
  `false
false	Invalid argument	1
false	Invalid argument	1
0
true
`,
);

spec(
  'a handle that is not joinable any more: nothing is caught, and to interrupt it does nothing',
  `
  local f = spawn(function() for i = 1, 8 do this_fiber.yield() end print('ended by itself') end)
  f:detach()
  f:interrupt()
  f:cancel()
  for _, name in ipairs { 'interruption_caught', 'cancellation_caught' } do
    local ok, e = pcall(function() return f[name] end)
    print(ok, e, e.arg)
  end
  local g = spawn(function() end)
  print(pcall(function() return g.interruption_caught end))
  g:join()
  g:interrupt()
  print(g.interruption_caught, g.cancellation_caught, g.joinable)
  print(pcall(g.detach, g))
`,
  `false	Invalid argument	nil
false	Invalid argument	nil
false	Invalid argument
false	false	false
false	Invalid argument
ended by itself
`,
);

spec(
  'join of a fiber that has ended does not switch, but suspension is checked all the same',
  `
  local f, g = spawn(function() return 'result' end), spawn(function() end)
  this_fiber.yield() this_fiber.yield()
  spawn(function() print('another') end)
  this_fiber.forbid_suspend()
  print(pcall(f.join, f))
  this_fiber.allow_suspend()
  print(f.joinable, f:join())
`,
  'false\tEPERM within a forbid-suspend block\ntrue\tresult\nanother\n',
  { once: true },
);

spec(
  'forbid_suspend counts',
  `
  this_fiber.forbid_suspend()
  this_fiber.forbid_suspend()
  this_fiber.allow_suspend()
  print(pcall(this_fiber.yield))
  this_fiber.allow_suspend()
  print(pcall(this_fiber.yield))
  spawn(function() print(pcall(this_fiber.allow_suspend)) end):join()
`,
  'false\tEPERM within a forbid-suspend block\ntrue\nfalse\tSuspension already allowed\n',
);

spec(
  'a handle that nobody keeps: the error is reported when it is collected, an interruption never',
  `
  local time = require 'time'
  spawn(function() error('lost') end)
  spawn(function() this_fiber.yield() end):interrupt()
  this_fiber.yield() this_fiber.yield()
  for i = 1, 5 do collectgarbage() time.sleep(0.001) end
  print('after')
  error('end')
`,
  'after\n',
  {
    stderr:
      /^Fiber 0x2 panicked: 'main\.lua:3: lost'\n(\s.*\n|s.*\n)*Main fiber from VM 0x\w+ panicked: 'main\.lua:8: end'\n/,
    code: 1,
    once: true,
  },
);

spec(
  'to detach a fiber that has failed reports it at once; one that is interrupted is not reported',
  `
  local f = spawn(function() error('already', 0) end)
  local g = spawn(function() while true do this_fiber.yield() end end)
  this_fiber.yield()
  g:interrupt()
  this_fiber.yield()
  f:detach()
  g:detach()
  local h = spawn(function() error({}) end)
  h:detach()
  local e = spawn(function() error(require_error) end)
  require_error = require('generic_error').EPERM
  e:detach()
`,
  '',
  {
    stderr:
      /^Fiber 0x2 panicked: 'already'\n(\s.*\n|s.*\n)*Fiber 0x4 panicked: ''\n(\s.*\n|s.*\n)*Fiber 0x5 panicked: 'Operation not permitted'\n(\s.*\n|s.*\n)*$/,
  },
);

spec(
  'the interrupted error of a main fiber is an error like others',
  `
  local f = spawn(function() error(select(2, pcall(this_fiber.yield))) end)
  local g
  g = spawn(function()
    this_fiber.disable_interruption()
    g:interrupt()
    local ok, e = pcall(function()
      this_fiber.restore_interruption()
      scope_cleanup_push(this_fiber.disable_interruption)
      this_fiber.yield()
    end)
  end)
  local caught
  local h = spawn(function() local ok, e = pcall(this_fiber.yield) caught = e end)
  local k = spawn(function() local ok, e = pcall(function() while true do this_fiber.yield() end end) caught = e end)
  this_fiber.yield()
  k:interrupt()
  k:join()
  print(caught)
  error(caught)
`,
  'Fiber interrupted\n',
  { stderr: /^Main fiber from VM 0x\w+ panicked: 'Fiber interrupted'\n/, code: 1 },
);
