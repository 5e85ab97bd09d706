/** Where paths lead: absolute, canonical and relative forms, the working directory, the root. */
import { checkFd, FileDescriptor } from '../../actors/file-descriptor.ts';
import { FilePath } from '../../actors/modules.ts';
import { currentVm } from '../../actors/vm.ts';
import { checkBits, checkIntegerIn } from '../../runtime/check.ts';
import { codeError, systemError } from '../../runtime/error-code.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { EINVAL, errnoNumber, SysError } from '../../sys/errno.ts';
import { close } from '../../sys/fd.ts';
import { AT_FDCWD, openat2 } from '../../sys/file.ts';
import {
  chroot,
  fchdir,
  getcwd,
  readlinkAt,
  realpath,
  S_IFDIR,
  S_IFMT,
  umask,
} from '../../sys/filesystem.ts';
import { nativeAvailable } from '../../sys/native.ts';
import { callOnPaths, needAddon, onPaths } from './failing.ts';
import { checkPath, paths } from './path.ts';
import { stat, statIfThere } from './status.ts';

const O_DIRECTORY = 0o200000;
const O_PATH = 0o10000000;
/** Of one class of `mode`: that of the user is shifted furthest. */
const MOST_BITS = 2 ** 24;
const ENOTDIR = errnoNumber('ENOTDIR')!;

/** @throws LuaError  EPERM: not the VM that may change what belongs to the process */
export function checkMaster(): void {
  if (!currentVm().isMaster) throw codeError('EPERM');
}

function absolute(path: string): string {
  if (path === '') throw new SysError('absolute', EINVAL);
  return paths.isAbsolute(path) ? path : paths.join(getcwd(), path);
}

/** Without links as far as it exists, by its text behind that. */
function weaklyCanonical(path: string): string {
  const names = paths.elements(path);
  let there = '';
  let i = 0;
  for (; i < names.length; i++) {
    const next = paths.join(there, names[i]!);
    if (statIfThere(next) === undefined) break;
    there = next;
  }
  let result = there === '' ? '' : realpath(there);
  for (; i < names.length; i++) result = paths.join(result, names[i]!);
  return paths.normal(result);
}

function temporaryDirectory(): string {
  const { env } = process;
  const named = env.TMPDIR ?? env.TMP ?? env.TEMP ?? env.TEMPDIR;
  return named === undefined ? '/tmp' : Buffer.from(named, 'utf8').toString('latin1');
}

/** From `base`, or else the working directory. */
const measured =
  (how: 'relativeTo' | 'proximateTo'): LuaFunction =>
  (p, baseArg) => {
    const path = checkPath(p, 1);
    const base = baseArg === undefined ? undefined : checkPath(baseArg, 2);
    const given = base === undefined ? [path] : [path, base];
    const from = (): string => weaklyCanonical(base ?? getcwd());
    return new FilePath(onPaths(() => paths[how](weaklyCanonical(path), from()), ...given));
  };

const mapped =
  (how: (path: string) => string): LuaFunction =>
  (p) => {
    const path = checkPath(p, 1);
    return new FilePath(onPaths(() => how(path), path));
  };

/** Node remembers it, and has to look again. */
function changeDirectory(fd: number): void {
  fchdir(fd);
  try {
    process.chdir('.');
  } catch {
    // We are there; nobody else may be able to go there by name.
  }
}

function workingDirectory(to: LuaValue): Result {
  needAddon();
  if (to === undefined) {
    try {
      return new FilePath(getcwd());
    } catch (error) {
      throw error instanceof SysError ? systemError(error.errno) : error;
    }
  }
  checkMaster();
  if (to instanceof FileDescriptor) {
    changeDirectory(checkFd(to, 1).fd);
    return NONE;
  }
  const path = checkPath(to, 1);
  onPaths(() => {
    const fd = openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0, 0);
    try {
      changeDirectory(fd);
    } finally {
      close(fd);
    }
  }, path);
  return NONE;
}

function changeMask(mask: LuaValue): Result {
  checkMaster();
  const bits = checkBits(mask, 1, 'umask', 0o777);
  // Node's is for the main thread only.
  return nativeAvailable() ? umask(bits) : process.umask(bits);
}

export const placeFunctions: Record<string, LuaFunction> = {
  absolute: mapped(absolute),
  canonical: mapped(realpath),
  weakly_canonical: mapped(weaklyCanonical),
  relative: measured('relativeTo'),
  proximate: measured('proximateTo'),
  read_symlink: mapped((path) => readlinkAt(AT_FDCWD, path)),
  temp_directory_path() {
    const path = temporaryDirectory();
    return onPaths(() => {
      if ((stat(path).mode & S_IFMT) !== S_IFDIR) throw new SysError('stat', ENOTDIR);
      return new FilePath(path);
    }, path);
  },
  current_working_directory: workingDirectory,
  chroot(p) {
    checkMaster();
    const path = checkPath(p, 1);
    callOnPaths(() => chroot(path), path);
    return NONE;
  },
  umask: changeMask,
  mode(user, group, other) {
    const bits = (v: LuaValue, position: number): number =>
      checkIntegerIn(v, position, 'mode', 0, MOST_BITS);
    return (bits(user, 1) << 6) | (bits(group, 2) << 3) | bits(other, 3);
  },
};
