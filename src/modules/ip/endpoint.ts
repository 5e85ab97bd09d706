/** `host:port` in text, and the functions of `ip` that are about it. */

import type { Address } from '../../actors/ip-objects.ts';
import { checkInteger, requireString } from '../../runtime/check.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import type { LuaValue, Result } from '../../runtime/value.ts';
import { addressOfText, checkAddress } from './address.ts';

/** The parts of an endpoint in text, split at the last colon. */
export interface HostAndService {
  readonly host: string;
  readonly service: string;
  /** The host was in brackets. */
  readonly bracketed: boolean;
}

/** @throws EINVAL{arg=1}: no colon, nothing behind it, or colons in a host that is not in brackets */
export function splitEndpoint(text: string): HostAndService {
  const colon = text.lastIndexOf(':');
  if (colon < 0 || colon === text.length - 1) throw badArgument(1);
  const service = text.slice(colon + 1);
  const host = text.slice(0, colon);
  const bracketed = host.startsWith('[') && host.endsWith(']');
  if (bracketed) return { host: host.slice(1, -1), service, bracketed };
  if (/[:[\]]/.test(host)) throw badArgument(1);
  return { host, service, bracketed };
}

/**
 * A port in digits. undefined when it isn't all digits: perhaps the name of a service.
 * @throws EINVAL{arg=1}: a zero in front; ERANGE{arg=1}: above 65535
 */
export function parsePort(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  if (text.length > 1 && text.startsWith('0')) throw badArgument(1);
  const port = Number(text);
  if (port > 0xffff) throw codeError('ERANGE', { arg: 1 });
  return port;
}

/** `ip.toendpoint` */
export function toEndpoint(text: LuaValue): Result {
  const { host, service, bracketed } = splitEndpoint(requireString(text, 1, 'toendpoint'));
  const port = parsePort(service);
  if (port === undefined) throw badArgument(1);
  const address = addressOfText(host);
  if (address === undefined) throw codeError('EINVAL');
  if (bracketed === address.isV4) throw badArgument(1);
  return [address, port];
}

/** `ip.tostring` */
export function endpointToString(...args: LuaValue[]): Result {
  const [address, port] = args;
  checkAddress(address, 1);
  if (args.length > 2) throw badArgument(3);
  const text = String(address as Address);
  if (args.length === 1) return text;
  const number = checkInteger(port, 2, 'tostring') & 0xffff;
  return (address as Address).isV4 ? `${text}:${number}` : `[${text}]:${number}`;
}
