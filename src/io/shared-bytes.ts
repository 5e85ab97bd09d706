/** Memory that threads share, for copies. */
import { aliasOf } from '../sys/v8.ts';

/**
 * The bytes of a shared buffer as V8's own kind of memory: what it copies from and to a shared one takes ten times as
 * long, since it copies each word as if others wrote it at that time. That nobody does is the caller's business.
 */
export function asUnshared(shared: SharedArrayBuffer): Uint8Array {
  const bytes = new Uint8Array(shared);
  const alias = aliasOf(bytes);
  return alias === undefined ? bytes : new Uint8Array(alias);
}
