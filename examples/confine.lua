-- Runs a program that nobody knows: it sees the machine's files and can't change them, has no network, no other processes and no
-- way to more rights. What it writes goes to /tmp, which is memory, and is gone afterwards.
--
--   perilune examples/confine.lua -- ls -l /
--
-- It needs no privileges, but a kernel that lets users make namespaces. It reads what the user may read (for root: what nobody in
-- particular may read): to hide files, give it a root of its own, as examples/container.lua does.

local inbox = require 'inbox'
local system = require 'system'
local seccomp = require 'seccomp'
local unix = require 'unix'
local file = require 'file'
local fs = require 'filesystem'

local INSIDE = 1000 -- its user, as it sees it
local arguments = {unpack(system.arguments, 3)}
if #arguments == 0 then
  print 'usage: confine.lua -- PROGRAM [ARGUMENT...]'
  system.exit(2)
end

-- Calls that programs have no use for, and holes of kernels often had.
local NEW_USER_NAMESPACE = 0x10000000
local filter = seccomp.new('allow')
filter:deny{
  'mount', 'umount2', 'pivot_root', 'chroot', 'move_mount', 'open_tree', 'fsopen', 'fsmount', 'fspick', 'mount_setattr', 'setns', 'unshare',
  'ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd', 'bpf', 'perf_event_open', 'userfaultfd',
  'io_uring_setup', 'io_uring_enter', 'io_uring_register', 'keyctl', 'add_key', 'request_key', 'open_by_handle_at',
  'init_module', 'finit_module', 'delete_module', 'kexec_load', 'kexec_file_load', 'reboot', 'swapon', 'swapoff',
}
filter:deny('clone', {arg = 1, mask = NEW_USER_NAMESPACE, ne = 0})
filter:errno('ENOSYS', 'clone3') -- its flags can't be seen: the C library takes clone then

local function quoted(list)
  local texts = {}
  for i, text in ipairs(list) do texts[i] = ('%q'):format(text) end
  return '{' .. table.concat(texts, ', ') .. '}'
end

-- What the process does before it becomes the program.
local SCRIPT = [[
  if C.read(arg, 1) ~= 'x' then os.exit(1) end -- its users have been written
  C.setresgid(USER, USER, USER)
  C.setresuid(USER, USER, USER)
  C.mount(nil, '/', nil, bit.bor(C.MS_REC, C.MS_PRIVATE), nil)
  C.mount_setattr(C.AT_FDCWD, '/', C.AT_RECURSIVE, {attr_set = bit.bor(C.MOUNT_ATTR_RDONLY, C.MOUNT_ATTR_NOSUID)})
  C.mount('tmpfs', '/tmp', 'tmpfs', bit.bor(C.MS_NOSUID, C.MS_NODEV), 'size=64m,mode=1777')
  errexit = false
  -- Its own processes only; where the kernel refuses that, none.
  if C.mount('proc', '/proc', 'proc', bit.bor(C.MS_NOSUID, C.MS_NODEV, C.MS_NOEXEC), nil) < 0 then
    errexit = true
    C.mount('tmpfs', '/proc', 'tmpfs', C.MS_RDONLY, nil)
  end
  errexit = true
  C.chdir('/tmp')
  C.cap_set_proc('=')
  set_no_new_privs()
  C.seccomp_set_mode_filter(FILTER)
  errexit = false
  local arguments = ARGUMENTS
  for directory in ('/usr/local/bin:/usr/bin:/bin'):gmatch('[^:]+') do
    local path = arguments[1]
    if not path:find('/', 1, true) then path = directory .. '/' .. path end
    C.execve(path, arguments, {PATH = '/usr/local/bin:/usr/bin:/bin', HOME = '/tmp', LANG = 'C.UTF-8'})
  end
  C.write(2, arguments[1] .. ': not found, or no program\n')
  os.exit(127)
]]
SCRIPT = SCRIPT:gsub('USER', tostring(INSIDE))
  :gsub('FILTER', function() return ('%q'):format(tostring(filter:compile())) end)
  :gsub('ARGUMENTS', function() return quoted(arguments) end)

local near, far = unix.seqpacket.socket.pair()
far = far:release()
local program = spawn_vm{
  module = '.', -- which never begins
  subprocess = {
    newns_user = true, newns_mount = true, newns_pid = true, newns_net = true, newns_ipc = true, newns_uts = true,
    stdin = 'share', stdout = 'share', stderr = 'share',
    init = {script = SCRIPT, arg = far},
  },
}
far:close()

local function write(name, text)
  local f = file.stream.new()
  f:open(fs.path.new('/proc/' .. program.child_pid .. '/' .. name), {'write_only'})
  f:write_some(byte_span.append(text))
  f:close()
end
local uid, gid = (system.getresuid()), (system.getresgid())
if uid == 0 then uid, gid = 65534, 65534 else write('setgroups', 'deny') end
write('uid_map', ('%d %d 1'):format(INSIDE, uid))
write('gid_map', ('%d %d 1'):format(INSIDE, gid))

program:monitor()
near:send(byte_span.append 'x')
local reason = inbox:receive().reason
system.exit(reason == nil and 0 or tonumber(reason:match '^exit status (%d+)') or 1)
