/**
 * Regular expressions. Patterns that are made from a tree are written in a grammar, and compared with JavaScript's
 * RegExp (ecma) or with all the ways in which the tree can match (extended and basic: the longest counts). Any other text
 * is refused with a reason, or means the same to both engines, and to JavaScript.
 */
import { isDeepStrictEqual } from 'node:util';
import { allowLinearEngine } from '../../../src/modules/regex.ts';
import { eachMatch, eachPiece } from '../../../src/runtime/byte-matcher.ts';
import { type Groups, Regex } from '../../../src/runtime/regex.ts';
import type { MatchOptions } from '../../../src/runtime/regex-match.ts';
import { type Grammar, RegexFault } from '../../../src/runtime/regex-parse.ts';
import type { Random } from '../random.ts';
import { bytesOfText, type Fuzzer, textOf } from './fuzzer.ts';

allowLinearEngine();

type Node =
  | { readonly kind: 'set'; readonly chars: string; readonly negated: boolean }
  | { readonly kind: 'class'; readonly name: string }
  | { readonly kind: 'any' | 'bol' | 'eol' | 'word' | 'not-word' }
  | { readonly kind: 'seq' | 'alt'; readonly items: readonly Node[] }
  | { readonly kind: 'group'; readonly body: Node; readonly captures: boolean }
  | { readonly kind: 'look'; readonly body: Node; readonly negated: boolean }
  | { readonly kind: 'backref'; readonly index: number }
  | {
      readonly kind: 'repeat';
      readonly body: Node;
      readonly min: number;
      /** -1: any number */
      readonly max: number;
      readonly lazy: boolean;
    };

const CLASSES: Record<string, string> = {
  digit: '0123456789',
  alpha: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  space: ' \t\n\v\f\r',
  xdigit: '0123456789abcdefABCDEF',
};

// ── a tree as text ─────────────────────────────────────────────────────────────────────────────────

type Dialect = Grammar | 'javascript';

const SPECIAL: Record<Dialect, RegExp> = {
  ecma: /[\^$\\.*+?()[\]{}|]/,
  javascript: /[\^$\\.*+?()[\]{}|]/,
  extended: /[\^$\\.*+?()[{|]/,
  basic: /[\^$\\.*[]/,
};

function character(c: string, dialect: Dialect): string {
  return SPECIAL[dialect].test(c) ? `\\${c}` : c;
}

function bracket(chars: string, negated: boolean, dialect: Dialect): string {
  // In POSIX a backslash is itself; `]` comes first, `-` last, `^` not first.
  const has = (c: string): boolean => chars.includes(c);
  const escapes = dialect === 'ecma' || dialect === 'javascript';
  // Nor does a `[` stand before what would make it a class.
  if (has('[')) chars = `${chars.replaceAll('[', '')}[`;
  if (escapes) return `[${negated ? '^' : ''}${chars.replace(/[\]\\^-]/g, '\\$&')}]`;
  const rest = chars.replace(/[\]^-]/g, '');
  const first = has(']') ? ']' : '';
  return `[${negated ? '^' : ''}${first}${rest}${has('^') ? (first + rest === '' && !negated ? '[.^.]' : '^') : ''}${has('-') ? '-' : ''}]`;
}

function print(node: Node, dialect: Dialect): string {
  const basic = dialect === 'basic';
  const open = basic ? '\\(' : '(';
  const close = basic ? '\\)' : ')';
  const whole = (n: Node): string => {
    const simple = n.kind === 'set' || n.kind === 'any' || n.kind === 'class' || n.kind === 'group';
    if (simple) return print(n, dialect);
    return dialect === 'ecma' || dialect === 'javascript'
      ? `(?:${print(n, dialect)})`
      : `${open}${print(n, dialect)}${close}`;
  };
  switch (node.kind) {
    case 'set':
      return node.chars.length === 1 && !node.negated
        ? character(node.chars, dialect)
        : bracket(node.chars, node.negated, dialect);
    case 'class':
      return dialect === 'javascript'
        ? bracket(CLASSES[node.name]!, false, dialect)
        : `[[:${node.name}:]]`;
    case 'any':
      return '.';
    case 'bol':
      return '^';
    case 'eol':
      return '$';
    case 'word':
      return '\\b';
    case 'not-word':
      return '\\B';
    case 'seq':
      return node.items
        .map((item) => (item.kind === 'alt' ? whole(item) : print(item, dialect)))
        .join('');
    case 'alt':
      return node.items.map((item) => print(item, dialect)).join('|');
    case 'group': {
      const plain = dialect === 'ecma' || dialect === 'javascript';
      return `${plain && !node.captures ? '(?:' : open}${print(node.body, dialect)}${close}`;
    }
    case 'look':
      return `(?${node.negated ? '!' : '='}${print(node.body, dialect)})`;
    case 'backref':
      return `\\${node.index}`;
    case 'repeat': {
      const { min, max, lazy } = node;
      const short =
        min === 0 && max === -1
          ? '*'
          : min === 1 && max === -1
            ? '+'
            : min === 0 && max === 1
              ? '?'
              : '';
      const counts = `${min}${max === min ? '' : max < 0 ? ',' : `,${max}`}`;
      let text: string;
      if (basic) text = short === '*' ? '*' : `\\{${counts}\\}`;
      else text = short === '' ? `{${counts}}` : short;
      return whole(node.body) + text + (lazy ? '?' : '');
    }
  }
}

// ── trees ──────────────────────────────────────────────────────────────────────────────────────────

const CHARS = [
  'a',
  'b',
  'c',
  'A',
  '1',
  ' ',
  '-',
  ']',
  '^',
  '\\',
  '.',
  '*',
  '$',
  '[',
  '{',
  '/',
  '\n',
  '"',
];

function tree(random: Random, grammar: Grammar, depth: number, groups: { count: number }): Node {
  const ecma = grammar === 'ecma';
  const next = (): Node => tree(random, grammar, depth + 1, groups);
  const few = (): string => random.some(1, 3, () => random.pick(CHARS)).join('');
  switch (random.int(depth > 4 ? 3 : 12)) {
    case 0:
      return { kind: 'set', chars: random.pick(['a', 'b', random.pick(CHARS)]), negated: false };
    case 1:
      return { kind: 'set', chars: [...new Set(few())].join(''), negated: random.chance(25) };
    case 2:
      return random.chance(50)
        ? { kind: 'any' }
        : { kind: 'class', name: random.pick(Object.keys(CLASSES)) };
    case 3:
    case 4:
      return { kind: 'seq', items: random.some(1, 3, next) };
    case 5:
      if (grammar === 'basic') return { kind: 'seq', items: random.some(1, 2, next) };
      return { kind: 'alt', items: random.some(2, 3, next) };
    case 6: {
      const captures = !ecma || random.chance(80);
      if (captures) groups.count++;
      return { kind: 'group', body: next(), captures };
    }
    case 7:
    case 8:
    case 9: {
      const min = random.pick([0, 0, 1, 2]);
      const max = random.pick([-1, -1, min, min + 1, min + 2]);
      const body = next();
      // Not what can match nothing, again and again: which way that goes is left open.
      return {
        kind: 'repeat',
        body,
        min,
        max: max === 0 ? 1 : max,
        lazy: ecma && random.chance(25),
      };
    }
    case 10:
      if (ecma && random.chance(50)) {
        return random.chance(50) && groups.count > 0
          ? { kind: 'backref', index: 1 + random.int(groups.count) }
          : { kind: 'look', body: next(), negated: random.chance(40) };
      }
      return next();
    default:
      if (ecma && random.chance(50)) return { kind: random.pick(['word', 'not-word']) };
      return next();
  }
}

/** Anchors only at the ends, where all grammars have them. */
function anchored(random: Random, body: Node): Node {
  const items: Node[] = [body];
  if (random.chance(12)) items.unshift({ kind: 'bol' });
  if (random.chance(12)) items.push({ kind: 'eol' });
  return items.length === 1 ? body : { kind: 'seq', items };
}

/** All places where a match that begins at `at` may end. @param known  what has been found of this text */
function ends(
  node: Node,
  s: string,
  at: number,
  known: Map<Node, Map<number, Set<number>>>,
): Set<number> {
  let ofNode = known.get(node);
  if (ofNode === undefined) known.set(node, (ofNode = new Map()));
  let found = ofNode.get(at);
  if (found === undefined) ofNode.set(at, (found = endsOf(node, s, at, known)));
  return found;
}

function endsOf(
  node: Node,
  s: string,
  at: number,
  known: Map<Node, Map<number, Set<number>>>,
): Set<number> {
  const from = (starts: Iterable<number>, n: Node): Set<number> =>
    new Set(Array.from(starts).flatMap((p) => [...ends(n, s, p, known)]));
  const one = (holds: boolean): Set<number> => new Set(at < s.length && holds ? [at + 1] : []);
  switch (node.kind) {
    case 'set':
      return one(node.chars.includes(s[at] ?? '') !== node.negated);
    case 'class':
      return one(CLASSES[node.name]!.includes(s[at] ?? ''));
    case 'any':
      return one(true);
    case 'bol':
      return new Set(at === 0 ? [at] : []);
    case 'eol':
      return new Set(at === s.length ? [at] : []);
    case 'seq':
      return node.items.reduce((starts, item) => from(starts, item), new Set([at]));
    case 'alt':
      return new Set(node.items.flatMap((item) => [...ends(item, s, at, known)]));
    case 'group':
      return ends(node.body, s, at, known);
    case 'repeat': {
      let reached = new Set([at]);
      const all = new Set(node.min === 0 ? [at] : []);
      const most = node.max < 0 ? node.min + s.length + 1 : node.max;
      for (let i = 1; i <= most; i++) {
        reached = from(reached, node.body);
        if (i >= node.min) for (const p of reached) all.add(p);
      }
      return all;
    }
    default:
      throw new Error(`no model for ${node.kind}`);
  }
}

// ── comparing ──────────────────────────────────────────────────────────────────────────────────────

const make = (pattern: string, grammar: Grammar, ignoreCase = false): Regex =>
  new Regex({ pattern, grammar, ignoreCase, nosubs: false, optimize: false, maxSteps: 200_000 });

type Match = (readonly [number, number] | undefined)[] | undefined;

const matchOf = (regex: Regex, groups: Groups | undefined): Match =>
  groups === undefined
    ? undefined
    : Array.from({ length: regex.groups + 1 }, (_, i) =>
        groups[2 * i]! < 0 ? undefined : ([groups[2 * i]!, groups[2 * i + 1]!] as const),
      );

/** What both engines say of a text, or how they differ. */
function bothEngines(regex: Regex, s: string): { match: Match; fault?: string } {
  const bytes = bytesOfText(s);
  const match = matchOf(regex, regex.searchBytes(bytes, 0, s.length, undefined));
  const other = matchOf(regex, regex.searchText(s, undefined));
  const fault = (what: string, a: unknown, b: unknown) => ({
    match,
    fault: `${what} of ${JSON.stringify(s)}: the machine ${JSON.stringify(a)}, V8 ${JSON.stringify(b)}`,
  });
  if (!isDeepStrictEqual(match, other)) return fault('search', match, other);
  const all = regex.matchText(s, {});
  const allOther = regex.matchText(s, undefined);
  if (!isDeepStrictEqual(all && [...all], allOther && [...allOther]))
    return fault('match', all, allOther);
  const pieces: string[] = [];
  eachPiece(regex, bytes, 0, s.length, (a, b) => pieces.push(s.slice(a, b)));
  if (!isDeepStrictEqual(pieces, regex.splitText(s)))
    return fault('split', pieces, regex.splitText(s));
  const found: string[] = [];
  const foundInText: string[] = [];
  eachMatch(regex, bytes, 0, s.length, (a, b) => found.push(s.slice(a, b)));
  regex.eachInText(s, (a, b) => foundInText.push(s.slice(a, b)));
  if (!isDeepStrictEqual(found, foundInText)) return fault('patsplit', found, foundInText);
  // In the middle of other bytes it is the same text.
  const within = bytesOfText(`xx${s}yy`);
  const moved = matchOf(regex, regex.searchBytes(within, 2, s.length + 2, undefined))?.map(
    (range) => range && ([range[0] - 2, range[1] - 2] as const),
  );
  if (!isDeepStrictEqual(match, moved)) return fault('a span', match, moved);
  return { match };
}

/**
 * JavaScript's match, as text. The flag that would tell where groups are is not used: with it V8 does not leave
 * its backtracking engine where that takes for ever.
 */
function inJavascript(model: RegExp, s: string): string | undefined {
  const m = model.exec(s);
  return m === null ? undefined : `${m.index} ${JSON.stringify([...m])}`;
}
const textsOf = (match: Match, s: string): string | undefined =>
  match && `${match[0]![0]} ${JSON.stringify(match.map((range) => range && s.slice(...range)))}`;

/**
 * Loops in loops, with what V8 has only a backtracking engine for; or, in a text that is not short, loops in loops in loops: some of
 * those its linear engine doesn't take.
 */
const takesForEver = (source: string, text: string): boolean =>
  (/\\[1-9]|\(\?[=!]/.test(source) && /[*+}]\??\)+(?:[*+]|\{\d,\})/.test(source)) ||
  (text.length > 6 && (source.match(/[*+}]\??[^()]*\)+[*+{]/g) ?? []).length > 1);

interface Trees {
  readonly grammar: Grammar;
  readonly node: Node;
  readonly ignoreCase: boolean;
  readonly texts: readonly string[];
}

const SUBJECTS = [
  'a',
  'b',
  'c',
  'a',
  'b',
  'A',
  '1',
  ' ',
  '-',
  ']',
  '^',
  '\\',
  '.',
  '*',
  '[',
  '\n',
  'ab',
  'aab',
];

export const regexTrees: Fuzzer<Trees> = {
  name: 'regex',
  kept: ['kind', 'grammar', 'name', 'index', 'min', 'max'],
  make(random) {
    const grammar = random.pick(['ecma', 'ecma', 'extended', 'basic'] as const);
    return {
      grammar,
      node: anchored(random, tree(random, grammar, 0, { count: 0 })),
      ignoreCase: random.chance(15),
      texts: random.some(1, 5, () => textOf(random, 8, SUBJECTS)),
    };
  },
  check({ grammar, node, ignoreCase, texts }) {
    const pattern = print(node, grammar);
    const of = `${grammar} ${JSON.stringify(pattern)}${ignoreCase ? ' (ignoring case)' : ''}: `;
    // What has been made smaller may have references to groups that are gone.
    const source = print(node, 'javascript');
    const count = (source.match(/\((?!\?)/g) ?? []).length;
    if ([...pattern.matchAll(/\\(\d)/g)].some((m) => Number(m[1]) > count)) return undefined;
    if (pattern.includes('[]') || pattern.includes('[^]')) return undefined;
    let regex: Regex;
    try {
      regex = make(pattern, grammar, ignoreCase);
    } catch (thrown) {
      if (!(thrown instanceof RegexFault)) throw thrown;
      if (thrown.error === 'space' || thrown.error === 'backref') return undefined;
      return `${of}refused: ${thrown.error} at ${thrown.at}`;
    }
    for (const s of texts) {
      try {
        const { match, fault } = bothEngines(regex, s);
        if (fault !== undefined) return of + fault;
        let expected: string | undefined;
        let got = textsOf(match, s);
        if (grammar === 'ecma') {
          if (takesForEver(source, s)) continue;
          expected = inJavascript(new RegExp(source, ignoreCase ? 'i' : ''), s);
        } else {
          if (ignoreCase) continue;
          const known = new Map();
          for (let at = 0; at <= s.length && expected === undefined; at++) {
            const last = Math.max(...ends(node, s, at, known));
            if (last >= at) expected = textsOf([[at, last]], s);
          }
          got = textsOf(match?.slice(0, 1), s);
        }
        if (got !== expected) return `${of}${JSON.stringify(s)} gives ${got}, and not ${expected}`;
      } catch (thrown) {
        if (!(thrown instanceof RegexFault) || thrown.error !== 'complexity') throw thrown;
      }
    }
    return undefined;
  },
};

// ── any text as a pattern ──────────────────────────────────────────────────────────────────────────

interface Patterns {
  readonly pattern: string;
  readonly grammar: Grammar;
  readonly flags: number;
  readonly texts: readonly string[];
}

const PIECES = [
  ...'()[]{}*+?|^$.\\-,:=!abB01259wdsxu\n\xff',
  '(?:',
  '(?=',
  '(?!',
  '\\(',
  '\\)',
  '\\{',
  '\\}',
  '[[:alpha:]]',
  '[[:',
  ':]]',
  '[[.',
  '.]]',
  '[[=a=]]',
  '{2}',
  '{1,}',
  '{0,2}',
  '*?',
  '+?',
  '\\d',
  '\\W',
  '\\b',
  '\\1',
  '\\x41',
  '\\u0041',
  '\\cJ',
  '\\0',
  '[^',
  '[]',
  'a-z',
  '(a)',
  '(b|c)',
];

export const regexTexts: Fuzzer<Patterns> = {
  name: 'regex-text',
  kept: ['grammar'],
  make: (random) => ({
    pattern: textOf(random, 10, PIECES),
    grammar: random.pick(['ecma', 'extended', 'basic'] as const),
    flags: random.int(128),
    texts: random.some(1, 4, () =>
      textOf(random, 8, [...SUBJECTS, 'd', 'x', '\xff', '(', ')', '{', '0', ',']),
    ),
  }),
  check({ pattern, grammar, flags, texts }) {
    const of = `${grammar} ${JSON.stringify(pattern)}: `;
    let regex: Regex;
    try {
      regex = make(pattern, grammar);
    } catch (thrown) {
      if (!(thrown instanceof RegexFault)) throw thrown;
      const { at } = thrown;
      return at >= -1 && at <= pattern.length ? undefined : `${of}an error at ${at}`;
    }
    // Brackets in brackets are POSIX's, `\s` of bytes is ASCII's, and a NUL with a digit behind it is no octal number.
    const same = grammar === 'ecma' && !/\[[^\]]*\[[.:=]|\\0\d/.test(pattern);
    const model = same ? new RegExp(pattern) : undefined;
    for (const s of texts) {
      try {
        const { match, fault } = bothEngines(regex, s);
        if (fault !== undefined) return of + fault;
        if (
          model !== undefined &&
          !takesForEver(pattern, s) &&
          !(s.includes('\xff') && /\\[sSwWbB]/.test(pattern))
        ) {
          const expected = inJavascript(model, s);
          const got = textsOf(match, s);
          if (got !== expected)
            return `${of}${JSON.stringify(s)} gives ${got}, and not ${expected}`;
        }
        const fault2 = flagged(regex, s, flags, match);
        if (fault2 !== undefined) return of + fault2;
      } catch (thrown) {
        if (!(thrown instanceof RegexFault) || thrown.error !== 'complexity') throw thrown;
      }
    }
    return undefined;
  },
};

/** Flags only take matches away; `continuous` leaves the one at the begin. */
function flagged(regex: Regex, s: string, flags: number, plain: Match): string | undefined {
  const has = (bit: number): boolean => (flags & bit) !== 0;
  const options: MatchOptions = {
    notBol: has(1),
    notEol: has(2),
    notBow: has(4),
    notEow: has(8),
    notNull: has(32),
    anchored: has(64),
  };
  const match = matchOf(regex, regex.searchBytes(bytesOfText(s), 0, s.length, options));
  const told = `${JSON.stringify(s)} with ${JSON.stringify(options)}: ${JSON.stringify(match)}`;
  if (match === undefined) return undefined;
  const [start, end] = match[0]!;
  if (options.notNull === true && start === end) return `${told} is empty`;
  if (options.anchored === true && start !== 0) return `${told} is not at the begin`;
  // A look-ahead and a word's edge may hold where the flags say that there is none.
  const relative = /\\[bB]|\(\?!/.test(regex.options.pattern);
  if (plain === undefined && !relative) return `${told}, and nothing without flags`;
  return undefined;
}
