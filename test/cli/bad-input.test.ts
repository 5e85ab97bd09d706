/** What the command does with programs that can't run: a clear message, never a JavaScript stack. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { MAIN, runCommand, runProgram } from '../support/spec.ts';

const noJavaScript = (text: string): void => {
  assert.doesNotMatch(text, /\n\s+at |TypeError|RangeError|SyntaxError|node:internal/);
};

async function rejects(source: string, message: RegExp): Promise<void> {
  const { stdout, stderr, code } = await runProgram(source);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, message);
  noJavaScript(stderr);
}

test('a syntax error is worded as Lua words it, with file and line', () =>
  rejects('local x = 1\nlocal = 2\n', /main\.lua:2: '<name>' expected near '='\n$/));

test('an unfinished string, comment and number', async () => {
  await rejects('x = "abc', /main\.lua:1: unfinished string near '<eof>'/);
  await rejects('--[[ abc', /main\.lua:1: unfinished long comment near '<eof>'/);
  await rejects('x = 3..4', /main\.lua:1: malformed number near '3\.\.4'/);
});

test('a missing file', async () => {
  const { stderr, code } = await runCommand(['/nonexistent/program.lua']);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'Error starting the lua VM: cannot open /nonexistent/program.lua: No such file or directory\n',
  );
});

test('a directory stands for its init.lua; without one the message names it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const missing = await runCommand([folder]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /cannot open .*init\.lua: No such file or directory\n$/);
    writeFileSync(join(folder, 'init.lua'), 'print("init")');
    assert.equal((await runCommand([folder])).stdout, 'init\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a binary file, and Lua bytecode', async () => {
  await rejects('\x7fELF\x01\x01\x00\x00', /main\.lua:1: unexpected symbol near/);
  await rejects('\x1bLJ\x02', /cannot load incompatible bytecode/);
});

test('what a message quotes of the source is short, and has no control characters', async () => {
  await rejects(`x = "${'a'.repeat(1_000_000)}\n`, /unfinished string near '"a{79}\.\.\.'\n$/);
  await rejects(`= ${'9'.repeat(1_000_000)}x`, /unexpected symbol near '='\n$/);
  await rejects(`x = ${'9'.repeat(1_000_000)}x`, /malformed number near '9{80}\.\.\.'\n$/);
  await rejects('x = \x7f', /main\.lua:1: unexpected symbol near 'char\(127\)'\n$/);
  await rejects('x = \x01', /main\.lua:1: unexpected symbol near 'char\(1\)'\n$/);
});

test('a mark of byte order, and a first line for the shell', async () => {
  const outcome = await runProgram('\ufeff#!/usr/bin/env perilune\nprint("here")');
  assert.deepEqual([outcome.stdout, outcome.stderr, outcome.code], ['here\n', '', 0]);
  const { stdout } = await runProgram(
    "print(loadstring('\\239\\187\\191# x\\nreturn 1')()) print(loadstring('# x\\n\\239\\187\\191return 1'))",
  );
  assert.match(stdout, /^1\nnil\t.*:2: '=' expected near '1'\n$/);
});

test('what can not be read at all', async () => {
  for (const [file, reason] of [
    ['', 'No such file or directory'],
    ['/proc/self/mem', 'Input/output error'],
    [`/${'x'.repeat(5000)}`, 'File name too long'],
    ['/dev/null/x.lua', 'Not a directory'],
  ] as const) {
    const { stdout, stderr, code } = await runCommand([file]);
    assert.deepEqual(
      { stdout, stderr, code },
      {
        stdout: '',
        stderr: `Error starting the lua VM: cannot open ${file}: ${reason}\n`,
        code: 1,
      },
    );
  }
});

test('a working directory that has been removed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  const program = join(folder, 'main.lua');
  const gone = join(folder, 'gone');
  try {
    writeFileSync(program, "print(pcall(require, './part')) print(pcall(require, 'package'))");
    writeFileSync(join(folder, 'part.lua'), "print 'part'");
    const runThere = (file: string) => {
      mkdirSync(gone);
      const { status, stdout, stderr } = spawnSync(
        'sh',
        ['-c', 'cd "$0" && rmdir "$0" && exec "$@"', gone, process.execPath, MAIN, file],
        { encoding: 'utf8', env: { ...process.env, PERILUNE_PATH: 'packages', NODE_OPTIONS: '' } },
      );
      return [status, stdout, stderr];
    };
    assert.deepEqual(runThere('main.lua'), [
      1,
      '',
      'Error starting the lua VM: cannot open main.lua: No such file or directory\n',
    ]);
    const [status, stdout, stderr] = runThere(program);
    assert.match(String(stdout), /^part\ntrue\ttable: \w+\nfalse\tModule not found\n$/);
    assert.deepEqual([status, stderr], [0, '']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('NUL bytes and invalid UTF-8 in the source are bytes like others', async () => {
  const { stdout, stderr, code } = await runProgram('print(#"a\x00b", ("\\255"):byte())');
  assert.deepEqual({ stdout, stderr, code }, { stdout: '3\t255\n', stderr: '', code: 0 });
  await rejects('x = \x00 1', /main\.lua:1: unexpected symbol$/m);
});

test('a line of 10 MB', async () => {
  const { stdout, code } = await runProgram(`local s = "${'x'.repeat(10_000_000)}" print(#s)`);
  assert.equal(stdout, '10000000\n');
  assert.equal(code, 0);
});

test('10,000 nested parentheses', () =>
  rejects(
    `x = ${'('.repeat(10_000)}1${')'.repeat(10_000)}`,
    /main\.lua:1: chunk has too many syntax levels/,
  ));

test('10,000 nested blocks, tables and functions', async () => {
  await rejects('do '.repeat(10_000) + 'end '.repeat(10_000), /too many syntax levels/);
  await rejects(`x = ${'{'.repeat(10_000)}${'}'.repeat(10_000)}`, /too many syntax levels/);
  await rejects(
    `x = ${'function() return '.repeat(10_000)}1${' end'.repeat(10_000)}`,
    /too many syntax levels/,
  );
});

test('command line mistakes end with code 2', async () => {
  for (const args of [[], ['--nonsense', 'x.lua'], ['a.lua', 'b.lua'], ['-']]) {
    const { stdout, stderr, code } = await runCommand(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^perilune: .+\n$/);
  }
});

test('a closed reader of standard output ends the program quietly, as SIGPIPE would', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const file = join(folder, 'endless.lua');
    writeFileSync(file, 'for i = 1, 1e7 do print(i) end');
    const child = spawn(process.execPath, [MAIN, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code, signal] = await new Promise<[number | null, string | null]>((done) => {
      child.on('close', (c, s) => done([c, s]));
    });
    assert.equal(stderr, '');
    assert.ok(code === 141 || signal === 'SIGPIPE', `code ${code}, signal ${signal}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('output written before an error is not lost, and comes before the report', async () => {
  const { stdout, stderr, code } = await runProgram('print("first")\nerror("second")');
  assert.equal(stdout, 'first\n');
  assert.match(
    stderr,
    /^Main fiber from VM 0x1 panicked: '.*main\.lua:2: second'\nstack traceback:\n/,
  );
  assert.equal(code, 1);
});

test('a bug of ours says so, with its stack and how to report it, and no pcall hides it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    const broken = join(folder, 'broken.cjs');
    writeFileSync(
      broken,
      "process.hrtime.bigint = () => { throw new TypeError('broken on purpose'); };",
    );
    const { stdout, stderr, code } = await runProgram(
      `print('before')
       spawn(function() print('never') end)
       print(pcall(require('time').steady_clock.now))
       print('never')`,
      { env: { NODE_OPTIONS: `--require ${broken}` } },
    );
    assert.equal(stdout, 'before\n');
    assert.match(
      stderr,
      /^perilune: internal error; this is a bug in Perilune, not in your program\.\nTypeError: broken on purpose\n( {4}at .*\n)+Please report it with the program that caused it, and what `perilune --version` prints\.\n$/,
    );
    assert.equal(code, 70);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
