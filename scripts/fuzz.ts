/**
 * Random Lua programs, run straight through, suspending at every call, and by LuaJIT where it is
 * installed: all must print the same. A program that fails is made smaller and printed.
 *
 *   node scripts/fuzz.ts [--seconds N] [--seed N]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generate } from '../test/compiler/generate.ts';
import { runLua } from '../test/support/spec.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const hasLuajit = spawnSync('luajit', ['-v']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'perilune-fuzz-'));

interface Printed {
  stdout: string;
  failed: boolean;
}

function luajit(program: string): Printed {
  writeFileSync(join(folder, 'main.lua'), program, 'latin1');
  const run = spawnSync('luajit', ['main.lua'], {
    cwd: folder,
    encoding: 'latin1',
    timeout: 10_000,
  });
  return { stdout: run.stdout, failed: run.status !== 0 };
}

async function perilune(program: string, suspendAll: boolean): Promise<Printed> {
  try {
    const { stdout, code } = await runLua(program, { suspendAll });
    return { stdout, failed: code !== 0 };
  } catch (bug) {
    return { stdout: `internal error: ${(bug as Error).message}`, failed: true };
  }
}

/** What is wrong with a program, or undefined. */
async function fault(program: string): Promise<string | undefined> {
  const straight = await perilune(program, false);
  const suspended = await perilune(program, true);
  const same = (a: Printed, b: Printed): boolean => a.stdout === b.stdout && a.failed === b.failed;
  const describe = (what: string, a: Printed, b: Printed): string => {
    const x = a.stdout.split('\n');
    const y = b.stdout.split('\n');
    const i = x.findIndex((line, n) => line !== y[n]);
    return `${what}: ${JSON.stringify(x[i])} | ${JSON.stringify(y[i])}`;
  };
  if (!same(straight, suspended)) return describe('straight | suspended', straight, suspended);
  if (!hasLuajit) return undefined;
  const reference = luajit(program);
  return same(straight, reference) ? undefined : describe('perilune | luajit', straight, reference);
}

/** Still fails in the same way (which engines differ), not by being no Lua any more. */
async function fails(program: string, kind: string): Promise<boolean> {
  if (hasLuajit && !luajit(program).stdout.includes(':')) return false;
  return (await fault(program))?.startsWith(kind) ?? false;
}

/** Take out runs of lines for as long as it still fails. */
async function minimise(program: string, kind: string): Promise<string> {
  let lines = program.split('\n');
  for (let size = lines.length >> 1; size >= 1; size = size === 1 ? 0 : (size + 1) >> 1) {
    for (let i = 0; i + size <= lines.length; ) {
      const fewer = [...lines.slice(0, i), ...lines.slice(i + size)];
      if (await fails(fewer.join('\n'), kind)) lines = fewer;
      else i++;
    }
  }
  return lines.join('\n');
}

const until = Date.now() + Number(values.seconds) * 1000;
const only = values.seed === undefined ? undefined : Number(values.seed);
let tried = 0;
let found = 0;
for (
  let seed = only ?? Math.floor(Math.random() * 1e9);
  Date.now() < until || seed === only;
  seed++
) {
  const program = generate(seed);
  const what = await fault(program);
  tried++;
  if (what !== undefined) {
    found++;
    console.log(`seed ${seed}: ${what}`);
    console.log(await minimise(program, what.slice(0, what.indexOf(':'))));
  }
  if (only !== undefined) break;
}
rmSync(folder, { recursive: true });
console.log(`${tried} programs${hasLuajit ? ', compared with LuaJIT' : ''}, ${found} failures`);
process.exit(found === 0 ? 0 : 1);
