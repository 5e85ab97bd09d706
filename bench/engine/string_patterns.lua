-- Patterns: find, match with captures, gmatch and gsub over generated log lines.
local lines = {}
for i = 1, 500 do
  lines[i] = string.format(
    '10.0.%d.%d - user%d [%02d/Mar/2024] "GET /page/%d.html?id=%d&q=a%%20b" %d %d',
    i % 256, i * 7 % 256, i % 40, i % 28 + 1, i, i * 31, i % 9 == 0 and 404 or 200, i * 137
  )
end

local bytes, missing, words, escaped, swapped, dots = 0, 0, 0, 0, 0, 0
for _ = 1, 240 do
  for i = 1, #lines do
    local line = lines[i]
    local user, status, size = line:match('^%S+ %- (%w+) %b[] ".-" (%d+) (%d+)$')
    if #user > 0 then bytes = bytes + tonumber(size) end
    if status == '404' then missing = missing + 1 end
    for word in line:gmatch('%a+') do words = words + #word end
    local plain, count = line:gsub('%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end)
    escaped = escaped + count + #plain
    swapped = swapped + #line:gsub('(%w+)=(%w+)', '%2=%1')
    local at = 1
    while true do
      at = line:find('.', at, true)
      if not at then break end
      dots = dots + at
      at = at + 1
    end
  end
end
print(bytes, missing, words, escaped, swapped, dots)
