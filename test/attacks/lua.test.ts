/**
 * Attacks by Lua programs in a sandbox: reaching JavaScript, other modules, the host; and using up what they
 * have. Each gives a text that shows what came of it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openReactor } from '../support/faulty.ts';
import { noSandboxes } from '../support/sandboxes.ts';
import { MAIN, runLua } from '../support/spec.ts';

const skip = noSandboxes() ?? false;
if (skip === false) {
  await openReactor();
  await runLua(`spawn_vm{module = './w', subprocess = {sandbox = 'inbox'}}`, {
    files: { 'w.lua': '' },
  });
}

/** What it tries → [a chunk, what it returns as text]. */
const ATTACKS: Readonly<Record<string, readonly [chunk: string, result: string]>> = {
  'the prototype of a table': ['return ({}).__proto__', 'nil'],
  'the constructor of a table': ['return ({}).constructor', 'nil'],
  'the constructor of a string': ["return ('').constructor", 'nil'],
  'the prototype of a string': ["return ('').__proto__", 'nil'],
  'properties of a string': ["return ('abc').length", 'nil'],
  'a number has none': ['return pcall(function() return (1).constructor end)', 'false'],
  'nor a function': ['return pcall(function() return print.constructor end)', 'false'],
  'nor a boolean': ['return pcall(function() return (true).constructor end)', 'false'],
  'nor a coroutine': [
    'return pcall(function() return coroutine.create(print).constructor end)',
    'false',
  ],
  'keys that JavaScript knows are ordinary': [
    "local t = {} for _, k in ipairs{'__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty'} do t[k] = k end return t.__proto__ .. t.constructor .. #t .. tostring(({}).constructor)",
    '__proto__constructor0nil',
  ],
  'the prototype as a key, then a look at another table': [
    "local t = {} t['__proto__'] = {polluted = 1} return ({}).polluted",
    'nil',
  ],
  'a mangled name': ["return ({})['$x'] or ({}).meta or ({}).hash or ({}).arr", 'nil'],
  'what compiled code names': ['return E or O or this or globalThis or self or window', 'nil'],
  'the process': [
    'return process or require_ or module or exports or Buffer or eval or Function',
    'nil',
  ],
  'a module of Node': ["return pcall(require, 'node:fs')", 'false'],
  another: ["return pcall(require, 'fs')", 'false'],
  'a module by a path out': ["return pcall(require, '../../../../etc/passwd')", 'false'],
  ffi: ["return pcall(require, 'ffi')", 'false'],
  'JavaScript as a chunk': ["return loadstring('process.exit(1); //')", 'nil'],
  'JavaScript in a name': [
    'return loadstring(\'local x = "\\\\"; process.exit(1); //" return x\')()',
    '"; process.exit(1); //',
  ],
  'JavaScript behind a line that ends it': [
    'return loadstring(\'local x = "\\\\226\\\\128\\\\168 process.exit(1)" return #x\')()',
    '19',
  ],
  'JavaScript as the name of a chunk': [
    "return loadstring('return 1', '@x*/process.exit(1)/*')()",
    '1',
  ],
  'a name that is a word of JavaScript': [
    'local class, new, this, await, yield, arguments, eval, undefined = 1, 2, 3, 4, 5, 6, 7, 8 return class + new + this + await + yield + arguments + eval + undefined',
    '36',
  ],
  bytecode: ["return loadstring('\\27Lua')", 'nil'],
  'the error object of the engine': [
    'local ok, e = pcall(function() local function f() return 1 + f() end return f() end) return type(e)',
    'string',
  ],
  'the stack of an error': [
    'local ok, e = pcall(error, {}) return e.stack or e.cause or e.trace',
    'nil',
  ],
  'a metatable of strings that is everybody’s': [
    "getmetatable('').__index.upper = nil return ('x').upper",
    'nil',
  ],
  'the environment of the engine’s functions': [
    'return pcall(getfenv, print) and getfenv(print) == getfenv(0)',
    'true',
  ],
  'a userdata of the system as a table': [
    "return pcall(rawget, require 'system', 'constructor')",
    'false',
  ],
  'a metatable of a userdata': ["return type(getmetatable(require 'system'))", 'string'],
  'a metatable of a channel': ["return pcall(setmetatable, require 'inbox', {})", 'false'],
  'assignments to the inbox': [
    "return pcall(function() require('inbox').receive = 1 end)",
    'false',
  ],
  'the prototype of a byte_span': [
    'return pcall(function() return byte_span.new(1).constructor end)',
    'false',
  ],
  'a byte_span beyond its end': [
    'return pcall(function() return byte_span.new(4)[5] end)',
    'false',
  ],
  'a byte_span of a negative size': ['return pcall(byte_span.new, -1)', 'false'],
  'a byte_span of all memory': ['return pcall(byte_span.new, 2^40)', 'false'],
  'a string of all memory': ["return pcall(string.rep, 'x', 2^40)", 'false'],
  'a format that reads the stack': ["return pcall(string.format, '%s%s%n')", 'false'],
  'a format of all memory': ["return pcall(string.format, '%99999999d', 1)", 'false'],
  'tail of the argument list': ['return pcall(unpack, {}, 1, 1e9)', 'false'],
  'a descriptor by its number': [
    "return pcall(function() return require('file').stream.new(3) end)",
    'false',
  ],
  'standard streams that are none': [
    "return pcall(function() local s = require 'system' return s.in_.read_some(s.in_, byte_span.new(1)) end)",
    'false',
  ],
  'the tables of another actor': [
    "local c = spawn_vm '/attacks_other' c:send{from = require 'inbox'} string.upper = nil return require('inbox'):receive()",
    'ABC',
  ],
  'exit with another code, forced': [
    "return pcall(require('system').exit, 1, {force = 3})",
    'false',
  ],
  'who the host is': ["return require('system').getppid()", '1'],
};

const WORKER = `
  local inbox = require 'inbox'
  local first = inbox:receive()
  while true do
    local m = inbox:receive()
    if m.chunk == nil then break end
    local f, e = loadstring(m.chunk)
    local ok, v
    if f then ok, v = pcall(f) else ok, v = true, 'does not compile: ' .. e end
    first.home:send{name = m.name, result = (ok and '' or 'error: ') .. tostring(v):sub(1, 200)}
  end
`;

/** Lua's long brackets around any text. */
const quote = (text: string): string => `[==[${text}]==]`;

test('attacks by Lua', { skip }, async (t) => {
  const program = `
    local inbox = require 'inbox'
    local c = spawn_vm{module = './worker', subprocess = {
      sandbox = 'inbox', stderr = 'share',
      source_tree_cache = {attacks_other = [[
        local inbox = require 'inbox'
        local m = inbox:receive()
        m.from:send(('abc'):upper())
      ]]},
    }}
    c:send{home = inbox}
    for _, a in ipairs{${Object.entries(ATTACKS)
      .map(([name, [chunk]]) => `{${quote(name)}, ${quote(chunk)}}`)
      .join(',\n')}} do
      assert(#a[2] <= 255, a[1])
      c:send{name = a[1], chunk = a[2]}
      local r = inbox:receive()
      print(r.name .. '\\t' .. r.result)
    end
    c:close()
  `;
  const { stdout, stderr } = await runLua(program, { files: { 'worker.lua': WORKER } });
  assert.equal(stderr, '');
  const results = new Map(
    Buffer.from(stdout, 'latin1')
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]),
  );
  for (const [name, [, result]] of Object.entries(ATTACKS))
    await t.test(name, () => assert.equal(results.get(name), result));
});

test('a flood of messages waits in the kernel, and the host goes on', { skip }, async () => {
  const { stdout, stderr } = await runLua(
    `
    local inbox, time = require 'inbox', require 'time'
    local c = spawn_vm{module = './flood', subprocess = {sandbox = 'inbox'}}
    c:send(inbox)
    print(inbox:receive())
    time.sleep(0.2) -- it goes on sending
    print(#inbox)
    local n = 0
    repeat n = n + 1 local m = inbox:receive() until n == 2000
    print(n)
    c:kill()
  `,
    {
      files: {
        'flood.lua': `
        local home = require('inbox'):receive()
        while true do home:send(('x'):rep(255)) end
      `,
      },
    },
  );
  assert.equal(stderr, '');
  assert.equal(stdout, `${'x'.repeat(255)}\n0\n2000\n`);
});

test('addresses by the thousand use up its own descriptors, and not those of the host', {
  skip,
}, async () => {
  const { stdout, stderr } = await runLua(
    `
    local inbox = require 'inbox'
    local c = spawn_vm{module = './addresses', subprocess = {sandbox = 'inbox', stderr = 'share'}}
    c:send(inbox)
    local n = 0
    while true do
      local m = inbox:receive()
      if type(m) == 'string' then print(m) break end
      for _, a in pairs(m) do a:close() n = n + 1 end
    end
    print(n > 100)
    c:close()
  `,
    {
      files: {
        'addresses.lua': `
        local inbox = require 'inbox'
        local home = inbox:receive()
        local failure
        for i = 1, 200 do
          local m = {}
          for k = 1, 20 do m['k' .. k] = inbox end
          local ok, e = pcall(home.send, home, m)
          if not ok then failure = e break end
        end
        inbox:close()
        home:send(tostring(failure))
      `,
      },
    },
  );
  assert.equal(stderr, '');
  assert.equal(stdout, 'Too many open files\ntrue\n');
});

test('a directory never gets there as a descriptor, whichever way the address has taken', {
  skip,
}, async () => {
  const { stdout, stderr } = await runLua(
    `
    local inbox, fs = require 'inbox', require 'filesystem'
    local function etc() return fs.open(fs.path.new '/etc', {'directory', 'read_only'}) end
    local child = spawn_vm{module = './sandboxed', subprocess = {sandbox = 'inbox', stderr = 'share'}}
    child:send{dir = etc(), reply = inbox}
    local first = inbox:receive()
    print(first.what)
    -- What it has sent as its address.
    first.back:send{dir = etc(), reply = inbox}
    print(inbox:receive().what)
    -- From another process, and from another thread; its own channel, and the address.
    for _, options in ipairs{{subprocess = {stderr = 'share'}}, {inherit_context = false}} do
      options.module = './between'
      local between = spawn_vm(options)
      for _, to in ipairs{child, first.back} do
        between:send{to = to, reply = inbox}
        print(inbox:receive().what)
      end
      between:close()
    end
    child:close()
  `,
    {
      files: {
        'sandboxed.lua': `
          local inbox = require 'inbox'
          while true do
            local ok, m = pcall(inbox.receive, inbox)
            if not ok then break end
            m.reply:send{what = tostring(m.dir):match('^userdata') or 'a descriptor', back = inbox}
          end
        `,
        'between.lua': `
          local inbox, fs = require 'inbox', require 'filesystem'
          while true do
            local ok, m = pcall(inbox.receive, inbox)
            if not ok then break end
            m.to:send{dir = fs.open(fs.path.new '/etc', {'directory', 'read_only'}), reply = m.reply}
          end
        `,
      },
    },
  );
  assert.equal(stderr, '');
  assert.equal(stdout, 'userdata\n'.repeat(6));
});

test('descriptors that nobody wants do not use up those of the host, which closes none itself', {
  skip,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-descriptors-'));
  const host = `
    local inbox, unix, fs = require 'inbox', require 'unix', require 'filesystem'
    local child = spawn_vm{module = './flood', subprocess = {sandbox = 'inbox', stderr = 'share'}}
    child:send(inbox)
    local kept, most = {}, 0
    for n = 1, 150 do
      local m = inbox:receive()
      if n % 30 == 0 then kept[n] = m.k1 end
      if n % 10 == 0 then
        local one, two = unix.seqpacket.socket.pair() -- there is room
        one:close()
        two:close()
        local count = 0
        for _ in fs.directory_iterator(fs.path.new '/proc/self/fd') do count = count + 1 end
        most = math.max(most, count)
      end
    end
    for _, channel in pairs(kept) do channel:close() end
    print(most < 300)
    child:kill()
  `;
  const flood = `
    local inbox = require 'inbox'
    local home = inbox:receive()
    local m = {}
    for i = 1, 20 do m['k' .. i] = home end
    while true do
      pcall(home.send, home, m) -- there may be too many on their way
      this_fiber.yield()
    end
  `;
  writeFileSync(join(folder, 'main.lua'), host);
  writeFileSync(join(folder, 'flood.lua'), flood);
  try {
    const command = 'ulimit -n 400; exec "$0" "$@"';
    const program = [process.execPath, '--stack-size=3900', MAIN, join(folder, 'main.lua')];
    const { stdout, stderr } = spawnSync('sh', ['-c', command, ...program], {
      encoding: 'latin1',
      timeout: 300_000,
    });
    assert.equal(stderr, '');
    assert.equal(stdout, 'true\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
