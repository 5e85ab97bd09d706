/** `t[k] = v` by the code that a function of the program has for it after some times (decision 38). */
import { spec } from '../support/spec.ts';

/** `put` has that code when this has run: it has seen tables with a hash part, with fields and with elements. */
const put = `
  local function put(t, k, v) t[k] = v end
  local function count(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
  for i = 1, 60 do
    local t = { [true] = 1, field = 2 }
    put(t, 'a' .. i, i) put(t, false, i) put(t, 0.5, i) put(t, 1, i)
    assert(t['a' .. i] == i and t[false] == i and t[0.5] == i and t[1] == i and count(t) == 6)
  end
`;

spec(
  'keys that are new in a hash are added once, and found, changed and removed by that name',
  `${put}
  local t, keys = {}, {}
  for i = 1, 300 do
    keys[#keys + 1] = 'word' .. i
    keys[#keys + 1] = { i }
    keys[#keys + 1] = function() return i end
    keys[#keys + 1] = i * 1000
    keys[#keys + 1] = i + 0.25
    keys[#keys + 1] = -i
  end
  keys[#keys + 1] = true
  keys[#keys + 1] = false
  keys[#keys + 1] = ''
  for i, k in ipairs(keys) do put(t, k, i) end
  local right = 0
  for i, k in ipairs(keys) do if rawget(t, k) == i then right = right + 1 end end
  print(right == #keys, count(t) == #keys)
  for i, k in ipairs(keys) do put(t, k, -i) end
  for i, k in ipairs(keys) do if t[k] == -i then right = right - 1 end end
  print(right, count(t) == #keys)
  for i, k in ipairs(keys) do if i % 2 == 0 then put(t, k, nil) end end
  print(count(t) == math.ceil(#keys / 2))
  for i, k in ipairs(keys) do put(t, k, i) end
  for i, k in ipairs(keys) do if t[k] == i then right = right + 1 end end
  print(right == #keys, count(t) == #keys)
`,
  'true\ttrue\n0\ttrue\ntrue\ntrue\ttrue\n',
);

spec(
  'numbers beyond the array part are changed where they are, those that follow it join it',
  `${put}
  local t = { 1, 2, 3 }
  put(t, 10, 'ten') put(t, 5, 'five') put(t, 10, 'again') put(t, 4, 4)
  print(#t, t[5], t[10], count(t))
  put(t, 2, nil) put(t, 2, 'two') put(t, 0, 'zero') put(t, -1, 'below') put(t, -1, 'minus')
  print(#t, t[2], t[0], t[-1], count(t))
`,
  '5\tfive\tagain\t6\n5\ttwo\tzero\tminus\t8\n',
);

spec(
  'a table with fields and a hash part has each name once',
  `${put}
  local t = { field = 1, other = 2, [true] = 3 }
  put(t, 'field', nil)
  for i = 1, 3 do put(t, 'field', i) end
  put(t, 'third', 3)
  t.third = 4
  print(t.field, rawget(t, 'field'), t.third, count(t))
  local u = { a_b = 1, [true] = 2 }
  put(u, 'a_b', 3) put(u, 'c_d', 4) put(u, 'c_d', 5)
  u.c_d = u.c_d + u.a_b
  print(u.a_b, u.c_d, count(u))
`,
  '3\t3\t4\t4\n3\t8\t3\n',
);

spec(
  'metatables hear of __index, __newindex and __mode that are added to their hash part',
  `${put}
  local meta = { [true] = 1, [false] = 2 }
  local t = setmetatable({ [true] = 1 }, meta)
  print(t.x)
  put(meta, '__index', function(_, k) return 'index ' .. k end)
  print(t.x, rawget(t, 'x'))
  put(meta, '__newindex', function(u, k, v) rawset(u, k, 'new ' .. v) end)
  put(t, 'y', 1) put(t, true, 2)
  print(t.y, t[true])
  put(meta, '__newindex', nil)
  put(t, 'z', 1)
  print(t.z)
`,
  'nil\nindex x\tnil\nnew 1\t2\n1\n',
);

spec(
  'objects of classes get keys of their own, which their class and other objects do not have',
  `${put}
  local Class = {}
  Class.__index = Class
  function Class.new() return setmetatable({ size = 1 }, Class) end
  function Class:name() return 'name' end
  local objects = {}
  for i = 1, 30 do objects[i] = Class.new() end
  for i = 1, 30 do put(objects[i], { i }, i) put(objects[i], 'name', function() return i end) end
  print(objects[7]:name(), objects[30]:name(), Class:name(), Class.new():name(), count(objects[7]))
  for i = 1, 30 do put(objects[i], 'k' .. i, i) end
  print(objects[7].k7, objects[7].k8, Class.k7, objects[7]:name(), count(objects[7]))
`,
  '7\t30\tname\tname\t3\n7\tnil\tnil\t7\t4\n',
);

spec(
  'a class whose hash part gets another __index leads its objects there, those that there are and new ones',
  `${put}
  local first, second = {}, {}
  function first.who() return 'first' end
  function second.who() return 'second' end
  local Class = { [true] = 1 }
  local function new() return setmetatable({ size = 1 }, Class) end
  local objects = {}
  for i = 1, 30 do objects[i] = new() end
  print(objects[30].who)
  put(Class, '__index', first)
  print(objects[30].who(), new().who())
  put(Class, '__index', second)
  print(objects[30].who(), new().who())
  put(Class, '__index', nil)
  print(objects[30].who, new().who)
`,
  'nil\nfirst\tfirst\nsecond\tsecond\nnil\tnil\n',
);

spec(
  'weak tables get keys as others do, and let go of them',
  `${put}
  local weak = setmetatable({}, { __mode = 'k' })
  put(weak, 'text', 1) put(weak, true, 2)
  local kept = {}
  put(weak, kept, 3)
  put(weak, {}, 4)
  print(weak.text, weak[true], weak[kept])
  collectgarbage()
  print(count(weak))
`,
  '1\t2\t3\n3\n',
);

spec(
  'nil and NaN are no keys',
  `${put}
  local t = { [true] = 1 }
  for _, k in ipairs { 0 / 0 } do print(pcall(put, t, k, 1)) end
  print(pcall(put, t, nil, 1))
  print(count(t))
`,
  'false\tmain.lua:2: table index is NaN\nfalse\tmain.lua:2: table index is nil\n1\n',
);
