/** What is to be done once the events have been handed on that are being handed on. */
import { reportUncaught } from './operation.ts';

let inBatch = false;
/** The first `count` of it. (`length = 0` would be a call into V8's runtime, for each batch.) */
const jobs: (() => void)[] = [];
let count = 0;

/** In place of one that has been done: what it belongs to may be collected. */
const done = (): void => {};

/** Call `job` behind the events of this batch, or as a microtask, which takes ten times as long. */
export function soon(job: () => void): void {
  if (inBatch) jobs[count++] = job;
  else queueMicrotask(job);
}

/** For the reactor. */
export function beginBatch(): void {
  inBatch = true;
}

/**
 * Do what the events have brought about, and what that brings about.
 * @param finish  called when nothing is left to do; may bring more
 */
export function endBatch(finish: () => void): void {
  do {
    for (let i = 0; i < count; i++) {
      const job = jobs[i]!;
      jobs[i] = done;
      try {
        job();
      } catch (error) {
        reportUncaught(error);
      }
    }
    count = 0;
    finish();
  } while (count > 0);
  inBatch = false;
}
