/**
 * Happy Eyeballs, RFC 8305 §5: attempts to connect that overlap. The next one starts when the last
 * has failed, or has taken too long; the first to connect wins, and the others are closed.
 */
import type { Family } from './address.ts';
import { backend } from './backend.ts';
import type { IpEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import { Operation, PENDING } from './operation.ts';
import { startTimer } from './timer.ts';
import type { TcpSocket } from './transport.ts';

export interface Winner {
  readonly socket: TcpSocket;
  /** which of the endpoints */
  readonly index: number;
}

/**
 * @param endpoints  at least one, in the order in which to try them
 * @param delay      milliseconds until the next attempt starts beside the ones that are still on
 * @param done       the winner, or the -errno of the attempt that failed last; never called before
 *                   this returns
 * @returns cancel: closes all attempts; afterwards `done` isn't called
 */
export function raceToConnect(
  group: IoGroup,
  endpoints: readonly IpEndpoint[],
  delay: number,
  done: (result: Winner | number) => void,
): () => void {
  const attempts = new Map<TcpSocket, Operation>();
  let started = 0;
  let over = false;
  let stopTimer = (): void => {};

  const end = (result: Winner | number): void => {
    stop(typeof result === 'number' ? undefined : result.socket);
    done(result);
  };
  const stop = (winner?: TcpSocket): void => {
    over = true;
    stopTimer();
    for (const socket of attempts.keys()) if (socket !== winner) socket.close();
    attempts.clear();
  };
  const settle = (socket: TcpSocket, index: number, result: number): void => {
    if (over) return;
    attempts.delete(socket);
    if (result === 0) return end({ socket, index });
    socket.close();
    if (started < endpoints.length) return startNext();
    if (attempts.size === 0) end(result);
  };
  const startNext = (): void => {
    stopTimer();
    const index = started++;
    const { address, port } = endpoints[index]!;
    const socket = backend().tcpSocket(group);
    const op = new Operation((result) => settle(socket, index, result));
    attempts.set(socket, op);
    stopTimer = started < endpoints.length ? startTimer(delay, startNext) : () => {};
    const result = socket.connect(op, address, port);
    if (result !== PENDING) setImmediate(settle, socket, index, result);
  };
  startNext();
  return () => {
    if (!over) stop();
  };
}

/**
 * The order of RFC 8305 §4: the families in turn, beginning with that of the first address.
 * @returns indexes
 */
export function alternateFamilies(families: readonly Family[]): number[] {
  const indexes = families.map((_, i) => i);
  const first = indexes.filter((i) => families[i] === families[0]);
  const others = indexes.filter((i) => families[i] !== families[0]);
  const order: number[] = [];
  for (let i = 0; order.length < indexes.length; i++) {
    if (i < first.length) order.push(first[i]!);
    if (i < others.length) order.push(others[i]!);
  }
  return order;
}
