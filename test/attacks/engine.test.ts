/** What brings the engine itself into trouble: each is an error of Lua's at most, and never one of ours. */
import { spec } from '../support/spec.ts';

spec(
  'a pattern that is longer than any that V8 compiles',
  `
  local text = ('x'):rep(60000)
  print(#text:match(('.'):rep(60000)), (text .. 'y'):find('^' .. ('[wx]'):rep(60000) .. 'y'))
  print(text:find('^(' .. ('%a'):rep(60000) .. ')z'), (text:gsub('^' .. text .. '*', 'one')))
`,
  '60000\t1\t60001\nnil\tone\n',
);

spec(
  'and a regular expression',
  `
  local regex = require 'regex'
  local text = ('x'):rep(40000)
  for _, grammar in ipairs{'ecma', 'basic', 'extended'} do
    local r = regex.new{pattern = text .. '[xy]', grammar = grammar}
    print(regex.match(r, text .. 'y') ~= nil, regex.match(r, text .. 'z') ~= nil)
  end
`,
  'true\tfalse\n'.repeat(3),
);

spec(
  'numbers to which nothing can be added',
  `
  local big = 2 ^ 53
  print(select('#', unpack({}, big, big + 2)), select('#', unpack({}, -big - 4, -big - 2)))
  print(pcall(table.concat, {[big] = 'x'}, ',', big, big + 2))
  print(next(table.move({1}, big, big + 2, 1)), (next(table.move({1}, -big - 4, -big - 2, 1))))
  print(#table.move({1, 2, 3}, 1, 3, big), next(table.move(setmetatable({}, {}), big, big + 2, 1)))
`,
  /^3\t3\nfalse\tinvalid value .*\nnil\tnil\n3\tnil\n$/,
);

spec(
  'a pattern, a regular expression and all else that V8 compiles when it is used, where the stack ends',
  `
  local find, pcall, tostring, reached, stop, what = string.find, pcall, tostring, 0, -1, 0
  local regex = require 'regex'
  local results, failures = {}, {}
  local attempts = {
    function() return find('xxxx', '[a-z]*(' .. ('%d?'):rep(20) .. ')' .. what) end,
    function() return ('x'):gsub('.', {x = what}) end,
    function() return regex.search(regex.new{pattern = 'x' .. what .. '|y*', grammar = 'ecma'}, 'yy') end,
    function() return require 'json'.decode('{"k' .. what .. '": [1, {"a": 2}]}') end,
    function() return ('%d %s'):format(what, what) end,
    function() return assert(loadstring('local t = {} t.n' .. what .. ' = 1 return t'))() end,
  }
  local function descend(depth)
    reached = depth
    if depth == stop then
      for i, attempt in ipairs(attempts) do
        what = what + 1
        local ok, e = pcall(attempt)
        failures[i] = (failures[i] or 0) + (ok and 0 or 1)
        local isAboutTheStack = not ok and (tostring(e):find('stack overflow', 1, true) or e:find('too many syntax levels', 1, true))
        if not ok and not isAboutTheStack then results[#results + 1] = tostring(e) end
      end
      return 0
    end
    local result = descend(depth + 1)
    return result
  end
  -- How deep that is changes as V8 compiles what runs.
  local function some()
    local sum = 0
    for _, n in pairs(failures) do sum = sum + n end
    return sum > 0
  end
  for k = 0, 3000 do
    if k > 150 and some() then break end
    stop = -1
    pcall(descend, 1)
    stop = reached - k % 150
    pcall(descend, 1)
  end
  print(#results, results[1])
  print(some())
  print(find('after', 'f.')) -- and it goes on
`,
  '0\tnil\ntrue\n2\t3\n',
  { once: true },
);
