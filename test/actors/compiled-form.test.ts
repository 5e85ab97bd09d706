/** The compiled form of a chunk as bytes, and back: nothing is lost. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoredChunk, toParts } from '../../src/actors/compiled-form.ts';
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
      const parts = toParts(chunk, emitted);
      assert.ok(parts, file);
      const again = new StoredChunk(parts, never);
      assert.deepEqual(everything(again, ids), everything(chunk, ids), file);
      // What is stored of what was stored is the same.
      const second = new StoredChunk(toParts(again, new Map())!, never);
      assert.deepEqual(everything(second, ids), everything(chunk, ids), file);
      stored++;
    }
    assert.ok(stored > 30, `${stored} programs`);
  });
}

test('a continuation that is not stored is compiled from the source, once', () => {
  const source = 'local a, b = f(), g() return a + b';
  const chunk = compiled(source);
  const parts = toParts(chunk, new Map([[0, chunk.continuation(0)]]))!;
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

test('a text that is not of bytes is not stored, nor one that is very long', () => {
  const chunk = compiled('return 1');
  for (const more of ['/* \u2190 */', ' '.repeat(2 ** 25)]) {
    const other = { ...chunk, main: { ...chunk.main, js: chunk.main.js + more } };
    assert.equal(toParts(other, new Map()), undefined);
  }
});
