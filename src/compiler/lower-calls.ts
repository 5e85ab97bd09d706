/** Calls of functions, methods and what the libraries have; functions as values. */
import type { CallExpr, Expr, FunctionExpr, FunctionNode, LocalVar, Stat } from './ast.ts';
import {
  type Intrinsic,
  intrinsic,
  isIntrinsicName,
  type Operand,
  STRING_METHODS,
} from './intrinsics.ts';
import { type FunctionCode, NOT_LUA, type OpNames, type Var } from './ir.ts';
import { isMulti, returnedBy } from './library.ts';
import { outsideOf } from './lower-code.ts';
import { TableLowering } from './lower-tables.ts';
import {
  type Args,
  base,
  type Callee,
  type ClassTest,
  calledName,
  countOf,
  type Dst,
  type Ex,
  forCount,
  isImmediate,
  isLiteral,
  isVariable,
  type LibraryCall,
  type LibraryParts,
  leastReturned,
  MAX_TEXT,
  makerOf,
  member,
  NIL,
  NO_VARS,
  name,
  rangeOf,
  shortTests,
} from './lower-values.ts';

export abstract class CallLowering extends TableLowering {
  /** The lowering of a function inside this one. */
  protected abstract inner(node: FunctionNode): CallLowering;
  abstract run(): FunctionCode;
  protected abstract bind(local: LocalVar, value: Ex): void;

  /** A call or `...` as JavaScript text for a list of values. */
  protected multi(e: Expr): { js: string; vars: Var[]; raw?: string } {
    if (e.kind === 'vararg') return { js: 'va$', vars: [this.va!] };
    const raw = this.call(e as CallExpr, 'raw')!;
    return { js: `$list(${raw.name})`, vars: [raw], raw: raw.name };
  }

  /** Arguments, in order, the last one open where it is a call or `...`. */
  protected args(exprs: readonly Expr[], short = false): Args {
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
  protected newObject(e: CallExpr): Callee | undefined {
    const [literal, meta] = e.args;
    if (!this.isSetMetatable(e) || !isLiteral(literal!)) return;
    this.code.scratch = true;
    const fn = this.atom(this.spillCell(this.object(this.exp(e.fn))));
    let found = base;
    const isPlain = isImmediate(meta!);
    const test: ClassTest['test'] = () => {
      found = this.atom(this.exp(meta!));
      return makerOf(fn, found);
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
  protected isSetMetatable(e: CallExpr): e is Extract<CallExpr, { kind: 'call' }> {
    if (this.options.suspendAll || e.kind !== 'call' || calledName(e) !== 'setmetatable')
      return false;
    return e.args.length === 2 && isVariable(e.args[1]!);
  }

  /**
   * `local o = {…}`, then `setmetatable(o, Class)`: as `local o = setmetatable({…}, Class)`.
   * @returns false where it is something else, and nothing has been done
   */
  protected localObject(s: Stat, next: Stat | undefined): boolean {
    if (s.kind !== 'local' || next?.kind !== 'callStat' || next.call.kind !== 'call') return false;
    const { call } = next;
    const [literal] = s.exprs;
    const [local] = s.vars;
    const [t, meta] = call.args;
    if (s.exprs.length !== 1 || s.vars.length !== 1 || !isLiteral(literal!)) return false;
    const isIt = (e: Expr): boolean => e.kind === 'local' && e.v === local;
    if (!this.isSetMetatable(call) || !isIt(t!) || isIt(meta!) || isIt(call.fn)) return false;
    if (!isVariable(call.fn)) return false;
    this.line = s.line;
    this.code.scratch = true;
    let fn = base;
    let found = base;
    const isPlain = isImmediate(meta!) && isImmediate(call.fn);
    const made = this.table(literal, {
      isPlain,
      test: () => {
        this.line = next.line;
        fn = this.atom(this.spillCell(this.object(this.exp(call.fn))));
        found = this.atom(this.exp(meta!));
        return makerOf(fn, found);
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

  protected spillCell(e: Ex): Ex {
    return e.cell === '' ? e : this.spill(e);
  }

  /** The function to call and its arguments. */
  protected callee(e: CallExpr, isUsed = true): Callee {
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
    if (fn.cell !== '' && e.args.some((a) => !isImmediate(a))) fn = this.spill(fn);
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
  protected method(obj: Ex, key: string, objName: string | undefined): Ex {
    if (this.runsOnce) return this.fieldGet(obj, key, [objName]);
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

  protected callText(fn: Ex, args: string): string {
    if (this.options.suspendAll)
      return `$callSuspending(${fn.js}${args === '' ? '' : `, ${args}`})`;
    if (fn.func !== undefined) return `${fn.js}(${args})`;
    return `typeof ${fn.js} === 'function' ? ${fn.js}(${args}) : $O.call(${fn.js}${args === '' ? '' : `, ${args}`})`;
  }

  /** What a call of a function of the libraries that is known reads, and does. */
  protected libraryParts(e: LibraryCall): LibraryParts {
    const fn = this.exp(e.fn);
    const args = this.args(e.args, true);
    this.line = e.line;
    const short = intrinsic(e.fn.v.library!, args.operands);
    return {
      short: short?.js,
      tests: short?.tests.join(' && ') ?? '',
      call: forCount(args, (js) => `${fn.js}(${js})`),
      vars: [...fn.vars, ...args.vars],
      operands: args.operands,
      names: [name(e.fn), `call ${countOf(e.args, 0)}`],
    };
  }

  /** Such a call is no site: it returns one value, and calls no Lua. */
  protected libraryValue(e: LibraryCall, dst?: Dst): Ex {
    const { short, tests, call, vars, operands, names } = this.libraryParts(e);
    const returned = returnedBy(e.fn.v.library!);
    const num = returned !== 'text';
    const known = operands.length === e.args.length && operands.every((x) => x.int);
    const value: Ex = {
      ...base,
      js: `(${short})`,
      vars,
      num,
      int: returned === 'integer' || returned === 'bits' || (returned === 'arguments' && known),
      notNil: true,
      atom: false,
      cell: operands.some((x) => (x as Ex).cell !== '') ? 'upvalue' : '',
      min: leastReturned(e.fn.v.library!, operands),
      max: rangeOf(returned).max,
    };
    if (short !== undefined && tests === '')
      return value.js.length > MAX_TEXT ? this.spill(value) : value;
    const { v, decl } = this.target(dst);
    const js = short === undefined ? call : `${tests} ? ${short} : ${call}`;
    this.emitLine(`${decl}${v.name} = ${js};`, [v, ...vars], names);
    return { ...value, js: v.name, vars: [v], atom: true, cell: '' };
  }

  protected libraryReturn(e: LibraryCall): void {
    const { short, tests, call, vars, names } = this.libraryParts(e);
    names[1] = names[1]!.replace('call', 'tail');
    const js = short === undefined ? call : tests === '' ? short : `${tests} ? ${short} : ${call}`;
    this.emitLine(`return ${js};`, vars, names);
  }

  /** `select(n, ...)`: n. */
  protected selectedPosition(e: CallExpr): Expr | undefined {
    if (this.options.suspendAll || e.kind !== 'call' || e.fn.kind !== 'global') return undefined;
    const [n, rest] = e.args;
    return e.fn.name === 'select' && e.args.length === 2 && rest!.kind === 'vararg' ? n : undefined;
  }

  /** Where it is the base library's `select`, nothing is called and no list is copied. */
  protected selectOne(e: CallExpr, position: Expr, dst?: Dst): Var {
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
  protected call(e: CallExpr, want: 'one' | 'raw' | 'none', dst?: Dst): Var | undefined {
    const position = this.selectedPosition(e);
    if (want === 'one' && position !== undefined) return this.selectOne(e, position, dst);
    const { fn, args, names } = this.callee(e, want !== 'none');
    this.line = e.line;
    const vars = [...fn.vars, ...args.vars];
    if (want !== 'none' && dst === undefined) dst = this.overCallee(e, fn);
    const loop = this.loops.at(-1);
    if (loop !== undefined) loop.calls = true;
    const text = forCount(args, (js) => this.callText(fn, js));
    if (want !== 'none' && !this.options.suspendAll) {
      const short = intrinsic(calledName(e), args.operands);
      if (short !== undefined)
        return this.callShort(e, fn, short, text, vars, want, names, dst, args.isMade);
    }
    if (loop !== undefined && fn.func?.pure !== true) loop.ahead = undefined;
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
  protected overCallee(e: CallExpr, fn: Ex): Dst | undefined {
    const isOwn = e.kind === 'method' || e.fn.kind === 'global' || e.fn.kind === 'index';
    const [v] = fn.vars;
    if (!isOwn || this.readable !== undefined || fn.js !== v?.name) return undefined;
    return { v, declare: false };
  }

  /** For the same reason a variable that a loop declares is empty while the call runs that it gets its value from. */
  protected resultTarget(dst: Dst | undefined): { v: Var; decl: string } {
    const { v, decl } = this.target(dst);
    return { v, decl: decl !== '' && this.empties ? `let ${v.name}; ` : decl };
  }

  /** A call of what may be a function of the libraries that runs here. */
  protected callShort(
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
  protected callSingle(
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

  protected closure(e: FunctionExpr, dst?: { name: string; keyword: string; cell: boolean }): Ex {
    if (this.isForLater(e.func)) return this.laterClosure(e, dst);
    const func = this.inner(e.func);
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

  protected isForLater({ size, unread }: FunctionNode): boolean {
    if (unread !== undefined) return true;
    const { own, inner } = this.options.later;
    return this.loops.length === 0 && size >= (this.isMain ? own : inner);
  }

  /**
   * A function that has what it does compiled when it is first called: it stays what the program knows, and
   * calls that. It is so short that V8 always puts it into what calls it. The variables outside never change, or are in
   * cells, so they can be read now.
   */
  protected laterClosure(
    { func, line }: FunctionExpr,
    dst?: { name: string; keyword: string; cell: boolean },
  ): Ex {
    this.chunk.later.push(func.index);
    const { index } = func;
    const vars: Var[] = [];
    const outside = outsideOf(func).map((local) => {
      if (local.known === func) return '$z'; // itself, which is not there yet
      const v = this.varOf(local);
      vars.push(v);
      return v.name;
    });
    const params = func.params.map((_, i) => `p${i}`);
    if (func.isVararg) params.push('...va');
    const list = params.join(', ');
    const v = dst === undefined ? this.temp() : undefined;
    const target = dst?.name ?? v!.name;
    const place = this.leaves++;
    // By its name others know that it is of a program.
    const name = `$f${index}`;
    const given = [place, index, name, ...outside].join(', ');
    if (func.usesEnv) vars.push(this.env!);
    this.line = NOT_LUA;
    this.emitLine(
      `const ${name} = (${list}) => $z[${place}](${list}); ${dst?.keyword ?? 'const '}${target} = $l(${given});`,
      vars,
    );
    this.line = line;
    return v === undefined ? NIL : { ...this.varEx(v), notNil: true };
  }
}
