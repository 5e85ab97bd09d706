/** The base library. Lua 5.1 manual §5.1, with LuaJIT's `load`, `xpcall` arguments and `loadstring`. */
import { readFileSync } from 'node:fs';
import { displayName, type FunctionWithEnv, loadChunk } from '../actors/load.ts';
import { currentVm } from '../actors/vm.ts';
import { enterScope, leaveScope } from '../fibers/scope.ts';
import { suspensionPoint } from '../fibers/suspend.ts';
import { call, firstThen, suspendIn } from '../runtime/call.ts';
import {
  argError,
  argTypeError,
  checkFunction,
  checkInteger,
  checkNumber,
  checkString,
  checkTable,
  optInteger,
} from '../runtime/check.ts';
import {
  LuaError,
  luaError,
  type SitePosition,
  toLuaError,
  traceForError,
  typeName,
  where,
} from '../runtime/error.ts';
import { metaField, metamethod, metatableOf, setMetatable } from '../runtime/metatable.ts';
import { parseNumber } from '../runtime/number.ts';
import { rawSetChecked, tostring } from '../runtime/ops.ts';
import { known, state } from '../runtime/state.ts';
import { LuaTable, nextEntry, rawGet, rawLength } from '../runtime/table.ts';
import {
  first,
  isTrue,
  type LuaFunction,
  type LuaValue,
  list,
  NONE,
  type Result,
  SUSPEND,
  Userdata,
} from '../runtime/value.ts';
import type { MemberTable } from './define.ts';

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────

/** `error`. Emitted code says where it calls it (`errorSite`), which spares looking at the stack. */
function error(message: LuaValue, level: LuaValue): never {
  const site = state.errorSite as { position: SitePosition } | undefined;
  state.errorSite = undefined;
  const at = optInteger(level, 2, 'error', 1);
  const trace = traceForError();
  if ((typeof message !== 'string' && typeof message !== 'number') || at <= 0) {
    throw new LuaError(message, trace);
  }
  const position = at === 1 && site !== undefined ? at1(site.position) : where(at);
  throw new LuaError(position + (tostring(message) as string), trace);
}
state.error = error;

const at1 = ({ script, line }: SitePosition): string => `${script.chunkName}:${line}: `;

/** `assert`: all its arguments back. */
function assert(...args: LuaValue[]): Result {
  if (args.length === 0) argError(1, 'assert', 'value expected');
  if (isTrue(args[0])) return args.length === 1 ? args[0] : args;
  if (args.length < 2) throw luaError('assertion failed!', 0);
  throw new LuaError(args[1], traceForError());
}

const succeed = (r: Result): Result => (Array.isArray(r) ? [true, ...r] : [true, r]);
const failWith = (thrown: unknown): Result => [false, toLuaError(thrown).value];

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
  if (r === SUSPEND) {
    return suspendIn(
      (v) => leaveScope(outer, () => succeed(v)),
      (thrown) => leaveScope(outer, () => failWith(thrown)),
    );
  }
  return leaveScope(outer, () => succeed(r));
}

function xpcall(f: LuaValue, handler: LuaValue, ...args: LuaValue[]): Result {
  checkFunction(handler, 2, 'xpcall');
  suspensionPoint(true, false);
  const outer = enterScope();
  const fail = (thrown: unknown): Result => leaveScope(outer, () => handled(handler, thrown));
  const done = (v: Result): Result => leaveScope(outer, () => succeed(v));
  let r: Result;
  state.guards++;
  try {
    r = call(f, ...args);
    state.guards--;
  } catch (thrown) {
    state.guards--;
    return fail(thrown);
  }
  return r === SUSPEND ? suspendIn(done, fail) : done(r);
}

/** The handler's results; an error in it is LuaJIT's LUA_ERRERR. */
function handled(handler: LuaValue, thrown: unknown): Result {
  const { value } = toLuaError(thrown);
  const report = (r: Result): Result => [false, ...list(r)];
  const broken = (again: unknown): Result => {
    toLuaError(again);
    return [false, 'error in error handling'];
  };
  let r: Result;
  try {
    r = call(handler, value);
  } catch (again) {
    return broken(again);
  }
  return r === SUSPEND ? suspendIn(report, broken) : report(r);
}

// ── tables and metatables ──────────────────────────────────────────────────────────────────────────

function getmetatable(v: LuaValue): Result {
  if (v instanceof Userdata) return v.luaType.name;
  const meta = metatableOf(v);
  if (meta === undefined) return undefined;
  return metaField(meta, '__metatable') ?? meta;
}

function setmetatable(t: LuaValue, meta: LuaValue, ...rest: LuaValue[]): LuaValue {
  const table = checkTable(t, 1, 'setmetatable');
  if (meta !== undefined && !(meta instanceof LuaTable)) {
    argTypeError(meta, 2, 'setmetatable', 'nil or table');
  }
  void rest;
  if (metamethod(table, '__metatable') !== undefined)
    throw luaError('cannot change a protected metatable');
  setMetatable(table, meta);
  return table;
}

function next(t: LuaValue, key: LuaValue): Result {
  try {
    return nextEntry(checkTable(t, 1, 'next'), key);
  } catch (fault) {
    if (fault instanceof RangeError) throw luaError(fault.message);
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
  const handler = metamethod(t, '__ipairs');
  if (handler !== undefined) return call(handler, t);
  return [ipairsStep, checkTable(t, 1, 'ipairs'), 0];
}

known.next = next;
known.ipairsStep = ipairsStep;

function rawset(t: LuaValue, k: LuaValue, v: LuaValue): LuaValue {
  rawSetChecked(checkTable(t, 1, 'rawset'), k, v);
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
  if (base < 2 || base > 36) argError(2, 'tonumber', 'base out of range');
  return parseInBase(checkString(v, 1, 'tonumber'), base);
}

function parseInBase(text: string, base: number): number | undefined {
  const m =
    /^[ \t\n\v\f\r]*(-?)(?:0[xX](?=[\da-fA-F]))?([\da-zA-Z]+)[ \t\n\v\f\r]*$/.exec(
      base === 16 ? text : text.replace(/^(\s*-?)0[xX]/, '$1!'),
    ) ??
    (base === 34 || base > 33
      ? /^[ \t\n\v\f\r]*(-?)([\da-zA-Z]+)[ \t\n\v\f\r]*$/.exec(text)
      : null);
  if (m === null) return undefined;
  let n = 0;
  for (const c of m[2]!.toLowerCase()) {
    const digit = Number.parseInt(c, 36);
    if (digit >= base) return undefined;
    n = n * base + digit;
  }
  return m[1] === '-' ? -n : n;
}

function select(n: LuaValue, ...args: LuaValue[]): Result {
  if (n === '#') return args.length;
  const at = checkInteger(n, 1, 'select');
  if (at < 0) {
    if (-at > args.length) argError(1, 'select', 'index out of range');
    return args.slice(at);
  }
  if (at === 0) argError(1, 'select', 'index out of range');
  return args.slice(at - 1);
}

/** `print`: at once, to the standard output, without suspending. */
function print(...args: LuaValue[]): Result {
  const parts: string[] = [];
  const from = (start: number): Result => {
    for (let i = start; i < args.length; i++) {
      const v = args[i];
      const text = typeof v === 'string' ? v : tostring(v);
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

// ── chunks and environments ────────────────────────────────────────────────────────────────────────

const failed = (thrown: unknown): Result => [undefined, toLuaError(thrown).value];

function compileText(text: string, name: string, mode: LuaValue, env: LuaTable): Result {
  const wanted = mode === undefined ? 'bt' : checkString(mode, 3, 'load');
  if (text.startsWith('\x1b') ? !wanted.includes('b') : !wanted.includes('t')) {
    const kind = text.startsWith('\x1b') ? 'binary' : 'text';
    return [
      undefined,
      `attempt to load chunk with wrong mode`.replace('chunk', kind === 'text' ? 'chunk' : 'chunk'),
    ];
  }
  try {
    return loadChunk(text, displayName(name), env);
  } catch (thrown) {
    return failed(thrown);
  }
}

/** `load`: a string, or a function that gives pieces until it returns nil or ''. */
function load(env: LuaTable): LuaFunction {
  return (chunk: LuaValue, ...rest: LuaValue[]) => {
    const [name, mode] = rest;
    const globals = rest.length >= 3 ? (rest[2] as LuaTable) : env;
    if (typeof chunk === 'string') {
      return compileText(
        chunk,
        name === undefined ? chunk : checkString(name, 2, 'load'),
        mode,
        globals,
      );
    }
    if (typeof chunk !== 'function') argTypeError(chunk, 1, 'load', 'function');
    const title = name === undefined ? '=(load)' : checkString(name, 2, 'load');
    const pieces: string[] = [];
    const more = (): Result => {
      for (;;) {
        let piece: Result;
        try {
          piece = call(chunk);
        } catch (thrown) {
          return failed(thrown);
        }
        if (piece === SUSPEND) return suspendIn((r) => take(first(r)) ?? more(), failed);
        const end = take(first(piece));
        if (end !== undefined) return end;
      }
    };
    const take = (piece: LuaValue): Result => {
      if (piece === undefined || piece === '')
        return compileText(pieces.join(''), title, mode, globals);
      if (typeof piece !== 'string') return [undefined, 'reader function must return a string'];
      pieces.push(piece);
      return undefined;
    };
    return more();
  };
}

function loadstring(env: LuaTable): LuaFunction {
  return (text, name) => {
    const source = checkString(text, 1, 'loadstring');
    return compileText(
      source,
      name === undefined ? source : checkString(name, 2, 'loadstring'),
      undefined,
      env,
    );
  };
}

function readChunk(file: LuaValue, fn: string): { text: string; name: string } {
  const path = checkString(file, 1, fn);
  try {
    return { text: readFileSync(Buffer.from(path, 'latin1'), 'latin1'), name: `@${path}` };
  } catch (fault) {
    const reason = /ENOENT/.test(String(fault))
      ? 'No such file or directory'
      : /EISDIR/.test(String(fault))
        ? 'Is a directory'
        : /EACCES/.test(String(fault))
          ? 'Permission denied'
          : 'read error';
    throw new LuaError(`cannot open ${path}: ${reason}`);
  }
}

function loadfile(env: LuaTable): LuaFunction {
  return (file, mode, globals) => {
    try {
      const { text, name } = readChunk(file, 'loadfile');
      return compileText(text, name, mode, globals instanceof LuaTable ? globals : env);
    } catch (thrown) {
      return failed(thrown);
    }
  };
}

function dofile(env: LuaTable): LuaFunction {
  return (file) => {
    const { text, name } = readChunk(file, 'dofile');
    return call(loadChunk(text, displayName(name), env));
  };
}

/** The function that `setfenv` and `getfenv` mean: itself, or a level that only emitted code has. */
function setfenv(env: LuaTable): LuaFunction {
  return (f, table) => {
    const t = checkTable(table, 2, 'setfenv');
    if (typeof f === 'function') {
      if (!isLuaFunction(f)) throw luaError("'setfenv' cannot change environment of given object");
      (f as FunctionWithEnv).E = t;
      return f;
    }
    const level = checkNumber(f, 1, 'setfenv');
    void env;
    throw luaError(
      level === 0
        ? "'setfenv' cannot change environment of given object"
        : 'setfenv by level is not supported: pass the function',
    );
  };
}

function getfenv(env: LuaTable): LuaFunction {
  return (f) => {
    if (typeof f === 'function') return (f as FunctionWithEnv).E ?? env;
    const level = optInteger(f, 1, 'getfenv', 1);
    if (level < 0) argError(1, 'getfenv', 'level must be non-negative');
    return env;
  };
}

const isLuaFunction = (f: LuaFunction): boolean => /\$f\d+$/.test(f.name);

// ── the collector ──────────────────────────────────────────────────────────────────────────────────

function collectgarbage(option: LuaValue, argument: LuaValue): Result {
  const what = option === undefined ? 'collect' : checkString(option, 1, 'collectgarbage');
  void argument;
  switch (what) {
    case 'collect':
    case 'step':
      currentVm().collect();
      return what === 'step' ? true : 0;
    case 'count':
      return process.memoryUsage().heapUsed / 1024;
    case 'stop':
    case 'restart':
      return 0;
    case 'setpause':
    case 'setstepmul':
      return 200;
    case 'isrunning':
      return true;
    default:
      return argError(1, 'collectgarbage', `invalid option '${what}'`);
  }
}

/** `newproxy`: a userdata whose metatable, if any, is a table of its own. */
class Proxy extends Userdata {
  meta: LuaTable | undefined;
  constructor(meta: LuaTable | undefined) {
    super();
    this.meta = meta;
  }
}
Object.defineProperty(Proxy.prototype, 'luaType', {
  get(this: Proxy) {
    return proxyType(this);
  },
});

function proxyType(proxy: Proxy): Userdata['luaType'] {
  const { meta } = proxy;
  const handler = (
    event: '__index' | '__newindex' | '__call' | '__len' | '__tostring',
  ): LuaValue => (meta === undefined ? undefined : metaField(meta, event));
  return {
    name: meta === undefined ? undefined : (metaField(meta, '__metatable') ?? meta),
    index(self, key) {
      const h = handler('__index');
      if (typeof h === 'function') return call(h, self, key);
      if (h instanceof LuaTable) return rawGet(h, key);
      throw luaError('attempt to index a userdata value');
    },
    setIndex(self, key, value) {
      const h = handler('__newindex');
      if (typeof h === 'function') return call(h, self, key, value);
      throw luaError('attempt to index a userdata value');
    },
    length:
      handler('__len') === undefined
        ? undefined
        : (self) => firstThen(call(handler('__len'), self), (v) => v),
    tostring:
      handler('__tostring') === undefined
        ? undefined
        : (self) => firstThen(call(handler('__tostring'), self), (v) => v),
    call:
      handler('__call') === undefined
        ? undefined
        : (self, ...args) => call(handler('__call'), self, ...args),
  };
}

function newproxy(v: LuaValue): Result {
  if (v instanceof Proxy) return new Proxy(v.meta);
  if (v === true) return new Proxy(new LuaTable());
  if (v === undefined || v === false) return new Proxy(undefined);
  return argTypeError(v, 1, 'newproxy', 'boolean or proxy');
}

// ── the table of names ─────────────────────────────────────────────────────────────────────────────

/** The base functions of one module, whose globals are `env`. */
export function baseFunctions(env: LuaTable): MemberTable {
  return {
    assert,
    collectgarbage,
    dofile: dofile(env),
    error,
    getfenv: getfenv(env),
    getmetatable,
    ipairs,
    load: load(env),
    loadfile: loadfile(env),
    loadstring: loadstring(env),
    newproxy,
    next,
    pairs,
    pcall,
    print,
    rawequal: (a: LuaValue, b: LuaValue) => a === b,
    rawget: (t: LuaValue, k: LuaValue) => rawGet(checkTable(t, 1, 'rawget'), k),
    rawlen: (v: LuaValue) =>
      typeof v === 'string' ? v.length : rawLength(checkTable(v, 1, 'rawlen')),
    rawset,
    select,
    setfenv: setfenv(env),
    setmetatable,
    tonumber,
    tostring: (...args: LuaValue[]) =>
      args.length === 0 ? argError(1, 'tostring', 'value expected') : tostring(args[0]),
    type: (...args: LuaValue[]) =>
      args.length === 0 ? argError(1, 'type', 'value expected') : typeName(args[0]),
    xpcall,
    _VERSION: 'Lua 5.1',
  };
}
