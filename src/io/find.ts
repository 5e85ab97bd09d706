/** Looking at what a name stands for, where there may be nothing. */
import { errnoNumber, ok } from '../sys/errno.ts';
import { AT_SYMLINK_NOFOLLOW, lastStat, type Stat, tryStat } from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';

const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;

/** A name in a directory that is held open. */
export interface Place {
  readonly at: Fd;
  readonly name: string;
}

/** Where `find` has found nothing at the end of a path: ENOENT, or ENOTDIR behind what is no directory. */
export function whyMissing({ at, name }: Place): number {
  return tryStat(at, name, 0) === -ENOTDIR ? ENOTDIR : ENOENT;
}

/**
 * @param itself  a symbolic link, not what it leads to
 * @returns       undefined: there is nothing. EACCES, ELOOP, ENAMETOOLONG …
 */
export function find({ at, name }: Place, itself: boolean): Stat | undefined {
  const result = tryStat(at, name, itself ? AT_SYMLINK_NOFOLLOW : 0);
  if (result === -ENOENT || result === -ENOTDIR) return undefined;
  ok('stat', result);
  return lastStat();
}
