-- Numbers beyond 2^51, as programs make them that multiply hashes or random numbers.
local bxor, band, tobit, rshift = bit.bxor, bit.band, bit.tobit, bit.rshift
local function fnv(s)
  local h = 2166136261
  for i = 1, #s do h = tobit(bxor(h, s:byte(i)) * 16777619) end
  return h
end
print(fnv 'hello world', fnv 'perilune')
local function multiplied(s)
  local h = 2166136261
  for i = 1, #s do h = bit.bxor(h, s:byte(i)) * 16777619 end
  return bit.tobit(h)
end
print(multiplied 'hello')
local x = 12345
for _ = 1, 10 do x = band(x * 1103515245 + 12345, 0x7fffffff) end
print(x)
local y = 1
for _ = 1, 10 do y = bxor(y * 2654435761, rshift(y, 3)) end
print(y)
local z = 1
for i = 1, 100 do z = bit.band(-z * 2654435761 - i * 2^45, -1) end
print(z)

local function all(n)
  return bit.tobit(n), bit.lshift(n, 3), bit.rshift(n, 5), bit.arshift(n, 7), bit.bnot(n), bit.bswap(n), bit.rol(n, 3),
    bit.ror(n, 9), bit.tohex(n), bit.bor(n, 1), bit.band(n, 0xffff, -1), bit.bxor(n, n, n), bit.lshift(1, n)
end
for _, n in ipairs{2^51, 2^51 + 1, 2^51 + 2, 2^52 + 1, 2^53, 2^53 + 2, 1e16, 1e17, 1e300, 2^51 * 3, 2^51 - 0.5, 2^50 + 0.5,
    2147483647 * 2147483647, 2^31, 2^32 - 1, 4294967295.5, 0.5, 1.5, 1/0, 0/0} do
  print(all(n))
  print(all(-n))
end
for i = 1, 1000 do all(i * 1e13) end -- V8 has compiled it by now
print(all(3e16))

-- Sums that come to any size: in loops, through calls, upvalues and jumps.
local a, b = 0, 1
for _ = 1, 85 do a, b = b, a + b end
print(bit.band(b, 0xffffff), bit.tobit(a + b))
local function add(n, k) n = n + k return n end
local sum = 2^31
for i = 1, 30 do sum = add(sum, sum) end
print(bit.tobit(sum + 1), bit.bxor(sum + 3, 0))
local count = 2^31
local function double() count = count + count return bit.tobit(count + 5) end
for _ = 1, 24 do double() end
print(double())
local function deep(n, i) if i == 0 then return bit.tobit(n + 7) end return deep(n + n, i - 1) end
print(deep(2^31, 25))
local j, n = 0, 2^31
::again::
n = n + n
j = j + 1
if j < 25 then goto again end
print(bit.tobit(n + 9))
local w = 2^31
while w < 2^56 do local v = w + w w = v end
print(bit.rshift(w + 11, 1))
