-- A loop that waits for a weak table to be cleared ends: closures of Lua programs do such things in tests.
local w = setmetatable({}, {__mode = 'v'})
w[1] = {}
local n = 0
while w[1] do n = n + 1 end
print('cleared', n > 0)

-- what the last finalizers make has none
local u = newproxy(true)
getmetatable(u).__gc = function(o)
  newproxy(o)
  print('the end')
  error('nobody hears this')
end
for i = 1, 2 do u = newproxy(u) end
print(collectgarbage('step', 0), pcall(collectgarbage), pcall(collectgarbage))
