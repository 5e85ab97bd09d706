/** What an iteration has been given, and has dropped, is garbage while the next one's functions run. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadChunk } from '../../src/actors/load.ts';
import { LuaTable, tableOf } from '../../src/runtime/table.ts';
import { type LuaFunction, type LuaValue, NO_ZERO } from '../../src/runtime/value.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MEGABYTES = 8;

/** @returns for each call of `make` of the program, how many of its large tables there were before */
function tablesKept(source: string): number[] {
  const kept: number[] = [];
  let before = 0;
  const make = (): LuaTable => {
    collect();
    const { used_heap_size } = getHeapStatistics();
    if (kept.length === 0) before = used_heap_size;
    kept.push(Math.round((used_heap_size - before) / 2 ** 20 / MEGABYTES) + 0);
    const t = new LuaTable();
    t.arr = new Array<LuaValue>((MEGABYTES * 2 ** 20) / 8).fill(true);
    t.arr[0] = NO_ZERO;
    return t;
  };
  const globals = tableOf({ make, lib: tableOf({ make }) });
  (loadChunk(source, '@kept', globals) as LuaFunction)();
  return kept;
}

const PROGRAMS = {
  'a global function': 'for i = 1, 4 do local n = #make() end',
  'a field': 'for i = 1, 4 do local n = #lib.make() end',
  'a method': 'for i = 1, 4 do local n = #lib:make() end',
  'a local function': 'local make = make for i = 1, 4 do local n = #make() end',
  'a local': 'local make = make for i = 1, 4 do local t = make() local n = #t end',
  'an element': 'for i = 1, 4 do local t = lib.make() local n = t[i] end',
  'another loop': 'local i = 0 while i < 4 do i = i + 1 local n = lib.make()[i] end',
};

for (const [what, source] of Object.entries(PROGRAMS)) {
  test(`results of ${what}`, () => {
    assert.deepEqual(tablesKept(source), [0, 0, 0, 0]);
  });
}
