-- Closures made, kept and called: counters with shared upvalues, composition, functions over lists.
local function counter(step)
  local value = 0
  local function add() value = value + step end
  local function get() return value end
  return add, get
end

local function compose(f, g)
  return function(x) return f(g(x)) end
end

local function map(list, f)
  local out = {}
  for i = 1, #list do out[i] = f(list[i]) end
  return out
end

local function fold(list, f, seed)
  for i = 1, #list do seed = f(seed, list[i]) end
  return seed
end

local sum = 0
for round = 1, 1200000 do
  local add, get = counter(round % 3 + 1)
  for _ = 1, 20 do add() end
  sum = sum + get()
end

local list = {}
for i = 1, 100 do list[i] = i end
for round = 1, 240000 do
  local shift = compose(function(x) return x + round % 5 end, function(x) return x * 2 end)
  sum = sum + fold(map(list, shift), function(a, b) return (a + b) % 65536 end, 0)
end
print(sum)
