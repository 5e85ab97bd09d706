/** Fibers: switching, spawning and keeping them, beside the coroutines of plain Lua. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { contenders } from './engine.ts';
import { installed } from './machine.ts';
import {
  Background,
  type Contender,
  compare,
  least,
  median,
  type Results,
  run,
} from './measure.ts';
import { residentBytes } from './net/programs.ts';
import { type Goal, goal, type Options, ratio, type Section, table } from './report.ts';

const folder = join(import.meta.dirname, 'fibers');
const PARKED = 100_000;
/** Of fibers that sleep, and of timers. */
const MANY = 1_000_000;

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
    ...cqueues(),
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

  const many = options.quick ? MANY / 10 : MANY;
  progress(`${many} sleeping fibers`);
  const sleeping = measured([options.perilune, join(folder, 'sleeping.lua')], many, options.runs);
  progress(`${many} timers`);
  const timers = measured([process.execPath, join(folder, 'timers.ts')], many, options.runs);

  progress('iterations after a suspension');
  const steady = measured([options.perilune, join(folder, 'steady.lua')], 1, options.runs);
  const after =
    (value(steady, 'suspended each time') - value(steady, 'suspension alone')) /
    value(steady, 'never suspended');

  const of = (line: string): number => least(times.get('perilune, fibers')?.get(line) ?? []);
  const ns = (n: number): string => `${n.toFixed(0)} ns`;
  const bytes = (n: number): string => `${n.toFixed(0)} B`;
  const seconds = (n: number): string => `${n.toFixed(2)} s`;
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
    goal('mutex hand-over', '≤', 200, of('mutex hand-over'), ns),
    goal(`${many} sleeping fibers, woken`, '≤', 2, value(sleeping, 'last one late by'), seconds),
    goal(`timer added, of ${many}`, '≤', 300, value(timers, `add, up to ${many}`), ns),
    goal(`timer cancelled, of ${many}`, '≤', 300, value(timers, `cancel, of ${many}`), ns),
    goal('rest of an iteration that is suspended each time ÷ never', '≤', 1.2, after, ratio),
    goal(`memory of a parked fiber (${PARKED} alive)`, '≤', 1024, memory[0]?.[1] ?? 0, bytes),
  ];
  return {
    title: 'Fibers',
    text: [
      'bench/fibers/switch.lua and, beside it, the like with coroutines; measured from inside with the',
      'steady clock (os.clock in plain Lua), warm-up included: least (median). cqueues is Lua 5.1 with',
      'lua-cqueues, whose waits go through its own event loop.\n',
      switches,
      `Memory of one of ${PARKED} parked in a function, two calls deep: resident memory less that of`,
      'the same program with none, after collectgarbage(). What V8 has not collected yet counts.\n',
      table(
        ['', 'bytes'],
        memory.map(([name, size]) => [name, size.toFixed(0)]),
      ),
      'Iterations of a loop that works on 1,000 elements (bench/fibers/steady.lua), in ns:\n',
      table(['', 'least (median)'], rowsOf(steady, 0)),
      `${many} fibers asleep until one moment (bench/fibers/sleeping.lua), in s and, for memory, KB:\n`,
      table(['', 'least (median)'], rowsOf(sleeping, 2)),
      `Timers beside ${many} others, in random order (bench/fibers/timers.ts; no Lua), in ns:\n`,
      table(['', 'least (median)'], rowsOf(timers, 0)),
    ].join('\n'),
    goals,
  };
}

/** Beside it, where it is installed. */
function cqueues(): Contender[] {
  const command = ['lua5.1', join(folder, 'cqueues.lua')];
  const works =
    installed('lua5.1') !== undefined &&
    spawnSync('lua5.1', ['-e', "require 'cqueues'"], { stdio: 'ignore' }).status === 0;
  return works ? [{ name: 'cqueues', command }] : [];
}

type Figures = Map<string, number[]>;

/** What a program says of `count` things. */
function measured(command: string[], count: number, runs: number): Figures {
  const results = Array.from({ length: runs }, () => run(['env', `COUNT=${count}`, ...command]));
  return figures(new Map([['', results]])).get('')!;
}

const value = (all: Figures, line: string): number => least(all.get(line) ?? []);

const rowsOf = (all: Figures, digits: number): string[][] =>
  [...all].map(([line, each]) => [
    line,
    `${least(each).toFixed(digits)} (${median(each).toFixed(digits)})`,
  ]);

/** Lines "name nanoseconds" of all runs, by contender and name. */
function figures(results: Results): Map<string, Figures> {
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
