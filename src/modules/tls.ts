/** `require 'tls'`: TLS over sockets of `ip`, by the OpenSSL that Node carries. */

import type { TcpSocketObject } from '../actors/ip-objects.ts';
import type { Vm } from '../actors/vm.ts';
import { call, drive } from '../runtime/call.ts';
import { requireString } from '../runtime/check.ts';
import { errorObject } from '../runtime/error-code.ts';
import { type LuaTable, rawGetString } from '../runtime/table.ts';
import { first, type LuaValue, type Result, Userdata } from '../runtime/value.ts';
import { fill, luaType } from './define.ts';
import { CONTEXT_FLAGS, type Context, newContextOf } from './tls/context.ts';
import { STREAM_ERRORS, sslStreamCategory } from './tls/errors.ts';
import { contextOr, newSocket } from './tls/socket.ts';

/** `tls.error`: a new object on each access, as those of `asio_error`. */
class TlsErrors extends Userdata {}

luaType('tls.error', TlsErrors, {
  properties: Object.fromEntries(
    Object.entries(STREAM_ERRORS).map(([name, code]) => [
      name,
      () => errorObject(sslStreamCategory, code),
    ]),
  ),
});

/** What an endpoint in text calls the other side: `splitEndpoint` of `ip` has checked it. */
const hostOf = (ep: string): string =>
  ep.slice(0, ep.lastIndexOf(':')).replace(/^\[([^%\]]*).*$/, '$1');

function* dial(dialTcp: LuaValue, ep: string, context: Context): Generator<Result, Result, Result> {
  const tcp = first(yield call(dialTcp, ep)) as TcpSocketObject;
  const socket = newSocket(tcp, context);
  try {
    socket.setServerName(hostOf(ep));
    socket.prepareClient();
    yield socket.handshake(false);
  } catch (error) {
    socket.io.close();
    throw error;
  }
  return socket;
}

export const tls = {
  name: 'tls',
  create(vm: Vm): LuaValue {
    const ip = vm.core('ip') as LuaTable; // and with it the methods of its objects
    const dialTcp = rawGetString(rawGetString(ip, 'tcp') as LuaTable, 'dial');
    let shared: Context | undefined;
    const defaultContext = (): Context => {
      shared ??= newContextOf('tls');
      return shared;
    };
    return fill({
      context: { new: newContextOf },
      context_flag: CONTEXT_FLAGS,
      socket: {
        new: (sock: LuaValue, context: LuaValue) =>
          newSocket(sock, contextOr(context, 2, defaultContext)),
      },
      dial(ep: LuaValue, context: LuaValue) {
        const text = requireString(ep, 1, 'dial');
        return drive(dial(dialTcp, text, contextOr(context, 2, defaultContext)));
      },
      error: new TlsErrors(),
    });
  },
};
