/** An address and a port, and the 24 bytes that they are for system calls (sys/socket.ts). */
import { ENDPOINT_SIZE } from '../sys/socket.ts';
import { IpAddress } from './address.ts';

export interface IpEndpoint {
  readonly address: IpAddress;
  /** 0 to 65535 */
  readonly port: number;
}

/** @returns `out`, filled in */
export function packEndpoint(
  address: IpAddress,
  port: number,
  out = new Uint8Array(ENDPOINT_SIZE),
): Uint8Array {
  out.fill(0);
  const scope = address.scopeId;
  for (let i = 0; i < 4; i++) out[i] = scope >>> (8 * i);
  out[4] = port;
  out[5] = port >>> 8;
  out[6] = address.family;
  out.set(address.bytes, 8);
  return out;
}

/** @returns undefined when it is of neither family: a socket that has no address yet, or a local one */
export function unpackEndpoint(from: Uint8Array): IpEndpoint | undefined {
  const family = from[6];
  if (family !== 4 && family !== 6) return undefined;
  const scope = (from[0]! | (from[1]! << 8) | (from[2]! << 16) | (from[3]! << 24)) >>> 0;
  const bytes = from.slice(8, family === 4 ? 12 : 24);
  return { address: new IpAddress(bytes, scope), port: from[4]! | (from[5]! << 8) };
}
