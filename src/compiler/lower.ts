/**
 * Tree → structured code. Expressions become atoms (names, constants, arithmetic on what is known to be
 * a number); whatever can call Lua, and so suspend, becomes a site with a variable for its result.
 *
 * The order of evaluation is PUC Lua's: left to right; an operand that is a local is read when the
 * operator runs. Only locals that are both captured and assigned can change under a call: they live in
 * cells, and lists of values copy them when they are evaluated.
 */
import {
  type BinaryOp,
  type Block,
  type CallExpr,
  type Chunk,
  type Expr,
  type FunctionExpr,
  type FunctionNode,
  type Label,
  type LocalVar,
  MAX_FIELD_NAME,
  type Stat,
  type TableExpr,
} from './ast.ts';
import { blocksOf, calledFunction } from './infer.ts';
import {
  type Intrinsic,
  intrinsic,
  isIntrinsicName,
  type Operand,
  STRING_METHODS,
} from './intrinsics.ts';
import type {
  ChunkCode,
  FunctionCode,
  If,
  Loop,
  Node,
  OpNames,
  Scope,
  Seq,
  Site,
  Var,
} from './ir.ts';
import { isMulti, libraryCall, returnedBy } from './library.ts';
import { ReadableNames } from './readable-names.ts';

/** A value as JavaScript text without side effects. */
interface Ex {
  js: string;
  /** Variables that the text reads. */
  vars: Var[];
  /** Known to be a number, a boolean, or not nil. */
  num: boolean;
  /** A number without a fraction (or NaN): no test whether it can be an index. */
  int: boolean;
  bool: boolean;
  notNil: boolean;
  /** A name or a short constant: may be repeated. */
  atom: boolean;
  /** A number known to be at least this (positive keys need no test). */
  min: number;
  /** Reads a cell: `own` when it is this function's local. */
  cell: '' | 'own' | 'upvalue';
  constant: boolean;
  /** A function that is known. */
  func: FunctionNode | undefined;
}

/** A list of arguments: text and variables. */
interface Args {
  js: string;
  vars: Var[];
  /** The last one is a call, whose raw result is in this variable: the text for when it is one value. */
  single?: { raw: string; js: string } | undefined;
  /** The values one by one; none where the list is open and long. */
  operands: Operand[];
  /** The first one may have been made as a table of the class that is the second: `m$` tells. */
  isMade?: boolean;
}

interface Callee {
  fn: Ex;
  args: Args;
  names: OpNames;
}

/** For a table that is to be one of a class. */
interface ClassTest {
  /** The expression for the class runs no code. */
  readonly isPlain: boolean;
  /** Evaluate it. @returns what gives its maker, or something false */
  test(): { js: string; vars: Var[] };
}

/** Where a value is wanted: in this variable, declared by the same line or before. */
interface Dst {
  v: Var;
  declare: boolean;
}

const NO_VARS: Var[] = [];
/** In place of a line: frames there are none of the program's. */
const NOT_LUA = -1;
/** What stands for no element 0 in an array part: runtime/value.ts. */
export const NO_ZERO = '-1939472353';
/** The function that runs, in functions that use globals: the first thing that their sites save. */
const SELF: Var = { name: 'F$', decl: 0, end: 0, cell: false, constant: true };
const base: Ex = {
  js: '',
  vars: NO_VARS,
  num: false,
  int: false,
  bool: false,
  notNil: false,
  atom: true,
  min: Number.NEGATIVE_INFINITY,
  cell: '',
  constant: false,
  func: undefined,
};
const NIL: Ex = { ...base, js: 'undefined', constant: true };

const ARITH: Record<string, string> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '%': 'mod',
  '^': 'pow',
};

export interface LowerOptions {
  /** Every call suspends and resumes once. */
  suspendAll: boolean;
  /** Variables are to be named for people. */
  readable: boolean;
  /** The least length of functions that are compiled when they are first called. */
  later: Later;
}

/** Characters. */
export interface Later {
  /** Of a chunk's own functions. */
  readonly own: number;
  /** Of those in other functions, which may be made again and again, each with a function more. */
  readonly inner: number;
}

/** @param node  the main function, or one that has been left for later */
export function lower(chunk: Chunk, node: FunctionNode, options: LowerOptions): ChunkCode {
  const code: ChunkCode = {
    main: undefined as unknown as FunctionCode,
    sites: [],
    fields: new Map(),
    later: [],
    guards: [],
    watchesCollector: chunk.watchesCollector,
  };
  const main = new FunctionLowering(node, undefined, code, options).run();
  (code as { main: FunctionCode }).main = main;
  return code;
}

/** The variables that a function which is compiled later must be given. */
const outsideOf = ({ upvalues, self }: FunctionNode): LocalVar[] =>
  [...upvalues].filter((local) => local !== self);

/** Its name ends in `$f<index>`: error.ts reads it off the stack. */
const jsNameOf = ({ index, name }: FunctionNode): string =>
  `${index === 0 ? 'main' : safeName(name) || 'anonymous'}$f${index}`;

const IDENTIFIER = /^[A-Za-z_]\w*$/;
const safeName = (name: string): string => name.replace(/\W/g, '_');

/** `.$name` or `["$any text"]`. */
function member(name: string): string {
  return IDENTIFIER.test(name) ? `.$${name}` : `[${JSON.stringify(`$${name}`)}]`;
}

function numberText(n: number): string {
  if (n === Number.POSITIVE_INFINITY) return '(1/0)';
  if (n === Number.NEGATIVE_INFINITY) return '(-1/0)';
  if (n !== n) return '(0/0)';
  return n < 0 || (n === 0 && 1 / n < 0) ? `(${n === 0 ? '-0' : n})` : String(n);
}

const isFieldKey = (e: Expr): e is Extract<Expr, { kind: 'string' }> =>
  e.kind === 'string' && e.value.length <= MAX_FIELD_NAME;

/** Fields of metatables that decide what tables inherit: runtime/classes.ts hears of each change. */
const isWatched = (key: string): boolean =>
  key === '__index' || key === '__newindex' || key === '__mode';

/** A name: its value is there, but for a global that there isn't. */
const isVariable = (e: Expr): boolean =>
  e.kind === 'local' || e.kind === 'upvalue' || e.kind === 'global';

/** Expressions and conditions longer than this get a variable: JavaScript's parser must not nest deep. */
const MAX_TEXT = 400;
/** Longer runs of `..` are collected in an array first. */
const MAX_CONCAT = 60;
/** Lines of code between the places where continuations end. */
const CUT_DISTANCE = 300;
/** Longer runs of `elseif` don't nest. */
const MAX_ELSEIF = 40;

/** A key in brackets that may be a position of a constructor. */
const mayBeElement = (key: Expr): boolean =>
  !isFieldKey(key) && !(key.kind === 'number' && key.value < 1);

/** So many statements after `local t = {}` are looked at for fields that it gets. */
const MAX_LOOK = 100;

/** Where a `goto` to a label goes. */
interface Target {
  /** Scope that ends at the label. */
  inner: string | undefined;
  /** Scope that ends at a loop in which the label is: the flag tells the loop to go on to it. */
  outer: string | undefined;
  flag: Var | undefined;
  /** Loop that begins at the label. */
  backward: Loop | undefined;
}

class FunctionLowering {
  private readonly node: FunctionNode;
  private readonly outer: FunctionLowering | undefined;
  private readonly chunk: ChunkCode;
  private readonly options: LowerOptions;
  private readonly code: FunctionCode;
  private seq: Seq;
  private pos = 0;
  private temps = 0;
  private labels = 0;
  private readonly vars = new Map<LocalVar, Var>();
  /** The main function of a chunk. */
  private readonly isMain: boolean;
  private readonly readable: ReadableNames | undefined;
  /** In order of declaration. */
  private readonly declared: Var[] = [];
  private readonly loops: { start: number; used: Set<Var>; breakLabel: string; calls: boolean }[] =
    [];
  /** Bodies of loops that call functions. */
  private readonly calling: Seq[] = [];
  private env: Var | undefined;
  private va: Var | undefined;
  private line = 0;
  /** `goto` labels of open blocks → JavaScript labels. */
  private readonly targets = new Map<Label, Target>();

  constructor(
    node: FunctionNode,
    outer: FunctionLowering | undefined,
    chunk: ChunkCode,
    options: LowerOptions,
  ) {
    this.node = node;
    this.outer = outer;
    this.chunk = chunk;
    this.options = options;
    this.isMain = node.index === 0;
    this.readable = options.readable ? new ReadableNames(outer?.readable) : undefined;
    const isLater = outer === undefined && !this.isMain;
    this.seq = { nodes: [], owner: undefined };
    this.code = {
      node,
      params: [],
      body: this.seq,
      sites: [],
      jsName: jsNameOf(node),
      isInner: outer !== undefined && (!outer.isMain || outer.loops.length > 0),
      outside: isLater ? outsideOf(node).map((local) => this.nameOf(local)) : undefined,
      self: isLater && node.self !== undefined ? this.nameOf(node.self) : undefined,
      scratch: false,
    };
  }

  run(): FunctionCode {
    const { node, code } = this;
    this.line = node.line;
    if (node.usesEnv) {
      this.env = this.newVar('E$', true);
      // One that was left for later is given itself: what the program knows by its name.
      const self = code.outside === undefined ? `F$ = ${code.jsName}, ` : '';
      this.emitLine(`const ${self}E$ = F$.E || $E;`);
    }
    for (const p of node.params) {
      const v = this.localVar(p);
      this.owning.add(v);
      if (v.cell) {
        code.params.push(`${v.name}$p`);
        this.emitLine(`const ${v.name} = {v: ${v.name}$p};`);
      } else code.params.push(v.name);
    }
    if (node.isVararg) {
      this.va = this.newVar('va$', true);
      code.params.push('...va$');
    }
    this.block(node.body);
    if (this.va !== undefined) {
      this.owning.add(this.va);
      this.inScope.push(this.va);
    }
    this.closeScope(0);
    this.line = node.endLine;
    if (node.body.stats.at(-1)?.kind !== 'return') this.emitLine('return $NONE;');
    if (code.scratch && this.readable === undefined)
      for (const body of this.calling) this.dropScratch(body);
    this.findLive();
    if (node.pure && !this.options.suspendAll && code.sites.some((site) => !site.isCut))
      throw new Error(`${node.name} was thought to compute only`);
    return code;
  }

  /** What is called is not to find that the array which was tested last, with all that is in it, is still in use. */
  private dropScratch(seq: Seq): void {
    const js = 'a$ = undefined;';
    seq.nodes.unshift({ kind: 'line', js, names: undefined, seq, line: seq.owner!.line });
  }

  /** What each site must save: one walk over declarations and sites in order of position. */
  private findLive(): void {
    let active: Var[] = [];
    let next = 0;
    // Nearly in order: a variable may be declared some lines after it has been named.
    const declared = this.declared.sort((a, b) => a.decl - b.decl);
    for (const site of this.code.sites) {
      while (next < declared.length && declared[next]!.decl < site.pos)
        active.push(declared[next++]!);
      active = active.filter((v) => v.end > site.pos);
      if (site.live.length > 0) continue; // a guard
      // Not the table of globals, but the function: `setfenv` may change it meanwhile.
      site.live = active.filter((v) => v !== site.dst && v !== this.env);
      if (this.env !== undefined) site.live.unshift(SELF);
    }
  }

  // ── variables ────────────────────────────────────────────────────────────────────────────────

  private newVar(name: string, constant: boolean): Var {
    const v: Var = { name, decl: this.pos, end: this.pos, cell: false, constant };
    this.declared.push(v);
    return v;
  }

  /** @param what  what it is to hold, for people */
  private temp(what?: string): Var {
    const name = this.readable?.temporary(++this.temps, what) ?? `$${++this.temps}`;
    return this.newVar(name, false);
  }

  /** The JavaScript name of a local. */
  private nameOf(local: LocalVar): string {
    return this.readable?.local(local) ?? `${safeName(local.name)}$${local.id}`;
  }

  /** The variable of a local of this function, declared now. */
  private localVar(local: LocalVar): Var {
    const v = this.newVar(this.nameOf(local), local.captured && !local.assigned);
    v.cell = local.captured && local.assigned;
    this.vars.set(local, v);
    this.inScope.push(v);
    return v;
  }

  /** Locals of the blocks that are open. */
  private readonly inScope: Var[] = [];
  /**
   * Parameters, and locals that may be all that holds a channel or a socket, which ends when it is collected: a fiber
   * that waits keeps them up to the end of their block, as Lua does, though nothing reads them any more.
   */
  private readonly owning = new Set<Var>();

  /** A block ends, whose first local is number `base` of those in scope. */
  private closeScope(base: number): void {
    if (this.inScope.length === base) return;
    const ending = this.inScope.slice(base);
    const kept = this.chunk.watchesCollector ? ending : ending.filter((v) => this.owning.has(v));
    if (kept.length > 0) {
      this.pos++;
      this.use(kept);
    }
    this.inScope.length = base;
  }

  /** The variable of a local or upvalue, as this function sees it. */
  private varOf(local: LocalVar): Var {
    let v = this.vars.get(local);
    if (v === undefined) {
      v = {
        name: this.nameOf(local),
        decl: -1,
        end: -1,
        cell: local.captured && local.assigned,
        constant: true,
      };
      this.vars.set(local, v);
      this.declared.unshift(v);
    }
    return v;
  }

  /** The variables are read (or kept alive) at the current position. */
  private use(vars: readonly Var[]): void {
    for (const v of vars) {
      if (v.end < this.pos) v.end = this.pos;
      for (let i = this.loops.length - 1; i >= 0; i--) {
        const loop = this.loops[i]!;
        if (v.decl >= loop.start) break;
        loop.used.add(v);
      }
    }
  }

  // ── emitting ─────────────────────────────────────────────────────────────────────────────────

  private push(node: Node): void {
    this.seq.nodes.push(node);
  }

  private emitLine(js: string, used: readonly Var[] = NO_VARS, names?: OpNames): void {
    this.pos++;
    this.use(used);
    this.push({ kind: 'line', js, names, seq: this.seq, line: this.line });
  }

  /** The number by which emitted code names a field's accessors. */
  private field(key: string): number {
    const { fields } = this.chunk;
    let id = fields.get(key);
    if (id === undefined) fields.set(key, (id = fields.size));
    return id;
  }

  /** This function's own slow way of an operator. */
  private operator(name: string): string {
    return `$o${name}_${this.node.index}`;
  }

  private emitSite(
    head: string,
    tail: string,
    used: readonly Var[],
    dst: Var | undefined,
    adjust: Site['adjust'],
    names?: OpNames,
    accessor?: string,
  ): void {
    this.pos++;
    this.use(used);
    // A store to a variable that nobody reads needs it, too.
    if (dst !== undefined) this.use([dst]);
    const site: Site = {
      kind: 'site',
      head,
      tail,
      names,
      accessor,
      dst,
      adjust,
      isCut: false,
      isGuard: false,
      pos: this.pos,
      id: this.chunk.sites.length,
      live: [],
      seq: this.seq,
      line: this.line,
    };
    this.chunk.sites.push({ site, func: this.code });
    this.code.sites.push(site);
    this.push(site);
  }

  /** Between statements of the function's own block: end continuations here, if the last cut is far. */
  private maybeCut(): void {
    if (this.seq !== this.code.body || this.pos - this.lastCut < CUT_DISTANCE) return;
    this.emitSite('', '', NO_VARS, undefined, 'none');
    this.code.sites.at(-1)!.isCut = true;
    this.lastCut = this.pos;
  }
  private lastCut = 0;

  /** Locals that are to be functions of the libraries have got their values: leave if they are others. */
  private guard(locals: readonly LocalVar[]): void {
    const { guards } = this.chunk;
    const guarded = locals.filter((v) => v.guarded !== undefined);
    if (guarded.length === 0 || this.options.suspendAll) return;
    const tests = guarded.map((v) => `${this.varOf(v).name} !== $I.${v.guarded}`);
    const inScope = this.va === undefined ? this.inScope : [this.va, ...this.inScope];
    const relies = guarded.some((v) => v.library !== undefined);
    const head = relies ? `if (${tests.join(' || ')}) return ` : '';
    this.emitSite(head, ';', inScope, undefined, 'none');
    const site = this.code.sites.at(-1)!;
    if (relies) site.isGuard = true;
    else site.isCut = true;
    site.live = this.env === undefined ? [...inScope] : [SELF, ...inScope];
    guards.push(site.id);
  }

  private inside(seq: Seq, body: () => void): void {
    const { seq: saved } = this;
    this.seq = seq;
    body();
    this.seq = saved;
  }

  private emitIf(cond: Ex, then: () => void, orelse?: () => void): void {
    this.pos++;
    this.use(cond.vars);
    const node: If = {
      kind: 'if',
      cond: cond.js,
      then: undefined as unknown as Seq,
      orelse: undefined,
      seq: this.seq,
      line: this.line,
    };
    node.then = { nodes: [], owner: node };
    this.push(node);
    this.inside(node.then, then);
    if (orelse === undefined) return;
    node.orelse = { nodes: [], owner: node };
    this.inside(node.orelse, orelse);
  }

  private emitLoop(body: (loop: Loop) => void): void {
    this.pos++;
    const node: Loop = {
      kind: 'loop',
      label: `L${++this.labels}`,
      body: undefined as unknown as Seq,
      seq: this.seq,
      line: this.line,
    };
    node.body = { nodes: [], owner: node };
    this.push(node);
    const loop = {
      start: this.pos,
      used: new Set<Var>(),
      breakLabel: node.label,
      calls: false,
    };
    this.loops.push(loop);
    this.inside(node.body, () => body(node));
    this.pos++;
    this.loops.pop();
    if (loop.calls) this.calling.push(node.body);
    // The next iteration reads them again.
    this.use([...loop.used]);
  }

  /**
   * A loop of the program. V8 enters a function that runs in a loop when it has become hot there, knows
   * nothing of the variables then, and makes an object of each number that the loop computes, each time
   * round; of what is set before a loop that it enters later it knows the type. So an inner loop begins
   * by telling it what is a number.
   */
  private emitLuaLoop(block: Block, body: (loop: Loop) => void): void {
    if (this.loops.length > 0) this.assertNumbers(block);
    this.emitLoop(body);
  }

  /** For V8: which variables that the block computes are numbers. */
  private assertNumbers(block: Block): void {
    for (const local of this.computedIn(block)) {
      const v = this.vars.get(local);
      if (v === undefined || v.cell || v.decl < 0) continue;
      const n = v.name;
      // Where it always is a number the comparison never runs, and V8 drops that way.
      const js = `if (typeof ${n} === 'number') ${n} = +${n}; else if (${n} === 0) ${n} = 0;`;
      this.emitLine(local.num === undefined ? js : `${n} = +${n};`, [v]);
    }
  }

  private readonly computed = new Map<Block, Set<LocalVar>>();

  /** Locals that statements of the block, and of those in it, set to what arithmetic gives. */
  private computedIn(block: Block): Set<LocalVar> {
    let found = this.computed.get(block);
    if (found !== undefined) return found;
    found = new Set();
    for (const s of block.stats) {
      if (s.kind === 'assign') {
        s.targets.forEach((t, i) => {
          if (t.kind === 'local' && isComputed(s.exprs[i])) found!.add(t.v);
        });
      }
      for (const inner of blocksOf(s)) for (const v of this.computedIn(inner)) found.add(v);
    }
    this.computed.set(block, found);
    return found;
  }

  private emitScope(label: string, body: () => void): void {
    const node: Scope = {
      kind: 'scope',
      label,
      body: undefined as unknown as Seq,
      seq: this.seq,
      line: this.line,
    };
    node.body = { nodes: [], owner: node };
    this.push(node);
    this.inside(node.body, body);
  }

  private emitJump(kind: 'break' | 'continue', label: string): void {
    this.pos++;
    this.push({ kind, label, seq: this.seq, line: this.line });
  }

  // ── values ───────────────────────────────────────────────────────────────────────────────────

  private varEx(v: Var): Ex {
    return { ...base, js: v.name, vars: [v] };
  }

  private constantEx(js: string, more: Partial<Ex> = {}): Ex {
    return { ...base, js, constant: true, notNil: true, ...more };
  }

  /** As something that can be indexed and called: `1.x` is no JavaScript. */
  private object(e: Ex): Ex {
    return e.atom && !e.constant ? e : this.spill(e);
  }

  /** As something that can be named more than once. */
  private atom(e: Ex): Ex {
    return e.atom ? e : this.spill(e);
  }

  private spill(e: Ex): Ex {
    const v = this.temp();
    this.emitLine(`const ${v.name} = ${e.js};`, e.vars);
    return { ...e, js: v.name, vars: [v], atom: true, cell: '', constant: false };
  }

  /** The variable for the result of the next line, and how that line declares it. */
  private target(dst: Dst | undefined, what?: string): { v: Var; decl: string } {
    if (dst === undefined) {
      const v = this.temp(what);
      return { v, decl: 'let ' };
    }
    if (dst.declare) dst.v.decl = this.pos + 1;
    return { v: dst.v, decl: dst.declare ? 'let ' : '' };
  }

  /** One value. Where `dst` is given the result may (not must) be put there. */
  private exp(e: Expr, dst?: Dst): Ex {
    this.line = e.line;
    switch (e.kind) {
      case 'nil':
        return NIL;
      case 'true':
      case 'false':
        return this.constantEx(e.kind, { bool: true });
      case 'number':
        return this.constantEx(numberText(e.value), {
          num: true,
          int: Number.isInteger(e.value),
          min: e.value,
        });
      case 'string': {
        const text = this.constantEx(JSON.stringify(e.value));
        return e.value.length <= 40 ? text : { ...text, atom: false };
      }
      case 'local':
      case 'upvalue':
        return this.variable(e.v, e.kind);
      case 'global':
        return this.fieldGet(this.envEx(), e.name, [undefined], dst);
      case 'index':
        return this.indexGet(e, dst);
      case 'call':
      case 'method': {
        if (libraryCall(e) !== undefined) return this.libraryValue(e as LibraryCall, dst);
        const v = this.varEx(this.call(e, 'one', dst)!);
        const result = calledFunction(e)?.result;
        return result === undefined
          ? v
          : { ...v, num: true, int: result === 'integer', notNil: true };
      }
      case 'vararg': {
        const ex: Ex = { ...base, js: 'va$[0]', vars: [this.va!], atom: false };
        return this.spill(ex);
      }
      case 'functionExpr':
        return this.closure(e);
      case 'binary':
        return this.binary(e, dst);
      case 'concat':
        return this.concat(e.parts, dst);
      case 'unary':
        return this.unary(e, dst);
      case 'and':
      case 'or':
        return this.logical(e, dst);
      case 'paren':
        return this.exp(e.inner, dst);
      case 'table':
        return this.table(e);
    }
  }

  private variable(local: LocalVar, kind: 'local' | 'upvalue'): Ex {
    const v = this.varOf(local);
    const ex = this.varEx(v);
    if (v.cell) {
      ex.js = `${v.name}.v`;
      ex.cell = kind === 'local' ? 'own' : 'upvalue';
    }
    if (local.num !== undefined) {
      ex.num = ex.notNil = true;
      ex.int = local.num === 'integer';
    } else if (local.known !== undefined) {
      ex.func = local.known;
      ex.notNil = true;
    }
    const min = this.loopVars.get(local);
    if (min !== undefined) {
      ex.num = ex.notNil = true;
      ex.min = min;
    }
    return ex;
  }
  /** Variables of numeric `for` loops that the body does not assign, with their least value. */
  private readonly loopVars = new Map<LocalVar, number>();

  private envEx(): Ex {
    return this.varEx(this.env!);
  }

  /** Evaluates without a line of its own, and without reading a cell. */
  private static isPlain(e: Expr): boolean {
    switch (e.kind) {
      case 'nil':
      case 'true':
      case 'false':
      case 'number':
      case 'string':
      case 'local':
      case 'upvalue':
        return true;
      case 'paren':
        return FunctionLowering.isPlain(e.inner);
      default:
        return false;
    }
  }

  /** Values of a list, in order; a cell is copied where something is evaluated after it. */
  private list(exprs: readonly Expr[]): Ex[] {
    const out: Ex[] = [];
    exprs.forEach((e, i) => {
      let ex = this.exp(e);
      if (ex.cell !== '' && exprs.slice(i + 1).some((later) => !FunctionLowering.isPlain(later))) {
        ex = this.spill(ex);
      }
      out.push(ex);
    });
    return out;
  }

  /** The left operand, safe from what evaluating the right one does. */
  private leftOf(left: Ex, right: Expr): Ex {
    return left.cell === 'upvalue' && !FunctionLowering.isPlain(right) ? this.spill(left) : left;
  }

  // ── operators ────────────────────────────────────────────────────────────────────────────────

  /** Operators nest to the left as deep as the text is long: no recursion in that direction. */
  private binary(e: Extract<Expr, { kind: 'binary' }>, dst?: Dst): Ex {
    const spine = [e];
    for (let x = e.left; x.kind === 'binary'; x = x.left) spine.push(x);
    const first = spine.at(-1)!;
    const isNilTest = (first.op === '==' || first.op === '~=') && first.right.kind === 'nil';
    let left = isNilTest ? this.maybeNil(first.left) : this.exp(first.left);
    for (let i = spine.length - 1; i >= 0; i--) {
      const { op, left: l, right, line } = spine[i]!;
      left = this.leftOf(left, right);
      const r = this.exp(right);
      this.line = line;
      left = this.operate(op, left, r, [name(l), name(right)], i === 0 ? dst : undefined);
    }
    return left;
  }

  private operate(op: BinaryOp, l: Ex, r: Ex, names: OpNames, dst: Dst | undefined): Ex {
    switch (op) {
      case '==':
      case '~=':
        return this.equality(l, r, op === '~=');
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.compare(op, l, r);
      default:
        return this.arith(op, l, r, names, dst);
    }
  }

  private static arithText(op: BinaryOp, l: Ex, r: Ex): string {
    if (op === '%') return modText(l, r);
    if (op === '^')
      return r.constant && r.js === '2' ? `${l.js} * ${l.js}` : `$npow(${l.js}, ${r.js})`;
    return `${l.js} ${op} ${r.js}`;
  }

  private arith(op: BinaryOp, left: Ex, right: Ex, names: OpNames, dst?: Dst): Ex {
    if (left.num && right.num) {
      const l = op === '^' || op === '%' ? this.atom(left) : left;
      const r = op === '%' ? this.atom(right) : right;
      const call = op === '^' && right.js !== '2';
      const text = FunctionLowering.arithText(op, l, r);
      const ex: Ex = {
        ...base,
        js: call ? text : `(${text})`,
        vars: [...l.vars, ...r.vars],
        num: true,
        int: left.int && right.int && op !== '/' && op !== '^',
        notNil: true,
        atom: false,
        constant: l.constant && r.constant,
        cell: cellOf(l, r),
        min: leastResult(op, left, right),
      };
      return text.length > MAX_TEXT ? this.spill(ex) : ex;
    }
    const l = this.atom(left);
    const r = this.atom(right);
    const { v, decl } = this.target(dst);
    const fast = FunctionLowering.arithText(op, l, r);
    const d = decl === '' ? '' : `let ${v.name}; `;
    const test = `${d}if (${[numberTest(l), numberTest(r)].filter(Boolean).join(' && ')}) ${v.name} = ${fast}; `;
    const slow = this.operator(ARITH[op]!);
    this.emitSite(
      `${test}else if ((${v.name} = ${slow}(${l.js}, ${r.js})) === $SUSPEND) return `,
      ';',
      [...l.vars, ...r.vars],
      v,
      'one',
      names,
      slow,
    );
    return this.varEx(v);
  }

  private compare(op: '<' | '<=' | '>' | '>=', left: Ex, right: Ex): Ex {
    if (left.num && right.num) {
      return {
        ...base,
        js: `(${left.js} ${op} ${right.js})`,
        vars: [...left.vars, ...right.vars],
        bool: true,
        notNil: true,
        atom: false,
        cell: cellOf(left, right),
      };
    }
    const l = this.atom(left);
    const r = this.atom(right);
    const v = this.temp();
    const swap = op === '>' || op === '>=';
    const fn = this.operator(op === '<' || op === '>' ? 'lt' : 'le');
    const args = swap ? `${r.js}, ${l.js}` : `${l.js}, ${r.js}`;
    const tests = [numberTest(l), numberTest(r)].filter(Boolean).join(' && ');
    this.emitSite(
      `let ${v.name}; if (${tests}) ${v.name} = ${l.js} ${op} ${r.js}; else if ((${v.name} = ${fn}(${args})) === $SUSPEND) return `,
      ';',
      [...l.vars, ...r.vars],
      v,
      'bool',
      undefined,
      fn,
    );
    return { ...this.varEx(v), bool: true, notNil: true };
  }

  private equality(left: Ex, right: Ex, negate: boolean): Ex {
    const vars = [...left.vars, ...right.vars];
    if (left.constant || right.constant || left.num || right.num || left.bool || right.bool) {
      return {
        ...base,
        js: `(${left.js} ${negate ? '!==' : '==='} ${right.js})`,
        vars,
        bool: true,
        notNil: true,
        atom: false,
        cell: cellOf(left, right),
      };
    }
    const l = this.atom(left);
    const r = this.atom(right);
    const v = this.temp();
    this.emitSite(
      `let ${v.name} = ${l.js} === ${r.js}; if (!${v.name} && typeof ${l.js} === 'object' && (${v.name} = $O.eq(${l.js}, ${r.js})) === $SUSPEND) return `,
      ';',
      vars,
      v,
      'bool',
    );
    const ex = { ...this.varEx(v), bool: true, notNil: true };
    return negate ? { ...ex, js: `!${v.name}`, atom: false } : ex;
  }

  private concat(parts: readonly Expr[], dst?: Dst): Ex {
    const { line } = this;
    if (parts.length > MAX_CONCAT) return this.longConcat(parts, dst);
    const values = this.list(parts);
    this.line = line;
    let right = this.atom(values.at(-1)!);
    let rightName = name(parts.at(-1)!);
    for (let i = values.length - 2; i >= 0; i--) {
      const left = this.atom(values[i]!);
      const { v, decl } = this.target(i === 0 ? dst : undefined);
      const d = decl === '' ? '' : `let ${v.name}; `;
      const tests = [stringTest(left), stringTest(right)].filter(Boolean).join(' && ');
      const head =
        tests === ''
          ? `${decl}${v.name} = ${left.js} + ${right.js}; if (${v.name} === $SUSPEND) return `
          : `${d}if (${tests}) ${v.name} = ${left.js} + ${right.js}; else if ((${v.name} = $O.concat(${left.js}, ${right.js})) === $SUSPEND) return `;
      this.emitSite(head, ';', [...left.vars, ...right.vars], v, 'one', [
        name(parts[i]!),
        rightName,
      ]);
      right = this.varEx(v);
      rightName = undefined;
    }
    return right;
  }

  private longConcat(parts: readonly Expr[], dst?: Dst): Ex {
    const { line } = this;
    const array = this.temp();
    this.emitLine(`const ${array.name} = [];`);
    for (const part of parts) {
      const value = this.exp(part);
      this.emitLine(`${array.name}.push(${value.js});`, [array, ...value.vars]);
    }
    this.line = line;
    const { v, decl } = this.target(dst);
    this.emitSite(
      `${decl}${v.name} = $O.concatAll(${array.name}); if (${v.name} === $SUSPEND) return `,
      ';',
      [array],
      v,
      'one',
      parts.map(name),
    );
    return this.varEx(v);
  }

  private unary(e: Extract<Expr, { kind: 'unary' }>, dst?: Dst): Ex {
    if (e.op === 'not') {
      const test = this.test(e.operand);
      return { ...test, js: `!${test.js}`, bool: true, notNil: true, atom: false, constant: false };
    }
    const operand = this.exp(e.operand);
    this.line = e.line;
    if (e.op === '-' && operand.num) {
      return {
        ...operand,
        js: `(-${operand.js})`,
        atom: false,
        cell: cellOf(operand, NIL),
        min: Number.NEGATIVE_INFINITY,
      };
    }
    const o = e.op === '#' ? this.object(operand) : this.atom(operand);
    const { v, decl } = this.target(dst);
    const d = decl === '' ? '' : `let ${v.name}; `;
    let head: string;
    if (e.op === '-')
      head = `${d}if (typeof ${o.js} === 'number') ${v.name} = -${o.js}; else if ((${v.name} = $O.unm(${o.js})) === $SUSPEND) return `;
    else {
      this.code.scratch = true;
      // What is no table has the array EMPTY.
      const plain = `${o.js} !== undefined && ${o.js}.meta === undefined && (a$ = ${o.js}.arr) !== $EMPTY && ${o.js}.hash === undefined`;
      head = `${d}if (typeof ${o.js} === 'string') ${v.name} = ${o.js}.length; else if (${plain}) ${v.name} = a$.length - 1; else if ((${v.name} = $O.len(${o.js})) === $SUSPEND) return `;
    }
    this.emitSite(head, ';', o.vars, v, 'one', [name(e.operand)]);
    return this.varEx(v);
  }

  private logical(e: LogicalExpr, dst?: Dst): Ex {
    const choice = this.choice(e, dst);
    if (choice !== undefined) return choice;
    const spine = spineOf(e);
    let left = this.maybeNil(spine.at(-1)!.left);
    let v: Var;
    if (dst?.declare === true && !left.vars.includes(dst.v)) v = this.target(dst).v;
    else v = this.temp();
    this.emitLine(`let ${v.name} = ${left.js};`, left.vars);
    // What it is when it is true: `x and 1 or 2` is a number.
    let trueNum = left.num;
    for (let i = spine.length - 1; i >= 0; i--) {
      const { kind, right } = spine[i]!;
      const taken = truth({ ...this.varEx(v), bool: left.bool });
      const cond = kind === 'and' ? taken : { ...taken, js: `!${taken.js}` };
      let r: Ex = NIL;
      this.emitIf(cond, () => {
        r = this.exp(right);
        this.emitLine(`${v.name} = ${r.js};`, [v, ...r.vars]);
      });
      const num = kind === 'or' ? trueNum && r.num : left.num && r.num;
      trueNum = kind === 'or' ? trueNum && r.num : r.num;
      left = {
        ...this.varEx(v),
        bool: left.bool && r.bool,
        num,
        notNil: kind === 'or' ? r.notNil : left.notNil && r.notNil,
      };
    }
    return left;
  }

  /** `test and a or b`, where `a` is never false: one of two values. */
  private choice(e: LogicalExpr, dst?: Dst): Ex | undefined {
    let { left } = e;
    while (left.kind === 'paren') left = left.inner;
    if (e.kind !== 'or' || left.kind !== 'and' || !isNeverFalse(left.right)) return undefined;
    const { left: condition, right: a } = left;
    const cond = this.test(condition);
    const v =
      dst?.declare === true && !cond.vars.includes(dst.v) ? this.target(dst).v : this.temp();
    this.emitLine(`let ${v.name};`);
    const values: Ex[] = [];
    const store = (value: Expr): void => {
      const ex = this.exp(value);
      values.push(ex);
      this.emitLine(`${v.name} = ${ex.js};`, [v, ...ex.vars]);
    };
    this.emitIf(
      cond,
      () => store(a),
      () => store(e.right),
    );
    return {
      ...this.varEx(v),
      bool: values.every((x) => x.bool),
      num: values.every((x) => x.num),
      int: values.every((x) => x.int),
      notNil: values.every((x) => x.notNil),
      min: Math.min(...values.map((x) => x.min)),
    };
  }

  /** As a JavaScript condition. */
  private test(e: Expr): Ex {
    this.line = e.line;
    if (e.kind === 'paren') return this.test(e.inner);
    if (e.kind !== 'and' && e.kind !== 'or') return truth(this.maybeNil(e));
    const spine = spineOf(e);
    let left = this.test(spine.at(-1)!.left);
    for (let i = spine.length - 1; i >= 0; i--) {
      const { kind, right } = spine[i]!;
      if (this.isPureTest(right) && left.js.length < MAX_TEXT) {
        const r = this.test(right);
        left = {
          ...base,
          js: `(${left.js} ${kind === 'and' ? '&&' : '||'} ${r.js})`,
          vars: [...left.vars, ...r.vars],
          bool: true,
          atom: false,
        };
        continue;
      }
      const v = this.temp();
      this.emitLine(`let ${v.name} = ${left.js};`, left.vars);
      const cond = { ...this.varEx(v), js: kind === 'and' ? v.name : `!${v.name}` };
      this.emitIf(cond, () => {
        const r = this.test(right);
        this.emitLine(`${v.name} = ${r.js};`, [v, ...r.vars]);
      });
      left = { ...this.varEx(v), bool: true };
    }
    return left;
  }

  /** Its test needs no line of its own. */
  private isPureTest(e: Expr): boolean {
    switch (e.kind) {
      case 'paren':
        return this.isPureTest(e.inner);
      case 'and':
      case 'or':
        return this.isPureTest(e.left) && this.isPureTest(e.right);
      case 'unary':
        return e.op === 'not' && this.isPureTest(e.operand);
      case 'binary': {
        if (e.op !== '==' && e.op !== '~=') return false;
        const constant = (x: Expr): boolean =>
          x.kind === 'nil' ||
          x.kind === 'true' ||
          x.kind === 'false' ||
          x.kind === 'number' ||
          x.kind === 'string';
        return (
          (constant(e.left) || constant(e.right)) &&
          FunctionLowering.isPlain(e.left) &&
          FunctionLowering.isPlain(e.right)
        );
      }
      default:
        return FunctionLowering.isPlain(e);
    }
  }

  // ── tables ───────────────────────────────────────────────────────────────────────────────────

  /** A value that the program expects to be nil at times. */
  private maybeNil(e: Expr): Ex {
    if (e.kind === 'paren') return this.maybeNil(e.inner);
    if (e.kind !== 'index') return this.exp(e);
    this.line = e.line;
    return this.indexGet(e, undefined, true);
  }

  private indexGet(e: Extract<Expr, { kind: 'index' }>, dst?: Dst, maybeNil = false): Ex {
    if (isFieldKey(e.key)) {
      const obj = this.object(this.exp(e.obj));
      this.line = e.line;
      return this.fieldGet(obj, e.key.value, [name(e.obj)], dst);
    }
    const o = this.leftOf(this.exp(e.obj), e.key);
    const k = this.exp(e.key);
    const obj = this.object(o);
    const key = this.atom(k);
    this.line = e.line;
    const vars = [...obj.vars, ...key.vars];
    const { v, decl } = this.target(dst !== undefined && !vars.includes(dst.v) ? dst : undefined);
    const d = decl === '' ? '' : `let ${v.name}; `;
    const slow = `(${v.name} = $O.index(${obj.js}, ${key.js})) === $SUSPEND) return `;
    if (key.constant && !key.num) {
      this.emitSite(`${d}if (${slow}`, ';', vars, v, 'one', [name(e.obj)]);
    } else {
      const tests = keyTests(key);
      // Reading on beyond the end would always do, but V8 makes an object of each number that it reads
      // in a place where that happens.
      if (maybeNil) tests.push(this.inArray(obj, key));
      const array = maybeNil ? 'a$' : this.arrayOf(obj);
      tests.push(`(${v.name} = ${array}[${key.js}]) !== undefined`);
      if (!(key.num && key.min >= 1)) tests.push(`(${key.js} !== 0 || ${v.name} !== ${NO_ZERO})`);
      this.emitSite(`${d}if (${tests.join(' && ')}); else if (${slow}`, ';', vars, v, 'one', [
        name(e.obj),
      ]);
    }
    return this.varEx(v);
  }

  private fieldGet(obj: Ex, key: string, names: OpNames, dst?: Dst): Ex {
    const { v, decl } = this.target(
      dst !== undefined && !obj.vars.includes(dst.v) ? dst : undefined,
      key,
    );
    const get = `$g${this.field(key)}`;
    this.emitSite(
      `${decl}${v.name} = ${obj.js}${member(key)}; if (${v.name} === undefined && (${v.name} = ${get}(${obj.js})) === $SUSPEND) return `,
      ';',
      obj.vars,
      v,
      'one',
      names,
      get,
    );
    return this.varEx(v);
  }

  private fieldSet(obj: Ex, key: string, value: Ex, names: OpNames): void {
    const val = this.atom(value);
    const place = `${obj.js}${member(key)}`;
    const test = val.notNil ? '' : ` && ${val.js} !== undefined`;
    const set = `$s${this.field(key)}`;
    // The runtime is to hear of watched ones: it may have made classes of what they were.
    const quick = isWatched(key)
      ? ''
      : `if (${place} !== undefined${test}) ${place} = ${val.js}; else `;
    this.emitSite(
      `${quick}if (${set}(${obj.js}, ${val.js}) === $SUSPEND) return `,
      ';',
      [...obj.vars, ...val.vars],
      undefined,
      'none',
      names,
      set,
    );
  }

  /** In a loop, and not for people: see `overCallee`. */
  private get empties(): boolean {
    return this.loops.length > 0 && this.readable === undefined;
  }

  /** The array part. In a loop it has a name, since V8 may keep what has none up to the next such value: `dropScratch`. */
  private arrayOf(obj: Ex): string {
    if (!this.empties) return `${obj.js}.arr`;
    this.code.scratch = true;
    return `(a$ = ${obj.js}.arr)`;
  }

  /** The test that a positive key is an element's, which leaves the array in `a$`. */
  private inArray(obj: Ex, key: Ex): string {
    this.code.scratch = true;
    return `${key.js} < (a$ = ${obj.js}.arr).length`;
  }

  private indexSet(obj: Ex, key: Ex, value: Ex, names: OpNames): void {
    const k = this.atom(key);
    const val = this.atom(value);
    const set = this.operator('set');
    const slow = `${set}(${obj.js}, ${k.js}, ${val.js}) === $SUSPEND) return `;
    const vars = [...obj.vars, ...k.vars, ...val.vars];
    if (k.constant && !k.num) {
      this.emitSite(`if (${slow}`, ';', vars, undefined, 'none', names, set);
      return;
    }
    this.code.scratch = true;
    const tests = [...keyTests(k)];
    if (!val.notNil) tests.push(`${val.js} !== undefined`);
    if (!(k.num && k.min >= 1))
      tests.push(
        `(${k.js} !== 0 || (${obj.js}.arr[0] !== ${NO_ZERO} && ${val.js} !== ${NO_ZERO}))`,
      );
    // One more than there are elements: not the first, and not where `append` looks at the whole array.
    const grows = `${k.js} === a$.length && a$ !== $EMPTY && (${k.js} & (${k.js} - 1)) !== 0 && ${obj.js}.meta === undefined && ${obj.js}.hash === undefined`;
    tests.push(`(${k.js} < (a$ = ${obj.js}.arr).length ? a$[${k.js}] !== undefined : ${grows})`);
    this.emitSite(
      `if (${tests.join(' && ')}) a$[${k.js}] = ${val.js}; else if (${slow}`,
      ';',
      vars,
      undefined,
      'none',
      names,
      set,
    );
  }

  /** Fields that the statements after `local t = {…}` add to the table that is made next. */
  private laterFields = 0;

  private static countFields(s: Stat, following: readonly Stat[], from: number): number {
    if (s.kind !== 'local' || s.vars.length !== 1 || s.exprs[0]?.kind !== 'table') return 0;
    const names = new Set<string>();
    const end = Math.min(following.length, from + MAX_LOOK);
    for (let i = from; i < end; i++) {
      const next = following[i]!;
      if (next.kind !== 'assign') continue;
      for (const { kind, obj, key } of next.targets as Extract<Expr, { kind: 'index' }>[]) {
        const isIt = kind === 'index' && obj.kind === 'local' && obj.v === s.vars[0];
        if (isIt && isFieldKey(key)) names.add(key.value);
      }
    }
    return names.size;
  }

  /** Positional items of one array literal; longer constructors are filled element by element. */
  private static readonly LITERAL = 64;

  /** A key may be one of the positions: the later item wins. */
  private static isOrdered({ items }: TableExpr): boolean {
    return (
      items.some(({ key }) => key === undefined) &&
      items.some(({ key }) => key !== undefined && mayBeElement(key))
    );
  }

  /** @param ofClass  the table is to be made as one of a class, with the metatable that this evaluates */
  private table(e: TableExpr, ofClass?: ClassTest): Ex {
    const { line } = this;
    const { items } = e;
    const named = items.filter((item) => item.key !== undefined && isFieldKey(item.key)).length;
    const last = items.at(-1);
    const open =
      last !== undefined && last.key === undefined && isMulti(last.value) ? last.value : undefined;
    const fields = named + this.laterFields;
    const maker = `$T${fields === 0 ? 0 : ([2, 4, 8, 12, 16, 24].find((n) => n >= fields) ?? 32)}`;
    // Tables inside this one are others.
    this.laterFields = 0;
    const make = (t: Var): void => {
      const test = ofClass?.test();
      t.decl = this.pos + 1;
      const own = `new ${maker}()`;
      const made = test === undefined ? own : `(m$ = ${test.js}) ? new m$() : ${own}`;
      const mark = named > 0 ? ` ${t.name}.named = true;` : '';
      this.emitLine(`const ${t.name} = ${made};${mark}`, test?.vars);
    };
    const lastCode =
      ofClass?.isPlain === false
        ? items.length
        : items.findLastIndex(
            ({ key, value }) =>
              !FunctionLowering.isPlain(value) ||
              (key !== undefined && !FunctionLowering.isPlain(key)),
          );
    const t = this.temp();
    const ordered = FunctionLowering.isOrdered(e);
    if (ordered || items.length > FunctionLowering.LITERAL) {
      make(t);
      this.fillTable(t, items, open, ordered);
      return { ...this.varEx(t), notNil: true };
    }
    const elements: Ex[] = [];
    const stores: { js: string; vars: Var[] }[] = [];
    items.forEach((item, i) => {
      if (item === last && open !== undefined) return;
      const keep = (ex: Ex): Ex => (ex.cell !== '' && i <= lastCode ? this.spill(ex) : ex);
      if (item.key === undefined) elements.push(keep(this.exp(item.value)));
      else if (isFieldKey(item.key)) {
        const value = keep(this.exp(item.value));
        this.field(item.key.value);
        stores.push({ js: `${member(item.key.value)} = ${value.js};`, vars: value.vars });
      } else {
        const key = keep(this.exp(item.key));
        const value = keep(this.exp(item.value));
        stores.push({ js: `${key.js}, ${value.js});`, vars: [...key.vars, ...value.vars] });
      }
    });
    const tail = open === undefined ? undefined : this.multi(open);
    this.line = line;
    make(t);
    const vars = [t, ...elements.flatMap((x) => x.vars), ...(tail?.vars ?? NO_VARS)];
    const list = [NO_ZERO, ...elements.map((x) => x.js)].join(', ');
    if (tail !== undefined) this.emitLine(`${t.name}.arr = $trim([${list}, ...${tail.js}]);`, vars);
    else if (elements.length > 0) {
      const text = elements.at(-1)!.notNil ? `[${list}]` : `$trim([${list}])`;
      this.emitLine(`${t.name}.arr = ${text};`, vars);
    }
    for (const { js, vars: used } of stores) {
      const isField = js.startsWith('.') || js.startsWith('[');
      this.emitLine(isField ? t.name + js : `$rawset(${t.name}, ${js}`, [t, ...used]);
    }
    return { ...this.varEx(t), notNil: true };
  }

  /**
   * Item by item: for constructors too long for one literal, and (`ordered`) for those in which a key
   * may be one of the positions, since the later item wins. LuaJIT stores an open last item at the end.
   */
  private fillTable(
    t: Var,
    items: TableExpr['items'],
    open: Expr | undefined,
    ordered: boolean,
  ): void {
    let position = 0;
    let array: Var | undefined;
    if (!ordered && items.some(({ key }) => key === undefined)) {
      array = this.temp();
      this.emitLine(`const ${array.name} = [${NO_ZERO}];`);
    }
    for (const [i, { key, value }] of items.entries()) {
      if (i === items.length - 1 && open !== undefined) break;
      if (key === undefined) {
        const v = this.exp(value);
        position++;
        if (array !== undefined) {
          this.emitLine(`${array.name}.push(${v.js});`, [array, ...v.vars]);
        } else this.emitLine(`$rawset(${t.name}, ${position}, ${v.js});`, [t, ...v.vars]);
      } else if (isFieldKey(key)) {
        const v = this.exp(value);
        this.field(key.value);
        this.emitLine(`${t.name}${member(key.value)} = ${v.js};`, [t, ...v.vars]);
      } else {
        let k = this.exp(key);
        if (k.cell !== '' && !FunctionLowering.isPlain(value)) k = this.spill(k);
        const v = this.exp(value);
        this.emitLine(`$rawset(${t.name}, ${k.js}, ${v.js});`, [t, ...k.vars, ...v.vars]);
      }
    }
    const tail = open === undefined ? undefined : this.multi(open);
    if (array !== undefined) {
      if (tail !== undefined) {
        this.emitLine(`$pushAll(${array.name}, ${tail.js});`, [array, ...tail.vars]);
      }
      this.emitLine(`${t.name}.arr = $trim(${array.name});`, [t, array]);
    } else if (tail !== undefined) {
      this.emitLine(`$setList(${t.name}, ${position}, ${tail.js});`, [t, ...tail.vars]);
    }
  }

  // ── calls ────────────────────────────────────────────────────────────────────────────────────

  /** A call or `...` as JavaScript text for a list of values. */
  private multi(e: Expr): { js: string; vars: Var[]; raw?: string } {
    if (e.kind === 'vararg') return { js: 'va$', vars: [this.va!] };
    const raw = this.call(e as CallExpr, 'raw')!;
    return { js: `$list(${raw.name})`, vars: [raw], raw: raw.name };
  }

  /** Arguments, in order, the last one open where it is a call or `...`. */
  private args(exprs: readonly Expr[], short = false): Args {
    const last = exprs.at(-1);
    if (last === undefined) return { js: '', vars: NO_VARS, operands: [] };
    if (!isMulti(last)) {
      let values = this.list(exprs);
      if (short) values = values.map((x) => this.atom(x));
      return {
        js: values.map((x) => x.js).join(', '),
        vars: values.flatMap((x) => x.vars),
        operands: short ? values : [],
      };
    }
    const values = this.list([...exprs.slice(0, -1), last].slice(0, -1));
    const kept =
      last.kind === 'vararg'
        ? values
        : values.map((x) => (x.cell !== '' ? this.spill(x) : short ? this.atom(x) : x));
    const tail = this.multi(last);
    const before = kept.map((x) => x.js);
    const vars = [...kept.flatMap((x) => x.vars), ...tail.vars];
    const { raw } = tail;
    if (raw === undefined)
      return { js: [...before, `...${tail.js}`].join(', '), vars, operands: [] };
    return {
      js: [...before, `...${raw}`].join(', '),
      vars,
      single: { raw, js: [...before, raw].join(', ') },
      // A list is neither a number nor a string: the tests of the short way fail.
      operands: short ? [...kept, { ...base, js: raw, raw: true } as Operand] : [],
    };
  }

  /** `setmetatable({…}, Class)`: where it is the library's, the table is made as one of that class. */
  private newObject(e: CallExpr): Callee | undefined {
    const [literal, meta] = e.args;
    if (!this.isSetMetatable(e) || !FunctionLowering.isLiteral(literal!)) return;
    this.code.scratch = true;
    const fn = this.atom(this.spillCell(this.object(this.exp(e.fn))));
    let found = base;
    const isPlain = FunctionLowering.isPlain(meta!);
    const test: ClassTest['test'] = () => {
      found = this.atom(this.exp(meta!));
      return FunctionLowering.makerOf(fn, found);
    };
    const t = this.table(literal, { isPlain, test });
    return {
      fn,
      names: [name(e.fn), `call ${countOf(e.args, 0)}`],
      args: {
        js: `${t.js}, ${found.js}`,
        vars: [...t.vars, ...found.vars],
        operands: [t, found],
        isMade: true,
      },
    };
  }

  /** `setmetatable(…, Class)` with a class that is the value of a variable. */
  private isSetMetatable(e: CallExpr): e is Extract<CallExpr, { kind: 'call' }> {
    if (this.options.suspendAll || e.kind !== 'call' || calledName(e) !== 'setmetatable')
      return false;
    return e.args.length === 2 && isVariable(e.args[1]!);
  }

  private static isLiteral(e: Expr): e is TableExpr {
    if (e.kind !== 'table' || FunctionLowering.isOrdered(e)) return false;
    return e.items.length <= FunctionLowering.LITERAL;
  }

  private static makerOf(fn: Ex, meta: Ex): ReturnType<ClassTest['test']> {
    const js = `${fn.js} === $I.setmetatable && ((${meta.js})?.maker ?? $maker(${meta.js}))`;
    return { js, vars: [...fn.vars, ...meta.vars] };
  }

  /**
   * `local o = {…}`, then `setmetatable(o, Class)`: as `local o = setmetatable({…}, Class)`.
   * @returns false where it is something else, and nothing has been done
   */
  private localObject(s: Stat, next: Stat | undefined): boolean {
    if (s.kind !== 'local' || next?.kind !== 'callStat' || next.call.kind !== 'call') return false;
    const { call } = next;
    const [literal] = s.exprs;
    const [local] = s.vars;
    const [t, meta] = call.args;
    if (s.exprs.length !== 1 || s.vars.length !== 1 || !FunctionLowering.isLiteral(literal!))
      return false;
    const isIt = (e: Expr): boolean => e.kind === 'local' && e.v === local;
    if (!this.isSetMetatable(call) || !isIt(t!) || isIt(meta!) || isIt(call.fn)) return false;
    if (!isVariable(call.fn)) return false;
    this.line = s.line;
    this.code.scratch = true;
    let fn = base;
    let found = base;
    const isPlain = FunctionLowering.isPlain(meta!) && FunctionLowering.isPlain(call.fn);
    const made = this.table(literal, {
      isPlain,
      test: () => {
        this.line = next.line;
        fn = this.atom(this.spillCell(this.object(this.exp(call.fn))));
        found = this.atom(this.exp(meta!));
        return FunctionLowering.makerOf(fn, found);
      },
    });
    this.bind(local!, made);
    const v = this.temp();
    this.emitSite(
      `const ${v.name} = m$ ? $NONE : ${this.callText(fn, `${made.js}, ${found.js}`)}; if (${v.name} !== $NONE && $isA(${v.name}) && $O.settle(${v.name}) === $SUSPEND) return `,
      ';',
      [...fn.vars, ...made.vars, ...found.vars],
      undefined,
      'none',
      [name(call.fn), `call ${countOf(call.args, 0)}`],
    );
    return true;
  }

  private spillCell(e: Ex): Ex {
    return e.cell === '' ? e : this.spill(e);
  }

  /** The function to call and its arguments. */
  private callee(e: CallExpr, isUsed = true): Callee {
    const made = isUsed ? this.newObject(e) : undefined;
    if (made !== undefined) return made;
    if (e.kind === 'method') {
      let obj = this.object(this.exp(e.obj));
      if (obj.cell !== '') obj = this.spill(obj);
      this.line = e.line;
      const fn = this.method(obj, e.name, name(e.obj));
      const args = this.args(e.args, isIntrinsicName(e.name));
      return {
        fn,
        names: [`method '${e.name}'`, `call ${countOf(e.args, 1)}`],
        args: {
          operands: args.operands.length === e.args.length ? [obj, ...args.operands] : [],
          js: args.js === '' ? obj.js : `${obj.js}, ${args.js}`,
          vars: [...obj.vars, ...args.vars],
          single: args.single && { ...args.single, js: `${obj.js}, ${args.single.js}` },
        },
      };
    }
    let fn = this.object(this.exp(e.fn));
    if (fn.cell !== '' && e.args.some((a) => !FunctionLowering.isPlain(a))) fn = this.spill(fn);
    return {
      fn,
      args: this.args(e.args, isIntrinsicName(calledName(e))),
      names: [name(e.fn), `call ${countOf(e.args, 0)}`],
    };
  }

  /**
   * `obj:name`: the object's own field, then its class's (one level), then whatever `__index` says. An
   * object with a hash may have its own there, set by a key that was made at run time.
   */
  private method(obj: Ex, key: string, objName: string | undefined): Ex {
    const v = this.temp(key);
    const m = member(key);
    const n = v.name;
    // One accessor a call site: each learns the classes that it meets.
    const get = `$g${this.field(key)}_${this.chunk.sites.length}`;
    const own = `(${n} = ${obj.js}${m}) === undefined && (${obj.js}.hash !== undefined || (${n} = ${obj.js}.meta) === undefined || (${n} = ${n}.$__index) === undefined || (${n} = ${n}${m}) === undefined)`;
    const missed = STRING_METHODS.has(key)
      ? `(typeof ${obj.js} === 'string' ? (${n} = $R.stringMeta?.$__index?.${m.slice(1)}) === undefined : ${own})`
      : own;
    this.emitSite(
      `let ${n}; if (${missed} && (${n} = ${get}(${obj.js})) === $SUSPEND) return `,
      ';',
      obj.vars,
      v,
      'one',
      [objName],
      get,
    );
    return this.varEx(v);
  }

  private callText(fn: Ex, args: string): string {
    if (this.options.suspendAll)
      return `$callSuspending(${fn.js}${args === '' ? '' : `, ${args}`})`;
    if (fn.func !== undefined) return `${fn.js}(${args})`;
    return `typeof ${fn.js} === 'function' ? ${fn.js}(${args}) : $O.call(${fn.js}${args === '' ? '' : `, ${args}`})`;
  }

  /** The last argument is a call: mostly it comes to one value, and V8 need not spread a list. */
  private static forCount({ js, single }: Args, text: (args: string) => string): string {
    if (single === undefined) return text(js);
    return `$isA(${single.raw}) ? (${text(js)}) : (${text(single.js)})`;
  }

  /** What a call of a function of the libraries that is known reads, and does. */
  private libraryParts(e: LibraryCall): LibraryParts {
    const fn = this.exp(e.fn);
    const args = this.args(e.args, true);
    this.line = e.line;
    const short = intrinsic(e.fn.v.library!, args.operands);
    return {
      short: short?.js,
      tests: short?.tests.join(' && ') ?? '',
      call: FunctionLowering.forCount(args, (js) => `${fn.js}(${js})`),
      vars: [...fn.vars, ...args.vars],
      operands: args.operands,
      names: [name(e.fn), `call ${countOf(e.args, 0)}`],
    };
  }

  /** Such a call is no site: it returns one value, and calls no Lua. */
  private libraryValue(e: LibraryCall, dst?: Dst): Ex {
    const { short, tests, call, vars, operands, names } = this.libraryParts(e);
    const returned = returnedBy(e.fn.v.library!);
    const num = returned !== 'text';
    const known = operands.length === e.args.length && operands.every((x) => x.int);
    const value: Ex = {
      ...base,
      js: `(${short})`,
      vars,
      num,
      int: returned === 'integer' || (returned === 'arguments' && known),
      notNil: true,
      atom: false,
      cell: operands.some((x) => (x as Ex).cell !== '') ? 'upvalue' : '',
      min: leastReturned(e.fn.v.library!, operands),
    };
    if (short !== undefined && tests === '')
      return value.js.length > MAX_TEXT ? this.spill(value) : value;
    const { v, decl } = this.target(dst);
    const js = short === undefined ? call : `${tests} ? ${short} : ${call}`;
    this.emitLine(`${decl}${v.name} = ${js};`, [v, ...vars], names);
    return { ...value, js: v.name, vars: [v], atom: true, cell: '' };
  }

  private libraryReturn(e: LibraryCall): void {
    const { short, tests, call, vars, names } = this.libraryParts(e);
    names[1] = names[1]!.replace('call', 'tail');
    const js = short === undefined ? call : tests === '' ? short : `${tests} ? ${short} : ${call}`;
    this.emitLine(`return ${js};`, vars, names);
  }

  /** `select(n, ...)`: n. */
  private selectedPosition(e: CallExpr): Expr | undefined {
    if (this.options.suspendAll || e.kind !== 'call' || e.fn.kind !== 'global') return undefined;
    const [n, rest] = e.args;
    return e.fn.name === 'select' && e.args.length === 2 && rest!.kind === 'vararg' ? n : undefined;
  }

  /** Where it is the base library's `select`, nothing is called and no list is copied. */
  private selectOne(e: CallExpr, position: Expr, dst?: Dst): Var {
    const fn = this.atom(this.exp((e as { fn: Expr }).fn));
    const n = this.atom(this.exp(position));
    this.line = e.line;
    const { v, decl } = this.target(dst);
    const d = decl === '' ? '' : `let ${v.name}; `;
    this.emitSite(
      `${d}if (${fn.js} === $R.select && (${v.name} = $selectOne(${n.js}, va$)) !== $NONE); else { ${v.name} = ${this.callText(fn, `${n.js}, ...va$`)}; if ($isA(${v.name}) && (${v.name} = $O.one(${v.name})) === $SUSPEND) return `,
      '; }',
      [...fn.vars, ...n.vars, this.va!],
      v,
      'one',
      ["global 'select'"],
    );
    return v;
  }

  /** A call: its first value ('one'), all of them ('raw'), or none. */
  private call(e: CallExpr, want: 'one' | 'raw' | 'none', dst?: Dst): Var | undefined {
    const position = this.selectedPosition(e);
    if (want === 'one' && position !== undefined) return this.selectOne(e, position, dst);
    const { fn, args, names } = this.callee(e, want !== 'none');
    this.line = e.line;
    const vars = [...fn.vars, ...args.vars];
    if (want !== 'none' && dst === undefined) dst = this.overCallee(e, fn);
    const loop = this.loops.at(-1);
    if (loop !== undefined) loop.calls = true;
    const text = FunctionLowering.forCount(args, (js) => this.callText(fn, js));
    if (want !== 'none' && !this.options.suspendAll) {
      const short = intrinsic(calledName(e), args.operands);
      if (short !== undefined)
        return this.callShort(e, fn, short, text, vars, want, names, dst, args.isMade);
    }
    // Reports tell where a fiber was made; asking the stack would cost more than making it.
    if (names[0]?.endsWith("'spawn'"))
      this.emitLine(`$R.spawnSite = $K[${this.chunk.sites.length}];`);
    // So does `error`, of where it is called.
    else if (names[0]?.endsWith("'error'"))
      this.emitLine(
        `if (${fn.js} === $R.error) $R.errorSite = $K[${this.chunk.sites.length}];`,
        fn.vars,
      );
    if (fn.func?.single && !this.options.suspendAll)
      return this.callSingle(fn.func, text, vars, want, names, dst);
    if (want === 'none') {
      const v = this.temp();
      this.emitSite(
        `const ${v.name} = ${text}; if (${v.name} !== $NONE && $isA(${v.name}) && $O.settle(${v.name}) === $SUSPEND) return `,
        ';',
        vars,
        undefined,
        'none',
        names,
      );
      return undefined;
    }
    const { v, decl } = this.resultTarget(dst);
    const fix = want === 'one' ? '$O.one' : '$O.settle';
    this.emitSite(
      `${decl}${v.name} = ${text}; if ($isA(${v.name}) && (${v.name} = ${fix}(${v.name})) === $SUSPEND) return `,
      ';',
      vars,
      v,
      want,
      names,
    );
    return v;
  }

  /**
   * The result takes the place of the function where that has a variable of its own. V8 may keep what a variable holds up to
   * the next store to it: what one iteration has been given would be there while the next one calls.
   */
  private overCallee(e: CallExpr, fn: Ex): Dst | undefined {
    const isOwn = e.kind === 'method' || e.fn.kind === 'global' || e.fn.kind === 'index';
    const [v] = fn.vars;
    if (!isOwn || this.readable !== undefined || fn.js !== v?.name) return undefined;
    return { v, declare: false };
  }

  /** For the same reason a variable that a loop declares is empty while the call runs that it gets its value from. */
  private resultTarget(dst: Dst | undefined): { v: Var; decl: string } {
    const { v, decl } = this.target(dst);
    return { v, decl: decl !== '' && this.empties ? `let ${v.name}; ` : decl };
  }

  /** A call of what may be a function of the libraries that runs here. */
  private callShort(
    e: CallExpr,
    fn: Ex,
    short: Intrinsic,
    text: string,
    vars: Var[],
    want: 'one' | 'raw',
    names: OpNames,
    dst: Dst | undefined,
    isMade: boolean | undefined,
  ): Var {
    const { v, decl } = this.target(dst !== undefined && !vars.includes(dst.v) ? dst : undefined);
    const d = decl === '' ? '' : `let ${v.name}; `;
    const fix = want === 'one' ? '$O.one' : '$O.settle';
    this.emitSite(
      `${d}if (${shortTests(e, fn, short, isMade)}) ${v.name} = ${short.js}; else { ${v.name} = ${text}; if ($isA(${v.name}) && (${v.name} = ${fix}(${v.name})) === $SUSPEND) return `,
      '; }',
      vars,
      v,
      want,
      names,
    );
    return v;
  }

  /** A call of a function that returns one value, or SUSPEND; or that only computes. */
  private callSingle(
    func: FunctionNode,
    text: string,
    vars: Var[],
    want: 'one' | 'raw' | 'none',
    names: OpNames,
    dst: Dst | undefined,
  ): Var {
    const { v, decl } = this.resultTarget(dst);
    if (func.pure) this.emitLine(`${decl}${v.name} = ${text};`, [v, ...vars], names);
    else {
      const result = want === 'none' ? undefined : v;
      this.emitSite(
        `${decl}${v.name} = ${text}; if (${v.name} === $SUSPEND) return `,
        ';',
        vars,
        result,
        want,
        names,
      );
    }
    return v;
  }

  private closure(e: FunctionExpr, dst?: { name: string; keyword: string; cell: boolean }): Ex {
    if (this.isForLater(e.func)) return this.laterClosure(e, dst);
    const func = new FunctionLowering(e.func, this, this.chunk, this.options);
    const code = func.run();
    const vars: Var[] = [];
    for (const [local, inner] of func.vars) if (inner.decl < 0) vars.push(this.varOf(local));
    this.line = e.line;
    const v = dst === undefined ? this.temp() : undefined;
    const target = dst?.name ?? v!.name;
    let tail = ';';
    if (e.func.usesEnv) {
      vars.push(this.env!);
      tail = `; if (E$ !== $E) ${target}.E = E$;`;
    }
    this.pos++;
    this.use(vars);
    this.push({
      kind: 'closure',
      head: `${dst?.keyword ?? 'const '}${target} = `,
      func: code,
      tail,
      seq: this.seq,
      line: this.line,
    });
    return v === undefined ? NIL : { ...this.varEx(v), notNil: true };
  }

  private isForLater({ size }: FunctionNode): boolean {
    const { own, inner } = this.options.later;
    return this.loops.length === 0 && size >= (this.isMain ? own : inner);
  }

  /**
   * A function that has what it does compiled when it is first called: it stays what the program knows, and
   * calls that. It is so short that V8 always puts it into what calls it. The variables outside never change, or are in
   * cells, so they can be read then.
   */
  private laterClosure(
    { func, line }: FunctionExpr,
    dst?: { name: string; keyword: string; cell: boolean },
  ): Ex {
    this.chunk.later.push(func.index);
    const vars = outsideOf(func).map((local) => this.varOf(local));
    const name = jsNameOf(func);
    const given = ['$E', name, ...vars.map((v) => v.name)].join(', ');
    const params = func.params.map((_, i) => `p${i}`);
    if (func.isVararg) params.push('...va');
    const list = params.join(', ');
    const v = dst === undefined ? this.temp() : undefined;
    const target = dst?.name ?? v!.name;
    const does = `$z${func.index}`;
    const head = dst?.keyword ?? 'const ';
    let tail = '';
    if (func.usesEnv) {
      vars.push(this.env!);
      tail = ` if (E$ !== $E) ${target}.E = E$;`;
    }
    this.line = NOT_LUA;
    this.emitLine(
      `var ${does} = (${list}) => (${does} = $L(${func.index})(${given}))(${list}); const ${name} = (${list}) => ${does}(${list}); ${head}${target} = ${name};${tail}`,
      vars,
    );
    this.line = line;
    return v === undefined ? NIL : { ...this.varEx(v), notNil: true };
  }

  // ── statements ───────────────────────────────────────────────────────────────────────────────

  /** @param tail  what follows the last statement inside the scopes of all its locals */
  private block(block: Block, tail?: () => void): void {
    const base = this.inScope.length;
    this.statements(block, tail);
    this.closeScope(base);
  }

  private statements(block: Block, tail?: () => void): void {
    const { stats, labels } = block;
    if (labels === undefined) return this.labelled(block, [], 0, 0, tail);
    // A jump to the end of a block may leave the scope of any local: nothing follows that could see it.
    const atEnd = tail === undefined ? labels.filter((label) => label.at === stats.length) : [];
    const rest = labels.filter((label) => !atEnd.includes(label));
    if (atEnd.length === 0) return this.labelled(block, rest, 0, 0, tail);
    const scope = `G${++this.labels}`;
    for (const label of atEnd) this.targetOf(label).inner = scope;
    this.emitScope(scope, () => this.labelled(block, rest, 0, 0));
  }

  /**
   * Statements of a block from index `from` on, labels from index `l` on. Forward jumps leave a scope
   * that ends at the label; backward jumps continue a loop that begins at it and runs to the end of the
   * block. A forward jump over another label sets a flag, and at each label on its way what is before
   * that label is skipped. No local is declared on the way: Lua doesn't let jumps enter its scope.
   */
  private labelled(
    block: Block,
    labels: readonly Label[],
    l: number,
    from: number,
    tail?: () => void,
  ): void {
    const { stats } = block;
    const label = labels[l];
    if (label === undefined) {
      for (let i = from; i < stats.length; i++) {
        this.maybeCut();
        this.laterFields = FunctionLowering.countFields(stats[i]!, stats, i + 1);
        if (this.localObject(stats[i]!, stats[i + 1])) i++;
        else this.stat(stats[i]!);
      }
      tail?.();
      return;
    }
    const target = this.targetOf(label);
    const later = labels.slice(l + 1);
    const own = label.forward.filter((at) => at >= from);
    const crossing = later.filter((x) => x.forward.some((at) => at >= from && at < label.at));
    // Jumps from before `from` that are on their way to this label, or over it.
    const entered = target.flag !== undefined;
    const passing = later.filter((x) => this.targetOf(x).flag !== undefined);
    let at = from;
    if (own.length > 0 || crossing.length > 0 || entered || passing.length > 0) {
      for (const x of crossing) {
        const t = this.targetOf(x);
        if (t.flag !== undefined) continue;
        t.flag = this.temp();
        this.emitLine(`let ${t.flag.name} = false;`);
      }
      if (!entered && passing.length === 0) {
        const first = Math.min(
          ...own,
          ...crossing.flatMap((x) => x.forward.filter((f) => f >= from)),
        );
        for (; at < first; at++) this.stat(stats[at]!);
      }
      const scope = `G${++this.labels}`;
      target.inner = scope;
      for (const x of later) this.targetOf(x).outer = scope;
      this.emitScope(scope, () => {
        if (entered) {
          const flag = target.flag!;
          this.emitIf(this.varEx(flag), () => {
            this.emitLine(`${flag.name} = false;`, [flag]);
            this.emitJump('break', scope);
          });
        }
        if (passing.length > 0) {
          const vars = passing.map((x) => this.targetOf(x).flag!);
          const js = `(${vars.map((v) => v.name).join(' || ')})`;
          this.emitIf({ ...base, js, vars }, () => this.emitJump('break', scope));
        }
        for (; at < label.at; at++) this.stat(stats[at]!);
      });
      target.inner = undefined;
    } else for (; at < label.at; at++) this.stat(stats[at]!);
    if (label.backward.length === 0) {
      this.labelled(block, labels, l + 1, label.at, tail);
      return;
    }
    this.emitLoop((loop) => {
      target.backward = loop;
      // `break` leaves the Lua loop around this one.
      this.loops.at(-1)!.breakLabel = this.loops.at(-2)?.breakLabel ?? '';
      this.labelled(block, labels, l + 1, label.at, tail);
      this.emitJump('break', loop.label);
    });
  }

  private targetOf(label: Label): Target {
    let target = this.targets.get(label);
    if (target === undefined) {
      target = { inner: undefined, outer: undefined, backward: undefined, flag: undefined };
      this.targets.set(label, target);
    }
    return target;
  }

  private goto(stat: Extract<Stat, { kind: 'goto' }>): void {
    const target = this.targetOf(stat.target!);
    if (stat.backward) {
      this.emitJump('continue', target.backward!.label);
    } else if (target.inner !== undefined) this.emitJump('break', target.inner);
    else {
      this.emitLine(`${target.flag!.name} = true;`, [target.flag!]);
      this.emitJump('break', target.outer!);
    }
  }

  private stat(s: Stat): void {
    this.line = s.line;
    switch (s.kind) {
      case 'local':
        this.localStat(s);
        return this.guard(s.vars);
      case 'localFunction':
        return this.localFunction(s);
      case 'assign':
        return this.assign(s);
      case 'callStat':
        if (libraryCall(s.call) !== undefined) this.spill(this.libraryValue(s.call as LibraryCall));
        else this.call(s.call, 'none');
        return;
      case 'do':
        return this.emitScope('', () => this.block(s.body));
      // while cond do body end   →   for (;;) { if (!cond) break; body }
      case 'while':
        return this.emitLuaLoop(s.body, (loop) => {
          const cond = this.test(s.cond);
          if (!(cond.constant && cond.js === 'true')) this.exitUnless(cond, loop);
          this.block(s.body);
        });
      case 'repeat':
        return this.emitLuaLoop(s.body, (loop) => {
          this.block(s.body, () => {
            const cond = this.test(s.cond);
            this.line = s.cond.line;
            this.emitIf(cond, () => this.emitJump('break', loop.label));
          });
        });
      case 'if':
        return s.clauses.length > MAX_ELSEIF ? this.longIf(s) : this.ifStat(s, 0);
      case 'fornum':
        return this.forNum(s);
      case 'forin':
        return this.forIn(s);
      case 'return':
        return this.returnStat(s);
      case 'break':
        return this.emitJump('break', this.loops.at(-1)!.breakLabel);
      case 'goto':
        return this.goto(s);
    }
  }

  private exitUnless(cond: Ex, loop: Loop): void {
    this.emitIf({ ...cond, js: `!${cond.js}` }, () => this.emitJump('break', loop.label));
  }

  private ifStat(s: Extract<Stat, { kind: 'if' }>, i: number): void {
    const clause = s.clauses[i]!;
    const more = i + 1 < s.clauses.length;
    const cond = this.test(clause.cond);
    this.line = clause.line;
    this.emitIf(
      cond,
      () => this.block(clause.body),
      more ? () => this.ifStat(s, i + 1) : s.orelse && (() => this.block(s.orelse!)),
    );
  }

  private longIf(s: Extract<Stat, { kind: 'if' }>): void {
    const label = `I${++this.labels}`;
    this.emitScope(label, () => {
      for (const clause of s.clauses) {
        const cond = this.test(clause.cond);
        this.line = clause.line;
        this.emitIf(cond, () => {
          this.block(clause.body);
          this.emitJump('break', label);
        });
      }
      if (s.orelse !== undefined) this.block(s.orelse);
    });
  }

  /** Declare a local with its first value. */
  private bind(local: LocalVar, value: Ex): void {
    const v = this.localVar(local);
    v.decl = this.pos + 1;
    const js = v.cell
      ? `const ${v.name} = {v: ${value.js}};`
      : `${v.constant ? 'const' : 'let'} ${v.name} = ${value.js};`;
    this.emitLine(js, value.vars);
  }

  private localStat(s: Extract<Stat, { kind: 'local' }>): void {
    this.localValues(s);
    if (s.exprs.some(mayMake)) for (const local of s.vars) this.owning.add(this.varOf(local));
  }

  private localValues({ vars, exprs }: Extract<Stat, { kind: 'local' }>): void {
    const [only] = exprs;
    if (vars.length === 1 && exprs.length === 1) {
      const local = vars[0]!;
      if (local.captured) {
        if (only!.kind === 'functionExpr' && !local.assigned)
          return this.localClosure(local, only as FunctionExpr);
        this.bind(local, this.exp(only!));
        return;
      }
      // The value may be computed straight into the variable; it comes into scope afterwards.
      const v = this.newVar(this.nameOf(local), false);
      const value = this.exp(only!, { v, declare: true });
      this.vars.set(local, v);
      this.inScope.push(v);
      if (value.js !== v.name) {
        v.decl = this.pos + 1;
        this.emitLine(`let ${v.name} = ${value.js};`, value.vars);
      }
      return;
    }
    const values = this.adjusted(exprs, vars.length);
    vars.forEach((local, i) => this.bind(local, values[i]!));
  }

  private localClosure(local: LocalVar, e: FunctionExpr): void {
    // Not in scope inside itself: `local f = function() return f end` reads an outer f, so no mix-up.
    const v = this.localVar(local);
    this.closure(e, { name: v.name, keyword: 'const ', cell: false });
    v.decl = this.pos;
  }

  private localFunction(s: Extract<Stat, { kind: 'localFunction' }>): void {
    const v = this.localVar(s.v);
    if (v.cell) {
      this.emitLine(`const ${v.name} = {v: undefined};`);
      const f = this.closure(s.func);
      this.emitLine(`${v.name}.v = ${f.js};`, [v, ...f.vars]);
      return;
    }
    this.closure(s.func, { name: v.name, keyword: v.constant ? 'const ' : 'let ', cell: false });
    v.decl = this.pos;
  }

  /** Exactly `count` values; each stays what it is while the others are assigned. */
  private adjusted(exprs: readonly Expr[], count: number): Ex[] {
    const last = exprs.at(-1);
    const open = last !== undefined && isMulti(last) && exprs.length <= count ? last : undefined;
    const fixed = open === undefined ? exprs : exprs.slice(0, -1);
    let values = this.list(fixed);
    if (open !== undefined) {
      values = values.map((x) => (x.cell !== '' ? this.spill(x) : x));
      const wanted = count - fixed.length;
      if (wanted === 1) values.push(this.exp(open));
      else values.push(...this.spread(open, wanted));
    }
    while (values.length < count) values.push(NIL);
    return values.slice(0, count);
  }

  /** The first `count` values of a call or `...`, in variables. */
  private spread(e: Expr, count: number): Ex[] {
    const out: Ex[] = [];
    if (e.kind === 'vararg') {
      for (let i = 0; i < count; i++)
        out.push(this.spill({ ...base, js: `va$[${i}]`, vars: [this.va!], atom: false }));
      return out;
    }
    const raw = this.call(e as CallExpr, 'raw')!;
    const vars: Var[] = [];
    for (let i = 0; i < count; i++) vars.push(this.temp());
    const names = vars.map((v) => v.name);
    this.emitLine(
      `let ${names.join(', ')}; if ($isA(${raw.name})) { ${names.map((n, i) => `${n} = ${raw.name}[${i}];`).join(' ')} } else ${names[0] ?? raw.name} = ${raw.name};`,
      [raw],
    );
    return vars.map((v) => this.varEx(v));
  }

  private assign(s: Extract<Stat, { kind: 'assign' }>): void {
    const { targets, exprs } = s;
    if (targets.length === 1 && exprs.length === 1)
      return this.assignOne(targets[0]!, exprs[0]!, s.line);
    if (exprs.some(mayMake))
      for (const t of targets) if (t.kind === 'local') this.owning.add(this.varOf(t.v));
    // Prefixes and keys first, then the values, then the stores from right to left, as PUC Lua does.
    const places = targets.map((t) => {
      if (t.kind !== 'index') return undefined;
      const obj = this.hold(this.exp(t.obj));
      const key = isFieldKey(t.key) ? undefined : this.hold(this.exp(t.key));
      return { obj, key };
    });
    const values = this.adjusted(exprs, targets.length).map((x) => this.hold(x));
    // Surplus values are evaluated too.
    this.line = s.line;
    for (let i = targets.length - 1; i >= 0; i--) this.store(targets[i]!, places[i], values[i]!);
  }

  /** A copy, unless nothing can change it. */
  private hold(e: Ex): Ex {
    return e.constant || (e.vars.length === 1 && e.js.startsWith('$') && e.atom)
      ? e
      : this.spill(e);
  }

  private assignOne(target: Expr, value: Expr, line: number): void {
    if (target.kind === 'local') {
      const v = this.varOf(target.v);
      if (mayMake(value)) this.owning.add(v);
      if (!v.cell) {
        const ex = this.exp(value, { v, declare: false });
        this.line = line;
        if (ex.js !== v.name) this.emitLine(`${v.name} = ${ex.js};`, [v, ...ex.vars]);
        return;
      }
    }
    if (target.kind !== 'index') {
      const ex = this.exp(value);
      this.line = line;
      this.store(target, undefined, ex);
      return;
    }
    // A local of this function is read when the store runs, an upvalue before the value is evaluated.
    let obj = this.object(this.exp(target.obj));
    if (obj.cell === 'upvalue') obj = this.spill(obj);
    if (isFieldKey(target.key)) {
      const ex = this.exp(value);
      this.line = line;
      this.fieldSet(obj, target.key.value, ex, [name(target.obj)]);
      return;
    }
    let key = this.atom(this.exp(target.key));
    if (key.cell === 'upvalue') key = this.spill(key);
    const ex = this.exp(value);
    this.line = line;
    this.indexSet(obj, key, ex, [name(target.obj)]);
  }

  private store(
    target: Expr,
    place: { obj: Ex; key: Ex | undefined } | undefined,
    value: Ex,
  ): void {
    switch (target.kind) {
      case 'local':
      case 'upvalue': {
        const v = this.varOf(target.v);
        this.emitLine(`${v.name}${v.cell ? '.v' : ''} = ${value.js};`, [v, ...value.vars]);
        return;
      }
      case 'global':
        this.fieldSet(this.envEx(), target.name, value, [undefined]);
        return;
      case 'index':
        if (place!.key === undefined) {
          this.fieldSet(this.atom(place!.obj), (target.key as { value: string }).value, value, [
            name(target.obj),
          ]);
        } else this.indexSet(this.atom(place!.obj), place!.key, value, [name(target.obj)]);
        return;
      default:
        throw new Error(`cannot assign to ${target.kind}`);
    }
  }

  // for v = start, limit, step do body end
  //   →   let h = start, l = limit; for (;;) { if (!(h <= l)) break; const v = h; body; h += step }
  private forNum(s: Extract<Stat, { kind: 'fornum' }>): void {
    // Evaluated first, converted after: the values may be changed by what is evaluated later.
    const exprs = this.list(s.step === undefined ? [s.start, s.limit] : [s.start, s.limit, s.step]);
    const start = this.forControl(exprs[0]!, 'initial', s.checkLine, true, s.v);
    const limit = this.forControl(exprs[1]!, 'limit', s.checkLine, false);
    const step =
      exprs[2] === undefined ? undefined : this.forControl(exprs[2], 'step', s.checkLine, false);
    this.line = s.line;
    const h = start.vars[0]!;
    // NaN unless it is a number that is written there: what is computed of constants may have any sign.
    const by = step === undefined ? 1 : Number(step.js.replace(/^\((.*)\)$/, '$1'));
    // -0 counts down, as in LuaJIT.
    const down = by < 0 || Object.is(by, -0);
    const up = !down && (step === undefined || step.min > 0);
    this.emitLuaLoop(s.body, (loop) => {
      const vars = [h, ...limit.vars, ...(step?.vars ?? NO_VARS)];
      const cond = up
        ? `${h.name} <= ${limit.js}`
        : down
          ? `${h.name} >= ${limit.js}`
          : `(${step!.js} > 0 || (${step!.js} === 0 && 1 / ${step!.js} > 0) ? ${h.name} <= ${limit.js} : ${h.name} >= ${limit.js})`;
      this.exitUnless({ ...base, js: `(${cond})`, vars }, loop);
      const local = s.v;
      if (!local.captured && !local.assigned) {
        this.vars.set(local, h);
        // `exp` knows it as a number by this.
        const min = up ? start.min : Number.NEGATIVE_INFINITY;
        this.loopVars.set(local, min);
        this.emitScope('', () => this.block(s.body));
      } else {
        if (!local.assigned) this.loopVars.set(local, up ? start.min : Number.NEGATIVE_INFINITY);
        this.emitScope('', () => {
          const base = this.inScope.length;
          this.bind(local, { ...this.varEx(h), num: true });
          this.block(s.body);
          this.closeScope(base);
        });
      }
      this.line = s.line;
      this.emitLine(step === undefined ? `${h.name}++;` : `${h.name} += ${step.js};`, vars);
    });
  }

  /** A control value of a numeric `for`, checked; `own` wants a variable that the loop may change. */
  private forControl(ex: Ex, what: string, line: number, own: boolean, local?: LocalVar): Ex {
    this.line = line;
    if (ex.constant && ex.num && !own) return ex;
    const x = ex.num ? ex : this.atom(ex);
    const isLocal = local !== undefined && !local.captured && !local.assigned;
    const v =
      isLocal && this.readable !== undefined
        ? this.newVar(this.nameOf(local), false)
        : this.temp(local?.name);
    // The sign tells V8 that it is a number, before the loop instead of in it.
    const value = ex.num
      ? ex.atom && !ex.constant
        ? `+${ex.js}`
        : ex.js
      : `typeof ${x.js} === 'number' ? +${x.js} : $O.forNumber(${x.js}, '${what}')`;
    this.emitLine(`let ${v.name} = ${value};`, x.vars);
    return { ...this.varEx(v), num: true, int: ex.int, min: ex.min };
  }

  /**
   * for k, v in explist do body end: `next` over a plain table and the iterator of `ipairs` run here
   * without calls; anything else is called.
   */
  private forIn(s: Extract<Stat, { kind: 'forin' }>): void {
    const [f, held, control] = this.adjusted(s.exprs, 3).map((x) => this.hold(x)) as [Ex, Ex, Ex];
    const state = held.num ? this.object(held) : held;
    this.line = s.line;
    const it = this.temp();
    const i = this.temp();
    const c = this.temp();
    const names: OpNames = [undefined];
    this.emitLine(
      `let ${c.name} = ${control.js}, ${i.name} = -1; const ${it.name} = $iterate(${f.js}, ${state.js}, ${c.name}); if (${it.name} === 0) ${i.name} = ${c.name};`,
      [...control.vars, ...f.vars, ...state.vars],
    );
    this.code.scratch = true;
    const vars = s.vars.map((local) => ({ local, name: '' }));
    this.emitLuaLoop(s.body, (loop) => {
      const exit = (): void => this.emitJump('break', loop.label);
      const slots = vars.map(() => this.temp());
      const [k, v] = slots as [Var, Var | undefined];
      this.emitLine(`let ${slots.map((x) => x.name).join(', ')};`);
      const testIt: Ex = { ...base, js: `${it.name} === undefined`, vars: [it] };
      this.emitIf(
        testIt,
        () => {
          const raw = this.temp();
          const text = this.callText(f, `${state.js}, ${c.name}`);
          // V8 leaves a branch out that asks for a property and never ran; of a call alone it takes what it may return into account.
          this.emitLine(`let ${raw.name} = $O.nothing;`, [raw]);
          this.emitSite(
            `${raw.name} = ${text}; if ($isA(${raw.name}) && (${raw.name} = $O.settle(${raw.name})) === $SUSPEND) return `,
            ';',
            [...f.vars, ...state.vars, c],
            raw,
            'raw',
            names,
          );
          this.emitLine(
            `if ($isA(${raw.name})) { ${slots.map((x, n) => `${x.name} = ${raw.name}[${n}];`).join(' ')} } else ${k.name} = ${raw.name};`,
            [raw, ...slots],
          );
          this.emitIf({ ...base, js: `${k.name} === undefined`, vars: [k] }, exit);
          this.emitLine(`${c.name} = ${k.name};`, [k, c]);
        },
        () => {
          this.emitIf(
            { ...base, js: `${i.name} >= 0`, vars: [i] },
            () => {
              const value = v ?? this.temp();
              // Apart from what is beyond the array: with nil among what it may be a number would be an object.
              const missing = `(${value.name} = $O.rawget(${state.js}, ${i.name})) === undefined`;
              const all = [...state.vars, i, value];
              if (v === undefined) this.emitLine(`let ${value.name};`, [value]);
              this.emitIf(
                {
                  ...base,
                  js: `++${i.name} < (a$ = ${state.js}.arr).length`,
                  vars: [...state.vars, i],
                },
                () => {
                  this.emitLine(`${value.name} = a$[${i.name}];`, all);
                  const js = `${value.name} === undefined && ${missing}`;
                  this.emitIf({ ...base, js, vars: all }, exit);
                },
                () => {
                  const js = `${state.js}.hash === undefined || ${missing}`;
                  this.emitIf({ ...base, js, vars: all }, exit);
                },
              );
              this.emitLine(`${k.name} = ${i.name};`, [i, k]);
            },
            () => {
              this.emitIf({ ...base, js: `!${it.name}.step()`, vars: [it] }, exit);
              this.emitLine(
                `${k.name} = ${it.name}.key;${v === undefined ? '' : ` ${v.name} = ${it.name}.value;`}`,
                [it, ...slots],
              );
            },
          );
        },
      );
      this.emitScope('', () => {
        const base = this.inScope.length;
        s.vars.forEach((local, n) => this.bind(local, this.varEx(slots[n]!)));
        this.block(s.body);
        this.closeScope(base);
      });
    });
  }

  private returnStat(s: Extract<Stat, { kind: 'return' }>): void {
    const { exprs } = s;
    const [only] = exprs;
    if (only === undefined) return this.emitLine('return $NONE;');
    if (exprs.length === 1 && libraryCall(only) !== undefined)
      return this.libraryReturn(only as LibraryCall);
    if (exprs.length === 1 && (only.kind === 'call' || only.kind === 'method'))
      return this.tailCall(only);
    if (exprs.length === 1 && only.kind === 'vararg') {
      return this.emitLine('return va$.length === 1 ? va$[0] : va$;', [this.va!]);
    }
    if (exprs.length === 1) {
      const ex = this.exp(only);
      this.line = s.line;
      return this.emitLine(`return ${ex.js};`, ex.vars);
    }
    const values = this.args(exprs);
    this.line = s.line;
    const list = FunctionLowering.forCount(values, (js) => `[${js}]`);
    this.emitLine(`return ${list};`, values.vars);
  }

  /** Nothing of this frame is needed any more: SUSPEND and TAIL pass straight through it. */
  private tailCall(e: CallExpr): void {
    const { fn, args, names } = this.callee(e);
    names[1] = names[1]!.replace('call', 'tail');
    this.line = e.line;
    const vars = [...fn.vars, ...args.vars];
    const text = (js: string): string => {
      const more = js === '' ? '' : `, ${js}`;
      if (this.options.suspendAll) return `$callSuspending(${fn.js}${more})`;
      if (fn.func?.pure) return `${fn.js}(${js})`;
      if (fn.func !== undefined)
        return `--$R.tailBudget > 0 ? ${fn.js}(${js}) : $O.tail(${fn.js}${more})`;
      return `typeof ${fn.js} === 'function' && --$R.tailBudget > 0 ? ${fn.js}(${js}) : $O.tail(${fn.js}${more})`;
    };
    const short = this.options.suspendAll ? undefined : intrinsic(calledName(e), args.operands);
    if (short !== undefined)
      this.emitLine(`if (${shortTests(e, fn, short, args.isMade)}) return ${short.js};`, vars);
    this.emitLine(`return ${FunctionLowering.forCount(args, text)};`, vars, names);
  }
}

/** A call for which `libraryCall` has a name. */
type LibraryCall = CallExpr & {
  readonly kind: 'call';
  readonly fn: Extract<Expr, { kind: 'local' | 'upvalue' }>;
};

interface LibraryParts {
  /** What it does with such arguments, as text, where that is known. */
  short: string | undefined;
  /** The condition for it; '' where it is sure to hold. */
  tests: string;
  call: string;
  vars: Var[];
  operands: readonly Operand[];
  names: OpNames;
}

/** What arithmetic gives. */
function isComputed(e: Expr | undefined): boolean {
  if (e?.kind === 'paren') return isComputed(e.inner);
  if (e?.kind === 'call') {
    const library = libraryCall(e);
    return library !== undefined && returnedBy(library) !== 'text';
  }
  if (e?.kind === 'unary') return e.op === '-';
  return e?.kind === 'binary' && ['+', '-', '*', '/', '%', '^'].includes(e.op);
}

type LogicalExpr = Extract<Expr, { kind: 'and' | 'or' }>;

function isNeverFalse(e: Expr): boolean {
  switch (e.kind) {
    case 'number':
    case 'string':
    case 'true':
    case 'functionExpr':
    case 'table':
      return true;
    case 'local':
    case 'upvalue':
      return e.v.num !== undefined || e.v.known !== undefined;
    case 'paren':
      return isNeverFalse(e.inner);
    case 'call':
      return libraryCall(e) !== undefined;
    default:
      return false;
  }
}

/** `e` and those `and` and `or` that are its left operand's left operand's …, outermost first. */
function spineOf(e: LogicalExpr): LogicalExpr[] {
  const spine = [e];
  for (let x = e.left; x.kind === 'and' || x.kind === 'or'; x = x.left) spine.push(x);
  return spine;
}

/** The conditions for running a function of the libraries here. */
function shortTests(e: CallExpr, fn: Ex, short: Intrinsic, isMade: boolean | undefined): string {
  const tests = [`${fn.js} === $I.${calledName(e)}`, ...short.tests].join(' && ');
  return isMade ? `m$ || ${tests}` : tests;
}

/** The name under which a program calls what may be a function of the libraries. */
function calledName(e: CallExpr): string {
  if (e.kind === 'method') return e.name;
  const { fn } = e;
  switch (fn.kind) {
    case 'local':
    case 'upvalue':
      return fn.v.known === undefined ? fn.v.name : '';
    case 'global':
      return fn.name;
    case 'index':
      return fn.key.kind === 'string' ? fn.key.value : '';
    default:
      return '';
  }
}

/** Functions, of the libraries as a rule, that make no objects of the system. */
const MAKES_NOTHING = new Set([
  'type',
  'tostring',
  'tonumber',
  'select',
  'format',
  'gsub',
  'concat',
]);

/** The value may be an object that nothing else holds, or come to hold such ones. */
function mayMake(e: Expr): boolean {
  switch (e.kind) {
    case 'paren':
      return mayMake(e.inner);
    case 'and':
    case 'or':
      return mayMake(e.left) || mayMake(e.right);
    case 'table':
      return true;
    case 'call':
    case 'method': {
      const called = calledName(e);
      return !isIntrinsicName(called) && !MAKES_NOTHING.has(called);
    }
    default:
      return false;
  }
}

/** How many arguments a call passes: `...` where it depends. */
function countOf(args: readonly Expr[], self: number): string {
  const last = args.at(-1);
  return last !== undefined && isMulti(last) ? '...' : String(args.length + self);
}

/** A result that reads cells when its text is evaluated must be evaluated before what may change them. */
const cellOf = (a: Ex, b: Ex): Ex['cell'] => (a.cell !== '' || b.cell !== '' ? 'upvalue' : '');

/**
 * `l % r` of whole numbers is computed in place, so that V8 learns there what numbers they are. `| 0`
 * tells it to divide integers; there is no -0 then. See numberMod of runtime/ops.ts.
 */
function modText(l: Ex, r: Ex): string {
  const n = r.constant ? Number(r.js) : 0;
  if (l.constant || (r.constant && !(Number.isInteger(n) && n > 0 && n <= 0x7fffffff)))
    return `$nmod(${l.js}, ${r.js})`;
  if (!r.constant) {
    const positive = [
      ...(l.min >= 0 ? [] : [`${l.js} >= 0`]),
      ...(r.min > 0 ? [] : [`${r.js} > 0`]),
    ];
    const tests = [`(${l.js} | 0) === ${l.js}`, `(${r.js} | 0) === ${r.js}`, ...positive];
    return `(${tests.join(' && ')} ? (${l.js} | 0) % (${r.js} | 0) : $nmod(${l.js}, ${r.js}))`;
  }
  const any = `${l.js} - $math.floor(${l.js} / ${n}) * ${n}`;
  if ((n & (n - 1)) === 0) return `((${l.js} | 0) === ${l.js} ? ${l.js} & ${n - 1} : ${any})`;
  const positive = l.min >= 0 ? '' : `${l.js} >= 0 && `;
  return `(${positive}(${l.js} | 0) === ${l.js} ? (${l.js} | 0) % ${n} : ${any})`;
}

/** The least that an arithmetic result can be. */
function leastResult(op: BinaryOp, l: Ex, r: Ex): number {
  if (op === '+') return l.min + r.min;
  if (op === '-' && r.constant) return l.min - Number(r.js);
  if (op === '*' && l.min >= 0 && r.min >= 0) return l.min * r.min;
  if (op === '%' && r.constant && r.min > 0) return 0;
  return Number.NEGATIVE_INFINITY;
}

/** The least that a function of the libraries returns. */
function leastReturned(name: string, operands: readonly Operand[]): number {
  const [x, y] = operands;
  const isConstant = (o: Operand | undefined): boolean => o !== undefined && /^\d+$/.test(o.js);
  switch (name) {
    case 'band':
      return [x, y].some((o) => isConstant(o) && Number(o!.js) <= 0x7fffffff)
        ? 0
        : Number.NEGATIVE_INFINITY;
    case 'rshift':
      return isConstant(y) && (Number(y!.js) & 31) > 0 ? 0 : Number.NEGATIVE_INFINITY;
    case 'floor':
      return x === undefined ? Number.NEGATIVE_INFINITY : Math.floor(x.min);
    default:
      return Number.NEGATIVE_INFINITY;
  }
}

const numberTest = (e: Ex): string => (e.num ? '' : `typeof ${e.js} === 'number'`);
const stringTest = (e: Ex): string =>
  e.constant && e.js.startsWith('"') ? '' : `typeof ${e.js} === 'string'`;

/** What must hold for `t.arr[key]` to be element `key`. */
function keyTests(key: Ex): string[] {
  const tests: string[] = [];
  if (!key.num) tests.push(`typeof ${key.js} === 'number'`);
  if (!(key.num && key.min >= 0)) tests.push(`${key.js} >= 0`);
  // V8 looks for a fraction as for a property: by its text.
  if (!key.int) tests.push(`(${key.js} | 0) === ${key.js}`);
  return tests;
}

/** As a JavaScript condition. */
function truth(e: Ex): Ex {
  if (e.bool) return e;
  if (e.constant && e.js === 'undefined') return { ...e, js: 'false', bool: true };
  if (e.constant || e.num) return { ...e, js: 'true', bool: true, vars: NO_VARS, constant: true };
  return { ...e, js: `(${e.js} !== undefined && ${e.js} !== false)`, bool: true, atom: false };
}

/** How a message names an operand. */
function name(e: Expr): string | undefined {
  switch (e.kind) {
    case 'local':
      return `local '${e.v.name}'`;
    case 'upvalue':
      return `upvalue '${e.v.name}'`;
    case 'global':
      return `global '${e.name}'`;
    case 'index':
      return e.key.kind === 'string' ? `field '${e.key.value}'` : undefined;
    case 'paren':
      return name(e.inner);
    // The right operand is the value where a constant decides so. (LuaJIT names it in any case.)
    case 'and':
    case 'or':
      return constantTruth(e.left) === (e.kind === 'and') ? name(e.right) : undefined;
    default:
      return undefined;
  }
}

/** Of what is not written as a constant, nothing. */
function constantTruth(e: Expr): boolean | undefined {
  switch (e.kind) {
    case 'nil':
    case 'false':
      return false;
    case 'true':
    case 'number':
    case 'string':
      return true;
    case 'unary': {
      const operand = e.op === 'not' ? constantTruth(e.operand) : undefined;
      return operand === undefined ? undefined : !operand;
    }
    case 'paren':
      return constantTruth(e.inner);
    default:
      return undefined;
  }
}
