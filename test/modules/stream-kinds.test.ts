/** The algorithms of `stream`, on every kind of stream that there is. */
import { existsSync } from 'node:fs';
import { noCertificates, tlsSetup } from '../support/certificates.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { spec } from '../support/spec.ts';

await openReactor();

/** Each sets `w`, what is written to, and `r`, where it comes out. */
const KINDS: Record<string, string> = {
  pipe: "local r, w = require('pipe').pair()",
  'unix stream': "local r, w = require('unix').stream.socket.pair()",
  tcp: `
    local ip = require 'ip'
    local a = ip.tcp.listen('127.0.0.1:0')
    local accepting = spawn(function() return a:accept() end)
    local w = ip.tcp.dial('127.0.0.1:' .. a.local_port)
    local r = accepting:join()
    a:close()
  `,
  'a pipe as file': `
    local r, w = require('pipe').pair()
    local file = require 'file'
    r, w = file.stream.new(r:release()), file.stream.new(w:release())
  `,
  'a socket that was passed': `
    local unix = require 'unix'
    local a, b = unix.seqpacket.socket.pair()
    local r, w = unix.stream.socket.pair()
    a:send_with_fds(byte_span.new(1), {r:release()})
    local _, fds = b:receive_with_fds(byte_span.new(1), 1)
    r = unix.stream.socket.new(fds[1])
  `,
};
if (existsSync('/dev/ptmx')) {
  KINDS['serial port'] = `
    local serial_port = require 'serial_port'
    local r, fd = serial_port.ptypair()
    local w = serial_port.new(fd)
  `;
}
if (noCertificates === false) {
  KINDS.tls = `${tlsSetup()} local w, r = pair()`;
}

const PROGRAM = `
  local stream, written = require 'stream', {}
  local SIZE = 200000
  local data = ('0123456789'):rep(SIZE / 10)
  local f = spawn(function()
    written[1] = stream.write_all(w, data)
    written[2] = stream.write_at_least(w, byte_span.append('at least'), 100)
    written[3] = stream.write_all(w, 'first line#second#')
  end)
  local b = byte_span.new(SIZE)
  print(stream.read_all(r, b), tostring(b) == data)
  local c = byte_span.new(8)
  print(stream.read_at_least(r, c, 8), c)
  local lines = stream.scanner.new{stream = r, record_separator = '#'}
  print(tostring(lines:get_line()), tostring(lines:get_line()))
  f:join()
  print(table.concat(written, ' '))
  print(stream.read_all(r, byte_span.new(0)), stream.write_all(w, ''))
`;
const EXPECTED = `200000\ttrue
8\tat least
first line\tsecond
200000 8 18
0\t0
`;

for (const [kind, setup] of Object.entries(KINDS)) {
  spec(`${kind}: reading and writing all, at least, by lines`, setup + PROGRAM, EXPECTED);
  const faulty = faultTests(setup);
  for (const call of ['read', 'write']) {
    faulty(`${kind}: ${call} in pieces`, call, { limit: 999, times: 100 }, PROGRAM, EXPECTED);
    faulty(`${kind}: ${call} not ready`, call, { errno: 'EAGAIN', times: 5 }, PROGRAM, EXPECTED);
  }
}
