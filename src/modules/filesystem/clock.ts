/** `filesystem.clock`: when files were changed. */
import { currentVm } from '../../actors/vm.ts';
import { realtimeNs } from '../../io/timer.ts';
import { badArgument } from '../../runtime/error-code.ts';
import {
  checkTicks,
  pointSpec,
  SystemPoint,
  TimePoint,
  toSeconds,
} from '../../runtime/time-point.ts';
import { type LuaValue, Userdata } from '../../runtime/value.ts';
import type { Stat } from '../../sys/filesystem.ts';
import { luaType } from '../define.ts';

export class FilePoint extends TimePoint {}

/** 1970 on this clock, whose epoch is the year 2174: libstdc++'s. */
const UNIX_EPOCH = -6_437_664_000_000_000_000n;
const BILLION = 1_000_000_000n;

export function modifiedAt(stat: Pick<Stat, 'modified' | 'modifiedNs'>): FilePoint {
  const unix = BigInt(stat.modified) * BILLION + BigInt(stat.modifiedNs);
  return new FilePoint(checkTicks(unix + UNIX_EPOCH));
}

/** @returns whole seconds since 1970, and nanoseconds above them */
export function toUnixTime(point: FilePoint): readonly [seconds: number, ns: number] {
  const unix = point.ticks - UNIX_EPOCH;
  const ns = ((unix % BILLION) + BILLION) % BILLION;
  return [Number((unix - ns) / BILLION), Number(ns)];
}

const spec = pointSpec(FilePoint, true);

luaType('filesystem.clock.time_point', FilePoint, {
  ...spec,
  methods: {
    ...spec.methods,
    to_system(self) {
      currentVm().core('time'); // what the object that is returned has
      return new SystemPoint(checkTicks(self.ticks - UNIX_EPOCH));
    },
  },
  properties: {
    ...spec.properties,
    seconds_since_unix_epoch: (self) => toSeconds(self.ticks - UNIX_EPOCH),
  },
});

class Clock extends Userdata {}

luaType('filesystem.clock', Clock, {
  properties: {
    from_system: () => (point: LuaValue) => {
      if (!(point instanceof SystemPoint)) throw badArgument(1);
      return new FilePoint(checkTicks(point.ticks + UNIX_EPOCH));
    },
    now: () => () => new FilePoint(realtimeNs() + UNIX_EPOCH),
    epoch: () => () => new FilePoint(0n),
    unix_epoch: () => () => new FilePoint(UNIX_EPOCH),
  },
});

export const clock = new Clock();
