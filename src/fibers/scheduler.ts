/**
 * The fibers of one VM: a ring of those that can run. Each turn of the event loop runs it dry, up to a
 * bound, so that fibers that only yield don't keep the loop from its sockets and timers.
 */
import { enter, goOn, hasCleanup, reviveForCleanup } from '../runtime/coroutine.ts';
import { type LuaError, toLuaError } from '../runtime/error.ts';
import { isInterrupted } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import type { LuaTable } from '../runtime/table.ts';
import {
  isSuspend,
  type LuaFunction,
  NONE,
  type Result,
  SUSPEND,
  type Userdata,
} from '../runtime/value.ts';
import {
  type Failure,
  Fiber,
  FiberList,
  type FiberScheduler,
  type Origin,
  type Waiter,
} from './fiber.ts';
import { Outside } from './waitable.ts';

/** Switches before the event loop gets its turn. */
const SWITCHES_PER_TURN = 4096;

export interface SchedulerHost {
  /** Call `run` soon: at the end of the current job, or (`later`) after a turn of the event loop. */
  schedule(run: () => void, later: boolean): void;
  /** No fiber is ready. The VM may end. */
  quiet(): void;
  /** The fiber of this id ended with an error that nobody will join for. */
  panic(id: number, error: LuaError, origin: Origin | undefined): void;
  /** A cleanup handler raised: the VM must end at once. */
  cleanupFailed(fiber: Fiber, error: LuaError): void;
  /** Whether by itself or with an error. */
  fiberEnded(fiber: Fiber): void;
  /** Something was thrown that is no Lua error: a bug of ours. The VM ends. */
  bug(thrown: unknown): void;
}

/** Schedulers of this thread that have been asked to run, and have not yet. */
let waiting = 0;

/** The scheduler whose fiber runs now. */
let running: Scheduler | undefined;

function setStringMeta(meta: LuaTable | undefined): void {
  // See there: it is to be written once only, where there is one VM.
  if (state.stringMeta !== meta) state.stringMeta = meta;
}

/** @throws Error outside of any fiber: a bug of ours */
export function currentFiber(): Fiber {
  const fiber = running?.current;
  if (fiber === undefined) throw new Error('no fiber is running');
  return fiber;
}

/** An error of the fiber that was joined stays as it is, with the places where it was raised. */
function entryOf(waiter: Waiter): 'error' | 'failure' {
  const { waitsFor } = waiter;
  if (!(waitsFor instanceof Fiber) || waitsFor.joiner !== waiter) return 'failure';
  waitsFor.joiner = undefined;
  return 'error';
}

interface Outcome {
  readonly value: Result;
  readonly thrown: unknown;
}

export class Scheduler implements FiberScheduler {
  current: Fiber | undefined = undefined;
  root: Fiber | undefined = undefined;
  // Few fibers have these: they are no fields of all.
  /** How the function of a fiber ended whose cleanup handlers run now. */
  private outcomes: Map<Fiber, Outcome> | undefined = undefined;
  /** Fibers that have failed and may still be joined; and what they failed with, by a handle that may be dropped. */
  private failures: Set<Failure> | undefined = undefined;
  private failureOf: WeakMap<Fiber, Failure> | undefined = undefined;
  /** Of the VM: what strings are indexed by while its fibers run. */
  stringMeta: LuaTable | undefined = undefined;
  closed = false;
  readonly host: SchedulerHost;
  /** A ring whose size is a power of two. */
  private ring: (Fiber | undefined)[] = [undefined, undefined, undefined, undefined];
  private head = 0;
  private count = 0;
  private scheduled = false;
  private nextId = 1;
  private readonly turn = (): void => this.run();
  /** Fibers that have not ended. */
  readonly alive = new FiberList();

  constructor(host: SchedulerHost) {
    this.host = host;
  }

  /** No fiber is ready, and none waits for something that can still be undone or happen. */
  get isIdle(): boolean {
    return !this.anyWaits((target) => target === undefined || target instanceof Outside);
  }

  /** The same, but for what other VMs may do. */
  get isStuck(): boolean {
    return !this.anyWaits((target) => target === undefined);
  }

  private anyWaits(counts: (target: Userdata | undefined) => boolean): boolean {
    if (this.count > 0 || this.current !== undefined) return true;
    const awaits = ({ waiter }: Fiber): boolean => waiter !== undefined && counts(waiter.waitsFor);
    if (this.witness !== undefined && awaits(this.witness)) return true;
    for (let fiber = this.alive.first; fiber !== undefined; fiber = fiber.after) {
      if (!awaits(fiber)) continue;
      this.witness = fiber;
      return true;
    }
    return false;
  }

  /** A fiber that was seen to wait for the outside world: it may do so still. */
  private witness: Fiber | undefined = undefined;

  get othersAreReady(): boolean {
    return this.count > 0;
  }

  readyByEvents = 0;

  /** All that can run has been let to by events. */
  get onlyByEvents(): boolean {
    return this.count <= this.readyByEvents;
  }

  /** Nothing is ready: only timers, descriptors or other VMs can change that. */
  get isQuiet(): boolean {
    return this.count === 0 && this.current === undefined;
  }

  /** For tests: which of the fibers that can run comes next, of this many. Unset: the oldest. */
  choose: ((count: number) => number) | undefined = undefined;

  /** A new fiber at the end of the ring. */
  spawn(body: LuaFunction, isModule = false): Fiber {
    const fiber = new Fiber(this, body, this.nextId++, isModule);
    this.alive.add(fiber);
    this.post(fiber);
    return fiber;
  }

  /** The waiter has been settled: its fiber can run. */
  resumeLater(waiter: Waiter): void {
    const { fiber } = waiter;
    if (fiber.waiter === waiter) this.post(fiber);
  }

  /** Let the others run: the fiber goes to the end of the ring. */
  yield(fiber: Fiber): Result {
    this.post(fiber);
    return SUSPEND;
  }

  post(fiber: Fiber): void {
    if (this.closed) return;
    fiber.state = 'ready';
    let { ring } = this;
    if (this.count === ring.length) {
      const bigger: (Fiber | undefined)[] = new Array(ring.length * 2).fill(undefined);
      for (let i = 0; i < this.count; i++) bigger[i] = ring[(this.head + i) & (ring.length - 1)];
      this.ring = ring = bigger;
      this.head = 0;
    }
    ring[(this.head + this.count++) & (ring.length - 1)] = fiber;
    if (!this.scheduled && running !== this) this.scheduleTurn(false);
  }

  /**
   * The fiber that was made ready last is the next to run: who waits for the end of another goes on where that ended,
   * before all that can run.
   */
  hurryLast(): void {
    if (this.count < 2) return;
    const { ring } = this;
    const tail = (this.head + this.count - 1) & (ring.length - 1);
    this.head = (this.head - 1) & (ring.length - 1);
    ring[this.head] = ring[tail];
    if (this.head !== tail) ring[tail] = undefined;
  }

  private scheduleTurn(later: boolean): void {
    this.scheduled = true;
    waiting++;
    this.host.schedule(this.turn, later);
  }

  /** Run what is ready. */
  private run(): void {
    this.scheduled = false;
    waiting--;
    const outer = running;
    const outerMeta = state.stringMeta;
    running = this;
    setStringMeta(this.stringMeta);
    let budget = SWITCHES_PER_TURN;
    // Where other VMs want to run, each fiber that is ready now gets its turn before they do.
    const fair = budget - this.count;
    try {
      while (this.count > 0 && budget > 0 && !this.closed) {
        if (budget <= fair && waiting > 0) break;
        budget--;
        if (this.choose !== undefined) this.bringForward(this.choose(this.count));
        const fiber = this.ring[this.head]!;
        this.ring[this.head] = undefined;
        this.head = (this.head + 1) & (this.ring.length - 1);
        this.count--;
        this.switchTo(fiber);
      }
    } finally {
      running = outer;
      // Where no VM ran, nobody asks.
      if (outer !== undefined) setStringMeta(outerMeta);
      this.current = undefined;
    }
    if (this.closed) return;
    if (this.count === 0) return this.host.quiet();
    this.scheduleTurn(budget <= 0);
  }

  /** Exchange the head of the ring with a later one. */
  private bringForward(by: number): void {
    const { ring, head } = this;
    const at = (head + by) & (ring.length - 1);
    const fiber = ring[at];
    ring[at] = ring[head];
    ring[head] = fiber;
  }

  private switchTo(fiber: Fiber): void {
    this.current = fiber;
    fiber.state = 'running';
    const { thread, waiter } = fiber;
    fiber.waiter = undefined;
    let v: Result;
    try {
      if (thread.body !== undefined) v = enter(thread, 'start', NONE);
      else if (waiter === undefined) v = goOn(thread, NONE);
      else if (waiter.failed) v = enter(thread, entryOf(waiter), waiter.error as Result);
      else v = goOn(thread, waiter.value);
    } catch (thrown) {
      if (this.runsCleanup(fiber, { value: undefined, thrown })) return this.switchTo(fiber);
      this.fail(fiber, thrown);
      return;
    }
    if (!isSuspend(v)) {
      if (this.runsCleanup(fiber, { value: v, thrown: undefined })) return this.switchTo(fiber);
      const outcome = this.outcomes?.get(fiber);
      this.outcomes?.delete(fiber);
      if (outcome === undefined) this.end(fiber, v);
      else if (outcome.thrown === undefined) this.end(fiber, outcome.value);
      else this.fail(fiber, outcome.thrown);
    } else if (fiber.state === 'running') fiber.state = 'waiting';
  }

  /** The fiber's function has ended, and has handlers to run first. Not after an error of the main one. */
  private runsCleanup(fiber: Fiber, outcome: Outcome): boolean {
    const { thread } = fiber;
    if (this.closed || (fiber.isRoot && outcome.thrown !== undefined)) return false;
    if (!hasCleanup(thread)) return false;
    this.outcomes ??= new Map();
    if (!this.outcomes.has(fiber)) this.outcomes.set(fiber, outcome);
    reviveForCleanup(thread, () => NONE);
    return true;
  }

  /** A handler raised. */
  cleanupFailed(error: LuaError): void {
    this.host.cleanupFailed(this.current!, error);
  }

  private end(fiber: Fiber, result: Result): void {
    fiber.state = 'done';
    fiber.result = result;
    this.alive.delete(fiber);
    const { joiner } = fiber;
    if (joiner !== undefined) {
      fiber.joiner = undefined;
      fiber.interruptionCaught = false;
      joiner.wake(result);
      this.hurryLast();
    }
    this.ended(fiber);
  }

  /** Who waits for its end is given its error, except that of an interruption. */
  private failJoiner(fiber: Fiber, joiner: Waiter, error: LuaError): void {
    fiber.interruptionCaught = isInterrupted(error.value);
    if (fiber.interruptionCaught) {
      fiber.joiner = undefined;
      joiner.wake(NONE);
    } else joiner.fail(error);
    this.hurryLast();
  }

  private fail(fiber: Fiber, thrown: unknown): void {
    let error: LuaError;
    try {
      error = toLuaError(thrown);
    } catch (bug) {
      this.host.bug(bug);
      return;
    }
    fiber.state = 'failed';
    fiber.error = error;
    this.alive.delete(fiber);
    if (fiber.joiner !== undefined) this.failJoiner(fiber, fiber.joiner, error);
    else if (fiber.detached) this.report(fiber.id, error, fiber.origin);
    else if (!fiber.isModule && !isInterrupted(error.value)) {
      const failure = { error, id: fiber.id, origin: fiber.origin };
      this.failures ??= new Set();
      this.failures.add(failure);
      unjoined.register(fiber, { scheduler: this, failure }, fiber);
      this.failureOf ??= new WeakMap();
      this.failureOf.set(fiber, failure);
    }
    this.ended(fiber);
  }

  private ended(fiber: Fiber): void {
    fiber.announceEnd();
    this.host.fiberEnded(fiber);
  }

  /** The error of a fiber that nobody joins. */
  report(id: number, error: LuaError, origin?: Origin): void {
    if (!isInterrupted(error.value)) this.host.panic(id, error, origin);
  }

  /** The handle has been joined or detached after all. */
  forgetFailure(fiber: Fiber): void {
    const failure = this.failureOf?.get(fiber);
    if (failure === undefined) return;
    unjoined.unregister(fiber);
    this.failures?.delete(failure);
    this.failureOf?.delete(fiber);
  }

  reportFailure(failure: Failure): void {
    if (this.failures?.delete(failure)) this.report(failure.id, failure.error, failure.origin);
  }

  /** The VM ends: nobody will join any more. */
  reportFailures(): void {
    for (const failure of [...(this.failures ?? [])]) this.reportFailure(failure);
  }

  /** Forget all fibers: the VM has ended. No cleanup runs. */
  close(): void {
    this.closed = true;
    this.count = 0;
    for (let fiber = this.alive.first; fiber !== undefined; fiber = fiber.after) {
      const { waiter } = fiber;
      if (waiter !== undefined && !waiter.settled) {
        waiter.settled = true;
        waiter.undo?.(waiter);
      }
    }
    this.alive.clear();
  }
}

/** Failed fibers whose handle has been collected without a join. */
const unjoined = new FinalizationRegistry<{ scheduler: Scheduler; failure: Failure }>(
  ({ scheduler, failure }) => scheduler.reportFailure(failure),
);
