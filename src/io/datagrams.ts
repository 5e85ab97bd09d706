/**
 * Datagrams that a socket has received ahead of those who ask for them. Where many have come, one system call
 * brings up to 32; the first goes where it was asked for, and each of the others costs a copy. They come first in
 * all that the socket is asked then: they are the head of the kernel's queue. docs/decisions/0032-datagrams-ahead.md
 *
 * Only where several were there in a row is that tried. A buffer is borrowed for as long as some wait in it.
 */
import {
  AHEAD_SIZE,
  AHEAD_STRIDE,
  ENTRY_SENDER,
  ENTRY_SIZE,
  FIRST_AHEAD,
  MOST_DATAGRAMS,
  receiveAhead,
} from '../sys/datagrams.ts';
import { EAGAIN, ENOSYS } from '../sys/errno.ts';
import { MSG_PEEK } from '../sys/socket.ts';
import { unpackEndpoint } from './endpoint.ts';
import { type Operation, PENDING, type Target } from './operation.ts';

/** No buffer, or no such system call: receive one by itself. */
export const UNAVAILABLE = PENDING;

/** So many in a row, and there may be many more. */
const ROW = 4;
const LONGEST_ROW = 64;
/** Below this a loop is faster than a view and a call. */
const SMALL = 128;
/** Buffers (of 2 MB, of which the kernel gives what is written to) that all sockets together may have. */
const MOST_BUFFERS = 4;

const HEADS_EACH = ENTRY_SIZE >> 2;

export interface Drainable extends Target {
  /** There is nothing more to read; what comes has an event. */
  drained(): void;
}

class Buffer {
  readonly bytes = new Uint8Array(AHEAD_SIZE);
  readonly heads = new Int32Array(this.bytes.buffer, 0, FIRST_AHEAD >> 2);
}

const spare: Buffer[] = [];
let made = 0;
let received = 0;

/** For tests: how many datagrams have been received ahead. */
export const receivedAhead = (): number => received;

function borrow(): Buffer | undefined {
  if (spare.length > 0) return spare.pop();
  return made < MOST_BUFFERS && ++made ? new Buffer() : undefined;
}

export class DatagramsAhead {
  private buffer: Buffer | undefined = undefined;
  private next = 1;
  private count = 1;
  /** Datagrams that were there, one after the other. */
  private row = 0;
  /** How many of those are reason to look for more. */
  private enough = ROW;

  /** Whether one is here. */
  get any(): boolean {
    return this.next < this.count;
  }

  /** The size of the next one. */
  get size(): number {
    return this.buffer!.heads[this.next * HEADS_EACH]!;
  }

  /** Whether `receive` is to be used in place of a system call for one. */
  get isWorthwhile(): boolean {
    return this.row >= this.enough;
  }

  /** One was received by itself, or there was none. */
  note(result: number): void {
    if (result >= 0) this.row++;
    else if (result === -EAGAIN) this.row = 0;
  }

  /** Take the next one, as recvfrom(2) would. */
  take(op: Operation): number {
    const { next } = this;
    const { bytes, heads } = this.buffer!;
    const size = heads[next * HEADS_EACH]!;
    const count = size < op.length ? size : op.length;
    const from = FIRST_AHEAD + (next - 1) * AHEAD_STRIDE;
    const out = op.bytes!;
    const { offset } = op;
    if (count <= SMALL) for (let i = 0; i < count; i++) out[offset + i] = bytes[from + i]!;
    else out.set(bytes.subarray(from, from + count), offset);
    op.value = unpackEndpoint(bytes, next * ENTRY_SIZE + ENTRY_SENDER);
    if ((op.flags & MSG_PEEK) === 0 && ++this.next >= this.count) this.drop();
    return count;
  }

  /**
   * Receive one, and what comes behind it, while none is here.
   * @returns its size; -errno; or UNAVAILABLE
   */
  receive(op: Operation, target: Drainable): number {
    const buffer = borrow();
    if (buffer === undefined) return UNAVAILABLE;
    const count = receiveAhead(target.fd, op.bytes!, op.offset, op.length, buffer.bytes);
    if (count <= 0) {
      spare.push(buffer);
      this.row = 0;
      if (count !== -ENOSYS) return count;
      this.enough = Number.POSITIVE_INFINITY;
      return UNAVAILABLE;
    }
    op.value = unpackEndpoint(buffer.bytes, ENTRY_SENDER);
    const size = buffer.heads[0]!;
    if (count === 1) spare.push(buffer);
    else {
      this.buffer = buffer;
      this.next = 1;
      this.count = count;
      received += count - 1;
    }
    if (count < MOST_DATAGRAMS) {
      this.row = 0;
      target.drained();
    }
    this.enough = count >= ROW ? 0 : Math.min(Math.max(ROW, this.enough * 2), LONGEST_ROW);
    return size;
  }

  /** Those that are here are lost. */
  drop(): void {
    const { buffer } = this;
    this.next = this.count = 1;
    if (buffer === undefined) return;
    this.buffer = undefined;
    spare.push(buffer);
  }
}
