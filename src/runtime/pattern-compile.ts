/**
 * Lua patterns as JavaScript functions, for patterns that are used again and again: V8 compiles them,
 * and unlike a regular expression they allocate nothing for a match. Each item becomes a block inside
 * which the rest of the pattern is tried, so backtracking is in the order of reference Lua's `match`.
 */
import {
  found,
  lengths,
  matchBalanced,
  POSITION,
  setCaptures,
  starts,
} from './pattern-backtrack.ts';
import { type ByteSet, firstBytes, type Item } from './pattern-parse.ts';

/** Find a match at or after `from`: where it is, and its captures, are left in pattern-backtrack.ts. */
export type Matcher = (text: string, from: number) => boolean;

/** Blocks nest as deep as a pattern has items. */
const MAX_ITEMS = 40;

/** The function for these items; undefined where one would have to raise errors, or is unusual. */
export function compileMatcher(items: readonly Item[], anchored: boolean): Matcher | undefined {
  if (items.length > MAX_ITEMS || !isSimple(items)) return undefined;
  return new MatcherText(items, anchored).compile();
}

/** No mistakes, captures that are closed in order, no `%1`. */
function isSimple(items: readonly Item[]): boolean {
  let open = 0;
  for (const item of items) {
    if (item.kind === 'mistake' || item.kind === 'same') return false;
    if (item.kind === 'open' && !item.position) open++;
    if (item.kind === 'close' && --open < 0) return false;
  }
  return open === 0 && items.filter(({ kind }) => kind === 'open').length <= lengths.length;
}

/** A position in the text: a variable, and how far behind it. */
interface Place {
  name: string;
  plus: number;
}
const at = ({ name, plus }: Place): string => (plus === 0 ? name : `${name} + ${plus}`);

class MatcherText {
  private readonly items: readonly Item[];
  private readonly anchored: boolean;
  private readonly sets: ByteSet[] = [];
  private readonly captures: { start: string; end: string }[] = [];
  private readonly open: number[] = [];
  private names = 0;

  constructor(items: readonly Item[], anchored: boolean) {
    this.items = items;
    this.anchored = anchored;
  }

  compile(): Matcher {
    const body = this.from(0, { name: 'i', plus: 0 });
    let search: string;
    if (this.anchored) search = `const i = from; ${body}`;
    else {
      const first = firstBytes(this.items);
      const skip =
        first === undefined
          ? ''
          : `while (i < n && !(${this.test(first, 'i')})) i++; if (i === n) break;`;
      search = `for (let i = from; i <= n; i++) { ${skip} ${body} }`;
    }
    const sets = this.sets.map((_, i) => `S${i}`);
    return new Function(
      'found',
      'starts',
      'lengths',
      'setCaptures',
      'balanced',
      ...sets,
      `return function match(s, from) { const n = s.length; ${search} return false; }`,
    )(found, starts, lengths, setCaptures, matchBalanced, ...this.sets) as Matcher;
  }

  /** Match the items from `index` on at a place: returns true when they do, falls through when not. */
  private from(index: number, place: Place): string {
    const item = this.items[index];
    if (item === undefined) return this.success(place);
    const rest = (next: Place): string => this.from(index + 1, next);
    const p = at(place);
    switch (item.kind) {
      case 'single':
        return this.single(item, index, place);
      case 'open': {
        const start = this.name();
        this.captures.push({ start, end: item.position ? `${start} + ${POSITION}` : '' });
        if (!item.position) this.open.push(this.captures.length - 1);
        return `const ${start} = ${p}; ${rest({ name: start, plus: 0 })}`;
      }
      case 'close': {
        const end = this.name();
        this.captures[this.open.pop()!]!.end = end;
        return `const ${end} = ${p}; ${rest({ name: end, plus: 0 })}`;
      }
      case 'end':
        return `if (${p} === n) { ${rest(place)} }`;
      case 'frontier': {
        const before = this.test(item.set, '', `(${p} === 0 ? 0 : s.charCodeAt(${p} - 1))`);
        const here = this.test(item.set, '', `(${p} === n ? 0 : s.charCodeAt(${p}))`);
        return `if (!(${before}) && ${here}) { ${rest(place)} }`;
      }
      case 'balanced': {
        const end = this.name();
        const call = `balanced(s, ${p}, ${item.open}, ${item.close})`;
        return `const ${end} = ${call}; if (${end} >= 0) { ${rest({ name: end, plus: 0 })} }`;
      }
      default:
        throw new Error(`not simple: ${item.kind}`);
    }
  }

  private single(item: Extract<Item, { kind: 'single' }>, index: number, place: Place): string {
    const p = at(place);
    const here = `${p} < n && ${this.test(item.set, p)}`;
    const rest = (next: Place): string => this.from(index + 1, next);
    const m = this.name();
    const there: Place = { name: m, plus: 0 };
    const more = `${m} < n && ${this.test(item.set, m)}`;
    switch (item.repeat) {
      case 'once':
        return `if (${here}) { ${rest({ name: place.name, plus: place.plus + 1 })} }`;
      case 'optional':
        return `for (let ${m} = ${here} ? ${p} + 1 : ${p}; ${m} >= ${p}; ${m}--) { ${rest(there)} }`;
      case 'lazy':
        return `for (let ${m} = ${p}; ; ${m}++) { ${rest(there)} if (!(${more})) break; }`;
      case 'greedy':
      case 'atLeastOnce': {
        const least = item.repeat === 'greedy' ? p : `${p} + 1`;
        const run = `let ${m} = ${least}; while (${more}) ${m}++;`;
        const body = this.isDecided(item.set, index + 1)
          ? `${run} ${rest(there)}`
          : `${run} for (; ${m} >= ${least}; ${m}--) { ${rest(there)} }`;
        return item.repeat === 'greedy' ? `{ ${body} }` : `if (${here}) { ${body} }`;
      }
    }
  }

  /** After the longest run of these bytes a shorter one can't do: what follows is none of them. */
  private isDecided(set: ByteSet, index: number): boolean {
    for (; ; index++) {
      const item = this.items[index];
      if (item === undefined || item.kind === 'end') return true;
      if (item.kind === 'open' || item.kind === 'close') continue;
      if (item.kind === 'balanced') return set[item.open] === 0;
      if (item.kind !== 'single' || (item.repeat !== 'once' && item.repeat !== 'atLeastOnce'))
        return false;
      return item.set.every((member, byte) => member === 0 || set[byte] === 0);
    }
  }

  private success(place: Place): string {
    const stores = this.captures.map(
      ({ start, end }, i) => `starts[${i}] = ${start}; lengths[${i}] = ${end} - ${start};`,
    );
    return `found.start = i; found.end = ${at(place)}; ${stores.join(' ')} setCaptures(${stores.length}); return true;`;
  }

  /** Does the byte at an index, or this one, belong to the set? */
  private test(set: ByteSet, index: string, byte = `s.charCodeAt(${index})`): string {
    const members = set.reduce((sum, member) => sum + member, 0);
    if (members === 256) return 'true';
    if (members === 1) return `${byte} === ${set.indexOf(1)}`;
    if (members === 255) return `${byte} !== ${set.indexOf(0)}`;
    let number = this.sets.indexOf(set);
    if (number < 0) number = this.sets.push(set) - 1;
    return `S${number}[${byte}] === 1`;
  }

  private name(): string {
    return `p${++this.names}`;
  }
}
