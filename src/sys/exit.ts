/** The end of a process, without what the C library and Node would do before. */
import { native } from './native.ts';

/** _exit(2) */
export function exitNow(code: number): never {
  native().exit_now(code);
  throw new Error('unreachable');
}
