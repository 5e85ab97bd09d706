/**
 * Giving up rights one by one, in all threads of the process: native/confine.c. Capabilities are bits of numbers up to 63,
 * Landlock's accesses bits of names. All throw SysError.
 */
import { ok } from './errno.ts';
import { type Fd, native } from './native.ts';

export interface CapabilitySets {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

const HALF = 32n;

/** 0 is the caller. ESRCH. capget(2) */
export function capget(pid: number): CapabilitySets {
  const words = new Uint32Array(6);
  ok('capget', native().capget(pid, words));
  const at = (i: number): bigint => BigInt(words[i]!) | (BigInt(words[i + 3]!) << HALF);
  return { effective: at(0), permitted: at(1), inheritable: at(2) };
}

/** EPERM. capset(2) */
export function capset({ effective, permitted, inheritable }: CapabilitySets): void {
  const sets = [effective, permitted, inheritable];
  const low = sets.map((set) => Number(BigInt.asUintN(32, set)));
  const high = sets.map((set) => Number(BigInt.asUintN(32, set >> HALF)));
  ok('capset', native().capset(Uint32Array.from([...low, ...high])));
}

const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const AMBIENT_IS_SET = 1;
const AMBIENT_RAISE = 2;
const AMBIENT_LOWER = 3;
const AMBIENT_CLEAR_ALL = 4;

/** Of the bounding set. EINVAL: the kernel has no such capability. PR_CAPBSET_READ(2const) */
export function isBounding(capability: number): boolean {
  return ok('prctl', native().prctl_get(PR_CAPBSET_READ, capability, 0)) === 1;
}

/** EPERM, EINVAL. PR_CAPBSET_DROP(2const) */
export function dropBounding(capability: number): void {
  ok('prctl', native().prctl_all(PR_CAPBSET_DROP, capability, 0));
}

/** PR_CAP_AMBIENT(2const) */
export function isAmbient(capability: number): boolean {
  return ok('prctl', native().prctl_get(PR_CAP_AMBIENT, AMBIENT_IS_SET, capability)) === 1;
}

/** EPERM: it is not permitted and inheritable. PR_CAP_AMBIENT(2const) */
export function setAmbient(capability: number, on: boolean): void {
  ok('prctl', native().prctl_all(PR_CAP_AMBIENT, on ? AMBIENT_RAISE : AMBIENT_LOWER, capability));
}

/** PR_CAP_AMBIENT(2const) */
export function clearAmbient(): void {
  ok('prctl', native().prctl_all(PR_CAP_AMBIENT, AMBIENT_CLEAR_ALL, 0));
}

/** PR_GET_SECUREBITS(2const) */
export function getSecurebits(): number {
  return ok('prctl', native().prctl_get(PR_GET_SECUREBITS, 0, 0));
}

/** EPERM. PR_SET_SECUREBITS(2const) */
export function setSecurebits(bits: number): void {
  ok('prctl', native().prctl_all(PR_SET_SECUREBITS, bits, 0));
}

/** PR_SET_NO_NEW_PRIVS(2const) */
export function setNoNewPrivs(): void {
  ok('prctl', native().prctl_all(PR_SET_NO_NEW_PRIVS, 1, 0));
}

/** Of files. landlock(7) */
export const LANDLOCK_ACCESS_FS: Readonly<Record<string, number>> = bitsOf([
  ...['execute', 'write_file', 'read_file', 'read_dir', 'remove_dir', 'remove_file', 'make_char'],
  ...['make_dir', 'make_reg', 'make_sock', 'make_fifo', 'make_block', 'make_sym', 'refer'],
  ...['truncate', 'ioctl_dev'],
]);
export const LANDLOCK_ACCESS_NET: Readonly<Record<string, number>> = bitsOf([
  'bind_tcp',
  'connect_tcp',
]);
export const LANDLOCK_SCOPES: Readonly<Record<string, number>> = bitsOf([
  'abstract_unix_socket',
  'signal',
]);
export const LANDLOCK_CREATE_FLAGS: Readonly<Record<string, number>> = bitsOf([
  'version',
  'errata',
]);
export const RULE_PATH_BENEATH = 1;
export const RULE_NET_PORT = 2;

function bitsOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, 1 << i]));
}

/** ENOSYS, EOPNOTSUPP: the kernel has none; EINVAL: or doesn't know an access; ENOMSG: none is named. */
export function landlockCreateRuleset(files: number, net: number, scopes: number): Fd {
  return ok('landlock_create_ruleset', native().landlock_create_ruleset(files, net, scopes, 0));
}

/** What the kernel has. @param flags  LANDLOCK_CREATE_FLAGS */
export function landlockQuery(flags: number): number {
  return ok('landlock_create_ruleset', native().landlock_create_ruleset(0, 0, 0, flags));
}

/** @param what  a descriptor for RULE_PATH_BENEATH, a port for RULE_NET_PORT. EINVAL, ENOMSG, EBADFD … */
export function landlockAddRule(ruleset: Fd, type: number, access: number, what: number): void {
  ok('landlock_add_rule', native().landlock_add_rule(ruleset, type, access, what));
}

/** EPERM: only after no_new_privs; E2BIG. landlock_restrict_self(2) */
export function landlockRestrictSelf(ruleset: Fd): void {
  ok('landlock_restrict_self', native().landlock_restrict_self(ruleset));
}
