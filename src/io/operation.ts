/**
 * What a caller starts and waits for. The contract of every function here that takes an `Operation`
 * (read, write, accept, connect, wait …):
 *
 * - It tries its system call at once. Done already, it returns the result: a number ≥ 0, or -errno.
 *   `op.done` isn't called then.
 * - Otherwise it returns PENDING, and `op.done(result)` is called exactly once, later: from the event
 *   loop, or from inside the `cancel` or `close` that ended it (with -ECANCELED).
 * - `op.cancel()` of a pending operation completes it with -ECANCELED before it returns; on one that
 *   isn't pending it does nothing, so it can be called at any time. What the system call has done
 *   already is never lost: bytes that were read are delivered, a cancel that comes later is too late.
 * - The buffer must stay as it is while the operation is pending; so must the operation, which can be
 *   used again for anything once it isn't pending. One per fiber is enough, and a started operation
 *   allocates nothing more.
 * - EINTR is retried here and never seen.
 *
 * `done` must not throw, and should only note who can go on: it runs in the middle of a batch.
 *
 *   const op = new Operation((result) => fiber.wake(result));
 *   const result = socket.read(op, bytes, 0, bytes.length);
 *   if (result !== PENDING) return result;
 *   return suspend(fiber, () => op.cancel()); // the undo of an interruption
 */
import { EAGAIN, ECANCELED, EINTR } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';

/** Not a result yet. The kernel's last errno is 4095, so no -errno equals it. */
export const PENDING = -4096;

/** In `early`: it counts as tried, and is to be before anything else. */
export const UNTRIED = PENDING - 2;

/** Where a pending operation waits. */
export interface Canceller {
  /** Complete `op` with -ECANCELED, or leave it alone where that would lose what it has done. */
  cancelOperation(op: Operation): void;
}

/** What an operation works on. */
export interface Target {
  readonly fd: Fd;
}

/** Tries the system call of `op` once. @returns ≥ 0, or -errno; -EAGAIN to be tried again later */
export type Attempt = (op: Operation) => number;

export class Operation {
  /** Called with ≥ 0 or -errno when the operation was pending. */
  done: (result: number) => void;
  /** What came of it besides the number: the socket of an accept. Set when the result is ≥ 0. */
  value: unknown = undefined;

  // For io/ only, from here on.
  waitsIn: Canceller | null = null;
  attempt: Attempt | null = null;
  target: Target | null = null;
  /** Keeps the object that the caller sees from being collected, and with it closed. */
  owner: object | null = null;
  bytes: Uint8Array | null = null;
  offset = 0;
  length = 0;
  flags = 0;
  /** What the attempt needs beside these: an address, descriptors to send. */
  extra: unknown = null;
  /** What its system call has come to, before it was its turn (io/batch.ts); PENDING: it hasn't been made. */
  early = PENDING;
  next: Operation | null = null;
  previous: Operation | null = null;

  constructor(done: (result: number) => void) {
    this.done = done;
  }

  get pending(): boolean {
    return this.waitsIn !== null;
  }

  /** Complete it with -ECANCELED if it is pending. `done` is called before this returns. */
  cancel(): void {
    if (this.waitsIn !== null) this.waitsIn.cancelOperation(this);
  }

  /** Let go of what the operation worked on. For io/. */
  clear(): void {
    this.waitsIn = null;
    this.target = null;
    this.owner = null;
    this.bytes = null;
    this.extra = null;
  }

  /** Report the result of an operation that was pending and is in no queue any more. For io/. */
  finish(result: number): void {
    this.clear();
    try {
      this.done(result);
    } catch (error) {
      reportUncaught(error);
    }
  }
}

/** A callback threw, a bug of ours: the process hears of it once those that wait have been served. */
export function reportUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Operations that wait for the same event, oldest first. Its fields are given in the constructor: V8 makes objects of
 * the classes below one with initializers of fields by a call each.
 */
export class OperationQueue implements Canceller {
  declare head: Operation | null;
  declare tail: Operation | null;
  /** Whether to try the system call: false from EAGAIN until the next event. */
  declare ready: boolean;

  constructor() {
    this.head = null;
    this.tail = null;
    this.ready = true;
  }

  push(op: Operation): void {
    op.waitsIn = this;
    op.next = null;
    op.previous = this.tail;
    if (this.tail === null) this.head = op;
    else this.tail.next = op;
    this.tail = op;
  }

  remove(op: Operation): void {
    if (op.previous === null) this.head = op.next;
    else op.previous.next = op.next;
    if (op.next === null) this.tail = op.previous;
    else op.next.previous = op.previous;
    op.next = null;
    op.previous = null;
  }

  cancelOperation(op: Operation): void {
    let result = -ECANCELED;
    if (op.early !== PENDING) {
      const tried = op.attempt!(op);
      if (tried !== -EAGAIN && tried !== -EINTR) result = tried; // too late
    }
    this.remove(op);
    op.finish(result);
  }

  /** Cancel those that work on this target. */
  cancelOf(target: Target): void {
    const own: Operation[] = [];
    for (let op = this.head; op !== null; op = op.next) if (op.target === target) own.push(op);
    for (const op of own) if (op.waitsIn === this && op.target === target) this.cancelOperation(op);
  }

  /** Cancel those that wait now; not what their `done` may start. */
  cancelAll(): void {
    let count = 0;
    for (let op = this.head; op !== null; op = op.next) count++;
    for (; count > 0 && this.head !== null; count--) this.cancelOperation(this.head);
  }
}
