/** Starting servers and load for the benchmarks of this folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(dirname(import.meta.dirname));
const folder = join(root, 'build/bench');

/** Compile bench/net/NAME.c. @returns the program's path */
export function compile(name: string): string {
  mkdirSync(folder, { recursive: true });
  const program = join(folder, name);
  const source = join(import.meta.dirname, `${name}.c`);
  const run = spawnSync(process.env.CC ?? 'cc', ['-O2', '-Wall', '-Wextra', '-o', program, source]);
  if (run.status !== 0) throw new Error(`${name}.c: ${run.error ?? run.stderr}`);
  return program;
}

export interface Server {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** @param command  prints the port that it listens on, as its first line */
export async function startServer(command: readonly string[]): Promise<Server> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let line = '';
  for await (const part of child.stdout.iterator({ destroyOnReturn: false })) {
    line += part;
    if (line.includes('\n')) break;
  }
  const port = Number.parseInt(line, 10);
  if (!(port > 0)) throw new Error(`${command.join(' ')}: printed no port but ${line}`);
  return { process: child, pid: child.pid!, port };
}

export function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.process.once('exit', () => resolve());
    server.process.kill('SIGKILL');
  });
}

/** Seconds of CPU time, user and system, that a process has used. proc(5); 100 ticks a second */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/VmRSS:\s*(\d+)/.exec(status)![1]) * 1024;
}

/** Run the load client. @returns what it prints */
export function runClient(program: string, args: readonly (string | number)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (part) => {
      out += part;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(out) : reject(new Error(`the client ended with ${code}`)),
    );
  });
}
