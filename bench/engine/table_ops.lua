-- table.insert and table.remove at the end, in the middle and at the front; a ring of numbers.
local insert, remove = table.insert, table.remove
local sum = 0

for _ = 1, 20 do
  local stack = {}
  for i = 1, 100000 do insert(stack, i) end
  for _ = 1, 100000 do sum = (sum + remove(stack)) % 1000003 end
end

local list = {}
for i = 1, 200 do insert(list, 1, i) end
for i = 1, 60000 do
  local middle = remove(list, i % 200 + 1)
  insert(list, i * 7 % 200 + 1, middle + 1)
end
for i = 1, #list do sum = (sum * 31 + list[i]) % 1000003 end

local queue, first, last = {}, 1, 0
for i = 1, 2000000 do
  last = last + 1
  queue[last] = i
  if i % 3 ~= 0 then
    sum = (sum + queue[first]) % 1000003
    queue[first] = nil
    first = first + 1
  end
end
print(sum, last - first + 1)
