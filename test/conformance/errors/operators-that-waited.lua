-- An operator that has waited for its metamethod is no function of its own: levels of errors count past it.
local long = {}
local mt = {
  __lt = function(a, b) coroutine.yield() error('less', 2) end,
  __concat = function(a, b) coroutine.yield() if #long > 2 then error('concat', 2) end long[#long + 1] = 1 return 'x' end,
}
local a, b = setmetatable({}, mt), setmetatable({}, mt)
local function attempt(f)
  local co = coroutine.wrap(function() return pcall(f) end)
  local r, e
  repeat r, e = co() until r ~= nil
  print(r, e)
end
attempt(function() return a < b end)
attempt(function() return a <= b end)
attempt(function()
  return a >=
    b
end)
attempt(function() local r = not (a > b) return r end)
attempt(function() return 's' .. a end)
-- A long run of them is one operation.
attempt(function()
  return 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a
    .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a
    .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a
    .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a .. 1 .. a
end)
