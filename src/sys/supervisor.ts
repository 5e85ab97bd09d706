/**
 * The supervisor of subprocess actors: starting one, being one, and being a child of one. native/supervisor.c
 * says what a fork of a Node process needs.
 */
import { ok } from './errno.ts';
import { builtBeside, type Fd, native } from './native.ts';

/** Bytes of a kind and its task. */
const MAX_BODY = 132 * 1024;
/** Of a task that is the first packet of its inbox; longer ones go in a file. */
export const MAX_TASK = 128 * 1024;

// What descriptors a request brings, in this order, after that of the inbox.
export const HAS_STDIN = 1;
export const HAS_STDOUT = 2;
export const HAS_STDERR = 4;
export const HAS_ARG = 8;
export const HAS_BODY = 16;
export const HAS_CWD = 32;
/** Where the supervisor is root's: the process is nobody's. Only with CLONE_NEWUSER and CLONE_NEWPID. */
export const IS_NOBODY = 64;
/** A process of the same kind may be wanted later: one is made ahead. */
export const KEEPS_SPARE = 128;
/** Stays open until the actor begins. */
export const HAS_SET_UP = 256;

export const CLONE_NEWCGROUP = 0x0200_0000;
export const CLONE_NEWNS = 0x0002_0000;
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWIPC = 0x0800_0000;
export const CLONE_NEWUSER = 0x1000_0000;
export const CLONE_NEWPID = 0x2000_0000;
export const CLONE_NEWNET = 0x4000_0000;

/** An argument for a supervisor, for tests: its processes give back memory all the time, not only once. */
const GIVES_BACK_OFTEN = '--gives-back-often';

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
  const more = process.env['PERILUNE_GIVE_BACK'] === 'often' ? [GIVES_BACK_OFTEN] : [];
  return ok('vfork', native().start_supervisor([...argv, ...more], environment(), control));
}

/**
 * native/start/heap.c, which takes this out again. The dynamic linker goes on without a library that is not there,
 * and takes no path with what separates paths: ld.so(8).
 */
function environment(): string[] {
  const heap = builtBeside('heap');
  if (process.env['PERILUNE_HUGE_PAGES'] === '0' || /[ :]/.test(heap)) return [];
  return [`LD_PRELOAD=${heap}`, 'PERILUNE_HEAP=forks'];
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
}

/** What a process that was just made knows. */
export interface Start {
  /** What requests have in common whose processes begin in the same way. */
  readonly kind: Uint8Array;
  /** Namespaces that the process is new in. */
  readonly cloneFlags: number;
  /** undefined: it is there ahead, and waits for one; or it is the scout */
  readonly task: Task | undefined;
  /** It runs an actor for nobody, and says which memory that needs. */
  readonly isScout: boolean;
}

const ACTOR = 0;
const SCOUT = 2;

const taskIn = (body: Uint8Array, out: Int32Array): Task => ({
  body,
  arg: out[0]!,
  bodyFile: out[1]!,
});

let body: Uint8Array;
let out: Int32Array;

/** Returns in children only. @throws SysError  it can't be a supervisor */
export function supervise(): Start {
  body = new Uint8Array(MAX_BODY);
  out = new Int32Array(8);
  out[0] = process.execArgv.includes('--jitless') ? 1 : 0; // what it promises holds for huge pages, too
  out[1] = process.argv.includes(GIVES_BACK_OFTEN) ? 1 : 0;
  const length = ok('supervise', native().supervise(body, out));
  const [, , cloneFlags, kindLength, role] = out;
  return {
    kind: body.slice(0, kindLength),
    cloneFlags: cloneFlags!,
    task: role === ACTOR ? taskIn(body.subarray(kindLength, length), out) : undefined,
    isScout: role === SCOUT,
  };
}

/** Waits in C, where it is there ahead. Ends the process if nobody will give it a task any more. */
export function takeTask(): Task {
  return taskIn(body.subarray(0, native().take_task(body, out)), out);
}

/**
 * Of the scout: which pages it has written to until now.
 * @param isEnd  for processes that are there ahead; and which it has looked at
 */
export function tellTouched(isEnd: boolean): void {
  native().tell_touched(isEnd ? 1 : 0);
}

/** Those that it has waited with: PID 1 of a namespace would lose them before it passes them on. */
export function allowSignals(): void {
  native().allow_signals();
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

/** What they are is not wanted any more: of whole pages it is lost. madvise(2), MADV_DONTNEED */
export function giveBackBytes(bytes: Uint8Array): void {
  native().give_back_bytes(bytes, bytes.length);
}

export function getpid(): number {
  return native().getpid();
}
