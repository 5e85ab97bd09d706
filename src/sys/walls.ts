/** What a process gives up for good. No way leads back, and children inherit it. */
import { EPERM, ok } from './errno.ts';
import { native } from './native.ts';

/** No program that it executes gets privileges by its file. prctl(2) */
export function setNoNewPrivs(): void {
  ok('prctl', native().set_no_new_privs());
}

/** @param filter  an array of struct sock_filter. EINVAL, EACCES (needs no_new_privs), EBUSY: a thread has
 *                another one. seccomp(2) */
export function seccompSetModeFilter(filter: Uint8Array): void {
  ok('seccomp', native().seccomp_set_mode_filter(filter, filter.length));
}

/** Whether the kernel filters system calls. */
export function seccompAvailable(): boolean {
  return native().seccomp_available() === 0;
}

/** The version of Landlock's interface; 0: there is none. landlock(7) */
export function landlockAbi(): number {
  return Math.max(native().landlock_abi(), 0);
}

/** @param files, net, scoped  kinds of access to refuse, as bits; 0 for what the kernel doesn't know */
export function landlockRestrictAll(files: number, net: number, scoped: number): void {
  ok('landlock_restrict_self', native().landlock_restrict_all(files, net, scoped));
}

/** All sets, the bounding set included. capabilities(7) */
export function dropCapabilities(): void {
  ok('capset', native().drop_capabilities());
}

/** / becomes an empty directory. Needs a mount namespace of its own. pivot_root(2). EPERM */
export function emptyRoot(): void {
  ok('pivot_root', native().empty_root());
}

/** No terminal, and no group of processes that others are in. Who has led a group before goes on leading that. setsid(2) */
export function newSession(): void {
  const result = native().new_session();
  if (result !== -EPERM) ok('setsid', result);
}
