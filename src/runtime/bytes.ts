/**
 * Between bytes and Lua strings, which have one byte a code unit. The versions here need nothing but
 * the language; a host that has faster ones installs them.
 */

export interface ByteCodec {
  /** The bytes from `start` up to `end` as a string. */
  decode(bytes: Uint8Array, start: number, end: number): string;
  /** Write all of `text` at `at`; there is room for it. */
  encode(text: string, bytes: Uint8Array, at: number): void;
  /** Where `needle`, of at least two bytes, begins at or after `from`; -1. */
  indexOf(bytes: Uint8Array, needle: Uint8Array, from: number): number;
  /** Where it begins at or before `from`; -1. */
  lastIndexOf(bytes: Uint8Array, needle: Uint8Array, from: number): number;
}

const plain: ByteCodec = {
  decode(bytes, start, end) {
    let text = '';
    for (let i = start; i < end; i += 4096) {
      text += String.fromCharCode(...bytes.subarray(i, Math.min(end, i + 4096)));
    }
    return text;
  },
  encode(text, bytes, at) {
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  },
  indexOf(bytes, needle, from) {
    for (let i = from; i <= bytes.length - needle.length; i++) {
      if (matchesAt(bytes, i, needle)) return i;
    }
    return -1;
  },
  lastIndexOf(bytes, needle, from) {
    for (let i = Math.min(from, bytes.length - needle.length); i >= 0; i--) {
      if (matchesAt(bytes, i, needle)) return i;
    }
    return -1;
  },
};

function matchesAt(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  for (let i = 0; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}

let codec = plain;
export function setByteCodec(faster: ByteCodec): void {
  codec = faster;
}

/** Below this a call out of JavaScript costs more than it saves. */
const SHORT = 8;

/** The bytes from `start` up to `end` as a string. */
export function decodeBytes(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > SHORT) return codec.decode(bytes, start, end);
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

const LONGEST_NAME = 24;
/** By length, first and last byte. */
const names = new Array<string>(256).fill('');

/** The same for a name, which will come again: a short one is then the same string, of which V8 knows the hash. */
export function decodeName(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length === 0 || length > LONGEST_NAME) return decodeBytes(bytes, start, end);
  const slot = (length + bytes[start]! * 7 + bytes[end - 1]! * 37) & 255;
  const name = names[slot]!;
  if (name.length === length) {
    let i = 0;
    while (i < length && name.charCodeAt(i) === bytes[start + i]) i++;
    if (i === length) return name;
  }
  return (names[slot] = decodeBytes(bytes, start, end));
}

/** Write all of `text` at `at`; there is room for it. */
export function encodeBytes(text: string, bytes: Uint8Array, at: number): void {
  if (text.length > SHORT) codec.encode(text, bytes, at);
  else for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** How far a byte is looked for here: beyond, the built-in search is faster. */
const NEAR = 96;

/** Where `byte` is in [from, to); -1. */
export function findByte(bytes: Uint8Array, byte: number, from: number, to: number): number {
  const near = from + NEAR < to ? from + NEAR : to;
  for (let i = from; i < near; i++) if (bytes[i] === byte) return i;
  if (near === to) return -1;
  const at = bytes.indexOf(byte, near);
  return at < to ? at : -1;
}

/** Where `needle` begins in [from, to), as a whole; -1. An empty one is found at `from`. */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from: number, to: number): number {
  if (needle.length === 0) return from;
  if (needle.length === 1) return findByte(bytes, needle[0]!, from, to);
  if (to - from < needle.length) return -1;
  const at = codec.indexOf(bytes.subarray(from, to), needle, 0);
  return at < 0 ? -1 : at + from;
}

/** The last place in [from, to) at or before `last` where `needle` begins, as a whole; -1. */
export function findLastBytes(
  bytes: Uint8Array,
  needle: Uint8Array,
  from: number,
  to: number,
  last: number,
): number {
  const start = Math.min(last, to - needle.length);
  if (start < from) return -1;
  if (needle.length === 0) return start;
  if (needle.length === 1) {
    for (let i = start; i >= from; i--) if (bytes[i] === needle[0]) return i;
    return -1;
  }
  const at = codec.lastIndexOf(bytes.subarray(from, to), needle, start - from);
  return at < 0 ? -1 : at + from;
}

/** A set of bytes: `set[byte]` is 1 for its members. */
export function byteSet(members: Uint8Array): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of members) set[byte] = 1;
  return set;
}

/** The bytes of which `test` is true. */
export function bytesWhere(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0));
}

/** The bytes that are not in the set. */
export const bytesOutside = (set: Uint8Array): Uint8Array => set.map((member) => 1 - member);
