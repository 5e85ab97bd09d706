/** The sending end of an actor in another process, as Lua holds it. */
import { Outside } from '../fibers/waitable.ts';
import { closeWithOwnerInTime } from '../io/descriptor.ts';
import { IoGroup } from '../io/group.ts';
import { duplicate } from '../io/owned-fd.ts';
import { isMarkedSandbox, markSandbox, PacketSender } from '../io/packet.ts';
import type { ActorProcess } from './actor-process.ts';
import type { Holder, Owned } from './mailbox.ts';
import { tracing } from './trace.ts';

/** In messages: they belong to no VM. */
const onTheirWay = new IoGroup();

export class IpcChannel extends Outside implements Owned {
  readonly sender: PacketSender;
  /** The process behind it, for the VM that has made it. */
  process: ActorProcess | undefined = undefined;
  private marked: boolean | undefined = undefined;
  /** Of its sandbox: what the kernel could not give. */
  missingWalls: readonly string[] = [];

  /** @param fd  a socket of packets, which belongs to it from now on */
  constructor(fd: number, group: IoGroup = onTheirWay, original?: IpcChannel) {
    super();
    this.sender = new PacketSender(fd, group, original?.sender);
    closeWithOwnerInTime(this, this.sender);
  }

  get isOpen(): boolean {
    return this.sender.isOpen;
  }

  /** It leads to a process that can't open anything, as far as is known: directories go there as handles. It is open. */
  get isSandbox(): boolean {
    this.marked ??= isMarkedSandbox(this.sender.fd);
    return this.marked;
  }

  /** It does: for all who have it, in other processes and threads, too. */
  markSandbox(): void {
    this.marked = true;
    markSandbox(this.sender.fd);
  }

  /** The same address, for a message. EMFILE */
  copy(): IpcChannel {
    const copy = new IpcChannel(duplicate(this.sender.fd), onTheirWay, this);
    tracing.on?.setEnd(copy, tracing.on.endOf(this));
    copy.marked = this.marked;
    return copy;
  }

  /** That of a message, which goes elsewhere in this process. @returns the number of its socket */
  leave(): number {
    return this.sender.release();
  }

  adopt({ io }: Holder): void {
    this.sender.moveTo(io);
  }

  close(): void {
    this.sender.close();
  }

  discard(): void {
    this.close();
  }
}
