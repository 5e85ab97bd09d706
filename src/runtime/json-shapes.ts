/**
 * The shapes of JSON's objects. Documents repeat them: shapes form a tree, in which a path from the root spells the keys of an
 * object in their order. Each shape makes its tables with a constructor of its own, so that the fields become those that `t.name`
 * reads.
 *
 * Keys from outside could fill memory for good: the tree has a limit, and objects that it has no place for (or with more keys
 * than `MAX_FIELDS`) keep their keys in the hash part of a table.
 */
import {
  LuaTable,
  property,
  rawGetString,
  rawSet,
  recordConverter,
  recordMaker,
  recordMirror,
  setField,
} from './table.ts';
import { type LuaValue, Userdata } from './value.ts';

/** It is for others to do. */
export const LEFT = Symbol('left');
export type Left = typeof LEFT;

/** Not one that JavaScript has a meaning or an order of its own for. */
export const isPlainKey = (key: string): boolean => !/^\d|^__proto__$/.test(key);

/** `json.null`. */
export class JsonNull extends Userdata {}
export const jsonNull = new JsonNull();

/** The metatable that says that a table is an array, also an empty one. */
export const arrayMeta = new LuaTable();
setField(arrayMeta, '__metatable', 'json.array');

const MAX_FIELDS = 32;
const MAX_SHAPES = 4096;
let shapeCount = 0;

type Maker = (values: readonly LuaValue[], from: number) => LuaTable;
type Mirror = (t: LuaTable, mirrorOf: (v: LuaValue) => unknown) => unknown;
type Converter = (o: Parsed, valueOf: (v: unknown) => LuaValue) => LuaTable;
/** An object of V8's parser. */
export type Parsed = { readonly [key: string]: unknown };

export class Shape {
  readonly keys: readonly string[];
  readonly last: string;
  /** The property that it is in a table. */
  readonly prop: string;
  /**
   * V8's parser can be trusted with the keys. Where it expects a key with a backslash, because an object of an earlier text
   * had it there, it takes others for it: after {"a":1,"\\":2} it reads {"a":1,"\n":2} as the same key.
   */
  private readonly isSound: boolean;
  /** The last key as it stands in JSON, from its opening quote to its closing one; '' if it needs escapes. */
  readonly quoted: string;
  /** The shape that an object of this one became when it got one more key, the last time. */
  next: Shape | undefined = undefined;
  /** And the time before. */
  private before: Shape | undefined = undefined;
  private others: Map<string, Shape> | undefined = undefined;
  private maker: Maker | undefined = undefined;
  private mirrorMaker: Mirror | undefined = undefined;
  private converter: Converter | undefined = undefined;
  private made = 0;

  constructor(keys: readonly string[]) {
    this.keys = keys;
    this.last = keys[keys.length - 1] ?? '';
    this.prop = property(this.last);
    this.isSound = !keys.some((key) => key.includes('\\'));
    const plain = keys.length > 0 && !/["\\\x00-\x1f]/.test(this.last);
    this.quoted = plain ? `"${this.last}"` : '';
  }

  /** With one more key; undefined when there is no place for it. */
  with(key: string): Shape | undefined {
    const { before } = this;
    if (before !== undefined && before.last === key) {
      this.before = this.next;
      this.next = before;
      return before;
    }
    let shape = this.others?.get(key);
    if (shape === undefined) {
      if (shapeCount >= MAX_SHAPES || this.keys.length >= MAX_FIELDS) return undefined;
      shapeCount++;
      shape = new Shape([...this.keys, key]);
      this.others ??= new Map();
      this.others.set(key, shape);
    }
    this.before = this.next;
    this.next = shape;
    return shape;
  }

  /** The table of an object whose values are on the stack from `from` on. */
  make(values: readonly LuaValue[], from: number): LuaTable {
    if (this.maker !== undefined) return this.maker(values, from);
    if (++this.made > 8) this.maker = recordMaker(this.keys);
    const t = new LuaTable();
    this.keys.forEach((key, i) => {
      setField(t, key, values[from + i]);
    });
    return t;
  }

  /** The same for an object that goes on with keys for which there is no place in the tree. */
  spill(values: LuaValue[], from: number): LuaTable {
    const t = new LuaTable();
    this.keys.forEach((key, i) => {
      rawSet(t, key, values[from + i]);
    });
    values.length = from;
    return t;
  }

  /** The table of an object of V8's that has these keys. */
  convert(o: Parsed, valueOf: (v: unknown) => LuaValue): LuaTable {
    if (this.converter !== undefined) return this.converter(o, valueOf);
    if (!this.isSound) throw LEFT;
    if (++this.made > 8) this.converter = recordConverter(this.keys);
    const t = new LuaTable();
    for (const key of this.keys) setField(t, key, valueOf(o[key]));
    return t;
  }

  /** An object that JSON.stringify writes as the table, which has these fields, is to be written. */
  mirror(t: LuaTable, mirrorOf: (v: LuaValue) => unknown): unknown {
    if (this.mirrorMaker !== undefined) return this.mirrorMaker(t, mirrorOf);
    const isPlain = this.keys.every(isPlainKey);
    if (isPlain && ++this.made > 8) this.mirrorMaker = recordMirror(this.keys);
    const o: { [key: string]: unknown } = {};
    for (const key of this.keys) {
      if (!isPlain) throw LEFT;
      o[key] = mirrorOf(rawGetString(t, key));
    }
    return o;
  }
}

export const rootShape = new Shape([]);
