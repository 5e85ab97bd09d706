-- A level that is beyond the function of a coroutine has no position, also after it has been resumed.
local function body(level)
  return function(first)
    if first == 'yield' then coroutine.yield(1) end
    error('message', level)
  end
end
local function attempt(level, first)
  local c = coroutine.create(body(level))
  coroutine.resume(c, first)
  print(level, first, coroutine.resume(c))
  local w = coroutine.wrap(body(level))
  print(pcall(w, first))
  print(pcall(w))
end
for level = 0, 3 do
  attempt(level, 'yield')
  attempt(level, 'not')
end

-- In a coroutine that another one resumes.
local outer = coroutine.wrap(function()
  local inner = coroutine.create(function()
    coroutine.yield(1)
    local function raise(level) error('inner', level) end
    print(pcall(raise, 2))
    raise(3)
  end)
  coroutine.yield(2)
  print(coroutine.resume(inner))
  print(coroutine.resume(inner))
  coroutine.yield(3)
end)
outer()
outer()

-- Arguments are counted and functions are named in the coroutine itself.
local c = coroutine.create(function()
  coroutine.yield()
  string.rep()
end)
coroutine.resume(c)
print(coroutine.resume(c))
c = coroutine.create(string.rep)
print(coroutine.resume(c, 'x'))
