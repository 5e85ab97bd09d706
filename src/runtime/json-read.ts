/**
 * JSON piece by piece, in flat memory: text is fed in as it comes, and events come out. What has been
 * read is forgotten, but for the arrays and objects that are open.
 */

import { CUT, type Cut, DOM, FAULT, JsonFault, JsonLexer } from './json-lex.ts';
import { jsonNull } from './json-shapes.ts';
import type { LuaValue } from './value.ts';

export type JsonEvent =
  | 'begin_object'
  | 'end_object'
  | 'begin_array'
  | 'end_array'
  | 'key'
  | 'value'
  | 'end';

export interface ReadLimits {
  readonly maxDepth: number;
  /** Bytes of one string or number, as it stands in the text. */
  readonly maxToken: number;
  /** Documents may follow each other. */
  readonly many: boolean;
}

/** What may come next. */
const DOCUMENT = 0;
const ELEMENT_OR_END = 1;
const ELEMENT = 2;
const KEY_OR_END = 3;
const KEY = 4;
const COLON = 5;
const FIELD = 6;
const AFTER = 7;
const DONE = 8;

const NO_DIGIT = /[^-+.\deE]/;

class Open {
  readonly isArray: boolean;
  /** Elements so far. */
  count = 0;
  key = '';
  constructor(isArray: boolean) {
    this.isArray = isArray;
  }
}

export class JsonReaderCore {
  readonly lexer = new JsonLexer('', true);
  /** Of the last `key` or `value`. */
  value: LuaValue = undefined;
  private readonly limits: ReadLimits;
  private readonly open: Open[] = [];
  private state = DOCUMENT;
  /** The text ends within a token of this kind, and there is more to come. */
  private within: 'string' | 'number' | undefined = undefined;
  /** In a string: the next byte belongs to an escape. */
  private escaping = false;

  constructor(limits: ReadLimits) {
    this.limits = limits;
  }

  get level(): number {
    return this.open.length;
  }

  /**
   * Keys, and positions in arrays from 1, down to the last event.
   * @param ahead  to what comes next instead: where an error is
   */
  path(ahead = false): LuaValue[] {
    const path = this.open.map((o) => (o.isArray ? o.count : o.key));
    const next = this.state === ELEMENT || this.state === ELEMENT_OR_END;
    if (next && ahead) (path[path.length - 1] as number)++;
    else if (this.state === KEY_OR_END || this.state === ELEMENT_OR_END) path.pop();
    return path;
  }

  /** Text that was fed and is still needed. */
  get pending(): number {
    return this.lexer.text.length - this.lexer.pos;
  }

  /** More of the document. What was read of the text before goes. */
  feed(text: string): void {
    const { lexer, within } = this;
    // A string in very many pieces is put together once it ends, and not at each of them.
    if (within === 'string' ? this.endsString(text) : within === 'number' && NO_DIGIT.test(text))
      this.within = undefined;
    if (lexer.pos < lexer.text.length)
      text = (lexer.pos === 0 ? lexer.text : lexer.text.substring(lexer.pos)) + text;
    lexer.text = text;
    lexer.pos = 0;
  }

  /** Does the string that we are in end here, or turn out to be none? */
  private endsString(text: string): boolean {
    let i = 0;
    for (; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (this.escaping) this.escaping = false;
      else if (c === 0x5c) this.escaping = true;
      else if (c === 0x22 || c < 0x20) return true;
    }
    return false;
  }

  /** The next event; `CUT` when it needs more text. @throws JsonFault */
  next(): JsonEvent | Cut {
    const { lexer } = this;
    if (this.within !== undefined && lexer.more) return this.cut(this.within);
    for (;;) {
      const c = lexer.space();
      if (c < 0) {
        if (lexer.more) return CUT;
        const top = this.open[this.open.length - 1];
        if (top !== undefined) {
          throw new JsonFault(
            top.isArray ? FAULT.expectedEndArray : FAULT.expectedEndObject,
            lexer.pos,
          );
        }
        if (this.state === DONE || this.limits.many) return 'end';
        throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
      }
      switch (this.state) {
        case COLON:
          if (c !== 0x3a) throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
          lexer.pos++;
          this.state = FIELD;
          continue;
        case AFTER:
          if (c === 0x2c) {
            lexer.pos++;
            this.state = this.open[this.open.length - 1]!.isArray ? ELEMENT : KEY;
            continue;
          }
          return this.close(c);
        case KEY_OR_END:
          if (c === 0x7d) return this.close(c);
          return this.key(c);
        case KEY:
          return this.key(c);
        case ELEMENT_OR_END:
          if (c === 0x5d) return this.close(c);
          return this.read(c);
        case DONE:
          if (!this.limits.many) throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
          return this.read(c);
        default:
          return this.read(c);
      }
    }
  }

  private key(c: number): JsonEvent | Cut {
    if (c !== 0x22) throw new JsonFault(FAULT.invalidKey, this.lexer.pos);
    const key = this.string(FAULT.invalidKey);
    if (key === CUT) return CUT;
    this.open[this.open.length - 1]!.key = key;
    this.value = key;
    this.state = COLON;
    return 'key';
  }

  private read(c: number): JsonEvent | Cut {
    const { lexer, open } = this;
    const top = open[open.length - 1];
    if (c === 0x5b || c === 0x7b) {
      if (open.length >= this.limits.maxDepth) {
        throw new JsonFault(DOM.tooManyLevels, lexer.pos, true);
      }
      if (top?.isArray) top.count++;
      lexer.pos++;
      open.push(new Open(c === 0x5b));
      this.state = c === 0x5b ? ELEMENT_OR_END : KEY_OR_END;
      this.value = undefined;
      return c === 0x5b ? 'begin_array' : 'begin_object';
    }
    const v = this.scalar(c);
    if (v === CUT) return CUT;
    if (top?.isArray) top.count++;
    this.value = v;
    this.state = open.length === 0 ? DONE : AFTER;
    return 'value';
  }

  private scalar(c: number): LuaValue | Cut {
    const { lexer } = this;
    if (c === 0x22) return this.string(FAULT.invalidValue);
    if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      const n = lexer.number();
      return n === CUT ? this.cut('number') : n;
    }
    const word = c === 0x74 ? 'true' : c === 0x66 ? 'false' : c === 0x6e ? 'null' : undefined;
    if (word === undefined) {
      if (c === 0x5d) throw new JsonFault(FAULT.unbalancedEndArray, lexer.pos);
      if (c === 0x7d) throw new JsonFault(FAULT.unbalancedEndObject, lexer.pos);
      throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
    }
    if (lexer.word(word) === CUT) return CUT;
    return word === 'null' ? jsonNull : word === 'true';
  }

  private string(code: number): string | Cut {
    const { lexer } = this;
    const v = lexer.string(code);
    if (v === CUT) {
      const { text } = lexer;
      let backslashes = 0;
      while (text.charCodeAt(text.length - 1 - backslashes) === 0x5c) backslashes++;
      this.escaping = backslashes % 2 === 1;
      return this.cut('string');
    }
    if (v.length > this.limits.maxToken) throw new JsonFault(FAULT.tooLarge, lexer.pos);
    return v;
  }

  /** A token that the text cuts off is longer than what there is of it. */
  private cut(within: 'string' | 'number'): Cut {
    if (this.pending > this.limits.maxToken) throw new JsonFault(FAULT.tooLarge, this.lexer.pos);
    this.within = within;
    return CUT;
  }

  private close(c: number): JsonEvent {
    const { lexer, open } = this;
    const { isArray } = open[open.length - 1]!;
    if (c !== (isArray ? 0x5d : 0x7d)) {
      const code =
        c === 0x5d
          ? FAULT.unbalancedEndArray
          : c === 0x7d
            ? FAULT.unbalancedEndObject
            : FAULT.unexpectedToken;
      throw new JsonFault(code, lexer.pos);
    }
    lexer.pos++;
    open.pop();
    this.value = undefined;
    this.state = open.length === 0 ? DONE : AFTER;
    return isArray ? 'end_array' : 'end_object';
  }
}
