/**
 * Names of hosts and services: getaddrinfo(3) and getnameinfo(3), on the addon's threads or, where
 * it doesn't load, on libuv's. A look-up that has begun can't be stopped; cancelling one means that
 * nobody hears of its result, and that the process doesn't wait for it.
 */
import { SysError } from '../sys/errno.ts';
import { nativeAvailable } from '../sys/native.ts';
import {
  cancelLookup,
  EAI_ADDRFAMILY,
  EAI_AGAIN,
  EAI_BADFLAGS,
  EAI_FAIL,
  EAI_FAMILY,
  EAI_MEMORY,
  EAI_NODATA,
  EAI_NONAME,
  EAI_SERVICE,
  EAI_SOCKTYPE,
  getaddrinfo,
  getnameinfo,
  NI_DGRAM,
  openResolver,
} from '../sys/resolver.ts';
import { ENDPOINT_SIZE, SOCK_DGRAM, SOCK_STREAM } from '../sys/socket.ts';
import type { IpAddress } from './address.ts';
import { type IpEndpoint, packEndpoint, unpackEndpoint } from './endpoint.ts';
import type { Found, Names, Query, Resolved, ResolveFailure, Transport } from './names.ts';
import { nodeLookup, nodeLookupNames } from './node-resolver.ts';

const EINVAL = 22;
const EAFNOSUPPORT = 97;
const ENOMEM = 12;
const EIO = 5;

const FAILURES: Readonly<Partial<Record<number, ResolveFailure>>> = {
  [EAI_BADFLAGS]: EINVAL,
  [EAI_NONAME]: 'host_not_found',
  [EAI_ADDRFAMILY]: 'host_not_found',
  [EAI_AGAIN]: 'host_not_found_try_again',
  [EAI_FAIL]: 'no_recovery',
  [EAI_NODATA]: 'no_data',
  [EAI_FAMILY]: EAFNOSUPPORT,
  [EAI_SOCKTYPE]: 'socket_type_not_supported',
  [EAI_SERVICE]: 'service_not_found',
  [EAI_MEMORY]: ENOMEM,
};

const failureOf = (status: number): ResolveFailure =>
  status > 0 ? status : (FAILURES[status] ?? EIO);

interface Answer {
  readonly status: number;
  readonly endpoints: Uint8Array;
  readonly name: string | undefined;
  readonly service: string | undefined;
}

/** Who waits for what, by id. */
const asked = new Map<number, (answer: Answer) => void>();
let lastId = 0;
let opened = false;

/** @param begin  asks; may throw SysError. @returns cancel */
function ask(begin: (id: number) => void, finish: (answer: Answer) => void): () => void {
  if (!opened) {
    openResolver((id, status, endpoints, name, service) => {
      const waiting = asked.get(id);
      asked.delete(id);
      waiting?.({ status, endpoints, name, service });
    });
    opened = true;
  }
  lastId = lastId === 0x7fffffff ? 1 : lastId + 1;
  const id = lastId;
  asked.set(id, finish);
  try {
    begin(id);
  } catch (error) {
    const status = error instanceof SysError ? error.errno : EIO;
    const none = { status, endpoints: new Uint8Array(0), name: undefined, service: undefined };
    setImmediate(() => asked.get(id)?.(none));
  }
  return () => {
    if (asked.delete(id)) cancelLookup(id);
  };
}

/** C's texts end at the first zero byte, so a name with one would be another name. */
const hasZero = (text: string): boolean => text.includes('\0');

/** @returns cancel */
function failLater(failure: ResolveFailure, done: (result: Resolved<never>) => void): () => void {
  const timer = setImmediate(() => done({ failure }));
  return () => clearImmediate(timer);
}

/**
 * The endpoints of a service on a host, in the resolver's order.
 * @param done  never called before this returns
 * @returns cancel: afterwards `done` isn't called
 */
export function lookup(query: Query, done: (result: Resolved<Found>) => void): () => void {
  if (hasZero(query.host)) return failLater('host_not_found', done);
  if (hasZero(query.service)) return failLater('service_not_found', done);
  if (!nativeAvailable()) return nodeLookup(query, done);
  return ask(
    (id) =>
      getaddrinfo(id, {
        host: query.host === '' ? undefined : query.host,
        service: query.service,
        flags: query.flags,
        family: query.family,
        type: query.transport === 'tcp' ? SOCK_STREAM : SOCK_DGRAM,
      }),
    ({ status, endpoints: bytes, name }) => {
      if (status !== 0) return done({ failure: failureOf(status) });
      const endpoints: IpEndpoint[] = [];
      for (let at = 0; at < bytes.length; at += ENDPOINT_SIZE) {
        const endpoint = unpackEndpoint(bytes.subarray(at, at + ENDPOINT_SIZE));
        if (endpoint !== undefined) endpoints.push(endpoint);
      }
      if (endpoints.length === 0) return done({ failure: 'no_data' });
      return done({ value: { endpoints, canonicalName: name } });
    },
  );
}

/** Names for an address and a port; numbers in text where there is none. As `lookup`. */
export function lookupNames(
  address: IpAddress,
  port: number,
  transport: Transport,
  done: (result: Resolved<Names>) => void,
): () => void {
  if (!nativeAvailable()) return nodeLookupNames(address, port, done);
  return ask(
    (id) => getnameinfo(id, packEndpoint(address, port), transport === 'udp' ? NI_DGRAM : 0),
    ({ status, name = '', service = '' }) =>
      done(status === 0 ? { value: { host: name, service } } : { failure: failureOf(status) }),
  );
}
