/** Serial ports over the pseudo-terminals of the kernel, whose other end is the device. */
import { existsSync } from 'node:fs';
import { faultTests, openReactor } from '../support/faulty.ts';
import { spec } from '../support/spec.ts';

await openReactor();

const SETUP = `
  local serial_port, pipe, stream = require 'serial_port', require 'pipe', require 'stream'
  local ge, ae = require 'generic_error', require 'asio_error'
  local function bytes(s) return byte_span.append(s) end
  local function text(io, n)
    local b = byte_span.new(n)
    stream.read_all(io, b)
    return tostring(b)
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error', e end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  local function setting(port, key, value) return fails(function() port[key] = value end) end
`;
const PAIR = `${SETUP}
  local master, fd = serial_port.ptypair()
  local slave = serial_port.new(fd)
`;

if (existsSync('/dev/ptmx')) {
  spec(
    'a pair: what goes in at one end comes out at the other',
    `${PAIR}
    print(getmetatable(master), getmetatable(slave), getmetatable(fd), master.is_open, slave.is_open)
    print(slave:isatty(), master:isatty())
    stream.write_all(slave, 'from the device')
    print(text(master, 15))
    stream.write_all(master, 'to the device\\n')
    print(text(slave, 14) == 'to the device\\n', text(master, 15) == 'to the device\\r\\n')
    slave:close()
    -- Linux: EIO from the master of a terminal that nobody has open
    local ok, e = pcall(master.read_some, master, byte_span.new(1))
    print(ok, e:togeneric() == ge.EIO)
  `,
    `serial_port\tserial_port\tnil\ttrue\ttrue
true\ttrue
from the device
true\ttrue
false\ttrue
`,
  );

  spec(
    'a hang-up is the end for the device',
    `${PAIR}
    local f = spawn(function() slave:read_some(byte_span.new(1)) end)
    this_fiber.yield()
    master:close()
    local ok, e = pcall(f.join, f)
    print(ok, e == ae.misc.eof)
  `,
    'false\ttrue\n',
  );

  spec(
    'settings of the line',
    `${PAIR}
    for _, rate in ipairs{300, 9600, 115200, 4000000} do
      slave.baud_rate = rate
      print(slave.baud_rate, master.baud_rate)
    end
    for _, value in ipairs{'software', 'hardware'} do
      slave.flow_control = value
      print(slave.flow_control)
    end
    slave.flow_control = nil
    print(slave.flow_control)
    for _, value in ipairs{'two', 'one'} do
      slave.stop_bits = value
      print(slave.stop_bits)
    end
    slave.parity = nil
    print(slave.parity, slave.character_size)
    slave.character_size = 8
    print(slave.character_size)
  `,
    `${[300, 9600, 115200, 4000000].map((rate) => `${rate}\t${rate}\n`).join('')}software
hardware
nil
two
one
nil\t8
8
`,
  );

  spec(
    'settings that are wrong',
    `${PAIR}
    print(setting(slave, 'baud_rate', 12345))
    print(setting(slave, 'baud_rate', 13))
    print(setting(slave, 'baud_rate', 2^40))
    print(setting(slave, 'baud_rate', 2^32 + 9600))
    print(setting(slave, 'baud_rate', 0/0))
    print(setting(slave, 'baud_rate', {}))
    print(setting(slave, 'flow_control', 'x'))
    print(setting(slave, 'flow_control', 1))
    print(setting(slave, 'parity', 'mark'))
    print(setting(slave, 'parity', true))
    print(setting(slave, 'stop_bits', 'one_point_five'))
    print(setting(slave, 'stop_bits', 'x'))
    print(setting(slave, 'stop_bits', nil))
    print(setting(slave, 'character_size', 4))
    print(setting(slave, 'character_size', 9))
    print(setting(slave, 'nonsense', 1))
    print(setting(slave, 'is_open', false))
    print(fails(function() return slave.nonsense end))
  `,
    `${'Invalid argument\tnil\n'.repeat(5)}main.lua:16: bad argument #3 to 'baud_rate' (number expected, got table)
Operation not supported\tnil
Invalid argument\t3
Operation not supported\tnil
Invalid argument\t3
Operation not supported\tnil
Operation not supported\tnil
Invalid argument\t3
Numerical result out of range\t3
Numerical result out of range\t3
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
`,
  );

  spec(
    'control: break, foreground group',
    `${PAIR}
    slave:send_break()
    print(fails(slave.tcgetpgrp, slave))
    print(fails(slave.tcsetpgrp, slave, 1))
    print(fails(slave.tcsetpgrp, slave, 'x'))
    print(master:tcgetpgrp())
  `,
    `Inappropriate ioctl for device\tnil
Inappropriate ioctl for device\tnil
bad argument #2 to 'tcsetpgrp' (number expected, got string)
0
`,
  );

  spec(
    'what is closed',
    `${SETUP}
    local port = serial_port.new()
    print(port.is_open, fails(port.read_some, port, byte_span.new(1)))
    for _, key in ipairs{'baud_rate', 'flow_control', 'parity', 'stop_bits', 'character_size'} do
      local ok, e = pcall(function() return port[key] end)
      print(key, e == ae.basic.bad_descriptor)
    end
    print(setting(port, 'baud_rate', 9600))
    for _, key in ipairs{'send_break', 'isatty', 'tcgetpgrp', 'cancel', 'release'} do
      local ok, e = pcall(port[key], port)
      print(key, e, e.category)
    end
    port:close()
  `,
    `false\tBad file descriptor\tnil
${['baud_rate', 'flow_control', 'parity', 'stop_bits', 'character_size'].map((key) => `${key}\ttrue\n`).join('')}Bad file descriptor\tnil
${['send_break\tsystem', 'isatty\tgeneric', 'tcgetpgrp\tgeneric', 'cancel\tsystem', 'release\tgeneric'].map((line) => `${line.replace('\t', '\tBad file descriptor\t')}\n`).join('')}`,
  );

  spec(
    'reads and writes are interrupted, cancelled, closed and released',
    `${PAIR}
    local function reader(port) local f = spawn(function() port:read_some(byte_span.new(1)) end) this_fiber.yield() return f end
    local f = reader(slave)
    f:interrupt()
    f:join()
    print(f.interruption_caught)
    for _, how in ipairs{'cancel', 'release'} do
      f = reader(slave)
      local result = slave[how](slave)
      local ok, e = pcall(f.join, f)
      print(how, ok, e == ae.basic.operation_aborted, slave.is_open)
      if result then slave = serial_port.new(result) end
    end
    print(slave:isatty())
    f = reader(slave)
    slave:close()
    print(pcall(f.join, f))
    -- nobody reads what the master writes
    local written = 0
    f = spawn(function() while true do written = written + master:write_some(bytes(('x'):rep(1000))) end end)
    local last = -1
    while last ~= written do last = written for i = 1, 20 do this_fiber.yield() end end
    f:interrupt()
    f:join()
    print(f.interruption_caught)
  `,
    `true
cancel\tfalse\ttrue\ttrue
release\tfalse\ttrue\tfalse
true
false\tOperation canceled
true
`,
  );

  spec(
    'open: devices by name',
    `${SETUP}
    local master, fd = serial_port.ptypair()
    local port = serial_port.new()
    print(fails(port.open, port, '/dev/none such'))
    print(fails(port.open, port, '/dev/null\\0'))
    print(fails(port.open, port, '/dev/null'))
    print(fails(port.open, port, '/'))
    print(fails(port.open, port, {}))
    print(port.is_open)
    print(fails(master.open, master, '/dev/null'))
    print(fails(master.assign, master, fd))
    print(fails(serial_port.new, 1))
    local r = pipe.pair()
    local other = serial_port.new(r:release())
    print(other:isatty(), fails(function() return other.baud_rate end))
  `,
    `No such file or directory\tnil
Invalid argument\tnil
Inappropriate ioctl for device\tnil
Is a directory\tnil
bad argument #2 to 'open' (string expected, got table)
false
Already open\tnil
Already open\tnil
Invalid argument\t1
false\tInappropriate ioctl for device\tnil
`,
  );

  spec(
    'a scanner reads lines from a device',
    `${PAIR}
    local lines = stream.scanner.new{stream = slave}
    spawn(function() stream.write_all(master, 'AT\\nOK\\n') end)
    print(tostring(lines:get_line()), tostring(lines:get_line()))
  `,
    'AT\tOK\n',
  );

  const faulty = faultTests(SETUP);
  faulty(
    'no pseudo-terminal left',
    'openpty',
    { errno: 'ENOSPC' },
    `print(fails(serial_port.ptypair))
    print(serial_port.ptypair().is_open)`,
    'No space left on device\tnil\ntrue\n',
  );
  for (const [call, fault] of [
    ['read', { errno: 'EINTR', times: 20 }],
    ['read', { limit: 1, times: 20 }],
    ['read', { errno: 'EAGAIN', times: 20 }],
    ['write', { errno: 'EINTR', times: 20 }],
    ['write', { limit: 1, times: 20 }],
    ['write', { errno: 'EAGAIN', times: 20 }],
  ] as const) {
    faulty(
      `${call}: ${JSON.stringify(fault)}`,
      call,
      fault,
      `local master, fd = serial_port.ptypair()
      local slave = serial_port.new(fd)
      stream.write_all(slave, 'hello')
      print(text(master, 5))`,
      'hello\n',
    );
  }
}
