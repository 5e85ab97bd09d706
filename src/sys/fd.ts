/**
 * Calls on any file descriptor. The transfers give their result as the kernel does, negative for
 * -errno, since EAGAIN is the common case there; all others throw SysError.
 */
import { ok } from './errno.ts';
import { type Fd, native, results, transfers } from './native.ts';

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_NOCTTY = 0o400;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = process.platform === 'freebsd' ? 4 : 0o4000;

/** Events of `poll`. */
export const POLLIN = 0x001;
export const POLLPRI = 0x002;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLRDHUP = 0x2000;

export const SIGPIPE = 13;
export const SIGXFSZ = 25;

/** @returns bytes read into `bytes` from `offset` on, 0 at the end, or -errno. read(2) */
export function read(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  transfers().read(fd, bytes, offset, length);
  return results[0]!;
}

/** @returns bytes written, or -errno. write(2) */
export function write(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  transfers().write(fd, bytes, offset, length);
  return results[0]!;
}

/**
 * Read at the file position what needs no waiting for a disk.
 * @returns bytes read, 0 at the end, or -errno: EAGAIN when nothing is in memory, EOPNOTSUPP when
 *          this file system can't tell
 * Source: preadv2(2), RWF_NOWAIT, offset -1
 */
export function readNoWait(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  return native().preadv2_nowait(fd, bytes, offset, length);
}

/** @returns 0 or -errno; the descriptor is gone either way. close(2) */
export function close(fd: Fd): number {
  transfers().close(fd);
  return results[0]!;
}

/**
 * The same for what may be a socket of anybody's: with seconds in SO_LINGER the kernel would wait as long for a peer that reads
 * nothing. Who has the socket, too, finds it without.
 */
export function closeAtOnce(fd: Fd): number {
  return native().close_at_once(fd);
}

/** A duplicate, close-on-exec, numbered at least `lowest`. fcntl(2), F_DUPFD_CLOEXEC. EMFILE */
export function dup(fd: Fd, lowest = 0): Fd {
  return ok('dup', native().dup(fd, lowest));
}

/** Make `number` the same file as `fd`; what it was is closed. It stays open across execve(2). dup2(2) */
export function dup2(fd: Fd, number: Fd): void {
  ok('dup2', native().dup2(fd, number));
}

/** Both ends of a new pipe, close-on-exec. `flags`: O_NONBLOCK or 0. pipe(2). EMFILE, ENFILE */
export function pipe2(flags: number): { readonly readEnd: Fd; readonly writeEnd: Fd } {
  const ends = new Int32Array(2);
  ok('pipe2', native().pipe2(ends, flags));
  return { readEnd: ends[0]!, writeEnd: ends[1]! };
}

/** What `signalEvent` makes readable: edge-triggered, each call is an event. eventfd(2). EMFILE, ENFILE */
export function eventfd(): Fd {
  return ok('eventfd', native().eventfd());
}

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** From any thread. */
export function signalEvent(fd: Fd): void {
  transfers().write(fd, ONE, 0, ONE.length);
}

/** The O_ flags of the open file description, access mode included. fcntl(2), F_GETFL */
export function getStatusFlags(fd: Fd): number {
  return ok('fcntl', native().get_status_flags(fd));
}

/** They belong to the open file description: whoever shares it sees the change. fcntl(2), F_SETFL */
export function setStatusFlags(fd: Fd, flags: number): void {
  ok('fcntl', native().set_status_flags(fd, flags));
}

/** fcntl(2), F_SETFD */
export function setCloseOnExec(fd: Fd, on: boolean): void {
  ok('fcntl', native().set_close_on_exec(fd, on ? 1 : 0));
}

/** Whether `fd` is a terminal; false also for a bad one. isatty(3) */
export function isatty(fd: Fd): boolean {
  return native().isatty(fd) === 1;
}

/**
 * Which of `events` (POLLIN …; POLLERR and POLLHUP always) there are now, or come in time.
 * @returns events, 0 when none came within `milliseconds`, or -errno. poll(2)
 */
export function poll(fd: Fd, events: number, milliseconds: number): number {
  return native().poll(fd, events, milliseconds);
}

/** How many bytes a read would get now. ioctl(2), FIONREAD */
export function bytesReadable(fd: Fd): number {
  return ok('ioctl', native().bytes_readable(fd));
}

/**
 * 0: both are of the same open file description; 1, 2: the first comes before or after the second, in
 * an order of the kernel's; 3: they differ. kcmp(2), KCMP_FILE. ENOSYS, EPERM
 */
export function sameDescription(a: Fd, b: Fd): number {
  return ok('kcmp', native().kcmp_file(a, b));
}

/** signal(2), SIG_IGN; for the whole process. */
export function ignoreSignal(signal: number): void {
  ok('signal', native().ignore_signal(signal));
}
