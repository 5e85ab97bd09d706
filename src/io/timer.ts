/**
 * Timers: one heap for all of a thread's, and one timer of Node for the nearest.
 *
 * A 4-ary heap of slots, numbers that the timers have while they run; deadlines and order of starting lie in
 * typed arrays, so that sifting touches no objects: a million of them are not in the processor's cache, these
 * arrays are. A timer that is cancelled leaves its slot in the heap, so nothing there has to be found; when more
 * than half of it are such, the heap is made anew of the others. The slot at the top is always a timer's.
 * Timers with the same deadline run in the order in which they were started.
 */
import { reportUncaught } from './operation.ts';

/** Above this Node's setTimeout takes a delay for 1 ms: longer ones are chained. */
const LONGEST = 2 ** 31 - 1;

let virtual: VirtualClock | undefined;

/** Whether a test's clock stands in for the real one. */
export const isTimeVirtual = (): boolean => virtual !== undefined;

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
  /** -1: not started. For TimerQueue. */
  slot = -1;

  constructor(done: () => void) {
    this.done = done;
  }

  get active(): boolean {
    return this.slot >= 0;
  }
}

const LEAST_ROOM = 16;
/** From this many on, room is given back when no timer runs any more. */
const MUCH_ROOM = 4096;
/**
 * The heap goes by ticks of 16 µs, far below what the alarm can tell apart: timers for one moment, but for
 * what clocks differ by from call to call, so run in the order of starting, which is that of their memory.
 */
const TICKS_PER_MS = 64;
/** What has been woken is still in the processor's cache when it runs. */
const FIRED_PER_TURN = 512;

/** So many slots of timers that were cancelled stay in any heap. */
const FEW_CANCELLED = 64;

export class TimerQueue {
  private clock: Clock;
  private count = 0;
  /** Places of the heap that are in use, also by timers that were cancelled. */
  private used = 0;
  /** The slot at each place of the heap; behind the heap those that are free. */
  private heap = slotsUpTo(LEAST_ROOM);
  /** By place in the heap. */
  private ticks = new Float64Array(LEAST_ROOM);
  /** The next three by slot. */
  private deadlines = new Float64Array(LEAST_ROOM);
  private sequences = new Float64Array(LEAST_ROOM);
  /** Without one: it was cancelled, or the slot is free. */
  private timers: (Timer | undefined)[] = [];
  private sequence = 0;
  private armedFor = Number.POSITIVE_INFINITY; // when the alarm rings, if later than needed or never
  private running = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.count;
  }

  /** Go by another clock. @throws Error while timers are running */
  useClock(clock: Clock): void {
    if (this.count > 0) throw new Error('timers are running');
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
    if (timer.slot >= 0) this.drop(timer);
    const place = this.used;
    if (place === this.heap.length) this.makeRoom(place * 2);
    const slot = this.heap[place]!;
    timer.slot = slot;
    this.timers[slot] = timer;
    this.sequences[slot] = this.sequence++;
    this.count++;
    this.used++;
    this.deadlines[slot] = deadline;
    this.siftUp(place, slot, Math.floor(deadline * TICKS_PER_MS));
    if (this.heap[0] === slot && !this.running) this.arm(now);
  }

  /** Afterwards `done` isn't called. Does nothing when the timer isn't running. */
  cancel(timer: Timer): void {
    if (timer.slot < 0) return;
    this.drop(timer);
    if (this.count === 0 && !this.running) this.ended();
  }

  /** Call those that are due, some at a time: what they wake runs, and so does the rest of the loop. */
  run(): void {
    this.armedFor = Number.POSITIVE_INFINITY;
    this.running = true;
    const now = this.clock.now();
    const started = this.sequence; // what they start waits for the next turn
    for (let fired = 0; this.count > 0 && fired < FIRED_PER_TURN; fired++) {
      const slot = this.heap[0]!;
      if (this.deadlines[slot]! > now || this.sequences[slot]! >= started) break;
      const timer = this.timers[slot]!;
      this.drop(timer);
      try {
        timer.done();
      } catch (error) {
        reportUncaught(error);
      }
    }
    this.running = false;
    if (this.count > 0) this.arm(this.clock.now());
    else this.ended();
  }

  private ended(): void {
    this.clock.disarm();
    if (this.heap.length > MUCH_ROOM) this.makeRoom(LEAST_ROOM);
  }

  /** See that the alarm rings for the nearest; one that rings too early does no harm. */
  private arm(now: number): void {
    const delay = Math.min(Math.max(Math.ceil(this.deadlines[this.heap[0]!]! - now), 0), LONGEST);
    if (now + delay < this.armedFor || this.count === 1) {
      this.armedFor = now + delay;
      this.clock.arm(delay);
    }
  }

  /** It doesn't run any more. */
  private drop(timer: Timer): void {
    const { slot } = timer;
    timer.slot = -1;
    this.timers[slot] = undefined;
    if (--this.count === 0) this.used = 0;
    else if (this.heap[this.used - 1] === slot) this.used--;
    else if (this.heap[0] === slot) {
      do this.removeTop();
      while (this.timers[this.heap[0]!] === undefined);
    } else if (this.used > 2 * this.count + FEW_CANCELLED) this.sweep();
  }

  private removeTop(): void {
    const last = --this.used;
    const moved = this.heap[last]!;
    this.heap[last] = this.heap[0]!;
    this.siftDown(0, moved, this.ticks[last]!);
  }

  /** Make the heap anew of the slots that timers have: in their order, which is mostly that of starting. */
  private sweep(): void {
    const { heap, ticks, deadlines, timers } = this;
    let place = 0;
    let free = heap.length;
    for (let slot = heap.length - 1; slot >= 0; slot--)
      if (timers[slot] === undefined) heap[--free] = slot;
    for (let slot = 0; place < free; slot++) {
      if (timers[slot] === undefined) continue;
      ticks[place] = Math.floor(deadlines[slot]! * TICKS_PER_MS);
      heap[place++] = slot;
    }
    this.used = place;
    for (let at = (place - 2) >> 2; at >= 0; at--) this.siftDown(at, heap[at]!, ticks[at]!);
  }

  /** For so many timers, not less than there are: none, when it gets smaller. */
  private makeRoom(room: number): void {
    this.heap = grown(this.heap, slotsUpTo(room));
    this.ticks = grown(this.ticks, new Float64Array(room));
    this.deadlines = grown(this.deadlines, new Float64Array(room));
    this.sequences = grown(this.sequences, new Float64Array(room));
    if (this.count === 0) this.timers = [];
  }

  private before(slot: number, tick: number, place: number): boolean {
    const other = this.ticks[place]!;
    return (
      tick < other || (tick === other && this.sequences[slot]! < this.sequences[this.heap[place]!]!)
    );
  }

  private put(place: number, slot: number, tick: number): void {
    this.heap[place] = slot;
    this.ticks[place] = tick;
  }

  private siftUp(place: number, slot: number, tick: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 2;
      if (!this.before(slot, tick, parent)) break;
      this.put(place, this.heap[parent]!, this.ticks[parent]!);
      place = parent;
    }
    this.put(place, slot, tick);
  }

  private siftDown(place: number, slot: number, tick: number): void {
    const { used } = this;
    for (;;) {
      const first = 4 * place + 1;
      if (first >= used) break;
      let least = first;
      const end = Math.min(first + 4, used);
      for (let child = first + 1; child < end; child++) {
        if (this.before(this.heap[child]!, this.ticks[child]!, least)) least = child;
      }
      if (this.before(slot, tick, least)) break;
      this.put(place, this.heap[least]!, this.ticks[least]!);
      place = least;
    }
    this.put(place, slot, tick);
  }
}

function slotsUpTo(count: number): Uint32Array {
  const slots = new Uint32Array(count);
  for (let i = 0; i < count; i++) slots[i] = i;
  return slots;
}

/** What is in `old`, as far as there is room, at the start of `room`. */
function grown<T extends Uint32Array | Float64Array>(old: T, room: T): T {
  if (old.length <= room.length) room.set(old);
  return room;
}

/** Node's timers. A delay of 0 is one turn of the loop; setTimeout would make it 1 ms. */
class NodeClock implements Clock {
  private readonly run: () => void;
  private timeout: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private ringsAt = 0;
  private source: { now(): number } | undefined;

  constructor(run: () => void) {
    this.run = run;
  }

  now(): number {
    // A global of Node's is looked up each time, and made when it is first asked for.
    return (this.source ??= performance).now();
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
    const at = this.now() + delay;
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
