/**
 * `npm run bench`: speed and memory, beside what is installed, in one run.
 *
 *   npm run bench -- [--only engine,fibers,startup,compile,net,network,tls,local,scanner,json,file,filesystem,process,actors,crowd] [--runs N] [--quick]
 *                    [--update] [--perilune FILE]
 *
 * A whole run writes bench/RESULTS.md, and results.json, from which that is made. One with `--only`, `--quick` or another
 * build's `--perilune` only prints; `--only` with `--update` replaces its sections: what is compared with one another
 * is in one section, and of one run. Everything stays on this machine's loopback.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { actors } from './actors.ts';
import { compilation } from './compile.ts';
import { crowd } from './crowd.ts';
import { engine } from './engine.ts';
import { fibers } from './fibers.ts';
import { files } from './file.ts';
import { filesystem } from './filesystem.ts';
import { json } from './json.ts';
import { local } from './local.ts';
import { commit, load, machine } from './machine.ts';
import { root } from './measure.ts';
import { net } from './net.ts';
import { network } from './network.ts';
import { processes } from './process.ts';
import { goalTable, type Options, type Section } from './report.ts';
import { scanner } from './scanner.ts';
import { startup } from './startup.ts';
import { tls } from './tls.ts';

type Measure = (options: Options, progress: (line: string) => void) => Section | Promise<Section>;

const sections: Record<string, Measure> = {
  startup,
  compile: compilation,
  engine,
  fibers,
  net,
  network,
  tls,
  local,
  scanner,
  json,
  file: files,
  filesystem,
  process: processes,
  actors,
  crowd,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string' },
    quick: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    perilune: { type: 'string' },
  },
});
const wanted = values.only?.split(',') ?? Object.keys(sections);
const unknown = wanted.find((name) => !(name in sections));
if (unknown !== undefined) {
  console.error(`bench: no section '${unknown}': there are ${Object.keys(sections).join(', ')}`);
  process.exit(2);
}
const options: Options = {
  runs: Number(values.runs ?? (values.quick ? 1 : 5)),
  quick: values.quick,
  perilune: values.perilune ?? join(root, 'bin/perilune'),
};

/** A section, and the run that it is of. */
interface Result extends Section {
  /** commit */
  perilune: string;
  /** YYYY-MM-DD */
  date: string;
  runs: number;
  /** load average before it */
  load: string;
}

const started = Date.now();
const date = new Date(started).toISOString().slice(0, 10);
const results: Record<string, Result> = {};
const failed: string[] = [];
for (const name of wanted) {
  const run = { perilune: commit(), date, runs: options.runs, load: load() };
  try {
    const section = await sections[name]!(options, (line) => console.error(`${name}: ${line}`));
    results[name] = { ...section, ...run };
  } catch (error) {
    failed.push(name);
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${name}: FAILED: ${error instanceof Error ? error.stack : message}`);
    const text = `Failed, so there are no numbers: ${message.split('\n')[0]}\n`;
    results[name] = { title: name, text, goals: [], ...run };
  }
}

const minutes = ((Date.now() - started) / 60_000).toFixed(0);
console.error(`bench: ${minutes} minutes`);

function report(of: Record<string, Result>): string {
  const all = Object.keys(sections).flatMap((name) => of[name] ?? []);
  const texts = all.map(
    ({ title, text, perilune, date, runs, load }) =>
      `## ${title}\n\n${perilune}, ${date}, ${runs} interleaved runs of each contender, load average ${load}.\n\n${text}`,
  );
  return `# Benchmark results

Written by \`npm run bench\`; each section says of which commit it is, and when it was measured.

${machine()
  .map((line) => `- ${line}`)
  .join('\n')}

## Budgets

${goalTable(all.flatMap(({ goals }) => goals))}
${texts.join('\n')}`;
}

console.log(report(results));
const isWhole = !values.only && !values.quick && !values.perilune;
if (isWhole || (values.update && !values.quick && failed.length === 0)) {
  const store = join(import.meta.dirname, 'results.json');
  const before = isWhole ? {} : (JSON.parse(readFileSync(store, 'utf8')) as typeof results);
  const now = { ...before, ...results };
  writeFileSync(store, `${JSON.stringify(now, undefined, 1)}\n`);
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report(now));
  console.error('bench: wrote bench/RESULTS.md');
}
process.exitCode = failed.length > 0 ? 1 : 0;
