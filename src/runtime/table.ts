/**
 * Lua tables. A value lives in exactly one of three places:
 *
 * - `arr`: elements 1..n, index k at `arr[k]`; `arr[0]` is element 0, or NO_ZERO. The last element is
 *   never nil (so `#t` is O(1)); ones in between may be. `arr` is `EMPTY` until there is an element.
 * - named fields: own properties `$name` of the object itself, made by writes with a constant key, so
 *   that V8's hidden classes serve Lua's objects. A removed field stays as a property with undefined.
 * - `hash`: all other keys, numbers first, each kind in insertion order.
 *
 * Emitted code reads `t.$name` and `t.arr[k]` itself and calls in here when it gets undefined.
 * Traversal: array, then fields, then hash; each in a stable order while nothing is inserted.
 */
import { apart } from './apart.ts';
import { isWatched, metatableChanged, ownField, roomFor, unchain } from './classes.ts';
import { EMPTY, type HashPart, LuaTable, type LuaValue, NO_ZERO, varyFields } from './value.ts';

export { LuaTable } from './value.ts';

/** A table as seen by code that builds property names. */
type Fields = Record<string, LuaValue>;

// ── hash part ──────────────────────────────────────────────────────────────────────────────────────

/** Up to so many keys are looked for one by one. */
const FEW_KEYS = 8;
/** Positions of keys that are no numbers begin here; those of numbers, and both lists, at 1. */
const OTHERS = 2 ** 30;

const float = new Float64Array(1);
const words = new Int32Array(float.buffer);

/** A number's bits, well mixed in the low ones. */
function hashNumber(key: number): number {
  let bits = key | 0;
  if (bits !== key) {
    float[0] = key;
    bits = words[0]! ^ Math.imul(words[1]!, 0x85ebca6b);
  }
  bits = Math.imul(bits, 0x9e3779b1);
  return bits ^ (bits >>> 15);
}

/** Of the characters of a longer string so many are looked at. */
const SAMPLES = 32;

/**
 * A string's hash. Most strings that a program looks up have just been made: for a short one this loop
 * costs half of what V8 takes to compute its own hash, for which it leaves compiled code. For sets of keys that
 * `hashSome` does not tell apart.
 */
function hashString(key: string): number {
  const { length } = key;
  let bits = length;
  const step = length > SAMPLES ? ((length / SAMPLES) | 0) + 1 : 1;
  for (let i = length - 1; i >= 0; i -= step) {
    bits = Math.imul(bits ^ key.charCodeAt(i), 0x01000193);
  }
  return bits ^ (bits >>> 15);
}

/** The same by seven characters, four of them the last ones: half of the time, and enough for most sets of keys. */
function hashSome(key: string): number {
  const { length } = key;
  let bits: number;
  if (length < 4) {
    if (length === 0) return 0;
    bits = Math.imul(length ^ key.charCodeAt(length - 1), 0x01000193);
    if (length > 1) bits = Math.imul(bits ^ key.charCodeAt(0), 0x01000193);
    if (length > 2) bits = Math.imul(bits ^ key.charCodeAt(1), 0x01000193);
  } else {
    bits =
      key.charCodeAt(length - 1) |
      (key.charCodeAt(length - 2) << 8) |
      (key.charCodeAt(length - 3) << 16) |
      (key.charCodeAt(length - 4) << 24);
    bits =
      Math.imul(bits, 0x9e3779b1) ^
      (key.charCodeAt(0) |
        (key.charCodeAt(length >> 1) << 8) |
        (key.charCodeAt(length >> 2) << 16) |
        (length << 24));
    bits = Math.imul(bits, 0x85ebca6b);
  }
  return bits ^ (bits >>> 15);
}

/** What finds strings: `hashSome`; with 1 `hashString`; for keys that neither tells apart V8's hash. */
const SOME = 0;
const V8 = 2;
/** So many strings, and one in eight, may have met another one with their hash: then the next one is taken. */
const MAX_MET = 8;

/** Strings that are further from their place than this have been made to collide: V8's hash is for them. */
const MAX_PROBES = 64;

/** Positions by hash, 0 where none is. */
type Index = Int32Array | number[];
/** An `Int32Array` has its memory outside of V8's heap, which takes ten times as long to make as such a list. */
const SMALL_INDEX = 256;
/** Without holes, for V8: not made by `new Array`. */
const zeros = Array.from({ length: SMALL_INDEX }, () => 0);
const makePlaces = (size: number): Index =>
  size <= SMALL_INDEX ? zeros.slice(0, size) : new Int32Array(size);

/** An empty list for values: V8 would make lists of numbers another kind of array. */
const listOfAny = (): LuaValue[] => [undefined];
/** One for pairs of a key and a value: the first are at 2, so that a key that is nowhere is at 0. */
const listOfPairs = (): LuaValue[] => [undefined, undefined];

/**
 * Keys and values in lists, in the order of insertion, numbers apart from all others, which stand beside
 * their values: whoever has found a key has the value in the same line of the processor's cache. Where there are
 * more than a few, two indexes (open addressing, position 0 is free) find the position of a number and
 * of a string, a Map that of an object. A removed key stays, without a value, until the next insertion
 * that finds too many such.
 */
export class Hash implements HashPart {
  private numKeys: number[] = NO_NUMBERS;
  private numVals: LuaValue[] = EMPTY_LIST;
  private index: Index | undefined = undefined;
  /** A key is at an even place, which is its position, and its value after it. */
  pairs: LuaValue[] = NO_PAIRS;
  /** For each place the position of a string, and its hash. */
  private strings: Index | undefined = undefined;
  /** What the hashes in there are. */
  private kind = SOME;
  /** How often a string has met another one with its hash, as it was added to `strings`. */
  private met = 0;
  /** What has no place in `strings`. */
  private map: Map<LuaValue, number> | undefined = undefined;
  /** Where what was looked for last is: `t[k] = t[k] + 1` looks twice. */
  private lastAt = 0;
  /** Where that is 0: what it was. */
  private missed: LuaValue = undefined;
  /** It was the one after what was looked for before: so may the next be. */
  private inOrder = false;
  /** It has got its value: it will hardly get another one now. */
  private updated = false;
  /** Where the number is that was looked for last. */
  private lastNumber = 0;
  /** Keys with a value: numbers, and others. */
  private liveNumbers = 0;
  private liveOthers = 0;
  /** Those that could be elements of an array. */
  numbers = 0;
  /** When there are so many, see whether an array can hold them. */
  private checkAt = 4;
  /** No number before this position has a value: who takes keys away one by one finds the next soon. */
  private first = 1;

  get(key: LuaValue): LuaValue {
    return typeof key === 'number' ? this.numVals[this.findNumber(key)] : this.getOther(key);
  }
  getNumber(key: number): LuaValue {
    return this.numVals[this.findNumber(key)];
  }
  getOther(key: LuaValue): LuaValue {
    return this.pairs[this.findOther(key) + 1];
  }

  /** The position of a number, or 0. */
  private findNumber(key: number): number {
    const { numKeys, index } = this;
    if (index === undefined) {
      for (let at = 1; at < numKeys.length; at++) if (numKeys[at] === key) return at;
      return 0;
    }
    const next = this.lastNumber + 1;
    if (next < numKeys.length && numKeys[next] === key) return (this.lastNumber = next);
    const mask = index.length - 1;
    for (let slot = hashNumber(key) & mask; ; slot = (slot + 1) & mask) {
      const at = index[slot]!;
      if (at === 0 || numKeys[at] === key) return (this.lastNumber = at);
    }
  }

  /** The position of another key, or 0. */
  private findOther(key: LuaValue): number {
    const { strings } = this;
    return strings === undefined ? this.findAmongFew(key) : Hash.findIndexed(this, strings, key);
  }

  /** Looking there takes ten times as long as a call, and takes V8 long to compile. */
  private static readonly findIndexed = apart(
    'findIndexed',
    'hash, strings, key',
    (hash: Hash, strings: Index, key: LuaValue): number => hash.search(strings, key),
  );

  private search(strings: Index, key: LuaValue): number {
    const next = this.lastAt + 2;
    this.updated = false;
    if (this.inOrder && next < this.pairs.length && this.pairs[next] === key) {
      this.lastAt = next;
      return next;
    }
    const at =
      typeof key !== 'string' || this.kind === V8
        ? (this.map?.get(key) ?? 0)
        : this.findString(strings, key, this.kind === SOME ? hashSome(key) : hashString(key));
    this.lastAt = at;
    this.inOrder = at === next;
    if (at === 0) this.missed = key;
    return at;
  }

  private findAmongFew(key: LuaValue): number {
    const { pairs } = this;
    if (typeof key === 'string') {
      for (let at = 2; at < pairs.length; at += 2) if (pairs[at] === key) return at;
    } else for (let at = 2; at < pairs.length; at += 2) if (pairs[at] === key) return at;
    return 0;
  }

  private findString(strings: Index, key: string, hash: number): number {
    const { pairs } = this;
    const mask = strings.length - 1;
    let place = (hash << 1) & mask;
    for (let probes = 0; probes < MAX_PROBES; probes++) {
      const at = strings[place]!;
      if (at === 0) return 0;
      if (strings[place + 1] === hash && pairs[at] === key) return at;
      place = (place + 2) & mask;
    }
    return this.map?.get(key) ?? 0;
  }

  /** Change the value of a key that is there; false when it isn't. */
  update(key: LuaValue, value: LuaValue): boolean {
    return typeof key === 'number' ? this.updateNumber(key, value) : this.updateOther(key, value);
  }

  updateNumber(key: number, value: LuaValue): boolean {
    const at = this.findNumber(key);
    if (at === 0) return false;
    const { numVals } = this;
    if (value === undefined || numVals[at] === undefined) this.count(key, at, numVals[at], value);
    numVals[at] = value;
    return true;
  }

  /** The value of a number that goes from here to the array: not even its key stays. */
  take(key: number): LuaValue {
    const at = this.findNumber(key);
    const value = this.numVals[at];
    if (value !== undefined) {
      this.updateNumber(key, undefined);
      this.numKeys[at] = Number.NaN;
    }
    return value;
  }

  /** A number gets or loses its value. */
  private count(key: number, at: number, old: LuaValue, value: LuaValue): void {
    if ((old === undefined) === (value === undefined)) return;
    const change = value === undefined ? -1 : 1;
    this.liveNumbers += change;
    if (isElement(key)) this.numbers += change;
    if (at < this.first) this.first = at;
  }

  updateOther(key: LuaValue, value: LuaValue): boolean {
    const { pairs } = this;
    let at = this.lastAt;
    if (this.updated || (at === 0 ? key !== this.missed : pairs[at] !== key))
      at = this.findOther(key);
    if (at === 0) return false;
    this.updated = true;
    if (value === undefined) {
      if (pairs[at + 1] !== undefined) this.liveOthers--;
    } else if (pairs[at + 1] === undefined) this.liveOthers++;
    pairs[at + 1] = value;
    return true;
  }

  /** Add a key that is not there, with a value that is not nil. */
  insert(key: LuaValue, value: LuaValue): void {
    if (typeof key === 'number') this.insertNumber(key, value);
    else this.insertOther(key, value);
  }

  insertNumber(key: number, value: LuaValue): void {
    if (this.numKeys.length > 2 * this.liveNumbers + 16) this.compactNumbers();
    if (this.numKeys === NO_NUMBERS) {
      this.numKeys = [0];
      this.numVals = listOfAny();
    }
    const { numKeys } = this;
    const at = numKeys.length;
    numKeys.push(key === 0 ? 0 : key); // -0 is the key 0
    this.numVals.push(value);
    this.liveNumbers++;
    if (isElement(key)) this.numbers++;
    if (at < this.first) this.first = at;
    const { index } = this;
    if (at > FEW_KEYS && (index === undefined || 2 * at > index.length)) this.makeIndex();
    else if (index !== undefined) addToIndex(index, key, at);
  }

  private makeIndex(): void {
    const { numKeys } = this;
    let size = 32;
    while (size < 2 * numKeys.length) size *= 2;
    const index = makePlaces(size);
    for (let at = 1; at < numKeys.length; at++) addToIndex(index, numKeys[at]!, at);
    this.index = index;
  }

  insertOther(key: LuaValue, value: LuaValue): void {
    if (this.pairs.length > 4 * this.liveOthers + 32) this.compactOthers();
    if (this.pairs === NO_PAIRS) this.pairs = listOfPairs();
    const { pairs } = this;
    const at = pairs.length;
    pairs.push(key, value);
    this.liveOthers++;
    this.lastAt = at;
    const { strings } = this;
    if (strings === undefined ? at > 2 * FEW_KEYS : 2 * at > strings.length && this.kind !== V8)
      this.indexOthers();
    else if (strings !== undefined) {
      this.addOther(strings, key, at);
      if (this.tooManyMet()) this.indexOthers();
    }
  }

  private indexOthers(): void {
    const { pairs } = this;
    let size = 64;
    while (size < 2 * pairs.length) size *= 2;
    // With V8's hash there is nothing in it.
    const strings = makePlaces(this.kind === V8 ? 1 : size);
    this.strings = strings;
    this.map = undefined;
    this.met = 0;
    for (let at = 2; at < pairs.length; at += 2) this.addOther(strings, pairs[at], at);
    if (this.tooManyMet()) this.indexOthers();
  }

  /** Once true, another hash is taken, and it is false until that one meets too often. */
  private tooManyMet(): boolean {
    if (this.kind === V8 || this.met <= MAX_MET + (this.pairs.length >> 4)) return false;
    this.kind++;
    return true;
  }

  private addOther(strings: Index, key: LuaValue, at: number): void {
    if (typeof key === 'string' && this.kind !== V8) {
      const hash = this.kind === SOME ? hashSome(key) : hashString(key);
      const mask = strings.length - 1;
      let place = (hash << 1) & mask;
      for (let probes = 0; probes < MAX_PROBES; probes++) {
        if (strings[place] === 0) {
          strings[place] = at;
          strings[place + 1] = hash;
          return;
        }
        if (strings[place + 1] === hash) this.met++;
        place = (place + 2) & mask;
      }
    }
    this.map ??= new Map();
    this.map.set(key, at);
  }

  private compactNumbers(): void {
    const { numKeys, numVals } = this;
    const newKeys = [0];
    const newVals = listOfAny();
    for (let at = 1; at < numKeys.length; at++) {
      if (numVals[at] === undefined) continue;
      newKeys.push(numKeys[at]!);
      newVals.push(numVals[at]);
    }
    this.numKeys = newKeys;
    this.numVals = newVals;
    this.first = 1;
    this.index = undefined;
    if (newKeys.length > FEW_KEYS) this.makeIndex();
  }

  private compactOthers(): void {
    const { pairs } = this;
    const left = listOfPairs();
    for (let at = 2; at < pairs.length; at += 2) {
      if (pairs[at + 1] !== undefined) left.push(pairs[at], pairs[at + 1]);
    }
    this.pairs = left;
    this.lastAt = 0;
    this.missed = undefined;
    this.strings = undefined;
    this.map = undefined;
    if (left.length > 2 * FEW_KEYS + 2) this.indexOthers();
  }

  /**
   * The largest n such that more than half of 1..n would be used if they were elements: Lua's rule for
   * the size of an array (ltable.c, computesizes). 0 when it is not time to ask, or nothing would move.
   * @param arr  the array part, which may have nils in it
   */
  arraySize(arr: readonly LuaValue[]): number {
    if (this.numbers < this.checkAt) return 0;
    this.checkAt = this.numbers * 2;
    // slots[i]: keys k with 2^(i-1) < k <= 2^i.
    const slots = new Array<number>(32).fill(0);
    const { numKeys, numVals } = this;
    let candidates = 0;
    for (let at = 1; at < numKeys.length; at++) {
      const key = numKeys[at]!;
      if (numVals[at] === undefined || !isElement(key) || key > 0x7fffffff) continue;
      candidates++;
      slots[32 - Math.clz32(key - 1)]!++;
    }
    if (candidates === 0) return 0;
    const used = arr.length - 1;
    const present = elementsIn(arr);
    let size = 0;
    let below = 0;
    for (let i = 0; i < 31; i++) {
      below += slots[i]!;
      const n = 2 ** i;
      if (n > used && below > 0 && below + present > n / 2) size = n;
    }
    return size;
  }

  /** Elements up to `last` go from here to the end of the array; where there is none, nil. */
  moveElements(arr: LuaValue[], last: number): void {
    for (let key = arr.length; key <= last; key++) arr.push(this.take(key));
    this.compactNumbers();
    this.checkAt = Math.max(4, this.numbers * 2);
  }

  /** Position of the first live entry at or after `i`, or -1. */
  nextLive(i: number): number {
    if (i < OTHERS) {
      const { numVals, first } = this;
      let at = i <= first ? first : i;
      while (at < numVals.length && numVals[at] === undefined) at++;
      if (i <= first) this.first = at;
      if (at < numVals.length) return at;
      i = OTHERS;
    }
    const { pairs } = this;
    for (let at = (i - OTHERS + 1) & ~1; at < pairs.length; at += 2) {
      if (pairs[at + 1] !== undefined) return at + OTHERS;
    }
    return -1;
  }
  position(key: LuaValue): number {
    const at = typeof key === 'number' ? this.findNumber(key) : this.findOther(key);
    return at === 0 ? -1 : typeof key === 'number' ? at : at + OTHERS;
  }
  keyAt(i: number): LuaValue {
    return i < OTHERS ? this.numKeys[i] : this.pairs[i - OTHERS];
  }
  valueAt(i: number): LuaValue {
    return i < OTHERS ? this.numVals[i] : this.pairs[i - OTHERS + 1];
  }
}

/** Lists that are shared, and never changed: as long as there are no keys of that kind. */
const EMPTY_LIST: LuaValue[] = [undefined];
const NO_PAIRS: LuaValue[] = [undefined, undefined];
const NO_NUMBERS: number[] = [0];
varyFields(new Hash());

function addToIndex(index: Index, key: number, at: number): void {
  const mask = index.length - 1;
  let slot = hashNumber(key) & mask;
  while (index[slot] !== 0) slot = (slot + 1) & mask;
  index[slot] = at;
}

/** So many places of an array say how much of it is nil. */
const PROBES = 64;

/** How many elements of an array part are not nil, about: it may be long, and is asked for with each few insertions. */
function elementsIn(arr: readonly LuaValue[]): number {
  const used = arr.length - 1;
  const step = used <= PROBES ? 1 : used / PROBES;
  let seen = 0;
  let present = 0;
  for (let at = 1; at <= used; at += step, seen++) if (arr[at | 0] !== undefined) present++;
  return seen === 0 ? 0 : Math.floor((present / seen) * used);
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

  getNumber(key: number): LuaValue {
    return this.get(key);
  }
  take(key: number): LuaValue {
    const value = this.get(key);
    if (value !== undefined) this.update(key, undefined);
    return value;
  }
  getOther(key: LuaValue): LuaValue {
    return this.get(key);
  }
  updateNumber(key: number, value: LuaValue): boolean {
    return this.update(key, value);
  }
  updateOther(key: LuaValue, value: LuaValue): boolean {
    return this.update(key, value);
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

  insertOther(key: LuaValue, value: LuaValue): void {
    this.insert(key, value);
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

// ── object sizes ───────────────────────────────────────────────────────────────────────────────────

/**
 * Constructors that differ only in how many fields V8 keeps inside the object. V8 makes the instance size
 * smaller, never larger, by what the first few objects of a constructor used, so each is shown that here.
 */
function sized(fields: number): new () => LuaTable {
  const make = new Function(
    'EMPTY',
    `return function LuaTable() {
      this.arr = EMPTY; this.hash = undefined; this.meta = undefined; this.named = false; ${roomFor(fields)}
    }`,
  )(EMPTY) as new () => LuaTable;
  make.prototype = LuaTable.prototype;
  for (let i = 0; i < 8; i++) {
    const t = new make();
    for (let f = 0; f < fields; f++) (t as unknown as Fields)[`$ ${f}`] = undefined;
    if (i === 0) varyFields(t);
  }
  return make;
}

varyFields(new LuaTable());

/** The constructor of `{}`: 96 bytes, with room for some fields that the compiler has not seen. */
export const emptyTableMaker = sized(5);

const makers: (new () => LuaTable)[] = [];

/** The constructor for tables that have `fields` named fields. */
export function tableMaker(fields: number): new () => LuaTable {
  return (makers[fields] ??= sized(fields));
}

// ── names ──────────────────────────────────────────────────────────────────────────────────────────

/** Names used as constant keys so far, with their property names: only these can be fields. */
const properties = new Hash();
/**
 * Those that were looked for lately, and their properties: undefined for what is no name of a field. By length,
 * first and last character.
 */
const lately = {
  names: new Array<string>(256).fill(''),
  props: new Array<string | undefined>(256).fill(undefined),
};
const slotOf = (name: string, length: number): number =>
  (length + name.charCodeAt(0) * 7 + name.charCodeAt(length - 1) * 37) & 255;

/** The property of a name that may be a field, or undefined. */
export function knownProperty(name: string): string | undefined {
  const { length } = name;
  if (length === 0) return properties.getOther(name) as string | undefined;
  const slot = slotOf(name, length);
  if (lately.names[slot] === name) return lately.props[slot];
  const prop = properties.getOther(name) as string | undefined;
  if (prop !== undefined || length < CUT_LENGTH) {
    lately.names[slot] = name;
    lately.props[slot] = prop;
  }
  return prop;
}
/** Strings of so many characters may be V8's slices, which keep the whole text alive. */
const CUT_LENGTH = 13;

/**
 * The property of a named field; the name may become a field from now on.
 * @param known  it, where V8 has both as names of properties already
 */
export function property(name: string, known?: string): string {
  let p = properties.getOther(name) as string | undefined;
  if (p === undefined) {
    p = known ?? internalized(`$${name}`);
    properties.insertOther(known === undefined ? internalized(name) : name, p);
    // It may have been looked for in vain.
    if (name !== '') lately.names[slotOf(name, name.length)] = '';
  }
  return p;
}

/**
 * The same string as V8 has it as the name of a property: to compare such ones is to compare addresses. The object has no
 * prototype, so that V8 keeps its properties in a table: a shape for each name would be found in one list of all of them.
 */
function internalized(text: string): string {
  const names = Object.create(null) as Record<string, 0>;
  names[text] = 0;
  return Object.keys(names)[0]!;
}

const fieldNames = new Map<string, string>();
function nameOf(prop: string): string {
  let name = fieldNames.get(prop);
  if (name === undefined) {
    name = internalized(prop.slice(1));
    fieldNames.set(prop, name);
  }
  return name;
}

/** The named fields of a table, in order. Never changed. */
export interface FieldList {
  /** All properties of the table. */
  readonly own: readonly string[];
  /** Those that are fields, and their names. */
  readonly props: readonly string[];
  readonly names: readonly string[];
}
const NO_FIELDS: FieldList = { own: [], props: [], names: [] };

/** Lists of tables that were traversed lately: records have the same fields again and again. */
const lists = new Array<FieldList>(64).fill(NO_FIELDS);
/** Tables with more fields than this have lists of their own. */
const MAX_LISTED = 64;
const DOLLAR = 36;

export function fieldsOf(t: LuaTable): FieldList {
  if (!t.named) return NO_FIELDS;
  const own = Object.keys(t);
  const { length } = own;
  if (length === 0) return NO_FIELDS;
  if (length > MAX_LISTED) return listFields(own);
  const last = own[length - 1]!;
  const slot = (length * 7 + last.length * 31 + last.charCodeAt(last.length - 1)) & 63;
  const list = lists[slot]!;
  if (list.own.length === length) {
    let at = length - 1;
    while (at >= 0 && list.own[at] === own[at]) at--;
    if (at < 0) return list;
  }
  return (lists[slot] = listFields(own));
}

function listFields(own: readonly string[]): FieldList {
  const props = own.filter((p) => p.charCodeAt(0) === DOLLAR);
  return { own, props, names: props.map(nameOf) };
}

// ── raw access ─────────────────────────────────────────────────────────────────────────────────────

/** `rawget`. Lua 5.1 manual §5.1. */
export function rawGet(t: LuaTable, key: LuaValue): LuaValue {
  if (typeof key === 'string') return rawGetString(t, key);
  if (typeof key === 'number') return rawGetNumber(t, key);
  const { hash } = t;
  return hash === undefined ? undefined : hash.getOther(key);
}

export function rawGetNumber(t: LuaTable, key: number): LuaValue {
  const { arr, hash } = t;
  if (key > 0 && key < arr.length && (key | 0) === key) {
    const v = arr[key];
    if (v !== undefined) return v;
  } else if (key === 0 && arr[0] !== NO_ZERO) return arr[0];
  return hash === undefined ? undefined : hash.getNumber(key);
}

export function rawGetString(t: LuaTable, key: string): LuaValue {
  const { hash } = t;
  if (hash !== undefined) {
    const v = hash.getOther(key);
    if (v !== undefined) return v;
  }
  if (!t.named) return undefined;
  const p = knownProperty(key);
  if (p === undefined) return undefined;
  const v = (t as unknown as Fields)[p];
  return v !== undefined && t.chained === true ? ownField(t, p) : v;
}

/** `rawset` of a key that is not nil and not NaN: the caller has checked. */
export function rawSet(t: LuaTable, key: LuaValue, value: LuaValue): void {
  if (typeof key === 'number') return rawSetNumber(t, key, value);
  if (typeof key === 'string') {
    rawSetString(t, key, value);
    if (isWatched(key)) metatableChanged(t);
  } else if (!t.hash?.updateOther(key, value) && value !== undefined) insert(t, key, value);
}

function rawSetString(t: LuaTable, key: string, value: LuaValue): void {
  const { hash } = t;
  if (hash?.updateOther(key, value)) return;
  if (t.named) {
    const p = knownProperty(key);
    if (p !== undefined) {
      const old = t.chained === true ? ownField(t, p) : (t as unknown as Fields)[p];
      if (old !== undefined) {
        (t as unknown as Fields)[p] = value;
        return;
      }
    }
  }
  if (value !== undefined) insertString(t, key, value);
}

/** A key that is not there, no string. */
function insert(t: LuaTable, key: LuaValue, value: LuaValue): void {
  t.hash ??= new Hash();
  t.hash.insert(key, value);
}

function insertString(t: LuaTable, key: string, value: LuaValue): void {
  const chained = t.chained === true;
  if (t.hash === undefined || chained) {
    // Classes are copied that way, and records read: who knows the name will want a field.
    const p = knownProperty(key);
    if (p !== undefined) return addField(t, p, value);
    if (chained) unchain(t);
  }
  insert(t, key, value);
}

const fieldAdders = new Map<string, (t: LuaTable, value: LuaValue) => void>();

/** By code of its own for each name: a table that got many by one `t[p] = v` becomes a dictionary. */
function addField(t: LuaTable, p: string, value: LuaValue): void {
  let add = fieldAdders.get(p);
  if (add === undefined) {
    const text = `return function add(t, v) { t[${JSON.stringify(p)}] = v; }`;
    add = new Function(text)() as (t: LuaTable, value: LuaValue) => void;
    fieldAdders.set(p, add);
  }
  t.named = true;
  add(t, value);
}

export function rawSetNumber(t: LuaTable, key: number, value: LuaValue): void {
  const { arr } = t;
  if (key > 0 && key < arr.length && (key | 0) === key) {
    if (value === undefined && key === arr.length - 1) removeLast(t, arr);
    else arr[key] = value;
    return;
  }
  if (key === 0 && setZero(t, arr, value)) return;
  const { hash } = t;
  if (key === arr.length && (hash === undefined || hash.numbers === 0)) {
    if (value !== undefined) append(t, arr, value);
    return;
  }
  if (hash?.updateNumber(key, value)) return;
  if (value === undefined) return;
  if (key === arr.length && !(hash instanceof WeakHash)) append(t, arr, value);
  else {
    insert(t, key, value);
    if (t.hash instanceof Hash) moveToArray(t, t.hash);
  }
}

/** Set element 0; false where its place is in the hash. */
function setZero(t: LuaTable, arr: LuaValue[], value: LuaValue): boolean {
  const { hash } = t;
  if (value === NO_ZERO || value === undefined || hash instanceof WeakHash) {
    if (arr[0] === NO_ZERO) return false;
    arr[0] = NO_ZERO;
    return value === undefined;
  }
  hash?.take(0);
  if (arr === EMPTY) t.arr = typeof value === 'number' ? numbers([value]) : [value];
  else arr[0] = value;
  return true;
}

/** Elements that came out of order are in the hash: when there are enough of them, they move. */
function moveToArray(t: LuaTable, hash: Hash): void {
  const size = hash.arraySize(t.arr);
  if (size === 0) return;
  if (t.arr === EMPTY) t.arr = startArray(hash.take(1));
  const { arr } = t;
  hash.moveElements(arr, size);
  while (arr[arr.length - 1] === undefined) arr.pop();
  takeFollowing(t, arr);
}

function removeLast(t: LuaTable, arr: LuaValue[]): void {
  arr.pop();
  while (arr.length > 1 && arr[arr.length - 1] === undefined) arr.pop();
  // Not EMPTY again: `nextEntry` sees that there have been elements.
}

/**
 * Arrays that begin with a number have a property more than others, and so hidden classes of their own.
 * Where V8 sees arrays of doubles and arrays of objects come by at one place, it makes all of them
 * arrays of objects, and every double in them an object: unless their classes are not related.
 * The fraction in the unused place 0 makes them arrays of doubles from the start.
 */
export function numbers(arr: number[]): number[] {
  (arr as unknown as Fields)['numbers'] = true;
  return arr;
}
// The kinds that such an array may become, which V8 then expects.
for (const arr of [numbers([0]), numbers([0.5])] as LuaValue[][]) arr.push(0.5, undefined);

/** The array part of a table that gets its first element. */
export function startArray(value: LuaValue): LuaValue[] {
  return typeof value === 'number' ? numbers([NO_ZERO, value]) : [NO_ZERO, value];
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
    const next = hash.take(arr.length);
    if (next === undefined) break;
    arr.push(next);
  }
}

function mostlyNil(arr: LuaValue[]): boolean {
  // Hardly ever, and then no loop for V8 to compile.
  if (arr[arr.length >> 1] !== undefined) return false;
  let nils = 0;
  for (let i = 1; i < arr.length; i++) if (arr[i] === undefined) nils++;
  return nils > arr.length / 2;
}

function moveToHash(t: LuaTable, arr: LuaValue[]): void {
  t.arr = arr[0] === NO_ZERO ? EMPTY : [arr[0]];
  for (let i = 1; i < arr.length; i++) if (arr[i] !== undefined) insert(t, i, arr[i]);
}

/** `#t`: a border. Lua 5.1 manual §2.5.5. */
export function rawLength(t: LuaTable): number {
  const n = t.arr.length - 1;
  const { hash } = t;
  if (hash === undefined || hash.numbers === 0 || hash.getNumber(n + 1) === undefined) return n;
  let low = n + 1;
  let high = low * 2;
  while (hash.getNumber(high) !== undefined) {
    low = high;
    high *= 2;
    if (high > 2 ** 52) break;
  }
  while (high - low > 1) {
    const mid = Math.floor((low + high) / 2);
    if (hash.getNumber(mid) === undefined) high = mid;
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

/** @param varying  the values that differ from table to table: of the names for which `varies` */
export type FieldsMaker = (varying: readonly LuaValue[]) => LuaTable;

/**
 * What makes tables with these named fields. An object to which more than a dozen properties are added by
 * computed names becomes a dictionary for V8, which then looks each global of a program up; not so if
 * the names stand in the text of a function. Of a constructor V8 counts them: there is room for all in
 * the object, which is made in one piece.
 * @param values  the same in all tables, but for those that vary
 */
export function fieldsMaker(
  names: readonly string[],
  values: readonly LuaValue[],
  varies: readonly boolean[],
): FieldsMaker {
  let varying = 0;
  const stores = names.map((name, i) => {
    const value = varies[i] ? `v[${varying++}]` : `values[${i}]`;
    return `this[${JSON.stringify(property(name))}] = ${value};`;
  });
  const Table = new Function(
    'EMPTY',
    'values',
    `return function LuaTable(v) {
      this.arr = EMPTY; this.hash = undefined; this.meta = undefined; this.named = true; ${stores.join(' ')}
    }`,
  )(EMPTY, values) as new (
    varying: readonly LuaValue[],
  ) => LuaTable;
  Table.prototype = LuaTable.prototype;
  return (varying) => new Table(varying);
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
  const arr: LuaValue[] = [NO_ZERO];
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

/** The same, from the properties of an object, each put through `valueOf`. */
export function recordConverter(
  names: readonly string[],
): (o: { readonly [key: string]: unknown }, valueOf: (v: unknown) => LuaValue) => LuaTable {
  const assign = names.map((name) => {
    const key = JSON.stringify(name);
    return `t[${JSON.stringify(property(name))}] = valueOf(o[${key}]);`;
  });
  const text = `return (o, valueOf) => { const t = new Table(); t.named = true; ${assign.join(' ')} return t; }`;
  return new Function('Table', text)(tableMaker(names.length));
}

/** And back: an object with these properties, from the fields of a table. */
export function recordMirror(
  names: readonly string[],
): (t: LuaTable, mirrorOf: (v: LuaValue) => unknown) => unknown {
  const fields = names.map(
    (name) => `${JSON.stringify(name)}: mirrorOf(t[${JSON.stringify(property(name))}])`,
  );
  return new Function('t', 'mirrorOf', `return { ${fields.join(', ')} };`) as ReturnType<
    typeof recordMirror
  >;
}

/** A table over this array, whose place 0 is unused: `{a, b}` is `fromArray([0, a, b])`. */
export function fromArray(arr: LuaValue[]): LuaTable {
  const t = new LuaTable();
  arr[0] = NO_ZERO;
  while (arr.length > 1 && arr[arr.length - 1] === undefined) arr.pop();
  if (arr.length > 1) t.arr = arr;
  return t;
}

// ── traversal ──────────────────────────────────────────────────────────────────────────────────────

/** The last position in the fields of a table: `next` comes back with the key that it gave. */
const cursor: { table: LuaTable | undefined; fields: FieldList; at: number } = {
  table: undefined,
  fields: NO_FIELDS,
  at: 0,
};
/** The same of a hash. */
const place: { hash: HashPart | undefined; at: number } = { hash: undefined, at: 0 };

/** A collection is to find all that the program has dropped. */
export function forgetTraversals(): void {
  cursor.table = undefined;
  place.hash = undefined;
}

/**
 * `next`: the entry after `key`, as [key, value], or undefined at the end.
 * @throws RangeError when there is no such key (`invalid key to 'next'`)
 */
export function nextEntry(t: LuaTable, key: LuaValue): [LuaValue, LuaValue] | undefined {
  const { arr, hash } = t;
  if (hash !== undefined && hash === place.hash && key !== undefined && key !== 0) {
    if (hash.keyAt(place.at) === key) return nextHash(hash, place.at + 1);
  }
  const inArray =
    key === undefined ||
    (typeof key === 'number' &&
      (key === 0
        ? arr[0] !== NO_ZERO || hash === undefined || hash.position(0) < 0
        : key >= 1 && key < arr.length && Number.isInteger(key)));
  if (key === undefined && arr[0] !== NO_ZERO) return [0, arr[0]];
  if (inArray) {
    for (let i = (key ?? 0) + 1; i < arr.length; i++) if (arr[i] !== undefined) return [i, arr[i]];
  }
  if (inArray) return nextField(t, fieldsOf(t), 0);
  if (hash !== undefined) {
    const at = hash.position(key);
    if (at >= 0) return nextHash(hash, at + 1);
  }
  if (typeof key === 'string' && t.named) {
    const p = property(key);
    if (cursor.table === t && cursor.fields.props[cursor.at] === p)
      return nextField(t, cursor.fields, cursor.at + 1);
    const fields = fieldsOf(t);
    const at = fields.props.indexOf(p);
    if (at >= 0) return nextField(t, fields, at + 1);
  }
  // A removed last element of the array has left it while the traversal stood on it.
  if (typeof key === 'number' && key >= 1 && Number.isInteger(key) && arr !== EMPTY)
    return nextField(t, fieldsOf(t), 0);
  throw new RangeError("invalid key to 'next'");
}

function nextField(t: LuaTable, fields: FieldList, from: number): [LuaValue, LuaValue] | undefined {
  const { props } = fields;
  for (let i = from; i < props.length; i++) {
    const v = (t as unknown as Fields)[props[i]!];
    if (v === undefined) continue;
    cursor.table = t;
    cursor.fields = fields;
    cursor.at = i;
    return [fields.names[i], v];
  }
  if (cursor.table === t) cursor.table = undefined;
  return t.hash === undefined ? undefined : nextHash(t.hash, 0);
}

function nextHash(hash: HashPart, from: number): [LuaValue, LuaValue] | undefined {
  const i = hash.nextLive(from);
  if (i < 0) {
    place.hash = undefined;
    return undefined;
  }
  if (hash instanceof Hash) {
    place.hash = hash;
    place.at = i;
  }
  return [hash.keyAt(i), hash.valueAt(i)];
}

/** A traversal that keeps its place: what `for … in pairs(t)` becomes. */
export class TableIterator {
  key: LuaValue = undefined;
  value: LuaValue = undefined;
  private readonly t: LuaTable;
  private stage = 0;
  private i: number;
  private fields: FieldList = NO_FIELDS;
  /** Of its hash: a list that an insertion may replace, but then nothing is promised to a traversal. */
  private pairs: LuaValue[] = NO_PAIRS;

  constructor(t: LuaTable) {
    this.t = t;
    this.i = t.arr[0] === NO_ZERO ? 1 : 0;
  }

  /** Go to the next entry; false at the end. */
  step(): boolean {
    if (this.stage === 3) return this.stepOthers();
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
      this.i = 0;
      this.fields = fieldsOf(t);
    }
    if (this.stage === 1) {
      const { props, names } = this.fields;
      for (let { i } = this; i < props.length; i++) {
        const v = (t as unknown as Fields)[props[i]!];
        if (v === undefined) continue;
        this.key = names[i];
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
    if (i >= OTHERS && hash instanceof Hash) {
      this.pairs = hash.pairs;
      this.stage = 3;
      this.i = i - OTHERS;
      return this.stepOthers();
    }
    this.key = hash.keyAt(i);
    this.value = hash.valueAt(i);
    this.i = i + 1;
    return true;
  }

  /** Most tables that are traversed have only keys like these. */
  private stepOthers(): boolean {
    const { pairs } = this;
    for (let { i } = this; i < pairs.length; i += 2) {
      const v = pairs[i + 1];
      if (v === undefined) continue;
      this.key = pairs[i];
      this.value = v;
      this.i = i + 2;
      return true;
    }
    this.i = pairs.length;
    return false;
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
  for (const p of fieldsOf(t).props) (t as unknown as Fields)[p] = undefined;
  t.arr = EMPTY;
  t.hash = weakKeys || weakValues ? new WeakHash(weakKeys, weakValues) : undefined;
  for (const [k, v] of all) rawSet(t, k, v);
}
