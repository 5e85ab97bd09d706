local function try(f, ...) print(pcall(f, ...)) end
local up, upt = nil, {}
g = nil
try(function() local a a.b = 1 end)
try(function() local a; return a.b end)
try(function() local a; return a[1] end)
try(function() local a; a[1] = 1 end)
try(function() return up.x end)
try(function() up.x = 1 end)
try(function() return g.x end)
try(function() return upt.x.y end)
try(function() return upt.x[1] end)
try(function() upt.x.y = 1 end)
try(function() return upt[1].x end)
try(function() return ("x").y.z end)
try(function() local a; a() end)
try(function() up() end)
try(function() g() end)
try(function() upt.f() end)
try(function() upt:m() end)
try(function() upt.x:m() end)
try(function() upt[1]() end)
try(function() (nil)() end)
try(function() (1)() end)
try(function() ("x")() end)
try(function() return 1 + nil end)
try(function() local a; return a + 1 end)
try(function() local a; return 1 + a end)
try(function() local a, b = {}, {}; return a + b end)
try(function() local a, b = 1, {}; return a + b end)
try(function() return upt.x + 1 end)
try(function() return up * 2 end)
try(function() return g - 2 end)
try(function() return "a" + 1 end)
try(function() return 1 + "a" end)
try(function() local s = "abc" return s * 2 end)
try(function() return -{} end)
try(function() local a; return -a end)
try(function() return -"x" end)
try(function() return #nil end)
try(function() local a; return #a end)
try(function() return #upt.x end)
try(function() return #5 end)
try(function() return nil .. "x" end)
try(function() return "x" .. nil end)
try(function() local a; return "x" .. a end)
try(function() local a; return a .. "x" end)
try(function() return "x" .. upt end)
try(function() return upt.x .. "x" end)
try(function() local a, b = "x"; return a .. b .. "y" end)
try(function() return {} < {} end)
try(function() return {} < 1 end)
try(function() return 1 < {} end)
try(function() return 1 < "x" end)
try(function() return "x" <= 1 end)
try(function() return nil > 1 end)
try(function() return nil >= nil end)
try(function() return true < false end)
try(function() return print < print end)
try(function() for i = "a", 2 do end end)
try(function() for i = 1, {} do end end)
try(function() for i = 1, 2, nil do end end)
try(function() for i in nil do end end)
try(function() for i in 5 do end end)
try(function() for i, v in {} do end end)
try(function() local t = {} t[nil] = 1 end)
try(function() local t = {} t[0/0] = 1 end)
try(function() upt.a.b.c = 1 end)
try(function() return math.nope.x end)
try(function() return math.nope() end)
try(function() string.nope("x") end)
try(function() ("x"):nope() end)
try(function() local t = setmetatable({}, {__index = function(t, k) return k .. nil end}) return t.x end)
try(function() local t = setmetatable({}, {__index = 5}) return t.x end)
try(function() local t = setmetatable({}, {__newindex = 5}) t.x = 1 end)
try(function() local t = setmetatable({}, {__call = 5}) t() end)
try(function() error("msg") end)
try(function() error("msg", 0) end)
try(function() error("msg", 1) end)
try(function() local function f() error("lvl2", 2) end
  f() end)
try(function() local function f() error("lvl3", 3) end
  local function h()
    f() local x end
  h() end)
try(function() error({}) end == nil)
try(error) try(error, nil) try(error, "x") try(error, "x", 2)
try(function()
  local t = {}
  local x = 1 +
    2 *
    t.a.b
end)
try(function()
  return g
    .x
    .y
end)
try(function()
  print(
    1,
    nil + 1,
    2)
end)
try(function()
  local s = "a" ..
    "b" ..
    nil ..
    "c"
end)
try(function()
  up(
   1,
   2
  )
end)
try(function() local x = {
    a = 1,
    b = nil .. "x",
  } end)
try(function() if
   nil < 1
   then end end)
try(function()
  while 1 <
     {} do end end)
try(function() ("x").y = 1 end)
try(function() local a = 5 a.x = 1 end)
try(function() local a = 5 return a.x end)
try(function() local a = true return a.x.y end)
try(function() local function f(x) return x.y end return f() end)
try(function(...) return (...).x end)
try(function(...) return (...)() end)
try(function() return upt.x.y.z end)
try(function() local a = {} a.b.c() end)
try(function() local a = {} a.b:c() end)
try(function() local a = {} ; a.x.y = a.z end)
try(function() local k = "key" local a = {} return a[k].x end)
try(function() local a = {} local k = "q" a[k]() end)
try(function() local a = {} return a["with space"].x end)
try(function() return _G.nope.x end)
try(function() _G.nope() end)
try(function() return nope() end)
try(function() return upt.f() end)
try(function() return upt:f() end)
local co = coroutine.create(function() local x; x.y = 1 end) print(coroutine.resume(co))
local co = coroutine.wrap(function() local x; x.y = 1 end) print(pcall(co))
