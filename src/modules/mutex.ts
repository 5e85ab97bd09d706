/** `require 'mutex'`: queues the fibers of one VM, oldest first; never blocks the thread. */
import { Mutex } from '../fibers/mutex.ts';
import { suspensionPoint } from '../fibers/suspend.ts';
import { codeError } from '../runtime/error-code.ts';
import { NONE, type Result } from '../runtime/value.ts';
import { luaType, strictModule } from './define.ts';

function lock(self: Mutex): Result {
  const fiber = suspensionPoint(false);
  // Free: carry on without a switch. Else wait; not an interruption point, so there is no undo.
  return self.tryLock() ? NONE : self.awaitTurn(fiber);
}

function unlock(self: Mutex): Result {
  if (!self.locked) throw codeError('EPERM');
  self.unlock();
  return NONE;
}

luaType('mutex', Mutex, { methods: { lock, try_lock: (self) => self.tryLock(), unlock } });

export const mutex = strictModule('mutex', { new: () => new Mutex() });
