import { spec } from '../support/spec.ts';

// ── bytes ──────────────────────────────────────────────────────────────────────────────────────────

spec(
  'byte, char and sub count from 1, or from the end',
  `
  print(('abc'):byte(), (('abc'):byte(-1)), ('abc'):byte(2, 3))
  print(('abc'):byte(0, 2))
  print(select('#', ('abc'):byte(10)), select('#', ('abc'):byte(3, 2)))
  print(string.char(72, 105), #string.char(), #string.char(0, 255))
  print(('hello'):sub(2), ('hello'):sub(-3), ('hello'):sub(2, -2), ('hello'):sub(-100, 100))
  print('[' .. ('hello'):sub(4, 3) .. ']', ('hello'):sub(0), ('hello'):sub(-2, -2), #('x'):sub(2))
`,
  `97\t99\t98\t99
97\t98
0\t0
Hi\t0\t2
ello\tllo\tell\thello
[]\thello\tl\t0
`,
);

spec(
  'rep, reverse, lower and upper; letters beyond ASCII stay as they are',
  String.raw`
  print(('ab'):rep(3), ('ab'):rep(3, ','), ('ab'):rep(1, ','), #('ab'):rep(0), #('ab'):rep(-1))
  print(('abc'):reverse(), (('0123456789'):rep(10):reverse():sub(1, 12)))
  print(('aBc\xe4\xc4\xdf'):upper() == 'ABC\xe4\xc4\xdf', ('aBC\xe4\xc4'):lower() == 'abc\xe4\xc4')
  print(#('x'):rep(1000, ('y'):rep(9)), ('x'):len(), string.len(12), string.rep(1.5, 2))
`,
  `ababab\tab,ab,ab\tab\t0\t0
cba\t987654321098
true\ttrue
9991\t1\t2\t1.51.5
`,
);

spec(
  'a string that would be too long is an error',
  `
  print(pcall(string.rep, ('x'):rep(1000), 1e9))
`,
  `false\tnot enough memory
`,
);

// ── patterns ───────────────────────────────────────────────────────────────────────────────────────

spec(
  'find without special characters looks for the text itself',
  `
  print(('hello world'):find('wor'))
  print(('hello'):find('l', 4)) print(('hello'):find('xyz'))
  print(('a.b'):find('.', 1, true)) print(('a+b'):find('+', 1, true)) print(('abc'):find('b', -1))
  print(('abc'):find('')) print(('abc'):find('', 10)) print(('abc'):find('', -1)) print((''):find(''))
`,
  `7\t9
4\t4
nil
2\t2
2\t2
nil
1\t0
4\t3
3\t2
1\t0
`,
);

spec(
  'classes, sets and repetitions',
  String.raw`
  print(('THE (quick) fox'):find('%((%a+)%)'))
  print(('  trim me  '):match('^%s*(.-)%s*$') .. '|')
  print(('2024-01-02'):match('(%d+)-(%d+)-(%d+)'))
  print(('x = 0x1F;'):match('0x(%x+)'), ('a.b-c'):match('[%w.]+'), ('[x]'):match('[]]'), ('a-z'):match('[a-]+'))
  print(('a]b'):match('[^]]+'), ('^x'):match('[x^]+'), ('a%b'):match('%%(.)'), ('aXb'):match('%u'))
  print(('key'):match('k?e?z?y'), #('aaa'):match('a-'), ('aaab'):match('a-b'), ('b'):match('a*b'))
  print(('tab\there'):match('%c') == '\t', ('a b'):match('%g+'), ('\xe4'):match('%a'), ('\xe4'):match('%A') == '\xe4')
  print(('x'):match('.?.'), ('xyz'):match('^y'), ('xyz'):match('^x'), ('x$'):match('x$'), ('a$b'):match('a$b'))
`,
  `5\t11\tquick
trim me|
2024\t01\t02
1F\ta.b\t]\ta-
a\t^x\tb\tX
key\t0\taaab\tb
true\ta\tnil\ttrue
x\tnil\tx\tnil\ta$b
`,
);

spec(
  'captures: positions, nesting, references, balance, frontiers',
  String.raw`
  print(('hello'):find('(l)(l)()'))
  print(('hello'):match('()ll()'))
  print(('abc'):match('((a)(b))'))
  print(('say "it\'s"'):match('(["\'])(.-)%1'))
  print(('f(a(b)c)d'):match('%b()'), ('{[}]'):match('%b{}'), ('(()'):match('%b()'), ('xaxx'):match('%bxx'))
  print(('THE (quick) fox'):gsub('%f[%a]%a+', '<%0>'))
  print(('foo.bar'):find('%f[%.]')) print(('x'):find('%f[%z]')) print(('ab'):find('%f[^a]'))
  print(('word'):match('^(%w+)$'), ('two words'):match('^(%w+)$'), ('abab'):match('^(ab)%1$'), ('aba'):match('()%1'))
`,
  `3\t4\tl\tl\t5
3\t5
ab\ta\tb
"\tit's
(a(b)c)\t{[}\t()\txax
<THE> (<quick>) <fox>\t3
4\t3
2\t1
2\t1
word\tnil\tab\tnil
`,
);

spec(
  'a search may start anywhere',
  `
  print(('abcabc'):find('b', 3)) print(('abcabc'):find('[bc]', -2)) print(('abc'):find('^b', 2)) print(('abc'):match('^b', 3))
  print(('abc'):match('.', 100)) print(('abc'):match('.', -100)) print(('a b'):match('%f[%w]%w', 2))
`,
  `5\t5
5\t5
2\t2
nil
nil
a
b
`,
);

spec(
  'gmatch goes on after each match, and keeps its own place',
  `
  for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do print(k, v) end
  local t = {}
  for p in ('abc'):gmatch('()') do t[#t + 1] = p end
  print(table.concat(t, ' '))
  local one, two = ('1 2'):gmatch('%d'), ('x y'):gmatch('%a')
  print((one()), (two()), (one()), (two()), (one()), (two()))
  for w in ('^a a ^a'):gmatch('^a') do print(w) end
  for w in ('abc'):gmatch('b*') do print('[' .. w .. ']') end
`,
  `a\t1
b\t2
1 2 3 4
1\tx\t2\ty\tnil\tnil
^a
^a
[]
[b]
[]
[]
`,
);

spec(
  'gsub replaces by text, by a table and by a function',
  `
  print(('hello world'):gsub('o', '0'))
  print(('hello world'):gsub('(%w+)', '<%1>', 1))
  print(('hello world'):gsub('(%w+) (%w+)', '%2 %1'))
  print(('abc'):gsub('%w', '%0%0%%'))
  print(('$name is $age'):gsub('%$(%w+)', { name = 'Ann', age = 7 }))
  print(('$a $b $c'):gsub('%$(%w)', { a = false, b = 'x' }))
  print(('abc'):gsub('%w', function(c) if c ~= 'b' then return c:upper() end end))
  print(('k=v'):gsub('(%w)=(%w)', function(k, v) return v .. '=' .. k, 'ignored' end))
  print(('1,2'):gsub(',', 1.5))
  print(('abc'):gsub('b', setmetatable({}, { __index = function(_, k) return k .. k end })))
  print(('abc'):gsub('', '-'))
  print(('hello'):gsub('l*', 'x'))
  print(('aaa'):gsub('^a', 'b')) print(('aaa'):gsub('a', 'b', 0)) print(('aaa'):gsub('a', 'b', 2)) print(('aaa'):gsub('x', 'y'))
  print(('x y'):gsub('()', '%1'))
`,
  `hell0 w0rld\t2
<hello> world\t1
world hello\t1
aa%bb%cc%\t3
Ann is 7\t2
$a x $c\t3
AbC\t3
v=k\t1
11.52\t1
abbc\t1
-a-b-c-\t4
xhxexxox\t5
baa\t1
aaa\t0
bba\t2
aaa\t0
1x2 3y4\t4
`,
);

spec(
  'long texts with many replacements',
  `
  local s = ('abc '):rep(5000)
  local r, n = s:gsub('%a+', function(w) return w:upper() end)
  print(n, #r, r == ('ABC '):rep(5000))
  r, n = s:gsub(' ', (' '):rep(200))
  print(n, #r, (r:gsub(' +', ' ')) == s)
  print(#('a'):rep(1e6):match('^(a*)$'), ('a'):rep(1e6):match('^(a-)b'), #('('):rep(1e5):match('%(*'))
`,
  `5000\t20000\ttrue
5000\t1015000\ttrue
1000000\tnil\t100000
`,
);

spec(
  'bytes of value 0 are like any others, in texts and in patterns',
  String.raw`
  local s = 'a\0b\0'
  print(#s, s:find('\0')) print(s:find('%z', 3)) print(s:find('b\0')) print(s:find('[\0]', 3)) print((s:gsub('\0', '.')))
  print((('%s|%q'):format('a\0b', 'a\0b\0001'):gsub('%z', '0')))
`,
  `4\t2\t2
4\t4
3\t4
4\t4
a.b.
a0b|"a\\0b\\0001"
`,
);

spec(
  'mistakes in patterns are raised when matching comes to them',
  `
  local function try(...) print(select(2, pcall(...))) end
  try(string.find, 'a', 'a%') try(string.find, 'a', '[a') try(string.find, 'a', '[]') try(string.find, 'a', '[^') try(string.find, 'a', '[a%')
  try(string.find, 'a', '%b') try(string.find, 'a', '%bx') try(string.find, 'a', '%f') try(string.find, 'a', '%fa')
  try(string.find, 'a', '%1') try(string.find, 'a', '(%1)') try(string.find, 'a', '%0') try(string.match, 'a', 'a)') try(string.find, 'a', '(a')
  try(string.find, 'a', ('()'):rep(33))
  try(string.find, ('a'):rep(300), ('a?'):rep(250))
  try(string.gsub, 'a', 'a', '%2') try(string.gsub, 'a', '(a', '%1')
  try(string.gsub, 'a', 'a', function() return {} end)
  print(('b'):find('a%'), ('b'):match('a['), ('a'):find('a)'))
`,
  `malformed pattern (ends with '%')
malformed pattern (missing ']')
malformed pattern (missing ']')
malformed pattern (missing ']')
malformed pattern (missing ']')
unbalanced pattern
unbalanced pattern
missing '[' after '%f' in pattern
missing '[' after '%f' in pattern
invalid capture index
invalid capture index
invalid capture index
invalid pattern capture
unfinished capture
too many captures
pattern too complex
invalid capture index
unfinished capture
invalid replacement value (a table)
nil\tnil\tnil
`,
);

spec(
  'a pattern is not a regular expression of JavaScript',
  String.raw`
  print(('a|b'):match('a|b'), ('a{2}'):match('a{2}'), ('\\d'):match('\\d'), ('x/y'):match('x/y'), ('aa'):match('a{2}'))
  print(('constructor'):gsub('constructor', { constructor = 'c' })) print(('toString'):gsub('.+', {})) print(('__proto__'):gsub('.+', {}))
  print(('a'):gsub('a', '$&')) print(('a'):gsub('(a)', '$1')) print(('ab'):gsub('(a)(b)', '$2%2'))
  print(('\n'):match('.') == '\n', ('a\nb'):match('a$'), ('a\nb'):match('^b'), ('A'):match('a'))
`,
  `a|b\ta{2}\t\\d\tx/y\tnil
c\t1
toString\t1
__proto__\t1
$&\t1
$1\t1
$2b\t1
true\tnil\tnil\tnil
`,
);

// ── format ─────────────────────────────────────────────────────────────────────────────────────────

spec(
  'format converts integers as C does',
  `
  print(('%d|%5d|%-5d|%05d|%+d|% d|%.3d|%i'):format(42, 42, 42, 42, 42, 42, 42, '42'))
  print(('%d %d %d'):format(3.99, -3.99, -0.5), ('%.0d|'):format(0), ('%5.3d|%-+5d|%+05d'):format(-7, 7, 7))
  print(('%x %X %#x %o %#o %u %#X'):format(255, 255, 255, 8, 8, 7, 0))
  print(('%x %u %o'):format(-1, -1, -1))
  print(('%d %d %d'):format(2^53, 2^63, -2^70), ('%x %u'):format(2^63, 2^63))
  print(('%c%c%5c|%-3c|'):format(72, 105, 33, 46))
`,
  `42|   42|42   |00042|+42| 42|042|42
3 -3 0\t|\t -007|+7   |+0007
ff FF 0xff 10 010 7 0
ffffffffffffffff 18446744073709551615 1777777777777777777777
9007199254740992 -9223372036854775808 -9223372036854775808\t8000000000000000 9223372036854775808
Hi    !|.  |
`,
);

spec(
  'format converts floating-point numbers as C does, to the last digit',
  `
  print(('%.2f|%8.3f|%-8.1f|%08.2f|%+.0f|% f'):format(3.14159, 2.5, 1.75, -3.7, 2.6, 1))
  print(('%.20f'):format(0.1), ('%.0f'):format(2^70), ('%.1f'):format(1e22), #('%.99f'):format(1/3), #('%.0f'):format(1e300))
  print(('%e|%.1e|%.10e|%E'):format(12345.678, 26, 1/3, 1e-10))
  print(('%g|%g|%g|%g|%.3g|%#g|%G'):format(100000, 1e6, 1e-4, 1e-5, 2.5e10, 1, 1e-20))
  print(('%.14g|%.17g|%10.3g|%-10.3g|'):format(0.1, 0.1, 1.126, 1e100))
  print(('%5.1f|%f|%05f|%+g|%e|%F'):format(1/0, -1/0, 0/0, 1/0, 0/0, 1/0))
`,
  `3.14|   2.500|1.8     |-0003.70|+3| 1.000000
0.10000000000000000555\t1180591620717411303424\t10000000000000000000000.0\t101\t301
1.234568e+04|2.6e+01|3.3333333333e-01|1.000000E-10
100000|1e+06|0.0001|1e-05|2.5e+10|1.00000|1E-20
0.1|0.10000000000000001|      1.13|1e+100    |
  inf|-inf|  nan|+inf|nan|INF
`,
);

spec(
  'halfway between two texts, format takes the even digit, as C does',
  `
  print(('%.0f %.0f %.0f %.2f %.2f %.0e %.3g'):format(0.5, 1.5, 2.5, 0.125, 0.375, 25, 1.125))
`,
  `0 2 2 0.12 0.38 2e+01 1.12
`,
);

spec(
  'a format that is used often does what it did the first time',
  `
  local flags = {'', '0', '-', '+', ' ', '#', '-0', '05', '2', '-3', '08', '.3', '6.2', '06.4', '99'}
  local numbers = {0, -0, 7, 99, 255, 256, 1970, 65536, 2^31 - 1, 2^31, -1, -256, 2^53, 2.5, '12'}
  local texts = {'', 'a', 'seven b', 'a longer text', 12, true}
  local made = 0
  local function compare(pattern, values)
    -- Another text each time, so that none has been used before.
    local firsts = {}
    for i, v in ipairs(values) do firsts[i] = (pattern .. (' '):rep(i)):format(v) end
    for _ = 1, 40 do
      for i, v in ipairs(values) do
        local now = pattern:format(v) .. (' '):rep(i)
        made = made + 1
        if now ~= firsts[i] then print(pattern, v, firsts[i], now) end
      end
    end
  end
  for _, flag in ipairs(flags) do
    for letter in ('diuxXoc'):gmatch('.') do compare('<%' .. flag .. letter .. '>', numbers) end
    if flag:find('^[-.%d]*$') then compare('<%' .. flag .. 's>', texts) end
  end
  for i = 1, 300 do
    local s = ('%02x|%02X|%3d|%-4d|%c'):format(i % 256, i % 256, i, i, 65 + i % 26)
    if i % 75 == 0 then print(s) end
  end
  print(made)
`,
  `4b|4B| 75|75  |X
96|96|150|150 |U
e1|E1|225|225 |R
2c|2C|300|300 |O
65880
`,
);

spec(
  'format writes hexadecimal floating-point numbers',
  `
  print(('%a %a %a %a %A'):format(1, 0.5, -10.25, 0, 255.5))
  print(('%.2a %.0a %10a| %-10a| %010a'):format(1/3, 1.5, 1, 1, 1))
  print(('%a'):format(2^-1074), ('%+a'):format(1/0), ('%.20a'):format(1))
`,
  `0x1p+0 0x1p-1 -0x1.48p+3 0x0p+0 0X1.FFP+7
0x1.55p-2 0x2p+0     0x1p+0| 0x1p+0    | 0x00001p+0
0x1p-1074\t+inf\t0x1.00000000000000000000p+0
`,
);

spec(
  'format pads and cuts strings, and quotes them so that Lua reads them back',
  String.raw`
  print(('%s|%5s|%-5s|%.2s|%5.1s|%.0s|'):format('ab', 'ab', 'ab', 'abc', 'xyz', 'gone'))
  print(('%s %s %s %s'):format(nil, true, 12, 1.5), ('%%'):format(), ('100%% %s'):format('sure'))
  print(('%q'):format('a "b" \\ c\n\r\0\0012\127'))
  local s = '' for i = 0, 255 do s = s .. string.char(i) end
  print(loadstring('return ' .. ('%q'):format(s))() == s)
`,
  `ab|   ab|ab   |ab|    x||
nil true 12 1.5\t%\t100% sure
"a \\"b\\" \\\\ c\\
\\13\\0\\0012\\127"
true
`,
);

spec(
  'what format cannot do',
  `
  local function try(...) print(select(2, pcall(string.format, ...))) end
  try('%y', 1) try('%', 1) try('%10.123f', 1) try('%-') try('%5') try('%123d', 1)
  print(select(2, pcall(function() string.format('%d') end)))
  print(select(2, pcall(function() string.format('%d', 'x') end)))
  print(select(2, pcall(function() string.format('%d', {}) end)))
  print(select(2, pcall(function() string.format('%s %s', 1) end)))
  print(select(2, pcall(function() string.format('%d', nil) end)))
  print(select(2, pcall(function() string.format('%c', 'a') end)))
`,
  `invalid option '%y' to 'format'
invalid option '%' to 'format'
invalid option '%10.123' to 'format'
invalid option '%-' to 'format'
invalid option '%5' to 'format'
invalid option '%123' to 'format'
main.lua:4: bad argument #2 to 'format' (value expected)
main.lua:5: bad argument #2 to 'format' (number expected, got string)
main.lua:6: bad argument #2 to 'format' (number expected, got table)
main.lua:7: bad argument #3 to 'format' (value expected)
main.lua:8: bad argument #2 to 'format' (number expected, got nil)
main.lua:9: bad argument #2 to 'format' (number expected, got string)
`,
);

// ── callbacks ──────────────────────────────────────────────────────────────────────────────────────

spec(
  'a gsub callback may suspend at every match',
  `
  local co = coroutine.wrap(function()
    return ('a b c'):gsub('%a', function(c) return coroutine.yield(c) end)
  end)
  print(co()) print(co('1')) print(co(false)) print(co('3'))
`,
  `a
b
c
1 b 3\t3
`,
);

spec(
  'callbacks of different runs over the same pattern do not disturb each other',
  `
  local function run(s)
    return coroutine.wrap(function()
      return (s:gsub('(%a)(%d)', function(a, d) coroutine.yield(a) return d .. a end))
    end)
  end
  local x, y = run('a1 b2'), run('c3 d4 e5')
  print(x(), y(), x(), y(), x(), y(), y())
  print((('abc'):gsub('%a', function(c) return (('xyz'):gsub('%a', c)) end)))
`,
  `a\tc\tb\td\t1a 2b\te\t3c 4d 5e
aaabbbccc
`,
);

spec(
  'gsub looks up through __index, which may suspend',
  `
  local t = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end })
  local co = coroutine.wrap(function() return ('$x-$y'):gsub('%$(%w)', t) end)
  print(co()) print(co('one')) print(co(nil))
`,
  `x
y
one-$y\t2
`,
);

spec(
  'format calls __tostring, which may suspend',
  `
  local T = { __tostring = function(t) coroutine.yield('in ' .. t.name) return '<' .. t.name .. '>' end }
  local a, b = setmetatable({ name = 'a' }, T), setmetatable({ name = 'b' }, T)
  local co = coroutine.wrap(function() return ('%s and %5s %d %q'):format(a, b, 3, a) end)
  print(co()) print(co()) print(co()) print(co())
  print(('%s'):format(setmetatable({}, { __tostring = function() return 'plain' end })))
`,
  `in a
in b
in a
<a> and   <b> 3 "<a>"
plain
`,
);

spec(
  'errors of a callback travel on, and a callback may catch its own',
  `
  print(pcall(string.gsub, 'abc', '.', function(c) if c == 'b' then error('no b', 0) end end))
  print((('abc'):gsub('.', function(c) return select(2, pcall(error, c .. '!', 0)) end)))
`,
  `false\tno b
a!b!c!
`,
);

spec(
  'arguments are checked',
  `
  print(select(2, pcall(function() string.rep('x', {}) end)))
  print(select(2, pcall(function() string.sub(nil) end)))
  print(select(2, pcall(function() string.char(256) end)))
  print(select(2, pcall(function() string.char(65, -1) end)))
  print(select(2, pcall(function() ('x'):rep(9000):byte(1, -1) end)))
  print(select(2, pcall(function() string.gsub('a', 'a', true) end)))
  print(select(2, pcall(function() string.dump(print) end)))
`,
  `main.lua:2: bad argument #2 to 'rep' (number expected, got table)
main.lua:3: bad argument #1 to 'sub' (string expected, got nil)
main.lua:4: bad argument #1 to 'char' (invalid value)
main.lua:5: bad argument #2 to 'char' (invalid value)
main.lua:6: string slice too long
main.lua:7: bad argument #3 to 'gsub' (string/function/table expected)
main.lua:8: unable to dump given function
`,
);

spec(
  'a format that is used often does the same for arguments of all kinds',
  `
  local object = setmetatable({}, { __tostring = function() return 'object' end })
  local function all(i)
    return string.format('%d|%5.1f|%x|%s|%-4s|%q|%g|%e|%5d|%c', i, i / 4, i, 'x', 'y', 'a"b', i / 3, i * 1000, -i, 65)
  end
  local last
  for i = 1, 100 do last = all(i) end
  print(last)
  local text = '%d %s %x %.2f'
  for i = 1, 100 do string.format(text, i, 'a', i, i) end
  print(string.format(text, 2^53, object, -1, '7'))
  print(string.format(text, -0.0, true, 255.9, 1/0), string.format(text, '12', nil, '0x10', 0/0))
  print(pcall(string.format, text, 1, 2, 3))
  print(select(2, pcall(string.format, text, 1, 2, {}, 4)))
`,
  `100| 25.0|64|x|y   |"a\\"b"|33.3333|1.000000e+05| -100|A
9007199254740992 object ffffffffffffffff 7.00
0 true ff inf\t12 nil 10 nan
false\tbad argument #5 to 'format' (value expected)
bad argument #4 to 'format' (number expected, got table)
`,
);

spec(
  'a pattern that is used often does the same',
  `
  local seen = {}
  for i = 1, 100 do
    local s = 'key' .. i .. ' = [v(' .. i .. ')] ;'
    seen[1], seen[2], seen[3] = s:match('^(%a+)()%d* = %[(.-)%]')
    seen[4] = s:match('%b()')
    seen[5], seen[6] = s:find('%f[%d]%d+', 6)
    seen[7] = s:gsub('%s+', '')
    seen[8] = s:match('x*$')
  end
  print(unpack(seen, 1, 8))
`,
  'key\t4\tv(100)\t(100)\t13\t15\tkey100=[v(100)];\t\n',
);
