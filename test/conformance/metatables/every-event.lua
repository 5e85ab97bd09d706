local function k(x) return x end
local log = {}
local mt = {}
local function L(...) log[#log+1] = table.concat({...}, ",") end
local function V(n) return setmetatable({n=n}, mt) end
local function N(x) return type(x)=="table" and rawget(x,"n") or x end
for _, op in ipairs{"add","sub","mul","div","mod","pow","concat"} do
  mt["__"..op] = function(a, b) k(1) L(op, tostring(N(a)), tostring(N(b))) return V(op) end
end
mt.__unm = function(a, b) k() L("unm", N(a), rawequal(a, b) and "same" or "diff") return V("unm") end
mt.__len = function(a) k() return 42 end
mt.__eq = function(a, b) k() L("eq", N(a), N(b)) return N(a) == N(b) end
mt.__lt = function(a, b) k() L("lt", N(a), N(b)) return N(a) < N(b) end
mt.__le = function(a, b) k() L("le", N(a), N(b)) return N(a) <= N(b) end
mt.__call = function(self, ...) k() L("call", N(self), select('#', ...)) return ... end
mt.__index = function(t, key) k() L("index", tostring(key)) return key end
mt.__newindex = function(t, key, v) k() L("newindex", tostring(key), tostring(v)) rawset(t, key, v) end
local a, b = V(1), V(2)
local _ = a + b, a - 1, 2 * a, a / b, a % 3, a ^ 2, "s" .. a, a .. "s", a .. b, 1 .. a
local _ = -a
print(a == b, a ~= b, a == V(1), a < b, a <= b, a > b, a >= b, a == 1)
if a < b then L("t") end if not (a == b) then L("u") end while a > b do end
print(a(1, 2, nil), (a()), #{a(5, 6)})
print(a.foo, a[1], a["x y"], a[true])
a.foo = 1 a[1] = 2 a["x y"] = 3 a.foo = nil a.foo = 5
print(rawget(a, "foo"), a[1])
print("x" .. 1 .. a .. 2 .. "y" == nil)
for i, s in ipairs(log) do print(s) end
-- __le through __lt
local m2 = {__lt = function(x, y) k() return x.v < y.v end}
local p, q = setmetatable({v=1}, m2), setmetatable({v=2}, m2)
print(pcall(function() return p <= q, q <= p, p >= q, p <= p end))
-- __index chains
local A = {x=1} A.__index = A local B = setmetatable({y=2}, A) B.__index = B local C = setmetatable({z=3}, B)
print(C.x, C.y, C.z, C.w)
local D = setmetatable({}, {__index = setmetatable({}, {__index = function(t, kk) k() return kk .. "!" end})})
print(D.abc, D[1], D["a b"])
function A:m(v) return v, self.z end print(C:m(4))
-- __newindex table
local store = {} local E = setmetatable({}, {__newindex = store}) E.a = 1 E[1] = 2 E["b c"] = 3 print(rawget(E, "a"), store.a, store[1], store["b c"])
-- __call chain and tail
local F = setmetatable({}, {__call = function(self, n) if n == 0 then return "done" end return self(n - 1) end}) print(F(10))
-- constructor with metatable'd values, comparison in conditions
local t = {a < b, a == b, -a, #"abc"} print(t[1], t[2], t[4])
-- index with strings
print(("abc"):upper(), ("x"):rep(3), #"abc")
local s = "abc" print(s:len(), type(s.len), pcall(function() return s.x.y end))
