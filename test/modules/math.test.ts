import { spec } from '../support/spec.ts';

spec(
  'rounding and remainders are those of C',
  `
  print(math.floor(-3.5), math.ceil(-3.5), math.ceil(-0.5), math.floor('3.7'), math.abs(-2))
  print(math.fmod(-5, 3), math.fmod(5, -3), math.fmod(5.5, 2), math.fmod(1, 0), math.fmod(1, 1/0))
  print(math.modf(3.7), math.modf(-3.5))
  print(math.modf(1/0)) print(math.modf(-1/0)) print(math.modf(5))
`,
  `-4\t-3\t-0\t3\t2
-2\t2\t1.5\tnan\t1
3\t-3\t-0.5
inf\t0
-inf\t-0
5\t0
`,
);

spec(
  'frexp and ldexp take numbers apart, down to the smallest',
  `
  print(math.frexp(8)) print(math.frexp(-0.3)) print(math.frexp(0)) print(math.frexp(2^-1074))
  print(math.ldexp(0.5, 4), math.ldexp(1, -1074), math.ldexp(1, 1024), math.ldexp(2^-1074, 1074))
  print(string.format('%.17g %.17g', math.ldexp(0.75, -1073), math.ldexp(0.6, -1074)))
`,
  `0.5\t4
-0.6\t-1
0\t0
0.5\t-1073
8\t4.9406564584125e-324\tinf\t1
9.8813129168249309e-324 4.9406564584124654e-324
`,
);

spec(
  'powers and logarithms',
  `
  print(math.log(8, 2), math.log(100, 10), math.log(math.exp(1)), math.log10(1000), math.log(0))
  print(math.pow(2, 10), math.pow(1, 0/0), math.pow(-1, 1/0), 1 ^ (0/0), math.sqrt(-1))
  print(math.deg(math.pi), math.rad(180) == math.pi, math.sinh(0), math.cosh(0), math.tanh(1/0))
`,
  '3\t2\t1\t3\t-inf\n1024\t1\t1\t1\tnan\n180\ttrue\t0\t1\t1\n',
);

spec(
  'of equal or unordered numbers, max and min give the later one',
  `
  local nan = 0/0
  print(math.max(nan, 1), math.max(1, nan), math.min(nan, 1), math.min(1, nan))
  local zero = 0
  print(math.max(zero, -zero), math.max(-zero, zero), math.min(zero, -zero))
  print(math.max(3, '10', 7), math.min('3', 2, 5), math.max(4))
  print(select(2, pcall(function() math.max() end)))
  print(select(2, pcall(function() math.min(1, 2, {}) end)))
`,
  `1\tnan\t1\tnan
-0\t0\t-0
10\t2\t4
main.lua:7: bad argument #1 to 'max' (number expected, got no value)
main.lua:8: bad argument #3 to 'min' (number expected, got table)
`,
);

spec(
  'random numbers are those of LuaJIT for the same seed',
  `
  print(math.random(), math.random(10), math.random(5, 7))
  math.randomseed(42)
  print(math.random(), math.random(10), math.random(5, 7))
  math.randomseed(-1.5)
  print(math.random(1, 1e9), math.random(-5, 5), math.random(3.5))
  print(select(2, pcall(function() math.random({}) end)))
`,
  `0.79420629243124\t7\t6
0.95607928791821\t1\t6
350256446\t4\t2
main.lua:7: bad argument #1 to 'random' (number expected, got table)
`,
);

spec(
  'random stays in its interval',
  `
  local low, high, sum = 10, 0, 0
  for i = 1, 10000 do
    local n = math.random(6)
    low, high, sum = math.min(low, n), math.max(high, n), sum + n
    local r = math.random()
    assert(r >= 0 and r < 1)
  end
  print(low, high, sum > 34000 and sum < 36000)
`,
  '1\t6\ttrue\n',
);
