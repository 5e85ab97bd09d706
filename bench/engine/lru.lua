-- A cache of limited size: a doubly linked list of entries, found by integer and by string keys.
local Cache = {}
Cache.__index = Cache

function Cache.new(capacity)
  local head, tail = {}, {}
  head.next, tail.prev = tail, head
  return setmetatable({ capacity = capacity, size = 0, entries = {}, head = head, tail = tail, hits = 0, misses = 0 }, Cache)
end

local function unlink(entry)
  entry.prev.next, entry.next.prev = entry.next, entry.prev
end

function Cache:front(entry)
  local head = self.head
  entry.prev, entry.next = head, head.next
  head.next.prev = entry
  head.next = entry
end

function Cache:get(key)
  local entry = self.entries[key]
  if not entry then
    self.misses = self.misses + 1
    return nil
  end
  self.hits = self.hits + 1
  unlink(entry)
  self:front(entry)
  return entry.value
end

function Cache:put(key, value)
  local entry = self.entries[key]
  if entry then
    entry.value = value
    unlink(entry)
  else
    if self.size == self.capacity then
      local oldest = self.tail.prev
      unlink(oldest)
      self.entries[oldest.key] = nil
    else
      self.size = self.size + 1
    end
    entry = { key = key, value = value }
    self.entries[key] = entry
  end
  self:front(entry)
end

local seed = 5
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local names = {}
for i = 0, 2999 do names[i] = 'key ' .. i end
local numbers, strings = Cache.new(1000), Cache.new(500)
local sum = 0
for i = 1, 1500000 do
  local r = random(3000)
  local key = r < 2000 and r % 1200 or r
  local value = numbers:get(key)
  if value then
    sum = (sum + value) % 1000003
  else
    numbers:put(key, i)
  end
  if i % 3 == 0 then
    local name = names[key]
    if not strings:get(name) then strings:put(name, key) end
  end
end
print(sum, numbers.hits, numbers.misses, strings.hits, strings.misses)
