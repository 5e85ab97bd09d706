-- How many bytes the files below a directory have, for each entry of it; the largest come last.
--
--   perilune examples/du.lua -- DIRECTORY [progress]
--
-- On a terminal (or with `progress`) a second fiber shows on the standard error stream how far it has come, ten
-- times a second: the walk through the tree gives way to it, though it is only a loop.

local fs = require 'filesystem'
local stream = require 'stream'
local system = require 'system'
local time = require 'time'

local root = fs.path.new(system.arguments[3] or '.')

local UNITS = {'B', 'KB', 'MB', 'GB', 'TB'}
local function readable(bytes)
  local i = 1
  while bytes >= 1000 and i < #UNITS do bytes, i = bytes / 1000, i + 1 end
  return (i == 1 and '%d %s' or '%.1f %s'):format(bytes, UNITS[i])
end

local files, bytes, unreadable = 0, 0, 0
local where = root

-- The size of one entry. What has gone when we look at it, or may not be looked at, counts nothing.
local function size_of(entry)
  if entry.type ~= 'regular' then return 0 end
  local ok, size = pcall(function() return entry.file_size end)
  if not ok then
    unreadable = unreadable + 1
    return 0
  end
  files, bytes = files + 1, bytes + size
  return size
end

local function measure(entry)
  local sum = size_of(entry)
  if entry.type ~= 'directory' then return sum end
  where = entry.path
  local it = fs.recursive_directory_iterator(where)
  while true do
    -- After an error the iterator goes on behind the directory that could not be read.
    local ok, below = pcall(it)
    if not ok then unreadable = unreadable + 1
    elseif below == nil then return sum
    else sum = sum + size_of(below) end
  end
end

local progress
if system.err.isatty() or system.arguments[4] == 'progress' then
  progress = spawn(function()
    scope_cleanup_push(function() stream.write_all(system.err, '\r\27[K') end)
    while true do
      local line = ('%d files, %s, in %s'):format(files, readable(bytes), tostring(where):gsub('%c', '?'))
      stream.write_all(system.err, '\r' .. line:sub(1, 79) .. '\27[K')
      time.sleep(0.1)
    end
  end)
end

local list = {}
for entry in fs.directory_iterator(root) do
  list[#list + 1] = {name = entry.path.filename, size = measure(entry)}
end

if progress then
  progress:interrupt()
  progress:join()
end

table.sort(list, function(a, b)
  if a.size ~= b.size then return a.size < b.size end
  return a.name < b.name
end)
for _, item in ipairs(list) do print(('%10s  %s'):format(readable(item.size), item.name)) end
print(('%10s  in %d files'):format(readable(bytes), files))
if unreadable > 0 then print(('%d entries could not be read'):format(unreadable)) end
