/** Fibers: switching, spawning and keeping them, beside the coroutines of plain Lua. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { contenders } from './engine.ts';
import { Background, type Contender, compare, least, median, type Results } from './measure.ts';
import { residentBytes } from './net/programs.ts';
import { type Goal, goal, type Options, type Section, table } from './report.ts';

const folder = join(import.meta.dirname, 'fibers');
const PARKED = 100_000;

export async function fibers(options: Options, progress: (line: string) => void): Promise<Section> {
  progress('switches');
  const engines = contenders(options);
  const plain = engines.map(({ name, command }) => ({
    name: `${name}, coroutines`,
    command: [...command, join(folder, 'coroutines.lua')],
  }));
  const all: Contender[] = [
    { name: 'perilune, fibers', command: [options.perilune, join(folder, 'switch.lua')] },
    ...plain,
  ];
  const times = figures(compare(all, options.runs, { sameOutput: false }));
  const what = [...(times.get('perilune, fibers')?.keys() ?? [])];
  const switches = table(
    ['nanoseconds', ...all.map(({ name }) => name)],
    what.map((line) => [
      line,
      ...all.map(({ name }) => {
        const each = times.get(name)?.get(line);
        return each ? `${least(each).toFixed(0)} (${median(each).toFixed(0)})` : '';
      }),
    ]),
  );

  const memory: [name: string, bytes: number][] = [];
  for (const { name, command } of engines.filter((e) => e.name !== 'luajit -joff')) {
    progress(`memory of ${PARKED} parked: ${name}`);
    memory.push([name, await parked([...command, join(folder, 'parked.lua')])]);
  }

  const of = (line: string): number => least(times.get('perilune, fibers')?.get(line) ?? []);
  const ns = (n: number): string => `${n.toFixed(0)} ns`;
  const bytes = (n: number): string => `${n.toFixed(0)} B`;
  const goals: Goal[] = [
    goal('fiber switch (`this_fiber.yield`)', '≤', 150, of('yield'), ns),
    goal('the same, stricter budget', '≤', 100, of('yield'), ns),
    goal('fiber spawn + join', '≤', 1000, of('spawn and join'), ns),
    goal(
      'mutex + condition variable, round trip',
      '≤',
      500,
      of('mutex and condition variable, round trip'),
      ns,
    ),
    goal(`memory of a parked fiber (${PARKED} alive)`, '≤', 1024, memory[0]?.[1] ?? 0, bytes),
  ];
  return {
    title: 'Fibers',
    text: [
      'bench/fibers/switch.lua and, beside it, the like with coroutines; measured from inside with the',
      'steady clock (os.clock in plain Lua), warm-up included: least (median).\n',
      switches,
      `Memory of one of ${PARKED} parked in a function, two calls deep: resident memory less that of`,
      'the same program with none, after collectgarbage(). What V8 has not collected yet counts.\n',
      table(
        ['', 'bytes'],
        memory.map(([name, size]) => [name, size.toFixed(0)]),
      ),
    ].join('\n'),
    goals,
  };
}

/** Lines "name nanoseconds" of all runs, by contender and name. */
function figures(results: Results): Map<string, Map<string, number[]>> {
  const all = new Map<string, Map<string, number[]>>();
  for (const [contender, runs] of results) {
    const byName = new Map<string, number[]>();
    for (const { out } of runs) {
      for (const line of out.trim().split('\n')) {
        const [name = '', time] = line.split('\t');
        byName.set(name, [...(byName.get(name) ?? []), Number(time)]);
      }
    }
    all.set(contender, byName);
  }
  return all;
}

async function parked(command: string[]): Promise<number> {
  const resident = async (count: number): Promise<number> => {
    const program = new Background(['env', `COUNT=${count}`, ...command]);
    await program.line();
    await setTimeout(300);
    const size = residentBytes(program.program());
    await program.stop();
    return size;
  };
  const none = await resident(0);
  return ((await resident(PARKED)) - none) / PARKED;
}
