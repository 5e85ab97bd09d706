import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { useRing } from '../../src/io/uring.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { runLua, spec } from '../support/spec.ts';
import { inFolder } from './file-programs.ts';

await openReactor();

const folder = mkdtempSync(join(tmpdir(), 'perilune-file-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const SETUP = `
  local file, pipe, stream = require 'file', require 'pipe', require 'stream'
  ${inFolder(folder)}
  local function with(text)
    local path = name()
    local f = stream_of(path, 'create', 'write_only')
    stream.write_all(f, text)
    f:close()
    return path
  end
  local function text(f, n)
    local b = byte_span.new(n or 100)
    local count = f:read_some(b)
    return tostring(b:first(count))
  end
  local function text_at(f, at, n)
    local b = byte_span.new(n or 100)
    local count = f:read_some_at(at, b)
    return tostring(b:first(count))
  end
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return 'no error', e end
    if type(e) == 'string' then return e end
    return tostring(e), e.arg
  end
`;

spec(
  'a stream reads and writes at its position',
  `${SETUP}
  local path = name()
  local f = stream_of(path, 'create', 'read_write')
  print(getmetatable(f), f.is_open, f.size)
  print(f:write_some(bytes 'hello world'), f.size)
  print(f:seek(6, 'set'), text(f), fails(f.read_some, f, byte_span.new(1)))
  print(f:seek(-5, 'end'), f:seek(-1, 'cur'), text(f, 2), f:seek(0, 'cur'))
  print(f:seek(20, 'set'), f:write_some(bytes '!'), f.size)
  print(f:seek(10, 'set'), (text(f):gsub('%z', '0')))
  f:resize(5)
  print(f.size, f:seek(0, 'set'), text(f))
  f:resize(7)
  print(f.size, f:seek(5, 'set'), #text(f))
  f:close()
  print(f.is_open, fails(f.read_some, f, byte_span.new(1)))
  f:close()
  local f = stream_of(path, 'append', 'write_only')
  f:write_some(bytes '!')
  print(f.size, fails(f.read_some, f, byte_span.new(1)))
  local f = stream_of(path, 'truncate', 'read_write')
  print(f.size, f:read_some(byte_span.new(0)), f:write_some(byte_span.new(0)))
`,
  `file.stream\ttrue\t0
11\t11
6\tworld\tEnd of file\tnil
6\t5\t w\t7
20\t1\t21
10\td000000000!
5\t0\thello
7\t5\t2
false\tBad file descriptor\tnil
8\tBad file descriptor\tnil
0\t0\t0
`,
);

spec(
  'what the kernel says of a process that has ended meanwhile',
  `${SETUP}
  local system = require 'system'
  local p = system.spawn{program = 'sleep', arguments = {'sleep', '100'}}
  local f = stream_of('/proc/' .. p.pid .. '/status', 'read_only')
  p:kill(9)
  p:wait()
  print(fails(f.read_some, f, byte_span.new(100)))
  f:close()
`,
  'No such process\tnil\n',
);

spec(
  'random access reads and writes where it is told',
  `${SETUP}
  local f = random_of(name(), 'create', 'read_write')
  print(getmetatable(f), f:write_some_at(3, bytes 'def'), f:write_some_at(0, bytes 'abc'), f.size)
  print(text_at(f, 0), text_at(f, 2, 2), text_at(f, 5), fails(f.read_some_at, f, 6, byte_span.new(1)))
  print(fails(f.read_some_at, f, 1e15, byte_span.new(1)))
  print(f:write_some_at(5e9, bytes 'far'), f.size, text_at(f, 5e9))
  f:resize(4)
  print(f.size, text_at(f, 0), f:read_some_at(0, byte_span.new(0)))
  local other = file.random_access.new(f:release())
  print(f.is_open, other.is_open, text_at(other, 1), fails(function() return f.size end))
  print(fails(f.read_some_at, f, 0, byte_span.new(1)))
`,
  `file.random_access\t3\t3\t6
abcdef\tcd\tf\tEnd of file\tnil
End of file\tnil
3\t5000000003\tfar
4\tabcd\t0
false\ttrue\tbcd\tBad file descriptor\tnil
Bad file descriptor\tnil
`,
);

spec(
  'the algorithms',
  `${SETUP}
  local f = random_of(name(), 'create', 'read_write')
  print(file.write_all_at(f, 10, 'hello world'), file.write_at_least_at(f, 0, bytes '0123456789', 100))
  local b = byte_span.new(5)
  print(file.read_all_at(f, 10, b), b, file.read_at_least_at(f, 0, byte_span.new(3), 1))
  local b = byte_span.new(100)
  print(file.read_at_least_at(f, 0, b, 3), b:first(21), file.read_at_least_at({}, 0, b, 0))
  print(fails(file.read_all_at, f, 0, b))
  print(fails(file.read_all_at, f, 0, 'x'))
  print(fails(file.read_all_at, 1, 0, b))
  print(fails(file.read_all_at, f, 'x', b))
  print(fails(file.read_at_least_at, f, 0, b))
  print(fails(file.write_at_least_at, f, 0, 'x', 1))
  -- any object that has the methods
  local calls = {}
  local slow = {write_some_at = function(self, at, span)
    this_fiber.yield()
    calls[#calls + 1] = at .. ':' .. tostring(span)
    return math.min(2, #span)
  end}
  print(file.write_all_at(slow, 7, 'abcde'), table.concat(calls, ' '))
`,
  `11\t10
5\thello\t3
21\t0123456789hello world\t0
End of file\tnil
Invalid argument\t3
Invalid argument\t1
bad argument #2 to 'read_all_at' (number expected, got string)
Invalid argument\t4
Invalid argument\t3
5\t7:abcde 9:cde 11:e
`,
);

spec(
  'open: flags, and what is wrong',
  `${SETUP}
  local f = file.stream.new()
  local text = with 'text'
  local path = fs.path.new(text)
  print(fails(f.open, f, fs.path.new(name()), {'read_only'}))
  print(fails(f.open, f, path, {'create', 'exclusive', 'write_only'}))
  print(fails(f.open, f, fs.path.new(folder), {'write_only'}))
  print(fails(f.open, f, path, {'nonsense'}))
  print(fails(f.open, f, path, 1e6))
  print(fails(f.open, f, path))
  print(fails(f.open, f, 17, {'read_only'}))
  print(fails(f.open, f, text, {'read_only'}))
  print(fails(f.open, f, path .. '\\0x', {'read_only'}))
  print(f.is_open)
  f:open(path, bit.bor(file.open_flag.read_write, file.open_flag.append))
  print(f.size, fails(f.open, f, path, {'read_only'}))
  f:close()
  f:open(_FILE, {'read_only'})
  print(f.size > 0, fails(f.write_some, f, bytes 'x'), f.is_open)
  print(fails(f.seek, f, 0, 'x'))
  print(fails(f.seek, f, -1, 'set'))
  print(fails(f.seek, f))
  print(fails(f.resize, f, -1))
  print(fails(f.read_some, f, 'x'))
  print(fails(function() return f.nonsense end))
  print(fails(function() f.size = 1 end))
  print(fails(file.stream.new, nil))
  print(fails(file.random_access.new, 1))
  local d = stream_of(folder, 'read_only')
  print(fails(d.read_some, d, byte_span.new(1)))
  local r = random_of(text, 'read_only')
  print(fails(r.read_some_at, r, -1, byte_span.new(1)))
  print(fails(r.read_some_at, r, 0, 'x'))
  print(fails(r.write_some_at, r, 0, bytes 'x'))
  print(fails(r.read_some_at, r, {}, bytes 'x'))
`,
  `No such file or directory\tnil
File exists\tnil
Is a directory\tnil
Invalid argument\t3
Invalid argument\t3
bad argument #3 to 'open' (table expected, got no value)
Invalid argument\t2
Invalid argument\t2
Invalid argument\tnil
false
4\tAlready open\tnil
true\tBad file descriptor\ttrue
Invalid argument\tnil
Invalid argument\tnil
bad argument #2 to 'seek' (number expected, got no value)
Invalid argument\tnil
Invalid argument\t2
Requested key wasn't found in the table/userdata\tnil
Requested key wasn't found in the table/userdata\tnil
Invalid argument\t1
Invalid argument\t1
Is a directory\tnil
Invalid argument\tnil
Invalid argument\t3
Bad file descriptor\tnil
bad argument #2 to 'read_some_at' (number expected, got table)
`,
);

spec(
  'descriptors: new, assign, release; pipes as streams',
  `${SETUP}
  local f = stream_of(with 'hello', 'read_only')
  print(text(f, 2))
  local fd = f:release()
  print(fd.type, f.is_open)
  f:assign(fd)
  print(text(f), getmetatable(fd))
  local other = pipe.pair():release()
  print(fails(f.assign, f, other))
  local r, w = pipe.pair()
  local s = file.stream.new(r:release())
  print(s.is_open, fails(s.seek, s, 0, 'set'))
  stream.write_all(w, 'through')
  print(text(s))
  local reader = spawn(function() s:read_some(byte_span.new(1)) end)
  this_fiber.yield()
  s:close()
  local ok, e = pcall(reader.join, reader)
  print(ok, e == ae.basic.operation_aborted, s.is_open)
  local x = file.random_access.new(other)
  print(fails(x.read_some_at, x, 0, byte_span.new(1)))
  s:open(_FILE, {'read_only'})
  print(s.is_open, s.size > 0)
`,
  `he
regular\tfalse
llo\tnil
Already open\tnil
true\tIllegal seek\tnil
through
false\ttrue\tfalse
Illegal seek\tnil
true\ttrue
`,
);

spec(
  'files of size zero that have contents, devices, a FIFO without a peer',
  `${SETUP}
  local f = stream_of('/proc/self/status', 'read_only')
  print(f.size, text(f, 5))
  local f = stream_of('/dev/zero', 'read_only')
  print(#text(f, 1000))
  local f = stream_of('/dev/null', 'read_write')
  print(f:write_some(bytes 'x'), fails(f.read_some, f, byte_span.new(1)))
  local f = stream_of('/dev/full', 'write_only')
  print(fails(f.write_some, f, bytes 'x'))
  local f = random_of('/proc/self/status', 'read_only')
  print(text_at(f, 0, 5))
`,
  '0\tName:\n1000\n1\tEnd of file\tnil\nNo space left on device\tnil\nName:\n',
);

spec(
  'locks',
  `${SETUP}
  local path = with 'x'
  local a, b, c = stream_of(path, 'read_only'), random_of(path, 'read_write'), stream_of(path, 'read_only')
  print(a:try_lock(), b:try_lock(), b:try_lock_shared())
  local order = {}
  local f = spawn(function() b:lock() order[#order + 1] = 'b' end)
  this_fiber.yield()
  order[#order + 1] = 'a'
  a:unlock()
  f:join()
  print(table.concat(order), c:try_lock_shared())
  b:unlock()
  print(c:try_lock_shared(), a:try_lock_shared(), b:try_lock())
  a:lock_shared()
  f = spawn(function() b:lock() end)
  this_fiber.yield()
  f:interrupt()
  f:join()
  print(f.interruption_caught)
  for _, how in ipairs{'cancel', 'close'} do
    f = spawn(function() b:lock() end)
    this_fiber.yield()
    b[how](b)
    local ok, e = pcall(f.join, f)
    print(ok, e == ae.basic.operation_aborted, b.is_open)
  end
  print(fails(b.lock, b))
  print(fails(b.try_lock, b))
  print(fails(b.unlock, b))
  -- the end of the VM ends this
  local d = random_of(path, 'read_write')
  spawn(function() pcall(d.lock, d) end):detach()
  this_fiber.yield()
  require('system').exit()
`,
  `true\tfalse\tfalse
ab\tfalse
true\ttrue\tfalse
true
false\ttrue\ttrue
false\ttrue\tfalse
Bad file descriptor\tnil
Bad file descriptor\tnil
Bad file descriptor\tnil
`,
);

spec(
  'a scanner reads a file by lines',
  `${SETUP}
  local lines = stream.scanner.new{stream = stream_of(with 'a b\\nc d\\n', 'read_only')}
  print(tostring(lines:get_line()), tostring(lines:get_line()), (pcall(lines.get_line, lines)))
`,
  'a b\tc d\tfalse\n',
);

// ── in the pool: what the kernel can't do at once ──────────────────────────────────────────────────

const inRing = faultTests(SETUP);
const inPool = faultTests(SETUP, () => {
  useRing(false);
  return () => void useRing(true);
});
/** In io_uring, where there is one, and in the pool. */
function faulty(...[name, ...rest]: Parameters<typeof inRing>): void {
  if (useRing(true)) inRing(`${name}; in io_uring`, ...rest);
  inPool(`${name}; in the pool`, ...rest);
}

const SLOW = { errno: 'EAGAIN', times: 1_000_000 };

const WHOLE = `
  local data = {}
  for i = 1, 30000 do data[i] = ('%07d'):format(i) end
  data = table.concat(data)
  local path = name()
  local f = stream_of(path, 'create', 'read_write')
  stream.write_all(f, data)
  f:seek(0, 'set')
  local b = byte_span.new(#data)
  stream.read_all(f, b)
  print(tostring(b) == data, f:seek(0, 'cur') == #data, pcall(f.read_some, f, b))
  local r = random_of(path, 'read_write')
  local c = byte_span.new(#data)
  file.read_all_at(r, 0, c)
  file.write_all_at(r, #data, data)
  print(tostring(c) == data, r.size == 2 * #data)
`;
const DONE = 'true\ttrue\tfalse\tEnd of file\ntrue\ttrue\n';
for (const call of ['preadv2', 'pwritev2']) {
  faulty(`${call}: all in the pool`, call, SLOW, WHOLE, DONE);
  faulty(
    `${call}: not for this file`,
    call,
    { errno: 'EOPNOTSUPP', times: 1_000_000 },
    WHOLE,
    DONE,
  );
  faulty(`${call}: now and then`, call, { errno: 'EAGAIN', skip: 1, times: 1 }, WHOLE, DONE);
  faulty(`${call}: interrupted by signals`, call, { errno: 'EINTR', times: 50 }, WHOLE, DONE);
  faulty(`${call}: a little at a time`, call, { limit: 997, times: 100 }, WHOLE, DONE);
}

faulty(
  'reads of several fibers are done in their order, in the pool too',
  'preadv2',
  { ...SLOW },
  `
  local f = stream_of(with '0123456789', 'read_only')
  local list = {}
  for i = 1, 5 do list[i] = spawn(function() return text(f, 2) end) end
  for i = 1, 5 do list[i] = list[i]:join() end
  print(table.concat(list, ' '), f:seek(0, 'cur'))
`,
  '01 23 45 67 89\t10\n',
);

faulty(
  'an interrupted read takes nothing away, and its buffer stays as it was',
  'preadv2',
  SLOW,
  `
  local f = stream_of(with '0123456789', 'read_only')
  local b = bytes '----'
  local g = spawn(function() f:read_some(b) end)
  local waiting = spawn(function() f:read_some(b) end)
  this_fiber.yield()
  g:interrupt()
  g:join()
  waiting:interrupt()
  waiting:join()
  print(g.interruption_caught, waiting.interruption_caught, b)
  print(text(f, 4), b, f:seek(0, 'cur'))
  local r = random_of(with 'abcdef', 'read_only')
  g = spawn(function() r:read_some_at(0, b) end)
  this_fiber.yield()
  r:cancel()
  local ok, e = pcall(g.join, g)
  print(ok, e == ae.basic.operation_aborted, b, text_at(r, 0))
`,
  'true\ttrue\t----\n0123\t----\t4\nfalse\ttrue\t----\tabcdef\n',
);

for (const how of ['close', 'release']) {
  faulty(
    `${how} while the pool works: the operations end, the descriptor stays open until it is done`,
    'preadv2',
    SLOW,
    `
    local f = stream_of(with '0123456789', 'read_only')
    local r = random_of(with '0123456789', 'read_only')
    local list = {}
    for i = 1, 4 do list[i] = spawn(function() f:read_some(byte_span.new(1)) end) end
    for i = 5, 8 do list[i] = spawn(function() r:read_some_at(0, byte_span.new(1)) end) end
    this_fiber.yield()
    local fd = f:${how}()
    r:${how}()
    for i = 1, 8 do
      local ok, e = pcall(list[i].join, list[i])
      assert(not ok and e == ae.basic.operation_aborted)
    end
    print(f.is_open, r.is_open)
    -- numbers that are free by now may be used again
    local again = {}
    for i = 1, 8 do again[i] = stream_of(with('x' .. i), 'read_only') end
    for i = 1, 8 do assert(text(again[i]) == 'x' .. i) end
    ${how === 'release' ? 'local g = file.stream.new(fd) print(text(g, 4))' : "print('0123')"}
  `,
    'false\tfalse\n0123\n',
  );
}

faulty(
  'a write that is cancelled has copied its bytes',
  'pwritev2',
  SLOW,
  `
  local path = name()
  local f = stream_of(path, 'create', 'write_only')
  local b = bytes 'right'
  local g = spawn(function() f:write_some(b) end)
  this_fiber.yield()
  g:interrupt()
  g:join()
  b:copy('wrong')
  f:write_some(bytes '!')
  local t = text(stream_of(path, 'read_only'))
  print(t == 'right!' or t)
`,
  'true\n',
);

faulty(
  'others go on while the pool works',
  'preadv2',
  SLOW,
  `
  local f = stream_of(with(('x'):rep(100000)), 'read_only')
  local ticks, reading = 0, true
  spawn(function() while reading do ticks = ticks + 1 this_fiber.yield() end end)
  stream.read_all(f, byte_span.new(100000))
  reading = false
  print(ticks > 1)
`,
  'true\n',
);

faulty(
  'locks fail',
  'flock',
  { errno: 'ENOLCK', times: 2 },
  `
  local f = stream_of(with '', 'read_only')
  print(fails(f.try_lock, f))
  print(fails(f.lock, f))
  print(f:try_lock())
`,
  'No locks available\tnil\nNo locks available\tnil\ntrue\n',
);

test('new files have mode 0777 less the umask', { skip: nativeFailure() ?? false }, async () => {
  const path = join(folder, 'moded');
  const before = process.umask(0o027);
  try {
    const outcome = await runLua(
      `local f = require('file').stream.new() f:open(require 'filesystem'.path.new '${path}', {'create', 'write_only'})`,
    );
    assert.equal(outcome.stderr, '');
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(path).mode & 0o777, 0o750);
});

test('a file that is cut off while it is read ends where it ends', {
  skip: nativeFailure() ?? false,
}, async () => {
  const path = join(folder, 'shrinking');
  writeFileSync(path, 'x'.repeat(10_000));
  const outcome = await runLua(`${SETUP}
    local f, g = stream_of('${path}', 'read_only'), stream_of('${path}', 'write_only')
    print(#text(f, 100))
    g:resize(150)
    print(#text(f, 100), fails(f.read_some, f, byte_span.new(1)))
    g:resize(160)
    print(#text(f, 100))
  `);
  assert.equal(outcome.stdout, '100\n50\tEnd of file\tnil\n10\n');
  assert.equal(readFileSync(path).length, 160);
});
