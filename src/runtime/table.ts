/**
 * Lua tables. A value lives in exactly one of three places:
 *
 * - `arr`: elements 1..n; `arr[0]` is unused, so that index k is `arr[k]`. The last element is never
 *   nil (so `#t` is O(1)); ones in between may be. `arr` is `EMPTY` until there is an element.
 * - named fields: own properties `$name` of the object itself, made by writes with a constant key, so
 *   that V8's hidden classes serve Lua's objects. A removed field stays as a property with undefined.
 * - `hash`: all other keys, in insertion order.
 *
 * Emitted code reads `t.$name` and `t.arr[k]` itself and calls in here when it gets undefined.
 * Traversal: array, then fields, then hash; each in a stable order while nothing is inserted.
 */
import { EMPTY, type HashPart, LuaTable, type LuaValue } from './value.ts';

export { LuaTable } from './value.ts';

/** A table as seen by code that builds property names. */
type Fields = Record<string, LuaValue>;

// ── object sizes ───────────────────────────────────────────────────────────────────────────────────

/**
 * Constructors that differ only in how many fields V8 keeps inside the object. V8 fixes an instance
 * size from what the first few objects of a constructor used, so each is shown that here.
 */
function sized(fields: number): new () => LuaTable {
  const make = new Function(
    'EMPTY',
    `return function LuaTable() {
      this.arr = EMPTY; this.hash = undefined; this.meta = undefined; this.named = false;
    }`,
  )(EMPTY) as new () => LuaTable;
  make.prototype = LuaTable.prototype;
  for (let i = 0; i < 16; i++) {
    const t = new make() as unknown as Fields;
    for (let f = 0; f < fields; f++) t[`$ ${f}`] = undefined;
  }
  return make;
}

const sizes = [2, 4, 8, 16, 32] as const;
const makers = new Map(sizes.map((n) => [n, sized(n)]));

/** The constructor for tables that start with `fields` named fields. */
export function tableMaker(fields: number): new () => LuaTable {
  return makers.get(sizes.find((n) => n >= fields) ?? 32)!;
}
/** Slots of the bucket that `tableMaker` picks: part of the names of emitted code. */
export function tableBucket(fields: number): number {
  return sizes.find((n) => n >= fields) ?? 32;
}

// ── hash part ──────────────────────────────────────────────────────────────────────────────────────

/** Keys and values in two arrays, in insertion order; a Map finds the position of a key. */
export class Hash implements HashPart {
  map = new Map<LuaValue, number>();
  keys: LuaValue[] = [];
  vals: LuaValue[] = [];
  /** Entries whose value is not nil. */
  live = 0;
  /** Those of them that could be elements of an array. */
  numbers = 0;
  /** When there are so many, see whether an array can hold them. */
  private checkAt = 4;

  get(key: LuaValue): LuaValue {
    const i = this.map.get(key);
    return i === undefined ? undefined : this.vals[i];
  }

  /** Change the value of a key that is there; false when it isn't. */
  update(key: LuaValue, value: LuaValue): boolean {
    const i = this.map.get(key);
    if (i === undefined) return false;
    const { vals } = this;
    if ((value === undefined) !== (vals[i] === undefined)) {
      const change = value === undefined ? -1 : 1;
      this.live += change;
      if (isElement(key)) this.numbers += change;
    }
    vals[i] = value;
    return true;
  }

  /** Add a key that is not there, with a value that is not nil. */
  insert(key: LuaValue, value: LuaValue): void {
    if (this.keys.length > 2 * this.live + 16) this.compact();
    if (isElement(key)) this.numbers++;
    this.map.set(key, this.keys.length);
    this.keys.push(key === 0 ? 0 : key); // -0 is the key 0
    this.vals.push(value);
    this.live++;
  }

  private compact(): void {
    const { keys, vals } = this;
    const map = new Map<LuaValue, number>();
    const newKeys: LuaValue[] = [];
    const newVals: LuaValue[] = [];
    let numbers = 0;
    for (let i = 0; i < keys.length; i++) {
      if (vals[i] === undefined) continue;
      if (isElement(keys[i])) numbers++;
      map.set(keys[i], newKeys.length);
      newKeys.push(keys[i]);
      newVals.push(vals[i]);
    }
    this.map = map;
    this.keys = newKeys;
    this.vals = newVals;
    this.numbers = numbers;
    this.live = newKeys.length;
  }

  /**
   * The largest n such that more than half of 1..n would be used if they were elements: Lua's rule for
   * the size of an array (ltable.c, computesizes). 0 when it is not time to ask, or nothing would move.
   * @param used  elements that the array has already, from 1 on without a gap
   */
  arraySize(used: number): number {
    if (this.numbers < this.checkAt) return 0;
    this.checkAt = this.numbers * 2;
    // slots[i]: keys k with 2^(i-1) < k <= 2^i.
    const slots = new Array<number>(32).fill(0);
    const { keys, vals } = this;
    let candidates = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (vals[i] === undefined || !isElement(key) || key > 0x7fffffff) continue;
      candidates++;
      slots[32 - Math.clz32(key - 1)]!++;
    }
    if (candidates === 0) return 0;
    let size = 0;
    let below = 0;
    for (let i = 0; i < 31; i++) {
      below += slots[i]!;
      const n = 2 ** i;
      if (below + Math.min(used, n) > n / 2) size = n;
    }
    return size > used ? size : 0;
  }

  /** The values of the keys from `first` to `last`, which go; where there is none, undefined. */
  takeElements(first: number, last: number): LuaValue[] {
    const taken: LuaValue[] = [];
    for (let key = first; key <= last; key++) {
      const value = this.get(key);
      taken.push(value);
      if (value !== undefined) this.update(key, undefined);
    }
    this.compact();
    this.checkAt = Math.max(4, this.numbers * 2);
    return taken;
  }

  /** Position of the first live entry at or after `i`, or -1. */
  nextLive(i: number): number {
    const { vals } = this;
    for (; i < vals.length; i++) if (vals[i] !== undefined) return i;
    return -1;
  }
  position(key: LuaValue): number {
    return this.map.get(key) ?? -1;
  }
  keyAt(i: number): LuaValue {
    return this.keys[i];
  }
  valueAt(i: number): LuaValue {
    return this.vals[i];
  }
}

/** A positive integer. */
const isElement = (key: LuaValue): key is number =>
  typeof key === 'number' && key > 0 && Number.isInteger(key);

type Collectable = object;
const isCollectable = (v: LuaValue): v is Extract<LuaValue, Collectable> =>
  (typeof v === 'object' && v !== null) || typeof v === 'function';

/**
 * The hash part of a weak table; all its keys live here. An entry goes when its weak key or value has
 * been collected. Ephemerons: a WeakMap holds the values of weak keys, so a value that refers to its
 * own key keeps nothing alive. Strings, numbers and booleans are values, not objects: never removed.
 */
/** A program that reads weak tables again and again may be waiting for a collection: see modules/base/collector.ts. */
export const weakReads = { count: 0, poll: (): void => {} };

export class WeakHash implements HashPart {
  readonly weakKeys: boolean;
  readonly weakValues: boolean;
  readonly numbers = 1;
  /** Key (or a WeakRef to it) of each entry, in order. */
  private entries: {
    key: LuaValue | WeakRef<Collectable>;
    strong: LuaValue | WeakRef<Collectable>;
  }[] = [];
  private plain = new Map<LuaValue, (typeof this.entries)[number]>();
  private objects = new WeakMap<Collectable, (typeof this.entries)[number]>();
  /** Values of weak keys: reachable only through the key. */
  private ephemeral = new WeakMap<Collectable, LuaValue | WeakRef<Collectable>>();
  private sweepAt = 64;

  constructor(weakKeys: boolean, weakValues: boolean) {
    this.weakKeys = weakKeys;
    this.weakValues = weakValues;
  }

  private find(key: LuaValue): (typeof this.entries)[number] | undefined {
    return this.weakKeys && isCollectable(key) ? this.objects.get(key) : this.plain.get(key);
  }

  private load(entry: (typeof this.entries)[number], key: LuaValue): LuaValue {
    const held = this.weakKeys && isCollectable(key) ? this.ephemeral.get(key) : entry.strong;
    return held instanceof WeakRef ? (held.deref() as LuaValue) : held;
  }

  private store(entry: (typeof this.entries)[number], key: LuaValue, value: LuaValue): void {
    const held = this.weakValues && isCollectable(value) ? new WeakRef<Collectable>(value) : value;
    if (this.weakKeys && isCollectable(key)) this.ephemeral.set(key, held);
    else entry.strong = held;
  }

  get(key: LuaValue): LuaValue {
    if ((++weakReads.count & 0xffff) === 0) weakReads.poll();
    const entry = this.find(key);
    return entry === undefined ? undefined : this.load(entry, key);
  }

  update(key: LuaValue, value: LuaValue): boolean {
    const entry = this.find(key);
    if (entry === undefined) return false;
    this.store(entry, key, value);
    return true;
  }

  insert(key: LuaValue, value: LuaValue): void {
    if (this.entries.length >= this.sweepAt) this.sweep();
    if (key === 0) key = 0;
    const weak = this.weakKeys && isCollectable(key);
    const entry = {
      key: weak ? new WeakRef<Collectable>(key as Collectable) : key,
      strong: undefined,
    };
    if (weak) this.objects.set(key as Collectable, entry);
    else this.plain.set(key, entry);
    this.entries.push(entry);
    this.store(entry, key, value);
  }

  /** Drop what has been collected or removed. */
  private sweep(): void {
    this.entries = this.entries.filter((entry) => {
      const key = entry.key instanceof WeakRef ? (entry.key.deref() as LuaValue) : entry.key;
      if (key !== undefined && this.load(entry, key) !== undefined) return true;
      if (!(entry.key instanceof WeakRef)) this.plain.delete(entry.key);
      else if (key !== undefined) this.objects.delete(key as unknown as Collectable);
      return false;
    });
    this.sweepAt = Math.max(64, this.entries.length * 2);
  }

  nextLive(i: number): number {
    if ((++weakReads.count & 0xffff) === 0) weakReads.poll();
    for (; i < this.entries.length; i++) if (this.valueAt(i) !== undefined) return i;
    return -1;
  }
  position(key: LuaValue): number {
    const entry = this.find(key);
    return entry === undefined ? -1 : this.entries.indexOf(entry);
  }
  keyAt(i: number): LuaValue {
    const { key } = this.entries[i]!;
    return key instanceof WeakRef ? (key.deref() as LuaValue) : key;
  }
  valueAt(i: number): LuaValue {
    const key = this.keyAt(i);
    return key === undefined ? undefined : this.load(this.entries[i]!, key);
  }
}

// ── names ──────────────────────────────────────────────────────────────────────────────────────────

/** Names used as constant keys so far, with their property names: only these can be fields. */
const properties = new Map<string, string>();

/** The property of a named field; the name may become a field from now on. */
export function property(name: string): string {
  let p = properties.get(name);
  if (p === undefined) {
    p = `$${name}`;
    properties.set(name, p);
  }
  return p;
}

const fieldNames = new Map<string, string>();
function nameOf(prop: string): string {
  let name = fieldNames.get(prop);
  if (name === undefined) {
    name = prop.slice(1);
    fieldNames.set(prop, name);
  }
  return name;
}

/** Properties that every table has, before its fields. */
const OWN = 4;

/** The own properties of a table in order: fields begin at `OWN`. */
function propertiesOf(t: LuaTable): string[] {
  return t.named ? Object.keys(t) : [];
}

// ── raw access ─────────────────────────────────────────────────────────────────────────────────────

/** `rawget`. Lua 5.1 manual §5.1. */
export function rawGet(t: LuaTable, key: LuaValue): LuaValue {
  if (typeof key === 'string') return rawGetString(t, key);
  const { hash } = t;
  if (typeof key === 'number') {
    const { arr } = t;
    if (key > 0 && key < arr.length) {
      const v = arr[key];
      if (v !== undefined) return v;
    }
  }
  return hash === undefined ? undefined : hash.get(key);
}

export function rawGetString(t: LuaTable, key: string): LuaValue {
  const { hash } = t;
  if (hash !== undefined) {
    const v = hash.get(key);
    if (v !== undefined) return v;
  }
  if (!t.named) return undefined;
  const p = properties.get(key);
  return p === undefined ? undefined : (t as unknown as Fields)[p];
}

/** `rawset` of a key that is not nil and not NaN: the caller has checked. */
export function rawSet(t: LuaTable, key: LuaValue, value: LuaValue): void {
  if (typeof key === 'number') return rawSetNumber(t, key, value);
  const { hash } = t;
  if (hash !== undefined && hash.update(key, value)) return;
  if (typeof key === 'string' && t.named) {
    const p = properties.get(key);
    if (p !== undefined && (t as unknown as Fields)[p] !== undefined) {
      (t as unknown as Fields)[p] = value;
      return;
    }
  }
  if (value !== undefined) insert(t, key, value);
}

function insert(t: LuaTable, key: LuaValue, value: LuaValue): void {
  if (t.hash === undefined) t.hash = new Hash();
  t.hash.insert(key, value);
}

export function rawSetNumber(t: LuaTable, key: number, value: LuaValue): void {
  const { arr } = t;
  if (key > 0 && key < arr.length && Number.isInteger(key)) {
    if (value === undefined && key === arr.length - 1) removeLast(t, arr);
    else arr[key] = value;
    return;
  }
  const { hash } = t;
  if (key === arr.length && (hash === undefined || hash.numbers === 0)) {
    if (value !== undefined) append(t, arr, value);
    return;
  }
  if (hash?.update(key, value)) return;
  if (value === undefined) return;
  if (key === arr.length && !(hash instanceof WeakHash)) append(t, arr, value);
  else {
    insert(t, key, value);
    if (t.hash instanceof Hash) moveToArray(t, t.hash);
  }
}

/** Elements that came out of order are in the hash: when there are enough of them, they move. */
function moveToArray(t: LuaTable, hash: Hash): void {
  const used = t.arr.length - 1;
  const size = hash.arraySize(used);
  if (size === 0) return;
  const taken = hash.takeElements(used + 1, size);
  while (taken.length > 0 && taken[taken.length - 1] === undefined) taken.pop();
  if (taken.length === 0) return;
  const arr = used === 0 ? startArray(taken[0]) : t.arr;
  for (let i = used === 0 ? 1 : 0; i < taken.length; i++) arr.push(taken[i]);
  t.arr = arr;
  takeFollowing(t, arr);
}

function removeLast(t: LuaTable, arr: LuaValue[]): void {
  arr.pop();
  while (arr.length > 1 && arr[arr.length - 1] === undefined) arr.pop();
  // Not EMPTY again: `nextEntry` sees that there have been elements.
}

/**
 * Arrays that begin with a number have a hidden class of their own, though they are arrays like all
 * others. Where V8 sees arrays of doubles and arrays of objects come by at one place, it makes all of
 * them arrays of objects, and every double in them an object: unless their classes are not related.
 */
function NumberArray(): void {}
NumberArray.prototype = Array.prototype;

/** The array part of a table that gets its first element. */
function startArray(value: LuaValue): LuaValue[] {
  if (typeof value !== 'number') return [0, value];
  const arr = Reflect.construct(Array, [], NumberArray) as LuaValue[];
  arr.push(0);
  arr.push(value);
  return arr;
}

/** Add element `#t + 1`, which is not in the hash, and what follows it there. */
function append(t: LuaTable, arr: LuaValue[], value: LuaValue): void {
  if (arr === EMPTY) t.arr = arr = startArray(value);
  else {
    // A queue leaves nils behind at its front: when most of the array is nil, it becomes a hash.
    if ((arr.length & (arr.length - 1)) === 0 && arr.length >= 64 && mostlyNil(arr)) {
      moveToHash(t, arr);
      insert(t, arr.length, value);
      return;
    }
    arr.push(value);
  }
  takeFollowing(t, arr);
}

/** What follows the last element may be in the hash. */
function takeFollowing(t: LuaTable, arr: LuaValue[]): void {
  const { hash } = t;
  if (hash === undefined || hash.numbers === 0) return;
  for (;;) {
    const next = hash.get(arr.length);
    if (next === undefined) break;
    hash.update(arr.length, undefined);
    arr.push(next);
  }
}

function mostlyNil(arr: LuaValue[]): boolean {
  let nils = 0;
  for (let i = 1; i < arr.length; i++) if (arr[i] === undefined) nils++;
  return nils > arr.length / 2;
}

function moveToHash(t: LuaTable, arr: LuaValue[]): void {
  t.arr = EMPTY;
  for (let i = 1; i < arr.length; i++) if (arr[i] !== undefined) insert(t, i, arr[i]);
}

/** `#t`: a border. Lua 5.1 manual §2.5.5. */
export function rawLength(t: LuaTable): number {
  const n = t.arr.length - 1;
  const { hash } = t;
  if (hash === undefined || hash.numbers === 0 || hash.get(n + 1) === undefined) return n;
  let low = n + 1;
  let high = low * 2;
  while (hash.get(high) !== undefined) {
    low = high;
    high *= 2;
    if (high > 2 ** 52) break;
  }
  while (high - low > 1) {
    const mid = Math.floor((low + high) / 2);
    if (hash.get(mid) === undefined) high = mid;
    else low = mid;
  }
  return low;
}

/** Set a named field without metamethods: how the runtime fills its own tables. */
export function setField(t: LuaTable, name: string, value: LuaValue): void {
  const p = property(name);
  const { hash } = t;
  if (hash !== undefined && (hash instanceof WeakHash || hash.get(name) !== undefined)) {
    rawSet(t, name, value);
    return;
  }
  if (value === undefined && (t as unknown as Fields)[p] === undefined) return;
  t.named = true;
  (t as unknown as Fields)[p] = value;
}

/** A table with these named fields. */
export function tableOf(fields: Record<string, LuaValue>): LuaTable {
  const t = new LuaTable();
  for (const [name, value] of Object.entries(fields)) setField(t, name, value);
  return t;
}

/** A table with these elements; takes over nothing. nil elements make holes. */
export function arrayOf(values: readonly LuaValue[]): LuaTable {
  const t = new LuaTable();
  let n = values.length;
  while (n > 0 && values[n - 1] === undefined) n--;
  if (n === 0) return t;
  const arr: LuaValue[] = [0];
  for (let i = 0; i < n; i++) arr.push(values[i]);
  t.arr = arr;
  return t;
}

/** Add an element to an array that the runtime builds: one without hash part. */
export function pushElement(t: LuaTable, value: LuaValue): void {
  if (t.arr === EMPTY) t.arr = startArray(value);
  else t.arr.push(value);
}

/**
 * What makes tables with these fields, from values that stand one after the other in a list: one
 * assignment a field, each with an inline cache of its own.
 */
export function recordMaker(
  names: readonly string[],
): (values: readonly LuaValue[], from: number) => LuaTable {
  const assign = names.map(
    (name, i) => `t[${JSON.stringify(property(name))}] = values[from + ${i}];`,
  );
  const text = `return (values, from) => { const t = new Table(); t.named = true; ${assign.join(' ')} return t; }`;
  return new Function('Table', text)(tableMaker(names.length));
}

/** A table over this array, whose element 0 is unused: `{a, b}` is `fromArray([0, a, b])`. */
export function fromArray(arr: LuaValue[]): LuaTable {
  const t = new LuaTable();
  while (arr.length > 1 && arr[arr.length - 1] === undefined) arr.pop();
  if (arr.length > 1) t.arr = arr;
  return t;
}

// ── traversal ──────────────────────────────────────────────────────────────────────────────────────

/** The last position in the fields of a table: `next` comes back with the key that it gave. */
const cursor: { table: LuaTable | undefined; fields: string[]; at: number } = {
  table: undefined,
  fields: [],
  at: 0,
};

/**
 * `next`: the entry after `key`, as [key, value], or undefined at the end.
 * @throws RangeError when there is no such key (`invalid key to 'next'`)
 */
export function nextEntry(t: LuaTable, key: LuaValue): [LuaValue, LuaValue] | undefined {
  const { arr } = t;
  let i = 1;
  if (key !== undefined) {
    if (typeof key === 'number' && key >= 1 && key < arr.length && Number.isInteger(key))
      i = key + 1;
    else i = arr.length;
  }
  for (; i < arr.length; i++) if (arr[i] !== undefined) return [i, arr[i]];
  const inArray =
    key === undefined ||
    (typeof key === 'number' && key >= 1 && key < arr.length && Number.isInteger(key));
  if (inArray) return nextField(t, propertiesOf(t), OWN);
  const { hash } = t;
  if (hash !== undefined) {
    const at = hash.position(key);
    if (at >= 0) return nextHash(hash, at + 1);
  }
  if (typeof key === 'string' && t.named) {
    const p = property(key);
    if (cursor.table === t && cursor.fields[cursor.at] === p)
      return nextField(t, cursor.fields, cursor.at + 1);
    const fields = propertiesOf(t);
    const at = fields.indexOf(p, OWN);
    if (at >= 0) return nextField(t, fields, at + 1);
  }
  // A removed last element of the array has left it while the traversal stood on it.
  if (typeof key === 'number' && key >= 1 && Number.isInteger(key) && arr !== EMPTY)
    return nextField(t, propertiesOf(t), OWN);
  throw new RangeError("invalid key to 'next'");
}

function nextField(t: LuaTable, fields: string[], from: number): [LuaValue, LuaValue] | undefined {
  for (let i = from; i < fields.length; i++) {
    const v = (t as unknown as Fields)[fields[i]!];
    if (v === undefined) continue;
    cursor.table = t;
    cursor.fields = fields;
    cursor.at = i;
    return [nameOf(fields[i]!), v];
  }
  if (cursor.table === t) cursor.table = undefined;
  return t.hash === undefined ? undefined : nextHash(t.hash, 0);
}

function nextHash(hash: HashPart, from: number): [LuaValue, LuaValue] | undefined {
  const i = hash.nextLive(from);
  return i < 0 ? undefined : [hash.keyAt(i), hash.valueAt(i)];
}

/** A traversal that keeps its place: what `for … in pairs(t)` becomes. */
export class TableIterator {
  key: LuaValue = undefined;
  value: LuaValue = undefined;
  private readonly t: LuaTable;
  private stage = 0;
  private i = 1;
  private fields: string[] = [];

  constructor(t: LuaTable) {
    this.t = t;
  }

  /** Go to the next entry; false at the end. */
  step(): boolean {
    const { t } = this;
    if (this.stage === 0) {
      const { arr } = t;
      for (let { i } = this; i < arr.length; i++) {
        const v = arr[i];
        if (v === undefined) continue;
        this.key = i;
        this.value = v;
        this.i = i + 1;
        return true;
      }
      this.stage = 1;
      this.i = OWN;
      if (t.named) this.fields = propertiesOf(t);
    }
    if (this.stage === 1) {
      const { fields } = this;
      for (let { i } = this; i < fields.length; i++) {
        const v = (t as unknown as Fields)[fields[i]!];
        if (v === undefined) continue;
        this.key = nameOf(fields[i]!);
        this.value = v;
        this.i = i + 1;
        return true;
      }
      this.stage = 2;
      this.i = 0;
    }
    const { hash } = t;
    if (hash === undefined) return false;
    const i = hash.nextLive(this.i);
    if (i < 0) return false;
    this.key = hash.keyAt(i);
    this.value = hash.valueAt(i);
    this.i = i + 1;
    return true;
  }
}

/** Every entry, for the runtime's own use. */
export function* entries(t: LuaTable): Generator<[LuaValue, LuaValue]> {
  for (const it = new TableIterator(t); it.step(); ) yield [it.key, it.value];
}

/** Make a table weak, or strong again, as its metatable's `__mode` says. Lua 5.1 manual §2.10.2. */
export function setWeakness(t: LuaTable, weakKeys: boolean, weakValues: boolean): void {
  const now = t.hash instanceof WeakHash ? t.hash : undefined;
  if ((now?.weakKeys ?? false) === weakKeys && (now?.weakValues ?? false) === weakValues) return;
  const all = [...entries(t)];
  for (const p of propertiesOf(t).slice(OWN)) (t as unknown as Fields)[p] = undefined;
  t.arr = EMPTY;
  t.hash = weakKeys || weakValues ? new WeakHash(weakKeys, weakValues) : undefined;
  for (const [k, v] of all) rawSet(t, k, v);
}
