-- Coroutines as producers, filters and consumers, permutations by recursive generators, and tasks in turn.
local yield, wrap, create, resume, status = coroutine.yield, coroutine.wrap, coroutine.create, coroutine.resume, coroutine.status

local function numbers(n)
  return wrap(function() for i = 1, n do yield(i) end end)
end
local function filter(source, f)
  return wrap(function() for x in source do if f(x) then yield(x) end end end)
end
local function transform(source, f)
  return wrap(function() for x in source do yield(f(x)) end end)
end

local function permute(a, n)
  if n <= 1 then
    yield(a)
  else
    for i = 1, n do
      a[n], a[i] = a[i], a[n]
      permute(a, n - 1)
      a[n], a[i] = a[i], a[n]
    end
  end
end

local function walk(tree)
  if tree then
    walk(tree.left)
    yield(tree.key)
    walk(tree.right)
  end
end
local function insert(tree, key)
  if not tree then return { key = key } end
  if key < tree.key then tree.left = insert(tree.left, key) else tree.right = insert(tree.right, key) end
  return tree
end

local sum = 0
local source = filter(numbers(2400000), function(x) return x % 3 ~= 0 end)
for x in transform(source, function(x) return x * 2 + 1 end) do sum = (sum + x) % 1000003 end

local list = { 1, 2, 3, 4, 5, 6, 7, 8 }
for p in wrap(function() permute(list, 8) end) do sum = (sum + p[1] * p[8]) % 1000003 end

local tree, seed = nil, 3
for _ = 1, 4000 do
  seed = (seed * 16807) % 2147483647
  tree = insert(tree, seed)
end
for _ = 1, 40 do
  for key in wrap(function() walk(tree) end) do sum = (sum * 3 + key) % 1000003 end
end

local tasks = {}
for i = 1, 200 do
  tasks[i] = create(function(first)
    local mine = first
    for _ = 1, 8000 do mine = (mine + yield(mine)) % 1009 end
    return mine
  end)
end
while #tasks > 0 do
  for i = #tasks, 1, -1 do
    local _, value = resume(tasks[i], i)
    sum = (sum + value) % 1000003
    if status(tasks[i]) == 'dead' then
      tasks[i] = tasks[#tasks]
      tasks[#tasks] = nil
    end
  end
end
print(sum)
