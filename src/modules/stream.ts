/**
 * `require 'stream'`: loops over `read_some` and `write_some` of any object that has them, ours or
 * Lua's, and the scanner.
 */
import { ByteSpan, spanOfString } from '../runtime/byte-span.ts';
import { call, suspendIn } from '../runtime/call.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { index } from '../runtime/ops.ts';
import { LuaTable } from '../runtime/table.ts';
import { first, type LuaValue, type Result, SUSPEND, Userdata } from '../runtime/value.ts';
import { luaModule } from './define.ts';
import { scanner } from './stream/scanner.ts';

/** Call `io:method(span)` until `least` bytes have gone through. @returns how many have */
function transfer(io: LuaValue, method: string, span: ByteSpan, least: number): Result {
  if (!(io instanceof LuaTable || io instanceof Userdata)) throw badArgument(1);
  const f = index(io, method);
  if (f === SUSPEND) return suspendIn((found) => goOn(io, first(found), span, 0, least));
  return goOn(io, f, span, 0, least);
}

function goOn(io: LuaValue, f: LuaValue, span: ByteSpan, done: number, least: number): Result {
  while (done < least) {
    const r = call(f, io, done === 0 ? span : span.part(done, span.length));
    if (r === SUSPEND) {
      const before = done;
      return suspendIn((count) =>
        goOn(io, f, span, before + checkCount(count, span, before), least),
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
  if (!(v instanceof ByteSpan)) throw badArgument(2);
  return v;
}

function atLeast(v: LuaValue, span: ByteSpan): number {
  if (typeof v !== 'number') throw badArgument(3);
  return Math.min(v, span.length);
}

export const stream = luaModule('stream', {
  read_all(io, buffer) {
    const span = checkSpan(buffer);
    return transfer(io, 'read_some', span, span.length);
  },
  read_at_least(io, buffer, least) {
    const span = checkSpan(buffer);
    return transfer(io, 'read_some', span, atLeast(least, span));
  },
  write_all(io, data) {
    const span = typeof data === 'string' ? spanOfString(data) : checkSpan(data);
    return transfer(io, 'write_some', span, span.length);
  },
  write_at_least(io, buffer, least) {
    const span = checkSpan(buffer);
    return transfer(io, 'write_some', span, atLeast(least, span));
  },
  scanner,
});
