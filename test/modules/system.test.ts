import assert from 'node:assert/strict';
import test from 'node:test';
import { runProgram, spec } from '../support/spec.ts';

spec(
  'the module is read-only and unknown keys are bad_index',
  `
  local system = require 'system'
  local ok, e = pcall(function() return system.nothing end) print(e, e.index)
  local ok, e = pcall(function() return system.out.nothing end) print(e, e.index)
  local ok, e = pcall(function() system.exit = 1 end) print(e)
  print(type(system.exit), type(system.in_), getmetatable(system))
`,
  "Requested key wasn't found in the table/userdata\t2\n".repeat(2) +
    'Operation not permitted\nfunction\tuserdata\tsystem\n',
);

spec(
  'arguments and environment are fresh tables',
  `
  local system = require 'system'
  system.environment.PATH = nil
  print(type(system.environment.PATH), rawequal(system.arguments, system.arguments))
`,
  'string\tfalse\n',
);

spec(
  'identity',
  `
  local system = require 'system'
  local r, e, s = system.getresuid()
  print(r == e and e == s, select('#', system.getresgid()), type(system.getgroups()))
  print(system.getpgid(system.getpid()) == system.getpgrp(), system.getsid(0) >= 0, system.getppid() ~= system.getpid())
  system.kill(system.getpid(), 0)
  local ok, e = pcall(system.kill, 2^31 - 1, 0) print(e, e.category)
  local ok, e = pcall(system.getpgid, 2^31 - 1) print(e, e.category)
`,
  'true\t3\ttable\ntrue\ttrue\ttrue\nNo such process\tsystem\nNo such process\tsystem\n',
);

spec(
  'exit ends the VM at once, without cleanup',
  `
  spawn(function() print('never') end)
  scope(function()
    scope_cleanup_push(function() print('never') end)
    pcall(function() require('system').exit(7) end)
    print('never')
  end)
`,
  '',
  { code: 7 },
);

spec(
  'exit: what it refuses',
  `
  local system = require 'system'
  for _, opts in ipairs{{force = 1}, {force = 3}, {force = 'now'}} do
    local ok, e = pcall(system.exit, 0, opts)
    print(e, e.arg)
  end
  local ok, e = pcall(system.exit, 0, 'x') print(e, e.arg)
`,
  'Operation not supported\tnil\nInvalid argument\tforce\nInvalid argument\tforce\nInvalid argument\t2\n',
);

spec(
  'standard streams: wrong buffers, dup',
  `
  local system = require 'system'
  local ok, e = pcall(system.in_.read_some, system.in_, 'x') print(e, e.arg)
  local ok, e = pcall(system.out.write_some, nil, 'x') print(e, e.arg)
  local fd = system.err.dup() print(getmetatable(fd), fd:kcmp(system.err:dup()))
  print(type(system.out:isatty()), getmetatable(system.in_))
`,
  'Invalid argument\t2\nInvalid argument\t2\nfile_descriptor\t0\nboolean\tsystem.in_\n',
);

test('standard streams carry bytes, in order with print', async () => {
  const outcome = await runProgram(
    `
    local system, stream = require 'system', require 'stream'
    print('first')
    stream.write_all(system.out, 'second\\n')
    print('third')
    stream.write_all(system.err, 'complaint\\n')
    local b = byte_span.new(64)
    local ok, e = pcall(function()
      while true do stream.write_all(system.out, b:first(system.in_:read_some(b))) end
    end)
    print(e)
    `,
    { stdin: 'some input\n' },
  );
  assert.deepEqual(outcome, {
    stdout: 'first\nsecond\nthird\nsome input\nEnd of file\n',
    stderr: 'complaint\n',
    code: 0,
    signal: null,
  });
});

test('arguments, environment and the exit code of a process', async () => {
  const outcome = await runProgram(
    `
    local system = require 'system'
    print(#system.arguments, system.arguments[3], system.arguments[4], system.environment.PERILUNE_TEST)
    system.exit(300)
    `,
    { args: ['é', '--x'], env: { PERILUNE_TEST: 'ü' } },
  );
  assert.equal(outcome.stdout, '4\té\t--x\tü\n');
  assert.equal(outcome.code, 300 & 0xff);
});

test('exit with force ends the process though fibers run', async () => {
  const outcome = await runProgram(`
    local system = require 'system'
    print('gathered')
    system.exit(5, {force = 2})
  `);
  assert.deepEqual([outcome.stdout, outcome.code], ['gathered\n', 5]);
  const aborted = await runProgram(`
    local system = require 'system'
    print('gathered')
    system.signal.ignore(system.signal.SIGABRT)
    system.exit(0, {force = 'abort'})
  `);
  assert.deepEqual([aborted.stdout, aborted.stderr, aborted.signal], ['gathered\n', '', 'SIGABRT']);
});
