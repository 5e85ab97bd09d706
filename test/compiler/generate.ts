/**
 * Random Lua programs, each determined by its seed. They always end (a counter of fuel is charged by
 * every function and loop), print what they do, and depend on nothing that Lua leaves open: no order of
 * `pairs`, no length of tables with holes, no addresses.
 */

/** The compiler takes these locals for what they are expected to be: in some programs they are others. */
const LIBRARY = `local floor, ceil, abs, max, min = math.floor, math.ceil, math.abs, math.max, math.min
local band, bxor, lshift, rshift, rol = bit.band, bit.bxor, bit.lshift, bit.rshift, bit.rol
local sub, char, len, type = string.sub, string.char, string.len, type
`;
const REPLACED = [
  ['math.floor', 'math.ceil'],
  ['math.abs', 'tostring'],
  ['bit.band', 'bit.bxor'],
  ['string.len', 'tonumber'],
];

const PRELUDE = `local fuel = 1500
local function tick() fuel = fuel - 1 if fuel < 0 then error("out of fuel", 0) end return true end
local MT = {}
local function V(n) return setmetatable({n = n}, MT) end
local function show(v)
  local t = type(v)
  if t == "number" then return v ~= v and "nan" or string.format("%.9g", v) end
  if t == "table" then return getmetatable(v) == MT and "V(" .. show(rawget(v, "n")) .. ")" or "table" .. #v end
  if t == "string" then return '"' .. v .. '"' end
  if t == "function" then return "function" end
  return tostring(v)
end
local function log(tag, ...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = show((select(i, ...))) end
  print(tag .. ": " .. table.concat(parts, " "))
end
local function id(...) tick() return ... end
local function N(v) tick() if type(v) == "table" then v = rawget(v, "n") end return tonumber(v) or 0 end
local function lim(n) if n ~= n or n > 1e6 or n < -1e6 then return 7 end return n end
local function cut(s) return s:sub(1, 40) end
for i, op in ipairs{"add", "sub", "mul", "div", "mod", "pow"} do
  MT["__" .. op] = function(a, b) local x, y = id(N(a)), N(b) return V(lim(x * i + y)) end
end
MT.__unm = function(a) return V(-id(N(a))) end
MT.__concat = function(a, b)
  local x = type(a) == "table" and "V" .. id(N(a)) or a
  return cut(x .. (type(b) == "table" and "V" .. N(b) or b))
end
MT.__eq = function(a, b) return id(N(a)) == N(b) end
MT.__lt = function(a, b) return id(N(a)) < N(b) end
MT.__le = function(a, b) local r = N(a) <= id(N(b)) return r end
MT.__call = function(self, ...) tick() return select("#", ...), ... end
MT.__index = function(t, k) if k == "get" then return function(self, d) return N(self) + id(d or 0) end end return id(type(k) == "number" and k or #k) end
MT.__newindex = function(t, k, v) id(k) rawset(t, "n", N(v)) end
local function range(a, b) return function(s, c) tick() if c < s then return c + 1, id(c * 2) end end, b, a end
local function gen(n) return coroutine.wrap(function(...) for i = 1, n do id(coroutine.yield(i, ...)) end end) end
G = 1
`;

type Kind = 'num' | 'str' | 'bool' | 'obj' | 'arr' | 'rec' | 'fn' | 'any';

interface Name {
  name: string;
  kind: Kind;
  /** Loop variables: may be assigned, but keep the loop's own counter. */
  fixed?: boolean;
}

interface Jump {
  label: string;
  counter: string;
}

const NAMES = [
  'a',
  'b',
  'c',
  'x',
  'y',
  'v',
  'E',
  'self',
  'arguments',
  'undefined',
  'let',
  'class',
  'main',
];
const STRINGS = [
  '""',
  '"a"',
  '"bc"',
  '"10"',
  '"0x10"',
  '" 7 "',
  '"\\n"',
  '"\\\\"',
  `'"'`,
  '"\\0"',
  '"$get(\\"x\\")"',
  "'${1}'",
  '"__proto__"',
];
const FIELDS = ['x', 'y', 'n1', 'constructor', 'arr', 'hash', '__proto__', 'meta', 'toString'];

class Generator {
  private seed: number;
  private names: Name[] = [];
  private jumps: Jump[] = [];
  private fresh = 0;
  private inVararg = true;
  private loops = 0;
  private functions = 0;
  private budget: number;

  constructor(seed: number) {
    this.seed = (seed * 2654435761) >>> 0 || 1;
    this.budget = 25 + this.int(45);
  }

  private int(n: number): number {
    // xorshift32
    let x = this.seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.seed = x >>> 0;
    return this.seed % n;
  }
  private pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }
  private chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  private newName(kind: Kind): Name {
    // Shadowing on purpose: few names.
    return {
      name: this.chance(50) ? this.pick(NAMES) : `${this.pick(NAMES)}${++this.fresh}`,
      kind,
    };
  }

  private ofKind(kind: Kind): string | undefined {
    // A later declaration of a name hides the earlier ones.
    const visible = this.names.filter(
      (n, i) => n.kind === kind && !this.names.slice(i + 1).some((m) => m.name === n.name),
    );
    return visible.length === 0 ? undefined : this.pick(visible).name;
  }

  program(): string {
    const [name, other] = this.pick(REPLACED) as [string, string];
    let text = `${LIBRARY}${PRELUDE}`;
    if (this.chance(20))
      text = `local kept = ${name} ${name} = ${other}\n${LIBRARY}${name} = kept\n${PRELUDE}`;
    for (const kind of ['num', 'str', 'obj', 'arr', 'rec'] as const) {
      const v = this.newName(kind);
      text += `local ${v.name} = ${this.fresh_(kind)}\n`;
      this.names.push(v);
    }
    text += this.block(3, 6);
    return `${text}log("end", ${this.num(2)}, ${this.str(2)})\n`;
  }

  /** A new value of a kind. */
  private fresh_(kind: Kind): string {
    switch (kind) {
      case 'num':
        return this.num(2);
      case 'str':
        return this.str(2);
      case 'bool':
        return this.bool(2);
      case 'obj':
        return `V(${this.num(1)})`;
      case 'arr':
        return this.array(2);
      case 'rec':
        return this.record(2);
      case 'fn':
        return this.func(2);
      case 'any':
        return this.any(2);
    }
  }

  // ── expressions ──────────────────────────────────────────────────────────────────────────────

  private wrap(text: string): string {
    return this.chance(25) ? `id(${text})` : this.chance(8) ? `(${text})` : text;
  }

  private num(depth: number): string {
    return this.wrap(this.numPlain(depth));
  }
  private numPlain(depth: number): string {
    if (depth <= 0 || this.chance(25)) {
      const v = this.ofKind('num');
      if (v !== undefined && this.chance(75)) return v;
      return this.pick(['0', '1', '2', '3', '-1', '0.5', '10', '-0', '0x1F', '1e3', '7']);
    }
    const d = depth - 1;
    switch (this.int(21)) {
      case 0:
      case 1:
      case 2:
        return `(${this.num(d)} ${this.pick(['+', '-', '*'])} ${this.num(d)})`;
      case 3:
        return `lim(${this.num(d)} ${this.pick(['/', '%'])} ${this.num(d)})`;
      case 4:
        return `lim(${this.num(d)} ^ 2)`;
      case 5:
        return `#${this.strAtom(d)}`;
      case 6:
        return `- ${this.chance(50) ? this.num(0) : `(${this.num(d)})`}`;
      case 7: {
        const f = this.ofKind('fn');
        return f === undefined ? this.num(d) : `N(${f}(${this.args(d)}))`;
      }
      case 8:
        return `N(${this.obj(d)})`;
      case 9:
        return `(${this.bool(d)} and ${this.num(d)} or ${this.num(d)})`;
      case 10: {
        const arr = this.ofKind('arr');
        return arr === undefined ? this.num(d) : `N(${arr}[${this.num(d)}])`;
      }
      case 11: {
        const rec = this.ofKind('rec');
        return rec === undefined ? this.num(d) : `N(${this.field(rec)})`;
      }
      case 12:
        return this.inVararg ? `select("#", ${this.any(d)}, ...)` : this.num(d);
      case 13:
        return `N(${this.str(d)} .. ${this.num(d)})`;
      case 14:
        return `${this.obj(d)}:get(${this.num(d)})`;
      case 16:
        return `${this.pick(['floor', 'ceil', 'abs'])}(${this.num(d)})`;
      case 17:
        return `${this.pick(['max', 'min'])}(${this.num(d)}, ${this.num(d)})`;
      case 18:
        return `lim(${this.pick(['band', 'bxor'])}(lim(${this.num(d)}), ${this.pick(['255', '-1', '0xF0F0F0F0', `lim(${this.num(d)})`])}))`;
      case 19:
        return `lim(${this.pick(['lshift', 'rshift', 'rol'])}(lim(${this.num(d)}), ${this.pick(['1', '31', '-1', `lim(${this.num(0)})`])}))`;
      case 20:
        return `len(${this.str(d)})`;
      case 15:
        return `(${this.pick(['"10"', '"3"', '" 0x2 "'])} ${this.pick(['+', '*', '-'])} ${this.num(d)})`;
      default:
        return `lim(G)`;
    }
  }

  private strAtom(d: number): string {
    const v = this.ofKind('str');
    if (v !== undefined && this.chance(60)) return v;
    return `(${this.str(d)})`;
  }

  private str(depth: number): string {
    return this.wrap(this.strPlain(depth));
  }
  private strPlain(depth: number): string {
    if (depth <= 0 || this.chance(30)) {
      const v = this.ofKind('str');
      return v !== undefined && this.chance(60) ? v : this.pick(STRINGS);
    }
    const d = depth - 1;
    switch (this.int(9)) {
      case 0:
      case 1:
        return `cut(${this.str(d)} .. ${this.str(d)})`;
      case 2:
        return `cut(${this.str(d)} .. ${this.num(d)} .. ${this.str(d)})`;
      case 3:
        return `${this.strAtom(d)}:sub(${this.num(0)}, ${this.num(0)})`;
      case 4:
        return `cut(${this.strAtom(d)}:rep(2))`;
      case 5:
        return `show(${this.any(d)})`;
      case 6:
        return `sub(${this.str(d)}, ${this.num(0)}, ${this.num(0)})`;
      case 7:
        return `char(band(lim(${this.num(d)}), 127))`;
      default:
        return `(${this.bool(d)} and ${this.str(d)} or ${this.str(d)})`;
    }
  }

  private bool(depth: number): string {
    return this.wrap(this.boolPlain(depth));
  }
  private boolPlain(depth: number): string {
    if (depth <= 0) {
      const v = this.ofKind('bool');
      return v !== undefined && this.chance(60)
        ? v
        : this.pick(['true', 'false', 'nil', 'not nil']);
    }
    const d = depth - 1;
    switch (this.int(10)) {
      case 0:
      case 1:
        return `(${this.num(d)} ${this.pick(['<', '<=', '>', '>=', '==', '~='])} ${this.num(d)})`;
      case 2:
        return `(${this.str(d)} ${this.pick(['<', '<=', '==', '~='])} ${this.str(d)})`;
      case 3:
        return `(${this.obj(d)} ${this.pick(['<', '<=', '>', '>=', '==', '~='])} ${this.obj(d)})`;
      case 4:
        return `not ${this.bool(d)}`;
      case 5:
      case 6:
        return `(${this.bool(d)} ${this.pick(['and', 'or'])} ${this.bool(d)})`;
      case 7:
        return `(${this.any(d)} == ${this.any(d)})`;
      case 8:
        return `(${this.bool(d)} and ${this.bool(d)} or ${this.bool(d)} and not ${this.bool(d)})`;
      default:
        return `(${this.num(d)} > 1)`;
    }
  }

  private obj(depth: number): string {
    const v = this.ofKind('obj');
    if (depth <= 0 || this.chance(35))
      return v !== undefined && this.chance(70) ? v : `V(${this.num(0)})`;
    const d = depth - 1;
    switch (this.int(4)) {
      case 0:
        return `(${this.obj(d)} ${this.pick(['+', '-', '*', '/', '%', '^'])} ${this.chance(50) ? this.obj(d) : this.num(d)})`;
      case 1:
        return `(${this.num(d)} ${this.pick(['+', '-', '*'])} ${this.obj(d)})`;
      case 2:
        return `- ${this.obj(0)}`;
      default:
        return `V(${this.num(d)})`;
    }
  }

  private array(d: number): string {
    const items: string[] = [];
    const n = this.int(5);
    for (let i = 0; i < n; i++) items.push(this.num(d - 1));
    // Numbers only: a nil would make a hole.
    if (this.chance(30)) items.push(`id(${this.num(d - 1)}, ${this.num(d - 1)})`);
    return `{${items.join(', ')}}`;
  }

  private record(d: number): string {
    const items: string[] = [];
    const n = this.int(4);
    // The order of assignments in a constructor is undefined: no key twice.
    const fields = FIELDS.slice();
    for (let i = 0; i < n; i++) {
      const key = this.chance(60)
        ? fields.splice(this.int(fields.length), 1)[0]!
        : `[${this.chance(50) ? this.str(d - 1) : this.num(d - 1)}]`;
      items.push(this.chance(80) ? `${key} = ${this.num(d - 1)}` : this.num(d - 1));
    }
    return `{${items.join(this.chance(80) ? ', ' : '; ')}}`;
  }

  private field(rec: string): string {
    return this.chance(70)
      ? `${rec}.${this.pick(FIELDS)}`
      : `${rec}[${this.chance(50) ? this.str(1) : this.num(1)}]`;
  }

  private any(d: number): string {
    switch (this.int(8)) {
      case 0:
      case 1:
        return this.num(d);
      case 2:
        return this.str(d);
      case 3:
        return this.bool(d);
      case 4:
        return 'nil';
      case 5:
        return this.obj(d);
      case 6: {
        const v = this.ofKind('any');
        return v ?? this.num(d);
      }
      default: {
        const rec = this.ofKind('rec');
        return rec === undefined ? this.str(d) : this.field(rec);
      }
    }
  }

  /** Several values. */
  private multi(d: number): string {
    if (this.inVararg && this.chance(35)) return '...';
    const f = this.ofKind('fn');
    if (f !== undefined && this.chance(40)) return `${f}(${this.args(d)})`;
    return this.pick([
      `id(${this.args(d)})`,
      `${this.obj(0)}(${this.args(d)})`,
      `select(2, ${this.args(d)})`,
      `unpack(${this.array(d)})`,
    ]);
  }

  private args(d: number): string {
    const list: string[] = [];
    const n = 1 + this.int(3);
    for (let i = 0; i < n; i++) list.push(this.any(d - 1));
    if (d > 0 && this.chance(30)) list.push(this.multi(d - 1));
    return list.join(', ');
  }

  /** An anonymous function with its body. */
  private func(depth: number, method = false): string {
    const saved = {
      names: this.names,
      jumps: this.jumps,
      inVararg: this.inVararg,
      loops: this.loops,
    };
    this.names = [...this.names];
    this.jumps = [];
    this.loops = 0;
    this.functions++;
    const params: Name[] = [];
    const n = this.int(4);
    for (let i = 0; i < n; i++) params.push(this.newName('any'));
    this.inVararg = this.chance(40);
    if (method) this.names.push({ name: 'self', kind: 'rec' });
    this.names.push(...params);
    const list = [...params.map((p) => p.name), ...(this.inVararg ? ['...'] : [])].join(', ');
    const body = this.block(depth - 1, 3);
    const end = this.chance(70) ? `return ${this.returned()}\n` : '';
    Object.assign(this, saved);
    this.functions--;
    return `function(${list})\ntick()\n${body}${end}end`;
  }

  private returned(): string {
    switch (this.int(6)) {
      case 0:
        return '';
      case 1:
        return this.multi(2);
      case 2:
        return `${this.any(2)}, ${this.multi(1)}`;
      case 3: {
        const f = this.ofKind('fn');
        return f === undefined ? this.any(2) : `${f}(${this.args(1)})`;
      }
      case 4:
        return `(${this.multi(1)})`;
      default:
        return this.any(2);
    }
  }

  // ── statements ───────────────────────────────────────────────────────────────────────────────

  private block(depth: number, size: number): string {
    const mark = this.names.length;
    const text = this.stats(depth, 1 + this.int(size), true);
    this.names.length = mark;
    return text;
  }

  private stats(depth: number, n: number, locals: boolean): string {
    let text = '';
    for (let i = 0; i < n && this.budget > 0; i++) {
      this.budget--;
      text += this.stat(depth, locals);
    }
    return text;
  }

  private nested(depth: number): string {
    return `${this.block(depth - 1, 3)}`;
  }

  private jump(): string {
    const { label, counter } = this.pick(this.jumps);
    return `${counter} = ${counter} + 1 if ${counter} < 5 and tick() and ${this.bool(1)} then goto ${label} end\n`;
  }

  private stat(depth: number, locals: boolean): string {
    if (this.jumps.length > 0 && this.chance(15)) return this.jump();
    if (this.loops > 0 && this.chance(4)) return `if ${this.bool(1)} then break end\n`;
    if (depth <= 0 || this.chance(30)) return this.simple(locals);
    switch (this.int(16)) {
      case 0:
      case 1: {
        let text = `if ${this.bool(2)} then\n${this.nested(depth)}`;
        if (this.chance(40)) text += `elseif ${this.bool(2)} then\n${this.nested(depth)}`;
        if (this.chance(50)) text += `else\n${this.nested(depth)}`;
        return `${text}end\n`;
      }
      case 2:
        return this.loop(() => {
          const c = `w${++this.fresh}`;
          return `local ${c} = 0\nwhile ${c} < ${1 + this.int(4)} and tick() and ${this.bool(1)} or ${c} < 1 do\n${c} = ${c} + 1\n${this.nested(depth)}end\n`;
        });
      case 3:
        return this.loop(() => {
          const c = `r${++this.fresh}`;
          const mark = this.names.length;
          const body = this.stats(depth - 1, 1 + this.int(3), true);
          const cond = this.bool(2);
          this.names.length = mark;
          // `break` and jumps in the body end the scope of its locals early: the condition may not see them.
          return `local ${c} = 0\nrepeat\n${c} = ${c} + 1 tick()\n${body}until ${c} > ${1 + this.int(3)} or ${cond}\n`;
        });
      case 4:
      case 5:
        return this.loop(() => {
          const v = this.newName('num');
          const head = this.pick([
            `1, ${this.int(5)}`,
            `${this.int(4)}, 1, -1`,
            `lim(${this.num(1)}), lim(${this.num(1)}), 1e5`,
            `1, 3, id(${1 + this.int(2)})`,
            '0.5, 2, 0.5',
          ]);
          const mark = this.names.length;
          this.names.push(v);
          const body = this.nested(depth);
          this.names.length = mark;
          return `for ${v.name} = ${head} do\ntick()\n${body}end\n`;
        });
      case 6:
      case 7:
        return this.loop(() => {
          const k = this.newName('num');
          const v = this.newName('any');
          const iterator = this.pick([
            `ipairs(${this.array(2)})`,
            `range(0, ${1 + this.int(3)})`,
            `gen(${1 + this.int(3)}), nil`,
            `ipairs(${this.ofKind('arr') ?? '{1, 2}'})`,
            `next, {${this.num(1)}}`,
            `pairs{${this.num(1)}, ${this.num(1)}}`,
          ]);
          const mark = this.names.length;
          this.names.push(k, v);
          const body = this.nested(depth);
          this.names.length = mark;
          return `for ${k.name}, ${v.name} in ${iterator} do\ntick()\n${body}end\n`;
        });
      case 8:
        return `do\n${this.nested(depth)}end\n`;
      case 9:
      case 10:
        return this.gotoBlock(depth);
      case 11:
        return this.protectedCall(depth);
      case 12: {
        if (!locals || this.functions > 2) return this.simple(locals);
        const f = this.newName('fn');
        if (this.chance(50)) {
          const text = `local ${f.name} = ${this.func(depth)}\n`;
          this.names.push(f);
          return text;
        }
        this.names.push(f);
        return `local function ${f.name}${this.func(depth).slice('function'.length)}\n`;
      }
      case 13: {
        const rec = this.ofKind('rec');
        if (rec === undefined || this.functions > 2) return this.simple(locals);
        return `function ${rec}:m${this.func(depth, true).slice('function'.length)}\nlog("m", ${rec}:m(${this.args(1)}))\n`;
      }
      case 14:
        return this.closures(depth);
      default:
        return this.coroutine(depth);
    }
  }

  private loop(make: () => string): string {
    this.loops++;
    const text = make();
    this.loops--;
    // The loop's counter is a local of its own.
    return `do\n${text}end\n`;
  }

  private simple(locals: boolean): string {
    switch (this.int(locals ? 12 : 8)) {
      case 0:
      case 1:
        return `log(${this.int(100)}, ${this.args(2)})\n`;
      case 2: {
        const v = this.ofKind('num');
        return v === undefined ? `G = lim(${this.num(2)})\n` : `${v} = lim(${this.num(2)})\n`;
      }
      case 3: {
        const rec = this.ofKind('rec');
        return rec === undefined
          ? `G = lim(${this.num(2)})\n`
          : `${this.field(rec)} = ${this.num(2)}\n`;
      }
      case 4: {
        const arr = this.ofKind('arr');
        if (arr === undefined) return `id(${this.args(2)})\n`;
        return this.pick([
          `${arr}[#${arr} + 1] = ${this.num(2)}\n`,
          `${arr}[#${arr}] = nil\n`,
          `if #${arr} > 0 then ${arr}[1] = ${this.num(2)} end\n`,
          `table.insert(${arr}, ${this.num(2)})\n`,
          `log("arr", #${arr}, unpack(${arr}))\n`,
        ]);
      }
      case 5: {
        const a = this.ofKind('num');
        const b = this.ofKind('num');
        const rec = this.ofKind('rec');
        if (a === undefined || b === undefined || rec === undefined) return `log("g", G)\n`;
        // Two places that may be the same: PUC Lua leaves the order open, LuaJIT assigns from right to left.
        return this.pick([
          `${a}, ${b} = lim(${this.num(1)}), lim(${this.num(1)})\n`,
          `${a}, ${rec}[${a}], G = lim(${this.num(1)}), ${this.num(1)}, lim(${this.num(1)})\n`,
          `${rec}[${a}], ${a} = ${this.num(1)}, lim(${this.num(1)})\n`,
          `${a}, G = lim(N(${this.multi(1)})), lim(N(G))\n`,
        ]);
      }
      case 6: {
        const o = this.ofKind('obj');
        return o === undefined
          ? `log("o", ${this.obj(2)})\n`
          : this.pick([
              `${o} = ${this.obj(2)}\n`,
              `${o}.q = ${this.num(1)}\n`,
              `log("o", ${o}, ${o}.z, ${o}[3])\n`,
            ]);
      }
      case 7: {
        const f = this.ofKind('fn');
        return f === undefined ? `id(${this.args(2)})\n` : `log("call", ${f}(${this.args(2)}))\n`;
      }
      default: {
        const kinds: Kind[] = ['num', 'num', 'str', 'bool', 'obj', 'arr', 'rec', 'any'];
        if (this.chance(30)) {
          const vars = [this.newName('any'), this.newName('any'), this.newName('any')].slice(
            this.int(2),
          );
          const text = `local ${vars.map((v) => v.name).join(', ')} = ${this.pick([this.multi(2), `${this.any(1)}, ${this.multi(1)}`, `${this.any(1)}, ${this.any(1)}`])}\n`;
          this.names.push(...vars);
          return text;
        }
        const kind = this.pick(kinds);
        const v = this.newName(kind);
        const text = `local ${v.name} = ${this.fresh_(kind)}\n`;
        this.names.push(v);
        return text;
      }
    }
  }

  /**
   * Labels between statements, jumped to from everywhere in the block. A forward jump must not enter
   * the scope of a local: locals come after the last label that is jumped to forwards.
   */
  private gotoBlock(depth: number): string {
    const counter = `g${++this.fresh}`;
    const count = 1 + this.int(4);
    const both = this.int(count + 1);
    const end = this.chance(50) ? [`e${++this.fresh}`] : [];
    const labels = Array.from({ length: count }, () => `l${++this.fresh}`);
    const mark = this.names.length;
    const { jumps } = this;
    let text = `do\nlocal ${counter} = 0\n`;
    for (let i = 0; i <= count; i++) {
      const reachable = [...labels.slice(0, i < both ? both : i), ...end];
      this.jumps = [...jumps, ...reachable.map((label) => ({ label, counter }))];
      text += this.stats(depth - 1, 1 + this.int(2), i >= both);
      if (this.jumps.length > 0 && this.chance(70)) text += this.jump();
      if (i < count) text += `::${labels[i]}::\n`;
    }
    this.jumps = jumps;
    this.names.length = mark;
    return `${text}${end.map((label) => `::${label}::\n`).join('')}end\n`;
  }

  private protectedCall(depth: number): string {
    const fault = this.pick([
      `error(${this.any(1)})`,
      `error("oops" .. ${this.num(1)}, ${this.int(3)})`,
      `local q = nil q.x = 1`,
      `return nothing.x`,
      `return G.x.y`,
      `return (${this.num(1)}) + nil`,
      `undefinedFunction(1)`,
      `local q = {} q.r.s()`,
      `local q = {} q:nope()`,
      `return {} < 1`,
      `return {} .. "x"`,
      `return -{}`,
      `return #nil`,
      `return 1 < "2"`,
      `local q = {} q[nil] = 1`,
      `return nil .. "a"`,
      `for i = 1, "x" do end`,
      `error()`,
      `error({})`,
      'return MT < MT',
      'return ("x")()',
      'fuel.x = 2',
      'return MT.zz.y',
      'return ("x") + 1',
      'MT.foo.bar = 1',
      'MT.foo()',
    ]);
    const body = this.insideFunction(() => this.block(depth - 1, 2));
    const failing = this.chance(50) ? `if ${this.bool(1)} then ${fault} end\n` : '';
    const result = this.insideFunction(() => this.args(1));
    const handler = this.chance(30)
      ? `xpcall(function()\n${body}${failing}return ${result}\nend, function(e) tick() return show(e) .. "!" end)`
      : `pcall(function()\n${body}${failing}return ${result}\nend)`;
    return this.chance(20) ? `pcall(log, "p", ${handler})\n` : `log("p", ${handler})\n`;
  }

  private insideFunction(make: () => string): string {
    const saved = { jumps: this.jumps, inVararg: this.inVararg, loops: this.loops };
    this.jumps = [];
    this.inVararg = false;
    this.loops = 0;
    const text = make();
    Object.assign(this, saved);
    return text;
  }

  /** Closures made in a loop, sharing and not sharing variables. */
  private closures(depth: number): string {
    const list = `fs${++this.fresh}`;
    const v = this.newName('num');
    const shared = this.newName('num');
    const mark = this.names.length;
    this.names.push(shared, v);
    const body = this.insideFunction(
      () =>
        `tick() ${v.name} = lim(${v.name} + ${this.num(1)}) ${shared.name} = lim(${shared.name} + 1)\n`,
    );
    const between = this.nested(depth - 1);
    this.names.length = mark;
    return `do\nlocal ${list} = {}\nlocal ${shared.name} = ${this.num(1)}\nfor i = 1, 3 do\nlocal ${v.name} = i\n${list}[#${list} + 1] = function() ${body}return ${v.name}, ${shared.name} end\n${between.includes('break') ? '' : between}end\nfor _, f in ipairs(${list}) do log("f", f()) log("f", f()) end\nend\n`;
  }

  private coroutine(depth: number): string {
    const co = `co${++this.fresh}`;
    const mark = this.names.length;
    const p = this.newName('any');
    const { saved, body } = this.insideCoroutine(depth, p);
    void saved;
    this.names.length = mark;
    const more = this.args(1);
    return `do\nlocal ${co} = coroutine.create(function(${p.name}, ...)\ntick()\n${body}return ${p.name}, ...\nend)\nfor i = 1, 4 do\nif not tick() then break end\nlog("co", coroutine.resume(${co}, i, ${more}))\nlog("st", coroutine.status(${co}))\nend\nend\n`;
  }

  private insideCoroutine(depth: number, p: Name): { saved: boolean; body: string } {
    const saved = { jumps: this.jumps, inVararg: this.inVararg, loops: this.loops };
    this.jumps = [];
    this.inVararg = true;
    this.loops = 0;
    this.names.push(p);
    const first = this.block(depth - 1, 2);
    const body = `${first}${p.name} = coroutine.yield(${this.args(1)})\nfor j = 1, 2 do log("y", coroutine.yield(j, ${this.args(1)})) end\n${this.block(depth - 1, 2)}`;
    Object.assign(this, saved);
    return { saved: true, body };
  }
}

export function generate(seed: number): string {
  return new Generator(seed).program();
}
