/** The base library. Lua 5.1 manual §5.1, with LuaJIT's `load`, `xpcall` arguments and `loadstring`. */
import { readFileSync } from 'node:fs';
import { displayName, type FunctionWithEnv, loadChunk } from '../actors/load.ts';
import { reasonOf } from '../actors/modules.ts';
import { currentVm } from '../actors/vm.ts';
import { enterScope, leaveScope } from '../fibers/scope.ts';
import { suspensionPoint } from '../fibers/suspend.ts';
import { call, firstThen, one, suspendIn, suspendProtected } from '../runtime/call.ts';
import {
  argError,
  checkFunction,
  checkInteger,
  checkString,
  checkTable,
  optInteger,
} from '../runtime/check.ts';
import {
  callHandler,
  LuaError,
  luaError,
  type SitePosition,
  stopIfUncaught,
  toLuaError,
  traceForError,
  typeName,
  where,
} from '../runtime/error.ts';
import {
  metaField,
  metamethod,
  metatableOf,
  ProxyUserdata,
  setMetatable,
} from '../runtime/metatable.ts';
import { parseNumber } from '../runtime/number.ts';
import { index, rawSetChecked, tostring } from '../runtime/ops.ts';
import { intrinsics, known, type NativeFrame, state } from '../runtime/state.ts';
import { LuaTable, nextEntry, rawGet, rawGetString, rawLength } from '../runtime/table.ts';
import {
  first,
  isSuspend,
  isTrue,
  type LuaFunction,
  type LuaValue,
  list,
  NONE,
  type Result,
  SUSPEND,
  Userdata,
} from '../runtime/value.ts';
import { collectgarbage, gcinfo, newproxy } from './base/collector.ts';
import { type Globals, getfenv, setfenv } from './base/environment.ts';
import { type MemberTable, PerVm } from './define.ts';

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────

/** `error`. Emitted code says where it calls it (`errorSite`), which spares looking at the stack. */
function error(message: LuaValue, level: LuaValue): never {
  const site = state.errorSite as { position: SitePosition } | undefined;
  state.errorSite = undefined;
  const at = optInteger(level, 2, 'error', 1);
  stopIfUncaught();
  const trace = traceForError();
  if ((typeof message !== 'string' && typeof message !== 'number') || at <= 0) {
    throw new LuaError(message, trace);
  }
  const position = at === 1 && site !== undefined ? at1(site.position) : where(at, trace);
  throw new LuaError(position + (tostring(message) as string), trace);
}
state.error = error;

const at1 = ({ script, line }: SitePosition): string => `${script.chunkName}:${line}: `;

/** `assert`: all its arguments back. What is raised is the message where it is a string or a number, else the last argument, as LuaJIT does. */
function assert(...args: LuaValue[]): Result {
  if (args.length === 0) argError(1, 'assert', 'value expected');
  if (isTrue(args[0])) return args.length === 1 ? args[0] : args;
  const message = args.length < 2 ? 'assertion failed!' : args[1];
  if (typeof message === 'string' || typeof message === 'number')
    throw luaError(tostring(message) as string);
  stopIfUncaught();
  throw new LuaError(args.at(-1), traceForError());
}

const succeed = (r: Result): Result => (Array.isArray(r) ? [true, ...r] : [true, r]);
const failWith = (thrown: unknown): Result => [false, toLuaError(thrown, false).value];

/** What a protected call comes to, once the scope that it opened has been closed. */
function pcall(...args: LuaValue[]): Result {
  if (args.length === 0) argError(1, 'pcall', 'value expected');
  suspensionPoint(true, false);
  const outer = enterScope();
  let r: Result;
  state.guards++;
  try {
    r = (call as (...a: LuaValue[]) => Result)(...args);
    state.guards--;
  } catch (thrown) {
    state.guards--;
    return leaveScope(outer, () => failWith(thrown));
  }
  if (isSuspend(r)) {
    return suspendProtected(
      (v) => leaveScope(outer, () => succeed(v)),
      (thrown) => leaveScope(outer, () => failWith(thrown)),
    );
  }
  return leaveScope(outer, () => succeed(r));
}

function xpcall(f: LuaValue, handler: LuaValue, ...args: LuaValue[]): Result {
  if (arguments.length === 0) argError(1, 'xpcall', 'value expected');
  checkFunction(handler, 2, 'xpcall');
  suspensionPoint(true, false);
  const outer = enterScope();
  const close = (r: Result): Result => leaveScope(outer, () => r);
  // The handler sees all as it was when the error was raised: cleanup comes after it.
  const fail = (thrown: unknown): Result => {
    const r = handled(handler, thrown);
    return r === SUSPEND ? suspendIn(close) : close(r);
  };
  const done = (v: Result): Result => leaveScope(outer, () => succeed(v));
  const { guards } = state;
  const restore = (): void => {
    state.guards = guards;
    state.tracers--;
  };
  let r: Result;
  state.guards = 0;
  state.tracers++;
  try {
    r = call(f, ...args);
    restore();
  } catch (thrown) {
    restore();
    return fail(thrown);
  }
  if (r !== SUSPEND) return done(r);
  suspendIn(done, fail);
  innermostFrame()[3] = true;
  return SUSPEND;
}

const innermostFrame = (): NativeFrame => state.pend.at(-1) as NativeFrame;

/** The handler's results; an error in it is LuaJIT's LUA_ERRERR. */
function handled(handler: LuaValue, thrown: unknown): Result {
  const { value, stack = [] } = toLuaError(thrown);
  const report = (r: Result): Result => [false, first(r)];
  const broken = (again: unknown): Result => {
    toLuaError(again);
    return [false, 'error in error handling'];
  };
  let r: Result;
  try {
    r = callHandler(stack, () => call(handler, value));
  } catch (again) {
    return broken(again);
  }
  if (r !== SUSPEND) return report(r);
  suspendIn(report, broken);
  innermostFrame()[3] = stack;
  return SUSPEND;
}

// ── tables and metatables ──────────────────────────────────────────────────────────────────────────

function getmetatable(v: LuaValue): Result {
  if (arguments.length === 0) argError(1, 'getmetatable', 'value expected');
  if (v instanceof Userdata && !(v instanceof ProxyUserdata)) return v.luaType.name;
  const meta = metatableOf(v);
  if (meta === undefined) return undefined;
  return metaField(meta, '__metatable') ?? meta;
}

function type(v: LuaValue): string {
  return v === undefined && arguments.length === 0
    ? argError(1, 'type', 'value expected')
    : typeName(v);
}

function setmetatable(t: LuaValue, meta: LuaValue): LuaValue {
  const table = checkTable(t, 1, 'setmetatable');
  if (meta === undefined ? arguments.length < 2 : !(meta instanceof LuaTable)) {
    argError(2, 'setmetatable', 'nil or table expected');
  }
  if (metamethod(table, '__metatable') !== undefined)
    throw luaError('cannot change a protected metatable');
  setMetatable(table, meta as LuaTable | undefined);
  return table;
}

function next(t: LuaValue, key: LuaValue): Result {
  try {
    return nextEntry(checkTable(t, 1, 'next'), key);
  } catch (fault) {
    if (fault instanceof RangeError) throw luaError(fault.message, 0);
    throw fault;
  }
}

/** `pairs`: a table's `__pairs` (LuaJIT's 5.2 mode) decides first. */
function pairs(t: LuaValue): Result {
  const handler = metamethod(t, '__pairs');
  if (handler !== undefined) {
    const three = (r: Result): Result => {
      const [f, s, c] = list(r);
      return [f, s, c];
    };
    const r = call(handler, t);
    return r === SUSPEND ? suspendIn(three) : three(r);
  }
  return [next, checkTable(t, 1, 'pairs'), undefined];
}

function ipairsStep(t: LuaValue, i: LuaValue): Result {
  const n = checkInteger(i, 2, 'ipairs') + 1;
  const v = rawGet(checkTable(t, 1, 'ipairs'), n);
  return v === undefined ? NONE : [n, v];
}

function ipairs(t: LuaValue): Result {
  if (arguments.length === 0) argError(1, 'ipairs', 'value expected');
  const handler = metamethod(t, '__ipairs');
  if (handler !== undefined) return call(handler, t);
  return [ipairsStep, checkTable(t, 1, 'ipairs'), 0];
}

known.next = next;
known.ipairsStep = ipairsStep;
Object.assign(intrinsics, { type, setmetatable });

function rawequal(a: LuaValue, b: LuaValue): boolean {
  const { length } = arguments;
  if (length < 2) argError(length + 1, 'rawequal', 'value expected');
  return a === b;
}

function rawget(t: LuaValue, k: LuaValue): LuaValue {
  const table = checkTable(t, 1, 'rawget');
  if (arguments.length < 2) argError(2, 'rawget', 'value expected');
  return rawGet(table, k);
}

function rawset(t: LuaValue, k: LuaValue, v: LuaValue): LuaValue {
  const { length } = arguments;
  const table = checkTable(t, 1, 'rawset');
  if (length < 3) argError(length + 1, 'rawset', 'value expected');
  if (k === undefined || k !== k)
    throw luaError(`table index is ${k === undefined ? 'nil' : 'NaN'}`, 0);
  rawSetChecked(table, k, v);
  return t;
}

// ── conversions ────────────────────────────────────────────────────────────────────────────────────

function tonumber(...args: LuaValue[]): LuaValue {
  if (args.length === 0) argError(1, 'tonumber', 'value expected');
  const [v, b] = args;
  const base = optInteger(b, 2, 'tonumber', 10);
  if (base === 10) {
    if (typeof v === 'number') return v;
    return typeof v === 'string' ? parseNumber(v) : undefined;
  }
  const text = checkString(v, 1, 'tonumber');
  if (base < 2 || base > 36) argError(2, 'tonumber', 'base out of range');
  return parseInBase(text, base);
}

/** Digits alone first; -1 where there is anything else. */
function parseDigits(text: string, base: number): number {
  const { length } = text;
  let n = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const digit = code <= 57 ? code - 48 : (code | 32) - 87;
    if (digit < 0 || digit >= base || (code > 57 && digit < 10)) return -1;
    n = n * base + digit;
  }
  return length === 0 ? -1 : n;
}

function parseInBase(text: string, base: number): number | undefined {
  const plain = parseDigits(text, base);
  return plain >= 0 ? plain : parseAnyInBase(text, base);
}

function parseAnyInBase(text: string, base: number): number | undefined {
  const m = /^[ \t\n\v\f\r]*([-+]?)([\da-zA-Z]+)[ \t\n\v\f\r]*$/.exec(text);
  if (m === null) return undefined;
  // Above base 33, `x` is a digit.
  const digits = base === 16 ? m[2]!.replace(/^0x(?=[\da-f])/i, '') : m[2]!;
  let n = 0;
  for (const c of digits.toLowerCase()) {
    const digit = Number.parseInt(c, 36);
    if (digit >= base) return undefined;
    n = n * base + digit;
  }
  return m[1] === '-' ? -n : n;
}

function select(n: LuaValue, ...args: LuaValue[]): Result {
  // Whatever follows it, as in Lua 5.1.
  if (typeof n === 'string' && n.startsWith('#')) return args.length;
  const at = checkInteger(n, 1, 'select');
  if (at < 0) {
    if (-at > args.length) argError(1, 'select', 'index out of range');
    return args.slice(at);
  }
  if (at === 0) argError(1, 'select', 'index out of range');
  return args.slice(at - 1);
}
state.select = select;

/** `tostring` of the base library; `print` asks whether the program has another. */
function tostringOf(...args: LuaValue[]): Result {
  return args.length === 0 ? argError(1, 'tostring', 'value expected') : tostring(args[0]);
}

/** `print`: at once, to the standard output, without suspending. */
function print({ table }: Globals, args: LuaValue[]): Result {
  const convert = rawGetString(table, 'tostring');
  if (convert !== undefined) return printAll(args, convert);
  return firstThen(index(table, 'tostring'), (inherited) => printAll(args, inherited));
}

function printAll(args: LuaValue[], convert: LuaValue): Result {
  const parts: string[] = [];
  const from = (start: number): Result => {
    for (let i = start; i < args.length; i++) {
      const v = args[i];
      let text: Result;
      if (convert !== tostringOf) text = one(call(convert, v));
      else text = typeof v === 'string' ? v : tostring(v);
      if (text === SUSPEND) {
        return suspendIn((r) => {
          parts.push(printable(first(r)));
          return from(i + 1);
        });
      }
      parts.push(printable(text));
    }
    currentVm().print(`${parts.join('\t')}\n`);
    return NONE;
  };
  return from(0);
}

function printable(text: LuaValue): string {
  if (typeof text === 'string') return text;
  if (typeof text === 'number') return tostring(text) as string;
  throw luaError("'tostring' must return a string to 'print'");
}

// ── chunks ─────────────────────────────────────────────────────────────────────────────────────────

const failed = (thrown: unknown): Result => [undefined, toLuaError(thrown).value];

interface ChunkOptions {
  mode: LuaValue;
  globals: Globals;
  /** Instead of the globals; only a table is taken. */
  env: LuaValue;
}

/** @throws LuaError  a syntax error; a binary chunk; the wrong mode */
function compileText(
  text: string,
  name: string,
  { mode, globals, env }: ChunkOptions,
): LuaFunction {
  const isBinary = text.startsWith('\x1b');
  if (typeof mode === 'string' && !mode.includes(isBinary ? 'b' : 't')) {
    throw new LuaError('attempt to load chunk with wrong mode');
  }
  if (isBinary) {
    const shown = name.startsWith('\x1b') ? '(binary)' : name.replace(/^[@=]/, '');
    throw new LuaError(`${shown}: cannot load incompatible bytecode`);
  }
  const main = loadChunk(text, displayName(name), globals.table) as FunctionWithEnv;
  if (env instanceof LuaTable) main.E = env;
  return main;
}

/** `load`, and `loadstring`: a string, or a function that gives pieces until it returns nil or ''. */
function load(
  globals: Globals,
  chunk: LuaValue,
  name: LuaValue,
  mode: LuaValue,
  env: LuaValue,
): Result {
  const given = name === undefined ? name : checkString(name, 2, 'load');
  const options = {
    mode: mode === undefined ? mode : checkString(mode, 3, 'load'),
    globals,
    env,
  };
  if (typeof chunk === 'string' || typeof chunk === 'number') {
    const text = checkString(chunk, 1, 'load');
    const title = given ?? text;
    return attempt(() => compileText(text, title, options));
  }
  checkFunction(chunk, 1, 'load');
  const title = given ?? '=(load)';
  const pieces: string[] = [];
  /** The result, or undefined while there is more. */
  const take = (piece: LuaValue): Result => {
    if (piece === undefined || piece === '')
      return attempt(() => compileText(pieces.join(''), title, options));
    if (typeof piece !== 'string' && typeof piece !== 'number')
      return [undefined, 'reader function must return a string'];
    pieces.push(checkString(piece, 1, 'load'));
    return undefined;
  };
  const more = (): Result => {
    for (;;) {
      let piece: Result;
      try {
        piece = call(chunk);
      } catch (thrown) {
        return failed(thrown);
      }
      if (piece === SUSPEND) return suspendProtected((r) => take(first(r)) ?? more(), failed);
      const end = take(first(piece));
      if (end !== undefined) return end;
    }
  };
  return more();
}

function attempt(f: () => LuaFunction): Result {
  try {
    return f();
  } catch (thrown) {
    return failed(thrown);
  }
}

function compileFile(path: string, options: ChunkOptions): LuaFunction {
  let text: string;
  try {
    text = readFileSync(Buffer.from(path, 'latin1'), 'latin1');
  } catch (fault) {
    throw new LuaError(`cannot open ${path}: ${reasonOf(fault)}`);
  }
  return compileText(text, `@${path}`, options);
}

function loadfile(globals: Globals, file: LuaValue, mode: LuaValue, env: LuaValue): Result {
  const path = checkString(file, 1, 'loadfile');
  const options = {
    mode: mode === undefined ? mode : checkString(mode, 2, 'loadfile'),
    globals,
    env,
  };
  return attempt(() => compileFile(path, options));
}

const dofile = (globals: Globals, file: LuaValue): Result =>
  call(compileFile(checkString(file, 1, 'dofile'), { mode: undefined, globals, env: undefined }));

// ── the table of names ─────────────────────────────────────────────────────────────────────────────

/** Those that ask for the globals of a module, which has its own of each. */
function ownFunctions(globals: Globals) {
  return {
    dofile: (file: LuaValue) => dofile(globals, file),
    getfenv: (f: LuaValue) => getfenv(globals, f),
    load: (chunk: LuaValue, name: LuaValue, mode: LuaValue, env: LuaValue) =>
      load(globals, chunk, name, mode, env),
    loadfile: (file: LuaValue, mode: LuaValue, env: LuaValue) => loadfile(globals, file, mode, env),
    loadstring: (chunk: LuaValue, name: LuaValue, mode: LuaValue, env: LuaValue) =>
      load(globals, chunk, name, mode, env),
    print: (...args: LuaValue[]) => print(globals, args),
    setfenv: (f: LuaValue, table: LuaValue) => setfenv(globals, f, table),
  } satisfies Record<string, LuaFunction>;
}

/** What the globals of a module are made with. */
export class NewModule {
  readonly globals: Globals;
  readonly functions: ReturnType<typeof ownFunctions>;
  constructor(globals: Globals) {
    this.globals = globals;
    this.functions = ownFunctions(globals);
  }
}

const own = (name: keyof NewModule['functions']): PerVm =>
  new PerVm(({ functions }: NewModule) => functions[name]);

export const baseFunctions: MemberTable = {
  assert,
  collectgarbage,
  dofile: own('dofile'),
  error,
  gcinfo,
  getfenv: own('getfenv'),
  getmetatable,
  ipairs,
  load: own('load'),
  loadfile: own('loadfile'),
  loadstring: own('loadstring'),
  newproxy,
  next,
  pairs,
  pcall,
  print: own('print'),
  rawequal,
  rawget,
  rawlen: (v: LuaValue) =>
    typeof v === 'string' ? v.length : rawLength(checkTable(v, 1, 'rawlen')),
  rawset,
  select,
  setfenv: own('setfenv'),
  setmetatable,
  tonumber,
  tostring: tostringOf,
  type,
  xpcall,
  _VERSION: 'Lua 5.1',
};
