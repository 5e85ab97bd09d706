/** Random programs over everything that fibers can wait for, under random orders and with interruptions. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runLua } from '../support/spec.ts';

const SEEDS = Number(process.env.PERILUNE_STRESS_SEEDS ?? 100);
const source = readFileSync(join(import.meta.dirname, 'stress.lua'), 'latin1');

test(`whatever is interrupted, nothing is lost and nothing stays locked (${SEEDS} seeds)`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { stdout, stderr, code } = await runLua(source.replace('SEED', String(seed)), {
      schedule: seed,
      suspendAll: seed % 5 === 0,
    });
    assert.equal(stdout, '30\ttrue\ttrue\t2\t0\t0\ttrue\ttrue\n', `seed ${seed}: ${stderr}`);
    assert.equal(code, 0);
    // A fiber of which nobody knows may have failed with what it was told to raise.
    assert.doesNotMatch(stderr, /assertion|deadlock|attempt/, `seed ${seed}`);
  }
});
