/**
 * Functions of the libraries that emitted code runs itself, where what is called is that function and
 * the arguments are of the usual kind; anything else is called. They are looked for by the name under
 * which a program calls them, `math.floor(x)` or `floor(x)`: what really is called is asked at run time.
 */

/** An argument: a name or a constant. */
export interface Operand {
  readonly js: string;
  readonly num: boolean;
  /** A number without a fraction. */
  readonly int: boolean;
  readonly min: number;
  readonly max: number;
  /** May be a list of values instead: what a call as last argument came to. */
  readonly raw?: boolean;
}

export interface Intrinsic {
  /** JavaScript conditions that must hold of the arguments. */
  readonly tests: string[];
  readonly js: string;
}

type Template = (args: readonly Operand[]) => Intrinsic | undefined;

const number = (x: Operand): string[] => (x.num ? [] : [`typeof ${x.js} === 'number'`]);
/** JavaScript's operators take the low 32 bits of whole numbers, as `bit` does of those up to this. */
const MAX_BITS = 2 ** 51;

/** An argument as 32 bits. Most have no more: V8 then has nothing else to look at. */
const low = (x: Operand): string =>
  x.int && x.max <= MAX_BITS && x.min >= -MAX_BITS
    ? x.js
    : `((${x.js} | 0) === ${x.js} ? ${x.js} : $bits(${x.js}))`;

const string = (x: Operand): string[] => [`typeof ${x.js} === 'string'`];
const atLeast = (x: Operand, least: number): string[] =>
  x.int && x.min >= least
    ? []
    : [...(x.int ? [] : [...number(x), `(${x.js} | 0) === ${x.js}`]), `${x.js} >= ${least}`];

const ofBits =
  (js: (...args: string[]) => string): Template =>
  (args) =>
    args.length === js.length
      ? { tests: args.flatMap(number), js: js(...args.map(low)) }
      : undefined;

const unary =
  (test: (x: Operand) => string[], js: (x: string) => string): Template =>
  ([x, more]) =>
    x === undefined || more !== undefined ? undefined : { tests: test(x), js: js(x.js) };

/** Written out, V8 learns at each place whether they are integers. Of equal or unordered ones the later. */
const extreme =
  (operator: '<' | '>'): Template =>
  (args) =>
    args.length < 2 || args.length > 3
      ? undefined
      : {
          tests: args.flatMap(number),
          js: args
            .map((x) => x.js)
            .reduce((best, next) => `(${best} ${operator} ${next} ? ${best} : ${next})`),
        };

const byte: Template = ([s, at, more]) =>
  s === undefined || s.num || at === undefined || more !== undefined
    ? undefined
    : {
        tests: [...string(s), ...atLeast(at, 1), `${at.js} <= ${s.js}.length`],
        js: `${s.js}.charCodeAt(${at.js} - 1)`,
      };

const sub: Template = ([s, from, to, more]) =>
  s === undefined || s.num || from === undefined || more !== undefined
    ? undefined
    : {
        tests: [...string(s), ...atLeast(from, 1), ...(to === undefined ? [] : atLeast(to, 0))],
        // Of one character V8 makes no call, and compares it with a constant as a number.
        js:
          to?.js === from.js
            ? `${s.js}.charAt(${from.js} - 1)`
            : `${s.js}.slice(${from.js} - 1${to === undefined ? '' : `, ${to.js}`})`,
      };

/** By name. In emitted code `$I.name` is the function, `$math.name` JavaScript's. */
const templates: Record<string, Template> = {
  floor: unary(number, (x) => `$math.floor(${x})`),
  ceil: unary(number, (x) => `$math.ceil(${x})`),
  sqrt: unary(number, (x) => `$math.sqrt(${x})`),
  abs: unary(number, (x) => `$math.abs(${x})`),
  sin: unary(number, (x) => `$math.sin(${x})`),
  cos: unary(number, (x) => `$math.cos(${x})`),
  max: extreme('>'),
  min: extreme('<'),
  tobit: ofBits((x) => `${x} | 0`),
  bnot: ofBits((x) => `~${x}`),
  band: ofBits((x, y) => `${x} & ${y}`),
  bor: ofBits((x, y) => `${x} | ${y}`),
  bxor: ofBits((x, y) => `${x} ^ ${y}`),
  lshift: ofBits((x, y) => `${x} << ${y}`),
  rshift: ofBits((x, y) => `(${x} >>> ${y}) | 0`),
  arshift: ofBits((x, y) => `${x} >> ${y}`),
  // Places count modulo 32, negative ones too.
  rol: ofBits((x, y) => `(${x} << ${y}) | (${x} >>> -${y})`),
  ror: ofBits((x, y) => `(${x} >>> ${y}) | (${x} << -${y})`),
  byte,
  sub,
  type: unary(
    ({ js, raw }) => (raw ? [`!$isA(${js})`] : []),
    (x) => `$typeName(${x})`,
  ),
  setmetatable: ([t, meta, more]) =>
    t === undefined || meta === undefined || more !== undefined
      ? undefined
      : { tests: [`$setmeta(${t.js}, ${meta.js})`], js: t.js },
};
export function isIntrinsicName(name: string): boolean {
  return Object.hasOwn(templates, name);
}

/** A call of what the program calls `name`, if there is a short way for such arguments. */
export function intrinsic(name: string, args: readonly Operand[]): Intrinsic | undefined {
  return Object.hasOwn(templates, name) ? templates[name]!(args) : undefined;
}

/** Methods that strings have: an object of that name is asked whether it is one first. */
export const STRING_METHODS: ReadonlySet<string> = new Set([
  'byte',
  'char',
  'find',
  'format',
  'gmatch',
  'gsub',
  'len',
  'lower',
  'match',
  'rep',
  'reverse',
  'sub',
  'upper',
]);
