/** Names of hosts and services, on threads of the addon: native/resolver.c. */
import { ok } from './errno.ts';
import { native, type ResolverCallback } from './native.ts';
import type { Endpoint } from './socket.ts';

/** AI_ flags of netdb.h on Linux. */
export const AI_PASSIVE = 1;
export const AI_CANONNAME = 2;
export const AI_NUMERICHOST = 4;
export const AI_V4MAPPED = 8;
export const AI_ALL = 16;
export const AI_ADDRCONFIG = 32;
export const AI_NUMERICSERV = 1024;

/** Errors of getaddrinfo(3). */
export const EAI_BADFLAGS = -1;
export const EAI_NONAME = -2;
export const EAI_AGAIN = -3;
export const EAI_FAIL = -4;
export const EAI_NODATA = -5;
export const EAI_FAMILY = -6;
export const EAI_SOCKTYPE = -7;
export const EAI_SERVICE = -8;
export const EAI_ADDRFAMILY = -9;
export const EAI_MEMORY = -10;

/** The service is one of datagrams. getnameinfo(3) */
export const NI_DGRAM = 16;

/** Once a thread; `callback` has the results of what is asked afterwards. */
export function openResolver(callback: ResolverCallback): void {
  ok('resolver_open', native().resolver_open(callback));
}

export interface AddressQuery {
  /** undefined: this machine */
  readonly host: string | undefined;
  /** undefined: port 0 */
  readonly service: string | undefined;
  /** AI_ */
  readonly flags: number;
  /** 0: both */
  readonly family: 0 | 4 | 6;
  /** SOCK_STREAM or SOCK_DGRAM */
  readonly type: number;
}

/** @param id  above 0; comes back with the result. EAGAIN: no thread could be made */
export function getaddrinfo(id: number, query: AddressQuery): void {
  const { host, service, flags, family, type } = query;
  ok('getaddrinfo', native().getaddrinfo(id, host, service, flags, family, type));
}

/** @param flags  NI_DGRAM or 0. EAGAIN */
export function getnameinfo(id: number, endpoint: Endpoint, flags: number): void {
  ok('getnameinfo', native().getnameinfo(id, endpoint, flags));
}

/** Afterwards the callback isn't called with this id, unless it is being called already. */
export function cancelLookup(id: number): void {
  native().resolver_cancel(id);
}
