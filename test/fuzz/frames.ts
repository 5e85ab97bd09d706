/**
 * Messages between processes: random ones must come back as they were, and bytes that were changed, cut or
 * made up must be refused or be exactly what the encoder would write for what they were read as.
 *
 *   node test/fuzz/frames.ts [seconds] [seed]
 */
import assert from 'node:assert/strict';
import {
  type Carried,
  decodeFrame,
  decodeScalar,
  encodeFrame,
  encodeScalar,
  type Frame,
  MAX_FRAME,
  MAX_MEMBERS,
  type Member,
} from '../../src/actors/frame.ts';
import { fuzz, pick, type Random } from './main.ts';

type Carrier = { readonly carries: Carried };

function text(random: Random, most: number): string {
  const length = random() < 0.1 ? most : pick(random, 12);
  let s = '';
  for (let i = 0; i < length; i++) s += String.fromCharCode(pick(random, 256));
  return s;
}

function value(random: Random): Member<Carrier>['value'] {
  switch (pick(random, 8)) {
    case 0:
      return random() < 0.5;
    case 1:
      return (random() - 0.5) * 2 ** pick(random, 1000);
    case 2:
      return [0, -0, Infinity, -Infinity, NaN, 5e-324, 2 ** 53][pick(random, 7)]!;
    case 3:
      return { carries: 'descriptor' };
    case 4:
      return { carries: 'address' };
    case 5:
      return { carries: 'directory' };
    default:
      return text(random, 255);
  }
}

export function randomFrame(random: Random): Frame<Carrier> {
  if (random() < 0.3) return { isTable: false, members: [{ key: '', value: value(random) }] };
  const keys = new Set<string>();
  const count = 1 + pick(random, MAX_MEMBERS);
  while (keys.size < count) keys.add(text(random, 255));
  return { isTable: true, members: [...keys].map((key) => ({ key, value: value(random) })) };
}

const out = new Uint8Array(MAX_FRAME);
const again = new Uint8Array(MAX_FRAME);

const carriers = ({ members }: Frame<Carrier>): number =>
  members.filter((m) => typeof m.value === 'object').length;

/** The short way takes what the long one takes, if it is one value and has no descriptor, and nothing else. */
function isTheSameAlone(bytes: Uint8Array, length: number): boolean {
  const frame = decodeFrame(bytes, length, 0);
  const value = frame === undefined || frame.isTable ? undefined : frame.members[0]!.value;
  return Object.is(decodeScalar(bytes, length), value);
}

/** What is accepted is what the encoder writes, but for the bits of a NaN. */
function isCanonical(bytes: Uint8Array, length: number, fds: number): boolean {
  if (!isTheSameAlone(bytes, length)) return false;
  const frame = decodeFrame(bytes, length, fds);
  if (frame === undefined) return true;
  if (encodeFrame(frame, again) !== length || carriers(frame) !== fds) return false;
  if (frame.members.some(({ value }) => typeof value === 'number' && value !== value)) return true;
  return Buffer.compare(again.subarray(0, length), bytes.subarray(0, length)) === 0;
}

export function roundTrip(frame: Frame<Carrier>, random: Random): void {
  const length = encodeFrame(frame, out)!;
  const fds = carriers(frame);
  const back = decodeFrame(out, length, fds)!;
  let index = 0;
  const expected = frame.members.map(({ key, value: v }) =>
    typeof v === 'object'
      ? { key, value: { carries: v.carries, index: index++ } }
      : { key, value: v },
  );
  assert.deepEqual(back, { isTable: frame.isTable, members: expected });
  const bytes = out.slice(0, length);
  const [first] = frame.members;
  if (!frame.isTable && first !== undefined && typeof first.value !== 'object') {
    assert.equal(encodeScalar(first.value, again), length);
    assert.deepEqual(again.subarray(0, length), bytes);
  }
  assert.ok(isTheSameAlone(bytes, length));
  for (let i = 0; i < 8; i++) {
    const changed = bytes.slice();
    for (let n = 1 + pick(random, 3); n > 0; n--) changed[pick(random, length)] = pick(random, 256);
    const cut = random() < 0.3 ? pick(random, length) : length;
    assert.ok(isCanonical(changed, cut, random() < 0.8 ? fds : pick(random, 21)));
  }
  const made = new Uint8Array(pick(random, 64));
  for (let i = 0; i < made.length; i++) made[i] = pick(random, random() < 0.5 ? 8 : 256);
  made.set([0x50, pick(random, 2), 1 + pick(random, 3), 0].slice(0, made.length));
  assert.ok(isCanonical(made, made.length, pick(random, 3)));
}

if (import.meta.main) fuzz('messages', (random) => roundTrip(randomFrame(random), random));
