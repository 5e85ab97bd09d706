/**
 * UDP of io/transport.ts over node:dgram, for systems where the addon doesn't load. Node's socket is
 * made by the first operation that needs it, since some options are given to its constructor. Node
 * receives before it is asked to; what nobody has asked for waits here, up to a limit, as it would in
 * the kernel. A send can't be cancelled, nor shut down; flags give ENOSYS.
 */
import type dgram from 'node:dgram';
import {
  EALREADY,
  EBADF,
  EDESTADDRREQ,
  EINVAL,
  EISCONN,
  ENOSYS,
  ENOTCONN,
  EOPNOTSUPP,
} from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { type Family, formatAddress, IpAddress } from './address.ts';
import type { IpEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import { endpointOf, errnoOf, NodeQueue, raise } from './node-queue.ts';
import { type Canceller, type Operation, PENDING } from './operation.ts';
import { UDP_SOCKET_OPTIONS, type UdpSocket } from './transport.ts';

/** Bytes of datagrams that wait here; each counts as 256 more. */
const MOST_WAITING = 256 * 1024;
const OVERHEAD = 256;

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: IpEndpoint | undefined;
}

/** What is on its way can't be stopped. */
const cannotCancel: Canceller = { cancelOperation() {} };

export class NodeUdpSocket implements UdpSocket {
  private readonly group: IoGroup;
  private family: Family | undefined;
  private socket: dgram.Socket | undefined;
  private readonly options = new Map<string, number>();
  private peer: IpEndpoint | undefined;
  private failure = 0; // errno, until somebody is told
  private readonly waiting: Datagram[] = [];
  private waitingBytes = 0;
  private readonly reads = new NodeQueue(() => this.socket);

  constructor(group: IoGroup) {
    this.group = group;
  }

  get isOpen(): boolean {
    return this.family !== undefined;
  }

  open(family: Family): void {
    if (this.isOpen) raise('socket', EALREADY);
    this.family = family;
    this.group.add(this);
  }

  /** Node's socket, made when it is needed. */
  private get node(): dgram.Socket {
    if (this.socket !== undefined) return this.socket;
    const { createSocket } = process.getBuiltinModule('node:dgram');
    const set = (name: string): boolean => this.options.get(name) === 1;
    const socket = createSocket({
      type: this.family === 4 ? 'udp4' : 'udp6',
      reuseAddr: set('reuse_address'),
      reusePort: set('reuse_port'),
      ipv6Only: set('v6_only'),
      // Addresses only, and so at once: bind and connect are over when they return.
      lookup: (host, family, done) => done(null, host, family as number),
    });
    this.socket = socket;
    socket.on('error', (error) => {
      if (this.socket !== socket) return;
      this.failure = errnoOf(error);
      this.reads.drain((op) => this.tryReceive(op));
    });
    socket.on('message', (bytes, { address, port }) => {
      if (this.socket === socket) this.arrived({ bytes, from: endpointOf(address, port) });
    });
    return socket;
  }

  private arrived(datagram: Datagram): void {
    const size = datagram.bytes.length + OVERHEAD;
    if (this.waitingBytes + size > MOST_WAITING) return; // lost, as datagrams may be
    this.waiting.push(datagram);
    this.waitingBytes += size;
    this.reads.drain((op) => this.tryReceive(op));
  }

  /** What Node reports as an event while it is being called. */
  private takeFailure(): number {
    const { failure } = this;
    this.failure = 0;
    return failure;
  }

  bind(address: IpAddress, port: number): void {
    this.mustBeOpen('bind');
    if (this.socket !== undefined) raise('bind', EINVAL); // has an address
    this.bindTo(formatAddress(address), port);
    const failure = this.takeFailure();
    if (failure === 0) return;
    this.discard();
    raise('bind', failure);
  }

  private bindTo(address: string | undefined, port: number): void {
    this.node.bind({ port, exclusive: true, ...(address !== undefined && { address }) });
    this.node.unref();
    this.applyOptions();
  }

  /** Options that Node takes only once there is an address. */
  private applyOptions(): void {
    for (const [name, value] of this.options) this.attempt(() => this.apply(name, value));
  }

  private bound(): dgram.Socket {
    if (this.socket === undefined) this.bindTo(undefined, 0);
    return this.node;
  }

  connect(address: IpAddress, port: number): number {
    if (!this.isOpen) this.open(address.family);
    if (this.peer !== undefined) return -EISCONN;
    try {
      this.bound().connect(port, formatAddress(address));
    } catch (error) {
      return -errnoOf(error);
    }
    const failure = this.takeFailure();
    if (failure !== 0) return -failure;
    this.peer = { address, port };
    return 0;
  }

  disconnect(): void {
    this.mustBeOpen('connect');
    if (this.peer === undefined) return;
    this.peer = undefined;
    this.node.disconnect();
  }

  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    return this.receiveFrom(op, bytes, offset, length, flags);
  }

  receiveFrom(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number {
    if (!this.isOpen) return -EBADF;
    if (flags !== 0) return -ENOSYS;
    this.bound();
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.owner = this;
    const result = this.reads.head === null ? this.tryReceive(op) : PENDING;
    if (result === PENDING) this.reads.push(op);
    else op.clear();
    return result;
  }

  private tryReceive(op: Operation): number {
    const failure = this.takeFailure();
    if (failure !== 0) return -failure;
    const datagram = this.waiting.shift();
    if (datagram === undefined) return PENDING;
    this.waitingBytes -= datagram.bytes.length + OVERHEAD;
    const count = Math.min(op.length, datagram.bytes.length);
    op.bytes!.set(datagram.bytes.subarray(0, count), op.offset);
    op.value = datagram.from;
    return count;
  }

  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    if (this.peer === undefined) return -EDESTADDRREQ;
    return this.transmit(op, bytes, offset, length, undefined, flags);
  }

  sendTo(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    address: IpAddress,
    port: number,
    flags: number,
  ): number {
    if (!this.isOpen) return -EBADF;
    if (this.peer !== undefined) return -EISCONN;
    return this.transmit(op, bytes, offset, length, { address, port }, flags);
  }

  private transmit(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    to: IpEndpoint | undefined,
    flags: number,
  ): number {
    if (flags !== 0) return -ENOSYS;
    const copy = Uint8Array.prototype.slice.call(bytes, offset, offset + length);
    const done = (error: Error | null): void => op.finish(error ? -errnoOf(error) : length);
    op.owner = this;
    op.waitsIn = cannotCancel;
    try {
      if (to === undefined) this.bound().send(copy, done);
      else this.bound().send(copy, to.port, formatAddress(to.address), done);
    } catch (error) {
      op.clear();
      return -errnoOf(error);
    }
    return PENDING;
  }

  shutdown(): void {
    this.remoteEndpoint();
    raise('shutdown', ENOSYS);
  }

  assign(_fd: Fd): void {
    raise('assign', ENOSYS);
  }

  release(): Fd {
    return raise('release', ENOSYS);
  }

  wait(): number {
    return this.isOpen ? -ENOSYS : -EBADF;
  }

  cancel(): void {
    this.mustBeOpen('cancel');
    this.reads.cancelAll();
  }

  close(): void {
    if (!this.isOpen) return;
    this.family = undefined;
    this.group.delete(this);
    this.options.clear();
    this.reads.cancelAll();
    this.discard();
  }

  private discard(): void {
    const { socket } = this;
    this.socket = undefined;
    this.peer = undefined;
    this.failure = 0;
    this.waiting.length = 0;
    this.waitingBytes = 0;
    socket?.close();
  }

  localEndpoint(): IpEndpoint {
    this.mustBeOpen('getsockname');
    const { address, port } = this.bound().address();
    return endpointOf(address, port) ?? raise('getsockname', ENOTCONN);
  }

  remoteEndpoint(): IpEndpoint {
    this.mustBeOpen('getpeername');
    return this.peer ?? raise('getpeername', ENOTCONN);
  }

  bytesReadable(): number {
    this.mustBeOpen('ioctl');
    return this.waiting[0]?.bytes.length ?? 0;
  }

  setOption(name: string, value: number): void {
    this.mustBeOpen('setsockopt');
    if (UDP_SOCKET_OPTIONS[name] === undefined) raise('setsockopt', EOPNOTSUPP);
    if (name === 'debug' || name === 'do_not_route') raise('setsockopt', ENOSYS);
    if (this.socket !== undefined) this.attempt(() => this.apply(name, value));
    this.options.set(name, value);
  }

  private apply(name: string, value: number): void {
    const socket = this.node;
    if (name === 'broadcast') socket.setBroadcast(value !== 0);
    else if (name === 'unicast_hops') socket.setTTL(value);
    else if (name === 'multicast_hops') socket.setMulticastTTL(value);
    else if (name === 'multicast_loop') socket.setMulticastLoopback(value !== 0);
    else if (name === 'send_buffer_size') socket.setSendBufferSize(value);
    else if (name === 'receive_buffer_size') socket.setRecvBufferSize(value);
  }

  getOption(name: string): number {
    this.mustBeOpen('getsockopt');
    if (UDP_SOCKET_OPTIONS[name] === undefined) raise('getsockopt', EOPNOTSUPP);
    return (
      this.options.get(name) ?? (name === 'multicast_loop' || name === 'multicast_hops' ? 1 : 0)
    );
  }

  setMembership(group: IpAddress, join: boolean): void {
    this.mustBeOpen('setsockopt');
    const socket = this.bound();
    const text = formatAddress(new IpAddress(group.bytes));
    const where = group.scopeId === 0 ? undefined : `::%${group.scopeId}`;
    this.attempt(() =>
      join ? socket.addMembership(text, where) : socket.dropMembership(text, where),
    );
  }

  setMulticastInterface(address: IpAddress): void {
    this.mustBeOpen('setsockopt');
    this.attempt(() => this.bound().setMulticastInterface(formatAddress(address)));
  }

  private attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      raise('setsockopt', errnoOf(error));
    }
  }

  private mustBeOpen(syscall: string): void {
    if (!this.isOpen) raise(syscall, EBADF);
  }
}
