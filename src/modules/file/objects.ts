/** `file.stream` and `file.random_access`. */
import { constants } from 'node:fs';
import {
  begin,
  end,
  nothing,
  readCount,
  readSome,
  writeCount,
  writeSome,
} from '../../actors/fiber-io.ts';
import { HandleObject, handleMethods, handleProperties } from '../../actors/handle-object.ts';
import { FilePath } from '../../actors/modules.ts';
import { currentVm } from '../../actors/vm.ts';
import { RandomAccessFile, StreamFile } from '../../io/file.ts';
import { OPEN_FLAGS } from '../../io/openat.ts';
import { alreadyOpen } from '../../runtime/asio-error.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { argTypeError, checkOffset, requireString } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { checkFlags } from '../../runtime/flags.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { SEEK_CUR, SEEK_END, SEEK_SET } from '../../sys/file.ts';
import { luaType, unknownMember } from '../define.ts';

/** A FIFO without a peer must not hold up the thread; a terminal is not to become ours. */
const ALWAYS = constants.O_NONBLOCK | constants.O_NOCTTY;
/** Less the umask: as the reference has it. */
const MODE = 0o777;

export abstract class FileObject extends HandleObject {
  abstract override readonly io: StreamFile | RandomAccessFile;
}

export class Stream extends FileObject {
  readonly io = new StreamFile(currentVm().io);
}

export class RandomAccess extends FileObject {
  readonly io = new RandomAccessFile(currentVm().io);
}

function checkPath(v: LuaValue): string {
  if (!(v instanceof FilePath)) throw badArgument(2);
  return v.path;
}

function lock(shared: boolean) {
  return (self: FileObject): Result => {
    const op = begin();
    return end(op, self.io.lock(op, shared), nothing);
  };
}

const fileMethods = {
  ...handleMethods,
  open(self: FileObject, path: LuaValue, flags: LuaValue): Result {
    const name = checkPath(path);
    if (flags === undefined) argTypeError(flags, 3, 'open', 'table');
    const wanted = checkFlags(flags, OPEN_FLAGS, 3);
    if (self.io.isOpen) throw alreadyOpen();
    self.io.open(name, wanted | ALWAYS, MODE);
    return NONE;
  },
  resize(self: FileObject, size: LuaValue): Result {
    self.io.resize(checkOffset(size, 2, 'resize'));
    return NONE;
  },
  lock: lock(false),
  lock_shared: lock(true),
  try_lock: (self: FileObject): Result => self.io.tryLock(false),
  try_lock_shared: (self: FileObject): Result => self.io.tryLock(true),
  unlock(self: FileObject): Result {
    self.io.unlock();
    return NONE;
  },
};

const fileProperties = {
  ...handleProperties,
  size: (self: FileObject): Result => self.io.size,
};

const WHENCE: Readonly<Partial<Record<string, number>>> = {
  __proto__: null as never,
  set: SEEK_SET,
  cur: SEEK_CUR,
  end: SEEK_END,
};

luaType('file.stream', Stream, {
  methods: {
    ...fileMethods,
    seek(self, offset: LuaValue, whenceArg: LuaValue) {
      const distance = checkOffset(offset, 2, 'seek');
      const whence = WHENCE[requireString(whenceArg, 3, 'seek')];
      if (whence === undefined) throw codeError('EINVAL');
      return self.io.seek(distance, whence);
    },
    read_some: (self, buffer: LuaValue) => readSome(self.io, buffer),
    write_some: (self, buffer: LuaValue) => writeSome(self.io, buffer),
  },
  properties: fileProperties,
  setIndex: unknownMember,
});

luaType('file.random_access', RandomAccess, {
  methods: {
    ...fileMethods,
    read_some_at(self, offset: LuaValue, buffer: LuaValue) {
      const at = checkOffset(offset, 2, 'read_some_at');
      if (!(buffer instanceof ByteSpan)) throw badArgument(3);
      const op = begin();
      const result = self.io.readAt(op, at, buffer.bytes, buffer.offset, buffer.length);
      return end(op, result, buffer.length > 0 ? readCount : writeCount);
    },
    write_some_at(self, offset: LuaValue, buffer: LuaValue) {
      const at = checkOffset(offset, 2, 'write_some_at');
      if (!(buffer instanceof ByteSpan)) throw badArgument(3);
      const op = begin();
      const result = self.io.writeAt(op, at, buffer.bytes, buffer.offset, buffer.length);
      return end(op, result, writeCount);
    },
  },
  properties: fileProperties,
  setIndex: unknownMember,
});
