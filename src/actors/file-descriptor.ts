/**
 * `file_descriptor`: the owner of a descriptor, as Lua sees it. The class is here, and not in its module,
 * since sockets, pipes, files, processes and messages take and give such objects, too.
 *
 *   release: (self) => newFd(self.io.release())                 // an object that owns it
 *   assign(self, fd) { giveFd(fd, 2, (n) => self.io.assign(n)) } // the new owner, if that works
 */
import { closeWithOwnerInTime } from '../io/descriptor.ts';
import { IoGroup } from '../io/group.ts';
import { OwnedFd } from '../io/owned-fd.ts';
import { typeError } from '../runtime/error.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, type Result, Userdata, type UserdataType } from '../runtime/value.ts';
import { currentIo } from './current-io.ts';
import type { Holder, Owned } from './mailbox.ts';

/** In messages: they belong to no VM. */
const onTheirWay = new IoGroup();

export class FileDescriptor extends Userdata implements Owned {
  private readonly handle: OwnedFd;
  /** Sends that carry it: until they have ended it can't be used. */
  private users = 0;

  constructor(handle: OwnedFd) {
    super();
    this.handle = handle;
    closeWithOwnerInTime(this, handle);
  }

  get isOpen(): boolean {
    return this.handle.isOpen;
  }

  /** Neither closed nor in use by a send. */
  get isUsable(): boolean {
    return this.users === 0 && this.handle.isOpen;
  }

  /** What is owned. @throws LuaError  EBUSY: closed, or in use by a send */
  get owned(): OwnedFd {
    if (!this.isUsable) throw codeError('EBUSY');
    return this.handle;
  }

  /** The number, for as long as nobody closes it. @throws LuaError  EBUSY */
  get fd(): number {
    return this.owned.fd;
  }

  close(): void {
    if (this.users > 0) throw codeError('EBUSY');
    this.handle.close();
  }

  /** A duplicate for a message. EMFILE */
  copy(): FileDescriptor {
    return new FileDescriptor(new OwnedFd(this.owned.dup(), onTheirWay));
  }

  /** That of a message, which goes elsewhere in this process. @returns the number */
  leave(): number {
    return this.handle.take();
  }

  adopt({ io }: Holder): void {
    this.handle.moveTo(io);
  }

  discard(): void {
    this.handle.close();
  }

  /** Nothing but a matching `unlock` can be done with it. */
  lock(): void {
    this.users++;
  }

  unlock(): void {
    this.users--;
  }

  /** Give up the descriptor. To Lua this is now a userdata without a type. @returns the number */
  take(): number {
    const { owned } = this;
    Object.setPrototypeOf(this, Spent.prototype);
    return owned.take();
  }
}

/** What is left of a `file_descriptor` whose descriptor has another owner. */
export class Spent extends Userdata {}
const spentType: UserdataType = {
  name: undefined,
  index: (self) => notIndexable(self),
  setIndex: (self) => notIndexable(self),
};
Object.defineProperty(Spent.prototype, 'luaType', { value: spentType });

function notIndexable(self: Userdata): Result {
  throw typeError('index', self, 0);
}

/** An object for a message, that owns `fd`. */
export const fdOnItsWay = (fd: number): FileDescriptor =>
  new FileDescriptor(new OwnedFd(fd, onTheirWay));

/** An object that owns `fd`, for the VM whose code runs. */
export function newFd(fd: number): FileDescriptor {
  return new FileDescriptor(new OwnedFd(fd, currentIo()));
}

/** @throws LuaError  EINVAL{arg}: no file_descriptor; EBUSY: it is closed, or in use by a send */
export function checkFd(v: LuaValue, position: number | string): FileDescriptor {
  if (!(v instanceof FileDescriptor)) throw badArgument(position);
  void v.owned;
  return v;
}

/** Let `adopt` become the owner of a descriptor. If it throws, the object keeps it. */
export function giveFd(v: LuaValue, position: number, adopt: (fd: number) => void): void {
  const object = checkFd(v, position);
  adopt(object.fd);
  object.take();
}
