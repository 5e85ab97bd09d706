/** Argument checkers: they word a mistake as LuaJIT does, and narrow each value once. */
import { type CallInfo, callInfo, errorOfCall, typeName } from './error.ts';
import { codeError } from './error-code.ts';
import { formatNumber, parseNumber } from './number.ts';
import { LuaTable } from './table.ts';
import type { LuaFunction, LuaValue } from './value.ts';

/**
 * `bad argument #1 to 'rep' (message)`. The function is named as its caller does, which is LuaJIT's way.
 * @param fn  its own name, for callers that have none (LuaJIT says `?`): `pcall`, operators
 */
export function argError(position: number, fn: string, message: string): never {
  const info = callInfo();
  throw errorOfCall(info, wording(info, position, fn, message));
}

function wording(
  { name, isMethod }: CallInfo,
  position: number,
  fn: string,
  message: string,
): string {
  if (isMethod && position === 1) return `calling '${name}' on bad self (${message})`;
  return `bad argument #${isMethod ? position - 1 : position} to '${name ?? fn}' (${message})`;
}

/** `… (number expected, got nil)`, or `no value` for an argument that is not there. */
export function argTypeError(v: LuaValue, position: number, fn: string, expected: string): never {
  const info = callInfo();
  const missing = v === undefined && (info.count === undefined || info.count < position);
  const message = `${expected} expected, got ${missing ? 'no value' : typeName(v)}`;
  throw errorOfCall(info, wording(info, position, fn, message));
}

/** A number, or a string that reads as one. */
export function checkNumber(v: LuaValue, position: number, fn: string): number {
  if (typeof v === 'number') return v;
  if (typeof v === 'string') {
    const n = parseNumber(v);
    if (n !== undefined) return n;
  }
  return argTypeError(v, position, fn, 'number');
}

/** A number, cut to an integer. */
export function checkInteger(v: LuaValue, position: number, fn: string): number {
  if (typeof v === 'number' && (v | 0) === v) return v;
  return cutToInteger(checkNumber(v, position, fn));
}

function cutToInteger(n: number): number {
  // NaN becomes what x86-64 makes of it.
  return Number.isFinite(n) ? Math.trunc(n) : n !== n ? -(2 ** 31) : n;
}

/** A number, cut to an integer, within what the one who gets it can take. EINVAL{arg}: it isn't, or is NaN */
export function checkIntegerIn(
  v: LuaValue,
  position: number,
  fn: string,
  least: number,
  most: number,
): number {
  const n = Math.trunc(checkNumber(v, position, fn)) + 0; // and no -0
  if (!(n >= least && n <= most)) throw codeError('EINVAL', { arg: position });
  return n;
}

/** C's `int`. EINVAL{arg} */
export const checkInt32 = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, -(2 ** 31), 2 ** 31 - 1);

/** C's `unsigned int`, and `mode_t`. EINVAL{arg} */
export const checkUint32 = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, 0, 2 ** 32 - 1);

/** Those bits of an integer that count. EINVAL{arg}: NaN, or beyond ±2^53 */
export const checkBits = (v: LuaValue, position: number, fn: string, mask: number): number =>
  checkIntegerIn(v, position, fn, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) & mask;

/** The number below 2^63 that is nearest to it. */
const MAX_OFFSET = 2 ** 63 - 2 ** 10;

/** C's `off_t`. EINVAL{arg} */
export const checkOffset = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, -MAX_OFFSET, MAX_OFFSET);

/** Seconds from now on. EDOM{arg}: negative, infinite or NaN */
export function checkDuration(v: LuaValue, position: number, fn: string): number {
  const s = checkNumber(v, position, fn);
  if (!Number.isFinite(s) || s < 0) throw codeError('EDOM', { arg: position });
  return s;
}

/** A string; numbers become one. */
export function checkString(v: LuaValue, position: number, fn: string): string {
  if (typeof v === 'string') return v;
  return typeof v === 'number' ? formatNumber(v) : argTypeError(v, position, fn, 'string');
}

/** A string, and no number in its place. */
export function requireString(v: LuaValue, position: number, fn: string): string {
  return typeof v === 'string' ? v : argTypeError(v, position, fn, 'string');
}

export function checkTable(v: LuaValue, position: number, fn: string): LuaTable {
  return v instanceof LuaTable ? v : argTypeError(v, position, fn, 'table');
}

export function checkFunction(v: LuaValue, position: number, fn: string): LuaFunction {
  return typeof v === 'function' ? v : argTypeError(v, position, fn, 'function');
}

export function optNumber(v: LuaValue, position: number, fn: string, otherwise: number): number {
  return v === undefined ? otherwise : checkNumber(v, position, fn);
}
export function optInteger(v: LuaValue, position: number, fn: string, otherwise: number): number {
  return v === undefined ? otherwise : checkInteger(v, position, fn);
}
export function optString(v: LuaValue, position: number, fn: string, otherwise: string): string {
  return v === undefined ? otherwise : checkString(v, position, fn);
}
