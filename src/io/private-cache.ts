/**
 * Bytes that a later process of the same user may find again, by name: files in `perilune`, a directory of the
 * user's own in that for caches. What is found is given to V8, which trusts it, so nobody else may have
 * written it:
 *
 * - The directory for caches, the one in it and each entry are looked at through the descriptors that are used
 *   then. They must belong to the effective user, and be writable to no one else; the last two are no links.
 *   All names are relative to a descriptor (openat2(2)), so that nothing can be put in between.
 * - An entry begins with an HMAC of its name and its bytes, by a key in the same directory that only the user
 *   can read. So a process that may write here but not read (a jail that was given the directory by mistake),
 *   an entry under the name of another, one from another machine or a damaged one are refused.
 * - An entry is written to a file of its own and renamed: readers see the whole, and writers don't meet.
 *
 * Whoever can read the key and write here is the user, or root, and needs no cache to run code as the user.
 * A cache that can't be used for any reason is none: no error leaves this file.
 */
import { Buffer } from 'node:buffer';
import { constants, futimesSync } from 'node:fs';
import { hmacSha256, randomBytes, sha256 } from '../sys/digest.ts';
import { EINTR, SysError } from '../sys/errno.ts';
import { close, read, write } from '../sys/fd.ts';
import { AT_FDCWD, openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../sys/file.ts';
import {
  AT_SYMLINK_NOFOLLOW,
  fstat,
  linkAt,
  mkdirAt,
  renameAt,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  type Stat,
  statAt,
  unlinkAt,
} from '../sys/filesystem.ts';
import { type Fd, nativeAvailable } from '../sys/native.ts';
import { Directory } from './directory.ts';
import { roomyBytes } from './roomy.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } =
  constants;

const FOLDER = 'perilune';
const KEY = 'key';
const KEY_LENGTH = 32;

/** At the start of an entry; its version is a part of it. */
const MAGIC = Buffer.from('PLcache1', 'latin1');
const MAC_LENGTH = 32;
const HEAD = MAGIC.length + MAC_LENGTH + 4;
const MAX_PARTS = 16;
const WRITABLE_BY_OTHERS = 0o022;

export interface CacheLimits {
  /** bytes, of one entry and of all */
  readonly entry: number;
  readonly all: number;
}

const LIMITS: CacheLimits = { entry: 64 * 2 ** 20, all: 256 * 2 ** 20 };

/** Seconds after which a file that was never finished is nobody's, and between two notes that an entry is used. */
const ABANDONED_AFTER = 600;
const NOTED_EVERY = 24 * 3600;

const now = (): number => Math.floor(Date.now() / 1000);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Takes as long whatever differs. */
function areSame(a: Uint8Array, b: Uint8Array): boolean {
  let different = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) different |= a[i]! ^ (b[i] ?? 0);
  return different === 0;
}

/** The name for what these strings (bytes as code units) lead to. */
export function contentName(parts: readonly string[]): string {
  const heads = parts.map(({ length }) => `${length}:`);
  const bytes = roomyBytes([...heads, ...parts].reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  parts.forEach((part, i) => {
    at += bytes.write(heads[i]!, at, 'latin1');
    at += bytes.write(part, at, 'latin1');
  });
  return hex(sha256([bytes]));
}

export class PrivateCache {
  private readonly folder: Fd;
  private readonly owner: number;
  private readonly key: Buffer;
  private readonly limits: CacheLimits;

  private constructor(folder: Fd, owner: number, key: Buffer, limits: CacheLimits) {
    this.folder = folder;
    this.owner = owner;
    this.key = key;
    this.limits = limits;
  }

  /**
   * @param base  the user's directory for caches, absolute, bytes as code units; made where only it is missing
   * @returns undefined: there is no such directory that could be trusted, or none can be made
   */
  static open(base: string, limits = LIMITS): PrivateCache | undefined {
    const owner = process.geteuid?.();
    // What is a file of the user before may be one of another's program after.
    if (owner === undefined || owner !== process.getuid!()) return undefined;
    if (process.versions.openssl === undefined || !nativeAvailable()) return undefined;
    let parent: Fd | undefined;
    let folder: Fd | undefined;
    try {
      parent = openFolder(AT_FDCWD, base, owner, 0);
      folder = openFolder(parent, FOLDER, owner, O_NOFOLLOW);
      const key = readKey(folder, owner) ?? makeKey(folder, owner);
      if (key === undefined) return undefined;
      const cache = new PrivateCache(folder, owner, key, limits);
      folder = undefined;
      return cache;
    } catch {
      return undefined;
    } finally {
      if (parent !== undefined) close(parent);
      if (folder !== undefined) close(folder);
    }
  }

  close(): void {
    close(this.folder);
  }

  /** @returns the parts of an entry; undefined: there is none that could be trusted */
  read(name: string): Buffer[] | undefined {
    let fd: Fd | undefined;
    try {
      fd = openat2(this.folder, name, O_RDONLY | ALWAYS, 0, INSIDE);
      const stat = fstat(fd);
      const parts = isPrivateFile(stat, this.owner)
        ? this.partsOf(name, readAll(fd, stat.size, this.limits.entry))
        : undefined;
      if (parts === undefined) unlinkAt(this.folder, name, 0);
      else if (now() - stat.modified > NOTED_EVERY) futimesSync(fd, now(), now());
      return parts;
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) close(fd);
    }
  }

  private partsOf(name: string, bytes: Buffer | undefined): Buffer[] | undefined {
    if (bytes === undefined || bytes.length < HEAD) return undefined;
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const body = bytes.subarray(MAGIC.length + MAC_LENGTH);
    const mac = bytes.subarray(MAGIC.length, MAGIC.length + MAC_LENGTH);
    if (!areSame(mac, this.mac(name, [body]))) return undefined;
    const count = body.readUInt32LE(0);
    let at = 4 + 4 * count;
    const parts: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const length = body.readUInt32LE(4 + 4 * i);
      parts.push(body.subarray(at, at + length));
      at += length;
    }
    return at === body.length ? parts : undefined;
  }

  private mac(name: string, body: readonly Uint8Array[]): Uint8Array {
    return hmacSha256(this.key, [Buffer.from(`${name}:`, 'latin1'), ...body]);
  }

  /** The name stands for these parts from now on, unless that can't be. At most 16 parts. */
  write(name: string, parts: readonly Uint8Array[]): void {
    const lengths = Buffer.alloc(4 + 4 * parts.length);
    lengths.writeUInt32LE(parts.length);
    parts.forEach((part, i) => {
      lengths.writeUInt32LE(part.length, 4 + 4 * i);
    });
    const body = [lengths, ...parts];
    const size = body.reduce((sum, part) => sum + part.length, MAGIC.length + MAC_LENGTH);
    if (size > this.limits.entry || parts.length > MAX_PARTS) return;
    const pending = `${name}.${process.pid}-${hex(randomBytes(8))}`;
    try {
      writeNew(this.folder, pending, [MAGIC, this.mac(name, body), ...body]);
      renameAt(this.folder, pending, this.folder, name);
      this.makeRoom(name);
    } catch {
      unlinkAt(this.folder, pending, 0);
    }
  }

  /** The oldest go, until all fit. */
  private makeRoom(newest: string): void {
    const entries: { name: string; size: number; modified: number }[] = [];
    let total = 0;
    const directory = new Directory(
      openat2(this.folder, '.', O_RDONLY | O_DIRECTORY | ALWAYS, 0, INSIDE),
    );
    try {
      while (directory.next()) {
        const { name } = directory;
        if (name === KEY) continue;
        try {
          const { size, modified, mode } = statAt(this.folder, name, AT_SYMLINK_NOFOLLOW);
          if ((mode & S_IFMT) !== S_IFREG) continue;
          if (name.includes('.') && now() - modified > ABANDONED_AFTER) {
            unlinkAt(this.folder, name, 0);
            continue;
          }
          entries.push({ name, size, modified });
          total += size;
        } catch {
          // another process was faster
        }
      }
    } finally {
      directory.close();
    }
    entries.sort((a, b) => a.modified - b.modified);
    for (const { name, size } of entries) {
      if (total <= this.limits.all) break;
      if (name === newest) continue;
      unlinkAt(this.folder, name, 0);
      total -= size;
    }
  }
}

const ENOENT = 2;
const ALWAYS = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
/** One component, that is no link. */
const INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

/** @throws  where it can't be opened or made, or others could change what is in it */
function openFolder(parent: Fd, path: string, owner: number, flags: number): Fd {
  const open = (): Fd =>
    openat2(parent, path, O_RDONLY | O_DIRECTORY | flags, 0, parent === AT_FDCWD ? 0 : INSIDE);
  let fd: Fd;
  try {
    fd = open();
  } catch {
    try {
      mkdirAt(parent, path, 0o700);
    } catch {
      // another process was faster, or it is what can't be opened
    }
    fd = open();
  }
  try {
    const { mode, owner: actual } = fstat(fd);
    const isFolder = (mode & S_IFMT) === S_IFDIR;
    if (isFolder && actual === owner && (mode & WRITABLE_BY_OTHERS) === 0) return fd;
  } catch {
    // no more is known
  }
  close(fd);
  throw new Error('somebody else may write to it');
}

const isPrivateFile = ({ mode, owner }: Stat, user: number): boolean =>
  (mode & S_IFMT) === S_IFREG && owner === user && (mode & WRITABLE_BY_OTHERS) === 0;

/** @returns undefined: it is longer, or shorter than it was */
function readAll(fd: Fd, size: number, limit: number): Buffer | undefined {
  if (size > limit) return undefined;
  const bytes = roomyBytes(size);
  for (let at = 0; at < size; ) {
    const n = read(fd, bytes, at, size - at);
    if (n > 0) at += n;
    else if (n !== -EINTR) return undefined;
  }
  return bytes;
}

/** @throws  it could not be written whole */
function writeNew(folder: Fd, name: string, parts: readonly Uint8Array[]): void {
  const fd = openat2(folder, name, O_WRONLY | O_CREAT | O_EXCL | ALWAYS, 0o600, INSIDE);
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length; ) {
        const n = write(fd, part, at, part.length - at);
        if (n > 0) at += n;
        else if (n !== -EINTR) throw new SysError('write', -n);
      }
    }
  } finally {
    close(fd);
  }
}

function readKey(folder: Fd, owner: number): Buffer | undefined {
  let fd: Fd | undefined;
  try {
    fd = openat2(folder, KEY, O_RDONLY | ALWAYS, 0, INSIDE);
    const stat = fstat(fd);
    const isSecret = isPrivateFile(stat, owner) && (stat.mode & 0o077) === 0;
    if (isSecret && stat.size === KEY_LENGTH) return readAll(fd, KEY_LENGTH, KEY_LENGTH);
  } catch (fault) {
    if (fault instanceof SysError && fault.errno === ENOENT) return undefined;
  } finally {
    if (fd !== undefined) close(fd);
  }
  // It may have been seen, or is no key.
  unlinkAt(folder, KEY, 0);
  return undefined;
}

/** The one that is there then: others may be at it, too. */
function makeKey(folder: Fd, owner: number): Buffer | undefined {
  const pending = `${KEY}.${process.pid}-${hex(randomBytes(8))}`;
  try {
    writeNew(folder, pending, [randomBytes(KEY_LENGTH)]);
    linkAt(folder, pending, folder, KEY, 0);
  } catch {
    // it is there
  }
  unlinkAt(folder, pending, 0);
  return readKey(folder, owner);
}
