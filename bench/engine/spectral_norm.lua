-- Floating point in arrays: the largest singular value of an infinite matrix, by power iteration.
local function entry(i, j)
  local diagonal = i + j - 2
  return 1 / (diagonal * (diagonal + 1) / 2 + i)
end

local function multiply(from, to, n)
  for i = 1, n do
    local sum = 0
    for j = 1, n do sum = sum + entry(i, j) * from[j] end
    to[i] = sum
  end
end

local function multiply_transposed(from, to, n)
  for i = 1, n do
    local sum = 0
    for j = 1, n do sum = sum + entry(j, i) * from[j] end
    to[i] = sum
  end
end

local n = 2800
local u, v, t = {}, {}, {}
for i = 1, n do u[i] = 1 end
for _ = 1, 10 do
  multiply(u, t, n)
  multiply_transposed(t, v, n)
  multiply(v, t, n)
  multiply_transposed(t, u, n)
end
local uv, vv = 0, 0
for i = 1, n do
  uv = uv + u[i] * v[i]
  vv = vv + v[i] * v[i]
end
print(string.format('%.9f', math.sqrt(uv / vv)))
