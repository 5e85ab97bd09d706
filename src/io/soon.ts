/** What is to be done once the events have been handed on that are being handed on. */
import { reportUncaught } from './operation.ts';

let inBatch = false;
const jobs: (() => void)[] = [];

/** Call `job` behind the events of this batch, or as a microtask, which takes ten times as long. */
export function soon(job: () => void): void {
  if (inBatch) jobs.push(job);
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
    for (let i = 0; i < jobs.length; i++) {
      try {
        jobs[i]!();
      } catch (error) {
        reportUncaught(error);
      }
    }
    jobs.length = 0;
    finish();
  } while (jobs.length > 0);
  inBatch = false;
}
