/**
 * `require 'condition_variable'`. A fiber that has been chosen by `notify` can't be interrupted out of
 * its wait any more: it re-locks the mutex, and sees the interruption at its next suspension point.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { Mutex } from '../fibers/mutex.ts';
import { WaitQueue } from '../fibers/queue.ts';
import { suspend } from '../fibers/suspend.ts';
import { suspendIn } from '../runtime/call.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, SUSPEND, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

class ConditionVariable extends Userdata {
  readonly waiters = new WaitQueue();
}

/** Lock the mutex again, whatever happened, then go on with `next`. */
function relock(mutex: Mutex, next: () => Result): Result {
  if (mutex.tryLock()) return next();
  const r = suspendLocked(mutex);
  return r === SUSPEND ? suspendIn(next) : next();
}

/** Wait in the mutex's queue; neither interruptible nor checked on entry. */
function suspendLocked(mutex: Mutex): Result {
  return suspend((waiter) => {
    waiter.waitsFor = mutex;
    mutex.waiters.push(waiter);
  }, false);
}

function wait(self: ConditionVariable, mutex: LuaValue): Result {
  if (!(mutex instanceof Userdata)) throw badArgument(1);
  if (!(mutex instanceof Mutex)) throw badArgument(2);
  if (!mutex.locked) throw codeError('EPERM');
  const fail = (error: unknown): Result =>
    relock(mutex, () => {
      throw error;
    });
  const r = suspend((waiter: Waiter) => {
    waiter.waitsFor = self;
    self.waiters.push(waiter);
    mutex.unlock();
    return () => self.waiters.remove(waiter);
  });
  return r === SUSPEND
    ? suspendIn(() => relock(mutex, () => NONE), fail)
    : relock(mutex, () => NONE);
}

function notifyOne(self: ConditionVariable): Result {
  self.waiters.shift()?.wake();
  return NONE;
}

function notifyAll(self: ConditionVariable): Result {
  for (let w = self.waiters.shift(); w !== undefined; w = self.waiters.shift()) w.wake();
  return NONE;
}

luaType('condition_variable', ConditionVariable, {
  methods: { wait, notify_one: notifyOne, notify_all: notifyAll },
});

export const conditionVariable = luaModule('condition_variable', {
  new: () => new ConditionVariable(),
});
