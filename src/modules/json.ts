/**
 * `require 'json'`: RFC 8259 to Lua values and back. The decoder, the writer and the reader's grammar are
 * in runtime/; here is what Lua sees of them.
 */
import { ByteSpan } from '../runtime/byte-span.ts';
import { badArgument } from '../runtime/error-code.ts';
import { domCategory, lexerCategory } from '../runtime/json-category.ts';
import { decodeDocument, JsonDecoder } from '../runtime/json-decode.ts';
import { FAULT, JsonFault, JsonLexer } from '../runtime/json-lex.ts';
import { decodeNatively, encodeNatively } from '../runtime/json-native.ts';
import { arrayMeta, JsonNull, jsonNull, LEFT } from '../runtime/json-shapes.ts';
import { JsonWriter } from '../runtime/json-write.ts';
import { LuaTable, rawGetString, tableOf } from '../runtime/table.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';
import { Encoder } from './json/encode.ts';
import { attempt, jsonError, placeOf } from './json/errors.ts';
import { DEFAULT_DEPTH, limitOf, newReader } from './json/reader.ts';

luaType('json.null', JsonNull, { tostring: () => 'null' });

function decode(text: LuaValue, options: LuaValue): LuaValue {
  if (typeof text !== 'string' && !(text instanceof ByteSpan)) throw badArgument(1);
  if (options !== undefined && !(options instanceof LuaTable)) throw badArgument(2);
  const document = String(text);
  const maxDepth = limitOf(options, 'max_depth', DEFAULT_DEPTH);
  const maxSize = limitOf(options, 'max_size', Number.POSITIVE_INFINITY);
  if (document.length <= maxSize) {
    const v = decodeNatively(document, maxDepth);
    if (v !== LEFT) return v;
  }
  const lexer = new JsonLexer(document);
  const decoder = new JsonDecoder(lexer, { maxDepth });
  try {
    if (document.length > maxSize) throw new JsonFault(FAULT.tooLarge, 0);
    return decodeDocument(decoder, lexer);
  } catch (thrown) {
    throw jsonError(
      thrown,
      (offset) => placeOf(lexer.text, offset),
      () => decoder.path(),
    );
  }
}

// ── writing ────────────────────────────────────────────────────────────────────────────────────────

/** Lua's handle of a writer, until its text has been taken. */
class Writer extends Userdata {
  private writing: JsonWriter | undefined;
  constructor(indent: string) {
    super();
    this.writing = new JsonWriter(indent);
  }
  get core(): JsonWriter {
    if (this.writing === undefined) throw badArgument(1);
    return this.writing;
  }
  take(): string {
    const text = this.core.generate();
    this.writing = undefined;
    return text;
  }
}

/** A step of a writer: it returns nothing. */
function step(write: () => void): Result {
  attempt(write);
  return NONE;
}

luaType('json.writer', Writer, {
  methods: {
    value(self, v) {
      const { core } = self;
      attempt(() => {
        if (typeof v === 'string') core.string(v);
        else if (typeof v === 'boolean') core.literal(v ? 'true' : 'false');
        else if (v === jsonNull) core.literal('null');
        else if (typeof v === 'number' && Number.isFinite(v)) core.number(v);
        else throw badArgument(2);
      });
      return NONE;
    },
    literal(self, text) {
      if (typeof text !== 'string') throw badArgument(2);
      attempt(() => self.core.literal(text));
      return NONE;
    },
    begin_object: (self) => step(() => self.core.beginObject()),
    end_object: (self) => step(() => self.core.endObject()),
    begin_array: (self) => step(() => self.core.beginArray()),
    end_array: (self) => step(() => self.core.endArray()),
    generate: (self) => attempt(() => self.take()),
  },
  properties: { level: (self) => self.core.level },
});

const MAX_INDENT = 16;

/** Spaces by their number, or what is given: white space only. */
function indentOf(v: LuaValue): string {
  if (v === undefined || v === false) return '';
  if (v === true) return '  ';
  if (typeof v === 'number' && v >= 0 && v <= MAX_INDENT) return ' '.repeat(v);
  if (typeof v === 'string' && v.length <= MAX_INDENT && /^[ \t]*$/.test(v)) return v;
  throw badArgument('indent');
}

function encode(value: LuaValue, options: LuaValue): Result {
  if (options !== undefined && !(options instanceof LuaTable)) throw badArgument(2);
  const given = options === undefined ? undefined : rawGetString(options, 'state');
  if (given !== undefined) {
    if (!(given instanceof LuaTable)) throw badArgument('state');
    const writer = rawGetString(given, 'writer');
    if (!(writer instanceof Writer)) throw badArgument('state');
    return run(value, writer, given, () => NONE);
  }
  const indent = indentOf(options === undefined ? undefined : rawGetString(options, 'indent'));
  const text = encodeNatively(value, indent);
  if (text !== LEFT) return text;
  const writer = new Writer(indent);
  const state = tableOf({
    writer,
    visited: new LuaTable(),
    indent: indent === '' ? undefined : indent,
  });
  return run(value, writer, state, () => attempt(() => writer.core.generate()));
}

function run(value: LuaValue, writer: Writer, state: LuaTable, done: () => Result): Result {
  const visited = rawGetString(state, 'visited');
  const encoder = new Encoder(
    writer.core,
    state,
    visited instanceof LuaTable ? visited : new LuaTable(),
  );
  return attempt(() => encoder.encode(value, done));
}

// ── arrays ─────────────────────────────────────────────────────────────────────────────────────────

function intoArray(t: LuaValue = new LuaTable()): LuaTable {
  if (!(t instanceof LuaTable) || (t.meta !== undefined && t.meta !== arrayMeta)) {
    throw badArgument(1);
  }
  t.meta = arrayMeta;
  return t;
}

export const json = luaModule('json', {
  null: jsonNull,
  lexer_ecat: lexerCategory,
  dom_ecat: domCategory,
  decode,
  encode,
  into_array: intoArray,
  is_array: (v) => v instanceof LuaTable && v.meta === arrayMeta,
  writer: { new: () => new Writer('') },
  reader: { new: newReader },
});
