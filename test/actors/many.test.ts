/** VMs made and dropped in a row leave memory and descriptors as they were. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fullCollection } from '../../src/actors/collect.ts';
import { openDescriptors, runLua } from '../support/spec.ts';

/** Closed, forgotten, ended by an error that nobody waits for, with messages that nobody takes. */
const PROGRAM = `
  local inbox = require 'inbox'
  for i = 1, COUNT do
    local w = spawn_vm './w'
    w:send{home = inbox, how = i % 4}
    assert(inbox:receive() == i % 4)
    pcall(w.send, w, {inbox, {text = 'for nobody'}})
    if i % 2 == 0 then w:close() end
  end
  print 'all'
`;

const WORKER = `
  local inbox = require 'inbox'
  local m = inbox:receive()
  m.home:send(m.how)
  if m.how == 1 then error(nil) end
  if m.how == 2 then require('system').exit(3) end
`;

test('thousands of VMs, one after the other', { timeout: 900_000 }, async () => {
  const run = async (count: number): Promise<void> => {
    const { stdout } = await runLua(PROGRAM.replace('COUNT', `${count}`), {
      files: { 'w.lua': WORKER },
    });
    assert.equal(stdout, 'all\n');
  };
  /** Finalizers run in turns after a collection, some at a time; what they held goes with the next. */
  const used = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      fullCollection();
      await setTimeout(100);
    }
    fullCollection();
    return process.memoryUsage().heapUsed;
  };
  await run(1000);
  const descriptors = openDescriptors().length;
  const memory = await used();
  await run(20_000);
  assert.equal(openDescriptors().length, descriptors);
  // Each has some 6 KB: 120 MB, if they were kept; and 200 bytes of each would be found.
  for (let looks = 0; ; looks++) {
    const grown = (await used()) - memory;
    if (grown < 4 * 2 ** 20) break;
    assert.ok(looks < 30, `${grown} bytes more`);
  }
});
