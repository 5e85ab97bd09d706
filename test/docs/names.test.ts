/** Every name that Lua can see has an entry in docs/ref/. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'node:test';
import { Vm } from '../../src/actors/vm.ts';
import { library } from '../../src/modules/all.ts';
import { luaTypes } from '../../src/modules/define.ts';
import { entries, LuaTable } from '../../src/runtime/table.ts';
import type { LuaValue } from '../../src/runtime/value.ts';
import { hasEntry, isReference, readPages } from './pages.ts';

const pages = readPages().filter(isReference);
const vm = new Vm(library, {
  report: () => {},
  ended: () => {},
  bug: (thrown) => assert.fail(String(thrown)),
  print: () => {},
  flush: () => {},
});

/** Names of a table and of the tables in it, with their owners; `_G` and the like only once. */
function names(t: LuaTable, owner: string, seen: Set<LuaValue>): [owner: string, name: string][] {
  seen.add(t);
  return [...entries(t)].flatMap(([key, value]) => {
    const name = String(key);
    const inner = owner === '' ? name : `${owner}.${name}`;
    const below = value instanceof LuaTable && !seen.has(value) ? names(value, inner, seen) : [];
    return [[owner, name] as [string, string], ...below];
  });
}

function check(what: string, found: readonly [owner: string, name: string][]): void {
  test(`${what}: every name has an entry in docs/ref/`, () => {
    const missing = found.filter(([owner, name]) => !hasEntry(pages, owner, name));
    assert.deepEqual(
      missing.map(([owner, name]) => (owner === '' ? name : `${owner}.${name}`)),
      [],
    );
  });
}

const globals = vm.newGlobals();
check('globals', [...names(globals, '', new Set()), ['', '_FILE'], ['', '_CONTEXT']]);

// A module is named as its file: those that `require` finds are known by asking for them.
const folder = join(import.meta.dirname, '..', '..', 'src', 'modules');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
  const id = basename(file, '.ts');
  const module = vm.core(id);
  if (module === undefined) continue;
  check(`require '${id}'`, [
    ['', id],
    ...(module instanceof LuaTable ? names(module, id, new Set()) : []),
  ]);
}

for (const [type, members] of luaTypes()) {
  check(
    `objects of type ${type}`,
    [...members].map((member) => [type, member]),
  );
}
