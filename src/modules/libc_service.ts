/** `require 'libc_service'`: who may answer the calls of the C library that are made in another process. */
import { normalize } from 'node:path';
import { currentIo } from '../actors/current-io.ts';
import { begin, end, nothing, raise } from '../actors/fiber-io.ts';
import { FileDescriptor, newFd } from '../actors/file-descriptor.ts';
import { Address } from '../actors/ip-objects.ts';
import { newService, ServiceMaster, ServiceSlave } from '../actors/libc-service.ts';
import { FilePath } from '../actors/modules.ts';
import { currentVm } from '../actors/vm.ts';
import { IpAddress } from '../io/address.ts';
import {
  CALLS,
  type Call,
  descriptorsOf,
  encodeResult,
  MAX_ANSWER_FDS,
  type Question,
  USE_OWN,
  type Value,
} from '../io/libc-service-protocol.ts';
import { OPEN_FLAGS, OPENAT_FLAGS } from '../io/openat.ts';
import { endOfFile } from '../runtime/asio-error.ts';
import { checkInteger } from '../runtime/check.ts';
import {
  badArgument,
  codeError,
  genericCategory,
  readError,
  systemCategory,
} from '../runtime/error-code.ts';
import { arrayOf, LuaTable, rawGet, rawGetString, rawLength } from '../runtime/table.ts';
import { FilePoint, SystemPoint, toUnixTime, unixTimeOf } from '../runtime/time-point.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { EBADMSG } from '../sys/errno.ts';
import { preloadLibrary } from '../sys/libc-service.ts';
import { nativeAvailable } from '../sys/native.ts';
import { luaModule, luaType, PerVm } from './define.ts';

// ── questions ──────────────────────────────────────────────────────────────────────────────────────

function asked({ io }: ServiceMaster): Question {
  if (io.question === undefined) throw codeError('ENOMSG');
  return io.question;
}

const ACCESS = { read_only: 0, write_only: 1, read_write: 2 };
const O_ACCMODE = 3;
/** All but those: they are numbers, and no bits. */
const BITS = Object.entries(OPENAT_FLAGS).filter(([name]) => !Object.hasOwn(ACCESS, name));

/** What of the flags of open(2) has a name here, in alphabetical order. */
function flagNames(flags: number): string[] {
  const names = BITS.filter(([, bits]) => (flags & bits) === bits).map(([name]) => name);
  // The flag of temporary files has that of directories in it.
  const kept = names.includes('temporary') ? names.filter((name) => name !== 'directory') : names;
  const access = Object.entries(ACCESS).find(([, n]) => n === (flags & O_ACCMODE));
  if (access !== undefined) kept.push(access[0]);
  return kept.sort();
}

const makes = (flags: number): boolean =>
  [OPEN_FLAGS.create, OPENAT_FLAGS.temporary!].some((bits) => (flags & bits) === bits);

function accessNames(mode: number): LuaValue {
  if (mode === 0) return 'f';
  return arrayOf(['r', 'w', 'x'].filter((_, i) => (mode & (4 >> i)) !== 0));
}

function addressOf(bytes: Uint8Array, scope: number): Address {
  currentVm().core('ip'); // what the object has
  return new Address(new IpAddress(bytes, scope));
}

function argumentsOf(q: Question): LuaValue[] {
  switch (q.call) {
    case 'open':
    case 'openat': {
      const resolve = q.call === 'open' ? [] : q.resolve.map((name) => `resolve_${name}`);
      const flags = arrayOf([...flagNames(q.flags), ...resolve]);
      const path = new FilePath(q.path);
      return makes(q.flags) ? [path, flags, q.mode] : [path, flags];
    }
    case 'rename':
      return [new FilePath(q.path), new FilePath(q.to)];
    case 'access':
    case 'eaccess':
      return [new FilePath(q.path), accessNames(q.mode)];
    case 'mkdir':
      return [new FilePath(q.path), q.mode];
    case 'connect_inet':
    case 'bind_inet':
      return [addressOf(q.address, 0), q.port];
    case 'connect_inet6':
    case 'bind_inet6':
      return [addressOf(q.address, q.scope), q.port];
    case 'getaddrinfo':
      return [q.node, q.service ?? undefined, q.protocol ?? undefined];
    default:
      return [new FilePath(q.path)];
  }
}

// ── answers ────────────────────────────────────────────────────────────────────────────────────────

/** A number, an error of the system, or nothing. */
function checkErrno(v: LuaValue, position: number): number {
  if (v === undefined) return 0;
  if (typeof v === 'number' && Number.isInteger(v) && Math.abs(v) < 2 ** 31) return v;
  const error = readError(v);
  if (error?.category !== genericCategory && error?.category !== systemCategory)
    throw badArgument(position);
  return error.code;
}

const TYPES = 'regular directory symlink block character fifo socket unknown'.split(' ');
const NUMBERS = 'dev ino mode nlink uid gid rdev size blksize blocks'.split(' ');
const TIMES = ['atime', 'mtime', 'ctime'];
const MOST = 2 ** 53;

function timeOf(v: LuaValue): readonly [seconds: number, ns: number] {
  if (v instanceof FilePoint) return toUnixTime(v);
  if (v instanceof SystemPoint) return unixTimeOf(v.ticks);
  if (typeof v !== 'number' || !(Math.abs(v) <= MOST)) throw badArgument(2);
  const seconds = Math.floor(v);
  return [seconds, Math.floor((v - seconds) * 1e9)];
}

/** @throws LuaError  EINVAL{arg=2}: a field is of another kind */
function statusOf(table: LuaTable): Map<string, Value> {
  const status = new Map<string, Value>();
  const type = rawGetString(table, 'type');
  if (type !== undefined) {
    if (typeof type !== 'string' || !TYPES.includes(type)) throw badArgument(2);
    status.set('type', type);
  }
  for (const name of NUMBERS) {
    const n = rawGetString(table, name);
    if (n === undefined) continue;
    if (typeof n !== 'number' || !Number.isInteger(n) || Math.abs(n) > MOST) throw badArgument(2);
    status.set(name, n);
  }
  for (const name of TIMES) {
    const time = rawGetString(table, name);
    if (time === undefined) continue;
    const [seconds, ns] = timeOf(time);
    status.set(name, seconds);
    status.set(`${name}_nsec`, ns);
  }
  return status;
}

const LOOKUP_FAILURES = 'again badflags fail family memory noname service socktype system'.split(
  ' ',
);

/** As the slave is to have it: a name of an error and errno; nil, address and port; nil. */
function foundOf(v: LuaValue, errno: number): Value[] {
  if (v === undefined) return [null];
  if (typeof v === 'string') {
    if (!LOOKUP_FAILURES.includes(v)) throw badArgument(2);
    return [v, errno];
  }
  if (!(v instanceof LuaTable)) throw badArgument(2);
  const address = rawGet(v, 1);
  const port = rawGet(v, 2);
  if (!(address instanceof Address)) throw badArgument(2);
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65535;
  if (port !== undefined && !isPort) throw badArgument(2);
  const { bytes, family, scopeId } = address.ip;
  return [null, family === 4 ? [...bytes] : [...bytes, scopeId], port ?? null];
}

function resultOf(self: ServiceMaster, v: LuaValue, errno: number, fn: string): Value[] {
  if (self.io.question === undefined) throw codeError('EINVAL');
  const { call } = self.io.question;
  if (call === 'getaddrinfo') return foundOf(v, errno);
  if (call === 'stat' || call === 'lstat') {
    if (v instanceof LuaTable) return [statusOf(v)];
    // Without a table there is nothing that a file could be.
    if (v !== -1) throw badArgument(2);
    return [v, errno];
  }
  const result = checkInteger(v, 2, fn);
  if (Math.abs(result) >= 2 ** 31) throw badArgument(2);
  return [result, errno];
}

/** Each once. */
function checkFds(v: LuaValue): FileDescriptor[] {
  if (!(v instanceof LuaTable)) throw badArgument(3);
  const list = new Set<FileDescriptor>();
  for (let i = 1; i <= rawLength(v); i++) {
    const fd = rawGet(v, i);
    if (!(fd instanceof FileDescriptor)) throw badArgument(3);
    void fd.fd; // EBUSY
    list.add(fd);
  }
  if (list.size > MAX_ANSWER_FDS) throw codeError('EOVERFLOW', { arg: 3 });
  return [...list];
}

function answer(self: ServiceMaster, packet: Uint8Array, fds: readonly FileDescriptor[]): Result {
  const op = begin();
  const numbers = fds.map((fd) => fd.fd);
  return end(op, self.io.answer(packet, numbers), nothing);
}

// ── objects ────────────────────────────────────────────────────────────────────────────────────────

luaType('libc_service.master', ServiceMaster, {
  methods: {
    receive(self) {
      const { io } = self;
      if (io.question !== undefined) throw badArgument(1);
      if (io.isReceiving) throw codeError('EBUSY');
      const op = begin();
      op.owner = self;
      return end(op, io.nextQuestion(op), (result): Result => {
        if (result === -EBADMSG) {
          io.close();
          throw codeError('EBADMSG');
        }
        if (result === 0) throw endOfFile();
        return result < 0 ? raise(result) : NONE;
      });
    },
    arguments: (self): Result => argumentsOf(asked(self)),
    descriptors(self) {
      if (descriptorsOf(asked(self)) === 0) throw badArgument(1);
      const fd = self.io.takeBrought();
      return fd === undefined ? undefined : newFd(fd);
    },
    send(self, result: LuaValue, errno: LuaValue) {
      const values = resultOf(self, result, checkErrno(errno, 3), 'send');
      return answer(self, encodeResult(values), []);
    },
    send_with_fds(self, result: LuaValue, fds: LuaValue, errno: LuaValue) {
      const values = resultOf(self, result, checkErrno(errno, 4), 'send_with_fds');
      return answer(self, encodeResult(values), checkFds(fds));
    },
    use_slave_credentials(self) {
      if (self.io.question === undefined) throw badArgument(1);
      return answer(self, USE_OWN, []);
    },
    close(self) {
      self.io.close();
      return NONE;
    },
  },
  properties: { function_: (self) => asked(self).call },
});

luaType('libc_service.slave', ServiceSlave, {
  setIndex(self, name, source) {
    if (!self.isUsable) throw codeError('EBUSY');
    if (typeof name !== 'string' || !CALLS.includes(name as Call)) throw badArgument(2);
    if (typeof source !== 'string') throw badArgument(3);
    self.filters.set(name as Call, source);
  },
});

function make(): Result {
  if (!nativeAvailable()) throw codeError('ENOSYS');
  return [...newService(currentIo())];
}

export const libcService = luaModule('libc_service', {
  new: make,
  preload_library: new PerVm(() => (nativeAvailable() ? normalize(preloadLibrary()) : undefined)),
});
