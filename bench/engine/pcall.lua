-- Protected calls that return, that raise strings and tables, and that nest.
local function risky(i)
  if i % 10 == 0 then error('ten', 0) end
  if i % 10 == 5 then error({ code = i % 7 }) end
  return i, i + 1
end

local fine, strings, codes, nested = 0, 0, 0, 0
for i = 1, 1200000 do
  local ok, a, b = pcall(risky, i)
  if ok then
    fine = (fine + a + b) % 1000003
  elseif type(a) == 'table' then
    codes = codes + a.code
  else
    strings = strings + #a
  end
  if i % 4 == 0 then
    local outer, inner = pcall(function()
      local ok2, message = pcall(risky, i)
      return ok2 and 1 or 2
    end)
    if outer then nested = nested + inner end
  end
end
print(fine, strings, codes, nested)
