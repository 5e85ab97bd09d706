/** What the bundles load: dist/main.cjs for every program, dist/more.cjs for what few programs need. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'perilune-start-'));
after(() => rmSync(folder, { recursive: true }));

// Says at the end which bundles V8 was given, and whether it took what it had made of them before.
const watch = join(folder, 'watch.cjs');
writeFileSync(
  watch,
  `const vm = require('node:vm');
const { basename } = require('node:path');
const seen = [];
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    if (options?.filename?.endsWith('.cjs')) seen.push(basename(options.filename) + (this.cachedDataRejected === false ? '' : ' compiled'));
  }
};
process.on('exit', () => require('node:fs').writeSync(2, seen.join(' ')));
`,
);

function run(source: string): { stdout: string; bundles: string } {
  const file = join(folder, 'program.lua');
  writeFileSync(file, source);
  const { stdout, stderr } = spawnSync(join(root, 'bin/perilune'), [file], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: `--require "${watch}"` },
  });
  return { stdout, bundles: stderr };
}

const options = { skip: process.platform === 'win32' && 'the launcher is a shell script' };

test('a program with tables, texts, fibers and errors needs the main bundle only', options, () => {
  const { stdout, bundles } = run(`
    local words = {}
    for word in ('the moon rises'):gmatch('%a+') do words[#words + 1] = word:upper() end
    table.sort(words)
    spawn(function() this_fiber.yield() print(string.format('%-6s|%3d', words[1], #words)) end):join()
    print(pcall(error, {}) or select('#', math.floor(1.5), bit.bor(1, 2)))
  `);
  assert.equal(stdout, 'MOON  |  3\n2\n');
  assert.equal(bundles, 'main.cjs');
});

for (const [what, source, expected] of [
  ['a module that it requires', `print(type(require('time').sleep))`, 'function\n'],
  ['what libfmt formats', `print(format('{:>3}', 7))`, '  7\n'],
  ['what the path of its file has', `print(_FILE.filename)`, 'program.lua\n'],
] as const) {
  test(`the other bundle is there for ${what}`, options, () => {
    assert.deepEqual(run(source), { stdout: expected, bundles: 'main.cjs more.cjs' });
  });
}
