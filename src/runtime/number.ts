/** Numbers to text and back, as C's `%.14g` and LuaJIT's scanner have them. */

// No two repetitions that can match the same digits stand side by side: a long text that is no number
// would be tried with each way to share them.
const DECIMAL = /^(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/;
const BINARY = /^0[bB][01]+$/;
const HEX = /^0[xX](?:([\da-fA-F]+)(?:\.([\da-fA-F]*))?|\.([\da-fA-F]+))(?:[pP]([-+]?\d+))?$/;

/** A number as Lua source or `tonumber` reads it, without sign and spaces; undefined when it is none. */
export function parseUnsigned(text: string): number | undefined {
  if (DECIMAL.test(text) || BINARY.test(text)) return Number(text);
  const hex = HEX.exec(text);
  if (hex === null) return undefined;
  if (text.length <= 15 && hex[1] === text.slice(2)) return Number(text);
  const whole = hex[1] ?? '';
  const fraction = hex[2] ?? hex[3] ?? '';
  return hexToNumber(whole + fraction, Number(hex[4] ?? 0) - 4 * fraction.length);
}

/** digits × 2^exponent, rounded once (to nearest, ties to even). */
function hexToNumber(digits: string, exponent: number): number {
  let mantissa = BigInt(`0x${digits}`);
  if (mantissa === 0n) return 0;
  let bits = mantissa.toString(2).length;
  // Keep 64 bits and a sticky one: more than a double needs, even a subnormal one.
  if (bits > 66) {
    const drop = BigInt(bits - 66);
    const sticky = (mantissa & ((1n << drop) - 1n)) !== 0n;
    mantissa = (mantissa >> drop) | (sticky ? 1n : 0n);
    exponent += bits - 66;
    bits = 66;
  }
  const top = exponent + bits; // value < 2^top
  if (top > 1024) return Number.POSITIVE_INFINITY;
  // Bits of precision available: 53, fewer below the normal range.
  const keep = Math.min(53, top + 1074);
  if (keep < 0) return 0;
  const drop = bits - keep;
  if (drop > 0) {
    const d = BigInt(drop);
    const rest = mantissa & ((1n << d) - 1n);
    const half = 1n << (d - 1n);
    mantissa >>= d;
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa += 1n;
    exponent += drop;
  }
  const m = Number(mantissa);
  return exponent < -1000
    ? m * 2 ** -1000 * 2 ** (exponent + 1000)
    : exponent > 900
      ? m * 2 ** 900 * 2 ** (exponent - 900)
      : m * 2 ** exponent;
}

/** `tonumber` of a string: spaces around, a sign, decimal, hexadecimal, binary, `inf` and `nan`. */
export function parseNumber(text: string): number | undefined {
  const n = parseDigits(text);
  return n === n ? n : parseAny(text);
}

function parseAny(text: string): number | undefined {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  if (start === end) return undefined;
  const sign = text.charCodeAt(start);
  if (sign === 45 || sign === 43) start++;
  const body = text.slice(start, end);
  let n = parseUnsigned(body);
  if (n === undefined) {
    const word = body.toLowerCase();
    if (word === 'inf' || word === 'infinity') n = Number.POSITIVE_INFINITY;
    else if (word === 'nan') n = Number.NaN;
    else return undefined;
  }
  return sign === 45 ? -n : n;
}

/**
 * The common case first: up to 15 decimal digits, with `-` and `.` perhaps; NaN when it is anything else.
 * Both the digits and the power of ten are exact, so the quotient is rounded once.
 */
function parseDigits(text: string): number {
  const { length } = text;
  if (length === 0 || length > 15) return Number.NaN;
  let i = text.charCodeAt(0) === 45 ? 1 : 0;
  const negative = i === 1;
  let n = 0;
  let digits = 0;
  let point = 0;
  for (; i < length; i++) {
    const code = text.charCodeAt(i);
    const digit = code - 48;
    if (digit >= 0 && digit <= 9) {
      n = n * 10 + digit;
      digits++;
    } else if (code === 46 && point === 0) point = length - i;
    else return Number.NaN;
  }
  if (digits === 0) return Number.NaN;
  if (point > 1) n /= POWERS_OF_TEN[point - 1]!;
  return negative ? -n : n;
}

const POWERS_OF_TEN = Array.from({ length: 16 }, (_, i) => 10 ** i);

const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13);

/** `tostring` of a number: C's `%.14g`. */
export function formatNumber(n: number): string {
  if (n < 1e14 && n > -1e14) {
    if (Number.isInteger(n)) return n === 0 && 1 / n < 0 ? '-0' : String(n);
    // The shortest text that reads back as n is its %.14g too, if it has no more than 14 digits.
    // It takes as long to find as 14 digits do: only where there are no more than six decimals, about.
    const millionths = n * 1e6;
    if ((n >= 1e-4 || n <= -1e-4) && Math.abs(Math.round(millionths) - millionths) < 1e-3) {
      const shortest = String(n);
      if (shortest.length < 16) return shortest;
    }
  }
  if (n !== n) return 'nan';
  if (n === Number.POSITIVE_INFINITY) return 'inf';
  if (n === Number.NEGATIVE_INFINITY) return '-inf';
  return n < 0 ? `-${general(-n, 14, false)}` : general(n, 14, false);
}

// ── C's conversions of a finite number ≥ 0, to the last digit ──────────────────────────────────────
//
// JavaScript's toFixed and toExponential are exact, but where a number lies halfway between two
// texts they take the larger one, and C takes the one that ends in an even digit.

/** `%.<precision>f`; precision ≤ 99. */
export function fixed(n: number, precision: number): string {
  if (n >= 1e21) {
    const whole = BigInt(n).toString();
    return precision === 0 ? whole : `${whole}.${'0'.repeat(precision)}`;
  }
  if (!endsInFive(n, precision + 1)) return n.toFixed(precision);
  // All of its digits, and the 5 taken off: rounded down.
  const down = n.toFixed(precision + 1).slice(0, precision === 0 ? -2 : -1);
  return isEven(down) ? down : n.toFixed(precision);
}

/** `%.<precision>e`, as a mantissa and an exponent; precision ≤ 99. */
export function exponential(n: number, precision: number): { mantissa: string; exponent: number } {
  if (n >= 1 && n < 1e15 && n === Math.floor(n)) return integerExponential(n, precision);
  const text = n.toExponential(precision);
  const e = text.indexOf('e');
  const mantissa = text.slice(0, e);
  const exponent = exponentAfter(text, e);
  if (n === 0 || hasBitsBelow(n, precision + 2 - exponent)) return { mantissa, exponent };
  // The number that this was rounded from may be of a lower power of ten: 9.5 → 10.
  const power =
    Number(mantissa) === 1 && n.toExponential(precision + 1)[0] === '9' ? exponent - 1 : exponent;
  if (!endsInFive(n, precision + 1 - power)) return { mantissa, exponent };
  const all = n.toExponential(precision + 1).split('e')[0]!;
  const down = all.slice(0, precision === 0 ? -2 : -1);
  return isEven(down) ? { mantissa: down, exponent: power } : { mantissa, exponent };
}

/** What `e+12` at this index of a text says. */
function exponentAfter(text: string, e: number): number {
  let size = 0;
  for (let i = e + 2; i < text.length; i++) size = size * 10 + text.charCodeAt(i) - 48;
  return text.charCodeAt(e + 1) === 45 ? -size : size;
}

/** The same of an integer in [1, 10^15): V8 computes with big integers there. */
function integerExponential(n: number, precision: number): { mantissa: string; exponent: number } {
  let digits = String(n);
  let exponent = digits.length - 1;
  if (exponent > precision) {
    const unit = POWERS_OF_TEN[exponent - precision]!;
    const rest = n % unit;
    let kept = (n - rest) / unit;
    if (rest > unit / 2 || (rest === unit / 2 && kept % 2 === 1)) kept++;
    digits = String(kept);
    if (digits.length > precision + 1) {
      exponent++;
      digits = digits.slice(0, -1);
    }
  } else digits += '0'.repeat(precision - exponent);
  if (precision === 0) return { mantissa: digits, exponent };
  return { mantissa: `${digits[0]}.${digits.slice(1)}`, exponent };
}

/** `%.<precision>g`; with `keepZeros` as `%#g`. */
export function general(n: number, precision: number, keepZeros: boolean): string {
  if (precision === 0) precision = 1;
  if (n === 0 && !keepZeros) return '0';
  if (!keepZeros && n >= 1e-4 && n < 1e15) {
    // Not halfway between two texts, if it has binary digits beyond those that a decimal 5 would have.
    if (hasBitsBelow(n, precision + 5)) {
      const text = n.toPrecision(precision);
      if (!text.includes('e')) return stripZeros(text);
    } else {
      // Few digits: the shortest text that reads back as n has no more than it is to have.
      const shortest = String(n);
      if (precision <= 15) {
        if (shortest.length <= precision) return shortest;
        // As many digits after the point as make up the precision, if the point stays there.
        const places = precision - 1 - exponentOf(n);
        if (places >= 0) {
          const text = fixed(n, places);
          if (places > 0 || text.length <= precision) return stripZeros(text);
        }
      }
    }
  }
  const { mantissa, exponent } = exponential(n, precision - 1);
  if (exponent < -4 || exponent >= precision) {
    const m = keepZeros ? withPoint(mantissa) : stripZeros(mantissa);
    return m + exponentText(exponent);
  }
  const digits = mantissa.replace('.', '');
  let text: string;
  if (exponent < 0) text = `0.${'0'.repeat(-exponent - 1)}${digits}`;
  else {
    const whole = exponent + 1;
    text = whole < digits.length ? `${digits.slice(0, whole)}.${digits.slice(whole)}` : digits;
  }
  return keepZeros ? withPoint(text) : stripZeros(text);
}

/** Of the power of ten below a number in [10^-4, 10^15). */
function exponentOf(n: number): number {
  if (n < 1) return n >= 0.1 ? -1 : n >= 0.01 ? -2 : n >= 0.001 ? -3 : -4;
  let exponent = 0;
  while (n >= POWERS_OF_TEN[exponent + 1]!) exponent++;
  return exponent;
}

/** `e+05`: two digits at least. */
export function exponentText(exponent: number): string {
  const size = Math.abs(exponent);
  return `e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
}

export function withPoint(text: string): string {
  return text.includes('.') ? text : `${text}.`;
}

function stripZeros(text: string): string {
  let end = text.length;
  // Most numbers have none.
  if (text.charCodeAt(end - 1) !== 48 || !text.includes('.')) return text;
  while (text.charCodeAt(end - 1) === 48) end--;
  if (text.charCodeAt(end - 1) === 46) end--;
  return text.slice(0, end);
}

/** 2^0 … 2^127: JavaScript's `**` is a call. */
const POWERS = Array.from({ length: 128 }, (_, i) => 2 ** i);

/** It has binary digits after the first `places` of its fraction: decimal digits there, too. */
function hasBitsBelow(n: number, places: number): boolean {
  if (places <= 0 || places > 127) return false;
  const scaled = n * POWERS[places]!;
  return scaled !== Math.floor(scaled);
}

/** Is digit `place` after the decimal point (≤ 0: before it) the last one that is not 0, and a 5? */
function endsInFive(n: number, place: number): boolean {
  if (place > 0) {
    // A fraction in base 2 has as many digits as in base 10, and there always ends in 5.
    if (hasBitsBelow(n, place)) return false;
    const scaled = n * 2 ** place;
    return scaled % 2 === 1;
  }
  if (!Number.isInteger(n)) return false;
  const unit = 10n ** BigInt(-place);
  return BigInt(n) % (unit * 10n) === unit * 5n;
}

function isEven(text: string): boolean {
  return text.charCodeAt(text.length - 1) % 2 === 0;
}
