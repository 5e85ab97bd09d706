/** The sockets of `unix`: `unix.stream.socket`, `unix.datagram.socket`, `unix.seqpacket.socket`. */
import {
  begin,
  type Convert,
  end,
  type FiberOperation,
  nothing,
  raise,
  readCount,
  readSome,
  writeCount,
  writeSome,
} from '../../actors/fiber-io.ts';
import { FileDescriptor } from '../../actors/file-descriptor.ts';
import { HandleObject, handleMethods, handleProperties } from '../../actors/handle-object.ts';
import { FilePath } from '../../actors/modules.ts';
import { currentVm } from '../../actors/vm.ts';
import type { ShutdownType } from '../../io/transport.ts';
import { type Received, UnixSocket } from '../../io/unix.ts';
import { alreadyOpen, endOfFile } from '../../runtime/asio-error.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { argTypeError, checkInt32, checkInteger, requireString } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { checkFlags } from '../../runtime/flags.ts';
import { arrayOf, LuaTable, rawGet, rawLength, setField, tableOf } from '../../runtime/table.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { MSG_PEEK, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from '../../sys/socket.ts';
import { MAX_MESSAGE_FDS } from '../../sys/unix.ts';
import { luaType, unknownMember } from '../define.ts';

export const MESSAGE_FLAGS = { peek: MSG_PEEK };

// ── addresses ──────────────────────────────────────────────────────────────────────────────────────

/** A path; a string may also be `@name`, which has no file. @returns a NUL first for such a name */
export function checkPath(v: LuaValue, position: number): string {
  if (v instanceof FilePath) return v.path;
  if (typeof v !== 'string') throw badArgument(position);
  return v.startsWith('@') ? `\0${v.slice(1)}` : v;
}

// ── options ────────────────────────────────────────────────────────────────────────────────────────

export type OptionKind = 'boolean' | 'integer';
export type Options = Readonly<Partial<Record<string, OptionKind>>>;

const SOCKET_OPTIONS: Options = {
  __proto__: null as never,
  debug: 'boolean',
  send_buffer_size: 'integer',
  receive_buffer_size: 'integer',
};
const STREAM_OPTIONS: Options = {
  __proto__: null as never,
  ...SOCKET_OPTIONS,
  send_low_watermark: 'integer',
  receive_low_watermark: 'integer',
};

export function optionKind(name: string, options: Options): OptionKind {
  const kind = options[name];
  if (kind === undefined) throw codeError('ENOTSUP');
  return kind;
}

export function optionValue(kind: OptionKind, v: LuaValue): number {
  if (kind === 'integer') return checkInt32(v, 3, 'set_option');
  if (typeof v !== 'boolean') argTypeError(v, 3, 'set_option', 'boolean');
  return v ? 1 : 0;
}

// ── descriptors in messages ────────────────────────────────────────────────────────────────────────

function checkSpan(v: LuaValue): ByteSpan {
  if (!(v instanceof ByteSpan)) throw badArgument(2);
  return v;
}

/** How many descriptors are wanted. */
function checkMost(v: LuaValue): number {
  const most = checkInteger(v, 3, 'receive_with_fds');
  if (!(most >= 1)) throw badArgument(3);
  return Math.min(most, MAX_MESSAGE_FDS);
}

/** Each once, in the order in which they are listed first. */
function checkFds(v: LuaValue, position: number): FileDescriptor[] {
  if (!(v instanceof LuaTable)) throw badArgument(position);
  const list: FileDescriptor[] = [];
  const seen = new Set<FileDescriptor>();
  for (let i = 1, length = rawLength(v); i <= length; i++) {
    const fd = rawGet(v, i);
    if (!(fd instanceof FileDescriptor)) throw badArgument(position);
    if (length > 1) {
      if (seen.has(fd)) continue;
      seen.add(fd);
    }
    list.push(fd);
  }
  for (const fd of list) void fd.fd; // EBUSY
  return list;
}

/** The descriptors of a message, which have objects of Lua as their owners from now on. */
function fdList({ fds, truncated }: Received): LuaTable {
  const list = arrayOf(fds.map((owned) => new FileDescriptor(owned)));
  if (truncated) setField(list, 'truncated', true);
  return list;
}

/** @param atEnd  what no bytes mean */
const withFds =
  (atEnd: 'eof' | 'empty'): Convert =>
  (result, value) => {
    if (result < 0) return raise(result);
    const list = fdList(value as Received);
    if (result === 0 && atEnd === 'eof' && rawLength(list) === 0) throw endOfFile();
    return [result, list];
  };
const connectionWithFds = withFds('eof');
const datagramWithFds = withFds('empty');

const senderAndFds: Convert = (result, value) => {
  if (result < 0) return raise(result);
  const received = value as Received;
  const from = received.path === '' ? undefined : new FilePath(received.path);
  return [result, from, fdList(received)];
};

const countAndSender: Convert = (result, value) =>
  result < 0 ? raise(result) : [result, new FilePath((value as Received).path)];

function receiveWithFds(self: Socket, buffer: LuaValue, mostArg: LuaValue): Result {
  const span = checkSpan(buffer);
  const most = checkMost(mostArg);
  const op = begin();
  const result = self.io.receiveMessage(op, span.bytes, span.offset, span.length, 0, most);
  const isConnection = !(self instanceof DatagramSocket) && span.length > 0;
  return end(op, result, isConnection ? connectionWithFds : datagramWithFds);
}

/** While the message waits, nobody can close or give away what it carries. */
function sendFds(
  self: Socket,
  buffer: LuaValue,
  path: string | undefined,
  fdsArg: LuaValue,
  position: number,
): Result {
  const span = checkSpan(buffer);
  const fds = checkFds(fdsArg, position);
  const op: FiberOperation = begin();
  const numbers = fds.map((fd) => fd.fd);
  const result = self.io.sendMessage(op, span.bytes, span.offset, span.length, 0, path, numbers);
  for (const fd of fds) fd.lock();
  return end(op, result, (count) => {
    for (const fd of fds) fd.unlock();
    return writeCount(count, undefined);
  });
}

// ── classes ────────────────────────────────────────────────────────────────────────────────────────

export abstract class Socket extends HandleObject {
  readonly io: UnixSocket;
  constructor(io: UnixSocket) {
    super();
    this.io = io;
  }
}

export class StreamSocket extends Socket {
  constructor(io = new UnixSocket(currentVm().io, SOCK_STREAM)) {
    super(io);
  }
}

export class DatagramSocket extends Socket {
  constructor(io = new UnixSocket(currentVm().io, SOCK_DGRAM)) {
    super(io);
  }
}

export class SeqpacketSocket extends Socket {
  constructor(io = new UnixSocket(currentVm().io, SOCK_SEQPACKET)) {
    super(io);
  }
}

/** `X.pair()` */
export function pair(type: number, cls: new (io: UnixSocket) => Socket) {
  return (): Result => UnixSocket.pair(currentVm().io, type).map((io) => new cls(io));
}

/** Connect the fiber's way: may suspend. */
export function connect(self: Socket, path: string): Result {
  const op = begin();
  return end(op, self.io.connect(op, path), nothing);
}

const SHUTDOWN: readonly string[] = ['receive', 'send', 'both'];

const socketMethods = {
  ...handleMethods,
  open(self: Socket): Result {
    if (self.io.isOpen) throw alreadyOpen();
    self.io.open();
    return NONE;
  },
  bind(self: Socket, path: LuaValue): Result {
    self.io.bind(checkPath(path, 2));
    return NONE;
  },
  connect: (self: Socket, path: LuaValue): Result => connect(self, checkPath(path, 2)),
  disconnect(self: Socket): Result {
    self.io.disconnect();
    return NONE;
  },
  shutdown(self: Socket, what: LuaValue): Result {
    if (typeof what !== 'string' || !SHUTDOWN.includes(what)) throw badArgument(2);
    self.io.shutdown(what as ShutdownType);
    return NONE;
  },
  io_control(self: Socket, command: LuaValue): Result {
    if (requireString(command, 2, 'io_control') !== 'bytes_readable') throw codeError('ENOTSUP');
    return self.io.bytesReadable();
  },
  receive_with_fds: receiveWithFds,
  send_with_fds: (self: Socket, buffer: LuaValue, fds: LuaValue): Result =>
    sendFds(self, buffer, undefined, fds, 3),
};

/** `set_option` and `get_option`. @param hasPeer  the peer's identity can be asked for */
function optionMethods(options: Options, hasPeer: boolean) {
  return {
    set_option(self: Socket, name: LuaValue, value: LuaValue): Result {
      const text = requireString(name, 2, 'set_option');
      self.io.setOption(text, optionValue(optionKind(text, options), value));
      return NONE;
    },
    get_option(self: Socket, name: LuaValue): Result {
      const text = requireString(name, 2, 'get_option');
      if (hasPeer && text === 'remote_credentials') {
        const { uid, gid, pid } = self.io.remoteCredentials();
        return tableOf({ uid, groups: arrayOf([gid]), pid });
      }
      if (hasPeer && text === 'remote_security_label') return self.io.remoteSecurityLabel();
      const kind = optionKind(text, options);
      const value = self.io.getOption(text);
      return kind === 'boolean' ? value !== 0 : value;
    },
  };
}

const socketProperties = {
  ...handleProperties,
  local_path: (self: Socket): Result => new FilePath(self.io.localPath()),
  remote_path: (self: Socket): Result => new FilePath(self.io.remotePath()),
};

/** `receive` and `send` of messages. @param count  what no bytes mean */
function messageMethods(count: Convert) {
  return {
    receive(self: Socket, buffer: LuaValue, flagsArg: LuaValue): Result {
      const { bytes, offset, length } = checkSpan(buffer);
      const flags = checkFlags(flagsArg, MESSAGE_FLAGS, 3);
      const op = begin();
      const result = self.io.receive(op, bytes, offset, length, flags);
      return end(op, result, length > 0 ? count : writeCount);
    },
    send(self: Socket, buffer: LuaValue, flagsArg: LuaValue): Result {
      const { bytes, offset, length } = checkSpan(buffer);
      const flags = checkFlags(flagsArg, MESSAGE_FLAGS, 3);
      const op = begin();
      return end(op, self.io.send(op, bytes, offset, length, flags), writeCount);
    },
  };
}

luaType('unix.stream.socket', StreamSocket, {
  methods: {
    ...socketMethods,
    ...optionMethods(STREAM_OPTIONS, true),
    read_some: (self, buffer: LuaValue) => readSome(self.io, buffer),
    write_some: (self, buffer: LuaValue) => writeSome(self.io, buffer),
  },
  properties: socketProperties,
  setIndex: unknownMember,
});

luaType('unix.seqpacket.socket', SeqpacketSocket, {
  methods: {
    ...socketMethods,
    ...optionMethods(SOCKET_OPTIONS, true),
    ...messageMethods(readCount),
  },
  properties: socketProperties,
  setIndex: unknownMember,
});

luaType('unix.datagram.socket', DatagramSocket, {
  methods: {
    ...socketMethods,
    /** Unlike those of connections: at once, so no suspension point. */
    connect(self, path: LuaValue) {
      self.io.setPeer(checkPath(path, 2));
      return NONE;
    },
    ...optionMethods(SOCKET_OPTIONS, false),
    ...messageMethods(writeCount),
    receive_from(self, buffer: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkSpan(buffer);
      const flags = checkFlags(flagsArg, MESSAGE_FLAGS, 3);
      const op = begin();
      const result = self.io.receiveMessage(op, bytes, offset, length, flags, 0);
      return end(op, result, countAndSender);
    },
    send_to(self, buffer: LuaValue, path: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkSpan(buffer);
      const to = checkPath(path, 3);
      const flags = checkFlags(flagsArg, MESSAGE_FLAGS, 4);
      const op = begin();
      return end(op, self.io.sendMessage(op, bytes, offset, length, flags, to), writeCount);
    },
    receive_from_with_fds(self, buffer: LuaValue, mostArg: LuaValue) {
      const { bytes, offset, length } = checkSpan(buffer);
      const most = checkMost(mostArg);
      const op = begin();
      const result = self.io.receiveMessage(op, bytes, offset, length, 0, most);
      return end(op, result, senderAndFds);
    },
    send_to_with_fds: (self, buffer: LuaValue, path: LuaValue, fds: LuaValue) =>
      sendFds(self, buffer, checkPath(path, 3), fds, 4),
  },
  properties: socketProperties,
  setIndex: unknownMember,
});
