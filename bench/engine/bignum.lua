-- Arithmetic of any precision on arrays of digits: factorials, Fibonacci numbers and digits of pi.
local floor = math.floor
local BASE = 10000000

local function multiply_small(a, k)
  local carry, out = 0, {}
  for i = 1, #a do
    local v = a[i] * k + carry
    carry = floor(v / BASE)
    out[i] = v - carry * BASE
  end
  if carry > 0 then out[#a + 1] = carry end
  return out
end

local function add(a, b)
  if #a < #b then a, b = b, a end
  local carry, out = 0, {}
  for i = 1, #a do
    local v = a[i] + (b[i] or 0) + carry
    if v >= BASE then
      out[i], carry = v - BASE, 1
    else
      out[i], carry = v, 0
    end
  end
  if carry > 0 then out[#out + 1] = carry end
  return out
end

local function digits(a)
  local parts = { tostring(a[#a]) }
  for i = #a - 1, 1, -1 do parts[#parts + 1] = string.format('%07d', a[i]) end
  return table.concat(parts)
end

local f = { 1 }
for i = 2, 4500 do f = multiply_small(f, i) end
local text = digits(f)

local a, b = { 1 }, { 1 }
for _ = 3, 30000 do a, b = b, add(a, b) end
local fibonacci = digits(b)

-- Digits of pi by the spigot of Rabinowitz and Wagon.
local function pi(n)
  local length = floor(10 * n / 3)
  local a, out, nines, predigit = {}, {}, 0, nil
  for i = 1, length do a[i] = 2 end
  for _ = 1, n do
    local q = 0
    for i = length, 1, -1 do
      local x = 10 * a[i] + q * i
      a[i] = x % (2 * i - 1)
      q = floor(x / (2 * i - 1))
    end
    a[1] = q % 10
    q = floor(q / 10)
    if q == 9 then
      nines = nines + 1
    else
      if predigit then out[#out + 1] = q == 10 and predigit + 1 or predigit end
      for _ = 1, nines do out[#out + 1] = q == 10 and 0 or 9 end
      nines, predigit = 0, q == 10 and 0 or q
    end
  end
  return table.concat(out)
end

print(#text, text:sub(1, 20), #fibonacci, fibonacci:sub(-20), pi(2600):sub(-20))
