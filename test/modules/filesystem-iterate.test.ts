/** Iterators over directories that are large, deep, looped, forbidden, or change meanwhile. */
import { after, before } from 'node:test';
import { setSlice } from '../../src/actors/slices.ts';
import { useRing } from '../../src/io/uring.ts';
import { faultTests, openReactor } from '../support/faulty.ts';
import { ON_DISK } from '../support/on-disk.ts';
import { spec } from '../support/spec.ts';

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

const withFault = faultTests(`
  local fs = require 'filesystem'
  local proc = fs.path.new '/proc/self'
`);

spec(
  'a directory gives its entries, and not those below',
  `${ON_DISK}
  make('d/a', 'd/sub/b', 'd/c')
  fs.create_symlink(P 'a', dir / 'd/link')
  local list = {}
  local next = fs.directory_iterator(dir / 'd')
  for entry in next do
    list[#list + 1] = ('%s %s'):format(short(entry.path), entry.type)
  end
  table.sort(list)
  print(table.concat(list, '\\n'))
  print(next() == nil, next() == nil)
  make('e/a')
  local entry = fs.directory_iterator(dir / 'e')()
  print(entry.file_size, entry.hardlink_count, entry.hard_link_count, entry.status.type, entry.symlink_status.mode > 0,
    entry.last_write_time == fs.last_write_time(entry.path), getmetatable(entry))
  entry:refresh()
  fs.remove(entry.path)
  print(try(entry.refresh, entry), try(function() return entry.file_size end), try(function() return entry.x end), entry.type)
  for entry in fs.directory_iterator(dir / 'd/') do print(#tostring(entry.path) == #tostring(entry.path:lexically_normal())) break end
`,
  `~/d/a regular
~/d/c regular
~/d/link symlink
~/d/sub directory
true	true
3	1	1	regular	true	true	filesystem.directory_entry
No such file or directory (generic) ~/e/a nil	No such file or directory (generic) ~/e/a nil	Requested key wasn't found in the table/userdata (emilua.core) nil nil	regular
true
`,
);

spec(
  'what can not be iterated is told at once',
  `${ON_DISK}
  make('file')
  for _, f in ipairs{fs.directory_iterator, fs.recursive_directory_iterator} do
    print(try(f, dir / 'none'), try(f, dir / 'file'), try(f, P ''))
    print(try(f, 'x'), try(f, dir, 1), try(f, dir, {skip_permission_denied = 1}), try(f, dir, {}) ~= nil)
  end
  print(try(fs.recursive_directory_iterator, dir, {follow_directory_symlink = 'x'}))
`,
  `${`No such file or directory (generic) ~/none nil	Not a directory (generic) ~/file nil	No such file or directory (generic)  nil
Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=skip_permission_denied	true
`.repeat(2)}Invalid argument (generic) nil nil arg=follow_directory_symlink
`,
);

const SHOW = `
  -- Entries with their depths, in an order that doesn't vary.
  local function walk(p, opts, visit)
    local list = {}
    local it, ctrl = fs.recursive_directory_iterator(p, opts)
    for entry, depth in it do
      list[#list + 1] = depth .. short(entry.path):sub(2)
      if visit then visit(entry, ctrl, depth) end
    end
    table.sort(list)
    return table.concat(list, ' '), ctrl
  end
`;

spec(
  'a tree is walked with depths; directories can be left out and left',
  `${ON_DISK}${SHOW}
  make('t/a/b/c', 't/a/d', 't/e')
  print((walk(dir / 't')))
  local text, ctrl = walk(dir / 't', nil, function(entry, ctrl)
    if entry.path.filename == 'a' then
      assert(ctrl.recursion_pending == true)
      ctrl:disable_recursion_pending()
      assert(ctrl.recursion_pending == false)
    end
  end)
  print(text)
  print(getmetatable(ctrl), try(function() return ctrl.recursion_pending end), try(ctrl.pop, ctrl),
    try(ctrl.disable_recursion_pending, ctrl), try(function() return ctrl.x end))
  -- After c the directory b is left, and nothing of a is skipped.
  print((walk(dir / 't', nil, function(entry, ctrl) if entry.path.filename == 'c' then ctrl:pop() end end)))
  print((walk(dir / 't', nil, function(entry, ctrl, depth) if depth == 0 then ctrl:pop() end end)):match '^0/t/[ae]$' ~= nil)
  local it, ctrl = fs.recursive_directory_iterator(dir / 't')
  it()
  ctrl:close()
  print(it() == nil)
`,
  `0/t/a 0/t/e 1/t/a/b 1/t/a/d 2/t/a/b/c
0/t/a 0/t/e
filesystem.recursive_directory_iterator	Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=1	Requested key wasn't found in the table/userdata (emilua.core) nil nil
0/t/a 0/t/e 1/t/a/b 1/t/a/d 2/t/a/b/c
true
true
`.replace(
    'filesystem.recursive_directory_iterator\tInvalid',
    'filesystem.recursive_directory_iterator\tInvalid',
  ),
);

spec(
  'links to directories are followed on request, and loops found',
  `${ON_DISK}${SHOW}
  make('t/a/f', 'out/g')
  fs.create_symlink(P '../out', dir / 't/link')
  fs.create_symlink(P 'nowhere', dir / 't/dangling')
  print((walk(dir / 't')))
  print((walk(dir / 't', {follow_directory_symlink = true})))
  fs.create_symlink(P '..', dir / 't/a/up')
  local errors, seen = 0, {}
  local it = fs.recursive_directory_iterator(dir / 't', {follow_directory_symlink = true})
  while true do
    local ok, entry, depth = pcall(it)
    if not ok then errors = errors + 1 print(try(error, entry))
    elseif not entry then break
    else seen[#seen + 1] = short(entry.path) end
  end
  table.sort(seen)
  print(errors, table.concat(seen, ' '))
`,
  `0/t/a 0/t/dangling 0/t/link 1/t/a/f
0/t/a 0/t/dangling 0/t/link 1/t/a/f 1/t/link/g
Too many levels of symbolic links (generic) ~/t/a/up nil
1	~/t/a ~/t/a/f ~/t/a/up ~/t/dangling ~/t/link ~/t/link/g
`,
);

spec(
  'a tree deeper than the longest path is walked with few descriptors',
  `${ON_DISK}
  local before = fs.current_working_directory()
  scope_cleanup_push(function() fs.current_working_directory(before) end)
  local name = ('n'):rep(200)
  local function count_fds()
    local n = 0
    for _ in fs.directory_iterator(P '/proc/self/fd') do n = n + 1 end
    return n
  end
  fs.current_working_directory(dir)
  for i = 1, 60 do
    fs.create_directory(P(name))
    write(P 'file', '')
    fs.create_directory(P 'zlast')
    write(P 'zlast/f', '')
    fs.current_working_directory(P(name))
  end
  fs.current_working_directory(before)
  local fds, most, deepest, n = count_fds(), 0, 0, 0
  for entry, depth in fs.recursive_directory_iterator(dir) do
    n = n + 1
    if depth > deepest then deepest = depth end
    if n % 20 == 0 then most = math.max(most, count_fds() - fds) end
  end
  print(deepest, n, most > 5 and most <= 34)
`,
  `60	241	true
`,
);

spec(
  'a tree that changes while it is iterated',
  `${ON_DISK}
  for i = 1, 50 do make('t/d' .. i .. '/f') end
  local seen, gone = 0, 0
  for entry, depth in fs.recursive_directory_iterator(dir / 't') do
    if depth == 0 then
      seen = seen + 1
      local p = entry.path
      if seen % 4 == 0 then fs.remove(p / 'f') fs.remove(p) gone = gone + 1
      elseif seen % 4 == 1 then fs.remove(p / 'f') fs.remove(p) write(p, 'now a file')
      elseif seen % 4 == 2 then fs.rename(p, dir / p.filename) fs.create_symlink(dir, p) end
    end
  end
  print(seen, gone)
  -- The directory itself goes away in the middle.
  make('u/a/b', 'u/c')
  local it = fs.recursive_directory_iterator(dir / 'u')
  local first = it()
  fs.rename(dir / 'u', dir / 'v')
  local n = 1
  for entry in it do n = n + 1 end
  print(n)
  make('w/a', 'w/b')
  it = fs.directory_iterator(dir / 'w')
  for _, name in ipairs{'w/a', 'w/b', 'w'} do fs.remove(dir / name) end
  n = 0
  for entry in it do n = n + 1 if n == 1 then print(try(function() return entry.file_size end):match '^No such file') end end
  print(n)
`,
  `50	12
3
No such file
2
`,
);

spec(
  'names that are not UTF-8 come back as they are',
  `${ON_DISK}
  local name = '\\xff\\n\\xc3\\x28'
  make('t/' .. name .. '/' .. name)
  for entry, depth in fs.recursive_directory_iterator(dir / 't') do
    print(depth, entry.path.filename == name, fs.exists(entry.path), fs.remove(dir / 'no'))
  end
`,
  `0	true	true	false
1	true	true	false
`,
);

spec(
  'a large directory is listed whole, once each',
  `${ON_DISK}
  fs.create_directory(dir / 't')
  for i = 1, 2000 do fs.create_symlink(P 'x', dir / 't' / (('a long name'):rep(20) .. i)) end
  local seen, n = {}, 0
  for entry in fs.directory_iterator(dir / 't') do
    local name = entry.path.filename
    assert(not seen[name])
    seen[name] = true
    n = n + 1
  end
  print(n)
`,
  '2000\n',
  { once: true },
);

spec(
  'an iteration that nobody ends leaves no descriptor',
  `${ON_DISK}
  make('t/a/b/c')
  for entry in fs.directory_iterator(dir) do break end
  for entry in fs.recursive_directory_iterator(dir) do if entry.path.filename == 'b' then break end end
`,
  '',
);

spec(
  'what an iteration that is dropped has open, the collector closes',
  `${ON_DISK}
  make('t/a/b/c')
  local function fds()
    local n = 0
    for _ in fs.directory_iterator(P '/proc/self/fd') do n = n + 1 end
    return n
  end
  local before = fds()
  local it = fs.recursive_directory_iterator(dir / 't')
  it()
  print(fds() > before)
  it = nil
  for i = 1, 1000 do
    collectgarbage()
    time.sleep(0)
    if fds() == before then break end
  end
  print(fds() == before)
`,
  'true\ntrue\n',
  { once: true },
);

spec(
  'others run while a tree is walked, and may interrupt it; not where suspending is forbidden',
  `${ON_DISK}
  for i = 1, 20 do make('t/d' .. i .. '/f') end
  local ticks, walking = 0, true
  spawn(function() while walking do ticks = ticks + 1 this_fiber.yield() end end):detach()
  local function walk()
    local before = ticks
    local n = 0
    for entry in fs.recursive_directory_iterator(dir / 't') do n = n + 1 end
    return n, ticks - before
  end
  local n, others = walk()
  print(n, others >= 20)
  this_fiber.forbid_suspend()
  print(walk())
  this_fiber.allow_suspend()
  walking = false

  local visited = 0
  local walker = spawn(function()
    for entry in fs.recursive_directory_iterator(dir / 't') do
      visited = visited + 1
    end
  end)
  while visited < 5 do this_fiber.yield() end
  walker:interrupt()
  walker:join()
  print(walker.interruption_caught, visited >= 5 and visited < 40)
`,
  `40	true
40	0
true	true
`,
);

withFault(
  'a directory that may not be entered is told or skipped',
  'openat2',
  { errno: 'EACCES', skip: 1, times: 1000 },
  `
  local it = fs.recursive_directory_iterator(proc, {skip_permission_denied = true})
  local deepest = 0
  for entry, depth in it do deepest = math.max(deepest, depth) end
  print(deepest)
  local ok, e = pcall(function() for entry in fs.directory_iterator(proc) do end end)
  print(ok, e, e.path1)
  for entry in fs.directory_iterator(proc, {skip_permission_denied = true}) do print('never') end
`,
  '0\nfalse\tPermission denied\t/proc/self\n',
);

withFault(
  'errors of reading are raised, and the iteration goes on behind them',
  'getdents64',
  { errno: 'EIO', skip: 0, times: 1 },
  `
  local it = fs.recursive_directory_iterator(proc)
  local ok, e = pcall(it)
  print(ok, e, e.path1, it() == nil)
`,
  'false\tInput/output error\t/proc/self\ttrue\n',
);

withFault(
  'no descriptor is left for a directory',
  'openat2',
  { errno: 'EMFILE', skip: 0, times: 1 },
  `
  print(select(2, pcall(fs.directory_iterator, proc)))
  print(type(fs.directory_iterator(proc)))
`,
  'Too many open files\nfunction\n',
);
