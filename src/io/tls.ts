/**
 * TLS over a TCP socket's descriptor: docs/decisions/0016-tls.md says why it is done this way.
 *
 * OpenSSL reads from the descriptor itself, so a read is one call and waits as any other: in the
 * descriptor's queue of reads. A write is encrypted at once and never again: from then on the socket
 * has taken the bytes, and what the kernel doesn't take waits behind the connection until a write of
 * `flushing` has sent it. One more write isn't begun before that, so at most one write's bytes wait.
 *
 *   taken, all sent        the write is done
 *   taken, part waits      it is pending; cancelled, it is done: the bytes go out nevertheless
 *   behind another one     nothing of it is taken; cancelled, it is -ECANCELED
 *
 * Handshakes and reads answer the peer by the same way: nobody waits for these bytes.
 */
import { EBADF, ECANCELED } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import {
  CODE,
  type ConnectionHandle,
  type ContextHandle,
  connectionText,
  DRAINED,
  FAILED,
  openTls,
  type SessionHandle,
  type Text,
  TRUNCATED,
  tlsStatus,
  UNSENT,
  VERIFY,
} from '../sys/tls.ts';
import { closeWithOwner, Descriptor } from './descriptor.ts';
import { type Closable, IoGroup } from './group.ts';
import { Operation, OperationQueue, PENDING } from './operation.ts';
import { NativeTcpSocket } from './tcp.ts';
import type { TcpSocket } from './transport.ts';

/** `op.value` of an operation that gave FAILED or TRUNCATED. */
export class TlsFailure {
  /** OpenSSL's; 0: it has none, or the connection was cut off */
  readonly code: number;
  /** X509_V_ of the peer's certificate; 0: nothing is wrong with it */
  readonly verify: number;
  constructor(code: number, verify: number) {
    this.code = code;
    this.verify = verify;
  }
}

/** What OpenSSL said last. */
export const lastFailure = (): TlsFailure => new TlsFailure(tlsStatus[CODE]!, tlsStatus[VERIFY]!);

/** A write whose bytes are encrypted has none any more; `length` is how many they were. */
const isTaken = (op: Operation): boolean => op.bytes === null;

class WriteQueue extends OperationQueue {
  override cancelOperation(op: Operation): void {
    this.remove(op);
    op.finish(isTaken(op) ? op.length : -ECANCELED);
  }
}

const NOTHING = new Uint8Array(0);
/** `flags` of an operation that ends what is written. */
const SHUTDOWN = 1;

class TlsConnection implements Closable {
  readonly descriptor: Descriptor;
  readonly handle: ConnectionHandle;
  readonly writers = new WriteQueue();
  private readonly flushing = new Operation((result) => this.flushed(result));
  private readonly group: IoGroup;
  /** The handshake is done. Before, nothing but handshakes waits for the peer. */
  isReady = false;

  /** @param fd  closed with this object */
  constructor(handle: ConnectionHandle, fd: Fd, group: IoGroup) {
    this.handle = handle;
    this.descriptor = new Descriptor(fd, new IoGroup(), { shortReadDrains: true });
    this.group = group;
    group.add(this);
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.extra = this;
    return this.descriptor.start(op, this.descriptor.reads, attemptRead);
  }

  handshake(op: Operation, isServer: boolean): number {
    op.flags = isServer ? 1 : 0;
    op.extra = this;
    return this.descriptor.start(op, this.descriptor.reads, attemptHandshake);
  }

  /** After a call for `op`: what it has left for others to do. */
  after(op: Operation, result: number): number {
    if (result > 0 && tlsStatus[DRAINED] === 1) this.descriptor.readShort();
    if (result <= FAILED) op.value = lastFailure();
    if (tlsStatus[UNSENT]! > 0) this.flush();
    return result;
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number, flags: number): number {
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    if (this.descriptor.fd < 0) {
      op.clear();
      return -EBADF;
    }
    if (this.writers.head === null && !this.flushing.pending) {
      let result = this.take(op);
      if (result === PENDING) {
        const rest = this.startFlush();
        if (rest !== PENDING) result = rest < 0 ? rest : op.length;
      }
      if (result !== PENDING) {
        op.clear();
        return result;
      }
    }
    this.writers.push(op); // `flushed` goes on with it
    return PENDING;
  }

  /** Encrypt what `op` has. @returns PENDING: it is taken, and not all of it sent */
  private take(op: Operation): number {
    const functions = openTls();
    const result =
      op.flags === SHUTDOWN
        ? functions.connection_shutdown(this.handle)
        : functions.connection_write(this.handle, op.bytes!, op.offset, op.length);
    if (result <= FAILED) op.value = lastFailure();
    if (result < 0) return result;
    op.bytes = null;
    op.length = result;
    return tlsStatus[UNSENT]! > 0 ? PENDING : result;
  }

  /** See to it that what is unsent is sent. */
  private flush(): void {
    if (this.flushing.pending) return;
    const result = this.startFlush();
    if (result !== PENDING) this.flushed(result);
  }

  private startFlush(): number {
    this.flushing.extra = this;
    return this.descriptor.start(this.flushing, this.descriptor.writes, attemptFlush);
  }

  /** @param result  0, or why nothing can be sent any more */
  private flushed(result: number): void {
    // The peer waits for what could not be sent.
    if (result < 0 && result !== -ECANCELED && !this.isReady) {
      const { reads } = this.descriptor;
      for (let op = reads.head; op !== null; op = reads.head) {
        reads.remove(op);
        op.finish(result);
      }
    }
    for (let op = this.writers.head; op !== null; op = this.writers.head) {
      if (this.flushing.pending) return;
      let outcome = result === -ECANCELED ? result : PENDING;
      if (outcome === PENDING) {
        outcome = isTaken(op) ? (result < 0 ? result : op.length) : this.take(op);
      }
      if (outcome === PENDING) this.flush();
      else {
        this.writers.remove(op);
        op.finish(outcome);
      }
    }
  }

  /** Complete what is pending with -ECANCELED; what is taken goes out. */
  cancelAll(): void {
    this.descriptor.reads.cancelAll();
    this.writers.cancelAll();
  }

  /** Say good-bye if that needs no waiting; then close. */
  close(): void {
    if (this.descriptor.fd < 0) return;
    this.group.delete(this);
    openTls().connection_close(this.handle);
    this.descriptor.close();
  }
}

function attemptRead(op: Operation): number {
  const connection = op.extra as TlsConnection;
  const result = openTls().connection_read(connection.handle, op.bytes!, op.offset, op.length);
  return connection.after(op, result);
}

function attemptHandshake(op: Operation): number {
  const connection = op.extra as TlsConnection;
  const result = openTls().connection_handshake(connection.handle, op.flags);
  if (result === 1) connection.isReady = true;
  return connection.after(op, result);
}

function attemptFlush(op: Operation): number {
  return openTls().connection_flush((op.extra as TlsConnection).handle);
}

export class TlsSocket extends NativeTcpSocket {
  private readonly connection: TlsConnection;

  private constructor(group: IoGroup, connection: TlsConnection) {
    super(group);
    this.connection = connection;
    this.descriptor = connection.descriptor;
    closeWithOwner(this, connection);
  }

  /**
   * Take over a socket of TCP, which is closed afterwards: its pending operations get -ECANCELED.
   * @returns FAILED: OpenSSL couldn't, and the socket is as it was
   * @throws SysError  EBADF: it is closed
   */
  static over(tcp: TcpSocket, group: IoGroup, context: ContextHandle): TlsSocket | number {
    const fd = tcp.release();
    const handle = openTls().connection_new(context, fd);
    if (typeof handle === 'number') {
      tcp.assign(fd);
      return handle;
    }
    return new TlsSocket(group, new TlsConnection(handle, fd, group));
  }

  /** @returns 1 when it is done; may be continued when it was cancelled */
  handshake(op: Operation, isServer: boolean): number {
    op.owner = this;
    return this.connection.handshake(op, isServer);
  }

  /** @returns bytes read; 0: the peer has said that it sends no more; TRUNCATED: it has not */
  override read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return this.connection.read(op, bytes, offset, length);
  }

  override write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    op.owner = this;
    return this.connection.write(op, bytes, offset, length, 0);
  }

  /** Tell the peer that no more comes. */
  sayGoodbye(op: Operation): number {
    op.owner = this;
    return this.connection.write(op, NOTHING, 0, 0, SHUTDOWN);
  }

  override cancel(): void {
    this.fd('cancel');
    this.connection.cancelAll();
  }

  override close(): void {
    this.connection.close();
  }

  // Before the handshake: ≥ 0 or FAILED; -EBADF when closed.

  /** What is sent as the server's name: no address. */
  setServerName(name: string): number {
    return openTls().connection_set_server_name(this.connection.handle, name);
  }

  /** @param mode  SSL_VERIFY_ */
  setVerify(mode: number): number {
    return openTls().connection_set_verify(this.connection.handle, mode);
  }

  setVerifyDepth(depth: number): number {
    return openTls().connection_set_verify_depth(this.connection.handle, depth);
  }

  /** A name or an address, which the peer's certificate must be for. */
  setVerifyHost(host: string): number {
    return openTls().connection_set_verify_host(this.connection.handle, host);
  }

  setSession(session: SessionHandle): number {
    return openTls().connection_set_session(this.connection.handle, session);
  }

  /** What a later connection can go on with; undefined: nothing (yet). */
  get session(): SessionHandle | undefined {
    if (!this.isOpen) return undefined;
    const session = openTls().connection_get_session(this.connection.handle);
    return typeof session === 'number' ? undefined : session;
  }

  get isResumed(): boolean {
    return this.isOpen && openTls().connection_resumed(this.connection.handle) === 1;
  }

  text(what: Text): string | undefined {
    return this.isOpen ? connectionText(this.connection.handle, what) : undefined;
  }
}

export { FAILED, TRUNCATED };
