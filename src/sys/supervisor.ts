/**
 * The supervisor of subprocess actors: starting one, being one, and being a child of one. native/supervisor.c
 * says what a fork of a Node process needs.
 */
import { ok } from './errno.ts';
import { type Fd, native } from './native.ts';

/** Bytes of a request beside its header; longer ones go in a file. */
export const MAX_BODY = 64 * 1024;

// What descriptors a request brings, in this order, after that of the inbox.
export const HAS_STDIN = 1;
export const HAS_STDOUT = 2;
export const HAS_STDERR = 4;
export const HAS_ARG = 8;
export const HAS_BODY = 16;
export const HAS_CWD = 32;
/** Where the supervisor is root's: the process is nobody's. Only with CLONE_NEWUSER and CLONE_NEWPID. */
export const IS_NOBODY = 64;

export const CLONE_NEWCGROUP = 0x0200_0000;
export const CLONE_NEWNS = 0x0002_0000;
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWIPC = 0x0800_0000;
export const CLONE_NEWUSER = 0x1000_0000;
export const CLONE_NEWPID = 0x2000_0000;
export const CLONE_NEWNET = 0x4000_0000;

/** Kinds of reports. */
export const STARTED = 1;
export const ENDED = 2;
/** Of a report's value: the process was ended by a signal, whose number is the rest. */
export const SIGNALLED = 256;

/** The socket of an actor's inbox, in its process. */
export const INBOX_FD = 3;

/**
 * A process that has nothing of this one but `control`, as descriptor 3. @returns its pid
 * @throws SysError  EAGAIN, ENOMEM, ENOENT
 */
export function startSupervisor(argv: readonly string[], control: Fd): number {
  return ok('vfork', native().start_supervisor(argv, control));
}

/** Whether the child has ended; it is gone then. */
export function hasEnded(pid: number): boolean {
  return native().waitpid_nohang(pid) !== 0;
}

/** A file in memory that can't be changed. memfd_create(2). EMFILE, ENOMEM */
export function memfdOf(bytes: Uint8Array): Fd {
  return ok('memfd_create', native().memfd_of(bytes, bytes.length));
}

export interface Task {
  readonly body: Uint8Array;
  /** `init.arg`; -1: none */
  readonly arg: Fd;
  /** A file with the body, where it is too long; -1 */
  readonly bodyFile: Fd;
  /** Namespaces that the process is new in. */
  readonly cloneFlags: number;
}

/** Returns in children only. @throws SysError  it can't be a supervisor */
export function supervise(): Task {
  const body = new Uint8Array(MAX_BODY);
  const out = new Int32Array(4);
  const length = ok('supervise', native().supervise(body, out));
  return {
    body: body.subarray(0, length),
    arg: out[0]!,
    bodyFile: out[1]!,
    cloneFlags: out[2]!,
  };
}

/** PID 1 of a namespace stays behind, and the child goes on. EAGAIN */
export function forkFromInit(): void {
  ok('fork', native().fork_from_init());
}

/** The event loop is this process's own from now on, and descriptors from 4 on are closed. */
export function enterActor(): void {
  ok('uv_loop_fork', native().enter_actor());
}

/** @param list  NAME=value, each ended by a NUL */
export function setEnvironment(list: Uint8Array): void {
  ok('putenv', native().set_environment(list, list.length));
}

/** _exit(2) */
export function exitNow(code: number): never {
  native().exit_now(code);
  throw new Error('unreachable');
}

export function getpid(): number {
  return native().getpid();
}
