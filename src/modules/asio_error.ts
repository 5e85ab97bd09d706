/** `require 'asio_error'`: errors of sockets and name resolution, a new object on each access. */
import {
  ADDRINFO,
  addrinfoCategory,
  MISC,
  miscCategory,
  NETDB,
  netdbCategory,
} from '../runtime/asio-error.ts';
import { type ErrorCategory, errorObject, systemCategory } from '../runtime/error-code.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { errnoNumber } from '../sys/errno.ts';
import { luaType } from './define.ts';

/** asio's names for errnos. */
const BASIC = {
  access_denied: 'EACCES',
  address_family_not_supported: 'EAFNOSUPPORT',
  address_in_use: 'EADDRINUSE',
  already_connected: 'EISCONN',
  already_started: 'EALREADY',
  broken_pipe: 'EPIPE',
  connection_aborted: 'ECONNABORTED',
  connection_refused: 'ECONNREFUSED',
  connection_reset: 'ECONNRESET',
  bad_descriptor: 'EBADF',
  fault: 'EFAULT',
  host_unreachable: 'EHOSTUNREACH',
  in_progress: 'EINPROGRESS',
  interrupted: 'EINTR',
  invalid_argument: 'EINVAL',
  message_size: 'EMSGSIZE',
  name_too_long: 'ENAMETOOLONG',
  network_down: 'ENETDOWN',
  network_reset: 'ENETRESET',
  network_unreachable: 'ENETUNREACH',
  no_descriptors: 'EMFILE',
  no_buffer_space: 'ENOBUFS',
  no_memory: 'ENOMEM',
  no_permission: 'EPERM',
  no_protocol_option: 'ENOPROTOOPT',
  no_such_device: 'ENODEV',
  not_connected: 'ENOTCONN',
  not_socket: 'ENOTSOCK',
  operation_aborted: 'ECANCELED',
  operation_not_supported: 'EOPNOTSUPP',
  shut_down: 'ESHUTDOWN',
  timed_out: 'ETIMEDOUT',
  try_again: 'EAGAIN',
  would_block: 'EWOULDBLOCK',
} as const;

type Codes = readonly (readonly [name: string, code: number, ...unknown[]])[];

/** An object whose members are errors of one category. */
function errorsOf(name: string, category: ErrorCategory, codes: Codes): Userdata {
  class Errors extends Userdata {}
  const properties: Record<string, () => LuaValue> = {};
  for (const [error, code] of codes) properties[error] = () => errorObject(category, code);
  luaType(`asio_error.${name}`, Errors, { properties });
  return new Errors();
}

class AsioError extends Userdata {}

const basic = errorsOf(
  'basic',
  systemCategory,
  Object.entries(BASIC).map(([name, errno]) => [name, errnoNumber(errno)!] as const),
);
const netdb = errorsOf('netdb', netdbCategory, NETDB);
const addrinfo = errorsOf('addrinfo', addrinfoCategory, ADDRINFO);
const misc = errorsOf('misc', miscCategory, MISC);

luaType('asio_error', AsioError, {
  properties: {
    basic: () => basic,
    netdb: () => netdb,
    addrinfo: () => addrinfo,
    misc: () => misc,
  },
});

export const asioError = { name: 'asio_error', create: (): LuaValue => new AsioError() };
