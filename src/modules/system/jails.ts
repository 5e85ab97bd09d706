/** `system`: jails, and Capsicum for the standard streams: FreeBSD's. Elsewhere, good arguments get ENOSYS. */
import { getJail, JailError, setJail } from '../../io/jail.ts';
import { checkInt32 } from '../../runtime/check.ts';
import { badArgument, codeError, systemError } from '../../runtime/error-code.ts';
import { namedFlags } from '../../runtime/flags.ts';
import { arrayOf, entries, LuaTable, rawSet } from '../../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { caphLimitStdio } from '../../sys/capsicum.ts';
import {
  JAIL_CREATE,
  JAIL_DYING,
  JAIL_UPDATE,
  jailParameters,
  jailRemove,
} from '../../sys/jail.ts';
import { freebsdAvailable } from '../../sys/native.ts';
import { forMaster } from './part.ts';

function needFreeBsd(): void {
  if (!freebsdAvailable()) throw codeError('ENOSYS');
}

const SET_FLAGS = { create: JAIL_CREATE, update: JAIL_UPDATE, dying: JAIL_DYING };
const GET_FLAGS = { dying: JAIL_DYING };
/** By which a jail is looked for. */
const KEYS: readonly LuaValue[] = ['jid', 'name', 'lastjid'];

function flagsOf(v: LuaValue, names: Readonly<Record<string, number>>): number {
  if (v === undefined) return 0;
  if (!(v instanceof LuaTable)) throw badArgument(2);
  return namedFlags(v, names, 2);
}

/** Text for the kernel, which ends it at its first zero. */
function checkText(v: LuaValue): string {
  if (typeof v !== 'string' || v.includes('\0')) throw badArgument(1);
  return v;
}

function checkParameters(v: LuaValue): LuaTable {
  if (!(v instanceof LuaTable)) throw badArgument(1);
  return v;
}

/** What went wrong with a parameter, for Lua. */
function asked<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof JailError)) throw error;
    throw systemError(error.errno, { arg: 1, [error.step]: error.text });
  }
}

function jailSet(params: LuaValue, flags: LuaValue): number {
  const wanted = new Map<string, string | undefined>();
  for (const [name, value] of entries(checkParameters(params))) {
    // `true` names it, without a value.
    const text = typeof value === 'boolean' ? (value ? undefined : 'false') : checkText(value);
    wanted.set(checkText(name), text);
  }
  const bits = flagsOf(flags, SET_FLAGS);
  needFreeBsd();
  return asked(() => setJail(wanted, bits));
}

function jailGet(params: LuaValue, flags: LuaValue): Result {
  const names: string[] = [];
  const filter = new Map<string, string>();
  for (const [name, value] of entries(checkParameters(params))) {
    if (typeof name === 'number') names.push(checkText(value));
    else if (KEYS.includes(name)) filter.set(name as string, checkText(value));
    else throw badArgument(1);
  }
  const bits = flagsOf(flags, GET_FLAGS);
  needFreeBsd();
  const { jid, values } = asked(() => getJail(names, filter, bits));
  const table = new LuaTable();
  for (const [name, value] of values) rawSet(table, name, value);
  return [jid, table];
}

export const jails: Record<string, LuaFunction> = {
  jail_set: jailSet,
  jail_get: jailGet,
  jail_remove: (v) => {
    const jid = checkInt32(v, 1, 'jail_remove');
    needFreeBsd();
    jailRemove(jid);
    return NONE;
  },
  jailparam_all: () => {
    needFreeBsd();
    return arrayOf(jailParameters());
  },
  caph_limit_stdio: forMaster(() => {
    needFreeBsd();
    caphLimitStdio();
    return NONE;
  }),
};
