/** Receiving several datagrams in one call: native/datagrams.c. */
import { type Fd, results, transfers } from './native.ts';

/** Datagrams at once. */
export const MOST_DATAGRAMS = 32;
/** Of each, from `ENTRY_SIZE` times its number on: 4 bytes its size, at 8 the endpoint that sent it. */
export const ENTRY_SIZE = 32;
export const ENTRY_SENDER = 8;
/** Where the second one is; no datagram is larger than 64 KiB. */
export const FIRST_AHEAD = MOST_DATAGRAMS * ENTRY_SIZE;
export const AHEAD_STRIDE = 65536 + 192;
export const AHEAD_SIZE = FIRST_AHEAD + (MOST_DATAGRAMS - 1) * AHEAD_STRIDE;

/**
 * One datagram for the caller, and those behind it into `ahead`, of AHEAD_SIZE bytes.
 * @returns how many came, or -errno. Fewer than MOST_DATAGRAMS: there were no more. recvmmsg(2)
 */
export function receiveAhead(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  ahead: Uint8Array,
): number {
  transfers().receive_ahead(fd, bytes, offset, length, ahead);
  return results[0]!;
}
