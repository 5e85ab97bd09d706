/** Lua text → a function of this VM; continuations of its sites, compiled when they first suspend. */
import { type Compiled, compile, LuaSyntaxError } from '../compiler/compile.ts';
import type { Emitted } from '../compiler/emit.ts';
import { LuaError, registerScript, type Script, type SitePosition } from '../runtime/error.ts';
import { parseUnsigned } from '../runtime/number.ts';
import { installOps } from '../runtime/ops.ts';
import { type Frame, type FrameSite, state } from '../runtime/state.ts';
import { type LuaTable, property } from '../runtime/table.ts';
import type { LuaFunction, LuaValue } from '../runtime/value.ts';

type Continuation = (value: unknown, frame: Frame) => unknown;
type Factory<F> = (env: LuaTable, sites: Site[]) => F;

/** A function that Lua can see, with the table of globals that `setfenv` gave it. */
export type FunctionWithEnv = LuaFunction & { E?: LuaTable };

class Site implements FrameSite {
  readonly position: SitePosition;
  readonly env: LuaTable;
  readonly savesFunction: boolean;
  resume: Continuation;
  constructor(position: SitePosition, savesFunction: boolean, chunk: LoadedChunk, id: number) {
    this.position = position;
    this.env = chunk.env;
    this.savesFunction = savesFunction;
    this.resume = (value, frame) => {
      this.resume = chunk.continuation(id);
      return this.resume(value, frame);
    };
  }
}

/** What a text was compiled to: the same for all VMs that load it. */
class ChunkCode {
  readonly compiled: Compiled;
  private readonly chunkName: string;
  readonly positions: readonly SitePosition[];
  private readonly continuations: (Factory<Continuation> | undefined)[] = [];
  private main: Factory<LuaFunction> | undefined = undefined;
  /** Kept here: the registry of scripts doesn't. */
  private readonly scripts: Script[] = [];

  /** Makes the form that takes nothing for granted (compiler/library.ts); undefined in that one itself. */
  private readonly makeGeneric: (() => ChunkCode) | undefined;
  private generic: ChunkCode | undefined = undefined;

  constructor(compiled: Compiled, chunkName: string, makeGeneric?: () => ChunkCode) {
    this.compiled = compiled;
    this.chunkName = chunkName;
    this.makeGeneric = makeGeneric;
    const script = { chunkName, lines: [], ops: new Map(), functions: compiled.functions };
    for (const name of compiled.fields) property(name);
    this.positions = compiled.sites.map(({ line, functionIndex, names }) => ({
      script,
      line,
      functionIndex,
      names,
    }));
  }

  get isGeneric(): boolean {
    return this.makeGeneric === undefined;
  }

  genericForm(): ChunkCode {
    this.generic ??= this.makeGeneric!();
    return this.generic;
  }

  mainFactory(): Factory<LuaFunction> {
    this.main ??= this.evaluate<LuaFunction>(this.compiled.main);
    return this.main;
  }

  continuationFactory(id: number): Factory<Continuation> {
    let factory = this.continuations[id];
    if (factory === undefined) {
      factory = this.evaluate<Continuation>(this.compiled.continuation(id));
      this.continuations[id] = factory;
    }
    return factory;
  }

  private evaluate<F>(emitted: Emitted): Factory<F> {
    const ops = new Map([...emitted.names].map(([line, names]) => [line, { names }]));
    const script: Script = {
      chunkName: this.chunkName,
      lines: emitted.lines,
      ops,
      functions: this.compiled.functions,
    };
    this.scripts.push(script);
    const name = registerScript(script);
    // Indirect eval: global scope, nothing of ours in reach but what `installOps` put there.
    // biome-ignore lint/security/noGlobalEval: running compiled code is what this is for
    // biome-ignore lint/complexity/noCommaOperator: the comma makes it indirect
    return (0, eval)(`${emitted.js}\n//# sourceURL=${name}`) as Factory<F>;
  }
}

/** The code of a text in one VM, with its table of globals. */
class LoadedChunk {
  private readonly code: ChunkCode;
  readonly env: LuaTable;
  private readonly sites: Site[];

  constructor(code: ChunkCode, env: LuaTable) {
    this.code = code;
    this.env = env;
    this.sites = code.compiled.sites.map(
      ({ savesFunction }, id) => new Site(code.positions[id]!, savesFunction, this, id),
    );
    if (code.isGeneric) return;
    code.compiled.guards.forEach((id, i) => {
      this.sites[id]!.resume = (value, frame) => this.enterGeneric(i, value, frame);
    });
  }

  /** Go on in the generic form, at its entrance number `i`. */
  private enterGeneric(i: number, value: unknown, frame: Frame): unknown {
    this.generic ??= new LoadedChunk(this.code.genericForm(), this.env);
    const { sites, code } = this.generic;
    return sites[code.compiled.guards[i]!]!.resume(value, frame);
  }
  private generic: LoadedChunk | undefined = undefined;

  main(): LuaFunction {
    return this.code.mainFactory()(this.env, this.sites);
  }

  continuation(id: number): Continuation {
    return this.code.continuationFactory(id)(this.env, this.sites);
  }
}

installOps();

/**
 * Compile a chunk.
 * @param source     Lua text, one byte a code unit
 * @param chunkName  as messages print it: see `displayName`
 * @throws LuaError  a syntax error, worded as LuaJIT's
 */
export function loadChunk(source: string, chunkName: string, env: LuaTable): LuaFunction {
  return new LoadedChunk(compileChunk(source, chunkName), env).main();
}

/** Code of modules, by file: the VMs of a thread share it. */
const modules = new Map<string, ModuleCode>();

interface ModuleCode {
  readonly source: string;
  readonly chunkName: string;
  readonly suspendAll: boolean;
  readonly code: ChunkCode;
}

/** The same for a file that other VMs may load, too. */
export function loadModule(
  file: string,
  source: string,
  chunkName: string,
  env: LuaTable,
): LuaFunction {
  return new LoadedChunk(moduleCode(file, source, chunkName), env).main();
}

/** Whether it can be loaded. @throws LuaError  a syntax error */
export function checkModule(file: string, source: string, chunkName: string): void {
  moduleCode(file, source, chunkName);
}

function moduleCode(file: string, source: string, chunkName: string): ChunkCode {
  let known = modules.get(file);
  const { suspendAll } = state;
  if (
    known?.source !== source ||
    known.chunkName !== chunkName ||
    known.suspendAll !== suspendAll
  ) {
    known = { source, chunkName, suspendAll, code: compileChunk(source, chunkName) };
    modules.set(file, known);
  }
  return known.code;
}

function compileChunk(source: string, chunkName: string, isGeneric = false): ChunkCode {
  if (source.charCodeAt(0) === 27) {
    throw new LuaError(`${chunkName}: cannot load incompatible bytecode`);
  }
  try {
    const compiled = compile(source, {
      chunkName,
      parseNumber: parseUnsigned,
      suspendAll: state.suspendAll,
      isGeneric,
    });
    if (isGeneric) return new ChunkCode(compiled, chunkName);
    return new ChunkCode(compiled, chunkName, () => compileChunk(source, chunkName, true));
  } catch (error) {
    if (error instanceof LuaSyntaxError) throw new LuaError(error.message as LuaValue);
    if (error instanceof RangeError)
      throw new LuaError(`${chunkName}: chunk has too many syntax levels`);
    throw error;
  }
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
  if (end < 0 && line.length <= room) return `[string "${line}"]`;
  return `[string "${line.slice(0, room)}..."]`;
}
