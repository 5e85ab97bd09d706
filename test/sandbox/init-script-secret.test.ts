/**
 * The secret test: what a script has read is nowhere in the memory of its process afterwards. A program of
 * its own (scan-memory.c) looks for it in /proc/PID/mem; without the wiping it does find it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { write } from '../../src/sys/fd.ts';
import { SOCK_STREAM } from '../../src/sys/socket.ts';
import { CHILD, fileOf, folder, skip, withSockets } from '../support/init-script.ts';
import { buildScanner, scan } from '../support/scan-memory.ts';

const SCRIPT = `
local secret = ''
while #secret < 32 do secret = secret .. C.read(arg, 32 - #secret) end
local upper = secret:upper()
local utf16 = secret:gsub('.', '%0\\0')
local t = {secret, [secret] = upper, [upper] = secret .. upper}
for i = 1, 8 do t[i + 1] = secret:sub(i) .. '/' .. i end
local joined = table.concat(t, ',')
print(#joined, pcall(error, secret) == false, (pcall(error, {secret})))
local function deep(n, s) if n > 0 then return deep(n - 1, s .. n) .. '' end error(s) end
print((pcall(deep, 50, secret)))
print((pcall(C.open, secret:gsub('%z', 'x') .. upper:gsub('%z', 'x'), 0)))
print((secret:gsub('.', function(c) return c:upper() end)) == upper, #('%q'):format(secret))
local function nest(n, s) return (s:gsub('^.', function(c) return n > 0 and nest(n - 1, s) or c end)) end
collectgarbage()
assert(#nest(100, secret) > 32)
collectgarbage()
print(#secret:rep(100), secret:find('no such text', 1, true), #utf16)
print(coroutine.resume(coroutine.create(function(s) error(s .. s) end), secret) == false)
print(#string.dump(assert(loadstring('return ' .. ('%q'):format(secret):gsub('\\r', 'x'):gsub('%z', 'y')))))
local file = io.tmpfile() file:write(secret) file:seek('set') assert(#file:read('*a') == 32) file:close()
`.replaceAll(/^print\((.*)\)$/gm, ';(function(...) end)($1)');

/** @returns how often it was found: whole, upper-cased, as UTF-16, pieces of 8 bytes; and bytes searched */
async function search(scanner: string, secret: Buffer, options: string[]): Promise<number[]> {
  const file = fileOf(`errexit = false\n${SCRIPT}`);
  let found: number[] = [];
  await new Promise<void>((resolve, reject) => {
    withSockets(SOCK_STREAM, (arg, other) => {
      const child = spawn(process.execPath, [CHILD, file, '--arg', '3', '--wait', ...options], {
        stdio: ['pipe', 'pipe', 'pipe', arg],
      });
      write(other, secret, 0, 32);
      let stdout = '';
      let stderr = '';
      const { stdin, stdout: output, stderr: errors } = child;
      if (!stdin || !output || !errors) return reject(new Error('no pipes'));
      errors.on('data', (data) => (stderr += data));
      output.on('data', (data) => {
        stdout += data;
        if (!stdout.endsWith('ran\n')) return;
        found = scan(scanner, child.pid!, secret);
        stdin.end();
      });
      child.on('error', reject);
      child.on('close', (status) =>
        status === 0 ? resolve() : reject(new Error(`status ${status}: ${stderr}`)),
      );
    });
  });
  return found;
}

test('a secret that a script has read is nowhere afterwards', {
  skip,
  timeout: 300_000,
}, async (t) => {
  const scanner = buildScanner(folder);
  if (typeof scanner !== 'string') return t.skip(scanner.reason);
  for (let round = 0; round < 2; round++) {
    const secret = randomBytes(32);
    for (let i = 0; i < 16; i++) secret[2 * i] = 97 + (secret[2 * i]! % 26); // something to upper-case
    const wiped = await search(scanner, secret, []);
    assert.deepEqual(wiped.slice(0, 4), [0, 0, 0, 0]);
    assert.ok(wiped[4]! > 10_000_000, 'all of its memory was searched');
    if (round > 0) continue;
    const kept = await search(scanner, secret, ['--keep']);
    // Lua's memory is used again in part, when the state is closed.
    const [whole = 0, upper = 0, utf16 = 0, pieces = 0] = kept;
    assert.ok(whole > 0 && upper + utf16 > 0 && pieces > 0, `the control finds it: ${kept}`);
    t.diagnostic(`without the wiping: ${kept.slice(0, 4)} (whole, upper-cased, UTF-16, pieces)`);
  }
});
