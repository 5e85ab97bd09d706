/** Handles of directories: what is beneath can be opened, made, listed, by those who can't open anything. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { availableWalls } from '../../src/sandbox/apply.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { openReactor } from '../support/faulty.ts';
import { runLua, type SpecOptions, spec } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
if (skip === false) {
  await openReactor();
  // What reading files, processes and sandboxes leave open for good.
  await runLua(
    `
    local file, fs = require 'file', require 'filesystem'
    local f = file.stream.new()
    f:open(fs.path.new(tostring(_FILE)), {'read_only'})
    f:read_some(byte_span.new(10))
    f:close()
    f:open(_FILE.parent_path / 'new', {'write_only', 'create'})
    f:write_some(byte_span.append 'x')
    f:close()
    spawn_vm{module = './w', subprocess = {}}
    pcall(spawn_vm, {module = './w', subprocess = {sandbox = 'inbox'}})
    spawn_vm{module = './w', inherit_context = false}
  `,
    { files: { 'w.lua': '' } },
  );
}

/** `root`: a new directory with `a` ('content of a') and `sub/b`, beside `outside` and links that lead there. */
const SETUP = `
  local fs, file, stream, inbox = require 'filesystem', require 'file', require 'stream', require 'inbox'
  local folder = _FILE.parent_path / 'tree'
  local root = folder / 'root'
  fs.create_directories(root / 'sub')
  local function write(path, text)
    local f = file.stream.new()
    f:open(path, {'write_only', 'create'})
    stream.write_all(f, text)
    f:close()
  end
  write(root / 'a', 'content of a')
  write(root / 'sub' / 'b', 'content of b')
  write(folder / 'outside', 'secret')
  fs.create_symlink(fs.path.new '../outside', root / 'up')
  fs.create_symlink(fs.path.new(tostring(folder / 'outside')), root / 'absolute')
  fs.create_symlink(fs.path.new 'sub/b', root / 'down')
  fs.create_symlink(fs.path.new '/proc/self/root', root / 'magic')
  fs.mkfifo(root / 'fifo', fs.mode(6, 6, 6))
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    return ok and 'no error' or tostring(e)
  end
  local function read(fd)
    local f, b = file.stream.new(fd), byte_span.new(100)
    local n = f:read_some(b)
    f:close()
    return tostring(b:first(n))
  end
  local function names(iterator)
    local list = {}
    for name, type in iterator do list[#list + 1] = name .. '=' .. type end
    table.sort(list)
    return table.concat(list, ' ')
  end
`;

const lua = (name: string, source: string, expected: string, options: SpecOptions = {}): void => {
  if (skip === false) spec(name, SETUP + source, expected, options);
  else test(name, { skip }, () => {});
};

lua(
  'to read: files, directories, lists, what is known of a file',
  `
  local h = fs.directory_handle(root)
  print(getmetatable(h), h.type, h.is_open)
  print(read(h:openat('a', {'read_only'})), read(h:openat(fs.path.new 'sub/b', {'read_only'})), read(h:openat('down', {'read_only', 'resolve_beneath'})))
  local sub = h:openat('sub', {'directory'})
  print(getmetatable(sub), read(sub:openat('b', {})), names(sub:list()))
  print(names(h:list()))
  print(names(h:list 'sub'))
  local s = h:stat 'a'
  print(s.type, s.size, s.hardlink_count, s.mode == fs.status(root / 'a').mode, s.last_write_time == fs.last_write_time(root / 'a'))
  print(h:stat('sub').type, h:stat('.').type, h:stat('down').type, h:stat('down', {'no_follow'}).type, h:stat('fifo').type)
  local fd = h:openat('a', {'read_only'})
  print(fd.type, fd.non_blocking)
  local f = file.stream.new(fd)
  print(fails(f.write_some, f, byte_span.append 'x'))
  f:close() sub:close() h:close()
  print(h.is_open, fails(h.openat, h, 'a', {}))
`,
  `directory_handle\tdirectory\ttrue
content of a\tcontent of b\tcontent of b
directory_handle\tcontent of b\tb=regular
a=regular absolute=symlink down=symlink fifo=fifo magic=symlink sub=directory up=symlink
b=regular
regular\t12\t1\ttrue\ttrue
directory\tdirectory\tregular\tsymlink\tfifo
regular\tfalse
Bad file descriptor
false\tBad file descriptor
`,
);

lua(
  'names lead nowhere but beneath, and only to files and directories',
  `
  local h = fs.directory_handle(fs.open(root, {'directory', 'path'}), 'read_write')
  local function try(name, ...) print(name, fails(h.openat, h, name, {...}), fails(h.stat, h, name), fails(h.list(h, name))) end
  for _, name in ipairs{'..', '../outside', 'sub/../../outside', '/', 'up', 'absolute', 'magic', 'magic/etc/passwd', ''} do
    try(name, 'read_only')
  end
  local sub = h:openat('sub', {'directory'})
  print(fails(sub.openat, sub, '../a', {'read_only'}))
  print(fails(h.openat, h, 'fifo', {'read_only'}), fails(h.openat, h, 'fifo', {'write_only'}), fails(h.openat, h, 'fifo', {'write_only', 'create'}))
  print(fails(h.openat, h, 'up', {'write_only', 'create'}), fails(h.openat, h, '../new', {'write_only', 'create'}))
  print(fails(h.openat, h, 'down', {'no_follow'}), fails(h.openat, h, 'down', {'resolve_no_symlinks'}), fails(h.openat, h, 'a', {'resolve_in_root'}))
  print(fails(h.create_directory, h, '../d'), fails(h.remove, h, '../outside'), fails(h.remove, h, '..'), fails(h.remove, h, '.'))
  print(fails(h.openat, h, 'sub', {'write_only'}), fails(h.openat, h, 'none', {'read_only'}), fails(h.openat, h, 'a', {'directory'}))
  print(fails(h.openat, h, tostring(folder / 'outside'), {'read_only'}))
  print(fs.exists(folder / 'outside'), fs.exists(folder / 'new'), fs.exists(folder / 'd'))
`,
  `${['..', '../outside', 'sub/../../outside', '/', 'up', 'absolute', 'magic', 'magic/etc/passwd']
    .map(
      (name) =>
        `${name}\tInvalid cross-device link\tInvalid cross-device link\tInvalid cross-device link\n`,
    )
    .join('')}\tNo such file or directory\tNo such file or directory\tNo such file or directory
Invalid cross-device link
Operation not permitted\tOperation not permitted\tOperation not permitted
Invalid cross-device link\tInvalid cross-device link
Too many levels of symbolic links\tToo many levels of symbolic links\tInvalid argument
Invalid cross-device link\tInvalid cross-device link\tInvalid argument\tInvalid argument
Is a directory\tNo such file or directory\tNot a directory
Invalid cross-device link
true\tfalse\tfalse
`,
);

lua(
  'to write: new files, longer ones, directories; and what else is not allowed',
  `
  local h = fs.directory_handle(root, 'read_write')
  local function put(fd, text)
    local f = file.stream.new(fd)
    stream.write_all(f, text)
    f:close()
  end
  put(h:openat('new', {'write_only', 'create', 'exclusive'}, tonumber('4755', 8)), 'first')
  print(read(h:openat('new', {'read_only'})), fs.status(root / 'new').mode < 512)
  put(h:openat('new', {'write_only', 'append'}), ' second')
  print(read(h:openat('new', {'read_write'})))
  put(h:openat('new', {'write_only', 'truncate'}), 'third')
  print(read(h:openat('new', {'read_only'})), fails(h.openat, h, 'new', {'write_only', 'create', 'exclusive'}))
  put(h:openat('.', {'write_only', 'temporary'}), 'nowhere')
  h:create_directory 'd'
  put(h:openat('d/x', {'write_only', 'create'}), 'x')
  print(fails(h.create_directory, h, 'd'), fails(h.remove, h, 'd'))
  print(h:remove 'd/x', h:remove 'd', h:remove 'd', h:remove 'up', names(h:list()))
  print(fs.exists(folder / 'outside'))
  local r = fs.directory_handle(root, 'read_only')
  for _, flags in ipairs{{'write_only'}, {'read_write'}, {'read_only', 'create'}, {'read_only', 'truncate'}, {'write_only', 'temporary'}, {'append'}} do
    print(fails(r.openat, r, 'a', flags))
  end
  print(fails(r.create_directory, r, 'e'), fails(r.remove, r, 'a'), fails(function() return r:openat('sub', {'directory'}):openat('b', {'write_only'}) end))
  local w = fs.directory_handle(root, 'write_only')
  put(w:openat('a', {'write_only'}), 'CONTENT')
  print(fails(w.openat, w, 'a', {'read_only'}), fails(w.openat, w, 'a', {'read_write'}), fails(w.stat, w, 'a'), fails(w.list(w)))
  print(read(r:openat('a', {})))
`,
  `first\ttrue
first second
third\tFile exists
File exists\tDirectory not empty
true\ttrue\tfalse\ttrue\ta=regular absolute=symlink down=symlink fifo=fifo magic=symlink new=regular sub=directory
true
${'Read-only file system\n'.repeat(6)}Read-only file system\tRead-only file system\tRead-only file system
Permission denied\tPermission denied\tPermission denied\tPermission denied
CONTENT of a
`,
);

lua(
  'arguments; a handle in messages of this process; interruption; what nobody answers any more',
  `
  local h = fs.directory_handle(root)
  for _, f in ipairs{
    function() fs.directory_handle('x') end, function() fs.directory_handle(root, 'x') end, function() fs.directory_handle(root / 'a') end,
    function() h:openat(1, {}) end, function() h:openat('a') end, function() h:openat('a', {'x'}) end, function() h:openat('a', {}, 'x') end,
    function() h:openat('a', {'write_only', 'read_write'}) end, function() h:openat('a\\0', {}) end, function() h:openat(('x'):rep(5000), {}) end,
    function() h:list(1) end, function() h:stat() end, function() return h.x end, function() h.x = 1 end,
  } do
    local ok, e = pcall(f)
    print(tostring(e), type(e) == 'table' and e.arg)
  end
  local c = spawn_vm './other'
  c:send{h = h, home = inbox}
  print(inbox:receive())
  local fiber = spawn(function() for i = 1, 1000 do h:openat('a', {}) end end)
  this_fiber.yield()
  fiber:interrupt()
  print(pcall(fiber.join, fiber), fiber.interruption_caught, read(h:openat('a', {})))
  c = spawn_vm{module = './other', inherit_context = false} -- another thread
  c:send{h = h, home = inbox}
  print(inbox:receive())
  c = spawn_vm './maker'
  c:send{home = inbox, path = tostring(root)}
  local theirs = inbox:receive()
  print(getmetatable(theirs), read(theirs:openat('a', {})))
  c:send 'end'
  repeat local ok, e = pcall(theirs.openat, theirs, 'a', {}) until not ok
  print(fails(theirs.openat, theirs, 'a', {}), fails(theirs.stat, theirs, 'a'))
`,
  `Invalid argument\t1
Invalid argument\t2
Not a directory\tnil
Invalid argument\t2
Invalid argument\t3
Invalid argument\t3
Invalid argument\t4
Invalid argument\t3
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Invalid argument\t2
Requested key wasn't found in the table/userdata\tnil
Operation not permitted\tnil
content of a
true\ttrue\tcontent of a
content of a
directory_handle\tcontent of a
Broken pipe\tBroken pipe
`,
  {
    files: {
      'other.lua': `
      local inbox, fs, file = require 'inbox', require 'filesystem', require 'file'
      local m = inbox:receive()
      local f, b = file.stream.new(m.h:openat('a', {'read_only'})), byte_span.new(100)
      m.home:send(tostring(b:first(f:read_some(b))))
      `,
      'maker.lua': `
      local inbox, fs = require 'inbox', require 'filesystem'
      local m = inbox:receive()
      m.home:send(fs.directory_handle(fs.path.new(m.path)))
      inbox:receive()
      `,
    },
  },
);

const missing =
  skip !== false
    ? skip
    : availableWalls().size < 3 || spawnSync('unshare', ['-Unmpui', 'true']).status !== 0
      ? 'the kernel has no namespaces, Landlock or seccomp here'
      : undefined;

function inside(name: string, source: string, expected: string, child: string): void {
  if (missing === undefined)
    spec(name, SETUP + source, expected, { once: true, files: { 'child.lua': child } });
  else test(name, { skip: missing }, () => {});
}

const CHILD = `
  local inbox, file, stream, fs = require 'inbox', require 'file', require 'stream', require 'filesystem'
  local m = inbox:receive()
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    return ok and 'no error' or tostring(e)
  end
  local function read(fd)
    local f, b = file.stream.new(fd), byte_span.new(100)
    local n = f:read_some(b)
    f:close()
    return tostring(b:first(n))
  end
  local function tell(...)
    local t = {}
    for i = 1, select('#', ...) do t[i] = tostring((select(i, ...))) end
    m.home:send(table.concat(t, ' | '))
  end
`;

inside(
  'in a sandbox: a directory arrives as a handle to read, or as what was made of it',
  `
  local c = spawn_vm{module = './child', subprocess = {sandbox = 'inbox', stderr = 'share'}}
  c:send{home = inbox, dir = fs.open(root, {'directory', 'read_only'}), rw = fs.directory_handle(root / 'sub', 'read_write')}
  for i = 1, 6 do print(inbox:receive()) end
  print(read(fs.open(root / 'sub' / 'made', {'read_only'})))
  c:close()
`,
  `directory_handle | directory_handle
content of a | content of b | regular 12
Invalid cross-device link | Invalid cross-device link | Read-only file system
Operation not permitted | Operation not permitted
b made
100 times
by the sandbox
`,
  `${CHILD}
  tell(getmetatable(m.dir), getmetatable(m.rw))
  local s = m.dir:stat 'a'
  tell(read(m.dir:openat('a', {'read_only'})), read(m.dir:openat('sub', {'directory'}):openat('b', {})), s.type .. ' ' .. s.size)
  tell(fails(m.dir.openat, m.dir, '../outside', {}), fails(m.dir.openat, m.dir, '/etc/passwd', {}), fails(m.dir.openat, m.dir, 'x', {'write_only', 'create'}))
  tell(fails(fs.open, fs.path.new '/', {'read_only'}), fails(fs.directory_handle, fs.path.new '/'))
  local f = file.stream.new(m.rw:openat('made', {'write_only', 'create'}))
  stream.write_all(f, 'by the sandbox')
  f:close()
  local list = {}
  for name in m.rw:list() do list[#list + 1] = name end
  table.sort(list)
  tell(table.concat(list, ' '))
  local n = 0
  local fibers = {}
  for i = 1, 100 do
    fibers[i] = spawn(function()
      if read(m.dir:openat('a', {'read_only'})) == 'content of a' then n = n + 1 end
    end)
  end
  for i = 1, 100 do fibers[i]:join() end
  tell(n .. ' times')
`,
);

inside(
  'a handle goes on from sandbox to sandbox, and ends with the actor that serves it',
  `
  local a = spawn_vm{module = './child', subprocess = {sandbox = 'inbox', stderr = 'share'}}
  local b = spawn_vm{module = './child', subprocess = {sandbox = 'inbox', stderr = 'share'}}
  local h = fs.directory_handle(root)
  b:send{home = inbox}
  a:send{home = inbox, dir = h, to = b}
  h:close() -- others have it
  local told = {inbox:receive(), inbox:receive()}
  table.sort(told)
  print(table.concat(told, ', '))
  a:close() b:close()
`,
  'content of b, passed on\n',
  `${CHILD}
  if m.to then
    m.to:send{dir = m.dir:openat('sub', {'directory'})}
    tell 'passed on'
  else
    tell(read(inbox:receive().dir:openat('b', {'read_only'})))
  end
  pcall(inbox.receive, inbox)
`,
);

inside(
  'a sandbox that is killed while it asks leaves nothing open',
  `
  for i = 1, 5 do
    local c = spawn_vm{module = './child', subprocess = {sandbox = 'inbox'}}
    c:send{home = inbox, dir = fs.open(root, {'directory', 'path'})}
    print(inbox:receive())
    c:kill()
  end
`,
  'asks\n'.repeat(5),
  `${CHILD}
  for i = 1, 50 do
    spawn(function()
      while true do
        local fd = m.dir:openat('a', {})
        m.dir:stat 'sub'
        m.dir:openat('sub', {'directory'}):close()
        fd:close()
      end
    end):detach()
  end
  for i = 1, 100 do m.dir:stat '.' end
  tell 'asks'
  pcall(inbox.receive, inbox)
`,
);

test('in the bundle, where modules are loaded when they are required', {
  skip: missing ?? false,
  timeout: 300_000,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-bundle-'));
  try {
    const child = `
      local inbox = require 'inbox'
      local m = inbox:receive()
      local names = {}
      for name in m.dir:list() do names[#names + 1] = name end
      table.sort(names)
      m.home:send(table.concat(names, ' ') .. ' ' .. m.dir:stat('main.lua').type)
    `;
    const main = `
      local inbox, fs = require 'inbox', require 'filesystem'
      local c = spawn_vm{module = './child', subprocess = {sandbox = 'inbox', stderr = 'share'}}
      c:send{home = inbox, dir = fs.open(_FILE.parent_path, {'directory', 'read_only'})}
      print(inbox:receive())
    `;
    writeFileSync(join(folder, 'child.lua'), child);
    writeFileSync(join(folder, 'main.lua'), main);
    const perilune = join(import.meta.dirname, '../../bin/perilune');
    const { stdout, stderr } = spawnSync(perilune, [join(folder, 'main.lua')], {
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.equal(stdout, 'child.lua main.lua regular\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
