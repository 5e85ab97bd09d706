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

class LoadedChunk {
  private readonly compiled: Compiled;
  private readonly chunkName: string;
  readonly env: LuaTable;
  private readonly sites: Site[];
  private readonly scripts: Script[] = [];

  constructor(compiled: Compiled, chunkName: string, env: LuaTable) {
    this.compiled = compiled;
    this.chunkName = chunkName;
    this.env = env;
    const script = { chunkName, lines: [], ops: new Map(), functions: compiled.functions };
    for (const name of compiled.fields) property(name);
    this.sites = compiled.sites.map(
      ({ line, functionIndex, names, savesFunction }, id) =>
        new Site({ script, line, functionIndex, names }, savesFunction, this, id),
    );
  }

  main(): LuaFunction {
    return this.evaluate<LuaFunction>(this.compiled.main);
  }

  continuation(id: number): Continuation {
    return this.evaluate<Continuation>(this.compiled.continuation(id));
  }

  private evaluate<F>(emitted: Emitted): F {
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
    const factory = (0, eval)(`${emitted.js}\n//# sourceURL=${name}`) as Factory<F>;
    return factory(this.env, this.sites);
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
  if (source.charCodeAt(0) === 27) {
    throw new LuaError(`${chunkName}: cannot load incompatible bytecode`);
  }
  try {
    const compiled = compile(source, {
      chunkName,
      parseNumber: parseUnsigned,
      suspendAll: state.suspendAll,
    });
    return new LoadedChunk(compiled, chunkName, env).main();
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
export function displayName(name: string): string {
  const MAX = 60;
  if (name.startsWith('=')) return name.slice(1, MAX);
  if (name.startsWith('@')) {
    const file = name.slice(1);
    return file.length < MAX ? file : `...${file.slice(-(MAX - 4))}`;
  }
  const end = name.search(/[\r\n]/);
  const line = end < 0 ? name : name.slice(0, end);
  const room = MAX - '[string "..."]'.length - 1;
  if (end < 0 && line.length <= room) return `[string "${line}"]`;
  return `[string "${line.slice(0, room)}..."]`;
}
