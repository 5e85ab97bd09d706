/**
 * A program of two processes, of which V8 has other flags: `make` says, as JSON, the parts of a module; `take` reads that,
 * and says whether V8 takes the code in it before and after the module is there.
 */
import { readFileSync, writeSync } from 'node:fs';
import { Script } from 'node:vm';
import { StoredChunk } from '../../src/actors/compiled-form.ts';
import { acceptCode, compiledParts, loadModule, presetModule } from '../../src/actors/load.ts';
import { LuaTable } from '../../src/runtime/table.ts';

const file = '/no/such.lua';
const source = 'local function f(x) return x + 1 end return f(41)';

if (process.argv[2] === 'make') {
  const parts = compiledParts(file, source, false, true)!;
  writeSync(1, JSON.stringify(parts.map((part) => part.toString('base64'))));
} else {
  const texts = JSON.parse(readFileSync(0, 'utf8')) as string[];
  const parts = texts.map((text) => Buffer.from(text, 'base64'));
  const { code, main } = new StoredChunk(parts, () => {
    throw new Error('it is compiled again');
  });
  const isTaken = (): boolean | undefined =>
    code && new Script(main.js, { cachedData: code }).cachedDataRejected === false;
  const before = isTaken();
  acceptCode();
  presetModule(file, source, parts);
  const result = (loadModule(file, source, file, new LuaTable()) as () => unknown)();
  writeSync(1, JSON.stringify([before, isTaken(), result]));
}
