/** JSON: a parser and a writer that are as simple as RFC 8259's grammar, beside the decoder, the reader and the encoder. */
import { isDeepStrictEqual } from 'node:util';
import { Encoder } from '../../../src/modules/json/encode.ts';
import { LuaError } from '../../../src/runtime/error.ts';
import { decodeDocument, JsonDecoder } from '../../../src/runtime/json-decode.ts';
import { CUT, JsonFault, JsonLexer } from '../../../src/runtime/json-lex.ts';
import { decodeNatively, encodeNatively } from '../../../src/runtime/json-native.ts';
import { JsonReaderCore } from '../../../src/runtime/json-read.ts';
import { arrayMeta, jsonNull, LEFT } from '../../../src/runtime/json-shapes.ts';
import { JsonWriter } from '../../../src/runtime/json-write.ts';
import { arrayOf, entries, LuaTable, rawSet } from '../../../src/runtime/table.ts';
import type { LuaValue } from '../../../src/runtime/value.ts';
import type { Random } from '../random.ts';
import { type Fuzzer, textOf } from './fuzzer.ts';

// ── the model ──────────────────────────────────────────────────────────────────────────────────────

/** null, booleans, numbers, strings of bytes, arrays, and maps for objects. */
type Value = null | boolean | number | string | Value[] | Map<string, Value>;

/** `dom`: too deep, or a number out of range; undefined: that, or a mistake in its syntax. */
class Refused {
  readonly dom: boolean | undefined;
  constructor(dom: boolean | undefined) {
    this.dom = dom;
  }
}

const INTEGER = /^-?\d+$/;

/** The last text that was parsed has a key twice in an object. */
let hasEqualKeys = false;

function parse(text: string, maxDepth: number, isStrict = true): Value {
  hasEqualKeys = false;
  let at = 0;
  const refuse = (dom: boolean | undefined): never => {
    throw new Refused(dom);
  };
  const space = (): void => {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at++;
  };
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? refuse(false);
    at += found.length;
    return found;
  };
  const string = (): string => {
    const inside = match(/"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y).slice(1, -1);
    // Escapes are UTF-16, and become UTF-8; half of a pair becomes U+FFFD.
    return inside.replace(/(?:\\u[0-9a-fA-F]{4})+|\\./g, (escape) => {
      const simple = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[escape[1]!];
      if (escape[1] !== 'u') return simple ?? escape[1]!;
      const units = escape.slice(2).split('\\u');
      const wide = String.fromCharCode(...units.map((unit) => Number.parseInt(unit, 16)));
      return Buffer.from(wide.toWellFormed(), 'utf8').toString('latin1');
    });
  };
  const value = (depth: number): Value => {
    space();
    const c = text[at];
    if (c === '"') return string();
    if (c === '[' || c === '{') {
      if (depth === maxDepth) refuse(true);
      at++;
      const list: Value[] = [];
      const map = new Map<string, Value>();
      const seen = new Set<string>();
      const close = c === '[' ? ']' : '}';
      space();
      if (text[at] === close) at++;
      else {
        for (;;) {
          let key = '';
          if (c === '{') {
            space();
            key = string();
            space();
            if (text[at++] !== ':') refuse(false);
          }
          hasEqualKeys ||= seen.has(key);
          seen.add(key);
          const item = value(depth + 1);
          if (c === '[') list.push(item);
          else map.set(key, item);
          space();
          const next = text[at++];
          if (next === close) break;
          if (next !== ',') refuse(false);
        }
      }
      return c === '[' ? list : map;
    }
    for (const [word, meaning] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (!text.startsWith(word, at)) continue;
      at += word.length;
      return meaning;
    }
    const digits = match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y);
    // What could go on as a number is none, be the beginning in range or not.
    if (/[\d.eE+-]/.test(text[at] ?? '')) refuse(undefined);
    const n = Number(digits);
    if (!isStrict) return n;
    if (!Number.isFinite(n)) refuse(true);
    if (INTEGER.test(digits)) {
      const exact = BigInt(digits);
      if (exact >= 2n ** 63n || exact < -(2n ** 63n)) refuse(true);
    }
    return n;
  };
  const result = value(0);
  space();
  if (at < text.length) refuse(false);
  return result;
}

function write(v: Value, indent: string, level = 0): string {
  const line = indent === '' ? '' : `\n${indent.repeat(level + 1)}`;
  const last = indent === '' ? '' : `\n${indent.repeat(level)}`;
  if (typeof v === 'string') {
    const escapes: Record<string, string> = {
      '"': '\\"',
      '\\': '\\\\',
      '\b': '\\b',
      '\f': '\\f',
      '\n': '\\n',
      '\r': '\\r',
      '\t': '\\t',
    };
    return `"${v.replace(/["\\\x00-\x1f]/g, (c) => escapes[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
  }
  if (Array.isArray(v)) {
    if (v.length === 0) return '[]';
    return `[${line}${v.map((item) => write(item, indent, level + 1)).join(`,${line}`)}${last}]`;
  }
  if (v instanceof Map) {
    if (v.size === 0) return '{}';
    const colon = indent === '' ? ':' : ': ';
    const fields = [...v].map(
      ([key, item]) => write(key, '') + colon + write(item, indent, level + 1),
    );
    return `{${line}${fields.join(`,${line}`)}${last}}`;
  }
  if (typeof v !== 'number') return String(v);
  if (Object.is(v, -0)) return '-0';
  const { abs } = Math;
  if (v === -(2 ** 63) || (Number.isInteger(v) && abs(v) < 2 ** 63)) return String(BigInt(v));
  return abs(v) < 1e21 && abs(v) >= 2 ** 63 ? v.toExponential() : String(v);
}

// ── ours ───────────────────────────────────────────────────────────────────────────────────────────

function modelOf(v: LuaValue): Value {
  if (v === jsonNull) return null;
  if (!(v instanceof LuaTable)) return v as Value;
  if (v.meta === arrayMeta) return Array.from(v.arr.slice(1), modelOf);
  return new Map([...entries(v)].map(([key, x]) => [key as string, modelOf(x)]));
}

type Opinion =
  | { readonly value: Value }
  | { readonly dom: boolean | undefined; readonly offset?: number };

function opinion(read: () => Value): Opinion {
  try {
    return { value: read() };
  } catch (thrown) {
    if (thrown instanceof Refused) return { dom: thrown.dom };
    if (thrown instanceof JsonFault) return { dom: thrown.dom, offset: thrown.offset };
    throw thrown;
  }
}

/** Has it equal keys, once limits are left aside? */
function parseAll(text: string): boolean {
  opinion(() => parse(text, Number.POSITIVE_INFINITY, false));
  return hasEqualKeys;
}

const decode = (text: string, maxDepth: number): Value => {
  const lexer = new JsonLexer(text);
  return modelOf(decodeDocument(new JsonDecoder(lexer, { maxDepth }), lexer));
};

/** The text in pieces of these lengths, and then the rest. */
function readInPieces(text: string, cuts: readonly number[], maxDepth: number): Value {
  const core = new JsonReaderCore({ maxDepth, maxToken: 1e6, many: false });
  const open: { list: Value[]; map?: Map<string, Value>; key: string }[] = [{ list: [], key: '' }];
  let at = 0;
  let next = 0;
  const add = (v: Value): void => {
    const { list, map, key } = open.at(-1)!;
    if (map === undefined) list.push(v);
    else map.set(key, v);
  };
  for (;;) {
    const event = core.next();
    switch (event) {
      case CUT: {
        if (at === text.length) {
          core.lexer.more = false;
          break;
        }
        const size = cuts[next++] ?? text.length;
        core.feed(text.slice(at, at + size));
        at = Math.min(at + size, text.length);
        break;
      }
      case 'begin_array':
        open.push({ list: [], key: '' });
        break;
      case 'begin_object':
        open.push({ list: [], map: new Map(), key: '' });
        break;
      case 'key':
        open.at(-1)!.key = core.value as string;
        break;
      case 'value':
        add(modelOf(core.value));
        break;
      case 'end':
        return open[0]!.list[0]!;
      default: {
        const { list, map } = open.pop()!;
        add(map ?? list);
      }
    }
  }
}

/** Could a document begin so? */
function isPrefix(text: string, maxDepth: number): boolean {
  const core = new JsonReaderCore({ maxDepth, maxToken: 1e6, many: false });
  core.feed(text);
  try {
    while (core.next() !== CUT);
    return true;
  } catch (thrown) {
    if (thrown instanceof JsonFault) return false;
    throw thrown;
  }
}

// ── reading ────────────────────────────────────────────────────────────────────────────────────────

interface Reading {
  readonly text: string;
  readonly cuts: readonly number[];
  readonly maxDepth: number;
}

const PIECES = [
  ...'{}[]:,"',
  ...'{}[]:,"',
  ...' \t\n\r0123456789-+.eE\\/bfnrtu',
  'true',
  'false',
  'null',
  '"a"',
  '"b":',
  '{"a":1}',
  '[1,2]',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\ude00',
  '\\n',
  '\\\\',
  '1e308',
  '1e309',
  '-0',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '\x00',
  '\x1f',
  '\x7f',
  '\xc3\xa9',
  '\xff',
  '/**/',
  'NaN',
  '\xef\xbb\xbf',
];
const KEYS = [
  'a',
  'b',
  '',
  '1',
  '20',
  '__proto__',
  'constructor',
  'id',
  '\\n',
  '\\u0061',
  '\xc3\xa9',
  '$a',
  '\\\\',
];

function document(random: Random, depth: number): string {
  const space = (): string => (random.chance(85) ? '' : random.pick([' ', '\n', '\t \r']));
  switch (random.int(depth > 5 ? 5 : 8)) {
    case 0:
      return random.pick(['true', 'false', 'null']);
    case 1:
      return String(random.int(2000) - 1000);
    case 2:
      return `${random.pick(['', '-'])}${random.int(1000)}${random.pick(['', `.${random.int(1e6)}`])}${random.pick(['', `e${random.int(700) - 350}`, 'E+7'])}`;
    case 3:
      return random.pick([
        '-0',
        '0',
        '9223372036854775807',
        '123456789012345678901',
        '1e400',
        '5e-324',
      ]);
    case 4:
      return `"${textOf(random, 8, ['a', 'xyz ', '\xc3\xa9', '\\n', '\\"', '\\\\', '\\/', '\\u0000', '\\ud83d\\ude00', '\\ud800', '\xff'])}"`;
    case 5:
    case 6:
      return `[${space()}${random.some(0, 5, () => document(random, depth + 1) + space()).join(`,${space()}`)}]`;
    default:
      return `{${space()}${random
        .some(
          0,
          5,
          () => `"${random.pick(KEYS)}"${space()}:${space()}${document(random, depth + 1)}`,
        )
        .join(`,${space()}`)}}`;
  }
}

/** Records of one shape, of which V8's path makes much. */
function records(random: Random): string {
  const keys = random.some(1, 4, () => random.pick(KEYS));
  const record = (): string =>
    `{${keys.map((key) => `"${key}":${document(random, 4)}`).join(',')}}`;
  return `[${random.some(1, 12, record).join(',')}]`;
}

function changed(random: Random, text: string): string {
  for (let n = random.int(4); n > 0; n--) {
    const at = random.int(text.length + 1);
    const piece = random.chance(30) ? '' : random.pick(PIECES);
    text = text.slice(0, at) + piece + text.slice(at + random.int(3));
  }
  return text;
}

export const jsonReading: Fuzzer<Reading> = {
  name: 'json',
  make(random) {
    const text = random.chance(15)
      ? textOf(random, 20, PIECES)
      : changed(random, random.chance(30) ? records(random) : document(random, 0));
    return {
      text,
      cuts: random.some(0, 12, () => 1 + random.int(6)),
      maxDepth: random.chance(80) ? 1000 : 1 + random.int(4),
    };
  },
  check({ text, cuts, maxDepth: limit }) {
    const maxDepth = Math.max(1, limit);
    const expected = opinion(() => parse(text, maxDepth));
    const ways: [string, () => Value][] = [
      ['decode', () => decode(text, maxDepth)],
      ['reader', () => readInPieces(text, [], maxDepth)],
      ['reader, in pieces', () => readInPieces(text, cuts, maxDepth)],
    ];
    for (const [way, read] of ways) {
      const got = opinion(read);
      const fault = differs(expected, got);
      if (fault !== undefined) return `${way}: ${fault}`;
      if ('offset' in got) {
        const { offset = -1 } = got;
        if (way !== 'decode') continue;
        if (!(offset >= 0 && offset <= text.length)) return `the offset ${offset} is outside`;
        if (!isPrefix(text.slice(0, offset), maxDepth))
          return `there was an error before ${offset}`;
      }
    }
    const native = decodeNatively(text, maxDepth);
    // A value that another one takes the place of may be out of range: V8 has forgotten it.
    const isUnseen = 'dom' in expected && expected.dom && parseAll(text);
    if (native !== LEFT && !isUnseen) {
      const fault = differs(expected, { value: modelOf(native) });
      if (fault !== undefined) return `V8's parser: ${fault}`;
    }
    return undefined;
  },
};

function differs(expected: Opinion, got: Opinion): string | undefined {
  const { offset: _, ...plain } = got as { offset?: number };
  if (isDeepStrictEqual(expected, plain)) return undefined;
  if ('dom' in expected && expected.dom === undefined && 'dom' in plain) return undefined;
  return `${shown(plain as Opinion)}, and not ${shown(expected)}`;
}

const shown = (o: Opinion): string =>
  'value' in o ? write(o.value, '') : o.dom ? 'refused by a limit' : 'refused';

// ── writing ────────────────────────────────────────────────────────────────────────────────────────

/** A Lua value: `table` is an array with `tagged`, an object with fields; other keys and values are left out. */
type Plan =
  | null
  | boolean
  | number
  | string
  | { readonly items: readonly Plan[]; readonly tagged: boolean }
  | { readonly fields: readonly (readonly [string | number, Plan])[]; readonly extra: boolean };

interface Writing {
  readonly plan: Plan;
  readonly indent: number;
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  1 / 3,
  1e21,
  1e20,
  123456789012345680000,
  1e-6,
  1e-7,
  5e-324,
  2 ** 53,
  -(2 ** 63),
  1.7976931348623157e308,
];
const STRINGS = [
  '',
  'a',
  'id',
  '__proto__',
  '10',
  'constructor',
  'toJSON',
  '"',
  '\\',
  '\n\t\b\f\r',
  '\x00\x1f',
  '\x7f',
  '\xc3\xa9',
  '\xff\xfe',
  '/',
  '\xe2\x80\xa8',
  '$x',
];

function plan(random: Random, depth: number): Plan {
  switch (random.int(depth > 4 ? 4 : 7)) {
    case 0:
      return random.pick([true, false, null]);
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.chance(50) ? random.int(2 ** 31) / (1 + random.int(1000)) : random.int(100);
    case 3:
      return textOf(random, 3, STRINGS);
    case 4:
    case 5:
      return { items: random.some(0, 5, () => plan(random, depth + 1)), tagged: random.chance(70) };
    default:
      return {
        fields: random.some(0, 6, () => [
          random.chance(90) ? random.pick(STRINGS) : random.pick([0, -1, 1.5]),
          plan(random, depth + 1),
        ]),
        extra: random.chance(20),
      };
  }
}

function luaOf(p: Plan = null): LuaValue {
  if (p === null) return jsonNull;
  if (typeof p !== 'object') return p;
  if ('items' in p) {
    const t = arrayOf(p.items.map(luaOf));
    if (p.tagged) t.meta = arrayMeta;
    else if (p.items.length > 0) rawSet(t, 'left out', true);
    return t;
  }
  const t = new LuaTable();
  if (p.extra) rawSet(t, 'left out', () => undefined);
  for (const [key, item] of p.fields) rawSet(t, key, luaOf(item));
  return t;
}

function expectedOf(p: Plan = null): Value {
  if (p === null || typeof p !== 'object') return p;
  if ('items' in p) {
    if (p.items.length === 0 && !p.tagged) return new Map();
    return p.items.map(expectedOf);
  }
  return new Map(
    p.fields.flatMap(([key, item]) =>
      typeof key === 'string' ? [[key, expectedOf(item)] as const] : [],
    ),
  );
}

/** Without regard to the order of fields. */
const sorted = (v: Value): Value =>
  v instanceof Map
    ? new Map([...v].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, x]) => [key, sorted(x)]))
    : Array.isArray(v)
      ? v.map(sorted)
      : v;

function encode(v: LuaValue, indent: string): string {
  const core = new JsonWriter(indent);
  let text = '';
  new Encoder(core, new LuaTable(), new LuaTable()).encode(v, () => {
    text = core.generate();
    return undefined;
  });
  return text;
}

export const jsonWriting: Fuzzer<Writing> = {
  name: 'json-encode',
  make: (random) => ({ plan: plan(random, 0), indent: random.chance(60) ? 0 : random.int(5) }),
  check({ plan: p, indent: count }) {
    const indent = ' '.repeat(count);
    const v = luaOf(p);
    const expected = sorted(expectedOf(p));
    const texts: [string, string | typeof LEFT][] = [['encoder', '']];
    try {
      texts[0]![1] = encode(v, indent);
    } catch (thrown) {
      return thrown instanceof LuaError ? `refused: ${String(thrown.value)}` : String(thrown);
    }
    texts.push(["V8's writer", encodeNatively(v, indent)]);
    for (const [way, text] of texts) {
      if (text === LEFT) continue;
      const read = opinion(() => parse(text as string, 1000));
      // Integers from 2^63 on are written, and are no integers of 64 bits.
      if (!('value' in read)) {
        if (read.dom && /\d{19}/.test(text as string)) continue;
        return `${way}: what it writes is not JSON: ${String(text)}`;
      }
      if (!isDeepStrictEqual(sorted(read.value), expected))
        return `${way}: ${String(text)}, and not ${write(expected, indent)}`;
      const again = write(read.value, indent);
      if (again !== text) return `${way}: ${String(text)}, and not ${again}`;
    }
    return undefined;
  },
};
