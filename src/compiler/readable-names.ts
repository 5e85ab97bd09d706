/**
 * JavaScript names of a function's variables for people: a Lua local keeps its name where it can. One that
 * is JavaScript's, or that a local of this function or of one around it has already, gets a number.
 */
import type { LocalVar } from './ast.ts';

/** Words that are no names in JavaScript's strict mode, and names that emitted code uses. */
const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval ' +
    'export extends false finally for function if implements import in instanceof interface let new null ' +
    'package private protected public return static super switch this throw true try typeof undefined var ' +
    'void while with yield Array'
  ).split(' '),
);

export class ReadableNames {
  private readonly outer: ReadableNames | undefined;
  /** Of the whole chunk. */
  private readonly names: Map<LocalVar, string>;
  private readonly taken = new Set<string>();

  constructor(outer: ReadableNames | undefined) {
    this.outer = outer;
    this.names = outer?.names ?? new Map();
  }

  local(local: LocalVar): string {
    let name = this.names.get(local);
    if (name !== undefined) return name;
    const wanted = local.name.replace(/\W/g, '_');
    name = wanted;
    for (let n = 2; RESERVED.has(name) || this.isTaken(name); n++) name = `${wanted}$${n}`;
    this.taken.add(name);
    this.names.set(local, name);
    return name;
  }

  private isTaken(name: string): boolean {
    return this.taken.has(name) || (this.outer?.isTaken(name) ?? false);
  }

  /** @param what  the field or global whose value it gets */
  temporary(n: number, what: string | undefined): string {
    return what !== undefined && /^\w{1,32}$/.test(what) ? `$${n}_${what}` : `$${n}`;
  }
}
