-- Fibers that do random things with everything that fibers can wait for, and interrupt each other. Whatever
-- happens: nobody is where he must not be, no value is lost or doubled, and in the end all is free again.
local time, timeout, select_, group = require 'time', require 'timeout', require 'select', require 'fiber_group'
local channel, future = require 'channel', require 'future'
local mutex, recursive = require('mutex').new(), require('recursive_mutex').new()
local changed, semaphore = require('condition_variable').new(), require('semaphore').new(2)
local channels, sent, got = { channel.new(0), channel.new(2) }, { 0, 0 }, { 0, 0 }
local inside, permits, ended = 0, 0, 0
local FIBERS, ROUNDS = 30, 6

local state = SEED
local function random(n)
  state = (state * 1664525 + 1013904223) % 2 ^ 32
  return math.floor(state / 65536) % n
end
local function pick(list, n) return list[1 + random(n or #list)] end

local function locked(f)
  mutex:lock()
  scope(function()
    assert(inside == 0)
    inside = 1
    scope_cleanup_push(function() inside = 0 mutex:unlock() end)
    f()
  end)
end

local fibers = {}
local acts = {
  function() locked(function() for _ = 1, random(4) do this_fiber.yield() end end) end,
  function()
    locked(function()
      inside = 0
      local ok, e = pcall(changed.wait, changed, mutex)
      assert(inside == 0) -- it has been locked again, come what may
      inside = 1
      if not ok then error(e, 0) end
    end)
  end,
  function() if random(2) == 0 then changed:notify_one() else changed:notify_all() end end,
  function()
    local n = 1 + random(2)
    semaphore:acquire(n)
    permits = permits + n
    assert(permits <= 2)
    scope(function()
      scope_cleanup_push(function() permits = permits - n semaphore:release(n) end)
      time.sleep(random(5) * 0.001)
    end)
  end,
  function()
    local k, v = 1 + random(2), 1 + random(100)
    channels[k]:send(v)
    sent[k] = sent[k] + v
  end,
  function()
    local k = 1 + random(2)
    local v = channels[k]:receive()
    got[k] = got[k] + v
  end,
  function()
    local k, v = 1 + random(2), 1 + random(100)
    local i, w = select_ { channels[k]:sending(v), channels[3 - k]:receiving(), 0.001 * random(5) }
    if i == 1 then sent[k] = sent[k] + v elseif i == 2 then got[3 - k] = got[3 - k] + w end
  end,
  function()
    recursive:lock()
    scope(function()
      scope_cleanup_push(function() recursive:unlock() end)
      assert(recursive:try_lock())
      scope_cleanup_push(function() recursive:unlock() end)
      this_fiber.yield()
    end)
  end,
}
local SIMPLE = #acts
local function simple() pick(acts, SIMPLE)() end

for _, act in ipairs {
  function()
    local ok, e = pcall(timeout, 0.001 * random(10), simple)
    if not ok and tostring(e) ~= 'Connection timed out' then error(e, 0) end
  end,
  function()
    group(function(g)
      g:spawn(simple)
      g:spawn(simple)
      if random(2) == 0 then this_fiber.yield() end
      if random(4) == 0 then g:cancel() end
    end)
  end,
  function() coroutine.wrap(function() simple() coroutine.yield() end)() end,
  function() table.sort({ 1, 2, 3 }, function(a, b) simple() return a < b end) end,
  function() return (('ab'):gsub('.', function() simple() end)) end,
  function()
    local t = setmetatable({}, { __index = function() simple() return 1 end })
    return t.x + t.y
  end,
  function() pick(fibers):interrupt() end,
  function()
    local f = pick(fibers)
    if not f.joinable then return end
    local ok, e = pcall(f.join, f)
    if not ok and tostring(e) ~= 'Resource deadlock avoided' then error(e, 0) end
  end,
  function()
    this_fiber.disable_interruption()
    scope(function()
      scope_cleanup_push(this_fiber.restore_interruption)
      pcall(timeout, 0.005, simple)
    end)
  end,
  function()
    local promise, value = future.new()
    spawn(function() simple() promise:set_value(1) end)
    local ok, i = pcall(select_, { value, 0.01 })
    if not ok and tostring(i) ~= 'Broken promise' then error(i, 0) end
  end,
} do acts[#acts + 1] = act end

for i = 1, FIBERS do
  fibers[i] = spawn(function()
    scope_cleanup_push(function() this_fiber.yield() ended = ended + 1 end)
    for _ = 1, ROUNDS do pick(acts)() end
  end)
end

local function take(k)
  local ok, v = channels[k]:try_receive()
  if ok then got[k] = got[k] + v end
  return ok
end

-- The main fiber keeps it going, and after a while ends it.
for turn = 1, 2000 do
  time.sleep(0.001)
  changed:notify_all()
  for k = 1, 2 do
    take(k)
    if random(2) == 0 and channels[k]:try_send(7) then sent[k] = sent[k] + 7 end
  end
  if turn % 7 == 0 then pick(fibers):interrupt() end
  if turn > 100 then for _, f in ipairs(fibers) do f:interrupt() end end
  if ended == FIBERS then break end
end
for _, f in ipairs(fibers) do if f.joinable then f:join() end end
time.sleep(1) -- those that were spawned last
for k = 1, 2 do while take(k) do end end
print(ended, mutex:try_lock(), recursive:try_lock(), semaphore.count, permits, inside, sent[1] == got[1], sent[2] == got[2])
