-- string.format with every common directive, tostring and tonumber.
local format = string.format
local length, sum = 0, 0

for i = 1, 500000 do
  local line = format('%5d|%-8s|%08.3f|%x|%s|%c|%q', i, 'n' .. i % 100, i / 7, i, tostring(i % 2 == 0), 65 + i % 26, 'a"b')
  length = length + #line
  line = format('%d,%d,%s', i, i * 2, 'x')
  length = length + #line
  line = format('%g %e %i', i / 3, i * 1000, -i)
  length = length + #line
  sum = sum + tonumber(tostring(i)) + tonumber(format('%.2f', i / 4))
end
print(length, format('%.3f', sum))
