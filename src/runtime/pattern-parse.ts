/**
 * Lua patterns as a list of items. Lua 5.1 manual §5.4.1.
 *
 * A mistake in a pattern is an item too: Lua raises it only when matching comes that far.
 */
import { bytesOutside, bytesWhere } from './bytes.ts';

/** 256 entries: 1 for each byte that belongs to the class. */
export type ByteSet = Uint8Array;

export type Repeat = 'once' | 'optional' | 'greedy' | 'atLeastOnce' | 'lazy';

export type Item =
  /** `a`, `.`, `%a`, `[set]`, with `?`, `*`, `+` or `-` */
  | { readonly kind: 'single'; readonly set: ByteSet; readonly repeat: Repeat }
  /** `(`, or `()` when it stands for a position */
  | { readonly kind: 'open'; readonly position: boolean }
  /** `)` */
  | { readonly kind: 'close' }
  /** `%1`: index from 0; -1 for `%0` */
  | { readonly kind: 'same'; readonly index: number }
  /** `%bxy` */
  | { readonly kind: 'balanced'; readonly open: number; readonly close: number }
  /** `%f[set]` */
  | { readonly kind: 'frontier'; readonly set: ByteSet }
  /** `$` at the end */
  | { readonly kind: 'end' }
  | { readonly kind: 'mistake'; readonly message: string };

const ENDS_WITH_ESCAPE = "malformed pattern (ends with '%')";
const MISSING_BRACKET = "malformed pattern (missing ']')";

const ESCAPE = 37; // %
const CARET = 94;
const CLOSE_BRACKET = 93;
const MINUS = 45;

/** The items of `pattern` from index `from` on. */
export function parsePattern(pattern: string, from: number): Item[] {
  const items: Item[] = [];
  const end = pattern.length;
  let p = from;
  const mistake = (message: string): Item[] => [...items, { kind: 'mistake', message }];
  while (p < end) {
    const c = pattern[p]!;
    const next = pattern[p + 1];
    if (c === '(') {
      items.push({ kind: 'open', position: next === ')' });
      p += next === ')' ? 2 : 1;
    } else if (c === ')') {
      items.push({ kind: 'close' });
      p++;
    } else if (c === '$' && p + 1 === end) {
      items.push({ kind: 'end' });
      p++;
    } else if (c === '%' && next === 'b') {
      if (p + 3 >= end) return mistake('unbalanced pattern');
      items.push({
        kind: 'balanced',
        open: pattern.charCodeAt(p + 2),
        close: pattern.charCodeAt(p + 3),
      });
      p += 4;
    } else if (c === '%' && next === 'f') {
      p += 2;
      if (pattern[p] !== '[') return mistake("missing '[' after '%f' in pattern");
      const close = closingBracket(pattern, p);
      if (close < 0) return mistake(MISSING_BRACKET);
      items.push({ kind: 'frontier', set: bracketSet(pattern, p, close) });
      p = close + 1;
    } else if (c === '%' && next !== undefined && next >= '0' && next <= '9') {
      items.push({ kind: 'same', index: Number(next) - 1 });
      p += 2;
    } else {
      let set: ByteSet;
      if (c === '%') {
        if (next === undefined) return mistake(ENDS_WITH_ESCAPE);
        set = classSet(pattern.charCodeAt(p + 1));
        p += 2;
      } else if (c === '[') {
        const close = closingBracket(pattern, p);
        if (close < 0) return mistake(MISSING_BRACKET);
        set = bracketSet(pattern, p, close);
        p = close + 1;
      } else {
        set = c === '.' ? EVERYTHING : byteSet(pattern.charCodeAt(p));
        p++;
      }
      const repeat = REPEATS[pattern[p] ?? ''];
      if (repeat !== undefined) p++;
      items.push({ kind: 'single', set, repeat: repeat ?? 'once' });
    }
  }
  return items;
}

/** What a match must start with, if it can't be empty; undefined when that isn't simple to say. */
export function firstBytes(items: readonly Item[]): ByteSet | undefined {
  let at = 0;
  while (at < 8 && items[at]?.kind === 'open') at++;
  const item = items[at];
  if (item?.kind !== 'single') return undefined;
  return item.repeat === 'once' || item.repeat === 'atLeastOnce' ? item.set : undefined;
}

const REPEATS: Record<string, Repeat | undefined> = {
  __proto__: null as never,
  '?': 'optional',
  '*': 'greedy',
  '+': 'atLeastOnce',
  '-': 'lazy',
};

/** Index of the `]` that closes the `[` at `open`, or -1. The first character is never the end. */
function closingBracket(pattern: string, open: number): number {
  let p = open + 1;
  if (pattern.charCodeAt(p) === CARET) p++;
  do {
    if (p >= pattern.length) return -1;
    if (pattern.charCodeAt(p++) === ESCAPE && p < pattern.length) p++;
  } while (pattern.charCodeAt(p) !== CLOSE_BRACKET);
  return p;
}

function bracketSet(pattern: string, open: number, close: number): ByteSet {
  const set = new Uint8Array(256);
  let p = open + 1;
  const complement = pattern.charCodeAt(p) === CARET;
  if (complement) p++;
  for (; p < close; p++) {
    const c = pattern.charCodeAt(p);
    if (c === ESCAPE) {
      p++;
      const cls = classSet(pattern.charCodeAt(p));
      for (let i = 0; i < 256; i++) if (cls[i] === 1) set[i] = 1;
    } else if (pattern.charCodeAt(p + 1) === MINUS && p + 2 < close) {
      p += 2;
      set.fill(1, c, pattern.charCodeAt(p) + 1);
    } else set[c] = 1;
  }
  return complement ? bytesOutside(set) : set;
}

// ── classes ────────────────────────────────────────────────────────────────────────────────────────

const between = (first: string, last: string) => (byte: number) =>
  byte >= first.charCodeAt(0) && byte <= last.charCodeAt(0);
const isDigit = between('0', '9');
const isLower = between('a', 'z');
const isUpper = between('A', 'Z');
const isGraph = between('!', '~');
const isAlpha = (byte: number): boolean => isLower(byte) || isUpper(byte);
const isAlnum = (byte: number): boolean => isAlpha(byte) || isDigit(byte);
const isHex = (byte: number): boolean =>
  isDigit(byte) || between('a', 'f')(byte) || between('A', 'F')(byte);

/** Sets of classes that patterns have asked for. */
const CLASSES = new Map<number, ByteSet>();
/** `%a` and its like, as the C locale has them; capital letters are their complements. */
const classTests: Record<string, (byte: number) => boolean> = {
  a: isAlpha,
  c: (byte) => byte < 32 || byte === 127,
  d: isDigit,
  g: isGraph,
  l: isLower,
  p: (byte) => isGraph(byte) && !isAlnum(byte),
  s: (byte) => byte === 32 || (byte >= 9 && byte <= 13),
  u: isUpper,
  w: isAlnum,
  x: isHex,
  z: (byte) => byte === 0,
};

/** What `%` and this character mean: a class, or the character. */
function classSet(letter: number): ByteSet {
  let set = CLASSES.get(letter);
  if (set === undefined) {
    const name = String.fromCharCode(letter).toLowerCase();
    const test = Object.hasOwn(classTests, name) ? classTests[name] : undefined;
    if (test === undefined) return byteSet(letter);
    set = bytesWhere(test);
    if (name.charCodeAt(0) !== letter) set = bytesOutside(set);
    CLASSES.set(letter, set);
  }
  return set;
}

const byteSets: ByteSet[] = [];
function byteSet(byte: number): ByteSet {
  return (byteSets[byte] ??= bytesWhere((b) => b === byte));
}
const EVERYTHING = new Uint8Array(256).fill(1);
