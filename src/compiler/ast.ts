/**
 * The syntax tree of a Lua chunk, names already resolved: every node, one union.
 * Grammar: Lua 5.1 manual §8, with LuaJIT's `goto` and labels.
 */

/** Longer constant strings are never names of fields. */
export const MAX_FIELD_NAME = 64;

/** What is known of a value: a number, whether it has no fraction, and whether it is one as `bit` has them, or a sum of few such: LARGEST_BITS of library.ts. */
export type Num = 'bits' | 'sum' | 'integer' | 'number' | undefined;

/** A local variable or parameter. Its flags are complete once its function has been parsed. */
export interface LocalVar {
  readonly name: string;
  /** The function that declares it. */
  readonly func: FunctionNode;
  /** Unique within the chunk; names the JavaScript variable. */
  readonly id: number;
  /** A nested function reads or writes it: an upvalue there. */
  captured: boolean;
  /** Assigned after its declaration. */
  assigned: boolean;
  /** It only ever holds such numbers: see infer.ts. */
  num: Num;
  /** It is this function, always. */
  known: FunctionNode | undefined;
  /** It is expected to be the function of the libraries of this name: see library.ts. */
  guarded: string | undefined;
  /** The same in the form of the chunk that relies on it. */
  library: string | undefined;
}

export interface FunctionNode {
  kind: 'function';
  /** Position in the chunk's list of functions; 0 is the main chunk. */
  index: number;
  /** As messages name it: `f`, `t.f`, `t:f`, or '' for an anonymous function. */
  name: string;
  params: LocalVar[];
  /** Variables of functions around it that it, or a function inside it, names. */
  upvalues: ReadonlySet<LocalVar>;
  /** Characters of its text. */
  size: number;
  /** Functions inside it. They are numbered from its own index on. */
  inner: number;
  /** Its text is right, but is read when it is first called: until then `body` is empty. */
  unread: Unread | undefined;
  isVararg: boolean;
  body: Block;
  line: number;
  endLine: number;
  parent: FunctionNode | undefined;
  /** It, or a function inside it, uses a global variable, or its chunk names `setfenv` or `getfenv`. */
  usesEnv: boolean;
  /** Its own variable, where that is only ever called. Filled in by infer.ts, as the next three are. */
  self: LocalVar | undefined;
  /** It returns one value always, and makes no tail call. */
  single: boolean;
  result: Num;
  /** Besides, nothing in it can suspend. */
  pure: boolean;
}

/** What is known of a function from a look at its text (skim.ts). */
export interface Unread {
  /** Where its body begins, and the line of that. */
  readonly start: number;
  readonly startLine: number;
  /** How deep it is. */
  readonly level: number;
  /** Of its `upvalues`: those that it, or a function inside it, assigns. */
  readonly assigned: readonly LocalVar[];
  /** Those that it does more with than to call them. */
  readonly values: ReadonlySet<LocalVar>;
}

export interface Block {
  stats: Stat[];
  /** Labels of this block, in order; mostly none. */
  labels: Label[] | undefined;
}

export interface Label {
  readonly name: string;
  readonly id: number;
  readonly line: number;
  /** Index of the statement before which it stands. */
  at: number;
  /** Indexes of the statements of its block that hold a `goto` to it: before it, and from it on. */
  readonly forward: number[];
  readonly backward: number[];
}

export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | '..'
  | '=='
  | '~='
  | '<'
  | '<='
  | '>'
  | '>=';

export type Expr =
  | { kind: 'nil' | 'true' | 'false' | 'vararg'; line: number }
  | { kind: 'number'; value: number; line: number }
  | { kind: 'string'; value: string; line: number }
  | { kind: 'local'; v: LocalVar; line: number }
  | { kind: 'upvalue'; v: LocalVar; line: number }
  | { kind: 'global'; name: string; line: number }
  | { kind: 'index'; obj: Expr; key: Expr; line: number }
  | CallExpr
  | FunctionExpr
  | { kind: 'binary'; op: BinaryOp; left: Expr; right: Expr; line: number }
  /** A run of `..`, which associates to the right: e1 .. (e2 .. (e3 …)). */
  | { kind: 'concat'; parts: Expr[]; line: number }
  | { kind: 'unary'; op: '-' | 'not' | '#'; operand: Expr; line: number }
  | { kind: 'and' | 'or'; left: Expr; right: Expr; line: number }
  | { kind: 'paren'; inner: Expr; line: number }
  | TableExpr;

export interface FunctionExpr {
  kind: 'functionExpr';
  func: FunctionNode;
  line: number;
}

export type CallExpr =
  | { kind: 'call'; fn: Expr; args: Expr[]; line: number }
  | { kind: 'method'; obj: Expr; name: string; args: Expr[]; line: number };

export interface TableExpr {
  kind: 'table';
  /** Fields in source order: positional ones have no key. */
  items: { key: Expr | undefined; value: Expr }[];
  line: number;
}

export type Stat =
  | { kind: 'local'; vars: LocalVar[]; exprs: Expr[]; line: number }
  | { kind: 'localFunction'; v: LocalVar; func: FunctionExpr; line: number }
  | { kind: 'assign'; targets: Expr[]; exprs: Expr[]; line: number }
  | { kind: 'callStat'; call: CallExpr; line: number }
  | { kind: 'do'; body: Block; line: number }
  | { kind: 'while'; cond: Expr; body: Block; line: number; endLine: number }
  | { kind: 'repeat'; body: Block; cond: Expr; line: number }
  | {
      kind: 'if';
      clauses: { cond: Expr; body: Block; line: number }[];
      orelse: Block | undefined;
      line: number;
    }
  | {
      kind: 'fornum';
      /** That of its `do`, as LuaJIT has it: where it checks its numbers. */
      checkLine: number;
      v: LocalVar;
      start: Expr;
      limit: Expr;
      step: Expr | undefined;
      body: Block;
      line: number;
      endLine: number;
    }
  | { kind: 'forin'; vars: LocalVar[]; exprs: Expr[]; body: Block; line: number; endLine: number }
  | { kind: 'return'; exprs: Expr[]; line: number }
  | { kind: 'break'; line: number }
  | { kind: 'goto'; label: string; target: Label | undefined; backward: boolean; line: number };

export interface Chunk {
  /** All functions that have been read, the main one first, and those that make the unread ones. */
  functions: FunctionNode[];
  /** How many functions the text has. */
  count: number;
  main: FunctionNode;
  /** Constant keys that may name fields, and names of globals. */
  fields: Set<string>;
  /** It names `collectgarbage`: what locals hold must not be collected before they go out of scope. */
  watchesCollector: boolean;
  /**
   * Read a function that is `unread`.
   * @returns all functions that it consists of, and the fields of which `fields` knew nothing
   */
  read(node: FunctionNode): { functions: readonly FunctionNode[]; fields: readonly string[] };
}
