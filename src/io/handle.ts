/**
 * What everything of ours that holds a descriptor does alike: own it, give it away, close it. Functions
 * that aren't operations throw SysError: EBADF when it is closed.
 */
import { EALREADY, EBADF, ENOSYS, SysError } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { nativeAvailable } from '../sys/native.ts';
import { closeWithOwnerInTime, Descriptor, type DescriptorOptions } from './descriptor.ts';
import type { IoGroup } from './group.ts';
import type { Operation } from './operation.ts';
import { setNonBlocking } from './owned-fd.ts';
import type { WaitType } from './transport.ts';

/** An object that owns a descriptor, as Lua sees it: what `Handle` says of each. */
export interface Owner {
  readonly isOpen: boolean;
  assign(fd: Fd): void;
  release(): Fd;
  cancel(): void;
  close(): void;
}

export class Handle implements Owner {
  // No initializers of fields, as in io/operation.ts.
  declare protected readonly group: IoGroup;
  declare protected descriptor: Descriptor | undefined;

  /** Closed at first. ENOSYS: this needs the addon */
  constructor(group: IoGroup) {
    if (!nativeAvailable()) raise('perilune', ENOSYS);
    this.group = group;
    this.descriptor = undefined;
  }

  get isOpen(): boolean {
    return this.descriptor !== undefined && this.descriptor.fd >= 0;
  }

  /** For system calls of one's own; -1 while closed. */
  get number(): Fd {
    return this.descriptor?.fd ?? -1;
  }

  /** How its descriptor behaves. */
  protected options(_fd: Fd): DescriptorOptions | undefined {
    return undefined;
  }

  /** Become the owner of a descriptor that is new, non-blocking, and that nobody else has. */
  own(fd: Fd): void {
    this.descriptor = new Descriptor(fd, this.group, this.options(fd), true);
    closeWithOwnerInTime(this, this.descriptor);
  }

  /** What goes in at one of them comes out at the other. */
  joinTo(other: Handle): void {
    const [near, far] = [this.descriptor!, other.descriptor!];
    near.peer = far;
    far.peer = near;
  }

  /**
   * Become the owner of a descriptor from elsewhere. It is the caller's still if this throws: EALREADY
   * (asio's already_open), EPERM: this kind of file can't be waited for.
   */
  assign(fd: Fd): void {
    if (this.isOpen) raise('assign', EALREADY);
    setNonBlocking(fd);
    const descriptor = new Descriptor(fd, this.group, this.options(fd));
    const result = descriptor.watch();
    if (result < 0) {
      descriptor.release();
      raise('epoll_ctl', -result);
    }
    this.descriptor = descriptor;
    closeWithOwnerInTime(this, descriptor);
  }

  /** Give up the descriptor, which stays open. Pending operations: -ECANCELED. */
  release(): Fd {
    this.fd('release');
    return this.descriptor!.release();
  }

  /** Pending operations: -ECANCELED. */
  cancel(): void {
    this.fd('cancel');
    this.descriptor!.cancelAll();
  }

  /** As `cancel`, and close; nothing happens when it is closed. */
  close(): void {
    this.descriptor?.close();
  }

  wait(op: Operation, type: WaitType): number {
    if (this.descriptor === undefined) return -EBADF;
    op.owner = this;
    return this.descriptor.wait(op, type);
  }

  protected fd(syscall: string): Fd {
    this.descriptor?.settle();
    const fd = this.descriptor?.fd ?? -1;
    return fd >= 0 ? fd : raise(syscall, EBADF);
  }
}

/** One that bytes go through with read(2) and write(2): io/transport.ts says what they give. */
export class ByteHandle extends Handle {
  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    const { descriptor } = this;
    if (descriptor === undefined || descriptor.fd < 0) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return descriptor.read(op, bytes, offset, length);
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    const { descriptor } = this;
    if (descriptor === undefined || descriptor.fd < 0) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return descriptor.write(op, bytes, offset, length);
  }
}

export function raise(syscall: string, errno: number): never {
  throw new SysError(syscall, errno);
}
