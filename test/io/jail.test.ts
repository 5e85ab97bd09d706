/** Parameters of FreeBSD's jails: their bytes, and the dialogue with the kernel, which a model plays here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ERROR_ROOM,
  exportValue,
  getJail,
  importValue,
  type JailCalls,
  JailError,
  marshal,
  negated,
  setEntry,
  setJail,
} from '../../src/io/jail.ts';
import { SysError } from '../../src/sys/errno.ts';
import type { ParameterKind } from '../../src/sys/jail.ts';

// CTLTYPE_ and JP_ in numbers, as <sys/sysctl.h> and <jail.h> have them.
const kind = (type: number, more: Partial<ParameterKind> = {}): ParameterKind => ({
  type,
  structure: 0,
  flags: 0,
  size: 4,
  element: 0,
  ...more,
});
const INT = kind(2);
const STRING = kind(3, { size: 256 });
const BOOL = kind(2, { flags: 2 });
const NO_BOOL = kind(2, { flags: 4 });
const MODE = kind(2, { flags: 8 });
const UINT = kind(6);
const LONG = kind(7, { size: 8 });
const ULONG = kind(8, { size: 8 });
const IP4 = kind(5, { structure: 1, size: 0, element: 4 });
const IP6 = kind(5, { structure: 2, size: 0, element: 16 });

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');

test('values as bytes', () => {
  const cases: [ParameterKind, string, string | undefined][] = [
    [STRING, 'www', '77777700'],
    [STRING, '', '00'],
    [STRING, '\xe9', 'e900'],
    [INT, '7', '07000000'],
    [INT, '-1', 'ffffffff'],
    [INT, '+258', '02010000'],
    [INT, '', '00000000'],
    [INT, '2147483647', 'ffffff7f'],
    [INT, '2147483648', undefined],
    [INT, '7 ', undefined],
    [INT, 'new', undefined],
    [INT, '0x7', undefined],
    [UINT, '4294967295', 'ffffffff'],
    [UINT, '-1', undefined],
    [LONG, '-2', 'feffffffffffffff'],
    [ULONG, '18446744073709551615', 'ffffffffffffffff'],
    [ULONG, '18446744073709551616', undefined],
    [BOOL, 'true', '01000000'],
    [BOOL, 'False', '00000000'],
    [BOOL, '1', '01000000'],
    [BOOL, 'yes', undefined],
    [MODE, 'disable', '00000000'],
    [MODE, 'NEW', '01000000'],
    [MODE, 'inherit', '02000000'],
    [MODE, '', '01000000'],
    [MODE, 'true', undefined],
    [IP4, '192.0.2.1', 'c0000201'],
    [IP4, '192.0.2.1,10.0.0.2', 'c00002010a000002'],
    [IP4, '', ''],
    [IP4, '-', ''],
    [IP4, '192.0.2.1,', undefined],
    [IP4, '192.0.2.1, 10.0.0.2', undefined],
    [IP4, '192.0.2.256', undefined],
    [IP4, '::1', undefined],
    [IP6, '2001:db8::1,::1', '20010db8000000000000000000000001'.concat('0'.repeat(31), '1')],
    [IP6, 'fe80::1%1', undefined],
    [IP6, '192.0.2.1', undefined],
    [kind(5), '1', undefined],
    [kind(1), '1', undefined],
  ];
  for (const [of, text, expected] of cases)
    assert.equal(hex(importValue(of, text)), expected, JSON.stringify([of, text]));
});

test('bytes as values', () => {
  const there = (of: ParameterKind, text: string) => exportValue(of, importValue(of, text)!);
  for (const [of, text] of [
    [STRING, 'www\xe9'],
    [INT, '-5'],
    [UINT, '4294967295'],
    [LONG, '-9223372036854775808'],
    [ULONG, '18446744073709551615'],
    [BOOL, 'true'],
    [BOOL, 'false'],
    [NO_BOOL, 'true'],
    [MODE, 'inherit'],
    [IP4, '192.0.2.1,10.0.0.2'],
    [IP4, ''],
    [IP6, '2001:db8::1,::1'],
  ] as const)
    assert.equal(there(of, text), text);
  assert.equal(exportValue(BOOL, Uint8Array.of(7, 0, 0, 0)), '7');
  assert.equal(exportValue(STRING, Uint8Array.of(97, 0, 98)), 'a');
  assert.equal(exportValue(STRING, Uint8Array.of(97)), 'a');
  assert.equal(exportValue(IP4, Uint8Array.of(1, 2, 3, 4, 5)), '1.2.3.4');
});

test('a boolean has no value: its name says it', () => {
  const none = new Uint8Array(0);
  assert.deepEqual(setEntry('persist', BOOL, undefined), ['persist', none]);
  assert.deepEqual(setEntry('persist', BOOL, 'true'), ['persist', none]);
  assert.deepEqual(setEntry('persist', BOOL, 'false'), ['nopersist', none]);
  assert.deepEqual(setEntry('allow.mount', BOOL, '0'), ['allow.nomount', none]);
  assert.deepEqual(setEntry('nopersist', NO_BOOL, undefined), ['nopersist', none]);
  assert.deepEqual(setEntry('nopersist', NO_BOOL, 'false'), ['persist', none]);
  assert.deepEqual(setEntry('allow.nomount', NO_BOOL, 'false'), ['allow.mount', none]);
  assert.equal(setEntry('persist', BOOL, 'maybe'), undefined);
  assert.equal(negated('a.b.c', false), 'a.b.noc');
  // What is named without a value and is no boolean.
  assert.deepEqual(setEntry('vnet', MODE, undefined), ['vnet', Uint8Array.of(1, 0, 0, 0)]);
  assert.deepEqual(setEntry('name', STRING, undefined), ['name', Uint8Array.of(0)]);
  assert.equal(setEntry('ip4.addr', IP4, 'false'), undefined);
});

test('the iovecs of jail_set: names and values in turn, and room for an error', () => {
  const { bytes, parts } = marshal([
    ['path', importValue(STRING, '/j')!],
    ['nopersist', new Uint8Array(0)],
    ['ip4.addr', importValue(IP4, '192.0.2.1')!],
  ]);
  const text = 'path\0/j\0nopersist\0ip4.addr\0\xc0\x00\x02\x01errmsg\0';
  assert.equal(Buffer.from(bytes.subarray(0, text.length)).toString('latin1'), text);
  assert.equal(bytes.length, text.length + ERROR_ROOM);
  assert.ok(bytes.subarray(text.length).every((byte) => byte === 0));
  assert.deepEqual(
    [...parts],
    [0, 5, 5, 3, 8, 10, 18, 0, 18, 9, 27, 4, 31, 7, 38, 1024], // each: where, how long
  );
  assert.equal(marshal([]).parts.length, 4);
});

// ── with a kernel ──────────────────────────────────────────────────────────────────────────────────

const KINDS: Record<string, ParameterKind> = {
  jid: INT,
  name: STRING,
  persist: BOOL,
  host: MODE,
  'host.hostid': ULONG,
  'ip4.addr': IP4,
};

type Parts = Map<string, { value: Uint8Array; setLength(n: number): void }>;

function model(answer: (parts: Parts, say: (text: string) => void, flags: number) => number) {
  const asked: string[][] = [];
  const call = (bytes: Uint8Array, parts: Int32Array, flags: number): number => {
    const list: Parts = new Map();
    for (let i = 0; i < parts.length; i += 4) {
      const piece = (at: number): Uint8Array =>
        bytes.subarray(parts[at]!, parts[at]! + parts[at + 1]!);
      const name = Buffer.from(piece(i)).toString('latin1');
      assert.ok(name.endsWith('\0'));
      list.set(name.slice(0, -1), {
        value: piece(i + 2),
        setLength: (n) => {
          parts[i + 3] = n;
        },
      });
    }
    asked.push([...list.keys()]);
    return answer(list, (text) => list.get('errmsg')!.value.set(Buffer.from(text)), flags);
  };
  const calls: JailCalls = {
    jailParameter: (name) => {
      if (!Object.hasOwn(KINDS, name)) throw new SysError('jailparam_init', 2);
      return KINDS[name]!;
    },
    jailSet: call,
    jailGet: call,
  };
  return { calls, asked };
}

const failure = (f: () => unknown): [string, string, number] => {
  try {
    f();
  } catch (error) {
    if (error instanceof JailError) return [error.step, error.text, error.errno];
    throw error;
  }
  throw new Error('nothing was thrown');
};

test('jail_set tells the kernel, and what it says', () => {
  const { calls, asked } = model((parts, say, flags) => {
    if (flags === 1) return 12;
    say(`${parts.size} are wrong`);
    return -63; // ENAMETOOLONG of FreeBSD
  });
  const params = new Map([
    ['name', 'w'],
    ['persist', undefined],
    ['ip4.addr', '192.0.2.1'],
  ]);
  assert.equal(setJail(params, 1, calls), 12);
  assert.deepEqual(asked, [['name', 'persist', 'ip4.addr', 'errmsg']]);
  assert.deepEqual(
    failure(() => setJail(params, 2, calls)),
    ['jail_errmsg', '4 are wrong', 36],
  );
  assert.deepEqual(
    failure(() => setJail(new Map([['nmae', 'w']]), 1, calls)),
    ['jailparam_init', 'nmae', 2],
  );
  assert.deepEqual(
    failure(() => setJail(new Map([['ip4.addr', '1.2.3']]), 1, calls)),
    ['jailparam_import', '1.2.3', 22],
  );
});

test('jail_get asks how much there is, and again when it has become more', () => {
  let addresses = 1;
  const { calls, asked } = model((parts) => {
    const list = parts.get('ip4.addr')!;
    if (list.value.length === 0) {
      list.setLength(4 * addresses);
      addresses += 7; // meanwhile
      if (addresses > 8) addresses = 8;
      return 3;
    }
    if (list.value.length < 4 * addresses) return -22;
    for (let i = 0; i < addresses; i++) list.value.set([10, 0, 0, i], 4 * i);
    list.setLength(4 * addresses);
    parts.get('host')!.value.set([2, 0, 0, 0]);
    assert.equal(Buffer.from(parts.get('name')!.value).toString('latin1'), 'w\0');
    return 3;
  });
  const { jid, values } = getJail(
    ['ip4.addr', 'host', 'name'],
    new Map([
      ['name', 'w'],
      ['jid', '0'],
    ]),
    0,
    calls,
  );
  assert.equal(jid, 3);
  assert.deepEqual(asked, [
    ['ip4.addr', 'name', 'errmsg'],
    ['ip4.addr', 'host', 'name', 'errmsg'],
    ['ip4.addr', 'name', 'errmsg'],
    ['ip4.addr', 'host', 'name', 'errmsg'],
  ]);
  assert.deepEqual(Object.fromEntries(values), {
    name: 'w',
    host: 'inherit',
    'ip4.addr': '10.0.0.0,10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7',
  });
});

test('jail_get gives up, and needs to know which', () => {
  const growing = model((parts) => {
    const list = parts.get('ip4.addr')!;
    if (list.value.length > 0) return -22;
    list.setLength(4);
    return 3;
  });
  const one = new Map([['jid', '3']]);
  assert.deepEqual(
    failure(() => getJail(['ip4.addr'], one, 0, growing.calls)),
    ['jail_errmsg', '', 22],
  );
  assert.equal(growing.asked.length, 10);
  const none = model(() => -2);
  assert.deepEqual(
    failure(() => getJail(['name'], new Map(), 0, none.calls)),
    ['jail_errmsg', 'no jail specified', 2],
  );
  assert.deepEqual(none.asked, []);
  assert.deepEqual(
    failure(() => getJail(['name'], new Map([['lastjid', '0']]), 0, none.calls)),
    ['jail_errmsg', '', 2],
  );
  assert.deepEqual(none.asked, [['name', 'lastjid', 'errmsg']]);
  assert.deepEqual(
    failure(() => getJail(['name'], new Map([['jid', 'w']]), 0, none.calls)),
    ['jailparam_import', 'w', 22],
  );
});
