/**
 * `stream.scanner`: a text that comes in pieces, with settings that change between records, beside a model that has the
 * whole text and JavaScript's own functions.
 */
import { allowLinearEngine } from '../../../src/modules/regex.ts';
import { scanner } from '../../../src/modules/stream/scanner.ts';
import { endOfFile, isEndOfFile } from '../../../src/runtime/asio-error.ts';
import { ByteSpan, spanOfString } from '../../../src/runtime/byte-span.ts';
import { LuaError } from '../../../src/runtime/error.ts';
import { Regex } from '../../../src/runtime/regex.ts';
import { type LuaTable, rawGetString, rawSet, tableOf } from '../../../src/runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE } from '../../../src/runtime/value.ts';
import type { Random } from '../random.ts';
import { type Fuzzer, textOf } from './fuzzer.ts';

/** `/…` is a regular expression, in a dialect that is JavaScript's, too; `()`: a function. */
interface Settings {
  readonly recordSeparator?: string;
  readonly fieldSeparator?: string;
  readonly fieldPattern?: string;
  readonly trim?: string;
  readonly most?: number;
}

type Step =
  | { readonly kind: 'get_line' }
  | { readonly kind: 'remove_line' }
  | { readonly kind: 'set'; readonly settings: Settings }
  | {
      readonly kind: 'set_buffer';
      readonly text: string;
      readonly offset: number;
      readonly capacity: number;
    };

interface Scanning {
  readonly text: string;
  /** Lengths of the pieces; 0 is a read that is interrupted. */
  readonly reads: readonly number[];
  readonly hint: number;
  readonly settings: Settings;
  readonly steps: readonly Step[];
}

const RECORDS = [
  '\n',
  '\r\n',
  ',',
  'ab',
  'aab',
  'aa',
  '\n\n',
  'abab',
  '/\n\n+',
  '/[0-9]+',
  '/a|b',
  '/,;|,',
  '/;*',
  '/a*b',
  '/\\bab',
  '/(a)(b)',
];
const FIELDS = [
  ',',
  ' ',
  'ab',
  '::',
  '/[ \t]+',
  '/[ ,]',
  '/ *, *',
  '/[ \f\n\r\t\v]+',
  '/x*',
  '/a?b',
  '()',
];
const PATTERNS = ['/[a-z]+', '/[^, ]*', '/"[^"]*"|[^ ]+', '/.', '/b*?'];
const TRIMS = ['true', ' ', 'ab', ''];
const TEXTS = [
  'a',
  'b',
  'x',
  ' ',
  ',',
  ';',
  '\n',
  '\r\n',
  '\t',
  '1',
  '"',
  '::',
  'ab',
  'aab',
  '\0',
  '\xff',
  'word',
  '\n\n',
];

const settings = (random: Random): Settings => ({
  ...(random.chance(70) && { recordSeparator: random.pick(RECORDS) }),
  ...(random.chance(50) && { fieldSeparator: random.pick(FIELDS) }),
  ...(random.chance(25) && { fieldPattern: random.pick(PATTERNS) }),
  ...(random.chance(35) && { trim: random.pick(TRIMS) }),
  ...(random.chance(20) && { most: random.int(8) }),
});

function step(random: Random): Step {
  const kind = random.int(12);
  if (kind === 0) return { kind: 'remove_line' };
  if (kind === 1 || kind === 2) return { kind: 'set', settings: settings(random) };
  if (kind === 3) {
    const text = textOf(random, 6, TEXTS);
    return {
      kind: 'set_buffer',
      text,
      offset: 1 + random.int(text.length + 1),
      capacity: random.int(20),
    };
  }
  return { kind: 'get_line' };
}

// ── the model ──────────────────────────────────────────────────────────────────────────────────────

const WHITESPACE = ' \f\n\r\t\v';

/** The matches of a separator that are not empty. */
function matchesOf(separator: string, text: string): [number, number][] {
  const found: [number, number][] = [];
  if (!separator.startsWith('/')) {
    for (let at = text.indexOf(separator); at >= 0; ) {
      found.push([at, at + separator.length]);
      at = text.indexOf(separator, at + separator.length);
    }
    return found;
  }
  const source = separator.slice(1);
  const first = new RegExp(source, 'y');
  for (let at = 0; at < text.length; ) {
    first.lastIndex = at;
    const length = first.exec(text)?.[0].length;
    const end = length === 0 ? endOfSomething(source, text, at) : at + (length ?? 0);
    if (end > at) found.push([at, end]);
    at = Math.max(end, at + 1);
  }
  return found;
}

/** Where the pattern prefers nothing: the shortest match here that is something; of those made here it is the first one, too. */
function endOfSomething(source: string, text: string, at: number): number {
  for (let end = at + 1; end <= text.length; end++) {
    const whole = new RegExp(`^[^]{${at}}(?:${source})(?=[^]{${text.length - end}}$)`);
    if (whole.exec(text)?.[0].length === end) return end;
  }
  return at;
}

class Model {
  /** What the stream has still to give. */
  private coming: string;
  /** From the begin of the current record on. */
  private rest = '';
  private record = -1;
  private next = 0;
  private number = 0;
  private terminator = '-';
  settings: Settings;

  constructor(text: string, of: Settings) {
    this.coming = text;
    this.settings = of;
  }

  get buffered(): string {
    return this.rest;
  }

  /** @param fed  how much of the stream has been read, by the other side */
  take(fed: number): void {
    this.rest += this.coming.slice(0, fed);
    this.coming = this.coming.slice(fed);
  }

  private drop(): void {
    if (this.record < 0) return;
    this.rest = this.rest.slice(this.next);
    this.record = -1;
  }

  getLine(): string {
    const {
      recordSeparator = '\n',
      fieldSeparator,
      fieldPattern,
      trim,
      most = 65_536,
    } = this.settings;
    this.drop();
    const all = this.rest + this.coming;
    if (all === '') return 'End of file';
    const at = matchesOf(recordSeparator, all)[0] ?? [all.length, all.length];
    if (at[0] > most) return 'Message too long';
    this.record = at[0];
    this.next = at[1];
    this.terminator = all.slice(...at);
    this.number++;
    let line = all.slice(0, at[0]);
    if (trim !== undefined) {
      const set = trim === 'true' ? WHITESPACE : trim;
      while (line !== '' && set.includes(line[0]!)) line = line.slice(1);
      while (line !== '' && set.includes(line.at(-1)!)) line = line.slice(0, -1);
    }
    const told = ` ${this.number} ${JSON.stringify(this.terminator)}`;
    if (fieldSeparator === '()') return `f:${line}${told}`;
    if (fieldSeparator !== undefined) {
      const fields: string[] = [];
      let from = 0;
      for (const [a, b] of matchesOf(fieldSeparator, line)) {
        fields.push(line.slice(from, a));
        from = b;
      }
      if (line !== '') fields.push(line.slice(from));
      return JSON.stringify(fields) + told;
    }
    if (fieldPattern !== undefined) {
      return (
        JSON.stringify(matchesOf(fieldPattern, line).map((range) => line.slice(...range))) + told
      );
    }
    return JSON.stringify(line) + told;
  }

  removeLine(): void {
    this.drop();
  }

  setBuffer(text: string): void {
    this.rest = text;
    this.record = -1;
  }

  get line(): string {
    return this.record < 0 ? 'Invalid argument' : this.rest.slice(0, this.record);
  }
}

// ── ours ───────────────────────────────────────────────────────────────────────────────────────────

allowLinearEngine();
const made = scanner.make(undefined) as LuaTable;
const methods = rawGetString(rawGetString(made, 'mt') as LuaTable, '__index') as LuaTable;
const call = (name: string, ...args: LuaValue[]): LuaValue => {
  const r = (rawGetString(methods, name) as LuaFunction)(...args);
  return (Array.isArray(r) ? r[0] : r === NONE ? undefined : r) as LuaValue;
};

const regexes = new Map<string, Regex>();
function value(text: string | undefined): LuaValue {
  if (text === '()') return (record: LuaValue) => `f:${String(record)}`;
  if (text === undefined || !text.startsWith('/')) return text;
  let regex = regexes.get(text);
  if (regex === undefined) {
    // A record separator may have groups; they are no fields.
    const nosubs = !text.includes('(a)');
    regex = new Regex({
      pattern: text.slice(1),
      grammar: 'ecma',
      ignoreCase: false,
      nosubs,
      optimize: true,
      maxSteps: 1e6,
    });
    regexes.set(text, regex);
  }
  return regex;
}

function apply(t: LuaTable, of: Settings): void {
  rawSet(t, 'record_separator', value(of.recordSeparator));
  rawSet(t, 'field_separator', value(of.fieldSeparator));
  rawSet(t, 'field_pattern', value(of.fieldPattern));
  rawSet(t, 'trim_record', of.trim === 'true' ? true : of.trim);
  rawSet(t, 'max_record_size', of.most);
}

const INTERRUPTED = 'interrupted';

export const scanning: Fuzzer<Scanning> = {
  name: 'scanner',
  kept: ['kind', 'recordSeparator', 'fieldSeparator', 'fieldPattern', 'trim'],
  make: (random) => ({
    text: textOf(random, 40, TEXTS),
    reads: random.some(0, 20, () => random.int(9)),
    hint: random.pick([0, 1, 2, 5, 16, 4096]),
    settings: settings(random),
    steps: random.some(1, 15, () => step(random)),
  }),
  check(of) {
    const model = new Model(of.text, of.settings);
    let at = 0;
    let reads = 0;
    const stream = tableOf({
      read_some: (_: LuaValue, room: LuaValue) => {
        const wanted = of.reads[reads++] ?? of.text.length;
        if (wanted === 0) throw new LuaError(INTERRUPTED);
        if (at === of.text.length) throw endOfFile();
        const piece = of.text.slice(at, at + Math.min(wanted, (room as ByteSpan).length));
        const span = room as ByteSpan;
        for (let i = 0; i < piece.length; i++) span.bytes[span.offset + i] = piece.charCodeAt(i);
        at += piece.length;
        return piece.length;
      },
    });
    const t = (rawGetString(made, 'new') as LuaFunction)(
      tableOf({ stream, buffer_size_hint: of.hint }),
    ) as LuaTable;
    apply(t, of.settings);
    let fed = 0;
    for (const [i, one] of of.steps.entries()) {
      const where = `step ${i + 1}, ${JSON.stringify(one)}: `;
      switch (one.kind) {
        case 'set':
          model.settings = one.settings;
          apply(t, one.settings);
          break;
        case 'remove_line':
          call('remove_line', t);
          model.removeLine();
          if (rawGetString(t, 'record_terminator') !== undefined)
            return `${where}it has a terminator`;
          break;
        case 'set_buffer': {
          const span = spanOfString(one.text);
          const roomy = new ByteSpan(
            new Uint8Array(span.length + one.capacity + 1),
            1,
            span.length,
            span.length + one.capacity,
          );
          roomy.bytes.set(span.view(), 1);
          const offset = Math.min(Math.max(one.offset, 1), one.text.length + 1);
          call('set_buffer', t, roomy, offset);
          model.setBuffer(one.text.slice(offset - 1));
          break;
        }
        case 'get_line': {
          const got = line(t);
          if (got === INTERRUPTED) {
            model.take(at - fed);
            fed = at;
            model.removeLine();
            break;
          }
          const expected = model.getLine();
          if (got !== expected) return `${where}${got}, and not ${expected}`;
        }
      }
      model.take(at - fed);
      fed = at;
      const buffered = String(call('buffer', t));
      if (buffered !== model.buffered)
        return `${where}it has ${JSON.stringify(buffered)} in its buffer, and not ${JSON.stringify(model.buffered)}`;
      let current: string;
      try {
        current = String(call('buffered_line', t));
      } catch (thrown) {
        if (!(thrown instanceof LuaError)) throw thrown;
        current = 'Invalid argument';
      }
      if (current !== model.line)
        return `${where}the line is ${JSON.stringify(current)}, and not ${JSON.stringify(model.line)}`;
    }
    return undefined;
  },
};

/** One record, in words. */
function line(t: LuaTable): string {
  let r: LuaValue;
  try {
    r = call('get_line', t);
  } catch (thrown) {
    if (!(thrown instanceof LuaError)) throw thrown;
    if (isEndOfFile(thrown.value)) return 'End of file';
    if (thrown.value === INTERRUPTED) return INTERRUPTED;
    const code = rawGetString(thrown.value as LuaTable, 'code');
    return code === 90 ? 'Message too long' : `an error, ${String(code)}`;
  }
  const told = ` ${String(rawGetString(t, 'record_number'))} ${JSON.stringify(String(rawGetString(t, 'record_terminator')))}`;
  if (typeof r === 'string') return r + told;
  if (r instanceof ByteSpan) return JSON.stringify(String(r)) + told;
  return JSON.stringify((r as LuaTable).arr.slice(1).map(String)) + told;
}
