/** What the parts of `system` have alike. */
import { Buffer } from 'node:buffer';
import { currentVm } from '../../actors/vm.ts';
import { rightsChanged } from '../../io/rights.ts';
import { codeError } from '../../runtime/error-code.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { nativeAvailable } from '../../sys/native.ts';

/** A string of ours as one of Lua's: its UTF-8 bytes. */
export const toLua = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Functions that are read as members. */
export const members = (
  functions: Record<string, LuaFunction>,
): Record<string, () => LuaFunction> =>
  Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, () => f]));

/** What changes the process, and not only the VM. */
export function checkMaster(): void {
  if (!currentVm().isMaster) throw codeError('EPERM');
}

/** A function for the master VM. */
export const forMaster =
  (f: (...args: LuaValue[]) => Result): LuaFunction =>
  (...args) => {
    checkMaster();
    return f(...args);
  };

/** What there is on Linux, or only there. */
export function needAddon(): void {
  if (!nativeAvailable()) throw codeError('ENOSYS');
}

export const withAddon =
  (f: LuaFunction): LuaFunction =>
  (...args) => {
    needAddon();
    return f(...args);
  };

/** What changes the rights of the process: for the master VM; gives nothing. */
export const changeRights = (body: (...args: LuaValue[]) => void): LuaFunction =>
  forMaster(
    withAddon((...args) => {
      body(...args);
      rightsChanged();
      return NONE;
    }),
  );
