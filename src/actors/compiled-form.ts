/** The compiled form of a chunk as bytes, and back, for the cache of load.ts. What errors need is read when one is raised. */
import { Buffer } from 'node:buffer';
import type { Compiled } from '../compiler/compile.ts';
import type { Emitted } from '../compiler/emit.ts';

type Names = Compiled['sites'][number]['names'];

/** What running needs. */
interface Head {
  /**
   * As names of properties, and their numbers. What V8 has read as that it has as it wants names; one by one they would
   * have to be looked up.
   */
  readonly fields: Readonly<Record<string, number>>;
  /** Of these, in order: none looks like a number. */
  readonly properties: Readonly<Record<string, 0>>;
  readonly guards: readonly number[];
  /** Its own ones. */
  readonly functions: Compiled['functions'];
  readonly own: Compiled['own'];
  /** By site. */
  readonly lines: readonly number[];
  readonly functionIndexes: readonly number[];
  readonly savesFunction: readonly number[];
  /** Of the texts: that of the main function, then those of continuations. */
  readonly lengths: readonly number[];
  /** The sites of these continuations. */
  readonly continued: readonly number[];
  /** Functions that were left for later, and lengths of the parts of those that are there. */
  readonly left: readonly number[];
  readonly later: readonly (readonly [number, readonly number[]])[];
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

function inOrder(numbered: Readonly<Record<string, number>>): string[] {
  const names: string[] = [];
  for (const name of Object.keys(numbered)) names[numbered[name]!] = name;
  return names;
}

const NO_BYTES = Buffer.alloc(0);

/** Of JavaScript: twelve times as much as of Lua. */
const MOST = 32 * 2 ** 20;

/** What there is beside the text of the main function. */
export interface Made {
  /** By site. */
  readonly continuations: ReadonlyMap<number, Emitted>;
  /** Parts of functions that were left for later, by index. */
  readonly later?: readonly (readonly [number, readonly Buffer[] | undefined])[];
  /** What V8 has made of the main function. */
  readonly code?: Buffer | undefined;
  /** It is one that was left for later itself: the names of functions are in the chunk's parts. */
  readonly isLater?: boolean;
}

/**
 * What runs, what V8 has made of the main function, the texts, what messages need, and the parts of functions that were left
 * for later. What is read once comes first, up to the first text: see MainText. V8 copies what it has made if that lies at
 * no multiple of 8.
 * @returns undefined: it is too long, or a text has more than bytes in it, which none has that the compiler makes
 */
export function toParts(
  compiled: Compiled,
  { continuations: emitted, later = [], code = NO_BYTES, isLater = false }: Made,
): Buffer[] | undefined {
  const { main, functions, own, sites, fields, guards, left } = compiled;
  if (main.js.length > MOST) return undefined;
  const before = compiled instanceof StoredChunk ? compiled : undefined;
  const continuations = new Map([...(before?.continuations ?? []), ...emitted]);
  const functionsLater = new Map([...(before?.laterParts ?? []), ...later]);
  if ([...functionsLater.values()].some((parts) => parts === undefined)) return undefined;
  const all = [main, ...continuations.values()];
  const head: Head = {
    fields: Object.fromEntries(fields.map((name, i) => [name, i])),
    properties: Object.fromEntries(fields.map((name) => [`$${name}`, 0 as const])),
    guards,
    functions: functions.slice(own[0], own[0] + own[1]),
    own,
    lines: sites.map(({ line }) => line),
    functionIndexes: sites.map(({ functionIndex }) => functionIndex),
    savesFunction: sites.map((site) => (site.savesFunction ? 1 : 0)),
    lengths: all.map(({ js }) => js.length),
    continued: [...continuations.keys()],
    left,
    later: Array.from(functionsLater, ([index, parts]) => [index, parts!.map((x) => x.length)]),
  };
  const details: Details = {
    siteNames: sites.flatMap(({ names }, id) =>
      names === undefined ? [] : [[id, names] as const],
    ),
    texts: all.map(({ lines, names }) => ({ lines, names: [...names] })),
  };
  const running = JSON.stringify(head);
  const texts = [
    running + padding(running.length),
    all.map(({ js }) => js).join(''),
    JSON.stringify(details),
  ];
  if (texts.some((text) => /[^\0-\xff]/.test(text))) return undefined;
  const [first, ...others] = texts.map((text) => Buffer.from(text, 'latin1'));
  return [
    first!,
    code,
    ...others,
    Buffer.concat([...functionsLater.values()].flatMap((parts) => parts!)),
  ];
}

/** What makes so many bytes a multiple of 8, after JSON. */
export const padding = (length: number): string => ' '.repeat(-length & 7);

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
  readonly bytes: Buffer;
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

/** V8 keeps it as long as it runs: the bytes are read once. */
class MainText extends StoredText {
  private text: string | undefined = undefined;
  override get js(): string {
    this.text ??= super.js;
    return this.text;
  }
}

export class StoredChunk implements Compiled {
  readonly fields: readonly string[];
  readonly properties: readonly string[];
  readonly guards: readonly number[];
  readonly functions: Compiled['functions'];
  readonly own: Compiled['own'];
  readonly sites: readonly StoredSite[];
  readonly main: MainText;
  readonly continuations: ReadonlyMap<number, Emitted>;
  readonly left: readonly number[];
  /** What V8 has made of it. */
  readonly code: Buffer | undefined;
  /** Of functions that were left for later. */
  readonly laterParts = new Map<number, readonly Buffer[]>();
  private readonly compileAgain: () => Compiled;
  private readonly detailBytes: Buffer;
  private read: Details | undefined;
  private siteNames: Emitted['names'] | undefined;
  private compiled: Compiled | undefined;

  /**
   * @param compileAgain  for continuations and functions that are not there
   * @param outer         the chunk, of a function that was left for later
   */
  constructor(
    [head, code, texts, details, functions]: readonly Buffer[],
    compileAgain: () => Compiled,
    outer?: StoredChunk,
  ) {
    const known = fromBytes(head!) as Head;
    this.fields = inOrder(known.fields);
    this.properties = Object.keys(known.properties);
    this.guards = known.guards;
    this.own = known.own;
    this.functions = outer?.functions ?? known.functions;
    if (outer !== undefined)
      known.functions.forEach((one, i) => {
        (this.functions as { name: string; line: number }[])[known.own[0] + i] = one;
      });
    this.sites = known.lines.map((_, id) => new StoredSite(this, id, known));
    this.detailBytes = details!;
    this.read = undefined;
    this.siteNames = undefined;
    this.compileAgain = compileAgain;
    this.compiled = undefined;
    let at = 0;
    const later = known.lengths.map((length, i) => {
      const Text = i === 0 ? MainText : StoredText;
      return new Text(this, i, texts!.subarray(at, (at += length)));
    });
    this.main = later.shift() as MainText;
    this.left = known.left;
    this.code = code!.length > 0 ? code : undefined;
    let from = 0;
    for (const [index, lengths] of known.later) {
      const parts = lengths.map((length) => functions!.subarray(from, (from += length)));
      this.laterParts.set(index, parts);
    }
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
    return this.again().continuation(site);
  }

  later(index: number): Compiled {
    const parts = this.laterParts.get(index);
    if (parts === undefined) return this.again().later(index);
    return new StoredChunk(parts, () => this.again().later(index), this);
  }

  private again(): Compiled {
    this.compiled ??= this.compileAgain();
    return this.compiled;
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
