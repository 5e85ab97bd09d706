/**
 * A thread among others: the frames that it sends and receives, mailboxes of others as it knows them, and those of
 * its own that others know.
 *
 * Nobody watches over the threads. Each counts itself in `memory.BUSY` while its event loop has something to
 * do, and so does each frame on its way: whoever takes that to 0 knows that nothing can happen any more by
 * itself, and the main thread then does what actors/settle.ts does for one.
 */
import type { Waiter } from '../../fibers/fiber.ts';
import { WaitQueue } from '../../fibers/queue.ts';
import { BellListener, makeBell, ring } from '../../io/wakeup.ts';
import { codeError, coreErrorThere } from '../../runtime/error-code.ts';
import type { LuaValue } from '../../runtime/value.ts';
import { fullCollection } from '../collect.ts';
import { inletsOf } from '../inlets.ts';
import {
  activity,
  discard,
  type Exported,
  HIGH_WATER,
  type Mailbox,
  type Message,
  type Recipient,
  type Sender,
  waitForRoom,
} from '../mailbox.ts';
import { endStuck, orphanAlone } from '../settle.ts';
import { type Stamp, tracing } from '../trace.ts';
import type { Vm } from '../vm.ts';
import { type Address, AWAKE, type SharedMemory, slotOf, UNSENT } from './memory.ts';
import { type Directory, FrameReader, FrameWriter } from './wire.ts';

/** Frames. Of a mailbox of the receiver: */
const MESSAGE = 1;
const FORGOTTEN = 2;
const WATCH = 3;
const INLET = 15;
/** Of a mailbox of the sender: */
const ROOM = 4;
const DIED = 5;
/** Between threads: */
export const SPAWN = 6;
export const START = 7;
export const EXIT_CODE = 8;
export const BUG = 9;
export const PRINT = 16;
export const REPORT = 17;
const SETTLE = 10;
const COLLECT = 11;
const ORPHAN = 12;
const END = 13;
const GONE = 14;

/** What the main thread does when nothing goes on, one after the other. */
const PHASES = [COLLECT, ORPHAN, END] as const;

/**
 * Frames, and bytes of them, that are taken before the fibers run. What waits in the ring costs nothing; strings that wait in
 * mailboxes are moved by V8, twice each, when it collects new objects.
 */
const FRAMES_PER_TURN = 1024;
const BYTES_PER_TURN = 256 * 1024;

const MAX_LIMIT = 0x7fffffff;

export interface Outgoing {
  /** Not where the next one is written. (`slice` of a Buffer copies nothing.) */
  readonly frame: Uint8Array;
  readonly progress: { at: number };
  /** Of a message: where it goes. */
  readonly claimedBy: RemoteMailbox | undefined;
}

/** What more a thread can be told. */
export interface Chores {
  frame(kind: number, reader: FrameReader, from: number): void;
  /** A frame that its receiver will never see. */
  undelivered(kind: number, reader: FrameReader): void;
  /** Nothing is left to be read. */
  drained(): void;
  /** What has been printed is written: whoever gets a message may print, too. */
  flush(): void;
}

/** A mailbox of this thread, as others know it: for as long as they do. */
class Link implements Exported {
  readonly address: Address;
  readonly mailbox: Mailbox;
  private readonly hub: Hub;
  /** Messages of others that wait in the mailbox. */
  private waiting = 0;
  /** Threads that are to be told of the end of the mailbox: until then it keeps its address. */
  private watchers = 0;
  /** Somebody may have an address of it. */
  private isReferred = true;
  isOpen = true;

  constructor(hub: Hub, mailbox: Mailbox, address: Address) {
    this.hub = hub;
    this.mailbox = mailbox;
    this.address = address;
    mailbox.retain();
    mailbox.exported = this;
    hub.memory.setEnd(address, tracing.on?.endOf(mailbox));
    this.limitChanged();
    if (mailbox.closed) hub.memory.close(address);
  }

  deliver(message: Message): void {
    this.waiting++;
    this.mailbox.deliver(message);
  }

  taken(): void {
    if (!this.isOpen) return;
    this.waiting--;
    this.hub.unclaim(this.address);
    this.check();
  }

  limitChanged(): void {
    this.hub.memory.setLimit(this.address, Math.min(this.mailbox.limit, MAX_LIMIT));
    this.hub.tellRoom(this.address);
  }

  closed(): void {
    this.hub.memory.close(this.address);
    this.hub.tellRoom(this.address);
  }

  /** An address of it goes to another thread. */
  refer(): void {
    this.hub.memory.retain(this.address);
    if (this.isReferred) return;
    this.isReferred = true;
    this.mailbox.retain();
  }

  /** @param told  when it ends */
  watch(told: (reason: string | undefined) => void): void {
    this.watchers++;
    this.mailbox.onDeath((reason) => {
      told(reason);
      this.watchers--;
      this.check();
    });
  }

  /** Nobody knows it any more, and nothing of theirs is on its way. */
  check(): void {
    const { memory } = this.hub;
    if (!this.isOpen || memory.references(this.address) > 0) return;
    if (!this.mailbox.closed && memory.count(this.address) > this.waiting) return;
    if (this.watchers === 0) {
      this.isOpen = false;
      this.hub.unlink(this.address);
      memory.free(this.address);
      this.mailbox.exported = undefined;
    }
    if (!this.isReferred) return;
    this.isReferred = false;
    this.mailbox.release();
  }
}

/** A mailbox of another thread. There is one object for it, for as long as somebody has an address, or waits for its end. */
export class RemoteMailbox implements Recipient {
  readonly address: Address;
  private readonly hub: Hub;
  private leases = 0;
  private readonly senders = new WaitQueue<Sender>();
  private readonly watchers = new Set<(reason: string | undefined) => void>();
  private death: { readonly reason: string | undefined } | undefined = undefined;
  private watches = false;

  /** Where the shared memory has what of its counts is this thread's. */
  private holding: number;

  /** @param watches  its owner will tell of its end */
  constructor(hub: Hub, address: Address, watches: boolean) {
    this.hub = hub;
    this.address = address;
    this.watches = watches;
    this.holding = hub.memory.hold(address);
  }

  get closed(): boolean {
    return this.death !== undefined || !this.hub.memory.isOpen(this.address);
  }

  /** It has ended, and its address may be another's. */
  private isForgotten = false;

  retain(): void {
    if (this.isForgotten) return;
    this.leases++;
    this.hub.memory.retain(this.address);
    this.hub.memory.countLeases(this.holding, 1);
  }

  release(): void {
    if (this.isForgotten) return;
    this.leases--;
    this.hub.memory.countLeases(this.holding, -1);
    this.forgetIfUnused();
    this.hub.giveBack(this.address);
  }

  private forgetIfUnused(): void {
    if (this.leases > 0) return;
    this.isForgotten = this.death !== undefined;
    if (!this.isForgotten && this.watches) return;
    this.hub.forget(this);
    this.hub.memory.unhold(this.holding);
    this.holding = -1;
  }

  offer(message: Message): boolean {
    if (!this.mayHaveRoom || !this.claim()) return false;
    this.hub.sendMessage(this, message);
    return true;
  }

  offerData(value: LuaValue): boolean {
    if (!this.mayHaveRoom || !this.hub.writeData(this.address, value) || !this.claim())
      return false;
    this.hub.sendWritten(this);
    return true;
  }

  private get mayHaveRoom(): boolean {
    return this.senders.first === undefined && !this.hub.isFull(slotOf(this.address));
  }

  /** Written down first: of a thread that ends in between one message may be forgotten, but none is waited for in vain. */
  private claim(): boolean {
    const { memory } = this.hub;
    memory.countClaims(this.holding, 1);
    if (memory.claim(this.address)) return true;
    memory.countClaims(this.holding, -1);
    return false;
  }

  /** A message is its owner's to count from now on. */
  pushed(): void {
    this.hub.memory.countClaims(this.holding, -1);
  }

  unclaim(): void {
    this.pushed();
    this.hub.unclaim(this.address);
  }

  awaitRoom(waiter: Waiter, message: Message): () => void {
    const undo = waitForRoom(this, this.senders, waiter, message);
    this.admit();
    return undo;
  }

  /** Perhaps there is room; where there is none its owner tells when there is, or its thread has read. */
  admit(): void {
    const { memory } = this.hub;
    const claim = (): boolean => {
      if (this.claim()) return true;
      memory.want(this.address, this.hub.slot);
      return this.claim();
    };
    while (this.senders.first !== undefined) {
      if (this.closed) return this.failSenders();
      if (this.hub.isFull(slotOf(this.address))) return this.hub.whenRead(this);
      if (!claim()) return;
      const sender = this.senders.shift();
      if (sender === undefined) return this.unclaim();
      try {
        this.hub.sendMessage(this, sender.message);
        sender.wake();
      } catch (thrown) {
        sender.fail(thrown);
      }
    }
  }

  private failSenders(): void {
    for (let s = this.senders.shift(); s !== undefined; s = this.senders.shift()) {
      s.fail(coreErrorThere('channel_closed'));
      tracing.on?.dropped(this, s.message.stamp, 'the receiver is closed');
      discard(s.message);
    }
  }

  onDeath(told: (reason: string | undefined) => void): () => void {
    if (this.death !== undefined) told(this.death.reason);
    else {
      this.watchers.add(told);
      if (!this.watches) {
        this.watches = true;
        this.hub.memory.retain(this.address); // the frame's: until it has come, the mailbox has this address
        if (!this.hub.tell(slotOf(this.address), WATCH, this.address)) this.died(undefined);
      }
    }
    return () => this.watchers.delete(told);
  }

  /**
   * Messages of a process are to reach it, too.
   * @param fd       their receiving end, which is its owner's from now on
   * @param givenTo  for a trace: the actor that gets the sending end, and what that is called there
   */
  feed(fd: number, givenTo: number, via: number): void {
    const { hub, address } = this;
    const frame = hub.frame(INLET).integer(address).descriptor(fd);
    if (tracing.on !== undefined) frame.integer(givenTo).text(`${via}`);
    hub.send(slotOf(address), frame.frame);
  }

  died(reason: string | undefined): void {
    if (this.death !== undefined) return;
    this.death = { reason };
    this.failSenders();
    this.forgetIfUnused();
    for (const told of this.watchers) told(reason);
    this.watchers.clear();
  }
}

export class Hub implements Directory {
  readonly memory: SharedMemory;
  readonly slot: number;
  private readonly chores: Chores;
  private readonly bell: BellListener;
  private readonly links = new Map<Address, Link>();
  private readonly remotes = new Map<Address, RemoteMailbox>();
  private readonly outbox = new Map<number, Outgoing[]>();
  /** Mailboxes whose senders wait until threads have read what there was no room for. */
  private readonly unread = new Map<number, Set<RemoteMailbox>>();
  /** Frames of which pieces have come, by who sends them. */
  private readonly partial = new Map<number, { readonly bytes: Buffer; at: number }>();
  private readonly writer = new FrameWriter(this);
  private readonly reader = new FrameReader(this);
  private isResting = false;
  private isDraining = false;
  /** Of `activity.count`: what the others know of. */
  private published = activity.count;
  /** In the main thread. */
  private phase = 0;
  private eventsBefore = -1;
  private isOver = false;

  /** @throws SysError  EMFILE, ENFILE, ENOSPC */
  constructor(memory: SharedMemory, slot: number, chores: Chores) {
    this.memory = memory;
    this.slot = slot;
    this.chores = chores;
    this.prepareBell(slot);
    this.bell = new BellListener(memory.bellOf(slot), () => this.awake());
    memory.set(slot, AWAKE, 1);
    memory.enter();
  }

  /** @throws SysError  EMFILE, ENFILE */
  prepareBell(slot: number): void {
    if (this.memory.bellOf(slot) === 0) this.memory.setBell(slot, makeBell());
  }

  // ── sending ──

  /** @returns false: there is no such thread */
  tell(slot: number, kind: number, address: Address): boolean {
    return this.send(slot, this.writer.begin(kind).integer(address).frame);
  }

  frame(kind: number): FrameWriter {
    return this.writer.begin(kind);
  }

  /** There is room for it. @throws LuaError  EAGAIN */
  sendMessage(to: RemoteMailbox, message: Message): void {
    const { writer } = this;
    const { address } = to;
    try {
      writer.begin(MESSAGE).integer(address).value(message.value);
      if (tracing.on !== undefined) writer.stamp(message.stamp);
    } catch (thrown) {
      writer.abandon();
      tracing.on?.dropped(this.memory.endOf(address), message.stamp, 'it could not be sent');
      discard(message);
      to.unclaim();
      throw thrown;
    }
    this.sendWritten(to);
  }

  /** The message that is in the writer, for which there is room. */
  sendWritten(to: RemoteMailbox): void {
    activity.count++;
    this.chores.flush();
    this.send(slotOf(to.address), this.writer.frame, to);
  }

  /**
   * Write a message as it is: what owns nothing needs no copy.
   * @returns false: it has something in it that is to be looked at first
   * @throws LuaError  EMSGSIZE
   */
  writeData(address: Address, value: LuaValue): boolean {
    return this.writer.begin(MESSAGE).integer(address).data(value);
  }

  /**
   * @param claimedBy  it is a message, for which room has been taken
   * @returns false: there is no such thread; what was in the frame is given back
   */
  send(slot: number, frame: Uint8Array, claimedBy?: RemoteMailbox): boolean {
    const { memory } = this;
    memory.enter();
    const waiting = this.outbox.get(slot);
    if (waiting !== undefined) {
      waiting.push({ frame: this.kept(frame), progress: { at: 0 }, claimedBy });
      memory.add(this.slot, UNSENT, 1);
      return true;
    }
    const progress = { at: 0 };
    const pushed = memory.push(slot, this.slot, frame, progress);
    if (pushed !== 'full') claimedBy?.pushed();
    if (pushed === 'gone') {
      this.drop(Buffer.from(frame));
      return false;
    }
    this.ring(slot);
    if (pushed === 'full') {
      this.outbox.set(slot, [{ frame: this.kept(frame), progress, claimedBy }]);
      memory.add(this.slot, UNSENT, 1);
      this.flush(slot);
    }
    return true;
  }

  private kept(frame: Uint8Array): Uint8Array {
    return this.writer.reuses(frame) ? Buffer.from(frame) : frame;
  }

  /** There is no room for more in the ring of this thread: what is sent nevertheless is copied once more. */
  isFull(slot: number): boolean {
    return this.outbox.has(slot);
  }

  /** Let the senders go on when there is room in the ring of its thread, after others that wait for that. */
  whenRead(remote: RemoteMailbox): void {
    const slot = slotOf(remote.address);
    const waiting = this.unread.get(slot);
    if (waiting === undefined) this.unread.set(slot, new Set([remote]));
    else waiting.add(remote);
  }

  /** There is. */
  private goesOn = false;
  private goOn(slot: number): void {
    const waiting = this.unread.get(slot);
    if (waiting === undefined || this.goesOn) return;
    this.goesOn = true;
    for (const remote of waiting) {
      if (this.isFull(slot)) break;
      // It may come to the end of the list again.
      waiting.delete(remote);
      remote.admit();
    }
    this.goesOn = false;
    if (waiting.size === 0) this.unread.delete(slot);
  }

  private ring(slot: number): void {
    if (this.memory.mustRing(slot)) ring(this.memory.bellOf(slot));
  }

  /** Nobody will read it. */
  private drop(frame: Buffer): void {
    this.undelivered(frame);
    this.memory.leave();
  }

  private undelivered(frame: Buffer): void {
    const reader = new FrameReader(this);
    reader.begin(frame);
    const kind = reader.byte();
    if (kind === MESSAGE) {
      const address = reader.integer();
      const message = reader.message();
      this.lost(address, message, tracing.on === undefined ? undefined : reader.stamp());
    } else if (kind === INLET) {
      reader.integer();
      reader.descriptor().discard();
    } else if (kind === WATCH) {
      const address = reader.integer();
      this.remotes.get(address)?.died(undefined);
      this.giveBack(address);
    } else if (kind >= SPAWN) this.chores.undelivered(kind, reader);
  }

  /** What there was no room for. */
  private flush(slot: number): void {
    const waiting = this.outbox.get(slot);
    if (waiting === undefined) return;
    const { memory } = this;
    let stalled = false;
    while (waiting.length > 0) {
      const { frame, progress, claimedBy } = waiting[0]!;
      const before = progress.at;
      const pushed = memory.push(slot, this.slot, frame, progress);
      if (progress.at > before) this.ring(slot);
      if (pushed === 'full') {
        if (stalled) return; // it will ring
        stalled = true;
        memory.stall(slot, this.slot);
        continue;
      }
      waiting.shift();
      claimedBy?.pushed();
      memory.add(this.slot, UNSENT, -1);
      if (pushed === 'gone') this.drop(Buffer.from(frame));
    }
    this.outbox.delete(slot);
    this.goOn(slot);
  }

  // ── receiving ──

  /** Somebody has rung. */
  private awake(): void {
    if (this.isOver) return;
    this.wake();
    this.memory.answered(this.slot);
    if (this.outbox.size > 0) for (const slot of [...this.outbox.keys()]) this.flush(slot);
    this.drain();
  }

  /** There is something to do. */
  wake(): void {
    if (!this.isResting) return;
    this.isResting = false;
    this.memory.enter();
    this.memory.set(this.slot, AWAKE, 1);
    this.bell.release();
  }

  /** All that has come. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.budget = BYTES_PER_TURN;
    try {
      for (let n = 0; n < FRAMES_PER_TURN; n++) {
        const frame = this.next();
        if (frame === undefined) {
          if (this.budget < 0) break;
          this.chores.drained();
          return;
        }
        this.handle(frame.bytes, frame.from);
        this.memory.leave();
      }
      setImmediate(() => {
        if (!this.isOver) this.drain();
      });
    } finally {
      this.isDraining = false;
      this.letStalledGoOn();
    }
  }

  private letStalledGoOn(): void {
    const stalled = this.memory.takeStalled(this.slot);
    if (stalled === 0) return;
    for (const slot of this.memory.among(stalled)) {
      if (this.memory.mustRing(slot)) ring(this.memory.bellOf(slot));
    }
  }

  /** Bytes that may still be read in this turn. */
  private budget = 0;

  /** @returns undefined: there is none, or no more is to be read in this turn */
  private next(
    slot = this.slot,
    partial = this.partial,
  ): { readonly bytes: Buffer; readonly from: number } | undefined {
    const { memory } = this;
    while (slot !== this.slot || this.budget >= 0) {
      const piece = memory.peek(slot);
      if (piece === undefined) return undefined;
      const { from, more, length, total } = piece;
      let whole = partial.get(from);
      if (whole === undefined && !more) {
        if (memory.take(slot, memory.piece, 0)) this.letStalledGoOn();
        this.budget -= length;
        return { bytes: memory.piece, from };
      }
      whole ??= { bytes: Buffer.allocUnsafeSlow(total), at: 0 };
      if (memory.take(slot, whole.bytes, whole.at)) this.letStalledGoOn();
      whole.at += length;
      this.budget -= length;
      if (more) {
        partial.set(from, whole);
        continue;
      }
      partial.delete(from);
      return { bytes: whole.bytes, from };
    }
    return undefined;
  }

  private handle(bytes: Buffer, from: number): void {
    const { reader } = this;
    reader.begin(bytes);
    const kind = reader.byte();
    switch (kind) {
      case MESSAGE: {
        const address = reader.integer();
        const link = this.links.get(address);
        const message = reader.message();
        const stamp = tracing.on === undefined ? undefined : reader.stamp();
        reader.end();
        if (link === undefined) this.lost(address, message, stamp);
        else {
          const { value, owned } = message;
          link.deliver(
            stamp === undefined ? { value, owned, via: link } : { value, owned, via: link, stamp },
          );
          link.check();
        }
        break;
      }
      case FORGOTTEN:
        this.forgotten(reader.integer());
        break;
      case WATCH: {
        const address = reader.integer();
        this.watch(address, from);
        this.giveBack(address);
        break;
      }
      case INLET: {
        const link = this.links.get(reader.integer());
        const fd = reader.descriptor();
        if (link === undefined || link.mailbox.closed) fd.discard();
        else {
          const inlet = inletsOf(link.mailbox).add(fd.take());
          if (tracing.on !== undefined) inlet.traceAs(reader.integer(), Number(reader.text()));
        }
        break;
      }
      case ROOM:
        this.remotes.get(reader.integer())?.admit();
        break;
      case DIED:
        this.remotes.get(reader.integer())?.died(reader.optionalText());
        break;
      case SETTLE:
        this.settle();
        break;
      case COLLECT:
      case ORPHAN:
      case END:
        this.perform(kind);
        break;
      case GONE:
        this.lose(reader.integer(), reader.text());
        break;
      default:
        this.chores.frame(kind, reader, from);
    }
  }

  /** Its receiver is gone. */
  private lost(address: Address, message: Pick<Message, 'value' | 'owned'>, stamp?: Stamp): void {
    tracing.on?.dropped(this.memory.endOf(address), stamp, 'the receiver is gone');
    discard(message);
  }

  // ── mailboxes ──

  addressOf(recipient: Recipient): Address {
    if (recipient instanceof RemoteMailbox) {
      this.memory.retain(recipient.address);
      return recipient.address;
    }
    const mailbox = recipient as Mailbox;
    const link = (mailbox.exported as Link | undefined) ?? this.link(mailbox);
    link.refer();
    return link.address;
  }

  private link(mailbox: Mailbox): Link {
    const address = this.memory.allocate(this.slot);
    if (address === undefined) throw codeError('EAGAIN');
    const link = new Link(this, mailbox, address);
    this.links.set(address, link);
    return link;
  }

  /** The mailbox of a VM that others had an address for before it was there. @param watcher  the thread of its maker */
  linkAt(mailbox: Mailbox, address: Address, watcher: number): void {
    const link = new Link(this, mailbox, address);
    this.links.set(address, link);
    this.watch(address, watcher);
    link.check();
  }

  /** For a VM that is to be made in another thread. @throws LuaError  EAGAIN */
  newAddress(slot: number): Address {
    const address = this.memory.allocate(slot);
    if (address === undefined) throw codeError('EAGAIN');
    this.memory.setLimit(address, HIGH_WATER);
    return address;
  }

  recipientAt(address: Address): Recipient {
    const link = this.links.get(address);
    return link === undefined ? this.remoteAt(address, false) : link.mailbox;
  }

  /** @param watches  its owner will tell of its end */
  remoteAt(address: Address, watches: boolean): RemoteMailbox {
    let remote = this.remotes.get(address);
    if (remote === undefined) {
      remote = new RemoteMailbox(this, address, watches);
      tracing.on?.setEnd(remote, this.memory.endOf(address));
      this.remotes.set(address, remote);
    }
    return remote;
  }

  forget(remote: RemoteMailbox): void {
    this.remotes.delete(remote.address);
  }

  giveBack(address: Address): void {
    if (this.memory.release(address)) this.lookAt(address);
  }

  /** Its owner may let go of it. */
  private lookAt(address: Address): void {
    activity.count++;
    if (slotOf(address) === this.slot) this.forgotten(address);
    else if (!this.tell(slotOf(address), FORGOTTEN, address)) this.memory.freeClosed(address);
  }

  private forgotten(address: Address): void {
    const link = this.links.get(address);
    if (link !== undefined) link.check();
    // Of a thread that had this slot before.
    else if (this.memory.references(address) === 0) this.memory.freeClosed(address);
  }

  /** There is room for one more. */
  unclaim(address: Address): void {
    this.memory.unclaim(address);
    this.tellRoom(address);
  }

  /** Those that wait for room in a mailbox look again. */
  tellRoom(address: Address): void {
    const wanted = this.memory.takeWanted(address);
    if (wanted === 0) return;
    for (const slot of this.memory.among(wanted)) this.tell(slot, ROOM, address);
  }

  unlink(address: Address): void {
    this.links.delete(address);
  }

  /** Tell a thread of the end of a mailbox. */
  private watch(address: Address, slot: number): void {
    const tell = (reason: string | undefined): void => {
      activity.count++;
      this.send(slot, this.frame(DIED).integer(address).optionalText(reason).frame);
    };
    const link = this.links.get(address);
    if (link === undefined) tell(undefined);
    else link.watch(tell);
  }

  // ── what goes on ──

  /** VMs that are in this thread. */
  vms: ReadonlySet<Vm> = new Set();

  /** This thread has nothing left to do, until it is told something. */
  rest(): void {
    if (this.isOver) return;
    const { memory } = this;
    memory.noteEvents(activity.count - this.published);
    this.published = activity.count;
    if (this.isResting) return;
    this.bell.hold();
    this.isResting = true;
    memory.set(this.slot, AWAKE, 0);
    if (!memory.leave()) return;
    if (this.slot !== 0) this.send(0, this.frame(SETTLE).frame);
    else {
      this.wake();
      this.settle();
    }
  }

  /** Nothing goes on in any thread. */
  private settle(): void {
    const { memory } = this;
    const { events } = memory;
    if (events !== this.eventsBefore) this.phase = 0;
    this.eventsBefore = events;
    const kind = PHASES[Math.min(this.phase++, PHASES.length - 1)]!;
    for (const slot of memory.among(-1)) {
      if (slot !== this.slot) this.send(slot, this.frame(kind).frame);
    }
    this.perform(kind);
  }

  private perform(kind: number): void {
    if (kind === COLLECT) fullCollection();
    else if (kind === ORPHAN) orphanAlone([...this.vms]);
    else endStuck([...this.vms]);
    // What has been collected is let go of in the next turn.
    setImmediate(() => setImmediate(() => {}));
  }

  /** The end of this thread, if it has nothing to do any more. */
  end(): boolean {
    const { memory, slot } = this;
    if (this.outbox.size > 0) return false;
    memory.set(slot, AWAKE, 0);
    if (!memory.end(slot, () => memory.closeSome(this.links.keys()))) {
      memory.set(slot, AWAKE, this.isResting ? 0 : 1);
      return false;
    }
    this.isOver = true;
    this.bell.release();
    if (!this.isResting && memory.leave()) this.send(0, this.frame(SETTLE).frame);
    return true;
  }

  /** All threads of these slots look whether there is something for them. */
  ringAll(slots: readonly number[]): void {
    for (const slot of slots) this.ring(slot);
  }

  /**
   * In the main thread: another has ended that should not have.
   * @param reason  why its VMs are gone
   */
  bury(slot: number, reason: string): void {
    const { memory } = this;
    tracing.on?.threadLost(slot, reason);
    memory.end(slot);
    const partial: typeof this.partial = new Map();
    for (;;) {
      const frame = this.next(slot, partial);
      if (frame === undefined) break;
      this.undelivered(Buffer.from(frame.bytes));
      memory.leave();
    }
    if (memory.get(slot, AWAKE) === 1) memory.leave();
    memory.set(slot, AWAKE, 0);
    for (let n = memory.get(slot, UNSENT); n > 0; n--) memory.leave();
    memory.set(slot, UNSENT, 0);
    for (const { address, leases, claims } of memory.takeHoldings(slot)) {
      for (let n = 0; n < claims; n++) this.unclaim(address);
      for (let n = 0; n < leases; n++) this.giveBack(address);
      if (leases === 0) this.lookAt(address);
    }
    for (const other of memory.among(-1)) {
      if (other !== this.slot) this.send(other, this.frame(GONE).integer(slot).text(reason).frame);
    }
    this.lose(slot, reason);
  }

  private lose(slot: number, reason: string): void {
    this.partial.delete(slot);
    for (const remote of [...this.remotes.values()]) {
      if (slotOf(remote.address) === slot) remote.died(reason);
    }
  }
}
