/** Programs of BPF for people: one instruction a line, with calls by name. */
import type { Architecture } from './architectures.ts';
import { AND, type Instruction, JA, JEQ, JGE, JGT, JSET, LD_ABS, RET } from './bpf.ts';
import { ARCH, ARGUMENTS, actionOf, argHigh, argLow, NR } from './seccomp.ts';

const COMPARISONS: Readonly<Record<number, string>> = {
  [JEQ]: '==',
  [JGT]: '>',
  [JGE]: '>=',
  [JSET]: 'has a bit of',
};

function wordAt(at: number): string {
  if (at === NR) return 'call';
  if (at === ARCH) return 'architecture';
  for (let n = 0; n < ARGUMENTS; n++) {
    if (at === argLow(n)) return `argument ${n + 1}`;
    if (at === argHigh(n)) return `argument ${n + 1}, upper half`;
  }
  return `word at ${at}`;
}

const hex = (k: number): string => (k < 10 ? `${k}` : `0x${k.toString(16)}`);

/** What is loaded before each instruction, wherever it is come from; undefined: that differs. */
function loadedBefore(program: readonly Instruction[]): (number | undefined)[] {
  const NEVER = -1;
  const loaded: (number | undefined)[] = program.map(() => NEVER);
  const arrive = (at: number, word: number | undefined): void => {
    if (at < loaded.length)
      loaded[at] = loaded[at] === NEVER || loaded[at] === word ? word : undefined;
  };
  if (loaded.length > 0) loaded[0] = undefined;
  program.forEach(({ code, jt, jf, k }, at) => {
    if (code === LD_ABS) arrive(at + 1, k);
    else if (code === AND) arrive(at + 1, undefined);
    else if (code === JA) arrive(at + 1 + k, loaded[at]);
    else if (code in COMPARISONS) {
      arrive(at + 1 + jt, loaded[at]);
      arrive(at + 1 + jf, loaded[at]);
    }
  });
  return loaded;
}

function verdict(k: number, errorName: (errno: number) => string | undefined): string {
  const action = actionOf(k);
  if (action === undefined) return `return ${hex(k)}`;
  if (typeof action === 'string') return action;
  return `fail with ${errorName(action.errno) ?? action.errno}`;
}

/** @param errorName  of a number */
export function disassemble(
  program: readonly Instruction[],
  { names }: Architecture,
  errorName: (errno: number) => string | undefined,
): string {
  const loaded = loadedBefore(program);
  const width = String(program.length - 1).length;
  const lines = program.map(({ code, jt, jf, k }, at) => {
    const compares = COMPARISONS[code];
    if (compares !== undefined) {
      const name = loaded[at] === NR ? names.get(k) : undefined;
      const ways = [
        ...(jt === 0 ? [] : [` then ${at + 1 + jt}`]),
        ...(jf === 0 ? [] : [` else ${at + 1 + jf}`]),
      ];
      return `if ${compares} ${name === undefined ? hex(k) : `${k} (${name})`}${ways.join('')}`;
    }
    switch (code) {
      case LD_ABS:
        return `load ${wordAt(k)}`;
      case AND:
        return `and ${hex(k)}`;
      case JA:
        return `go to ${at + 1 + k}`;
      case RET:
        return verdict(k, errorName);
      default:
        return `code ${hex(code)}, ${jt}, ${jf}, ${hex(k)}`;
    }
  });
  return lines.map((line, at) => `${String(at).padStart(width)}  ${line}`).join('\n');
}
