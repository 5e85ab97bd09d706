/** What connects or listens by name: `dial`, `listen`, and `ip.connect`, which tries endpoints. */
import { Address } from '../../actors/ip-objects.ts';
import { currentVm } from '../../actors/vm.ts';
import { suspend } from '../../fibers/suspend.ts';
import type { Transport } from '../../io/names.ts';
import { alternateFamilies, raceToConnect, type Winner } from '../../io/race.ts';
import { notFound } from '../../runtime/asio-error.ts';
import { call, drive } from '../../runtime/call.ts';
import { requireString } from '../../runtime/check.ts';
import { type LuaError, toLuaError } from '../../runtime/error.ts';
import { badArgument, codeError, systemError } from '../../runtime/error-code.ts';
import { index } from '../../runtime/ops.ts';
import { LuaTable, rawGetString } from '../../runtime/table.ts';
import { first, isTrue, type LuaValue, type Result } from '../../runtime/value.ts';
import { AI_ADDRCONFIG, AI_PASSIVE } from '../../sys/resolver.ts';
import { SOMAXCONN } from '../../sys/socket.ts';
import { parsePort, splitEndpoint } from './endpoint.ts';
import { type Endpoint, resolve } from './resolve.ts';
import { Acceptor, Socket } from './tcp.ts';
import { UdpSocketObject } from './udp.ts';

function* resolveText(
  text: string,
  transport: Transport,
  flags: number,
): Generator<Result, readonly Endpoint[], Result> {
  const { host, service: serviceText } = splitEndpoint(text);
  const service = parsePort(serviceText) ?? serviceText;
  const { endpoints } = yield* resolve({ host, service, family: 0, transport, flags });
  if (endpoints.length === 0) throw notFound();
  return endpoints;
}

// ── overlapping attempts ───────────────────────────────────────────────────────────────────────────

/** `attempt_delay` in a table of options, in ms; undefined: one attempt after the other. */
function attemptDelay(options: LuaValue, position: number): number | undefined {
  if (options === undefined) return undefined;
  if (!(options instanceof LuaTable)) throw badArgument(position);
  const seconds = rawGetString(options, 'attempt_delay');
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'number' || !(seconds >= 0)) throw badArgument(position);
  return seconds * 1000;
}

/** Suspend until the first of several attempts has connected. */
function race(endpoints: readonly Endpoint[], delay: number): Result {
  const group = currentVm().io;
  return suspend((waiter) =>
    raceToConnect(
      group,
      endpoints.map(({ address, port }) => ({ address: address.ip, port })),
      delay,
      (result) => {
        if (typeof result === 'number') waiter.fail(systemError(-result));
        else waiter.wake(result as never); // an object of ours passes through as it is
      },
    ),
  );
}

function inTurn(endpoints: readonly Endpoint[]): Endpoint[] {
  return alternateFamilies(endpoints.map(({ address }) => address.ip.family)).map(
    (i) => endpoints[i]!,
  );
}

// ── dial, listen ───────────────────────────────────────────────────────────────────────────────────

/** `dial`: the first endpoint that accepts. */
function dial(
  transport: Transport,
  create: () => Socket | UdpSocketObject,
): (ep: LuaValue, options: LuaValue) => Result {
  return (ep, options) => {
    const text = requireString(ep, 1, 'dial');
    const delay = transport === 'tcp' ? attemptDelay(options, 2) : undefined;
    return drive(
      (function* () {
        const endpoints = yield* resolveText(text, transport, AI_ADDRCONFIG);
        if (delay !== undefined) {
          const winner: Result = yield race(inTurn(endpoints), delay);
          return new Socket((winner as unknown as Winner).socket);
        }
        let last: LuaError | undefined;
        for (const { address, port } of endpoints) {
          const socket = create();
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
  };
}

export const dialTcp = dial('tcp', () => new Socket());
export const dialUdp = dial('udp', () => new UdpSocketObject());

/** `ip.tcp.listen`: open, address reuse, bind and listen. */
export function listen(ep: LuaValue): Result {
  const text = requireString(ep, 1, 'listen');
  return drive(
    (function* () {
      const [{ address, port }] = (yield* resolveText(text, 'tcp', AI_PASSIVE)) as [Endpoint];
      const acceptor = new Acceptor();
      try {
        acceptor.io.open(address.ip.family);
        acceptor.io.setOption('reuse_address', 1);
        acceptor.io.bind(address.ip, port);
        acceptor.io.listen(SOMAXCONN);
      } catch (error) {
        acceptor.io.close();
        throw error;
      }
      return acceptor;
    })(),
  );
}

// ── ip.connect ─────────────────────────────────────────────────────────────────────────────────────

/** `ip.connect`, with anything that connects as a socket does. */
export function connect(
  sock: LuaValue,
  endpoints: LuaValue,
  condition: LuaValue,
  options: LuaValue,
): Result {
  if (!(endpoints instanceof LuaTable)) throw codeError('EINVAL');
  if (condition !== undefined && typeof condition !== 'function') throw codeError('EINVAL');
  const delay = attemptDelay(options, 4);
  if (delay === undefined) return drive(tryEach(sock, endpoints, condition));
  if (!(sock instanceof Socket)) throw badArgument(1);
  return drive(tryTogether(sock, endpoints, condition, delay));
}

function* tryEach(
  sock: LuaValue,
  endpoints: LuaTable,
  condition: LuaValue,
): Generator<Result, Result, Result> {
  let last: LuaError | undefined;
  for (let i = 1; ; i++) {
    const entry = first(yield index(endpoints, i));
    if (entry === undefined) break;
    const address = first(yield index(entry, 'address'));
    const port = first(yield index(entry, 'port'));
    if (condition !== undefined) {
      const wanted: Result = yield call(condition, last?.value, address, port);
      if (!isTrue(first(wanted))) continue;
    }
    try {
      const isOpen = first(yield index(sock, 'is_open'));
      if (isTrue(isOpen)) yield call(first(yield index(sock, 'close')), sock);
      yield call(first(yield index(sock, 'connect')), sock, address, port);
      return [address, port];
    } catch (error) {
      last = toLuaError(error);
    }
  }
  throw last ?? notFound();
}

/** With `attempt_delay`: the attempts overlap, so the condition is asked before all of them. */
function* tryTogether(
  sock: Socket,
  list: LuaTable,
  condition: LuaValue,
  delay: number,
): Generator<Result, Result, Result> {
  const wanted: Endpoint[] = [];
  for (let i = 1; ; i++) {
    const entry = first(yield index(list, i));
    if (entry === undefined) break;
    const address = first(yield index(entry, 'address'));
    const port = first(yield index(entry, 'port'));
    if (!(address instanceof Address) || typeof port !== 'number') throw badArgument(2);
    if (condition !== undefined) {
      const answer: Result = yield call(condition, undefined, address, port);
      if (!isTrue(first(answer))) continue;
    }
    wanted.push({ address, port: port & 0xffff });
  }
  if (wanted.length === 0) throw notFound();
  const endpoints = inTurn(wanted);
  sock.io.close();
  const winner: Result = yield race(endpoints, delay);
  const { socket, index: which } = winner as unknown as Winner;
  sock.io.close(); // opened meanwhile, by another fiber
  sock.io = socket;
  return [endpoints[which]!.address, endpoints[which]!.port];
}
