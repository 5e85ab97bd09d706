/**
 * `t[k]` where `k` is no element's: a name that varies, most often. Each function of the program gets code of its
 * own for it when it has asked some times, so that V8 learns there what tables come by; and where only a few names
 * do, they stand in its text, each with an inline cache of its own. docs/decisions/0038-keys-that-vary.md
 */
import { apart } from './apart.ts';
import { one, settle } from './call.ts';
import { isWatched } from './classes.ts';
import { state } from './state.ts';
import { knownProperty, LuaTable } from './table.ts';
import { type LuaValue, NONE, type Result, SUSPEND } from './value.ts';

type Get = (o: LuaValue, k: LuaValue) => Result;
type Set = (o: LuaValue, k: LuaValue, v: LuaValue) => Result;

/** What `index` and `setElement` of ops.ts do: any key of any value. */
const any = {} as { index: Get; setElement: Set };
export function useKeyed(index: Get, setElement: Set): void {
  Object.assign(any, { index, setElement });
}

/** `setElement` for the code of each function: what adds a key is seven functions deep, and would be compiled with each of them. */
let addElement: Set | undefined;

/** So often those do: to make code takes as long as a thousand look-ups. */
const FEW = 24;
/** Names in a text. To ask V8 for the property takes no longer than to compare with more of them. */
const MAX_NAMES = 24;
/** So many are compared with one by one. */
const FEW_NAMES = 5;
/** When so many other names of fields have come by, the text is written anew. */
const OTHERS = 64;

/** Names of fields that have come by; none when they were too many. */
class Names {
  readonly seen: string[] = [];
  isFull = false;

  add(o: LuaValue, k: LuaValue): void {
    if (this.isFull || typeof k !== 'string' || !(o instanceof LuaTable) || !o.named) return;
    if (this.seen.includes(k) || isWatched(k) || knownProperty(k) === undefined) return;
    if (this.seen.length < MAX_NAMES) this.seen.push(k);
    else {
      this.isFull = true;
      this.seen.length = 0;
    }
  }
}

/** Part of each text: V8 gives functions made of equal texts what it learned in common. */
let made = 0;

/**
 * More than a few names: a place for each, by length and two characters, so that one comparison is enough. A string that has
 * just been made is compared character by character.
 */
function bySlot(names: readonly string[], fields: readonly string[]): string {
  for (let a = 0; a < 64; a++) {
    const [b, c] = [a & 7, a >> 3];
    const slots = names.map(
      (n) => (n.length + (n.charCodeAt(0) << b) + (n.charCodeAt(n.length - 1) << c)) & 63,
    );
    if (new Set(slots).size < names.length) continue;
    const cases = fields.map((text, i) => `case ${slots[i]}: ${text} break;`);
    return `if (k !== '') switch ((k.length + (k.charCodeAt(0) << ${b}) + (k.charCodeAt(k.length - 1) << ${c})) & 63) { ${cases.join(' ')} }`;
  }
  return oneByOne(fields);
}

const oneByOne = (fields: readonly string[]): string =>
  fields.map((text) => `${text} else`).join(' ');

function compile<T>(
  names: Names,
  again: () => void,
  field: (name: string) => string,
  text: string,
): T {
  const fields = names.seen.map(
    (name) => `if (k === ${JSON.stringify(name)}) { ${field(JSON.stringify(`$${name}`))} }`,
  );
  const asked = fields.length <= FEW_NAMES ? oneByOne(fields) : bySlot(names.seen, fields);
  const count = names.seen.length;
  // Names that are not in the text are counted, if there may be another one.
  const note = names.isFull
    ? ''
    : 'if (left !== 0) { names.add(o, k); if (--left === 0) again(); }';
  const make = new Function(
    'LuaTable',
    'index',
    'setElement',
    'known',
    'state',
    'one',
    'settle',
    'NONE',
    'SUSPEND',
    'names',
    'again',
    `/* ${++made} */ let left = ${OTHERS}; return ${text.replace('NOTE', note).replace('FIELDS', () => asked)}`,
  );
  addElement ??= apart('addElement', 'o, k, v', any.setElement);
  return make(
    LuaTable,
    any.index,
    addElement,
    knownProperty,
    state,
    one,
    settle,
    NONE,
    SUSPEND,
    names,
    () => {
      if (names.seen.length !== count) again();
    },
  ) as T;
}

/** Emitted code has looked for an element: no number is one here. */
const makeGet = (names: Names, again: () => void): Get =>
  compile(
    names,
    again,
    (p) => `if ((v = o[${p}]) !== undefined) return v;`,
    `function get(o, k) {
      let v, h;
      if (typeof k === 'string') {
        if (o instanceof LuaTable) {
          FIELDS if (o.named) {
            const p = known(k);
            if (p !== undefined) {
              NOTE
              if ((v = o[p]) !== undefined) return v;
            }
          }
          if ((h = o.hash) !== undefined && (v = h.getOther(k)) !== undefined) return v;
          if (o.meta === undefined) return undefined;
        } else return index(o, k);
      } else if (o instanceof LuaTable) {
        if ((h = o.hash) !== undefined &&
            (v = typeof k === 'number' ? h.getNumber(k) : h.getOther(k)) !== undefined) return v;
        if (o.meta === undefined) return undefined;
      } else return index(o, k);
      CALL
      return index(o, k);
    }`.replace(
      'CALL',
      state.suspendAll
        ? ''
        : `
      if (typeof (h = o.meta.$__index) === 'function') {
        state.argCount = 2;
        return Array.isArray(v = h(o, k)) ? one(v) : v;
      }`,
    ),
  );

/**
 * A field that is there is set, and asks no metatable; the runtime is to hear of those that `isWatched`: no name
 * with an underscore in their place gets here. An element is added, but not the first one, and not one
 * at which `append` looks at the whole array. A key that is new in a hash is added to it here, too: the functions
 * that a new key goes through elsewhere are seven, and V8 would compile each of them with all that it calls.
 */
const makeSet = (names: Names, again: () => void): Set =>
  compile(
    names,
    again,
    (p) => `if (o[${p}] !== undefined) { o[${p}] = v; return undefined; }`,
    `function set(o, k, v) {
      let m, f, h, p;
      if (o instanceof LuaTable) {
        if (v === undefined);
        else if (typeof k === 'string') {
          FIELDS if (o.named && k.charCodeAt(1) !== 95) {
            const p = known(k);
            if (p !== undefined) {
              NOTE
              if (o[p] !== undefined && o.chained !== true) { o[p] = v; return undefined; }
            }
          }
        }
        if ((m = o.meta) === undefined || ((f = m.$__newindex) === undefined && m.hash === undefined)) {
          const { arr, hash } = o;
          if (v === undefined);
          else if (typeof k === 'number') {
            if (k === arr.length) {
              if (k > 1 && (hash === undefined || hash.numbers === 0) && ((k & (k - 1)) !== 0 || k < 64)) {
                arr.push(v);
                return undefined;
              }
            } else if (hash !== undefined && (k > arr.length || k < 0) && hash.updateNumber(k, v)) return undefined;
          } else if (hash !== undefined && (typeof k !== 'string' || k.charCodeAt(1) !== 95)) {
            if (hash.updateOther(k, v)) return undefined;
            if (typeof k === 'string' ? o.chained !== true : k !== undefined) {
              hash.insertOther(k, v);
              return undefined;
            }
          }
        } CALL
      }
      return setElement(o, k, v);
    }`.replace(
      'CALL',
      state.suspendAll
        ? ''
        : `
        else if (typeof f === 'function' && o.chained !== true &&
            ((h = o.hash) === undefined || h.get(k) === undefined) &&
            (typeof k === 'number' ? k !== 0 && !((k | 0) === k && k > 0 && k < o.arr.length && o.arr[k] !== undefined)
              : !o.named || typeof k !== 'string' || (p = known(k)) === undefined || o[p] === undefined)) {
          state.argCount = 3;
          return (f = f(o, k, v)) !== NONE && Array.isArray(f) && settle(f) === SUSPEND ? SUSPEND : undefined;
        }`,
    ),
  );

/** What one function of the program has. Its code calls `first` and `firstSet` until there is `get` or `set`. */
export class Keyed {
  get: Get | undefined = undefined;
  set: Set | undefined = undefined;
  private gets = 0;
  private sets = 0;
  private names: Names | undefined = undefined;
  private setNames: Names | undefined = undefined;

  first(o: LuaValue, k: LuaValue): Result {
    this.names ??= new Names();
    this.names.add(o, k);
    if (++this.gets === FEW) this.makeGet(this.names);
    return any.index(o, k);
  }

  firstSet(o: LuaValue, k: LuaValue, v: LuaValue): Result {
    this.setNames ??= new Names();
    this.setNames.add(o, k);
    if (++this.sets === FEW) this.makeSet(this.setNames);
    return any.setElement(o, k, v);
  }

  private makeGet(names: Names): void {
    this.get = makeGet(names, () => this.makeGet(names));
  }

  private makeSet(names: Names): void {
    this.set = makeSet(names, () => this.makeSet(names));
  }
}
