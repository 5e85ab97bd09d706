/** A mutex of one VM: ownership passes from the fiber that unlocks to the one that waited longest. */
import { Userdata } from '../runtime/value.ts';
import { WaitQueue } from './queue.ts';

export class Mutex extends Userdata {
  locked = false;
  readonly waiters = new WaitQueue();

  tryLock(): boolean {
    if (this.locked) return false;
    this.locked = true;
    return true;
  }

  /** Of a locked mutex. */
  unlock(): void {
    const next = this.waiters.shift();
    if (next === undefined) this.locked = false;
    else next.wake(); // `locked` stays true
  }
}
