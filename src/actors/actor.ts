/** Making actors. */
import type { LuaValue } from '../runtime/value.ts';
import { addressFor, type TxChannel } from './address.ts';
import { compiling, ModuleLoader } from './modules.ts';
import { vmJoins } from './threads/pool.ts';
import { Vm } from './vm.ts';

/**
 * A VM in this thread, which runs the module of this id.
 * @param file  `_FILE` of the module that asks
 * @param isMaster  the role goes to it
 * @returns  an address of it, held by `parent`
 * @throws   the module can't be found, read or compiled: there is no VM then
 */
export function spawnActor(parent: Vm, id: string, file: LuaValue, isMaster: boolean): TxChannel {
  const found = parent.modules.findActor(id, file);
  const vm = new Vm(parent.library, parent.host, parent);
  vmJoins();
  vm.modules = new ModuleLoader(vm, 'worker', parent.modules.searchPath);
  try {
    vm.run(compiling(id, () => vm.modules.startActor(found, id)));
  } catch (thrown) {
    vm.forget();
    throw thrown;
  }
  if (isMaster) parent.handOver(vm);
  vm.traceSpawn(found.file, parent);
  return addressFor(vm.mailbox, parent);
}
