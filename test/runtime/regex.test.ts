/** Regular expressions: the grammars, and both engines against simple models. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { allowLinearEngine } from '../../src/modules/regex.ts';
import { Regex } from '../../src/runtime/regex.ts';
import {
  type Grammar,
  type Node,
  parseRegex,
  RegexFault,
  wordBytes,
} from '../../src/runtime/regex-parse.ts';

allowLinearEngine();

const make = (pattern: string, grammar: Grammar = 'ecma', more: object = {}): Regex =>
  new Regex({
    pattern,
    grammar,
    ignoreCase: false,
    nosubs: false,
    optimize: false,
    maxSteps: 1_000_000,
    ...more,
  });

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** The match that the machine finds, as text of all groups. */
function byMachine(regex: Regex, text: string): (string | undefined)[] | undefined {
  const groups = regex.searchBytes(bytes(text), 0, text.length, undefined);
  if (groups === undefined) return undefined;
  return textOf(regex, groups, text);
}
function byString(regex: Regex, text: string): (string | undefined)[] | undefined {
  const groups = regex.searchText(text, undefined);
  return groups === undefined ? undefined : textOf(regex, groups, text);
}
function textOf(regex: Regex, groups: ArrayLike<number>, text: string): (string | undefined)[] {
  return Array.from({ length: regex.groups + 1 }, (_, i) =>
    groups[2 * i]! < 0 ? undefined : text.slice(groups[2 * i]!, groups[2 * i + 1]!),
  );
}

/** Pattern, text, groups of the first match. */
type Case = readonly [string, string, ...(string | undefined)[]];

const both = (grammar: Grammar, cases: readonly Case[]): void => {
  for (const [pattern, text, ...groups] of cases) {
    const regex = make(pattern, grammar);
    const expected = groups.length === 0 ? undefined : groups;
    assert.deepEqual(byMachine(regex, text), expected, `${grammar} ${pattern} on ${text}`);
    assert.deepEqual(
      byString(regex, text),
      expected,
      `${grammar} ${pattern} on ${text}, as string`,
    );
  }
};

test('ecma: what ECMAScript has', () => {
  both('ecma', [
    ['b+', 'aabbb', 'bbb'],
    ['b+?', 'aabbb', 'b'],
    ['(a)|(b)', 'b', 'b', undefined, 'b'],
    ['a|ab', 'ab', 'a'],
    ['(?:a|ab)(?:c|bcd)(d*)', 'abcd', 'abcd', ''],
    ['^\\d{2,3}$', '123', '123'],
    ['^\\d{2,3}$', '1234'],
    ['\\bfoo\\b', 'a foo!', 'foo'],
    ['\\Boo', 'foo', 'oo'],
    ['(z)((a+)?(b+)?(c))*', 'zaacbbbcac', 'zaacbbbcac', 'z', 'ac', 'a', undefined, 'c'],
    ['(a*)*', 'b', '', undefined],
    ['(?:.*?){2,}', 'aa', 'aa'],
    ['(?:(?:a|b*?)*){2,}c', 'abbac', 'abbac'],
    ['(?=(a+))a*b\\1', 'baaabac', 'aba', 'a'],
    ['(.*?)a(?!(a+)b\\2c)\\2(.*)', 'baaabaac', 'baaabaac', 'ba', undefined, 'abaac'],
    ['(\\w)\\1', 'abccd', 'cc', 'c'],
    ['[^]', '\n', '\n'],
    ['[]', 'a'],
    ['.', '\n\ra', 'a'],
    ['\\x41\\u0042\\cJ\\0', 'AB\n\0', 'AB\n\0'],
    ['[\\d\\-x]+', 'a-1x', '-1x'],
    ['[\\d--z]+', 'b-1z', '-1z'],
    ['[\\w-.]+', '(a-.b)', 'a-.b'],
    ['[[:alpha:]_]+', '1ab_c2', 'ab_c'],
    ['[[.hyphen.]a]+', 'b-a-', '-a-'],
    ['[[=e=]]', 'xe', 'e'],
    ['\\/\\.\\*', '/.*', '/.*'],
    ['\\[(.*?)]', 'a[b]c]', '[b]', 'b'],
    ['\\{\\{(\\w+)}}', '{{a}}', '{{a}}', 'a'],
    ['a{2}}+]?\\_', 'aa}}_', 'aa}}_'],
    ['\\s+', 'a\xa0 \tb', ' \t'],
    ['[\x80-\xff]+', 'z\xc3\xa9z', '\xc3\xa9'],
    ['x*', 'aax', ''],
    ['(a|ab)(c|bcd)(d*)', 'abcd', 'abcd', 'a', 'bcd', ''],
  ]);
});

test('extended: what POSIX has, and the longest match', () => {
  both('extended', [
    ['a|ab', 'ab', 'ab'],
    ['(a|ab)(c|bcd)(d*)', 'abcd', 'abcd', 'a', 'bcd', ''],
    ['(a?)(ab)?', 'ab', 'ab', '', 'ab'],
    ['x*|y+z', 'yyz', 'yyz'],
    ['wee|week|weekend', 'weekends', 'weekend'],
    ['^(one|two) [0-9]+$', 'two 22', 'two 22', 'two'],
    ['[]a]+', 'b]a]', ']a]'],
    ['[^]a]+', ']ab', 'b'],
    ['[a\\]+', 'x\\a', '\\a'],
    ['a{2}', 'aaa', 'aa'],
    ['a{2,}', 'aaaa', 'aaaa'],
    ['\\{\\}\\.\\$', '{}.$', '{}.$'],
    ['}]', '}]', '}]'],
    ['.', '\n', '\n'],
    ['(^a|b)c', 'bc', 'bc', 'b'],
    ['a**', 'aaa', 'aaa'],
  ]);
});

test('basic: what POSIX has', () => {
  both('basic', [
    ['\\(a\\)\\1', 'aab', 'aa', 'a'],
    ['\\(a*\\)b\\1', 'aabaa', 'aabaa', 'aa'],
    ['*a', 'x*a', '*a'],
    ['\\(*a\\)', '*a', '*a', '*a'],
    ['^*', '**', '*'],
    ['^**', '**', '**'],
    ['a^b$c', 'a^b$c', 'a^b$c'],
    ['a\\{2,3\\}', 'aaaa', 'aaa'],
    ['a+b?(c){1}', 'a+b?(c){1}', 'a+b?(c){1}'],
    ['a|b', 'a|b', 'a|b'],
    ['\\*\\.\\\\', '*.\\', '*.\\'],
    ['a\\(b$\\)', 'ab', 'ab', 'b'],
  ]);
});

test('patterns that are wrong say why and where', () => {
  const cases: readonly [Grammar, string, string, number][] = [
    ['ecma', '(', 'paren', 0],
    ['ecma', 'a)', 'paren', 1],
    ['ecma', '(?<a>b)', 'paren', 0],
    ['ecma', '[a', 'brack', 0],
    ['ecma', '*', 'badrepeat', 0],
    ['ecma', 'a**', 'badrepeat', 2],
    ['ecma', '^*', 'badrepeat', 1],
    ['ecma', '(?=a)*', 'badrepeat', 5],
    ['ecma', 'a{', 'brace', 1],
    ['ecma', 'a{1', 'brace', 1],
    ['ecma', 'a{x}', 'badbrace', 1],
    ['ecma', 'a{2,1}', 'badbrace', 1],
    ['ecma', 'a{1001}', 'space', 1],
    ['ecma', '\\', 'escape', 0],
    ['ecma', '\\y', 'escape', 0],
    ['ecma', '\\xg', 'escape', 0],
    ['ecma', '\\u0141', 'escape', 0],
    ['ecma', '(a)\\2', 'backref', 3],
    ['ecma', '[b-a]', 'range', 2],
    ['ecma', '[a-\\d]', 'range', 2],
    ['ecma', '[[:nope:]]', 'ctype', 1],
    ['ecma', '[[.nope.]]', 'collate', 1],
    ['ecma', '[[:alpha', 'brack', 0],
    ['ecma', '((a{1000}){1000}){1000}', 'space', -1],
    ['ecma', '('.repeat(300) + ')'.repeat(300), 'space', 200],
    ['extended', '\\d', 'escape', 0],
    ['extended', '(a', 'paren', 0],
    ['extended', 'a|*', 'badrepeat', 2],
    ['basic', '\\(a', 'paren', 0],
    ['basic', 'a\\)', 'paren', 1],
    ['basic', '\\1', 'backref', 0],
    ['basic', '\\(a\\1\\)', 'backref', 3],
    ['basic', 'a\\{1', 'brace', 1],
    ['basic', '\\+', 'escape', 0],
  ];
  for (const [grammar, pattern, error, at] of cases) {
    assert.throws(
      () => make(pattern, grammar),
      (thrown) => {
        assert.ok(thrown instanceof RegexFault, `${pattern}: ${thrown}`);
        assert.deepEqual([thrown.error, thrown.at], [error, at], `${grammar} ${pattern}`);
        return true;
      },
    );
  }
});

test('ignore_case and nosubs', () => {
  assert.deepEqual(byMachine(make('h[a-e]LLO', 'ecma', { ignoreCase: true }), 'HEllo'), ['HEllo']);
  assert.deepEqual(byString(make('[[:lower:]]+', 'ecma', { ignoreCase: true }), 'aBC'), ['aBC']);
  assert.deepEqual(byMachine(make('(\\w)\\1', 'ecma', { ignoreCase: true }), 'xaA'), ['aA', 'a']);
  // Only ASCII has letters.
  assert.equal(byString(make('\xe9', 'ecma', { ignoreCase: true }), '\xc9'), undefined);
  const plain = make('(a)(b)', 'ecma', { nosubs: true });
  assert.equal(plain.groups, 0);
  assert.deepEqual(byString(plain, 'ab'), ['ab']);
  assert.throws(() => make('(a)\\1', 'ecma', { nosubs: true }), { error: 'backref' });
});

test('patterns that backtrack for ever elsewhere end here', () => {
  const a = 'a'.repeat(20_000);
  for (const pattern of [
    '(a+)+$',
    '(a|a)*$',
    '(a|aa)+$',
    '(.*)*x',
    '((a*)*)*b',
    '(a?){50}a{50}!',
  ]) {
    for (const grammar of ['ecma', 'extended'] as const) {
      const regex = make(`^${pattern}`, grammar);
      assert.equal(byString(regex, `${a}-`), undefined, pattern);
      assert.equal(byMachine(regex, `${a.slice(0, 2000)}-`), undefined, pattern);
    }
  }
  const irregular = make('^(a+)+\\1$', 'ecma', { maxSteps: 100_000 });
  assert.deepEqual(byString(irregular, 'aaaa'), ['aaaa', 'a']);
  assert.throws(() => byString(irregular, `${a}-`), { error: 'complexity' });
  assert.throws(() => byMachine(make('(?=(a*)*b)a', 'ecma', { maxSteps: 5000 }), a), {
    error: 'complexity',
  });
});

// ── random patterns ────────────────────────────────────────────────────────────────────────────────

function random(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** A pattern that means the same in ecma and extended, and in JavaScript. */
function pattern(pick: (n: number) => number, depth: number): string {
  const atoms = ['a', 'b', 'c', '.', '[ab]', '[^a]', 'ab', 'bc'];
  switch (pick(depth > 3 ? 1 : 7)) {
    case 0:
      return atoms[pick(atoms.length)]!;
    case 1:
      return `${pattern(pick, depth + 1)}|${pattern(pick, depth + 1)}`;
    case 2:
      return `(${pattern(pick, depth + 1)})`;
    case 3:
    case 4: {
      const q = ['*', '+', '?', '{2}', '{1,2}', '{0,3}', '{2,}'][pick(7)]!;
      return `(${pattern(pick, depth + 1)})${q}`;
    }
    case 5:
      return pick(6) === 0 ? `^${pattern(pick, depth + 1)}` : `${pattern(pick, depth + 1)}$`;
    default:
      return pattern(pick, depth + 1) + pattern(pick, depth + 1);
  }
}
const subject = (pick: (n: number) => number): string =>
  Array.from({ length: pick(12) }, () => 'abcd'[pick(4)]).join('');

test('ecma: both engines agree with JavaScript, with all groups', () => {
  for (let seed = 1; seed <= 4000; seed++) {
    const pick = random(seed);
    const text = pattern(pick, 0);
    const regex = make(text);
    const model = new RegExp(text);
    for (let n = 0; n < 6; n++) {
      const s = subject(pick);
      const m = model.exec(s);
      const expected = m === null ? undefined : Array.from(m);
      assert.deepEqual(byMachine(regex, s), expected, `/${text}/ on ${s}, machine`);
      assert.deepEqual(byString(regex, s), expected, `/${text}/ on ${s}, string`);
      const whole = new RegExp(`^(?:${text})$`).exec(s);
      const all = whole === null ? undefined : Array.from(whole);
      assert.deepEqual(regex.matchText(s, undefined)?.slice(), all, `/${text}/ is all of ${s}`);
      assert.deepEqual(regex.matchText(s, {})?.slice(), all, `/${text}/ is all of ${s}, machine`);
    }
  }
});

const endsOfAll = (node: Node, s: string, from: Iterable<number>): Set<number> =>
  new Set(Array.from(from).flatMap((pos) => Array.from(ends(node, s, pos))));

/** All places where a match that begins at `pos` may end. */
function ends(node: Node, s: string, pos: number): Set<number> {
  switch (node.kind) {
    case 'set':
      return new Set(pos < s.length && node.set[s.charCodeAt(pos)] === 1 ? [pos + 1] : []);
    case 'seq':
      return node.items.reduce((from, item) => endsOfAll(item, s, from), new Set([pos]));
    case 'alt':
      return new Set(node.options.flatMap((o) => [...ends(o, s, pos)]));
    case 'group':
      return ends(node.body, s, pos);
    case 'repeat': {
      let reached = new Set([pos]);
      const all = new Set(node.min === 0 ? [pos] : []);
      for (let i = 1; i <= Math.min(node.max, node.min + s.length + 1); i++) {
        reached = endsOfAll(node.body, s, reached);
        if (i >= node.min) for (const p of reached) all.add(p);
      }
      return all;
    }
    case 'begin':
      return new Set(pos === 0 ? [pos] : []);
    case 'end':
      return new Set(pos === s.length ? [pos] : []);
    case 'word':
    case 'not-word': {
      const is = (p: number): boolean => p >= 0 && p < s.length && wordBytes[s.charCodeAt(p)] === 1;
      return new Set((is(pos - 1) !== is(pos)) === (node.kind === 'word') ? [pos] : []);
    }
    default:
      return assert.fail(node.kind);
  }
}

test('extended: the match is the leftmost, and the longest of those', () => {
  for (let seed = 1; seed <= 4000; seed++) {
    const pick = random(seed);
    const text = pattern(pick, 0);
    const regex = make(text, 'extended');
    const { root } = parseRegex(text, 'extended', false, false);
    for (let n = 0; n < 6; n++) {
      const s = subject(pick);
      let expected: string | undefined;
      for (let at = 0; at <= s.length && expected === undefined; at++) {
        const last = Math.max(...ends(root, s, at));
        if (last >= at) expected = s.slice(at, last);
      }
      assert.equal(byMachine(regex, s)?.[0], expected, `/${text}/ on ${s}`);
      assert.equal(byString(regex, s)?.[0], expected, `/${text}/ on ${s}, string`);
    }
  }
});

test('a text that comes in pieces is split as the whole is', () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const pick = random(seed);
    const regex = make(pattern(pick, 1), pick(2) === 0 ? 'ecma' : 'extended');
    const text = bytes(subject(pick) + subject(pick));
    const whole: number[] = [];
    for (let at = 0; ; at = regex.matchEnd) {
      at = regex.find(text, at, text.length, false, 0);
      if (at < 0) break;
      whole.push(at, regex.matchEnd);
    }
    // Now the end of what is there moves, one byte at a time.
    const pieces: number[] = [];
    let from = 0;
    for (let end = 0; end <= text.length; ) {
      const more = end < text.length;
      const at = regex.find(text, from, end, more, 0);
      if (at < 0) {
        from = regex.resumeAt;
        end++;
      } else {
        pieces.push(at, regex.matchEnd);
        from = regex.matchEnd;
      }
    }
    assert.deepEqual(pieces, whole, `${regex.options.grammar} ${regex.options.pattern}`);
  }
});

test('random text as a pattern is compiled or refused, in all grammars', () => {
  const alphabet = '()[]{}*+?|^$.\\-,:=!abB01259wdsxu\n\xff';
  for (let seed = 1; seed <= 20_000; seed++) {
    const pick = random(seed);
    const text = Array.from({ length: pick(14) }, () => alphabet[pick(alphabet.length)]).join('');
    for (const grammar of ['ecma', 'extended', 'basic'] as const) {
      try {
        const regex = make(text, grammar, { maxSteps: 10_000 });
        byMachine(regex, 'ab01\\(x)');
        byString(regex, 'ab01\\(x)');
      } catch (thrown) {
        assert.ok(thrown instanceof RegexFault, `${grammar} ${JSON.stringify(text)}: ${thrown}`);
      }
    }
  }
});
