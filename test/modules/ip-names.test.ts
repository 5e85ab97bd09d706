/**
 * Names of hosts, from a name server of this test. What the C library has begun can't be stopped, so
 * tests of silent servers end before it does, in processes of their own.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, injectFault, useNameServer } from '../../src/sys/fault.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { runLua, spec } from '../support/spec.ts';

/** The C library asks a name server only if the system's configuration has it do so. */
function whyNot(): string | false {
  const failure = nativeFailure();
  if (failure !== undefined) return failure;
  try {
    const hosts = /^hosts:(.*)$/m.exec(readFileSync('/etc/nsswitch.conf', 'latin1'))?.[1] ?? 'dns';
    const plain = /^(?=.*\bdns\b)(?:\s*(?:files|dns|myhostname))+\s*$/.test(hosts);
    return plain ? false : `names are looked up in other ways here:${hosts}`;
  } catch {
    return false;
  }
}
const skip = whyNot();

/** Has this process sockets of the C library to the name server open? */
function queriesUnderWay(): boolean {
  const port = server.port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`: [0-9A-F:]+ 0100007F:${port} `).test(
    readFileSync('/proc/self/net/udp', 'latin1'),
  );
}

let server: DnsServer;
before(async () => {
  server = await startDnsServer({
    'both.test': { addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'] },
    'four.test': { addresses: ['192.0.2.4'] },
    'six.test': { addresses: ['2001:db8::6'] },
    'alias.test': { alias: 'real.test' },
    'real.test': { addresses: ['192.0.2.9'] },
    'empty.test': {},
    'broken.test': { fails: 2 },
    'refused.test': { fails: 5 },
    'long.test': {
      addresses: Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`),
      truncated: true,
    },
    'silent.test': { fails: 'silent' },
    'dead.test': { addresses: ['127.0.0.1', '127.0.0.2', '127.0.0.3'] },
    '7.2.0.192.in-addr.arpa': { pointer: 'seven.test' },
  });
  useNameServer(server.port);
  // What the first look-up and the first wait open stays open.
  await runLua(`
    local ip = require 'ip'
    ip.tcp.get_address_v4_info('four.test', 1)
    local a = ip.tcp.listen('127.0.0.1:0')
    spawn(function() pcall(a.accept, a) end)
    this_fiber.yield()
    a:close()
  `);
});
after(() => server.close());

const SETUP = `
  local ip, time = require 'ip', require 'time'
  local ae = require 'asio_error'
  local function show(list)
    local t = {}
    for i, e in ipairs(list) do t[i] = ip.tostring(e.address, e.port) end
    table.sort(t)
    print(table.concat(t, ' '))
  end
  local function raises(f, ...)
    local ok, e = pcall(f, ...)
    print(e, ok or e.category)
  end
`;

if (skip !== false) test('names', { skip }, () => {});
else {
  spec(
    'addresses of a name, by family and transport',
    `${SETUP}
    show(ip.tcp.get_address_info('both.test', 80, {}))
    show(ip.tcp.get_address_v4_info('both.test', '80'))
    show(ip.tcp.get_address_v6_info('both.test', 80))
    show(ip.udp.get_address_info('four.test', 53, {}))
    show(ip.udp.get_address_v4_info('four.test', 'domain'))
    show(ip.tcp.get_address_v6_info('four.test', 1)) -- mapped, since there is no other
    show(ip.tcp.get_address_v6_info('both.test', 1, {'v4_mapped', 'all_matching'}))
`,
    '192.0.2.1:80 192.0.2.2:80 [2001:db8::1]:80\n192.0.2.1:80 192.0.2.2:80\n[2001:db8::1]:80\n' +
      '192.0.2.4:53\n192.0.2.4:53\n[::ffff:192.0.2.4]:1\n' +
      '[2001:db8::1]:1 [::ffff:192.0.2.1]:1 [::ffff:192.0.2.2]:1\n',
  );

  spec(
    'the canonical name is in every entry when it is asked for',
    `${SETUP}
    for _, host in ipairs{'alias.test', 'both.test', '192.0.2.7'} do
      local list = ip.tcp.get_address_v4_info(host, 1, {'canonical_name'})
      print(#list, list[1].canonical_name, list[#list].canonical_name)
    end
    print(ip.tcp.get_address_v4_info('alias.test', 1)[1].canonical_name)
`,
    '1\treal.test\treal.test\n2\tboth.test\tboth.test\n1\t192.0.2.7\t192.0.2.7\nnil\n',
  );

  spec(
    'why a look-up failed',
    `${SETUP}
    raises(ip.tcp.get_address_info, 'nobody.test', 1)
    raises(ip.tcp.get_address_v4_info, 'empty.test', 1)
    raises(ip.tcp.get_address_v6_info, 'four.test', 1, {})
    raises(ip.tcp.get_address_v4_info, 'broken.test', 1)
    raises(ip.tcp.get_address_v4_info, 'four.test', 'no such service')
    raises(ip.tcp.get_address_v4_info, 'four.test\\0.evil', 1)
    raises(ip.tcp.get_address_v4_info, 'four.test', '80\\0')
    raises(ip.tcp.get_address_v4_info, ('x'):rep(70) .. '.test', 1)
    raises(ip.tcp.get_address_v4_info, ('x'):rep(5000), 1)
    raises(ip.tcp.get_address_v4_info, 'two words', 1)
    raises(ip.tcp.get_address_info, 'four.test', 1, 0x40000000)
    raises(ip.tcp.dial, 'nobody.test:1')
    raises(ip.udp.dial, 'nobody.test:1')
    raises(ip.tcp.listen, 'nobody.test:1')
    local ok, e = pcall(ip.tcp.dial, 'nobody.test:1')
    print(e == ae.netdb.host_not_found)
`,
    'Host not found (authoritative)\tasio.netdb\n' +
      'The query is valid, but it does not have associated data\tasio.netdb\n'.repeat(2) +
      'Host not found (non-authoritative), try again later\tasio.netdb\nService not found\tasio.addrinfo\n' +
      'Host not found (authoritative)\tasio.netdb\nService not found\tasio.addrinfo\n' +
      'Host not found (authoritative)\tasio.netdb\n'.repeat(3) +
      'Invalid argument\tsystem\n' +
      'Host not found (authoritative)\tasio.netdb\n'.repeat(3) +
      'true\n',
  );

  spec(
    'an empty service is port 0, an empty host this machine; both are none',
    `${SETUP}
    show(ip.tcp.get_address_v4_info('four.test', ''))
    show(ip.tcp.get_address_v4_info('192.0.2.1', ''))
    show(ip.udp.get_address_v4_info('', 'domain'))
    show(ip.udp.get_address_v4_info('', 'domain', {'passive'}))
    raises(ip.tcp.get_address_info, '', '')
`,
    '192.0.2.4:0\n192.0.2.1:0\n127.0.0.1:53\n0.0.0.0:53\nHost not found (authoritative)\tasio.netdb\n',
  );

  spec(
    'an answer that is too long for a datagram comes over TCP',
    `${SETUP}
    print(#ip.tcp.get_address_v4_info('long.test', 1))
`,
    '60\n',
  );

  spec(
    'the name of an address, or its text; services by transport',
    `${SETUP}
    local function names(module, text, port)
      local list = module.get_name_info(ip.address.new(text), port)
      print(#list, list[1].host_name, list[1].service_name)
    end
    names(ip.tcp, '192.0.2.7', 80)
    names(ip.udp, '192.0.2.7', 53)
    names(ip.tcp, '192.0.2.8', 65000)
    names(ip.tcp, '192.0.2.8', 65536 + 65000)
    print(pcall(ip.tcp.get_name_info, ip.address.new(), 'x'))
    raises(ip.udp.get_name_info, '127.0.0.1', 1)
`,
    '1\tseven.test\thttp\n1\tseven.test\tdomain\n1\t192.0.2.8\t65000\n1\t192.0.2.8\t65000\n' +
      "false\tbad argument #2 to 'get_name_info' (number expected, got string)\n" +
      'Invalid argument\tgeneric\n',
  );

  test('an interruption ends one look-up, and leaves the others', async () => {
    const outcome = await runLua(`${SETUP}
      local slow = {}
      for i = 1, 3 do slow[i] = spawn(function() ip.tcp.get_address_v4_info('four.test', 1) end) end
      local other = spawn(function() return #ip.tcp.get_address_v4_info('both.test', 1) end)
      this_fiber.yield()
      for _, f in ipairs(slow) do f:interrupt() f:join() print(f.interruption_caught) end
      print(other:join())
    `);
    assert.deepEqual([outcome.stdout, outcome.stderr], ['true\ntrue\ntrue\n2\n', '']);
    // The C library may have sockets of its own open for what it goes on with.
    for (let open = true; open; await nextTurn()) open = queriesUnderWay();
  });

  spec(
    'more look-ups than threads: each has its turn',
    `${SETUP}
    local fibers, sum = {}, 0
    for i = 1, 200 do
      fibers[i] = spawn(function() return #ip.tcp.get_address_v4_info(i % 2 == 0 and 'both.test' or 'four.test', i) end)
    end
    for _, f in ipairs(fibers) do sum = sum + f:join() end
    print(sum)
`,
    '300\n',
  );

  spec(
    'dial goes on to the next address; attempts that overlap find one, too',
    `${SETUP}
    local a = ip.tcp.acceptor.new()
    a:open('v4')
    a:bind('127.0.0.3', 0)
    a:listen()
    for _, options in ipairs{false, {attempt_delay = 0}, {attempt_delay = 0.25}, {attempt_delay = math.huge}} do
      local s = ip.tcp.dial('dead.test:' .. a.local_port, options or nil)
      print(s.remote_address)
      s:close()
    end
    a:close()
    raises(ip.tcp.dial, 'dead.test:1', {attempt_delay = 0})
    local ok, e = pcall(ip.tcp.dial, 'dead.test:1', {attempt_delay = -1}) print(e, e.arg)
    local ok, e = pcall(ip.tcp.dial, 'dead.test:1', true) print(e, e.arg)
`,
    '127.0.0.3\n'.repeat(4) + 'Connection refused\tsystem\n' + 'Invalid argument\t2\n'.repeat(2),
  );

  for (const call of ['getaddrinfo', 'getnameinfo']) {
    test(`${call}: no thread can be made`, async () => {
      injectFault(call, { errno: errnoNumber('EAGAIN')! });
      try {
        const outcome = await runLua(`${SETUP}
          local function ask()
            if '${call}' == 'getnameinfo' then return ip.tcp.get_name_info(ip.address.new('192.0.2.7'), 1)[1].host_name end
            return ip.tcp.get_address_v4_info('four.test', 1)[1].address
          end
          local ok, e = pcall(ask)
          print(e == ae.basic.try_again, ask())
        `);
        const name = call === 'getnameinfo' ? 'seven.test' : '192.0.2.4';
        assert.deepEqual([outcome.stdout, outcome.stderr], [`true\t${name}\n`, '']);
      } finally {
        clearFault(call);
      }
    });
  }

  test('workers end while look-ups of theirs are under way', { timeout: 300_000 }, async () => {
    const program = fileURLToPath(new URL('../io/programs/resolver-workers.ts', import.meta.url));
    const child = spawn(process.execPath, [program, String(server.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '', RES_OPTIONS: 'timeout:30 attempts:5' },
    });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.deepEqual([output, code], ['true\n', 0]);
  });

  test('a program ends while the C library still waits for an answer', {
    timeout: 300_000,
  }, async () => {
    // The C library is told to wait for minutes.
    const program = `
      import { useNameServer } from './src/sys/fault.ts';
      import { runLua } from './test/support/spec.ts';
      useNameServer(${server.port});
      const outcome = await runLua(\`
        local ip = require 'ip'
        local f = spawn(function() ip.tcp.get_address_v4_info('silent.test', 1) end)
        this_fiber.yield()
        f:interrupt()
        f:join()
        print('interrupted', f.interruption_caught, #ip.tcp.get_address_v4_info('both.test', 1))
      \`);
      process.stdout.write(outcome.stdout + outcome.stderr);
    `;
    const root = new URL('../../', import.meta.url);
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', RES_OPTIONS: 'timeout:30 attempts:5' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    await new Promise((resolve) => child.on('close', resolve));
    assert.equal(output, 'interrupted\ttrue\t2\n');
  });
}
