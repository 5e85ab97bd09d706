/**
 * Looks whether the text of a function is right, and which names outside it uses, without a tree of it: for
 * functions that are parsed when they are first called.
 *
 * It takes nothing that the parser would not take; where it is not sure it gives up, and the parser reads the function and
 * says what is wrong. So it need not know all of the language (no `goto`, few escapes), and there are no messages here.
 *
 * All of a program is read by this when V8 has just begun to compile what reads it. Hence one closure with
 * numbers for names, tokens and scopes, and no object for anything.
 */
import { MAX_FIELD_NAME } from './ast.ts';
import { MAX_LEVELS, MAX_LOCALS, MAX_UPVALUES, MAX_VALUES } from './limits.ts';
import { keywords, T as tokens } from './token.ts';

/** Not as literals: the compiler would think that what is the current token stays so. */
const T: Readonly<Record<keyof typeof tokens, number>> = tokens;

/** What it has found out about a function. */
export interface Skimmed {
  /** Where its `end` begins, and the line of that. */
  readonly end: number;
  readonly endLine: number;
  /** Functions inside it. */
  readonly inner: number;
  /** Names of variables outside, in order of their first use. */
  readonly names: readonly OutsideName[];
}

export interface OutsideName {
  readonly name: string;
  readonly isAssigned: boolean;
  /** It is used otherwise than to be called. */
  readonly isValue: boolean;
}

/** The code units of two texts, each of them a byte. */
export type ToBytes = (text: string, end: string) => Uint8Array;

export interface Skimmer {
  /**
   * @param start    of the list of parameters
   * @param level    how deep the function is
   * @param outside  how many variables of functions around are in scope
   * @returns undefined: the parser is to read it
   */
  skim(
    start: number,
    line: number,
    isMethod: boolean,
    level: number,
    outside: number,
  ): Skimmed | undefined;
  /** Constant keys that the functions so far have. */
  fields(): string[];
}

// Kinds of tokens: those of token.ts, and these for single characters. Sorts of characters: the same, where one begins
// no other token, and these.
const MINUS: number = 50;
const LPAREN: number = 51;
const RPAREN: number = 52;
const LBRACE: number = 53;
const RBRACE: number = 54;
const LBRACKET: number = 55;
const RBRACKET: number = 56;
const COMMA: number = 57;
const SEMICOLON: number = 58;
const EQUALS: number = 59;
const DOT: number = 60;
const COLON: number = 61;
const HASH: number = 62;
const PLAIN_OPERATOR: number = 63;
const POWER: number = 64;
const OTHER = 0;
const SPACE = 1;
const NEWLINE = 2;
const WORD = 3;
const DIGIT = 4;
const QUOTE = 5;
const COMPARED = 6; // `=`, `<`, `>`, `~`, which `=` may follow

const SORTS: readonly (readonly [string, number])[] = [
  [' \t\v\f', SPACE],
  ['\r\n', NEWLINE],
  ['0123456789', DIGIT],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_', WORD],
  ['"\'', QUOTE],
  ['=<>~', COMPARED],
  ['+*/%', PLAIN_OPERATOR],
  ['^', POWER],
  ['-', MINUS],
  ['(', LPAREN],
  [')', RPAREN],
  ['{', LBRACE],
  ['}', RBRACE],
  ['[', LBRACKET],
  [']', RBRACKET],
  [',', COMMA],
  [';', SEMICOLON],
  ['.', DOT],
  [':', COLON],
  ['#', HASH],
];

/** By character, or kind of token. */
const tableOf = (numbers: Iterable<number>): Uint8Array => {
  const table = new Uint8Array(256);
  for (const n of numbers) table[n] = 1;
  return table;
};

/** Made when they are first wanted. */
const tables = () => {
  const sorts = new Uint8Array(256).fill(WORD, 128);
  for (const [characters, sort] of SORTS)
    for (let i = 0; i < characters.length; i++) sorts[characters.charCodeAt(i)] = sort;
  return {
    sorts,
    /** Of words, and of numbers. */
    isPart: sorts.map((sort) => (sort === WORD || sort === DIGIT ? 1 : 0)),
    isBinary: tableOf([T.and, T.or, T.eq, T.concat, MINUS, PLAIN_OPERATOR, POWER]),
    /** What makes an escape with the backslash in front. */
    isEscape: tableOf(Array.from('abfnrtv\\"\'', (c) => c.charCodeAt(0))),
  };
};
let made: ReturnType<typeof tables> | undefined;

/** Ids of names: keywords are the first ones. */
const words = [...keywords.keys()];
const kinds = new Uint8Array([0, ...keywords.values()]);
const SELF = kinds.length;

/** More of one hash than this are no accident. */
const MAX_PROBES = 100;
/** So many operators, each binding tighter than the one before, can be without their right operand at once. */
const PRECEDENCES = 6;

/** What a prefix expression comes to. */
const NAME = 0;
const INDEX = 1;
const CALL = 2;
const PAREN = 3;

/** In place of a name. */
const READ = -1;

/** It is for the parser. */
const GIVE_UP = Symbol('for the parser');

/**
 * @param source  Lua text, one byte a code unit
 */
export function skimmer(
  source: string,
  toBytes: ToBytes,
  parseNumber: (text: string) => number | undefined,
): Skimmer {
  made ??= tables();
  const { sorts, isPart, isBinary, isEscape } = made;
  const { length } = source;
  const bytes = toBytes(source, `\0${words.join(' ')} self\0`);
  let pos = 0;
  let line = 0;
  // The current token, and the id of its word.
  let kind = 0;
  let start = 0;
  let word = 0;

  // ── words ──────────────────────────────────────────────────────────────────────────────────────

  let count = 1;
  let slots = new Int32Array(4096);
  let mask = slots.length - 1;
  // By id: hash, place and length of the word.
  let hashes = new Int32Array(2048);
  let places = new Int32Array(2048);
  let lengths = new Int32Array(2048);
  // By id: declarations that are in scope; the last function that named it outside, assigned it, and
  // used it as a value; whether it is a constant key.
  let inScope = new Int32Array(2048);
  let namedIn = new Int32Array(2048);
  let assignedIn = new Int32Array(2048);
  let valueIn = new Int32Array(2048);
  let isField = new Uint8Array(2048);
  const texts: string[] = [];
  /** Constant keys in brackets. */
  const keys = new Set<string>();

  const textOf = (id: number): string =>
    (texts[id] ??= id === SELF ? 'self' : source.slice(places[id]!, places[id]! + lengths[id]!));

  const grow = (): void => {
    const more = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const larger = new Int32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    hashes = more(hashes);
    places = more(places);
    lengths = more(lengths);
    inScope = more(inScope);
    namedIn = more(namedIn);
    assignedIn = more(assignedIn);
    valueIn = more(valueIn);
    const fields = new Uint8Array(isField.length * 2);
    fields.set(isField);
    isField = fields;
    slots = new Int32Array(slots.length * 2);
    mask = slots.length - 1;
    for (let id = 1; id < count; id++) {
      let slot = hashes[id]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
  };

  /** The id of the word at `pos`, which is stepped over. */
  const readWord = (): number => {
    const from = pos;
    let hash = 0;
    let at = from;
    for (let c = bytes[at]!; isPart[c] !== 0; c = bytes[++at]!) hash = (hash * 31 + c) & 0x3ffffff;
    pos = at;
    const size = at - from;
    let slot = hash & mask;
    for (let probes = 0; ; probes++) {
      const id = slots[slot]!;
      if (id === 0) break;
      if (hashes[id] === hash && lengths[id] === size) {
        let known = places[id]!;
        at = from;
        while (at < pos && bytes[at] === bytes[known]) {
          at++;
          known++;
        }
        if (at === pos) return id;
      }
      if (probes > MAX_PROBES) throw GIVE_UP;
      slot = (slot + 1) & mask;
    }
    const id = count++;
    slots[slot] = id;
    hashes[id] = hash;
    places[id] = from;
    lengths[id] = size;
    if (count === hashes.length) grow();
    return id;
  };

  pos = length + 1;
  for (let i = 0; i <= words.length; i++, pos++) readWord();

  // ── tokens ─────────────────────────────────────────────────────────────────────────────────────

  /** Step over what ends a line, at `pos`. */
  const newline = (): void => {
    const c = bytes[pos++]!;
    const d = bytes[pos]!;
    if (sorts[d] === NEWLINE && d !== c) pos++;
    line++;
  };

  const next = (): void => {
    for (;;) {
      const c = bytes[pos]!;
      const sort = sorts[c]!;
      switch (sort) {
        case SPACE:
          pos++;
          while (bytes[pos] === 32) pos++;
          continue;
        case NEWLINE:
          newline();
          continue;
        case WORD:
          start = pos;
          word = readWord();
          kind = word < SELF ? kinds[word]! : T.name;
          return;
        case DIGIT:
          return number();
        case QUOTE:
          return string(c);
        case COMPARED:
          pos++;
          if (bytes[pos] === 61) {
            pos++;
            kind = T.eq;
          } else if (c === 126) throw GIVE_UP;
          else kind = c === 61 ? EQUALS : PLAIN_OPERATOR;
          return;
        case MINUS:
          pos++;
          if (bytes[pos] === 45) {
            pos++;
            comment();
            continue;
          }
          kind = MINUS;
          return;
        case DOT:
          if (sorts[bytes[pos + 1]!] === DIGIT) return number();
          pos++;
          kind = DOT;
          if (bytes[pos] !== 46) return;
          pos++;
          kind = T.concat;
          if (bytes[pos] !== 46) return;
          pos++;
          kind = T.dots;
          return;
        case LBRACKET: {
          const d = bytes[pos + 1];
          if (d === 91 || d === 61) {
            start = pos;
            if (!long()) throw GIVE_UP;
            kind = T.string;
            return;
          }
          pos++;
          kind = LBRACKET;
          return;
        }
        case COLON:
          if (bytes[pos + 1] === 58) throw GIVE_UP; // a label
          pos++;
          kind = COLON;
          return;
        case OTHER:
          throw GIVE_UP;
        default:
          pos++;
          kind = sort;
          return;
      }
    }
  };

  const number = (): void => {
    kind = T.number;
    const from = pos;
    while (sorts[bytes[pos]!] === DIGIT) pos++;
    if (bytes[pos] === 46 && pos > from) {
      pos++;
      while (sorts[bytes[pos]!] === DIGIT) pos++;
    }
    if (isPart[bytes[pos]!] === 0 && bytes[pos] !== 46) return;
    let exponent = 101; // e
    pos = from;
    if (bytes[pos] === 48 && (bytes[pos + 1]! | 32) === 120) {
      exponent = 112; // p
      pos += 2;
    }
    for (;;) {
      const c = bytes[pos]!;
      if ((c | 32) === exponent) {
        pos++;
        if (bytes[pos] === 43 || bytes[pos] === 45) pos++;
      } else if (c === 46 || isPart[c] !== 0) pos++;
      else break;
    }
    if (parseNumber(source.slice(from, pos)) === undefined) throw GIVE_UP;
  };

  const string = (quote: number): void => {
    kind = T.string;
    start = pos++;
    for (;;) {
      const c = bytes[pos]!;
      if (c === quote) break;
      if (c === 92) escape();
      else if (c === 10 || c === 13 || (c === 0 && pos >= length)) throw GIVE_UP;
      else pos++;
    }
    pos++;
  };

  const escape = (): void => {
    pos++;
    const c = bytes[pos]!;
    if (sorts[c] === NEWLINE) newline();
    else if (isEscape[c] !== 0) pos++;
    else if (sorts[c] === DIGIT) {
      let code = 0;
      for (let i = 0; i < 3 && sorts[bytes[pos]!] === DIGIT; i++)
        code = code * 10 + bytes[pos++]! - 48;
      if (code > 255) throw GIVE_UP;
    } else throw GIVE_UP;
  };

  const comment = (): void => {
    if (bytes[pos] === 91 && long()) return;
    let c = bytes[pos]!;
    while (c !== 10 && c !== 13 && (c !== 0 || pos < length)) c = bytes[++pos]!;
  };

  /** At `[`: step over what a long bracket begins, if it is one. */
  const long = (): boolean => {
    let at = pos + 1;
    while (bytes[at] === 61) at++;
    if (bytes[at] !== 91) return false;
    const close = `]${'='.repeat(at - pos - 1)}]`;
    const end = source.indexOf(close, at + 1);
    if (end < 0) throw GIVE_UP;
    pos = at + 1;
    while (pos < end) {
      if (sorts[bytes[pos]!] === NEWLINE) newline();
      else pos++;
    }
    pos = end + close.length;
    return true;
  };

  // ── scopes ─────────────────────────────────────────────────────────────────────────────────────

  /** Ids of the locals in scope, and how many are not those of the function being read. */
  const stack = new Int32Array(MAX_LOCALS * MAX_LEVELS);
  let top = 0;
  let base = 0;
  let isVararg = false;
  let loops = 0;
  let level = 0;
  let outside = 0;
  let functions = 0;
  /** Of the function that is skimmed, and the names outside that it has. */
  let turn = 0;
  let names: number[] = [];

  const declare = (id: number): void => {
    if (top - base >= MAX_LOCALS) throw GIVE_UP;
    stack[top++] = id;
    inScope[id]!++;
  };

  const close = (to: number): void => {
    while (top > to) inScope[stack[--top]!]!--;
  };

  /** A name outside is used. */
  const use = (id: number): void => {
    if (namedIn[id] !== turn) {
      namedIn[id] = turn;
      names.push(id);
    }
    if (kind !== LPAREN && kind !== T.string && kind !== LBRACE) valueIn[id] = turn;
  };

  const assign = (id: number): void => {
    if (inScope[id] === 0) assignedIn[id] = turn;
  };

  const deeper = (): void => {
    if (++level > MAX_LEVELS) throw GIVE_UP;
  };

  const expect = (wanted: number): void => {
    if (kind !== wanted) throw GIVE_UP;
    next();
  };

  const name = (): number => {
    if (kind !== T.name) throw GIVE_UP;
    const id = word;
    next();
    return id;
  };

  const field = (): void => {
    const id = name(); // there may be more room for marks afterwards
    isField[id] = 1;
  };

  // ── statements ─────────────────────────────────────────────────────────────────────────────────

  const block = (): void => {
    const from = top;
    statements();
    close(from);
  };

  const loop = (): void => {
    loops++;
    block();
    loops--;
  };

  const statements = (): void => {
    for (;;) {
      switch (kind) {
        case T.end:
        case T.else:
        case T.elseif:
        case T.until:
          return;
        case T.return:
          next();
          if (!(kind === SEMICOLON || ends())) list();
          if (kind === SEMICOLON) next();
          return;
        default:
          deeper();
          statement();
          level--;
      }
    }
  };

  const ends = (): boolean =>
    kind === T.end || kind === T.else || kind === T.elseif || kind === T.until;

  const statement = (): void => {
    switch (kind) {
      case T.name:
      case LPAREN:
        return expressionStatement();
      case T.local:
        next();
        return local();
      case T.if:
        do {
          next();
          expression(0);
          expect(T.then);
          block();
        } while (kind === T.elseif);
        if (kind === T.else) {
          next();
          block();
        }
        return expect(T.end);
      case T.for:
        return forLoop();
      case T.function: {
        next();
        const id = name();
        if (inScope[id] === 0) use(id);
        let isMethod = false;
        if (kind !== DOT && kind !== COLON) assign(id);
        else {
          while (!isMethod && (kind === DOT || kind === COLON)) {
            isMethod = kind === COLON;
            next();
            field();
          }
          if (inScope[id] === 0) valueIn[id] = turn;
        }
        body(isMethod);
        return next();
      }
      case T.while:
        next();
        expression(0);
        expect(T.do);
        loop();
        return expect(T.end);
      case T.repeat: {
        next();
        const from = top;
        loops++;
        statements();
        expect(T.until);
        expression(0);
        loops--;
        return close(from);
      }
      case T.do:
        next();
        block();
        return expect(T.end);
      case T.break:
        if (loops === 0) throw GIVE_UP;
        return next();
      case SEMICOLON:
        return next();
      default:
        throw GIVE_UP; // goto, or what begins no statement
    }
  };

  const local = (): void => {
    if (kind === T.function) {
      next();
      declare(name());
      body(false);
      return next();
    }
    const first = name();
    let more: number[] | undefined;
    while (kind === COMMA) {
      next();
      more ??= [];
      more.push(name());
    }
    if (kind === EQUALS) {
      next();
      list();
    }
    declare(first);
    if (more !== undefined) for (const id of more) declare(id);
  };

  const forLoop = (): void => {
    next();
    const first = name();
    const from = top;
    if (kind === EQUALS) {
      next();
      expression(0);
      expect(COMMA);
      expression(0);
      if (kind === COMMA) {
        next();
        expression(0);
      }
      expect(T.do);
      declare(first);
    } else {
      const more: number[] = [];
      while (kind === COMMA) {
        next();
        more.push(name());
      }
      expect(T.in);
      list();
      expect(T.do);
      declare(first);
      for (const id of more) declare(id);
    }
    loop();
    close(from);
    expect(T.end);
  };

  const expressionStatement = (): void => {
    let what = suffixed();
    if (what === CALL) return;
    for (let targets = 1; ; targets++) {
      if (what > INDEX || targets > MAX_LEVELS) throw GIVE_UP;
      if (what === NAME) assign(plain);
      if (kind !== COMMA) break;
      next();
      what = suffixed();
    }
    expect(EQUALS);
    list();
  };

  // ── expressions ────────────────────────────────────────────────────────────────────────────────

  const list = (): void => {
    expression(0);
    for (let values = 2; kind === COMMA; values++) {
      if (values > MAX_VALUES) throw GIVE_UP;
      next();
      expression(0);
    }
  };

  /**
   * Operands and operators: which belong together does not matter, but how deep they would nest does.
   * @param begun  of what it begins with and has been read: the id of a name, or READ; or 0
   */
  const expression = (begun: number): void => {
    const before = level;
    deeper();
    let operators = 0;
    if (begun === 0) operand();
    else if (begun > 0) suffixes(begun);
    while (isBinary[kind] !== 0) {
      if (kind === POWER || operators++ < PRECEDENCES) deeper();
      next();
      operand();
    }
    level = before;
  };

  const operand = (): void => {
    while (kind === T.not || kind === MINUS || kind === HASH) {
      deeper();
      next();
    }
    switch (kind) {
      case T.name:
      case LPAREN:
        suffixed();
        return;
      case T.number:
      case T.string:
      case T.nil:
      case T.true:
      case T.false:
        return next();
      case LBRACE:
        return table();
      case T.function:
        next();
        body(false);
        return next();
      case T.dots:
        if (!isVararg) throw GIVE_UP;
        return next();
      default:
        throw GIVE_UP;
    }
  };

  /** The name that a prefix expression was. */
  let plain = 0;

  const suffixed = (): number => {
    if (kind === T.name) {
      const id = word;
      next();
      return suffixes(id);
    }
    expect(LPAREN);
    expression(0);
    expect(RPAREN);
    return suffixes(0);
  };

  /** @param begun  the name that it begins with, or 0: brackets */
  const suffixes = (begun: number): number => {
    if (begun !== 0 && inScope[begun] === 0) use(begun);
    let what = begun === 0 ? PAREN : NAME;
    for (;;) {
      switch (kind) {
        case DOT:
          next();
          field();
          what = INDEX;
          break;
        case LPAREN:
          next();
          if (kind !== RPAREN) list();
          expect(RPAREN);
          what = CALL;
          break;
        case COLON:
          next();
          field();
          if (kind === LPAREN) {
            next();
            if (kind !== RPAREN) list();
            expect(RPAREN);
          } else if (kind === T.string) next();
          else if (kind === LBRACE) table();
          else throw GIVE_UP;
          what = CALL;
          break;
        case LBRACKET:
          key();
          what = INDEX;
          break;
        case T.string:
          next();
          what = CALL;
          break;
        case LBRACE:
          table();
          what = CALL;
          break;
        default:
          plain = begun;
          return what;
      }
    }
  };

  /** In brackets. */
  const key = (): void => {
    next();
    if (kind === T.string) {
      const text = source.slice(start + 1, pos - 1);
      const isPlain = bytes[start] !== 91 && !text.includes('\\');
      next();
      if (isPlain && kind === RBRACKET) keys.add(text);
      expression(READ);
    } else expression(0);
    expect(RBRACKET);
  };

  const table = (): void => {
    deeper();
    next();
    while (kind !== RBRACE) {
      if (kind === LBRACKET) {
        key();
        expect(EQUALS);
        expression(0);
      } else if (kind === T.name) {
        const id = word;
        next();
        if (kind === EQUALS) {
          isField[id] = 1;
          next();
          expression(0);
        } else expression(id);
      } else expression(0);
      if (kind !== COMMA && kind !== SEMICOLON) break;
      next();
    }
    expect(RBRACE);
    level--;
  };

  /** From the list of parameters up to `end`, which is the current token then. */
  const body = (isMethod: boolean): void => {
    deeper();
    functions++;
    const around = { base, loops, isVararg };
    // Each variable around may be one that it names.
    if (outside + top > MAX_UPVALUES) throw GIVE_UP;
    base = top;
    loops = 0;
    isVararg = false;
    if (isMethod) declare(SELF);
    expect(LPAREN);
    while (kind !== RPAREN) {
      if (kind === T.dots) {
        isVararg = true;
        next();
        break;
      }
      declare(name());
      if (kind !== COMMA) break;
      next();
      if (kind === RPAREN) throw GIVE_UP;
    }
    expect(RPAREN);
    statements();
    if (kind !== T.end) throw GIVE_UP;
    close(base);
    base = around.base;
    loops = around.loops;
    isVararg = around.isVararg;
    level--;
  };

  return {
    skim(at, atLine, isMethod, depth, variables) {
      pos = at;
      line = atLine;
      level = depth - 1;
      outside = variables;
      functions = -1;
      base = 0;
      top = 0;
      turn++;
      names = [];
      try {
        next();
        body(isMethod);
      } catch (error) {
        if (error !== GIVE_UP) throw error;
        close(0);
        return undefined;
      }
      return {
        end: start,
        endLine: line,
        inner: functions,
        names: names.map((id) => ({
          name: textOf(id),
          isAssigned: assignedIn[id] === turn,
          isValue: valueIn[id] === turn,
        })),
      };
    },
    fields() {
      const found = [...keys];
      for (let id = SELF; id < count; id++) if (isField[id] === 1) found.push(textOf(id));
      return found.filter((text) => text.length <= MAX_FIELD_NAME);
    },
  };
}
