/**
 * Tests that read as a specification: a Lua program and what it prints. Each runs twice, as it is and
 * with every call suspending once; both must print the same, and leave no descriptor open.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { forgetModules, leaving, loops } from '../../src/actors/load.ts';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { settle } from '../../src/actors/settle.ts';
import { useTestSchedule } from '../../src/actors/test-schedule.ts';
import { Vm } from '../../src/actors/vm.ts';
import { useBatches } from '../../src/io/batch.ts';
import { onceReaped } from '../../src/io/reaping.ts';
import { library } from '../../src/modules/all.ts';
import { toLuaError } from '../../src/runtime/error.ts';
import { tostring } from '../../src/runtime/ops.ts';
import { state } from '../../src/runtime/state.ts';
import { nativeFailure } from '../../src/sys/native.ts';

if (nativeFailure() === undefined) useBatches(true); // its descriptor stays

export interface Outcome {
  stdout: string;
  /** Panic reports and the like. */
  stderr: string;
  code: number;
}

export interface RunOptions {
  /** Every call suspends once. */
  suspendAll?: boolean;
  /** All functions are compiled when they are first called, as in long programs. */
  later?: boolean;
  /** Loops of main functions are functions of their own, as in long programs. */
  apart?: boolean;
  /** Other modules: path beside the program → text. */
  files?: Record<string, string>;
  context?: 'main' | 'test' | 'worker';
  /** Seed of another order of fibers, with timers on a virtual clock. */
  schedule?: number;
}

export interface SpecOptions extends RunOptions {
  /** What is written to the standard error stream; a pattern where addresses vary. */
  stderr?: string | RegExp;
  code?: number;
  /** Run it only as it is: it is about the stack, or measures switches. */
  once?: boolean;
}

/** Lua text as the file system would give it: one byte a code unit. */
const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const fromBytes = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

/** Write a program (and its modules) to a folder of its own, for as long as `use` runs. */
async function withFiles<T>(
  source: string,
  files: Record<string, string>,
  use: (main: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    for (const [name, text] of Object.entries({ ...files, 'main.lua': source })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), Buffer.from(toBytes(text), 'latin1'));
    }
    return await use(join(folder, 'main.lua'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Run a program in this process until its VM has no more work. */
export function runLua(source: string, options: RunOptions = {}): Promise<Outcome> {
  return withFiles(source, options.files ?? {}, (main) => runFile(main, 'main.lua', options));
}

export async function runFile(
  file: string,
  shown: string,
  options: RunOptions = {},
): Promise<Outcome> {
  const outcome: Outcome = { stdout: '', stderr: '', code: 0 };
  const saved = state.suspendAll;
  let endSchedule: (() => void) | undefined;
  state.suspendAll = options.suspendAll ?? false;
  const usual = { ...leaving };
  const { apartFrom } = loops;
  const isOther = options.later === true || options.apart === true;
  if (isOther) forgetModules();
  if (options.later === true) Object.assign(leaving, { from: 0, own: 0, inner: 0, unreadFrom: 0 });
  if (options.apart === true) loops.apartFrom = 0;
  try {
    await new Promise<void>((done, broken) => {
      const vm = new Vm(library, {
        report: (text) => {
          outcome.stderr += text;
        },
        ended: () => {
          if (vm.siblings.size > 0) return;
          onceReaped(() => {
            clearInterval(watch);
            done();
          });
        },
        bug: broken,
        print: (text) => {
          outcome.stdout += text;
        },
        flush: () => {},
      });
      // The loop of the test runner never empties: ask the VM whether it has anything to wait for.
      const watch = setInterval(() => {
        if ([...vm.siblings].every((one) => one.isStuck)) settle(vm.siblings);
      }, 1);
      vm.modules = new ModuleLoader(vm, options.context ?? 'main', []);
      if (options.schedule !== undefined) endSchedule = useTestSchedule(vm, options.schedule);
      try {
        vm.start(file, shown);
      } catch (thrown) {
        clearInterval(watch);
        const error = toLuaError(thrown);
        outcome.stderr += `Error starting the lua VM: ${tostring(error.value)}\n`;
        outcome.code = 1;
        done();
        return;
      }
      vm.onExit = (code) => {
        outcome.code = code;
      };
    });
  } finally {
    state.suspendAll = saved;
    Object.assign(leaving, usual);
    loops.apartFrom = apartFrom;
    if (isOther) forgetModules();
    endSchedule?.();
  }
  return outcome;
}

export const openDescriptors = (): string[] => openDescriptorsOf('self');

/** Of this process, or another of ours. */
export function openDescriptorsOf(pid: number | 'self'): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).sort();
  } catch {
    return [];
  }
}

/** A Lua program and what it prints; a pattern where that is one of several things. */
export function spec(
  name: string,
  source: string,
  expected: string | RegExp,
  options: SpecOptions = {},
): void {
  for (const suspendAll of options.once === true ? [false] : [false, true]) {
    test(suspendAll ? `${name} (suspending at every call)` : name, async () => {
      const before = openDescriptors();
      const outcome = await runLua(source, { ...options, suspendAll });
      if (options.stderr instanceof RegExp) assert.match(outcome.stderr, options.stderr);
      else assert.equal(outcome.stderr, options.stderr ?? '');
      const stdout = fromBytes(outcome.stdout);
      if (expected instanceof RegExp) assert.match(stdout, expected);
      else assert.equal(stdout, expected);
      assert.equal(outcome.code, options.code ?? 0);
      assert.equal(openDescriptors().length, before.length, 'descriptors left open');
    });
  }
}

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Run the command itself, in a process of its own. */
export async function runCommand(
  args: readonly string[],
  options: { stdin?: string | Buffer; env?: Record<string, string>; cwd?: string } = {},
): Promise<Outcome & { signal: string | null }> {
  const child = spawn(process.execPath, ['--stack-size=3900', MAIN, ...args], {
    stdio: 'pipe',
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString('latin1');
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString('latin1');
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  const [code, signal] = await new Promise<[number, string | null]>((done) => {
    child.on('close', (c, s) => done([c ?? -1, s]));
  });
  return { stdout: fromBytes(stdout), stderr: fromBytes(stderr), code, signal };
}

/** `runCommand` on a program given as text. */
export function runProgram(
  source: string,
  options: Parameters<typeof runCommand>[1] & {
    args?: string[];
    flags?: string[];
    files?: Record<string, string>;
  } = {},
): ReturnType<typeof runCommand> {
  return withFiles(source, options.files ?? {}, (main) =>
    runCommand(
      [
        ...(options.flags ?? []),
        main,
        ...(options.args === undefined ? [] : ['--', ...options.args]),
      ],
      options,
    ),
  );
}
