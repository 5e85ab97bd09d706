/** What Lua objects over a descriptor (io/handle.ts) have alike; their types add these to their own. */
import type { Owner } from '../io/handle.ts';
import { alreadyOpen } from '../runtime/asio-error.ts';
import { codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { checkFd, type FileDescriptor, giveFd, newFd } from './file-descriptor.ts';

export abstract class HandleObject extends Userdata {
  abstract readonly io: Owner;
}

export const handleMethods = {
  close(self: HandleObject): Result {
    self.io.close();
    return NONE;
  },
  cancel(self: HandleObject): Result {
    self.io.cancel();
    return NONE;
  },
  assign(self: HandleObject, fd: LuaValue): Result {
    checkFd(fd, 2);
    if (self.io.isOpen) throw alreadyOpen();
    giveFd(fd, 2, (number) => self.io.assign(number));
    return NONE;
  },
  release(self: HandleObject): FileDescriptor {
    if (!self.io.isOpen) throw codeError('EBADF');
    return newFd(self.io.release());
  },
};

export const handleProperties = {
  is_open: (self: HandleObject): Result => self.io.isOpen,
};

/** `new([fd])` of a class. */
export function construct<C extends HandleObject>(cls: new () => C) {
  return (...args: LuaValue[]): C => {
    const object = new cls();
    if (args.length > 0) giveFd(args[0], 1, (number) => object.io.assign(number));
    return object;
  };
}
