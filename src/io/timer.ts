/**
 * Timers: one heap for all of a thread's, and one timer of Node for the nearest.
 *
 * A 4-ary heap; the deadlines lie in an array of doubles beside it, so that sifting touches no
 * objects. Each timer knows its index, so that cancelling costs O(log n) as starting does. Timers with
 * the same deadline run in the order in which they were started.
 */
import { reportUncaught } from './operation.ts';

/** Above this Node's setTimeout takes a delay for 1 ms: longer ones are chained. */
const LONGEST = 2 ** 31 - 1;

let virtual: VirtualClock | undefined;

/** Milliseconds of CLOCK_MONOTONIC since the thread started, with fractions. For delays. */
export const monotonicMs = (): number => virtual?.now() ?? performance.now();

/** Nanoseconds of CLOCK_MONOTONIC, the same for all threads and processes. clock_gettime(2) */
export const monotonicNs = (): bigint =>
  virtual === undefined ? process.hrtime.bigint() : BigInt(Math.round(virtual.now() * 1e6));

let systemOffset = 0;

/**
 * The wall clock. Node gives it in milliseconds; the monotonic clock fills in the digits below, and
 * is set anew when the two have drifted apart, or somebody has moved the wall clock.
 */
export function realtimeNs(): bigint {
  const ms = Date.now();
  const monotonic = performance.now();
  let now = monotonic + systemOffset;
  if (!(now >= ms && now < ms + 1)) {
    now = ms + Math.min(Math.max(now - ms, 0), 0.999_999);
    systemOffset = now - monotonic;
  }
  return BigInt(ms) * 1_000_000n + BigInt(Math.floor((now - ms) * 1e6));
}

/** What runs a queue: a clock and one alarm. Tests bring their own. */
export interface Clock {
  now(): number;
  /** Call `TimerQueue.run` after `delay` whole milliseconds, ≤ LONGEST; replaces the last one. */
  arm(delay: number): void;
  /** Nothing to wait for: the alarm may still ring, but must not keep the process alive. */
  disarm(): void;
}

/** A timer that can be started again and again: no closure, no allocation per start. */
export class Timer {
  done: () => void;
  /** Place in the heap; -1: not started. For TimerQueue. */
  index = -1;
  /** Order of starting. For TimerQueue. */
  sequence = 0;

  constructor(done: () => void) {
    this.done = done;
  }

  get active(): boolean {
    return this.index >= 0;
  }
}

export class TimerQueue {
  private clock: Clock;
  private readonly heap: Timer[] = [];
  private deadlines = new Float64Array(16);
  private sequence = 0;
  private armedFor = Number.POSITIVE_INFINITY; // when the alarm rings, if later than needed or never
  private running = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.heap.length;
  }

  /** Go by another clock. @throws Error while timers are running */
  useClock(clock: Clock): void {
    if (this.heap.length > 0) throw new Error('timers are running');
    this.clock.disarm();
    this.clock = clock;
    this.armedFor = Number.POSITIVE_INFINITY;
  }

  /**
   * Call `timer.done` once, no earlier than `delay` from now and never before this returns. A timer
   * that is running is started anew.
   * @param delay  milliseconds, ≥ 0, with fractions; Infinity never fires
   * @throws RangeError  negative or NaN
   */
  start(timer: Timer, delay: number): void {
    if (!(delay >= 0)) throw new RangeError(`a delay of ${delay} ms`);
    const now = this.clock.now();
    this.startAt(timer, now + delay, now);
  }

  /** As `start`, at a time of the queue's clock; at once when that has passed. */
  startAt(timer: Timer, deadline: number, now = this.clock.now()): void {
    if (timer.index >= 0) this.remove(timer.index);
    timer.sequence = this.sequence++;
    const index = this.heap.length;
    if (index === this.deadlines.length) {
      const grown = new Float64Array(index * 2);
      grown.set(this.deadlines);
      this.deadlines = grown;
    }
    this.siftUp(index, timer, deadline);
    if (timer.index === 0 && !this.running) this.arm(now);
  }

  /** Afterwards `done` isn't called. Does nothing when the timer isn't running. */
  cancel(timer: Timer): void {
    if (timer.index < 0) return;
    this.remove(timer.index);
    timer.index = -1;
    if (this.heap.length === 0 && !this.running) this.clock.disarm();
  }

  /** Call those that are due. For the clock. */
  run(): void {
    this.armedFor = Number.POSITIVE_INFINITY;
    this.running = true;
    const now = this.clock.now();
    const started = this.sequence; // what they start waits for the next turn
    for (let timer = this.heap[0]; timer !== undefined; timer = this.heap[0]) {
      if (this.deadlines[0]! > now || timer.sequence >= started) break;
      this.remove(0);
      timer.index = -1;
      try {
        timer.done();
      } catch (error) {
        reportUncaught(error);
      }
    }
    this.running = false;
    if (this.heap.length > 0) this.arm(this.clock.now());
    else this.clock.disarm();
  }

  /** See that the alarm rings for the nearest; one that rings too early does no harm. */
  private arm(now: number): void {
    const delay = Math.min(Math.max(Math.ceil(this.deadlines[0]! - now), 0), LONGEST);
    if (now + delay < this.armedFor || this.heap.length === 1) {
      this.armedFor = now + delay;
      this.clock.arm(delay);
    }
  }

  private remove(index: number): void {
    const last = this.heap.length - 1;
    const moved = this.heap[last]!;
    const deadline = this.deadlines[last]!;
    this.heap.pop();
    if (index === last) return;
    if (index > 0 && this.before(moved, deadline, (index - 1) >> 2)) {
      this.siftUp(index, moved, deadline);
    } else {
      this.siftDown(index, moved, deadline);
    }
  }

  private before(timer: Timer, deadline: number, index: number): boolean {
    const other = this.deadlines[index]!;
    return deadline < other || (deadline === other && timer.sequence < this.heap[index]!.sequence);
  }

  private put(index: number, timer: Timer, deadline: number): void {
    this.heap[index] = timer;
    this.deadlines[index] = deadline;
    timer.index = index;
  }

  private siftUp(index: number, timer: Timer, deadline: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 2;
      if (!this.before(timer, deadline, parent)) break;
      this.put(index, this.heap[parent]!, this.deadlines[parent]!);
      index = parent;
    }
    this.put(index, timer, deadline);
  }

  private siftDown(index: number, timer: Timer, deadline: number): void {
    const length = this.heap.length;
    for (;;) {
      const first = 4 * index + 1;
      if (first >= length) break;
      let least = first;
      const end = Math.min(first + 4, length);
      for (let child = first + 1; child < end; child++) {
        if (this.before(this.heap[child]!, this.deadlines[child]!, least)) least = child;
      }
      if (this.before(timer, deadline, least)) break;
      this.put(index, this.heap[least]!, this.deadlines[least]!);
      index = least;
    }
    this.put(index, timer, deadline);
  }
}

/** Node's timers. A delay of 0 is one turn of the loop; setTimeout would make it 1 ms. */
class NodeClock implements Clock {
  private readonly run: () => void;
  private timeout: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private ringsAt = 0;

  constructor(run: () => void) {
    this.run = run;
  }

  now(): number {
    return performance.now();
  }

  arm(delay: number): void {
    if (delay === 0) {
      this.immediate ??= setImmediate(() => {
        this.immediate = undefined;
        this.run();
      });
      this.immediate.ref();
      return;
    }
    const at = performance.now() + delay;
    // Kept when it was left over from a timer that was cancelled, and rings early enough.
    if (this.timeout && this.ringsAt <= at) {
      this.timeout.ref();
      return;
    }
    clearTimeout(this.timeout);
    this.ringsAt = at;
    this.timeout = setTimeout(() => {
      this.timeout = undefined;
      this.run();
    }, delay);
  }

  disarm(): void {
    this.timeout?.unref();
    this.immediate?.unref();
  }
}

/**
 * Time that passes only when nothing else can happen: then it jumps to the next deadline. For tests of
 * programs with timers, which so are quick and always the same.
 */
export class VirtualClock implements Clock {
  private time = 0;
  private target = Number.POSITIVE_INFINITY;
  private ticking = false;
  private readonly isIdle: () => boolean;

  /** @param isIdle  nothing can run, and nothing is awaited but timers */
  constructor(isIdle: () => boolean) {
    this.isIdle = isIdle;
  }

  now(): number {
    return this.time;
  }

  arm(delay: number): void {
    this.target = this.time + delay;
    this.tick();
  }

  disarm(): void {
    this.target = Number.POSITIVE_INFINITY;
  }

  private tick(): void {
    if (this.ticking) return;
    this.ticking = true;
    setImmediate(() => {
      this.ticking = false;
      if (this.target === Number.POSITIVE_INFINITY) return;
      if (!this.isIdle()) {
        this.tick();
        return;
      }
      this.time = Math.max(this.time, this.target);
      this.target = Number.POSITIVE_INFINITY;
      timers.run();
    });
  }
}

const realClock = new NodeClock(() => timers.run());

/** All timers of this thread. */
export const timers: TimerQueue = new TimerQueue(realClock);

/** Let time be virtual, or real again. @throws Error while timers are running */
export function useVirtualTime(clock: VirtualClock | undefined): void {
  timers.useClock(clock ?? realClock);
  virtual = clock;
}

/**
 * Call `done` once, no earlier than `delay` from now.
 * @param delay  milliseconds, ≥ 0, fractions rounded up; Infinity never fires
 * @param done   runs on the event loop, never before `startTimer` has returned
 * @returns      cancel: may be called twice; afterwards `done` is never called
 * @throws RangeError  negative or NaN: a bug of ours, since modules/ checks what Lua passes
 * Source: Node's setTimeout turns delays above 2³¹ − 1 ms into 1 ms, so long ones are chained.
 */
export function startTimer(delay: number, done: () => void): () => void {
  const timer = new Timer(done);
  timers.start(timer, delay);
  return () => timers.cancel(timer);
}
