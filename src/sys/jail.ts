/** Jails, of FreeBSD: native/freebsd.c. Has been compiled and never run there. What the bytes are: io/jail.ts. */
import { okFreeBsd } from './errno.ts';
import { freebsd } from './native.ts';

export const JAIL_CREATE = 1;
export const JAIL_UPDATE = 2;
export const JAIL_ATTACH = 4;
export const JAIL_DYING = 8;

/** What a parameter takes, as libjail has found out. */
export interface ParameterKind {
  /** CTLTYPE_ of <sys/sysctl.h> */
  readonly type: number;
  /** of type CTLTYPE_STRUCT: 1 struct in_addr, 2 struct in6_addr, 0 another */
  readonly structure: number;
  /** JP_ of <jail.h> */
  readonly flags: number;
  /** bytes of a value; 0 where there are several */
  readonly size: number;
  /** bytes of each where there are several, else 0 */
  readonly element: number;
}

export const CTLTYPE_INT = 2;
export const CTLTYPE_STRING = 3;
export const CTLTYPE_S64 = 4;
export const CTLTYPE_STRUCT = 5;
export const CTLTYPE_UINT = 6;
export const CTLTYPE_LONG = 7;
export const CTLTYPE_ULONG = 8;
export const CTLTYPE_U64 = 9;
export const JP_BOOL = 2;
export const JP_NOBOOL = 4;
export const JP_JAILSYS = 8;

/** ENOENT: there is no such parameter. jail(3), jailparam_init */
export function jailParameter(name: string): ParameterKind {
  const kind = new Int32Array(5);
  okFreeBsd('jailparam_init', freebsd().jail_parameter(name, kind));
  const [type, structure, flags, size, element] = kind as unknown as readonly number[];
  return { type: type!, structure: structure!, flags: flags!, size: size!, element: element! };
}

/** jail(3), jailparam_all */
export function jailParameters(): string[] {
  const names = freebsd().jail_parameters();
  if (typeof names === 'number') okFreeBsd('jailparam_all', names);
  return names as string[];
}

/** @returns a jid, or -errno of FreeBSD's; `parts` has the lengths that the kernel gave. jail_set(2) */
export function jailSet(bytes: Uint8Array, parts: Int32Array, flags: number): number {
  return freebsd().jail_set(bytes, parts, flags);
}

/** As `jailSet`. jail_get(2) */
export function jailGet(bytes: Uint8Array, parts: Int32Array, flags: number): number {
  return freebsd().jail_get(bytes, parts, flags);
}

/** EPERM, EINVAL. jail_remove(2) */
export function jailRemove(jid: number): void {
  okFreeBsd('jail_remove', freebsd().jail_remove(jid));
}
