import { spec } from '../support/spec.ts';

spec(
  'the first ready case wins, the others are untouched',
  `
  local select, channel = require 'select', require 'channel'
  local a, b = channel.new(1), channel.new(1)
  a:send('a') b:send('b')
  print(select { a:receiving(), b:receiving() })
  print(#a, #b)
`,
  '1\ta\n0\t1\n',
);

spec(
  'it waits for whichever comes first',
  `
  local select, channel = require 'select', require 'channel'
  local a, b = channel.new(), channel.new()
  spawn(function() this_fiber.yield() b:send('late') end)
  print(select { a:receiving(), b:receiving() })
  print(a:try_send('x'), b:try_send('y'))
`,
  '2\tlate\nfalse\tfalse\n',
);

spec(
  'sending, futures, fibers and timeouts are cases, too',
  `
  local select, channel, future = require 'select', require 'channel', require 'future'
  local ch = channel.new(1)
  print(select { ch:sending('v') }, #ch)
  print(select { ch:sending('w'), 0.01 })
  local p, f = future.new()
  spawn(function() p:set_value('value') end)
  print(select { f, 60 })
  local g = spawn(function() return 'result' end)
  print(select { 60, g }, g:join())
`,
  '1\t1\n2\n1\tvalue\n2\tresult\n',
);

spec(
  'an error of the case that wins is raised',
  `
  local select, channel = require 'select', require 'channel'
  local ch = channel.new()
  spawn(function() ch:close() end)
  print(pcall(select, { ch:receiving() }))
  print(pcall(select, {}))
  print(pcall(select, { 'nonsense' }))
`,
  'false\tChannel closed\nfalse\tInvalid argument\nfalse\tInvalid argument\n',
);

spec(
  'it is an interruption point, and nothing is taken',
  `
  local select, channel = require 'select', require 'channel'
  local ch = channel.new()
  local f = spawn(function() select { ch:receiving() } end)
  this_fiber.yield()
  f:interrupt() f:join()
  print(f.interruption_caught, ch:try_send(1))
`,
  'true\tfalse\n',
);

spec(
  'the cases of one select never complete each other',
  `
  local select, channel = require 'select', require 'channel'
  local ch = channel.new()
  print(select { ch:receiving(), ch:sending('self'), 0.01 })
  print(select { ch:sending('self'), ch:receiving(), 0.01 })
  local function either() return select { ch:sending('other'), ch:receiving() } end
  local a, b = spawn(either), spawn(either)
  local i, v = a:join()
  local j, w = b:join()
  print(i + j, v or w)
`,
  '3\n3\n3\tother\n',
);

spec(
  'a timeout that is infinite is none; a case that is not one is EINVAL',
  `
  local select, channel = require 'select', require 'channel'
  local ch = channel.new(1)
  spawn(function() ch:send('v') end)
  print(select { 1 / 0, ch:receiving() })
  for _, case in ipairs { -1, 0 / 0, 'x', ch, {}, print, true } do
    local ok, e = pcall(select, { case })
    print(ok, e, e.arg)
  end
  print(select { 0 })
  print(getmetatable(ch:receiving()), getmetatable(ch:sending(1)), pcall(function() return ch:receiving().x end))
`,
  `2	v
${'false	Invalid argument	1\n'.repeat(7)}1
select_case	select_case	false	Requested key wasn't found in the table/userdata
`,
);
