-- 16 fibers read a whole file together, in blocks of 1 MB, while another one sleeps for a millisecond, again and again.
--   ticks.lua -- FILE
-- Prints the seconds, the ticks, the median and the longest time between two, in milliseconds.
local file, system, time = require 'file', require 'system', require 'time'
local path = require 'filesystem'.path.new
local name, READERS, PIECE = system.arguments[3], 16, 2^20

local probe = file.random_access.new()
probe:open(path(name), {'read_only'})
local pieces, taken = math.ceil(probe.size / PIECE), 0

local reading, gaps = true, {}
local ticker = spawn(function()
  local last = time.steady_clock.now()
  while reading do
    time.sleep(0.001)
    local now = time.steady_clock.now()
    gaps[#gaps + 1] = (now - last) * 1000
    last = now
  end
end)

local start = time.steady_clock.now()
local readers = {}
for i = 1, READERS do
  readers[i] = spawn(function()
    local f, b = file.random_access.new(), byte_span.new(PIECE)
    f:open(path(name), {'read_only'})
    while taken < pieces do
      local at = taken * PIECE
      taken = taken + 1
      file.read_at_least_at(f, at, b, math.min(PIECE, probe.size - at))
    end
    f:close()
  end)
end
for i = 1, READERS do readers[i]:join() end
local seconds = time.steady_clock.now() - start
reading = false
ticker:join()
table.sort(gaps)
print(seconds, #gaps, gaps[math.ceil(#gaps / 2)], gaps[#gaps])
