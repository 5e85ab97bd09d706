/** `ip.tcp.acceptor` and `ip.tcp.socket`. */

import {
  begin,
  end,
  endAccept,
  nothing,
  raise,
  readCount,
  readSome,
  writeCount,
  writeSome,
} from '../../actors/fiber-io.ts';
import {
  type Address,
  connectedProperties,
  SocketObject,
  socketProperties,
  TcpSocketObject,
} from '../../actors/ip-objects.ts';
import { currentVm } from '../../actors/vm.ts';
import { backend } from '../../io/backend.ts';
import {
  TCP_ACCEPTOR_OPTIONS,
  TCP_SOCKET_OPTIONS,
  type TcpAcceptor,
  type TcpSocket,
} from '../../io/transport.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { argTypeError, checkInt32 } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { SOMAXCONN } from '../../sys/socket.ts';
import { luaType, unknownMember } from '../define.ts';
import { checkAddress, checkPort } from './address.ts';
import { MESSAGE_FLAGS, readFlags } from './flags.ts';
import {
  connectedMethods,
  optionKind,
  optionResult,
  optionValue,
  socketMethods,
  waitMethod,
} from './socket.ts';

// ── acceptor ───────────────────────────────────────────────────────────────────────────────────────

export class Acceptor extends SocketObject {
  readonly io: TcpAcceptor = backend().tcpAcceptor(currentVm().io);
}

const accepted = (result: number, socket: unknown): Result =>
  result < 0 ? raise(result) : new Socket(socket as TcpSocket);

luaType('ip.tcp.acceptor', Acceptor, {
  methods: {
    ...socketMethods,
    ...waitMethod,
    /** Unlike a socket's, its errors when it is closed are the runtime's own. */
    release(self) {
      if (!self.io.isOpen) throw codeError('EBADF');
      return socketMethods.release(self);
    },
    listen(self, backlog: LuaValue) {
      if (backlog !== undefined && typeof backlog !== 'number') throw badArgument(2);
      self.io.listen(backlog === undefined ? SOMAXCONN : checkInt32(backlog, 2, 'listen'));
      return NONE;
    },
    accept(self) {
      const op = begin();
      return endAccept(op, self.io.accept(op), accepted);
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
  properties: socketProperties,
  setIndex: unknownMember,
});

// ── socket ─────────────────────────────────────────────────────────────────────────────────────────

export class Socket extends TcpSocketObject {
  io: TcpSocket;
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
    ...connectedMethods,
    ...waitMethod,
    connect(self, address: LuaValue, port: LuaValue) {
      checkAddress(address, 2);
      return self.connect(address as Address, checkPort(port, 3, 'connect'));
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
    set_option(self, name: LuaValue, value: LuaValue, seconds: LuaValue) {
      const [option, kind] = optionKind(name, TCP_SOCKET_OPTIONS, 'set_option');
      if (kind === 'linger') {
        if (typeof value !== 'boolean') argTypeError(value, 3, 'set_option', 'boolean');
        self.io.setLinger(value, checkInt32(seconds, 4, 'set_option'));
      } else self.io.setOption(option, optionValue(kind, value));
      return NONE;
    },
    get_option(self, name: LuaValue) {
      const [option, kind] = optionKind(name, TCP_SOCKET_OPTIONS, 'get_option');
      if (kind === 'linger') {
        const { on, seconds } = self.io.getLinger();
        return [on, seconds];
      }
      return optionResult(kind, self.io.getOption(option));
    },
  },
  properties: {
    ...connectedProperties,
    at_mark: (self) => self.io.atMark,
  },
  setIndex: unknownMember,
});
