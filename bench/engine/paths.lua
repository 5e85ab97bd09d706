-- Shortest paths: a graph of nodes with neighbour lists, Dijkstra with a binary heap of records.
local Heap = {}
Heap.__index = Heap
function Heap:push(cost, node)
  local items, i = self.items, self.size + 1
  self.size = i
  local item = { cost = cost, node = node }
  while i > 1 do
    local parent = (i - i % 2) / 2
    if items[parent].cost <= cost then break end
    items[i] = items[parent]
    i = parent
  end
  items[i] = item
end
function Heap:pop()
  local items, n = self.items, self.size
  if n == 0 then return nil end
  local top, item = items[1], items[n]
  items[n] = nil
  n = n - 1
  self.size = n
  if n > 0 then
    local i = 1
    while true do
      local child = i * 2
      if child > n then break end
      if child < n and items[child + 1].cost < items[child].cost then child = child + 1 end
      if items[child].cost >= item.cost then break end
      items[i] = items[child]
      i = child
    end
    items[i] = item
  end
  return top.node, top.cost
end

local seed = 11
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit + 1
end

local n, nodes = 12000, {}
for i = 1, n do nodes[i] = { id = i, edges = {}, distance = nil, done = false } end
for i = 1, n do
  for _ = 1, 5 do
    local to, weight = nodes[random(n)], random(100)
    local edges = nodes[i].edges
    edges[#edges + 1] = { to = to, weight = weight }
  end
end

local function search(source)
  for i = 1, n do
    nodes[i].distance = nil
    nodes[i].done = false
  end
  local heap = setmetatable({ items = {}, size = 0 }, Heap)
  source.distance = 0
  heap:push(0, source)
  local reached, far = 0, 0
  while true do
    local node, cost = heap:pop()
    if not node then break end
    if not node.done then
      node.done = true
      reached = reached + 1
      if cost > far then far = cost end
      for _, edge in ipairs(node.edges) do
        local to, distance = edge.to, cost + edge.weight
        if not to.done and (not to.distance or distance < to.distance) then
          to.distance = distance
          heap:push(distance, to)
        end
      end
    end
  end
  return reached, far
end

local total = 0
for i = 1, 20 do
  local reached, far = search(nodes[i * 31])
  total = total + reached + far
end
print(total)
