/** What happens when the event loop of a thread has nothing left to do, and VMs are still there. */
import { fullCollection } from './collect.ts';
import { activity } from './mailbox.ts';
import type { Vm } from './vm.ts';

/** `activity.count` when the collector was asked last. */
let collectedAt = -1;

/**
 * Nothing can happen any more by itself. VMs that have nothing to wait for end, which may wake others.
 * Of those that wait for messages some may have no senders any more: the collector finds out. If it
 * doesn't help either, they wait for each other: that is reported, and they end.
 */
export function settle(vms: ReadonlySet<Vm>): void {
  if (vms.size === 0) return;
  const all = [...vms];
  const idle = all.filter((vm) => vm.isIdle);
  if (idle.length > 0) for (const vm of idle) vm.closeIdle();
  else if (collectedAt !== activity.count) {
    collectedAt = activity.count;
    fullCollection();
  } else {
    const stuck = all.filter((vm) => vm.isStuck);
    // A wait that claims to be for the outside world: there is nothing there any more.
    endStuck(stuck.length > 0 ? stuck : all);
  }
  // Come back here, if it changed nothing.
  setImmediate(() => {});
}

function endStuck(vms: readonly Vm[]): void {
  const alone = vms.filter((vm) => vm.mailbox.isOnlyHeldBy(vm.leases));
  if (alone.length > 0) {
    for (const vm of alone) vm.mailbox.orphan();
    return;
  }
  for (const vm of vms) vm.reportDeadlocks();
  for (const vm of vms) vm.close();
}
