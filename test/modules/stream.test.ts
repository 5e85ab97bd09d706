import { spec } from '../support/spec.ts';

/** A stream in Lua: each call of read_some gives the next piece, after a switch of fibers. */
const PIECES = `
  local stream, eof = require 'stream', require('asio_error').misc.eof
  local function pieces(list)
    local i = 0
    return {
      read_some = function(self, buf)
        this_fiber.yield()
        i = i + 1
        if not list[i] then error(eof) end
        if #list[i] > #buf then
          local n = buf:copy(list[i])
          list[i] = list[i]:sub(n + 1)
          i = i - 1
          return n
        end
        return buf:copy(list[i])
      end,
      read = function() return i end,
    }
  end
  local function lines(s, show)
    show = show or function(x) return '[' .. tostring(x) .. ']' end
    while true do
      local ok, line = pcall(s.get_line, s)
      if not ok then print(line) return end
      print(s.record_number, show(line), s.record_terminator)
    end
  end
  local function fields(t)
    local text = {}
    for i, f in ipairs(t) do text[i] = tostring(f) end
    return #t .. ':' .. table.concat(text, '|')
  end
`;

spec(
  'read_all fills the buffer from as many reads as it takes',
  `${PIECES}
  local b = byte_span.new(6)
  print(stream.read_all(pieces{'a', 'bcd', 'efgh'}, b), b)
  local b = byte_span.append('......')
  print(pcall(stream.read_all, pieces{'ab', 'c'}, b))
  print(b, stream.read_all({}, byte_span.new(0)))
`,
  '6\tabcdef\nfalse\tEnd of file\nabc...\t0\n',
);

spec(
  'read_at_least stops as soon as there is enough',
  `${PIECES}
  local b = byte_span.append('........')
  print(stream.read_at_least(pieces{'a', 'bcd', 'ef'}, b, 3), b)
  print(stream.read_at_least(pieces{'aaaa', 'bcde', 'ef'}, b, 100), b)
  print(stream.read_at_least({}, b, 0))
`,
  '4\tabcd....\n8\taaaabcde\n0\n',
);

spec(
  'write_all takes strings and spans, write_at_least spans',
  `
  local stream = require 'stream'
  local out = {}
  local sink = {write_some = function(self, b) this_fiber.yield() out[#out + 1] = tostring(b:first(math.min(#b, 3))) return math.min(#b, 3) end}
  print(stream.write_all(sink, 'abcdefgh'), table.concat(out, '|')) out = {}
  print(stream.write_all(sink, byte_span.append('wxyz')), table.concat(out, '|')) out = {}
  print(stream.write_at_least(sink, byte_span.append('abcdefgh'), 4), table.concat(out, '|'))
  print(stream.write_all(sink, ''))
`,
  '8\tabc|def|gh\n4\twxy|z\n6\tabc|def\n0\n',
);

spec(
  'wrong arguments and streams that lie',
  `
  local stream = require 'stream'
  local b = byte_span.new(3)
  for _, f in ipairs{
    function() stream.read_all({}, 'x') end, function() stream.read_all(nil, b) end,
    function() stream.read_at_least({}, b) end,
    function() stream.read_all({read_some = function() return 4 end}, b) end,
    function() stream.read_all({read_some = function() end}, b) end,
  } do
    local ok, e = pcall(f)
    print(e, e.arg)
  end
`,
  'Invalid argument\t2\nInvalid argument\t1\nInvalid argument\t3\n' +
    'Invalid argument\tnil\n'.repeat(2),
);

spec(
  'errors of the stream come through',
  `
  local stream = require 'stream'
  print(pcall(stream.read_all, {read_some = function() this_fiber.yield() error('broken', 0) end}, byte_span.new(1)))
`,
  'false\tbroken\n',
);

spec(
  'scanner: lines, the last one unterminated',
  `${PIECES}
  lines(stream.scanner.new{stream = pieces{'one\\ntw', 'o\\n', '\\nthr', 'ee'}})
`,
  '1\t[one]\t\n\n2\t[two]\t\n\n3\t[]\t\n\n4\t[three]\t\nEnd of file\n',
);

spec(
  'scanner: a separator of several bytes may be split between reads',
  `${PIECES}
  lines(stream.scanner.new{stream = pieces{'a\\r', '\\nb\\rc\\r\\n', 'd\\r'}, record_separator = '\\r\\n'})
`,
  '1\t[a]\t\r\n\n2\t[b\rc]\t\r\n\n3\t[d\r]\t\nEnd of file\n',
);

spec(
  'scanner: new turns the options into the scanner',
  `
  local stream = require 'stream'
  local opts = {buffer_size_hint = 10}
  local s = stream.scanner.new(opts)
  print(rawequal(s, opts), getmetatable(s) == stream.scanner.mt, s.buffer_size_hint, s.record_number, #s.record_separator)
  local ok, e = pcall(s.get_line, s) print(e, e.arg)
  local ok, e = pcall(s.get_line, {}) print(e, e.arg)
  local ok, e = pcall(stream.scanner.new, 1) print(e, e.arg)
`,
  'true\ttrue\tnil\t0\t1\nInvalid argument\tstream\nInvalid argument\t1\nInvalid argument\t1\n',
);

spec(
  'scanner: options that it can do nothing with are errors, and lose nothing',
  `${PIECES}
  local regex = require 'regex'
  local groups = regex.new { pattern = '(b)|[ ]', grammar = 'ecma' }
  local run = regex.new { pattern = '([ ]+)', grammar = 'ecma' }
  for _, bad in ipairs {
    { 'field_separator', groups }, { 'field_separator', run }, { 'field_pattern', groups }, { 'trim_record', 1 },
    { 'field_separator', 1 }, { 'field_pattern', 'x' },
  } do
    local s = stream.scanner.new{stream = pieces{'a b\\n'}, [bad[1]] = bad[2]}
    local ok, e = pcall(s.get_line, s)
    print(bad[1], e, e.arg, s:buffered_line())
  end
`,
  'field_separator\tOperation not supported\tnil\ta b\n'.repeat(2) +
    'field_pattern\tOperation not supported\tnil\ta b\n' +
    'trim_record\tInvalid argument\ttrim_record\ta b\n' +
    'field_separator\tInvalid argument\tfield_separator\ta b\n' +
    'field_pattern\tInvalid argument\tfield_pattern\ta b\n',
);

spec(
  'scanner: a field separator splits exactly',
  `${PIECES}
  lines(stream.scanner.new{stream = pieces{'a,b,,c\\n\\n,\\nlast'}, field_separator = ','}, fields)
  lines(stream.scanner.new{stream = pieces{'a::b:c\\n::\\n'}, field_separator = '::'}, fields)
`,
  '1\t4:a|b||c\t\n\n2\t0:\t\n\n3\t2:|\t\n\n4\t1:last\t\nEnd of file\n' +
    '1\t2:a|b:c\t\n\n2\t2:|\t\n\nEnd of file\n',
);

spec(
  'scanner: a function as field separator gets the record and may suspend',
  `${PIECES}
  local s = stream.scanner.new{
    stream = pieces{'a-b\\nc'},
    field_separator = function(record) this_fiber.yield() return '<' .. tostring(record) .. '>' end,
  }
  lines(s)
`,
  '1\t[<a-b>]\t\n\n2\t[<c>]\t\nEnd of file\n',
);

spec(
  'scanner: awk defaults',
  `${PIECES}
  lines(stream.scanner.with_awk_defaults(pieces{'  a \\t bb\\r\\n', '\\n   \\nx y  z', ' '}), fields)
`,
  '1\t2:a|bb\t\n\n2\t0:\t\n\n3\t0:\t\n\n4\t3:x|y|z\t\nEnd of file\n',
);

spec(
  'scanner: trimming',
  `${PIECES}
  lines(stream.scanner.new{stream = pieces{' a b \\n\\t\\n'}, trim_record = true})
  lines(stream.scanner.new{stream = pieces{'--a--\\n'}, trim_record = '-'})
`,
  '1\t[a b]\t\n\n2\t[]\t\n\nEnd of file\n1\t[a]\t\n\nEnd of file\n',
);

spec(
  'scanner: options may change between records',
  `${PIECES}
  local s = stream.scanner.new{stream = pieces{'a b\\nc,d;e f'}}
  print(s:get_line())
  s.record_separator = ';'
  s.field_separator = ','
  print(fields(s:get_line()))
  s.field_separator = nil
  print(s:get_line(), s.record_number)
`,
  'a b\n2:c|d\ne f\t3\n',
);

spec(
  'scanner: another separator looks at all that is buffered, and none is trimmed off where there is nothing to trim',
  `${PIECES}
  local s = stream.scanner.new{stream = pieces{'a b;c '}, max_record_size = 3}
  print(pcall(s.get_line, s))
  s.record_separator = ' '
  print(s:get_line())
  s.record_separator, s.trim_record = ';', ''
  print(s:get_line(), #s:get_line())
`,
  'false\tMessage too long\na\nb\t2\n',
);

spec(
  'scanner: a string or a span in place of a stream, and another one after it',
  `${PIECES}
  local s = stream.scanner.new{stream = 'one\\ntwo\\nthree', buffer_size_hint = 2}
  print(s:get_line(), s:get_line())
  print(s:get_line(), pcall(s.get_line, s))
  s.stream = byte_span.append('....four\\n'):sub(5)
  print(s:get_line(), pcall(s.get_line, s))
  print(pcall(s.get_line, stream.scanner.new{stream = ''}))
  local long = ('x'):rep(50000)
  print(#stream.scanner.new{stream = long .. '\\n'}:get_line(), fields(stream.scanner.with_awk_defaults('a b'):get_line()))
`,
  'one\ttwo\nthree\tfalse\tEnd of file\nfour\tfalse\tEnd of file\nfalse\tEnd of file\n50000\t2:a|b\n',
);

spec(
  'scanner: options with computed names work too',
  `${PIECES}
  local opts = {}
  for _, name in ipairs{'stream', 'record_separator', 'field_separator', 'trim_record'} do
    opts[name] = ({stream = pieces{' a.b | c'}, record_separator = '|', field_separator = '.', trim_record = true})[name]
  end
  lines(stream.scanner.new(opts), fields)
`,
  '1\t2:a|b\t|\n2\t1:c\t\nEnd of file\n',
);

spec(
  'scanner: a record may be longer than the buffer, but not than max_record_size',
  `${PIECES}
  local long = ('x'):rep(10000)
  local s = stream.scanner.new{stream = pieces{long, '\\n', 'next'}, buffer_size_hint = 16}
  print(#s:get_line(), s:get_line())
  local s = stream.scanner.new{stream = pieces{'12345\\n123456\\n'}, max_record_size = 5}
  print(s:get_line())
  print(pcall(s.get_line, s))
  local s = stream.scanner.new{stream = pieces{'123456'}, max_record_size = 5}
  print(pcall(s.get_line, s))
  s.max_record_size = 6
  print(s:get_line())
  local s = stream.scanner.new{stream = pieces{('y'):rep(70000)}}
  print(pcall(s.get_line, s))
`,
  '10000\tnext\n12345\nfalse\tMessage too long\nfalse\tMessage too long\n123456\nfalse\tMessage too long\n',
);

spec(
  'scanner: what follows a record is left for others',
  `${PIECES}
  local p = pieces{'head\\nbody of the', ' message'}
  local s = stream.scanner.new{stream = p}
  local line = s:get_line()
  print(line, s:buffered_line(), s:buffer())
  s:remove_line()
  print(s.record_terminator, s:buffer())
  print(pcall(s.buffered_line, s))
`,
  'head\thead\thead\nbody of the\t1\nnil\tbody of the\t1\nfalse\tInvalid argument\n',
);

spec(
  'scanner: buffered_line is neither trimmed nor split',
  `${PIECES}
  local s = stream.scanner.with_awk_defaults(pieces{' a b \\nc'})
  print(fields(s:get_line()), '[' .. tostring(s:buffered_line()) .. ']')
`,
  '2:a|b\t[ a b ]\n',
);

spec(
  'scanner: set_buffer brings bytes that were read elsewhere',
  `${PIECES}
  local s = stream.scanner.new{stream = pieces{'d\\nlast'}}
  local b = byte_span.new(0, 64):append('skipped', 'one\\nsecon')
  s:set_buffer(b, 8)
  lines(s)
  local ok, e = pcall(s.set_buffer, s, b, 18) print(e)
  local ok, e = pcall(s.set_buffer, s, 'x') print(e, e.arg)
`,
  '1\t[one]\t\n\n2\t[second]\t\n\n3\t[last]\t\nEnd of file\nNumerical result out of range\nInvalid argument\t2\n',
);

spec(
  'scanner: appending to a record does not write into the buffer',
  `${PIECES}
  local s = stream.scanner.new{stream = pieces{'one\\ntwo\\n'}}
  s:get_line():append('XXXX')
  print(s:get_line())
`,
  'two\n',
);

spec(
  'scanner: an interrupted read loses nothing; a second reader is told',
  `
  local stream, time = require 'stream', require 'time'
  local ready = false
  local source = {read_some = function(self, b)
    while not ready do time.sleep(0.001) end
    return b:copy('late\\n')
  end}
  local s = stream.scanner.new{stream = source}
  local f = spawn(function() s:get_line() end)
  this_fiber.yield() this_fiber.yield()
  print(pcall(s.get_line, s))
  f:interrupt()
  f:join()
  ready = true
  print(f.interruption_caught, s:get_line())
`,
  'false\tDevice or resource busy\ntrue\tlate\n',
  { once: true },
);

spec(
  'scanner: large input in pieces of all sizes',
  `${PIECES}
  local text, sum = {}, 0
  for i = 1, 3000 do text[i] = i .. ' ' .. ('x'):rep(i % 97) .. '\\n' sum = sum + i end
  text = table.concat(text)
  local at = 1
  local source = {read_some = function(self, b)
    if at > #text then error(eof) end
    local n = b:copy(text:sub(at, at + (at * 7919) % 5000))
    at = at + n
    return n
  end}
  local s = stream.scanner.with_awk_defaults(source)
  local got, count = 0, 0
  while pcall(function() local f = s:get_line() got = got + tonumber(tostring(f[1])) count = count + #f end) do end
  print(got == sum, s.record_number, count)
`,
  'true\t3000\t5970\n',
  { once: true },
);
