local names = {"__proto__","constructor","toString","valueOf","arr","hash","meta","named","a'b",'a"b',"a\\b","\226\128\168","$","$$","${x}","`", "\0", "\n", "hasOwnProperty", "length", "prototype", "then", "E", "", " 0", "0", "1", "-1"}
for i, n in ipairs(names) do
  local t = {}
  print(i, t[n]) t[n] = i print(t[n]) t[n] = nil print(t[n], next(t))
  t[n] = i for k, v in pairs(t) do print(#k, v) end
end
local t = {}
print(t.__proto__, t.constructor, t.toString, t.valueOf, t.arr, t.hash, t.meta, t.named, t.length)
t.__proto__ = 1 t.constructor = 2 t.toString = 3 t.arr = 4 t.hash = 5 t.meta = 6 t.named = 7 t.valueOf = 8 t["a'b"] = 9 t['a"b'] = 10 t["a\\b"] = 11 t["\226\128\168"] = 12 t["\n"] = 13
print(t.__proto__, t.constructor, t.toString, t.valueOf, t.arr, t.hash, t.meta, t.named, t["a'b"], t['a"b'], t["a\\b"], t["\226\128\168"], t["\n"])
local u = {__proto__ = 1, constructor = 2, arr = 3, ["a\"b"] = 4, ["\226\128\169"] = 5, hash = 6}
print(u.__proto__, u.constructor, u.arr, u['a"b'], u["\226\128\169"], u.hash, #u)
print(("x").__proto__, (function() end) and ("x").constructor, ("x").length)
print(pcall(function() return (print).call end)) print(pcall(function() return (1).toString end)) print(pcall(function() return (true).x end))
-- numbers
print(1e308*10, -1e308*10, 0x10, 0xA.8p1, 0x.8p0, 1e-3, .5, 3., 0xffffffffff, -0, 0x1p4)
print(1/0, -1/0, 1/-0, 0/0 ~= 0/0, -(0), 1/(-0), 2^53, 2^63, 1e15, 1e14, 0.1, 1/3, 100, 1e100)
local z = {} z[-0] = "a" print(z[0], 1/next(z)) z[0.0] = "b" print(z[0]) z[1.0] = 1 print(#z, z[1])
z[2^53] = 1 z[-1] = 2 z[1.5] = 3 print(z[2^53], z[-1], z[1.5], z[2^53+1])
print(pcall(function() z[0/0] = 1 end)) print(pcall(function() z[nil] = 1 end)) print(z[nil], z[0/0])
print(pcall(rawset, {}, nil, 1))
print(pcall(function() return {[nil]=1} end)) print(pcall(function() return {[0/0]=1} end)) print(next({[1.0]=2}))
-- holes & queues
local h = {1, nil, 3} print(#h == 3 or #h == 1, h[3]) h = {nil, nil, 3} print(h[3]) h = {n=1, nil} print(#h)
local qq, first, last = {}, 1, 0
for i = 1, 300 do last = last + 1 qq[last] = i if i % 3 ~= 0 then local v = qq[first] qq[first] = nil first = first + 1 end end
local s = 0 for i = first, last do s = s + qq[i] end print(first, last, s, qq[first - 1], qq[last])
while first <= last do qq[first] = nil first = first + 1 end print(next(qq), #qq)
-- clear while traversing
local m = {} for i = 1, 50 do m[i] = i m["k" .. i] = i m[i + 0.5] = i end m.foo = 1 m.bar = 2
local c = 0 for kk in pairs(m) do m[kk] = nil c = c + 1 end print(c, next(m))
local m = {} for i = 1, 50 do m[i] = i m["k" .. i] = i end
local c = 0 for kk in next, m do m[kk] = nil c = c + 1 end print(c, next(m))
local m = {} for i = 1, 50 do m[i] = i m["k" .. i] = i end
local c, kk = 0, next(m) while kk do local nk = next(m, kk) m[kk] = nil c = c + 1 kk = nk end print(c, next(m))
local m = {a=1,b=2,c=3} local c, kk = 0, next(m) while kk do m[kk] = nil c = c + 1 kk = next(m, kk) end print(c, next(m))
local m = {} for i = 1, 20 do m[i] = i end local c, kk = 0, next(m) while kk do m[kk] = nil c = c + 1 kk = next(m, kk) end print(c, next(m))
-- sparse to array moves
local sp = {} for i = 10, 1, -1 do sp[i] = i end print(#sp) local o = "" for i, v in ipairs(sp) do o = o .. v end print(o) local cc = 0 for k2, v in pairs(sp) do cc = cc + v end print(cc)
sp[5] = nil sp[5] = 55 print(sp[5], #sp) sp[10] = nil print(#sp) sp[11] = 1 print(sp[11], #sp == 9 or #sp == 11)
local d = {x = 1} d.x = nil d.x = 2 local n = 0 for _ in pairs(d) do n = n + 1 end print(n)
local key = "dyn" local e = {} e[key] = 1 print(e.dyn) e.dyn = 2 print(e[key]) e[key] = 3 local n = 0 for kx, vx in pairs(e) do n = n + 1 print(kx, vx) end print(n) e.dyn = nil print(e[key], next(e)) e[key] = 4 print(e.dyn) n = 0 for kx, vx in pairs(e) do n = n + 1 end print(n)
local f = {} f.alpha = 1 f["al" .. "pha"] = nil f["al" .. "pha"] = 2 n = 0 for kx, vx in pairs(f) do n = n + 1 print(kx, vx) end print(n, f.alpha)
print(pcall(next, {}, "nope"))
