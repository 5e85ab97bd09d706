/**
 * TCP over descriptors: tcp(7). The interfaces are those of io/transport.ts, which says what each
 * function gives.
 */
import { EAGAIN, EALREADY, EBADF, EINPROGRESS, EINTR } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { atMark, connect, getLinger, listen, SOCK_STREAM, setLinger } from '../sys/socket.ts';
import { attemptAccept } from './accept.ts';
import type { IpAddress } from './address.ts';
import type { DescriptorOptions } from './descriptor.ts';
import { packEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import type { Operation } from './operation.ts';
import { NativeConnectedSocket, NativeIpSocket } from './socket.ts';
import type { TcpAcceptor, TcpSocket } from './transport.ts';

const BYTE_STREAM: DescriptorOptions = { shortReadDrains: true, levelReads: true, batches: true };
const LISTENER: DescriptorOptions = { levelReads: true };

export class NativeTcpSocket extends NativeConnectedSocket implements TcpSocket {
  constructor(group: IoGroup) {
    super(group, SOCK_STREAM, BYTE_STREAM);
  }

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

  override receive(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number {
    return length === 0 && this.isOpen ? 0 : super.receive(op, bytes, offset, length, flags);
  }

  override send(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number {
    return length === 0 && this.isOpen ? 0 : super.send(op, bytes, offset, length, flags);
  }

  connect(op: Operation, address: IpAddress, port: number): number {
    const opened = this.openFor(address);
    if (opened < 0) return opened;
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

  get atMark(): boolean {
    return atMark(this.fd('sockatmark'));
  }

  setLinger(on: boolean, seconds: number): void {
    setLinger(this.fd('setsockopt'), on, seconds);
    this.descriptor!.lingers = on && seconds !== 0;
  }

  getLinger(): { readonly on: boolean; readonly seconds: number } {
    return getLinger(this.fd('getsockopt'));
  }
}

export class NativeTcpAcceptor extends NativeIpSocket implements TcpAcceptor {
  enableConnectionAborted = false;

  constructor(group: IoGroup) {
    super(group, SOCK_STREAM, LISTENER);
  }

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

/**
 * Asked again, connect(2) tells how the first one went: 0, EALREADY while it goes on, or its error.
 * Unlike SO_ERROR it can't take an old event for the end, and it leaves the socket connected.
 */
function attemptConnect(op: Operation): number {
  const result = connect(op.target!.fd, op.bytes!);
  return result === -EALREADY || result === -EINPROGRESS ? -EAGAIN : result;
}
