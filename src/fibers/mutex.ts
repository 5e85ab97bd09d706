/** A mutex of one VM: ownership passes from the fiber that unlocks to the one that waited longest. */
import type { NativeFrame } from '../runtime/state.ts';
import { NONE, type Result, Userdata } from '../runtime/value.ts';
import { type Fiber, Waiter } from './fiber.ts';
import { WaitQueue } from './queue.ts';
import { park } from './suspend.ts';

export class Mutex extends Userdata {
  locked = false;
  readonly waiters = new WaitQueue();
  /** The frame of all waits for a condition variable with it, made by the first one: they end with the mutex locked. */
  relock: NativeFrame | undefined = undefined;

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
