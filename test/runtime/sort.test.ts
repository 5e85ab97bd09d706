import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeSort } from '../../src/runtime/sort.ts';
import { fromArray, type LuaTable, rawGet } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

/** Records {key, place}. */
const record = (key: number, place: number): LuaTable => fromArray([0, key, place]);
const keyOf = (r: LuaValue): number => rawGet(r as LuaTable, 1) as number;
const placeOf = (r: LuaValue): number => rawGet(r as LuaTable, 2) as number;

for (const [what, keys] of [
  ['random', (i: number, n: number): number => (i * 7919 + (i >> 2) * 104_729) % (n + 3)],
  ['equal', (): number => 1],
  ['rising', (i: number): number => i],
  ['falling', (i: number, n: number): number => n - i],
] as const) {
  test(`${what} keys, of each number up to 300: sorted, equal ones as they were, in n log n steps`, () => {
    for (let n = 2; n <= 300; n++) {
      const values = Array.from({ length: n }, (_, i) => record(keys(i, n), i));
      let steps = 0;
      const less = (a: LuaValue, b: LuaValue): boolean => {
        steps++;
        return keyOf(a) < keyOf(b);
      };
      const sorted = mergeSort([...values], less, (all) => all) as LuaValue[];
      const expected = [...values].sort((a, b) => keyOf(a) - keyOf(b));
      assert.deepEqual(sorted.map(placeOf), expected.map(placeOf));
      assert.ok(steps <= n * Math.ceil(Math.log2(n)), `${n}: ${steps}`);
    }
  });
}

test('an order that contradicts itself gives some permutation', () => {
  for (let n = 2; n <= 100; n++) {
    let seed = n;
    const less = (): boolean => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed % 2 === 0;
    };
    const values = Array.from({ length: n }, (_, i) => i);
    const sorted = mergeSort([...values], less, (all) => all) as number[];
    assert.deepEqual(
      [...sorted].sort((a, b) => a - b),
      values,
    );
  }
});
