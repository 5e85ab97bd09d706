/** Runs programs for scripts/fuzz.ts, many in one process: a list of them in, what each printed out. */
import { leaving, loadChunk } from '../../src/actors/load.ts';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { Vm } from '../../src/actors/vm.ts';
import { library } from '../../src/modules/all.ts';
import { toLuaError } from '../../src/runtime/error.ts';
import { state } from '../../src/runtime/state.ts';
import type { LuaValue } from '../../src/runtime/value.ts';

export interface Job {
  programs: string[];
  suspendAll: boolean;
  /** All functions are parsed and compiled when they are first called, as those of long programs. */
  later: boolean;
}

const shown = (e: LuaValue): string =>
  typeof e === 'string' ? e : typeof e === 'object' ? 'table' : String(e);

function run(source: string): Promise<string> {
  let out = '';
  return new Promise((done) => {
    const vm = new Vm(library, {
      report: (text) => {
        out += `report: ${text}`;
      },
      ended: () => {},
      bug: (thrown) => done(`${out}internal error: ${(thrown as Error).stack ?? String(thrown)}\n`),
      print: (text) => {
        out += text;
      },
      flush: () => {},
    });
    vm.modules = new ModuleLoader(vm, 'main', []);
    try {
      const fiber = vm.scheduler.spawn(loadChunk(source, 'main.lua', vm.newGlobals()), true);
      fiber.onEnd(() => {
        if (fiber.error !== undefined) out += `error: ${shown(fiber.error.value)}\n`;
        vm.close();
        done(out);
      });
    } catch (thrown) {
      done(`error: ${shown(toLuaError(thrown).value)}\n`);
    }
  });
}

process.on('message', async ({ programs, suspendAll, later }: Job) => {
  const outputs: string[] = [];
  state.suspendAll = suspendAll;
  if (later) Object.assign(leaving, { from: 0, own: 0, inner: 0, unreadFrom: 0 });
  for (const program of programs) outputs.push(await run(program));
  process.send!(outputs);
});
