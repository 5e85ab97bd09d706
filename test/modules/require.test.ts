import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { MAIN, runCommand, spec } from '../support/spec.ts';

// ── what a module is ───────────────────────────────────────────────────────────────────────────────

spec(
  'require returns the table of globals of a module; what its chunk returns is ignored',
  `
  local m = require './m'
  print(type(m), m.x, m.hidden, m._G == m, x)
`,
  'table\t1\tnil\ttrue\tnil\n',
  { files: { 'm.lua': 'x = 1 local hidden = 2 return "ignored"' } },
);

spec(
  'a module is loaded once, by whichever id',
  `
  local m = require './m'
  print(m == require './m', m == require '/m', m == require('./other').m)
`,
  'loading\ntrue\ttrue\ttrue\n',
  {
    files: { 'm.lua': 'print("loading")', 'other.lua': "m = require '../m'" },
  },
);

spec(
  'each module has globals of its own; the tables of libraries are shared',
  `
  print = nil
  string.mark = 'seen'
  function f() return 'main' end
  local m = require './m'
  m.show(string == m.string, f())
`,
  'function\tseen\ttrue\tmain\n',
  {
    files: {
      'm.lua':
        'function f() return "m" end function show(...) print(type(print), string.mark, ...) end',
    },
  },
);

spec(
  'an empty module is a module',
  `
  print(type(require './empty'))
`,
  'table\n',
  { files: { 'empty.lua': '' } },
);

spec(
  'core modules are found by name, each time the same',
  `
  local mutex = require 'mutex'
  print(type(mutex.new), mutex == require 'mutex', mutex == require('./m').mutex)
`,
  'function\ttrue\ttrue\n',
  { files: { 'm.lua': "mutex = require 'mutex'" } },
);

spec(
  'a module may suspend while it is loaded; so may fibers that it spawns, which go on afterwards',
  `
  spawn(function() for i = 1, 3 do print('main', i) this_fiber.yield() end end)
  local m = require './m'
  print('loaded', m.done)
`,
  'main\t1\nm\nmain\t2\nspawned\nmain\t3\nloaded\ttrue\nlate\n',
  {
    files: {
      'm.lua': `
      print('m')
      spawn(function()
        print('spawned')
        this_fiber.yield() this_fiber.yield() this_fiber.yield()
        print('late')
      end)
      this_fiber.yield()
      this_fiber.yield()
      done = true`,
    },
    once: true,
  },
);

spec(
  'module fibers share the local table and the id of the fiber that imports',
  `
  this_fiber.local_.x = 1
  require './m'
  print(this_fiber.local_.y, this_fiber.is_main, this_fiber.id == require('./m').id)
  spawn(function() print(this_fiber.is_main, this_fiber.id == require_id) end)
`,
  '1\ttrue\n2\ttrue\ttrue\nfalse\tfalse\n',
  {
    files: {
      'm.lua':
        'print(this_fiber.local_.x, this_fiber.is_main) this_fiber.local_.y = 2 id = this_fiber.id',
    },
  },
);

spec(
  'require can be the last call of a function',
  `
  local function load() return require './m' end
  print(load().x)
`,
  '1\n',
  { files: { 'm.lua': 'x = 1' } },
);

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────

spec(
  'ids that have no form are invalid_module_name',
  `
  for _, id in ipairs { '', '.', '..', '/', './', '../', './a/b', '../a/b', './../a', 'a/b', 'a.b', './a.lua', './1a', './a-b',
                        '/a//b', '/a/', '//a', '/../a', '.a', '...', './é', 'a b', 'a\\0' } do
    local ok, e = pcall(require, id)
    if ok or tostring(e) ~= 'Cannot have a module with this name' or e.module ~= id then print(id, e, e.module) end
  end
  print(select(2, pcall(require, './a-b')).category)
`,
  'emilua.core\n',
);

spec(
  'what is not there is module_not_found',
  `
  for _, id in ipairs { './none', 'none', '/none', '/m/none', '/none/none', './directory' } do
    local ok, e = pcall(require, id)
    print(e, e.module)
  end
`,
  `Module not found	./none
Module not found	none
Module not found	/none
Module not found	/m/none
Module not found	/none/none
Module not found	./directory
`,
  { files: { 'm.lua': '', 'directory/x.lua': '' } },
);

spec(
  'an argument that is no string is an argument error',
  `
  print(pcall(require))
  print(pcall(require, 5))
  print(pcall(require, {}))
`,
  `false	bad argument #1 to 'require' (string expected, got no value)
false	bad argument #1 to 'require' (string expected, got number)
false	bad argument #1 to 'require' (string expected, got table)
`,
);

spec(
  'a leaf has no children, and reaches what is beside it with ../',
  `
  require './leaf'
`,
  'A leaf module cannot import child modules\t./sibling\nsibling\n',
  {
    files: {
      'leaf.lua':
        "local ok, e = pcall(require, './sibling') print(e, e.module) require '../sibling'",
      'sibling.lua': "print('sibling')",
    },
  },
);

spec(
  'the main module is no leaf; what is above it is out of reach',
  `
  local ok, e = pcall(require, '../main')
  print(e, e.module)
  require './leaf'
`,
  `The root module doesn't have a parent and can't reference one	../main
The root module doesn't have a parent and can't reference one	../../main
The root module doesn't have a parent and can't reference one	../../../main
`,
  {
    files: {
      'leaf.lua':
        "for _, id in ipairs { '../../main', '../../../main' } do local ok, e = pcall(require, id) print(e, e.module) end",
    },
  },
);

spec(
  'a directory is its init.lua, which has children and a parent',
  `
  print(require('./pkg').name)
`,
  'pkg/init\tpkg/child\ttop\tpkg/deep/leaf\tpkg/child\ttop\n',
  {
    files: {
      'pkg/init.lua': `
      name = table.concat({ 'pkg/init', require('./child').name, require('../top').name, require('./deep').name }, '\\t')`,
      'pkg/child.lua': "name = 'pkg/child'",
      'pkg/deep/init.lua': "name = require('./leaf').name",
      'pkg/deep/leaf.lua':
        "name = 'pkg/deep/leaf\\t' .. require('../../child').name .. '\\t' .. require('../../../top').name",
      'top.lua': "name = 'top'",
    },
  },
);

spec(
  'name.lua comes before name/init.lua',
  `
  print(require('./m').name)
`,
  'file\n',
  { files: { 'm.lua': "name = 'file'", 'm/init.lua': "name = 'directory'" } },
);

spec(
  '/a/b starts from the directory of the main file, wherever the importer is',
  `
  require '/a/b/c'
`,
  'c\nd\ntrue\n',
  {
    files: {
      'a/b/c.lua': "print('c') require '/d'",
      'd/init.lua': "print('d') print((pcall(require, '/a')))",
      'a/init.lua': '',
    },
  },
);

spec(
  'a module that is being loaded is cyclic_import for whoever wants it',
  `
  require './a'
`,
  "The module you're trying to import has a dependency on the current module (and it is partially loaded already)\t../a\nThe module you're trying to import has a dependency on the current module (and it is partially loaded already)\t../main\nb\na\n",
  {
    files: {
      'a.lua': "require '../b' print('a')",
      'b.lua': `
      local ok, e = pcall(require, '../a') print(e, e.module)
      ok, e = pcall(require, '../main') print(e, e.module)
      print('b')`,
    },
  },
);

spec(
  'an error in the body is raised unchanged, and the module stays in progress',
  `
  local ok, e = pcall(require, './bad')
  print(ok, getmetatable(e), e.text)
  print(select(2, pcall(require, './bad')))
`,
  "false\tmine\thello\nThe module you're trying to import has a dependency on the current module (and it is partially loaded already)\n",
  {
    files: {
      'bad.lua': "this_fiber.yield() error(setmetatable({text = 'hello'}, {__metatable = 'mine'}))",
    },
  },
);

spec(
  'an error that nobody catches goes up through all importers',
  `
  require './a'
`,
  '',
  {
    files: { 'a.lua': "require '../b'", 'b.lua': "error('deep')" },
    stderr: /^Main fiber from VM 0x[0-9a-f]+ panicked: '.*\/b\.lua:1: deep'/,
    code: 1,
  },
);

spec(
  'a file that does not compile raises a string with its path, each time',
  `
  for i = 1, 2 do
    local ok, e = pcall(require, './bad')
    print(type(e), (e:gsub('^.*/', '')))
  end
`,
  "string\tbad.lua:2: unexpected symbol near ')'\n".repeat(2),
  { files: { 'bad.lua': '\nlocal x = )' } },
);

spec(
  'only module fibers may import: not spawned ones, even when all has been loaded',
  `
  require './m'
  require 'mutex'
  spawn(function()
    for _, id in ipairs { './m', 'mutex', './none' } do print(pcall(require, id)) end
  end):join()
  print(coroutine.wrap(function() return require('./m').x end)())
`,
  'false\tYou can only import modules from the main fiber\n'.repeat(3) + '1\n',
  { files: { 'm.lua': 'x = 1' } },
);

spec(
  'the importer goes on where the module has ended, before fibers that it has spawned',
  `
  spawn(function() print('before') end)
  require './m'
  print('importer')
  this_fiber.yield()
  spawn(function() print('before') end)
  print(pcall(require, './bad'))
  this_fiber.yield()
`,
  'before\nmodule\nimporter\nfiber\nbefore\nbad\nfalse\tno\nfiber\n',
  {
    files: {
      'm.lua': "spawn(function() print('fiber') end) print('module')",
      'bad.lua': "spawn(function() print('fiber') end) print('bad') error('no', 0)",
    },
  },
);

spec(
  'require checks for forbid_suspend before it starts anything',
  `
  this_fiber.forbid_suspend()
  print(pcall(require, './m'))
  this_fiber.allow_suspend()
  require './m'
`,
  'false\tEPERM within a forbid-suspend block\nloaded\n',
  { files: { 'm.lua': "print('loaded')" } },
);

spec(
  '_FILE is what tells the importer',
  `
  local file = _FILE
  print(getmetatable(file), tostring(file):match('[^/]*$'))
  for _, value in ipairs { false, 'main.lua', {} } do
    _FILE = value
    print(pcall(require, './m'))
  end
  _FILE = nil
  print(pcall(require, './m'))
  print((pcall(require, 'mutex')))
  _FILE = file
  print((pcall(require, './m')))
`,
  `filesystem.path	main.lua
${'false	Global _FILE is missing or invalid\n'.repeat(4)}true
true
`,
  { files: { 'm.lua': '' } },
);

spec(
  '_CONTEXT is empty in modules',
  `
  print(_CONTEXT, '[' .. require('./m').context .. ']')
`,
  'main\t[]\n',
  { files: { 'm.lua': 'context = _CONTEXT' } },
);

spec(
  '_CONTEXT is test under --test, also in what is imported by relative ids from there',
  `
  print(_CONTEXT, require('./a').contexts, require('/d')._CONTEXT == '')
`,
  'test\ttest test []\ttrue\n',
  {
    context: 'test',
    files: {
      'a.lua':
        "contexts = _CONTEXT .. ' ' .. require('../b')._CONTEXT .. ' [' .. require('/c')._CONTEXT .. ']'",
      'b.lua': '',
      'c.lua': '',
      'd.lua': '',
    },
  },
);

spec(
  "handlers that a module's body pushes run when it ends, either way",
  `
  print((pcall(require, './good')))
  print(pcall(require, './bad'))
`,
  'body\nhandler of good\ntrue\nhandler of bad\nfalse\tbad\n',
  {
    files: {
      'good.lua':
        'scope_cleanup_push(function() this_fiber.yield() print("handler of good") end) print("body")',
      'bad.lua':
        'scope_cleanup_push(function() this_fiber.yield() print("handler of bad") end) error("bad", 0)',
    },
  },
);

spec(
  'require from coroutines, handlers, metamethods, iterators, comparators and replacements of a module fiber',
  `
  local modules = setmetatable({}, { __index = function(_, name) return require('./' .. name).name end })
  print(modules.a, (('b'):gsub('b', function(name) return modules[name] end)))
  scope(function() scope_cleanup_push(function() print(modules.c) end) end)
  table.sort({ 1, 2 }, function() return modules.d < modules.a end)
  for name in function(_, last) if last == nil then return modules.e end end do print(name) end
  print(coroutine.wrap(function() coroutine.yield(modules.f) end)())
`,
  'a\tb\nc\ne\nf\n',
  {
    files: Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [
        `${name}.lua`,
        `this_fiber.yield() name = '${name}' this_fiber.yield()`,
      ]),
    ),
  },
);

spec(
  'a coroutine that waits for a module is in the middle of an operation; cycles are seen across waits',
  `
  local co = coroutine.create(function() return require('./slow').done end)
  spawn(function() print(coroutine.status(co), pcall(coroutine.resume, co)) end)
  print(coroutine.resume(co))
  print(require('./one').done)
`,
  `normal	false	Operation not permitted
true	true
false	The module you're trying to import has a dependency on the current module (and it is partially loaded already)	../one
true
`,
  {
    files: {
      'slow.lua': 'for i = 1, 5 do this_fiber.yield() end done = true',
      'one.lua': "this_fiber.yield() require '../two' done = true",
      'two.lua':
        "this_fiber.yield() local ok, e = pcall(require, '../one') print(ok, e, e.module) this_fiber.yield()",
    },
    once: true,
  },
);

spec(
  'bodies that end in other ways: an interruption, nil, forbidding to suspend, system.exit',
  `
  print(pcall(require, './interrupted'))
  print(pcall(require, './nothing'))
  require './forbids'
  print(pcall(this_fiber.yield))
  print(pcall(require, './yields'))
  require './exits'
  print('never')
`,
  `false	Fiber interrupted
false	nil
true
false	The fiber coroutine is reserved to the scheduler
`,
  {
    files: {
      'interrupted.lua':
        'local caught local f = spawn(function() caught = select(2, pcall(function() while true do this_fiber.yield() end end)) end) this_fiber.yield() this_fiber.yield() f:interrupt() f:join() error(caught)',
      'nothing.lua': 'error()',
      'forbids.lua': 'this_fiber.forbid_suspend()',
      'yields.lua': 'coroutine.yield()',
      'exits.lua': 'coroutine.wrap(function() require("system").exit(3) end)()',
    },
    code: 3,
  },
);

spec(
  'thousands of modules, and a chain of hundreds that import each other',
  `
  local sum = 0
  for i = 1, 2000 do sum = sum + require('./m' .. i).value end
  print(sum, require('./c1').depth)
`,
  '2001000\t300\n',
  {
    files: Object.fromEntries([
      ...Array.from({ length: 2000 }, (_, i) => [`m${i + 1}.lua`, `value = ${i + 1}`]),
      ...Array.from({ length: 300 }, (_, i) => [
        `c${i + 1}.lua`,
        i === 299 ? 'depth = 1' : `depth = require('../c${i + 2}').depth + 1`,
      ]),
    ]),
    once: true,
  },
);

// ── the file system ────────────────────────────────────────────────────────────────────────────────

/** Files below a folder of their own, and the command run on its main.lua. */
async function run(
  files: Record<string, string>,
  env: (folder: string) => Record<string, string> = () => ({}),
  prepare: (folder: string) => void = () => {},
): Promise<{ stdout: string; stderr: string; code: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    prepare(folder);
    const { stdout, stderr, code } = await runCommand(['app/main.lua'], {
      cwd: folder,
      env: env(folder),
    });
    return { stdout: stdout.replaceAll(folder, ''), stderr: stderr.replaceAll(folder, ''), code };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('external packages: PERILUNE_PATH before EMILUA_PATH, each in order, relative directories too', async () => {
  const outcome = await run(
    {
      'app/main.lua': `
        for _, name in ipairs { 'one', 'two', 'three', 'mutex' } do print(name, rawget(require(name), 'from')) end
        local ok, e = pcall(require, 'four') print(e, e.module)
        print(_CONTEXT, '[' .. require('one')._CONTEXT .. ']')`,
      'p1/one.lua': "from = 'p1'",
      'p2/one.lua': "from = 'p2'",
      'p2/two/init.lua': "from = 'p2/' .. require('./inner').from",
      'p2/two/inner.lua': "from = require('../../three').from .. require('/two/leaf').from",
      'p2/two/leaf.lua': "from = ' leaf' local ok, e = pcall(require, '../../../app') print(e)",
      'p2/three.lua': "from = 'p2'",
      'e/three.lua': "from = 'e'",
      'e/mutex.lua': "from = 'e'",
    },
    (folder) => ({ PERILUNE_PATH: `${folder}/none::p1:${folder}/p2`, EMILUA_PATH: `${folder}/e` }),
  );
  assert.equal(outcome.stderr, '');
  assert.equal(
    outcome.stdout,
    "one\tp1\nThe root module doesn't have a parent and can't reference one\ntwo\tp2/p2 leaf\nthree\tp2\nmutex\tnil\nModule not found\tfour\nmain\t[]\n",
  );
});

test('an external package may be a .ttl; one that is none is as good as not there', async () => {
  const category = `<about:emilua-module> a <https://schema.emilua.org/error_category/0/> .`;
  const outcome = await run(
    {
      'app/main.lua': `
        print(getmetatable(require 'good'), tostring(require 'good'))
        local ok, e = pcall(require, 'bad') print(e, e.module)`,
      'p1/good.ttl': 'nonsense',
      'p1/bad.ttl': '',
      'p2/good.ttl': category,
    },
    () => ({ PERILUNE_PATH: 'p1:p2' }),
  );
  assert.equal(outcome.stderr, '');
  assert.equal(
    outcome.stdout,
    'rdf_error_category_module\tfile:///p2/good.ttl\nModule not found\tbad\n',
  );
});

test('a cycle between external packages names the package', async () => {
  const outcome = await run(
    {
      'app/main.lua': "require 'a'",
      'p/a.lua': "require 'b'",
      'p/b.lua': "local ok, e = pcall(require, 'a') print(e, e.module)",
    },
    () => ({ EMILUA_PATH: 'p' }),
  );
  assert.deepEqual(outcome, {
    stdout:
      "The module you're trying to import has a dependency on the current module (and it is partially loaded already)\ta\n",
    stderr: '',
    code: 0,
  });
});

test('a file that can not be read is an error object of the system', async () => {
  const outcome = await run(
    {
      'app/main.lua': `
        local ok, e = pcall(require, './closed')
        print(ok and 'root may' or e, e.category, e.module)`,
    },
    undefined,
    // Closed to all but root; to root this one is closed.
    (folder) => symlinkSync('/proc/self/mem', join(folder, 'app/closed.lua')),
  );
  assert.deepEqual(outcome, {
    stdout: 'Input/output error\tsystem\t./closed\n',
    stderr: '',
    code: 0,
  });
});

test('paths are bytes: names that are not ASCII survive in messages, _FILE and ids of chunks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-tést-'));
  try {
    mkdirSync(join(folder, 'größe'));
    writeFileSync(
      join(folder, 'größe', 'häupt.lua'),
      `
      print(tostring(_FILE):match('[^/]*/[^/]*$'), #tostring(_FILE):match('[^/]*$'))
      print(pcall(error, 'x'))
      print(select(2, pcall(function() error('here') end)))
      print(select(2, pcall(require('./modul').f)):match('[^/]*/[^/]*$'))`,
    );
    writeFileSync(join(folder, 'größe', 'modul.lua'), "function f() error('there') end");
    const { stdout, stderr } = await runCommand(['größe/häupt.lua'], { cwd: folder });
    assert.equal(stderr, '');
    assert.equal(
      stdout,
      'größe/häupt.lua\t10\nfalse\tx\ngröße/häupt.lua:4: here\ngröße/modul.lua:1: there\n',
    );
    const missing = await runCommand(['nö.lua'], { cwd: folder });
    assert.equal(
      missing.stderr,
      'Error starting the lua VM: cannot open nö.lua: No such file or directory\n',
    );
    // Bytes that are no UTF-8.
    const raw = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
    mkdirSync(raw);
    writeFileSync(
      Buffer.concat([raw, Buffer.from('/main.lua')]),
      "print(tostring(_FILE):byte(-11, -10)) require './m'",
    );
    writeFileSync(Buffer.concat([raw, Buffer.from('/m.lua')]), "print('m')");
    writeFileSync(join(folder, 'run.sh'), `cd "${folder}/"$(printf '\\377\\376') && exec "$@"\n`);
    const byCwd = spawnSync('sh', [join(folder, 'run.sh'), process.execPath, MAIN, 'main.lua']);
    assert.equal(String(byCwd.stderr), '');
    assert.equal(String(byCwd.stdout), '255\t254\nm\n');
    writeFileSync(
      join(folder, 'arg.sh'),
      `exec "$@" "${folder}/"$(printf '\\377\\376')/main.lua\n`,
    );
    const byArgument = spawnSync('sh', [join(folder, 'arg.sh'), process.execPath, MAIN]);
    assert.equal(String(byArgument.stderr), '');
    assert.equal(String(byArgument.stdout), '255\t254\nm\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
