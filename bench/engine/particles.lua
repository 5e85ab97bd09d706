-- Big arrays that change all the time: particles in cells, born, moved, sorted into buckets and removed.
local floor = math.floor
local seed = 99
local function random()
  seed = (seed * 16807) % 2147483647
  return seed / 2147483647
end

local size, particles, free = 64, {}, {}
local cells = {}
for i = 0, size * size - 1 do cells[i] = {} end

local function spawn()
  particles[#particles + 1] = {
    x = random() * size, y = random() * size, vx = random() - 0.5, vy = random() - 0.5, life = floor(random() * 80) + 20,
  }
end

for _ = 1, 8000 do spawn() end
local collisions, deaths = 0, 0
for _ = 1, 450 do
  for i = 0, size * size - 1 do
    local cell = cells[i]
    for j = #cell, 1, -1 do cell[j] = nil end
  end
  local i = 1
  while i <= #particles do
    local p = particles[i]
    p.x, p.y = (p.x + p.vx) % size, (p.y + p.vy) % size
    p.life = p.life - 1
    if p.life <= 0 then
      particles[i] = particles[#particles]
      particles[#particles] = nil
      deaths = deaths + 1
    else
      local cell = cells[floor(p.y) * size + floor(p.x)]
      for k = 1, #cell do
        local q = cell[k]
        local dx, dy = q.x - p.x, q.y - p.y
        if dx * dx + dy * dy < 0.04 then
          collisions = collisions + 1
          p.vx, q.vx = q.vx, p.vx
          p.vy, q.vy = q.vy, p.vy
        end
      end
      cell[#cell + 1] = p
      i = i + 1
    end
  end
  while #particles < 8000 do spawn() end
end
local sum = 0
for _, p in ipairs(particles) do sum = sum + p.life end
print(collisions, deaths, sum)
