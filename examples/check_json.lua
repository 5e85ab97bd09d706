-- Are these files JSON? Each is read and parsed by a process that can do nothing else: whatever is in a file,
-- the worst that it can do is to be reported.
--
--   perilune examples/check_json.lua -- FILE...
local inbox = require 'inbox'
local file = require 'file'
local fs = require 'filesystem'

if _CONTEXT == 'worker' then
  -- In the sandbox. All that works here is what comes in the message.
  local json = require 'json'
  local order = inbox:receive()
  local f = file.stream.new(order.file)
  local parts, buffer = {}, byte_span.new(65536)
  while true do
    local ok, n = pcall(f.read_some, f, buffer)
    if not ok then break end
    parts[#parts + 1] = tostring(buffer:slice(1, n))
  end
  local ok, value = pcall(json.decode, table.concat(parts))
  local verdict
  if not ok then verdict = 'no JSON: ' .. tostring(value)
  elseif type(value) ~= 'table' then verdict = 'a ' .. type(value)
  elseif #value > 0 then verdict = 'an array of ' .. #value
  else
    local n = 0
    for _ in pairs(value) do n = n + 1 end
    verdict = 'an object with ' .. n .. ' members'
  end
  order.reply:send(verdict:sub(1, 200))
  return
end

local function check(name)
  local f = file.stream.new()
  f:open(fs.path.new(name), {'read_only'})
  local fd = f:release()
  local child = spawn_vm{
    module = '.',
    subprocess = {sandbox = 'inbox', limits = {memory = 256 * 2^20, cpu = 10}},
  }
  child:monitor()
  child:send{file = fd, reply = inbox}
  fd:close()
  local verdict
  repeat
    local m = inbox:receive()
    if type(m) == 'table' then
      verdict = verdict or ('not read to its end: ' .. tostring(m.reason))
      child:close()
      return verdict
    end
    verdict = tostring(m):gsub('%c', '?') -- it came from there
  until false
end

local arguments = require('system').arguments
if #arguments < 3 then
  print('usage: check_json.lua -- FILE...')
  require('system').exit(2)
end
for i = 3, #arguments do
  local ok, verdict = pcall(check, arguments[i])
  print(arguments[i] .. ': ' .. tostring(verdict))
end
