-- Lines of comma-separated values: split by find and sub, fields as keys, numbers parsed.
local function main()
local rows = {}
for i = 1, 5000 do rows[i] = i .. ",name" .. (i % 100) .. "," .. (i * 1.5) .. ",city" .. (i % 20) .. ",note with words" end
local data = table.concat(rows, "\n")
local function split(s, sep)
  local out, n, pos = {}, 0, 1
  while true do
    local a, b = string.find(s, sep, pos, true)
    n = n + 1
    if not a then out[n] = s:sub(pos) break end
    out[n] = s:sub(pos, a - 1); pos = b + 1
  end
  return out
end
local total, by = 0, {}
for r = 1, 12 do
  for line in data:gmatch("([^\n]*)\n?") do
    if line ~= "" then
      local f = split(line, ",")
      local city = f[4]
      by[city] = (by[city] or 0) + tonumber(f[3])
      total = total + tonumber(f[1]) + #f
    end
  end
end
local c = 0
for k, v in pairs(by) do c = c + v end
print(total, c)

end
for K = 1, 12 do main() end
