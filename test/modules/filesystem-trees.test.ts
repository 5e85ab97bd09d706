/** Copying and removing files and trees: what they do, and that others run meanwhile. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { setSlice } from '../../src/actors/slices.ts';
import { useRing } from '../../src/io/uring.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { ON_DISK } from '../support/on-disk.ts';
import { runLua, spec } from '../support/spec.ts';

await openReactor();
useRing(true);

// In this file, what takes long gives way at every step.
let slice = 0;
before(() => {
  slice = setSlice(0);
});
after(() => {
  setSlice(slice);
});

spec(
  'copy_file copies contents and permissions, and minds what is there',
  `${ON_DISK}
  make('a', 'b', 'sub/')
  fs.chmod(dir / 'a', fs.mode(7, 5, 1))
  print(fs.copy_file(dir / 'a', dir / 'new'), read(dir / 'new'), format('{:o}', fs.status(dir / 'new').mode))
  print(try(fs.copy_file, dir / 'a', dir / 'b'), read(dir / 'b'))
  print(fs.copy_file(dir / 'a', dir / 'b', {existing = 'skip'}), read(dir / 'b'))
  fs.last_write_time(dir / 'b', fs.clock.unix_epoch() + 10)
  fs.last_write_time(dir / 'a', fs.clock.unix_epoch() + 9)
  print(fs.copy_file(dir / 'a', dir / 'b', {existing = 'update'}), read(dir / 'b'))
  fs.last_write_time(dir / 'a', fs.clock.unix_epoch() + 10.000000001)
  print(fs.copy_file(dir / 'a', dir / 'b', 'update'), read(dir / 'b'))
  write(dir / 'b', 'a text that is longer')
  print(fs.copy_file(dir / 'a', dir / 'b', 'overwrite'), read(dir / 'b'))
  print(try(fs.copy_file, dir / 'a', dir / 'a', 'overwrite'), try(fs.copy_file, dir / 'sub', dir / 'x'),
    try(fs.copy_file, dir / 'a', dir / 'sub', 'overwrite'), try(fs.copy_file, P '/dev/null', dir / 'x'))
  print(try(fs.copy_file, dir / 'none', dir / 'x'), try(fs.copy_file, dir / 'a', dir / 'none/x'))
  print(try(fs.copy_file, dir / 'a/x', dir / 'x'), try(fs.copy, dir / 'a/', dir / 'x'))
  print(try(fs.copy_file, dir / 'a', dir / 'x', 'what'), try(fs.copy_file, dir / 'a', dir / 'x', {existing = 'what'}),
    try(fs.copy_file, dir / 'a', dir / 'x', 1), try(fs.copy_file, 'a', dir), try(fs.copy_file, dir, 'a'), fs.exists(dir / 'x'))
  fs.create_symlink(P 'a', dir / 'link')
  fs.create_symlink(P 'b', dir / 'to')
  fs.copy_file(dir / 'link', dir / 'from_link')
  fs.copy_file(dir / 'new', dir / 'to', 'overwrite')
  print(fs.is_symlink(dir / 'from_link'), read(dir / 'from_link'), fs.is_symlink(dir / 'to'), read(dir / 'b'))
`,
  `true	a	751
File exists (generic) ~/a ~/b	b
false	b
false	b
true	a
true	a
File exists (generic) ~/a ~/a	Invalid argument (generic) ~/sub ~/x	Invalid argument (generic) ~/a ~/sub	Invalid argument (generic) /dev/null ~/x
No such file or directory (generic) ~/none ~/x	No such file or directory (generic) ~/a ~/none/x
Not a directory (generic) ~/a/x ~/x	Not a directory (generic) ~/a/ ~/x
Invalid argument (generic) nil nil arg=3	Invalid argument (generic) nil nil arg=existing	Invalid argument (generic) nil nil arg=3	Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=2	false
false	a	true	a
`,
);

spec(
  'large files, files with holes, and files of no size are copied whole',
  `${ON_DISK}
  local random = {}
  for i = 1, 3 * 2^20, 8192 do random[#random + 1] = ('%08d'):format(i):rep(1024) end
  local text = table.concat(random) .. 'tail'
  write(dir / 'large', text)
  fs.copy_file(dir / 'large', dir / 'large2')
  print(read(dir / 'large2') == text)

  write(dir / 'holes', 'begin')
  fs.resize_file(dir / 'holes', 6 * 2^30)
  local f = file.random_access.new()
  f:open(dir / 'holes', {'write_only'})
  f:write_some_at(5 * 2^30, byte_span.append('far'))
  f:close()
  fs.copy_file(dir / 'holes', dir / 'holes2')
  f = file.random_access.new()
  f:open(dir / 'holes2', {'read_only'})
  local buf = byte_span.new(5)
  f:read_some_at(5 * 2^30 - 1, buf)
  print(f.size == 6 * 2^30, tostring(buf) == '\\0far\\0', f:read_some_at(0, buf), tostring(buf))
  f:close()

  -- The kernel says that it has no bytes.
  fs.copy_file(P '/proc/self/status', dir / 'status')
  print(read(dir / 'status'):match '^Name:' ~= nil)
`,
  `true
true	true	5	begin
true
`,
);

spec(
  'copy has the rules of std::filesystem::copy',
  `${ON_DISK}
  make('t/a', 't/sub/b', 't/sub/deep/c', 'file')
  fs.copy(dir / 't', dir / 'flat')
  print(tree(dir / 'flat'))
  fs.copy(dir / 't', dir / 'none', {existing = 'skip'})
  print(fs.exists(dir / 'none'))
  print(fs.copy(dir / 't', dir / 'whole', {recursive = true}))
  print(tree(dir / 'whole'))
  fs.copy(dir / 't', dir / 'dirs', {recursive = true, copy = 'directories_only'})
  print(tree(dir / 'dirs'))
  fs.copy(dir / 't', dir / 'hard', {recursive = true, copy = 'create_hard_links'})
  print(tree(dir / 'hard'), fs.equivalent(dir / 'hard/sub/b', dir / 't/sub/b'))
  fs.copy(dir / 'file', dir / 'hard', {copy = 'create_hardlinks', existing = 'skip'})
`,
  `a=t/a
false

a=t/a sub/ sub/b=t/sub/b sub/deep/ sub/deep/c=t/sub/deep/c
sub/ sub/deep/
a=t/a sub/ sub/b=t/sub/b sub/deep/ sub/deep/c=t/sub/deep/c	true
`,
  { code: 1, stderr: /File exists/ },
);

spec(
  'copy: files into directories, links, what is there already, what can not be',
  `${ON_DISK}
  make('t/a', 't/sub/b', 'file', 'into/', 'other')
  local all = {recursive = true}
  fs.copy(dir / 'file', dir / 'into')
  fs.copy(dir / 'file', dir / 'copy')
  print(tree(dir / 'into'), read(dir / 'copy'))
  print(try(fs.copy, dir / 'file', dir / 'into'), try(fs.copy, dir / 'file', dir / 'file'), try(fs.copy, dir / 't', dir / 't', all))
  print(try(fs.copy, dir / 't', dir / 'file', all), try(fs.copy, dir / 'none', dir / 'x'), try(fs.copy, P '/dev/null', dir / 'x'),
    try(fs.copy, dir / 'file', P '/dev/null'))
  fs.create_symlink(P 'a', dir / 't/link')
  fs.create_symlink(P 'sub', dir / 't/to_sub')
  fs.copy(dir / 't', dir / 'followed', all)
  print(tree(dir / 'followed'))
  fs.copy(dir / 't', dir / 'copied', {recursive = true, symlinks = 'copy'})
  print(tree(dir / 'copied'))
  fs.copy(dir / 't', dir / 'skipped', {recursive = true, symlinks = 'skip'})
  print(tree(dir / 'skipped'))
  fs.copy(dir / 't/link', dir / 'link', {symlinks = 'copy'})
  print(fs.read_symlink(dir / 'link'), try(fs.copy, dir / 't/link', dir / 'link', {symlinks = 'copy'}))
  fs.copy(dir / 't/a', dir / 'symlinked', {copy = 'create_symlinks'})
  print(short(fs.read_symlink(dir / 'symlinked')), try(fs.copy, P 'a', dir / 'z', {copy = 'create_symlinks'}),
    try(fs.copy, dir / 't', dir / 'z', {copy = 'create_symlinks'}))
  -- The first name that is there ends it, unless it may be passed over, or replaced.
  local function again(existing)
    local e = try(fs.copy, dir / 't', dir / 'copied', {recursive = true, symlinks = 'copy', existing = existing})
    return e and e:match '^[^(]*', tree(dir / 'copied')
  end
  write(dir / 'copied/a', 'mine') write(dir / 'copied/sub/b', 'mine')
  fs.remove(dir / 'copied/link') fs.create_symlink(P 'mine', dir / 'copied/link')
  print(again())
  print(again('skip'))
  print(again('overwrite'))
`,
  `file=file	file
File exists (generic) ~/file ~/into/file	File exists (generic) ~/file ~/file	File exists (generic) ~/t ~/t
Is a directory (generic) ~/t ~/file	No such file or directory (generic) ~/none ~/x	Invalid argument (generic) /dev/null ~/x	Invalid argument (generic) ~/file /dev/null
a=t/a link=t/a sub/ sub/b=t/sub/b to_sub/ to_sub/b=t/sub/b
a=t/a link>a sub/ sub/b=t/sub/b to_sub>sub
a=t/a sub/ sub/b=t/sub/b
a	File exists (generic) ~/t/link ~/link
~/t/a	No such file or directory (generic) a ~/z	Is a directory (generic) ~/t ~/z
File exists 	a=mine link>mine sub/ sub/b=mine to_sub>sub
nil	a=mine link>mine sub/ sub/b=mine to_sub>sub
nil	a=t/a link>a sub/ sub/b=t/sub/b to_sub>sub
`,
);

spec(
  'copy: wrong options',
  `${ON_DISK}
  for _, o in ipairs{{recursive = 1}, {existing = 'x'}, {existing = 1}, {symlinks = 'follow'}, {copy = 'x'}, {special = 'x'},
      {preserve = 'x'}, {preserve = {'x'}}, {preserve = 1}} do
    print(try(fs.copy, dir, dir / 'x', o))
  end
  print(try(fs.copy, dir, dir / 'x', 1), try(fs.copy, dir), try(fs.copy, 'x', dir), try(fs.copy, dir, dir / 'x', {unknown = 1, recursive = false}))
`,
  `${['recursive', 'existing', 'existing', 'symlinks', 'copy', 'special', 'preserve', 'preserve', 'preserve'].map((name) => `Invalid argument (generic) nil nil arg=${name}\n`).join('')}Invalid argument (generic) nil nil arg=3	Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=1	nil
`,
);

spec(
  'a directory is not copied into itself, nor round in circles',
  `${ON_DISK}
  make('t/a', 't/sub/b')
  print(try(fs.copy, dir / 't', dir / 't/sub/copy', {recursive = true}))
  print(try(fs.copy, dir / 't', dir / 't/sub/../new', {recursive = true}))
  fs.remove_all(dir / 't/new')
  fs.remove_all(dir / 't/sub/copy')
  fs.create_symlink(P '..', dir / 't/sub/up')
  print(try(fs.copy, dir / 't', dir / 'x', {recursive = true}))
`,
  `Invalid argument (generic) ~/t/sub/copy ~/t/sub/copy/sub/copy
Invalid argument (generic) ~/t/new ~/t/sub/../new/new
Too many levels of symbolic links (generic) ~/t/sub/up ~/x/sub/up
`,
);

spec(
  'modes, times, links and special files are kept on request',
  `${ON_DISK}
  make('t/a', 't/sub/b')
  fs.chmod(dir / 't/a', tonumber('6640', 8))
  fs.chmod(dir / 't/sub', tonumber('1555', 8))
  fs.create_hardlink(dir / 't/a', dir / 't/sub2')
  fs.remove(dir / 't/sub2')
  fs.mkdir(dir / 't/other', 511)
  fs.create_hardlink(dir / 't/a', dir / 't/other/linked')
  fs.mkfifo(dir / 't/fifo', fs.mode(6, 2, 0))
  fs.create_symlink(P 'a', dir / 't/link')
  for i, name in ipairs{'t/a', 't/fifo', 't/sub/b', 't/sub', 't/other', 't'} do
    fs.last_write_time(dir / name, fs.clock.unix_epoch() + i + 0.123456789)
  end
  local opts = {recursive = true, symlinks = 'copy', special = 'copy', preserve = {'mode', 'owner', 'times', 'links', 'xattrs'}}
  for round, to in ipairs{dir / 'x', dir / 'y'} do
    if round == 2 then opts.preserve = 'all' end
    fs.copy(dir / 't', to, opts)
    print(tree(to))
    for _, name in ipairs{'a', 'sub', 'other', 'fifo', ''} do
      local p, q = dir / 't' / name, to / name
      print(name, format('{:o}', fs.status(q).mode), fs.status(q) == fs.status(p), fs.last_write_time(q) == fs.last_write_time(p))
    end
    print(fs.equivalent(to / 'a', to / 'other/linked'), fs.hardlink_count(to / 'a'))
  end
  print(try(fs.copy, dir / 't', dir / 'z', {recursive = true}):match '^Invalid argument', tree(dir / 'z', false):match 'fifo')
  fs.remove_all(dir / 'z')
  fs.copy(dir / 't', dir / 'z', {recursive = true, special = 'skip'})
  print(fs.equivalent(dir / 'z/a', dir / 'z/other/linked'), fs.exists(dir / 'z/fifo'), format('{:o}', fs.status(dir / 'z/sub').mode))
  fs.chmod(dir / 't/sub', 511) fs.chmod(dir / 'x/sub', 511) fs.chmod(dir / 'y/sub', 511) fs.chmod(dir / 'z/sub', 511)
`,
  `${`a=t/a fifo fifo link>a other/ other/linked=t/a sub/ sub/b=t/sub/b
a	6640	true	true
sub	1555	true	true
other	755	true	true
fifo	600	true	true
	755	true	true
true	2
`.repeat(2)}Invalid argument	nil
false	false	555
`,
);

spec(
  'remove_all removes trees, and not what links lead to',
  `${ON_DISK}
  make('t/a', 't/sub/b', 't/sub/deep/c', 'keep/k', 'file')
  fs.create_symlink(dir / 'keep', dir / 't/sub/link')
  fs.create_symlink(P 'keep', dir / 'to_keep')
  -- A slash in the end asks for a directory, and a link to one is none.
  print(try(fs.remove_all, dir / 'to_keep/'), try(fs.remove_all, dir / 'file/'), fs.remove_all(dir / 'none/'), tree(dir / 'keep'))
  print(fs.remove_all(dir / 't/'), fs.exists(dir / 't'), fs.remove_all(dir / 't'), fs.remove_all(dir / 'file'), fs.remove_all(dir / 'file/x'))
  print(fs.remove_all(dir / 'to_keep'), fs.exists(dir / 'to_keep'), tree(dir / 'keep'), fs.remove_all(P ''))
  print(try(fs.remove_all, dir / 'keep/.'), try(fs.remove_all, dir / 'keep/..'), try(fs.remove_all, P '/'), tree(dir / 'keep'))
  print(try(fs.remove_all, 'x'))
  -- Names of any bytes.
  make('t/\\xff\\n/\\x80')
  print(fs.remove_all(dir / 't'))
`,
  `Not a directory (generic) ~/to_keep/ nil	Not a directory (generic) ~/file/ nil	0	k=keep/k
7	false	0	1	0
1	false	k=keep/k	0
Invalid argument (generic) ~/keep/. nil	Invalid argument (generic) ~/keep/.. nil	Device or resource busy (generic) / nil	k=keep/k
Invalid argument (generic) nil nil arg=1
3
`,
);

const DEEP = `
  local before = fs.current_working_directory()
  scope_cleanup_push(function() fs.current_working_directory(before) end)
  local name = ('n'):rep(200)
  fs.create_directory(dir / 't')
  fs.current_working_directory(dir / 't')
  for i = 1, 60 do
    fs.create_directory(P(name))
    for _, d in ipairs{'a', 'z'} do fs.create_directory(P(d)) write(P(d) / 'f', tostring(i)) end
    fs.current_working_directory(P(name))
  end
  fs.current_working_directory(before)
  local function most_fds(f)
    local function count()
      local n = 0
      for _ in fs.directory_iterator(P '/proc/self/fd') do n = n + 1 end
      return n
    end
    local first, most, running = count(), 0, true
    spawn(function() while running do most = math.max(most, count() - first) time.sleep(0) end end):detach()
    f()
    running = false
    return most
  end
`;

spec(
  'trees deeper than the longest path are copied and removed, with few descriptors',
  `${ON_DISK}${DEEP}
  print(most_fds(function() fs.copy(dir / 't', dir / 'copy', {recursive = true, preserve = {'links'}}) end) < 45)
  local n = 0
  for _ in fs.recursive_directory_iterator(dir / 'copy') do n = n + 1 end
  print(n)
  print(most_fds(function() n = fs.remove_all(dir / 't') end) < 40, n, fs.remove_all(dir / 'copy'))
`,
  `true
300
true	301	301
`,
);

spec(
  'others run meanwhile; interruption ends it, and it can be begun again',
  `${ON_DISK}
  local names = {}
  for i = 1, 30 do names[i] = 't/d' .. i % 5 .. '/f' .. i end
  make(unpack(names))
  local ticks, running = 0, true
  spawn(function() while running do ticks = ticks + 1 this_fiber.yield() end end):detach()
  local function counted(f, ...)
    local before = ticks
    f(...)
    return ticks - before
  end
  print(counted(fs.copy, dir / 't', dir / 'x', {recursive = true}) > 30, counted(fs.remove_all, dir / 'x') > 30)
  this_fiber.forbid_suspend()
  print(counted(fs.copy, dir / 't', dir / 'x', {recursive = true}), counted(fs.remove_all, dir / 'x'))
  this_fiber.allow_suspend()

  local copier = spawn(function() fs.copy(dir / 't', dir / 'x', {recursive = true}) end)
  while not (fs.exists(dir / 'x') and not fs.is_empty(dir / 'x')) do this_fiber.yield() end
  copier:interrupt()
  copier:join()
  print(copier.interruption_caught, tree(dir / 'x') ~= tree(dir / 't'))
  fs.copy(dir / 't', dir / 'x', {recursive = true, existing = 'skip'})
  print(tree(dir / 'x') == tree(dir / 't'))

  local first = dir / 'x' / fs.directory_iterator(dir / 'x')().path.filename
  local remover = spawn(function() fs.remove_all(dir / 'x') end)
  while fs.exists(first) do this_fiber.yield() end
  remover:interrupt()
  remover:join()
  print(remover.interruption_caught, fs.exists(dir / 'x'), fs.remove_all(dir / 'x') > 0, fs.exists(dir / 'x'))
  running = false

  -- A fiber that is to be interrupted already is so where it gives way, and not before.
  local late = spawn(function()
    this_fiber.yield()
    fs.copy(dir / 't', dir / 'y', {recursive = true})
  end)
  late:interrupt()
  late:join()
  print(late.interruption_caught, fs.remove_all(dir / 'y') < 5)
`,
  `true	true
0	0
true	true
true
true	true	true	false
true	true
`,
);

spec(
  'a copy that is interrupted leaves no half file of its own making',
  `${ON_DISK}
  write(dir / 'large', ('x'):rep(8 * 2^20))
  local copier = spawn(function() fs.copy_file(dir / 'large', dir / 'copy') end)
  while not fs.exists(dir / 'copy') do this_fiber.yield() end
  local size = fs.file_size(dir / 'copy')
  copier:interrupt()
  copier:join()
  print(copier.interruption_caught, size < 8 * 2^20, fs.exists(dir / 'copy'))
  -- What was there stays, cut off: the error says so.
  write(dir / 'copy', 'old')
  copier = spawn(function() fs.copy_file(dir / 'large', dir / 'copy', 'overwrite') end)
  while fs.file_size(dir / 'copy') <= 3 do this_fiber.yield() end
  copier:interrupt()
  copier:join()
  print(copier.interruption_caught, fs.file_size(dir / 'copy') < 8 * 2^20)
`,
  `true	true	false
true	true
`,
);

spec(
  'interrupted at any point, what is there is whole, and the rest comes when it is begun again',
  `${ON_DISK}
  make('t/a/f1', 't/a/f2', 't/b/c/f3', 't/f4')
  write(dir / 't/large', ('x'):rep(2^19))
  fs.create_hardlink(dir / 't/a/f1', dir / 't/b/linked')
  local whole = tree(dir / 't')
  local opts = {recursive = true, existing = 'skip', preserve = {'links', 'times'}}
  local early, late = 0, 0
  local function interrupt_after(k, f, ...)
    local args = {...}
    local fiber = spawn(function() f(unpack(args)) end)
    for i = 1, k do time.sleep(0) end
    fiber:interrupt()
    fiber:join()
    if fiber.interruption_caught then early = early + 1 else late = late + 1 end
  end
  for k = 0, 40 do
    interrupt_after(k, fs.copy, dir / 't', dir / 'x', opts)
    if fs.exists(dir / 'x') then
      for entry in fs.recursive_directory_iterator(dir / 'x') do
        if entry.type == 'regular' then
          local original = dir / 't' / fs.relative(entry.path, dir / 'x')
          assert(read(entry.path) == read(original), tostring(entry.path))
        end
      end
    end
    fs.copy(dir / 't', dir / 'x', opts)
    assert(tree(dir / 'x') == whole)
    interrupt_after(k, fs.remove_all, dir / 'x')
    fs.remove_all(dir / 'x')
    assert(not fs.exists(dir / 'x'))
  end
  print(early > 0)
`,
  'true\n',
);

spec(
  'a program that ends in the middle of it leaves no descriptor',
  `${ON_DISK}
  make('t/a/b/c', 't/d/e')
  spawn(function() fs.copy(dir / 't', dir / 'x', {recursive = true, preserve = 'all'}) print 'never' end):detach()
  spawn(function() fs.remove_all(dir / 't/a') print 'never' end):detach()
  this_fiber.yield()
  require('system').exit(0)
`,
  '',
);

test('a schedule for tests has the same slices in each run', async () => {
  const program = `${ON_DISK}
    local out = {}
    local function work(name)
      return spawn(function()
        for i = 1, 8 do make(name .. '/d' .. i .. '/x/') end
        fs.copy(dir / name, dir / (name .. '2'), {recursive = true})
        out[#out + 1] = name .. ' copied'
        fs.remove_all(dir / name)
        out[#out + 1] = name .. ' removed'
      end)
    end
    local fibers = {work 'a', work 'b', work 'c'}
    for _, fiber in ipairs(fibers) do fiber:join() end
    print(table.concat(out, ', '))
  `;
  const orders = new Set<string>();
  for (let schedule = 1; schedule <= 6; schedule++) {
    const first = await runLua(program, { schedule });
    assert.equal(first.stderr, '');
    assert.equal(first.stdout, (await runLua(program, { schedule })).stdout);
    orders.add(first.stdout);
  }
  assert.ok(orders.size > 1, 'and others with another seed');
});

spec(
  'a tree that others remove and change meanwhile',
  `${ON_DISK}
  local names = {}
  for i = 1, 40 do names[i] = 't/d' .. i % 8 .. '/f' .. i end
  make(unpack(names))
  local copier = spawn(function() fs.copy(dir / 't', dir / 'x', {recursive = true}) return 'copied' end)
  local removers = {}
  for i = 1, 3 do removers[i] = spawn(function() return fs.remove_all(dir / 't') end) end
  local sum = 0
  for i = 1, 3 do sum = sum + removers[i]:join() end
  print(copier:join(), sum, fs.exists(dir / 't'))
  -- Somebody fills it while it is being emptied: that is told, or gone too.
  make(unpack(names))
  local remover = spawn(function() return pcall(fs.remove_all, dir / 't') end)
  for i = 1, 20 do
    pcall(write, dir / ('t/d1/new' .. i), 'x')
    this_fiber.yield()
  end
  local ok, e = remover:join()
  print(ok and not fs.exists(dir / 't') or tostring(e) == 'Directory not empty')
`,
  `copied	49	false
true
`,
);

// ── what the system refuses ────────────────────────────────────────────────────────────────────────

const withFault = faultTests(ON_DISK);

withFault(
  'a disk that is full in the middle of a file: it is told, and the piece taken away',
  'copy_file_range',
  { errno: 'ENOSPC', skip: 1, times: 1 },
  `
  write(dir / 'large', ('x'):rep(3 * 2^20))
  print(try(fs.copy_file, dir / 'large', dir / 'copy'), fs.exists(dir / 'copy'))
`,
  'No space left on device (generic) ~/large ~/copy\tfalse\n',
);

withFault(
  'between file systems that the kernel can not copy across, bytes are read and written',
  'copy_file_range',
  { errno: 'EXDEV', skip: 0, times: 1000 },
  `
  local text = ('0123456789abcde\\n'):rep(200000)
  write(dir / 'large', text)
  fs.copy_file(dir / 'large', dir / 'copy')
  print(read(dir / 'copy') == text)
`,
  'true\n',
);

withFault(
  'short copies go on where they stopped',
  'copy_file_range',
  { limit: 1000, skip: 0, times: 100 },
  `
  local text = ('0123456789abcde\\n'):rep(20000)
  write(dir / 'large', text)
  fs.copy_file(dir / 'large', dir / 'copy')
  print(read(dir / 'copy') == text)
`,
  'true\n',
);

withFault(
  'what can not be removed is named',
  'unlinkat',
  { errno: 'EACCES', skip: 1, times: 1 },
  `
  make('t/a/b', 't/c')
  local e = try(fs.remove_all, dir / 't')
  print(e:match '^Permission denied %(generic%) ~/t/' ~= nil, fs.exists(dir / 't'))
`,
  'true\ttrue\n',
);

withFault(
  'what can not be opened is named on both sides',
  'openat2',
  { errno: 'EMFILE', skip: 5, times: 1 },
  `
  make('t/a/b')
  print(try(fs.copy, dir / 't', dir / 'x', {recursive = true}))
`,
  'Too many open files (generic) ~/t/a/b ~/x/a/b\n',
);
