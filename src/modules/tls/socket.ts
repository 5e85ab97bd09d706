/** `tls.socket`: a TCP socket with TLS over it. */
import { begin, end, nothing, raise } from '../../actors/fiber-io.ts';
import { ConnectedObject, connectedProperties, TcpSocketObject } from '../../actors/ip-objects.ts';
import { currentVm } from '../../actors/vm.ts';
import { parseAddress } from '../../io/address.ts';
import { backend } from '../../io/backend.ts';
import { TlsSocket } from '../../io/tls.ts';
import { endOfFile } from '../../runtime/asio-error.ts';
import { ByteSpan } from '../../runtime/byte-span.ts';
import { checkInt32, requireString } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { type SessionHandle, SSL_VERIFY_NONE, SSL_VERIFY_PEER } from '../../sys/tls.ts';
import { luaType, unknownMember } from '../define.ts';
import {
  type Context,
  checkContext,
  checkVerifyCallback,
  checkVerifyMode,
  type VerifyHost,
} from './context.ts';
import { checked, tlsError } from './errors.ts';

/** `tls.session`: what a later connection can go on with. */
class Session extends Userdata {
  readonly handle: SessionHandle;
  constructor(handle: SessionHandle) {
    super();
    this.handle = handle;
  }
}

luaType('tls.session', Session, {
  setIndex: unknownMember,
});

export class TlsSocketObject extends ConnectedObject {
  readonly io: TlsSocket;
  /** The context's objects in the addon are counted; its settings are here. */
  readonly context: Context;
  serverName: string | undefined = undefined;
  verifyMode: number | undefined = undefined;
  verifyHost: VerifyHost = undefined;

  constructor(io: TlsSocket, context: Context) {
    super();
    this.io = io;
    this.context = context;
  }

  setServerName(name: string): void {
    // RFC 6066 §3: names only. Addresses are looked for in the certificate nevertheless.
    if (parseAddress(name) === undefined) checked(this.io.setServerName(name));
    this.serverName = name;
  }

  /** Whom to verify, for a client: unless the program has said otherwise, the peer and its name. */
  prepareClient(): void {
    const { context, io } = this;
    const host = this.verifyHost ?? context.verifyHost ?? this.serverName;
    let mode = this.verifyMode ?? context.verifyMode;
    if (mode === undefined) {
      mode = SSL_VERIFY_PEER;
      if (host === undefined) throw codeError('EINVAL', { arg: 'server_name' });
      if (!context.hasAuthorities) context.trustDefaults();
    }
    checked(io.setVerify(mode));
    if (typeof host === 'string') checked(io.setVerifyHost(host));
  }

  prepareServer(): void {
    checked(this.io.setVerify(this.verifyMode ?? this.context.verifyMode ?? SSL_VERIFY_NONE));
    const host = this.verifyHost ?? this.context.verifyHost;
    if (typeof host === 'string') checked(this.io.setVerifyHost(host));
  }

  handshake(isServer: boolean): Result {
    const op = begin();
    return end(op, this.io.handshake(op, isServer), done);
  }
}

/** A socket of `ip` becomes one of TLS. */
export function newSocket(sock: LuaValue, context: Context): TlsSocketObject {
  if (!(sock instanceof TcpSocketObject)) throw badArgument(1);
  const group = currentVm().io;
  const io = TlsSocket.over(sock.io, group, context.handle);
  if (typeof io === 'number') checked(io);
  sock.io = backend().tcpSocket(group); // a closed one
  return new TlsSocketObject(io as TlsSocket, context);
}

// ── results ────────────────────────────────────────────────────────────────────────────────────────

function fail(result: number, value: unknown): never {
  throw tlsError(result, value) ?? raise(result);
}

const done = (result: number, value: unknown): Result =>
  result >= 0 ? nothing(0) : fail(result, value);

const count = (result: number, value: unknown): Result =>
  result >= 0 ? result : fail(result, value);

function readCount(result: number, value: unknown): Result {
  if (result === 0) throw endOfFile();
  return count(result, value);
}

luaType('tls.socket', TlsSocketObject, {
  methods: {
    client_handshake(self) {
      if (self.io.isOpen) self.prepareClient();
      return self.handshake(false);
    },
    server_handshake(self) {
      if (self.io.isOpen) self.prepareServer();
      return self.handshake(true);
    },
    read_some(self, buffer: LuaValue) {
      if (!(buffer instanceof ByteSpan)) throw badArgument(2);
      const { bytes, offset, length } = buffer;
      const op = begin();
      return end(op, self.io.read(op, bytes, offset, length), length > 0 ? readCount : count);
    },
    write_some(self, buffer: LuaValue) {
      if (!(buffer instanceof ByteSpan)) throw badArgument(2);
      const { bytes, offset, length } = buffer;
      const op = begin();
      return end(op, self.io.write(op, bytes, offset, length), count);
    },
    shutdown(self) {
      const op = begin();
      return end(op, self.io.sayGoodbye(op), done);
    },
    close(self) {
      self.io.close();
      return NONE;
    },
    cancel(self) {
      self.io.cancel();
      return NONE;
    },
    set_server_name(self, host: LuaValue) {
      const name = requireString(host, 2, 'set_server_name');
      if (name === '' || name.length > 255 || name.includes('\0')) throw badArgument(2);
      self.setServerName(name);
      return NONE;
    },
    set_verify_callback(self, name: LuaValue, host: LuaValue) {
      self.verifyHost = checkVerifyCallback(name, host);
      return NONE;
    },
    set_verify_depth(self, depth: LuaValue) {
      return checked(self.io.setVerifyDepth(checkInt32(depth, 2, 'set_verify_depth')));
    },
    set_verify_mode(self, mode: LuaValue) {
      self.verifyMode = checkVerifyMode(mode);
      return NONE;
    },
    set_session(self, session: LuaValue) {
      if (!(session instanceof Session)) throw badArgument(2);
      return checked(self.io.setSession(session.handle));
    },
  },
  properties: {
    ...connectedProperties,
    protocol: (self) => self.io.text('protocol'),
    cipher: (self) => self.io.text('cipher'),
    alpn_protocol: (self) => self.io.text('alpn'),
    server_name: (self) => self.io.text('serverName'),
    peer_certificate: (self) => self.io.text('certificate'),
    session_reused: (self) => self.io.isResumed,
    session(self) {
      const handle = self.io.session;
      return handle && new Session(handle);
    },
  },
  setIndex: unknownMember,
});

/** `checkContext`, or the one that the VM makes at its first use. */
export function contextOr(v: LuaValue, position: number, makeDefault: () => Context): Context {
  return v === undefined ? makeDefault() : checkContext(v, position);
}
