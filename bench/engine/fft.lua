-- Trigonometry and arrays of floats: the fast Fourier transform, in place, forth and back.
local cos, sin, pi, floor = math.cos, math.sin, math.pi, math.floor

local function reorder(re, im, n)
  local j = 1
  for i = 1, n - 1 do
    if i < j then
      re[i], re[j] = re[j], re[i]
      im[i], im[j] = im[j], im[i]
    end
    local m = n / 2
    while m >= 1 and j > m do
      j = j - m
      m = m / 2
    end
    j = j + m
  end
end

local function transform(re, im, n, sign)
  reorder(re, im, n)
  local size = 2
  while size <= n do
    local half = floor(size / 2)
    local step = sign * 2 * pi / size
    for k = 0, half - 1 do
      local wr, wi = cos(step * k), sin(step * k)
      for i = k + 1, n, size do
        local j = i + half
        local tr = wr * re[j] - wi * im[j]
        local ti = wr * im[j] + wi * re[j]
        re[j], im[j] = re[i] - tr, im[i] - ti
        re[i], im[i] = re[i] + tr, im[i] + ti
      end
    end
    size = size * 2
  end
end

local n = 2 ^ 15
local re, im = {}, {}
for i = 1, n do
  re[i] = sin(i / 10) + 0.5 * cos(i / 3)
  im[i] = 0
end
local power = 0
for _ = 1, 60 do
  transform(re, im, n, 1)
  for i = 1, n, 101 do power = power + re[i] * re[i] + im[i] * im[i] end
  transform(re, im, n, -1)
  for i = 1, n do
    re[i], im[i] = re[i] / n, im[i] / n
  end
end
print(string.format('%.4e %.6f', power, re[100]))
