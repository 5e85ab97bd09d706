-- next takes keys that have been removed meanwhile, but none that never were. Lua 5.1 manual §5.1.
local t = {1, 2, 3, a = 1, b = 2}
local k, n = next(t), 0
while k do
  t[k] = nil
  n = n + 1
  k = next(t, k)
end
print(n, next(t))
print(pcall(next, {}, 1), pcall(next, {}, 'x'), pcall(next, {a = 1}, 'b'))

-- __len of LuaJIT's 5.2 mode gets its operand twice
print(#setmetatable({}, {__len = function(a, b) return a == b end}))

-- a label may have the name of one further out
do
  local i = 0
  ::a::
  i = i + 1
  do
    if i < 2 then goto a end
    ::a::
    i = i + 1
    if i < 5 then goto a end
  end
  print(i)
end
print(loadstring('::a:: ::b:: do ::b:: end ::a::'))

print(table.maxn {[1.5] = 1, [-1] = 2}, table.maxn {10, [100.5] = true})
