/** Resource limits: getrlimit(2). */
import { ok } from './errno.ts';
import { native } from './native.ts';

export const RLIMIT_NOFILE = 7;

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
