/**
 * What loopback can't show: multicast and addresses that need an interface, over a pair of virtual
 * network cards in a network namespace of the test's own.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { outputOf } from '../support/output.ts';
import { MAIN } from '../support/spec.ts';

const SET_UP = `
  set -e
  ip link set lo up
  ip link add near type veth peer name far
  ip link set near addrgenmode none && ip link set far addrgenmode none
  ip link set near up && ip link set far up
  ip addr add fe80::1/64 dev near nodad && ip addr add fe80::2/64 dev far nodad
  ip addr add 10.7.0.1/24 broadcast 10.7.0.255 dev near
  ip route add 224.0.0.0/4 dev near
`;
const NAMESPACE = ['--user', '--map-root-user', '--net', 'sh', '-c'];

/** Whether such a namespace can be made here. */
function whyNot(): string | false {
  const run = spawnSync('unshare', [...NAMESPACE, SET_UP], { encoding: 'utf8' });
  if (run.status === 0) return false;
  return `no network namespace here: ${run.error?.message ?? run.stderr.trim()}`;
}
const skip = whyNot();

function inNamespace(name: string, source: string, expected: string): void {
  test(name, { skip, timeout: 300_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perilune-net-'));
    const program = join(folder, 'main.lua');
    writeFileSync(program, `local ip, timeout = require 'ip', require 'timeout'\n${source}`);
    try {
      const script = `${SET_UP}\nexec "$0" --stack-size=3900 "$@"`;
      const { stdout, stderr } = await outputOf('unshare', [
        ...NAMESPACE,
        script,
        process.execPath,
        MAIN,
        program,
      ]);
      assert.deepEqual([stdout, stderr], [expected, '']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

inNamespace(
  'multicast over IPv4: join, send, loop, leave',
  `
  local group = ip.address.new('239.1.2.3')
  local s, sender = ip.udp.socket.new(), ip.udp.socket.new()
  s:open('v4')
  s:bind(group, 0)
  s:set_option('join_multicast_group', group)
  print(pcall(s.set_option, s, 'join_multicast_group', group))
  sender:open('v4')
  sender:set_option('multicast_interface', ip.address.new('10.7.0.1'))
  sender:set_option('multicast_hops', 1)
  print(sender:send_to(byte_span.append('hello'), group, s.local_port))
  local buf = byte_span.new(16)
  local n, from = s:receive_from(buf)
  print(n, buf:first(n), from)
  sender:set_option('multicast_loop', false)
  sender:send_to(byte_span.append('not looped'), group, s.local_port)
  sender:set_option('multicast_loop', true)
  sender:send_to(byte_span.append('looped'), group, s.local_port)
  print(s:receive(buf), buf:first(6))
  s:set_option('leave_multicast_group', group)
  sender:send_to(byte_span.append('nobody'), group, s.local_port)
  print(pcall(s.set_option, s, 'leave_multicast_group', group))
  print(s:io_control('bytes_readable'))
  print(pcall(sender.set_option, sender, 'multicast_interface', ip.address.new('10.9.9.9')))
  s:close() sender:close()
`,
  'false\tAddress already in use\n5\n5\thello\t10.7.0.1\n6\tlooped\nfalse\tCannot assign requested address\n' +
    '0\nfalse\tCannot assign requested address\n',
);

inNamespace(
  'multicast over IPv6: the scope id of the group is the interface',
  `
  local near, far = ip.address.new('ff02::1234%near'), ip.address.new('ff02::1234%far')
  local s, sender = ip.udp.socket.new(), ip.udp.socket.new()
  s:open('v6')
  s:bind(ip.address.any_v6(), 0)
  s:set_option('join_multicast_group', far)
  sender:open('v6')
  sender:set_option('multicast_loop', false)
  sender:send_to(byte_span.append('hello'), near, s.local_port)
  local buf = byte_span.new(16)
  local n, from = s:receive_from(buf)
  print(n, buf:first(n), from, from.is_link_local, from.scope_id == far.scope_id)
  s:set_option('leave_multicast_group', far)
  print(pcall(s.set_option, s, 'leave_multicast_group', far))
  s:close() sender:close()
`,
  '5\thello\tfe80::1%far\ttrue\ttrue\nfalse\tCannot assign requested address\n',
);

inNamespace(
  'link-local addresses name their interface, in both transports and in name resolution',
  `
  local acceptor = ip.tcp.acceptor.new()
  acceptor:open('v6')
  acceptor:bind('fe80::2%far', 0)
  acceptor:listen()
  print(acceptor.local_address)
  print(pcall(function()
    local s = ip.tcp.socket.new()
    s:connect(ip.address.new('fe80::2'), acceptor.local_port)
  end))
  local number = ip.address.new('fe80::2%near').scope_id
  local client = ip.tcp.dial('[fe80::2%' .. number .. ']:' .. acceptor.local_port)
  local s = acceptor:accept()
  print(client.remote_address, s.remote_address, s.local_address)
  print(ip.tcp.get_address_info(client.remote_address, 'http')[1].address)
  local list = ip.udp.get_address_v6_info('fe80::2%near', 'domain')
  print(list[1].address, list[1].port, list[1].address.scope_id == client.remote_address.scope_id)
  client:close()
  s:close()
  local u = ip.udp.dial('[fe80::2%near]:' .. acceptor.local_port)
  print(u.remote_address)
  local set = ip.address.new('fe80::2')
  set.scope_id = number
  local again = ip.tcp.socket.new()
  again:open('v6')
  again:bind('fe80::1%near', 0)
  again:connect(set, acceptor.local_port)
  print(again.remote_address)
  u:close() again:close() acceptor:close()
`,
  'fe80::2%far\nfalse\tInvalid argument\nfe80::2%near\tfe80::1%far\tfe80::2%far\nfe80::2%near\n' +
    'fe80::2%near\t53\ttrue\nfe80::2%near\nfe80::2%near\n',
);

inNamespace(
  'a broadcast on a network; unreachable networks and hosts',
  `
  local ae = require 'asio_error'
  local s = ip.udp.socket.new()
  s:open('v4')
  s:bind(ip.address.any_v4(), 0)
  local all = ip.address.new('10.7.0.255')
  print(pcall(s.send_to, s, byte_span.append('x'), all, s.local_port))
  s:set_option('broadcast', true)
  print(s:send_to(byte_span.append('all'), all, s.local_port))
  local n, from = s:receive_from(byte_span.new(8))
  print(n, from)
  local ok, e = pcall(ip.tcp.dial, '10.8.0.1:80')
  print(e == ae.basic.network_unreachable)
  local ok, e = pcall(ip.udp.dial, '[2001:db8::1]:80')
  print(e == ae.basic.network_unreachable)
  local ok, e = pcall(ip.tcp.listen, '10.8.0.1:0')
  print(e)
  -- The first address is unreachable, the second works.
  local a = ip.tcp.listen('10.7.0.1:0')
  local list = {{address = ip.address.new('10.8.0.1'), port = 1}, {address = a.local_address, port = a.local_port}}
  local c = ip.tcp.socket.new()
  print(ip.connect(c, list) == a.local_address, (ip.connect(c, list, nil, {attempt_delay = 9})))
  c:close() a:close() s:close()
`,
  'false\tPermission denied\n3\n3\t10.7.0.1\ntrue\ntrue\nCannot assign requested address\ntrue\t10.7.0.1\n',
);
