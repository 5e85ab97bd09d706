/**
 * Cleanup handlers. Each Lua thread keeps one list of them; a scope is what was pushed since it was
 * opened, and its handlers run, newest first and without interruption, however it is left. Threads that
 * push none pay nothing.
 */
import { call, suspendIn } from '../runtime/call.ts';
import { cleanup, currentThread, type LuaThread } from '../runtime/coroutine.ts';
import { toLuaError } from '../runtime/error.ts';
import { codeError, coreError } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import { type LuaFunction, type LuaValue, NONE, type Result, SUSPEND } from '../runtime/value.ts';
import { currentFiber } from './scheduler.ts';

/** `scope_cleanup_push(handler)`. */
export function pushCleanup(handler: LuaValue): Result {
  if (typeof handler !== 'function') throw codeError('EINVAL');
  const thread = currentThread();
  thread.cleanup ??= [];
  thread.cleanup.push(handler);
  return NONE;
}

/** `scope_cleanup_pop([execute])`. */
export function popCleanup(execute: LuaValue): Result {
  const thread = currentThread();
  if ((thread.cleanup?.length ?? 0) <= thread.scopeBase) throw coreError('unmatched_scope_cleanup');
  const handler = thread.cleanup!.pop()!;
  return (execute !== false ? runOne(handler, () => NONE) : undefined) ?? NONE;
}

/** Open a scope in the running thread. @returns what `leaveScope` needs */
export function enterScope(): number {
  const thread = currentThread();
  const outer = thread.scopeBase;
  thread.scopeBase = thread.cleanup?.length ?? 0;
  return outer;
}

/** Close it: run its handlers, then go on with `next` (which may throw). */
export function leaveScope(outer: number, next: () => Result): Result {
  const thread = currentThread();
  const handlers = thread.cleanup;
  if (handlers === undefined || handlers.length <= thread.scopeBase) {
    thread.scopeBase = outer;
    return next();
  }
  return runHandlers(thread, () => {
    thread.scopeBase = outer;
    return next();
  });
}

/** `scope(f)`. */
export function scope(f: LuaValue): Result {
  const outer = enterScope();
  const leave = (): Result => leaveScope(outer, () => NONE);
  const fail = (error: unknown): Result =>
    leaveScope(outer, () => {
      throw error;
    });
  let r: Result;
  try {
    r = call(f);
  } catch (error) {
    return fail(error);
  }
  return r === SUSPEND ? suspendIn(leave, fail) : leave();
}

/** All handlers of the innermost scope, then `next`. */
export function runHandlers(thread: LuaThread, next: () => Result): Result {
  const handlers = thread.cleanup;
  while (handlers !== undefined && handlers.length > thread.scopeBase) {
    const r = runOne(handlers.pop()!, () => runHandlers(thread, next));
    if (r === SUSPEND) return r;
  }
  return next();
}

/** The fiber that runs has so many more handlers, or fewer: it is not interrupted while it has any. */
function disableInterruption(count: number): void {
  const fiber = currentFiber();
  fiber.uninterruptible += count;
  fiber.uninterruptibleBase += count;
}

/**
 * One handler, with interruption disabled. One that raises ends the VM: nothing more of it runs.
 * @param next  what comes after a handler that suspended
 * @returns SUSPEND if it did
 */
function runOne(handler: LuaFunction, next: () => Result): typeof SUSPEND | undefined {
  const thread = currentThread();
  const { scheduler } = currentFiber();
  disableInterruption(1);
  thread.handling++;
  // Nobody catches its errors, whoever called what has ended.
  const { guards, tracers } = state;
  state.guards = 0;
  state.tracers = 0;
  state.cleanups++;
  const called = (): void => {
    state.guards = guards;
    state.tracers = tracers;
    state.cleanups--;
  };
  const done = (): void => {
    // A handler that is `coroutine.yield` itself: nothing has come back from it but this.
    if (thread.handling < 0) cleanup.comeBack(thread);
    thread.handling--;
    disableInterruption(-1);
  };
  const fail = (error: unknown): typeof SUSPEND => {
    scheduler.cleanupFailed(toLuaError(error));
    return SUSPEND;
  };
  let r: Result;
  try {
    r = call(handler);
    called();
  } catch (error) {
    called();
    return fail(error);
  }
  if (r === SUSPEND) {
    suspendIn(() => {
      done();
      return next();
    }, fail);
    state.pend.at(-1)![3] = 'cleanup';
    if (thread.yielding) cleanup.yieldOut(thread);
    return SUSPEND;
  }
  done();
  return undefined;
}

// The counts are the fiber's: of whoever resumes a coroutine, which may be another one each time.
cleanup.run = runHandlers;
cleanup.yieldOut = (thread) => {
  if (thread.handling < 0) return;
  disableInterruption(-thread.handling);
  thread.handling = -thread.handling;
};
cleanup.comeBack = (thread) => {
  thread.handling = -thread.handling;
  disableInterruption(thread.handling);
};
