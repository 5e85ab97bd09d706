-- Conway's game of life on a torus of rows, two boards that take turns.
local width, height = 256, 192

local function board()
  local rows = {}
  for y = 1, height do
    local row = {}
    for x = 1, width do row[x] = 0 end
    rows[y] = row
  end
  return rows
end

local function step(from, to)
  for y = 1, height do
    local above = from[y == 1 and height or y - 1]
    local below = from[y == height and 1 or y + 1]
    local row, out = from[y], to[y]
    for x = 1, width do
      local l = x == 1 and width or x - 1
      local r = x == width and 1 or x + 1
      local n = above[l] + above[x] + above[r] + row[l] + row[r] + below[l] + below[x] + below[r]
      if n == 3 or (n == 2 and row[x] == 1) then out[x] = 1 else out[x] = 0 end
    end
  end
end

local seed = 2024
local now, next_board = board(), board()
for y = 1, height do
  for x = 1, width do
    seed = (seed * 16807) % 2147483647
    now[y][x] = seed % 3 == 0 and 1 or 0
  end
end
local alive = 0
for _ = 1, 1000 do
  step(now, next_board)
  now, next_board = next_board, now
end
for y = 1, height do
  for x = 1, width do alive = alive + now[y][x] end
end
print(alive)
