/**
 * Nothing of a container's image is opened, executed or loaded by us: strace sees no name of a file go to the kernel after
 * the change of roots, whatever the actor does, but for those that its program names.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { folder } from '../support/init-script.ts';
import { MAIN } from '../support/spec.ts';

function missing(): string | false {
  const addon = nativeFailure();
  if (addon) return addon;
  const probe = spawnSync('strace', ['-f', '-o', '/dev/null', 'unshare', '-Urmpf', 'true']);
  if (probe.error) return 'strace is missing';
  return probe.status === 0 ? false : 'namespaces can not be made, or traced, here';
}

const HOST = `
local inbox = require 'inbox'
local channel = spawn_vm{module = './actor', subprocess = {
  newns_user = true, newns_mount = true, newns_pid = true, stderr = 'share', stdout = 'share',
  init = {script = [[
    C.mount(nil, '/', nil, bit.bor(C.MS_REC, C.MS_PRIVATE), nil)
    C.mount('tmpfs', '/mnt', 'tmpfs', 0, nil)
    C.chdir('/mnt')
    C.pivot_root('.', '.')
    C.umount2('.', C.MNT_DETACH)
    C.chdir('/')
  ]]},
}}
channel:monitor()
channel:send(inbox)
print(inbox:receive())
print(inbox:receive().reason)
`;
const ACTOR = `
local inbox = require 'inbox'
local home = inbox:receive()
local json, regex, ip, stream = require 'json', require 'regex', require 'ip', require 'stream'
local time, unix, pipe, system = require 'time', require 'unix', require 'pipe', require 'system'
local file, filesystem, generic_error = require 'file', require 'filesystem', require 'generic_error'
local garbage = {}
for i = 1, 300000 do garbage[i % 1000] = {tostring(i) .. 'x', i} end
collectgarbage()
spawn(function() time.sleep(0.01) end):join()
local acceptor = ip.tcp.acceptor.new()
acceptor:open('v4')
acceptor:close()
local a, b = unix.seqpacket.socket.pair()
a:send(byte_span.append(json.encode{format('{}', 1.5), tostring(generic_error.EINVAL)}))
b:receive(byte_span.new(100))
print(pcall(system.spawn, {program = filesystem.path.new('/bin/sh'), arguments = {'sh'}}))
home:send('done')
error('the end')
`;

test('nothing of the image is touched', { skip: missing(), timeout: 300_000 }, () => {
  const program = join(folder, 'host.lua');
  const log = join(folder, 'image.log');
  writeFileSync(program, HOST);
  writeFileSync(join(folder, 'actor.lua'), ACTOR);
  const { stdout, stderr } = spawnSync(
    'strace',
    ['-f', '-o', log, '-e', 'trace=%file', process.execPath, '--stack-size=3900', MAIN, program],
    { encoding: 'latin1', timeout: 300_000 },
  );
  const printed = stdout.split('\n').sort();
  assert.deepEqual(
    printed,
    ['', 'done', 'exit status 1', 'false\tNo such file or directory'],
    stderr,
  );
  const lines = readFileSync(log, 'latin1').split('\n');
  const begin = lines.findIndex((line) => line.includes(' pivot_root("."'));
  const [init] = lines[begin]!.split(' ');
  const actors = new Set([init!]);
  const named: string[] = [];
  const host = lines[0]!.split(' ')[0]!;
  const before = new Set(lines.slice(0, begin).map((line) => line.split(' ')[0]!));
  for (const line of lines.slice(begin + 1)) {
    const [pid = ''] = line.split(' ');
    if (pid === host || (before.has(pid) && !actors.has(pid))) continue;
    if (line === '' || /\+\+\+|---|resumed/.test(line)) continue;
    if (/newfstatat\(\d+, "", /.test(line)) continue; // fstat(2): of what is open already
    named.push(line.replace(/^\d+ +/, '').replace(/, 0x.*|\) += .*| <unfinished.*/, ''));
  }
  assert.deepEqual(named, ['umount2(".", MNT_DETACH', 'chdir("/"', 'execve("/bin/sh", ["sh"]']);
});
