/** `table`. Lua 5.1 manual §5.5, with LuaJIT's `move`, `new` and `clear`, and 5.2's `pack` and `unpack`. */

import { call, drive, suspendIn } from '../runtime/call.ts';
import {
  checkFunction,
  checkInteger,
  checkTable,
  optInteger,
  optString,
} from '../runtime/check.ts';
import { metatableChanged } from '../runtime/classes.ts';
import { luaError, typeName } from '../runtime/error.ts';
import { formatNumber } from '../runtime/number.ts';
import { index, lessThan, setIndex } from '../runtime/ops.ts';
import { mergeSort } from '../runtime/sort.ts';
import {
  arrayOf,
  entries,
  Hash,
  LuaTable,
  rawGet,
  rawLength,
  rawSet,
  rawSetNumber,
  setField,
  TableIterator,
} from '../runtime/table.ts';
import {
  EMPTY,
  first,
  type LuaFunction,
  type LuaValue,
  NO_ZERO,
  NONE,
  type Result,
  results,
  SUSPEND,
} from '../runtime/value.ts';
import { luaModule } from './define.ts';

/** LuaJIT's C stack: what one call may return. */
const MAX_RESULTS = 8000;

// ── elements ───────────────────────────────────────────────────────────────────────────────────────

/** `insert(t, value)` or `insert(t, position, value)`: how many there are decides. */
function insert(t: LuaValue, at: LuaValue, value: LuaValue): Result {
  const table = checkTable(t, 1, 'insert');
  const n = rawLength(table);
  const given = arguments.length; // nil counts, a missing argument does not
  if (given === 2) {
    rawSetNumber(table, n + 1, at);
    return NONE;
  }
  if (given !== 3) throw luaError("wrong number of arguments to 'insert'");
  const position = checkInteger(at, 2, 'insert');
  const { arr } = table;
  if (position >= 1 && position <= n && n === arr.length - 1) {
    arr.splice(position, 0, value);
    return NONE;
  }
  for (let i = n + 1; i > Math.max(position, 1); i--) rawSetNumber(table, i, rawGet(table, i - 1));
  if (position < 1) liftBelowOne(table, position);
  rawSetNumber(table, position, value);
  return NONE;
}

/** Elements at `position` to 0 one up: those that are there, since it may be -2^53. */
function liftBelowOne(table: LuaTable, position: number): void {
  rawSetNumber(table, 1, undefined);
  const lifted: number[] = [];
  for (const [key] of entries(table)) {
    if (typeof key === 'number' && key <= 0 && key >= position && key % 1 === 0) lifted.push(key);
  }
  for (const key of lifted.sort((a, b) => b - a)) {
    rawSetNumber(table, key + 1, rawGet(table, key));
    rawSetNumber(table, key, undefined);
  }
}

function remove(t: LuaValue, at: LuaValue): Result {
  const table = checkTable(t, 1, 'remove');
  const n = rawLength(table);
  const position = at === undefined ? n : checkInteger(at, 2, 'remove');
  if (position < 1 || position > n) return NONE;
  const old = rawGet(table, position);
  const { arr } = table;
  if (position === n) rawSetNumber(table, n, undefined);
  else if (n === arr.length - 1) {
    if (position === 1) {
      // V8 drops a first element without moving the others; element 0 takes its place.
      const zero = arr[0];
      arr.shift();
      arr[0] = zero;
    } else arr.splice(position, 1);
  } else {
    for (let i = position; i < n; i++) rawSetNumber(table, i, rawGet(table, i + 1));
    rawSetNumber(table, n, undefined);
  }
  return old;
}

function concat(t: LuaValue, separator: LuaValue, from: LuaValue, to: LuaValue): string {
  const table = checkTable(t, 1, 'concat');
  const glue = optString(separator, 2, 'concat', '');
  const start = optInteger(from, 3, 'concat', 1);
  const end = to === undefined ? rawLength(table) : checkInteger(to, 4, 'concat');
  let text = '';
  let chunk = '';
  // Counted: beyond 2^53 a number plus 1 is the same number.
  for (let k = 0; k <= end - start; k++) {
    const i = start + k;
    if (k > 0 && glue !== '') chunk += glue;
    chunk += piece(table, i);
    // A rope has an object for each piece: reading a character makes it flat.
    if ((i & 1023) === 0) {
      chunk.charCodeAt(0);
      text += chunk;
      chunk = '';
    }
  }
  return text === '' ? chunk : text + chunk;
}

function piece(table: LuaTable, i: number): string {
  const { arr } = table;
  const v = i > 0 && i < arr.length ? arr[i] : rawGet(table, i);
  if (typeof v === 'string') return v;
  if (typeof v === 'number') return formatNumber(v);
  throw luaError(`invalid value (${typeName(v)}) at index ${i} in table for 'concat'`);
}

/** `a2[t], … = a1[f], …, a1[e]`, with metamethods. Lua 5.3 manual §6.6. */
function move(a1: LuaValue, f: LuaValue, e: LuaValue, t: LuaValue, a2: LuaValue): Result {
  const source = checkTable(a1, 1, 'move');
  const from = checkInteger(f, 2, 'move');
  const last = checkInteger(e, 3, 'move');
  const to = checkInteger(t, 4, 'move');
  const target = a2 === undefined ? source : checkTable(a2, 5, 'move');
  if (last < from) return target;
  const upwards = to > last || to <= from || source !== target;
  if (source.meta !== undefined || target.meta !== undefined) {
    return drive(moveWithMetamethods(source, from, last, to, target, upwards));
  }
  if (target.arr === EMPTY && target.hash === undefined && to === 1 && from >= 1) {
    const part = elements(source.arr, from, last);
    if (part !== undefined) {
      target.arr = part;
      return target;
    }
  }
  for (let n = last - from, k = 0; k <= n; k++) {
    const offset = upwards ? k : n - k;
    rawSetNumber(target, to + offset, rawGet(source, from + offset));
  }
  return target;
}

/** A copy of the elements [from, last] as an array part; undefined where they are not all in this one. */
function elements(arr: LuaValue[], from: number, last: number): LuaValue[] | undefined {
  if (last >= arr.length || arr[last] === undefined) return undefined;
  // A copy is of the common class: not for numbers that have a class of their own (table.ts).
  const first = arr[from];
  if (typeof first === 'number' && (first | 0) !== first) return undefined;
  const part = arr.slice(from - 1, last + 1);
  part[0] = NO_ZERO;
  return part;
}

function* moveWithMetamethods(
  source: LuaTable,
  from: number,
  last: number,
  to: number,
  target: LuaTable,
  upwards: boolean,
): Generator<Result, Result, Result> {
  for (let k = 0; k <= last - from; k++) {
    const offset = upwards ? k : last - from - k;
    const v = first(yield index(source, from + offset));
    yield setIndex(target, to + offset, v);
  }
  return target;
}

export function unpack(t: LuaValue, from: LuaValue, to: LuaValue): Result {
  const table = checkTable(t, 1, 'unpack');
  const start = optInteger(from, 2, 'unpack', 1);
  const end = to === undefined ? rawLength(table) : checkInteger(to, 3, 'unpack');
  if (start > end) return NONE;
  if (end - start + 1 >= MAX_RESULTS) throw luaError('too many results to unpack');
  const { arr } = table;
  if (start === 1 && end === arr.length - 1) {
    switch (end) {
      case 1:
        return arr[1];
      case 2:
        return [arr[1], arr[2]];
      case 3:
        return [arr[1], arr[2], arr[3]];
      default:
        return arr.slice(1);
    }
  }
  const values: LuaValue[] = [];
  for (let k = 0; k <= end - start; k++) values.push(rawGet(table, start + k));
  return results(values);
}

function pack(...values: LuaValue[]): LuaTable {
  const table = arrayOf(values);
  setField(table, 'n', values.length);
  return table;
}

function clear(t: LuaValue): Result {
  const table = checkTable(t, 1, 'clear');
  table.arr = EMPTY;
  if (table.hash instanceof Hash) table.hash = undefined;
  for (const [key] of [...entries(table)]) rawSet(table, key, undefined);
  if (Object.hasOwn(table, 'maker')) metatableChanged(table);
  return NONE;
}

/** The largest number among the keys; 0 when none is positive. */
function maxn(t: LuaValue): number {
  const table = checkTable(t, 1, 'maxn');
  const { arr, hash } = table;
  let max = arr.length - 1;
  if (hash === undefined) return max;
  for (let i = hash.nextLive(0); i >= 0; i = hash.nextLive(i + 1)) {
    const key = hash.keyAt(i);
    if (typeof key === 'number' && key > max) max = key;
  }
  return max;
}

// ── callbacks ──────────────────────────────────────────────────────────────────────────────────────

/** Call `f(key, value)` for each entry until it returns something that is not nil. */
function foreach(t: LuaValue, f: LuaValue): Result {
  const entry = new TableIterator(checkTable(t, 1, 'foreach'));
  const visit = checkFunction(f, 2, 'foreach');
  return untilValue(() => (entry.step() ? call(visit, entry.key, entry.value) : END));
}

function foreachi(t: LuaValue, f: LuaValue): Result {
  const table = checkTable(t, 1, 'foreachi');
  const visit = checkFunction(f, 2, 'foreachi');
  const n = rawLength(table);
  let i = 0;
  return untilValue(() => (++i <= n ? call(visit, i, rawGet(table, i)) : END));
}

const END: LuaValue[] = [];

/** Take steps until one gives a value; none when they come to their END. */
function untilValue(step: () => Result): Result {
  for (;;) {
    const r = step();
    if (r === END) return NONE;
    if (r === SUSPEND) return suspendIn((v) => first(v) ?? untilValue(step));
    const value = first(r);
    if (value !== undefined) return value;
  }
}

/** The order function may suspend, fail, and contradict itself: runtime/sort.ts. */
function sort(t: LuaValue, order: LuaValue): Result {
  const table = checkTable(t, 1, 'sort');
  const less = order === undefined ? undefined : checkFunction(order, 2, 'sort');
  const n = rawLength(table);
  if (n < 2) return NONE;
  let values: LuaValue[];
  if (n === table.arr.length - 1) values = table.arr.slice(1);
  else {
    values = [];
    for (let i = 1; i <= n; i++) values.push(rawGet(table, i));
  }
  if (less !== undefined) return sortBy(table, values, less);
  const sorted = sortUniform(values);
  if (sorted !== undefined) return putBack(table, sorted);
  return mergeSort(values, lessThan, (result) => putBack(table, result));
}

function sortBy(table: LuaTable, values: LuaValue[], less: LuaFunction): Result {
  return mergeSort(
    values,
    (a, b) => call(less, a, b),
    (result) => putBack(table, result),
  );
}

/** Values that are all numbers, or all strings, in order; undefined when they are anything else. */
function sortUniform(values: LuaValue[]): ArrayLike<LuaValue> | undefined {
  const type = typeof values[0];
  if (type === 'string') {
    for (const v of values) if (typeof v !== 'string') return undefined;
    return values.sort();
  }
  let areIntegers = true;
  for (const v of values) {
    if (typeof v !== 'number') return undefined;
    if (!Object.is(v | 0, v)) areIntegers = false; // -0 is none
  }
  // An array of doubles must not be made of one of small integers.
  return areIntegers
    ? Int32Array.from(values as number[]).sort()
    : Float64Array.from(values as number[]).sort();
}

/** The sorted values become elements 1 … n; the order function may have changed the table. */
function putBack(table: LuaTable, sorted: ArrayLike<LuaValue>): Result {
  const { arr } = table;
  if (arr.length === sorted.length + 1 && sorted[sorted.length - 1] !== undefined) {
    for (let i = 0; i < sorted.length; i++) arr[i + 1] = sorted[i];
  } else {
    for (let i = 0; i < sorted.length; i++) rawSetNumber(table, i + 1, sorted[i]);
  }
  return NONE;
}

export const table = luaModule('table', {
  clear,
  concat,
  foreach,
  foreachi,
  getn: (t: LuaValue) => rawLength(checkTable(t, 1, 'getn')),
  insert,
  maxn,
  move,
  new: (arraySize: LuaValue, hashSize: LuaValue) => {
    checkInteger(arraySize, 1, 'new');
    checkInteger(hashSize, 2, 'new');
    return new LuaTable();
  },
  pack,
  remove,
  sort,
  unpack,
});
