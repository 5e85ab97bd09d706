/** Fault injection, for tests: native/fault.c. The calls meant are those of this thread only. */
import { ok } from './errno.ts';
import { native } from './native.ts';

export interface Fault {
  /** what the call fails with (> 0); left out or 0, it is only shortened */
  readonly errno?: number;
  /** most bytes that the call transfers */
  readonly limit?: number;
  /** calls that go through unharmed first */
  readonly skip?: number;
  /** calls that are hit after those; 1 when left out */
  readonly times?: number;
}

/**
 * Make coming calls of `call` (its C name: 'read', 'accept4' …) fail or transfer less. An injected
 * EAGAIN is followed by a readiness event, as a real one is. A second fault replaces the first.
 * @returns how many calls that one would have hit yet
 * @throws SysError  EINVAL: there is no hook in that call
 */
export function injectFault(call: string, fault: Fault): number {
  const { errno = 0, limit = -1, skip = 0, times = 1 } = fault;
  return ok('inject_fault', native().inject_fault(call, errno, limit, skip, times));
}

/**
 * Forget the fault of `call`.
 * @returns how many calls it would have hit yet
 */
export function clearFault(call: string): number {
  return injectFault(call, { times: 0 });
}

/**
 * Make look-ups of the whole process ask the name server at 127.0.0.1:port and no other, until it
 * ends.
 */
export function useNameServer(port: number): void {
  native().inject_name_server(port);
}
