/** The IO of the VM whose code runs: below vm.ts, for what a VM is made of. */
import type { FiberScheduler } from '../fibers/fiber.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import type { IoGroup } from '../io/group.ts';

const groups = new WeakMap<FiberScheduler, IoGroup>();

/** From a VM, once. */
export function setIo(scheduler: FiberScheduler, group: IoGroup): void {
  groups.set(scheduler, group);
}

export function currentIo(): IoGroup {
  return groups.get(currentFiber().scheduler)!;
}
