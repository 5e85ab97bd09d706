/** `math`. Lua 5.1 manual §5.6, with LuaJIT's random numbers and base of `log`. */
import { checkInteger, checkNumber } from '../runtime/check.ts';
import { numberPow } from '../runtime/ops.ts';
import { Random } from '../runtime/random.ts';
import { intrinsics } from '../runtime/state.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { type LuaModule, PerVm, Template } from './define.ts';

// Functions that programs call often are written out, each for itself: V8 inlines them then.

/** Of two equal or unordered numbers it is the later one, as C's compilers have it. */
function max(x: LuaValue, y: LuaValue, ...more: LuaValue[]): number {
  if (typeof x === 'number' && typeof y === 'number' && more.length === 0) return x > y ? x : y;
  return maxOf(arguments);
}

function maxOf(args: IArguments): number {
  let best = checkNumber(args[0], 1, 'max');
  for (let i = 1; i < args.length; i++) {
    const next = checkNumber(args[i], i + 1, 'max');
    if (!(best > next)) best = next;
  }
  return best;
}

function min(x: LuaValue, y: LuaValue, ...more: LuaValue[]): number {
  if (typeof x === 'number' && typeof y === 'number' && more.length === 0) return x < y ? x : y;
  return minOf(arguments);
}

function minOf(args: IArguments): number {
  let best = checkNumber(args[0], 1, 'min');
  for (let i = 1; i < args.length; i++) {
    const next = checkNumber(args[i], i + 1, 'min');
    if (!(best < next)) best = next;
  }
  return best;
}

function log(x: LuaValue, base: LuaValue): number {
  const n = checkNumber(x, 1, 'log');
  if (base === undefined && arguments.length < 2) return Math.log(n);
  return Math.log2(n) * (1 / Math.log2(checkNumber(base, 2, 'log')));
}

/** Integral and fractional part, both with the sign of x. */
function modf(x: LuaValue): Result {
  const n = checkNumber(x, 1, 'modf');
  const whole = Math.trunc(n);
  const fraction = Number.isFinite(n) ? n - whole : n !== n ? n : 0;
  return [whole, fraction === 0 && (n < 0 || Object.is(n, -0)) ? -0 : fraction];
}

const float = new DataView(new ArrayBuffer(8));

/** x = m · 2^e, with 0.5 ≤ |m| < 1. */
function frexp(x: LuaValue): Result {
  const n = checkNumber(x, 1, 'frexp');
  if (n === 0 || !Number.isFinite(n)) return [n, 0];
  const subnormal = Math.abs(n) < 2 ** -1022;
  float.setFloat64(0, subnormal ? n * 2 ** 54 : n);
  const high = float.getUint32(0);
  const exponent = ((high >>> 20) & 0x7ff) - 1022;
  float.setUint32(0, (high & 0x800fffff) | 0x3fe00000);
  return [float.getFloat64(0), subnormal ? exponent - 54 : exponent];
}

/** m · 2^e, rounded once. */
function ldexp(m: LuaValue, e: LuaValue): number {
  let n = checkNumber(m, 1, 'ldexp');
  let exponent = Math.max(-2200, Math.min(2200, checkInteger(e, 2, 'ldexp')));
  for (; exponent > 1000; exponent -= 1000) n *= 2 ** 1000;
  // Step down only as far as nothing is lost; the last product rounds.
  for (; exponent < -1000; exponent += 900) {
    if (Math.abs(n) < 2 ** -100) return n * 0;
    n *= 2 ** -900;
  }
  return n * 2 ** exponent;
}

// ── random ─────────────────────────────────────────────────────────────────────────────────────────

/** Each VM has its own generator, and these two functions. */
const random = (generator: Random): LuaFunction =>
  /** In [0, 1); with one argument in 1 … m; with two in m … n. As in LuaJIT, no interval is empty. */
  function random(m: LuaValue, n: LuaValue): number {
    const r = generator.next();
    if (m === undefined) return r;
    const low = checkNumber(m, 1, 'random');
    if (n === undefined) return Math.floor(r * low) + 1;
    return Math.floor(r * (checkNumber(n, 2, 'random') - low + 1)) + low;
  };

const randomseed = (generator: Random): LuaFunction =>
  function randomseed(seed: LuaValue): Result {
    generator.seed(checkNumber(seed, 1, 'randomseed'));
    return NONE;
  };

const members = {
  abs: (x: LuaValue) => Math.abs(checkNumber(x, 1, 'abs')),
  acos: (x: LuaValue) => Math.acos(checkNumber(x, 1, 'acos')),
  asin: (x: LuaValue) => Math.asin(checkNumber(x, 1, 'asin')),
  atan: (x: LuaValue) => Math.atan(checkNumber(x, 1, 'atan')),
  atan2: (y: LuaValue, x: LuaValue) =>
    Math.atan2(checkNumber(y, 1, 'atan2'), checkNumber(x, 2, 'atan2')),
  ceil: (x: LuaValue) => Math.ceil(checkNumber(x, 1, 'ceil')),
  cos: (x: LuaValue) => Math.cos(checkNumber(x, 1, 'cos')),
  cosh: (x: LuaValue) => Math.cosh(checkNumber(x, 1, 'cosh')),
  deg: (x: LuaValue) => checkNumber(x, 1, 'deg') * (180 / Math.PI),
  exp: (x: LuaValue) => Math.exp(checkNumber(x, 1, 'exp')),
  floor: (x: LuaValue) => Math.floor(checkNumber(x, 1, 'floor')),
  fmod: (x: LuaValue, y: LuaValue) => checkNumber(x, 1, 'fmod') % checkNumber(y, 2, 'fmod'),
  frexp,
  huge: Number.POSITIVE_INFINITY,
  ldexp,
  log,
  log10: (x: LuaValue) => Math.log10(checkNumber(x, 1, 'log10')),
  max,
  min,
  modf,
  pi: Math.PI,
  pow: (x: LuaValue, y: LuaValue) => numberPow(checkNumber(x, 1, 'pow'), checkNumber(y, 2, 'pow')),
  rad: (x: LuaValue) => checkNumber(x, 1, 'rad') * (Math.PI / 180),
  sin: (x: LuaValue) => Math.sin(checkNumber(x, 1, 'sin')),
  sinh: (x: LuaValue) => Math.sinh(checkNumber(x, 1, 'sinh')),
  sqrt: (x: LuaValue) => Math.sqrt(checkNumber(x, 1, 'sqrt')),
  tan: (x: LuaValue) => Math.tan(checkNumber(x, 1, 'tan')),
  tanh: (x: LuaValue) => Math.tanh(checkNumber(x, 1, 'tanh')),
};

Object.assign(intrinsics, {
  floor: members.floor,
  ceil: members.ceil,
  sqrt: members.sqrt,
  abs: members.abs,
  sin: members.sin,
  cos: members.cos,
  tan: members.tan,
  asin: members.asin,
  acos: members.acos,
  atan: members.atan,
  atan2: members.atan2,
  exp: members.exp,
  log,
  pow: members.pow,
  fmod: members.fmod,
  max,
  min,
});

const template = new Template({
  ...members,
  random: new PerVm(random),
  randomseed: new PerVm(randomseed),
});

export const math: LuaModule = { name: 'math', create: () => template.make(new Random()) };
