/**
 * `stream.scanner`: splits a stream into records, and records into fields.
 *
 * The scanner is the table of options that the program gave; what is only ours hangs on a symbol of
 * it, which no Lua key can name. Bytes are read in large pieces into one buffer and looked at where
 * they lie: a record, and a field, is a span over them. [start, end) is what is buffered, the current
 * record included; a read moves it to the front when there is no room behind it, and that is why the
 * spans of a record are good only until the next one is asked for.
 */

import { endOfFile, isEndOfFile } from '../../runtime/asio-error.ts';
import { ByteMatcher, eachMatch, eachPiece, type Finder } from '../../runtime/byte-matcher.ts';
import { ByteSpan, bytesOf, spanOfString } from '../../runtime/byte-span.ts';
import { byteSet, encodeBytes, findByte, findBytes } from '../../runtime/bytes.ts';
import { call, firstThen, suspendIn } from '../../runtime/call.ts';
import { toLuaError } from '../../runtime/error.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { index } from '../../runtime/ops.ts';
import { Regex } from '../../runtime/regex.ts';
import { DEFAULT_STEPS } from '../../runtime/regex-match.ts';
import { fromArray, LuaTable, rawGetString, rawSet, setField } from '../../runtime/table.ts';
import {
  first,
  type LuaFunction,
  type LuaValue,
  NONE,
  type Result,
  SUSPEND,
} from '../../runtime/value.ts';
import { fill, PerVm } from '../define.ts';

const DEFAULT_BUFFER = 4096;
const DEFAULT_MAX_RECORD = 65_536;
/** The buffer doubles up to this while reads fill it; longer only for longer records. */
const LARGEST_READ = 256 * 1024;

const STATE = Symbol('scanner');

/** A scanner as its table: the fields that each call looks at. */
type ScannerTable = LuaTable & {
  [STATE]?: ScannerState;
  $stream?: LuaValue;
  $record_separator?: LuaValue;
  $field_separator?: LuaValue;
  $field_pattern?: LuaValue;
  $trim_record?: LuaValue;
  $max_record_size?: LuaValue;
  $record_number?: LuaValue;
  $record_terminator?: LuaValue;
};

/** A separator of records in text. */
class TextMatcher {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** The separator when it is one byte, else -1. */
  readonly byte: number;
  matchEnd = 0;
  resumeAt = 0;

  constructor(text: string) {
    this.text = text;
    this.bytes = spanOfString(text).view();
    this.byte = text.length === 1 ? text.charCodeAt(0) : -1;
  }

  find(bytes: Uint8Array, from: number, end: number): number {
    const at =
      this.byte >= 0
        ? findByte(bytes, this.byte, from, end)
        : findBytes(bytes, this.bytes, from, end);
    if (at < 0) this.resumeAt = Math.max(from, end - this.bytes.length + 1);
    else this.matchEnd = at + this.bytes.length;
    return at;
  }
}

class ScannerState {
  bytes: Uint8Array;
  /** Our part of the memory: [base, limit). */
  base: number;
  limit: number;
  start: number;
  end: number;
  /** Up to here there is no separator. */
  scanned: number;
  /** The current record ends here; -1: there is none. */
  recordEnd = -1;
  /** What follows it begins here. */
  next = 0;
  /** Reads fill the buffer: the next one is to be larger. */
  grow = false;
  /** A read is under way. */
  reading = false;
  /** Of a text in place of a stream, bytes that are in the buffer, or were. */
  private text: string | ByteSpan | undefined = undefined;
  private taken = 0;
  separator: TextMatcher | ByteMatcher = new TextMatcher('\n');
  /** The text that `trimSet` is made of. */
  trimText = WHITESPACE;
  trimSet: Uint8Array = WHITESPACE_SET;
  readonly line = new LineSplitter();

  constructor(span: ByteSpan, length: number) {
    this.bytes = span.bytes;
    this.base = span.offset;
    this.limit = span.offset + span.capacity;
    this.start = this.base;
    this.end = this.base + length;
    this.scanned = this.start;
  }

  /** Leave the current record behind. */
  drop(): void {
    if (this.recordEnd < 0) return;
    this.start = this.next;
    this.scanned = this.next;
    this.recordEnd = -1;
  }

  /** Where the next read goes. */
  room(): ByteSpan {
    const buffered = this.end - this.start;
    let size = this.limit - this.base;
    if (this.grow && size < LARGEST_READ) size *= 2;
    this.grow = false;
    while (buffered * 2 > size || size === 0) size = Math.max(2 * size, DEFAULT_BUFFER);
    if (size > this.limit - this.base) this.moveTo(new Uint8Array(size));
    else if (this.start > this.base) this.moveTo(this.bytes);
    const free = this.limit - this.end;
    return new ByteSpan(this.bytes, this.end, free, free);
  }

  /** Move what is buffered to the front of the same or of other memory. */
  private moveTo(bytes: Uint8Array): void {
    const to = bytes === this.bytes ? this.base : 0;
    if (bytes === this.bytes) bytes.copyWithin(to, this.start, this.end);
    else {
      bytes.set(this.bytes.subarray(this.start, this.end));
      this.bytes = bytes;
      this.base = 0;
      this.limit = bytes.length;
    }
    const by = this.start - to;
    this.start -= by;
    this.end -= by;
    this.scanned -= by;
  }

  /** Ours: a text in place of a stream. @returns how much of it there was room for */
  take(text: string | ByteSpan, room: ByteSpan): number {
    if (this.text !== text) this.taken = 0;
    this.text = text;
    const count = Math.min(room.length, text.length - this.taken);
    if (count === 0) throw endOfFile();
    if (typeof text === 'string') {
      encodeBytes(text.slice(this.taken, this.taken + count), room.bytes, room.offset);
    } else room.bytes.set(text.view().subarray(this.taken, this.taken + count), room.offset);
    this.taken += count;
    return count;
  }

  /** A read has come back. */
  received(result: Result): void {
    this.reading = false;
    const count = first(result);
    const free = this.limit - this.end;
    if (typeof count !== 'number' || !(count >= 0 && count <= free)) throw codeError('EINVAL');
    this.end += count;
    this.grow = count === free;
  }
}

// ── options ────────────────────────────────────────────────────────────────────────────────────────

const WHITESPACE = ' \f\n\r\t\v';
const WHITESPACE_SET = byteSet(bytesOf(WHITESPACE)!);

function stateOf(self: LuaValue): ScannerState {
  const state = self instanceof LuaTable ? (self as ScannerTable)[STATE] : undefined;
  if (state === undefined) throw badArgument(1);
  if (state.reading) throw codeError('EBUSY');
  return state;
}

/** An option that is no named field of the table. */
function hashed(t: LuaTable, name: string): LuaValue {
  return t.hash === undefined ? undefined : rawGetString(t, name);
}

function separatorOf(t: ScannerTable, s: ScannerState): TextMatcher | ByteMatcher {
  const wanted = t.$record_separator ?? hashed(t, 'record_separator') ?? '\n';
  const { separator } = s;
  if (separator === wanted || (separator as TextMatcher).text === wanted) return separator;
  s.scanned = s.start; // for another separator
  if (wanted instanceof ByteMatcher) s.separator = wanted;
  else if (typeof wanted === 'string' && wanted !== '') s.separator = new TextMatcher(wanted);
  else throw badArgument('record_separator');
  return s.separator;
}

function maxRecordSize(t: ScannerTable): number {
  const size = t.$max_record_size ?? hashed(t, 'max_record_size') ?? DEFAULT_MAX_RECORD;
  if (typeof size !== 'number') throw badArgument('max_record_size');
  return size;
}

/** The bytes that are trimmed off a record. */
function trimSetOf(s: ScannerState, trim: LuaValue): Uint8Array {
  if (trim === true) return WHITESPACE_SET;
  if (typeof trim !== 'string') throw badArgument('trim_record');
  if (s.trimText !== trim) {
    s.trimSet = byteSet(bytesOf(trim)!);
    s.trimText = trim;
  }
  return s.trimSet;
}

// ── records ────────────────────────────────────────────────────────────────────────────────────────

function getLine(self: LuaValue): Result {
  const s = stateOf(self);
  s.drop();
  return findRecord(self as ScannerTable, s);
}

/** Look for the end of the record that begins at `start`, reading as long as there is none. */
function findRecord(t: ScannerTable, s: ScannerState): Result {
  const separator = separatorOf(t, s);
  const max = maxRecordSize(t);
  if (s.scanned === s.start && s.line.plan(t, separator)) {
    const end = s.line.split(s.bytes, s.start, s.end);
    if (end >= 0 && end - s.start <= max) {
      s.recordEnd = end;
      s.next = end + 1;
      count(t, (separator as TextMatcher).text);
      return s.line.fields(s.bytes);
    }
  }
  for (;;) {
    const at = separator.find(s.bytes, s.scanned, s.end, true, s.start);
    if (at >= 0) {
      if (at - s.start > max) throw codeError('EMSGSIZE');
      return deliver(t, s, at, separator);
    }
    s.scanned = separator.resumeAt;
    if (s.scanned - s.start > max) throw codeError('EMSGSIZE');
    let r: Result;
    try {
      r = startRead(t, s);
    } catch (error) {
      return readFailed(t, s, error);
    }
    if (r === SUSPEND) {
      return suspendIn(
        (result) => {
          s.received(result);
          return findRecord(t, s);
        },
        (error) => readFailed(t, s, error),
      );
    }
    s.received(r);
  }
}

function startRead(t: ScannerTable, s: ScannerState): Result {
  const stream = t.$stream ?? hashed(t, 'stream');
  if (stream === undefined) throw badArgument('stream');
  const room = s.room();
  if (typeof stream === 'string' || stream instanceof ByteSpan) return s.take(stream, room);
  s.reading = true;
  return firstThen(index(stream, 'read_some'), (f) => call(f, stream, room));
}

/** At the end of the stream, what is left is the last record. */
function readFailed(t: ScannerTable, s: ScannerState, thrown: unknown): Result {
  s.reading = false;
  const error = toLuaError(thrown);
  if (s.end === s.start || !isEndOfFile(error.value)) throw error;
  const { separator } = s;
  const at =
    separator instanceof ByteMatcher
      ? separator.find(s.bytes, s.scanned, s.end, false, s.start)
      : -1;
  if ((at < 0 ? s.end : at) - s.start > maxRecordSize(t)) throw codeError('EMSGSIZE');
  if (at >= 0) return deliver(t, s, at, separator);
  separator.matchEnd = s.end;
  return deliver(t, s, s.end, separator);
}

/** The record is [start, recordEnd), its terminator goes on to the separator's `matchEnd`. */
function deliver(
  t: ScannerTable,
  s: ScannerState,
  recordEnd: number,
  separator: TextMatcher | ByteMatcher,
): Result {
  const { bytes } = s;
  s.recordEnd = recordEnd;
  s.next = separator.matchEnd;
  const size = s.next - recordEnd;
  const terminator =
    separator instanceof TextMatcher
      ? size === 0
        ? ''
        : separator.text
      : new ByteSpan(bytes, recordEnd, size, size);
  count(t, terminator);
  let from = s.start;
  let to = recordEnd;
  const trim = t.$trim_record ?? hashed(t, 'trim_record');
  if (trim !== undefined && trim !== false) {
    const set = trimSetOf(s, trim);
    while (from < to && set[bytes[from]!] === 1) from++;
    while (from < to && set[bytes[to - 1]!] === 1) to--;
  }
  const separators = t.$field_separator ?? hashed(t, 'field_separator');
  if (separators !== undefined) return split(bytes, from, to, separators);
  const pattern = t.$field_pattern ?? hashed(t, 'field_pattern');
  if (pattern !== undefined) return matches(bytes, from, to, pattern);
  return spanOver(bytes, from, to);
}

/** One record more, which ended so. */
function count(t: ScannerTable, terminator: LuaValue): void {
  if (t.hash === undefined) {
    const number = t.$record_number;
    t.$record_number = typeof number === 'number' ? number + 1 : 1;
    t.$record_terminator = terminator;
  } else {
    const number = rawGetString(t, 'record_number');
    setField(t, 'record_number', typeof number === 'number' ? number + 1 : 1);
    setField(t, 'record_terminator', terminator);
  }
}

/** Without room behind it: appending to it must not write over what follows in the buffer. */
const spanOver = (bytes: Uint8Array, from: number, to: number): ByteSpan =>
  new ByteSpan(bytes, from, to - from, to - from);

// ── fields ─────────────────────────────────────────────────────────────────────────────────────────

function split(bytes: Uint8Array, from: number, to: number, separator: LuaValue): Result {
  if (typeof separator === 'function') return call(separator, spanOver(bytes, from, to));
  if (typeof separator === 'string') {
    if (separator === '') throw badArgument('field_separator');
    return separator.length === 1
      ? splitAtByte(bytes, from, to, separator.charCodeAt(0))
      : splitAtMatches(bytes, from, to, new TextMatcher(separator));
  }
  if (separator instanceof Regex && separator.runs !== undefined && separator.groups === 0)
    return splitAtRuns(bytes, from, to, separator.runs.members);
  return splitAtMatches(bytes, from, to, withoutGroups(separator, 'field_separator'));
}

function splitAtByte(bytes: Uint8Array, from: number, to: number, byte: number): LuaTable {
  const fields: LuaValue[] = [0];
  if (from === to) return fromArray(fields);
  let start = from;
  for (let i = from; i < to; i++) {
    if (bytes[i] !== byte) continue;
    fields.push(spanOver(bytes, start, i));
    start = i + 1;
  }
  fields.push(spanOver(bytes, start, to));
  return fromArray(fields);
}

function splitAtRuns(bytes: Uint8Array, from: number, to: number, members: Uint8Array): LuaTable {
  const fields: LuaValue[] = [0];
  if (from === to) return fromArray(fields);
  let start = from;
  for (let i = from; i < to; i++) {
    if (members[bytes[i]!] === 0) continue;
    fields.push(spanOver(bytes, start, i));
    while (i + 1 < to && members[bytes[i + 1]!] === 1) i++;
    start = i + 1;
  }
  fields.push(spanOver(bytes, start, to));
  return fromArray(fields);
}

function splitAtMatches(bytes: Uint8Array, from: number, to: number, separator: Finder): LuaTable {
  const fields: LuaValue[] = [0];
  eachPiece(separator, bytes, from, to, (start, end) => fields.push(spanOver(bytes, start, end)));
  return fromArray(fields);
}

/** As for `regex.split`: groups are of no use here. */
function withoutGroups(v: LuaValue, option: string): Finder {
  if (!(v instanceof ByteMatcher)) throw badArgument(option);
  if (v instanceof Regex && v.groups > 0) throw codeError('ENOTSUP');
  return v;
}

/** `field_pattern`: the fields are what matches. */
function matches(bytes: Uint8Array, from: number, to: number, pattern: LuaValue): LuaTable {
  const finder = withoutGroups(pattern, 'field_pattern');
  const fields: LuaValue[] = [0];
  eachMatch(finder, bytes, from, to, (start, end) => fields.push(spanOver(bytes, start, end)));
  return fromArray(fields);
}

/** Is it what awk separates fields by, whoever made it? */
function isWhitespaceRuns(separator: LuaValue): boolean {
  const members = separator instanceof Regex ? separator.runs?.members : undefined;
  return members?.every((flag, byte) => flag === WHITESPACE_SET[byte]) === true;
}

/** What a byte is to a `LineSplitter`. */
const ORDINARY = 0;
const BETWEEN_FIELDS = 1;
const ENDS_LINE = 2;

/** Fields that a `LineSplitter` takes; records with more are split the slow way. */
const MOST_FIELDS = 512;
/** Where the fields of the last line begin and end, in turns. */
const bounds = new Int32Array(2 * MOST_FIELDS);

/**
 * The two cases that are nearly all there are, a byte between records and either a byte between fields
 * or awk's whitespace: one pass over the bytes finds the end of the record and all its fields.
 */
class LineSplitter {
  private separator: unknown = undefined;
  private fieldSeparator: LuaValue = undefined;
  private trim: LuaValue = undefined;
  private planned = false;
  /** Runs of separators count as one, and are trimmed off. */
  private runs = false;
  private readonly kinds = new Uint8Array(256);
  private ends = 0;

  /** Are the options such that we can do it? */
  plan(t: ScannerTable, separator: TextMatcher | ByteMatcher): boolean {
    const fieldSeparator = t.$field_separator;
    const trim = t.$trim_record;
    if (
      fieldSeparator !== this.fieldSeparator ||
      trim !== this.trim ||
      separator !== this.separator
    ) {
      this.fieldSeparator = fieldSeparator;
      this.trim = trim;
      this.separator = separator;
      this.planned = this.prepare(separator, fieldSeparator, trim);
    }
    return this.planned && t.hash === undefined;
  }

  private prepare(separator: unknown, fields: LuaValue, trim: LuaValue): boolean {
    const { kinds } = this;
    kinds.fill(ORDINARY);
    if (!(separator instanceof TextMatcher) || separator.byte < 0) return false;
    if (typeof fields === 'string') {
      if (fields.length !== 1 || (trim !== undefined && trim !== false)) return false;
      this.runs = false;
      kinds[fields.charCodeAt(0)] = BETWEEN_FIELDS;
    } else {
      if (!isWhitespaceRuns(fields) || trim !== true) return false;
      this.runs = true;
      kinds.set(WHITESPACE_SET);
    }
    kinds[separator.byte] = ENDS_LINE;
    return true;
  }

  /** @returns where the line ends; -1: not in [from, end), or it has too many fields */
  split(bytes: Uint8Array, from: number, end: number): number {
    return this.runs ? this.splitRuns(bytes, from, end) : this.splitEach(bytes, from, end);
  }

  private splitEach(bytes: Uint8Array, from: number, end: number): number {
    const { kinds } = this;
    let n = 0;
    let start = from;
    for (let i = from; i < end; i++) {
      const kind = kinds[bytes[i]!]!;
      if (kind === ORDINARY) continue;
      if (n === bounds.length) return -1;
      bounds[n++] = start;
      bounds[n++] = i;
      start = i + 1;
      if (kind === ENDS_LINE) {
        this.ends = i === from ? 0 : n;
        return i;
      }
    }
    return -1;
  }

  private splitRuns(bytes: Uint8Array, from: number, end: number): number {
    const { kinds } = this;
    let n = 0;
    let start = -1;
    for (let i = from; i < end; i++) {
      const kind = kinds[bytes[i]!]!;
      if (kind === ORDINARY) {
        if (start < 0) start = i;
        continue;
      }
      if (start >= 0) {
        if (n === bounds.length) return -1;
        bounds[n++] = start;
        bounds[n++] = i;
        start = -1;
      }
      if (kind === ENDS_LINE) {
        this.ends = n;
        return i;
      }
    }
    return -1;
  }

  /** The fields of the line that was split last. An array of the right size at once is half the cost. */
  fields(bytes: Uint8Array): LuaTable {
    const { ends } = this;
    let fields: LuaValue[];
    switch (ends) {
      case 0:
        return new LuaTable();
      case 2:
        fields = [0, field(bytes, 0)];
        break;
      case 4:
        fields = [0, field(bytes, 0), field(bytes, 2)];
        break;
      case 6:
        fields = [0, field(bytes, 0), field(bytes, 2), field(bytes, 4)];
        break;
      case 8:
        fields = [0, field(bytes, 0), field(bytes, 2), field(bytes, 4), field(bytes, 6)];
        break;
      default:
        fields = [
          0,
          field(bytes, 0),
          field(bytes, 2),
          field(bytes, 4),
          field(bytes, 6),
          field(bytes, 8),
        ];
        for (let i = 10; i < ends; i += 2) fields.push(field(bytes, i));
    }
    return fromArray(fields);
  }
}

const field = (bytes: Uint8Array, i: number): ByteSpan =>
  spanOver(bytes, bounds[i]!, bounds[i + 1]!);

// ── the other methods ──────────────────────────────────────────────────────────────────────────────

function bufferedLine(self: LuaValue): Result {
  const s = stateOf(self);
  if (s.recordEnd < 0) throw badArgument(1);
  return spanOver(s.bytes, s.start, s.recordEnd);
}

function removeLine(self: LuaValue): Result {
  stateOf(self).drop();
  setField(self as LuaTable, 'record_terminator', undefined);
  return NONE;
}

function buffer(self: LuaValue): Result {
  const { bytes, start, end, limit } = stateOf(self);
  return [new ByteSpan(bytes, start, end - start, limit - start), 1];
}

function setBuffer(self: LuaValue, span: LuaValue, offsetArg: LuaValue): Result {
  const old = stateOf(self);
  if (!(span instanceof ByteSpan)) throw badArgument(2);
  const offset = offsetArg ?? 1;
  if (typeof offset !== 'number') throw badArgument(3);
  if (!(offset >= 1 && offset <= span.length + 1)) throw codeError('ERANGE');
  const skip = Math.trunc(offset) - 1;
  const { bytes } = span;
  bytes.copyWithin(span.offset, span.offset + skip, span.offset + span.length);
  const s = new ScannerState(span, span.length - skip);
  s.separator = old.separator;
  (self as ScannerTable)[STATE] = s;
  setField(self as LuaTable, 'record_terminator', undefined);
  return NONE;
}

// ── making scanners ────────────────────────────────────────────────────────────────────────────────

/** Turn a table of options into a scanner. */
function makeScanner(options: LuaValue, meta: LuaTable): LuaTable {
  if (options !== undefined && !(options instanceof LuaTable)) throw badArgument(1);
  const t = (options ?? new LuaTable()) as ScannerTable;
  const hint = rawGetString(t, 'buffer_size_hint') ?? DEFAULT_BUFFER;
  if (typeof hint !== 'number' || !(hint >= 0 && hint <= 2 ** 30)) {
    throw badArgument('buffer_size_hint');
  }
  const size = Math.max(1, Math.trunc(hint));
  t[STATE] = new ScannerState(new ByteSpan(new Uint8Array(size), 0, size, size), 0);
  const defaults = {
    record_separator: '\n',
    max_record_size: DEFAULT_MAX_RECORD,
    record_number: 0,
  };
  rawSet(t, 'buffer_size_hint', undefined);
  for (const [name, value] of Object.entries(defaults)) {
    if (rawGetString(t, name) === undefined) setField(t, name, value);
  }
  setField(t, 'record_number', 0);
  setField(t, 'record_terminator', undefined);
  t.meta = meta;
  return t;
}

/** What awk separates fields by: a regular expression that programs see, made when it is asked for. */
let whitespaceRuns: Regex | undefined;
function awkSeparator(): Regex {
  whitespaceRuns ??= new Regex({
    pattern: '[ \f\n\r\t\v]+',
    grammar: 'extended',
    ignoreCase: false,
    nosubs: true,
    optimize: true,
    maxSteps: DEFAULT_STEPS,
  });
  return whitespaceRuns;
}

const methods: Record<string, LuaFunction> = {
  get_line: getLine,
  buffered_line: bufferedLine,
  remove_line: removeLine,
  buffer,
  set_buffer: setBuffer,
};

/** `stream.scanner`; the metatable is one VM's own. */
export const scanner = new PerVm(() => {
  const meta = fill({ __index: methods });
  return fill({
    mt: meta,
    new: (options) => makeScanner(options, meta),
    with_awk_defaults(stream) {
      const t = new LuaTable();
      setField(t, 'stream', stream);
      setField(t, 'record_separator', '\n');
      setField(t, 'field_separator', awkSeparator());
      setField(t, 'trim_record', true);
      return makeScanner(t, meta);
    },
  });
});
