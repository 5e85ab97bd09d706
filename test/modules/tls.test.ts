/** `tls` with itself: contexts, whom to trust, names, sessions, closing, interruption. */
import test from 'node:test';
import { certificates, noCertificates, tlsSetup } from '../support/certificates.ts';
import { openReactor } from '../support/faulty.ts';
import { type SpecOptions, spec } from '../support/spec.ts';

if (noCertificates !== false) test('tls', { skip: noCertificates }, () => {});
else {
  await openReactor();
  const setup = tlsSetup();
  const tls = (name: string, program: string, expected: string, options?: SpecOptions): void =>
    spec(name, setup + program, expected, options);

  // ── contexts ─────────────────────────────────────────────────────────────────────────────────────

  tls(
    'contexts are made for one version or all, and for one side or both',
    `
    for _, name in ipairs{'tls', 'sslv23', 'tlsv1', 'tlsv11', 'tlsv12', 'tlsv13'} do
      for _, side in ipairs{'', '_client', '_server'} do
        assert(getmetatable(tls.context.new(name .. side)) == 'tls.context')
      end
    end
    raises(tls.context.new, 'sslv3_client')
    raises(tls.context.new, 'tls_peer')
    raises(tls.context.new, 'toString')
    raises(tls.context.new)
    raises(function() return tls.context.new('tls').x end)
    raises(function() tls.context.new('tls').x = 1 end)
  `,
    `Operation not supported\tgeneric\tnil\tnil
Invalid argument\tgeneric\t1\tnil
Invalid argument\tgeneric\t1\tnil
Invalid argument\tgeneric\t1\tnil
Requested key wasn't found in the table/userdata\temilua.core\tnil\tnil
Requested key wasn't found in the table/userdata\temilua.core\tnil\tnil
`,
  );

  tls(
    'bad arguments of contexts',
    `
    local ctx = tls.context.new('tls')
    raises(ctx.set_verify_mode, 1, 'peer')
    raises(ctx.set_verify_mode, ctx, 'all')
    raises(ctx.set_verify_depth, ctx, 'deep')
    raises(ctx.set_verify_callback, ctx, 'rfc2818_verification', 'x')
    raises(ctx.set_verify_callback, ctx, 'host_name_verification')
    raises(ctx.set_password_callback, ctx, 'secret')
    raises(ctx.set_options, ctx)
    raises(ctx.set_options, ctx, {'no_tlsv9'})
    raises(ctx.set_options, ctx, 1)
    raises(ctx.use_certificate, ctx, 'text', 'pem')
    raises(ctx.use_certificate, ctx, bytes('x'), 'der')
    raises(ctx.use_private_key_file, ctx, at('server.key'), 'der')
    raises(ctx.use_private_key_file, ctx, 1, 'pem')
    raises(ctx.set_alpn_protocols, ctx, 'h2')
    raises(ctx.set_alpn_protocols, ctx, {''})
    raises(ctx.set_alpn_protocols, ctx, {('x'):rep(256)})
    raises(ctx.add_server_name, ctx, 'a', 'b')
    raises(ctx.add_server_name, ctx, '', ctx)
    raises(tls.socket.new, 1, ctx)
    raises(tls.socket.new, ip.tcp.socket.new(), ctx)
    raises(tls.socket.new, ip.tcp.socket.new(), 1)
    raises(tls.dial, {})
    raises(tls.dial, 'localhost', ctx)
    raises(tls.dial, 'localhost:1', 1)
  `,
    `Invalid argument\tgeneric\t1\tnil
Invalid argument\tgeneric\t2\tnil
bad argument #2 to 'set_verify_depth' (number expected, got string)
Operation not supported\tgeneric\tnil\tnil
bad argument #3 to 'set_verify_callback' (string expected, got no value)
bad argument #2 to 'set_password_callback' (function expected, got string)
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t3\tnil
Invalid argument\tgeneric\t3\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t3\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t1\tnil
Bad file descriptor\tsystem\tnil\tnil
Invalid argument\tgeneric\t2\tnil
bad argument #1 to 'dial' (string expected, got table)
Invalid argument\tgeneric\t1\tnil
Invalid argument\tgeneric\t2\tnil
`,
  );

  tls(
    'certificates and keys: files and bytes, PEM and DER, chains, wrong ones',
    `
    local function read(name)
      local f = require('file').stream.new()
      f:open(at(name), {'read_only'})
      local b = byte_span.new(10000)
      return b:first(f:read_some(b))
    end
    local ctx = tls.context.new('tls_server')
    ctx:use_certificate(read('server.pem'), 'pem')
    ctx:use_certificate(read('server.der'), 'asn1')
    ctx:use_private_key(read('server.key.der'), 'asn1')
    ctx:use_private_key(read('server.key'), 'pem')
    ctx:use_certificate_file(at('server.pem'), 'pem')
    ctx:use_certificate_file(at('server.der'), 'asn1')
    ctx:use_certificate_chain(read('chain.pem'))
    ctx:use_rsa_private_key_file(at('rsa.key'), 'pem')
    ctx:use_rsa_private_key(read('rsa.key'), 'pem')
    ctx:use_tmp_dh(read('dh.pem'))
    ctx:use_tmp_dh_file(at('dh.pem'))
    ctx:add_certificate_authority(read('ca.pem'))
    ctx:add_verify_path(path('/etc/ssl/certs'))
    ctx:set_default_verify_paths()
    ctx:set_verify_depth(3)
    raises(ctx.use_rsa_private_key_file, ctx, at('server.key'), 'pem')
    raises(ctx.use_certificate, ctx, bytes('no certificate'), 'pem')
    raises(ctx.use_certificate, ctx, bytes('no certificate'), 'asn1')
    raises(ctx.use_certificate_chain, ctx, bytes(''))
    raises(ctx.use_private_key, ctx, read('server.pem'), 'pem')
    raises(ctx.use_private_key, ctx, read('server.key'):first(100), 'pem')
    raises(ctx.add_certificate_authority, ctx, bytes('none'))
    raises(ctx.use_tmp_dh, ctx, bytes('none'))
    raises(ctx.use_certificate_chain_file, ctx, at('missing'))
    raises(ctx.load_verify_file, ctx, path('/'))
    local one = tls.context.new('tls_server')
    one:use_certificate_file(at('server.pem'), 'pem')
    raises(one.use_private_key_file, one, at('other.key'), 'pem')
    local ok, e = pcall(ctx.use_certificate, ctx, bytes('no certificate'), 'pem')
    print(e.category, e.category:message(e.code), e == e:togeneric())
  `,
    `expecting an rsa key\tasio.ssl\tnil\tnil
no start line\tasio.ssl\tnil\tnil
not enough data\tasio.ssl\tnil\tnil
no start line\tasio.ssl\tnil\tnil
unsupported\tasio.ssl\tnil\tnil
unsupported\tasio.ssl\tnil\tnil
no start line\tasio.ssl\tnil\tnil
unsupported\tasio.ssl\tnil\tnil
No such file or directory\tsystem\tnil\tnil
Is a directory\tsystem\tnil\tnil
key values mismatch\tasio.ssl\tnil\tnil
asio.ssl\tno start line\ttrue
`,
  );

  tls(
    'the password callback opens a locked key; nothing in it may suspend',
    `
    local ctx = tls.context.new('tls_server')
    raises(ctx.use_private_key_file, ctx, at('locked.key'), 'pem')
    ctx:set_password_callback(function(length, purpose) print(length, purpose) return 'secret' end)
    ctx:use_private_key_file(at('locked.key'), 'pem')
    ctx:use_certificate_file(at('server.pem'), 'pem')
    ctx:set_password_callback(function() return 'wrong' end)
    raises(ctx.use_private_key_file, ctx, at('locked.key'), 'pem')
    ctx:set_password_callback(function() return nil end)
    raises(ctx.use_private_key_file, ctx, at('locked.key'), 'pem')
    ctx:set_password_callback(function() error('no idea', 0) end)
    raises(ctx.use_private_key_file, ctx, at('locked.key'), 'pem')
    ctx:set_password_callback(function() require('time').sleep(1) end)
    raises(ctx.use_private_key_file, ctx, at('locked.key'), 'pem')
    this_fiber.yield()
    local c, s = pair(nil, ctx)
    close(c, s)
  `,
    `bad password read\tasio.ssl\tnil\tnil
1024\tfor_reading
bad decrypt\tasio.ssl\tnil\tnil
bad password read\tasio.ssl\tnil\tnil
no idea
attempt to suspend a system fiber
`,
  );

  tls(
    'options as lists and as integers decide which versions are spoken',
    `
    local cctx, sctx = client_context('tls'), server_context('server', 'tls')
    sctx:set_options{'no_tlsv1_3', 'default_workarounds', 'single_dh_use', 'no_sslv2', 'no_sslv3'}
    local c, s = pair(cctx, sctx)
    print(c.protocol, s.protocol, c.cipher == s.cipher)
    close(c, s)
    sctx:clear_options{'no_tlsv1_3'}
    c, s = pair(cctx, sctx)
    print(c.protocol)
    close(c, s)
    local flag = tls.context_flag
    cctx:set_options(bit.bor(flag.no_tlsv1_3, flag.no_tlsv1_1, flag.default_workarounds, flag.no_compression))
    c, s = pair(cctx, sctx)
    print(c.protocol)
    close(c, s)
    local c, s, e1, e2 = handshaken(client_context('tlsv13'), server_context('server', 'tlsv12'))
    print(e1, e1.category)
    print(e2, e2.category)
    close(c, s)
    local c, s, e1, e2 = handshaken(client_context('tlsv11'), server_context('server', 'tls'))
    print(e1)
    close(c, s)
  `,
    `TLSv1.2\tTLSv1.2\ttrue
TLSv1.3
TLSv1.2
tlsv1 alert protocol version\tasio.ssl
unsupported protocol\tasio.ssl
no protocols available
`,
  );

  // ── whom to trust ────────────────────────────────────────────────────────────────────────────────

  tls(
    'bad certificates of every kind are refused, and the error says why',
    `
    for _, name in ipairs{'expired', 'other', 'self', 'unknown', 'usage', 'leaf', 'no_authority'} do
      local c, s, e1, e2 = handshaken(client_context(), server_context(name))
      print(name, e1, e1.category, e1.verify_error)
      print('', e2)
      close(c, s)
    end
  `,
    `expired\tcertificate verify failed\tasio.ssl\tcertificate has expired
\tssl/tls alert certificate expired
other\tcertificate verify failed\tasio.ssl\thostname mismatch
\tssl/tls alert bad certificate
self\tcertificate verify failed\tasio.ssl\tself-signed certificate
\ttlsv1 alert unknown ca
unknown\tcertificate verify failed\tasio.ssl\tunable to get local issuer certificate
\ttlsv1 alert unknown ca
usage\tcertificate verify failed\tasio.ssl\tunsuitable certificate purpose
\tssl/tls alert unsupported certificate
leaf\tcertificate verify failed\tasio.ssl\tunable to get local issuer certificate
\ttlsv1 alert unknown ca
no_authority\tcertificate verify failed\tasio.ssl\tunable to get local issuer certificate
\ttlsv1 alert unknown ca
`,
  );

  tls(
    'certificates on a revocation list are refused',
    `
    local cctx = client_context()
    cctx:load_verify_file(at('revocations.pem'))
    for _, name in ipairs{'revoked', 'server'} do
      local c, s, e1 = handshaken(cctx, server_context(name))
      print(name, e1, e1 and e1.verify_error)
      close(c, s)
    end
    local c, s = pair(nil, server_context('revoked')) -- without the list
    close(c, s)
  `,
    `revoked\tcertificate verify failed\tcertificate revoked
server\tnil\tnil
`,
  );

  tls(
    'weak keys and signatures are refused on both sides',
    `
    raises(server_context, 'weak_key')
    local c, s, e1, e2 = handshaken(client_context(), server_context('weak_signature'))
    print(e1, e1.verify_error)
    close(c, s)
  `,
    `ee key too small\tasio.ssl\tnil\tnil
certificate verify failed\tCA signature digest algorithm too weak
`,
  );

  tls(
    'a chain is followed up to a depth',
    `
    local c, s = pair(nil, server_context('chain'))
    close(c, s)
    local cctx = client_context()
    cctx:set_verify_depth(0)
    local c, s, e1, e2 = handshaken(cctx, server_context('chain'))
    print(e1, e1.verify_error)
    close(c, s)
  `,
    'certificate verify failed\tcertificate chain too long\n',
  );

  tls(
    'a client verifies the name unless it is told otherwise; without a name it refuses to begin',
    `
    local function try(prepare, cctx)
      local near, far = tcp_pair()
      local c, s = tls.socket.new(near, cctx or client_context()), tls.socket.new(far, server_context('server'))
      prepare(c)
      local f = spawn(function() pcall(s.server_handshake, s) end)
      local ok, e = pcall(c.client_handshake, c)
      if ok then print('connected') else print(e, e.arg, e.verify_error) end
      c:close()
      f:join()
      s:close()
    end
    try(function(c) end)
    try(function(c) c:set_server_name('localhost') end)
    try(function(c) c:set_server_name('LOCALHOST') end)
    try(function(c) c:set_server_name('a.local.test') end)
    try(function(c) c:set_server_name('a.b.local.test') end)
    try(function(c) c:set_server_name('127.0.0.1') end)
    try(function(c) c:set_server_name('::1') end)
    try(function(c) c:set_server_name('127.0.0.2') end)
    try(function(c) c:set_server_name('localhost') c:set_verify_callback('host_name_verification', 'b.local.test') end)
    try(function(c) c:set_server_name('localhost') c:set_verify_callback('host_name_verification', 'wrong') end)
    try(function(c) c:set_server_name('wrong') c:set_verify_mode('peer') end)
    try(function(c) c:set_server_name('wrong') c:set_verify_callback('any_host') end)
    try(function(c) c:set_server_name('wrong') c:set_verify_mode('none') end)
    try(function(c) c:set_verify_mode('peer') end)
    local cctx = client_context()
    cctx:set_verify_callback('host_name_verification', 'localhost')
    try(function(c) end, cctx)
    cctx = tls.context.new('tls')
    try(function(c) c:set_server_name('localhost') end, cctx)
    cctx:set_verify_mode('none')
    try(function(c) end, cctx)
  `,
    `Invalid argument\tserver_name\tnil
connected
connected
connected
certificate verify failed\tnil\thostname mismatch
connected
connected
certificate verify failed\tnil\tIP address mismatch
connected
certificate verify failed\tnil\thostname mismatch
certificate verify failed\tnil\thostname mismatch
connected
connected
connected
connected
certificate verify failed\tnil\tunable to get local issuer certificate
connected
`,
  );

  tls(
    'a server that asks for certificates',
    `
    local function server(mode)
      local sctx = server_context('server', 'tlsv12_server')
      sctx:load_verify_file(at('ca.pem'))
      sctx:set_verify_mode(mode)
      return sctx
    end
    local function client(name)
      local cctx = client_context()
      if name then
        cctx:use_certificate_file(at(name .. '.pem'), 'pem')
        cctx:use_private_key_file(at(name .. '.key'), 'pem')
      end
      return cctx
    end
    for _, case in ipairs{{'peer'}, {'fail_if_no_peer_cert'}, {'client_once', 'client'},
        {'fail_if_no_peer_cert', 'client'}, {'peer', 'self'}, {'none', 'self'}} do
      local c, s, e1, e2 = handshaken(client(case[2]), server(case[1]))
      print(case[1], case[2], e2, e2 and e2.verify_error, s.peer_certificate and #s.peer_certificate > 100)
      close(c, s)
    end
  `,
    `peer\tnil\tnil\tnil\tnil
fail_if_no_peer_cert\tnil\tpeer did not return a certificate\tnil\tnil
client_once\tclient\tnil\tnil\ttrue
fail_if_no_peer_cert\tclient\tnil\tnil\ttrue
peer\tself\tcertificate verify failed\tself-signed certificate\tnil
none\tself\tnil\tnil\tnil
`,
  );

  // ── names, protocols, sessions ───────────────────────────────────────────────────────────────────

  tls(
    'a server chooses its certificate by the name that a client asks for',
    `
    local sctx, other = server_context('other'), server_context('server')
    sctx:add_server_name('localhost', other)
    sctx:add_server_name('*.LOCAL.test', other)
    for _, name in ipairs{'localhost', 'a.local.test', 'other.example', 'a.b.local.test'} do
      local c, s, e = handshaken(client_context(), sctx, name)
      print(name, e, s.server_name)
      close(c, s)
    end
  `,
    `localhost\tnil\tlocalhost
a.local.test\tnil\ta.local.test
other.example\tnil\tother.example
a.b.local.test\tcertificate verify failed\ta.b.local.test
`,
  );

  tls(
    'ALPN: the server decides; none in common ends the handshake',
    `
    local function context(ctx, list) ctx:set_alpn_protocols(list) return ctx end
    local c, s = pair(context(client_context(), {'http/1.1', 'h2'}), context(server_context('server'), {'h2', 'http/1.1'}))
    print(c.alpn_protocol, s.alpn_protocol)
    close(c, s)
    c, s = pair(context(client_context(), {'h2'}))
    print(c.alpn_protocol, s.alpn_protocol)
    close(c, s)
    local c, s, e1, e2 = handshaken(context(client_context(), {'h3'}), context(server_context('server'), {'h2'}))
    print(e1, e2)
    close(c, s)
  `,
    `h2\th2
nil\tnil
tlsv1 alert no application protocol\tno application protocol
`,
  );

  tls(
    'sessions are resumed, in both versions, and only where the server is the same',
    `
    for _, version in ipairs{'tlsv12', 'tlsv13'} do
      local cctx, sctx = client_context(version), server_context('server', version)
      local session
      for i = 1, 3 do
        local near, far = tcp_pair()
        local c, s = tls.socket.new(near, cctx), tls.socket.new(far, i < 3 and sctx or server_context('server', version))
        c:set_server_name('localhost')
        if session then c:set_session(session) end
        local f = spawn(function() s:server_handshake() stream.write_all(s, 'x') s:shutdown() end)
        c:client_handshake()
        stream.read_all(c, byte_span.new(1)) -- in 1.3 the ticket comes behind the handshake
        f:join()
        print(version, i, c.session_reused, s.session_reused)
        session = session or c.session
        print(getmetatable(session))
        close(c, s)
      end
    end
    local near, far = tcp_pair()
    local c = tls.socket.new(near, client_context())
    print(c.session, c.protocol, c.cipher, c.peer_certificate, c.session_reused)
    raises(c.set_session, c, 'x')
    close(c, far)
    print(c.session, c.protocol, c.session_reused)
  `,
    `tlsv12\t1\tfalse\tfalse
tls.session
tlsv12\t2\ttrue\ttrue
tls.session
tlsv12\t3\tfalse\tfalse
tls.session
tlsv13\t1\tfalse\tfalse
tls.session
tlsv13\t2\ttrue\ttrue
tls.session
tlsv13\t3\tfalse\tfalse
tls.session
nil\tnil\tnil\tnil\tfalse
Invalid argument\tgeneric\t2\tnil
nil\tnil\tfalse
`,
  );

  // ── dial ─────────────────────────────────────────────────────────────────────────────────────────

  tls(
    'dial: connects, sends the name, verifies; addresses are verified, too',
    `
    local a = ip.tcp.listen('127.0.0.1:0')
    local sctx = server_context('server')
    local server = spawn(function()
      for i = 1, 4 do
        local s = tls.socket.new(a:accept(), sctx)
        if pcall(s.server_handshake, s) then
          print(s.server_name)
          stream.write_all(s, 'hello')
        end
        s:close()
      end
    end)
    local cctx = client_context()
    for _, host in ipairs{'localhost', '127.0.0.1'} do
      local c = tls.dial(host .. ':' .. a.local_port, cctx)
      local b = byte_span.new(5)
      stream.read_all(c, b)
      print(b, c.is_open, c.remote_address, c.remote_port == a.local_port, c.local_address)
      c:close()
      print(c.is_open)
    end
    raises(tls.dial, 'localhost:' .. a.local_port) -- whom the system trusts
    local stranger = tls.context.new('tls')
    stranger:load_verify_file(at('stranger.pem'))
    raises(tls.dial, 'localhost:' .. a.local_port, stranger)
    server:join()
    local port = a.local_port
    a:close()
    raises(tls.dial, '127.0.0.1:' .. port, cctx)
  `,
    `localhost
hello\ttrue\t127.0.0.1\ttrue\t127.0.0.1
false
nil
hello\ttrue\t127.0.0.1\ttrue\t127.0.0.1
false
certificate verify failed\tasio.ssl\tnil\tunable to get local issuer certificate
certificate verify failed\tasio.ssl\tnil\tunable to get local issuer certificate
Connection refused\tsystem\tnil\tnil
`,
  );

  tls(
    'dial: IPv6, and an interruption while it connects or shakes hands',
    `
    local a = ip.tcp.listen('[::1]:0')
    local cctx = client_context()
    local f = spawn(function()
      local s = tls.socket.new(a:accept(), server_context('server'))
      s:server_handshake()
      s:close()
    end)
    local c = tls.dial('[::1]:' .. a.local_port, cctx)
    f:join()
    print(c.remote_address)
    c:close()
    for yields = 1, 6 do
      f = spawn(function() return select(2, pcall(tls.dial, 'localhost:' .. a.local_port, cctx)) end)
      for i = 1, yields do this_fiber.yield() end
      f:interrupt()
      f:join()
    end
    f = spawn(function() raises(tls.dial, '[::1]:' .. a.local_port, cctx) end)
    local peer = a:accept()
    peer:read_some(byte_span.new(100)) -- it is in the handshake
    f:interrupt()
    f:join()
    peer:close()
    a:close()
  `,
    '::1\nFiber interrupted\temilua.core\tnil\tnil\n',
  );

  // ── sockets ──────────────────────────────────────────────────────────────────────────────────────

  tls(
    'the socket of TCP is taken over, and what waits on it ends',
    `
    local near, far = tcp_pair()
    local waiting = spawn(function() raises(near.read_some, near, byte_span.new(1)) end)
    this_fiber.yield()
    local c = tls.socket.new(near, client_context())
    waiting:join()
    print(near.is_open, c.is_open)
    raises(near.read_some, near, byte_span.new(1))
    raises(tls.socket.new, near, client_context())
    raises(c.read_some, c, byte_span.new(1))
    raises(c.write_some, c, byte_span.new(1))
    raises(c.shutdown, c)
    raises(c.read_some, c, 'x')
    raises(c.write_some, c)
    raises(c.set_server_name, c)
    raises(c.set_server_name, c, '')
    raises(c.set_verify_mode, c, 'x')
    raises(function() return c.x end)
    raises(c.read_some, near, byte_span.new(1))
    c:close()
    c:close()
    raises(c.client_handshake, c)
    raises(c.server_handshake, c)
    raises(c.read_some, c, byte_span.new(1))
    raises(c.write_some, c, byte_span.new(1))
    raises(c.shutdown, c)
    raises(c.cancel, c)
    raises(c.set_server_name, c, 'x')
    raises(function() return c.remote_address end)
    far:close()
  `,
    `Operation canceled\tsystem\tnil\tnil
false\ttrue
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
uninitialized\tasio.ssl\tnil\tnil
uninitialized\tasio.ssl\tnil\tnil
uninitialized\tasio.ssl\tnil\tnil
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
bad argument #2 to 'set_server_name' (string expected, got no value)
Invalid argument\tgeneric\t2\tnil
Invalid argument\tgeneric\t2\tnil
Requested key wasn't found in the table/userdata\temilua.core\tnil\tnil
Invalid argument\tgeneric\t1\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
Bad file descriptor\tsystem\tnil\tnil
`,
  );

  tls(
    'shutdown ends one direction; close says good-bye, too; a connection that is cut off is another thing',
    `
    local c, s = pair()
    stream.write_all(c, 'last words')
    c:shutdown()
    c:shutdown()
    raises(c.write_some, c, bytes('more'))
    local b = byte_span.new(100)
    print(b:first(s:read_some(b)))
    raises(s.read_some, s, b)
    raises(s.read_some, s, b)
    print(s:read_some(byte_span.new(0)), s:write_some(byte_span.new(0)))
    stream.write_all(s, 'the other way')
    print(b:first(c:read_some(b)))
    s:close()
    raises(c.read_some, c, b)
    c:close()

    local e = tls.error.stream_truncated
    print(e, e.category, e.code, tls.error.stream_truncated == e, e == ae.misc.eof)
    print(tls.error.unspecified_system_error, tls.error.unexpected_result)
    raises(function() return tls.error.x end)
  `,
    `protocol is shutdown\tasio.ssl\tnil\tnil
last words
End of file\tasio.misc\tnil\tnil
End of file\tasio.misc\tnil\tnil
0\t0
the other way
End of file\tasio.misc\tnil\tnil
stream truncated\tasio.ssl.stream\t1\ttrue\tfalse
unspecified system error\tunexpected result
Requested key wasn't found in the table/userdata\temilua.core\tnil\tnil
`,
  );

  tls(
    'two fibers read and write one socket at once, much more than the kernel buffers',
    `
    local c, s = pair()
    local SIZE = 3000000
    local data = ('0123456789abcdef'):rep(SIZE / 16)
    local function send(sock) return spawn(function() return stream.write_all(sock, data) end) end
    local function receive(sock)
      return spawn(function()
        local b = byte_span.new(SIZE)
        stream.read_all(sock, b)
        return tostring(b) == data
      end)
    end
    local a, b, x, y = send(c), send(s), receive(c), receive(s)
    print(a:join(), b:join(), x:join(), y:join())
    close(c, s)
  `,
    '3000000\t3000000\ttrue\ttrue\n',
  );

  tls(
    'a second reader waits its turn, and so does a second writer',
    `
    local c, s = pair()
    local order = {}
    local function reader(name)
      return spawn(function()
        local b = byte_span.new(1)
        c:read_some(b)
        order[#order + 1] = name .. tostring(b)
      end)
    end
    local a, b = reader('a'), reader('b')
    this_fiber.yield()
    stream.write_all(s, '1')
    stream.write_all(s, '2')
    a:join() b:join()
    print(table.concat(order, ' '))
    -- Writers: each piece arrives whole, in the order in which they began.
    local writers = {}
    for i = 1, 5 do
      writers[i] = spawn(function() return c:write_some(bytes((tostring(i)):rep(200000))) end)
    end
    local got, total, sent = {}, 0, 0
    local sum = spawn(function() for i = 1, 5 do sent = sent + writers[i]:join() end c:shutdown() end)
    local buf = byte_span.new(65536)
    while true do
      local ok, n = pcall(s.read_some, s, buf)
      if not ok then break end
      total = total + n
      for digit in tostring(buf:first(n)):gmatch('(%d)') do
        if got[#got] ~= digit then got[#got + 1] = digit end
      end
    end
    sum:join()
    print(table.concat(got, ' '), total == sent, sent)
    close(c, s)
  `,
    'a1 b2\n1 2 3 4 5\ttrue\t1000000\n',
    { once: true },
  );

  // ── interruption ─────────────────────────────────────────────────────────────────────────────────

  tls(
    'reads and handshakes are interrupted, cancelled and closed; the connection goes on where it can',
    `
    local near, far = tcp_pair()
    local c, s = tls.socket.new(near, client_context()), tls.socket.new(far, server_context('server'))
    c:set_server_name('localhost')
    local function start(f, ...)
      local args = {...}
      local fiber = spawn(function() raises(f, unpack(args)) end)
      for i = 1, 3 do this_fiber.yield() end
      return fiber
    end
    local f = start(c.client_handshake, c)
    f:interrupt()
    f:join()
    local f = start(c.client_handshake, c)
    c:cancel()
    f:join()
    local f = spawn(function() s:server_handshake() end)
    c:client_handshake() -- takes up what was begun
    f:join()
    local b = byte_span.new(10)
    f = start(c.read_some, c, b)
    f:interrupt()
    f:join()
    f = start(c.read_some, c, b)
    c:cancel()
    f:join()
    stream.write_all(s, 'fine')
    print(b:first(c:read_some(b)))
    f = start(c.read_some, c, b)
    c:close()
    f:join()
    raises(s.read_some, s, b)
    s:close()
    -- in a handshake
    near, far = tcp_pair()
    s = tls.socket.new(far, server_context('server'))
    f = start(s.server_handshake, s)
    s:close()
    f:join()
    near:close()
    this_fiber.forbid_suspend()
    raises(c.read_some, c, b)
    this_fiber.allow_suspend()
  `,
    `Fiber interrupted\temilua.core\tnil\tnil
Operation canceled\tsystem\tnil\tnil
Fiber interrupted\temilua.core\tnil\tnil
Operation canceled\tsystem\tnil\tnil
fine
Operation canceled\tsystem\tnil\tnil
End of file\tasio.misc\tnil\tnil
Operation canceled\tsystem\tnil\tnil
EPERM within a forbid-suspend block\temilua.core\tnil\tnil
`,
  );

  tls(
    'writes that are interrupted: what is encrypted arrives, and is counted; what isn’t is not',
    `
    local c, s = pair()
    local sent, stuck = 0, nil
    local piece = bytes(('x'):rep(100000))
    -- Fill the kernel's buffers until a write has to wait.
    local writer = spawn(function()
      while true do
        stuck = true
        local n = c:write_some(piece)
        stuck = false
        sent = sent + n
      end
    end)
    repeat this_fiber.yield() require('time').sleep(0) until stuck
    for i = 1, 20 do this_fiber.yield() require('time').sleep(0) end
    local behind = spawn(function() raises(c.write_some, c, bytes('never')) end)
    this_fiber.yield()
    local goodbye = spawn(function() raises(c.shutdown, c) end)
    this_fiber.yield()
    behind:interrupt()
    behind:join()
    goodbye:interrupt()
    goodbye:join()
    writer:interrupt() -- the write counts, and the next suspension point raises
    print(pcall(writer.join, writer))
    local closer = spawn(function() c:shutdown() print('shut down') end)
    local total, buf = 0, byte_span.new(65536)
    while true do
      local ok, n = pcall(s.read_some, s, buf)
      if not ok then print(n) break end
      assert(not tostring(buf:first(n)):find('[^x]'))
      total = total + n
    end
    closer:join()
    print(total == sent, sent > 100000)
    close(c, s)
  `,
    `Fiber interrupted\temilua.core\tnil\tnil
Fiber interrupted\temilua.core\tnil\tnil
true
shut down
End of file
true\ttrue
`,
  );

  tls(
    'closing while a write waits ends it',
    `
    local c, s = pair()
    local writer = spawn(function()
      local piece = bytes(('x'):rep(100000))
      while true do c:write_some(piece) end
    end)
    local second
    for i = 1, 20 do this_fiber.yield() require('time').sleep(0) end
    second = spawn(function() c:write_some(bytes('x')) end)
    this_fiber.yield()
    c:close()
    print(pcall(writer.join, writer))
    print(pcall(second.join, second))
    local ok, e
    repeat ok, e = pcall(s.read_some, s, byte_span.new(65536)) until not ok
    print(e)
    s:close()
  `,
    `false\tOperation canceled
false\tOperation canceled
stream truncated
`,
  );

  tls(
    'what a program leaves open at its end is closed, with a good-bye',
    `
    local c, s = pair()
    stream.write_all(c, 'x')
    print(stream.read_all(s, byte_span.new(1)))
    s:close()
  `,
    '1\n',
  );

  test('the folder of certificates is there', () => {
    certificates();
  });
}
