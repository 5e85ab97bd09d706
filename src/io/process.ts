/**
 * Children, from their start until they have been waited for. Each has a descriptor of its own (pidfd),
 * so a signal never hits a stranger with the same number, and the exit of one is seen by epoll.
 *
 * A child that nobody waits for any more, since its handle was collected or its VM has ended, is sent a
 * signal and taken away when it has ended. The process doesn't end before that.
 */
import { EAGAIN, EBUSY, ECHILD, EINTR, ESRCH, SysError } from '../sys/errno.ts';
import type { Fd } from '../sys/native.ts';
import { SIGCHLD, SIGCONT } from '../sys/signal.ts';
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_STOPPED,
  pidfdSendSignal,
  type Spawned,
  type SpawnPlan,
  spawn,
  WCONTINUED,
  WEXITED,
  WSTOPPED,
  waitid,
} from '../sys/spawn.ts';
import { Descriptor, EventQueue } from './descriptor.ts';
import { type Closable, IoGroup } from './group.ts';
import { Operation, PENDING } from './operation.ts';
import { endReaping, isReaping, startReaping } from './reaping.ts';
import { onSignal } from './signals.ts';
import { holdChild } from './thread-descriptors.ts';

/** How a program ended. */
export interface Status {
  /** of exit(3), or 128 + the signal; undefined: the kernel didn't tell */
  readonly code: number | undefined;
  readonly signal: number | undefined;
}

/** With an exit code, or a signal. */
export interface Changed {
  readonly what: 'exited' | 'stopped' | 'continued';
  readonly number: number;
}

/** No VM's: their descriptors stay until they have been waited for. */
const children = new IoGroup();

/** Children in which somebody waits for a stop or the like: no descriptor tells of these, SIGCHLD does. */
const watched = new Set<Child>();
let stopWatching: (() => void) | undefined;

function lookAtWatched(): void {
  for (const child of [...watched]) child.look();
}

const status = new Int32Array(2);

export class Child implements Closable {
  readonly pid: number;
  private readonly descriptor: Descriptor;
  private readonly group: IoGroup;
  private readonly lastSignal: number;
  private readonly changes = new EventQueue();
  private change: Changed | undefined;
  /** Known when it has been waited for. */
  status: Status | undefined;

  /**
   * @param group       it is abandoned when this is closed
   * @param lastSignal  what it is sent then; 0: nothing
   */
  constructor({ pid, pidfd }: Spawned, group: IoGroup, lastSignal: number) {
    this.pid = pid;
    this.descriptor = new Descriptor(pidfd, children);
    holdChild(pidfd, lastSignal);
    this.group = group;
    this.lastSignal = lastSignal;
    group.add(this);
  }

  /** @throws SpawnError */
  static start(plan: SpawnPlan, group: IoGroup, lastSignal: number): Child {
    return new Child(spawn(plan), group, lastSignal);
  }

  private get isWaitedFor(): boolean {
    return this.descriptor.reads.head !== null || this.changes.head !== null;
  }

  /** @returns 0: it has ended, and `status` is known; -ECHILD: that was so before; -EBUSY; or PENDING */
  wait(op: Operation): number {
    if (this.status !== undefined) return -ECHILD;
    if (this.isWaitedFor) return -EBUSY;
    op.extra = this;
    const result = this.descriptor.start(op, this.descriptor.reads, attemptWait);
    if (result !== PENDING) this.settle();
    return result;
  }

  /** @returns 0: op.value is what has happened, a `Changed`; or as `wait` */
  waitChange(op: Operation): number {
    if (this.status !== undefined) return -ECHILD;
    if (this.isWaitedFor) return -EBUSY;
    try {
      stopWatching ??= onSignal(SIGCHLD, lookAtWatched);
    } catch (error) {
      if (error instanceof SysError) return -error.errno;
      throw error;
    }
    watched.add(this);
    const result = this.tryChange();
    if (result !== -EAGAIN) {
      this.unwatch();
      op.value = this.change;
      return result;
    }
    this.changes.push(op);
    return PENDING;
  }

  /** SIGCHLD has come: is it about this one? */
  look(): void {
    const op = this.changes.head;
    if (op === null) {
      this.unwatch();
      return;
    }
    const result = this.tryChange();
    if (result === -EAGAIN) return;
    this.changes.remove(op);
    this.unwatch();
    op.value = this.change;
    op.finish(result);
  }

  private unwatch(): void {
    watched.delete(this);
    if (watched.size > 0) return;
    stopWatching?.();
    stopWatching = undefined;
  }

  private tryChange(): number {
    const result = this.waitNow(WEXITED | WSTOPPED | WCONTINUED);
    if (result === 0 && this.status !== undefined) this.settle();
    return result;
  }

  /** Ask the kernel, and keep what it says. @returns 0; -EAGAIN; or -errno */
  waitNow(options: number): number {
    let result: number;
    do result = waitid(this.descriptor.fd, options, status);
    while (result === -EINTR);
    if (result < 0) {
      // Its status is lost where the process ignores SIGCHLD: the kernel has taken it away.
      if (result === -ECHILD) this.ended(undefined, undefined);
      return result;
    }
    const [what, number] = status as unknown as [number, number];
    if (what === CLD_STOPPED) this.change = { what: 'stopped', number };
    else if (what === CLD_CONTINUED) this.change = { what: 'continued', number };
    else if (what === CLD_EXITED) this.ended(number, undefined);
    else this.ended(128 + number, number);
    return 0;
  }

  private ended(code: number | undefined, signal: number | undefined): void {
    this.status = { code, signal };
    this.change = { what: 'exited', number: code ?? 0 };
    this.group.delete(this);
  }

  /** Close what is open of one that has ended. */
  settle(): void {
    if (this.status !== undefined) this.descriptor.close();
  }

  /** 0 only asks. ESRCH: it has been waited for; EPERM, EINVAL */
  kill(signal: number): void {
    if (this.status !== undefined) throw new SysError('pidfd_send_signal', ESRCH);
    pidfdSendSignal(this.descriptor.fd, signal);
  }

  /** Nobody will wait for it. May be called twice. */
  close(): void {
    if (isReaping(this)) return;
    this.group.delete(this);
    this.changes.cancelAll();
    this.descriptor.cancelAll();
    if (this.status !== undefined) {
      this.settle();
      return;
    }
    startReaping(this);
    if (this.lastSignal !== 0) {
      try {
        this.kill(this.lastSignal);
        this.kill(SIGCONT); // one that is stopped hears it only then
      } catch {
        // it has changed its user
      }
    }
    const op = new Operation(() => this.reaped());
    op.extra = this;
    if (this.descriptor.start(op, this.descriptor.reads, attemptWait) !== PENDING) this.reaped();
  }

  private reaped(): void {
    this.descriptor.close();
    endReaping(this);
  }
}

/** The child of a thread that has died. */
export function abandonChild(pidfd: Fd, lastSignal: number): void {
  new Child({ pid: -1, pidfd }, children, lastSignal).close();
}

function attemptWait(op: Operation): number {
  return (op.extra as Child).waitNow(WEXITED);
}
