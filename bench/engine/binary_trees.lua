-- Many small tables that live and die: complete binary trees, built and walked.
local function build(depth)
  if depth == 0 then return {} end
  return { left = build(depth - 1), right = build(depth - 1) }
end

local function count(tree)
  if not tree.left then return 1 end
  return 1 + count(tree.left) + count(tree.right)
end

local kept = build(15)
local nodes = 0
for depth = 4, 14, 2 do
  for _ = 1, 2 ^ (14 - depth) * 40 do
    nodes = nodes + count(build(depth))
  end
end
print(nodes, count(kept))
