-- Remainders by large whole numbers that are written in the text, and powers of such.
local function all(x) 
  return x % 2^32, x % 4294967296, x % 2147483648, x % 2147483647, x % 2^53, x % 10^10, x % 1e15, x % 2^31, x % 2^63, x % 2^-1, 2^10 * x, x % 2^0
end
for r = 1, 3 do
for _, x in ipairs{0, -0, 1, -1, 0.5, -0.5, 2^31, -2^31, 2^31 - 1, -2^31 - 1, 2^32, -2^32, 2^32 + 5, -2^32 - 5, 2^53, -2^53, 1e300, -1e300, 1/0, -1/0, 0/0, 5e-324, -5e-324, "7", "-3", 123456789012346, -123456789012345.75} do
  local t = {all(x)}
  for i = 1, #t do local v = t[i] t[i] = string.format("%.17g", v) if v == 0 then t[i] = 1 / v > 0 and "0" or "-0" end if v ~= v then t[i] = "nan" end end
  print(x, table.concat(t, " "))
end
end
print(2^10, 2^53, 10^15, 2^-1, (-2)^2, -2^2, 0^0, 2^0.5, 2^1024, 3^40)
local m = 0 for i = 1, 10 do m = (m * 31 + i * 12345678) % 2^32 end print(m)
for i = 1, 2 do local k = i % 2^40 local t = {10, 20} print(t[k]) end
