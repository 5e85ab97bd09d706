/** Lua text → JavaScript text, the pipeline on one screen: lex → parse → resolve → infer → lower → emit. */
import type { Chunk, FunctionNode } from './ast.ts';
import { type Emitted, emitChunk, emitContinuation } from './emit.ts';
import { infer, inferPart } from './infer.ts';
import type { ChunkCode, OpNames } from './ir.ts';
import { lower } from './lower.ts';
import type { Later, LowerOptions } from './lower-code.ts';
import { type Leaving, parse } from './parse.ts';
import type { ToBytes } from './skim.ts';

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
  /** So much of the main function is to be outside of a loop that becomes a function of its own; usually none does. */
  apartFrom?: number;
  /** If given, those of the chunk itself aren't even parsed. */
  toBytes?: ToBytes | undefined;
}

/** All functions are compiled with their chunk. */
export const AT_ONCE: Later = {
  own: Number.POSITIVE_INFINITY,
  inner: Number.POSITIVE_INFINITY,
};

/** What a text is compiled to; or one of its functions that was left for later. */
export interface Compiled {
  main: Emitted;
  /** Those of the chunk, by index; of one in a function that has not been parsed, nothing is known. */
  functions: readonly { name: string; line: number }[];
  /** Of those, the ones that it consists of: the first, and how many. */
  readonly own: readonly [number, number];
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
  const { later = AT_ONCE, toBytes } = options;
  const chunk = parseAndInfer(source, options, toBytes && { own: later.own, toBytes });
  const apartFrom = mayWaitForCollector(chunk) ? undefined : options.apartFrom;
  const lowered: LowerOptions = {
    ...options,
    readable: false,
    later,
    apartFrom: apartFrom ?? Number.POSITIVE_INFINITY,
  };
  const functions = namesOf(chunk);
  const known = new Map(chunk.functions.map((node) => [node.index, node]));
  const compiled = (node: FunctionNode, fields: readonly string[]): Compiled => {
    const code = lower(chunk, node, lowered);
    return {
      ...describe(code),
      functions,
      fields,
      main: emitChunk(code),
      continuation: (id) => emitContinuation(id, code),
      later: (index) => compiledLater(known.get(index)!),
    };
  };
  const made = new Map<FunctionNode, Compiled>();
  const compiledLater = (node: FunctionNode): Compiled => {
    const { unread, body } = node;
    if (unread === undefined) return made.get(node) ?? compiled(node, []);
    try {
      const read = chunk.read(node);
      inferPart(read.functions);
      const code = compiled(node, read.fields);
      for (const one of read.functions) {
        known.set(one.index, one);
        functions[one.index] = { name: one.name, line: one.line };
      }
      made.set(node, code);
      return code;
    } catch (error) {
      // It was called where the stack is nearly full. The next call begins anew.
      node.unread = unread;
      body.stats = [];
      body.labels = undefined;
      throw error;
    } finally {
      // What is made of the others must not depend on which has been called before: continuations of a stored form are made anew.
      node.single = false;
      node.result = undefined;
      node.pure = false;
    }
  };
  return compiled(chunk.main, [...chunk.fields]);
}

/**
 * Loops of the program may go on until something has been collected. While a loop that is a function of its own runs, all that the
 * main function has ever computed may still be there.
 */
const mayWaitForCollector = ({ watchesCollector, fields }: Chunk): boolean =>
  watchesCollector || fields.has('__mode') || fields.has('__gc');

export function parseAndInfer(source: string, options: CompileOptions, leaving?: Leaving): Chunk {
  const chunk = parse(source, options.chunkName, options.parseNumber, leaving);
  const relies = options.isGeneric !== true && !options.suspendAll;
  infer(chunk, relies);
  return chunk;
}

const UNKNOWN = { name: '', line: 0 };

export function namesOf({ functions, count }: Chunk): { name: string; line: number }[] {
  const names = new Array<{ name: string; line: number }>(count).fill(UNKNOWN);
  for (const { index, name, line } of functions) names[index] = { name, line };
  return names;
}

export function describe(code: ChunkCode): Pick<Compiled, 'guards' | 'left' | 'own' | 'sites'> {
  const { index, inner } = code.main.node;
  return {
    own: [index, 1 + inner],
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
