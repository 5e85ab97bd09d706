/** Resource limits: getrlimit(2). */
import { ok } from './errno.ts';
import { native } from './native.ts';

export const RLIMIT_NOFILE = 7;
export const RLIMIT_STACK = 3;

/** All of them, by the names of ulimit(1) and systemd. */
export const RLIMITS: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: RLIMIT_STACK,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: RLIMIT_NOFILE,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

export interface Limits {
  /** what is enforced; Infinity for none */
  readonly soft: number;
  /** how far an unprivileged process may raise it */
  readonly hard: number;
}

/** @throws SysError  EINVAL */
export function getLimits(resource: number): Limits {
  const limits = new Float64Array(2);
  ok('getrlimit', native().getrlimit(resource, limits));
  return { soft: limits[0]!, hard: limits[1]! };
}

/** @throws SysError  EINVAL (soft above hard), EPERM */
export function setLimits(resource: number, limits: Limits): void {
  ok('setrlimit', native().setrlimit(resource, new Float64Array([limits.soft, limits.hard])));
}
