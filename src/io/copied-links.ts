/**
 * Hard links within a tree that is copied: the first of them is copied as a file, the others become links to that
 * copy. It is found again by a path below the top of the copy that no symbolic link leads out of, and compared with
 * what it was; so is what the new link has become.
 */
import { constants } from 'node:fs';
import { ok, SysError } from '../sys/errno.ts';
import { close } from '../sys/fd.ts';
import { openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../sys/file.ts';
import { isSameFile, linkAt, type Stat, unlinkAt } from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { find, type Place } from './find.ts';

const { O_DIRECTORY } = constants;
const O_PATH = 0o10000000;

/** The first copy of a file that has several links. */
interface FirstLink {
  /** the directory that it is in, below the top of the copy */
  readonly folder: string;
  readonly name: string;
  readonly copy: Stat;
  /** links of the original that haven't been met */
  left: number;
}

export class CopiedLinks {
  private readonly known = new Map<string, FirstLink>();
  private top: Fd = -1;

  /** @param top  an open directory: the top of the copy. It stays its owner's */
  open(top: Fd): void {
    this.top = openat2(top, '.', O_PATH | O_DIRECTORY, 0, 0);
  }

  close(): void {
    if (this.top >= 0) close(this.top);
    this.top = -1;
  }

  /** The copy of this file, if there is one already. */
  copyOf(source: Stat): Stat | undefined {
    return this.known.get(keyOf(source))?.copy;
  }

  /** A file has been copied, which others may be linked to. */
  add(source: Stat, folder: string, place: Place): void {
    const copy = find(place, true);
    if (copy === undefined) return;
    this.known.set(keyOf(source), { folder, name: place.name, copy, left: source.links - 1 });
  }

  /** One of the links of a file has been dealt with. */
  count(source: Stat): void {
    const key = keyOf(source);
    const first = this.known.get(key);
    if (first !== undefined && --first.left <= 0) this.known.delete(key);
  }

  /**
   * Make a link to the copy of this file.
   * @param replaces  there is something in that place, to be removed
   * @returns         false: it can't be made, and must be copied as a file of its own
   * @throws SysError when what was there has gone already
   */
  link(source: Stat, to: Place, replaces: boolean): boolean {
    const first = this.known.get(keyOf(source))!;
    let folder: Fd | undefined;
    let isChanged = false;
    try {
      const path = first.folder === '' ? '.' : first.folder;
      const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
      folder = openat2(this.top, path, O_PATH | O_DIRECTORY, 0, resolve);
      const found = find({ at: folder, name: first.name }, true);
      if (found === undefined || !isSameFile(found, first.copy)) return false;
      if (replaces) ok('unlink', unlinkAt(to.at, to.name, 0));
      isChanged = replaces;
      linkAt(folder, first.name, to.at, to.name, 0);
      isChanged = true;
      const made = find(to, true);
      if (made !== undefined && isSameFile(made, first.copy)) return true;
      unlinkAt(to.at, to.name, 0); // somebody has put another file there at this moment
      return false;
    } catch (error) {
      // EMLINK, ENOSYS, EXDEV, ENAMETOOLONG …
      if (isChanged || !(error instanceof SysError)) throw error;
      return false;
    } finally {
      if (folder !== undefined) close(folder);
    }
  }
}

const keyOf = ({ device, inodeHigh, inodeLow }: Stat): string =>
  `${device}:${inodeHigh}:${inodeLow}`;
