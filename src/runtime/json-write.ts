/**
 * Writes JSON piece by piece, and puts the separators between the pieces. The pieces go to one buffer of
 * bytes: a rope of as many strings would be copied again and again by the garbage collector.
 */
import { decodeBytes, encodeBytes } from './bytes.ts';
import { FAULT, JsonFault } from './json-lex.ts';

/** What may come next, for each array or object that is open, and for the document itself. */
const DOCUMENT = 0;
const DONE = 1;
const FIRST_ELEMENT = 2;
const ELEMENT = 3;
const FIRST_KEY = 4;
const KEY = 5;
const VALUE = 6;

const SPECIAL = /["\\\x00-\x1f]/;
const EACH_SPECIAL = /["\\\x00-\x1f]/g;
const SHORT: { readonly [c: string]: string } = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function escapeSpecial(c: string): string {
  return SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A string as it stands between its quotes. Bytes above 127 stay as they are: UTF-8 remains UTF-8. */
function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(EACH_SPECIAL, escapeSpecial) : text;
}

/** Up to this length a loop over the bytes is faster than two built-in functions. */
const SHORT_TEXT = 48;

/** Memory of a writer that is done, for the next one. */
let spare: Uint8Array | undefined;
const FIRST_SIZE = 1024;
const LARGEST_SPARE = 1024 * 1024;

export class JsonWriter {
  private bytes: Uint8Array;
  private length = 0;
  private state = DOCUMENT;
  /** The states of what the innermost open array or object is in. */
  private readonly outer: number[] = [];
  /** One level of indentation; '' for none. */
  readonly indent: string;

  constructor(indent = '') {
    this.indent = indent;
    this.bytes = spare ?? new Uint8Array(FIRST_SIZE);
    spare = undefined;
  }

  get level(): number {
    return this.outer.length;
  }

  /** Text of a value that is neither array nor object, or of anything that is JSON already. */
  literal(text: string): void {
    this.before();
    this.ascii(text);
  }

  /** An integer of up to nine digits has a way of its own. */
  number(n: number): void {
    this.before();
    if (n >= 0 && n < 1e9 && n % 1 === 0 && !Object.is(n, -0)) this.digits(n);
    else this.ascii(numberText(n));
  }

  /** A string: a value, or a key where one is due. */
  string(text: string): void {
    if (this.state === FIRST_KEY || this.state === KEY) this.key(text);
    else {
      this.before();
      this.quoted(text);
    }
  }

  key(text: string): void {
    const { state } = this;
    if (state === KEY) this.byte(0x2c);
    else if (state !== FIRST_KEY) throw new JsonFault(FAULT.invalidKey, 0);
    this.state = VALUE;
    if (this.indent !== '') this.newLine();
    this.quoted(text);
    this.byte(0x3a);
    if (this.indent !== '') this.byte(0x20);
  }

  beginArray(): void {
    this.begin(0x5b, FIRST_ELEMENT);
  }
  endArray(): void {
    if (this.state !== FIRST_ELEMENT && this.state !== ELEMENT) {
      throw new JsonFault(FAULT.unbalancedEndArray, 0);
    }
    this.end(0x5d, this.state === FIRST_ELEMENT);
  }
  beginObject(): void {
    this.begin(0x7b, FIRST_KEY);
  }
  endObject(): void {
    if (this.state !== FIRST_KEY && this.state !== KEY) {
      throw new JsonFault(FAULT.unbalancedEndObject, 0);
    }
    this.end(0x7d, this.state === FIRST_KEY);
  }

  /** The text so far; the writer begins anew. */
  generate(): string {
    if (this.outer.length > 0) {
      const inArray = this.state === FIRST_ELEMENT || this.state === ELEMENT;
      throw new JsonFault(inArray ? FAULT.expectedEndArray : FAULT.expectedEndObject, 0);
    }
    const { bytes } = this;
    const text = decodeBytes(bytes, 0, this.length);
    if (bytes.length <= LARGEST_SPARE) spare = bytes;
    this.bytes = new Uint8Array(0);
    this.length = 0;
    this.state = DOCUMENT;
    return text;
  }

  private begin(bracket: number, state: number): void {
    this.before();
    this.byte(bracket);
    this.outer.push(this.state);
    this.state = state;
  }

  private end(bracket: number, empty: boolean): void {
    this.state = this.outer.pop()!;
    if (!empty && this.indent !== '') this.newLine();
    this.byte(bracket);
  }

  private newLine(): void {
    this.byte(0x0a);
    for (let i = this.outer.length; i > 0; i--) this.ascii(this.indent);
  }

  /** What goes before a value; the state moves on. */
  private before(): void {
    const { state } = this;
    if (state === VALUE) {
      this.state = KEY;
      return;
    }
    if (state === ELEMENT) this.byte(0x2c);
    else if (state === FIRST_ELEMENT) this.state = ELEMENT;
    else if (state === DOCUMENT) {
      this.state = DONE;
      return;
    } else throw new JsonFault(state === DONE ? FAULT.unexpectedToken : FAULT.invalidKey, 0);
    if (this.indent !== '') this.newLine();
  }

  // ── bytes ──

  /** Make room for so many more. */
  private room(count: number): Uint8Array {
    const { bytes, length } = this;
    if (length + count <= bytes.length) return bytes;
    const larger = new Uint8Array(Math.max(FIRST_SIZE, 2 * bytes.length, length + count));
    larger.set(bytes.subarray(0, length));
    this.bytes = larger;
    return larger;
  }

  private byte(byte: number): void {
    this.room(1)[this.length++] = byte;
  }

  private ascii(text: string): void {
    const bytes = this.room(text.length);
    encodeBytes(text, bytes, this.length);
    this.length += text.length;
  }

  private digits(n: number): void {
    let count = 1;
    for (let limit = 10; n >= limit; limit *= 10) count++;
    const bytes = this.room(count);
    for (let at = this.length + count - 1; at >= this.length; at--) {
      const rest = (n / 10) | 0;
      bytes[at] = 0x30 + (n - rest * 10);
      n = rest;
    }
    this.length += count;
  }

  private quoted(text: string): void {
    const { length } = text;
    if (length > SHORT_TEXT) {
      const safe = escaped(text);
      this.byte(0x22);
      this.ascii(safe);
      this.byte(0x22);
      return;
    }
    const bytes = this.room(length + 2);
    let at = this.length;
    bytes[at++] = 0x22;
    for (let i = 0; i < length; i++) {
      const c = text.charCodeAt(i);
      if (c < 0x20 || c === 0x22 || c === 0x5c) {
        this.byte(0x22);
        this.ascii(escaped(text));
        this.byte(0x22);
        return;
      }
      bytes[at++] = c;
    }
    bytes[at] = 0x22;
    this.length = at + 1;
  }
}

/**
 * A finite number: text that reads back as the same. Integers that 64 bits don't hold are refused without an exponent.
 */
function numberText(n: number): string {
  if (n >= 2 ** 63 || n < -(2 ** 63)) return n.toExponential();
  if (!Number.isInteger(n)) return String(n);
  if (Object.is(n, -0)) return '-0';
  return Number.isSafeInteger(n) ? String(n) : BigInt(n).toString();
}
