/** JSON's grammar: what RFC 8259 has, and nothing else. The engine's own JSON.parse is the model. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeDocument, JsonDecoder } from '../../src/runtime/json-decode.ts';
import { CUT, JsonFault, JsonLexer } from '../../src/runtime/json-lex.ts';
import { decodeNatively, encodeNatively } from '../../src/runtime/json-native.ts';
import { JsonReaderCore } from '../../src/runtime/json-read.ts';
import { arrayMeta, jsonNull, LEFT } from '../../src/runtime/json-shapes.ts';
import { JsonWriter } from '../../src/runtime/json-write.ts';
import { entries, LuaTable, tableOf } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

const decode = (text: string, maxDepth = 1000): LuaValue => {
  const lexer = new JsonLexer(text);
  return decodeDocument(new JsonDecoder(lexer, { maxDepth }), lexer);
};

/** A Lua value as JSON.parse would have it; strings hold UTF-8. */
function plain(v: LuaValue): unknown {
  if (v === jsonNull) return null;
  if (typeof v === 'string') return Buffer.from(v, 'latin1').toString('utf8');
  if (!(v instanceof LuaTable)) return v;
  if (v.meta === arrayMeta) return Array.from(v.arr.slice(1), plain);
  return Object.fromEntries([...entries(v)].map(([k, x]) => [String(plain(k)), plain(x)]));
}

/** Both readers' opinion of a text: its value, or that it is none. */
function opinion(text: string): { value: unknown } | 'refused' {
  try {
    return { value: plain(decode(text)) };
  } catch (thrown) {
    assert.ok(thrown instanceof JsonFault, String(thrown));
    return 'refused';
  }
}
function model(text: string): { value: unknown } | 'refused' {
  try {
    return { value: JSON.parse(Buffer.from(text, 'latin1').toString('utf8')) };
  } catch {
    return 'refused';
  }
}

// RFC 8259, section by section: each is JSON, or is not.
const JSON_TEXTS = [
  // 2: structure and white space
  '{}', '[]', ' [ ] ', '\t\r\n{\n}', '0', '"a"', 'true', 'false', 'null', ' true ',
  // 4: objects
  '{"a":1}', '{"a":{"b":[]}}', '{"":0}', '{"a":1,"a":2}', '{ "a" : 1 , "b" : 2 }',
  '{"__proto__":1,"constructor":2,"toString":3,"$a":4}', '{"min":-1.0e+28,"max":1.0e+28}',
  '{"a\\u0000b":1}', '{"\\"":1,"\\\\":2}', '{"x":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"id":"x"}',
  // 5: arrays
  '[[[]]]', '[1,2]', '[null, 1, "1", {}]', '[false]', '[1,null,null,null,2]', '[\n]',
  // 6: numbers
  '[-0]', '[-0.0]', '[0e1]', '[0e+1]', '[0E-1]', '[1E22]', '[1E-2]', '[1e+2]', '[123e65]', '[20e1]',
  '[-123]', '[0.1]', '[-1.5e-3]', '[123.456789]', '[1234567890123456]', '[9007199254740993]',
  '[0.000000000000000000000000000000000000000000001]', '[123123e-10000000]', '[5e-324]',
  '[0.1234567890123456789]', '[123456789012345.5]', '[1.7976931348623157e308]', '[100000000000000000000e0]',
  // 7: strings
  '["\\u0060\\u012a\\u12AB"]', '["\\uD801\\udc37"]', '["\\ud83d\\ude39\\ud83d\\udc8d"]',
  '["\\"\\\\\\/\\b\\f\\n\\r\\t"]', '["\\\\u0000"]', '["\\u0000"]', '["\x7f"]', '["a/*b*/c/*d//e"]',
  '["\\uFFFF"]', '["\\u200B"]', '["\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"]', '["\xe2\x80\xa8"]', '[" "]',
]; // biome-ignore format: one line a section

const OTHER_TEXTS = [
  // 2
  '', ' ', 'nul', 'True', 'TRUE', 'truee', 'nan', '[NaN]', '[Infinity]', '[-Infinity]', '[] []', '[]x', '1 2',
  '\xef\xbb\xbf{}', '\x0c[]', '[\x0b]', '\xa0[]', '/**/[]', '[]#', '[1]//', '*', '<null>', '{}}', 'a',
  // 4
  '{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{"a" "b"}', '{"a"::1}', '{"a":1 "b":2}',
  '{a:1}', "{'a':1}", '{1:1}', '{null:null}', '{"a":"b",,"c":1}', '{"a":1,"a"}', '{[]:1}', '{"a":}', '{"a":1]',
  '{"a"/**/:1}', '{"a":true} "x"', '{"id":0,,,,,}', '{true:1}', '[{"a":1,"b":2},{"a":1,"b"}]',
  // 5
  '[', '[1', '[1,', '[1,]', '[,]', '[,1]', '[1,,2]', '[1}', ']', '[]]', '["a",', '[x', '[1 true]', '[3[4]]', '["":1]',
  '["x"', '[[', '[\xff]', '[*]', '[1:2]', '[(1)]', '[1\n,1\n,1',
  // 6
  '[-]', '[+1]', '[01]', '[-01]', '[1.]', '[.5]', '[-.5]', '[1.e1]', '[1e]', '[1e+]', '[1eE2]', '[1e1.5]', '[0x1]',
  '[1_000]', '[--1]', '[- 1]', '[1a]', '[0.1.2]', '[1 000]', '[-NaN]', '[2.e3]', '[0e]', '[0e+]', '[1.2a]',
  '[+Inf]', '[0X42]', '[1+2]', '[\xef\xbc\x91]', '[-1x]', '[.-1]', '[9.e+]',
  // 7
  '["', '["a', '["\\"]', '["\\x00"]', '["\\a"]', '["\\u"]', '["\\u12"]', '["\\u00G0"]', '["\\uD800\\u"]', '["\\ud83d\\u1"]',
  '["\n"]', '["\t"]', '["\x00"]', '["\x1f"]', '[\'a\']', '["\\\n"]', '["\\U0041"]', '["a"b"]', '"', '["\\\\\\"]', '[\\n]',
  '["\\\xe5"]', '["\\u00A"]', '[" \\ud800\\u00"]',
]; // biome-ignore format: one line a section

test('texts that are JSON', () => {
  for (const text of JSON_TEXTS) {
    const expected = model(text);
    assert.notEqual(expected, 'refused', text);
    assert.deepEqual(opinion(text), expected, text);
  }
});

test('texts that are not', () => {
  for (const text of OTHER_TEXTS) {
    assert.equal(model(text), 'refused', text);
    assert.equal(opinion(text), 'refused', text);
  }
});

test('halves of surrogate pairs become U+FFFD', () => {
  const unknown = '\xef\xbf\xbd';
  assert.equal(decode('"\\ud83d"'), unknown);
  assert.equal(decode('"\\ude00x"'), `${unknown}x`);
  assert.equal(decode('"\\ud83d\\ud83d\\ude00"'), `${unknown}\xf0\x9f\x98\x80`);
  assert.equal(decode('"\\ud83d\\n"'), `${unknown}\n`);
});

test('integers of 64 bits, and doubles, have limits', () => {
  assert.equal(decode('9223372036854775807'), 2 ** 63);
  assert.equal(decode('-9223372036854775808'), -(2 ** 63));
  for (const text of ['9223372036854775808', '-9223372036854775809', '1e309', '-1e400']) {
    assert.throws(() => decode(text), { dom: true, code: 1 }, text);
  }
});

test('depth is limited, and does not grow the stack', () => {
  const nested = (n: number): string => '['.repeat(n) + ']'.repeat(n);
  assert.throws(() => decode(nested(1001)), { dom: true, code: 2, offset: 1000 });
  let v = decode(nested(1_000_000), 1e7);
  let depth = 0;
  for (; v instanceof LuaTable; v = v.arr[1]) depth++;
  assert.equal(depth, 1_000_000);
  assert.equal(opinion('['.repeat(1_000_000)), 'refused');
  assert.equal(opinion('{"a":'.repeat(500)), 'refused');
});

/** What V8's parser and writer do in our place must be what ours do. */
function checkNative(text: string): void {
  let v: LuaValue | typeof LEFT = LEFT;
  try {
    v = decode(text);
  } catch (thrown) {
    assert.ok(thrown instanceof JsonFault, String(thrown));
  }
  const native = decodeNatively(text, 1000);
  if (native === LEFT) return;
  assert.notEqual(v, LEFT, text);
  assert.deepEqual(exactly(native), exactly(v as LuaValue), text);
  const written = encodeNatively(native, '');
  if (written !== LEFT) assert.deepEqual(exactly(decode(written)), exactly(native), text);
}

/** Keys and values as they are, with what tells 0 from -0 and arrays from objects. */
function exactly(v: LuaValue): unknown {
  if (v === jsonNull) return null;
  if (Object.is(v, -0)) return 'minus zero';
  if (!(v instanceof LuaTable)) return v;
  if (v.meta === arrayMeta) return Array.from(v.arr.slice(1), exactly);
  return new Map([...entries(v)].map(([k, x]) => [k, exactly(x)]));
}

test('V8 reads and writes what the decoder and the encoder would', () => {
  for (const text of [...JSON_TEXTS, ...OTHER_TEXTS]) checkNative(text);
  for (let seed = 1; seed <= 1500; seed++) {
    const pick = random(seed);
    const text = bytes(JSON.stringify(value(pick, 0) ?? null, null, pick(3)));
    for (let i = 0; i < 10; i++) checkNative(text);
    for (let n = 0; n < 8; n++) {
      const at = pick(text.length + 1);
      const byte = ALPHABET[pick(ALPHABET.length)]!;
      checkNative(text.slice(0, at) + (pick(3) === 0 ? '' : byte) + text.slice(at + pick(2)));
    }
  }
});

test('escapes become the bytes that the decoder would make of them', () => {
  const parts = [
    '\\', '\\u', '\\\\u00e9', 'u00e9', '\\u00e9', '\\u20AC', '\\ud83d', '\\uDE39', '\\ud83d\\ude39', '\\u0041', '\\u007f', '\\u0080',
    '\\u07ff', '\\u0800', '\\uffff', '\\u00g9', '\\u00', '\\n', '\\"', '"', '\xc3\xa9', 'x', 'plain text, ',
  ]; // biome-ignore format: a list
  let whole = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const pick = random(seed);
    let text = '';
    for (let n = pick(12); n >= 0; n--) text += parts[pick(parts.length)];
    for (const document of [`"${text}"`, `{"${text}":["${text}"]}`, text]) {
      checkNative(document);
      if (decodeNatively(document, 10) !== LEFT) whole++;
    }
  }
  assert.ok(whole > 1000, String(whole));
  // Longer than what is kept for short ones.
  const long = `["${'\\u20ac\\\\u20ac, '.repeat(40_000)}"]`;
  checkNative(long);
  assert.notEqual(decodeNatively(long, 10), LEFT);
});

test('V8 leaves to the decoder what it would read otherwise', () => {
  for (const text of [
    '[9223372036854775807]',
    '[-9223372036854775809]',
    '[1e400]',
    '{"\\\\":1}',
    '['.repeat(300) + ']'.repeat(300),
    '[\\u0031]',
    '{"a":1}x',
  ]) {
    assert.equal(decodeNatively(text, 1000), LEFT, text);
  }
  assert.equal(decodeNatively('[[1]]', 1), LEFT);
  // It knows a key by what an earlier text had in its place, and mistakes another for it.
  JSON.parse('{"q":1,"\\\\":2}');
  for (let i = 0; i < 20; i++) checkNative('{"q":1,"\\n":2}');
  checkNative(`{${Array.from({ length: 40 }, (_, i) => `"k${i}":1`).join()},"\\\\":2}`);
});

test('an array of records is read in pieces, wherever they end', () => {
  const record = (id: number): string =>
    `{"id": ${id}, "text": "a, {\\"id\\": 1}, {\\"id\\":", "parts": [{"id": 1}, {"id": ${'7'.repeat(id % 15)}8}], "note": "${'x'.repeat(id % 90)}"}`;
  const records = Array.from({ length: 12_000 }, (_, id) => record(id));
  for (const between of [',', ', ', ' ,\n']) {
    const text = `\n[ ${records.join(between)}]\n`;
    const native = decodeNatively(text, 1000) as LuaTable;
    assert.equal(native.arr.length, records.length + 1);
    assert.deepEqual(exactly(native), exactly(decode(text)));
  }
  const text = `[${records.join()}]`;
  const broken = [
    text.slice(0, -1),
    `${text.slice(0, -1)},]`,
    `${text}]`,
    `${text}"]"`,
    text.replace('{"id": 6000', ',{"id": 6000'),
    text.replace(',{"id": 6000', '{"id": 6000'),
    text.replace('{"id": 6000', '{"id": 06'),
    `${text.slice(0, -1)}, {"id": 1}}`,
    `[${records.join()}, 1e999]`,
  ];
  for (const other of broken) assert.equal(decodeNatively(other, 1000), LEFT);
  // No comma for a long way before what looks like a record.
  const long = `[{"id":1,"x":"${'y'.repeat(700_000)}{\\"id\\"","z":2},{"id":2}]`;
  assert.deepEqual(exactly(decodeNatively(long, 10) as LuaTable), exactly(decode(long)));
});

test('long arrays are read and written in parts, wherever they are', () => {
  const record = (id: number): unknown => ({
    id,
    tags: id % 3 === 0 ? [] : ['x', id / 7],
    at: { n: null },
  });
  for (const length of [1, 128, 129, 255, 256, 257, 384, 385, 1000]) {
    const records = Array.from({ length }, (_, id) => record(id));
    const mixed = records.map((v, i) => (i % 5 === 4 ? [i, 'text', null, 1.5, [v]][i % 4] : v));
    const texts = records.map((_, i) => 'x'.repeat(i % 20));
    for (const array of [records, mixed, texts, records.map((_, i) => i / 2)]) {
      for (const model of [
        array,
        { first: 1, array, last: [array, array] },
        { a: { b: array } },
        [array, array],
        { constructor: array, é: array, '"': array },
      ]) {
        const text = bytes(JSON.stringify(model));
        const v = decodeNatively(text, 1000) as LuaTable;
        assert.deepEqual(plain(v), model);
        assert.ok(encodeNatively(v, '') === text, text.slice(0, 200));
      }
    }
  }
});

test('long arrays: what cannot be written is left', () => {
  const long = (): LuaTable =>
    decodeNatively(`[${'{"a":1},'.repeat(999)}{"a":1}]`, 1000) as LuaTable;
  const whole = long();
  const inField = tableOf({ first: 1, array: long() });
  assert.equal(
    encodeNatively(inField, ''),
    `{"first":1,"array":${String(encodeNatively(whole, ''))}}`,
  );
  for (const bad of [undefined, () => undefined, 2 ** 60, Number.NaN, tableOf({ n: 1 / 0 })]) {
    const array = long();
    array.arr[500] = bad as LuaValue;
    assert.equal(encodeNatively(array, ''), LEFT);
    assert.equal(encodeNatively(tableOf({ array }), ''), LEFT);
  }
  // Within itself.
  whole.arr[700] = whole;
  assert.equal(encodeNatively(whole, ''), LEFT);
  (inField as unknown as Record<string, LuaValue>)['$first'] = inField;
  assert.equal(encodeNatively(inField, ''), LEFT);
  // With a metatable whose __tojson writes it.
  const own = long();
  own.meta = tableOf({ __tojson: () => undefined });
  assert.equal(encodeNatively(own, ''), LEFT);
  assert.equal(encodeNatively(tableOf({ own }), ''), LEFT);
  // Functions have no JSON, and are left out of objects; what follows is in its place.
  assert.equal(
    encodeNatively(tableOf({ a: () => undefined, array: long(), b: 2 }), ''),
    `{"array":${String(encodeNatively(long(), ''))},"b":2}`,
  );
});

// ── random texts ───────────────────────────────────────────────────────────────────────────────────

/** Numbers in [0, n), from a seed. */
function random(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

// No key is a backslash alone: V8's JSON.parse takes "\\n" for one where the object before had one.
const KEYS = [
  'a',
  'b',
  '1',
  '20',
  'id',
  'name',
  'ключ',
  '',
  '__proto__',
  'constructor',
  'a b',
  '"',
  '\n',
];

function value(pick: (n: number) => number, depth: number): unknown {
  switch (pick(depth > 4 ? 5 : 8)) {
    case 0:
      return [true, false, null][pick(3)];
    case 1:
      return pick(2000) - 1000;
    case 2:
      return (pick(2 ** 31) - 2 ** 30) * 10 ** (pick(28) - 20);
    case 3:
      return pick(2 ** 31) / pick(1000);
    case 4:
      return ['', 'x', 'é€😀', '\u0000\u001f"\\/', 'long enough to be a slice of the text'][
        pick(5)
      ];
    case 5:
      return Array.from({ length: pick(5) }, () => value(pick, depth + 1));
    default: {
      const object = Object.create(null);
      for (let n = pick(5); n > 0; n--) object[KEYS[pick(KEYS.length)]!] = value(pick, depth + 1);
      return object;
    }
  }
}

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const ALPHABET = '{}[]:,"\\ \n0123456789.eE+-truefalsn\x00\x80u';

test('random documents, whole and with bytes changed, are read as the model reads them', () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const pick = random(seed);
    const text = bytes(JSON.stringify(value(pick, 0) ?? null, null, pick(3)));
    assert.deepEqual(opinion(text), model(text), text);
    for (let n = 0; n < 8; n++) {
      const at = pick(text.length + 1);
      const byte = ALPHABET[pick(ALPHABET.length)]!;
      const changed = text.slice(0, at) + (pick(3) === 0 ? '' : byte) + text.slice(at + pick(2));
      const expected = model(changed);
      const got = opinion(changed);
      // The model takes integers of any size, and doubles beyond the largest for infinite.
      if (got === 'refused' && expected !== 'refused' && /\d{19}|[eE]\+?\d{3}/.test(changed))
        continue;
      // Text that is not UTF-8 the model cannot see as it is.
      if (Buffer.from(changed, 'latin1').toString('utf8').includes('\ufffd')) {
        assert.equal(got === 'refused', expected === 'refused', JSON.stringify(changed));
      } else assert.deepEqual(got, expected, JSON.stringify(changed));
    }
  }
});

/** All events of a text that comes in pieces cut at these places. */
function events(pieces: readonly string[]): unknown[] {
  const core = new JsonReaderCore({ maxDepth: 1000, maxToken: 1e6, many: false });
  const list: unknown[] = [];
  let next = 0;
  for (;;) {
    let event: ReturnType<typeof core.next>;
    try {
      event = core.next();
    } catch (thrown) {
      assert.ok(thrown instanceof JsonFault, String(thrown));
      return [...list, 'fault', thrown.code];
    }
    if (event === CUT) {
      if (next === pieces.length) core.lexer.more = false;
      else core.feed(pieces[next++]!);
      continue;
    }
    if (event === 'end') return list;
    list.push(event, plain(core.value), core.path().map(plain));
  }
}

test('the reader sees the same in pieces of any size, and refuses what the decoder refuses', () => {
  const texts = [...JSON_TEXTS, ...OTHER_TEXTS];
  for (let seed = 1; seed <= 200; seed++) {
    texts.push(bytes(JSON.stringify(value(random(seed), 0) ?? null)));
  }
  for (const text of texts) {
    const whole = events([text]);
    assert.equal(whole.includes('fault'), opinion(text) === 'refused', text);
    for (const size of [1, 2, 3, 7]) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      assert.deepEqual(events(pieces), whole, `${text} in pieces of ${size}`);
    }
  }
});

test('what the writer writes is JSON, whatever the strings', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const pick = random(seed);
    const text = String.fromCharCode(...Array.from({ length: pick(60) }, () => pick(256)));
    const w = new JsonWriter(pick(2) === 0 ? '' : '  ');
    w.beginObject();
    w.string(text);
    w.string(text);
    w.endObject();
    const t = decode(w.generate()) as LuaTable;
    assert.deepEqual([...entries(t)], [[text, text]]);
  }
});
