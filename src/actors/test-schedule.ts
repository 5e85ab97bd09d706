/**
 * `--test-schedule SEED`: other orders of the fibers that can run, and timers on a virtual clock. The
 * same seed gives the same run, as long as the program waits for nothing but fibers and timers.
 */
import { pendingCount } from '../io/reactor.ts';
import { useVirtualTime, VirtualClock } from '../io/timer.ts';
import { restartSlices } from './slices.ts';
import type { Vm } from './vm.ts';

/** Turns of the event loop that descriptors get before time goes on without them. */
const PATIENCE = 200;

/** Numbers in [0, 1) from a seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @returns how to end it */
export function useTestSchedule(vm: Vm, seed: number): () => void {
  const random = randomFrom(seed);
  vm.scheduler.choose = (count) => Math.floor(random() * count);
  let waited = 0;
  const clock = new VirtualClock(() => {
    if (!vm.scheduler.isQuiet) return false;
    if (pendingCount() > 0 && waited++ < PATIENCE) return false;
    waited = 0;
    return true;
  });
  useVirtualTime(clock);
  restartSlices();
  return () => {
    vm.scheduler.choose = undefined;
    useVirtualTime(undefined);
  };
}
