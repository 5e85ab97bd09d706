import { runLua, spec } from '../support/spec.ts';

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`
  local a = require('ip').tcp.listen('127.0.0.1:0')
  spawn(function() pcall(a.accept, a) end)
  this_fiber.yield()
  a:close()
`);

// ── addresses ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'addresses from text and back',
  `
  local ip = require 'ip'
  for _, text in ipairs{'127.0.0.1', '::1', '::', 'FE80::1', '2001:db8:0:0:0:0:0:1', '::ffff:1.2.3.4'} do
    print(ip.address.new(text))
  end
  print(ip.address.new(), ip.address.any_v4(), ip.address.any_v6(), ip.address.loopback_v4(),
    ip.address.loopback_v6(), ip.address.broadcast_v4(), getmetatable(ip.address.new()))
`,
  '127.0.0.1\n::1\n::\nfe80::1\n2001:db8::1\n::ffff:1.2.3.4\n' +
    '0.0.0.0\t0.0.0.0\t::\t127.0.0.1\t::1\t255.255.255.255\tip.address\n',
);

spec(
  'what is no address',
  `
  local ip = require 'ip'
  for _, text in ipairs{'', '1.2.3', '1.2.3.256', '01.2.3.4', ':::', 'localhost', '1.2.3.4%1', 4} do
    local ok, e = pcall(ip.address.new, text)
    print(e, e.arg)
  end
`,
  'Invalid argument\tnil\n'.repeat(7) + 'Invalid argument\t1\n',
);

spec(
  'properties of addresses',
  `
  local ip = require 'ip'
  local function show(text, ...)
    local a = ip.address.new(text)
    local t = {}
    for i, name in ipairs{...} do t[i] = tostring(a[name]) end
    print(text, table.concat(t, ' '))
  end
  local all = {'is_v4', 'is_v6', 'is_loopback', 'is_multicast', 'is_unspecified'}
  for _, text in ipairs{'127.1.2.3', '224.0.0.1', '0.0.0.0', '::1', 'ff02::1', '::', '::ffff:127.0.0.1'} do
    show(text, unpack(all))
  end
  show('fe80::1', 'is_link_local', 'is_site_local', 'is_v4_mapped')
  show('fec0::1', 'is_link_local', 'is_site_local', 'is_v4_mapped')
  show('::ffff:1.1.1.1', 'is_link_local', 'is_site_local', 'is_v4_mapped')
  for _, text in ipairs{'ff01::1', 'ff02::1', 'ff05::1', 'ff08::1', 'ff0e::1'} do
    show(text, 'is_multicast_node_local', 'is_multicast_link_local', 'is_multicast_site_local',
      'is_multicast_org_local', 'is_multicast_global')
  end
`,
  `127.1.2.3	true false true false false
224.0.0.1	true false false true false
0.0.0.0	true false false false true
::1	false true true false false
ff02::1	false true false true false
::	false true false false true
::ffff:127.0.0.1	false true false false false
fe80::1	true false false
fec0::1	false true false
::ffff:1.1.1.1	false false true
ff01::1	true false false false false
ff02::1	false true false false false
ff05::1	false false true false false
ff08::1	false false false true false
ff0e::1	false false false false true
`,
);

spec(
  'IPv6 properties and conversions refuse the other family',
  `
  local ip = require 'ip'
  local v4, v6 = ip.address.loopback_v4(), ip.address.loopback_v6()
  print(v4:to_v6(), v4:to_v6():to_v4())
  for _, f in ipairs{
    function() return v4.is_link_local end, function() return v4.scope_id end, function() v4.scope_id = 1 end,
    function() return v6:to_v6() end, function() return v4:to_v4() end, function() return v6:to_v4() end,
    function() return v6.nothing end, function() v6.nothing = 1 end,
  } do
    local ok, e = pcall(f)
    print(e, e.arg, e.index)
  end
  v6.scope_id = 7
  print(v6.scope_id, v6)
  print(pcall(function() v6.scope_id = 'x' end))
  print(pcall(function() v6.scope_id = nil end))
  print(pcall(function() return require 'filesystem'.clock.now() + nil end))
`,
  '::ffff:127.0.0.1\t127.0.0.1\n' +
    'Invalid argument\t1\tnil\n'.repeat(5) +
    'Invalid argument\tnil\tnil\n' +
    "Requested key wasn't found in the table/userdata\tnil\t2\n".repeat(2) +
    '7\t::1%7\n' +
    "false\tmain.lua:15: bad argument #3 to 'scope_id' (number expected, got string)\n" +
    "false\tmain.lua:16: bad argument #3 to 'scope_id' (number expected, got nil)\n" +
    "false\tmain.lua:17: bad argument #2 to '__add' (number expected, got nil)\n",
);

spec(
  'addresses are ordered: IPv4 first, then by bytes',
  `
  local ip = require 'ip'
  local list = {}
  for _, text in ipairs{'::1', '10.0.0.1', '::', '9.255.0.0', '255.1.1.1'} do list[#list + 1] = ip.address.new(text) end
  table.sort(list)
  for i, a in ipairs(list) do list[i] = tostring(a) end
  print(table.concat(list, ' '))
  local a = ip.address.new('1.1.1.1')
  print(a == ip.address.new('1.1.1.1'), a == '1.1.1.1', a <= a, a < a)
  local ok, e = pcall(function() return a < 1 end) print(e, e.arg)
  local ok, e = pcall(function() return 1 < a end) print(e, e.arg)
`,
  '9.255.0.0 10.0.0.1 255.1.1.1 :: ::1\ntrue\tfalse\ttrue\tfalse\nInvalid argument\t2\nInvalid argument\t1\n',
);

spec(
  'endpoints in text',
  `
  local ip = require 'ip'
  local v4, v6 = ip.address.loopback_v4(), ip.address.loopback_v6()
  print(ip.tostring(v4), ip.tostring(v6), ip.tostring(v4, 80), ip.tostring(v6, 65616))
  print(ip.toendpoint('1.2.3.4:0'))
  print(ip.toendpoint('[::1]:65535'))
  for _, text in ipairs{'::1:80', '[127.0.0.1]:80', '1.1.1.1', '1.1.1.1:', '1.1.1.1:080', '1.1.1.1:+1', '1.1.1.1:65536',
      'localhost:80', '1.1.1.1:8x'} do
    local ok, e = pcall(ip.toendpoint, text)
    print(text, e, e.arg)
  end
  local ok, e = pcall(ip.tostring, 'x') print(e, e.arg)
  local ok, e = pcall(ip.tostring, v4, 1, 2) print(e, e.arg)
  print(pcall(ip.tostring, v4, nil))
  print(pcall(ip.toendpoint))
`,
  `127.0.0.1	::1	127.0.0.1:80	[::1]:80
1.2.3.4	0
::1	65535
::1:80	Invalid argument	1
[127.0.0.1]:80	Invalid argument	1
1.1.1.1	Invalid argument	1
1.1.1.1:	Invalid argument	1
1.1.1.1:080	Invalid argument	1
1.1.1.1:+1	Invalid argument	1
1.1.1.1:65536	Numerical result out of range	1
localhost:80	Invalid argument	nil
1.1.1.1:8x	Invalid argument	1
Invalid argument	1
Invalid argument	3
false	bad argument #2 to 'tostring' (number expected, got nil)
false	bad argument #1 to 'toendpoint' (string expected, got no value)
`,
);

spec(
  'host_name is a string',
  `
  print(type(require('ip').host_name()), #require('ip').host_name() > 0)
`,
  'string\ttrue\n',
);

// ── acceptors and sockets ──────────────────────────────────────────────────────────────────────────

/** A listening acceptor, and pairs of connected sockets. */
const NET = `
  local ip, stream, time = require 'ip', require 'stream', require 'time'
  local ae, ge = require 'asio_error', require 'generic_error'
  local loopback = ip.address.loopback_v4()
  local function listening(address)
    local a = ip.tcp.acceptor.new()
    a:open(address or loopback)
    a:bind(address or loopback, 0)
    a:listen()
    return a
  end
  local function pair()
    local a = listening()
    local near = ip.tcp.socket.new()
    local f = spawn(function() return a:accept() end)
    near:connect(loopback, a.local_port)
    local far = f:join()
    a:close()
    return near, far
  end
  local function raises(f, ...)
    local ok, e = pcall(f, ...)
    if ok then print('no error') elseif type(e) == 'string' then print(e) else print(e, e.category, e.arg) end
  end
`;

spec(
  'an echo over IPv4 and IPv6',
  `${NET}
  for _, address in ipairs{loopback, ip.address.loopback_v6()} do
    local a = listening(address)
    spawn(function()
      local s = a:accept()
      local b = byte_span.new(3)
      while pcall(function() stream.write_all(s, b:first(s:read_some(b))) end) do end
      s:close()
      a:close()
    end)
    local s = ip.tcp.socket.new()
    s:connect(address, a.local_port)
    print(s.is_open, s.remote_address == address, s.remote_port == a.local_port, s.local_address == address)
    stream.write_all(s, 'hello there')
    s:shutdown('send')
    local b = byte_span.new(11)
    print(stream.read_all(s, b), b)
    raises(s.read_some, s, b)
    s:close()
    print(s.is_open)
  end
`,
  'true\ttrue\ttrue\ttrue\n11\thello there\nEnd of file\tasio.misc\tnil\nfalse\n'.repeat(2),
);

spec(
  'closed objects say bad_descriptor',
  `${NET}
  local s, a = ip.tcp.socket.new(), ip.tcp.acceptor.new()
  local b = byte_span.new(1)
  for _, f in ipairs{
    function() s:read_some(b) end, function() s:write_some(b) end, function() s:bind('127.0.0.1', 0) end,
    function() s:cancel() end, function() s:shutdown('both') end, function() return s.local_port end,
    function() return s.remote_address end, function() s:set_option('debug', false) end,
    function() s:wait('read') end, function() return s.at_mark end, function() s:io_control('bytes_readable') end,
    function() a:accept() end, function() a:listen() end, function() return a.local_address end,
  } do
    local ok, e = pcall(f)
    print(e == ae.basic.bad_descriptor)
  end
  s:close() a:close()
  print(s.is_open)
`,
  'true\n'.repeat(14) + 'false\n',
);

spec(
  'open once, by family or by address',
  `${NET}
  local s = ip.tcp.socket.new()
  s:open('v6')
  raises(s.open, s, 'v4')
  print(s.local_address, s.local_port)
  s:close()
  s:open(loopback)
  print(s.local_address)
  s:close()
  raises(s.open, s, 'v5')
  raises(s.open, {})
`,
  'Already open\tasio.misc\tnil\n::\t0\n0.0.0.0\nInvalid argument\tgeneric\t2\nInvalid argument\tgeneric\t1\n',
);

spec(
  'bind takes an address or its text',
  `${NET}
  local a = listening()
  local b = ip.tcp.acceptor.new()
  b:open('v4')
  raises(b.bind, b, '127.0.0.1', a.local_port)
  raises(b.bind, b, 'localhost', 0)
  raises(b.bind, b, 5, 0)
  raises(b.bind, b, loopback, 'x')
  b:bind('127.0.0.1', 0)
  print(b.local_port > 0, b.local_address)
  raises(b.accept, b)
  raises(b.listen, b, 'x')
  a:close() b:close()
`,
  'Address already in use\tsystem\tnil\nInvalid argument\tgeneric\tnil\nInvalid argument\tgeneric\t2\n' +
    "bad argument #3 to 'bind' (number expected, got string)\n" +
    'true\t127.0.0.1\nInvalid argument\tsystem\tnil\nInvalid argument\tgeneric\t2\n',
);

spec(
  'connect: refused, wrong arguments',
  `${NET}
  local a = listening()
  local port = a.local_port
  a:close()
  local s = ip.tcp.socket.new()
  raises(s.connect, s, loopback, port)
  raises(s.connect, s, '127.0.0.1', port)
  s:close()
  raises(s.connect, s, loopback)
`,
  'Connection refused\tsystem\tnil\nInvalid argument\tgeneric\t2\n' +
    "bad argument #3 to 'connect' (number expected, got no value)\n",
);

spec(
  'a zero-length span completes at once; other buffers are refused',
  `${NET}
  local near, far = pair()
  print(near:read_some(byte_span.new(0)), near:write_some(byte_span.new(0)), near:receive(byte_span.new(0), 0))
  raises(near.read_some, near, 'text')
  raises(near.write_some, near)
  near:close() far:close()
`,
  '0\t0\t0\nInvalid argument\tgeneric\t2\nInvalid argument\tgeneric\t2\n',
);

spec(
  'receive and send take flags, as a number or as names',
  `${NET}
  local near, far = pair()
  local b = byte_span.new(10)
  print(far:send(byte_span.append('abc'), 0), near:receive(b, ip.message_flag.peek), near:receive(b, {'peek'}), near:receive(b, {}))
  raises(near.receive, near, b)
  raises(near.receive, near, b, {'nothing'})
  far:send(byte_span.append('!'), {'out_of_band'})
  near:wait('error')
  print(near.at_mark, near:receive(b, {'out_of_band'}), b:first(1))
  near:close() far:close()
`,
  "3\t3\t3\t3\nbad argument #3 to 'receive' (number expected, got no value)\nInvalid argument\tgeneric\t3\ntrue\t1\t!\n",
);

spec(
  'urgent data are waited for beside whoever reads the others, and come first',
  `${NET}
  local near, far = pair()
  local b = byte_span.new(8)
  local count = 0
  local function seen(...) print(...) count = count + 1 end
  local urgent = spawn(function()
    for _ = 1, 2 do
      local u = byte_span.new(4)
      seen('urgent', near:receive(u, {'out_of_band'}), u:first(1))
    end
  end)
  local other = spawn(function()
    for _ = 1, 3 do local n = near:read_some(b) seen('read', n, b:first(n)) end
  end)
  local function wait_for(n) while count < n do require('time').sleep(0.001) end end
  far:write_some(byte_span.append('ab')) wait_for(1)
  far:send(byte_span.append('!'), {'out_of_band'})
  far:write_some(byte_span.append('cd')) wait_for(3)
  far:send(byte_span.append('?'), {'out_of_band'})
  far:write_some(byte_span.append('ef'))
  urgent:join() other:join()
  local third = spawn(function() near:receive(b, {'out_of_band'}) end)
  this_fiber.yield()
  third:interrupt()
  third:join()
  print(third.interruption_caught)
  third = spawn(function() print(pcall(near.receive, near, b, {'out_of_band'})) end)
  this_fiber.yield()
  near:close() far:close()
  third:join()
`,
  'read\t2\tab\nurgent\t1\t!\nread\t2\tcd\nurgent\t1\t?\nread\t2\tef\ntrue\nfalse\tOperation canceled\n',
);

spec(
  'urgent data that nobody has read past are there for who asks after them',
  `${NET}
  local near, far = pair()
  far:send(byte_span.append('ab!'), {'out_of_band'})
  near:wait('error')
  local urgent = spawn(function()
    local u = byte_span.new(4)
    print('urgent', near:receive(u, {'out_of_band'}), u:first(1))
  end)
  this_fiber.yield()
  local b = byte_span.new(8)
  local n = near:read_some(b)
  print('read', n, b:first(n))
  urgent:join()
  near:close() far:close()
`,
  'urgent\t1\t!\nread\t2\tab\n',
);

spec(
  'wait tells when a read or write would not wait',
  `${NET}
  local near, far = pair()
  near:wait('write')
  local f = spawn(function() near:wait('read') return near:io_control('bytes_readable') end)
  time.sleep(0.01)
  stream.write_all(far, 'four')
  print(f:join())
  raises(near.wait, near, 'something')
  raises(near.io_control, near, 'something')
  near:close() far:close()
`,
  '4\nInvalid argument\tgeneric\t2\nOperation not supported\tgeneric\tnil\n',
);

spec(
  'options of sockets',
  `${NET}
  local s = ip.tcp.socket.new()
  s:open('v6')
  for _, name in ipairs{'tcp_no_delay', 'keep_alive', 'out_of_band_inline', 'v6_only', 'do_not_route', 'debug'} do
    if name ~= 'debug' then s:set_option(name, true) end
    print(name, s:get_option(name))
  end
  s:set_option('receive_buffer_size', 20000)
  s:set_option('send_buffer_size', 30000)
  s:set_option('receive_low_watermark', 2)
  print(s:get_option('receive_buffer_size'), s:get_option('send_buffer_size'), s:get_option('receive_low_watermark'))
  s:set_option('linger', true, 5)
  print(s:get_option('linger'))
  raises(s.set_option, s, 'send_low_watermark', 2)
  raises(s.set_option, s, 'nothing', true)
  raises(s.get_option, s, 'reuse_address')
  raises(s.set_option, s, 'keep_alive', 1)
  raises(s.set_option, s, 'linger', true)
  s:close()
`,
  'tcp_no_delay\ttrue\nkeep_alive\ttrue\nout_of_band_inline\ttrue\nv6_only\ttrue\ndo_not_route\ttrue\ndebug\tfalse\n' +
    '20000\t30000\t2\ntrue\t5\nProtocol not available\tsystem\tnil\n' +
    'Operation not supported\tgeneric\tnil\n'.repeat(2) +
    "bad argument #3 to 'set_option' (boolean expected, got number)\n" +
    "bad argument #4 to 'set_option' (number expected, got no value)\n",
);

spec(
  'options of acceptors',
  `${NET}
  local a = ip.tcp.acceptor.new()
  a:open('v6')
  for _, name in ipairs{'reuse_address', 'enable_connection_aborted', 'v6_only'} do
    a:set_option(name, true)
    print(name, a:get_option(name))
  end
  raises(a.set_option, a, 'tcp_no_delay', true)
  raises(a.set_option, a, 'reuse_address', 'yes')
  a:close()
`,
  'reuse_address\ttrue\nenable_connection_aborted\ttrue\nv6_only\ttrue\nOperation not supported\tgeneric\tnil\n' +
    "bad argument #3 to 'set_option' (boolean expected, got string)\n",
);

spec(
  'unknown members of objects are bad_index, of tables nil',
  `${NET}
  local s = ip.tcp.socket.new()
  for _, f in ipairs{function() return s.nothing end, function() s.nothing = 1 end, function() s.is_open = 1 end} do
    local ok, e = pcall(f)
    print(e, e.index)
  end
  print(ip.nothing, ip.tcp.nothing, getmetatable(s), getmetatable(ip.tcp.acceptor.new()))
`,
  "Requested key wasn't found in the table/userdata\t2\n".repeat(3) +
    'nil\tnil\tip.tcp.socket\tip.tcp.acceptor\n',
);

// ── ending what is pending ─────────────────────────────────────────────────────────────────────────

spec(
  'close, cancel and interruption end a read that waits',
  `${NET}
  local near, far = pair()
  local function reader()
    local ok, e = pcall(near.read_some, near, byte_span.new(1))
    print(e, e.category)
  end
  local f = spawn(reader) time.sleep(0.002) f:interrupt() f:join()
  local f = spawn(reader) time.sleep(0.002) near:cancel() f:join()
  print(near.is_open)
  local f = spawn(reader) time.sleep(0.002) near:close() f:join()
  far:close()
`,
  'Fiber interrupted\temilua.core\nOperation canceled\tsystem\ntrue\nOperation canceled\tsystem\n',
);

spec(
  'close, cancel and interruption end an accept that waits',
  `${NET}
  local a = listening()
  local function acceptor() local ok, e = pcall(a.accept, a) print(e, e.category) end
  local f = spawn(acceptor) time.sleep(0.002) f:interrupt() f:join()
  local f = spawn(acceptor) time.sleep(0.002) a:cancel() f:join()
  local f = spawn(acceptor) time.sleep(0.002) a:close() f:join()
`,
  'Fiber interrupted\temilua.core\n' + 'Operation canceled\tsystem\n'.repeat(2),
);

spec(
  'a write that waits for its reader is cancelled, what was written before is counted',
  `${NET}
  local near, far = pair()
  local chunk, total = byte_span.new(65536), 0
  local f = spawn(function()
    local ok, e = pcall(function() while true do total = total + near:write_some(chunk) end end)
    print(e)
  end)
  time.sleep(0.02)
  f:interrupt() f:join()
  near:close()
  local got = 0
  pcall(function() while true do got = got + far:read_some(chunk) end end)
  print(got == total, total > 65536)
  far:close()
`,
  'Fiber interrupted\ntrue\ttrue\n',
  { once: true },
);

spec(
  'an interrupted read has taken nothing',
  `${NET}
  local near, far = pair()
  local b = byte_span.new(4)
  local f = spawn(function() near:read_some(b) end)
  time.sleep(0.002)
  stream.write_all(far, 'data')
  f:interrupt() f:join()
  print(f.interruption_caught, near:read_some(b), b)
  near:close() far:close()
`,
  'true\t4\tdata\n',
);

spec(
  'reset by the peer',
  `${NET}
  local near, far = pair()
  far:set_option('linger', true, 0)
  local f = spawn(function() raises(near.read_some, near, byte_span.new(1)) end)
  time.sleep(0.002)
  far:close()
  f:join()
  raises(function() while true do near:write_some(byte_span.new(1)) end end)
  near:close()
`,
  'Connection reset by peer\tsystem\tnil\nBroken pipe\tsystem\tnil\n',
);

spec(
  'shutdown of one direction leaves the other',
  `${NET}
  local near, far = pair()
  near:shutdown('send')
  local b = byte_span.new(5)
  raises(far.read_some, far, b)
  stream.write_all(far, 'still')
  print(near:read_some(b), b)
  raises(near.write_some, near, b)
  raises(near.shutdown, near, 'sideways')
  raises(near.shutdown, near)
  near:disconnect()
  raises(function() return near.remote_port end)
  near:close() far:close()
`,
  'End of file\tasio.misc\tnil\n5\tstill\nBroken pipe\tsystem\tnil\nInvalid argument\tgeneric\t2\n' +
    "bad argument #2 to 'shutdown' (string expected, got no value)\n" +
    'Transport endpoint is not connected\tsystem\tnil\n',
);

spec(
  'the end of the VM closes what is open',
  `${NET}
  local near, far = pair()
  local a = listening()
  spawn(function() a:accept() end)
  spawn(function() near:read_some(byte_span.new(1)) end)
  spawn(function() time.sleep(1000) end)
  time.sleep(0.002)
  require('system').exit(3)
  print('never')
`,
  '',
  { code: 3 },
);

spec(
  'a fiber whose operations complete at once does not keep others waiting',
  `${NET}
  local near, far = pair()
  local turns, running = 0, true
  spawn(function() while running do this_fiber.yield() turns = turns + 1 end end)
  local timer = spawn(function() time.sleep(0.001) running = false end)
  local b = byte_span.new(10)
  local rounds = 0
  while running do
    near:write_some(b)
    far:read_some(b)
    rounds = rounds + 1
  end
  print(turns > 0, rounds > 0)
  near:close() far:close()
`,
  'true\ttrue\n',
  { once: true },
);

spec(
  'a number is no string, where names and endpoints are wanted',
  `
  local ip, unix, serial = require 'ip', require 'unix', require 'serial_port'
  local s, u = ip.tcp.socket.new(), unix.stream.socket.new()
  local function fails(f, ...) print(select(2, pcall(f, ...))) end
  fails(ip.toendpoint, 1)
  fails(ip.tcp.dial, 1)
  fails(s.shutdown, s, 1)
  fails(s.io_control, s, 1)
  fails(s.get_option, s, 1)
  fails(u.set_option, u, 1, true)
  fails(serial.new().open, serial.new(), 1)
`,
  "bad argument #1 to 'toendpoint' (string expected, got number)\n" +
    "bad argument #1 to 'dial' (string expected, got number)\n" +
    ['shutdown', 'io_control', 'get_option', 'set_option', 'open']
      .map((name) => `bad argument #2 to '${name}' (string expected, got number)\n`)
      .join(''),
);

spec(
  'assign and release want descriptors and open sockets; send_file is for Windows',
  `${NET}
  local s = ip.tcp.socket.new()
  raises(s.assign, s, 'v5')
  raises(s.assign, s, 'v4')
  raises(s.release, s)
  raises(s.send_file, s)
`,
  'Invalid argument\tgeneric\t2\nInvalid argument\tgeneric\t3\n' +
    'Bad file descriptor\tsystem\tnil\nFunction not implemented\tgeneric\tnil\n',
);

spec(
  'methods that are called for each message check `self`, too',
  `
  local ip, unix, pipe = require 'ip', require 'unix', require 'pipe'
  local tcp, udp, stream = ip.tcp.socket.new(), ip.udp.socket.new(), unix.stream.socket.new()
  local r, w = pipe.pair()
  local buffer = byte_span.new(1)
  local function strangers(object, name, ...)
    for _, stranger in ipairs({ tcp, udp, stream, r, w, {}, 1, 'x', buffer, print }) do
      if stranger ~= object then
        local ok, e = pcall(object[name], stranger, buffer, ...)
        assert(not ok and tostring(e) == 'Invalid argument' and e.arg == 1, name)
      end
    end
    local ok, e = pcall(object[name])
    print(name, e, e.arg)
  end
  strangers(tcp, 'read_some')
  strangers(tcp, 'write_some')
  strangers(stream, 'read_some')
  strangers(stream, 'write_some')
  strangers(r, 'read_some')
  strangers(w, 'write_some')
  strangers(udp, 'receive_from')
  strangers(udp, 'send_to', ip.address.loopback_v4(), 9)
`,
  ['read', 'write', 'read', 'write', 'read', 'write']
    .map((what) => `${what}_some\tInvalid argument\t1\n`)
    .join('') + 'receive_from\tInvalid argument\t1\nsend_to\tInvalid argument\t1\n',
);

// ── connecting by name ─────────────────────────────────────────────────────────────────────────────

spec(
  'ip.connect takes the first endpoint that works',
  `${NET}
  local a, dead = listening(), listening()
  local port, dead_port = a.local_port, dead.local_port
  dead:close()
  local list = {{address = loopback, port = dead_port}, {address = loopback, port = port}, {address = loopback, port = 1}}
  local s = ip.tcp.socket.new()
  local address, used = ip.connect(s, list)
  print(address, used == port, s.is_open)
  s:close()
  print(select('#', ip.connect(s, list, function(e, address, p)
    this_fiber.yield()
    print(e, address, p == dead_port)
    return true
  end)))
  s:close() a:close()
`,
  '127.0.0.1\ttrue\ttrue\nnil\t127.0.0.1\ttrue\nConnection refused\t127.0.0.1\tfalse\n2\n',
);

spec(
  'ip.connect: nothing to try, all skipped, all failed, a condition that fails',
  `${NET}
  local dead = listening()
  local list = {{address = loopback, port = dead.local_port}}
  dead:close()
  local s = ip.tcp.socket.new()
  raises(ip.connect, s, {})
  raises(ip.connect, s, list, function() return false end)
  raises(ip.connect, s, list)
  raises(ip.connect, s, list, function() error('no', 0) end)
  raises(ip.connect, s, 'x')
  raises(ip.connect, s, list, 'x')
  s:close()
`,
  'Element not found\tasio.misc\tnil\n'.repeat(2) +
    'Connection refused\tsystem\tnil\nno\n' +
    'Invalid argument\tgeneric\tnil\n'.repeat(2),
);

spec(
  'ip.connect works with anything that connects as a socket does',
  `${NET}
  local log = {}
  local object = {
    is_open = true,
    close = function(self) self.is_open = false log[#log + 1] = 'close' end,
    connect = function(self, address, port) this_fiber.yield() log[#log + 1] = address .. ':' .. port end,
  }
  print(ip.connect(object, {{address = 'a', port = 1}}))
  print(table.concat(log, ' '))
`,
  'a\t1\nclose a:1\n',
);

spec(
  'dial and listen work with numbers and names',
  `${NET}
  for _, host in ipairs{'127.0.0.1', '[::1]', 'localhost', ''} do
    local a = ip.tcp.listen(host .. ':0')
    local client = spawn(function() return ip.tcp.dial((host == '' and '127.0.0.1' or host) .. ':' .. a.local_port) end)
    local s = a:accept()
    local c = client:join()
    print(a:get_option('reuse_address'), c.remote_port == a.local_port)
    s:close() a:close() c:close()
  end
  raises(ip.tcp.dial, '127.0.0.1')
  raises(ip.tcp.dial, '127.0.0.1:080')
  raises(ip.tcp.dial)
`,
  'true\ttrue\n'.repeat(4) +
    'Invalid argument\tgeneric\t1\n'.repeat(2) +
    "bad argument #1 to 'dial' (string expected, got no value)\n",
);

spec(
  'get_address_info: numbers need no look-up',
  `${NET}
  local function show(list)
    local t = {}
    for i, e in ipairs(list) do t[i] = tostring(e.address) .. '/' .. e.port .. (e.canonical_name and '=' .. e.canonical_name or '') end
    print(table.concat(t, ' '))
  end
  show(ip.tcp.get_address_info('127.0.0.1', '80'))
  show(ip.tcp.get_address_info(ip.address.loopback_v6(), 65536 + 80, {'canonical_name'}))
  show(ip.tcp.get_address_info('', 80))
  show(ip.tcp.get_address_info('', 80, {'passive'}))
  show(ip.tcp.get_address_v4_info('', 80, bit.bor(ip.address_info_flag.passive, ip.address_info_flag.v4_mapped)))
  show(ip.tcp.get_address_v6_info('1.2.3.4', 80))
  show(ip.tcp.get_address_info('127.0.0.1', 'http'))
  raises(ip.tcp.get_address_v4_info, '::1', 80)
  raises(ip.tcp.get_address_info, 1, 80)
  raises(ip.tcp.get_address_info, '', {})
  raises(ip.tcp.get_address_info, '', 80, 'x')
  raises(ip.tcp.get_address_info, '', 'no such service')
  local found = ip.tcp.get_address_v4_info('localhost', 1)
  print(found[1].address)
`,
  '127.0.0.1/80\n::1/80=::1\n::1/80 127.0.0.1/80\n0.0.0.0/80 ::/80\n0.0.0.0/80\n::ffff:1.2.3.4/80\n127.0.0.1/80\n' +
    'Host not found (authoritative)\tasio.netdb\tnil\nInvalid argument\tgeneric\t1\nInvalid argument\tgeneric\t2\n' +
    'Invalid argument\tgeneric\t3\nService not found\tasio.addrinfo\tnil\n127.0.0.1\n',
);

spec(
  'look-ups are suspension points, also of numbers',
  `${NET}
  local function look() ip.tcp.get_address_info('127.0.0.1', 80) end
  local function reverse() ip.udp.get_name_info(loopback, 80) end
  for _, f in ipairs{look, reverse, function() ip.tcp.dial('127.0.0.1:80') end} do
    local fiber = spawn(f)
    fiber:interrupt()
    fiber:join()
    print(fiber.interruption_caught)
    this_fiber.forbid_suspend()
    raises(f)
    this_fiber.allow_suspend()
  end
`,
  'true\nEPERM within a forbid-suspend block\temilua.core\tnil\n'.repeat(3),
);

spec(
  'get_name_info gives names, or numbers in text',
  `
  local ip = require 'ip'
  local names = ip.tcp.get_name_info(ip.address.loopback_v4(), 9)
  print(#names, type(names[1].host_name), type(names[1].service_name))
`,
  '1\tstring\tstring\n',
);
