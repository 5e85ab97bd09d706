/**
 * Copying the contents of a file, a piece at a time: shared blocks where the file system can do that, copied
 * inside the kernel where that can, holes as holes. A file that was made for the copy and isn't whole is
 * taken away again.
 */
import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import {
  EBADF,
  EINTR,
  EINVAL,
  ENOSYS,
  EOPNOTSUPP,
  EPERM,
  errnoNumber,
  ok,
  SysError,
} from '../sys/errno.ts';
import { close, read, write } from '../sys/fd.ts';
import { lseek, openat2, SEEK_SET } from '../sys/file.ts';
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  copyFileRange,
  ficlone,
  fstat,
  ftruncate,
  isSameFile,
  lastStat,
  S_IFMT,
  S_IFREG,
  type Stat,
  tryStat,
  unlinkAt,
} from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { giveAttributes, type Preserve } from './attributes.ts';
import type { Place } from './find.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
const EEXIST = errnoNumber('EEXIST')!;
const ENXIO = errnoNumber('ENXIO')!;
const EXDEV = errnoNumber('EXDEV')!;
const ETXTBSY = errnoNumber('ETXTBSY')!;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Bytes of a step. */
const PIECE = 256 * 1024;
/** Up to this size reading and writing is cheaper than having the kernel copy, or share. */
const SMALL = 64 * 1024;
const bytes = Buffer.allocUnsafeSlow(SMALL);

/** Not between these files, but perhaps by reading and writing. */
const NOT_IN_KERNEL: ReadonlySet<number> = new Set(
  [EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EBADF, ETXTBSY, EPERM].map((errno) => -errno),
);

/** Pairs of file systems that can't share blocks, `from:to`. */
const cannotShare = new Set<string>();

export class FileCopy {
  private source: Fd;
  private target: Fd = -1;
  private readonly from: Stat;
  private readonly to: Place;
  private readonly preserve: Preserve;
  private isNew = false;
  private isShared = false;
  private mode: number | undefined;
  private inKernel: boolean;
  private readonly sparse: boolean;
  /** In a sparse file: where we are, and where the data ends. */
  private position = 0;
  private dataEnd = 0;

  /**
   * Open the source.
   * @param follow  symbolic links; otherwise ELOOP
   * @throws SysError  EINVAL: it is no regular file
   */
  constructor(from: Place, follow: boolean, to: Place, preserve: Preserve) {
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
    this.source = openat2(from.at, from.name, flags, 0, 0);
    this.to = to;
    this.preserve = preserve;
    try {
      this.from = fstat(this.source);
      if ((this.from.mode & S_IFMT) !== S_IFREG) throw new SysError('copy', EINVAL);
    } catch (error) {
      this.close();
      throw error;
    }
    this.inKernel = this.from.size > SMALL;
    this.sparse = this.from.size > SMALL && this.from.blocks * 512 < this.from.size;
  }

  get stat(): Stat {
    return this.from;
  }

  /** Make the target. EEXIST */
  create(): void {
    // Not for others before it has the owner that it shall have.
    const mode = this.preserve.owner ? 0o600 : this.from.mode & 0o777;
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY;
    this.target = openat2(this.to.at, this.to.name, flags, mode, 0);
    this.isNew = true;
    this.mode = this.from.mode & 0o7777;
    this.share();
  }

  /** Write over what is there. EINVAL: no regular file; EEXIST: it is the source */
  overwrite(follow: boolean): void {
    const flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
    this.target = openat2(this.to.at, this.to.name, flags, 0, 0);
    const there = fstat(this.target);
    if ((there.mode & S_IFMT) !== S_IFREG) throw new SysError('copy', EINVAL);
    if (isSameFile(there, this.from)) throw new SysError('copy', EEXIST);
    ftruncate(this.target, 0);
    this.mode = this.from.mode & 0o7777;
    this.share();
  }

  private share(): void {
    const { size, device } = this.from;
    if (size <= SMALL) return;
    const pair = `${device}:${fstat(this.target).device}`;
    if (cannotShare.has(pair)) return;
    if (ficlone(this.target, this.source) === 0) this.isShared = true;
    else cannotShare.add(pair);
  }

  /** Copy a piece. @returns true: all is there, and the copy is closed */
  step(): boolean {
    if (!this.isShared && !this.copyPiece()) return false;
    giveAttributes(this.source, this.target, this.from, this.preserve, this.mode);
    const { target } = this;
    this.target = -1;
    const result = close(target); // a file system may tell only now that there is no room
    if (result < 0 && result !== -EINTR) {
      this.forget();
      ok('close', result);
    }
    this.close();
    return true;
  }

  /** @returns true: that was the last one */
  private copyPiece(): boolean {
    let most = PIECE;
    if (this.sparse) {
      if (this.position >= this.dataEnd && !this.toData()) return true;
      most = Math.min(most, this.dataEnd - this.position);
    }
    if (this.inKernel) {
      const count = copyFileRange(this.source, this.target, most);
      if (count > 0) {
        this.position += count;
        return false;
      }
      if (count < 0 && !NOT_IN_KERNEL.has(count)) ok('copy_file_range', count);
      if (count === 0 && this.position > 0) return this.isEnd();
      this.inKernel = false;
    }
    return this.copyByHand(most);
  }

  /** The file may have been cut off in the middle of what was data. */
  private isEnd(): boolean {
    if (this.sparse) ftruncate(this.target, this.position);
    return true;
  }

  private copyByHand(most: number): boolean {
    for (let done = 0; done < most; ) {
      const wanted = Math.min(SMALL, most - done);
      const count = ok(
        'read',
        retry(() => read(this.source, bytes, 0, wanted)),
      );
      if (count === 0) return this.isEnd();
      for (let at = 0; at < count; ) {
        at += ok(
          'write',
          retry(() => write(this.target, bytes, at, count - at)),
        );
      }
      done += count;
      this.position += count;
      // What it had when we began: a file that grows is as good as copied before.
      if (this.position === this.from.size && !this.sparse) return true;
    }
    return false;
  }

  /** Skip a hole. @returns false: there is no more data */
  private toData(): boolean {
    try {
      this.position = lseek(this.source, this.position, SEEK_DATA);
    } catch (error) {
      if (!(error instanceof SysError) || error.errno !== ENXIO) throw error;
      ftruncate(this.target, fstat(this.source).size);
      return false;
    }
    this.dataEnd = lseek(this.source, this.position, SEEK_HOLE);
    lseek(this.source, this.position, SEEK_SET);
    lseek(this.target, this.position, SEEK_SET);
    return true;
  }

  /** A copy that isn't whole goes away, unless somebody has put something else in its place. */
  close(): void {
    if (this.target >= 0) {
      const isKnown = this.isNew && tryStat(this.target, '', AT_EMPTY_PATH) === 0;
      const made = isKnown ? lastStat() : undefined;
      close(this.target);
      this.target = -1;
      if (made !== undefined) this.forget(made);
    }
    if (this.source >= 0) close(this.source);
    this.source = -1;
  }

  private forget(made?: Stat): void {
    const { at, name } = this.to;
    if (made !== undefined) {
      const found = tryStat(at, name, AT_SYMLINK_NOFOLLOW);
      if (found !== 0 || !isSameFile(lastStat(), made)) return;
    } else if (!this.isNew) return;
    unlinkAt(at, name, 0);
  }
}

function retry(call: () => number): number {
  let result: number;
  do result = call();
  while (result === -EINTR);
  return result;
}
