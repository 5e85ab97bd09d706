/** `system`: capabilities, no_new_privs, seccomp, Landlock; the ids of the process; inherited descriptors. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runProgram, spec } from '../support/spec.ts';

await openReactor();

const isRoot = process.getuid?.() === 0;
const skip = nativeFailure() ?? false;

const SETUP = `
  local system, file, fs = require 'system', require 'file', require 'filesystem'
  local stream, pipe = require 'stream', require 'pipe'
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error', e end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  local function read(name)
    local f = file.stream.new()
    f:open(fs.path.new(name), {'read_only'})
    local text, b = '', byte_span.new(4096)
    while true do
      local ok, n = pcall(f.read_some, f, b)
      if not ok then f:close() return text end
      text = text .. tostring(b:first(n))
    end
  end
  -- the values that a line of status has in the threads of the process
  local function in_threads(name)
    local r, w = pipe.pair()
    w = w:release()
    local p = system.spawn{program = 'sh', environment = {PATH = '/usr/bin:/bin'}, stdout = w, arguments = {'sh', '-c',
      'grep -h ^' .. name .. ' /proc/' .. system.getpid() .. '/task/*/status | sort -u'}}
    w:close()
    local text, b = '', byte_span.new(4096)
    while true do
      local ok, n = pcall(r.read_some, r, b)
      if not ok then break end
      text = text .. tostring(b:first(n))
    end
    r:close()
    p:wait()
    return (text:gsub('%s+$', ''))
  end
`;

/** In a process of its own, which changes for good. */
function program(name: string, source: string, expected: string, only = true): void {
  const why = skip || (only ? false : 'only for root');
  test(name, { skip: why, timeout: 300_000 }, async () => {
    const outcome = await runProgram(SETUP + source);
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.stdout, expected);
    assert.equal(outcome.code, 0);
  });
}

if (nativeFailure() === undefined) {
  // What libcap 2.66 says of these.
  spec(
    'capabilities as text',
    `${SETUP}
    for _, text in ipairs{'=', '=p', '=eip', 'cap_chown=p', 'cap_chown,cap_kill=ep cap_net_raw=i', '=ep cap_chown-e',
      'all=ip cap_kill+e', 'cap_chown+p', '=p cap_kill-p cap_chown+e', 'cap_chown=ep cap_kill=p+i-p', 'ALL=p', '  =p  ', '0=p',
      '63=p', '', 'cap_chown-p', 'all= cap_chown+ep', '=ep cap_chown,cap_kill-ep cap_net_raw+i'} do
      print(tostring(system.cap_from_text(text)))
    end
    for _, text in ipairs{'CAP_CHOWN=P', '+p', 'cap_chown+', 'cap_chown', '=p+e', 'cap_0=p', 'cap_chown,=p', ',=p',
      'cap_chown==p', 'cap_chown=p=e', 'cap_chown=zp', '=^p', '64=p'} do
      assert(fails(system.cap_from_text, text) == 'Invalid argument', text)
    end
  `,
    `=
=p
=eip
cap_chown=p
cap_net_raw=i cap_chown,cap_kill+ep
=ep cap_chown-e
=ip cap_kill+e
cap_chown=p
=p cap_chown+e cap_kill-p
cap_kill=i cap_chown+ep
=p
=p
cap_chown=p
= 63+p
=
=
cap_chown=ep
=ep cap_net_raw+i cap_chown,cap_kill-ep
`,
  );

  spec(
    'sets of capabilities',
    `${SETUP}
    local c = system.cap_init()
    print(getmetatable(c), tostring(c))
    c:set_flag('permitted', {'cap_net_admin', 'cap_kill'}, true)
    c:fill('effective', 'permitted')
    c:set_flag('effective', {'cap_kill'}, false)
    print(c, c:get_flag('cap_net_admin', 'effective'), c:get_flag('cap_kill', 'effective'))
    local d = c:dup()
    d:clear()
    print(d, c)
    d:fill_flag('inheritable', c, 'permitted')
    print(d)
    c:clear_flag 'permitted'
    print(c, c:get_nsowner())
    c:set_nsowner(1000)
    print(c:get_nsowner())
    print(fails(c.get_flag, c, 'cap_none', 'effective'))
    print(fails(c.get_flag, c, 'cap_kill', 'bounding'))
    print(fails(c.set_flag, c, 'x', {}, true))
    print(fails(c.set_flag, c, 'effective', 'cap_kill', true))
    print(fails(c.set_flag, c, 'effective', {'cap_none'}, true))
    print(fails(c.set_flag, c, 'effective', {}, 1))
    print(fails(c.fill, c, 'effective', 'x'), fails(c.fill_flag, c, 'effective', 1, 'permitted'))
    print(fails(c.clear_flag, c), fails(c.set_nsowner, c, -1), fails(function() return c.nothing end))
    print(getmetatable(system.cap_get_proc()))
    print(system.SECBIT_NOROOT, system.SECBIT_NOROOT_LOCKED, system.SECBIT_NO_SETUID_FIXUP, system.SECBIT_KEEP_CAPS,
      system.SECBIT_KEEP_CAPS_LOCKED, system.SECBIT_NO_CAP_AMBIENT_RAISE, system.SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)
  `,
    `linux_capabilities\t=
cap_net_admin=ep cap_kill+p\ttrue\tfalse
=\tcap_net_admin=ep cap_kill+p
cap_kill,cap_net_admin=i
cap_net_admin=e\t0
1000
Invalid argument\t2
Invalid argument\t3
Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
Invalid argument\t4
Invalid argument\tInvalid argument\t3
Invalid argument\tInvalid argument\tRequested key wasn't found in the table/userdata\tnil
linux_capabilities
1\t2\t4\t16\t32\t64\t128
`,
  );

  spec(
    'capabilities of a child, before and after it has been waited for',
    `${SETUP}
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    print(tostring(p:cap_get()) == tostring(system.cap_get_proc()))
    p:kill(9)
    p:wait()
    print(fails(p.cap_get, p))
  `,
    'true\nNo such process\tnil\n',
  );
}

program(
  'capabilities are given up in all threads',
  `
  local function caps() return (in_threads 'CapEff'), (in_threads 'CapPrm') end
  local c = system.cap_from_text 'cap_net_bind_service,cap_setpcap=ep'
  c:set_proc()
  print(caps())
  print(system.cap_get_proc())
  print(fails(function() system.cap_from_text('=ep'):set_proc() end))
  print(system.cap_get_bound 'cap_kill', system.cap_get_bound 'cap_net_raw')
  system.cap_drop_bound 'cap_kill'
  print(system.cap_get_bound 'cap_kill', (in_threads 'CapBnd'):match '\\n')
  print(fails(system.cap_set_ambient, 'cap_net_bind_service', true))
  local c = system.cap_get_proc()
  c:set_flag('inheritable', {'cap_net_bind_service'}, true)
  c:set_proc()
  system.cap_set_ambient('cap_net_bind_service', true)
  print(system.cap_get_ambient 'cap_net_bind_service', in_threads 'CapAmb')
  system.cap_set_ambient('cap_net_bind_service', false)
  system.cap_set_ambient('cap_net_bind_service', true)
  system.cap_reset_ambient()
  print(system.cap_get_ambient 'cap_net_bind_service')
  system.cap_set_secbits(system.SECBIT_KEEP_CAPS + system.SECBIT_NO_CAP_AMBIENT_RAISE)
  print(system.cap_get_secbits())
  print(fails(system.cap_get_bound, 'cap_none'), fails(system.cap_get_bound, 'no'), fails(system.cap_get_bound, '63'))
  `,
  `CapEff:\t0000000000000500\tCapPrm:\t0000000000000500
cap_setpcap,cap_net_bind_service=ep
Operation not permitted\tnil
true\ttrue
false\tnil
Operation not permitted\tnil
true\tCapAmb:\t0000000000000400
false
80
Invalid argument\tInvalid argument\tInvalid argument\tnil
`,
  isRoot,
);

program(
  'no new privileges, in all threads',
  `
  print((in_threads 'NoNewPrivs'))
  system.set_no_new_privs()
  print((in_threads 'NoNewPrivs'))
  `,
  'NoNewPrivs:\t0\nNoNewPrivs:\t1\n',
);

program(
  'a filter of system calls for the whole process',
  `
  system.set_no_new_privs()
  local function le(n, size)
    local s = ''
    for i = 1, size do s = s .. string.char(n % 256) n = math.floor(n / 256) end
    return s
  end
  local function op(code, jt, jf, k) return le(code, 2) .. le(jt, 1) .. le(jf, 1) .. le(k, 4) end
  -- getsid(2) is refused
  system.seccomp_set_mode_filter(byte_span.append(
    op(0x20, 0, 0, 0) .. op(0x15, 0, 1, ${process.arch === 'x64' ? 124 : 156}) .. op(0x06, 0, 0, 0x00050000 + 13)
    .. op(0x06, 0, 0, 0x7fff0000)))
  print(fails(system.getsid, 0))
  print((in_threads 'Seccomp:'))
  print(fails(system.seccomp_set_mode_filter, 'x'))
  print(fails(system.seccomp_set_mode_filter, byte_span.new(7)))
  print(fails(system.seccomp_set_mode_filter, byte_span.new(8)))
  `,
  `Permission denied\tnil
Seccomp:\t2
Invalid argument\t1
Invalid argument\t1
Invalid argument\tnil
`,
);

const hasLandlock =
  skip === false &&
  spawnSync(process.execPath, [
    '-e',
    `const m={exports:{}};process.dlopen(m,${JSON.stringify(join(import.meta.dirname, '../../build/Release/perilune.node'))});process.exit(m.exports.landlock_create_ruleset(0,0,0,1)>0?0:1)`,
  ]).status === 0;

test('landlock', {
  skip: skip || (hasLandlock ? false : 'the kernel has no Landlock'),
}, async () => {
  const outcome = await runProgram(`${SETUP}
    print(type(system.landlock_create_ruleset(nil, {'version'})))
    local rules = system.landlock_create_ruleset{handled_access_fs = {'read_file', 'read_dir'}}
    local f = file.stream.new()
    f:open(fs.path.new '/usr', {'read_only'})
    local usr = f:release()
    system.landlock_add_rule(rules, 'path_beneath', {allowed_access = {'read_file', 'read_dir'}, parent_fd = usr})
    usr:close()
    system.set_no_new_privs()
    system.landlock_restrict_self(rules)
    rules:close()
    print(fails(read, '/etc/passwd'))
    print(#read '/usr/bin/env' > 0)
    local child = system.spawn{program = '/usr/bin/sh', arguments = {'sh', '-c', '/usr/bin/cat /etc/passwd 2> /dev/null'}}
    child:wait()
    print(child.exit_code)
  `);
  assert.equal(outcome.stderr, '');
  assert.match(outcome.stdout, /^number\nPermission denied\tnil\ntrue\n1\n$/);
});

if (nativeFailure() === undefined) {
  spec(
    'landlock: arguments that are wrong',
    `${SETUP}
    print(fails(system.landlock_create_ruleset, 1))
    print(fails(system.landlock_create_ruleset, {handled_access_fs = {'fly'}}))
    print(fails(system.landlock_create_ruleset, {handled_access_fs = 'execute'}))
    print(fails(system.landlock_create_ruleset, {}, {'version'}))
    print(fails(system.landlock_create_ruleset, nil, {'x'}))
    print(fails(system.landlock_add_rule, 1, 'path_beneath', {}))
    print(fails(system.landlock_restrict_self, 1))
    local null = file.stream.new()
    null:open(fs.path.new '/dev/null', {'read_only'})
    null = null:release()
    print(fails(system.landlock_add_rule, null, 'x', {}))
    print(fails(system.landlock_add_rule, null, 'path_beneath', 1))
    print(fails(system.landlock_add_rule, null, 'path_beneath', {allowed_access = {'x'}, parent_fd = null}))
    print(fails(system.landlock_add_rule, null, 'path_beneath', {allowed_access = {}, parent_fd = 1}))
    print(fails(system.landlock_add_rule, null, 'net_port', {allowed_access = {}, port = -1}))
    null:close()
    print(fails(system.landlock_restrict_self, null))
  `,
    `Invalid argument\t1
Invalid argument\thandled_access_fs
Invalid argument\thandled_access_fs
Invalid argument\t2
Invalid argument\t2
Invalid argument\t1
Invalid argument\t1
Invalid argument\t2
Invalid argument\t3
Invalid argument\tallowed_access
Invalid argument\tparent_fd
Invalid argument\tport
Device or resource busy\tnil
`,
  );
}

// ── identity ─────────────────────────────────────────────────────────────────────────────────────────

program(
  'another user, for good',
  `
  system.setgroups{5, 6}
  print(unpack(system.getgroups()))
  system.setresgid(10, 11, 12)
  print(system.getresgid())
  system.setresuid(-1, 4294967294, 1001)
  print(system.getresuid())
  print((in_threads 'Uid'))
  system.setresuid(1001, 1001, -1)
  print(fails(system.setresuid, 0, 0, 0))
  print(fails(system.setgroups, {1}))
  print(fails(system.setresgid, 0, -1, -1))
  `,
  `5\t6
10\t11\t12
0\t4294967294\t1001
Uid:\t0\t4294967294\t1001\t4294967294
Operation not permitted\tnil
Operation not permitted\tnil
Operation not permitted\tnil
`,
  isRoot,
);

test('actors that are made later have the rights of the moment', {
  skip: skip || (isRoot ? false : 'only for root'),
  timeout: 300_000,
}, async () => {
  const outcome = await runProgram(
    `
    local system, inbox = require 'system', require 'inbox'
    local function actor()
      local worker = spawn_vm{module = './worker', subprocess = {stderr = 'share', environment = {}}}
      worker:send{from = inbox}
      return inbox:receive(), inbox:receive()
    end
    local before, uid = actor()
    print(uid)
    system.setresgid(1234, 1234, 1234)
    system.setgroups{}
    system.setresuid(1234, 1234, 1234)
    local _, uid = actor()
    print(uid)
    -- the first one goes on
    before:send{from = inbox}
    print(type(inbox:receive()), inbox:receive())
  `,
    {
      files: {
        'worker.lua': `
          local system, inbox = require 'system', require 'inbox'
          while true do
            local ok, message = pcall(inbox.receive, inbox)
            if not ok then break end
            local main = message.from
            main:send(inbox)
            main:send(system.getresuid())
          end
        `,
      },
    },
  );
  assert.deepEqual(
    [outcome.stdout, outcome.stderr, outcome.code],
    ['0\n1234\nuserdata\t0\n', '', 0],
  );
});

program(
  'sessions and groups',
  `
  -- a child of the test runner leads nothing
  system.setpgid(0, 0)
  print(system.getpgrp() == system.getpid(), system.getpgid(0) == system.getpid())
  print(fails(system.setsid))
  print(fails(system.setpgid, 2^31 - 1, 0), fails(system.setpgid, 0, -1), fails(system.setpgid, 2^40, 0))
  print(fails(system.setresuid, -2, 0, 0), fails(system.setresuid, 0), fails(system.setgroups, {'x'}), fails(system.setgroups, 1))
  print(fails(system.kill, system.getpid(), 99), fails(system.kill, 2^40, 0))
  `,
  `true\ttrue
Operation not permitted\tnil
No such process\tInvalid argument\tInvalid argument\t1
Invalid argument\tbad argument #2 to 'setresuid' (number expected, got no value)\tInvalid argument\tInvalid argument\t1
Invalid argument\tInvalid argument\t1
`,
);

test('descriptors that were inherited', { skip }, async () => {
  const perilune = join(import.meta.dirname, '../../bin/perilune');
  const file = join(import.meta.dirname, 'system-rights.test.ts');
  const main = join(import.meta.dirname, '../support/lowfd.lua');
  const fd = openSync(file, 'r');
  const run = spawnSync(perilune, [main], {
    stdio: ['ignore', 'pipe', 'pipe', 'ignore', fd, 'ignore'],
    encoding: 'utf8',
  });
  assert.equal(run.stderr, '');
  assert.equal(
    run.stdout,
    `3\tnil\tnil
4\tfile_descriptor\tregular
5\tnil\tnil
6\tnil\tnil
7\tnil\tnil
8\tnil\tnil
9\tnil\tnil
nil\tnil\tnil
true
`,
  );
});
