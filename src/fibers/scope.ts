/**
 * Cleanup handlers. Each Lua thread keeps one list of them; a scope is what was pushed since it was
 * opened, and its handlers run, newest first and without interruption, however it is left. Threads that
 * push none pay nothing.
 */
import { call, suspendIn } from '../runtime/call.ts';
import { cleanup, currentThread, type LuaThread } from '../runtime/coroutine.ts';
import { toLuaError } from '../runtime/error.ts';
import { codeError, coreError } from '../runtime/error-code.ts';
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

/**
 * One handler, with interruption disabled. One that raises ends the VM: nothing more of it runs.
 * @param next  what comes after a handler that suspended
 * @returns SUSPEND if it did
 */
function runOne(handler: LuaFunction, next: () => Result): typeof SUSPEND | undefined {
  const fiber = currentFiber();
  fiber.uninterruptible++;
  fiber.uninterruptibleBase++;
  const done = (): void => {
    fiber.uninterruptible--;
    fiber.uninterruptibleBase--;
  };
  const fail = (error: unknown): typeof SUSPEND => {
    fiber.scheduler.cleanupFailed(toLuaError(error));
    return SUSPEND;
  };
  try {
    if (call(handler) === SUSPEND) {
      suspendIn(() => {
        done();
        return next();
      }, fail);
      return SUSPEND;
    }
  } catch (error) {
    return fail(error);
  }
  done();
  return undefined;
}

cleanup.run = runHandlers;
