/** Sockets, pipes and descriptors within one machine, beside C, lua-luv and lua-cqueues. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildTool, type Contender, compare, least, median, root } from './measure.ts';
import { type Goal, goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

/** What is measured: argument of the programs, how much of it, and what one of them is. */
const LOADS = [
  { what: 'stream', count: 200_000, unit: 'round trip of 64 bytes, unix stream' },
  { what: 'seqpacket', count: 200_000, unit: 'round trip of 64 bytes, unix seqpacket' },
  { what: 'pipe', count: 4096, unit: 'MB through a pipe, in blocks of 64 KB' },
  { what: 'file', count: 4096, unit: 'MB of a file in the page cache, in blocks of 64 KB' },
  { what: 'fds', count: 200_000, unit: 'descriptor sent, received and closed' },
] as const;

const folder = join(root, 'bench/local');
const LEAST_RUNS = 5;

/** 64 MB, in the page cache. */
function testFile(): string {
  const path = join(root, 'build/bench/local.bin');
  writeFileSync(path, Buffer.alloc(64 << 20, 'x'));
  return path;
}

function peer(module: string, file: string): string[] | undefined {
  const lua = ['luajit', 'lua5.1'].find(
    (name) => spawnSync(name, ['-e', `require '${module}'`]).status === 0,
  );
  return lua === undefined ? undefined : [lua, join(folder, file)];
}

export function local(options: Options, progress: (line: string) => void): Section {
  const luv = peer('luv', 'local_luv.lua');
  const cqueues = peer('cqueues', 'local_cqueues.lua');
  const contenders = (what: string): Contender[] => {
    const all: [string, string[] | undefined][] = [
      ['perilune', [options.perilune, join(folder, 'local.lua'), '--']],
      ['C, epoll', [buildTool('local/local.c')]],
      ['lua-luv', what === 'stream' || what === 'pipe' ? luv : undefined],
      ['lua-cqueues', what === 'stream' || what === 'fds' ? cqueues : undefined],
    ];
    return all.flatMap(([name, command]) => (command === undefined ? [] : [{ name, command }]));
  };
  const rows: string[][] = [];
  const goals: Goal[] = [];
  const runs = options.quick ? options.runs : Math.max(options.runs, LEAST_RUNS);
  for (const { what, count, unit } of LOADS) {
    const n = options.quick ? count >> 3 : count;
    progress(`${what}, ${runs} runs each`);
    const taking = contenders(what).map(({ name, command }) => ({
      name,
      command: [...command, what, String(n), ...(what === 'file' ? [testFile()] : [])],
    }));
    const results = compare(taking, runs);
    const costs = (name: string): number[] =>
      (results.get(name) ?? []).map(({ cpu }) => (cpu / n) * 1e6);
    const cost = (name: string): number => least(costs(name));
    for (const { name } of taking) {
      rows.push([
        unit,
        name,
        `${cost(name).toFixed(2)} (${median(costs(name)).toFixed(2)})`,
        ratio(cost(name) / cost('C, epoll')),
        (1e6 / cost(name)).toFixed(0),
      ]);
    }
    if (what === 'file') {
      const row = 'file in 64 KB blocks: CPU time ÷ read(2)’s';
      goals.push(goal(row, '≤', 1.5, cost('perilune') / cost('C, epoll'), ratio));
    }
    for (const other of ['lua-luv', 'lua-cqueues']) {
      const row = `${what}: CPU time ÷ ${other}’s`;
      if (results.has(other)) {
        goals.push(goal(row, '≤', 1, cost('perilune') / cost(other), ratio));
      } else if (what === 'stream') goals.push(unmeasured(row, '≤ 1.00×', `no ${other} here`));
    }
  }
  return {
    title: 'Local sockets, pipes, descriptors',
    text: [
      'Both ends in one thread: two fibers, or callbacks of one loop. CPU time, user and system, of the whole',
      'program, start included; least (median) of the runs.\n',
      table(['one', '', 'CPU, µs', '÷ C', 'a second of CPU time'], rows),
    ].join('\n'),
    goals,
  };
}
