/** Random programs print the same straight through and suspending at every call. `npm run fuzz` goes on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Outcome, runLua } from '../support/spec.ts';
import { generate } from './generate.ts';

const SEEDS = 300;
const MILLISECONDS = 15_000;

/** What must be the same: of a panic report the message, not the VM's number and the traceback. */
const printed = ({ stdout, stderr, code }: Outcome): unknown => [
  stdout,
  code,
  /'.*'/.exec(stderr)?.[0],
];

test('random programs print the same when every call suspends', async () => {
  const until = Date.now() + MILLISECONDS;
  for (let seed = 1; seed <= SEEDS && Date.now() < until; seed++) {
    const program = generate(seed);
    const straight = printed(await runLua(program));
    const what = `seed ${seed}: node scripts/fuzz.ts --seed ${seed}`;
    assert.deepEqual(printed(await runLua(program, { suspendAll: true })), straight, what);
    if (seed % 3 > 0) continue;
    assert.deepEqual(printed(await runLua(program, { apart: true })), straight, what);
    const apart = printed(await runLua(program, { apart: true, suspendAll: true }));
    assert.deepEqual(apart, straight, what);
  }
});

test('a seed gives the same program each time', () => {
  assert.equal(generate(7), generate(7));
  assert.notEqual(generate(7), generate(8));
});
