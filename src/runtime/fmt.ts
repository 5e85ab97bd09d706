/**
 * libfmt's format strings, as its version 10 reads them: `{}`, `{0}`, `{name:*>8.2f}`, `{:{}.{w}}`.
 *
 * A format is parsed once for all types of arguments. What it says wrongly is part of the parsed form,
 * at the place where libfmt would find it: a program sees the mistake that comes first in the text, and
 * a missing argument before a mistake in its own specification. Source: fmt.dev/10.2.0/syntax.html.
 */
import { exponential, exponentText, fixed, general, withPoint } from './number.ts';

export type FmtValue = boolean | number | string;

/** A format that can't be used, or not with these arguments: libfmt's wording. */
export class FormatError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Types as libfmt has them: a number with an integral value is an int64. */
const BOOL = 0;
const INT = 1;
const DOUBLE = 2;
const STRING = 3;
type Kind = typeof BOOL | typeof INT | typeof DOUBLE | typeof STRING;
const ALL: readonly Kind[] = [BOOL, INT, DOUBLE, STRING];

/** An argument's position, from 0, or name. */
type ArgId = number | string;

/** A number, or the argument that has it. */
type Size = number | { readonly id: ArgId };

interface Spec {
  /** One code point: its bytes. */
  fill: string;
  /** `=`: zeros after the sign. Empty: each type has its own. */
  align: '' | '<' | '>' | '^' | '=';
  sign: '' | '+' | '-' | ' ';
  /** `#` */
  alternative: boolean;
  /** 0: none. */
  width: Size;
  /** -1: none. */
  precision: Size;
  /** A letter, `?`, or empty. */
  type: string;
  /** By kind: the first thing in the text that values of this kind don't have. */
  readonly faults: (string | undefined)[];
  /** The text ends before the `}`. */
  isOpen: boolean;
}

interface Field {
  readonly id: ArgId;
  readonly spec: Spec | undefined;
  /** Why the rest of it can't be read. */
  readonly mistake: string | undefined;
}

/** Where the text can't be read any further. */
interface Mistake {
  readonly mistake: string;
  readonly id: undefined;
}

type Piece = string | Field | Mistake;
export type Format = readonly Piece[];

const INVALID_FORMAT = 'invalid format string';
const INVALID_SPEC = 'invalid format specifier';
const MISSING_BRACE = "missing '}' in format string";
const NOT_FOUND = 'argument not found';
const TOO_BIG = 'number is too big';
const NO_MEMORY = 'not enough memory';

const MAX_INT = 2 ** 31 - 1;
/** V8's limit. */
const MAX_STRING = 2 ** 29 - 24;

// ── formatting ─────────────────────────────────────────────────────────────────────────────────────

/**
 * @param names  positions of arguments that have a name
 * @throws FormatError
 */
export function formatValues(
  format: Format,
  values: readonly FmtValue[],
  names: ReadonlyMap<string, number> | undefined,
): string {
  const find = (id: ArgId): FmtValue => {
    const value = values[typeof id === 'number' ? id : (names?.get(id) ?? -1)];
    if (value === undefined) throw new FormatError(NOT_FOUND);
    return value;
  };
  let text = '';
  for (const piece of format) {
    const part = typeof piece === 'string' ? piece : partOf(piece, find);
    if (text.length + part.length > MAX_STRING) throw new FormatError(NO_MEMORY);
    text += part;
  }
  return text;
}

function partOf(piece: Field | Mistake, find: (id: ArgId) => FmtValue): string {
  if (piece.id === undefined) throw new FormatError(piece.mistake);
  const value = find(piece.id);
  const { spec, mistake } = piece;
  if (spec !== undefined) return withSpec(value, spec, mistake, find);
  if (mistake !== undefined) throw new FormatError(mistake);
  return plain(value);
}

function kindOf(value: FmtValue): Kind {
  switch (typeof value) {
    case 'boolean':
      return BOOL;
    case 'string':
      return STRING;
    default:
      return Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63 ? INT : DOUBLE;
  }
}

/** `{}` */
function plain(value: FmtValue): string {
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'string':
      return value;
    default:
      if (kindOf(value) === INT) return integerDigits(value, 10);
      if (!Number.isFinite(value)) return value !== value ? 'nan' : value < 0 ? '-inf' : 'inf';
      return value < 0 ? `-${shortest(-value, false)}` : shortest(value, false);
  }
}

function withSpec(
  value: FmtValue,
  spec: Spec,
  mistake: string | undefined,
  find: (id: ArgId) => FmtValue,
): string {
  let kind = kindOf(value);
  // Not as libfmt: a number that happens to be integral still has two decimals when asked for them.
  if (kind === INT && spec.faults[INT] !== undefined && spec.faults[DOUBLE] === undefined)
    kind = DOUBLE;
  const fault = spec.faults[kind] ?? mistake;
  if (fault !== undefined) throw new FormatError(fault);
  const width = sizeOf(spec.width, 'width', find);
  const precision = sizeOf(spec.precision, 'precision', find);
  if (spec.isOpen) throw new FormatError(MISSING_BRACE);
  if (width > MAX_STRING || precision > MAX_STRING) throw new FormatError(NO_MEMORY);
  switch (kind) {
    case BOOL:
      return spec.type === '' || spec.type === 's'
        ? pad(spec, width, value ? 'true' : 'false', '<')
        : formatInteger(spec, width, value ? 1 : 0);
    case INT:
      return formatInteger(spec, width, value as number);
    case DOUBLE:
      return formatFloat(spec, width, precision, value as number);
    default:
      return formatString(spec, width, precision, value as string);
  }
}

function sizeOf(size: Size, what: 'width' | 'precision', find: (id: ArgId) => FmtValue): number {
  if (typeof size === 'number') return size;
  const value = find(size.id);
  if (kindOf(value) !== INT) throw new FormatError(`${what} is not integer`);
  if ((value as number) < 0) throw new FormatError(`negative ${what}`);
  if ((value as number) > MAX_INT) throw new FormatError(TOO_BIG);
  return value as number;
}

/** Fill up to the width. @param size  columns that the text takes */
function pad(
  spec: Spec,
  width: number,
  text: string,
  otherwise: '<' | '>',
  size = text.length,
): string {
  const missing = width - size;
  if (missing <= 0) return text;
  switch (spec.align === '' ? otherwise : spec.align) {
    case '<':
      return text + spec.fill.repeat(missing);
    case '^': {
      const left = missing >> 1;
      return spec.fill.repeat(left) + text + spec.fill.repeat(missing - left);
    }
    default:
      return spec.fill.repeat(missing) + text;
  }
}

// ── integers ───────────────────────────────────────────────────────────────────────────────────────

const integerDigits = (n: number, base: number): string =>
  Number.isSafeInteger(n) ? (n === 0 ? '0' : n.toString(base)) : BigInt(n).toString(base);

function formatInteger(spec: Spec, width: number, n: number): string {
  const { type, alternative } = spec;
  if (type === 'c') {
    return pad(spec, width, String.fromCharCode(Number(BigInt(Math.abs(n)) & 255n)), '<');
  }
  let prefix = n < 0 ? '-' : spec.sign === '-' ? '' : spec.sign;
  const size = Math.abs(n);
  let digits: string;
  switch (type) {
    case '':
    case 'd':
      digits = integerDigits(size, 10);
      break;
    case 'o':
      digits = integerDigits(size, 8);
      if (alternative && n !== 0) prefix += '0';
      break;
    default:
      digits = integerDigits(size, type === 'b' || type === 'B' ? 2 : 16);
      if (type === 'X') digits = digits.toUpperCase();
      if (alternative) prefix += `0${type}`;
  }
  if (spec.align === '=') return prefix + digits.padStart(width - prefix.length, '0');
  return pad(spec, width, prefix + digits, '>');
}

// ── doubles ────────────────────────────────────────────────────────────────────────────────────────

function formatFloat(spec: Spec, width: number, precision: number, n: number): string {
  const negative = n < 0 || (n === 0 && 1 / n < 0);
  const sign = negative ? '-' : spec.sign === '-' ? '' : spec.sign;
  const lower = spec.type.toLowerCase();
  const cased = (text: string): string => (lower === spec.type ? text : text.toUpperCase());
  if (!Number.isFinite(n)) {
    const text = sign + cased(n !== n ? 'nan' : 'inf');
    return pad(spec.fill === '0' ? { ...spec, fill: ' ' } : spec, width, text, '<');
  }
  const text = cased(floatText(Math.abs(n), lower, precision, spec.alternative));
  if (spec.align === '=') return sign + pad(spec, width - sign.length, text, '>');
  return pad(spec, width, sign + text, '>');
}

/** @param n  ≥ 0, finite */
function floatText(n: number, type: string, precision: number, alternative: boolean): string {
  switch (type) {
    case 'a':
      return hexadecimal(n, precision, alternative);
    case 'f': {
      const text = toFixed(n, precision < 0 ? 6 : precision);
      return alternative ? withPoint(text) : text;
    }
    case 'e': {
      const { mantissa, exponent } = toExponential(n, precision < 0 ? 6 : precision);
      return (alternative ? withPoint(mantissa) : mantissa) + exponentText(exponent);
    }
    default:
      if (type === '' && precision < 0) return shortest(n, alternative);
      return toGeneral(n, precision < 0 ? 6 : precision, alternative);
  }
}

/** The fewest digits that read back as n. */
function shortest(n: number, alternative: boolean): string {
  const [mantissa, exp] = n.toExponential().split('e') as [string, string];
  const exponent = Number(exp);
  if (exponent < -4 || exponent >= 16) {
    return (alternative ? withPoint(mantissa) : mantissa) + exponentText(exponent);
  }
  const digits = mantissa.replace('.', '');
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = exponent + 1;
  if (digits.length > whole) return `${digits.slice(0, whole)}.${digits.slice(whole)}`;
  return digits.padEnd(whole, '0') + (alternative ? '.0' : '');
}

// JavaScript's own conversions end at 100 digits.

function toFixed(n: number, precision: number): string {
  if (precision <= 99) return fixed(n, precision);
  const { digits, exponent } = exactDigits(n);
  const all = digits
    .padStart(-exponent + 1, '0')
    .padEnd(digits.length + Math.max(exponent, 0), '0');
  const places = Math.max(-exponent, 0);
  const { whole, fraction } = rounded(
    all.slice(0, all.length - places),
    all.slice(all.length - places),
    precision,
  );
  return `${whole}.${fraction}`;
}

function toExponential(n: number, precision: number): { mantissa: string; exponent: number } {
  if (precision <= 99) return exponential(n, precision);
  const { digits, exponent } = exactDigits(n);
  const power = n === 0 ? 0 : exponent + digits.length - 1;
  const { whole, fraction } = rounded(digits[0]!, digits.slice(1), precision);
  // 9.99… → 10.00…
  return whole.length > 1
    ? { mantissa: `1.${fraction}`, exponent: power + 1 }
    : { mantissa: `${whole}.${fraction}`, exponent: power };
}

function toGeneral(n: number, precision: number, alternative: boolean): string {
  if (precision <= 99) return general(n, precision, alternative);
  const { mantissa, exponent } = toExponential(n, precision - 1);
  if (exponent >= -4 && exponent < precision) {
    const text = toFixed(n, precision - 1 - exponent);
    return alternative ? withPoint(text) : withoutZeros(text);
  }
  return (alternative ? mantissa : withoutZeros(mantissa)) + exponentText(exponent);
}

const withoutZeros = (text: string): string =>
  text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;

/** n = digits × 10^exponent, to the last digit. */
function exactDigits(n: number): { digits: string; exponent: number } {
  if (Number.isInteger(n)) return { digits: BigInt(n).toString(), exponent: 0 };
  // An odd integer × 2^-k is that integer × 5^k × 10^-k.
  let k = 0;
  let scaled = n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    k++;
  }
  return { digits: (BigInt(scaled) * 5n ** BigInt(k)).toString(), exponent: -k };
}

/** whole.fraction with this many digits after the point, halves to even. */
function rounded(
  whole: string,
  fraction: string,
  precision: number,
): { whole: string; fraction: string } {
  if (fraction.length <= precision) return { whole, fraction: fraction.padEnd(precision, '0') };
  const kept = whole + fraction.slice(0, precision);
  const rest = fraction.slice(precision);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const isOdd = Number(kept.at(-1)) % 2 === 1;
  const up = rest > half || (rest === half && isOdd);
  const digits = up ? (BigInt(kept) + 1n).toString().padStart(kept.length, '0') : kept;
  const split = digits.length - precision;
  return { whole: digits.slice(0, split), fraction: digits.slice(split) };
}

const bits = new DataView(new ArrayBuffer(8));

/** `0x1.8p+1`; subnormal numbers as `0x0.8p-1022`, since libfmt does not shift them. */
function hexadecimal(n: number, precision: number, alternative: boolean): string {
  bits.setFloat64(0, n);
  const biased = bits.getUint16(0) >> 4;
  let mantissa = bits.getBigUint64(0) & 0xf_ffff_ffff_ffffn;
  if (biased !== 0) mantissa |= 1n << 52n;
  const exponent = (biased === 0 ? 1 : biased) - 1023;
  if (precision >= 0 && precision < 13) {
    // Halves go up.
    const dropped = BigInt(52 - precision * 4);
    if (((mantissa >> (dropped - 4n)) & 15n) >= 8n) mantissa += 1n << dropped;
    mantissa = (mantissa >> dropped) << dropped;
  }
  let fraction = (mantissa & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, '0').replace(/0+$/, '');
  if (precision > 0) fraction = fraction.padEnd(precision, '0');
  const point = fraction !== '' || alternative ? '.' : '';
  return `0x${mantissa >> 52n}${point}${fraction}p${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
}

// ── strings ────────────────────────────────────────────────────────────────────────────────────────

function formatString(spec: Spec, width: number, precision: number, text: string): string {
  const isDebug = spec.type === '?';
  if (precision >= 0 && precision < text.length) text = text.slice(0, byteIndex(text, precision));
  if (isDebug) text = escaped(text);
  if (width === 0) return text;
  return pad(spec, width, text, '<', columns(text));
}

/** Bytes that the first `count` code points take; a byte that belongs to none counts as one. */
function byteIndex(text: string, count: number): number {
  let i = 0;
  while (i < text.length && count-- > 0) i += sizeInUtf8(codePointAt(text, i));
  return i;
}

/** Terminal columns: wide characters take two. */
function columns(text: string): number {
  let total = 0;
  for (let i = 0; i < text.length; ) {
    const code = codePointAt(text, i);
    total += isWide(code) ? 2 : 1;
    i += sizeInUtf8(code);
  }
  return total;
}

/** Of UTF-8; -1 where it is none. */
function codePointAt(text: string, at: number): number {
  const lead = text.charCodeAt(at);
  if (lead < 0x80) return lead;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  if (length === 0 || lead > 0xf4 || at + length > text.length) return -1;
  let code = lead & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    const next = text.charCodeAt(at + i);
    if ((next & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (next & 0x3f);
  }
  const isOverlong = code < [0, 0, 0x80, 0x800, 0x10000][length]!;
  const isSurrogate = code >= 0xd800 && code < 0xe000;
  return isOverlong || isSurrogate || code > 0x10ffff ? -1 : code;
}

const sizeInUtf8 = (code: number): number =>
  code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

/** First and last code points of each range of wide characters, as libfmt lists them. */
const WIDE = [
  0x1100, 0x115f, 0x2329, 0x232a, 0x2e80, 0x303e, 0x3040, 0xa4cf, 0xac00, 0xd7a3, 0xf900, 0xfaff,
  0xfe10, 0xfe19, 0xfe30, 0xfe6f, 0xff00, 0xff60, 0xffe0, 0xffe6, 0x1f300, 0x1f64f, 0x1f900,
  0x1f9ff, 0x20000, 0x2fffd, 0x30000, 0x3fffd,
];

function isWide(code: number): boolean {
  if (code < 0x1100) return false;
  for (let i = 0; i < WIDE.length; i += 2) {
    if (code <= WIDE[i + 1]!) return code >= WIDE[i]!;
  }
  return false;
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** `?`: the text as a literal of C++. */
function escaped(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; ) {
    const code = codePointAt(text, i);
    const size = sizeInUtf8(code);
    const bytes = text.slice(i, i + size);
    i += size;
    if (code < 0) out += `\\x${hex(bytes.charCodeAt(0), 2)}`;
    else if (code === 10) out += '\\n';
    else if (code === 13) out += '\\r';
    else if (code === 9) out += '\\t';
    else if (code === 34 || code === 92) out += `\\${bytes}`;
    else if (code === 32 || !/[\p{C}\p{Z}]/u.test(String.fromCodePoint(code))) out += bytes;
    else if (code < 0x100) out += `\\x${hex(code, 2)}`;
    else if (code < 0x10000) out += `\\u${hex(code, 4)}`;
    else out += `\\U${hex(code, 8)}`;
  }
  return `${out}"`;
}

// ── parsing ────────────────────────────────────────────────────────────────────────────────────────

const PARSED = new Map<string, Format>();
const MOST_PARSED = 500;
const LONGEST_KEPT = 500;

/** Never throws: mistakes are pieces. The last formats are kept. */
export function parseFormat(text: string): Format {
  let format = PARSED.get(text);
  if (format === undefined) {
    format = new Parser(text).parse();
    if (text.length <= LONGEST_KEPT) {
      if (PARSED.size >= MOST_PARSED) PARSED.clear();
      PARSED.set(text, format);
    }
  }
  return format;
}

/** Thrown and caught in here. */
class Stop {
  readonly mistake: string;
  constructor(mistake: string) {
    this.mistake = mistake;
  }
}

/** The order of what a specification may have; each at most once. */
const START = 0;
const ALIGN = 1;
const SIGN = 2;
const HASH = 3;
const ZERO = 4;
const WIDTH = 5;
const PRECISION = 6;
const LOCALE = 7;

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';
const isAlign = (c: string | undefined): c is '<' | '>' | '^' =>
  c === '<' || c === '>' || c === '^';
const BRACE = /[{}]/g;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

/** Which kinds a letter is for. */
const TYPES = new Map<string, readonly Kind[]>([
  ...[...'doxXbB'].map((letter): [string, Kind[]] => [letter, [BOOL, INT]]),
  ...[...'aAeEfFgG'].map((letter): [string, Kind[]] => [letter, [DOUBLE]]),
  ['c', [INT]],
  ['s', [BOOL, STRING]],
  ['p', []],
  ['?', [STRING]],
]);

class Parser {
  private readonly text: string;
  private at = 0;
  /** The next argument of `{}`; -1 once a position has been given. */
  private nextId = 0;

  constructor(text: string) {
    this.text = text;
  }

  parse(): Format {
    const { text } = this;
    const pieces: Piece[] = [];
    let literal = '';
    const flush = (): void => {
      if (literal !== '') pieces.push(literal);
      literal = '';
    };
    try {
      while (this.at < text.length) {
        BRACE.lastIndex = this.at;
        const end = BRACE.exec(text)?.index ?? text.length;
        literal += text.slice(this.at, end);
        if (end === text.length) break;
        this.at = end + 1;
        if (text[this.at] === text[end]) {
          literal += text[end];
          this.at++;
        } else if (text[end] === '}') throw new Stop("unmatched '}' in format string");
        else {
          flush();
          const field = this.field();
          pieces.push(field);
          if (field.mistake !== undefined || field.spec?.isOpen) return pieces;
        }
      }
      flush();
    } catch (stop) {
      if (!(stop instanceof Stop)) throw stop;
      flush();
      pieces.push({ mistake: stop.mistake, id: undefined });
    }
    return pieces;
  }

  /** What follows a `{`. */
  private field(): Field {
    const { text } = this;
    if (this.at === text.length) throw new Stop(INVALID_FORMAT);
    const id = this.argId();
    const next = text[this.at++];
    if (next === '}') return { id, spec: undefined, mistake: undefined };
    // A name has been looked for by now.
    if (next !== ':') return { id, spec: undefined, mistake: MISSING_BRACE };
    const spec: Spec = {
      fill: ' ',
      align: '',
      sign: '',
      alternative: false,
      width: 0,
      precision: -1,
      type: '',
      faults: [undefined, undefined, undefined, undefined],
      isOpen: false,
    };
    try {
      this.spec(spec);
    } catch (stop) {
      if (!(stop instanceof Stop)) throw stop;
      return { id, spec, mistake: stop.mistake };
    }
    spec.isOpen = text[this.at++] !== '}';
    return { id, spec, mistake: undefined };
  }

  private argId(): ArgId {
    const { text } = this;
    const c = text[this.at];
    if (c === '}' || c === ':') {
      if (this.nextId < 0)
        throw new Stop('cannot switch from manual to automatic argument indexing');
      return this.nextId++;
    }
    if (isDigit(c)) {
      let index = 0;
      if (c === '0') this.at++;
      else index = this.integer() ?? MAX_INT;
      const end = text[this.at];
      if (end !== '}' && end !== ':') throw new Stop(INVALID_FORMAT);
      if (this.nextId > 0)
        throw new Stop('cannot switch from automatic to manual argument indexing');
      this.nextId = -1;
      return index;
    }
    NAME.lastIndex = this.at;
    const name = NAME.exec(text)?.[0];
    if (name === undefined) throw new Stop(INVALID_FORMAT);
    this.at += name.length;
    return name;
  }

  /** Digits; undefined when they make no int. */
  private integer(): number | undefined {
    const start = this.at;
    while (isDigit(this.text[this.at])) this.at++;
    const value = Number(this.text.slice(start, this.at));
    return this.at - start <= 10 && value <= MAX_INT ? value : undefined;
  }

  /** A number or `{id}`; `otherwise` where there is neither. */
  private size(otherwise: number): Size {
    const c = this.text[this.at];
    if (isDigit(c)) {
      const value = this.integer();
      if (value === undefined) throw new Stop(TOO_BIG);
      return value;
    }
    if (c !== '{') return otherwise;
    this.at++;
    if (this.at === this.text.length) throw new Stop(INVALID_FORMAT);
    const id = this.argId();
    if (this.text[this.at++] !== '}') throw new Stop(INVALID_FORMAT);
    return { id };
  }

  /** What stands between `:` and `}`, up to the first character that can't belong to it. */
  private spec(spec: Spec): void {
    const { text } = this;
    let state = START;
    const only = (kinds: readonly Kind[], message = INVALID_SPEC): void => {
      for (const kind of ALL) if (!kinds.includes(kind)) spec.faults[kind] ??= message;
    };
    const enter = (next: number): void => {
      if (state >= next) throw new Stop(INVALID_SPEC);
      state = next;
    };
    // A character before an alignment is the fill, whatever it is.
    let isFill = isAlign(text[this.at + 1]);
    for (;;) {
      const c = text[this.at];
      if (c === undefined || c === '}') return;
      if (isFill) {
        isFill = false;
        this.fill(spec, enter);
        continue;
      }
      switch (c) {
        case '<':
        case '>':
        case '^':
          enter(ALIGN);
          spec.align = c;
          this.at++;
          break;
        case '+':
        case '-':
        case ' ':
          enter(SIGN);
          only([INT, DOUBLE]);
          spec.sign = c;
          this.at++;
          break;
        case '#':
          enter(HASH);
          only([BOOL, INT, DOUBLE]);
          spec.alternative = true;
          this.at++;
          break;
        case '0':
          enter(ZERO);
          only([BOOL, INT, DOUBLE], 'format specifier requires numeric argument');
          if (spec.align === '') {
            spec.align = '=';
            spec.fill = '0';
          }
          this.at++;
          break;
        case '1':
        case '2':
        case '3':
        case '4':
        case '5':
        case '6':
        case '7':
        case '8':
        case '9':
        case '{':
          enter(WIDTH);
          spec.width = this.size(0);
          break;
        case '.': {
          enter(PRECISION);
          only([DOUBLE, STRING]);
          this.at++;
          const next = text[this.at];
          if (next === undefined || next === '}') throw new Stop('invalid precision');
          spec.precision = this.size(-1);
          break;
        }
        case 'L':
          enter(LOCALE);
          only([BOOL, INT, DOUBLE]);
          this.at++;
          break;
        default: {
          const kinds = TYPES.get(c);
          if (kinds === undefined) {
            this.fill(spec, enter);
            break;
          }
          only(kinds);
          spec.type = c;
          this.at++;
          return;
        }
      }
    }
  }

  /** One code point and an alignment. */
  private fill(spec: Spec, enter: (state: number) => void): void {
    const { text } = this;
    const end = this.at + lengthByLead(text.charCodeAt(this.at));
    if (end >= text.length) throw new Stop(INVALID_SPEC);
    if (text[this.at] === '{') throw new Stop("invalid fill character '{'");
    const align = text[end];
    if (!isAlign(align)) throw new Stop(INVALID_SPEC);
    enter(ALIGN);
    spec.fill = text.slice(this.at, end);
    spec.align = align;
    this.at = end + 1;
  }
}

/** Bytes of a code point, as its first byte has it. */
function lengthByLead(byte: number): number {
  if (byte < 0xc0 || byte >= 0xf8) return 1;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}
