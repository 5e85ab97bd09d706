/** `require 'file'`: files that are read and written without holding up other fibers. */
import { construct } from '../actors/handle-object.ts';
import { ByteSpan, spanOfString } from '../runtime/byte-span.ts';
import { call, suspendIn } from '../runtime/call.ts';
import { checkInteger } from '../runtime/check.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { index } from '../runtime/ops.ts';
import { LuaTable } from '../runtime/table.ts';
import { first, type LuaValue, type Result, SUSPEND, Userdata } from '../runtime/value.ts';
import { luaModule } from './define.ts';
import { OPEN_FLAGS, RandomAccess, Stream } from './file/objects.ts';

/** Call `io:method(offset, span)` until `least` bytes have gone through. @returns how many have */
function transfer(
  io: LuaValue,
  method: string,
  offset: number,
  span: ByteSpan,
  least: number,
): Result {
  if (!(io instanceof LuaTable || io instanceof Userdata)) throw badArgument(1);
  const f = index(io, method);
  if (f === SUSPEND) return suspendIn((found) => goOn(io, first(found), offset, span, 0, least));
  return goOn(io, f, offset, span, 0, least);
}

function goOn(
  io: LuaValue,
  f: LuaValue,
  offset: number,
  span: ByteSpan,
  done: number,
  least: number,
): Result {
  while (done < least) {
    const r = call(f, io, offset + done, done === 0 ? span : span.part(done, span.length));
    if (r === SUSPEND) {
      const before = done;
      return suspendIn((count) =>
        goOn(io, f, offset, span, before + checkCount(count, span, before), least),
      );
    }
    done += checkCount(r, span, done);
  }
  return done;
}

/** What an object says to have read or written. */
function checkCount(result: Result, span: ByteSpan, done: number): number {
  const count = first(result);
  if (typeof count === 'number' && count >= 0 && done + count <= span.length) return count;
  throw codeError('EINVAL');
}

function checkSpan(v: LuaValue): ByteSpan {
  if (!(v instanceof ByteSpan)) throw badArgument(3);
  return v;
}

function atLeast(v: LuaValue, span: ByteSpan): number {
  if (typeof v !== 'number') throw badArgument(4);
  return Math.min(v, span.length);
}

export const file = luaModule('file', {
  stream: { new: construct(Stream) },
  random_access: { new: construct(RandomAccess) },
  open_flag: OPEN_FLAGS,
  read_all_at(io, offset, buffer) {
    const at = checkInteger(offset, 2, 'read_all_at');
    const span = checkSpan(buffer);
    return transfer(io, 'read_some_at', at, span, span.length);
  },
  read_at_least_at(io, offset, buffer, least) {
    const at = checkInteger(offset, 2, 'read_at_least_at');
    const span = checkSpan(buffer);
    return transfer(io, 'read_some_at', at, span, atLeast(least, span));
  },
  write_all_at(io, offset, data) {
    const at = checkInteger(offset, 2, 'write_all_at');
    const span = typeof data === 'string' ? spanOfString(data) : checkSpan(data);
    return transfer(io, 'write_some_at', at, span, span.length);
  },
  write_at_least_at(io, offset, buffer, least) {
    const at = checkInteger(offset, 2, 'write_at_least_at');
    const span = checkSpan(buffer);
    return transfer(io, 'write_some_at', at, span, atLeast(least, span));
  },
});
