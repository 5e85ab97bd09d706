/** Terminals and serial lines: termios(3), tty_ioctl(4), pts(4). All throw SysError; ENOTTY: no terminal. */
import { ok } from './errno.ts';
import { type Fd, native } from './native.ts';

/** Settings of a line, by the numbers that native/termios.c has for them. */
export const LINE_SETTINGS = {
  /** bits a second, -1 where it is not a usual one */
  baudRate: 0,
  /** FLOW_NONE … */
  flowControl: 1,
  /** PARITY_NONE … */
  parity: 2,
  /** 1 or 2 */
  stopBits: 3,
  /** 5 to 8 */
  characterSize: 4,
} as const;
export type LineSetting = keyof typeof LINE_SETTINGS;

export const FLOW_NONE = 0;
export const FLOW_SOFTWARE = 1;
export const FLOW_HARDWARE = 2;
export const PARITY_NONE = 0;
export const PARITY_ODD = 1;
export const PARITY_EVEN = 2;

/** tcgetattr(3) */
export function getLineSetting(fd: Fd, which: LineSetting): number {
  const out = new Int32Array(5);
  ok('tcgetattr', native().get_line_settings(fd, out));
  return out[LINE_SETTINGS[which]]!;
}

/** In force at once. EINVAL: no such value. tcsetattr(3) */
export function setLineSetting(fd: Fd, which: LineSetting, value: number): void {
  ok('tcsetattr', native().set_line_setting(fd, LINE_SETTINGS[which], value));
}

/** Takes as long as the break does: up to half a second. tcsendbreak(3) */
export function tcsendbreak(fd: Fd): void {
  ok('tcsendbreak', native().tcsendbreak(fd));
}

/** ENOTTY: it isn't the controlling terminal. tcgetpgrp(3) */
export function tcgetpgrp(fd: Fd): number {
  return ok('tcgetpgrp', native().tcgetpgrp(fd));
}

/** ENOTTY, EPERM, EINVAL. tcsetpgrp(3) */
export function tcsetpgrp(fd: Fd, group: number): void {
  ok('tcsetpgrp', native().tcsetpgrp(fd, group));
}

/** A new pseudo-terminal, both ends non-blocking and close-on-exec. EMFILE, ENOSPC. pts(4) */
export function openpty(): { readonly master: Fd; readonly slave: Fd } {
  const ends = new Int32Array(2);
  ok('openpty', native().openpty(ends));
  return { master: ends[0]!, slave: ends[1]! };
}

/** More than a struct termios has. */
const MODE_SIZE = 256;
const MODE_KINDS = { saved: 0, raw: 1, cbreak: 2 } as const;

/** All settings of a terminal, for `setTerminalMode`. tcgetattr(3) */
export function getTerminalMode(fd: Fd): Uint8Array {
  const mode = new Uint8Array(MODE_SIZE);
  return mode.subarray(0, ok('tcgetattr', native().get_terminal_mode(fd, mode)));
}

/** @param mode  'raw': as cfmakeraw(3); 'cbreak': byte by byte, without echo; or what was saved. tcsetattr(3) */
export function setTerminalMode(fd: Fd, mode: 'raw' | 'cbreak' | Uint8Array): void {
  const kind = typeof mode === 'string' ? mode : 'saved';
  const bytes = typeof mode === 'string' ? new Uint8Array(0) : mode;
  ok('tcsetattr', native().set_terminal_mode(fd, MODE_KINDS[kind], bytes));
}

/** ioctl_tty(2), TIOCGWINSZ */
export function getWindowSize(fd: Fd): { readonly columns: number; readonly rows: number } {
  const out = new Int32Array(2);
  ok('ioctl', native().get_window_size(fd, out));
  return { columns: out[0]!, rows: out[1]! };
}

/** Those in the foreground get SIGWINCH, if it changes. ioctl_tty(2), TIOCSWINSZ */
export function setWindowSize(fd: Fd, columns: number, rows: number): void {
  ok('ioctl', native().set_window_size(fd, columns, rows));
}
