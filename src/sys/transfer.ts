/** Reads and writes of many sockets in one system call: native/transfer.c. */
import { type Fd, native, results, transfers } from './native.ts';

/** Calls at once. */
export const MOST_CALLS = 64;
/** Of each, from `CALL_FIELDS` times its number on. */
export const CALL_FD = 0;
/** READ or WRITE */
export const CALL_KIND = 1;
export const CALL_OFFSET = 2;
export const CALL_LENGTH = 3;
/** bytes or -errno; as it was before, if the call hasn't been made */
export const CALL_RESULT = 4;
export const CALL_FIELDS = 5;

export type TransferKind = 0 | 1;
export const READ: TransferKind = 0;
export const WRITE: TransferKind = 1;

/** @returns 0, or -errno: EPERM, ENOSYS: there are none here. io_uring_setup(2) */
export function openTransfers(): number {
  return native().transfer_open();
}

/**
 * Make the calls. None of them waits: EAGAIN.
 * @param calls    `count` times the fields above
 * @param buffers  of each
 * @returns 0, or -errno: some of them haven't been made. recv(2), send(2)
 */
export function transfer(
  count: number,
  calls: Int32Array,
  buffers: readonly (Uint8Array | null)[],
): number {
  transfers().transfer(count, calls, ...buffers);
  return results[0]!;
}

/** One by itself. @returns bytes read, 0 at the end, or -errno. recv(2); read(2) where calls are filtered */
export function readSocket(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  transfers().read_socket(fd, bytes, offset, length);
  return results[0]!;
}

/** @returns bytes written, or -errno. send(2); write(2) where calls are filtered */
export function writeSocket(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  transfers().write_socket(fd, bytes, offset, length);
  return results[0]!;
}
