/**
 * `npm run bench`: speed and memory, beside what is installed, in one run.
 *
 *   npm run bench -- [--only engine,fibers,startup,compile,net,network,tls,local,scanner,json,file,filesystem,process,actors,crowd] [--runs N] [--quick]
 *                    [--perilune FILE]
 *
 * A whole run writes bench/RESULTS.md. One with `--only`, `--quick` or another build's `--perilune`
 * only prints: results in that file come from one run. Everything stays on this machine's loopback.
 */
import { writeFileSync } from 'node:fs';
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
import { load, machine } from './machine.ts';
import { root } from './measure.ts';
import { net } from './net.ts';
import { network } from './network.ts';
import { processes } from './process.ts';
import { type Goal, goalTable, type Options, type Section } from './report.ts';
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

const started = Date.now();
const loadBefore = load();
const texts: string[] = [];
const goals: Goal[] = [];
let failures = 0;
for (const name of wanted) {
  try {
    const section = await sections[name]!(options, (line) => console.error(`${name}: ${line}`));
    texts.push(`## ${section.title}\n\n${section.text}`);
    goals.push(...section.goals);
  } catch (error) {
    failures++;
    const message = error instanceof Error ? error.message : String(error);
    console.error(`${name}: FAILED: ${error instanceof Error ? error.stack : message}`);
    texts.push(`## ${name}\n\nFailed, so there are no numbers: ${message.split('\n')[0]}\n`);
  }
}

const flags = process.argv.slice(2);
const command = ['npm run bench', ...(flags.length > 0 ? ['--', ...flags] : [])].join(' ');
const minutes = ((Date.now() - started) / 60_000).toFixed(0);
const results = `# Benchmark results

Written by \`${command}\` on ${new Date(started).toISOString().slice(0, 10)}, in ${minutes} minutes; ${options.runs} interleaved runs of
each contender; load average ${loadBefore} at the start, ${load()} at the end.

${machine()
  .map((line) => `- ${line}`)
  .join('\n')}

## Budgets

${goalTable(goals)}
${texts.join('\n')}`;

console.log(results);
if (!values.only && !values.quick && !values.perilune) {
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), results);
  console.error('bench: wrote bench/RESULTS.md');
}
process.exitCode = failures > 0 ? 1 : 0;
