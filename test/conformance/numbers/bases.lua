-- tonumber(text, base): signs, spaces, and 0x, which is a prefix in base 16 and digits above base 33.
local texts = {
  '+0xE9', '-0xE9', '0xE9', ' +0xE9 ', '\t-0X1f\n', '+10', '+z', '-z', '-', '+', '', ' ', '-0',
  '-0x', '+0x', '0x', '0xg', '-0xg', '--0x1', '-+0x1', '+-5', '- 5', '- 0x1', '+\n5', '0x-1', '0x 1', '0x0x1', '0b1', '-0b1',
}
for _, text in ipairs(texts) do
  local out = {}
  for _, base in ipairs { 2, 8, 10, 16, 33, 34, 36 } do out[#out + 1] = tostring(tonumber(text, base)) end
  print(('%q'):format(text), table.concat(out, ' '))
end

-- Characters beside the digits and letters, and digits of the next base.
for _, base in ipairs { 2, 10, 11, 16, 36 } do
  local good = {}
  for c = 1, 255 do
    local n = tonumber('1' .. string.char(c) .. '1', base)
    if n then good[#good + 1] = string.char(c) .. '=' .. n end
  end
  print(base, table.concat(good, ' '))
end
print(tonumber('ffffffffffffff', 16), tonumber('7F', 16), tonumber('zZ', 36), tonumber('', 16), tonumber(12, 16))
