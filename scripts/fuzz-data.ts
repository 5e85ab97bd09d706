/**
 * Fuzzer of what reads outside data: JSON, regular expressions, format strings, settings of scanners, names of files, each against a
 * simple model of its own (test/fuzz/data/). What differs is made as small as it can be, and printed.
 *
 *   npm run fuzz:data -- --seconds N | --cases N [--only json,json-encode,regex,regex-text,format,format-text,scanner,path,calls] [--seed S] [--most N]
 *
 * `calls` calls functions of Lua's modules with values of all kinds: an internal error is what it looks for.
 * The time, or the number of cases, is each fuzzer's. After `--most` findings (5) one ends. Ends with code 1 if there were any.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { anyText, wellFormed } from '../test/fuzz/data/format.ts';
import { type Fuzzer, finding, minimise } from '../test/fuzz/data/fuzzer.ts';
import { jsonReading, jsonWriting } from '../test/fuzz/data/json.ts';
import { paths } from '../test/fuzz/data/path.ts';
import { regexTexts, regexTrees } from '../test/fuzz/data/regex.ts';
import { scanning } from '../test/fuzz/data/scanner.ts';
import { Random } from '../test/fuzz/random.ts';

export const FUZZERS: readonly Fuzzer[] = [
  jsonReading,
  jsonWriting,
  regexTrees,
  regexTexts,
  wellFormed,
  anyText,
  scanning,
  paths,
];

const main_ts = join(import.meta.dirname, '../src/cli/main.ts');
const program = join(import.meta.dirname, '../test/fuzz/calls.lua');

/** Calls of all functions with values of all kinds: see calls.lua. A case is a process. */
export const calls: Fuzzer<{ readonly seed: number }> = {
  name: 'calls',
  kept: ['seed'],
  make: (random) => ({ seed: random.int(1e9) }),
  check({ seed }) {
    const folder = mkdtempSync(join(tmpdir(), 'perilune-calls-'));
    const file = join(folder, 'file');
    const args = ['--stack-size=3900', main_ts, program, '--', String(seed), file];
    try {
      const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
      if (run.status === 0 && run.stdout.endsWith('done\n')) return undefined;
      return `${run.signal ?? run.status}: ${run.stderr.slice(0, 2000)}`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Limits {
  readonly seconds: number;
  readonly cases: number;
  readonly most: number;
}

/** @returns findings, in words; how many cases there were */
export function run(
  fuzzer: Fuzzer,
  seed: number,
  { seconds, cases, most }: Limits,
): { findings: string[]; cases: number } {
  const end = Date.now() + 1000 * seconds;
  const findings: string[] = [];
  let done = 0;
  while (done < cases && Date.now() < end && findings.length < most) {
    const of = fuzzer.make(new Random(seed + done));
    if (finding(fuzzer, of) !== undefined) {
      const small = minimise(fuzzer, of);
      const what = finding(fuzzer, small);
      findings.push(`${fuzzer.name}, seed ${seed + done}: ${JSON.stringify(small)}\n  ${what}`);
    }
    done++;
  }
  return { findings, cases: done };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      cases: { type: 'string' },
      only: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      most: { type: 'string', default: '5' },
    },
  });
  const all = [...FUZZERS, calls];
  const names = values.only?.split(',') ?? all.map(({ name }) => name);
  const unknown = names.find((name) => !all.some((fuzzer) => fuzzer.name === name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ');
    console.error(`fuzz:data: nothing is named '${unknown}': there are ${known}`);
    process.exitCode = 2;
    return;
  }
  const limits: Limits = {
    seconds: Number(values.seconds ?? (values.cases === undefined ? 60 : Infinity)),
    cases: Number(values.cases ?? Infinity),
    most: Number(values.most),
  };
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  for (const name of names) {
    const { findings, cases } = run(all.find((f) => f.name === name)!, seed, limits);
    for (const text of findings) console.log(text);
    console.log(`${name}: ${cases} cases, ${findings.length} findings`);
    if (findings.length > 0) process.exitCode = 1;
  }
}

if (import.meta.main) main();
