import { runLua, spec } from '../support/spec.ts';

const SETUP = `
  local ip, time = require 'ip', require 'time'
  local ae, ge = require 'asio_error', require 'generic_error'
  local loopback, loopback6 = ip.address.loopback_v4(), ip.address.loopback_v6()
  local function bound(address)
    local s = ip.udp.socket.new()
    s:open(address or loopback)
    s:bind(address or loopback, 0)
    return s
  end
  local bytes = byte_span.append
  local function raises(f, ...)
    local ok, e = pcall(f, ...)
    if ok then print('no error') elseif type(e) == 'string' then print(e) else print(e, e.category, e.arg) end
  end
`;

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`${SETUP}
  local s = bound()
  spawn(function() pcall(s.receive, s, byte_span.new(1)) end)
  this_fiber.yield()
  s:close()
`);

spec(
  'datagrams between two sockets, over IPv4 and IPv6, tell who sent them',
  `${SETUP}
  for _, address in ipairs{loopback, loopback6} do
    local a, b = bound(address), bound(address)
    local buf = byte_span.new(16)
    local f = spawn(function() return b:receive_from(buf) end)
    this_fiber.yield() -- it waits
    print(a:send_to(bytes('hello'), b.local_address, b.local_port))
    local n, from, port = f:join()
    print(n, buf:first(n), from, from == a.local_address, port == a.local_port)
    a:close() b:close()
    print(a.is_open)
  end
`,
  '5\n5\thello\t127.0.0.1\ttrue\ttrue\nfalse\n5\n5\thello\t::1\ttrue\ttrue\nfalse\n',
);

spec(
  'each datagram is received whole and alone, also an empty one; what does not fit is cut',
  `${SETUP}
  local a, b = bound(), bound()
  a:connect(loopback, b.local_port)
  for _, text in ipairs{'one', '', 'three', 'four four four'} do print(a:send(bytes(text))) end
  local buf = byte_span.new(8)
  print(b:io_control('bytes_readable'))
  for _ = 1, 4 do
    local n = b:receive(buf)
    print(n, buf:first(n))
  end
  a:send(bytes('lost')) a:send(bytes('kept'))
  print(b:receive(byte_span.new(0)), b:receive(buf), buf:first(4)) -- no room at all
  a:close() b:close()
`,
  '3\n0\n5\n14\n3\n3\tone\n0\t\n5\tthree\n8\tfour fou\n0\t4\tkept\n',
);

spec(
  'a connected socket has one peer, until it is disconnected',
  `${SETUP}
  local a, b, stranger = bound(), bound(), bound()
  raises(function() return a.remote_port end)
  raises(a.send, a, bytes('x'))
  a:connect(loopback, b.local_port)
  print(a.remote_address, a.remote_port == b.local_port, a.local_address)
  stranger:send_to(bytes('not heard'), loopback, a.local_port)
  b:send_to(bytes('heard'), loopback, a.local_port)
  local buf = byte_span.new(16)
  print(a:receive(buf), buf:first(5))
  a:disconnect()
  raises(function() return a.remote_address end)
  if a.local_port == 0 then a:bind(loopback, 0) end -- a port that the kernel chose goes with the peer
  stranger:send_to(bytes('now'), loopback, a.local_port)
  local n, from, port = a:receive_from(buf)
  print(n, port == stranger.local_port)
  a:close() b:close() stranger:close()
`,
  'Transport endpoint is not connected\tsystem\tnil\nDestination address required\tsystem\tnil\n' +
    '127.0.0.1\ttrue\t127.0.0.1\n5\theard\nTransport endpoint is not connected\tsystem\tnil\n3\ttrue\n',
);

spec(
  'connect opens a closed socket; nobody at the other end is connection_refused',
  `${SETUP}
  local gone = bound()
  local port = gone.local_port
  gone:close()
  local s = ip.udp.socket.new()
  s:connect(loopback, port)
  print(s.is_open, s.local_address)
  s:send(bytes('x'))
  local ok, e = pcall(s.receive, s, byte_span.new(1))
  print(e == ae.basic.connection_refused)
  local f = spawn(function() return pcall(s.receive, s, byte_span.new(1)) end) -- while it waits
  this_fiber.yield()
  s:send(bytes('x'))
  local ok, e = f:join()
  print(e == ae.basic.connection_refused)
  s:close()
`,
  'true\t127.0.0.1\ntrue\ntrue\n',
);

spec(
  'ip.udp.dial resolves and connects',
  `${SETUP}
  local server = bound()
  for _, host in ipairs{'127.0.0.1', 'localhost'} do
    local s = ip.udp.dial(host .. ':' .. server.local_port)
    s:send(bytes(host))
    local buf = byte_span.new(16)
    local n, from, port = server:receive_from(buf)
    print(buf:first(n), port == s.local_port, s.remote_port == server.local_port)
    s:close()
  end
  local s = ip.udp.dial('[::1]:domain')
  print(s.remote_address, s.remote_port)
  s:close() server:close()
  raises(ip.udp.dial, '127.0.0.1')
  raises(ip.udp.dial, '::1:5')
  raises(ip.udp.dial, '127.0.0.1:99999')
  raises(ip.udp.dial, '127.0.0.1:no such service')
`,
  '127.0.0.1\ttrue\ttrue\nlocalhost\ttrue\ttrue\n::1\t53\n' +
    'Invalid argument\tgeneric\t1\n'.repeat(2) +
    'Numerical result out of range\tgeneric\t1\nService not found\tasio.addrinfo\tnil\n',
);

spec(
  'flags: peek leaves the datagram, as a number or as names',
  `${SETUP}
  local a, b = bound(), bound()
  a:send_to(bytes('data'), loopback, b.local_port, {})
  local buf = byte_span.new(8)
  print(b:receive(buf, {'peek'}), b:receive(buf, ip.message_flag.peek), (b:receive_from(buf, {'peek'})), b:receive(buf, nil))
  print(a:send_to(bytes('data'), loopback, b.local_port, {'do_not_route'}), (b:receive_from(buf, 0)))
  raises(b.receive, b, buf, 'peek')
  raises(b.receive_from, b, buf, {'nothing'})
  raises(a.send, a, buf, true)
  raises(a.send_to, a, buf, loopback, 1, 'x')
  a:close() b:close()
`,
  '4\t4\t4\t4\n4\t4\n' +
    'Invalid argument\tgeneric\t3\n'.repeat(3) +
    'Invalid argument\tgeneric\t5\n',
);

spec(
  'wrong arguments, each with its position',
  `${SETUP}
  local s = bound()
  raises(s.receive, s, 'text')
  raises(s.receive_from, s)
  raises(s.send, s, 'text')
  raises(s.send_to, s, 'text', loopback, 1)
  raises(s.send_to, s, bytes('x'), '127.0.0.1', 1)
  raises(s.send_to, s, bytes('x'), loopback, '1')
  raises(s.connect, s, '127.0.0.1', 1)
  raises(s.connect, s, loopback)
  raises(s.shutdown, s, 'sideways')
  raises(s.io_control, s, 'something')
  raises(s.open, s, 'v4')
  raises(s.bind, s, loopback, 'x')
  raises(s.send, {}, bytes('x'))
  raises(s.send_to, ip.tcp.socket.new(), bytes('x'), loopback, 1)
  s:close()
`,
  [2, 2, 2, 2, 3, 4, 2].map((arg) => `Invalid argument\tgeneric\t${arg}\n`).join('') +
    "bad argument #3 to 'connect' (number expected, got no value)\n" +
    'Invalid argument\tgeneric\t2\nOperation not supported\tgeneric\tnil\nAlready open\tasio.misc\tnil\n' +
    "bad argument #3 to 'bind' (number expected, got string)\n" +
    'Invalid argument\tgeneric\t1\n'.repeat(2),
);

spec(
  'closed sockets say bad_descriptor: nothing but connect opens one',
  `${SETUP}
  local s = ip.udp.socket.new()
  local b = bytes('x')
  for _, f in ipairs{
    function() s:send(b) end, function() s:send_to(b, loopback, 9) end, function() s:receive(b) end,
    function() s:receive_from(b) end, function() s:bind(loopback, 0) end, function() s:cancel() end,
    function() s:disconnect() end, function() s:shutdown('both') end, function() return s.local_port end,
    function() return s.remote_address end, function() s:set_option('broadcast', true) end,
    function() s:set_option('join_multicast_group', ip.address.new('224.0.0.251')) end,
    function() s:get_option('unicast_hops') end, function() s:io_control('bytes_readable') end,
  } do
    local ok, e = pcall(f)
    print(e == ae.basic.bad_descriptor)
  end
  s:close()
`,
  'true\n'.repeat(14),
);

spec(
  'a datagram that is too long is message_size',
  `${SETUP}
  local a, b = bound(), bound()
  local ok, e = pcall(a.send_to, a, byte_span.new(65508), loopback, b.local_port)
  print(e == ae.basic.message_size)
  print(a:send_to(byte_span.new(65507), loopback, b.local_port), b:receive(byte_span.new(65536)))
  a:close() b:close()
`,
  'true\n65507\t65507\n',
);

spec(
  'options',
  `${SETUP}
  for _, family in ipairs{'v4', 'v6'} do
    local s = ip.udp.socket.new()
    s:open(family)
    for _, name in ipairs{'broadcast', 'do_not_route', 'reuse_address', 'reuse_port', 'multicast_loop', 'debug'} do
      if name ~= 'debug' then s:set_option(name, name ~= 'multicast_loop') end -- that one is on at first
      print(name, s:get_option(name))
    end
    for _, name in ipairs{'send_buffer_size', 'receive_buffer_size'} do
      s:set_option(name, 20000)
      print(name, s:get_option(name))
    end
    s:set_option('multicast_hops', 7) s:set_option('unicast_hops', 9)
    print(s:get_option('multicast_hops'), s:get_option('unicast_hops'))
    s:close()
  end
  local s = ip.udp.socket.new()
  s:open('v6')
  s:set_option('v6_only', true)
  print(s:get_option('v6_only'))
  raises(s.set_option, s, 'multicast_hops', 256)
  raises(s.set_option, s, 'multicast_hops', -1)
  raises(s.set_option, s, 'unicast_hops', 300)
  raises(s.set_option, s, 'broadcast', 1)
  raises(s.set_option, s, 'send_buffer_size', 'big')
  raises(s.set_option, s, 'tcp_no_delay', true)
  raises(s.get_option, s, 'linger')
  raises(s.get_option, s, 'join_multicast_group')
  raises(s.get_option, s, 'multicast_interface')
  raises(s.set_option, s, 'join_multicast_group', '224.0.0.1')
  raises(s.set_option, s, 'leave_multicast_group')
  raises(s.set_option, s, 'multicast_interface', loopback6)
  s:close()
`,
  (
    'broadcast\ttrue\ndo_not_route\ttrue\nreuse_address\ttrue\nreuse_port\ttrue\nmulticast_loop\tfalse\n' +
    'debug\tfalse\nsend_buffer_size\t20000\nreceive_buffer_size\t20000\n7\t9\n'
  ).repeat(2) +
    'true\n' +
    'Numerical result out of range\tgeneric\t3\n'.repeat(2) +
    'Invalid argument\tsystem\tnil\n' +
    "bad argument #3 to 'set_option' (boolean expected, got number)\n" +
    "bad argument #3 to 'set_option' (number expected, got string)\n" +
    'Operation not supported\tgeneric\tnil\n'.repeat(4) +
    'Invalid argument\tgeneric\t3\n'.repeat(3),
);

spec(
  'sending to a broadcast address needs the option',
  `${SETUP}
  local s = bound(ip.address.any_v4())
  local all = ip.address.new('127.255.255.255')
  local ok, e = pcall(s.send_to, s, bytes('x'), all, s.local_port)
  print(e == ae.basic.access_denied)
  s:set_option('broadcast', true)
  print(s:send_to(bytes('x'), all, s.local_port), s:receive(byte_span.new(4)))
  s:close()
`,
  'true\n1\t1\n',
);

spec(
  'a dual-stack socket hears IPv4 as mapped addresses; v6_only does not',
  `${SETUP}
  local six, four = ip.udp.socket.new(), bound()
  six:open('v6')
  six:set_option('v6_only', false)
  six:bind(ip.address.any_v6(), 0)
  four:send_to(bytes('x'), loopback, six.local_port)
  local n, from = six:receive_from(byte_span.new(4))
  print(n, from, from.is_v4_mapped, from:to_v4())
  print(six:send_to(bytes('yz'), from, four.local_port), four:receive(byte_span.new(4)))
  local ok, e = pcall(six.send_to, six, bytes('x'), loopback, four.local_port)
  print(ok or e == ae.basic.address_family_not_supported or e == ae.basic.invalid_argument)
  six:close()
  local only = ip.udp.socket.new()
  only:open('v6')
  only:set_option('v6_only', true)
  only:bind(ip.address.any_v6(), 0)
  four:connect(loopback, only.local_port)
  four:send(bytes('x'))
  local ok, e = pcall(four.receive, four, byte_span.new(4))
  print(e == ae.basic.connection_refused)
  only:close() four:close()
`,
  '1\t::ffff:127.0.0.1\ttrue\t127.0.0.1\n2\t2\ntrue\ntrue\n',
);

spec(
  'sockets share a port with reuse_port; without it the address is in use',
  `${SETUP}
  local a, b = ip.udp.socket.new(), ip.udp.socket.new()
  a:open('v4') b:open('v4')
  a:set_option('reuse_port', true)
  a:bind(loopback, 0)
  local ok, e = pcall(b.bind, b, loopback, a.local_port)
  print(e == ae.basic.address_in_use)
  b:set_option('reuse_port', true)
  b:bind('127.0.0.1', a.local_port)
  print(a.local_port == b.local_port)
  a:close() b:close()
`,
  'true\ntrue\n',
);

spec(
  'close, cancel and interruption end a receive that waits; nothing is lost',
  `${SETUP}
  local s, other = bound(), bound()
  local buf = byte_span.new(8)
  for _, method in ipairs{'receive', 'receive_from'} do
    local function receive()
      local ok, e = pcall(s[method], s, buf)
      print(e, e.category)
    end
    local f = spawn(receive) this_fiber.yield() f:interrupt() f:join()
    local f = spawn(receive) this_fiber.yield() s:cancel() f:join()
  end
  local f = spawn(function() s:receive(buf) end)
  this_fiber.yield()
  other:send_to(bytes('first'), loopback, s.local_port)
  other:send_to(bytes('second'), loopback, s.local_port)
  f:interrupt()
  f:join()
  print(f.interruption_caught, s:receive(buf), s:receive(buf), buf:first(6))
  local f = spawn(function() local ok, e = pcall(s.receive, s, buf) print(e) end)
  this_fiber.yield() s:close() f:join()
  raises(s.receive, s, buf)
  other:close()
`,
  'Fiber interrupted\temilua.core\nOperation canceled\tsystem\n'.repeat(2) +
    'true\t5\t6\tsecond\nOperation canceled\nBad file descriptor\tsystem\tnil\n',
);

spec(
  'an interruption that is pending comes before any of it',
  `${SETUP}
  local s = bound()
  local b = bytes('x')
  for _, f in ipairs{
    function() s:receive(b) end, function() s:receive_from(b) end, function() s:send(b) end,
    function() s:send_to(b, loopback, s.local_port) end, function() s:connect(loopback, 9) end,
  } do
    local fiber = spawn(f)
    fiber:interrupt()
    fiber:join()
    print(fiber.interruption_caught)
  end
  raises(function() return s.remote_port end)
  print(s:io_control('bytes_readable'))
  s:close()
`,
  'true\n'.repeat(5) + 'Transport endpoint is not connected\tsystem\tnil\n0\n',
);

spec(
  'shutdown: nothing is sent any more',
  `${SETUP}
  local a, b = bound(), bound()
  raises(b.shutdown, b, 'send')
  a:connect(loopback, b.local_port)
  a:shutdown('receive')
  print(a:send(bytes('x')), b:receive(byte_span.new(4)))
  a:shutdown('send')
  raises(a.send, a, bytes('x'))
  a:close() b:close()
`,
  'Transport endpoint is not connected\tsystem\tnil\n1\t1\nBroken pipe\tsystem\tnil\n',
);

spec(
  'two readers take turns, oldest first',
  `${SETUP}
  local a, b = bound(), bound()
  local fibers = {}
  for i = 1, 3 do
    fibers[i] = spawn(function()
      local buf = byte_span.new(4)
      local n = b:receive(buf)
      print(i, buf:first(n))
    end)
  end
  this_fiber.yield()
  for _, text in ipairs{'a', 'b', 'c'} do a:send_to(bytes(text), loopback, b.local_port) end
  for _, f in ipairs(fibers) do f:join() end
  a:close() b:close()
`,
  '1\ta\n2\tb\n3\tc\n',
);

spec(
  'unknown members are bad_index; sockets are not comparable by content, and have a type name',
  `${SETUP}
  local s = ip.udp.socket.new()
  for _, f in ipairs{function() return s.read_some end, function() s.nothing = 1 end, function() return s.wait end} do
    local ok, e = pcall(f)
    print(e, e.index)
  end
  print(getmetatable(s), ip.udp.nothing, ip.udp.socket.nothing)
  raises(s.release, s)
`,
  "Requested key wasn't found in the table/userdata\t2\n".repeat(3) +
    'ip.udp.socket\tnil\tnil\nBad file descriptor\tsystem\tnil\n',
);

spec(
  'release hands the descriptor out, assign takes it over; what waits is ended',
  `${SETUP}
  local a, b = bound(), bound()
  local port = b.local_port
  local f = spawn(function() local ok, e = pcall(b.receive, b, byte_span.new(4)) print(e) end)
  this_fiber.yield()
  local fd = b:release()
  f:join()
  print(b.is_open)
  a:send_to(bytes('kept'), loopback, port)
  local c = ip.udp.socket.new()
  raises(c.assign, c, 'v5', fd)
  raises(c.assign, c, 'v4', 5)
  raises(a.assign, a, 'v4', fd)
  c:assign('v4', fd)
  raises(c.assign, c, 'v4', fd)
  local buf = byte_span.new(8)
  print(c.local_port == port, c:receive(buf), buf:first(4))
  raises(b.release, b)
  b:open('v4') -- may be used again
  b:close() a:close() c:close()
`,
  'Operation canceled\nfalse\nInvalid argument\tgeneric\t2\nInvalid argument\tgeneric\t3\n' +
    'Already open\tasio.misc\tnil\nInvalid argument\tgeneric\t3\ntrue\t4\tkept\n' +
    'Bad file descriptor\tsystem\tnil\n',
);
