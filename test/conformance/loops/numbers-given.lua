-- A loop begins by telling V8 which of the variables that it computes are numbers: those given by a caller may be anything.
local function sum(x, n) for i = 1, n do x = x + i end return x end
local function back(x, n) while n > 0 do x = x * 2 n = n - 1 end return x, n end
local function both(a, b, n)
  repeat
    a = a - b
    b = -b
    n = n - 1
  until n <= 0
  return a, b
end
local function never(x, ...) for _ in pairs({}) do x = x + 1 end return x, ... end

local made = 0
local V = {}
V.__index = V
local function new(v) made = made + 1 return setmetatable({v = v}, V) end
V.__add = function(a, b) return new((type(a) == 'table' and a.v or a) + (type(b) == 'table' and b.v or b)) end
V.__mul = function(a, b) return new(a.v * b) end
V.__sub = function(a, b) return new(a.v - b.v) end
V.__unm = function(a) return new(-a.v) end

for _ = 1, 3 do
  print(sum(0, 10), sum(0.5, 10), sum('1', 4), sum('0x10', 1), sum(new(1), 3).v)
  print(back(1, 10), back('3', 2), back(new(2), 4).v, pcall(back, 1, '3'))
  local a, b = both(new(5), new(3), 3)
  print(a.v, b.v, both(1, 2, 4), both('7', '2', 1))
  print(never('text'), never(nil, 1), never(false), type(never({})), never('12'))
  print(1 / sum(-0, 0), sum('-0', 0), 1 / back(-0, 0), sum('5', 0))
end
print(made)
print(pcall(sum, {}, 1))
print(pcall(sum, nil, 2))
print(pcall(back, 'x', 1))
local co = coroutine.wrap(function(x) for i = 1, 4 do x = x + coroutine.yield(x) end return x end)
print(co(1), co('2'), co(3.5), co(new(1)).v, co(1).v)
