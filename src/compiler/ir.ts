/**
 * Between the tree and JavaScript: a function as structured code in which everything that can suspend
 * stands on a line of its own. Both forms of a function are printed from this: the ordinary one, and
 * for each site that has ever suspended the rest of the function from there (`emit.ts`).
 */
import type { FunctionNode } from './ast.ts';

/** A JavaScript variable of one function, alive from position `decl` to position `end`. */
export interface Var {
  readonly name: string;
  decl: number;
  end: number;
  /** Holds `{v: value}`: a local that is both captured and assigned. */
  cell: boolean;
  /** Never assigned again, so closures capture the JavaScript variable itself. */
  constant: boolean;
  /** It gets other values later, or may. */
  assigned: boolean;
}

/** Statements that follow one another. */
export interface Seq {
  readonly nodes: Node[];
  /** The node that it is a part of; undefined for a function's body. */
  readonly owner: Node | undefined;
}

/** In place of a line: frames there are none of the program's. */
export const NOT_LUA = -1;

interface Place {
  seq: Seq;
  /** Lua line. */
  line: number;
}

/** Names of the operands, for messages: see `OpInfo` of runtime/error.ts. */
export type OpNames = (string | undefined)[];

/** JavaScript that cannot suspend. */
export interface Line extends Place {
  kind: 'line';
  js: string;
  names: OpNames | undefined;
}

/** A nested function made and stored: `head` function `tail`. */
export interface Closure extends Place {
  kind: 'closure';
  head: string;
  func: FunctionCode;
  tail: string;
}

/**
 * JavaScript that may suspend: `head` is complete up to the value of a `return` that saves the frame,
 * `tail` closes it. After a suspension `dst` gets the awaited result, adjusted.
 */
export interface Site extends Place {
  kind: 'site';
  head: string;
  tail: string;
  names: OpNames | undefined;
  /** `$g<field>`, `$s<field>` or `$o<operator>_<function>`, where `head` calls it. */
  accessor: string | undefined;
  dst: Var | undefined;
  adjust: 'one' | 'raw' | 'bool' | 'none';
  pos: number;
  /** Index in the chunk's table of sites. */
  id: number;
  /**
   * No site, but a place where continuations end: what follows is a continuation of its own, so that
   * the text for a function of many sites does not grow with their square.
   */
  isCut: boolean;
  /**
   * No site, but where the chunk may leave for its other form (library.ts): that one has a cut at the same
   * place, and both save all that is in scope there.
   */
  isGuard: boolean;
  /** What the rest of the function needs; known when the function is complete. */
  live: Var[];
}

export interface If extends Place {
  kind: 'if';
  cond: string;
  then: Seq;
  orelse: Seq | undefined;
}

/** `for (;;)`: left by `break`. */
export interface Loop extends Place {
  kind: 'loop';
  label: string;
  body: Seq;
  /** What it looks at before it begins: ahead.ts. */
  ahead: string;
  /** It is to be a function of its own. */
  apart: Apart | undefined;
}

export interface Apart {
  /** Its positions. */
  readonly start: number;
  readonly end: number;
  /** Of the variables from before it, those that it names. */
  readonly used: ReadonlySet<Var>;
}

/** A scope; a target for `break` where it has a label. */
export interface Scope extends Place {
  kind: 'scope';
  label: string;
  body: Seq;
}

export interface Jump extends Place {
  kind: 'break' | 'continue';
  label: string;
}

export type Node = Line | Closure | Site | If | Loop | Scope | Jump;

/** In a function that leaves others for later, and in its continuations. */
export const leftText = ({ usesEnv }: FunctionNode): string =>
  `const $z = [], $l = $L($z, $E, ${usesEnv ? 'E$' : '$E'});`;

export interface FunctionCode {
  readonly node: FunctionNode;
  readonly params: string[];
  readonly body: Seq;
  readonly sites: Site[];
  /** Its JavaScript name ends in `$f<index>`: error.ts reads it off the stack. */
  readonly jsName: string;
  /** May be made again and again: nothing of its closures is to be larger than it must. */
  isInner: boolean;
  /** It is compiled when it is first called: then, what its variables outside are called. */
  readonly outside: readonly string[] | undefined;
  /** Of such a one, its own variable, where that is only ever called. */
  readonly self: string | undefined;
  /** It leaves functions for later: `$z` holds what they do, `$l` makes them. */
  leaves: boolean;
  /** It uses `a$`, for the array that was tested last, or `m$`, for what made the last table of a class. */
  scratch: boolean;
}

/** A chunk, or one of its functions that is compiled when it is first called, with what is in it. */
export interface ChunkCode {
  readonly main: FunctionCode;
  /** All sites, by id, each with its function. */
  readonly sites: { site: Site; func: FunctionCode }[];
  /** Indexes of its functions that have been left for later. */
  readonly later: number[];
  /** Ids of guards, or of the cuts at their places, in order. */
  readonly guards: number[];
  readonly watchesCollector: boolean;
  /** Names of fields that it uses, numbered. */
  readonly fields: Map<string, number>;
}
