/** `require 'system'`: the process: its arguments, environment, standard streams, identity and end. */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { readSome, writeSome } from '../actors/fiber-io.ts';
import { newFd } from '../actors/file-descriptor.ts';
import { currentVm } from '../actors/vm.ts';
import { Waiter } from '../fibers/fiber.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { park } from '../fibers/suspend.ts';
import { backend } from '../io/backend.ts';
import { checkInteger } from '../runtime/check.ts';
import { badArgument, codeError, systemError } from '../runtime/error-code.ts';
import { arrayOf, LuaTable, rawGetString, rawSet } from '../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaType } from './define.ts';

/** A string of ours as one of Lua's: its UTF-8 bytes. */
const toLua = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

let programArguments: readonly string[] = [];
/** @param list  {program, script, those after `--` …}, as bytes */
export function setArguments(list: readonly string[]): void {
  programArguments = list;
}

function environment(): LuaTable {
  const t = new LuaTable();
  for (const [name, value] of Object.entries(process.env)) {
    rawSet(t, toLua(name), toLua(value ?? ''));
  }
  return t;
}

// ── standard streams ───────────────────────────────────────────────────────────────────────────────

/** Functions that are read as members; they take no notice of `self`. */
const members = (functions: Record<string, LuaFunction>): Record<string, () => LuaFunction> =>
  Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, () => f]));

class StandardInput extends Userdata {}
luaType('system.in_', StandardInput, {
  properties: members({
    read_some: (_self, buffer) => readSome(backend().standardStream(0), buffer),
    dup: () => newFd(backend().standardStream(0).dup()),
    isatty: () => backend().standardStream(0).isatty,
  }),
});

/** One after the other: what `print` has gathered comes before what is written now. */
function writeStandard(fd: 1 | 2, buffer: LuaValue): Result {
  currentVm().host.flush();
  return writeSome(backend().standardStream(fd), buffer);
}

function outputType(name: string, fd: 1 | 2): new () => Userdata {
  class StandardOutput extends Userdata {}
  luaType(name, StandardOutput, {
    properties: members({
      write_some: (_self, buffer) => writeStandard(fd, buffer),
      dup: () => newFd(backend().standardStream(fd).dup()),
      isatty: () => backend().standardStream(fd).isatty,
    }),
  });
  return StandardOutput;
}

const standardInput = new StandardInput();
const standardOutput = new (outputType('system.out', 1))();
const standardError = new (outputType('system.err', 2))();

// ── the end ────────────────────────────────────────────────────────────────────────────────────────

/** End the VM; the caller is suspended for good. */
function exit(codeArg: LuaValue, options: LuaValue): Result {
  const code = codeArg === undefined ? 0 : checkInteger(codeArg, 1, 'exit');
  const vm = currentVm();
  if (options !== undefined && !vm.isMaster) throw codeError('EPERM');
  switch (forceOf(options)) {
    case 0:
      break;
    case 1:
      throw codeError('ENOTSUP');
    case 2:
      vm.host.flush();
      process.exit(code);
      break;
    case 'abort':
      process.abort();
      break;
    default:
      throw badArgument('force');
  }
  vm.exitCode = code & 0xff;
  const waiter = new Waiter(currentFiber(), false);
  vm.close();
  return park(waiter);
}

function forceOf(options: LuaValue): LuaValue {
  if (options === undefined) return 0;
  if (!(options instanceof LuaTable)) throw badArgument(2);
  return rawGetString(options, 'force') ?? 0;
}

// ── identity ───────────────────────────────────────────────────────────────────────────────────────

/** A line of /proc/self/status as numbers. proc_pid_status(5) */
function statusNumbers(field: string): number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const line = new RegExp(`^${field}:(.*)$`, 'm').exec(status)?.[1] ?? '';
  return line.trim().split(/\s+/).filter(Boolean).map(Number);
}

const PGRP = 2;
const SESSION = 3;
/** A number of /proc/<pid>/stat, counted from the state behind the command's name. ESRCH */
function statNumber(pid: number, index: number): number {
  const who = pid === 0 ? process.pid : pid;
  let stat: string;
  try {
    stat = readFileSync(`/proc/${who}/stat`, 'latin1');
  } catch {
    throw systemError(3);
  }
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[index]);
}

/** Real, effective and saved. */
const threeIds = (field: 'Uid' | 'Gid') => (): Result => statusNumbers(field).slice(0, 3);

function kill(pid: LuaValue, signal: LuaValue): Result {
  try {
    process.kill(checkInteger(pid, 1, 'kill'), checkInteger(signal, 2, 'kill'));
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? badArgument(1) : systemError(-errno); // no int32
  }
  return NONE;
}

// ── the module ─────────────────────────────────────────────────────────────────────────────────────

class System extends Userdata {}

luaType('system', System, {
  properties: {
    arguments: () => arrayOf(programArguments),
    environment,
    in_: () => standardInput,
    out: () => standardOutput,
    err: () => standardError,
    ...members({
      exit,
      getpid: () => process.pid,
      getppid: () => process.ppid,
      getpgrp: () => statNumber(0, PGRP),
      getpgid: (pid) => statNumber(checkInteger(pid, 1, 'getpgid'), PGRP),
      getsid: (pid) => statNumber(checkInteger(pid, 1, 'getsid'), SESSION),
      getresuid: threeIds('Uid'),
      getresgid: threeIds('Gid'),
      getgroups: () => arrayOf(statusNumbers('Groups')),
      kill,
    }),
  },
});

export const system = { name: 'system', create: (): LuaValue => new System() };
