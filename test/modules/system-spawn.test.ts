/** `system.spawn`: what the child gets, what it doesn't get, and what is left of it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { fromBytes, runProgram, spec } from '../support/spec.ts';

await openReactor();

/** Of what can be searched: a directory that can't makes ENOENT EACCES, as with execvp. */
process.env.PATH = '/usr/local/bin:/usr/bin:/bin';

const folder = mkdtempSync(join(tmpdir(), 'perilune-spawn-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string, mode = 0o755): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};

const isRoot = process.getuid?.() === 0;

const SETUP = `
  local system, pipe, stream = require 'system', require 'pipe', require 'stream'
  local file, fs = require 'file', require 'filesystem'
  local ge, ae = require 'generic_error', require 'asio_error'
  local signal = system.signal
  local ENV = {PATH = '/usr/local/bin:/usr/bin:/bin'}
  local function path(s) return fs.path.new(s) end
  local function open(name)
    local f = file.stream.new()
    f:open(path(name), {'read_only'})
    return f:release()
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
  local function read_to_end(r)
    local b, text = byte_span.new(4096), ''
    while true do
      local ok, n = pcall(r.read_some, r, b)
      if not ok then r:close() return text end
      text = text .. tostring(b:first(n))
    end
  end
  -- output, exit code, signal
  local function run(opts)
    local r, w = pipe.pair()
    w = w:release()
    opts.stdout = w
    opts.environment = opts.environment or ENV
    local ok, p = pcall(system.spawn, opts)
    w:close()
    if not ok then r:close() return tostring(p), p.arg end
    local text = read_to_end(r)
    p:wait()
    return text, p.exit_code, p.exit_signal
  end
  local function sh(script, opts)
    opts = opts or {}
    opts.program, opts.arguments = 'sh', {'sh', '-c', script}
    return run(opts)
  end
`;
const lua = (name: string, program: string, expected: string): void =>
  spec(name, SETUP + program, expected);

if (nativeFailure() === undefined) {
  // ── the program and what it is given ───────────────────────────────────────────────────────────────

  lua(
    'a program by name, path and descriptor',
    `
    print(run{program = 'echo', arguments = {'echo', 'by name'}})
    print(run{program = '/bin/echo', arguments = {'echo', 'by a name with a slash'}})
    print(run{program = path '/bin/echo', arguments = {'echo', 'by path'}})
    local fd = open('/bin/echo')
    print(run{program = fd, arguments = {'echo', 'by descriptor'}})
    fd:close()
  `,
    'by name\n\t0\tnil\nby a name with a slash\n\t0\tnil\nby path\n\t0\tnil\nby descriptor\n\t0\tnil\n',
  );

  lua(
    'arguments are given as they are, empty ones too; the environment is complete',
    `
    print(sh('for a in "$0" "$@"; do printf "[%s]" "$a"; done', nil))
    print(run{program = 'sh', arguments = {'name', '-c', 'for a in "$0" "$@"; do printf "[%s]" "$a"; done',
      'zero', '', 'a b', '\\xff\\n'}})
    print(run{program = 'env', arguments = {'env'}, environment = {ONE = '1', EMPTY = '', ['é'] = 'ü'}} ~= '')
    print(run{program = '/usr/bin/env', arguments = {'env'}, environment = {ONE = 'x=y'}})
    print(run{program = '/usr/bin/env', arguments = {'env'}, environment = {}})
  `,
    '[sh]\t0\tnil\n[zero][][a b][\xff\n]\t0\tnil\n'.replace('\xff', '\ufffd') +
      'true\nONE=x=y\n\t0\tnil\n\t0\tnil\n',
  );

  lua(
    'a value of the environment may be the pid of the child',
    `
    local r, w = pipe.pair()
    w = w:release()
    local p = system.spawn{program = '/bin/sh', arguments = {'sh', '-c', 'echo $LISTEN_PID $$'},
      environment = {LISTEN_PID = '\\0pid', PATH = '/bin'}, stdout = w}
    w:close()
    local pid = p.pid
    print(read_to_end(r) == pid .. ' ' .. pid .. '\\n')
    p:wait()
    print(fails(system.spawn, {program = 'true', environment = {A = '\\0pid', B = '\\0pid'}}))
  `,
    'true\nInvalid argument\tenvironment\n',
  );

  const script = file('script', 'echo "shell script: $0 $1"\n');
  lua(
    'a file without a header is run by the shell, as execvp does; by path it is ENOEXEC',
    `
    local f = '${script}'
    print(run{program = f, arguments = {'x', 'argument'}} == 'shell script: ' .. f .. ' argument\\n')
    print(run{program = path(f), arguments = {'x'}})
  `,
    'true\nExec format error\tprogram\n',
  );

  const notExecutable = file('plain', 'text', 0o644);
  const noInterpreter = file('no-interpreter', '#!/nowhere/at/all\n');
  lua(
    'what can not be executed',
    `
    local function try(program, arguments) return fails(system.spawn, {program = program, arguments = arguments}) end
    print(try 'no such program')
    print(try '')
    print(try '/no/such/file')
    print(try(path '/no/such/file'))
    print(try '${notExecutable}')
    print(try(path '${notExecutable}'))
    print(try '${folder}')
    print(try '${noInterpreter}')
    local fd = open '${notExecutable}'
    print(try(fd))
    fd:close()
    local long = ('x'):rep(3 * 2^20)
    print(try('true', {'true', long}))
    local ok, e = pcall(system.spawn, {program = '/no/such/file'})
    print(e.category, e:togeneric() == ge.ENOENT)
  `,
    `${'No such file or directory\tprogram\n'.repeat(4)}${'Permission denied\tprogram\n'.repeat(3)}No such file or directory\tprogram
Permission denied\tprogram
Argument list too long\tprogram
system\ttrue
`,
  );

  lua(
    'options of wrong kinds',
    `
    print(fails(system.spawn))
    local function try(name, value)
      local opts = {program = 'true', stdin = 'share'}
      opts[name] = value
      print(name, select(2, fails(system.spawn, opts)))
    end
    for _, value in ipairs{1, true, {}} do try('program', value) end
    try('program', 'a\\0b')
    try('arguments', 'x') try('arguments', {1}) try('arguments', {'a\\0b'})
    try('environment', 'x') try('environment', {x = 1}) try('environment', {'x'}) try('environment', {['a=b'] = 'x'})
    for _, name in ipairs{'stdin', 'stdout', 'stderr'} do try(name, 1) try(name, 'shared') end
    try('extra_fds', 1) try('extra_fds', {[3] = 'share'})
    try('signal_on_gcreaper', 'x') try('signal_on_gcreaper', 65) try('signal_on_gcreaper', 1.5)
    try('scheduler', 1) try('scheduler', {policy = 'deadline'}) try('scheduler', {policy = 'fifo'})
    try('scheduler', {policy = 'fifo', priority = 100}) try('scheduler', {policy = 'batch', priority = 1})
    try('scheduler', {reset_on_fork = true}) try('scheduler', {policy = 'other', reset_on_fork = 1})
    try('start_new_session', 1) try('set_ctty', 1) try('process_group', -1) try('process_group', 'x')
    try('foreground', 'stdin')
    for _, name in ipairs{'ruid', 'euid', 'rgid', 'egid'} do try(name, -1) try(name, 'x') end
    try('extra_groups', 1) try('extra_groups', {'x'}) try('umask', 512) try('working_directory', '/')
    try('pdeathsig', 65) try('setns_net', 1) try('nsenter_user', 'x') try('set_no_new_privs', 1)
    try('seccomp_set_mode_filter', 'x') try('seccomp_set_mode_filter', byte_span.new(7))
    try('seccomp_set_mode_filter', byte_span.new(0)) try('landlock_restrict_self', 1)
    try('rlimits', 1) try('rlimits', {files = 1}) try('rlimits', {nofile = 'x'}) try('rlimits', {nofile = {1}})
  `,
    [
      'Invalid argument\t1',
      ...Array<string>(4).fill('program\tprogram'),
      ...Array<string>(3).fill('arguments\targuments'),
      ...Array<string>(4).fill('environment\tenvironment'),
      ...['stdin', 'stdout', 'stderr'].flatMap((name) => Array<string>(2).fill(`${name}\t${name}`)),
      ...Array<string>(2).fill('extra_fds\textra_fds'),
      ...Array<string>(3).fill('signal_on_gcreaper\tsignal_on_gcreaper'),
      'scheduler\tscheduler',
      'scheduler\tscheduler.policy',
      ...Array<string>(3).fill('scheduler\tscheduler.priority'),
      'scheduler\tscheduler.policy',
      'scheduler\tscheduler.reset_on_fork',
      'start_new_session\tstart_new_session',
      'set_ctty\tset_ctty',
      'process_group\tprocess_group',
      'process_group\tprocess_group',
      'foreground\tforeground',
      ...['ruid', 'euid', 'rgid', 'egid'].flatMap((name) =>
        Array<string>(2).fill(`${name}\t${name}`),
      ),
      'extra_groups\textra_groups',
      'extra_groups\textra_groups',
      'umask\tumask',
      'working_directory\tworking_directory',
      'pdeathsig\tpdeathsig',
      'setns_net\tsetns_net',
      'nsenter_user\tnsenter_user',
      'set_no_new_privs\tset_no_new_privs',
      ...Array<string>(3).fill('seccomp_set_mode_filter\tseccomp_set_mode_filter'),
      'landlock_restrict_self\tlandlock_restrict_self',
      'rlimits\trlimits',
      'rlimits\trlimits',
      'rlimits\trlimits.nofile',
      'rlimits\trlimits.nofile',
      '',
    ].join('\n'),
  );

  lua(
    'descriptors that are closed are EBUSY',
    `
    local closed = open '/dev/null'
    closed:close()
    for _, name in ipairs{'program', 'stdin', 'stdout', 'stderr', 'set_ctty', 'working_directory', 'setns_net',
      'landlock_restrict_self'} do
      local opts = {program = 'true', start_new_session = true}
      opts[name] = closed
      print(fails(system.spawn, opts))
    end
    print(fails(system.spawn, {program = 'true', extra_fds = {[3] = closed}}))
    print(fails(system.spawn, {program = 'true', foreground = closed, process_group = 0}))
  `,
    ['program', 'stdin', 'stdout', 'stderr', 'set_ctty', 'working_directory', 'setns_net']
      .concat('landlock_restrict_self', 'extra_fds', 'foreground')
      .map((arg) => `Device or resource busy\t${arg}\n`)
      .join(''),
  );

  // ── descriptors ────────────────────────────────────────────────────────────────────────────────────

  lua(
    'standard streams: pipes, and for nothing a pipe whose other end is closed',
    `
    local source, sink = pipe.pair()
    local err_source, err_sink = pipe.pair()
    source, err_sink = source:release(), err_sink:release()
    stream.write_all(sink, 'through cat')
    sink:close()
    print(run{program = 'sh', arguments = {'sh', '-c', 'cat; echo complaint >&2'}, stdin = source, stderr = err_sink})
    source:close()
    err_sink:close()
    print(read_to_end(err_source))
    print(sh 'cat | wc -c')
    local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'echo into nothing'}, environment = ENV}
    p:wait()
    print(p.exit_code)
    -- a program of its own, which dies of the signal
    local p = system.spawn{program = 'cat', arguments = {'cat', '/bin/sh'}, environment = ENV}
    p:wait()
    print(p.exit_signal == signal.SIGPIPE, p.exit_code == 128 + signal.SIGPIPE)
  `,
    'through cat\t0\tnil\ncomplaint\n\n0\n\t0\tnil\n2\ntrue\ttrue\n'.replace(
      '\n2\ntrue',
      '\n141\ntrue',
    ),
  );

  lua(
    'a child gets what it was given and no other descriptor',
    `
    local null = open '/dev/null'
    -- inherited by mistake: no close-on-exec
    local numbers = {}
    for i = 1, 20 do numbers[i] = open '/dev/zero' end
    local list = 'for n in $(seq 0 60); do [ -e /proc/$$/fd/$n ] && echo -n "$n "; done; true'
    print(sh(list))
    print(sh(list, {extra_fds = {[3] = null, [5] = numbers[1], [9] = null, [10] = null, x = 1}}))
    print(sh('readlink /proc/self/fd/3 /proc/self/fd/4; echo fine', {extra_fds = {[3] = null, [4] = numbers[2]}}))
    null:close()
    for _, fd in ipairs(numbers) do fd:close() end
  `,
    '0 1 2 \t0\tnil\n0 1 2 3 5 9 \t0\tnil\n/dev/null\n/dev/zero\nfine\n\t0\tnil\n',
  );

  lua(
    'descriptors of ours never block, those of the child do, and ours still do not',
    `
    local source, sink = pipe.pair()
    local fd = source:release()
    print(fd.non_blocking)
    local r, w = pipe.pair()
    w = w:release()
    local p = system.spawn{program = 'sh', environment = ENV, stdin = fd, stdout = w, extra_fds = {[4] = w},
      arguments = {'sh', '-c', 'for n in 0 1 4; do grep flags /proc/self/fdinfo/$n; done; cat'}}
    w:close()
    stream.write_all(sink, 'waited for')
    sink:close()
    for line in read_to_end(r):gmatch('[^\\n]+') do
      local flags = line:match('flags:%s*(%d+)')
      print(flags and tonumber(flags, 8) % 4096 < 2048 or line)
    end
    p:wait()
    print(fd.non_blocking)
    fd:close()
  `,
    'true\ntrue\ntrue\ntrue\nwaited for\ntrue\n',
  );

  // ── what the process is ────────────────────────────────────────────────────────────────────────────

  lua(
    'all signals are default and unblocked',
    `
    signal.ignore(signal.SIGHUP)
    local set = signal.set.new(signal.SIGUSR2)
    local text = run{program = 'cat', arguments = {'cat', '/proc/self/status'}}
    for what in ('Blk Ign Cgt'):gmatch('%a+') do print(text:match('Sig' .. what .. ':%s*(%x+)')) end
    set:clear()
    signal.default(signal.SIGHUP)
  `,
    '0000000000000000\n'.repeat(3),
  );

  lua(
    'working directory, umask, limits',
    `
    print(sh('pwd', {working_directory = path '/usr'}))
    local fd = open '/usr/bin'
    print(sh('pwd', {working_directory = fd}))
    fd:close()
    print(sh('pwd', {working_directory = path '/nowhere'}))
    print(sh('umask', {umask = 23}), sh('umask', {umask = 0}))
    print(sh('ulimit -n; ulimit -H -n; ulimit -c', {rlimits = {nofile = {5, 77}, core = 0}}))
    print(sh('ulimit -t', {rlimits = {cpu = math.huge}}))
    print(sh('ulimit -n', {rlimits = {nofile = {10, 5}}}))
  `,
    '/usr\n\t0\tnil\n/usr/bin\n\t0\tnil\nNo such file or directory\tworking_directory\n0027\n\t0\tnil\t0000\n\t0\tnil\n'.replace(
      '0027\n\t0\tnil\t0000\n\t0\tnil\n',
      '0027\n\t0000\n\t0\tnil\n',
    ) + '5\n77\n0\n\t0\tnil\nunlimited\n\t0\tnil\nInvalid argument\trlimits\n',
  );

  lua(
    'sessions and process groups',
    `
    local ids = 'cut -d" " -f1,5,6 /proc/$$/stat'
    local function same(text)
      local pid, group, session = text:match('(%d+) (%d+) (%d+)')
      return pid == group, pid == session
    end
    print(same((sh(ids))))
    print(same((sh(ids, {process_group = 0}))))
    print(same((sh(ids, {start_new_session = true}))))
    -- a session's leader can't change its group
    print(sh(ids, {start_new_session = true, process_group = 0}))
    local leader = system.spawn{program = 'sleep', arguments = {'sleep', '100'}, environment = ENV, process_group = 0}
    local text = sh(ids, {process_group = leader.pid})
    print(tonumber(text:match('%d+ (%d+)')) == leader.pid)
    leader:kill(signal.SIGKILL)
    leader:wait()
    print(sh(ids, {process_group = 2^31 - 2}))
  `,
    'false\tfalse\ntrue\tfalse\ntrue\ttrue\nOperation not permitted\tprocess_group\ntrue\nOperation not permitted\tprocess_group\n',
  );

  lua(
    'the scheduler',
    `
    local show = 'cut -d" " -f41 /proc/$$/stat'
    print((sh(show)), (sh(show, {scheduler = {policy = 'batch'}})), (sh(show, {scheduler = {policy = 'idle', priority = 0}})))
    print((sh(show, {scheduler = {}})))
    print((sh(show, {scheduler = {policy = 'other', reset_on_fork = true}})))
  `,
    '0\n\t3\n\t5\n\n0\n\n0\n\n',
  );

  if (isRoot) {
    lua(
      'users and groups',
      `
      local function show(opts)
        opts.program, opts.arguments = 'grep', {'grep', '-E', '^(Uid|Gid|Groups)', '/proc/self/status'}
        return run(opts)
      end
      print(show({ruid = 1234, euid = 1235, rgid = 55, egid = 56, extra_groups = {7, 8}}))
      print((show{euid = 77}):match 'Uid[^\\n]*')
      print(sh('grep ^Groups /proc/self/status', {extra_groups = {}}))
      -- once it is another user it has no way back
      print(sh('grep ^Uid /proc/self/status; id -u', {ruid = 77, euid = 77}))
    `,
      'Uid:\t1234\t1235\t1235\t1235\nGid:\t55\t56\t56\t56\nGroups:\t7 8 \n\t0\tnil\nUid:\t0\t77\t77\t77\nGroups:\t \n\t0\tnil\nUid:\t77\t77\t77\t77\n77\n\t0\tnil\n',
    );

    lua(
      'the scheduler of real time',
      `
      print(sh('cut -d" " -f40,41 /proc/$$/stat', {scheduler = {policy = 'rr', priority = 7}}))
    `,
      '7 2\n\t0\tnil\n',
    );
  } else {
    lua(
      'what others than root may not',
      `
      print(sh('id', {ruid = 0, euid = 0}))
      print(sh('id', {egid = 0}))
      print(sh('id', {extra_groups = {0}}))
    `,
      'Operation not permitted\teuid\nOperation not permitted\tegid\nOperation not permitted\textra_groups\n',
    );
  }

  lua(
    'no new privileges; a filter of system calls; it kills, or refuses to execute',
    `
    print(sh('grep NoNewPrivs /proc/self/status', {set_no_new_privs = true}))
    -- struct sock_filter: code, jt, jf, k
    local function op(code, jt, jf, k)
      local function le(n, size)
        local s = ''
        for i = 1, size do s = s .. string.char(n % 256) n = math.floor(n / 256) end
        return s
      end
      return le(code, 2) .. le(jt, 1) .. le(jf, 1) .. le(k, 4)
    end
    local ALLOW, ERRNO, KILL = 0x7fff0000, 0x00050000, 0x80000000
    local function when(number, action)
      return byte_span.append(op(0x20, 0, 0, 0) .. op(0x15, 0, 1, number) .. op(0x06, 0, 0, action)
        .. op(0x06, 0, 0, ALLOW))
    end
    local UNAME, EXECVE = ${process.arch === 'x64' ? '63, 59' : '160, 221'}
    print(sh('uname 2>/dev/null || echo refused', {set_no_new_privs = true,
      seccomp_set_mode_filter = when(UNAME, ERRNO + 1)}))
    print(run{program = 'uname', arguments = {'uname'}, set_no_new_privs = true,
      seccomp_set_mode_filter = when(UNAME, KILL)} == '')
    print(run{program = 'true', set_no_new_privs = true, seccomp_set_mode_filter = when(EXECVE, ERRNO + 13)})
    local _, code, by = run{program = 'true', set_no_new_privs = true, seccomp_set_mode_filter = when(EXECVE, KILL)}
    print(code, by == signal.SIGSYS)
    print(run{program = 'true', set_no_new_privs = true, seccomp_set_mode_filter = byte_span.new(8)})
  `,
    'NoNewPrivs:\t1\n\t0\tnil\nrefused\n\t0\tnil\ntrue\nPermission denied\tprogram\n159\ttrue\nInvalid argument\tseccomp_set_mode_filter\n',
  );

  test('pdeathsig: the child ends with its parent', { timeout: 300_000 }, async () => {
    const outcome = await runProgram(`
      local system, pipe, stream = require 'system', require 'pipe', require 'stream'
      local r, w = pipe.pair()
      w = w:release()
      local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'echo ready; exec sleep 100'},
        environment = system.environment, pdeathsig = system.signal.SIGKILL, stdout = w, stderr = 'share'}
      print(p.pid)
      r:read_some(byte_span.new(10))
      system.exit(0, {force = 2})
    `);
    const pid = Number(outcome.stdout);
    assert.equal(outcome.code, 0);
    await until(() => !isAlive(pid));
  });

  // ── waiting ────────────────────────────────────────────────────────────────────────────────────────

  lua(
    'a handle before and after it has been waited for',
    `
    local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'exit 300'}}
    print(getmetatable(p), type(p.pid), fails(function() return p.exit_code end))
    print(fails(function() return p.exit_signal end), fails(function() return p.nothing end))
    print(select('#', p:wait()), p.exit_code, p.exit_signal, p.pid)
    print(fails(p.wait, p), fails(p.kill, p, 0), fails(p.kill, p, 'x'))
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    p:kill(0)
    print(fails(p.kill, p, 99))
    p:kill(signal.SIGKILL)
    p:wait()
    print(p.exit_code, p.exit_signal)
    print(fails(p.kill, {}, 0))
  `,
    `subprocess\tnumber\tInvalid argument\tnil
Invalid argument\tRequested key wasn't found in the table/userdata\tnil
0\t44\tnil\tnil
No child processes\tNo such process\tbad argument #2 to 'kill' (number expected, got string)
Invalid argument\tnil
137\t9
Invalid argument\t1
`,
  );

  lua(
    'what is known of a process without asking the kernel are errors of the runtime',
    `
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    local f = spawn(function() p:wait() end)
    this_fiber.yield()
    local function fails(name, ...) local ok, e = pcall(p[name], p, ...) print(name, e, e.category) end
    fails('wait')
    p:kill(9)
    f:join()
    fails('wait')
    fails('kill', 0)
    fails('cap_get')
  `,
    'wait\tDevice or resource busy\tgeneric\nwait\tNo child processes\tgeneric\n' +
      'kill\tNo such process\tgeneric\ncap_get\tNo such process\tgeneric\n',
  );

  lua(
    'waiting: interrupted without effect on the process, refused to a second fiber',
    `
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    local f = spawn(function() p:wait() end)
    this_fiber.yield()
    print(fails(p.wait, p))
    print(fails(p.wait_change, p))
    f:interrupt()
    f:join()
    print(f.interruption_caught)
    p:kill(0)
    local f = spawn(function() p:wait() return p.exit_signal end)
    this_fiber.yield()
    p:kill(signal.SIGTERM)
    print(f:join())
    -- an exit that has been seen is not lost by an interruption that comes later
    local p = system.spawn{program = 'true'}
    local f = spawn(function() p:wait() return p.exit_code end)
    f:interrupt()
    print(pcall(f.join, f))
    print(pcall(p.wait, p))
  `,
    'Device or resource busy\tnil\nDevice or resource busy\tnil\ntrue\n15\ntrue\ntrue\n',
  );

  lua(
    'stops and continuations',
    `
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    p:kill(signal.SIGSTOP)
    print(p:wait_change())
    p:kill(signal.SIGCONT)
    print(p:wait_change())
    local f = spawn(function() return p:wait_change() end)
    this_fiber.yield()
    f:interrupt()
    f:join()
    print(f.interruption_caught)
    local f = spawn(function() return p:wait_change() end)
    this_fiber.yield()
    p:kill(signal.SIGKILL)
    print(f:join())
    print(p.exit_signal, fails(p.wait_change, p), fails(p.wait, p))
  `,
    'stopped\t19\ncontinued\t18\ntrue\nexited\t137\n9\tNo child processes\tNo child processes\tnil\n',
  );

  lua(
    'children of which nobody wants to know are signalled, continued and taken away',
    `
    local function leave(opts)
      opts.program, opts.arguments = 'sleep', {'sleep', '100'}
      return system.spawn(opts).pid
    end
    local pids = {leave{}, leave{signal_on_gcreaper = signal.SIGKILL}}
    system.kill(pids[1], signal.SIGSTOP)
    for _ = 1, 20000 do
      collectgarbage()
      require('time').sleep(0.005)
      local left = 0
      for _, pid in ipairs(pids) do if pcall(system.kill, pid, 0) then left = left + 1 end end
      if left == 0 then print('gone') break end
    end
    -- and this one when the VM ends
    leave{}
  `,
    'gone\n',
  );

  lua(
    '1,000 programs leave nothing',
    `
    local n = 0
    for round = 1, 100 do
      local fibers = {}
      for i = 1, 10 do
        fibers[i] = spawn(function()
          local p = system.spawn{program = path '/bin/true'}
          p:wait()
          n = n + 1
          return p.exit_code
        end)
      end
      for i = 1, 10 do assert(fibers[i]:join() == 0) end
    end
    print(n)
  `,
    '1000\n',
  );
  test('no zombie is left of them', () => {
    assert.deepEqual(zombies(), []);
  });

  test('the end of the program waits for children, and ends them', {
    timeout: 300_000,
  }, async () => {
    const outcome = await runProgram(`
      local system = require 'system'
      local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}, environment = system.environment}
      print(p.pid)
      system.exit(3)
    `);
    assert.equal(outcome.code, 3);
    assert.equal(isAlive(Number(outcome.stdout)), false);
    const patient = await runProgram(`
      local system = require 'system'
      print('first')
      system.spawn{program = 'sh', arguments = {'sh', '-c', 'sleep 0.1; echo done'}, stdout = 'share',
        environment = system.environment, signal_on_gcreaper = 0}
    `);
    assert.equal(patient.stdout, 'first\ndone\n');
  });

  test('what was printed before comes before what the child prints', async () => {
    const outcome = await runProgram(`
      local system = require 'system'
      print('one')
      system.spawn{program = 'echo', arguments = {'echo', 'two'}, stdout = 'share'}:wait()
      print('three')
    `);
    assert.equal(outcome.stdout, 'one\ntwo\nthree\n');
  });

  spec(
    'actors may spawn, too; their end ends what they have started',
    `
    local system, inbox = require 'system', require 'inbox'
    local worker = spawn_vm './worker'
    worker:send(inbox)
    print(inbox:receive())
    local pid = inbox:receive()
    worker:close()
    for _ = 1, 20000 do
      if not pcall(system.kill, pid, 0) then print 'gone' break end
      require('time').sleep(0.005)
    end
  `,
    '0\ngone\n',
    {
      files: {
        'worker.lua': `
          local system, inbox = require 'system', require 'inbox'
          local main = inbox:receive()
          local p = system.spawn{program = 'true'}
          p:wait()
          main:send(p.exit_code)
          main:send(system.spawn{program = 'sleep', arguments = {'sleep', '100'}}.pid)
        `,
      },
    },
  );

  test('actors in processes of their own spawn, wait, and hear signals', async () => {
    const outcome = await runProgram(
      `
      local inbox = require 'inbox'
      local worker = spawn_vm{module = './worker', subprocess = {stderr = 'share', environment = {PATH = '/usr/bin:/bin'}}}
      worker:send{from = inbox}
      for _ = 1, 4 do print(inbox:receive()) end
    `,
      {
        files: {
          'worker.lua': `
            local system, inbox = require 'system', require 'inbox'
            local main, signal = inbox:receive().from, system.signal
            local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'exit 6'}}
            p:wait()
            main:send(p.exit_code)
            local set = signal.set.new(signal.SIGUSR1)
            local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'kill -USR1 $PPID; kill -STOP $$'}}
            main:send(set:wait())
            main:send((p:wait_change()))
            main:send(system.getppid() ~= 0 and system.getpgrp() >= 0)
          `,
        },
      },
    );
    assert.deepEqual(
      [outcome.stdout, outcome.stderr, outcome.code],
      ['6\n10\nstopped\ntrue\n', '', 0],
    );
  });

  // ── faults ─────────────────────────────────────────────────────────────────────────────────────────

  const fault = faultTests(SETUP);
  for (const [errno, text] of [
    ['EAGAIN', 'Resource temporarily unavailable'],
    ['ENOMEM', 'Cannot allocate memory'],
    ['EMFILE', 'Too many open files'],
  ] as const) {
    fault(
      `clone fails with ${errno}`,
      'clone',
      { errno },
      `print(fails(system.spawn, {program = 'true'})) print((run{program = 'echo', arguments = {'echo', 'again'}}))`,
      `${text}\tnil\nagain\n\n`,
    );
  }
  for (const [errno, text] of [
    ['ENOENT', 'No such file or directory'],
    ['EACCES', 'Permission denied'],
    ['ENOEXEC', 'Exec format error'],
    ['ENOMEM', 'Cannot allocate memory'],
    ['ETXTBSY', 'Text file busy'],
  ] as const) {
    fault(
      `execve fails with ${errno}`,
      'execve',
      { errno },
      `print(fails(system.spawn, {program = 'true'})) print((run{program = 'echo', arguments = {'echo', 'again'}}))`,
      `${text}\tprogram\nagain\n\n`,
    );
  }
  fault(
    'waitid is interrupted',
    'waitid',
    { errno: 'EINTR', times: 5 },
    `local p = system.spawn{program = 'sh', arguments = {'sh', '-c', 'exit 5'}} p:wait() print(p.exit_code)`,
    '5\n',
  );
  lua(
    'where SIGCHLD is ignored the kernel forgets how a child ended',
    `
    signal.ignore(signal.SIGCHLD)
    local p = system.spawn{program = 'true'}
    print(fails(p.wait, p))
    print(fails(function() return p.exit_code end))
    signal.default(signal.SIGCHLD)
    local p = system.spawn{program = 'true'}
    p:wait()
    print(p.exit_code)
  `,
    'No child processes\tnil\nInvalid argument\tnil\n0\n',
  );
  fault(
    'signals can not be sent',
    'pidfd_send_signal',
    { errno: 'EPERM' },
    `local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}} print(fails(p.kill, p, 9)) p:kill(9) p:wait() print(p.exit_signal)`,
    'Operation not permitted\tnil\n9\n',
  );
  test('and none of these left a zombie', () => {
    assert.deepEqual(zombies(), []);
  });
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

/** Children of this process that have ended and that nobody has waited for. */
function zombies(): string[] {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'latin1');
      } catch {
        return '';
      }
    });
  return lines.filter((line) => line.includes(`) Z ${process.pid} `)).map(fromBytes);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setImmediate(done));
}
