/** Messages between processes as bytes: there and back, and bytes that are none. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type Carried,
  decodeFrame,
  encodeFrame,
  encodeScalar,
  type Frame,
  MAX_BYTES,
  MAX_FRAME,
  MAX_MEMBERS,
  type Member,
} from '../../src/actors/frame.ts';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import { randomFrame, roundTrip } from '../fuzz/frames.ts';

type Carrier = { carries: Carried };
const out = new Uint8Array(MAX_FRAME);

function encode(frame: Frame<Carrier>): Uint8Array {
  return out.slice(0, encodeFrame(frame, out)!);
}

const single = (value: Member<Carrier>['value']): Frame<Carrier> => ({
  isTable: false,
  members: [{ key: '', value }],
});

test('the layout', () => {
  const frame: Frame<Carrier> = {
    isTable: true,
    members: [
      { key: 'ab', value: 1.5 },
      { key: '', value: 'x\xff' },
      { key: 'f', value: { carries: 'descriptor' } },
      { key: 'a', value: { carries: 'address' } },
      { key: 'd', value: { carries: 'directory' } },
      { key: 't', value: true },
    ],
  };
  assert.equal(
    Buffer.from(encode(frame)).toString('hex'),
    `${'50010600'}${'020208'}6162${'000000000000f83f'}${'030002'}78ff${'040100'}66${'050100'}61${'060100'}64${'010100'}74`,
  );
});

test('limits', () => {
  const members = (n: number): Member<Carrier>[] =>
    Array.from({ length: n }, (_, i) => ({
      key: `${i}`.padStart(MAX_BYTES, 'k'),
      value: 'v'.repeat(MAX_BYTES),
    }));
  assert.equal(encodeFrame({ isTable: true, members: members(MAX_MEMBERS) }, out), MAX_FRAME);
  assert.equal(encodeFrame({ isTable: true, members: members(MAX_MEMBERS + 1) }, out), undefined);
  assert.equal(encodeFrame({ isTable: true, members: [] }, out), undefined);
  for (const n of [MAX_BYTES, MAX_BYTES + 1]) {
    const text = 'v'.repeat(n);
    const length = n > MAX_BYTES ? undefined : 4 + 3 + n;
    assert.equal(encodeFrame(single(text), out), length);
    assert.equal(encodeScalar(text, out), length);
  }
});

test('any change of the length, and any other count of descriptors, is no message', () => {
  const bytes = encode({
    isTable: true,
    members: [
      { key: 'fd', value: { carries: 'descriptor' } },
      { key: 'text', value: 'text' },
    ],
  });
  assert.ok(decodeFrame(bytes, bytes.length, 1));
  for (const fds of [0, 2, 20]) assert.equal(decodeFrame(bytes, bytes.length, fds), undefined);
  for (let n = 0; n < bytes.length; n++) assert.equal(decodeFrame(bytes, n, 1), undefined);
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assert.equal(decodeFrame(longer, longer.length, 1), undefined);
  assert.equal(decodeFrame(bytes, bytes.length + 1, 1), undefined);
});

test('no key twice, no key of a single value, no unknown kind, no table without members', () => {
  const none: Record<string, string> = {
    'a key twice': '50010200' + '000161'.slice(0, 0) + '00010061' + '00010061',
    'a key of a single value': '5000010000010061',
    'two single values': '50000200000000000000',
    'no value': '50000000',
    'no members': '50010000',
    'another form': '50020100000000',
    'another magic': '51000100000000',
    'a reserved byte': '50000101000000',
    'an unknown kind': '50000100070000',
    'a boolean with bytes': '5000010000000100',
    'a short number': '50000100020007' + '00'.repeat(7),
    'a descriptor with bytes': '5000010004000100',
    'a directory with bytes': '5000010006000100',
  };
  for (const [what, hex] of Object.entries(none)) {
    const bytes = Buffer.from(hex, 'hex');
    assert.equal(decodeFrame(bytes, bytes.length, 0), undefined, what);
    assert.equal(decodeFrame(bytes, bytes.length, 1), undefined, what);
  }
  const good = Buffer.from('50010200' + '00010061' + '00010062', 'hex');
  assert.ok(decodeFrame(good, good.length, 0));
});

test('there is one NaN', () => {
  const bytes = Buffer.from('50000100020008' + 'efbeaddeefbef4ff', 'hex');
  const { value } = decodeFrame(bytes, bytes.length, 0)!.members[0]!;
  assert.deepEqual(new Float64Array([value as number]), new Float64Array([NaN]));
});

test('what random tables become, and random bytes', () => {
  const random = randomFrom(7);
  for (let i = 0; i < 3000; i++) roundTrip(randomFrame(random), random);
});
