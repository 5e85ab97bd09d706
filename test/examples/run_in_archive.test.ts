/** examples/run_in_archive.lua: programs that know nothing of it find an archive's files, and nobody else's. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { availableWalls } from '../../src/sandbox/apply.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { example } from './support.ts';

function reason(): string | false {
  const why = nativeFailure();
  if (why !== undefined) return why;
  if (!availableWalls().has('landlock')) return 'the kernel has no Landlock';
  return spawnSync('tar', ['--version']).error === undefined ? false : 'there is no tar';
}

const folder = mkdtempSync(join(tmpdir(), 'perilune-archive-'));
after(() => rmSync(folder, { recursive: true }));
const perilune = join(import.meta.dirname, '../../bin/perilune');

function run(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(
    perilune,
    [example('run_in_archive.lua'), '--', ...args],
    { encoding: 'utf8', timeout: 300_000 },
  );
  return { stdout, stderr, status };
}

test('run_in_archive.lua', { skip: reason(), timeout: 300_000 }, () => {
  const archive = join(folder, 'notes.tar');
  mkdirSync(join(folder, 'notes'));
  writeFileSync(join(folder, 'notes/monday.txt'), 'on monday\n');
  writeFileSync(join(folder, 'secret'), 'secret\n');
  spawnSync('tar', ['-cf', archive, '-C', folder, 'notes']);
  assert.deepEqual(run(archive, 'cat', '/notes/monday.txt'), {
    stdout: 'on monday\n',
    stderr: '',
    status: 0,
  });
  assert.deepEqual(run(archive, 'stat', '-c', '%n %F %s', '/notes', '/notes/monday.txt'), {
    stdout: '/notes directory 0\n/notes/monday.txt regular file 10\n',
    stderr: '',
    status: 0,
  });
  const script = `cat < /notes/monday.txt; echo no > /notes/monday.txt; cat ${folder}/secret`;
  const { stdout, stderr, status } = run(archive, 'sh', '-c', script);
  assert.equal(stdout, 'on monday\n');
  assert.match(stderr, /monday.txt.*Read-only file system\n.*secret: Permission denied/);
  assert.equal(status, 1);
});
