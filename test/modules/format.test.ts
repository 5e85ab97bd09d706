import { spec } from '../support/spec.ts';

spec(
  'format: booleans, numbers and strings, by place and by name',
  `
  print(format('{} {} {} {}', true, 42, 1.5, 'text'))
  print(format('{1}{0}', 'a', 'b'))
  print(format('{name} is {age:>4}', {'name', 'Luna'}, {'age', 42}))
  print(format('{:#x} {:08.3f} {:*^9}', 255, -math.pi, 'mid'))
  print(format('{:{}.{}f}', 2.71828, 8, 2))
  print(format('{{}}'))
`,
  'true 42 1.5 text\nba\nLuna is   42\n0xff -003.142 ***mid***\n    2.72\n{}\n',
);

spec(
  'format: a number is an integer when its value is',
  `
  print(format('{} {} {}', 3, 3.0, 2^53))
  print(format('{:d} {:b} {:.2f}', 5, 5, 5))
  print(pcall(format, '{:d}', 0.5))
`,
  '3 3 9007199254740992\n5 101 5.00\nfalse\tinvalid format specifier\n',
);

spec(
  'format: an argument of another type is EINVAL with its position',
  `
  for _, bad in ipairs { {}, {1, 2}, {'a', {}}, {'a', 1, 2}, print, coroutine.create(print), this_fiber } do
    local ok, e = pcall(format, '{} {}', 1, bad)
    print(e, e.arg, e.category)
  end
  print(select(2, pcall(format, '{}', nil)).arg, select(2, pcall(format)).arg, select(2, pcall(format, {})).arg)
`,
  'Invalid argument\t3\tgeneric\n'.repeat(7) + '2\t1\t1\n',
);

spec(
  'format: mistakes in the format are strings, as libfmt words them',
  `
  for _, f in ipairs { '{}{}', '{', '}', '{:', '{:z}', '{0}{}', '{x}', '{:99999999999}' } do
    print((select(2, pcall(format, f, 1))))
  end
`,
  `argument not found
invalid format string
unmatched '}' in format string
missing '}' in format string
invalid format specifier
cannot switch from manual to automatic argument indexing
argument not found
number is too big
`,
);

spec(
  'format: strings are bytes; widths count columns of UTF-8',
  `
  print(format('{:>4}|{:.1}|{:-<6}', 'é', 'éa', '中文'))
  print(#format('{}', '\\255\\0x'), format('{:?}', 'a\\0\\n'))
`,
  '   é|é|中文--\n3\t"a\\x00\\n"\n',
);

spec(
  'format: a result that is too large for memory is an error',
  `
  print(pcall(format, '{:2000000000}', 1))
  print(pcall(format, ('{:200000000}'):rep(4), 1, 2, 3, 4))
`,
  'false\tnot enough memory\nfalse\tnot enough memory\n',
);

spec(
  'format can be kept and called as any function',
  `
  local f = format
  local t = setmetatable({}, {__index = function(_, k) return f('<{}>', k) end})
  print(t.x, t[1])
`,
  '<x>\t<1>\n',
);
