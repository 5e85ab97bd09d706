/** V8's flags, while it runs: v8-initialization.h. */
import { native } from './native.ts';

/**
 * For all threads of the process, from now on. Which of them V8 looks at again is V8's secret.
 * @param flags  as on its command line; it complains on standard error of those that it doesn't know
 * @returns false: this Node doesn't let us
 */
export function setV8Flags(flags: string): boolean {
  return native().set_v8_flags(flags) === 0;
}
