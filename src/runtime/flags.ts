/** Flags of calls: lists of names, or integers combined with `bit.bor`. */
import { badArgument } from './error-code.ts';
import { LuaTable, rawGet, rawLength } from './table.ts';
import type { LuaValue } from './value.ts';

/** @returns 0 for nil. EINVAL{arg} for what is none of these, or has other flags than these */
export function checkFlags(
  v: LuaValue,
  names: Readonly<Record<string, number>>,
  position: number,
): number {
  if (v === undefined) return 0;
  if (typeof v === 'number') {
    const all = Object.values(names).reduce((sum, flag) => sum | flag, 0);
    if ((v & ~all) !== 0 || (v | 0) !== v) throw badArgument(position);
    return v;
  }
  if (!(v instanceof LuaTable)) throw badArgument(position);
  return namedFlags(v, names, position);
}

/** A list of names. EINVAL{arg} for one that is not among these */
export function namedFlags(
  list: LuaTable,
  names: Readonly<Record<string, number>>,
  position: number | string,
): number {
  let flags = 0;
  for (let i = 1; i <= rawLength(list); i++) {
    const name = rawGet(list, i);
    if (typeof name !== 'string' || !Object.hasOwn(names, name)) throw badArgument(position);
    flags |= names[name]!;
  }
  return flags;
}
