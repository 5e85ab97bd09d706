import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runCommand, runLua } from '../support/spec.ts';
import { noTerminal, ON_TERMINAL } from '../support/terminal.ts';
import { example } from './support.ts';

test('script records a session: keys, resizing, exit code', {
  skip: noTerminal,
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-script-'));
  try {
    const record = join(folder, 'typescript');
    const outcome = await runLua(`${ON_TERMINAL}
      local environment = system.environment
      environment.SHELL, environment.PS1, environment.ENV = '/bin/sh', '> ', nil
      local t = on_terminal(example('script.lua', '${record}'), {environment = environment})
      t.master:set_window_size(77, 33)
      t.expect '> '
      t.send 'stty size; tty | cut -c1-9\\n'
      print((t.expect '/dev/pts/'))
      t.master:set_window_size(99, 44)
      for _ = 1, 500 do
        t.send 'stty size; echo "#"\\n'
        local size = t.expect '#\\r\\n'
        if size:find '44 99' then print 'resized' break end
      end
      t.send 'cat\\n'
      t.send 'it runs\\n'
      t.expect 'it runs'
      t.expect 'it runs'
      t.send '\\3'
      t.expect '> '
      t.send 'echo status $?\\n'
      t.expect 'status 130'
      t.send 'exit 9\\n'
      t.rest()
      print(t.process.exit_code)
    `);
    assert.equal(outcome.stderr, '');
    assert.match(outcome.stdout, /33 77[\s\S]*resized\n9\n$/);
    const text = readFileSync(record, 'utf8');
    for (const part of ['stty size; tty', '33 77', 'status 130', 'exit 9'])
      assert.ok(text.includes(part), part);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('script without a terminal: the end of the input is Ctrl-D', {
  skip: noTerminal,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-script-'));
  try {
    const record = join(folder, 'typescript');
    const { stdout, stderr, code } = await runCommand(
      [example('script.lua'), '--', record, 'sh', '-c', 'read line; echo "got $line"; cat; exit 4'],
      { stdin: 'some words\n' },
    );
    assert.deepEqual([stderr, code], ['', 4]);
    assert.match(stdout, /got some words/);
    assert.equal(readFileSync(record, 'latin1'), Buffer.from(stdout, 'utf8').toString('latin1'));
    const usage = await runCommand([example('script.lua')]);
    assert.equal(usage.code, 2);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
