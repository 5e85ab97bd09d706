/** What a terminal can be told, whoever owns its descriptor. Throws SysError; ENOTTY: it is none. */
import { ENOSYS } from '../sys/errno.ts';
import { type Fd, nativeAvailable } from '../sys/native.ts';
import {
  getTerminalMode,
  getWindowSize,
  setTerminalMode,
  setWindowSize,
  tcgetpgrp,
  tcsetpgrp,
} from '../sys/termios.ts';
import { raise } from './handle.ts';

export class Terminal {
  private readonly line: () => Fd;

  /** @param line  its descriptor; may throw EBADF */
  constructor(line: () => Fd) {
    this.line = line;
  }

  private get fd(): Fd {
    return nativeAvailable() ? this.line() : raise('perilune', ENOSYS);
  }

  /** The foreground process group. */
  get foreground(): number {
    return tcgetpgrp(this.fd);
  }

  set foreground(group: number) {
    tcsetpgrp(this.fd, group);
  }

  get windowSize(): { readonly columns: number; readonly rows: number } {
    return getWindowSize(this.fd);
  }

  resize(columns: number, rows: number): void {
    setWindowSize(this.fd, columns, rows);
  }

  /** All settings. */
  get mode(): Uint8Array {
    return getTerminalMode(this.fd);
  }

  setMode(mode: 'raw' | 'cbreak' | Uint8Array): void {
    setTerminalMode(this.fd, mode);
  }
}
