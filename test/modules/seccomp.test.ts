/** `seccomp`: filters as Lua makes them, and what processes under them can do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { architectureOf } from '../../src/sandbox/architectures.ts';
import { encode } from '../../src/sandbox/bpf.ts';
import { compile, type Rule } from '../../src/sandbox/seccomp.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { seccompAvailable } from '../../src/sys/walls.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, runProgram, spec } from '../support/spec.ts';

const skip =
  nativeFailure() ?? (seccompAvailable() ? false : 'the kernel has no filters of system calls');
if (skip === false) {
  await openReactor();
  // The supervisor stays, and what it needs.
  const files = { 'w.lua': '' };
  await runLua(`spawn_vm{module = './w', subprocess = {}}`, { files });
}

const SETUP = `
  local seccomp, system = require 'seccomp', require 'system'
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    return type(e) == 'string' and e or tostring(e) .. ' ' .. tostring(e.arg)
  end
`;
const lua = (name: string, source: string, expected: string): void =>
  spec(name, SETUP + source, expected);

// ── making them ────────────────────────────────────────────────────────────────────────────────────

lua(
  'rules by name; what no rule names is denied, or what new() says',
  `
  local f = seccomp.new()
  print(f.default, f:verdict('read'))
  print(f:allow('read', {arg = 1, le = 2}):log({'write', 'close'}):deny('open'):kill('ptrace') == f)
  f:errno('ENOSYS', 'clone3'):errno(0, 'sync')
  print(f:verdict('read', 2), f:verdict('read', 3))
  for _, name in ipairs{'write', 'close', 'open', 'ptrace', 'clone3', 'sync', 'mkdir'} do print(name, f:verdict(name)) end
  for _, default in ipairs{'allow', 'log', 'kill', 'ENOENT', 4095} do
    local g = seccomp.new(default)
    print(g.default, g:verdict('mkdir'))
  end
  print(getmetatable(f))
`,
  `EPERM\terrno\tEPERM
true
allow\terrno\tEPERM
write\tlog
close\tlog
open\terrno\tEPERM
ptrace\tkill
clone3\terrno\tENOSYS
sync\terrno\t0
mkdir\terrno\tEPERM
allow\tallow
log\tlog
kill\tkill
ENOENT\terrno\tENOENT
4095\terrno\t4095
seccomp.filter
`,
);

lua(
  'conditions: arguments from 1 on, all bits unless there is a mask; a list of numbers; all must hold',
  `
  local f = seccomp.new('deny', 'x86_64')
  f:allow('socket', {arg = 1, eq = {1, 2}}, {arg = 2, mask = 0xf, eq = 1})
  print(f:verdict('socket', 1, 0x80001), f:verdict('socket', 2, 1), f:verdict('socket', 3, 1), f:verdict('socket', 1, 2))
  print(f:verdict('socket', 2^32 + 1, 1))
  f:allow('openat', {arg = 1, mask = 0xffffffff, eq = -100})
  print(f:verdict('openat', -100), f:verdict('openat', 0xffffff9c), f:verdict('openat', '0x1ffffff9c'), f:verdict('openat', 3))
  f:allow('lseek', {arg = 2, eq = -1}):allow('lseek', {arg = 2, ge = '0xfffffffffffffff0'}, {arg = 2, ne = '18446744073709551614'})
  print(f:verdict('lseek', 0, '0xffffffffffffffff'), f:verdict('lseek', 0, -2), f:verdict('lseek', 0, -3), f:verdict('lseek', 0, 2^53 - 1))
  f:allow('dup', {arg = 1, gt = 2}, {arg = 1, lt = 5})
  print(f:verdict('dup', 2), f:verdict('dup', 3), f:verdict('dup', 4), f:verdict('dup', 5))
`,
  `allow\tallow\terrno\terrno\tEPERM
errno\tEPERM
allow\tallow\tallow\terrno\tEPERM
allow\terrno\tallow\terrno\tEPERM
errno\tallow\tallow\terrno\tEPERM
`,
);

lua(
  'profiles, and filters within filters: the first rule that fits decides',
  `
  local f = seccomp.profile 'compute'
  print(f:verdict('mmap', 0, 4096, 7, 0x22), f:verdict 'openat') -- MAP_PRIVATE, MAP_ANONYMOUS
  print(f:verdict('mmap', 0, 4096, 7, 0x21)) -- MAP_SHARED: no limit counts it
  f:allow('getuid')
  print(f:verdict 'getuid')
  local g = seccomp.new('kill'):errno('EACCES', 'socketpair'):include('compute'):include(f)
  print(g:verdict('socketpair', 1, 5, 0))
  print(g:verdict 'read', g:verdict 'getuid', g:verdict 'openat')
  g:include(g)
  print(g:verdict 'read')
  for _, name in ipairs{'files', 'net_client'} do
    local p = seccomp.profile(name)
    print(name, p:verdict('openat'), p:verdict('unlinkat'), p:verdict('socket', 2, 1), p:verdict 'execve')
  end
`,
  `allow\terrno\tEPERM
errno\tEPERM
allow
errno\tEACCES
allow\tallow\tkill
allow
files\tallow\tallow\terrno\terrno\tEPERM
net_client\tallow\terrno\tallow\terrno\tEPERM
`,
);

lua(
  'a filter as text, and the program of one',
  `
  local f = seccomp.new('deny', 'x86_64'):allow({'read', 'write'}):allow('ioctl', {arg = 2, eq = 0x5401}):log('dup', {arg = 1, mask = 6, eq = 2})
  io_write = tostring(f)
  print(f)
  print(#f, #f:compile(), f.architecture)
  print(seccomp.disassemble(f:compile(), 'x86_64') == tostring(f), seccomp.disassemble(tostring(f:compile()), 'x86_64') == tostring(f))
  print(seccomp.disassemble(byte_span.append('\\7\\0\\1\\2\\3\\0\\0\\0', '\\6\\0\\0\\0\\0\\0\\3\\0')))
  print(seccomp.new('allow', 'aarch64'):kill 'openat')
`,
  ` 0  load architecture
 1  if == 0xc000003e else 19
 2  load call
 3  if >= 17 (pread64) then 6
 4  if >= 2 (open) else 17
 5  if >= 16 (ioctl) then 13 else 18
 6  if >= 33 (dup2) then 8
 7  if >= 32 (dup) then 9 else 18
 8  if >= 0x40000000 then 19 else 18
 9  load argument 1
10  and 6
11  if == 2 else 18
12  log
13  load argument 2, upper half
14  if == 0 else 18
15  load argument 2
16  if == 0x5401 else 18
17  allow
18  fail with EPERM
19  kill
20\t160\tx86_64
true\ttrue
0  code 7, 1, 2, 3
1  return 0x30000
0  load architecture
1  if == 0xc00000b7 else 6
2  load call
3  if >= 56 (openat) else 5
4  if >= 57 (close) else 6
5  allow
6  kill
`,
);

lua(
  'mistakes are told where they are made',
  `
  local f = seccomp.new()
  print(fails(function() f:allow 'opne' end))
  print(fails(function() f:deny{'read', 'wirte'} end))
  print(fails(function() f:allow() end))
  print(fails(function() f:allow{} end))
  print(fails(function() f:kill('read', 1) end))
  for _, c in ipairs{{eq = 1}, {arg = 0, eq = 1}, {arg = 7, eq = 1}, {arg = 1.5, eq = 1}, {arg = 1}, {arg = 1, eq = 1, ne = 2},
    {arg = 1, eq = 'x'}, {arg = 1, eq = 1.5}, {arg = 1, eq = 2^53}, {arg = 1, eq = '0x10000000000000000'}, {arg = 1, eq = {}},
    {arg = 1, ne = {1}}, {arg = 1, mask = 1, eq = 2}, {arg = 1, mask = 0xffffffff, eq = -2^40},
    {arg = 1, mask = 0xffffffff, le = -2^31 - 1}, {arg = 1, mask = 0, eq = -1}, {arg = 1, mask = {}, eq = 1}, {arg = 1, equals = 1}, {arg = 1, eq = 1, 5}} do
    print((fails(function() f:log('read', c) end):gsub('^.-:', '')))
  end
  print(fails(function() f:errno('ENONSENSE', 'read') end))
  print(fails(function() f:errno(4096, 'read') end))
  print(fails(function() f:errno({}, 'read') end))
  print(fails(function() f:errno('EIO', 'raed') end))
  print(fails(function() f:include 'compuet' end))
  print(fails(function() f:verdict 'x' end))
  print(fails(function() f:verdict('read', {}) end))
  for _, call in ipairs{2^32, -2^40, 0.5} do print(fails(function() f:verdict(call) end)) end
  for _, word in ipairs{0.5, 2^53, 'x'} do print(fails(function() f:verdict('read', word) end)) end
  print(fails(function() seccomp.new 'alow' end))
  print(fails(function() seccomp.new('allow', 'sparc') end))
  print(fails(function() seccomp.profile 'x' end))
  print(fails(function() seccomp.new('allow', 'aarch64'):verdict 'open' end))
  print(fails(seccomp.disassemble, 'x'), fails(seccomp.disassemble, 1))
  print(fails(f.allow, {}, 'read'), fails(function() f.x = 1 end), fails(function() return f.x end))
  print(f:verdict 'read') -- none of these has changed it
`,
  `main.lua:10: bad argument #1 to 'allow' (no system call is called 'opne')
main.lua:11: bad argument #1 to 'deny' (no system call is called 'wirte')
main.lua:12: bad argument #1 to 'allow' (string or table expected, got no value)
main.lua:13: bad argument #1 to 'allow' (no system call)
main.lua:14: bad argument #2 to 'kill' (table expected, got number)
19: bad argument #2 to 'log' (arg is missing)
19: bad argument #2 to 'log' (arg is none of 1 to 6)
19: bad argument #2 to 'log' (arg is none of 1 to 6)
19: bad argument #2 to 'log' (arg is none of 1 to 6)
19: bad argument #2 to 'log' (one of eq, ne, lt, le, gt, ge is missing)
19: bad argument #2 to 'log' (both eq and ne)
19: bad argument #2 to 'log' (eq is no number of 64 bits)
19: bad argument #2 to 'log' (eq is no number of 64 bits)
19: bad argument #2 to 'log' (eq is no number of 64 bits)
19: bad argument #2 to 'log' (eq is no number of 64 bits)
19: bad argument #2 to 'log' (eq has no number)
19: bad argument #2 to 'log' (ne takes one number)
19: bad argument #2 to 'log' (eq has bits that mask leaves out)
19: bad argument #2 to 'log' (eq has bits that mask leaves out)
19: bad argument #2 to 'log' (le has bits that mask leaves out)
19: bad argument #2 to 'log' (eq has bits that mask leaves out)
19: bad argument #2 to 'log' (mask is no number of 64 bits)
19: bad argument #2 to 'log' ('equals' means nothing here)
19: bad argument #2 to 'log' (a key means nothing here)
main.lua:21: bad argument #1 to 'errno' (no such error)
main.lua:22: bad argument #1 to 'errno' (no such error)
main.lua:23: bad argument #1 to 'errno' (string expected, got table)
main.lua:24: bad argument #2 to 'errno' (no system call is called 'raed')
main.lua:25: bad argument #1 to 'include' (no profile is called 'compuet')
main.lua:26: bad argument #1 to 'verdict' (no system call is called 'x')
main.lua:27: bad argument #2 to 'verdict' (number expected, got table)
main.lua:28: bad argument #1 to 'verdict' (no system call is called '4294967296')
main.lua:28: bad argument #1 to 'verdict' (no system call is called '-1099511627776')
main.lua:28: bad argument #1 to 'verdict' (no system call is called '0.5')
main.lua:29: bad argument #2 to 'verdict' (no number of 64 bits)
main.lua:29: bad argument #2 to 'verdict' (no number of 64 bits)
main.lua:29: bad argument #2 to 'verdict' (no number of 64 bits)
main.lua:30: bad argument #1 to 'new' (no such action or error)
main.lua:31: bad argument #2 to 'new' (no architecture is called 'sparc')
main.lua:32: bad argument #1 to 'profile' (no profile is called 'x')
main.lua:33: bad argument #1 to 'verdict' (aarch64 has no system call 'open')
Invalid argument 1\tInvalid argument 1
Invalid argument 1\tOperation not permitted nil\tRequested key wasn't found in the table/userdata nil
errno\tEPERM
`,
);

lua(
  'more instructions than the kernel takes',
  `
  local f = seccomp.new()
  for i = 1, 5000 do f:allow('ioctl', {arg = 1, eq = i}) end
  print(fails(f.compile, f), fails(tostring, f), fails(function() return #f end), fails(f.verdict, f, 'read'))
  print(fails(system.spawn, {program = 'true', set_no_new_privs = true, seccomp_set_mode_filter = f}))
  print(fails(spawn_vm, {module = '.', subprocess = {seccomp_set_mode_filter = f}}))
`,
  `${Array(4).fill('Argument list too long nil').join('\t')}
Argument list too long nil
Argument list too long nil
`,
);

// ── processes under them ───────────────────────────────────────────────────────────────────────────

const FILES = {
  'child.lua': `
  local inbox, fs, ip, system = require 'inbox', require 'filesystem', require 'ip', require 'system'
  local home = inbox:receive()
  local function try(f, ...)
    local ok, e = pcall(f, ...)
    return ok and 'works' or tostring(e)
  end
  home:send(('files: %s, sockets: %s, ids: %s'):format(
    try(fs.is_directory, fs.path.new '/'),
    try(function() ip.tcp.acceptor.new():open('v4') end),
    try(system.getsid, 0)))
  `,
};

const processes = (name: string, source: string, expected: string): void => {
  if (skip === false) spec(name, SETUP + source, expected, { once: true, files: FILES });
  else test(name, { skip }, () => {});
};

processes(
  'programs that are started',
  `
  local pipe = require 'pipe'
  local function sh(script, filter)
    local r, w = pipe.pair()
    w = w:release()
    local p = system.spawn{program = 'sh', environment = {PATH = '/usr/bin:/bin', LC_ALL = 'C'}, arguments = {'sh', '-c', script}, stdout = w,
      set_no_new_privs = true, seccomp_set_mode_filter = filter}
    w:close()
    local text, b = '', byte_span.new(4096)
    while true do
      local ok, n = pcall(r.read_some, r, b)
      if not ok then break end
      text = text .. tostring(b:first(n))
    end
    r:close()
    p:wait()
    print((text:gsub('\\n', ' ')) .. '|', p.exit_code, p.exit_signal)
  end
  sh('uname 2>/dev/null || echo refused', seccomp.new('allow'):deny 'uname')
  sh('uname >/dev/null 2>&1; echo $?', seccomp.new('allow'):kill('uname'))
  sh('exec uname', seccomp.new('allow'):kill('write', {arg = 1, eq = 1}))
  sh('echo fine', seccomp.new('allow'):kill('write', {arg = 1, eq = 9}))
  sh('echo $(( 1 + 1 ))', seccomp.new('log'))
`,
  `refused |\t0\tnil
159 |\t0\tnil
|\t159\t31
fine |\t0\tnil
2 |\t0\tnil
`,
);

processes(
  'actors in processes: with the rights of their maker, or in a sandbox',
  `
  local inbox = require 'inbox'
  local function ask(subprocess)
    subprocess.stderr = 'share'
    local c = spawn_vm{module = './child', subprocess = subprocess}
    c:send(inbox)
    print(inbox:receive())
    c:close()
  end
  ask{seccomp_set_mode_filter = seccomp.profile 'compute'}
  ask{seccomp_set_mode_filter = seccomp.profile 'files'}
  ask{seccomp_set_mode_filter = seccomp.profile('net_client'):compile()}
  for _, v in ipairs{'x', byte_span.new(7), {}, byte_span.new(4097 * 8)} do
    print(fails(spawn_vm, {module = './child', subprocess = {seccomp_set_mode_filter = v}}))
  end
`,
  `files: Operation not permitted, sockets: Operation not permitted, ids: Operation not permitted
files: works, sockets: Operation not permitted, ids: Operation not permitted
files: works, sockets: works, ids: Operation not permitted
${'Invalid argument subprocess/seccomp_set_mode_filter\n'.repeat(3)}Argument list too long nil
`,
);

const program = (name: string, source: string, expected: string): void => {
  test(name, { skip, timeout: 300_000 }, async () => {
    const outcome = await runProgram(SETUP + source, { files: FILES });
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.stdout, expected);
  });
};

program(
  'the running process, in all of its threads',
  `
  local file, fs, inbox = require 'file', require 'filesystem', require 'inbox'
  spawn_vm{module = './child', inherit_context = false}:send(inbox) -- a thread that is there already
  inbox:receive()
  system.set_no_new_privs()
  system.seccomp_set_mode_filter(seccomp.new('allow'):deny('getsid'))
  print(fails(system.getsid, 0))
  local counts = {}
  for entry in fs.directory_iterator(fs.path.new '/proc/self/task') do
    local f, b = file.stream.new(), byte_span.new(4096)
    if pcall(f.open, f, entry.path / 'status', {'read_only'}) then -- it has not ended meanwhile
      local ok, n = pcall(f.read_some, f, b)
      local mode = ok and tostring(b:first(n)):match('Seccomp:%s*(%d)')
      f:close()
      if mode then counts[mode] = (counts[mode] or 0) + 1 end
    end
  end
  print((counts['2'] or 0) > 1, counts['0'], counts['1'])
  spawn_vm{module = './child', inherit_context = false}:send(inbox)
  print(inbox:receive())
`,
  `Operation not permitted nil
true\tnil\tnil
files: works, sockets: works, ids: Operation not permitted
`,
);

// A filter was written for the calls that the program made before, one datagram each.
program(
  'datagrams are not received ahead any more',
  `
  local ip = require 'ip'
  local lo, buf = ip.address.loopback_v4(), byte_span.new(8)
  local a, b = ip.udp.socket.new(), ip.udp.socket.new()
  for _, socket in ipairs{a, b} do
    socket:open('v4')
    socket:bind(lo, 0)
  end
  local function send(from, to)
    for i = from, to do a:send_to(byte_span.append(tostring(i)), lo, b.local_port) end
  end
  local function receive(count)
    local all = {}
    for i = 1, count do all[i] = tostring(buf:first(b:receive_from(buf))) end
    print(table.concat(all, ' '))
  end
  send(1, 40)
  receive(10)
  system.set_no_new_privs()
  system.seccomp_set_mode_filter(seccomp.new('allow'):kill('recvmmsg'))
  receive(30)
  send(41, 60)
  receive(20)
`,
  [
    [1, 10],
    [11, 40],
    [41, 60],
  ]
    .map(([from, to]) => Array.from({ length: to! - from! + 1 }, (_, i) => from! + i).join(' '))
    .join('\n')
    .concat('\n'),
);

program(
  'descriptors and addresses are sent though nobody can ask whether a sandbox gets them',
  `
  local inbox, pipe = require 'inbox', require 'pipe'
  local c = spawn_vm{module = './child', subprocess = {}}
  local source = pipe.pair()
  system.set_no_new_privs()
  system.seccomp_set_mode_filter(seccomp.new('allow'):deny('getsockopt'))
  print(pcall(c.send, c, {fd = source:release()}))
  print(pcall(c.send, c, {reply = inbox}))
  c:kill()
`,
  'true\ntrue\n',
);

program(
  'init.script takes the program as a string',
  `
  local inbox = require 'inbox'
  local filter = seccomp.new('allow'):errno('EXDEV', 'getsid')
  local c = spawn_vm{module = './child', subprocess = {stderr = 'share', init = {script = [[
    set_no_new_privs()
    C.seccomp_set_mode_filter(]] .. ('%q'):format(tostring(filter:compile())) .. ')'}}}
  c:send(inbox)
  print(inbox:receive())
  c:close()
`,
  'files: works, sockets: works, ids: Invalid cross-device link\n',
);

/**
 * Makes each call, with zeros as arguments, and prints what the kernel says of it. 335 and 336 are uretprobe(2) and
 * uprobe(2) of x86-64, which the kernel doesn't ask filters about: they end what calls them from elsewhere.
 */
const ALL_CALLS = `
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
static struct sock_filter code[4096];
static short said[1024];
int main(void) {
  struct sock_fprog program = {read(0, code, sizeof code) / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return 1;
  for (long n = 0; n < 1024; n++)
    if (n != SYS_write && n != SYS_exit_group && n != 335 && n != 336)
      said[n] = syscall(n, 0L, 0L, 0L, 0L, 0L, 0L) < 0 ? errno : -1;
  write(1, said, sizeof said);
  syscall(SYS_exit_group, 0);
}
`;

test('the kernel says of every call what the rules say', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-seccomp-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = join(folder, 'all.c');
  writeFileSync(source, ALL_CALLS);
  const made = spawnSync('cc', ['-O1', '-o', join(folder, 'all'), source], { encoding: 'utf8' });
  if (made.error !== undefined) return t.skip('there is no C compiler');
  assert.equal(made.status, 0, made.stderr);
  const here = architectureOf(process.arch);
  const UNNAMED = 3000;
  const free = new Set(['write', 'exit_group']);
  const rules: Rule[] = [...here.calls].map(([name, number]) => ({
    calls: [name],
    // Half of them by a condition.
    when:
      number % 2 === 0 || free.has(name)
        ? []
        : [{ arg: number % 6, mask: 2n ** 64n - 1n, compare: 'lt', values: [1n] }],
    action: free.has(name) ? 'allow' : { errno: 500 + number },
  }));
  const program = encode(compile(rules, { errno: UNNAMED }, here));
  const { status, signal, stdout } = spawnSync(join(folder, 'all'), { input: program });
  assert.deepEqual([status, signal], [0, null]);
  const said = new Int16Array(Uint8Array.from(stdout).buffer);
  assert.equal(said.length, 1024);
  assert.equal(said.filter((errno) => errno === 0).length, free.size + 2);
  for (let number = 0; number < 1024; number++) {
    const name = here.names.get(number);
    if ((name !== undefined && free.has(name)) || said[number] === 0) continue;
    assert.equal(said[number], name === undefined ? UNNAMED : 500 + number, name ?? `${number}`);
  }
});
