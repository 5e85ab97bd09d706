/** Programs that are no Lua, with LuaJIT 2.1's words for it (`syntax-errors.json`: text, line: message). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { loadChunk } from '../../src/actors/load.ts';
import { LuaError } from '../../src/runtime/error.ts';
import { LuaTable } from '../../src/runtime/table.ts';

function messageOf(source: string): string {
  try {
    loadChunk(source, 'x.lua', new LuaTable());
  } catch (error) {
    // Anything but a Lua error is a bug: let it show.
    if (error instanceof LuaError) return String(error.value).replace('x.lua:', '');
    throw error;
  }
  return 'compiles';
}

const list = join(import.meta.dirname, 'syntax-errors.json');
const cases = JSON.parse(readFileSync(list, 'utf8')) as [string, string][];

test(`${cases.length} wrong programs are refused as LuaJIT refuses them`, () => {
  for (const [source, message] of cases) assert.equal(messageOf(source), message, source);
});

const many = (n: number, text: string): string => text.repeat(n);

/** Far beyond what LuaJIT takes, or just about: an answer in Lua's terms, whatever it is. */
const limits: [string, string, RegExp][] = [
  ['10,000 parentheses', `x = ${many(10_000, '(')}1${many(10_000, ')')}`, /too many syntax levels/],
  ['10,000 braces', `x = ${many(10_000, '{')}${many(10_000, '}')}`, /too many syntax levels/],
  ['10,000 blocks', `${many(10_000, 'do ')}${many(10_000, 'end ')}`, /too many syntax levels/],
  [
    '10,000 functions',
    `${many(10_000, 'x = function() ')}${many(10_000, 'end ')}`,
    /too many syntax levels/,
  ],
  ['10,000 nots', `x = ${many(10_000, 'not ')}1`, /too many syntax levels/],
  ['10,000 powers', `x = ${many(10_000, 'a ^ ')}1`, /too many syntax levels/],
  ['100,000 arguments', `f(${many(100_000, 'a, ')}a)`, /too complex/],
  ['100,000 results', `return ${many(100_000, '1, ')}1`, /too complex/],
  ['300 parameters', `local function f(${many(300, 'a, ')}b) end`, /more than 200 local variables/],
  ['300 locals', many(300, 'local a '), /more than 200 local variables/],
  ['100,000 targets', `${many(100_000, 'a, ')}a = 1`, /more than 200 variable names/],
  ['100,000 constructor items', `x = {${many(100_000, '1, ')}}`, /compiles/],
  ['100,000 constructor fields', `x = {${many(100_000, 'a = 1, ')}}`, /compiles/],
  ['10,000 parts of ..', `x = ${many(10_000, 'a .. ')}a`, /compiles/],
  ['10,000 terms', `x = ${many(10_000, 'a + ')}a`, /compiles/],
  ['10,000 constant terms', `x = ${many(10_000, '1 + ')}1`, /compiles/],
  ['10,000 and', `x = ${many(10_000, 'a and ')}a`, /compiles/],
  ['10,000 or in a condition', `if ${many(10_000, 'a or ')}a then end`, /compiles/],
  ['10,000 mixed conditions', `while ${many(5_000, 'a == 1 and b or ')}a do end`, /compiles/],
  ['5,000 elseif', `if a then ${many(5_000, 'elseif b() then c() ')}else d() end`, /compiles/],
  ['100,000 statements', many(100_000, 'x = y\n'), /compiles/],
  ['20,000 functions', many(20_000, 'function f() end '), /compiles/],
  ['a line of 10 MB', `x = "${many(10_000_000, 'a')}"`, /compiles/],
  ['a name of 1 MB', `${many(1_000_000, 'a')} = 1`, /compiles/],
  ['10,000 calls of calls', `x = f${many(10_000, '()')}`, /compiles|too many syntax levels/],
  ['10,000 fields of fields', `x = f${many(10_000, '.a')}`, /compiles|too many syntax levels/],
  [
    '300 upvalues',
    `${many(2, 'do ')}${Array.from({ length: 190 }, (_, i) => `local a${i}`).join(' ')} function f() ${Array.from({ length: 100 }, (_, i) => `local b${i}`).join(' ')} function g() return ${Array.from({ length: 190 }, (_, i) => `a${i}`).join(' + ')} + ${Array.from({ length: 100 }, (_, i) => `b${i}`).join(' + ')} end end ${many(2, 'end ')}`,
    /more than 240 upvalues/,
  ],
];

for (const [name, source, expected] of limits) {
  test(`${name}: no JavaScript exception`, () => {
    assert.match(messageOf(source), expected);
  });
}
