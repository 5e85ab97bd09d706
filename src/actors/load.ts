/** Lua text → a function of this VM; continuations of its sites, compiled when they first suspend. */
import { pathToFileURL } from 'node:url';
import { Script as V8Script } from 'node:vm';
import {
  AT_ONCE,
  type Compiled,
  type CompileOptions,
  compile,
  LuaSyntaxError,
} from '../compiler/compile.ts';
import { compileForDebug, compileForReading } from '../compiler/compile-debug.ts'; // when it is called
import type { Emitted } from '../compiler/emit.ts';
import { sourceMap } from '../compiler/source-map.ts'; // when it is called
import { contentName, PrivateCache } from '../io/private-cache.ts';
import { roomyBytes } from '../io/roomy.ts';
import { withPatientV8 } from '../io/tier-up.ts';
import { LuaError, registerScript, type Script, type SitePosition } from '../runtime/error.ts';
import { parseUnsigned } from '../runtime/number.ts';
import { installOps } from '../runtime/ops.ts';
import { type Frame, type FrameSite, state } from '../runtime/state.ts';
import { type LuaTable, property } from '../runtime/table.ts';
import type { LuaFunction, LuaValue } from '../runtime/value.ts';
import { releaseWeaklyHeld } from './collect.ts';
import { likelyContinuations, StoredChunk, toParts } from './compiled-form.ts';
import { inspection } from './inspection.ts';

/** Makes a function that was left for later: of the globals, the function that calls it, and what it names outside. */
type Maker = (env: LuaTable, self: LuaFunction, ...outside: unknown[]) => LuaFunction;
/** Has that done when `self` is first called. What is outside may be `self`: then `$z` stands for it. */
type Leave = (
  place: number,
  index: number,
  self: FunctionWithEnv,
  ...outside: unknown[]
) => LuaFunction;

type Continuation = (value: unknown, frame: Frame) => unknown;
/** Makes the main function of a chunk, for these globals. */
type Main = (env: LuaTable) => LuaFunction;

/** A function that Lua can see, with the table of globals that `setfenv` gave it. */
export type FunctionWithEnv = LuaFunction & { E?: LuaTable };

/** What is of one VM is in the frames. A program has many: none has a function of its own before it suspends, nor a position before that is wanted. */
class Site implements FrameSite {
  readonly savesFunction: boolean;
  resume: Continuation = resumeFirst;
  private readonly code: ChunkCode;
  private readonly id: number;
  constructor(savesFunction: boolean, code: ChunkCode, id: number) {
    this.savesFunction = savesFunction;
    this.code = code;
    this.id = id;
  }
  get position(): SitePosition {
    return this.code.positionOf(this.id);
  }
  prepare(): void {
    if (this.resume === resumeFirst) this.resume = this.code.continuation(this.id);
  }
  /**
   * Itself. For debuggers, which hear of a continuation when it is compiled, and have breakpoints to set in it before it
   * runs: that is done when its site suspends.
   */
  get ready(): this {
    this.prepare();
    return this;
  }
}

function resumeFirst(value: unknown, frame: Frame): unknown {
  const site = frame[0] as Site;
  site.prepare();
  return site.resume(value, frame);
}

/** A program may load for ever without that its job ends: so many scripts are held, at most, that are garbage. */
const SCRIPTS_HELD = 100;
let registered = 0;

/** What a text was compiled to: the same for all VMs that load it. */
class ChunkCode {
  readonly compiled: Compiled;
  /** It is one function, which was left for later. */
  private readonly isLater: boolean;
  private readonly chunkName: string;
  /** The text and where it is, for debuggers. */
  private readonly source: Source | undefined;
  private readonly sites: readonly Site[];
  /** For positions of these. */
  private readonly script: Script;
  /** Their text, where it is to be stored. */
  private readonly emitted = new Map<number, Emitted>();
  private main: Main | Maker | undefined = undefined;
  /** Its functions that were left for later, and have been called. */
  private readonly later = new Map<number, ChunkCode>();
  /** Kept here: the registry of scripts doesn't. */
  private readonly scripts: Script[] = [];
  /** Where it is one that is stored: what V8 made of it in a run before, if it was. */
  private readonly storage: Storage | undefined;

  /** Makes the form that takes nothing for granted (compiler/library.ts); undefined in that one itself. */
  private readonly makeGeneric: (() => ChunkCode) | undefined;
  private generic: ChunkCode | undefined = undefined;

  constructor(
    compiled: Compiled,
    chunkName: string,
    makeGeneric?: () => ChunkCode,
    storage?: Storage,
    source?: Source,
    isLater = false,
  ) {
    this.isLater = isLater;
    this.compiled = compiled;
    this.chunkName = chunkName;
    this.source = source;
    this.makeGeneric = makeGeneric;
    this.storage = storage;
    const { fields, properties } = compiled;
    for (let i = 0; i < fields.length; i++) property(fields[i]!, properties?.[i]);
    this.script = { chunkName, lines: [], ops: new Map(), functions: compiled.functions };
    this.sites = compiled.sites.map((site, id) => new Site(site.savesFunction, this, id));
    if (makeGeneric === undefined) return;
    compiled.guards.forEach((id, i) => {
      this.sites[id]!.resume = (value, frame) => this.enterGeneric(i, value, frame);
    });
  }

  /** Go on in the generic form, at its entrance number `i`. */
  private enterGeneric(i: number, value: unknown, frame: Frame): unknown {
    this.generic ??= this.makeGeneric!();
    const { sites, compiled } = this.generic;
    const site = sites[compiled.guards[i]!]!;
    site.prepare(); // the frame is of another one
    return site.resume(value, frame);
  }

  /** Its main function, with this table of globals. */
  load(env: LuaTable): LuaFunction {
    this.main ??= this.evaluate<Main>(this.compiled.main);
    return (this.main as Main)(env);
  }

  /**
   * For emitted code: what makes functions that were left for later.
   * @param does  what they call, each at a place of its own
   * @param env   that of the function that makes them
   */
  private readonly leave =
    (does: LuaFunction[], globals: LuaTable, env: LuaTable): Leave =>
    (place, index, self, ...outside) => {
      while (does.length < place) does.push(self); // V8 reads an array without holes faster
      does[place] = (...args) => {
        const all = outside.map((x) => (x === does ? self : x));
        does[place] = this.makerOf(index)(globals, self, ...all);
        return does[place](...args);
      };
      if (env !== globals) self.E = env;
      return self;
    };

  /** Of a function that was left for later, now that it is called. */
  private makerOf(index: number): Maker {
    const code = this.laterCode(index);
    code.main ??= code.evaluate<Maker>(code.compiled.main);
    return code.main as Maker;
  }

  private laterCode(index: number): ChunkCode {
    let code = this.later.get(index);
    if (code === undefined) {
      const compiled = patiently(() => this.compiled.later(index));
      const storage = this.storage && new Storage(compiled);
      code = new ChunkCode(compiled, this.chunkName, undefined, storage, this.source, true);
      this.later.set(index, code);
    }
    return code;
  }

  positionOf(id: number): SitePosition {
    return new Position(this.script, this.compiled.sites[id]!);
  }

  /** Of its site `id`. */
  continuation(id: number): Continuation {
    const emitted = this.compiled.continuation(id);
    if (this.storage !== undefined) this.emitted.set(id, emitted);
    return this.evaluate<Continuation>(emitted);
  }

  private evaluate<F>(emitted: Emitted): F {
    installOps();
    let ops: Script['ops'] | undefined;
    const script: Script = {
      chunkName: this.chunkName,
      url: this.source?.url,
      functions: this.compiled.functions,
      // For errors.
      get lines() {
        return emitted.lines;
      },
      get ops() {
        ops ??= new Map([...emitted.names].map(([line, names]) => [line, { names }]));
        return ops;
      },
    };
    this.scripts.push(script);
    if (inspection.profiles) kept.push(script);
    const name = registerScript(script);
    if (++registered % SCRIPTS_HELD === 0) releaseWeaklyHeld();
    if (emitted === this.compiled.main && this.storage !== undefined) {
      return (this.storage.run(emitted.js, name) as Evaluated<F>)(this.sites, this.leave);
    }
    // Indirect eval: global scope, nothing of ours in reach but what `installOps` put there.
    // biome-ignore lint/security/noGlobalEval: running compiled code is what this is for
    // biome-ignore lint/complexity/noCommaOperator: the comma makes it indirect
    return (0, eval)(`${emitted.js}\n//# sourceURL=${name}${this.mapOf(emitted)}`)(
      this.sites,
      this.leave,
    ) as F;
  }

  private mapOf(emitted: Emitted & { hidden?: ReadonlySet<number> }): string {
    const { source } = this;
    const { hidden } = emitted;
    if (source === undefined || hidden === undefined) return '';
    const map = Buffer.from(
      sourceMap({ ...emitted, hidden, functions: this.compiled.functions }, source),
    );
    return `\n//# sourceMappingURL=data:application/json;base64,${map.toString('base64')}`;
  }

  private forOthers: readonly Buffer[] | undefined;

  /**
   * What another process of the same program starts with.
   * @param isWhole  with all functions that were left for later; otherwise with those that have been called
   * @returns undefined: it is to compile itself
   */
  partsForOthers(isWhole: boolean): readonly Buffer[] | undefined {
    this.forOthers ??= this.allParts(isWhole);
    return this.forOthers;
  }

  private allParts(isWhole: boolean): Buffer[] | undefined {
    const { compiled } = this;
    const later = isWhole
      ? compiled.left.map((index) => [index, this.laterCode(index)] as const)
      : this.later;
    return toParts(compiled, {
      continuations: likelyContinuations(compiled),
      later: Array.from(later, ([index, code]) => [index, code.allParts(isWhole)] as const),
      code: this.isLater || !areUsual(process.execArgv) ? undefined : v8Code(compiled.main.js),
      isLater: this.isLater,
    });
  }

  /** What a later run starts with; undefined: it would not be worth it. */
  toParts(): Buffer[] | undefined {
    const code = this.storage?.codeCache();
    if (code === undefined) return undefined;
    return toParts(this.compiled, {
      continuations: this.emitted,
      later: Array.from(this.later, ([index, one]) => [index, one.toParts()] as const),
      code,
      isLater: this.isLater,
    });
  }

  /** V8 would not have what it had made in a run before. */
  get isRejected(): boolean {
    return this.storage?.isRejected === true || [...this.later.values()].some((x) => x.isRejected);
  }
}

type Evaluated<F> = (
  sites: readonly Site[],
  leave: (does: LuaFunction[], globals: LuaTable, env: LuaTable) => Leave,
) => F;

/** Where a site is, for whoever asks: its names may have to be read first. */
class Position implements SitePosition {
  readonly script: Script;
  readonly line: number;
  readonly functionIndex: number;
  private readonly site: Compiled['sites'][number];
  constructor(script: Script, site: Compiled['sites'][number]) {
    this.script = script;
    this.line = site.line;
    this.functionIndex = site.functionIndex;
    this.site = site;
  }
  get names(): Compiled['sites'][number]['names'] {
    return this.site.names;
  }
}

/** For a profile, which is made at the end. */
const kept: Script[] = [];

interface Source {
  readonly url: string;
  readonly text: string;
}

/**
 * Compile a chunk.
 * @param source     Lua text, one byte a code unit
 * @param chunkName  as messages print it: see `displayName`
 * @throws LuaError  a syntax error, worded as LuaJIT's
 */
export function loadChunk(source: string, chunkName: string, env: LuaTable): LuaFunction {
  return compileChunk(source, chunkName).load(env);
}

/** Code of modules, by file: the VMs of a thread share it. */
const modules = new Map<string, ModuleCode>();

interface ModuleCode {
  readonly source: string;
  readonly chunkName: string;
  readonly suspendAll: boolean;
  readonly code: ChunkCode;
}

/** What has been loaded stays. */
export function forgetModules(): void {
  modules.clear();
}

/** The same for a file that other VMs may load, too. */
export function loadModule(
  file: string,
  source: string,
  chunkName: string,
  env: LuaTable,
): LuaFunction {
  return moduleCode(file, source, chunkName).load(env);
}

/** Whether it can be loaded. @throws LuaError  a syntax error */
export function checkModule(file: string, source: string, chunkName: string): void {
  moduleCode(file, source, chunkName);
}

/** Longer ones take longer to compile than a program may stand still for. */
const MOST_FOR_OTHERS = 64 * 1024;

/**
 * The compiled form of a module, for another process that runs this program.
 * @param isOurs  it may be compiled for that; otherwise it is there if this thread has loaded it
 * @returns undefined: that process has to compile it, and to say so where it can't be
 */
export function compiledParts(
  file: string,
  source: string,
  suspendAll: boolean,
  isOurs: boolean,
): readonly Buffer[] | undefined {
  if (inspection.debugs || inspection.profiles || suspendAll !== state.suspendAll) return undefined;
  const isKnown = modules.get(file)?.source === source;
  if (!isKnown && !(isOurs && source.length <= MOST_FOR_OTHERS)) return undefined;
  try {
    const code = moduleCode(file, source, displayName(`@${file}`));
    return code.partsForOthers(source.length <= MOST_FOR_OTHERS);
  } catch (error) {
    if (error instanceof LuaError) return undefined;
    throw error;
  }
}

// V8's own form of a text. In its head there is a number for the flags that it was made under, and V8 takes none of others.
// Those of a supervisor are other ones, but none that what it makes of a text depends on. The rest of the head, which
// says by which V8 it was made, and of how long a text, stays as it is. V8: SerializedCodeData.
const FLAGS_AT = 12;

const v8Code = (js: string): Buffer => new V8Script(js).createCachedData();

const flagsNow = (): number => v8Code('0').readUInt32LE(FLAGS_AT);

/** Of this process; undefined: it has none made by others. */
let ownFlags: number | undefined;

/** From now on modules come with what V8 has made of them elsewhere, until the flags change. */
export function acceptCode(): void {
  ownFlags = flagsNow();
}

/** Flags of bin/perilune, and of supervisors. Under others V8 may make something else of a text. */
const USUAL =
  /^--(disable-|(min-semi-space|stack|max-old-space|v8-pool)-size=|invocation-count|max-(valid|inlined)|no-(additive|compilation|parallel)|single-threaded$)/;

export const areUsual = (flags: readonly string[]): boolean =>
  flags.every((flag) => USUAL.test(flag));

/**
 * A module in its compiled form, from a process that has compiled it.
 * @param parts  one after the other in memory, if `spent` is there
 * @param spent  hears, when V8 has read them, of bytes of the parts that nobody reads again
 */
export function presetModule(
  file: string,
  source: string,
  parts: readonly Buffer[],
  spent?: (bytes: Uint8Array) => void,
): void {
  const { suspendAll } = state;
  const chunkName = displayName(`@${file}`);
  const again = (): Compiled => compileText(source, chunkName, suspendAll);
  const stored = new StoredChunk(parts, again);
  const storage =
    stored.code && ownFlags !== undefined
      ? new Storage(stored, spentOf(stored, parts[0]!, spent))
      : undefined;
  if (storage !== undefined) stored.code!.writeUInt32LE(ownFlags!, FLAGS_AT);
  const code = new ChunkCode(stored, chunkName, generic(source, chunkName), storage);
  modules.set(file, { source, chunkName, suspendAll, code });
}

function spentOf(
  { main }: StoredChunk,
  { buffer, byteOffset }: Buffer,
  spent: ((bytes: Uint8Array) => void) | undefined,
): (() => void) | undefined {
  const end = main.bytes.byteOffset + main.bytes.length;
  return spent && (() => spent(new Uint8Array(buffer, byteOffset, end - byteOffset)));
}

function moduleCode(file: string, source: string, chunkName: string): ChunkCode {
  let known = modules.get(file);
  const { suspendAll } = state;
  if (
    known?.source !== source ||
    known.chunkName !== chunkName ||
    known.suspendAll !== suspendAll
  ) {
    known = { source, chunkName, suspendAll, code: storedChunk(source, chunkName, file) };
    modules.set(file, known);
  }
  return known.code;
}

function compileChunk(source: string, chunkName: string, file?: string): ChunkCode {
  const { debugs, profiles, breaks } = inspection;
  if (debugs) {
    inspection.breaks = false;
    const compiled = compileText(source, chunkName, state.suspendAll, true, (text, options) =>
      compileForDebug(text, options, breaks),
    );
    const from = { url: urlOf(chunkName, file), text: Buffer.from(source, 'latin1').toString() };
    return new ChunkCode(compiled, chunkName, undefined, undefined, from);
  }
  const from = profiles ? { url: urlOf(chunkName, file), text: '' } : undefined;
  const makeGeneric = generic(source, chunkName, from);
  return new ChunkCode(compileText(source, chunkName), chunkName, makeGeneric, undefined, from);
}

/**
 * Of chunks from so many characters on, functions of so many are compiled when they are first called. (They are slower
 * than others by one call, which V8 removes. Those inside of functions may be made often, and each takes 100 bytes more.)
 */
export const leaving = { from: 8 * 1024, own: 256, inner: 2 * 1024, unreadFrom: 32 * 1024 };

/** Of a main function in lines of emitted code: `apartFrom` of CompileOptions. */
export const loops = { apartFrom: 60 };

function toBytes(text: string, end: string): Uint8Array {
  const bytes = roomyBytes(text.length + end.length);
  bytes.write(text, 0, 'latin1');
  bytes.write(end, text.length, 'latin1');
  return bytes;
}

/** For a chunk of so many characters V8 is not to compile the compiler: less than it takes to load the addon. */
const PATIENT_FROM = 16 * 1024;
let isPatient = false;

/** From now on; in a process of one program, whose flags V8's are. */
export function compilePatiently(): void {
  isPatient = true;
}

const patiently = <T>(run: () => T): T => (isPatient ? withPatientV8(run) : run());

/** Makes the form that takes nothing for granted. It is never stored: few programs come to need it. */
const generic = (source: string, chunkName: string, from?: Source) => (): ChunkCode => {
  const compiled = compileText(source, chunkName, state.suspendAll, true);
  return new ChunkCode(compiled, chunkName, undefined, undefined, from);
};

function compileText(
  source: string,
  chunkName: string,
  suspendAll = state.suspendAll,
  isGeneric = false,
  compiler: (source: string, options: CompileOptions) => Compiled = compile,
): Compiled {
  if (source.charCodeAt(0) === 27) {
    throw new LuaError(`${chunkName}: cannot load incompatible bytecode`);
  }
  const compileIt = (): Compiled =>
    compiler(source, {
      chunkName,
      parseNumber: parseUnsigned,
      suspendAll,
      isGeneric,
      later: source.length < leaving.from || inspection.profiles ? AT_ONCE : leaving,
      apartFrom: inspection.profiles ? Number.POSITIVE_INFINITY : loops.apartFrom,
      toBytes: source.length < leaving.unreadFrom || inspection.profiles ? undefined : toBytes,
    });
  try {
    return source.length < PATIENT_FROM ? compileIt() : patiently(compileIt);
  } catch (error) {
    if (error instanceof LuaSyntaxError) throw new LuaError(error.message as LuaValue);
    if (error instanceof RangeError)
      throw new LuaError(`${chunkName}: chunk has too many syntax levels`);
    throw error;
  }
}

// ── what was compiled in a run before ──────────────────────────────────────────────────────────────

/** A file of fewer bytes is compiled in less time than it takes to find it, and to look at it. */
const WORTH_STORING = 16 * 1024;
/** Milliseconds after which a program that goes on is stored, with what has been called until then. */
const STORE_AFTER = 5_000;

/** What V8 has made of a text. */
class Storage {
  private readonly stored: Buffer | undefined;
  private script: V8Script | undefined = undefined;
  /** The number of V8's flags when the text was compiled. */
  private flags = 0;
  /** V8 would not have it: it is of another build, or was made under other flags. */
  isRejected = false;

  private readonly whenRead: (() => void) | undefined;

  /** @param whenRead  what was stored is not wanted any more, nor are the bytes of the main function's text */
  constructor(compiled: Compiled, whenRead?: () => void) {
    this.whenRead = whenRead;
    this.stored = compiled instanceof StoredChunk ? compiled.code : undefined;
  }

  run(js: string, filename: string): unknown {
    this.script = new V8Script(js, { filename, cachedData: this.stored });
    this.isRejected = this.script.cachedDataRejected === true;
    this.flags = (this.isRejected ? undefined : this.stored)?.readUInt32LE(FLAGS_AT) ?? flagsNow();
    this.whenRead?.();
    return this.script.runInThisContext();
  }

  codeCache(): Buffer | undefined {
    const code = this.script?.createCachedData();
    // The next start asks for it before the program has set other flags, which `collectgarbage` and `regex` do.
    code?.writeUInt32LE(this.flags, FLAGS_AT);
    return code;
  }
}

/** The user's directory for caches, and what a name is made of beside the program. */
let caching: { readonly base: string; readonly compiler: string } | undefined;
/** Each stores a chunk, if that is not there or incomplete. */
const toStore: ((cache: PrivateCache) => void)[] = [];

/**
 * From now on the compiled form of large files is looked for in the user's cache, and put there.
 * @param base      where that is: see PrivateCache
 * @param compiler  anything that differs between compilers whose results do
 */
export function useCompileCache(base: string, compiler: string): void {
  const { version, versions, arch, execArgv } = process;
  caching = { base, compiler: [compiler, version, versions.v8, arch, ...execArgv].join(' ') };
}

/**
 * Nothing is kept open: the program may change who it is, and what it sees of the file system.
 * @returns undefined: there is no cache, or no memory for it; a program doesn't end for that
 */
function withCache<T>(base: string, use: (cache: PrivateCache) => T): T | undefined {
  const cache = PrivateCache.open(base);
  try {
    return cache && use(cache);
  } catch {
    return undefined;
  } finally {
    cache?.close();
  }
}

function storedChunk(source: string, chunkName: string, file: string): ChunkCode {
  const isInspected = inspection.debugs || inspection.profiles;
  if (caching === undefined || isInspected || source.length < WORTH_STORING) {
    return compileChunk(source, chunkName, file);
  }
  const { base, compiler } = caching;
  const { suspendAll } = state;
  const again = (): Compiled => compileText(source, chunkName, suspendAll);
  const found = withCache(base, (cache) => {
    const name = contentName([compiler, `${suspendAll}`, chunkName, source]);
    const parts = cache.read(name);
    return { name, stored: parts && new StoredChunk(parts, again) };
  });
  if (found === undefined) return compileChunk(source, chunkName);
  const { name, stored } = found;
  const compiled = stored ?? again();
  const storage = new Storage(compiled);
  const code = new ChunkCode(compiled, chunkName, generic(source, chunkName), storage);
  storeLater(base, (cache) => {
    if (stored?.isComplete && !code.isRejected) return;
    const all = code.toParts();
    if (all !== undefined) cache.write(name, all);
  });
  return code;
}

/** At the end, when V8 knows which functions are called; or when it looks as if that were far away. */
function storeLater(base: string, store: (cache: PrivateCache) => void): void {
  if (toStore.push(store) > 1) return;
  const storeAll = (): void => {
    process.off('exit', storeAll);
    const all = toStore.splice(0);
    withCache(base, (cache) => {
      for (const one of all) one(cache);
    });
  };
  process.on('exit', storeAll);
  setTimeout(storeAll, STORE_AFTER).unref();
}

let unnamed = 0;

/** Where a debugger looks for breakpoints in a chunk. */
function urlOf(chunkName: string, file: string | undefined): string {
  if (file === undefined) return `lua-string:${++unnamed}/${encodeURIComponent(chunkName)}`;
  return pathToFileURL(Buffer.from(file, 'latin1').toString()).href;
}

/** The same, for people. */
export function showReadable(source: string, chunkName: string): string {
  return compileForReading(source, { chunkName, parseNumber: parseUnsigned, suspendAll: false });
}

/** The JavaScript that a chunk becomes. */
export function showCompiled(source: string, chunkName: string): string {
  return compile(source, { chunkName, parseNumber: parseUnsigned, suspendAll: false }).main.js;
}

/** How messages print a chunk name: `=name`, `@file`, or the first line of a string. luaO_chunkid. */
export function displayName(given: string): string {
  const MAX = 60;
  const [name = ''] = given.split('\0', 1);
  if (name.startsWith('=')) return name.slice(1, MAX);
  if (name.startsWith('@')) {
    const file = name.slice(1);
    return file.length < MAX ? file : `...${file.slice(-(MAX - 4))}`;
  }
  const end = name.search(/[\x00-\x1f]/);
  const line = end < 0 ? name : name.slice(0, end);
  const room = MAX - '[string "..."]'.length - 1;
  // Where nothing is left out no room is needed for the dots.
  if (end < 0 && line.length <= room + '...'.length) return `[string "${line}"]`;
  return `[string "${line.slice(0, room)}..."]`;
}
