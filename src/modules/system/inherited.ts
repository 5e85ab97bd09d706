/** `system`: descriptors that the process was started with, and those of the places of libraries. */
import { newFd } from '../../actors/file-descriptor.ts';
import { openAt } from '../../io/openat.ts';
import { checkInteger } from '../../runtime/check.ts';
import { arrayOf } from '../../runtime/table.ts';
import type { LuaFunction, Result } from '../../runtime/value.ts';
import { SysError } from '../../sys/errno.ts';
import { AT_FDCWD } from '../../sys/file.ts';
import { freebsdAvailable } from '../../sys/native.ts';
import { ldLibraryDirectories } from '../../sys/process.ts';
import { forMaster, needAddon, withAddon } from './part.ts';

/** Digits of those from 3 to 9 that bin/perilune saw: Node opens some of its own there. */
const VARIABLE = 'PERILUNE_LOWFDS';
const inherited = new Set([...(process.env[VARIABLE] ?? '')].map(Number));
delete process.env[VARIABLE];

const O_PATH_DIRECTORY = 0o10000000 | 0o200000;

function openable(path: string): number[] {
  try {
    return [openAt(AT_FDCWD, path, O_PATH_DIRECTORY, 0, 0)];
  } catch (error) {
    if (error instanceof SysError) return [];
    throw error;
  }
}

export const inheritedFunctions: Record<string, LuaFunction> = {
  get_lowfd: forMaster((v): Result => {
    if (!freebsdAvailable()) needAddon();
    const number = checkInteger(v, 1, 'get_lowfd');
    return inherited.delete(number) ? newFd(number) : undefined;
  }),
  get_ld_library_directories: withAddon(() =>
    arrayOf(ldLibraryDirectories().flatMap(openable).map(newFd)),
  ),
};
