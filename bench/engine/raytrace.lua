-- Vectors as tables with operator metamethods: a picture of mirrors and spheres, traced ray by ray.
local sqrt, max = math.sqrt, math.max

local Vector = {}
Vector.__index = Vector
local function vec(x, y, z) return setmetatable({ x = x, y = y, z = z }, Vector) end
function Vector.__add(a, b) return vec(a.x + b.x, a.y + b.y, a.z + b.z) end
function Vector.__sub(a, b) return vec(a.x - b.x, a.y - b.y, a.z - b.z) end
function Vector.__mul(a, s) return vec(a.x * s, a.y * s, a.z * s) end
function Vector.__unm(a) return vec(-a.x, -a.y, -a.z) end
function Vector:dot(b) return self.x * b.x + self.y * b.y + self.z * b.z end
function Vector:unit() return self * (1 / sqrt(self:dot(self))) end
function Vector:mirror(n) return self - n * (2 * self:dot(n)) end

local Sphere = {}
Sphere.__index = Sphere
function Sphere:hit(from, direction)
  local offset = from - self.center
  local b = offset:dot(direction)
  local c = offset:dot(offset) - self.radius * self.radius
  local d = b * b - c
  if d < 0 then return nil end
  local t = -b - sqrt(d)
  return t > 1e-4 and t or nil
end
function Sphere:normal(at) return (at - self.center):unit() end

local Floor = {}
Floor.__index = Floor
function Floor:hit(from, direction)
  if direction.y > -1e-6 then return nil end
  return (self.height - from.y) / direction.y
end
function Floor:normal() return vec(0, 1, 0) end

local scene = { setmetatable({ height = -1, color = 0.5, shine = 0.2 }, Floor) }
for i = 0, 6 do
  scene[#scene + 1] = setmetatable({
    center = vec(i - 3, i % 3 * 0.7 - 0.5, 6 + i % 2), radius = 0.5 + i * 0.05, color = 0.3 + i * 0.1, shine = 0.4,
  }, Sphere)
end
local light = vec(-1, 1.5, -1):unit()

local function nearest(from, direction)
  local best, found = 1e30, nil
  for i = 1, #scene do
    local t = scene[i]:hit(from, direction)
    if t and t < best then best, found = t, scene[i] end
  end
  return found, best
end

local function trace(from, direction, depth)
  local thing, t = nearest(from, direction)
  if not thing then return 0.2 + 0.3 * max(direction.y, 0) end
  local at = from + direction * t
  local normal = thing:normal(at)
  local bright = 0.1
  if not nearest(at + normal * 1e-3, light) then bright = bright + max(normal:dot(light), 0) end
  local color = thing.color * bright
  if depth > 0 then
    color = color * (1 - thing.shine) + thing.shine * trace(at, direction:mirror(normal), depth - 1)
  end
  return color
end

local width, height, sum = 1000, 800, 0
local eye = vec(0, 0.5, -2)
for y = 1, height do
  for x = 1, width do
    sum = sum + trace(eye, vec((x - width / 2) / width, (height / 2 - y) / width, 1):unit(), 3)
  end
end
print(string.format('%.6f', sum / (width * height)))
