/**
 * Differential fuzzer: random programs, run here (as they are, and with every call suspending) and by
 * LuaJIT; what they print must be the same. A difference is made as small as it can be and written to
 * test/conformance/found/, where it is a test from then on.
 *
 *   npm run fuzz -- --seconds N | --programs N [--seed S] [--save] [--most N]
 *
 * `--save` writes what is found; after `--most` differences (10) it ends. Ends with code 1 if there was a difference.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generate } from '../test/compiler/generate.ts';
import { classProgram } from '../test/fuzz/classes.ts';
import { expressionProgram } from '../test/fuzz/expressions.ts';
import { Random } from '../test/fuzz/random.ts';
import { limitCpuTime } from './cpu-time.ts';
import type { Job } from './fuzz/worker.ts';

/** Programs that are run together. */
const BATCH = 50;
/**
 * Seconds of CPU time that one batch may take, anywhere; and a program that is being made smaller: it may loop
 * for ever. Of CPU time, since a machine that has more to do must not make a difference.
 */
const BATCH_SECONDS = 30;
const ONE_SECONDS = 2;
let seconds = BATCH_SECONDS;

const here = import.meta.dirname;
const found = join(here, '..', 'test', 'conformance', 'found');

/** The program of a seed: classes, expressions with values of all kinds, or statements of all kinds. */
export function programOf(seed: number): string {
  if (seed % 5 === 0) return classProgram(new Random(seed));
  return seed % 2 === 0 ? expressionProgram(new Random(seed)) : generate(seed);
}

// ── the two sides ──────────────────────────────────────────────────────────────────────────────────

let folder = '';

function runLuajit(programs: readonly string[]): string[] {
  const input = join(folder, 'programs');
  writeFileSync(input, programs.map((p) => `${p.length}\n${p}`).join(''), 'latin1');
  const driver = join(here, 'fuzz', 'driver.lua');
  const limited = `ulimit -t ${seconds}; exec luajit -joff "$0" "$1"`;
  const output = execFileSync('sh', ['-c', limited, driver, input], {
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  });
  const outputs: string[] = [];
  for (let at = 0; at < output.length; ) {
    const line = output.indexOf('\n', at);
    const size = Number(output.slice(at, line));
    outputs.push(output.slice(line + 1, line + 1 + size));
    at = line + 1 + size;
  }
  return outputs;
}

let worker: ChildProcess | undefined;

/** In another process: a program that takes it down, or never ends, is found all the same. */
function runHere(job: Job): Promise<string[]> {
  worker ??= fork(join(here, 'fuzz', 'worker.ts'), {
    execArgv: ['--stack-size=4000'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const process = worker;
  return new Promise((done, failed) => {
    const end = (work: () => void): void => {
      stopLooking();
      process.removeAllListeners();
      work();
    };
    const broken = (why: string): void =>
      end(() => {
        process.kill('SIGKILL');
        worker = undefined;
        failed(new Error(why));
      });
    const stopLooking = limitCpuTime(process.pid!, seconds, () => broken('takes too long'));
    process.on('message', (outputs: string[]) => end(() => done(outputs)));
    process.on('exit', (code, signal) => broken(`the process died: ${signal ?? code}`));
    process.send(job);
  });
}

/** What each program prints here, or how it failed as a whole. */
async function outputsHere(programs: string[], suspendAll: boolean): Promise<string[]> {
  try {
    return await runHere({ programs, suspendAll });
  } catch (fault) {
    if (programs.length === 1) return [String(fault)];
    const half = programs.length >> 1;
    return [
      ...(await outputsHere(programs.slice(0, half), suspendAll)),
      ...(await outputsHere(programs.slice(half), suspendAll)),
    ];
  }
}

// ── differences ────────────────────────────────────────────────────────────────────────────────────

interface Difference {
  readonly program: string;
  readonly suspendAll: boolean;
  readonly expected: string;
  readonly actual: string;
}

const ADDRESS = /(table|function|thread|userdata): (?:builtin#\d+|0x[0-9a-f]{0,12}|[0-9a-f]{4,})/g;

/**
 * Equal but for what is meant to differ: addresses; names of functions that LuaJIT has forgotten (after a tail
 * call, or called by `pcall`) and we have not; wording of errors in its libraries that are written in Lua.
 */
function sameLine(expected: string, actual: string): boolean {
  if (expected === actual) return true;
  // The driver is a caller, too; LuaJIT doesn't always tell a missing argument from nil.
  const e = expected.replace(ADDRESS, '$1: address').replace(/"[^" ]*driver\.lua:\d+: /, '"');
  let a = actual.replace(ADDRESS, '$1: address');
  if (e.includes("to '?' (")) a = a.replace(/(#\d+ to )'[\w.]+' \(/g, "$1'?' (");
  if (e.includes("to '(for generator)'")) a = a.replace(/to '[\w.]+' \(/, "to '(for generator)' (");
  if (e.includes('got nil')) a = a.replace('got no value', 'got nil');
  if (e === a) return true;
  // We let a traversal go on from a number whose element was removed, wherever it was.
  if (e.includes("invalid key to 'next'")) return true;
  // In a chain of `..` LuaJIT may name the wrong operand.
  if (e.replace(/concatenate \w+ '\w+' \((a \w+ value)\)/, 'concatenate $1') === a) return true;
  // Functions made by coroutine.wrap raise errors unchanged.
  for (let s = e; s !== (s = s.replace(/main\.lua:\d+: /, '')); ) if (s === a) return true;
  return e.includes('[builtin:') && e.replace(/".*/, '') === a.replace(/".*/, '');
}

function same(expected: string, actual: string): boolean {
  if (expected === actual) return true;
  // LuaJIT can call C only 200 levels deep, and compares numbers with objects as Lua 5.1 does: not at all.
  if (/stack overflow|attempt to compare (?:number with table|table with number)/.test(expected))
    return true;
  const lines = actual.split('\n');
  const wanted = expected.split('\n');
  return lines.length === wanted.length && wanted.every((line, i) => sameLine(line, lines[i]!));
}

async function compare(programs: string[]): Promise<(Difference | undefined)[]> {
  const expected = runLuajit(programs);
  const plain = await outputsHere(programs, false);
  const suspending = await outputsHere(programs, true);
  return programs.map((program, i) => {
    const e = expected[i]!;
    if (!same(e, plain[i]!)) return { program, suspendAll: false, expected: e, actual: plain[i]! };
    if (!same(e, suspending[i]!))
      return { program, suspendAll: true, expected: e, actual: suspending[i]! };
    return undefined;
  });
}

const isSyntaxError = (output: string): boolean => /^error: main\.lua:\d+: .* near /.test(output);

/** Leave out lines, as many as can be, so that there is still a difference, and none of syntax only. */
async function minimise(difference: Difference): Promise<Difference> {
  let best = difference;
  seconds = ONE_SECONDS;
  const differs = async (lines: readonly string[]): Promise<Difference | undefined> => {
    const [d] = await compare([`${lines.join('\n')}\n`]).catch(() => [undefined]);
    if (d === undefined || isSyntaxError(d.expected) || isSyntaxError(d.actual)) return undefined;
    // Not another difference than the one that was found.
    if (d.actual.startsWith('Error: takes') !== best.actual.startsWith('Error: takes'))
      return undefined;
    return d;
  };
  const linesOf = ({ program }: Difference): string[] => program.trimEnd().split('\n');
  for (let size = linesOf(best).length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < linesOf(best).length; ) {
      const lines = linesOf(best);
      const d = await differs([...lines.slice(0, at), ...lines.slice(at + size)]);
      if (d === undefined) at += size;
      else best = d;
    }
  }
  seconds = BATCH_SECONDS;
  return best;
}

function firstDifference({ expected, actual }: Difference): string {
  const e = expected.split('\n');
  const a = actual.split('\n');
  const at = e.findIndex((line, i) => !sameLine(line, a[i] ?? ''));
  const i = at < 0 ? e.length : at;
  return `  LuaJIT: ${e[i]}\n  here:   ${a[i]}\n`;
}

// ── the loop ───────────────────────────────────────────────────────────────────────────────────────

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      programs: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      save: { type: 'boolean', default: false },
      most: { type: 'string', default: '10' },
    },
  });
  const end = values.programs === undefined ? Date.now() + 1000 * Number(values.seconds) : Infinity;
  const count = Number(values.programs ?? Infinity);
  const first = Number(values.seed);
  folder = mkdtempSync(join(tmpdir(), 'perilune-fuzz-'));
  let seed = first;
  let differences = 0;
  console.log(`seed ${first}`);
  while (Date.now() < end && seed - first < count && differences < Number(values.most)) {
    const seeds = Array.from({ length: Math.min(BATCH, count - (seed - first)) }, () => seed++);
    for (const [i, difference] of (await compare(seeds.map(programOf))).entries()) {
      if (difference === undefined) continue;
      differences++;
      console.log(`seed ${seeds[i]}: makes it smaller\n${firstDifference(difference)}`);
      const small = await minimise(difference);
      console.log(
        `seed ${seeds[i]}${small.suspendAll ? ', suspending at every call' : ''}:\n${small.program}${firstDifference(small)}`,
      );
      if (values.save) {
        mkdirSync(found, { recursive: true });
        writeFileSync(join(found, `${seeds[i]}.lua`), small.program, 'latin1');
        writeFileSync(join(found, `${seeds[i]}.out`), small.expected, 'latin1');
      }
    }
  }
  console.log(`${seed - first} programs, ${differences} differences`);
  worker?.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = differences > 0 ? 1 : 0;
}

if (import.meta.main) await main();
