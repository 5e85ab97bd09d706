/**
 * A descriptor that somebody owns and does nothing with yet: closed once, at the latest at the end of
 * its group (io/group.ts).
 */
import { EBADF, SysError } from '../sys/errno.ts';
import {
  closeAtOnce,
  dup,
  getStatusFlags,
  O_NONBLOCK,
  sameDescription,
  setStatusFlags,
} from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { getLimits, RLIMIT_NOFILE } from '../sys/rlimit.ts';
import { getSocketOption, SO_DOMAIN, SO_PROTOCOL, SO_TYPE, SOL_SOCKET } from '../sys/socket.ts';
import { forgetOwner, type Owned } from './descriptor.ts';
import type { IoGroup, Placed } from './group.ts';
import { hold, letGo } from './thread-descriptors.ts';

export class OwnedFd implements Placed, Owned {
  private number: Fd;
  private group: IoGroup;
  place = -1;
  owner: object | null = null;
  unwatchedAt = -1;

  constructor(fd: Fd, group: IoGroup) {
    this.number = fd;
    this.group = group;
    hold(fd);
    group.place(this);
  }

  /** @throws SysError  EBADF when closed or given away */
  get fd(): Fd {
    if (this.number < 0) throw new SysError('fcntl', EBADF);
    return this.number;
  }

  get isOpen(): boolean {
    return this.number >= 0;
  }

  /** Errors of close(2) are nobody's business: the descriptor is gone either way. */
  close(): void {
    if (this.number >= 0) closeAtOnce(this.take());
  }

  /** Stop being the owner. @returns the number, which the caller closes from now on; -1: closed */
  take(): Fd {
    const fd = this.number;
    if (fd >= 0) letGo(fd);
    this.number = -1;
    this.group.displace(this);
    if (this.owner !== null) forgetOwner(this);
    return fd;
  }

  /** It is closed with another group from now on. */
  moveTo(group: IoGroup): void {
    this.group.displace(this);
    this.group = group;
    if (this.isOpen) group.place(this);
  }

  /** @returns another number for the same open file description, close-on-exec. EMFILE */
  dup(): Fd {
    return dup(this.fd);
  }

  get nonBlocking(): boolean {
    return (getStatusFlags(this.fd) & O_NONBLOCK) !== 0;
  }

  set nonBlocking(on: boolean) {
    const flags = getStatusFlags(this.fd);
    setStatusFlags(this.fd, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
  }

  /** 0: the same open file description. Other numbers order them. kcmp(2) */
  compare(other: OwnedFd): number {
    return sameDescription(this.fd, other.fd);
  }

  /** Domain, type and protocol of a socket; undefined: it is none. socket(7) */
  get socketKind(): readonly [domain: number, type: number, protocol: number] | undefined {
    const { fd } = this;
    try {
      const domain = getSocketOption(fd, SOL_SOCKET, SO_DOMAIN);
      const type = getSocketOption(fd, SOL_SOCKET, SO_TYPE);
      return [domain, type, getSocketOption(fd, SOL_SOCKET, SO_PROTOCOL)];
    } catch {
      return undefined; // ENOTSOCK
    }
  }
}

/** Make a descriptor that came from elsewhere one that never blocks; whoever shares it sees that. */
export function setNonBlocking(fd: Fd): void {
  const flags = getStatusFlags(fd);
  if ((flags & O_NONBLOCK) === 0) setStatusFlags(fd, flags | O_NONBLOCK);
}

/** Another number for the same open file description, close-on-exec. EMFILE */
export const duplicate = (fd: Fd): Fd => dup(fd);

/** Where a filter of system calls leaves the question out. */
const SOME = 256;

/** Open descriptors that the process may have. */
export function mostDescriptors(): number {
  try {
    return getLimits(RLIMIT_NOFILE).soft;
  } catch {
    return SOME;
  }
}
