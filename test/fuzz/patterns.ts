/** Texts, and patterns that match some of them. */
import type { Random } from './random.ts';

const quote = (text: string): string =>
  `"${[...text].map((c) => (c === '"' || c === '\\' ? `\\${c}` : c < ' ' || c > '~' ? `\\${String(c.charCodeAt(0)).padStart(3, '0')}` : c)).join('')}"`;

const LETTERS = [
  'a',
  'b',
  'c',
  'A',
  'Z',
  '1',
  '2',
  ' ',
  '.',
  '%',
  '-',
  '(',
  ')',
  '[',
  ']',
  '^',
  '$',
  '\0',
  '\n',
  '_',
  '\xe9',
  '\xff',
  'a',
  'b',
  'a',
];

export function text(r: Random, most = 12): string {
  const alphabet = r.chance(60) ? ['a', 'b', '1', ' '] : LETTERS;
  return r.some(0, most, () => r.pick(alphabet)).join('');
}

export const literal = (r: Random, most = 12): string => quote(text(r, most));

const CLASSES = 'acdlpsuwxzgACDLPSUWXZG'.split('');

function single(r: Random): string {
  switch (r.int(9)) {
    case 0:
    case 1:
    case 2:
      return r.pick(['a', 'b', '1', ' ', 'A', '_', '\0', '\xe9', '$', '^']);
    case 3:
      return '.';
    case 4:
    case 5:
      return `%${r.pick(CLASSES)}`;
    case 6:
      return `%${r.pick(['.', '%', '-', '(', ')', '[', ']', '^', '$', 'q', 'e', '\0'])}`;
    default:
      return set(r);
  }
}

function set(r: Random): string {
  const items = r.some(1, 3, () => {
    switch (r.int(7)) {
      case 0:
        return 'a-c';
      case 1:
        return `${r.pick(['0', '\0', ' ', 'b'])}-${r.pick(['9', 'z', '\xff', 'a'])}`;
      case 2:
        return `%${r.pick(CLASSES)}`;
      case 3:
        return r.pick(['-', '^', '%]', '%-', '.', '$', '%^', 'a-', '-a', '[', '%a-z', 'a-%%']);
      default:
        return r.pick(['a', 'b', '1', ' ', '_', '\0', '\xe9', '(']);
    }
  });
  return `[${r.chance(30) ? '^' : ''}${r.chance(5) ? ']' : ''}${items.join('')}]`;
}

/** Two-armed loops of quantifiers explode on long texts: texts are short. */
export function pattern(r: Random): string {
  let open = 0;
  let groups = 0;
  let out = r.chance(15) ? '^' : '';
  const n = r.int(5);
  for (let i = 0; i <= n; i++) {
    if (r.chance(20)) {
      groups++;
      if (r.chance(20)) out += '()';
      else {
        out += '(';
        open++;
      }
    }
    switch (r.int(14)) {
      case 0:
        out += `%b${r.pick(['()', 'ab', '[]', 'aa', '  '])}`;
        break;
      case 1:
        out += `%f${set(r)}`;
        break;
      case 2:
        if (groups > 0) out += `%${1 + r.int(groups + (r.chance(10) ? 1 : 0))}`;
        break;
      default:
        out += single(r) + (r.chance(45) ? r.pick(['*', '+', '-', '?']) : '');
    }
    if (open > 0 && r.chance(45)) {
      out += ')';
      open--;
    }
  }
  while (open > 0 && !r.chance(3)) {
    out += ')';
    open--;
  }
  if (r.chance(12)) out += '$';
  // What is malformed.
  if (r.chance(4))
    out += r.pick([
      '%',
      '[',
      '[a',
      '[^',
      ')',
      '(',
      '%b',
      '%ba',
      '%f',
      '%fa',
      '%9',
      '[%',
      '[]',
      '%0',
    ]);
  return out;
}

/** LuaJIT takes a NUL for the pattern's end: we don't. */
export const patternLiteral = (r: Random): string => quote(pattern(r).replaceAll('\0', '\x01'));

export function replacement(r: Random): string {
  switch (r.int(9)) {
    case 0:
      return '{a = "<A>", b = false, ["1"] = 7, [1] = "pos", [" "] = true}';
    case 1:
      return 'function(...) return list(...) end';
    case 2:
      return 'function(a, b) return b end';
    case 3:
      return r.pick([
        'function() end',
        'function() return {} end',
        'function(a) return a and #tostring(a) end',
        'function() error("in gsub") end',
        'function() return true end',
      ]);
    case 4:
      return r.pick([
        '12',
        '1.5',
        'nil',
        'true',
        '"%"',
        '"%2x"',
        '"%a"',
        '"%9"',
        '{}',
        'string.upper',
      ]);
    default:
      return quote(
        r
          .some(0, 4, () => r.pick(['x', '%0', '%1', '%%', '-', '$1', '$&', '\\', '\0', '%0%0']))
          .join(''),
      );
  }
}
