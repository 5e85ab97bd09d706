/** Frames between threads: values there and back, as copies and as they are. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { makeMessage } from '../../src/actors/message.ts';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import { type Directory, FrameReader, FrameWriter } from '../../src/actors/threads/wire.ts';
import { entries, fromArray, LuaTable, property, rawSet } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

const nobody = {} as Directory;
const KIND = 7;

function written(v: LuaValue): Buffer {
  const writer = new FrameWriter(nobody);
  return Buffer.from(writer.begin(KIND).value(v).frame);
}

/** The frame of a value that is sent as it is; undefined: it has to be copied. */
function asItIs(v: LuaValue): Buffer | undefined {
  const writer = new FrameWriter(nobody).begin(KIND);
  return writer.data(v) ? Buffer.from(writer.frame) : undefined;
}

function read(frame: Buffer): LuaValue {
  const reader = new FrameReader(nobody);
  reader.begin(frame);
  assert.equal(reader.byte(), KIND);
  return reader.message().value;
}

/** Tables as lists of what is in them, in its order. */
const plain = (v: LuaValue): unknown =>
  v instanceof LuaTable ? [...entries(v)].map(([key, value]) => [key, plain(value)]) : v;

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  5e-324,
  -1939472353,
];

function random(pick: (n: number) => number, depth: number): LuaValue {
  switch (pick(depth > 0 ? 7 : 4)) {
    case 0:
      return NUMBERS[pick(NUMBERS.length)];
    case 1:
      return pick(2) === 0;
    case 2:
      return 'x\xff'.repeat(pick(40));
    case 3:
      return pick(1000);
    case 4: {
      const record = new LuaTable();
      for (let n = pick(12); n > 0; n--) rawSet(record, `key${pick(20)}`, random(pick, depth - 1));
      return record;
    }
    case 5:
      return fromArray([0, ...Array.from({ length: pick(20) }, () => random(pick, depth - 1))]);
    default: {
      const all = pick(2) === 0 ? NUMBERS : [1, 2, 3];
      return fromArray([0, ...Array.from({ length: pick(50) }, () => all[pick(all.length)]!)]);
    }
  }
}

test('what is sent as it is arrives as its copy would', () => {
  for (let i = 0; i < 10; i++) property(`key${i}`);
  const next = randomFrom(11);
  const pick = (n: number): number => Math.floor(next() * n);
  for (let round = 0; round < 2000; round++) {
    const value = random(pick, 4);
    const frame = written(makeMessage(value).value);
    assert.deepEqual(asItIs(value), frame);
    assert.deepEqual(plain(read(frame)), plain(makeMessage(value).value));
  }
});

test('what has something else in it is copied first', () => {
  const withKeys = (key: LuaValue): LuaTable => {
    const t = fromArray([0, 1, 2]);
    rawSet(t, key, 3);
    return t;
  };
  assert.deepEqual(asItIs(withKeys('name')), written(fromArray([0, 1, 2])));
  const number = new LuaTable();
  rawSet(number, 7, 'left out');
  rawSet(number, 'name', 1);
  const without = new LuaTable();
  rawSet(without, 'name', 1);
  assert.deepEqual(asItIs(number), written(without));

  const circle = new LuaTable();
  rawSet(circle, 'inner', fromArray([0, 'text', circle]));
  const described = new LuaTable();
  described.meta = new LuaTable();
  const holes = fromArray([0, 1, undefined, 3]);
  const texts = fromArray([0, 'a', () => undefined]);
  const deep = Array.from({ length: 40 }).reduce<LuaTable>(
    (t) => fromArray([0, t]),
    new LuaTable(),
  );
  const elsewhere = new LuaTable();
  for (const i of [4, 3, 2]) rawSet(elsewhere, i, i);
  rawSet(elsewhere, 1, 1);
  for (const v of [undefined, () => undefined, circle, described, holes, texts, deep]) {
    assert.equal(asItIs(v), undefined);
    if (!(v instanceof LuaTable)) continue;
    const record = new LuaTable();
    rawSet(record, 'a', 1);
    rawSet(record, 'b', v);
    assert.equal(asItIs(record), undefined);
  }
  assert.deepEqual(asItIs(elsewhere), written(fromArray([0, 1, 2, 3, 4])));
});
