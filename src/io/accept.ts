/** Accepting connections, of any kind of socket. */
import { ECONNABORTED, EPROTO } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { accept4 } from '../sys/socket.ts';
import type { Operation } from './operation.ts';

/** What accepts: `op.owner` of the operation. */
export interface Accepting {
  /** Report a connection that ended in the queue as -ECONNABORTED; else it is passed over. */
  readonly enableConnectionAborted: boolean;
  /** @returns the object that owns the new socket, before anything else can happen */
  adopt(fd: Fd): object;
}

/** @returns 0, and `op.value` is what `adopt` made; or -errno */
export function attemptAccept(op: Operation): number {
  const acceptor = op.owner as unknown as Accepting;
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
