/**
 * Names of hosts and services: getaddrinfo(3) and getnameinfo(3) on libuv's thread pool. A look-up
 * that has begun can't be stopped; cancelling one means that nobody hears of its result.
 */
import { ADDRCONFIG, ALL, type LookupAddress, lookup, lookupService, V4MAPPED } from 'node:dns';
import { readFile } from 'node:fs';
import { type Family, formatAddress, type IpAddress, parseAddress } from './address.ts';

/** AI_ flags of netdb.h on Linux. */
export const AI_PASSIVE = 1;
export const AI_CANONNAME = 2;
export const AI_V4MAPPED = 8;
export const AI_ALL = 16;
export const AI_ADDRCONFIG = 32;

/** Why a look-up failed: h_errno's names, or an errno. */
export type ResolveFailure =
  | 'host_not_found'
  | 'host_not_found_try_again'
  | 'no_recovery'
  | 'no_data'
  | 'service_not_found'
  | number;

export type Resolved<T> = { readonly value: T } | { readonly failure: ResolveFailure };

const FAILURES: Readonly<Partial<Record<string, ResolveFailure>>> = {
  ENOTFOUND: 'host_not_found',
  EAI_NONAME: 'host_not_found',
  EAI_ADDRFAMILY: 'no_data',
  EAI_NODATA: 'no_data',
  ENODATA: 'no_data',
  EAI_AGAIN: 'host_not_found_try_again',
  EAI_FAIL: 'no_recovery',
  EAI_SERVICE: 'service_not_found',
};

const ENOMEM = 12;
const EIO = 5;

function failureOf(error: NodeJS.ErrnoException): ResolveFailure {
  if (error.code === 'ENOMEM' || error.code === 'EAI_MEMORY') return ENOMEM;
  return FAILURES[error.code ?? ''] ?? EIO;
}

/** @returns cancel, and `done` with a test of it around */
function once<T>(done: (r: Resolved<T>) => void): [() => void, (r: Resolved<T>) => void] {
  let cancelled = false;
  const cancel = (): void => {
    cancelled = true;
  };
  return [cancel, (r) => (cancelled ? undefined : done(r))];
}

/**
 * The addresses of a host, in the resolver's order.
 * @param host    a name; an address in text is taken as it is
 * @param family  0: both
 * @param flags   AI_V4MAPPED, AI_ALL, AI_ADDRCONFIG; others are the caller's business
 * @param done    never called before this returns
 * @returns cancel: afterwards `done` isn't called
 */
export function lookupHost(
  host: string,
  family: Family | 0,
  flags: number,
  done: (result: Resolved<IpAddress[]>) => void,
): () => void {
  const [cancel, deliver] = once(done);
  let hints = 0;
  if ((flags & AI_V4MAPPED) !== 0) hints |= V4MAPPED;
  if ((flags & AI_ALL) !== 0) hints |= ALL;
  if ((flags & AI_ADDRCONFIG) !== 0) hints |= ADDRCONFIG;
  const finish = (error: NodeJS.ErrnoException | null, found: LookupAddress[] = []): void => {
    if (error) return deliver({ failure: failureOf(error) });
    const addresses = found.map((a) => parseAddress(a.address)).filter((a) => a !== undefined);
    return deliver(addresses.length > 0 ? { value: addresses } : { failure: 'no_data' });
  };
  try {
    lookup(host, { all: true, family, hints, order: 'verbatim' }, finish);
  } catch {
    // Node refuses some texts itself
    setImmediate(() => deliver({ failure: 'host_not_found' }));
  }
  return cancel;
}

/** Well-known ones, for systems without /etc/services. */
const SERVICES: Readonly<Partial<Record<string, number>>> = {
  __proto__: null as never,
  domain: 53,
  ftp: 21,
  http: 80,
  https: 443,
  smtp: 25,
  ssh: 22,
  telnet: 23,
};

/** The port of a service, by name or alias. services(5) */
export function lookupPort(
  service: string,
  protocol: 'tcp' | 'udp',
  done: (result: Resolved<number>) => void,
): () => void {
  const [cancel, deliver] = once(done);
  readFile('/etc/services', 'latin1', (_error, text) => {
    const port = findService(text ?? '', service, protocol) ?? SERVICES[service];
    deliver(port === undefined ? { failure: 'service_not_found' } : { value: port });
  });
  return cancel;
}

function findService(text: string, service: string, protocol: string): number | undefined {
  for (const line of text.split('\n')) {
    const [name, where = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [port, lineProtocol] = where.split('/');
    if (lineProtocol === protocol && (name === service || aliases.includes(service))) {
      return Number(port);
    }
  }
  return undefined;
}

export interface HostNames {
  readonly host: string;
  readonly service: string;
}

/** Names for an address and a port; numbers in text where there is none. */
export function lookupNames(
  address: IpAddress,
  port: number,
  done: (result: Resolved<HostNames>) => void,
): () => void {
  const [cancel, deliver] = once(done);
  lookupService(formatAddress(address), port, (error, host, service) => {
    deliver(error ? { failure: failureOf(error) } : { value: { host, service } });
  });
  return cancel;
}
