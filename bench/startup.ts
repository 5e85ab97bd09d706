/** What it takes to start: hello.lua beside an empty program of the same Node. */
import { join } from 'node:path';
import { installed } from './machine.ts';
import { type Contender, type Cost, compare, least, median, root } from './measure.ts';
import { goal, mb, type Options, ratio, type Section, table } from './report.ts';

export function startup(options: Options, progress: (line: string) => void): Section {
  const hello = join(root, 'examples/hello.lua');
  const contenders: Contender[] = [
    { name: 'perilune hello.lua', command: [options.perilune, hello] },
    {
      name: 'perilune empty.lua',
      command: [options.perilune, join(root, 'bench/engine/empty.lua')],
    },
    { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
  ];
  if (installed('luajit')) contenders.push({ name: 'luajit -e 0', command: ['luajit', '-e', ''] });
  const runs = options.runs * 4; // each is short
  progress(`${runs} runs each`);
  const results = compare(contenders, runs, { sameOutput: false });
  const of = (name: string, what: keyof Cost): number[] =>
    (results.get(name) ?? []).map((run) => run[what]);
  const figure = (name: string, what: 'wall' | 'cpu'): string => {
    const times = of(name, what).map((t) => t * 1000);
    return `${least(times).toFixed(1)} (${median(times).toFixed(1)})`;
  };
  const slower = (what: keyof Cost): number =>
    least(of('perilune hello.lua', what)) / least(of('node -e 0', what));
  return {
    title: 'Start-up',
    text: [
      'Whole processes: least (median).\n',
      table(
        ['', 'wall, ms', 'CPU, ms', 'peak memory, MB'],
        contenders.map(({ name }) => [
          name,
          figure(name, 'wall'),
          figure(name, 'cpu'),
          mb(least(of(name, 'peak'))),
        ]),
      ),
    ].join('\n'),
    goals: [
      goal('`perilune hello.lua`, wall time ÷ `node -e 0`', '≤', 1.5, slower('wall'), ratio),
      goal('the same, stricter budget', '≤', 1.2, slower('wall'), ratio),
      goal(
        '`perilune hello.lua`, peak memory',
        '≤',
        55,
        least(of('perilune hello.lua', 'peak')) / 1024,
        (n) => `${n.toFixed(0)} MB`,
      ),
    ],
  };
}
