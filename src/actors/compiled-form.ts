/** The compiled form of a chunk as bytes, and back, for the cache of load.ts. What errors need is read when one is raised. */
import { Buffer } from 'node:buffer';
import type { Compiled } from '../compiler/compile.ts';
import type { Emitted } from '../compiler/emit.ts';

type Names = Compiled['sites'][number]['names'];

/** What running needs. */
interface Head {
  readonly fields: readonly string[];
  readonly guards: readonly number[];
  readonly functions: Compiled['functions'];
  /** By site. */
  readonly lines: readonly number[];
  readonly functionIndexes: readonly number[];
  readonly savesFunction: readonly number[];
}

/** What messages need. */
interface Details {
  readonly lines: number[];
  readonly names: Numbered;
  readonly siteNames: Numbered;
}

/** By line, or by site. What has no name is null. */
type Numbered = readonly (readonly [number, readonly (string | null | undefined)[]])[];

/** Continuations that have been compiled, by site. */
type Continuations = readonly (readonly [
  site: number,
  js: string,
  lines: number[],
  names: Numbered,
])[];

const toMap = (numbered: Numbered): Emitted['names'] =>
  new Map(numbered.map(([number, names]) => [number, names.map((name) => name ?? undefined)]));

const fromBytes = (bytes: Buffer): unknown => JSON.parse(bytes.toString('latin1'));

/** Of JavaScript: twelve times as much as of Lua. */
const MOST = 32 * 2 ** 20;

/**
 * @param emitted  continuations, by site
 * @returns undefined: it is too long, or a text has more than bytes in it, which none has that the compiler makes
 */
export function toParts(
  compiled: Compiled,
  emitted: ReadonlyMap<number, Emitted>,
): Buffer[] | undefined {
  const { main, functions, sites, fields, guards } = compiled;
  if (main.js.length > MOST) return undefined;
  const before = compiled instanceof StoredChunk ? compiled.continuations : [];
  const continuations = new Map([...before, ...emitted]);
  const head: Head = {
    fields,
    guards,
    functions,
    lines: sites.map(({ line }) => line),
    functionIndexes: sites.map(({ functionIndex }) => functionIndex),
    savesFunction: sites.map((site) => (site.savesFunction ? 1 : 0)),
  };
  const details: Details = {
    lines: main.lines,
    names: [...main.names],
    siteNames: sites.flatMap(({ names }, id) =>
      names === undefined ? [] : [[id, names] as const],
    ),
  };
  const later: Continuations = [...continuations].map(([id, { js, lines, names }]) => [
    id,
    js,
    lines,
    [...names],
  ]);
  const texts = [head, details, later].map((part) => JSON.stringify(part));
  texts.push(main.js);
  if (texts.some((text) => /[^\0-\xff]/.test(text))) return undefined;
  return texts.map((text) => Buffer.from(text, 'latin1'));
}

/** A site whose names are looked up when they are wanted. */
class StoredSite {
  readonly line: number;
  readonly functionIndex: number;
  readonly savesFunction: boolean;
  private readonly id: number;
  private readonly chunk: StoredChunk;
  constructor(chunk: StoredChunk, id: number, head: Head) {
    this.line = head.lines[id]!;
    this.functionIndex = head.functionIndexes[id]!;
    this.savesFunction = head.savesFunction[id] === 1;
    this.id = id;
    this.chunk = chunk;
  }
  get names(): Names {
    return this.chunk.namesOf(this.id);
  }
}

export class StoredChunk implements Compiled {
  readonly fields: readonly string[];
  readonly guards: readonly number[];
  readonly functions: Compiled['functions'];
  readonly sites: readonly StoredSite[];
  readonly main: Emitted;
  private readonly compileAgain: () => Compiled;
  private readonly details: Buffer;
  private read:
    | { lines: number[]; names: Emitted['names']; siteNames: Emitted['names'] }
    | undefined;
  readonly continuations: ReadonlyMap<number, Emitted>;
  private compiled: Compiled | undefined;

  /** @param compileAgain  for continuations that no run before has needed */
  constructor([head, details, later, js]: readonly Buffer[], compileAgain: () => Compiled) {
    const known = fromBytes(head!) as Head;
    this.fields = known.fields;
    this.guards = known.guards;
    this.functions = known.functions;
    this.sites = known.lines.map((_, id) => new StoredSite(this, id, known));
    this.details = details!;
    this.read = undefined;
    this.compileAgain = compileAgain;
    this.compiled = undefined;
    this.continuations = new Map(
      (fromBytes(later!) as Continuations).map(([id, text, lines, names]) => [
        id,
        { js: text, lines, names: toMap(names) },
      ]),
    );
    const chunk = this;
    this.main = {
      js: js!.toString('latin1'),
      get lines() {
        return chunk.detail().lines;
      },
      get names() {
        return chunk.detail().names;
      },
    };
  }

  private detail() {
    if (this.read === undefined) {
      const { lines, names, siteNames } = fromBytes(this.details) as Details;
      this.read = { lines, names: toMap(names), siteNames: toMap(siteNames) };
    }
    return this.read;
  }

  /** It has had all continuations that were wanted. */
  get isComplete(): boolean {
    return this.compiled === undefined;
  }

  namesOf(site: number): Names {
    return this.detail().siteNames.get(site);
  }

  continuation(site: number): Emitted {
    const stored = this.continuations.get(site);
    if (stored !== undefined) return stored;
    this.compiled ??= this.compileAgain();
    return this.compiled.continuation(site);
  }
}
