/**
 * A message between processes, as bytes and back. Pure: no descriptor is touched here.
 *
 * One packet is one message:
 *
 *   magic  form  count  0          4 bytes; form 0: a value, 1: a table
 *   kind  key length  value length          `count` times, 3 bytes and then the bytes of the key
 *   key …  value …                          and of the value
 *
 * A number is the 8 bytes of a double, least significant first; booleans have no bytes; descriptors, addresses and handles of directories
 * neither: they travel beside the packet, in the order in which they are named here. Whatever is not
 * exactly that is no message. The other side may be hostile: nothing here trusts a length.
 */

import { decodeBytes, decodeName, encodeBytes } from '../runtime/bytes.ts';

/** Members of a table; and so descriptors of a message. */
export const MAX_MEMBERS = 20;
/** Bytes of a string, and of a key. */
export const MAX_BYTES = 255;

const MAGIC = 0x50;
const HEADER = 4;
const MEMBER = 3;
export const MAX_FRAME = HEADER + MAX_MEMBERS * (MEMBER + 2 * MAX_BYTES);

const FALSE = 0;
const TRUE = 1;
const NUMBER = 2;
const STRING = 3;
const DESCRIPTOR = 4;
const ADDRESS = 5;
const DIRECTORY = 6;

/** What has a descriptor: the encoder's caller says what it is, the decoder's makes something of it. */
export type Carried = 'descriptor' | 'address' | 'directory';

const CARRIED: Readonly<Record<Carried, number>> = {
  descriptor: DESCRIPTOR,
  address: ADDRESS,
  directory: DIRECTORY,
};
/** In the order of their kinds. */
const CARRIERS = Object.keys(CARRIED) as Carried[];
export type Scalar = boolean | number | string;

/** `key` is '' in a message that is a single value. */
export interface Member<T> {
  readonly key: string;
  readonly value: Scalar | T;
}

export interface Frame<T> {
  readonly isTable: boolean;
  readonly members: readonly Member<T>[];
}

/** A descriptor of the packet: `index` counts those of the packet from 0. */
export interface Slot {
  readonly carries: Carried;
  readonly index: number;
}

/** A number, and its bytes. */
const number = new Float64Array(1);
const bytesOfNumber = new Uint8Array(number.buffer);

/**
 * @param out  at least MAX_FRAME bytes
 * @returns    the length; or undefined: a limit is exceeded
 */
export function encodeFrame(
  { isTable, members }: Frame<{ readonly carries: Carried }>,
  out: Uint8Array,
): number | undefined {
  if (members.length > MAX_MEMBERS || members.length === 0) return undefined;
  let at = beginFrame(out, isTable, members.length);
  for (const { key, value } of members) {
    if (key.length > MAX_BYTES) return undefined;
    const end =
      typeof value === 'object'
        ? putMember(out, at, key, CARRIED[value.carries])
        : putScalar(out, at, key, value);
    if (end < 0) return undefined;
    at = end;
  }
  return at;
}

/** The same for a message that is a single value, and has no descriptor. */
export function encodeScalar(value: Scalar, out: Uint8Array): number | undefined {
  const end = putScalar(out, beginFrame(out, false, 1), '', value);
  return end < 0 ? undefined : end;
}

function beginFrame(out: Uint8Array, isTable: boolean, count: number): number {
  out[0] = MAGIC;
  out[1] = isTable ? 1 : 0;
  out[2] = count;
  out[3] = 0;
  return HEADER;
}

/** What is before the value of a member. @returns where that begins */
function putMember(out: Uint8Array, at: number, key: string, kind: number): number {
  out[at] = kind;
  out[at + 1] = key.length;
  out[at + 2] = 0;
  encodeBytes(key, out, at + MEMBER);
  return at + MEMBER + key.length;
}

/** @returns the end of the member; negative: a limit is exceeded */
function putScalar(out: Uint8Array, at: number, key: string, value: Scalar): number {
  if (typeof value === 'number') {
    const start = putMember(out, at, key, NUMBER);
    number[0] = value;
    for (let i = 0; i < 8; i++) out[start + i] = bytesOfNumber[i]!;
    out[at + 2] = 8;
    return start + 8;
  }
  if (typeof value === 'boolean') return putMember(out, at, key, value ? TRUE : FALSE);
  if (value.length > MAX_BYTES) return -1;
  const start = putMember(out, at, key, STRING);
  encodeBytes(value, out, start);
  out[at + 2] = value.length;
  return start + value.length;
}

/**
 * @param fds  descriptors that came with the packet
 * @returns    undefined: this is no message
 */
export function decodeFrame(
  bytes: Uint8Array,
  length: number,
  fds: number,
): Frame<Slot> | undefined {
  if (length < HEADER || length > bytes.length || bytes[0] !== MAGIC || bytes[3] !== 0) return;
  const form = bytes[1]!;
  const count = bytes[2]!;
  if (form > 1 || count === 0 || count > MAX_MEMBERS || (form === 0 && count !== 1)) return;
  const members: Member<Slot>[] = [];
  let at = HEADER;
  let slots = 0;
  for (let i = 0; i < count; i++) {
    if (at + MEMBER > length) return;
    const kind = bytes[at]!;
    const keyLength = bytes[at + 1]!;
    const valueLength = bytes[at + 2]!;
    at += MEMBER;
    const start = at + keyLength;
    if (start + valueLength > length) return;
    const key = decodeName(bytes, at, start);
    if (form === 0 ? keyLength > 0 : hasKey(members, key)) return;
    at = start + valueLength;
    switch (kind) {
      case FALSE:
      case TRUE:
        if (valueLength !== 0) return;
        members.push({ key, value: kind === TRUE });
        break;
      case NUMBER:
        if (valueLength !== 8) return;
        members.push({ key, value: numberAt(bytes, start) });
        break;
      case STRING:
        members.push({ key, value: decodeBytes(bytes, start, at) });
        break;
      case DESCRIPTOR:
      case ADDRESS:
      case DIRECTORY: {
        if (valueLength !== 0) return;
        const carries = CARRIERS[kind - DESCRIPTOR]!;
        members.push({ key, value: { carries, index: slots++ } });
        break;
      }
      default:
        return;
    }
  }
  if (at !== length || slots !== fds) return;
  return { isTable: form === 1, members };
}

/**
 * The same for a message that is a single value and came without descriptors.
 * @returns  undefined: this is none
 */
export function decodeScalar(bytes: Uint8Array, length: number): Scalar | undefined {
  const start = HEADER + MEMBER;
  if (length < start || length > bytes.length || bytes[0] !== MAGIC || bytes[3] !== 0) return;
  if (bytes[1] !== 0 || bytes[2] !== 1 || bytes[HEADER + 1] !== 0) return;
  const size = bytes[HEADER + 2]!;
  if (start + size !== length) return;
  switch (bytes[HEADER]) {
    case NUMBER:
      return size === 8 ? numberAt(bytes, start) : undefined;
    case STRING:
      return decodeBytes(bytes, start, length);
    case FALSE:
      return size === 0 ? false : undefined;
    case TRUE:
      return size === 0 ? true : undefined;
  }
  return undefined;
}

/** Keys differ in their length or their first bytes, mostly: a set takes longer, where there are so few. */
function hasKey(members: readonly Member<Slot>[], key: string): boolean {
  for (let i = 0; i < members.length; i++) if (members[i]!.key === key) return true;
  return false;
}

function numberAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) bytesOfNumber[i] = bytes[at + i]!;
  const n = number[0]!;
  return n === n ? n : NaN; // one NaN, whatever its bits
}
