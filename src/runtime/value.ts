/**
 * What a Lua value is in JavaScript, and what a call may return.
 *
 * nil undefined · boolean · number · string: one byte a code unit (0–255) · table `LuaTable` ·
 * function: a JavaScript function · thread `LuaThread` · userdata: subclasses of `Userdata`.
 *
 * Call protocol: arguments are positional, a missing one is nil. A function returns one value as it
 * is, and any other number of values as an array (`NONE` for no value); two special arrays stand for
 * "the fiber is suspended" (`SUSPEND`) and "a tail call is to be made" (`TAIL`). No Lua value is an
 * array, so `Array.isArray` is the one test that a caller makes. docs/decisions/0002.
 */
export type LuaValue =
  | undefined
  | boolean
  | number
  | string
  | LuaTable
  | LuaFunction
  | Userdata
  | LuaThreadLike;

/** What a function returns: one value, an array of values, SUSPEND or TAIL. */
export type Result = any;

export type LuaFunction = (...args: LuaValue[]) => Result;

/** Coroutines: `coroutine.ts` has the class; this is what others need to know of it. */
export interface LuaThreadLike {
  readonly isThread: true;
}

/** The call has been suspended; each frame has saved itself in `frames.pend`. */
export const SUSPEND: LuaValue[] = [];
/**
 * Whether a call has been suspended. V8 compares two pointers where both sides are objects; where a result may be a number, too, it calls a
 * function for `===`.
 */
export const isSuspend = (result: Result): boolean =>
  typeof result === 'object' && result === SUSPEND;
/** The callee of a tail call and its arguments are in `tailCall`. */
export const TAIL: LuaValue[] = [];
/** As `isSuspend`. */
export const isTail = (result: Result): boolean => typeof result === 'object' && result === TAIL;
/** No value at all: what a function without `return` returns. Never changed. */
export const NONE: LuaValue[] = [];

/**
 * What place 0 of an array part holds where the table has no element 0 there: a number, so that arrays of
 * numbers stay such, that hardly any program uses. One that does finds it in the hash. It stands in
 * the text of emitted code, too: compiler/lower-values.ts.
 */
export const NO_ZERO = -1939472353;

/**
 * The array part of everything that is no table: emitted code reads `x.arr[k]` without asking what x
 * is, and goes the slow way when it gets undefined. Never changed.
 */
export const EMPTY: LuaValue[] = [NO_ZERO];

/** Where a table keeps the keys that are neither elements nor fields: `table.ts` has the two kinds. */
export interface HashPart {
  /** How many keys are positive integers. */
  readonly numbers: number;
  get(key: LuaValue): LuaValue;
  getNumber(key: number): LuaValue;
  /** The key is no number. */
  getOther(key: LuaValue): LuaValue;
  /** Change the value of a key that is there; false when it isn't. */
  update(key: LuaValue, value: LuaValue): boolean;
  updateNumber(key: number, value: LuaValue): boolean;
  updateOther(key: LuaValue, value: LuaValue): boolean;
  /** Take an element out, for the array part. */
  take(key: number): LuaValue;
  /** Add a key that is not there, with a value that is not nil. */
  insert(key: LuaValue, value: LuaValue): void;
  /** The key is no number. */
  insertOther(key: LuaValue, value: LuaValue): void;
  /** Traversal: entries have positions. The first live one at or after `i`, or -1. */
  nextLive(i: number): number;
  position(key: LuaValue): number;
  keyAt(i: number): LuaValue;
  valueAt(i: number): LuaValue;
}

/** A Lua table: `table.ts` says what is where. */
export class LuaTable {
  arr: LuaValue[] = EMPTY;
  hash: HashPart | undefined = undefined;
  meta: LuaTable | undefined = undefined;
  /** It has, or had, named fields. A number: and so often it has been the metatable of a new table. */
  named: boolean | number = false;
  /** Its JavaScript prototype is not that of all tables: classes.ts. Never its own property. */
  declare readonly chained: true | undefined;
  /** Makes tables that have this one as their metatable: classes.ts. */
  declare maker: TableMaker | false | undefined;
}

export type TableMaker = new () => LuaTable;

/** Base of all Lua-visible objects of the runtime. */
export abstract class Userdata {
  /** Always EMPTY. */
  declare readonly arr: LuaValue[];
  /** Set on the prototype by `luaType` or `setUserdataType`. */
  declare readonly luaType: UserdataType;
}

/** How Lua sees one class of userdata. All may return SUSPEND where they call Lua. */
export interface UserdataType {
  /** What `getmetatable` returns. */
  readonly name: LuaValue;
  index(self: Userdata, key: LuaValue): Result;
  setIndex(self: Userdata, key: LuaValue, value: LuaValue): Result;
  tostring?(self: Userdata): Result;
  length?(self: Userdata): Result;
  call?(self: Userdata, ...args: LuaValue[]): Result;
  /** Operators get their operands in order; either may be of another type. */
  equals?(a: LuaValue, b: LuaValue): boolean;
  less?(a: LuaValue, b: LuaValue): boolean;
  lessEqual?(a: LuaValue, b: LuaValue): boolean;
  arith?(op: ArithOp, a: LuaValue, b: LuaValue): Result;
  concat?(a: LuaValue, b: LuaValue): Result;
}

export type ArithOp = 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'pow' | 'unm';

const shared = { value: EMPTY, writable: false, enumerable: false, configurable: false };
for (const proto of [Userdata, String, Number, Boolean, Function]) {
  Object.defineProperty(proto.prototype, 'arr', shared);
}

/** The first value of a result that is neither SUSPEND nor TAIL. */
export function first(result: Result): LuaValue {
  return Array.isArray(result) ? result[0] : result;
}

/** A result that is neither SUSPEND nor TAIL, as a list of values; not to be changed. */
export function list(result: Result): LuaValue[] {
  return Array.isArray(result) ? result : [result];
}

/** A list of values as a result. The list must not be changed afterwards. */
export function results(values: LuaValue[]): Result {
  return values.length === 1 ? values[0] : values;
}

export function isTrue(v: LuaValue): boolean {
  return v !== undefined && v !== false;
}

/**
 * A field that all objects so far have kept as their constructor set it is constant for V8, which throws code away when the
 * first one changes: for tables that was most of what a program had compiled, when one of them got a hash part. So
 * the fields of one object each change before a program runs.
 */
export function varyFields(o: object): void {
  const fields = o as Record<string, unknown>;
  for (const name of Object.keys(o)) {
    const old = fields[name];
    fields[name] =
      typeof old === 'number'
        ? old + 1
        : typeof old === 'boolean'
          ? !old
          : old === undefined
            ? o
            : undefined;
  }
}
