/**
 * Capsicum, of FreeBSD: what may be done with a descriptor. native/freebsd.c makes the calls; the layout of rights is here.
 * Has been compiled and never run on FreeBSD.
 */
import { okFreeBsd } from './errno.ts';
import { type Fd, freebsd } from './native.ts';

/**
 * cap_rights_t, version 0: two words of 64 bits. Bits 62 and 63 of the first are the version, of the others zero; bit 57 + i
 * says that a word is number i; the bits below are rights. Source: CAPRIGHT in <sys/capsicum.h>, rights(4)
 */
export type Rights = readonly [bigint, bigint];
export const RIGHTS_BYTES = 16;
const MARKS: Rights = [1n << 57n, 1n << 58n];
const BITS = (1n << 57n) - 1n;

const LOOKUP = 0x400n;
const SEEK = 0xcn; // CAP_SEEK_TELL, and more
const READ = 0x1n;
const WRITE = 0x2n;
const MMAP = 0x10n | SEEK;
const MMAP_X = MMAP | 0x20n;

/** Most programs have none of them made. */
const first = (): Readonly<Record<string, bigint>> => ({
  read: READ,
  write: WRITE,
  recv: READ,
  send: WRITE,
  seek: SEEK,
  pread: SEEK | READ,
  pwrite: SEEK | WRITE,
  mmap: 0x10n,
  mmap_r: MMAP | READ,
  mmap_w: MMAP | WRITE,
  mmap_x: MMAP_X,
  mmap_rw: MMAP | READ | WRITE,
  mmap_rx: MMAP_X | READ,
  mmap_wx: MMAP_X | WRITE,
  mmap_rwx: MMAP_X | READ | WRITE,
  create: 0x40n,
  fexecve: 0x80n,
  fsync: 0x100n,
  ftruncate: 0x200n,
  lookup: LOOKUP,
  fchdir: 0x800n,
  fchflags: 0x1000n,
  chflagsat: 0x1000n | LOOKUP,
  fchmod: 0x2000n,
  fchmodat: 0x2000n | LOOKUP,
  fchown: 0x4000n,
  fchownat: 0x4000n | LOOKUP,
  fcntl: 0x8000n,
  flock: 0x10000n,
  fpathconf: 0x20000n,
  fsck: 0x40000n,
  fstat: 0x80000n,
  fstatat: 0x80000n | LOOKUP,
  fstatfs: 0x100000n,
  futimes: 0x200000n,
  futimesat: 0x200000n | LOOKUP,
  linkat_target: 0x400000n | LOOKUP,
  mkdirat: 0x800000n | LOOKUP,
  mkfifoat: 0x1000000n | LOOKUP,
  mknodat: 0x2000000n | LOOKUP,
  renameat_source: 0x4000000n | LOOKUP,
  symlinkat: 0x8000000n | LOOKUP,
  unlinkat: 0x10000000n | LOOKUP,
  accept: 0x20000000n,
  bind: 0x40000000n,
  connect: 0x80000000n,
  getpeername: 0x100000000n,
  getsockname: 0x200000000n,
  getsockopt: 0x400000000n,
  listen: 0x800000000n,
  peeloff: 0x1000000000n,
  setsockopt: 0x2000000000n,
  shutdown: 0x4000000000n,
  bindat: 0x8000000000n | LOOKUP,
  connectat: 0x10000000000n | LOOKUP,
  linkat_source: 0x20000000000n | LOOKUP,
  renameat_target: 0x40000000000n | LOOKUP,
});

const second = (): Readonly<Record<string, bigint>> => ({
  mac_get: 0x1n,
  mac_set: 0x2n,
  sem_getvalue: 0x4n,
  sem_post: 0x8n,
  sem_wait: 0x10n,
  event: 0x20n,
  kqueue_event: 0x40n,
  ioctl: 0x80n,
  ttyhook: 0x100n,
  pdgetpid: 0x200n,
  pdkill: 0x800n,
  extattr_delete: 0x1000n,
  extattr_get: 0x2000n,
  extattr_list: 0x4000n,
  extattr_set: 0x8000n,
  acl_check: 0x10000n,
  acl_delete: 0x20000n,
  acl_get: 0x40000n,
  acl_set: 0x80000n,
  kqueue_change: 0x100000n,
  kqueue: 0x100040n,
  // As the source of Emilua spells them.
  cap_extattr_get: 0x2000n,
  cap_extattr_list: 0x4000n,
  cap_extattr_set: 0x8000n,
});

export const rightNames = (): string[] => [...Object.keys(first()), ...Object.keys(second())];

/** @returns undefined for a name that there isn't */
export function rightsOf(names: readonly string[]): Rights | undefined {
  let [one, two] = MARKS;
  const ones = first();
  const twos = second();
  for (const name of names) {
    if (Object.hasOwn(ones, name)) one |= ones[name]!;
    else if (Object.hasOwn(twos, name)) two |= twos[name]!;
    else return undefined;
  }
  return [one, two];
}

/** All of `wanted` in `rights`. cap_rights_contains(3) */
export const contains = (rights: Rights, wanted: Rights): boolean =>
  (rights[0] & wanted[0]) === wanted[0] && (rights[1] & wanted[1]) === wanted[1];

/** `rights` without `less`. cap_rights_remove(3) */
export const without = (rights: Rights, less: Rights): Rights => [
  rights[0] & ~(less[0] & BITS),
  rights[1] & ~(less[1] & BITS),
];

/** Every processor that FreeBSD's Node runs on has the lowest byte first. */
export function packRights(rights: Rights): Uint8Array {
  const view = new DataView(new ArrayBuffer(RIGHTS_BYTES));
  view.setBigUint64(0, rights[0], true);
  view.setBigUint64(8, rights[1], true);
  return new Uint8Array(view.buffer);
}

export function unpackRights(bytes: Uint8Array): Rights {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RIGHTS_BYTES);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}

/** ENOTCAPABLE: it has fewer. cap_rights_limit(2) */
export function capRightsLimit(fd: Fd, rights: Rights): void {
  okFreeBsd('cap_rights_limit', freebsd().cap_rights_limit(fd, packRights(rights)));
}

/** cap_rights_get(3) */
export function capRightsGet(fd: Fd): Rights {
  const bytes = new Uint8Array(RIGHTS_BYTES);
  okFreeBsd('cap_rights_get', freebsd().cap_rights_get(fd, bytes));
  return unpackRights(bytes);
}

/** cap_ioctls_limit(2) */
export function capIoctlsLimit(fd: Fd, commands: readonly number[]): void {
  const words = BigUint64Array.from(commands, BigInt);
  okFreeBsd('cap_ioctls_limit', freebsd().cap_ioctls_limit(fd, words));
}

const ALL_IOCTLS = 0x7fffffff;

/** cap_ioctls_get(2) */
export function capIoctlsGet(fd: Fd): number[] | 'all' {
  for (let room = 32; ; ) {
    const words = new BigUint64Array(room);
    const count = okFreeBsd('cap_ioctls_get', freebsd().cap_ioctls_get(fd, words));
    if (count === ALL_IOCTLS) return 'all';
    if (count <= room) return Array.from(words.subarray(0, count), Number);
    room = count;
  }
}

/** 1 << F_GETFL and so on. */
export const FCNTL_RIGHTS: Readonly<Record<string, number>> = {
  getfl: 8,
  setfl: 16,
  getown: 32,
  setown: 64,
};

/** cap_fcntls_limit(2) */
export function capFcntlsLimit(fd: Fd, rights: number): void {
  okFreeBsd('cap_fcntls_limit', freebsd().cap_fcntls_limit(fd, rights));
}

/** cap_fcntls_get(2) */
export function capFcntlsGet(fd: Fd): number {
  return okFreeBsd('cap_fcntls_get', freebsd().cap_fcntls_get(fd));
}

/** Of 0, 1 and 2. capsicum_helpers(3) */
export function caphLimitStdio(): void {
  okFreeBsd('caph_limit_stdio', freebsd().caph_limit_stdio());
}

/** procctl(2), PROC_NO_NEW_PRIVS_CTL. EOPNOTSUPP: it was built for one older than 13.1 */
export function procctlNoNewPrivs(): void {
  okFreeBsd('procctl', freebsd().procctl_no_new_privs());
}
