/**
 * `require 'time'`: sleeping, clocks and timers. Points in time are whole nanoseconds, as 64-bit
 * integers; Lua sees differences between them, in seconds.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { suspend } from '../fibers/suspend.ts';
import { monotonicNs, realtimeNs, Timer, timers } from '../io/timer.ts';
import { badArgument, codeError, systemError } from '../runtime/error-code.ts';
import {
  checkSeconds,
  checkTicks,
  MAX_TICKS,
  NS_PER_SECOND,
  type PointClass,
  pointSpec,
  SystemPoint,
  TimePoint,
  toTicks,
} from '../runtime/time-point.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { ECANCELED } from '../sys/errno.ts';
import { luaModule, luaType } from './define.ts';

// ── durations ──────────────────────────────────────────────────────────────────────────────────────

/** Seconds from now on. */
function delaySeconds(v: LuaValue, position: number, fn: string): number {
  const s = checkSeconds(v, position, fn);
  if (s < 0) throw codeError('EDOM', { arg: position });
  if (s * NS_PER_SECOND >= Number(MAX_TICKS)) throw codeError('EOVERFLOW');
  return s;
}

// ── time points ────────────────────────────────────────────────────────────────────────────────────

class SteadyPoint extends TimePoint {}
class HighResolutionPoint extends TimePoint {}

function pointType(name: string, cls: PointClass, movable: boolean): void {
  luaType(name, cls, pointSpec(cls, movable));
}

pointType('time.steady_clock.time_point', SteadyPoint, true);
pointType('time.system_clock.time_point', SystemPoint, true);
pointType('time.high_resolution_clock.time_point', HighResolutionPoint, false);

// ── clocks ─────────────────────────────────────────────────────────────────────────────────────────

/** CLOCK_MONOTONIC. */
const steadyNow = monotonicNs;

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
      // One that has expired wakes it on the next turn: others run before.
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
    return realtimeNs();
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
      return self.expireAt(
        checkTicks(self.now() + toTicks(delaySeconds(after, 2, 'expires_after'))),
      );
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
  const ms = delaySeconds(secs, 1, 'sleep') * 1000;
  return suspend((waiter) => {
    const timer = new Timer(() => waiter.wake(NONE));
    timers.start(timer, ms);
    return () => timers.cancel(timer);
  });
}

export const time = luaModule('time', {
  sleep,
  steady_clock: clock(SteadyPoint, steadyNow),
  system_clock: clock(SystemPoint, realtimeNs),
  high_resolution_clock: { ...clock(HighResolutionPoint, steadyNow), is_steady: true },
  steady_timer: { new: () => new SteadyTimer() },
  system_timer: { new: () => new SystemTimer() },
});
