/** Programs started and waited for, beside posix_spawn in C, Node's child_process and lua-luv. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildTool, type Contender, compare, least, median, root } from './measure.ts';
import { goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

const COUNT = 2000;

const folder = join(root, 'bench/process');
const LIMIT = 'C, posix_spawn';

export function processes(options: Options, progress: (line: string) => void): Section {
  const n = options.quick ? COUNT >> 3 : COUNT;
  const lua = ['luajit', 'lua5.1'].find(
    (name) => spawnSync(name, ['-e', "require 'luv'"]).status === 0,
  );
  const contenders: Contender[] = [
    { name: 'perilune', command: [options.perilune, join(folder, 'spawn.lua'), '--'] },
    { name: LIMIT, command: [buildTool('process/spawn.c')] },
    { name: 'Node, child_process', command: [process.execPath, join(folder, 'spawn_node.cjs')] },
    ...(lua === undefined
      ? []
      : [{ name: 'lua-luv', command: [lua, join(folder, 'spawn_luv.lua')] }]),
  ];
  progress(`${n} programs, ${options.runs} runs each`);
  const results = compare(
    contenders.map(({ name, command }) => ({ name, command: [...command, String(n)] })),
    options.runs,
    { expected: `${n}\n` },
  );
  const each = (name: string, what: 'cpu' | 'wall'): number[] =>
    (results.get(name) ?? []).map((run) => (run[what] / n) * 1e6);
  const cost = (name: string): number => least(each(name, 'cpu'));
  const rows = contenders.map(({ name }) => [
    name,
    `${cost(name).toFixed(0)} (${median(each(name, 'cpu')).toFixed(0)})`,
    ratio(cost(name) / cost(LIMIT)),
    `${least(each(name, 'wall')).toFixed(0)} (${median(each(name, 'wall')).toFixed(0)})`,
    (1e6 / least(each(name, 'wall'))).toFixed(0),
  ]);
  const vsNode = cost('perilune') / cost('Node, child_process');
  return {
    title: 'Programs',
    text: [
      '`/bin/true`, started and waited for, one after the other. CPU time, user and system, of all processes and start',
      'included; least (median) of the runs.\n',
      table(['', 'CPU, µs each', '÷ C', 'wall, µs each', 'a second'], rows),
    ].join('\n'),
    goals: [
      goal(
        'program started and waited for: CPU time ÷ posix_spawn’s',
        '≤',
        2,
        cost('perilune') / cost(LIMIT),
        ratio,
      ),
      goal('the same ÷ Node’s child_process', '≤', 1, vsNode, ratio),
      lua === undefined
        ? unmeasured('the same ÷ lua-luv', '≤ 1.00×', 'no lua-luv here')
        : goal('the same ÷ lua-luv', '≤', 1, cost('perilune') / cost('lua-luv'), ratio),
    ],
  };
}
