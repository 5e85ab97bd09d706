-- Keys asked for in the order in which they came, and then in others: a hash part looks at the next entry first.
local kinds = {
  text = function(i) return 'key' .. i * 7919 % 10007 end,
  sparse = function(i) return i * 1001 end,
  fractions = function(i) return i + 0.25 end,
}
local objects = {}
for i = 1, 300 do objects[i] = {} end
kinds.objects = function(i) return objects[i] end
local N = 300

for _, kind in ipairs{'text', 'sparse', 'fractions', 'objects'} do
  local key = kinds[kind]
  local t, model, wrong = {}, {}, 0
  local seed = 9
  local function check(i)
    if t[key(i)] ~= model[i] then wrong = wrong + 1 end
  end
  local function put(i, v)
    t[key(i)] = v
    model[i] = v
  end
  for i = 1, N do put(i, i) end
  for i = 1, N do check(i) end
  for i = 1, N do put(i, i * 2) end -- writes only, in order
  for i = 1, N do check(i) t[key(i)] = t[key(i)] + 1 model[i] = model[i] + 1 end
  for i = 1, N do put(i, i) put(i, i + 1) check(i) end -- twice the same
  for i = N, 1, -1 do check(i) end
  for i = 1, N, 3 do put(i, nil) end -- then what follows is not the next
  for i = 1, N do check(i) end
  for i = 1, N do put(i, nil) check(i) if i % 2 == 0 then put(i, i) end end
  for i = N + 1, N * 2 do if kind ~= 'objects' then put(i, i) end end -- compacts
  for i = 1, N * 2 do if kind ~= 'objects' or i <= N then check(i) end end
  for _ = 1, 2000 do
    seed = seed * 16807 % 2147483647
    local i = seed % N + 1
    check(i)
    if seed % 3 == 0 then put(i, seed) elseif seed % 7 == 0 then put(i, nil) end
    check(i % N + 1)
  end
  local n, sum = 0, 0
  for _, v in pairs(t) do n = n + 1 sum = sum + v end
  for _, v in pairs(model) do n = n - 1 sum = sum - v end
  print(kind, wrong, n, sum)
end
