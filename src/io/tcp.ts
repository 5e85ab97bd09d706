/**
 * TCP over descriptors: tcp(7). The interfaces are those of io/transport.ts, which says what each
 * function gives.
 */
import {
  EAGAIN,
  EALREADY,
  EBADF,
  ECONNABORTED,
  EINPROGRESS,
  EINTR,
  ENOTCONN,
  EOPNOTSUPP,
  EPROTO,
  SysError,
} from '../sys/errno.ts';
import { bytesReadable, getStatusFlags, O_NONBLOCK, setStatusFlags } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  AF_INET,
  AF_INET6,
  accept4,
  atMark,
  bind,
  connect,
  ENDPOINT_SIZE,
  getLinger,
  getpeername,
  getSocketOption,
  getsockname,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  listen,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_DEBUG,
  SO_DONTROUTE,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SOCK_STREAM,
  SOL_SOCKET,
  setLinger,
  setSocketOption,
  shutdown,
  socket,
  TCP_NODELAY,
} from '../sys/socket.ts';
import type { Family, IpAddress } from './address.ts';
import { closeWithOwner, Descriptor } from './descriptor.ts';
import { type IpEndpoint, packEndpoint, unpackEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import type { Operation } from './operation.ts';
import type { ShutdownType, TcpAcceptor, TcpEndpoint, TcpSocket, WaitType } from './transport.ts';

/** [level, option] of setsockopt(2) by name. */
const OPTIONS: Readonly<Partial<Record<string, readonly [number, number]>>> = {
  __proto__: null as never,
  reuse_address: [SOL_SOCKET, SO_REUSEADDR],
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
};

const HOW: Readonly<Record<ShutdownType, number>> = {
  receive: SHUT_RD,
  send: SHUT_WR,
  both: SHUT_RDWR,
};

const scratch = new Uint8Array(ENDPOINT_SIZE);

/** What sockets and acceptors do alike. */
class NativeTcpEndpoint implements TcpEndpoint {
  protected readonly group: IoGroup;
  protected descriptor: Descriptor | undefined;

  constructor(group: IoGroup) {
    this.group = group;
  }

  get isOpen(): boolean {
    return this.descriptor?.isOpen ?? false;
  }

  open(family: Family): void {
    if (this.isOpen) throw new SysError('socket', EALREADY);
    this.own(socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0));
  }

  assign(fd: Fd): void {
    if (this.isOpen) throw new SysError('assign', EALREADY);
    const flags = getStatusFlags(fd);
    if ((flags & O_NONBLOCK) === 0) setStatusFlags(fd, flags | O_NONBLOCK);
    this.own(fd);
  }

  protected own(fd: Fd): void {
    this.descriptor = new Descriptor(fd, this.group, { shortReadDrains: true });
    closeWithOwner(this, this.descriptor);
  }

  release(): Fd {
    this.fd('release');
    return this.descriptor!.release();
  }

  cancel(): void {
    this.fd('cancel');
    this.descriptor!.cancelAll();
  }

  close(): void {
    this.descriptor?.close();
  }

  bind(address: IpAddress, port: number): void {
    bind(this.fd('bind'), packEndpoint(address, port, scratch));
  }

  localEndpoint(): IpEndpoint {
    getsockname(this.fd('getsockname'), scratch);
    return unpackEndpoint(scratch) ?? raise('getsockname', ENOTCONN);
  }

  wait(op: Operation, type: WaitType): number {
    if (this.descriptor === undefined) return -EBADF;
    op.owner = this;
    return this.descriptor.wait(op, type);
  }

  setOption(name: string, value: number): void {
    const fd = this.fd('setsockopt');
    const [level, option] = OPTIONS[name] ?? raise('setsockopt', EOPNOTSUPP);
    setSocketOption(fd, level, option, value);
  }

  getOption(name: string): number {
    const fd = this.fd('getsockopt');
    const [level, option] = OPTIONS[name] ?? raise('getsockopt', EOPNOTSUPP);
    const value = getSocketOption(fd, level, option);
    // Linux doubles what is set, for its own bookkeeping: socket(7)
    const doubled = level === SOL_SOCKET && (option === SO_SNDBUF || option === SO_RCVBUF);
    return doubled ? value >> 1 : value;
  }

  /** @throws SysError  EBADF when closed */
  protected fd(syscall: string): Fd {
    const fd = this.descriptor?.fd ?? -1;
    return fd >= 0 ? fd : raise(syscall, EBADF);
  }
}

export class NativeTcpSocket extends NativeTcpEndpoint implements TcpSocket {
  /** A connected socket from accept(2). */
  static accepted(fd: Fd, group: IoGroup): NativeTcpSocket {
    const socket = new NativeTcpSocket(group);
    socket.own(fd);
    return socket;
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    const descriptor = this.descriptor;
    if (descriptor === undefined || descriptor.fd < 0) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return descriptor.read(op, bytes, offset, length);
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    const descriptor = this.descriptor;
    if (descriptor === undefined || descriptor.fd < 0) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return descriptor.write(op, bytes, offset, length);
  }

  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return this.descriptor!.receive(op, bytes, offset, length, flags);
  }

  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return this.descriptor!.send(op, bytes, offset, length, flags);
  }

  connect(op: Operation, address: IpAddress, port: number): number {
    if (!this.isOpen) {
      try {
        this.open(address.family);
      } catch (error) {
        if (error instanceof SysError) return -error.errno;
        throw error;
      }
    }
    const descriptor = this.descriptor!;
    const endpoint = packEndpoint(address, port);
    let result = connect(descriptor.fd, endpoint);
    if (result === -EINTR) {
      result = connect(descriptor.fd, endpoint);
      if (result === -EALREADY) result = -EINPROGRESS; // the first one had begun
    }
    if (result !== -EINPROGRESS) return result;
    op.owner = this;
    op.bytes = endpoint;
    descriptor.writes.ready = false;
    return descriptor.start(op, descriptor.writes, attemptConnect);
  }

  shutdown(what: ShutdownType): void {
    shutdown(this.fd('shutdown'), HOW[what]);
  }

  disconnect(): void {
    const fd = this.fd('connect');
    scratch.fill(0); // AF_UNSPEC
    const result = connect(fd, scratch);
    if (result < 0) raise('connect', -result);
  }

  remoteEndpoint(): IpEndpoint {
    getpeername(this.fd('getpeername'), scratch);
    return unpackEndpoint(scratch) ?? raise('getpeername', ENOTCONN);
  }

  get atMark(): boolean {
    return atMark(this.fd('sockatmark'));
  }

  bytesReadable(): number {
    return bytesReadable(this.fd('ioctl'));
  }

  setLinger(on: boolean, seconds: number): void {
    setLinger(this.fd('setsockopt'), on, seconds);
  }

  getLinger(): { readonly on: boolean; readonly seconds: number } {
    return getLinger(this.fd('getsockopt'));
  }
}

export class NativeTcpAcceptor extends NativeTcpEndpoint implements TcpAcceptor {
  enableConnectionAborted = false;

  listen(backlog: number): void {
    listen(this.fd('listen'), backlog);
  }

  accept(op: Operation): number {
    if (this.descriptor === undefined) return -EBADF;
    op.owner = this;
    return this.descriptor.start(op, this.descriptor.reads, attemptAccept);
  }

  /** For attemptAccept: the new socket is owned before anything else can happen. */
  adopt(fd: Fd): TcpSocket {
    return NativeTcpSocket.accepted(fd, this.group);
  }

  override setOption(name: string, value: number): void {
    this.fd('setsockopt');
    if (name === 'enable_connection_aborted') this.enableConnectionAborted = value !== 0;
    else super.setOption(name, value);
  }

  override getOption(name: string): number {
    this.fd('getsockopt');
    if (name === 'enable_connection_aborted') return this.enableConnectionAborted ? 1 : 0;
    return super.getOption(name);
  }
}

function attemptAccept(op: Operation): number {
  const acceptor = op.owner as NativeTcpAcceptor;
  for (;;) {
    const result = accept4(op.target!.fd);
    if (result >= 0) {
      op.value = acceptor.adopt(result);
      return 0;
    }
    const aborted = result === -ECONNABORTED || result === -EPROTO;
    if (!aborted || acceptor.enableConnectionAborted) return result;
  }
}

/**
 * Asked again, connect(2) tells how the first one went: 0, EALREADY while it goes on, or its error.
 * Unlike SO_ERROR it can't take an old event for the end, and it leaves the socket connected.
 */
function attemptConnect(op: Operation): number {
  const result = connect(op.target!.fd, op.bytes!);
  return result === -EALREADY || result === -EINPROGRESS ? -EAGAIN : result;
}

function raise(syscall: string, errno: number): never {
  throw new SysError(syscall, errno);
}
