-- What an iterator is given: a state and a control value that are constants.
local function count(limit, i) if i < limit then return i + 1, limit end end
for i, limit in count, 3, 0 do print(i, limit) end
for i in count, 1.5, -1 do print(i) end
for i in function(s, c) return c == nil and #s or nil end, 'abc' do print(i) end
for i in function(s, c) return c == nil and tostring(s) or nil end do print(i) end
for i in function(s, c) return c == nil and tostring(s) or nil end, true do print(i) end
for i in function(s, c) return c == nil and s or nil end, -7 do print(i) end
print(pcall(function() for i in 1, 2, 3 do print(i) end end))
print(pcall(function() for i in nil, 2 do print(i) end end))

-- The numbers of a loop are checked in the line of its `do`.
print(pcall(function()
  for i =
    1,
    {}
  do print(i) end
end))

-- A step of 0 counts up, one of -0 down.
for _, zero in ipairs {0, -0, '0', '-0', 0 * 2, -0 * 2, 0 * -2} do
  local n = 0
  for i = 1, 2, zero do n = n + 1 if n > 2 then break end end
  for i = 2, 1, zero do n = n + 10 if n > 20 then break end end
  print(n)
end
do
  local n = 0
  for i = 1, 2, -0 * 2 do n = n + 1 if n > 2 then break end end
  for i = 1, 2, 0 * -3 do n = n + 10 if n > 20 then break end end
  for i = 1, 2, 0 do n = n + 100 if n > 200 then break end end
  for i = 1, 2, -0 do n = n + 1000 if n > 2000 then break end end
  print(n)
end
