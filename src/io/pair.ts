/**
 * Both ends of a pipe, or of a pair of sockets, in one process: what a fiber has written at one is there at once for
 * the fiber that waits to read at the other, and when that has read, there is room. The kernel says so, too, at the
 * next wait; but to ask it takes longer than the read. So when no fiber can go on, what waits at other ends is tried.
 *
 * It is an event like those of a batch, and there are no more of them in one than of those: then the kernel is asked,
 * and others have their turn. docs/decisions/0035-fewer-waits.md
 */
import { forgetWrites } from './batch.ts';
import { soon } from './soon.ts';

/** One end. */
export interface PairEnd {
  /** Try what waits. */
  goOn(): void;
}

/** Without an event of the kernel's in between. */
const MOST = 32;

/** The first `count` of it: ends at which something waits that can go on now. */
const ends: (PairEnd | undefined)[] = [];
let count = 0;
let left = MOST;

/** @param end  something waits there that what has just been done at the other end lets go on */
export function handOver(end: PairEnd): void {
  if (left === 0 || (count > 0 && ends[count - 1] === end)) return; // its event comes anyway
  left--;
  ends[count++] = end;
  if (count === 1) soon(goOn);
}

/** For the reactor: the kernel has been asked. */
export function askedKernel(): void {
  left = MOST;
}

function goOn(): void {
  try {
    for (let i = 0; i < count; i++) {
      const end = ends[i]!;
      ends[i] = undefined;
      forgetWrites();
      end.goOn();
    }
  } finally {
    count = 0;
  }
}
