/** `require 'filesystem'`: names of files, and what is on the disk. */
import { type LuaFunction, type LuaValue, Userdata } from '../runtime/value.ts';
import { luaType } from './define.ts';
import { beneath } from './filesystem/beneath.ts';
import { capabilityFunctions } from './filesystem/capabilities.ts';
import { changeFunctions } from './filesystem/change.ts';
import { clock } from './filesystem/clock.ts';
import './filesystem/handle.ts';
import { iterators } from './filesystem/iterate.ts';
import { pathModule } from './filesystem/path.ts';
import { placeFunctions } from './filesystem/places.ts';
import { statusFunctions } from './filesystem/status.ts';
import { trees } from './filesystem/trees.ts';

class Filesystem extends Userdata {}

const functions: Record<string, LuaFunction> = {
  ...placeFunctions,
  ...statusFunctions,
  ...changeFunctions,
  ...iterators,
  ...trees,
  ...beneath,
  ...capabilityFunctions,
};

luaType('filesystem', Filesystem, {
  properties: {
    path: () => pathModule,
    clock: () => clock,
    ...Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, () => f])),
  },
});

export const filesystem = { name: 'filesystem', create: (): LuaValue => new Filesystem() };
