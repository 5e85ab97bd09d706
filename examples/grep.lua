-- Finds lines in all files below a directory, as `grep -r` does.
--
--   perilune examples/grep.lua -- PATTERN [DIRECTORY]
--
-- One fiber walks through the tree and puts files into a channel, from which a few others take them: while one
-- waits for the disk the next one searches. The pattern is a regular expression (ECMAScript's). The exit code is 0 if there was a
-- match, 1 if there was none, 2 if something could not be read.

local channel = require 'channel'
local file = require 'file'
local fs = require 'filesystem'
local regex = require 'regex'
local stream = require 'stream'
local system = require 'system'
local eof = require('asio_error').misc.eof

local pattern = regex.new {pattern = system.arguments[3] or '', grammar = 'ecma', nosubs = true}
local root = fs.path.new(system.arguments[4] or '.')
local READERS = 8
local LONGEST_LINE = 2^20

local found, failed = false, false

local function complain(path, e)
  failed = true
  stream.write_all(system.err, ('%s: %s\n'):format(tostring(path), tostring(e)))
end

-- The lines of a file that match. Nothing of a file that has a NUL in its first lines: it is no text.
local function search(path)
  local f = file.stream.new()
  scope_cleanup_push(function() f:close() end)
  f:open(path, {'read_only'})
  local scanner = stream.scanner.new {stream = f, buffer_size_hint = 65536, max_record_size = LONGEST_LINE}
  local matches = {}
  local ok, e = pcall(function()
    while true do
      local line = tostring(scanner:get_line())
      if scanner.record_number <= 10 and line:find('\0', 1, true) then return end
      if not regex.search(pattern, line).empty then
        matches[#matches + 1] = ('%s:%d:%s'):format(tostring(path), scanner.record_number, line)
      end
    end
  end)
  if not ok and e ~= eof then error(e, 0) end
  return matches
end

local paths = channel.new(READERS)

local function read_files()
  for path in paths:values() do
    local ok, matches = pcall(search, path)
    if not ok then complain(path, matches)
    elseif matches and #matches > 0 then
      found = true
      print(table.concat(matches, '\n')) -- those of a file stay together
    end
  end
end

local readers = {}
for i = 1, READERS do readers[i] = spawn(read_files) end

local next_entry = fs.recursive_directory_iterator(root)
while true do
  local ok, entry = pcall(next_entry)
  if not ok then complain(entry.path1, entry)
  elseif entry == nil then break
  elseif entry.type == 'regular' then paths:send(entry.path) end
end
paths:close()
for _, reader in ipairs(readers) do reader:join() end

system.exit(failed and 2 or found and 0 or 1)
