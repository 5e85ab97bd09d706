/** Lua text → JavaScript text, the pipeline on one screen: lex → parse → resolve → infer → lower → emit. */
import { type Emitted, emitChunk, emitContinuation } from './emit.ts';
import { type EmittedForDebug, emitChunkForDebug, emitContinuationForDebug } from './emit-debug.ts';
import { showChunk } from './emit-readable.ts';
import { infer } from './infer.ts';
import type { ChunkCode, OpNames } from './ir.ts';
import { lower } from './lower.ts';
import { parse } from './parse.ts';

export { LuaSyntaxError } from './lex.ts';

export interface CompileOptions {
  /** As messages print it. */
  chunkName: string;
  parseNumber: (text: string) => number | undefined;
  /** Every call suspends and resumes once. */
  suspendAll: boolean;
  /** The form of the chunk that takes nothing for granted: see library.ts. */
  isGeneric?: boolean;
}

export interface Compiled {
  main: Emitted;
  functions: readonly { name: string; line: number }[];
  /** By site id: where each site is. */
  sites: readonly {
    line: number;
    functionIndex: number;
    savesFunction: boolean;
    names: OpNames | undefined;
  }[];
  /** Sites at which it leaves for its generic form; of that one, where it is entered. */
  guards: readonly number[];
  /** Names of fields that it uses as constant keys. */
  fields: readonly string[];
  continuation(site: number): Emitted;
}

/**
 * @param source  Lua text, one byte a code unit
 * @throws LuaSyntaxError
 */
export function compile(source: string, options: CompileOptions): Compiled {
  const code = structure(source, options);
  return {
    ...describe(code),
    main: emitChunk(code),
    continuation: (id) => emitContinuation(id, code),
  };
}

export interface CompiledForDebug extends Compiled {
  main: EmittedForDebug;
  continuation(site: number): EmittedForDebug;
}

/**
 * The same in a form that a debugger can show as Lua: variables have their names, and statements are Lua's.
 * @param breaks  it is to stop at the first one
 */
export function compileForDebug(
  source: string,
  options: CompileOptions,
  breaks: boolean,
): CompiledForDebug {
  const code = structure(source, options, true);
  return {
    ...describe(code),
    main: emitChunkForDebug(code, breaks),
    continuation: (id) => emitContinuationForDebug(id, code),
  };
}

/** The JavaScript that a text becomes, for people. @throws LuaSyntaxError */
export function compileForReading(source: string, options: CompileOptions): string {
  return showChunk(structure(source, options, true), source);
}

function structure(source: string, options: CompileOptions, readable = false): ChunkCode {
  const chunk = parse(source, options.chunkName, options.parseNumber);
  const relies = options.isGeneric !== true && !options.suspendAll;
  infer(chunk, relies);
  return lower(chunk, { ...options, readable });
}

function describe(code: ChunkCode): Pick<Compiled, 'fields' | 'functions' | 'guards' | 'sites'> {
  return {
    guards: code.guards,
    fields: [...code.fields.keys()],
    functions: code.functions.map(({ node }) => ({ name: node.name, line: node.line })),
    sites: code.sites.map(({ site, func }) => ({
      line: site.line,
      functionIndex: func.node.index,
      savesFunction: func.node.usesEnv,
      names: site.names,
    })),
  };
}
