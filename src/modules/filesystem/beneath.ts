/** `directory_handle`: the right to what is beneath a directory, for actors that can't open anything. Ours, not Emilua's. */
import { currentIo } from '../../actors/current-io.ts';
import { DirectoryHandle } from '../../actors/directory-handle.ts';
import { FileDescriptor } from '../../actors/file-descriptor.ts';
import { FilePath } from '../../actors/modules.ts';
import { type Access, shareDirectory } from '../../io/directory-server.ts';
import { badArgument } from '../../runtime/error-code.ts';
import type { LuaFunction, LuaValue, Result } from '../../runtime/value.ts';
import { close } from '../../sys/fd.ts';
import { AT_FDCWD, openat2 } from '../../sys/file.ts';
import { callOnPaths, needAddon } from './failing.ts';

const ACCESSES: Readonly<Record<string, Access>> = {
  read_only: { reads: true, writes: false },
  write_only: { reads: false, writes: true },
  read_write: { reads: true, writes: true },
};

const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;

function makeHandle(dir: LuaValue, access: LuaValue): Result {
  const allowed = access === undefined ? 'read_only' : access;
  if (typeof allowed !== 'string' || !Object.hasOwn(ACCESSES, allowed)) throw badArgument(2);
  needAddon();
  if (dir instanceof FileDescriptor) return handleFor(dir.fd, allowed);
  if (!(dir instanceof FilePath)) throw badArgument(1);
  return callOnPaths(() => {
    const fd = openat2(AT_FDCWD, dir.path, O_PATH | O_DIRECTORY, 0, 0);
    try {
      return handleFor(fd, allowed);
    } finally {
      close(fd);
    }
  }, dir.path);
}

const handleFor = (fd: number, access: string): DirectoryHandle =>
  new DirectoryHandle(shareDirectory(fd, ACCESSES[access]!, currentIo()), currentIo());

export const beneath: Record<string, LuaFunction> = { directory_handle: makeHandle };
