-- Tables as dictionaries: string keys that come and go, sparse numbers, booleans and tables as keys.
local seed = 7
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local names = {}
for i = 1, 5000 do names[i] = 'name' .. i * 7919 % 5000 .. (i % 3 == 0 and '_' or '') end

local counts, present = {}, 0
for _ = 1, 3000000 do
  local name = names[random(5000) + 1]
  local count = counts[name]
  if count == 6 then
    counts[name] = nil
    present = present - 1
  elseif count then
    counts[name] = count + 1
  else
    counts[name] = 1
    present = present + 1
  end
end

local sum = 0
for _, count in pairs(counts) do sum = sum + count end

local sparse = {}
for i = 1, 1000000 do
  local key = random(20000) * 1000 + 0.5 * (i % 2)
  sparse[key] = (sparse[key] or 0) + 1
end
local keys = 0
for _, n in pairs(sparse) do keys, sum = keys + 1, sum + n end

local nodes, visits = {}, {}
for i = 1, 1000 do nodes[i] = { id = i } end
for _ = 1, 2000000 do
  local node = nodes[random(1000) + 1]
  visits[node] = (visits[node] or 0) + 1
end
for node, n in pairs(visits) do sum = (sum + node.id * n) % 1000003 end
print(present, keys, sum)
