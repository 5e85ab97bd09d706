/**
 * OpenSSL as Node carries it, on a descriptor: native/tls.c says how it works. Loaded when it is first
 * used. Results that are numbers are ≥ 0, -errno, FAILED, TRUNCATED or PASSWORD_NEEDED.
 */
import { ENOSYS, SysError } from './errno.ts';
import { type Fd, native, nativeAvailable } from './native.ts';

/** OpenSSL says no: `tlsStatus[CODE]` is its code, `tlsStatus[VERIFY]` an X509_V_. */
export const FAILED = -8192;
/** The peer has ended the connection without saying so first. */
export const TRUNCATED = -8193;
/** A key is encrypted: `tlsStatus[CODE]` is the most bytes that a password may have. */
export const PASSWORD_NEEDED = -8194;

export const CODE = 0;
export const VERIFY = 1;
/** After a call on a connection: bytes that the kernel hasn't taken. */
export const UNSENT = 2;
/** After a call on a connection: 1 when nothing more can be read before the next event. */
export const DRAINED = 3;
export const tlsStatus = new Float64Array(4);

export const SSL_VERIFY_NONE = 0;
export const SSL_VERIFY_PEER = 1;
export const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
export const SSL_VERIFY_CLIENT_ONCE = 4;

/** The low 32 bits of SSL_OP_. */
export const SSL_OP_ALL = 0x80000850;
export const SSL_OP_NO_COMPRESSION = 0x00020000;
export const SSL_OP_NO_SSLv3 = 0x02000000;
export const SSL_OP_NO_TLSv1 = 0x04000000;
export const SSL_OP_NO_TLSv1_2 = 0x08000000;
export const SSL_OP_NO_TLSv1_1 = 0x10000000;
export const SSL_OP_NO_TLSv1_3 = 0x20000000;

export const TLS1_VERSION = 0x0301;
export const TLS1_1_VERSION = 0x0302;
export const TLS1_2_VERSION = 0x0303;
export const TLS1_3_VERSION = 0x0304;

export type Role = 'both' | 'client' | 'server';
const ROLES: readonly Role[] = ['both', 'client', 'server'];

/** Objects of the addon, freed when they are collected. */
export type ContextHandle = { readonly kind: 'context' };
export type ConnectionHandle = { readonly kind: 'connection' };
export type SessionHandle = { readonly kind: 'session' };

/** What `connection_text` can tell. */
export const TEXTS = ['protocol', 'cipher', 'alpn', 'serverName', 'certificate'] as const;
export type Text = (typeof TEXTS)[number];

interface TlsFunctions {
  context_new(role: number, least: number, most: number): ContextHandle | number;
  context_set_options(context: ContextHandle, set: number, clear: number): number;
  context_set_verify(context: ContextHandle, mode: number): number;
  context_set_verify_depth(context: ContextHandle, depth: number): number;
  context_add_authorities(context: ContextHandle, pem: Uint8Array): number;
  context_add_verify_path(context: ContextHandle, path: string): number;
  context_set_default_verify_paths(context: ContextHandle): number;
  context_use_certificate(
    context: ContextHandle,
    bytes: Uint8Array,
    password: string | undefined,
    pem: number,
  ): number;
  context_use_certificate_chain(
    context: ContextHandle,
    pem: Uint8Array,
    password: string | undefined,
  ): number;
  context_use_private_key(
    context: ContextHandle,
    bytes: Uint8Array,
    password: string | undefined,
    pem: number,
    rsa: number,
  ): number;
  context_use_tmp_dh(context: ContextHandle, pem: Uint8Array): number;
  context_set_alpn(context: ContextHandle, list: Uint8Array): number;
  context_add_server_name(context: ContextHandle, name: string, other: ContextHandle): number;
  connection_new(context: ContextHandle, fd: Fd): ConnectionHandle | number;
  connection_close(connection: ConnectionHandle): number;
  connection_set_server_name(connection: ConnectionHandle, name: string): number;
  connection_set_verify(connection: ConnectionHandle, mode: number): number;
  connection_set_verify_depth(connection: ConnectionHandle, depth: number): number;
  connection_set_verify_host(connection: ConnectionHandle, host: string): number;
  connection_get_session(connection: ConnectionHandle): SessionHandle | number;
  connection_set_session(connection: ConnectionHandle, session: SessionHandle): number;
  connection_handshake(connection: ConnectionHandle, server: number): number;
  connection_read(
    connection: ConnectionHandle,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number;
  connection_write(
    connection: ConnectionHandle,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number;
  connection_flush(connection: ConnectionHandle): number;
  connection_shutdown(connection: ConnectionHandle): number;
  connection_text(connection: ConnectionHandle, what: number): string | undefined;
  connection_resumed(connection: ConnectionHandle): number;
  error_text(code: number): string;
  verify_text(code: number): string;
}

let functions: TlsFunctions | undefined;

/** @throws SysError  ENOSYS: this Node exports no OpenSSL of the version that the addon is for */
export function openTls(): TlsFunctions {
  if (functions !== undefined) return functions;
  if (!nativeAvailable()) throw new SysError('tls_open', ENOSYS);
  const result = native().tls_open(tlsStatus);
  if (typeof result === 'number') throw new SysError('tls_open', -result);
  functions = result as TlsFunctions;
  return functions;
}

/** @param least, most  TLS1_ versions; 0: any. @throws SysError, or the result of OpenSSL as a number */
export function newContext(role: Role, least: number, most: number): ContextHandle | number {
  return openTls().context_new(ROLES.indexOf(role), least, most);
}

export const connectionText = (connection: ConnectionHandle, what: Text): string | undefined =>
  openTls().connection_text(connection, TEXTS.indexOf(what));
