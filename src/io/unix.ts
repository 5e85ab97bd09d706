/**
 * AF_UNIX sockets over descriptors: unix(7). Operations follow the contract of io/operation.ts, all
 * others throw SysError. Paths are those of sys/unix.ts: bytes, a NUL first for an abstract name.
 *
 * Two things have no event of the kernel's: room in the queue of a listener (connect says EAGAIN), and
 * room in the queue of a receiver that a datagram socket isn't connected to. There a timer tries again.
 */
import { Buffer } from 'node:buffer';
import { chmodSync, closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs';
import { EAGAIN, EALREADY, EBADF, EINVAL, EOPNOTSUPP, SysError } from '../sys/errno.ts';
import { bytesReadable, POLLOUT, poll } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  AF_UNIX,
  getSocketOption,
  listen,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_DEBUG,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  setSocketOption,
  shutdown,
  socket,
} from '../sys/socket.ts';
import {
  bindUnix,
  connectUnix,
  disconnectUnix,
  getpeernameUnix,
  getsocknameUnix,
  MAX_MESSAGE_FDS,
  MAX_UNIX_PATH,
  MSG_CTRUNC,
  OUT_FD_COUNT,
  OUT_FDS,
  OUT_FLAGS,
  OUT_PATH_LENGTH,
  type PeerCredentials,
  peerCredentials,
  peerSecurityLabel,
  recvmsgUnix,
  sendmsgUnix,
  socketpair,
} from '../sys/unix.ts';
import { attemptAccept } from './accept.ts';
import type { DescriptorOptions } from './descriptor.ts';
import type { IoGroup } from './group.ts';
import { ByteHandle, raise } from './handle.ts';
import type { Operation } from './operation.ts';
import { OwnedFd } from './owned-fd.ts';
import { startTimer } from './timer.ts';
import type { ShutdownType } from './transport.ts';

const HOW: Readonly<Record<ShutdownType, number>> = {
  receive: SHUT_RD,
  send: SHUT_WR,
  both: SHUT_RDWR,
};

/** Options by name, all of level SOL_SOCKET. */
const OPTIONS: ReadonlyMap<string, number> = new Map([
  ['debug', SO_DEBUG],
  ['send_buffer_size', SO_SNDBUF],
  ['receive_buffer_size', SO_RCVBUF],
  ['send_low_watermark', SO_SNDLOWAT],
  ['receive_low_watermark', SO_RCVLOWAT],
]);

/** A name as `recvmsg` and the like fill it in. */
const scratch = Buffer.alloc(MAX_UNIX_PATH);

/** The path as a string of bytes. */
const pathIn = (length: number): string =>
  length === 0 ? '' : scratch.toString('latin1', 0, length);

/**
 * The kernel would end a path at a NUL: another file than the one that was meant.
 * @throws SysError  EINVAL
 */
function pathBytes(path: string): Uint8Array {
  if (path.indexOf('\0', 1) >= 0 && path.charCodeAt(0) !== 0) raise('connect', EINVAL);
  return Buffer.from(path, 'latin1');
}

const O_PATH = 0o10000000;

/** What the umask took off; of the socket itself, if another file should be in its place by now. */
function setFileMode(path: Uint8Array, mode: number): void {
  const file = openSync(Buffer.from(path), O_PATH | constants.O_NOFOLLOW);
  try {
    const found = fstatSync(file);
    if (found.isSocket() && (found.mode & 0o777) !== mode) chmodSync(`/proc/self/fd/${file}`, mode);
  } finally {
    closeSync(file);
  }
}

/** Milliseconds from one try to the next, for what has no event. */
const FIRST_RETRY = 1;
const LAST_RETRY = 32;

/** What a message brought beside its bytes. */
export interface Received {
  /** Of the sender; '' where it has no name. */
  readonly path: string;
  readonly fds: readonly OwnedFd[];
  /** More descriptors were sent than are here: no room was asked for, or the process has too many. */
  readonly truncated: boolean;
}

const BYTE_STREAM: DescriptorOptions = { levelReads: true, batches: true };
/** Datagrams that have no room at their receiver wait for no event: not one to be put off. */
const PACKETS: DescriptorOptions = { levelReads: true };

/** What sockets and acceptors do alike. */
class UnixHandle extends ByteHandle {
  protected readonly type: number;

  /** @param type  SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET */
  constructor(group: IoGroup, type: number) {
    super(group);
    this.type = type;
  }

  protected override options(): DescriptorOptions {
    return this.type === SOCK_STREAM ? BYTE_STREAM : PACKETS;
  }

  /** EALREADY (asio's already_open); EMFILE */
  open(): void {
    if (this.isOpen) raise('socket', EALREADY);
    this.own(socket(AF_UNIX, this.type, 0));
  }

  /**
   * @param path  '': an abstract name of the kernel's choice
   * @param mode  of the file, whatever the umask. It is never wider than that: bind(2) takes the
   *              socket's own mode, and the umask off it
   * @throws SysError  EADDRINUSE, ENOENT, EACCES, ENAMETOOLONG, EINVAL (has a name already)
   */
  bind(path: string, mode?: number): void {
    const fd = this.fd('bind');
    const bytes = pathBytes(path);
    if (mode === undefined || path === '' || path.charCodeAt(0) === 0) {
      bindUnix(fd, bytes);
      return;
    }
    try {
      fchmodSync(fd, mode);
      bindUnix(fd, bytes);
      setFileMode(bytes, mode);
    } catch (error) {
      if (error instanceof SysError) throw error;
      const { syscall, errno } = error as NodeJS.ErrnoException;
      raise(syscall ?? 'chmod', -(errno ?? -EINVAL));
    }
  }

  /** '' while it has no name. */
  localPath(): string {
    return pathIn(getsocknameUnix(this.fd('getsockname'), scratch));
  }

  setOption(name: string, value: number): void {
    const option = OPTIONS.get(name) ?? raise('setsockopt', EOPNOTSUPP);
    setSocketOption(this.fd('setsockopt'), SOL_SOCKET, option, value);
    if (option === SO_RCVLOWAT) this.descriptor!.stopLevel();
  }

  getOption(name: string): number {
    const option = OPTIONS.get(name) ?? raise('getsockopt', EOPNOTSUPP);
    const value = getSocketOption(this.fd('getsockopt'), SOL_SOCKET, option);
    // Linux doubles what is set, for its own bookkeeping: socket(7)
    return option === SO_SNDBUF || option === SO_RCVBUF ? value >> 1 : value;
  }
}

export class UnixSocket extends UnixHandle {
  private retryDelay = FIRST_RETRY;
  private cancelRetry: (() => void) | undefined;

  /** One of `accept4` or `socketpair`. */
  static of(fd: Fd, group: IoGroup, type: number): UnixSocket {
    const socket = new UnixSocket(group, type);
    socket.own(fd);
    return socket;
  }

  /** EMFILE */
  static pair(group: IoGroup, type: number): [UnixSocket, UnixSocket] {
    const near = new UnixSocket(group, type);
    const far = new UnixSocket(group, type);
    const [a, b] = socketpair(type);
    near.own(a);
    far.own(b);
    if (type !== SOCK_DGRAM) near.joinTo(far);
    return [near, far];
  }

  /** Whether a transfer of nothing is none at all: it can't be told from the end. */
  private get isConnection(): boolean {
    return this.type !== SOCK_DGRAM;
  }

  /**
   * Opens the socket first if it is closed; of datagram sockets it only sets the peer.
   * @returns 0; -ENOENT, -ECONNREFUSED, -EISCONN, -EPROTOTYPE …
   */
  connect(op: Operation, path: string): number {
    try {
      const bytes = pathBytes(path);
      if (!this.isOpen) this.open();
      op.owner = this;
      op.extra = bytes;
    } catch (error) {
      if (error instanceof SysError) return -error.errno;
      throw error;
    }
    return this.descriptor!.start(op, this.descriptor!.writes, attemptConnect);
  }

  /** Set the peer of a datagram socket, which takes no time; opens the socket first if it is closed. */
  setPeer(path: string): void {
    const bytes = pathBytes(path);
    if (!this.isOpen) this.open();
    const result = connectUnix(this.fd('connect'), bytes);
    if (result < 0) raise('connect', -result);
  }

  /** Dissolve the association. EINVAL: of a kind that can't. */
  disconnect(): void {
    const result = disconnectUnix(this.fd('connect'));
    if (result < 0) raise('connect', -result);
  }

  /** @param flags  MSG_PEEK or 0 */
  receive(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0 && this.isConnection) return 0;
    op.owner = this;
    return this.descriptor!.receive(op, bytes, offset, length, flags);
  }

  send(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0 && this.type === SOCK_STREAM) return 0;
    op.owner = this;
    return this.descriptor!.send(op, bytes, offset, length, flags);
  }

  /**
   * One message with its sender and descriptors.
   * @param most  descriptors that are wanted; others that come are closed
   * @returns bytes received, and `op.value` is `Received`, of this socket's group
   */
  receiveMessage(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    most: number,
  ): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0 && this.isConnection) {
      op.value = NOTHING;
      return 0;
    }
    op.owner = this;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    op.extra = int32s(OUT_FDS + Math.min(most, MAX_MESSAGE_FDS));
    return this.descriptor!.start(op, this.descriptor!.reads, attemptReceiveMessage);
  }

  /**
   * One message with descriptors, which stay open here.
   * @param path  where to; undefined: the peer
   * @returns bytes taken, and all descriptors with the first of them
   */
  sendMessage(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    path: string | undefined,
    fds: readonly Fd[] = [],
  ): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0 && this.type === SOCK_STREAM) return 0;
    let to: Uint8Array | undefined;
    try {
      to = path === undefined ? undefined : pathBytes(path);
    } catch (error) {
      if (error instanceof SysError) return -error.errno;
      throw error;
    }
    op.owner = this;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    op.extra = { to, fds } satisfies Outgoing;
    return this.descriptor!.start(op, this.descriptor!.writes, attemptSendMessage);
  }

  /** For attempts: the descriptors belong to the group before anything else can happen. */
  ownFds(out: Int32Array): OwnedFd[] {
    const fds: OwnedFd[] = [];
    for (let i = 0; i < out[OUT_FD_COUNT]!; i++) {
      fds.push(new OwnedFd(out[OUT_FDS + i]!, this.group));
    }
    return fds;
  }

  /** For attempts: no event will come, so try again in a while. */
  retryLater(): void {
    if (this.cancelRetry !== undefined) return;
    this.cancelRetry = startTimer(this.retryDelay, () => {
      this.cancelRetry = undefined;
      this.descriptor!.retryWrites();
    });
    this.retryDelay = Math.min(this.retryDelay * 2, LAST_RETRY);
  }

  /** For attempts: it went through. */
  retryDone(): void {
    this.retryDelay = FIRST_RETRY;
  }

  shutdown(what: ShutdownType): void {
    shutdown(this.fd('shutdown'), HOW[what]);
  }

  /** '' where the peer has no name. ENOTCONN */
  remotePath(): string {
    return pathIn(getpeernameUnix(this.fd('getpeername'), scratch));
  }

  bytesReadable(): number {
    return bytesReadable(this.fd('ioctl'));
  }

  /** ENOTCONN */
  remoteCredentials(): PeerCredentials {
    return peerCredentials(this.fd('getsockopt'));
  }

  /** As bytes. ENOPROTOOPT: there is no security module. */
  remoteSecurityLabel(): string {
    return Buffer.from(peerSecurityLabel(this.fd('getsockopt'))).toString('latin1');
  }
}

export class UnixAcceptor extends UnixHandle {
  enableConnectionAborted = false;

  listen(backlog: number): void {
    listen(this.fd('listen'), backlog);
  }

  /** @returns 0, and `op.value` is the UnixSocket, of this acceptor's group; -EMFILE, -EINVAL … */
  accept(op: Operation): number {
    if (this.descriptor === undefined) return -EBADF;
    op.owner = this;
    return this.descriptor.start(op, this.descriptor.reads, attemptAccept);
  }

  adopt(fd: Fd): UnixSocket {
    return UnixSocket.of(fd, this.group, this.type);
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

const NOTHING: Received = { path: '', fds: [], truncated: false };

interface Outgoing {
  readonly to: Uint8Array | undefined;
  readonly fds: readonly Fd[];
}

/**
 * Arrays by their length, for one system call: what it has filled in is read at once. V8 gives a new one that the addon
 * looks into memory of its own, which takes longer than the call.
 */
const arrays: Int32Array[] = [];

function int32s(length: number): Int32Array {
  arrays[length] ??= new Int32Array(length);
  return arrays[length];
}

function numbers(fds: readonly Fd[]): Int32Array {
  const array = int32s(fds.length);
  for (let i = 0; i < fds.length; i++) array[i] = fds[i]!;
  return array;
}

function attemptConnect(op: Operation): number {
  const result = connectUnix(op.target!.fd, op.extra as Uint8Array);
  if (result === -EAGAIN) (op.owner as UnixSocket).retryLater();
  else (op.owner as UnixSocket).retryDone();
  return result;
}

function attemptReceiveMessage(op: Operation): number {
  const out = op.extra as Int32Array;
  const result = recvmsgUnix(
    op.target!.fd,
    op.bytes!,
    op.offset,
    op.length,
    op.flags,
    scratch,
    out,
  );
  if (result >= 0) {
    op.value = {
      path: pathIn(out[OUT_PATH_LENGTH]!),
      fds: (op.owner as UnixSocket).ownFds(out),
      truncated: (out[OUT_FLAGS]! & MSG_CTRUNC) !== 0,
    } satisfies Received;
  }
  return result;
}

function attemptSendMessage(op: Operation): number {
  const { to, fds } = op.extra as Outgoing;
  const { fd } = op.target!;
  const result = sendmsgUnix(fd, op.bytes!, op.offset, op.length, op.flags, to, numbers(fds));
  if (to !== undefined) {
    const waitsForReceiver = result === -EAGAIN && (poll(fd, POLLOUT, 0) & POLLOUT) !== 0;
    if (waitsForReceiver) (op.owner as UnixSocket).retryLater();
    else if (result !== -EAGAIN) (op.owner as UnixSocket).retryDone();
  }
  return result;
}
