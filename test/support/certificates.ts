/** Certificates of all kinds, good and bad, made by `openssl` in a folder of their own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeFailure } from '../../src/sys/native.ts';

function whyNot(): string | false {
  if (nativeFailure() !== undefined) return nativeFailure()!;
  return spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here';
}

/** Why tests that need certificates can't run; false: they can. */
export const noCertificates = whyNot();

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const LOCAL = 'subjectAltName=DNS:localhost,DNS:*.local.test,IP:127.0.0.1,IP:::1';

function makeAll(folder: string): void {
  const openssl = (...args: string[]): void => {
    const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${run.stderr}`);
  };
  const authority = (name: string): void =>
    openssl(
      ...['req', '-x509', ...EC, '-nodes', '-days', '30', '-subj', `/CN=${name}`],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
    );
  const issue = (
    name: string,
    extensions: string,
    { by = 'ca', key = EC, days = '30', digest = '-sha256' } = {},
  ): void => {
    writeFileSync(join(folder, 'extensions'), extensions);
    openssl(
      ...['req', ...key, '-nodes', '-subj', `/CN=${name}`],
      ...['-keyout', `${name}.key`, '-out', 'request'],
    );
    openssl(
      ...['x509', '-req', '-in', 'request', '-CA', `${by}.pem`, '-CAkey', `${by}.key`],
      ...['-days', days, digest, '-extfile', 'extensions', '-out', `${name}.pem`],
    );
  };
  authority('ca');
  authority('stranger');
  issue('server', LOCAL);
  issue('other', 'subjectAltName=DNS:other.example');
  issue('expired', LOCAL, { days: '-1' });
  issue('unknown', LOCAL, { by: 'stranger' });
  issue('usage', `${LOCAL}\nextendedKeyUsage=clientAuth`);
  issue('client', 'extendedKeyUsage=clientAuth');
  issue('weak_key', LOCAL, { key: ['-newkey', 'rsa:1024'] });
  issue('weak_signature', LOCAL, { digest: '-sha1' });
  issue('rsa', LOCAL, { key: ['-newkey', 'rsa:2048'] });
  issue('between', 'basicConstraints=critical,CA:TRUE');
  issue('leaf', LOCAL, { by: 'between' });
  issue('no_authority', LOCAL, { by: 'server' });
  openssl(
    ...['req', '-x509', ...EC, '-nodes', '-days', '30', '-subj', '/CN=self', '-addext', LOCAL],
    ...['-keyout', 'self.key', '-out', 'self.pem'],
  );
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  writeFileSync(join(folder, 'chain.pem'), text('leaf.pem') + text('between.pem'));
  writeFileSync(join(folder, 'chain.key'), text('leaf.key'));
  openssl('pkcs8', '-topk8', '-in', 'server.key', '-out', 'locked.key', '-passout', 'pass:secret');
  openssl('x509', '-in', 'server.pem', '-outform', 'der', '-out', 'server.der');
  openssl('pkey', '-in', 'server.key', '-outform', 'der', '-out', 'server.key.der');
  issue('revoked', LOCAL);
  const ca = ['database=index', 'certificate=ca.pem', 'private_key=ca.key', 'default_md=sha256'];
  writeFileSync(
    join(folder, 'ca.cnf'),
    ['[ca]', 'default_ca=ours', '[ours]', ...ca, 'default_crl_days=30\n'].join('\n'),
  );
  writeFileSync(join(folder, 'index'), '');
  openssl('ca', '-config', 'ca.cnf', '-revoke', 'revoked.pem');
  openssl('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'revocations.pem');
  openssl(
    'genpkey',
    '-genparam',
    '-algorithm',
    'DH',
    '-pkeyopt',
    'group:ffdhe2048',
    '-out',
    'dh.pem',
  );
}

let folder: string | undefined;

/** The folder: `ca.pem`, `server.pem`, `server.key` … of `makeAll`. Removed when the process ends. */
export function certificates(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'perilune-certificates-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    makeAll(made);
    folder = made;
  }
  return folder;
}

/** Lua in front of programs: contexts, and pairs of sockets that are connected. */
export const tlsSetup = (): string => `
  local tls, ip, stream = require 'tls', require 'ip', require 'stream'
  local ae, ge = require 'asio_error', require 'generic_error'
  local bytes = byte_span.append
  local path = require('filesystem').path.new
  local function at(name) return path('${certificates()}/' .. name) end
  local function server_context(name, method)
    local ctx = tls.context.new(method or 'tls_server')
    ctx:use_certificate_chain_file(at(name .. '.pem'))
    ctx:use_private_key_file(at(name .. '.key'), 'pem')
    return ctx
  end
  local function client_context(method)
    local ctx = tls.context.new(method or 'tls_client')
    ctx:load_verify_file(at('ca.pem'))
    return ctx
  end
  local function tcp_pair()
    local a = ip.tcp.listen('127.0.0.1:0')
    local f = spawn(function() return a:accept() end)
    local near = ip.tcp.dial('127.0.0.1:' .. a.local_port)
    local far = f:join()
    a:close()
    return near, far
  end
  -- Both ends after their handshakes, and what these raised.
  local function handshaken(cctx, sctx, host)
    local near, far = tcp_pair()
    local c, s = tls.socket.new(near, cctx), tls.socket.new(far, sctx)
    if host ~= false then c:set_server_name(host or 'localhost') end
    local f = spawn(function() return select(2, pcall(s.server_handshake, s)) end)
    local ok, e = pcall(c.client_handshake, c)
    if not ok then c:close() end
    return c, s, e, f:join()
  end
  local function pair(cctx, sctx, host)
    local c, s, e1, e2 = handshaken(cctx or client_context(), sctx or server_context('server'), host)
    if e1 or e2 then error(e1 or e2) end
    return c, s
  end
  local function raises(f, ...)
    local ok, e = pcall(f, ...)
    if ok then print('no error', e) elseif type(e) == 'string' then print(e) else print(e, e.category, e.arg, e.verify_error) end
  end
  local function close(...) for _, sock in ipairs{...} do sock:close() end end
`;
