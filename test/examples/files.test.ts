/** The examples that work on trees of files: du, grep, sync. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN, runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const skip = nativeFailure() ?? false;
const folder = mkdtempSync(join(tmpdir(), 'perilune-examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Contents and times of the files below a folder. */
function listing(root: string): string[] {
  return (readdirSync(root, { recursive: true }) as string[])
    .map((name) => {
      const s = statSync(join(root, name), { bigint: true });
      return s.isFile() ? `${name} ${s.mtimeNs} ${readFileSync(join(root, name))}` : name;
    })
    .sort();
}

test('du adds up the files of each entry, and shows how far it is on request', {
  skip,
}, async () => {
  const root = dirname(write('du/top', 'x'.repeat(500)));
  write('du/large/a', 'x'.repeat(70_000));
  write('du/large/deep/b', 'x'.repeat(5000));
  write('du/small/c', 'x'.repeat(20));
  symlinkSync('large', join(root, 'link'));
  const { stdout, stderr, code } = await runCommand([example('du.lua'), '--', root]);
  assert.deepEqual([stderr, code], ['', 0]);
  assert.equal(
    stdout,
    '       0 B  link\n      20 B  small\n     500 B  top\n   75.0 KB  large\n   75.5 KB  in 4 files\n',
  );
  const shown = await runCommand([example('du.lua'), '--', root, 'progress']);
  assert.equal(shown.stdout, stdout);
  assert.match(shown.stderr, /^\r\d files, .* in .*\r\x1b\[K$/s);
});

test('grep finds lines in all files of a tree, and tells by its exit code', { skip }, async () => {
  const root = dirname(write('grep/a.txt', 'the tide\nrises\nthe tide falls\n'));
  write('grep/sub/b.txt', 'no\ntidal waves');
  write('grep/sub/binary', 'tide\0tide\n');
  for (let i = 0; i < 40; i++) write(`grep/many/${i}`, `line\ntide ${i}\n`);
  const found = await runCommand([example('grep.lua'), '--', 'tid(e|al) ', root]);
  assert.deepEqual([found.stderr, found.code], ['', 0]);
  const lines = found.stdout.split('\n').filter((line) => !line.includes('/many/'));
  assert.deepEqual(lines.sort(), [
    '',
    `${root}/a.txt:3:the tide falls`,
    `${root}/sub/b.txt:2:tidal waves`,
  ]);
  assert.equal(found.stdout.match(/\/many\/\d+:2:tide \d+\n/g)?.length, 40);
  assert.equal((await runCommand([example('grep.lua'), '--', 'ebb', root])).code, 1);
  const none = await runCommand([example('grep.lua'), '--', 'x', join(root, 'none')]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /No such file or directory/);
});

const sync = (from: string, to: string) => runCommand([example('sync.lua'), '--', from, to]);

test('sync makes a tree the same as another, and does no more than it has to', {
  skip,
}, async () => {
  const from = dirname(write('one/a', 'first'));
  const to = join(folder, 'two');
  write('one/sub/b', 'second');
  write('one/sub/deep/c', 'third');
  symlinkSync('a', join(from, 'link'));
  assert.match((await sync(from, to)).stdout, /\n4 copied, 0 removed, 0 were the same\n$/);
  assert.deepEqual(listing(to), listing(from));
  assert.equal((await sync(from, to)).stdout, '0 copied, 0 removed, 4 were the same\n');

  write('one/a', 'FIRST');
  utimesSync(join(from, 'a'), 1e9, 1e9 + 0.5);
  rmSync(join(from, 'sub/deep'), { recursive: true });
  write('two/more', 'superfluous');
  write('two/sub/b', 'changed on the wrong side');
  const again = await sync(from, to);
  assert.deepEqual(again.stderr, '');
  assert.match(again.stdout, /\n2 copied, 2 removed, 1 were the same\n$/);
  assert.deepEqual(listing(to), listing(from));
});

test('sync is interrupted by a signal, leaves nothing half done, and goes on', {
  skip,
}, async () => {
  const from = join(folder, 'many');
  const to = join(folder, 'copy');
  // Their names are more than the pipe takes: without a reader it waits in the middle.
  const names = Array.from({ length: 600 }, (_, i) => `${'n'.repeat(200)}${i}`);
  for (const name of names) write(`many/${name}`, `text of ${name}`);
  const child = spawn(
    process.execPath,
    ['--stack-size=3900', MAIN, example('sync.lua'), '--', from, to],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } },
  );
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  await new Promise<void>((resolve) => child.stdout.once('readable', () => resolve()));
  child.kill('SIGINT');
  const code = await new Promise((resolve) => {
    child.once('exit', (exitCode) => {
      child.stdout.resume();
      resolve(exitCode);
    });
  });
  assert.equal(code, 130);
  assert.match(
    stderr,
    /^interrupted: \d+ copied, 0 removed, 0 were the same; begin again to go on\n$/,
  );
  assert.ok(!existsSync(join(to, '.sync-unfinished')));
  const done = readdirSync(to);
  assert.ok(done.length > 0 && done.length < names.length, `${done.length} files`);
  for (const name of done) assert.equal(readFileSync(join(to, name), 'utf8'), `text of ${name}`);

  const { stdout } = await sync(from, to);
  const summary = /(\d+) copied, 0 removed, (\d+) were the same\n$/.exec(stdout);
  assert.deepEqual(summary?.slice(1).map(Number), [names.length - done.length, done.length]);
  assert.deepEqual(listing(to), listing(from));
});
