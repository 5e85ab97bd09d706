/**
 * Where the messages for one receiver wait: the inbox of a VM, or the place for one reply.
 *
 * Whoever may send holds a lease. A receiver that waits for messages learns when the last lease is gone:
 * nobody can send to it any more. Messages are copies already; what they hold (addresses) belongs to them
 * until they are received.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { WaitQueue } from '../fibers/queue.ts';
import type { Outside, Receiver } from '../fibers/waitable.ts';
import type { IoGroup } from '../io/group.ts';
import { type CoreName, codeError, coreError, coreErrorThere } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { type Stamp, tracing } from './trace.ts';

/** A copy on its way, and what must be given back if it never arrives. */
export interface Message {
  readonly value: LuaValue;
  /** What lies in `value` and owns something. */
  readonly owned: readonly Owned[];
  /** It came from another thread. */
  readonly via?: Exported;
  /** Of a message that is traced. */
  readonly stamp?: Stamp;
}

/** Who receives: a VM. What its messages own ends with it, at the latest. */
export interface Holder {
  readonly leases: Leases;
  readonly io: IoGroup;
}

/** Part of a message that owns something outside of the heap. */
export interface Owned {
  /** The message has arrived: it belongs to this VM now. */
  adopt(holder: Holder): void;
  /** It never will. */
  discard(): void;
}

/** Somebody to send to. */
export interface Recipient {
  /** No message will be received any more. */
  readonly closed: boolean;
  retain(): void;
  release(): void;
  /** Take the message, unless there are too many. @returns false: it is full */
  offer(message: Message): boolean;
  /** The same for a value that needs no copy to be sent. @returns false: it needs one, or there are too many. @throws LuaError */
  offerData?(value: LuaValue): boolean;
  /** The message is taken when there is room, and the waiter woken. @returns how to forget it */
  awaitRoom(waiter: Waiter, message: Message): () => void;
  /** Call `told` once it is closed, with the reason, if there is one. @returns how to forget it */
  onDeath(told: (reason: string | undefined) => void): () => void;
}

/**
 * Where messages from outside of the heap come from: sockets of other processes. A mailbox has one at most, and
 * asks it only while a fiber waits: what has not been received waits where it is.
 */
export interface Source {
  /** Somebody may send through it. Each of them holds a lease of the mailbox. */
  readonly isOpen: boolean;
  /**
   * What has come, or undefined: nothing has.
   * @param inTurn  messages that wait in the mailbox are received in turn with these, and run out some time
   */
  next(inTurn?: boolean): Message | undefined;
  /** A fiber waits: from now on call `mailbox.pump` when something may have come. */
  watch(): void;
  /** None waits any more. */
  rest(): void;
  close(): void;
}

/** A mailbox as other threads know it. */
export interface Exported {
  /** A message of theirs has been received. */
  taken(): void;
  /** The number of messages that may wait is another now. */
  limitChanged(): void;
  closed(): void;
}

/** Those that a VM holds: a list through the leases themselves. */
export class Leases {
  first: Lease | undefined = undefined;

  *[Symbol.iterator](): Iterator<Lease> {
    for (let lease = this.first; lease !== undefined; lease = lease.after) yield lease;
  }
}

/** One holder's right; given back once. */
export class Lease {
  readonly recipient: Recipient;
  private open = true;
  private holder: Leases | undefined = undefined;
  private before: Lease | undefined = undefined;
  after: Lease | undefined = undefined;

  constructor(recipient: Recipient) {
    this.recipient = recipient;
    recipient.retain();
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** It ends with this VM, at the latest. */
  heldBy(holder: Leases): void {
    const { first } = holder;
    this.holder = holder;
    this.after = first;
    if (first !== undefined) first.before = this;
    holder.first = this;
  }

  release(): void {
    if (!this.open) return;
    this.open = false;
    const { holder, before, after } = this;
    if (holder !== undefined) {
      if (before === undefined) holder.first = after;
      else before.after = after;
      if (after !== undefined) after.before = before;
    }
    this.recipient.release();
  }
}

/** Messages that an inbox takes before its senders wait, unless the program says otherwise. */
export const HIGH_WATER = 4096;

/** Counts what happens to mailboxes: for whoever wants to know whether anything has. */
export const activity = { count: 0 };

export interface Sender extends Receiver {
  readonly message: Message;
}

/** A fiber waits until its message is taken by `to`. @returns undo: the message is discarded */
export function waitForRoom(
  to: Recipient,
  senders: WaitQueue<Sender>,
  waiter: Waiter,
  message: Message,
): () => void {
  const sender: Sender = {
    message,
    get settled() {
      return waiter.settled;
    },
    wake: () => waiter.wake(NONE),
    fail: (error) => waiter.fail(error),
  };
  senders.push(sender);
  return () => {
    if (waiter.settled) return;
    senders.remove(sender);
    tracing.on?.dropped(to, message.stamp, 'its sender waits no longer');
    discard(message);
  };
}

/** Of mailboxes that have had none: never changed. An array that grows by itself has room for 17 at once. */
const NO_MESSAGES: (Message | undefined)[] = [];

export class Mailbox implements Recipient {
  closed = false;
  /** Messages that may wait here; senders beyond that do. */
  highWater = HIGH_WATER;
  /** The fiber that waits for a message. */
  receiver: Waiter | undefined = undefined;
  /** The VM is gone, and why. */
  private death: { readonly reason: string | undefined } | undefined = undefined;
  private leaseCount = 0;
  /** Messages of other processes. */
  source: Source | undefined = undefined;
  exported: Exported | undefined = undefined;
  /** What `receiver` waits for, where nothing but other fibers can give it that. */
  private receiverEnd: Outside | undefined = undefined;
  /** Whose turn it is, where messages wait both here and in the source. */
  private sourceFirst = false;
  readonly holder: Holder;
  private queue: (Message | undefined)[] = NO_MESSAGES;
  private head = 0;
  private readonly senders = new WaitQueue<Sender>();
  private watchers: Set<(reason: string | undefined) => void> | undefined = undefined;

  private readonly orphaned: CoreName;

  /**
   * @param holder    the VM that receives here
   * @param orphaned  the error when nobody can send any more
   */
  constructor(holder: Holder, orphaned: CoreName = 'no_senders') {
    this.holder = holder;
    this.orphaned = orphaned;
  }

  /** Up to this number of messages more may be sent. */
  get limit(): number {
    return Math.max(this.highWater, this.receiver === undefined ? 0 : 1);
  }

  /** Messages that wait here. */
  get length(): number {
    return this.queue.length - this.head;
  }

  // ── sending ──

  retain(): void {
    this.leaseCount++;
  }

  release(): void {
    if (--this.leaseCount === 0) this.orphan();
  }

  /** Nobody can send any more: whoever waits learns it. It has found the queue empty, or it would not wait. */
  orphan(): void {
    const receiver = this.stopListening();
    if (receiver === undefined) return;
    activity.count++;
    tracing.on?.orphaned(this);
    receiver.fail(coreErrorThere(this.orphaned));
  }

  /** Somebody waits for messages that could only come from the holder of these leases. */
  isOnlyHeldBy(leases: Leases): boolean {
    if (this.receiver === undefined) return false;
    let own = 0;
    for (const lease of leases) if (lease.recipient === this) own++;
    return own === this.leaseCount;
  }

  offer(message: Message): boolean {
    if (this.length >= this.limit || this.senders.first !== undefined) return false;
    this.deliver(message);
    return true;
  }

  /** Whatever the number of those that wait. */
  deliver(message: Message): void {
    activity.count++;
    if (this.closed) return this.lose(message);
    const receiver = this.stopListening();
    if (receiver === undefined) this.enqueue(message);
    else receiver.wake(this.arrive(message));
  }

  awaitRoom(waiter: Waiter, message: Message): () => void {
    return waitForRoom(this, this.senders, waiter, message);
  }

  onDeath(told: (reason: string | undefined) => void): () => void {
    if (this.death !== undefined) told(this.death.reason);
    else {
      this.watchers ??= new Set();
      this.watchers.add(told);
    }
    return () => this.watchers?.delete(told);
  }

  // ── receiving ──

  /** The next message, or undefined: there is none now. @throws channel_closed, EBUSY, no_senders */
  take(): { readonly value: Result } | undefined {
    if (this.closed) throw coreError('channel_closed');
    if (this.receiver !== undefined) throw codeError('EBUSY');
    if (this.sourceFirst && this.length > 0) {
      this.sourceFirst = false;
      const message = this.source?.next(true);
      if (message !== undefined) return { value: this.arrive(message) };
    }
    if (this.length > 0) {
      this.sourceFirst = this.source !== undefined;
      const message = this.dequeue();
      this.admit();
      return { value: this.arrive(message) };
    }
    // With a high-water mark of 0 senders hand over to whoever receives.
    const sender = this.senders.shift();
    if (sender !== undefined) {
      activity.count++;
      const value = this.arrive(sender.message);
      sender.wake();
      return { value };
    }
    const message = this.source?.next();
    if (message !== undefined) return { value: this.arrive(message) };
    if (this.leaseCount === 0) {
      tracing.on?.orphaned(this);
      throw coreError(this.orphaned);
    }
    return undefined;
  }

  /**
   * A fiber waits, after `take` has found nothing.
   * @param end  what it is said to wait for; undefined: a timer may end it
   */
  listen(waiter: Waiter, end: Outside | undefined): void {
    this.receiver = waiter;
    this.receiverEnd = end;
    this.sourceChanged();
    if (this.highWater === 0) this.exported?.limitChanged();
    waiter.undo = () => {
      if (this.receiver === waiter) this.stopListening();
    };
  }

  /** The source has been opened, or closed. */
  sourceChanged(): void {
    if (this.receiver === undefined) return;
    const isFed = this.source?.isOpen === true;
    this.receiver.waitsFor = isFed ? undefined : this.receiverEnd;
    if (isFed) this.source!.watch();
    else this.source?.rest();
  }

  private stopListening(): Waiter | undefined {
    const { receiver } = this;
    this.receiver = undefined;
    this.receiverEnd = undefined;
    if (receiver !== undefined) this.source?.rest();
    if (this.highWater === 0) this.exported?.limitChanged();
    return receiver;
  }

  /** Something may have come through the source. */
  pump(): void {
    while (this.receiver !== undefined) {
      const message = this.source?.next();
      if (message === undefined) return;
      this.deliver(message);
    }
  }

  setHighWater(n: number): void {
    this.highWater = n;
    this.admit();
    this.exported?.limitChanged();
  }

  /** Let senders in, as many as there is room for. */
  private admit(): void {
    while (this.length < this.highWater) {
      const sender = this.senders.shift();
      if (sender === undefined) return;
      activity.count++;
      this.enqueue(sender.message);
      sender.wake();
    }
  }

  private enqueue(message: Message): void {
    if (this.queue === NO_MESSAGES) this.queue = [message];
    else this.queue.push(message);
  }

  private dequeue(): Message {
    const { queue } = this;
    const message = queue[this.head]!;
    queue[this.head++] = undefined;
    if (this.head === queue.length && this.head < 8) {
      // Mostly one waits. (`length = 0` would be a call into V8's runtime.)
      while (this.head > 0) {
        queue.pop();
        this.head--;
      }
    } else if (this.head > 32 && this.head * 2 > queue.length) {
      queue.splice(0, this.head);
      this.head = 0;
    }
    return message;
  }

  private arrive(message: Message): LuaValue {
    const { owned } = message;
    for (let i = 0; i < owned.length; i++) owned[i]!.adopt(this.holder);
    message.via?.taken();
    tracing.on?.received(this, message.stamp, message.value);
    return message.value;
  }

  /** It is closed. */
  private lose(message: Message): void {
    tracing.on?.dropped(this, message.stamp, 'the receiver is closed');
    discard(message);
  }

  /** No more messages, in either direction. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    activity.count++;
    this.exported?.closed();
    this.stopListening()?.fail(coreErrorThere('channel_closed'));
    this.source?.close();
    for (let s = this.senders.shift(); s !== undefined; s = this.senders.shift()) {
      s.fail(coreErrorThere('channel_closed'));
      this.lose(s.message);
    }
    for (let i = this.head; i < this.queue.length; i++) this.lose(this.queue[i]!);
    this.queue = NO_MESSAGES;
    this.head = 0;
  }

  /** The VM is gone. @param reason  an error; undefined: it just ended */
  end(reason: string | undefined): void {
    this.close();
    this.death = { reason };
    if (this.watchers !== undefined) for (const told of this.watchers) told(reason);
    this.watchers = undefined;
  }
}

/** It will not arrive. */
export function discard(message: Message): void {
  for (const owned of message.owned) owned.discard();
}
