/** The compiled form of a chunk as bytes, and back: nothing is lost. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Made, StoredChunk, toParts } from '../../src/actors/compiled-form.ts';
import { type Compiled, compile } from '../../src/compiler/compile.ts';
import type { Emitted } from '../../src/compiler/emit.ts';
import { parseUnsigned } from '../../src/runtime/number.ts';

const root = join(import.meta.dirname, '../..');

const compiled = (source: string, suspendAll = false): Compiled =>
  compile(source, { chunkName: 'x.lua', parseNumber: parseUnsigned, suspendAll });

const plain = ({ js, lines, names }: Emitted) => ({ js, lines, names: [...names] });

function everything(chunk: Compiled, continuations: number[]) {
  return {
    main: plain(chunk.main),
    fields: chunk.fields,
    guards: chunk.guards,
    functions: chunk.functions,
    sites: chunk.sites.map(({ line, functionIndex, savesFunction, names }) => ({
      line,
      functionIndex,
      savesFunction,
      names,
    })),
    continuations: continuations.map((id) => plain(chunk.continuation(id))),
  };
}

test('fields come with their properties, whatever they are called', () => {
  const names = ['2', '__proto__', 'constructor', '$a', 'a', '$', '1', '-0', 'b.c', 'z'];
  const chunk = compiled(`local t = {} ${names.map((name) => `t['${name}'] = 0`).join(' ')}`);
  const stored = new StoredChunk(toParts(chunk, { continuations: new Map() })!, never);
  assert.deepEqual(stored.fields, names);
  assert.deepEqual(
    stored.properties,
    names.map((name) => `$${name}`),
  );
});

const never = (): Compiled => assert.fail('it is not compiled again');

for (const suspendAll of [false, true]) {
  test(`all programs of the examples and of conformance${suspendAll ? ', suspending' : ''}`, () => {
    const files = globSync('{examples,test/conformance}/**/*.lua', { cwd: root });
    let stored = 0;
    for (const file of files) {
      const source = readFileSync(join(root, file), 'latin1');
      let chunk: Compiled;
      try {
        chunk = compiled(source, suspendAll);
      } catch {
        continue; // it is about a syntax error
      }
      const ids = chunk.sites.map((_, id) => id).filter((id) => id % 7 === 0);
      const emitted = new Map(ids.map((id) => [id, chunk.continuation(id)]));
      const parts = toParts(chunk, { continuations: emitted });
      assert.ok(parts, file);
      const again = new StoredChunk(parts, never);
      assert.deepEqual(everything(again, ids), everything(chunk, ids), file);
      // What is stored of what was stored is the same.
      const second = new StoredChunk(toParts(again, { continuations: new Map() })!, never);
      assert.deepEqual(everything(second, ids), everything(chunk, ids), file);
      stored++;
    }
    assert.ok(stored > 30, `${stored} programs`);
  });
}

test('a continuation that is not stored is compiled from the source, once', () => {
  const source = 'local a, b = f(), g() return a + b';
  const chunk = compiled(source);
  const parts = toParts(chunk, { continuations: new Map([[0, chunk.continuation(0)]]) })!;
  let times = 0;
  const again = new StoredChunk(parts, () => {
    times++;
    return compiled(source);
  });
  assert.deepEqual(plain(again.continuation(0)), plain(chunk.continuation(0)));
  assert.deepEqual([again.isComplete, times], [true, 0]);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(plain(again.continuation(1)), plain(chunk.continuation(1)));
    assert.deepEqual([again.isComplete, times], [false, 1]);
  }
});

const LATER = { own: 0, inner: 0 };

test('functions that were left for later are stored with what is in them, those that have been called', () => {
  const source = `
    local function called(a) local function inner() return a end return inner end
    local function other() return g() end`;
  const compiledLater = (): Compiled =>
    compile(source, {
      chunkName: 'x.lua',
      parseNumber: parseUnsigned,
      suspendAll: false,
      later: LATER,
    });
  const chunk = compiledLater();
  assert.deepEqual(chunk.left, [1, 3]);
  const none = new Map<number, Emitted>();
  const partsOf = (of: Compiled, made: Partial<Made> = {}): Buffer[] =>
    toParts(of, { continuations: none, ...made })!;
  const inner = partsOf(chunk.later(1).later(2), { isLater: true, code: Buffer.from('code') });
  const called = partsOf(chunk.later(1), { isLater: true, later: [[2, inner]] });
  const stored = new StoredChunk(partsOf(chunk, { later: [[1, called]] }), never);
  assert.deepEqual(stored.left, [1, 3]);
  const again = stored.later(1).later(2) as StoredChunk;
  assert.deepEqual(everything(again, []), everything(chunk.later(1).later(2), []));
  assert.equal(again.code?.toString(), 'code');
  assert.equal(stored.isComplete, true);
  // What is there is kept when more is stored.
  let times = 0;
  const more = new StoredChunk(partsOf(stored), () => {
    times++;
    return compiledLater();
  });
  assert.deepEqual(everything(more.later(1), []), everything(chunk.later(1), []));
  assert.deepEqual([more.isComplete, times], [true, 0]);
  assert.deepEqual(everything(more.later(3), [0]), everything(chunk.later(3), [0]));
  assert.deepEqual([more.isComplete, times], [false, 1]);
});

test('names of functions that are parsed when they are called are stored with those', () => {
  const compiledUnread = (): Compiled =>
    compile('function called(a) local function inner() return a end return inner end', {
      chunkName: 'x.lua',
      parseNumber: parseUnsigned,
      suspendAll: false,
      later: { own: 0, inner: Number.POSITIVE_INFINITY },
      toBytes: (text, end) => Buffer.from(text + end, 'latin1'),
    });
  const continuations = new Map<number, Emitted>();
  const called = toParts(compiledUnread().later(1), { continuations, isLater: true });
  const stored = new StoredChunk(
    toParts(compiledUnread(), { continuations, later: [[1, called]] })!,
    never,
  );
  assert.equal(stored.functions[2]?.name, '');
  const [, , inner] = stored.later(1).functions;
  assert.deepEqual(inner, { name: 'inner', line: 1 });
  // What is stored after that has it, too.
  const again = new StoredChunk(toParts(stored, { continuations })!, never);
  assert.deepEqual(again.later(1).functions[2], inner);
});

test('a text that is not of bytes is not stored, nor one that is very long', () => {
  const chunk = compiled('return 1');
  for (const more of ['/* \u2190 */', ' '.repeat(2 ** 25)]) {
    const other = { ...chunk, main: { ...chunk.main, js: chunk.main.js + more } };
    assert.equal(toParts(other, { continuations: new Map() }), undefined);
  }
});
