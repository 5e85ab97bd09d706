/** Functions that are parsed when they are first called: nothing is found out later than it was. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Chunk } from '../../src/compiler/ast.ts';
import { type Compiled, compile } from '../../src/compiler/compile.ts';
import { inferPart } from '../../src/compiler/infer.ts';
import { LuaSyntaxError } from '../../src/compiler/lex.ts';
import { type Leaving, parse } from '../../src/compiler/parse.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';
import { Random } from '../fuzz/random.ts';
import { syntaxProgram } from '../fuzz/syntax.ts';

const toBytes = (text: string, end: string): Uint8Array => Buffer.from(text + end, 'latin1');
const all: Leaving = { own: 0, toBytes };

/** What leads elsewhere, and what is not found out by parsing. */
const OUTSIDE = new Set(['parent', 'target', 'labels', 'self', 'single', 'result', 'pure']);

/** A tree as text: the same for the same program, whatever ids its variables have. */
function shown(chunk: Chunk): string {
  const ids = new Map<object, number>();
  return JSON.stringify(chunk.main, (key, value) => {
    if (OUTSIDE.has(key)) return undefined;
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof Set) return Array.from(value, ({ name }) => name).sort();
    if (!('captured' in value)) return value;
    if (!ids.has(value)) ids.set(value, ids.size);
    const { name, captured, assigned } = value;
    return [ids.get(value), name, captured, assigned];
  });
}

interface Outcome {
  readonly error?: string;
  readonly tree?: string;
  readonly fields?: string[];
  readonly unread?: number;
}

/** @param isBackward  the last function is read first */
function outcome(source: string, leaving?: Leaving, isBackward = false): Outcome {
  let chunk: Chunk;
  try {
    chunk = parse(source, 'x.lua', parseUnsigned, leaving);
  } catch (error) {
    if (error instanceof LuaSyntaxError) return { error: error.message };
    throw error;
  }
  const left = chunk.functions.filter(({ unread }) => unread !== undefined);
  if (isBackward) left.reverse();
  const fields = new Set(chunk.fields);
  for (const node of left) {
    const read = chunk.read(node); // no error
    for (const name of read.fields) fields.add(name);
    inferPart(read.functions);
  }
  return { tree: shown(chunk), fields: [...fields].sort(), unread: left.length };
}

/** @returns how many functions were left unread */
function compare(source: string): number {
  const { unread = 0, ...left } = outcome(source, all, source.length % 2 === 0);
  const { unread: _, ...once } = outcome(source);
  assert.deepEqual(left, once, source);
  return unread;
}

const root = join(import.meta.dirname, '../..');
const texts = globSync('{examples,bench,test,scripts}/**/*.lua', { cwd: root }).map((file) =>
  readFileSync(join(root, file), 'latin1'),
);

test('each program of this repository has the same tree, and the same fields', () => {
  let unread = 0;
  for (const text of texts) unread += compare(text);
  assert.ok(unread > 500, `${unread} functions`);
});

const PIECES =
  'end|(|)|{|}|[|]|=|==|local |function |...|"|\'|\\|\n|\r|--|[[|]]|[==[|0x|1e|.|..|:|::|goto x |break |return |until |repeat |if |then |else |for |in |do |while |not |-|^|\0|\x80|,|;|nil|\\z|\\300|\\u{41}'.split(
    '|',
  );

function mutated(random: Random, text: string): string {
  let result = text;
  for (let i = random.int(3); i >= 0; i--) {
    const from = random.int(result.length + 1);
    const to = from + 1 + random.int(random.chance(20) ? 200 : 6);
    const [before, middle, after] = [
      result.slice(0, from),
      result.slice(from, to),
      result.slice(to),
    ];
    const at = random.int(result.length + 1);
    result = random.pick([
      before + after,
      before + random.pick(PIECES) + middle + after,
      before + random.pick(PIECES) + after,
      before + result.slice(at, at + to - from) + after,
      before + middle + middle + after,
      before,
    ]);
  }
  return random.chance(30) ? `local a, b = 1\nlocal function f(x) ${result}\nend return f` : result;
}

test('programs with mistakes have the same messages', () => {
  const random = new Random(45);
  const small = texts.filter((text) => text.length < 6_000);
  let unread = 0;
  for (let i = 0; i < 1_000; i++)
    unread += compare(
      mutated(random, i % 4 === 0 ? syntaxProgram(new Random(i)) : random.pick(small)),
    );
  assert.ok(unread > 100, `${unread} functions`);
});

const many = (n: number, text: (i: number) => string, separator = ' '): string =>
  Array.from({ length: n }, (_, i) => text(i)).join(separator);

test('the limits of a function are where they were', () => {
  for (const n of [198, 199, 200, 201, 239, 240, 241, 249, 250, 251, 400]) {
    const bodies = [
      many(n, (i) => `local x${i}`),
      `local ${many(n, (i) => `x${i}`, ',')}`,
      `f(${many(n, (i) => `${i}`, ',')})`,
      `return ${many(n, () => 'a', ',')}`,
      `${many(n, () => 'a.b', ',')} = 1`,
      `${many(n, () => 'do')} ${many(n, () => 'end')}`,
      `return ${'('.repeat(n / 2)}1${')'.repeat(n / 2)}`,
      `return ${'{'.repeat(n)}1${'}'.repeat(n)}`,
      `return ${many(n, () => 'not')} a`,
      `return ${many(n, () => '2', '^')}`,
      `return ${many(n, () => '2', '..')}`,
      `return ${many(n, () => 'a', ' or ')}`,
      `return ${many(n, () => '- a', ' + ')}`,
      many(n >> 3, (i) => `for x${i} = 1, 2 do local y = 1`) + many(n >> 3, () => ' end'),
      `${many(n, () => 'return function()')} ${many(n, () => 'end')}`,
    ];
    for (const body of bodies) compare(`local a, f, g\nfunction g() ${body} end`);
    const half = n >> 1;
    compare(`${many(half, (i) => `local u${i}`)}
      function g()
        ${many(n - half, (i) => `local v${i}`)}
        return function() return ${many(half, (i) => `u${i}`, '+')} + ${many(n - half, (i) => `v${i}`, '+')} end
      end`);
  }
});

// ── the forms of a program ─────────────────────────────────────────────────────────────────────────

const compiled = (source: string): Compiled =>
  compile(source, {
    chunkName: 'x.lua',
    parseNumber: parseUnsigned,
    suspendAll: false,
    later: { own: 0, inner: 0 },
    toBytes,
  });

const PROGRAM = `
  local n, rate = 0, 2
  local function twice(x) local y = x * rate if y > 10 then return y - 1 end return y end
  local function sum(a, b) if a > b then return 0 end return a + sum(a + 1, b) end
  function Counter() local count = 0 return { add = function(self, k) count = count + sum(1, k) return count end } end
  function use(t) n = n + twice(t.value) return function() return n, function() return twice end end end
`;

test('what a function becomes does not depend on which others have been called', () => {
  const forward = compiled(PROGRAM);
  const backward = compiled(PROGRAM);
  const texts = new Map(forward.left.map((i) => [i, forward.later(i).main.js]));
  assert.equal(texts.size, 4);
  for (const i of backward.left.toReversed()) assert.equal(backward.later(i).main.js, texts.get(i));
});

test('asked for again, it is the same', () => {
  const chunk = compiled(PROGRAM);
  const twice = (): string => chunk.later(2).main.js;
  assert.equal(twice(), twice());
});

test('after a label functions are parsed with the chunk, and fields of those before are known', () => {
  const chunk = compiled(
    'function f(t) return t.early end do ::l:: g = function(t) return t.late end end',
  );
  assert.deepEqual([...chunk.fields].sort(), ['early', 'f', 'g', 'late']);
});

test('functions are numbered and named as if all had been parsed', () => {
  const chunk = compiled(PROGRAM);
  for (const i of chunk.left) chunk.later(i);
  const { functions } = compile(PROGRAM, {
    chunkName: 'x.lua',
    parseNumber: parseUnsigned,
    suspendAll: false,
  });
  assert.deepEqual(chunk.functions, functions);
});

test('a function that calls itself calls what it is, unless it is used as a value there', () => {
  const own = (body: string): string =>
    compiled(`local function f(n) ${body} end f(1)`).later(1).main.js;
  assert.match(own('return f(n - 1)'), /const f\$1 = \(function f\$f1/);
  assert.doesNotMatch(own('return f(n - 1), f'), /const f\$1 = \(function/);
});
