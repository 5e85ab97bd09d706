/**
 * `byte_span` (also a global): views of bytes in memory that spans share. Positions are 1-based, as in
 * strings; `slice` and its relatives share memory, `append` does where the capacity suffices.
 */
import { Buffer } from 'node:buffer';
import { allocateSpan, ByteSpan, bytesOf, MAX_SPAN } from '../runtime/byte-span.ts';
import { byteSet, encodeBytes, findBytes, findLastBytes, setByteCodec } from '../runtime/bytes.ts';
import { badArgument, badIndex, codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

const latin1Slice = Buffer.prototype.latin1Slice;
const latin1Write = Buffer.prototype.latin1Write;
setByteCodec({
  decode: (bytes, start, end) => latin1Slice.call(bytes, start, end),
  encode: (text, bytes, at) => void latin1Write.call(bytes, text, at, text.length),
  indexOf: (bytes, needle, from) => Buffer.prototype.indexOf.call(bytes, needle, from),
  lastIndexOf: (bytes, needle, from) => Buffer.prototype.lastIndexOf.call(bytes, needle, from),
});

// ── arguments ──────────────────────────────────────────────────────────────────────────────────────

function integer(v: LuaValue, position: number): number {
  if (typeof v !== 'number' || v !== v) throw badArgument(position);
  return Math.trunc(v);
}

const optInteger = (v: LuaValue, position: number, otherwise: number): number =>
  v === undefined ? otherwise : integer(v, position);

function inRange(n: number, least: number, most: number): number {
  if (n < least || n > most) throw codeError('ERANGE');
  return n;
}

function stringOrSpan(v: LuaValue, position: number): Uint8Array {
  const bytes = bytesOf(v);
  if (bytes === undefined) throw badArgument(position);
  return bytes;
}

function allocate(length: number, capacity = length): ByteSpan {
  if (capacity > MAX_SPAN) throw codeError('ENOMEM');
  try {
    return allocateSpan(length, capacity);
  } catch {
    throw codeError('ENOMEM');
  }
}

// ── making spans ───────────────────────────────────────────────────────────────────────────────────

/** Memory is always zeroed: what another part of the process had there is nobody's business. */
function create(lengthArg: LuaValue, capacityArg: LuaValue): ByteSpan {
  const length = integer(lengthArg, 1);
  const capacity = optInteger(capacityArg, 2, length);
  if (length < 0) throw badArgument(1);
  if (length > capacity) throw badArgument(2);
  return allocate(length, capacity);
}

type Piece = string | Uint8Array;

function piecesOf(values: LuaValue[], firstPosition: number): Piece[] {
  const pieces: Piece[] = [];
  values.forEach((v, i) => {
    if (typeof v === 'string') pieces.push(v);
    else if (v instanceof ByteSpan) pieces.push(v.view());
    else if (v !== undefined) throw badArgument(firstPosition + i);
  });
  return pieces;
}

const totalLength = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + piece.length, 0);

function writePieces(pieces: readonly Piece[], bytes: Uint8Array, at: number): void {
  for (const piece of pieces) {
    if (typeof piece === 'string') encodeBytes(piece, bytes, at);
    else bytes.set(piece, at);
    at += piece.length;
  }
}

function concatenate(...values: LuaValue[]): ByteSpan {
  const pieces = piecesOf(values, 1);
  const span = allocate(totalLength(pieces));
  writePieces(pieces, span.bytes, span.offset);
  return span;
}

function append(self: ByteSpan, ...values: LuaValue[]): ByteSpan {
  if (values.length === 0) return self;
  const pieces = piecesOf(values, 2);
  const total = self.length + totalLength(pieces);
  const { bytes, offset } = self;
  if (total <= self.capacity) {
    // A piece may lie where an earlier one is about to be written.
    const apart = pieces.map((p) =>
      typeof p !== 'string' && p.buffer === bytes.buffer ? p.slice() : p,
    );
    writePieces(apart, bytes, offset + self.length);
    return new ByteSpan(bytes, offset, total, self.capacity);
  }
  // Twice what there was: appending again and again stays linear.
  const capacity = Math.max(total, Math.min(2 * self.capacity, MAX_SPAN));
  const grown = allocate(total, capacity);
  grown.bytes.set(self.view(), grown.offset);
  writePieces(pieces, grown.bytes, grown.offset + self.length);
  return grown;
}

function slice(self: ByteSpan, startArg: LuaValue, endArg: LuaValue): ByteSpan {
  const start = optInteger(startArg, 2, 1);
  const end = inRange(optInteger(endArg, 3, self.length), 0, self.capacity);
  inRange(start, 1, end + 1);
  return self.part(start - 1, end);
}

const WHITESPACE = ' \f\n\r\t\v';

function trimmed(self: ByteSpan, set: LuaValue): ByteSpan {
  const members = byteSet(set === undefined ? bytesOf(WHITESPACE)! : stringOrSpan(set, 2));
  const { bytes, offset } = self;
  let start = offset;
  let end = offset + self.length;
  while (start < end && members[bytes[start]!] === 1) start++;
  while (end > start && members[bytes[end - 1]!] === 1) end--;
  if (start === end) return new ByteSpan(bytes, offset, 0, 0);
  return self.part(start - offset, end - offset);
}

// ── searching ──────────────────────────────────────────────────────────────────────────────────────

const position = (at: number, offset: number): number | undefined =>
  at < 0 ? undefined : at - offset + 1;

/** From which byte on, in the memory. */
const from = (self: ByteSpan, start: LuaValue): number =>
  self.offset + inRange(optInteger(start, 3, 1), 1, self.length + 1) - 1;

/** Up to which byte, inclusive, in the memory. */
const upTo = (self: ByteSpan, end: LuaValue): number =>
  self.offset + inRange(optInteger(end, 3, self.length), 0, self.length) - 1;

function find(self: ByteSpan, x: LuaValue, start: LuaValue): number | undefined {
  const needle = stringOrSpan(x, 2);
  const first = from(self, start);
  const end = self.offset + self.length;
  if (first === end) return undefined;
  return position(findBytes(self.bytes, needle, first, end), self.offset);
}

function rfind(self: ByteSpan, x: LuaValue, end: LuaValue): number | undefined {
  const needle = stringOrSpan(x, 2);
  const last = upTo(self, end);
  const { bytes, offset, length } = self;
  if (last < offset) return undefined;
  return position(findLastBytes(bytes, needle, offset, offset + length, last), offset);
}

/** The first byte from `start` on whose being in the set is `wanted`. */
function findFirst(wanted: 0 | 1) {
  return (self: ByteSpan, x: LuaValue, start: LuaValue): number | undefined => {
    const set = byteSet(stringOrSpan(x, 2));
    const end = self.offset + self.length;
    for (let i = from(self, start); i < end; i++) {
      if (set[self.bytes[i]!] === wanted) return i - self.offset + 1;
    }
    return undefined;
  };
}

function findLast(wanted: 0 | 1) {
  return (self: ByteSpan, x: LuaValue, end: LuaValue): number | undefined => {
    const set = byteSet(stringOrSpan(x, 2));
    for (let i = upTo(self, end); i >= self.offset; i--) {
      if (set[self.bytes[i]!] === wanted) return i - self.offset + 1;
    }
    return undefined;
  };
}

function hasAt(self: ByteSpan, part: Uint8Array, at: number): boolean {
  if (at < 0 || at + part.length > self.length) return false;
  return part.every((byte, i) => byte === self.bytes[self.offset + at + i]);
}

// ── changing bytes ─────────────────────────────────────────────────────────────────────────────────

function copy(self: ByteSpan, src: LuaValue): number {
  if (src instanceof ByteSpan) {
    const count = Math.min(self.length, src.length);
    self.bytes.set(src.bytes.subarray(src.offset, src.offset + count), self.offset);
    return count;
  }
  if (typeof src !== 'string') throw badArgument(2);
  const count = Math.min(self.length, src.length);
  encodeBytes(src.length > count ? src.slice(0, count) : src, self.bytes, self.offset);
  return count;
}

/** Flip the case of the 26 letters that begin at `first`. */
function flipCase(first: number) {
  return (self: ByteSpan) => {
    const { bytes, offset, length } = self;
    for (let i = offset; i < offset + length; i++) {
      const byte = bytes[i]!;
      if (byte >= first && byte < first + 26) bytes[i] = byte ^ 0x20;
    }
    return NONE;
  };
}

// ── numbers ────────────────────────────────────────────────────────────────────────────────────────

type SpanMethod = (self: ByteSpan, value: LuaValue) => LuaValue | typeof NONE;

/** The value for set_…: an integer from `least` to `most`. */
function fitting(value: LuaValue, least: number, most: number): number {
  return inRange(integer(value, 2), least, most);
}

function checkSize(self: ByteSpan, size: number): void {
  if (self.length !== size) throw codeError('EINVAL');
}

function integerMethods(bits: number, signed: boolean, little: boolean): [SpanMethod, SpanMethod] {
  const size = bits / 8;
  const modulus = 2 ** bits;
  const least = signed ? -modulus / 2 : 0;
  const most = signed ? modulus / 2 - 1 : modulus - 1;
  const get: SpanMethod = (self) => {
    checkSize(self, size);
    const { bytes, offset } = self;
    let n = 0;
    for (let i = 0; i < size; i++) n = n * 256 + bytes[offset + (little ? size - 1 - i : i)]!;
    return n > most ? n - modulus : n;
  };
  const set: SpanMethod = (self, value) => {
    checkSize(self, size);
    let n = fitting(value, least, most);
    if (n < 0) n += modulus;
    for (let i = 0; i < size; i++) {
      self.bytes[self.offset + (little ? i : size - 1 - i)] = n % 256;
      n = Math.floor(n / 256);
    }
    return NONE;
  };
  return [get, set];
}

function floatMethods(bits: 32 | 64, little: boolean): [SpanMethod, SpanMethod] {
  const dataView = (self: ByteSpan): DataView => {
    checkSize(self, bits / 8);
    return new DataView(self.bytes.buffer, self.bytes.byteOffset + self.offset, bits / 8);
  };
  const get: SpanMethod = (self) => {
    const view = dataView(self);
    return bits === 32 ? view.getFloat32(0, little) : view.getFloat64(0, little);
  };
  const set: SpanMethod = (self, value) => {
    const view = dataView(self);
    if (typeof value !== 'number') throw badArgument(2);
    if (bits === 32) view.setFloat32(0, value, little);
    else view.setFloat64(0, value, little);
    return NONE;
  };
  return [get, set];
}

function numberMethods(): Record<string, SpanMethod> {
  const methods: Record<string, SpanMethod> = {};
  const add = (suffix: string, [get, set]: [SpanMethod, SpanMethod]): void => {
    methods[`get_${suffix}`] = get;
    methods[`set_${suffix}`] = set;
  };
  for (const order of ['be', 'le'] as const) {
    const little = order === 'le';
    for (const bits of [16, 24, 32, 40, 48]) {
      add(`u${bits}${order}`, integerMethods(bits, false, little));
      add(`i${bits}${order}`, integerMethods(bits, true, little));
    }
    add(`f32${order}`, floatMethods(32, little));
    add(`f64${order}`, floatMethods(64, little));
  }
  add('i8', integerMethods(8, true, false));
  return methods;
}

// ── the type ───────────────────────────────────────────────────────────────────────────────────────

luaType('byte_span', ByteSpan, () => ({
  methods: {
    append,
    slice,
    sub: slice,
    first: (self, n: LuaValue) => self.part(0, inRange(integer(n, 2), 0, self.capacity)),
    last: (self, n: LuaValue) =>
      self.part(self.length - inRange(integer(n, 2), 0, self.length), self.length),
    copy,
    fill(self, byte: LuaValue) {
      const value = fitting(byte, 0, 255);
      self.bytes.fill(value, self.offset, self.offset + self.length);
      return self;
    },
    inplace_lower: flipCase(0x41),
    inplace_upper: flipCase(0x61),
    starts_with: (self, x: LuaValue) => hasAt(self, stringOrSpan(x, 2), 0),
    ends_with(self, x: LuaValue) {
      const part = stringOrSpan(x, 2);
      return hasAt(self, part, self.length - part.length);
    },
    find,
    rfind,
    find_first_of: findFirst(1),
    find_first_not_of: findFirst(0),
    find_last_of: findLast(1),
    find_last_not_of: findLast(0),
    trimmed,
    ...numberMethods(),
  },
  properties: { capacity: (self) => self.capacity },
  index(self, key) {
    if (typeof key !== 'number') throw badIndex(key);
    const i = Math.trunc(key);
    if (!(i >= 1 && i <= self.length)) throw codeError('ERANGE');
    return self.bytes[self.offset + i - 1];
  },
  setIndex(self, key, value) {
    if (typeof key !== 'number') throw codeError('EPERM');
    const i = Math.trunc(key);
    if (!(i >= 1 && i <= self.length)) throw codeError('ERANGE');
    self.bytes[self.offset + i - 1] = inRange(integer(value, 3), 0, 255);
  },
  length: (self) => self.length,
  tostring: (self) => self.toString(),
  equals(a, b) {
    return (
      a instanceof ByteSpan &&
      b instanceof ByteSpan &&
      a.length === b.length &&
      hasAt(a, b.view(), 0)
    );
  },
}));

export const byteSpan = luaModule('byte_span', {
  new: create,
  with_zeros: create,
  append: concatenate,
});
