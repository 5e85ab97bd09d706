-- Words of a text are counted in a table, with strings just cut from it as keys; then sorted by count.
local function main()
local seed = 42
local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n + 1 end
local syl = {"ka","to","mi","re","sa","lu","ne","vo","di","pa"}
local buf = {}
for i = 1, 120000 do
  buf[i] = syl[rnd(10)] .. syl[rnd(10)] .. (rnd(3) == 1 and syl[rnd(10)] or "")
end
local text = table.concat(buf, " ")
local top
for r = 1, 6 do
  local counts = {}
  for w in text:gmatch("%a+") do counts[w] = (counts[w] or 0) + 1 end
  local keys = {}
  for k in pairs(counts) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) if counts[a] ~= counts[b] then return counts[a] > counts[b] end return a < b end)
  top = keys
end
print(#top, top[1], top[2], top[#top])

end
for K = 1, 10 do main() end
