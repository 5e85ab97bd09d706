/**
 * A fiber: a Lua thread of its own with an id, its interruption state and somebody who may wait for it.
 * It is also the handle that Lua holds. One record, its `Waiter`, says what it is waiting for.
 */

import { LuaThread } from '../runtime/coroutine.ts';
import type { LuaError, SitePosition } from '../runtime/error.ts';
import { LuaTable } from '../runtime/table.ts';
import { type LuaFunction, type Result, Userdata } from '../runtime/value.ts';

/** What a fiber and its holders ask of the scheduler that runs it. */
export interface FiberScheduler {
  /** Whose fibers they are: the VM. */
  readonly host: object;
  /** The fiber of the root module. */
  root: Fiber | undefined;
  /** Other fibers than the one that runs can run. */
  readonly othersAreReady: boolean;
  /** How many of those that can run does an event of the outside let do so: in no order that a program has made. */
  readyByEvents: number;
  readonly onlyByEvents: boolean;
  spawn(body: LuaFunction, isModule?: boolean): Fiber;
  /** The waiter has been settled: its fiber can run. */
  resumeLater(waiter: Waiter): void;
  /** Let the others run first. */
  yield(fiber: Fiber): Result;
  /** The fiber's error has been taken by a join. */
  forgetFailure(fiber: Fiber): void;
  /** The error of a fiber that nobody will join. */
  report(id: number, error: LuaError, origin?: Origin): void;
  /** A cleanup handler raised: the VM ends. */
  cleanupFailed(error: LuaError): void;
}

/** A fiber that has failed and may still be joined. */
export interface Failure {
  error: LuaError;
  id: number;
  origin: Origin | undefined;
}

/** Where a fiber was made, and by whom, as far back as is kept. */
export interface Origin {
  readonly at: SitePosition | undefined;
  readonly by: number;
  readonly before: Origin | undefined;
  readonly depth: number;
}

export type FiberState = 'ready' | 'running' | 'waiting' | 'done' | 'failed';

export class Fiber extends Userdata {
  readonly scheduler: FiberScheduler;
  readonly thread: LuaThread;
  readonly id: number;
  /** A module's fiber: may `require`, is never interrupted. */
  readonly isModule: boolean;
  state: FiberState = 'ready';
  origin: Origin | undefined = undefined;
  waiter: Waiter | undefined = undefined;
  /** For its waits for mutexes. */
  turn: Waiter | undefined = undefined;
  /** Of a fiber that has ended. */
  result: Result = undefined;
  error: LuaError | undefined = undefined;

  joinable = true;
  interruptionCaught: boolean | undefined = undefined;
  joiner: Waiter | undefined = undefined;
  detached = false;

  interruptRequested = false;
  /** `disable_interruption` counts it up, and each cleanup handler that runs. */
  uninterruptible = 0;
  /** `restore_interruption` can't count it below this: modules and handlers have their own share. */
  uninterruptibleBase = 0;
  /** `forbid_suspend` counts it up. */
  suspendForbidden = 0;
  /** Runs a callback of native code: nothing in it may suspend. */
  inCallback = false;
  local: LuaTable | undefined = undefined;
  /** Neighbours in the list of those that have not ended. For FiberList. */
  before: Fiber | undefined = undefined;
  after: Fiber | undefined = undefined;

  constructor(scheduler: FiberScheduler, body: LuaFunction, id: number, isModule: boolean) {
    super();
    this.scheduler = scheduler;
    this.thread = new LuaThread(body, true);
    this.id = id;
    this.isModule = isModule;
    if (isModule) this.uninterruptible = this.uninterruptibleBase = 1;
  }

  private endCallbacks: Set<() => void> | undefined = undefined;

  /** Call `done` when the fiber has ended. @returns how to forget it */
  onEnd(done: () => void): () => void {
    this.endCallbacks ??= new Set();
    this.endCallbacks.add(done);
    return () => this.endCallbacks?.delete(done);
  }

  /** For the scheduler. */
  announceEnd(): void {
    const callbacks = this.endCallbacks;
    this.endCallbacks = undefined;
    if (callbacks !== undefined) for (const done of callbacks) done();
  }

  /** Fiber-local storage, made on first use. */
  get locals(): LuaTable {
    this.local ??= new LuaTable();
    return this.local;
  }

  /** The root module's: an error of it ends the VM. */
  get isRoot(): boolean {
    return this.scheduler.root === this;
  }

  get ended(): boolean {
    return this.state === 'done' || this.state === 'failed';
  }

  get wantsInterruption(): boolean {
    return this.interruptRequested && this.uninterruptible === 0;
  }
}

/** Fibers in the order in which they were made. A Set of a million takes longer to shrink than they to run. */
export class FiberList {
  first: Fiber | undefined = undefined;
  private last: Fiber | undefined = undefined;

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  /** At the end. */
  add(fiber: Fiber): void {
    const { last } = this;
    fiber.before = last;
    if (last === undefined) this.first = fiber;
    else last.after = fiber;
    this.last = fiber;
  }

  /** One that is in the list. */
  delete(fiber: Fiber): void {
    const { before, after } = fiber;
    if (before === undefined) this.first = after;
    else before.after = after;
    if (after === undefined) this.last = before;
    else after.before = before;
    fiber.before = fiber.after = undefined;
  }

  clear(): void {
    this.first = this.last = undefined;
  }

  /** Of which none may be deleted meanwhile. */
  *[Symbol.iterator](): Iterator<Fiber> {
    for (let fiber = this.first; fiber !== undefined; fiber = fiber.after) yield fiber;
  }
}

/** Why an operation ended early: decides which error the program sees. */
export type Undo = ((waiter: Waiter) => void) | undefined;

/** One suspension of one fiber: woken or failed once; what comes later is ignored. */
export class Waiter {
  readonly fiber: Fiber;
  /** Cancels the operation: it then completes, with its error, by `fail`, or never does. */
  undo: Undo = undefined;
  readonly interruptible: boolean;
  /** What only another fiber of the VM can give it; undefined where a timer or the kernel wakes it. */
  waitsFor: Userdata | undefined = undefined;
  settled = false;
  parked = false;
  /** An interruption calls the undo, but the wait goes on until it is woken. */
  deferred = false;
  /** The undo was called because the fiber was interrupted. */
  interrupted = false;
  /**
   * What is awaited, if it always completes by itself: while it is pending, nothing else ends the wait. (A field, not
   * a subclass: V8 makes an object of a subclass with a call.)
   */
  operation: { readonly pending: boolean } | undefined = undefined;
  value: Result = undefined;
  error: unknown = undefined;
  failed = false;

  constructor(fiber: Fiber, interruptible: boolean) {
    this.fiber = fiber;
    this.interruptible = interruptible;
  }

  /** The operation has completed with this raw result. */
  wake(value?: Result): void {
    if (this.settled) return;
    this.settled = true;
    this.value = value;
    if (this.parked) this.fiber.scheduler.resumeLater(this);
  }

  /** It has failed. From `interrupt`, after the undo: what can't be cancelled any more will complete. */
  fail(error: unknown): void {
    if (this.settled || this.operation?.pending === true) return;
    this.settled = true;
    this.failed = true;
    this.error = error;
    if (this.parked) this.fiber.scheduler.resumeLater(this);
  }
}
