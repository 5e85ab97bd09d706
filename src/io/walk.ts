/**
 * Walking through a tree of directories, each entry before what is below it. The tree may change meanwhile:
 * a directory that has gone when it is to be entered is passed over. Entries are opened by name in the
 * directory that they were found in, so a path may be of any length. Few descriptors are open at once:
 * outer directories are read to their ends, closed, and opened again by `..` of the one below.
 */
import { EINVAL, errnoNumber, SysError } from '../sys/errno.ts';
import { AT_FDCWD } from '../sys/file.ts';
import { fstat, isSameFile, type Stat } from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { type Directory, openDirectory, typeAt } from './directory.ts';
import type { FileType } from './file-type.ts';
import type { Closable, IoGroup } from './group.ts';

const EACCES = errnoNumber('EACCES')!;
const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;
const ELOOP = errnoNumber('ELOOP')!;
const ESTALE = errnoNumber('ESTALE')!;

/** Directories that are open at once. */
export const MOST_OPEN = 32;

/** What a path has in front of the names below it. */
export const prefixOf = (path: string): string =>
  path === '' || path.endsWith('/') ? path : `${path}/`;

/** Open a directory again. @throws SysError  ESTALE: there is another one now */
export function openSame(at: Fd, name: string, follow: boolean, known: Stat): Directory {
  const directory = openDirectory(at, name, follow);
  if (isSameFile(fstat(directory.fd), known)) return directory;
  directory.close();
  throw new SysError('openat', ESTALE);
}

interface Level {
  directory: Directory;
  /** path of the directory, and a separator */
  readonly prefix: string;
  /** what it is, once that has been asked */
  stat: Stat | undefined;
}

export interface WalkOptions {
  readonly skipPermissionDenied: boolean;
  readonly follow: boolean;
  /** enter directories below the first */
  readonly recursive: boolean;
}

export class Walk implements Closable {
  /** Of the entry that `next` has come to. */
  name = '';
  prefix = '';
  type: FileType = 'unknown';
  depth = 0;
  /** Enter it, if it is a directory. */
  recursionPending = false;
  /** A path for the error that `next` has thrown. */
  failedPath: string | undefined;
  private readonly levels: Level[] = [];
  private readonly options: WalkOptions;
  private readonly group: IoGroup;
  /** The outermost level that may have an open descriptor. */
  private firstOpen = 0;

  /** ENOENT, ENOTDIR, EACCES, ELOOP, EMFILE */
  constructor(path: string, options: WalkOptions, group: IoGroup) {
    this.options = options;
    this.group = group;
    group.add(this);
    try {
      this.enter(openDirectory(AT_FDCWD, path, true), prefixOf(path));
    } catch (error) {
      if (this.mayIgnore(error, false)) return;
      this.close();
      throw error;
    }
  }

  get isOver(): boolean {
    return this.levels.length === 0;
  }

  /** Whether the next `next` asks the kernel for something. */
  get isExpensive(): boolean {
    if (this.recursionPending && this.type === 'directory') return true;
    return this.levels.at(-1)?.directory.isDry ?? false;
  }

  /**
   * Go to the next entry. @returns false: there is none
   * @throws SysError  and goes on behind the directory that it couldn't enter or read
   */
  next(): boolean {
    this.failedPath = undefined;
    if (this.recursionPending) {
      this.recursionPending = false;
      if (this.options.recursive) this.descend();
    }
    for (;;) {
      const level = this.levels.at(-1);
      if (level === undefined) {
        this.close();
        return false;
      }
      if (this.advance(level)) {
        const { directory } = level;
        this.name = directory.name;
        this.prefix = level.prefix;
        this.depth = this.levels.length - 1;
        this.type = directory.type;
        this.recursionPending = true;
        return true;
      }
      this.leave();
    }
  }

  /** @returns false: the directory has no more entries */
  private advance(level: Level): boolean {
    try {
      return level.directory.next();
    } catch (error) {
      if (error instanceof SysError && error.errno === ENOENT) return false; // removed meanwhile
      this.failedPath = level.prefix.replace(/(.)\/$/s, '$1');
      this.leave();
      throw error;
    }
  }

  /** Leave the directory of the current entry: what comes next is behind it. */
  pop(): void {
    if (this.isOver) throw new SysError('pop', EINVAL);
    this.recursionPending = false;
    this.leave();
    if (this.isOver) this.close();
  }

  /** Nothing comes any more. */
  close(): void {
    this.group.delete(this);
    this.recursionPending = false;
    for (const { directory } of this.levels) directory.close();
    this.levels.length = 0;
  }

  // ── levels ───────────────────────────────────────────────────────────────────────────────────────

  private enter(directory: Directory, prefix: string): void {
    const level: Level = { directory, prefix, stat: undefined };
    try {
      if (this.options.follow) this.checkLoop(level);
      if (!this.options.recursive) {
        directory.readAhead(AHEAD);
        if (directory.isReadToTheEnd) directory.close();
      }
    } catch (error) {
      directory.close();
      throw error;
    }
    this.levels.push(level);
    if (this.levels.length - this.firstOpen > MOST_OPEN) this.closeOutermost();
  }

  /** A link to a directory that we are in would be followed for ever. */
  private checkLoop(level: Level): void {
    level.stat = fstat(level.directory.fd);
    for (const { stat } of this.levels) {
      if (isSameFile(stat!, level.stat)) throw new SysError('openat', ELOOP);
    }
  }

  private closeOutermost(): void {
    const level = this.levels[this.firstOpen]!;
    if (level.directory.isOpen) {
      level.stat ??= fstat(level.directory.fd);
      level.directory.readAhead();
      level.directory.close();
    }
    this.firstOpen++;
  }

  private descend(): void {
    const level = this.levels.at(-1)!;
    const { follow } = this.options;
    const { name } = this;
    let { type } = this;
    if (type === 'directory' || type === 'unknown' || (type === 'symlink' && follow)) {
      const path = this.prefix + name;
      try {
        const { fd } = level.directory;
        if (fd < 0) throw new SysError('openat', ESTALE);
        if (type !== 'directory') type = typeAt(fd, name, follow);
        if (type === 'directory') this.enter(openDirectory(fd, name, follow), `${path}/`);
      } catch (error) {
        if (this.mayIgnore(error, true)) return;
        this.failedPath = path;
        throw error;
      }
    }
  }

  private mayIgnore(error: unknown, below: boolean): boolean {
    if (!(error instanceof SysError)) return false;
    const { errno } = error;
    if (errno === EACCES) return this.options.skipPermissionDenied;
    // It was a directory when its name was read.
    const isGone =
      errno === ENOENT || errno === ENOTDIR || (errno === ELOOP && !this.options.follow);
    return below && isGone;
  }

  private leave(): void {
    const { directory } = this.levels.pop()!;
    const above = this.levels.at(-1);
    if (above !== undefined && !above.directory.isOpen && this.options.recursive) {
      this.firstOpen = this.levels.length - 1;
      const again = this.reopen(directory.fd, above);
      if (again !== undefined) above.directory.adopt(again);
    }
    directory.close();
  }

  /** @returns undefined: it has been moved. What is left of it is listed, but can't be entered */
  private reopen(below: Fd, { prefix, stat }: Level): Directory | undefined {
    for (const [at, name, follow] of [
      [below, '..', false],
      [AT_FDCWD, prefix, true],
    ] as const) {
      if (name === prefix && !this.options.follow) break; // `..` of a link's target is elsewhere
      try {
        return openSame(at, name, follow, stat!);
      } catch (error) {
        if (!(error instanceof SysError)) throw error;
      }
    }
    return undefined;
  }
}

/** Pieces of a directory that are read at once. */
const AHEAD = 4;
