/** The programs in README.md and docs/ print what the pages say, and those without output compile. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { loadChunk } from '../../src/actors/load.ts';
import { LuaTable } from '../../src/runtime/table.ts';
import { fromBytes, runLua } from '../support/spec.ts';
import { readPages } from './pages.ts';

for (const { place, lua, output, files } of readPages().flatMap((page) => page.examples)) {
  if (output === undefined) {
    test(`${place} compiles`, () => {
      loadChunk(Buffer.from(lua, 'utf8').toString('latin1'), place, new LuaTable());
    });
    continue;
  }
  for (const suspendAll of [false, true]) {
    const title = `${place} prints what the page says`;
    test(suspendAll ? `${title} (suspending at every call)` : title, async () => {
      const outcome = await runLua(lua, { files, suspendAll });
      assert.equal(outcome.stderr, '');
      assert.equal(fromBytes(outcome.stdout), output);
    });
  }
}
