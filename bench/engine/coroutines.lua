-- Twenty million switches, into coroutines and back: plain resume, and generators through wrap in `for`.
local echo = coroutine.create(function(value)
  while true do
    value = coroutine.yield(value + 1)
  end
end)

local sum = 0
for i = 1, 5000000 do
  local _, value = coroutine.resume(echo, i)
  sum = sum + value
end

local function range(n)
  return coroutine.wrap(function()
    for i = 1, n do coroutine.yield(i) end
  end)
end

for _ = 1, 5000 do
  for i in range(1000) do sum = sum + i end
end
print(sum)
