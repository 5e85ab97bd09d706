-- Runs a program that finds the files of a tar archive, and none of the user's: nothing is unpacked, and the program knows nothing of it.
--
--   perilune examples/run_in_archive.lua -- notes.tar cat /notes/monday.txt
--
-- Landlock keeps it from all other files but those that programs are made of. What it asks the C library for, this program answers;
-- one that makes system calls by itself finds nothing of the archive.

local libc_service = require 'libc_service'
local system = require 'system'
local stream = require 'stream'
local pipe = require 'pipe'
local file = require 'file'
local fs = require 'filesystem'
local e = require 'generic_error'

local archive, program = system.arguments[3], system.arguments[4]
if not program then
  print 'usage: run_in_archive.lua -- ARCHIVE PROGRAM [ARGUMENT...]'
  system.exit(2)
end

-- tar(5): blocks of 512 bytes, a header before each file.
local files = {}
do
  local input = file.stream.new()
  input:open(fs.path.new(archive), {'read_only'})
  local header = byte_span.new(512)
  while pcall(stream.read_all, input, header) do
    local text = tostring(header)
    local name, type = text:sub(1, 100):match '^%Z*', text:sub(157, 157)
    local function octal(at) return tonumber(text:match('^[0-7]+', at) or '', 8) end
    local mode, size = octal(101), octal(125)
    if name == '' or not size then break end
    local prefix = text:sub(346, 500):match '^%Z*'
    if prefix ~= '' then name = prefix .. '/' .. name end
    local content = byte_span.new(math.ceil(size / 512) * 512)
    if size > 0 then stream.read_all(input, content) end
    files['/' .. name:gsub('^%./', ''):gsub('/$', '')] = {
      type = type == '5' and 'directory' or 'regular', mode = mode, size = size, content = content:first(size),
    }
  end
  input:close()
end

-- What programs and their libraries are made of may be read, and nothing else be done with files.
local READ = {'execute', 'read_file', 'read_dir'}
local rules = system.landlock_create_ruleset{handled_access_fs = {
  'execute', 'write_file', 'read_file', 'read_dir', 'remove_dir', 'remove_file', 'make_char', 'make_dir', 'make_reg', 'make_sock',
  'make_fifo', 'make_block', 'make_sym',
}}
local library = fs.path.new(libc_service.preload_library)
for _, place in ipairs{'/usr', '/bin', '/lib', '/lib64', tostring(library.parent_path)} do
  local ok, fd = pcall(fs.open, fs.path.new(place), {'path', 'directory'})
  if ok then
    system.landlock_add_rule(rules, 'path_beneath', {allowed_access = READ, parent_fd = fd})
    fd:close()
  end
end

local master, slave = libc_service.new()
local child = system.spawn{
  program = program, arguments = {unpack(system.arguments, 4)},
  environment = {PATH = '/usr/bin:/bin', LD_PRELOAD = tostring(library), LC_ALL = 'C'},
  stdin = 'share', stdout = 'share', stderr = 'share', extra_fds = {[9] = slave},
  set_no_new_privs = true, landlock_restrict_self = rules,
}

local function open(found, flags)
  for _, flag in ipairs(flags) do
    if flag ~= 'read_only' then return master:send(-1, found.type == 'directory' and e.EACCES or e.EROFS) end
  end
  local near, far = pipe.pair()
  spawn(function()
    pcall(stream.write_all, far, found.content) -- the program may have read enough
    far:close()
  end):detach()
  local fd = near:release()
  master:send_with_fds(0, {fd})
  fd:close()
end

while pcall(master.receive, master) do
  local call, path, more = master.function_, master:arguments()
  local found = files[tostring(path)]
  if not found then master:use_slave_credentials() -- what Landlock lets it see
  elseif call == 'open' then open(found, more)
  elseif call == 'stat' or call == 'lstat' then
    master:send{type = found.type, mode = found.mode, size = found.size, nlink = 1}
  else master:send(-1, e.EROFS) end
end
child:wait()
system.exit(child.exit_code)
