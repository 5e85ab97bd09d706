/**
 * A hostile process on the sockets of an inbox: the worst that it gets is a closed socket. The inbox's owner
 * leaks nothing, sees only values, and hears `no_senders` in the end.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { inletsOf } from '../../src/actors/inlets.ts';
import { ModuleLoader } from '../../src/actors/modules.ts';
import { Vm } from '../../src/actors/vm.ts';
import { packetPair } from '../../src/io/packet.ts';
import { library } from '../../src/modules/all.ts';
import { close } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { openDescriptors } from '../support/spec.ts';

/** Receives until nobody can send, and uses all that it gets. */
const OWNER = `
  local inbox = require 'inbox'
  local seen = {}
  local function use(v)
    local t = getmetatable(v)
    if t == 'file_descriptor' then v:close() return end
    if t ~= 'ipc_actor_channel' then
      assert(type(v) == 'string' or type(v) == 'number' or type(v) == 'boolean', type(v))
      return
    end
    local fiber = spawn(function() pcall(v.send, v, {a = 1, from = inbox}) v:close() end)
    this_fiber.yield()
    this_fiber.yield()
    fiber:interrupt()
    fiber:join()
    pcall(v.send, v, 2)
  end
  local n = 0
  while true do
    local ok, m = pcall(inbox.receive, inbox)
    if not ok then print(m) break end
    n = n + 1
    if type(m) == 'table' then for _, v in pairs(m) do use(v) end else use(m) end
  end
  print(n)
`;

interface Outcome {
  stdout: string;
  stderr: string;
}

/** A VM whose inbox has one socket for each of these. */
async function withPeers(
  program: string,
  seeds: readonly number[],
  packets: number,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-hostile-'));
  const outcome: Outcome = { stdout: '', stderr: '' };
  try {
    writeFileSync(join(folder, 'main.lua'), OWNER);
    await new Promise<void>((ended, bug) => {
      const vm = new Vm(library, {
        report: (text) => {
          outcome.stderr += text;
        },
        ended: () => ended(),
        bug,
        print: (text) => {
          outcome.stdout += text;
        },
        flush() {},
      });
      vm.modules = new ModuleLoader(vm, 'main', []);
      vm.start(join(folder, 'main.lua'));
      for (const seed of seeds) {
        const { sender, receiver } = packetPair();
        inletsOf(vm.mailbox).add(receiver);
        spawn(program, [`${seed}`, `${packets}`], {
          stdio: ['ignore', 'ignore', 'inherit', sender],
        });
        close(sender);
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return outcome;
}

const compiler = spawnSync('cc', ['--version']).error === undefined;
const skip = nativeFailure() ?? (compiler ? false : 'there is no C compiler');

test('hostile processes on the sockets of an inbox', { skip, timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-hostile-'));
  const program = join(folder, 'hostile-peer');
  try {
    const source = join(import.meta.dirname, 'hostile-peer.c');
    const made = spawnSync('cc', ['-O1', '-Wall', '-Wextra', '-o', program, source], {
      encoding: 'utf8',
    });
    assert.equal(made.stderr, '');
    await openReactor();
    const first = Number(process.env.PERILUNE_TEST_SEED ?? 1);
    const rounds = Number(process.env.PERILUNE_TEST_ROUNDS ?? 4);
    const before = openDescriptors().length;
    let received = 0;
    for (let round = 0; round < rounds; round++) {
      const seeds = Array.from({ length: 16 }, (_, i) => first + round * 16 + i);
      const { stdout, stderr } = await withPeers(program, seeds, 30);
      assert.equal(stderr, '', `seeds from ${seeds[0]}`);
      const [end, n] = stdout.split('\n');
      assert.equal(end, 'Broadcast the address before attempting to receive on it');
      received += Number(n);
      assert.equal(openDescriptors().length, before, `descriptors, seeds from ${seeds[0]}`);
    }
    assert.ok(received > rounds, 'messages are among what they write');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
