/** `require 'barrier'`: fibers wait until a given number of them has arrived. Ours, not Emilua's. */
import { WaitQueue } from '../fibers/queue.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { checkInteger } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { type LuaValue, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

class Barrier extends Userdata {
  readonly parties: number;
  arrived = 0;
  readonly waiters = new WaitQueue();
  constructor(parties: number) {
    super();
    this.parties = parties;
  }
}

/** True in the fiber that arrived last. The barrier can be used again at once. */
function wait(self: Barrier): Result {
  suspensionPoint();
  if (++self.arrived === self.parties) {
    self.arrived = 0;
    for (let w = self.waiters.shift(); w !== undefined; w = self.waiters.shift()) w.wake(false);
    return true;
  }
  return suspend((waiter) => {
    waiter.waitsFor = self;
    self.waiters.push(waiter);
    return () => {
      self.waiters.remove(waiter);
      self.arrived--;
    };
  });
}

luaType('barrier', Barrier, {
  methods: { wait },
  properties: { parties: (self) => self.parties, arrived: (self) => self.arrived },
});

export const barrier = luaModule('barrier', {
  new: (parties: LuaValue) => {
    const n = checkInteger(parties, 1, 'new');
    if (n < 1) throw badArgument(1);
    return new Barrier(n);
  },
});
