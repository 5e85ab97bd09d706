/** `ip.tcp.acceptor` and `ip.tcp.socket`. */
import {
  begin,
  end,
  nothing,
  raise,
  readCount,
  readSome,
  writeCount,
  writeSome,
} from '../../actors/fiber-io.ts';
import { checkFd, giveFd, newFd } from '../../actors/file-descriptor.ts';
import { currentVm } from '../../actors/vm.ts';
import type { Family } from '../../io/address.ts';
import { backend } from '../../io/backend.ts';
import {
  type OptionKind,
  type ShutdownType,
  TCP_ACCEPTOR_OPTIONS,
  TCP_SOCKET_OPTIONS,
  type TcpAcceptor,
  type TcpEndpoint,
  type TcpSocket,
  type WaitType,
} from '../../io/transport.ts';
import { alreadyOpen } from '../../runtime/asio-error.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { argTypeError, checkInteger, checkString } from '../../runtime/check.ts';
import { badArgument, badIndex, codeError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { SOMAXCONN } from '../../sys/socket.ts';
import { luaType } from '../define.ts';
import { Address, addressOrText, checkAddress, checkPort } from './address.ts';
import { MESSAGE_FLAGS, readFlags } from './flags.ts';

// ── what both do alike ─────────────────────────────────────────────────────────────────────────────

abstract class Endpoint extends Userdata {
  abstract readonly io: TcpEndpoint;
}

function checkFamily(v: LuaValue): Family {
  if (v === 'v4') return 4;
  if (v === 'v6') return 6;
  if (v instanceof Address) return v.ip.family;
  throw badArgument(2);
}

const WAIT_TYPES: readonly LuaValue[] = ['read', 'write', 'error'];

type Options = Readonly<Partial<Record<string, OptionKind>>>;

function optionKind(name: LuaValue, options: Options, fn: string): [string, OptionKind] {
  const text = checkString(name, 2, fn);
  const kind = options[text];
  if (kind === undefined) throw codeError('ENOTSUP');
  return [text, kind];
}

/** The value of an option as an integer. */
function optionValue(kind: OptionKind, v: LuaValue): number {
  if (kind !== 'boolean') return checkInteger(v, 3, 'set_option');
  if (typeof v !== 'boolean') argTypeError(v, 3, 'set_option', 'boolean');
  return v ? 1 : 0;
}

function assign(self: Endpoint, family: LuaValue, fd: LuaValue): Result {
  checkFamily(family);
  checkFd(fd, 3);
  if (self.io.isOpen) throw alreadyOpen();
  giveFd(fd, 3, (number) => self.io.assign(number));
  return NONE;
}

function release(self: Endpoint): Result {
  return newFd(self.io.release());
}

const endpointMethods = {
  open(self: Endpoint, family: LuaValue): Result {
    const wanted = checkFamily(family);
    if (self.io.isOpen) throw alreadyOpen();
    self.io.open(wanted);
    return NONE;
  },
  bind(self: Endpoint, address: LuaValue, port: LuaValue): Result {
    self.io.bind(addressOrText(address, 2), checkPort(port, 3, 'bind'));
    return NONE;
  },
  close(self: Endpoint): Result {
    self.io.close();
    return NONE;
  },
  cancel(self: Endpoint): Result {
    self.io.cancel();
    return NONE;
  },
  assign,
  release,
  wait(self: Endpoint, type: LuaValue): Result {
    if (!WAIT_TYPES.includes(type)) throw badArgument(2);
    const op = begin();
    return end(op, self.io.wait(op, type as WaitType), nothing);
  },
};

const endpointProperties = {
  is_open: (self: Endpoint): Result => self.io.isOpen,
  local_address: (self: Endpoint): Result => new Address(self.io.localEndpoint().address),
  local_port: (self: Endpoint): Result => self.io.localEndpoint().port,
};

function unknownMember(): never {
  throw badIndex();
}

// ── acceptor ───────────────────────────────────────────────────────────────────────────────────────

export class Acceptor extends Endpoint {
  readonly io: TcpAcceptor = backend().tcpAcceptor(currentVm().io);
}

const accepted = (result: number, socket: unknown): Result =>
  result < 0 ? raise(result) : new Socket(socket as TcpSocket);

luaType('ip.tcp.acceptor', Acceptor, {
  methods: {
    ...endpointMethods,
    listen(self, backlog: LuaValue) {
      if (backlog !== undefined && typeof backlog !== 'number') throw badArgument(2);
      self.io.listen(backlog === undefined ? SOMAXCONN : backlog | 0);
      return NONE;
    },
    accept(self) {
      const op = begin();
      return end(op, self.io.accept(op), accepted);
    },
    set_option(self, name: LuaValue, value: LuaValue) {
      const [option, kind] = optionKind(name, TCP_ACCEPTOR_OPTIONS, 'set_option');
      self.io.setOption(option, optionValue(kind, value));
      return NONE;
    },
    get_option(self, name: LuaValue) {
      const [option] = optionKind(name, TCP_ACCEPTOR_OPTIONS, 'get_option');
      return self.io.getOption(option) !== 0;
    },
  },
  properties: endpointProperties,
  setIndex: unknownMember,
});

// ── socket ─────────────────────────────────────────────────────────────────────────────────────────

export class Socket extends Endpoint {
  readonly io: TcpSocket;
  constructor(io: TcpSocket = backend().tcpSocket(currentVm().io)) {
    super();
    this.io = io;
  }

  /** Connect the fiber's way: may suspend. */
  connect(address: Address, port: number): Result {
    const op = begin();
    return end(op, this.io.connect(op, address.ip, port), nothing);
  }
}

function transferFlags(v: LuaValue, fn: string): number {
  return readFlags(v, MESSAGE_FLAGS, 3) ?? argTypeError(v, 3, fn, 'number');
}

luaType('ip.tcp.socket', Socket, {
  methods: {
    ...endpointMethods,
    connect(self, address: LuaValue, port: LuaValue) {
      checkAddress(address, 2);
      return self.connect(address as Address, checkPort(port, 3, 'connect'));
    },
    disconnect(self) {
      self.io.disconnect();
      return NONE;
    },
    shutdown(self, what: LuaValue) {
      const text = checkString(what, 2, 'shutdown');
      if (!['receive', 'send', 'both'].includes(text)) throw badArgument(2);
      self.io.shutdown(text as ShutdownType);
      return NONE;
    },
    read_some: (self, buffer: LuaValue) => readSome(self.io, buffer),
    write_some: (self, buffer: LuaValue) => writeSome(self.io, buffer),
    receive(self, buffer: LuaValue, flagsArg: LuaValue) {
      if (!(buffer instanceof ByteSpan)) throw badArgument(2);
      const flags = transferFlags(flagsArg, 'receive');
      const op = begin();
      const result = self.io.receive(op, buffer.bytes, buffer.offset, buffer.length, flags);
      return end(op, result, buffer.length > 0 ? readCount : writeCount);
    },
    send(self, buffer: LuaValue, flagsArg: LuaValue) {
      if (!(buffer instanceof ByteSpan)) throw badArgument(2);
      const flags = transferFlags(flagsArg, 'send');
      const op = begin();
      return end(
        op,
        self.io.send(op, buffer.bytes, buffer.offset, buffer.length, flags),
        writeCount,
      );
    },
    /** TransmitFile of Windows. */
    send_file(): Result {
      throw codeError('ENOSYS');
    },
    io_control(self, command: LuaValue) {
      if (checkString(command, 2, 'io_control') !== 'bytes_readable') throw codeError('ENOTSUP');
      return self.io.bytesReadable();
    },
    set_option(self, name: LuaValue, value: LuaValue, seconds: LuaValue) {
      const [option, kind] = optionKind(name, TCP_SOCKET_OPTIONS, 'set_option');
      if (kind === 'linger') {
        if (typeof value !== 'boolean') argTypeError(value, 3, 'set_option', 'boolean');
        self.io.setLinger(value, checkInteger(seconds, 4, 'set_option'));
      } else self.io.setOption(option, optionValue(kind, value));
      return NONE;
    },
    get_option(self, name: LuaValue) {
      const [option, kind] = optionKind(name, TCP_SOCKET_OPTIONS, 'get_option');
      if (kind === 'linger') {
        const { on, seconds } = self.io.getLinger();
        return [on, seconds];
      }
      const value = self.io.getOption(option);
      return kind === 'boolean' ? value !== 0 : value;
    },
  },
  properties: {
    ...endpointProperties,
    remote_address: (self) => new Address(self.io.remoteEndpoint().address),
    remote_port: (self) => self.io.remoteEndpoint().port,
    at_mark: (self) => self.io.atMark,
  },
  setIndex: unknownMember,
});
