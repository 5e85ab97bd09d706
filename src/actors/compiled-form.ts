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
  /** Of the texts: that of the main function, then those of continuations. */
  readonly lengths: readonly number[];
  /** The sites of these continuations. */
  readonly continued: readonly number[];
}

/** What messages need. */
interface Details {
  readonly siteNames: Numbered;
  /** Of each text. */
  readonly texts: readonly TextDetails[];
}
interface TextDetails {
  readonly lines: number[];
  readonly names: Numbered;
}

/** By line, or by site. What has no name is null. */
type Numbered = readonly (readonly [number, readonly (string | null | undefined)[]])[];

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
  const all = [main, ...continuations.values()];
  const head: Head = {
    fields,
    guards,
    functions,
    lines: sites.map(({ line }) => line),
    functionIndexes: sites.map(({ functionIndex }) => functionIndex),
    savesFunction: sites.map((site) => (site.savesFunction ? 1 : 0)),
    lengths: all.map(({ js }) => js.length),
    continued: [...continuations.keys()],
  };
  const details: Details = {
    siteNames: sites.flatMap(({ names }, id) =>
      names === undefined ? [] : [[id, names] as const],
    ),
    texts: all.map(({ lines, names }) => ({ lines, names: [...names] })),
  };
  const texts = [JSON.stringify(head), JSON.stringify(details), all.map(({ js }) => js).join('')];
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

/** A text that is read when it is wanted, as what messages need is. */
class StoredText implements Emitted {
  private readonly chunk: StoredChunk;
  private readonly number: number;
  private readonly bytes: Buffer;
  constructor(chunk: StoredChunk, number: number, bytes: Buffer) {
    this.chunk = chunk;
    this.number = number;
    this.bytes = bytes;
  }
  get js(): string {
    return this.bytes.toString('latin1');
  }
  get lines(): number[] {
    return this.chunk.details().texts[this.number]!.lines;
  }
  get names(): Emitted['names'] {
    return toMap(this.chunk.details().texts[this.number]!.names);
  }
}

export class StoredChunk implements Compiled {
  readonly fields: readonly string[];
  readonly guards: readonly number[];
  readonly functions: Compiled['functions'];
  readonly sites: readonly StoredSite[];
  readonly main: Emitted;
  readonly continuations: ReadonlyMap<number, Emitted>;
  private readonly compileAgain: () => Compiled;
  private readonly detailBytes: Buffer;
  private read: Details | undefined;
  private siteNames: Emitted['names'] | undefined;
  private compiled: Compiled | undefined;

  /** @param compileAgain  for continuations that are not there */
  constructor([head, details, texts]: readonly Buffer[], compileAgain: () => Compiled) {
    const known = fromBytes(head!) as Head;
    this.fields = known.fields;
    this.guards = known.guards;
    this.functions = known.functions;
    this.sites = known.lines.map((_, id) => new StoredSite(this, id, known));
    this.detailBytes = details!;
    this.read = undefined;
    this.siteNames = undefined;
    this.compileAgain = compileAgain;
    this.compiled = undefined;
    let at = 0;
    const [main, ...later] = known.lengths.map(
      (length, i) => new StoredText(this, i, texts!.subarray(at, (at += length))),
    );
    this.main = main!;
    this.continuations = new Map(later.map((text, i) => [known.continued[i]!, text]));
  }

  /** For its parts. */
  details(): Details {
    this.read ??= fromBytes(this.detailBytes) as Details;
    return this.read;
  }

  /** It has had all continuations that were wanted. */
  get isComplete(): boolean {
    return this.compiled === undefined;
  }

  namesOf(site: number): Names {
    this.siteNames ??= toMap(this.details().siteNames);
    return this.siteNames.get(site);
  }

  continuation(site: number): Emitted {
    const stored = this.continuations.get(site);
    if (stored !== undefined) return stored;
    this.compiled ??= this.compileAgain();
    return this.compiled.continuation(site);
  }
}

/** Bytes of continuations that are made beforehand. */
const MOST_LATER = 32 * 1024;

/** What an actor waits in. */
const MESSAGES: ReadonlySet<string | undefined> = new Set(["method 'receive'", "method 'send'"]);

/**
 * Continuations that a program will need first: where it waits for messages, and of its main function those from the
 * end on, which is where most programs have what they do.
 */
export function likelyContinuations(compiled: Compiled): Map<number, Emitted> {
  const found = new Map<number, Emitted>();
  let length = 0;
  const add = (id: number): void => {
    if (length >= MOST_LATER || found.has(id)) return;
    const emitted = compiled.continuation(id);
    length += emitted.js.length;
    if (length < MOST_LATER) found.set(id, emitted);
  };
  const { sites } = compiled;
  sites.forEach(({ names }, id) => {
    if (MESSAGES.has(names?.[0])) add(id);
  });
  for (let id = sites.length - 1; id >= 0; id--) {
    const { functionIndex, names } = sites[id]!;
    const isCall = names === undefined || names[1]?.startsWith('call');
    if (functionIndex === 0 && isCall) add(id);
  }
  return found;
}
