/**
 * Each system call fails in turn, at each of the calls that a program makes: the program learns of it, by the
 * error that the kernel gave, in good time, and no descriptor is left. Where a signal interrupts a call, or it
 * is not ready after all, or transfers a byte, a program notices nothing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { errnoMessage, errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { certificates, noCertificates } from '../support/certificates.ts';
import { openReactor } from '../support/faulty.ts';
import { openDescriptors, runLua } from '../support/spec.ts';

/**
 * What fails in one fiber ends the others: `own` what is to be closed then. The program prints the first
 * error, or what `finish` is given.
 */
const SETUP = `
  local stream, system = require 'stream', require 'system'
  local first
  local owned = {}
  local function fail(e)
    if first == nil then first = e end
    for _, o in ipairs(owned) do pcall(function() o:close() end) end
  end
  local function own(o)
    owned[#owned + 1] = o
    if first ~= nil then error(first) end
    return o
  end
  local parts = {}
  local function part(f)
    parts[#parts + 1] = spawn(function()
      local ok, e = pcall(f)
      if not ok then fail(e) end
    end)
  end
  local function bytes(s) return byte_span.append(s) end
  local function read(s, n)
    local b = byte_span.new(n)
    stream.read_all(s, b)
    return tostring(b)
  end
  local function program(f)
    local result
    local ok, e = pcall(function() result = f() end)
    if not ok then fail(e) end
    for _, p in ipairs(parts) do p:join() end
    for _, o in ipairs(owned) do pcall(function() o:close() end) end
    print(first == nil and result or 'failed: ' .. tostring(first))
  end
`;

interface Scenario {
  readonly program: string;
  readonly prints: string;
  readonly skip?: string | false;
}

const SCENARIOS: Record<string, Scenario> = {
  tcp: {
    program: `
      local ip = require 'ip'
      program(function()
        local a = own(ip.tcp.acceptor.new())
        local here = ip.address.loopback_v4()
        a:open(here)
        a:set_option('reuse_address', true)
        a:bind(here, 0)
        a:listen()
        part(function()
          local s = own(a:accept())
          s:set_option('tcp_no_delay', true)
          local got = read(s, 10)
          stream.write_all(s, got .. tostring(s.remote_address))
          s:shutdown('send')
          s:close()
        end)
        local s = own(ip.tcp.socket.new())
        s:open(here)
        s:connect(here, a.local_port)
        stream.write_all(s, '0123456789')
        local got = read(s, 19)
        local ok, e = pcall(s.read_some, s, byte_span.new(1))
        if tostring(e) ~= 'End of file' then error(e) end
        return got .. tostring(s:get_option('tcp_no_delay'))
      end)
    `,
    prints: '0123456789127.0.0.1false',
  },
  udp: {
    program: `
      local ip = require 'ip'
      program(function()
        local here = ip.address.loopback_v6()
        local a, b = own(ip.udp.socket.new()), own(ip.udp.socket.new())
        a:open(here) a:bind(here, 0)
        b:open(here) b:bind(here, 0)
        part(function()
          local span = byte_span.new(9)
          local n, from, port = b:receive_from(span)
          b:send_to(span:first(n), from, port)
          b:send_to(bytes 'more', from, port)
        end)
        this_fiber.yield()
        a:connect(here, b.local_port)
        a:set_option('unicast_hops', 3)
        a:send(bytes 'question')
        local span, got = byte_span.new(9), {}
        for i = 1, 2 do got[i] = tostring(span:first(a:receive(span))) end
        return table.concat(got, ' ')
      end)
    `,
    prints: 'question more',
  },
  names: {
    program: `
      local ip = require 'ip'
      program(function()
        local found = ip.tcp.get_address_info('127.0.0.1', '80')
        return tostring(found[1].address) .. ip.tcp.get_name_info(ip.address.loopback_v4(), 65001)[1].service_name
      end)
    `,
    prints: '127.0.0.165001',
  },
  unix: {
    program: `
      local unix, pipe = require 'unix', require 'pipe'
      program(function()
        local name = '@perilune-sweep-' .. tostring{}
        local a = own(unix.seqpacket.listen(name))
        part(function()
          local s = own(a:accept())
          local span = byte_span.new(10)
          local n, fds = s:receive_with_fds(span, 2)
          for _, fd in ipairs(fds) do own(fd) end
          if #fds == 0 then error(fds.truncated and 'no descriptor came' or 'none was sent') end
          local w = own(pipe.write_stream.new(fds[1]))
          stream.write_all(w, tostring(span:first(n)))
          w:close()
        end)
        local s = own(unix.seqpacket.dial(name))
        local r, w = pipe.pair()
        own(r)
        local fd = own(w:release())
        s:send_with_fds(bytes 'through', {fd})
        fd:close()
        local got = read(r, 7)
        local near, far = unix.datagram.socket.pair()
        own(near) own(far)
        near:send(bytes(got))
        local span = byte_span.new(20)
        return tostring(span:first(far:receive(span))) .. s:get_option('remote_credentials').uid
      end)
    `,
    prints: `through${process.getuid?.()}`,
  },
  'a pipe, and descriptors': {
    program: `
      local pipe = require 'pipe'
      program(function()
        local r, w = pipe.pair()
        own(r) own(w)
        local fd = own(r:release())
        local copy = own(fd:dup())
        fd:close()
        local again = own(pipe.read_stream.new(copy))
        part(function()
          stream.write_all(w, ('x'):rep(100000))
          w:close()
        end)
        local n, span = 0, byte_span.new(8192)
        while true do
          local ok, e = pcall(again.read_some, again, span)
          if not ok then
            if tostring(e) ~= 'End of file' then error(e) end
            return n
          end
          n = n + e
        end
      end)
    `,
    prints: '100000',
  },
  programs: {
    program: `
      local pipe = require 'pipe'
      program(function()
        local r, w = pipe.pair()
        own(r)
        local fd = own(w:release())
        local p = system.spawn{program = '/bin/sh', arguments = {'sh', '-c', 'echo said; kill -STOP $$; exit 3'}, stdout = fd}
        fd:close()
        -- Whatever fails, it must not stay behind.
        local ok, e = pcall(function()
          local got = read(r, 5)
          if p:wait_change() ~= 'stopped' then error 'it was to stop' end
          p:kill(system.signal.SIGCONT)
          p:wait()
          return got .. p.exit_code
        end)
        if not ok then
          fail(e)
          pcall(p.kill, p, system.signal.SIGKILL)
          pcall(p.wait, p)
        end
        return e
      end)
    `,
    prints: 'said\n3',
  },
  signals: {
    program: `
      program(function()
        local set = own(system.signal.set.new(system.signal.SIGUSR1))
        part(function() system.signal.raise(system.signal.SIGUSR1) end)
        local sig = set:wait()
        set:clear()
        return sig == system.signal.SIGUSR1
      end)
    `,
    prints: 'true',
  },
  files: {
    program: `
      local file, fs = require 'file', require 'filesystem'
      local path = fs.path.new '%FOLDER%' / 'a file'
      program(function()
        local f = own(file.stream.new())
        f:open(path, {'read_write', 'create', 'truncate'})
        f:lock()
        stream.write_all(f, ('0123456789'):rep(1000))
        f:unlock()
        f:seek(0, 'set')
        local got = read(f, 10000)
        f:close()
        local r = own(file.random_access.new())
        r:open(path, {'read_write'})
        file.write_all_at(r, 9990, bytes(('y'):rep(1000)))
        r:resize(10980)
        local span = byte_span.new(1000)
        file.read_all_at(r, 9980, span)
        local size = r.size
        r:close()
        return #got .. tostring(span):sub(1, 11) .. size
      end)
    `,
    prints: '100000123456789y10980',
  },
  filesystem: {
    program: `
      local fs = require 'filesystem'
      local top = fs.path.new '%FOLDER%' / 'tree'
      local function touch(p)
        local file = require 'file'
        local f = own(file.stream.new())
        f:open(p, {'write_only', 'create'})
        stream.write_all(f, 'text')
        f:close()
      end
      program(function()
        fs.create_directories(top / 'a' / 'b')
        touch(top / 'a' / 'one')
        fs.create_symlink(fs.path.new 'one', top / 'a' / 'link')
        fs.create_hardlink(top / 'a' / 'one', top / 'a' / 'b' / 'two')
        fs.chmod(top / 'a' / 'one', 384)
        fs.copy(top / 'a', top / 'c', {recursive = true, symlinks = 'copy', special = 'copy', preserve = 'all'})
        fs.rename(top / 'c', top / 'd')
        local names = {}
        for entry, depth in fs.recursive_directory_iterator(top / 'd') do
          names[#names + 1] = tostring(entry.path.filename) .. entry.type:sub(1, 1)
        end
        table.sort(names)
        return table.concat(names, ' ') .. ' ' .. fs.file_size(top / 'd' / 'b' / 'two') .. ' ' .. fs.remove_all(top / 'd')
      end)
    `,
    prints: 'bd links oner twor 4 5',
  },
  tls: {
    program: `
      local ip, tls, fs = require 'ip', require 'tls', require 'filesystem'
      local function at(name) return fs.path.new '%CERTIFICATES%' / name end
      program(function()
        local sctx, cctx = tls.context.new('tls_server'), tls.context.new('tls_client')
        sctx:use_certificate_chain_file(at 'server.pem')
        sctx:use_private_key_file(at 'server.key', 'pem')
        cctx:load_verify_file(at 'ca.pem')
        local a = own(ip.tcp.listen('127.0.0.1:0'))
        part(function()
          local s = own(tls.socket.new(own(a:accept()), sctx))
          s:server_handshake()
          stream.write_all(s, read(s, 10) .. '!')
          s:shutdown()
        end)
        local c = own(tls.socket.new(own(ip.tcp.dial('127.0.0.1:' .. a.local_port)), cctx))
        c:set_server_name 'localhost'
        c:client_handshake()
        stream.write_all(c, '0123456789')
        local got = read(c, 11)
        local ok, e = pcall(c.read_some, c, byte_span.new(1))
        if tostring(e) ~= 'End of file' then error(e) end
        return got
      end)
    `,
    prints: '0123456789!',
    skip: noCertificates,
  },
};

const TRANSFER = ['EINTR', 'EAGAIN', 'EIO', 'ECONNRESET'];

/** What calls may fail with; 'short': they transfer one byte. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  read: [...TRANSFER, 'short'],
  write: [...TRANSFER, 'EPIPE', 'short'],
  recv: [...TRANSFER, 'short'],
  send: [...TRANSFER, 'short'],
  recvfrom: ['EINTR', 'EAGAIN', 'ECONNREFUSED', 'ENOMEM'],
  sendto: ['EINTR', 'EAGAIN', 'ENOBUFS', 'EPERM'],
  recvmsg: ['EINTR', 'EAGAIN', 'ENOMEM'],
  sendmsg: ['EINTR', 'EAGAIN', 'ETOOMANYREFS', 'EPIPE'],
  accept4: ['EINTR', 'EAGAIN', 'EMFILE', 'ENOMEM'],
  connect: ['EINTR', 'ECONNREFUSED', 'ENETUNREACH'],
  socket: ['EMFILE', 'ENOBUFS'],
  socketpair: ['EMFILE'],
  bind: ['EADDRINUSE', 'EACCES'],
  listen: ['EADDRINUSE'],
  shutdown: ['ENOTCONN'],
  setsockopt: ['ENOMEM'],
  getsockopt: ['ENOBUFS'],
  getsockname: ['ENOBUFS'],
  getpeername: ['ENOBUFS'],
  getaddrinfo: ['ENOMEM'],
  getnameinfo: ['ENOMEM'],
  epoll_ctl: ['ENOSPC', 'ENOMEM'],
  close: ['EIO'],
  dup: ['EMFILE'],
  pipe2: ['EMFILE', 'ENFILE'],
  eventfd: ['EMFILE'],
  sigaction: ['EINVAL'],
  clone: ['EAGAIN', 'ENOMEM'],
  execve: ['ENOENT', 'E2BIG'],
  waitid: ['EINTR', 'ECHILD'],
  pidfd_send_signal: ['EPERM'],
  openat2: ['EINTR', 'EMFILE', 'EACCES'],
  preadv2: ['EINTR', 'EAGAIN', 'EIO', 'short'],
  pwritev2: ['EINTR', 'EAGAIN', 'ENOSPC', 'short'],
  flock: ['EINTR', 'ENOLCK'],
  io_uring_enter: ['EINTR', 'EBUSY'],
  io_uring: ['EIO'], // after it was done: it can't be tried again
  fstatat: ['EACCES', 'ENOMEM'],
  getdents64: ['EIO'],
  mkdirat: ['EDQUOT'],
  unlinkat: ['EBUSY', 'EIO'],
  linkat: ['EMLINK'],
  renameat2: ['EBUSY'],
  symlinkat: ['EDQUOT'],
  fchmodat: ['EROFS'],
  fchownat: ['EROFS'],
  fsetxattr: ['ENOSPC'],
  copy_file_range: ['EINTR', 'EIO', 'ENOSPC', 'short'],
};

/** Nobody need notice these; or, in this program, need not. */
const OVERLOOKED = new Set([
  // The descriptor is gone all the same; of files, see below.
  ...['tcp', 'udp', 'unix', 'a pipe, and descriptors', 'programs', 'tls'].map(
    (name) => `${name}: close EIO`,
  ),
  'filesystem: close EIO', // of directories, and of files that are only read
  'files: io_uring_enter EBUSY', // asked again
  'filesystem: io_uring_enter EBUSY',
  // A hard link that can't be made is a copy.
  'filesystem: openat2 EMFILE',
  'filesystem: openat2 EACCES',
  'filesystem: fstatat EACCES',
  'filesystem: fstatat ENOMEM',
  'filesystem: linkat EMLINK',
  // Behind the end that the other side has announced.
  'tls: recv EIO',
  'tls: recv ECONNRESET',
  // Tickets for sessions, and the good-bye that closing says.
  'tls: send EIO',
  'tls: send ECONNRESET',
]);

/** What doesn't happen: files are always ready, and of a datagram nothing else is sent later. */
const IMPOSSIBLE = new Set([
  ...['read', 'write'].map((call) => `filesystem: ${call} EAGAIN`),
  ...['recv', 'send'].flatMap((call) => [`udp: ${call} short`, `unix: ${call} short`]),
]);

const isUnnoticed = (call: string, fault: string): boolean =>
  ['EINTR', 'short'].includes(fault) || (fault === 'EAGAIN' && call !== 'clone');

/** Seconds that a program may take, at most. */
const PATIENCE = 120;

async function outcomeOf(source: string): Promise<string> {
  const late = setTimeout(PATIENCE * 1000, undefined, { ref: false });
  const outcome = await Promise.race([runLua(SETUP + source), late]);
  return outcome === undefined ? 'hangs' : (outcome.stdout + outcome.stderr).trim();
}

const inject = (call: string, fault: string, skip: number, times = 1): void => {
  const how = fault === 'short' ? { limit: 1 } : { errno: errnoNumber(fault)! };
  injectFault(call, { ...how, skip, times });
};

/** Remove what a program left that failed. */
const clean = (): void => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
};

if (nativeFailure() === undefined) await openReactor();
const folder = mkdtempSync(join(tmpdir(), 'perilune-sweep-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const [name, { program, prints, skip: whyNot }] of Object.entries(SCENARIOS)) {
  const options = { timeout: 600_000, skip: nativeFailure() ?? whyNot ?? false };
  const source = (): string =>
    program
      .replaceAll('%FOLDER%', folder)
      .replaceAll('%CERTIFICATES%', whyNot === false ? certificates() : '');

  test(`${name}: each call fails`, options, async () => {
    assert.equal(await outcomeOf(source()), prints);
    clean();
    const before = openDescriptors();
    let hits = 0;
    for (const [call, faults] of Object.entries(CALLS))
      for (const fault of faults) {
        if (IMPOSSIBLE.has(`${name}: ${call} ${fault}`)) continue;
        for (let skip = 0; ; skip++) {
          inject(call, fault, skip);
          const outcome = await outcomeOf(source());
          const isHit = clearFault(call) === 0;
          clean();
          if (!isHit) break;
          hits++;
          const what = `${name}: ${call} ${fault}`;
          const failed = isUnnoticed(call, fault)
            ? prints
            : `failed: ${errnoMessage(errnoNumber(fault)!)}`;
          if (outcome !== prints || !OVERLOOKED.has(what))
            assert.equal(outcome, failed, `${what}, call ${skip}`);
          assert.deepEqual(openDescriptors(), before, `${what}, call ${skip}`);
        }
      }
    assert.ok(hits > 0);
  });

  test(`${name}: each call is interrupted again and again`, options, async () => {
    const before = openDescriptors();
    // A connect(2) that was interrupted goes on by itself.
    for (const [call, faults] of Object.entries(CALLS))
      if (faults.includes('EINTR') && call !== 'connect') inject(call, 'EINTR', 0, 100);
    const outcome = await outcomeOf(source());
    for (const call of Object.keys(CALLS)) clearFault(call);
    clean();
    assert.equal(outcome, prints);
    assert.deepEqual(openDescriptors(), before);
  });
}
