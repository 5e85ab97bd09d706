/**
 * Differential fuzzer: random programs, run here (as they are, and with every call suspending) and by
 * LuaJIT; what they print must be the same. A difference is made as small as it can be and written to
 * test/conformance/found/, where it is a test from then on.
 *
 *   npm run fuzz -- --seconds N | --programs N [--seed S] [--save] [--most N] [--only KIND] [--as-is] [--progress] [--later]
 *
 * `--save` writes what is found; after `--most` differences (10) it ends. `--as-is` shows the tests that differ and makes
 * nothing smaller. `--progress` writes a line after each batch. `--later` has functions parsed and compiled when they are first called. KIND is one of KINDS below. Ends with code 1 if there was a
 * difference.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generate } from '../test/compiler/generate.ts';
import { classProgram } from '../test/fuzz/classes.ts';
import { cornerProgram } from '../test/fuzz/corners.ts';
import { expressionProgram } from '../test/fuzz/expressions.ts';
import { Random } from '../test/fuzz/random.ts';
import { syntaxProgram } from '../test/fuzz/syntax.ts';
import { limitCpuTime } from './cpu-time.ts';
import { same, sameLine } from './fuzz/same.ts';
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
let isProgressShown = false;
let later = false;

const here = import.meta.dirname;
const found = join(here, '..', 'test', 'conformance', 'found');

const KINDS = {
  classes: (seed: number) => classProgram(new Random(seed)),
  corners: (seed: number) => cornerProgram(new Random(seed)),
  expressions: (seed: number) => expressionProgram(new Random(seed)),
  statements: generate,
  syntax: (seed: number) => syntaxProgram(new Random(seed)),
};
type Kind = keyof typeof KINDS;
const TURNS: readonly Kind[] = [
  'classes',
  'corners',
  'expressions',
  'statements',
  'corners',
  'expressions',
  'statements',
  'syntax',
];

/** The program of a seed. */
export const programOf = (seed: number, kind: Kind = TURNS[seed % TURNS.length]!): string =>
  KINDS[kind](seed);

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
    execArgv: ['--stack-size=4000', '--max-old-space-size=1000'],
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
    return await runHere({ programs, suspendAll, later });
  } catch (fault) {
    if (programs.length === 1) return [String(fault)];
    if (isProgressShown) console.log(`${programs.length} programs: ${(fault as Error).message}`);
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

async function compare(programs: string[]): Promise<(Difference | undefined)[]> {
  const expected = runLuajit(programs);
  const plain = await outputsHere(programs, false);
  const suspending = await outputsHere(programs, true);
  return programs.map((program, i) => {
    const e = expected[i]!;
    if (!same(e, plain[i]!, program))
      return { program, suspendAll: false, expected: e, actual: plain[i]! };
    if (!same(e, suspending[i]!, program))
      return { program, suspendAll: true, expected: e, actual: suspending[i]! };
    return undefined;
  });
}

const isSyntaxError = (output: string): boolean => /^error: main\.lua:\d+: .* near /.test(output);

/** Leave out tests and lines, as many as can be, so that there is still a difference, and none of syntax only. */
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
  // First whole tests, which may be of many lines.
  for (const separator of [/\n(?=[TU]\()/, '\n']) {
    const partsOf = ({ program }: Difference): string[] => program.trimEnd().split(separator);
    for (let size = partsOf(best).length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < partsOf(best).length; ) {
        const parts = partsOf(best);
        const d = await differs([...parts.slice(0, at), ...parts.slice(at + size)]);
        if (d === undefined) at += size;
        else best = d;
      }
    }
  }
  seconds = BATCH_SECONDS;
  return best;
}

/** The test whose line is the first that differs; '' in programs that have no tests with numbers. */
function testOf({ program, expected, actual }: Difference): string {
  const a = actual.split('\n');
  const text = program.split('\n');
  const line = expected.split('\n').find((e, i) => !sameLine(e, a[i] ?? '', text)) ?? '';
  const number = /^(\d+): /.exec(line)?.[1];
  const tests = program.split(/\n(?=[TU]\()/);
  return `${tests.find((t) => /^[TU]\((\d+)/.exec(t)?.[1] === number) ?? ''}\n`;
}

function firstDifference({ program, expected, actual }: Difference): string {
  const text = program.split('\n');
  const e = expected.split('\n');
  const a = actual.split('\n');
  const at = e.findIndex((line, i) => !sameLine(line, a[i] ?? '', text));
  const i = at < 0 ? e.length : at;
  return `  LuaJIT: ${e[i]}\n  here:   ${a[i]}\n`;
}

// ── the loop ───────────────────────────────────────────────────────────────────────────────────────

const time = (): string => new Date().toISOString().slice(11, 19);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      programs: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      save: { type: 'boolean', default: false },
      most: { type: 'string', default: '10' },
      only: { type: 'string' },
      'as-is': { type: 'boolean', default: false },
      later: { type: 'boolean', default: false },
      progress: { type: 'boolean', default: false },
    },
  });
  const end = values.programs === undefined ? Date.now() + 1000 * Number(values.seconds) : Infinity;
  const count = Number(values.programs ?? Infinity);
  const first = Number(values.seed);
  const only = values.only as Kind | undefined;
  isProgressShown = values.progress;
  later = values.later;
  folder = mkdtempSync(join(tmpdir(), 'perilune-fuzz-'));
  let seed = first;
  let differences = 0;
  console.log(`seed ${first}`);
  while (Date.now() < end && seed - first < count && differences < Number(values.most)) {
    const seeds = Array.from({ length: Math.min(BATCH, count - (seed - first)) }, () => seed++);
    for (const [i, difference] of (await compare(seeds.map((s) => programOf(s, only)))).entries()) {
      if (difference === undefined) continue;
      differences++;
      if (values['as-is']) {
        console.log(`seed ${seeds[i]}:\n${testOf(difference)}${firstDifference(difference)}`);
        continue;
      }
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
    if (isProgressShown)
      console.log(`${time()}: ${seed - first} programs, ${differences} differences`);
  }
  const kinds = new Map<string, number>();
  for (let s = first; s < seed; s++) {
    const kind = only ?? TURNS[s % TURNS.length]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const counts = [...kinds].map(([kind, n]) => `${n} of ${kind}`).join(', ');
  console.log(`${seed - first} programs (${counts}), ${differences} differences`);
  worker?.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = differences > 0 ? 1 : 0;
}

if (import.meta.main) await main();
