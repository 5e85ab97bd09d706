/**
 * io/transport.ts over Node's own modules, for systems where the addon doesn't load: TCP, UDP
 * (io/node-udp.ts), standard streams and (io/timer.ts as it is) timers. What Node can't do gives ENOSYS: descriptors that come
 * and go (assign, release, dup), readiness (wait), message flags, most options.
 *
 * Where it differs from system calls: a write is done when Node has taken the bytes, so an error of
 * the connection may show only at the next operation; connections are accepted before they are asked
 * for; and a new acceptor may share its address with one that was closed a moment ago.
 */
import type net from 'node:net';
import type { Readable } from 'node:stream';
import {
  EALREADY,
  EBADF,
  ECANCELED,
  EINVAL,
  EIO,
  EISCONN,
  ENOSYS,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  errnoNumber,
} from '../sys/errno.ts';
import { dup } from '../sys/fd.ts';
import { type Fd, freebsdAvailable } from '../sys/native.ts';
import { type Family, formatAddress, type IpAddress, parseAddress } from './address.ts';
import type { IpEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import { endpointOf, errnoOf, NodeQueue, raise } from './node-queue.ts';
import { NodeUdpSocket } from './node-udp.ts';
import { type Canceller, type Operation, PENDING } from './operation.ts';
import {
  type Backend,
  type IpSocket,
  type StandardStream,
  TCP_ACCEPTOR_OPTIONS,
  TCP_SOCKET_OPTIONS,
  type TcpAcceptor,
  type TcpSocket,
} from './transport.ts';

/** Loaded when needed: most processes start without this backend. */
const nodeNet = () => process.getBuiltinModule('node:net');

abstract class NodeTcpEndpoint implements IpSocket {
  protected readonly group: IoGroup;
  protected family: Family | undefined;
  protected readonly options = new Map<string, number>();

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

  abstract bind(address: IpAddress, port: number): void;
  abstract cancel(): void;
  abstract close(): void;
  abstract localEndpoint(): IpEndpoint;
  protected abstract readonly known: typeof TCP_SOCKET_OPTIONS;
  protected abstract apply(name: string, value: number): void;

  assign(_fd: Fd): void {
    raise('assign', ENOSYS);
  }

  release(): Fd {
    return raise('release', ENOSYS);
  }

  wait(): number {
    return this.isOpen ? -ENOSYS : -EBADF;
  }

  setOption(name: string, value: number): void {
    this.mustBeOpen('setsockopt');
    if (this.known[name] === undefined) raise('setsockopt', EOPNOTSUPP);
    this.apply(name, value);
    this.options.set(name, value);
  }

  getOption(name: string): number {
    this.mustBeOpen('getsockopt');
    if (this.known[name] === undefined) raise('getsockopt', EOPNOTSUPP);
    return this.options.get(name) ?? 0;
  }

  protected mustBeOpen(syscall: string): void {
    if (!this.isOpen) raise(syscall, EBADF);
  }
}

class NodeTcpSocket extends NodeTcpEndpoint implements TcpSocket, Canceller {
  protected readonly known = TCP_SOCKET_OPTIONS;
  private socket: net.Socket | undefined;
  private connecting: Operation | undefined;
  private bound: { readonly address: IpAddress; readonly port: number } | undefined;
  private failure = 0; // errno that ended the connection, until it is reported
  private ended = false;
  private readonly reads = new NodeQueue(() => this.socket);
  private readonly writes = new NodeQueue(() => this.socket);

  static accepted(socket: net.Socket, family: Family, group: IoGroup): NodeTcpSocket {
    const result = new NodeTcpSocket(group);
    result.open(family);
    result.own(socket);
    socket.unref();
    return result;
  }

  private own(socket: net.Socket): void {
    this.socket = socket;
    const current = (run: () => void) => () => {
      if (this.socket === socket) run();
    };
    socket.on(
      'readable',
      current(() => this.reads.drain((op) => this.tryRead(op))),
    );
    socket.on(
      'drain',
      current(() => this.writes.drain((op) => this.tryWrite(op))),
    );
    socket.on(
      'end',
      current(() => this.end(0)),
    );
    socket.on(
      'close',
      current(() => this.end(0)),
    );
    socket.on('error', (error) => {
      if (this.socket === socket) this.end(errnoOf(error));
    });
    for (const [name, value] of this.options) this.apply(name, value);
  }

  private end(errno: number): void {
    this.ended = true;
    this.failure = errno;
    const connecting = this.connecting;
    if (connecting !== undefined && errno !== 0) {
      this.connecting = undefined;
      this.socket = undefined; // connect may be tried again
      this.failure = 0;
      connecting.finish(-errno);
      return;
    }
    this.reads.drain((op) => this.tryRead(op));
    if (errno !== 0) this.writes.drain((op) => this.tryWrite(op));
  }

  bind(address: IpAddress, port: number): void {
    this.mustBeOpen('bind');
    this.bound = { address, port };
  }

  connect(op: Operation, address: IpAddress, port: number): number {
    if (this.connecting !== undefined) return -EALREADY;
    if (this.socket !== undefined) return -EISCONN;
    if (!this.isOpen) this.open(address.family);
    const socket = nodeNet().connect({
      host: formatAddress(address),
      port,
      ...(this.bound && {
        localAddress: formatAddress(this.bound.address),
        localPort: this.bound.port,
      }),
      allowHalfOpen: true,
    });
    this.ended = false;
    this.own(socket);
    socket.once('connect', () => {
      if (this.connecting !== op || this.socket !== socket) return;
      this.connecting = undefined;
      socket.unref();
      op.finish(0);
    });
    this.connecting = op;
    op.owner = this;
    op.waitsIn = this;
    return PENDING;
  }

  /** Only a connect waits here. */
  cancelOperation(op: Operation): void {
    this.connecting = undefined;
    this.socket?.destroy();
    this.socket = undefined;
    op.finish(-ECANCELED);
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    return this.start(op, this.reads, bytes, offset, length, () => this.tryRead(op));
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    return this.start(op, this.writes, bytes, offset, length, () => this.tryWrite(op));
  }

  private start(
    op: Operation,
    queue: NodeQueue,
    bytes: Uint8Array,
    offset: number,
    length: number,
    attempt: () => number,
  ): number {
    if (this.socket === undefined) return -ENOTCONN;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.owner = this;
    const result = queue.head === null && this.connecting === undefined ? attempt() : PENDING;
    if (result === PENDING) queue.push(op);
    else op.clear();
    return result;
  }

  private tryRead(op: Operation): number {
    const socket = this.socket!;
    const count = Math.min(op.length, socket.readableLength);
    const chunk = count > 0 ? (socket.read(count) as Buffer | null) : null;
    if (chunk !== null) {
      op.bytes!.set(chunk, op.offset);
      return chunk.length;
    }
    if (!this.ended) {
      socket.read(0); // asks for more
      return PENDING;
    }
    const { failure } = this;
    this.failure = 0;
    return 0 - failure; // not -0
  }

  private tryWrite(op: Operation): number {
    const socket = this.socket!;
    if (this.failure !== 0) {
      const { failure } = this;
      this.failure = 0;
      return -failure;
    }
    if (!socket.writable) return -EPIPE;
    if (socket.writableNeedDrain) return PENDING;
    socket.write(Uint8Array.prototype.slice.call(op.bytes!, op.offset, op.offset + op.length));
    return op.length;
  }

  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    return flags === 0 ? this.read(op, bytes, offset, length) : this.wait();
  }

  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    return flags === 0 ? this.write(op, bytes, offset, length) : this.wait();
  }

  shutdown(what: 'receive' | 'send' | 'both'): void {
    const socket = this.connected('shutdown');
    if (what !== 'send') this.end(0);
    if (what !== 'receive') socket.end();
  }

  disconnect(): void {
    this.mustBeOpen('connect');
    raise('connect', ENOSYS);
  }

  cancel(): void {
    this.mustBeOpen('cancel');
    this.cancelAll();
  }

  private cancelAll(): void {
    this.connecting?.cancel();
    this.reads.cancelAll();
    this.writes.cancelAll();
  }

  close(): void {
    if (!this.isOpen) return;
    this.family = undefined;
    this.group.delete(this);
    this.cancelAll();
    const { socket } = this;
    this.socket = undefined;
    this.bound = undefined;
    this.failure = 0;
    this.options.clear();
    socket?.ref(); // what was written goes out before the process ends
    socket?.destroySoon();
  }

  localEndpoint(): IpEndpoint {
    this.mustBeOpen('getsockname');
    const { socket, bound } = this;
    return (
      endpointOf(socket?.localAddress, socket?.localPort) ?? bound ?? raise('getsockname', ENOTCONN)
    );
  }

  remoteEndpoint(): IpEndpoint {
    const socket = this.connected('getpeername');
    return endpointOf(socket.remoteAddress, socket.remotePort) ?? raise('getpeername', ENOTCONN);
  }

  private connected(syscall: string): net.Socket {
    this.mustBeOpen(syscall);
    if (this.connecting !== undefined) return raise(syscall, ENOTCONN);
    return this.socket ?? raise(syscall, ENOTCONN);
  }

  get atMark(): boolean {
    this.mustBeOpen('sockatmark');
    return raise('sockatmark', ENOSYS);
  }

  bytesReadable(): number {
    this.mustBeOpen('ioctl');
    return this.socket?.readableLength ?? 0;
  }

  protected apply(name: string, value: number): void {
    if (name === 'tcp_no_delay') this.socket?.setNoDelay(value !== 0);
    else if (name === 'keep_alive') this.socket?.setKeepAlive(value !== 0);
    else raise('setsockopt', ENOSYS);
  }

  setLinger(): void {
    this.mustBeOpen('setsockopt');
    raise('setsockopt', ENOSYS);
  }

  getLinger(): { readonly on: boolean; readonly seconds: number } {
    this.mustBeOpen('getsockopt');
    return { on: false, seconds: 0 };
  }
}

/** What node:net has beside its documentation: bind(2) and getsockname(2) at once. */
interface ServerHandle {
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}
interface NetInternals {
  _createServerHandle(host: string, port: number, family: Family): ServerHandle | number;
}

class NodeTcpAcceptor extends NodeTcpEndpoint implements TcpAcceptor {
  protected readonly known = TCP_ACCEPTOR_OPTIONS;
  enableConnectionAborted = false;
  private handle: ServerHandle | undefined;
  private server: net.Server | undefined;
  private endpoint: IpEndpoint | undefined;
  private readonly arrived: net.Socket[] = [];
  private readonly accepts = new NodeQueue(() => this.server);

  bind(address: IpAddress, port: number): void {
    this.mustBeOpen('bind');
    if (this.handle !== undefined) raise('bind', EINVAL);
    const internals = nodeNet() as unknown as NetInternals;
    const host = formatAddress(address);
    const handle = internals._createServerHandle(host, port, address.family);
    if (typeof handle === 'number') return raise('bind', uvErrno(handle));
    const name: { address?: string; port?: number } = {};
    const result = handle.getsockname(name); // libuv reports EADDRINUSE as late as here
    if (result < 0) {
      handle.close();
      raise('bind', uvErrno(result));
    }
    this.handle = handle;
    this.endpoint = endpointOf(name.address, name.port);
  }

  listen(backlog: number): void {
    this.mustBeOpen('listen');
    if (this.server !== undefined) return;
    const { family } = this;
    if (this.handle === undefined) this.bind(parseAddress(family === 4 ? '0.0.0.0' : '::')!, 0);
    const server = nodeNet().createServer({ pauseOnConnect: true, allowHalfOpen: true });
    this.server = server;
    server.on('connection', (socket) => {
      socket.on('error', () => {}); // until it has an owner
      this.arrived.push(socket);
      this.accepts.drain((op) => this.tryAccept(op));
    });
    server.on('error', (error) => this.accepts.drain(() => -errnoOf(error)));
    server.listen(this.handle, backlog);
    server.unref();
  }

  accept(op: Operation): number {
    if (!this.isOpen) return -EBADF;
    if (this.server === undefined) return -EINVAL;
    if (this.accepts.head === null) {
      const result = this.tryAccept(op);
      if (result !== PENDING) return result;
    }
    op.owner = this;
    this.accepts.push(op);
    return PENDING;
  }

  private tryAccept(op: Operation): number {
    const socket = this.arrived.shift();
    if (socket === undefined) return PENDING;
    op.value = NodeTcpSocket.accepted(socket, this.family!, this.group);
    return 0;
  }

  cancel(): void {
    this.mustBeOpen('cancel');
    this.accepts.cancelAll();
  }

  close(): void {
    if (!this.isOpen) return;
    this.family = undefined;
    this.group.delete(this);
    this.accepts.cancelAll();
    for (const socket of this.arrived) socket.destroy();
    this.arrived.length = 0;
    if (this.server !== undefined) this.server.close();
    else this.handle?.close();
    this.server = undefined;
    this.handle = undefined;
    this.endpoint = undefined;
    this.options.clear();
  }

  localEndpoint(): IpEndpoint {
    this.mustBeOpen('getsockname');
    return this.endpoint ?? raise('getsockname', ENOTCONN);
  }

  protected apply(name: string, value: number): void {
    if (name === 'enable_connection_aborted') this.enableConnectionAborted = value !== 0;
    else if (name !== 'reuse_address') raise('setsockopt', ENOSYS); // which libuv always sets
  }
}

/** libuv's number of an error, which isn't errno's on Windows. */
function uvErrno(number: number): number {
  const name = process.platform === 'win32' ? windowsName(number) : undefined;
  return name === undefined ? -number : (errnoNumber(name) ?? EIO);
}

/** Those of bind. Source: uv/errno.h */
function windowsName(number: number): string {
  const names: Partial<Record<number, string>> = {
    [-4092]: 'EACCES',
    [-4091]: 'EADDRINUSE',
    [-4090]: 'EADDRNOTAVAIL',
    [-4089]: 'EAFNOSUPPORT',
    [-4071]: 'EINVAL',
    [-4066]: 'EMFILE',
  };
  return names[number] ?? 'EIO';
}

class NodeStandardStream implements StandardStream {
  private readonly fd: 0 | 1 | 2;
  private input: Readable | undefined;
  private ended = false;
  private failure = 0;
  private readonly reads = new NodeQueue(() => process.stdin);

  constructor(fd: 0 | 1 | 2) {
    this.fd = fd;
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (length === 0) return 0;
    if (this.fd !== 0) return -EBADF;
    const input = (this.input ??= this.openInput());
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    const result = this.reads.head === null ? this.tryRead(op, input) : PENDING;
    if (result === PENDING) this.reads.push(op);
    else op.clear();
    return result;
  }

  private openInput(): Readable {
    const input = process.stdin;
    const finish = (errno: number) => {
      this.ended = true;
      this.failure = errno;
      this.reads.drain((op) => this.tryRead(op, input));
    };
    input.on('readable', () => this.reads.drain((op) => this.tryRead(op, input)));
    input.on('end', () => finish(0));
    input.on('error', (error) => finish(errnoOf(error)));
    if ('unref' in input) input.unref();
    return input;
  }

  private tryRead(op: Operation, input: Readable): number {
    const count = Math.min(op.length, input.readableLength);
    const chunk = count > 0 ? (input.read(count) as Buffer | null) : null;
    if (chunk !== null) {
      op.bytes!.set(chunk, op.offset);
      return chunk.length;
    }
    if (this.ended) return 0 - this.failure;
    input.read(0);
    return PENDING;
  }

  /** Can't be cancelled: the bytes are on their way. */
  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (length === 0) return 0;
    if (this.fd === 0) return -EBADF;
    const output = this.fd === 1 ? process.stdout : process.stderr;
    if (output.listenerCount('error') === 0) output.on('error', () => {}); // the callback has it
    op.waitsIn = { cancelOperation: () => {} };
    const copy = Uint8Array.prototype.slice.call(bytes, offset, offset + length);
    output.write(copy, (error) => op.finish(error ? -errnoOf(error) : length));
    return PENDING;
  }

  get isatty(): boolean {
    return process.getBuiltinModule('node:tty').isatty(this.fd);
  }

  /** On FreeBSD, to limit what can be done with it. */
  dup(): Fd {
    return freebsdAvailable() ? dup(this.fd, 3) : raise('dup', ENOSYS);
  }
}

const standardStreams = [
  new NodeStandardStream(0),
  new NodeStandardStream(1),
  new NodeStandardStream(2),
] as const;

export const nodeBackend: Backend = {
  name: 'node',
  tcpSocket: (group) => new NodeTcpSocket(group),
  tcpAcceptor: (group) => new NodeTcpAcceptor(group),
  udpSocket: (group) => new NodeUdpSocket(group),
  standardStream: (fd) => standardStreams[fd],
};
