/**
 * The matcher for patterns that no regular expression stands for: position captures, `%b`, and
 * those with mistakes. It takes the steps of reference Lua's `match` (lstrlib.c).
 */
import { luaError } from './error.ts';
import type { ByteSet, Item } from './pattern-parse.ts';

const MAX_CAPTURES = 32;
const MAX_DEPTH = 200;

/** Lengths that are none. */
const UNFINISHED = -1;
export const POSITION = -2;

/** One attempt at a time: matching never calls Lua. */
let items: readonly Item[] = [];
let text = '';
let depth = 0;
let level = 0;
export const starts = new Int32Array(MAX_CAPTURES);
export const lengths = new Int32Array(MAX_CAPTURES);

/** A match by pattern-compile.ts has so many captures. */
export function setCaptures(count: number): void {
  level = count;
}

/** Where the last match stands. Captures are read with `captureCount`, `captured`. */
export const found = { start: 0, end: 0 };

/**
 * Find the first match, which starts with one of `firstBytes`, at or after `from`; with `anchored`, at `from` only.
 * @throws LuaError where the pattern has a mistake that matching comes to
 */
export function backtrack(
  pattern: readonly Item[],
  subject: string,
  from: number,
  anchored: boolean,
  firstBytes: ByteSet | undefined,
): boolean {
  items = pattern;
  text = subject;
  const last = anchored ? from : subject.length;
  for (let i = from; i <= last; i++) {
    if (firstBytes !== undefined && firstBytes[subject.charCodeAt(i)] !== 1) continue;
    depth = 0;
    level = 0;
    const end = match(i, 0);
    if (end < 0) continue;
    found.start = i;
    found.end = end;
    return true;
  }
  return false;
}

export function captureCount(): number {
  return level;
}

/** A capture of the last match: a string, or a position (from 1). */
export function captured(subject: string, index: number): string | number {
  const start = starts[index]!;
  const length = lengths[index]!;
  if (length === UNFINISHED) throw luaError('unfinished capture');
  return length === POSITION ? start + 1 : subject.slice(start, start + length);
}

/** Match the items from `at` on at index `i`: the end of the match, or -1. */
function match(i: number, at: number): number {
  if (++depth > MAX_DEPTH) throw luaError('pattern too complex');
  const end = matchHere(i, at);
  depth--;
  return end;
}

function matchHere(i: number, at: number): number {
  for (; at < items.length; at++) {
    const item = items[at]!;
    switch (item.kind) {
      case 'single': {
        const here = i < text.length && item.set[text.charCodeAt(i)] === 1;
        switch (item.repeat) {
          case 'once':
            if (!here) return -1;
            i++;
            break;
          case 'optional': {
            const end = here ? match(i + 1, at + 1) : -1;
            if (end >= 0) return end;
            break;
          }
          case 'greedy':
            return matchMost(item.set, i, at + 1);
          case 'atLeastOnce':
            return here ? matchMost(item.set, i + 1, at + 1) : -1;
          case 'lazy':
            return matchLeast(item.set, i, at + 1);
        }
        break;
      }
      case 'open':
        return openCapture(i, at + 1, item.position ? POSITION : UNFINISHED);
      case 'close':
        return closeCapture(i, at + 1);
      case 'same': {
        const { index } = item;
        if (index < 0 || index >= level || lengths[index] === UNFINISHED) {
          throw luaError('invalid capture index');
        }
        // A position has no text that could be found again.
        const length = lengths[index]!;
        if (length === POSITION) return -1;
        const start = starts[index]!;
        if (!text.startsWith(text.slice(start, start + length), i)) return -1;
        i += length;
        break;
      }
      case 'balanced':
        i = matchBalanced(text, i, item.open, item.close);
        if (i < 0) return -1;
        break;
      case 'frontier': {
        const before = i === 0 ? 0 : text.charCodeAt(i - 1);
        const here = i === text.length ? 0 : text.charCodeAt(i);
        if (item.set[before] === 1 || item.set[here] === 0) return -1;
        break;
      }
      case 'end':
        if (i !== text.length) return -1;
        break;
      case 'mistake':
        throw luaError(item.message);
    }
  }
  return i;
}

/** `*` and `+`: as many as there are, then one less each time. */
function matchMost(set: ByteSet, i: number, next: number): number {
  let last = i;
  while (last < text.length && set[text.charCodeAt(last)] === 1) last++;
  if (next === items.length) return last;
  for (; last >= i; last--) {
    const end = match(last, next);
    if (end >= 0) return end;
  }
  return -1;
}

/** `-`: none, then one more each time. */
function matchLeast(set: ByteSet, i: number, next: number): number {
  for (;;) {
    const end = match(i, next);
    if (end >= 0) return end;
    if (i === text.length || set[text.charCodeAt(i)] === 0) return -1;
    i++;
  }
}

function openCapture(i: number, next: number, length: number): number {
  if (level >= MAX_CAPTURES) throw luaError('too many captures');
  starts[level] = i;
  lengths[level] = length;
  level++;
  const end = match(i, next);
  if (end < 0) level--;
  return end;
}

function closeCapture(i: number, next: number): number {
  let index = level - 1;
  while (index >= 0 && lengths[index] !== UNFINISHED) index--;
  if (index < 0) throw luaError('invalid pattern capture');
  lengths[index] = i - starts[index]!;
  const end = match(i, next);
  if (end < 0) lengths[index] = UNFINISHED;
  return end;
}

/** The end of what begins at index `i` and is balanced, or -1. */
export function matchBalanced(subject: string, i: number, open: number, close: number): number {
  const { length } = subject;
  if (i >= length || subject.charCodeAt(i) !== open) return -1;
  let nested = 1;
  while (++i < length) {
    const c = subject.charCodeAt(i);
    if (c === close) {
      if (--nested === 0) return i + 1;
    } else if (c === open) nested++;
  }
  return -1;
}
