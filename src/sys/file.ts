/**
 * Files with a position, which is a whole number up to 2^53. The transfers never wait for a disk, and
 * give -errno.
 */
import { ok } from './errno.ts';
import { type Fd, native } from './native.ts';

export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

/** In place of a position: the file's own, which moves. */
export const AT_POSITION = -1;

/**
 * Read what needs no waiting.
 * @returns bytes read, 0 at the end, or -errno: EAGAIN when nothing is in memory, EOPNOTSUPP when this
 *          file system can't tell. preadv2(2), RWF_NOWAIT
 */
export function preadNoWait(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  return native().pread_nowait(fd, bytes, offset, length, position);
}

/** Write what needs no waiting. @returns bytes written, or -errno as `preadNoWait`. pwritev2(2) */
export function pwriteNoWait(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  return native().pwrite_nowait(fd, bytes, offset, length, position);
}

/** @returns the new position. ESPIPE, EINVAL (before the start). lseek(2) */
export function lseek(fd: Fd, offset: number, whence: number): number {
  return ok('lseek', native().lseek(fd, offset, whence));
}

/** Whether it has a position at all: pipes, sockets and terminals have none. */
export function isSeekable(fd: Fd): boolean {
  return native().lseek(fd, 0, SEEK_CUR) >= 0;
}

/** @returns 0, or -errno: EAGAIN with LOCK_NB, when somebody else has the lock. flock(2) */
export function flock(fd: Fd, operation: number): number {
  return native().flock(fd, operation);
}
