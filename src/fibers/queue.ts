/** Waiters in the order in which they came. */
import type { Waiter } from './fiber.ts';
import type { Receiver } from './waitable.ts';

/** In a queue up to this long, one that gives up is taken out at once. */
const SHORT = 32;

/** Of queues in which nobody has waited: never changed. An array that grows by itself has room for 17 at once. */
const NO_ITEMS: never[] = [];

export class WaitQueue<T extends Receiver = Waiter> {
  private items: (T | undefined)[] = NO_ITEMS;
  private head = 0;
  /** Of those from `head` on: no more than so many have been taken out, or given up. */
  private stale = 0;

  push(waiter: T): void {
    if (this.items === NO_ITEMS) this.items = [waiter];
    else this.items.push(waiter);
  }

  /** The oldest that is no case of this `select`, or undefined. */
  shiftOther(select: object | undefined): T | undefined {
    if (select === undefined) return this.shift();
    const { items } = this;
    for (let i = this.head; i < items.length; i++) {
      const waiter = items[i];
      if (waiter === undefined || waiter.settled || waiter.select === select) continue;
      items[i] = undefined;
      this.stale++;
      return waiter;
    }
    return undefined;
  }

  /** The oldest, or undefined. */
  shift(): T | undefined {
    while (this.head < this.items.length) {
      const waiter = this.drop();
      if (waiter !== undefined && !waiter.settled) return waiter;
      if (this.stale > 0) this.stale--;
    }
    return undefined;
  }

  /** The oldest, which stays; undefined: nobody that can still be woken. */
  get first(): T | undefined {
    while (this.head < this.items.length) {
      const waiter = this.items[this.head];
      if (waiter !== undefined && !waiter.settled) return waiter;
      this.drop();
      if (this.stale > 0) this.stale--;
    }
    return undefined;
  }

  private drop(): T | undefined {
    const waiter = this.items[this.head];
    this.items[this.head++] = undefined;
    if (this.head === this.items.length && this.head < 8) {
      // Mostly one waits. (`length = 0` would be a call into V8's runtime.)
      while (this.head > 0) {
        this.items.pop();
        this.head--;
      }
    } else if (this.head > 32 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return waiter;
  }

  /**
   * One gives up: it is settled before anybody looks at the queue again. In a long queue it is passed over
   * then, and all such are taken out when they are as many as the others.
   */
  remove(waiter: T): void {
    const { items, head } = this;
    if (items.length - head <= SHORT) {
      const at = items.indexOf(waiter, head);
      if (at >= 0) items.splice(at, 1);
    } else if (++this.stale * 2 > items.length - head) {
      this.items = items.filter((w) => w !== undefined && w !== waiter && !w.settled);
      this.head = 0;
      this.stale = 0;
    }
  }
}
