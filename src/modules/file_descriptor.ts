/**
 * Objects of type `file_descriptor`: owners of descriptors. There is no module: sockets, pipes, files and
 * processes hand them out. A closed one has no member but `close`.
 */
import { fstatSync } from 'node:fs';
import { checkFd, type FileDescriptor, newFd } from '../actors/file-descriptor.ts';
import { FilePath } from '../actors/modules.ts';
import { fileType } from '../io/file-type.ts';
import { OPENAT_FLAGS, openAt, RESOLVE_FLAGS } from '../io/openat.ts';
import { LinuxCapabilities } from '../runtime/capabilities.ts';
import { checkTable, checkUint32 } from '../runtime/check.ts';
import { badArgument, badIndex, codeError } from '../runtime/error-code.ts';
import {
  CAPABILITY_ATTRIBUTE,
  CAPABILITY_BYTES,
  packCapabilities,
  unpackCapabilities,
} from '../runtime/file-capabilities.ts';
import { namedFlags } from '../runtime/flags.ts';
import { arrayOf, LuaTable, rawGet, rawLength } from '../runtime/table.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import {
  capFcntlsGet,
  capFcntlsLimit,
  capIoctlsGet,
  capIoctlsLimit,
  capRightsGet,
  capRightsLimit,
  contains,
  FCNTL_RIGHTS,
  type Rights,
  rightsOf,
  without,
} from '../sys/capsicum.ts';
import { EBADF, EINVAL, ok, SysError } from '../sys/errno.ts';
import { fgetxattr, fsetxattr, fstat } from '../sys/filesystem.ts';
import { freebsdAvailable, nativeAvailable } from '../sys/native.ts';
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
import { type TypeSpec, unknownMember } from './define.ts';

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
  if (!(pathArg instanceof FilePath)) throw badArgument(2);
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
  const mode = modeArg === undefined ? MODE : checkUint32(modeArg, 4, 'openat');
  return newFd(openAt(self.fd, pathArg.path, flags, resolve, mode));
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

// ── Capsicum: FreeBSD's; elsewhere, good arguments get ENOSYS ──────────────────────────────────────

function needFreeBsd(): void {
  if (!freebsdAvailable()) throw codeError('ENOSYS');
}

/** EINVAL{arg=2}: a name that there isn't, or no name */
function checkRights(v: LuaValue, fn: string): Rights {
  const list = checkTable(v, 2, fn);
  const names: string[] = [];
  for (let i = 1; i <= rawLength(list); i++) {
    const name = rawGet(list, i);
    if (typeof name !== 'string') throw badArgument(2);
    names.push(name);
  }
  const rights = rightsOf(names);
  if (rights === undefined) throw badArgument(2);
  return rights;
}

function limitRights(self: FileDescriptor, list: LuaValue): Result {
  const { fd } = self;
  const rights = checkRights(list, 'cap_rights_limit');
  needFreeBsd();
  capRightsLimit(fd, rights);
  return NONE;
}

function containsRights(self: FileDescriptor, list: LuaValue): boolean {
  const { fd } = self;
  const rights = checkRights(list, 'cap_rights_contains');
  needFreeBsd();
  return contains(capRightsGet(fd), rights);
}

function removeRights(self: FileDescriptor, list: LuaValue): Result {
  const { fd } = self;
  const rights = checkRights(list, 'cap_rights_remove');
  needFreeBsd();
  capRightsLimit(fd, without(capRightsGet(fd), rights));
  return NONE;
}

function limitIoctls(self: FileDescriptor, list: LuaValue): Result {
  const { fd } = self;
  const commands: number[] = [];
  const table = checkTable(list, 2, 'cap_ioctls_limit');
  for (let i = 1; i <= rawLength(table); i++) {
    const command = rawGet(table, i);
    if (typeof command !== 'number' || !Number.isSafeInteger(command) || command < 0)
      throw badArgument(2);
    commands.push(command);
  }
  needFreeBsd();
  capIoctlsLimit(fd, commands);
  return NONE;
}

function getIoctls(self: FileDescriptor): LuaValue {
  const { fd } = self;
  needFreeBsd();
  const commands = capIoctlsGet(fd);
  return commands === 'all' ? commands : arrayOf(commands);
}

function limitFcntls(self: FileDescriptor, list: LuaValue): Result {
  const { fd } = self;
  const bits = namedFlags(checkTable(list, 2, 'cap_fcntls_limit'), FCNTL_RIGHTS, 2);
  needFreeBsd();
  capFcntlsLimit(fd, bits);
  return NONE;
}

function getFcntls(self: FileDescriptor): LuaValue {
  const { fd } = self;
  needFreeBsd();
  const bits = capFcntlsGet(fd);
  const names = Object.entries(FCNTL_RIGHTS).filter(([, bit]) => (bits & bit) !== 0);
  // Some that this doesn't know.
  if (names.reduce((rest, [, bit]) => rest & ~bit, bits) !== 0) throw codeError('ENOTSUP');
  return arrayOf(names.map(([name]) => name));
}

/** What native/fd.c alone can't do: a method that is ENOSYS where the rest of the addon isn't. */
function whole<A extends LuaValue[], R>(
  method: (self: FileDescriptor, ...args: A) => R,
): (self: FileDescriptor, ...args: A) => R {
  return (self, ...args) => {
    if (!nativeAvailable()) throw codeError('ENOSYS');
    return method(self, ...args);
  };
}

export const fileDescriptorType = (): TypeSpec<FileDescriptor> => ({
  guard(self, key) {
    if (key !== 'close' && !self.isOpen) throw badIndex(key);
  },
  methods: {
    close(self) {
      self.close();
      return NONE;
    },
    dup: (self): Result => newFd(self.owned.dup()),
    kcmp: whole((self, other: LuaValue) => self.owned.compare(checkFd(other, 2).owned)),
    is_socket: whole(isSocket),
    openat: whole(openAtDirectory),
    cap_get: whole(getCapabilities),
    cap_set: whole(setCapabilities),
    cap_rights_limit: limitRights,
    cap_rights_contains: containsRights,
    cap_rights_remove: removeRights,
    cap_ioctls_limit: limitIoctls,
    cap_ioctls_get: getIoctls,
    cap_fcntls_limit: limitFcntls,
    cap_fcntls_get: getFcntls,
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
  setIndex: unknownMember,
  tostring: (self) => `/dev/fd/${self.fd}`,
});
