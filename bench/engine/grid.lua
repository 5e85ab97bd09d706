-- A grid with keys like "12,7" made for each look-up, and a table of results by number.
local function main()
local grid = {}
local w, h = 120, 120
for y = 1, h do for x = 1, w do grid[x .. "," .. y] = (x * y) % 3 == 0 end end
local n = 0
for r = 1, 6 do
  for y = 2, h - 1 do
    for x = 2, w - 1 do
      local c = 0
      for dy = -1, 1 do for dx = -1, 1 do
        if grid[(x + dx) .. "," .. (y + dy)] then c = c + 1 end
      end end
      n = n + c
    end
  end
end
local memo = {}
local function key(a, b) return a * 10007 + b end
for a = 1, 700 do for b = 1, 700 do memo[key(a, b)] = a + b end end
for a = 1, 700 do for b = 1, 700 do n = n + memo[key(b, a)] end end
print(n)

end
for K = 1, 5 do main() end
