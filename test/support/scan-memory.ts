/** Looks for a secret in the memory of processes, by a program in C: scan-memory.c. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @returns the program, or why there can be none */
export function buildScanner(folder: string): string | { readonly reason: string } {
  const compiler = process.env.CC ?? 'cc';
  if (spawnSync(compiler, ['--version']).error) return { reason: `${compiler} is missing` };
  const scanner = join(folder, 'scan-memory');
  const source = fileURLToPath(new URL('scan-memory.c', import.meta.url));
  const build = spawnSync(compiler, ['-O2', '-Wall', '-o', scanner, source], { encoding: 'utf8' });
  assert.equal(build.status, 0, build.stderr);
  // Of a process that isn't its child.
  const self = spawnSync(scanner, [String(process.pid)], { input: Buffer.alloc(32, 'a') });
  return self.status === 0
    ? scanner
    : { reason: 'the memory of other processes may not be read here' };
}

/**
 * The process is stopped meanwhile: what its collector moves out of memory that is yet to be read, into some that has
 * been, would not be found.
 * @param secret  32 bytes
 * @returns       how often it was found: whole, upper-cased, as UTF-16, in pieces; and bytes searched
 */
export function scan(scanner: string, pid: number, secret: Buffer): number[] {
  process.kill(pid, 'SIGSTOP');
  try {
    while (isRunning(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    const run = spawnSync(scanner, [String(pid)], { input: secret, encoding: 'utf8' });
    assert.equal(run.status, 0, `scan of ${pid}: ${run.stderr}`);
    return run.stdout.trim().split(' ').map(Number);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** Any of its threads. proc_pid_stat(5) */
const isRunning = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).some((tid) =>
    /\) [RSDW]/.test(readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1')),
  );
