/** libfmt's format strings: what libfmt 10.2 makes of each, found by running it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type FmtValue, FormatError, formatValues, parseFormat } from '../../src/runtime/fmt.ts';
import { fromBytes } from '../support/spec.ts';

const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

type Argument = FmtValue | [name: string, value: FmtValue];

/** The text, or the message after an exclamation mark. */
function formatted(format: string, args: readonly Argument[]): string {
  const names = new Map<string, number>();
  const values = args.map((arg, i) => {
    if (!Array.isArray(arg)) return arg;
    if (!names.has(arg[0])) names.set(arg[0], i);
    return arg[1];
  });
  try {
    const bytes = values.map((v) => (typeof v === 'string' ? toBytes(v) : v));
    return fromBytes(formatValues(parseFormat(toBytes(format)), bytes, names));
  } catch (fault) {
    if (fault instanceof FormatError) return `!${fault.message}`;
    throw fault;
  }
}

/** @param cases  [result, format, ...arguments] */
function table(name: string, cases: readonly [string, string, ...Argument[]][]): void {
  test(name, () => {
    for (const [expected, format, ...args] of cases) {
      assert.equal(formatted(format, args), expected, `${format} of ${JSON.stringify(args)}`);
    }
  });
}

table('arguments in order, by position and by name', [
  ['', ''],
  ['plain', 'plain'],
  ['a b', '{} {}', 'a', 'b'],
  ['b a b', '{1} {0} {1}', 'a', 'b'],
  ['1 2 1', '{x} {y} {x}', ['x', 1], ['y', 2]],
  ['1 5', '{} {n}', 1, ['n', 5]],
  ['first', '{n}', ['n', 'first'], ['n', 'second']],
  ['by place', '{0}', ['n', 'by place']],
  ['x', '{_a1}', ['_a1', 'x']],
  ['only the first', '{}', 'only the first', 'unused'],
]);

table('doubled braces are braces', [
  ['{}', '{{}}'],
  ['{1}', '{{{}}}', 1],
  ['}{', '}}{{'],
  ['{0}', '{{0}}', 1],
]);

table('booleans', [
  ['true false', '{} {}', true, false],
  ['true ', '{:5}', true],
  [' true', '{:>5}', true],
  ['1 0x1 0b1', '{:d} {:#x} {:#b}', true, true, true],
  ['true', '{:s}', true],
  ['00true', '{:06}', true],
]);

table('integers', [
  ['0 42 -42', '{} {} {}', 0, 42, -42],
  ['0', '{}', -0],
  ['2a 2A 52 101010', '{:x} {:X} {:o} {:b}', 42, 42, 42, 42],
  ['0x2a 0X2A 052 0b101010 0B101010', '{:#x} {:#X} {:#o} {:#b} {:#B}', 42, 42, 42, 42, 42],
  ['-0x2a', '{:#x}', -42],
  ['0 0x0', '{:#o} {:#x}', 0, 0],
  ['+42 42  42 -42', '{:+} {:-} {: } {: }', 42, 42, 42, -42],
  ['   42|42   | 42  |   42', '{:5}|{:<5}|{:^5}|{:>5}', 42, 42, 42, 42],
  ['00042 -0042 +0042', '{:05} {:05} {:+05}', 42, -42, 42],
  ['0x002a', '{:#06x}', 42],
  ['***42 42***', '{:*>5} {:*<05}', 42, 42],
  ['A', '{:c}', 65],
  ['9223372036854774784', '{}', 2 ** 63 - 1024],
  ['-9223372036854775808', '{}', -(2 ** 63)],
  ['4000000000000000', '{:x}', 2 ** 62],
  ['9007199254740992 20000000000000', '{} {:x}', 2 ** 53, 2 ** 53],
  ['1e+19', '{}', 1e19],
]);

table('doubles without a type: the fewest digits', [
  ['0.1 1.5 -2.25', '{} {} {}', 0.1, 1.5, -2.25],
  ['0.30000000000000004', '{}', 0.1 + 0.2],
  ['0.0001 1e-05', '{} {}', 0.0001, 0.00001],
  ['123456789012345.6', '{}', 123456789012345.6],
  ['1.7976931348623157e+308 5e-324', '{} {}', Number.MAX_VALUE, 5e-324],
  ['5.14 5.1', '{:.3} {:.2}', 5.14159, 5.14159],
  ['1e+02', '{:.1}', 99.5],
  ['inf -inf nan +inf', '{} {} {} {:+}', Infinity, -Infinity, NaN, Infinity],
  ['  inf   inf inf  ', '{:>5} {:05} {:5}', Infinity, Infinity, Infinity],
]);

table('doubles with a type', [
  ['5.141590 5.14 5.', '{:f} {:.2f} {:#.0f}', 5.14159, 5.14159, 5.14159],
  ['    5.14', '{:>8.2f}', 5.14159],
  ['-0005.14', '{:08.2f}', -5.14159],
  ['+5.1', '{:+.1f}', 5.14159],
  ['5.141590e+00 5.1E-10', '{:e} {:.1E}', 5.14159, 5.14e-10],
  ['5.14159 5.1 5.10000', '{:g} {:.2g} {:#g}', 5.14159, 5.14159, 5.1],
  ['0x1.8p+0 -0X1.CP+1', '{:a} {:A}', 1.5, -3.5],
  ['0x1.ap+3', '{:.1a}', 13.1],
  ['0x0.0000000000001p-1022', '{:a}', 5e-324],
  ['2 2 4', '{:.0f} {:.0f} {:.0f}', 1.5, 2.5, 3.5],
  ['0.12 0.38 0.2', '{:.2f} {:.2f} {:.1f}', 0.125, 0.375, 0.25],
  [
    '2e+00 4e+00 1e+01 8e+00 1.2e+00',
    '{:.0e} {:.0e} {:.0e} {:.0e} {:.1e}',
    2.5,
    3.5,
    9.5,
    8.5,
    1.25,
  ],
  ['1.12 2 1e+01 0 0.00', '{:.3g} {:.0g} {:.1g} {:g} {:#.3}', 1.125, 2.5, 9.5, 0.0, 0.0],
  [`0.5${'0'.repeat(119)}`, '{:.120f}', 0.5],
  [`5.${'0'.repeat(120)}e-01`, '{:.120e}', 0.5],
  [`0.${'0'.repeat(121)}`, '{:.121f}', 5e-324],
  ['0.1000000000000000055511151231257827', '{:.34g}', 0.1],
  ['INF NAN', '{:F} {:E}', Infinity, NaN],
]);

test('an integral number takes what only doubles have, where libfmt would raise', () => {
  assert.equal(formatted('{:.2f} {:e} {:.3} {:g}', [10, 5, 2, 1e6]), '10.00 5.000000e+00 2 1e+06');
});

table('strings', [
  ['abc  |  abc| abc ', '{:5}|{:>5}|{:^5}', 'abc', 'abc', 'abc'],
  ['ab', '{:.2}', 'abc'],
  ['ab***', '{:*<5.2s}', 'abc'],
  ['äö', '{:.2}', 'äöü'],
  ['äöü  |', '{:5}|', 'äöü'],
  ['中文 |', '{:5}|', '中文'],
  ['→→x', '{:→>3}', 'x'],
  ['"a\\n\\t\\"\\\\\\x7f\\u200b"', '{:?}', 'a\n\t"\\\x7f\u200b'],
]);

table('width and precision from arguments', [
  ['   42', '{:{}}', 42, 5],
  ['5.14', '{:.{}f}', 5.14159, 2],
  [' 5.14', '{:{}.{}f}', 5.14159, 5, 2],
  [' 5.14', '{0:{2}.{1}f}', 5.14159, 2, 5],
  [' 5.14', '{v:{w}.{p}f}', ['v', 5.14159], ['w', 5], ['p', 2]],
  ['42', '{:{}}', 42, 0],
]);

table('mistakes', [
  ['!argument not found', '{}'],
  ['!argument not found', '{1}', 1],
  ['!argument not found', '{x}', 1],
  ['!argument not found', '{:{}}', 1],
  ['!argument not found', '{99999999999}', 1],
  ["!unmatched '}' in format string", '}'],
  ["!unmatched '}' in format string", 'a}b'],
  ['!invalid format string', '{'],
  ['!invalid format string', '{-}', 1],
  ['!invalid format string', '{0'],
  ['!invalid format string', '{01}', 1, 2],
  ["!missing '}' in format string", '{x', ['x', 1]],
  ["!missing '}' in format string", '{:', 1],
  ["!missing '}' in format string", '{:d', 1],
  ["!missing '}' in format string", '{:dd}', 1],
  ['!invalid format specifier', '{:z}', 1],
  ['!invalid format specifier', '{:d}', 1.5],
  ['!invalid format specifier', '{:d}', 'x'],
  ['!invalid format specifier', '{:s}', 1],
  ['!invalid format specifier', '{:+}', 'x'],
  ['!invalid format specifier', '{:#}', 'x'],
  ['!invalid format specifier', '{:.1}', true],
  ['!invalid format specifier', '{:c}', true],
  ['!invalid format specifier', '{:p}', 'x'],
  ['!invalid format specifier', '{:<<5<}', 1],
  ['!invalid format specifier', '{:+#<5}', 1],
  ["!invalid fill character '{'", '{:{<5}', 1],
  ['!invalid precision', '{:.}', 1.5],
  ['!format specifier requires numeric argument', '{:05}', 'x'],
  ['!number is too big', '{:9999999999}', 1],
  ['!number is too big', '{:{}}', 1, 2 ** 31],
  ['!not enough memory', '{:2000000000}', 1],
  ['!negative width', '{:{}}', 1, -1],
  ['!negative precision', '{:.{}f}', 1.5, -1],
  ['!width is not integer', '{:{}}', 1, 'x'],
  ['!precision is not integer', '{:.{}f}', 1.5, 1.5],
  ['!cannot switch from automatic to manual argument indexing', '{} {0}', 1],
  ['!cannot switch from manual to automatic argument indexing', '{0} {}', 1],
  ['!argument not found', '{} {:z', 1],
]);

test('no format makes it throw anything else', () => {
  let seed = 88172645;
  const random = (n: number): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % n;
  };
  const alphabet = [
    '{',
    '}',
    '{',
    '}',
    ':',
    '.',
    '0',
    '1',
    '9',
    '<',
    '>',
    '^',
    '+',
    '-',
    ' ',
    '#',
    'L',
    '?',
    'a',
    'x',
    '\0',
    '\xe9',
    '\xff',
    '{:',
    '{0:',
    '{a:',
    ...'doxXbBaAeEfFgGcsp',
  ];
  const values: FmtValue[] = [
    true,
    0,
    -1,
    65,
    2 ** 62,
    0.1,
    -1e300,
    5e-324,
    NaN,
    Infinity,
    '',
    'text',
    '\xc3\xa4\xff',
  ];
  const names = new Map([['a', 1]]);
  let made = 0;
  for (let i = 0; i < 40_000; i++) {
    let format = '';
    for (let k = random(12); k >= 0; k--) format += alphabet[random(alphabet.length)];
    const args = Array.from({ length: random(4) }, () => values[random(values.length)]!);
    try {
      formatValues(parseFormat(format), args, names);
      made++;
    } catch (fault) {
      assert.ok(fault instanceof FormatError, `${JSON.stringify(format)}: ${fault}`);
    }
  }
  assert.ok(made > 1000, String(made));
});
