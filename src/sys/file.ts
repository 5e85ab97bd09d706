/**
 * Files with a position, which is a whole number up to 2^53. The transfers never wait for a disk, and
 * give -errno.
 */
import { EAGAIN, EINTR, ok } from './errno.ts';
import { type Fd, native, results, transfers } from './native.ts';

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
  transfers().pread_nowait(fd, bytes, offset, length, position);
  return results[0]!;
}

/** Write what needs no waiting. @returns bytes written, or -errno as `preadNoWait`. pwritev2(2) */
export function pwriteNoWait(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  transfers().pwrite_nowait(fd, bytes, offset, length, position);
  return results[0]!;
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

/** In place of a directory: the working directory. */
export const AT_FDCWD = -100;

export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

/**
 * @param directory  where a relative path starts, or AT_FDCWD
 * @param path       bytes; a NUL in it: EINVAL
 * @param mode       of a new file; must be 0 where none can be made
 * @param resolve    RESOLVE_ …
 * @returns the descriptor, close-on-exec. EXDEV: the path leads out; EAGAIN: a directory was moved
 *          meanwhile, or with RESOLVE_CACHED not all is in memory. openat2(2)
 */
export function openat2(
  directory: Fd,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): Fd {
  let result: number;
  let tries = 0;
  do result = native().openat2(directory, path, flags, mode, resolve);
  while (
    result === -EINTR ||
    (result === -EAGAIN && (resolve & RESOLVE_CACHED) === 0 && ++tries < MOST_TRIES)
  );
  return ok('openat2', result);
}

const MOST_TRIES = 64;
