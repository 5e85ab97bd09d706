/**
 * Addresses and sockets of IP as Lua objects. The classes are here, and not in the module `ip`, which
 * gives them their methods, since `tls` works on them, too.
 */
import { IpAddress } from '../io/address.ts';
import { addressText } from '../io/address-text.ts';
import type { ConnectedSocket, IpSocket, TcpSocket } from '../io/transport.ts';
import { type Result, Userdata } from '../runtime/value.ts';

export class Address extends Userdata {
  readonly ip: IpAddress;
  constructor(ip: IpAddress) {
    super();
    this.ip = ip;
  }

  get isV4(): boolean {
    return this.ip.family === 4;
  }

  /** The IPv4-mapped address. RFC 4291 §2.5.5.2 */
  toV6(): Address {
    const bytes = new Uint8Array(16);
    bytes.fill(0xff, 10, 12);
    bytes.set(this.ip.bytes, 12);
    return new Address(new IpAddress(bytes));
  }

  override toString(): string {
    return addressText(this.ip);
  }
}

/** An object with a socket of io/. */
export abstract class SocketObject extends Userdata {
  abstract readonly io: IpSocket;
}

export abstract class ConnectedObject extends SocketObject {
  abstract override readonly io: ConnectedSocket;
}

/** `ip.tcp.socket`. */
export abstract class TcpSocketObject extends ConnectedObject {
  /** Replaced when another one has won the race to connect, or another object takes it over. */
  abstract override io: TcpSocket;
}

export const socketProperties = {
  is_open: (self: SocketObject): Result => self.io.isOpen,
  local_address: (self: SocketObject): Result => new Address(self.io.localEndpoint().address),
  local_port: (self: SocketObject): Result => self.io.localEndpoint().port,
};

export const connectedProperties = {
  ...socketProperties,
  remote_address: (self: ConnectedObject): Result => new Address(self.io.remoteEndpoint().address),
  remote_port: (self: ConnectedObject): Result => self.io.remoteEndpoint().port,
};
