/**
 * Functions of the libraries that locals of a chunk are taken for: after `local floor = math.floor` at its
 * beginning, `floor(x)` is compiled as what that function does. One test where the local gets its value
 * sees to it: if it is another function, the program goes on in a form of the chunk that takes nothing
 * for granted (`guard` of lower-code.ts, `generic` of load.ts).
 */
import type { Expr, Num, Stat } from './ast.ts';

/** Numbers of the kind `bits`, and of `sum`, are at most this, and at least its opposite. */
export const LARGEST_BITS = 2 ** 32;
export const LARGEST_SUM = 2 ** 42;

/** What a call returns: a number of that kind, one as its arguments are, or anything that is not nil. */
type Returned = Num | 'arguments' | 'text';

/** None of them calls Lua, and each returns one value. */
const libraries: Record<string, Record<string, Returned>> = {
  math: {
    floor: 'integer',
    ceil: 'integer',
    abs: 'arguments',
    max: 'arguments',
    min: 'arguments',
    sqrt: 'number',
    sin: 'number',
    cos: 'number',
    tan: 'number',
    asin: 'number',
    acos: 'number',
    atan: 'number',
    atan2: 'number',
    exp: 'number',
    log: 'number',
    pow: 'number',
    fmod: 'number',
  },
  bit: {
    tobit: 'bits',
    bnot: 'bits',
    band: 'bits',
    bor: 'bits',
    bxor: 'bits',
    lshift: 'bits',
    rshift: 'bits',
    arshift: 'bits',
    rol: 'bits',
    ror: 'bits',
    bswap: 'bits',
  },
  string: { char: 'text', len: 'bits', sub: 'text' },
};

/** All of them, by name. */
const returned = new Map<string, Returned>([
  ['type', 'text'],
  ...Object.values(libraries).flatMap((functions) => Object.entries(functions)),
]);

export const returnedBy = (name: string): Returned => returned.get(name);

/** The library that an expression most likely is: `math`, or `require('bit')`. */
function libraryOf(e: Expr): string {
  switch (e.kind) {
    case 'global':
      return e.name;
    case 'local':
    case 'upvalue':
      return e.v.name;
    case 'call': {
      const [arg] = e.args;
      const isRequire = e.fn.kind === 'global' && e.fn.name === 'require';
      return isRequire && arg?.kind === 'string' ? arg.value : '';
    }
    default:
      return '';
  }
}

/** The name of the function that an expression most likely is, if a local may be taken for it. */
function nameOf(e: Expr | undefined): string | undefined {
  if (e?.kind === 'global') return e.name === 'type' ? e.name : undefined;
  if (e?.kind !== 'index' || e.key.kind !== 'string') return undefined;
  const library = libraryOf(e.obj);
  if (!Object.hasOwn(libraries, library)) return undefined;
  return Object.hasOwn(libraries[library]!, e.key.value) ? e.key.value : undefined;
}

/**
 * Find such locals among the first statements of a chunk. From the first function that it makes on there
 * are none: that function would go on to take for granted what turned out to be wrong.
 */
export function findGuarded(stats: readonly Stat[]): void {
  for (const s of stats) {
    if (s.kind !== 'local' && s.kind !== 'assign' && s.kind !== 'callStat') return;
    const exprs = s.kind === 'callStat' ? [s.call] : s.exprs;
    if (exprs.some(makesFunction)) return;
    if (s.kind === 'assign' && s.targets.some(makesFunction)) return;
    if (s.kind !== 'local') continue;
    s.vars.forEach((v, i) => {
      if (!v.assigned) v.guarded = nameOf(s.exprs[i]);
    });
  }
}

function makesFunction(e: Expr): boolean {
  switch (e.kind) {
    case 'functionExpr':
      return true;
    case 'index':
      return makesFunction(e.obj) || makesFunction(e.key);
    case 'call':
      return makesFunction(e.fn) || e.args.some(makesFunction);
    case 'method':
      return makesFunction(e.obj) || e.args.some(makesFunction);
    case 'binary':
    case 'and':
    case 'or': {
      // As deep to the left as the text is long.
      let x: Expr = e;
      for (; x.kind === 'binary' || x.kind === 'and' || x.kind === 'or'; x = x.left)
        if (makesFunction(x.right)) return true;
      return makesFunction(x);
    }
    case 'concat':
      return e.parts.some(makesFunction);
    case 'unary':
      return makesFunction(e.operand);
    case 'paren':
      return makesFunction(e.inner);
    case 'table':
      return e.items.some(
        ({ key, value }) => (key !== undefined && makesFunction(key)) || makesFunction(value),
      );
    default:
      return false;
  }
}

/** The name of the function of the libraries that a call is of, where that is known. */
export function libraryCall(e: Expr): string | undefined {
  if (e.kind !== 'call') return undefined;
  const { fn } = e;
  return fn.kind === 'local' || fn.kind === 'upvalue' ? fn.v.library : undefined;
}

/** It may come to any number of values. */
export const isMulti = (e: Expr): boolean =>
  e.kind === 'vararg' || e.kind === 'method' || (e.kind === 'call' && libraryCall(e) === undefined);
