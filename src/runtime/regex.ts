/**
 * Regular expressions on byte strings and spans: which engine runs which pattern.
 *
 * V8's RegExp is used where it means exactly the same and cannot take for ever: ECMAScript patterns
 * without back-references and look-aheads that V8's linear engine takes, to which V8 is told to change
 * when the other one backtracks too much (modules/regex.ts sets the flags); and of POSIX patterns those
 * whose first match is the longest, whatever the text. All others, and whatever has to know whether more
 * bytes could change a match, go to the machine in regex-match.ts.
 */
import { ByteMatcher, ByteRuns } from './byte-matcher.ts';
import { encodeBytes } from './bytes.ts';
import { bracket, MAX_SOURCE } from './pattern-regexp.ts';
import { compileRegex, type MatchOptions, RegexMachine } from './regex-match.ts';
import {
  type ByteSet,
  canBeEmpty,
  type Grammar,
  type Node,
  type Parsed,
  parseRegex,
} from './regex-parse.ts';

export interface RegexOptions {
  readonly pattern: string;
  readonly grammar: Grammar;
  readonly ignoreCase: boolean;
  readonly nosubs: boolean;
  readonly optimize: boolean;
  readonly maxSteps: number;
}

/** Begin and end of each group, group 0 first; -1 for those that took no part. */
export type Groups = ArrayLike<number>;

export class Regex extends ByteMatcher {
  readonly options: RegexOptions;
  readonly groups: number;
  readonly machine: RegexMachine;
  /** The pattern is one set of bytes, repeated: its runs need no machine. */
  readonly runs: ByteRuns | undefined;
  private readonly finder: RegExp | undefined;
  private readonly whole: RegExp | undefined;
  /** As `finder`, if it can be asked for matches that are not empty: V8 passes over what follows an empty one. */
  private readonly splitter: RegExp | undefined;

  /** @throws RegexFault */
  constructor(options: RegexOptions) {
    super();
    const { pattern, grammar, ignoreCase, nosubs, maxSteps } = options;
    const parsed = parseRegex(pattern, grammar, ignoreCase, nosubs);
    this.options = options;
    this.groups = parsed.groups;
    this.machine = new RegexMachine(
      compileRegex(parsed.root, parsed.groups, grammar, ignoreCase),
      maxSteps,
    );
    const set = runOf(parsed.root);
    this.runs = set === undefined ? undefined : new ByteRuns(set);
    const source = nativeSource(parsed, grammar);
    if (source !== undefined) {
      // Not with the flag for indices: V8 doesn't change engines then.
      this.finder = new RegExp(source, 'g');
      this.whole = new RegExp(`^(?:${source})$`);
      if (set !== undefined || !canBeEmpty(parsed.root)) this.splitter = this.finder;
    }
  }

  /** All of a text: the text of each group, group 0 first, or undefined. */
  matchText(text: string, options: MatchOptions | undefined): (string | undefined)[] | undefined {
    if (this.whole !== undefined && options === undefined) {
      return this.whole.exec(text) ?? undefined;
    }
    const groups = this.matchBytes(toBytes(text), 0, text.length, options);
    if (groups === undefined) return undefined;
    return pairs(groups, this.groups, (from, to) => (from < 0 ? undefined : text.slice(from, to)));
  }

  /** All of [from, end). */
  matchBytes(
    bytes: Uint8Array,
    from: number,
    end: number,
    options: MatchOptions | undefined,
  ): Groups | undefined {
    const at = this.machine.search(bytes, from, end, from, {
      ...options,
      anchored: true,
      whole: true,
    });
    return at < 0 ? undefined : this.machine.slots;
  }

  /** The first match in a text. */
  searchText(text: string, options: MatchOptions | undefined): Groups | undefined {
    const { finder } = this;
    if (finder === undefined || options !== undefined) {
      return this.searchBytes(toBytes(text), 0, text.length, options);
    }
    finder.lastIndex = 0;
    const m = finder.exec(text);
    if (m === null) return undefined;
    const stop = m.index + m[0].length;
    return this.groups === 0 ? [m.index, stop] : this.groupsOf(text, m.index, stop);
  }

  /** V8 says what the groups are, but not where: the machine looks again, at this one match. */
  private groupsOf(text: string, at: number, stop: number): Groups {
    // Assertions look at one byte on either side.
    const from = Math.max(0, at - 1);
    const to = Math.min(text.length, stop + 1);
    const found = this.machine.search(toBytes(text.slice(from, to)), at - from, to - from, 0, {
      anchored: true,
      stop: stop - from,
      notBol: from > 0,
      notEol: to < text.length,
    });
    if (found < 0) throw new Error('regex: two engines differ');
    return Array.from(this.machine.slots, (slot) => (slot < 0 ? -1 : slot + from));
  }

  searchBytes(
    bytes: Uint8Array,
    from: number,
    end: number,
    options: MatchOptions | undefined,
  ): Groups | undefined {
    return this.machine.search(bytes, from, end, from, options) < 0
      ? undefined
      : this.machine.slots;
  }

  /** Pieces of a text between matches that are not empty. */
  splitText(text: string): string[] {
    if (text === '') return [];
    const pieces: string[] = [];
    let start = 0;
    this.eachInText(text, (from, to) => {
      pieces.push(text.slice(start, from));
      start = to;
    });
    pieces.push(text.slice(start));
    return pieces;
  }

  /** The matches in a text that are not empty. */
  eachInText(text: string, match: (from: number, to: number) => void): void {
    const { splitter } = this;
    if (splitter === undefined) {
      const bytes = toBytes(text);
      for (let at = 0; ; at = this.matchEnd) {
        at = this.find(bytes, at, bytes.length, false, 0);
        if (at < 0) return;
        match(at, this.matchEnd);
      }
    }
    splitter.lastIndex = 0;
    for (let m = splitter.exec(text); m !== null; m = splitter.exec(text)) {
      if (m[0] === '') splitter.lastIndex++;
      else match(m.index, m.index + m[0].length);
    }
  }

  override find(
    bytes: Uint8Array,
    from: number,
    end: number,
    more: boolean,
    origin: number,
  ): number {
    const { runs, machine } = this;
    if (runs !== undefined) {
      const at = runs.find(bytes, from, end, more);
      this.matchEnd = runs.matchEnd;
      this.resumeAt = runs.resumeAt;
      return at;
    }
    const at = machine.search(bytes, from, end, origin, NOT_EMPTY);
    if (more && machine.undecided >= 0) {
      this.resumeAt = machine.undecided;
      return -1;
    }
    if (at < 0) this.resumeAt = end;
    else this.matchEnd = machine.slots[1]!;
    return at;
  }
}

const NOT_EMPTY: MatchOptions = { notNull: true };

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  encodeBytes(text, bytes, 0);
  return bytes;
}

/** For each group what `use` makes of where it begins and ends. */
export function pairs<T>(groups: Groups, count: number, use: (from: number, to: number) => T): T[] {
  return Array.from({ length: count + 1 }, (_, i) => use(groups[2 * i]!, groups[2 * i + 1]!));
}

// ── what V8 can do ─────────────────────────────────────────────────────────────────────────────────

function nativeSource({ root }: Parsed, grammar: Grammar): string | undefined {
  if (grammar !== 'ecma' && !firstIsLongest(root)) return undefined;
  const source = sourceOf(root);
  if (source === undefined || source.length > MAX_SOURCE) return undefined;
  try {
    // The flag for "linear" refuses what the linear engine can't do. Where V8 doesn't know it, V8 can't
    // change engines either.
    void new RegExp(source, 'l');
    return source;
  } catch {
    return undefined;
  }
}

function sourceOf(node: Node): string | undefined {
  switch (node.kind) {
    case 'set':
      return bracket(node.set);
    case 'seq':
      return all(node.items)?.join('');
    case 'alt': {
      const options = all(node.options)?.join('|');
      return options === undefined ? undefined : `(?:${options})`;
    }
    case 'group': {
      const body = sourceOf(node.body);
      if (body === undefined) return undefined;
      return node.index > 0 ? `(${body})` : `(?:${body})`;
    }
    case 'repeat': {
      const body = sourceOf(node.body);
      if (body === undefined) return undefined;
      const max = Number.isFinite(node.max) ? node.max : '';
      return `(?:${body}){${node.min},${max}}${node.greedy ? '' : '?'}`;
    }
    case 'begin':
      return '^';
    case 'end':
      return '$';
    case 'word':
      return '\\b';
    case 'not-word':
      return '\\B';
    case 'backref':
    case 'look':
      return undefined;
  }
}

function all(nodes: readonly Node[]): string[] | undefined {
  const sources = nodes.map(sourceOf);
  return sources.every((s) => s !== undefined) ? (sources as string[]) : undefined;
}

/** Bytes in a fixed number, and only the last of them repeated: then there is nothing to choose. */
function firstIsLongest(root: Node): boolean {
  const items = root.kind === 'seq' ? root.items : [root];
  return items.every((item, i) => {
    if (item.kind === 'set' || item.kind === 'begin' || item.kind === 'end') return true;
    return item.kind === 'repeat' && item.body.kind === 'set' && i === items.length - 1;
  });
}

/** The set of a pattern like `[ \t]+`. */
function runOf(root: Node): ByteSet | undefined {
  if (root.kind !== 'repeat' || root.body.kind !== 'set' || !root.greedy) return undefined;
  // No match is empty here: `*` finds what `+` finds.
  return root.min <= 1 && root.max === Number.POSITIVE_INFINITY ? root.body.set : undefined;
}
