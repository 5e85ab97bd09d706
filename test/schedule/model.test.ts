/** Random programs, run by Perilune and by the reference model under the same schedule. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import { runLua } from '../support/spec.ts';
import { generate, simulate, toLua } from './model.ts';

const PROGRAMS = Number(process.env.PERILUNE_MODEL_PROGRAMS ?? 400);

test(`${PROGRAMS} random programs behave as the reference model says`, async () => {
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const program = generate(randomFrom(seed));
    const source = toLua(program);
    const random = randomFrom(seed);
    const choose = (n: number): number => Math.floor(random() * n);
    choose(1); // the main fiber
    const expected = simulate(program, choose);
    const { stdout } = await runLua(source, { schedule: seed, suspendAll: seed % 4 === 0 });
    assert.equal(stdout, expected, `seed ${seed}\n${source}`);
  }
});
