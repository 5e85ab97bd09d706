/** `tls` with others: `openssl` on the other side, peers that misbehave, failing system calls, many connections. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import test from 'node:test';
import { startServer } from '../examples/support.ts';
import { certificates, noCertificates, tlsSetup } from '../support/certificates.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';

if (noCertificates !== false) test('tls peers', { skip: noCertificates }, () => {});
else {
  await openReactor();
  const setup = tlsSetup();
  const folder = certificates();

  // ── openssl ──────────────────────────────────────────────────────────────────────────────────────

  interface Run {
    child: ChildProcess;
    output(): string;
    /** Wait until the output has this. */
    until(wanted: RegExp): Promise<RegExpExecArray>;
    ended: Promise<void>;
  }

  const openssl = (...args: string[]): Run => {
    const child = spawn('openssl', args, { cwd: folder, stdio: 'pipe' });
    let text = '';
    let wake = (): void => {};
    let over = false;
    const add = (data: Buffer): void => {
      text += data.toString('latin1');
      wake();
    };
    child.stdin!.on('error', () => {});
    child.stdout!.on('data', add);
    child.stderr!.on('data', add);
    const ended = new Promise<void>((resolve) =>
      child.on('close', () => {
        over = true;
        resolve();
        wake();
      }),
    );
    const until = async (wanted: RegExp): Promise<RegExpExecArray> => {
      for (;;) {
        const found = wanted.exec(text);
        if (found !== null) return found;
        if (over) throw new Error(`openssl ${args[0]} ended: ${text}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    return { child, output: () => text, until, ended };
  };

  const echo = (): ReturnType<typeof startServer> =>
    startServer('../test/modules/tls/echo_server.lua', ['0', folder]);

  for (const version of ['-tls1_2', '-tls1_3']) {
    test(`s_client ${version}: echo, ALPN, a session that is resumed`, {
      timeout: 300_000,
    }, async () => {
      const server = await echo();
      const connect = (...more: string[]): Run =>
        openssl(
          ...['s_client', '-connect', `127.0.0.1:${server.port}`, '-CAfile', 'ca.pem', version],
          ...['-servername', 'localhost', '-verify_hostname', 'localhost', '-verify_return_error'],
          ...['-alpn', 'h2,echo', '-ign_eof', ...more],
        );
      try {
        const first = connect('-sess_out', `session${version}`);
        first.child.stdin!.write('hello\nbye\n');
        await first.until(/you said hello\n/);
        await first.ended;
        assert.match(first.output(), /ALPN protocol: echo/);
        assert.match(first.output(), /Verify return code: 0/);
        assert.match(first.output(), /New, TLSv1/);
        const second = connect('-sess_in', `session${version}`);
        second.child.stdin!.write('again\nbye\n');
        await second.until(/you said again\n/);
        await second.ended;
        assert.match(second.output(), /Reused, TLSv1/);
      } finally {
        await server.stop();
      }
    });
  }

  test('s_client: new keys are agreed on, a renegotiation is refused', {
    timeout: 300_000,
  }, async () => {
    const server = await echo();
    const connect = (version: string): Run =>
      openssl('s_client', '-connect', `127.0.0.1:${server.port}`, version);
    try {
      const client = connect('-tls1_3');
      await client.until(/Verify return code/);
      client.child.stdin!.write('before\n');
      await client.until(/you said before/);
      client.child.stdin!.write('K\n'); // it takes a command only at the start of what it reads
      await client.until(/KEYUPDATE/);
      client.child.stdin!.write('k\n');
      await client.until(/KEYUPDATE[\s\S]*KEYUPDATE/);
      client.child.stdin!.write('after\n');
      await client.until(/you said after/);
      client.child.stdin!.end();
      await client.ended;
      const other = connect('-tls1_2');
      await other.until(/Verify return code/);
      other.child.stdin!.write('R\n');
      await other.until(/no renegotiation/);
      await other.ended;
      const third = connect('-tls1_2');
      third.child.stdin!.write('still here\nbye\n');
      await third.until(/you said still here/);
    } finally {
      await server.stop();
    }
  });

  // With 1.2 it keeps the connection open behind the page.
  for (const version of ['-tls1_2', '-tls1_3']) {
    test(`s_server ${version}: a page`, { timeout: 300_000 }, async () => {
      const server = openssl(
        ...['s_server', '-accept', '127.0.0.1:0', '-cert', 'server.pem', '-key', 'server.key'],
        ...['-www', version],
      );
      try {
        const [, port] = await server.until(/ACCEPT 127\.0\.0\.1:(\d+)/);
        const outcome = await runLua(`${setup}
          local c = tls.dial('localhost:${port}', client_context())
          stream.write_all(c, 'GET / HTTP/1.0\\r\\n\\r\\n')
          local lines, n = stream.scanner.new{stream = c, record_separator = '\\n'}, 0
          local ok, e
          repeat
            ok, e = pcall(lines.get_line, lines)
            if ok then n = n + 1 end
          until not ok or c.protocol == 'TLSv1.2' and tostring(e):find('</BODY>', 1, true)
          print(n > 10, c.protocol == 'TLSv1.2' or e, c.protocol)
          c:close()
        `);
        assert.equal(outcome.stderr, '');
        const protocol = version === '-tls1_2' ? 'TLSv1.2' : 'TLSv1.3';
        const end = version === '-tls1_2' ? 'true' : 'End of file';
        assert.equal(outcome.stdout, `true\t${end}\t${protocol}\n`);
      } finally {
        server.child.kill();
        await server.ended;
      }
    });
  }

  test('s_server: one that is killed cuts the stream off', { timeout: 300_000 }, async () => {
    const server = openssl(
      ...['s_server', '-accept', '127.0.0.1:0', '-cert', 'server.pem', '-key', 'server.key'],
    );
    const [, port] = await server.until(/ACCEPT 127\.0\.0\.1:(\d+)/);
    void server.until(/from the client/).then(() => server.child.kill('SIGKILL'));
    const outcome = await runLua(`${setup}
      local c = tls.dial('localhost:${port}', client_context())
      stream.write_all(c, 'from the client\\n')
      raises(c.read_some, c, byte_span.new(1))
      c:close()
    `);
    await server.ended;
    assert.equal(outcome.stdout, 'stream truncated\tasio.ssl.stream\tnil\tnil\n');
  });

  test('s_server that asks for a certificate gets ours', { timeout: 300_000 }, async () => {
    const server = openssl(
      ...['s_server', '-accept', '127.0.0.1:0', '-cert', 'server.pem', '-key', 'server.key'],
      ...['-CAfile', 'ca.pem', '-Verify', '1', '-verify_return_error', '-naccept', '1'],
    );
    const [, port] = await server.until(/ACCEPT 127\.0\.0\.1:(\d+)/);
    const outcome = await runLua(`${setup}
      local ctx = client_context()
      ctx:use_certificate_file(at('client.pem'), 'pem')
      ctx:use_private_key_file(at('client.key'), 'pem')
      local c = tls.dial('localhost:${port}', ctx)
      stream.write_all(c, 'seen\\n')
      c:shutdown()
      raises(c.read_some, c, byte_span.new(1))
      c:close()
    `);
    await server.ended;
    assert.equal(outcome.stdout, 'End of file\tasio.misc\tnil\tnil\n');
    assert.match(server.output(), /subject=CN = client[\s\S]*seen/);
  });

  // ── hostile peers ────────────────────────────────────────────────────────────────────────────────

  const tls = (name: string, program: string, expected: string, options?: SpecOptions): void =>
    spec(name, setup + program, expected, options);

  tls(
    'garbage instead of a handshake, for servers and clients; records that are cut off or too long',
    `
    local function peer_says(data, role)
      local near, far = tcp_pair()
      local s = tls.socket.new(far, role == 'client' and client_context() or server_context('server'))
      s:set_server_name('localhost')
      stream.write_all(near, data)
      near:shutdown('send')
      if role == 'client' then raises(s.client_handshake, s) else raises(s.server_handshake, s) end
      raises(s.read_some, s, byte_span.new(1))
      near:close()
      s:close()
    end
    peer_says('GET / HTTP/1.1\\r\\n\\r\\n')
    peer_says('HTTP/1.1 400 Bad Request\\r\\n\\r\\n', 'client')
    peer_says(('\\255'):rep(1000))
    peer_says(('\\0'):rep(20000))
    peer_says('')
    peer_says('', 'client')
    peer_says('\\22\\3\\1')
    peer_says('\\22\\3\\1\\2\\0\\1\\0\\1')
    peer_says('\\22\\3\\1\\255\\255' .. ('x'):rep(65535))
    peer_says('\\23\\3\\3\\0\\5hello')
    peer_says('\\21\\3\\3\\0\\2\\2\\40', 'client')
    peer_says('\\20\\3\\3\\0\\1\\1')
  `,
    `http request\tasio.ssl\tnil\tnil
http request\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
wrong version number\tasio.ssl\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
stream truncated\tasio.ssl.stream\tnil\tnil
data length too long\tasio.ssl\tnil\tnil
data length too long\tasio.ssl\tnil\tnil
unexpected message\tasio.ssl\tnil\tnil
unexpected message\tasio.ssl\tnil\tnil
ssl/tls alert handshake failure\tasio.ssl\tnil\tnil
ssl/tls alert handshake failure\tasio.ssl\tnil\tnil
unexpected message\tasio.ssl\tnil\tnil
unexpected message\tasio.ssl\tnil\tnil
`,
    { once: true },
  );

  /** A relay between two sockets of TCP that bends, or stops, what it passes on. */
  const relay = `
    local function relayed(change)
      local near, there = tcp_pair()
      local here, far = tcp_pair()
      local function pass(from, to, direction)
        return spawn(function()
          local buf, at = byte_span.new(4096), 0
          while true do
            local ok, n = pcall(from.read_some, from, buf)
            if not ok then break end
            local data, stop = change(direction, at, tostring(buf:first(n)))
            at = at + n
            if not pcall(stream.write_all, to, data) or stop then break end
          end
          pcall(to.shutdown, to, 'both')
          pcall(from.shutdown, from, 'both')
        end)
      end
      local a, b = pass(there, here, 1), pass(here, there, 2)
      local c, s = tls.socket.new(near, CCTX), tls.socket.new(far, SCTX)
      c:set_server_name('localhost')
      local results = {}
      local function side(sock, hello, first, second)
        return spawn(function()
          local ok, e = pcall(function()
            sock[hello](sock)
            if first then stream.write_all(sock, first) end
            if second then sock:shutdown() end
            local got, buf = {}, byte_span.new(100)
            while true do
              local ok, n = pcall(sock.read_some, sock, buf)
              if not ok then
                if n ~= ae.misc.eof then error(n) end
                break
              end
              got[#got + 1] = tostring(buf:first(n))
              if not second then stream.write_all(sock, 'the answer') sock:shutdown() second = true end
            end
            return table.concat(got)
          end)
          sock:close()
          return ok, e
        end)
      end
      local x = side(c, 'client_handshake', 'the question', true)
      local y = side(s, 'server_handshake')
      local ok1, e1 = x:join()
      local ok2, e2 = y:join()
      a:join() b:join()
      close(there, here)
      return ok1, e1, ok2, e2
    end
  `;

  for (const version of ['tlsv12', 'tlsv13']) {
    tls(
      `${version}: one byte at a time; cut off anywhere; any byte changed`,
      `
      local CCTX, SCTX = client_context('${version}'), server_context('server', '${version}')
      ${relay}
      local sizes = {0, 0}
      print(relayed(function(direction, at, data)
        sizes[direction] = at + #data
        return data
      end))
      local function one_by_one(direction, at, data) return data end
      local real = byte_span.new
      byte_span.new = function(n) return real(1) end -- the relay reads and writes single bytes
      print(relayed(one_by_one))
      byte_span.new = real
      local function expect_failure(what, ok1, e1, ok2, e2)
        if ok1 and ok2 then print(what, 'nobody noticed', e1, e2) end
        if ok1 and e1 ~= 'the answer' then print(what, 'the client believes', e1) end
        if ok2 and e2 ~= 'the question' then print(what, 'the server believes', e2) end
        for _, e in ipairs{ok1 or e1, ok2 or e2} do
          if type(e) == 'string' then print(what, e) end
        end
      end
      for direction = 1, 2 do
        for cut = 0, sizes[direction] - 1, 61 do
          expect_failure('cut ' .. direction .. ' ' .. cut, relayed(function(d, at, data)
            if d ~= direction or at + #data <= cut then return data end
            return data:sub(1, math.max(0, cut - at)), true
          end))
        end
        for flip = 0, sizes[direction] - 1, 67 do
          expect_failure('flip ' .. direction .. ' ' .. flip, relayed(function(d, at, data)
            if d ~= direction or flip < at or flip >= at + #data then return data end
            local i = flip - at + 1
            return data:sub(1, i - 1) .. string.char(bit.bxor(data:byte(i), 16)) .. data:sub(i + 1), true
          end))
        end
      end
      print('done')
    `,
      'true\tthe answer\ttrue\tthe question\ntrue\tthe answer\ttrue\tthe question\ndone\n',
      { once: true },
    );
  }

  tls(
    'a peer that stalls in the handshake, and fibers that give up on it',
    `
    local timeout = require 'timeout'
    local near, far = tcp_pair()
    local c = tls.socket.new(near, client_context())
    c:set_server_name('localhost')
    local f = spawn(function() raises(c.client_handshake, c) end)
    local b = byte_span.new(600)
    far:read_some(b) -- the client has said hello
    stream.write_all(far, '\\22\\3\\3\\0') -- the beginning of an answer
    this_fiber.yield()
    f:interrupt()
    f:join()
    c:close()
    far:close()
    near, far = tcp_pair()
    local s = tls.socket.new(far, server_context('server'))
    f = spawn(function() raises(s.server_handshake, s) end)
    local reader = spawn(function() raises(s.read_some, s, byte_span.new(1)) end)
    this_fiber.yield()
    s:cancel()
    f:join() reader:join()
    s:close()
    near:close()
    local server = tls.context.new('tls_server') -- without a certificate
    local c, s, e1, e2 = handshaken(client_context(), server)
    print(e1, e2)
    close(c, s)
  `,
    `Fiber interrupted\temilua.core\tnil\tnil
Operation canceled\tsystem\tnil\tnil
Operation canceled\tsystem\tnil\tnil
ssl/tls alert handshake failure\tno shared cipher
`,
  );

  // ── system calls that fail ───────────────────────────────────────────────────────────────────────

  const faulty = faultTests(setup);
  const EXCHANGE = `
    local c, s = pair()
    local data = ('0123456789'):rep(10000)
    local f = spawn(function()
      stream.write_all(s, data)
      s:shutdown()
    end)
    local b = byte_span.new(#data)
    stream.read_all(c, b)
    print(tostring(b) == data)
    raises(c.read_some, c, b)
    f:join()
    close(c, s)
  `;
  const GOOD = 'true\nEnd of file\tasio.misc\tnil\tnil\n';
  for (const call of ['recv', 'send']) {
    faulty(`${call}: EINTR`, call, { errno: 'EINTR', times: 50 }, EXCHANGE, GOOD);
    faulty(`${call}: not ready`, call, { errno: 'EAGAIN', times: 50 }, EXCHANGE, GOOD);
    faulty(`${call}: byte by byte`, call, { limit: 1, times: 100_000 }, EXCHANGE, GOOD);
    faulty(`${call}: in pieces`, call, { limit: 777, times: 100_000 }, EXCHANGE, GOOD);
  }
  faulty(
    'recv fails in the middle',
    'recv',
    { errno: 'ECONNRESET', skip: 9 },
    `
    local c, s, e1, e2 = handshaken(client_context(), server_context('server'))
    print(e1, e2)
    if s.protocol then raises(s.read_some, s, byte_span.new(1)) end
    close(c, s)
  `,
    'Connection reset by peer\tConnection reset by peer\n',
  );
  faulty(
    'send fails: the write tells, the next one too, and what was received can be read',
    'send',
    { errno: 'ENOBUFS', skip: 3, times: 1000 },
    `
    local c, s = pair()
    raises(c.write_some, c, bytes('x'))
    raises(c.write_some, c, bytes('x'))
    raises(c.shutdown, c)
    close(c, s)
  `,
    `No buffer space available\tsystem\tnil\tnil
No buffer space available\tsystem\tnil\tnil
No buffer space available\tsystem\tnil\tnil
`,
  );
  faulty(
    'epoll_ctl fails',
    'epoll_ctl',
    { errno: 'ENOSPC', skip: 1 },
    `
    local c, s, e1, e2 = handshaken(client_context(), server_context('server'))
    -- What the other end gets depends on what had arrived there.
    print(e1, tostring(e2) == 'stream truncated' or tostring(e2) == 'Connection reset by peer')
    close(c, s)
  `,
    'No space left on device\ttrue\n',
  );

  // ── many ─────────────────────────────────────────────────────────────────────────────────────────

  tls(
    '1,000 connections open at once, each of them used',
    `
    local N = 1000
    local cctx, sctx = client_context(), server_context('server')
    local a = ip.tcp.listen('127.0.0.1:0')
    local served = 0
    local acceptor = spawn(function()
      for i = 1, N do
        local tcp = a:accept()
        spawn(function()
          local s = tls.socket.new(tcp, sctx)
          s:server_handshake()
          local b = byte_span.new(10)
          while true do
            local ok, n = pcall(s.read_some, s, b)
            if not ok then break end
            stream.write_all(s, b:first(n))
          end
          s:close()
          served = served + 1
        end):detach()
      end
    end)
    local clients, fibers = {}, {}
    for i = 1, N do
      fibers[i] = spawn(function() clients[i] = tls.dial('127.0.0.1:' .. a.local_port, cctx) end)
    end
    for i = 1, N do fibers[i]:join() end
    acceptor:join()
    a:close()
    local good = 0
    for i = 1, N do
      fibers[i] = spawn(function()
        local text = ('%05d'):format(i)
        stream.write_all(clients[i], text)
        local b = byte_span.new(5)
        stream.read_all(clients[i], b)
        if tostring(b) == text then good = good + 1 end
        clients[i]:shutdown()
        if not pcall(clients[i].read_some, clients[i], b) then clients[i]:close() end
      end)
    end
    for i = 1, N do fibers[i]:join() end
    while served < N do this_fiber.yield() require('time').sleep(0) end
    print(good, served)
  `,
    '1000\t1000\n',
    { once: true },
  );
}
