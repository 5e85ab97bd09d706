/** Messages to other processes: what may be sent, and the descriptors that go with it. */
import { isDirectory, shareDirectory } from '../io/directory-server.ts';
import { OwnedFd } from '../io/owned-fd.ts';
import { markSandbox, packetPair } from '../io/packet.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { LuaTable, TableIterator } from '../runtime/table.ts';
import type { LuaValue } from '../runtime/value.ts';
import { TxChannel } from './address.ts';
import { currentIo } from './current-io.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { FileDescriptor, Spent } from './file-descriptor.ts';
import { type Carried, encodeFrame, MAX_FRAME, type Member, type Scalar } from './frame.ts';
import { type Inlet, inletsOf } from './inlets.ts';
import { IpcChannel } from './ipc-channel.ts';
import { Mailbox } from './mailbox.ts';
import { Inbox } from './message.ts';
import { RemoteMailbox } from './threads/hub.ts';
import { tracing } from './trace.ts';

/** What has a descriptor. */
type Object = FileDescriptor | IpcChannel | DirectoryHandle | Mailbox | RemoteMailbox;

interface Carrier {
  readonly carries: Carried;
  readonly object: Object;
}

/** Nothing else is in it between two sends. */
export const frame = new Uint8Array(MAX_FRAME);

export class Letter {
  readonly bytes = frame;
  readonly length: number;
  readonly fds: number[] = [];
  private readonly locked: FileDescriptor[] = [];
  /** Sending ends that were made for the letter. */
  private readonly ends: OwnedFd[] = [];
  private readonly inlets: Inlet[] = [];

  private readonly channel: IpcChannel;
  private readonly to: number;

  /**
   * @param channel  through which it will go. A sandbox can't open anything: a descriptor of a directory goes there as
   *                 a handle, to read what is beneath
   * @param to       for a trace: the actor that it is sent to
   * @throws LuaError  EINVAL{arg=2}: it can't be sent; EBUSY; EMFILE
   */
  constructor(value: LuaValue, channel: IpcChannel, to = 0) {
    this.channel = channel;
    this.to = to;
    const isTable = value instanceof LuaTable;
    const members = isTable
      ? membersOf(value, channel)
      : [{ key: '', value: partOf(value, channel) }];
    const length = encodeFrame({ isTable, members }, frame);
    if (length === undefined) throw badArgument(2);
    this.length = length;
    for (const member of members) if (typeof member.value === 'object') this.carry(member.value);
    for (const object of this.locked) object.lock();
  }

  private carry({ carries, object }: Carrier): void {
    try {
      if (carries === 'directory' && object instanceof FileDescriptor) {
        const end = shareDirectory(object.fd, { reads: true, writes: false }, currentIo());
        this.ends.push(new OwnedFd(end, currentIo()));
        this.fds.push(end);
      } else if (object instanceof FileDescriptor) {
        this.fds.push(object.fd);
        this.locked.push(object);
      } else if (object instanceof IpcChannel || object instanceof DirectoryHandle)
        this.fds.push(object.sender.fd);
      else {
        const { sender, receiver } = packetPair();
        this.ends.push(new OwnedFd(sender, currentIo()));
        // What comes out of it is from there: addresses in it lead there.
        const { isSandbox } = this.channel;
        if (isSandbox) markSandbox(receiver);
        // Another thread sees the end of it when nobody has the other one.
        const via = tracing.on?.viaOf(sender) ?? 0;
        if (object instanceof RemoteMailbox) object.feed(receiver, this.to, via);
        else {
          const inlet = inletsOf(object).add(receiver);
          inlet.isFromSandbox = isSandbox;
          inlet.traceAs(this.to, via);
          this.inlets.push(inlet);
        }
        this.fds.push(sender);
      }
    } catch (error) {
      this.discard(false);
      throw error;
    }
  }

  /** Nothing to do when it has been sent. */
  get isPlain(): boolean {
    return this.fds.length === 0;
  }

  /** The kernel has duplicates of all that was in it; or it was not sent. */
  close(isSent: boolean): void {
    for (const object of this.locked) object.unlock();
    this.discard(isSent);
  }

  private discard(isSent: boolean): void {
    for (const end of this.ends) end.close();
    if (!isSent) for (const inlet of this.inlets) inlet.close();
  }
}

function membersOf(table: LuaTable, channel: IpcChannel): Member<Carrier>[] {
  if (table.meta !== undefined) throw badArgument(2);
  const members: Member<Carrier>[] = [];
  for (const it = new TableIterator(table); it.step(); ) {
    const { key } = it;
    if (typeof key === 'string') members.push({ key, value: partOf(it.value, channel) });
  }
  return members;
}

function partOf(value: LuaValue, channel: IpcChannel): Scalar | Carrier {
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'string':
      return value;
  }
  if (value instanceof FileDescriptor) {
    if (!value.isUsable) throw codeError('EBUSY');
    const isHandle = channel.isSandbox && isDirectory(value.fd);
    return { carries: isHandle ? 'directory' : 'descriptor', object: value };
  }
  if (value instanceof Spent) throw codeError('EBUSY');
  if (value instanceof Inbox) return { carries: 'address', object: value.mailbox };
  if (value instanceof DirectoryHandle && value.isOpen)
    return { carries: 'directory', object: value };
  if (value instanceof IpcChannel && value.isOpen) return { carries: 'address', object: value };
  if (value instanceof TxChannel && value.isOpen) {
    const { recipient } = value;
    if (recipient instanceof Mailbox || recipient instanceof RemoteMailbox)
      return { carries: 'address', object: recipient };
  }
  throw badArgument(2);
}
