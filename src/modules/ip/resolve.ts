/** Name resolution, and what connects or listens by name: `get_address_info`, `dial`, `listen`. */
import { suspend } from '../../fibers/suspend.ts';
import { type Family, IpAddress } from '../../io/address.ts';
import {
  AI_ADDRCONFIG,
  AI_CANONNAME,
  AI_PASSIVE,
  AI_V4MAPPED,
  type HostNames,
  lookupHost,
  lookupNames,
  lookupPort,
  type Resolved,
  type ResolveFailure,
} from '../../io/resolver.ts';
import {
  ADDRINFO,
  addrinfoCategory,
  NETDB,
  netdbCategory,
  notFound,
} from '../../runtime/asio-error.ts';
import { drive } from '../../runtime/call.ts';
import { checkInteger, checkString } from '../../runtime/check.ts';
import { type LuaError, toLuaError } from '../../runtime/error.ts';
import { badArgument, categoryError, systemError } from '../../runtime/error-code.ts';
import { arrayOf, tableOf } from '../../runtime/table.ts';
import { first, type LuaValue, type Result } from '../../runtime/value.ts';
import { SOMAXCONN } from '../../sys/socket.ts';
import { Address, addressOfText, checkAddress } from './address.ts';
import { parsePort, splitEndpoint } from './endpoint.ts';
import { ADDRESS_INFO_FLAGS, readFlags } from './flags.ts';
import { Acceptor, Socket } from './tcp.ts';

export type Protocol = 'tcp' | 'udp';

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
  return suspend((waiter) =>
    start((result) => {
      if ('value' in result) waiter.wake(make(result.value));
      else waiter.fail(failureError(result.failure));
    }),
  );
}

/** Carries a list of ours through a suspension: a raw result must not be an array. */
interface Found {
  readonly addresses: Address[];
}

/** The addresses of a host. */
function* resolveHost(
  host: string,
  family: Family | 0,
  flags: number,
): Generator<Result, Address[], Result> {
  if (host === '') return unnamedHost(family, (flags & AI_PASSIVE) !== 0);
  const numeric = addressOfText(host);
  if (numeric !== undefined) return ofFamily(numeric, family, flags);
  const found: Result = yield awaitLookup<IpAddress[]>(
    (done) => lookupHost(host, family, flags, done),
    (ips) => ({ addresses: ips.map((ip) => new Address(ip)) }) satisfies Found as never,
  );
  return (found as Found).addresses;
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

function ofFamily(address: Address, family: Family | 0, flags: number): Address[] {
  if (family === 0 || address.ip.family === family) return [address];
  if (family === 6 && (flags & AI_V4MAPPED) !== 0) {
    const bytes = new Uint8Array(16);
    bytes.fill(0xff, 10, 12);
    bytes.set(address.ip.bytes, 12);
    return [new Address(new IpAddress(bytes))];
  }
  throw failureError('host_not_found');
}

function* resolveService(service: string, protocol: Protocol): Generator<Result, number, Result> {
  const port = parsePort(service);
  if (port !== undefined) return port;
  return first(
    yield awaitLookup<number>(
      (done) => lookupPort(service, protocol, done),
      (n) => n,
    ),
  ) as number;
}

// ── get_address_info, get_name_info ────────────────────────────────────────────────────────────────

/** `get_address_info` and its relatives for one family. */
function addressInfo(protocol: Protocol, family: Family | 0, defaultFlags: number) {
  return (host: LuaValue, service: LuaValue, flagsArg: LuaValue): Result => {
    if (typeof host !== 'string' && !(host instanceof Address)) throw badArgument(1);
    if (typeof service !== 'string' && typeof service !== 'number') throw badArgument(2);
    const flags =
      flagsArg === undefined ? defaultFlags : readFlags(flagsArg, ADDRESS_INFO_FLAGS, 3);
    if (flags === undefined) throw badArgument(3);
    return drive(
      (function* () {
        const port =
          typeof service === 'number' ? service & 0xffff : yield* resolveService(service, protocol);
        const addresses =
          typeof host === 'string'
            ? yield* resolveHost(host, family, flags)
            : ofFamily(host, family, flags);
        const canonical = (flags & AI_CANONNAME) !== 0 ? String(host) : undefined;
        return arrayOf(
          addresses.map((address) => tableOf({ address, port, canonical_name: canonical })),
        );
      })(),
    );
  };
}

function nameInfo(address: LuaValue, portArg: LuaValue): Result {
  const ip = checkAddress(address, 1);
  const port = checkInteger(portArg, 2, 'get_name_info') & 0xffff;
  return awaitLookup<HostNames>(
    (done) => lookupNames(ip, port, done),
    ({ host, service }) => arrayOf([tableOf({ host_name: host, service_name: service })]),
  );
}

export function resolution(protocol: Protocol) {
  return {
    get_address_info: addressInfo(protocol, 0, AI_ADDRCONFIG | AI_V4MAPPED),
    get_address_v4_info: addressInfo(protocol, 4, 0),
    get_address_v6_info: addressInfo(protocol, 6, AI_V4MAPPED),
    get_name_info: nameInfo,
  };
}

// ── dial, listen ───────────────────────────────────────────────────────────────────────────────────

function* resolveEndpoint(
  text: string,
  flags: number,
): Generator<Result, { addresses: Address[]; port: number }, Result> {
  const { host, service } = splitEndpoint(text);
  const port = yield* resolveService(service, 'tcp');
  const addresses = yield* resolveHost(host, 0, flags);
  if (addresses.length === 0) throw notFound();
  return { addresses, port };
}

/** `ip.tcp.dial`: the first endpoint that accepts. */
export function dial(ep: LuaValue): Result {
  const text = checkString(ep, 1, 'dial');
  return drive(
    (function* () {
      const { addresses, port } = yield* resolveEndpoint(text, AI_ADDRCONFIG);
      let last: LuaError | undefined;
      for (const address of addresses) {
        const socket = new Socket();
        try {
          yield socket.connect(address, port);
          return socket;
        } catch (error) {
          socket.io.close();
          last = toLuaError(error);
        }
      }
      throw last;
    })(),
  );
}

/** `ip.tcp.listen`: open, address reuse, bind and listen. */
export function listen(ep: LuaValue): Result {
  const text = checkString(ep, 1, 'listen');
  return drive(
    (function* () {
      const { addresses, port } = yield* resolveEndpoint(text, AI_PASSIVE);
      const acceptor = new Acceptor();
      const { ip } = addresses[0]!;
      try {
        acceptor.io.open(ip.family);
        acceptor.io.setOption('reuse_address', 1);
        acceptor.io.bind(ip, port);
        acceptor.io.listen(SOMAXCONN);
      } catch (error) {
        acceptor.io.close();
        throw error;
      }
      return acceptor;
    })(),
  );
}
