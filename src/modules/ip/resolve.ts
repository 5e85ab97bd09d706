/** Name resolution: `get_address_info` and its relatives, `get_name_info`. */
import { Address } from '../../actors/ip-objects.ts';
import { currentVm } from '../../actors/vm.ts';
import { suspend, suspensionPoint } from '../../fibers/suspend.ts';
import { type Family, IpAddress } from '../../io/address.ts';
import type { Found, Names, Resolved, ResolveFailure, Transport } from '../../io/names.ts';
import { lookup, lookupNames } from '../../io/resolver.ts';
import { ADDRINFO, addrinfoCategory, NETDB, netdbCategory } from '../../runtime/asio-error.ts';
import { drive } from '../../runtime/call.ts';
import { checkInteger } from '../../runtime/check.ts';
import type { LuaError } from '../../runtime/error.ts';
import { badArgument, categoryError, systemError } from '../../runtime/error-code.ts';
import { arrayOf, tableOf } from '../../runtime/table.ts';
import type { LuaValue, Result } from '../../runtime/value.ts';
import {
  AI_ADDRCONFIG,
  AI_CANONNAME,
  AI_NUMERICHOST,
  AI_NUMERICSERV,
  AI_PASSIVE,
  AI_V4MAPPED,
} from '../../sys/resolver.ts';
import { addressOfText, checkAddress } from './address.ts';
import { ADDRESS_INFO_FLAGS, readFlags } from './flags.ts';

function failureError(failure: ResolveFailure): LuaError {
  if (typeof failure === 'number') return systemError(failure);
  const netdb = NETDB.find(([name]) => name === failure);
  if (netdb !== undefined) return categoryError(netdbCategory, netdb[1]);
  return categoryError(addrinfoCategory, ADDRINFO.find(([name]) => name === failure)![1]);
}

/** Suspend until a look-up is done. `make` turns its value into Lua's; it runs outside of the fiber. */
function awaitLookup<T>(
  start: (done: (result: Resolved<T>) => void) => () => void,
  make: (value: T) => LuaValue,
): Result {
  const group = currentVm().io;
  return suspend((waiter) => {
    const cancel = start((result) => {
      group.delete(lookup);
      if ('value' in result) waiter.wake(make(result.value));
      else waiter.fail(failureError(result.failure));
    });
    const lookup = {
      close() {
        group.delete(lookup);
        cancel();
      },
    };
    group.add(lookup);
    return lookup.close;
  });
}

// ── endpoints ──────────────────────────────────────────────────────────────────────────────────────

export interface Question {
  readonly host: string | Address;
  readonly service: string | number;
  /** 0: both */
  readonly family: Family | 0;
  readonly transport: Transport;
  /** AI_ */
  readonly flags: number;
}

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

export interface Endpoints {
  readonly endpoints: readonly Endpoint[];
  readonly canonicalName: string;
}

/** What a question asks for. Numbers in text need no look-up, and suspend nothing. */
export function* resolve(question: Question): Generator<Result, Endpoints, Result> {
  const { host, service, family, transport } = question;
  if (host === '' && service === '') throw failureError('host_not_found');
  const hostText = String(host);
  const port = typeof service === 'number' ? service & 0xffff : plainPort(service);
  if (port !== undefined) {
    const addresses = numericHost(host, family, question.flags);
    if (addresses !== undefined) {
      return {
        endpoints: addresses.map((address) => ({ address, port })),
        canonicalName: hostText,
      };
    }
  }
  let { flags } = question;
  if (typeof host !== 'string') flags |= AI_NUMERICHOST;
  if (typeof service === 'number') flags |= AI_NUMERICSERV;
  const query = { host: hostText, service: String(port ?? service), family, transport, flags };
  const found: Result = yield awaitLookup<Found>(
    (done) => lookup(query, done),
    // a raw result must not be an array, and an object of ours passes through as it is
    (value) => value as never,
  );
  const { endpoints, canonicalName = hostText } = found as unknown as Found;
  return {
    endpoints: endpoints.map(({ address, port }) => ({ address: new Address(address), port })),
    canonicalName,
  };
}

/** undefined for what only the resolver can read. No service is port 0. */
function plainPort(text: string): number | undefined {
  if (text === '') return 0;
  const plain = /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 0xffff;
  return plain ? Number(text) : undefined;
}

/** @returns undefined: it is a name */
function numericHost(
  host: string | Address,
  family: Family | 0,
  flags: number,
): Address[] | undefined {
  if (host === '') return unnamedHost(family, (flags & AI_PASSIVE) !== 0);
  const address = typeof host === 'string' ? addressOfText(host) : host;
  if (address === undefined) return undefined;
  if (family === 0 || address.ip.family === family) return [new Address(address.ip.clone())];
  if (family === 6 && (flags & AI_V4MAPPED) !== 0) return [address.toV6()];
  throw failureError('host_not_found');
}

/** getaddrinfo(3) without a node: the loopback address, or the wildcard for binding. */
function unnamedHost(family: Family | 0, passive: boolean): Address[] {
  const bytes6 = new Uint8Array(16);
  if (!passive) bytes6[15] = 1;
  const v6 = new Address(new IpAddress(bytes6));
  const v4 = new Address(new IpAddress(Uint8Array.from(passive ? [0, 0, 0, 0] : [127, 0, 0, 1])));
  if (family !== 0) return family === 4 ? [v4] : [v6];
  return passive ? [v4, v6] : [v6, v4];
}

// ── get_address_info, get_name_info ────────────────────────────────────────────────────────────────

/** `get_address_info` and its relatives for one family. */
function addressInfo(transport: Transport, family: Family | 0, defaultFlags: number) {
  return (host: LuaValue, service: LuaValue, flagsArg: LuaValue): Result => {
    if (typeof host !== 'string' && !(host instanceof Address)) throw badArgument(1);
    if (typeof service !== 'string' && typeof service !== 'number') throw badArgument(2);
    const flags =
      flagsArg === undefined ? defaultFlags : readFlags(flagsArg, ADDRESS_INFO_FLAGS, 3);
    if (flags === undefined) throw badArgument(3);
    suspensionPoint(); // whether or not there is something to look up
    return drive(
      (function* () {
        const found = yield* resolve({ host, service, family, transport, flags });
        const canonical = (flags & AI_CANONNAME) !== 0 ? found.canonicalName : undefined;
        return arrayOf(
          found.endpoints.map(({ address, port }) =>
            tableOf({ address, port, canonical_name: canonical }),
          ),
        );
      })(),
    );
  };
}

function nameInfo(transport: Transport) {
  return (address: LuaValue, portArg: LuaValue): Result => {
    const ip = checkAddress(address, 1);
    const port = checkInteger(portArg, 2, 'get_name_info') & 0xffff;
    return awaitLookup<Names>(
      (done) => lookupNames(ip, port, transport, done),
      ({ host, service }) => arrayOf([tableOf({ host_name: host, service_name: service })]),
    );
  };
}

export function resolution(transport: Transport) {
  return {
    get_address_info: addressInfo(transport, 0, AI_ADDRCONFIG | AI_V4MAPPED),
    get_address_v4_info: addressInfo(transport, 4, 0),
    get_address_v6_info: addressInfo(transport, 6, AI_V4MAPPED),
    get_name_info: nameInfo(transport),
  };
}
