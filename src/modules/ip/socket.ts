/** What `ip.tcp.acceptor`, `ip.tcp.socket` and `ip.udp.socket` do alike. */
import { begin, end, nothing } from '../../actors/fiber-io.ts';
import { checkFd, giveFd, newFd } from '../../actors/file-descriptor.ts';
import { Address, type ConnectedObject, type SocketObject } from '../../actors/ip-objects.ts';
import type { Family } from '../../io/address.ts';
import type { OptionKind, ShutdownType, WaitType } from '../../io/transport.ts';
import { alreadyOpen } from '../../runtime/asio-error.ts';
import { argTypeError, checkInt32, checkInteger, requireString } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { addressOrText, checkPort } from './address.ts';

export function checkFamily(v: LuaValue): Family {
  if (v === 'v4') return 4;
  if (v === 'v6') return 6;
  if (v instanceof Address) return v.ip.family;
  throw badArgument(2);
}

const WAIT_TYPES: readonly LuaValue[] = ['read', 'write', 'error'];

// ── options ────────────────────────────────────────────────────────────────────────────────────────

export type Options = Readonly<Partial<Record<string, OptionKind>>>;

/** @throws ENOTSUP  there is no such option */
export function optionKind(name: LuaValue, options: Options, fn: string): [string, OptionKind] {
  const text = requireString(name, 2, fn);
  const kind = options[text];
  if (kind === undefined) throw codeError('ENOTSUP');
  return [text, kind];
}

/** The value of an option as an integer. */
export function optionValue(kind: OptionKind, v: LuaValue): number {
  if (kind !== 'boolean') {
    if (kind !== 'byte') return checkInt32(v, 3, 'set_option');
    const value = checkInteger(v, 3, 'set_option');
    if (value < 0 || value > 255) throw codeError('ERANGE', { arg: 3 });
    return value;
  }
  if (typeof v !== 'boolean') argTypeError(v, 3, 'set_option', 'boolean');
  return v ? 1 : 0;
}

/** An option's value as Lua has it. */
export function optionResult(kind: OptionKind, value: number): Result {
  return kind === 'boolean' ? value !== 0 : value;
}

// ── methods and properties ─────────────────────────────────────────────────────────────────────────

function assign(self: SocketObject, family: LuaValue, fd: LuaValue): Result {
  checkFamily(family);
  checkFd(fd, 3);
  if (self.io.isOpen) throw alreadyOpen();
  giveFd(fd, 3, (number) => self.io.assign(number));
  return NONE;
}

function release(self: SocketObject): Result {
  return newFd(self.io.release());
}

export const socketMethods = {
  open(self: SocketObject, family: LuaValue): Result {
    const wanted = checkFamily(family);
    if (self.io.isOpen) throw alreadyOpen();
    self.io.open(wanted);
    return NONE;
  },
  bind(self: SocketObject, address: LuaValue, port: LuaValue): Result {
    self.io.bind(addressOrText(address, 2), checkPort(port, 3, 'bind'));
    return NONE;
  },
  close(self: SocketObject): Result {
    self.io.close();
    return NONE;
  },
  cancel(self: SocketObject): Result {
    self.io.cancel();
    return NONE;
  },
  assign,
  release,
};

export const waitMethod = {
  wait(self: SocketObject, type: LuaValue): Result {
    if (!WAIT_TYPES.includes(type)) throw badArgument(2);
    const op = begin();
    return end(op, self.io.wait(op, type as WaitType), nothing);
  },
};

export const connectedMethods = {
  ...socketMethods,
  disconnect(self: ConnectedObject): Result {
    self.io.disconnect();
    return NONE;
  },
  shutdown(self: ConnectedObject, what: LuaValue): Result {
    const text = requireString(what, 2, 'shutdown');
    if (!['receive', 'send', 'both'].includes(text)) throw badArgument(2);
    self.io.shutdown(text as ShutdownType);
    return NONE;
  },
  io_control(self: ConnectedObject, command: LuaValue): Result {
    if (requireString(command, 2, 'io_control') !== 'bytes_readable') throw codeError('ENOTSUP');
    return self.io.bytesReadable();
  },
};
