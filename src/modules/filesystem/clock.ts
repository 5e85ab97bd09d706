/** `filesystem.clock`: when files were changed. */
import { currentVm } from '../../actors/vm.ts';
import { realtimeNs } from '../../io/timer.ts';
import { badArgument } from '../../runtime/error-code.ts';
import {
  checkTicks,
  FILE_CLOCK_1970,
  FilePoint,
  pointSpec,
  SystemPoint,
  toSeconds,
} from '../../runtime/time-point.ts';
import { type LuaValue, Userdata } from '../../runtime/value.ts';
import type { Stat } from '../../sys/filesystem.ts';
import { luaType } from '../define.ts';

const BILLION = 1_000_000_000n;

export function modifiedAt(stat: Pick<Stat, 'modified' | 'modifiedNs'>): FilePoint {
  const unix = BigInt(stat.modified) * BILLION + BigInt(stat.modifiedNs);
  return new FilePoint(checkTicks(unix + FILE_CLOCK_1970));
}

const spec = pointSpec(FilePoint, true);

luaType('filesystem.clock.time_point', FilePoint, {
  ...spec,
  methods: {
    ...spec.methods,
    to_system(self) {
      currentVm().core('time'); // what the object that is returned has
      return new SystemPoint(checkTicks(self.ticks - FILE_CLOCK_1970));
    },
  },
  properties: {
    ...spec.properties,
    seconds_since_unix_epoch: (self) => toSeconds(self.ticks - FILE_CLOCK_1970),
  },
});

class Clock extends Userdata {}

luaType('filesystem.clock', Clock, {
  properties: {
    from_system: () => (point: LuaValue) => {
      if (!(point instanceof SystemPoint)) throw badArgument(1);
      return new FilePoint(checkTicks(point.ticks + FILE_CLOCK_1970));
    },
    now: () => () => new FilePoint(realtimeNs() + FILE_CLOCK_1970),
    epoch: () => () => new FilePoint(0n),
    unix_epoch: () => () => new FilePoint(FILE_CLOCK_1970),
  },
});

export const clock = new Clock();
