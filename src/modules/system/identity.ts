/** `system`: who the process is, and signals to others. credentials(7) */
import { checkInt32, checkIntegerIn } from '../../runtime/check.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { arrayOf, LuaTable, rawGet, rawLength } from '../../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE } from '../../runtime/value.ts';
import { errnoNumber, SysError } from '../../sys/errno.ts';
import { nativeAvailable } from '../../sys/native.ts';
import {
  getgroups,
  getpgid,
  getresgid,
  getresuid,
  getsid,
  kill,
  setgroups,
  setpgid,
  setresgid,
  setresuid,
  setsid,
  type ThreeIds,
} from '../../sys/process.ts';
import { changeRights, forMaster, withAddon } from './part.ts';

/** Real, effective and saved id: -1 keeps one. */
function checkThree(args: readonly LuaValue[], fn: string): ThreeIds {
  const [real, effective, saved] = [0, 1, 2].map((i) =>
    checkIntegerIn(args[i], i + 1, fn, -1, 0xffffffff),
  );
  return [real!, effective!, saved!];
}

/** A list of ids; EINVAL{arg}. */
export function checkIds(list: LuaValue, arg: number | string): number[] {
  if (!(list instanceof LuaTable)) throw badArgument(arg);
  const ids: number[] = [];
  for (let i = 1; i <= rawLength(list); i++) {
    const id = rawGet(list, i);
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      throw badArgument(arg);
    }
    ids.push(id);
  }
  return ids;
}

/** kill(2), by Node where the addon doesn't load. */
function sendSignal(pid: number, signal: number): void {
  if (nativeAvailable()) return kill(pid, signal);
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw new SysError('kill', errno === undefined ? errnoNumber('EINVAL')! : -errno);
  }
}

export const identity: Record<string, LuaFunction> = {
  getpid: () => process.pid,
  getppid: () => process.ppid,
  getpgrp: withAddon(() => getpgid(0)),
  getpgid: withAddon((pid) => getpgid(checkInt32(pid, 1, 'getpgid'))),
  getsid: withAddon((pid) => getsid(checkInt32(pid, 1, 'getsid'))),
  getresuid: withAddon(() => [...getresuid()]),
  getresgid: withAddon(() => [...getresgid()]),
  getgroups: withAddon(() => arrayOf(getgroups())),
  setresuid: changeRights((...ids) => setresuid(...checkThree(ids, 'setresuid'))),
  setresgid: changeRights((...ids) => setresgid(...checkThree(ids, 'setresgid'))),
  setgroups: changeRights((list) => setgroups(checkIds(list, 1))),
  setpgid: forMaster(
    withAddon((pid, group) => {
      setpgid(checkInt32(pid, 1, 'setpgid'), checkInt32(group, 2, 'setpgid'));
      return NONE;
    }),
  ),
  setsid: forMaster(withAddon(() => setsid())),
  kill: forMaster((pid, signal) => {
    sendSignal(checkInt32(pid, 1, 'kill'), checkInt32(signal, 2, 'kill'));
    return NONE;
  }),
};
