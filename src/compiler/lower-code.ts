/**
 * The code of one function while it is made: its variables, how long each is needed, and the lines, sites,
 * conditions and loops that it becomes.
 */
import { Ahead, type Path, pathOf } from './ahead.ts';
import type { Block, Expr, FunctionNode, Label, LocalVar } from './ast.ts';
import { blocksOf } from './infer.ts';
import type {
  Apart,
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
import { base, type Dst, type Ex, isComputed, NO_VARS, safeName } from './lower-values.ts';
import { ReadableNames } from './readable-names.ts';

/** The function that runs, in functions that use globals: the first thing that their sites save. */
const SELF: Var = { name: 'F$', decl: 0, end: 0, cell: false, constant: true, assigned: false };

/** Lines of code between the places where continuations end. */
const CUT_DISTANCE = 300;

export interface LowerOptions {
  /** Every call suspends and resumes once. */
  suspendAll: boolean;
  /** Variables are to be named for people. */
  readable: boolean;
  /** The least length of functions that are compiled when they are first called. */
  later: Later;
  /** So much of the main function is to be outside of a loop that becomes a function of its own. */
  apartFrom: number;
}

/** Characters. */
export interface Later {
  /** Of a chunk's own functions. */
  readonly own: number;
  /** Of those in other functions, which may be made again and again, each with a function more. */
  readonly inner: number;
}

/** The variables that a function which is compiled later must be given. */
export const outsideOf = ({ upvalues, self }: FunctionNode): LocalVar[] =>
  [...upvalues].filter((local) => local !== self);

/** Its name ends in `$f<index>`: error.ts reads it off the stack. */
export const jsNameOf = ({ index, name }: FunctionNode): string =>
  `${index === 0 ? 'main' : safeName(name) || 'anonymous'}$f${index}`;

/** Where a `goto` to a label goes. */
export interface Target {
  /** Scope that ends at the label. */
  inner: string | undefined;
  /** Scope that ends at a loop in which the label is: the flag tells the loop to go on to it. */
  outer: string | undefined;
  flag: Var | undefined;
  /** Loop that begins at the label. */
  backward: Loop | undefined;
}

/**
 * Locals that statements of the block, and of those in it, assign something `wanted`.
 * @param known  those of blocks that have been asked for
 */
function assignedLocals(
  block: Block,
  known: Map<Block, Set<LocalVar>>,
  wanted: (value: Expr | undefined) => boolean,
): ReadonlySet<LocalVar> {
  let found = known.get(block);
  if (found !== undefined) return found;
  found = new Set();
  for (const s of block.stats) {
    if (s.kind === 'assign')
      for (let i = 0; i < s.targets.length; i++) {
        const t = s.targets[i]!;
        if (t.kind === 'local' && wanted(s.exprs[i])) found.add(t.v);
      }
    for (const inner of blocksOf(s))
      for (const v of assignedLocals(inner, known, wanted)) found.add(v);
  }
  known.set(block, found);
  return found;
}

export abstract class CodeBuilder {
  protected readonly node: FunctionNode;
  protected readonly outer: CodeBuilder | undefined;
  protected readonly chunk: ChunkCode;
  protected readonly options: LowerOptions;
  protected readonly code: FunctionCode;
  protected seq: Seq;
  protected pos = 0;
  protected temps = 0;
  protected labels = 0;
  protected readonly vars = new Map<LocalVar, Var>();
  /** The main function of a chunk. */
  protected readonly isMain: boolean;
  protected readonly readable: ReadableNames | undefined;
  /** In order of declaration. */
  protected readonly declared: Var[] = [];
  protected readonly loops: {
    start: number;
    used: Set<Var>;
    breakLabel: string;
    calls: boolean;
    /** Undefined where there is a loop inside, or a call, after which V8 knows nothing any more. */
    ahead: Ahead | undefined;
  }[] = [];
  /** Functions that it leaves for later. */
  protected leaves = 0;
  /** Bodies of loops that call functions. */
  protected readonly calling: Seq[] = [];
  protected env: Var | undefined;
  protected va: Var | undefined;
  protected line = 0;
  /** `goto` labels of open blocks → JavaScript labels. */
  protected readonly targets = new Map<Label, Target>();

  constructor(
    node: FunctionNode,
    outer: CodeBuilder | undefined,
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
      leaves: false,
    };
  }

  /** What is called is not to find that the array which was tested last, with all that is in it, is still in use. */
  protected dropScratch(seq: Seq): void {
    const js = 'a$ = undefined;';
    seq.nodes.unshift({ kind: 'line', js, names: undefined, seq, line: seq.owner!.line });
  }

  /** What each site must save: one walk over declarations and sites in order of position. */
  protected findLive(): void {
    const active: Var[] = [];
    let next = 0;
    // Nearly in order: a variable may be declared some lines after it has been named.
    const declared = this.declared.sort((a, b) => a.decl - b.decl);
    // By index: an iterator makes an object for each step until V8 has optimised the loop, which never happens at a start.
    const { sites } = this.code;
    for (let s = 0; s < sites.length; s++) {
      const site = sites[s]!;
      const { pos, dst } = site;
      while (next < declared.length && declared[next]!.decl < pos) active.push(declared[next++]!);
      const isGuard = site.live.length > 0;
      // Not the table of globals, but the function: `setfenv` may change it meanwhile.
      const live = this.env === undefined ? [] : [SELF];
      let kept = 0;
      for (let i = 0; i < active.length; i++) {
        const v = active[i]!;
        if (v.end <= pos) continue;
        active[kept++] = v;
        if (v !== dst && v !== this.env) live.push(v);
      }
      active.length = kept;
      if (!isGuard) site.live = live;
    }
  }
  // ── variables ────────────────────────────────────────────────────────────────────────────────

  protected newVar(name: string, constant: boolean): Var {
    const { pos } = this;
    const v: Var = { name, decl: pos, end: pos, cell: false, constant, assigned: false };
    this.declared.push(v);
    return v;
  }

  /** @param what  what it is to hold, for people */
  protected temp(what?: string): Var {
    const name = this.readable?.temporary(++this.temps, what) ?? `$${++this.temps}`;
    return this.newVar(name, false);
  }

  /** The JavaScript name of a local. */
  protected nameOf(local: LocalVar): string {
    return this.readable?.local(local) ?? `${safeName(local.name)}$${local.id}`;
  }

  /** The variable of a local of this function, declared now. */
  protected localVar(local: LocalVar): Var {
    const v = this.newVar(this.nameOf(local), local.captured && !local.assigned);
    v.cell = local.captured && local.assigned;
    v.assigned = local.assigned;
    this.vars.set(local, v);
    this.inScope.push(v);
    return v;
  }

  /** Locals of the blocks that are open. */
  protected readonly inScope: Var[] = [];
  /**
   * Parameters, and locals that may be all that holds a channel or a socket, which ends when it is collected: a fiber
   * that waits keeps them up to the end of their block, as Lua does, though nothing reads them any more.
   */
  protected readonly owning = new Set<Var>();

  /** A block ends, whose first local is number `base` of those in scope. */
  protected closeScope(base: number): void {
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
  protected varOf(local: LocalVar): Var {
    let v = this.vars.get(local);
    if (v === undefined) {
      v = {
        name: this.nameOf(local),
        decl: -1,
        end: -1,
        cell: local.captured && local.assigned,
        constant: true,
        assigned: false,
      };
      this.vars.set(local, v);
      this.declared.unshift(v);
    }
    return v;
  }

  /** The variables are read (or kept alive) at the current position. */
  protected use(vars: readonly Var[]): void {
    const { pos, loops } = this;
    for (let at = 0; at < vars.length; at++) {
      const v = vars[at]!;
      if (v.end < pos) v.end = pos;
      for (let i = loops.length - 1; i >= 0; i--) {
        const loop = loops[i]!;
        if (v.decl >= loop.start) break;
        loop.used.add(v);
      }
    }
  }

  // ── emitting ─────────────────────────────────────────────────────────────────────────────────

  protected push(node: Node): void {
    this.seq.nodes.push(node);
  }

  protected emitLine(js: string, used: readonly Var[] = NO_VARS, names?: OpNames): void {
    this.pos++;
    this.use(used);
    this.push({ kind: 'line', js, names, seq: this.seq, line: this.line });
  }

  /** The number by which emitted code names a field's accessors. */
  protected field(key: string): number {
    const { fields } = this.chunk;
    let id = fields.get(key);
    if (id === undefined) fields.set(key, (id = fields.size));
    return id;
  }

  /** This function's own slow way of an operator. */
  protected operator(name: string): string {
    return `$o${name}_${this.node.index}`;
  }

  /** What this function has of its own for `t[k]`. */
  protected keyed(): string {
    return `$k${this.node.index}`;
  }

  protected emitSite(
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
  protected maybeCut(): void {
    if (this.seq !== this.code.body || this.pos - this.lastCut < CUT_DISTANCE) return;
    this.emitSite('', '', NO_VARS, undefined, 'none');
    this.code.sites.at(-1)!.isCut = true;
    this.lastCut = this.pos;
  }
  protected lastCut = 0;

  /** Locals that are to be functions of the libraries have got their values: leave if they are others. */
  protected guard(locals: readonly LocalVar[]): void {
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

  protected inside(seq: Seq, body: () => void): void {
    const { seq: saved } = this;
    this.seq = seq;
    body();
    this.seq = saved;
  }

  protected emitIf(cond: Ex, then: () => void, orelse?: () => void): void {
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

  /** @param changed  of the variables from before it, those that the loop assigns; undefined: not known */
  protected emitLoop(body: (loop: Loop) => void, changed?: () => ReadonlySet<Var>): void {
    const around = this.loops.at(-1);
    if (around !== undefined) around.ahead = undefined;
    this.pos++;
    const node: Loop = {
      kind: 'loop',
      label: `L${++this.labels}`,
      body: undefined as unknown as Seq,
      ahead: '',
      apart: undefined,
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
      ahead: this.readable === undefined && changed !== undefined ? new Ahead() : undefined,
    };
    this.loops.push(loop);
    this.inside(node.body, () => body(node));
    this.pos++;
    this.loops.pop();
    if (loop.calls) this.calling.push(node.body);
    if (loop.ahead !== undefined) {
      const assigned = changed!();
      node.ahead = loop.ahead.text((v) => v.decl < loop.start && !assigned.has(v));
    }
    // The next iteration reads them again.
    this.use([...loop.used]);
    if (this.isMain && this.loops.length === 0)
      this.outermost.push([node, { start: loop.start, end: this.pos, used: loop.used }]);
  }
  protected readonly outermost: [Loop, Apart][] = [];

  /**
   * V8 compiles a function that has become hot in a loop together with all that follows, and the longer it is the later: in a
   * long main function loops are functions of their own.
   */
  protected setApart(): void {
    if (this.readable !== undefined) return;
    for (const [loop, apart] of this.outermost) {
      const around = this.pos - (apart.end - apart.start);
      if (around >= this.options.apartFrom) loop.apart = apart;
    }
  }

  /**
   * A loop of the program. V8 enters a function that runs in a loop when it has become hot there, knows
   * nothing of the variables then, and makes an object of each number that the loop computes, each time
   * round; of what is set before a loop that it enters later it knows the type. So an inner loop begins
   * by telling it what is a number.
   */
  protected emitLuaLoop(block: Block, body: (loop: Loop) => void, control?: Var): void {
    this.assertNumbers(block);
    this.emitLoop(body, () => {
      const changed = new Set<Var>();
      if (control !== undefined) changed.add(control);
      for (const local of this.assignedIn(block)) {
        const v = this.vars.get(local);
        if (v !== undefined) changed.add(v);
      }
      return changed;
    });
  }

  private readonly assigned = new Map<Block, Set<LocalVar>>();

  /** Locals of this function that statements of the block, and of those in it, assign. */
  private assignedIn(block: Block): ReadonlySet<LocalVar> {
    return assignedLocals(block, this.assigned, () => true);
  }

  /** Where a value comes from, which may be a variable. */
  protected pathOf(e: Ex): Path | undefined {
    if (e.path !== undefined) return e.path;
    const [v] = e.vars;
    return v !== undefined && v.name === e.js ? pathOf(v) : undefined;
  }

  /** What is read in a loop: the elements of a table, or a value. */
  protected lookAhead(path: Path | undefined, isArray: boolean): void {
    const loop = this.loops.at(-1);
    if (path !== undefined && loop !== undefined && path.root.decl < loop.start)
      loop.ahead?.add(path, isArray);
  }

  /** For V8: which variables that the block computes are numbers. */
  protected assertNumbers(block: Block): void {
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
  private computedIn(block: Block): ReadonlySet<LocalVar> {
    return assignedLocals(block, this.computed, isComputed);
  }

  protected emitScope(label: string, body: () => void): void {
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

  protected emitJump(kind: 'break' | 'continue', label: string): void {
    this.pos++;
    this.push({ kind, label, seq: this.seq, line: this.line });
  }

  // ── values ───────────────────────────────────────────────────────────────────────────────────

  protected varEx(v: Var): Ex {
    return { ...base, js: v.name, vars: [v] };
  }

  protected constantEx(js: string, more: Partial<Ex> = {}): Ex {
    return { ...base, js, constant: true, notNil: true, ...more };
  }

  /** As something that can be indexed and called: `1.x` is no JavaScript. */
  protected object(e: Ex): Ex {
    return e.atom && !e.constant ? e : this.spill(e);
  }

  /** As something that can be named more than once. */
  protected atom(e: Ex): Ex {
    return e.atom ? e : this.spill(e);
  }

  protected spill(e: Ex): Ex {
    const v = this.temp();
    this.emitLine(`const ${v.name} = ${e.js};`, e.vars);
    return { ...e, js: v.name, vars: [v], atom: true, cell: '', constant: false };
  }

  /** The variable for the result of the next line, and how that line declares it. */
  protected target(dst: Dst | undefined, what?: string): { v: Var; decl: string } {
    if (dst === undefined) {
      const v = this.temp(what);
      return { v, decl: 'let ' };
    }
    if (dst.declare) dst.v.decl = this.pos + 1;
    return { v: dst.v, decl: dst.declare ? 'let ' : '' };
  }
}
