/**
 * `getfenv` and `setfenv`. Lua 5.1 manual §5.1. A level means a function that runs: its frame, and with it
 * the function, is found by suspending all frames of the thread for a moment, when they are data; they
 * look for their globals anew when they go on. docs/decisions/0006.
 */
import type { FunctionWithEnv } from '../../actors/load.ts';
import type { Vm } from '../../actors/vm.ts';
import { suspendIn } from '../../runtime/call.ts';
import { argError, checkTable, optInteger } from '../../runtime/check.ts';
import { currentThread, type LuaThread } from '../../runtime/coroutine.ts';
import { luaError } from '../../runtime/error.ts';
import { type Frame, state } from '../../runtime/state.ts';
import type { LuaTable } from '../../runtime/table.ts';
import type { LuaFunction, LuaValue, Result } from '../../runtime/value.ts';

/** Tables of globals that `setfenv(0, t)` has given to threads. */
const threadGlobals = new WeakMap<LuaThread, LuaTable>();
let anyThreadGlobals = false;

/** Functions that this thread loads get this table. */
export function setThreadGlobals(thread: LuaThread, t: LuaTable): void {
  anyThreadGlobals = true;
  threadGlobals.set(thread, t);
}

/** The table of globals that functions get which are loaded from one module. */
export class Globals {
  readonly vm: Vm;
  /** The module's own. */
  module!: LuaTable;
  constructor(vm: Vm) {
    this.vm = vm;
  }
  get table(): LuaTable {
    return (anyThreadGlobals ? threadGlobals.get(currentThread()) : undefined) ?? this.module;
  }
  set table(t: LuaTable) {
    setThreadGlobals(currentThread(), t);
  }
}

/** Emitted functions are named so that errors can tell where they are. */
const isLuaFunction = (f: LuaFunction): f is FunctionWithEnv => /\$f\d+$/.test(f.name);

/** Go on when the frames of the running thread are on its stack of frames. */
function unwound(next: () => Result): Result {
  state.immediate = true;
  return suspendIn(next);
}

/** The frame of the function at this level, from 1 on: the one that called the runtime. */
function frameAt(level: number, fn: string): Frame {
  const { stack } = currentThread();
  return stack[stack.length - level] ?? argError(1, fn, 'invalid level');
}

function checkLevel(v: LuaValue, fn: string): number {
  const level = optInteger(v, 1, fn, 1);
  return level < 0 ? argError(1, fn, 'invalid level') : level;
}

export function getfenv(globals: Globals, f: LuaValue): Result {
  if (typeof f === 'function') return (f as FunctionWithEnv).E ?? globals.table;
  const level = checkLevel(f, 'getfenv');
  if (level === 0) return globals.table;
  return unwound(() => {
    const [site, env, self] = frameAt(level, 'getfenv');
    if (site.savesFunction === undefined) return globals.table;
    const own = site.savesFunction ? (self as FunctionWithEnv).E : undefined;
    return own ?? (env as LuaTable);
  });
}

const cannot = (): never => {
  throw luaError("'setfenv' cannot change environment of given object");
};

export function setfenv(globals: Globals, f: LuaValue, table: LuaValue): Result {
  const t = checkTable(table, 2, 'setfenv');
  if (typeof f === 'function') {
    if (!isLuaFunction(f)) return cannot();
    f.E = t;
    return f;
  }
  const level = checkLevel(f, 'setfenv');
  if (level === 0) {
    globals.table = t;
    return [];
  }
  return unwound(() => {
    const [site, , self] = frameAt(level, 'setfenv');
    // Functions of emitted code have a table of globals; those that don't use it need no other.
    if (site.savesFunction === undefined) return cannot();
    if (!site.savesFunction) return undefined;
    (self as FunctionWithEnv).E = t;
    return self as LuaFunction;
  });
}
