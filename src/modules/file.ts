/** `require 'file'`: files that are read and written without holding up other fibers. */
import { construct } from '../actors/handle-object.ts';
import { OPEN_FLAGS } from '../io/openat.ts';
import { spanOfString } from '../runtime/byte-span.ts';
import { checkOffset } from '../runtime/check.ts';
import { atLeast, checkSpan, transfer } from '../runtime/transfer.ts';
import { luaModule } from './define.ts';
import { RandomAccess, Stream } from './file/objects.ts';

export const file = luaModule('file', {
  stream: { new: construct(Stream) },
  random_access: { new: construct(RandomAccess) },
  open_flag: OPEN_FLAGS,
  read_all_at(io, offset, buffer) {
    const at = checkOffset(offset, 2, 'read_all_at');
    const span = checkSpan(buffer, 3);
    return transfer(io, 'read_some_at', span, span.length, at);
  },
  read_at_least_at(io, offset, buffer, least) {
    const at = checkOffset(offset, 2, 'read_at_least_at');
    const span = checkSpan(buffer, 3);
    return transfer(io, 'read_some_at', span, atLeast(least, 4, span), at);
  },
  write_all_at(io, offset, data) {
    const at = checkOffset(offset, 2, 'write_all_at');
    const span = typeof data === 'string' ? spanOfString(data) : checkSpan(data, 3);
    return transfer(io, 'write_some_at', span, span.length, at);
  },
  write_at_least_at(io, offset, buffer, least) {
    const at = checkOffset(offset, 2, 'write_at_least_at');
    const span = checkSpan(buffer, 3);
    return transfer(io, 'write_some_at', span, atLeast(least, 4, span), at);
  },
});
