/**
 * Lua filters in a process without Node (native/libc-service/filter.h): filter-program.c is one, built as what is shipped
 * and once more with the sanitizers of the compiler.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect, isDeepStrictEqual } from 'node:util';
import { wasmToC } from '../../scripts/wasm-to-c.ts';
import { compile, ifSupported, noCompiler } from '../support/cc.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const lua = join(root, 'build/Release/lua51.a');
const skip = noCompiler || (existsSync(lua) ? false : 'build/Release/lua51.a was not built');
const folder = mkdtempSync(join(tmpdir(), 'perilune-filter-'));
after(() => rmSync(folder, { recursive: true }));

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const sanitizers = skip ? [] : ifSupported(SANITIZERS);

function build(flags: readonly string[]): string {
  const program = join(folder, `program${flags.length}`);
  if (existsSync(program)) return program;
  const { header } = wasmToC(readFileSync(join(root, 'native/init-script/lua51.wasm')), 'lua51');
  writeFileSync(join(folder, 'lua51.h'), header);
  compile([
    ...[
      '-std=gnu11',
      '-D_GNU_SOURCE',
      '-O2',
      '-g',
      '-pthread',
      '-Wall',
      '-Wextra',
      '-Wno-unused-result',
      ...flags,
    ],
    ...[`-I${folder}`, `-I${join(root, 'native/libc-service')}`, '-o', program],
    join(root, 'test/support/filter-program.c'),
    join(root, 'native/libc-service/filter.c'),
    join(root, 'native/host_calls.c'),
    lua,
  ]);
  return program;
}

// ---- values ----

type Value = null | boolean | bigint | string | readonly Value[] | Map<string, Value>;

/** Bytes are characters here, as latin1 has it. */
function encode(value: Value): Buffer {
  const count = (tag: string, number: number): Buffer => {
    const head = Buffer.from(`${tag}0000`, 'latin1');
    head.writeUInt32LE(number, 1);
    return head;
  };
  if (value === null) return Buffer.from('n');
  if (typeof value === 'boolean') return Buffer.from(value ? 't' : 'f');
  if (typeof value === 'bigint') {
    const out = Buffer.from('i00000000');
    out.writeBigInt64LE(value, 1);
    return out;
  }
  if (typeof value === 'string')
    return Buffer.concat([count('s', value.length), Buffer.from(value, 'latin1')]);
  if (value instanceof Map) {
    return Buffer.concat([
      count('m', value.size),
      ...[...value].flatMap(([k, v]) => [encode(k), encode(v)]),
    ]);
  }
  return Buffer.concat([count('l', value.length), ...value.map(encode)]);
}

function decode(bytes: Buffer): Value[] {
  let at = 0;
  const take = (size: number): Buffer => {
    assert.ok(at + size <= bytes.length, 'values end too early');
    at += size;
    return bytes.subarray(at - size, at);
  };
  const text = (): string => take(take(4).readUInt32LE()).toString('latin1');
  const value = (): Value => {
    const tag = take(1).toString();
    switch (tag) {
      case 'n':
        return null;
      case 't':
      case 'f':
        return tag === 't';
      case 'i':
        return take(8).readBigInt64LE();
      case 's':
        return text();
      case 'l':
        return Array.from({ length: take(4).readUInt32LE() }, value);
      case 'm': {
        const out = new Map<string, Value>();
        const size = take(4).readUInt32LE();
        for (let i = 0; i < size; i++) {
          assert.equal(take(1).toString(), 's');
          const key = text();
          out.set(key, value());
        }
        return out;
      }
      default:
        throw new Error(`tag ${tag}`);
    }
  };
  const out: Value[] = [];
  while (at < bytes.length) out.push(value());
  return out;
}

interface Run {
  readonly source: string;
  readonly arguments?: readonly Value[] | Buffer;
}

/** What each filter gives: values, or a message. */
function runAll(program: string, runs: readonly Run[]): (Value[] | string)[] {
  const sized = (bytes: Buffer): Buffer[] => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    return [size, bytes];
  };
  const input = Buffer.concat(
    runs.flatMap(({ source, arguments: given = [] }) => [
      ...sized(Buffer.from(source, 'latin1')),
      ...sized(Buffer.isBuffer(given) ? given : Buffer.concat(given.map(encode))),
    ]),
  );
  const { stdout, stderr, status, signal } = spawnSync(program, ['run'], {
    input,
    timeout: 300_000,
    maxBuffer: 1 << 28,
  });
  assert.equal(status, 0, `${signal} ${stderr}`);
  const out: (Value[] | string)[] = [];
  for (let at = 0; at < stdout.length; ) {
    const result = stdout.readInt32LE(at);
    const size = stdout.readUInt32LE(at + 4);
    const bytes = stdout.subarray(at + 8, at + 8 + size);
    out.push(result < 0 ? bytes.toString('latin1') : decode(bytes));
    at += 8 + size;
  }
  assert.equal(out.length, runs.length);
  return out;
}

/** Source, and the values or the message. */
const EXPECTED: readonly (readonly [
  source: string,
  expected: readonly Value[] | RegExp | string,
])[] = [
  ['return 1', [1n]],
  ['return', []],
  ['', []],
  ['return -1, 2', [-1n, 2n]],
  [
    "return nil, true, false, 'a\\0b', {}, {1, {2}}, {a = {b = -5}}",
    [null, true, false, 'a\0b', [], [1n, [2n]], new Map([['a', new Map([['b', -5n]])]])],
  ],
  ['return 2^53, -2^63', [2n ** 53n, -(2n ** 63n)]],
  // `real`: once, several times, never, caught, in a coroutine, kept
  ["return (...)('x', 1)", ['x', 1n]],
  ['local real = ... return real(1) + real(2) + real(3)', [6n]],
  ["local ok, why = pcall(..., 'fail') return ok, why", [false, 'real: Input/output error']],
  ["(...)('fail')", 'test:1: real: Input/output error'],
  ["(...)('too much')", 'test:1: real: Message too long'],
  ["return (...)('nothing')", []],
  ['(...)(print)', 'test:1: a function is no value that can be passed'],
  ['return coroutine.wrap(function(real) coroutine.yield(real(7)) end)(...)', [7n]],
  [
    "local real = ... return coroutine.wrap(function() return pcall(real, 'fail') end)()",
    [false, 'real: Input/output error'],
  ],
  ["return (...)('nested')", ['a filter is called by the function behind a filter']],
  ["return (...)('stack')", [true]],
  ['setmetatable(newproxy(true), nil)', /bad argument/],
  [
    "local p, real = newproxy(true), ... getmetatable(p).__gc = function() real('fail') end return 5",
    [5n],
  ],
  // results of other kinds
  ['return 1.5', 'a number is not an integer of 64 bits'],
  ['return 2^63', 'a number is not an integer of 64 bits'],
  ['return 0/0', 'a number is not an integer of 64 bits'],
  ['return -1/0', 'a number is not an integer of 64 bits'],
  ['return function() end', 'a function is no value that can be passed'],
  ['return coroutine.create(function() end)', 'a thread is no value that can be passed'],
  ['return io.stdout', 'a userdata is no value that can be passed'],
  ['return {[1.5] = 1}', 'a table is neither a list nor has it strings for keys only'],
  ['return {1, nil, 3, x = 1}', 'a table is neither a list nor has it strings for keys only'],
  ['return {[true] = 1}', 'a table is neither a list nor has it strings for keys only'],
  ['local t = {} t.t = t return t', 'tables are nested too deeply'],
  ['local t = {} t[1] = t return t', 'tables are nested too deeply'],
  ["return setmetatable({}, {__index = error, __len = error, __metatable = 'x'})", [[]]],
  ["return ('x'):rep(100000)", ['x'.repeat(100000)]],
  [
    'local t = {} for i = 1, 20000 do t[i] = i end return #t, unpack(t, 1, 5000)',
    [20000n, ...Array.from({ length: 5000 }, (_, i) => BigInt(i + 1))],
  ],
  // errors
  ['error()', '(error object is a nil value)'],
  ['error({})', '(error object is a table value)'],
  ['error(5)', 'test:1: 5'],
  ["error('x', 0)", 'x'],
  ["error('x')", 'test:1: x'],
  ["error(setmetatable({}, {__tostring = function() return 'its own' end}))", 'its own'],
  [
    "error(setmetatable({}, {__tostring = function() error 'again' end}))",
    'error in error handling',
  ],
  [
    'error(setmetatable({}, {__tostring = function() return {} end}))',
    /^\(error object is a table value\)$/,
  ],
  ['return return', /^test:1: .*'return'/],
  ['\x1bLua', 'bytecode is no filter'],
  ['x = = 1', /^test:1: unexpected symbol/],
  ["x = 'unfinished", /unfinished string/],
  // too much
  ["local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", 'not enough memory'],
  ["return ('x'):rep(2^30)", /not enough memory|too large/],
  [
    "local ok, why = pcall(string.rep, 'x', 1e6) return ok, why, #('x'):rep(1000)",
    [false, 'not enough memory', 1000n],
  ],
  ['local function f() return f() + 1 end f()', /stack overflow|not enough memory/],
  ['local function f() return pcall(f) end return select(-2, f())', [false, 'C stack overflow']],
  [
    "local s = ('('):rep(300) .. '1' .. (')'):rep(300) loadstring('return ' .. s)() ",
    /attempt to call a nil value/,
  ],
  [
    "string.find(('x'):rep(200), ('x-'):rep(20000) .. 'y')",
    /stack overflow|malformed|too complex|not enough memory/,
  ],
  ["local s = ('x'):rep(50) local function f() return s:gsub('.', f) end f()", /C stack overflow/],
  ['local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x', /loop in gettable/],
  ['local co co = coroutine.wrap(function() return co() end) co()', /cannot resume|running/],
  [
    'local function f(n) return coroutine.wrap(function() return f(n + 1) end)() end local ok, why = pcall(f, 1) error(why:sub(-20), 0)',
    /stack overflow|not enough memory/,
  ],
  // Each way to nest calls of C functions ends as an error of Lua, before the stack does.
  ['local function f() table.sort({1, 2, 3}, f) end return pcall(f)', [false, 'C stack overflow']],
  [
    'local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) return pcall(tostring, t)',
    [false, 'C stack overflow'],
  ],
  [
    'local t t = setmetatable({}, {__lt = function(a, b) return a < b end}) return pcall(function() return t < t end)',
    [false, 'test:1: C stack overflow'],
  ],
  // The API of init.script
  ["return C.open('/no such file', C.O_RDONLY)", [-1n, 2n]],
  [
    "local fd = C.open('/dev/null', C.O_RDWR) return (C.read(fd, 1)), C.write(fd, 'abc'), (C.close(fd))",
    ['', 3n, 0n],
  ],
  ['return errexit, arg', [false, null]],
  ['return pcall(function() return C.nothing end)', [false, 'key not found']],
  [
    "local n = 0 for i = 1, 3000 do n = n + #(('%d'):format(i) .. ('y'):rep(500)) end return n",
    [1510893n],
  ],
  [
    "local fd = C.open('/dev/zero', 0) local n = 0 for i = 1, 200 do n = n + #C.read(fd, 20000) end return n",
    [4000000n],
  ],
  ['return real, jit, x', [null, null, null]],
  ['x = 1', []],
  ['return x', [null]],
];

function check(program: string): void {
  const actual = runAll(
    program,
    EXPECTED.map(([source]) => ({ source })),
  );
  const wrong = EXPECTED.flatMap(([source, expected], i) => {
    const is = actual[i]!;
    const isRight =
      expected instanceof RegExp
        ? typeof is === 'string' && expected.test(is)
        : isDeepStrictEqual(is, expected);
    return isRight ? [] : [{ source, is: inspect(is).slice(0, 300), expected }];
  });
  assert.deepEqual(wrong, []);
}

test('what filters give', { skip }, () => check(build([])));

test('… with the sanitizers', {
  skip: skip || (sanitizers.length === 0 && 'cc has no sanitizers'),
}, () => {
  check(build(sanitizers));
});

/** xorshift: the same values each time. */
function randomValues(seed: number): () => Value {
  let state = seed | 1;
  const pick = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const text = (): string =>
    Array.from({ length: pick(4) === 0 ? pick(300) : pick(5) }, () =>
      String.fromCharCode(pick(256)),
    ).join('');
  const value = (depth: number): Value => {
    switch (pick(depth > 0 ? 8 : 5)) {
      case 0:
        return null;
      case 1:
        return pick(2) === 0;
      case 2:
        return BigInt(pick(1 << 30)) * (pick(2) === 0 ? -8388608n : 1n); // a double has it exactly
      case 3:
      case 4:
        return text();
      case 5:
      case 6: // a nil would end the list
        return Array.from({ length: pick(6) }, () => value(depth - 1) ?? false);
      default: {
        const entries = Array.from(
          { length: 1 + pick(5) },
          () => [text(), value(depth - 1) ?? true] as const,
        );
        return new Map(entries);
      }
    }
  };
  return () => value(5);
}
/** Tables have no order. */
function sorted(value: Value): Value {
  if (value instanceof Map) {
    return new Map(
      [...value].map(([k, v]) => [k, sorted(v)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
  return Array.isArray(value) ? value.map(sorted) : value;
}

test('values come back as they went in', { skip }, () => {
  const next = randomValues(20261130);
  const runs = Array.from({ length: 300 }, (_, i) => ({
    source: i % 2 ? 'return (...)(select(2, ...))' : 'return select(2, ...)',
    arguments: ['first', ...Array.from({ length: i % 7 }, next)],
  }));
  const actual = runAll(build([]), runs);
  for (const [i, { arguments: given }] of runs.entries()) {
    assert.ok(Array.isArray(actual[i]), String(actual[i]));
    assert.deepEqual((actual[i] as Value[]).map(sorted), given.map(sorted), `run ${i}`);
  }
});

test('bytes that are no values are an error', { skip }, () => {
  const bad = [
    'x',
    'i123',
    's',
    's\x05\0\0\0abc',
    's\xff\xff\xff\xff',
    'l\x01\0\0\0',
    'l\xff\xff\xff\xffn',
    'm\x01\0\0\0n',
    'm\x01\0\0\0nn',
    'm\x01\0\0\0s\0\0\0\0',
    `${'l\x01\0\0\0'.repeat(200)}n`,
    'l\xff\xff\xff\x7f',
    'nnnz',
  ];
  const next = randomValues(7);
  // Good ones, cut and with a byte changed: values or a message, and the process goes on.
  const broken = Array.from({ length: 200 }, (_, i) => {
    const bytes = Buffer.concat([next(), next()].map(encode));
    if (i % 2 && bytes.length > 0) bytes[i % bytes.length] = (i * 37) & 255;
    else return bytes.subarray(0, (i * 13) % (bytes.length + 1));
    return bytes;
  });
  const program = build(sanitizers);
  const asArguments = bad.map((text) => ({
    source: 'return 1',
    arguments: Buffer.from(text, 'latin1'),
  }));
  const asResults = bad.map((text) => ({
    source: "local real, bytes = ... return pcall(real, 'garbage' .. bytes)",
    arguments: [text],
  }));
  const actual = runAll(program, [
    ...asArguments,
    ...asResults,
    ...broken.map((bytes) => ({ source: 'return ...', arguments: bytes })),
  ]);
  const words =
    /values end too early|values of an unknown kind|a key is not a string|tables are nested too deeply|not enough memory/;
  for (const message of actual.slice(0, bad.length)) {
    assert.equal(typeof message, 'string');
    assert.match(message as string, words);
  }
  for (const values of actual.slice(bad.length, 2 * bad.length)) {
    assert.equal((values as Value[])[0], false);
    assert.match((values as Value[])[1] as string, words);
  }
});

/** Functions whose bytecode was changed by chance; the hook ends those that loop. */
const BROKEN = `
local seed = ...
local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648 return math.floor(seed / 65536) % n end
local code = string.dump(loadstring([[
  local t = {...}
  local function g(a, b) for i = 1, 10 do t[i] = a .. i end return #t, b end
  local s = 0
  for k, v in pairs(t) do s = s + 1 end
  return g(s, t), ("x"):rep(3)
]]))
for n = 1, 30 do
  local bytes = {code:byte(1, -1)}
  for k = 1, 1 + random(4) do bytes[13 + random(#bytes - 12)] = random(256) end
  for i = 1, #bytes do bytes[i] = string.char(bytes[i]) end
  local f = loadstring(table.concat(bytes))
  if f then
    debug.sethook(function() error 'slow' end, '', 10000)
    pcall(f, 1, 2, 'x')
    debug.sethook()
  end
end
return 'end'`;

test('broken bytecode stays in its memory', { skip }, () => {
  const runs = Array.from({ length: 40 }, (_, i) => ({
    source: BROKEN.replace('...', String(i * 7919 + 1)),
  }));
  for (const is of runAll(build(sanitizers), runs)) {
    assert.ok(typeof is === 'string' || is[0] === 'end', String(is));
  }
});

test('sources and arguments that are larger than the memory', { skip }, () => {
  const actual = runAll(build(sanitizers), [
    { source: `return 1 --${' '.repeat(1 << 20)}` },
    { source: `return 1 --${' '.repeat(900_000)}` },
    { source: 'return 1', arguments: ['x'.repeat(1 << 20)] },
    { source: 'return 1', arguments: ['x'.repeat(500_000)] },
    { source: 'return #select(2, ...)', arguments: ['x'.repeat(200_000)] },
  ]);
  assert.deepEqual(
    actual.map((is) => (typeof is === 'string' ? is : is[0])),
    ['not enough memory', 'not enough memory', 'not enough memory', 'not enough memory', 200_000n],
  );
});

for (const name of [
  'threads',
  'small_stack',
  'forks',
  'forks_in_real',
  'signals',
  'jumps',
  'wiped',
  'descriptors',
  'no_memory',
  'messages',
  'denied',
]) {
  test(`in a process: ${name}`, { skip }, () => {
    const { stdout, stderr, signal } = spawnSync(build([]), [name], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.equal(stdout, 'ok\n', `${signal} ${stderr}`);
  });
}

// Not those that look at stacks, or leave frames behind: sanitizers have their own ideas of both.
for (const name of ['threads', 'forks', 'forks_in_real', 'descriptors', 'messages']) {
  test(`… with the sanitizers: ${name}`, {
    skip: skip || (sanitizers.length === 0 && 'cc has no sanitizers'),
  }, () => {
    const { stdout, stderr, signal } = spawnSync(build(sanitizers), [name], {
      encoding: 'utf8',
      timeout: 300_000,
    });
    assert.equal(stdout, 'ok\n', `${signal} ${stderr}`);
  });
}
