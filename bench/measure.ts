/** Running one program, and saying what it cost: see measure.c, which does it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export const root = dirname(import.meta.dirname);

/** What one run cost. Times in seconds, memory in KB. */
export interface Cost {
  wall: number;
  /** user + system, of all threads */
  cpu: number;
  user: number;
  system: number;
  peak: number;
}

/** A program that takes part in a comparison. */
export interface Contender {
  name: string;
  command: string[];
}

export interface Run extends Cost {
  out: string;
}

/** Compile bench/`source` (C) into build/bench/, unless that is newer. @returns the program's path */
export function buildTool(source: string): string {
  const from = join(import.meta.dirname, source);
  const to = join(
    root,
    'build/bench',
    source
      .replace(/\.c$/, '')
      .replace(/^[./]+/, '')
      .replaceAll('/', '-'),
  );
  const built = statSync(to, { throwIfNoEntry: false });
  if (built && built.mtimeMs > statSync(from).mtimeMs) return to;
  mkdirSync(dirname(to), { recursive: true });
  const flags = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-o', to, from];
  const compiler = process.env['CC'] ?? 'cc';
  const run = spawnSync(compiler, flags, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (run.status !== 0) throw new Error(`${compiler} could not compile ${from}`);
  return to;
}

const measureTool = buildTool('measure.c');

/** Run to the end, which must be exit code 0. @param stdin  a descriptor; nothing when left out */
export function run(command: string[], { seconds = 120, stdin = -1 } = {}): Run {
  const done = spawnSync(measureTool, [String(seconds), ...command], {
    cwd: root,
    stdio: [stdin < 0 ? 'ignore' : stdin, 'pipe', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const [, out = '', errors = '', report = ''] = done.output as unknown as string[];
  const { code, ...cost } = parseReport(report);
  if (code !== 0)
    throw new Error(`${command.join(' ')}: exit code ${code}\n${errors.slice(0, 2000)}`);
  return { ...cost, out };
}

function parseReport(report: string): Cost & { code: number } {
  const [wall = 0, user = 0, system = 0, peak = 0, code = -1] = report.split(' ').map(Number);
  return { wall, user, system, cpu: user + system, peak, code };
}

/** A program that runs beside others: servers, and clients that hold connections. */
export class Background {
  private readonly lines: AsyncIterator<string>;
  private readonly child;
  private readonly report: Promise<string>;

  constructor(command: string[], seconds = 120) {
    this.child = spawn(measureTool, [String(seconds), ...command], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    running.add(this);
    this.lines = createInterface(this.child.stdout as Readable)[Symbol.asyncIterator]();
    this.report = text(this.child.stdio[3] as Readable);
  }

  /** The next line that it prints; an error when it ended instead. */
  async line(): Promise<string> {
    const next = await this.lines.next();
    if (next.done) throw new Error(`${this.child.spawnargs.join(' ')}: ended without a line`);
    return next.value;
  }

  /** End its standard input, wait for it to end by itself. */
  async finish(): Promise<Cost & { code: number }> {
    this.child.stdin?.end();
    return await this.ended();
  }

  /** Kill it. */
  async stop(): Promise<Cost & { code: number }> {
    this.child.kill('SIGTERM');
    return await this.ended();
  }

  private async ended(): Promise<Cost & { code: number }> {
    const report = parseReport(await this.report);
    running.delete(this);
    return report;
  }

  kill(): void {
    this.child.kill('SIGTERM');
  }

  /** The process id of the measured program: measure's only child. */
  program(): number {
    const children = spawnSync('cat', [`/proc/${this.child.pid}/task/${this.child.pid}/children`]);
    return Number(children.stdout.toString().trim().split(' ')[0]);
  }
}

const running = new Set<Background>();
process.on('exit', () => {
  for (const one of running) one.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const part of stream) all += part;
  return all;
}

/** Per contender: all its runs. */
export type Results = Map<string, Run[]>;

/**
 * Each contender in turn, `runs` times over, so that a slow minute of the machine hits all.
 * Every run of every contender must print the same.
 */
export function compare(
  contenders: Contender[],
  runs: number,
  options: {
    seconds?: number;
    stdin?: () => number;
    sameOutput?: boolean;
    /** What each must print; when left out, what the first run does. */
    expected?: string | undefined;
  } = {},
): Results {
  const results: Results = new Map(contenders.map(({ name }) => [name, []]));
  let { expected } = options;
  for (let i = 0; i < runs; i++) {
    for (const { name, command } of contenders) {
      const result = run(command, { seconds: options.seconds, stdin: options.stdin?.() });
      if (options.sameOutput !== false) {
        expected ??= result.out;
        if (result.out !== expected) {
          throw new Error(`${name} prints ${quote(result.out)}, the first did ${quote(expected)}`);
        }
      }
      results.get(name)?.push(result);
    }
  }
  return results;
}

const quote = (out: string): string => JSON.stringify(out.slice(0, 200));

export const least = (numbers: number[]): number => Math.min(...numbers);

export function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function geometricMean(numbers: number[]): number {
  return Math.exp(numbers.reduce((sum, n) => sum + Math.log(n), 0) / numbers.length);
}
