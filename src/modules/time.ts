/**
 * `require 'time'`: sleeping, clocks and timers. Points in time are whole nanoseconds, as 64-bit
 * integers; Lua sees differences between them, in seconds.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { suspend } from '../fibers/suspend.ts';
import { monotonicNs, Timer, timers } from '../io/timer.ts';
import { badArgument, codeError, systemError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { ECANCELED } from '../sys/errno.ts';
import { luaModule, luaType } from './define.ts';

const NS_PER_SECOND = 1e9;
const MAX_TICKS = 2n ** 63n - 1n;
const MIN_TICKS = -(2n ** 63n);

// ── durations ──────────────────────────────────────────────────────────────────────────────────────

/** Seconds, checked: EDOM for what is no finite number. */
function seconds(v: LuaValue, position: number): number {
  if (typeof v !== 'number') throw badArgument(position);
  if (!Number.isFinite(v)) throw codeError('EDOM', { arg: position });
  return v;
}

/** Seconds from now on. */
function delaySeconds(v: LuaValue, position: number): number {
  const s = seconds(v, position);
  if (s < 0) throw codeError('EDOM', { arg: position });
  if (s * NS_PER_SECOND >= Number(MAX_TICKS)) throw codeError('EOVERFLOW');
  return s;
}

/** The nearest tick; of two equally near the even one. */
function toTicks(s: number): bigint {
  const ns = s * NS_PER_SECOND;
  if (Math.abs(ns) >= 2 ** 63) throw codeError('EOVERFLOW');
  const down = Math.floor(ns);
  const rest = ns - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  return BigInt(up ? down + 1 : down);
}

function checkTicks(ticks: bigint): bigint {
  if (ticks > MAX_TICKS || ticks < MIN_TICKS) throw codeError('EOVERFLOW');
  return ticks;
}

const toSeconds = (ticks: bigint): number => Number(ticks) / NS_PER_SECOND;

// ── time points ────────────────────────────────────────────────────────────────────────────────────

abstract class TimePoint extends Userdata {
  ticks: bigint;
  constructor(ticks: bigint) {
    super();
    this.ticks = ticks;
  }
}
class SteadyPoint extends TimePoint {}
class SystemPoint extends TimePoint {}
class HighResolutionPoint extends TimePoint {}

type PointClass = new (ticks: bigint) => TimePoint;

/** Both are of this clock, or EINVAL with the position of the one that isn't. */
function sameClock(cls: PointClass, a: LuaValue, b: LuaValue): [TimePoint, TimePoint] {
  if (!(a instanceof cls)) throw badArgument(1);
  if (!(b instanceof cls)) throw badArgument(2);
  return [a, b];
}

function pointType(name: string, cls: PointClass, movable: boolean): void {
  const moved = (self: TimePoint, by: LuaValue, sign: bigint): bigint =>
    checkTicks(self.ticks + sign * toTicks(seconds(by, 2)));
  const move = (sign: bigint) => (self: TimePoint, by: LuaValue) => {
    self.ticks = moved(self, by, sign);
    return NONE;
  };
  luaType(name, cls, {
    methods: movable ? { add: move(1n), sub: move(-1n) } : {},
    properties: { seconds_since_epoch: (self) => toSeconds(self.ticks) },
    equals: (a, b) => a instanceof cls && b instanceof cls && a.ticks === b.ticks,
    less(a, b) {
      const [x, y] = sameClock(cls, a, b);
      return x.ticks < y.ticks;
    },
    lessEqual(a, b) {
      const [x, y] = sameClock(cls, a, b);
      return x.ticks <= y.ticks;
    },
    arith(op, a, b) {
      if (!(a instanceof cls)) throw badArgument(1);
      if (op === 'sub' && b instanceof Userdata) {
        const [x, y] = sameClock(cls, a, b);
        return toSeconds(checkTicks(x.ticks - y.ticks));
      }
      if (!movable || (op !== 'add' && op !== 'sub')) throw badArgument(2);
      return new cls(moved(a, b, op === 'add' ? 1n : -1n));
    },
  });
}

pointType('time.steady_clock.time_point', SteadyPoint, true);
pointType('time.system_clock.time_point', SystemPoint, true);
pointType('time.high_resolution_clock.time_point', HighResolutionPoint, false);

// ── clocks ─────────────────────────────────────────────────────────────────────────────────────────

/** CLOCK_MONOTONIC. */
const steadyNow = monotonicNs;

let systemOffset = 0;

/**
 * The wall clock. Node gives it in milliseconds; the monotonic clock fills in the digits below, and
 * is set anew when the two have drifted apart, or somebody has moved the wall clock.
 */
function systemNow(): bigint {
  const ms = Date.now();
  const monotonic = performance.now();
  let now = monotonic + systemOffset;
  if (!(now >= ms && now < ms + 1)) {
    now = ms + Math.min(Math.max(now - ms, 0), 0.999_999);
    systemOffset = now - monotonic;
  }
  return BigInt(ms) * 1_000_000n + BigInt(Math.floor((now - ms) * 1e6));
}

function clock(cls: PointClass, now: () => bigint) {
  return { now: () => new cls(now()), epoch: () => new cls(0n) };
}

// ── timers ─────────────────────────────────────────────────────────────────────────────────────────

/** A clock is looked at again at least this often: somebody may have set it. */
const LONGEST_SYSTEM_WAIT = 1000;

/** What a timer of this module is, on either clock: one alarm for all that wait. */
abstract class ClockTimer extends Userdata {
  expiry = 0n;
  /** Oldest first. */
  private readonly waits = new Set<Waiter>();
  private readonly alarm = new Timer(() => this.ring());

  abstract now(): bigint;
  abstract point(ticks: bigint): TimePoint;
  abstract readonly longest: number;

  wait(): Result {
    return suspend((waiter) => {
      if (this.expiry <= this.now()) {
        waiter.wake(NONE);
        return undefined;
      }
      this.waits.add(waiter);
      if (this.waits.size === 1) this.arm();
      return () => {
        this.waits.delete(waiter);
        if (this.waits.size === 0) timers.cancel(this.alarm);
      };
    });
  }

  private arm(): void {
    const ms = Math.ceil(Number(this.expiry - this.now()) / 1e3) / 1e3;
    timers.start(this.alarm, Math.min(Math.max(ms, 0), this.longest));
  }

  private ring(): void {
    if (this.expiry > this.now()) {
      this.arm();
      return;
    }
    const waits = [...this.waits];
    this.waits.clear();
    for (const waiter of waits) waiter.wake(NONE);
  }

  /** @returns how many waits there were */
  cancel(): number {
    const waits = [...this.waits];
    this.waits.clear();
    timers.cancel(this.alarm);
    for (const waiter of waits) waiter.fail(systemError(ECANCELED));
    return waits.length;
  }

  expireAt(ticks: bigint): number {
    const cancelled = this.cancel();
    this.expiry = ticks;
    return cancelled;
  }
}

class SteadyTimer extends ClockTimer {
  readonly longest = Number.POSITIVE_INFINITY;
  now(): bigint {
    return steadyNow();
  }
  point(ticks: bigint): TimePoint {
    return new SteadyPoint(ticks);
  }
}

class SystemTimer extends ClockTimer {
  readonly longest = LONGEST_SYSTEM_WAIT;
  now(): bigint {
    return systemNow();
  }
  point(ticks: bigint): TimePoint {
    return new SystemPoint(ticks);
  }
}

function timerMethods(point: PointClass) {
  return {
    expires_at(self: ClockTimer, at: LuaValue): Result {
      if (!(at instanceof point)) throw badArgument(2);
      return self.expireAt(at.ticks);
    },
    wait: (self: ClockTimer): Result => self.wait(),
    cancel: (self: ClockTimer): Result => self.cancel(),
  };
}
const timerProperties = { expiry: (self: ClockTimer): Result => self.point(self.expiry) };

luaType('time.steady_timer', SteadyTimer, {
  methods: {
    ...timerMethods(SteadyPoint),
    expires_after(self, after: LuaValue): Result {
      return self.expireAt(checkTicks(self.now() + toTicks(delaySeconds(after, 2))));
    },
  },
  properties: timerProperties,
});
luaType('time.system_timer', SystemTimer, {
  methods: timerMethods(SystemPoint),
  properties: timerProperties,
});

// ── the module ─────────────────────────────────────────────────────────────────────────────────────

function sleep(secs: LuaValue): Result {
  const ms = delaySeconds(secs, 1) * 1000;
  return suspend((waiter) => {
    const timer = new Timer(() => waiter.wake(NONE));
    timers.start(timer, ms);
    return () => timers.cancel(timer);
  });
}

export const time = luaModule('time', {
  sleep,
  steady_clock: clock(SteadyPoint, steadyNow),
  system_clock: clock(SystemPoint, systemNow),
  high_resolution_clock: { ...clock(HighResolutionPoint, steadyNow), is_steady: true },
  steady_timer: { new: () => new SteadyTimer() },
  system_timer: { new: () => new SystemTimer() },
});
