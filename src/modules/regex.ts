/**
 * `require 'regex'`: std::regex's three grammars, on strings and spans of bytes. runtime/regex.ts chooses
 * the engine for a pattern.
 */
import { eachMatch, eachPiece } from '../runtime/byte-matcher.ts';
import { ByteSpan } from '../runtime/byte-span.ts';
import { argError, checkTable } from '../runtime/check.ts';
import { typeName } from '../runtime/error.ts';
import { badArgument, categoryError, codeError, ErrorCategory } from '../runtime/error-code.ts';
import { type Groups, pairs, Regex } from '../runtime/regex.ts';
import { DEFAULT_STEPS, type MatchOptions } from '../runtime/regex-match.ts';
import { type Grammar, REGEX_ERRORS, RegexFault } from '../runtime/regex-parse.ts';
import { fromArray, type LuaTable, rawGetString, rawSet, tableOf } from '../runtime/table.ts';
import { type LuaValue, type Result, results } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

const category = new ErrorCategory('regex', (code) => REGEX_ERRORS[code - 1]?.[1] ?? '');

/** Run it; what is wrong with a pattern, or with a match, becomes Lua's error. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof RegexFault)) throw thrown;
    throw categoryError(category, thrown.code, {
      offset: thrown.at < 0 ? undefined : thrown.at + 1,
    });
  }
}

// ── new ────────────────────────────────────────────────────────────────────────────────────────────

const GRAMMARS: ReadonlyMap<LuaValue, Grammar> = new Map<LuaValue, Grammar>([
  ['basic', 'basic'],
  ['extended', 'extended'],
  ['ecma', 'ecma'],
]);

/**
 * Steps back of V8's backtracking engine in one search until it changes to the linear one: about 5 ms.
 * Each place where no match begins counts as one, too, and the linear engine needs 40 ns a byte.
 */
const BACKTRACKS = 1_000_000;
let flagsAreSet = false;

/** Before the first pattern, and not at start-up: few programs use regular expressions. */
export function allowLinearEngine(): void {
  if (flagsAreSet) return;
  flagsAreSet = true;
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--enable-experimental-regexp-engine');
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  setFlagsFromString(`--regexp-backtracks-before-fallback=${BACKTRACKS}`);
}

function create(options: LuaValue): Regex {
  const t = checkTable(options, 1, 'new');
  const flag = (name: string): boolean => {
    const v = rawGetString(t, name);
    if (v !== undefined && typeof v !== 'boolean') throw badArgument(name);
    return v === true;
  };
  const text = (name: string): string => {
    const v = rawGetString(t, name);
    if (typeof v === 'string') return v;
    return argError(1, 'new', `field '${name}': string expected, got ${typeName(v)}`);
  };
  const pattern = text('pattern');
  const grammar = GRAMMARS.get(text('grammar'));
  if (grammar === undefined) throw badArgument('grammar');
  const maxSteps = rawGetString(t, 'max_steps') ?? DEFAULT_STEPS;
  if (typeof maxSteps !== 'number' || !(maxSteps >= 1)) throw badArgument('max_steps');
  allowLinearEngine();
  return attempt(
    () =>
      new Regex({
        pattern,
        grammar,
        ignoreCase: flag('ignore_case'),
        nosubs: flag('nosubs'),
        optimize: flag('optimize'),
        maxSteps,
      }),
  );
}

luaType('regex', Regex, {
  properties: {
    mark_count: (self) => self.groups,
    grammar: (self) => self.options.grammar,
    ignore_case: (self) => self.options.ignoreCase,
    nosubs: (self) => self.options.nosubs,
    optimized: (self) => self.options.optimize,
    max_steps: (self) => self.options.maxSteps,
  },
});

// ── match flags ────────────────────────────────────────────────────────────────────────────────────

/** Bits as in libstdc++. */
const FLAGS = {
  not_bol: 1,
  not_eol: 2,
  not_bow: 4,
  not_eow: 8,
  any: 16,
  not_null: 32,
  continuous: 64,
} as const;

function matchOptions(v: LuaValue): MatchOptions | undefined {
  if (v === undefined || v === 0) return undefined;
  if (typeof v !== 'number' || !Number.isInteger(v) || v < 0 || v >= 128) throw badArgument(3);
  return {
    notBol: (v & FLAGS.not_bol) !== 0,
    notEol: (v & FLAGS.not_eol) !== 0,
    notBow: (v & FLAGS.not_bow) !== 0,
    notEow: (v & FLAGS.not_eow) !== 0,
    notNull: (v & FLAGS.not_null) !== 0,
    anchored: (v & FLAGS.continuous) !== 0,
  };
}

// ── matching ───────────────────────────────────────────────────────────────────────────────────────

function checkRegex(v: LuaValue): Regex {
  if (!(v instanceof Regex)) throw badArgument(1);
  return v;
}

type Subject = string | ByteSpan;

function checkSubject(v: LuaValue): Subject {
  if (typeof v === 'string' || v instanceof ByteSpan) return v;
  throw badArgument(2);
}

/** Part of a span: it shares the memory, and appending to it does not write over what follows. */
const spanOver = (span: ByteSpan, from: number, to: number): ByteSpan =>
  new ByteSpan(span.bytes, from, to - from, to - from);

const endOf = (span: ByteSpan): number => span.offset + span.length;

function match(re: LuaValue, subject: LuaValue, flags: LuaValue): Result {
  const regex = checkRegex(re);
  const s = checkSubject(subject);
  const options = matchOptions(flags);
  return attempt(() => {
    if (typeof s === 'string') {
      const groups = regex.matchText(s, options);
      if (groups === undefined) return undefined;
      if (regex.groups === 0) return s;
      return results(
        Array.from(groups)
          .slice(1)
          .map((text) => text ?? ''),
      );
    }
    const groups = regex.matchBytes(s.bytes, s.offset, endOf(s), options);
    if (groups === undefined) return undefined;
    if (regex.groups === 0) return s;
    const spans = pairs(groups, regex.groups, (from, to) =>
      from < 0 ? spanOver(s, s.offset, s.offset) : spanOver(s, from, to),
    );
    return results(spans.slice(1));
  });
}

function search(re: LuaValue, subject: LuaValue, flags: LuaValue): LuaTable {
  const regex = checkRegex(re);
  const s = checkSubject(subject);
  const options = matchOptions(flags);
  const groups = attempt(() =>
    typeof s === 'string'
      ? regex.searchText(s, options)
      : regex.searchBytes(s.bytes, s.offset, endOf(s), options),
  );
  const found = tableOf({ empty: groups === undefined });
  if (groups !== undefined) fillGroups(found, groups, regex.groups, s);
  return found;
}

function fillGroups(found: LuaTable, groups: Groups, count: number, s: Subject): void {
  const offset = typeof s === 'string' ? 0 : s.offset;
  pairs(groups, count, (from, to) =>
    from < 0 ? undefined : tableOf({ start: from - offset + 1, end_: to - offset }),
  ).forEach((range, i) => {
    if (range !== undefined) rawSet(found, i, range);
  });
}

/** `split` and `patsplit` have no use for groups. */
function withoutGroups(v: LuaValue): Regex {
  const regex = checkRegex(v);
  if (regex.groups > 0) throw codeError('ENOTSUP');
  return regex;
}

function split(re: LuaValue, subject: LuaValue): LuaTable {
  const regex = withoutGroups(re);
  const s = checkSubject(subject);
  return attempt(() => {
    if (typeof s === 'string') return fromArray([0, ...regex.splitText(s)]);
    const pieces: LuaValue[] = [0];
    eachPiece(regex, s.bytes, s.offset, endOf(s), (a, b) => pieces.push(spanOver(s, a, b)));
    return fromArray(pieces);
  });
}

function patsplit(re: LuaValue, subject: LuaValue): LuaTable {
  const regex = withoutGroups(re);
  const s = checkSubject(subject);
  return attempt(() => {
    const found: LuaValue[] = [0];
    if (typeof s === 'string') regex.eachInText(s, (a, b) => found.push(s.slice(a, b)));
    else eachMatch(regex, s.bytes, s.offset, endOf(s), (a, b) => found.push(spanOver(s, a, b)));
    return fromArray(found);
  });
}

export const regex = luaModule('regex', {
  new: create,
  match,
  search,
  split,
  patsplit,
  match_flag: FLAGS,
});
