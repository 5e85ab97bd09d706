/** Questions and answers of libc_service as bytes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import {
  decodeQuestion,
  encodeFilters,
  encodeQuestion,
  encodeResult,
  MAX_QUESTION,
  type Question,
  USE_OWN,
} from '../../src/io/libc-service-protocol.ts';
import { randomQuestion, roundTrip } from '../fuzz/libc-service.ts';

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test('the layout, which native/libc-service/client.c has, too', () => {
  assert.equal(
    latin1(encodeQuestion({ call: 'mkdir', path: '/a', mode: 0o700 })),
    'PLSQ\x09\0\0\0s\x02\0\0\0/ai\xc0\x01\0\0\0\0\0\0',
  );
  assert.equal(
    latin1(encodeResult([-1, 2])),
    `PLSA\0\0\0\0i${'\xff'.repeat(8)}i\x02${'\0'.repeat(7)}`,
  );
  assert.equal(
    latin1(
      encodeResult([
        new Map<string, string | number>([
          ['type', 'fifo'],
          ['size', 1],
        ]),
      ]),
    ),
    `PLSA\0\0\0\0m\x02\0\0\0s\x04\0\0\0types\x04\0\0\0fifos\x04\0\0\0sizei\x01${'\0'.repeat(7)}`,
  );
  assert.equal(
    latin1(encodeResult([null, [1], true, false])),
    `PLSA\0\0\0\0nl\x01\0\0\0i\x01${'\0'.repeat(7)}tf`,
  );
  assert.equal(latin1(USE_OWN), 'PLSA\x01\0\0\0');
  assert.equal(latin1(encodeFilters(new Map([['stat', 'abc']]))), '\x05\x03\0\0\0abc');
});

test('bounds', () => {
  const asks = (q: Question): boolean => {
    const bytes = encodeQuestion(q);
    return decodeQuestion(bytes, bytes.length, 'fd' in q ? 2 : 1) !== undefined;
  };
  const path = 'p'.repeat(4095);
  assert.ok(asks({ call: 'rename', path, to: path }));
  assert.ok(encodeQuestion({ call: 'rename', path, to: path }).length <= MAX_QUESTION);
  for (const wrong of [`${path}p`, 'a\0b']) {
    assert.ok(!asks({ call: 'stat', path: wrong }));
    assert.ok(!asks({ call: 'rename', path, to: wrong }));
    assert.ok(!asks({ call: 'getaddrinfo', node: wrong, service: null, protocol: null }));
  }
  assert.ok(asks({ call: 'bind_unix', fd: 0, path: `\0${'a'.repeat(106)}\0` }));
  for (const wrong of ['', 'a\0', 'a'.repeat(109)])
    assert.ok(!asks({ call: 'bind_unix', fd: 0, path: wrong }));
  assert.ok(!asks({ call: 'mkdir', path, mode: -1 }));
  assert.ok(!asks({ call: 'mkdir', path, mode: 2 ** 32 }));
  const address = new Uint8Array(4);
  assert.ok(!asks({ call: 'bind_inet', fd: -1, address, port: 1 }));
  assert.ok(!asks({ call: 'bind_inet', fd: 1, address, port: 65536 }));
  assert.ok(!asks({ call: 'bind_inet', fd: 1, address: new Uint8Array(5), port: 1 }));
  const open = { call: 'openat', path, flags: 0, mode: 0 } as const;
  assert.ok(asks({ ...open, directory: -100, resolve: ['beneath', 'cached'] }));
  assert.ok(!asks({ ...open, directory: -100, resolve: ['cached', 'beneath'] }));
  assert.ok(!asks({ ...open, directory: -100, resolve: ['beneath', 'beneath'] }));
  assert.ok(!asks({ ...open, directory: -100, resolve: ['odd'] }));
  assert.ok(!asks({ ...open, directory: -5, resolve: [] }));
});

test('random questions come back, and what is changed is refused or means what it says', () => {
  const random = randomFrom(Number(process.env.PERILUNE_TEST_SEED ?? 7));
  for (let i = 0; i < 1500; i++) roundTrip(randomQuestion(random), random);
});
