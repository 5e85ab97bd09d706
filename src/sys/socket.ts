/**
 * Sockets: socket(2), socket(7), tcp(7), ip(7), ipv6(7).
 *
 * An address and port cross to C as an `Endpoint`: 24 bytes, little endian, with 0–3 scope id,
 * 4–5 port, 6 family (4 or 6; 0 is AF_UNSPEC, or what is neither), 8–23 address (IPv4: the first
 * four). Transfers, accept and connect give -errno; all others throw SysError.
 */
import { ok } from './errno.ts';
import { type Fd, native, results, transfers } from './native.ts';

export type Endpoint = Uint8Array;
export const ENDPOINT_SIZE = 24;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

export const SOL_SOCKET = 1;
export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_PRIORITY = 12;
export const SO_REUSEPORT = 15;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_TYPE = 3;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const IPPROTO_IP = 0;
export const IP_TTL = 2;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const TCP_NODELAY = 1;
export const IPPROTO_IPV6 = 41;
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_V6ONLY = 26;

export const SOMAXCONN = 4096;
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_DONTROUTE = 0x4;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_NOSIGNAL = 0x4000;

/** A new socket, non-blocking and close-on-exec. EMFILE, ENFILE, EAFNOSUPPORT. socket(2) */
export function socket(domain: number, type: number, protocol: number): Fd {
  return ok('socket', native().socket(domain, type, protocol));
}

/** EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL (bound already). bind(2) */
export function bind(fd: Fd, endpoint: Endpoint): void {
  ok('bind', native().bind(fd, endpoint));
}

/** EADDRINUSE, EOPNOTSUPP. listen(2) */
export function listen(fd: Fd, backlog: number): void {
  ok('listen', native().listen(fd, backlog));
}

/** @returns the new descriptor, non-blocking and close-on-exec, or -errno. accept(2) */
export function accept4(fd: Fd): number {
  transfers().accept4(fd);
  return results[0]!;
}

/** @returns 0, or -errno: EINPROGRESS when it began, EALREADY while it lasts. connect(2) */
export function connect(fd: Fd, endpoint: Endpoint): number {
  return native().connect(fd, endpoint);
}

/** Fills `endpoint` in with the local address. getsockname(2) */
export function getsockname(fd: Fd, endpoint: Endpoint): void {
  ok('getsockname', native().getsockname(fd, endpoint));
}

/** Fills `endpoint` in with the peer's address. ENOTCONN. getpeername(2) */
export function getpeername(fd: Fd, endpoint: Endpoint): void {
  ok('getpeername', native().getpeername(fd, endpoint));
}

/** `how`: SHUT_RD … ENOTCONN. shutdown(2) */
export function shutdown(fd: Fd, how: number): void {
  ok('shutdown', native().shutdown(fd, how));
}

/** @returns 0: the peer has received all that was sent; > 0: not yet; or -errno. unix(7), SIOCOUTQ */
export function unsent(fd: Fd): number {
  return native().unsent(fd);
}

/** @returns bytes received, 0 at the end, or -errno. recv(2) */
export function recv(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  transfers().recv(fd, bytes, offset, length, flags);
  return results[0]!;
}

/** @returns bytes taken, or -errno; give MSG_NOSIGNAL. send(2) */
export function send(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
): number {
  transfers().send(fd, bytes, offset, length, flags);
  return results[0]!;
}

/** As `recv`; fills `endpoint` in with the sender. recvfrom(2) */
export function recvfrom(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
  endpoint: Endpoint,
): number {
  transfers().recvfrom(fd, bytes, offset, length, flags, endpoint);
  return results[0]!;
}

/** As `send`, to `endpoint`. EMSGSIZE, EACCES (broadcast). sendto(2) */
export function sendto(
  fd: Fd,
  bytes: Uint8Array,
  offset: number,
  length: number,
  flags: number,
  endpoint: Endpoint,
): number {
  transfers().sendto(fd, bytes, offset, length, flags, endpoint);
  return results[0]!;
}

/**
 * Enter or leave the multicast group that is the endpoint's address, on the interface that is its
 * scope id; 0: any. EADDRINUSE (is in it), EADDRNOTAVAIL (isn't), ENODEV, EINVAL. ip(7), ipv6(7)
 */
export function setMembership(fd: Fd, endpoint: Endpoint, join: boolean): void {
  ok('setsockopt', native().set_membership(fd, endpoint, join ? 1 : 0));
}

/** Send multicasts through the interface with this IPv4 address. EADDRNOTAVAIL. ip(7) */
export function setMulticastInterface(fd: Fd, endpoint: Endpoint): void {
  ok('setsockopt', native().set_multicast_interface(fd, endpoint));
}

/** An option whose value is an int. ENOPROTOOPT, EINVAL, EPERM. setsockopt(2) */
export function setSocketOption(fd: Fd, level: number, option: number, value: number): void {
  ok('setsockopt', native().setsockopt_int(fd, level, option, value));
}

const optionValue = new Int32Array(1);

/** An option whose value is an int. ENOPROTOOPT. getsockopt(2) */
export function getSocketOption(fd: Fd, level: number, option: number): number {
  ok('getsockopt', native().getsockopt_int(fd, level, option, optionValue));
  return optionValue[0]!;
}

/** SO_LINGER, `seconds` whole. socket(7) */
export function setLinger(fd: Fd, on: boolean, seconds: number): void {
  ok('setsockopt', native().set_linger(fd, on ? 1 : 0, seconds));
}

/** SO_LINGER. socket(7) */
export function getLinger(fd: Fd): { readonly on: boolean; readonly seconds: number } {
  const result = ok('getsockopt', native().get_linger(fd));
  return { on: (result & 0x40000000) === 0, seconds: result & 0x3fffffff };
}

/** Whether the next byte follows the out-of-band mark. sockatmark(3) */
export function atMark(fd: Fd): boolean {
  return ok('sockatmark', native().sockatmark(fd)) === 1;
}

/** @returns the number of a network interface, or 0 when there is none of that name */
export function interfaceIndex(name: string): number {
  return name.includes('\0') ? 0 : Math.max(0, native().if_nametoindex(name));
}

/** @returns the name of a network interface, or undefined when there is none of that number */
export function interfaceName(index: number): string | undefined {
  const name = native().if_indextoname(index);
  return typeof name === 'string' ? name : undefined;
}
