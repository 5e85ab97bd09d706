/** Asking who has a directory: a pair of sockets for each question, one end of which goes with it. */
import { EPIPE } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { SOCK_SEQPACKET } from '../sys/socket.ts';
import { PACKET_FD_COUNT, PACKET_FDS, receivePacket, socketpair } from '../sys/unix.ts';
import { Descriptor } from './descriptor.ts';
import { type Carries, decodeAnswer, MAX_ANSWER } from './directory-protocol.ts';
import type { IoGroup } from './group.ts';
import type { Operation } from './operation.ts';
import { OwnedFd } from './owned-fd.ts';
import { closeAll, isPacketSocket } from './packet.ts';

/** What has come: `fd` belongs to who gets it; -1: none. Who answers may be hostile, too. */
export interface Received {
  /** ≥ 0, or -errno */
  readonly result: number;
  readonly body: Uint8Array;
  readonly carries: Carries;
  readonly fd: Fd;
}

export class Asking {
  private readonly near: Descriptor;
  private readonly far: OwnedFd;

  /** EMFILE */
  constructor(group: IoGroup) {
    const [near, far] = socketpair(SOCK_SEQPACKET);
    this.near = new Descriptor(near, group);
    this.far = new OwnedFd(far, group);
  }

  /** What goes with the question. */
  get answerTo(): Fd {
    return this.far.fd;
  }

  /** The question has gone: without this end nobody would see that there is no answer. */
  isSent(): void {
    this.far.close();
  }

  /** @returns 0 with `op.value`: Received; -errno; PENDING. -EPIPE: there is no answer */
  receive(op: Operation): number {
    return this.near.start(op, this.near.reads, attemptAnswer);
  }

  close(): void {
    this.near.close();
    this.far.close();
  }
}

const packet = new Uint8Array(MAX_ANSWER + 1);
/** And room for one more than there may be. */
const out = new Int32Array(PACKET_FDS + 2);

function attemptAnswer(op: Operation): number {
  const length = receivePacket(op.target!.fd, packet, out);
  if (length < 0) return length;
  const fds = Array.from(out.subarray(PACKET_FDS, PACKET_FDS + out[PACKET_FD_COUNT]!));
  const answer = decodeAnswer(packet, length, fds.length);
  const isGood =
    answer !== undefined && (answer.carries !== 'directory' || isPacketSocket(fds[0]!));
  if (!isGood || answer.result < 0) closeAll(fds);
  if (!isGood) return -EPIPE;
  // Beside the operation's own result, of which some errors mean that it has to wait.
  op.value = { ...answer, fd: answer.result < 0 ? -1 : (fds[0] ?? -1) } satisfies Received;
  return 0;
}
