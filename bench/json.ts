/** The json module beside lua-cjson in LuaJIT and V8's own; and a large document in pieces. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './machine.ts';
import { type Contender, compare, least, median, type Run, root, run } from './measure.ts';
import { type Goal, goal, mb, type Options, type Section, table, unmeasured } from './report.ts';

const MEGABYTES = 5;
/** Times that each document is decoded, and encoded, in one run: start-up is measured apart and taken off. */
const ROUNDS = 20;

const here = (name: string): string => join(root, 'bench/json', name);
const document = (megabytes: number): string => join(root, `build/bench/json-${megabytes}.json`);

function write(megabytes: number): void {
  const args = [here('write.cjs'), String(megabytes), document(megabytes)];
  const run = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (run.status !== 0) throw new Error(`bench/json/write.cjs: exit code ${run.status}`);
}

/** Decoders are within a few percent of each other: of three runs, one that was lucky decides. */
const LEAST_RUNS = 7;

/** Each contender with the document as its standard input. */
function withDocument(
  megabytes: number,
  contenders: Contender[],
  options: Options,
  sameOutput: boolean,
): Map<string, Run[]> {
  const open: number[] = [];
  const close = (): void => open.splice(0).forEach((fd) => void closeSync(fd));
  const stdin = (): number => {
    close();
    const fd = openSync(document(megabytes), 'r');
    open.push(fd);
    return fd;
  };
  try {
    return compare(contenders, options.runs, { stdin, seconds: 300, sameOutput });
  } finally {
    close();
  }
}

/** Why LuaJIT with lua-cjson can't take part. */
function missing(): string | undefined {
  if (!installed('luajit')) return 'no luajit here';
  const run = spawnSync('luajit', ['-e', 'require "cjson"'], { stdio: 'ignore' });
  return run.status === 0 ? undefined : 'no lua-cjson here';
}

const perilune = (options: Options, program: string, ...args: string[]): string[] => [
  options.perilune,
  here(program),
  ...(args.length > 0 ? ['--', ...args] : []),
];

interface Speed {
  decode: number;
  encode: number;
  text: string[];
}

/** Seconds of CPU time for one document: what rounds cost beyond none. */
function speeds(options: Options, why: string | undefined): Map<string, Speed> {
  const peers: { name: string; command: (...args: string[]) => string[] }[] = [
    { name: 'perilune', command: (...args) => perilune(options, 'codec.lua', ...args) },
    { name: 'V8', command: (...args) => [process.execPath, here('codec.cjs'), ...args] },
  ];
  if (why === undefined) {
    peers.push({
      name: 'luajit, lua-cjson',
      command: (...args) => ['luajit', here('codec.lua'), ...args],
    });
  }
  const contenders = peers.flatMap(({ name, command }) =>
    ['decode', 'encode'].flatMap((mode) =>
      [0, ROUNDS].map((rounds) => ({
        name: `${name} ${mode} ${rounds}`,
        command: command(mode, String(rounds)),
      })),
    ),
  );
  const results = withDocument(MEGABYTES, contenders, options, false);
  const cpu = (name: string): number[] => (results.get(name) ?? []).map((run) => run.cpu);
  return new Map(
    peers.map(({ name }) => {
      const one = (mode: string, of: (numbers: number[]) => number): number =>
        (of(cpu(`${name} ${mode} ${ROUNDS}`)) - of(cpu(`${name} ${mode} 0`))) / ROUNDS;
      const both = (mode: string): string =>
        `${(one(mode, least) * 1000).toFixed(1)} (${(one(mode, median) * 1000).toFixed(1)})`;
      const text = [name, both('decode'), both('encode')];
      return [name, { decode: one('decode', least), encode: one('encode', least), text }];
    }),
  );
}

/** A row for each small document: what one takes here, and LuaJIT with lua-cjson. */
function smallDocuments(options: Options, why: string | undefined): string[][] {
  const lines = (command: string[]): string[][] =>
    run(command)
      .out.trim()
      .split('\n')
      .map((line) => line.split('\t'));
  const ours = lines(perilune(options, 'small.lua'));
  const theirs = why === undefined ? lines(['luajit', here('small.lua')]) : [];
  return ours.map(([name, bytes, decode, encode], i) => {
    const [, , itsDecode, itsEncode] = theirs[i] ?? [];
    return [name!, bytes!, decode!, itsDecode ?? why!, encode!, itsEncode ?? why!];
  });
}

export function json(options: Options, progress: (line: string) => void): Section {
  const large = options.quick ? 20 : 100;
  const why = missing();
  write(MEGABYTES);
  write(large);
  try {
    const rounds = options.quick ? options.runs : Math.max(options.runs, LEAST_RUNS);
    progress(`${MEGABYTES} MB, ${ROUNDS} times decoded and encoded, ${rounds} runs each`);
    const codecs = speeds({ ...options, runs: rounds }, why);
    const ours = codecs.get('perilune')!;
    const limit = codecs.get('V8')!;
    const cjson = codecs.get('luajit, lua-cjson');
    progress('small documents');
    const small = smallDocuments(options, why);
    progress(`${large} MB in pieces, ${options.runs} runs each`);
    const readers: Contender[] = [
      { name: 'perilune, json.reader', command: perilune(options, 'events.lua') },
      {
        name: 'V8, the whole document in memory',
        command: [process.execPath, here('events.cjs')],
      },
    ];
    const results = withDocument(large, readers, options, true);
    const runs = (name: string): Run[] => results.get(name) ?? [];
    const peak = (name: string): number => least(runs(name).map((run) => run.peak));
    const cpu = (name: string): number => least(runs(name).map((run) => run.cpu));
    const milliseconds = (n: number): string => `${(n * 1000).toFixed(0)} ms`;
    const times = (n: number): string => `${n.toFixed(2)}×`;
    const goals: Goal[] = (['decode', 'encode'] as const).flatMap((mode) => [
      goal(`JSON: ${mode} ${MEGABYTES} MB, CPU time`, '≤', 0.06, ours[mode], milliseconds),
      goal('the same ÷ V8’s own', '≤', 1.5, ours[mode] / limit[mode], times),
      cjson === undefined
        ? unmeasured('the same ÷ LuaJIT with lua-cjson', '≤ 1.00×', why ?? '')
        : goal('the same ÷ LuaJIT with lua-cjson', '≤', 1, ours[mode] / cjson[mode], times),
    ]);
    goals.push(
      goal(
        `JSON: ${large} MB in pieces, peak memory`,
        '≤',
        150,
        peak('perilune, json.reader') / 1024,
        (n) => `${n.toFixed(0)} MB`,
      ),
    );
    return {
      title: 'JSON',
      text: [
        `A document of ${MEGABYTES} MB (records as an API might send them), decoded and encoded as a whole: CPU time of one of ${ROUNDS}`,
        'times, without start-up and reading. Least (median) of the runs.\n',
        table(
          ['', 'decode, ms', 'encode, ms'],
          [...codecs.values()].map(({ text }) => text),
        ),
        'Small documents, µs:\n',
        table(['', 'bytes', 'decode', 'lua-cjson', 'encode', 'lua-cjson'], small),
        `The records in ${large} MB, on standard input: adds up one field.\n`,
        table(
          ['', 'CPU, s', 'MB/s of CPU time', 'peak memory, MB'],
          readers.map(({ name }) => [
            name,
            cpu(name).toFixed(2),
            (large / cpu(name)).toFixed(0),
            mb(peak(name)),
          ]),
        ),
      ].join('\n'),
      goals,
    };
  } finally {
    for (const size of [MEGABYTES, large]) rmSync(document(size), { force: true });
  }
}
