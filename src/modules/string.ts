/** `string`. Lua 5.1 manual §5.4, as LuaJIT extends it. Strings are of bytes; classes are ASCII's. */
import { argError, checkInteger, checkString, optInteger } from '../runtime/check.ts';
import { LuaError, luaError } from '../runtime/error.ts';
import { compilePattern } from '../runtime/pattern.ts';
import { intrinsics } from '../runtime/state.ts';
import { isTrue, type LuaFunction, type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { luaModule } from './define.ts';
import { format } from './string/format.ts';
import { gsub } from './string/gsub.ts';

/** V8's limit. */
const MAX_STRING = 2 ** 29 - 24;
/** LuaJIT's C stack: what one call may return. */
const MAX_RESULTS = 8000;

// ── bytes ──────────────────────────────────────────────────────────────────────────────────────────

// The usual arguments come first in each, in little code: V8 puts that into the program's own.

function byte(s: LuaValue, from: LuaValue, to: LuaValue): Result {
  if (typeof s === 'string' && typeof from === 'number' && to === undefined) {
    const code = s.charCodeAt(from > 0 ? from - 1 : s.length + from);
    if (code >= 0 && (from | 0) === from) return code;
  }
  return bytes(s, from, to);
}

function bytes(s: LuaValue, from: LuaValue, to: LuaValue): Result {
  const text = checkString(s, 1, 'byte');
  let start = optInteger(from, 2, 'byte', 1);
  let end = optInteger(to, 3, 'byte', start);
  if (end < 0) end += text.length + 1;
  if (start < 0) start += text.length + 1;
  if (start <= 0) start = 1;
  if (end > text.length) end = text.length;
  const count = end - start + 1;
  if (count <= 0) return NONE;
  const at = start - 1;
  switch (count) {
    case 1:
      return text.charCodeAt(at);
    case 2:
      return [text.charCodeAt(at), text.charCodeAt(at + 1)];
    case 3:
      return [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)];
    case 4:
      return [
        text.charCodeAt(at),
        text.charCodeAt(at + 1),
        text.charCodeAt(at + 2),
        text.charCodeAt(at + 3),
      ];
  }
  if (count > MAX_RESULTS + 1) throw luaError('string slice too long');
  const codes: number[] = [];
  for (let i = at; i < end; i++) codes.push(text.charCodeAt(i));
  return codes;
}

function char(...codes: LuaValue[]): string {
  const { length } = codes;
  if (length === 1) return String.fromCharCode(checkCode(codes[0], 1));
  if (length > 32) return longText(codes);
  const checked: number[] = [];
  for (let i = 0; i < length; i++) checked.push(checkCode(codes[i], i + 1));
  return length === 3
    ? String.fromCharCode(checked[0]!, checked[1]!, checked[2]!)
    : String.fromCharCode(...checked);
}

function checkCode(v: LuaValue, position: number): number {
  if (typeof v === 'number' && (v & 255) === v) return v;
  const code = checkInteger(v, position, 'char');
  if (code < 0 || code > 255) argError(position, 'char', 'invalid value');
  return code;
}

function longText(codes: LuaValue[]): string {
  const bytes = Buffer.allocUnsafe(codes.length);
  for (let i = 0; i < codes.length; i++) bytes[i] = checkCode(codes[i], i + 1);
  return bytes.toString('latin1', 0, codes.length);
}

function sub(s: LuaValue, from: LuaValue, to: LuaValue): string {
  if (
    typeof s === 'string' &&
    typeof from === 'number' &&
    typeof to === 'number' &&
    from > 0 &&
    to >= 0 &&
    (from | 0) === from &&
    (to | 0) === to
  ) {
    if (from === to) return s.charAt(from - 1); // one character: no call
    return from > to ? '' : s.slice(from - 1, to);
  }
  return anySub(s, from, to);
}

function anySub(s: LuaValue, from: LuaValue, to: LuaValue): string {
  const text = checkString(s, 1, 'sub');
  let start = checkInteger(from, 2, 'sub');
  let end = to === undefined ? text.length : checkInteger(to, 3, 'sub');
  if (start < 0) start += text.length + 1;
  if (end < 0) end += text.length + 1;
  if (start < 1) start = 1;
  return end < start ? '' : text.slice(start - 1, end);
}

function rep(s: LuaValue, n: LuaValue, separator: LuaValue): string {
  const text = checkString(s, 1, 'rep');
  const count = checkInteger(n, 2, 'rep');
  const glue = separator === undefined ? '' : checkString(separator, 3, 'rep');
  const { length } = text;
  if (count < 1 || length + glue.length === 0) return '';
  if (length === 1 && glue === '' && count < REPEATED) {
    const row = (repeated[text.charCodeAt(0)] ??= []);
    while (row.length <= count) row.push(text.repeat(row.length));
    return row[count]!;
  }
  if (count * (length + glue.length) > MAX_STRING) throw new LuaError('not enough memory');
  return glue === '' ? text.repeat(count) : (text + glue).repeat(count - 1) + text;
}

/** Indentation and padding: runs of one character, shorter than so many, by its code. */
const REPEATED = 32;
const repeated: string[][] = [];

function reverse(s: LuaValue): string {
  const text = checkString(s, 1, 'reverse');
  const { length } = text;
  if (length <= 12) {
    let result = '';
    for (let i = length - 1; i >= 0; i--) result += text[i];
    return result;
  }
  const bytes = length <= scratch.length ? scratch : Buffer.allocUnsafe(length);
  for (let i = 0, at = length - 1; i < length; i++, at--) bytes[at] = text.charCodeAt(i);
  return bytes.toString('latin1', 0, length);
}

const scratch = Buffer.allocUnsafeSlow(512);

// JavaScript has capitals beyond ASCII; Lua, in the C locale, has not.

function lower(s: LuaValue): string {
  const text = checkString(s, 1, 'lower');
  if (isAscii(text)) return text.toLowerCase();
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function upper(s: LuaValue): string {
  const text = checkString(s, 1, 'upper');
  if (isAscii(text)) return text.toUpperCase();
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

const BEYOND_ASCII = /[\x80-\xff]/;

function isAscii(text: string): boolean {
  if (text.length > 40) return !BEYOND_ASCII.test(text);
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

// ── patterns ───────────────────────────────────────────────────────────────────────────────────────

/** The index at which a search starts; one beyond the end starts at the end. */
function startIndex(text: string, init: LuaValue, fn: string): number {
  const start = checkInteger(init, 3, fn);
  if (start > text.length) return text.length;
  if (start > 0) return start - 1;
  return start < 0 ? Math.max(0, start + text.length) : 0;
}

function find(s: LuaValue, pattern: LuaValue, init: LuaValue, plain: LuaValue): Result {
  const text = checkString(s, 1, 'find');
  const sought = checkString(pattern, 2, 'find');
  const from = init === undefined ? 0 : startIndex(text, init, 'find');
  const compiled = isTrue(plain) ? undefined : compilePattern(sought);
  if (compiled === undefined || compiled.isPlain) {
    const at = text.indexOf(sought, from);
    return at < 0 ? undefined : [at + 1, at + sought.length];
  }
  if (!compiled.find(text, from)) return undefined;
  const { start, end } = compiled;
  return compiled.append(text, [start + 1, end]);
}

function match(s: LuaValue, pattern: LuaValue, init: LuaValue): Result {
  const text = checkString(s, 1, 'match');
  const compiled = compilePattern(checkString(pattern, 2, 'match'));
  const from = init === undefined ? 0 : startIndex(text, init, 'match');
  return compiled.find(text, from) ? compiled.result(text) : undefined;
}

function len(s: LuaValue): number {
  return checkString(s, 1, 'len').length;
}

/** An iterator over all matches; it keeps its place itself. */
function gmatch(s: LuaValue, pattern: LuaValue): LuaFunction {
  const text = checkString(s, 1, 'gmatch');
  const compiled = compilePattern(checkString(pattern, 2, 'gmatch'), false);
  let from = 0;
  return () => {
    if (from > text.length || !compiled.find(text, from)) {
      from = Number.POSITIVE_INFINITY;
      return NONE;
    }
    const { start, end } = compiled;
    from = end > start ? end : end + 1;
    return compiled.result(text);
  };
}

/** Functions are JavaScript; there is nothing that another Lua could load. */
function dump(): never {
  throw luaError('unable to dump given function');
}

Object.assign(intrinsics, { byte, char, len, sub });

export const string = luaModule('string', {
  byte,
  char,
  dump,
  find,
  format,
  gmatch,
  gsub,
  len,
  lower,
  match,
  rep,
  reverse,
  sub,
  upper,
});
