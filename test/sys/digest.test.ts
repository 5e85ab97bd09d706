/** SHA-256 of native/digest.c gives what node:crypto gives. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { hmacSha256, randomBytes, sha256 } from '../../src/sys/digest.ts';
import { native, nativeAvailable } from '../../src/sys/native.ts';

const skip = nativeAvailable() ? false : 'the addon is not built';

const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31) & 255);
const INPUTS = [
  [],
  [bytes(0, 1)],
  [bytes(3, 1)],
  [bytes(64, 2), bytes(0, 3), bytes(1, 4)],
  [bytes(300_000, 5), bytes(77, 6).subarray(5, 60)],
];

test('digests are those of node:crypto', { skip }, () => {
  const key = bytes(32, 9);
  for (const parts of INPUTS) {
    const whole = Buffer.concat(parts);
    assert.deepEqual(Buffer.from(sha256(parts)), createHash('sha256').update(whole).digest());
    assert.deepEqual(
      Buffer.from(hmacSha256(key, parts)),
      createHmac('sha256', key).update(whole).digest(),
    );
  }
});

test('what is too short or no bytes is refused', { skip }, () => {
  const out = new Uint8Array(32);
  assert.throws(() => native().sha256([new Uint8Array(1)], new Uint8Array(31)), RangeError);
  assert.throws(() => native().sha256([{} as Uint8Array], out), TypeError);
  assert.throws(() => native().sha256({} as Uint8Array[], out), TypeError);
  assert.throws(() => native().sha256([new Uint16Array(4) as never], out), TypeError);
  assert.throws(() => hmacSha256(new Uint8Array(31), []), RangeError);
  assert.throws(() => native().random_bytes(new Uint8Array(7), 8), RangeError);
});

test('random bytes differ', { skip }, () => {
  const seen = new Set(Array.from({ length: 50 }, () => randomBytes(8).join()));
  assert.equal(seen.size, 50);
});
