/**
 * Processes for actors, from the side of the program: a supervisor is started when the first one is wanted, and makes
 * all of them. sys/supervisor.ts
 */
import { constants } from 'node:os';
import { EAGAIN, ECHILD, EINTR, EMFILE, ESRCH, SysError } from '../sys/errno.ts';
import { close, dup, O_NONBLOCK, POLLIN, pipe2, poll } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { SIGKILL } from '../sys/signal.ts';
import { MSG_DONTWAIT, SOCK_SEQPACKET } from '../sys/socket.ts';
import { pidfdSendSignal } from '../sys/spawn.ts';
import {
  ENDED,
  HAS_ARG,
  HAS_BODY,
  HAS_CWD,
  HAS_SET_UP,
  HAS_STDERR,
  HAS_STDIN,
  HAS_STDOUT,
  hasEnded,
  IS_NOBODY,
  KEEPS_SPARE,
  memfdOf,
  SIGNALLED,
  STARTED,
  startSupervisor,
} from '../sys/supervisor.ts';
import {
  PACKET_FD_COUNT,
  PACKET_FDS,
  receivePacket,
  sendmsgUnix,
  socketpair,
} from '../sys/unix.ts';
import { type EventTarget, register, unregister } from './reactor.ts';
import { onRightsChange } from './rights.ts';
import { closeHeld, hold } from './thread-descriptors.ts';
import { startTimer } from './timer.ts';

export { errnoMessage, SysError } from '../sys/errno.ts';
export { MAX_TASK, SIGNALLED } from '../sys/supervisor.ts';

export interface ProcessRequest {
  readonly cloneFlags: number;
  /** A new user namespace is to have nobody's id, if that can be. */
  readonly isNobody: boolean;
  readonly inbox: Fd;
  /** Where the process is to be; undefined: in / */
  readonly cwd: Fd | undefined;
  /** undefined: a pipe whose other end is closed */
  readonly standard: readonly [Fd | undefined, Fd | undefined, Fd | undefined];
  readonly arg: Fd | undefined;
  /** Milliseconds until it has to be set up, or is killed; undefined: it may take any time. */
  readonly setUpTime: number | undefined;
  /** What the child needs to begin with: the next one of this kind may have begun before it is asked for. */
  readonly kind: Uint8Array | undefined;
  /** What it is to read (then); undefined: that is the first packet of its inbox. */
  readonly body: Uint8Array | undefined;
}

/** The supervisor has ended, and all processes of it. */
export class SupervisorGone extends Error {}

const NO_KIND = new Uint8Array(0);
const REPORT_BYTES = 12;
/** Milliseconds that a supervisor has to come up and answer; then it is killed. */
export const patience = { ms: 60_000 };

const NAMES = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name]));
export const signalName = (n: number): string => NAMES.get(n) ?? `signal ${n}`;

/** A process has a pipe's one end until its program begins; when the time is over before, it is killed. */
class SetUp implements EventTarget {
  generation = 0;
  private ends: { readEnd: Fd; writeEnd: Fd };
  private cancel: (() => void) | undefined = undefined;

  /** @throws SysError  EMFILE, ENFILE */
  constructor() {
    this.ends = pipe2(O_NONBLOCK);
    hold(this.ends.readEnd);
  }

  /** The process's end. */
  get far(): Fd {
    return this.ends.writeEnd;
  }

  /** It has its end. */
  begin(ms: number, tooLate: () => void): void {
    close(this.ends.writeEnd);
    this.ends = { ...this.ends, writeEnd: -1 };
    if (register(this.ends.readEnd, this) < 0) return this.end();
    this.cancel = startTimer(ms, () => {
      this.end();
      tooLate();
    });
  }

  onEvents(): void {
    this.end();
  }

  end(): void {
    this.cancel?.();
    this.cancel = undefined;
    const { readEnd, writeEnd } = this.ends;
    this.ends = { readEnd: -1, writeEnd: -1 };
    if (readEnd < 0) return;
    unregister(readEnd, this);
    closeHeld(readEnd);
    if (writeEnd >= 0) close(writeEnd);
  }
}

export class StartedProcess {
  readonly pid: number;
  private pidfd: Fd;
  private told: ((status: number) => void) | undefined = undefined;
  private setUp: SetUp | undefined = undefined;

  constructor(pid: number, pidfd: Fd) {
    this.pid = pid;
    this.pidfd = pidfd;
    hold(pidfd);
  }

  watch(setUp: SetUp, ms: number): void {
    this.setUp = setUp;
    setUp.begin(ms, () => {
      if (this.pidfd >= 0) pidfdSendSignal(this.pidfd, SIGKILL);
    });
  }

  onEnd(told: (status: number) => void): void {
    this.told = told;
  }

  /** @throws SysError  ESRCH, EINVAL, EPERM */
  kill(signal: number): void {
    if (this.pidfd < 0) throw new SysError('pidfd_send_signal', ESRCH);
    pidfdSendSignal(this.pidfd, signal);
  }

  killAtOnce(): void {
    if (this.pidfd < 0) return;
    try {
      pidfdSendSignal(this.pidfd, SIGKILL);
    } catch {
      // it has ended
    }
    this.forget();
  }

  /** It goes on by itself. */
  letGo(): void {
    this.forget();
  }

  /** For the supervisor. */
  ended(status: number): void {
    this.forget();
    this.told?.(status);
  }

  private forget(): void {
    this.setUp?.end();
    if (this.pidfd >= 0) closeHeld(this.pidfd);
    this.pidfd = -1;
  }
}

class Supervisor implements EventTarget {
  generation = 0;
  /** It makes no more processes, and ends with the last one. */
  private isRetired: boolean;
  private control: Fd;
  /** Until then it may be that it can't be one: it needs /proc, for example. */
  private hasAnswered = false;
  private readonly pid: number;
  private nextId = 1;
  private readonly processes = new Map<number, StartedProcess>();
  private readonly bytes = new Uint8Array(REPORT_BYTES);
  private readonly report = new DataView(this.bytes.buffer);
  private readonly out = new Int32Array(PACKET_FDS + 1);

  /** @param isForOne  it is there for one process */
  constructor(argv: readonly string[], isForOne: boolean) {
    this.isRetired = isForOne;
    const [near, far] = socketpair(SOCK_SEQPACKET);
    try {
      this.pid = startSupervisor(argv, far);
    } catch (error) {
      close(near);
      if (error instanceof SysError) throw new SysError(error.syscall, ECHILD);
      throw error;
    } finally {
      close(far);
    }
    this.control = near;
    hold(near);
  }

  get isOpen(): boolean {
    return this.control >= 0;
  }

  /** Waits until the process is there. @throws SysError, SupervisorGone */
  spawn(request: ProcessRequest): StartedProcess {
    const id = this.nextId++;
    close(dup(this.control)); // EMFILE now, and not when the process is there
    const { setUpTime } = request;
    if (setUpTime === undefined) {
      this.send(id, request, undefined);
      return this.started(id);
    }
    const setUp = new SetUp();
    try {
      this.send(id, request, setUp.far);
      const started = this.started(id);
      started.watch(setUp, setUpTime);
      return started;
    } catch (error) {
      setUp.end();
      throw error;
    }
  }

  private started(id: number): StartedProcess {
    const deadline = performance.now() + patience.ms;
    for (;;) {
      const answer = this.receive();
      if (answer === undefined) {
        const left = deadline - performance.now();
        if (left > 0 && poll(this.control, POLLIN, Math.ceil(left)) !== 0) continue;
        this.kill();
        throw new SysError('clone', ECHILD);
      }
      if (answer.kind !== STARTED || answer.id !== id) {
        this.noteEnd(answer);
        continue;
      }
      if (answer.fd < 0) throw this.failure(answer.value);
      const started = new StartedProcess(answer.value, answer.fd);
      this.processes.set(id, started);
      this.watch();
      return started;
    }
  }

  /** @param value  -errno; or its pid: another thread has taken the last descriptor */
  private failure(value: number): SysError {
    if (value < 0) return new SysError('clone', -value);
    try {
      process.kill(value, 'SIGKILL');
    } catch {
      // it has ended
    }
    return new SysError('recvmsg', EMFILE);
  }

  private send(id: number, request: ProcessRequest, setUp: Fd | undefined): void {
    const { cloneFlags, inbox, cwd, standard, arg, body, kind = NO_KIND } = request;
    const fds = [inbox];
    let has = (request.isNobody ? IS_NOBODY : 0) | (kind.length > 0 ? KEEPS_SPARE : 0);
    const add = (fd: Fd | undefined, bit: number): void => {
      if (fd === undefined) return;
      fds.push(fd);
      has |= bit;
    };
    add(cwd, HAS_CWD);
    add(standard[0], HAS_STDIN);
    add(standard[1], HAS_STDOUT);
    add(standard[2], HAS_STDERR);
    add(arg, HAS_ARG);
    const file = body && memfdOf(body);
    add(file, HAS_BODY);
    add(setUp, HAS_SET_UP);
    const packet = new Uint8Array(16 + kind.length);
    new Uint32Array(packet.buffer, 0, 4).set([id, cloneFlags, has, kind.length]);
    packet.set(kind, 16);
    try {
      const list = Int32Array.from(fds);
      let result: number;
      do {
        result = sendmsgUnix(this.control, packet, 0, packet.length, MSG_DONTWAIT, undefined, list);
      } while (result === -EINTR);
      if (result < 0) throw this.broken();
    } finally {
      if (file !== undefined) close(file);
    }
  }

  /** A report, or undefined: there is none now. @throws SupervisorGone, SysError */
  private receive(): { kind: number; id: number; value: number; fd: Fd } | undefined {
    let length: number;
    do length = receivePacket(this.control, this.bytes, this.out);
    while (length === -EINTR);
    if (length === -EAGAIN) return undefined;
    if (length !== REPORT_BYTES) throw this.broken();
    this.hasAnswered = true;
    const fd = this.out[PACKET_FD_COUNT]! > 0 ? this.out[PACKET_FDS]! : -1;
    return {
      kind: this.report.getInt32(0, true),
      id: this.report.getInt32(4, true),
      value: this.report.getInt32(8, true),
      fd,
    };
  }

  private noteEnd({ kind, id, value, fd }: { kind: number; id: number; value: number; fd: Fd }) {
    if (fd >= 0) close(fd); // an answer that nobody waits for any more
    if (kind !== ENDED) return;
    const process = this.processes.get(id);
    this.processes.delete(id);
    process?.ended(value);
    this.endIfDone();
  }

  /** Its processes go on, and it with them. */
  retire(): void {
    this.isRetired = true;
    this.endIfDone();
  }

  private endIfDone(): void {
    if (this.isRetired && this.processes.size === 0) this.end();
  }

  onEvents(): void {
    try {
      for (let report = this.receive(); report !== undefined; ) {
        this.noteEnd(report);
        report = this.isOpen ? this.receive() : undefined;
      }
    } catch (error) {
      if (!(error instanceof SupervisorGone)) throw error;
    }
  }

  private watch(): void {
    if (this.generation === 0) register(this.control, this);
  }

  private broken(): SupervisorGone | SysError {
    this.end();
    return this.hasAnswered ? new SupervisorGone() : new SysError('execve', ECHILD);
  }

  /** It hangs: what is closed it won't see. */
  private kill(): void {
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // it has ended
    }
    this.end();
  }

  /** It and its processes are gone, or will be. */
  end(): void {
    if (this.control < 0) return;
    unregister(this.control, this);
    closeHeld(this.control); // it ends when it sees that
    this.control = -1;
    dying.add(this.pid);
    reapLater();
    for (const process of this.processes.values()) {
      process.killAtOnce(); // the kernel does, but for one that has asked it not to
      process.ended(SIGNALLED + SIGKILL);
    }
    this.processes.clear();
  }
}

/** Supervisors that have been left, until the kernel has said how they ended. */
const dying = new Set<number>();
const REAP_EVERY = 50;

function reapLater(): void {
  for (const pid of dying) if (hasEnded(pid)) dying.delete(pid);
  if (dying.size > 0) setTimeout(reapLater, REAP_EVERY).unref();
}

/** By their commands; who was asked last comes last. */
const supervisors = new Map<string, Supervisor>();

/** Each is some 40 MB. What a program gives to its processes (a limit of memory) is part of the command, and may be another each time. */
export const supervisorsKept = { most: 8 };

function keepMostRecent(): void {
  for (const [key, oldest] of supervisors) {
    if (supervisors.size <= supervisorsKept.most) return;
    supervisors.delete(key);
    oldest.retire();
  }
}

// A supervisor has the rights that the process had when it was started: processes with more rights than
// their maker would be a way around what it has given up.
onRightsChange(() => {
  for (const supervisor of supervisors.values()) supervisor.retire();
  supervisors.clear();
});

/**
 * @param argv     the command of the supervisor; there is one for each
 * @param isAlone  the process gets a supervisor of its own
 */
export function startProcess(
  argv: readonly string[],
  isAlone: boolean,
  request: ProcessRequest,
): StartedProcess {
  if (isAlone) {
    const own = new Supervisor(argv, true);
    try {
      return own.spawn(request);
    } catch (error) {
      own.end();
      throw error;
    }
  }
  const key = argv.join('\0');
  let supervisor = supervisors.get(key);
  if (supervisor?.isOpen !== true) supervisor = new Supervisor(argv, false);
  supervisors.delete(key);
  supervisors.set(key, supervisor);
  keepMostRecent();
  return supervisor.spawn(request);
}
