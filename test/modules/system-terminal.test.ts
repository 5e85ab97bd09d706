/** Terminals: sessions on them, foreground groups, window sizes, modes; and namespaces to enter. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openReactor } from '../support/faulty.ts';
import { runLua, runProgram, spec } from '../support/spec.ts';
import { noTerminal, ON_TERMINAL } from '../support/terminal.ts';

await openReactor();

const SETUP = `${ON_TERMINAL}
  local pipe, file, fs = require 'pipe', require 'file', require 'filesystem'
  local ENV = {PATH = '/usr/local/bin:/usr/bin:/bin', PS1 = '> '}
  local function sh(script, options)
    return on_terminal({'sh', '-c', script}, options or {environment = ENV})
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
`;

function lua(name: string, program: string, expected: string): void {
  if (noTerminal === false) spec(name, SETUP + program, expected);
  else test(name, { skip: noTerminal }, () => {});
}

lua(
  'a program gets a controlling terminal',
  `
  local t = sh 'tty; cut -d" " -f5,6,8 /proc/$$/stat; test -t 0 && test -t 1 && test -t 2 && echo all three'
  t.expect '/dev/pts/'
  t.expect '\\r\\n'
  local group, session, foreground = t.expect('\\r\\n'):match '(%d+) (%d+) (%d+)'
  print(foreground == group, group == session, tonumber(group) == t.process.pid)
  t.expect 'all three'
  t.rest()
  print(t.process.exit_code)
  -- no session of its own, or none that can have one
  local master, slave = serial_port.ptypair()
  print(fails(system.spawn, {program = 'true', set_ctty = slave}))
  print(fails(system.spawn, {program = 'true', set_ctty = slave, foreground = 'stdin', start_new_session = true}))
  local null = file.stream.new()
  null:open(fs.path.new '/dev/null', {'read_only'})
  null = null:release()
  print(fails(system.spawn, {program = 'true', set_ctty = null, start_new_session = true}))
  print(fails(system.spawn, {program = 'true', foreground = slave, process_group = 0}))
  print(fails(system.spawn, {program = 'true', foreground = 'stdin', process_group = 0}))
  null:close() slave:close() master:close()
`,
  `true\ttrue\ttrue
0
Invalid argument\tset_ctty
Invalid argument\tset_ctty/foreground
Inappropriate ioctl for device\tset_ctty
Inappropriate ioctl for device\tforeground
Invalid argument\tforeground
`,
);

lua(
  'keys become signals; a hang-up ends the session',
  `
  local t = on_terminal({'cat'}, {environment = ENV})
  t.send 'here\\n'
  t.expect 'here' t.expect 'here'
  t.send '\\3'
  t.rest()
  print(t.process.exit_signal == signal.SIGINT)
  local t = on_terminal({'cat'}, {environment = ENV})
  t.send 'here\\n'
  t.expect 'here' t.expect 'here'
  t.send '\\28'
  t.rest()
  print(t.process.exit_signal == signal.SIGQUIT)
  local t = on_terminal({'cat'}, {environment = ENV})
  t.send 'here\\n'
  t.expect 'here' t.expect 'here'
  t.send '\\4'
  t.rest()
  print(t.process.exit_code)
  local t = on_terminal({'cat'}, {environment = ENV})
  t.send 'here\\n'
  t.expect 'here' t.expect 'here'
  t.master:close()
  t.rest()
  print(t.process.exit_signal == signal.SIGHUP)
`,
  'true\ntrue\n0\ntrue\n',
);

lua(
  'window size',
  `
  local master, slave = serial_port.ptypair()
  print(master:window_size())
  master:set_window_size(132, 50)
  print(master:window_size())
  for _, bad in ipairs{{-1, 1}, {1, 65536}, {'x', 1}, {1}} do
    print((fails(master.set_window_size, master, bad[1], bad[2])))
  end
  master:close()
  print(fails(master.window_size, master))
  slave:close()
  -- a shell is told
  local t = sh [[trap 'echo now $(stty size)' WINCH; echo ready; while read line; do echo got $line; done]]
  t.expect 'ready'
  t.master:set_window_size(101, 37)
  t.send 'x\\n'
  t.expect 'now 37 101'
  t.send '\\4'
  t.rest()
`,
  `0\t0
132\t50
Invalid argument
Invalid argument
bad argument #2 to 'set_window_size' (number expected, got string)
bad argument #3 to 'set_window_size' (number expected, got nil)
Bad file descriptor\tnil
`,
);

lua(
  'modes',
  `
  local master, fd = serial_port.ptypair()
  local slave = serial_port.new(fd)
  local cooked = slave:terminal_mode()
  print(type(cooked), cooked == slave:terminal_mode())
  slave:set_terminal_mode 'raw'
  local b = byte_span.new(10)
  stream.write_all(master, 'a\\3')
  stream.read_all(slave, b:first(2))
  print(tostring(b:first(2)) == 'a\\3', cooked == slave:terminal_mode())
  slave:set_terminal_mode 'cbreak'
  slave:set_terminal_mode(cooked)
  print(cooked == slave:terminal_mode())
  for _, bad in ipairs{'cooked', 1, {}, true} do print(fails(slave.set_terminal_mode, slave, bad)) end
  local null = file.stream.new()
  null:open(fs.path.new '/dev/null', {'read_only'})
  local port = serial_port.new()
  print(fails(port.terminal_mode, port))
  null:close() master:close() slave:close()
`,
  `string\ttrue\ntrue\tfalse\ntrue\n${'Invalid argument\t2\n'.repeat(4)}Bad file descriptor\tnil\n`,
);

test('the standard streams as a terminal', { skip: noTerminal, timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-terminal-'));
  try {
    const inner = join(folder, 'inner.lua');
    writeFileSync(
      inner,
      `local system, stream = require 'system', require 'stream'
      print(system.in_:isatty(), system.err:tcgetpgrp() == system.getpgrp(), system.out:window_size())
      system.out:set_window_size(90, 30)
      print(system.err:window_size())
      local saved = system.in_:terminal_mode()
      system.in_:set_terminal_mode 'raw'
      stream.write_all(system.out, 'keys?')
      local b = byte_span.new(1)
      system.in_:read_some(b)
      system.in_:set_terminal_mode(saved)
      print(tostring(b):byte())
      system.in_:tcsetpgrp(system.getpgrp())
      print(pcall(system.in_.tcsetpgrp, system.in_, 'x'))
      print(pcall(system.in_.tcsetpgrp, system.in_, 2^30))
      system.signal.ignore(system.signal.SIGTTOU)
      for _, name in ipairs{'stdin', 'stderr'} do
        system.spawn{
          program = 'sh', environment = system.environment, stdin = 'share', stdout = 'share', stderr = 'share',
          arguments = {'sh', '-c', 'set -- $(cut -d" " -f5,8 /proc/$$/stat); test $1 = $2 && echo in front'},
          process_group = 0, foreground = name,
        }:wait()
        system.in_:tcsetpgrp(system.getpgrp())
      end`,
    );
    const outcome = await runLua(`${SETUP}
      local t = on_terminal(perilune '${inner}')
      print((t.expect 'keys?':gsub('\\r', '')))
      t.send '\\3'
      print((t.rest():gsub('\\r', '')))
      print(t.process.exit_code)`);
    assert.equal(outcome.stderr, '');
    assert.equal(
      outcome.stdout,
      `true\ttrue\t0\t0
90\t30

3
false\tbad argument #2 to 'tcsetpgrp' (number expected, got string)
false\tNo such process
in front
in front

0
`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('dup_from puts another file in place of a standard stream', async () => {
  const outcome = await runProgram(
    `
    local system, stream, pipe = require 'system', require 'stream', require 'pipe'
    print 'before'
    local r, w = pipe.pair()
    stream.write_all(w, 'from a pipe')
    w:close()
    local fd = r:release()
    local b = byte_span.new(20)
    local f = spawn(function() return system.in_:read_some(b) end)
    this_fiber.yield()
    system.in_:dup_from(fd)
    print(pcall(f.join, f))
    print(system.in_:read_some(b), tostring(b:first(11)))
    local saved = system.out:dup()
    local r, w = pipe.pair()
    w = w:release()
    system.out:dup_from(w)
    w:close()
    print 'through the pipe'
    stream.write_all(system.out, 'and this\\n')
    system.out:dup_from(saved)
    local b = byte_span.new(100)
    stream.write_all(system.out, b:first(r:read_some(b)))
    print(pcall(system.err.dup_from, system.err, 1))
    saved:close()
    print(pcall(system.err.dup_from, system.err, saved))
    fd:close()
  `,
    { stdin: 'x' },
  );
  assert.equal(outcome.stderr, '');
  assert.equal(
    outcome.stdout,
    `before
true\t1
11\tfrom a pipe
through the pipe
and this
false\tInvalid argument
false\tDevice or resource busy
`,
  );
});

// A process in namespaces of its own, to be entered; who may make them is up to the machine.
const canUnshare =
  spawnSync('unshare', ['-U', '-r', '-n', '-u', '-i', '-m', 'true']).status === 0
    ? false
    : 'unshare(1) is not there, or may not make namespaces';

test('namespaces to enter', { skip: noTerminal || canUnshare, timeout: 300_000 }, async () => {
  const outcome = await runLua(`${SETUP}
    local source, sink = pipe.pair()
    local r, w = pipe.pair()
    source, w = source:release(), w:release()
    local holder = system.spawn{
      program = 'unshare', arguments = {'unshare', '-U', '-r', '-n', '-u', '-i', '-m', 'sh', '-c', 'echo ready; read line'},
      environment = ENV, stdin = source, stdout = w,
    }
    source:close() w:close()
    r:read_some(byte_span.new(10))
    local proc = file.stream.new()
    proc:open(fs.path.new '/proc', {'read_only'})
    proc = proc:release()
    local function open(kind, pid)
      return proc:openat(fs.path.new(('%s/ns/%s'):format(pid, kind)), {'read_only'})
    end
    local function ids(options)
      local r, w = pipe.pair()
      w = w:release()
      options.program, options.environment, options.stdout = 'sh', ENV, w
      options.arguments = {'sh', '-c', 'cd /proc/self/ns; readlink user mnt uts ipc net; id -u'}
      local ok, p = pcall(system.spawn, options)
      w:close()
      if not ok then r:close() return tostring(p) .. ' ' .. p.arg end
      local text, b = '', byte_span.new(1000)
      while true do
        local ok, n = pcall(r.read_some, r, b)
        if not ok then break end
        text = text .. tostring(b:first(n))
      end
      r:close()
      p:wait()
      local list = {}
      for line in text:gmatch '[^\\n]+' do list[#list + 1] = line end
      return list
    end
    local own = ids{}
    local options = {}
    for name, kind in pairs{user = 'user', mount = 'mnt', uts = 'uts', ipc = 'ipc', net = 'net'} do
      options['setns_' .. name] = open(kind, holder.pid)
    end
    local there = ids(options)
    for i = 1, 5 do print(own[i] ~= there[i], own[i]:match '%a+' == there[i]:match '%a+') end
    print(there[6])
    -- one alone, by its older name; the user namespace has the right to it
    local some = ids{nsenter_user = options.setns_user, nsenter_uts = options.setns_uts}
    print(some[1] == there[1], some[3] == there[3], some[5] == own[5])
    -- a descriptor of another kind
    print(ids{setns_net = options.setns_uts})
    print(ids{nsenter_net = options.setns_uts})
    for name, fd in pairs(options) do if getmetatable(fd) == 'file_descriptor' then fd:close() end end
    proc:close()
    sink:close()
    holder:wait()
  `);
  assert.equal(outcome.stderr, '');
  assert.equal(
    outcome.stdout,
    `${'true\ttrue\n'.repeat(5)}0\ntrue\ttrue\ttrue\nInvalid argument setns_net\nInvalid argument nsenter_net\n`,
  );
});
