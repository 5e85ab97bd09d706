import { spec } from '../support/spec.ts';

// ── elements ───────────────────────────────────────────────────────────────────────────────────────

spec(
  'insert and remove shift what follows',
  `
  local t = { 1, 2, 3 }
  table.insert(t, 4) table.insert(t, 1, 0) table.insert(t, 3, 'x') table.insert(t, #t + 1, 'end')
  print(table.concat(t, ' '))
  print(table.remove(t), table.remove(t, 1), table.remove(t, 2), table.concat(t, ' '))
  print(select('#', table.remove(t, 10)), select('#', table.remove({})), select('#', table.remove({}, 1)))
  t = {} for i = 1, 100 do table.insert(t, 1, i) end
  print(#t, t[1], t[100], table.remove(t, 50), #t, t[50])
  while #t > 0 do table.remove(t, 1) end
  print(next(t))
`,
  `0 1 x 2 3 4 end
end\t0\tx\t1 2 3 4
0\t0\t0
100\t100\t1\t51\t99\t50
nil
`,
);

spec(
  'insert far below 1 moves what is there, and takes no longer',
  `
  local function shown(t)
    local keys = {}
    for k in pairs(t) do keys[#keys + 1] = k end
    table.sort(keys)
    for i, k in ipairs(keys) do keys[i] = k .. '=' .. t[k] end
    print(table.concat(keys, ' '))
  end
  for _, at in ipairs { 0, -1, -3, -2^31, -2^53 } do
    local t = { 'a', 'b', [0] = 'z', [-1] = 'y', [-3] = 'x', [-9] = 'w', [-0.5] = 'v' }
    table.insert(t, at, 'new')
    shown(t)
  end
  local t = { 'a' }
  table.insert(t, -5, 'new')
  shown(t)
`,
  `-9=w -3=x -1=y -0.5=v 0=new 1=z 2=a 3=b
-9=w -3=x -1=new -0.5=v 0=y 1=z 2=a 3=b
-9=w -3=new -2=x -0.5=v 0=y 1=z 2=a 3=b
-2147483648=new -8=w -2=x -0.5=v 0=y 1=z 2=a 3=b
-9.007199254741e+15=new -8=w -2=x -0.5=v 0=y 1=z 2=a 3=b
-5=new 2=a
`,
);

spec(
  'a queue keeps its order',
  `
  local q, sum = {}, 0
  for i = 1, 50 do q[i] = i end
  for i = 51, 5000 do sum = sum + table.remove(q, 1) * (i % 7) table.insert(q, i) end
  print(sum, #q, q[1], q[50], table.concat(q, ',', 1, 3))
`,
  `36751276\t50\t4951\t5000\t4951,4952,4953
`,
);

spec(
  'elements may be nil in between, and stand in the hash',
  `
  local t = { 1, nil, 3 }
  table.insert(t, 2, 'x')
  print(#t, t[1], t[2], t[3], t[4])
  print(table.remove(t, 1), #t, t[1], t[2], t[3])
  t = {} t[3] = 'c' t[2] = 'b' t[1] = 'a'
  print(table.concat(t), table.remove(t, 2), #t, t[2])
  t = { n = 1, [1] = 'one' } table.insert(t, 'two') table.insert(t, nil)
  print(#t, t[2], t.n)
  t = {} table.insert(t, 3, 'c') print(#t, t[3])
  t = { 1, 2 } table.insert(t, 0, 'z') print(#t, t[0], t[1], t[2], t[3])
`,
  `4\t1\tx\tnil\t3
1\t3\tx\tnil\t3
abc\tb\t2\tc
2\ttwo\t1
0\tc
3\tz\tnil\t1\t2
`,
);

spec(
  'concat joins strings and numbers',
  `
  print(table.concat({}), table.concat({ 1, 2.5, 'x' }, '-'), table.concat({ 1, 2, 3 }, ',', 2), table.concat({ 1, 2, 3 }, ',', 2, 2))
  print('[' .. table.concat({ 1, 2, 3 }, ',', 3, 2) .. ']', table.concat({ [5] = 'e', [6] = 'f' }, '+', 5, 6), table.concat({ 'a', 'b' }, 1))
  local t = {} for i = 1, 1000 do t[i] = i end
  print(#table.concat(t), #table.concat(t, ', '), table.concat(t, ' ', 995))
  print(select(2, pcall(function() table.concat({ 1, {}, 3 }) end)))
  print(select(2, pcall(function() table.concat({ 1, 2 }, ',', 1, 3) end)))
  print(select(2, pcall(function() table.concat({ true }) end)))
`,
  `\t1-2.5-x\t2,3\t2
[]\te+f\ta1b
2893\t4891\t995 996 997 998 999 1000
main.lua:6: invalid value (table) at index 2 in table for 'concat'
main.lua:7: invalid value (nil) at index 3 in table for 'concat'
main.lua:8: invalid value (boolean) at index 1 in table for 'concat'
`,
);

spec(
  'unpack gives elements, nil among them',
  `
  print(unpack({ 1, 2, 3 })) print(unpack({ 1, 2, 3 }, 2)) print(unpack({ 1, 2, 3 }, 2, 5)) print(unpack({ 1, nil, 3 }))
  print(select('#', unpack({})), select('#', unpack({}, 1, 3)), (unpack({ 7 }))) print(unpack({ 1, 2 }, -1, 1))
  print(select('#', unpack({}, 1, 7999)), select(2, pcall(function() print(unpack({}, 1, 8000)) end)))
  print(select(2, pcall(function() print(unpack({}, 1, 1e9)) end)))
`,
  `1\t2\t3
2\t3
2\t3\tnil\tnil
1\tnil\t3
0\t3\t7
nil\tnil\t1
7999\tmain.lua:4: too many results to unpack
main.lua:5: too many results to unpack
`,
);

spec(
  'move copies in the direction that loses nothing',
  `
  local function show(t) local s = {} for i = 1, 8 do s[i] = tostring(t[i]) end return table.concat(s, ' ') end
  print(show(table.move({ 1, 2, 3, 4 }, 1, 4, 3))) print(show(table.move({ 1, 2, 3, 4 }, 2, 4, 1)))
  print(show(table.move({ 1, 2, 3 }, 1, 3, 2, {}))) print(show(table.move({ 1, 2, 3 }, 3, 2, 1)))
  local log = {}
  local to = setmetatable({}, { __newindex = function(t, k, v) log[#log + 1] = k .. '=' .. v rawset(t, k, v) end })
  table.move({ 'a', 'b' }, 1, 2, 4, to)
  print(table.concat(log, ' '), to[5])
`,
  `1 2 1 2 3 4 nil nil
2 3 4 4 nil nil nil nil
nil 1 2 3 nil nil nil nil
1 2 3 nil nil nil nil nil
4=a 5=b\tb
`,
);

spec(
  'maxn and getn',
  `
  print(table.maxn({}), table.maxn({ 1, 2 }), table.maxn({ [10] = 1, [2.5] = 1, x = 1 }), table.maxn({ [-1] = 1 }))
  local t = { 1, 2, [100] = 'x' } t[100] = nil
  print(table.maxn(t), table.getn({ 1, 2, 3 }))
`,
  `0\t2\t10\t0
2\t3
`,
);

spec(
  'foreach and foreachi stop at the first value',
  `
  table.foreachi({ 'a', 'b' }, print)
  print(table.foreachi({ 1, 2, 3 }, function(i, v) if v == 2 then return 'found ' .. i end end))
  print(table.foreach({ x = 1 }, function(k, v) return k .. v end), select('#', table.foreach({}, print)))
`,
  `1\ta
2\tb
found 2
x1\t0
`,
);

// ── sorting ────────────────────────────────────────────────────────────────────────────────────────

spec(
  'sort orders numbers and strings',
  String.raw`
  local function sorted(t, f) table.sort(t, f) return table.concat(t, ' ') end
  print(sorted({ 3, 1, 2 }), sorted({ 'b', 'a', 'C', '' }), sorted({ 2.5, -1, 1e10, 0 }), sorted({}), sorted({ 1 }))
  print(sorted({ 3, 1, 2 }, function(a, b) return a > b end), sorted({ 10, 9, 2, 33, 1 }, function(a, b) return tostring(a) < tostring(b) end))
  local t = {} for i = 1, 500 do t[i] = (i * 7919) % 1009 end
  table.sort(t)
  for i = 2, 500 do assert(t[i - 1] <= t[i]) end
  print(t[1], t[500])
  table.sort(t, function(a, b) return a > b end)
  for i = 2, 500 do assert(t[i - 1] >= t[i]) end
  print(sorted({ '\200', 'z', '\0', 'A\0b', 'A' }) == '\0 A A\0b z \200')
`,
  `1 2 3\t C a b\t-1 0 2.5 10000000000\t\t1
3 2 1\t1 10 2 33 9
1\t1006
true
`,
);

spec(
  'sort compares with __lt, and with nothing else',
  `
  local V = {} V.__lt = function(a, b) return a.v < b.v end
  local t = {} for i, v in ipairs({ 5, 3, 9, 1 }) do t[i] = setmetatable({ v = v }, V) end
  table.sort(t)
  for i = 1, 4 do t[i] = t[i].v end
  print(table.concat(t, ' '))
  print(select(2, pcall(function() table.sort({ 1, 'x' }) end)))
  print(select(2, pcall(function() table.sort({ {}, {} }) end)))
  print(select(2, pcall(function() table.sort({ 1, 2 }, 1) end)))
  print(pcall(table.sort, { 1, 2, 3 }, function() error('no order', 0) end))
`,
  `1 3 5 9
main.lua:7: attempt to compare string with number
main.lua:8: attempt to compare two table values
main.lua:9: bad argument #2 to 'sort' (function expected, got number)
false\tno order
`,
);

spec(
  'an order that contradicts itself ends, and loses nothing',
  `
  for _, order in ipairs({ function() return true end, function() return false end, function(a, b) return (a * 7 + b) % 3 == 0 end }) do
    local t, sum = {}, 0
    for i = 1, 200 do t[i] = i end
    pcall(table.sort, t, order)
    for i = 1, 200 do sum = sum + t[i] end
    print(#t, sum)
  end
`,
  `200\t20100
200\t20100
200\t20100
`,
);

spec(
  'a sort can be suspended at every comparison',
  `
  local co = coroutine.wrap(function()
    local t = { 4, 2, 5, 1, 3 }
    table.sort(t, function(a, b) return coroutine.yield(a < b) end)
    return table.concat(t, ' ')
  end)
  local r, n = co(), 0
  while r == true or r == false do n = n + 1 r = co(r) end
  print(r, n <= 10)
`,
  `1 2 3 4 5\ttrue
`,
);

spec(
  'sorts that take turns do not disturb each other',
  `
  local function sorter(t)
    return coroutine.wrap(function()
      table.sort(t, function(a, b) coroutine.yield() return a < b end)
      return table.concat(t, ' ')
    end)
  end
  local x, y = sorter({ 3, 1, 2, 6, 5, 4 }), sorter({ 'c', 'a', 'b', 'e', 'd' })
  local a, b
  repeat a = a or x() b = b or y() until a and b
  print(a, b)
`,
  `1 2 3 4 5 6\ta b c d e
`,
);

spec(
  'other callbacks suspend, too',
  `
  local co = coroutine.wrap(function()
    table.foreachi({ 'a', 'b' }, function(i, v) coroutine.yield(i .. v) end)
    local from = setmetatable({}, { __index = function(_, k) return coroutine.yield('read ' .. k) end })
    local to = setmetatable({}, { __newindex = function(t, k, v) coroutine.yield('write ' .. v) rawset(t, k, v) end })
    table.move(from, 1, 2, 1, to)
    return to[1] .. to[2]
  end)
  print(co()) print(co()) print(co()) print(co('x')) print(co()) print(co('y')) print(co())
`,
  `1a
2b
read 1
write x
read 2
write y
xy
`,
);

// ── and the rest ───────────────────────────────────────────────────────────────────────────────────

spec(
  'pack, unpack, new and clear',
  `
  local t = table.pack(1, nil, 3, nil)
  print(t.n, t[1], t[2], t[3], #table.pack(), table.pack().n, table.unpack({ 1, 2 }))
  t = { 1, 2, x = 3, [{}] = 4 }
  table.clear(t)
  print(next(t), #t)
  t[1], t.x = 'again', 'x'
  print(t[1], t.x, #t, next(table.new(10, 10)))
`,
  `4\t1\tnil\t3\t0\t0\t1\t2
nil\t0
again\tx\t1\tnil
`,
);

spec(
  'arguments are checked',
  `
  print(select(2, pcall(function() table.insert({}) end)))
  print(select(2, pcall(function() table.insert({}, 1, 2, 3) end)))
  print(select(2, pcall(function() table.insert(1, 2) end)))
  print(select(2, pcall(function() table.insert({}, 'x', 2) end)))
  print(select(2, pcall(function() table.remove({}, {}) end)))
  print(select(2, pcall(function() table.concat({}, {}) end)))
  print(select(2, pcall(function() table.sort(nil) end)))
`,
  `main.lua:2: wrong number of arguments to 'insert'
main.lua:3: wrong number of arguments to 'insert'
main.lua:4: bad argument #1 to 'insert' (table expected, got number)
main.lua:5: bad argument #2 to 'insert' (number expected, got string)
main.lua:6: bad argument #2 to 'remove' (number expected, got table)
main.lua:7: bad argument #2 to 'concat' (string expected, got table)
main.lua:8: bad argument #1 to 'sort' (table expected, got nil)
`,
);

spec(
  'a field that was set by a key made at run time hides one of the class, also for methods',
  `
  local Base = {}
  Base.__index = Base
  function Base.who() return 'base' end
  local Class = setmetatable({}, Base)
  Class.__index = Class
  local object = setmetatable({}, Class)
  print(object:who(), object.who())
  local name = table.concat({ 'w', 'h', 'o' })
  Class[name] = function() return 'class' end
  print(object:who(), object.who())
  object[name] = function() return 'own' end
  print(object:who(), object.who())
  object[name] = nil
  Class[name] = nil
  print(object:who(), object.who())
`,
  'base\tbase\nclass\tclass\nown\town\nbase\tbase\n',
);
