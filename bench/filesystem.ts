/** Walking through, copying and removing trees of small files, beside find, cp -a and rm -rf. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { least, median, type Run, root, run } from './measure.ts';
import { type Goal, goal, type Options, type Section, table } from './report.ts';

/** Files in each directory, which is a level below one of 20. */
const PER_DIRECTORY = 99;

/** Memory, where there is such a folder: a disk that others use changes times by a factor. */
const memory = ['/dev/shm'].find((path) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory(),
);

/** @returns how many entries there are */
function makeTree(path: string, directories: number): number {
  for (let d = 0; d < directories; d++) {
    const directory = join(path, `group${d % 20}`, `directory${d}`);
    mkdirSync(directory, { recursive: true });
    for (let f = 0; f < PER_DIRECTORY; f++)
      writeFileSync(join(directory, `file${f}`), `${d} ${f}\n`);
  }
  return directories * (PER_DIRECTORY + 1) + Math.min(20, directories);
}

interface Comparison {
  what: string;
  ours: Run[];
  theirs: Run[];
  program: string;
}

export function filesystem(options: Options, progress: (line: string) => void): Section {
  const base = mkdtempSync(join(memory ?? join(root, 'build/bench'), 'perilune-files-'));
  const at = (name: string): string => join(base, name);
  const program = (name: string): string => join(root, 'bench/filesystem', name);
  const perilune = (name: string, ...args: string[]): string[] => [
    options.perilune,
    program(name),
    '--',
    ...args,
  ];
  const [many, some] = options.quick ? [200, 50] : [2000, 500];
  progress(`making trees of ${many * 100} and ${some * 100} files`);
  const comparisons: Comparison[] = [];
  const gaps: string[] = [];
  const seconds = 300;
  try {
    const entries = makeTree(at('many'), many);
    const copied = makeTree(at('some'), some);

    const walk: Comparison = {
      what: `iterate ${entries} entries`,
      ours: [],
      theirs: [],
      program: 'find',
    };
    const copy: Comparison = {
      what: `copy ${copied} entries`,
      ours: [],
      theirs: [],
      program: 'cp -a',
    };
    const remove: Comparison = {
      what: `remove ${copied + 1} entries`,
      ours: [],
      theirs: [],
      program: 'rm -rf',
    };
    comparisons.push(walk, copy, remove);
    for (let i = 0; i < options.runs; i++) {
      progress(`run ${i + 1} of ${options.runs}`);
      walk.theirs.push(
        run(['find', at('many'), '-mindepth', '1', '-fprint', '/dev/null'], { seconds }),
      );
      const walked = run(perilune('iterate.lua', at('many')), { seconds });
      check(walked.out, `${entries}\n`);
      walk.ours.push(walked);

      copy.theirs.push(run(['cp', '-a', at('some'), at('theirs')], { seconds }));
      copy.ours.push(run(perilune('copy.lua', at('some'), at('ours')), { seconds }));
      run(['diff', '-r', at('theirs'), at('ours')], { seconds });

      remove.theirs.push(run(['rm', '-rf', at('theirs')], { seconds }));
      const removed = run(perilune('remove.lua', at('ours')), { seconds });
      check(removed.out, `${copied + 1}\n`);
      remove.ours.push(removed);
      for (const path of [at('ours'), at('theirs')]) {
        if (statSync(path, { throwIfNoEntry: false })) throw new Error(`${path} is still there`);
      }
    }
    progress('a fiber that ticks meanwhile');
    gaps.push(run(perilune('ticks.lua', at('some'), at('ours')), { seconds }).out);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  return report(comparisons, gaps);
}

function check(out: string, expected: string): void {
  if (out !== expected)
    throw new Error(`printed ${JSON.stringify(out)}, not ${JSON.stringify(expected)}`);
}

const cpu = (runs: Run[]): number => least(runs.map((one) => one.cpu));

function report(comparisons: Comparison[], gaps: string[]): Section {
  const LIMITS = [2.5, 2, 2];
  const goals: Goal[] = comparisons.map(({ what, ours, theirs, program }, i) =>
    goal(
      `${what}: CPU time ÷ ${program}’s`,
      '≤',
      LIMITS[i]!,
      cpu(ours) / cpu(theirs),
      (n) => `${n.toFixed(1)}×`,
    ),
  );
  const seconds = (runs: Run[], pick: (one: Run) => number): string =>
    `${least(runs.map(pick)).toFixed(2)} (${median(runs.map(pick)).toFixed(2)})`;
  const rows = comparisons.map(({ what, ours, theirs, program }) => [
    what,
    seconds(ours, (one) => one.cpu),
    seconds(ours, (one) => one.wall),
    `${program}: ${seconds(theirs, (one) => one.cpu)}`,
    seconds(theirs, (one) => one.wall),
  ]);
  return {
    title: 'Trees of files',
    text: [
      `Small files, ${PER_DIRECTORY} in a directory, ${memory === undefined ? 'on disk' : `in memory (${memory})`}; the start of the process included. Least`,
      '(median) of the runs, seconds.\n',
      table(['', 'perilune, CPU', 'wall', 'CPU', 'wall'], rows),
      'A fiber that sleeps for a millisecond again and again, while the same process does this to the smaller tree:',
      'how late it is.\n',
      table(
        ['', 'seconds', 'ticks', 'median, ms', '99 %, ms', 'latest, ms'],
        gaps
          .join('')
          .trimEnd()
          .split('\n')
          .map((line) => line.split('\t')),
      ),
    ].join('\n'),
    goals,
  };
}
