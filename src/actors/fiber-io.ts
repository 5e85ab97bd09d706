/**
 * Operations of io/ as a fiber sees them: it waits for the ones that pend, and gets a value or an
 * error of Lua.
 *
 *   read_some(self, buffer) {
 *     const op = begin();                                          // the checks of a suspension point
 *     return end(op, self.io.read(op, bytes, offset, length), readCount);
 *   }
 *
 * Fibers that can run have their turn at each operation, also at one that completes at once. Where there are
 * none, that costs its system call and nothing else: no closure, no object. Other VMs have their turn after a
 * streak of them; and once the fibers together have done enough for a turn of the event loop, the next to
 * complete waits for that turn, which brings sockets and timers that others wait for.
 */
import { type Fiber, Waiter } from '../fibers/fiber.ts';
import { park, suspensionPoint } from '../fibers/suspend.ts';
import { Operation, PENDING } from '../io/operation.ts';
import { asBatch } from '../io/reactor.ts';
import type { ByteSink, ByteSource } from '../io/transport.ts';
import { endOfFile, endOfFileThere } from '../runtime/asio-error.ts';
import { ByteSpan } from '../runtime/byte-span.ts';
import { suspendIn } from '../runtime/call.ts';
import type { LuaError } from '../runtime/error.ts';
import { badArgument, coreError, systemError, systemErrorThere } from '../runtime/error-code.ts';
import { NONE, type Result } from '../runtime/value.ts';

const ECANCELED = 125;
/** Beside the results of io/: cancelled since the fiber was interrupted. */
const INTERRUPTED = PENDING - 1;

/** Operations of one fiber that may complete at once, one after the other. */
const STREAK = 64;
/**
 * A fiber whose transfer fills (or empties) a large buffer goes on for some of them before others that events have
 * let run: a connection that is drained is twice as fast as four in turn, since what its peer has written last is
 * in the cache still. Which of several sockets has an event first no program can know.
 */
const LARGE = 32_768;
const LARGE_STREAK = 16;
/** What all fibers may do in a turn of the event loop: an operation, or 16 KB of one, is 1. */
const WORK_PER_TURN = 512;
/**
 * A connection that is accepted is so much work: a fiber, and what that does first. And who only goes on accepting
 * doesn't hear of those that have ended: all that they have is alive still when V8 collects, and is moved twice.
 */
const WORK_OF_ACCEPT = 16;

/** Makes the result that Lua gets, or throws. @param value  `Operation.value` */
export type Convert = (result: number, value: unknown) => Result;

export class FiberOperation extends Operation {
  fiber: Fiber | undefined = undefined;
  waiter: Waiter | undefined = undefined;
  convert: Convert = nothing;
  result = 0;
  /** An event has completed it, and its fiber hasn't run since. */
  byEvent = false;

  constructor() {
    super(operationDone);
  }
}

/** `done` of every operation: a function for each would cost as much as the operation itself. */
function operationDone(this: Operation, result: number): void {
  work = 0; // the event loop has been around
  if (result !== -ECANCELED) countAsEvent(this as FiberOperation);
  complete(this as FiberOperation, result);
}

/** `undo` of every waiter. */
function cancelOperation(waiter: Waiter): void {
  (waiter.operation as FiberOperation).cancel();
}

/** Operations that nobody uses. */
const spare: FiberOperation[] = [];
const MOST_SPARE = 256;

let lastFiber: Fiber | undefined;
let streak = 0;
let work = 0;
/** Completed operations whose fibers wait for a turn of the event loop. */
let deferred: FiberOperation[] = [];

/** An operation for the current fiber, which may be interrupted here. */
export function begin(): FiberOperation {
  const fiber = suspensionPoint();
  const op = spare.pop() ?? new FiberOperation();
  op.fiber = fiber;
  return op;
}

/**
 * What the operation's start has come to.
 * @param result    ≥ 0, -errno or PENDING
 * @param givesWay  false: it is no wait by its nature, and other fibers need not run first
 */
export function end(op: FiberOperation, result: number, convert: Convert, givesWay = true): Result {
  const fiber = op.fiber!;
  if (result !== PENDING) {
    if (fiber !== lastFiber) {
      lastFiber = fiber;
      streak = 0;
    }
    work += 1 + (result > 0 ? result >> 14 : 0);
    const inTime = ++streak < STREAK && work < WORK_PER_TURN;
    const { scheduler } = fiber;
    if (inTime && (!givesWay || !scheduler.othersAreReady || drains(op, result))) {
      const { value } = op;
      release(op);
      return convert(result, value);
    }
  }
  lastFiber = undefined;
  op.convert = convert;
  const waiter = new Waiter(fiber, true);
  waiter.operation = op;
  op.waiter = waiter;
  park(waiter);
  if (result === PENDING) waiter.undo = cancelOperation;
  else if (work < WORK_PER_TURN) {
    if (isLarge(op, result)) countAsEvent(op);
    complete(op, result);
  } else {
    op.result = result;
    if (deferred.push(op) === 1) setImmediate(asBatch, goOn);
  }
  return suspendIn(finish);
}

/** For what completes at once, without `begin` and `end`: whether those would let this fiber go on. Then `countAsDone`. */
export const mayGoOn = (fiber: Fiber): boolean =>
  work + 1 < WORK_PER_TURN && (fiber !== lastFiber || streak + 1 < STREAK);

/** @param fiber  for which `mayGoOn` was asked */
export function countAsDone(fiber: Fiber): void {
  streak = fiber === lastFiber ? streak + 1 : 1;
  lastFiber = fiber;
  work++;
}

/** Its fiber is about to be ready, and isn't so by what a program has done. */
function countAsEvent(op: FiberOperation): void {
  op.byEvent = true;
  op.fiber!.scheduler.readyByEvents++;
}

/** `end`, for a connection that is accepted. */
export function endAccept(op: FiberOperation, result: number, convert: Convert): Result {
  if (result !== PENDING) work += WORK_OF_ACCEPT;
  return end(op, result, convert);
}

const isLarge = (op: FiberOperation, result: number): boolean =>
  result >= LARGE && result === op.length;

/** It is one of a row of large transfers, and keeps waiting only others like it, and who waited for the outside. */
const drains = (op: FiberOperation, result: number): boolean =>
  isLarge(op, result) && streak < LARGE_STREAK && op.fiber!.scheduler.onlyByEvents;

/** The event loop has had its turn. */
function goOn(): void {
  const ops = deferred;
  deferred = [];
  work = 0;
  for (const op of ops) complete(op, op.result);
}

function complete(op: FiberOperation, result: number): void {
  const waiter = op.waiter!;
  op.waiter = undefined;
  const error = result > 0 ? undefined : errorThere(op.convert, result);
  if (error !== undefined) {
    notByEvent(op);
    release(op);
    waiter.fail(error);
    return;
  }
  op.result = result === -ECANCELED && waiter.interrupted ? INTERRUPTED : result;
  waiter.wake(op);
}

/**
 * What it would throw, if that is all it does: then there need be no throwing, for which V8 looks through all frames of
 * the stack.
 */
function errorThere(convert: Convert, result: number): LuaError | undefined {
  if (result === 0) return convert === readCount ? endOfFileThere() : undefined;
  if (result === -ECANCELED) return undefined; // perhaps it is interrupted
  const throws = convert === readCount || convert === writeCount || convert === nothing;
  return throws ? systemErrorThere(-result) : undefined;
}

function notByEvent(op: FiberOperation): void {
  if (!op.byEvent) return;
  op.byEvent = false;
  op.fiber!.scheduler.readyByEvents--;
}

/** In the fiber, once it runs again. */
function finish(op: FiberOperation): Result {
  const { result, value, convert } = op;
  notByEvent(op);
  release(op);
  return convert(result, value);
}

function release(op: FiberOperation): void {
  op.fiber = undefined;
  op.value = undefined;
  if (spare.length < MOST_SPARE) spare.push(op);
}

// ── results ────────────────────────────────────────────────────────────────────────────────────────

/** Throw what a negative result means. */
export function raise(result: number): never {
  throw result === INTERRUPTED ? coreError('interrupted') : systemError(-result);
}

/** Bytes read: none is the end. */
export const readCount: Convert = (result) => {
  if (result > 0) return result;
  if (result === 0) throw endOfFile();
  return raise(result);
};

export const writeCount: Convert = (result) => (result >= 0 ? result : raise(result));

export function nothing(result: number): Result {
  return result >= 0 ? NONE : raise(result);
}

// ── bytes ──────────────────────────────────────────────────────────────────────────────────────────

/** `read_some` of anything that has bytes. */
export function readSome(source: ByteSource, buffer: unknown): Result {
  if (!(buffer instanceof ByteSpan)) throw badArgument(2);
  const { bytes, offset, length } = buffer;
  const op = begin();
  const result = source.read(op, bytes, offset, length);
  return end(op, result, length > 0 ? readCount : writeCount);
}

/** `write_some` of anything that takes bytes. */
export function writeSome(sink: ByteSink, buffer: unknown): Result {
  if (!(buffer instanceof ByteSpan)) throw badArgument(2);
  const { bytes, offset, length } = buffer;
  const op = begin();
  return end(op, sink.write(op, bytes, offset, length), writeCount);
}
