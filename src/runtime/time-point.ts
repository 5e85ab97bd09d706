/** Points in time of some clock: whole ticks of a nanosecond, 64 bits. What Lua sees of them. */
import { checkNumber } from './check.ts';
import { badArgument, codeError } from './error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from './value.ts';

export const NS_PER_SECOND = 1e9;
export const MAX_TICKS = 2n ** 63n - 1n;
const MIN_TICKS = -(2n ** 63n);

/** Seconds, checked: EDOM for what is not finite. @param fn  what they are an argument of */
export function checkSeconds(v: LuaValue, position: number, fn: string): number {
  const s = checkNumber(v, position, fn);
  if (!Number.isFinite(s)) throw codeError('EDOM', { arg: position });
  return s;
}

/** The nearest tick; of two equally near the even one. */
export function toTicks(s: number): bigint {
  const ns = s * NS_PER_SECOND;
  if (Math.abs(ns) >= 2 ** 63) throw codeError('EOVERFLOW');
  const down = Math.floor(ns);
  const rest = ns - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  return BigInt(up ? down + 1 : down);
}

export function checkTicks(ticks: bigint): bigint {
  if (ticks > MAX_TICKS || ticks < MIN_TICKS) throw codeError('EOVERFLOW');
  return ticks;
}

export const toSeconds = (ticks: bigint): number => Number(ticks) / NS_PER_SECOND;

export abstract class TimePoint extends Userdata {
  ticks: bigint;
  constructor(ticks: bigint) {
    super();
    this.ticks = ticks;
  }
}
/** Since 1970-01-01 UTC. */
export class SystemPoint extends TimePoint {}
/** When files were changed: since the year 2174, as libstdc++ has it. */
export class FilePoint extends TimePoint {}
/** 1970 on the clock of files. */
export const FILE_CLOCK_1970 = -6_437_664_000_000_000_000n;

const BILLION = 1_000_000_000n;

/** @param ticks  since 1970. @returns whole seconds, and nanoseconds above them */
export function unixTimeOf(ticks: bigint): readonly [seconds: number, ns: number] {
  const ns = ((ticks % BILLION) + BILLION) % BILLION;
  return [Number((ticks - ns) / BILLION), Number(ns)];
}

export const toUnixTime = (point: FilePoint): readonly [seconds: number, ns: number] =>
  unixTimeOf(point.ticks - FILE_CLOCK_1970);

export type PointClass = new (ticks: bigint) => TimePoint;

/** Both are of this clock, or EINVAL with the position of the one that isn't. */
function sameClock(cls: PointClass, a: LuaValue, b: LuaValue): [TimePoint, TimePoint] {
  if (!(a instanceof cls)) throw badArgument(1);
  if (!(b instanceof cls)) throw badArgument(2);
  return [a, b];
}

/**
 * What a clock's points have, for `luaType`.
 * @param movable  they can be moved, and others be made by adding seconds
 */
export function pointSpec(cls: PointClass, movable: boolean) {
  const moved = (self: TimePoint, by: number, sign: bigint): bigint =>
    checkTicks(self.ticks + sign * toTicks(by));
  const move = (sign: bigint, fn: string) => (self: TimePoint, by: LuaValue) => {
    self.ticks = moved(self, checkSeconds(by, 2, fn), sign);
    return NONE;
  };
  const methods: Record<string, (self: TimePoint, ...args: LuaValue[]) => Result> = movable
    ? { add: move(1n, 'add'), sub: move(-1n, 'sub') }
    : {};
  return {
    methods,
    properties: { seconds_since_epoch: (self: TimePoint): Result => toSeconds(self.ticks) },
    equals: (a: LuaValue, b: LuaValue) =>
      a instanceof cls && b instanceof cls && a.ticks === b.ticks,
    less(a: LuaValue, b: LuaValue) {
      const [x, y] = sameClock(cls, a, b);
      return x.ticks < y.ticks;
    },
    lessEqual(a: LuaValue, b: LuaValue) {
      const [x, y] = sameClock(cls, a, b);
      return x.ticks <= y.ticks;
    },
    arith(op: string, a: LuaValue, b: LuaValue): Result {
      if (!(a instanceof cls)) throw badArgument(1);
      if (op === 'sub' && b instanceof Userdata) {
        const [x, y] = sameClock(cls, a, b);
        return toSeconds(checkTicks(x.ticks - y.ticks));
      }
      if (!movable || (op !== 'add' && op !== 'sub')) throw badArgument(2);
      if (op === 'sub' && typeof b !== 'number') throw badArgument(2);
      return new cls(moved(a, checkSeconds(b, 2, `__${op}`), op === 'add' ? 1n : -1n));
    },
  };
}
