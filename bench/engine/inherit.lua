-- A class library: single inheritance with copied and with chained methods, super calls, tostring and
-- comparison metamethods, properties through __index and __newindex functions.
local function class(parent)
  local c = {}
  if parent then for k, v in pairs(parent) do c[k] = v end end
  c.__index = c
  c.super = parent
  c.new = function(...)
    local self = setmetatable({}, c)
    self:init(...)
    return self
  end
  return c
end

local Shape = class()
function Shape:init(name) self.name = name end
function Shape:area() return 0 end
function Shape:scale() return self end
function Shape:describe() return self.name .. ':' .. self:kind() end
function Shape:kind() return 'shape' end
Shape.__lt = function(a, b) return a:area() < b:area() end
Shape.__le = function(a, b) return a:area() <= b:area() end
Shape.__tostring = function(s) return s:describe() end

local Circle = class(Shape)
function Circle:init(r)
  self.super.init(self, 'circle')
  self.r = r
end
function Circle:area() return 3 * self.r * self.r end
function Circle:scale(k) self.r = self.r * k return self end
function Circle:kind() return 'round' end

local Rectangle = class(Shape)
function Rectangle:init(w, h, name)
  Shape.init(self, name or 'rectangle')
  self.w, self.h = w, h
end
function Rectangle:area() return self.w * self.h end
function Rectangle:scale(k)
  self.w, self.h = self.w * k, self.h * k
  return self
end

local Square = class(Rectangle)
function Square:init(a) Rectangle.init(self, a, a, 'square') end
function Square:kind() return 'regular' end

local Stack = {}
Stack.__index = Stack
Stack.__len = function(s) return s.n end
function Stack.new() return setmetatable({ n = 0, items = {} }, Stack) end
function Stack:push(v)
  self.n = self.n + 1
  self.items[self.n] = v
end
function Stack:pop()
  local n = self.n
  if n == 0 then return nil end
  local v = self.items[n]
  self.items[n] = nil
  self.n = n - 1
  return v
end

local function tracked(values)
  local reads, writes = 0, 0
  local proxy = setmetatable({}, {
    __index = function(_, k)
      reads = reads + 1
      return values[k]
    end,
    __newindex = function(_, k, v)
      writes = writes + 1
      values[k] = v
    end,
    __call = function() return reads, writes end,
  })
  return proxy
end

local total, stack = 0, Stack.new()
for i = 1, 1200000 do
  local s
  if i % 3 == 0 then s = Circle.new(i % 7 + 1)
  elseif i % 3 == 1 then s = Rectangle.new(i % 5 + 1, i % 4 + 1)
  else s = Square.new(i % 9 + 1) end
  s:scale(2):scale(0.5)
  stack:push(s)
  if i % 5 == 0 then
    local a, b, c = stack:pop(), stack:pop(), stack:pop()
    if a < b then a, b = b, a end
    if b <= c then total = total + 1 end
    total = total + a:area() - b:area() + #a:describe()
    stack:push(c)
  end
end
local lengths = 0
for _ = 1, 1000 do lengths = lengths + #tostring(stack:pop()) end

local proxy = tracked({ count = 0 })
for i = 1, 6000000 do proxy.count = proxy.count + i % 3 end
print(total, stack.n, lengths, proxy.count, proxy())
