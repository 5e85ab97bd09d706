/**
 * Copying what a path leads to, as std::filesystem::copy does, and with what that lacks: attributes, hard
 * links, special files.
 *
 * Below the paths that are given, everything is done by name in directories that are held open. No link is
 * followed on the side of the copy, and on the side of the source only on request: whoever puts a link in
 * place of a file or directory meanwhile can't lead a copy elsewhere.
 */
import { EINVAL, errnoNumber, ok, SysError } from '../sys/errno.ts';
import { AT_FDCWD } from '../sys/file.ts';
import {
  fchmod,
  fstat,
  isSameFile,
  linkAt,
  mkdirAt,
  mknodAt,
  readlinkAt,
  type Stat,
  symlinkAt,
  unlinkAt,
} from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { giveAttributes, giveAttributesByName, type Preserve } from './attributes.ts';
import { CopiedLinks } from './copied-links.ts';
import { FileCopy } from './copy-file.ts';
import { type Directory, openDirectory } from './directory.ts';
import { type FileType, fileType } from './file-type.ts';
import { find, type Place, whyMissing } from './find.ts';
import type { Closable } from './group.ts';
import { openSame, prefixOf } from './walk.ts';

const EEXIST = errnoNumber('EEXIST')!;
const EISDIR = errnoNumber('EISDIR')!;
const ELOOP = errnoNumber('ELOOP')!;
const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;

/** Levels of the tree that are open at once: two descriptors each. */
const MOST_OPEN = 16;

export type Existing = 'fail' | 'skip' | 'overwrite' | 'update';

export interface CopyOptions {
  readonly existing: Existing;
  readonly recursive: boolean;
  readonly symlinks: 'follow' | 'copy' | 'skip';
  readonly what: 'content' | 'directories_only' | 'create_symlinks' | 'create_hardlinks';
  /** any of these was set: then a directory is copied only if `recursive` is */
  readonly isSet: boolean;
  readonly special: 'fail' | 'copy' | 'skip';
  readonly preserve: Preserve;
  /** only a regular file, to where nothing else is */
  readonly fileOnly: boolean;
}

interface Level {
  readonly source: Directory;
  target: Directory;
  readonly from: Stat;
  /** of both names below, for errors */
  readonly fromPrefix: string;
  readonly toPrefix: string;
  /** below the top of the copy: empty, or with a slash */
  readonly relative: string;
  /** we have made it, so there is nothing in it */
  readonly isNew: boolean;
  /** what it gets when it is done, where modes aren't preserved */
  readonly mode: number | undefined;
  sourceStat: Stat | undefined;
  targetStat: Stat | undefined;
}

/** A name on each side. */
interface Pair {
  readonly from: Place;
  readonly to: Place;
  /** the paths that the caller gave: links in them are followed */
  readonly isTop: boolean;
  /** nothing can be there yet */
  readonly isFree: boolean;
}

export class TreeCopy implements Closable {
  /** What an error was about. */
  failedFrom: string;
  failedTo: string;
  /** Whether a file has been copied; for `copy_file`. */
  hasCopied = false;
  private readonly options: CopyOptions;
  private readonly levels: Level[] = [];
  private firstOpen = 0;
  private file: FileCopy | undefined;
  /** What to note once the file is there. */
  private firstLink: (() => void) | undefined;
  /** The top of the copy. */
  private top: Stat | undefined;
  private readonly links = new CopiedLinks();
  private hasBegun = false;

  constructor(from: string, to: string, options: CopyOptions) {
    this.failedFrom = from;
    this.failedTo = to;
    this.options = options;
  }

  /** Copy one entry, or a piece of a file. @returns true: all is done */
  step(): boolean {
    const { file } = this;
    if (file !== undefined) {
      if (file.step()) {
        this.hasCopied = true;
        this.endFile(true);
      }
      return this.isDone;
    }
    if (!this.hasBegun) {
      this.hasBegun = true;
      this.begin();
      return this.isDone;
    }
    const level = this.levels.at(-1)!;
    this.failedFrom = level.fromPrefix;
    this.failedTo = level.toPrefix;
    if (advance(level.source)) this.copyEntry(level);
    else this.leave(level);
    return this.isDone;
  }

  private get isDone(): boolean {
    return this.file === undefined && this.levels.length === 0;
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
    for (const { source, target } of this.levels) {
      source.close();
      target.close();
    }
    this.levels.length = 0;
    this.links.close();
  }

  // ── one name ─────────────────────────────────────────────────────────────────────────────────────

  private begin(): void {
    const { what, symlinks } = this.options;
    const pair: Pair = {
      from: { at: AT_FDCWD, name: this.failedFrom },
      to: { at: AT_FDCWD, name: this.failedTo },
      isTop: true,
      isFree: false,
    };
    const looksAtLinks = what === 'create_symlinks' || symlinks !== 'follow';
    const source = find(pair.from, looksAtLinks);
    if (source === undefined) throw new SysError('stat', whyMissing(pair.from));
    // With symlinks = 'copy' the target is looked up through links, as the standard has it.
    let target = find(pair.to, what === 'create_symlinks' || symlinks === 'skip');
    if (fileType(source.mode) === 'directory' && target !== undefined)
      target = find(pair.to, false);
    if (this.options.fileOnly) {
      const isRegular = (stat: Stat): boolean => fileType(stat.mode) === 'regular';
      if (!isRegular(source) || (target !== undefined && !isRegular(target))) {
        throw new SysError('copy', EINVAL);
      }
    }
    this.dispatch(pair, source, target, !looksAtLinks);
  }

  private copyEntry(level: Level): void {
    const { source, target, isNew } = level;
    const { name } = source;
    this.failedFrom += name;
    this.failedTo += name;
    const pair: Pair = {
      from: { at: source.fd, name },
      to: { at: target.fd, name },
      isTop: false,
      isFree: isNew,
    };
    const { type } = source;
    // A plain file that nothing can stand in the way of: it is looked at once it is open.
    if (type === 'regular' && isNew && this.options.what === 'content') {
      this.copyFile(pair, false, undefined);
      return;
    }
    const follow = this.options.symlinks === 'follow' && this.options.what !== 'create_symlinks';
    const isFollowed = follow && (type === 'symlink' || type === 'unknown');
    const found = find(pair.from, !isFollowed);
    if (found === undefined) {
      // A link that leads nowhere; anything else has gone meanwhile.
      if (isFollowed && find(pair.from, true) !== undefined) {
        throw new SysError('stat', ENOENT);
      }
      return;
    }
    this.dispatch(pair, found, isNew ? undefined : find(pair.to, true), isFollowed);
  }

  /** @param target  what is there already */
  private dispatch(pair: Pair, source: Stat, target: Stat | undefined, followed: boolean): void {
    if (target !== undefined && isSameFile(source, target)) throw new SysError('copy', EEXIST);
    const type = fileType(source.mode);
    const there = target === undefined ? undefined : fileType(target.mode);
    if (there !== undefined && isSpecial(there) && this.options.special === 'fail') {
      throw new SysError('copy', EINVAL);
    }
    switch (type) {
      case 'directory':
        this.copyDirectory(pair, source, there, followed);
        return;
      case 'symlink':
        this.copyLink(pair, source, there);
        return;
      case 'regular':
        this.copyRegular(pair, target, followed);
        return;
      default:
        this.copySpecial(pair, source, there);
    }
  }

  // ── files ────────────────────────────────────────────────────────────────────────────────────────

  private copyRegular(pair: Pair, target: Stat | undefined, followed: boolean): void {
    const { what } = this.options;
    if (what === 'directories_only') return;
    if (what === 'create_symlinks') {
      if (!this.isAbsoluteOrBeside()) throw new SysError('symlink', EINVAL);
      symlinkAt(this.failedFrom, pair.to.at, pair.to.name);
    } else if (what === 'create_hardlinks') {
      linkAt(pair.from.at, pair.from.name, pair.to.at, pair.to.name, 0);
    } else if (target !== undefined && fileType(target.mode) === 'directory') {
      if (!pair.isTop) throw new SysError('copy', EISDIR);
      const name = pair.from.name.slice(pair.from.name.lastIndexOf('/') + 1);
      this.failedTo = prefixOf(pair.to.name) + name;
      const to = { at: AT_FDCWD, name: this.failedTo };
      this.copyFile({ ...pair, to }, followed, find(to, false));
    } else this.copyFile(pair, followed, target);
  }

  /** What a link is to say must lead there from where the link is. */
  private isAbsoluteOrBeside(): boolean {
    const folder = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);
    return this.failedFrom.startsWith('/') || folder(this.failedFrom) === folder(this.failedTo);
  }

  private copyFile(pair: Pair, followed: boolean, target: Stat | undefined): void {
    const { preserve } = this.options;
    let file: FileCopy;
    try {
      file = new FileCopy(pair.from, followed, pair.to, preserve);
    } catch (error) {
      if (!pair.isTop && error instanceof SysError && error.errno === ENOENT) return; // gone meanwhile
      throw error;
    }
    this.file = file;
    if (preserve.links && file.stat.links > 1 && this.linkInstead(pair, file.stat, target)) {
      this.endFile(false);
      return;
    }
    if (target === undefined) {
      try {
        file.create();
        return;
      } catch (error) {
        const inTheWay = error instanceof SysError && error.errno === EEXIST;
        if (!inTheWay || this.options.existing === 'fail') throw error;
        target = find(pair.to, !pair.isTop);
        // A link that leads nowhere is in the way, too.
        if (target === undefined && this.options.existing !== 'skip') throw error;
      }
    }
    if (target !== undefined && this.mayReplace(file.stat, target)) file.overwrite(pair.isTop);
    else this.endFile(false);
  }

  /** @throws SysError  EEXIST */
  private mayReplace(source: Stat, target: Stat): boolean {
    switch (this.options.existing) {
      case 'fail':
        throw new SysError('copy', EEXIST);
      case 'skip':
        return false;
      case 'overwrite':
        return true;
      case 'update':
        return isNewer(source, target);
    }
  }

  private endFile(isThere: boolean): void {
    const { file, firstLink } = this;
    this.file = undefined;
    this.firstLink = undefined;
    file?.close();
    if (isThere) firstLink?.();
  }

  // ── hard links ───────────────────────────────────────────────────────────────────────────────────

  /** @returns true: it is a link to a copy that we have made; else the copy that comes now will be linked to */
  private linkInstead(pair: Pair, source: Stat, target: Stat | undefined): boolean {
    const place = pair.to;
    const copy = this.links.copyOf(source);
    if (copy !== undefined) {
      const isDone = target !== undefined && isSameFile(target, copy);
      const isKept = !isDone && target !== undefined && !this.mayReplace(source, target);
      if (isDone || isKept || this.links.link(source, place, target !== undefined)) {
        this.links.count(source);
        return true;
      }
    }
    const folder = this.levels.at(-1)?.relative ?? '';
    this.firstLink = () => this.links.add(source, folder, place);
    return false;
  }

  // ── links and special files ──────────────────────────────────────────────────────────────────────

  private copyLink(pair: Pair, source: Stat, there: FileType | undefined): void {
    if (this.options.symlinks === 'skip') return;
    if (this.options.symlinks !== 'copy') throw new SysError('copy', EINVAL);
    if (!this.makeRoom(pair, source, there)) return;
    const text = readlinkAt(pair.from.at, pair.from.name);
    symlinkAt(text, pair.to.at, pair.to.name);
    giveAttributesByName(pair.to.at, pair.to.name, source, this.options.preserve);
  }

  private copySpecial(pair: Pair, source: Stat, there: FileType | undefined): void {
    if (this.options.special === 'skip') return;
    if (this.options.special === 'fail') throw new SysError('copy', EINVAL);
    if (this.options.what !== 'content' || !this.makeRoom(pair, source, there)) return;
    mknodAt(pair.to.at, pair.to.name, source.mode, source.rdev);
    giveAttributesByName(pair.to.at, pair.to.name, source, this.options.preserve);
  }

  /** For what can't be written over. @returns false: it is not to be copied */
  private makeRoom(pair: Pair, source: Stat, there: FileType | undefined): boolean {
    if (there === undefined && pair.isFree) return true;
    const target = find(pair.to, true);
    if (target === undefined) return true;
    if (isSameFile(source, target)) throw new SysError('copy', EEXIST);
    if (!this.mayReplace(source, target)) return false;
    ok('unlink', unlinkAt(pair.to.at, pair.to.name, 0)); // EISDIR where it is a directory
    return true;
  }

  // ── directories ──────────────────────────────────────────────────────────────────────────────────

  private copyDirectory(
    pair: Pair,
    found: Stat,
    there: FileType | undefined,
    followed: boolean,
  ): void {
    const { options } = this;
    if (there === 'regular' || options.what === 'create_symlinks') {
      throw new SysError('copy', EISDIR);
    }
    if (there !== undefined && there !== 'directory') throw new SysError('copy', ENOTDIR);
    if (!options.recursive && (options.isSet || !pair.isTop)) return;
    let source: Directory;
    try {
      source = openDirectory(pair.from.at, pair.from.name, followed || pair.isTop);
    } catch (error) {
      const isGone =
        error instanceof SysError && (error.errno === ENOENT || error.errno === ENOTDIR);
      if (!pair.isTop && !followed && isGone) return; // it was a directory a moment ago
      throw error;
    }
    let target: Directory | undefined;
    try {
      const from = fstat(source.fd);
      this.checkSource(from, followed);
      const isNew = there === undefined && this.makeDirectory(pair, found);
      target = openDirectory(pair.to.at, pair.to.name, pair.isTop && !isNew);
      this.enter(pair, source, target, from, isNew);
    } catch (error) {
      source.close();
      target?.close();
      throw error;
    }
  }

  /** Not into itself, and not round in circles. */
  private checkSource(from: Stat, followed: boolean): void {
    if (this.top !== undefined && isSameFile(from, this.top)) throw new SysError('copy', EINVAL);
    if (!followed) return;
    if (this.levels.some((level) => isSameFile(level.from, from))) {
      throw new SysError('copy', ELOOP);
    }
  }

  /** @returns whether it is ours; false: somebody was faster */
  private makeDirectory(pair: Pair, source: Stat): boolean {
    const mode = this.options.preserve.mode ? 0o700 : source.mode & 0o777;
    try {
      mkdirAt(pair.to.at, pair.to.name, mode);
      return true;
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== EEXIST) throw error;
      const found = find(pair.to, !pair.isTop);
      if (found === undefined || fileType(found.mode) !== 'directory') throw error;
      return false;
    }
  }

  private enter(
    pair: Pair,
    source: Directory,
    target: Directory,
    from: Stat,
    isNew: boolean,
  ): void {
    const { preserve } = this.options;
    let mode: number | undefined;
    if (isNew && !preserve.mode && (from.mode & 0o700) !== 0o700) {
      // We have to write into it first.
      mode = fstat(target.fd).mode & 0o7777;
      fchmod(target.fd, mode | 0o700);
    }
    const above = this.levels.at(-1);
    if (above === undefined) {
      this.top = fstat(target.fd);
      if (isSameFile(this.top, from)) throw new SysError('copy', EINVAL);
      if (preserve.links) this.links.open(target.fd);
    }
    const relative = above === undefined ? '' : `${above.relative}${pair.to.name}/`;
    this.levels.push({
      source,
      target,
      from,
      fromPrefix: prefixOf(this.failedFrom),
      toPrefix: prefixOf(this.failedTo),
      relative,
      isNew,
      mode,
      sourceStat: undefined,
      targetStat: undefined,
    });
    if (this.levels.length - this.firstOpen > MOST_OPEN) this.closeOutermost();
  }

  private closeOutermost(): void {
    const level = this.levels[this.firstOpen++]!;
    level.sourceStat = level.from;
    level.source.readAhead();
    level.source.close();
    level.targetStat = fstat(level.target.fd);
    level.target.close();
  }

  /** All that is in it has been copied. */
  private leave(level: Level): void {
    const { source, target, from, mode, isNew } = level;
    const { preserve } = this.options;
    this.failedFrom = level.fromPrefix.slice(0, -1);
    this.failedTo = level.toPrefix.slice(0, -1);
    if (isNew || isAnySet(preserve)) giveAttributes(source.fd, target.fd, from, preserve, mode);
    const above = this.levels.at(-2);
    if (above !== undefined && !above.target.isOpen) {
      this.firstOpen = this.levels.length - 2;
      above.target.adopt(openSame(target.fd, '..', false, above.targetStat!));
      above.source.adopt(this.reopenSource(source.fd, above));
    }
    this.levels.pop();
    source.close();
    target.close();
  }

  private reopenSource(below: Fd, { sourceStat, fromPrefix }: Level): Directory {
    try {
      return openSame(below, '..', false, sourceStat!);
    } catch (error) {
      // What we came to by a link has another parent.
      if (!(error instanceof SysError) || this.options.symlinks !== 'follow') throw error;
      return openSame(AT_FDCWD, fromPrefix, true, sourceStat!);
    }
  }
}

const isSpecial = (type: FileType): boolean =>
  type !== 'regular' && type !== 'directory' && type !== 'symlink';

const isAnySet = ({ mode, owner, times, xattrs }: Preserve): boolean =>
  mode || owner || times || xattrs;

const isNewer = (a: Stat, b: Stat): boolean =>
  a.modified > b.modified || (a.modified === b.modified && a.modifiedNs > b.modifiedNs);

/** @returns false: no more entries, or the directory has been removed */
function advance(directory: Directory): boolean {
  try {
    return directory.next();
  } catch (error) {
    if (error instanceof SysError && error.errno === ENOENT) return false;
    throw error;
  }
}
