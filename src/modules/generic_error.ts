/**
 * `require 'generic_error'`: the portable errors, a new object on each access. Error categories, which
 * every error object refers to, get their Lua side here, too.
 */
import {
  badArgument,
  ErrorCategory,
  errorObject,
  genericCategory,
  isCode,
} from '../runtime/error-code.ts';
import { type LuaFunction, type LuaValue, Userdata } from '../runtime/value.ts';
import { errnoNumber } from '../sys/errno.ts';
import { luaType } from './define.ts';

const NAMES = `
  EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL EISCONN E2BIG EDOM EFAULT EBADF EBADMSG EPIPE ECONNABORTED
  EALREADY ECONNREFUSED ECONNRESET EXDEV EDESTADDRREQ EBUSY ENOTEMPTY ENOEXEC EEXIST EFBIG
  ENAMETOOLONG ENOSYS EHOSTUNREACH EIDRM EILSEQ ENOTTY EINTR EINVAL ESPIPE EIO EISDIR EMSGSIZE
  ENETDOWN ENETRESET ENETUNREACH ENOBUFS ECHILD ENOLINK ENOLCK ENOMSG ENOPROTOOPT ENOSPC ENXIO ENODEV
  ENOENT ESRCH ENOTDIR ENOTSOCK ENOTCONN ENOMEM ENOTSUP ECANCELED EINPROGRESS EPERM EOPNOTSUPP
  EWOULDBLOCK EOWNERDEAD EACCES EPROTO EPROTONOSUPPORT EROFS EDEADLK EAGAIN ERANGE ENOTRECOVERABLE
  ETXTBSY ETIMEDOUT ENFILE EMFILE EMLINK ELOOP EOVERFLOW EPROTOTYPE`;

class GenericError extends Userdata {}

luaType('generic_error', GenericError, () => {
  const properties: Record<string, () => LuaValue> = {};
  for (const name of NAMES.trim().split(/\s+/)) {
    const code = errnoNumber(name)!;
    properties[name] = () => errorObject(genericCategory, code);
  }
  return { properties };
});

export const genericError = { name: 'generic_error', create: (): LuaValue => new GenericError() };

const messageOf = new WeakMap<ErrorCategory, LuaFunction>();

luaType('error_category', ErrorCategory, {
  properties: {
    /** `category:message(code)` as documented, and `category.message(code)` as Emilua 0.6 had it. */
    message(self) {
      let message = messageOf.get(self);
      if (message === undefined) {
        message = (first, second) => {
          const code = first === self ? second : first;
          if (!isCode(code)) throw badArgument(first === self ? 2 : 1);
          return self.describe(code);
        };
        messageOf.set(self, message);
      }
      return message;
    },
  },
  tostring: (self) => self.name,
});
