-- Element 0, which is kept in the array part; and the one number that stands for none there.
local t={} t[0]='a'
print(t[0],#t) t[1]='b' t[2]='c'
for k,v in pairs(t) do print(k,v) end
t[0]=nil
print(t[0], next(t)) t[0]=false
print(t[0])
for k,v in pairs(t) do print(k,v) end
local u={1,2,3} u[0]=-1939472353
print(u[0],#u) u[0]=5
print(u[0])
for k,v in pairs(u) do print(k,v) end u[0]=nil
for k,v in pairs(u) do print(k,v) end
local w={[0]='z',1,2}
print(w[0],#w,next(w),next(w,0),next(w,2))
table.remove(w,1)
print(w[0],w[1],w[2],#w) table.insert(w,1,9)
print(w[0],w[1],w[2],#w)
for i=0,5 do w[i]=i*i end
print(table.concat(w,',',0,5))
print(unpack(w,0,3))
local n={}
for i=-2,2 do n[i]=i end
for i=-2,2 do local io=n[i]
print(io) end
local z=setmetatable({},{__mode='k'}) z[0]=1 z[1]=2
print(z[0],z[1],next(z))
local e={}
print(e[0], rawget(e,0), #e) e[-0]=4
print(e[0]) e[0]=nil
print(next(e))
local s='x'
print(s[0])
print(s[0])
local c={}
for i=0,200 do c[i]=i end
for i=0,200 do c[i]=nil end
print(next(c),#c) c[0]=1
print(next(c))
for k in pairs(c) do c[k]=nil end
print(next(c))
local q={} q[0]=1
for i=100,1,-1 do q[i]=i end
print(#q,q[0]) local cnt=0
for k,v in pairs(q) do cnt=cnt+1 end
print(cnt)
table.sort(q)
print(q[0],q[1],q[100])
print(table.maxn(q))
local p={10,20} setmetatable(p,{__index=function(t,k) return 'idx'..k end,__newindex=function(t,k,v) rawset(t,k,v*2) end})
print(p[0]) p[0]=4
print(p[0]) p[0]=5
print(p[0])
