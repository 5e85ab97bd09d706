/** `coroutine`. Lua 5.1 manual §5.2; a coroutine may suspend its fiber, and goes on in the same resume. */
import { suspensionPoint } from '../fibers/suspend.ts';
import { argError, checkFunction } from '../runtime/check.ts';
import {
  currentThread,
  LuaThread,
  resumeFault,
  resumeWith,
  yieldThread,
} from '../runtime/coroutine.ts';
import { LuaError, luaError, toLuaError, where } from '../runtime/error.ts';
import { codeError, coreError } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import type { LuaFunction, LuaValue, Result } from '../runtime/value.ts';
import { luaModule } from './define.ts';

function checkThread(v: LuaValue, fn: string): LuaThread {
  return v instanceof LuaThread ? v : argError(1, fn, 'coroutine expected');
}

const create = (f: LuaValue): LuaThread => new LuaThread(checkFunction(f, 1, 'create'));

const succeed = (r: Result): Result => (Array.isArray(r) ? [true, ...r] : [true, r]);
const fail = (thrown: unknown): Result => [false, toLuaError(thrown).value];
const pass = (r: Result): Result => r;
/** An error of a wrapped coroutine says where that was called, too. */
const raise = (thrown: unknown): never => {
  const error = toLuaError(thrown);
  throw typeof error.value === 'string' ? new LuaError(where(1) + error.value, error.trace) : error;
};

function resume(co: LuaValue, ...args: LuaValue[]): Result {
  const thread = checkThread(co, 'resume');
  suspensionPoint(true, false);
  const fault = resumeFault(thread);
  if (thread.parked) throw codeError('EPERM');
  if (fault !== undefined) return [false, fault];
  state.guards++;
  const r = resumeWith(thread, args, succeed, fail);
  state.guards--;
  return r;
}

function wrap(f: LuaValue): LuaFunction {
  const thread = create(f);
  return (...args) => {
    suspensionPoint(true, false);
    const fault = resumeFault(thread);
    if (thread.parked) throw codeError('EPERM');
    if (fault !== undefined) throw luaError(fault);
    return resumeWith(thread, args, pass, raise);
  };
}

function yieldValues(...values: LuaValue[]): Result {
  if (currentThread().isRoot) throw coreError('bad_coroutine');
  return yieldThread(values);
}

export const coroutine = luaModule('coroutine', {
  create,
  isyieldable: () => !currentThread().isRoot,
  resume,
  running: () => {
    const thread = currentThread();
    return thread.isRoot ? undefined : thread;
  },
  status: (co: LuaValue) => checkThread(co, 'status').status,
  wrap,
  yield: yieldValues,
});
