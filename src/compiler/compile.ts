/** Lua text → JavaScript text, the pipeline on one screen: lex → parse → resolve → infer → lower → emit. */
import { type Emitted, emitChunk, emitContinuation } from './emit.ts';
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
  const chunk = parse(source, options.chunkName, options.parseNumber);
  const relies = options.isGeneric !== true && !options.suspendAll;
  infer(chunk, relies);
  const code: ChunkCode = lower(chunk, options);
  return {
    main: emitChunk(code),
    guards: code.guards,
    fields: [...code.fields.keys()],
    functions: code.functions.map(({ node }) => ({ name: node.name, line: node.line })),
    sites: code.sites.map(({ site, func }) => ({
      line: site.line,
      functionIndex: func.node.index,
      savesFunction: func.node.usesEnv,
      names: site.names,
    })),
    continuation: (id) => emitContinuation(id, code),
  };
}
