-- Strings sorted, and records by number and name with an order function.
local function main()
local seed = 1
local function rnd() seed = (seed * 16807) % 2147483647; return seed end
local s = 0
for r = 1, 5 do
  local t = {}
  for i = 1, 30000 do t[i] = "str" .. rnd() end
  table.sort(t)
  s = s + #t[1]
  for i = 1, 30000 do t[i] = { name = t[i], n = rnd() % 100 } end
  table.sort(t, function(a, b) if a.n ~= b.n then return a.n < b.n end return a.name < b.name end)
  s = s + t[1].n
end
print(s)

end
for K = 1, 3 do main() end
