/**
 * Lua errors: one exception class holding the Lua value; where in Lua code the program is; and how
 * JavaScript's own errors in emitted code become Lua's.
 */
import { type Frame, state } from './state.ts';
import { LuaTable } from './table.ts';
import { type LuaValue, Userdata } from './value.ts';

/** A Lua error on its way to a `pcall`. Not an `Error`: a stack is taken only where one is wanted. */
export class LuaError {
  readonly value: LuaValue;
  /** Where it was raised; undefined when nobody would have looked. */
  readonly stack: readonly LogicalFrame[] | Trace | undefined;
  constructor(value: LuaValue, stack?: readonly LogicalFrame[] | Trace) {
    this.value = value;
    this.stack = stack;
  }
  /** The frames of that, innermost first. */
  get trace(): readonly LogicalFrame[] | undefined {
    return this.stack instanceof Trace ? this.stack.frames : this.stack;
  }
}

// ── emitted scripts ────────────────────────────────────────────────────────────────────────────────

/** What one line of emitted JavaScript does, for messages: names of its operands. */
export interface OpInfo {
  /**
   * `local 'x'`, `field 'y'`, `global 'print'` … or undefined where there is no name. Where a call is
   * made, the second says so: `call 2` (arguments, with `self`), `call ...`, `tail 2`, `tail ...`.
   */
  names: (string | undefined)[];
}

/** One emitted text: a chunk, or the continuation of a site. */
export interface Script {
  /** As messages print it: `file.lua`. */
  chunkName: string;
  /** Where the text is, for debuggers and profilers. */
  url?: string | undefined;
  /** Lua line of each JavaScript line (from 1); 0 where there is none, negative where no function of Lua runs. */
  lines: ArrayLike<number>;
  ops: Map<number, OpInfo>;
  /** The chunk's functions: line 0 is the main chunk. */
  functions: readonly { name: string; line: number }[];
}

export const SCRIPT_PREFIX = 'lua:';
const scripts = new Map<string, WeakRef<Script>>();
const forget = new FinalizationRegistry<string>((name) => scripts.delete(name));
let nextScript = 1;

/** Give a script the name by which stack frames refer to it. */
export function registerScript(script: Script): string {
  const name = `${SCRIPT_PREFIX}${nextScript++}`;
  scripts.set(name, new WeakRef(script));
  forget.register(script, name);
  return name;
}

/** The script of this name, while there is one. */
export const scriptNamed = (name: string): Script | undefined => scripts.get(name)?.deref();

// ── where the program is ───────────────────────────────────────────────────────────────────────────

export interface LogicalFrame {
  /** undefined: a function of the runtime. */
  script: Script | undefined;
  line: number;
  /** Index in `script.functions`, or -1. */
  functionIndex: number;
  /** What its line does. */
  names: OpInfo['names'] | undefined;
}

const NATIVE: LogicalFrame = { script: undefined, line: 0, functionIndex: -1, names: undefined };

/** A suspended frame of emitted code tells where it stands. */
export interface SitePosition {
  script: Script;
  line: number;
  functionIndex: number;
  names: OpInfo['names'] | undefined;
}

/**
 * Frames that mostly hold those of the runtime's own functions above the first Lua one. To take a stack
 * costs 2 µs, and 0.5 µs a frame.
 */
const FEW = 2;

type Sites = NodeJS.CallSite[];
const keepSites = (_error: unknown, sites: Sites): Sites => sites;

/** @param inner  a function that runs: it and what it has called are left out */
function captureSites(limit: number, inner: (...args: never[]) => unknown = captureSites): Sites {
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = limit;
  Error.prepareStackTrace = keepSites;
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, inner);
  const sites = holder.stack as Sites;
  Error.stackTraceLimit = stackTraceLimit;
  Error.prepareStackTrace = prepareStackTrace;
  return sites ?? [];
}

function sitesOf(error: Error): Sites {
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = keepSites;
  const sites = error.stack as unknown as Sites;
  Error.prepareStackTrace = prepareStackTrace;
  return Array.isArray(sites) ? sites : [];
}

/**
 * JavaScript frames → Lua's. `runThread`, `goOn` or `resumeWith` ends the running Lua thread's JavaScript frames. A function that
 * makes a tail call is gone by then, for Lua; except that it is still there to be blamed when what it
 * calls is no function.
 * @returns mark  how the innermost frame of emitted code calls the runtime, unless a function of the
 *                runtime is what calls
 */
function logical(
  sites: Sites,
  wanted: number,
): { frames: LogicalFrame[]; complete: boolean; mark: string } {
  const frames: LogicalFrame[] = [];
  let mark: string | undefined;
  let blamed = false;
  for (const site of sites) {
    const file = site.getScriptNameOrSourceURL() ?? '';
    if (file.startsWith(SCRIPT_PREFIX)) {
      const script = scripts.get(file)?.deref();
      if (script === undefined) continue;
      const jsLine = site.getLineNumber() ?? 0;
      // Line 1 has helpers of the emitted text, no Lua code.
      if (jsLine === 1) continue;
      const line = script.lines[jsLine] ?? 0;
      // A function that only calls what it does, which was left for later.
      if (line < 0) continue;
      const names = script.ops.get(jsLine)?.names;
      const call = names?.[1];
      mark ??= call !== undefined && isCall(call) ? call : '';
      if (blamed || call === undefined || !call.startsWith('tail ')) {
        const name = site.getFunctionName() ?? '';
        const functionIndex = Number(name.slice(name.lastIndexOf('$f') + 2) || -1);
        frames.push({ script, line, functionIndex, names });
        if (frames.length === wanted) break;
      }
      blamed = false;
      continue;
    }
    const name = site.getFunctionName();
    if (name === 'callFromNative') {
      frames.push(NATIVE);
      mark ??= '';
    } else if (name === 'requireCallable') blamed = true;
    else if (name === 'callHandler') {
      // The handler itself has been called as anything of the runtime would.
      if (frames.at(-1) === NATIVE) frames.pop();
      frames.push(...framesOf(handling));
      return { frames, complete: false, mark: mark ?? '' };
    } else if (name === 'runThread' || name === 'goOn' || name === 'resumeWith') {
      // It calls the thread's function as anything of the runtime would: no frame of the program's.
      if (frames.at(-1) === NATIVE) frames.pop();
      return { frames, complete: true, mark: mark ?? '' };
    }
  }
  return { frames, complete: false, mark: mark ?? '' };
}

const isCall = (mark: string): boolean => mark.startsWith('call ') || mark.startsWith('tail ');

/** The innermost `limit` frames of Lua, also those that have been suspended; or more. */
function withSuspended(sites: Sites, limit: number): LogicalFrame[] {
  return addSuspended(logical(sites, limit), limit);
}

function addSuspended(
  { frames, complete }: { frames: LogicalFrame[]; complete: boolean },
  limit: number,
  stack: Frame[] = state.thread?.stack ?? [],
): LogicalFrame[] {
  if (!complete) return frames;
  for (let i = stack.length - 1; i >= 0 && frames.length < limit; i--) {
    const frame = stack[i]!;
    const { position } = frame[0] as { position?: SitePosition };
    if (frame[0].isOperator) continue;
    if (position === undefined && isStack(frame[3])) {
      frames.push(...framesOf(frame[3]));
      break;
    }
    frames.push(position ?? NATIVE);
  }
  return frames;
}

/** Frames that a traceback looks at. */
const MANY = 64;

/** A stack as it was, for when somebody looks: most handlers of `xpcall` don't. */
export class Trace {
  private readonly sites: Sites | undefined;
  private readonly suspended: Frame[];
  private readonly outer = handling;
  private found: LogicalFrame[] | undefined = undefined;

  /** @param sites  undefined: the Lua thread is suspended */
  constructor(sites: Sites | undefined) {
    this.sites = sites;
    this.suspended = state.thread?.stack.slice(-MANY) ?? [];
  }
  get frames(): LogicalFrame[] {
    return (this.found ??= this.upTo(MANY));
  }
  /** The frame of this level, from 1 on. */
  at(level: number): LogicalFrame | undefined {
    return this.upTo(level)[level - 1];
  }
  private upTo(limit: number): LogicalFrame[] {
    const now = handling;
    handling = this.outer;
    const running =
      this.sites === undefined ? { frames: [], complete: true } : logical(this.sites, limit);
    const frames = addSuspended(running, limit, this.suspended);
    handling = now;
    return frames;
  }
}

/** Where the errors were raised whose handlers run, the innermost handler's. */
let handling: readonly LogicalFrame[] | Trace = [];
const framesOf = (stack: readonly LogicalFrame[] | Trace): readonly LogicalFrame[] =>
  stack instanceof Trace ? stack.frames : stack;
const isStack = (v: unknown): v is readonly LogicalFrame[] | Trace =>
  Array.isArray(v) || v instanceof Trace;

/**
 * Run the handler of an error: for it, and for what it calls, the frames that the error has left are still
 * there. The name is known to `logical`.
 */
export function callHandler(
  stack: readonly LogicalFrame[] | Trace,
  handler: () => unknown,
): unknown {
  const outer = handling;
  handling = stack;
  try {
    return handler();
  } finally {
    handling = outer;
  }
}

/** The Lua frames that run now, innermost first. */
export function luaStack(limit = MANY): LogicalFrame[] {
  return withSuspended(captureSites(limit), limit);
}

/** `chunk:line: ` of the function at this level (1: the one that called the runtime), or ''. */
export function where(level: number, trace?: Trace): string {
  if (level <= 0) return '';
  return positionOf(trace === undefined ? frameAt(level, where) : trace.at(level));
}

/** What comes after the last frame may show that the runtime's is none: see `logical`. */
const isSure = (frames: readonly LogicalFrame[], level: number): boolean =>
  frames.length > level || (frames.length === level && frames[level - 1] !== NATIVE);

/** The frame of this level, from 1 on. Tail calls may have left many JavaScript frames above it. */
function frameAt(level: number, inner: (...args: never[]) => unknown): LogicalFrame | undefined {
  for (let limit = level + FEW; ; limit *= 8) {
    const sites = captureSites(limit, inner);
    const frames = withSuspended(sites, level);
    if (sites.length < limit || isSure(frames, level)) return frames[level - 1];
  }
}

/** How the function of the runtime that runs has been called. */
export interface CallInfo {
  /** As the caller names it; undefined where the runtime or an operator calls. */
  name: string | undefined;
  /** As `object:name(…)`. */
  isMethod: boolean;
  /** How many arguments, `self` included; undefined where nobody counts. */
  count: number | undefined;
  /** Where that was. */
  frame: LogicalFrame | undefined;
}

export function callInfo(): CallInfo {
  for (let limit = 1 + 2 * FEW; ; limit *= 8) {
    const sites = captureSites(limit, callInfo);
    const found = logical(sites, 1);
    const frames = addSuspended(found, 1);
    if (sites.length === limit && !isSure(frames, 1)) continue;
    const [frame] = frames;
    const { mark } = found;
    const count =
      mark === '' ? state.argCount : mark.endsWith('...') ? undefined : Number(mark.slice(5));
    const [name, call] = frame?.names ?? [];
    if (call === undefined || !isCall(call)) {
      // An assignment or an operator: its operands are there, also those that are nil.
      const given = frame === undefined || frame === NATIVE ? count : Infinity;
      return { name: undefined, isMethod: false, count: given, frame };
    }
    return {
      name: name && /'(.*)'$/s.exec(name)?.[1],
      isMethod: name?.startsWith('method ') ?? false,
      count,
      frame,
    };
  }
}

/** An error in the function of the runtime that was called so. */
export function errorOfCall({ frame }: CallInfo, message: string): LuaError {
  stopIfUncaught();
  return new LuaError(positionOf(frame) + message, traceForError());
}

function positionOf(frame: LogicalFrame | undefined): string {
  return frame?.script === undefined ? '' : `${frame.script.chunkName}:${frame.line}: `;
}

/** Somebody will catch an error that is raised now: nobody would look at its traceback. */
function isGuarded(): boolean {
  if (state.guards > 0) return true;
  if (state.tracers > 0 || state.cleanups > 0) return false;
  const stack: Frame[] = state.thread?.stack ?? [];
  for (let i = stack.length - 1; i >= 0; i--) {
    const frame = stack[i]!;
    const { position } = frame[0] as { position?: SitePosition };
    // What passes errors on is no protection.
    if (position === undefined && frame[3] !== undefined)
      return frame[3] !== true && frame[3] !== 'cleanup';
  }
  return false;
}

let onUncaught: (() => void) | undefined;
/**
 * For debuggers: called where an error is raised that no `pcall` or `xpcall` will catch. Not for errors that have a
 * code: functions of the runtime may have raised them for themselves.
 */
export function setUncaughtHandler(handler: () => void): void {
  onUncaught = handler;
}

function isCaught(): boolean {
  if (state.guards > 0 || state.tracers > 0) return true;
  if (state.cleanups > 0) return false;
  const stack: Frame[] = state.thread?.stack ?? [];
  const keeper = stack.findLast((frame) => !('position' in frame[0]) && frame[3] !== undefined);
  return keeper !== undefined && keeper[3] !== 'cleanup';
}

/** An error of the program is raised now: a debugger may stop. */
export function stopIfUncaught(): void {
  if (onUncaught !== undefined && !isCaught()) onUncaught();
}

/** The stack of an error that is raised now, as far as one is wanted. */
export function traceForError(): Trace | undefined {
  return isGuarded() ? undefined : new Trace(captureSites(MANY));
}

/**
 * An error that ends the wait of the Lua thread that is to run now. It was made elsewhere, by another fiber or by the
 * event loop, and is raised here.
 */
export function raisedWhereSuspended(error: unknown): unknown {
  if (!(error instanceof LuaError)) return error;
  return new LuaError(error.value, isGuarded() ? undefined : new Trace(undefined));
}

/** The same for one that need not wait: it is raised at once. */
export function raisedHere(error: unknown): unknown {
  return error instanceof LuaError && error.stack === undefined
    ? new LuaError(error.value, traceForError())
    : error;
}

// ── raising ────────────────────────────────────────────────────────────────────────────────────────

/** An error with the position of the Lua code that called the runtime: C's `luaL_error`. */
export function luaError(message: string, level = 1): LuaError {
  stopIfUncaught();
  const trace = traceForError();
  if (level <= 0) return new LuaError(message, trace);
  const frame = trace === undefined ? frameAt(level, luaError) : trace.at(level);
  return new LuaError(positionOf(frame) + message, trace);
}

/** `a nil value` → `nil`; tables may name their type with a string `__name`? LuaJIT: no. */
export function typeName(v: LuaValue): string {
  switch (typeof v) {
    case 'undefined':
      return 'nil';
    case 'boolean':
      return 'boolean';
    case 'number':
      return 'number';
    case 'string':
      return 'string';
    case 'function':
      return 'function';
    default:
      if (v instanceof LuaTable) return 'table';
      return v instanceof Userdata ? 'userdata' : 'thread';
  }
}

/** `attempt to index local 'x' (a nil value)`: the name comes from the line that is running. */
export function typeError(action: string, v: LuaValue, operand = 0): LuaError {
  stopIfUncaught();
  const trace = traceForError();
  const frame = trace === undefined ? frameAt(1, typeError) : trace.at(1);
  return new LuaError(typeMessage(action, v, operand, frame), trace);
}

function typeMessage(
  action: string,
  v: LuaValue,
  operand: number,
  frame: LogicalFrame | undefined,
): string {
  const names = frame?.names;
  // Where no call is written, what can't be called is a metamethod.
  const isUnnamed = action === 'call' && !isCall(names?.[1] ?? '');
  const name = isUnnamed ? undefined : names?.[operand];
  const what = name === undefined ? `a ${typeName(v)} value` : `${name} (a ${typeName(v)} value)`;
  return `${positionOf(frame)}attempt to ${action} ${what}`;
}

export function compareError(a: LuaValue, b: LuaValue): LuaError {
  const x = typeName(a);
  const y = typeName(b);
  return luaError(
    x === y ? `attempt to compare two ${x} values` : `attempt to compare ${x} with ${y}`,
  );
}

let translate: (thrown: unknown) => LuaError | undefined = () => undefined;
/** Exceptions of the layers above (kernel errors) that are Lua errors too. */
export function setErrorTranslator(f: (thrown: unknown) => LuaError | undefined): void {
  translate = f;
}

/** It was thrown where a call of the kernel failed: the frames of then may be gone by now. */
const traced = ({ value }: LuaError, thrown: Error): LuaError =>
  new LuaError(value, new Trace(sitesOf(thrown)));

/** What is thrown through the suspended frames of the thread that runs, before they are taken off. */
export function raisedWithin(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || isGuarded()) return thrown;
  const translated = translate(thrown);
  return translated === undefined ? thrown : traced(translated, thrown);
}

/** V8 compiles a regular expression when it is first asked; where there is no room for that, it says that it is none. */
const isStackOverflow = (thrown: unknown): thrown is Error =>
  thrown instanceof RangeError
    ? thrown.message.includes('call stack')
    : thrown instanceof SyntaxError && thrown.message.endsWith(': Stack overflow');

/**
 * Whatever was thrown, as a Lua error. In emitted code a TypeError means that nil was indexed, a
 * RangeError that the stack is full; anything else is a bug of ours and is thrown on.
 * @param wantsTrace  false: nobody will look at it
 */
export function toLuaError(thrown: unknown, wantsTrace = true): LuaError {
  if (state.pend.length > 0) state.pend.length = 0;
  if (thrown instanceof LuaError) return thrown;
  if (isStackOverflow(thrown)) {
    const { frames } = logical(sitesOf(thrown), Number.POSITIVE_INFINITY);
    return new LuaError(`${positionOf(frames.find((f) => f.script))}stack overflow`, frames);
  }
  if (thrown instanceof TypeError) {
    const sites = sitesOf(thrown);
    if (sites[0]?.getScriptNameOrSourceURL()?.startsWith(SCRIPT_PREFIX)) {
      const trace = new Trace(sites);
      const message = typeMessage('index', undefined, 0, trace.at(1));
      return new LuaError(message, wantsTrace ? trace : undefined);
    }
  }
  if (
    thrown instanceof RangeError &&
    /string length|array length|Invalid array/.test(thrown.message)
  ) {
    return luaError(
      thrown.message.includes('string') ? 'string length overflow' : 'not enough memory',
    );
  }
  const translated = translate(thrown);
  if (translated === undefined) throw thrown;
  return wantsTrace && thrown instanceof Error ? traced(translated, thrown) : translated;
}

// ── tracebacks ─────────────────────────────────────────────────────────────────────────────────────

/** How this frame names what it calls. */
function calleeName(caller: LogicalFrame | undefined): string | undefined {
  const [name, call] = caller?.names ?? [];
  return call?.startsWith('call ') ? name && /'(.*)'$/s.exec(name)?.[1] : undefined;
}

/** `stack traceback:` and a line a frame, as LuaJIT lays them out. */
export function formatTrace(frames: readonly LogicalFrame[]): string {
  let text = 'stack traceback:';
  frames.forEach((frame, i) => {
    if (i >= 22) {
      if (i === 22) text += '\n\t...';
      return;
    }
    if (frame.script === undefined) {
      const name = calleeName(frames[i + 1]);
      text += `\n\t[C]: in ${name === undefined ? '?' : `function '${name}'`}`;
      return;
    }
    const { chunkName, functions } = frame.script;
    const fn = functions[frame.functionIndex];
    text += `\n\t${chunkName}:${frame.line}: in `;
    if (fn === undefined || fn.line === 0) text += 'main chunk';
    else if (fn.name !== '') text += `function '${fn.name}'`;
    else text += `function <${chunkName}:${fn.line}>`;
  });
  return text;
}

/** What a report of a bug of ours says: the message, and V8's stack. */
export function describeBug(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { stack } = thrown as { stack?: unknown };
  // It was looked at whether it is an error of the program: then these are V8's frames.
  if (Array.isArray(stack)) return [String(thrown), ...stack].join('\n    at ');
  return typeof stack === 'string' ? stack : String(thrown);
}
