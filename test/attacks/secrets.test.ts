/**
 * What a host knows is not in the memory of its sandboxes, nor of their supervisor; what a sandbox's init.script has
 * read is in neither of them afterwards. Looked for in full, upper-cased, as UTF-16 and in pieces, with the
 * host as the control.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { noSandboxes } from '../support/sandboxes.ts';
import { buildScanner, scan } from '../support/scan-memory.ts';
import { MAIN } from '../support/spec.ts';

const HOST = `
local inbox, unix, stream, system = require 'inbox', require 'unix', require 'stream', require 'system'
-- The host's own secret, and that of the script: each in many forms.
local hex, script = system.environment.SECRET, system.environment.SCRIPT_SECRET
local function bytes(h) return (h:gsub('..', function(b) return string.char(tonumber(b, 16)) end)) end
local own, given = bytes(hex), bytes(script)
local keep = {own, own:upper(), own .. own, {[own] = own}}
local near, far = unix.seqpacket.socket.pair()
far = far:release()
near:send(byte_span.append(given))
local c = spawn_vm{module = './child', subprocess = {
  sandbox = 'inbox', stderr = 'share',
  init = {arg = far, script = [[
    local s = C.read(arg, 32)
    local t = {s, s:upper(), s .. s, s:rep(10)}
    t[s] = s
    pcall(error, s)
  ]]},
}}
far:close()
near:close()
c:send(inbox)
inbox:receive()
print(c.child_pid)
system.in_.read_some(system.in_, byte_span.new(1))
assert(keep[1] == own) -- it has been kept so long
c:close()
`;

const CHILD = `
local inbox = require 'inbox'
inbox:receive():send 'ready'
pcall(inbox.receive, inbox)
`;

test('no secret is where it should not be', {
  skip: noSandboxes(),
  timeout: 900_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-secrets-'));
  const scanner = buildScanner(folder);
  try {
    if (typeof scanner !== 'string') return t.skip(scanner.reason);
    writeFileSync(join(folder, 'main.lua'), HOST);
    writeFileSync(join(folder, 'child.lua'), CHILD);
    const secrets = [0, 1].map(() => {
      const secret = randomBytes(32);
      for (let i = 0; i < 16; i++) secret[2 * i] = 97 + (secret[2 * i]! % 26);
      return secret;
    });
    const [own, given] = secrets as [Buffer, Buffer];
    const host = spawn(process.execPath, ['--stack-size=3900', MAIN, join(folder, 'main.lua')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { SECRET: own.toString('hex'), SCRIPT_SECRET: given.toString('hex') },
    });
    const ended = new Promise<number | null>((done) => host.on('close', done));
    const line = await new Promise<string>((done) => {
      let text = '';
      host.stdout.on('data', (data) => {
        text += data;
        if (text.endsWith('\n')) done(text);
      });
      host.on('close', () => done(''));
    });
    const init = Number(line);
    assert.ok(init > 1, 'the program has started its sandbox');
    const status = readFileSync(`/proc/${init}/status`, 'latin1');
    const supervisor = Number(/^PPid:\s*(\d+)/m.exec(status)![1]);
    const actor = Number(readFileSync(`/proc/${init}/task/${init}/children`, 'latin1'));
    for (const [name, pid] of Object.entries({ supervisor, init, actor })) {
      for (const secret of name === 'init' ? [given] : [own, given]) {
        const found = scan(scanner, pid, secret);
        assert.deepEqual(found.slice(0, 4), [0, 0, 0, 0], name);
        assert.ok(found[4]! > 10_000_000, `all memory of ${name} was searched`);
      }
    }
    assert.ok(scan(scanner, host.pid!, own)[0]! > 0, 'the control: the host itself has it');
    host.stdin.end('x');
    assert.equal(await ended, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
