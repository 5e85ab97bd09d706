import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  entries,
  LuaTable,
  nextEntry,
  rawGet,
  rawSet,
  setField,
  tableMaker,
} from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

/** A generator of its own: the same run each time. */
function randomFrom(seed: number): (n: number) => number {
  return (n) => {
    seed = (seed * 16807) % 2147483647;
    return seed % n;
  };
}

const objects = Array.from({ length: 40 }, () => new LuaTable());

const kinds: Record<string, (r: (n: number) => number) => LuaValue> = {
  'small integers': (r) => r(40) - 5,
  'sparse integers': (r) => (r(300) - 100) * 977,
  fractions: (r) => r(200) / 8,
  'huge numbers': (r) => r(100) * 2 ** 40,
  strings: (r) => `key${r(300)}`,
  'long strings': (r) => `${'a'.repeat(r(60))}${r(9)}${'b'.repeat(50)}`,
  objects: (r) => objects[r(objects.length)],
  booleans: (r) => r(2) === 1,
};
const mixed = Object.values(kinds);
kinds.mixed = (r) => mixed[r(mixed.length)]!(r);

for (const [name, makeKey] of Object.entries(kinds)) {
  test(`a table does what a Map does: ${name}`, () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = randomFrom(seed * 7919);
      const t = new LuaTable();
      const model = new Map<LuaValue, LuaValue>();
      const removals = random(4);
      for (let i = 0; i < 1500; i++) {
        const key = makeKey(random);
        if (random(4) < removals) {
          rawSet(t, key, undefined);
          model.delete(key);
        } else {
          rawSet(t, key, i);
          model.set(key, i);
        }
        const probe = makeKey(random);
        assert.equal(rawGet(t, probe), model.get(probe));
      }
      assert.deepEqual(new Map(entries(t)), model);
      const visited = new Map<LuaValue, LuaValue>();
      for (let e = nextEntry(t, undefined); e !== undefined; e = nextEntry(t, e[0])) {
        visited.set(...e);
        const choice = random(4);
        if (choice < 2) rawSet(t, e[0], undefined);
        else if (choice === 2) rawSet(t, e[0], 'changed');
      }
      assert.deepEqual(visited, model);
    }
  });
}

test('strings that were made to collide are found, and go again', () => {
  // Of 2,000 characters few are looked at: these differ in others only.
  const keys = Array.from({ length: 500 }, (_, i) => {
    const text = new Array<string>(2000).fill('x');
    text[1990 - (i % 60)] = String.fromCharCode(97 + Math.floor(i / 60));
    return text.join('');
  });
  const t = new LuaTable();
  keys.forEach((key, i) => rawSet(t, key, i));
  const expected = new Map(keys.map((key, i) => [key, i]));
  assert.equal([...entries(t)].length, expected.size);
  for (const [key, i] of expected) assert.equal(rawGet(t, key), i);
  assert.equal(rawGet(t, 'x'.repeat(2000)), expected.get('x'.repeat(2000)));
  for (const key of keys) rawSet(t, key, undefined);
  assert.deepEqual([...entries(t)], []);
  for (let i = 0; i < 100; i++) rawSet(t, `other${i}`, i);
  assert.equal(rawGet(t, keys[3]), undefined);
});

test('strings that differ in few characters are told apart, also those that came before it was seen', () => {
  const sets: ((i: number) => string)[] = [
    (i) => `/usr/share/${i}/README.txt`,
    (i) => `${String(i).padStart(6, '0')}.jpeg`,
    (i) => String.fromCharCode(i & 255),
    (i) => 'x'.repeat(i % 300),
    (i) => `${i % 17},${Math.floor(i / 17)}`,
    // No hash that looks at some characters tells these apart.
    (i) => `${'x'.repeat(20)}${i}${'x'.repeat(100)}`,
  ];
  for (const make of sets) {
    const t = new LuaTable();
    const expected = new Map<string, number>();
    for (let i = 0; i < 3000; i++) {
      const key = make(i);
      // Each third one goes again, and some come back.
      rawSet(t, key, i % 3 === 0 ? undefined : i);
      if (i % 3 === 0) expected.delete(key);
      else expected.set(key, i);
      assert.equal(rawGet(t, make(i >> 1)), expected.get(make(i >> 1)));
      assert.equal(rawGet(t, `${key} `), undefined);
    }
    assert.deepEqual(new Map(entries(t)), expected);
    const order = [...entries(t)].map(([key]) => key);
    for (const key of order) rawSet(t, key, rawGet(t, key));
    assert.deepEqual(
      [...entries(t)].map(([key]) => key),
      order,
    );
  }
});

test('a key is equal by value: -0 is 0, and 1 is no "1"', () => {
  const t = new LuaTable();
  rawSet(t, -0, 'zero');
  rawSet(t, '1', 'text');
  rawSet(t, 1e300, 'huge');
  assert.equal(rawGet(t, 0), 'zero');
  assert.equal(rawGet(t, 1), undefined);
  assert.equal(rawGet(t, 1e300), 'huge');
  assert.ok([...entries(t)].every(([key]) => !Object.is(key, -0)));
});

test('a table with many fields has all of them inside', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const COUNT = 20_000;
  for (const fields of [2, 8, 9, 16, 24, 32]) {
    const Table = tableMaker(fields);
    const assign = Array.from({ length: fields }, (_, f) => `t.$f${f} = true;`).join(' ');
    const make = new Function('Table', `const t = new Table(); ${assign} return t;`);
    const kept = new Array<LuaTable | undefined>(COUNT).fill(undefined);
    collect();
    const before = getHeapStatistics().used_heap_size;
    for (let i = 0; i < COUNT; i++) kept[i] = make(Table);
    collect();
    const bytes = (getHeapStatistics().used_heap_size - before) / COUNT;
    assert.equal(kept[COUNT - 1]!.named, false);
    // Three words of V8's, four of a table's own, and the fields.
    const least = 8 * (3 + 4 + fields);
    assert.ok(bytes > least - 8 && bytes < least + 12, `${fields} fields: ${bytes} bytes`);
  }
});

test('what was looked for in vain is found when it has become a field', () => {
  const t = new LuaTable();
  setField(t, 'some', 1); // it has fields
  for (let i = 0; i < 300; i++) {
    const name = `late${i}`;
    assert.equal(rawGet(t, name), undefined);
    assert.equal(rawGet(t, name), undefined);
    setField(t, name, i);
    assert.equal(rawGet(t, name), i);
  }
  const first = Array.from({ length: 300 }, (_, i) => rawGet(t, `late${i}`));
  assert.deepEqual(
    first,
    Array.from({ length: 300 }, (_, i) => i),
  );
});

test('an array part that has nils in it does not grow ever further beyond what is used', () => {
  // Lengths of Collatz sequences, remembered: ever more numbers, some of them far beyond those used so far.
  const t = new LuaTable();
  rawSet(t, 1, 1);
  let used = 1;
  for (let i = 2; i <= 40_000; i++) {
    for (let n = i; rawGet(t, n) === undefined; n = n % 2 === 0 ? n / 2 : 3 * n + 1) {
      rawSet(t, n, i);
      used++;
    }
  }
  assert.equal([...entries(t)].length, used);
  assert.ok(t.arr.length < 2 * used, `${t.arr.length} places for ${used} values`);
});

test('the first table that gets a hash part takes no optimised code with it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-'));
  const program = join(folder, 'first-hash.lua');
  writeFileSync(
    program,
    `local function fill(n)
      local t = {}
      for i = 1, n do t[i] = i end
      local sum = 0
      for i = 1, #t do sum = sum + t[i] end
      return sum
    end
    local sum = 0
    for i = 1, 20000 do sum = sum + fill(100) end
    local t = {}
    t[{}] = 1
    t['a' .. sum] = 1
    for i = 1, 1000 do sum = sum + fill(100) end
    print(sum)`,
  );
  try {
    const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
    const { stdout } = spawnSync(
      process.execPath,
      ['--trace-opt', '--trace-deopt', main, program],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
        timeout: 300_000,
      },
    );
    assert.match(stdout, /^106050000$/m);
    assert.match(stdout, /completed (optimizing|compiling) .*fill\$f/);
    assert.doesNotMatch(stdout, /fill\$f\d+>.* reason: dependent field type constness/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
