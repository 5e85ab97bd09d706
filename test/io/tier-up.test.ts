/** V8's flags are as they were when what needs others has ended. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nativeAvailable } from '../../src/sys/native.ts';

const skip = nativeAvailable() ? false : 'the addon is not built';
const root = join(import.meta.dirname, '../..');
const launcher = readFileSync(join(root, 'bin/perilune'), 'utf8');
const counts = launcher.match(/--invocation-count\S+=\d+/g) ?? [];

/** A number for all flags: V8 writes it into the head of its code caches (SerializedCodeData). */
const PROGRAM = `
  import { Script } from 'node:vm';
  import { withPatientV8 } from ${JSON.stringify(join(root, 'src/io/tier-up.ts'))};
  const flags = () => new Script('0').createCachedData().readUInt32LE(12);
  const seen = [flags(), withPatientV8(flags), flags()];
  try { withPatientV8(() => { throw new Error('syntax'); }); } catch (error) { seen.push(error.message); }
  seen.push(flags());
  withPatientV8(() => withPatientV8(() => 0));
  seen.push(flags());
  // Where the stack is nearly full, or is filled then: at each of its last 300 levels.
  const deep = () => withPatientV8(() => deep() + 1);
  try { deep(); } catch {}
  seen.push(flags());
  const fill = () => fill() + 1;
  let levels = 300;
  const near = () => {
    try { near(); } catch (error) {
      if (levels-- <= 0) return;
      try { withPatientV8(fill); } catch {}
      throw error;
    }
  };
  near();
  seen.push(flags());
  console.log(JSON.stringify(seen));`;

function flagsSeen(given: readonly string[]): readonly (number | string)[] {
  const args = [...given, '--input-type=module', '-e', PROGRAM];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stderr, '');
  return JSON.parse(stdout) as (number | string)[];
}

test('flags are others within, and the same afterwards, also when it ends by an exception or the stack does', {
  skip,
}, () => {
  assert.equal(counts.length, 3);
  const [before, within, ...then] = flagsSeen(counts);
  assert.notEqual(within, before);
  assert.deepEqual(then, [before, 'syntax', before, before, before, before]);
});

test('those of somebody who knows better are left alone', { skip }, () => {
  for (const given of [[], ['--invocation-count-for-maglev=30', ...counts.slice(1)]]) {
    const [before, ...then] = flagsSeen(given);
    assert.deepEqual(then, [before, before, 'syntax', before, before, before, before]);
  }
});
