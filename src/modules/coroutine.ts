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
import { luaError, toLuaError } from '../runtime/error.ts';
import { codeError, coreError } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { luaModule } from './define.ts';

function checkThread(v: LuaValue, fn: string): LuaThread {
  return v instanceof LuaThread ? v : argError(1, fn, 'coroutine expected');
}

const create = (f: LuaValue): LuaThread => new LuaThread(checkFunction(f, 1, 'create'));

const succeed = (r: Result): Result => {
  if (!Array.isArray(r)) return [true, r];
  // V8 spreads a list in no compiled code.
  switch (r.length) {
    case 0:
      return true;
    case 2:
      return [true, r[0], r[1]];
    case 3:
      return [true, r[0], r[1], r[2]];
    default:
      return [true, ...r];
  }
};
const fail = (thrown: unknown): Result => [false, toLuaError(thrown, false).value];
const pass = (r: Result): Result => r;
const raise = (thrown: unknown): never => {
  throw thrown;
};

// A switch mostly carries one value: `arguments` tells so without an array being made for it.

function resume(co: LuaValue, value: LuaValue, second: LuaValue): Result {
  const thread = checkThread(co, 'resume');
  suspensionPoint(true, false);
  if (thread.status !== 'suspended') {
    if (thread.parked) throw codeError('EPERM');
    return [false, resumeFault(thread)];
  }
  const count = arguments.length;
  const given = count === 2 ? value : count === 3 ? [value, second] : rest(arguments, 1);
  state.guards++;
  const r = resumeWith(thread, given, succeed, fail);
  state.guards--;
  return r;
}

function wrap(f: LuaValue): LuaFunction {
  const thread = new LuaThread(checkFunction(f, 1, 'wrap'));
  // A generic `for` calls it with two values.
  return function wrapped(value: LuaValue, second: LuaValue): Result {
    suspensionPoint(true, false);
    if (thread.status !== 'suspended') {
      if (thread.parked) throw codeError('EPERM');
      throw luaError(resumeFault(thread)!);
    }
    const count = arguments.length;
    const given = count === 1 ? value : count === 2 ? [value, second] : rest(arguments, 0);
    return resumeWith(thread, given, pass, raise);
  };
}

function yieldValues(value: LuaValue, second: LuaValue, third: LuaValue): Result {
  if (currentThread().isRoot) throw coreError('bad_coroutine');
  switch (arguments.length) {
    case 1:
      return yieldThread(value);
    case 2:
      return yieldThread([value, second]);
    case 3:
      return yieldThread([value, second, third]);
    default:
      return yieldThread(rest(arguments, 0));
  }
}

function rest(args: IArguments, from: number): Result {
  return args.length === from ? NONE : Array.prototype.slice.call(args, from);
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
