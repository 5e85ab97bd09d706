/** What kinds of files there are: inode(7). */
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../sys/filesystem.ts';

export type FileType =
  | 'regular'
  | 'directory'
  | 'symlink'
  | 'block'
  | 'character'
  | 'fifo'
  | 'socket'
  | 'unknown';

const TYPES: ReadonlyMap<number, FileType> = new Map([
  [S_IFREG, 'regular'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'symlink'],
  [S_IFBLK, 'block'],
  [S_IFCHR, 'character'],
  [S_IFIFO, 'fifo'],
  [S_IFSOCK, 'socket'],
]);

/** @param mode  of stat(2) */
export function fileType(mode: number): FileType {
  return TYPES.get(mode & S_IFMT) ?? 'unknown';
}
