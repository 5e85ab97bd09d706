/** `require 'filesystem'`: the names of files. */
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { luaType } from './define.ts';
import { pathModule } from './filesystem/path.ts';

class Filesystem extends Userdata {}

luaType('filesystem', Filesystem, {
  properties: {
    path: () => pathModule,
  },
});

export const filesystem = { name: 'filesystem', create: (): LuaValue => new Filesystem() };
