/**
 * No more descriptors, threads or processes, in earnest: programs of their own under RLIMIT_NOFILE and RLIMIT_NPROC. They are
 * told with documented errors, what there is goes on, and when there is room again more can be made.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN, type Outcome } from '../support/spec.ts';

/** Makes actors until that fails, and tells how; lets go of them, and makes one more. */
const PROGRAM = `
  local inbox, system, time = require 'inbox', require 'system', require 'time'
  if _CONTEXT == 'worker' then
    local ok, home = pcall(inbox.receive, inbox)
    if not ok then return end
    pcall(home.send, home, 'up')
    home:close()
    pcall(inbox.receive, inbox)
    return
  end

  local function new()
    local options = {module = '.'}
    if system.arguments[3] == 'thread' then options.inherit_context = false
    else options.subprocess = {stderr = 'share', sandbox = system.arguments[3] == 'sandbox' and 'inbox' or nil} end
    local c = spawn_vm(options)
    c:monitor()
    local ok, e = pcall(c.send, c, inbox)
    if not ok then
      c:close()
      error(e)
    end
    return c, inbox:receive()
  end

  local all = {}
  while #all < 100 do
    local ok, c, first = pcall(new)
    if not ok or first ~= 'up' then
      print(ok and first.reason or tostring(c))
      break
    end
    all[#all + 1] = c
  end
  print(#all < 2 and #all or 'several')

  -- Here nothing more is needed.
  local here = spawn_vm '.'
  here:send(inbox)
  print(inbox:receive())
  here:close()

  for i = 1, #all do all[i]:close() end
  for i = 1, #all do assert(inbox:receive().down) end
  -- The kernel may take a moment to have the last thread or descriptor back.
  local ok, c, first
  for i = 1, 4000 do
    ok, c, first = pcall(new)
    if ok and first == 'up' then break end
    time.sleep(0.05)
  end
  print(ok, first)
  c:close()
`;

type Home = 'thread' | 'process' | 'sandbox';

/** @param limits  arguments of prlimit(1) @param uid  whose threads and processes are counted; undefined: ours */
async function limited(home: Home, limits: string[], uid?: number): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-limits-'));
  try {
    const program = join(folder, 'main.lua');
    writeFileSync(program, PROGRAM);
    chmodSync(folder, 0o755);
    const command = [process.execPath, '--stack-size=3900', MAIN, program, '--', home];
    const child = spawn('prlimit', [...limits, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: '' },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const outcome: Outcome = { stdout: '', stderr: '', code: 0 };
    child.stdout.on('data', (text) => {
      outcome.stdout += text;
    });
    child.stderr.on('data', (text) => {
      outcome.stderr += text;
    });
    await new Promise<void>((done) =>
      child.on('close', (code) => {
        outcome.code = code ?? -1;
        done();
      }),
    );
    return outcome;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Nobody else's: RLIMIT_NPROC counts all that a user has, and does not hold for root. */
const NOBODY = 61_000 + (process.pid % 1000);

function missing(needsUser: boolean): string | false {
  const failure = nativeFailure();
  if (failure !== undefined) return failure;
  if (spawnSync('prlimit', ['--version']).status !== 0) return 'there is no prlimit';
  if (!needsUser) return false;
  if (process.getuid?.() !== 0) return 'only root can be another user';
  const reads = spawnSync(process.execPath, ['-e', `fs.readFileSync(${JSON.stringify(MAIN)})`], {
    uid: NOBODY,
    gid: NOBODY,
  });
  return reads.status === 0 ? false : 'the files of this folder are not for other users';
}

const EMFILE = /^(Worker initialization failure: EMFILE|EMFILE: .*|Too many open files)$/;

for (const [what, home, limit, expected] of [
  ['descriptors', 'thread', '--nofile=80', EMFILE],
  ['descriptors', 'process', '--nofile=60', /^Too many open files$/],
  ['threads', 'thread', '--nproc=30', /^Resource temporarily unavailable$/],
  ['processes', 'process', '--nproc=24', /^Resource temporarily unavailable$/],
  // Less than sandboxes are to have.
  ['descriptors', 'sandbox', '--nofile=60', /^Too many open files$/],
  ['processes', 'sandbox', '--nproc=24', /^Resource temporarily unavailable$/],
  ['processes', 'sandbox', '--nproc=25', /^Resource temporarily unavailable$/],
] as const) {
  const needsUser = limit.startsWith('--nproc');
  test(`no more ${what} (${limit}): an actor in a ${home} of its own`, {
    timeout: 900_000,
    skip: missing(needsUser) || (home === 'sandbox' && (noSandboxes() ?? false)),
  }, async () => {
    const outcome = await limited(home, [limit], needsUser ? NOBODY : undefined);
    const [error, ...rest] = outcome.stdout.split('\n');
    assert.match(error!, expected, outcome.stderr);
    assert.deepEqual(rest, ['several', 'up', 'true\tup', '']);
    // Nothing but that a thread could not begin.
    assert.match(outcome.stderr, /^(A thread has ended: .*\n)*$/);
    assert.equal(outcome.code, 0);
  });
}
