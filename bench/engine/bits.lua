-- needs: bit
-- Bit operations: CRC-32 with a table, a hash in the manner of FNV, xorshift random numbers, bit counts.
local bit = bit or require('bit')
local band, bor, bxor, lshift, rshift, rol, tobit = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift, bit.rol, bit.tobit

local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do
    if band(c, 1) == 1 then c = bxor(rshift(c, 1), 0xEDB88320) else c = rshift(c, 1) end
  end
  crc_table[i] = c
end
local function crc32(text)
  local c = -1
  for i = 1, #text do c = bxor(rshift(c, 8), crc_table[band(bxor(c, text:byte(i)), 255)]) end
  return bxor(c, -1)
end

local state = 123456789
local function xorshift()
  state = bxor(state, lshift(state, 13))
  state = bxor(state, rshift(state, 17))
  state = bxor(state, lshift(state, 5))
  return state
end

local function count(x)
  x = x - band(rshift(x, 1), 0x55555555)
  x = band(x, 0x33333333) + band(rshift(x, 2), 0x33333333)
  x = band(x + rshift(x, 4), 0x0F0F0F0F)
  x = x + rshift(x, 8)
  return band(x + rshift(x, 16), 63)
end

local function mix(text)
  local h = 0x12345
  for i = 1, #text do h = tobit(bxor(rol(h, 5), text:byte(i)) * 31) end
  return h
end

local parts = {}
for i = 1, 5000 do parts[i] = string.char(32 + band(xorshift(), 63)) end
local text = table.concat(parts)
local sum, ones = 0, 0
for round = 1, 1200 do
  sum = bxor(sum, crc32(text) + round)
  sum = bxor(sum, mix(text))
end
for _ = 1, 80000000 do
  local x = xorshift()
  ones = ones + count(x)
  if band(x, 7) == 3 then sum = bor(sum, band(x, 255)) end
end
print(sum, ones, bit.tohex(state))
