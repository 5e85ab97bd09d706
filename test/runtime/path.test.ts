import assert from 'node:assert/strict';
import test from 'node:test';
import { type PathGrammar, posixPaths, windowsPaths } from '../../src/runtime/path.ts';

const PIECES = ['/', '/', '\\', '.', '..', 'a', 'b', 'a.b', '.c', '\xff'];

/** The same paths on every run: a generator of 32 bits. `C:` only where it is a root name. */
function paths(count: number): string[] {
  let seed = 12345;
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const text = (): string =>
    Array.from({ length: below(8) }, () => PIECES[below(PIECES.length)]).join('');
  return Array.from({ length: count }, () => (below(4) === 0 ? 'C:' : '') + text());
}

for (const [name, g] of Object.entries({ posix: posixPaths, windows: windowsPaths })) {
  test(`${name}: what holds for every path`, () => {
    const all = paths(5000);
    all.forEach((p, i) => {
      const q = all[(i + 1) % all.length]!;
      const shown = JSON.stringify([p, q]);
      const same = (a: string, b: string) => assert.equal(g.compare(a, b), 0, shown);
      assert.equal(g.removeFilename(p) + g.filename(p), p, shown);
      assert.equal(g.stem(p) + g.extension(p), g.filename(p), shown);
      const normal = g.normal(p);
      assert.equal(g.normal(normal), normal, shown);
      assert.equal(g.isAbsolute(normal), g.isAbsolute(p), shown);
      assert.equal(g.compare(p, q) + g.compare(q, p), 0, shown);
      same(
        g.elements(p).reduce((made, part) => g.join(made, part), ''),
        p,
      );
      if (g.isAbsolute(q)) assert.equal(g.join(p, q), q, shown);
      backAgain(g, normal, g.normal(q), shown);
    });
  });
}

/** The relative path, walked from the base, leads there; where a base begins with `..` no text can tell. */
function backAgain(g: PathGrammar, p: string, base: string, shown: string): void {
  const way = g.relativeTo(p, base);
  if (way === '' || g.elements(base).includes('..')) return;
  const there = g.normal(g.join(base, way));
  const bare = (s: string) => g.elements(s).filter((part) => part !== '' && part !== '.');
  assert.deepEqual(bare(there), bare(p), `${shown} by ${way}`);
}

test('windows: root names, both separators', () => {
  const g = windowsPaths;
  assert.deepEqual(g.elements('C:\\a/b\\'), ['C:', '\\', 'a', 'b', '']);
  assert.deepEqual(g.elements('\\\\host\\share'), ['\\\\host', '\\', 'share']);
  assert.deepEqual(
    [g.isAbsolute('C:a'), g.isAbsolute('\\a'), g.isAbsolute('C:\\a')],
    [false, false, true],
  );
  assert.equal(g.join('C:\\a', '\\b'), 'C:\\b');
  assert.equal(g.join('C:\\a', 'D:b'), 'D:b');
  assert.equal(g.join('C:', 'b'), 'C:b');
  assert.equal(g.join('//host', 'b'), '//host\\b');
  assert.equal(g.normal('C:/a/../b/./'), 'C:\\b\\');
  assert.equal(g.toGeneric('C:\\a'), 'C:/a');
});
