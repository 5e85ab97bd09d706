/** Functions that V8 compiles once, not with each of their callers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { apart } from '../../src/runtime/apart.ts';

test('what is apart does what the function does', () => {
  const divide = apart('divide', 'a, b', (a: number, b: number) => a / b);
  assert.equal(divide(6, 3), 2);
  assert.equal(divide.name, 'divide');
  const identity = apart('identity', 'f', (f: unknown) => f);
  assert.equal(identity(identity), identity);
});

test('its bytecode is longer than what bin/perilune lets V8 inline', () => {
  const limit = /--max-inlined-bytecode-size=(\d+)/.exec(readFileSync('bin/perilune', 'utf8'));
  const text = `import { apart } from ${JSON.stringify(new URL('../../src/runtime/apart.ts', import.meta.url).href)};
    apart('measured', 'a', (a) => a)(1);`;
  const printed = execFileSync(
    process.execPath,
    ['--print-bytecode', '--print-bytecode-filter=measured', '--input-type=module', '-e', text],
    { encoding: 'utf8' },
  );
  const length = /Bytecode length: (\d+)/.exec(printed);
  assert.ok(limit && length);
  assert.ok(Number(length[1]) > Number(limit[1]));
});
