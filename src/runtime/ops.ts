/**
 * What emitted code may name: `installOps` makes each a constant of the global object, where V8 embeds
 * it in optimised code. The slow ways of all operations are here; the fast ways are in the emitted text.
 * An operation returns its value (adjusted to one) or SUSPEND. Lua 5.1 manual §2.5, §2.8.
 */

import { largeToBits } from './bits.ts';
import {
  call,
  callMeta,
  callValue,
  one,
  runTail,
  settle,
  suspendIn,
  suspendOperator,
} from './call.ts';
import { isWatched, makerOf, metatableChanged, ownField } from './classes.ts';
import { compareError, luaError, typeError, typeName } from './error.ts';
import { Keyed, useKeyed } from './keyed.ts';
import {
  type Event,
  metaField,
  metaIndex,
  metamethod,
  metaNewIndex,
  ProxyUserdata,
} from './metatable.ts';
import { formatNumber, parseNumber } from './number.ts';
import { type Frame, intrinsics, known, state, TAIL_BUDGET } from './state.ts';
import {
  emptyTableMaker,
  LuaTable,
  property,
  rawGet,
  rawGetNumber,
  rawGetString,
  rawLength,
  rawSet,
  rawSetNumber,
  TableIterator,
  tableMaker,
} from './table.ts';
import {
  type ArithOp,
  EMPTY,
  first,
  isTrue,
  type LuaValue,
  list,
  NONE,
  type Result,
  SUSPEND,
  TAIL,
  Userdata,
} from './value.ts';

/** How far `__index` and `__newindex` are followed. */
const MAX_CHAIN = 100;

// ── reading and writing fields ─────────────────────────────────────────────────────────────────────

/** `o[k]`, with metamethods. Emitted code has looked for an element, and for a field of a known name. */
export function index(o: LuaValue, k: LuaValue): Result {
  if (o instanceof LuaTable) {
    const v =
      typeof k === 'string'
        ? rawGetString(o, k)
        : typeof k === 'number'
          ? rawGetNumber(o, k)
          : o.hash?.getOther(k);
    if (v !== undefined) return v;
    if (o.meta === undefined) return undefined;
  }
  return indexAny(o, k);
}

function indexAny(o: LuaValue, k: LuaValue): Result {
  for (let i = 0; i < MAX_CHAIN; i++) {
    let handler: LuaValue;
    if (o instanceof LuaTable) {
      const v = rawGet(o, k);
      if (v !== undefined) return v;
      const { meta } = o;
      if (meta === undefined) return undefined;
      handler = metaIndex(meta);
      if (handler === undefined) return undefined;
    } else if (o instanceof Userdata && !(o instanceof ProxyUserdata))
      return one(o.luaType.index(o, k));
    else {
      handler = metamethod(o, '__index');
      // Only the first object is an operand of the program's line.
      if (handler === undefined) throw typeError('index', o, i === 0 ? 0 : -1);
    }
    if (typeof handler === 'function') return one(callMeta(handler, o, k));
    o = handler;
  }
  throw luaError('loop in gettable');
}

/** `o[k] = v`, with metamethods. */
export function setIndex(o: LuaValue, k: LuaValue, v: LuaValue): Result {
  // Most often an element is added to an array.
  if (typeof k === 'number' && o instanceof LuaTable && o.meta === undefined) {
    const { arr } = o;
    if (k === arr.length && o.hash === undefined && v !== undefined && (k & (k - 1)) !== 0) {
      arr.push(v);
      return undefined;
    }
  }
  for (let i = 0; i < MAX_CHAIN; i++) {
    let handler: LuaValue;
    if (o instanceof LuaTable) {
      const { meta } = o;
      if (meta === undefined) return rawSetChecked(o, k, v);
      handler = metaNewIndex(meta);
      if (handler === undefined || rawGet(o, k) !== undefined) return rawSetChecked(o, k, v);
    } else if (o instanceof Userdata && !(o instanceof ProxyUserdata))
      return ignore(o.luaType.setIndex(o, k, v));
    else {
      handler = metamethod(o, '__newindex');
      if (handler === undefined) throw typeError('index', o, i === 0 ? 0 : -1);
    }
    if (typeof handler === 'function') return ignore(callMeta(handler, o, k, v));
    o = handler;
  }
  throw luaError('loop in settable');
}

/** `o[k] = v` where `o` has no such element yet. */
function setElement(o: LuaValue, k: LuaValue, v: LuaValue): Result {
  if (k !== undefined && k === k && o instanceof LuaTable && o.meta === undefined) {
    if (typeof k === 'number') rawSetNumber(o, k, v);
    else rawSet(o, k, v);
    return undefined;
  }
  return setIndex(o, k, v);
}

const ignore = (r: Result): Result => (r === SUSPEND ? SUSPEND : undefined);

/** `rawset` with the checks that Lua makes of keys. */
export function rawSetChecked(t: LuaTable, k: LuaValue, v: LuaValue): undefined {
  if (typeof k === 'number') {
    if (k !== k) throw luaError('table index is NaN');
    rawSetNumber(t, k, v);
  } else if (k === undefined) throw luaError('table index is nil');
  else rawSet(t, k, v);
  return undefined;
}

type Getter = (o: LuaValue) => Result;
type Setter = (o: LuaValue, v: LuaValue) => Result;
const propertyText = (name: string): string =>
  /^[A-Za-z_]\w*$/.test(name) ? `.$${name}` : `[${JSON.stringify(`$${name}`)}]`;

/** Part of the text of each accessor: V8 gives functions made of equal texts what it learned in common. */
let accessors = 0;

/** Classes above an object that an accessor looks through by itself. */
const LEVELS = 4;

/**
 * `o.name` when the own field is nil: its class, the class of that, and so on. Each accessor is a
 * function of its own, and each level has lines of its own, so that V8 learns what comes by there.
 * What is no table has neither `hash` nor `meta`: only where the search ends is asked what it was.
 */
export function getter(name: string): Getter {
  property(name);
  const p = propertyText(name);
  // The name of what a metatable without hash part has there.
  const callIndex = (o: string, handler: string): string =>
    state.suspendAll
      ? ''
      : `
      if (typeof ${handler} === 'function') {
        state.argCount = 2;
        return Array.isArray(v = ${handler}(${o}, name)) ? one(v) : v;
      }`;
  let body = '';
  for (let level = 0; level < LEVELS; level++) {
    const o = `o${level}`;
    const next = `o${level + 1}`;
    body += `
      if ((h = ${o}.hash) !== undefined) {
        if (!(${o} instanceof LuaTable)) return index(o0, name);
        if ((v = h.getOther(name)) !== undefined) return v;
      }
      if ((m = ${o}.meta) === undefined) return ${o} instanceof LuaTable ? undefined : index(o0, name);
      const ${next} = m.$__index;
      if (${next} === undefined) return index(o0, name);
      if ((v = ${next}${p}) !== undefined) return v;${callIndex(o, next)}`;
  }
  return new Function(
    'LuaTable',
    'index',
    'state',
    'one',
    `/* ${++accessors} */ const name = ${JSON.stringify(name)};
    return function get(o0) {
      let v, m, h;
      if (typeof o0 === 'string') {
        if ((m = state.stringMeta) !== undefined && m.hash === undefined &&
            (m = m.$__index) instanceof LuaTable && (v = m${p}) !== undefined) return v;
        return index(o0, name);
      } ${body}
      return index(o0, name);
    }`,
  )(LuaTable, index, state, one) as Getter;
}

/** `o.name = v` when the field is nil, or v is. */
export function setter(name: string): Setter {
  const prop = property(name);
  if (isWatched(name)) {
    return (o, v) => {
      const r = setNamed(o, name, prop, v);
      if (o instanceof LuaTable) metatableChanged(o);
      return r;
    };
  }
  const p = propertyText(name);
  const call = state.suspendAll
    ? ''
    : `
        if (typeof h === 'function' && o${p} === undefined && o.chained !== true) {
          state.argCount = 3;
          return (h = h(o, name, v)) !== NONE && Array.isArray(h) && settle(h) === SUSPEND ? SUSPEND : undefined;
        }`;
  return new Function(
    'LuaTable',
    'setNamed',
    'state',
    'settle',
    'NONE',
    'SUSPEND',
    `/* ${++accessors} */ const name = ${JSON.stringify(name)}, prop = ${JSON.stringify(prop)};
    return function set(o, v) {
      let m, h;
      if (o instanceof LuaTable && o.hash === undefined) {
        if ((m = o.meta) === undefined || ((h = m.$__newindex) === undefined && m.hash === undefined)) {
          if (v !== undefined) {
            o.named = true;
            o${p} = v;
          } else if (o${p} !== undefined) o${p} = undefined;
          return undefined;
        } ${call}
      }
      return setNamed(o, name, prop, v);
    }`,
  )(LuaTable, setNamed, state, settle, NONE, SUSPEND) as Setter;
}

/**
 * Calls for a name that are made without an accessor: to make one takes 50 µs, and most names are stored once, by what
 * defines a function.
 */
const FEW = 6;
const calls = new Map<string, number>();

function isOften(name: string): boolean {
  const n = (calls.get(name) ?? 0) + 1;
  calls.set(name, n);
  return n > FEW;
}

/** A call of what has no accessor yet. @param use  is given one, where it will be called again */
function get(name: string, o: LuaValue, use: (get: Getter) => void): Result {
  if (!isOften(name)) return index(o, name);
  const get = getter(name);
  use(get);
  return get(o);
}

function set(name: string, o: LuaValue, v: LuaValue, use: (set: Setter) => void): Result {
  if (!isOften(name) && !isWatched(name)) return setNamed(o, name, property(name), v);
  const set = setter(name);
  use(set);
  return set(o, v);
}

/** `o.name = v` where that is done once. */
function setField(o: LuaValue, name: string, v: LuaValue): Result {
  const r = setNamed(o, name, property(name), v);
  if (isWatched(name) && o instanceof LuaTable) metatableChanged(o);
  return r;
}

/** `o.outer.name = v` where that is done once. */
function setInField(o: LuaValue, outer: string, name: string, v: LuaValue): Result {
  const inner = index(o, outer);
  if (inner === SUSPEND) return suspendOperator((r) => setField(first(r), name, v));
  return setField(inner as LuaValue, name, v);
}

/** Like `setIndex`; a new key becomes a field instead of an entry of the hash. */
function setNamed(o: LuaValue, name: string, p: string, v: LuaValue): Result {
  if (!(o instanceof LuaTable)) return setIndex(o, name, v);
  const { meta, hash } = o;
  const fields = o as unknown as Record<string, LuaValue>;
  if ((o.chained === true ? ownField(o, p) : fields[p]) !== undefined) {
    fields[p] = v;
    return undefined;
  }
  if (meta !== undefined && metaNewIndex(meta) !== undefined && rawGet(o, name) === undefined)
    return setIndex(o, name, v);
  if (hash?.updateOther(name, v) === true || v === undefined) return undefined;
  if (hash !== undefined && 'weakKeys' in hash) hash.insert(name, v);
  else {
    o.named = true;
    fields[p] = v;
  }
  return undefined;
}

// ── arithmetic ─────────────────────────────────────────────────────────────────────────────────────

/** `a % b` of numbers: a - floor(a / b) * b, as LuaJIT computes it. */
export function numberMod(a: number, b: number): number {
  const x = a | 0;
  const y = b | 0;
  if (x === a && y === b && y > 0) {
    const r = x % y;
    return r < 0 ? r + y : r + 0;
  }
  return a - Math.floor(a / b) * b;
}

/** C's pow: unlike JavaScript's, 1^x and (-1)^±inf are 1. */
export function numberPow(a: number, b: number): number {
  if (a === 1 || (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY)))
    return 1;
  return a ** b;
}

const compute: Record<ArithOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: numberMod,
  pow: numberPow,
  unm: (a) => -a,
};

function toNumber(v: LuaValue): number | undefined {
  return typeof v === 'number' ? v : typeof v === 'string' ? parseNumber(v) : undefined;
}

function arith(op: ArithOp): (a: LuaValue, b: LuaValue) => Result {
  const event = `__${op}` as Event;
  const f = compute[op];
  return (a, b) => {
    const x = toNumber(a);
    const y = toNumber(b);
    if (x !== undefined && y !== undefined) return f(x, y);
    const handler = metamethod(a, event) ?? metamethod(b, event);
    if (handler !== undefined) return one(callMeta(handler, a, b));
    const u = a instanceof Userdata ? a : b instanceof Userdata ? b : undefined;
    if (u?.luaType.arith !== undefined) return u.luaType.arith(op, a, b);
    // LuaJIT blames the second operand when the first is a number.
    throw x !== undefined
      ? typeError('perform arithmetic on', b, 1)
      : typeError('perform arithmetic on', a, 0);
  };
}

export const add = arith('add');
export const sub = arith('sub');
export const mul = arith('mul');
export const div = arith('div');
export const mod = arith('mod');
export const pow = arith('pow');
const negate = arith('unm');
export const unm = (a: LuaValue): Result => negate(a, a);

type Operator = (a: LuaValue, b: LuaValue) => Result;

/**
 * An operator on what is no two numbers. Each function of a program has its own, so that V8 learns
 * the classes whose metamethods it calls; what is no plain table with a function for it goes `slow`.
 */
export function operator(name: OperatorName): Operator {
  const slow = operators[name];
  if (state.suspendAll) return slow;
  const result = name === 'lt' || name === 'le' ? 'r !== undefined && r !== false' : 'r';
  const tryOne = (o: string): string => `
      if (${o} instanceof LuaTable && (m = ${o}.meta) !== undefined) {
        if (typeof (h = m.$__${name}) === 'function') {
          state.argCount = 2;
          const r = h(a, b);
          return Array.isArray(r) ? many(r) : ${result};
        }
        if (h !== undefined || m.hash !== undefined) return slow(a, b);
      }`;
  // The first operand's comes first, and strings and userdata have metatables, too.
  const tryBoth = `${tryOne('a')} else if (typeof a !== 'number' && !(a instanceof LuaTable)) return slow(a, b);${tryOne('b')}`;
  return new Function(
    'LuaTable',
    'state',
    'slow',
    'many',
    `/* ${++accessors} */ return function operate(a, b) { let m, h; ${name === 'lt' || name === 'le' ? tryOne('a') : tryBoth}
      return slow(a, b);
    }`,
  )(LuaTable, state, slow, name === 'lt' || name === 'le' ? truthOf : one) as Operator;
}

/** The control values of a numeric `for`. */
export function forNumber(v: LuaValue, what: string): number {
  const n = toNumber(v);
  if (n === undefined)
    throw luaError(`'for' ${what === 'initial' ? 'initial value' : what} must be a number`);
  return n;
}

const asText = (v: LuaValue): string | undefined =>
  typeof v === 'string' ? v : typeof v === 'number' ? formatNumber(v) : undefined;

export function concat(a: LuaValue, b: LuaValue): Result {
  return concatAt(a, b, 0);
}

function concatAt(a: LuaValue, b: LuaValue, operand: number): Result {
  const x = asText(a);
  const y = asText(b);
  if (x !== undefined && y !== undefined) return x + y;
  const handler = metamethod(a, '__concat') ?? metamethod(b, '__concat');
  if (handler !== undefined) return one(callMeta(handler, a, b));
  const u = a instanceof Userdata ? a : b instanceof Userdata ? b : undefined;
  if (u?.luaType.concat !== undefined) return u.luaType.concat(a, b);
  throw x !== undefined
    ? typeError('concatenate', b, operand + 1)
    : typeError('concatenate', a, operand);
}

/** A long run of `..`, from right to left; error messages count operands from the left. */
function concatAll(parts: LuaValue[]): Result {
  let right = parts.pop();
  while (parts.length > 0) {
    const left = parts[parts.length - 1];
    const r = concatAt(left, right, parts.length - 1);
    parts.pop();
    if (r === SUSPEND) {
      return suspendOperator((v) => {
        parts.push(first(v));
        return concatAll(parts);
      });
    }
    right = r;
  }
  return right;
}

/** `#v`. Tables may have `__len`, as in LuaJIT's 5.2 mode, which gives the operand twice. */
export function length(v: LuaValue): Result {
  if (typeof v === 'string') return v.length;
  if (v instanceof LuaTable) {
    const { meta } = v;
    if (meta !== undefined) {
      const handler = metaField(meta, '__len');
      if (handler !== undefined) return one(callMeta(handler, v, v));
    }
    return v.hash === undefined ? v.arr.length - 1 : rawLength(v);
  }
  if (v instanceof Userdata && v.luaType.length !== undefined) return v.luaType.length(v);
  const handler = metamethod(v, '__len');
  if (handler !== undefined) return one(callMeta(handler, v, v));
  throw typeError('get length of', v);
}

// ── comparison ─────────────────────────────────────────────────────────────────────────────────────

/** The truth of what a call comes to: a boolean, or SUSPEND; the site makes a boolean of it then. */
function truthOf(r: Result): Result {
  const v = one(r);
  return v === SUSPEND ? SUSPEND : isTrue(v);
}

/** `a == b` of values that are not identical. */
export function equals(a: LuaValue, b: LuaValue): Result {
  if (a === b) return true;
  if (a instanceof LuaTable && b instanceof LuaTable) {
    if (a.meta === undefined || b.meta === undefined) return false;
    const handler = metaField(a.meta, '__eq');
    // Both must have the same one. Lua 5.1 manual §2.8.
    if (handler === undefined || handler !== metaField(b.meta, '__eq')) return false;
    return truthOf(callMeta(handler, a, b));
  }
  if (a instanceof Userdata && b instanceof Userdata) return a.luaType.equals?.(a, b) ?? false;
  return false;
}

function compareHandler(a: LuaValue, b: LuaValue, event: '__lt' | '__le'): LuaValue {
  const x = metamethod(a, event);
  if (x === undefined) return metamethod(b, event);
  return x;
}

export function lessThan(a: LuaValue, b: LuaValue): Result {
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  const handler = compareHandler(a, b, '__lt');
  if (handler !== undefined) return truthOf(callMeta(handler, a, b));
  const less = userdataType(a, b)?.less;
  if (less !== undefined) return less(a, b);
  throw compareError(a, b);
}

export function lessEqual(a: LuaValue, b: LuaValue): Result {
  if (typeof a === 'number' && typeof b === 'number') return a <= b;
  if (typeof a === 'string' && typeof b === 'string') return a <= b;
  const handler = compareHandler(a, b, '__le');
  if (handler !== undefined) return truthOf(callMeta(handler, a, b));
  // Without `__le`: not (b < a).
  const reverse = compareHandler(a, b, '__lt');
  if (reverse !== undefined) {
    const r = callMeta(reverse, b, a);
    return r === SUSPEND ? suspendOperator((v) => !isTrue(first(v))) : !isTrue(first(r));
  }
  const lessEq = userdataType(a, b)?.lessEqual;
  if (lessEq !== undefined) return lessEq(a, b);
  throw compareError(a, b);
}

function userdataType(a: LuaValue, b: LuaValue): Userdata['luaType'] | undefined {
  return a instanceof Userdata ? a.luaType : b instanceof Userdata ? b.luaType : undefined;
}

// ── tostring ───────────────────────────────────────────────────────────────────────────────────────

const addresses = new WeakMap<object, string>();
let nextAddress = 0x7f0000001000;

/** `table: 0x…`: an address that is the object's own and stays. */
export function addressOf(v: object): string {
  let a = addresses.get(v);
  if (a === undefined) {
    a = `0x${nextAddress.toString(16).padStart(12, '0')}`;
    nextAddress += 0x40;
    addresses.set(v, a);
  }
  return a;
}

/** `tostring(v)`: a string, or what `__tostring` returns, or SUSPEND. Lua 5.1 manual §5.1. */
export function tostring(v: LuaValue): Result {
  switch (typeof v) {
    case 'string':
      return v;
    case 'number':
      return formatNumber(v);
    case 'boolean':
      return v ? 'true' : 'false';
    case 'undefined':
      return 'nil';
    default:
  }
  if (v instanceof LuaTable && v.meta !== undefined) {
    const handler = metaField(v.meta, '__tostring');
    if (handler !== undefined) return one(call(handler, v));
  }
  if (v instanceof Userdata && v.luaType.tostring !== undefined) return v.luaType.tostring(v);
  return plainString(v);
}

/** `table: 0x…` and the like. Functions of the runtime have numbers, as in LuaJIT: `builtin#29`. */
export function plainString(v: LuaValue): string {
  if (typeof v === 'function' && !/\$f\d+$/.test(v.name)) {
    let number = builtins.get(v);
    if (number === undefined) builtins.set(v, (number = ++lastBuiltin));
    return `function: builtin#${number}`;
  }
  return `${typeName(v)}: ${addressOf(v as object)}`;
}

const builtins = new WeakMap<object, number>();
let lastBuiltin = 0;

// ── frames, calls, tables ──────────────────────────────────────────────────────────────────────────

function saveFrame(...frame: Frame): LuaValue[] {
  const { pend } = state;
  pend[pend.length] = frame; // `push` is a call where this is inlined
  return SUSPEND;
}

/** Go on at another site of the same function: a tail call of its continuation. */
function jump(...frame: Frame): LuaValue[] {
  state.tailFn = frame[0].resume as unknown as LuaValue;
  state.tailArgs = [undefined, frame as unknown as LuaValue];
  return TAIL;
}

function tail(f: LuaValue, ...args: LuaValue[]): LuaValue[] {
  // The frame that names the value is still there now.
  requireCallable(f);
  state.tailFn = f;
  state.tailArgs = args;
  state.tailBudget = TAIL_BUDGET;
  return TAIL;
}

function requireCallable(f: LuaValue): void {
  if (
    typeof f !== 'function' &&
    !(f instanceof Userdata && f.luaType.call !== undefined) &&
    typeof metamethod(f, '__call') !== 'function'
  ) {
    throw typeError('call', f);
  }
}

/** A call in the mode in which each suspends once. */
function callSuspending(f: LuaValue, ...args: LuaValue[]): Result {
  requireCallable(f);
  state.immediate = true;
  return suspendIn(() => {
    state.argCount = args.length;
    return settle(typeof f === 'function' ? f(...args) : callValue(f, args));
  });
}

/** A call of what is no function. */
function callOther(f: LuaValue, ...args: LuaValue[]): Result {
  return callValue(f, args);
}

/** `setmetatable` of a table that has none, where there is nothing to look at: false if there is. */
function setsMetatable(t: LuaValue, meta: LuaValue): boolean {
  if (
    t instanceof LuaTable &&
    t.meta === undefined &&
    meta instanceof LuaTable &&
    meta.hash === undefined &&
    (meta as unknown as Record<string, LuaValue>)['$__mode'] === undefined
  ) {
    t.meta = meta;
    return true;
  }
  return false;
}

/** An array part from `[0, …]`: without nils at its end. */
function trim(arr: LuaValue[]): LuaValue[] {
  while (arr.length > 1 && arr[arr.length - 1] === undefined) arr.pop();
  return arr.length === 1 ? EMPTY : arr;
}

/** Elements of a table from `position + 1` on. */
function setList(t: LuaTable, position: number, values: LuaValue[]): void {
  for (const v of values) rawSetNumber(t, ++position, v);
}

function pushAll(arr: LuaValue[], values: LuaValue[]): void {
  for (const v of values) arr.push(v);
}

/**
 * How a generic `for` runs: a `TableIterator` for `next` over a table, 0 for the iterator of `ipairs`,
 * undefined for a call each time.
 */
function iterate(f: LuaValue, s: LuaValue, control: LuaValue): TableIterator | 0 | undefined {
  if (!(s instanceof LuaTable) || state.suspendAll) return undefined;
  if (f === known.next && control === undefined) return new TableIterator(s);
  return f === known.ipairsStep && control === 0 ? 0 : undefined;
}

/** The first value of `select(n, ...)`, or NONE where `select` itself must see to it. */
function selectOne(n: LuaValue, va: LuaValue[]): LuaValue | LuaValue[] {
  if (n === '#') return va.length;
  return typeof n === 'number' && n >= 1 ? va[Math.floor(n) - 1] : NONE;
}

useKeyed(index, setElement);

const operators = { add, sub, mul, div, mod, pow, lt: lessThan, le: lessEqual } as const;
export type OperatorName = keyof typeof operators;

/**
 * As `$O.index`, not `$index`: a call of what V8 knows beforehand is compiled though it has never run, and what it may
 * return flows together with what the fast way gives: then each number read is an object. A property that was
 * never asked for is left out until it is.
 */
const slowWays = {
  nothing: undefined,
  index,
  setField,
  setInField,
  len: length,
  concat,
  concatAll,
  unm,
  eq: equals,
  call: callOther,
  settle: (r: Result): Result => (r === TAIL ? runTail() : r),
  forNumber,
  rawget: rawGet,
  one,
  tail,
} as const;

const ops = {
  S: saveFrame,
  SUSPEND,
  NONE,
  EMPTY,
  isA: Array.isArray,
  isTrue,
  R: state,
  T0: emptyTableMaker,
  T1: tableMaker(0),
  T2: tableMaker(2),
  T4: tableMaker(4),
  T8: tableMaker(8),
  T12: tableMaker(12),
  T16: tableMaker(16),
  T24: tableMaker(24),
  T32: tableMaker(32),
  index,
  keyed: () => new Keyed(),
  setElement,
  get,
  set,
  getter,
  setter,
  operator,
  I: intrinsics,
  math: Math,
  typeName,
  setmeta: setsMetatable,
  maker: makerOf,
  rawset: rawSetChecked,
  trim,
  setList,
  pushAll,
  list,
  iterate,
  selectOne,
  callSuspending,
  jump,
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  bits: largeToBits,
  nmod: numberMod,
  npow: numberPow,
  lt: lessThan,
  le: lessEqual,
} as const;

/** The names that emitted code may use, without their `$`. */
export type OpName = keyof typeof ops;

/**
 * To be called when the libraries have set their `intrinsics`, and before any emitted code is evaluated.
 * Those become an object whose fields V8 has seen get one value: then it takes them for constants.
 */
export function installOps(): void {
  if (Object.hasOwn(globalThis, '$SUSPEND')) return;
  const constants = (from: object): unknown => {
    const fields = Object.keys(from).map((name) => `this.${name} = from.${name};`);
    return Reflect.construct(new Function('from', fields.join(' ')), [from]);
  };
  for (const [name, value] of Object.entries({
    ...ops,
    I: constants(intrinsics),
    O: constants(slowWays),
  })) {
    Object.defineProperty(globalThis, `$${name}`, {
      value,
      writable: false,
      configurable: false,
      enumerable: false,
    });
  }
}
