/** Serial lines and pseudo-terminals over descriptors: termios(3), pts(4). */
import { Buffer } from 'node:buffer';
import { constants, openSync } from 'node:fs';
import { EALREADY, EINVAL, EIO, ENOTTY } from '../sys/errno.ts';
import { close, isatty } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  getLineSetting,
  type LineSetting,
  openpty,
  setLineSetting,
  tcsendbreak,
} from '../sys/termios.ts';
import type { IoGroup } from './group.ts';
import { ByteHandle, raise } from './handle.ts';
import { Terminal } from './terminal.ts';

const FLAGS = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;

export class SerialPort extends ByteHandle {
  readonly terminal = new Terminal(() => this.fd('ioctl'));

  /** The line stays as it is set. EALREADY (asio's already_open); ENOENT, EACCES, ENOTTY … */
  open(device: string): void {
    if (this.isOpen) raise('open', EALREADY);
    if (device.includes('\0')) raise('open', EINVAL);
    let fd: Fd;
    try {
      fd = openSync(Buffer.from(device, 'latin1'), FLAGS); // close-on-exec: libuv's open(2) is
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      raise('open', errno < 0 ? -errno : EIO);
    }
    if (!isatty(fd)) {
      close(fd);
      raise('open', ENOTTY);
    }
    this.own(fd);
  }

  get(which: LineSetting): number {
    return getLineSetting(this.fd('tcgetattr'), which);
  }

  set(which: LineSetting, value: number): void {
    setLineSetting(this.fd('tcsetattr'), which, value);
  }

  sendBreak(): void {
    tcsendbreak(this.fd('tcsendbreak'));
  }

  isatty(): boolean {
    return isatty(this.fd('isatty'));
  }
}

/** A new pseudo-terminal: its master, and the slave's descriptor for somebody to own. */
export function ptyPair(group: IoGroup): { readonly master: SerialPort; readonly slave: Fd } {
  const port = new SerialPort(group);
  const { master, slave } = openpty();
  port.own(master);
  return { master: port, slave };
}
