/**
 * Reads and writes of a batch of events, in one system call for all.
 *
 * When many sockets are ready at once, what waits to read from them is read before their events are handed
 * on: an operation then finds its result in `early`, and takes it in place of the call. What fibers then
 * write is put off until they have all run, and is written together. docs/decisions/0025-batches.md
 *
 * The first reads of connections that have just come are put off, too, where there are many. A turn of the event loop
 * in which fibers go on is a batch like one of events (`asBatch`, io/reactor.ts).
 *
 * What is put off counts as tried: before its socket is closed, shut down or the like, and when it
 * is cancelled, it is tried after all (`UNTRIED` in `early`). Nobody but the peer can tell the difference.
 */
import {
  CALL_FD,
  CALL_FIELDS,
  CALL_KIND,
  CALL_LENGTH,
  CALL_OFFSET,
  CALL_RESULT,
  MOST_CALLS,
  openTransfers,
  READ,
  type TransferKind,
  transfer,
  WRITE,
} from '../sys/transfer.ts';
import { type Operation, PENDING, UNTRIED } from './operation.ts';

/** So many reads or writes are worth a call for all of them. */
const WORTHWHILE = 4;
/** How often in a batch of events writes are put off: fibers that write on and on must come to its end. */
const ROUNDS = 4;

const calls = new Int32Array(CALL_FIELDS * MOST_CALLS);
const buffers: (Uint8Array | null)[] = [];
/** The first `operationCount` of it; so are the lists below. (`length = 0` and `splice` are calls into V8's runtime.) */
const operations: (Operation | undefined)[] = [];
let operationCount = 0;
let state: 'closed' | 'open' | 'none' = 'closed';
let enabled = true;
let roundsLeft = 0;
/** Batches of events, and turns in which fibers go on that have done enough for the one before: each is like those before it. */
export const EVENTS = 0;
export const TURN = 1;
export type BatchKind = typeof EVENTS | typeof TURN;
/** The last one of its kind had many writes: so may the next. */
const manyWrites = [false, false];
/** Of this batch: writes of which none is of the same descriptor as the one before. */
let writes = 0;
let lastWriter: Writer | undefined;
let made = 0;

/** In `early`: its call is being made. */
const TAKEN = UNTRIED - 1;

/** Reads of connections that have never waited are put off in so many batches after one with many: between those are some in which connections end. */
const PATIENCE = 4;
let firstReads = 0;
const manyFirstReads = [0, 0];
let readRoundsLeft = 0;

/** What can have a read that is put off. */
export interface Reader {
  /** The read that is still to be tried. */
  readonly untriedRead: Operation | null;
  /** Go on with what waits to read. */
  retryReads(): void;
}
const readers: (Reader | undefined)[] = [];
let readerCount = 0;

/** What can have a write that is put off. */
export interface Writer {
  /** The write that is still to be tried. */
  readonly untried: Operation | null;
  /** Go on with what waits to write. */
  retryWrites(): void;
}
const writers: (Writer | undefined)[] = [];
let writerCount = 0;

/** For tests: without them, each read and write is a call. @returns whether there are any */
export function useBatches(on: boolean): boolean {
  enabled = on;
  if (on) state = 'closed';
  return isThere() || !on;
}

/** For tests: how many reads and writes have been made together with others. */
export const madeTogether = (): number => made;

function isThere(): boolean {
  if (state === 'closed') state = openTransfers() === 0 ? 'open' : 'none';
  return state === 'open' && enabled;
}

/** Whether to look what can be read together, of so many events. */
export const isWorthwhile = (events: number): boolean =>
  events >= WORTHWHILE && enabled && state !== 'none';

/** A read that is to be made together with others, in this batch of events. */
export function readTogether(op: Operation): void {
  operations[operationCount++] = op;
}

/** Make the reads. */
export function makeReads(): void {
  if (operationCount < WORTHWHILE || !isThere()) {
    operationCount = 0;
    return;
  }
  makeAll(READ);
  roundsLeft = ROUNDS;
}

/** A batch begins. */
export function beginRounds(kind: BatchKind): void {
  writes = firstReads = 0;
  roundsLeft = manyWrites[kind]! && isThere() ? ROUNDS : 0;
  readRoundsLeft = manyFirstReads[kind]! > 0 && isThere() ? ROUNDS : 0;
}

/** What comes is no more than what one fiber and then another does: not many at once. */
export function forgetWrites(): void {
  writes = 0;
  lastWriter = undefined;
}

/** Whether a write is to be put off: the fibers of a batch run, of which many write. */
export function putsOff(writer: Writer): boolean {
  if (writer !== lastWriter) writes++;
  lastWriter = writer;
  return roundsLeft > 0;
}

/** Whether to put off the read of a connection that has never waited: fibers of a batch run, of which many read so. */
export function putsOffRead(): boolean {
  firstReads++;
  return readRoundsLeft > 0;
}

/** @param reader  has a read that is untried */
export function putOffRead(reader: Reader): void {
  readers[readerCount++] = reader;
}

/** Once, though its socket may be in the list twice: tried before something was done to it, and put off again. */
function takeOn(op: Operation | null): void {
  if (op === null) return;
  op.early = TAKEN;
  operations[operationCount++] = op;
}

/** Make what was taken on. @returns false: it is too little, and is to be tried one by one */
function makeTaken(kind: TransferKind): boolean {
  if (operationCount >= WORTHWHILE && isThere()) {
    makeAll(kind);
    return true;
  }
  for (let i = 0; i < operationCount; i++) operations[i]!.early = UNTRIED;
  operationCount = 0;
  return false;
}

function makeFirstReads(): void {
  readRoundsLeft--;
  const count = readerCount;
  if (count === 0) return;
  for (let i = 0; i < count; i++) takeOn(readers[i]!.untriedRead);
  if (!makeTaken(READ)) readRoundsLeft = firstReads = 0;
  for (let i = 0; i < count; i++) readers[i]!.retryReads();
  readerCount = takeOut(readers, readerCount, count);
}

/** Take out the first `done` of `count`. @returns how many are left */
function takeOut<T>(list: (T | undefined)[], count: number, done: number): number {
  const left = count - done;
  for (let i = 0; i < left; i++) list[i] = list[done + i];
  for (let i = left; i < count; i++) list[i] = undefined;
  return left;
}

/** @param writer  has a write that is untried */
export function putOff(writer: Writer): void {
  writers[writerCount++] = writer;
}

/** The fibers have run: make what was put off. They go on then. */
export function makePutOff(): void {
  makeFirstReads();
  makeWrites();
}

/** The fibers have run, or the process is about to end: make the writes that were put off. They go on then. */
export function makeWrites(): void {
  roundsLeft--;
  const count = writerCount;
  if (count === 0) return;
  for (let i = 0; i < count; i++) takeOn(writers[i]!.untried);
  // One fiber, which writes to one after the other: it would be put off again each time.
  if (!makeTaken(WRITE)) roundsLeft = writes = 0;
  for (let i = 0; i < count; i++) writers[i]!.retryWrites();
  writerCount = takeOut(writers, writerCount, count);
}

/** Nothing is put off any more. */
export function endRounds(kind: BatchKind): void {
  roundsLeft = readRoundsLeft = 0;
  manyWrites[kind] = writes >= WORTHWHILE;
  if (firstReads >= WORTHWHILE) manyFirstReads[kind] = PATIENCE;
  else if (manyFirstReads[kind]! > 0) manyFirstReads[kind]!--;
  lastWriter = undefined;
}

function makeAll(kind: TransferKind): void {
  for (let from = 0; from < operationCount; from += MOST_CALLS) {
    make(kind, from, Math.min(operationCount - from, MOST_CALLS));
  }
  operationCount = 0;
}

function make(kind: TransferKind, from: number, count: number): void {
  let at = 0;
  for (let i = 0; i < count; i++, at += CALL_FIELDS) {
    const op = operations[from + i]!;
    calls[at + CALL_FD] = op.target!.fd;
    calls[at + CALL_KIND] = kind;
    calls[at + CALL_OFFSET] = op.offset;
    calls[at + CALL_LENGTH] = op.length;
    calls[at + CALL_RESULT] = PENDING;
    buffers[i] = op.bytes;
  }
  if (transfer(count, calls, buffers) < 0) state = 'none';
  else made += count;
  at = CALL_RESULT;
  for (let i = 0; i < count; i++, at += CALL_FIELDS) {
    const result = calls[at]!;
    operations[from + i]!.early = result === PENDING && kind === WRITE ? UNTRIED : result;
    operations[from + i] = undefined;
    buffers[i] = null;
  }
}
