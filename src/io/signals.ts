/**
 * Signals for those who wait: sets of them, as asio has them, and callbacks for the runtime itself.
 *
 * A signal that is in a set, or has a listener, has no other effect on the process. The addon counts
 * arrivals and wakes the event loop (native/signal.c); here they are handed out: to all who wait on a
 * set that has the signal, or to the set's memory where nobody does.
 */
import { EBADF, EBUSY, EINVAL, SysError } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import {
  disposeOfSignal,
  LAST_SIGNAL,
  openSignals,
  takeSignals,
  unwatchSignal,
  watchSignal,
} from '../sys/signal.ts';
import { EventQueue } from './descriptor.ts';
import type { Closable, IoGroup } from './group.ts';
import { type Operation, PENDING } from './operation.ts';
import { type EventTarget, register } from './reactor.ts';

/** Who is told of arrivals. */
interface Receiver {
  deliver(signal: number, count: number): void;
}

const counts = new Int32Array(LAST_SIGNAL + 1);
const receivers: (Set<Receiver> | undefined)[] = [];
let eventFd: Fd | undefined;
const events: EventTarget = { generation: 0, onEvents: () => handOut() };

function open(): void {
  eventFd ??= openSignals();
  if (events.generation !== 0) return;
  const result = register(eventFd, events);
  if (result < 0) throw new SysError('epoll_ctl', -result);
}

/** What has arrived, in ascending order. Also called where somebody asks before the event loop does. */
function handOut(): void {
  if (eventFd === undefined || !takeSignals(counts)) return;
  const arrived = [...counts.entries()].filter(([, count]) => count > 0);
  for (const [signal, count] of arrived) {
    for (const receiver of [...(receivers[signal] ?? [])]) receiver.deliver(signal, count);
  }
}

function isSignal(signal: number): boolean {
  return Number.isInteger(signal) && signal > 0 && signal <= LAST_SIGNAL;
}

/** EINVAL: no signal that can be caught. EMFILE */
function attach(signal: number, receiver: Receiver): void {
  if (!isSignal(signal)) throw new SysError('sigaction', EINVAL);
  open();
  const all = (receivers[signal] ??= new Set());
  if (all.size === 0) watchSignal(signal);
  all.add(receiver);
}

function detach(signal: number, receiver: Receiver): void {
  const all = receivers[signal];
  if (all?.delete(receiver) !== true || all.size > 0) return;
  unwatchSignal(signal);
}

/** EINVAL; EBUSY: somebody waits for it. */
export function dispose(signal: number, disposition: number): void {
  if (!isSignal(signal)) throw new SysError('signal', EINVAL);
  if ((receivers[signal]?.size ?? 0) > 0) throw new SysError('signal', EBUSY);
  disposeOfSignal(signal, disposition);
}

/** Call `arrived` with each arrival of a signal. @returns how to stop that; the signal has its effect again then */
export function onSignal(signal: number, arrived: () => void): () => void {
  const receiver: Receiver = { deliver: arrived };
  attach(signal, receiver);
  return () => detach(signal, receiver);
}

export class SignalSet implements Closable {
  private readonly group: IoGroup;
  private readonly members = new Set<number>();
  /** By number: arrivals that nobody waited for. */
  private readonly queued = new Map<number, number>();
  private readonly waiting = new EventQueue();
  private isOpen = true;
  private readonly receiver: Receiver = {
    deliver: (signal, count) => this.deliver(signal, count),
  };

  constructor(group: IoGroup) {
    this.group = group;
    group.add(this);
  }

  /** Nothing happens where it is in already. EINVAL, EMFILE */
  add(signal: number): void {
    if (this.members.has(signal)) return;
    attach(signal, this.receiver);
    this.members.add(signal);
  }

  /** What is queued of it is dropped. */
  remove(signal: number): void {
    if (!this.members.has(signal)) return;
    handOut(); // what came until now is this set's
    this.members.delete(signal);
    this.queued.delete(signal);
    detach(signal, this.receiver);
  }

  clear(): void {
    for (const signal of [...this.members]) this.remove(signal);
  }

  /** @returns the lowest signal that has arrived; PENDING, and later a signal or -ECANCELED */
  wait(op: Operation): number {
    if (!this.isOpen) return -EBADF;
    handOut();
    const lowest = Math.min(...this.queued.keys());
    if (Number.isFinite(lowest)) {
      this.forget(lowest);
      return lowest;
    }
    this.waiting.push(op);
    return PENDING;
  }

  private forget(signal: number): void {
    const count = this.queued.get(signal)! - 1;
    if (count > 0) this.queued.set(signal, count);
    else this.queued.delete(signal);
  }

  private deliver(signal: number, count: number): void {
    if (!this.members.has(signal)) return;
    if (this.waiting.head !== null) {
      count--;
      let waiters = 0;
      for (let op = this.waiting.head as Operation | null; op !== null; op = op.next) waiters++;
      for (; waiters > 0 && this.waiting.head !== null; waiters--) {
        const op = this.waiting.head;
        this.waiting.remove(op);
        op.finish(signal);
      }
    }
    if (count > 0) this.queued.set(signal, (this.queued.get(signal) ?? 0) + count);
  }

  /** Those who wait: -ECANCELED. */
  cancel(): void {
    this.waiting.cancelAll();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.group.delete(this);
    this.clear();
    this.cancel();
  }
}
