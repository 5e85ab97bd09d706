-- table.sort: numbers with and without a comparator, and records by two fields.
local seed = 42
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local checksum = 0
for _ = 1, 16 do
  local numbers, records, plain = {}, {}, {}
  for i = 1, 25000 do
    numbers[i] = random(1000000)
    plain[i] = random(1000000)
    records[i] = { group = random(100), rank = random(100000), id = i }
  end
  table.sort(numbers, function(a, b) return a > b end)
  table.sort(plain)
  table.sort(records, function(a, b)
    if a.group ~= b.group then return a.group < b.group end
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.id < b.id
  end)
  for i = 1, 25000, 97 do
    checksum = (checksum * 31 + numbers[i] + plain[i] + records[i].id) % 1000003
  end
end
print(checksum)
