-- Width and height of the images in a directory: PNG, GIF and JPEG. Programs that read images have a history of holes; this one reads
-- them in a process that can open what is beneath the directory, to read, and nothing else.
--
--   perilune examples/image_sizes.lua -- DIR
--
-- All images are in one sandbox, which could lie about one after it has read another. examples/check_json.lua has one for each file.

local inbox = require 'inbox'
local fs = require 'filesystem'

if _CONTEXT == 'worker' then
  local file = require 'file'
  local order = inbox:receive()

  local function number(s, at, bytes, little)
    local n = 0
    for i = 0, bytes - 1 do n = n * 256 + s:byte(little and at + bytes - 1 - i or at + i) end
    return n
  end

  local function jpeg(s)
    local at = 3
    while s:byte(at) == 0xff do
      local kind = s:byte(at + 1)
      -- Start of a frame: all but tables, which are between them.
      if kind >= 0xc0 and kind <= 0xcf and kind ~= 0xc4 and kind ~= 0xc8 and kind ~= 0xcc then
        return number(s, at + 7, 2), number(s, at + 5, 2)
      end
      at = at + 2 + number(s, at + 2, 2)
    end
  end

  local function size(s)
    if s:sub(1, 8) == '\137PNG\r\n\026\n' then return number(s, 17, 4), number(s, 21, 4) end
    if s:sub(1, 4) == 'GIF8' then return number(s, 7, 2, true), number(s, 9, 2, true) end
    if s:sub(1, 2) == '\255\216' then return jpeg(s) end
  end

  local buffer = byte_span.new(256 * 1024)
  for name, kind in order.dir:list() do
    if kind == 'regular' then
      local ok, width, height = pcall(function()
        local f = file.stream.new(order.dir:openat(name, {'read_only'}))
        local n = f:read_some(buffer)
        f:close()
        return size(tostring(buffer:first(n)))
      end)
      order.reply:send{name = name:sub(1, 250), width = ok and width or nil, height = ok and height or nil}
    end
  end
  order.reply:send 'end'
  return
end

local system = require 'system'
local dir = system.arguments[3]
if not dir then
  print 'usage: image_sizes.lua -- DIR'
  system.exit(2)
end
local child = spawn_vm{module = '.', subprocess = {sandbox = 'inbox', limits = {memory = 128 * 2^20, cpu = 60}}}
child:monitor()
local fd = fs.open(fs.path.new(dir), {'directory', 'read_only'})
child:send{dir = fd, reply = inbox} -- it arrives as a handle
fd:close()
local lines = {}
while true do
  local m = inbox:receive()
  if m == 'end' then break end
  -- It comes from the sandbox: anything may be in it.
  if type(m) ~= 'table' or type(m.name) ~= 'string' then
    print 'the process has ended before it was done'
    break
  end
  local is_size = type(m.width) == 'number' and type(m.height) == 'number'
  lines[#lines + 1] = m.name:gsub('%c', '?') .. ': ' .. (is_size and ('%d x %d'):format(m.width, m.height) or 'no image')
end
child:close()
table.sort(lines)
for _, line in ipairs(lines) do print(line) end
