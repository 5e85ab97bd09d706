/**
 * `require 'condition_variable'`. A fiber that has been chosen by `notify` can't be interrupted out of
 * its wait any more: it re-locks the mutex, and sees the interruption at its next suspension point.
 */
import { Waiter } from '../fibers/fiber.ts';
import { Mutex } from '../fibers/mutex.ts';
import { WaitQueue } from '../fibers/queue.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { park, suspensionPoint } from '../fibers/suspend.ts';
import { nativeSite, suspendIn } from '../runtime/call.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type NativeFrame, state } from '../runtime/state.ts';
import { type LuaValue, NONE, type Result, SUSPEND, Userdata } from '../runtime/value.ts';
import { luaType, strictModule } from './define.ts';

class ConditionVariable extends Userdata {
  readonly waiters = new WaitQueue();
}

/** Lock the mutex again, whatever happened, then go on with `next`. */
function relock(mutex: Mutex, next: () => Result): Result {
  if (mutex.tryLock()) return next();
  mutex.awaitTurn(currentFiber());
  return suspendIn(next);
}

const nothing = (): Result => NONE;
const relocking = (mutex: Mutex): NativeFrame => [
  nativeSite,
  () => relock(mutex, nothing),
  (error) =>
    relock(mutex, () => {
      throw error;
    }),
];

/** The undo of a wait that is interrupted. */
const forget = (waiter: Waiter): void =>
  (waiter.waitsFor as ConditionVariable).waiters.remove(waiter);

function wait(self: ConditionVariable, mutex: LuaValue): Result {
  if (!(mutex instanceof Userdata)) throw badArgument(1);
  if (!(mutex instanceof Mutex)) throw badArgument(2);
  if (!mutex.locked) throw codeError('EPERM');
  const waiter = new Waiter(suspensionPoint(), true);
  waiter.waitsFor = self;
  waiter.undo = forget;
  self.waiters.push(waiter);
  mutex.unlock();
  park(waiter); // nobody can have woken it yet
  state.pend.push((mutex.relock ??= relocking(mutex)));
  return SUSPEND;
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

export const conditionVariable = strictModule('condition_variable', {
  new: () => new ConditionVariable(),
});
