/**
 * JSON by V8's own parser and writer, which take half the time of ours: values are moved between its
 * objects and Lua's tables. They do what is usual. What they can't tell, or would do otherwise, is `LEFT`
 * to json-decode.ts and to the encoder, which do all of it: errors and where they are, integers beyond
 * 2^53, limits, handlers that write themselves.
 *
 * A Lua string has a byte in each code unit, and JSON's syntax is ASCII: bytes of UTF-8 pass through V8's
 * parser as they are. Escapes of characters that UTF-8 writes in several bytes are replaced before.
 */
import { decodeBytes, encodeBytes } from './bytes.ts';
import {
  arrayMeta,
  isPlainKey,
  jsonNull,
  LEFT,
  type Left,
  type Parsed,
  rootShape,
  type Shape,
} from './json-shapes.ts';
import {
  fieldsOf,
  LuaTable,
  numbers,
  rawGetString,
  rawLength,
  rawSet,
  startArray,
  TableIterator,
} from './table.ts';
import { type LuaValue, NO_ZERO } from './value.ts';

/** Values within each other, which are functions within each other here. */
const MAX_DEPTH = 200;
/** V8's objects are there beside ours for a while: not for documents that are larger. */
const MAX_TEXT = 2 ** 26;

// ── text → values ──────────────────────────────────────────────────────────────────────────────────

let depth = 0;
let maxDepth = 0;

/** A whole document. */
export function decodeNatively(text: string, levels: number): LuaValue | Left {
  if (text.length > MAX_TEXT) return LEFT;
  depth = 0;
  maxDepth = Math.min(levels, MAX_DEPTH);
  try {
    const escape = text.indexOf('\\u');
    const plain = escape < 0 ? text : withoutEscapes(text, escape);
    const records = plain.length > 2 * PIECE ? RECORDS.exec(plain) : null;
    if (records !== null) {
      const [whole, begin] = records as unknown as [string, string];
      return recordsOf(plain, begin, whole.length - begin.length);
    }
    return valueOf(JSON.parse(plain) as unknown);
  } catch (thrown) {
    if (thrown === LEFT || thrown instanceof SyntaxError) return LEFT;
    throw thrown;
  }
}

/** An array of records is parsed in pieces of about this size: V8's objects of one piece are garbage before the next. */
const PIECE = 64 * 1024;
/** What an array of records begins with, up to the first key of the first one. */
const RECORDS = /^[ \t\n\r]*\[[ \t\n\r]*(\{[ \t\n\r]*"[\w-]{1,40}")/;

/**
 * The pieces end where another record seems to begin. If that was in a string, or in a smaller array, the piece doesn't
 * parse, and becomes a larger one; if `[a]` and `[b]` are arrays, then `[a, b]` is the array of both.
 *
 * That array is made at the end. One that grew would soon be among V8's old objects, which keep alive what they hold until all of
 * the heap is looked at: what a program has dropped would be copied as if it were in use.
 */
function recordsOf(text: string, begin: string, from: number): LuaTable {
  const pieces: LuaValue[][] = [];
  depth++;
  const end = text.lastIndexOf(']');
  let size = PIECE;
  while (from < end) {
    const next = text.indexOf(begin, from + size);
    const to = next < 0 ? end : text.lastIndexOf(',', next);
    const piece = to > from ? parsed(`[${text.substring(from, to)}]`) : undefined;
    if (piece !== undefined && piece.length > 0) {
      for (let i = 0; i < piece.length; i++) piece[i] = valueOf(piece[i]);
      pieces.push(piece as LuaValue[]);
      from = to + 1;
    } else if (next < 0) throw LEFT;
    else size *= 2;
  }
  if (/[^ \t\n\r]/.test(text.substring(end + 1))) throw LEFT;
  const [first, ...others] = pieces;
  if (first === undefined) throw LEFT;
  first.unshift(NO_ZERO);
  const t = arrayTable([]);
  t.arr = first.concat(...others);
  return t;
}

function parsed(text: string): unknown[] | undefined {
  try {
    return JSON.parse(text) as unknown[];
  } catch {
    return undefined;
  }
}

/** Texts up to this size become bytes here. */
const scratch = new Uint8Array(2 * PIECE);

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** `\uXXXX` */
const UNIT = 6;

/**
 * In place of escapes the bytes above 127 that they stand for: nothing becomes valid that wasn't.
 * @param at  where the first `\u` is, though its backslash may be an escaped one
 */
function withoutEscapes(text: string, at: number): string {
  while (at > 0 && text.charCodeAt(at - 1) === BACKSLASH) at--;
  const { length } = text;
  const bytes = length <= scratch.length ? scratch : new Uint8Array(length);
  encodeBytes(text, bytes, 0);
  let to = at;
  while (at < length) {
    const c = (bytes[to] = bytes[at]!);
    if (c !== BACKSLASH) {
      to++;
      at++;
      continue;
    }
    const unit = bytes[at + 1] === LETTER_U ? unitAt(bytes, at, length) : -1;
    if (unit < 0x80) {
      bytes[to + 1] = bytes[at + 1]!;
      to += 2;
      at += 2;
      continue;
    }
    at += UNIT;
    let point = unit;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const low = unit < 0xdc00 ? unitAt(bytes, at, length) : -1;
      if (low >= 0xdc00 && low <= 0xdfff) {
        at += UNIT;
        point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      } else point = 0xfffd;
    }
    to = putUtf8(bytes, to, point);
  }
  return decodeBytes(bytes, 0, to);
}

/** The value of an escape `\uXXXX`; -1 if it is none. */
function unitAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + UNIT > end || bytes[at] !== BACKSLASH || bytes[at + 1] !== LETTER_U) return -1;
  let unit = 0;
  for (let i = at + 2; i < at + UNIT; i++) {
    const c = bytes[i]!;
    const letter = c | 0x20;
    if (c >= 0x30 && c <= 0x39) unit = unit * 16 + (c - 0x30);
    else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + (letter - 0x57);
    else return -1;
  }
  return unit;
}

/** RFC 3629, of a code point from 128 on. @returns where the bytes end */
function putUtf8(bytes: Uint8Array, to: number, point: number): number {
  if (point < 0x800) bytes[to++] = 0xc0 | (point >> 6);
  else {
    if (point < 0x10000) bytes[to++] = 0xe0 | (point >> 12);
    else {
      bytes[to++] = 0xf0 | (point >> 18);
      bytes[to++] = 0x80 | ((point >> 12) & 0x3f);
    }
    bytes[to++] = 0x80 | ((point >> 6) & 0x3f);
  }
  bytes[to++] = 0x80 | (point & 0x3f);
  return to;
}

function valueOf(v: unknown): LuaValue {
  if (typeof v === 'string') return v;
  if (typeof v === 'number') {
    // It may be an integer that 64 bits don't hold.
    if (v >= 2 ** 63 || v <= -(2 ** 63)) throw LEFT;
    return v;
  }
  if (typeof v === 'boolean') return v;
  if (v === null) return jsonNull;
  if (++depth > maxDepth) throw LEFT;
  const t = Array.isArray(v) ? arrayTable(v) : objectTable(v as Parsed);
  depth--;
  return t;
}

function arrayTable(values: readonly unknown[]): LuaTable {
  const t = new LuaTable();
  t.meta = arrayMeta;
  const { length } = values;
  if (length === 0) return t;
  const first = valueOf(values[0]);
  let arr: LuaValue[];
  // One that grows by `push` has room for 16 more.
  if (length === 1) arr = startArray(first);
  else if (length === 2) arr = startPair(first, valueOf(values[1]));
  else if (length === 3) arr = startTriple(first, valueOf(values[1]), valueOf(values[2]));
  else if (length > LONG && typeof first !== 'number') arr = longArray(first, values);
  else {
    arr = startArray(first);
    for (let i = 1; i < length; i++) arr.push(valueOf(values[i]));
  }
  t.arr = arr;
  return t;
}

/** Made at the end of short ones, as in `recordsOf`. */
function longArray(first: LuaValue, values: readonly unknown[]): LuaValue[] {
  const pieces: LuaValue[][] = [];
  let piece: LuaValue[] = [NO_ZERO, first];
  for (let i = 1; i < values.length; i++) {
    if (piece.length > ELEMENTS) {
      pieces.push(piece);
      piece = [valueOf(values[i])];
    } else piece.push(valueOf(values[i]));
  }
  pieces.push(piece);
  return pieces[0]!.concat(...pieces.slice(1));
}

const startPair = (a: LuaValue, b: LuaValue): LuaValue[] =>
  typeof a === 'number' ? numbers([NO_ZERO, a, b as number]) : [NO_ZERO, a, b];
const startTriple = (a: LuaValue, b: LuaValue, c: LuaValue): LuaValue[] =>
  typeof a === 'number' ? numbers([NO_ZERO, a, b as number, c as number]) : [NO_ZERO, a, b, c];

function objectTable(o: Parsed): LuaTable {
  let shape: Shape | undefined = rootShape;
  // Object.keys would make a list for each object.
  for (const key in o) {
    const next: Shape | undefined = shape.next;
    shape = next !== undefined && next.last === key ? next : shape.with(key);
    if (shape === undefined) return largeTable(o, Object.keys(o));
  }
  return shape.convert(o, valueOf);
}

function largeTable(o: Parsed, keys: readonly string[]): LuaTable {
  const t = new LuaTable();
  for (const key of keys) {
    if (key.includes('\\')) throw LEFT;
    rawSet(t, key, valueOf(o[key]));
  }
  return t;
}

// ── values → text ──────────────────────────────────────────────────────────────────────────────────

/** V8 writes integers from here on in another way, and ours writes them out. */
const LARGE = 2 ** 53;
/** V8 takes no more. */
const MAX_INDENT = 10;

export function encodeNatively(value: LuaValue, indent: string): string | Left {
  if (indent.length > MAX_INDENT) return LEFT;
  depth = 0;
  maxDepth = MAX_DEPTH;
  try {
    // Any other argument of JSON.stringify, and V8 takes the slower of its two ways.
    if (indent === '') return textOf(value);
    const mirror = mirrorOf(value);
    return mirror === undefined ? LEFT : JSON.stringify(mirror, undefined, indent);
  } catch (thrown) {
    // A text that is too long for a string is a RangeError.
    if (thrown === LEFT || thrown instanceof RangeError) return LEFT;
    throw thrown;
  }
}

/** An array of so many tables, and more, is written in pieces: V8's objects of one piece are garbage before the next. */
const LONG = 256;
const ELEMENTS = 128;

/** The value is an object that has a long array among its fields: they are to be written one by one. */
const HAS_LONG = Symbol('has long');
let findsLong = false;

function textOf(value: LuaValue): string | Left {
  if (isLong(value)) return inPieces(value as LuaTable);
  findsLong = value instanceof LuaTable && value.meta !== arrayMeta && rawLength(value) === 0;
  try {
    const mirror = mirrorOf(value);
    return mirror === undefined ? LEFT : JSON.stringify(mirror);
  } catch (thrown) {
    if (thrown !== HAS_LONG) throw thrown;
    return byFields(value as LuaTable);
  } finally {
    findsLong = false;
  }
}

const isLong = (v: LuaValue): boolean =>
  v instanceof LuaTable &&
  v.arr.length > LONG &&
  v.arr[1] instanceof LuaTable &&
  (v.meta === undefined || v.meta === arrayMeta);

/** If `[a]` and `[b]` are arrays, then `[a,b]` is the array of both. */
function inPieces(t: LuaTable): string {
  const { arr } = t;
  if (arr.length !== rawLength(t) + 1) throw LEFT;
  depth++;
  const pieces: string[] = [];
  for (let from = 1; from < arr.length; from += ELEMENTS) {
    const to = Math.min(from + ELEMENTS, arr.length);
    const piece = JSON.stringify(mirrorOfElements(arr, from, to));
    pieces.push(piece.substring(from === 1 ? 0 : 1, piece.length - (to === arr.length ? 0 : 1)));
  }
  depth--;
  return pieces.join(',');
}

function byFields(t: LuaTable): string {
  findsLong = false;
  depth = 1;
  const pieces: string[] = [];
  for (const fields = new TableIterator(t); fields.step(); ) {
    const { key, value } = fields;
    if (typeof key !== 'string') continue;
    if (isLong(value)) pieces.push(`${JSON.stringify(key)}:${inPieces(value as LuaTable)}`);
    else {
      const mirror = mirrorOf(value);
      if (mirror !== undefined) pieces.push(`${JSON.stringify(key)}:${JSON.stringify(mirror)}`);
    }
  }
  return `{${pieces.join(',')}}`;
}

/** What V8 writes as this value is to be written; undefined for what is left out of objects. */
function mirrorOf(v: LuaValue): unknown {
  if (typeof v === 'string' || typeof v === 'boolean') return v;
  if (typeof v === 'number') {
    if (v < LARGE && v > -LARGE && (v !== 0 || 1 / v > 0)) return v;
    throw LEFT;
  }
  if (v === jsonNull) return null;
  if (!(v instanceof LuaTable)) {
    if (typeof v === 'function' || v === undefined) return undefined;
    throw LEFT;
  }
  const { meta } = v;
  if (meta !== undefined && meta !== arrayMeta && rawGetString(meta, '__tojson') !== undefined) {
    throw LEFT;
  }
  if (++depth > maxDepth) throw LEFT;
  const length = rawLength(v);
  const o = length > 0 || meta === arrayMeta ? arrayMirror(v, length) : objectMirror(v);
  depth--;
  return o;
}

function arrayMirror(t: LuaTable, length: number): unknown[] {
  const { arr } = t;
  if (arr.length !== length + 1) throw LEFT;
  if (findsLong && depth === 2 && isLong(t)) throw HAS_LONG;
  return mirrorOfElements(arr, 1, length + 1);
}

function mirrorOfElements(arr: readonly LuaValue[], from: number, to: number): unknown[] {
  const values: unknown[] = [];
  for (let i = from; i < to; i++) {
    const v = mirrorOf(arr[i]);
    if (v === undefined) throw LEFT;
    values.push(v);
  }
  return values;
}

function objectMirror(t: LuaTable): unknown {
  if (t.hash !== undefined) return anyMirror(t);
  if (!t.named) return {};
  let shape: Shape | undefined = rootShape;
  for (const prop of fieldsOf(t).props) {
    const next: Shape | undefined = shape.next;
    shape = next !== undefined && next.prop === prop ? next : shape.with(prop.slice(1));
    if (shape === undefined) return anyMirror(t);
  }
  return shape.mirror(t, mirrorOf);
}

function anyMirror(t: LuaTable): unknown {
  const o: Record<string, unknown> = {};
  for (const fields = new TableIterator(t); fields.step(); ) {
    const { key, value } = fields;
    if (typeof key !== 'string') continue;
    if (!isPlainKey(key)) throw LEFT;
    o[key] = mirrorOf(value);
  }
  return o;
}
