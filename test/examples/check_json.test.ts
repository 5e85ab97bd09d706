import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { noSandboxes } from '../support/sandboxes.ts';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

test('check_json.lua: each file in a sandbox of its own', {
  skip: noSandboxes() ?? false,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-json-'));
  try {
    const files: Record<string, string> = {
      object: '{"a": 1, "b": [2]}',
      array: '[1, 2, 3]',
      text: '"x"',
      broken: '{"a": ',
      deep: '['.repeat(100_000),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const names = [...Object.keys(files), 'missing'];
    const { stdout, stderr, code } = await runCommand([
      example('check_json.lua'),
      '--',
      ...names.map((name) => join(folder, name)),
    ]);
    assert.equal(stderr, '');
    const lines = stdout.trimEnd().split('\n');
    const verdicts = new Map(
      lines.map((line) => line.slice(folder.length + 1).split(': ', 2) as [string, string]),
    );
    assert.equal(verdicts.get('object'), 'an object with 2 members');
    assert.equal(verdicts.get('array'), 'an array of 3');
    assert.equal(verdicts.get('text'), 'a string');
    assert.match(verdicts.get('broken')!, /^no JSON/);
    assert.match(verdicts.get('deep')!, /^no JSON|^not read/);
    assert.equal(verdicts.get('missing'), 'No such file or directory');
    assert.equal(code, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
