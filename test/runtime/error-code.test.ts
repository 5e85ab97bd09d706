import { spec } from '../support/spec.ts';

spec(
  'error objects are equal by code and category; other fields do not count',
  `
  local ge, ae = require 'generic_error', require 'asio_error'
  local a, b = ge.EPERM, ge.EPERM
  a.context, b.context = 'one', 'two'
  print(a == b, a ~= b, a == ge.ENOENT)
  -- Two categories, one code.
  local system = ae.basic.no_permission
  print(system.code == a.code, system == a, system.category == a.category, tostring(system) == tostring(a))
  print(a == { code = a.code, category = a.category }, a == 1, a == tostring(a))
`,
  'true\tfalse\tfalse\ntrue\tfalse\tfalse\ttrue\nfalse\tfalse\tfalse\n',
);

spec(
  'togeneric: errors of the system have a portable form, others are their own',
  `
  local ge, ae = require 'generic_error', require 'asio_error'
  local system = ae.basic.no_permission
  local portable = system:togeneric()
  print(portable == ge.EPERM, portable.category, rawequal(portable:togeneric(), portable), portable:togeneric() == portable)
  print(ae.misc.eof:togeneric() == ae.misc.eof, ae.misc.eof:togeneric().category)
  local ok, core = pcall(require, './none')
  print(core:togeneric() == core, core:togeneric().module)
`,
  'true\tgeneric\tfalse\ttrue\ntrue\tasio.misc\ntrue\tnil\n',
);

spec(
  'a program may add fields, raise an error object again, and meet it unchanged',
  `
  local e = require('generic_error').EBUSY
  e.context = { 'more' }
  local ok, caught = pcall(error, e, 2)
  print(rawequal(e, caught), caught.context[1], caught.unknown, #caught, getmetatable(caught))
  local seen = {}
  for k in pairs(e) do seen[#seen + 1] = k end
  table.sort(seen)
  print(table.concat(seen, ' '))
  print(pcall(setmetatable, e, {}))
`,
  `true	more	nil	0	error_code
category code context
false	cannot change a protected metatable
`,
);

spec(
  'a broken error object has no text and no portable form',
  `
  local ge = require 'generic_error'
  for _, break_it in ipairs {
    function(e) e.code = nil end, function(e) e.code = 'x' end, function(e) e.category = nil end,
    function(e) e.category = {} end, function(e) e.category = e end,
    function(e) e.code = 0 / 0 end, function(e) e.code = 1.5 end, function(e) e.code = 1e300 end,
  } do
    local e = ge.EPERM
    break_it(e)
    local ok, why = pcall(tostring, e)
    local ok2, why2 = pcall(ge.EPERM.togeneric, e)
    print(why, why.arg, why2, why2.arg, e == ge.EPERM)
  end
  for _, self in ipairs { 1, {}, 'x', print } do
    local ok, why = pcall(ge.EPERM.togeneric, self)
    print(why, why.arg)
  end
`,
  'Invalid argument\tnil\tInvalid argument\t1\tfalse\n'.repeat(8) +
    'Invalid argument\t1\n'.repeat(4),
);

spec(
  'categories are equal to themselves only, and have nothing but message',
  `
  local ge, ae = require 'generic_error', require 'asio_error'
  local generic, system = ge.EPERM.category, ae.basic.broken_pipe.category
  print(generic, system, generic == ge.EIO.category, generic == system, system == ae.basic.fault.category)
  print(generic:message(2), generic.message(2), generic:message(2) == system:message(2))
  print(generic:message(-1), generic:message(0), ae.misc.eof.category:message(12345) ~= nil)
  for _, f in ipairs {
    function() return generic.nothing end, function() return generic[1] end, function() generic.x = 1 end,
    function() generic.message() end, function() generic:message('x') end,
  } do
    local ok, e = pcall(f)
    print(e, e.index, e.arg)
  end
  print(getmetatable(generic), type(generic), pcall(setmetatable, generic, {}))
`,
  `generic	system	true	false	true
No such file or directory	No such file or directory	true
Unknown error -1	Success	true
Requested key wasn't found in the table/userdata	2	nil
Requested key wasn't found in the table/userdata	2	nil
Operation not permitted	nil	nil
Invalid argument	nil	1
Invalid argument	nil	2
error_category	userdata	false	bad argument #1 to 'setmetatable' (table expected, got userdata)
`,
);
