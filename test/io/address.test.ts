import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '../../src/io/address.ts';

/** [what is read, how inet_ntop(3) writes it] */
const GOOD = [
  ['0.0.0.0', '0.0.0.0'],
  ['127.0.0.1', '127.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['::ffff:0102:0304', '::ffff:1.2.3.4'],
  ['::1.2.3.4', '::1.2.3.4'],
  ['::102:304', '::1.2.3.4'],
  ['::1:0', '::0.1.0.0'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ['2001:DB8::A:0:0:1', '2001:db8::a:0:0:1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['1:0:0:4:5:0:0:0', '1:0:0:4:5::'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ['::ffff:0:1.2.3.4', '::ffff:0:102:304'],
] as const;

const BAD = [
  '',
  '1',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.',
  '.1.2.3.4',
  '1..2.3',
  '1.2.3.-4',
  '1.2.3.4 ',
  ' 1.2.3.4',
  '0x1.2.3.4',
  '1.2.3.1e1',
  '1.2.3.4\n',
  '1.2.3.4%1',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8',
  '12345::',
  '::g',
  ':1::2',
  '1::2:',
  '::1.2.3',
  '::1.2.3.4:5',
  '1.2.3.4::',
  '::01.2.3.4',
  '1:2:3:4:5:6:7:1.2.3.4',
  '[::1]',
  '::1%',
  '::1%lo',
  '::1%-1',
  '::1%4294967296',
  'fe80::1%none',
] as const;

test('good addresses are read, and written as inet_ntop does', () => {
  for (const [text, canonical] of GOOD) {
    const address = parseAddress(text);
    assert.ok(address, text);
    assert.equal(formatAddress(address), canonical);
    assert.deepEqual(parseAddress(canonical), address);
  }
});

test('bad addresses are undefined', () => {
  for (const text of BAD) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

test('scopes are numbers, or names; they are written as names where they are link-local', () => {
  const indexOf = (name: string) => (name === 'eth0' ? 3 : 0);
  const nameOf = (index: number) => (index === 3 ? 'eth0' : undefined);
  assert.equal(parseAddress('::1%7')!.scopeId, 7);
  assert.equal(formatAddress(parseAddress('::1%7')!, nameOf), '::1%7');
  const named = parseAddress('fe80::1%eth0', indexOf)!;
  assert.equal(named.scopeId, 3);
  assert.equal(formatAddress(named, nameOf), 'fe80::1%eth0');
  assert.equal(formatAddress(named), 'fe80::1%3');
  assert.equal(parseAddress('ff02::1%eth0', indexOf)!.scopeId, 3);
  assert.equal(formatAddress(parseAddress('::1%eth0', indexOf)!, nameOf), '::1%3');
  assert.equal(parseAddress('2001::1%eth1', indexOf), undefined);
  // An interface whose name is a number.
  assert.equal(parseAddress('fe80::1%7', () => 3)!.scopeId, 3);
  assert.equal(parseAddress('::1%7', () => 3)!.scopeId, 7);
});

test('random text: the same addresses as Node takes', () => {
  let state = 12345;
  const random = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const parts = ['::', ':', '.', '0', '1', 'ff', 'abcd', '255', '256', '1.2.3.4', '00', 'g'];
  for (let i = 0; i < 30_000; i++) {
    let text = '';
    for (let n = 1 + random(12); n > 0; n--) text += parts[random(parts.length)];
    const address = parseAddress(text);
    assert.equal(address?.family === 4, isIPv4(text), text);
    assert.equal(address?.family === 6, isIPv6(text), text);
    if (address) assert.deepEqual(parseAddress(formatAddress(address)), address);
  }
});

test('random bytes come back from their text', () => {
  for (let i = 0; i < 2000; i++) {
    const groups = Array.from({ length: 8 }, () =>
      Math.random() < 0.6 ? 0 : Math.floor(Math.random() * 65536),
    );
    const text = groups.map((group) => group.toString(16)).join(':');
    const address = parseAddress(text)!;
    const short = formatAddress(address);
    assert.deepEqual(parseAddress(short), address, short);
  }
});
