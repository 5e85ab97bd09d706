/** `system.signal`: sets, dispositions, and what the runtime itself does with signals. */
import assert from 'node:assert/strict';
import { spawn as spawnNode } from 'node:child_process';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { runLua, runProgram, spec } from '../support/spec.ts';

await openReactor();

const SETUP = `
  local system, time = require 'system', require 'time'
  local ge, ae = require 'generic_error', require 'asio_error'
  local signal = system.signal
  local USR1, USR2, WINCH, HUP = signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGHUP
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error' end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
`;
const lua = (name: string, program: string, expected: string): void =>
  spec(name, SETUP + program, expected);

if (nativeFailure() === undefined) {
  lua(
    'the table of signals is a plain one, of this VM',
    `
    print(type(signal), getmetatable(signal), signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGBREAK)
    signal.mine = 1
    print(system.signal.mine)
    for _, name in ipairs{'ABRT', 'FPE', 'ILL', 'INT', 'SEGV', 'TERM', 'ALRM', 'BUS', 'CHLD', 'CONT', 'HUP', 'IO', 'KILL',
      'PIPE', 'PROF', 'QUIT', 'STOP', 'SYS', 'TRAP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'USR1', 'USR2', 'VTALRM', 'WINCH',
      'XCPU', 'XFSZ'} do assert(type(signal['SIG' .. name]) == 'number', name) end
  `,
    'table\tnil\t2\t9\t15\tnil\n1\n',
  );

  lua(
    'what came while nobody waited is told in ascending order, each time it came',
    `
    local set = signal.set.new(USR1, USR2)
    print(getmetatable(set))
    signal.raise(USR2)
    signal.raise(USR1)
    signal.raise(USR2)
    print(set:wait() == USR1, set:wait() == USR2, set:wait() == USR2)
    local f = spawn(function() return set:wait() end)
    this_fiber.yield()
    system.kill(system.getpid(), USR1)
    print(f:join() == USR1)
  `,
    'system.signal.set\ntrue\ttrue\ttrue\ntrue\n',
  );

  lua(
    'all who wait on a set are told; each set that has the signal is',
    `
    local a, b, c = signal.set.new(USR1), signal.set.new(WINCH, USR1), signal.set.new(USR2)
    local got = {}
    local fibers = {}
    for i = 1, 3 do fibers[i] = spawn(function() got[i] = a:wait() end) end
    this_fiber.yield()
    signal.raise(USR1)
    for i = 1, 3 do fibers[i]:join() end
    print(#got, got[1] == USR1, b:wait() == USR1)
    local f = spawn(function() c:wait() end)
    this_fiber.yield()
    f:interrupt()
    f:join()
    print(f.interruption_caught)
  `,
    '3\ttrue\ttrue\ntrue\n',
  );

  lua(
    'add, remove, clear, cancel',
    `
    local set = signal.set.new()
    set:add(USR1)
    set:add(USR1)
    set:add(USR2)
    signal.raise(USR1)
    signal.raise(USR2)
    set:remove(USR1)
    set:remove(WINCH)
    print(set:wait() == USR2)
    local other = signal.set.new(USR1)
    signal.raise(USR1)
    print(other:wait() == USR1)
    local f = spawn(function() return fails(set.wait, set) end)
    this_fiber.yield()
    set:cancel()
    print(f:join())
    set:cancel()
    local f = spawn(function() set:wait() end)
    this_fiber.yield()
    set:cancel()
    local ok, e = pcall(f.join, f)
    print(e == ae.basic.operation_aborted)
    signal.raise(USR2)
    set:clear()
    set:add(USR2)
    local f = spawn(function() return set:wait() end)
    this_fiber.yield()
    f:interrupt()
    f:join()
    print(f.interruption_caught)
  `,
    'true\ntrue\nOperation canceled\tnil\ntrue\ntrue\n',
  );

  lua(
    'arguments that are wrong',
    `
    print(fails(signal.set.new, USR1, 'x'))
    print(fails(signal.set.new, USR1, USR2, signal.SIGKILL))
    print(fails(signal.set.new, 0))
    print(fails(signal.set.new, 65))
    print(fails(signal.set.new, 1.5))
    local set = signal.set.new()
    print(fails(set.add, set, 'x'))
    print(fails(set.add, set, signal.SIGSTOP))
    print(fails(set.remove, set, nil))
    print(fails(set.wait, {}))
    print(fails(function() return set.nothing end))
    for _, bad in ipairs{-1, 99, 2^40} do
      local ok, e = pcall(signal.raise, bad)
      print(e, e.ret)
    end
    print(fails(signal.raise, 'x'))
    print(fails(signal.default, 99), fails(signal.ignore, signal.SIGKILL), fails(signal.ignore, 'x'))
    -- nothing of those that failed is left registered
    signal.default(USR1)
  `,
    `Invalid argument\t2
${'Invalid argument\t3\n'}${'Invalid argument\t1\n'.repeat(3)}Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t1
Requested key wasn't found in the table/userdata\tnil
${'std::raise() failed\t-1\n'.repeat(3)}bad argument #1 to 'raise' (number expected, got string)
Invalid argument\tInvalid argument\tbad argument #1 to 'ignore' (number expected, got string)
`,
  );

  lua(
    'default and ignore: not while a set has the signal',
    `
    local set = signal.set.new(HUP)
    print(fails(signal.ignore, HUP))
    print(fails(signal.default, HUP))
    set:clear()
    signal.ignore(HUP)
    signal.raise(HUP)
    print 'still here'
    -- it comes back when the set is gone
    set:add(HUP)
    signal.raise(HUP)
    print(set:wait() == HUP)
    set:remove(HUP)
    signal.raise(HUP)
    signal.default(HUP)
    print 'and here'
  `,
    'Operation not permitted\tnil\nOperation not permitted\tnil\nstill here\ntrue\nand here\n',
  );

  lua(
    'a set that is collected lets its signals go',
    `
    signal.set.new(HUP)
    for _ = 1, 20000 do
      collectgarbage()
      time.sleep(0.005)
      if pcall(signal.ignore, HUP) then signal.default(HUP) print 'free' break end
    end
  `,
    'free\n',
  );

  lua(
    'a storm of signals from another process: none is made up, the last is seen',
    `
    local set, stop = signal.set.new(USR1), signal.set.new(USR2)
    local pipe = require 'pipe'
    local p = system.spawn{program = 'sh', stderr = 'share', environment = system.environment, arguments = {'sh', '-c',
      'n=0; while [ $n -lt 3000 ]; do kill -USR1 ' .. system.getpid() .. '; n=$((n+1)); done; kill -USR2 ' .. system.getpid()}}
    local seen = 0
    local f = spawn(function() while true do set:wait() seen = seen + 1 end end)
    print(stop:wait() == USR2)
    p:wait()
    print(p.exit_code)
    for _ = 1, 10 do time.sleep(0) end
    print(seen > 0 and seen <= 3000)
    f:interrupt()
    pcall(f.join, f)
  `,
    'true\n0\ntrue\n',
  );

  lua(
    'children and SIGCHLD go together',
    `
    local set = signal.set.new(signal.SIGCHLD)
    local p = system.spawn{program = 'true'}
    print(set:wait() == signal.SIGCHLD)
    p:wait()
    print(p.exit_code)
    local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
    p:kill(signal.SIGSTOP)
    print(p:wait_change())
    print(set:wait() == signal.SIGCHLD)
    p:kill(signal.SIGKILL)
    p:wait()
  `,
    'true\n0\nstopped\t19\ntrue\n',
  );

  spec(
    'other VMs may wait, but neither make sets nor change what a signal does',
    `
    local inbox, signal = require 'inbox', require('system').signal
    local worker = spawn_vm './worker'
    worker:send(inbox)
    for _ = 1, 9 do print(inbox:receive()) end
  `,
    `Operation not permitted\n${'Operation not permitted\n'.repeat(6)}fine\nfine\n`,
    {
      files: {
        'worker.lua': `
          local system, inbox = require 'system', require 'inbox'
          local main, signal = inbox:receive(), system.signal
          local function try(f, ...)
            local ok, e = pcall(f, ...)
            main:send(ok and 'fine' or tostring(e))
          end
          try(signal.set.new, signal.SIGUSR1)
          try(signal.ignore, signal.SIGHUP)
          try(signal.default, signal.SIGHUP)
          try(signal.raise, signal.SIGKILL)
          try(signal.raise, signal.SIGTERM)
          try(system.kill, system.getpid(), 0)
          try(system.setsid)
          try(signal.raise, signal.SIGCONT)
          try(signal.raise, signal.SIGWINCH)
        `,
      },
    },
  );

  // ── whole processes ────────────────────────────────────────────────────────────────────────────────

  test('raise ends the process by the default of the signal; what was printed is written', async () => {
    const outcome = await runProgram(`
      local signal = require('system').signal
      print 'before'
      signal.raise(signal.SIGTERM)
      print 'never'
    `);
    assert.deepEqual([outcome.stdout, outcome.signal], ['before\n', 'SIGTERM']);
    const ignored = await runProgram(`
      local signal = require('system').signal
      signal.ignore(signal.SIGTERM)
      signal.raise(signal.SIGTERM)
      print 'after'
      signal.default(signal.SIGTERM)
      signal.raise(signal.SIGTERM)
    `);
    assert.deepEqual([ignored.stdout, ignored.signal], ['after\n', 'SIGTERM']);
  });

  test('a wait keeps the program alive until the signal comes', { timeout: 300_000 }, async () => {
    const outcome = await runProgram(`
      local system = require 'system'
      local set = system.signal.set.new(system.signal.SIGHUP)
      system.spawn{program = 'sh', arguments = {'sh', '-c', 'sleep 0.05; kill -HUP ' .. system.getpid()},
        environment = system.environment, signal_on_gcreaper = 0}
      print(set:wait())
    `);
    assert.deepEqual([outcome.stdout, outcome.code], ['1\n', 0]);
  });

  test('SIGUSR1 prints the fibers unless the program has a use for it', {
    timeout: 300_000,
  }, async () => {
    const dumped = await withSignals('', ['SIGUSR1']);
    assert.match(dumped.stderr, /VM 0x1: 1 fiber/);
    const taken = await withSignals(
      `local set = system.signal.set.new(system.signal.SIGUSR1)
       spawn(function() print('got', set:wait()) set:clear() end)`,
      ['SIGUSR1', 'SIGUSR1'],
    );
    assert.match(taken.stdout, /got\t10/);
    assert.match(taken.stderr, /VM 0x1: 1 fiber/, 'when the set is empty it does again');
    assert.equal(taken.stderr.match(/VM 0x1/g)?.length, 1);
    const ignored = await withSignals('system.signal.ignore(system.signal.SIGUSR1)', ['SIGUSR1']);
    assert.equal(ignored.stderr, '');
  });

  test('children of Node are not lost while a set has SIGCHLD', { timeout: 300_000 }, async () => {
    const sleeper = spawnNode('sleep', ['100']);
    const ended = new Promise((done) => sleeper.on('exit', (_code, signal) => done(signal)));
    const outcome = await runLua(`${SETUP}
      local set = signal.set.new(signal.SIGCHLD)
      system.kill(${sleeper.pid}, signal.SIGKILL)
      print(set:wait() == signal.SIGCHLD)
    `);
    assert.deepEqual([outcome.stdout, outcome.stderr], ['true\n', '']);
    assert.equal(await ended, 'SIGKILL');
  });

  const fault = faultTests(SETUP);
  fault(
    'a handler can not be installed',
    'sigaction',
    { errno: 'EINVAL' },
    `print(fails(signal.set.new, USR1)) local set = signal.set.new(USR1) signal.raise(USR1) print(set:wait() == USR1)`,
    'Invalid argument\t1\ntrue\n',
  );
}

/** A program that does `setup`, and then sends itself signals. */
async function withSignals(
  setup: string,
  signals: NodeJS.Signals[],
): Promise<{ stdout: string; stderr: string }> {
  const outcome = await runProgram(`
    local system, time = require 'system', require 'time'
    ${setup}
    time.sleep(0.1) -- the runtime's own handler is installed after a while
    for _, name in ipairs{${signals.map((name) => `'${name}'`).join(', ')}} do
      system.kill(system.getpid(), system.signal[name])
      -- A sleep may end in the turn that it began in, two can't: the signal is seen between them.
      for _ = 1, 2 do time.sleep(0.05) end
    end
  `);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}
