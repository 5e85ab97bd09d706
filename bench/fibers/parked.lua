-- COUNT fibers (coroutines under plain Lua), each waiting inside a function; then "ready", and it stays.
local function wait(wake_up)
  local seen = wake_up()
  return seen
end

if spawn then
  local system, future, time = require 'system', require 'future', require 'time'
  local promise, done = future.new()
  local function get() return done:get() end
  for _ = 1, tonumber(system.environment.COUNT) do
    spawn(function() return wait(get) end):detach()
  end
  this_fiber.yield()
  collectgarbage()
  collectgarbage()
  print('ready')
  time.sleep(60)
  promise:set_value(1)
else
  local all = {}
  for i = 1, tonumber(os.getenv('COUNT')) do
    all[i] = coroutine.create(function() return wait(coroutine.yield) end)
    coroutine.resume(all[i])
  end
  collectgarbage()
  collectgarbage()
  print('ready')
  io.stdout:flush()
  io.read()
end
