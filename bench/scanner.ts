/** Text on standard input through stream.scanner, beside mawk, gawk and LuaJIT’s io.lines. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './machine.ts';
import { buildTool, type Contender, compare, least, median, root } from './measure.ts';
import { type Goal, goal, mb, type Options, type Section, table, unmeasured } from './report.ts';

const SEPARATORS = [
  { what: 'a text', name: 'text', awk: ['-F', '[ ]'] },
  { what: 'a regular expression', name: 'regex', awk: ['-F', ' +host-| +'] },
  { what: 'awk’s white space', name: 'awk', awk: [] },
];

export function scanner(options: Options, progress: (line: string) => void): Section {
  const megabytes = options.quick ? 64 : 1024;
  const generator = buildTool('scanner/lines.c');
  const contenders: Contender[] = [
    { name: 'perilune', command: [options.perilune, join(root, 'bench/scanner/count.lua')] },
  ];
  if (installed('mawk')) {
    const program = '{ lines++; sum += $3 } END { printf "%d\\t%.0f\\n", lines, sum }';
    contenders.push({ name: 'mawk', command: ['mawk', program] });
  }
  if (installed('luajit')) {
    const plain = join(root, 'bench/scanner/count_plain.lua');
    contenders.push({ name: 'luajit, io.lines', command: ['luajit', plain] });
  }
  progress(`${megabytes} MB, ${options.runs} runs each`);
  let size = megabytes;
  const fifo = join(root, 'build/bench/scanner.fifo');
  const open: number[] = [];
  const stdin = (): number => {
    for (const fd of open.splice(0)) closeSync(fd);
    spawn('sh', ['-c', `exec ${generator} ${size} > '${fifo}'`], { stdio: 'ignore' });
    const fd = openSync(fifo, 'r');
    open.push(fd);
    return fd;
  };
  rmSync(fifo, { force: true });
  spawnSync('mkfifo', [fifo]);
  try {
    const results = compare(contenders, options.runs, { stdin, seconds: 300 });
    size = Math.max(64, megabytes / 4);
    progress(`separators: ${size} MB, ${options.runs} runs each`);
    const separators = SEPARATORS.map(({ what, name, awk }) => {
      const program = '{ lines++; sum += $3 } END { printf "%d\\t%.0f\\n", lines, sum }';
      const contenders: Contender[] = [
        {
          name: 'perilune',
          command: [options.perilune, join(root, 'bench/scanner/separators.lua'), '--', name],
        },
        ...['mawk', 'gawk'].filter(installed).map((one) => ({
          name: one,
          command: ['env', 'LC_ALL=C', one, ...awk, program],
        })),
      ];
      const costs = compare(contenders, options.runs, { stdin, seconds: 300 });
      const cost = (one: string): number =>
        size / least((costs.get(one) ?? []).map((run) => run.cpu));
      return [
        what,
        ...['perilune', 'mawk', 'gawk'].map((one) => (costs.has(one) ? cost(one).toFixed(0) : '–')),
      ];
    });
    const cpu = (name: string): number[] => (results.get(name) ?? []).map((run) => run.cpu);
    const peak = (name: string): number => least((results.get(name) ?? []).map((run) => run.peak));
    const speed = (name: string): number => megabytes / least(cpu(name));
    const mawk = 'CPU time ÷ mawk’s';
    const goals: Goal[] = [
      goal(
        `scanner: ${megabytes} MB of text on a pipe, lines and a field sum`,
        '≥',
        150,
        speed('perilune'),
        (n) => `${n.toFixed(0)} MB/s of CPU time`,
      ),
      goal('the same, peak memory', '≤', 120, peak('perilune') / 1024, (n) => `${n.toFixed(0)} MB`),
      results.has('mawk')
        ? goal(
            mawk,
            '≤',
            10,
            least(cpu('perilune')) / least(cpu('mawk')),
            (n) => `${n.toFixed(1)}×`,
          )
        : unmeasured(mawk, '≤ 10×', 'no mawk here'),
    ];
    return {
      title: 'Scanner',
      text: [
        `${megabytes} MB of lines of five fields on a pipe: counts them and adds up the third field, with`,
        'stream.scanner splitting at spaces. Least (median) of the runs.\n',
        table(
          ['', 'CPU, s', 'MB/s of CPU time', 'wall, s', 'peak memory, MB'],
          contenders.map(({ name }) => [
            name,
            `${least(cpu(name)).toFixed(2)} (${median(cpu(name)).toFixed(2)})`,
            speed(name).toFixed(0),
            least((results.get(name) ?? []).map((run) => run.wall)).toFixed(2),
            mb(peak(name)),
          ]),
        ),
        `MB of the same lines a second of CPU time, by what separates the fields (${size} MB; awk in the locale C).\n`,
        table(['', 'perilune', 'mawk', 'gawk'], separators),
      ].join('\n'),
      goals,
    };
  } finally {
    for (const fd of open) closeSync(fd); // the generator ends of SIGPIPE, if it still runs
    rmSync(fifo, { force: true });
  }
}
