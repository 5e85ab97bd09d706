/** `require 'wait_group'`: wait until a count of started work is back at zero. Ours, not Emilua's. */
import { WaitQueue } from '../fibers/queue.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { optInteger } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

class WaitGroup extends Userdata {
  count = 0;
  readonly waiters = new WaitQueue();
}

function change(self: WaitGroup, by: number): Result {
  if (self.count + by < 0) throw badArgument(2);
  self.count += by;
  if (self.count === 0) {
    for (let w = self.waiters.shift(); w !== undefined; w = self.waiters.shift()) w.wake(NONE);
  }
  return NONE;
}

function wait(self: WaitGroup): Result {
  suspensionPoint();
  if (self.count === 0) return NONE;
  return suspend((waiter) => {
    waiter.waitsFor = self;
    self.waiters.push(waiter);
    return () => self.waiters.remove(waiter);
  });
}

luaType('wait_group', WaitGroup, {
  methods: {
    add: (self, n: LuaValue) => change(self, optInteger(n, 2, 'add', 1)),
    done: (self) => change(self, -1),
    wait,
  },
  properties: { count: (self) => self.count },
});

export const waitGroup = luaModule('wait_group', { new: () => new WaitGroup() });
