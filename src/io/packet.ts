/**
 * Sockets of packets between actors of different processes: a sending end and a receiving one. The peer
 * shares the open file description and may change it, so that no call relies on O_NONBLOCK.
 */
import { EAGAIN, EINTR, EPERM } from '../sys/errno.ts';
import { close, closeAtOnce } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { setLevel } from '../sys/reactor.ts';
import {
  AF_UNIX,
  getSocketOption,
  MSG_DONTWAIT,
  SHUT_RD,
  SO_DOMAIN,
  SO_PRIORITY,
  SO_TYPE,
  SOCK_SEQPACKET,
  SOL_SOCKET,
  setSocketOption,
  shutdown,
} from '../sys/socket.ts';
import {
  discardPackets,
  MSG_CTRUNC,
  MSG_TRUNC,
  PACKET_FD_COUNT,
  PACKET_FDS,
  PACKET_FLAGS,
  receivePacket,
  sendmsgUnix,
  sendPacket,
  socketpair,
} from '../sys/unix.ts';
import { Descriptor, LEVEL, PROBE } from './descriptor.ts';
import type { Closable, IoGroup } from './group.ts';
import { type Operation, PENDING } from './operation.ts';
import { type EventTarget, register, unregister } from './reactor.ts';
import { closeHeld, hold } from './thread-descriptors.ts';

const NO_FDS = new Int32Array(0);

/** One for each length: V8 gives memory of its own to each array that the addon looks into. */
const arrays: Int32Array[] = [];
function inArray(fds: readonly Fd[]): Int32Array {
  arrays[fds.length] ??= new Int32Array(fds.length);
  const array = arrays[fds.length]!;
  for (let i = 0; i < fds.length; i++) array[i] = fds[i]!;
  return array;
}

/** A priority, which sockets of packets have no use for. All duplicates have it, and the filter of a sandbox lets nobody change it. */
const SANDBOX = 6;

/** Whoever has this socket, or gets it, can see from now on that a sandbox is at the other end. */
export function markSandbox(fd: Fd): void {
  try {
    setSocketOption(fd, SOL_SOCKET, SO_PRIORITY, SANDBOX);
  } catch {
    // a filter of this process leaves it out
  }
}

/** @returns true where a filter of this process leaves the question out: a handle of a directory does no harm */
export function isMarkedSandbox(fd: Fd): boolean {
  try {
    return getSocketOption(fd, SOL_SOCKET, SO_PRIORITY) === SANDBOX;
  } catch {
    return true;
  }
}

/** A new pair: what is sent into one end comes out of the other. EMFILE */
export function packetPair(): { readonly sender: Fd; readonly receiver: Fd } {
  const [sender, receiver] = socketpair(SOCK_SEQPACKET);
  try {
    shutdown(sender, SHUT_RD);
  } catch (error) {
    close(sender);
    close(receiver);
    throw error;
  }
  return { sender, receiver };
}

/** Whether a descriptor from somebody else can be a sending end at all. */
export function isPacketSocket(fd: Fd): boolean {
  try {
    return (
      getSocketOption(fd, SOL_SOCKET, SO_DOMAIN) === AF_UNIX &&
      getSocketOption(fd, SOL_SOCKET, SO_TYPE) === SOCK_SEQPACKET
    );
  } catch {
    return false; // ENOTSOCK
  }
}

/**
 * The sending end. Those that are duplicates of each other wait in one queue, whichever of them the kernel tells that
 * there is room: it tells all, in the same order each time, and the first ones would take it all.
 */
export class PacketSender extends Descriptor {
  /** @param original  of which `fd` is a duplicate */
  constructor(fd: Fd, group: IoGroup, original?: PacketSender) {
    super(fd, group);
    if (original !== undefined) this.writes = original.writes;
  }

  override cancelAll(): void {
    this.writes.cancelOf(this);
  }

  /**
   * @param bytes  of others, too, once this has returned
   * @returns  what was sent, -EPIPE, -ECONNRESET …, or PENDING
   */
  sendPacket(op: Operation, bytes: Uint8Array, length: number, fds: readonly Fd[]): number {
    op.bytes = bytes;
    op.length = length;
    op.extra = fds.length === 0 ? NO_FDS : inArray(fds);
    const result = this.start(op, this.writes, attemptSendPacket);
    if (result === PENDING) {
      op.bytes = bytes.slice(0, length);
      op.extra = Int32Array.from(fds);
    }
    return result;
  }

  /**
   * Send what has no descriptors, if it need not wait.
   * @returns  what was sent, -EPIPE, -ECONNRESET …, or PENDING: `sendPacket` has to
   */
  trySend(bytes: Uint8Array, length: number): number {
    const { fd, writes } = this;
    if (fd < 0 || writes.head !== null || !writes.ready) return PENDING;
    const result = sendPacket(fd, bytes, length);
    return result === -EAGAIN || result === -EINTR ? PENDING : result;
  }
}

function attemptSendPacket(op: Operation): number {
  const { fd } = op.target!;
  const fds = op.extra as Int32Array;
  if (fds.length === 0) return sendPacket(fd, op.bytes!, op.length);
  return sendmsgUnix(fd, op.bytes!, 0, op.length, MSG_DONTWAIT, undefined, fds);
}

/**
 * The socket for an answer, which came with a question. Who sends something into it from the other side, where nothing is to come
 * from, may want whoever closes it to wait.
 */
export function closeAnswerSocket(fd: Fd): void {
  discardPackets(fd);
  close(fd);
}

/** The same for what came with something that is no question. */
export function closeUnasked(fds: readonly Fd[]): void {
  for (const fd of fds) if (isPacketSocket(fd)) discardPackets(fd);
  closeAll(fds);
}

/** From outside of any VM. @returns what was sent, or -errno */
export function sendAtOnce(fd: Fd, bytes: Uint8Array, length: number, fds: readonly Fd[]): number {
  return sendmsgUnix(fd, bytes, 0, length, MSG_DONTWAIT, undefined, Int32Array.from(fds));
}

/** What an attempt to receive has come to, where it is no length. */
export const NO_PACKET = -1;
export const NO_MORE_PACKETS = -2;
export const MALFORMED_PACKET = -3;

/** The same with what came. */
export type Packet =
  | { readonly kind: 'none' | 'end' | 'malformed' }
  | { readonly kind: 'packet'; readonly length: number; readonly fds: readonly Fd[] };

const NONE: Packet = { kind: 'none' };
const END: Packet = { kind: 'end' };
const MALFORMED: Packet = { kind: 'malformed' };

/** The receiving end: asked for packets, and told when to ask again. */
export class PacketReceiver implements EventTarget, Closable {
  fd: Fd;
  generation = 0;
  /** Something may be there: true from an event until a call finds nothing. */
  ready = true;
  /** The caller asks for nothing while `ready` is false. */
  waitsByLevel = false;
  /** Calls in a row that found nothing, after one that did; once that is LEVEL, how many have found something since, too. */
  private misses = 0;
  /** An event has made it `ready`, and nothing has been received since. */
  private wasTold = false;
  private readonly group: IoGroup;
  private readonly onReady: () => void;
  private readonly areQuestions: boolean;

  /**
   * @param onReady  `ready` has become true
   * @param areQuestions  the first descriptor of each packet is a socket for the answer to it
   */
  constructor(fd: Fd, group: IoGroup, onReady: () => void, areQuestions = false) {
    this.fd = fd;
    this.areQuestions = areQuestions;
    this.group = group;
    this.onReady = onReady;
    hold(fd);
    group.add(this);
  }

  /** Ask for events. @returns 0, or -errno: there will be none */
  watch(): number {
    if (this.fd < 0 || this.generation !== 0) return this.fd < 0 ? -EPERM : 0;
    return register(this.fd, this);
  }

  onEvents(): void {
    if (this.ready) {
      // Nobody has asked since: it would come again and again.
      if (this.misses >= LEVEL) this.endLevel();
      return;
    }
    this.ready = true;
    this.wasTold = true;
    this.onReady();
  }

  private missed(): void {
    const { wasTold } = this;
    this.ready = false;
    this.wasTold = false;
    if (wasTold && this.misses >= LEVEL) return this.endLevel();
    if (!this.waitsByLevel || this.misses >= LEVEL || ++this.misses < LEVEL) return;
    if (this.generation === 0 || setLevel(this.fd, true) < 0) this.misses = 0;
  }

  private found(): void {
    if (this.misses === 0) return;
    const { wasTold } = this;
    this.wasTold = false;
    if (!wasTold) {
      // There was more than one.
      if (this.misses >= LEVEL) this.endLevel();
      this.misses = 0;
    } else if (this.misses >= LEVEL) {
      this.ready = ++this.misses === PROBE;
      if (this.ready) this.misses = LEVEL;
    }
  }

  private endLevel(): void {
    this.misses = 0;
    setLevel(this.fd, false); // and the kernel tells anew what there is
  }

  /**
   * @param out  room for as many descriptors as a message may have: they are the caller's
   */
  receive(bytes: Uint8Array, out: Int32Array): Packet {
    const length = this.receiveLength(bytes, out);
    switch (length) {
      case NO_PACKET:
        return NONE;
      case NO_MORE_PACKETS:
        return END;
      case MALFORMED_PACKET:
        return MALFORMED;
    }
    return { kind: 'packet', length, fds: descriptorsIn(out) };
  }

  /**
   * The same without an object for it.
   * @returns  > 0, and `descriptorsIn(out)` are the caller's; or NO_PACKET and the like
   */
  receiveLength(bytes: Uint8Array, out: Int32Array): number {
    if (this.fd < 0) return NO_MORE_PACKETS;
    let length: number;
    do length = receivePacket(this.fd, bytes, out);
    while (length === -EINTR);
    if (length === -EAGAIN) {
      this.missed();
      return NO_PACKET;
    }
    if (length < 0) return NO_MORE_PACKETS;
    this.found();
    if (length > 0 && (out[PACKET_FLAGS]! & (MSG_TRUNC | MSG_CTRUNC)) === 0) return length;
    const fds = descriptorsIn(out);
    closeAll(fds);
    return length === 0 && fds.length === 0 ? NO_MORE_PACKETS : MALFORMED_PACKET;
  }

  close(): void {
    const { fd } = this;
    if (fd < 0) return;
    unregister(fd, this);
    this.fd = -1;
    this.group.delete(this);
    discardPackets(fd, this.areQuestions);
    closeHeld(fd);
  }
}

const NOTHING: readonly Fd[] = [];

/** What `receiveLength` has received besides. */
export function descriptorsIn(out: Int32Array): readonly Fd[] {
  const count = out[PACKET_FD_COUNT]!;
  if (count === 0) return NOTHING;
  const fds: Fd[] = [];
  for (let i = 0; i < count; i++) fds.push(out[PACKET_FDS + i]!);
  return fds;
}

/** Send a descriptor alone, with room for it in the socket. @returns -errno, or ≥ 0 */
export function giveDescriptor(socket: Fd, fd: Fd): number {
  const byte = new Uint8Array(1);
  return sendmsgUnix(socket, byte, 0, 1, MSG_DONTWAIT, undefined, Int32Array.of(fd));
}

/** What `giveDescriptor` has sent; undefined: that is not what there is. */
export function takeDescriptor(socket: Fd): Fd | undefined {
  const out = new Int32Array(PACKET_FDS + 1);
  const length = receivePacket(socket, new Uint8Array(1), out);
  return length === 1 && out[PACKET_FD_COUNT] === 1 ? out[PACKET_FDS]! : undefined;
}

export function closeAll(fds: readonly Fd[]): void {
  for (const fd of fds) closeAtOnce(fd);
}
