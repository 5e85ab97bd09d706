/** What files are: status, kinds, size, links, times, space. */
import { openDirectory } from '../../io/directory.ts';
import { fileType } from '../../io/file-type.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { FilePoint, toUnixTime } from '../../runtime/time-point.ts';
import { type LuaFunction, type LuaValue, NONE, Userdata } from '../../runtime/value.ts';
import { errnoNumber, SysError } from '../../sys/errno.ts';
import { AT_FDCWD } from '../../sys/file.ts';
import {
  AT_SYMLINK_NOFOLLOW,
  isSameFile,
  type Space,
  type Stat,
  setModified,
  statAt,
  statfs,
} from '../../sys/filesystem.ts';
import { luaType } from '../define.ts';
import { modifiedAt } from './clock.ts';
import { onPaths } from './failing.ts';
import { checkPath } from './path.ts';

const ENOENT = errnoNumber('ENOENT')!;
const ENOTDIR = errnoNumber('ENOTDIR')!;
const EISDIR = errnoNumber('EISDIR')!;
const ENOTSUP = errnoNumber('ENOTSUP')!;

export const stat = (path: string): Stat => statAt(AT_FDCWD, path, 0);
export const lstat = (path: string): Stat => statAt(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);

/** undefined where there is none. */
export function statIfThere(path: string, flags = 0): Stat | undefined {
  try {
    return statAt(AT_FDCWD, path, flags);
  } catch (error) {
    if (error instanceof SysError && (error.errno === ENOENT || error.errno === ENOTDIR)) {
      return undefined;
    }
    throw error;
  }
}

export class FileStatus extends Userdata {
  readonly type: string;
  readonly mode: number;
  constructor({ mode }: Stat) {
    super();
    this.type = fileType(mode);
    this.mode = mode & 0o7777;
  }
}

luaType('filesystem.file_status', FileStatus, {
  properties: { type: (self) => self.type, mode: (self) => self.mode },
  equals: (a, b) =>
    a instanceof FileStatus && b instanceof FileStatus && a.type === b.type && a.mode === b.mode,
});

class SpaceInfo extends Userdata {
  readonly space: Space;
  constructor(space: Space) {
    super();
    this.space = space;
  }
}

luaType('filesystem.space_info', SpaceInfo, {
  properties: {
    capacity: (self) => self.space.capacity,
    free: (self) => self.space.free,
    available: (self) => self.space.available,
  },
  equals: (a, b) =>
    a instanceof SpaceInfo &&
    b instanceof SpaceInfo &&
    a.space.capacity === b.space.capacity &&
    a.space.free === b.space.free &&
    a.space.available === b.space.available,
});

/** Bytes of a regular file. */
export function sizeOf(found: Stat): number {
  const type = fileType(found.mode);
  if (type === 'regular') return found.size;
  throw new SysError('stat', type === 'directory' ? EISDIR : ENOTSUP);
}

function isEmpty(path: string): boolean {
  const found = stat(path);
  if (fileType(found.mode) !== 'directory') return sizeOf(found) === 0;
  const directory = openDirectory(AT_FDCWD, path, true);
  try {
    return !directory.next();
  } finally {
    directory.close();
  }
}

function isEquivalent(a: string, b: string): boolean {
  const x = statIfThere(a);
  const y = statIfThere(b);
  if (x === undefined && y === undefined) throw new SysError('stat', ENOENT);
  return x !== undefined && y !== undefined && isSameFile(x, y);
}

/** What is asked of one path. */
const query =
  (ask: (path: string) => LuaValue): LuaFunction =>
  (path) => {
    const name = checkPath(path, 1);
    return onPaths(() => ask(name), name);
  };
const is = (...types: string[]): LuaFunction =>
  query((path) => types.includes(fileType(stat(path).mode)));

const linkCount = query((path) => stat(path).links);

export const statusFunctions: Record<string, LuaFunction> = {
  status: query((path) => new FileStatus(stat(path))),
  symlink_status: query((path) => new FileStatus(lstat(path))),
  exists: query((path) => statIfThere(path) !== undefined),
  is_regular_file: is('regular'),
  is_directory: is('directory'),
  is_symlink: query((path) => fileType(lstat(path).mode) === 'symlink'),
  is_fifo: is('fifo'),
  is_socket: is('socket'),
  is_block_device: is('block'),
  is_block_file: is('block'),
  is_character_device: is('character'),
  is_character_file: is('character'),
  is_other: is('block', 'character', 'fifo', 'socket', 'unknown'),
  is_empty: query(isEmpty),
  file_size: query((path) => sizeOf(stat(path))),
  hardlink_count: linkCount,
  hard_link_count: linkCount,
  space: query((path) => new SpaceInfo(statfs(path))),
  equivalent(p1, p2) {
    const a = checkPath(p1, 1);
    const b = checkPath(p2, 2);
    return onPaths(() => isEquivalent(a, b), a, b);
  },
  last_write_time(p, point) {
    const path = checkPath(p, 1);
    if (point === undefined) return onPaths(() => modifiedAt(stat(path)), path);
    if (!(point instanceof FilePoint)) throw badArgument(2);
    onPaths(() => setModified(path, AT_FDCWD, ...toUnixTime(point)), path);
    return NONE;
  },
};
