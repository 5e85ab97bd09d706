-- Processes, one after the other, and what is left of them.
-- Arguments: what (plain, most, all, inbox), how many. Prints the microseconds that each took, from the call that makes it to the
-- news of its end; then, of the program and of the supervisor that makes its processes, what there was before and is now.
local inbox, fs = require 'inbox', require 'filesystem'
local system, time = require 'system', require 'time'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  return
end

local proc = require './proc'
local what, n = system.arguments[3], tonumber(system.arguments[4])
local namespaces = {newns_user = true, newns_mount = true, newns_pid = true, newns_uts = true, newns_ipc = true}
local OPTIONS = {plain = {}, most = namespaces, all = {newns_net = true}, inbox = {sandbox = 'inbox'}}
for name in pairs(namespaces) do OPTIONS.all[name] = true end
local options = assert(OPTIONS[what])

local function descendants(pid, list)
  for _, child in ipairs(proc.children(pid)) do
    list[#list + 1] = child
    descendants(child, list)
  end
  return list
end

local function lines(text) return select(2, text:gsub('\n', '')) end

local function entries(path)
  local count = 0
  for _ in fs.directory_iterator(fs.path.new(path)) do count = count + 1 end
  return count
end

local function now_there()
  local supervisor = proc.read('/proc/thread-self/children'):match('%d+')
  local processes = descendants(supervisor, {})
  local seen, spaces = {}, 0
  for _, pid in ipairs(processes) do
    for _, kind in ipairs{'user', 'mnt', 'pid', 'net', 'uts', 'ipc'} do
      local ok, name = pcall(fs.read_symlink, fs.path.new('/proc/' .. pid .. '/ns/' .. kind))
      name = ok and tostring(name)
      if name and not seen[name] then seen[name], spaces = true, spaces + 1 end
    end
  end
  return {
    {'processes', #processes},
    {'descriptors', entries('/proc/self/fd')},
    {'descriptors of the supervisor', entries('/proc/' .. supervisor .. '/fd')},
    {'mounts', lines(proc.read('/proc/self/mountinfo')) + lines(proc.read('/proc/' .. supervisor .. '/mountinfo'))},
    {'namespaces', spaces},
    {'memory of the supervisor', tonumber(proc.read('/proc/' .. supervisor .. '/status'):match('RssAnon:%s*(%d+)'))},
  }
end

-- One is made ahead of the next, and what has ended goes when the kernel has the time.
local function settled(like)
  for i = 1, 100 do
    time.sleep(0.1)
    local there, same = now_there(), true
    for k, v in ipairs(there) do same = same and (not like or k == #there or v[2] == like[k][2]) end
    if (like and same) or (not like and i == 10) or i == 100 then return there end
  end
end

local function make(count)
  for _ = 1, count do
    local c = spawn_vm{module = '.', subprocess = options}
    c:monitor()
    c:send(inbox)
    local first, second = inbox:receive(), inbox:receive()
    assert(first == 1 or second == 1)
    c:close()
  end
end

make(20)
local before = settled()
local start = time.steady_clock.now()
make(n)
local took = time.steady_clock.now() - start
local after = settled(before)
print(('%d'):format(took / n * 1e6))
for k, v in ipairs(before) do print(('%s\t%d\t%d'):format(v[1], v[2], after[k][2])) end
