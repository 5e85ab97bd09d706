-- How late a fiber is that ticks every millisecond, while trees are walked, copied and removed.
local fs, time = require 'filesystem', require 'time'
local arguments = require('system').arguments
local from, to = fs.path.new(arguments[3]), fs.path.new(arguments[4])
local now = time.steady_clock.now

local late, running = {}, true
local ticker = spawn(function()
  while running do
    local start = now()
    time.sleep(0.001)
    late[#late + 1] = now() - start - 0.001
  end
end)

local function measure(what, work)
  late = {}
  local start = now()
  work()
  local seconds = now() - start
  table.sort(late)
  local function ms(part) return ('%.1f'):format(1000 * (late[math.max(1, math.ceil(#late * part))] or 0)) end
  print(('%s\t%.2f\t%d\t%s\t%s\t%s'):format(what, seconds, #late, ms(0.5), ms(0.99), ms(1)))
end

measure('nothing', function() time.sleep(0.5) end)
measure('iterate, five times', function()
  for i = 1, 5 do for entry in fs.recursive_directory_iterator(from) do end end
end)
measure('copy', function() fs.copy(from, to, {recursive = true, symlinks = 'copy', preserve = 'all'}) end)
measure('remove', function() fs.remove_all(to) end)
running = false
ticker:join()
