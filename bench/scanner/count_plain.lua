-- The same with what plain Lua has: LuaJIT, PUC Lua.
local lines, sum = 0, 0
for line in io.lines() do
  lines = lines + 1
  sum = sum + tonumber((line:match('^%S+ %S+ (%S+)')))
end
print(lines, string.format('%.0f', sum))
