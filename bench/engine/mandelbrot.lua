-- Floating point in locals: how fast the points of a grid escape from the Mandelbrot iteration.
local width, height, limit = 700, 600, 200

local function escape(cr, ci)
  local zr, zi = 0, 0
  for n = 1, limit do
    local r2, i2 = zr * zr, zi * zi
    if r2 + i2 > 4 then return n end
    zr, zi = r2 - i2 + cr, 2 * zr * zi + ci
  end
  return 0
end

local inside, sum = 0, 0
for frame = 1, 3 do
  local zoom = 3 / frame
  for row = 0, height - 1 do
    local ci = (row / height - 0.5) * zoom * 0.8
    for column = 0, width - 1 do
      local n = escape((column / width - 0.5) * zoom - 0.6, ci)
      if n == 0 then inside = inside + 1 else sum = sum + n end
    end
  end
end
print(inside, sum)
