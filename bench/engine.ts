/** CPU-bound Lua programs, unchanged on each engine. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { installed } from './machine.ts';
import { type Contender, compare, geometricMean, least, median, type Run, run } from './measure.ts';
import {
  type Goal,
  goal,
  mb,
  ms,
  type Options,
  ratio,
  type Section,
  table,
  unmeasured,
} from './report.ts';

/** The programs that the project's first budget names. */
const named = ['fib', 'sieve', 'nbody', 'oop', 'string_build', 'coroutines'];

/** Contenders whose runs take several seconds each. */
const interpreters = ['luajit -joff', 'lua5.1'];

export function engine(options: Options, progress: (line: string) => void): Section {
  const files = globSync(join(import.meta.dirname, 'engine/*.lua')).sort();
  const programs = files.map((file) => basename(file, '.lua')).filter((name) => name !== 'empty');
  const engines = contenders(options);
  const names = engines.map(({ name }) => name);
  const peers = names.slice(1);

  /** cpu[engine][program]: the runs */
  const runs = new Map<string, Map<string, Run[]>>(names.map((name) => [name, new Map()]));
  for (const program of ['empty', ...programs]) {
    progress(program);
    const file = join(import.meta.dirname, 'engine', `${program}.lua`);
    // PUC Lua has no `bit`.
    const needsBit = readFileSync(file, 'utf8').startsWith('-- needs: bit');
    const each = engines
      .filter(({ name }) => !(needsBit && name === 'lua5.1'))
      .map(({ name, command }) => ({ name, command: [...command, file] }));
    const fast = each.filter(({ name }) => !interpreters.includes(name));
    for (const [name, results] of compare(fast, options.runs))
      runs.get(name)?.set(program, results);
    const slow = each.filter(({ name }) => interpreters.includes(name));
    const expected = runs.get('perilune')?.get(program)?.[0]?.out;
    for (const [name, results] of compare(slow, Math.min(options.runs, 2), { expected }))
      runs.get(name)?.set(program, results);
  }
  const get = (name: string, program: string): Run[] => runs.get(name)?.get(program) ?? [];
  const cpu = (name: string, program: string): number =>
    least(get(name, program).map((r) => r.cpu));
  const wall = (name: string, program: string): number =>
    least(get(name, program).map((r) => r.wall));
  /** CPU time without what the engine takes to start and end */
  const inside = (name: string, program: string): number =>
    Math.max(cpu(name, program) - cpu(name, 'empty'), 0.001);

  const mean = (time: typeof cpu, peer: string, which: string[]): number =>
    geometricMean(
      which.filter((p) => get(peer, p).length > 0).map((p) => time('perilune', p) / time(peer, p)),
    );

  const perProgram = table(
    ['program', ...names.map((n) => `${n}, ms`), ...peers.map((p) => `÷ ${p}`), 'peak, MB'],
    ['empty', ...programs].map((program) => [
      named.includes(program) ? `**${program}**` : program,
      ...names.map((name) => {
        const times = get(name, program).map((r) => r.cpu);
        if (times.length === 0) return '–';
        return `${ms(least(times))} (${ms(median(times))})`;
      }),
      ...peers.map((peer) =>
        get(peer, program).length === 0
          ? '–'
          : ratio(cpu('perilune', program) / cpu(peer, program)),
      ),
      names
        .filter((name) => get(name, program).length > 0)
        .map((name) => mb(least(get(name, program).map((r) => r.peak))))
        .join(' / '),
    ]),
  );
  const means = table(
    ['geometric mean of Perilune’s time ÷', ...peers],
    [
      ['all programs, CPU time', ...peers.map((p) => ratio(mean(cpu, p, programs)))],
      ['all programs, wall time', ...peers.map((p) => ratio(mean(wall, p, programs)))],
      [
        'all programs, CPU time without start-up',
        ...peers.map((p) => ratio(mean(inside, p, programs))),
      ],
      ['the six in bold, CPU time', ...peers.map((p) => ratio(mean(cpu, p, named)))],
      ['the six in bold, wall time', ...peers.map((p) => ratio(mean(wall, p, named)))],
      [
        'the six in bold, CPU time without start-up',
        ...peers.map((p) => ratio(mean(inside, p, named))),
      ],
    ],
  );

  const goals: Goal[] = [];
  const row = (what: string, peer: string, which: string[], limit: number): void => {
    goals.push(
      peers.includes(peer)
        ? goal(
            what,
            '≤',
            limit,
            mean(cpu, peer, which),
            ratio,
            `, ${ratio(mean(inside, peer, which))} without start-up`,
          )
        : unmeasured(what, `≤ ${ratio(limit)}`, `no ${peer} here`),
    );
  };
  row('Lua, fib sieve n-body OOP strings coroutines: CPU time ÷ LuaJIT’s', 'luajit', named, 1.2);
  row('Lua, all programs: CPU time ÷ LuaJIT’s', 'luajit', programs, 0.8);
  row('Lua, all programs: CPU time ÷ PUC Lua 5.1’s', 'lua5.1', programs, 0.12);
  if (peers.includes('luajit')) {
    const worst = programs
      .map((program) => ({ program, times: cpu('perilune', program) / cpu('luajit', program) }))
      .reduce((a, b) => (b.times > a.times ? b : a));
    const what = 'Lua, slowest of all programs: CPU time ÷ LuaJIT’s';
    goals.push(goal(what, '≤', 3, worst.times, ratio, `, ${worst.program}`));
  }

  progress('memory of objects');
  const objects = memoryOfObjects(engines.filter(({ name }) => name !== 'luajit -joff'));
  const bytes = (n: number): string => `${n.toFixed(0)} B`;
  const own = objects.get('perilune')!;
  for (const [what, limit] of [
    ['empty table', 100],
    ['table of two fields', 80],
    ['closure over one local', 100],
  ] as const)
    goals.push(goal(`memory: ${what}`, '≤', limit, own.get(what)!, bytes));
  const megabytes = (n: number): string => `${(n / 1e6).toFixed(1)} MB`;
  const array = 'array of 1000000 numbers';
  goals.push(goal(`memory: ${array}`, '≤', 9e6, own.get(array)!, megabytes));

  return {
    title: 'Engine: CPU-bound Lua',
    text: [
      'bench/engine/*.lua, each unchanged on each engine, whole process, CPU time: least (median) of the runs.',
      '`empty` is an empty program: what it takes to start and end. Ratios are of the least. The two',
      'interpreters, whose programs take long, run twice.',
      'Peak memory in the same order as the engines.\n',
      perProgram,
      means,
      'Memory of objects in bytes, as `collectgarbage "count"` tells (bench/memory/objects.lua):\n',
      table(
        ['', ...objects.keys()],
        [...own.keys()].map((what) => [
          what,
          ...[...objects.values()].map((each) => each.get(what)!.toFixed(0)),
        ]),
      ),
    ].join('\n'),
    goals,
  };
}

/** By engine and kind of object. */
function memoryOfObjects(engines: Contender[]): Map<string, Map<string, number>> {
  const file = join(import.meta.dirname, 'memory/objects.lua');
  return new Map(
    engines.map(({ name, command }) => {
      const lines = run([...command, file])
        .out.trim()
        .split('\n');
      const figures = lines.map((line): [string, number] => {
        const [what = '', size] = line.split('\t');
        return [what, Number(size)];
      });
      return [name, new Map(figures)];
    }),
  );
}

export function contenders({ perilune }: Options): Contender[] {
  const all: Contender[] = [{ name: 'perilune', command: [perilune] }];
  if (installed('luajit')) {
    all.push({ name: 'luajit', command: ['luajit'] });
    all.push({ name: 'luajit -joff', command: ['luajit', '-joff'] });
  }
  if (installed('lua5.1')) all.push({ name: 'lua5.1', command: ['lua5.1'] });
  return all;
}
