/**
 * Questions of libc_service: random ones must come back as they were, and bytes that were changed, cut or made up must be refused or
 * be exactly what a slave would send for what they were read as.
 *
 *   node test/fuzz/libc-service.ts [seconds] [seed]
 */
import assert from 'node:assert/strict';
import {
  CALLS,
  decodeQuestion,
  descriptorsOf,
  encodeQuestion,
  type Question,
} from '../../src/io/libc-service-protocol.ts';
import { fuzz, pick, type Random } from './main.ts';

function text(random: Random, most: number, lowest = 1): string {
  const length = random() < 0.1 ? most : pick(random, Math.min(most, 20));
  let s = '';
  for (let i = 0; i < length; i++) s += String.fromCharCode(lowest + pick(random, 256 - lowest));
  return s;
}

const number = (random: Random): number =>
  [0, 1, 0o100, 0o2000000, 2 ** 31, 2 ** 32 - 1][pick(random, 6)]!;
const fd = (random: Random): number => [0, 3, 1024, 2 ** 31 - 1][pick(random, 4)]!;
const bytes = (random: Random, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => pick(random, 256));
const RESOLVE = ['beneath', 'in_root', 'no_magiclinks', 'no_symlinks', 'no_xdev', 'cached'];

export function randomQuestion(random: Random): Question {
  const call = CALLS[pick(random, CALLS.length)]!;
  const path = text(random, 4095);
  switch (call) {
    case 'open':
      return { call, path, flags: number(random), mode: number(random) };
    case 'openat': {
      const directory = random() < 0.3 ? -100 : fd(random);
      const resolve = RESOLVE.filter(() => random() < 0.4);
      return { call, directory, path, flags: number(random), mode: number(random), resolve };
    }
    case 'rename':
      return { call, path, to: text(random, 4095) };
    case 'access':
    case 'eaccess':
    case 'mkdir':
      return { call, path, mode: number(random) };
    case 'connect_unix':
    case 'bind_unix': {
      const name = random() < 0.5 ? `\0${text(random, 107, 0)}` : `/${text(random, 107)}`;
      return { call, fd: fd(random), path: name };
    }
    case 'connect_inet':
    case 'bind_inet':
      return { call, fd: fd(random), address: bytes(random, 4), port: pick(random, 65536) };
    case 'connect_inet6':
    case 'bind_inet6': {
      const address = bytes(random, 16);
      return { call, fd: fd(random), address, port: pick(random, 65536), scope: number(random) };
    }
    case 'getaddrinfo': {
      const service = random() < 0.5 ? null : text(random, 1023);
      const protocol = [null, 'tcp', 'udp'][pick(random, 3)]!;
      return { call, node: text(random, 1023), service, protocol };
    }
    default:
      return { call, path };
  }
}

/** What is accepted is what a slave would send, with as many descriptors. */
function isCanonical(data: Uint8Array, length: number, fds: number): boolean {
  const question = decodeQuestion(data, length, fds);
  if (question === undefined) return true;
  if (descriptorsOf(question) + 1 !== fds) return false;
  return Buffer.compare(encodeQuestion(question), data.subarray(0, length)) === 0;
}

export function roundTrip(question: Question, random: Random): void {
  const data = encodeQuestion(question);
  const fds = descriptorsOf(question) + 1;
  assert.deepEqual(decodeQuestion(data, data.length, fds), question);
  assert.equal(decodeQuestion(data, data.length, fds + 1), undefined);
  assert.equal(decodeQuestion(data, data.length, fds - 1), undefined);
  assert.equal(decodeQuestion(data, data.length - 1, fds), undefined);
  for (let i = 0; i < 12; i++) {
    const changed = data.slice();
    // Mostly where the sizes are.
    const within = random() < 0.7 ? Math.min(data.length, 32) : data.length;
    for (let n = 1 + pick(random, 3); n > 0; n--)
      changed[pick(random, within)] = pick(random, random() < 0.5 ? 8 : 256);
    const cut = random() < 0.3 ? pick(random, data.length) : data.length;
    assert.ok(isCanonical(changed, cut, random() < 0.8 ? fds : pick(random, 4)));
  }
  const made = new Uint8Array(pick(random, 64));
  const kinds = 'ntfislm';
  for (let i = 0; i < made.length; i++)
    made[i] = random() < 0.3 ? kinds.charCodeAt(pick(random, 7)) : pick(random, 8);
  made.set(Buffer.from('PLSQ').subarray(0, made.length));
  if (made.length > 8) made.set([1 + pick(random, 18), 0, 0, 0], 4);
  assert.ok(isCanonical(made, made.length, pick(random, 3)));
}

if (import.meta.main) fuzz('questions', (random) => roundTrip(randomQuestion(random), random));
