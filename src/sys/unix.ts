/**
 * AF_UNIX sockets: unix(7). Addresses are the bytes of `sun_path` without a terminating NUL: none for an
 * unnamed socket, a NUL first for an abstract name. Transfers and connect give -errno, all others throw
 * SysError.
 */
import { ENOTCONN, ok, SysError } from './errno.ts';
import { type Fd, native, results, transfers } from './native.ts';
import { SOCK_STREAM } from './socket.ts';

/** Bytes of `sun_path`. */
export const MAX_UNIX_PATH = 108;
/** Descriptors in one message: SCM_MAX_FD. */
export const MAX_MESSAGE_FDS = 253;

/** Some control data had no room, or a descriptor no number: recvmsg(2). */
export const MSG_CTRUNC = 0x8;

/** EADDRINUSE, EACCES, ENOENT, ENAMETOOLONG, EINVAL (bound already). No bytes: an abstract name of the kernel's. bind(2) */
export function bindUnix(fd: Fd, path: Uint8Array): void {
  ok('bind', native().bind_unix(fd, path, path.length));
}

/** @returns 0, or -errno; EAGAIN: the listener's queue is full, and no event tells when it isn't. connect(2) */
export function connectUnix(fd: Fd, path: Uint8Array): number {
  return native().connect_unix(fd, path, path.length);
}

const none = new Uint8Array(0);

/** @returns 0, or -errno. connect(2), AF_UNSPEC */
export function disconnectUnix(fd: Fd): number {
  return native().connect_unix(fd, none, -1);
}

/** @returns the length of the local path, which is in `path` (MAX_UNIX_PATH bytes). getsockname(2) */
export function getsocknameUnix(fd: Fd, path: Uint8Array): number {
  return ok('getsockname', native().getsockname_unix(fd, path));
}

/** @returns the length of the peer's path. ENOTCONN. getpeername(2) */
export function getpeernameUnix(fd: Fd, path: Uint8Array): number {
  return ok('getpeername', native().getpeername_unix(fd, path));
}

/** Two connected sockets, non-blocking and close-on-exec. `type`: SOCK_STREAM … EMFILE. socketpair(2) */
export function socketpair(type = SOCK_STREAM): readonly [Fd, Fd] {
  const ends = new Int32Array(2);
  ok('socketpair', native().socketpair(type, ends));
  return [ends[0]!, ends[1]!];
}

/** In `out` of `recvmsgUnix`. */
export const OUT_PATH_LENGTH = 0;
export const OUT_FLAGS = 1;
export const OUT_FD_COUNT = 2;
export const OUT_FDS = 3;

/**
 * @param path  gets the sender's (MAX_UNIX_PATH bytes)
 * @param out   gets the numbers above, and from OUT_FDS on as many descriptors as it has room for, all
 *              close-on-exec; others that the peer sent are closed
 * @returns bytes received, or -errno. recvmsg(2)
 */
export function recvmsgUnix(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
  path: Uint8Array,
  out: Int32Array,
): number {
  return native().recvmsg_unix(fd, bytes, offset, length, flags, path, out);
}

/**
 * @param path  where to; undefined: the peer
 * @param fds   to be duplicated into the message, at most MAX_MESSAGE_FDS (EINVAL)
 * @returns bytes taken, and with the first of them all descriptors; or -errno. sendmsg(2)
 */
export function sendmsgUnix(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
  path: Uint8Array | undefined,
  fds: Int32Array,
): number {
  return path === undefined
    ? native().sendmsg_unix(fd, bytes, offset, length, flags, none, -1, fds, fds.length)
    : native().sendmsg_unix(fd, bytes, offset, length, flags, path, path.length, fds, fds.length);
}

/** In `out` of `receivePacket`. */
export const PACKET_FLAGS = 0;
export const PACKET_FD_COUNT = 1;
export const PACKET_FDS = 2;
/** The message was longer than the buffer: recvmsg(2). */
export const MSG_TRUNC = 0x20;

/**
 * A message of a socket of packets, without ever waiting.
 * @param out  gets the numbers above, and as many descriptors as it has room for; others are closed
 * @returns bytes received, 0 at the end, or -errno. recvmsg(2)
 */
export function receivePacket(fd: Fd, bytes: Uint8Array, out: Int32Array): number {
  transfers().receive_packet(fd, bytes, out);
  return results[0]!;
}

/**
 * A message of a socket of packets, without descriptors and without ever waiting.
 * @returns bytes taken, or -errno. sendmsg(2)
 */
export function sendPacket(fd: Fd, bytes: Uint8Array, length: number): number {
  transfers().send_packet(fd, bytes, length);
  return results[0]!;
}

/**
 * Before a socket of packets is closed: nothing comes any more, and the descriptors in what waits are closed, each at once.
 * @param questions  the first of each packet is a socket for an answer, and nobody's business what waits in that
 */
export function discardPackets(fd: Fd, questions = false): void {
  native().discard_packets(fd, questions ? 1 : 0);
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who connected, or listened. ENOTCONN. unix(7), SO_PEERCRED */
export function peerCredentials(fd: Fd): PeerCredentials {
  const out = new Int32Array(3);
  ok('getsockopt', native().get_peer_credentials(fd, out));
  if (out[1] === -1) throw new SysError('getsockopt', ENOTCONN);
  return { pid: out[0]!, uid: out[1]! >>> 0, gid: out[2]! >>> 0 };
}

/** The peer's label, without its NUL. ENOPROTOOPT: no security module is active. unix(7), SO_PEERSEC */
export function peerSecurityLabel(fd: Fd): Uint8Array {
  const bytes = new Uint8Array(4096);
  const length = ok('getsockopt', native().get_peer_security(fd, bytes));
  const label = bytes.subarray(0, length);
  const end = label.indexOf(0);
  return end < 0 ? label : label.subarray(0, end);
}
