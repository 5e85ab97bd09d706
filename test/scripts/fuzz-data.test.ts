/** The fuzzers of data: some cases of each; and that a finding is found, and made small. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { calls, FUZZERS, run } from '../../scripts/fuzz-data.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { type Fuzzer, minimise } from '../fuzz/data/fuzzer.ts';
import { Random } from '../fuzz/random.ts';

const CASES = 600;

for (const fuzzer of FUZZERS) {
  test(`${fuzzer.name}: ${CASES} cases are as the model has them`, () => {
    const { findings, cases } = run(fuzzer, 1, { seconds: Infinity, cases: CASES, most: 3 });
    assert.deepEqual(findings, []);
    assert.equal(cases, CASES);
  });
}

test('calls with values of all kinds end no process', { skip: nativeFailure() ?? false }, () => {
  assert.deepEqual(run(calls, 1, { seconds: Infinity, cases: 2, most: 1 }).findings, []);
});

test('a seed makes one case', () => {
  for (const { make } of FUZZERS) {
    assert.deepEqual(make(new Random(7)), make(new Random(7)));
  }
});

test('a finding is made as small as it can be, and what throws is one', () => {
  const fuzzer: Fuzzer<{ text: string; list: number[] }> = {
    name: 'made up',
    make: (random) => ({ text: 'x'.repeat(random.int(30)), list: [] }),
    check({ text, list }) {
      if (text.includes('!')) throw new Error('out');
      return list.includes(7) && text.length > 1 ? 'a 7' : undefined;
    },
  };
  const small = minimise(fuzzer, { text: 'some text', list: [3, 7, 9] });
  assert.deepEqual([small.text.length, small.list], [2, [7]]);
  assert.equal(minimise(fuzzer, { text: 'some! text', list: [] }).text, '!');
});
