/**
 * Tree → structured code. Expressions become atoms (names, constants, arithmetic on what is known to be
 * a number); whatever can call Lua, and so suspend, becomes a site with a variable for its result.
 *
 * The order of evaluation is PUC Lua's: left to right; an operand that is a local is read when the
 * operator runs. Only locals that are both captured and assigned can change under a call: they live in
 * cells, and lists of values copy them when they are evaluated.
 */
import type {
  Block,
  CallExpr,
  Chunk,
  Expr,
  FunctionExpr,
  FunctionNode,
  Label,
  LocalVar,
  Stat,
} from './ast.ts';
import { intrinsic } from './intrinsics.ts';
import {
  type ChunkCode,
  type FunctionCode,
  type Loop,
  leftText,
  type OpNames,
  type Var,
} from './ir.ts';
import { isMulti, libraryCall } from './library.ts';
import { CallLowering } from './lower-calls.ts';
import type { LowerOptions, Target } from './lower-code.ts';
import {
  base,
  calledName,
  countFields,
  type Ex,
  forCount,
  isFieldKey,
  type LibraryCall,
  mayMake,
  NIL,
  NO_VARS,
  name,
  shortTests,
} from './lower-values.ts';

/** Longer runs of `elseif` don't nest. */
const MAX_ELSEIF = 40;

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

/** To evaluate it has no effect, whatever comes before it. */
function isMade({ kind }: Expr): boolean {
  switch (kind) {
    case 'functionExpr':
    case 'number':
    case 'string':
    case 'true':
    case 'false':
      return true;
    default:
      return false;
  }
}

class FunctionLowering extends CallLowering {
  protected inner(node: FunctionNode): FunctionLowering {
    return new FunctionLowering(node, this, this.chunk, this.options);
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
    const begin = this.seq.nodes.length;
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
    if (this.leaves > 0) {
      code.leaves = true;
      const { seq } = this;
      const js = leftText(node);
      seq.nodes.splice(begin, 0, { kind: 'line', js, names: undefined, seq, line: node.line });
    }
    if (code.scratch && this.readable === undefined)
      for (const body of this.calling) this.dropScratch(body);
    this.findLive();
    this.setApart();
    if (node.pure && !this.options.suspendAll && code.sites.some((site) => !site.isCut))
      throw new Error(`${node.name} was thought to compute only`);
    return code;
  }

  /** @param tail  what follows the last statement inside the scopes of all its locals */
  protected block(block: Block, tail?: () => void): void {
    const base = this.inScope.length;
    this.statements(block, tail);
    this.closeScope(base);
  }

  protected statements(block: Block, tail?: () => void): void {
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
  protected labelled(
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
        this.laterFields = countFields(stats[i]!, stats, i + 1);
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
        t.flag.assigned = true;
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

  protected targetOf(label: Label): Target {
    let target = this.targets.get(label);
    if (target === undefined) {
      target = { inner: undefined, outer: undefined, backward: undefined, flag: undefined };
      this.targets.set(label, target);
    }
    return target;
  }

  protected goto(stat: Extract<Stat, { kind: 'goto' }>): void {
    const target = this.targetOf(stat.target!);
    if (stat.backward) {
      this.emitJump('continue', target.backward!.label);
    } else if (target.inner !== undefined) this.emitJump('break', target.inner);
    else {
      this.emitLine(`${target.flag!.name} = true;`, [target.flag!]);
      this.emitJump('break', target.outer!);
    }
  }

  protected stat(s: Stat): void {
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

  protected exitUnless(cond: Ex, loop: Loop): void {
    this.emitIf({ ...cond, js: `!${cond.js}` }, () => this.emitJump('break', loop.label));
  }

  protected ifStat(s: Extract<Stat, { kind: 'if' }>, i: number): void {
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

  protected longIf(s: Extract<Stat, { kind: 'if' }>): void {
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
  protected bind(local: LocalVar, value: Ex): void {
    const v = this.localVar(local);
    v.decl = this.pos + 1;
    const js = v.cell
      ? `const ${v.name} = {v: ${value.js}};`
      : `${v.constant ? 'const' : 'let'} ${v.name} = ${value.js};`;
    this.emitLine(js, value.vars);
  }

  protected localStat(s: Extract<Stat, { kind: 'local' }>): void {
    this.localValues(s);
    if (s.exprs.some(mayMake)) for (const local of s.vars) this.owning.add(this.varOf(local));
  }

  protected localValues({ vars, exprs }: Extract<Stat, { kind: 'local' }>): void {
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
      v.assigned = local.assigned;
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

  protected localClosure(local: LocalVar, e: FunctionExpr): void {
    // Not in scope inside itself: `local f = function() return f end` reads an outer f, so no mix-up.
    const v = this.localVar(local);
    this.closure(e, { name: v.name, keyword: 'const ', cell: false });
    v.decl = this.pos;
  }

  protected localFunction(s: Extract<Stat, { kind: 'localFunction' }>): void {
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
  protected adjusted(exprs: readonly Expr[], count: number): Ex[] {
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
  protected spread(e: Expr, count: number): Ex[] {
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

  protected assign(s: Extract<Stat, { kind: 'assign' }>): void {
    const { targets, exprs } = s;
    if (targets.length === 1 && exprs.length === 1)
      return this.assignOne(targets[0]!, exprs[0]!, s.line);
    if (exprs.some(mayMake))
      for (const t of targets) if (t.kind === 'local') this.owning.add(this.varOf(t.v));
    // Prefixes and keys first, then the values, then the stores from right to left, as PUC Lua does.
    const places = targets.map((t, i) => {
      if (t.kind !== 'index') return undefined;
      const after = targets.slice(i + 1);
      const obj = this.place(t.obj, after);
      const key = isFieldKey(t.key) ? undefined : this.place(t.key, after);
      return { obj, key };
    });
    const values = this.adjusted(exprs, targets.length).map((x) => this.hold(x));
    // Surplus values are evaluated too.
    this.line = s.line;
    for (let i = targets.length - 1; i >= 0; i--) this.store(targets[i]!, places[i], values[i]!);
  }

  /** A table or key to store at: a local of this function is read by the store, unless it is itself stored to before. */
  protected place(e: Expr, targetsAfter: readonly Expr[]): Ex {
    const ex = this.exp(e);
    let inner = e;
    while (inner.kind === 'paren') inner = inner.inner;
    const v = inner.kind === 'local' ? inner.v : undefined;
    const isOwn = v !== undefined && !targetsAfter.some((t) => t.kind === 'local' && t.v === v);
    return isOwn ? this.atom(ex) : this.hold(ex);
  }

  /** A copy, unless nothing can change it. */
  protected hold(e: Ex): Ex {
    return e.constant || (e.vars.length === 1 && e.js.startsWith('$') && e.atom)
      ? e
      : this.spill(e);
  }

  protected assignOne(target: Expr, value: Expr, line: number): void {
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
    if (this.runsOnce && isMade(value) && target.obj.kind === 'global' && isFieldKey(target.key))
      if (target.obj.line === line) return this.setInGlobal(target.obj, target.key.value, value);
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

  /** `Class.name = function …`, `function Class:name() …`: most of what a long program does outside of functions. */
  protected setInGlobal(global: Extract<Expr, { kind: 'global' }>, key: string, value: Expr): void {
    const ex = this.exp(value);
    const env = this.envEx();
    this.line = global.line;
    const names = `${JSON.stringify(global.name)}, ${JSON.stringify(key)}`;
    this.emitSite(
      `if ($O.setInField(${env.js}, ${names}, ${ex.js}) === $SUSPEND) return `,
      ';',
      [...env.vars, ...ex.vars],
      undefined,
      'none',
      [name(global)],
    );
  }

  protected store(
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
  protected forNum(s: Extract<Stat, { kind: 'fornum' }>): void {
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
    this.emitLuaLoop(
      s.body,
      (loop) => {
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
      },
      h,
    );
  }

  /** A control value of a numeric `for`, checked; `own` wants a variable that the loop may change. */
  protected forControl(ex: Ex, what: string, line: number, own: boolean, local?: LocalVar): Ex {
    this.line = line;
    if (ex.constant && ex.num && !own) return ex;
    const x = ex.num ? ex : this.atom(ex);
    const isLocal = local !== undefined && !local.captured && !local.assigned;
    const v =
      isLocal && this.readable !== undefined
        ? this.newVar(this.nameOf(local), false)
        : this.temp(local?.name);
    v.assigned = own;
    // The sign tells V8 that it is a number, before the loop instead of in it.
    const value = ex.num
      ? ex.atom && !ex.constant
        ? `+${ex.js}`
        : ex.js
      : `typeof ${x.js} === 'number' ? +${x.js} : $O.forNumber(${x.js}, '${what}')`;
    this.emitLine(`let ${v.name} = ${value};`, x.vars);
    return { ...this.varEx(v), num: true, int: ex.int, min: ex.min, max: ex.max };
  }

  /**
   * for k, v in explist do body end: `next` over a plain table and the iterator of `ipairs` run here
   * without calls; anything else is called.
   */
  protected forIn(s: Extract<Stat, { kind: 'forin' }>): void {
    const [f, held, control] = this.adjusted(s.exprs, 3).map((x) => this.hold(x)) as [Ex, Ex, Ex];
    const state = held.num ? this.object(held) : held;
    this.line = s.line;
    const it = this.temp();
    const i = this.temp();
    const c = this.temp();
    i.assigned = true;
    c.assigned = true;
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

  protected returnStat(s: Extract<Stat, { kind: 'return' }>): void {
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
    const list = forCount(values, (js) => `[${js}]`);
    this.emitLine(`return ${list};`, values.vars);
  }

  /** Nothing of this frame is needed any more: SUSPEND and TAIL pass straight through it. */
  protected tailCall(e: CallExpr): void {
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
    this.emitLine(`return ${forCount(args, text)};`, vars, names);
  }
}
