/** The IO of the VM whose code runs: below vm.ts, for what a VM is made of. */
import { currentFiber } from '../fibers/scheduler.ts';
import type { IoGroup } from '../io/group.ts';

export function currentIo(): IoGroup {
  return (currentFiber().scheduler.host as { io: IoGroup }).io;
}
