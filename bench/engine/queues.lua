-- Queues and stacks: by index, by # and by table.insert and remove.
local q, head, tail, s = {}, 1, 0, 0
for i = 1, 3000000 do
  tail = tail + 1; q[tail] = i
  if i % 3 ~= 0 then s = s + q[head]; q[head] = nil; head = head + 1 end
  if i % 200000 == 0 then while head <= tail do s = s + q[head]; q[head] = nil; head = head + 1 end end
end
local r = {}
for i = 1, 300000 do
  table.insert(r, i)
  if #r > 50 then s = s + table.remove(r, 1) end
end
local st = {}
for i = 1, 3000000 do
  st[#st + 1] = i
  if i % 4 == 0 then for j = 1, 3 do s = s + st[#st]; st[#st] = nil end end
end
local st2 = {}
for i = 1, 1000000 do
  table.insert(st2, i)
  if i % 2 == 0 then s = s + table.remove(st2) end
end
print(s, #st, #st2)
