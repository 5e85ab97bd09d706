/** The error categories of sockets and of name resolution, in the numbers of asio on POSIX. */
import { LuaError } from './error.ts';
import { categoryError, ErrorCategory, errorObject, isError } from './error-code.ts';
import type { LuaValue } from './value.ts';

/** [name, code, message] of one category. */
type Entry = readonly [name: string, code: number, message: string];

export const MISC: readonly Entry[] = [
  ['already_open', 1, 'Already open'],
  ['eof', 2, 'End of file'],
  ['not_found', 3, 'Element not found'],
  ['fd_set_failure', 4, "The descriptor does not fit into the select call's fd_set"],
];

/** h_errno. netdb.h */
export const NETDB: readonly Entry[] = [
  ['host_not_found', 1, 'Host not found (authoritative)'],
  ['host_not_found_try_again', 2, 'Host not found (non-authoritative), try again later'],
  ['no_recovery', 3, 'A non-recoverable error occurred during database lookup'],
  ['no_data', 4, 'The query is valid, but it does not have associated data'],
];

/** EAI_ of getaddrinfo(3). */
export const ADDRINFO: readonly Entry[] = [
  ['service_not_found', -8, 'Service not found'],
  ['socket_type_not_supported', -7, 'Socket type not supported'],
];

const describe =
  (entries: readonly Entry[], what: string) =>
  (code: number): string =>
    entries.find((entry) => entry[1] === code)?.[2] ?? `${what} error`;

export const miscCategory = new ErrorCategory('asio.misc', describe(MISC, 'asio.misc'));
export const netdbCategory = new ErrorCategory('asio.netdb', describe(NETDB, 'asio.netdb'));
export const addrinfoCategory = new ErrorCategory(
  'asio.addrinfo',
  describe(ADDRINFO, 'asio.addrinfo'),
);

const EOF_CODE = 2;

/** What streams raise at their end. */
export function endOfFile(): LuaError {
  return categoryError(miscCategory, EOF_CODE);
}

/** The same for another fiber that waits: `coreErrorThere` says more. */
export function endOfFileThere(): LuaError {
  return new LuaError(errorObject(miscCategory, EOF_CODE));
}

export const isEndOfFile = (v: LuaValue): boolean => isError(v, miscCategory, EOF_CODE);

export function alreadyOpen(): LuaError {
  return categoryError(miscCategory, 1);
}

export function notFound(): LuaError {
  return categoryError(miscCategory, 3);
}
