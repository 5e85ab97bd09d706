/**
 * Where messages of other processes reach a mailbox: one socket for each address that was given away. They are
 * read only while a fiber waits for a message, one message of each in turn, so that none is starved and
 * a flood waits in the kernel. What is no message closes the socket that it came through.
 */

import { IoGroup } from '../io/group.ts';
import { LoopHold } from '../io/loop-hold.ts';
import { OwnedFd } from '../io/owned-fd.ts';
import {
  closeAll,
  descriptorsIn,
  isMarkedSandbox,
  isPacketSocket,
  NO_MORE_PACKETS,
  NO_PACKET,
  PacketReceiver,
} from '../io/packet.ts';
import { recordOf } from '../runtime/records.ts';
import type { LuaValue } from '../runtime/value.ts';
import { mayReceive, noteDescriptors } from './descriptor-garbage.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { FileDescriptor } from './file-descriptor.ts';
import {
  type Carried,
  decodeFrame,
  decodeScalar,
  type Frame,
  MAX_FRAME,
  MAX_MEMBERS,
  type Slot,
} from './frame.ts';
import { IpcChannel } from './ipc-channel.ts';
import type { Mailbox, Message, Owned, Source } from './mailbox.ts';
import { type Tracer, tracing } from './trace.ts';

/** One more than a frame may have: longer packets are seen to be. */
const bytes = new Uint8Array(MAX_FRAME + 1);
const out = new Int32Array(2 + MAX_MEMBERS + 1);

/** In messages: they belong to no VM. */
const onTheirWay = new IoGroup();

/** Messages that fibers may receive without the event loop having had its turn. */
const STREAK = 64;

export class Inlet {
  readonly receiver: PacketReceiver;
  /** For a trace: the actor that got the sending end, and what that is called there. */
  givenTo = 0;
  via = 0;
  /** A sandbox has the sending end; undefined: that is not known yet. */
  isFromSandbox: boolean | undefined = undefined;
  /** For Inlets: it is one of those that may have something, and the one behind it. */
  isQueued = false;
  behind: Inlet | undefined = undefined;
  private readonly inlets: Inlets;

  constructor(fd: number, inlets: Inlets, mailbox: Mailbox) {
    this.inlets = inlets;
    this.receiver = new PacketReceiver(fd, mailbox.holder.io, () => inlets.isReady(this));
    this.receiver.waitsByLevel = true;
  }

  traceAs(givenTo: number, via: number): void {
    this.givenTo = givenTo;
    this.via = via;
    tracing.on?.leads(via, this.inlets.mailbox);
  }

  /** What has come through it. */
  received(message: Message): void {
    for (const object of message.owned) {
      if (!(object instanceof IpcChannel)) continue;
      this.isFromSandbox ??= isMarkedSandbox(this.receiver.fd);
      if (this.isFromSandbox) object.markSandbox();
    }
  }

  /** Nobody will send through it any more. */
  close(): void {
    this.inlets.remove(this);
  }
}

export class Inlets implements Source {
  readonly mailbox: Mailbox;
  private readonly all = new Set<Inlet>();
  /** Those that may have something, whose turn comes first in front: a list through the inlets themselves. */
  private firstReady: Inlet | undefined = undefined;
  private lastReady: Inlet | undefined = undefined;
  /** All that no event is asked for. */
  private unwatched: Inlet[] = [];
  private readonly loop = new LoopHold();
  private watching = false;
  private streak = 0;
  private pumps = false;

  constructor(mailbox: Mailbox) {
    this.mailbox = mailbox;
  }

  /** Messages that the event loop will bring without a socket: the ends of processes. */
  private expected = 0;

  get isOpen(): boolean {
    return this.all.size > 0 || this.expected > 0;
  }

  /** Those that have come. */
  private endings: Message[] = [];
  private closed = false;

  /** A message about the end of a process will come. @returns call it with that, when it is there */
  expect(): (message: Message) => void {
    this.expected++;
    this.mailbox.retain();
    this.mailbox.sourceChanged();
    return (message) => {
      if (this.closed) return this.expectNoMore();
      this.endings.push(message);
      if (this.watching) this.mailbox.pump();
    };
  }

  private expectNoMore(): void {
    this.expected--;
    this.mailbox.sourceChanged();
    this.mailbox.release();
  }

  /** @param fd  a receiving end, which belongs to the inlet from now on */
  add(fd: number): Inlet {
    const inlet = new Inlet(fd, this, this.mailbox);
    this.all.add(inlet);
    this.queue(inlet);
    this.unwatched.push(inlet);
    this.mailbox.retain();
    this.mailbox.sourceChanged();
    return inlet;
  }

  remove(inlet: Inlet): void {
    inlet.receiver.close();
    if (!this.all.delete(inlet)) return;
    this.mailbox.sourceChanged();
    this.mailbox.release();
  }

  /** To the end of those that may have something. */
  private queue(inlet: Inlet): void {
    if (inlet.isQueued) return;
    inlet.isQueued = true;
    if (this.lastReady === undefined) this.firstReady = inlet;
    else this.lastReady.behind = inlet;
    this.lastReady = inlet;
  }

  /** The first of them, without which the others go on. */
  private dequeue(inlet: Inlet): void {
    inlet.isQueued = false;
    this.firstReady = inlet.behind;
    inlet.behind = undefined;
    if (this.firstReady === undefined) this.lastReady = undefined;
  }

  isReady(inlet: Inlet): void {
    this.queue(inlet);
    this.streak = 0; // the event loop has been around
    if (this.watching) this.mailbox.pump();
  }

  private readonly goOn = (): void => {
    if (this.watching) this.mailbox.pump();
  };

  next(inTurn = false): Message | undefined {
    if (!mayReceive(this.goOn)) return undefined;
    if (!inTurn && this.streak >= STREAK) return undefined;
    const message = this.nextPacket();
    if (message !== undefined && !inTurn) this.streak++;
    if (message !== undefined || this.endings.length === 0) return message;
    // What a process has sent before its end is in the sockets, whether or not an event has told so.
    for (const inlet of this.all) this.queue(inlet);
    return this.nextPacket() ?? this.nextEnding();
  }

  private nextEnding(): Message | undefined {
    // Not at once: the mailbox has no other sender, maybe, and is yet to deliver this.
    queueMicrotask(() => this.expectNoMore());
    return this.endings.shift();
  }

  private nextPacket(): Message | undefined {
    for (let inlet = this.firstReady; inlet !== undefined; inlet = this.firstReady) {
      this.dequeue(inlet);
      const { receiver } = inlet;
      if (receiver.fd < 0) continue; // removed
      const length = receiver.receiveLength(bytes, out);
      if (length === NO_PACKET) continue;
      const message = length > 0 ? messageOf(length) : undefined;
      if (message === undefined) {
        if (length !== NO_MORE_PACKETS) tracing.on?.malformed(this.mailbox, inlet.givenTo);
        this.remove(inlet);
        continue;
      }
      if (message.owned.length > 0) {
        inlet.received(message);
        noteDescriptors(this.mailbox.holder.io);
      }
      if (receiver.ready) this.queue(inlet);
      return tracing.on === undefined ? message : stamped(tracing.on, message, inlet);
    }
    return undefined;
  }

  watch(): void {
    this.watching = true;
    while (this.unwatched.length > 0) {
      const inlet = this.unwatched.pop()!;
      if (this.all.has(inlet) && inlet.receiver.watch() < 0) this.remove(inlet);
    }
    this.loop.hold();
    if ((this.firstReady === undefined && this.endings.length === 0) || this.pumps) return;
    this.pumps = true;
    setImmediate(() => {
      this.pumps = false;
      this.streak = 0;
      if (this.watching) this.mailbox.pump();
    });
  }

  rest(): void {
    this.watching = false;
    this.loop.release();
  }

  close(): void {
    this.rest();
    this.closed = true;
    for (const inlet of [...this.all]) this.remove(inlet);
    for (; this.endings.length > 0; this.endings.pop()) this.expectNoMore();
  }
}

export function inletsOf(mailbox: Mailbox): Inlets {
  mailbox.source ??= new Inlets(mailbox);
  return mailbox.source as Inlets;
}

const OWNS_NOTHING: readonly Owned[] = [];

/** What has come, in `bytes` and `out`. @returns undefined: it is none, and its descriptors are closed */
function messageOf(length: number): Message | undefined {
  const fds = descriptorsIn(out);
  if (fds.length === 0) {
    const value = decodeScalar(bytes, length);
    if (value !== undefined) return { value, owned: OWNS_NOTHING };
  }
  const frame = decodeFrame(bytes, length, fds.length);
  if (frame === undefined || (fds.length > 0 && !addressesAreSockets(frame, fds))) {
    closeAll(fds);
    return undefined;
  }
  const owned: Owned[] = [];
  const valueOf = (v: boolean | number | string | Slot): LuaValue => {
    if (typeof v !== 'object') return v;
    const fd = fds[v.index]!;
    const object = objectOf(v.carries, fd);
    owned.push(object);
    return object;
  };
  if (!frame.isTable) return { value: valueOf(frame.members[0]!.value), owned };
  const keys: string[] = [];
  const values: LuaValue[] = [];
  for (const { key, value } of frame.members) {
    keys.push(key);
    values.push(valueOf(value));
  }
  return { value: recordOf(keys, values, 0), owned };
}

/** For a trace. @param from  who got the address, and has sent this unless it was given away */
function stamped(trace: Tracer, message: Message, { givenTo: from, via }: Inlet): Message {
  for (const object of from === 0 ? [] : message.owned) {
    if (object instanceof IpcChannel)
      trace.setEnd(object, { actor: from, request: 0, assumed: true });
  }
  return { ...message, stamp: { id: 0, from, via } };
}

function objectOf(carries: Carried, fd: number): IpcChannel | DirectoryHandle | FileDescriptor {
  switch (carries) {
    case 'address':
      return new IpcChannel(fd);
    case 'directory':
      return new DirectoryHandle(fd);
    case 'descriptor':
      return new FileDescriptor(new OwnedFd(fd, onTheirWay));
  }
}

function addressesAreSockets({ members }: Frame<Slot>, fds: readonly number[]): boolean {
  return members.every(
    ({ value }) =>
      typeof value !== 'object' ||
      value.carries === 'descriptor' ||
      isPacketSocket(fds[value.index]!),
  );
}
