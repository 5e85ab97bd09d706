/** Actors in threads and processes: messages, and processes made and gone, beside C and bubblewrap. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildTool, least, median, root, run } from './measure.ts';
import { goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

const MESSAGES = 50_000;
/** Of each kind; more would only take longer: there is a pause after each. */
const PROCESSES = 60;

/**
 * All there at the same time, and one after the other. PERILUNE_MANY says how many there are in a row, and a tenth of that at
 * once: 10,000 take minutes.
 */
const IN_A_ROW = 300;
const AT_ONCE = 100;

/** Least and median, to the first message and to the end, in µs. */
type Times = [first: number, firstMedian: number, gone: number, goneMedian: number];

const BWRAP = ['bwrap', '--unshare-all', '--ro-bind', '/', '/', 'true'];

/** What bench/actors/at_once.lua and row.lua say, as text. */
function manyProcesses(lua: (file: string, ...args: string[]) => string[], quick: boolean): string {
  const many = Number(process.env['PERILUNE_MANY'] ?? 0);
  const inARow = many || (quick ? IN_A_ROW / 10 : IN_A_ROW);
  const atOnce = many ? Math.ceil(many / 10) : quick ? AT_ONCE / 10 : AT_ONCE;
  const limit = { seconds: 120 + inARow }; // on a machine with other things to do
  const kinds = { plain: 'no namespace', inbox: "sandbox = 'inbox'" };
  const together: string[][] = [];
  const left: string[][] = [];
  for (const [kind, name] of Object.entries(kinds)) {
    const [us, kb] = run(lua('at_once.lua', kind, `${atOnce}`), limit)
      .out.split(' ')
      .map(Number);
    const [each, ...rows] = run(lua('row.lua', kind, `${inARow}`), limit)
      .out.trim()
      .split('\n');
    const seconds = ((us! * atOnce) / 1e6).toFixed(1);
    together.push([name, seconds, us!.toFixed(0), kb!.toFixed(0), each!]);
    for (const row of rows) {
      const [what, before, after] = row.split('\t');
      if (before !== after) left.push([name, what!, before!, after!]);
    }
  }
  return [
    `\n${atOnce} processes that are all there at the same time: seconds until the last one has answered, µs and KB of private memory for each (with PID 1 of`,
    `its namespace). And ${inARow} one after the other, µs for each, from the call to the news of its end.\n`,
    table(['', 's', 'µs each', 'KB each', 'in a row, µs each'], together),
    '\nWhat differs after those in a row from before, of: processes, descriptors, mounts, namespaces, KB of the supervisor.\n',
    left.length === 0 ? 'Nothing.' : table(['', 'what', 'before', 'after'], left),
  ].join('\n');
}

export function actors(options: Options, progress: (line: string) => void): Section {
  const limits = buildTool('actors/limits.c');
  const lua = (file: string, ...args: string[]): string[] => [
    options.perilune,
    join(root, 'bench/actors', file),
    '--',
    ...args,
  ];
  const messages = options.quick ? MESSAGES >> 3 : MESSAGES;
  const pingpong: Record<string, string[]> = {
    'perilune, two processes': lua('pingpong.lua', 'process', `${messages}`),
    'C, two processes, epoll': [limits, 'pingpong', `${messages}`],
    'perilune, two threads': lua('pingpong.lua', 'threads', `${messages}`),
    'C, two threads, eventfd and epoll': [limits, 'threads', `${messages}`],
    'perilune, one thread': lua('pingpong.lua', 'thread', `${messages}`),
  };
  const count = `${options.quick ? 10 : PROCESSES}`;
  const hasBwrap = spawnSync(BWRAP[0]!, BWRAP.slice(1)).status === 0;
  const making: Record<string, string[]> = {
    'perilune, no namespace': lua('spawn.lua', 'plain', count),
    'C, fork': [limits, 'fork', count],
    'perilune, all but net': lua('spawn.lua', 'most', count),
    'perilune, six namespaces': lua('spawn.lua', 'all', count),
    'C, clone with six namespaces': [limits, 'unshare', count],
    "perilune, sandbox = 'inbox'": lua('spawn.lua', 'inbox', count),
    ...(hasBwrap ? { 'bwrap --unshare-all': [limits, 'run', count, ...BWRAP] } : {}),
  };

  const trips = new Map<string, number[]>();
  const times = new Map<string, Times[]>();
  for (let i = 0; i < options.runs; i++) {
    progress(`run ${i + 1} of ${options.runs}`);
    for (const [name, command] of Object.entries(pingpong))
      trips.set(name, [...(trips.get(name) ?? []), Number(run(command).out)]);
    for (const [name, command] of Object.entries(making)) {
      const numbers = run(command).out.trim().split(' ').map(Number) as Times;
      times.set(name, [...(times.get(name) ?? []), numbers]);
    }
  }
  progress('many processes');
  const many = manyProcesses(lua, options.quick);
  const trip = (name: string): number => least(trips.get(name)!);
  const at = (name: string, i: number): number => least(times.get(name)!.map((t) => t[i]!));
  const us = (n: number): string => n.toFixed(n < 100 ? 1 : 0);
  const vsBwrap = (i: number): number =>
    at("perilune, sandbox = 'inbox'", i) / at('bwrap --unshare-all', i);
  const allVsBwrap =
    at('perilune, six namespaces', 2) / (hasBwrap ? at('bwrap --unshare-all', 2) : 1);
  return {
    title: 'Actors',
    text: [
      'A small message to another actor and back; wall time in µs, least (median) of the runs.\n',
      table(
        ['', 'µs'],
        Object.keys(pingpong).map((name) => [
          name,
          `${us(trip(name))} (${us(median(trips.get(name)!))})`,
        ]),
      ),
      `\nA process, from the call that makes it to its first message, and to its end; ${count} with a pause after each. Wall time in µs: least, and`,
      'the best median of the runs. bwrap runs `true`, and has no first message.\n',
      table(
        ['', 'first message', 'median', 'gone', 'median'],
        Object.keys(making).map((name) => [name, ...[0, 1, 2, 3].map((i) => us(at(name, i)))]),
      ),
      many,
    ].join('\n'),
    goals: [
      goal(
        'message to another process and back ÷ C, epoll',
        '≤',
        1.6,
        trip('perilune, two processes') / trip('C, two processes, epoll'),
        ratio,
      ),
      goal(
        'message to another thread and back ÷ C, eventfd and epoll',
        '≤',
        2,
        trip('perilune, two threads') / trip('C, two threads, eventfd and epoll'),
        ratio,
      ),
      goal(
        'process to its first message, ms',
        '≤',
        4,
        at('perilune, no namespace', 0) / 1000,
        (n) => n.toFixed(1),
      ),
      hasBwrap
        ? goal('six namespaces: made and gone ÷ bwrap', '≤', 0.8, allVsBwrap, ratio)
        : unmeasured('six namespaces: made and gone ÷ bwrap', '≤ 0.80×', 'no bwrap here'),
      hasBwrap
        ? goal(
            'the same of medians',
            '≤',
            0.8,
            at('perilune, six namespaces', 3) / at('bwrap --unshare-all', 3),
            ratio,
          )
        : unmeasured('the same of medians', '≤ 0.80×', 'no bwrap here'),
      hasBwrap
        ? goal("sandbox = 'inbox': made and gone ÷ bwrap", '≤', 1, vsBwrap(2), ratio)
        : unmeasured("sandbox = 'inbox': made and gone ÷ bwrap", '≤ 1.00×', 'no bwrap here'),
    ],
  };
}
