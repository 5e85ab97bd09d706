/**
 * Lua patterns, ready to match: compiled once, kept in a bounded cache. At first most are regular
 * expressions (pattern-regexp.ts), the others are matched by pattern-backtrack.ts; those that are used
 * often become functions (pattern-compile.ts).
 */
import { luaError } from './error.ts';
import { backtrack, captureCount, captured, found } from './pattern-backtrack.ts';
import { compileMatcher, type Matcher } from './pattern-compile.ts';
import { type ByteSet, firstBytes, type Item, parsePattern } from './pattern-parse.ts';
import { regexpSource } from './pattern-regexp.ts';
import type { LuaValue, Result } from './value.ts';

/** Searches after which a pattern is worth a function of its own. */
const OFTEN = 30;
const CACHE_SIZE = 500;
/** A longer pattern is hardly a constant of the program. */
const MAX_CACHED = 200;

/** Groups of the last match of a regular expression, of whichever pattern: only one text is kept. */
let groups: RegExpExecArray | undefined;

/**
 * A pattern and its last match. Read the match before anything else can use the pattern: before
 * calling Lua.
 */
export class Pattern {
  /** It has no special characters: `find` looks for it as it is. */
  readonly isPlain: boolean;
  /** It starts with `^`. */
  readonly anchored: boolean;
  /** Of the last match. */
  start = 0;
  end = 0;
  private regexp: RegExp | undefined;
  private matcher: Matcher | undefined = undefined;
  private searches = 0;
  private readonly items: Item[];
  private readonly captures: number;
  /** A match starts with one of these bytes: only for those without `regexp`. */
  private readonly firstBytes: ByteSet | undefined;

  constructor(text: string, mayAnchor: boolean) {
    this.isPlain = !/[$^*+?.([%-]/.test(text);
    this.anchored = mayAnchor && text[0] === '^';
    this.items = parsePattern(text, this.anchored ? 1 : 0);
    this.captures = this.items.filter((item) => item.kind === 'open').length;
    const source = regexpSource(this.items);
    this.regexp = source === undefined ? undefined : new RegExp(source, this.anchored ? 'y' : 'g');
    this.firstBytes = firstBytes(this.items);
  }

  /**
   * Find the first match that starts at `from` (an index) or later, or, anchored, right there.
   * @throws LuaError where the pattern has a mistake that matching comes to
   */
  find(text: string, from: number): boolean {
    const { matcher } = this;
    if (matcher === undefined) return this.findSlowly(text, from);
    if (!matcher(text, from)) return false;
    this.start = found.start;
    this.end = found.end;
    return true;
  }

  private findSlowly(text: string, from: number): boolean {
    const { regexp } = this;
    if (++this.searches === OFTEN) {
      this.matcher = compileMatcher(this.items, this.anchored);
      if (this.matcher !== undefined) {
        this.regexp = undefined;
        return this.find(text, from);
      }
    }
    if (regexp === undefined) {
      if (!backtrack(this.items, text, from, this.anchored, this.firstBytes)) return false;
      this.start = found.start;
      this.end = found.end;
      return true;
    }
    regexp.lastIndex = from;
    const match = regexp.exec(text);
    if (match === null) return false;
    groups = match;
    this.start = match.index;
    this.end = match.index + match[0].length;
    return true;
  }

  /** Captures of the last match; `text` is what it was found in. */
  get count(): number {
    return this.regexp === undefined ? captureCount() : this.captures;
  }

  /** Capture `index` (from 0) of the last match; without captures the first is the whole match. */
  capture(text: string, index: number): string | number {
    if (index < this.count) {
      return this.regexp === undefined ? captured(text, index) : groups![index + 1]!;
    }
    if (index > 0) throw luaError('invalid capture index');
    return this.regexp === undefined ? text.slice(this.start, this.end) : groups![0];
  }

  /** All captures, or the whole match when there are none, as a call returns them. */
  result(text: string): Result {
    return this.count <= 1 ? this.capture(text, 0) : this.append(text, []);
  }

  /** Add the captures to a list. */
  append(text: string, list: LuaValue[]): LuaValue[] {
    const { count } = this;
    if (this.regexp === undefined) for (let i = 0; i < count; i++) list.push(captured(text, i));
    else for (let i = 1; i <= count; i++) list.push(groups![i]);
    return list;
  }
}

/** Patterns in which `^` anchors, and those of gmatch, in which it does not. */
const anchoring = new Map<string, Pattern>();
const searching = new Map<string, Pattern>();

/** The pattern with this text; as in LuaJIT, `^` is no anchor in `gmatch`. */
export function compilePattern(text: string, mayAnchor = true): Pattern {
  const cache = mayAnchor ? anchoring : searching;
  let pattern = cache.get(text);
  if (pattern === undefined) {
    pattern = new Pattern(text, mayAnchor);
    if (text.length <= MAX_CACHED) {
      if (cache.size >= CACHE_SIZE) cache.clear();
      cache.set(text, pattern);
    }
  }
  return pattern;
}
