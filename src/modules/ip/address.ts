/** `ip.address`: an IPv4 or IPv6 address as a value. */
import { Address } from '../../actors/ip-objects.ts';
import { IpAddress } from '../../io/address.ts';
import { addressFromText } from '../../io/address-text.ts';
import { checkInteger, checkUint32 } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import type { LuaValue, Result } from '../../runtime/value.ts';
import { luaType, unknownMember } from '../define.ts';

/** @returns undefined when the text is no address */
export function addressOfText(text: string): Address | undefined {
  const ip = addressFromText(text);
  return ip && new Address(ip);
}

/** An address, or its text (EINVAL when it is none). */
export function addressOrText(v: LuaValue, position: number): IpAddress {
  if (v instanceof Address) return v.ip;
  if (typeof v !== 'string') throw badArgument(position);
  const address = addressOfText(v);
  if (address === undefined) throw codeError('EINVAL');
  return address.ip;
}

export function checkAddress(v: LuaValue, position: number): IpAddress {
  if (!(v instanceof Address)) throw badArgument(position);
  return v.ip;
}

/** A number, of which 16 bits count. */
export function checkPort(v: LuaValue, position: number, fn: string): number {
  return checkInteger(v, position, fn) & 0xffff;
}

const address4 = (...bytes: number[]): Address =>
  new Address(new IpAddress(Uint8Array.from(bytes)));

function address6(last: number): Address {
  const bytes = new Uint8Array(16);
  bytes[15] = last;
  return new Address(new IpAddress(bytes));
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function isMapped(bytes: Uint8Array): boolean {
  return isZero(bytes.subarray(0, 10)) && bytes[10] === 0xff && bytes[11] === 0xff;
}

function isLoopback({ ip: { bytes } }: Address): boolean {
  if (bytes.length === 4) return bytes[0] === 127;
  return bytes[15] === 1 && isZero(bytes.subarray(0, 15));
}

/** <0, 0 or >0: IPv4 before IPv6, then the bytes, then the scope. */
function compare(a: IpAddress, b: IpAddress): number {
  if (a.family !== b.family) return a.family - b.family;
  for (let i = 0; i < a.bytes.length; i++) {
    if (a.bytes[i] !== b.bytes[i]) return a.bytes[i]! - b.bytes[i]!;
  }
  return a.scopeId - b.scopeId;
}

/** A property of IPv6 addresses only. */
function v6Only(get: (bytes: Uint8Array, self: Address) => Result): (self: Address) => Result {
  return (self) => {
    if (self.isV4) throw badArgument(1);
    return get(self.ip.bytes, self);
  };
}

/** Multicast with this scope. RFC 4291 §2.7 */
const multicast = (scope: number) =>
  v6Only((bytes) => bytes[0] === 0xff && (bytes[1]! & 0x0f) === scope);

luaType('ip.address', Address, {
  methods: {
    to_v6(self) {
      if (!self.isV4) throw badArgument(1);
      return self.toV6();
    },
    to_v4(self) {
      if (self.isV4) throw badArgument(1);
      if (!isMapped(self.ip.bytes)) throw codeError('EINVAL');
      return new Address(new IpAddress(self.ip.bytes.slice(12)));
    },
  },
  properties: {
    is_v4: (self) => self.isV4,
    is_v6: (self) => !self.isV4,
    is_loopback: isLoopback,
    is_multicast: ({ isV4, ip: { bytes } }) =>
      isV4 ? (bytes[0]! & 0xf0) === 0xe0 : bytes[0] === 0xff,
    is_unspecified: (self) => isZero(self.ip.bytes),
    is_link_local: v6Only((bytes) => bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80),
    is_site_local: v6Only((bytes) => bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0xc0),
    is_v4_mapped: v6Only(isMapped),
    is_multicast_node_local: multicast(0x1),
    is_multicast_link_local: multicast(0x2),
    is_multicast_site_local: multicast(0x5),
    is_multicast_org_local: multicast(0x8),
    is_multicast_global: multicast(0xe),
    scope_id: v6Only((_bytes, self) => self.ip.scopeId),
  },
  setters: {
    scope_id(self, value) {
      const scope = checkUint32(value, 3, 'scope_id');
      if (self.isV4) throw badArgument(1);
      self.ip.scopeId = scope;
    },
  },
  setIndex: unknownMember,
  tostring: (self) => self.toString(),
  equals: (a, b) => a instanceof Address && b instanceof Address && compare(a.ip, b.ip) === 0,
  less: (a, b) => compare(checkAddress(a, 1), checkAddress(b, 2)) < 0,
  lessEqual: (a, b) => compare(checkAddress(a, 1), checkAddress(b, 2)) <= 0,
});

export const addressModule = {
  new(text: LuaValue): Result {
    if (text === undefined) return address4(0, 0, 0, 0);
    if (typeof text !== 'string') throw badArgument(1);
    const address = addressOfText(text);
    if (address === undefined) throw codeError('EINVAL');
    return address;
  },
  any_v4: () => address4(0, 0, 0, 0),
  any_v6: () => address6(0),
  loopback_v4: () => address4(127, 0, 0, 1),
  loopback_v6: () => address6(1),
  broadcast_v4: () => address4(255, 255, 255, 255),
};
