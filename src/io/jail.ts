/**
 * The parameters of FreeBSD's jails: from text to the bytes that jail_set(2) takes, and back, as libjail does it (jail(3)).
 * The first half is pure, and tested; the second makes the calls, and nobody has run it.
 */
import { errnoOfFreeBsd, SysError } from '../sys/errno.ts';
import {
  CTLTYPE_INT,
  CTLTYPE_LONG,
  CTLTYPE_S64,
  CTLTYPE_STRING,
  CTLTYPE_STRUCT,
  CTLTYPE_U64,
  CTLTYPE_UINT,
  CTLTYPE_ULONG,
  JP_BOOL,
  JP_JAILSYS,
  JP_NOBOOL,
  jailGet,
  jailParameter,
  jailSet,
  type ParameterKind,
} from '../sys/jail.ts';
import { formatAddress, IpAddress, parseAddress } from './address.ts';

// ── pure ───────────────────────────────────────────────────────────────────────────────────────────

/** Numbers: bytes and sign. long has 64 bits wherever this runs. */
const INTEGERS: Readonly<Record<number, readonly [bytes: number, signed: boolean]>> = {
  [CTLTYPE_INT]: [4, true],
  [CTLTYPE_UINT]: [4, false],
  [CTLTYPE_LONG]: [8, true],
  [CTLTYPE_ULONG]: [8, false],
  [CTLTYPE_S64]: [8, true],
  [CTLTYPE_U64]: [8, false],
};
const BOOLEANS = ['false', 'true'];
const MODES = ['disable', 'new', 'inherit'];
const STRUCTURES = [0, 4, 16];

const isBoolean = ({ flags }: ParameterKind): boolean => (flags & (JP_BOOL | JP_NOBOOL)) !== 0;

/** The words that an int may be. */
function wordsOf(kind: ParameterKind): readonly string[] {
  if (kind.type !== CTLTYPE_INT) return [];
  if (isBoolean(kind)) return BOOLEANS;
  return (kind.flags & JP_JAILSYS) !== 0 ? MODES : [];
}

const cString = (text: string): Uint8Array => Uint8Array.from(`${text}\0`, (c) => c.charCodeAt(0));

function importOne(kind: ParameterKind, text: string): Uint8Array | undefined {
  if (kind.type === CTLTYPE_STRUCT) {
    const bytes = text.includes('%') ? undefined : parseAddress(text)?.bytes;
    return bytes?.length === STRUCTURES[kind.structure] ? bytes : undefined;
  }
  const form = INTEGERS[kind.type];
  if (form === undefined) return undefined;
  const [size, signed] = form;
  const word = wordsOf(kind).indexOf(text.toLowerCase());
  // A mode that is named and no more is 'new'; a number that is nothing is 0, as strtol(3) has it.
  const standard = (kind.flags & JP_JAILSYS) !== 0 ? 1n : 0n;
  if (word < 0 && !/^[+-]?[0-9]{1,20}$|^$/.test(text)) return undefined;
  const n = word >= 0 ? BigInt(word) : text === '' ? standard : BigInt(text.replace('+', ''));
  const bits = size * 8;
  if (n !== (signed ? BigInt.asIntN(bits, n) : BigInt.asUintN(bits, n))) return undefined;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, n, true);
  return new Uint8Array(view.buffer, 0, size);
}

/** A parameter's value. @returns undefined: it can't be this */
export function importValue(kind: ParameterKind, text: string): Uint8Array | undefined {
  if (kind.type === CTLTYPE_STRING) return cString(text);
  if (kind.element === 0) return importOne(kind, text);
  if (text === '' || text === '-') return new Uint8Array(0);
  const all = text.split(',').map((one) => importOne(kind, one));
  return all.every((one) => one !== undefined) ? joined(all) : undefined;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function exportOne(kind: ParameterKind, bytes: Uint8Array): string {
  if (kind.type === CTLTYPE_STRUCT) return formatAddress(new IpAddress(bytes.slice()));
  const signed = INTEGERS[kind.type]?.[1] ?? false;
  const padded = new DataView(new ArrayBuffer(8));
  bytes.forEach((byte, i) => {
    padded.setUint8(i, byte);
  });
  const bits = bytes.length * 8;
  const n = padded.getBigUint64(0, true);
  const value = signed ? BigInt.asIntN(bits, n) : n;
  return wordsOf(kind)[Number(value)] ?? String(value);
}

/** What `importValue` reads; several values have commas between them. */
export function exportValue(kind: ParameterKind, bytes: Uint8Array): string {
  if (kind.type === CTLTYPE_STRING) return textOf(bytes);
  const size = kind.element === 0 ? Math.max(bytes.length, 1) : kind.element;
  const all: string[] = [];
  for (let at = 0; at + size <= bytes.length; at += size)
    all.push(exportOne(kind, bytes.subarray(at, at + size)));
  return all.join(',');
}

/** To the first zero. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** 'persist' -> 'nopersist', 'allow.mount' -> 'allow.nomount'; and, of one that is a 'no', back. */
export function negated(name: string, isNo: boolean): string {
  const last = name.lastIndexOf('.') + 1;
  return name.slice(0, last) + (isNo ? name.slice(last + 2) : `no${name.slice(last)}`);
}

/** A name, and its value: bytes, or as many zeros for the kernel to write to. */
export type Entry = readonly [name: string, value: Uint8Array | number];

export interface Marshalled {
  /** All names, each with its NUL, and values in turn */
  readonly bytes: Uint8Array;
  /** For each, in turn: where it begins, and its length. One of length 0 is NULL, 0 for the kernel */
  readonly parts: Int32Array;
}

export const ERROR_ROOM = 1024;

/** The entries, and behind them the buffer for the kernel's words. jail_set(2) */
export function marshal(entries: readonly Entry[]): Marshalled {
  const pieces: Uint8Array[] = [];
  const parts: number[] = [];
  let at = 0;
  for (const [name, value] of [...entries, ['errmsg', ERROR_ROOM] as const]) {
    for (const piece of [
      cString(name),
      typeof value === 'number' ? new Uint8Array(value) : value,
    ]) {
      pieces.push(piece);
      parts.push(at, piece.length);
      at += piece.length;
    }
  }
  return { bytes: joined(pieces), parts: Int32Array.from(parts) };
}

/** What the kernel has said of an error; '' is nothing. */
export const errorText = ({ bytes }: Marshalled): string =>
  textOf(bytes.subarray(bytes.length - ERROR_ROOM));

/**
 * What jail_set takes for a parameter.
 * @param text  undefined: named without a value
 * @returns undefined: it can't have this value
 */
export function setEntry(
  name: string,
  kind: ParameterKind,
  text: string | undefined,
): Entry | undefined {
  if (isBoolean(kind)) {
    const value = text === undefined ? undefined : importOne(kind, text);
    if (text !== undefined && value === undefined) return undefined;
    const off = value?.every((byte) => byte === 0) === true;
    return [off ? negated(name, (kind.flags & JP_NOBOOL) !== 0) : name, new Uint8Array(0)];
  }
  const value = importValue(kind, text ?? '');
  return value === undefined ? undefined : [name, value];
}

// ── calls ──────────────────────────────────────────────────────────────────────────────────────────

/** `step`: which of libjail's would have failed, and `text` what it was given; or what the kernel said. */
export class JailError extends SysError {
  readonly step: 'jailparam_init' | 'jailparam_import' | 'jail_errmsg';
  readonly text: string;
  constructor(call: string, errno: number, step: JailError['step'], text: string) {
    super(call, errno);
    this.step = step;
    this.text = text;
  }
}

const EINVAL = 22;
const ENOENT = 2;

/** The kernel's, or those of a test. */
export interface JailCalls {
  jailParameter(name: string): ParameterKind;
  jailSet(bytes: Uint8Array, parts: Int32Array, flags: number): number;
  jailGet(bytes: Uint8Array, parts: Int32Array, flags: number): number;
}
const KERNEL: JailCalls = { jailParameter, jailSet, jailGet };

function kindOf(name: string, calls: JailCalls): ParameterKind {
  if (name === 'lastjid') return { type: CTLTYPE_INT, structure: 0, flags: 0, size: 4, element: 0 };
  try {
    return calls.jailParameter(name);
  } catch (error) {
    if (error instanceof SysError)
      throw new JailError(error.syscall, error.errno, 'jailparam_init', name);
    throw error;
  }
}

const wrongValue = (text: string): JailError =>
  new JailError('jailparam_import', EINVAL, 'jailparam_import', text);

function checked(call: string, result: number, given: Marshalled): number {
  if (result >= 0) return result;
  throw new JailError(call, errnoOfFreeBsd(-result), 'jail_errmsg', errorText(given));
}

/**
 * Make or change a jail. @returns its jid
 * @param parameters  undefined: named without a value. @throws JailError
 */
export function setJail(
  parameters: ReadonlyMap<string, string | undefined>,
  flags: number,
  calls = KERNEL,
): number {
  const entries = [...parameters].map(([name, text]) => {
    const entry = setEntry(name, kindOf(name, calls), text);
    if (entry === undefined) throw wrongValue(text ?? '');
    return entry;
  });
  const given = marshal(entries);
  return checked('jail_set', calls.jailSet(given.bytes, given.parts, flags), given);
}

/** More room than was needed when it was asked; and how often. */
const SLOP = 5;
const TRIES = 5;

/**
 * Ask for parameters of the jail that `filter` names, by `lastjid` (the next one), `jid` or `name`.
 * @throws JailError  ENOENT: there is none
 */
export function getJail(
  wanted: readonly string[],
  filter: ReadonlyMap<string, string>,
  flags: number,
  calls = KERNEL,
): { readonly jid: number; readonly values: ReadonlyMap<string, string> } {
  const jidText = filter.get('jid');
  const key = filter.has('lastjid')
    ? 'lastjid'
    : jidText !== undefined && !/^[+-]?0*$/.test(jidText)
      ? 'jid'
      : 'name';
  const keyText = filter.get(key);
  if (keyText === undefined)
    throw new JailError('jail_get', ENOENT, 'jail_errmsg', 'no jail specified');
  const keyValue = importValue(kindOf(key, calls), keyText);
  if (keyValue === undefined) throw wrongValue(keyText);
  const names = [...new Set(wanted)].filter((name) => name !== key);
  const kinds = names.map((name) => kindOf(name, calls));
  const lists = names.filter((_, i) => kinds[i]!.element > 0);
  for (let tries = 1; ; tries++) {
    const sizes = kinds.map(({ size }) => size);
    if (lists.length > 0) {
      // How much there is.
      const query = marshal([...lists.map((name): Entry => [name, 0]), [key, keyValue]]);
      checked('jail_get', calls.jailGet(query.bytes, query.parts, flags), query);
      for (const [i, name] of lists.entries()) {
        const which = names.indexOf(name);
        sizes[which] = query.parts[4 * i + 3]! + SLOP * kinds[which]!.element;
      }
    }
    const given = marshal([...names.map((name, i): Entry => [name, sizes[i]!]), [key, keyValue]]);
    const jid = calls.jailGet(given.bytes, given.parts, flags);
    // It has more of them meanwhile.
    if (jid === -EINVAL && tries < TRIES && errorText(given) === '' && lists.length > 0) continue;
    checked('jail_get', jid, given);
    const values = new Map<string, string>([[key, keyText]]);
    names.forEach((name, i) => {
      const [at, length] = [given.parts[4 * i + 2]!, given.parts[4 * i + 3]!];
      values.set(name, exportValue(kinds[i]!, given.bytes.subarray(at, at + length)));
    });
    return { jid, values };
  }
}
