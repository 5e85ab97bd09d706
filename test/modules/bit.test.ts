import { spec } from '../support/spec.ts';

spec(
  'numbers are reduced to 32 bits, fractions rounded to even',
  `
  print(bit.tobit(0xffffffff), bit.tobit(2^31), bit.tobit(-2^31 - 1), bit.tobit(2^40 + 3))
  print(bit.tobit(1.5), bit.tobit(2.5), bit.tobit(-1.5), bit.tobit(-0.5), bit.tobit(2^51 - 0.5))
  print(bit.tobit(1/0), bit.tobit(0/0), bit.tobit('0xff'), bit.tobit(' 12 '))
`,
  '-1\t-2147483648\t2147483647\t3\n2\t2\t-2\t0\t0\n0\t0\t255\t12\n',
);

spec(
  'logical operations take any number of arguments',
  `
  print(bit.band(0xff, 0x3c, 0x14), bit.bor(1, 2, 4, 8), bit.bxor(5, 3, 1), bit.bnot(0))
  print(bit.band(7), bit.bor('8'), bit.bxor(2^32 + 1), bit.band(-1, 0xffffffff))
`,
  '20\t15\t7\t-1\n7\t8\t1\t-1\n',
);

spec(
  'shifts and rotations count places modulo 32',
  `
  print(bit.lshift(1, 31), bit.lshift(1, 32), bit.lshift(1, -1), bit.rshift(-1, 28), bit.rshift(-1, 0))
  print(bit.arshift(-256, 4), bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.rol(1, 0), bit.ror(1, 33))
  print(bit.bswap(0x12345678), bit.bswap(0xff))
`,
  '-2147483648\t1\t-2147483648\t15\t-1\n-16\t1164411171\t1736516421\t1\t-2147483648\n2018915346\t-16777216\n',
);

spec(
  'tohex gives as many digits as asked for',
  `
  print(bit.tohex(-1), bit.tohex(255, 4), bit.tohex(255, -4), bit.tohex(0x87654321, 2), bit.tohex(1, 10))
  print('[' .. bit.tohex(1, 0) .. ']', bit.tohex(2^32 + 10, 2))
`,
  'ffffffff\t00ff\t00FF\t21\t0000000001\n[]\t0a\n',
);

spec(
  'what is no number is an error',
  `
  print(select(2, pcall(function() bit.band(1, {}) end)))
  print(select(2, pcall(function() bit.lshift(1, 'x') end)))
  print(pcall(bit.bor, 1, nil))
  print(pcall(bit.band))
`,
  `main.lua:2: bad argument #2 to 'band' (number expected, got table)
main.lua:3: bad argument #2 to 'lshift' (number expected, got string)
false\tbad argument #2 to 'bor' (number expected, got nil)
false\tbad argument #1 to 'band' (number expected, got no value)
`,
);
