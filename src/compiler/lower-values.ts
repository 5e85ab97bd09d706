/**
 * What the lowering of expressions works with: values as JavaScript text, and what is known of them.
 * Nothing here adds code to a function.
 */
import type { Path } from './ahead.ts';
import {
  type BinaryOp,
  type CallExpr,
  type Expr,
  type FunctionNode,
  type LocalVar,
  MAX_FIELD_NAME,
  type Num,
  type Stat,
  type TableExpr,
} from './ast.ts';
import { type Intrinsic, isIntrinsicName, type Operand } from './intrinsics.ts';
import type { OpNames, Var } from './ir.ts';
import { isMulti, LARGEST_BITS, LARGEST_SUM, libraryCall, returnedBy } from './library.ts';

/** A value as JavaScript text without side effects. */
export interface Ex {
  js: string;
  /** Variables that the text reads. */
  vars: Var[];
  /** Known to be a number, a boolean, or not nil. */
  num: boolean;
  /** A number without a fraction (or NaN): no test whether it can be an index. */
  int: boolean;
  bool: boolean;
  notNil: boolean;
  /** A name or a short constant: may be repeated. */
  atom: boolean;
  /** A number known to be at least, and at most, this (positive keys need no test). */
  min: number;
  max: number;
  /** Reads a cell: `own` when it is this function's local. */
  cell: '' | 'own' | 'upvalue';
  constant: boolean;
  /** A function that is known. */
  func: FunctionNode | undefined;
  /** Where it was read, if that may be done before a loop as well. */
  path?: Path | undefined;
}

/** A list of arguments: text and variables. */
export interface Args {
  js: string;
  vars: Var[];
  /** The last one is a call, whose raw result is in this variable: the text for when it is one value. */
  single?: { raw: string; js: string } | undefined;
  /** The values one by one; none where the list is open and long. */
  operands: Operand[];
  /** The first one may have been made as a table of the class that is the second: `m$` tells. */
  isMade?: boolean;
}

export interface Callee {
  fn: Ex;
  args: Args;
  names: OpNames;
}

/** For a table that is to be one of a class. */
export interface ClassTest {
  /** The expression for the class runs no code. */
  readonly isPlain: boolean;
  /** Evaluate it. @returns what gives its maker, or something false */
  test(): { js: string; vars: Var[] };
}

/** Where a value is wanted: in this variable, declared by the same line or before. */
export interface Dst {
  v: Var;
  declare: boolean;
}

export const NO_VARS: Var[] = [];
/** What stands for no element 0 in an array part: runtime/value.ts. */
export const NO_ZERO = '-1939472353';
export const base: Ex = {
  js: '',
  vars: NO_VARS,
  num: false,
  int: false,
  bool: false,
  notNil: false,
  atom: true,
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
  cell: '',
  constant: false,
  func: undefined,
};
export const NIL: Ex = { ...base, js: 'undefined', constant: true };

export const ARITH: Record<string, string> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '%': 'mod',
  '^': 'pow',
};

export const IDENTIFIER = /^[A-Za-z_]\w*$/;
export const safeName = (name: string): string => name.replace(/\W/g, '_');

/** `.$name` or `["$any text"]`. */
export function member(name: string): string {
  return IDENTIFIER.test(name) ? `.$${name}` : `[${JSON.stringify(`$${name}`)}]`;
}

export function numberText(n: number): string {
  if (n === Number.POSITIVE_INFINITY) return '(1/0)';
  if (n === Number.NEGATIVE_INFINITY) return '(-1/0)';
  if (n !== n) return '(0/0)';
  return n < 0 || (n === 0 && 1 / n < 0) ? `(${n === 0 ? '-0' : n})` : String(n);
}

export const isFieldKey = (e: Expr): e is Extract<Expr, { kind: 'string' }> =>
  e.kind === 'string' && e.value.length <= MAX_FIELD_NAME;

/** Fields of metatables that decide what tables inherit: runtime/classes.ts hears of each change. */
export const isWatched = (key: string): boolean =>
  key === '__index' || key === '__newindex' || key === '__mode';

/** A name: its value is there, but for a global that there isn't. */
export const isVariable = (e: Expr): boolean =>
  e.kind === 'local' || e.kind === 'upvalue' || e.kind === 'global';

/** Expressions and conditions longer than this get a variable: JavaScript's parser must not nest deep. */
export const MAX_TEXT = 400;
/** Longer runs of `..` are collected in an array first. */
export const MAX_CONCAT = 60;
/** A key in brackets that may be a position of a constructor. */
export const mayBeElement = (key: Expr): boolean =>
  !isFieldKey(key) && !(key.kind === 'number' && key.value < 1);

/** So many statements after `local t = {}` are looked at for fields that it gets. */
export const MAX_LOOK = 100;

/** A call for which `libraryCall` has a name. */
export type LibraryCall = CallExpr & {
  readonly kind: 'call';
  readonly fn: Extract<Expr, { kind: 'local' | 'upvalue' }>;
};

export interface LibraryParts {
  /** What it does with such arguments, as text, where that is known. */
  short: string | undefined;
  /** The condition for it; '' where it is sure to hold. */
  tests: string;
  call: string;
  vars: Var[];
  operands: readonly Operand[];
  names: OpNames;
}

/** What arithmetic gives. */
export function isComputed(e: Expr | undefined): boolean {
  if (e?.kind === 'paren') return isComputed(e.inner);
  if (e?.kind === 'call') {
    const library = libraryCall(e);
    return library !== undefined && returnedBy(library) !== 'text';
  }
  if (e?.kind === 'unary') return e.op === '-';
  return e?.kind === 'binary' && ['+', '-', '*', '/', '%', '^'].includes(e.op);
}

export type LogicalExpr = Extract<Expr, { kind: 'and' | 'or' }>;

export function isNeverFalse(e: Expr): boolean {
  switch (e.kind) {
    case 'number':
    case 'string':
    case 'true':
    case 'functionExpr':
    case 'table':
      return true;
    case 'local':
    case 'upvalue':
      return e.v.num !== undefined || e.v.known !== undefined;
    case 'paren':
      return isNeverFalse(e.inner);
    case 'call':
      return libraryCall(e) !== undefined;
    default:
      return false;
  }
}

/** `e` and those `and` and `or` that are its left operand's left operand's …, outermost first. */
export function spineOf(e: LogicalExpr): LogicalExpr[] {
  const spine = [e];
  for (let x = e.left; x.kind === 'and' || x.kind === 'or'; x = x.left) spine.push(x);
  return spine;
}

/** The conditions for running a function of the libraries here. */
export function shortTests(
  e: CallExpr,
  fn: Ex,
  short: Intrinsic,
  isMade: boolean | undefined,
): string {
  const tests = [`${fn.js} === $I.${calledName(e)}`, ...short.tests].join(' && ');
  return isMade ? `m$ || ${tests}` : tests;
}

/** The name under which a program calls what may be a function of the libraries. */
export function calledName(e: CallExpr): string {
  if (e.kind === 'method') return e.name;
  const { fn } = e;
  switch (fn.kind) {
    case 'local':
    case 'upvalue':
      return fn.v.known === undefined ? fn.v.name : '';
    case 'global':
      return fn.name;
    case 'index':
      return fn.key.kind === 'string' ? fn.key.value : '';
    default:
      return '';
  }
}

/** Functions, of the libraries as a rule, that make no objects of the system. */
export const MAKES_NOTHING = new Set([
  'type',
  'tostring',
  'tonumber',
  'select',
  'format',
  'gsub',
  'concat',
]);

/** The value may be an object that nothing else holds, or come to hold such ones. */
export function mayMake(e: Expr): boolean {
  switch (e.kind) {
    case 'paren':
      return mayMake(e.inner);
    case 'and':
    case 'or':
      return mayMake(e.left) || mayMake(e.right);
    case 'table':
      return true;
    case 'call':
    case 'method': {
      const called = calledName(e);
      return !isIntrinsicName(called) && !MAKES_NOTHING.has(called);
    }
    default:
      return false;
  }
}

/** How many arguments a call passes: `...` where it depends. */
export function countOf(args: readonly Expr[], self: number): string {
  const last = args.at(-1);
  return last !== undefined && isMulti(last) ? '...' : String(args.length + self);
}

/** A result that reads cells when its text is evaluated must be evaluated before what may change them. */
export const cellOf = (a: Ex, b: Ex): Ex['cell'] =>
  a.cell !== '' || b.cell !== '' ? 'upvalue' : '';

/**
 * `l % r` of whole numbers of 32 bits is computed in place, so that V8 learns there what numbers they are. `| 0`
 * tells it to divide integers; there is no -0 then. See numberMod of runtime/ops.ts.
 */
export function modText(l: Ex, r: Ex): string {
  const n = r.constant ? Number(r.js) : 0;
  if (l.constant || (r.constant && !(Number.isSafeInteger(n) && n > 0)))
    return `$nmod(${l.js}, ${r.js})`;
  if (!r.constant) {
    const positive = [
      ...(l.min >= 0 ? [] : [`${l.js} >= 0`]),
      ...(r.min > 0 ? [] : [`${r.js} > 0`]),
    ];
    const tests = [`(${l.js} | 0) === ${l.js}`, `(${r.js} | 0) === ${r.js}`, ...positive];
    return `(${tests.join(' && ')} ? (${l.js} | 0) % (${r.js} | 0) : $nmod(${l.js}, ${r.js}))`;
  }
  const any = `${l.js} - $math.floor(${l.js} / ${n}) * ${n}`;
  if (n > 0x7fffffff) {
    const less = l.min >= 0 ? `${l.js} | 0` : `${l.js} >= 0 ? ${l.js} | 0 : ${l.js} + ${n}`;
    return `((${l.js} | 0) === ${l.js} ? ${less} : ${any})`;
  }
  if ((n & (n - 1)) === 0) return `((${l.js} | 0) === ${l.js} ? ${l.js} & ${n - 1} : ${any})`;
  const positive = l.min >= 0 ? '' : `${l.js} >= 0 && `;
  return `(${positive}(${l.js} | 0) === ${l.js} ? (${l.js} | 0) % ${n} : ${any})`;
}

const isBounded = ({ min, max }: Ex): boolean => Number.isFinite(min) && Number.isFinite(max);
const widest = ({ min, max }: Ex): number => Math.max(-min, max);

/** The least that an arithmetic result can be. */
export function leastResult(op: BinaryOp, l: Ex, r: Ex): number {
  if (op === '+') return l.min + r.min;
  if (op === '-' && r.constant) return l.min - Number(r.js);
  if (op === '*' && l.min >= 0 && r.min >= 0) return l.min * r.min;
  if (op === '*' && isBounded(l) && isBounded(r)) return -(widest(l) * widest(r));
  if (op === '%' && r.constant && r.min > 0) return 0;
  return Number.NEGATIVE_INFINITY;
}

/** The most that it can be. */
export function greatestResult(op: BinaryOp, l: Ex, r: Ex): number {
  if (op === '+') return l.max + r.max;
  if (op === '-') return l.max - r.min;
  if (op === '*' && isBounded(l) && isBounded(r)) return widest(l) * widest(r);
  if (op === '%' && r.constant && r.min > 0) return r.max;
  return Number.POSITIVE_INFINITY;
}

/** The least that a function of the libraries returns. */
export function leastReturned(name: string, operands: readonly Operand[]): number {
  const [x, y] = operands;
  const isConstant = (o: Operand | undefined): boolean => o !== undefined && /^\d+$/.test(o.js);
  const least = rangeOf(returnedBy(name)).min;
  switch (name) {
    case 'band':
      return [x, y].some((o) => isConstant(o) && Number(o!.js) <= 0x7fffffff) ? 0 : least;
    case 'rshift':
      return isConstant(y) && (Number(y!.js) & 31) > 0 ? 0 : least;
    case 'floor':
      return x === undefined ? Number.NEGATIVE_INFINITY : Math.floor(x.min);
    default:
      return least;
  }
}

/** What is known of a number of that kind, but that it is one. */
export const rangeOf = (kind: string | undefined): { min: number; max: number } =>
  kind === 'bits'
    ? { min: -LARGEST_BITS, max: LARGEST_BITS }
    : kind === 'sum'
      ? { min: -LARGEST_SUM, max: LARGEST_SUM }
      : { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** And that it is one. */
export const knownNumber = (kind: Exclude<Num, undefined>) => ({
  num: true,
  int: kind !== 'number',
  notNil: true,
  ...rangeOf(kind),
});

export const numberTest = (e: Ex): string => (e.num ? '' : `typeof ${e.js} === 'number'`);
export const stringTest = (e: Ex): string =>
  e.constant && e.js.startsWith('"') ? '' : `typeof ${e.js} === 'string'`;

/** What must hold for `t.arr[key]` to be element `key`. */
export function keyTests(key: Ex): string[] {
  const tests: string[] = [];
  if (!key.num) tests.push(`typeof ${key.js} === 'number'`);
  if (!(key.num && key.min >= 0)) tests.push(`${key.js} >= 0`);
  // V8 looks for a fraction as for a property: by its text.
  if (!key.int) tests.push(`(${key.js} | 0) === ${key.js}`);
  return tests;
}

/** As a JavaScript condition. */
export function truth(e: Ex): Ex {
  if (e.bool) return e;
  if (e.constant && e.js === 'undefined') return { ...e, js: 'false', bool: true };
  if (e.constant || e.num) return { ...e, js: 'true', bool: true, vars: NO_VARS, constant: true };
  return { ...e, js: `(${e.js} !== undefined && ${e.js} !== false)`, bool: true, atom: false };
}

/** How a message names an operand. */
export function name(e: Expr): string | undefined {
  switch (e.kind) {
    case 'local':
      return `local '${e.v.name}'`;
    case 'upvalue':
      return `upvalue '${e.v.name}'`;
    case 'global':
      return `global '${e.name}'`;
    case 'index':
      return e.key.kind === 'string' ? `field '${e.key.value}'` : undefined;
    case 'paren':
      return name(e.inner);
    // The right operand is the value where a constant decides so. (LuaJIT names it in any case.)
    case 'and':
    case 'or':
      return constantTruth(e.left) === (e.kind === 'and') ? name(e.right) : undefined;
    default:
      return undefined;
  }
}

/** Of what is not written as a constant, nothing. */
export function constantTruth(e: Expr): boolean | undefined {
  switch (e.kind) {
    case 'nil':
    case 'false':
      return false;
    case 'true':
    case 'number':
    case 'string':
      return true;
    case 'unary': {
      const operand = e.op === 'not' ? constantTruth(e.operand) : undefined;
      return operand === undefined ? undefined : !operand;
    }
    case 'paren':
      return constantTruth(e.inner);
    default:
      return undefined;
  }
}

/** Evaluates without a line of its own, and without reading a cell. */
export function isImmediate(e: Expr): boolean {
  switch (e.kind) {
    case 'nil':
    case 'true':
    case 'false':
    case 'number':
    case 'string':
    case 'local':
    case 'upvalue':
      return true;
    case 'paren':
      return isImmediate(e.inner);
    default:
      return false;
  }
}

/** `2^32`: what is written as whole numbers, and exact. */
export function constantPower(l: Ex, r: Ex): number | undefined {
  const power =
    l.constant && r.constant && l.num && r.num ? Number(l.js) ** Number(r.js) : Number.NaN;
  return l.int && r.int && Number.isSafeInteger(power) ? power : undefined;
}

export function arithText(op: BinaryOp, l: Ex, r: Ex): string {
  if (op === '%') return modText(l, r);
  if (op === '^')
    return r.constant && r.js === '2' ? `${l.js} * ${l.js}` : `$npow(${l.js}, ${r.js})`;
  return `${l.js} ${op} ${r.js}`;
}

/** What `countFields` says of a table that gets elements first: it will hardly get fields. */
export const ELEMENTS = -1;

/** Fields that the statements after `local t = {…}` add to the table, or ELEMENTS. */
export function countFields(s: Stat, following: readonly Stat[], from: number): number {
  if (s.kind !== 'local' || s.vars.length !== 1 || s.exprs[0]?.kind !== 'table') return 0;
  const names = new Set<string>();
  const end = Math.min(following.length, from + MAX_LOOK);
  for (let i = from; i < end; i++) {
    const next = following[i]!;
    if (next.kind !== 'assign') continue;
    const targets = next.targets as Extract<Expr, { kind: 'index' }>[];
    for (let at = 0; at < targets.length; at++) {
      const { kind, obj, key } = targets[at]!;
      const isIt = kind === 'index' && obj.kind === 'local' && obj.v === s.vars[0];
      if (isIt && isFieldKey(key)) names.add(key.value);
    }
  }
  if (names.size > 0) return names.size;
  return getsElements(s.vars[0]!, following, from) === true ? ELEMENTS : 0;
}

/** So many statements of a block may come before the first store. */
const MAX_BEFORE = 8;

/** Whether the first store into what a local holds is of an element, also in loops; undefined: there is none near. */
function getsElements(v: LocalVar, stats: readonly Stat[], from: number): boolean | undefined {
  const end = Math.min(stats.length, from + MAX_BEFORE);
  for (let i = from; i < end; i++) {
    const s = stats[i]!;
    if (s.kind === 'assign') {
      for (const t of s.targets)
        if (t.kind === 'index' && t.obj.kind === 'local' && t.obj.v === v) return isNumeric(t.key);
    } else if (s.kind === 'fornum' || s.kind === 'forin' || s.kind === 'while') {
      const found = getsElements(v, s.body.stats, 0);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Only ever a number, as far as it can be seen here. */
const isNumeric = (e: Expr): boolean =>
  e.kind === 'number' ||
  (e.kind === 'local' && e.v.num !== undefined) ||
  (e.kind === 'unary' && e.op === '#') ||
  isComputed(e);

/** Positional items of one array literal; longer constructors are filled element by element. */
export const LITERAL = 64;

/** A key may be one of the positions: the later item wins. */
export function isOrdered({ items }: TableExpr): boolean {
  return (
    items.some(({ key }) => key === undefined) &&
    items.some(({ key }) => key !== undefined && mayBeElement(key))
  );
}

export function isLiteral(e: Expr): e is TableExpr {
  if (e.kind !== 'table' || isOrdered(e)) return false;
  return e.items.length <= LITERAL;
}

export function makerOf(fn: Ex, meta: Ex): ReturnType<ClassTest['test']> {
  const js = `${fn.js} === $I.setmetatable && ((${meta.js})?.maker ?? $maker(${meta.js}))`;
  return { js, vars: [...fn.vars, ...meta.vars] };
}

/** The last argument is a call: mostly it comes to one value, and V8 need not spread a list. */
export function forCount({ js, single }: Args, text: (args: string) => string): string {
  if (single === undefined) return text(js);
  return `$isA(${single.raw}) ? (${text(js)}) : (${text(single.js)})`;
}
