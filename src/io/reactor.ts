/**
 * Hands events of the kernel to descriptors, and keeps the event loop alive while operations wait.
 *
 * Registering gives a descriptor a generation, which comes back with each event: an event that was
 * fetched before its descriptor was closed never reaches the next owner of that number.
 */
import { EIO, SysError } from '../sys/errno.ts';
import { ignoreSignal, SIGPIPE } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import {
  addToReactor,
  EPOLLIN,
  EVENT_COUNT,
  EVENT_FIELDS,
  FIRST_EVENT,
  openReactor,
  PENDING_COUNT,
  READ_RESULT,
  REFERENCED,
  refReactor,
  removeFromReactor,
  waitInReactor,
  waitReading,
} from '../sys/reactor.ts';
import {
  type BatchKind,
  beginRounds,
  EVENTS,
  endRounds,
  isWorthwhile,
  makePutOff,
  makeReads,
  readTogether,
  TURN,
} from './batch.ts';
import { type Operation, PENDING } from './operation.ts';
import { askedKernel } from './pair.ts';
import { beginBatch, endBatch } from './soon.ts';

/** What has events. */
export interface EventTarget {
  /** what `register` gave; 0 while not registered */
  generation: number;
  /** @param events  EPOLLIN … of sys/reactor.ts */
  onEvents(events: number): void;
  /** The read that these events end the wait of, if it can be made together with others: io/batch.ts. */
  readyRead?(events: number): Operation | null;
}

const EVENTS_PER_CALL = 32;
const shared = new Int32Array(FIRST_EVENT + EVENT_FIELDS * EVENTS_PER_CALL);
shared[READ_RESULT] = PENDING;
const targets: (EventTarget | undefined)[] = []; // by fd
let lastGeneration = 0;
let opened = false;

/** What Node does behind each callback: `process.nextTick` and microtasks. Not documented, so it may be gone one day. */
const { _tickCallback: runTicks } = process as { _tickCallback?: () => void };
let staysInside = runTicks !== undefined;

/**
 * Return to the event loop after each batch, and wait there: a debugger's pause, and a profile, are then of the
 * program, not of the wait.
 */
export function waitOutside(): void {
  staysInside = false;
}

let restsInside = (): boolean => false;

/**
 * Call `rests` when nothing keeps the event loop alive, in place of its end, which comes if it returns false or holds nothing.
 * To come back from an end of the loop takes three system calls, and all that Node does there.
 */
export function onRest(rests: () => boolean): void {
  restsInside = rests;
}

/** To enter JavaScript costs as much as a message does otherwise: docs/decisions/0052-waits-without-leaving.md. */
function onBatch(): void {
  dispatch();
  while (staysInside) {
    runTicks!();
    const count = waitForBatch();
    if (count > 0) dispatch();
    else if (count === 0 || !restsInside() || shared[PENDING_COUNT] === 0) return;
  }
}

let madeInWait = 0;

/** For tests: how many reads have been made in the call that waited. */
export const readInWait = (): number => madeInWait;

/**
 * When one event came alone, so may the next, of the same descriptor: then what waits to read from it is read in the call
 * that waits. The operation finds its result in `early`, as of those that are read together (io/batch.ts).
 */
function waitForBatch(): number {
  const target = shared[EVENT_COUNT] === 1 ? targets[shared[FIRST_EVENT]!] : undefined;
  const op = target?.readyRead === undefined ? null : target.readyRead(EPOLLIN);
  if (op === null) return waitInReactor();
  const count = waitReading(op.target!.fd, op.bytes!, op.offset, op.length);
  const result = shared[READ_RESULT]!;
  if (result !== PENDING) {
    shared[READ_RESULT] = PENDING;
    op.early = result;
    madeInWait++;
  }
  return count;
}

function dispatch(): void {
  askedKernel();
  inBatch(handleEvents, EVENTS);
}

function handleEvents(): void {
  const count = shared[EVENT_COUNT]!;
  if (isWorthwhile(count)) readAhead(count);
  let at = FIRST_EVENT;
  for (let i = 0; i < count; i++, at += EVENT_FIELDS) {
    const target = targets[shared[at]!];
    if (target !== undefined && target.generation === shared[at + 1]) {
      target.onEvents(shared[at + 2]!);
    }
  }
}

/** Do what is to be done in a turn of the event loop as events are handled: what is written meanwhile may be written together, and so are first reads made. */
export const asBatch = (job: () => void): void => inBatch(job, TURN);

function inBatch(job: () => void, kind: BatchKind): void {
  beginBatch();
  beginRounds(kind);
  try {
    job();
  } finally {
    endBatch(makePutOff);
    endRounds(kind);
  }
}

function readAhead(count: number): void {
  let at = FIRST_EVENT;
  for (let i = 0; i < count; i++, at += EVENT_FIELDS) {
    const target = targets[shared[at]!];
    if (target?.readyRead === undefined || target.generation !== shared[at + 1]) continue;
    const op = target.readyRead(shared[at + 2]!);
    if (op !== null) readTogether(op);
  }
  makeReads();
}

/** @returns 0, or -errno: EPERM when this kind of file has no events */
export function register(fd: Fd, target: EventTarget): number {
  if (!opened) {
    try {
      openReactor(onBatch, shared);
      ignoreSignal(SIGPIPE); // a write gives EPIPE instead
    } catch (error) {
      return error instanceof SysError ? -error.errno : -EIO;
    }
    opened = true;
  }
  lastGeneration = lastGeneration === 0x7fffffff ? 1 : lastGeneration + 1;
  const result = addToReactor(fd, lastGeneration);
  if (result < 0) return result;
  target.generation = lastGeneration;
  targets[fd] = target;
  return 0;
}

/** Before `fd` is closed or handed on. */
export function unregister(fd: Fd, target: EventTarget): void {
  if (target.generation === 0) return;
  forget(fd, target);
  removeFromReactor(fd);
}

/** Before `fd` is closed, if nothing else refers to its open file description: epoll(7), question 6. */
export function forget(fd: Fd, target: EventTarget): void {
  if (target.generation === 0) return;
  target.generation = 0;
  targets[fd] = undefined;
}

/** An operation waits from now on. */
export function addPending(): void {
  shared[PENDING_COUNT]!++;
  if (shared[REFERENCED] === 0) refReactor();
}

/** An operation waits no longer. The loop may end when none does. */
export function removePending(): void {
  shared[PENDING_COUNT]!--;
}

/** How many operations wait for events now; for tests. */
export function pendingCount(): number {
  return shared[PENDING_COUNT]!;
}
