import assert from 'node:assert/strict';
import test from 'node:test';
import {
  exponential,
  fixed,
  formatNumber,
  general,
  parseNumber,
} from '../../src/runtime/number.ts';

/** Each as glibc's printf has it. */
function table<T extends unknown[]>(
  name: string,
  rows: [...T, string][],
  f: (...args: T) => string,
) {
  test(name, () => {
    for (const row of rows) {
      const args = row.slice(0, -1) as T;
      assert.equal(f(...args), row.at(-1), `of ${args}`);
    }
  });
}

table<[number]>(
  'tostring of a number is %.14g',
  [
    [0, '0'],
    [-0, '-0'],
    [42, '42'],
    [-7, '-7'],
    [99999999999999, '99999999999999'],
    [1e14, '1e+14'],
    [-123456789012345678, '-1.2345678901235e+17'],
    [2 ** 53, '9.007199254741e+15'],
    [1e100, '1e+100'],
    [0.1, '0.1'],
    [1 / 3, '0.33333333333333'],
    [2 / 3, '0.66666666666667'],
    [100 / 3, '33.333333333333'],
    [0.1 + 0.2, '0.3'],
    [1e-4, '0.0001'],
    [0.00012345678901234567, '0.00012345678901235'],
    [1e-5, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [5e-324, '4.9406564584125e-324'],
    [1.7976931348623157e308, '1.7976931348623e+308'],
    [99999999999999.9, '1e+14'],
    [9999999999999.95, '9999999999999.9'],
    [-1.5, '-1.5'],
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ],
  formatNumber,
);

table<[number]>(
  'halfway between two texts, the even digit is taken',
  [
    [123456789012345, '1.2345678901234e+14'],
    [123456789012355, '1.2345678901236e+14'],
    [12345678901234.5, '12345678901234'],
    [12345678901235.5, '12345678901236'],
    [9999999999999.25, '9999999999999.2'],
  ],
  formatNumber,
);

test('formatNumber takes its shorter way only where that gives the same text', () => {
  const kinds: ((i: number) => number)[] = [
    (i) => i / 7,
    (i) => i / 100,
    (i) => i * 0.1,
    (i) => i / 1024,
    (i) => i * 1e-6,
    (i) => i * 1e-6 + 1e-10,
    (i) => i * 1e-4 + 1e9,
    (i) => i * 12345.678901,
    (i) => i * 1e9 + 0.1,
    (i) => i * 1e9 + 0.123456,
    (i) => i + 2 ** -20,
    (i) => Math.sin(i),
  ];
  for (const kind of kinds) {
    for (let i = 1; i < 2000; i++) {
      const n = kind(i);
      assert.equal(formatNumber(n), n < 0 ? `-${general(-n, 14, false)}` : general(n, 14, false));
      assert.equal(formatNumber(-n), n < 0 ? general(-n, 14, false) : `-${general(n, 14, false)}`);
      // And what it gives is that number, to 14 digits.
      assert.equal(Number(formatNumber(n)), Number(n.toPrecision(14)));
    }
  }
});

table<[number, number]>(
  'fixed is %.<n>f, to the last digit',
  [
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [0.125, 2, '0.12'],
    [0.375, 2, '0.38'],
    [2.675, 2, '2.67'],
    [1e15 + 0.5, 0, '1000000000000000'],
    [0.1, 30, '0.100000000000000005551115123126'],
    [1e21, 1, '1000000000000000000000.0'],
    [1e22, 0, '10000000000000000000000'],
    [2 ** 100, 2, '1267650600228229401496703205376.00'],
    [1e-10, 5, '0.00000'],
    [5e-324, 10, '0.0000000000'],
    [0.5, 99, `0.5${'0'.repeat(98)}`],
  ],
  fixed,
);

table<[number, number]>(
  'exponential is %.<n>e',
  [
    [2.5, 0, '2 0'],
    [3.5, 0, '4 0'],
    [9.5, 0, '1 1'],
    [8.5, 0, '8 0'],
    [25, 0, '2 1'],
    [95, 0, '1 2'],
    [1.25, 1, '1.2 0'],
    [12345.678, 3, '1.235 4'],
    [0, 2, '0.00 0'],
    [1e300, 5, '1.00000 300'],
    [2.5e22, 0, '2 22'],
    [5e-324, 3, '4.941 -324'],
  ],
  (n, precision) => {
    const { mantissa, exponent } = exponential(n, precision);
    return `${mantissa} ${exponent}`;
  },
);

table<[number, number, boolean]>(
  'general is %.<n>g, or %#.<n>g',
  [
    [100000, 6, false, '100000'],
    [1000000, 6, false, '1e+06'],
    [1000005, 6, false, '1e+06'],
    [999999.5, 6, false, '1e+06'],
    [999999.5, 6, true, '1.00000e+06'],
    [1.125, 3, false, '1.12'],
    [0.0001, 6, false, '0.0001'],
    [0.00001, 6, false, '1e-05'],
    [1, 6, true, '1.00000'],
    [100, 3, true, '100.'],
    [0, 0, false, '0'],
    [0.1, 17, false, '0.10000000000000001'],
    [1e21, 25, false, '1000000000000000000000'],
    [7500.125, 6, false, '7500.12'],
    [7500.875, 6, false, '7500.88'],
    [99999.75, 5, false, '1e+05'],
    [99999999.5, 8, false, '1e+08'],
    [12345678.5, 8, false, '12345678'],
    [999.9375, 4, false, '999.9'],
    [9.96875, 2, false, '10'],
    [9.5, 1, false, '1e+01'],
    [0.5, 1, false, '0.5'],
    [0.0009765625, 3, false, '0.000977'],
    [0.00018310546875, 5, false, '0.00018311'],
  ],
  general,
);

test('tonumber reads what LuaJIT reads', () => {
  const rows: [string, number | undefined][] = [
    ['0', 0],
    ['007', 7],
    ['-0', -0],
    ['  12  ', 12],
    ['\t-3.5\n', -3.5],
    ['+.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['123456789012345678901', 123456789012345678901],
    ['0x10', 16],
    ['-0xfF', -255],
    ['0x.8', 0.5],
    ['0x1p4', 16],
    ['0xA.8p-1', 5.25],
    ['0x1p-1074', 5e-324],
    ['0x1p1024', Number.POSITIVE_INFINITY],
    ['0xffffffffffffffffff', 4722366482869645213695],
    ['0x1fffffffffffff8', 2 ** 57 - 8],
    ['0b101', 5],
    ['inf', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['nan', Number.NaN],
    ['', undefined],
    [' ', undefined],
    ['-', undefined],
    ['.', undefined],
    ['0x', undefined],
    ['1e', undefined],
    ['1 2', undefined],
    ['1\0', undefined],
    ['--1', undefined],
    ['0b2', undefined],
    ['1_000', undefined],
    ['\xa01', undefined],
    ['infinit', undefined],
  ];
  for (const [text, n] of rows) assert.equal(parseNumber(text), n, JSON.stringify(text));
});

test('a long text that is almost a number takes time in proportion to its length', {
  timeout: 300_000,
}, () => {
  const nines = '9'.repeat(1_000_000);
  for (const text of [`${nines}x`, `.${nines}x`, `1e${nines}x`, `0x${nines}x`, `0x.${nines}x`]) {
    assert.equal(parseNumber(text), undefined);
  }
  assert.equal(parseNumber(nines), Number.POSITIVE_INFINITY);
  assert.equal(parseNumber(`0x${nines}`), Number.POSITIVE_INFINITY);
});
