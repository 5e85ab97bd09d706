/** SHA-256: EVP_DigestInit(3), EVP_MAC(3), and RAND_bytes(3) of the OpenSSL that is in Node. */
import { ok } from './errno.ts';
import { native } from './native.ts';

const LENGTH = 32;

/** @throws SysError  ENOMEM */
export function sha256(parts: readonly Uint8Array[]): Uint8Array {
  const digest = new Uint8Array(LENGTH);
  ok('sha256', native().sha256(parts, digest));
  return digest;
}

/** @param key  32 bytes @throws SysError  ENOMEM */
export function hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const digest = new Uint8Array(LENGTH);
  ok('hmac_sha256', native().hmac_sha256(key, parts, digest));
  return digest;
}

/** That nobody can guess. @throws SysError  EIO */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  ok('random_bytes', native().random_bytes(bytes, count));
  return bytes;
}
