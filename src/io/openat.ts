/** Opening files relative to a directory: openat2(2). Never waits for the other end of a FIFO. */
import { constants } from 'node:fs';
import { getStatusFlags, O_ACCMODE, O_NONBLOCK, setStatusFlags } from '../sys/fd.ts';
import {
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../sys/file.ts';
import type { Fd } from '../sys/native.ts';

const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Flags of open(2) by name: those of files. */
export const OPEN_FLAGS = {
  append: constants.O_APPEND,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
  read_only: constants.O_RDONLY,
  read_write: constants.O_RDWR,
  write_only: constants.O_WRONLY,
  sync_all_on_write: constants.O_SYNC,
  truncate: constants.O_TRUNC,
};

/** And those that openat(2) is given beside them. */
export const OPENAT_FLAGS: Readonly<Record<string, number>> = {
  ...OPEN_FLAGS,
  temporary: O_TMPFILE,
  directory: constants.O_DIRECTORY,
  no_follow: constants.O_NOFOLLOW,
  path: O_PATH,
};

/** How the path is walked: openat2(2). */
export const RESOLVE_FLAGS: Readonly<Record<string, number>> = {
  resolve_beneath: RESOLVE_BENEATH,
  resolve_in_root: RESOLVE_IN_ROOT,
  resolve_no_magiclinks: RESOLVE_NO_MAGICLINKS,
  resolve_no_symlinks: RESOLVE_NO_SYMLINKS,
  resolve_no_xdev: RESOLVE_NO_XDEV,
  resolve_cached: RESOLVE_CACHED,
};

/**
 * @param directory  or AT_FDCWD of sys/file.ts
 * @param mode       of a new file, less the umask
 */
export function openAt(
  directory: Fd,
  path: string,
  flags: number,
  resolve: number,
  mode: number,
): Fd {
  if ((flags & O_PATH) !== 0) {
    return openat2(directory, path, flags & ~O_ACCMODE, 0, resolve);
  }
  const creates = (flags & constants.O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE;
  const always = constants.O_NOCTTY | O_NONBLOCK;
  const fd = openat2(directory, path, flags | always, creates ? mode & 0o7777 : 0, resolve);
  setStatusFlags(fd, getStatusFlags(fd) & ~O_NONBLOCK);
  return fd;
}
