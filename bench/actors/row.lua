-- Processes, one after the other, and what is left of them.
-- Arguments: what (plain, most, all, inbox), how many. Prints the microseconds that each took, from the call that makes it to the
-- news of its end; then, of the program and of the supervisor that makes its processes, what there was before and is now.
local inbox, file, fs = require 'inbox', require 'file', require 'filesystem'
local system, time = require 'system', require 'time'
if _CONTEXT == 'worker' then
  inbox:receive():send(1)
  return
end

local what, n = system.arguments[3], tonumber(system.arguments[4])
local namespaces = {newns_user = true, newns_mount = true, newns_pid = true, newns_uts = true, newns_ipc = true}
local OPTIONS = {plain = {}, most = namespaces, all = {newns_net = true}, inbox = {sandbox = 'inbox'}}
for name in pairs(namespaces) do OPTIONS.all[name] = true end
local options = assert(OPTIONS[what])

local function read(path)
  local f = file.stream.new()
  if not pcall(f.open, f, path, {'read_only'}) then return '' end
  local parts, b = {}, byte_span.new(65536)
  while true do
    local ok, count = pcall(f.read_some, f, b)
    if not ok then break end
    parts[#parts + 1] = tostring(b:slice(1, count))
  end
  f:close()
  return table.concat(parts)
end

local function children(pid, list)
  for child in read('/proc/' .. pid .. '/task/' .. pid .. '/children'):gmatch('%d+') do
    list[#list + 1] = child
    children(child, list)
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
  local supervisor = read('/proc/thread-self/children'):match('%d+')
  local processes = children(supervisor, {})
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
    {'mounts', lines(read('/proc/self/mountinfo')) + lines(read('/proc/' .. supervisor .. '/mountinfo'))},
    {'namespaces', spaces},
    {'memory of the supervisor', tonumber(read('/proc/' .. supervisor .. '/status'):match('RssAnon:%s*(%d+)'))},
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
