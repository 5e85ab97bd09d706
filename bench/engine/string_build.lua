-- Strings put together: piece by piece, through table.concat, upper and reversed, and as table keys.
local total = 0

for round = 1, 120 do
  local text = ''
  for i = 1, 3000 do
    text = text .. (i % 10) .. ','
  end
  total = total + #text + text:byte(round)
end

for round = 1, 100 do
  local parts = {}
  for i = 1, 10000 do
    parts[#parts + 1] = 'item ' .. i .. '=' .. round
  end
  local text = table.concat(parts, ';')
  total = total + #text + text:byte(#text - round)
end

local seen = {}
for i = 1, 600000 do
  local key = 'key' .. (i % 1000)
  seen[key] = (seen[key] or 0) + #key
end
for i = 0, 999 do total = total + seen['key' .. i] end

for i = 1, 400000 do
  local line = ('row ' .. i):upper():reverse()
  total = total + #line + line:sub(2, 4):byte()
end
print(total)
