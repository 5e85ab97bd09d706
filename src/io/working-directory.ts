/** The working directory of the process. */
import { errnoNumber, SysError } from '../sys/errno.ts';
import { getcwd } from '../sys/filesystem.ts';
import { nativeAvailable } from '../sys/native.ts';

const ENOENT = errnoNumber('ENOENT')!;

/** It has been removed. */
export function isDirectoryLost(): boolean {
  if (!nativeAvailable()) return false;
  try {
    getcwd();
    return false;
  } catch (error) {
    return error instanceof SysError && error.errno === ENOENT;
  }
}
