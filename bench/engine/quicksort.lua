-- Sorting written in Lua: quicksort, merge sort and heap sort over arrays of numbers.
local floor = math.floor

local function insertion(a, low, high)
  for i = low + 1, high do
    local v, j = a[i], i - 1
    while j >= low and a[j] > v do
      a[j + 1] = a[j]
      j = j - 1
    end
    a[j + 1] = v
  end
end

local function quick(a, low, high)
  while high - low > 12 do
    local pivot = a[floor((low + high) / 2)]
    local i, j = low, high
    while i <= j do
      while a[i] < pivot do i = i + 1 end
      while a[j] > pivot do j = j - 1 end
      if i <= j then
        a[i], a[j] = a[j], a[i]
        i, j = i + 1, j - 1
      end
    end
    if j - low < high - i then
      quick(a, low, j)
      low = i
    else
      quick(a, i, high)
      high = j
    end
  end
  insertion(a, low, high)
end

local function merge_sort(a, b, low, high)
  if high - low < 8 then return insertion(a, low, high) end
  local middle = floor((low + high) / 2)
  merge_sort(a, b, low, middle)
  merge_sort(a, b, middle + 1, high)
  for k = low, high do b[k] = a[k] end
  local i, j = low, middle + 1
  for k = low, high do
    if j > high or (i <= middle and b[i] <= b[j]) then
      a[k] = b[i]
      i = i + 1
    else
      a[k] = b[j]
      j = j + 1
    end
  end
end

local function sift(a, root, last)
  local v = a[root]
  while true do
    local child = root * 2
    if child > last then break end
    if child < last and a[child] < a[child + 1] then child = child + 1 end
    if a[child] <= v then break end
    a[root] = a[child]
    root = child
  end
  a[root] = v
end

local function heap_sort(a, n)
  for i = floor(n / 2), 1, -1 do sift(a, i, n) end
  for last = n, 2, -1 do
    a[1], a[last] = a[last], a[1]
    sift(a, 1, last - 1)
  end
end

local seed = 42
local function numbers(n)
  local a = {}
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    a[i] = seed
  end
  return a
end

local checksum, n = 0, 200000
for _ = 1, 5 do
  local a, b, c = numbers(n), numbers(n), numbers(n)
  quick(a, 1, n)
  merge_sort(b, {}, 1, n)
  heap_sort(c, n)
  for i = 2, n do
    if a[i - 1] > a[i] or b[i - 1] > b[i] or c[i - 1] > c[i] then error('not sorted') end
  end
  checksum = (checksum * 31 + a[n / 2] + b[n / 4] + c[1]) % 1000003
end
print(checksum)
