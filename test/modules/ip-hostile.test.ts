/** Peers and programs that do what they please with TCP: none may lose bytes, hang, or leave a descriptor. */
import { runLua, spec } from '../support/spec.ts';

const SETUP = `
  local ip, stream, time, timeout = require 'ip', require 'stream', require 'time', require 'timeout'
  local ae, ge = require 'asio_error', require 'generic_error'
  local loopback = ip.address.loopback_v4()
  local bytes = byte_span.append
  local function listening(address, backlog)
    local a = ip.tcp.acceptor.new()
    a:open(address or loopback)
    a:bind(address or loopback, 0)
    a:listen(backlog)
    return a
  end
  local function pair()
    local a = listening()
    local f = spawn(function() return a:accept() end)
    local near = ip.tcp.dial('127.0.0.1:' .. a.local_port)
    local far = f:join()
    a:close()
    return near, far
  end
  -- Connections that a queue of 0 holds. Further attempts are not answered: listen(2), sk_acceptq_is_full in the kernel.
  local ROOM = 1
  local function reset(sock) sock:set_option('linger', true, 0) sock:close() end
  local function waits_for_urgent(sock)
    local ok, e = pcall(timeout, 0.02, function() return sock:receive(byte_span.new(4), {'out_of_band'}) end)
    return not ok and e == ge.ETIMEDOUT
  end
  local function raises(f, ...)
    local ok, e = pcall(f, ...)
    if ok then print('no error') elseif type(e) == 'string' then print(e) else print(e, e.category, e.arg) end
  end
`;

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`${SETUP} local near, far = pair() near:close() far:close()`);

// ── peers ──────────────────────────────────────────────────────────────────────────────────────────

spec(
  'a peer that sends one byte at a time, and one that finishes in the middle',
  `${SETUP}
  local near, far = pair()
  local text = ('0123456789'):rep(20)
  local f = spawn(function()
    for i = 1, #text do
      far:write_some(bytes(text:sub(i, i)))
      if i % 7 == 0 then this_fiber.yield() end
    end
    far:shutdown('send')
  end)
  local b = byte_span.new(#text)
  print(stream.read_all(near, b), tostring(b) == text)
  f:join()
  raises(near.read_some, near, b)
  raises(stream.read_all, near, b)
  near:close() far:close()
`,
  '200\ttrue\n' + 'End of file\tasio.misc\tnil\n'.repeat(2),
);

spec(
  'what was sent before a half-close is read; the other half goes on',
  `${SETUP}
  local near, far = pair()
  stream.write_all(far, 'the last words')
  far:shutdown('send')
  local b = byte_span.new(64)
  local n = near:read_some(b)
  print(b:first(n))
  raises(near.read_some, near, b)
  for i = 1, 3 do stream.write_all(near, 'answer ' .. i) end
  near:shutdown('send')
  local f = spawn(function()
    local total = 0
    local ok, e = pcall(function() while true do total = total + far:read_some(b) end end)
    return total, e
  end)
  print(f:join())
  raises(near.write_some, near, b)
  near:close() far:close()
`,
  'the last words\nEnd of file\tasio.misc\tnil\n24\tEnd of file\nBroken pipe\tsystem\tnil\n',
);

spec(
  'a peer that never reads: writes wait, and are ended by time, cancel, close and reset',
  `${SETUP}
  local function fill(sock)
    local chunk = byte_span.new(65536)
    local ok, e = pcall(function() while true do sock:write_some(chunk) end end)
    return e
  end
  local near, far = pair()
  near:set_option('send_buffer_size', 8192)
  local ok, e = pcall(timeout, 0.02, function() while true do near:write_some(byte_span.new(65536)) end end)
  print(e == ge.ETIMEDOUT)
  for _, stop in ipairs{
    function() near:cancel() end,
    function() reset(far) end,
  } do
    local f = spawn(function() return fill(near) end)
    this_fiber.yield()
    stop()
    print(f:join())
  end
  near:close()
  local near, far = pair()
  local f = spawn(function() return fill(near) end)
  time.sleep(0.005)
  near:close()
  print(f:join())
  far:close()
`,
  'true\nOperation canceled\nConnection reset by peer\nOperation canceled\n',
  { once: true },
);

spec(
  'a peer that resets: pending and later operations of both directions',
  `${SETUP}
  local near, far = pair()
  local reader = spawn(function() raises(near.read_some, near, byte_span.new(4)) end)
  this_fiber.yield()
  reset(far)
  reader:join()
  raises(near.read_some, near, byte_span.new(4)) -- the reset is told once
  raises(near.write_some, near, byte_span.new(4))
  raises(function() return near.remote_address end)
  print(near.is_open, near.local_address)
  near:close()
`,
  'Connection reset by peer\tsystem\tnil\nEnd of file\tasio.misc\tnil\nBroken pipe\tsystem\tnil\n' +
    'Transport endpoint is not connected\tsystem\tnil\ntrue\t127.0.0.1\n',
);

spec(
  'connections that are reset before they are accepted',
  `${SETUP}
  local a = listening()
  for i = 1, 20 do reset(ip.tcp.dial('127.0.0.1:' .. a.local_port)) end
  local client = ip.tcp.dial('127.0.0.1:' .. a.local_port)
  stream.write_all(client, 'alive')
  local dead, alive = 0, 0
  repeat
    local s = a:accept()
    local b = byte_span.new(5)
    if pcall(stream.read_all, s, b) then alive = alive + 1 else dead = dead + 1 end
    s:close()
  until alive == 1
  print(dead <= 20, alive)
  client:close() a:close()
`,
  'true\t1\n',
);

// ── urgent data ────────────────────────────────────────────────────────────────────────────────────

spec(
  'urgent data out of the stream: wait, at_mark, receive',
  `${SETUP}
  local near, far = pair()
  local woken = spawn(function() near:wait('error') return 'urgent' end)
  this_fiber.yield()
  far:send(bytes('abc!'), {'out_of_band'})
  stream.write_all(far, 'def')
  print(woken:join())
  local b = byte_span.new(16)
  print(near:receive(b, {'out_of_band'}), b:first(1))
  print(waits_for_urgent(near)) -- it was there once
  local before = {}
  while not near.at_mark do
    local n = near:read_some(b)
    before[#before + 1] = tostring(b:first(n))
  end
  print(table.concat(before), near.at_mark)
  local n = near:read_some(b)
  print(b:first(n), near.at_mark)
  near:close() far:close()
`,
  'urgent\n1\t!\ntrue\nabc\ttrue\ndef\tfalse\n',
);

spec(
  'urgent data in the stream: reads stop at the mark',
  `${SETUP}
  local near, far = pair()
  near:set_option('out_of_band_inline', true)
  far:send(bytes('abc!'), ip.message_flag.out_of_band)
  stream.write_all(far, 'def')
  near:wait('error')
  local b = byte_span.new(16)
  local n = near:read_some(b)
  print(b:first(n), near.at_mark)
  local rest = byte_span.new(4)
  print(stream.read_all(near, rest), rest)
  print(waits_for_urgent(near))
  near:close() far:close()
`,
  'abc\ttrue\n4\t!def\ntrue\n',
);

spec(
  'urgent data do not hide what comes behind a short read',
  `${SETUP}
  local near, far = pair()
  local b = byte_span.new(16)
  for i = 1, 5 do
    local f = spawn(function() return near:read_some(b), tostring(b:first(2)) end)
    this_fiber.yield()
    far:send(bytes('x'), {'out_of_band'})
    stream.write_all(far, 'a' .. i)
    print(f:join())
  end
  near:close() far:close()
`,
  '2\ta1\n2\ta2\n2\ta3\n2\ta4\n2\ta5\n',
);

// ── waiting ────────────────────────────────────────────────────────────────────────────────────────

spec(
  'a read and a write wait at once on one socket',
  `${SETUP}
  local near, far = pair()
  local total = 300000
  local writer = spawn(function() stream.write_all(near, ('w'):rep(total)) near:shutdown('send') end)
  local reader = spawn(function()
    local b = byte_span.new(total)
    return stream.read_all(near, b)
  end)
  local b, got = byte_span.new(7777), 0
  local ok, e = pcall(function()
    while true do
      local n = far:read_some(b)
      got = got + n
      stream.write_all(far, b:first(n))
    end
  end)
  print(got, e)
  print(reader:join())
  writer:join()
  near:close() far:close()
`,
  '300000\tEnd of file\n300000\n',
);

spec(
  'connect is interrupted, cancelled and closed while the other side does not answer',
  `${SETUP}
  local a = listening(nil, 0)
  local kept = {}
  for i = 1, ROOM do
    kept[i] = ip.tcp.socket.new()
    kept[i]:connect(loopback, a.local_port)
  end
  for _, stop in ipairs{
    function(s, f) f:interrupt() end, function(s) s:cancel() end, function(s) s:close() end,
  } do
    local s = ip.tcp.socket.new()
    local f = spawn(function() local ok, e = pcall(s.connect, s, loopback, a.local_port) print(e) end)
    time.sleep(0.005)
    stop(s, f)
    f:join()
    s:close()
  end
  local ok, e = pcall(timeout, 0.02, function()
    return ip.tcp.dial('127.0.0.1:' .. a.local_port)
  end)
  print(e == ge.ETIMEDOUT)
  for _, s in ipairs(kept) do s:close() end
  a:close()
`,
  'Fiber interrupted\nOperation canceled\nOperation canceled\ntrue\n',
  { once: true },
);

spec(
  'attempts that overlap: one that is not answered holds up nothing, and none is left behind',
  `${SETUP}
  local full = listening(nil, 0)
  local kept = {}
  for i = 1, ROOM do
    kept[i] = ip.tcp.socket.new()
    kept[i]:connect(loopback, full.local_port)
  end
  local good = listening(ip.address.loopback_v6())
  local list = {
    {address = loopback, port = full.local_port}, {address = loopback, port = full.local_port},
    {address = ip.address.loopback_v6(), port = good.local_port},
  }
  local s = ip.tcp.socket.new()
  s:open('v4') -- closed, and opened for the family that it takes
  local address, port = ip.connect(s, list, nil, {attempt_delay = 0.01})
  print(address, port == good.local_port, s.is_open, s.remote_port == port)
  s:close()
  local asked = {}
  ip.connect(s, list, function(e, address) asked[#asked + 1] = tostring(address) return address.is_v6 end, {attempt_delay = 10})
  print(table.concat(asked, ' '), s.remote_address)
  s:close()
  raises(ip.connect, s, list, function() return false end, {attempt_delay = 1})
  raises(ip.connect, {}, list, nil, {attempt_delay = 1})
  raises(ip.connect, s, {{address = '::1', port = 1}}, nil, {attempt_delay = 1})
  raises(ip.connect, s, list, nil, {attempt_delay = 'x'})
  good:close()
  raises(ip.connect, s, {{address = loopback, port = 1}, {address = ip.address.loopback_v6(), port = 1}}, nil, {attempt_delay = 5})
  local f = spawn(function() ip.connect(s, list, nil, {attempt_delay = 1000}) end)
  time.sleep(0.005)
  f:interrupt() f:join()
  print(f.interruption_caught, s.is_open)
  for _, s in ipairs(kept) do s:close() end
  full:close()
`,
  '::1\ttrue\ttrue\ttrue\n127.0.0.1 127.0.0.1 ::1\t::1\nElement not found\tasio.misc\tnil\n' +
    'Invalid argument\tgeneric\t1\nInvalid argument\tgeneric\t2\nInvalid argument\tgeneric\t4\n' +
    'Connection refused\tsystem\tnil\ntrue\tfalse\n',
  { once: true },
);

spec(
  'interruptions at any moment lose no byte and no datagram, and take none twice',
  `${SETUP}
  local near, far = pair()
  local text = {}
  for i = 1, 4000 do text[i] = ('%06d'):format(i) end
  text = table.concat(text)
  local sender = spawn(function()
    local at = 1
    while at <= #text do
      local size = at % 37 + 1
      stream.write_all(far, text:sub(at, at + size - 1))
      at = at + size
      if at % 5 == 0 then time.sleep(0) end
    end
    far:shutdown('send')
  end)
  local got, interrupted, over = {}, 0, false
  while not over do
    local f = spawn(function()
      local b = byte_span.new(11)
      while true do
        local ok, n = pcall(near.read_some, near, b)
        if not ok then
          if n == ae.misc.eof then over = true end
          return
        end
        got[#got + 1] = tostring(b:first(n))
      end
    end)
    for _ = 1, interrupted % 3 do this_fiber.yield() end
    if interrupted % 4 == 0 then time.sleep(0) end
    f:interrupt()
    f:join()
    interrupted = interrupted + 1
  end
  sender:join()
  print(table.concat(got) == text, interrupted > 10)
  near:close() far:close()

  local a, b = ip.udp.socket.new(), ip.udp.socket.new()
  a:open('v4') a:bind(loopback, 0)
  b:open('v4') b:bind(loopback, 0)
  local seen, sent = 0, 0
  local order = true
  while seen < 300 do
    local f = spawn(function()
      local buf = byte_span.new(8)
      while true do
        local ok, n = pcall(b.receive_from, b, buf)
        if not ok then return end
        seen = seen + 1
        order = order and tonumber(tostring(buf:first(n))) == seen
      end
    end)
    if sent < 300 then
      sent = sent + 1
      if sent % 3 == 0 then this_fiber.yield() end
      a:send_to(bytes(tostring(sent)), loopback, b.local_port)
    end
    if sent % 4 == 0 then time.sleep(0) end
    f:interrupt()
    f:join()
  end
  print(seen, order)
  a:close() b:close()
`,
  'true\ttrue\n300\ttrue\n',
);

spec(
  'an interrupted write says what it has written by what arrives',
  `${SETUP}
  local near, far = pair()
  near:set_option('send_buffer_size', 4096)
  far:set_option('receive_buffer_size', 4096)
  local counted, arrived, done = 0, 0, false
  local reader = spawn(function()
    local b = byte_span.new(3000)
    pcall(function()
      while true do
        arrived = arrived + far:read_some(b)
        time.sleep(0)
      end
    end)
  end)
  for i = 1, 60 do
    local f = spawn(function()
      local chunk = byte_span.new(5000)
      while true do counted = counted + near:write_some(chunk) end
    end)
    this_fiber.yield()
    if i % 3 == 0 then time.sleep(0) end
    f:interrupt()
    f:join()
  end
  near:shutdown('send')
  reader:join()
  print(counted == arrived, counted > 0)
  near:close() far:close()
`,
  'true\ttrue\n',
);

// ── acceptors ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'a storm of connections: all are accepted, by several fibers',
  `${SETUP}
  local a = listening()
  local COUNT, accepted = 200, 0
  local workers = {}
  for i = 1, 3 do
    workers[i] = spawn(function()
      while true do
        local s = a:accept()
        accepted = accepted + 1
        stream.write_all(s, 'x')
        s:close()
        if accepted == COUNT then a:close() return end
      end
    end)
  end
  local clients = {}
  for i = 1, COUNT do
    clients[i] = spawn(function()
      local s = ip.tcp.dial('127.0.0.1:' .. a.local_port)
      local b = byte_span.new(1)
      stream.read_all(s, b)
      s:close()
    end)
  end
  for _, f in ipairs(clients) do f:join() end
  for _, f in ipairs(workers) do pcall(f.join, f) end
  print(accepted)
`,
  '200\n',
);

spec(
  'acceptors share a port with reuse_port',
  `${SETUP}
  local function acceptor(port, share)
    local a = ip.tcp.acceptor.new()
    a:open('v4')
    if share then a:set_option('reuse_port', true) end
    local ok, e = pcall(a.bind, a, loopback, port)
    if not ok then a:close() return nil, e end
    a:listen()
    return a
  end
  local a = acceptor(0, true)
  local b = acceptor(a.local_port, true)
  print(a:get_option('reuse_port'), b.local_port == a.local_port)
  print(select(2, acceptor(a.local_port, false)) == ae.basic.address_in_use)
  local counts = {0, 0}
  local fibers = {}
  for i, acceptor in ipairs{a, b} do
    fibers[i] = spawn(function()
      pcall(function() while true do acceptor:accept():close() counts[i] = counts[i] + 1 end end)
    end)
  end
  for i = 1, 64 do ip.tcp.dial('127.0.0.1:' .. a.local_port):close() end
  while counts[1] + counts[2] < 64 do this_fiber.yield() time.sleep(0.001) end
  print(counts[1] > 0, counts[2] > 0)
  a:close() b:close()
  for _, f in ipairs(fibers) do f:join() end
`,
  'true\ttrue\ntrue\ntrue\ttrue\n',
);

spec(
  'an acceptor waits for connections without taking them; released and assigned it goes on',
  `${SETUP}
  local a = listening()
  local f = spawn(function() a:wait('read') return 'somebody' end)
  this_fiber.yield()
  local client = ip.tcp.dial('127.0.0.1:' .. a.local_port)
  print(f:join())
  local waiting = spawn(function() raises(a.wait, a, 'error') end)
  this_fiber.yield()
  local fd = a:release()
  waiting:join()
  local b = ip.tcp.acceptor.new()
  b:assign('v4', fd)
  local s = b:accept()
  stream.write_all(s, 'hi')
  local buf = byte_span.new(2)
  stream.read_all(client, buf)
  print(buf, a.is_open)
  raises(a.accept, a)
  raises(a.release, a)
  raises(b.wait, b, 'anything')
  -- A connection changes hands with bytes unread.
  stream.write_all(client, 'more')
  s:wait('read')
  local moved = ip.tcp.socket.new()
  moved:assign(loopback, s:release())
  print(moved:read_some(byte_span.new(9)), moved.remote_port == client.local_port)
  b:close() moved:close() client:close()
`,
  'somebody\nOperation canceled\tsystem\tnil\nhi\tfalse\nBad file descriptor\tsystem\tnil\n' +
    'Bad file descriptor\tgeneric\tnil\nInvalid argument\tgeneric\t2\n4\ttrue\n',
);

// ── IPv6 ───────────────────────────────────────────────────────────────────────────────────────────

spec(
  'a dual-stack acceptor has IPv4 peers as mapped addresses; v6_only refuses them',
  `${SETUP}
  for _, only in ipairs{false, true} do
    local a = ip.tcp.acceptor.new()
    a:open('v6')
    a:set_option('v6_only', only)
    a:bind(ip.address.any_v6(), 0)
    a:listen()
    local ok, client = pcall(ip.tcp.dial, '127.0.0.1:' .. a.local_port)
    if ok then
      local s = a:accept()
      print(s.remote_address, s.local_address, s.remote_address:to_v4() == client.local_address)
      s:close() client:close()
    else
      print(client)
    end
    local six = ip.tcp.dial('[::1]:' .. a.local_port)
    print(six.remote_address)
    six:close() a:close()
  end
  local s = ip.tcp.socket.new()
  s:open('v4')
  raises(s.connect, s, ip.address.loopback_v6(), 1) -- of the other family
  raises(s.set_option, s, 'v6_only', true)
  s:close()
`,
  '::ffff:127.0.0.1\t::ffff:127.0.0.1\ttrue\n::1\nConnection refused\n::1\n' +
    'Address family not supported by protocol\tsystem\tnil\nProtocol not available\tsystem\tnil\n',
);

spec(
  'interfaces by name and number in addresses',
  `${SETUP}
  local a = ip.address.new('fe80::1%lo')
  print(a.scope_id > 0, a, a == ip.address.new('fe80::1'), a == ip.address.new('fe80::1%' .. a.scope_id))
  raises(ip.address.new, 'fe80::1%no such interface')
  raises(ip.address.new, 'fe80::1%')
  raises(ip.address.new, '::1%lo\\0x')
  raises(ip.address.new, '127.0.0.1%lo')
  local b = ip.address.new('fe80::1')
  b.scope_id = a.scope_id
  print(a == b, a <= b, ip.tostring(b, 80))
  print(ip.toendpoint('[fe80::1%lo]:80'))
  -- names are for addresses of all scopes
  local l = ip.tcp.listen('[::1%lo]:0')
  local c = ip.address.new('::1%lo')
  local s = ip.tcp.dial(('[%s]:%d'):format(c, l.local_port))
  print(c.scope_id == a.scope_id, c.is_loopback, c ~= ip.address.loopback_v6(), s.remote_address.is_loopback)
  s:close() l:close()
`,
  'true\tfe80::1%lo\tfalse\ttrue\n' +
    'Invalid argument\tgeneric\tnil\n'.repeat(4) +
    'true\ttrue\t[fe80::1%lo]:80\nfe80::1%lo\t80\ntrue\ttrue\ttrue\ttrue\n',
);

// More connections than it takes to read, and to write, those of a batch together.
const CROWD = `${SETUP}
  local a = listening()
  local COUNT = 20
  local function connections()
    local near, far = {}, {}
    for i = 1, COUNT do
      local f = spawn(function() return a:accept() end)
      near[i] = ip.tcp.dial('127.0.0.1:' .. a.local_port)
      far[i] = f:join()
    end
    return near, far
  end
`;

spec(
  'answers of a crowd: each gets its own, in order',
  `${CROWD}
  local near, far = connections()
  local sums = {}
  for i = 1, COUNT do
    spawn(function()
      local b = byte_span.new(16)
      while true do
        local ok, n = pcall(far[i].read_some, far[i], b)
        if not ok then break end
        stream.write_all(far[i], b:first(n))
        stream.write_all(far[i], '.')
      end
      far[i]:close()
    end):detach()
  end
  local fibers = {}
  for i = 1, COUNT do
    fibers[i] = spawn(function()
      local b = byte_span.new(4)
      for round = 1, 20 do
        stream.write_all(near[i], ('%03d'):format(i * round))
        stream.read_all(near[i], b)
        assert(tostring(b) == ('%03d.'):format(i * round), tostring(b))
      end
      near[i]:close()
    end)
  end
  for i = 1, COUNT do fibers[i]:join() end
  a:close()
  print('fine')
`,
  'fine\n',
);

spec(
  'a write is sent before its socket is closed or its fiber interrupted, with all the others',
  `${CROWD}
  local near, far = connections()
  local fibers, told = {}, {}
  for i = 1, COUNT do
    fibers[i] = spawn(function()
      local b = byte_span.new(1)
      far[i]:read_some(b)
      stream.write_all(far[i], 'answer')
      told[i] = true
      far[i]:shutdown('send')
    end)
    spawn(function()
      while not told[i] do
        if i % 2 == 0 then fibers[i]:interrupt() end
        this_fiber.yield()
      end
    end):detach()
  end
  this_fiber.yield()
  for i = 1, COUNT do if i % 2 == 1 then stream.write_all(near[i], 'x') end end
  local got = 0
  for i = 1, COUNT do
    if i % 2 == 1 then
      fibers[i]:join()
      local b = byte_span.new(6)
      stream.read_all(near[i], b)
      if tostring(b) == 'answer' then got = got + 1 end
    else
      pcall(fibers[i].join, fibers[i])
      told[i] = true
    end
    near[i]:close()
    far[i]:close()
  end
  a:close()
  print(got)
`,
  '10\n',
);

spec(
  'a crowd that writes on and on does not keep timers waiting',
  `${CROWD}
  local near, far = connections()
  local stop, writes = false, 0
  local fibers = {}
  for i = 1, COUNT do
    fibers[2 * i - 1] = spawn(function()
      local b = byte_span.new(16)
      far[i]:read_some(b)
      while not stop do writes = writes + far[i]:write_some(bytes 'x') end
      far[i]:close()
    end)
    fibers[2 * i] = spawn(function()
      local b = byte_span.new(4096)
      near[i]:write_some(bytes 'go')
      while pcall(near[i].read_some, near[i], b) do end
      near[i]:close()
    end)
  end
  while writes == 0 do time.sleep(0.001) end -- until it has begun
  time.sleep(0.05)
  stop = true
  for i = 1, 2 * COUNT do fibers[i]:join() end
  a:close()
  print(writes > 0)
`,
  'true\n',
);
