/**
 * Tables with the same names again and again, as messages bring them: such ones are made by code of their own, one
 * assignment for each field.
 *
 * Names come from outside: only those that the program itself has as fields are worth that, and few kinds of tables are known
 * at a time.
 */
import { knownProperty, LuaTable, rawSet, recordMaker } from './table.ts';
import type { LuaValue } from './value.ts';

const MAX_FIELDS = 32;
/** Tables of a kind that are made before there is code for it, which takes as long as a hundred of them. */
const FEW = 64;
const KINDS = 64;

class Kind {
  private readonly names: readonly string[];
  private made = 0;
  private maker: ReturnType<typeof recordMaker> | undefined = undefined;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  has(names: readonly string[], from: number): boolean {
    const own = this.names;
    if (names.length - from !== own.length) return false;
    for (let i = 0; i < own.length; i++) if (own[i] !== names[from + i]) return false;
    return true;
  }

  make(values: readonly LuaValue[], from: number): LuaTable {
    if (this.maker !== undefined) return this.maker(values, from);
    if (++this.made > FEW) this.maker = recordMaker(this.names);
    return fill(this.names, 0, values, from);
  }
}

const kinds: (Kind | undefined)[] = new Array(KINDS).fill(undefined);

/** A table of the names and values that stand in these lists from `from` on. No name comes twice, no value is nil. */
export function recordOf(
  names: readonly string[],
  values: readonly LuaValue[],
  from: number,
): LuaTable {
  const count = names.length - from;
  if (count === 0 || count > MAX_FIELDS) return fill(names, from, values, from);
  const first = names[from]!;
  const slot = (count * 7 + first.length * 31 + (first.length && first.charCodeAt(0))) % KINDS;
  const kind = kinds[slot];
  if (kind?.has(names, from)) return kind.make(values, from);
  for (let i = from; i < names.length; i++)
    if (knownProperty(names[i]!) === undefined) return fill(names, from, values, from);
  kinds[slot] = new Kind(names.slice(from));
  return fill(names, from, values, from);
}

function fill(
  names: readonly string[],
  firstName: number,
  values: readonly LuaValue[],
  from: number,
): LuaTable {
  const t = new LuaTable();
  for (let i = firstName; i < names.length; i++) rawSet(t, names[i]!, values[from + i - firstName]);
  return t;
}
