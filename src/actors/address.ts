/** The sending end of an actor, as Lua holds it. */
import type { Waiter } from '../fibers/fiber.ts';
import { Outside } from '../fibers/waitable.ts';
import { coreErrorThere } from '../runtime/error-code.ts';
import { type Holder, Lease, type Owned, type Recipient } from './mailbox.ts';

/** Handles that were dropped without `close`. */
const dropped = new FinalizationRegistry<Lease>((lease) => lease.release());

export class TxChannel extends Outside implements Owned {
  readonly recipient: Recipient;
  readonly lease: Lease;
  /** Fibers that wait until there is room for what they send through this handle. */
  senders: Set<Waiter> | undefined = undefined;

  constructor(recipient: Recipient) {
    super();
    this.recipient = recipient;
    this.lease = new Lease(recipient);
    dropped.register(this, this.lease, this.lease);
  }

  get isOpen(): boolean {
    return this.lease.isOpen;
  }

  /** It belongs to this VM from now on. */
  adopt({ leases }: Holder): void {
    this.lease.heldBy(leases);
  }

  close(): void {
    dropped.unregister(this.lease);
    this.lease.release();
    for (const sender of this.senders ?? []) {
      if (sender.settled) continue;
      sender.undo?.(sender);
      sender.fail(coreErrorThere('channel_closed'));
    }
  }

  discard(): void {
    this.close();
  }
}

/** The handle of a VM that is made, or sent, for it. */
export function addressFor(recipient: Recipient, holder: Holder): TxChannel {
  const channel = new TxChannel(recipient);
  channel.adopt(holder);
  return channel;
}
