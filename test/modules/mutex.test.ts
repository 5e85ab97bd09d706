import { spec } from '../support/spec.ts';

spec(
  'unlock passes the mutex to the fiber that waited longest',
  `
  local m = require('mutex').new()
  m:lock()
  for i = 1, 3 do spawn(function() m:lock() print(i) m:unlock() end) end
  this_fiber.yield()
  m:unlock()
`,
  '1\n2\n3\n',
);

spec(
  'lock of a free mutex does not switch; try_lock never suspends',
  `
  local m = require('mutex').new()
  spawn(function() print('other') end)
  m:lock()
  print('mine', m:try_lock())
  m:unlock()
  print(m:try_lock())
  print(pcall(m.unlock, m), pcall(m.unlock, m))
`,
  'mine\tfalse\ntrue\ntrue\tfalse\tOperation not permitted\nother\n',
);

spec(
  'lock is not an interruption point',
  `
  local m = require('mutex').new()
  m:lock()
  local f = spawn(function() m:lock() print('locked') m:unlock() this_fiber.yield() print('never') end)
  this_fiber.yield()
  f:interrupt()
  m:unlock()
  f:join()
  print(f.interruption_caught)
`,
  'locked\ntrue\n',
);

spec(
  'forbid_suspend forbids even the lock of a free mutex',
  `
  local m = require('mutex').new()
  this_fiber.forbid_suspend()
  print(pcall(m.lock, m))
  print(m:try_lock())
`,
  'false\tEPERM within a forbid-suspend block\ntrue\n',
);

spec(
  'the modules themselves refuse unknown names',
  `
  for _, name in ipairs { 'mutex', 'recursive_mutex', 'condition_variable' } do
    local m = require(name)
    local _, read = pcall(function() return m.lock end)
    local _, write = pcall(function() m.lock = 1 end)
    print(getmetatable(m), read, read.index, write)
  end
`,
  ['mutex', 'recursive_mutex', 'condition_variable']
    .map(
      (name) =>
        `${name}\tRequested key wasn't found in the table/userdata\t2\tOperation not permitted\n`,
    )
    .join(''),
);

spec(
  'self is checked, unknown keys raise bad_index',
  `
  local m = require('mutex').new()
  local _, e = pcall(m.lock)
  print(e, e.arg, getmetatable(m))
  local _, e = pcall(function() return m.nothing end)
  print(e, e.index)
`,
  "Invalid argument\t1\tmutex\nRequested key wasn't found in the table/userdata\t2\n",
);

spec(
  'a recursive mutex may be locked again by its owner only',
  `
  local m = require('recursive_mutex').new()
  m:lock() m:lock()
  print(m:try_lock())
  local f = spawn(function()
    print(m:try_lock(), pcall(m.unlock, m))
    m:lock() print('second owner') m:unlock()
  end)
  this_fiber.yield()
  m:unlock() m:unlock()
  print('unlocking')
  m:unlock()
  f:join()
`,
  'true\nfalse\tfalse\tOperation not permitted\nunlocking\nsecond owner\n',
);

spec(
  'a condition variable wakes in FIFO order and re-locks the mutex',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  for i = 1, 3 do
    spawn(function() m:lock() c:wait(m) print(i, m:try_lock()) m:unlock() end)
  end
  this_fiber.yield()
  c:notify_one()
  this_fiber.yield()
  print('then all')
  c:notify_all()
`,
  '1\tfalse\nthen all\n2\tfalse\n3\tfalse\n',
);

spec(
  'an interrupted wait re-locks the mutex before it raises',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local f = spawn(function()
    m:lock()
    scope_cleanup_push(function() print('locked again', not m:try_lock()) m:unlock() end)
    c:wait(m)
    print('never')
  end)
  this_fiber.yield()
  m:lock()
  f:interrupt()
  this_fiber.yield()
  print('holding')
  m:unlock()
  f:join()
  print(f.interruption_caught)
`,
  'holding\nlocked again\ttrue\ntrue\n',
);

spec(
  'a fiber that was notified cannot be interrupted out of the wait',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local f = spawn(function()
    m:lock() c:wait(m) print('woken') m:unlock()
    this_fiber.yield()
    print('never')
  end)
  this_fiber.yield()
  c:notify_one()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'woken\ntrue\n',
);

spec(
  'wait checks the mutex',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  local function code(...) local _, e = pcall(...) print(e, e.arg) end
  code(c.wait, c, m)
  code(c.wait, c, 1)
  code(c.wait, c, c)
`,
  'Operation not permitted\tnil\nInvalid argument\t1\nInvalid argument\t2\n',
);

spec(
  'lock returns nothing, also when it had to wait',
  `
  local m, r = require('mutex').new(), require('recursive_mutex').new()
  m:lock() r:lock()
  local f = spawn(function() print(select('#', m:lock()), select('#', r:lock())) end)
  this_fiber.yield()
  m:unlock() r:unlock()
  f:join()
`,
  '0\t0\n',
);

spec(
  'neither kind of lock is an interruption point, on entry or while it waits; the order stays',
  `
  local m, r = require('mutex').new(), require('recursive_mutex').new()
  for _, mutex in ipairs { m, r } do
    local order, fibers = {}, {}
    mutex:lock()
    for i = 1, 5 do
      fibers[i] = spawn(function()
        mutex:lock()
        order[#order + 1] = i
        mutex:unlock()
        this_fiber.yield()
        print('never')
      end)
    end
    for i = 1, 9 do this_fiber.yield() end
    for i = 5, 1, -1 do fibers[i]:interrupt() end
    mutex:unlock()
    for i = 1, 5 do
      fibers[i]:join()
      assert(fibers[i].interruption_caught)
    end
    print(table.concat(order, ' '))
    local f = spawn(function() mutex:lock() mutex:unlock() print('locked') this_fiber.yield() print('never') end)
    f:interrupt()
    f:join()
  end
`,
  '1 2 3 4 5\nlocked\n1 2 3 4 5\nlocked\n',
  { once: true },
);

spec(
  'any fiber may unlock a mutex; a recursive one belongs to its fiber, coroutines included, even when that has ended',
  `
  local m, r = require('mutex').new(), require('recursive_mutex').new()
  m:lock()
  spawn(function() m:unlock() end):join()
  print(m:try_lock())
  r:lock()
  print(coroutine.wrap(function() return r:try_lock() end)())
  local f = spawn(function() r:lock() print('handed over', r:try_lock()) end)
  this_fiber.yield()
  r:unlock()
  this_fiber.yield()
  print('still mine')
  r:unlock()
  f:join()
  print(r:try_lock(), pcall(r.unlock, r))
  this_fiber.forbid_suspend()
  print(pcall(require('recursive_mutex').new().lock, require('recursive_mutex').new()))
`,
  `true
true
still mine
handed over	true
false	false	Operation not permitted
false	EPERM within a forbid-suspend block
`,
  { once: true },
);

spec(
  'a notification is for those who wait now, whatever mutex they wait with',
  `
  local mutex, c = require 'mutex', require('condition_variable').new()
  local a, b = mutex.new(), mutex.new()
  c:notify_one()
  c:notify_all()
  local function waiter(m, name)
    return spawn(function() m:lock() c:wait(m) print(name) m:unlock() end)
  end
  local fibers = { waiter(a, 'first'), waiter(b, 'second'), waiter(a, 'third') }
  for i = 1, 9 do this_fiber.yield() end
  print('they wait')
  c:notify_one()
  fibers[1]:join()
  c:notify_all()
  fibers[2]:join()
  fibers[3]:join()
`,
  'they wait\nfirst\nsecond\nthird\n',
  { once: true },
);

spec(
  'a wait that can not begin leaves the mutex locked; one that must not be interrupted is not',
  `
  local m, c = require('mutex').new(), require('condition_variable').new()
  m:lock()
  this_fiber.forbid_suspend()
  print(pcall(c.wait, c, m))
  this_fiber.allow_suspend()
  local f = spawn(function() c:wait(m) end)
  f:interrupt()
  f:join()
  print(f.interruption_caught, m:try_lock())
  m:unlock()
  local g = spawn(function()
    this_fiber.disable_interruption()
    m:lock()
    c:wait(m)
    print('notified', m:try_lock())
    m:unlock()
    this_fiber.restore_interruption()
    this_fiber.yield()
    print('never')
  end)
  for i = 1, 9 do this_fiber.yield() end
  g:interrupt()
  for i = 1, 9 do this_fiber.yield() end
  c:notify_one()
  g:join()
  print(g.interruption_caught)
`,
  'false\tEPERM within a forbid-suspend block\ntrue\tfalse\nnotified\tfalse\ntrue\n',
);
