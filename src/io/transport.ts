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

/** What TCP sockets and acceptors have in common. */
export interface TcpEndpoint {
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

export interface TcpSocket extends TcpEndpoint, ByteSource, ByteSink {
  /** Opens the socket first if it is closed. @returns 0; -ECONNREFUSED, -ETIMEDOUT, -EISCONN … */
  connect(op: Operation, address: IpAddress, port: number): number;
  /** @param flags  MSG_ of sys/socket.ts */
  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number;
  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number;
  /** ENOTCONN */
  shutdown(what: ShutdownType): void;
  /** Dissolve the association; the kernel resets the connection. */
  disconnect(): void;
  /** ENOTCONN */
  remoteEndpoint(): IpEndpoint;
  readonly atMark: boolean;
  bytesReadable(): number;
  setLinger(on: boolean, seconds: number): void;
  getLinger(): { readonly on: boolean; readonly seconds: number };
}

export interface TcpAcceptor extends TcpEndpoint {
  /** Report a connection that ended in the queue as -ECONNABORTED; else it is passed over. */
  enableConnectionAborted: boolean;
  listen(backlog: number): void;
  /** @returns 0, and `op.value` is the TcpSocket, of this acceptor's group; -EMFILE, -EINVAL … */
  accept(op: Operation): number;
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
  standardStream(fd: 0 | 1 | 2): StandardStream;
}

/** How an option's value is to be checked. Linger: setLinger and getLinger. */
export type OptionKind = 'boolean' | 'integer' | 'linger';

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
  enable_connection_aborted: 'boolean',
  debug: 'boolean',
  v6_only: 'boolean',
};
