/**
 * One line, one test: an operation on values of all kinds, often of the wrong one, with what it returned or
 * the message that it raised. Names of variables are in the messages, so values come from locals,
 * upvalues, globals and fields.
 */
import { literal, patternLiteral, replacement, text } from './patterns.ts';
import { PRELUDE } from './prelude.ts';
import type { Random } from './random.ts';

const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1',
  '2',
  '3',
  '7',
  '10',
  '-3',
  '0.5',
  '-0.5',
  '1.5',
  '2.5',
  '-2.5',
  '3.7',
  '100',
  '255',
  '256',
  '1e3',
  '1/0',
  '-1/0',
  '0/0',
  '2^31',
  '2^31-1',
  '-2^31',
  '2^32',
  '2^32-1',
  '2^53',
  '2^53+1',
  '-2^53',
  '2^63',
  '-2^63',
  '2^64',
  '1e15',
  '1e16',
  '1e100',
  '1e-5',
  '1e-100',
  '1e308',
  '5e-324',
  '2.2250738585072014e-308',
  '0x10',
  '0xfp2',
  '0x.8',
  '0.1',
  '123456789',
  '123456789012',
  '3.14159265358979',
  '1e14',
  '0xffffffff',
  '0b101',
  '99999999999999',
  '0.30000000000000004',
];
const SMALL = ['0', '1', '2', '3', '4', '5', '-1', '-2', '-3', '7', '8', '1.5', '2.9', '-0'];
const STRINGS = [
  '""',
  '"a"',
  '"b"',
  '"abc"',
  '"10"',
  '"0x10"',
  '" 7 "',
  '"1e2"',
  '"-5"',
  '"x"',
  '"nil"',
  '"inf"',
  '"nan"',
  '"0x"',
  '"1 2"',
  '"\\0"',
  '"a\\0b"',
  '"10\\n"',
  '"\\t5"',
  '"5."',
  '".5"',
  '"+5"',
  '"- 5"',
  '"0x.8p1"',
  '"1e+1"',
  '"1e"',
  '"\\255"',
  '"__index"',
  '"hello world"',
];
/** LuaJIT's integers have 32 bits: where one is wanted, larger numbers are anything. */
const LARGE = /2\^|e1|e3|0xf{8}|99999|12345/;
/** `ln` and its like may be, too. */
const isLarge = (text: string): boolean => LARGE.test(text) || /^[lug]n2?$|^t\.n$/.test(text);
const VARIABLES: Record<string, string[]> = {
  n: ['ln', 'un', 'gn', 't.n', 'ln2', 'o.n', 'tt.a.n'],
  s: ['ls', 'us', 'gs', 't.s', 'lsn'],
  t: ['lt', 'ut', 'gt', 't.t', 'arr', 'empty'],
  o: ['o', 'p', 'q', 'uo', 'go', 't.o'],
  nil: ['lnil', 'unil', 'gnil', 't.none', 't.n.x', 'tt.zz'],
  f: ['lf', 'uf', 'gf', 't.f', 'print', 'lv'],
  b: ['lb', 'gb', 't.b'],
};

type Kind =
  | 'j'
  | 'A'
  | 'm'
  | 'w'
  | 'n'
  | 'i'
  | 's'
  | 'p'
  | 'r'
  | 't'
  | 'a'
  | 'v'
  | 'f'
  | 'o'
  | 'b'
  | 'fn'
  | 'u';

/** `name(kinds)`: lower case as above; `?` begins what may be left out. */
const LIBRARY: Record<string, string> = {
  'string.byte': 's?ii',
  'string.char': '?uuu',
  'string.find': 'sp?ib',
  'string.match': 'sp?i',
  'string.gsub': 'spr?i',
  'string.len': 's',
  'string.lower': 's',
  'string.upper': 's',
  'string.rep': 'si?s',
  'string.reverse': 's',
  'string.sub': 'si?i',
  gmatch: 'sp',
  'table.concat': 't?sii',
  'table.insert': 'av',
  'table.insert#': 'aiv',
  'table.remove': 'a?j',
  unpack: 't?ii',
  'table.maxn': 't',
  sorted: 'm',
  'table.getn': 'a',
  moved: 'Ajjj?A',
  'table.foreachi': 'af',
  'math.abs': 'n',
  'math.ceil': 'n',
  'math.floor': 'n',
  'math.fmod': 'nn',
  'math.frexp': 'n',
  'math.ldexp': 'ni',
  'math.max': 'n?nn',
  'math.min': 'n?nn',
  'math.modf': 'n',
  'math.sqrt': 'n',
  'math.pow': 'nn',
  'math.exp': 'n',
  'math.log': 'n',
  'math.log10': 'n',
  'math.sin': 'n',
  'math.cos': 'n',
  'math.tan': 'n',
  'math.atan': 'n',
  'math.atan2': 'nn',
  'math.asin': 'n',
  'math.acos': 'n',
  'math.sinh': 'i',
  'math.cosh': 'i',
  'math.tanh': 'n',
  'bit.tobit': 'w',
  'bit.band': 'w?ww',
  'bit.bor': 'w?ww',
  'bit.bxor': 'w?ww',
  'bit.bnot': 'w',
  'bit.lshift': 'ww',
  'bit.rshift': 'ww',
  'bit.arshift': 'ww',
  'bit.rol': 'ww',
  'bit.ror': 'ww',
  'bit.bswap': 'w',
  'bit.tohex': 'w?i',
  tostring: 'v',
  tonumber: 'v',
  'tonumber#': 's?i',
  type: 'v',
  rawequal: 'vv',
  rawget: 'tv',
  rawset: 'avv',
  next: 'a',
  select: 'i?vvv',
  'select#': '?vvv',
  ipairs: 't',
  pairs1: 't',
  getmetatable: 'v',
  setmetatable: 'av',
  assert: 'v?v',
  error: 'v?i',
  pcall: 'f?vv',
  xpcall: 'ff?v',
  'coroutine.create': 'f',
  'coroutine.status': 'v',
  'coroutine.resume': 'v?v',
  'coroutine.wrap': 'f',
  load: 's?s',
  loadstring: 's?s',
  newproxy: '?b',
  format: '',
};
const LIBRARY_NAMES = Object.keys(LIBRARY);
const METHODS = LIBRARY_NAMES.filter((n) => n.startsWith('string.') && n !== 'string.char');

export class Expressions {
  readonly r: Random;
  constructor(r: Random) {
    this.r = r;
  }

  value(kind: Kind): string {
    const { r } = this;
    // Mostly as wanted.
    if (kind !== 'v' && !'mjiwA'.includes(kind) && r.chance(6)) {
      const any = this.value('v');
      return kind === 'p' ? any.replaceAll('\\000', '\\001') : any; // as `patternLiteral`
    }
    switch (kind) {
      case 'n':
        return r.chance(30)
          ? r.pick(VARIABLES.n!)
          : r.chance(6)
            ? r.pick(['"10"', '" 0x1p1 "', '"5x"'])
            : r.pick(NUMBERS);
      case 'j':
        return r.pick(['0', '1', '2', '3', '4', '5', '-1', '7']);
      case 'i':
        return r.pick(SMALL);
      case 'u':
        return r.pick(['0', '65', '97', '255', '256', '-1', '1.5', '"66"']);
      case 's':
        return r.chance(25)
          ? r.pick(VARIABLES.s!)
          : r.chance(35)
            ? r.pick(STRINGS)
            : r.chance(8)
              ? r.pick(NUMBERS)
              : literal(r);
      case 'p':
        return patternLiteral(r);
      case 'r':
        return replacement(r);
      case 't':
        return r.chance(50) ? r.pick(VARIABLES.t!) : this.array();
      case 'A': // what has metamethods is moved with them here, and without in LuaJIT
      case 'a':
        return this.array();
      case 'w': // bit operations on numbers beyond 2^52 are undefined
        return r.pick([
          '0',
          '-0',
          '1',
          '-1',
          '2',
          '31',
          '32',
          '33',
          '255',
          '-255',
          '0.5',
          '-0.5',
          '1.5',
          '2.5',
          '2^31',
          '2^31-1',
          '-2^31',
          '2^32',
          '2^32-1',
          '2^40+5',
          '-2^40-5',
          '2^51',
          '"10"',
          '" 0x10 "',
          'ls',
          'lt',
          'lnil',
          'true',
        ]);
      case 'm':
        return `{${r.some(0, 6, () => r.pick(['0', '1', '2', '3', '-1', '-3', '7', '8', '1.5', '2.9', '10'])).join(', ')}}`;
      case 'f':
        return r.chance(70)
          ? r.pick(VARIABLES.f!)
          : r.pick([
              'function(...) return ... end',
              'function() error("e") end',
              'function(a) return a.x end',
              'string.len',
              'error',
            ]);
      case 'fn':
        return r.pick(VARIABLES.f!);
      case 'o':
        return r.pick(VARIABLES.o!);
      case 'b':
        return r.pick(['true', 'false', 'nil', '0', ...VARIABLES.b!]);
      case 'v':
        return this.value(
          r.pick(['n', 'n', 's', 's', 't', 'f', 'o', 'b'] as Kind[]).replace('v', 'n') as Kind,
        );
    }
  }

  /** Addresses that are cut off can't be compared. */
  private noFunction(kind: Kind): string {
    const text = this.value(kind);
    return /function|string\.|error|^[lugt]\.?f$|lv|print/.test(text) ? 'us' : text;
  }

  /** No object with metamethods. */
  private plain(kind: Kind): string {
    const text = this.value(kind);
    return VARIABLES.o!.includes(text) ? 'lt' : text;
  }

  anything(): string {
    return this.r.chance(15) ? this.r.pick(VARIABLES.nil!) : this.value('v');
  }

  array(): string {
    const { r } = this;
    const items = r.some(0, 5, () =>
      r.chance(70)
        ? r.pick(SMALL)
        : r.chance(70)
          ? this.value('s')
          : this.value('v').replace(/^nil$/, '0'),
    );
    // A nil in the middle would leave the length open.
    return `{${items.filter((x) => !/nil|none|n\.x|zz|lb|gb|\.b/.test(x)).join(', ')}}`;
  }

  call(): string {
    const { r } = this;
    if (r.chance(25)) return this.format();
    const asMethod = r.chance(15);
    const name = asMethod ? r.pick(METHODS) : r.pick(LIBRARY_NAMES);
    if (name === 'format') return this.format();
    const [needed = '', optional = ''] = LIBRARY[name]!.split('?');
    let kinds = [...needed, ...optional.slice(0, r.int(optional.length + 1))] as Kind[];
    if (r.chance(4)) kinds = kinds.slice(0, r.int(kinds.length + 1));
    else if (r.chance(3)) kinds.push(r.pick(['s', 'b', 't'] as Kind[]));
    const plain = name.replace('#', '');
    const args = kinds.map((k) => this.value(k));
    const wanted = [...needed, ...optional];
    args.forEach((a, i) => {
      if ((kinds[i] === 'i' || wanted[i] === 'i') && isLarge(a)) args[i] = '2';
    });
    // One argument more makes a position of the value.
    if (plain === 'table.insert' && args.length > 2 && isLarge(args[1]!)) args[1] = '2';
    if (name === 'select#') args.unshift('"#"');
    // LuaJIT's message ends at a NUL.
    if (name === 'assert' && args.length > 1) args[1] = args[1]!.replaceAll('\\000', '');
    if (asMethod && args.length > 0)
      return `(${args[0]}):${name.slice('string.'.length)}(${args.slice(1).join(', ')})`;
    return `${plain}(${args.join(', ')})`;
  }

  format(): string {
    const { r } = this;
    const args: string[] = [];
    const parts = r.some(1, 3, () => {
      const conversion = r.pick(
        [
          'd',
          'i',
          'u',
          'o',
          'x',
          'X',
          'f',
          'F',
          'e',
          'E',
          'g',
          'G',
          'a',
          'A',
          'c',
          's',
          's',
          'q',
          'g',
          'd',
          'x',
          'f',
          '%',
          'y',
        ].slice(0, r.chance(3) ? 24 : 23),
      );
      // %q takes no flags anywhere; %c and %p differ in what they do with theirs.
      const flags =
        conversion === 'q' || conversion === '%'
          ? ''
          : r.some(0, 2, () => r.pick(['-', '+', ' ', '#', '0'])).join('');
      const width =
        conversion === 'q' || conversion === '%' || r.chance(50) ? '' : String(1 + r.int(20));
      const precision =
        conversion === 'q' || conversion === '%' || conversion === 'c' || r.chance(50)
          ? ''
          : `.${3 + r.int(r.chance(10) ? 60 : 18)}` /* LuaJIT rounds halves up where there is no fraction, C to even */;
      if (conversion !== '%') {
        if ('diuoxX'.includes(conversion))
          args.push(
            r.chance(80)
              ? r.pick([
                  '0',
                  '1',
                  '-1',
                  '42',
                  '255',
                  '-255',
                  '2^31',
                  '2^32',
                  '2^53',
                  '-2^53',
                  '1e15',
                  '3.7',
                  '-3.7',
                  '0.5',
                  'ln',
                  '"12"',
                ])
              : this.value('n'),
          );
        else if (conversion === 'c') args.push(r.pick(['65', '0', '97', '255', '10']));
        else if (conversion === 's')
          args.push(
            r.chance(20)
              ? r.pick(['o', 'p', 'lnil', 'un', 'us', 'true'])
              : this.noFunction(r.pick(['n', 's', 'b'] as Kind[])),
          );
        else if (conversion === 'q') args.push(this.value('s'));
        else args.push(this.value('n'));
      }
      return `%${flags}${width}${precision}${conversion}${text(r, 2).replace(/[%"\\\0-\x1f\x80-\xff]/g, '')}`;
    });
    if (r.chance(3)) args.pop();
    return `string.format("${parts.join('')}"${args.map((a) => `, ${a}`).join('')})`;
  }

  operation(): string {
    const { r } = this;
    const a = this.anything();
    const b = this.anything();
    const wrap = (x: string): string => (/^[\w.]+$/.test(x) && !/^\d/.test(x) ? x : `(${x})`);
    switch (r.int(14)) {
      case 0:
      case 1:
      case 2:
        return `${wrap(this.value(r.pick(['n', 'v', 'o'])))} ${r.pick(['+', '-', '*', '/', '%', '^'])} ${wrap(this.value(r.pick(['n', 'v', 'o', 'n'])))}`;
      case 3:
        return `${wrap(this.value('n'))} ${r.pick(['+', '-', '*', '/', '%', '^'])} ${wrap(this.value('n'))}`;
      case 4:
        return `${wrap(a)} .. ${wrap(b)}`;
      case 5:
        return `${wrap(a)} .. ${wrap(this.value('s'))} .. ${wrap(b)}`;
      case 6: {
        // Objects are compared with objects only: what LuaJIT does with others is Lua 5.1's, ours Lua 5.2's.
        if (r.chance(30))
          return `${r.pick(VARIABLES.o!)} ${r.pick(['<', '<=', '>', '>=', '==', '~='])} ${r.pick(VARIABLES.o!)}`;
        const k = r.pick(['n', 's', 't', 'b', 'f'] as Kind[]);
        const other = r.chance(75) ? k : r.pick(['n', 's', 't', 'b', 'f'] as Kind[]);
        return `${wrap(this.plain(k))} ${r.pick(['<', '<=', '>', '>=', '==', '~='])} ${wrap(this.plain(other))}`;
      }
      case 7:
        return `-${wrap(a)}`;
      case 8:
        return `#${wrap(r.chance(50) ? this.value('s') : r.pick(['ls', 'arr', 'gnil', 'lnil', 't.none', 'ln', 'lf', '{1, 2, 3}', 'q', 'unil', 'true']))}`;
      case 9:
        return `not ${wrap(a)}`;
      case 10:
        return `${wrap(a)}.${r.pick(['x', 'n', 'y', 'none', 'f'])}${r.chance(25) ? r.pick(['.z', '[1]', '()', ':m()']) : ''}`;
      case 11:
        return `${wrap(a)}[${b}]`;
      case 12:
        return `${wrap(a)}(${r.some(0, 2, () => this.anything()).join(', ')})`;
      default:
        return `${wrap(a)}:${r.pick(['m', 'len', 'none', 'f'])}(${r.some(0, 1, () => this.anything()).join(', ')})`;
    }
  }

  statement(): string {
    const { r } = this;
    const a = this.anything();
    switch (r.int(8)) {
      case 0:
        return `local x = ${a} x.f = 1 return x`;
      case 1:
        return `${r.pick(['lt', 'o', 'gnil', 'ut', 't.none', 't.n', 'lf', 'ls'])}.k${r.pick(['', '.j', '[1]'])} = ${a}`;
      case 2:
        return `local x = {} x[${a}] = ${this.anything()} return x`;
      case 3:
        return `local out = {} for i = ${this.value('n')}, ${this.value('n')}, ${this.value('n')} do out[#out + 1] = i if #out > 4 then break end end return out`;
      case 4:
        return `local out = {} for i = ${r.pick(SMALL)}, ${r.pick(SMALL)}${r.chance(50) ? `, ${r.pick(['1', '-1', '0.5', '2', '-0.25', '3'])}` : ''} do out[#out + 1] = i if #out > 40 then break end end return out`;
      case 5:
        return `for k, v in ${r.chance(50) ? a : this.call()} do return k, v end`;
      case 6:
        return `local a, b, c = ${r.some(1, 4, () => (r.chance(30) ? this.call() : this.anything())).join(', ')} return a, b, c`;
      default:
        return `local function f(...) return select("#", ...), ... end return f(${r.some(0, 3, () => (r.chance(40) ? this.call() : this.anything())).join(', ')})`;
    }
  }

  line(n: number): string {
    const { r } = this;
    const kind = r.int(10);
    if (kind < 4) return `T(${n}, function() return ${this.call()} end)\n`;
    if (kind < 7) return `T(${n}, function() return ${this.operation()} end)\n`;
    if (kind < 8) return `T(${n}, function() return (${this.call()}) end)\n`;
    return `T(${n}, function() ${this.statement()} end)\n`;
  }
}

/** Metamethods that are there or not, and what they do. */
function metatable(r: Random): string {
  const fields = [
    'add',
    'sub',
    'mul',
    'div',
    'mod',
    'pow',
    'unm',
    'concat',
    'eq',
    'lt',
    'le',
    'call',
    'index',
    'newindex',
    'tostring',
  ].filter(() => r.chance(55));
  const body = (name: string): string => {
    if (name === 'index' && r.chance(50))
      return r.pick([
        '{x = 1, y = "why", f = function(...) return list(...) end}',
        'setmetatable({x = 5}, {__index = {y = 6, m = function(self, ...) return "m", ... end}})',
        '"str"',
        '5',
      ]);
    if (name === 'newindex')
      return r.pick(['{}', 'rawset', 'function(t, k, v) rawset(t, "set", list(k, v)) end']);
    if (name === 'tostring')
      return r.pick(['function() return "<o>" end', 'function() return "s\\0s" end']);
    if (name === 'call' && r.chance(15)) return r.pick(['5', '{}']);
    return `function(...) return ${r.pick([`"${name}"`, `list(...)`, 'select("#", ...)', 'nil', 'false', 'true', '...', `error("in ${name}")`])} end`;
  };
  return `{${fields.map((f) => `__${f} = ${body(f)}`).join(', ')}}`;
}

export function expressionProgram(r: Random): string {
  const e = new Expressions(r);
  const n = (): string => r.pick(NUMBERS);
  let out = `${PRELUDE}local un, us, ut, unil, uo, uf = ${n()}, ${literal(r)}, {${n()}, x = 1}, nil
gn, gs, gt, gb, gf = ${n()}, ${literal(r)}, {1, 2, n = 3}, true, function(...) return ... end
local function gmatch(s, p) local out = {} for a, b in string.gmatch(s, p) do out[#out + 1] = list(a, b) if #out > 20 then break end end return out end
local function sorted(t) table.sort(t) return t end
local function moved(...) return table.move(...) end
local function pairs1(t) local n = 0 for k, v in pairs(t) do n = n + 1 end return n end
local M1 = ${metatable(r)}
local M2 = ${r.chance(30) ? 'M1' : metatable(r)}
-- Lua 5.1 compares only what has the same functions for it; we take the first, as Lua 5.2 does.
M2.__eq, M2.__lt, M2.__le = M1.__eq, M1.__lt, M1.__le
local o, p, q = setmetatable({n = 1}, M1), setmetatable({n = 2}, M1), setmetatable({}, M2)
names[o], names[p], names[q], names[M1], names[M2] = "o", "p", "q", "M1", "M2"
uo, go, uf = p, q, function(a, b) return a + b end
local function tests()
local ln, ln2, ls, lsn, lnil, lb = ${n()}, ${n()}, ${literal(r)}, "12"
local lt, arr, empty, lf = {x = 1, n = ${n()}}, {1, 2, 3, 4}, {}, function(...) return ... end
local lv = setmetatable({}, {__call = function(self, ...) return "lv", ... end})
local t = {n = 5, s = "str", t = {1, n = 2}, b = false, o = o, f = function(x) return x end}
local tt = {a = t}
`;
  const count = 12 + r.int(12);
  for (let i = 1; i <= count; i++) out += e.line(i);
  return `${out}end\ntests()\n`;
}
