/**
 * Reads and writes of files that take their time: io_uring(7). One ring a thread. Each operation has a
 * slot, with memory of its own, until it is collected.
 */
import { type Fd, native } from './native.ts';

/** @returns 0, or -errno: ENOSYS, EPERM: there is none. `shared` gets (slot, result) for each of `count` */
export function openUring(done: (count: number) => void, shared: Int32Array): number {
  return native().uring_open(done, shared);
}

/**
 * It begins with the next `uringSend`.
 * @param position  -1: the file's own
 * @param isApart   in a thread of the kernel's, even what is in memory
 * @returns the slot, or -errno: EBUSY, too many at once
 */
export function uringRead(fd: Fd, length: number, position: number, isApart: boolean): number {
  return native().uring_read(fd, length, position, isApart);
}

/** Tell the kernel of the reads. @returns how many it doesn't take: `shared` has (slot, -EAGAIN) for each */
export function uringSend(): number {
  return native().uring_send();
}

/** It begins at once; no read must be unsent. The bytes may change once it has returned. @returns as `uringRead` */
export function uringWrite(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
  isApart: boolean,
): number {
  return native().uring_write(fd, bytes, offset, length, position, isApart);
}

/** Copy what a read that is done has brought, and let go of its slot. */
export function uringCollect(
  slot: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  native().uring_collect(slot, bytes, offset, length);
}
