/** V8's flags, while it runs (v8-initialization.h), and memory that it takes for another kind. */
import { native, nativeAvailable } from './native.ts';

/**
 * For all threads of the process, from now on. Which of them V8 looks at again is V8's secret.
 * @param flags  as on its command line; it complains on standard error of those that it doesn't know
 * @returns false: this Node doesn't let us
 */
export function setV8Flags(flags: string): boolean {
  return native().set_v8_flags(flags) === 0;
}

/**
 * The same memory as V8's own kind of it.
 * @param bytes  kept for the life of the thread
 * @returns undefined: this Node doesn't let us
 */
export function aliasOf(bytes: Uint8Array): ArrayBuffer | undefined {
  return nativeAvailable() ? native().alias_of(bytes) : undefined;
}
