/**
 * `require 'stream'`: loops over `read_some` and `write_some` of any object that has them, ours or
 * Lua's, and the scanner.
 */
import { spanOfString } from '../runtime/byte-span.ts';
import { atLeast, checkSpan, transfer } from '../runtime/transfer.ts';
import { luaModule } from './define.ts';
import { scanner } from './stream/scanner.ts';

export const stream = luaModule('stream', {
  read_all(io, buffer) {
    const span = checkSpan(buffer, 2);
    return transfer(io, 'read_some', span, span.length);
  },
  read_at_least(io, buffer, least) {
    const span = checkSpan(buffer, 2);
    return transfer(io, 'read_some', span, atLeast(least, 3, span));
  },
  write_all(io, data) {
    const span = typeof data === 'string' ? spanOfString(data) : checkSpan(data, 2);
    return transfer(io, 'write_some', span, span.length);
  },
  write_at_least(io, buffer, least) {
    const span = checkSpan(buffer, 2);
    return transfer(io, 'write_some', span, atLeast(least, 3, span));
  },
  scanner,
});
