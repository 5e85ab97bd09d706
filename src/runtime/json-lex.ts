/**
 * The tokens of JSON (RFC 8259), in a Lua string: one byte a code unit, so text in UTF-8 passes through
 * as it is. Strict: nothing that the RFC does not have is taken for JSON.
 *
 * A lexer may hold the beginning of a document only (`more`). A token that the end of the text cuts off
 * is then `CUT`, and the lexer stands where the token began.
 */

/** Codes of syntax errors; their category is `json.lexer_ecat`. */
export const FAULT = {
  unexpectedToken: 1,
  invalidKey: 2,
  invalidValue: 3,
  incompatibleType: 4,
  unbalancedEndArray: 5,
  unbalancedEndObject: 6,
  expectedEndArray: 7,
  expectedEndObject: 8,
  tooLarge: 9,
} as const;

export const faultMessages: readonly string[] = [
  'no error',
  'unexpected token',
  'invalid key',
  'invalid value',
  'incompatible type',
  'unbalanced end array bracket',
  'unbalanced end object bracket',
  'expected end array bracket',
  'expected end object bracket',
  'too large',
];

/** What is wrong, and where. Internal: modules/json.ts makes Lua's error object of it. */
export class JsonFault {
  readonly code: number;
  /** From the beginning of the lexer's text. */
  readonly offset: number;
  /** Of the document's structure (depth, range), not of its syntax. */
  readonly dom: boolean;
  constructor(code: number, offset: number, dom = false) {
    this.code = code;
    this.offset = offset;
    this.dom = dom;
  }
}

/** Codes of `json.dom_ecat`. */
export const DOM = {
  resultOutOfRange: 1,
  tooManyLevels: 2,
  arrayTooLong: 3,
  cycleExists: 4,
} as const;

export const domMessages: readonly string[] = [
  'Success',
  'ERANGE on json',
  'Too many levels',
  'Array too long',
  'Reference cycle exists',
];

/** The text ends within the token, and there is more to come. */
export const CUT = Symbol('cut');
export type Cut = typeof CUT;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;

/** 10^0 … 10^22: the powers of ten that are doubles. */
const POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

const ESCAPES: { readonly [letter: string]: string } = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const isDigit = (c: number): boolean => c >= ZERO && c <= NINE;

export class JsonLexer {
  text: string;
  pos = 0;
  /** The document goes on after the text. */
  more: boolean;

  constructor(text: string, more = false) {
    this.text = text;
    this.more = more;
  }

  /** Go over white space. @returns the code of the byte there; -1 at the end of the text */
  space(): number {
    const { text } = this;
    let { pos } = this;
    while (pos < text.length) {
      const c = text.charCodeAt(pos);
      if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) {
        this.pos = pos;
        return c;
      }
      pos++;
    }
    this.pos = pos;
    return -1;
  }

  /**
   * A string; the lexer stands on its quote.
   * @param code   of the fault when it is none
   */
  string(code: number = FAULT.invalidValue): string | Cut {
    const { text } = this;
    const start = this.pos + 1;
    let pos = start;
    for (; pos < text.length; pos++) {
      const c = text.charCodeAt(pos);
      if (c === QUOTE) {
        this.pos = pos + 1;
        return text.substring(start, pos);
      }
      if (c === BACKSLASH) return this.escaped(start, pos, code);
      if (c < 0x20) throw new JsonFault(code, pos);
    }
    if (this.more) return CUT;
    throw new JsonFault(code, pos);
  }

  /** The same, from its first backslash on. */
  private escaped(start: number, pos: number, code: number): string | Cut {
    const { text } = this;
    let value = '';
    let from = start;
    while (pos < text.length) {
      const c = text.charCodeAt(pos);
      if (c === QUOTE) {
        this.pos = pos + 1;
        return value + text.substring(from, pos);
      }
      if (c < 0x20) throw new JsonFault(code, pos);
      if (c !== BACKSLASH) {
        pos++;
        continue;
      }
      value += text.substring(from, pos);
      if (pos + 1 >= text.length) break;
      const letter = text[pos + 1]!;
      if (letter !== 'u') {
        const plain = ESCAPES[letter];
        if (plain === undefined) throw new JsonFault(code, pos);
        value += plain;
        pos += 2;
      } else {
        const unit = this.unit(pos, code);
        if (unit === undefined) break;
        pos += 6;
        let point = unit;
        if (unit >= 0xd800 && unit <= 0xdbff) {
          // Half of a pair needs to be followed by the other half.
          if (pos + 6 > text.length && this.more && '\\u'.startsWith(text.substring(pos, pos + 2)))
            return CUT;
          const low = text.startsWith('\\u', pos) ? this.unit(pos, code) : 0;
          if (low === undefined) break;
          if (low >= 0xdc00 && low <= 0xdfff) {
            point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            pos += 6;
          }
        }
        value += utf8(point);
      }
      from = pos;
    }
    if (this.more) return CUT;
    throw new JsonFault(code, text.length);
  }

  /** The four digits of `\uXXXX` at `at`; undefined where the text ends before. */
  private unit(at: number, code: number): number | undefined {
    const { text } = this;
    let value = 0;
    for (let i = at + 2; i < at + 6; i++) {
      if (i >= text.length) return undefined;
      const c = text.charCodeAt(i);
      const lower = c | 0x20;
      if (isDigit(c)) value = value * 16 + (c - ZERO);
      else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + (lower - 87);
      else throw new JsonFault(code, at);
    }
    return value;
  }

  /** A number; the lexer stands on its first byte. */
  number(): number | Cut {
    const { text } = this;
    const start = this.pos;
    let pos = start;
    const negative = text.charCodeAt(pos) === MINUS;
    if (negative) pos++;
    const first = text.charCodeAt(pos);
    let mantissa = 0;
    let digits = 0;
    while (pos < text.length) {
      const c = text.charCodeAt(pos);
      if (!isDigit(c)) break;
      mantissa = mantissa * 10 + (c - ZERO);
      digits++;
      pos++;
    }
    const c = pos < text.length ? text.charCodeAt(pos) : 0;
    if (digits === 0) {
      if (pos === text.length && this.more) return CUT;
      throw new JsonFault(FAULT.invalidValue, pos);
    }
    if (first === ZERO && digits > 1) throw new JsonFault(FAULT.invalidValue, start);
    if (pos === text.length && this.more) return CUT;
    if (c !== POINT && (c | 0x20) !== 0x65) {
      this.pos = pos;
      if (digits <= 15) return negative ? -mantissa : mantissa;
      return integer(text.substring(start, pos), start);
    }
    // As many digits as a double holds, and a power of ten that is one: the quotient is rounded once.
    let fraction = 0;
    if (c === POINT) {
      pos++;
      const from = pos;
      while (pos < text.length) {
        const d = text.charCodeAt(pos);
        if (!isDigit(d)) break;
        mantissa = mantissa * 10 + (d - ZERO);
        pos++;
      }
      fraction = pos - from;
      if (pos === text.length && this.more) return CUT;
      if (fraction === 0) throw new JsonFault(FAULT.invalidValue, pos);
      const e = pos < text.length ? text.charCodeAt(pos) | 0x20 : 0;
      if (e !== 0x65 && digits + fraction <= 15) {
        this.pos = pos;
        const value = mantissa / POWERS[fraction]!;
        return negative ? -value : value;
      }
    }
    if (pos < text.length && (text.charCodeAt(pos) | 0x20) === 0x65) {
      pos++;
      const sign = text.charCodeAt(pos);
      if (sign === MINUS || sign === 0x2b) pos++;
      const from = pos;
      while (pos < text.length && isDigit(text.charCodeAt(pos))) pos++;
      if (pos === text.length && this.more) return CUT;
      if (pos === from) throw new JsonFault(FAULT.invalidValue, pos);
    }
    const value = Number(text.substring(start, pos));
    if (!Number.isFinite(value)) throw new JsonFault(DOM.resultOutOfRange, start, true);
    this.pos = pos;
    return value;
  }

  /** Is `word` here? The lexer then stands behind it. */
  word(word: string): boolean | Cut {
    const { text, pos } = this;
    if (text.startsWith(word, pos)) {
      this.pos = pos + word.length;
      return true;
    }
    if (this.more && text.length - pos < word.length && word.startsWith(text.substring(pos)))
      return CUT;
    throw new JsonFault(FAULT.unexpectedToken, pos);
  }
}

/** An integer of more than 15 digits: one that 64 bits hold, rounded to a double. */
function integer(text: string, at: number): number {
  const value = BigInt(text);
  if (value > 2n ** 63n - 1n || value < -(2n ** 63n)) {
    throw new JsonFault(DOM.resultOutOfRange, at, true);
  }
  return Number(value);
}

/** The bytes of a code point in UTF-8 (RFC 3629); halves of pairs become U+FFFD. */
export function utf8(point: number): string {
  if (point < 0x80) return String.fromCharCode(point);
  if (point < 0x800) return String.fromCharCode(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
  if (point >= 0xd800 && point <= 0xdfff) return '\xef\xbf\xbd';
  if (point < 0x10000) {
    return String.fromCharCode(
      0xe0 | (point >> 12),
      0x80 | ((point >> 6) & 0x3f),
      0x80 | (point & 0x3f),
    );
  }
  return String.fromCharCode(
    0xf0 | (point >> 18),
    0x80 | ((point >> 12) & 0x3f),
    0x80 | ((point >> 6) & 0x3f),
    0x80 | (point & 0x3f),
  );
}
