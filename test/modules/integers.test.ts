/** Numbers that a function can't take are refused, and never taken for others: modulo 2^32, or as 0 for NaN. */
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';

const isThere = nativeFailure() === undefined;
if (isThere) {
  await openReactor();
  // The supervisor, and its socket, come with the first one.
  await runLua(`spawn_vm{module = './w', subprocess = {}}`, { files: { 'w.lua': '' } });
}

function table(name: string, source: string, expected: string, options: SpecOptions = {}): void {
  if (isThere) spec(name, `${TABLE}${source}`, expected, options);
}

/**
 * `int(name, good, error, f, …)`: of a C `int`; `wide`: of 64 bits; `bits`: of which some bits count. Each calls `f` with
 * numbers that are none, and prints what doesn't raise `error`, which is the name of an error and the position.
 */
const TABLE = `
  local generic_error = require 'generic_error'
  local NAN, INF = 0 / 0, 1 / 0
  local function check(name, numbers, error, f)
    local wanted, position = error:match '^(%u+)@?(.*)$'
    local code = generic_error[wanted].code
    for _, n in ipairs(numbers) do
      local ok, e = pcall(f, n)
      local is = not ok and type(e) == 'table' and e.code == code and tostring(e.arg or '') == position
      if not is then print(name, n, ok and 'taken' or e, type(e) == 'table' and e.arg or nil) end
    end
  end
  local function int(name, good, error, f)
    check(name, {NAN, INF, -INF, 2^32 + good, -2^32 + good, 2^53, 2^63, 2^64, -2^64}, error, f)
  end
  local function wide(name, error, f) check(name, {NAN, INF, -INF, 2^63, 2^64, -2^63, -2^64}, error, f) end
  local function bits(name, error, f) check(name, {NAN, INF, -INF, 2^53, -2^53, 2^64}, error, f) end
  local function natural(name, good, error, f)
    int(name, good, error, f)
    check(name, {-1, -2^31}, error, f)
  end
`;

table(
  'integers of ip and unix',
  `
  local ip, unix, fs = require 'ip', require 'unix', require 'filesystem'
  local loopback, byte = ip.address.loopback_v4(), byte_span.append 'x'
  local a, s, u = ip.tcp.acceptor.new(), ip.tcp.socket.new(), ip.udp.socket.new()
  for _, one in ipairs{a, s, u} do one:open('v4') end
  u:bind(loopback, 0)
  local near, far = unix.datagram.socket.pair()
  local stream, other = unix.stream.socket.pair()
  local acceptor = unix.stream.acceptor.new()
  acceptor:open()

  int('acceptor:listen', 5, 'EINVAL@2', function(n) a:listen(n) end)
  int('unix acceptor:listen', 5, 'EINVAL@2', function(n) acceptor:listen(n) end)
  for _, option in ipairs{'send_buffer_size', 'receive_buffer_size', 'receive_low_watermark', 'send_low_watermark'} do
    int('tcp ' .. option, 4096, 'EINVAL@3', function(n) s:set_option(option, n) end)
    int('unix ' .. option, 4096, 'EINVAL@3', function(n) stream:set_option(option, n) end)
  end
  for _, option in ipairs{'send_buffer_size', 'receive_buffer_size'} do
    int('udp ' .. option, 4096, 'EINVAL@3', function(n) u:set_option(option, n) end)
  end
  int('linger', 5, 'EINVAL@4', function(n) s:set_option('linger', true, n) end)
  int('unicast_hops', 5, 'EINVAL@3', function(n) u:set_option('unicast_hops', n) end)
  natural('multicast_hops', 5, 'ERANGE@3', function(n) u:set_option('multicast_hops', n) end)
  natural('scope_id', 1, 'EINVAL@3', function(n) ip.address.loopback_v6().scope_id = n end)

  int('tcp receive flags', 0, 'EINVAL@3', function(n) s:receive(byte, n) end)
  int('tcp send flags', 0, 'EINVAL@3', function(n) s:send(byte, n) end)
  int('udp receive flags', 0, 'EINVAL@3', function(n) u:receive(byte, n) end)
  int('udp receive_from flags', 0, 'EINVAL@3', function(n) u:receive_from(byte, n) end)
  int('udp send flags', 0, 'EINVAL@3', function(n) u:send(byte, n) end)
  int('udp send_to flags', 0, 'EINVAL@5', function(n) u:send_to(byte, loopback, u.local_port, n) end)
  int('unix receive flags', 0, 'EINVAL@3', function(n) near:receive(byte, n) end)
  int('unix send flags', 0, 'EINVAL@3', function(n) near:send(byte, n) end)
  for _, which in ipairs{'get_address_info', 'get_address_v4_info', 'get_address_v6_info'} do
    int(which, 0, 'EINVAL@3', function(n) ip.tcp[which]('127.0.0.1', '80', n) end)
  end
  bits('unix listen mode', 'EINVAL@2', function(n) unix.stream.listen(tostring(_FILE.parent_path / 's'), n) end)
  check('receive_with_fds', {NAN, -INF, 0, -1, -2^64}, 'EINVAL@3', function(n) near:receive_with_fds(byte, n) end)

  -- Ports are any numbers, of which 16 bits count.
  local ports = {80, 2^16 + 80, 2^32 + 80, -2^16 + 80, 80.9, NAN, INF}
  for i, n in ipairs(ports) do ports[i] = ip.tostring(loopback, n):sub(11) end
  print(unpack(ports))
  print(a.is_open, a.local_port, acceptor.is_open, fs.exists(_FILE.parent_path / 's'))
  for _, one in ipairs{a, s, u, near, far, stream, other, acceptor} do one:close() end
`,
  '80\t80\t80\t80\t80\t0\t0\ntrue\t0\ttrue\tfalse\n',
);

table(
  'integers of filesystem and file, and of streams',
  `
  local fs, file, stream = require 'filesystem', require 'file', require 'stream'
  local p, new = _FILE.parent_path / 'f', _FILE.parent_path / 'new'
  local dir = fs.open(_FILE.parent_path, {'directory', 'read_only'})
  local f, s = file.random_access.new(), file.stream.new()
  f:open(p, {'create', 'read_write'})
  s:open(p, {'read_write'})
  f:resize(3)
  fs.chmod(p, 420)

  for _, name in ipairs{'mkdir', 'mkfifo'} do
    natural(name, 384, 'EINVAL@2', function(n) fs[name](new, n) end)
  end
  natural('mknod mode', 384, 'EINVAL@2', function(n) fs.mknod(new, n, 0) end)
  check('mknod device', {NAN, INF, -1, 2^64}, 'EINVAL@3', function(n) fs.mknod(new, 384, n, 'character') end)
  natural('makedev major', 1, 'EINVAL@1', function(n) fs.makedev(n, 0) end)
  natural('makedev minor', 1, 'EINVAL@2', function(n) fs.makedev(0, n) end)
  check('dev_major', {NAN, INF, -1, 2^64}, 'EINVAL@1', fs.dev_major)
  check('dev_minor', {NAN, INF, -1, 2^64}, 'EINVAL@1', fs.dev_minor)
  natural('chmod', 0, 'EINVAL@2', function(n) fs.chmod(p, n) end)
  natural('lchmod', 0, 'EINVAL@2', function(n) fs.lchmod(p, n) end)
  for _, name in ipairs{'chown', 'lchown'} do
    int(name, 0, 'EINVAL@2', function(n) fs[name](p, n, -1) end)
    int(name, 0, 'EINVAL@3', function(n) fs[name](p, -1, n) end)
    check(name, {-2, -2^31}, 'EINVAL@2', function(n) fs[name](p, n, -1) end)
  end
  for i = 1, 3 do
    natural('mode', 7, 'EINVAL@' .. i, function(n) fs.mode(i == 1 and n or 0, i == 2 and n or 0, i == 3 and n or 0) end)
  end
  bits('umask', 'EINVAL@1', fs.umask)
  natural('open', 384, 'EINVAL@3', function(n) fs.open(new, {'create', 'write_only'}, n) end)
  natural('openat', 384, 'EINVAL@4', function(n) dir:openat(fs.path.new 'new', {'create', 'write_only'}, n) end)
  wide('resize_file', 'EINVAL@2', function(n) fs.resize_file(p, n) end)
  check('resize_file', {-1}, 'EINVAL', function(n) fs.resize_file(p, n) end)

  wide('resize', 'EINVAL@2', function(n) f:resize(n) end)
  check('resize', {-1}, 'EINVAL', function(n) f:resize(n) end)
  wide('seek', 'EINVAL@2', function(n) s:seek(n, 'set') end)
  local buf = byte_span.new(2)
  wide('read_some_at', 'EINVAL@2', function(n) f:read_some_at(n, buf) end)
  wide('write_some_at', 'EINVAL@2', function(n) f:write_some_at(n, buf) end)
  for _, name in ipairs{'read_some_at', 'write_some_at'} do check(name, {-1, -2^53}, 'EINVAL', function(n) f[name](f, n, buf) end) end
  for _, name in ipairs{'read_all_at', 'write_all_at'} do wide(name, 'EINVAL@2', function(n) file[name](f, n, buf) end) end
  for _, name in ipairs{'read_at_least_at', 'write_at_least_at'} do
    wide(name, 'EINVAL@2', function(n) file[name](f, n, buf, 1) end)
    check(name, {NAN, -INF, -1, -2^64}, 'EINVAL@4', function(n) file[name](f, 0, buf, n) end)
  end
  for _, name in ipairs{'read_at_least', 'write_at_least'} do
    check(name, {NAN, -INF, -1, -2^64}, 'EINVAL@3', function(n) stream[name](s, buf, n) end)
  end

  -- A minimum is cut to an integer: what gives a byte at a time is asked once for 1.5.
  local asked = 0
  print(stream.read_at_least({read_some = function() asked = asked + 1 return 1 end}, buf, 1.5), asked, file.read_at_least_at(f, 0, buf, 2^64))
  print(fs.file_size(p), fs.status(p).mode, fs.exists(new), s:seek(0, 'cur'))
  f:close() s:close() dir:close()
`,
  '1\t1\t2\n3\t420\tfalse\t0\n',
);

table(
  'integers of system, terminals, tls and actors',
  `
  local system, tls, serial_port = require 'system', require 'tls', require 'serial_port'
  local pid = system.getpid()
  int('getpgid', 0, 'EINVAL@1', system.getpgid)
  int('getsid', 0, 'EINVAL@1', system.getsid)
  int('setpgid', 2^31 - 1, 'EINVAL@1', function(n) system.setpgid(n, 0) end)
  int('setpgid', 0, 'EINVAL@2', function(n) system.setpgid(2^31 - 1, n) end)
  int('kill', pid, 'EINVAL@1', function(n) system.kill(n, 0) end)
  int('kill', 0, 'EINVAL@2', function(n) system.kill(pid, n) end)
  for _, name in ipairs{'setresuid', 'setresgid'} do
    for i = 1, 3 do
      int(name, 0, 'EINVAL@' .. i, function(n) system[name](i == 1 and n or -1, i == 2 and n or -1, i == 3 and n or -1) end)
    end
  end
  natural('setgroups', 0, 'EINVAL@1', function(n) system.setgroups{n} end)
  int('cap_set_secbits', 0, 'EINVAL@1', system.cap_set_secbits)
  int('jail_remove', 1, 'EINVAL@1', system.jail_remove)
  bits('exit', 'EINVAL@1', system.exit)
  bits('exit', 'EINVAL@1', function(n) system.exit(n, {force = 2}) end)

  natural('default', 18, 'EINVAL', system.signal.default)
  natural('ignore', 18, 'EINVAL', system.signal.ignore)
  natural('set.new', 18, 'EINVAL@1', system.signal.set.new)
  local set = system.signal.set.new(18)
  natural('set:add', 18, 'EINVAL@2', function(n) set:add(n) end)
  for _, n in ipairs{NAN, INF, 2^32 + 18, -1} do
    set:remove(n) -- which isn't in it
    local ok, e = pcall(system.signal.raise, n)
    if ok or e.ret == nil then print('raise', n, e) end
  end
  system.signal.raise(18)
  print(set:wait())

  for _, option in ipairs{'process_group', 'ruid', 'euid', 'rgid', 'egid', 'umask', 'pdeathsig', 'signal_on_gcreaper'} do
    natural(option, 0, 'EINVAL@' .. option, function(n) system.spawn{program = 'true', [option] = n} end)
  end
  check('extra_groups', {NAN, INF, -1, 2^32}, 'EINVAL@extra_groups', function(n) system.spawn{program = 'true', extra_groups = {n}} end)
  natural('priority', 1, 'EINVAL@scheduler.priority', function(n)
    system.spawn{program = 'true', scheduler = {policy = 'fifo', priority = n}}
  end)
  check('rlimits', {NAN, -1, -INF}, 'EINVAL@rlimits.nofile', function(n) system.spawn{program = 'true', rlimits = {nofile = n}} end)
  local child = system.spawn{program = 'sleep', arguments = {'sleep', '1000'}}
  int('subprocess:kill', 9, 'EINVAL@2', function(n) child:kill(n) end)
  child:kill(9)
  child:wait()

  local port, slave = serial_port.ptypair()
  int('tcsetpgrp', 0, 'EINVAL@2', function(n) port:tcsetpgrp(n) end)
  int('out:tcsetpgrp', 0, 'EINVAL@2', function(n) system.out:tcsetpgrp(n) end)
  natural('set_window_size', 1, 'EINVAL@2', function(n) port:set_window_size(n, 1) end)
  natural('set_window_size', 1, 'EINVAL@3', function(n) port:set_window_size(1, n) end)
  natural('baud_rate', 9600, 'EINVAL', function(n) port.baud_rate = n end)
  natural('character_size', 8, 'ERANGE@3', function(n) port.character_size = n end)
  print(port.baud_rate, port.character_size)
  port:close() slave:close()

  int('set_verify_depth', 1, 'EINVAL@2', function(n) tls.context.new('tls'):set_verify_depth(n) end)
  check('spawn_context_threads', {NAN}, 'EINVAL@1', spawn_context_threads)
`,
  '18\n38400\t8\n',
);

table(
  'channel:kill takes no other signal than the one it is told',
  `
  local child = spawn_vm{module = './w', subprocess = {}}
  int('channel:kill', 9, 'EINVAL@2', function(n) child:kill(n) end)
  check('channel:kill', {1.5}, 'EINVAL@2', function(n) child:kill(n) end)
  print(child.child_pid > 0)
  child:kill()
`,
  'true\n',
  { files: { 'w.lua': "require('inbox'):receive()" }, once: true },
);

table(
  'positions, sizes and bytes of byte_span, and durations',
  `
  local time, fs, timeout = require 'time', require 'filesystem', require 'timeout'
  local b = byte_span.append 'abcd'
  check('new', {NAN, -1, -INF}, 'EINVAL@1', byte_span.new)
  check('new', {INF, 2^31, 2^53, 2^64}, 'ENOMEM', byte_span.new)
  check('new', {NAN, -1, 0}, 'EINVAL@2', function(n) byte_span.new(1, n) end)
  for _, name in ipairs{'slice', 'sub', 'first', 'last', 'fill', 'set_u32be', 'set_i48le'} do
    local of = name == 'set_i48le' and byte_span.new(6) or b
    check(name, {NAN}, 'EINVAL@2', function(n) of[name](of, n) end)
    check(name, {INF, -INF, 2^53, 2^64}, 'ERANGE', function(n) of[name](of, n) end)
  end
  check('find', {NAN}, 'EINVAL@3', function(n) b:find('a', n) end)
  check('find', {INF, 0, -1, 2^32 + 1}, 'ERANGE', function(n) b:find('a', n) end)
  check('read', {NAN, INF, 0, 5, 2^32 + 1}, 'ERANGE', function(n) return b[n] end)
  check('write', {NAN}, 'EINVAL@3', function(n) b[1] = n end)
  check('write', {INF, -1, 256, 2^32 + 97}, 'ERANGE', function(n) b[1] = n end)
  print(b)

  check('sleep', {NAN, INF, -INF, -1}, 'EDOM@1', time.sleep)
  check('sleep', {2^63, 2^64, 1e300}, 'EOVERFLOW', time.sleep)
  local timer = time.steady_timer.new()
  check('expires_after', {NAN, INF, -INF, -1}, 'EDOM@2', function(n) timer:expires_after(n) end)
  check('expires_after', {2^53, 2^63, 1e300}, 'EOVERFLOW', function(n) timer:expires_after(n) end)
  check('timeout', {NAN, INF, -INF, -1}, 'EDOM@1', function(n) timeout(n, print) end)
  for _, clock in ipairs{time.steady_clock, time.system_clock, fs.clock} do
    for _, name in ipairs{'add', 'sub'} do
      check(name, {NAN, INF, -INF}, 'EDOM@2', function(n) local tp = clock.now() tp[name](tp, n) end)
      check(name, {2^63, 1e300, -1e300}, 'EOVERFLOW', function(n) local tp = clock.now() tp[name](tp, n) end)
    end
  end
`,
  'abcd\n',
);
