/** The thread's ring of io_uring(7), opened when the first file has to wait. */
import type { Fd } from '../sys/native.ts';
import { openUring, uringCollect, uringRead, uringSend, uringWrite } from '../sys/uring.ts';

/**
 * From the event loop. The slot must be collected before the next operation starts.
 * @param result  bytes, or -errno
 */
export type RingDone = (result: number, slot: number) => void;

const FIELDS = 2;
const shared = new Int32Array(FIELDS * 64);
const waiting: (RingDone | undefined)[] = []; // by slot
let state: 'closed' | 'open' | 'none' = 'closed';
let enabled = true;

function dispatch(count: number): void {
  // A callback may lead to the next batch, in the same array.
  const done = Array.from(shared.subarray(0, FIELDS * count));
  for (let i = 0; i < count; i++) {
    const slot = done[FIELDS * i]!;
    const told = waiting[slot]!;
    waiting[slot] = undefined;
    told(done[FIELDS * i + 1]!, slot);
  }
}

/** Reads that the kernel has yet to hear of, all at once, when the fibers that run now have run. */
let unsent = 0;
const MOST_UNSENT = 32;

function send(): void {
  if (unsent === 0) return;
  unsent = 0;
  const refused = uringSend();
  if (refused > 0) dispatch(refused);
}

function isThere(): boolean {
  if (state === 'closed') state = openUring(dispatch, shared) === 0 ? 'open' : 'none';
  return state === 'open' && enabled;
}

/** For tests: without it, all goes to the pool. @returns whether there is one */
export function useRing(on: boolean): boolean {
  send();
  enabled = on;
  return isThere() || !on;
}

function register(slot: number, done: RingDone): boolean {
  if (slot < 0) return false;
  waiting[slot] = done;
  return true;
}

/**
 * @param isApart  by a thread of the kernel's, even what is in memory
 * @returns false: there is no ring, or no room in it
 */
export function readInRing(
  fd: Fd,
  length: number,
  position: number,
  isApart: boolean,
  done: RingDone,
): boolean {
  if (!isThere() || !register(uringRead(fd, length, position, isApart), done)) return false;
  if (++unsent === 1) queueMicrotask(send);
  else if (unsent === MOST_UNSENT) send();
  return true;
}

/** The bytes may change once it has returned. @returns false: there is no ring, or no room in it */
export function writeInRing(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
  isApart: boolean,
  done: RingDone,
): boolean {
  send();
  return isThere() && register(uringWrite(fd, bytes, offset, length, position, isApart), done);
}

/** Copy what has been read, and let go of the slot. */
export const collect = uringCollect;
