/**
 * What is built on FreeBSD, as FreeBSD's compiler would see it. Its headers are no part of this: FREEBSD_INCLUDE names a copy
 * of its /usr/include, and without that there is nothing to check.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const headers = process.env.FREEBSD_INCLUDE;
const hasClang = spawnSync('clang', ['--version']).status === 0;
const why = hasClang ? 'FREEBSD_INCLUDE names no headers of FreeBSD' : 'there is no clang';

/** Of binding.gyp, which is Python and nearly JSON. */
function sourcesThere(): string[] {
  const text = readFileSync(join(root, 'binding.gyp'), 'utf8');
  const [, list] = /OS=="freebsd"', \{\s*'sources': \[([^\]]*)\]/.exec(text)!;
  return [...list!.matchAll(/'([^']+)'/g)].map(([, name]) => name!);
}

test('every function that the addon has there is in a file that is built there', () => {
  const sources = sourcesThere();
  assert.ok(sources.includes('native/freebsd.c') && sources.includes('native/addon.c'));
  const bodies = sources.map((name) => readFileSync(join(root, name), 'utf8')).join('\n');
  const addon = readFileSync(join(root, 'native/addon.c'), 'utf8');
  const names: string[] = [];
  for (const list of ['EVERYWHERE', 'OF_FREEBSD']) {
    const [, body] = new RegExp(`#define ${list}\\(X\\)((?:.*\\\\\\n)*.*)`).exec(addon)!;
    names.push(...[...body!.matchAll(/X\((\w+)\)/g)].map(([, name]) => name!));
  }
  assert.ok(names.includes('jail_set') && names.includes('close'));
  for (const name of names) assert.ok(bodies.includes(`napi_value sys_${name}(`), name);
});

test('the files compile with the headers of FreeBSD', {
  skip: headers !== undefined && hasClang ? false : why,
}, () => {
  const node = join(process.execPath, '../../include/node');
  for (const define of [[], ['-DPROC_NO_NEW_PRIVS_CTL=19', '-DPROC_NO_NEW_PRIVS_ENABLE=1']]) {
    for (const name of sourcesThere()) {
      const { status, stderr } = spawnSync('clang', [
        ...['--target=x86_64-unknown-freebsd14', '-fsyntax-only', '-std=gnu11', '-nostdlibinc'],
        ...['-Wall', '-Wextra', '-Werror', '-isystem', headers!, '-I', node, ...define],
        join(root, name),
      ]);
      assert.equal(status, 0, `${name}: ${stderr}`);
    }
  }
});
