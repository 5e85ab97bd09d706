/**
 * Tables of a class, `setmetatable({…}, Class)`, whose JavaScript prototypes are what Lua would look
 * through: the prototype of such a table is its class's *link*, whose prototype is the table
 * `Class.__index`, and so on upwards. So `o.$method` of emitted code finds an inherited method as it finds
 * a field, and V8 knows which it is, and inlines it.
 *
 * That this is what Lua finds, rests on these rules:
 *
 * - A table with such a prototype (`chained`) has no strings in its hash part, and keeps its metatable:
 *   where either changes, it gets the prototype of all tables again.
 * - Only a metatable without `__newindex` and `__mode`, and with a table as `__index`, has a link that
 *   leads anywhere. When one of these fields changes, the link is bent or cut: `metatableChanged`.
 * - A link has all fields that the runtime reads of metatables, as nil: metamethods aren't inherited.
 * - What reads raw asks for own properties: `ownField`.
 *
 * Whatever JavaScript doesn't find is looked for in Lua's way, so a missing link costs time only.
 */
import { EMPTY, LuaTable, type LuaValue, type TableMaker } from './value.ts';

/** Fields of metatables: all that the runtime reads there. */
export const EVENTS = [
  '__index',
  '__newindex',
  '__call',
  '__add',
  '__sub',
  '__mul',
  '__div',
  '__mod',
  '__pow',
  '__unm',
  '__concat',
  '__len',
  '__eq',
  '__lt',
  '__le',
  '__tostring',
  '__metatable',
  '__mode',
  '__gc',
  '__pairs',
  '__ipairs',
  '__name',
  '__tojson',
] as const;
export type Event = (typeof EVENTS)[number];

type Fields = Record<string, LuaValue>;

/** Fields that V8 has room for in an object beyond those that its constructor assigns. */
const ROOM = 8;

/** Assignments that are never made: V8 counts them when it decides how large the objects of a constructor begin. */
export function roomFor(fields: number): string {
  const names = Array.from({ length: Math.max(0, fields - ROOM) }, (_, i) => `this.$${i} = 0;`);
  return `if (false) { ${names.join(' ')} }`;
}

/** Objects of a class begin with room for so many fields, until V8 has seen how many they get. */
const FIELDS_OF_CLASS = 24;

/**
 * How often a metatable must have been used before it gets its maker, which costs as much as some thousand
 * look-ups: at once for the first ones of a process; a program that makes more and more of them pays
 * less and less for each.
 */
const usesBefore = (makers: number): number => (makers < 100 ? 1 : makers < 1000 ? 4 : 64);
let makers = 0;

const links = new WeakMap<LuaTable, object>();

/** The value of a property if it is the table's own. */
export function ownField(t: LuaTable, property: string): LuaValue {
  return Object.hasOwn(t, property) ? (t as unknown as Fields)[property] : undefined;
}

function rawField(t: LuaTable, name: string): LuaValue {
  return t.hash?.getOther(name) ?? ownField(t, `$${name}`);
}

/** What its tables inherit from by JavaScript's rules, or undefined. */
function heritage(meta: LuaTable): LuaTable | undefined {
  const above = rawField(meta, '__index');
  if (!(above instanceof LuaTable) || rawField(meta, '__newindex') !== undefined) return undefined;
  // The table of all globals grows all the time, which is dear for a prototype.
  return ownField(above, '$_G') === above ? undefined : above;
}

/**
 * Its own properties stand in front of those of the class: no metamethod is inherited, and no maker. The
 * first four are what a table of the class has as long as it has nothing else, and need not keep itself.
 */
const makeLinks = (): (new (meta: LuaTable) => object) =>
  new Function(
    'EMPTY',
    `return function Link(meta) {
      this.arr = EMPTY; this.hash = undefined; this.meta = meta; this.named = true;
      this.chained = true; this.maker = undefined;
      ${EVENTS.map((event) => `this.$${event} = undefined;`).join(' ')} }`,
  )(EMPTY);
/** Compiled with the first class: most programs that have none should not pay for it when they start. */
let Link: ReturnType<typeof makeLinks> | undefined;

/** What is to be the prototype of the tables of a class. */
function linkOf(meta: LuaTable): object {
  let link = links.get(meta);
  if (link === undefined) {
    Link ??= makeLinks();
    link = new Link(meta);
    links.set(meta, link);
    bend(meta, link);
  }
  return link;
}

function bend(meta: LuaTable, link: object): void {
  const above = heritage(meta);
  if (above !== undefined) chain(above);
  try {
    Object.setPrototypeOf(link, above ?? LuaTable.prototype);
  } catch {
    // A class that inherits from itself.
    Object.setPrototypeOf(link, LuaTable.prototype);
  }
}

/** A class that has one above it. */
function chain(t: LuaTable): void {
  const { meta } = t;
  if (meta === undefined || t.chained === true || t.hash !== undefined) return;
  if (heritage(meta) === undefined || rawField(meta, '__mode') !== undefined) return;
  const link = linkOf(meta);
  try {
    Object.setPrototypeOf(t, link);
    t.named = true;
  } catch {
    // It is above itself.
  }
}

/** The table gets another metatable, or a string into its hash part. */
export function unchain(t: LuaTable): void {
  const { arr, hash, meta, named } = t;
  Object.setPrototypeOf(t, LuaTable.prototype);
  t.arr = arr;
  t.hash = hash;
  t.meta = meta;
  t.named = named;
}

const UNDERSCORE = 95;
const WATCHED: ReadonlySet<string> = new Set(['__index', '__newindex', '__mode']);
/** Whether `metatableChanged` is to hear of changes of this field. */
export const isWatched = (name: string): boolean =>
  name.charCodeAt(1) === UNDERSCORE && WATCHED.has(name);

/** A field that `isWatched` has been set, of a table that may be a metatable. */
export function metatableChanged(meta: LuaTable): void {
  const link = links.get(meta);
  if (link !== undefined) bend(meta, link);
  // What the next table with it is made by is to be decided anew.
  if (Object.hasOwn(meta, 'maker')) watch(meta, undefined);
}

/** Not enumerable: what traverses a table takes all that are for its fields. */
function watch(meta: LuaTable, maker: TableMaker | false | undefined): void {
  Object.defineProperty(meta, 'maker', { value: maker, writable: true, configurable: true });
}

/**
 * The constructor of tables with this metatable, which emitted code finds as `meta.maker` the next time;
 * false for what they are to be made as all others and get their metatable then.
 */
export function makerOf(meta: LuaValue): TableMaker | false {
  if (!(meta instanceof LuaTable)) return false;
  if (rawField(meta, '__mode') !== undefined || heritage(meta) === undefined) {
    watch(meta, false);
    return false;
  }
  const needed = usesBefore(makers);
  if (needed > 1) {
    // `named` counts.
    const uses = typeof meta.named === 'number' ? meta.named + 1 : 1;
    meta.named = uses;
    if (uses < needed) return false;
  }
  // Each with a text of its own: of equal ones V8 learns in common.
  const text = `/* class ${++makers} */ return function LuaTable() { ${roomFor(FIELDS_OF_CLASS)} }`;
  const maker = new Function(text)() as TableMaker;
  maker.prototype = linkOf(meta);
  watch(meta, maker);
  return maker;
}
