/** Lua text → JavaScript text, the pipeline on one screen: lex → parse → resolve → infer → lower → emit. */
import type { Chunk } from './ast.ts';
import { type Emitted, emitChunk, emitContinuation } from './emit.ts';
import { type EmittedForDebug, emitChunkForDebug, emitContinuationForDebug } from './emit-debug.ts';
import { showChunk } from './emit-readable.ts';
import { infer } from './infer.ts';
import type { ChunkCode, OpNames } from './ir.ts';
import { lower } from './lower.ts';
import type { Later, LowerOptions } from './lower-code.ts';
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
  /** How long functions are whose text is left for later. */
  later?: Later;
}

/** All functions are compiled with their chunk. */
export const AT_ONCE: Later = {
  own: Number.POSITIVE_INFINITY,
  inner: Number.POSITIVE_INFINITY,
};

/** What a text is compiled to; or one of its functions that was left for later. */
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
  /** Names of fields that it uses as constant keys, be it later; of a function that was left, none. */
  fields: readonly string[];
  /** Their properties, where it comes from a form that was stored; both as V8 has names of properties. */
  properties?: readonly string[];
  continuation(site: number): Emitted;
  /** Indexes of functions that were left for later. */
  left: readonly number[];
  later(index: number): Compiled;
}

/**
 * @param source  Lua text, one byte a code unit
 * @throws LuaSyntaxError
 */
export function compile(source: string, options: CompileOptions): Compiled {
  const chunk = parseAndInfer(source, options);
  const lowered: LowerOptions = { ...options, readable: false, later: options.later ?? AT_ONCE };
  const functions = namesOf(chunk);
  const compiled = (code: ChunkCode): Compiled => ({
    ...describe(code),
    functions,
    fields: code.main.node === chunk.main ? [...chunk.fields] : [],
    main: emitChunk(code),
    continuation: (id) => emitContinuation(id, code),
    later: (index) => compiled(lower(chunk, chunk.functions[index]!, lowered)),
  });
  return compiled(lower(chunk, chunk.main, lowered));
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
  const chunk = parseAndInfer(source, options);
  const code = lowerReadable(chunk, options);
  return {
    ...describe(code),
    functions: namesOf(chunk),
    fields: [...chunk.fields],
    main: emitChunkForDebug(code, breaks),
    continuation: (id) => emitContinuationForDebug(id, code),
    later: () => {
      throw new Error('nothing was left for later');
    },
  };
}

/** The JavaScript that a text becomes, for people. @throws LuaSyntaxError */
export function compileForReading(source: string, options: CompileOptions): string {
  return showChunk(lowerReadable(parseAndInfer(source, options), options), source);
}

function parseAndInfer(source: string, options: CompileOptions): Chunk {
  const chunk = parse(source, options.chunkName, options.parseNumber);
  const relies = options.isGeneric !== true && !options.suspendAll;
  infer(chunk, relies);
  return chunk;
}

function lowerReadable(chunk: Chunk, { suspendAll }: CompileOptions): ChunkCode {
  return lower(chunk, chunk.main, { suspendAll, readable: true, later: AT_ONCE });
}

const namesOf = ({ functions }: Chunk): Compiled['functions'] =>
  functions.map(({ name, line }) => ({ name, line }));

function describe(code: ChunkCode): Pick<Compiled, 'guards' | 'left' | 'sites'> {
  return {
    guards: code.guards,
    left: code.later,
    sites: code.sites.map(({ site, func }) => ({
      line: site.line,
      functionIndex: func.node.index,
      savesFunction: func.node.usesEnv,
      names: site.names,
    })),
  };
}
