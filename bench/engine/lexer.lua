-- A scanner and an expression compiler: source text byte by byte to tokens, by precedence to a tree,
-- folded and printed.
local byte, sub = string.byte, string.sub

local keywords = {}
for word in ('and or not if then else end while do return local function'):gmatch('%a+') do keywords[word] = true end

local function is_alpha(c) return c and (c >= 97 and c <= 122 or c >= 65 and c <= 90 or c == 95) end
local function is_digit(c) return c and c >= 48 and c <= 57 end

local function tokens(text)
  local at, kinds, values, n = 1, {}, {}, 0
  while true do
    local c = byte(text, at)
    while c == 32 or c == 10 do
      at = at + 1
      c = byte(text, at)
    end
    n = n + 1
    if not c then
      kinds[n] = 'eof'
      return kinds, values
    elseif is_alpha(c) then
      local from = at
      repeat
        at = at + 1
        c = byte(text, at)
      until not (is_alpha(c) or is_digit(c))
      local word = sub(text, from, at - 1)
      kinds[n] = keywords[word] and word or 'name'
      values[n] = word
    elseif is_digit(c) then
      local value = 0
      repeat
        value = value * 10 + c - 48
        at = at + 1
        c = byte(text, at)
      until not is_digit(c)
      kinds[n], values[n] = 'number', value
    else
      local two = sub(text, at, at + 1)
      if two == '==' or two == '<=' or two == '~=' or two == '>=' then
        kinds[n] = two
        at = at + 2
      else
        kinds[n] = sub(text, at, at)
        at = at + 1
      end
    end
  end
end

local priority = {
  ['or'] = 1, ['and'] = 2, ['=='] = 3, ['<'] = 3, ['<='] = 3, ['+'] = 4, ['-'] = 4, ['*'] = 5, ['/'] = 5,
}

local Parser = {}
Parser.__index = Parser
function Parser:advance()
  self.at = self.at + 1
  self.kind, self.value = self.kinds[self.at], self.values[self.at]
end
function Parser:primary()
  local kind, value = self.kind, self.value
  if kind == 'number' then
    self:advance()
    return { kind = 'number', value = value }
  elseif kind == 'name' then
    self:advance()
    if self.kind == '(' then
      local args = {}
      repeat
        self:advance()
        args[#args + 1] = self:expression(0)
      until self.kind ~= ','
      self:advance()
      return { kind = 'call', name = value, args = args }
    end
    return { kind = 'name', name = value }
  elseif kind == '(' then
    self:advance()
    local inner = self:expression(0)
    self:advance()
    return inner
  elseif kind == '-' then
    self:advance()
    return { kind = 'unary', operand = self:primary() }
  end
  error('unexpected ' .. tostring(kind))
end
function Parser:expression(limit)
  local left = self:primary()
  while true do
    local op = self.kind
    local p = priority[op]
    if not p or p <= limit then return left end
    self:advance()
    left = { kind = 'binary', op = op, left = left, right = self:expression(p) }
  end
end

local function fold(node)
  local kind = node.kind
  if kind == 'binary' then
    local left, right = fold(node.left), fold(node.right)
    if left.kind == 'number' and right.kind == 'number' then
      local a, b, op = left.value, right.value, node.op
      if op == '+' then return { kind = 'number', value = a + b } end
      if op == '-' then return { kind = 'number', value = a - b } end
      if op == '*' then return { kind = 'number', value = a * b } end
    end
    return { kind = 'binary', op = node.op, left = left, right = right }
  elseif kind == 'call' then
    local args = {}
    for i, arg in ipairs(node.args) do args[i] = fold(arg) end
    return { kind = 'call', name = node.name, args = args }
  elseif kind == 'unary' then
    return { kind = 'unary', operand = fold(node.operand) }
  end
  return node
end

local emit
local emitters = {
  number = function(node, out) out[#out + 1] = tostring(node.value) end,
  name = function(node, out) out[#out + 1] = node.name end,
  unary = function(node, out)
    out[#out + 1] = '-'
    emit(node.operand, out)
  end,
  binary = function(node, out)
    out[#out + 1] = '('
    emit(node.left, out)
    out[#out + 1] = node.op
    emit(node.right, out)
    out[#out + 1] = ')'
  end,
  call = function(node, out)
    out[#out + 1] = node.name .. '('
    for i, arg in ipairs(node.args) do
      if i > 1 then out[#out + 1] = ',' end
      emit(arg, out)
    end
    out[#out + 1] = ')'
  end,
}
function emit(node, out) emitters[node.kind](node, out) end

local parts = {}
for i = 1, 120 do
  parts[i] = string.format('alpha%d * (beta + %d - 3) <= f(x_%d, y + 2 * %d, -z) and gamma == %d + 4', i, i, i, i * 3, i)
end
local text = table.concat(parts, ' or\n  ')
local length = 0
for _ = 1, 500 do
  local kinds, values = tokens(text)
  local parser = setmetatable({ kinds = kinds, values = values, at = 0 }, Parser)
  parser:advance()
  local out = {}
  emit(fold(parser:expression(0)), out)
  length = length + #table.concat(out)
end
print(length)
