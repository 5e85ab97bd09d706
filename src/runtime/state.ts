/** What the running program is at: one thread of JavaScript runs one Lua thread at a time. */
import type { LuaTable } from './table.ts';
import type { LuaFunction, LuaValue } from './value.ts';

/** A saved frame: its site (which knows how to go on), the globals of its chunk, then the values that it lives on. */
export type Frame = [site: FrameSite, env: LuaTable, ...live: LuaValue[]] | NativeFrame;

export interface FrameSite {
  /** Of emitted code: the first value that its frames live on is the function, which uses globals. */
  readonly savesFunction?: boolean;
  /** What is left of an operator: no function, for Lua. */
  readonly isOperator?: boolean;
  /** Go on with the raw result of the call that was suspended. */
  resume(value: unknown, frame: Frame): unknown;
}

/** A suspended function of the runtime. */
export type NativeFrame = [
  site: FrameSite,
  resume: (value: unknown) => unknown,
  fail: ((error: unknown) => unknown) | undefined,
  /**
   * Who keeps errors: `xpcall` wants their traceback (true), `pcall` doesn't ('caught'); a handler that `xpcall`
   * calls has the frames where the error was raised. Those of a cleanup handler nobody catches ('cleanup'). All others
   * pass errors on.
   */
  trace?: true | 'caught' | 'cleanup' | object,
];

interface StringMeta {
  /**
   * Of the VM that runs: what strings are indexed by. There is no such field before the first VM runs: as long as
   * it has got one value only, V8 takes that for a constant, and `s:byte(i)` for a known function.
   */
  stringMeta?: LuaTable | undefined;
}

const begin = {
  /** Frames that are saving themselves, innermost first, while SUSPEND travels outwards. */
  pend: [] as Frame[],
  /** Counts tail calls down: at 0 one unwinds the stack (`TAIL`) instead of nesting. */
  tailBudget: 128,
  tailFn: undefined as LuaValue,
  tailArgs: [] as LuaValue[],
  /** How many arguments the runtime gave to the function that it called last. */
  argCount: 0,
  /** The suspension in flight wants to go on at once (the suspend-at-every-call mode). */
  immediate: false,
  /** Every call suspends and resumes once. */
  suspendAll: false,
  /** Set by emitted code before it calls something named `spawn`: where that is. */
  spawnSite: undefined as FrameSite | undefined,
  /** The same of the base library's `error`, which is: */
  errorSite: undefined as FrameSite | undefined,
  error: undefined as LuaFunction | undefined,
  select: undefined as LuaFunction | undefined,
  /** Protected calls that are on the JavaScript stack. */
  guards: 0,
  /** Calls of `xpcall` there; `guards` counts those inside the innermost of them. */
  tracers: 0,
  /** Cleanup handlers there; the other two count those inside the innermost of them. */
  cleanups: 0,
  /** The Lua thread that runs. */
  thread: undefined as any,
};

export const state: typeof begin & StringMeta = begin;

export const TAIL_BUDGET = 128;

/** Functions that emitted code treats specially when it meets them. */
export const known: { next: LuaFunction | undefined; ipairsStep: LuaFunction | undefined } = {
  next: undefined,
  ipairsStep: undefined,
};

const missing = (): undefined => undefined;

/**
 * Functions of the libraries that emitted code runs itself (compiler/intrinsics.ts), or knows something of
 * (compiler/library.ts): their modules set them.
 */
export const intrinsics: Record<string, LuaFunction> = {
  asin: missing,
  acos: missing,
  atan: missing,
  atan2: missing,
  tan: missing,
  exp: missing,
  log: missing,
  pow: missing,
  fmod: missing,
  rol: missing,
  ror: missing,
  bswap: missing,
  char: missing,
  len: missing,
  floor: missing,
  ceil: missing,
  sqrt: missing,
  abs: missing,
  sin: missing,
  cos: missing,
  max: missing,
  min: missing,
  tobit: missing,
  bnot: missing,
  band: missing,
  bor: missing,
  bxor: missing,
  lshift: missing,
  rshift: missing,
  arshift: missing,
  byte: missing,
  sub: missing,
  type: missing,
  setmetatable: missing,
};
