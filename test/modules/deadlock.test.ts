import assert from 'node:assert/strict';
import test from 'node:test';
import { runProgram, spec } from '../support/spec.ts';

spec(
  'fibers that nobody can wake are reported when the VM ends: who, where, on what',
  `
  local m = require('mutex').new()
  m:lock()
  spawn(function()
    m:lock()
  end)
  local p, f = require('future').new()
  spawn(function() f:get() end)
  KEEP = { p, f, m }
  print('end of main')
`,
  'end of main\n',
  {
    stderr:
      /^Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x2 waits for mutex 0x[0-9a-f]+ at main\.lua:5\n\tfiber 0x3 waits for future 0x[0-9a-f]+ at main\.lua:8\n\tNo scheduled fibers remaining to unlock mutex 0x[0-9a-f]+\n$/,
  },
);

spec(
  'two fibers that join each other',
  `
  local a, b
  a = spawn(function() b:join() end)
  b = spawn(function() a:join() end)
`,
  '',
  {
    stderr:
      /^Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x2 waits for fiber 0x3 at main\.lua:3\n\tfiber 0x3 waits for fiber 0x2 at main\.lua:4\n$/,
  },
);

spec(
  'each kind of wait has its name; of detached fibers only a wait for a mutex is a mistake',
  `
  local m, r, c = require('mutex').new(), require('recursive_mutex').new(), require('condition_variable').new()
  local s, b, w = require('semaphore').new(), require('barrier').new(2), require('wait_group').new()
  local select, ch = require 'select', require('channel').new()
  KEPT, F = require('future').new()
  m:lock() w:add()
  spawn(function() r:lock() r:lock() end):join()
  spawn(function() r:lock() end)
  spawn(function() c:wait(m) end)
  spawn(function() s:acquire() end)
  spawn(function() b:wait() end)
  spawn(function() w:wait() end)
  spawn(function() ch:receive() end):detach()
  spawn(function() coroutine.wrap(function() select { F } end)() end)
  spawn(function() F:get() end)
  spawn(function() m:lock() m:lock() end):detach()
  require('fiber_group')(function(g)
    g:spawn(function() end)
    g:spawn(function() s:acquire(2) end)
  end)
`,
  '',
  {
    stderr: new RegExp(
      '^Possible deadlock\\(s\\) detected during VM 0x[0-9a-f]+ shutdown:\n' +
        [
          'fiber 0x1 waits for fiber 0xd at main.lua:17',
          'fiber 0x3 waits for recursive_mutex 0x\\w+ at main.lua:8',
          'fiber 0x4 waits for condition_variable 0x\\w+ at main.lua:9',
          'fiber 0x5 waits for semaphore 0x\\w+ at main.lua:10',
          'fiber 0x6 waits for barrier 0x\\w+ at main.lua:11',
          'fiber 0x7 waits for wait_group 0x\\w+ at main.lua:12',
          'fiber 0x9 waits for future 0x\\w+ at main.lua:14',
          'fiber 0xa waits for future 0x\\w+ at main.lua:15',
          'fiber 0xb waits for mutex (0x\\w+) at main.lua:16',
          'fiber 0xd waits for semaphore 0x\\w+ at main.lua:19',
          'No scheduled fibers remaining to unlock mutex \\1',
        ]
          .map((line) => `\t${line}\n`)
          .join('')
          .replaceAll('main.lua', 'main\\.lua') +
        '$',
    ),
    once: true,
  },
);

spec(
  'a function whose time is over, and that cannot end, is a deadlock like others',
  `
  local m = require('mutex').new()
  m:lock()
  require('timeout')(0.001, function() m:lock() end)
`,
  '',
  {
    stderr:
      /^Possible deadlock\(s\) detected .*\n\tfiber 0x1 waits for fiber 0x2 at main\.lua:4\n\tfiber 0x2 waits for mutex (0x\w+) at main\.lua:4\n\tNo scheduled fibers remaining to unlock mutex \1\n$/,
  },
);

spec(
  'a module that never ends to be loaded, and whoever waits for it',
  `
  require './stuck'
`,
  '',
  {
    files: { 'stuck.lua': "local s = require('semaphore').new()\ns:acquire()" },
    stderr:
      /^Possible deadlock\(s\) detected .*\n\tfiber 0x1 waits for fiber 0x2 at main\.lua:2\n\tfiber 0x2 waits for semaphore 0x\w+ at \/.*\/stuck\.lua:2\n$/,
  },
);

test('the command ends then, too', async () => {
  const { stdout, stderr, code } = await runProgram(`
    local m = require('mutex').new()
    m:lock()
    print('before')
    require('timeout')(0.001, function() m:lock() end)
  `);
  assert.equal(stdout, 'before\n');
  assert.match(stderr, /^Possible deadlock\(s\) detected/);
  assert.equal(code, 0);
});
