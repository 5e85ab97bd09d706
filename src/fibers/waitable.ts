/**
 * What `select` can wait for: something that is ready now, or tells a receiver when it is. A receiver
 * gets one value of one waitable; until it is settled nothing has been taken out of any of them.
 */
import { type Result, Userdata } from '../runtime/value.ts';

/** A `Waiter`, or one case of a `select`. */
export interface Receiver {
  readonly settled: boolean;
  /** Of a case: the `select` that it belongs to. No two cases of one complete each other. */
  readonly select?: object;
  wake(value?: Result): void;
  fail(error: unknown): void;
}

/** What others than the fibers of the VM complete, and nothing but them: an inbox. */
export abstract class Outside extends Userdata {}

export abstract class Waitable extends Userdata {
  /** If it is ready: complete the receiver and return true. */
  abstract poll(receiver: Receiver): boolean;
  /** Complete the receiver later, once, unless it is settled then. @returns how to forget it */
  abstract subscribe(receiver: Receiver): () => void;
}
