-- Floating point in record fields: five bodies under gravity, leapfrog integration.
local sqrt = math.sqrt

local function body(mass, x, y, z, vx, vy, vz)
  return { mass = mass, x = x, y = y, z = z, vx = vx, vy = vy, vz = vz }
end

local bodies = {
  body(1000, 0, 0, 0, 0, 0, 0),
  body(1.5, 10, 0, 0.5, 0, 9.9, 0.1),
  body(0.8, 0, 22, -0.3, -6.7, 0, 0.2),
  body(0.05, -41, 3, 1.2, -0.2, -4.8, 0),
  body(0.07, 5, -68, 2.1, 3.8, 0.3, -0.1),
}

local function accelerate(dt)
  local n = #bodies
  for i = 1, n - 1 do
    local a = bodies[i]
    for j = i + 1, n do
      local b = bodies[j]
      local dx, dy, dz = b.x - a.x, b.y - a.y, b.z - a.z
      local square = dx * dx + dy * dy + dz * dz + 0.01
      local pull = dt / (square * sqrt(square))
      local on_a, on_b = b.mass * pull, a.mass * pull
      a.vx, a.vy, a.vz = a.vx + dx * on_a, a.vy + dy * on_a, a.vz + dz * on_a
      b.vx, b.vy, b.vz = b.vx - dx * on_b, b.vy - dy * on_b, b.vz - dz * on_b
    end
  end
end

local function move(dt)
  for _, b in ipairs(bodies) do
    b.x = b.x + b.vx * dt
    b.y = b.y + b.vy * dt
    b.z = b.z + b.vz * dt
  end
end

local function energy()
  local sum = 0
  for i, a in ipairs(bodies) do
    sum = sum + a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz) / 2
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      sum = sum - a.mass * b.mass / sqrt(dx * dx + dy * dy + dz * dz + 0.01)
    end
  end
  return sum
end

print(string.format('%.9f', energy()))
for _ = 1, 2500000 do
  accelerate(0.001)
  move(0.001)
end
print(string.format('%.9f', energy()))
