/** Options, exit codes, environment variables, signals: what the command itself does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { MAIN, runCommand, runProgram } from '../support/spec.ts';

// ── options ────────────────────────────────────────────────────────────────────────────────────────

test('--help and --version print and end with 0, whatever follows', async () => {
  for (const args of [['--help'], ['-h'], ['--help', '--nonsense'], ['--test', '-h', 'a', 'b']]) {
    const { stdout, stderr, code } = await runCommand(args);
    assert.match(stdout, /^Usage: perilune \[OPTION\]\.\.\. FILE \[-- ARG\.\.\.\]\n/);
    assert.deepEqual({ stderr, code }, { stderr: '', code: 0 });
  }
  const { stdout, code } = await runCommand(['--version']);
  assert.match(stdout, /^Perilune \S+\nLua 5\.1 \(LuaJIT 2\.1 dialect\)\nNode v\d+/);
  assert.equal(code, 0);
});

test('program arguments come after --, and are bytes', async () => {
  const source = `
    local a = require('system').arguments
    print(#a, a[1]:match('[^/]*$'), a[2] == tostring(_FILE))
    for i = 3, #a do print(#a[i], a[i]) end`;
  const { stdout, stderr } = await runProgram(source, {
    args: ['one', '--test', '', 'é', '--', '-h'],
  });
  assert.equal(stderr, '');
  assert.equal(stdout, '8\tmain.ts\ttrue\n3\tone\n6\t--test\n0\t\n2\té\n2\t--\n2\t-h\n');
  assert.match((await runProgram(source)).stdout, /^2\t/);
});

test('arguments that are no UTF-8 reach the program as they are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    writeFileSync(
      join(folder, 'x.lua'),
      "local a = require('system').arguments print(#a, a[3]:byte(1, -1))",
    );
    writeFileSync(
      join(folder, 'run.sh'),
      `exec "$@" "${folder}/x.lua" -- "$(printf 'a\\377\\200')" b\n`,
    );
    const { stdout, stderr } = spawnSync('sh', [join(folder, 'run.sh'), process.execPath, MAIN]);
    assert.deepEqual([String(stdout), String(stderr)], ['4\t97\t255\t128\n', '']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('--test makes _CONTEXT "test"; options may follow the file', async () => {
  assert.equal((await runProgram('print(_CONTEXT)', { flags: ['--test'] })).stdout, 'test\n');
  assert.equal((await runProgram('print(_CONTEXT)')).stdout, 'main\n');
});

test('--main-context-concurrency-hint takes its value either way', async () => {
  for (const flags of [['1'], ['safe'], ['0']].map((v) => [
    '--main-context-concurrency-hint',
    ...v,
  ])) {
    assert.equal((await runProgram('print(1)', { flags })).stdout, '1\n');
  }
  assert.equal(
    (await runProgram('print(1)', { flags: ['--main-context-concurrency-hint=1'] })).stdout,
    '1\n',
  );
});

test('the first pool takes more threads unless --main-context-concurrency-hint is 1', async () => {
  for (const [hint, expected] of [
    ['1', 'false\tOperation not supported\n'],
    ['safe', 'true\n'],
  ] as const) {
    const flags = [`--main-context-concurrency-hint=${hint}`];
    const { stdout } = await runProgram('print(pcall(spawn_context_threads, 1))', { flags });
    assert.equal(stdout, expected);
  }
});

test('mistakes end with code 2 and say what is wrong', async () => {
  for (const [args, message] of [
    [[], 'no program given (try --help)'],
    [['--'], 'no program given (try --help)'],
    [['--', 'x.lua'], 'no program given (try --help)'],
    [['-é'], "unknown option '-é'"],
    [['--main-context-concurrency-hint=2', 'x.lua'], "invalid concurrency hint '2'"],
    [['--main-context-concurrency-hint'], "invalid concurrency hint ''"],
    [
      ['--main-context-concurrency-hints=1', 'x.lua'],
      "unknown option '--main-context-concurrency-hints=1'",
    ],
    [['--compile'], '--compile needs a file'],
    [['a.lua', 'b.lua'], "unexpected argument 'b.lua' (program arguments come after --)"],
    [['a.lua', '-'], 'reading the program from standard input is not supported'],
  ] as const) {
    const { stdout, stderr, code } = await runCommand(args);
    assert.deepEqual(
      { stdout, stderr, code },
      { stdout: '', stderr: `perilune: ${message}\n`, code: 2 },
    );
  }
});

test('--compile prints JavaScript and runs nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'x.lua');
    writeFileSync(
      file,
      "print('never') local function add(a, b) return a + b end return add('\\xe9', 1)",
    );
    const { stdout, stderr, code } = await runCommand(['--compile', file]);
    assert.deepEqual({ stderr, code }, { stderr: '', code: 0 });
    assert.match(stdout, /function \S*add\S*\(/);
    // Laid out, below the line of Lua that it is made of.
    assert.match(stdout, /\n {4}\/\/ 1: print\('never'\) local/);
    assert.match(stdout, /\n {4}let add = function add\$f1\(a, b\) \{\n {6}/);
    assert.doesNotThrow(() => new Function(`return ${stdout}`));
    writeFileSync(file, 'x = = 1');
    const wrong = await runCommand(['--compile', file]);
    assert.deepEqual(wrong, {
      stdout: '',
      stderr: `perilune: ${file}:1: unexpected symbol near '='\n`,
      code: 1,
      signal: null,
    });
    const missing = await runCommand(['--compile', join(folder, 'none.lua')]);
    assert.deepEqual([missing.stdout, missing.code], ['', 1]);
    assert.match(missing.stderr, /^perilune: cannot open .*none\.lua: ENOENT\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// ── exit codes ─────────────────────────────────────────────────────────────────────────────────────

test('the exit code: 0, that of system.exit, or 1 after an error', async () => {
  const code = async (source: string): Promise<number> => (await runProgram(source)).code;
  assert.equal(await code('print(1)'), 0);
  assert.equal(await code("require('system').exit(7)"), 7);
  assert.equal(
    await code("spawn(function() require_system.exit(9) end) require_system = require 'system'"),
    9,
  );
  assert.equal(await code("error('x')"), 1);
  assert.equal(await code('error()'), 1);
  assert.equal(await code("spawn(function() error('x') end)"), 0);
  assert.equal(await code('x = = 1'), 1);
});

test('errors that are no strings: error objects have their message, all else none', async () => {
  const message = async (value: string): Promise<string | undefined> => {
    const { stderr, code } = await runProgram(`error(${value}, 0)`);
    assert.equal(code, 1);
    assert.doesNotMatch(stderr, /internal error/);
    return /panicked: '(.*)'\n/.exec(stderr)?.[1];
  };
  assert.equal(await message("require('generic_error').EPERM"), 'Operation not permitted');
  assert.equal(await message('{}'), '');
  assert.equal(await message('nil'), '');
  assert.equal(await message('true'), '');
  assert.equal(await message('12.5'), '12.5');
  assert.equal(await message('setmetatable({}, {__tostring = function() error("again") end})'), '');
  assert.equal(
    await message('setmetatable({}, {__tostring = function() this_fiber.yield() return "x" end})'),
    '',
  );
});

// ── reports ────────────────────────────────────────────────────────────────────────────────────────

const FAILS = "spawn(function() error('lost') end):detach() this_fiber.yield() error('gone')";
type Env = Record<string, string>;

test('reports are plain where the standard error stream is no terminal', async () => {
  const { stderr } = await runProgram(FAILS);
  assert.match(
    stderr,
    /^Fiber 0x2 panicked: '.*lost'\nstack traceback:\n[^\x1b]*Main fiber from VM 0x1 panicked: '/,
  );
  assert.doesNotMatch(stderr, /\x1b/);
});

test('PERILUNE_COLORS and EMILUA_COLORS: 1 forces colours, 0 and NO_COLOR turn them off', async () => {
  const isColored = async (env: Env): Promise<boolean> => {
    const { stderr } = await runProgram(FAILS, { env });
    const plain = stderr.replaceAll(/\x1b\[[\d;]*m/g, '');
    assert.match(
      plain,
      /^Fiber 0x2 panicked: '.*lost'\nstack traceback:\n(.*\n)*Main fiber from VM 0x1 panicked: '.*gone'\nstack traceback:\n\t/,
    );
    return stderr.includes('\x1b[');
  };
  assert.equal(await isColored({ EMILUA_COLORS: '1' }), true);
  assert.equal(await isColored({ PERILUNE_COLORS: '1', EMILUA_COLORS: '0' }), true);
  assert.equal(await isColored({ PERILUNE_COLORS: '0', EMILUA_COLORS: '1' }), false);
  assert.equal(await isColored({ PERILUNE_COLORS: '', EMILUA_COLORS: '1' }), true);
  assert.equal(await isColored({ EMILUA_COLORS: '1', NO_COLOR: '1' }), true);
  assert.equal(await isColored({ EMILUA_COLORS: '0' }), false);
});

test('on a terminal there are colours, but for NO_COLOR and a dumb one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    writeFileSync(join(folder, 'x.lua'), "error('gone')");
    const onTerminal = (env: Env): string =>
      spawnSync(
        'python3',
        [
          '-c',
          'import pty, sys; pty.spawn(sys.argv[1:])',
          process.execPath,
          MAIN,
          join(folder, 'x.lua'),
        ],
        {
          env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
          encoding: 'latin1',
          input: '',
        },
      ).stdout;
    assert.match(
      onTerminal({}),
      /^\x1b\[1;31mMain fiber from VM 0x1 panicked: \x1b\[m\x1b\[1m'.*gone'\x1b\[m\x1b\[2m\r\nstack traceback:/,
    );
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { EMILUA_COLORS: '0' }] as Env[]) {
      assert.match(onTerminal(env), /^Main fiber from VM 0x1 panicked: '.*gone'\r\nstack/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('EMILUA_LOG_LEVELS: reports need level 3 of the default category', async () => {
  const isReported = async (levels: string): Promise<boolean> => {
    const { stderr, code } = await runProgram("error('gone')", {
      env: { EMILUA_LOG_LEVELS: levels },
    });
    assert.equal(code, 1);
    assert.ok(stderr === '' || stderr.startsWith('Main fiber'), stderr);
    return stderr !== '';
  };
  assert.equal(await isReported(''), true);
  assert.equal(await isReported('3'), true);
  assert.equal(await isReported('7'), true);
  assert.equal(await isReported('2'), false);
  assert.equal(await isReported('0'), false);
  assert.equal(await isReported('-1'), false);
  assert.equal(await isReported('0,other:7'), false);
  assert.equal(await isReported('other:0'), true);
  const { stderr } = await runProgram('local m = require("mutex").new() m:lock() m:lock()', {
    env: { PERILUNE_LOG_LEVELS: '2' },
  });
  assert.equal(stderr, '');
});

test('variables that say nothing we know bring a warning, and the program runs', async () => {
  const { stdout, stderr, code } = await runProgram('print(1)', {
    env: { EMILUA_COLORS: 'yes', PERILUNE_LOG_LEVELS: 'x,a:b,a:5,4' },
  });
  assert.equal(
    stderr,
    `<4>perilune: PERILUNE_LOG_LEVELS is a list of 'category:level': 'x' is ignored
<4>perilune: PERILUNE_LOG_LEVELS is a list of 'category:level': 'a:b' is ignored
<4>perilune: PERILUNE_LOG_LEVELS is a list of 'category:level': '4' is ignored
<4>perilune: EMILUA_COLORS is neither 0 nor 1: 'yes'
`,
  );
  assert.deepEqual({ stdout, code }, { stdout: '1\n', code: 0 });
  const quiet = await runProgram('print(1)', {
    env: { EMILUA_COLORS: 'yes', EMILUA_LOG_LEVELS: '3' },
  });
  assert.equal(quiet.stderr, '');
});

// ── signals ────────────────────────────────────────────────────────────────────────────────────────

test('at the start all signals have their default dispositions and none is blocked; SIGPIPE is ignored (and SIGXFSZ)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'x.lua');
    // The shell ignores what it can; what it starts inherits that.
    const status = join(folder, 'status');
    writeFileSync(file, "print(1) require('time').sleep(60)");
    // It prints when it has started.
    const script = `trap '' HUP TERM USR2; "$@" > "${folder}/out" & while ! [ -s "${folder}/out" ]; do sleep 0.05; done
      cat /proc/$!/status > "${status}"
      kill -KILL $!; wait`;
    spawnSync('sh', ['-c', script, 'sh', process.execPath, MAIN, file], { timeout: 300_000 });
    const mask = (field: string): bigint =>
      BigInt(
        `0x${new RegExp(`^${field}:\\s*(\\w+)`, 'm').exec(readFileSync(status, 'latin1'))?.[1]}`,
      );
    const SIGPIPE = 13n;
    const SIGXFSZ = 25n; // Node's choice: a write beyond RLIMIT_FSIZE is EFBIG
    assert.equal(mask('SigIgn'), (1n << (SIGPIPE - 1n)) | (1n << (SIGXFSZ - 1n)));
    assert.equal(mask('SigBlk'), 0n);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// ── --cpu-prof ─────────────────────────────────────────────────────────────────────────────────────

test('--cpu-prof writes a profile of Lua functions, with their files and lines', {
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'x.lua');
    const program = `local time = require 'time'
local function busy(n)
  local s = 0
  for i = 1, n do s = (s + i * i) % 1000003 end
  return s
end
local t = {}
function t.method(n) return busy(n) + 1 end
for i = 1, 20 do
  t.method(2e6)
  time.sleep(0)
end
`;
    writeFileSync(file, program);
    const out = [
      '--cpu-prof-dir',
      folder,
      '--cpu-prof-name=p.cpuprofile',
      '--cpu-prof-interval=500',
    ];
    const { stdout, stderr, code } = await runCommand(['--cpu-prof', ...out, file]);
    assert.deepEqual([stdout, stderr, code], ['', '', 0]);
    const { nodes, samples, timeDeltas } = JSON.parse(
      readFileSync(join(folder, 'p.cpuprofile'), 'utf8'),
    );
    const own = nodes.filter((node: any) => node.callFrame.url === pathToFileURL(file).href);
    const named = (name: string): any[] =>
      own.filter((node: any) => node.callFrame.functionName === name);
    assert.deepEqual([...new Set(named('busy').map((node) => node.callFrame.lineNumber))], [1]);
    assert.ok(named('main chunk').length > 0);
    // The loop is where the time goes.
    const ticks = named('busy').flatMap((node) => node.positionTicks);
    const at = (line: number): number =>
      ticks.filter((tick) => tick.line === line).reduce((sum, tick) => sum + tick.ticks, 0);
    assert.ok(at(4) > 0);
    assert.ok(at(4) >= at(3) + at(5));
    assert.ok(ticks.every(({ line }) => line >= 2 && line <= 6));
    // It is whole: each sample is a node's, each node has one parent.
    const ids = new Set(nodes.map(({ id }: any) => id));
    assert.ok(samples.length > 0 && samples.length === timeDeltas.length);
    assert.ok(samples.every((id: number) => ids.has(id)));
    const children = nodes.flatMap((node: any) => node.children ?? []);
    assert.equal(new Set(children).size, children.length);
    assert.equal(children.length, nodes.length - 1);
    assert.ok(
      nodes.every(
        ({ callFrame }: any) => !/\$f\d|^lua:/.test(callFrame.functionName + callFrame.url),
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('--cpu-prof: its options have values; a place where nothing can be written is named', {
  timeout: 300_000,
}, async () => {
  for (const [arg, message] of [
    ['--cpu-prof-dir=', '--cpu-prof-dir needs a value'],
    ['--cpu-prof-interval=x', '--cpu-prof-interval needs a number'],
    ['--cpu-prof-interval=0', '--cpu-prof-interval needs a number'],
  ] as const) {
    const { stderr, code } = await runCommand([arg, 'x.lua']);
    assert.deepEqual([stderr, code], [`perilune: ${message}\n`, 2]);
  }
  const { stdout, stderr } = await runProgram('print(1)', {
    flags: ['--cpu-prof', '--cpu-prof-dir=/nowhere/at/all'],
  });
  assert.equal(stdout, '1\n');
  assert.match(stderr, /^perilune: no profile was written: ENOENT/);
});
