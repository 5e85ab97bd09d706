/**
 * The memory that all threads of the process share, and nothing but that: which threads there are, a ring of
 * frames for each, and what senders of other threads must know of a mailbox.
 *
 * A thread has a *slot*. Its ring has many writers, who take a lock, and one reader, who needs none. A frame
 * that is too large for it comes in pieces. A thread can end in the middle of anything: the lock says whose it is, and
 * who waits for it takes it from one that has ended. A frame is there when TAIL has passed it, so the ring is whole
 * at any moment.
 *
 * A mailbox that others know has an *entry* in the slot of its thread. Counts are changed by whoever has to, so
 * that no message is needed to know them:
 *
 * - REFERENCES: addresses of it in other threads, and in messages on their way. Who takes the last one away tells
 *   the owner. From 0 only the owner can lead it up again, so that 0 means 0.
 * - COUNT: messages of other threads that have been sent and not been received. Up to LIMIT another may be.
 *
 * What a thread has added to these counts by itself is written down in its slot (*holdings*), so that it can be taken
 * away when the thread ends without having done it.
 */

import { existsSync, readlinkSync } from 'node:fs';
import { asUnshared } from '../../io/shared-bytes.ts';
import type { End } from '../trace.ts';

/** Threads at once; mailboxes of one that others know; bytes that wait for one. */
export const SLOTS = 128;
export const ENTRIES = 16384;
const RING = 256 * 1024;
/** Of a frame, in one piece. */
const MAX_PIECE = RING / 4;
/** Its length and whether more of the frame follows; who sends it; the length of the frame. */
const PIECE_HEADER = 16;
/** Bytes that a piece takes in the ring: headers are never in two parts. */
const sizeOf = (length: number): number => PIECE_HEADER + ((length + 15) & ~15);

/** Words of the whole: threads that do something + frames on their way; what has happened; pools made. */
export const BUSY = 0;
export const EVENTS = 1;
const POOLS = 2;
const HEADER_WORDS = 16;

/** Words of a slot. */
const LOCK = 0;
const HEAD = 1;
const TAIL = 2;
const RUNG = 3;
const STATE = 4;
const POOL = 5;
const VMS = 6;
const BELL = 7;
const STALLED = 8;
/** The pool takes no more threads. */
const ALONE = 9;
const CURSOR = 10;
/** The thread itself counts in BUSY. */
export const AWAKE = 11;
/** Frames that count there and that it has no room for. */
export const UNSENT = 12;
/** Its number in the kernel; 0: not known. */
const TID = 13;
/** Holdings that are, or were, in use. */
const HELD = 14;
const SLOT_WORDS = 16;

/** States of a slot: nobody's; a thread's that is started with its first VM; a thread's. */
const FREE = 0;
const RESERVED = 1;
const ALIVE = 2;

/** Words of an entry. */
const E_STATE = 0;
const E_COUNT = 1;
const E_LIMIT = 2;
const E_REFERENCES = 3;
/** Bits, by slot % 32, of threads that wait for room. */
const E_WANTED = 4;
/** For a trace: whose mailbox it is, and of which request. */
const E_ACTOR = 5;
const E_REQUEST = 6;
const ENTRY_WORDS = 8;

/** Words of a holding: a mailbox of another thread; addresses of it; messages for it that are not in its ring yet. */
const H_ADDRESS = 0;
const H_LEASES = 1;
const H_CLAIMS = 2;
const HOLDING_WORDS = 4;
/** Of a thread. What it has of more mailboxes is not written down. */
const HOLDINGS = 16384;

const E_FREE = 0;
const E_OPEN = 1;
const E_CLOSED = 2;

const SLOT_SIZE = (SLOT_WORDS + ENTRIES * ENTRY_WORDS + HOLDINGS * HOLDING_WORDS) * 4 + RING;
const HEADER_SIZE = HEADER_WORDS * 4;

/** The kernel gives the pages that are used. */
export function makeSharedMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_SIZE + SLOTS * SLOT_SIZE);
}

/** Where a mailbox is: its slot and entry in one number. */
export type Address = number;
export const addressAt = (slot: number, entry: number): Address => slot * ENTRIES + entry;
export const slotOf = (address: Address): number => Math.floor(address / ENTRIES);
export const entryOf = (address: Address): number => address % ENTRIES;

export type Pushed = 'pushed' | 'full' | 'gone';

/** What is next in a ring. */
export interface Piece {
  from: number;
  /** The frame goes on. */
  more: boolean;
  length: number;
  /** Bytes of the whole frame. */
  total: number;
}

export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  /** For frames of one piece. */
  readonly piece = Buffer.allocUnsafeSlow(MAX_PIECE);
  private readonly next: Piece = { from: 0, more: false, length: 0, total: 0 };

  /** The slot of the thread that uses this object. */
  private readonly own: number;

  constructor(buffer: SharedArrayBuffer, own: number) {
    this.buffer = buffer;
    this.own = own;
    this.words = new Int32Array(buffer);
    this.bytes = asUnshared(buffer); // a piece is written before TAIL passes it, and read before HEAD does
    this.set(own, TID, threadNumber());
    this.set(own, HELD, 0); // a thread that had the slot before may have left some
  }

  // ── slots ──

  private slotWord(slot: number, word: number): number {
    return (HEADER_SIZE + slot * SLOT_SIZE) / 4 + word;
  }

  get(slot: number, word: number): number {
    return Atomics.load(this.words, this.slotWord(slot, word));
  }

  set(slot: number, word: number, value: number): void {
    Atomics.store(this.words, this.slotWord(slot, word), value);
  }

  add(slot: number, word: number, n: number): number {
    return Atomics.add(this.words, this.slotWord(slot, word), n) + n;
  }

  /** The main thread's slot is 0, and so is its pool. */
  beginMain(isAlone: boolean): void {
    this.set(0, ALONE, isAlone ? 1 : 0);
    this.set(0, STATE, ALIVE);
  }

  newPool(): number {
    return Atomics.add(this.words, POOLS, 1) + 1;
  }

  /** @returns undefined: there are as many threads as there can be */
  reserve(pool: number, isAlone: boolean): number | undefined {
    for (let slot = 1; slot < SLOTS; slot++) {
      const state = this.slotWord(slot, STATE);
      if (Atomics.compareExchange(this.words, state, FREE, RESERVED) !== FREE) continue;
      this.set(slot, ALONE, isAlone ? 1 : 0);
      this.set(slot, VMS, 0);
      this.set(slot, POOL, pool);
      return slot;
    }
    return undefined;
  }

  /** It takes frames from now on. @returns false: it did already */
  begin(slot: number): boolean {
    return (
      Atomics.compareExchange(this.words, this.slotWord(slot, STATE), RESERVED, ALIVE) === RESERVED
    );
  }

  /** One that has not begun. */
  unreserve(slot: number): void {
    Atomics.compareExchange(this.words, this.slotWord(slot, STATE), RESERVED, FREE);
  }

  isAlive(slot: number): boolean {
    return this.get(slot, STATE) === ALIVE;
  }

  isGone(slot: number): boolean {
    return this.get(slot, STATE) === FREE;
  }

  poolOf(slot: number): number {
    return this.get(slot, POOL);
  }

  isAlone(slot: number): boolean {
    return this.get(slot, ALONE) === 1;
  }

  /** What wakes it: one for a slot, for good, since others may ring at any time. 0: none yet */
  bellOf(slot: number): number {
    return this.get(slot, BELL);
  }

  setBell(slot: number, bell: number): void {
    this.set(slot, BELL, bell);
  }

  /** VMs in a thread, or on their way to it. @returns how many there are then */
  countVms(slot: number, change: number): number {
    return this.add(slot, VMS, change);
  }

  setVms(slot: number, count: number): void {
    this.set(slot, VMS, count);
  }

  /** Slots of the threads of a pool. */
  threadsOf(pool: number): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.get(slot, STATE) !== FREE && this.get(slot, POOL) === pool) slots.push(slot);
    }
    return slots;
  }

  vmsOf(slots: readonly number[]): number {
    let count = 0;
    for (const slot of slots) count += this.get(slot, VMS);
    return count;
  }

  /** The one of these with the fewest VMs, `own` before others. */
  leastOf(slots: readonly number[], own: number): number {
    let least = own;
    let count = this.get(own, VMS);
    for (const slot of slots) {
      const vms = this.get(slot, VMS);
      if (vms >= count) continue;
      count = vms;
      least = slot;
    }
    return least;
  }

  // ── rings ──

  /** Whose it is: a slot, from 1 on. */
  private lock(slot: number): void {
    const { words } = this;
    const lock = this.slotWord(slot, LOCK);
    const mine = this.own + 1;
    for (let tries = 1; ; tries++) {
      const owner = Atomics.compareExchange(words, lock, 0, mine);
      if (owner === 0) return;
      // Whoever has it copies bytes and nothing else, unless the kernel has stopped it.
      if (tries % SPINS !== 0) continue;
      Atomics.wait(words, lock, owner, 0.1);
      if (tries % (SPINS * 64) !== 0 || !this.hasEnded(owner - 1)) continue;
      if (Atomics.compareExchange(words, lock, owner, mine) === owner) return;
    }
  }

  /** The thread of this slot is known to have ended. */
  private hasEnded(slot: number): boolean {
    const [tid, own] = [this.get(slot, TID), this.get(this.own, TID)];
    return tid !== 0 && own !== 0 && !isThread(tid) && isThread(own);
  }

  private unlock(slot: number): void {
    Atomics.store(this.words, this.slotWord(slot, LOCK), 0);
  }

  /**
   * As much of a frame as there is room for, in pieces.
   * @param progress  how many of its bytes have been pushed: it is moved on
   */
  push(slot: number, from: number, frame: Uint8Array, progress: { at: number }): Pushed {
    this.lock(slot);
    try {
      if (!this.isAlive(slot)) return 'gone';
      let tail = this.get(slot, TAIL) >>> 0;
      while (progress.at < frame.length) {
        const length = Math.min(frame.length - progress.at, MAX_PIECE);
        const size = sizeOf(length);
        const used = (tail - this.get(slot, HEAD)) >>> 0;
        if (used + size > RING) return 'full';
        const end = progress.at + length;
        const at = tail % RING;
        const word = (this.ringAt(slot) + at) / 4;
        this.words[word] = length * 2 + (end < frame.length ? 1 : 0);
        this.words[word + 1] = from;
        this.words[word + 2] = frame.length;
        this.copyIn(slot, (at + PIECE_HEADER) % RING, frame, progress.at, length);
        tail = (tail + size) >>> 0;
        this.set(slot, TAIL, tail | 0);
        progress.at = end;
      }
      return 'pushed';
    } finally {
      this.unlock(slot);
    }
  }

  private ringAt(slot: number): number {
    return HEADER_SIZE + slot * SLOT_SIZE + SLOT_SIZE - RING;
  }

  private copyIn(slot: number, at: number, frame: Uint8Array, from: number, length: number): void {
    const base = this.ringAt(slot);
    const first = Math.min(length, RING - at);
    if (length <= FEW) {
      for (let i = 0; i < first; i++) this.bytes[base + at + i] = frame[from + i]!;
      for (let i = first; i < length; i++) this.bytes[base + i - first] = frame[from + i]!;
      return;
    }
    this.bytes.set(frame.subarray(from, from + first), base + at);
    if (first < length) this.bytes.set(frame.subarray(from + first, from + length), base);
  }

  /** What is next for this thread: until it has been taken, or another is asked for. */
  peek(slot: number): Piece | undefined {
    const head = this.get(slot, HEAD) >>> 0;
    if (head === this.get(slot, TAIL) >>> 0) return undefined;
    const word = (this.ringAt(slot) + (head % RING)) / 4;
    const { next } = this;
    const header = this.words[word]!;
    next.more = (header & 1) === 1;
    next.length = header >> 1;
    next.from = this.words[word + 1]!;
    next.total = this.words[word + 2]!;
    return next;
  }

  /** Take it into `target`, at `to`. @returns whether half of the ring has become free by that */
  take(slot: number, target: Uint8Array, to: number): boolean {
    const { length } = this.next;
    const head = this.get(slot, HEAD) >>> 0;
    const base = this.ringAt(slot);
    const start = (head + PIECE_HEADER) % RING;
    const first = Math.min(length, RING - start);
    const { bytes } = this;
    if (length <= FEW) {
      for (let i = 0; i < first; i++) target[to + i] = bytes[base + start + i]!;
      for (let i = first; i < length; i++) target[to + i] = bytes[base + i - first]!;
    } else {
      target.set(bytes.subarray(base + start, base + start + first), to);
      if (first < length) target.set(bytes.subarray(base, base + length - first), to + first);
    }
    const size = sizeOf(length);
    const used = ((this.get(slot, TAIL) >>> 0) - head) >>> 0;
    this.set(slot, HEAD, (head + size) | 0);
    return used >= RING / 2 && used - size < RING / 2;
  }

  isEmpty(slot: number): boolean {
    return this.get(slot, HEAD) === this.get(slot, TAIL);
  }

  /** @returns whether its thread must be woken: nobody else has since it looked */
  mustRing(slot: number): boolean {
    return Atomics.exchange(this.words, this.slotWord(slot, RUNG), 1) === 0;
  }

  /** Its thread looks now. */
  answered(slot: number): void {
    this.set(slot, RUNG, 0);
  }

  /** A thread has something that there is no room for. */
  stall(slot: number, by: number): void {
    Atomics.or(this.words, this.slotWord(slot, STALLED), bitOf(by));
  }

  /** Those that have, once. */
  takeStalled(slot: number): number {
    const word = this.slotWord(slot, STALLED);
    return Atomics.load(this.words, word) === 0 ? 0 : Atomics.exchange(this.words, word, 0);
  }

  /**
   * The end of a thread, unless there is something in its ring, or a VM in its pool.
   * @param last  what is done before others may have the slot; undefined: the thread has ended already
   */
  end(slot: number, last?: () => void): boolean {
    if (last === undefined) {
      for (let i = 0; i < SLOTS; i++)
        Atomics.compareExchange(this.words, this.slotWord(i, LOCK), slot + 1, 0);
    }
    this.lock(slot);
    try {
      if (last === undefined) this.closeAll(slot);
      else if (!this.isEmpty(slot) || this.vmsOf(this.threadsOf(this.poolOf(slot))) > 0)
        return false;
      else last();
      this.set(slot, VMS, 0);
      this.set(slot, STALLED, 0);
      this.set(slot, STATE, FREE);
      return true;
    } finally {
      this.unlock(slot);
    }
  }

  // ── mailboxes ──

  private entryWord(address: Address, word: number): number {
    const slot = slotOf(address);
    return this.slotWord(slot, SLOT_WORDS + entryOf(address) * ENTRY_WORDS + word);
  }

  /** A new entry, open. @returns undefined: all are taken */
  allocate(slot: number): Address | undefined {
    for (let i = 0; i < ENTRIES; i++) {
      const address = addressAt(slot, (this.add(slot, CURSOR, 1) >>> 0) % ENTRIES);
      const state = this.entryWord(address, E_STATE);
      if (Atomics.compareExchange(this.words, state, E_FREE, E_OPEN) !== E_FREE) continue;
      for (const word of [E_COUNT, E_REFERENCES, E_WANTED])
        Atomics.store(this.words, this.entryWord(address, word), 0);
      return address;
    }
    return undefined;
  }

  free(address: Address): void {
    Atomics.store(this.words, this.entryWord(address, E_STATE), E_FREE);
  }

  /** Its thread is gone, and nobody knows it any more. */
  freeClosed(address: Address): void {
    Atomics.compareExchange(this.words, this.entryWord(address, E_STATE), E_CLOSED, E_FREE);
  }

  isOpen(address: Address): boolean {
    return Atomics.load(this.words, this.entryWord(address, E_STATE)) === E_OPEN;
  }

  close(address: Address): void {
    Atomics.store(this.words, this.entryWord(address, E_STATE), E_CLOSED);
  }

  /** All that its owner can't close any more. */
  private closeAll(slot: number): void {
    const all: Address[] = [];
    for (let entry = 0; entry < ENTRIES; entry++) all.push(addressAt(slot, entry));
    this.closeSome(all.filter((address) => this.isOpen(address)));
  }

  /** Close these; those that nobody knows are free again. */
  closeSome(addresses: Iterable<Address>): void {
    for (const address of addresses) {
      this.close(address);
      if (this.references(address) === 0) this.freeClosed(address);
    }
  }

  /** For a trace. */
  setEnd(address: Address, end: End | undefined): void {
    if (end === undefined) return;
    Atomics.store(this.words, this.entryWord(address, E_ACTOR), end.actor);
    Atomics.store(this.words, this.entryWord(address, E_REQUEST), end.request);
  }

  endOf(address: Address): End {
    return {
      actor: Atomics.load(this.words, this.entryWord(address, E_ACTOR)),
      request: Atomics.load(this.words, this.entryWord(address, E_REQUEST)),
    };
  }

  references(address: Address): number {
    return Atomics.load(this.words, this.entryWord(address, E_REFERENCES));
  }

  retain(address: Address): void {
    Atomics.add(this.words, this.entryWord(address, E_REFERENCES), 1);
  }

  /** @returns true: that was the last */
  release(address: Address): boolean {
    return Atomics.sub(this.words, this.entryWord(address, E_REFERENCES), 1) === 1;
  }

  setLimit(address: Address, limit: number): void {
    Atomics.store(this.words, this.entryWord(address, E_LIMIT), limit);
  }

  /** Messages that were sent and not received. */
  count(address: Address): number {
    return Atomics.load(this.words, this.entryWord(address, E_COUNT));
  }

  /** Room for one message is taken, if there is any. */
  claim(address: Address): boolean {
    const word = this.entryWord(address, E_COUNT);
    const limit = Atomics.load(this.words, this.entryWord(address, E_LIMIT));
    for (;;) {
      const count = Atomics.load(this.words, word);
      if (count >= limit) return false;
      if (Atomics.compareExchange(this.words, word, count, count + 1) === count) return true;
    }
  }

  unclaim(address: Address): void {
    Atomics.sub(this.words, this.entryWord(address, E_COUNT), 1);
  }

  /** Tell this thread when there may be room. */
  want(address: Address, by: number): void {
    Atomics.or(this.words, this.entryWord(address, E_WANTED), bitOf(by));
  }

  /** Who is to be told, once. */
  takeWanted(address: Address): number {
    const word = this.entryWord(address, E_WANTED);
    return Atomics.load(this.words, word) === 0 ? 0 : Atomics.exchange(this.words, word, 0);
  }

  // ── holdings ──

  private held = 0;
  private readonly unheld: number[] = [];

  private holdingWord(slot: number, holding: number, word: number): number {
    return this.slotWord(slot, SLOT_WORDS + ENTRIES * ENTRY_WORDS + holding * HOLDING_WORDS + word);
  }

  /** A new one of this thread. @returns -1: there are no more */
  hold(address: Address): number {
    const holding = this.unheld.pop() ?? (this.held < HOLDINGS ? this.held++ : -1);
    if (holding < 0) return -1;
    for (const [word, value] of [
      [H_ADDRESS, address],
      [H_LEASES, 0],
      [H_CLAIMS, 0],
    ] as const)
      Atomics.store(this.words, this.holdingWord(this.own, holding, word), value);
    this.set(this.own, HELD, this.held);
    return holding;
  }

  /** It is of no use any more. */
  unhold(holding: number): void {
    if (holding < 0) return;
    for (const word of [H_LEASES, H_CLAIMS])
      Atomics.store(this.words, this.holdingWord(this.own, holding, word), 0);
    this.unheld.push(holding);
  }

  countLeases(holding: number, change: number): void {
    if (holding >= 0)
      Atomics.add(this.words, this.holdingWord(this.own, holding, H_LEASES), change);
  }

  countClaims(holding: number, change: number): void {
    if (holding >= 0)
      Atomics.add(this.words, this.holdingWord(this.own, holding, H_CLAIMS), change);
  }

  /** Those of a thread that has ended, which are nobody's then. */
  takeHoldings(slot: number): { address: Address; leases: number; claims: number }[] {
    const all: ReturnType<SharedMemory['takeHoldings']> = [];
    const word = (holding: number, which: number): number =>
      Atomics.load(this.words, this.holdingWord(slot, holding, which));
    for (let i = 0; i < this.get(slot, HELD); i++) {
      const leases = word(i, H_LEASES);
      const claims = word(i, H_CLAIMS);
      if (leases > 0 || claims > 0) all.push({ address: word(i, H_ADDRESS), leases, claims });
    }
    this.set(slot, HELD, 0);
    return all;
  }

  // ── what goes on ──

  /** @returns true: nothing does any more */
  leave(): boolean {
    return Atomics.sub(this.words, BUSY, 1) === 1;
  }

  enter(): void {
    Atomics.add(this.words, BUSY, 1);
  }

  noteEvents(count: number): void {
    Atomics.add(this.words, EVENTS, count);
  }

  get events(): number {
    return Atomics.load(this.words, EVENTS);
  }

  /** Threads whose bit is set, that are there. */
  among(bits: number): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if ((bits & bitOf(slot)) !== 0 && this.isAlive(slot)) slots.push(slot);
    }
    return slots;
  }
}

const bitOf = (slot: number): number => 1 << (slot % 32);

/** Bytes that are copied one by one. */
const FEW = 64;

/** Tries to take a lock before the thread gives others its time. */
const SPINS = 256;

const isThread = (tid: number): boolean => existsSync(`/proc/self/task/${tid}`);

/** Of this one; 0 where the system doesn't tell. */
function threadNumber(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1)) || 0;
  } catch {
    return 0;
  }
}
