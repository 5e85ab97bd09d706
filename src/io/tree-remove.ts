/**
 * Removing a tree. Everything is done by name in directories that are held open, and no symbolic link is
 * followed: whoever puts a link in place of a directory meanwhile has that link removed, and what it leads
 * to is never touched. What others remove at the same time is not missed.
 */
import { EBUSY, EINVAL, EPERM, errnoNumber, ok, SysError } from '../sys/errno.ts';
import { close } from '../sys/fd.ts';
import { AT_FDCWD, lseek, openat2, SEEK_SET } from '../sys/file.ts';
import { AT_REMOVEDIR, fstat, type Stat, unlinkAt } from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { type Directory, openDirectory } from './directory.ts';
import type { FileType } from './file-type.ts';
import type { Closable } from './group.ts';
import { MOST_OPEN, openSame } from './walk.ts';

const EACCES = errnoNumber('EACCES')!;
const EEXIST = errnoNumber('EEXIST')!;
const EISDIR = errnoNumber('EISDIR')!;
const ELOOP = errnoNumber('ELOOP')!;
const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;
const ENOTEMPTY = errnoNumber('ENOTEMPTY')!;

const O_DIRECTORY = 0o200000;
const O_NOFOLLOW = 0o400000;
const O_PATH = 0o10000000;

/** A directory that others fill again as fast as it is emptied. */
const MOST_PASSES = 64;
/** An entry that is a directory whenever it is taken for none, and the other way round. */
const MOST_TRIES = 16;

interface Level {
  directory: Directory;
  /** in the directory above */
  readonly name: string;
  readonly prefix: string;
  /** what it is, once it has been closed */
  stat: Stat | undefined;
  passes: number;
  /** something has been removed from it in this pass */
  progress: boolean;
}

const isGone = (error: unknown): boolean =>
  error instanceof SysError && (error.errno === ENOENT || error.errno === ENOTDIR);

export class TreeRemoval implements Closable {
  /** Entries so far. */
  removed = 0;
  /** What an error was about. */
  failedPath: string;
  /** Where the tree is; -1: nowhere. */
  private parent: Fd = -1;
  private readonly levels: Level[] = [];
  /** Outer ones are closed. */
  private firstOpen = 0;
  private readonly top: string;
  private hasBegun = false;

  /** EINVAL: the path ends in `.` or `..`; EBUSY: it is `/` */
  constructor(path: string) {
    this.failedPath = path;
    const bare = path.replace(/\/+$/, '');
    if (bare === '' && path !== '') throw new SysError('rmdir', EBUSY);
    const slash = bare.lastIndexOf('/');
    this.top = bare.slice(slash + 1);
    if (this.top === '.' || this.top === '..') throw new SysError('rmdir', EINVAL);
    if (bare === '') return;
    const above = slash < 0 ? '.' : slash === 0 ? '/' : bare.slice(0, slash);
    try {
      this.parent = openat2(AT_FDCWD, above, O_PATH | O_DIRECTORY, 0, 0);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Remove one entry. @returns true: there is nothing left */
  step(): boolean {
    if (!this.hasBegun) {
      this.hasBegun = true;
      if (this.parent < 0) return true;
      const bare = this.failedPath.replace(/\/+$/, '');
      const prefix = bare.slice(0, bare.length - this.top.length);
      if (bare === this.failedPath) this.remove(this.parent, this.top, 'unknown', prefix);
      else this.removeDirectory(prefix);
      return this.levels.length === 0;
    }
    const level = this.levels.at(-1)!;
    if (this.advance(level)) {
      const { directory, prefix } = level;
      this.remove(directory.fd, directory.name, directory.type, prefix);
      return false;
    }
    this.leave(level);
    return this.levels.length === 0;
  }

  close(): void {
    for (const { directory } of this.levels) directory.close();
    this.levels.length = 0;
    if (this.parent >= 0) close(this.parent);
    this.parent = -1;
  }

  // ── entries ──────────────────────────────────────────────────────────────────────────────────────

  private advance(level: Level): boolean {
    try {
      return level.directory.next();
    } catch (error) {
      if (error instanceof SysError && error.errno === ENOENT) return false; // removed by others
      this.failedPath = level.prefix;
      throw error;
    }
  }

  /** Unlink it, or enter it. */
  private remove(at: Fd, name: string, type: FileType, prefix: string): void {
    let result = 0;
    let isDirectory = type === 'directory';
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      result = isDirectory ? this.enter(at, name, prefix) : unlinkAt(at, name, 0);
      if (result === 0 && !isDirectory) this.count();
      if (result === 0 || result === -ENOENT) return;
      if (isDirectory && (result === -ENOTDIR || result === -ELOOP)) isDirectory = false;
      else if (!isDirectory && result === -EISDIR) isDirectory = true;
      else if (!isDirectory && result === -EPERM && this.isDirectoryAt(at, name))
        isDirectory = true;
      else break;
    }
    this.failedPath = prefix + name;
    ok('unlink', result);
  }

  /** What a path that ends in `/` names. ENOTDIR: it is none; nor is a link to one. path_resolution(7) */
  private removeDirectory(prefix: string): void {
    const result = this.enter(this.parent, this.top, prefix);
    if (result === -ENOENT) return;
    ok('rmdir', result === -ELOOP ? -ENOTDIR : result);
  }

  /** unlink(2) may say EPERM for a directory. */
  private isDirectoryAt(at: Fd, name: string): boolean {
    try {
      close(openat2(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, 0));
      return true;
    } catch {
      return false;
    }
  }

  private count(): void {
    this.removed++;
    const level = this.levels.at(-1);
    if (level !== undefined) level.progress = true;
  }

  /** @returns 0 or -errno */
  private enter(at: Fd, name: string, prefix: string): number {
    let directory: Directory;
    try {
      directory = openDirectory(at, name, false);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      if (error.errno !== EACCES) return -error.errno;
      // It can't be read, but perhaps there is nothing in it.
      const result = unlinkAt(at, name, AT_REMOVEDIR);
      if (result === 0) this.count();
      return result === -ENOTEMPTY || result === -EEXIST ? -EACCES : result;
    }
    const path = `${prefix}${name}/`;
    this.levels.push({
      directory,
      name,
      prefix: path,
      stat: undefined,
      passes: 1,
      progress: false,
    });
    if (this.levels.length - this.firstOpen > MOST_OPEN) {
      const outer = this.levels[this.firstOpen++]!;
      outer.stat = fstat(outer.directory.fd);
      outer.directory.close();
    }
    return 0;
  }

  /** All that was in it is gone: so shall it be. */
  private leave(level: Level): void {
    const { name, directory, prefix } = level;
    this.failedPath = prefix.slice(0, -1);
    const index = this.levels.length - 1;
    const above = this.levels[index - 1];
    if (above !== undefined && !above.directory.isOpen) {
      // Names that it had yet to come to are read again.
      above.directory = openSame(directory.fd, '..', false, above.stat!);
      this.firstOpen = index - 1;
    }
    const at = above === undefined ? this.parent : above.directory.fd;
    const result = unlinkAt(at, name, AT_REMOVEDIR);
    if (result === -ENOTEMPTY || result === -EEXIST) {
      // Others put something there, or names were passed over while entries went away.
      if (!level.progress || level.passes === MOST_PASSES) ok('rmdir', result);
      level.passes++;
      level.progress = false;
      lseek(directory.fd, 0, SEEK_SET);
      directory.restart();
      return;
    }
    this.levels.pop();
    directory.close();
    if (result === 0) this.count();
    else if (result === -ENOTDIR) {
      // It was moved away, and there is something else in its place.
      this.remove(at, name, 'unknown', prefix.slice(0, prefix.length - name.length - 1));
    } else if (result !== -ENOENT) ok('rmdir', result);
  }
}
