/**
 * Tokens → syntax tree, by recursive descent. Grammar: Lua 5.1 manual §8. Names are resolved on the
 * way (`resolve.ts`), so that one pass over the text is enough. Messages are worded as LuaJIT's.
 */
import {
  type BinaryOp,
  type Block,
  type CallExpr,
  type Chunk,
  type Expr,
  type FunctionExpr,
  type FunctionNode,
  type LocalVar,
  MAX_FIELD_NAME,
  type Stat,
  type TableExpr,
} from './ast.ts';
import { Lexer } from './lex.ts';
import { MAX_LEVELS, MAX_LOCALS, MAX_UPVALUES, MAX_VALUES } from './limits.ts';
import { FunctionScope, type ScopeFault } from './resolve.ts';
import { type Skimmer, skimmer, type ToBytes } from './skim.ts';
import { CHAR, T, tokenName } from './token.ts';

const ch = (c: string): number => CHAR + c.charCodeAt(0);
const LPAREN = ch('(');
const RPAREN = ch(')');
const LBRACE = ch('{');
const RBRACE = ch('}');
const LBRACKET = ch('[');
const RBRACKET = ch(']');
const COMMA = ch(',');
const SEMICOLON = ch(';');
const EQUALS = ch('=');
const DOT = ch('.');
const COLON = ch(':');
const MINUS = ch('-');
const HASH = ch('#');

const NONE: ReadonlySet<LocalVar> = new Set();

/** Lists live as long as the tree; one that has grown has room for sixteen more. */
const exact = <X>(list: X[]): X[] => (list.length > 0 ? list.slice() : list);

/** Binding power of binary operators: left and right; right < left makes it right-associative. */
const binary = new Map<number, { op: BinaryOp | 'and' | 'or'; left: number; right: number }>([
  [T.or, { op: 'or', left: 1, right: 1 }],
  [T.and, { op: 'and', left: 2, right: 2 }],
  [T.ne, { op: '~=', left: 3, right: 3 }],
  [T.eq, { op: '==', left: 3, right: 3 }],
  [ch('<'), { op: '<', left: 3, right: 3 }],
  [T.le, { op: '<=', left: 3, right: 3 }],
  [ch('>'), { op: '>', left: 3, right: 3 }],
  [T.ge, { op: '>=', left: 3, right: 3 }],
  [T.concat, { op: '..', left: 5, right: 4 }],
  [ch('+'), { op: '+', left: 6, right: 6 }],
  [MINUS, { op: '-', left: 6, right: 6 }],
  [ch('*'), { op: '*', left: 7, right: 7 }],
  [ch('/'), { op: '/', left: 7, right: 7 }],
  [ch('%'), { op: '%', left: 7, right: 7 }],
  [ch('^'), { op: '^', left: 10, right: 9 }],
]);
const UNARY_POWER = 8;

/** Which functions are left unread. */
export interface Leaving {
  /** Characters of the shortest of the chunk's own functions that is. */
  readonly own: number;
  readonly toBytes: ToBytes;
}

/**
 * @param source     Lua text, one byte a code unit
 * @param chunkName  as messages print it
 * @param leaving    leave functions of the chunk unread that are not made in a loop
 * @throws LuaSyntaxError
 */
export function parse(
  source: string,
  chunkName: string,
  parseNumber: (text: string) => number | undefined,
  leaving?: Leaving,
): Chunk {
  const parser = new Parser(new Lexer(source, chunkName, parseNumber), /[sg]etfenv/.test(source));
  if (leaving !== undefined) {
    parser.skimmer = skimmer(source, leaving.toBytes, parseNumber);
    parser.leastUnread = leaving.own;
  }
  const chunk = parser.chunk();
  if (source.includes('collectgarbage')) chunk.watchesCollector = true;
  return chunk;
}

class Parser {
  private readonly lex: Lexer;
  private readonly looksForFunctions: boolean;
  private functions: FunctionNode[] = [];
  private fields = new Set<string>();
  private scope!: FunctionScope;
  private nextId = 1;
  private nextIndex = 0;
  private level = 0;
  skimmer: Skimmer | undefined = undefined;
  leastUnread = 0;
  private mayLeave = true;

  /** @param looksForFunctions  it names what looks for functions that run, whatever they are called through */
  constructor(lex: Lexer, looksForFunctions: boolean) {
    this.lex = lex;
    this.looksForFunctions = looksForFunctions;
  }

  chunk(): Chunk {
    const main = this.openFunction('main chunk', 0);
    main.isVararg = true;
    this.lex.next();
    this.scope.openBlock(main.body, false);
    this.statements(main.body);
    if (this.lex.kind !== T.eof) this.lex.errorNear("'<eof>' expected");
    main.endLine = this.lex.line;
    main.inner = this.nextIndex - 1;
    this.closeFunction();
    const { functions, fields, nextId } = this;
    for (const name of this.skimmer?.fields() ?? []) fields.add(name);
    this.skimmer = undefined;
    return {
      functions,
      main,
      count: this.nextIndex,
      fields,
      watchesCollector: false,
      read: (node) => this.read(node, nextId, fields),
    };
  }

  /**
   * @param nextId  the first that no variable of the chunk has
   * @param known   fields
   */
  private read(
    node: FunctionNode,
    nextId: number,
    known: ReadonlySet<string>,
  ): ReturnType<Chunk['read']> {
    const { start, startLine, level } = node.unread!;
    node.unread = undefined;
    // Whatever has been read before, ids and indexes are the same.
    this.nextId = nextId;
    this.nextIndex = node.index + 1;
    this.level = level;
    this.functions = [node];
    this.fields = new Set();
    const around = new FunctionScope(node.parent!, undefined);
    around.active.push(...node.upvalues);
    this.scope = new FunctionScope(node, around);
    this.scope.openBlock(node.body, false);
    this.scope.active.push(...node.params);
    this.lex.moveTo(start, startLine);
    this.statements(node.body);
    this.closeFunction();
    return { functions: this.functions, fields: [...this.fields].filter((x) => !known.has(x)) };
  }

  /**
   * Leave the rest of a function unread, at its body, if that may be.
   * @returns whether the current token is its `end` now
   */
  private leave(node: FunctionNode, from: number, line: number, isMethod: boolean): boolean {
    const { lex, level, skimmer, scope } = this;
    const { outer } = scope;
    if (skimmer === undefined || !this.mayLeave) return false;
    if (outer?.outer !== undefined || outer?.insideLoop) return false;
    const skimmed = skimmer.skim(from, line, isMethod, level, outer!.active.length);
    if (skimmed === undefined || skimmed.end - from < this.leastUnread) return false;
    const assigned: LocalVar[] = [];
    const values = new Set<LocalVar>();
    for (const { name, isAssigned, isValue } of skimmed.names) {
      const v = outer!.find(name);
      if (v === undefined) {
        node.usesEnv = true;
        this.fields.add(name);
        continue;
      }
      v.captured = true;
      this.addUpvalue(v, node);
      if (isAssigned) {
        v.assigned = true;
        assigned.push(v);
      }
      if (isValue) values.add(v);
    }
    node.unread = { start: lex.position, startLine: lex.line, level, assigned, values };
    this.nextIndex += skimmed.inner;
    lex.moveTo(skimmed.end, skimmed.endLine);
    return true;
  }

  // ── functions and names ──────────────────────────────────────────────────────────────────────

  private openFunction(name: string, line: number): FunctionNode {
    const node: FunctionNode = {
      kind: 'function',
      index: this.nextIndex++,
      name,
      params: [],
      upvalues: NONE,
      size: 0,
      inner: 0,
      unread: undefined,
      isVararg: false,
      body: { stats: [], labels: undefined },
      line,
      endLine: line,
      parent: this.scope?.node,
      usesEnv: this.looksForFunctions,
      self: undefined,
      single: false,
      result: undefined,
      pure: false,
    };
    this.functions.push(node);
    this.scope = new FunctionScope(node, this.scope);
    return node;
  }

  private closeFunction(): void {
    this.check(this.scope.closeBlock());
    const { node, outer } = this.scope;
    if (outer !== undefined) {
      if (node.usesEnv) outer.node.usesEnv = true;
      this.scope = outer;
    }
  }

  private check(fault: ScopeFault | undefined): void {
    if (fault !== undefined) this.lex.fail(fault.message, fault.line);
  }

  private newLocal(name: string): LocalVar {
    const v: LocalVar = {
      name,
      func: this.scope.node,
      id: this.nextId++,
      captured: false,
      assigned: false,
      num: undefined,
      known: undefined,
      guarded: undefined,
      library: undefined,
    };
    if (this.scope.active.length >= MAX_LOCALS) this.limit(MAX_LOCALS, 'local variables');
    this.scope.active.push(v);
    return v;
  }

  /** A variable that is not in scope yet: `local x = x` reads the outer x. */
  private prepare(name: string): LocalVar {
    return {
      name,
      func: this.scope.node,
      id: this.nextId++,
      captured: false,
      assigned: false,
      num: undefined,
      known: undefined,
      guarded: undefined,
      library: undefined,
    };
  }

  private activate(v: LocalVar): void {
    if (this.scope.active.length >= MAX_LOCALS) this.limit(MAX_LOCALS, 'local variables');
    this.scope.active.push(v);
  }

  private limit(count: number, what: string, node = this.scope.node): never {
    const where = node.line === 0 ? 'main function' : `function at line ${node.line}`;
    this.lex.fail(`${where} has more than ${count} ${what}`);
  }

  private resolveName(name: string, line: number): Expr {
    const own = this.scope.find(name);
    if (own !== undefined) return { kind: 'local', v: own, line };
    for (let s = this.scope.outer; s !== undefined; s = s.outer) {
      const v = s.find(name);
      if (v !== undefined) {
        v.captured = true;
        for (let f: FunctionScope | undefined = this.scope; f !== s; f = f!.outer)
          this.addUpvalue(v, f!.node);
        return { kind: 'upvalue', v, line };
      }
    }
    this.scope.node.usesEnv = true;
    this.fields.add(name);
    return { kind: 'global', name, line };
  }

  /** It is one of every function between the one that names it and the one that has it. */
  private addUpvalue(v: LocalVar, node: FunctionNode): void {
    if (node.upvalues === NONE) node.upvalues = new Set();
    if ((node.upvalues as Set<LocalVar>).add(v).size > MAX_UPVALUES)
      this.limit(MAX_UPVALUES, 'upvalues', node);
  }

  /** A key that may name a field. */
  private fieldKey(value: string, line: number): Expr {
    this.addField(value);
    return { kind: 'string', value, line };
  }

  /** The same in brackets. */
  private key(): Expr {
    const key = this.expr();
    if (key.kind === 'string') this.addField(key.value);
    return key;
  }

  private addField(name: string): void {
    if (name.length <= MAX_FIELD_NAME) this.fields.add(name);
  }

  // ── small helpers ────────────────────────────────────────────────────────────────────────────

  private enter(): void {
    if (++this.level > MAX_LEVELS) this.lex.fail('chunk has too many syntax levels');
  }

  private accept(kind: number): boolean {
    if (this.lex.kind !== kind) return false;
    this.lex.next();
    return true;
  }

  private expect(kind: number): void {
    if (this.lex.kind !== kind) this.lex.errorNear(`'${tokenName(kind)}' expected`);
    this.lex.next();
  }

  /** The token that closes `open` of `line`. */
  private close(kind: number, open: number, line: number): void {
    if (this.lex.kind === kind) {
      this.lex.next();
      return;
    }
    const wanted = `'${tokenName(kind)}' expected`;
    if (line === this.lex.line) this.lex.errorNear(wanted);
    this.lex.errorNear(`${wanted} (to close '${tokenName(open)}' at line ${line})`);
  }

  private name(): string {
    if (this.lex.kind !== T.name) this.lex.errorNear("'<name>' expected");
    const { text } = this.lex;
    this.lex.next();
    return text;
  }

  // ── statements ───────────────────────────────────────────────────────────────────────────────

  private blockEnds(): boolean {
    switch (this.lex.kind) {
      case T.eof:
      case T.end:
      case T.else:
      case T.elseif:
      case T.until:
        return true;
      default:
        return false;
    }
  }

  /** A block with a scope of its own. */
  private block(isLoop = false, locals?: LocalVar[]): Block {
    const block: Block = { stats: [], labels: undefined };
    this.scope.openBlock(block, isLoop);
    if (locals !== undefined) for (const v of locals) this.activate(v);
    this.statements(block);
    this.check(this.scope.closeBlock());
    return block;
  }

  private statements(block: Block): void {
    while (!this.blockEnds()) {
      if (this.lex.kind === T.return) {
        block.stats.push(this.returnStat());
        break;
      }
      const stat = this.statement();
      if (stat !== undefined) block.stats.push(stat);
    }
    block.stats = exact(block.stats);
  }

  private returnStat(): Stat {
    const { line } = this.lex;
    this.lex.next();
    const exprs = this.blockEnds() || this.lex.kind === SEMICOLON ? [] : this.exprList();
    this.accept(SEMICOLON);
    return { kind: 'return', exprs, line };
  }

  private statement(): Stat | undefined {
    this.enter();
    const stat = this.statementInner();
    this.level--;
    return stat;
  }

  private statementInner(): Stat | undefined {
    const { lex } = this;
    const { line } = lex;
    switch (lex.kind) {
      case SEMICOLON:
        lex.next();
        return undefined;
      case T.if:
        return this.ifStat(line);
      case T.while: {
        lex.next();
        const cond = this.expr();
        this.expect(T.do);
        const body = this.block(true);
        const endLine = lex.line;
        this.close(T.end, T.while, line);
        return { kind: 'while', cond, body, line, endLine };
      }
      case T.do: {
        lex.next();
        const body = this.block();
        this.close(T.end, T.do, line);
        return { kind: 'do', body, line };
      }
      case T.for:
        return this.forStat(line);
      case T.repeat:
        return this.repeatStat(line);
      case T.function:
        return this.functionStat(line);
      case T.local:
        lex.next();
        return this.accept(T.function) ? this.localFunction(line) : this.localStat(line);
      case T.label: {
        lex.next();
        const name = this.name();
        this.expect(T.label);
        this.check(this.scope.addLabel(name, this.nextId++, line));
        // What follows may be made again and again.
        if (this.scope.outer === undefined) this.mayLeave = false;
        return undefined;
      }
      case T.break: {
        lex.next();
        const stat = { kind: 'break', line } as const;
        if (!this.scope.insideLoop) this.scope.addGoto(stat);
        return stat;
      }
      case T.goto: {
        lex.next();
        const stat: Extract<Stat, { kind: 'goto' }> = {
          kind: 'goto',
          label: this.name(),
          target: undefined,
          backward: false,
          line,
        };
        this.scope.addGoto(stat);
        return stat;
      }
      default:
        return this.exprStat(line);
    }
  }

  private ifStat(line: number): Stat {
    const clauses: { cond: Expr; body: Block; line: number }[] = [];
    let orelse: Block | undefined;
    do {
      const clauseLine = this.lex.line;
      this.lex.next();
      const cond = this.expr();
      this.expect(T.then);
      clauses.push({ cond, body: this.block(), line: clauseLine });
    } while (this.lex.kind === T.elseif);
    if (this.accept(T.else)) orelse = this.block();
    this.close(T.end, T.if, line);
    return { kind: 'if', clauses, orelse, line };
  }

  private forStat(line: number): Stat {
    this.lex.next();
    const first = this.name();
    if (this.accept(EQUALS)) {
      const start = this.expr();
      this.expect(COMMA);
      const limit = this.expr();
      const step = this.accept(COMMA) ? this.expr() : undefined;
      this.expect(T.do);
      const checkLine = this.lex.lastLine;
      const v = this.prepare(first);
      const body = this.block(true, [v]);
      const endLine = this.lex.line;
      this.close(T.end, T.for, line);
      return { kind: 'fornum', v, start, limit, step, body, line, checkLine, endLine };
    }
    if (this.lex.kind !== COMMA && this.lex.kind !== T.in)
      this.lex.errorNear("'=' or 'in' expected");
    const vars = [this.prepare(first)];
    while (this.accept(COMMA)) vars.push(this.prepare(this.name()));
    this.expect(T.in);
    // The iterator is called in the line where its expression begins.
    const callLine = this.lex.line;
    const exprs = this.exprList();
    this.expect(T.do);
    const body = this.block(true, vars);
    const endLine = this.lex.line;
    this.close(T.end, T.for, line);
    return { kind: 'forin', vars, exprs, body, line: callLine, endLine };
  }

  /** `until` sees the locals of the body. */
  private repeatStat(line: number): Stat {
    this.lex.next();
    const body: Block = { stats: [], labels: undefined };
    this.scope.openBlock(body, true);
    this.statements(body);
    this.close(T.until, T.repeat, line);
    const cond = this.expr();
    this.check(this.scope.closeBlock(true));
    return { kind: 'repeat', body, cond, line };
  }

  private functionStat(line: number): Stat {
    this.lex.next();
    const nameLine = this.lex.line;
    let name = this.name();
    let target = this.resolveName(name, nameLine);
    let isMethod = false;
    while (this.lex.kind === DOT || this.lex.kind === COLON) {
      isMethod = this.lex.kind === COLON;
      this.lex.next();
      const key = this.name();
      target = { kind: 'index', obj: target, key: this.fieldKey(key, line), line };
      name += (isMethod ? ':' : '.') + key;
      if (isMethod) break;
    }
    const func = this.functionBody(name, isMethod, line);
    this.markAssigned(target);
    return { kind: 'assign', targets: [target], exprs: [func], line };
  }

  private localFunction(line: number): Stat {
    const name = this.name();
    const v = this.newLocal(name);
    return { kind: 'localFunction', v, func: this.functionBody(name, false, line), line };
  }

  private localStat(line: number): Stat {
    const vars = [this.prepare(this.name())];
    while (this.accept(COMMA)) vars.push(this.prepare(this.name()));
    const exprs = this.accept(EQUALS) ? this.exprList() : [];
    const [only] = exprs;
    if (only?.kind === 'functionExpr' && only.func.name === '') only.func.name = vars[0]!.name;
    for (const v of vars) this.activate(v);
    return { kind: 'local', vars, exprs, line };
  }

  private exprStat(line: number): Stat {
    const first = this.suffixed();
    if (first.kind === 'call' || first.kind === 'method') {
      return { kind: 'callStat', call: first as CallExpr, line };
    }
    const targets = [this.assignable(first)];
    while (this.accept(COMMA)) {
      targets.push(this.assignable(this.suffixed()));
      if (targets.length > MAX_LEVELS) this.limit(MAX_LEVELS, 'variable names');
    }
    this.expect(EQUALS);
    const exprs = this.exprList();
    for (const target of targets) this.markAssigned(target);
    return { kind: 'assign', targets, exprs, line };
  }

  private assignable(e: Expr): Expr {
    const { kind } = e;
    if (kind !== 'local' && kind !== 'upvalue' && kind !== 'global' && kind !== 'index') {
      this.lex.errorNear('syntax error');
    }
    return e;
  }

  private markAssigned(target: Expr): void {
    if (target.kind === 'local' || target.kind === 'upvalue') target.v.assigned = true;
  }

  // ── expressions ──────────────────────────────────────────────────────────────────────────────

  private exprList(): Expr[] {
    const list = [this.expr()];
    while (this.accept(COMMA)) {
      list.push(this.expr());
      if (list.length > MAX_VALUES) this.lex.errorNear('function or expression too complex');
    }
    return list.length > 1 ? exact(list) : list;
  }

  private expr(limit = 0): Expr {
    this.enter();
    let left = this.unary();
    for (;;) {
      const op = binary.get(this.lex.kind);
      if (op === undefined || op.left <= limit) break;
      this.lex.next();
      if (op.op === '..') left = this.concat(left);
      else {
        const right = this.expr(op.right);
        // LuaJIT's line for an operator is where its right operand ends.
        const line = this.lex.lastLine;
        left =
          op.op === 'and' || op.op === 'or'
            ? { kind: op.op, left, right, line }
            : { kind: 'binary', op: op.op, left, right, line };
      }
    }
    this.level--;
    return left;
  }

  /** A whole run of `..` at once: no recursion, however long it is. */
  private concat(first: Expr): Expr {
    const parts = [first];
    do parts.push(this.expr(5));
    while (this.accept(T.concat));
    return { kind: 'concat', parts: exact(parts), line: this.lex.lastLine };
  }

  private unary(): Expr {
    const { lex } = this;
    const { line } = lex;
    const op = lex.kind === T.not ? 'not' : lex.kind === MINUS ? '-' : lex.kind === HASH ? '#' : '';
    if (op === '') return this.simple();
    lex.next();
    const operand = this.expr(UNARY_POWER);
    if (op === '-' && operand.kind === 'number')
      return { kind: 'number', value: -operand.value, line };
    return { kind: 'unary', op, operand, line: lex.lastLine };
  }

  private simple(): Expr {
    const { lex } = this;
    const { line } = lex;
    switch (lex.kind) {
      case T.number: {
        const { value } = lex;
        lex.next();
        return { kind: 'number', value, line };
      }
      case T.string: {
        const { text } = lex;
        lex.next();
        return { kind: 'string', value: text, line };
      }
      case T.nil:
        lex.next();
        return { kind: 'nil', line };
      case T.true:
        lex.next();
        return { kind: 'true', line };
      case T.false:
        lex.next();
        return { kind: 'false', line };
      case T.dots:
        if (!this.scope.node.isVararg) lex.errorNear("cannot use '...' outside a vararg function");
        lex.next();
        return { kind: 'vararg', line };
      case LBRACE:
        return this.table();
      case T.function:
        lex.next();
        return this.functionBody('', false, line);
      default:
        return this.suffixed();
    }
  }

  private primary(): Expr {
    const { lex } = this;
    const { line } = lex;
    if (lex.kind === T.name) {
      const name = lex.text;
      lex.next();
      return this.resolveName(name, line);
    }
    if (lex.kind === LPAREN) {
      lex.next();
      const inner = this.expr();
      this.close(RPAREN, LPAREN, line);
      return { kind: 'paren', inner, line };
    }
    return lex.errorNear('unexpected symbol');
  }

  private suffixed(): Expr {
    const { lex } = this;
    let e = this.primary();
    for (;;) {
      const { line } = lex;
      switch (lex.kind) {
        case DOT: {
          lex.next();
          const key = this.name();
          e = { kind: 'index', obj: e, key: this.fieldKey(key, line), line };
          break;
        }
        case LBRACKET: {
          lex.next();
          const key = this.key();
          this.expect(RBRACKET);
          e = { kind: 'index', obj: e, key, line };
          break;
        }
        case COLON: {
          lex.next();
          const name = this.name();
          this.fields.add(name);
          e = { kind: 'method', obj: e, name, args: this.callArgs(), line };
          break;
        }
        case LPAREN:
        case T.string:
        case LBRACE:
          e = { kind: 'call', fn: e, args: this.callArgs(), line };
          break;
        default:
          return e;
      }
    }
  }

  private callArgs(): Expr[] {
    const { lex } = this;
    const { line } = lex;
    if (lex.kind === T.string) {
      const value = lex.text;
      lex.next();
      return [{ kind: 'string', value, line }];
    }
    if (lex.kind === LBRACE) return [this.table()];
    if (lex.kind !== LPAREN) lex.errorNear('function arguments expected');
    lex.next();
    if (this.accept(RPAREN)) return [];
    const args = this.exprList();
    this.close(RPAREN, LPAREN, line);
    return args;
  }

  private table(): TableExpr {
    const { lex } = this;
    const { line } = lex;
    const items: TableExpr['items'] = [];
    this.enter();
    this.expect(LBRACE);
    while (lex.kind !== RBRACE) {
      if (lex.kind === LBRACKET) {
        lex.next();
        const key = this.key();
        this.expect(RBRACKET);
        this.expect(EQUALS);
        items.push({ key, value: this.expr() });
      } else if (lex.kind === T.name && lex.peek() === EQUALS) {
        const key = lex.text;
        const keyLine = lex.line;
        lex.next();
        lex.next();
        const value = this.expr();
        if (value.kind === 'functionExpr' && value.func.name === '') value.func.name = key;
        items.push({ key: this.fieldKey(key, keyLine), value });
      } else items.push({ key: undefined, value: this.expr() });
      if (!this.accept(COMMA) && !this.accept(SEMICOLON)) break;
    }
    this.close(RBRACE, LBRACE, line);
    this.level--;
    return { kind: 'table', items: exact(items), line };
  }

  /** From the parameter list to `end`. */
  private functionBody(name: string, isMethod: boolean, line: number): FunctionExpr {
    const { lex } = this;
    this.enter();
    const node = this.openFunction(name, line);
    const start = lex.position;
    const startLine = lex.line;
    this.scope.openBlock(node.body, false);
    if (isMethod) node.params.push(this.newLocal('self'));
    this.expect(LPAREN);
    if (lex.kind !== RPAREN) {
      do {
        if (this.accept(T.dots)) {
          node.isVararg = true;
          break;
        }
        if (lex.kind !== T.name) lex.errorNear("<name> or '...' expected");
        node.params.push(this.newLocal(this.name()));
      } while (this.accept(COMMA));
    }
    node.params = exact(node.params);
    this.expect(RPAREN);
    if (!this.leave(node, start, startLine, isMethod)) this.statements(node.body);
    node.endLine = lex.line;
    node.size = lex.position - start;
    node.inner = this.nextIndex - 1 - node.index;
    this.close(T.end, T.function, line);
    this.closeFunction();
    this.level--;
    return { kind: 'functionExpr', func: node, line };
  }
}
