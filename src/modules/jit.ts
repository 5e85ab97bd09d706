/**
 * `jit`, for programs that ask it: V8 compiles, and takes no orders. And what LuaJIT loads by `require` only.
 * `ffi` is not to be had: C can't be called from a place where no program may reach memory.
 */
import { luaError } from '../runtime/error.ts';
import { NONE, type Result } from '../runtime/value.ts';
import { luaModule } from './define.ts';

// Not imported: of a module of Node's all members are looked at, and `stdin` and the like change terminals.
const { arch, platform } = process;

const OS: Readonly<Record<string, string>> = {
  linux: 'Linux',
  darwin: 'OSX',
  win32: 'Windows',
  freebsd: 'BSD',
  openbsd: 'BSD',
};

const nothing = (): Result => NONE;

export const jit = luaModule('jit', {
  version: 'LuaJIT 2.1.0-perilune',
  version_num: 20100,
  os: OS[platform] ?? (platform === 'aix' || platform === 'sunos' ? 'POSIX' : 'Other'),
  arch: arch === 'ia32' ? 'x86' : arch,
  status: () => false,
  on: nothing,
  off: nothing,
  flush: nothing,
  attach: nothing,
  security: () => 0,
  opt: { start: nothing },
});

/** `require 'ffi'`. */
export function refuseFfi(): never {
  throw luaError(
    "module 'ffi' is not available: Perilune has no C interface; for bytes use byte_span, for the system the modules system, file and ip",
  );
}

/** `require 'jit.opt'`, `require 'table.new'`: members of the tables that every module has. */
export const MEMBERS: Readonly<Record<string, readonly [library: string, name: string]>> = {
  'jit.opt': ['jit', 'opt'],
  'table.new': ['table', 'new'],
  'table.clear': ['table', 'clear'],
};
