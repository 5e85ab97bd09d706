/**
 * Fuzzer of what reads outside data: JSON, regular expressions, format strings, settings of scanners, each against a
 * simple model of its own (test/fuzz/data/). What differs is made as small as it can be, and printed.
 *
 *   npm run fuzz:data -- --seconds N | --cases N [--only json,json-encode,regex,regex-text,format,format-text,scanner] [--seed S] [--most N]
 *
 * The time, or the number of cases, is each fuzzer's. After `--most` findings (5) one ends. Ends with code 1 if there were any.
 */
import { parseArgs } from 'node:util';
import { anyText, wellFormed } from '../test/fuzz/data/format.ts';
import { type Fuzzer, finding, minimise } from '../test/fuzz/data/fuzzer.ts';
import { jsonReading, jsonWriting } from '../test/fuzz/data/json.ts';
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
];

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
  const names = values.only?.split(',') ?? FUZZERS.map(({ name }) => name);
  const unknown = names.find((name) => !FUZZERS.some((fuzzer) => fuzzer.name === name));
  if (unknown !== undefined) {
    const all = FUZZERS.map(({ name }) => name).join(', ');
    console.error(`fuzz:data: nothing is named '${unknown}': there are ${all}`);
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
    const { findings, cases } = run(FUZZERS.find((f) => f.name === name)!, seed, limits);
    for (const text of findings) console.log(text);
    console.log(`${name}: ${cases} cases, ${findings.length} findings`);
    if (findings.length > 0) process.exitCode = 1;
  }
}

if (import.meta.main) main();
