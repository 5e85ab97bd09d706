/** Fields that are not where emitted code looks first: the first calls of an accessor, which are made without it, and later ones. */
import { spec } from '../support/spec.ts';

spec(
  'each kind of table answers the same from the first read and store to the tenth',
  `
  local log
  local function get(t) return t.seldom_used end
  local function set(t, v) t.seldom_used = v end
  local function class(t) t.__index = t return t end
  local kinds = {
    plain = function() return {} end,
    own = function() return { ['seldom' .. '_used'] = 1 } end,
    hashed = function() local t = {} for i = 1, 40 do t['k' .. i] = i end t['seldom_' .. 'used'] = 2 return t end,
    class = function() return setmetatable({}, class { seldom_used = 'class' }) end,
    deep = function()
      local a = class { seldom_used = 'deep' }
      return setmetatable({}, class(setmetatable({}, class(setmetatable({}, a)))))
    end,
    functions = function()
      return setmetatable({}, {
        __index = function(_, k) return 'get ' .. k end,
        __newindex = function(t, k, v) log = k rawset(t, k, v) end,
      })
    end,
    other = function() return setmetatable({}, { __index = 'text', __newindex = {} }) end,
    text = function() return 'text' end,
    number = function() return 5 end,
  }
  local names = {}
  for name in pairs(kinds) do names[#names + 1] = name end
  table.sort(names)
  local function seen(t)
    log = nil
    local out = { tostring(select(2, pcall(get, t))) }
    local ok, message = pcall(set, t, 'new')
    out[2] = ok and tostring(rawget(t, 'seldom_used')) or message
    out[3] = tostring(select(2, pcall(get, t)))
    pcall(set, t, nil)
    out[4] = tostring(select(2, pcall(get, t)))
    out[5] = tostring(log)
    return table.concat(out, ', ')
  end
  local first = {}
  for round = 1, 10 do
    for _, name in ipairs(names) do
      local now = seen(kinds[name]())
      if first[name] == nil then first[name] = now print(name, now) end
      if now ~= first[name] then print('other', round, name, now) end
    end
  end
  `,
  `class\tclass, new, new, class, nil
deep\tdeep, new, new, deep, nil
functions\tget seldom_used, new, new, get seldom_used, seldom_used
hashed\t2, new, new, nil, nil
number\tmain.lua:3: attempt to index local 't' (a number value), main.lua:4: attempt to index local 't' (a number value), main.lua:3: attempt to index local 't' (a number value), main.lua:3: attempt to index local 't' (a number value), nil
other\tnil, nil, nil, nil, nil
own\t1, new, new, nil, nil
plain\tnil, new, new, nil, nil
text\tnil, main.lua:4: attempt to index local 't' (a string value), nil, nil, nil
`,
);
