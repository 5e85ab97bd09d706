import { spec } from '../support/spec.ts';

spec(
  'new makes a span of zeros with a length and a capacity',
  `
  local b = byte_span.new(2, 4)
  print(#b, b.capacity, b[1], b[2], getmetatable(b))
  print(#byte_span.new(0), #byte_span.with_zeros(3))
  for _, args in ipairs{{-1}, {3, 2}, {'x'}} do
    local ok, e = pcall(byte_span.new, unpack(args))
    print(e, e.arg)
  end
  print(pcall(byte_span.new, 2^40))
`,
  '2\t4\t0\t0\tbyte_span\n0\t3\nInvalid argument\t1\nInvalid argument\t2\nInvalid argument\t1\n' +
    'false\tCannot allocate memory\n',
);

spec(
  'bytes are read and written by position',
  `
  local b = byte_span.append('abc')
  b[2] = 0x42
  print(b, b[1], b[3])
  for _, f in ipairs{
    function() return b[0] end, function() return b[4] end, function() b[4] = 1 end,
    function() b[1] = 256 end, function() b[1] = 'x' end, function() b.x = 1 end,
    function() return b.x end,
  } do
    local ok, e = pcall(f)
    print(e, e.arg, e.index)
  end
`,
  'aBc\t97\t99\n' +
    'Numerical result out of range\tnil\tnil\n'.repeat(4) +
    'Invalid argument\t3\tnil\nOperation not permitted\tnil\tnil\n' +
    "Requested key wasn't found in the table/userdata\tnil\t2\n",
);

spec(
  'append concatenates strings and spans; nil is empty',
  `
  print(byte_span.append('a', nil, byte_span.append('b'), 'c'), #byte_span.append())
  local ok, e = pcall(byte_span.append, 'a', 1)
  print(e, e.arg)
`,
  'abc\t0\nInvalid argument\t2\n',
);

spec(
  'b:append writes into the capacity of b, or allocates',
  `
  local b = byte_span.new(1, 4):copy('x') and byte_span.append('x')
  print(rawequal(b:append(), b), b:append('y', 'z'), b)
  local roomy = byte_span.new(0, 4)
  local one = roomy:append('ab')
  local other = roomy:append('cd')
  print(one, other, one.capacity)
  local long = one:append('efg')
  long[1] = 0x5a
  print(one, long, #long, long.capacity >= 5)
  local s = byte_span.new(0, 6):append('abc')
  print(s:append(s:slice(2, 3), s))
  local ok, e = pcall(b.append, b, 'a', {})
  print(e, e.arg)
`,
  'true\txyz\tx\ncd\tcd\t4\ncd\tZdefg\t5\ttrue\nabcbcabc\nInvalid argument\t3\n',
);

spec(
  'append may take pieces from where it writes',
  `
  local all = byte_span.append('ab123')
  print(all:first(2):append('x', all:slice(3, 4)))
`,
  'abx12\n',
);

spec(
  'slice, sub, first and last share memory',
  `
  local b = byte_span.append('hello world')
  local s = b:slice(1, 5)
  s[1] = 0x4a
  print(b, s, s.capacity, b:sub(7), b:first(2), b:last(3), #b:slice(12), #b:slice())
  print(byte_span.new(1, 3):slice(1, 3) == byte_span.append('\\0\\0\\0'))
  for _, range in ipairs{{0}, {1, 12}, {3, 1}, {13}} do
    local ok, e = pcall(b.slice, b, unpack(range))
    print(e)
  end
  print(pcall(b.first, b, 12), pcall(b.last, b, 12))
`,
  'Jello world\tJello\t11\tworld\tJe\trld\t0\t11\ntrue\n' +
    'Numerical result out of range\n'.repeat(4) +
    'false\tfalse\tNumerical result out of range\n',
);

spec(
  'copy takes what fits, and overlapping memory',
  `
  local b = byte_span.append('abcdef')
  print(b:copy('XY'), b)
  print(b:slice(3):copy(b), b)
  print(b:first(1):copy('long'), b)
  local ok, e = pcall(b.copy, b, 1)
  print(e, e.arg)
`,
  '2\tXYcdef\n4\tXYXYcd\n1\tlYXYcd\nInvalid argument\t2\n',
);

spec(
  'fill, inplace_lower and inplace_upper change the bytes',
  `
  local b = byte_span.append('Az[é')
  b:inplace_upper() print(b)
  b:inplace_lower() print(b)
  print(b:fill(0x2e), rawequal(b:fill(0x2e), b))
  print(pcall(b.fill, b, 256))
`,
  'AZ[é\naz[é\n.....\ttrue\nfalse\tNumerical result out of range\n',
);

spec(
  'starts_with and ends_with',
  `
  local b = byte_span.append('hello')
  print(b:starts_with('he'), b:starts_with(''), b:starts_with('hello!'), b:starts_with('lo'))
  print(b:ends_with(byte_span.append('lo')), b:ends_with(''), b:ends_with('he'))
`,
  'true\ttrue\tfalse\tfalse\ntrue\ttrue\tfalse\n',
);

spec(
  'find and rfind search for bytes',
  `
  local b = byte_span.append('one two one')
  print(b:find('one'), b:find('one', 2), b:find('x'), b:find('two', 6), b:find('e', 12))
  print(b:rfind('one'), b:rfind('one', 8), b:rfind('one', 9), b:rfind('o', 0), b:rfind('x'))
  print(b:find(byte_span.append('tw')), b:find(''), b:rfind('n'))
  print(pcall(b.find, b, 'x', 13))
  print(pcall(b.rfind, b, 'x', 12))
  print(b:slice(5):find('o'), #b:slice(12), b:slice(12):find('x'))
`,
  '1\t9\tnil\tnil\tnil\n9\t1\t9\tnil\tnil\n5\t1\t10\nfalse\tNumerical result out of range\n' +
    'false\tNumerical result out of range\n3\t0\tnil\n',
);

spec(
  'find does not look beyond the length',
  `
  local b = byte_span.append('abcdef')
  print(b:first(3):find('d'), b:first(3):find('cd'), b:first(4):find('cd'), b:first(3):rfind('cd'))
  local long = byte_span.append(('x'):rep(1000), 'needle', ('x'):rep(1000))
  print(long:find('needle'), long:first(1003):find('needle'), long:find('n'), long:first(1000):find('n'))
  print(long:rfind('needle'), long:slice(1002):rfind('needle'))
`,
  'nil\tnil\t3\tnil\n1001\tnil\t1001\tnil\n1001\tnil\n',
);

spec(
  'find_first_of and its relatives search for sets',
  `
  local b = byte_span.append('  key = value ')
  print(b:find_first_of('=:'), b:find_last_of(' '), b:find_first_not_of(' '), b:find_last_not_of(' '))
  print(b:find_first_of('z'), b:find_first_not_of(' ', 6), b:find_last_of('=', 7), b:find_last_not_of(' ', 2))
`,
  '7\t14\t3\t13\nnil\t7\t7\tnil\n',
);

spec(
  'trimmed shares memory; nothing left has no capacity',
  `
  local b = byte_span.append(' \\t x y\\r\\n')
  local t = b:trimmed()
  t[1] = 0x41
  print(t, #t, b[4], b:trimmed(' \\t\\r\\ny'), b:trimmed('Axy \\t\\r\\n').capacity)
`,
  'A y\t3\t65\tA\t0\n',
);

spec(
  'numbers of all widths and orders',
  `
  local b = byte_span.new(8)
  local function show(s) local t = {} for i = 1, #s do t[i] = ('%02x'):format(s[i]) end return table.concat(t) end
  for _, width in ipairs{16, 24, 32, 40, 48} do
    local s = b:first(width / 8)
    local u = tonumber(('123456789abc'):sub(1, width / 4), 16)
    s['set_u' .. width .. 'be'](s, u)
    io_be, back = show(s), s['get_u' .. width .. 'be'](s)
    s['set_i' .. width .. 'le'](s, -2)
    print(width, io_be, back == u, show(s), s['get_i' .. width .. 'le'](s), s['get_u' .. width .. 'le'](s) == 2^width - 2)
  end
  local one = b:first(1) one:set_i8(-1) print(one[1], one:get_i8())
  b:set_f64be(1.5) print(show(b), b:get_f64be())
  b:first(4):set_f32le(-2) print(show(b:first(4)), b:first(4):get_f32le())
  print(pcall(b.get_u16be, b))
  print(pcall(one.set_i8, one, 128))
  local ok, e = pcall(one.set_i8, one, 'x') print(e, e.arg)
`,
  '16\t1234\ttrue\tfeff\t-2\ttrue\n24\t123456\ttrue\tfeffff\t-2\ttrue\n' +
    '32\t12345678\ttrue\tfeffffff\t-2\ttrue\n40\t123456789a\ttrue\tfeffffffff\t-2\ttrue\n' +
    '48\t123456789abc\ttrue\tfeffffffffff\t-2\ttrue\n255\t-1\n3ff8000000000000\t1.5\n000000c0\t-2\n' +
    'false\tInvalid argument\nfalse\tNumerical result out of range\nInvalid argument\t2\n',
);

spec(
  '== compares contents, tostring gives them',
  `
  local b = byte_span.append('a\\0\\255')
  print(b == byte_span.append('a\\0\\255'), b == byte_span.append('a\\0'), b == 'a', tostring(b) == 'a\\0\\255')
  print(tostring(byte_span.append(('0123456789'):rep(100))) == ('0123456789'):rep(100))
`,
  'true\tfalse\tfalse\ttrue\ntrue\n',
);

spec(
  'self is checked',
  `
  local ok, e = pcall(byte_span.new(1).slice, {})
  print(e, e.arg)
`,
  'Invalid argument\t1\n',
);
