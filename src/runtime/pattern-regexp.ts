/**
 * Lua patterns as JavaScript regular expressions, where the two mean exactly the same: both
 * backtrack in the same order, and Lua repeats single characters only, so V8's compiled matcher
 * finds the same match, with the same captures, in no more steps than Lua's.
 */
import type { ByteSet, Item, Repeat } from './pattern-parse.ts';

/** LuaJIT gives up ("pattern too complex") at 200 nested steps; only the backtracker counts them. */
const MAX_NESTING = 150;
const MAX_CAPTURES = 32;

/** Of a longer source V8 may say that it is too large, and only when it is first asked: at 128 KB, or sooner where it nests. */
export const MAX_SOURCE = 16 * 1024;

/** The source of the equivalent regular expression; undefined when there is none. */
export function regexpSource(items: readonly Item[]): string | undefined {
  let source = '';
  let nesting = 0;
  let captures = 0;
  const open: number[] = [];
  for (const item of items) {
    if (source.length > MAX_SOURCE) return undefined;
    switch (item.kind) {
      case 'single':
        source += bracket(item.set) + REPEATS[item.repeat];
        if (item.repeat !== 'once') nesting++;
        break;
      case 'open':
        if (item.position) return undefined;
        open.push(captures++);
        source += '(';
        nesting++;
        break;
      case 'close':
        if (open.pop() === undefined) return undefined;
        source += ')';
        nesting++;
        break;
      case 'same':
        if (item.index < 0 || item.index >= captures || open.includes(item.index)) return undefined;
        source += `\\${item.index + 1}`;
        break;
      case 'frontier':
        source += frontier(item.set);
        break;
      case 'end':
        source += '$';
        break;
      case 'balanced':
      case 'mistake':
        return undefined;
    }
  }
  if (open.length > 0 || nesting > MAX_NESTING || captures > MAX_CAPTURES) return undefined;
  return source;
}

const REPEATS: Record<Repeat, string> = {
  once: '',
  optional: '?',
  greedy: '*',
  atLeastOnce: '+',
  lazy: '*?',
};

/** Outside the string there are zero bytes, on both sides. */
function frontier(set: ByteSet): string {
  const others = set.map((member) => 1 - member);
  const inside = bracket(set);
  const outside = bracket(others);
  return set[0] === 1 ? `(?<=${outside})(?!${outside})` : `(?<!${inside})(?=${inside})`;
}

export function bracket(set: ByteSet): string {
  let ranges = '';
  let count = 0;
  for (let low = 0; low < 256; low++) {
    if (set[low] === 0) continue;
    let high = low;
    while (set[high + 1] === 1) high++;
    ranges += low === high ? escape(low) : `${escape(low)}-${escape(high)}`;
    count += high - low + 1;
    low = high;
  }
  if (count === 256) return '[^]';
  return count === 1 ? ranges : `[${ranges}]`;
}

function escape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
