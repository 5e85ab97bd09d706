/**
 * `require 'fiber_group'`: `fiber_group(f)` calls `f(group)`; fibers made by `group:spawn(g)` have all
 * ended when it returns. Ours, not Emilua's.
 */
import { FiberGroup } from '../fibers/group.ts';
import { call } from '../runtime/call.ts';
import { checkFunction } from '../runtime/check.ts';
import { codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { type LuaModule, luaType } from './define.ts';

luaType('fiber_group', FiberGroup, {
  methods: {
    spawn(self, f: LuaValue) {
      if (self.closed) throw codeError('EPERM');
      return self.spawn(checkFunction(f, 2, 'spawn'));
    },
    cancel(self) {
      self.cancel();
      return NONE;
    },
  },
  properties: { cancelled: (self) => self.cancelled },
});

const run = (f: LuaValue): Result =>
  new FiberGroup().run(checkFunction(f, 1, 'fiber_group'), (body, group) => call(body, group));

export const fiberGroup: LuaModule = { name: 'fiber_group', create: () => run };
