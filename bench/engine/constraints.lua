-- A solver of one-way constraints with strengths: chains of equalities and scaled values are built,
-- planned and executed, as user interface tool kits do.
local Strength = { required = 1, strong = 2, medium = 3, weak = 4, weakest = 5 }

local Variable = {}
Variable.__index = Variable
function Variable.new(value)
  return setmetatable({
    value = value, constraints = {}, by = nil, mark = 0, strength = Strength.weakest, stay = true,
  }, Variable)
end
function Variable:add(c) self.constraints[#self.constraints + 1] = c end
function Variable:remove(c)
  local list = self.constraints
  for i = 1, #list do
    if list[i] == c then
      table.remove(list, i)
      break
    end
  end
  if self.by == c then self.by = nil end
end

local function class(parent)
  local c = {}
  c.__index = c
  return setmetatable(c, { __index = parent })
end

local Constraint = class()
function Constraint:satisfy(planner, mark)
  self:choose(mark)
  if not self:satisfied() then return nil end
  self:mark_inputs(mark)
  local out = self:output()
  local overridden = out.by
  if overridden then overridden:unsatisfy() end
  out.by = self
  if not planner:propagate(self, mark) then error('cycle') end
  out.mark = mark
  return overridden
end

local Unary = class(Constraint)
function Unary.init(class_, variable, strength)
  local self = setmetatable({ out = variable, strength = strength, on = false }, class_)
  variable:add(self)
  return self
end
function Unary:satisfied() return self.on end
function Unary:unsatisfy() self.on = false end
function Unary:output() return self.out end
function Unary:choose(mark) self.on = self.out.mark ~= mark and self.strength < self.out.strength end
function Unary:mark_inputs() end
function Unary:inputs_known() return true end
function Unary:recalculate()
  self.out.strength = self.strength
  self.out.stay = not self:is_input()
  if self.out.stay then self:execute() end
end
function Unary:is_input() return false end
function Unary:release() self.out:remove(self) end

local Stay = class(Unary)
function Stay:execute() end

local Edit = class(Unary)
function Edit:is_input() return true end
function Edit:execute() end

local Binary = class(Constraint)
function Binary.init(class_, a, b, strength)
  local self = setmetatable({ a = a, b = b, strength = strength, direction = 0 }, class_)
  a:add(self)
  b:add(self)
  return self
end
function Binary:satisfied() return self.direction ~= 0 end
function Binary:unsatisfy() self.direction = 0 end
function Binary:output() return self.direction > 0 and self.b or self.a end
function Binary:input() return self.direction > 0 and self.a or self.b end
function Binary:is_input() return false end
function Binary:mark_inputs(mark) self:input().mark = mark end
function Binary:inputs_known(mark)
  local i = self:input()
  return i.mark == mark or i.stay or i.by == nil
end
function Binary:choose(mark)
  local a, b, s = self.a, self.b, self.strength
  if a.mark == mark then
    self.direction = (b.mark ~= mark and s < b.strength) and 1 or 0
  elseif b.mark == mark then
    self.direction = s < a.strength and -1 or 0
  elseif a.strength > b.strength then
    self.direction = s < a.strength and -1 or 0
  else
    self.direction = s < b.strength and 1 or -1
  end
end
function Binary:recalculate()
  local i, o = self:input(), self:output()
  o.strength = self.strength > i.strength and self.strength or i.strength
  o.stay = i.stay
  if o.stay then self:execute() end
end
function Binary:release()
  self.a:remove(self)
  self.b:remove(self)
end

local Equal = class(Binary)
function Equal:execute() self:output().value = self:input().value end

local Scale = class(Binary)
function Scale:execute()
  if self.direction > 0 then
    self.b.value = self.a.value * self.factor + self.offset
  else
    self.a.value = (self.b.value - self.offset) / self.factor
  end
end

local Planner = {}
Planner.__index = Planner
function Planner:next_mark()
  self.mark = self.mark + 1
  return self.mark
end
function Planner:incremental_add(c)
  local mark = self:next_mark()
  local overridden = c:satisfy(self, mark)
  while overridden do overridden = overridden:satisfy(self, mark) end
end
function Planner:propagate(c, mark)
  local todo = { c }
  while #todo > 0 do
    local d = table.remove(todo)
    if d:output().mark == mark then return false end
    d:recalculate()
    self:consumers(d:output(), todo)
  end
  return true
end
function Planner:consumers(v, into)
  local by = v.by
  for _, c in ipairs(v.constraints) do
    if c ~= by and c:satisfied() then into[#into + 1] = c end
  end
end
function Planner:plan(sources)
  local mark = self:next_mark()
  local plan, todo = {}, sources
  while #todo > 0 do
    local c = table.remove(todo)
    local out = c:output()
    if out.mark ~= mark and c:inputs_known(mark) then
      plan[#plan + 1] = c
      out.mark = mark
      self:consumers(out, todo)
    end
  end
  return plan
end
function Planner:change(v, value)
  local edit = Edit:init(v, Strength.strong)
  self:incremental_add(edit)
  local plan = self:plan({ edit })
  for n = 1, 10 do
    v.value = value + n
    for i = 1, #plan do plan[i]:execute() end
  end
  edit:unsatisfy()
  edit:release()
  v.strength, v.by = Strength.weakest, nil
end

local function chain(n)
  local planner = setmetatable({ mark = 0 }, Planner)
  local vars = {}
  for i = 0, n do vars[i] = Variable.new(0) end
  for i = 1, n do
    local c
    if i % 4 == 0 then
      c = Scale:init(vars[i - 1], vars[i], Strength.required)
      c.factor, c.offset = 2, -i
    else
      c = Equal:init(vars[i - 1], vars[i], Strength.required)
    end
    planner:incremental_add(c)
  end
  planner:incremental_add(Stay:init(vars[n], Strength.weak))
  local sum = 0
  for k = 1, 20 do
    planner:change(vars[0], k)
    sum = (sum + vars[n].value) % 1000003
  end
  return sum
end

local sum = 0
for n = 20, 800, 4 do sum = (sum * 3 + chain(n)) % 1000003 end
print(sum)
