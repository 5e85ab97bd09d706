-- Variable numbers of arguments: select, {...}, unpack, and passing them on.
local unpack = unpack or table.unpack

local function sum(...)
  local total = 0
  for i = 1, select('#', ...) do
    total = total + (select(i, ...))
  end
  return total
end

local function pack_sum(...)
  local total = 0
  local list = { ... }
  for i = 1, #list do total = total + list[i] end
  return total
end

local function forward(f, ...)
  return f(...)
end

local function rotate(first, ...)
  if not first then return end
  return ..., first
end

local total = 0
local list = { 1, 2, 3, 4, 5, 6 }
for i = 1, 1200000 do
  total = total + sum(i, 2, 3, 4)
  total = total + pack_sum(i, i + 1, i + 2)
  total = total + forward(sum, unpack(list))
  total = total + forward(forward, forward, pack_sum, 1, i)
  total = (total + select('#', rotate(i, unpack(list, 1, i % 6 + 1)))) % 1000003
end
print(total)
