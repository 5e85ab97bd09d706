/**
 * No bytes in a Lua program change the meaning of the JavaScript that it becomes, and no key or value
 * of Lua's leads to an object, prototype or global of JavaScript's.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { loadChunk, showCompiled } from '../../src/actors/load.ts';
import { LuaTable, tableOf } from '../../src/runtime/table.ts';
import { type LuaFunction, NO_ZERO } from '../../src/runtime/value.ts';
import { spec } from '../support/spec.ts';

let seed = 12345;
function random(n: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % n;
}

const NASTY = [
  '"',
  "'",
  '`',
  '\\',
  '\\"',
  '\n',
  '\r',
  '\0',
  '\u0085',
  '\xa0',
  '\xe2\x80\xa8',
  '\xe2\x80\xa9',
  '${',
  '}',
  '*/',
  '/*',
  '//',
  '<!--',
  '-->',
  '$get("x")',
  '$g0',
  '$SUSPEND',
  '$S($K[0])',
  ');',
  '"); globalThis.hacked = 1; ("',
  '\\u0022',
  '\\x22',
  '__proto__',
  'constructor',
  '//# sourceURL=x',
  '\xff',
  '\x7f',
  ']]',
  '$&',
  '$1',
  "$'",
  '\\\n',
  'use strict',
  '$$',
];

function randomBytes(): string {
  let text = '';
  for (let n = random(6); n >= 0; n--) {
    text += random(2) === 0 ? NASTY[random(NASTY.length)]! : String.fromCharCode(random(256));
  }
  return text;
}

/** A Lua literal of these bytes. */
const quote = (s: string): string =>
  `"${[...s].map((c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`).join('')}"`;
/** The same, with as few escapes as Lua allows. */
const quoteRaw = (s: string): string =>
  `"${s.replace(/[\\"\n\r]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`)}"`;

const program = (literal: string): string => `
  local s = ${literal}
  local t = {[${literal}] = 1, [${literal} .. "x"] = 2}
  t[${literal}] = t[${literal}] + 1
  local u = setmetatable({}, {__index = t})
  u[${literal} .. "y"] = ${literal}
  local function f(a, ...) return a, ... end
  if u[${literal}] ~= 2 or t[s] ~= 2 or ${literal} ~= s or u[s .. "y"] ~= s then return "value lost" end
  goto done
  ::done::
  local a, b, c = f(${literal}, #${literal}, ${literal} .. ${literal})
  return a, b, c`;

/** All that the program needs of the library. */
function globals(): LuaTable {
  const setmetatable = (t: LuaTable, meta: LuaTable): LuaTable => {
    t.meta = meta;
    return t;
  };
  return tableOf({ setmetatable: setmetatable as unknown as LuaFunction });
}

/** The shape of emitted text: its string literals and member names taken out. */
const shape = (source: string): string =>
  showCompiled(source, 'x')
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\.\$\w+/g, '[""]');

test('strings of any bytes stay strings, as literals and as keys', () => {
  // Long literals are emitted otherwise than short ones.
  const expected = new Map<number, string>();
  const env = globals();
  for (let i = 0; i < 1500; i++) {
    const text = randomBytes();
    const { length } = text;
    if (!expected.has(length)) expected.set(length, shape(program(quote('-'.repeat(length)))));
    for (const literal of [quote(text), quoteRaw(text)]) {
      assert.equal(shape(program(literal)), expected.get(length), literal);
      const result = loadChunk(program(literal), 'x', env)();
      assert.deepEqual(result, [text, text.length, text + text], literal);
    }
  }
  assert.equal((globalThis as { hacked?: unknown }).hacked, undefined);
});

test('emitted text has no control characters and no line separators inside its lines', () => {
  for (let i = 0; i < 300; i++) {
    const js = showCompiled(program(quote(randomBytes())), 'x');
    assert.ok(!/[\0-\t\v-\x1f\u2028\u2029]/.test(js));
  }
});

const WORDS = [
  'arguments',
  'eval',
  'await',
  'yield',
  'let',
  'static',
  'class',
  'this',
  'null',
  'undefined',
  'NaN',
  'globalThis',
  'process',
  'require',
  'E',
  'va',
  'main',
  'L1',
  'G1',
  '_',
  '__proto__',
  'constructor',
  'prototype',
  'f1',
  'E1',
  'async',
  'of',
  'new',
  'typeof',
  'delete',
  'void',
  'super',
  'import',
  'export',
  'with',
  'enum',
  'interface',
  '\xe4',
  '\xff\x80',
  'x\xe2\x80\xa8y',
  'hasOwnProperty',
  'toString',
  'call',
];

test('names of any kind stay names: locals, parameters, globals, fields, methods, functions, labels', () => {
  for (const a of WORDS) {
    for (const b of [WORDS[random(WORDS.length)]!, a]) {
      const source = `
        ${a} = 1
        local ${b} = 2
        local function g(${a}, ...) local ${b} = ${a} return function() ${b} = ${b} + 1 return ${b}, ${a} end end
        local t = {${a} = 3, ${b} = 3}
        t.${a} = t.${a} + t.${b}
        function t.${b}f(...) return ... end
        function t:${a}m(${b}) return self.${a}, ${b} end
        goto ${a} ::${a}::
        for ${a} = 1, 2 do local ${b} = ${a} end
        local x, y = g(10)()
        local m, n = t:${a}m(7)
        return x, m, n, t.${b}f(8), ${b} == 2`;
      const [x, m, n, f, same] = loadChunk(source, 'x', new LuaTable())();
      assert.deepEqual([x, m, n, f, same], [11, 6, 7, 8, true], `${a}, ${b}`);
    }
  }
});

spec(
  'no key reaches JavaScript: not of tables, strings, functions, threads, numbers or userdata',
  `
  local keys = {"__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "call", "apply", "bind",
    "caller", "arguments", "name", "arr", "hash", "meta", "named", "E", "E$", "$E", "$", "resume", "stack", "body",
    "isThread", "status", "luaType", "__defineGetter__", "__lookupGetter__", "then", "x", "isPrototypeOf", "map", "keys",
    "vals", "owner", "scheduler", "thread", "$x", "0", "1", "at"}
  local values = {{}, {1, 2}, {x = 1}, "text", print, function() end, coroutine.create(print), 1, true,
    spawn(function() end), setmetatable({}, {}), string, _G}
  local found = {}
  for i, value in ipairs(values) do
    for _, key in ipairs(keys) do
      local ok, got = pcall(function() return value[key] end)
      if ok and got ~= nil then found[#found + 1] = i .. "." .. key .. "=" .. type(got) end
    end
  end
  print(table.concat(found, " "))
  local t = {}
  print(t.__proto__, t.constructor, t.toString, t.arr, t.hash, t.meta, t.named, t.valueOf)
  t.__proto__ = {x = 1}
  print(t.x, (next(t)))
  print(pcall(function() print.constructor("return 1") end))
  print(pcall(function() print.E = {} end))
  print(pcall(function() ("x").y = 1 end))
  print(#("x"), ("x")[1], ("x").length, ("x")[0])
  local e = select(2, pcall(function() local q = nil; q.x = 1 end))
  print(type(e), pcall(function() return e.stack end))
`,
  `3.x=number
nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil
nil\t__proto__
false\tmain.lua:20: attempt to index global 'print' (a function value)
false\tmain.lua:21: attempt to index global 'print' (a function value)
false\tmain.lua:22: attempt to index a string value
1\tnil\tnil\tnil
string\ttrue\tnil
`,
);

test('the compiler and the runtime agree on what stands for no element 0', () => {
  assert.match(showCompiled('return {1}', 'x'), new RegExp(`\\[${NO_ZERO}, 1\\]`));
});
