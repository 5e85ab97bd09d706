/** `bit`: LuaJIT's operations on 32-bit integers. bitop.luajit.org/semantics.html */
import { toBits } from '../runtime/bits.ts';
import { checkNumber, optNumber } from '../runtime/check.ts';
import { intrinsics } from '../runtime/state.ts';
import type { LuaValue } from '../runtime/value.ts';
import { luaModule } from './define.ts';

function checkBits(v: LuaValue, position: number, fn: string): number {
  return toBits(typeof v === 'number' ? v : checkNumber(v, position, fn));
}

/** An operation on any number of arguments, at least one; two integers don't come here. */
function fold(fn: string, combine: (x: number, y: number) => number, args: IArguments): number {
  let bits = checkBits(args[0], 1, fn);
  for (let i = 1; i < args.length; i++) bits = combine(bits, checkBits(args[i], i + 1, fn));
  return bits;
}

function band(x: LuaValue, y: LuaValue, ...more: LuaValue[]): number {
  if (typeof x === 'number' && typeof y === 'number' && more.length === 0)
    return toBits(x) & toBits(y);
  return fold('band', (a, b) => a & b, arguments);
}

function bor(x: LuaValue, y: LuaValue, ...more: LuaValue[]): number {
  if (typeof x === 'number' && typeof y === 'number' && more.length === 0)
    return toBits(x) | toBits(y);
  return fold('bor', (a, b) => a | b, arguments);
}

function bxor(x: LuaValue, y: LuaValue, ...more: LuaValue[]): number {
  if (typeof x === 'number' && typeof y === 'number' && more.length === 0)
    return toBits(x) ^ toBits(y);
  return fold('bxor', (a, b) => a ^ b, arguments);
}

// Shifts take the places modulo 32, in JavaScript as in LuaJIT.

function lshift(x: LuaValue, places: LuaValue): number {
  return checkBits(x, 1, 'lshift') << checkBits(places, 2, 'lshift');
}

function rshift(x: LuaValue, places: LuaValue): number {
  return (checkBits(x, 1, 'rshift') >>> checkBits(places, 2, 'rshift')) | 0;
}

function arshift(x: LuaValue, places: LuaValue): number {
  return checkBits(x, 1, 'arshift') >> checkBits(places, 2, 'arshift');
}

function rol(v: LuaValue, places: LuaValue): number {
  const x = checkBits(v, 1, 'rol');
  const n = checkBits(places, 2, 'rol');
  return (x << n) | (x >>> -n);
}

function ror(v: LuaValue, places: LuaValue): number {
  const x = checkBits(v, 1, 'ror');
  const n = checkBits(places, 2, 'ror');
  return (x >>> n) | (x << -n);
}

function bswap(v: LuaValue): number {
  const x = checkBits(v, 1, 'bswap');
  return (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
}

/** Hexadecimal digits: as many as |digits| says, capital letters when it is negative. */
function tohex(x: LuaValue, digits: LuaValue): string {
  const bits = checkBits(x, 1, 'tohex') >>> 0;
  const count = toBits(optNumber(digits, 2, 'tohex', 8));
  const size = Math.min(Math.abs(count), 254);
  if (size === 0) return '';
  const text = bits.toString(16).padStart(size, '0').slice(-size);
  return count < 0 ? text.toUpperCase() : text;
}

const tobit = (x: LuaValue): number => checkBits(x, 1, 'tobit');
const bnot = (x: LuaValue): number => ~checkBits(x, 1, 'bnot');

Object.assign(intrinsics, {
  tobit,
  bnot,
  band,
  bor,
  bxor,
  lshift,
  rshift,
  arshift,
  rol,
  ror,
  bswap,
});

export const bit = luaModule('bit', {
  tobit,
  tohex,
  bnot,
  bswap,
  band,
  bor,
  bxor,
  lshift,
  rshift,
  arshift,
  rol,
  ror,
});
