/** Starting programs and waiting for them: native/spawn.c says how. */
import { ok, SysError } from './errno.ts';
import { type Fd, native } from './native.ts';

/** Each end of a standard stream that is given nothing, or what the parent has. */
export const STREAM_SHARE = -1;
export const STREAM_CLOSED_PIPE = -2;

/** For `waitid`: which changes are of interest. waitid(2) */
export const WSTOPPED = 2;
export const WEXITED = 4;
export const WCONTINUED = 8;

/** What has happened to a child, in the kernel's numbers (si_code). */
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

/** Of the scheduler. sched(7) */
export const SCHED_POLICIES: Readonly<Record<string, number>> = {
  other: 0,
  fifo: 1,
  rr: 2,
  batch: 3,
  idle: 5,
};
export const SCHED_RESET_ON_FORK = 0x40000000;

export interface Limit {
  readonly resource: number;
  /** Infinity: none */
  readonly soft: number;
  readonly hard: number;
}

/**
 * A program to start. Texts are bytes, one a code unit, without NUL. What is undefined stays as the
 * parent has it. Namespaces are in the order user, mount, uts, ipc, net.
 */
export interface SpawnPlan {
  /** a descriptor; or paths, of which the first that can be executed is */
  program: Fd | readonly string[];
  /** as execvp(3) does: a file without a header is given to the shell; EACCES is not the end */
  asExecvp: boolean;
  arguments: readonly string[];
  /** NAME=value */
  environment: readonly string[];
  /** index of the variable whose value becomes the child's pid */
  pidVariable?: number;
  /** for descriptors 0 to 9 of the child; from 3 on STREAM_SHARE is: closed */
  streams: readonly number[];
  scheduler?: { readonly policy: number; readonly priority: number };
  newSession: boolean;
  processGroup?: number;
  controllingTerminal?: Fd;
  /** its process group becomes the foreground one of this terminal */
  foreground?: Fd;
  ruid?: number;
  euid?: number;
  rgid?: number;
  egid?: number;
  groups?: readonly number[];
  umask?: number;
  deathSignal?: number;
  directory?: Fd | string;
  namespaces: readonly (Fd | undefined)[];
  noNewPrivs: boolean;
  /** landlock(7) */
  ruleset?: Fd;
  /** seccomp(2): an array of struct sock_filter */
  filter?: Uint8Array;
  limits: readonly Limit[];
}

const FLAG = { directory: 1, newSession: 2, processGroup: 4, noNewPrivs: 8, asExecvp: 16 };

/** What may fail: enum step of native/spawn.c, in the words of `system.spawn`. */
const STEPS = [
  'clone',
  'program',
  'stdin',
  'stdout',
  'stderr',
  ...Array<string>(7).fill('extra_fds'),
  'scheduler',
  'start_new_session',
  'process_group',
  'extra_groups',
  'gid',
  'uid',
  'pdeathsig',
  'working_directory',
  'set_ctty',
  'foreground',
  'setns_user',
  'setns_mount',
  'setns_uts',
  'setns_ipc',
  'setns_net',
  'rlimits',
  'set_no_new_privs',
  'landlock_restrict_self',
  'seccomp_set_mode_filter',
  'close_range',
] as const;

/** `step` is the option that couldn't be had; 'program': execve(2) failed; 'clone': there is no process. */
export class SpawnError extends SysError {
  readonly step: string;
  constructor(errno: number, step: string) {
    super(step === 'program' ? 'execve' : step, errno);
    this.step = step;
  }
}

const NOTHING = new Uint8Array(0);

/** All texts, each with a NUL behind it. */
function joined(texts: readonly string[]): Uint8Array {
  const all = texts.length === 0 ? '' : `${texts.join('\0')}\0`;
  const bytes = new Uint8Array(all.length);
  for (let i = 0; i < all.length; i++) bytes[i] = all.charCodeAt(i);
  return bytes;
}

/** A child, and the descriptor that stands for it: the caller's. pidfd_open(2) */
export interface Spawned {
  readonly pid: number;
  readonly pidfd: Fd;
}

/**
 * Start it; the thread stands still until the program runs.
 * @returns  its pid, and a descriptor of the process, close-on-exec
 * @throws SpawnError  EAGAIN, ENOMEM, EMFILE; ENOENT, EACCES, ENOEXEC …; no process is left
 */
export function spawn(plan: SpawnPlan): Spawned {
  const byFd = typeof plan.program === 'number';
  const paths = typeof plan.program === 'number' ? [] : plan.program;
  const directory = typeof plan.directory === 'string' ? [plan.directory] : [];
  const numbers = Int32Array.of(
    (directory.length > 0 ? FLAG.directory : 0) |
      (plan.newSession ? FLAG.newSession : 0) |
      (plan.processGroup !== undefined ? FLAG.processGroup : 0) |
      (plan.noNewPrivs ? FLAG.noNewPrivs : 0) |
      (plan.asExecvp ? FLAG.asExecvp : 0),
    byFd ? (plan.program as Fd) : -1,
    paths.length,
    plan.arguments.length,
    plan.environment.length,
    plan.pidVariable ?? -1,
    ...plan.streams,
    plan.scheduler?.policy ?? -1,
    plan.scheduler?.priority ?? 0,
    plan.processGroup ?? 0,
    plan.controllingTerminal ?? -1,
    plan.foreground ?? -1,
    plan.ruid ?? -1,
    plan.euid ?? -1,
    plan.rgid ?? -1,
    plan.egid ?? -1,
    plan.groups?.length ?? -1,
    plan.umask ?? -1,
    plan.deathSignal ?? 0,
    typeof plan.directory === 'number' ? plan.directory : -1,
    ...plan.namespaces.map((fd) => fd ?? -1),
    plan.ruleset ?? -1,
    plan.limits.length,
  );
  const out = new Int32Array(3);
  const result = native().spawn(
    numbers,
    joined([...directory, ...paths, ...plan.arguments, ...plan.environment]),
    Uint32Array.from(plan.groups ?? []),
    Float64Array.from(plan.limits.flatMap(({ resource, soft, hard }) => [resource, soft, hard])),
    plan.filter ?? NOTHING,
    out,
  );
  if (result < 0) throw new SpawnError(-result, STEPS[out[2]!]!);
  return { pid: out[0]!, pidfd: out[1]! };
}

/**
 * What has happened to the process, if anything has: each change is told once, an exit takes the process away.
 * @param options  WEXITED …
 * @param status   gets CLD_EXITED … and the exit code, or the signal
 * @returns 0; -EAGAIN: nothing; -ECHILD: somebody else has waited. waitid(2)
 */
export function waitid(pidfd: Fd, options: number, status: Int32Array): number {
  return native().waitid_pidfd(pidfd, options, status);
}

/** Signal 0 only asks. ESRCH, EPERM, EINVAL. pidfd_send_signal(2) */
export function pidfdSendSignal(pidfd: Fd, signal: number): void {
  ok('pidfd_send_signal', native().pidfd_send_signal(pidfd, signal));
}
