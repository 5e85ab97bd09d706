/** Loops over `read_some`, `write_some` and their like of any object that has them, ours or Lua's. */
import { ByteSpan } from './byte-span.ts';
import { call, suspendIn } from './call.ts';
import { badArgument, codeError } from './error-code.ts';
import { index } from './ops.ts';
import { LuaTable } from './table.ts';
import { first, isSuspend, type LuaValue, type Result, SUSPEND, Userdata } from './value.ts';

/**
 * Call `io:method(span)` until `least` bytes have gone through.
 * @param offset  of a file: `io:method(offset, span)`, and it moves on
 * @returns how many have
 */
export function transfer(
  io: LuaValue,
  method: string,
  span: ByteSpan,
  least: number,
  offset?: number,
): Result {
  if (!(io instanceof LuaTable || io instanceof Userdata)) throw badArgument(1);
  const f = index(io, method);
  if (f === SUSPEND) return suspendIn((found) => goOn(io, first(found), span, 0, least, offset));
  return goOn(io, f, span, 0, least, offset);
}

function goOn(
  io: LuaValue,
  f: LuaValue,
  span: ByteSpan,
  done: number,
  least: number,
  offset: number | undefined,
): Result {
  while (done < least) {
    const rest = done === 0 ? span : span.part(done, span.length);
    const r = offset === undefined ? call(f, io, rest) : call(f, io, offset + done, rest);
    if (isSuspend(r)) {
      const before = done;
      return suspendIn((count) =>
        goOn(io, f, span, before + checkCount(count, span, before), least, offset),
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

export function checkSpan(v: LuaValue, position: number): ByteSpan {
  if (!(v instanceof ByteSpan)) throw badArgument(position);
  return v;
}

/** The least number of bytes that is asked for: no more than there is room for. */
export function atLeast(v: LuaValue, position: number, span: ByteSpan): number {
  if (typeof v !== 'number' || !(v > -1)) throw badArgument(position);
  return Math.min(Math.trunc(v), span.length);
}
