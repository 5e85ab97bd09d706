/** Files: from begin to end beside dd, at random places beside fio, and what others notice of it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from './machine.ts';
import { buildTool, type Contender, least, median, type Run, root, run } from './measure.ts';
import { type Goal, goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

const here = (name: string): string => join(root, 'bench/file', name);
const folder = join(root, 'build/bench');

/** Nothing of it stays in memory. posix_fadvise(2), by dd */
function forget(path: string): void {
  spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

const DEPTHS = [1, 64];

/** What each read of a slow disk takes. */
const SLOW_MS = 20;

/** @returns what the program prints, which reads a file of a FUSE server; or why there can be none */
function onSlowDisk(megabytes: number, command: (path: string) => string[]): number[] | string {
  const disk = join(folder, 'slow-disk');
  mkdirSync(disk, { recursive: true });
  const server = [buildTool('../test/support/slowfs.c'), disk, String(megabytes << 20)];
  const inNamespace = ['unshare', '--user', '--map-root-user', '--mount', ...server];
  const [unshare, ...args] = [...inNamespace, '0', 'true'];
  if (spawnSync(unshare!, args).status !== 0) return 'FUSE can’t be mounted here';
  const { out } = run([...inNamespace, String(SLOW_MS), ...command(join(disk, 'slow'))]);
  return out.trim().split('\t').map(Number);
}

export function files(options: Options, progress: (line: string) => void): Section {
  const megabytes = options.quick ? 256 : 1024;
  const reads = options.quick ? 5_000 : 20_000;
  mkdirSync(folder, { recursive: true });
  const [large, written] = [join(folder, 'large.bin'), join(folder, 'written.bin')];
  const lua = (name: string, ...args: (string | number)[]): string[] => [
    options.perilune,
    here(name),
    '--',
    ...args.map(String),
  ];
  const goals: Goal[] = [];
  try {
    progress(`${megabytes} MB read and written, ${options.runs} runs each`);
    // Random bytes: no file system may leave them out.
    spawnSync('dd', ['if=/dev/urandom', `of=${large}`, 'bs=1M', `count=${megabytes}`], {
      stdio: 'ignore',
    });
    spawnSync('sync', [large]);

    // ── from begin to end ──
    const dd = (...args: string[]): string[] => ['dd', ...args, 'bs=64k', 'status=none'];
    const sequential: [string, Contender[], boolean][] = [
      ['read, in memory', reading(), false],
      ['read, from the disk', reading(), true],
      [
        'write',
        [
          { name: 'perilune', command: lua('sequential.lua', 'write', written, megabytes) },
          {
            name: 'dd',
            command: dd('if=/dev/zero', `of=${written}`, `count=${megabytes * 16}`),
          },
        ],
        false,
      ],
    ];
    function reading(): Contender[] {
      return [
        { name: 'perilune', command: lua('sequential.lua', 'read', large) },
        { name: 'dd', command: dd(`if=${large}`, 'of=/dev/null') },
      ];
    }
    const nothing = (name: string): string[] =>
      name === 'dd'
        ? dd('if=/dev/null', 'of=/dev/null')
        : lua('sequential.lua', 'read', '/dev/null');
    const rows: string[][] = [];
    for (const [what, contenders, isCold] of sequential) {
      const results = new Map<string, Run[]>(contenders.map(({ name }) => [name, []]));
      run(contenders[1]!.command); // into memory
      for (let i = 0; i < options.runs; i++) {
        for (const { name, command } of contenders) {
          if (isCold) forget(large);
          results.get(name)!.push(run(command));
        }
      }
      const start = (name: string): number =>
        least(Array.from({ length: options.runs }, () => run(nothing(name)).cpu));
      const starts = new Map(contenders.map(({ name }) => [name, start(name)]));
      const cpu = (name: string): number =>
        least(results.get(name)!.map((r) => r.cpu)) - starts.get(name)!;
      const wall = (name: string): number => least(results.get(name)!.map((r) => r.wall));
      for (const { name } of contenders) {
        rows.push([
          what,
          name,
          cpu(name).toFixed(2),
          wall(name).toFixed(2),
          (megabytes / wall(name)).toFixed(0),
          ratio(cpu(name) / cpu('dd')),
        ]);
      }
      if (what === 'read, in memory') {
        const row = `file: ${megabytes} MB in 64 KB blocks from memory, CPU time ÷ dd’s`;
        goals.push(goal(row, '≤', 1.5, cpu('perilune') / cpu('dd'), ratio));
      }
    }

    // ── at random places ──
    const randomRows: string[][] = [];
    for (const depth of DEPTHS) {
      progress(`${reads} random reads, ${depth} at once`);
      const ours: Sample[] = [];
      const fios: Sample[] = [];
      for (let i = 0; i < options.runs; i++) {
        forget(large);
        const cost = run(lua('random.lua', large, reads, depth));
        ours.push({ perSecond: reads / Number(cost.out.split('\t')[1]), cpu: cost.cpu / reads });
        forget(large);
        if (installed('fio')) fios.push(fio(large, reads, depth));
      }
      const best = (samples: Sample[]): number => Math.max(...samples.map((s) => s.perSecond));
      const row = (name: string, samples: Sample[]): string[] => [
        String(depth),
        name,
        best(samples).toFixed(0),
        median(samples.map((s) => s.perSecond)).toFixed(0),
        (least(samples.map((s) => s.cpu)) * 1e6).toFixed(1),
      ];
      randomRows.push(row('perilune', ours));
      const name = `file: random reads of 4 KB, ${depth} at once, ÷ fio’s (io_uring)`;
      if (fios.length === 0) goals.push(unmeasured(name, '≥ 0.80×', 'no fio here'));
      else {
        randomRows.push(row('fio, io_uring', fios));
        goals.push(goal(name, '≥', 0.8, best(ours) / best(fios), ratio));
      }
    }

    // ── what others notice ──
    progress('ticks beside 16 readers');
    const tickRows: string[][] = [];
    for (const [what, isCold] of [
      ['in memory', false],
      ['from the disk', true],
    ] as const) {
      const samples = Array.from({ length: options.runs }, () => {
        if (isCold) forget(large);
        return run(lua('ticks.lua', large)).out.trim().split('\t').map(Number);
      });
      const of = (i: number, n: number): string => median(samples.map((s) => s[i]!)).toFixed(n);
      tickRows.push([what, of(0, 2), of(1, 0), of(2, 2), of(3, 1)]);
    }
    const slow = onSlowDisk(megabytes, (path) => lua('ticks.lua', path));
    const cells = typeof slow === 'string' ? [slow, '', '', ''] : slow.map((n) => n.toFixed(2));
    tickRows.push([`FUSE, each answer after ${SLOW_MS} ms`, ...cells]);
    return {
      title: 'Files',
      text: [
        `${megabytes} MB from begin to end, in blocks of 64 KB. Least of the runs; CPU time without that of the start.\n`,
        table(['', '', 'CPU, s', 'wall, s', 'MB/s', 'CPU ÷ dd'], rows),
        `${reads} reads of 4 KB at random places of ${megabytes} MB, none of it in memory before, so many at once; most (median) of the runs, and least CPU time.\n`,
        table(['at once', '', 'reads/s', 'median', 'CPU, µs each'], randomRows),
        `16 fibers read ${megabytes} MB together, in blocks of 1 MB, while one sleeps for a millisecond again and again. Medians of the runs.\n`,
        table(['', 'seconds', 'ticks', 'ms between two, median', 'longest'], tickRows),
      ].join('\n'),
      goals,
    };
  } finally {
    for (const path of [large, written]) rmSync(path, { force: true });
  }
}

interface Sample {
  readonly perSecond: number;
  /** seconds of CPU time of one */
  readonly cpu: number;
}

function fio(path: string, reads: number, depth: number): Sample {
  const { stdout, stderr } = spawnSync(
    'fio',
    [
      '--name=random', `--filename=${path}`, '--readonly', '--rw=randread', '--bs=4k', '--ioengine=io_uring',
      `--iodepth=${depth}`, `--number_ios=${reads}`, '--randrepeat=1', '--output-format=json',
    ], // biome-ignore format: arguments
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  try {
    const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: any[] };
    const [{ read, usr_cpu, sys_cpu }] = jobs as [any];
    const seconds = read.runtime / 1000;
    const perSecond = read.total_ios / seconds;
    return { perSecond, cpu: (((usr_cpu + sys_cpu) / 100) * seconds) / read.total_ios };
  } catch {
    throw new Error(`fio: ${stderr.slice(0, 500)}`);
  }
}
