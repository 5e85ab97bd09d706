/**
 * `json.reader`: a document from a stream (or a string), in flat memory. Ours: Emilua has no such thing.
 * runtime/json-read.ts has the grammar; here is what waits for the stream.
 */
import { isEndOfFile } from '../../runtime/asio-error.ts';
import { allocateSpan, ByteSpan } from '../../runtime/byte-span.ts';
import { call, firstThen, suspendIn } from '../../runtime/call.ts';
import { toLuaError } from '../../runtime/error.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { CUT, FAULT, JsonFault } from '../../runtime/json-lex.ts';
import { type JsonEvent, JsonReaderCore } from '../../runtime/json-read.ts';
import { arrayMeta, rootShape, type Shape } from '../../runtime/json-shapes.ts';
import { index } from '../../runtime/ops.ts';
import { LuaTable, pushElement, rawGetString, rawSet } from '../../runtime/table.ts';
import { first, type LuaValue, NONE, type Result, SUSPEND, Userdata } from '../../runtime/value.ts';
import { luaType } from '../define.ts';
import { jsonError, type Place, placeOf, TOP } from './errors.ts';

const READ_SIZE = 64 * 1024;
const LARGEST_READ = 4 * 1024 * 1024;
export const DEFAULT_DEPTH = 100_000;
const DEFAULT_TOKEN = 1024 * 1024;

/** A table under construction: `value()` of an array or object. */
interface Building {
  /** The array; an object only if its keys have no place among the shapes. */
  table: LuaTable | undefined;
  readonly isArray: boolean;
  shape: Shape;
  /** The values of an object begin here on the stack. */
  readonly from: number;
  key: string;
}

class JsonReader extends Userdata {
  readonly core: JsonReaderCore;
  readonly stream: LuaValue;
  /** Of the first byte of the core's text. */
  start: Place = TOP;
  /** Bytes that may come in all. */
  readonly maxSize: number;
  busy = false;
  failed: unknown = undefined;
  /** What the stream reads into. */
  buffer: ByteSpan | undefined = undefined;
  /** An event that `value` or `items` has looked at and not used. */
  ahead: JsonEvent | undefined = undefined;

  constructor(core: JsonReaderCore, stream: LuaValue, maxSize: number) {
    super();
    this.core = core;
    this.stream = stream;
    this.maxSize = maxSize;
  }

  /** @throws JsonFault  more has come than may */
  checkSize(): void {
    const room = this.maxSize - (this.start.offset - 1);
    if (this.core.lexer.text.length > room) throw new JsonFault(FAULT.tooLarge, room);
  }

  place(offset: number): Place {
    return placeOf(this.core.lexer.text, offset, this.start);
  }
}

/** The next event, then `use` of it; waits for the stream as often as it needs to. */
function withEvent(self: JsonReader, use: (event: JsonEvent) => Result): Result {
  const { core } = self;
  if (self.ahead !== undefined) {
    const event = self.ahead;
    self.ahead = undefined;
    return use(event);
  }
  if (self.failed !== undefined) throw self.failed;
  for (;;) {
    let event: JsonEvent | typeof CUT;
    try {
      self.checkSize();
      event = core.next();
    } catch (thrown) {
      self.failed = jsonError(
        thrown,
        (offset) => self.place(offset),
        () => core.path(true),
      );
      throw self.failed;
    }
    if (event !== CUT) return use(event);
    const r = read(self);
    if (r === SUSPEND) return suspendIn(() => withEvent(self, use));
  }
}

/** Feed the core with what one read of the stream gives. */
function read(self: JsonReader): Result {
  const { core, stream } = self;
  const { lexer } = core;
  let span = self.buffer ?? allocateSpan(READ_SIZE);
  if (span.length < core.pending && span.length < LARGEST_READ)
    span = allocateSpan(2 * span.length);
  self.buffer = span;
  const size = span.length;
  self.busy = true;
  const received = (result: Result): Result => {
    self.busy = false;
    const count = first(result);
    if (typeof count !== 'number' || !(count >= 0 && count <= size)) throw codeError('EINVAL');
    self.start = self.place(lexer.pos);
    core.feed(span.part(0, count).toString());
    return undefined;
  };
  const failed = (thrown: unknown): Result => {
    self.busy = false;
    self.buffer = undefined;
    const error = toLuaError(thrown);
    if (!isEndOfFile(error.value)) throw error;
    lexer.more = false;
    return undefined;
  };
  let r: Result;
  try {
    r = firstThen(index(stream, 'read_some'), (f) => call(f, stream, span));
  } catch (thrown) {
    return failed(thrown);
  }
  return r === SUSPEND ? suspendIn(received, failed) : received(r);
}

/** The rest of the value that an event began, then `done` with it. */
function build(self: JsonReader, event: JsonEvent, done: (v: LuaValue) => Result): Result {
  const open: Building[] = [];
  const values: LuaValue[] = [];
  const add = (e: JsonEvent): Result => {
    for (;;) {
      let v: LuaValue;
      if (e === 'value') v = self.core.value;
      else if (e === 'key') keyOf(open[open.length - 1]!, self.core.value as string, values);
      else if (e === 'begin_array') {
        const table = new LuaTable();
        table.meta = arrayMeta;
        open.push({ table, isArray: true, shape: rootShape, from: 0, key: '' });
      } else if (e === 'begin_object') {
        const from = values.length;
        open.push({ table: undefined, isArray: false, shape: rootShape, from, key: '' });
      } else {
        const { table, shape, from } = open.pop()!;
        v = table ?? shape.make(values, from);
        if (table === undefined) values.length = from;
      }
      if (v !== undefined) {
        const top = open[open.length - 1];
        if (top === undefined) return done(v);
        if (top.isArray) pushElement(top.table!, v);
        else if (top.table === undefined) values.push(v);
        else rawSet(top.table, top.key, v);
      }
      let following: JsonEvent | undefined;
      const r = withEvent(self, (x) => {
        following = x;
        return undefined;
      });
      if (r === SUSPEND) return suspendIn(() => add(following!));
      e = following!;
    }
  };
  return add(event);
}

/** An object gets a key. */
function keyOf(object: Building, key: string, values: LuaValue[]): void {
  const { next } = object.shape;
  if (object.table === undefined) {
    const shape = next?.last === key ? next : object.shape.with(key);
    if (shape !== undefined) {
      object.shape = shape;
      return;
    }
    object.table = object.shape.spill(values, object.from);
  }
  object.key = key;
}

/** Go over the rest of what an event began. */
function skip(self: JsonReader, event: JsonEvent): Result {
  let depth = event === 'begin_array' || event === 'begin_object' ? 1 : 0;
  const go = (): Result => {
    while (depth > 0) {
      const r = withEvent(self, (e) => {
        if (e === 'begin_array' || e === 'begin_object') depth++;
        else if (e === 'end_array' || e === 'end_object') depth--;
        return undefined;
      });
      if (r === SUSPEND) return suspendIn(go);
    }
    return NONE;
  };
  return go();
}

/** One operation at a time: the reader is in the middle of a token while it waits. */
function idle(self: JsonReader): JsonReader {
  if (self.busy) throw codeError('EBUSY');
  return self;
}

/** Is there a value next, or the end of an array, an object or the input? Keys are gone over. */
function withValue(self: JsonReader, use: (event: JsonEvent | undefined) => Result): Result {
  return withEvent(self, (event) => {
    if (event === 'key') return withValue(self, use);
    if (event === 'end_array' || event === 'end_object' || event === 'end') {
      if (event === 'end') self.ahead = event;
      return use(undefined);
    }
    return use(event);
  });
}

luaType('json.reader', JsonReader, {
  methods: {
    next: (self) =>
      withEvent(idle(self), (event) => {
        if (event === 'end') {
          self.ahead = event;
          return undefined;
        }
        return event === 'key' || event === 'value' ? [event, self.core.value] : event;
      }),
    value: (self) =>
      withValue(idle(self), (event) => (event === undefined ? NONE : build(self, event, (v) => v))),
    skip: (self) =>
      withValue(idle(self), (event) => (event === undefined ? NONE : skip(self, event))),
    items: (self) =>
      withEvent(idle(self), (event) => {
        if (event !== 'begin_array') {
          self.ahead = event;
          throw codeError('EINVAL');
        }
        let count = 0;
        return () =>
          withValue(idle(self), (e) =>
            e === undefined ? NONE : build(self, e, (v) => [++count, v]),
          );
      }),
  },
  properties: {
    level: (self) => self.core.level,
    path: (self) => pathOf(self.core),
    line: (self) => self.place(self.core.lexer.pos).line,
    column: (self) => self.place(self.core.lexer.pos).column,
    offset: (self) => self.start.offset + self.core.lexer.pos,
  },
});

function pathOf(core: JsonReaderCore): LuaTable {
  const t = new LuaTable();
  for (const step of core.path()) pushElement(t, step);
  return t;
}

/** A positive integer among the options. */
export function limitOf(options: LuaValue, name: string, otherwise: number): number {
  const v = options instanceof LuaTable ? rawGetString(options, name) : undefined;
  if (v === undefined) return otherwise;
  if (typeof v !== 'number' || !(v >= 1)) throw badArgument(name);
  return v;
}

/** `json.reader.new(source[, options])` */
export function newReader(source: LuaValue, options: LuaValue): JsonReader {
  if (options !== undefined && !(options instanceof LuaTable)) throw badArgument(2);
  const many = options instanceof LuaTable ? rawGetString(options, 'many') : undefined;
  if (many !== undefined && typeof many !== 'boolean') throw badArgument('many');
  const core = new JsonReaderCore({
    maxDepth: limitOf(options, 'max_depth', DEFAULT_DEPTH),
    maxToken: limitOf(options, 'max_token', DEFAULT_TOKEN),
    many: many === true,
  });
  const maxSize = limitOf(options, 'max_size', Number.POSITIVE_INFINITY);
  if (typeof source === 'string' || source instanceof ByteSpan) {
    core.feed(String(source));
    core.lexer.more = false;
    return new JsonReader(core, undefined, maxSize);
  }
  if (!(source instanceof LuaTable || source instanceof Userdata)) throw badArgument(1);
  return new JsonReader(core, source, maxSize);
}
