/** Giving a copy what else the original has: owner, mode, extended attributes, times. */
import { Buffer } from 'node:buffer';
import { EOPNOTSUPP, EPERM, errnoNumber, ok, SysError } from '../sys/errno.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  chmodAt,
  copyTimes,
  fchmod,
  fgetxattr,
  flistxattr,
  fsetxattr,
  fstat,
  S_IFLNK,
  S_IFMT,
  type Stat,
  tryChownAt,
} from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';

const ENODATA = errnoNumber('ENODATA')!;

export interface Preserve {
  readonly mode: boolean;
  readonly owner: boolean;
  readonly times: boolean;
  readonly xattrs: boolean;
  /** hard links between files of the tree */
  readonly links: boolean;
  /** what the system refuses to give is left away: owners, extended attributes */
  readonly lenient: boolean;
}

export const PRESERVE_NOTHING: Preserve = {
  mode: false,
  owner: false,
  times: false,
  xattrs: false,
  links: false,
  lenient: false,
};

const MODE = 0o7777;
/** A new owner may not run it as the old one. */
const SET_ID = 0o6000;

/** @returns the mode that the copy may have */
function giveOwner(at: Fd, name: string, flags: number, from: Stat, { lenient }: Preserve): number {
  const result = tryChownAt(at, name, from.owner, from.group, flags);
  if (result === 0) return from.mode & MODE;
  if (result !== -EPERM || !lenient) throw new SysError('chown', -result);
  // Not the owner; perhaps the group.
  return tryChownAt(at, name, -1, from.group, flags) === 0
    ? from.mode & MODE & ~0o4000
    : from.mode & MODE & ~SET_ID;
}

/**
 * @param mode  what the copy gets where modes aren't preserved; undefined: as it is
 */
export function giveAttributes(
  source: Fd,
  copy: Fd,
  from: Stat,
  preserve: Preserve,
  mode: number | undefined,
): void {
  const made = fstat(copy);
  let wanted = preserve.mode ? from.mode & MODE : mode;
  const isOurs = made.owner === from.owner && made.group === from.group;
  if (preserve.owner && !isOurs) {
    const most = giveOwner(copy, '', AT_EMPTY_PATH, from, preserve);
    if (wanted !== undefined) wanted &= most;
  } else if (wanted !== undefined && !isOurs) {
    if (made.owner !== from.owner) wanted &= ~0o4000;
    if (made.group !== from.group) wanted &= ~0o2000;
  }
  if (wanted !== undefined && (!isOurs || wanted !== (made.mode & MODE))) fchmod(copy, wanted);
  if (preserve.xattrs) copyExtended(source, copy, preserve.lenient);
  if (preserve.times) copyTimes(copy, '', from, 0);
}

/** The same for what has no descriptor: links, special files. */
export function giveAttributesByName(at: Fd, name: string, from: Stat, preserve: Preserve): void {
  let mode = from.mode & MODE;
  if (preserve.owner) mode = giveOwner(at, name, AT_SYMLINK_NOFOLLOW, from, preserve);
  if (preserve.mode && (from.mode & S_IFMT) !== S_IFLNK) {
    chmodAt(at, name, mode, AT_SYMLINK_NOFOLLOW);
  }
  if (preserve.times) copyTimes(at, name, from, AT_SYMLINK_NOFOLLOW);
}

/** XATTR_LIST_MAX and XATTR_SIZE_MAX: limits.h of Linux. */
const names = Buffer.allocUnsafeSlow(65_536);
const NO_BYTES = new Uint8Array(0);
const value = Buffer.allocUnsafeSlow(65_536);

function copyExtended(source: Fd, copy: Fd, lenient: boolean): void {
  // Most files have none, which costs less to learn than to give the kernel a buffer.
  let length = flistxattr(source, NO_BYTES);
  if (length === 0 || length === -EOPNOTSUPP) return;
  length = ok('flistxattr', flistxattr(source, names));
  if (length === 0) return;
  for (const name of names.toString('latin1', 0, length - 1).split('\0')) {
    const size = fgetxattr(source, name, value);
    if (size === -ENODATA) continue; // taken away meanwhile
    const result = size < 0 ? size : fsetxattr(copy, name, value, size);
    if (result === 0) continue;
    if (lenient && (result === -EOPNOTSUPP || result === -EPERM)) continue;
    ok('fsetxattr', result);
  }
}
