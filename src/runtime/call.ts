/**
 * Calling Lua from the runtime, and suspending through it.
 *
 * A function of the runtime that calls Lua may get SUSPEND back. It then leaves a continuation with
 * `suspendIn` and returns SUSPEND itself; the continuation is given the raw result of that call
 * (never SUSPEND or TAIL) when the program goes on. docs/decisions/0003.
 */
import { typeError } from './error.ts';
import { metamethod } from './metatable.ts';
import { type FrameSite, type NativeFrame, state, TAIL_BUDGET } from './state.ts';
import {
  first,
  isSuspend,
  isTail,
  type LuaFunction,
  type LuaValue,
  type Result,
  SUSPEND,
  TAIL,
  Userdata,
} from './value.ts';

/** The site of every frame that belongs to the runtime. */
export const nativeSite: FrameSite = {
  resume: (value, frame) => (frame as NativeFrame)[1](value),
};

const operatorSite: FrameSite = {
  isOperator: true,
  resume: (value, frame) => (frame as NativeFrame)[1](value),
};

/** `suspendIn` for an operator: its metamethod has suspended, and there is more to do with the result. */
export function suspendOperator(resume: (value: Result) => Result): Result {
  state.pend.push([operatorSite, resume as (v: unknown) => unknown, undefined]);
  return SUSPEND;
}

/**
 * Save the continuation of a function of the runtime.
 * @param resume  gets the raw result of the call that was suspended; returns the function's result
 * @param fail    gets what that call threw, and passes an error on; without it the error travels on
 * @returns SUSPEND, for the function to return
 */
export function suspendIn(
  resume: (value: Result) => Result,
  fail?: (error: unknown) => Result,
): Result {
  state.pend.push([nativeSite, resume as (v: unknown) => unknown, fail as NativeFrame[2]]);
  return SUSPEND;
}

/** Run it; `then` gets its result, now or after a suspension, and `fail` its error. */
export function tryThen(
  body: () => Result,
  then: (r: Result) => Result,
  fail: (thrown: unknown) => Result,
): Result {
  let r: Result;
  try {
    r = body();
  } catch (thrown) {
    return fail(thrown);
  }
  return isSuspend(r) ? suspendIn(then, fail) : then(r);
}

/** The same for what keeps errors: nobody would see a traceback of them. */
export function suspendProtected(
  resume: (value: Result) => Result,
  fail: (error: unknown) => Result,
): Result {
  const frame: NativeFrame = [
    nativeSite,
    resume as (v: unknown) => unknown,
    fail as NativeFrame[2],
    'caught',
  ];
  state.pend.push(frame);
  return SUSPEND;
}

/** Call a Lua value from the runtime: its result, or SUSPEND. The name is known to error.ts. */
function callFromNative(f: LuaValue, ...args: LuaValue[]): Result {
  if (state.suspendAll) return callLater(f, args);
  state.argCount = args.length;
  const r = typeof f === 'function' ? f(...args) : callValue(f, args);
  return isTail(r) ? runTail() : r;
}

export { callFromNative as call };

/** The same of a metamethod that an operator calls: no function of the runtime is between, for Lua. */
export function callMeta(f: LuaValue, ...args: LuaValue[]): Result {
  if (state.suspendAll) return callLater(f, args);
  state.argCount = args.length;
  const r = typeof f === 'function' ? f(...args) : callValue(f, args);
  return isTail(r) ? runTail() : r;
}

/** In the mode in which every call suspends once. */
function callLater(f: LuaValue, args: LuaValue[]): Result {
  state.immediate = true;
  return suspendIn(() => {
    state.argCount = args.length;
    const r = typeof f === 'function' ? f(...args) : callValue(f, args);
    return r === TAIL ? runTail() : r;
  });
}

/** `call`, then `next` with the raw result, now or after a suspension. */
export function callThen(f: LuaValue, args: LuaValue[], next: (value: Result) => Result): Result {
  const r = callFromNative(f, ...args);
  return isSuspend(r) ? suspendIn(next) : next(r);
}

/** Call something that is no function: `__call`. The result may be TAIL. */
export function callValue(f: LuaValue, args: LuaValue[]): Result {
  if (f instanceof Userdata) {
    const { luaType } = f;
    if (luaType.call !== undefined) return luaType.call(f, ...args);
  }
  const handler = metamethod(f, '__call');
  if (typeof handler === 'function') return handler(f, ...args);
  // As in Lua 5.1, a handler must be a function itself.
  throw typeError('call', f);
}

/** Make the pending tail call, and those that follow from it. */
export function runTail(): Result {
  for (;;) {
    const { tailFn, tailArgs } = state;
    state.tailFn = undefined;
    state.tailArgs = [];
    state.tailBudget = TAIL_BUDGET;
    state.argCount = tailArgs.length;
    const r =
      typeof tailFn === 'function'
        ? (tailFn as LuaFunction)(...tailArgs)
        : callValue(tailFn, tailArgs);
    if (r !== TAIL) return r;
  }
}

/** A raw result that may be TAIL → one that is not. */
export function settle(r: Result): Result {
  return r === TAIL ? runTail() : r;
}

/** A raw result → its first value, or SUSPEND. */
export function one(r: Result): Result {
  if (!Array.isArray(r)) return r;
  if (r === TAIL) {
    r = runTail();
    if (!Array.isArray(r)) return r;
  }
  return r === SUSPEND ? SUSPEND : r[0];
}

/**
 * Run a function of the runtime that is written as a generator: it yields the results of the calls
 * that it makes, as `call` gives them, and is sent back what they come to.
 */
export function drive(gen: Generator<Result, Result, Result>): Result {
  return advance(gen, () => gen.next());
}

function advance(
  gen: Generator<Result, Result, Result>,
  resume: () => IteratorResult<Result, Result>,
): Result {
  let step = resume();
  while (!step.done) {
    const r = step.value;
    if (r === SUSPEND) {
      return suspendIn(
        (value) => advance(gen, () => gen.next(value)),
        (error) => advance(gen, () => gen.throw(error)),
      );
    }
    step = gen.next(r);
  }
  return step.value;
}

/** The first value of what a call comes to, with the rest of the work after it. */
export function firstThen(r: Result, next: (value: LuaValue) => Result): Result {
  return r === SUSPEND ? suspendIn((v) => next(first(v))) : next(first(r));
}
