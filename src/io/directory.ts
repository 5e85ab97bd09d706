/**
 * Reading directories. One that fits into a piece is read whole at once, and its descriptor is closed then,
 * unless somebody needs that: whoever stops in the middle of it leaves nothing open.
 */
import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import { openat2 } from '../sys/file.ts';
import { AT_SYMLINK_NOFOLLOW, getdents64, lastStat, tryStat } from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { type FileType, fileType } from './file-type.ts';
import { closeHeld, hold } from './thread-descriptors.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** struct linux_dirent64: inode, offset, length of the record, type, name and its NUL. */
const AT_LENGTH = 16;
const AT_TYPE = 18;
const AT_NAME = 19;

/** d_type is the type of st_mode, 12 bits lower. */
const UNKNOWN = 0;

/** Shared by all: a piece becomes a string at once. */
const piece = Buffer.allocUnsafeSlow(64 * 1024);

export class Directory {
  /** Of the entry that `next` has come to. */
  name = '';
  private kind = UNKNOWN;
  private descriptor: Fd;
  private text = '';
  private at = 0;
  /** Those of pieces that were read ahead of time. */
  private readonly more: string[] = [];
  private isRead = false;

  constructor(fd: Fd) {
    this.descriptor = fd;
    hold(fd);
  }

  /** -1: it is closed. */
  get fd(): Fd {
    return this.descriptor;
  }

  /** Go to the next entry, which is neither `.` nor `..`. @returns false: there is none */
  next(): boolean {
    for (;;) {
      if (this.at >= this.text.length && !this.refill()) return false;
      const { text, at } = this;
      this.at += text.charCodeAt(at + AT_LENGTH) | (text.charCodeAt(at + AT_LENGTH + 1) << 8);
      const start = at + AT_NAME;
      const name = text.slice(start, text.indexOf('\0', start));
      if (name === '.' || name === '..') continue;
      this.name = name;
      this.kind = text.charCodeAt(at + AT_TYPE);
      return true;
    }
  }

  /** Whether the next `next` has to ask the kernel. */
  get isDry(): boolean {
    return this.at >= this.text.length && this.more.length === 0 && !this.isRead;
  }

  /** What the directory says that the entry is; `unknown` where it doesn't. */
  get type(): FileType {
    return fileType(this.kind << 12);
  }

  private refill(): boolean {
    const text = this.more.shift() ?? this.read();
    this.text = text;
    this.at = 0;
    return text !== '';
  }

  private read(): string {
    if (this.isRead) return '';
    const length = getdents64(this.descriptor, piece);
    if (length === 0) this.isRead = true;
    return piece.toString('latin1', 0, length);
  }

  /** Read what is left, so that the descriptor isn't needed for it any more. At most `pieces`. */
  readAhead(pieces = Number.POSITIVE_INFINITY): void {
    for (; pieces > 0 && !this.isRead; pieces--) {
      const text = this.read();
      if (text !== '') this.more.push(text);
    }
  }

  /** The descriptor is at its start again. */
  restart(): void {
    this.text = '';
    this.at = 0;
    this.more.length = 0;
    this.isRead = false;
  }

  get isReadToTheEnd(): boolean {
    return this.isRead;
  }

  /** What has been read stays. */
  close(): void {
    if (this.descriptor < 0) return;
    closeHeld(this.descriptor);
    this.descriptor = -1;
  }

  /** Take over the descriptor of another object for the same directory. */
  adopt(other: Directory): void {
    this.descriptor = other.descriptor;
    other.descriptor = -1;
  }

  get isOpen(): boolean {
    return this.descriptor >= 0;
  }
}

/** ENOENT, ENOTDIR, EACCES, EMFILE; ELOOP or ENOTDIR: a symbolic link, which isn't to be followed. */
export function openDirectory(at: Fd, path: string, follow: boolean): Directory {
  const flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
  return new Directory(openat2(at, path, flags, 0, 0));
}

/** The type of an entry, where the directory doesn't tell. `unknown`: it has gone. */
export function typeAt(at: Fd, name: string, follow: boolean): FileType {
  const result = tryStat(at, name, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  return result === 0 ? fileType(lastStat().mode) : 'unknown';
}
