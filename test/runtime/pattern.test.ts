import assert from 'node:assert/strict';
import test from 'node:test';
import { backtrack, captureCount, captured, found } from '../../src/runtime/pattern-backtrack.ts';
import { compileMatcher } from '../../src/runtime/pattern-compile.ts';
import { firstBytes, parsePattern } from '../../src/runtime/pattern-parse.ts';

let seed = 4711;
const random = (n: number): number => {
  seed = (seed * 16807) % 2147483647;
  return seed % n;
};
const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

const classes = ['a', 'b', 'c', '.', '%a', '%d', '%s', '[ab]', '[^a]', '[a-c1]', '%(', '1', '%A'];
const others = ['()', '%b()', '%bab', '%f[a]', '%f[%W]', '%f[^b]'];

function randomPattern(): string {
  let text = '';
  let open = 0;
  for (let i = random(6); i >= 0; i--) {
    const choice = random(10);
    if (choice === 0) text += pick(others);
    else if (choice === 1) {
      text += '(';
      open++;
    } else if (choice === 2 && open > 0) {
      text += ')';
      open--;
    } else text += pick(classes) + pick(['', '', '*', '+', '-', '?']);
  }
  return text + ')'.repeat(open) + (random(5) === 0 ? '$' : '');
}

function state(text: string, matched: boolean): unknown {
  if (!matched) return 'none';
  const captures = Array.from({ length: captureCount() }, (_, i) => captured(text, i));
  return { start: found.start, end: found.end, captures };
}

test('a compiled pattern finds what the backtracker finds, with the same captures', () => {
  let compiled = 0;
  for (let i = 0; i < 3000; i++) {
    const pattern = randomPattern();
    const items = parsePattern(pattern, 0);
    const anchored = random(4) === 0;
    const matcher = compileMatcher(items, anchored);
    if (matcher === undefined) continue;
    compiled++;
    for (let j = 0; j < 8; j++) {
      const text = Array.from({ length: random(14) }, () => pick([...'aabbc1 ()'])).join('');
      const from = random(text.length + 1);
      const first = firstBytes(items);
      const expected = state(text, backtrack(items, text, from, anchored, first));
      const actual = state(text, matcher(text, from));
      assert.deepEqual(actual, expected, `${JSON.stringify(pattern)} in ${JSON.stringify(text)}`);
    }
  }
  assert.ok(compiled > 2500, `${compiled} of 3000 were compiled`);
});

test('patterns that raise errors, or are too long, are not compiled', () => {
  for (const pattern of ['[a', '%', '(a', 'a)', '(a)%1', '%f', 'a'.repeat(41)]) {
    assert.equal(compileMatcher(parsePattern(pattern, 0), false), undefined, pattern);
  }
});
