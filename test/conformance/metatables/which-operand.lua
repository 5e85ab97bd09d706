-- The first operand's metamethod comes first, whatever can be called that way.
local function named(name) return setmetatable({}, {__call = function(_, a, b) return name, type(a), type(b) end}) end
local function object(event, handler) return setmetatable({}, {[event] = handler}) end
for _, event in ipairs {'__add', '__sub', '__mul', '__div', '__mod', '__pow', '__concat'} do
  local callable, plain = object(event, named 'callable'), object(event, function() return 'plain' end)
  local operation = ({
    __add = function(a, b) return a + b end, __sub = function(a, b) return a - b end, __mul = function(a, b) return a * b end,
    __div = function(a, b) return a / b end, __mod = function(a, b) return a % b end, __pow = function(a, b) return a ^ b end,
    __concat = function(a, b) return a .. b end,
  })[event]
  print(event, operation(callable, plain), operation(plain, callable), operation(1, callable), operation(1, plain), operation(callable, 1))
  -- Strings and userdata have metatables, too.
  local proxy = newproxy(true)
  getmetatable(proxy)[event] = function() return 'userdata' end
  print(operation(proxy, plain), operation(plain, proxy), operation(proxy, callable))
  getmetatable('')[event] = function() return 'string' end
  print(operation('x', plain), operation(plain, 'x'), operation('1', callable), operation(1, plain), pcall(operation, nil, plain))
  getmetatable('')[event] = nil
  print(operation('x', plain), operation(plain, 'x'), operation('1', callable), operation(1, plain), operation(true, callable))
end

local less = setmetatable({}, {__lt = named 'less', __le = function() return nil end})
print(less < less, less <= less, less > less, less >= less)
