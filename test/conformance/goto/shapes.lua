local function k(x) return x end
-- continue
for i = 1, 5 do if k(i) % 2 == 0 then goto cont end print("o", i) ::cont:: end
-- nested
for i = 1, 3 do for j = 1, 3 do if k(j) == 2 then goto next_i end print(i, j) end ::next_i:: end
-- backward
do local n = 0 ::top:: n = n + k(1) if n < 3 then goto top end print(n) end
-- backward with closures: fresh local each
do local fs = {} local i = 1 ::again:: local v = i fs[i] = function() v = v + 1 return v end i = i + 1 if k(i) <= 3 then goto again end
print(fs[1](), fs[1](), fs[2](), fs[3]()) end
-- forward
do if k(true) then goto done end print("no") ::done:: end
-- forward into region of a loop label
do local n = 0 local seen = ""
 if k(n) == 0 then goto mid end
 ::a:: n = n + 1 seen = seen .. "a"
 ::mid:: seen = seen .. "m"
 if k(n) < 3 then goto a end
 print(n, seen) end
-- crossing
do local s, n = "", 0
 ::a:: s = s .. "a" n = n + 1
 if k(n) > 6 then goto e end
 if n % 3 == 0 then goto c end
 ::b:: s = s .. "b"
 if k(n) % 2 == 0 then goto a end
 ::c:: s = s .. "c"
 n = n + 1
 if n < 5 then goto b end
 if n < 9 then goto a end
 ::e:: print(s, n) end
-- goto out of nested loops, while, repeat
while true do repeat for i = 1, 10 do if k(i) == 3 then goto out end end until false end ::out:: print "out"
-- continue in repeat with local
do local i = 0 repeat i = i + 1 if k(i) == 2 then goto c end print("r", i) ::c:: until i >= 3 end
do local i = 0 while i < 5 do i = i + 1 if i == 2 then goto c end if i == 4 then break end print("w", i) ::c:: end end
-- break inside goto-loop inside loop
for i = 1, 3 do local n = 0 ::l:: n = n + 1 if k(n) == 2 then break end goto l end print "brk"
for i = 1, 2 do local n = 0 ::l:: n = n + 1 if k(n) < 3 then goto l end print(i, n) end
-- goto with nested functions
local function f(n) if n == 0 then goto z end do return f(n - 1) end ::z:: return "zero" end print(f(k(5)))
-- same label names in sibling blocks
do goto x ::x:: end do goto x ::x:: end
for i = 1, 2 do for j = 1, 2 do if j == 1 then goto continue end print(i, j) ::continue:: end if i == 1 then goto continue end print("end", i) ::continue:: end
-- state machine
do local st, n = 1, 0
::s1:: n = n + 1 if n > 10 then goto fin end if k(n) % 3 == 1 then goto s2 else goto s3 end
::s2:: n = n + 2 if n % 2 == 0 then goto s1 end
::s3:: n = n + 1 if k(n) % 5 == 0 then goto s2 end goto s1
::fin:: print("fin", n) end
