/**
 * Structured code → JavaScript: a chunk in its ordinary form, or what is left of one function after a
 * site that has suspended. Each line of output belongs to one Lua line, which `lines` records.
 */
import {
  type Apart,
  type ChunkCode,
  type FunctionCode,
  type Jump,
  type Loop,
  leftText,
  NOT_LUA,
  type Node,
  type OpNames,
  type Seq,
  type Site,
} from './ir.ts';

export interface Emitted {
  /**
   * An expression: a function of `$K` (the sites) and `$L` (what makes functions that have been left for later), evaluated
   * once for all VMs of a thread. It returns, of a chunk, a function of `$E` (a table of globals) that makes the main function;
   * of one that was left for later, a function of `$E`, `F$` (the function that calls it) and the variables outside that it
   * names; of a site, its continuation.
   */
  js: string;
  /** Lua line of each line of `js`, from 1; negative where a function only calls what has been left for later. */
  lines: number[];
  names: Map<number, OpNames>;
}

/** In place of a label: it leaves the function. */
const RETURNS = 'return';

export class Printer {
  protected readonly out: string[] = [];
  readonly lines: number[] = [0, 0];
  readonly names = new Map<number, OpNames>();
  private readonly accessors = new Set<string>();
  /** Loops of which one iteration is being peeled off: their labels → those that stand for them. */
  private peeled = new Map<string, { leave: string; next: string }>();

  protected line(js: string, lua: number, names?: OpNames): void {
    // A line of output may hold one operation only: names are found by line.
    const { out, lines } = this;
    if (names !== undefined && names.some((n) => n !== undefined))
      this.names.set(lines.length, names);
    lines.push(lua);
    out.push(js);
  }

  seq({ nodes }: Seq, from = 0): void {
    this.range(nodes, from, nodes.length);
  }

  protected range(nodes: readonly Node[], from: number, to: number): void {
    for (let i = from; i < to; i++) this.node(nodes[i]!);
  }

  protected useAccessor({ accessor }: Site): void {
    if (accessor !== undefined) this.accessors.add(accessor);
  }

  /** What a site saves: itself, the chunk's globals, and the values that the rest of the function needs. */
  protected frame({ id, live }: Site): string {
    let text = `$K[${id}], $E`;
    for (let i = 0; i < live.length; i++) text += `, ${live[i]!.name}`;
    return text;
  }

  node(node: Node): void {
    switch (node.kind) {
      case 'line':
        this.line(node.js, node.line, node.names);
        return;
      case 'site': {
        if (node.isCut) return;
        this.useAccessor(node);
        const leave = node.isGuard ? '$jump' : '$S';
        this.line(`${node.head}${leave}(${this.frame(node)})${node.tail}`, node.line, node.names);
        return;
      }
      case 'closure':
        this.func(node.func, node.head, node.tail, node.line);
        return;
      case 'if':
        this.line(`if (${node.cond}) {`, node.line);
        this.seq(node.then);
        if (node.orelse !== undefined && node.orelse.nodes.length > 0) {
          this.line('} else {', node.line);
          this.seq(node.orelse);
        }
        this.line('}', node.line);
        return;
      case 'loop':
        if (node.apart === undefined) this.loop(node);
        else this.loopApart(node, node.apart);
        return;
      case 'scope':
        this.line(node.label === '' ? '{' : `${node.label}: {`, node.line);
        this.seq(node.body);
        this.line('}', node.line);
        return;
      case 'break':
      case 'continue': {
        const exit = this.exits.findIndex((one) => isSameJump(one, node));
        if (exit >= 0) {
          this.line(`$w.push(${this.back}${exit}); return $w;`, node.line);
          return;
        }
        const peeled = this.peeled.get(node.label);
        if (peeled === undefined) this.line(`${node.kind} ${node.label};`, node.line);
        else this.line(`break ${node.kind === 'break' ? peeled.leave : peeled.next};`, node.line);
        return;
      }
    }
  }

  private loop(node: Loop): void {
    if (node.ahead !== '') this.line(node.ahead, node.line);
    this.line(`${node.label}: for (;;) {`, node.line);
    this.seq(node.body);
    this.line('}', node.line);
  }

  /** The function that is printed, of those that have loops apart. */
  private current!: FunctionCode;
  /** Of a loop that is being printed as a function: the jumps that leave it, and what it gives back before. */
  private exits: readonly Jump[] = [];
  private back = '';

  /**
   * A loop as a function that is called in its place. What it assigns is passed in an array, and is in no variable here
   * meanwhile: that would keep it from being collected. When the loop has ended it returns this array with what is needed
   * afterwards; anything else is what the function around it returns, be it SUSPEND: the sites in it have saved the rest
   * of that function, too.
   */
  private loopApart(node: Loop, apart: Apart): void {
    const { params, moved, back } = variablesOf(node, apart);
    const { line, label } = node;
    const { jsName, scratch } = this.current;
    const list = `$w${label}`;
    const result = `$x${label}`;
    this.exits = jumpsOut(node);
    this.back = back.map((v) => `${v}, `).join('');
    const cleared = [...moved, ...(scratch ? ['a$', 'm$'] : [])];
    const clear = cleared.length > 0 ? ` ${cleared.join(' = ')} = undefined;` : '';
    this.line(`const ${list} = [${moved.join(', ')}];${clear}`, NOT_LUA);
    const head = `const ${result} = (function ${jsName}(${['$w', ...params].join(', ')}) {`;
    this.line(`${head}${scratch ? ' let a$, m$;' : ''}`, line);
    if (moved.length > 0) this.line(`let ${takeFrom('$w', moved).join(', ')};`, line);
    this.loop(node);
    this.line(`$w.push(${this.back}-1); return $w;`, line);
    this.line(`})(${[list, ...params].join(', ')});`, NOT_LUA);
    this.line(`if (${result} !== ${list}) return ${result};`, NOT_LUA);
    const at = `$j${label}`;
    const given = takeFrom(list, back).map((js) => ` ${js};`);
    this.line(`const ${at} = ${list}.pop();${given.join('')}`, NOT_LUA);
    const { exits } = this;
    this.exits = [];
    exits.forEach((exit, i) => {
      this.line(`if (${at} === ${i}) {`, NOT_LUA);
      this.node(exit);
      this.line('}', NOT_LUA);
    });
  }

  func(func: FunctionCode, head: string, tail: string, line: number): void {
    const { jsName } = func;
    const params = func.params.join(', ');
    const scratch = func.scratch ? ' let a$, m$;' : '';
    const isArrow = this.usesArrow(func);
    if (isArrow) this.line(`const ${jsName} = (${params}) => {${scratch}`, line);
    else this.line(`${head}function ${jsName}(${params}) {${scratch}`, line);
    // Labels are the function's own.
    const { peeled, exits } = this;
    this.peeled = new Map();
    this.exits = [];
    if (func.node.index === 0) this.current = func;
    this.enter(func);
    this.seq(func.body);
    this.peeled = peeled;
    this.exits = exits;
    this.line(isArrow ? `}; ${head}${jsName}${tail}` : `}${tail}`, line);
  }

  /**
   * An arrow function has no place for a `prototype`, and takes 8 bytes less. One that needs itself can't be such. Others
   * aren't either, since V8 does not skip their text until they are called.
   */
  protected usesArrow({ isInner, node }: FunctionCode): boolean {
    return isInner && !node.usesEnv;
  }

  /** What comes first in a function. */
  protected enter(_func: FunctionCode): void {}

  /** What follows a site: the rest of each construct that it is in, outwards. */
  rest(site: Site, func: FunctionCode): void {
    const path: Node[] = [site];
    for (let owner = site.seq.owner; owner !== undefined; owner = owner.seq.owner) path.push(owner);
    this.current = func;
    this.restHead(site, func);
    this.after(path, path.length - 1);
    this.line('}', site.line);
  }

  /** The beginning of that: what the frame has saved, and the result of the call. */
  protected restHead(site: Site, func: FunctionCode): void {
    const live = ['$E', ...site.live.map((v) => v.name)].map(
      (name, i) => `${name} = $fr[${i + 1}]`,
    );
    this.line(`function ${func.jsName}($v, $fr) {${func.scratch ? ' let a$, m$;' : ''}`, site.line);
    this.line(`let ${live.join(', ')};`, site.line);
    if (func.node.usesEnv) this.line('const E$ = F$.E || $E;', site.line);
    if (func.leaves) this.line(leftText(func.node), site.line);
    const { dst } = site;
    if (dst !== undefined) {
      const one = '$isA($v) ? $v[0] : $v';
      const value = site.adjust === 'raw' ? '$v' : site.adjust === 'bool' ? `$isTrue(${one})` : one;
      this.line(`let ${dst.name} = ${value};`, site.line);
    }
  }

  /**
   * What follows node `i` of the path, which leads outwards.
   * @returns the label that it always jumps to, RETURNS, or undefined where what comes next may be reached
   */
  private after(path: readonly Node[], i: number): string | undefined {
    const node = path[i]!;
    let gone: string | undefined;
    if (i > 0) {
      switch (node.kind) {
        case 'if':
          this.line('{', node.line);
          gone = this.after(path, i - 1);
          this.line('}', node.line);
          break;
        case 'scope':
          this.line(node.label === '' ? '{' : `${node.label}: {`, node.line);
          gone = this.after(path, i - 1);
          this.line('}', node.line);
          if (node.label !== '') gone = undefined;
          break;
        case 'loop': {
          const leave = `${node.label}x`;
          const next = `${node.label}c`;
          this.line(`${leave}: {`, node.line);
          this.line(`${next}: {`, node.line);
          this.peeled.set(node.label, { leave, next });
          this.after(path, i - 1);
          this.peeled.delete(node.label);
          this.line('}', node.line);
          this.loop(node);
          this.line('}', node.line);
          break;
        }
        default:
          throw new Error(`nothing is inside a ${node.kind}`);
      }
    }
    if (gone !== undefined) return gone;
    const { nodes } = node.seq;
    const from = nodes.indexOf(node) + 1;
    // In a branch or a loop the code after it would have to be told where to go on.
    const cut =
      node.seq.owner === undefined ? nodes.findIndex((n, at) => at >= from && isCut(n)) : -1;
    if (cut >= 0) {
      this.range(nodes, from, cut);
      const site = nodes[cut] as Site;
      this.line(`return $jump(${this.frame(site)});`, site.line);
      return undefined;
    }
    this.seq(node.seq, from);
    const last = nodes.at(-1)!;
    if (last.kind === 'line' && last.js.startsWith('return ')) return RETURNS;
    return last.kind === 'break' || last.kind === 'continue' ? last.label : undefined;
  }

  /** What reads or sets a field, made when it has been called some times. */
  protected accessorText(accessor: string, key: string): string {
    return accessor.startsWith('$g')
      ? `let ${accessor} = (t) => $get(${key}, t, (f) => (${accessor} = f));`
      : `let ${accessor} = (t, v) => $set(${key}, t, v, (f) => (${accessor} = f));`;
  }

  /** Declarations of what the text uses, besides `OpName`s. */
  protected helpers(fields: ReadonlyMap<string, number>): string[] {
    const names = [...fields.keys()];
    return [...this.accessors].map((accessor) => {
      if (accessor.startsWith('$k')) return `const ${accessor} = $keyed();`;
      if (accessor.startsWith('$o')) {
        const op = JSON.stringify(accessor.slice(2, accessor.indexOf('_')));
        return `let ${accessor} = (a, b) => (${accessor} = $operator(${op}))(a, b);`;
      }
      const key = JSON.stringify(names[Number.parseInt(accessor.slice(2), 10)]);
      return this.accessorText(accessor, key);
    });
  }

  /**
   * @param params  of what makes the function; undefined: of a site
   * @param self    what the function is called in itself
   */
  finish(fields: ReadonlyMap<string, number>, params?: readonly string[], self?: string): Emitted {
    // One line in front: `lines` starts with two zeros for it.
    const head = ['(function ($K, $L) { "use strict";', ...this.helpers(fields)].join(' ');
    // In brackets: V8 looks at what is inside once, and not again when it is called.
    const [start, end] =
      params === undefined
        ? ['(', ')']
        : self === undefined
          ? [`(function (${params.join(', ')}) { return (`, '); })']
          : [`(function (${params.join(', ')}) { const ${self} = (`, `); return ${self}; })`];
    return {
      js: `${head}\nreturn ${start}${this.out.join('\n')}${end}\n})`,
      lines: this.lines,
      names: this.names,
    };
  }
}

export const isCut = (node: Node): boolean => node.kind === 'site' && node.isCut;

const isSameJump = (a: Jump, b: Jump): boolean => a.kind === b.kind && a.label === b.label;

/** Assignments of what has been put into the list in that order. */
const takeFrom = (list: string, names: readonly string[]): string[] =>
  names.map((name) => `${name} = ${list}.pop()`).reverse();

/** All nodes of some statements, and of those inside them; not those of functions. */
function* nodesOf(seq: Seq): Generator<Node> {
  for (const node of seq.nodes) {
    yield node;
    if (node.kind === 'loop' || node.kind === 'scope') yield* nodesOf(node.body);
    else if (node.kind === 'if') {
      yield* nodesOf(node.then);
      if (node.orelse !== undefined) yield* nodesOf(node.orelse);
    }
  }
}

/** Names of variables from before a loop: those that stay as they are, those that it may assign, and the ones of these that are needed after it. */
function variablesOf(
  { body }: Loop,
  { start, end, used }: Apart,
): { params: string[]; moved: string[]; back: string[] } {
  const all = new Set(used);
  for (const node of nodesOf(body))
    if (node.kind === 'site') for (const v of node.live) if (v.decl < start) all.add(v);
  const moved = [...used].filter((v) => v.assigned && !v.cell);
  return {
    params: [...all].filter((v) => !moved.includes(v)).map((v) => v.name),
    moved: moved.map((v) => v.name),
    back: moved.filter((v) => v.end > end).map((v) => v.name),
  };
}

/** The jumps that leave a loop for elsewhere than its end. */
function jumpsOut({ label, body }: Loop): Jump[] {
  const inside = new Set([label]);
  const jumps: Jump[] = [];
  for (const node of nodesOf(body)) {
    if (node.kind === 'loop' || node.kind === 'scope') inside.add(node.label);
    else if (node.kind === 'break' || node.kind === 'continue')
      if (!inside.has(node.label) && !jumps.some((one) => isSameJump(one, node))) jumps.push(node);
  }
  return jumps;
}

/** A chunk's main function, or one that was left for later; others inside it. */
export function emitChunk({ main, fields }: ChunkCode): Emitted {
  const printer = new Printer();
  printer.func(main, '', '', 0);
  const { outside, self } = main;
  return printer.finish(fields, outside ? ['$E', 'F$', ...outside] : ['$E'], self);
}

/** The continuation of one site: a function of the awaited result and the saved frame. */
export function emitContinuation(id: number, { sites, fields }: ChunkCode): Emitted {
  const { site, func } = sites[id]!;
  const printer = new Printer();
  printer.rest(site, func);
  return printer.finish(fields);
}
