/**
 * One conversion of C's printf as LuaJIT has it: `%-8.3f` parsed once, then applied to numbers and
 * strings. lj_strfmt_num.c is the model where C leaves a choice (`%a`, non-finite numbers).
 */
import { exponential, exponentText, fixed, general, withPoint } from './number.ts';

/** The part of `%-08.3f` between `%` and the letter. */
export interface Layout {
  readonly left: boolean;
  readonly plus: boolean;
  readonly space: boolean;
  /** `#` */
  readonly alternative: boolean;
  readonly zero: boolean;
  /** At least this many characters. */
  readonly width: number;
  /** undefined: none given */
  readonly precision: number | undefined;
}

/** Fill up to the width. Zeros go between prefix (sign, `0x`) and digits. */
function fill(layout: Layout, prefix: string, digits: string, zeros: boolean): string {
  const missing = layout.width - prefix.length - digits.length;
  if (missing <= 0) return prefix + digits;
  const { spaces, zeros: noughts } = fillings();
  if (layout.left) return prefix + digits + spaces[missing]!;
  if (zeros) return prefix + noughts[missing]! + digits;
  return spaces[missing]! + prefix + digits;
}

/** By how many are missing: a width has two digits. */
interface Fillings {
  readonly spaces: readonly string[];
  readonly zeros: readonly string[];
}
/** Made when they are wanted, as all lists here: most programs have none of them. */
let known: Fillings | undefined;

export function fillings(): Fillings {
  known ??= {
    spaces: Array.from({ length: 100 }, (_, i) => ' '.repeat(i)),
    zeros: Array.from({ length: 100 }, (_, i) => '0'.repeat(i)),
  };
  return known;
}

/** `%s`: the precision is a maximum. */
export function formatText(layout: Layout, text: string): string {
  const { precision } = layout;
  return fill(layout, '', precision === undefined ? text : text.slice(0, precision), false);
}

/** `%c`: one byte. */
export function formatByte(layout: Layout, code: number): string {
  return fill(layout, '', String.fromCharCode(code & 255), false);
}

// ── integers ───────────────────────────────────────────────────────────────────────────────────────

const INT64_MIN = -(2n ** 63n);

/** What a conversion to int64_t makes of a double; out of its range (and NaN) it is INT64_MIN. */
function toInt64(n: number): bigint {
  return n >= -(2 ** 63) && n < 2 ** 63 ? BigInt(Math.trunc(n)) : INT64_MIN;
}

/** To uint64_t: negative numbers wrap around. */
function toUint64(n: number): bigint {
  return BigInt.asUintN(64, toInt64(n >= 2 ** 63 ? n - 2 ** 64 : n));
}

/** `%d` */
export function formatSigned(layout: Layout, n: number): string {
  if ((n | 0) === n && n > 0 && !layout.plus && !layout.space && layout.precision === undefined)
    return fill(layout, '', String(n), layout.zero);
  const k = Number.isSafeInteger(Math.trunc(n)) ? Math.trunc(n) : toInt64(n);
  const digits = String(k < 0 ? -k : k);
  return formatDigits(layout, signOf(layout, k < 0), digits);
}

/** `%u %o %x %X` */
export function formatUnsigned(layout: Layout, n: number, letter: string): string {
  const k = n >= 0 && n <= Number.MAX_SAFE_INTEGER ? Math.trunc(n) : toUint64(n);
  switch (letter) {
    case 'u':
      return formatDigits(layout, '', String(k));
    case 'o': {
      const digits = k.toString(8);
      return formatDigits(
        layout,
        '',
        layout.alternative && (digits !== '0' || layout.precision === 0) ? `0${digits}` : digits,
      );
    }
    default: {
      const digits = letter === 'x' ? k.toString(16) : k.toString(16).toUpperCase();
      return formatDigits(layout, layout.alternative && digits !== '0' ? `0${letter}` : '', digits);
    }
  }
}

let hex: readonly string[] | undefined;
let hexByte: readonly string[] = [];

/** Of an integer in [0, 2^31): V8's own way takes twice as long. */
export function smallHex(n: number): string {
  if (hex === undefined) {
    hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16));
    hexByte = hex.map((digits) => digits.padStart(2, '0'));
  }
  if (n < 256) return hex[n]!;
  if (n < 65536) return hex[n >>> 8]! + hexByte[n & 255]!;
  return smallHex(n >>> 16) + (hexByte[(n >>> 8) & 255]! + hexByte[n & 255]!);
}

/** The precision of an integer is a minimum of digits, and turns the flag `0` off. */
function formatDigits(layout: Layout, prefix: string, digits: string): string {
  const { precision } = layout;
  if (precision === undefined) return fill(layout, prefix, digits, layout.zero);
  if (precision === 0 && digits === '0') digits = '';
  else if (digits === '00') digits = '0';
  return fill(layout, prefix, digits.padStart(precision, '0'), false);
}

function signOf(layout: Layout, negative: boolean): string {
  if (negative) return '-';
  return layout.plus ? '+' : layout.space ? ' ' : '';
}

// ── floating point ─────────────────────────────────────────────────────────────────────────────────

/** `%e %f %g %a`; a capital letter makes all letters capital. */
export function formatFloat(layout: Layout, n: number, letter: string): string {
  switch (letter) {
    case 'f':
    case 'g':
    case 'e':
    case 'a':
      return finite(n) ? floatText(layout, n, letter) : nonFinite(layout, n);
    default:
      return formatFloat(layout, n, letter.toLowerCase()).toUpperCase();
  }
}

const finite = Number.isFinite;

function nonFinite(layout: Layout, n: number): string {
  if (n !== n) return fill(layout, layout.space ? ' ' : '', 'nan', false);
  return fill(layout, signOf(layout, n < 0), 'inf', false);
}

function floatText(layout: Layout, n: number, kind: string): string {
  const negative = n < 0 || (n === 0 && 1 / n < 0);
  if (negative) n = -n;
  const sign = signOf(layout, negative);
  const precision = layout.precision ?? 6;
  const { alternative, zero } = layout;
  switch (kind) {
    case 'f': {
      const text = fixed(n, precision);
      return fill(layout, sign, alternative ? withPoint(text) : text, zero);
    }
    case 'e': {
      const { mantissa, exponent } = exponential(n, precision);
      return fill(
        layout,
        sign,
        (alternative ? withPoint(mantissa) : mantissa) + exponentText(exponent),
        zero,
      );
    }
    case 'g':
      return fill(layout, sign, general(n, precision, alternative), zero);
    default:
      return fill(layout, `${sign}0x`, hexadecimal(n, layout.precision, alternative), zero);
  }
}

const bits = new DataView(new ArrayBuffer(8));

/** `%a` of n ≥ 0, without `0x`: `1.8p+1`. */
function hexadecimal(n: number, precision: number | undefined, alternative: boolean): string {
  bits.setFloat64(0, n);
  let exponent = bits.getUint16(0) >> 4;
  let mantissa = bits.getBigUint64(0) & 0xf_ffff_ffff_ffffn;
  if (exponent !== 0) {
    mantissa |= 1n << 52n;
    exponent -= 1023;
  } else if (mantissa !== 0n) {
    const shift = 53 - mantissa.toString(2).length;
    mantissa <<= BigInt(shift);
    exponent = -1022 - shift;
  }
  if (precision !== undefined && precision < 13) mantissa += 1n << BigInt(51 - precision * 4);
  let fraction = (mantissa & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, '0');
  if (precision === undefined) fraction = fraction.replace(/0+$/, '');
  else fraction = fraction.slice(0, precision).padEnd(precision, '0');
  const point = fraction !== '' || alternative ? '.' : '';
  return `${mantissa >> 52n}${point}${fraction}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}
