/** Signals of the process: native/signal.c says how they arrive. Signals are numbers of signal(7). */
import { ok } from './errno.ts';
import { type Fd, native } from './native.ts';

export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGURG = 23;
export const SIGWINCH = 28;

/** The highest number; 0 is none. */
export const LAST_SIGNAL = 64;

export const DISPOSITION_DEFAULT = 0;
export const DISPOSITION_IGNORE = 1;

/** What becomes readable with the signals that are watched. Once a thread, which closes it. EMFILE */
export function openSignals(): Fd {
  return ok('eventfd', native().signal_open());
}

/** From now on the signal is counted, and has no other effect. EINVAL: none that can be caught. sigaction(2) */
export function watchSignal(signal: number): void {
  ok('sigaction', native().signal_watch(signal, 1));
}

/** The signal has the effect again that it had before. */
export function unwatchSignal(signal: number): void {
  ok('sigaction', native().signal_watch(signal, 0));
}

/**
 * How often each signal came since the last time.
 * @param counts  by number, LAST_SIGNAL + 1 of them
 * @returns whether any did
 */
export function takeSignals(counts: Int32Array): boolean {
  return native().signal_take(counts) > 0;
}

/** EINVAL; EBUSY: it is watched. signal(2) */
export function disposeOfSignal(signal: number, disposition: number): void {
  ok('signal', native().signal_dispose(signal, disposition));
}

/** DISPOSITION_DEFAULT, …; EINVAL. sigaction(2) */
export function dispositionOf(signal: number): number {
  return ok('sigaction', native().signal_disposition(signal));
}

/** A handler has run when it returns. @returns 0, or what raise(3) gave */
export function raiseSignal(signal: number): number {
  return native().signal_raise(signal);
}

/** The process ends by SIGABRT, whatever is to be done with that signal. abort(3) */
export function abortProcess(): never {
  return native().signal_abort();
}
