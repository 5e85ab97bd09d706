/** A mutex of one VM: ownership passes from the fiber that unlocks to the one that waited longest. */
import { NONE, type Result, Userdata } from '../runtime/value.ts';
import { type Fiber, Waiter } from './fiber.ts';
import { WaitQueue } from './queue.ts';
import { park } from './suspend.ts';

/** Called with the result of the wait, and with the error that has ended it. */
export interface Relock {
  resume(): Result;
  fail(error: unknown): Result;
}

export class Mutex extends Userdata {
  locked = false;
  readonly waiters = new WaitQueue();
  /** What a wait for a condition variable leaves behind, made by the first one: it ends with the mutex locked. */
  relock: Relock | undefined = undefined;

  tryLock(): boolean {
    if (this.locked) return false;
    this.locked = true;
    return true;
  }

  /** Suspend the fiber until the mutex is handed over to it. Can't be interrupted. */
  awaitTurn(fiber: Fiber): Result {
    // The fiber has one for all such waits: who hands the mutex over keeps nothing of it.
    const waiter = (fiber.turn ??= new Waiter(fiber, false));
    waiter.settled = false;
    waiter.waitsFor = this;
    this.waiters.push(waiter);
    return park(waiter);
  }

  /** Of a locked mutex. */
  unlock(): void {
    const next = this.waiters.shift();
    if (next === undefined) this.locked = false;
    else next.wake(NONE); // `locked` stays true
  }
}
