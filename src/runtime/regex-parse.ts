/**
 * The three grammars of std::regex (C++17, [re.grammar]; POSIX.1-2017, XBD 9) as one syntax tree. All
 * work on bytes, in the classic locale.
 *
 *   ecma       ECMAScript 3 with POSIX classes in brackets: [[:alpha:]]
 *   extended   ERE: ( ) { } + ? | have a meaning of their own, a backslash takes it away
 *   basic      BRE: \( \) \{ \} have, and \1 to \9; * is ordinary where there is nothing to repeat
 */
import { bytesOutside, bytesWhere } from './bytes.ts';

export type Grammar = 'ecma' | 'extended' | 'basic';

/** 256 flags: which bytes. */
export type ByteSet = Uint8Array;

export type Node =
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'seq'; readonly items: readonly Node[] }
  /** Options in their order; basic and extended prefer the longest match instead. */
  | { readonly kind: 'alt'; readonly options: readonly Node[] }
  /** index 0: not captured */
  | { readonly kind: 'group'; readonly index: number; readonly body: Node }
  | {
      readonly kind: 'repeat';
      readonly body: Node;
      readonly min: number;
      readonly max: number;
      readonly greedy: boolean;
      /** Groups in the body: [first, last]. */
      readonly groups: readonly [number, number];
    }
  | { readonly kind: 'backref'; readonly index: number }
  | { readonly kind: 'look'; readonly negative: boolean; readonly body: Node }
  | { readonly kind: 'begin' | 'end' | 'word' | 'not-word' };

/** What std::regex_constants::error_type has, from 1 on. */
export const REGEX_ERRORS = [
  ['collate', 'the expression contains an invalid collating element name'],
  ['ctype', 'the expression contains an invalid character class name'],
  ['escape', 'the expression contains an invalid escaped character or a trailing escape'],
  ['backref', 'the expression contains an invalid back reference'],
  ['brack', "the expression contains mismatched square brackets ('[' and ']')"],
  ['paren', "the expression contains mismatched parentheses ('(' and ')')"],
  ['brace', "the expression contains mismatched curly braces ('{' and '}')"],
  ['badbrace', 'the expression contains an invalid range in a {} expression'],
  ['range', 'the expression contains an invalid character range (e.g. [b-a])'],
  ['space', 'there was not enough memory to convert the expression into a finite state machine'],
  ['badrepeat', 'one of *?+{ was not preceded by a valid regular expression'],
  ['complexity', 'the complexity of an attempted match exceeded a predefined level'],
  ['stack', 'there was not enough memory to perform a match'],
] as const;

export type RegexErrorName = (typeof REGEX_ERRORS)[number][0];

/** Internal: the module makes Lua's error object of it. */
export class RegexFault {
  readonly error: RegexErrorName;
  /** Where in the pattern, from 0; -1 when it is about a match. */
  readonly at: number;
  constructor(error: RegexErrorName, at: number) {
    this.error = error;
    this.at = at;
  }
  get code(): number {
    return REGEX_ERRORS.findIndex(([name]) => name === this.error) + 1;
  }
}

export const MAX_REPEAT = 1000;
/** Groups, and other things within each other. */
const MAX_NESTING = 200;

const inText = (text: string): ByteSet => bytesWhere((b) => text.includes(String.fromCharCode(b)));
const between = (low: string, high: string): ByteSet =>
  bytesWhere((b) => b >= low.charCodeAt(0) && b <= high.charCodeAt(0));
const union = (...sets: readonly ByteSet[]): ByteSet =>
  bytesWhere((b) => sets.some((s) => s[b] === 1));

const digit = between('0', '9');
const lower = between('a', 'z');
const upper = between('A', 'Z');
const alpha = union(lower, upper);
const alnum = union(alpha, digit);
const space = inText(' \t\n\v\f\r');
const graph = between('!', '~');

/** POSIX's classes in the C locale; `d`, `s` and `w` are std::regex's own. */
const CLASSES: ReadonlyMap<string, ByteSet> = new Map([
  ['alnum', alnum],
  ['alpha', alpha],
  ['blank', inText(' \t')],
  ['cntrl', bytesWhere((b) => b < 0x20 || b === 0x7f)],
  ['digit', digit],
  ['graph', graph],
  ['lower', lower],
  ['print', between(' ', '~')],
  ['punct', bytesWhere((b) => graph[b] === 1 && alnum[b] === 0)],
  ['space', space],
  ['upper', upper],
  ['xdigit', union(digit, between('a', 'f'), between('A', 'F'))],
  ['d', digit],
  ['s', space],
  ['w', union(alnum, inText('_'))],
]);
export const wordBytes = CLASSES.get('w')!;

/** Names of collating elements, as far as they are in use: those of characters that need one. */
const COLLATING: ReadonlyMap<string, string> = new Map([
  ['NUL', '\0'],
  ['alert', '\x07'],
  ['backspace', '\b'],
  ['tab', '\t'],
  ['newline', '\n'],
  ['vertical-tab', '\v'],
  ['form-feed', '\f'],
  ['carriage-return', '\r'],
  ['space', ' '],
  ['exclamation-mark', '!'],
  ['quotation-mark', '"'],
  ['dollar-sign', '$'],
  ['left-parenthesis', '('],
  ['right-parenthesis', ')'],
  ['asterisk', '*'],
  ['plus-sign', '+'],
  ['comma', ','],
  ['hyphen', '-'],
  ['hyphen-minus', '-'],
  ['period', '.'],
  ['full-stop', '.'],
  ['slash', '/'],
  ['solidus', '/'],
  ['colon', ':'],
  ['semicolon', ';'],
  ['question-mark', '?'],
  ['left-square-bracket', '['],
  ['backslash', '\\'],
  ['reverse-solidus', '\\'],
  ['right-square-bracket', ']'],
  ['circumflex', '^'],
  ['circumflex-accent', '^'],
  ['underscore', '_'],
  ['low-line', '_'],
  ['left-brace', '{'],
  ['left-curly-bracket', '{'],
  ['vertical-line', '|'],
  ['right-brace', '}'],
  ['right-curly-bracket', '}'],
  ['tilde', '~'],
  ['DEL', '\x7f'],
]);

const CONTROL: { readonly [letter: string]: string } = {
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

export interface Parsed {
  readonly root: Node;
  /** Captured groups. */
  readonly groups: number;
}

class Parser {
  private pos = 0;
  private groups = 0;
  private depth = 0;
  /** The largest group that a back-reference names, and where. */
  private reference: readonly [number, number] = [0, 0];
  /** Groups that are complete: POSIX allows references to no others. */
  private readonly closed = new Set<number>();
  private readonly text: string;
  private readonly grammar: Grammar;
  private readonly ignoreCase: boolean;
  private readonly nosubs: boolean;

  constructor(text: string, grammar: Grammar, ignoreCase: boolean, nosubs: boolean) {
    this.text = text;
    this.grammar = grammar;
    this.ignoreCase = ignoreCase;
    this.nosubs = nosubs;
  }

  parse(): Parsed {
    const root = this.alternatives();
    if (this.pos < this.text.length) throw new RegexFault('paren', this.pos);
    const [index, at] = this.reference;
    if (index > this.groups) throw new RegexFault('backref', at);
    return { root, groups: this.nosubs ? 0 : this.groups };
  }

  // ── structure ──

  private alternatives(): Node {
    if (++this.depth > MAX_NESTING) throw new RegexFault('space', this.pos);
    const options = [this.sequence()];
    while (this.grammar !== 'basic' && this.take('|')) options.push(this.sequence());
    this.depth--;
    return options.length === 1 ? options[0]! : { kind: 'alt', options };
  }

  private sequence(): Node {
    const items: Node[] = [];
    const start = this.pos;
    while (this.pos < this.text.length && !this.atEnd()) {
      const first = this.groups + 1;
      const atom = this.atom(
        items.length === 0 || (items.length === 1 && isBegin(items[0]!)),
        start,
      );
      items.push(this.repeats(atom, first));
    }
    return items.length === 1 ? items[0]! : { kind: 'seq', items };
  }

  /** At what ends a sequence. */
  private atEnd(): boolean {
    if (this.grammar === 'basic') return this.sees('\\)') && this.depth > 1;
    // A lone ) is ordinary in POSIX's extended grammar, but std::regex refuses it.
    return this.sees('|') || this.sees(')');
  }

  private atom(isFirst: boolean, start: number): Node {
    const at = this.pos;
    const c = this.text[this.pos++]!;
    const ecma = this.grammar === 'ecma';
    switch (c) {
      case '[':
        return { kind: 'set', set: this.bracket(at) };
      case '.':
        return {
          kind: 'set',
          set: ecma ? bytesOutside(inText('\n\r')) : bytesOutside(inText('\0')),
        };
      case '\\':
        return this.escape(at);
      case '^':
        if (this.grammar !== 'basic' || at === start) return { kind: 'begin' };
        break;
      case '$':
        if (this.grammar !== 'basic' || this.pos === this.text.length || this.sees('\\)'))
          return { kind: 'end' };
        break;
      case '*':
        if (this.grammar === 'basic' && isFirst) break;
        throw new RegexFault('badrepeat', at);
      case '+':
      case '?':
      case '{':
        if (this.grammar === 'basic') break;
        throw new RegexFault('badrepeat', at);
      case '(':
        if (this.grammar === 'basic') break;
        return ecma && this.take('?') ? this.special(at) : this.group(at, ')');
    }
    // A `]` or `}` that closes nothing, too: ECMAScript's letter forbids it, and libstdc++, JavaScript and POSIX don't.
    return this.literal(c);
  }

  private group(at: number, close: string): Node {
    const index = ++this.groups;
    const body = this.alternatives();
    if (!this.take(close)) throw new RegexFault('paren', at);
    this.closed.add(index);
    return { kind: 'group', index: this.nosubs ? 0 : index, body };
  }

  /** After `(?`. */
  private special(at: number): Node {
    const kind = this.text[this.pos++];
    if (kind !== ':' && kind !== '=' && kind !== '!') throw new RegexFault('paren', at);
    const body = this.alternatives();
    if (!this.take(')')) throw new RegexFault('paren', at);
    if (kind === ':') return { kind: 'group', index: 0, body };
    return { kind: 'look', negative: kind === '!', body };
  }

  private repeats(atom: Node, firstGroup: number): Node {
    let node = atom;
    // In the basic grammar a * behind the anchor is ordinary, and the next atom.
    if (this.grammar === 'basic' && isBegin(atom)) return atom;
    for (let count = 0; ; count++) {
      const at = this.pos;
      const bounds = this.quantifier();
      if (bounds === undefined) return node;
      const isAssertion =
        node.kind === 'begin' ||
        node.kind === 'end' ||
        node.kind === 'word' ||
        node.kind === 'not-word' ||
        node.kind === 'look';
      // ECMAScript repeats atoms once, and no assertions; POSIX leaves a** undefined: it repeats again.
      if ((this.grammar === 'ecma' && count > 0) || isAssertion)
        throw new RegexFault('badrepeat', at);
      const greedy = !(this.grammar === 'ecma' && this.take('?'));
      const [min, max] = bounds;
      const groups: readonly [number, number] = this.nosubs ? [1, 0] : [firstGroup, this.groups];
      node = { kind: 'repeat', body: node, min, max, greedy, groups };
    }
  }

  private quantifier(): readonly [number, number] | undefined {
    if (this.take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.grammar !== 'basic') {
      if (this.take('+')) return [1, Number.POSITIVE_INFINITY];
      if (this.take('?')) return [0, 1];
    }
    const at = this.pos;
    if (!this.take(this.grammar === 'basic' ? '\\{' : '{')) return undefined;
    const min = this.integer();
    let max = min;
    if (this.take(',')) max = this.integer() ?? Number.POSITIVE_INFINITY;
    if (!this.take(this.grammar === 'basic' ? '\\}' : '}')) {
      throw new RegexFault(this.pos >= this.text.length ? 'brace' : 'badbrace', at);
    }
    if (min === undefined || max === undefined || max < min) throw new RegexFault('badbrace', at);
    if (min > MAX_REPEAT || (Number.isFinite(max) && max > MAX_REPEAT)) {
      throw new RegexFault('space', at);
    }
    return [min, max];
  }

  private integer(): number | undefined {
    const digits = /^\d{1,6}/.exec(this.text.slice(this.pos, this.pos + 6))?.[0];
    if (digits === undefined) return undefined;
    this.pos += digits.length;
    return Number(digits);
  }

  // ── single bytes ──

  private escape(at: number): Node {
    const c = this.text[this.pos++];
    if (c === undefined) throw new RegexFault('escape', at);
    if (this.grammar === 'basic') {
      if (c === '(') return this.group(at, '\\)');
      if (c === ')') throw new RegexFault('paren', at);
      if (c === '{' || c === '}') throw new RegexFault(c === '{' ? 'badrepeat' : 'brace', at);
      if (c >= '1' && c <= '9') return this.backref(Number(c), at);
      if ('.[]\\*^$'.includes(c)) return this.literal(c);
      throw new RegexFault('escape', at);
    }
    if (this.grammar === 'extended') {
      if ('^.[]$()|*+?{}\\'.includes(c)) return this.literal(c);
      throw new RegexFault('escape', at);
    }
    if (c === 'b') return { kind: 'word' };
    if (c === 'B') return { kind: 'not-word' };
    if (c >= '1' && c <= '9') {
      let index = Number(c);
      while (/\d/.test(this.text[this.pos] ?? ''))
        index = index * 10 + Number(this.text[this.pos++]);
      return this.backref(index, at);
    }
    const set = this.classEscape(c);
    if (set !== undefined) return { kind: 'set', set };
    return this.literal(this.characterEscape(c, at));
  }

  private backref(index: number, at: number): Node {
    if (this.nosubs) throw new RegexFault('backref', at);
    if (this.grammar === 'basic' && !this.closed.has(index)) throw new RegexFault('backref', at);
    if (index > this.reference[0]) this.reference = [index, at];
    return { kind: 'backref', index };
  }

  /** ECMAScript's \d and the like. */
  private classEscape(c: string): ByteSet | undefined {
    const set = 'dswDSW'.includes(c) ? CLASSES.get(c.toLowerCase()) : undefined;
    if (set === undefined) return undefined;
    return c === c.toLowerCase() ? set : bytesOutside(set);
  }

  /** ECMAScript's escapes for one character. */
  private characterEscape(c: string, at: number): string {
    if (CONTROL[c] !== undefined) return CONTROL[c];
    if (c === '0') return '\0';
    if (c === 'c') {
      const letter = this.text[this.pos++] ?? '';
      if (!/^[A-Za-z]$/.test(letter)) throw new RegexFault('escape', at);
      return String.fromCharCode(letter.charCodeAt(0) % 32);
    }
    if (c === 'x' || c === 'u') {
      const length = c === 'x' ? 2 : 4;
      const digits = this.text.slice(this.pos, this.pos + length);
      if (digits.length !== length || !/^[\da-fA-F]+$/.test(digits)) {
        throw new RegexFault('escape', at);
      }
      this.pos += length;
      const code = Number.parseInt(digits, 16);
      // Patterns are bytes: there is none of a greater value.
      if (code > 255) throw new RegexFault('escape', at);
      return String.fromCharCode(code);
    }
    if (/[A-Za-z0-9]/.test(c)) throw new RegexFault('escape', at);
    return c;
  }

  private literal(c: string): Node {
    const set = new Uint8Array(256);
    set[c.charCodeAt(0)] = 1;
    return { kind: 'set', set: this.fold(set) };
  }

  /** Both cases of each letter, if case does not matter. */
  private fold(set: ByteSet): ByteSet {
    if (!this.ignoreCase) return set;
    return bytesWhere((b) => set[b] === 1 || (alpha[b] === 1 && set[b ^ 0x20] === 1));
  }

  // ── brackets ──

  private bracket(at: number): ByteSet {
    const negative = this.take('^');
    const ecma = this.grammar === 'ecma';
    const set = new Uint8Array(256);
    const add = (more: ByteSet): void => {
      for (let b = 0; b < 256; b++) if (more[b] === 1) set[b] = 1;
    };
    // In POSIX a ] that comes first is itself; in ECMAScript [] is empty.
    for (let first = true; ; first = false) {
      if (this.pos >= this.text.length) throw new RegexFault('brack', at);
      if (this.text[this.pos] === ']' && (ecma || !first)) break;
      const low = this.bracketItem(at);
      const dash = this.pos;
      const hasDash =
        this.text[dash] === '-' && this.text[dash + 1] !== ']' && dash + 1 < this.text.length;
      // A set begins no range: in ECMAScript the - behind it is itself, and so is what comes then.
      if (typeof low !== 'string' || !hasDash) {
        add(typeof low === 'string' ? inText(low) : low);
        if (!hasDash || !ecma) continue;
        this.pos++;
        const next = this.bracketItem(at);
        add(inText('-'));
        add(typeof next === 'string' ? inText(next) : next);
        continue;
      }
      this.pos++;
      const high = this.bracketItem(at);
      if (typeof high !== 'string' || high < low) throw new RegexFault('range', dash);
      add(between(low, high));
    }
    this.pos++;
    const folded = this.fold(set);
    return negative ? bytesOutside(folded) : folded;
  }

  /** One byte, or a set of them. */
  private bracketItem(bracket: number): string | ByteSet {
    const at = this.pos;
    const c = this.text[this.pos++]!;
    if (c === '[' && this.pos < this.text.length && ':.='.includes(this.text[this.pos]!)) {
      const kind = this.text[this.pos++]!;
      const end = this.text.indexOf(`${kind}]`, this.pos);
      if (end < 0) throw new RegexFault('brack', bracket);
      const name = this.text.slice(this.pos, end);
      this.pos = end + 2;
      if (kind !== ':') {
        const element = name.length === 1 ? name : COLLATING.get(name);
        if (element === undefined) throw new RegexFault('collate', at);
        return kind === '.' ? element : inText(element);
      }
      const set = CLASSES.get(name);
      if (set === undefined) throw new RegexFault('ctype', at);
      // Of the classes only these two depend on case.
      return this.ignoreCase && (name === 'lower' || name === 'upper') ? alpha : set;
    }
    if (c !== '\\' || this.grammar !== 'ecma') return c;
    const e = this.text[this.pos++];
    if (e === undefined) throw new RegexFault('escape', at);
    if (e === 'b') return '\b';
    return this.classEscape(e) ?? this.characterEscape(e, at);
  }

  // ── text ──

  private sees(what: string): boolean {
    return this.text.startsWith(what, this.pos);
  }

  private take(what: string): boolean {
    if (!this.sees(what)) return false;
    this.pos += what.length;
    return true;
  }
}

const isBegin = (node: Node): boolean => node.kind === 'begin';

/** @throws RegexFault */
export function parseRegex(
  text: string,
  grammar: Grammar,
  ignoreCase: boolean,
  nosubs: boolean,
): Parsed {
  return new Parser(text, grammar, ignoreCase, nosubs).parse();
}

/** Whether there may be a match of no bytes. */
export function canBeEmpty(node: Node): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'seq':
      return node.items.every(canBeEmpty);
    case 'alt':
      return node.options.some(canBeEmpty);
    case 'group':
      return canBeEmpty(node.body);
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.body);
    default:
      return true;
  }
}
