import assert from 'node:assert/strict';
import test from 'node:test';
import { recordOf } from '../../src/runtime/records.ts';
import { entries, LuaTable, property, rawSet } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

const namesOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test('a record is what setting its fields in this order makes, however many there have been', () => {
  for (const name of namesOf('known', 40)) property(name);
  const kinds = [
    [],
    [''],
    namesOf('known', 1),
    namesOf('known', 32),
    namesOf('known', 33),
    namesOf('known', 5).reverse(),
    namesOf('unknown', 5),
    ['known1', 'nobody has this', 'known2'],
    ['__index', '__proto__', 'constructor', '1', 'known3'],
  ];
  for (let round = 0; round < 200; round++) {
    for (const names of kinds) {
      const values: LuaValue[] = names.map((_, i) => [round + i, `v${i}`, i % 2 === 0][i % 3]!);
      const expected = new LuaTable();
      names.forEach((name, i) => {
        rawSet(expected, name, values[i]);
      });
      const record = recordOf(['not', 'these', ...names], [0, 0, ...values], 2);
      assert.deepEqual([...entries(record)], [...entries(expected)]);
      rawSet(record, 'known1', 'new');
      rawSet(record, 'late', round);
      assert.equal([...entries(record)].filter(([key]) => key === 'known1').length, 1);
    }
  }
});

test('records share nothing', () => {
  for (const name of ['one', 'two']) property(name);
  const all = Array.from({ length: 300 }, (_, i) => recordOf(['one', 'two'], [i, 'x'], 0));
  rawSet(all[7]!, 'one', 'changed');
  rawSet(all[8]!, 'two', undefined);
  all.forEach((record, i) => {
    const expected =
      i === 7
        ? [
            ['one', 'changed'],
            ['two', 'x'],
          ]
        : i === 8
          ? [['one', 8]]
          : [
              ['one', i],
              ['two', 'x'],
            ];
    assert.deepEqual([...entries(record)], expected);
  });
});
