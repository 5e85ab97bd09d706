-- What objects take, by what `collectgarbage 'count'` says before and after: "name<TAB>bytes" a line.
local function measure(name, count, make)
  local kept = {}
  for i = 1, count do kept[i] = false end
  collectgarbage()
  collectgarbage()
  local before = collectgarbage('count')
  for i = 1, count do kept[i] = make(i) end
  collectgarbage()
  collectgarbage()
  print(name, (collectgarbage('count') - before) * 1024 / count)
  return kept
end

local function numbers()
  local t = {}
  for i = 1, 1000000 do t[i] = i + 0.5 end
  return t
end

measure('empty table', 200000, function() return {} end)
measure('table of two fields', 200000, function(i) return { x = i, y = true } end)
measure('closure over one local', 200000, function(i) return function() return i end end)
measure('array of 1000000 numbers', 4, numbers)
