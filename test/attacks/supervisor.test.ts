/**
 * What is around a program says nothing to the supervisor of its sandboxes: neither variables that Node and the dynamic
 * linker obey, nor files of the directory where it was started.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN } from '../support/spec.ts';

const HOST = `
local inbox, system = require 'inbox', require 'system'
local child = spawn_vm{module = './child', subprocess = {sandbox = 'inbox', stderr = 'share'}}
child:send(inbox)
inbox:receive()
print(child.child_pid)
system.in_.read_some(system.in_, byte_span.new(1))
child:close()
`;
const CHILD = `
local inbox = require 'inbox'
inbox:receive():send 'ready'
pcall(inbox.receive, inbox)
`;

test('what is around its maker', { skip: noSandboxes() ?? false, timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-around-'));
  const said = join(folder, 'said');
  const files: Record<string, string> = {
    'main.lua': HOST,
    'child.lua': CHILD,
    'tell.cjs': `require('fs').appendFileSync(${JSON.stringify(said)}, process.pid + '\\n')`,
    'package.json': '{"type": "module", "main": "./tell.cjs", "imports": {"#main": "./tell.cjs"}}',
    '.env': `NODE_OPTIONS=--require=${folder}/tell.cjs\n`,
    'node.config.json': `{"nodeOptions": {"require": ["${folder}/tell.cjs"]}}`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const host = spawn(process.execPath, ['--stack-size=3900', MAIN, join(folder, 'main.lua')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      NODE_OPTIONS: `--require=${folder}/tell.cjs`,
      NODE_PATH: folder,
      NODE_EXTRA_CA_CERTS: join(folder, 'main.lua'),
      LD_LIBRARY_PATH: folder,
      SECRET: 'open sesame',
    },
  });
  try {
    const ended = new Promise((done) => host.on('close', done));
    const line = await new Promise<string>((done) => {
      host.stdout.on('data', (data) => done(`${data}`));
      host.on('close', () => done(''));
    });
    const init = Number(line);
    assert.ok(init > 1, 'the program has started its sandbox');
    const parent = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${init}/status`, 'latin1'))![1]!;
    const actor = readFileSync(`/proc/${init}/task/${init}/children`, 'latin1').trim();
    assert.notEqual(Number(parent), host.pid);
    for (const pid of [parent, `${init}`, actor]) {
      assert.match(readFileSync(`/proc/${pid}/environ`, 'latin1'), /^\0*$/);
      assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
      assert.ok(!readFileSync(`/proc/${pid}/maps`, 'latin1').includes(folder));
      const open = readdirSync(`/proc/${pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`),
      );
      for (const what of open) assert.ok(!what.startsWith(folder), what);
    }
    // The control: its maker obeys. (Its own processes for other things may, too.)
    const obeyed = readFileSync(said, 'latin1').trim().split('\n');
    assert.ok(obeyed.includes(`${host.pid}`));
    for (const pid of [parent, `${init}`, actor]) assert.ok(!obeyed.includes(pid));
    host.stdin.end('x');
    assert.equal(await ended, 0);
  } finally {
    host.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
