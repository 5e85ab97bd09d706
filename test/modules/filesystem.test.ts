import { spec } from '../support/spec.ts';

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
  print(P '/a//b/':to_generic())
  for part in P '/a//b/':iterator() do io = io or {} io[#io + 1] = type(part) .. ':' .. part end
  print(table.concat(io, ' '), P '':iterator()())
`,
  `/a/	/a/c	/x	/a/b.txt
/a/b.md	/a/b.md	/a/b	/a/b.txt
/a/c/	.	true
../b	.	true
/a	a/b	/
/a//b/
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
