/**
 * Errors of this module: those of functions that std::filesystem has are of the category `generic`, those
 * of plain system calls of `system`; they name the paths that were given.
 */
import { FilePath } from '../../actors/modules.ts';
import {
  categoryError,
  codeError,
  type ErrorCategory,
  type Extra,
  genericCategory,
  systemCategory,
} from '../../runtime/error-code.ts';
import { SysError } from '../../sys/errno.ts';
import { nativeAvailable } from '../../sys/native.ts';

function translate(
  thrown: unknown,
  category: ErrorCategory,
  path1: string | undefined,
  path2: string | undefined,
): unknown {
  if (!(thrown instanceof SysError)) return thrown;
  const extra: Record<string, FilePath> = {};
  if (path1 !== undefined) extra.path1 = new FilePath(path1);
  if (path2 !== undefined) extra.path2 = new FilePath(path2);
  return categoryError(category, thrown.errno, extra as Extra);
}

/** As std::filesystem's functions fail. */
export const genericError = (thrown: unknown, path1?: string, path2?: string): unknown =>
  translate(thrown, genericCategory, path1, path2);

function run<T>(category: ErrorCategory, paths: readonly string[], call: () => T): T {
  needAddon();
  try {
    return call();
  } catch (thrown) {
    throw translate(thrown, category, paths[0], paths[1]);
  }
}

/** ENOSYS: nothing here works without the addon */
export function needAddon(): void {
  if (!nativeAvailable()) throw codeError('ENOSYS');
}

/** A function of std::filesystem on these paths. */
export const onPaths = <T>(call: () => T, ...paths: string[]): T =>
  run(genericCategory, paths, call);

/** A system call on these paths. */
export const callOnPaths = <T>(call: () => T, ...paths: string[]): T =>
  run(systemCategory, paths, call);
