/** Lua text → JavaScript text for people: whose debugger shows it, or who reads it. */
import type { Chunk } from './ast.ts';
import {
  AT_ONCE,
  type Compiled,
  type CompileOptions,
  describe,
  namesOf,
  parseAndInfer,
} from './compile.ts';
import { type EmittedForDebug, emitChunkForDebug, emitContinuationForDebug } from './emit-debug.ts';
import { showChunk } from './emit-readable.ts';
import type { ChunkCode } from './ir.ts';
import { lower } from './lower.ts';

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

function lowerReadable(chunk: Chunk, { suspendAll }: CompileOptions): ChunkCode {
  const apartFrom = Number.POSITIVE_INFINITY;
  return lower(chunk, chunk.main, { suspendAll, readable: true, later: AT_ONCE, apartFrom });
}
