/**
 * Corners of the language and its libraries: orders of evaluation, coroutines in protected calls in coroutines, loops at
 * the limits of numbers, keys that are nearly the same, what changes while it is traversed. Each test tells what
 * it has done before it tells what came of it.
 */
import { text } from './patterns.ts';
import { PRELUDE } from './prelude.ts';
import type { Random } from './random.ts';

const HEAD = `${PRELUDE}local said = {}
local function say(v, ...) said[#said + 1] = show(v) return v, ... end
local function two(...) say("two") return ..., 2 end
local function U(name, f, ...)
  said = {}
  local result = list(pcall(f, ...))
  print(name .. ": " .. result .. " | " .. table.concat(said, " "))
end
local function proxy(name)
  local t = setmetatable({}, {
    __index = function(_, k) say(name .. "." .. show(k)) return k end,
    __newindex = function(_, k, v) say(name .. "." .. show(k) .. "=" .. show(v)) end,
    __call = function(_, ...) say(name .. "()") return ... end,
    __add = function(a, b) say(name .. "+") return 7 end,
    __concat = function(a, b) say(name .. "..") return "c" end,
    __eq = function(a, b) say(name .. "==") return true end,
    __lt = function(a, b) say(name .. "<") return 1 end,
    __le = function(a, b) say(name .. "<=") return nil end,
    __unm = function(a) say("-" .. name) return 8 end,
  })
  names[t] = name
  return t
end
local P, Q = proxy("P"), proxy("Q")
getmetatable(Q).__eq, getmetatable(Q).__lt, getmetatable(Q).__le = getmetatable(P).__eq, getmetatable(P).__lt, getmetatable(P).__le
G, H = 1, {}
local function isEven(n) return n % 2 == 0 end
local X1, X2, X3 = "x1", "x2", "x3"
`;

const EDGES = [
  '0',
  '-0',
  '1',
  '-1',
  '0.5',
  '2^31-1',
  '2^31',
  '-2^31',
  '-2^31-1',
  '2^32',
  '2^53',
  '2^53-1',
  '-2^53',
  '1e308',
  '1/0',
  '-1/0',
  '0/0',
  '3',
  '10',
  '0.1',
];
const KEYS = [
  '0',
  '-0',
  '1',
  '1.0',
  '2',
  '3',
  '-1',
  '1.5',
  '2^31',
  '2^32',
  '2^53',
  '2^53+1',
  '1e15',
  '1/0',
  '-1/0',
  '"1"',
  '"2"',
  '"-0"',
  '"0"',
  '"1.0"',
  '"x"',
  '"__index"',
  '""',
  '"\\0"',
  'true',
  'false',
  'say',
  'P',
  '0/0',
  'nil',
  '1e-300',
  '"__proto__"',
  '"length"',
  '4',
  '5',
  '6',
];
/** Where LuaJIT wants an integer, it has 32 bits. */
const POSITIONS = [
  '0',
  '1',
  '2',
  '3',
  '4',
  '-1',
  '-2',
  '-3',
  '2^31-1',
  '-2^31',
  '-2^31+1',
  '7',
  '1.9',
  '-1.9',
  '"2"',
  'nil',
];

class Corners {
  readonly r: Random;
  private fresh = 0;
  constructor(r: Random) {
    this.r = r;
  }

  // ── orders of evaluation ─────────────────────────────────────────────────────────────────────────

  private atom(depth = 1): string {
    const { r } = this;
    if (depth > 0 && r.chance(60)) {
      const d = depth - 1;
      switch (r.int(14)) {
        case 0:
        case 1:
          return `say(${this.atom(d)})`;
        case 2:
          return `two(${this.atom(d)})`;
        case 3:
          return `(two(${this.atom(d)}))`;
        case 4:
          return `${r.pick(['P', 'Q', 't', 'u'])}[${this.atom(d)}]`;
        case 5:
          return `${r.pick(['P', 'Q', 't', 'u'])}.${r.pick(['x', 'y', 'n'])}`;
        case 6:
          return `(say(${this.atom(d)}) ${r.pick(['and', 'or'])} ${this.atom(d)})`;
        case 7:
          return `(say(P) ${r.pick(['+', '..', '<', '<=', '==', '~=', '>', '>='])} say(Q))`;
        case 8:
          return `(${this.atom(d)} ${r.pick(['==', '~='])} ${this.atom(d)})`;
        case 9:
          return `{${this.atom(d)}, ${this.atom(d)}}`;
        case 10:
          return `(function(...) say("f") return ${r.pick(['...', '(...)', '..., 1', 'say(...)'])} end)(${this.atom(d)}, ${this.atom(d)})`;
        case 11:
          return `(not ${this.atom(d)})`;
        case 12:
          return `say(a)`;
        default:
          return `select("#", ${this.atom(d)}, ${this.atom(d)})`;
      }
    }
    return r.pick([
      '1',
      '2',
      '3',
      'a',
      'b',
      'i',
      'G',
      't.x',
      '"s"',
      'nil',
      'false',
      '...',
      'X1',
      'P',
      '(...)',
    ]);
  }

  private atoms(least: number, most: number): string {
    return this.r.some(least, most, () => this.atom(1 + this.r.int(2))).join(', ');
  }

  private place(): string {
    const { r } = this;
    switch (r.int(9)) {
      case 0:
        return r.pick(['a', 'b', 'i']);
      case 1:
        return 'G';
      case 2:
        return r.pick(['t.x', 't.y', 'u.x', 'P.x', 'Q.y', 'H.x']);
      case 3:
        return `t[i]`;
      case 4:
        return `${r.pick(['t', 'u', 'P', 'Q'])}[${this.atom()}]`;
      case 5:
        return `say(${r.pick(['t', 'u', 'P', 'Q'])})[${this.atom()}]`;
      case 6:
        return `${r.pick(['P', 'Q'])}[say(${1 + r.int(3)})]`;
      case 7:
        return r.pick(['t', 'u', 'X1', 'X2']);
      default:
        return r.pick(['t.t.x', 'u.nope.x', 'P.x.y', 'X1.x']);
    }
  }

  private assignment(): string {
    const { r } = this;
    const lines = r.some(
      1,
      3,
      () => `${r.some(1, 4, () => this.place()).join(', ')} = ${this.atoms(1, 4)}`,
    );
    return `local a, b, i = 10, 20, 1 local t, u = {5, 6, x = 1, t = {}}, {x = 2} local t0, u0 = t, u ${lines.join(' ; ')} return a, b, i, t, u, G, H, t0, u0, X1, X2`;
  }

  private call(): string {
    const { r } = this;
    const f = r.pick([
      'say',
      'two',
      'P',
      't.f',
      't:f',
      'say(t):f',
      'say(t).f',
      'nope',
      't.nope',
      't:nope',
      'a',
      'G',
      'H.f',
      '("s"):rep',
      'u[say(1)]',
      'list',
    ]);
    return `local a, b, i = 10, 20, 1 local t, u = {f = function(...) say(select("#", ...)) return ... end}, {} ${r.chance(50) ? 'return' : 'local c, d, e ='} ${r.chance(25) ? `(${f}(${this.atoms(0, 3)}))` : `${f}(${this.atoms(0, 3)})`}${r.chance(20) ? `, ${this.atom()}` : ''}`;
  }

  private constructed(): string {
    const { r } = this;
    const items = r.some(0, 6, () => {
      switch (r.int(4)) {
        case 0: // no key twice, as the order of assignments is undefined
          return `[say(${r.pick(['1', '-', '0.'])}${10 + ++this.fresh})] = ${this.atom()}`;
        case 1:
          return `${r.pick(['y', 'z', 'w'])}${++this.fresh} = ${this.atom()}`;
        default:
          return this.atom().replace(/^nil$/, '0');
      }
    });
    // LuaJIT raises this error before it evaluates what follows.
    if (r.chance(10)) items.push(`[say(${r.pick(['nil', '0/0'])})] = 1`);
    return `local a, b, i = 10, 20, 1 local t, u = {x = 1}, {} local v = {${items.join(r.chance(80) ? ', ' : '; ')}${items.length > 0 && r.chance(20) ? ',' : ''}} return v, select("#", unpack(v, 1, 3))`;
  }

  // ── coroutines ───────────────────────────────────────────────────────────────────────────────────

  private body(depth: number): string {
    const { r } = this;
    return r.some(1, 3, () => this.step(depth)).join('\n');
  }

  private step(depth: number): string {
    const { r } = this;
    const v = String(++this.fresh);
    const deep = depth > 0;
    switch (r.int(deep ? 16 : 7)) {
      case 0:
      case 1:
      case 2:
        return `say(coroutine.yield(${v}, ...))`;
      case 3:
        return `say(list(${v}, coroutine.yield(two(${v}))))`;
      case 4:
        return `say(${v})`;
      case 5:
        return r.chance(50)
          ? `if say(...) == ${1 + r.int(3)} then error(${r.pick([`"e${v}"`, `{${v}}`, `"e${v}", 0`, `"e${v}", 2`, 'nil', v])}) end`
          : `if say((...)) == ${1 + r.int(3)} then return ${v}, ... end`;
      case 6:
        return r.pick([
          `say(coroutine.status(coroutine.running()))`,
          `for i = 1, 2 do say(coroutine.yield(i)) end`,
          `say(select("#", coroutine.yield()))`,
          `local q = nil; if ... == 2 then q.x = 1 end`,
          `say(list(pcall(coroutine.yield, ${v})))`,
          `say(list(coroutine.resume(coroutine.running(), ${v})))`,
          `say(("ab"):gsub(".", function(c) return coroutine.yield(c) end))`.replace(
            'function(c) return coroutine.yield(c) end',
            'say',
          ),
        ]);
      case 7:
      case 8:
      case 9:
        return `say(list(pcall(function(...)\n${this.body(depth - 1)}\nreturn "p${v}", ...\nend, ...)))`;
      case 10:
        return `say(list(xpcall(function(...)\n${this.body(depth - 1)}\nend, function(e) return "h", type(e) == "table" and e[1] or e end, ...)))`;
      case 11:
      case 12:
        return `do\nlocal c = coroutine.create(function(...)\n${this.body(depth - 1)}\nreturn "r${v}"\nend)\nfor i = 1, ${1 + r.int(4)} do\nsay(list(coroutine.resume(c, i, ...)))\nsay(coroutine.status(c))\n${r.chance(30) ? 'coroutine.yield(i)\n' : ''}end\nend`;
      case 13:
        return `do\nlocal w = coroutine.wrap(function(...)\n${this.body(depth - 1)}\nend)\nfor i = 1, ${1 + r.int(3)} do say(list(${r.chance(50) ? 'pcall(w, i)' : 'w(i)'})) end\nend`;
      case 14:
        return `for x, y in coroutine.wrap(function(...)\n${this.body(depth - 1)}\nend) do\nsay(x)\nif y then break end\nend`;
      default:
        return `say((function(...)\n${this.body(depth - 1)}\nend)(${v}, ...))`;
    }
  }

  private coroutines(): string {
    return `local c = coroutine.create(function(...)\n${this.body(3)}\nreturn "end", ...\nend)\nfor i = 1, 6 do\nsay(list(coroutine.resume(c, i)))\nend\nreturn coroutine.status(c)`;
  }

  // ── loops ────────────────────────────────────────────────────────────────────────────────────────

  private numericFor(): string {
    const { r } = this;
    const edge = (): string => {
      const e = r.pick(EDGES);
      return r.chance(30)
        ? `${e}${r.pick(['+1', '-1', '*2', '-2', '+0.5'])}`
        : r.chance(4)
          ? r.pick(['"3"', 'nil', '{}', '"x"'])
          : e;
    };
    const start = edge();
    const limit = r.chance(40) ? `${start}${r.pick(['+3', '-3', '+2', '*1.5'])}` : edge();
    const step = r.chance(50)
      ? ''
      : `, ${r.chance(60) ? r.pick(['1', '-1', '2', '0.5', '-0.5', '2^31-1', '2^31', '1e300', '-2^31', '2^53']) : edge()}`;
    const body = r.pick(['', 'i = i * 2 ', 'local i = i + 1 ', 'i = "s" ']);
    return `local n = 0 for i = ${start}, ${limit}${step} do say(i) ${body}n = n + 1 if n > 4 then break end end return n`;
  }

  /** Loops in loops, left and gone on with by \`goto\`, in which closures are made. */
  private jumping(): string {
    const { r } = this;
    const id = ++this.fresh;
    const loop = (depth: number, outer: string[]): string => {
      const v = `v${++this.fresh}`;
      const next = `next${this.fresh}`;
      const out = `out${this.fresh}`;
      const targets = [...outer, next, next, ...(r.chance(50) ? [out] : [])];
      const jump = (): string =>
        r.chance(25)
          ? `if ${v} == ${1 + r.int(4)} then break end`
          : `if (${v} + ${r.int(3)}) % ${2 + r.int(2)} == 0 then goto ${r.pick(targets)} end`;
      const parts = r.some(1, 4, () => {
        switch (r.int(5)) {
          case 0:
            return jump();
          case 1:
            return `local x = ${v} * 10 fs[#fs + 1] = function(d) x = x + (d or 1) return x, ${v} end ${jump()}`;
          case 2:
            return `fs[#fs + 1] = function() ${v} = ${v} + 1 return ${v} end`;
          case 3:
            return depth > 0 ? loop(depth - 1, targets) : `say(${v})`;
          default:
            return `say(${v})`;
        }
      });
      // A jump to the end of a block may pass locals, one to elsewhere may not.
      const body = `do ${parts.join('\n')} end`;
      const head = r.int(4);
      const end = targets.includes(out) ? ` ::${out}::` : '';
      if (head === 0)
        return `do local ${v} = 0 while ${v} < 4 do ${v} = ${v} + 1\n${body}\n::${next}:: end${end} end`;
      if (head === 1)
        return `do local ${v} = 0 repeat ${v} = ${v} + 1\n${body}\n::${next}:: until ${v} >= 3${end} end`;
      if (head === 2)
        return `do for _, ${v} in ipairs{1, 2, 3, 4} do\n${body}\n::${next}:: end${end} end`;
      return `do for ${v} = 1, 4 do\n${body}\n::${next}:: end${end} end`;
    };
    return `local fs, fuel${id} = {}, 0\n${loop(2, [])}\nfor k = 1, math.min(#fs, 12) do say(list(fs[k]())) say(list(fs[k](2))) end return #fs`;
  }

  /** Numbers that the compiler knows to be numbers, or whole ones, or takes for them. */
  private arithmetic(): string {
    const { r } = this;
    const isNumber = ['i', 'x', 'k', 's'];
    const constant = (): string =>
      r.pick([
        '0',
        '-0',
        '1',
        '-1',
        '2',
        '3',
        '-3',
        '7',
        '0.5',
        '-0.5',
        '2^31',
        '-2^31',
        '2^53',
        '1e15',
        '1/0',
        '0/0',
        '10',
        '64',
        '-8',
      ]);
    const number = (depth: number): string => {
      if (depth === 0 || r.chance(25))
        return r.chance(65) ? r.pick([...isNumber, 'p', 't[1]']) : constant();
      const d = depth - 1;
      switch (r.int(12)) {
        case 0:
          return `-(${number(d)})`;
        case 1:
          return `math.floor(${number(d)})`;
        case 2:
          return `${r.pick(['math.abs', 'math.ceil', 'math.sqrt', 'tonumber'])}(${number(d)})`;
        case 3:
          return `math.${r.pick(['max', 'min', 'fmod'])}(${number(d)}, ${number(d)})`;
        case 4:
          return `(${truth(d)} and ${number(d)} or ${number(d)})`;
        case 5:
          return `bit.${r.pick(['band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift'])}(lim(${number(d)}), ${r.pick(['1', '-1', '31', '255', `lim(${number(d)})`])})`;
        case 6:
          return `(${number(d)}) ^ ${r.pick(['2', '0.5', '0', '1', '-1'])}`;
        case 7:
          return `(${number(d)}) / ${r.pick(['2', '-1', '0', number(d)]).replace(/^(.*[^\w.-].*)$/, '($1)')}`;
        default:
          return `(${number(d)} ${r.pick(['+', '-', '*', '%', '%'])} ${number(d)})`;
      }
    };
    const truth = (depth: number): string =>
      `${number(depth)} ${r.pick(['<', '<=', '>', '>=', '==', '~='])} ${number(depth)}`;
    const step = (): string => {
      switch (r.int(8)) {
        case 0:
          return `t[${number(1)} % 4] = ${number(1)}`;
        case 1:
          return `if ${truth(1)} then ${r.pick(['i', 'x', 's'])} = ${number(2)} end`;
        case 3:
          return `say(t[${number(1)}])`;
        case 4:
          return `local i = ${number(1)} s = s + i`;
        default:
          return `${r.pick(['i', 'x', 's'])} = ${number(2)}`;
      }
    };
    const range = r.pick([
      '1, 4',
      '-2, 2',
      '3, 0, -1',
      '0, 2, 0.5',
      '-0, 1',
      `1, ${constant()}`,
      `i, i + 3`,
      `p, 3`,
      '5, 1, -2',
      '-1, 1, q',
    ]);
    return `local function lim(n) if n ~= n or n > 2^31 - 1 or n < -2^31 then return 9 end return n end local i, x, s, t = ${r.pick(['0', '1', '-0', '5', '-7'])}, ${constant()}, 0, {${r.pick(['1, 2, 3', '0.5, 1', '', '-0, -0'])}} local function f(p, q) local n = 0 for k = ${range} do ${r.some(1, 4, step).join(' ')} say(i) say(x) say(s) n = n + 1 if n > 4 then break end end return n, i, x, s, p, t[0], t[1], t[2], t[3] end return f(${constant()}, ${r.pick(['1', '2', '0.5'])})`;
  }

  // ── tables ───────────────────────────────────────────────────────────────────────────────────────

  private keys(): string {
    const { r } = this;
    const key = (): string => r.pick(KEYS);
    const lines = r.some(3, 9, () => {
      switch (r.int(9)) {
        case 0:
          return `t[${key()}] = nil`;
        case 1:
          return `say(t[${key()}])`;
        case 2:
          return `rawset(t, ${key()}, ${r.pick(['1', '"v"', 'nil', 'false'])})`;
        case 3:
          return `say(rawget(t, ${key()}))`;
        case 4:
          return `local k = ${key()} if k == k and k ~= nil then t[k] = (t[k] or 0) == 1 and 2 or 1 end`;
        case 5:
          return `say(t[k0])`;
        default:
          return `t[${key()}] = ${++this.fresh}`;
      }
    });
    return `local t, k0 = {${r.some(0, 3, () => r.pick(['1', '2', '"a"', 'x = 1', '[0] = 5', '[-1] = 3', '[2.5] = 1', '["1"] = 2'])).join(', ')}}, ${key()} ${lines.join(' ; ')} local n = 0 for k, v in pairs(t) do n = n + 1 end return n, t`;
  }

  /** Existing fields may be assigned, and cleared, during a traversal. The order is nobody's to know. */
  private traversal(): string {
    const { r } = this;
    const fill = r.pick([
      'for i = 1, 10 do t[i] = i end',
      'for i = 1, 10 do t["k" .. i] = i end',
      'for i = -3, 4 do t[i] = i end for i = 1, 4 do t["x" .. i] = i + 10 end',
      't.a, t.b, t.c, t[1], t[2] = 1, 2, 3, 4, 5',
      'for i = 1, 40 do t[i * 3] = i end',
      'for i = 1, 5 do t[i], t[i + 0.5], t[tostring(i)] = i, i + 20, i + 40 end t[true] = 99',
    ]);
    const body = r.pick([
      't[k] = nil',
      'if v % 2 == 0 then t[k] = nil end',
      't[k] = v + 100',
      'if v % 3 == 0 then t[k] = nil else t[k] = -v end',
      'local k2 = next(t) if k2 ~= nil then t[k2] = t[k2] end',
      't[k] = nil collectgarbage("step")',
      'if t[1] then t[1] = nil end',
    ]);
    const head = r.pick([
      'pairs(t)',
      'next, t',
      'next, t, nil',
      'pairs(setmetatable(t, {__index = P}))',
    ]);
    return `local t, seen, sum = {}, 0, 0 ${fill} for k, v in ${head} do seen = seen + 1 sum = sum + v ${body} end local left = {} for k, v in pairs(t) do left[#left + 1] = show(k) .. "=" .. show(v) end table.sort(left) return seen, sum, table.concat(left, ","), next(t) == nil`.replace(
      'seen = seen + 1 sum = sum + v if t[1]',
      'seen = seen + (k == 1 and 0 or 1) if k ~= 1 then sum = sum + v end if t[1]',
    );
  }

  private tableCall(): string {
    const { r } = this;
    const item = (): string =>
      r.pick(['1', '2', '3', '"a"', '"b"', '1.5', '-0', '10', '1e15', '"\\0"']);
    const odd = (): string => r.pick(['{}', 'true', 'say', 'nil', 'P', 'coroutine.create(say)']);
    const array = (): string =>
      `{${r.some(0, 6, () => (r.chance(6) ? odd().replace('nil', 'false') : item())).join(', ')}}`;
    const position = (): string =>
      r.chance(5) ? odd() : r.pick(POSITIONS.filter((p) => !/31|\./.test(p)));
    switch (r.int(9)) {
      case 0:
      case 1:
        return `return table.concat(${array()}${r.chance(70) ? `, ${r.chance(85) ? r.pick(['", "', '""', '1', '1.5', 'nil', '"\\0"']) : odd()}` : ''}${r.chance(50) ? `${','} ${position()}` : ''})`.replace(
          /concat\((\{.*?\}), ([-\d"][^,]*)\)$/,
          'concat($1, ",", $2)',
        );
      case 2:
        return `local t = ${array()} return t, list(table.insert(t, ${r.some(0, 3, () => (r.chance(50) ? position() : item().replace('1e15', '9'))).join(', ') || '1'}))`;
      case 3:
        return `local t = ${array()} return list(table.remove(t${r.chance(60) ? `, ${position()}` : ''})), t`;
      case 4:
        return `local t = {${r.some(0, 9, () => r.pick(['1', '2', '3', '4', '5', '-1', '1.5'])).join(', ')}} table.sort(t${r.pick(['', '', ', nil', ', function(a, b) return a > b end', ', function(a, b) say(0) return a < b end'])}) return t`.replace(
          'say(0) ',
          '',
        );
      case 5:
        return `local t = ${array()} return select("#", unpack(t, ${position()}, ${position()}))`;
      case 6:
        return `local t = {${r.some(0, 4, () => item()).join(', ')}} return unpack(t, ${r.pick(POSITIONS.slice(0, 8))}, ${r.pick(POSITIONS.slice(0, 8))})`;
      case 7:
        return `return select(${r.pick(['-1', '-2', '-3', '-9', '0', '1', '2', '9', '"#"', '"2"', '1.9', '-1.9', 'nil', '"x"', '{}', '"##"'])}${r.some(0, 3, () => `, ${item()}`).join('')})`;
      default:
        return `local function f(...) return ${r.pick(['..., 1', '(...), ...', '{..., ...}', '{...}', 'select("#", ..., nil)', 'select(2, ...)', 'list(..., list(...))', '... == nil', '... and 1'])} end return f(${r.some(0, 3, () => r.pick(['1', '"a"', 'two(5)', '(two(5))', 'say(nil)'])).join(', ')})`;
    }
  }

  // ── strings ──────────────────────────────────────────────────────────────────────────────────────

  private stringCall(): string {
    const { r } = this;
    const s = (): string =>
      `"${text(r, 8)
        .replace(/[^ -~]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`)
        .replace(/"/g, '')}"`.replace(/\\(?!\d)/g, '\\\\');
    const position = (): string => r.pick(POSITIONS);
    switch (r.int(12)) {
      case 0:
        return `return (${s()}):sub(${position()}${r.chance(70) ? `, ${position()}` : ''})`;
      case 1:
        return `return (${s()}):byte(${r.some(0, 2, position).join(', ')})`;
      case 2:
        return `local x = (${s()}):rep(${r.pick(['0', '-1', '1', '2', '3', '-2^31', '1.9', '"2"', 'nil', '{}', '-1e15'])}${r.chance(30) ? `, ${r.pick(['""', '","', '1', 'nil', '{}', '"\\0"'])}` : ''}) return x`;
      case 3:
        return `return #(""):rep(${r.pick(['2^31-1', '1e9', '0'])})`;
      case 4:
        return `return string.char(${r.some(0, 4, () => r.pick(['0', '65', '255', '256', '-1', '65.9', '"66"', '" 0x41 "', 'nil', '{}', '2^31-1', '-0', '-0.5'])).join(', ')})`;
      case 5:
        return `return (${s()}):find(${s().replace(/%/g, '')}, ${position()}, ${r.pick(['true', 'false', 'nil', '1'])})`.replace(
          /find\("([^"]*)", (.*), (false|nil)\)$/,
          'find("$1", $2, true)',
        );
      case 6:
        return `return (${s()}):gsub("${r.pick(['%f[%w]', '%f[^%w]', '%f[%z]', '%b()', '()', '(.)()', '.-', 'a*', '^a', '$', '[%s]*$', '%f[a]a', '(a)(b)', '((a)b)', '(a*(b))', '%1', '()%1', '%b', '%f', '(', ')', '[', '[]', '[^]', '[a-]', '[]]', '[^]]', '%', 'a%', '(()', '.', '[%]]', '[a-c-z]', '%d+', '^()', '(%1)'])}", ${r.pick(['""', '"<%0>"', '"<%1>"', '"%2"', '"%%"', '"%"', '"%x"', '{}', '{a = 1, b = false}', 'say', 'two', 'nil', '1', 'true', 'function(...) return list(...) end', 'function() return false end', 'function() return {} end', '"%9"', '"\\0"', '{[1] = "one", [2] = "two"}'])}${r.chance(40) ? `, ${r.pick(['0', '1', '2', '-1', '2^31-1', 'nil', '1.5', '"1"'])}` : ''})`;
      case 7:
        return `local out = {} for ${r.pick(['a', 'a, b', 'a, b, c'])} in (${s()}):gmatch("${r.pick(['.', '', '()', '(.)()', '%a*', '^a', '%f[%w]%w+', '[^ ]+', '.-', '(a)(b?)', '()a()'])}") do out[#out + 1] = list(a${''}) if #out > 12 then break end end return out`;
      case 8:
        return `return (${s()}):match("${r.pick(['^(.)(.*)$', '.-(b.*)', '()b()', '(a*)(.-)(b*)$', '%S+', '^%s*(.-)%s*$', '(.)%1', '%f[%a]%a+', '[%w_]+', '^$', '$', '^', '()'])}", ${position()})`;
      case 9:
        return `return ${r.pick(['#', '-', ''])}${r.pick(['("5")', '("0x10")', '(" 1 ")', '("1e1")', '(5)', '("")', '("-0")', '("nan")', '("1 1")'])}${r.pick([' + 1', ' .. 1', ' == 5', ' * "2"', ' % 3', ' ^ "0.5"', ' < "6"', '', ' - "x"'])}`;
      case 10:
        return `return ${r.pick(['1', '1.5', '-0', '1e15', '1e14', '1e16', '0.1', '2^53', '2^63', '1e100', '-1e-10', '123456789012344', '0/0', '1/0', '-1/0', '5e-324', '3.14159265358979', '100', '1e5'])} .. ${r.pick(['""', '1', '"x"', '1.25', '-0', '{}', 'nil', 'P'])}`;
      default:
        return `return ${r.pick(['("x").len', '("x").nope', '("x").nope.y', '("x"):nope()', '("abc"):upper():lower():len()', '("x")[1]', '("x"):len(1)', '#"a\\0b"', '("a"):rep(3):reverse()', 'string.len()', '(""):byte()', '("x"):format(1)', '("%d"):format("1")', '("%s %s"):format(1)', '("%5s|%-5s|"):format("ab", true)', '("%c%c"):format(0, 65)', '("%q"):format("a\\n\\0\\r\\"\\\\1")', '("%i"):format(3.99)', '("%x"):format(-1)', '("%.3s|"):format("abcdef")', '("%.0s|"):format("abc")', '("%10.2s|"):format("abc")', '("%"):format()', '("%y"):format(1)', '("%.123d"):format(1)', '("%#x %#o"):format(255, 8)', '("%+d % d"):format(5, 5)', '("%05d %-5d|"):format(-3, 3)', '("%e"):format(0)', '("%g %g"):format(1e20, 0.1)', '("%a"):format(1)', '("%s"):format(nil)', '("%d"):format("x")', '("%s"):format()', '("%5%"):format()', '("%g"):format(0/0)', '("%d"):format(1/0)', '("%.20f"):format(0.1)', '("%.14g"):format(2^53)', '("%99.99f"):format(1)', '("%100d"):format(1)', '("%-+ #0d"):format(1)'])}`;
    }
  }

  private numeral(): string {
    const { r } = this;
    const digits = (set: string, most: number): string =>
      r.some(0, most, () => set[r.int(set.length)]!).join('');
    const hex = r.chance(30);
    let n = hex
      ? `0${r.pick(['x', 'X'])}${digits('0123456789abcdefABCDEF', r.chance(10) ? 30 : 6)}${r.chance(40) ? `.${digits('08fF', 3)}` : ''}${r.chance(40) ? `${r.pick(['p', 'P'])}${r.pick(['', '+', '-'])}${digits('0123456789', 2)}` : ''}`
      : r.chance(10)
        ? `0b${digits('01', 8)}`
        : `${digits('0123456789', r.chance(10) ? 30 : 5)}${r.chance(50) ? `.${digits('0123456789', r.chance(10) ? 25 : 3)}` : ''}${r.chance(40) ? `${r.pick(['e', 'E'])}${r.pick(['', '+', '-'])}${digits('0123456789', 3)}` : ''}`;
    if (r.chance(15))
      n += r.pick(['x', '.', 'e', '..1', 'f', '_', ' 1', 'p1', '\\0', '\\n', 'n', 'nf']);
    if (r.chance(20))
      n =
        r.pick(['-', '+', ' ', '- ', '--', '\\t\\n', '\\v', 'inf', 'nan', '-inf', '0', '-0x']) + n;
    if (r.chance(10)) n += r.pick([' ', '\\n', '\\t ', '\\f']);
    const s = `"${n}"`;
    // In other bases LuaJIT stops at 2^64.
    switch (r.int(n.length > 10 ? 4 : 5)) {
      case 0:
        return `return tonumber(${s}), pcall(function() return ${s} + 0 end)`;
      case 2:
        return `local f, e = loadstring("return " .. ${s}) return f and f(), e`;
      case 3:
        return `local n = tonumber(${s}) return tostring(n), n and ("%.17g"):format(n), n and n .. ""`;
      case 1:
        return `local t = {} t[tonumber(${s}) or "none"] = 1 return t, next(t)`;
      default:
        return `return tonumber(${s}, ${r.pick(['10', '10', '16', '2', '36', '8', '3', '1', '37', 'nil', '"16"', '10.5'])})`;
    }
  }

  // ── metatables ───────────────────────────────────────────────────────────────────────────────────

  private metatables(): string {
    const { r } = this;
    const events = [
      'index',
      'newindex',
      'call',
      'concat',
      'eq',
      'lt',
      'le',
      'unm',
      'add',
      'mod',
      'pow',
      'tostring',
      'metatable',
    ];
    const value = (e: string): string => {
      switch (e) {
        case 'index':
        case 'newindex':
          return r.pick([
            't2',
            't3',
            'P',
            `function(...) say("${e}") return ${r.pick(['...', 'select(2, ...)', '1, 2'])} end`,
            'setmetatable({}, {__index = P, __newindex = Q})',
            '"s"',
            'false',
            '1',
            'say',
          ]);
        case 'call':
          return r.pick([
            'say',
            'function(self, ...) return self == t1, ... end',
            'P',
            't2',
            '1',
            'two',
          ]);
        case 'tostring':
          return r.pick([
            'function() return "<t>" end',
            'function() return 1 end',
            'function() return nil end',
            'function() error("ts") end',
            'function() return {} end',
          ]);
        case 'metatable':
          return r.pick(['1', '"locked"', 'false', 'nil', '{}']);
        default:
          return r.pick([
            `function(a, b) say("${e}") return ${r.pick(['a', 'b', 'nil', '1', 'false', '"s"', 'a == nil', '2, 3'])} end`,
            'say',
            'P',
            '1',
            'rawequal',
            'error',
          ]);
      }
    };
    const table = (): string =>
      `{${events
        .filter(() => r.chance(30))
        .map((e) => `__${e} = ${value(e)}`)
        .join(', ')}}`;
    const t = (): string => r.pick(['t1', 't1', 't2', 't3', 'P']);
    const v = (): string => r.pick(['t1', 't2', 't3', '1', '"s"', '"10"', 'nil', 'true', 'P']);
    const use = (): string => {
      switch (r.int(16)) {
        case 0:
          return `${t()}.x`;
        case 1:
          return `${t()}[${r.pick(['1', 't1', '"k"', 'nil', '0/0'])}]`;
        case 2:
          return `${t()}(${v()}, 2)`;
        case 3:
          return `${t()} .. ${v()}`;
        case 4:
          return `${v()} .. ${t()} .. ${v()}`;
        case 5:
          return `${t()} ${r.pick(['==', '~='])} ${v()}`;
        case 6:
          return `${r.pick(['t1', 't2', 't3'])} ${r.pick(['<', '<=', '>', '>='])} ${r.pick(['t1', 't2', 't3'])}`;
        case 7:
          return `-${t()}`;
        case 8:
          return `${v()} ${r.pick(['+', '%', '^', '-'])} ${t()}`;
        case 9:
          return `tostring(${t()}) == "x"`;
        case 10:
          return `${t()}:m(${v()})`;
        case 11:
          return `#${r.pick(['{1, 2}', '"ab"', 't2', 'P'])}`;
        case 12:
          return `rawequal(${t()}, ${v()}), rawget(t1, "x"), rawset(t2, "z", 1) == t2`;
        case 13:
          return `list(getmetatable(${t()}) == m1, pcall(setmetatable, setmetatable({}, m${1 + r.int(3)}), ${r.pick(['nil', '{}', 'm1', '1'])}))`;
        case 14:
          return `select("#", ${t()}.x.y)`;
        default:
          return `(function() ${t()}.${r.pick(['x', 'y', 'z'])} = ${v()} ${t()}[${r.pick(['1', '"k"', 'true'])}] = ${v()} return rawget(t1, "x"), rawget(t2, "x"), rawget(t3, "x") end)()`;
      }
    };
    const third = r.chance(25) ? 'newproxy(true)' : '{x = 3}';
    return `local t1, t2, t3 = {}, {y = 2}, ${third} names[t1], names[t2], names[t3] = "t1", "t2", "t3" local m1, m2, m3 = nil, nil, ${table()} m1 = ${table()} m2 = ${r.chance(40) ? 'm1' : table()} names[m1], names[m2], names[m3] = "m1", "m2", "m3" m2.__eq, m2.__lt, m2.__le = m1.__eq, m1.__lt, m1.__le m3.__eq, m3.__lt, m3.__le = m1.__eq, m1.__lt, m1.__le setmetatable(t1, m1) setmetatable(t2, m2) if type(t3) == "table" then setmetatable(t3, m3) else local m = getmetatable(t3) for k, v in pairs(m3) do m[k] = v end end ${r
      .some(1, 4, () => `say(list(pcall(function() return ${use()} end)))`)
      .join(' ')}`;
  }

  // ── environments, chunks, errors ─────────────────────────────────────────────────────────────────

  private chunks(): string {
    const { r } = this;
    switch (r.int(9)) {
      case 0:
        return `local f, e = load(${r.pick(['"return 1, ..."', '"return x"', '"x = 1 return x"', '"syntax error"', '"return"', '""', '"local a <const> = 1"', '"return ..."'])}, ${r.pick(['"=name"', '"@name"', '"name"', '"line\\nmore"', 'nil', '""', '"="'])}, ${r.pick(['"t"', '"b"', '"bt"', 'nil'])}${r.chance(50) ? `, ${r.pick(['{x = 5}', 'nil', 'setmetatable({}, {__index = P})'])}` : ''}) if not f then return e end return list(pcall(f, 1, 2))`;
      case 1:
        return `local n = 0 local f, e = load(function() n = n + 1 return ${r.pick(['({"return ", "1", " + 2"})[n]', '({"return ", "", "1"})[n]', 'n == 1 and "return 5" or nil', '({"a", 1})[n]', '({"return ", {}})[n]', 'error("reader")', '({"return ", "4", false})[n]'])} end${r.pick(['', ', "=r"'])}) return f and f(), e, n`;
      case 2:
        return `local function f() return x, G end setfenv(f, {x = ${r.int(9)}, G = 2}) return f(), getfenv(f).x, getfenv(1) == getfenv(0), pcall(setfenv, ${r.pick(['print', '1', '99', '-1', '"x"', 'f'])}, ${r.pick(['{}', 'nil', '1'])})`
          .replace('pcall(setfenv, print', 'pcall(setfenv, f')
          .replace('pcall(setfenv, 1', 'pcall(setfenv, 99');
      case 3:
        return `local function h(e) say(e) return ${r.pick(['e', '"h"', 'e, 1', 'error("in h")', 'nil', '{}', 'e .. "!"'])} end return xpcall(${r.pick(['error', 'function() error("x") end', 'function(...) return ... end', 'function() error() end', 'function() error({}) end', 'nil', 'P', '1', 'function() local x = nil; return x.y end'])}, ${r.chance(90) ? 'h' : r.pick(['nil', '1', 'P'])}, 1, nil)`;
      case 4:
        return `local function f(n) if n == 0 then error("lvl", ${r.int(5)}) end ${r.pick(['return f(n - 1)', 'f(n - 1)', 'return (f(n - 1))', 'local ok, e = pcall(f, n - 1) error(e, 0)', 'local ok, e = pcall(f, n - 1) error(e)', 'return coroutine.wrap(f)(n - 1)'])} end f(${r.int(4)})`;
      case 5:
        return `return assert(${r.pick(['1, 2', 'nil', 'false, "m"', 'false, {1}', 'nil, 5', '', 'false, nil', 'true'])})`;
      case 6:
        return `return ${r.pick(['tostring', 'type', 'tonumber', 'rawlen', 'next', 'ipairs', 'pairs', 'getmetatable', 'rawequal', 'rawget', 'unpack', 'string.len', 'math.max', 'table.concat', 'coroutine.resume', 'coroutine.status', 'coroutine.wrap', 'pcall', 'error', 'select', 'math.floor', 'string.rep', 'bit.band', 'setmetatable', 'math.random', 'string.format', 'table.insert', 'loadstring', 'load', 'xpcall'])}(${r.some(1, 2, () => r.pick(['nil', '1', '"x"', '{}', 'say', 'true', 'P', 'coroutine.create(say)', '1.5', '-1'])).join(', ')})`
          .replace(/rawlen/, 'rawequal')
          .replace(/math\.random\([^)]*\)/, 'math.random(2, 1)');
      case 7:
        return `local function gen(s, c) say(c) if c < ${r.int(4)} then return c + 1, ${r.pick(['c', 'nil', 's'])} end end for a, b, c in ${r.pick(['gen, 7, 0', 'gen, nil, 1', 'P, 1, 2', 'nil', 'gen', '1', '{}', 'gen, 1, "0"', 'pairs(1)', 'ipairs()', 'ipairs{1, 2, nil, 4}', 'next, {}', 'next, {5}, 9', 'setmetatable({}, {__call = gen}), 1', 'coroutine.wrap(function() coroutine.yield(1, 2) coroutine.yield(2) end)', '("ab"):gmatch(".")'])} do say(list(a, b, c)) ${r.pick(['', '', 'a = nil', 'if a == 1 then break end'])} if #said > 8 then break end end`;
      default:
        return `local s = 0 local function f(a, b, ...) ${r.pick(['a, b = b, a', 'b = ...', 'local a = a', 'a = select("#", ...)', 'if not a then return end'])} ${r.pick(['local function g() a = a and 1 return a, b end s = g', 's = function(...) return a, ... end', 's = a'])} return a, b, ${r.pick(['...', '(...)', 'select(2, ...)', '{...}'])} end return f(${r.some(0, 4, () => r.pick(['1', '2', 'nil', '"s"', 'two(1)'])).join(', ')}), type(s) == "function" and s(9)`;
    }
  }

  /** Errors in expressions of many lines: which line has it? */
  private lines(): string {
    const { r } = this;
    const part = (): string =>
      r.pick([
        'a',
        'b',
        't.x',
        't.nope',
        'say(1)',
        'G',
        'nope',
        '1',
        '"s"',
        't',
        'say',
        '{}',
        't.x.y',
        't:nope()',
        'nope()',
        '#a',
        '-t',
        'a.b',
        '(a)',
        't.nope.x',
        'two(\n1,\n2)',
        '{\n1,\nx = t.x\n}',
      ]);
    const op = (): string => r.pick(['+', '..', '<', '*', 'and', 'or', '==', '^']);
    const nl = (): string => (r.chance(50) ? '\n' : ' ');
    const expr = (): string => {
      let s = part();
      for (let n = r.int(3); n > 0; n--) s += `${nl()}${op()}${nl()}${part()}`;
      return s;
    };
    switch (r.int(8)) {
      case 0:
        return `local a, b, t = 1, nil, {x = 2}\nreturn ${expr()}`;
      case 1:
        return `local a, b, t = 1, nil, {x = 2}\nlocal r = say(${nl()}${expr()},${nl()}${expr()}${nl()})\nreturn r`;
      case 2:
        return `local a, b, t = 1, nil, {x = 2}\nt${nl()}.x${nl()}.y${nl()}=${nl()}${expr()}`;
      case 3:
        return `local a, b, t = 1, nil, {x = 2}\nif${nl()}${expr()}${nl()}then${nl()}say(1)\nelseif${nl()}${expr()} then say(2) else\nsay(3) end`;
      case 4:
        return `local a, b, t = 1, nil, {x = 2}\nlocal v = {${nl()}${expr()},${nl()}k =${nl()}${expr()},${nl()}[${expr()}]${nl()}= 1${nl()}}`;
      case 5:
        return `local a, b, t = 1, nil, {x = 2}\n${r.pick(['t', 'a', 'b', 'nope', 't.x', '("s")'])}${nl()}:m${r.chance(50) ? '' : ''}(${nl()}${expr()}${nl()})`;
      case 6:
        return `local a, b, t = 1, nil, {x = 2}\nfor i =${nl()}${expr()},${nl()}2 do${nl()}say(i)${nl()}t = t.x${nl()}end`;
      default:
        return `local a, b, t = 1, nil, {x = 2}\nlocal function f(x)${nl()}return${nl()}${expr()}${nl()}end${nl()}local c = f(${nl()}${expr()}${nl()})\nerror(${nl()}"m"${nl()},${nl()}${r.pick(['1', '2', '0'])}${nl()})`;
    }
  }

  test(n: number): string {
    const { r } = this;
    const make = r.pick([
      () => this.assignment(),
      () => this.assignment(),
      () => this.call(),
      () => this.constructed(),
      () => this.coroutines(),
      () => this.coroutines(),
      () => this.numericFor(),
      () => this.arithmetic(),
      () => this.arithmetic(),
      () => this.jumping(),
      () => this.keys(),
      () => this.traversal(),
      () => this.tableCall(),
      () => this.tableCall(),
      () => this.stringCall(),
      () => this.stringCall(),
      () => this.numeral(),
      () => this.numeral(),
      () => this.metatables(),
      () => this.metatables(),
      () => this.chunks(),
      () => this.chunks(),
      () => this.lines(),
      () => this.lines(),
    ]);
    const isVararg = '...';
    return `U(${n}, function(${isVararg}) ${make()} end, 7, "v")\n`;
  }
}

export function cornerProgram(r: Random): string {
  const c = new Corners(r);
  let out = HEAD;
  const count = 10 + r.int(15);
  for (let i = 1; i <= count; i++) out += c.test(i);
  return out;
}
