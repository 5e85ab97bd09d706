/**
 * Names on the disk: calls that take a directory (a descriptor, or AT_FDCWD of sys/file.ts) and a path of
 * bytes, one a code unit. A NUL in a path is EINVAL. What says so gives -errno; all others throw SysError.
 */
import { EINTR, ok, SysError } from './errno.ts';
import { type Fd, native } from './native.ts';

export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
/** With an empty path: the descriptor itself. */
export const AT_EMPTY_PATH = 0x1000;

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** stat(2): whole numbers; an inode's number may have 64 bits. Times: whole seconds, and nanoseconds above them. */
export interface Stat {
  readonly device: number;
  readonly inodeHigh: number;
  readonly inodeLow: number;
  readonly mode: number;
  readonly links: number;
  readonly owner: number;
  readonly group: number;
  /** of a device file */
  readonly rdev: number;
  readonly size: number;
  /** of 512 bytes, on the disk */
  readonly blocks: number;
  readonly modified: number;
  readonly modifiedNs: number;
  readonly accessed: number;
  readonly accessedNs: number;
}

const numbers = new Float64Array(16);

/** @returns 0, or -errno; then `lastStat()` has it. `flags`: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. fstatat(2) */
export function tryStat(directory: Fd, path: string, flags: number): number {
  return native().fstatat(directory, path, flags, numbers);
}

/** What the last successful `tryStat` has found. */
export function lastStat(): Stat {
  const n = numbers;
  return {
    device: n[0]!,
    inodeHigh: n[1]!,
    inodeLow: n[2]!,
    mode: n[3]!,
    links: n[4]!,
    owner: n[5]!,
    group: n[6]!,
    rdev: n[7]!,
    size: n[8]!,
    blocks: n[9]!,
    modified: n[10]!,
    modifiedNs: n[11]!,
    accessed: n[12]!,
    accessedNs: n[13]!,
  };
}

/** ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG. fstatat(2) */
export function statAt(directory: Fd, path: string, flags: number): Stat {
  ok('stat', tryStat(directory, path, flags));
  return lastStat();
}

/** fstat(2) */
export function fstat(fd: Fd): Stat {
  return statAt(fd, '', AT_EMPTY_PATH);
}

export function isSameFile(a: Stat, b: Stat): boolean {
  return a.device === b.device && a.inodeLow === b.inodeLow && a.inodeHigh === b.inodeHigh;
}

export interface Space {
  /** bytes: of the file system, free ones, and of these what others than root may use */
  readonly capacity: number;
  readonly free: number;
  readonly available: number;
}

/** statfs(2) */
export function statfs(path: string): Space {
  const out = new Float64Array(4);
  ok('statfs', native().statfs(path, out));
  const size = out[0]!;
  return { capacity: size * out[1]!, free: size * out[2]!, available: size * out[3]! };
}

/** @returns f_type of fstatfs(2), or -errno */
export function fileSystemType(fd: Fd): number {
  return native().fstatfs_type(fd);
}

export const FUSE_SUPER_MAGIC = 0x65735546;

/** Go on where an earlier list stopped: at d_off of its last record. EINVAL. getdents(2) */
export function seekDirectory(fd: Fd, high: number, low: number): void {
  ok('lseek', native().seek_directory(fd, high, low));
}

/** @returns the length of the records in `bytes`, 0 at the end; ENOENT: it has been removed. getdents(2) */
export function getdents64(fd: Fd, bytes: Uint8Array): number {
  return ok('getdents64', native().getdents64(fd, bytes, bytes.length));
}

function text(syscall: string, result: string | number): string {
  if (typeof result === 'number') throw new SysError(syscall, -result);
  return result;
}

/** EINVAL: no symbolic link. readlink(2) */
export function readlinkAt(directory: Fd, path: string): string {
  return text('readlink', native().readlinkat(directory, path));
}

/** The same file by a path without links, `.` and `..`. ENOENT, ELOOP … realpath(3) */
export function realpath(path: string): string {
  return text('realpath', native().realpath(path));
}

/** ENOENT: it has been removed. getcwd(3) */
export function getcwd(): string {
  return text('getcwd', native().getcwd());
}

/** Of the whole process. chdir(2) */
export function fchdir(fd: Fd): void {
  ok('fchdir', native().fchdir(fd));
}

/** Of the whole process; its working directory stays as it is. EPERM. chroot(2) */
export function chroot(path: string): void {
  ok('chroot', native().chroot(path));
}

/** EEXIST, ENOENT, EACCES, ENOSPC, EROFS. mkdir(2) */
export function mkdirAt(directory: Fd, path: string, mode: number): void {
  ok('mkdir', native().mkdirat(directory, path, mode));
}

/** `mode` with the type of file; `device` for device files. EPERM, EEXIST. mknod(2) */
export function mknodAt(directory: Fd, path: string, mode: number, device: number): void {
  ok('mknod', native().mknodat(directory, path, mode, device));
}

/** @returns 0 or -errno. `flags`: 0, or AT_REMOVEDIR for a directory (ENOTEMPTY). unlink(2), rmdir(2) */
export function unlinkAt(directory: Fd, path: string, flags: number): number {
  return native().unlinkat(directory, path, flags);
}

/** EEXIST, EXDEV, EMLINK, EPERM. `flags`: 0, the link itself, or AT_SYMLINK_FOLLOW. link(2) */
export function linkAt(from: Fd, path: string, to: Fd, newPath: string, flags: number): void {
  ok('link', native().linkat(from, path, to, newPath, flags));
}

/** Takes the place of what is there. EXDEV, ENOTEMPTY, EISDIR … rename(2) */
export function renameAt(from: Fd, path: string, to: Fd, newPath: string): void {
  ok('rename', native().renameat2(from, path, to, newPath, 0));
}

/** EEXIST. symlink(2) */
export function symlinkAt(target: string, directory: Fd, path: string): void {
  ok('symlink', native().symlinkat(target, directory, path));
}

/** EOPNOTSUPP: a symbolic link with AT_SYMLINK_NOFOLLOW. chmod(2) */
export function chmodAt(directory: Fd, path: string, mode: number, flags: number): void {
  ok('chmod', native().fchmodat(directory, path, mode, flags));
}

/** Of the process. @returns the one before. EPERM: a filter of system calls says so. umask(2) */
export function umask(mask: number): number {
  return ok('umask', native().umask(mask));
}

/** chmod(2) */
export function fchmod(fd: Fd, mode: number): void {
  ok('fchmod', native().fchmod(fd, mode));
}

/** An id of -1 stays as it is. @returns 0 or -errno. chown(2) */
export function tryChownAt(
  directory: Fd,
  path: string,
  owner: number,
  group: number,
  flags: number,
): number {
  return native().fchownat(directory, path, owner | 0, group | 0, flags);
}

const times = new Float64Array(4);

/** Both times, as `from` has them. An empty path: of the descriptor itself. utimensat(2) */
export function copyTimes(directory: Fd, path: string, from: Stat, flags: number): void {
  times[0] = from.accessed;
  times[1] = from.accessedNs;
  times[2] = from.modified;
  times[3] = from.modifiedNs;
  ok('utimensat', native().utimensat(directory, path, times, flags));
}

/** The time of the last change; follows symbolic links. utimensat(2) */
export function setModified(path: string, directory: Fd, seconds: number, ns: number): void {
  times[0] = 0;
  times[1] = -1;
  times[2] = seconds;
  times[3] = ns;
  if (path === '') throw new SysError('utimensat', ENOENT);
  ok('utimensat', native().utimensat(directory, path, times, 0));
}

const ENOENT = 2;

/** EFBIG, EINVAL, EISDIR, ETXTBSY. truncate(2) */
export function truncate(path: string, length: number): void {
  ok('truncate', native().truncate(path, length));
}

/** EFBIG, EINVAL, EPERM. truncate(2) */
export function ftruncate(fd: Fd, length: number): void {
  ok('ftruncate', native().ftruncate(fd, length));
}

// ── extended attributes ────────────────────────────────────────────────────────────────────────────

/** @returns the length of the names in `bytes`, each with its NUL, or -errno: ERANGE, EOPNOTSUPP. listxattr(2) */
export function flistxattr(fd: Fd, bytes: Uint8Array): number {
  return native().flistxattr(fd, bytes, bytes.length);
}

/** @returns the length of the value in `bytes`, or -errno: ERANGE, ENODATA. getxattr(2) */
export function fgetxattr(fd: Fd, name: string, bytes: Uint8Array): number {
  return native().fgetxattr(fd, name, bytes, bytes.length);
}

/** @returns 0, or -errno: EPERM, EOPNOTSUPP, ENOSPC, EDQUOT. setxattr(2) */
export function fsetxattr(fd: Fd, name: string, bytes: Uint8Array, length: number): number {
  return native().fsetxattr(fd, name, bytes, length);
}

/** As `fgetxattr`, of what the path leads to. getxattr(2) */
export function getxattr(path: string, name: string, bytes: Uint8Array): number {
  return native().getxattr(path, name, bytes, bytes.length);
}

/** As `fsetxattr`. setxattr(2) */
export function setxattr(path: string, name: string, bytes: Uint8Array): number {
  return native().setxattr(path, name, bytes, bytes.length);
}

// ── contents ───────────────────────────────────────────────────────────────────────────────────────

/** Let `to` share the blocks of `from`. @returns 0 or -errno. ioctl_ficlonerange(2) */
export function ficlone(to: Fd, from: Fd): number {
  return native().ficlone(to, from);
}

/** From position to position, inside the kernel. @returns bytes, 0 at the end, or -errno. copy_file_range(2) */
export function copyFileRange(from: Fd, to: Fd, length: number): number {
  let result: number;
  do result = native().copy_file_range(from, to, length);
  while (result === -EINTR);
  return result;
}
