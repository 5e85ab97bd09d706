import { runLua, spec } from '../support/spec.ts';

// The reactor's own descriptors come with the first operation that waits, and stay.
await runLua(`
  local r = require('pipe').pair()
  spawn(function() pcall(r.read_some, r, byte_span.new(1)) end)
  this_fiber.yield()
  r:close()
`);

const SETUP = `
  local pipe, stream, time = require 'pipe', require 'stream', require 'time'
  local ge, ae = require 'generic_error', require 'asio_error'
  local r, w = pipe.pair()
`;

spec(
  'fibers that can run have their turn at an operation, also at one that completes at once, or fails',
  `${SETUP}
  spawn(function() print 'one' this_fiber.yield() print 'three' end)
  w:write_some(byte_span.append('x'))
  print 'two'
  r:read_some(byte_span.new(1))
  print 'four'
  r:close()
  spawn(function() print 'five' end)
  print(select(2, pcall(w.write_some, w, byte_span.append('x'))))
  spawn(function() print 'seven' end)
  pcall(r.read_some, r, 1)
  print 'six, as what was asked for makes no sense'
`,
  `one
two
three
four
five
Broken pipe
six, as what was asked for makes no sense
seven
`,
);

// What waits for an event is in no order that the program has made: who moves much goes on for a while.
spec(
  'of readers that events have woken each has its turn after a small read, and after some large ones',
  `
  local pipe, time = require 'pipe', require 'time'
  local function order(size)
    local log, writers, readers = {}, {}, {}
    for i, name in ipairs {'a', 'b'} do
      local r, w = pipe.pair()
      writers[i] = w
      readers[i] = spawn(function()
        local buf = byte_span.new(size)
        for _ = 1, 65536 / size do r:read_some(buf) log[#log + 1] = name end
      end)
    end
    time.sleep(0.01)
    for _, w in ipairs(writers) do w:write_some(byte_span.new(65536)) end
    for _, f in ipairs(readers) do f:join() end
    local text = table.concat(log)
    local second = text:sub(1, 1) == 'a' and 'b' or 'a'
    return (text:gsub('[ab]', function(c) return c == second and '2' or '1' end))
  end
  print(order(16384), order(32768))
  local r, w = pipe.pair()
  w:write_some(byte_span.new(65536))
  spawn(function() print 'a fiber that the program has let run' end):detach()
  r:read_some(byte_span.new(32768))
  print 'who reads much'
`,
  `12121212\t1122
a fiber that the program has let run
who reads much
`,
);

spec(
  'two that could read much for ever have their turns',
  `
  local file, fs = require 'file', require 'filesystem'
  local log = {}
  local function reader(name)
    local f = file.stream.new()
    f:open(fs.path.new '/dev/zero', {'read_only'})
    local buf = byte_span.new(32768)
    for _ = 1, 200 do f:read_some(buf) log[#log + 1] = name end
  end
  local a, b = spawn(function() reader 'a' end), spawn(function() reader 'b' end)
  a:join()
  b:join()
  local both = table.concat(log):gsub('a+$', ''):gsub('b+$', '')
  local longest = 0
  for run in both:gmatch '[a]+' do longest = math.max(longest, #run) end
  for run in both:gmatch '[b]+' do longest = math.max(longest, #run) end
  print(#log, longest <= 17 or both)
`,
  '400\ttrue\n',
);

spec(
  'bytes go through a pipe, from the second end to the first',
  `${SETUP}
  print(getmetatable(r), getmetatable(w), r.is_open, w.is_open)
  print(w:write_some(byte_span.append('hello')))
  local b = byte_span.new(10)
  local n = r:read_some(b)
  print(n, b:first(n))
  w:close()
  local ok, e = pcall(r.read_some, r, b)
  print(ok, e == ae.misc.eof, w.is_open)
`,
  'pipe.read_stream\tpipe.write_stream\ttrue\ttrue\n5\n5\thello\nfalse\ttrue\tfalse\n',
);

spec(
  'a write that nobody will read is EPIPE',
  `${SETUP}
  r:close()
  local ok, e = pcall(w.write_some, w, byte_span.append('x'))
  print(ok, e == ae.basic.broken_pipe, e:togeneric() == ge.EPIPE)
`,
  'false\ttrue\ttrue\n',
);

spec(
  'a full pipe makes the writer wait, and nothing is lost',
  `${SETUP}
  local SIZE = 1000000
  local piece = ('0123456789'):rep(SIZE / 10)
  local f = spawn(function()
    stream.write_all(w, piece)
    w:close()
  end)
  local b, all = byte_span.new(7001), {}
  while true do
    local ok, n = pcall(r.read_some, r, b)
    if not ok then print(n) break end
    all[#all + 1] = tostring(b:first(n))
  end
  f:join()
  print(table.concat(all) == piece)
`,
  'End of file\ntrue\n',
);

spec(
  'an interrupted read takes nothing, an interrupted write is told',
  `${SETUP}
  local b = byte_span.new(1)
  local f = spawn(function() r:read_some(b) end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  stream.write_all(w, 'a')
  print(r:read_some(b), b)
  local piece = byte_span.new(4096)
  local written = 0
  f = spawn(function() while true do written = written + w:write_some(piece) end end)
  while written < 65536 do this_fiber.yield() end
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  w:close()
  local read = 0
  while pcall(function() read = read + r:read_some(piece) end) do end
  print(read == written)
`,
  'true\n1\ta\ntrue\ntrue\n',
);

spec(
  'close and cancel of another fiber end what waits',
  `${SETUP}
  for _, how in ipairs{'cancel', 'close'} do
    local f = spawn(function() r:read_some(byte_span.new(1)) end)
    this_fiber.yield()
    r[how](r)
    local ok, e = pcall(f.join, f)
    print(ok, e == ae.basic.operation_aborted, r.is_open)
  end
  for _, method in ipairs{'read_some', 'cancel', 'release'} do
    local _, e = pcall(r[method], r, byte_span.new(1))
    print(method, e:togeneric() == ae.basic.bad_descriptor:togeneric())
  end
  r:close()
`,
  'false\ttrue\ttrue\nfalse\ttrue\tfalse\nread_some\ttrue\ncancel\ttrue\nrelease\ttrue\n',
);

spec(
  'wrong arguments and members',
  `${SETUP}
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    return ok, e, e.arg
  end
  print(fails(r.read_some, r, 'x'))
  print(fails(w.write_some, w, 'x'))
  print(fails(r.read_some, w, byte_span.new(1)))
  print(fails(function() return r.write_some end))
  print(fails(function() r.is_open = false end))
  print(r:read_some(byte_span.new(0)), w:write_some(byte_span.new(0)))
`,
  `false\tInvalid argument\t2
false\tInvalid argument\t2
false\tInvalid argument\t1
false\tRequested key wasn't found in the table/userdata\tnil
false\tRequested key wasn't found in the table/userdata\tnil
0\t0
`,
);

spec(
  'the scanner reads lines from a pipe',
  `${SETUP}
  spawn(function()
    for i = 1, 3 do stream.write_all(w, 'line ' .. i .. '\\n') end
    w:close()
  end)
  local s = stream.scanner.new{stream = r}
  for i = 1, 3 do print(s:get_line()) end
  print(pcall(s.get_line, s))
`,
  'line 1\nline 2\nline 3\nfalse\tEnd of file\n',
);

spec(
  'what has no descriptor has none to release: EBADF, of the system for sockets of ip',
  `
  local pipe, ip, unix, file = require 'pipe', require 'ip', require 'unix', require 'file'
  local function fails(o)
    local ok, e = pcall(o.release, o)
    print(getmetatable(o), ok, e, e.category)
  end
  fails(pipe.read_stream.new())
  fails(pipe.write_stream.new())
  fails(file.stream.new())
  fails(file.random_access.new())
  local port = require('serial_port').new()
  fails(port)
  fails(unix.datagram.socket.new())
  fails(unix.stream.acceptor.new())
  fails(ip.tcp.acceptor.new())
  fails(ip.tcp.socket.new())
  fails(ip.udp.socket.new())
  for _, name in ipairs { 'isatty', 'tcgetpgrp' } do print(select(2, pcall(port[name], port)).category) end
`,
  [
    ...[
      'pipe.read_stream',
      'pipe.write_stream',
      'file.stream',
      'file.random_access',
      'serial_port',
    ],
    ...['unix.datagram.socket', 'unix.stream.acceptor', 'ip.tcp.acceptor'],
  ]
    .map((name) => `${name}\tfalse\tBad file descriptor\tgeneric\n`)
    .join('') +
    'ip.tcp.socket\tfalse\tBad file descriptor\tsystem\nip.udp.socket\tfalse\tBad file descriptor\tsystem\ngeneric\ngeneric\n',
);
