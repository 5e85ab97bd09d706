import { spec } from '../support/spec.ts';

spec(
  'a function that is done in time gives its results',
  `
  local timeout = require 'timeout'
  print(timeout(10, function() this_fiber.yield() return 1, nil, 3 end))
`,
  '1\tnil\t3\n',
);

spec(
  'one that is not is interrupted, and ETIMEDOUT raised',
  `
  local timeout, time = require 'timeout', require 'time'
  local ok, e = pcall(timeout, 0.01, function()
    scope_cleanup_push(function() print('cleaned up') end)
    time.sleep(60)
    print('never')
  end)
  print(ok, e, e == require('generic_error').ETIMEDOUT)
`,
  'cleaned up\nfalse\tConnection timed out\ttrue\n',
);

spec(
  'errors pass through; the time is up for nobody then',
  `
  local timeout = require 'timeout'
  print(pcall(timeout, 60, function() error('mine', 0) end))
`,
  'false\tmine\n',
);

spec(
  'an interruption of the caller interrupts the function',
  `
  local timeout, time = require 'timeout', require 'time'
  local f = spawn(function() timeout(60, function() time.sleep(60) end) print('never') end)
  this_fiber.yield() this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'true\n',
);

spec(
  'timeouts nest: the nearer one ends',
  `
  local timeout, time = require 'timeout', require 'time'
  print(timeout(60, function()
    local ok, e = pcall(timeout, 0.01, function() time.sleep(60) end)
    return ok, tostring(e)
  end))
`,
  'false\tConnection timed out\n',
);

spec(
  'fiber-local storage is that of the caller',
  `
  local timeout = require 'timeout'
  this_fiber.local_.x = 'kept'
  timeout(10, function() print(this_fiber.local_.x) end)
`,
  'kept\n',
);

spec(
  'the time is checked',
  `
  local timeout = require 'timeout'
  local function code(...) local _, e = pcall(...) print(e, e.arg) end
  code(timeout, -1, print)
  code(timeout, 0/0, print)
  code(timeout, 1/0, print)
`,
  'Numerical argument out of domain\t1\n'.repeat(3),
);

spec(
  'what has been completed counts, also after the time; so does another error',
  `
  local timeout = require 'timeout'
  local function wait() while true do this_fiber.yield() end end
  print(timeout(0.001, function()
    local ok, e = pcall(wait)
    return ok, tostring(e)
  end))
  print(pcall(timeout, 0.001, function() pcall(wait) error('other', 0) end))
  print(pcall(timeout, 0.001, function() error(select(2, pcall(wait))) end))
  print(timeout(0, function() return 'at once' end))
  print(pcall(timeout, 9, function() error(nil) end))
`,
  `false	Fiber interrupted
false	other
false	Connection timed out
at once
false	nil
`,
);

spec(
  'a caller that is interrupted while the function ends by itself gets its results, and is interrupted later',
  `
  local timeout = require 'timeout'
  local f = spawn(function()
    print(timeout(60, function()
      this_fiber.disable_interruption()
      for i = 1, 9 do this_fiber.yield() end
      return 'kept'
    end))
    this_fiber.yield()
    print('never')
  end)
  this_fiber.yield() this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'kept\ntrue\n',
);

spec(
  'it works in cleanup handlers, where the caller is not interrupted',
  `
  local timeout, time = require 'timeout', require 'time'
  local f = spawn(function()
    scope_cleanup_push(function()
      print(pcall(timeout, 0.001, function() time.sleep(60) end))
      print(timeout(60, function() this_fiber.yield() return 'cleaned up' end))
    end)
    time.sleep(60)
  end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
`,
  'false\tConnection timed out\ncleaned up\ntrue\n',
);
