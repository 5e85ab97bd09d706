/** Addresses as text, with the names of interfaces as scopes where the system can tell them. */
import { nativeAvailable } from '../sys/native.ts';
import { interfaceIndex, interfaceName } from '../sys/socket.ts';
import { formatAddress, type IpAddress, parseAddress } from './address.ts';

export const addressText = (ip: IpAddress): string =>
  formatAddress(ip, nativeAvailable() ? interfaceName : undefined);

/** @returns undefined when the text is no address */
export const addressFromText = (text: string): IpAddress | undefined =>
  parseAddress(text, nativeAvailable() ? interfaceIndex : undefined);
