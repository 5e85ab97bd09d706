/** `string`. Lua 5.1 manual §5.4, as LuaJIT extends it. Strings are of bytes; classes are ASCII's. */
import { argError, checkInteger, checkString, optInteger, optString } from '../runtime/check.ts';
import { LuaError, luaError } from '../runtime/error.ts';
import { compilePattern } from '../runtime/pattern.ts';
import { isTrue, type LuaFunction, type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { luaModule } from './define.ts';
import { format } from './string/format.ts';
import { gsub } from './string/gsub.ts';

/** V8's limit. */
const MAX_STRING = 2 ** 29 - 24;
/** LuaJIT's C stack: what one call may return. */
const MAX_RESULTS = 8000;

// ── bytes ──────────────────────────────────────────────────────────────────────────────────────────

function byte(s: LuaValue, from: LuaValue, to: LuaValue): Result {
  const text = checkString(s, 1, 'byte');
  let start = optInteger(from, 2, 'byte', 1);
  let end = optInteger(to, 3, 'byte', start);
  if (end < 0) end += text.length + 1;
  if (start < 0) start += text.length + 1;
  if (start <= 0) start = 1;
  if (end > text.length) end = text.length;
  if (start === end) return text.charCodeAt(start - 1);
  if (start > end) return NONE;
  if (end - start > MAX_RESULTS) throw luaError('string slice too long');
  const codes: number[] = [];
  for (let i = start; i <= end; i++) codes.push(text.charCodeAt(i - 1));
  return codes;
}

function char(...codes: LuaValue[]): string {
  let text = '';
  for (let i = 0; i < codes.length; i++) {
    const code = checkInteger(codes[i], i + 1, 'char');
    if (code < 0 || code > 255) argError(i + 1, 'char', 'invalid value');
    text += String.fromCharCode(code);
  }
  return text;
}

function sub(s: LuaValue, from: LuaValue, to: LuaValue): string {
  const text = checkString(s, 1, 'sub');
  let start = checkInteger(from, 2, 'sub');
  let end = optInteger(to, 3, 'sub', -1);
  if (start < 0) start += text.length + 1;
  if (end < 0) end += text.length + 1;
  if (start < 1) start = 1;
  return end < start ? '' : text.slice(start - 1, end);
}

function rep(s: LuaValue, n: LuaValue, separator: LuaValue): string {
  const text = checkString(s, 1, 'rep');
  const count = checkInteger(n, 2, 'rep');
  const glue = optString(separator, 3, 'rep', '');
  if (count < 1 || text.length + glue.length === 0) return '';
  if (count * (text.length + glue.length) > MAX_STRING) throw new LuaError('not enough memory');
  return glue === '' ? text.repeat(count) : (text + glue).repeat(count - 1) + text;
}

function reverse(s: LuaValue): string {
  const text = checkString(s, 1, 'reverse');
  if (text.length > 64) return Buffer.from(text, 'latin1').reverse().toString('latin1');
  let result = '';
  for (let i = text.length - 1; i >= 0; i--) result += text[i];
  return result;
}

// JavaScript has capitals beyond ASCII; Lua, in the C locale, has not.

function lower(s: LuaValue): string {
  const text = checkString(s, 1, 'lower');
  if (!BEYOND_ASCII.test(text)) return text.toLowerCase();
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function upper(s: LuaValue): string {
  const text = checkString(s, 1, 'upper');
  if (!BEYOND_ASCII.test(text)) return text.toUpperCase();
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

const BEYOND_ASCII = /[\x80-\xff]/;

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
  return compiled.append([start + 1, end]);
}

function match(s: LuaValue, pattern: LuaValue, init: LuaValue): Result {
  const text = checkString(s, 1, 'match');
  const compiled = compilePattern(checkString(pattern, 2, 'match'));
  const from = init === undefined ? 0 : startIndex(text, init, 'match');
  return compiled.find(text, from) ? compiled.result(text) : undefined;
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

export const string = luaModule('string', {
  byte,
  char,
  dump,
  find,
  format,
  gmatch,
  gsub,
  len: (s: LuaValue) => checkString(s, 1, 'len').length,
  lower,
  match,
  rep,
  reverse,
  sub,
  upper,
});
