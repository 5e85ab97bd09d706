/** A receiver whose senders are everywhere at once: in its thread, in two others, and in a process. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua } from '../support/spec.ts';
import { bundleThread } from '../support/threads.ts';

const skip = nativeFailure() === undefined ? false : 'the addon is not there';
if (skip === false) {
  await openReactor();
  await bundleThread();
}

/** Those of a process share one socket. */
const COUNTS = { here: 350, thread: 300, another: 300, process: 500 };
const ALL = Object.values(COUNTS).reduce((sum, n) => sum + n);
/** Each is to be heard so often, before there have been so many messages. */
const TURNS = 3;
const MOST = 400_000;

const MAIN = `
  local inbox = require 'inbox'
  local counts = {${Object.entries(COUNTS)
    .map(([name, n]) => `${name} = ${n}`)
    .join(', ')}}
  local homes = {
    here = spawn_vm './home',
    thread = spawn_vm{module = './home', inherit_context = false},
    another = spawn_vm{module = './home', inherit_context = false},
    process = spawn_vm{module = './home', subprocess = {stderr = 'share'}},
  }
  for name, c in pairs(homes) do c:send{name = name, count = counts[name], home = inbox} end
  for _ in pairs(homes) do assert(inbox:receive() == 'ready') end
  for _, c in pairs(homes) do c:send{to = inbox} end
  local last, missing, misplaced, count = {}, ${ALL}, 0, 0
  while missing > 0 and count < ${MOST} do
    local m = inbox:receive()
    count = count + 1
    if m.n ~= (last[m.from] or 0) + 1 then misplaced = misplaced + 1 end
    last[m.from] = m.n
    if m.n == ${TURNS} then missing = missing - 1 end
  end
  print(missing, misplaced)
  inbox:close()
  for _, c in pairs(homes) do c:send 'end' end
`;

const HOME = `
  local inbox = require 'inbox'
  local m = inbox:receive()
  local all = {}
  for i = 1, m.count do all[i] = spawn_vm '../sender' end
  m.home:send 'ready'
  m.home:close()
  local to = inbox:receive().to
  for i = 1, m.count do all[i]:send{to = to, from = m.name .. i} end
  all = nil
  to:close()
  assert(inbox:receive() == 'end')
`;

const SENDER = `
  local inbox = require 'inbox'
  local m = inbox:receive()
  local n = 0
  repeat n = n + 1 until not pcall(m.to.send, m.to, {from = m.from, n = n})
`;

test('fifteen hundred senders in four places: each has its turns, in order', {
  skip,
  timeout: 900_000,
}, async () => {
  const { stdout, stderr } = await runLua(MAIN, {
    files: { 'home.lua': HOME, 'sender.lua': SENDER },
  });
  assert.equal(stderr + stdout, '0\t0\n');
});
