/** Waiters in the order in which they came. Taking one that waits out of the middle is O(n). */
import type { Waiter } from './fiber.ts';
import type { Receiver } from './waitable.ts';

export class WaitQueue<T extends Receiver = Waiter> {
  private items: (T | undefined)[] = [];
  private head = 0;

  push(waiter: T): void {
    this.items.push(waiter);
  }

  /** The oldest that is no case of this `select`, or undefined. */
  shiftOther(select: object | undefined): T | undefined {
    const first = this.shift();
    if (first === undefined || select === undefined || first.select !== select) return first;
    const other = this.shiftOther(select);
    this.items.splice(this.head, 0, first);
    return other;
  }

  /** The oldest, or undefined. */
  shift(): T | undefined {
    while (this.head < this.items.length) {
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
      if (waiter !== undefined && !waiter.settled) return waiter;
    }
    return undefined;
  }

  remove(waiter: T): void {
    const at = this.items.indexOf(waiter, this.head);
    if (at >= 0) this.items.splice(at, 1);
  }

  /** Nobody that can still be woken. */
  get isEmpty(): boolean {
    for (let i = this.head; i < this.items.length; i++) {
      const waiter = this.items[i];
      if (waiter !== undefined && !waiter.settled) return false;
    }
    return true;
  }
}
