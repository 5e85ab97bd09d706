/**
 * What modules/ works with, whichever backend is behind it (io/backend.ts picks).
 *
 * Functions that take an `Operation` follow the contract of io/operation.ts: ≥ 0, -errno or PENDING.
 * All others are done when they return, and throw SysError: EBADF on a closed object, ENOSYS where a
 * backend can't do it. Every object is opened for a group (io/group.ts) and closed with it.
 */
import type { Fd } from '../sys/native.ts';
import type { Family, IpAddress } from './address.ts';
import type { IpEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import type { Operation } from './operation.ts';

export type WaitType = 'read' | 'write' | 'error';
export type ShutdownType = 'receive' | 'send' | 'both';

/** Where bytes come from. */
export interface ByteSource {
  /** @returns bytes read, at least 1; 0 only at the end, or for a length of 0 */
  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number;
}

/** Where bytes go. */
export interface ByteSink {
  /** @returns bytes written, perhaps fewer than `length`; -EPIPE when nobody reads any more */
  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number;
}

/** What TCP sockets, acceptors and UDP sockets have in common. */
export interface IpSocket {
  readonly isOpen: boolean;
  /** EALREADY when open already (asio's already_open); EMFILE, EAFNOSUPPORT */
  open(family: Family): void;
  /** EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL; port 0: the kernel chooses */
  bind(address: IpAddress, port: number): void;
  /** Take over a descriptor, which this object closes from now on. EALREADY as `open`. */
  assign(fd: Fd): void;
  /** Give up the descriptor, which stays open. Pending operations: -ECANCELED. EBADF */
  release(): Fd;
  /** Pending operations: -ECANCELED. EBADF */
  cancel(): void;
  /** As `cancel`, and close; nothing happens when it is closed. `open` may follow. */
  close(): void;
  localEndpoint(): IpEndpoint;
  /** @returns 0 when a read or write wouldn't wait, or on urgent data or a failure */
  wait(op: Operation, type: WaitType): number;
  /** An option that `optionKind` calls boolean (0 or 1) or integer. ENOPROTOOPT, EINVAL … */
  setOption(name: string, value: number): void;
  getOption(name: string): number;
}

/** What sockets have that may have a peer. */
export interface ConnectedSocket extends IpSocket {
  /** @param flags  MSG_ of sys/socket.ts. @returns bytes received */
  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number;
  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number;
  /** ENOTCONN */
  shutdown(what: ShutdownType): void;
  /** Dissolve the association; of TCP, the kernel resets the connection. */
  disconnect(): void;
  /** ENOTCONN */
  remoteEndpoint(): IpEndpoint;
  bytesReadable(): number;
}

export interface TcpSocket extends ConnectedSocket, ByteSource, ByteSink {
  /** Opens the socket first if it is closed. @returns 0; -ECONNREFUSED, -ETIMEDOUT, -EISCONN … */
  connect(op: Operation, address: IpAddress, port: number): number;
  readonly atMark: boolean;
  setLinger(on: boolean, seconds: number): void;
  getLinger(): { readonly on: boolean; readonly seconds: number };
}

export interface TcpAcceptor extends IpSocket {
  /** Report a connection that ended in the queue as -ECONNABORTED; else it is passed over. */
  enableConnectionAborted: boolean;
  listen(backlog: number): void;
  /** @returns 0, and `op.value` is the TcpSocket, of this acceptor's group; -EMFILE, -EINVAL … */
  accept(op: Operation): number;
}

/** Transfers are of one datagram each, perhaps an empty one; what the buffer can't take is lost. */
export interface UdpSocket extends ConnectedSocket {
  /** Sets the default peer; opens the socket first if it is closed. @returns 0 or -errno, at once */
  connect(address: IpAddress, port: number): number;
  /** @returns bytes received, and `op.value` is the sender's IpEndpoint; -ECONNREFUSED (ICMP) … */
  receiveFrom(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number;
  /** @returns bytes sent; -EMSGSIZE, -EACCES (a broadcast), -ENOBUFS … */
  sendTo(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    address: IpAddress,
    port: number,
    flags: number,
  ): number;
  /** Enter or leave a multicast group. ENODEV, EADDRINUSE, EADDRNOTAVAIL, EINVAL */
  setMembership(group: IpAddress, join: boolean): void;
  /** Send multicasts through the interface that has this IPv4 address. EADDRNOTAVAIL */
  setMulticastInterface(address: IpAddress): void;
}

/** Standard input, output or error: one object each for the process, not closable. */
export interface StandardStream extends ByteSource, ByteSink {
  readonly isatty: boolean;
  /** EMFILE */
  dup(): Fd;
}

export interface Backend {
  readonly name: 'native' | 'node';
  /** Closed at first. */
  tcpSocket(group: IoGroup): TcpSocket;
  tcpAcceptor(group: IoGroup): TcpAcceptor;
  udpSocket(group: IoGroup): UdpSocket;
  standardStream(fd: 0 | 1 | 2): StandardStream;
}

/**
 * How an option's value is to be checked. 'linger': setLinger and getLinger; 'join', 'leave':
 * setMembership; 'interface': setMulticastInterface; 'byte': an integer from 0 to 255.
 */
export type OptionKind = 'boolean' | 'integer' | 'byte' | 'linger' | 'join' | 'leave' | 'interface';

/** Options of sockets and acceptors by name; undefined: there is none (ENOTSUP). */
export const TCP_SOCKET_OPTIONS: Readonly<Partial<Record<string, OptionKind>>> = {
  __proto__: null as never,
  tcp_no_delay: 'boolean',
  send_low_watermark: 'integer',
  receive_low_watermark: 'integer',
  send_buffer_size: 'integer',
  receive_buffer_size: 'integer',
  out_of_band_inline: 'boolean',
  linger: 'linger',
  keep_alive: 'boolean',
  do_not_route: 'boolean',
  debug: 'boolean',
  v6_only: 'boolean',
};

export const TCP_ACCEPTOR_OPTIONS: Readonly<Partial<Record<string, OptionKind>>> = {
  __proto__: null as never,
  reuse_address: 'boolean',
  reuse_port: 'boolean',
  enable_connection_aborted: 'boolean',
  debug: 'boolean',
  v6_only: 'boolean',
};

export const UDP_SOCKET_OPTIONS: Readonly<Partial<Record<string, OptionKind>>> = {
  __proto__: null as never,
  debug: 'boolean',
  broadcast: 'boolean',
  do_not_route: 'boolean',
  reuse_address: 'boolean',
  reuse_port: 'boolean',
  multicast_loop: 'boolean',
  v6_only: 'boolean',
  send_buffer_size: 'integer',
  receive_buffer_size: 'integer',
  multicast_hops: 'byte',
  unicast_hops: 'integer',
  join_multicast_group: 'join',
  leave_multicast_group: 'leave',
  multicast_interface: 'interface',
};
