/** Metatables: where each type keeps its own, and looking up an event. Lua 5.1 manual §2.8. */
import { type Event, unchain } from './classes.ts';
import { state } from './state.ts';
import { LuaTable, property, rawGetString, setWeakness } from './table.ts';
import { type LuaValue, Userdata } from './value.ts';

export type { Event };

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

type Fields = Record<string, LuaValue>;
type Reader = (meta: Fields) => LuaValue;

/** One function an event: V8 learns at each what metatables come by there. */
const readers: Record<Event, Reader> = {
  __index: (m) => m['$__index'],
  __newindex: (m) => m['$__newindex'],
  __call: (m) => m['$__call'],
  __add: (m) => m['$__add'],
  __sub: (m) => m['$__sub'],
  __mul: (m) => m['$__mul'],
  __div: (m) => m['$__div'],
  __mod: (m) => m['$__mod'],
  __pow: (m) => m['$__pow'],
  __unm: (m) => m['$__unm'],
  __concat: (m) => m['$__concat'],
  __len: (m) => m['$__len'],
  __eq: (m) => m['$__eq'],
  __lt: (m) => m['$__lt'],
  __le: (m) => m['$__le'],
  __tostring: (m) => m['$__tostring'],
  __metatable: (m) => m['$__metatable'],
  __mode: (m) => m['$__mode'],
  __gc: (m) => m['$__gc'],
  __pairs: (m) => m['$__pairs'],
  __ipairs: (m) => m['$__ipairs'],
  __name: (m) => m['$__name'],
  __tojson: (m) => m['$__tojson'],
};

/** A field of a metatable, raw. */
export function metaField(meta: LuaTable, event: Event): LuaValue {
  const v = readers[event](meta as unknown as Fields);
  return v !== undefined || meta.hash === undefined ? v : rawGetString(meta, event);
}

/** `metaField` where it is asked often: the same event always. */
export function metaIndex(meta: LuaTable): LuaValue {
  const v = (meta as unknown as Fields)['$__index'];
  return v !== undefined || meta.hash === undefined ? v : rawGetString(meta, '__index');
}
export function metaNewIndex(meta: LuaTable): LuaValue {
  const v = (meta as unknown as Fields)['$__newindex'];
  return v !== undefined || meta.hash === undefined ? v : rawGetString(meta, '__newindex');
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
  if (t.chained === true) unchain(t);
  t.meta = meta;
  if (meta === undefined) return;
  const mode =
    (meta as unknown as Fields)['$__mode'] ?? (meta.hash && rawGetString(meta, '__mode'));
  if (typeof mode === 'string') setWeakness(t, mode.includes('k'), mode.includes('v'));
}
