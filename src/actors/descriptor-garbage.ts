/**
 * Descriptors that came in messages, and that the program has dropped without closing them. They are closed when V8 collects
 * their objects, which it is in no hurry to do: for it those are small. So who sends many (a sandbox has the right to
 * send, and not to use up what its receiver has) would soon have filled the table of descriptors. Where a VM
 * has so many open, a collection is asked for, and no message is received until what it has found is closed.
 *
 * What the program holds is its own business: it has twice as many as it held then before the next collection.
 */
import type { IoGroup } from '../io/group.ts';
import { mostDescriptors } from '../io/owned-fd.ts';
import { collectGarbage } from './collect.ts';

/** A quarter of what the process may have, but no more than: a collection for each of a hundred messages is dear. */
const MANY = 4096;

/** For each VM: how many are so many. */
const marks = new WeakMap<IoGroup, number>();

/** Those that wait for the end of a collection. */
let waiting: Set<() => void> | undefined;

function markAfter(live: number): number {
  const most = mostDescriptors();
  return Math.max(Math.min(MANY, most / 4), Math.min(2 * live, (live + most) / 2));
}

/** A message has brought descriptors. */
export function noteDescriptors(group: IoGroup): void {
  let mark = marks.get(group);
  if (mark === undefined) {
    mark = markAfter(0);
    marks.set(group, mark);
  }
  if (waiting !== undefined || group.size < mark) return;
  const told = new Set<() => void>();
  waiting = told;
  collectGarbage();
  // V8 tells of what it has found in tasks of its own, which come before the second of these.
  setImmediate(() =>
    setImmediate(() => {
      marks.set(group, markAfter(group.size));
      waiting = undefined;
      for (const tell of told) tell();
    }),
  );
}

/** @returns whether it goes on: otherwise `goOn` is called when it does */
export function mayReceive(goOn: () => void): boolean {
  waiting?.add(goOn);
  return waiting === undefined;
}
