-- Reads blocks of 4 KB at random places of a file, so many at once.
--   random.lua -- FILE READS DEPTH
-- Prints how many there were, and the seconds that they took.
local file, system, time = require 'file', require 'system', require 'time'
local path = require 'filesystem'.path.new
local name, reads, depth = system.arguments[3], tonumber(system.arguments[4]), tonumber(system.arguments[5])

local f = file.random_access.new()
f:open(path(name), {'read_only'})
local blocks, left = f.size / 4096, reads
math.randomseed(42)

local start = time.steady_clock.now()
local fibers = {}
for i = 1, depth do
  fibers[i] = spawn(function()
    local block = byte_span.new(4096)
    while left > 0 do
      left = left - 1
      file.read_all_at(f, math.random(0, blocks - 1) * 4096, block)
    end
  end)
end
for i = 1, depth do fibers[i]:join() end
print(reads, time.steady_clock.now() - start)
