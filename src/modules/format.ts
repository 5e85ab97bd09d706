/** The global `format`: libfmt's format strings over Lua's values. runtime/fmt.ts has the language. */
import { LuaError, luaStack } from '../runtime/error.ts';
import { badArgument } from '../runtime/error-code.ts';
import { type FmtValue, FormatError, formatValues, parseFormat } from '../runtime/fmt.ts';
import { formatNumber } from '../runtime/number.ts';
import { LuaTable, rawGet, rawLength } from '../runtime/table.ts';
import type { LuaValue } from '../runtime/value.ts';

/** `format(fmt, ...)`: an argument is a boolean, number or string, or `{name, value}`. */
export function format(template: LuaValue, ...args: LuaValue[]): string {
  const text = typeof template === 'number' ? formatNumber(template) : template;
  if (typeof text !== 'string') throw badArgument(1);
  let names: Map<string, number> | undefined;
  args.forEach((arg, i) => {
    if (isValue(arg)) return;
    const name = arg instanceof LuaTable && rawLength(arg) === 2 ? rawGet(arg, 1) : undefined;
    const value = arg instanceof LuaTable ? rawGet(arg, 2) : undefined;
    if (typeof name !== 'string' || !isValue(value)) throw badArgument(i + 2);
    names ??= new Map();
    if (!names.has(name)) names.set(name, i);
    args[i] = value;
  });
  try {
    return formatValues(parseFormat(text), args as FmtValue[], names);
  } catch (fault) {
    // As libfmt words it, without a position.
    throw fault instanceof FormatError ? new LuaError(fault.message, luaStack()) : fault;
  }
}

function isValue(v: LuaValue): v is FmtValue {
  return typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean';
}
