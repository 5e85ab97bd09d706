/**
 * The epoll set of this thread, inside Node's event loop: native/reactor.c says how it works.
 * epoll(7): edge-triggered, every descriptor registered once and for all events, until setLevel.
 */
import { ok } from './errno.ts';
import { type Fd, native, results, transfers } from './native.ts';

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;

/** Indices into the shared array: how many operations wait; whether that keeps the loop alive; how many events there are. */
export const PENDING_COUNT = 0;
export const REFERENCED = 1;
export const EVENT_COUNT = 2;
/** What `waitReading` has read. */
export const READ_RESULT = 3;
/** Then so many times (fd, generation, events). */
export const FIRST_EVENT = 4;
export const EVENT_FIELDS = 3;

/**
 * Open it, once a thread.
 * @param onEvents  called from the event loop when `shared` holds events
 * @param shared    at least FIRST_EVENT + EVENT_FIELDS * (events a call) long
 * @throws SysError  EALREADY; EMFILE, ENFILE. epoll_create1(2)
 */
export function openReactor(onEvents: () => void, shared: Int32Array): void {
  ok('epoll_create1', native().reactor_open(onEvents, shared));
}

/**
 * For `onEvents`: wait for more, when all has been done that the event loop does behind a callback.
 * @returns how many events there are in `shared` now; 0: return, others have their turn; negative: the same, and nothing keeps
 *          the event loop alive, neither operations nor anything of Node's
 */
export function waitInReactor(): number {
  transfers().reactor_wait();
  return results[0]!;
}

/**
 * The same, and one read in the same call: of a socket, if that is readable and nothing else has happened.
 * shared[READ_RESULT] is its result then, and is left alone otherwise. recv(2)
 */
export function waitReading(fd: Fd, bytes: Uint8Array, offset: number, length: number): number {
  transfers().reactor_wait_reading(fd, bytes, offset, length);
  return results[0]!;
}

/** Keep the loop alive until shared[PENDING_COUNT] is seen at 0. */
export function refReactor(): void {
  native().reactor_ref();
}

/**
 * @param generation  > 0, comes back with each event of this descriptor
 * @returns 0, or -errno: EPERM when this kind of file has no events. epoll_ctl(2)
 */
export function addToReactor(fd: Fd, generation: number): number {
  transfers().reactor_add(fd, generation);
  return results[0]!;
}

/** @returns 0 or -errno. epoll_ctl(2) */
export function removeFromReactor(fd: Fd): number {
  return native().reactor_remove(fd);
}

/**
 * Events for reading are told at each wait as long as they last, and no others are; or, as at first, each
 * once.
 * @returns 0 or -errno. epoll_ctl(2)
 */
export function setLevel(fd: Fd, on: boolean): number {
  return native().reactor_set_level(fd, on ? 1 : 0);
}
