-- helper: identity that logs
local log = {}
local function k(x) log[#log+1] = tostring(x) return x end
local function flush() print(table.concat(log, " ")) log = {} end
-- nested calls
print(k(k(1) + k(2)) * k(3) - k(k(4))) flush()
-- args
local function va(...) return select('#', ...), ... end
print(va(k(1), k(nil), va(k(2), k(nil)))) flush()
-- table constructors
local t = {k(1), k(2), [k("a")] = k("b"), x = k("c"), k(3), va(k(9), nil)}
print(#t, t.a, t.x, t[1], t[2], t[3], t[4], t[5]) flush()
-- conditions
local i = 0
while k(i) < k(3) do i = i + k(1) end print(i) flush()
repeat local z = k(i) i = i - 1 until z <= k(1) print(i) flush()
if k(false) then print "no" elseif k(nil) then print "no" elseif k(1) and k(2) then print "yes" else print "no" end flush()
for a = k(1), k(4), k(2) do k("b"..a) end flush()
local function iter(s, c) k("it") if c < s then return c + 1, k(c * 2) end end
for a, b in iter, k(3), k(0) do k(a..":"..b) end flush()
for a, b, c in k(pairs)({10,20}) do print(a, b, c) end log = {}
-- and or
local r = k(nil) and k(1) or k(false) or k(5) and k(6) print(r) flush()
local x = k(1) and k(nil) print(x) flush()
local y = k(false) or k(nil) print(y) flush()
local z1 = not (k(1) and k(2)) print(z1) flush()
local z2 = (k(1) == k(1)) and (k(2) < k(3)) or k(7) print(z2) flush()
x = x or k(8) print(x) flush()
x = x and k(9) print(x) flush()
-- methods
local o = {n = 1} function o:add(d) self.n = self.n + k(d) return self end
print(o:add(k(1)):add(k(2)):add(k(3)).n) flush()
-- multiple assignment
local a, b, c = k(1), k(2)
a, b = b, a print(a, b, c)
local tt = {1, 2, 3}
local idx = 1
idx, tt[idx] = k(2), k(20) print(idx, tt[1], tt[2])
tt[k(1)], tt[k(2)], tt[k(3)] = k("x"), k("y") print(tt[1], tt[2], tt[3]) flush()
a, b, c = va(k(7)) print(a, b, c)
a, tt.q, c = (va(1,2,3)) print(a, tt.q, c)
-- upvalues per iteration
local fs = {}
for n = 1, 3 do local m = k(n * 10) fs[#fs + 1] = function(d) m = m + d k(m) return n, m end fs[#fs + 1] = function() return m end end
for n = 1, #fs, 2 do print(fs[n](n)) print(fs[n + 1]()) end flush()
local cnt = 0
local inc = function() cnt = cnt + 1 return cnt end
k(inc()) local dec = function() cnt = cnt - k(1) return cnt end
print(inc(), dec(), inc(), cnt)
-- repeat closure
local fs2 = {}
local q = 0
repeat q = q + 1 local w = q fs2[q] = function() w = w + 1 return w end until w >= 3 and k(fs2[q]()) > 3
print(fs2[1](), fs2[2](), fs2[3]()) flush()
