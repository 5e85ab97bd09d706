/** `--trace-actors` on the command line: where it writes, and what becomes of it when things go wrong. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseArguments } from '../../src/cli/arguments.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN, runProgram } from '../support/spec.ts';

const hasAddon = nativeFailure() === undefined;

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-trace-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const eventsOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

const TALK = `
  local inbox = require 'inbox'
  if _CONTEXT == 'worker' then
    for i = 1, 3 do inbox:receive().from:send(i) end
    return
  end
  local c = spawn_vm '.'
  for i = 1, 3 do c:send{from = inbox} inbox:receive() end
`;

test('--trace-actors takes a file, either way', () => {
  const traceOf = (...args: string[]): unknown => {
    const parsed = parseArguments(args);
    return parsed.do === 'run' ? parsed.trace : parsed;
  };
  assert.equal(traceOf('--trace-actors', 'a', 'x.lua'), 'a');
  assert.equal(traceOf('x.lua', '--trace-actors=a=b'), 'a=b');
  assert.equal(traceOf('x.lua'), undefined);
  for (const args of [
    ['x.lua', '--trace-actors'],
    ['--trace-actors=', 'x.lua'],
  ])
    assert.deepEqual(traceOf(...args), { do: 'fail', message: '--trace-actors needs a file' });
});

test('a file that can not be written: no program', async () => {
  for (const [file, reason] of [
    ['/nowhere/trace', 'No such file or directory'],
    [tmpdir(), 'Is a directory'],
    ['/dev/full', 'No space left on device'],
  ]) {
    const { stdout, stderr, code } = await runProgram('print(1)', {
      flags: ['--trace-actors', file!],
    });
    assert.deepEqual([stdout, code], ['', 1]);
    assert.equal(stderr, `perilune: cannot write a trace to ${file}: ${reason}\n`);
  }
});

for (const home of hasAddon ? ['true', 'false'] : ['true']) {
  test(`a disk that is full later: said once, and the program goes on (inherit_context = ${home})`, () =>
    inFolder(async (folder) => {
      const program = join(folder, 'main.lua');
      // The one that sends is in the thread that is asked for.
      writeFileSync(
        program,
        `
        local inbox = require 'inbox'
        if _CONTEXT == 'worker' then
          local to = inbox:receive()
          for i = 1, 3000 do to:send(('x'):rep(100)) end
          to:send 'done'
          return
        end
        spawn_vm{module = '.', inherit_context = ${home}}:send(inbox)
        local m
        repeat m = inbox:receive() until m == 'done'
        print(m)`,
      );
      const file = join(folder, 'trace');
      // In units of 512 bytes. SIGXFSZ is ignored: it is EFBIG, as a full disk is ENOSPC.
      const run = (script: string) =>
        spawnSync('sh', ['-c', script, process.execPath, MAIN, '--trace-actors', file, program], {
          encoding: 'utf8',
          timeout: 300_000,
        });
      const { stdout, stderr, status } = run('ulimit -f 200; exec "$0" "$@"');
      assert.deepEqual([stdout, status], ['done\n', 0]);
      assert.equal(stderr, `perilune: the trace in ${file} ends here: File too large\n`);
      assert.ok(eventsOf(readFileSync(file, 'utf8').replace(/.*$/, '')).length > 100);
      // Nobody is there to be told.
      const untold = run('{ (ulimit -f 200; "$0" "$@" 2>&1 >/dev/null | true); echo ended; }');
      assert.equal(untold.stdout, 'ended\n');
    }));
}

test('an old trace is replaced, and the file has the rights that files have', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'trace');
    writeFileSync(file, 'old\n'.repeat(10_000));
    await runProgram(TALK, { flags: ['--trace-actors', file] });
    const events = eventsOf(readFileSync(file, 'utf8'));
    assert.equal(events[0]!.event, 'start');
    assert.equal(events.filter(({ event }) => event === 'send').length, 6);
    assert.deepEqual([events.at(-1)!.event, events.at(-1)!.code], ['end', 0]);
  }));

test('/dev/stderr, and a file that is the standard error stream', () =>
  inFolder(async (folder) => {
    const source = `io = nil error 'a mistake'`;
    const { stderr, code } = await runProgram(source, { flags: ['--trace-actors=/dev/stderr'] });
    assert.equal(code, 1);
    assert.match(stderr, /^\{"t":0,"event":"start"/);
    assert.match(stderr, /panicked: '.*a mistake'/);
    assert.equal(eventsOf(stderr).at(-1)!.event, 'end');
    const file = join(folder, 'log');
    const program = join(folder, 'main.lua');
    writeFileSync(program, source);
    const script = `exec 2>"$0"; echo before >&2; exec "$@"`;
    spawnSync('sh', ['-c', script, file, process.execPath, MAIN, '--trace-actors', file, program]);
    const log = readFileSync(file, 'utf8');
    assert.match(log, /^before\n\{/);
    assert.match(log, /panicked: '.*a mistake'/);
    assert.deepEqual(
      eventsOf(log).map(({ event }) => event),
      ['start', 'spawn', 'exit', 'end'],
    );
  }));

test('a fifo, whose reader may leave', { skip: !existsSync('/usr/bin/mkfifo') }, () =>
  inFolder(async (folder) => {
    const fifo = join(folder, 'fifo');
    const program = join(folder, 'main.lua');
    writeFileSync(program, `${TALK} print 'done'`);
    spawnSync('mkfifo', [fifo]);
    const run = (reader: string): { stdout: string; stderr: string; status: number | null } =>
      spawnSync(
        'sh',
        ['-c', `${reader} <"$0" & "$@"; s=$?; wait; exit $s`, fifo, process.execPath, MAIN].concat(
          '--trace-actors',
          fifo,
          program,
        ),
        { encoding: 'utf8' },
      );
    const read = run('cat');
    assert.equal(read.status, 0);
    assert.equal(eventsOf(read.stdout).length, 18);
    assert.match(read.stdout, /^done$/m);
    const left = run('head -n 1');
    assert.equal(left.status, 0);
    assert.match(left.stdout, /^done$/m);
    assert.match(left.stderr, /^(perilune: the trace in \S+ ends here: Broken pipe\n)?$/);
  }),
);

test('all is written at any end that the program has', async () => {
  for (const [end, code] of [
    ['require("system").exit(4)', 4],
    ['require("system").exit(5, {force = 2})', 5],
    ['error(1)', 1],
  ] as const) {
    await inFolder(async (folder) => {
      const file = join(folder, 'trace');
      const outcome = await runProgram(`${TALK} ${end}`, { flags: ['--trace-actors', file] });
      assert.equal(outcome.code, code);
      const events = eventsOf(readFileSync(file, 'utf8'));
      assert.equal(events.filter(({ event }) => event === 'receive').length, 6);
      assert.deepEqual([events.at(-1)!.event, events.at(-1)!.code], ['end', code]);
    });
  }
});

test('a thread that ends the process has written, too', { skip: !hasAddon }, () =>
  inFolder(async (folder) => {
    const file = join(folder, 'trace');
    const { code } = await runProgram(
      `
      local inbox = require 'inbox'
      if _CONTEXT == 'worker' then
        inbox:receive()
        require('system').exit(6, {force = 2})
      end
      spawn_vm{module = '.', inherit_context = false, new_master = true}:send('go')
      inbox:receive()
      `,
      { flags: ['--trace-actors', file] },
    );
    assert.equal(code, 6);
    const events = eventsOf(readFileSync(file, 'utf8'));
    assert.deepEqual(
      events.map(({ event }) => event).filter((event) => !/no_senders|exit/.test(String(event))),
      ['start', 'spawn', 'spawn', 'send', 'receive', 'end'],
    );
  }),
);

test('what was written before a kill is there', { skip: !hasAddon }, () =>
  inFolder(async (folder) => {
    const file = join(folder, 'trace');
    const program = join(folder, 'main.lua');
    // What a turn of the loop says is written at its end. A sleep may end in the turn that it began in, two can't.
    // Nothing ends the program but the signal: to receive wouldn't do, the worker that could send is gone by then.
    writeFileSync(
      program,
      `${TALK} for _ = 1, 2 do require('time').sleep(0.001) end print 'ready' require('time').sleep(600)`.replace(
        "c = spawn_vm '.'",
        "c = spawn_vm{module = '.', inherit_context = false}",
      ),
    );
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const child = spawn(process.execPath, [MAIN, '--trace-actors', file, program]);
      const ended = new Promise((done) => child.on('close', (_, by) => done(by)));
      await new Promise((done) => child.stdout.once('data', done));
      child.kill(signal);
      assert.equal(await ended, signal);
      const events = eventsOf(readFileSync(file, 'utf8'));
      assert.equal(events.filter(({ event }) => event === 'receive').length, 6);
    }
  }),
);
