/**
 * Filters of system calls: a list of rules becomes a program of BPF. Pure. seccomp(2)
 *
 * The first rule that fits a call says what becomes of it. A process of another architecture, or with another table of
 * calls (x32), is killed before anything else is asked.
 *
 * The program finds the number of the call by halves; neighbours with the same verdict are one. Then it
 * asks for the arguments, in the order of the rules. What depends on the number alone loads nothing but that, which the
 * kernel understands: it remembers such calls and doesn't run the program for them (since Linux 5.11).
 */
import type { Architecture } from './architectures.ts';
import {
  AND,
  BackwardsProgram,
  type Instruction,
  JA,
  JEQ,
  JGE,
  JGT,
  JSET,
  LD_ABS,
  type Place,
  RET,
} from './bpf.ts';

export type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';

/** Of an argument, as an unsigned number of 64 bits. */
export interface Condition {
  /** From 0 on. */
  readonly arg: number;
  /** Bits that count. */
  readonly mask: bigint;
  readonly compare: Comparison;
  /** It holds for one of these. More than one only with `eq`. */
  readonly values: readonly bigint[];
}

export type Action = 'allow' | 'log' | 'kill' | { readonly errno: number };

export interface Rule {
  readonly calls: readonly string[];
  /** All must hold; none: any arguments. */
  readonly when: readonly Condition[];
  readonly action: Action;
}

const KILL_PROCESS = 0x8000_0000;
const ERRNO = 0x0005_0000;
const LOG = 0x7ffc_0000;
const ALLOW = 0x7fff_0000;
export const MAX_ERRNO = 4095;
export const ARGUMENTS = 6;
export const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** struct seccomp_data; its words are those of little-endian machines. */
export const NR = 0;
export const ARCH = 4;
export const argLow = (n: number): number => 16 + 8 * n;
export const argHigh = (n: number): number => 20 + 8 * n;

const EPERM = 1;
export const DENY: Action = { errno: EPERM };

export const actionCode = (action: Action): number => {
  if (typeof action === 'object') return ERRNO | action.errno;
  return { allow: ALLOW, log: LOG, kill: KILL_PROCESS }[action];
};

/** @returns undefined: it is none of ours */
export function actionOf(code: number): Action | undefined {
  if (code === ALLOW) return 'allow';
  if (code === LOG) return 'log';
  if (code === KILL_PROCESS) return 'kill';
  return (code & 0xffff_0000) === ERRNO ? { errno: code & 0xffff } : undefined;
}

// ── conditions ─────────────────────────────────────────────────────────────────────────────────────

const lowWord = (v: bigint): number => Number(v & 0xffff_ffffn);
const highWord = (v: bigint): number => Number(v >> 32n);

class Compiler extends BackwardsProgram {
  /** One half of an argument, of which `mask` counts, is loaded and then `next` is asked. */
  private load(at: number, mask: number, next: Place): Place {
    return this.then(LD_ABS, at, mask === 0xffff_ffff ? next : this.then(AND, mask, next));
  }

  /** Both halves. @param low  what asks the lower one, if the upper one decides nothing */
  private halves(c: Condition, value: bigint, low: Place, more: Place, less: Place): Place {
    const mask = highWord(c.mask);
    if (mask === 0) return low; // nothing up there counts
    const equal = this.branch(JEQ, highWord(value), low, less);
    const high = more === less ? equal : this.branch(JGT, highWord(value), more, equal);
    return this.load(argHigh(c.arg), mask, high);
  }

  private isEqual(c: Condition, value: bigint, yes: Place, no: Place): Place {
    const mask = lowWord(c.mask);
    const word = lowWord(value);
    if (mask === 0) return this.halves(c, value, yes, no, no);
    // Only zeros: one instruction instead of two.
    const low =
      word === 0 && mask !== 0xffff_ffff
        ? this.then(LD_ABS, argLow(c.arg), this.branch(JSET, mask, no, yes))
        : this.load(argLow(c.arg), mask, this.branch(JEQ, word, yes, no));
    return this.halves(c, value, low, no, no);
  }

  private isAbove(c: Condition, value: bigint, code: number, yes: Place, no: Place): Place {
    const low = this.branch(code, lowWord(value), yes, no);
    return this.halves(c, value, this.load(argLow(c.arg), lowWord(c.mask), low), yes, no);
  }

  private condition(c: Condition, yes: Place, no: Place): Place {
    const [value] = c.values as [bigint];
    switch (c.compare) {
      case 'eq':
        return this.isOneOf(c, yes, no);
      case 'ne':
        return this.isEqual(c, value, no, yes);
      case 'gt':
        return this.isAbove(c, value, JGT, yes, no);
      case 'le':
        return this.isAbove(c, value, JGT, no, yes);
      case 'ge':
        return this.isAbove(c, value, JGE, yes, no);
      case 'lt':
        return this.isAbove(c, value, JGE, no, yes);
    }
  }

  /** Values with the same upper half share the question for it. */
  private isOneOf(c: Condition, yes: Place, no: Place): Place {
    const [value] = c.values as [bigint];
    if (c.values.length === 1) return this.isEqual(c, value, yes, no);
    const groups = Map.groupBy(c.values, highWord);
    let next = no;
    for (const [, values] of [...groups].toReversed()) {
      let low = no;
      for (const one of values.toReversed()) low = this.branch(JEQ, lowWord(one), yes, low);
      next = this.halves(c, values[0]!, this.load(argLow(c.arg), lowWord(c.mask), low), next, next);
    }
    return next;
  }

  /** What becomes of one call. @param otherwise  no rule fits */
  call(rules: readonly Rule[], otherwise: Action): Place {
    const end = rules.findIndex(({ when }) => when.length === 0);
    const last = end < 0 ? otherwise : rules[end]!.action;
    let next = this.ret(actionCode(last));
    for (const { when, action } of rules.slice(0, end < 0 ? undefined : end).toReversed()) {
      let yes = this.ret(actionCode(action));
      for (const c of when.toReversed()) yes = this.condition(c, yes, next);
      next = yes;
    }
    return next;
  }

  /** The number is loaded. @param spans  from which number on which place, in order; the first one from 0 */
  search(spans: readonly (readonly [from: number, place: Place])[]): Place {
    if (spans.length === 1) return spans[0]![1];
    const middle = spans.length >> 1;
    const above = this.search(spans.slice(middle));
    const below = this.search(spans.slice(0, middle));
    return this.branch(JGE, spans[middle]![0], above, below);
  }
}

// ── the whole ──────────────────────────────────────────────────────────────────────────────────────

/**
 * Calls that the architecture hasn't got are left out. The result may have more than MAX_INSTRUCTIONS.
 * @param rules  of calls that one of the architectures has
 */
export function compile(
  rules: readonly Rule[],
  otherwise: Action,
  { audit, calls, foreignFrom }: Architecture,
): Instruction[] {
  const byNumber = new Map<number, Rule[]>();
  for (const rule of rules) {
    for (const name of new Set(rule.calls)) {
      const number = calls.get(name);
      if (number === undefined) continue;
      const list = byNumber.get(number);
      if (list === undefined) byNumber.set(number, [rule]);
      else list.push(rule);
    }
  }
  const program = new Compiler();
  const kill = program.ret(actionCode('kill'));
  const other = program.ret(actionCode(otherwise));
  const spans: [from: number, place: Place][] = [[0, other]];
  const span = (from: number, place: Place): void => {
    const last = spans.at(-1)!;
    if (last[0] === from) spans.pop();
    if (spans.at(-1)?.[1] !== place) spans.push([from, place]);
  };
  for (const number of [...byNumber.keys()].sort((a, b) => a - b)) {
    span(number, program.call(byNumber.get(number)!, otherwise));
    span(number + 1, other);
  }
  if (foreignFrom !== undefined) span(foreignFrom, kill);
  const start = program.then(LD_ABS, NR, program.search(spans));
  return program.from(program.then(LD_ABS, ARCH, program.branch(JEQ, audit, start, kill)));
}

/** What a program says of a call, as the kernel runs it. @returns the value of its RET; undefined: it has none there */
export function run(
  program: readonly Instruction[],
  audit: number,
  number: number,
  args: readonly bigint[],
): number | undefined {
  const word = (at: number): number => {
    if (at === NR) return number >>> 0;
    if (at === ARCH) return audit >>> 0;
    const arg = BigInt.asUintN(64, args[(at - argLow(0)) >> 3] ?? 0n);
    return at % 8 === 0 ? lowWord(arg) : highWord(arg);
  };
  let a = 0;
  for (let at = 0; at < program.length; at++) {
    const { code, jt, jf, k } = program[at]!;
    const jump = (holds: boolean): void => {
      at += holds ? jt : jf;
    };
    if (code === LD_ABS) a = word(k);
    else if (code === AND) a = (a & k) >>> 0;
    else if (code === JEQ) jump(a === k);
    else if (code === JGT) jump(a > k);
    else if (code === JGE) jump(a >= k);
    else if (code === JSET) jump((a & k) !== 0);
    else if (code === JA) at += k;
    else return code === RET ? k : undefined;
  }
  return undefined;
}
