/**
 * The sockets of libc_service. Each question brings one of its own for the answer, so that threads and children of the slave's
 * process never get one another's. Whoever asks may be hostile: what is no question ends the service, and nothing of it
 * stays open.
 */
import {
  EAGAIN,
  EBADMSG,
  ECONNREFUSED,
  ECONNRESET,
  EINTR,
  ENOTCONN,
  EPIPE,
  SysError,
} from '../sys/errno.ts';
import { dup } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { SOCK_SEQPACKET } from '../sys/socket.ts';
import { memfdOf } from '../sys/supervisor.ts';
import {
  discardPackets,
  MSG_CTRUNC,
  MSG_TRUNC,
  PACKET_FD_COUNT,
  PACKET_FDS,
  PACKET_FLAGS,
  receivePacket,
  socketpair,
} from '../sys/unix.ts';
import { Descriptor } from './descriptor.ts';
import type { Closable, IoGroup } from './group.ts';
import {
  type Call,
  decodeQuestion,
  encodeFilters,
  FILTERS_FOLLOW,
  MAX_QUESTION,
  type Question,
} from './libc-service-protocol.ts';
import type { Operation } from './operation.ts';
import { OwnedFd } from './owned-fd.ts';
import { closeAll, closeAnswerSocket, closeUnasked, isPacketSocket, sendAtOnce } from './packet.ts';

/** The socket for the answer, one that the call is about, and one more than there may be. */
const ROOM = 3;

/** Descriptors that come are counted: who sends many is to wait until those that nobody has any more are closed. */
export interface Gate {
  /** @returns whether a question may be received; otherwise `goOn` is called when it may */
  open(goOn: () => void): boolean;
  /** One has come. */
  passed(group: IoGroup): void;
}

/** The master's end. */
export class ServiceEnd extends Descriptor {
  private readonly brings: IoGroup;
  private readonly gate: Gate;
  /** What has been asked, and not yet answered. */
  question: Question | undefined = undefined;
  private answerTo: OwnedFd | undefined = undefined;
  private brought: OwnedFd | undefined = undefined;

  constructor(fd: Fd, group: IoGroup, gate: Gate) {
    super(fd, group);
    this.brings = group;
    this.gate = gate;
  }

  get isReceiving(): boolean {
    return this.reads.head !== null;
  }

  /** @returns 1: `question` is there; 0: nobody can ask any more; -EBADMSG: it is closed; PENDING */
  nextQuestion(op: Operation): number {
    return this.start(op, this.reads, attemptReceive);
  }

  /** For attemptReceive. */
  take(): number {
    if (!this.gate.open(() => this.goOn())) return -EAGAIN;
    let length: number;
    let tries = 0;
    do length = receivePacket(this.fd, bytes, out);
    while (
      // ECONNRESET, once: those who could ask are gone, but what they have asked is there.
      length === -EINTR ||
      (length === -ECONNRESET && tries++ === 0)
    );
    if (length < 0) return length === -ECONNRESET ? 0 : length;
    const fds = Array.from(out.subarray(PACKET_FDS, PACKET_FDS + out[PACKET_FD_COUNT]!));
    if (length === 0 && fds.length === 0) return 0;
    const isCut = (out[PACKET_FLAGS]! & (MSG_TRUNC | MSG_CTRUNC)) !== 0;
    const question = isCut ? undefined : decodeQuestion(bytes, length, fds.length);
    if (question === undefined || !isPacketSocket(fds[0]!)) {
      closeUnasked(fds);
      return -EBADMSG;
    }
    this.question = question;
    this.answerTo = new OwnedFd(fds[0]!, this.brings);
    if (fds[1] !== undefined) this.brought = new OwnedFd(fds[1], this.brings);
    this.gate.passed(this.brings);
    return 1;
  }

  /** The descriptor that came with the question, which is the caller's from now on; undefined: it has been taken */
  takeBrought(): Fd | undefined {
    const fd = this.brought?.take();
    this.brought = undefined;
    return fd;
  }

  /**
   * The answer to the question. That nobody waits for it any more is no error.
   * @returns 0, or -errno (ETOOMANYREFS, ENOBUFS): it can be answered again
   */
  answer(packet: Uint8Array, fds: readonly Fd[]): number {
    const result = sendAtOnce(this.answerTo!.fd, packet, packet.length, fds);
    if (result < 0 && !NOBODY.has(-result)) return result;
    this.forget();
    return 0;
  }

  private forget(): void {
    this.question = undefined;
    if (this.answerTo !== undefined) closeAnswerSocket(this.answerTo.take());
    this.brought?.close();
    this.answerTo = this.brought = undefined;
  }

  /** Whoever waits for an answer sees that there will be none. */
  override close(): void {
    this.forget();
    if (this.fd >= 0) discardPackets(this.fd, true);
    super.close();
  }
}

/** What sending says when the other end is gone, or is no socket that could take an answer. */
const NOBODY: ReadonlySet<number> = new Set([EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN, EAGAIN]);

const bytes = new Uint8Array(MAX_QUESTION + 1);
const out = new Int32Array(PACKET_FDS + ROOM);

const attemptReceive = (op: Operation): number => (op.target as ServiceEnd).take();

/** The slave's socket, and another number of its master's, from which the filters come. */
export class SlaveEnd implements Closable {
  private readonly socket: OwnedFd;
  private readonly peer: OwnedFd;

  constructor(socket: Fd, peer: Fd, group: IoGroup) {
    this.socket = new OwnedFd(socket, group);
    this.peer = new OwnedFd(peer, group);
  }

  get isOpen(): boolean {
    return this.socket.isOpen;
  }

  close(): void {
    this.socket.close();
    this.peer.close();
  }

  /**
   * Let a process have it.
   * @param start  is given the socket, which is complete; if it throws, the slave is as it was
   * @throws SysError  EMFILE
   */
  give<T>(filters: ReadonlyMap<Call, string>, start: (socket: Fd) => T): T {
    this.sendFilters(filters);
    let result: T;
    try {
      result = start(this.socket.fd);
    } catch (error) {
      this.takeFiltersBack();
      throw error;
    }
    this.close();
    return result;
  }

  private sendFilters(filters: ReadonlyMap<Call, string>): void {
    const fds = filters.size === 0 ? [] : [memfdOf(encodeFilters(filters))];
    const result = sendAtOnce(this.peer.fd, FILTERS_FOLLOW, FILTERS_FOLLOW.length, fds);
    closeAll(fds);
    if (result < 0) throw new SysError('sendmsg', -result);
  }

  private takeFiltersBack(): void {
    receivePacket(this.socket.fd, bytes, out);
    closeAll(Array.from(out.subarray(PACKET_FDS, PACKET_FDS + out[PACKET_FD_COUNT]!)));
  }
}

/** @throws SysError  EMFILE */
export function servicePair(group: IoGroup, gate: Gate): readonly [ServiceEnd, SlaveEnd] {
  const [near, far] = socketpair(SOCK_SEQPACKET);
  let peer: Fd;
  try {
    peer = dup(near);
  } catch (error) {
    closeAll([near, far]);
    throw error;
  }
  return [new ServiceEnd(near, group, gate), new SlaveEnd(far, peer, group)];
}
