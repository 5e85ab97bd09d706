-- Small arrays shuffled in place: how many flips each permutation needs until 1 is in front.
local function flips(n)
  local p, q, counts = {}, {}, {}
  for i = 1, n do p[i], q[i], counts[i] = i, i, i end
  local sign, max, sum = 1, 0, 0
  while true do
    local first = p[1]
    if first ~= 1 then
      for i = 2, n do q[i] = p[i] end
      local n_flips = 1
      while true do
        local target = q[first]
        if target == 1 then
          sum = sum + sign * n_flips
          if n_flips > max then max = n_flips end
          break
        end
        q[first] = first
        if first >= 4 then
          local i, j = 2, first - 1
          repeat
            q[i], q[j] = q[j], q[i]
            i, j = i + 1, j - 1
          until i >= j
        end
        first = target
        n_flips = n_flips + 1
      end
    end
    if sign == 1 then
      p[1], p[2] = p[2], p[1]
      sign = -1
    else
      p[2], p[3] = p[3], p[2]
      sign = 1
      for i = 3, n do
        local c = counts[i]
        if c ~= 1 then
          counts[i] = c - 1
          break
        end
        if i == n then return sum, max end
        counts[i] = i
        local t = p[1]
        for j = 1, i do p[j] = p[j + 1] end
        p[i + 1] = t
      end
    end
  end
end

print(flips(10))
