/** `ip.udp.socket`. */

import { begin, end, nothing, raise, writeCount } from '../../actors/fiber-io.ts';
import { Address, ConnectedObject, connectedProperties } from '../../actors/ip-objects.ts';
import { currentVm } from '../../actors/vm.ts';
import { IpAddress } from '../../io/address.ts';
import { backend } from '../../io/backend.ts';
import type { IpEndpoint } from '../../io/endpoint.ts';
import { UDP_SOCKET_OPTIONS, type UdpSocket } from '../../io/transport.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { luaType, unknownMember } from '../define.ts';
import { checkAddress, checkPort } from './address.ts';
import { MESSAGE_FLAGS, readFlags } from './flags.ts';
import { connectedMethods, optionKind, optionResult, optionValue } from './socket.ts';

export class UdpSocketObject extends ConnectedObject {
  readonly io: UdpSocket = backend().udpSocket(currentVm().io);

  /** Set the peer the fiber's way: a suspension point, though it takes no time. */
  connect(address: Address, port: number): Result {
    const op = begin();
    return end(op, this.io.connect(address.ip, port), nothing);
  }
}

function checkBuffer(v: LuaValue): ByteSpan {
  if (!(v instanceof ByteSpan)) throw badArgument(2);
  return v;
}

function optFlags(v: LuaValue, position: number): number {
  if (v === undefined) return 0;
  const flags = readFlags(v, MESSAGE_FLAGS, position);
  if (flags === undefined) throw badArgument(position);
  return flags;
}

const unspecified: IpEndpoint = { address: new IpAddress(new Uint8Array(4)), port: 0 };

/** The datagram's size, and who sent it. */
function received(result: number, from: unknown): Result {
  if (result < 0) return raise(result);
  const { address, port } = (from as IpEndpoint | undefined) ?? unspecified;
  return [result, new Address(address), port];
}

luaType('ip.udp.socket', UdpSocketObject, {
  methods: {
    ...connectedMethods,
    connect(self, address: LuaValue, port: LuaValue) {
      checkAddress(address, 2);
      return self.connect(address as Address, checkPort(port, 3, 'connect'));
    },
    receive(self, buffer: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkBuffer(buffer);
      const flags = optFlags(flagsArg, 3);
      const op = begin();
      return end(op, self.io.receive(op, bytes, offset, length, flags), writeCount);
    },
    receive_from(self, buffer: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkBuffer(buffer);
      const flags = optFlags(flagsArg, 3);
      const op = begin();
      return end(op, self.io.receiveFrom(op, bytes, offset, length, flags), received);
    },
    send(self, buffer: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkBuffer(buffer);
      const flags = optFlags(flagsArg, 3);
      const op = begin();
      return end(op, self.io.send(op, bytes, offset, length, flags), writeCount);
    },
    send_to(self, buffer: LuaValue, address: LuaValue, port: LuaValue, flagsArg: LuaValue) {
      const { bytes, offset, length } = checkBuffer(buffer);
      const to = checkAddress(address, 3);
      if (typeof port !== 'number') throw badArgument(4);
      const flags = optFlags(flagsArg, 5);
      const op = begin();
      const result = self.io.sendTo(op, bytes, offset, length, to, port & 0xffff, flags);
      return end(op, result, writeCount);
    },
    set_option(self, name: LuaValue, value: LuaValue) {
      const [option, kind] = optionKind(name, UDP_SOCKET_OPTIONS, 'set_option');
      if (kind === 'join' || kind === 'leave') {
        self.io.setMembership(checkAddress(value, 3), kind === 'join');
      } else if (kind === 'interface') {
        const address = checkAddress(value, 3);
        if (address.family !== 4) throw badArgument(3);
        self.io.setMulticastInterface(address);
      } else self.io.setOption(option, optionValue(kind, value));
      return NONE;
    },
    get_option(self, name: LuaValue) {
      const [option, kind] = optionKind(name, UDP_SOCKET_OPTIONS, 'get_option');
      if (kind === 'join' || kind === 'leave' || kind === 'interface') throw codeError('ENOTSUP');
      return optionResult(kind, self.io.getOption(option));
    },
  },
  properties: connectedProperties,
  setIndex: unknownMember,
});
