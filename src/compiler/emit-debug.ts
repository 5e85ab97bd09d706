/**
 * Structured code → JavaScript for debuggers. They step from statement to statement, and a line of Lua is
 * several statements of ordinary emitted code; here it is one, as far as it has no function and no block
 * inside. V8 stops behind `,`, `&&` and `||`, too, so there are only lists and `?:` in it. print(x) becomes
 *
 *   let $1_print, $2;
 *   if ([$1_print = E$?.$print, $1_print === undefined ? … === $SUSPEND : false][1] ? $S($K[0].ready, $E, F$, x) :
 *   [$2 = $1_print(x), … $settle($2) === $SUSPEND : false][1] ? $S($K[1].ready, $E, F$) : false
 *   ) return $SUSPEND;
 *
 * A continuation takes its frame apart in its parameters, where no debugger stops.
 */
import { type Emitted, isCut, Printer } from './emit.ts';
import type { ChunkCode, FunctionCode, Line, Node, Site } from './ir.ts';
import { endOfString, nextOutside } from './text.ts';

/** More parts than this make several statements. */
const MAX_PARTS = 40;

class DebugPrinter extends Printer {
  /** Lines that a debugger steps over. */
  readonly hidden = new Set<number>();
  private readonly breaks: boolean;

  constructor(breaks: boolean) {
    super();
    this.breaks = breaks;
  }

  /** What belongs to the line before. */
  private hide(js: string, lua: number): void {
    this.hidden.add(this.lines.length);
    this.line(js, lua);
  }

  override range(nodes: readonly Node[], from: number, to: number): void {
    const parts = new Map<Node, Part>();
    for (let i = from; i < to; i++) {
      const node = nodes[i]!;
      if ((node.kind !== 'line' && node.kind !== 'site') || isCut(node)) continue;
      const part = partOf(node);
      if (part !== undefined) parts.set(node, part);
    }
    this.variables(
      [...parts.values()].flatMap(({ names }) => names),
      nodes[from]?.line ?? 0,
    );
    for (let i = from; i < to; ) {
      const { line } = nodes[i]!;
      const statement: Part[] = [];
      for (; i < to && statement.length < MAX_PARTS && nodes[i]!.line === line; i++) {
        const part = parts.get(nodes[i]!);
        if (part !== undefined) statement.push(part);
        else if (!isCut(nodes[i]!)) break;
      }
      this.statement(statement, line);
      if (i < to && nodes[i]!.line === line && statement.length < MAX_PARTS) this.node(nodes[i++]!);
    }
  }

  /**
   * Variables of a block, where it begins: a debugger that steps out of a call would stop at a declaration
   * behind it.
   */
  private variables(names: readonly string[], line: number): void {
    // In a loop they may be among what the frame has saved.
    if (this.params !== undefined && !names.some((name) => this.saved.has(name)))
      this.params.push(...names);
    else if (names.length > 0) this.hide(`let ${names.join(', ')};`, line);
  }

  private statement(parts: readonly Part[], line: number): void {
    const used = parts.filter(
      ({ effects, suspends }) => effects.length > 0 || suspends !== undefined,
    );
    if (used.length === 0) return;
    this.params = undefined;
    const maySuspend = used.some(({ node }) => node.kind === 'site');
    used.forEach(({ node, effects, suspends }, i) => {
      const isList = used.length > 1 || effects.length > 1;
      const head = i > 0 ? '' : maySuspend ? 'if (' : isList ? '[' : '';
      const isLast = i === used.length - 1;
      let text: string;
      if (node.kind === 'site') {
        this.useAccessor(node);
        text = `${suspends} ? $S(${this.frame(node)}) : ${isLast ? 'false' : ''}`;
      } else if (maySuspend) text = `${sequence(effects)} ? true : ${isLast ? 'false' : ''}`;
      else text = `${effects.join(', ')}${!isLast ? ',' : isList ? '];' : ';'}`;
      this.line(head + text, line, node.names);
    });
    if (maySuspend) this.hide(') return $SUSPEND;', line);
  }

  /** Continuations are compiled before they are wanted: a debugger can set breakpoints in them meanwhile. */
  protected override frame(site: Site): string {
    return super.frame(site).replace(']', '].ready');
  }

  /** It would be a variable that no program has. */
  protected override usesArrow(): boolean {
    return false;
  }

  protected override enter(func: FunctionCode): void {
    const first = func.node.body.stats[0];
    if (this.breaks && func.node.index === 0 && first !== undefined)
      this.line('debugger;', first.line);
  }

  /** For nil, too: `soft`. */
  protected override accessorText(accessor: string, key: string): string {
    return accessor.startsWith('$g')
      ? `let ${accessor} = ((get) => (t) => t === undefined ? $index(t, ${key}) : (get ??= $getter(${key}))(t))();`
      : `let ${accessor} = ((set) => (t, v) => t === undefined ? $setElement(t, ${key}, v) : (set ??= $setter(${key}))(t, v))();`;
  }

  /** Of the continuation: what its first statement declares is among them. */
  private params: string[] | undefined;
  private saved = new Set<string>();

  override rest(site: Site, func: FunctionCode): void {
    const params = ['$v', `[, $E${site.live.map((v) => `, ${v.name}`).join('')}]`];
    if (func.node.usesEnv) params.push(`E$ = ${quiet('F$.E !== undefined ? F$.E : $E')}`);
    const { dst } = site;
    this.saved = new Set([...site.live, ...(dst === undefined ? [] : [dst])].map((v) => v.name));
    if (dst !== undefined) {
      const one = '$v instanceof Array ? $v[0] : $v';
      if (site.adjust === 'raw') params.push(`${dst.name} = $v`);
      else if (site.adjust === 'one') params.push(`${dst.name} = ${one}`);
      else params.push(`${dst.name} = (${one}) === undefined ? false : (${one}) !== false`);
    }
    if (func.scratch) params.push('a$', 'm$');
    this.params = params;
    const at = this.out.length;
    super.rest(site, func);
    this.out[at] = `function ${func.jsName}(${params.join(', ')}) {`;
  }

  protected override restHead(site: Site): void {
    this.line('', site.line); // written when its parameters are known
  }
}

/** What a line of emitted code does, as one expression. */
interface Part {
  readonly node: Line | Site;
  /** Variables that it declares. */
  readonly names: readonly string[];
  /** What it does, if it is no site. */
  readonly effects: readonly string[];
  /** Whether it has suspended, if it is one. */
  readonly suspends: string | undefined;
}

/** @returns undefined: it returns, and stays as it is */
function partOf(node: Line | Site): Part | undefined {
  const names: string[] = [];
  if (node.kind === 'line') {
    const statements = new Statements(node.js).all();
    if (statements.some(returns)) return undefined;
    return {
      node,
      names,
      effects: statements.flatMap((s) => effectsOf(s, names)),
      suspends: undefined,
    };
  }
  const statements = new Statements(`${node.head}0${node.tail}`).all();
  return { node, names, effects: [], suspends: quiet(conditionOf(statements.map(soft), names)) };
}

// ── the few statements of emitted lines ────────────────────────────────────────────────────────────

type Statement =
  | { kind: 'let'; items: { name: string; value: string | undefined }[] }
  | { kind: 'if'; cond: string; then: Statement; orelse: Statement | undefined }
  | { kind: 'block'; body: Statement[] }
  | { kind: 'expression'; text: string }
  | { kind: 'return' };

class Statements {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  all(): Statement[] {
    const found: Statement[] = [];
    for (this.space(); this.at < this.text.length && this.text[this.at] !== '}'; this.space())
      found.push(this.one());
    return found;
  }

  private one(): Statement {
    if (this.takes('{')) {
      const body = this.all();
      this.takes('}');
      return { kind: 'block', body };
    }
    if (this.takes(';')) return { kind: 'block', body: [] };
    if (this.takes('return ')) {
      this.upTo(';');
      return { kind: 'return' };
    }
    if (this.takes('if (')) {
      const cond = this.upTo(')');
      this.space();
      const then = this.one();
      this.space();
      const orelse = this.takes('else ') ? this.one() : undefined;
      return { kind: 'if', cond, then, orelse };
    }
    if (this.takes('let ') || this.takes('const ')) {
      const items = splitList(this.upTo(';')).map((item) => {
        const equals = item.indexOf(' = ');
        return equals < 0
          ? { name: item, value: undefined }
          : { name: item.slice(0, equals), value: item.slice(equals + 3) };
      });
      return { kind: 'let', items };
    }
    return { kind: 'expression', text: this.upTo(';') };
  }

  private space(): void {
    while (this.text[this.at] === ' ') this.at++;
  }

  private takes(what: string): boolean {
    if (!this.text.startsWith(what, this.at)) return false;
    this.at += what.length;
    return true;
  }

  /** Text up to the next such character outside brackets and strings, which is passed. */
  private upTo(end: string): string {
    const start = this.at;
    this.at = nextOutside(this.text, start, end);
    return this.text.slice(start, this.at++);
  }
}

function splitList(text: string): string[] {
  const items: string[] = [];
  for (let from = 0; from < text.length; ) {
    const end = nextOutside(text, from, ',');
    items.push(text.slice(from, end).trim());
    from = end + 1;
  }
  return items;
}

// ── statements → one expression ────────────────────────────────────────────────────────────────────

const returns = (s: Statement): boolean =>
  s.kind === 'return' ||
  (s.kind === 'block' && s.body.some(returns)) ||
  (s.kind === 'if' && (returns(s.then) || (s.orelse !== undefined && returns(s.orelse))));

/** What a statement does that doesn't return. */
function effectsOf(s: Statement, names: string[]): string[] {
  switch (s.kind) {
    case 'let':
      names.push(...s.items.map(({ name }) => name));
      return s.items.flatMap(({ name, value }) =>
        value === undefined ? [] : [`${name} = ${value}`],
      );
    case 'expression':
      return [s.text];
    case 'block':
      return s.body.flatMap((inner) => effectsOf(inner, names));
    case 'if': {
      const [then, orelse] = [s.then, s.orelse].map((branch) => {
        const effects = branch === undefined ? [] : effectsOf(branch, names);
        return effects.length === 0 ? 'undefined' : sequence(effects);
      });
      return [`${s.cond} ? ${then} : ${orelse}`];
    }
    case 'return':
      throw new Error('nothing returns here');
  }
}

/** Whether these statements return: an expression, false where they don't. */
function conditionOf(statements: readonly Statement[], names: string[]): string {
  const conditions: string[] = [];
  let effects: string[] = [];
  const add = (condition: string): void => {
    conditions.push(effects.length === 0 ? condition : sequence(effects, condition));
    effects = [];
  };
  for (const s of statements) {
    if (!returns(s)) effects.push(...effectsOf(s, names));
    else if (s.kind === 'block') add(conditionOf(s.body, names));
    else if (s.kind === 'if') {
      const then = conditionOf([s.then], names);
      if (s.orelse !== undefined) add(`(${s.cond} ? ${then} : ${conditionOf([s.orelse], names)})`);
      else add(then === 'true' ? `(${s.cond})` : `(${s.cond} && ${then})`);
    } else add('true');
  }
  if (effects.length > 0) add('false');
  return conditions.length === 1 ? conditions[0]! : `(${conditions.join(' || ') || 'false'})`;
}

/** These, one after the other; the value is `last`. V8 stops behind a comma as it does behind a semicolon. */
function sequence(effects: readonly string[], last = 'false'): string {
  return `[${effects.join(', ')}, ${last}][${effects.length}]`;
}

/** The same, without what V8 stops in: the right side of `&&` and `||`. */
function quiet(text: string): string {
  const assigned = partsAt(text, ' = ');
  if (assigned.length > 1 && partsAt(assigned[0]!, ' ? ').length === 1)
    return `${quietInside(assigned[0]!)} = ${quiet(text.slice(assigned[0]!.length + 3))}`;
  const [cond] = partsAt(text, ' ? ') as [string];
  if (cond.length < text.length) {
    const rest = text.slice(cond.length + 3);
    const then = rest.slice(0, endOfThen(rest));
    return `${quiet(cond)} ? ${quiet(then)} : ${quiet(rest.slice(then.length + 3))}`;
  }
  const choices = partsAt(text, ' || ');
  if (choices.length > 1)
    return `(${choices.slice(0, -1).reduceRight((rest, c) => `${quiet(c)} ? true : (${rest})`, quiet(choices.at(-1)!))})`;
  const all = partsAt(text, ' && ');
  if (all.length > 1)
    return `(${all.slice(0, -1).reduceRight((rest, c) => `${quiet(c)} ? (${rest}) : false`, quiet(all.at(-1)!))})`;
  return quietInside(text);
}

/** What is in brackets. */
function quietInside(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const c = text[i]!;
    if (c === '"' || c === "'") {
      const end = endOfString(text, i) + 1;
      out += text.slice(i, end);
      i = end;
    } else if ('([{'.includes(c)) {
      const end = nextOutside(text, i + 1, c === '(' ? ')' : c === '[' ? ']' : '}');
      const items = splitList(text.slice(i + 1, end));
      out += c + (c === '{' ? items : items.map(quiet)).join(', ') + text[end]!;
      i = end + 1;
    } else {
      out += c;
      i++;
    }
  }
  return out;
}

/** Split at an operator that is in no brackets and no string. */
function partsAt(text: string, operator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let at = nextOutside(text, 0, ' '); at < text.length; at = nextOutside(text, at + 1, ' ')) {
    if (!text.startsWith(operator, at)) continue;
    parts.push(text.slice(from, at));
    from = at + operator.length;
    at = from - 1;
  }
  return [...parts, text.slice(from)];
}

/** Of `then : else`, where choices may be in `then`. */
function endOfThen(text: string): number {
  let depth = 0;
  for (let at = nextOutside(text, 0, ' '); ; at = nextOutside(text, at + 1, ' ')) {
    if (text.startsWith(' ? ', at)) depth++;
    else if (text.startsWith(' : ', at) && depth-- === 0) return at;
  }
}

/**
 * Reading from nil goes on as reading nil does, so that the runtime raises the error, and not V8: it asks
 * first whether a debugger is to stop.
 */
function soft(s: Statement): Statement {
  switch (s.kind) {
    case 'let':
      return {
        ...s,
        items: s.items.map(({ name, value }) => ({ name, value: value && softText(value) })),
      };
    case 'if':
      return {
        ...s,
        cond: softText(s.cond),
        then: soft(s.then),
        orelse: s.orelse && soft(s.orelse),
      };
    case 'block':
      return { ...s, body: s.body.map(soft) };
    case 'expression':
      return { ...s, text: softText(s.text) };
    case 'return':
      return s;
  }
}

const READ = /(?<=[\w$)\]])\.([A-Za-z_$][\w$]*)(?![\w$]|(?:\.[A-Za-z_$][\w$]*)*\s*=[^=])/g;

function softText(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; ) {
    const quote = /["']/g;
    quote.lastIndex = i;
    const start = quote.exec(text)?.index ?? text.length;
    const end = start === text.length ? start : endOfString(text, start) + 1;
    out += text.slice(i, start).replace(READ, '?.$1') + text.slice(start, end);
    i = end;
  }
  return out;
}

/** What a debugger is told besides the text. */
export interface EmittedForDebug extends Emitted {
  readonly hidden: ReadonlySet<number>;
}

/** @param breaks  the program is to stop at its first statement */
export function emitChunkForDebug({ main, fields }: ChunkCode, breaks: boolean): EmittedForDebug {
  const printer = new DebugPrinter(breaks);
  printer.func(main, '', '', 0);
  return { ...printer.finish(fields, ['$E']), hidden: printer.hidden };
}

export function emitContinuationForDebug(
  id: number,
  { sites, fields }: ChunkCode,
): EmittedForDebug {
  const { site, func } = sites[id]!;
  const printer = new DebugPrinter(false);
  printer.rest(site, func);
  return { ...printer.finish(fields), hidden: printer.hidden };
}
