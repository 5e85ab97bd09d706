import { useRing } from '../../src/io/uring.ts';
import { openReactor } from '../support/faulty.ts';
import { ON_DISK } from '../support/on-disk.ts';
import { spec } from '../support/spec.ts';

// They stay open as long as the process lives.
await openReactor();
useRing(true);

const SETUP = `
  local fs = require 'filesystem'
  local P = fs.path.new
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    return ok, tostring(e), type(e) == 'table' and e.arg or nil
  end
`;

spec(
  'a path falls into parts by the rules of C++17',
  `${SETUP}
  for _, s in ipairs{'/a/b.txt', 'a/', '/', '//net', '.bashrc', '..', 'b.tar.gz', 'foo.', ''} do
    local p = P(s)
    print(('%s: <%s> <%s> <%s> <%s> <%s> <%s> <%s> <%s>'):format(s, p.root_name, p.root_directory,
      p.filename, p.stem, p.extension, tostring(p.root_path), tostring(p.relative_path),
      tostring(p.parent_path)))
  end
`,
  `/a/b.txt: <> </> <b.txt> <b> <.txt> </> <a/b.txt> </a>
a/: <> <> <> <> <> <> <a/> <a>
/: <> </> <> <> <> </> <> </>
//net: <> </> <net> <net> <> </> <net> </>
.bashrc: <> <> <.bashrc> <.bashrc> <> <> <.bashrc> <>
..: <> <> <..> <..> <> <> <..> <>
b.tar.gz: <> <> <b.tar.gz> <b.tar> <.gz> <> <b.tar.gz> <>
foo.: <> <> <foo.> <foo> <.> <> <foo.> <>
: <> <> <> <> <> <> <> <>
`,
);

spec(
  'what a path has, and what it is',
  `${SETUP}
  local names = {'empty', 'has_root_path', 'has_root_name', 'has_root_directory', 'has_relative_path',
    'has_parent_path', 'has_filename', 'has_stem', 'has_extension', 'is_absolute', 'is_relative'}
  for _, s in ipairs{'', '/', 'a.b', '/a/'} do
    local found = {}
    for _, name in ipairs(names) do if P(s)[name] then found[#found + 1] = name end end
    print(s, table.concat(found, ' '))
  end
`,
  `	empty is_relative
/	has_root_path has_root_directory has_parent_path is_absolute
a.b	has_relative_path has_filename has_stem has_extension is_relative
/a/	has_root_path has_root_directory has_relative_path has_parent_path is_absolute
`,
);

spec(
  'paths are made of paths, and stay as they are',
  `${SETUP}
  local p = P '/a/b.txt'
  print(p:remove_filename(), p:replace_filename 'c', p:replace_filename(P '/x'), p:make_preferred())
  print(p:replace_extension 'md', p:replace_extension '.md', p:replace_extension(), p)
  print(P '/a//b/../c/.':lexically_normal(), P 'a/..':lexically_normal(), P '':lexically_normal() == P '')
  print(P '/a/b':lexically_relative '/a/c', p:lexically_relative(p), P '/a':lexically_relative 'b' == P())
  print(P '/a':lexically_proximate 'b', fs.path.from_generic 'a/b', fs.path.preferred_separator)
  print(P '/a//b/':to_generic(), P '///':to_generic(), P 'a//':to_generic(), P '':to_generic() == '')
  for part in P '/a//b/':iterator() do io = io or {} io[#io + 1] = type(part) .. ':' .. part end
  print(table.concat(io, ' '), P '':iterator()())
`,
  `/a/	/a/c	/x	/a/b.txt
/a/b.md	/a/b.md	/a/b	/a/b.txt
/a/c/	.	true
../b	.	true
/a	a/b	/
/a/b/	/	a/	true
string:/ string:a string:b string:	
`.replace('string:\t', 'string:'),
);

spec(
  'operators join, append and compare',
  `${SETUP}
  print(P 'a' / 'b', 'a' / P 'b', P 'a' / P '/b', P 'a' / '', P 'a' .. 'b', 'a' .. P 'b')
  print(P 'a//b' == P 'a/b', P 'a/' == P 'a', P 'a' == 'a', P 'a' < P 'b', P 'a/b' < 'a.b', 'a' <= P 'a')
  print(getmetatable(P 'a'), getmetatable(fs.path), getmetatable(fs), getmetatable(_FILE))
  print(P '\\255\\0a'.filename == '\\255\\0a')
`,
  `a/b	a/b	/b	a/	ab	ab
true	false	false	true	true	true
filesystem.path	filesystem.path	filesystem	filesystem.path
true
`,
);

spec(
  'wrong arguments and unknown members raise',
  `${SETUP}
  print(fails(P, 1))
  print(fails(fs.path.from_generic))
  print(fails(P('a').replace_filename, P 'a', 1))
  print(fails(P('a').replace_extension, P 'a', {}))
  print(fails(P('a').lexically_relative, P 'a'))
  print(fails(P('a').to_generic, 'a'))
  print(fails(function() return P 'a' / 1 end))
  print(fails(function() return {} .. P 'a' end))
  print(fails(function() return P 'a' < 1 end))
  print(fails(function() return fs.nothing end))
  print(fails(function() return fs.path.nothing end))
  print(fails(function() return P('a').nothing end))
`,
  `${['1', '1', '2', '2', '2', '1', '2', '1', '2'].map((arg) => `false\tInvalid argument\t${arg}\n`).join('')}${"false\tRequested key wasn't found in the table/userdata\tnil\n".repeat(3)}`,
);

// ── on the disk ────────────────────────────────────────────────────────────────────────────────────

spec(
  'status tells what a file is, with or without following links',
  `${ON_DISK}
  write(dir / 'file', 'abc')
  fs.chmod(dir / 'file', fs.mode(6, 4, 0))
  fs.create_symlink(P 'file', dir / 'link')
  fs.create_symlink(P 'nowhere', dir / 'dangling')
  fs.mkfifo(dir / 'fifo', fs.mode(6, 0, 0))
  fs.mkdir(dir / 'sub', fs.mode(7, 0, 0))
  for _, name in ipairs{'file', 'link', 'dangling', 'fifo', 'sub', 'missing', 'file/below'} do
    local p = dir / name
    local function type_of(f) local s = try(f, p) return type(s) == 'userdata' and s.type .. ' ' .. format('{:o}', s.mode) or s end
    print(name, type_of(fs.status), type_of(fs.symlink_status), try(fs.exists, p))
  end
  print(fs.status(dir / 'file') == fs.status(dir / 'link'), fs.status(dir / 'file') == fs.status(dir / 'sub'))
  print(getmetatable(fs.status(dir)), try(function() return fs.status(dir).size end))
  print(fs.is_regular_file(dir / 'link'), fs.is_symlink(dir / 'link'), fs.is_symlink(dir / 'file'),
    fs.is_directory(dir / 'sub'), fs.is_fifo(dir / 'fifo'), fs.is_other(dir / 'fifo'), fs.is_other(dir / 'file'),
    fs.is_character_device(P '/dev/null'), fs.is_character_file(P '/dev/null'), fs.is_block_device(dir),
    fs.is_block_file(dir), fs.is_socket(dir))
  print(try(fs.is_regular_file, dir / 'missing'))
  print(try(fs.status, 'a string'), try(fs.status))
`,
  `file	regular 640	regular 640	true
link	regular 640	symlink 777	true
dangling	No such file or directory (generic) ~/dangling nil	symlink 777	false
fifo	fifo 600	fifo 600	true
sub	directory 700	directory 700	true
missing	No such file or directory (generic) ~/missing nil	No such file or directory (generic) ~/missing nil	false
file/below	Not a directory (generic) ~/file/below nil	Not a directory (generic) ~/file/below nil	false
true	false
filesystem.file_status	Requested key wasn't found in the table/userdata (emilua.core) nil nil
true	true	false	true	true	true	false	true	true	false	false	false
No such file or directory (generic) ~/missing nil
Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=1
`,
);

spec(
  'size, emptiness, links, space',
  `${ON_DISK}
  write(dir / 'file', 'abc')
  write(dir / 'none', '')
  fs.mkdir(dir / 'sub', 511)
  fs.create_hardlink(dir / 'file', dir / 'other')
  fs.create_hard_link(dir / 'file', dir / 'third')
  print(fs.file_size(dir / 'file'), fs.hardlink_count(dir / 'file'), fs.hard_link_count(dir / 'none'))
  print(fs.is_empty(dir / 'file'), fs.is_empty(dir / 'none'), fs.is_empty(dir / 'sub'), fs.is_empty(dir))
  print(try(fs.file_size, dir), try(fs.file_size, P '/dev/null'), try(fs.is_empty, P '/dev/null'))
  print(try(fs.file_size, dir / 'missing'), try(fs.is_empty, dir / 'missing'))
  print(try(fs.create_hardlink, dir / 'file', dir / 'none'))
  print(try(fs.create_hardlink, dir / 'missing', dir / 'x'))
  print(fs.equivalent(dir / 'file', dir / 'other'), fs.equivalent(dir / 'file', dir / 'none'),
    fs.equivalent(dir / 'file', dir / 'missing'))
  print(try(fs.equivalent, dir / 'm1', dir / 'm2'), try(fs.equivalent, dir, 'm2'))
  local space = fs.space(dir)
  print(space.capacity > 0, space.free <= space.capacity, space.available <= space.free, getmetatable(space))
  print(try(fs.space, dir / 'missing'), try(function() return space.used end))
  fs.resize_file(dir / 'file', 5)
  print(#read(dir / 'file'), read(dir / 'other') == 'abc\\0\\0')
  fs.resize_file(dir / 'file', 2)
  print(read(dir / 'third'), try(fs.resize_file, dir, 1), try(fs.resize_file, dir / 'file', -1))
  fs.resize_file(dir / 'none', 5 * 2^30)
  print(fs.file_size(dir / 'none') == 5 * 2^30)
  print(try(fs.resize_file, dir / 'file', 'x'))
`,
  `3	3	1
false	true	true	false
Is a directory (generic) ~ nil	Operation not supported (generic) /dev/null nil	Operation not supported (generic) /dev/null nil
No such file or directory (generic) ~/missing nil	No such file or directory (generic) ~/missing nil
File exists (generic) ~/file ~/none
No such file or directory (generic) ~/missing ~/x
true	false	false
No such file or directory (generic) ~/m1 ~/m2	Invalid argument (generic) nil nil arg=2
true	true	true	filesystem.space_info
No such file or directory (generic) ~/missing nil	Requested key wasn't found in the table/userdata (emilua.core) nil nil
5	true
ab	Is a directory (generic) ~ nil	Invalid argument (generic) ~/file nil
true
bad argument #2 to 'resize_file' (number expected, got string)
`,
);

spec(
  'times have nanoseconds, and a clock of their own',
  `${ON_DISK}
  local p = write(dir / 'file', '')
  local t = fs.clock.unix_epoch() + 1
  t:add(0.123456789)
  fs.last_write_time(p, t)
  print(fs.last_write_time(p) == t, fs.last_write_time(p).seconds_since_unix_epoch == 1.123456789)
  print(fs.last_write_time(p) - fs.clock.unix_epoch(), fs.clock.epoch().seconds_since_epoch)
  fs.last_write_time(p, fs.clock.unix_epoch() - 0.5) -- before 1970
  print(fs.last_write_time(p).seconds_since_unix_epoch)
  t = fs.last_write_time(p) + 2
  t:sub(1)
  print(t > fs.last_write_time(p), t >= t, t - fs.last_write_time(p), t.seconds_since_epoch < 0)
  print(t:to_system().seconds_since_epoch, fs.clock.from_system(t:to_system()) == t, getmetatable(t), getmetatable(fs.clock))
  print(math.abs(fs.clock.now():to_system() - time.system_clock.now()) < 60)
  print(try(t.add, t, 0/0), try(t.add, t, 1e300), try(t.add, t, 'x'), try(t.add, t, {}))
  print(try(function() return 1 + t end), try(function() return t < 1 end), try(function() return t + {} end))
  print(try(fs.last_write_time, p, 1), try(fs.last_write_time, dir / 'no'), try(fs.last_write_time, dir / 'no', t))
  print(try(fs.clock.from_system, t), try(function() return fs.clock.x end), try(function() return t.x end))
  fs.create_symlink(P 'file', dir / 'link')
  fs.last_write_time(dir / 'link', t)
  print(fs.last_write_time(p) == t)
`,
  `true	true
1.123456789	0
-0.5
true	true	1	true
0.5	true	filesystem.clock.time_point	filesystem.clock
true
Numerical argument out of domain (generic) nil nil arg=2	Value too large for defined data type (generic) nil nil	bad argument #2 to 'add' (number expected, got string)	bad argument #2 to 'add' (number expected, got table)
Invalid argument (generic) nil nil arg=1	Invalid argument (generic) nil nil arg=2	main.lua:79: bad argument #2 to '__add' (number expected, got table)
Invalid argument (generic) nil nil arg=2	No such file or directory (generic) ~/no nil	No such file or directory (generic) ~/no nil
Invalid argument (generic) nil nil arg=1	Requested key wasn't found in the table/userdata (emilua.core) nil nil	Requested key wasn't found in the table/userdata (emilua.core) nil nil
true
`,
);

spec(
  'where paths lead',
  `${ON_DISK}
  dir = fs.canonical(dir)
  fs.create_directories(dir / 'a/b')
  fs.create_symlink(P 'a/b', dir / 'link')
  fs.create_symlink(P 'loop2', dir / 'loop1')
  fs.create_symlink(P 'loop1', dir / 'loop2')
  print(short(fs.canonical(dir / 'link/../b/.')), try(fs.canonical, dir / 'none'), try(fs.canonical, dir / 'loop1'))
  print(short(fs.weakly_canonical(dir / 'link/x/../y')), short(fs.weakly_canonical(dir / 'link/..')),
    fs.weakly_canonical(P '') == P '', fs.weakly_canonical(P 'no/../such'), try(fs.weakly_canonical, dir / 'loop1/x'))
  print(fs.relative(dir / 'link/c', dir), fs.relative(dir, dir / 'link'), fs.proximate(dir / 'a', dir), fs.relative(dir, dir))
  print(fs.absolute(dir) == dir, fs.absolute(P 'x') == fs.current_working_directory() / 'x', try(fs.absolute, P ''))
  print(fs.relative(fs.current_working_directory() / 'x/y'), fs.proximate(P 'x/y'))
  print(fs.read_symlink(dir / 'link'), try(fs.read_symlink, dir / 'a'), try(fs.read_symlink, dir / 'none'))
  print(try(fs.relative, dir, 1), try(fs.proximate, dir, 'x'), fs.is_directory(fs.temp_directory_path()))
`,
  `~/a/b	No such file or directory (generic) ~/none nil	Too many levels of symbolic links (generic) ~/loop1 nil
~/a/b/y	~/a	true	such	Too many levels of symbolic links (generic) ~/loop1/x nil
a/b/c	../..	a	.
true	true	Invalid argument (generic)  nil
x/y	x/y
a/b	Invalid argument (generic) ~/a nil	No such file or directory (generic) ~/none nil
Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=2	true
`,
);

spec(
  'directories, links, renames and removals',
  `${ON_DISK}
  print(fs.create_directory(dir / 'd'), fs.create_directory(dir / 'd'), try(fs.create_directory, dir / 'x/y'))
  write(dir / 'file', 'abc')
  fs.create_symlink(P 'd', dir / 'to_d')
  print(try(fs.create_directory, dir / 'file'), fs.create_directory(dir / 'to_d'))
  fs.chmod(dir / 'd', fs.mode(7, 0, 5))
  print(fs.create_directory(dir / 'like', dir / 'd'), format('{:o}', fs.status(dir / 'like').mode),
    try(fs.create_directory, dir / 'e', dir / 'file'), try(fs.create_directory, dir / 'e', dir / 'none'))
  print(fs.create_directories(dir / 'p/q/r'), fs.create_directories(dir / 'p/q/r'), fs.create_directories(dir / 'p/s/'),
    fs.create_directories(dir / 'p/./t/../u/.'), fs.exists(dir / 'p/u'), try(fs.create_directories, dir / 'file/x'), try(fs.create_directories, P ''))
  print(try(fs.mkdir, dir / 'd', 511), try(fs.mkdir, dir / 'm', 'x'))
  fs.create_directory_symlink(P 'p', dir / 'to_p')
  fs.copy_symlink(dir / 'to_p', dir / 'copied')
  print(fs.read_symlink(dir / 'copied'), try(fs.copy_symlink, dir / 'd', dir / 'z'), try(fs.create_symlink, P 'x', dir / 'd'))
  write(dir / 'other', 'xyz')
  fs.rename(dir / 'file', dir / 'other')
  print(read(dir / 'other'), fs.exists(dir / 'file'), try(fs.rename, dir / 'none', dir / 'z'), try(fs.rename, dir / 'other', dir / 'd'))
  print(fs.remove(dir / 'to_p'), fs.exists(dir / 'p'), fs.remove(dir / 'none'), fs.remove(dir / 'd'), try(fs.remove, dir / 'p'),
    try(fs.remove, dir / 'other/x'), fs.remove(dir / 'other'))
`,
  `true	false	No such file or directory (generic) ~/x/y nil
File exists (generic) ~/file nil	false
true	705	Not a directory (generic) ~/e ~/file	No such file or directory (generic) ~/e ~/none
true	false	true	true	true	Not a directory (generic) ~/file/x nil	No such file or directory (generic)  nil
File exists (system) ~/d nil	bad argument #2 to 'mkdir' (number expected, got string)
p	Invalid argument (generic) ~/d ~/z	File exists (generic) x ~/d
abc	false	No such file or directory (generic) ~/none ~/z	Is a directory (generic) ~/other ~/d
true	true	false	true	Directory not empty (generic) ~/p nil	Not a directory (generic) ~/other/x nil	true
`,
);

spec(
  'modes, owners, special files, numbers of devices',
  `${ON_DISK}
  local p = write(dir / 'file', '')
  fs.create_symlink(P 'file', dir / 'link')
  local function mode(of) return format('{:o}', fs.status(of).mode) end
  fs.chmod(dir / 'link', tonumber('4751', 8))
  print(mode(p), try(fs.lchmod, dir / 'link', 0), fs.mode(7, 5, 5) == tonumber('755', 8))
  fs.lchmod(p, fs.mode(6, 0, 0))
  print(mode(p), try(fs.chmod, dir / 'no', 0), try(fs.chmod, p, {}))
  fs.chown(dir / 'link', -1, -1)
  fs.lchown(dir / 'link', -1, -1)
  print(try(fs.chown, dir / 'no', -1, -1), try(fs.chown, p, 'x', 1))
  print(try(fs.mkfifo, p, 0), try(fs.mknod, dir / 'x', 0, 0, 'fifo'), try(fs.mknod, dir / 'x', 'm', 0))
  fs.mknod(dir / 'sock', tonumber('140600', 8), 0)
  print(fs.is_socket(dir / 'sock'))
  for _, pair in ipairs{{1, 3}, {4095, 255}, {4096, 256}, {4095, 2^32 - 1}} do
    local dev = fs.makedev(pair[1], pair[2])
    print(fs.dev_major(dev) == pair[1], fs.dev_minor(dev) == pair[2])
  end
  print(fs.makedev(1, 3), try(fs.makedev, {}))
`,
  `4751	Operation not supported (generic) ~/link nil	true
600	No such file or directory (generic) ~/no nil	bad argument #2 to 'chmod' (number expected, got table)
No such file or directory (system) ~/no nil	bad argument #2 to 'chown' (number expected, got string)
File exists (system) ~/file nil	Invalid argument (generic) nil nil arg=4	bad argument #2 to 'mknod' (number expected, got string)
true
true	true
true	true
true	true
true	true
259	bad argument #1 to 'makedev' (number expected, got table)
`,
);

spec(
  'open gives a file_descriptor',
  `${ON_DISK}
  local fd = fs.open(dir / 'file', {'create', 'write_only'}, fs.mode(6, 0, 0))
  print(fd.type, format('{:o}', fs.status(dir / 'file').mode))
  local f = file.stream.new(fd)
  stream.write_all(f, 'hello')
  f:close()
  print(read(dir / 'file'), try(fs.open, dir / 'no', {'read_only'}), try(fs.open, dir / 'file', {'directory'}))
  print(try(fs.open, dir, {'what'}), try(fs.open, dir), try(fs.open, 'x', {}))
  fs.create_symlink(P 'file', dir / 'link')
  print(try(fs.open, dir / 'link', {'no_follow'}), fs.open(dir / 'link', {'path', 'no_follow'}).type)
`,
  `regular	600
hello	No such file or directory (system) ~/no nil	Not a directory (system) ~/file nil
Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=2	Invalid argument (generic) nil nil arg=1
Too many levels of symbolic links (system) ~/link nil	symlink
`,
);

spec(
  'names are bytes, and may be hostile',
  `${ON_DISK}
  local odd = dir / '\\xff\\xfe \\n\\x80'
  fs.create_directory(odd)
  write(odd / '\\xc3', 'x')
  print(fs.exists(odd / '\\xc3'), fs.file_size(odd / '\\xc3'), fs.canonical(odd / '.') == fs.canonical(dir) / odd.filename)
  fs.create_symlink(P '\\xc3', odd / 'link')
  print(tostring(fs.read_symlink(odd / 'link')) == '\\xc3')
  print((try(fs.status, dir / ('n'):rep(256)):match '^File name too long'), (try(fs.create_directory, P(('d/'):rep(3000))):match '^File name too long'))
  print((try(fs.status, dir / 'a\\0b'):match '^Invalid argument'))
`,
  `true	1	true
true
File name too long	File name too long
Invalid argument
`,
);

spec(
  'the working directory and the mask belong to the master',
  `${ON_DISK}
  local before = fs.current_working_directory()
  fs.create_directory(dir / 'd\\xff')
  scope_cleanup_push(function() fs.current_working_directory(before) end)
  fs.current_working_directory(dir / 'd\\xff')
  print(short(fs.current_working_directory()), fs.absolute(P 'x') == dir / 'd\\xff/x' or fs.canonical(dir) / 'd\\xff/x' == fs.absolute(P 'x'))
  write(P 'here', '')
  fs.current_working_directory(fs.open(dir, {'directory'}))
  print(fs.exists(P 'd\\xff/here'), try(fs.current_working_directory, dir / 'no'), try(fs.current_working_directory, dir / 'd\\xff/here'))
  print(try(fs.current_working_directory, 'x'))
  fs.current_working_directory(before)
  local old = fs.umask(tonumber('77', 8))
  fs.create_directory(dir / 'masked')
  print(fs.umask(old) == tonumber('77', 8), format('{:o}', fs.status(dir / 'masked').mode), try(fs.umask, 'x'))
  local ch = spawn_vm { module = './other' }
  ch:send('go')
`,
  `~/d�	true
true	No such file or directory (generic) ~/no nil	Not a directory (generic) ~/d�/here nil
Invalid argument (generic) nil nil arg=1
true	700	bad argument #1 to 'umask' (number expected, got string)
false	Operation not permitted	nil
false	Operation not permitted	nil
false	Operation not permitted	nil
true
`,
  {
    files: {
      'other.lua': `
        local fs = require 'filesystem'
        require('inbox'):receive()
        for _, name in ipairs{'current_working_directory', 'umask', 'chroot'} do
          local ok, e = pcall(fs[name], fs.path.new '/')
          print(ok, tostring(e), e.path1)
        end
        print(fs.exists(fs.current_working_directory()))
      `,
    },
  },
);
