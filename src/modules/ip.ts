/** `require 'ip'`: addresses, TCP, name resolution. */
import { hostname } from 'node:os';
import { luaModule } from './define.ts';
import { addressModule } from './ip/address.ts';
import { connect } from './ip/connect.ts';
import { endpointToString, toEndpoint } from './ip/endpoint.ts';
import { ADDRESS_INFO_FLAGS, MESSAGE_FLAGS } from './ip/flags.ts';
import { dial, listen, resolution } from './ip/resolve.ts';
import { Acceptor, Socket } from './ip/tcp.ts';

export const ip = luaModule('ip', {
  host_name: () => hostname(),
  tostring: endpointToString,
  toendpoint: toEndpoint,
  connect,
  address: addressModule,
  tcp: {
    acceptor: { new: () => new Acceptor() },
    socket: { new: () => new Socket() },
    dial,
    listen,
    ...resolution('tcp'),
  },
  message_flag: MESSAGE_FLAGS,
  address_info_flag: ADDRESS_INFO_FLAGS,
});
