import { spec } from '../support/spec.ts';

spec(
  'match: all of a text; the groups, the text itself without groups, nil',
  `
  local regex = require 'regex'
  local date = regex.new { pattern = [[(\\d{4})-(\\d\\d)(-(\\d\\d))?]], grammar = 'ecma' }
  print(regex.match(date, '2026-11-25'))
  print(regex.match(date, '2026-11') == '2026', select('#', regex.match(date, '2026-11')))
  print(select(3, regex.match(date, '2026-11')) == '', regex.match(date, '2026-11-25 '))
  local word = regex.new { pattern = '[a-z]+', grammar = 'extended' }
  print(regex.match(word, 'hello'), regex.match(word, 'Hello'), regex.match(word, ''))
  print(regex.match(regex.new { pattern = 'a*', grammar = 'basic' }, '') == '')
`,
  '2026\t11\t-25\t25\ntrue\t4\ntrue\tnil\nhello\tnil\tnil\ntrue\n',
);

spec(
  'match: a span gives spans of the same memory, and appending to them does not write into it',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = '([a-z]+)=([0-9]*)(;x)?', grammar = 'extended' }
  local b = byte_span.append('--key=42--'):slice(3, 8)
  local key, value, none = regex.match(re, b)
  print(key, value, #none, type(key), key.capacity)
  key[1] = 75
  print(b)
  key:append('!!!')
  print(b)
  local plain = regex.new { pattern = '.+', grammar = 'ecma' }
  print(regex.match(plain, b) == b, rawequal(regex.match(plain, b), b), regex.match(plain, b:slice(1, 0)))
`,
  'key\t42\t0\tuserdata\t3\nKey=42\nKey=42\ntrue\ttrue\tnil\n',
);

spec(
  'search: where the match and its groups are, counted from 1; groups that took no part are missing',
  `
  local regex = require 'regex'
  local function show(m, n)
    if m.empty then print('none', m[0]) return end
    local t = {}
    for i = 0, n do t[#t + 1] = m[i] and m[i].start .. '-' .. m[i].end_ or 'nil' end
    print(table.concat(t, ' '))
  end
  local re = regex.new { pattern = '(a)|(b+)', grammar = 'ecma' }
  show(regex.search(re, 'xxbbba'), 2)
  show(regex.search(re, 'xxabbb'), 2)
  show(regex.search(re, 'xyz'), 2)
  show(regex.search(re, byte_span.append('....b'):slice(3)), 2)
  show(regex.search(regex.new { pattern = 'z*', grammar = 'ecma' }, 'aaz'), 0)
  show(regex.search(regex.new { pattern = '$', grammar = 'ecma' }, 'aaz'), 0)
  -- Groups in a long text: they are where V8's match is.
  local pair = regex.new { pattern = '\\\\b(\\\\w+)=(\\\\w+)$', grammar = 'ecma' }
  show(regex.search(pair, ('x=1 '):rep(1000) .. 'name=value'), 2)
`,
  '3-5 nil 3-5\n3-3 3-3 nil\nnone\tnil\n3-3 nil 3-3\n1-0\n4-3\n4001-4010 4001-4004 4006-4010\n',
);

spec(
  'split: what is between matches, at the ends too; empty matches split nothing',
  `
  local regex = require 'regex'
  local function show(t)
    for i = 1, #t do t[i] = '[' .. tostring(t[i]) .. ']' end
    print(#t, table.concat(t))
  end
  local comma = regex.new { pattern = ' *, *', grammar = 'extended' }
  show(regex.split(comma, 'a , b,c,,d'))
  show(regex.split(comma, ',a,'))
  show(regex.split(comma, 'abc'))
  show(regex.split(comma, ''))
  show(regex.split(comma, byte_span.append('a,  b')))
  show(regex.split(regex.new { pattern = 'x*', grammar = 'ecma' }, 'axxbc'))
  show(regex.split(regex.new { pattern = '^a', grammar = 'ecma' }, 'aab'))
  show(regex.split(regex.new { pattern = '^a', grammar = 'ecma' }, byte_span.append('aab')))
  local spans = regex.split(comma, byte_span.append('one,two'))
  spans[1]:append('!')
  print(spans[2])
`,
  '5\t[a][b][c][][d]\n3\t[][a][]\n1\t[abc]\n0\t\n2\t[a][b]\n2\t[a][bc]\n2\t[][ab]\n2\t[][ab]\ntwo\n',
);

spec(
  'patsplit: the matches that are not empty, adjacent ones too',
  `
  local regex = require 'regex'
  local function show(t)
    for i = 1, #t do t[i] = '[' .. tostring(t[i]) .. ']' end
    print(#t, table.concat(t))
  end
  local field = regex.new { pattern = '"[^"]*"|[^," ]+', grammar = 'extended' }
  show(regex.patsplit(field, 'one, "two, three",4'))
  show(regex.patsplit(regex.new { pattern = '[0-9]', grammar = 'basic' }, '1234'))
  show(regex.patsplit(regex.new { pattern = 'a*', grammar = 'ecma' }, 'baab'))
  show(regex.patsplit(field, ''))
  show(regex.patsplit(field, byte_span.append('x y')))
`,
  '3\t[one]["two, three"][4]\n4\t[1][2][3][4]\n1\t[aa]\n0\t\n2\t[x][y]\n',
);

spec(
  'where a pattern prefers no byte at all, split and patsplit still look for a match with some',
  `
  local regex = require 'regex'
  local byte_span = require 'byte_span'
  for _, pattern in ipairs { 'a*?', '|a', '(?:)|b', 'a??b??', 'x*|,' } do
    local re = regex.new { pattern = pattern, grammar = 'ecma' }
    local of_spans = {}
    for i, span in ipairs(regex.split(re, byte_span.append('xab,b'))) do of_spans[i] = tostring(span) end
    print(pattern, table.concat(regex.split(re, 'xab,b'), '|'), table.concat(of_spans, '|'),
      table.concat(regex.patsplit(re, 'xab,b'), '|'))
  end
  `,
  `a*?	x|b,b	x|b,b	a
|a	x|b,b	x|b,b	a
(?:)|b	xa|,|	xa|,|	b|b
a??b??	x||,|	x||,|	a|b|b
x*|,	|ab|b	|ab|b	x|,
`,
);

spec(
  'split and patsplit refuse patterns with groups, unless they are told to have none',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = '(,)', grammar = 'ecma' }
  for _, f in ipairs { regex.split, regex.patsplit } do
    local ok, e = pcall(f, re, 'a,b')
    print(ok, e)
  end
  local quiet = regex.new { pattern = '(,)', grammar = 'ecma', nosubs = true }
  print(#regex.split(quiet, 'a,b'), #regex.patsplit(quiet, 'a,b'), quiet.mark_count, regex.match(quiet, ','))
`,
  'false\tOperation not supported\nfalse\tOperation not supported\n2\t1\t0\t,\n',
);

spec(
  'properties tell how it was made',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = '(a)(b(c))', grammar = 'basic', ignore_case = true, optimize = true }
  print(re.mark_count, re.grammar, re.ignore_case, re.nosubs, re.optimized, re.max_steps)
  re = regex.new { pattern = '(a)(b(c))', grammar = 'ecma', max_steps = 99 }
  print(re.mark_count, re.grammar, re.ignore_case, re.nosubs, re.optimized, re.max_steps)
  print(getmetatable(re), type(re))
  print(pcall(function() return re.pattern_ end))
  print(pcall(function() re.grammar = 'basic' end))
`,
  "0\tbasic\ttrue\tfalse\ttrue\t10000000\n3\tecma\tfalse\tfalse\tfalse\t99\nregex\tuserdata\nfalse\tRequested key wasn't found in the table/userdata\nfalse\tOperation not permitted\n",
);

spec(
  'new: what must be there, and what it may be',
  `
  local regex = require 'regex'
  local function try(t)
    local ok, e = pcall(regex.new, t)
    print(e, type(e) == 'table' and e.arg or '')
  end
  try(nil)
  try({})
  try({ pattern = 'a' })
  try({ pattern = {}, grammar = 'ecma' })
  try({ pattern = 'a', grammar = 'awk' })
  try({ pattern = 'a', grammar = 'ecma', ignore_case = 1 })
  try({ pattern = 'a', grammar = 'ecma', nosubs = 'yes' })
  try({ pattern = 'a', grammar = 'ecma', optimize = 0 })
  try({ pattern = 'a', grammar = 'ecma', max_steps = 0 })
`,
  "bad argument #1 to 'new' (table expected, got nil)\t\n" +
    "bad argument #1 to 'new' (field 'pattern': string expected, got nil)\t\n" +
    "bad argument #1 to 'new' (field 'grammar': string expected, got nil)\t\n" +
    "bad argument #1 to 'new' (field 'pattern': string expected, got table)\t\n" +
    'Invalid argument\tgrammar\n' +
    'Invalid argument\tignore_case\n' +
    'Invalid argument\tnosubs\n' +
    'Invalid argument\toptimize\n' +
    'Invalid argument\tmax_steps\n',
);

spec(
  'patterns that are wrong: category regex, and where',
  `
  local regex = require 'regex'
  for _, p in ipairs { '(', 'a)', '[b', '*', 'a{2', 'a{2,1}', [[\\]], [[(a)\\2]], '[z-a]', '[[:no:]]', '[[.no.]]', 'a{9999}' } do
    local ok, e = pcall(regex.new, { pattern = p, grammar = 'ecma' })
    print(p, e, e.code, e.category, e.offset)
  end
`,
  "(\tthe expression contains mismatched parentheses ('(' and ')')\t6\tregex\t1\n" +
    "a)\tthe expression contains mismatched parentheses ('(' and ')')\t6\tregex\t2\n" +
    "[b\tthe expression contains mismatched square brackets ('[' and ']')\t5\tregex\t1\n" +
    '*\tone of *?+{ was not preceded by a valid regular expression\t11\tregex\t1\n' +
    "a{2\tthe expression contains mismatched curly braces ('{' and '}')\t7\tregex\t2\n" +
    'a{2,1}\tthe expression contains an invalid range in a {} expression\t8\tregex\t2\n' +
    '\\\tthe expression contains an invalid escaped character or a trailing escape\t3\tregex\t1\n' +
    '(a)\\2\tthe expression contains an invalid back reference\t4\tregex\t4\n' +
    '[z-a]\tthe expression contains an invalid character range (e.g. [b-a])\t9\tregex\t3\n' +
    '[[:no:]]\tthe expression contains an invalid character class name\t2\tregex\t2\n' +
    '[[.no.]]\tthe expression contains an invalid collating element name\t1\tregex\t2\n' +
    'a{9999}\tthere was not enough memory to convert the expression into a finite state machine\t10\tregex\t2\n',
);

spec(
  'match flags: the ends of the text are no ends of a line or word; not empty; only at the start',
  `
  local regex = require 'regex'
  local flag = regex.match_flag
  local function at(pattern, text, ...)
    local m = regex.search(regex.new { pattern = pattern, grammar = 'ecma' }, text, ...)
    return m.empty and 'none' or m[0].start .. '-' .. m[0].end_
  end
  print(at('^a', 'a'), at('^a', 'a', flag.not_bol))
  print(at('a$', 'a'), at('a$', 'a', flag.not_eol))
  print(at([[\\ba]], 'a'), at([[\\ba]], 'a', flag.not_bow))
  print(at([[a\\b]], 'a'), at([[a\\b]], 'a', flag.not_eow))
  print(at('a*', 'baa'), at('a*', 'baa', flag.not_null))
  print(at('a', 'ba'), at('a', 'ba', flag.continuous), at('b', 'ba', flag.continuous))
  print(at('^a$', 'a', bit.bor(flag.not_bol, flag.not_eol)), at('a', 'a', flag.any))
  local re = regex.new { pattern = '^a', grammar = 'ecma' }
  print(regex.match(re, 'a', flag.not_bol), regex.match(re, 'a', 0))
  for _, bad in ipairs { 1.5, -1, 128, 'x' } do print(pcall(regex.search, re, 'a', bad)) end
`,
  '1-1\tnone\n1-1\tnone\n1-1\tnone\n1-1\tnone\n1-0\t2-3\n2-2\tnone\t1-1\nnone\t1-1\nnil\ta\n' +
    'false\tInvalid argument\n'.repeat(4),
);

spec(
  'arguments that are wrong',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = 'a', grammar = 'ecma' }
  for _, f in ipairs { 'match', 'search', 'split', 'patsplit' } do
    for _, args in ipairs { { n = 0 }, { 'a', 'a', n = 2 }, { re, n = 1 }, { re, 12, n = 2 }, { re, {}, n = 2 } } do
      local ok, e = pcall(regex[f], unpack(args, 1, args.n))
      io = e.arg
      if ok or tostring(e) ~= 'Invalid argument' then print(f, ok, e) end
    end
  end
  local ok, e = pcall(regex.match, re, 12)
  print(e, e.arg)
  ok, e = pcall(regex.match, 're', 'a')
  print(e, e.arg)
`,
  'Invalid argument\t2\nInvalid argument\t1\n',
);

spec(
  'bytes are bytes: NUL, and what is no UTF-8',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = '[\\128-\\255]+', grammar = 'ecma' }
  local m = regex.search(re, 'a\\0\\200\\201z')
  print(m[0].start, m[0].end_)
  print(#regex.split(regex.new { pattern = '\\0', grammar = 'ecma' }, 'a\\0b\\0'))
  print(regex.match(regex.new { pattern = '.', grammar = 'ecma' }, 'é'), #regex.match(regex.new { pattern = '..', grammar = 'ecma' }, 'é'))
`,
  '3\t4\n3\nnil\t2\n',
);

spec(
  'a hostile pattern or text costs time in proportion to the text, or is an error',
  `
  local regex = require 'regex'
  local a = ('a'):rep(50000)
  for _, grammar in ipairs { 'ecma', 'extended' } do
    for _, p in ipairs { '^(a+)+$', '^(a|a)*$', '(a*)*b', '(.*)(.*)(.*)(.*)x', 'a*a*a*a*a*c' } do
      local re = regex.new { pattern = p, grammar = grammar }
      assert(regex.search(re, a .. '-').empty)
      assert(regex.match(re, a .. '-') == nil)
      assert(regex.search(re, byte_span.append(a, '-')).empty)
    end
  end
  local re = regex.new { pattern = [[^(a+)+\\1$]], grammar = 'ecma', max_steps = 100000 }
  print(regex.match(re, 'aaaa'))
  local ok, e = pcall(regex.match, re, a .. '-')
  print(e, e.code, e.category, e.offset)
`,
  'a\nthe complexity of an attempted match exceeded a predefined level\t12\tregex\tnil\n',
  { once: true },
);

spec(
  'many fibers use one object: matching never suspends',
  `
  local regex = require 'regex'
  local re = regex.new { pattern = '(a+)(b+)', grammar = 'extended' }
  local fibers = {}
  for i = 1, 20 do
    fibers[i] = spawn(function()
      for j = 1, 20 do
        local a, b = regex.match(re, ('a'):rep(i) .. ('b'):rep(j))
        assert(#a == i and #b == j)
        this_fiber.yield()
      end
    end)
  end
  for _, f in ipairs(fibers) do f:join() end
  print('done')
`,
  'done\n',
);

spec(
  'scanner: records and fields by regular expressions',
  `
  local stream = require 'stream'
  local regex = require 'regex'
  -- A stream of one byte at a time.
  local function trickle(text)
    local at = 0
    return { read_some = function(_, buf)
      this_fiber.yield()
      if at == #text then error(require('asio_error').misc.eof, 0) end
      at = at + 1
      return buf:copy(text:sub(at, at))
    end }
  end
  local function show(s)
    while true do
      local ok, record = pcall(s.get_line, s)
      if not ok then print(record) return end
      local t = {}
      if type(record) == 'table' then
        for i = 1, #record do t[i] = '<' .. tostring(record[i]) .. '>' end
      else
        t[1] = tostring(record)
      end
      print(s.record_number, table.concat(t), (tostring(s.record_terminator):gsub('\\n', '/')))
    end
  end
  show(stream.scanner.new {
    stream = trickle('one;two\\n\\n\\nthree, four\\n\\nfive'),
    record_separator = regex.new { pattern = '\\n\\n+', grammar = 'extended' },
    field_separator = regex.new { pattern = '[;,] *', grammar = 'extended' },
  })
  show(stream.scanner.new {
    stream = trickle('a1b22  c333'),
    record_separator = regex.new { pattern = '[0-9]+', grammar = 'ecma' },
  })
  show(stream.scanner.new {
    stream = trickle('x=1,y="2,3"\\n'),
    record_separator = '\\n',
    field_pattern = regex.new { pattern = '[a-z]+=("[^"]*"|[^,]*)', grammar = 'extended', nosubs = true },
  })
`,
  '1\t<one><two>\t///\n2\t<three><four>\t//\n3\t<five>\t\nEnd of file\n' +
    '1\ta\t1\n2\tb\t22\n3\t  c\t333\nEnd of file\n' +
    '1\t<x=1><y="2,3">\t/\nEnd of file\n',
);

spec(
  "scanner: awk's separator is a regex like others",
  `
  local stream = require 'stream'
  local regex = require 'regex'
  local fs = stream.scanner.with_awk_defaults({}).field_separator
  print(getmetatable(fs), fs.grammar, fs.mark_count, fs.optimized)
  print(table.concat(regex.split(fs, 'a \\t b\\nc'), '|'))
`,
  'regex\textended\t0\ttrue\na|b|c\n',
);
