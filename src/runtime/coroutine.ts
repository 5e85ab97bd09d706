/**
 * Lua threads. A thread's suspended frames are data (`stack`, outermost first); running it means
 * calling the innermost frame's continuation with a value, then the next one out with its result,
 * until the stack is empty or something suspends again. Frames that do not run are not touched.
 */
import { call, nativeSite, runTail, suspendIn } from './call.ts';
import { luaError, raisedWhereSuspended, raisedWithin } from './error.ts';
import { type Frame, type NativeFrame, state } from './state.ts';
import {
  EMPTY,
  isSuspend,
  isTail,
  type LuaFunction,
  type LuaValue,
  list,
  NONE,
  type Result,
  SUSPEND,
  TAIL,
  varyFields,
} from './value.ts';

export type ThreadStatus = 'suspended' | 'running' | 'normal' | 'dead';

/** Frames that a suspended thread may have: 16 M of them would be 1 GB. */
const MAX_FRAMES = 1_000_000;
/** Values in them, those of `...` included: 128 MB. Up to so many frames nobody counts. */
const MAX_VALUES = 2 ** 24;
const FEW_FRAMES = 4096;

/** The stack of a thread that has never been suspended. Never changed. */
const NO_FRAMES: Frame[] = [];

export class LuaThread {
  declare readonly isThread: true;
  declare readonly arr: LuaValue[];
  /** Suspended frames, outermost first. */
  stack: Frame[] = NO_FRAMES;
  /** When it has more frames than this, their values are counted. */
  countsFrom = FEW_FRAMES;
  status: ThreadStatus = 'suspended';
  /** Until it has started. */
  body: LuaFunction | undefined;
  /** The thread that resumed it. */
  resumer: LuaThread | undefined = undefined;
  /** The coroutine that it has resumed and waits with: `parked` there. */
  inner: LuaThread | undefined = undefined;
  /** It is suspended by `coroutine.yield`, and this is what that was given. */
  yielding = false;
  transfer: Result = undefined;
  /** It waits for something outside, and with it whoever resumed it: only that can resume it. */
  parked = false;
  /** Cleanup handlers, oldest first (fibers/scope.ts); the innermost scope begins at `scopeBase`. */
  cleanup: LuaFunction[] | undefined = undefined;
  scopeBase = 0;
  /** Handlers that run in it; below 0 while it has yielded out of them, so many. */
  handling = 0;
  /** A fiber's own thread: `coroutine.yield` is not for it. */
  readonly isRoot: boolean;

  constructor(body: LuaFunction, isRoot = false) {
    this.body = body;
    this.isRoot = isRoot;
  }
}
Object.defineProperty(LuaThread.prototype, 'arr', { value: EMPTY });
Object.defineProperty(LuaThread.prototype, 'isThread', { value: true });
const shown = new LuaThread(() => undefined);
varyFields(shown);
shown.transfer = 0;

/**
 * How a thread is entered: its function is called with these arguments, a frame is given a raw result, or an error is thrown into it. */
export type Entry = 'start' | 'value' | 'error' | 'failure';

/**
 * Run the thread from where it stands.
 * @param v  what `entry` says
 * @returns what the thread's function returned, or SUSPEND when it has suspended again
 * @throws what no frame of it caught. The name is known to error.ts.
 */
function runThread(thread: LuaThread, entry: Entry, v: Result): Result {
  let { stack } = thread;
  if (entry === 'error') v = unwind(stack, v);
  else if (entry === 'failure') v = unwind(stack, raisedWhereSuspended(v));
  else if (entry === 'start') {
    const { body } = thread;
    thread.body = undefined;
    try {
      v = v === NONE ? call(body) : call(body, ...list(v));
    } catch (error) {
      v = unwind(stack, error);
    }
  }
  for (;;) {
    if (isSuspend(v)) {
      const { pend } = state;
      // An array that grows by itself has room for 17: most threads are suspended in fewer frames.
      if (stack === NO_FRAMES) {
        thread.stack = stack = pend.length === 1 ? [pend[0]!] : reversed(pend);
        while (pend.length > 0) pend.pop();
      } else movePending(stack);
      if (stack.length > FEW_FRAMES && overflows(thread)) {
        if (stack.length > MAX_FRAMES) stack.length = MAX_FRAMES;
        v = unwind(stack, luaError('stack overflow'));
        continue;
      }
      if (!state.immediate) return SUSPEND;
      state.immediate = false;
      v = NONE;
    }
    const frame = stack.pop();
    if (frame === undefined) return v;
    try {
      v = frame[0].resume(v, frame);
      if (isTail(v)) v = runTail();
    } catch (error) {
      v = unwind(stack, error);
    }
  }
}

/** Innermost first → outermost first. (`pend.length = 0` would be a call into V8's runtime.) */
function movePending(stack: Frame[]): void {
  const { pend } = state;
  for (let i = pend.length - 1; i >= 0; i--) stack.push(pend[i]!);
  while (pend.length > 0) pend.pop();
}

function reversed(frames: readonly Frame[]): Frame[] {
  if (frames.length === 2) return [frames[1]!, frames[0]!];
  if (frames.length === 3) return [frames[2]!, frames[1]!, frames[0]!];
  if (frames.length === 4) return [frames[3]!, frames[2]!, frames[1]!, frames[0]!];
  return frames.slice().reverse();
}

/** There are more frames than may be, or more in them: looked at when there are twice as many as the last time. */
function overflows(thread: LuaThread): boolean {
  const { length } = thread.stack;
  if (length > MAX_FRAMES) return true;
  if (length < thread.countsFrom >> 2) thread.countsFrom >>= 1;
  if (length <= thread.countsFrom) return false;
  thread.countsFrom = 2 * length;
  let values = 0;
  for (const frame of thread.stack) {
    values += frame.length;
    for (const value of frame) if (Array.isArray(value)) values += value.length;
  }
  return values > MAX_VALUES;
}

/** Take frames off until one handles the error: its result. Throws when none does. */
function unwind(stack: Frame[], thrown: unknown): Result {
  let error = stack.length === 0 ? thrown : raisedWithin(thrown);
  for (;;) {
    state.pend.length = 0;
    const frame = stack.pop();
    if (frame === undefined) throw error;
    if (frame[0] !== nativeSite) continue;
    const fail = (frame as NativeFrame)[2];
    if (fail === undefined) continue;
    try {
      const v = fail(error) as Result;
      return v === TAIL ? runTail() : v;
    } catch (next) {
      error = next;
    }
  }
}

/** Start the thread, or go on with it, as the callee of the thread that runs now. */
export function enter(thread: LuaThread, entry: Entry, v: Result): Result {
  const resumer = state.thread as LuaThread | undefined;
  thread.resumer = resumer;
  if (thread.parked) {
    thread.parked = false;
    if (resumer !== undefined) resumer.inner = undefined;
  }
  if (resumer !== undefined) resumer.status = 'normal';
  thread.status = 'running';
  state.thread = thread;
  let r: Result;
  try {
    r = runThread(thread, entry, v);
  } catch (error) {
    thread.status = 'dead';
    leave(resumer);
    throw error;
  }
  if (!isSuspend(r)) thread.status = 'dead';
  leave(resumer);
  return r;
}

/**
 * As `enter(thread, 'value', v)`, for a fiber that has been suspended. Mostly it is nobody's callee, and is suspended
 * again in one frame: then little else is looked at. The name is known to error.ts.
 */
export function goOn(thread: LuaThread, v: Result): Result {
  const { stack } = thread;
  if (thread.parked || state.thread !== undefined || stack.length === 0)
    return enter(thread, 'value', v);
  state.thread = thread;
  try {
    do {
      const frame = stack.pop()!;
      v = frame[0].resume(v, frame) as Result;
      if (isTail(v)) v = runTail();
    } while (!isSuspend(v) && stack.length > 0);
  } catch (error) {
    state.thread = undefined;
    return enter(thread, 'error', error as Result);
  }
  state.thread = undefined;
  const { pend } = state;
  if (!isSuspend(v) || state.immediate || stack.length + pend.length > FEW_FRAMES)
    return enter(thread, 'value', v);
  if (stack.length === 0 && pend.length === 1) {
    // The lists change places: V8 notes where a new object is stored in an old one, and the frame is new.
    thread.stack = pend;
    state.pend = stack;
  } else movePending(stack);
  return SUSPEND;
}

function leave(resumer: LuaThread | undefined): void {
  state.thread = resumer;
  if (resumer !== undefined) resumer.status = 'running';
}

/** The values given to `coroutine.resume`: arguments of the function, or results of its `yield`. The name is known to error.ts. */
export function resumeWith(
  thread: LuaThread,
  values: Result,
  done: (values: Result) => Result,
  fail: (error: unknown) => Result,
): Result {
  if (thread.body !== undefined) return resume(thread, 'start', values, done, fail);
  const { stack } = thread;
  if (stack.length !== 1 || thread.parked) return resume(thread, 'value', values, done, fail);
  // Mostly there is one frame, which yields again: what `resume` does, for it alone.
  const resumer = state.thread as LuaThread;
  thread.resumer = resumer;
  resumer.status = 'normal';
  thread.status = 'running';
  state.thread = thread;
  let entry: Entry = 'value';
  let v: Result;
  try {
    const frame = stack.pop()!;
    v = frame[0].resume(values, frame);
    if (v === TAIL) v = runTail();
  } catch (error) {
    entry = 'error';
    v = error;
  }
  const { pend } = state;
  leave(resumer);
  if (
    !isSuspend(v) ||
    pend.length !== 1 ||
    !thread.yielding ||
    state.immediate ||
    entry === 'error'
  )
    return resume(thread, entry, v, done, fail);
  stack[0] = pend.pop()!;
  return done(takeYielded(thread));
}

/** What `coroutine.yield` was given. */
function takeYielded(thread: LuaThread): Result {
  const { transfer } = thread;
  thread.yielding = false;
  thread.transfer = undefined;
  thread.status = 'suspended';
  return transfer;
}

/**
 * Resume a suspended coroutine; the caller has checked its status.
 * @param done  makes the caller's result of what it yielded or returned
 * @param fail  makes it of what it raised
 */
function resume(
  thread: LuaThread,
  entry: Entry,
  value: Result,
  done: (values: Result) => Result,
  fail: (error: unknown) => Result,
): Result {
  let v: Result;
  if (thread.handling < 0) cleanup.comeBack(thread);
  try {
    v = enter(thread, entry, value);
  } catch (error) {
    if (!hasCleanup(thread)) return fail(error);
    reviveForCleanup(thread, () => {
      throw error;
    });
    return resume(thread, 'start', NONE, done, fail);
  }
  if (!isSuspend(v)) {
    if (!hasCleanup(thread)) return done(v);
    reviveForCleanup(thread, () => v);
    return resume(thread, 'start', NONE, done, fail);
  }
  if (thread.yielding) {
    if (thread.handling > 0) cleanup.yieldOut(thread);
    return done(takeYielded(thread));
  }
  // It waits for something outside: so does whoever resumed it.
  thread.status = 'normal';
  thread.parked = true;
  (state.thread as LuaThread).inner = thread;
  return suspendIn(
    (r) => resume(thread, 'value', r, done, fail),
    (error) => resume(thread, 'failure', error, done, fail),
  );
}

export const hasCleanup = ({ cleanup }: LuaThread): boolean =>
  cleanup !== undefined && cleanup.length > 0;

/**
 * Make an ended thread run its cleanup handlers, and then end as `next` does. They run in it: in a
 * coroutine they may yield, as its function could.
 */
export function reviveForCleanup(thread: LuaThread, next: () => Result): void {
  thread.scopeBase = 0;
  thread.status = 'suspended';
  thread.body = () => cleanup.run(thread, next);
}

/** Set by fibers/scope.ts, which knows how handlers run. */
export const cleanup: {
  run: (thread: LuaThread, next: () => Result) => Result;
  /** A coroutine yields while handlers run in it: what its fiber has to do with them is over until it comes back. */
  yieldOut: (thread: LuaThread) => void;
  comeBack: (thread: LuaThread) => void;
} = {
  run: (_, next) => next(),
  yieldOut: () => {},
  comeBack: () => {},
};

/** `coroutine.yield`. */
export function yieldThread(values: Result): Result {
  const thread = state.thread as LuaThread;
  thread.yielding = true;
  thread.transfer = values;
  return SUSPEND;
}

export function currentThread(): LuaThread {
  return state.thread as LuaThread;
}

/** Why a coroutine can't be resumed, or undefined. */
export function resumeFault(thread: LuaThread): string | undefined {
  switch (thread.status) {
    case 'suspended':
      return undefined;
    case 'dead':
      return 'cannot resume dead coroutine';
    default:
      return 'cannot resume non-suspended coroutine';
  }
}
