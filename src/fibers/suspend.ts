/** Suspending the fiber that runs: start an operation, say how to undo it, be woken by it. */

import { LuaError, luaError, raisedHere } from '../runtime/error.ts';
import { coreError, coreErrorThere, isError, systemCategory } from '../runtime/error-code.ts';
import { type LuaFunction, type LuaValue, type Result, SUSPEND } from '../runtime/value.ts';
import { type Fiber, type Undo, Waiter } from './fiber.ts';
import { currentFiber } from './scheduler.ts';

const ECANCELED = 125;

/**
 * What every suspending function checks first.
 * @param suspends  false: it only raises a pending interruption, as `pcall` does
 * @returns the fiber that runs
 */
export function suspensionPoint(interruptible = true, suspends = true): Fiber {
  const fiber = currentFiber();
  if (suspends && fiber.suspendForbidden > 0) {
    if (fiber.inCallback) throw luaError('attempt to suspend a system fiber', 0);
    throw coreError('forbid_suspend_block');
  }
  if (interruptible && fiber.interruptRequested && fiber.uninterruptible === 0) {
    throw coreError('interrupted');
  }
  return fiber;
}

/**
 * Suspend the current fiber until its waiter is woken.
 * @param start  begins the operation; it may settle the waiter at once, and then nothing is switched.
 *               Returns how to undo it: called when the fiber is interrupted. The operation then fails
 *               by itself (`operation_aborted` becomes `interrupted`), succeeds after all, or is silent,
 *               and then the fiber is interrupted. Without an undo it can't be interrupted.
 */
export function suspend(start: (waiter: Waiter) => Undo | void, interruptible = true): Result {
  const fiber = suspensionPoint(interruptible);
  const waiter = new Waiter(fiber, interruptible);
  waiter.undo = start(waiter) as Undo;
  return park(waiter);
}

/**
 * As `suspend`, for waits that must not end early: an interruption calls the undo, which makes what is
 * awaited end sooner, and is itself seen at the next suspension point. The caller has checked that the
 * fiber may suspend.
 */
export function suspendToEnd(start: (waiter: Waiter) => Undo): Result {
  const fiber = currentFiber();
  const waiter = new Waiter(fiber, true);
  waiter.deferred = true;
  waiter.undo = start(waiter);
  if (fiber.interruptRequested && fiber.uninterruptible === 0) waiter.undo?.(waiter);
  return park(waiter);
}

/** The second half of `suspend`: for operations that hold a waiter of their own. */
export function park(waiter: Waiter): Result {
  if (waiter.settled) {
    if (waiter.failed) throw raisedHere(waiter.error);
    return waiter.value;
  }
  waiter.parked = true;
  waiter.fiber.waiter = waiter;
  return SUSPEND;
}

/** A Lua function whose body starts an operation: `suspending((waiter, ...args) => undo)`. */
export function suspending(start: (waiter: Waiter, ...args: any[]) => Undo | void): LuaFunction {
  return (...args: LuaValue[]) => suspend((waiter) => start(waiter, ...args));
}

/** Request the interruption of a fiber; cancels what it waits for. */
export function interrupt(fiber: Fiber): void {
  fiber.interruptRequested = true;
  const { waiter } = fiber;
  if (fiber.uninterruptible > 0 || waiter === undefined || waiter.settled || !waiter.interruptible)
    return;
  if (waiter.undo === undefined) return;
  waiter.interrupted = true;
  waiter.undo(waiter);
  if (waiter.deferred) return;
  if (!waiter.settled) waiter.fail(coreErrorThere('interrupted'));
  else if (waiter.failed && waiter.error instanceof LuaError && isAborted(waiter.error)) {
    waiter.error = coreErrorThere('interrupted');
  }
}

const isAborted = (error: LuaError): boolean => isError(error.value, systemCategory, ECANCELED);
