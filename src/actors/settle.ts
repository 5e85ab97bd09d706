/** What happens when the event loop of a thread has nothing left to do, and VMs are still there. */
import { fullCollection } from './collect.ts';
import { activity } from './mailbox.ts';
import type { Vm } from './vm.ts';

/** `activity.count` when the collector was asked last. */
let collectedAt = -1;

/** Where there are other threads, they have to be asked. @returns false: there are none */
export const otherThreads: { rest: (() => boolean) | undefined } = { rest: undefined };

/**
 * Nothing can happen any more by itself. VMs that have nothing to wait for end, which may wake others.
 * Of those that wait for messages some may have no senders any more: the collector finds out. If it
 * doesn't help either, they wait for each other: that is reported, and they end.
 */
export function settle(vms: ReadonlySet<Vm>): void {
  if (vms.size === 0) {
    otherThreads.rest?.();
    return;
  }
  const all = [...vms];
  const idle = all.filter((vm) => vm.isIdle);
  if (idle.length > 0) for (const vm of idle) vm.closeIdle();
  else if (otherThreads.rest?.() === true) return;
  else if (collectedAt !== activity.count) {
    collectedAt = activity.count;
    fullCollection();
  } else {
    if (!orphanAlone(all)) endStuck(all);
  }
  // Come back here, if it changed nothing.
  setImmediate(() => {});
}

/**
 * The same without leaving the event loop, where all that is to be done is to wait for other threads, as after each message.
 * @returns  whether it waits for them; false: nothing has been done
 */
export function restInside(vms: ReadonlySet<Vm>): boolean {
  if (vms.size === 0) return false;
  for (const vm of vms) if (vm.isIdle) return false;
  return otherThreads.rest?.() === true;
}

/** Those that only they themselves could send to learn it. @returns whether there are some */
export function orphanAlone(vms: readonly Vm[]): boolean {
  const alone = vms.filter((vm) => vm.isStuck && vm.mailbox.isOnlyHeldBy(vm.leases));
  for (const vm of alone) vm.mailbox.orphan();
  return alone.length > 0;
}

/** They wait for each other, or for nothing. */
export function endStuck(vms: readonly Vm[]): void {
  const stuck = vms.filter((vm) => vm.isStuck);
  // A wait that claims to be for the outside world: there is nothing there any more.
  const ending = stuck.length > 0 ? stuck : vms;
  for (const vm of ending) vm.reportDeadlocks();
  for (const vm of ending) vm.close(undefined, 'deadlock');
}
