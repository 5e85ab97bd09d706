/**
 * What a thread has open, written where the thread that started it can read it: one that dies for want of memory runs
 * nothing any more that could close it.
 *
 * A byte for each number that a descriptor may have. A thread sets it after it has got the descriptor, and clears it
 * before it closes the descriptor or gives it away: dying between the two loses one, and closes nobody else's.
 */
import { close, closeAtOnce } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';

const NOT_HELD = 0;
const HELD = 1;
/** A child's pidfd, plus the signal that ends it; 0: none does. */
const CHILD = 2;

/** Of this thread. undefined: nobody outlives it, as with the first thread. */
let held: Uint8Array | undefined;

/** Numbers beyond this aren't noted: a process may raise its limit while it runs. */
const MOST = 1 << 20;

/** For a thread that is to be started. @param most  descriptors that the process may have */
export const makeHeld = (most: number): SharedArrayBuffer =>
  new SharedArrayBuffer(Math.min(most, MOST));

/** From now on this thread notes what it has open. */
export function noteIn(shared: SharedArrayBuffer): void {
  held = new Uint8Array(shared);
}

export function hold(fd: Fd): void {
  if (held !== undefined) held[fd] = HELD;
}

/** @param lastSignal  0: none */
export function holdChild(pidfd: Fd, lastSignal: number): void {
  if (held !== undefined) held[pidfd] = CHILD + lastSignal;
}

/** It is closed, or somebody else's, next. */
export function letGo(fd: Fd): void {
  if (held !== undefined) held[fd] = NOT_HELD;
}

/** close(2) of one that is held. @returns 0 or -errno */
export function closeHeld(fd: Fd): number {
  letGo(fd);
  return close(fd);
}

/**
 * The thread has died: close what it had open.
 * @param abandon  takes the pidfd of a child that nobody waits for any more, and its last signal
 */
export function closeAllHeld(
  shared: SharedArrayBuffer,
  abandon: (pidfd: Fd, lastSignal: number) => void,
): void {
  const bytes = new Uint8Array(shared);
  for (let fd = 0; fd < bytes.length; fd++) {
    const what = bytes[fd]!;
    bytes[fd] = NOT_HELD;
    if (what === HELD) closeAtOnce(fd);
    else if (what >= CHILD) abandon(fd, what - CHILD);
  }
}
