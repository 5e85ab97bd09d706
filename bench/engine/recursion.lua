-- Deep and wide recursion: Takeuchi's and Ackermann's functions, towers of Hanoi, lists walked to the end.
local function tak(x, y, z)
  if y >= x then return z end
  return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))
end

local function ackermann(m, n)
  if m == 0 then return n + 1 end
  if n == 0 then return ackermann(m - 1, 1) end
  return ackermann(m - 1, ackermann(m, n - 1))
end

local function hanoi(n, from, to, by, pegs)
  if n == 0 then return 0 end
  local moves = hanoi(n - 1, from, by, to, pegs)
  pegs[from], pegs[to] = pegs[from] - 1, pegs[to] + 1
  return moves + 1 + hanoi(n - 1, by, to, from, pegs)
end

local function cons(n)
  if n == 0 then return nil end
  return { head = n, tail = cons(n - 1) }
end
local function sum(list)
  if not list then return 0 end
  return list.head + sum(list.tail)
end
local function map(f, list)
  if not list then return nil end
  return { head = f(list.head), tail = map(f, list.tail) }
end

local total = 0
for _ = 1, 6 do total = total + tak(24, 16, 8) end
for _ = 1, 8 do total = total + ackermann(2, 1500) + ackermann(3, 6) end
local pegs = { 20, 0, 0 }
total = total + hanoi(20, 1, 3, 2, pegs)
for i = 1, 200 do
  total = total + sum(map(function(x) return x + i end, cons(3000)))
end
print(total, pegs[3])
