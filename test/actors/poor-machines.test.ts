/** Processes on a machine that lacks something: an error that says so, nothing left behind, and a program that goes on. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import test from 'node:test';
import { availableWalls } from '../../src/sandbox/apply.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN } from '../support/spec.ts';

/** Rounds of one process of each kind. Before each, and after the last, it waits to be looked at. */
const ROUNDS = 2;
const PROGRAM = `
local inbox, system = require 'inbox', require 'system'
if _CONTEXT == 'worker' then
  inbox:receive():send 'there'
  return
end
SETUP
local ANSWER = "require('inbox'):receive():send 'there' --"
local function actor(options, module)
  local c = spawn_vm{module = module or '.', subprocess = options}
  c:monitor()
  c:send(inbox)
  local first, second = inbox:receive(), inbox:receive()
  c:close()
  return type(first) == 'string' and first or type(second) == 'string' and second or first.reason
end
local function program()
  local p = system.spawn{program = '/bin/true', arguments = {'true'}}
  p:wait()
  return p.exit_code == 0 and 'there' or p.exit_code
end
for round = 1, ${ROUNDS} do
  print('round')
  system.in_:read_some(byte_span.new(1))
  local said = {}
  local function try(name, f, ...)
    local ok, result = pcall(f, ...)
    said[#said + 1] = name .. ': ' .. tostring(result)
  end
  try('plain', actor, {})
  try('inbox', actor, {sandbox = 'inbox'})
  try('long', actor, {source_tree_cache = {long = ANSWER .. ('x'):rep(200000)}}, './long')
  try('program', program)
  print(table.concat(said, ', '))
end
print('round')
system.in_:read_some(byte_span.new(1))
`;

type Host = ChildProcessByStdio<Writable, Readable, Readable>;

/** What is open, its own processes, and what is mounted. */
function stateOf({ pid }: Host) {
  const fds = readdirSync(`/proc/${pid}/fd`);
  const open = fds.map((fd) => {
    try {
      return `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, '')}`;
    } catch {
      return `${fd} closed`;
    }
  });
  return { open, mounts: readFileSync(`/proc/${pid}/mountinfo`, 'latin1') };
}

/** Of the processes beneath it, those that are there for good: a supervisor. */
const supervisorsOf = ({ pid }: Host): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);

interface Machine {
  /** A command that runs the rest of its arguments on it. */
  readonly command?: readonly string[];
  /** What the program does to itself, in Lua. */
  readonly setup?: string;
  readonly says: string;
}

async function roundsOn({ command = [], setup = '', says }: Machine): Promise<void> {
  const folder = mkdtempSync('/var/tmp/perilune-poor-');
  const main = join(folder, 'main.lua');
  writeFileSync(main, PROGRAM.replace('SETUP', setup));
  const [file, ...args] = [...command, process.execPath, '--stack-size=3900', MAIN, main];
  const host: Host = spawn(file!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    let errors = '';
    host.stderr.on('data', (data) => {
      errors += data;
    });
    const ended = new Promise((done) => host.on('close', done));
    const states: ReturnType<typeof stateOf>[] = [];
    const supervisors: string[][] = [];
    const lines: string[] = [];
    let text = '';
    for await (const data of host.stdout) {
      text += data;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
        const line = text.slice(0, at);
        text = text.slice(at + 1);
        if (line !== 'round') lines.push(line);
        else {
          states.push(stateOf(host));
          supervisors.push(supervisorsOf(host));
          host.stdin.write('x');
        }
      }
    }
    assert.equal(await ended, 0, errors);
    assert.equal(errors, '');
    assert.deepEqual(lines, new Array(ROUNDS).fill(says));
    // The first round starts supervisors; from then on nothing is new.
    assert.deepEqual(states.at(-1), states[1]);
    assert.ok(supervisors.at(-1)!.length <= 2, `${supervisors.at(-1)}`);
  } finally {
    host.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

const sh = (script: string): string[] => ['sh', '-c', `${script}; exec "$@"`, 'sh'];
const works = (command: readonly string[]): boolean =>
  spawnSync(command[0]!, [...command.slice(1), 'true']).status === 0;

const ALL = ['plain', 'inbox', 'long', 'program'] as const;
const said = (other: Partial<Record<(typeof ALL)[number], string>>): string =>
  ALL.map((name) => `${name}: ${other[name] ?? 'there'}`).join(', ');
const refusing = (rules: string): string => `
  local seccomp = require 'seccomp'
  system.set_no_new_privs()
  system.seccomp_set_mode_filter(seccomp.new('allow')${rules})
`;

/** Directories for what is there for a while; not where this is tested from one of them. */
const FILLED = ['/tmp', '/dev/shm'].filter((folder) => !MAIN.startsWith(`${folder}/`));

const NO_CHILD = 'No child processes';
const machines: Record<string, Machine> = {
  'nothing is missing': { says: said({}) },
  'there is no /proc': {
    command: ['unshare', '-Urm', ...sh('mount -t tmpfs none /proc')],
    says: said({ plain: NO_CHILD, inbox: NO_CHILD, long: NO_CHILD }),
  },
  '/tmp and /dev/shm are full': {
    command: [
      'unshare',
      '-Urm',
      ...sh(
        `for d in ${FILLED.join(' ')}; do mount -t tmpfs -o size=4k,nr_inodes=2 none $d && echo > $d/full; done`,
      ),
    ],
    says: said({}),
  },
  'there are no user namespaces': {
    command: ['unshare', '-Ur', ...sh('echo 0 > /proc/sys/user/max_user_namespaces')],
    says: said({ inbox: 'No space left on device' }),
  },
  'user namespaces are refused': {
    setup: refusing(`
      :deny('clone', {arg = 1, mask = 0x10000000, eq = 0x10000000}):deny('unshare'):errno('ENOSYS', 'clone3')`),
    says: said({ inbox: 'Operation not permitted' }),
  },
  'there are no files in memory': {
    setup: refusing(`:errno('ENOSYS', 'memfd_create')`),
    says: said({ long: 'Function not implemented' }),
  },
  'there is no room for files in memory': {
    setup: refusing(`:errno('ENOSPC', 'memfd_create')`),
    says: said({ long: 'No space left on device' }),
  },
};

const canSandbox = availableWalls().size === 3 && works(['unshare', '-Urmpf']);
for (const [name, machine] of Object.entries(machines))
  test(
    `processes where ${name}`,
    {
      skip:
        nativeFailure() ??
        (process.platform !== 'linux' || !canSandbox
          ? 'the kernel gives no sandboxes here'
          : false),
      timeout: 600_000,
    },
    () => roundsOn(machine),
  );
