/** io/resolver.ts where the addon doesn't load: node:dns, which is getaddrinfo(3) on libuv's threads. */
import type { LookupAddress } from 'node:dns';
import { AI_ADDRCONFIG, AI_ALL, AI_PASSIVE, AI_V4MAPPED } from '../sys/resolver.ts';
import { formatAddress, type IpAddress, parseAddress } from './address.ts';
import type { Found, Names, Query, Resolved, ResolveFailure, Transport } from './names.ts';

/** Loaded when needed: most processes do without. */
const nodeDns = () => process.getBuiltinModule('node:dns');

const FAILURES: Readonly<Partial<Record<string, ResolveFailure>>> = {
  ENOTFOUND: 'host_not_found',
  EAI_NONAME: 'host_not_found',
  EAI_ADDRFAMILY: 'host_not_found',
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

/** Node has no look-up of services, so it is made of two. */
export function nodeLookup(query: Query, done: (result: Resolved<Found>) => void): () => void {
  let cancelled = false;
  const deliver = (result: Resolved<Found>): void => {
    if (!cancelled) done(result);
  };
  void findPort(query.service, query.transport).then((port) => {
    if (port === undefined) return deliver({ failure: 'service_not_found' });
    return lookupHost(query, (result) => {
      if ('failure' in result) return deliver(result);
      const endpoints = result.value.map((address) => ({ address, port }));
      return deliver({ value: { endpoints, canonicalName: undefined } });
    });
  });
  return () => {
    cancelled = true;
  };
}

function lookupHost(query: Query, done: (result: Resolved<IpAddress[]>) => void): void {
  const { host, family, flags } = query;
  if (host === '') {
    const passive = (flags & AI_PASSIVE) !== 0;
    const v4 = parseAddress(passive ? '0.0.0.0' : '127.0.0.1')!;
    const v6 = parseAddress(passive ? '::' : '::1')!;
    if (family !== 0) return done({ value: [family === 4 ? v4 : v6] });
    return done({ value: passive ? [v4, v6] : [v6, v4] });
  }
  const { lookup, V4MAPPED, ALL, ADDRCONFIG } = nodeDns();
  let hints = 0;
  if ((flags & AI_V4MAPPED) !== 0) hints |= V4MAPPED;
  if ((flags & AI_ALL) !== 0) hints |= ALL;
  if ((flags & AI_ADDRCONFIG) !== 0) hints |= ADDRCONFIG;
  const finish = (error: NodeJS.ErrnoException | null, found: LookupAddress[] = []): void => {
    if (error) return done({ failure: failureOf(error) });
    const addresses = found.map((a) => parseAddress(a.address)).filter((a) => a !== undefined);
    return done(addresses.length > 0 ? { value: addresses } : { failure: 'no_data' });
  };
  try {
    lookup(host, { all: true, family, hints, order: 'verbatim' }, finish);
  } catch {
    setImmediate(done, { failure: 'host_not_found' }); // Node refuses some texts itself
  }
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

/** The port of a service, by number, name or alias. services(5) */
async function findPort(service: string, transport: Transport): Promise<number | undefined> {
  if (/^[0-9]{1,5}$/.test(service)) return Number(service) & 0xffff;
  const { readFile } = process.getBuiltinModule('node:fs/promises');
  const text = await readFile('/etc/services', 'latin1').catch(() => '');
  for (const line of text.split('\n')) {
    const [name, where = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [port, protocol] = where.split('/');
    if (protocol === transport && (name === service || aliases.includes(service))) {
      return Number(port);
    }
  }
  return SERVICES[service];
}

export function nodeLookupNames(
  address: IpAddress,
  port: number,
  done: (result: Resolved<Names>) => void,
): () => void {
  let cancelled = false;
  nodeDns().lookupService(formatAddress(address), port, (error, host, service) => {
    if (cancelled) return;
    done(error ? { failure: failureOf(error) } : { value: { host, service } });
  });
  return () => {
    cancelled = true;
  };
}
