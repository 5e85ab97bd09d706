/** `require 'ip'`: addresses, TCP, UDP, name resolution. */
import { luaModule } from './define.ts';
import { addressModule } from './ip/address.ts';
import { connect, dialTcp, dialUdp, listen } from './ip/dial.ts';
import { endpointToString, toEndpoint } from './ip/endpoint.ts';
import { ADDRESS_INFO_FLAGS, MESSAGE_FLAGS } from './ip/flags.ts';
import { resolution } from './ip/resolve.ts';
import { Acceptor, Socket } from './ip/tcp.ts';
import { UdpSocketObject } from './ip/udp.ts';

export const ip = luaModule('ip', {
  host_name: () => process.getBuiltinModule('node:os').hostname(),
  tostring: endpointToString,
  toendpoint: toEndpoint,
  connect,
  address: addressModule,
  tcp: {
    acceptor: { new: () => new Acceptor() },
    socket: { new: () => new Socket() },
    dial: dialTcp,
    listen,
    ...resolution('tcp'),
  },
  udp: {
    socket: { new: () => new UdpSocketObject() },
    dial: dialUdp,
    ...resolution('udp'),
  },
  message_flag: MESSAGE_FLAGS,
  address_info_flag: ADDRESS_INFO_FLAGS,
});
