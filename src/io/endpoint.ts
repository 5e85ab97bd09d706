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
  if (family !== 4 && family !== 6) return undefined;
  const scope =
    (from[at]! | (from[at + 1]! << 8) | (from[at + 2]! << 16) | (from[at + 3]! << 24)) >>> 0;
  const bytes = addressBytes(from, at + 8, family === 4 ? last4 : last6);
  if (family === 4) last4 = bytes;
  else last6 = bytes;
  return { address: new IpAddress(bytes, scope), port: from[at + 4]! | (from[at + 5]! << 8) };
}

/** Bytes of addresses never change, so the next one from the same peer has those of the last. */
let last4: Uint8Array = new Uint8Array(4);
let last6: Uint8Array = new Uint8Array(16);

function addressBytes(from: Uint8Array, at: number, last: Uint8Array): Uint8Array {
  const { length } = last;
  for (let i = 0; i < length; i++) {
    if (from[at + i] !== last[i]) return from.slice(at, at + length);
  }
  return last;
}
