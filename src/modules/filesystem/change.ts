/** Changing what is on the disk, one call at a time: directories, links, special files, attributes. */
import { newFd } from '../../actors/file-descriptor.ts';
import { OPENAT_FLAGS, openAt } from '../../io/openat.ts';
import { checkIntegerIn, checkOffset, checkUint32 } from '../../runtime/check.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { checkFlags } from '../../runtime/flags.ts';
import { type LuaFunction, type LuaValue, NONE } from '../../runtime/value.ts';
import { EPERM, errnoNumber, ok, SysError } from '../../sys/errno.ts';
import { AT_FDCWD } from '../../sys/file.ts';
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  chmodAt,
  linkAt,
  mkdirAt,
  mknodAt,
  readlinkAt,
  renameAt,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  symlinkAt,
  truncate,
  tryChownAt,
  unlinkAt,
} from '../../sys/filesystem.ts';
import { callOnPaths, onPaths } from './failing.ts';
import { checkPath, paths } from './path.ts';
import { stat, statIfThere } from './status.ts';

const EEXIST = errnoNumber('EEXIST')!;
const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;
const EISDIR = errnoNumber('EISDIR')!;

const isDirectory = (path: string): boolean => {
  const found = statIfThere(path);
  return found !== undefined && (found.mode & S_IFMT) === S_IFDIR;
};

/** @returns false: there is such a directory */
function makeDirectory(path: string, mode: number): boolean {
  try {
    mkdirAt(AT_FDCWD, path, mode);
    return true;
  } catch (error) {
    if (error instanceof SysError && error.errno === EEXIST && isDirectory(path)) return false;
    throw error;
  }
}

function modeOfDirectory(path: string): number {
  const { mode } = stat(path);
  if ((mode & S_IFMT) !== S_IFDIR) throw new SysError('stat', ENOTDIR);
  return mode & 0o7777;
}

/** @returns whether the last one has been made */
function makeDirectories(path: string): boolean {
  // With the trailing separator of a directory, the last name is empty.
  const whole = paths.filename(path) === '' ? paths.parentPath(path) : path;
  if (whole === '') throw new SysError('mkdir', ENOENT);
  const missing: string[] = [];
  for (let at = whole; at !== ''; ) {
    const found = statIfThere(at);
    if (found !== undefined) {
      if ((found.mode & S_IFMT) !== S_IFDIR) throw new SysError('mkdir', ENOTDIR);
      break;
    }
    missing.push(at);
    const parent = paths.parentPath(at);
    if (parent === at) break;
    at = parent;
  }
  let made = false;
  for (const one of missing.reverse()) {
    if (paths.filename(one) === '.' || paths.filename(one) === '..') continue;
    made = makeDirectory(one, 0o777);
  }
  return made;
}

/** @returns false: there was none */
function remove(path: string): boolean {
  let result = unlinkAt(AT_FDCWD, path, 0);
  if (result === -EISDIR || result === -EPERM) {
    const asDirectory = unlinkAt(AT_FDCWD, path, AT_REMOVEDIR);
    if (asDirectory !== -ENOTDIR) result = asDirectory;
  }
  if (result === -ENOENT) return false;
  ok('unlink', result);
  return true;
}

/** A function of two paths. */
const between =
  (call: (a: string, b: string) => void): LuaFunction =>
  (p1, p2) => {
    const a = checkPath(p1, 1);
    const b = checkPath(p2, 2);
    onPaths(() => call(a, b), a, b);
    return NONE;
  };

const changeMode =
  (fn: string, flags: number): LuaFunction =>
  (p, modeArg) => {
    const path = checkPath(p, 1);
    const mode = checkUint32(modeArg, 2, fn) & 0o7777;
    onPaths(() => chmodAt(AT_FDCWD, path, mode, flags), path);
    return NONE;
  };

/** Of a user or a group; -1 keeps it. */
const checkId = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, -1, 2 ** 32 - 1);

const changeOwner =
  (fn: string, flags: number): LuaFunction =>
  (p, ownerArg, groupArg) => {
    const path = checkPath(p, 1);
    const owner = checkId(ownerArg, 2, fn);
    const group = checkId(groupArg, 3, fn);
    callOnPaths(() => ok('chown', tryChownAt(AT_FDCWD, path, owner, group, flags)), path);
    return NONE;
  };

const hardLink = between((target, link) => linkAt(AT_FDCWD, target, AT_FDCWD, link, 0));
const symlink = between((target, link) => symlinkAt(target, AT_FDCWD, link));

// ── numbers of devices: makedev(3) ─────────────────────────────────────────────────────────────────

const low = (n: number, bits: number): number => n % 2 ** bits;
const high = (n: number, bits: number): number => Math.floor(n / 2 ** bits);

function makeDevice(majorArg: LuaValue, minorArg: LuaValue): number {
  const major = checkUint32(majorArg, 1, 'makedev');
  const minor = checkUint32(minorArg, 2, 'makedev');
  return (
    low(minor, 8) + low(major, 12) * 2 ** 8 + high(minor, 8) * 2 ** 20 + high(major, 12) * 2 ** 44
  );
}

const majorOf = (device: number): number => low(high(device, 8), 12) + high(device, 44) * 2 ** 12;
const minorOf = (device: number): number => low(device, 8) + low(high(device, 20), 24) * 2 ** 8;

/** The number of a device has 64 bits; those from 2^53 on are not exact. */
const checkDevice = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, 0, 2 ** 64 - 2 ** 11);

const DEVICE_TYPES: Readonly<Partial<Record<string, number>>> = {
  __proto__: null as never,
  character: S_IFCHR,
  block: S_IFBLK,
};

function deviceType(type: LuaValue): number {
  if (type === undefined) return 0;
  const bits = typeof type === 'string' ? DEVICE_TYPES[type] : undefined;
  if (bits === undefined) throw badArgument(4);
  return bits;
}

/** Of new files where nobody says: less the umask. */
const FILE_MODE = 0o666;

export const changeFunctions: Record<string, LuaFunction> = {
  create_directory(p, like) {
    const path = checkPath(p, 1);
    if (like === undefined) return onPaths(() => makeDirectory(path, 0o777), path);
    const model = checkPath(like, 2);
    return onPaths(() => makeDirectory(path, modeOfDirectory(model)), path, model);
  },
  create_directories(p) {
    const path = checkPath(p, 1);
    return onPaths(() => makeDirectories(path), path);
  },
  mkdir(p, modeArg) {
    const path = checkPath(p, 1);
    const mode = checkUint32(modeArg, 2, 'mkdir');
    callOnPaths(() => mkdirAt(AT_FDCWD, path, mode), path);
    return NONE;
  },
  mkfifo(p, modeArg) {
    const path = checkPath(p, 1);
    const mode = checkUint32(modeArg, 2, 'mkfifo');
    callOnPaths(() => mknodAt(AT_FDCWD, path, (mode & ~S_IFMT) | S_IFIFO, 0), path);
    return NONE;
  },
  mknod(p, modeArg, deviceArg, type) {
    const path = checkPath(p, 1);
    const mode = checkUint32(modeArg, 2, 'mknod');
    const device = checkDevice(deviceArg, 3, 'mknod');
    const bits = deviceType(type);
    callOnPaths(() => mknodAt(AT_FDCWD, path, mode | bits, device), path);
    return NONE;
  },
  makedev: makeDevice,
  dev_major: (device) => majorOf(checkDevice(device, 1, 'dev_major')),
  dev_minor: (device) => minorOf(checkDevice(device, 1, 'dev_minor')),
  create_hardlink: hardLink,
  create_hard_link: hardLink,
  create_symlink: symlink,
  create_directory_symlink: symlink,
  copy_symlink: between((from, to) => symlinkAt(readlinkAt(AT_FDCWD, from), AT_FDCWD, to)),
  rename: between((from, to) => renameAt(AT_FDCWD, from, AT_FDCWD, to)),
  remove(p) {
    const path = checkPath(p, 1);
    return onPaths(() => remove(path), path);
  },
  resize_file(p, sizeArg) {
    const path = checkPath(p, 1);
    const size = checkOffset(sizeArg, 2, 'resize_file');
    onPaths(() => truncate(path, size), path);
    return NONE;
  },
  chmod: changeMode('chmod', 0),
  lchmod: changeMode('lchmod', AT_SYMLINK_NOFOLLOW),
  chown: changeOwner('chown', 0),
  lchown: changeOwner('lchown', AT_SYMLINK_NOFOLLOW),
  open(p, flagsArg, modeArg) {
    const path = checkPath(p, 1);
    if (flagsArg === undefined) throw badArgument(2);
    const flags = checkFlags(flagsArg, OPENAT_FLAGS, 2);
    const mode = modeArg === undefined ? FILE_MODE : checkUint32(modeArg, 3, 'open');
    return newFd(callOnPaths(() => openAt(AT_FDCWD, path, flags, 0, mode), path));
  },
};
