/**
 * A child of the conformance run: one file of a suite in one VM. Each test's outcome goes to the parent
 * as a message; so does an end that nobody expected.
 *
 *   node run-file.ts FILE plan|chunk|coroutine [--suspend-every-call]
 */
import { writeSync } from 'node:fs';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { Vm } from '../../src/actors/vm.ts';
import { library } from '../../src/modules/all.ts';
import { LuaError } from '../../src/runtime/error.ts';
import { state } from '../../src/runtime/state.ts';
import { setField } from '../../src/runtime/table.ts';
import { type LuaValue, NONE } from '../../src/runtime/value.ts';
import { withShim } from './shim.ts';

// For LuaJIT's suite: 5.2 mode.
process.env.LUA52 = '1';

const [, , driver = '', mode, verbose] = process.argv;
state.suspendAll = mode === '--suspend-every-call';

const send = (message: {
  panic?: unknown;
  name?: unknown;
  ok?: unknown;
  message?: unknown;
}): void => {
  if (process.send !== undefined) process.send(message);
  else if (message.panic !== undefined) console.error(message.panic);
};

const shimmed = withShim(library);
const vm = new Vm(
  {
    ...shimmed,
    globals(owner: Vm) {
      const env = shimmed.globals(owner);
      setField(env, '__report', (name: LuaValue, ok: LuaValue, message: LuaValue) => {
        send({ name, ok, message: ok === true ? '' : String(message) });
        return NONE;
      });
      return env;
    },
  },
  {
    report: (text) => send({ panic: text }),
    ended: () => process.disconnect?.(),
    bug: (thrown) => {
      send({ panic: thrown instanceof Error ? thrown.stack : String(thrown) });
      process.exit(70);
    },
    print: (text) => void (verbose === '--verbose' && writeSync(2, Buffer.from(text, 'latin1'))),
    flush: () => {},
  },
);
process.on('uncaughtException', vm.host.bug);
process.on('beforeExit', () => vm.closeIdle());
vm.modules = new ModuleLoader(vm, 'main', []);
try {
  vm.start(driver, 'driver');
} catch (thrown) {
  send({ panic: thrown instanceof LuaError ? String(thrown.value) : String(thrown) });
}
