/** Names of FreeBSD's where it isn't: arguments are checked, and then it is ENOSYS. */
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { type SpecOptions, spec } from '../support/spec.ts';

const isHere = process.platform !== 'freebsd' && nativeFailure() === undefined;
if (isHere) await openReactor();

function elsewhere(name: string, source: string, expected: string, options?: SpecOptions): void {
  if (isHere) spec(name, source, expected, options);
}

const SETUP = `
  local system, pipe, generic_error = require 'system', require 'pipe', require 'generic_error'
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  local function descriptor()
    local r, w = pipe.pair()
    w:close()
    return r:release()
  end
`;

elsewhere(
  'jails and the standard streams',
  `${SETUP}
  for _, call in ipairs{
    function() system.jail_set{name = 'w', path = '/', persist = true, ['allow.mount'] = false} end,
    function() system.jail_set({jid = '3'}, {'create', 'update', 'dying'}) end,
    function() system.jail_set({}) end,
    function() system.jail_get({'name', 'ip4.addr', jid = '3'}, {'dying'}) end,
    function() system.jail_get{lastjid = '0'} end,
    function() system.jail_remove(3) end,
    function() system.jailparam_all() end,
    function() system.caph_limit_stdio() end,
  } do
    local ok, e = pcall(call)
    assert(not ok and e == generic_error.ENOSYS and e.arg == nil)
  end
  print(tostring(generic_error.ENOSYS))
`,
  'Function not implemented\n',
);

elsewhere(
  'arguments of jails',
  `${SETUP}
  local set, get, remove = system.jail_set, system.jail_get, system.jail_remove
  print(fails(set))
  print(fails(set, 'name'))
  print(fails(set, {name = 1}))
  print(fails(set, {name = {}}))
  print(fails(set, {'name'}))
  print(fails(set, {[true] = 'x'}))
  print(fails(set, {['na\\0me'] = 'x'}))
  print(fails(set, {name = 'a\\0b'}))
  print(fails(set, {}, 'create'))
  print(fails(set, {}, {'attach'}))
  print(fails(set, {}, {1}))
  print(fails(get))
  print(fails(get, {1}))
  print(fails(get, {'a\\0b'}))
  print(fails(get, {jid = 3}))
  print(fails(get, {path = '/'}))
  print(fails(get, {}, {'create'}))
  print(fails(get, {}, 1))
  print(fails(remove, 2^31))
  print(fails(remove))
`,
  `${'Invalid argument\t1\n'.repeat(8)}${'Invalid argument\t2\n'.repeat(3)}${'Invalid argument\t1\n'.repeat(5)}${'Invalid argument\t2\n'.repeat(2)}Invalid argument\t1
bad argument #1 to 'jail_remove' (number expected, got no value)
`,
);

elsewhere(
  'rights of descriptors',
  `${SETUP}
  local fd = descriptor()
  local names = {'read', 'mmap_rwx', 'cap_extattr_get', 'kqueue'}
  print(fails(fd.cap_rights_limit, fd, names))
  print(fails(fd.cap_rights_contains, fd, {}))
  print(fails(fd.cap_rights_remove, fd, names))
  print(fails(fd.cap_ioctls_limit, fd, {1, 0x40087468}))
  print(fails(fd.cap_ioctls_get, fd))
  print(fails(fd.cap_fcntls_limit, fd, {'getfl', 'setfl', 'getown', 'setown'}))
  print(fails(fd.cap_fcntls_get, fd))
  for _, name in ipairs{'cap_rights_limit', 'cap_rights_contains', 'cap_rights_remove'} do
    for _, list in ipairs{{'raed'}, {'read', 1}, {'constructor'}, {'cap_read'}} do
      local text, arg = fails(fd[name], fd, list)
      assert(text == 'Invalid argument' and arg == 2)
    end
    print(fails(fd[name], fd, 'read'))
  end
  print(fails(fd.cap_ioctls_limit, fd, {'1'}))
  print(fails(fd.cap_ioctls_limit, fd, {-1}))
  print(fails(fd.cap_ioctls_limit, fd, {1.5}))
  print(fails(fd.cap_ioctls_limit, fd))
  print(fails(fd.cap_fcntls_limit, fd, {'getlk'}))
  print(fails(fd.cap_fcntls_limit, fd, 'getfl'))
  local limit = fd.cap_rights_limit
  fd:close()
  print(fails(limit, fd, {'raed'}))
  print(fails(limit, 1, {'read'}))
`,
  `${'Function not implemented\tnil\n'.repeat(7)}bad argument #2 to 'cap_rights_limit' (table expected, got string)
bad argument #2 to 'cap_rights_contains' (table expected, got string)
bad argument #2 to 'cap_rights_remove' (table expected, got string)
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
bad argument #2 to 'cap_ioctls_limit' (table expected, got no value)
Invalid argument\t2
bad argument #2 to 'cap_fcntls_limit' (table expected, got string)
Device or resource busy\tnil
Invalid argument\t1
`,
);

elsewhere(
  'process descriptors of programs and actors: nothing is started',
  `${SETUP}
  local fd, closed = descriptor(), descriptor()
  closed:close()
  for _, v in ipairs{true, 1, 'x'} do
    print(fails(system.spawn, {program = 'true', pd_daemon = v}))
    print(fails(spawn_vm, {module = './w', subprocess = {pd_daemon = v}}))
  end
  for _, v in ipairs{{}, {fd}, {fd, 1}, {closed}, true} do
    print(fails(spawn_vm, {module = './w', subprocess = {ld_library_directories = v}}))
  end
  assert(fd.type == 'fifo')
  local p = system.spawn{program = 'true', pd_daemon = false}
  p:wait()
  print(p.exit_code)
`,
  `Operation not supported\tpd_daemon
Operation not supported\tsubprocess/pd_daemon
Invalid argument\tpd_daemon
Invalid argument\tsubprocess/pd_daemon
Invalid argument\tpd_daemon
Invalid argument\tsubprocess/pd_daemon
Operation not supported\tsubprocess/ld_library_directories
Operation not supported\tsubprocess/ld_library_directories
Invalid argument\tsubprocess/ld_library_directories
Device or resource busy\tsubprocess/ld_library_directories
Invalid argument\tsubprocess/ld_library_directories
0
`,
  { files: { 'w.lua': '' } },
);

elsewhere(
  'only the master limits the standard streams',
  `
  local inbox = require 'inbox'
  if _CONTEXT == 'main' then
    spawn_vm('.'):send(inbox)
    print(inbox:receive())
  else
    local to = inbox:receive()
    local ok, e = pcall(require('system').caph_limit_stdio)
    to:send(tostring(e))
  end
`,
  'Operation not permitted\n',
);
