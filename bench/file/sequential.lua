-- Reads a file from its begin to its end, or writes one of so many megabytes, in blocks of 64 KB.
--   sequential.lua -- read FILE | write FILE MEGABYTES
local file, stream, system = require 'file', require 'stream', require 'system'
local path = require 'filesystem'.path.new
local what, name, megabytes = unpack(system.arguments, 3)

local f, block = file.stream.new(), byte_span.new(65536)
if what == 'read' then
  f:open(path(name), {'read_only'})
  local total = 0
  pcall(function() while true do total = total + f:read_some(block) end end)
  print(total / 2^20)
else
  f:open(path(name), {'create', 'truncate', 'write_only'})
  for i = 1, megabytes * 16 do stream.write_all(f, block) end
  print(f.size / 2^20)
end
