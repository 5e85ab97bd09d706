/** Expressions: constants, variables and operators; and what evaluates several in order. */
import type { BinaryOp, CallExpr, Expr, FunctionExpr, LocalVar, TableExpr } from './ast.ts';
import { calledFunction } from './infer.ts';
import type { OpNames, Var } from './ir.ts';
import { libraryCall } from './library.ts';
import { CodeBuilder } from './lower-code.ts';
import {
  ARITH,
  arithText,
  base,
  cellOf,
  constantPower,
  type Dst,
  type Ex,
  greatestResult,
  isImmediate,
  isNeverFalse,
  knownNumber,
  type LibraryCall,
  type LogicalExpr,
  leastResult,
  MAX_CONCAT,
  MAX_TEXT,
  NIL,
  name,
  numberTest,
  numberText,
  spineOf,
  stringTest,
  truth,
} from './lower-values.ts';

export abstract class ExpressionLowering extends CodeBuilder {
  protected abstract table(e: TableExpr): Ex;
  protected abstract indexGet(e: Extract<Expr, { kind: 'index' }>, dst?: Dst): Ex;
  protected abstract fieldGet(obj: Ex, key: string, names: OpNames, dst?: Dst): Ex;
  /** A value that the program expects to be nil at times. */
  protected abstract maybeNil(e: Expr): Ex;
  protected abstract call(e: CallExpr, want: 'one' | 'raw' | 'none', dst?: Dst): Var | undefined;
  /** Such a call is no site: it returns one value, and calls no Lua. */
  protected abstract libraryValue(e: LibraryCall, dst?: Dst): Ex;
  protected abstract closure(e: FunctionExpr): Ex;

  /** One value. Where `dst` is given the result may (not must) be put there. */
  protected exp(e: Expr, dst?: Dst): Ex {
    this.line = e.line;
    switch (e.kind) {
      case 'nil':
        return NIL;
      case 'true':
      case 'false':
        return this.constantEx(e.kind, { bool: true });
      case 'number':
        return this.number(e.value);
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
        return result === undefined ? v : { ...v, ...knownNumber(result) };
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

  private number(value: number): Ex {
    const int = Number.isInteger(value);
    return this.constantEx(numberText(value), { num: true, int, min: value, max: value });
  }

  protected variable(local: LocalVar, kind: 'local' | 'upvalue'): Ex {
    const v = this.varOf(local);
    const ex = this.varEx(v);
    if (v.cell) {
      ex.js = `${v.name}.v`;
      ex.cell = kind === 'local' ? 'own' : 'upvalue';
    }
    if (local.num !== undefined) {
      Object.assign(ex, knownNumber(local.num));
    } else if (local.known !== undefined) {
      ex.func = local.known;
      ex.notNil = true;
    }
    const min = this.loopVars.get(local);
    if (min !== undefined) {
      ex.num = ex.notNil = true;
      ex.min = Math.max(ex.min, min);
    }
    return ex;
  }
  /** Variables of numeric `for` loops that the body does not assign, with their least value. */
  protected readonly loopVars = new Map<LocalVar, number>();

  protected envEx(): Ex {
    return this.varEx(this.env!);
  }

  /** Values of a list, in order; a cell is copied where something is evaluated after it. */
  protected list(exprs: readonly Expr[]): Ex[] {
    const out: Ex[] = [];
    exprs.forEach((e, i) => {
      let ex = this.exp(e);
      if (ex.cell !== '' && exprs.slice(i + 1).some((later) => !isImmediate(later))) {
        ex = this.spill(ex);
      }
      out.push(ex);
    });
    return out;
  }

  /** The left operand, safe from what evaluating the right one does. */
  protected leftOf(left: Ex, right: Expr): Ex {
    return left.cell === 'upvalue' && !isImmediate(right) ? this.spill(left) : left;
  }

  /** Operators nest to the left as deep as the text is long: no recursion in that direction. */
  protected binary(e: Extract<Expr, { kind: 'binary' }>, dst?: Dst): Ex {
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

  protected operate(op: BinaryOp, l: Ex, r: Ex, names: OpNames, dst: Dst | undefined): Ex {
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

  protected arith(op: BinaryOp, left: Ex, right: Ex, names: OpNames, dst?: Dst): Ex {
    const power = op === '^' ? constantPower(left, right) : undefined;
    if (power !== undefined) return this.number(power);
    if (left.num && right.num) {
      const l = op === '^' || op === '%' ? this.atom(left) : left;
      const r = op === '%' ? this.atom(right) : right;
      const call = op === '^' && right.js !== '2';
      const text = arithText(op, l, r);
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
        max: greatestResult(op, left, right),
      };
      return text.length > MAX_TEXT ? this.spill(ex) : ex;
    }
    const l = this.atom(left);
    const r = this.atom(right);
    const { v, decl } = this.target(dst);
    const fast = arithText(op, l, r);
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

  protected compare(op: '<' | '<=' | '>' | '>=', left: Ex, right: Ex): Ex {
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

  protected equality(left: Ex, right: Ex, negate: boolean): Ex {
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

  protected concat(parts: readonly Expr[], dst?: Dst): Ex {
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

  protected longConcat(parts: readonly Expr[], dst?: Dst): Ex {
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

  protected unary(e: Extract<Expr, { kind: 'unary' }>, dst?: Dst): Ex {
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
        min: -operand.max,
        max: -operand.min,
      };
    }
    const o = e.op === '#' ? this.object(operand) : this.atom(operand);
    const { v, decl } = this.target(dst);
    const d = decl === '' ? '' : `let ${v.name}; `;
    let head: string;
    if (e.op === '-')
      head = `${d}if (typeof ${o.js} === 'number') ${v.name} = -${o.js}; else if ((${v.name} = $O.unm(${o.js})) === $SUSPEND) return `;
    else {
      this.lookAhead(this.pathOf(o), true);
      this.code.scratch = true;
      // What is no table has the array EMPTY.
      const plain = `${o.js} !== undefined && ${o.js}.meta === undefined && (a$ = ${o.js}.arr) !== $EMPTY && ${o.js}.hash === undefined`;
      head = `${d}if (typeof ${o.js} === 'string') ${v.name} = ${o.js}.length; else if (${plain}) ${v.name} = a$.length - 1; else if ((${v.name} = $O.len(${o.js})) === $SUSPEND) return `;
    }
    this.emitSite(head, ';', o.vars, v, 'one', [name(e.operand)]);
    return this.varEx(v);
  }

  protected logical(e: LogicalExpr, dst?: Dst): Ex {
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
  protected choice(e: LogicalExpr, dst?: Dst): Ex | undefined {
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
      max: Math.max(...values.map((x) => x.max)),
    };
  }

  /** As a JavaScript condition. */
  protected test(e: Expr): Ex {
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
  protected isPureTest(e: Expr): boolean {
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
          (constant(e.left) || constant(e.right)) && isImmediate(e.left) && isImmediate(e.right)
        );
      }
      default:
        return isImmediate(e);
    }
  }
}
