/**
 * What a Lua test suite expects and Perilune leaves out by design: `io`, `os`, `debug`, `package`,
 * `require` with searchers, `module`. Only the conformance harness has it, and only as much as suites use.
 */
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { displayName, type FunctionWithEnv, loadChunk } from '../../src/actors/load.ts';
import { currentVm, type Library, type Vm } from '../../src/actors/vm.ts';
import { setThreadGlobals } from '../../src/modules/base/environment.ts';
import { luaModule, luaType } from '../../src/modules/define.ts';
import { callThen } from '../../src/runtime/call.ts';
import { argError, checkInteger, checkString, optString } from '../../src/runtime/check.ts';
import { LuaThread } from '../../src/runtime/coroutine.ts';
import {
  formatTrace,
  type LogicalFrame,
  LuaError,
  luaError,
  luaStack,
  scriptNamed,
  toLuaError,
} from '../../src/runtime/error.ts';
import { metatableOf, setMetatable } from '../../src/runtime/metatable.ts';
import { parseNumber } from '../../src/runtime/number.ts';
import { addressOf } from '../../src/runtime/ops.ts';
import { state } from '../../src/runtime/state.ts';
import {
  arrayOf,
  LuaTable,
  rawGet,
  rawGetString,
  rawSet,
  setField,
  tableOf,
} from '../../src/runtime/table.ts';
import {
  first,
  isTrue,
  type LuaFunction,
  type LuaValue,
  NONE,
  type Result,
  results,
  Userdata,
} from '../../src/runtime/value.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const reason = (fault: unknown, path: string): Result => {
  const { code, errno } = fault as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ENOENT: 'No such file or directory',
    EISDIR: 'Is a directory',
    EACCES: 'Permission denied',
    EBADF: 'Bad file descriptor',
  };
  return [undefined, `${path}: ${words[code ?? ''] ?? code ?? 'error'}`, -(errno ?? 0)];
};

// ── io ─────────────────────────────────────────────────────────────────────────────────────────────

class File extends Userdata {
  readonly name: string;
  fd: number;
  open = true;
  at = 0;
  private text = '';
  private atEnd = false;
  constructor(name: string, fd: number) {
    super();
    this.name = name;
    this.fd = fd;
  }
  /** More bytes in `text`, or false at the end. */
  private fill(): boolean {
    const buffer = Buffer.alloc(65536);
    const n = this.atEnd ? 0 : readSync(this.fd, buffer);
    this.atEnd = n === 0;
    this.text += buffer.toString('latin1', 0, n);
    return n > 0;
  }
  private take(n: number): string {
    const taken = this.text.slice(0, n);
    this.text = this.text.slice(n);
    return taken;
  }
  line(): LuaValue {
    let end: number;
    while ((end = this.text.indexOf('\n')) < 0 && this.fill());
    if (end < 0) return this.text === '' ? undefined : this.take(this.text.length);
    return this.take(end + 1).slice(0, -1);
  }
  readOne(format: LuaValue): LuaValue {
    if (typeof format === 'number') {
      while (this.text.length < Math.max(format, 1) && this.fill());
      if (this.text === '') return undefined;
      return this.take(format);
    }
    switch (checkString(format, 1, 'read').replace('*', '')[0]) {
      case 'l':
        return this.line();
      case 'L': {
        const line = this.line();
        return typeof line === 'string' ? `${line}\n` : line;
      }
      case 'a':
        while (this.fill());
        return this.take(this.text.length);
      case 'n': {
        while (this.fill());
        const m = /^\s*([-+]?(?:0[xX][\da-fA-F.]+|[\d.]+(?:[eE][-+]?\d+)?))/.exec(this.text);
        this.take(m?.[0].length ?? 0);
        return m === null ? undefined : parseNumber(m[1]!);
      }
      default:
        return argError(1, 'read', 'invalid format');
    }
  }
  write(text: string): void {
    this.drop();
    const data = bytes(text);
    if (this.fd === 1 || this.fd === 2) currentVm().print(text);
    else for (let n = 0; n < data.length; ) n += writeSync(this.fd, data, n);
  }
  /** What has been read ahead. */
  drop(): void {
    this.text = '';
    this.atEnd = false;
  }
}

const usable = (file: File): File => {
  if (!file.open) throw luaError('attempt to use a closed file');
  return file;
};

function readFrom(file: File, formats: LuaValue[]): Result {
  const values: LuaValue[] = [];
  try {
    for (const format of formats.length === 0 ? ['*l'] : formats) {
      values.push(usable(file).readOne(format));
      if (values.at(-1) === undefined) break;
    }
  } catch (fault) {
    if (fault instanceof LuaError) throw fault;
    return reason(fault, file.name);
  }
  return results(values);
}

function writeTo(file: File, values: LuaValue[]): Result {
  usable(file);
  try {
    values.forEach((v, i) => {
      file.write(checkString(v, i + 1, 'write'));
    });
  } catch (fault) {
    if (fault instanceof LuaError) throw fault;
    return reason(fault, file.name);
  }
  return true;
}

function closeFile(file: File): Result {
  usable(file);
  file.open = false;
  if (file.fd > 2) closeSync(file.fd);
  return true;
}

function linesOf(file: File, closes: boolean): LuaFunction {
  return () => {
    if (!file.open) throw luaError('file is already closed');
    const line = file.line();
    if (line === undefined && closes) closeFile(file);
    return line;
  };
}

luaType('FILE*', File, {
  methods: {
    read: (self, ...formats) => readFrom(self, formats),
    write: (self, ...values) => writeTo(self, values),
    lines: (self) => linesOf(usable(self), false),
    close: closeFile,
    flush: (self) => usable(self).open,
    setvbuf: (self) => usable(self).open,
    seek(self, whence, offset) {
      self.drop();
      void whence;
      void offset;
      return fstatSync(self.fd).size;
    },
  },
  tostring: (self) => (self.open ? `file (${addressOf(self)})` : 'file (closed)'),
});

function openFile(name: LuaValue, mode: LuaValue): Result {
  const path = checkString(name, 1, 'open');
  try {
    return new File(path, openSync(bytes(path), optString(mode, 2, 'open', 'r').replace('b', '')));
  } catch (fault) {
    return reason(fault, path);
  }
}

const standard = {
  stdin: new File('stdin', 0),
  stdout: new File('stdout', 1),
  stderr: new File('stderr', 2),
};
let input: File = standard.stdin;
let output: File = standard.stdout;

function redirect(mode: string, get: () => File, set: (file: File) => void): LuaFunction {
  return (file) => {
    if (file === undefined) return get();
    const opened = file instanceof File ? file : openFile(file, mode);
    if (!(opened instanceof File)) throw luaError((opened as string[])[1]!);
    set(opened);
    return opened;
  };
}

const io = luaModule('io', {
  flush: () => usable(output).open,
  popen: () => [undefined, "'popen' not supported"],
  open: openFile,
  close: (file: LuaValue) => closeFile(file instanceof File ? file : output),
  read: (...formats: LuaValue[]) => readFrom(input, formats),
  write: (...values: LuaValue[]) => writeTo(output, values),
  lines(name: LuaValue) {
    if (name === undefined) return linesOf(input, false);
    const file = openFile(name, 'r');
    if (!(file instanceof File)) throw luaError((file as string[])[1]!);
    return linesOf(file, true);
  },
  input: redirect(
    'r',
    () => input,
    (file) => (input = file),
  ),
  output: redirect(
    'w',
    () => output,
    (file) => (output = file),
  ),
  type: (v: LuaValue) => (v instanceof File ? (v.open ? 'file' : 'closed file') : undefined),
  tmpfile: () => openFile(temporaryName(), 'w+'),
  ...standard,
});

// ── os ─────────────────────────────────────────────────────────────────────────────────────────────

let temporary: string | undefined;
let temporaries = 0;
function temporaryName(): string {
  if (temporary === undefined) {
    temporary = mkdtempSync(join(tmpdir(), 'perilune-conformance-'));
    process.on('exit', () => rmSync(temporary!, { recursive: true, force: true }));
  }
  return join(temporary, `lua_${++temporaries}`);
}

function attempt(path: string, f: () => void): Result {
  try {
    f();
    return true;
  } catch (fault) {
    return reason(fault, path);
  }
}

function date(format: LuaValue, time: LuaValue): Result {
  const text = optString(format, 1, 'date', '%c');
  const when = new Date(time === undefined ? Date.now() : checkInteger(time, 2, 'date') * 1000);
  if (text.replace('!', '').startsWith('*t')) {
    return tableOf({
      year: when.getFullYear(),
      month: when.getMonth() + 1,
      day: when.getDate(),
      hour: when.getHours(),
      min: when.getMinutes(),
      sec: when.getSeconds(),
      wday: when.getDay() + 1,
      isdst: false,
      yday: Math.floor(
        (Date.UTC(when.getFullYear(), when.getMonth(), when.getDate()) -
          Date.UTC(when.getFullYear(), 0, 0)) /
          864e5,
      ),
    });
  }
  const pad = (n: number): string => String(n).padStart(2, '0');
  const parts: Record<string, string> = {
    Y: String(when.getFullYear()),
    m: pad(when.getMonth() + 1),
    d: pad(when.getDate()),
    H: pad(when.getHours()),
    M: pad(when.getMinutes()),
    S: pad(when.getSeconds()),
    '%': '%',
  };
  return text.replace(/%(.)/g, (_, c: string) => parts[c] ?? when.toISOString());
}

function time(t: LuaValue): LuaValue {
  if (!(t instanceof LuaTable)) return Math.floor(Date.now() / 1000);
  const [year, month, day, hour, min, sec] = ['year', 'month', 'day', 'hour', 'min', 'sec'].map(
    (name) => {
      const v = rawGetString(t, name);
      if (v === undefined && /year|month|day/.test(name))
        throw luaError(`field '${name}' missing in date table`);
      return v === undefined ? (name === 'hour' ? 12 : 0) : Number(v);
    },
  ) as [number, number, number, number, number, number];
  return new Date(year, month - 1, day, hour, min, sec).getTime() / 1000;
}

const os = luaModule('os', {
  clock: () => process.cpuUsage().user / 1e6,
  date,
  difftime: (a: LuaValue, b: LuaValue) => Number(a) - Number(b),
  execute: () => 0,
  exit: (code: LuaValue) => process.exit(typeof code === 'number' ? code : 0),
  getenv: (name: LuaValue) => process.env[checkString(name, 1, 'getenv')],
  remove: (name: LuaValue) =>
    attempt(String(name), () => unlinkSync(bytes(checkString(name, 1, 'remove')))),
  rename: (from: LuaValue, to: LuaValue) =>
    attempt(String(from), () => renameSync(bytes(String(from)), bytes(String(to)))),
  setlocale: (name: LuaValue) =>
    name === undefined || name === 'C' || name === '' ? 'C' : undefined,
  time,
  tmpname: temporaryName,
});

// ── debug ──────────────────────────────────────────────────────────────────────────────────────────

/** The text of the script that a function is in: only V8 knows. */
let sourceText: ((f: LuaFunction) => string) | undefined;
function sourceOf(f: LuaFunction): string {
  if (sourceText === undefined) {
    setFlagsFromString('--allow-natives-syntax');
    sourceText = new Function('f', 'return %FunctionGetScriptSource(f)') as (
      f: LuaFunction,
    ) => string;
  }
  return sourceText(f);
}

/** `global 'f'` → the parts of a name, where the caller is at a call. */
function nameFrom(caller: LogicalFrame | undefined): { name?: string; namewhat: string } {
  const [name, call] = caller?.names ?? [];
  const m = call?.startsWith('call ') ? /^(\w+) '(.*)'$/.exec(name ?? '') : null;
  return m === null ? { namewhat: '' } : { namewhat: m[1]!, name: m[2]! };
}

function describe(frame: LogicalFrame, caller: LogicalFrame | undefined): LuaTable {
  if (frame.script === undefined) {
    return tableOf({
      what: 'C',
      source: '=[C]',
      short_src: '[C]',
      currentline: -1,
      linedefined: -1,
      ...nameFrom(caller),
    });
  }
  const { chunkName } = frame.script;
  const fn = frame.script.functions[frame.functionIndex];
  return tableOf({
    what: fn === undefined || fn.line === 0 ? 'main' : 'Lua',
    source: `@${chunkName}`,
    short_src: chunkName,
    currentline: frame.line,
    linedefined: fn?.line ?? 0,
    ...nameFrom(caller),
  });
}

function getinfo(f: LuaValue, what: LuaValue): Result {
  if (typeof what === 'string' && /[^SlnrufL]/.test(what)) argError(2, 'getinfo', 'invalid option');
  if (typeof f === 'function') {
    const index = /\$f(\d+)$/.exec(f.name)?.[1];
    const isLua = index !== undefined;
    const script = scriptNamed(/\/\/# sourceURL=(.*)$/.exec(sourceOf(f))?.[1] ?? '');
    return tableOf({
      linedefined: script?.functions[Number(index)]?.line ?? -1,
      what: isLua ? 'Lua' : 'C',
      func: f,
      source: isLua ? '@?' : '=[C]',
      short_src: isLua ? '?' : '[C]',
      nups: 0,
    });
  }
  const level = checkInteger(f, 1, 'getinfo');
  const frames = luaStack(1024);
  const frame = frames[level - 1];
  return frame === undefined ? undefined : describe(frame, frames[level]);
}

function traceback(...args: LuaValue[]): Result {
  const message = typeof args[0] === 'object' ? args[1] : args[0];
  if (message !== undefined && typeof message !== 'string' && typeof message !== 'number')
    return message;
  const head = message === undefined ? '' : `${message}\n`;
  return head + formatTrace(typeof args[0] === 'object' ? [] : luaStack());
}

function setmetatable(v: LuaValue, meta: LuaValue): LuaValue {
  if (typeof v === 'string') state.stringMeta = meta as LuaTable | undefined;
  else if (!(v instanceof LuaTable)) throw luaError('only tables have metatables of their own');
  else setMetatable(v, meta as LuaTable | undefined);
  return v;
}

const environments = new WeakMap<object, LuaTable>();

const debug = luaModule('debug', {
  getinfo,
  traceback,
  getmetatable: (v: LuaValue) => metatableOf(v),
  setmetatable,
  setfenv(object: LuaValue, env: LuaValue) {
    if (!(env instanceof LuaTable)) argError(2, 'setfenv', 'table expected');
    if (object instanceof LuaThread) setThreadGlobals(object, env as LuaTable);
    else if (typeof object === 'function') (object as FunctionWithEnv).E = env as LuaTable;
    environments.set(object as object, env as LuaTable);
    return object;
  },
  getfenv: (object: LuaValue) => environments.get(object as object),
  getregistry: () => new LuaTable(),
  sethook: () => NONE,
  gethook: () => NONE,
});

// ── package ────────────────────────────────────────────────────────────────────────────────────────

const PACKAGE_CONFIG = '/\n;\n?\n!\n-\n';

/** `require` and `module` of Lua 5.1 §5.3, for Lua files. */
function packageSystem(env: LuaTable): void {
  const preload = new LuaTable();
  const loaded = new LuaTable();
  for (const name of ['string', 'table', 'math', 'bit', 'jit', 'coroutine', 'io', 'os', 'debug']) {
    const module = rawGetString(env, name);
    if (module !== undefined) setField(loaded, name, module);
  }
  setField(loaded, '_G', env);
  const core = rawGetString(env, 'require') as LuaFunction;

  const search = (name: string): LuaFunction | LuaValue => {
    const ready = rawGetString(preload, name);
    if (ready !== undefined) return ready;
    const path = rawGetString(pack, 'path');
    if (typeof path !== 'string') throw luaError("'package.path' must be a string");
    let tried = `\n\tno field package.preload['${name}']`;
    for (const template of path.split(';')) {
      if (template === '') continue;
      const file = template.replaceAll('?', name.replaceAll('.', '/'));
      const opened = openFile(file, 'r');
      if (!(opened instanceof File)) {
        tried += `\n\tno file '${file}'`;
        continue;
      }
      const text = opened.readOne('*a') as string;
      closeFile(opened);
      try {
        return loadChunk(text, displayName(`@${file}`), env);
      } catch (thrown) {
        throw luaError(
          `error loading module '${name}' from file '${file}':\n\t${toLuaError(thrown).value}`,
        );
      }
    }
    for (const template of String(rawGetString(pack, 'cpath')).split(';'))
      tried += `\n\tno file '${template.replaceAll('?', name.replaceAll('.', '/'))}'`;
    throw luaError(`module '${name}' not found:${tried}`);
  };

  const require: LuaFunction = (id) => {
    const name = checkString(id, 1, 'require');
    const known = rawGet(loaded, name);
    if (isTrue(known)) return known;
    let loader: LuaValue;
    try {
      loader = search(name);
    } catch (missing) {
      // The engine's own modules: table.new, ffi …
      if (!/^[\w.]+$/.test(name)) throw missing;
      try {
        return core(id);
      } catch {
        throw missing;
      }
    }
    rawSet(loaded, name, true);
    return callThen(loader, [name], (r) => {
      const value = first(r);
      if (value !== undefined) rawSet(loaded, name, value);
      return rawGet(loaded, name);
    });
  };

  const pack = tableOf({
    path: './?.lua;?.lua;?',
    cpath: './?.so',
    config: PACKAGE_CONFIG,
    loaded,
    preload,
    loaders: arrayOf([1, 2, 3, 4]),
    loadlib: () => [undefined, 'dynamic libraries not enabled', 'absent'],
    seeall: (module: LuaValue) => {
      const meta = metatableOf(module) ?? new LuaTable();
      setField(meta, '__index', env);
      setMetatable(module as LuaTable, meta);
      return NONE;
    },
  });
  setField(loaded, 'package', pack);
  setField(env, 'package', pack);
  setField(env, 'require', require);
}

/** Written in Lua: it changes the environment of its caller. */
const MODULE = `
local loaded, type, setfenv, error, gmatch = package.loaded, type, setfenv, error, string.gmatch
return function(name, ...)
  local m = loaded[name]
  if type(m) ~= 'table' then
    local outer, last = _G, nil
    for part in gmatch(name, '[^.]+') do
      local inner = outer[part]
      if inner == nil then inner = {} outer[part] = inner
      elseif type(inner) ~= 'table' then error("name conflict for module '" .. name .. "'", 2) end
      outer = inner
    end
    m = outer
    loaded[name] = m
  end
  if m._NAME == nil then
    m._M, m._NAME, m._PACKAGE = m, name, name:match('^(.*%.)[^.]*$') or ''
  end
  setfenv(2, m)
  for i = 1, select('#', ...) do (select(i, ...))(m) end
end
`;

/** The library, with what suites expect beside it. */
export function withShim(library: Library): Library {
  return {
    ...library,
    globals(vm: Vm): LuaTable {
      const env = library.globals(vm);
      setField(env, '_G', env);
      for (const module of [io, os, debug]) setField(env, module.name, module.create(vm));
      // Names of Lua 5.0 that 5.1 kept, and LuaJIT did not.
      const library51 = (name: string): LuaTable => rawGetString(env, name) as LuaTable;
      setField(library51('math'), 'mod', rawGetString(library51('math'), 'fmod'));
      setField(library51('string'), 'gfind', rawGetString(library51('string'), 'gmatch'));
      setField(env, 'arg', arrayOf([]));
      packageSystem(env);
      // Runs no function of the program, so it can't suspend.
      setField(env, 'module', loadChunk(MODULE, 'module', env)());
      return env;
    },
  };
}
