/**
 * A bounded channel between the fibers of one VM. `capacity` values may lie in it; a sender beyond
 * that waits until there is room, with capacity 0 until a receiver takes the value from it. Values
 * arrive in the order in which they were sent, each exactly once, also under interruption.
 */
import { coreError, coreErrorThere } from '../runtime/error-code.ts';
import { type LuaValue, NONE, Userdata } from '../runtime/value.ts';
import { WaitQueue } from './queue.ts';
import { type Receiver, Waitable } from './waitable.ts';

/** A sender that waits: its value goes to the channel when it is woken. */
interface Sender extends Receiver {
  readonly value: LuaValue;
}

export class Channel extends Userdata {
  readonly capacity: number;
  closed = false;
  private readonly values: LuaValue[] = [];
  private head = 0;
  private readonly receivers = new WaitQueue<Receiver>();
  private readonly senders = new WaitQueue<Sender>();

  constructor(capacity: number) {
    super();
    this.capacity = capacity;
  }

  get length(): number {
    return this.values.length - this.head;
  }

  private take(): LuaValue {
    const value = this.values[this.head];
    this.values[this.head++] = undefined;
    if (this.head > 32 && this.head * 2 > this.values.length) {
      this.values.splice(0, this.head);
      this.head = 0;
    }
    return value;
  }

  /** Hand the value over, or store it. @returns false: it is full. @throws channel_closed */
  trySend(value: LuaValue, select?: object): boolean {
    if (this.closed) throw coreError('channel_closed');
    const receiver = this.receivers.shiftOther(select);
    if (receiver !== undefined) receiver.wake(value);
    else if (this.length < this.capacity) this.values.push(value);
    else return false;
    return true;
  }

  /** Complete the receiver with the next value, or with channel_closed. @returns false: it is empty */
  tryReceive(receiver: Receiver): boolean {
    if (this.length > 0) {
      receiver.wake(this.take());
      const sender = this.senders.shift();
      if (sender !== undefined) {
        this.values.push(sender.value);
        sender.wake(NONE);
      }
      return true;
    }
    const sender = this.senders.shiftOther(receiver.select);
    if (sender !== undefined) {
      receiver.wake(sender.value);
      sender.wake(NONE);
      return true;
    }
    if (!this.closed) return false;
    receiver.fail(coreErrorThere('channel_closed'));
    return true;
  }

  awaitValue(receiver: Receiver): () => void {
    this.receivers.push(receiver);
    return () => this.receivers.remove(receiver);
  }

  awaitRoom(receiver: Receiver, value: LuaValue): () => void {
    const sender: Sender = {
      value,
      get settled() {
        return receiver.settled;
      },
      select: receiver.select,
      wake: (v) => receiver.wake(v),
      fail: (error) => receiver.fail(error),
    };
    this.senders.push(sender);
    return () => this.senders.remove(sender);
  }

  /** No more values come in; those in it can still be received. Waiting senders fail. */
  close(): void {
    this.closed = true;
    for (let s = this.senders.shift(); s !== undefined; s = this.senders.shift()) {
      s.fail(coreErrorThere('channel_closed'));
    }
    for (let r = this.receivers.shift(); r !== undefined; r = this.receivers.shift()) {
      r.fail(coreErrorThere('channel_closed'));
    }
  }
}

/** `channel:receiving()`: ready when there is a value, or none will come. */
export class Receiving extends Waitable {
  private readonly channel: Channel;
  constructor(channel: Channel) {
    super();
    this.channel = channel;
  }
  poll(receiver: Receiver): boolean {
    return this.channel.tryReceive(receiver);
  }
  subscribe(receiver: Receiver): () => void {
    return this.channel.awaitValue(receiver);
  }
}

/** `channel:sending(value)`: ready when there is room. */
export class Sending extends Waitable {
  private readonly channel: Channel;
  private readonly value: LuaValue;
  constructor(channel: Channel, value: LuaValue) {
    super();
    this.channel = channel;
    this.value = value;
  }
  poll(receiver: Receiver): boolean {
    if (this.channel.closed) receiver.fail(coreErrorThere('channel_closed'));
    else if (!this.channel.trySend(this.value, receiver.select)) return false;
    else receiver.wake(NONE);
    return true;
  }
  subscribe(receiver: Receiver): () => void {
    return this.channel.awaitRoom(receiver, this.value);
  }
}
