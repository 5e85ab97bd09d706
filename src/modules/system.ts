/**
 * `require 'system'`: the process: its arguments, environment, standard streams, identity, signals and end;
 * and other processes.
 */
import { getArguments } from '../actors/program.ts';
import { arrayOf, LuaTable, rawSet } from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { luaType } from './define.ts';
import { exit } from './system/exit.ts';
import { identity } from './system/identity.ts';
import { inheritedFunctions } from './system/inherited.ts';
import { jails } from './system/jails.ts';
import { members, toLua } from './system/part.ts';
import { rights, SECBITS } from './system/rights.ts';
import { signalTables } from './system/signal.ts';
import { spawn } from './system/spawn.ts';
import { standardError, standardInput, standardOutput } from './system/streams.ts';

function environment(): LuaTable {
  const t = new LuaTable();
  for (const [name, value] of Object.entries(process.env)) {
    rawSet(t, toLua(name), toLua(value ?? ''));
  }
  return t;
}

class System extends Userdata {
  private signals: LuaTable | undefined = undefined;
  get signal(): LuaTable {
    this.signals ??= signalTables.make();
    return this.signals;
  }
}

luaType('system', System, {
  properties: {
    arguments: () => arrayOf(getArguments()),
    environment,
    in_: () => standardInput,
    out: () => standardOutput,
    err: () => standardError,
    signal: (self) => self.signal,
    ...members({ exit, spawn, ...identity, ...rights, ...jails, ...inheritedFunctions }),
    ...Object.fromEntries(Object.entries(SECBITS).map(([name, bit]) => [name, () => bit])),
  },
});

export const system = { name: 'system', create: (): LuaValue => new System() };
