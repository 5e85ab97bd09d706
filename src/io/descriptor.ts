/**
 * The owner of one file descriptor: runs operations on it, waits for its events, closes it once.
 *
 * Operations wait in three queues, by what ends the wait: something to read, room to write, an
 * exceptional condition. A queue is `ready` until a system call says EAGAIN, and again at the next
 * event; only the head of a ready queue is tried, so operations of one direction complete in the
 * order in which they were started.
 *
 * The reactor is edge-triggered: an event says that something changed, once. What must hold is that
 * whenever `ready` is false the kernel will send another event. EAGAIN ensures it. So does a short
 * read of a byte stream (epoll(7)), which saves the call that would say EAGAIN; but not after a
 * hang-up or beside urgent data, whose event may have been the last one.
 *
 * A program that waits for one message after the other would pay for an EAGAIN each time: who reads 64
 * bytes, and gets 64, can't know that they were all. After a row of those `level` begins: reads wait at
 * once after each that succeeded, and the kernel tells that something is readable as long as it is. Now
 * and then a read is tried nevertheless. It ends when that finds something, when an event finds nobody or
 * nothing to read (it would come for ever), and when something has to wait for other events.
 *
 * A descriptor is registered when an operation has to wait for the first time: the kernel reports
 * then what is ready already, so nothing falls between the two.
 */
import { EAGAIN, EBADF, EINTR } from '../sys/errno.ts';
import {
  close,
  closeAtOnce,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  poll,
  read,
  write,
} from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  setLevel,
} from '../sys/reactor.ts';
import { MSG_NOSIGNAL, MSG_OOB, recv, send } from '../sys/socket.ts';
import { readSocket, writeSocket } from '../sys/transfer.ts';
import { putOff, putOffRead, putsOff, putsOffRead } from './batch.ts';
import { DatagramsAhead } from './datagrams.ts';
import type { Closable, IoGroup, Placed } from './group.ts';
import {
  type Attempt,
  type Operation,
  OperationQueue,
  PENDING,
  type Target,
  UNTRIED,
} from './operation.ts';
import { handOver } from './pair.ts';
import {
  addPending,
  type EventTarget,
  forget,
  register,
  removePending,
  unregister,
} from './reactor.ts';
import { hold, letGo } from './thread-descriptors.ts';

/** Events after which a short read doesn't mean that nothing is left. */
const LAST_WORDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
const ENDS_READ_WAIT = EPOLLIN | LAST_WORDS;
const ENDS_WRITE_WAIT = EPOLLOUT | EPOLLHUP | EPOLLERR;
const ENDS_ERROR_WAIT = EPOLLPRI | EPOLLHUP | EPOLLERR;

export type WaitType = 'read' | 'write' | 'error';

export interface DescriptorOptions {
  /** A byte stream whose reads only stop short when nothing is left: TCP. Default: false. */
  readonly shortReadDrains?: boolean;
  /**
   * epoll tells that it is readable whenever a read wouldn't wait: sockets, pipes. Default: false. Only
   * with one that is nobody else's: others may set a low watermark, or read what is there.
   */
  readonly levelReads?: boolean;
  /**
   * A socket whose `read` and `write` are recv(2) and send(2): those of many are made in one call.
   * Default: false.
   */
  readonly batches?: boolean;
  /** Datagrams are received ahead where many come. Only with one that is nobody else's. Default: false. */
  readonly receivesAhead?: boolean;
  /** Whether `close` closes the number too; false for one that is only borrowed. Default: true. */
  readonly owned?: boolean;
}

const PLAIN: DescriptorOptions = {};

/** `misses` from here on: level-triggered. */
export const LEVEL = 8;
/** Here a read is tried again: in a stream that is cheaper. */
export const PROBE = LEVEL + 16;

/** A queue that counts in what keeps the event loop alive. */
export class EventQueue extends OperationQueue {
  override push(op: Operation): void {
    super.push(op);
    addPending();
  }

  override remove(op: Operation): void {
    super.remove(op);
    removePending();
  }
}

export class Descriptor implements EventTarget, Target, Placed, Owned {
  /** -1 once closed or released. */
  fd: Fd;
  generation = 0;
  readonly reads = new EventQueue();
  /** Another than its own only for packet.ts. */
  writes = new EventQueue();
  private errors: EventQueue | null = null;
  /** Datagrams that have been received already, and not yet asked for: what there is to read. */
  readonly ahead: DatagramsAhead | null;
  private group: IoGroup;
  private readonly owned: boolean;
  private readonly sole: boolean;
  private levelReads: boolean;
  private shortReadDrains: boolean;
  private readonly batches: boolean;
  /** Reads in a row that found nothing; once that is LEVEL, how many have succeeded since, too. */
  private misses = 0;
  /** The other end of a pipe or a pair of sockets, while both are this process's: io/pair.ts. */
  peer: Descriptor | null = null;
  /** SO_LINGER has seconds: closing must not wait for them. */
  lingers = false;
  /** Where it is among its group's; for io/group.ts. */
  place = -1;
  owner: object | null = null;
  unwatchedAt = -1;

  /**
   * @param fd    non-blocking; this object closes it from now on
   * @param sole  nobody else has the open file description, in another process or under another number:
   *              closing ends it, and the kernel needn't be told to forget the registration
   */
  constructor(fd: Fd, group: IoGroup, options: DescriptorOptions = PLAIN, sole = false) {
    this.fd = fd;
    this.group = group;
    this.owned = options.owned ?? true;
    this.sole = sole;
    this.levelReads = sole && (options.levelReads ?? false);
    this.shortReadDrains = options.shortReadDrains ?? false;
    this.batches = options.batches ?? false;
    this.ahead = sole && options.receivesAhead ? new DatagramsAhead() : null;
    if (this.owned) hold(fd);
    group.place(this);
  }

  get isOpen(): boolean {
    return this.fd >= 0;
  }

  /** It is closed with another group from now on. */
  moveTo(group: IoGroup): void {
    this.group.displace(this);
    this.group = group;
    if (this.isOpen) group.place(this);
  }

  /** @returns bytes read, 0 at the end; -errno; or PENDING. read(2) */
  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    if (!this.batches) return this.start(op, this.reads, attemptRead);
    if (this.generation === 0 && putsOffRead() && this.canPutOff(this.reads)) {
      this.putOff(op, this.reads, attemptReadSocket);
      putOffRead(this);
      return PENDING;
    }
    return this.start(op, this.reads, attemptReadSocket);
  }

  /** @returns bytes written, perhaps fewer than `length`; -errno (EPIPE); or PENDING. write(2) */
  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    if (!this.batches) return this.start(op, this.writes, attemptWrite);
    if (putsOff(this) && this.canPutOff(this.writes)) {
      this.putOff(op, this.writes, attemptWriteSocket);
      putOff(this);
      return PENDING;
    }
    return this.start(op, this.writes, attemptWriteSocket);
  }

  /** An operation would be tried now, and could wait. */
  private canPutOff(queue: OperationQueue): boolean {
    return this.fd >= 0 && queue.head === null && queue.ready;
  }

  private putOff(op: Operation, queue: OperationQueue, attempt: Attempt): void {
    op.target = this;
    op.attempt = attempt;
    op.early = UNTRIED;
    queue.push(op);
  }

  /** For io/batch.ts. */
  get untried(): Operation | null {
    const { head } = this.writes;
    return head !== null && head.early === UNTRIED ? head : null;
  }

  /** For io/batch.ts. */
  get untriedRead(): Operation | null {
    const { head } = this.reads;
    return head !== null && head.early === UNTRIED ? head : null;
  }

  /** What was put off comes before anything else that is done to the descriptor. */
  settle(): void {
    if (this.untried !== null) this.drain(this.writes);
    if (this.untriedRead !== null) this.drain(this.reads);
  }

  /** From the reactor. */
  readyRead(events: number): Operation | null {
    if (!this.batches || (events & ENDS_READ_WAIT) === 0) return null;
    const { head } = this.reads;
    return head !== null && head.attempt === attemptReadSocket && !this.awaitsUrgent ? head : null;
  }

  /**
   * With MSG_OOB it waits for urgent data, beside whoever reads the others.
   * @param flags  MSG_ of sys/socket.ts. @returns as `read`. recv(2)
   */
  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    if ((flags & MSG_OOB) === 0) return this.start(op, this.reads, attemptReceive);
    this.errors ??= new EventQueue();
    return this.start(op, this.errors, attemptReceiveUrgent);
  }

  /** What reads past urgent data throws them away (tcp(7)): who waits for them goes first. */
  private get awaitsUrgent(): boolean {
    return this.errors !== null && this.errors.head !== null;
  }

  /** @param flags  MSG_ of sys/socket.ts; MSG_NOSIGNAL is added. @returns as `write`. send(2) */
  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    return this.start(op, this.writes, attemptSend);
  }

  /** Wait until a read or write wouldn't, or for urgent data or a failure. @returns 0, … PENDING */
  wait(op: Operation, type: WaitType): number {
    if (type === 'read') return this.start(op, this.reads, attemptWaitRead);
    if (type === 'write') return this.start(op, this.writes, attemptWaitWrite);
    this.errors ??= new EventQueue();
    return this.start(op, this.errors, attemptWaitError);
  }

  /**
   * Run an operation: the way in for all of the above, and for what other files add.
   * @param queue    `reads` or `writes`: which event to wait for after EAGAIN
   * @param attempt  one system call, on op.target.fd
   */
  start(op: Operation, queue: OperationQueue, attempt: Attempt): number {
    if (this.fd < 0) {
      op.clear();
      return -EBADF;
    }
    if (queue === this.reads && this.awaitsUrgent) {
      this.drain(this.errors!);
      if (this.fd < 0) {
        op.clear();
        return -EBADF;
      }
    }
    op.target = this;
    if (queue.head === null && this.tries(queue)) {
      let result: number;
      do result = attempt(op);
      while (result === -EINTR);
      if (result !== -EAGAIN) {
        if (this.misses > 0 && queue === this.reads) this.hit();
        op.clear();
        if (result > 0 && this.peer !== null) this.tellPeer(queue);
        return result;
      }
      queue.ready = false;
      if (queue === this.reads && this.levelReads) this.miss();
    }
    if (this.misses >= LEVEL && queue !== this.reads) this.endLevel();
    if (this.generation === 0) {
      const result = register(this.fd, this);
      if (result < 0) {
        queue.ready = true;
        op.clear();
        return result;
      }
    }
    op.attempt = attempt;
    queue.push(op);
    return PENDING;
  }

  /** Whether a system call of this direction is worth while, or isn't needed. */
  private tries(queue: OperationQueue): boolean {
    return queue.ready || (this.ahead?.any === true && queue === this.reads);
  }

  /** A read was tried at once, and there was something: perhaps there is more. */
  private hit(): void {
    if (this.misses >= LEVEL) this.endLevel();
    this.misses = 0;
  }

  /** There was nothing. */
  private miss(): void {
    if (this.misses >= LEVEL || ++this.misses < LEVEL) return;
    const others = this.writes.head !== null || (this.errors !== null && this.errors.head !== null);
    if (others || this.generation === 0 || setLevel(this.fd, true) < 0) this.misses = 0;
  }

  /** epoll won't tell any more of what is there that it is (SO_RCVLOWAT). */
  stopLevel(): void {
    if (this.misses >= LEVEL) this.endLevel();
    this.levelReads = false;
  }

  private endLevel(): void {
    this.misses = 0;
    setLevel(this.fd, false); // and the kernel tells anew what there is
  }

  /** Register it now, and not when something waits. @returns 0, or -errno: EPERM: it has no events */
  watch(): number {
    return this.generation === 0 ? register(this.fd, this) : 0;
  }

  /** Try again what waits to write, though no event came: for what the kernel sends none for. */
  retryWrites(): void {
    this.drain(this.writes);
  }

  /** For io/batch.ts. */
  retryReads(): void {
    this.drain(this.reads);
  }

  /** From the reactor. */
  onEvents(events: number): void {
    if ((events & LAST_WORDS) !== 0) this.shortReadDrains = false;
    if ((events & ENDS_ERROR_WAIT) !== 0 && this.errors !== null) this.drain(this.errors);
    if ((events & ENDS_READ_WAIT) !== 0) {
      if (this.misses >= LEVEL && this.reads.head === null) this.endLevel();
      this.drain(this.reads);
    }
    if ((events & ENDS_WRITE_WAIT) !== 0 && this.untried === null) this.drain(this.writes);
  }

  /** Something happened: try what waits, oldest first, until one has to wait again. */
  private drain(queue: OperationQueue): void {
    queue.ready = true;
    while (queue.head !== null && this.tries(queue)) {
      const op = queue.head;
      const result = op.attempt!(op);
      if (result === -EINTR) continue;
      if (result === -EAGAIN) {
        queue.ready = false;
        if (this.misses >= LEVEL) this.endLevel();
        const watched = this.watch(); // a write that was put off may be the first to wait
        if (watched === 0) return;
        queue.ready = true;
        queue.remove(op);
        op.finish(watched);
        continue;
      }
      queue.remove(op);
      if (this.misses >= LEVEL && queue === this.reads) {
        if (++this.misses < PROBE) queue.ready = false;
        else this.misses = LEVEL;
      }
      if (result > 0 && this.peer !== null) this.tellPeer(queue);
      op.finish(result); // may start, cancel or close anything
    }
  }

  /** Bytes have gone in or out: what waits at the other end for that need not wait for its event. */
  private tellPeer(queue: OperationQueue): void {
    const peer = this.peer!;
    if (queue === this.reads ? peer.writes.head !== null : peer.reads.head !== null) handOver(peer);
  }

  /** From io/pair.ts: something has been done at the other end. */
  goOn(): void {
    if (this.fd < 0) return;
    if (this.reads.head !== null) this.drain(this.reads);
    if (this.writes.head !== null && this.untried === null) this.drain(this.writes);
  }

  /** For attempts: a read brought fewer bytes than asked for. */
  readShort(): void {
    if (this.shortReadDrains) this.reads.ready = false;
  }

  /** For attempts: the kernel has said that nothing more is there. */
  drained(): void {
    this.reads.ready = false;
    if (this.levelReads) this.miss();
  }

  /** Complete all that is pending with -ECANCELED; stays open. */
  cancelAll(): void {
    this.reads.cancelAll();
    this.writes.cancelAll();
    this.errors?.cancelAll();
  }

  /** Close the descriptor, then complete all that is pending with -ECANCELED. May be called twice. */
  close(): void {
    this.settle();
    const fd = this.detach(this.sole);
    if (fd < 0) return;
    if (this.owned) {
      if (this.sole && !this.lingers) close(fd);
      else closeAtOnce(fd);
    }
    this.cancelAll();
  }

  /** Stop being the owner. @returns the number, still open and non-blocking; or -EBADF */
  release(): number {
    this.settle();
    const fd = this.detach(false);
    if (fd < 0) return -EBADF;
    this.cancelAll();
    return fd;
  }

  /** @param closing  the open file description is about to go */
  private detach(closing: boolean): number {
    const fd = this.fd;
    if (fd < 0) return fd;
    if (closing) forget(fd, this);
    else unregister(fd, this);
    this.fd = -1;
    if (this.owned) letGo(fd);
    if (this.peer !== null) this.peer = this.peer.peer = null;
    this.ahead?.drop();
    this.group.displace(this);
    if (this.owner !== null) forgetOwner(this);
    return fd;
  }
}

function attemptRead(op: Operation): number {
  const result = read(op.target!.fd, op.bytes!, op.offset, op.length);
  if (result < op.length && result > 0) (op.target as Descriptor).readShort();
  return result;
}

function attemptWrite(op: Operation): number {
  return write(op.target!.fd, op.bytes!, op.offset, op.length);
}

/** Of one with `batches`. */
function attemptReadSocket(op: Operation): number {
  let result = op.early;
  if (result === PENDING || result === UNTRIED) {
    op.early = PENDING;
    result = readSocket(op.target!.fd, op.bytes!, op.offset, op.length);
  } else op.early = PENDING;
  if (result < op.length && result > 0) (op.target as Descriptor).readShort();
  return result;
}

function attemptWriteSocket(op: Operation): number {
  const { early } = op;
  if (early !== PENDING) {
    op.early = PENDING;
    if (early !== UNTRIED) return early;
  }
  return writeSocket(op.target!.fd, op.bytes!, op.offset, op.length);
}

function attemptReceive(op: Operation): number {
  return recv(op.target!.fd, op.bytes!, op.offset, op.length, op.flags);
}

/** What isn't there is EINVAL, so it is asked whether there is something. */
function attemptReceiveUrgent(op: Operation): number {
  const result = attemptWaitError(op);
  return result === 0 ? attemptReceive(op) : result;
}

function attemptSend(op: Operation): number {
  return send(op.target!.fd, op.bytes!, op.offset, op.length, op.flags | MSG_NOSIGNAL);
}

function attemptWait(op: Operation, events: number): number {
  const result = poll(op.target!.fd, events, 0);
  if (result === 0) return -EAGAIN;
  return result < 0 ? result : 0;
}

const attemptWaitRead: Attempt = (op) =>
  (op.target as Descriptor).ahead?.any ? 0 : attemptWait(op, POLLIN | POLLRDHUP);
const attemptWaitWrite: Attempt = (op) => attemptWait(op, POLLOUT);
const attemptWaitError: Attempt = (op) => attemptWait(op, POLLPRI | POLLERR | POLLHUP);

/** Descriptors whose owner was collected before it was closed. null: there was a collection. */
const lost = new FinalizationRegistry<Closable | null>((descriptor) => {
  if (descriptor !== null) descriptor.close();
  else watchOwners();
});

/**
 * Close `descriptor` when `owner` is collected: a safety net, of which nothing may depend. Pending
 * operations keep their owner (`op.owner`), and nothing else of io/ does.
 */
export function closeWithOwner(owner: object, descriptor: Closable): void {
  lost.register(owner, descriptor);
}

/** What has an owner that it is to be closed with. */
export interface Owned extends Closable {
  /** Until V8 knows of that, or it is closed; and its place in `unwatched`. */
  owner: object | null;
  unwatchedAt: number;
}

/**
 * Those whose owners V8 isn't told of yet. It keeps what it is told of, and runs something for each, long after a
 * connection has come and gone: that cost more than any of its system calls. So an owner is kept until the next
 * collection, and V8 is told of those that are open then; the one after that may find that nobody has them.
 */
const unwatched: Owned[] = [];
let awaitsCollection = false;

/** `closeWithOwner`, for what is opened and closed often. */
export function closeWithOwnerInTime(owner: object, descriptor: Owned): void {
  descriptor.owner = owner;
  descriptor.unwatchedAt = unwatched.length;
  unwatched.push(descriptor);
  if (awaitsCollection) return;
  awaitsCollection = true;
  lost.register({}, null);
}

/** It is closed, and has an `owner`: nothing is to be done when that is collected. */
export function forgetOwner(descriptor: Owned): void {
  const at = descriptor.unwatchedAt;
  const last = unwatched.pop()!;
  if (last !== descriptor) {
    unwatched[at] = last;
    last.unwatchedAt = at;
  }
  descriptor.owner = null;
}

/** From now on all that are open are closed at the collection that finds that nobody has their owner. */
export function watchOwners(): void {
  awaitsCollection = false;
  for (const descriptor of unwatched) {
    lost.register(descriptor.owner!, descriptor);
    descriptor.owner = null;
  }
  unwatched.length = 0;
}
