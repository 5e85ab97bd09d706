import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN, spec } from '../support/spec.ts';

spec(
  'decode: objects become tables, arrays tagged tables, null json.null',
  `
  local json = require 'json'
  local v = json.decode('{"name":"Zoë","tags":["a","b"],"none":null,"nested":{"x":[1,[2,[]]]},"t":true,"n":-1.5e2}')
  print(v.name, #v.name, #v.tags, v.tags[2], v.none == json.null, v.none, v.nested.x[2][1], v.t, v.n)
  print(json.is_array(v.tags), json.is_array(v), json.is_array(v.nested.x[2][2]), #v.nested.x[2][2])
  print(getmetatable(v), getmetatable(v.tags), type(json.null))
  print(json.decode('3') + json.decode(' 4 '), json.decode('"s"'), json.decode('false'), next(json.decode('{}')))
  print(json.decode(byte_span.append('[1', ',2]'))[2])
`,
  'Zoë\t4\t2\tb\ttrue\tnull\t2\ttrue\t-150\ntrue\tfalse\ttrue\t0\nnil\tjson.array\tuserdata\n7\ts\tfalse\tnil\n2\n',
);

spec(
  'decode: keys are ordinary keys, whatever they are named; the last of equal keys counts',
  `
  local json = require 'json'
  for i = 1, 20 do
    local v = json.decode('{"__proto__":1,"constructor":2,"$x":3,"arr":4,"meta":{"__index":5},"hash":6,"a":7,"a":8}')
    assert(v.__proto__ == 1 and v.constructor == 2 and v['$x'] == 3 and v.arr == 4 and v.meta.__index == 5)
    assert(v.hash == 6 and v.a == 8 and v.toString == nil and getmetatable(v) == nil)
  end
  local many = {}
  for i = 1, 100 do many[i] = ('"key%d":%d'):format(i, i) end
  local v = json.decode('{' .. table.concat(many, ',') .. '}')
  local count, sum = 0, 0
  for k, x in pairs(v) do count, sum = count + 1, sum + x assert(k == 'key' .. x) end
  print(count, sum, v.key100)
`,
  '100\t5050\t100\n',
);

spec(
  'decode: more different shapes than are remembered',
  `
  local json = require 'json'
  for i = 1, 6000 do
    local v = json.decode(('{"k%d":{"a%d":1,"b":2},"z":3}'):format(i, i))
    assert(v['k' .. i]['a' .. i] == 1 and v['k' .. i].b == 2 and v.z == 3)
  end
  print('done')
`,
  'done\n',
  { once: true },
);

spec(
  'decode: errors say what, and where: byte, line, column and path',
  `
  local json = require 'json'
  local function try(text, opts)
    local ok, e = pcall(json.decode, text, opts)
    if ok then print('accepted', text) return end
    print(e, e.category == json.lexer_ecat, e.category == json.dom_ecat, e.offset, e.line, e.column, table.concat(e.path, '.'))
  end
  try('')
  try('{"a": [1,\\n  {"b": 2,, "c": 3}]}')
  try('[1, 2')
  try('{"a": {"b": tru}}')
  try('[[],[0,"x\\ty"]]')
  try('[1] 2')
  try('{"a":1]')
  try('[9223372036854775808]')
  try('{"x":1e999}')
  try('[[[[1]]]]', { max_depth = 3 })
  try('[1,2,3]', { max_size = 6 })
  print(tostring(json.lexer_ecat), tostring(json.dom_ecat))
`,
  [
    'unexpected token\ttrue\tfalse\t1\t1\t1\t',
    'invalid key\ttrue\tfalse\t21\t2\t11\ta.2.b',
    'expected end array bracket\ttrue\tfalse\t6\t1\t6\t3',
    'unexpected token\ttrue\tfalse\t13\t1\t13\ta.b',
    'invalid value\ttrue\tfalse\t10\t1\t10\t2.2',
    'unexpected token\ttrue\tfalse\t5\t1\t5\t',
    'unbalanced end array bracket\ttrue\tfalse\t7\t1\t7\ta',
    'ERANGE on json\tfalse\ttrue\t2\t1\t2\t1',
    'ERANGE on json\tfalse\ttrue\t6\t1\t6\tx',
    'Too many levels\tfalse\ttrue\t4\t1\t4\t1.1.1',
    'too large\ttrue\tfalse\t1\t1\t1\t',
    'trial.protocol.json\temilua.json.dom\n',
  ].join('\n'),
);

spec(
  'decode, encode: wrong arguments',
  `
  local json = require 'json'
  local function arg(f, ...)
    local ok, e = pcall(f, ...)
    print(e, e.arg)
  end
  arg(json.decode, 1)
  arg(json.decode)
  arg(json.decode, '1', 2)
  arg(json.decode, '1', { max_depth = 'x' })
  arg(json.encode)
  arg(json.encode, print)
  arg(json.encode, coroutine.create(print))
  arg(json.encode, { 1, print })
  arg(json.encode, this_fiber)
  arg(json.encode, 1, 2)
  arg(json.encode, 1, { indent = {} })
  arg(json.encode, 1, { indent = 'xx' })
  arg(json.encode, 1, { state = 1 })
  arg(json.encode, 0 / 0)
  arg(json.encode, { 1 / 0 })
  arg(json.into_array, 1)
  arg(json.into_array, setmetatable({}, {}))
`,
  'Invalid argument\t1\n'.repeat(2) +
    'Invalid argument\t2\nInvalid argument\tmax_depth\n' +
    'Invalid argument\t1\n'.repeat(5) +
    'Invalid argument\t2\n' +
    'Invalid argument\tindent\n'.repeat(2) +
    'Invalid argument\tstate\n' +
    'Numerical argument out of domain\t1\n'.repeat(2) +
    'Invalid argument\t1\n'.repeat(2),
);

spec(
  'encode: numbers, strings, arrays, objects',
  `
  local json = require 'json'
  print(json.encode(1), json.encode(-0.5), json.encode(2^53), json.encode(1e300), json.encode(0.1), json.encode(-0), json.encode(1e15))
  print(json.encode('a"b\\\\c/\\n\\1\\127é'), json.encode(true), json.encode(json.null))
  print(json.encode({}), json.encode(json.into_array {}), json.encode { 1, 2, { 3 } }, json.encode { a = { b = {} } })
  print(json.encode { 1, 2, x = 3 }, json.encode { [true] = 1, [1.5] = 2 }, json.encode { a = print, b = coroutine.create(print), c = 1 })
  print(json.encode(json.into_array { x = 1 }), json.encode { [2] = 1 })
`,
  [
    '1\t-0.5\t9007199254740992\t1e+300\t0.1\t-0\t1000000000000000',
    '"a\\"b\\\\c/\\n\\u0001\x7fé"\ttrue\tnull',
    '{}\t[]\t[1,2,[3]]\t{"a":{"b":{}}}',
    '[1,2]\t{}\t{"c":1}',
    '[]\t{}\n',
  ].join('\n'),
);

spec(
  'encode: numbers read back as the same',
  `
  local json = require 'json'
  for _, n in ipairs { 0.1, 1 / 3, 5e-324, 2^-1074, 1.7976931348623157e308, 123456.789e3, 4.35, 2^62, -2^63, 1e21,
      2^63, 2^63 - 1024, -2^63 - 2048, 2^64, 1e19, -1e20, 1.5e20, 123456789012345680000, 999999999999999868928, 5e20 } do
    assert(json.decode(json.encode(n)) == n, n)
    assert(json.decode(json.encode { n, { a = n } })[2].a == n, n)
    local w = json.writer.new()
    w:value(n)
    assert(json.decode(w:generate()) == n, n)
  end
  print('same')
`,
  'same\n',
);

spec(
  'encode: a cycle, and where it is; the same table twice is none',
  `
  local json = require 'json'
  local shared = { 1 }
  print(json.encode { shared, shared })
  local t = { list = { 1, {} } }
  t.list[2].back = t
  local ok, e = pcall(json.encode, t)
  print(e, e.category == json.dom_ecat, table.concat(e.path, '.'))
`,
  '[[1],[1]]\nReference cycle exists\ttrue\tlist.2.back\n',
);

spec(
  'encode: indent is a number of spaces, or white space',
  `
  local json = require 'json'
  print(json.encode({ 1, { a = json.into_array {} }, {} }, { indent = 2 }))
  print(json.encode({ 1 }, { indent = '\\t' }))
`,
  '[\n  1,\n  {\n    "a": []\n  },\n  {}\n]\n[\n\t1\n]\n',
);

spec(
  'encode: objects of a class have all of their own fields, and none of the class',
  `
  local json = require 'json'
  local Class = { inherited = true }
  Class.__index = Class
  for i = 1, 3 do print(json.encode(setmetatable({ a = i, b = 2, c = 3, d = 4, e = 5 }, Class))) end
  print(json.encode { setmetatable({ a = 1 }, Class) })
`,
  '{"a":1,"b":2,"c":3,"d":4,"e":5}\n{"a":2,"b":2,"c":3,"d":4,"e":5}\n{"a":3,"b":2,"c":3,"d":4,"e":5}\n[{"a":1}]\n',
);

spec(
  'encode: __tojson writes its value itself, and may wait',
  `
  local json = require 'json'
  local point = {
    __tojson = function(self, state)
      this_fiber.yield()
      state.writer:begin_array()
      state.writer:value(self.x)
      json.encode({ y = self.y }, { state = state })
      state.writer:end_array()
    end,
  }
  local p = setmetatable({ x = 1, y = 2 }, point)
  print(json.encode { a = p, 5 }, json.encode { p, p }, json.encode { a = { b = p } })
  local failing = setmetatable({}, { __tojson = function() error('no', 0) end })
  print(pcall(json.encode, { failing }))
  local u = newproxy(true)
  getmetatable(u).__tojson = function(_, state) state.writer:literal('{"raw":0}') end
  print(json.encode { u }, json.encode { k = newproxy() })
  local silent = setmetatable({}, { __tojson = function() end })
  local ok, e = pcall(json.encode, { k = silent })
  print(ok, e, e.category)
  local shown
  json.encode(setmetatable({}, { __tojson = function(_, state) shown = state state.writer:value(1) end }), { indent = 1 })
  print(shown.indent == ' ', type(shown.visited), shown.writer.level)
`,
  [
    '[5]\t[[1,{"y":2}],[1,{"y":2}]]\t{"a":{"b":[1,{"y":2}]}}',
    'false\tno',
    '[{"raw":0}]\t{}',
    'false\tunbalanced end object bracket\ttrial.protocol.json',
    'true\ttable\t0\n',
  ].join('\n'),
);

spec(
  'writer: separators come by themselves, and misuse is an error',
  `
  local json = require 'json'
  local w = json.writer.new()
  w:begin_object()
  w:value('a') w:value(1)
  w:value('b') w:begin_array() w:value(true) w:value(json.null) w:literal('{}')
  print(w.level)
  w:end_array()
  w:end_object()
  print(w.level, w:generate())
  for _, name in ipairs { 'value', 'begin_object', 'literal', 'generate' } do
    local ok, e = pcall(function() return w[name](w, 'x') end)
    print(name, e, e.arg)
  end
  print(select(2, pcall(function() return w.level end)))
  w = json.writer.new()
  w:value('again')
  print(w:generate())
  w = json.writer.new()
  local function try(what, ...)
    local ok, e = pcall(w[what], w, ...)
    print(what, e, e.category, e.arg)
  end
  try('end_array')
  try('value', nil)
  try('value', {})
  try('value', 0 / 0)
  try('literal', 1)
  w:begin_object()
  try('value', 1)
  try('end_array')
  try('begin_array')
  try('generate')
  w:value('key')
  try('end_object')
  w:value(1)
  w:end_object()
  try('value', 2)
  print(w:generate())
  local ok, e = pcall(w.value, 1, 2) print(e, e.arg)
  local ok, e = pcall(function() return w.nothing end) print(e, e.index)
`,
  [
    '2',
    '0\t{"a":1,"b":[true,null,{}]}',
    ...['value', 'begin_object', 'literal', 'generate'].map(
      (name) => `${name}\tInvalid argument\t1`,
    ),
    'Invalid argument',
    '"again"',
    'end_array\tunbalanced end array bracket\ttrial.protocol.json\tnil',
    'value\tInvalid argument\tgeneric\t2',
    'value\tInvalid argument\tgeneric\t2',
    'value\tInvalid argument\tgeneric\t2',
    'literal\tInvalid argument\tgeneric\t2',
    'value\tinvalid key\ttrial.protocol.json\tnil',
    'end_array\tunbalanced end array bracket\ttrial.protocol.json\tnil',
    'begin_array\tinvalid key\ttrial.protocol.json\tnil',
    'generate\texpected end object bracket\ttrial.protocol.json\tnil',
    'end_object\tunbalanced end object bracket\ttrial.protocol.json\tnil',
    'value\tunexpected token\ttrial.protocol.json\tnil',
    '{"key":1}',
    'Invalid argument\t1',
    "Requested key wasn't found in the table/userdata\t2\n",
  ].join('\n'),
);

/** A stream of pieces, for the reader. */
const PIECES = `
  local json, asio_error = require 'json', require 'asio_error'
  local function source(...)
    local pieces = { ... }
    return {
      read_some = function(self, buf)
        this_fiber.yield()
        if #pieces == 0 then error(asio_error.misc.eof) end
        local piece = table.remove(pieces, 1)
        if type(piece) ~= 'string' then error(piece, 0) end
        return buf:copy(piece)
      end,
    }
  end
`;

spec(
  'reader: events, with level and path',
  `${PIECES}
  local r = json.reader.new(source('{"a":[1,"t', 'wo",{"b":nu', 'll}],', ' "c":{}}', ' '))
  while true do
    local event, value = r:next()
    if event == nil then break end
    print(event, value, r.level, table.concat(r.path, '.'))
  end
  print(r:next())
`,
  [
    'begin_object\tnil\t1\t',
    'key\ta\t1\ta',
    'begin_array\tnil\t2\ta',
    'value\t1\t2\ta.1',
    'value\ttwo\t2\ta.2',
    'begin_object\tnil\t3\ta.3',
    'key\tb\t3\ta.3.b',
    'value\tnull\t3\ta.3.b',
    'end_object\tnil\t2\ta.3',
    'end_array\tnil\t1\ta',
    'key\tc\t1\tc',
    'begin_object\tnil\t2\tc',
    'end_object\tnil\t1\tc',
    'end_object\tnil\t0\t',
    'nil\n',
  ].join('\n'),
);

spec(
  'reader: whole values, skipping, items of an array, several documents',
  `${PIECES}
  local r = json.reader.new(source('{"skip":{"x":[1,{}]},', '"keep":{"y":[1,2]},"n":7}'))
  r:next()
  r:skip()
  print(json.encode(r:value()), r:value(), select('#', r:value()), r:next())

  for i, v in json.reader.new(source('[{"id":1},', '{"id":2},3', '4]')):items() do print(i, json.encode(v)) end
  for i in json.reader.new('[]'):items() do print('never') end
  local ok, e = pcall(json.reader.new('{}').items, json.reader.new('{}')) print(e)

  local lines = json.reader.new(source('1 {"a":2}\\n', '[3]\\n"', 'x"\\n'), { many = true })
  while true do
    local v = lines:value()
    if v == nil then break end
    print(json.encode(v))
  end
`,
  '{"y":[1,2]}\t7\t0\tnil\n1\t{"id":1}\n2\t{"id":2}\n3\t34\nInvalid argument\n1\n{"a":2}\n[3]\n"x"\n',
);

spec(
  'reader: errors of the text, of the stream and of the arguments',
  `${PIECES}
  local function drain(r)
    local ok, e = pcall(function() while r:next() do end end)
    print(e, type(e) == 'table' and e.line, type(e) == 'table' and e.column, type(e) == 'table' and e.path and table.concat(e.path, '.'))
  end
  local r = json.reader.new(source('[1,\\n2,', '\\n {"a" 3}]'))
  drain(r)
  drain(r)
  drain(json.reader.new(source('[1,', '2')))
  drain(json.reader.new(source('{"k":"un', 'ended')))
  drain(json.reader.new(source('1 ', '2')))
  drain(json.reader.new(source('[1,', 'broken')))
  drain(json.reader.new(source('["' .. ('x'):rep(60), ('x'):rep(60), '"]'), { max_token = 100 }))
  drain(json.reader.new('[[[]]]', { max_depth = 2 }))
  drain(json.reader.new(source('[1,', false)))
  for _, args in ipairs { {}, { 1 }, { '', 1 }, { '', { many = 1 } }, { '', { max_depth = 0 } } } do
    local ok, e = pcall(json.reader.new, args[1], args[2]) print(e, e.arg)
  end
`,
  [
    'unexpected token\t3\t7\t3.a',
    'unexpected token\t3\t7\t3.a',
    'expected end array bracket\t1\t5\t2',
    'invalid value\t1\t14\tk',
    'unexpected token\t1\t3\t',
    'unexpected token\t1\t4\t2',
    'too large\t1\t2\t1',
    'Too many levels\t1\t3\t1.1',
    'false\tfalse\tfalse\tfalse',
    'Invalid argument\t1',
    'Invalid argument\t1',
    'Invalid argument\t2',
    'Invalid argument\tmany',
    'Invalid argument\tmax_depth\n',
  ].join('\n'),
);

spec(
  'reader: a limit on all that comes',
  `${PIECES}
  local function drain(r)
    local n = 0
    local ok, e = pcall(function() while r:next() do n = n + 1 end end)
    print(n, e, e and e.offset, e and e.line, e and e.column)
  end
  drain(json.reader.new(source('[1,\\n', '2,3]'), { max_size = 8 }))
  drain(json.reader.new(source('[1,\\n', '2,3]'), { max_size = 7 }))
  drain(json.reader.new(source('[1,\\n', '2,3]'), { max_size = 2 }))
  drain(json.reader.new('[1,2]', { max_size = 4 }))
  drain(json.reader.new('[1,2]', { max_size = 5 }))
  local endless = { read_some = function(_, buf) return buf:copy('[[[[') end }
  drain(json.reader.new(endless, { max_size = 1000 }))
  local ok, e = pcall(json.reader.new, '', { max_size = 0 }) print(e, e.arg)
`,
  [
    '5\tnil\tnil\tnil\tnil',
    '2\ttoo large\t8\t2\t4',
    '0\ttoo large\t3\t1\t3',
    '0\ttoo large\t5\t1\t5',
    '4\tnil\tnil\tnil\tnil',
    '1000\ttoo large\t1001\t1\t1001',
    'Invalid argument\tmax_size\n',
  ].join('\n'),
);

spec(
  'reader: one operation at a time; an interrupted read can be repeated',
  `${PIECES}
  local time = require 'time'
  local stuck = { read_some = function(self, buf)
    if self.ready then return buf:copy('[1]') end
    time.sleep(1000)
  end }
  local r = json.reader.new(stuck)
  local f = spawn(function() r:next() end)
  this_fiber.yield()
  this_fiber.yield()
  local ok, e = pcall(r.next, r) print(e)
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  stuck.ready = true
  print(r:next(), r:next())
`,
  'Device or resource busy\ntrue\nbegin_array\tvalue\t1\n',
);

spec(
  'reader: a large document takes no more memory than a small one',
  `
  local json = require 'json'
  local function source(items)
    local sent = 0
    local item = '{"id":12345,"name":"some name","tags":["a","b"]},'
    local block = item:rep(1000)
    return { read_some = function(self, buf)
      sent = sent + 1
      if sent == 1 then return buf:copy('[') end
      if sent <= items / 1000 then return buf:copy(block) end
      return buf:copy('0]')
    end }
  end
  local count = 0
  for i, v in json.reader.new(source(100000)):items() do
    count = i
    if i == 20000 then collectgarbage() end
  end
  print(count)
`,
  '99001\n',
  { once: true },
);

spec(
  'reader: a string or number in one-byte pieces costs no more than its length',
  `
  local json = require 'json'
  local function value(text)
    local i = 0
    local r = json.reader.new { read_some = function(self, buf) i = i + 1 return buf:copy(text:sub(i, i)) end }
    return r:value()
  end
  local n = 150000
  print(value('["' .. ('\\\\"x'):rep(n / 3) .. '"]')[1] == ('"x'):rep(n / 3))
  print(#value('"\\\\u0041' .. ('x'):rep(n) .. '"') == n + 1, value('"' .. ('\\\\\\\\'):rep(1000) .. '\\\\n"') == ('\\\\'):rep(1000) .. '\\n')
  print(value('[0.' .. ('3'):rep(n) .. ']')[1])
  local ok, e = pcall(value, '["' .. ('x'):rep(1000) .. '\\n"]') print(e, e.column)
  local ok, e = pcall(value, '["' .. ('x'):rep(1000) .. '\\\\q"]') print(e, e.column)
`,
  'true\ntrue\ttrue\n0.33333333333333\ninvalid value\t1003\ninvalid value\t1003\n',
  { once: true },
);

spec(
  'encode: what V8 writes for us, and what it leaves to us, look the same',
  `
  local json = require 'json'
  local function same(v, opts)
    local direct = json.encode(v, opts)
    -- A handler anywhere, and the whole is written by our own encoder.
    local by_hand = json.encode({ v, setmetatable({}, { __tojson = function(_, s) s.writer:value(0) end }) }, opts)
    local indent = opts and '\\n' .. (' '):rep(opts.indent) or ''
    local expected = '[' .. indent .. direct:gsub('\\n', indent == '' and '\\n' or indent) .. ',' .. indent .. '0' .. (opts and '\\n' or '') .. ']'
    if by_hand ~= expected then print('differ', by_hand, expected) end
  end
  local values = {
    true, 0, -0, 1.5, -1e-7, 1e21, 1e300, 2^53, 2^53 - 1, -2^63, 123456789012, '', 'x', 'é"\\\\\\n\\1\\127\\255', json.null, {},
    json.into_array {}, { 1, 2.5, 'x', { y = {} } }, { a = 1, b = print, c = coroutine.create(print), d = 'e', [1.5] = 2, [true] = 3 },
    { __proto__ = 1, toJSON = 'x', constructor = {}, ['$a'] = 1 }, { ['10'] = 1, ['2'] = 2, x = 3 }, { f = print }, setmetatable({ z = 1 }, {}),
    { [0] = 'zero', 1, 2 }, { [0] = 'zero' }, { 1, 2, 3, x = 1 },
  }
  local dynamic = {}
  for i = 1, 50 do dynamic['key' .. i % 60] = i end
  values[#values + 1] = dynamic
  local removed = { a = 1, b = 2, c = 3 }
  removed.a = nil removed.c = nil
  values[#values + 1] = removed
  local deep = 1
  for i = 1, 300 do deep = { d = deep } end
  values[#values + 1] = deep
  for round = 1, 12 do
    for i = 1, #values do
      same(values[i])
      same(values[i], { indent = 3 })
    end
  end
  print(json.encode({ 1, { a = json.into_array {} } }, { indent = 12 }) == '[\\n            1,\\n            {\\n                        "a": []\\n            }\\n]')
  for _, v in ipairs { { 0/0 }, { a = { 1/0 } }, { print }, { 1, newproxy() } } do print(pcall(json.encode, v)) end
`,
  'true\n' +
    'false\tNumerical argument out of domain\n'.repeat(2) +
    'false\tInvalid argument\n'.repeat(2),
);

test('reader: 100 MB on a pipe take no more memory than 10 MB', {
  timeout: 300_000,
  skip: nativeFailure() ?? false,
}, async () => {
  const record = '{"id":12345,"name":"some name","tags":["a","b"],"size":7},';
  const block = Buffer.from(record.repeat(Math.ceil(2 ** 20 / record.length)));
  const perBlock = block.length / record.length;
  /** Reads so many megabytes, and tells how much memory the process has had at most, in kB. */
  const peak = async (blocks: number): Promise<number> => {
    const program = `
      local json, system, file = require 'json', require 'system', require 'file'
      local count, sum = 0, 0
      for _, item in json.reader.new(system.in_):items() do
        count, sum = count + 1, sum + item.size
      end
      local f, b = file.stream.new(), byte_span.new(8192)
      f:open(require 'filesystem'.path.new '/proc/self/status', {'read_only'})
      print(count, sum, tostring(b:first(f:read_some(b))):match 'VmHWM:%s*(%d+)')
    `;
    const file = join(folder, 'main.lua');
    writeFileSync(file, program);
    const child = spawn(process.execPath, ['--stack-size=3900', MAIN, file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stdin.write('[');
    for (let i = 0; i < blocks; i++) {
      if (!child.stdin.write(block)) await once(child.stdin, 'drain');
    }
    child.stdin.end('{"size":0}]');
    await once(child, 'close');
    const [count, sum, kilobytes] = output.trim().split('\t').map(Number);
    assert.deepEqual([count, sum], [blocks * perBlock + 1, blocks * perBlock * 7], output);
    return kilobytes!;
  };
  const folder = mkdtempSync(join(tmpdir(), 'perilune-json-'));
  try {
    const little = await peak(10);
    const much = await peak(100);
    assert.ok(much < little + 50_000, `${little} kB, ${much} kB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
