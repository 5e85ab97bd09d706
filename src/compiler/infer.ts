/**
 * What is known of a chunk before it is lowered: locals that only ever hold numbers, and what the calls
 * of local functions that are never assigned come to.
 *
 * A function that is only ever called by its name gets its arguments from calls that are all here. So
 * the search is for the whole chunk: it takes every local and every result to be an integer at first,
 * and gives up what some value contradicts, until nothing changes. What lowering emits for a number
 * then needs no test, and for a function that only computes with numbers no test after its calls.
 */
import type {
  BinaryOp,
  Block,
  CallExpr,
  Chunk,
  Expr,
  FunctionNode,
  LocalVar,
  Num,
  Stat,
  Unread,
} from './ast.ts';
import { findGuarded, isMulti, LARGEST_BITS, libraryCall, returnedBy } from './library.ts';

/** Each holds the values of those before it. */
const KINDS: readonly Num[] = ['bits', 'sum', 'integer', 'number', undefined];

/** Of several possible values. */
const join = (a: Num, b: Num): Num => KINDS[Math.max(KINDS.indexOf(a), KINDS.indexOf(b))];

const isSmall = (type: Num): boolean => type === 'bits' || type === 'sum';

/** What values flow to: a local or the result of a function. */
interface Flow {
  readonly to: LocalVar | FunctionNode;
  readonly sources: Expr[];
  /** Flows whose sources read it. */
  dependents: Flow[] | undefined;
  isWaiting: boolean;
  isKnown: boolean;
  /** Sources that a call of the function comes to once at most. */
  once: Set<Expr> | undefined;
}

/** The function that a call is of, where that is known. */
export function calledFunction(e: Expr): FunctionNode | undefined {
  if (e.kind !== 'call') return undefined;
  const { fn } = e;
  return fn.kind === 'local' || fn.kind === 'upvalue' ? fn.v.known : undefined;
}

/** The type of an arithmetic result. `%` and `^`, `/` of whole numbers: NaN counts as whole. */
function arithmetic(op: BinaryOp, l: Num, r: Num): Num {
  const both = join(l, r);
  switch (op) {
    case '+':
    case '-':
      return isSmall(both) ? 'sum' : both;
    case '*':
      return isSmall(both) ? 'integer' : both;
    case '%':
      return r === 'bits' && (l === 'integer' || l === 'sum') ? 'bits' : both;
    case '/':
    case '^':
      return both === undefined ? undefined : 'number';
    default:
      return undefined;
  }
}

// Loops over lists are by index: an iterator makes an object for each step until V8 has optimised the loop, which it
// hardly ever does before the program is compiled.

class Inference {
  private readonly flows = new Map<LocalVar | FunctionNode, Flow>();
  /** Known functions whose value goes elsewhere than into a call. */
  private readonly escaped = new Set<FunctionNode>();
  private readonly calls: { func: FunctionNode; args: Expr[] }[] = [];
  private func: FunctionNode;
  /** Whose type `typeOf` finds out, the first time. */
  private reader: Flow | undefined;
  /** What variables of numeric `for` loops hold: numbers in any case, the loop converts. */
  private readonly controls = new Set<Expr>();
  /** Functions with a `return` that is not of one value, or with an end that is reached. */
  private readonly odd = new Set<FunctionNode>();
  /** What is found out about. */
  private readonly functions: ReadonlySet<FunctionNode>;
  /** Known functions that are called with who knows what. */
  private readonly calledElsewhere = new Set<FunctionNode>();

  constructor(functions: readonly FunctionNode[]) {
    this.functions = new Set(functions);
    this.func = functions[0]!;
  }

  /** @param isPart  the first one is called from elsewhere, too */
  run(isPart = false): void {
    const { functions } = this;
    if (isPart) this.calledElsewhere.add(this.func);
    for (const func of functions) this.declareKnown(func.body);
    for (const func of functions) {
      this.func = func;
      if (func.unread !== undefined) this.unread(func, func.unread);
      this.block(func.body);
      if (func.body.stats.length === 0 || fallsOff(func.body)) this.odd.add(func);
    }
    for (const func of functions) {
      if (this.escaped.has(func)) func.self = undefined;
      if (!this.odd.has(func)) func.single = true;
      else this.flows.delete(func);
    }
    this.passArguments();
    this.solve();
    this.findPure();
  }

  /** It may do anything with the variables outside that it names. */
  private unread({ upvalues }: FunctionNode, { assigned, values }: Unread): void {
    for (const v of assigned) this.flow(v, undefined);
    for (const v of upvalues) {
      if (v.known === undefined) continue;
      if (values.has(v)) this.escaped.add(v.known);
      else this.calledElsewhere.add(v.known);
    }
  }

  /** Which locals are functions for good: before anything is read. */
  private declareKnown(block: Block): void {
    const { stats } = block;
    for (let at = 0; at < stats.length; at++) {
      const s = stats[at]!;
      switch (s.kind) {
        case 'localFunction':
          if (!s.v.assigned) {
            s.v.known = s.func.func;
            s.func.func.self = s.v;
          }
          break;
        case 'local':
          s.vars.forEach((v, i) => {
            const e = s.exprs[i];
            if (e?.kind === 'functionExpr' && !v.assigned) v.known = e.func;
          });
          break;
        default: {
          const inner = blocksOf(s);
          for (let i = 0; i < inner.length; i++) this.declareKnown(inner[i]!);
        }
      }
    }
  }

  private flow(to: LocalVar | FunctionNode, source: Expr | undefined, isOnce = false): void {
    // A variable outside is settled.
    if ('func' in to && !this.functions.has(to.func)) return;
    let flow = this.flows.get(to);
    if (flow !== undefined) flow.sources.push(source ?? NIL);
    else {
      flow = {
        to,
        sources: [source ?? NIL],
        dependents: undefined,
        isWaiting: true,
        isKnown: false,
        once: undefined,
      };
      this.flows.set(to, flow);
    }
    if (!isOnce || source === undefined) return;
    flow.once ??= new Set();
    flow.once.add(source);
  }

  private passArguments(): void {
    const called = new Set<FunctionNode>();
    for (const { func, args } of this.calls) {
      if (!this.functions.has(func)) continue;
      called.add(func);
      const last = args.at(-1);
      const open = last !== undefined && isMulti(last);
      func.params.forEach((p, i) => {
        const arg = args[i];
        this.flow(p, open && i >= args.length - 1 && !isCallOfOne(arg) ? undefined : arg);
      });
    }
    for (const func of this.functions) {
      if (func.unread !== undefined) continue; // its parameters are looked at then
      const isHere = called.has(func) && !this.calledElsewhere.has(func);
      if (isHere && !this.escaped.has(func)) continue;
      for (const p of func.params) this.flow(p, undefined);
    }
  }

  private solve(): void {
    const queue: Flow[] = [...this.flows.values()];
    for (const { to } of queue) this.set(to, 'bits');
    // It grows.
    for (const flow of queue) {
      flow.isWaiting = false;
      let type: Num = 'bits';
      if (!flow.isKnown) this.reader = flow;
      for (const e of flow.sources) {
        const from = this.typeOf(e);
        // What goes round may come to any size.
        type = join(type, from === 'sum' && !flow.once?.has(e) ? 'integer' : from);
      }
      flow.isKnown = true;
      this.reader = undefined;
      // Never back up: it ends.
      const old = get(flow.to);
      if (KINDS.indexOf(old) >= KINDS.indexOf(type)) continue;
      this.set(flow.to, type);
      for (const next of flow.dependents ?? []) {
        if (next.isWaiting) continue;
        next.isWaiting = true;
        queue.push(next);
      }
    }
  }

  /** What flows to something is to be looked at again when this changes. */
  private read(from: LocalVar | FunctionNode): void {
    if (this.reader === undefined) return;
    const flow = this.flows.get(from);
    if (flow === undefined) return; // of no number, always
    if (flow.dependents === undefined) flow.dependents = [this.reader];
    else flow.dependents.push(this.reader);
  }

  private set(to: LocalVar | FunctionNode, type: Num): void {
    if ('body' in to) to.result = type;
    else to.num = type;
  }

  private typeOf(e: Expr): Num {
    switch (e.kind) {
      case 'number':
        if (!Number.isInteger(e.value)) return 'number';
        return Math.abs(e.value) <= LARGEST_BITS ? 'bits' : 'integer';
      case 'local':
      case 'upvalue':
        this.read(e.v);
        return e.v.num;
      case 'paren':
        return this.typeOf(e.inner);
      case 'unary':
        return e.op === '-' ? this.typeOf(e.operand) : undefined;
      case 'call': {
        const library = libraryCall(e);
        if (library !== undefined) return this.libraryResult(library, e.args);
        const func = calledFunction(e);
        if (func === undefined) return undefined;
        this.read(func);
        return func.result;
      }
      case 'binary': {
        const spine = [e];
        for (let x = e.left; x.kind === 'binary'; x = x.left) spine.push(x);
        let type = this.typeOf(spine.at(-1)!.left);
        for (let i = spine.length - 1; i >= 0; i--)
          type = arithmetic(spine[i]!.op, type, this.typeOf(spine[i]!.right));
        return type === undefined && this.controls.has(e) ? 'number' : type;
      }
      case 'and':
      case 'or': {
        // `x and 1 or 2`: what it is when it is true.
        const spine = [e];
        for (let x = e.left; x.kind === 'and' || x.kind === 'or'; x = x.left) spine.push(x);
        let type = this.typeOf(spine.at(-1)!.left);
        let ifTrue = type;
        for (let i = spine.length - 1; i >= 0; i--) {
          const { kind, right } = spine[i]!;
          const r = this.typeOf(right);
          type = join(kind === 'or' ? ifTrue : type, r);
          ifTrue = kind === 'or' ? join(ifTrue, r) : r;
        }
        return type;
      }
      default:
        return undefined;
    }
  }

  private libraryResult(name: string, args: readonly Expr[]): Num {
    const returned = returnedBy(name);
    if (returned === 'text') return undefined;
    if (returned !== 'arguments') return returned;
    // They take texts for numbers, too.
    let type: Num = 'bits';
    for (const arg of args) type = join(type, isMulti(arg) ? undefined : this.typeOf(arg));
    return type ?? 'number';
  }

  // ── what flows where ─────────────────────────────────────────────────────────────────────────

  private block(block: Block): void {
    if (block.labels !== undefined) this.loops++;
    const { stats } = block;
    for (let i = 0; i < stats.length; i++) this.stat(stats[i]!);
    if (block.labels !== undefined) this.loops--;
  }
  /** So many loops are around the statement. */
  private loops = 0;

  private stat(s: Stat): void {
    switch (s.kind) {
      case 'local':
        this.exprs(s.exprs);
        this.flowAll(s.vars, s.exprs);
        break;
      case 'localFunction':
        if (s.v.known === undefined) this.flow(s.v, undefined);
        break;
      case 'assign':
        this.exprs(s.exprs);
        for (let i = 0; i < s.targets.length; i++) {
          const t = s.targets[i]!;
          if (t.kind !== 'index') continue;
          this.expr(t.obj);
          this.expr(t.key);
        }
        this.flowAll(
          s.targets.map((t) => (t.kind === 'local' || t.kind === 'upvalue' ? t.v : undefined)),
          s.exprs,
        );
        break;
      case 'callStat':
        this.expr(s.call);
        break;
      case 'while':
      case 'repeat':
        this.expr(s.cond);
        break;
      case 'if':
        for (const { cond } of s.clauses) this.expr(cond);
        break;
      case 'fornum': {
        const step = s.step ?? ONE;
        this.exprs([s.start, s.limit, step]);
        const next: Expr = { kind: 'binary', op: '+', left: s.start, right: step, line: s.line };
        this.controls.add(next);
        this.flow(s.v, next);
        break;
      }
      case 'forin':
        this.exprs(s.exprs);
        for (const v of s.vars) this.flow(v, undefined);
        break;
      case 'return':
        this.exprs(s.exprs);
        if (s.exprs.length === 1 && !isMulti(s.exprs[0]!)) this.flow(this.func, s.exprs[0]);
        else this.odd.add(this.func);
        break;
      case 'goto':
        this.odd.add(this.func); // where it goes is not looked at
        break;
      default:
    }
    const isLoop =
      s.kind === 'while' || s.kind === 'repeat' || s.kind === 'fornum' || s.kind === 'forin';
    if (isLoop) this.loops++;
    const inner = blocksOf(s);
    for (let i = 0; i < inner.length; i++) this.block(inner[i]!);
    if (isLoop) this.loops--;
  }

  private flowAll(to: (LocalVar | undefined)[], exprs: readonly Expr[]): void {
    const last = exprs.at(-1);
    const open = last !== undefined && isMulti(last) ? exprs.length - 1 : exprs.length;
    to.forEach((v, i) => {
      if (v === undefined || v.known !== undefined) return;
      // Others may read it at any time, and a loop again and again.
      const isOnce = this.loops === 0 && v.func === this.func && !v.captured;
      this.flow(
        v,
        i < open || (i === open && isCallOfOne(exprs[i])) ? exprs[i] : undefined,
        isOnce,
      );
    });
  }

  private exprs(list: readonly Expr[]): void {
    for (let i = 0; i < list.length; i++) this.expr(list[i]!);
  }

  private expr(e: Expr): void {
    switch (e.kind) {
      case 'local':
      case 'upvalue':
        if (e.v.known !== undefined) this.escaped.add(e.v.known);
        return;
      case 'index':
        this.expr(e.obj);
        this.expr(e.key);
        return;
      case 'call':
        return this.call(e);
      case 'method':
        this.expr(e.obj);
        this.exprs(e.args);
        return;
      case 'binary':
      case 'and':
      case 'or': {
        // As deep to the left as the text is long.
        let x: Expr = e;
        for (; x.kind === 'binary' || x.kind === 'and' || x.kind === 'or'; x = x.left)
          this.expr(x.right);
        this.expr(x);
        return;
      }
      case 'concat':
        this.exprs(e.parts);
        return;
      case 'unary':
        this.expr(e.operand);
        return;
      case 'paren':
        this.expr(e.inner);
        return;
      case 'table':
        for (let i = 0; i < e.items.length; i++) {
          const { key, value } = e.items[i]!;
          if (key !== undefined) this.expr(key);
          this.expr(value);
        }
        return;
      default:
    }
  }

  private call(e: Extract<CallExpr, { kind: 'call' }>): void {
    const func = calledFunction(e);
    if (func === undefined) this.expr(e.fn);
    else this.calls.push({ func, args: e.args });
    this.exprs(e.args);
  }

  // ── functions that only compute ──────────────────────────────────────────────────────────────

  /** Functions of one result that can neither suspend nor leave a tail call: no sites but such calls. */
  private findPure(): void {
    const known = new Set<FunctionNode>();
    for (const { func } of this.calls) known.add(func);
    const callers = new Map<FunctionNode, FunctionNode[]>();
    const pure = new Set<FunctionNode>();
    for (const func of known) {
      if (!this.functions.has(func)) {
        if (func.pure) pure.add(func);
        continue;
      }
      if (func.single !== true || func.isVararg || func.usesEnv) continue;
      this.callees = new Set();
      if (!this.isPureBlock(func.body)) continue;
      pure.add(func);
      for (const callee of this.callees) {
        const list = callers.get(callee);
        if (list === undefined) callers.set(callee, [func]);
        else list.push(func);
      }
    }
    const impure = [...callers.keys()].filter((func) => !pure.has(func));
    for (const func of impure) {
      for (const caller of callers.get(func) ?? []) if (pure.delete(caller)) impure.push(caller);
    }
    for (const func of this.functions) func.pure = pure.has(func);
  }
  private callees = new Set<FunctionNode>();

  private isPureBlock(block: Block): boolean {
    return block.labels === undefined && block.stats.every((s) => this.isPureStat(s));
  }

  private isPureStat(s: Stat): boolean {
    switch (s.kind) {
      case 'local':
      case 'return':
        return s.exprs.every((e) => this.isPure(e));
      case 'assign':
        return (
          s.targets.every((t) => t.kind === 'local' || t.kind === 'upvalue') &&
          s.exprs.every((e) => this.isPure(e))
        );
      case 'while':
      case 'repeat':
        return this.isPureTest(s.cond) && this.isPureBlock(s.body);
      case 'if':
        return (
          s.clauses.every((c) => this.isPureTest(c.cond) && this.isPureBlock(c.body)) &&
          (s.orelse === undefined || this.isPureBlock(s.orelse))
        );
      case 'fornum':
        return (
          this.isPure(s.start) &&
          this.isPure(s.limit) &&
          (s.step === undefined || this.isPure(s.step)) &&
          this.isPureBlock(s.body)
        );
      case 'do':
        return this.isPureBlock(s.body);
      case 'callStat':
        return this.isPure(s.call);
      case 'break':
        return true;
      default:
        return false;
    }
  }

  /** Lowering makes no site of it. */
  private isPure(e: Expr): boolean {
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
        return this.isPure(e.inner);
      case 'unary':
        return e.op === '-' && this.typeOf(e.operand) !== undefined && this.isPure(e.operand);
      case 'binary':
        if (e.op === '==' || e.op === '~=') return false;
        return (
          this.typeOf(e.left) !== undefined &&
          this.typeOf(e.right) !== undefined &&
          this.isPure(e.left) &&
          this.isPure(e.right)
        );
      case 'call': {
        const func = calledFunction(e);
        if (libraryCall(e) === undefined) {
          if (func === undefined) return false;
          this.callees.add(func);
        }
        return e.args.every((a) => !isMulti(a) && this.isPure(a));
      }
      default:
        return false;
    }
  }

  private isPureTest(e: Expr): boolean {
    switch (e.kind) {
      case 'paren':
        return this.isPureTest(e.inner);
      case 'and':
      case 'or':
        return this.isPureTest(e.left) && this.isPureTest(e.right);
      case 'binary':
        if (e.op === '==' || e.op === '~=') {
          return (
            (this.typeOf(e.left) !== undefined || this.typeOf(e.right) !== undefined) &&
            this.isPure(e.left) &&
            this.isPure(e.right)
          );
        }
        return this.isPure(e);
      case 'unary':
        return e.op === 'not' ? this.isPureTest(e.operand) : this.isPure(e);
      default:
        return this.isPure(e);
    }
  }
}

const NIL: Expr = { kind: 'nil', line: 0 };
const ONE: Expr = { kind: 'number', value: 1, line: 0 };

const get = (to: LocalVar | FunctionNode): Num => ('body' in to ? to.result : to.num);

/** A call whose only value is the first, as far as a number type is asked for. */
const isCallOfOne = (e: Expr | undefined): boolean =>
  e !== undefined && calledFunction(e) !== undefined;

/** May control reach the end of the block? */
function fallsOff(block: Block): boolean {
  const last = block.stats.at(-1);
  if (last === undefined) return true;
  switch (last.kind) {
    case 'return':
      return false;
    case 'do':
      return fallsOff(last.body);
    case 'if':
      return (
        last.orelse === undefined ||
        fallsOff(last.orelse) ||
        last.clauses.some((c) => fallsOff(c.body))
      );
    default:
      return true;
  }
}

const NO_BLOCKS: readonly Block[] = [];

/** The blocks that a statement consists of. */
export function blocksOf(s: Stat): readonly Block[] {
  switch (s.kind) {
    case 'do':
    case 'while':
    case 'repeat':
    case 'fornum':
    case 'forin':
      return [s.body];
    case 'if':
      return [...s.clauses.map((c) => c.body), ...(s.orelse === undefined ? [] : [s.orelse])];
    default:
      return NO_BLOCKS;
  }
}

/**
 * Fill in `num`, `known`, `guarded` and `library` of the chunk's locals, `self`, `single`, `result` and `pure` of its
 * functions.
 * @param relies  take locals for the functions of the libraries that they are expected to be
 */
export function infer(chunk: Chunk, relies: boolean): void {
  const { body } = chunk.main;
  if (body.labels === undefined) findGuarded(body.stats);
  if (relies) {
    for (const s of body.stats)
      if (s.kind === 'local') for (const v of s.vars) v.library = v.guarded;
  }
  new Inference(chunk.functions).run();
}

/**
 * The same for a function that has been left unread before, and those in it.
 * @param functions  it is the first of them. What is known of it holds in itself: others have been told otherwise
 */
export function inferPart(functions: readonly FunctionNode[]): void {
  new Inference(functions).run(true);
}
