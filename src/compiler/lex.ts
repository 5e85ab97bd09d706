/**
 * Bytes → tokens. The source is a string in which each code unit is one byte (0–255).
 * Lua 5.1 manual §2.1, with LuaJIT's `\x`, `\z`, `\u{}` escapes, hex floats and `::`.
 */
import { CHAR, keywords, T, tokenName } from './token.ts';

/** Of UTF-8, as some editors write it: no part of the text. */
const BYTE_ORDER_MARK = '\xef\xbb\xbf';

/** Characters of a token that a message shows. LuaJIT shows all, be it 10 MB. */
const MAX_NEAR = 80;
const shorten = (text: string): string =>
  text.length <= MAX_NEAR ? text : `${text.slice(0, MAX_NEAR)}...`;

/** A mistake in Lua source; `message` is complete: `chunk:line: text near 'token'`. */
export class LuaSyntaxError extends Error {}

// One table of character classes instead of chains of comparisons.
const SPACE = 1;
const DIGIT = 2;
const ALPHA = 4; // letters, `_`, and every byte above 127, as LuaJIT has it
const HEX = 8;
const classes = new Uint8Array(256);
for (const c of ' \t\v\f\r\n') classes[c.charCodeAt(0)]! |= SPACE;
for (let c = 48; c <= 57; c++) classes[c]! |= DIGIT | HEX;
for (let c = 65; c <= 90; c++) classes[c]! |= ALPHA;
for (let c = 97; c <= 122; c++) classes[c]! |= ALPHA;
for (let c = 128; c <= 255; c++) classes[c]! |= ALPHA;
for (const c of 'abcdefABCDEF') classes[c.charCodeAt(0)]! |= HEX;
classes[95]! |= ALPHA;

const isDigit = (c: number): boolean => (classes[c]! & DIGIT) !== 0;
const isHex = (c: number): boolean => (classes[c]! & HEX) !== 0;

const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

export class Lexer {
  /** The current token: its kind, value and line. */
  kind: number = T.eof;
  text = '';
  value = 0;
  line = 1;
  /** Line of the token before the current one. */
  lastLine = 1;
  private pos = 0;
  private tokenStart = 0;
  private aheadKind = -1;
  private aheadText = '';
  private aheadValue = 0;
  private aheadLine = 0;
  private readonly source: string;
  /** As messages print it: `file.lua`, `[string "…"]`. */
  readonly chunkName: string;
  private readonly parseNumber: (text: string) => number | undefined;

  constructor(
    source: string,
    chunkName: string,
    parseNumber: (text: string) => number | undefined,
  ) {
    this.source = source;
    this.chunkName = chunkName;
    this.parseNumber = parseNumber;
    if (source.startsWith(BYTE_ORDER_MARK)) this.pos = BYTE_ORDER_MARK.length;
    if (source.charCodeAt(this.pos) === 35 /* # */) {
      while (this.pos < source.length && !this.atNewline()) this.pos++;
    }
  }

  next(): void {
    this.lastLine = this.line;
    if (this.aheadKind >= 0) {
      this.kind = this.aheadKind;
      this.text = this.aheadText;
      this.value = this.aheadValue;
      this.line = this.aheadLine;
      this.aheadKind = -1;
      return;
    }
    this.kind = this.scan();
  }

  /** Where the current token begins, unless the next one has been looked at. */
  get position(): number {
    return this.tokenStart;
  }

  /** Go on at the token there. */
  moveTo(position: number, line: number): void {
    this.pos = position;
    this.line = line;
    this.aheadKind = -1;
    this.next();
  }

  /** The kind of the token after the current one. */
  peek(): number {
    if (this.aheadKind >= 0) return this.aheadKind;
    const { kind, text, value, line, lastLine } = this;
    this.next();
    this.aheadKind = this.kind;
    this.aheadText = this.text;
    this.aheadValue = this.value;
    this.aheadLine = this.line;
    this.kind = kind;
    this.text = text;
    this.value = value;
    this.line = line;
    this.lastLine = lastLine;
    return this.aheadKind;
  }

  /** `message near 'token'`, at the current line. */
  errorNear(message: string, kind: number = this.kind): never {
    let near: string;
    if (kind === T.name || kind === T.string || kind === T.number) {
      near = this.aheadKind >= 0 ? this.text : this.source.slice(this.tokenStart, this.pos);
    } else near = tokenName(kind);
    // LuaJIT has no name for a NUL.
    this.fail(kind === CHAR ? message : `${message} near '${shorten(near)}'`);
  }

  fail(message: string, line: number = this.line): never {
    throw new LuaSyntaxError(`${this.chunkName}:${line}: ${message}`);
  }

  /** What is wrong comes after the last backslash. */
  private badEscape(): never {
    this.pos = this.source.lastIndexOf('\\', this.pos - 1);
    this.failNearText('invalid escape sequence');
  }

  private failNearText(message: string): never {
    this.fail(`${message} near '${shorten(this.source.slice(this.tokenStart, this.pos))}'`);
  }

  private atNewline(): boolean {
    const c = this.source.charCodeAt(this.pos);
    return c === 10 || c === 13;
  }

  /** Step over \n, \r, \r\n or \n\r: one line. */
  private newline(): void {
    const c = this.source.charCodeAt(this.pos++);
    const d = this.source.charCodeAt(this.pos);
    if ((d === 10 || d === 13) && d !== c) this.pos++;
    if (++this.line > 0x7fffff00) this.fail('chunk has too many lines');
  }

  private scan(): number {
    const { source } = this;
    for (;;) {
      if (this.pos >= source.length) {
        this.tokenStart = this.pos;
        return T.eof;
      }
      const c = source.charCodeAt(this.pos);
      const cls = classes[c]!;
      if (cls & SPACE) {
        if (c === 10 || c === 13) this.newline();
        else this.pos++;
        continue;
      }
      this.tokenStart = this.pos;
      if (cls & ALPHA) return this.scanName();
      if (cls & DIGIT) return this.scanNumber();
      const d = source.charCodeAt(this.pos + 1);
      switch (c) {
        case 45 /* - */:
          if (d !== 45) break;
          this.pos += 2;
          this.skipComment();
          continue;
        case 91 /* [ */:
          {
            if (d !== 91 && d !== 61) break;
            const level = this.longBracketLevel();
            if (level >= 0) {
              this.text = this.scanLong(level, 'string');
              return T.string;
            }
            if (level === -1) break;
            this.pos += -level; // `[===` without a second bracket
            this.failNearText('invalid long string delimiter');
            break;
          }
        case 34:
        case 39:
          this.text = this.scanString(c);
          return T.string;
        case 61 /* = */:
          if (d === 61) {
            this.pos += 2;
            return T.eq;
          }
          break;
        case 60 /* < */:
          if (d === 61) {
            this.pos += 2;
            return T.le;
          }
          break;
        case 62 /* > */:
          if (d === 61) {
            this.pos += 2;
            return T.ge;
          }
          break;
        case 126 /* ~ */:
          if (d === 61) {
            this.pos += 2;
            return T.ne;
          }
          break;
        case 58 /* : */:
          if (d === 58) {
            this.pos += 2;
            return T.label;
          }
          break;
        case 46 /* . */:
          if (d === 46) {
            if (source.charCodeAt(this.pos + 2) === 46) {
              this.pos += 3;
              return T.dots;
            }
            this.pos += 2;
            return T.concat;
          }
          if (isDigit(d)) return this.scanNumber();
          break;
        default:
      }
      this.pos++;
      return CHAR + c;
    }
  }

  private scanName(): number {
    const { source } = this;
    let end = this.pos + 1;
    while (end < source.length && classes[source.charCodeAt(end)]! & (ALPHA | DIGIT)) end++;
    const word = source.slice(this.pos, end);
    this.pos = end;
    const keyword = keywords.get(word);
    if (keyword !== undefined) return keyword;
    this.text = word;
    return T.name;
  }

  private scanNumber(): number {
    const { source } = this;
    let exponent = 101; // e
    if (source.charCodeAt(this.pos) === 48 && (source.charCodeAt(this.pos + 1) | 32) === 120) {
      exponent = 112; // p
      this.pos += 2;
    }
    for (;;) {
      const c = source.charCodeAt(this.pos);
      if ((c | 32) === exponent) {
        this.pos++;
        const sign = source.charCodeAt(this.pos);
        if (sign === 43 || sign === 45) this.pos++;
      } else if (c === 46 || classes[c]! & (ALPHA | DIGIT)) this.pos++;
      else break;
    }
    this.text = source.slice(this.tokenStart, this.pos);
    const value = this.parseNumber(this.text);
    if (value === undefined) this.failNearText('malformed number');
    this.value = value!;
    return T.number;
  }

  private skipComment(): void {
    const { source } = this;
    if (source.charCodeAt(this.pos) === 91) {
      const level = this.longBracketLevel();
      if (level >= 0) {
        this.scanLong(level, 'comment');
        return;
      }
    }
    while (this.pos < source.length && !this.atNewline()) this.pos++;
  }

  /** At `[`: the number of `=` of a long bracket, or -1 - (how many there were) when it is none. */
  private longBracketLevel(): number {
    let at = this.pos + 1;
    while (this.source.charCodeAt(at) === 61) at++;
    const level = at - this.pos - 1;
    return this.source.charCodeAt(at) === 91 ? level : -1 - level;
  }

  private scanLong(level: number, what: 'string' | 'comment'): string {
    const { source } = this;
    const startLine = this.line;
    this.pos += level + 2;
    if (this.pos < source.length && this.atNewline()) this.newline();
    const close = `]${'='.repeat(level)}]`;
    const end = source.indexOf(close, this.pos);
    if (end < 0) {
      while (this.pos < source.length) {
        if (this.atNewline()) this.newline();
        else this.pos++;
      }
      this.fail(`unfinished long ${what} near '<eof>'`, startLine === 0 ? 1 : this.line);
    }
    let text = '';
    let from = this.pos;
    while (this.pos < end) {
      if (this.atNewline()) {
        text += `${source.slice(from, this.pos)}\n`;
        this.newline();
        from = this.pos;
      } else this.pos++;
    }
    if (from < end) text += source.slice(from, end);
    this.pos = end + close.length;
    return text;
  }

  private scanString(quote: number): string {
    const { source } = this;
    let text = '';
    this.pos++;
    let from = this.pos;
    for (;;) {
      const c = source.charCodeAt(this.pos);
      if (c === quote) break;
      if (this.pos >= source.length) {
        this.tokenStart = this.pos;
        this.fail("unfinished string near '<eof>'");
      }
      if (c === 10 || c === 13) this.failNearText('unfinished string');
      if (c === 92) {
        text += source.slice(from, this.pos) + this.scanEscape();
        from = this.pos;
      } else this.pos++;
    }
    text += source.slice(from, this.pos);
    this.pos++;
    return text;
  }

  /** At a backslash: the bytes that the escape stands for. */
  private scanEscape(): string {
    const { source } = this;
    this.pos++;
    const c = source.charCodeAt(this.pos);
    if (this.pos >= source.length) return ''; // the caller reports the unfinished string
    if (c === 10 || c === 13) {
      this.newline();
      return '\n';
    }
    if (isDigit(c)) {
      let code = 0;
      for (let i = 0; i < 3 && isDigit(source.charCodeAt(this.pos)); i++) {
        code = code * 10 + source.charCodeAt(this.pos++) - 48;
      }
      if (code > 255) this.badEscape();
      return String.fromCharCode(code);
    }
    const letter = source[this.pos]!;
    this.pos++;
    if (letter === 'x') {
      const digits = source.slice(this.pos, this.pos + 2);
      if (!isHex(digits.charCodeAt(0)) || !isHex(digits.charCodeAt(1))) {
        this.badEscape();
      }
      this.pos += 2;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (letter === 'z') {
      while (this.pos < source.length && classes[source.charCodeAt(this.pos)]! & SPACE) {
        if (this.atNewline()) this.newline();
        else this.pos++;
      }
      return '';
    }
    if (letter === 'u') return this.scanUnicode();
    const plain = ESCAPES[letter];
    if (plain === undefined) this.badEscape();
    return plain!;
  }

  /** After `\u`: `{hex}` as UTF-8 bytes. */
  private scanUnicode(): string {
    const { source } = this;
    if (source.charCodeAt(this.pos) !== 123) this.badEscape();
    this.pos++;
    let code = 0;
    const first = this.pos;
    while (isHex(source.charCodeAt(this.pos))) {
      code = code * 16 + Number.parseInt(source[this.pos]!, 16);
      this.pos++;
      if (code > 0x10ffff) this.badEscape();
    }
    if (
      this.pos === first ||
      source.charCodeAt(this.pos) !== 125 ||
      (code >= 0xd800 && code < 0xe000)
    ) {
      this.badEscape();
    }
    this.pos++;
    return utf8(code);
  }
}

/** One code point as UTF-8, each byte a code unit. RFC 3629. */
export function utf8(code: number): string {
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 63));
  if (code < 0x10000) {
    return String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return String.fromCharCode(
    0xf0 | (code >> 18),
    0x80 | ((code >> 12) & 63),
    0x80 | ((code >> 6) & 63),
    0x80 | (code & 63),
  );
}
