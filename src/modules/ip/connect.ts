/** `ip.connect`: try endpoints one after the other, with anything that connects as a socket does. */
import { notFound } from '../../runtime/asio-error.ts';
import { call, drive } from '../../runtime/call.ts';
import { type LuaError, toLuaError } from '../../runtime/error.ts';
import { codeError } from '../../runtime/error-code.ts';
import { index } from '../../runtime/ops.ts';
import { LuaTable } from '../../runtime/table.ts';
import { first, isTrue, type LuaValue, type Result } from '../../runtime/value.ts';

export function connect(sock: LuaValue, endpoints: LuaValue, condition: LuaValue): Result {
  if (!(endpoints instanceof LuaTable)) throw codeError('EINVAL');
  if (condition !== undefined && typeof condition !== 'function') throw codeError('EINVAL');
  return drive(tryEach(sock, endpoints, condition));
}

function* tryEach(
  sock: LuaValue,
  endpoints: LuaTable,
  condition: LuaValue,
): Generator<Result, Result, Result> {
  let last: LuaError | undefined;
  for (let i = 1; ; i++) {
    const entry = first(yield index(endpoints, i));
    if (entry === undefined) break;
    const address = first(yield index(entry, 'address'));
    const port = first(yield index(entry, 'port'));
    if (condition !== undefined) {
      const wanted: Result = yield call(condition, last?.value, address, port);
      if (!isTrue(first(wanted))) continue;
    }
    try {
      const isOpen = first(yield index(sock, 'is_open'));
      if (isTrue(isOpen)) yield call(first(yield index(sock, 'close')), sock);
      yield call(first(yield index(sock, 'connect')), sock, address, port);
      return [address, port];
    } catch (error) {
      last = toLuaError(error);
    }
  }
  throw last ?? notFound();
}
