/** Metatables: where each type keeps its own, and looking up an event. Lua 5.1 manual §2.8. */
import { state } from './state.ts';
import { LuaTable, property, rawGetString, setWeakness } from './table.ts';
import { type LuaValue, Userdata } from './value.ts';

export type Event =
  | '__index'
  | '__newindex'
  | '__call'
  | '__add'
  | '__sub'
  | '__mul'
  | '__div'
  | '__mod'
  | '__pow'
  | '__unm'
  | '__concat'
  | '__len'
  | '__eq'
  | '__lt'
  | '__le'
  | '__tostring'
  | '__metatable'
  | '__mode'
  | '__gc'
  | '__pairs'
  | '__ipairs'
  | '__name'
  | '__tojson';

for (const event of [
  '__index',
  '__newindex',
  '__call',
  '__eq',
  '__lt',
  '__le',
  '__concat',
  '__len',
  '__unm',
  '__add',
  '__sub',
  '__mul',
  '__div',
  '__mod',
  '__pow',
]) {
  property(event);
}

/** A field of a metatable, raw. */
export function metaField(meta: LuaTable, event: Event): LuaValue {
  const v = (meta as unknown as Record<string, LuaValue>)[`$${event}`];
  if (v !== undefined || meta.hash === undefined) return v;
  return rawGetString(meta, event);
}

/** A userdata with a metatable that Lua can fill: what `newproxy` makes. Others have a `luaType` only. */
export class ProxyUserdata extends Userdata {
  readonly meta: LuaTable | undefined;
  constructor(meta: LuaTable | undefined) {
    super();
    this.meta = meta;
  }
}

export function metatableOf(v: LuaValue): LuaTable | undefined {
  if (v instanceof LuaTable || v instanceof ProxyUserdata) return v.meta;
  return typeof v === 'string' ? state.stringMeta : undefined;
}

export function metamethod(v: LuaValue, event: Event): LuaValue {
  const meta = metatableOf(v);
  return meta === undefined ? undefined : metaField(meta, event);
}

// Emitted code looks for `s:name` as it does for a table's: in `meta.$__index`. V8 inlines this getter.
Object.defineProperty(String.prototype, 'meta', {
  get(): LuaTable | undefined {
    return state.stringMeta;
  },
});

/** `setmetatable`, without its checks. */
export function setMetatable(t: LuaTable, meta: LuaTable | undefined): void {
  t.meta = meta;
  const mode = meta === undefined ? undefined : metaField(meta, '__mode');
  if (typeof mode === 'string') setWeakness(t, mode.includes('k'), mode.includes('v'));
}
