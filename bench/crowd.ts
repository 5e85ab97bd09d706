/** Many actors and many messages: VMs of one thread, beside Erlang's processes, and messages in one direction, beside C. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { installed } from './machine.ts';
import { Background, buildTool, type Contender, compare, least, median, root } from './measure.ts';
import { residentBytes } from './net/programs.ts';
import { type Goal, goal, type Options, ratio, type Section, table } from './report.ts';

const folder = join(root, 'bench/actors');

const CROWDS = [1_000, 10_000];
const TRIPS = 200_000;
const PASSES = 1_000_000;
const SENDERS = 1_000;
const EACH = 300;
const FLOW = 20_000;
/** 8 KB, which a message to a process has in 20 members. */
const BYTES = 8192;

interface Crowd {
  us: number;
  bytes: number;
}

export async function crowd(options: Options, progress: (line: string) => void): Promise<Section> {
  const flow = buildTool('actors/flow.c');
  const lua = (file: string, ...args: (string | number)[]): string[] => [
    options.perilune,
    join(folder, file),
    '--',
    ...args.map(String),
  ];
  const escript = join(folder, 'beside.escript');
  const hasErlang =
    installed('escript') !== undefined &&
    spawnSync('escript', [escript, 'fan_in', '1', '1']).status === 0;
  const erlang = (...args: (string | number)[]): string[] => [
    'env',
    'ERL_FLAGS=+S 1',
    'escript',
    escript,
    ...args.map(String),
  ];
  const less = (n: number): number => (options.quick ? n / 10 : n);

  const crowds: [name: string, size: number, Crowd][] = [];
  for (const size of options.quick ? CROWDS.slice(0, 1) : CROWDS) {
    const contenders: Contender[] = [
      { name: 'perilune', command: [options.perilune, join(folder, 'crowd.lua')] },
    ];
    if (hasErlang) contenders.push({ name: 'Erlang, +S 1', command: erlang('crowd') });
    for (const { name, command } of contenders) {
      progress(`${size} alive: ${name}`);
      crowds.push([name, size, await measureCrowd(command, size, options.runs)]);
    }
  }

  /** Of each row: what it is, and who takes part. Wall time in µs for one. */
  const rows: Record<string, Record<string, string[]>> = {
    'there and back': {
      perilune: lua('pingpong.lua', 'thread', less(TRIPS)),
      erlang: erlang('pingpong', less(TRIPS)),
    },
    'a token in a ring of 1,000': {
      perilune: lua('ring.lua', 1000, less(PASSES)),
      erlang: erlang('ring', 1000, less(PASSES)),
    },
    'from 1,000 senders to one': {
      perilune: lua('fan_in.lua', SENDERS, less(EACH)),
      erlang: erlang('fan_in', SENDERS, less(EACH)),
    },
    'string of 8 KB, in the thread': {
      perilune: lua('flow.lua', 'thread', 'string', less(FLOW)),
      c: [flow, 'thread', `${BYTES}`, `${FLOW}`],
    },
    'string of 8 KB, to another thread': {
      perilune: lua('flow.lua', 'threads', 'string', less(FLOW)),
      c: [flow, 'threads', `${BYTES}`, `${FLOW}`],
    },
    'table of 8 KB, in the thread': {
      perilune: lua('flow.lua', 'thread', 'table', less(FLOW)),
      c: [flow, 'thread', `${BYTES}`, `${FLOW}`],
    },
    'table of 8 KB, to another thread': {
      perilune: lua('flow.lua', 'threads', 'table', less(FLOW)),
      c: [flow, 'threads', `${BYTES}`, `${FLOW}`],
    },
    'record of 10 fields, to another thread': {
      perilune: lua('flow.lua', 'threads', 'record', less(FLOW)),
    },
    'record of 10 fields, to another process': {
      perilune: lua('flow.lua', 'process', 'record', less(FLOW)),
    },
    'array of 1,000 numbers, to another thread': {
      perilune: lua('flow.lua', 'threads', 'array', less(FLOW)),
    },
    'table of 8 KB, to another process': {
      perilune: lua('flow.lua', 'process', 'table', less(FLOW)),
      c: [flow, 'process', `${BYTES}`, `${FLOW}`],
    },
    'descriptor, in the thread': { perilune: lua('flow.lua', 'thread', 'fd', less(FLOW)) },
    'descriptor, to another thread': { perilune: lua('flow.lua', 'threads', 'fd', less(FLOW)) },
    'descriptor, to another process': {
      perilune: lua('flow.lua', 'process', 'fd', less(FLOW)),
      c: [flow, 'fd', '0', `${FLOW}`],
    },
  };
  const times = new Map<string, Map<string, number[]>>();
  for (const [row, takers] of Object.entries(rows)) {
    progress(row);
    const contenders = Object.entries(takers)
      .filter(([name]) => name !== 'erlang' || hasErlang)
      .map(([name, command]) => ({ name, command }));
    const results = compare(contenders, options.runs, { sameOutput: false });
    times.set(
      row,
      new Map([...results].map(([name, runs]) => [name, runs.map(({ out }) => Number(out))])),
    );
  }
  const cell = (row: string, name: string): string => {
    const all = times.get(row)!.get(name);
    return all === undefined ? '' : `${us(least(all))} (${us(median(all))})`;
  };
  const at = (row: string, name = 'perilune'): number => least(times.get(row)!.get(name)!);
  const asC = (row: string): number => at(row) / at(row, 'c');

  const thousand = crowds[0]![2];
  const goals: Goal[] = [
    goal('`spawn_vm` in the thread, 1,000 alive', '≤', 50, thousand.us, (n) => `${us(n)} µs`),
    goal('memory of each of them', '≤', 60 * 1024, thousand.bytes, kb),
    goal(
      'message there and back in one thread',
      '≤',
      1,
      at('there and back'),
      (n) => `${us(n)} µs`,
    ),
    goal('8 KB to another thread ÷ C', '≤', 4, asC('string of 8 KB, to another thread'), ratio),
    goal('8 KB to another process ÷ C', '≤', 4, asC('table of 8 KB, to another process'), ratio),
    goal('descriptor to another process ÷ C', '≤', 4, asC('descriptor, to another process'), ratio),
  ];
  return {
    title: 'Many actors',
    text: [
      'VMs in one thread, each with the same module, that have answered a message and wait for another; wall time for each, and',
      'resident memory of each, all that the process has more than with none. Beside them processes of Erlang, which are not VMs:',
      'they share their code and have no globals.\n',
      table(
        ['', 'alive', 'µs', 'KB'],
        crowds.map(([name, size, { us: time, bytes }]) => [name, `${size}`, us(time), kb(bytes)]),
      ),
      'Messages: wall time in µs for one, least (median). Erlang has one scheduler (`+S 1`). C does the least that can be done: copies of 8 KB,',
      'packets, descriptors in packets (bench/actors/flow.c). In one direction the receiver is there already, and has had a thousand.\n',
      table(
        ['', 'perilune', 'Erlang', 'C', 'perilune, messages/s'],
        Object.keys(rows).map((row) => [
          row,
          cell(row, 'perilune'),
          cell(row, 'erlang'),
          cell(row, 'c'),
          (1e6 / at(row)).toFixed(0),
        ]),
      ),
    ].join('\n'),
    goals,
  };
}

const us = (n: number): string => n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0);
const kb = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`;

/** Wall time, and memory beyond that of a process with none of them. */
async function measureCrowd(command: string[], size: number, runs: number): Promise<Crowd> {
  const all: Crowd[] = [];
  const once = async (count: number): Promise<Crowd> => {
    const isErlang = command.includes('escript');
    const program = new Background(
      isErlang ? [...command, `${count}`] : ['env', `COUNT=${count}`, ...command],
    );
    const time = Number(await program.line());
    await setTimeout(300);
    const bytes = residentBytes(program.program());
    await program.stop();
    return { us: time, bytes };
  };
  for (let i = 0; i < runs; i++) {
    const none = await once(0);
    const { us: time, bytes } = await once(size);
    all.push({ us: time, bytes: (bytes - none.bytes) / size });
  }
  return { us: least(all.map((c) => c.us)), bytes: least(all.map((c) => c.bytes)) };
}
