/** `tls.context`: what connections have alike: certificates, keys, whom to trust. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { FilePath } from '../../actors/modules.ts';
import { currentFiber } from '../../fibers/scheduler.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { call, drive } from '../../runtime/call.ts';
import { argTypeError, checkInt32, requireString } from '../../runtime/check.ts';
import { badArgument, categoryError, codeError } from '../../runtime/error-code.ts';
import { checkFlags } from '../../runtime/flags.ts';
import { LuaTable, rawGet, rawLength } from '../../runtime/table.ts';
import { first, type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { errnoNumber, SysError } from '../../sys/errno.ts';
import {
  CODE,
  type ContextHandle,
  newContext,
  openTls,
  PASSWORD_NEEDED,
  type Role,
  SSL_OP_ALL,
  SSL_OP_NO_COMPRESSION,
  SSL_OP_NO_SSLv3,
  SSL_OP_NO_TLSv1,
  SSL_OP_NO_TLSv1_1,
  SSL_OP_NO_TLSv1_2,
  SSL_OP_NO_TLSv1_3,
  SSL_VERIFY_CLIENT_ONCE,
  SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
  SSL_VERIFY_NONE,
  SSL_VERIFY_PEER,
  TLS1_1_VERSION,
  TLS1_2_VERSION,
  TLS1_3_VERSION,
  TLS1_VERSION,
  tlsStatus,
} from '../../sys/tls.ts';
import { luaType, unknownMember } from '../define.ts';
import { checked, sslCategory } from './errors.ts';

/** Names of protocols, each with the one version that it is; 0: all that there are. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  tlsv1: TLS1_VERSION,
  tlsv11: TLS1_1_VERSION,
  tlsv12: TLS1_2_VERSION,
  tlsv13: TLS1_3_VERSION,
  sslv23: 0,
  tls: 0,
};

/** As signed integers, which is what `bit.bor` makes of them. */
export const CONTEXT_FLAGS = {
  default_workarounds: SSL_OP_ALL | 0,
  no_compression: SSL_OP_NO_COMPRESSION,
  no_sslv2: 0,
  no_sslv3: SSL_OP_NO_SSLv3,
  no_tlsv1: SSL_OP_NO_TLSv1,
  no_tlsv1_1: SSL_OP_NO_TLSv1_1,
  no_tlsv1_2: SSL_OP_NO_TLSv1_2,
  no_tlsv1_3: SSL_OP_NO_TLSv1_3,
  single_dh_use: 0,
} as const;

/** The last two are of use together with `peer` only. */
const VERIFY_MODES = new Map<LuaValue, number>([
  ['none', SSL_VERIFY_NONE],
  ['peer', SSL_VERIFY_PEER],
  ['fail_if_no_peer_cert', SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT],
  ['client_once', SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE],
]);

export function checkVerifyMode(v: LuaValue): number {
  const mode = VERIFY_MODES.get(v);
  if (mode === undefined) throw badArgument(2);
  return mode;
}

/** What `set_verify_callback` has set: a host, or `false`: none is looked at. */
export type VerifyHost = string | false | undefined;

export function checkVerifyCallback(name: LuaValue, host: LuaValue): VerifyHost {
  const text = requireString(name, 2, 'set_verify_callback');
  if (text === 'any_host') return false;
  if (text !== 'host_name_verification') throw codeError('ENOTSUP');
  return requireString(host, 3, 'set_verify_callback');
}

export class Context extends Userdata {
  readonly handle: ContextHandle;
  /** undefined: nobody has said, and clients get the careful default. */
  verifyMode: number | undefined = undefined;
  verifyHost: VerifyHost = undefined;
  /** Somebody has said whom to trust. */
  hasAuthorities = false;
  passwordCallback: LuaValue = undefined;

  constructor(role: Role, version: number) {
    super();
    const handle = newContext(role, version, version);
    if (typeof handle === 'number') checked(handle);
    this.handle = handle as ContextHandle;
  }

  /** Trust whom the system trusts; where it has no list of them, whom Mozilla does, as Node has it. */
  trustDefaults(): void {
    this.hasAuthorities = true;
    checked(openTls().context_set_default_verify_paths(this.handle));
    if (process.env.SSL_CERT_FILE !== undefined || process.env.SSL_CERT_DIR !== undefined) return;
    if (hasSystemAuthorities()) return;
    const bundle = BUNDLES.find((file) => existsSync(file));
    const pem =
      bundle === undefined
        ? Buffer.from(process.getBuiltinModule('node:tls').rootCertificates.join('\n'), 'latin1')
        : readFileSync(bundle);
    checked(openTls().context_add_authorities(this.handle, pem));
  }
}

/** Where systems keep their list that don't keep it where OpenSSL, as Node builds it, looks. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** Whether there is what OpenSSL looks for: a file, or certificates named by hash. */
function hasSystemAuthorities(): boolean {
  if (existsSync('/etc/ssl/cert.pem')) return true;
  try {
    return readdirSync('/etc/ssl/certs').some((name) => /^[0-9a-f]{8}\.\d+$/.test(name));
  } catch {
    return false;
  }
}

export function checkContext(v: LuaValue, position: number): Context {
  if (!(v instanceof Context)) throw badArgument(position);
  return v;
}

export function newContextOf(method: LuaValue): Context {
  const match = typeof method === 'string' ? /^(\w+?)(?:_(client|server))?$/.exec(method) : null;
  const [, protocol = '', role = 'both'] = match ?? [];
  const known = protocol === 'sslv2' || protocol === 'sslv3';
  if (known) throw codeError('ENOTSUP'); // no OpenSSL has them any more
  if (!Object.hasOwn(PROTOCOLS, protocol)) throw badArgument(1);
  return new Context(role as Role, PROTOCOLS[protocol]!);
}

// ── arguments ──────────────────────────────────────────────────────────────────────────────────────

function checkData(v: LuaValue): Uint8Array {
  if (!(v instanceof ByteSpan)) throw badArgument(2);
  return v.view();
}

/** The text of a path; strings are as good. */
function checkPath(v: LuaValue): string {
  const path = v instanceof FilePath ? v.path : v;
  if (typeof path !== 'string') throw badArgument(2);
  if (path.includes('\0')) throw codeError('EINVAL');
  return path;
}

function fileBytes(v: LuaValue): Uint8Array {
  try {
    return readFileSync(Buffer.from(checkPath(v), 'latin1'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const errno = typeof code === 'string' ? errnoNumber(code) : undefined;
    throw errno === undefined ? error : new SysError('open', errno);
  }
}

/** 1: PEM, 0: DER */
function checkFormat(v: LuaValue): number {
  if (v !== 'pem' && v !== 'asn1') throw badArgument(3);
  return v === 'pem' ? 1 : 0;
}

/** The list as it is on the wire: RFC 7301 §3.1. */
function protocolList(v: LuaValue): Uint8Array {
  if (!(v instanceof LuaTable)) throw badArgument(2);
  let list = '';
  for (let i = 1; i <= rawLength(v); i++) {
    const name = rawGet(v, i);
    if (typeof name !== 'string' || name === '' || name.length > 255) throw badArgument(2);
    list += String.fromCharCode(name.length) + name;
  }
  if (list.length > 0xffff) throw badArgument(2);
  return Buffer.from(list, 'latin1');
}

// ── secrets ────────────────────────────────────────────────────────────────────────────────────────

/** PEM_R_BAD_PASSWORD_READ of ERR_LIB_PEM: openssl/pemerr.h */
const BAD_PASSWORD_READ = (9 << 23) | 104;

/** Call what needs a password perhaps, with the one that the callback gives. */
function withPassword(self: Context, use: (password: string | undefined) => number): Result {
  const result = use(undefined);
  if (result !== PASSWORD_NEEDED) return checked(result);
  const room = tlsStatus[CODE]!;
  const { passwordCallback } = self;
  if (passwordCallback === undefined) throw categoryError(sslCategory, BAD_PASSWORD_READ);
  return drive(askPassword(passwordCallback, room, use));
}

function* askPassword(
  callback: LuaValue,
  room: number,
  use: (password: string | undefined) => number,
): Generator<Result, Result, Result> {
  const fiber = currentFiber();
  const { suspendForbidden, inCallback } = fiber;
  fiber.suspendForbidden++;
  fiber.inCallback = true;
  let password: LuaValue;
  try {
    password = first(yield call(callback, room, 'for_reading'));
  } finally {
    fiber.suspendForbidden = suspendForbidden;
    fiber.inCallback = inCallback;
  }
  if (typeof password !== 'string') throw categoryError(sslCategory, BAD_PASSWORD_READ);
  return checked(use(password));
}

function useCertificate(self: Context, bytes: Uint8Array, pem: number): Result {
  return withPassword(self, (password) =>
    openTls().context_use_certificate(self.handle, bytes, password, pem),
  );
}

function useChain(self: Context, bytes: Uint8Array): Result {
  return withPassword(self, (password) =>
    openTls().context_use_certificate_chain(self.handle, bytes, password),
  );
}

function useKey(self: Context, bytes: Uint8Array, pem: number, rsa: boolean): Result {
  return withPassword(self, (password) =>
    openTls().context_use_private_key(self.handle, bytes, password, pem, rsa ? 1 : 0),
  );
}

function addAuthorities(self: Context, bytes: Uint8Array): Result {
  self.hasAuthorities = true;
  checked(openTls().context_add_authorities(self.handle, bytes));
  return NONE;
}

luaType('tls.context', Context, {
  methods: {
    add_certificate_authority: (self, data: LuaValue) => addAuthorities(self, checkData(data)),
    load_verify_file: (self, path: LuaValue) => addAuthorities(self, fileBytes(path)),
    add_verify_path(self, path: LuaValue) {
      self.hasAuthorities = true;
      return checked(openTls().context_add_verify_path(self.handle, checkPath(path)));
    },
    set_default_verify_paths(self) {
      self.trustDefaults();
      return NONE;
    },
    set_options(self, flags: LuaValue) {
      if (flags === undefined) throw badArgument(2);
      const set = checkFlags(flags, CONTEXT_FLAGS, 2);
      return checked(openTls().context_set_options(self.handle, set, 0));
    },
    clear_options(self, flags: LuaValue) {
      if (flags === undefined) throw badArgument(2);
      const clear = checkFlags(flags, CONTEXT_FLAGS, 2);
      return checked(openTls().context_set_options(self.handle, 0, clear));
    },
    set_password_callback(self, f: LuaValue) {
      if (typeof f !== 'function') argTypeError(f, 2, 'set_password_callback', 'function');
      self.passwordCallback = f;
      return NONE;
    },
    set_verify_callback(self, name: LuaValue, host: LuaValue) {
      self.verifyHost = checkVerifyCallback(name, host);
      return NONE;
    },
    set_verify_depth(self, depth: LuaValue) {
      const n = checkInt32(depth, 2, 'set_verify_depth');
      return checked(openTls().context_set_verify_depth(self.handle, n));
    },
    set_verify_mode(self, mode: LuaValue) {
      const bits = checkVerifyMode(mode);
      self.verifyMode = bits;
      return checked(openTls().context_set_verify(self.handle, bits));
    },
    use_certificate: (self, data: LuaValue, format: LuaValue) =>
      useCertificate(self, checkData(data), checkFormat(format)),
    use_certificate_file(self, path: LuaValue, format: LuaValue) {
      checkPath(path);
      const pem = checkFormat(format);
      return useCertificate(self, fileBytes(path), pem);
    },
    use_certificate_chain: (self, data: LuaValue) => useChain(self, checkData(data)),
    use_certificate_chain_file: (self, path: LuaValue) => useChain(self, fileBytes(path)),
    use_private_key: (self, data: LuaValue, format: LuaValue) =>
      useKey(self, checkData(data), checkFormat(format), false),
    use_private_key_file(self, path: LuaValue, format: LuaValue) {
      checkPath(path);
      const pem = checkFormat(format);
      return useKey(self, fileBytes(path), pem, false);
    },
    use_rsa_private_key: (self, data: LuaValue, format: LuaValue) =>
      useKey(self, checkData(data), checkFormat(format), true),
    use_rsa_private_key_file(self, path: LuaValue, format: LuaValue) {
      checkPath(path);
      const pem = checkFormat(format);
      return useKey(self, fileBytes(path), pem, true);
    },
    use_tmp_dh: (self, data: LuaValue) =>
      checked(openTls().context_use_tmp_dh(self.handle, checkData(data))),
    use_tmp_dh_file: (self, path: LuaValue) =>
      checked(openTls().context_use_tmp_dh(self.handle, fileBytes(path))),
    set_alpn_protocols: (self, names: LuaValue) =>
      checked(openTls().context_set_alpn(self.handle, protocolList(names))),
    add_server_name(self, name: LuaValue, context: LuaValue) {
      const text = requireString(name, 2, 'add_server_name');
      const other = checkContext(context, 3);
      if (text === '' || text.length > 255 || text.includes('\0')) throw badArgument(2);
      return checked(openTls().context_add_server_name(self.handle, text, other.handle));
    },
  },
  setIndex: unknownMember,
});
