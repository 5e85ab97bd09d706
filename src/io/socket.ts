/**
 * What TCP and UDP over descriptors have in common: socket(7), ip(7), ipv6(7). The interfaces are
 * those of io/transport.ts, which says what each function gives.
 */
import { EALREADY, EBADF, EINTR, ENOTCONN, EOPNOTSUPP, SysError } from '../sys/errno.ts';
import { bytesReadable } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  AF_INET,
  AF_INET6,
  bind,
  connect,
  ENDPOINT_SIZE,
  getpeername,
  getSocketOption,
  getsockname,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_BROADCAST,
  SO_DEBUG,
  SO_DONTROUTE,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SOL_SOCKET,
  setSocketOption,
  shutdown,
  socket,
  TCP_NODELAY,
} from '../sys/socket.ts';
import type { Family, IpAddress } from './address.ts';
import type { DescriptorOptions } from './descriptor.ts';
import { type IpEndpoint, packEndpoint, unpackEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import { Handle, raise } from './handle.ts';
import type { Operation } from './operation.ts';
import type { ConnectedSocket, IpSocket, ShutdownType } from './transport.ts';

type LevelAndName = readonly [level: number, name: number];

/** Options of setsockopt(2) whose value is an int; [IPv4's, IPv6's] where the families differ. */
const OPTIONS: Readonly<Partial<Record<string, LevelAndName | readonly LevelAndName[]>>> = {
  __proto__: null as never,
  reuse_address: [SOL_SOCKET, SO_REUSEADDR],
  reuse_port: [SOL_SOCKET, SO_REUSEPORT],
  broadcast: [SOL_SOCKET, SO_BROADCAST],
  tcp_no_delay: [IPPROTO_TCP, TCP_NODELAY],
  send_low_watermark: [SOL_SOCKET, SO_SNDLOWAT],
  receive_low_watermark: [SOL_SOCKET, SO_RCVLOWAT],
  send_buffer_size: [SOL_SOCKET, SO_SNDBUF],
  receive_buffer_size: [SOL_SOCKET, SO_RCVBUF],
  out_of_band_inline: [SOL_SOCKET, SO_OOBINLINE],
  keep_alive: [SOL_SOCKET, SO_KEEPALIVE],
  do_not_route: [SOL_SOCKET, SO_DONTROUTE],
  debug: [SOL_SOCKET, SO_DEBUG],
  v6_only: [IPPROTO_IPV6, IPV6_V6ONLY],
  unicast_hops: [
    [IPPROTO_IP, IP_TTL],
    [IPPROTO_IPV6, IPV6_UNICAST_HOPS],
  ],
  multicast_hops: [
    [IPPROTO_IP, IP_MULTICAST_TTL],
    [IPPROTO_IPV6, IPV6_MULTICAST_HOPS],
  ],
  multicast_loop: [
    [IPPROTO_IP, IP_MULTICAST_LOOP],
    [IPPROTO_IPV6, IPV6_MULTICAST_LOOP],
  ],
};

const HOW: Readonly<Record<ShutdownType, number>> = {
  receive: SHUT_RD,
  send: SHUT_WR,
  both: SHUT_RDWR,
};

/** For calls that are over when they return. */
export const scratch = new Uint8Array(ENDPOINT_SIZE);

/** What all of them do alike, acceptors included. */
export class NativeIpSocket extends Handle implements IpSocket {
  // No initializers of fields, as in io/operation.ts.
  declare private readonly type: number;
  declare private readonly descriptorOptions: DescriptorOptions | undefined;

  /** @param type  SOCK_STREAM or SOCK_DGRAM */
  constructor(group: IoGroup, type: number, descriptorOptions?: DescriptorOptions) {
    super(group);
    this.type = type;
    this.descriptorOptions = descriptorOptions;
  }

  protected override options(): DescriptorOptions | undefined {
    return this.descriptorOptions;
  }

  open(family: Family): void {
    if (this.isOpen) throw new SysError('socket', EALREADY);
    this.own(socket(family === 4 ? AF_INET : AF_INET6, this.type, 0));
  }

  bind(address: IpAddress, port: number): void {
    bind(this.fd('bind'), packEndpoint(address, port, scratch));
  }

  localEndpoint(): IpEndpoint {
    getsockname(this.fd('getsockname'), scratch);
    return unpackEndpoint(scratch) ?? raise('getsockname', ENOTCONN);
  }

  setOption(name: string, value: number): void {
    const fd = this.fd('setsockopt');
    const [level, option] = levelAndName(fd, name, 'setsockopt');
    setSocketOption(fd, level, option, value);
    if (level === SOL_SOCKET && option === SO_RCVLOWAT) this.descriptor!.stopLevel();
  }

  getOption(name: string): number {
    const fd = this.fd('getsockopt');
    const [level, option] = levelAndName(fd, name, 'getsockopt');
    const value = getSocketOption(fd, level, option);
    // Linux doubles what is set, for its own bookkeeping: socket(7)
    const doubled = level === SOL_SOCKET && (option === SO_SNDBUF || option === SO_RCVBUF);
    return doubled ? value >> 1 : value;
  }

  /** Open it for an address's family unless it is open. @returns 0 or -errno */
  protected openFor(address: IpAddress): number {
    if (this.isOpen) return 0;
    try {
      this.open(address.family);
      return 0;
    } catch (error) {
      if (error instanceof SysError) return -error.errno;
      throw error;
    }
  }
}

/** What can have a peer: all but acceptors. */
export class NativeConnectedSocket extends NativeIpSocket implements ConnectedSocket {
  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    op.owner = this;
    return this.descriptor!.receive(op, bytes, offset, length, flags);
  }

  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    op.owner = this;
    return this.descriptor!.send(op, bytes, offset, length, flags);
  }

  shutdown(what: ShutdownType): void {
    shutdown(this.fd('shutdown'), HOW[what]);
  }

  disconnect(): void {
    const fd = this.fd('connect');
    scratch.fill(0); // AF_UNSPEC
    let result: number;
    do result = connect(fd, scratch);
    while (result === -EINTR);
    if (result < 0) raise('connect', -result);
  }

  remoteEndpoint(): IpEndpoint {
    getpeername(this.fd('getpeername'), scratch);
    return unpackEndpoint(scratch) ?? raise('getpeername', ENOTCONN);
  }

  bytesReadable(): number {
    return bytesReadable(this.fd('ioctl'));
  }
}

function levelAndName(fd: Fd, name: string, syscall: string): LevelAndName {
  const entry = OPTIONS[name] ?? raise(syscall, EOPNOTSUPP);
  if (typeof entry[0] === 'number') return entry as LevelAndName;
  getsockname(fd, scratch);
  return entry[scratch[6] === 6 ? 1 : 0] as LevelAndName;
}
