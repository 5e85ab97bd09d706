/** A message in one short line, for people: its type, its size, and as much of it as there is room for. */
import { isUtf8 } from 'node:buffer';
import { formatNumber } from '../runtime/number.ts';
import { entries, LuaTable, rawGetNumber, rawLength } from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';

/** Characters of the whole, and tables within each other. */
const ROOM = 120;
const MAX_DEPTH = 3;
/** Members that are counted. */
const MAX_COUNT = 10_000;

export interface Summary {
  readonly type: string;
  /** Bytes of a string, members of a table; else undefined. */
  readonly size: number | undefined;
  readonly text: string;
}

/** @param nameOf  what is said of a channel or descriptor */
export function summarize(value: LuaValue, nameOf: (object: Userdata) => string): Summary {
  const text = new Rendering(nameOf).whole(value);
  if (typeof value === 'string') return { type: 'string', size: value.length, text };
  if (value instanceof LuaTable) return { type: 'table', size: membersOf(value), text };
  if (value instanceof Userdata) return { type: String(value.luaType.name), size: undefined, text };
  return { type: typeof value, size: undefined, text };
}

function membersOf(t: LuaTable): number {
  let count = rawLength(t);
  if (count > 0) return count;
  for (const _ of entries(t)) if (++count === MAX_COUNT) break;
  return count;
}

class Rendering {
  private room = ROOM;
  private readonly nameOf: (object: Userdata) => string;

  constructor(nameOf: (object: Userdata) => string) {
    this.nameOf = nameOf;
  }

  whole(v: LuaValue): string {
    return this.value(v, 0);
  }

  private value(v: LuaValue, depth: number): string {
    if (this.room <= 0) return '…';
    if (typeof v === 'string') return this.take(quoted(v, this.room));
    if (typeof v === 'number') return this.take(formatNumber(v));
    if (v instanceof LuaTable) return this.table(v, depth);
    if (v instanceof Userdata) return this.take(this.nameOf(v));
    return this.take(String(v ?? 'nil'));
  }

  private take(text: string): string {
    this.room -= text.length;
    return text;
  }

  private table(t: LuaTable, depth: number): string {
    if (depth === MAX_DEPTH) return this.take('{…}');
    this.take('{}');
    let text = '';
    const length = rawLength(t);
    if (length > 0) {
      for (let i = 1; i <= length && this.room > 0; i++)
        text += this.member('', rawGetNumber(t, i), text, depth);
      return this.closed(text);
    }
    for (const [key, v] of entries(t)) {
      if (this.room <= 0) return this.closed(text);
      text += this.member(`${this.key(key)} = `, v, text, depth);
    }
    return this.closed(text);
  }

  private closed(text: string): string {
    return this.room > 0 || text.endsWith('…') ? `{${text}}` : `{${text}, …}`;
  }

  private member(key: string, v: LuaValue, before: string, depth: number): string {
    return this.take(before === '' ? key : `, ${key}`) + this.value(v, depth + 1);
  }

  private key(key: LuaValue): string {
    if (typeof key !== 'string') return `[${this.value(key, MAX_DEPTH)}]`;
    return /^[A-Za-z_]\w{0,31}$/.test(key) ? key : `[${quoted(key, Math.min(this.room, 32))}]`;
  }
}

/** What a reader could take for something else, or a terminal obey: controls, ends of lines, directions of text. */
const UNSAFE =
  /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"\\]/g;
const UNSAFE_BYTES = /[\x00-\x1f\x7f-\xff"\\]/g;

const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '"': '\\"',
  '\\': '\\\\',
};

function escape(c: string): string {
  const code = c.charCodeAt(0);
  return ESCAPES[c] ?? (code < 0x100 ? byteEscape(code) : `\\u{${code.toString(16)}}`);
}

const byteEscape = (code: number): string => `\\x${code.toString(16).padStart(2, '0')}`;

/** As Lua could read it, on one line. Bytes as code units, UTF-8 or not; of long ones the beginning. */
function quoted(bytes: string, room: number): string {
  return `"${printable(bytes, room)}"${bytes.length > room ? '…' : ''}`;
}

function printable(bytes: string, room: number): string {
  const start = bytes.slice(0, Math.max(room, 1));
  if (!/[\x80-\xff]/.test(start)) return start.replace(UNSAFE, escape);
  const buffer = Buffer.from(start, 'latin1');
  const whole = start.length < bytes.length ? endOfLastCharacter(buffer) : buffer.length;
  const text = buffer.subarray(0, whole);
  return isUtf8(text)
    ? text.toString('utf8').replace(UNSAFE, escape)
    : start.replace(UNSAFE_BYTES, escape);
}

/** Where the last character ends that is complete. */
function endOfLastCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return bytes.length;
    if (byte < 0xc0) continue; // within a character
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back >= length ? bytes.length : bytes.length - back;
  }
  return bytes.length;
}

/** A text for people, such as that of an error, in one line of about so many characters. */
export function oneLine(bytes: string, room: number): string {
  const text = printable(bytes, room).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
  return bytes.length > room ? `${text}…` : text;
}
