/** Supervisors come and go: in a file, and so a process, of its own, since others would see those of other tests. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { supervisorsKept } from '../../src/io/supervisor.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { SLURP } from '../sandbox/slurp.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua } from '../support/spec.ts';

const PROGRAM = `
  local inbox, fs, file, time = require 'inbox', require 'filesystem', require 'file', require 'time'
${SLURP}
  local pid = require('system').getpid()
  local function limited(i)
    return spawn_vm{module = './w', subprocess = {sandbox = 'best_effort', limits = {memory = 2^28 + i * 2^20}}}
  end
  local function supervisors(expected)
    for looks = 1, 3000 do
      local _, n = slurp('/proc/' .. pid .. '/task/' .. pid .. '/children'):gsub('%d+', '')
      if n == expected or looks == 3000 then return print(n) end
      time.sleep(0.02)
    end
  end
  local first = limited(0)
  first:send(inbox)
  print(inbox:receive())
  for i = 1, 2 do
    local c = limited(i)
    c:monitor()
    c:kill()
    inbox:receive()
  end
  supervisors(3)
  first:send(true)
  print(inbox:receive())
  first:kill()
  supervisors(2)
`;

test('supervisors that nobody asks any more end, after their processes', {
  skip: nativeFailure(),
  timeout: 300_000,
}, async () => {
  await openReactor();
  supervisorsKept.most = 2;
  const files = {
    'w.lua': `
    local inbox = require 'inbox'
    local home = inbox:receive()
    while true do
      home:send 'here'
      inbox:receive()
    end
    `,
  };
  const { stdout, stderr } = await runLua(PROGRAM, { files });
  assert.equal(stderr, '');
  assert.equal(stdout, 'here\n3\nhere\n2\n');
});
