/** Argument checkers: they word a mistake as LuaJIT does, and narrow each value once. */
import { luaError, typeName } from './error.ts';
import { formatNumber, parseNumber } from './number.ts';
import { LuaTable } from './table.ts';
import type { LuaFunction, LuaValue } from './value.ts';

/** `bad argument #1 to 'rep' (message)`. */
export function argError(position: number, fn: string, message: string): never {
  throw luaError(`bad argument #${position} to '${fn}' (${message})`);
}

/** `… (number expected, got nil)`. A missing argument, too, is called nil: nobody counts them. */
export function argTypeError(v: LuaValue, position: number, fn: string, expected: string): never {
  argError(position, fn, `${expected} expected, got ${typeName(v)}`);
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
  const n = checkNumber(v, position, fn);
  return Number.isFinite(n) ? Math.trunc(n) : n !== n ? 0 : n;
}

/** A string; numbers become one. */
export function checkString(v: LuaValue, position: number, fn: string): string {
  if (typeof v === 'string') return v;
  return typeof v === 'number' ? formatNumber(v) : argTypeError(v, position, fn, 'string');
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
