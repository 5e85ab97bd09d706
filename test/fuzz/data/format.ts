/**
 * Format strings: a model that does what libfmt's page says, with exact arithmetic for doubles, beside runtime/fmt.ts.
 * Which of several mistakes is told isn't compared: whether there is one is.
 */
import { type FmtValue, FormatError, formatValues, parseFormat } from '../../../src/runtime/fmt.ts';
import type { Random } from '../random.ts';
import { type Fuzzer, textOf } from './fuzzer.ts';

// ── the model ──────────────────────────────────────────────────────────────────────────────────────

class Refused {}
/** A case that would only take time. */
class TooLarge {}
const LARGEST_SIZE = 10_000;

const refuse = (): never => {
  throw new Refused();
};

/** n = numerator / denominator, exactly. @param n  ≥ 0, finite */
function ratio(n: number): [bigint, bigint] {
  let denominator = 1n;
  while (!Number.isInteger(n)) {
    n *= 2;
    denominator *= 2n;
  }
  return [BigInt(n), denominator];
}

/** numerator / denominator to the nearest integer, halves to the even one. */
function divide(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const rest = 2n * (numerator % denominator);
  return rest > denominator || (rest === denominator && whole % 2n === 1n) ? whole + 1n : whole;
}

const power = (exponent: number): string =>
  `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;

const pointed = (digits: string, places: number, always: boolean): string => {
  const all = digits.padStart(places + 1, '0');
  const whole = all.slice(0, all.length - places);
  return places > 0 || always ? `${whole}.${all.slice(all.length - places)}` : whole;
};

function fixed(n: number, places: number, always: boolean): string {
  const [a, b] = ratio(n);
  return pointed(divide(a * 10n ** BigInt(places), b).toString(), places, always);
}

/** The digits of n, so many, and the exponent of the first. */
function scientific(n: number, count: number): [string, number] {
  if (n === 0) return ['0'.repeat(count), 0];
  const [a, b] = ratio(n);
  const exponent = Number(n.toExponential().split('e')[1]);
  const shift = BigInt(count - 1 - exponent);
  const digits = (
    shift >= 0n ? divide(a * 10n ** shift, b) : divide(a, b * 10n ** -shift)
  ).toString();
  // 9.99… → 10.0…
  return digits.length > count ? [digits.slice(0, count), exponent + 1] : [digits, exponent];
}

function exponential(n: number, places: number, always: boolean): string {
  const [digits, exponent] = scientific(n, places + 1);
  return `${pointed(digits, places, always)}e${power(exponent)}`;
}

const withoutZeros = (text: string): string =>
  text.includes('.') ? text.replace(/\.?0+$/, '') : text;

function general(n: number, precision: number, keepsZeros: boolean): string {
  const count = precision === 0 ? 1 : precision;
  const [digits, exponent] = scientific(n, count);
  if (exponent >= -4 && exponent < count) {
    const text = fixed(n, count - 1 - exponent, keepsZeros);
    return keepsZeros ? text : withoutZeros(text);
  }
  const mantissa = pointed(digits, count - 1, keepsZeros);
  return `${keepsZeros ? mantissa : withoutZeros(mantissa)}e${power(exponent)}`;
}

/** The fewest digits that read back as n: JavaScript's, in another dress. */
function shortest(n: number, always: boolean): string {
  if (n === 0) return always ? '0.0' : '0';
  const [mantissa, exp] = n.toExponential().split('e') as [string, string];
  const exponent = Number(exp);
  const digits = mantissa.replace('.', '');
  if (exponent < -4 || exponent >= 16)
    return `${pointed(digits, digits.length - 1, always)}e${power(exponent)}`;
  const places = Math.max(digits.length - 1 - exponent, 0);
  const text = pointed(digits.padEnd(exponent + 1, '0'), places, false);
  return places === 0 && always ? `${text}.0` : text;
}

const WIDE =
  /[\u{1100}-\u{115f}\u{2329}\u{232a}\u{2e80}-\u{303e}\u{3040}-\u{a4cf}\u{ac00}-\u{d7a3}\u{ff00}-\u{ff60}\u{1f300}-\u{1f64f}]/u;

const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Characters of UTF-8; the texts here have no other bytes. */
const charactersOf = (bytes: string): string[] =>
  Array.from(Buffer.from(bytes, 'latin1').toString('utf8'));

interface Spec {
  readonly fill: string;
  readonly align: string;
  readonly sign: string;
  readonly hash: boolean;
  readonly zero: boolean;
  /** Digits, or `{…}`. */
  readonly width: string;
  readonly precision: string;
  readonly locale: boolean;
  readonly type: string;
}

type Argument = FmtValue | readonly [name: string, value: FmtValue];

const isInteger = (v: FmtValue): v is number =>
  typeof v === 'number' && Number.isInteger(v) && v >= -(2 ** 63) && v < 2 ** 63;

function expectedOf({ pieces, args: given }: Formatting): string {
  const names = new Map<string, FmtValue>();
  const values = given.map((arg) => {
    if (!Array.isArray(arg)) return arg as FmtValue;
    if (!names.has(arg[0])) names.set(arg[0], arg[1]);
    return arg[1] as FmtValue;
  });
  let next = 0;
  const find = (id: string): FmtValue => {
    if (id === '') {
      if (next < 0) refuse();
      return values[next++] ?? refuse();
    }
    if (!/^\d/.test(id)) return names.get(id) ?? refuse();
    if (next > 0) refuse();
    next = -1;
    return values[Number(id)] ?? refuse();
  };
  const size = (text: string): number | undefined => {
    if (text === '') return undefined;
    if (!text.startsWith('{')) return Number(text);
    const v = find(text.slice(1, -1));
    if (!isInteger(v) || v < 0 || v >= 2 ** 31) refuse();
    if ((v as number) > LARGEST_SIZE) throw new TooLarge();
    return v as number;
  };
  return pieces
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      const value = find(piece.id);
      const { spec } = piece;
      if (spec === undefined) return one(value, PLAIN, undefined, undefined);
      const width = size(spec.width);
      return one(value, spec, width, size(spec.precision));
    })
    .join('');
}

const PLAIN: Spec = {
  fill: '',
  align: '',
  sign: '',
  hash: false,
  zero: false,
  width: '',
  precision: '',
  locale: false,
  type: '',
};

function one(
  value: FmtValue,
  spec: Spec,
  width: number | undefined,
  precision: number | undefined,
): string {
  const { type, sign, hash, zero, locale } = spec;
  const isText = typeof value === 'string' || (typeof value === 'boolean' && 's'.includes(type));
  let text: string;
  let columns: number | undefined;
  let prefix = '';
  let otherwise = '>';
  let canZero = true;
  if (typeof value === 'string') {
    if (!['', 's', '?'].includes(type) || sign !== '' || hash || zero || locale) refuse();
    let characters = charactersOf(value);
    if (precision !== undefined) characters = characters.slice(0, precision);
    text = bytesOf(characters.join(''));
    if (type === '?') {
      // The texts that are shown so have nothing but ASCII.
      const named: Record<string, string> = { '\n': '\\n', '\t': '\\t', '"': '\\"', '\\': '\\\\' };
      text = `"${text.replace(/["\\\x00-\x1f\x7f]/g, (c) => named[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
    }
    columns = charactersOf(text).reduce((sum, c) => sum + (WIDE.test(c) ? 2 : 1), 0);
    otherwise = '<';
  } else if (isText) {
    if (sign !== '' || precision !== undefined) refuse();
    text = value ? 'true' : 'false';
    otherwise = '<';
    // A boolean as text takes the fill of a zero, and stands where numbers do.
    if (zero && spec.align === '') return text.padStart(width ?? 0, '0');
  } else if (
    typeof value === 'boolean' ||
    (isInteger(value) && precision === undefined && !'aAeEfFgG'.includes(type || 'd'))
  ) {
    if (typeof value === 'boolean' && (sign !== '' || precision !== undefined)) refuse();
    if (!'doxXbBc'.includes(type || 'd') || (typeof value === 'boolean' && type === 'c')) refuse();
    const n = BigInt(Number(value));
    if (type === 'c') {
      text = String.fromCharCode(Number((n < 0n ? -n : n) & 255n));
      if (zero && spec.align === '') return text.padStart(width ?? 0, '0');
      otherwise = '<';
    } else {
      const size = n < 0n ? -n : n;
      const base = { '': 10, d: 10, o: 8, x: 16, X: 16, b: 2, B: 2 }[type]!;
      text = size.toString(base);
      if (type === 'X') text = text.toUpperCase();
      prefix = n < 0n ? '-' : sign === '-' ? '' : sign;
      if (hash && base === 8 && n !== 0n) prefix += '0';
      if (hash && (base === 16 || base === 2)) prefix += `0${type}`;
    }
  } else {
    const n = Number(value);
    if (!['', ...'aAeEfFgG'].includes(type)) refuse();
    prefix = Object.is(n, -0) || n < 0 ? '-' : sign === '-' ? '' : sign;
    const size = Math.abs(n);
    if (!Number.isFinite(n)) {
      text = n !== n ? 'nan' : 'inf';
      canZero = false;
      otherwise = '<';
      if (zero && spec.align === '') otherwise = '>';
    } else {
      switch (type.toLowerCase()) {
        case 'f':
          text = fixed(size, precision ?? 6, hash);
          break;
        case 'e':
          text = exponential(size, precision ?? 6, hash);
          break;
        case 'g':
          text = general(size, precision ?? 6, hash);
          break;
        case 'a':
          text = refuseHex();
          break;
        default:
          text = precision === undefined ? shortest(size, hash) : general(size, precision, hash);
      }
    }
    if (type !== '' && type === type.toUpperCase()) text = text.toUpperCase();
  }
  const whole = prefix + text;
  const missing = (width ?? 0) - (columns ?? whole.length);
  if (missing <= 0) return whole;
  if (zero && spec.align === '' && canZero) return prefix + '0'.repeat(missing) + text;
  const isFinite = typeof value !== 'number' || Number.isFinite(value);
  const isSpace = spec.align === '' || spec.fill === '' || (spec.fill === '0' && !isFinite);
  const fill = isSpace ? ' ' : bytesOf(spec.fill);
  switch (spec.align || otherwise) {
    case '<':
      return whole + fill.repeat(missing);
    case '>':
      return fill.repeat(missing) + whole;
    default:
      return fill.repeat(missing >> 1) + whole + fill.repeat(missing - (missing >> 1));
  }
}

/** Not made by the generator. */
function refuseHex(): never {
  throw new Error('no model for hexadecimal doubles');
}

// ── well-formed formats ────────────────────────────────────────────────────────────────────────────

interface Field {
  readonly id: string;
  readonly spec: Spec | undefined;
}

interface Formatting {
  readonly pieces: readonly (string | Field)[];
  readonly args: readonly Argument[];
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  42,
  255,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  2 ** 63,
  0.1,
  0.5,
  1.5,
  2.5,
  -2.5,
  1 / 3,
  99.5,
  0.00001,
  0.0001,
  9.995,
  1e15,
  1e16,
  123456789.125,
  1e100,
  5e-324,
  1.7976931348623157e308,
  Number.NaN,
  Infinity,
  -Infinity,
];
const TEXTS = ['', 'a', 'text', 'äöü', '中文', 'x→y', '"q"\n', '\x01\x7f\\'];

function value(random: Random): FmtValue {
  switch (random.int(6)) {
    case 0:
      return random.chance(50);
    case 1:
    case 2:
      return bytesOf(random.pick(TEXTS));
    case 3:
      return random.int(1000) - 500;
    case 4:
      return (random.int(2 ** 31) - 2 ** 30) * 10 ** (random.int(40) - 25);
    default:
      return random.pick(NUMBERS);
  }
}

function field(random: Random, manual: boolean): Field {
  const id = (): string =>
    random.chance(8) ? random.pick(['n', 'm']) : manual ? String(random.int(4)) : '';
  const size = (most: number): string => {
    if (random.chance(60)) return '';
    return random.chance(75) ? String(1 + random.int(most)) : `{${id()}}`;
  };
  if (random.chance(20)) return { id: id(), spec: undefined };
  const align = random.chance(40) ? random.pick(['<', '>', '^']) : '';
  return {
    id: id(),
    spec: {
      fill: align !== '' && random.chance(50) ? random.pick(['*', '0', ' ', '→', 'x', '.']) : '',
      align,
      sign: random.chance(20) ? random.pick(['+', '-', ' ']) : '',
      hash: random.chance(15),
      zero: random.chance(20),
      width: size(20),
      precision: random.chance(60)
        ? ''
        : random.chance(20)
          ? '0'
          : size(random.chance(10) ? 130 : 20),
      locale: random.chance(3),
      type: random.chance(40) ? '' : random.pick([...'doxXbBcseEfFgGp?']),
    },
  };
}

function textOfField({ id, spec }: Field): string {
  if (spec === undefined) return `{${id}}`;
  const { fill, align, sign, hash, zero, width, precision, locale, type } = spec;
  return `{${id}:${align === '' ? '' : bytesOf(fill)}${align}${sign}${hash ? '#' : ''}${zero ? '0' : ''}${width}${precision === '' ? '' : `.${precision}`}${locale ? 'L' : ''}${type}}`;
}

function ours(format: string, given: readonly Argument[]): string | undefined {
  const names = new Map<string, number>();
  const values = given.map((arg, i) => {
    if (!Array.isArray(arg)) return arg as FmtValue;
    if (!names.has(arg[0])) names.set(arg[0], i);
    return arg[1] as FmtValue;
  });
  try {
    return formatValues(parseFormat(format), values, names);
  } catch (fault) {
    if (fault instanceof FormatError) return undefined;
    throw fault;
  }
}

const argumentsOf = (random: Random): Argument[] =>
  random.some(0, 5, () =>
    random.chance(25) ? [random.pick(['n', 'm', 'n1']), value(random)] : value(random),
  );

export const wellFormed: Fuzzer<Formatting> = {
  name: 'format',
  make(random) {
    const manual = random.chance(40);
    const pieces = random.some(1, 3, () =>
      random.chance(25) ? random.pick(['x', '{{', '}}', 'ä ']) : field(random, manual),
    );
    return { pieces, args: argumentsOf(random) };
  },
  check(of) {
    const { pieces } = of;
    // What is made smaller must stay a format.
    const isSize = (text: string): boolean => /^(?:[1-9]\d*|0|\{\w*\})?$/.test(text);
    for (const p of pieces) {
      if (typeof p === 'string') {
        if (/[{}]/.test(p.replace(/\{\{|\}\}/g, ''))) return undefined;
      } else if (p.spec !== undefined) {
        if (!isSize(p.spec.width) || !isSize(p.spec.precision)) return undefined;
        if (p.spec.width === '0') return undefined;
      }
    }
    const format = pieces
      .map((p) => (typeof p === 'string' ? bytesOf(p) : textOfField(p)))
      .join('');
    // A type that one letter changes has no model: see refuseHex.
    let expected: string | undefined;
    try {
      const plain = pieces.map((p) =>
        typeof p === 'string' ? bytesOf(p).replaceAll('{{', '{').replaceAll('}}', '}') : p,
      );
      expected = expectedOf({ pieces: plain, args: of.args });
    } catch (thrown) {
      if (thrown instanceof TooLarge) return undefined;
      if (!(thrown instanceof Refused)) throw thrown;
    }
    const got = ours(format, of.args);
    if (got === expected) return undefined;
    return `${JSON.stringify(format)}: ${JSON.stringify(got)}, and not ${JSON.stringify(expected)}`;
  },
};

// ── any text ───────────────────────────────────────────────────────────────────────────────────────

interface Text {
  readonly format: string;
  readonly args: readonly Argument[];
}

const PIECES = [
  '{',
  '}',
  '{',
  '}',
  '{}',
  '{:',
  '{0',
  '{0:',
  '{n',
  '{n:',
  '{{',
  '}}',
  ...':.0193<>^+- #L?ax\0\xe9\xff',
  '\xe2\x86\x92',
  '{:{',
  '}.{',
  '99999999999',
  '2147483648',
  ...'doxXbBaAeEfFgGcsp',
];

/** A text is formatted or refused, in the same way twice; what has no braces is as it was. */
export const anyText: Fuzzer<Text> = {
  name: 'format-text',
  make: (random) => ({ format: textOf(random, 12, PIECES), args: argumentsOf(random) }),
  check({ format, args }) {
    const first = ours(format, args);
    if (first !== ours(format, args)) return 'not the same twice';
    if (!/[{}]/.test(format) && first !== format) return `${JSON.stringify(first)}`;
    // Put into words before and behind it, it means the same.
    const within = ours(`<${format}>`, args);
    if (
      !format.endsWith('{') &&
      !format.startsWith('}') &&
      within !== undefined &&
      first !== undefined &&
      within !== `<${first}>`
    )
      return `${JSON.stringify(first)} becomes ${JSON.stringify(within)} among other words`;
    return undefined;
  },
};
