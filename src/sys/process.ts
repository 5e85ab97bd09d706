/** Who the process is: credentials(7). Ids are unsigned 32-bit numbers. */
import { ok } from './errno.ts';
import { native } from './native.ts';

/** Real, effective and saved. */
export type ThreeIds = readonly [real: number, effective: number, saved: number];

/** getresuid(2) */
export function getresuid(): ThreeIds {
  const ids = new Uint32Array(3);
  ok('getresuid', native().getresuid(ids));
  return [ids[0]!, ids[1]!, ids[2]!];
}

/** getresgid(2) */
export function getresgid(): ThreeIds {
  const ids = new Uint32Array(3);
  ok('getresgid', native().getresgid(ids));
  return [ids[0]!, ids[1]!, ids[2]!];
}

/** -1 keeps one; for all threads. EPERM, EINVAL. setresuid(2) */
export function setresuid(...ids: ThreeIds): void {
  ok('setresuid', native().setresuid(Uint32Array.from(ids)));
}

/** -1 keeps one; for all threads. EPERM, EINVAL. setresgid(2) */
export function setresgid(...ids: ThreeIds): void {
  ok('setresgid', native().setresgid(Uint32Array.from(ids)));
}

/** The supplementary groups. getgroups(2) */
export function getgroups(): number[] {
  const ids = new Uint32Array(ok('getgroups', native().getgroups(new Uint32Array(0))));
  return [...ids.subarray(0, ok('getgroups', native().getgroups(ids)))];
}

/** For all threads. EPERM, EINVAL: too many. setgroups(2) */
export function setgroups(groups: readonly number[]): void {
  ok('setgroups', native().setgroups(Uint32Array.from(groups)));
}

/** 0 is the caller. ESRCH. getpgid(2) */
export function getpgid(pid: number): number {
  return ok('getpgid', native().getpgid(pid));
}

/** EACCES, EPERM, ESRCH, EINVAL. setpgid(2) */
export function setpgid(pid: number, group: number): void {
  ok('setpgid', native().setpgid(pid, group));
}

/** 0 is the caller. ESRCH. getsid(2) */
export function getsid(pid: number): number {
  return ok('getsid', native().getsid(pid));
}

/** @returns the new session. EPERM: the process leads a group. setsid(2) */
export function setsid(): number {
  return ok('setsid', native().setsid());
}

/** ESRCH, EPERM, EINVAL. kill(2) */
export function kill(pid: number, signal: number): void {
  ok('kill', native().kill(pid, signal));
}

/** Where the dynamic linker looks for what the executable needs. dlinfo(3) */
export function ldLibraryDirectories(): string[] {
  return native().ld_library_directories();
}
