/**
 * Matches a regular expression in a number of steps that the text's length bounds.
 *
 * A pattern becomes a program for a machine that backtracks. Without back-references and look-aheads,
 * what can follow depends only on the instruction, the position, and which of the loops around it have matched
 * nothing yet in their round: such a round may not end. Those are always the innermost ones, so that their number says
 * which. What has failed once fails always and is never tried again: at most |program| × |loops within each
 * other| × |text| steps, over all positions where a search begins. With them that doesn't hold, and the number of
 * steps has a limit.
 *
 * ECMAScript's grammar takes the first match in the order of its alternatives. POSIX's take the longest:
 * the machine then goes on after a match, and keeps the longest that it finds.
 */
import {
  type ByteSet,
  canBeEmpty,
  type Grammar,
  type Node,
  RegexFault,
  wordBytes,
} from './regex-parse.ts';

const SET = 0; // a: index of the set
const SPLIT = 1; // a: try first, b: try then; memo: its number; inner: the mark of the innermost loop, or -1
const JUMP = 2; // a: to
const SAVE = 3; // a: slot
const BEGIN = 4;
const END = 5;
const WORD = 6; // a: 1 to be at the edge of a word, 0 not to be
const BACKREF = 7; // a: group
const LOOK = 8; // a: where to go on, b: 1 for negative; the body follows, up to MATCH
const MATCH = 9;
const CLEAR = 10; // a: first slot, b: behind the last
const MARK = 11; // a: slot, for
const PROGRESS = 12; // a: slot: something was matched since

const MAX_PROGRAM = 50_000;
/** What may be remembered of one position. */
const MAX_SPLITS = 4 * MAX_PROGRAM;

export interface Program {
  readonly ops: Uint8Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  /** Of each SPLIT, its first number; it has one more for each loop in `inner` and around that. */
  readonly memo: Int32Array;
  readonly splits: number;
  /** Of each SPLIT, the mark of the innermost loop around it whose rounds may match nothing; -1 */
  readonly inner: Int32Array;
  /** Of each mark, the next one outwards; -1 */
  readonly outer: Int32Array;
  readonly sets: readonly ByteSet[];
  readonly groups: number;
  /** Two a group, group 0 included; then the marks of loops. */
  readonly slots: number;
  readonly longest: boolean;
  /** Back-references or look-aheads: what has failed may succeed another time. */
  readonly irregular: boolean;
  readonly ignoreCase: boolean;
  /** Bytes that a match can begin with; undefined: it may be empty, or depends on what is before. */
  readonly first: ByteSet | undefined;
}

export function compileRegex(
  root: Node,
  groups: number,
  grammar: Grammar,
  ignoreCase: boolean,
): Program {
  const ops: number[] = [];
  const a: number[] = [];
  const b: number[] = [];
  const sets: ByteSet[] = [];
  let slots = 2 * (groups + 1);
  let irregular = false;
  /** Marks of the loops around what is being generated. */
  const loops: number[] = [];
  const innerOf: number[] = [];
  const depthOf: number[] = [];
  const outer: number[] = new Array<number>(slots).fill(-1);

  const put = (op: number, x = 0, y = 0): number => {
    if (ops.length >= MAX_PROGRAM) throw new RegexFault('space', -1);
    ops.push(op);
    a.push(x);
    b.push(y);
    innerOf.push(loops.at(-1) ?? -1);
    depthOf.push(loops.length);
    return ops.length - 1;
  };
  const patch = (at: number, x: number): void => {
    a[at] = x;
  };

  function gen(node: Node): void {
    switch (node.kind) {
      case 'set':
        put(SET, sets.length);
        sets.push(node.set);
        break;
      case 'seq':
        node.items.forEach(gen);
        break;
      case 'alt': {
        const ends: number[] = [];
        node.options.forEach((option, i) => {
          if (i === node.options.length - 1) return gen(option);
          const split = put(SPLIT);
          patch(split, split + 1);
          gen(option);
          ends.push(put(JUMP));
          b[split] = ops.length;
        });
        for (const end of ends) patch(end, ops.length);
        break;
      }
      case 'group':
        if (node.index > 0) put(SAVE, 2 * node.index);
        gen(node.body);
        if (node.index > 0) put(SAVE, 2 * node.index + 1);
        break;
      case 'repeat':
        repeat(node);
        break;
      case 'backref':
        irregular = true;
        put(BACKREF, node.index);
        break;
      case 'look': {
        irregular = true;
        const look = put(LOOK, 0, node.negative ? 1 : 0);
        gen(node.body);
        put(MATCH);
        patch(look, ops.length);
        break;
      }
      case 'begin':
        put(BEGIN);
        break;
      case 'end':
        put(END);
        break;
      case 'word':
      case 'not-word':
        put(WORD, node.kind === 'word' ? 1 : 0);
        break;
    }
  }

  function repeat(node: Extract<Node, { kind: 'repeat' }>): void {
    const { body, min, max, greedy, groups: inside } = node;
    const once = (): void => {
      // Each round of a loop forgets what groups in it had before (ECMA-262, RepeatMatcher).
      if (inside[1] >= inside[0]) put(CLEAR, 2 * inside[0], 2 * inside[1] + 2);
      gen(body);
    };
    /** A round that must match something, as ECMA-262 has it; most can't do otherwise. */
    const round = (): void => {
      if (!canBeEmpty(body)) return once();
      const slot = slots++;
      outer.push(loops.at(-1) ?? -1);
      put(MARK, slot);
      loops.push(slot);
      once();
      loops.pop();
      put(PROGRESS, slot);
    };
    const split = (): number => put(SPLIT);
    const aim = (at: number, into: number, past: number): void => {
      a[at] = greedy ? into : past;
      b[at] = greedy ? past : into;
    };
    for (let i = 0; i < min; i++) once();
    if (max === Number.POSITIVE_INFINITY) {
      const head = split();
      round();
      put(JUMP, head);
      aim(head, head + 1, ops.length);
      return;
    }
    const heads: number[] = [];
    for (let i = min; i < max; i++) {
      heads.push(split());
      round();
    }
    for (const head of heads) aim(head, head + 1, ops.length);
  }

  put(SAVE, 0);
  gen(root);
  put(SAVE, 1);
  put(MATCH);
  let splits = 0;
  const memo = Int32Array.from(ops, (op, i) => {
    const number = splits;
    if (op === SPLIT) splits += 1 + depthOf[i]!;
    return number;
  });
  if (splits > MAX_SPLITS) throw new RegexFault('space', -1);
  return {
    ops: Uint8Array.from(ops),
    a: Int32Array.from(a),
    b: Int32Array.from(b),
    memo,
    splits,
    inner: Int32Array.from(innerOf),
    outer: Int32Array.from(outer),
    sets,
    groups,
    slots,
    longest: grammar !== 'ecma',
    irregular,
    ignoreCase,
    first: firstBytes(ops, a, b, sets),
  };
}

/** Follow the program up to the bytes that it asks for first. */
function firstBytes(
  ops: readonly number[],
  a: readonly number[],
  b: readonly number[],
  sets: readonly ByteSet[],
): ByteSet | undefined {
  const set = new Uint8Array(256);
  const seen = new Set<number>();
  const todo = [0];
  for (let pc = todo.pop(); pc !== undefined; pc = todo.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    switch (ops[pc]) {
      case SET:
        sets[a[pc]!]!.forEach((flag, byte) => {
          if (flag === 1) set[byte] = 1;
        });
        break;
      case SPLIT:
        todo.push(a[pc]!, b[pc]!);
        break;
      case JUMP:
        todo.push(a[pc]!);
        break;
      case SAVE:
      case CLEAR:
      case MARK:
      case WORD:
        todo.push(pc + 1);
        break;
      case PROGRESS:
        // Nothing was read since MARK: this way leads nowhere.
        break;
      default:
        return undefined;
    }
  }
  return set;
}

export interface MatchOptions {
  /** The match must begin at `from`. */
  readonly anchored?: boolean;
  /** … and end at `end`. */
  readonly whole?: boolean;
  readonly notBol?: boolean;
  readonly notEol?: boolean;
  readonly notBow?: boolean;
  readonly notEow?: boolean;
  readonly notNull?: boolean;
  /** The match must end here: where another engine found that it does. */
  readonly stop?: number;
}

const PLAIN: MatchOptions = {};

/** Steps that an irregular pattern may take, unless the program says otherwise. */
export const DEFAULT_STEPS = 10_000_000;
/** Positions in one row of the table of what was tried: one bit each, of one word for each SPLIT. */
const ROW_BITS = 5;
/** Rows that are kept for the next search. */
const MAX_SPARE = 64;

const foldByte = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

export class RegexMachine {
  readonly program: Program;
  readonly maxSteps: number;
  /** After a match: where each group begins and ends; -1 where it took no part. */
  readonly slots: Int32Array;
  /**
   * Of the last search: the first place where what is after the end of the text decides about a match; -1
   * if more text would change nothing.
   */
  undecided = -1;

  private touchedEnd = false;

  private bytes: Uint8Array = new Uint8Array(0);
  private origin = 0;
  /** Where the search began. */
  private base = 0;
  private end = 0;
  private options: MatchOptions = PLAIN;
  private steps = 0;
  private readonly best: Int32Array;
  private stack = new Int32Array(256);
  /** Which SPLITs were at which positions: rows, counted from where the search began. */
  private rows: (Uint32Array | undefined)[] = [];
  /** Those below can be reached no more: a search goes forward. */
  private lowRow = 0;
  private readonly spare: Uint32Array[] = [];

  constructor(program: Program, maxSteps = DEFAULT_STEPS) {
    this.program = program;
    this.maxSteps = maxSteps;
    this.slots = new Int32Array(program.slots);
    this.best = new Int32Array(program.slots);
  }

  /**
   * The first place in [from, end] where there is a match; its groups are in `slots`.
   * @param origin  where the text begins: what is before `from` counts for ^ and \b
   * @returns where it begins; -1
   * @throws RegexFault  complexity, of irregular patterns
   */
  search(
    bytes: Uint8Array,
    from: number,
    end: number,
    origin: number = from,
    options: MatchOptions = PLAIN,
  ): number {
    this.bytes = bytes;
    this.origin = origin;
    this.base = from;
    this.end = end;
    this.options = options;
    this.steps = this.maxSteps;
    this.undecided = -1;
    const found = this.scan(bytes, from, end, options, this.program.first);
    this.forget(this.rows.length);
    this.rows.length = 0;
    this.lowRow = 0;
    return found;
  }

  private scan(
    bytes: Uint8Array,
    from: number,
    end: number,
    options: MatchOptions,
    first: ByteSet | undefined,
  ): number {
    const { program } = this;
    for (let at = from; at <= end; at++) {
      if (first !== undefined) {
        while (at < end && first[bytes[at]!] === 0) {
          if (options.anchored) return -1;
          at++;
        }
        if (at === end) break;
      }
      this.forget((at - from) >>> ROW_BITS);
      this.slots.fill(-1);
      this.touchedEnd = false;
      const matches = this.explore(0, at, program.longest, !program.irregular, true);
      if (this.touchedEnd && this.undecided < 0) this.undecided = at;
      if (matches) return at;
      if (options.anchored) return -1;
    }
    return -1;
  }

  /**
   * Go through the program from `pc` on.
   * @param top  it is the pattern itself, and not the body of a look-ahead
   */
  private explore(pc: number, pos: number, longest: boolean, memo: boolean, top: boolean): boolean {
    const { ops, a, b, sets } = this.program;
    const { bytes, end, slots, best } = this;
    let found = -1;
    const floor = this.depth;
    this.pushChoice(pc, pos);
    outer: while (this.depth > floor) {
      // The newest choice, or a slot to be put back.
      const x = this.stack[--this.depth]!;
      const y = this.stack[--this.depth]!;
      if (x < 0) {
        slots[-x - 1] = y;
        continue;
      }
      pc = x;
      pos = y;
      for (;;) {
        if (!memo && --this.steps < 0) throw new RegexFault('complexity', -1);
        switch (ops[pc]) {
          case SET:
            if (pos >= end) {
              this.touchedEnd = true;
              continue outer;
            }
            if (sets[a[pc]!]![bytes[pos]!] === 0) continue outer;
            pos++;
            pc++;
            continue;
          case SPLIT: {
            // Loops and alternatives all go through here: it is enough to remember these.
            if (memo && this.seen(pc, pos)) continue outer;
            this.pushChoice(b[pc]!, pos);
            pc = a[pc]!;
            continue;
          }
          case JUMP:
            pc = a[pc]!;
            continue;
          case SAVE:
          case MARK:
            this.pushSlot(a[pc]!, slots[a[pc]!]!);
            slots[a[pc]!] = pos;
            pc++;
            continue;
          case CLEAR:
            for (let i = a[pc]!; i < b[pc]!; i++) {
              if (slots[i] === -1) continue;
              this.pushSlot(i, slots[i]!);
              slots[i] = -1;
            }
            pc++;
            continue;
          case PROGRESS:
            if (slots[a[pc]!] === pos) continue outer;
            pc++;
            continue;
          case BEGIN:
            if (pos !== this.origin || this.options.notBol) continue outer;
            pc++;
            continue;
          case END:
            this.touchedEnd ||= pos === end;
            if (pos !== end || this.options.notEol) continue outer;
            pc++;
            continue;
          case WORD:
            if (this.atEdge(pos) !== (a[pc] === 1)) continue outer;
            pc++;
            continue;
          case BACKREF: {
            const next = this.repeatOf(a[pc]!, pos);
            if (next < 0) continue outer;
            pos = next;
            pc++;
            continue;
          }
          case LOOK: {
            const ok = this.look(pc, pos);
            if (ok === (b[pc] === 1)) continue outer;
            pc = a[pc]!;
            continue;
          }
          default: {
            // MATCH
            if (top) {
              if (this.options.whole && pos !== end) continue outer;
              if (this.options.stop !== undefined && pos !== this.options.stop) continue outer;
              if (this.options.notNull && pos === slots[0]) continue outer;
            }
            if (!longest || !top) {
              this.depth = floor;
              return true;
            }
            if (pos > found) {
              found = pos;
              best.set(slots);
            }
            if (pos === end) {
              this.touchedEnd = true;
              this.depth = floor;
              slots.set(best);
              return true;
            }
            continue outer;
          }
        }
      }
    }
    if (found < 0) return false;
    slots.set(best);
    return true;
  }

  /** A look-ahead: groups that a positive one sets stay set, and are put back with the choices before it. */
  private look(pc: number, pos: number): boolean {
    const { slots } = this;
    const before = Int32Array.from(slots);
    const ok = this.explore(pc + 1, pos, false, false, false);
    if (!ok || this.program.b[pc] === 1) {
      slots.set(before);
      return ok;
    }
    for (let i = 0; i < slots.length; i++) {
      if (slots[i] !== before[i]) this.pushSlot(i, before[i]!);
    }
    return true;
  }

  private repeatOf(group: number, pos: number): number {
    const { slots, bytes, end } = this;
    const from = slots[2 * group]!;
    const to = slots[2 * group + 1]!;
    // A group that took no part: ECMAScript matches nothing there, POSIX fails.
    if (from < 0 || to < 0) return this.program.longest ? -1 : pos;
    const length = to - from;
    this.steps -= length;
    for (let i = 0; i < length; i++) {
      if (pos + i >= end) {
        this.touchedEnd = true;
        return -1;
      }
      const x = bytes[from + i]!;
      const y = bytes[pos + i]!;
      if (x !== y && !(this.program.ignoreCase && foldByte(x) === foldByte(y))) return -1;
    }
    return pos + length;
  }

  private atEdge(pos: number): boolean {
    const { bytes, origin, end, options } = this;
    if (pos === end) this.touchedEnd = true;
    if (pos === origin && options.notBow) return false;
    if (pos === end && options.notEow) return false;
    const before = pos > origin && wordBytes[bytes[pos - 1]!] === 1;
    const after = pos < end && wordBytes[bytes[pos]!] === 1;
    return before !== after;
  }

  // ── choices, and slots to put back: pairs on one stack ──

  private depth = 0;

  private pushChoice(pc: number, pos: number): void {
    if (this.depth + 2 > this.stack.length) this.grow();
    this.stack[this.depth++] = pos;
    this.stack[this.depth++] = pc;
  }

  private pushSlot(slot: number, value: number): void {
    if (this.depth + 2 > this.stack.length) this.grow();
    this.stack[this.depth++] = value;
    this.stack[this.depth++] = -slot - 1;
  }

  private grow(): void {
    if (this.stack.length >= 2 ** 26) throw new RegexFault('stack', -1);
    const larger = new Int32Array(2 * this.stack.length);
    larger.set(this.stack);
    this.stack = larger;
  }

  /** Was this SPLIT here before? From now on it was. */
  private seen(pc: number, pos: number): boolean {
    const { rows, program } = this;
    const offset = pos - this.base;
    const at = offset >>> ROW_BITS;
    while (rows.length <= at) rows.push(undefined);
    let row = rows[at];
    if (row === undefined) {
      row = this.spare.pop() ?? new Uint32Array(program.splits);
      rows[at] = row;
    }
    let word = program.memo[pc]!;
    for (let m = program.inner[pc]!; m >= 0 && this.slots[m] === pos; m = program.outer[m]!) word++;
    const mask = 1 << (offset & ((1 << ROW_BITS) - 1));
    if ((row[word]! & mask) !== 0) return true;
    row[word]! |= mask;
    return false;
  }

  private forget(below: number): void {
    const { rows, spare } = this;
    const limit = Math.min(below, rows.length);
    for (; this.lowRow < limit; this.lowRow++) {
      const row = rows[this.lowRow];
      if (row === undefined) continue;
      rows[this.lowRow] = undefined;
      if (spare.length < MAX_SPARE) spare.push(row.fill(0));
    }
  }
}
