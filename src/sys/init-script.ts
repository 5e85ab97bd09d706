/** The native side of init.script: see native/init_script.c. The script itself is run by sandbox/. */
import { ok } from './errno.ts';
import { native } from './native.ts';

/** The bytes of the WebAssembly module with Lua in it. */
export function initScriptModule(): ArrayBuffer {
  return native().init_script_module();
}

/** The linear memory that the script's calls work on; its stack is from about here on. */
export function initScriptBegin(memory: ArrayBuffer): void {
  ok('init_script_begin', native().init_script_begin(memory));
}

/** What the script calls, for WebAssembly to import: numbers in, number out. */
export function initScriptCall(): (call: number, at: number) => number {
  return native().init_script_call;
}

/**
 * Zero the linear memory, and all of the stack that is deeper than the caller's.
 * EFAULT: the caller isn't shallower by 4 KiB than that of `initScriptBegin`.
 */
export function initScriptWipe(): void {
  ok('init_script_wipe', native().init_script_wipe());
}

/** End the process, with a message and status 1, after so many milliseconds; 0: no longer. timer_create(2) */
export function initScriptDeadline(milliseconds: number): void {
  ok('timer_create', native().init_script_deadline(milliseconds));
}
