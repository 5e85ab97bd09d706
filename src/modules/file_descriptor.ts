/**
 * Objects of type `file_descriptor`: owners of descriptors. There is no module: sockets, pipes, files and
 * processes hand them out. A closed one has no member but `close`.
 */
import { fstatSync } from 'node:fs';
import { checkFd, FileDescriptor, newFd } from '../actors/file-descriptor.ts';
import { FilePath } from '../actors/modules.ts';
import { fileType } from '../io/file-type.ts';
import { OPENAT_FLAGS, openAt, RESOLVE_FLAGS } from '../io/openat.ts';
import { LinuxCapabilities } from '../runtime/capabilities.ts';
import { badArgument, badIndex, codeError } from '../runtime/error-code.ts';
import {
  CAPABILITY_ATTRIBUTE,
  CAPABILITY_BYTES,
  packCapabilities,
  unpackCapabilities,
} from '../runtime/file-capabilities.ts';
import { LuaTable, rawGet, rawLength } from '../runtime/table.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { EBADF, EINVAL, ok, SysError } from '../sys/errno.ts';
import { fgetxattr, fsetxattr, fstat } from '../sys/filesystem.ts';
import { nativeAvailable } from '../sys/native.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from '../sys/socket.ts';
import { luaType } from './define.ts';

function typeOf(fd: number): string {
  try {
    // In a sandbox only the addon may ask: a C library may make a path of it.
    return fileType(nativeAvailable() ? fstat(fd).mode : fstatSync(fd).mode);
  } catch (error) {
    if (error instanceof SysError) throw error;
    throw new SysError('fstat', -((error as NodeJS.ErrnoException).errno ?? -EBADF));
  }
}

type Numbers = Readonly<Record<string, number>>;
const FAMILIES: Numbers = { unix: AF_UNIX, inet: AF_INET, inet6: AF_INET6 };
const SOCKET_TYPES: Numbers = {
  stream: SOCK_STREAM,
  datagram: SOCK_DGRAM,
  seqpacket: SOCK_SEQPACKET,
};
/** Only together with their types, and in the families of ip. */
const PROTOCOLS: Readonly<Record<string, readonly [protocol: number, type: number]>> = {
  tcp: [IPPROTO_TCP, SOCK_STREAM],
  udp: [IPPROTO_UDP, SOCK_DGRAM],
};

function pick<T>(of: Readonly<Record<string, T>>, name: LuaValue, position: number): T {
  if (typeof name !== 'string' || !Object.hasOwn(of, name)) throw badArgument(position);
  return of[name]!;
}

function isSocket(
  self: FileDescriptor,
  familyArg: LuaValue,
  typeArg: LuaValue,
  protocolArg: LuaValue,
): boolean {
  const family = pick(FAMILIES, familyArg, 2);
  const type = typeArg === undefined ? undefined : pick(SOCKET_TYPES, typeArg, 3);
  let protocol: number | undefined;
  if (protocolArg !== undefined) {
    const [number, itsType] = pick(PROTOCOLS, protocolArg, 4);
    if (type !== itsType || family === AF_UNIX) throw badArgument(4);
    protocol = number;
  }
  const kind = self.owned.socketKind;
  if (kind === undefined || kind[0] !== family) return false;
  if (type !== undefined && kind[1] !== type) return false;
  return protocol === undefined || kind[2] === protocol;
}

const ALL_FLAGS = { ...OPENAT_FLAGS, ...RESOLVE_FLAGS };
/** Of new files where nobody says: less the umask. */
const MODE = 0o666;

function openAtDirectory(
  self: FileDescriptor,
  pathArg: LuaValue,
  list: LuaValue,
  modeArg: LuaValue,
): Result {
  const path = pathArg instanceof FilePath ? pathArg.path : pathArg;
  if (typeof path !== 'string') throw badArgument(2);
  if (!(list instanceof LuaTable)) throw badArgument(3);
  let flags = 0;
  let resolve = 0;
  for (let i = 1; i <= rawLength(list); i++) {
    const name = rawGet(list, i);
    pick(ALL_FLAGS, name, 3);
    flags |= OPENAT_FLAGS[name as string] ?? 0;
    resolve |= RESOLVE_FLAGS[name as string] ?? 0;
  }
  if (modeArg !== undefined && !Number.isInteger(modeArg)) throw badArgument(4);
  return newFd(openAt(self.fd, path, flags, resolve, (modeArg as number | undefined) ?? MODE));
}

function getCapabilities(self: FileDescriptor): LinuxCapabilities {
  const bytes = new Uint8Array(CAPABILITY_BYTES);
  const length = ok('fgetxattr', fgetxattr(self.fd, CAPABILITY_ATTRIBUTE, bytes));
  const set = unpackCapabilities(bytes.subarray(0, length));
  if (set === undefined) throw new SysError('fgetxattr', EINVAL);
  return set;
}

function setCapabilities(self: FileDescriptor, set: LuaValue): Result {
  if (!(set instanceof LinuxCapabilities)) throw badArgument(2);
  const bytes = packCapabilities(set);
  if (bytes === undefined || typeOf(self.fd) !== 'regular') throw new SysError('fsetxattr', EINVAL);
  ok('fsetxattr', fsetxattr(self.fd, CAPABILITY_ATTRIBUTE, bytes, bytes.length));
  return NONE;
}

/** Capsicum's, of FreeBSD. */
function unsupported(self: FileDescriptor): never {
  void self.owned;
  throw codeError('ENOSYS');
}

luaType('file_descriptor', FileDescriptor, {
  guard(self, key) {
    if (key !== 'close' && !self.isOpen) throw badIndex();
  },
  methods: {
    close(self) {
      self.close();
      return NONE;
    },
    dup: (self): Result => newFd(self.owned.dup()),
    kcmp: (self, other: LuaValue) => self.owned.compare(checkFd(other, 2).owned),
    is_socket: isSocket,
    openat: openAtDirectory,
    cap_get: getCapabilities,
    cap_set: setCapabilities,
    cap_rights_limit: unsupported,
    cap_rights_contains: unsupported,
    cap_rights_remove: unsupported,
    cap_ioctls_limit: unsupported,
    cap_ioctls_get: unsupported,
    cap_fcntls_limit: unsupported,
    cap_fcntls_get: unsupported,
  },
  properties: {
    non_blocking: (self) => self.owned.nonBlocking,
    type: (self) => typeOf(self.fd),
  },
  setters: {
    non_blocking(self, on) {
      if (typeof on !== 'boolean') throw badArgument(3);
      self.owned.nonBlocking = on;
    },
  },
  setIndex() {
    throw badIndex();
  },
  tostring: (self) => `/dev/fd/${self.fd}`,
});
