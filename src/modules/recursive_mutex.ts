/** `require 'recursive_mutex'`: a mutex that its owner may lock again. */
import type { Fiber } from '../fibers/fiber.ts';
import { WaitQueue } from '../fibers/queue.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { codeError } from '../runtime/error-code.ts';
import { NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaType, strictModule } from './define.ts';

const MAX_DEPTH = 2 ** 31 - 1;

class RecursiveMutex extends Userdata {
  owner: Fiber | undefined = undefined;
  depth = 0;
  readonly waiters = new WaitQueue();
}

/** Lock it if it is free or one's own. */
function take(self: RecursiveMutex, fiber: Fiber): boolean {
  if (self.owner !== undefined && self.owner !== fiber) return false;
  if (self.depth >= MAX_DEPTH) throw codeError('EOVERFLOW');
  self.owner = fiber;
  self.depth++;
  return true;
}

function lock(self: RecursiveMutex): Result {
  const fiber = suspensionPoint(false);
  if (take(self, fiber)) return NONE;
  return suspend((waiter) => {
    waiter.waitsFor = self;
    self.waiters.push(waiter);
  }, false);
}

function unlock(self: RecursiveMutex): Result {
  if (self.owner !== currentFiber()) throw codeError('EPERM');
  if (--self.depth > 0) return NONE;
  const next = self.waiters.shift();
  self.owner = next?.fiber;
  if (next !== undefined) {
    self.depth = 1;
    next.wake(NONE);
  }
  return NONE;
}

luaType('recursive_mutex', RecursiveMutex, {
  methods: { lock, try_lock: (self) => take(self, currentFiber()), unlock },
});

export const recursiveMutex = strictModule('recursive_mutex', { new: () => new RecursiveMutex() });
