/** A bug of ours is told to whoever runs the VM, before anything else ends: the last VM's end may end the process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { Vm } from '../../src/actors/vm.ts';
import { library } from '../../src/modules/all.ts';
import { setField } from '../../src/runtime/table.ts';

test('a bug is told before the VM ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-bug-'));
  const file = join(folder, 'main.lua');
  writeFileSync(file, 'pcall(broken) print "after"');
  const events: string[] = [];
  try {
    await new Promise<void>((done) => {
      const vm = new Vm(
        {
          ...library,
          globals(of) {
            const env = library.globals(of);
            setField(env, 'broken', () => {
              throw new Error('a bug');
            });
            return env;
          },
        },
        {
          report: (text) => events.push(text),
          ended: () => {
            events.push('ended');
            done();
          },
          bug: (thrown) => events.push(String(thrown)),
          print: (text) => events.push(text),
          flush: () => {},
        },
      );
      vm.modules = new ModuleLoader(vm, 'main', []);
      vm.start(file);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  assert.deepEqual(events, ['Error: a bug', 'ended']);
});
