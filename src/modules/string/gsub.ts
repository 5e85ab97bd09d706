/** `string.gsub`. Lua 5.1 manual §5.4. */
import { call, suspendIn } from '../../runtime/call.ts';
import { argError, checkString, optInteger } from '../../runtime/check.ts';
import { luaError, typeName } from '../../runtime/error.ts';
import { formatNumber } from '../../runtime/number.ts';
import { index } from '../../runtime/ops.ts';
import { compilePattern, type Pattern } from '../../runtime/pattern.ts';
import { LuaTable } from '../../runtime/table.ts';
import {
  first,
  type LuaFunction,
  type LuaValue,
  type Result,
  SUSPEND,
} from '../../runtime/value.ts';
import { TextBuilder } from './text-builder.ts';

/** More than there can be, and no fraction: V8 would make an object of each later count. */
const MAX_MATCHES = 2 ** 31 - 1;

export function gsub(s: LuaValue, pattern: LuaValue, by: LuaValue, limit: LuaValue): Result {
  const text = checkString(s, 1, 'gsub');
  const compiled = compilePattern(checkString(pattern, 2, 'gsub'));
  const max = optInteger(limit, 4, 'gsub', MAX_MATCHES);
  if (typeof by === 'number') by = formatNumber(by);
  if (typeof by === 'string') {
    return new Substitution(text, compiled, max, replaceByText(text, compiled, by)).run();
  }
  if (typeof by === 'function') {
    return new Substitution(text, compiled, max, replaceByCall(text, compiled, by)).run();
  }
  if (by instanceof LuaTable) {
    const values = by;
    const lookUp = (): Result => index(values, compiled.capture(text, 0));
    return new Substitution(text, compiled, max, lookUp).run();
  }
  return argError(3, 'gsub', 'string/function/table expected');
}

/** The replacement of the pattern's last match: a raw result, or SUSPEND. */
type Replace = () => Result;

function replaceByCall(text: string, pattern: Pattern, f: LuaFunction): Replace {
  return () => {
    const { count } = pattern;
    if (count <= 1) return call(f, pattern.capture(text, 0));
    return call(f, ...pattern.append(text, []));
  };
}

/** A string in which `%1` … stand for captures, `%0` for the match. */
function replaceByText(text: string, pattern: Pattern, template: string): Replace {
  if (!template.includes('%')) return () => template;
  const pieces = parseTemplate(template);
  return () => {
    let result = '';
    for (const piece of pieces) {
      if (typeof piece === 'string') result += piece;
      else if (piece < 0) result += text.slice(pattern.start, pattern.end);
      else result += pattern.capture(text, piece);
    }
    return result;
  };
}

/** Texts and capture indexes; -1 is the whole match. */
function parseTemplate(template: string): (string | number)[] {
  const pieces: (string | number)[] = [];
  let literal = '';
  for (let i = 0; i < template.length; i++) {
    const c = template[i]!;
    if (c !== '%') {
      literal += c;
      continue;
    }
    const next = template[++i] ?? '\0'; // LuaJIT reads on to the end of the C string
    if (next < '0' || next > '9') literal += next;
    else {
      if (literal !== '') pieces.push(literal);
      literal = '';
      pieces.push(Number(next) - 1);
    }
  }
  if (literal !== '') pieces.push(literal);
  return pieces;
}

/** One run over the text; it may stop at every match, until the replacement is there. */
class Substitution {
  private readonly text: string;
  private readonly pattern: Pattern;
  private readonly max: number;
  private readonly replace: Replace;
  /** The result, for what stands before `copied`. */
  private readonly result = new TextBuilder();
  private copied = 0;
  /** Where the next match is looked for. */
  private from = 0;
  private count = 0;

  constructor(text: string, pattern: Pattern, max: number, replace: Replace) {
    this.text = text;
    this.pattern = pattern;
    this.max = max;
    this.replace = replace;
  }

  run(): Result {
    const { text, pattern, max } = this;
    while (this.count < max && this.from <= text.length && pattern.find(text, this.from)) {
      this.count++;
      const { start, end } = pattern;
      // An empty match leaves the character behind it as it is.
      this.from = pattern.anchored ? text.length + 1 : end > start ? end : end + 1;
      const r = this.replace();
      if (r === SUSPEND) {
        return suspendIn((value) => {
          this.put(start, end, first(value));
          return this.run();
        });
      }
      this.put(start, end, r);
    }
    if (this.count === 0) return [text, 0];
    this.result.add(text, this.copied, text.length);
    return [this.result.toString(), this.count];
  }

  /** What stands at [start, end) becomes this value; nil and false leave it as it is. */
  private put(start: number, end: number, replacement: Result): void {
    const { text, result } = this;
    result.add(text, this.copied, start);
    let v = replacement;
    if (typeof v !== 'string') {
      v = first(v);
      if (typeof v === 'number') v = formatNumber(v);
      else if (v === undefined || v === false) v = text.slice(start, end);
      else if (typeof v !== 'string') {
        throw luaError(`invalid replacement value (a ${typeName(v)})`);
      }
    }
    result.add(v, 0, v.length);
    this.copied = end;
  }
}
