import { spec } from '../support/spec.ts';

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
      /^Possible deadlock\(s\) detected during VM 0x[0-9a-f]+ shutdown:\n\tfiber 0x2 waits for mutex 0x[0-9a-f]+ at main\.lua:5\n\tfiber 0x3 waits for future 0x[0-9a-f]+ at main\.lua:8\n$/,
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
