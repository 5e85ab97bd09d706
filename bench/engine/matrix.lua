-- Tables of tables: multiplication of square matrices.
local function matrix(n, f)
  local rows = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do row[j] = f(i, j) end
    rows[i] = row
  end
  return rows
end

local function multiply(a, b, n)
  local columns = matrix(n, function(i, j) return b[j][i] end)
  return matrix(n, function(i, j)
    local row, column, sum = a[i], columns[j], 0
    for k = 1, n do sum = sum + row[k] * column[k] end
    return sum
  end)
end

local n = 450
local a = matrix(n, function(i, j) return (i - j) / n end)
local b = matrix(n, function(i, j) return (i + j) / n end)
local c = multiply(a, b, n)
for _ = 1, 3 do c = multiply(c, b, n) end
local trace = 0
for i = 1, n do trace = trace + c[i][i] end
print(string.format('%.6e', trace))
