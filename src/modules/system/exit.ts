/** `system.exit`. */
import { tracing } from '../../actors/trace.ts';
import { currentVm } from '../../actors/vm.ts';
import { Waiter } from '../../fibers/fiber.ts';
import { currentFiber } from '../../fibers/scheduler.ts';
import { park } from '../../fibers/suspend.ts';
import { makeWrites } from '../../io/batch.ts';
import { checkBits } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { LuaTable, rawGetString } from '../../runtime/table.ts';
import type { LuaValue, Result } from '../../runtime/value.ts';
import { nativeAvailable } from '../../sys/native.ts';
import { abortProcess } from '../../sys/signal.ts';

/** End the VM; the caller is suspended for good. */
export function exit(codeArg: LuaValue, options: LuaValue): Result {
  const code = codeArg === undefined ? 0 : checkBits(codeArg, 1, 'exit', 0xff);
  const vm = currentVm();
  if (options !== undefined && !vm.isMaster) throw codeError('EPERM');
  switch (forceOf(options)) {
    case 0:
      break;
    case 1:
      throw codeError('ENOTSUP');
    case 2:
      makeWrites(); // of others, who count them as made
      vm.host.flush();
      process.exit(code);
      break;
    case 'abort':
      makeWrites();
      vm.host.flush();
      tracing.on?.flush();
      if (nativeAvailable()) abortProcess();
      process.abort();
      break;
    default:
      throw badArgument('force');
  }
  vm.exitCode = code;
  const waiter = new Waiter(currentFiber(), false);
  vm.close(undefined, 'exit');
  return park(waiter);
}

function forceOf(options: LuaValue): LuaValue {
  if (options === undefined) return 0;
  if (!(options instanceof LuaTable)) throw badArgument(2);
  return rawGetString(options, 'force') ?? 0;
}
