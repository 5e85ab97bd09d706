-- Dynamic programming over strings: edit distances, common subsequences and a table of knapsack values.
local min, max = math.min, math.max

local function edit(a, b)
  local n, m = #a, #b
  local prev, row = {}, {}
  for j = 0, m do prev[j] = j end
  for i = 1, n do
    row[0] = i
    local c = a:byte(i)
    for j = 1, m do
      local cost = c == b:byte(j) and 0 or 1
      row[j] = min(prev[j] + 1, row[j - 1] + 1, prev[j - 1] + cost)
    end
    prev, row = row, prev
  end
  return prev[m]
end

local function common(a, b)
  local n, m = #a, #b
  local lengths = {}
  for i = 0, n do
    lengths[i] = {}
    for j = 0, m do lengths[i][j] = 0 end
  end
  for i = 1, n do
    for j = 1, m do
      if a:sub(i, i) == b:sub(j, j) then
        lengths[i][j] = lengths[i - 1][j - 1] + 1
      else
        lengths[i][j] = max(lengths[i - 1][j], lengths[i][j - 1])
      end
    end
  end
  local out, i, j = {}, n, m
  while i > 0 and j > 0 do
    if a:sub(i, i) == b:sub(j, j) then
      table.insert(out, 1, a:sub(i, i))
      i, j = i - 1, j - 1
    elseif lengths[i - 1][j] >= lengths[i][j - 1] then
      i = i - 1
    else
      j = j - 1
    end
  end
  return table.concat(out)
end

local function knapsack(weights, values, capacity)
  local best = {}
  for w = 0, capacity do best[w] = 0 end
  for i = 1, #weights do
    local weight, value = weights[i], values[i]
    for w = capacity, weight, -1 do
      best[w] = max(best[w], best[w - weight] + value)
    end
  end
  return best[capacity]
end

local seed = 17
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end
local function word(n)
  local letters = {}
  for i = 1, n do letters[i] = string.char(97 + random(6)) end
  return table.concat(letters)
end

local total = 0
for _ = 1, 200 do total = total + edit(word(500), word(480)) end
for _ = 1, 160 do total = total + #common(word(300), word(300)) end
local weights, values = {}, {}
for i = 1, 120 do weights[i], values[i] = random(60) + 5, random(500) + 1 end
for capacity = 2000, 12000, 200 do total = total + knapsack(weights, values, capacity) end
print(total)
