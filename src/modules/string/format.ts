/** `string.format`: the format is parsed once, into a list that is kept. Lua 5.1 manual §5.4. */
import { suspendIn } from '../../runtime/call.ts';
import { argError, checkInteger, checkNumber, checkString } from '../../runtime/check.ts';
import { luaError } from '../../runtime/error.ts';
import {
  fillings,
  formatByte,
  formatFloat,
  formatSigned,
  formatText,
  formatUnsigned,
  type Layout,
  smallHex,
} from '../../runtime/format.ts';
import { formatNumber } from '../../runtime/number.ts';
import { addressOf, plainString, tostring } from '../../runtime/ops.ts';
import { first, type LuaValue, type Result, SUSPEND } from '../../runtime/value.ts';

/** Text as it is, or what becomes of one argument. */
type Piece = string | Conversion;

interface Conversion {
  readonly letter: string;
  readonly layout: Layout;
  /** Nothing stands between `%` and the letter. */
  readonly isBare: boolean;
  /** What is asked first: numbers are compared faster than letters. */
  readonly kind: number;
  /** Set when it is none: raised when formatting comes here. */
  readonly mistake: string | undefined;
}

const CACHE_SIZE = 500;
const MAX_CACHED = 200;
/** Uses after which a format is worth a function of its own. */
const OFTEN = 30;

/** The text for these arguments; undefined where they are not of the usual types, or too few. */
type Formatter = (args: LuaValue[]) => string | undefined;

class Format {
  readonly pieces: Piece[];
  formatter: Formatter | undefined = undefined;
  uses = 0;
  constructor(text: string) {
    this.pieces = parse(text);
  }
}
const parsed = new Map<string, Format>();

export function format(template: LuaValue, ...args: LuaValue[]): Result {
  const text = checkString(template, 1, 'format');
  const known = parsed.get(text) ?? newFormat(text);
  if (known.formatter !== undefined) {
    const result = known.formatter(args);
    if (result !== undefined) return result;
  } else if (++known.uses === OFTEN) known.formatter = compileFormat(known.pieces);
  return fill(known.pieces, 0, args, 0, '');
}

function newFormat(text: string): Format {
  const known = new Format(text);
  if (text.length <= MAX_CACHED) {
    if (parsed.size >= CACHE_SIZE) parsed.clear();
    parsed.set(text, known);
  }
  return known;
}

/** A function that does for the usual arguments what `fill` does for any; it calls no Lua. */
function compileFormat(pieces: readonly Piece[]): Formatter | undefined {
  const names: string[] = [];
  const tests: string[] = [];
  const parts: string[] = [];
  const lists: string[] = [];
  let conversions = 0;
  for (const [i, piece] of pieces.entries()) {
    if (typeof piece === 'string') {
      parts.push(JSON.stringify(piece));
      continue;
    }
    if (piece.kind === MISTAKE || piece.letter === 'p') return undefined;
    const a = `a${conversions}`;
    names.push(`${a} = args[${conversions++}]`);
    const conversion = `pieces[${i}]`;
    const isText = piece.kind <= BARE_TEXT;
    tests.push(`typeof ${a} !== '${isText ? 'string' : 'number'}'`);
    switch (piece.kind) {
      case BARE_TEXT:
        parts.push(a);
        break;
      case TEXT:
        parts.push(
          piece.letter === 's' && piece.layout.precision === undefined
            ? filled(piece.layout, a, 'spaces')
            : `text(${conversion}, ${a})`,
        );
        break;
      case BARE_INTEGER:
        parts.push(`((${a} | 0) === ${a} ? ${a} : signed(${conversion}.layout, ${a}))`);
        break;
      case BARE_HEX:
        parts.push(
          `((${a} | 0) === ${a} && ${a} >= 0 ? hex(${a}) : unsigned(${conversion}.layout, ${a}, 'x'))`,
        );
        break;
      case FLOAT:
        parts.push(`float(${conversion}.layout, ${a}, '${piece.letter}')`);
        break;
      default: {
        const any = `number('${piece.letter}', ${conversion}.layout, ${a}, ${conversions + 1})`;
        const bytes = `bytes${conversions}`;
        lists.push(`${bytes} = textsOfBytes(${conversion})`);
        parts.push(
          `((${a} & 255) === ${a} ? (${bytes}[${a}] ??= ${any}) : ${natural(piece, a, any)})`,
        );
      }
    }
  }
  if (conversions === 0) return undefined;
  return new Function(
    'pieces',
    'text',
    'signed',
    'unsigned',
    'hex',
    'float',
    'number',
    'textsOfBytes',
    'fill',
    `const { spaces, zeros } = fill;
    ${lists.length > 0 ? `const ${lists.join(', ')};` : ''}
    return function formatter(args) {
      if (args.length < ${conversions}) return undefined;
      let t;
      const ${names.join(', ')};
      if (${tests.join(' || ')}) return undefined;
      return '' + ${parts.join(' + ')};
    }`,
  )(
    pieces,
    convertText,
    formatSigned,
    formatUnsigned,
    smallHex,
    formatFloat,
    convertNumber,
    textsOfBytes,
    fillings(),
  ) as Formatter;
}

/** The text `text`, and what is missing to the width: a list says how so many characters look. */
function filled({ width, left }: Layout, text: string, list: 'spaces' | 'zeros'): string {
  const missing = `${list}[${width} - t.length]`;
  return `((t = ${text}).length >= ${width} ? t : ${left ? `t + ${missing}` : `${missing} + t`})`;
}

/** `%5d %02x` of integers that are not negative; `any` for all other numbers, and for other letters. */
function natural({ letter, layout }: Conversion, a: string, any: string): string {
  const { plus, space, alternative, precision } = layout;
  const digits = letter === 'd' || letter === 'i' ? `'' + ${a}` : letter === 'x' ? `hex(${a})` : '';
  if (digits === '' || plus || space || alternative || precision !== undefined) return any;
  const list = layout.zero && !layout.left ? 'zeros' : 'spaces';
  return `(${a} | 0) === ${a} && ${a} >= 0 ? ${filled(layout, digits, list)} : ${any}`;
}

/** What conversions have made of the numbers below 256, by their letter and layout: `%02d` and `%02x` meet them most often. */
const bytesBy = new Map<string, LuaValue[]>();

function textsOfBytes({ letter, layout }: Conversion): LuaValue[] {
  const key = letter + JSON.stringify(layout);
  const known = bytesBy.get(key);
  if (known !== undefined) return known;
  if (bytesBy.size >= CACHE_SIZE) bytesBy.clear();
  const texts = Array.from({ length: 256 }, () => undefined);
  bytesBy.set(key, texts);
  return texts;
}

const MISTAKE = 0;
const TEXT = 1;
const BARE_TEXT = 2;
const BARE_INTEGER = 3;
const BARE_HEX = 4;
const FLOAT = 5;
const OTHER = 6;

function kindOf(letter: string, isBare: boolean, isKnown: boolean): number {
  if (!isKnown) return MISTAKE;
  if (letter === 's') return isBare ? BARE_TEXT : TEXT;
  if (letter === 'q') return TEXT;
  if (letter === 'd' && isBare) return BARE_INTEGER;
  if (letter === 'x' && isBare) return BARE_HEX;
  return 'eEfFgGaA'.includes(letter) ? FLOAT : OTHER;
}

/** Go on at piece `at` with argument `next`, after `text`. */
function fill(pieces: Piece[], at: number, args: LuaValue[], next: number, text: string): Result {
  for (; at < pieces.length; at++) {
    const piece = pieces[at]!;
    if (typeof piece === 'string') {
      text += piece;
      continue;
    }
    const { kind } = piece;
    if (kind === MISTAKE) throw luaError(piece.mistake!);
    if (next >= args.length) argError(next + 2, 'format', 'value expected');
    const v = args[next++];
    if (kind <= BARE_TEXT) {
      const string = typeof v === 'string' ? v : tostring(v);
      if (string === SUSPEND) {
        return suspendIn((r) =>
          fill(pieces, at + 1, args, next, text + convertText(piece, first(r))),
        );
      }
      text +=
        kind === BARE_TEXT && typeof string === 'string' ? string : convertText(piece, string);
    } else if (kind === BARE_INTEGER && Number.isSafeInteger(v)) text += v;
    else if (kind === BARE_HEX && ((v as number) | 0) === v && v >= 0) text += smallHex(v);
    else if (kind === FLOAT && typeof v === 'number')
      text += formatFloat(piece.layout, v, piece.letter);
    else if (piece.letter === 'p') text += formatPointer(v);
    else text += convertNumber(piece.letter, piece.layout, v, next + 1);
  }
  return text;
}

/** `%s %q` of what `tostring` gave. */
function convertText(piece: Conversion, v: LuaValue): string {
  const text = typeof v === 'string' ? v : typeof v === 'number' ? formatNumber(v) : asText(v);
  if (piece.letter === 'q') return quote(text);
  return piece.isBare ? text : formatText(piece.layout, text);
}

/** When `__tostring` returned no string: that value's own text. */
function asText(v: LuaValue): string {
  return v === undefined ? 'nil' : typeof v === 'boolean' ? String(v) : plainString(v);
}

function convertNumber(letter: string, layout: Layout, v: LuaValue, position: number): string {
  switch (letter) {
    case 'c':
      return formatByte(layout, checkInteger(v, position, 'format'));
    case 'd':
    case 'i':
      return formatSigned(layout, checkNumber(v, position, 'format'));
    case 'u':
    case 'o':
    case 'x':
    case 'X':
      return formatUnsigned(layout, checkNumber(v, position, 'format'), letter);
    default:
      return formatFloat(layout, checkNumber(v, position, 'format'), letter);
  }
}

/** `%p`, as LuaJIT: of values without identity it is NULL. */
function formatPointer(v: LuaValue): string {
  return typeof v === 'object' || typeof v === 'function' ? addressOf(v) : 'NULL';
}

/** `%q`: text that Lua reads back as the same string. */
function quote(text: string): string {
  let quoted = '"';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 31 && code !== 34 && code !== 92 && code !== 127) continue;
    quoted += text.slice(from, i) + escapeOf(code, text.charCodeAt(i + 1));
    from = i + 1;
  }
  return `${quoted}${text.slice(from)}"`;
}

function escapeOf(code: number, following: number): string {
  if (code === 10) return '\\\n';
  if (code > 31 && code < 127) return `\\${String.fromCharCode(code)}`;
  const isDigit = following >= 48 && following <= 57;
  return `\\${isDigit ? String(code).padStart(3, '0') : code}`;
}

// ── parsing ────────────────────────────────────────────────────────────────────────────────────────

/** Flags, at most two digits of width, at most two of precision, a letter. */
const CONVERSION = /%([-+ 0#]*)(\d{0,2})(?:\.(\d{0,2}))?/y;
const LETTERS = 'aAcdeEfFgGiopqsuxX';

function parse(text: string): Piece[] {
  const pieces: Piece[] = [];
  let literal = '';
  let p = 0;
  while (p < text.length) {
    const percent = text.indexOf('%', p);
    if (percent < 0 || text[percent + 1] === '%') {
      const end = percent < 0 ? text.length : percent + 1;
      literal += text.slice(p, end);
      p = percent < 0 ? end : end + 1;
      continue;
    }
    literal += text.slice(p, percent);
    if (literal !== '') pieces.push(literal);
    literal = '';
    CONVERSION.lastIndex = percent;
    const [all, flags, width, precision] = CONVERSION.exec(text)!;
    const end = percent + all.length;
    const letter = text[end] ?? '';
    const isKnown = letter !== '' && LETTERS.includes(letter);
    const shown = text.slice(percent, letter < ' ' ? end : end + 1);
    pieces.push({
      letter,
      layout: {
        left: flags!.includes('-'),
        plus: flags!.includes('+'),
        space: flags!.includes(' '),
        alternative: flags!.includes('#'),
        zero: flags!.includes('0'),
        width: Number(width),
        precision: precision === undefined ? undefined : Number(precision),
      },
      isBare: all === '%',
      kind: kindOf(letter, all === '%', isKnown),
      mistake: isKnown ? undefined : `invalid option '${shown}' to 'format'`,
    });
    p = end + 1;
  }
  if (literal !== '') pieces.push(literal);
  return pieces;
}
