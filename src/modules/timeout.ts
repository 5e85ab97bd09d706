/**
 * `require 'timeout'`: `timeout(seconds, f)` calls f and interrupts it when the time is over. f runs in
 * a fiber of its own (with the caller's fiber-local storage), so this works in the main fiber, too; it
 * has ended when `timeout` returns. Ours, not Emilua's.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { originOf } from '../fibers/origin.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { interrupt, suspendToEnd, suspensionPoint } from '../fibers/suspend.ts';
import { startTimer } from '../io/timer.ts';
import { suspendIn } from '../runtime/call.ts';
import { checkDuration, checkFunction } from '../runtime/check.ts';
import { codeError, coreError, isInterrupted } from '../runtime/error-code.ts';
import { type LuaValue, type Result, SUSPEND } from '../runtime/value.ts';
import type { LuaModule } from './define.ts';

/** Results of f; what it raised; or ETIMEDOUT when the interruption ended it. */
function run(seconds: LuaValue, f: LuaValue): Result {
  const s = checkDuration(seconds, 1, 'timeout');
  const body = checkFunction(f, 2, 'timeout');
  suspensionPoint();
  const parent = currentFiber();
  const child = parent.scheduler.spawn(body);
  child.origin = originOf(undefined, parent);
  child.local = parent.locals;
  let late = false;
  let parked: Waiter | undefined;
  const cancel = startTimer(s * 1000, () => {
    late = true;
    if (parked !== undefined) parked.waitsFor = child; // from now on only its end helps
    interrupt(child);
  });
  const finish = (): Result => {
    cancel();
    const { error } = child;
    // What has been completed counts, even if the time was over by then.
    if (error === undefined) return child.result;
    child.scheduler.forgetFailure(child);
    if (!isInterrupted(error.value)) throw error;
    throw late ? codeError('ETIMEDOUT') : coreError('interrupted');
  };
  const r = suspendToEnd((waiter) => {
    parked = waiter;
    child.onEnd(() => waiter.wake());
    return () => interrupt(child);
  });
  return r === SUSPEND ? suspendIn(finish) : finish();
}

export const timeout: LuaModule = { name: 'timeout', create: () => run };
