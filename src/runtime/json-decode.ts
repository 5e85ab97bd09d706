/**
 * JSON text → Lua values, without recursion. While an object is read, its values wait on a stack, and its keys lead down the
 * tree of shapes (json-shapes.ts), where each shape knows the text of the key that came next the last time: reading a key
 * is then one comparison, with no string made and nothing hashed.
 */
import { CUT, DOM, FAULT, JsonFault, type JsonLexer } from './json-lex.ts';
import { arrayMeta, jsonNull, rootShape, type Shape } from './json-shapes.ts';
import { LuaTable, pushElement, rawSet } from './table.ts';
import type { LuaValue } from './value.ts';

export interface JsonLimits {
  /** Arrays and objects within each other. */
  readonly maxDepth: number;
}

/** An array or object that is being read. */
class Level {
  /** The array; or the object when its shape has no place in the tree; or undefined: `shape` has it. */
  table: LuaTable | undefined = undefined;
  isArray = false;
  shape: Shape = rootShape;
  /** Its values begin here on the stack. */
  from = 0;
  /** The key whose value comes next; used when there is a table. */
  key = '';
}

export class JsonDecoder {
  private readonly lexer: JsonLexer;
  private readonly limits: JsonLimits;
  private readonly values: LuaValue[] = [];
  private readonly levels: Level[] = [];
  private depth = 0;

  constructor(lexer: JsonLexer, limits: JsonLimits) {
    this.lexer = lexer;
    this.limits = limits;
  }

  /**
   * The value at the lexer's position, with all that is in it; the lexer then stands behind it. The
   * whole of it must be in the lexer's text.
   * @throws JsonFault
   */
  value(): LuaValue {
    const { lexer, values } = this;
    for (;;) {
      let v: LuaValue;
      const c = lexer.space();
      if (c === 0x22) v = lexer.string() as string;
      else if (c === 0x7b) {
        const level = this.enter(false);
        lexer.pos++;
        if (lexer.space() !== 0x7d) {
          this.key(level);
          continue;
        }
        lexer.pos++;
        v = this.leaveObject(level);
      } else if (c === 0x5b) {
        const level = this.enter(true);
        lexer.pos++;
        if (lexer.space() !== 0x5d) continue;
        lexer.pos++;
        v = this.leaveArray(level);
      } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) v = lexer.number() as number;
      else v = this.word(c);

      // A value is complete: so may be what it is in.
      for (;;) {
        if (this.depth === 0) return v;
        const level = this.levels[this.depth - 1]!;
        if (level.isArray) {
          pushElement(level.table!, v);
          const after = lexer.space();
          if (after === 0x2c) {
            lexer.pos++;
            break;
          }
          if (after !== 0x5d) throw this.unclosed(after, FAULT.expectedEndArray);
          lexer.pos++;
          v = this.leaveArray(level);
        } else {
          if (level.table === undefined) values.push(v);
          else rawSet(level.table, level.key, v);
          const after = lexer.space();
          if (after === 0x2c) {
            lexer.pos++;
            lexer.space();
            this.key(level);
            break;
          }
          if (after !== 0x7d) throw this.unclosed(after, FAULT.expectedEndObject);
          lexer.pos++;
          v = this.leaveObject(level);
        }
      }
    }
  }

  /** Where in the document the decoder is: keys, and positions in arrays from 1. */
  path(): LuaValue[] {
    return this.levels.slice(0, this.depth).map((level) => {
      if (level.isArray) return level.table!.arr.length;
      const { keys } = level.shape;
      return level.table === undefined ? (keys[keys.length - 1] ?? '') : level.key;
    });
  }

  private enter(isArray: boolean): Level {
    if (this.depth >= this.limits.maxDepth) {
      throw new JsonFault(DOM.tooManyLevels, this.lexer.pos, true);
    }
    let level = this.levels[this.depth];
    if (level === undefined) this.levels.push((level = new Level()));
    this.depth++;
    level.isArray = isArray;
    level.from = this.values.length;
    if (isArray) {
      level.table = new LuaTable();
      level.table.meta = arrayMeta;
    } else {
      level.table = undefined;
      level.shape = rootShape;
    }
    return level;
  }

  private leaveArray(level: Level): LuaTable {
    this.depth--;
    const t = level.table!;
    level.table = undefined;
    return t;
  }

  private leaveObject(level: Level): LuaTable {
    this.depth--;
    let t = level.table;
    if (t === undefined) {
      t = level.shape.make(this.values, level.from);
      this.values.length = level.from;
    } else level.table = undefined;
    return t;
  }

  /** A key and its colon; the lexer stands on the first byte of the key. */
  private key(level: Level): void {
    const { lexer } = this;
    const { text } = lexer;
    const guess = level.table === undefined ? level.shape.next : undefined;
    if (guess !== undefined && guess.quoted !== '' && startsWith(text, guess.quoted, lexer.pos)) {
      lexer.pos += guess.quoted.length;
      level.shape = guess;
    } else {
      if (text.charCodeAt(lexer.pos) !== 0x22) throw new JsonFault(FAULT.invalidKey, lexer.pos);
      const key = lexer.string(FAULT.invalidKey) as string;
      const shape = level.table === undefined ? level.shape.with(key) : undefined;
      if (shape !== undefined) level.shape = shape;
      else {
        level.table ??= level.shape.spill(this.values, level.from);
        level.key = key;
      }
    }
    if (lexer.space() !== 0x3a) throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
    lexer.pos++;
  }

  private word(c: number): LuaValue {
    const { lexer } = this;
    if (c === 0x74 && lexer.word('true') === true) return true;
    if (c === 0x66 && lexer.word('false') === true) return false;
    if (c === 0x6e && lexer.word('null') === true) return jsonNull;
    if (c === 0x5d) throw new JsonFault(FAULT.unbalancedEndArray, lexer.pos);
    if (c === 0x7d) throw new JsonFault(FAULT.unbalancedEndObject, lexer.pos);
    throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
  }

  /** What stands where a comma or the end of an array or object should. */
  private unclosed(c: number, code: number): JsonFault {
    const at = this.lexer.pos;
    if (c === 0x5d) return new JsonFault(FAULT.unbalancedEndArray, at);
    if (c === 0x7d) return new JsonFault(FAULT.unbalancedEndObject, at);
    return new JsonFault(c < 0 ? code : FAULT.unexpectedToken, at);
  }
}

/** A short text at `at`: the loop is faster than a call of the built-in function. */
function startsWith(text: string, part: string, at: number): boolean {
  const { length } = part;
  if (at + length > text.length) return false;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(at + i) !== part.charCodeAt(i)) return false;
  }
  return true;
}

/** A whole document. @throws JsonFault; `decoder.path()` then tells where in the structure */
export function decodeDocument(decoder: JsonDecoder, lexer: JsonLexer): LuaValue {
  const v = decoder.value();
  if (lexer.space() >= 0) throw new JsonFault(FAULT.unexpectedToken, lexer.pos);
  return v;
}

export { CUT };
