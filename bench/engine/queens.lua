-- Backtracking: all ways to put four to thirteen queens on a board, with arrays of occupied lines.
local function solutions(n)
  local columns, rising, falling = {}, {}, {}
  for i = 1, n do columns[i] = false end
  for i = 1, 2 * n do rising[i], falling[i] = false, false end

  local function place(row)
    if row > n then return 1 end
    local count = 0
    for column = 1, n do
      local up, down = row + column, row - column + n
      if not (columns[column] or rising[up] or falling[down]) then
        columns[column], rising[up], falling[down] = true, true, true
        count = count + place(row + 1)
        columns[column], rising[up], falling[down] = false, false, false
      end
    end
    return count
  end

  return place(1)
end

local total = 0
for n = 4, 13 do total = total + solutions(n) end
print(total)
