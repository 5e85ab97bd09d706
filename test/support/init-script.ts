/** Runs init.scripts in processes of their own: see init-script-child.ts. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { close, setStatusFlags } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { socketpair } from '../../src/sys/unix.ts';

export const skip = nativeFailure() ?? false;
export const CHILD = fileURLToPath(new URL('init-script-child.ts', import.meta.url));

export const folder = mkdtempSync(join(tmpdir(), 'init-script-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
export function fileOf(script: string): string {
  const file = join(folder, `${++files}.lua`);
  writeFileSync(file, script, 'latin1');
  return file;
}

export interface Options {
  /** fd 3 of the child, and the script's `arg` */
  readonly arg?: number;
  readonly input?: string;
  /** a program and its arguments that the child runs under */
  readonly under?: readonly string[];
}

export function run(
  script: string,
  { arg, input = '', under = [] }: Options = {},
): SpawnSyncReturns<string> {
  const command = [...under, process.execPath, CHILD, fileOf(script)];
  if (arg !== undefined) command.push('--arg', '3');
  return spawnSync(command[0]!, command.slice(1), {
    cwd: folder,
    encoding: 'latin1',
    timeout: 300_000,
    input,
    stdio: ['pipe', 'pipe', 'pipe', ...(arg === undefined ? [] : [arg])],
    env: { ...process.env, FOR_SCRIPT: 'an environment' },
  });
}

/** A script that comes to its end. */
export function works(name: string, script: string, output: string, options?: Options): void {
  test(name, { skip, timeout: 300_000 }, () => {
    const { status, stdout, stderr } = run(script, options);
    assert.equal(stderr, '');
    assert.equal(stdout, output);
    assert.equal(status, 0);
  });
}

/** A script that ends the process. */
export function ends(name: string, script: string, status: number, stderr: string | RegExp): void {
  test(name, { skip, timeout: 300_000 }, () => {
    const outcome = run(`${script}\nprint('not reached')`);
    if (typeof stderr === 'string') assert.equal(outcome.stderr, stderr);
    else assert.match(outcome.stderr, stderr);
    assert.equal(outcome.stdout, '');
    assert.equal(outcome.signal, null);
    assert.equal(outcome.status, status);
  });
}

/** A pair of sockets, blocking: the script's `arg`, and the other end. */
export function withSockets(type: number, use: (arg: number, other: number) => void): void {
  const pair = socketpair(type);
  try {
    for (const fd of pair) setStatusFlags(fd, 0);
    use(...pair);
  } finally {
    for (const fd of pair) close(fd);
  }
}
