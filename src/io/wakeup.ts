/** Waking the event loop of another thread. */
import { SysError } from '../sys/errno.ts';
import { eventfd, signalEvent } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { LoopHold } from './loop-hold.ts';
import { type EventTarget, register } from './reactor.ts';

/** What a thread can be woken by: any other may write to it. EMFILE, ENFILE */
export function makeBell(): Fd {
  return eventfd();
}

export const ring: (bell: Fd) => void = signalEvent;

/** This thread's end of a bell. It keeps the loop alive from `hold` to `release`. */
export class BellListener extends LoopHold implements EventTarget {
  generation = 0;
  private readonly onRing: () => void;

  /** @throws SysError  EMFILE, ENOSPC */
  constructor(bell: Fd, onRing: () => void) {
    super();
    this.onRing = onRing;
    const result = register(bell, this);
    if (result < 0) throw new SysError('epoll_ctl', -result);
  }

  onEvents(): void {
    this.onRing();
  }
}
