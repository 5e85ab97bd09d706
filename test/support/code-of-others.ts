/**
 * A program of two processes, of which V8 has other flags: `make` says, as JSON, the parts of a module; `take` reads that,
 * and says whether V8 takes the code in it before and after the module is there, what the module is, how much of the parts is
 * not read again, and whether they can still be passed on when that is lost.
 */
import { readFileSync, writeSync } from 'node:fs';
import { Script } from 'node:vm';
import { StoredChunk } from '../../src/actors/compiled-form.ts';
import {
  acceptCode,
  compiledParts,
  displayName,
  loadModule,
  presetModule,
} from '../../src/actors/load.ts';
import { LuaTable, setField } from '../../src/runtime/table.ts';

const file = '/no/such.lua';
const source = 'local function f(x) return x + 1 end print(1) return f(41)';

const CODE = 1; // what V8 has made

/** Continuations, and what lies behind the texts. */
const lengthOfRest = ([, , texts, ...others]: readonly Buffer[], js: string): number =>
  others.reduce((sum, { length }) => sum + length, texts!.length - js.length);

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
  const bytes = Buffer.concat(parts);
  let at = 0;
  const copies = parts.map(({ length }) => bytes.subarray(at, (at += length)));
  let lost = 0;
  presetModule(file, source, copies, (spent) => {
    lost = spent.fill(255).length;
  });
  const globals = new LuaTable();
  setField(globals, 'print', () => undefined);
  const result = (loadModule(file, source, displayName(`@${file}`), globals) as () => unknown)();
  const passedOn = compiledParts(file, source, false, true)!;
  const isWhole = passedOn.every((part, i) => i === CODE || part.equals(parts[i]!));
  writeSync(
    1,
    JSON.stringify([
      before,
      isTaken(),
      result,
      lost === at - lengthOfRest(parts, main.js),
      isWhole,
    ]),
  );
}
