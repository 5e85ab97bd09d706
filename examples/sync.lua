-- Makes one directory the same as another: copies what is new or has changed, removes what is there no more.
--
--   perilune examples/sync.lua -- FROM TO
--
-- It can be interrupted (Ctrl-C) and begun again at any time. A file is copied under another name, which then takes
-- the place of the old file, so TO never has half a file; and as a copy gets the time of its original, what has the same
-- size and time has been copied before. A fiber waits for the signal and interrupts the one that works, wherever that is.

local fs = require 'filesystem'
local generic_error = require 'generic_error'
local stream = require 'stream'
local system = require 'system'

local from, to = system.arguments[3], system.arguments[4]
if not to then
  stream.write_all(system.err, 'usage: perilune examples/sync.lua -- FROM TO\n')
  system.exit(2)
end
from, to = fs.path.new(from), fs.path.new(to)

local UNFINISHED = '.sync-unfinished'
local KEEP = {'mode', 'times', 'xattrs'}
local count = {copied = 0, removed = 0, same = 0}

-- One line for each change. Waits for whoever reads them, and may be interrupted there as anywhere.
local function report(what, path)
  count[what] = count[what] + 1
  stream.write_all(system.out, ('%s %s\n'):format(what, tostring(path)))
end

-- The type of what is there, or nil.
local function type_of(p)
  local ok, status = pcall(fs.symlink_status, p)
  if ok then return status.type end
  if status ~= generic_error.ENOENT then error(status, 0) end
end

local function clear(p)
  if fs.remove_all(p) > 0 then report('removed', p) end
end

local function sync_file(entry, target)
  local p = entry.path
  local type = type_of(target)
  if type == 'regular' and entry.file_size == fs.file_size(target)
    and entry.last_write_time == fs.last_write_time(target) then
    count.same = count.same + 1
    return
  end
  if type and type ~= 'regular' then clear(target) end
  local unfinished = target.parent_path / UNFINISHED
  fs.remove(unfinished)
  fs.copy_file(p, unfinished, {preserve = KEEP})
  fs.rename(unfinished, target)
  report('copied', p)
end

local function sync_link(entry, target)
  if type_of(target) == 'symlink' and fs.read_symlink(target) == fs.read_symlink(entry.path) then
    count.same = count.same + 1
    return
  end
  clear(target)
  fs.copy_symlink(entry.path, target)
  report('copied', entry.path)
end

local function sync_directory(source, target)
  local type = type_of(target)
  if type and type ~= 'directory' then clear(target) end
  fs.create_directory(target, source)

  local wanted, directories = {}, {}
  for entry in fs.directory_iterator(source) do
    local name = entry.path.filename
    if name ~= UNFINISHED then
      wanted[name] = true
      if entry.type == 'directory' then directories[#directories + 1] = name
      elseif entry.type == 'symlink' then sync_link(entry, target / name)
      elseif entry.type == 'regular' then sync_file(entry, target / name) end
    end
  end
  local superfluous = {}
  for entry in fs.directory_iterator(target) do
    if not wanted[entry.path.filename] then superfluous[#superfluous + 1] = entry.path end
  end
  for _, p in ipairs(superfluous) do clear(p) end
  for _, name in ipairs(directories) do sync_directory(source / name, target / name) end
end

local worker = spawn(function() sync_directory(from, to) end)

local signals = system.signal.set.new(system.signal.SIGINT, system.signal.SIGTERM)
local watcher = spawn(function()
  signals:wait()
  worker:interrupt()
end)
worker:join()
watcher:interrupt()
watcher:join()
signals:clear()

local summary = ('%d copied, %d removed, %d were the same'):format(count.copied, count.removed, count.same)
if worker.interruption_caught then
  stream.write_all(system.err, 'interrupted: ' .. summary .. '; begin again to go on\n')
  system.exit(130)
end
print(summary)
