/** An address and a port, and the 24 bytes that they are for system calls (sys/socket.ts). */
import { ENDPOINT_SIZE } from '../sys/socket.ts';
import { IpAddress } from './address.ts';

export interface IpEndpoint {
  readonly address: IpAddress;
  /** 0 to 65535 */
  readonly port: number;
}

/** @returns `out`, filled in. Byte by byte: `fill` and `set` cost more than all of this. */
export function packEndpoint(
  address: IpAddress,
  port: number,
  out = new Uint8Array(ENDPOINT_SIZE),
): Uint8Array {
  const { bytes, scopeId } = address;
  const { length } = bytes;
  for (let i = 0; i < 4; i++) out[i] = scopeId >>> (8 * i);
  out[4] = port;
  out[5] = port >>> 8;
  out[6] = address.family;
  out[7] = 0;
  for (let i = 0; i < 16; i++) out[8 + i] = i < length ? bytes[i]! : 0;
  return out;
}

/** @returns undefined when it is of neither family: a socket that has no address yet, or a local one */
export function unpackEndpoint(from: Uint8Array, at = 0): IpEndpoint | undefined {
  const family = from[at + 6];
  const port = from[at + 4]! | (from[at + 5]! << 8);
  if (family === 4) {
    const { address } = last4;
    const same = hasBytes(from, at + 8, address.bytes);
    if (same && port === last4.port) return last4;
    last4 = { address: same ? address : new IpAddress(from.slice(at + 8, at + 12)), port };
    return last4;
  }
  if (family !== 6) return undefined;
  const scope =
    (from[at]! | (from[at + 1]! << 8) | (from[at + 2]! << 16) | (from[at + 3]! << 24)) >>> 0;
  if (!hasBytes(from, at + 8, last6)) last6 = from.slice(at + 8, at + 24);
  return { address: new IpAddress(last6, scope), port };
}

/** Of IPv4 addresses nothing can be changed: the next one of the same peer is the last one. Others have a scope that can. */
let last4: IpEndpoint = { address: new IpAddress(new Uint8Array(4)), port: 0 };
/** Bytes of addresses never change. */
let last6: Uint8Array = new Uint8Array(16);

function hasBytes(from: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (from[at + i] !== bytes[i]) return false;
  return true;
}
