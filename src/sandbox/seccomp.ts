/**
 * Filters of system calls as classic BPF: seccomp(2). Pure: a list of rules becomes bytes.
 *
 * A filter names what is allowed; all else fails with EPERM, which the program sees as any other error. A
 * process of another architecture, or with another table of calls (x32), is killed.
 */

/** A condition on an argument of a call, all of whose 64 bits count. */
export type Condition =
  | { readonly arg: number; readonly is: readonly number[] }
  /** No bits but these. */
  | { readonly arg: number; readonly within: number }
  /** All of these bits. */
  | { readonly arg: number; readonly has: number };

export interface Rule {
  readonly calls: readonly string[];
  /** All must hold; none: any arguments. */
  readonly when?: readonly Condition[];
  /** Instead of allowing it: fail with this. */
  readonly errno?: number;
}

export interface Architecture {
  /** AUDIT_ARCH_ */
  readonly audit: number;
  readonly calls: Readonly<Record<string, number>>;
  /** Numbers from here on are another table's. */
  readonly foreignFrom: number | undefined;
}

const LD_ABS = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JEQ = 0x15;
const JGE = 0x35;
const JSET = 0x45;
const AND = 0x54;
const RET = 0x06;

const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const ALLOW = 0x7fff0000;
const EPERM = 1;

/** struct seccomp_data */
const NR = 0;
const ARCH = 4;
const argLow = (n: number): number => 16 + 8 * n;
const argHigh = (n: number): number => 20 + 8 * n;

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const op = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, k, jt, jf });

/** Where a jump leads that is not made yet: to the end of the block. */
const OUT = -1;

/** Instructions that go on behind them if the condition holds, and to OUT if not. */
function testCondition(condition: Condition): Instruction[] {
  const high = [op(LD_ABS, argHigh(condition.arg)), op(JEQ, 0, 0, OUT)];
  const low = op(LD_ABS, argLow(condition.arg));
  if ('is' in condition) {
    const tests = condition.is.map((value, i) => {
      const left = condition.is.length - 1 - i;
      return op(JEQ, value >>> 0, left, left === 0 ? OUT : 0);
    });
    return [...high, low, ...tests];
  }
  if ('within' in condition) return [...high, low, op(JSET, ~condition.within >>> 0, OUT, 0)];
  return [...high, low, op(AND, condition.has >>> 0), op(JEQ, condition.has >>> 0, 0, OUT)];
}

/** One call with its arguments; what fails a condition goes on behind the block. */
function block(number: number, { when = [], errno }: Rule): Instruction[] {
  const verdict = op(RET, errno === undefined ? ALLOW : ERRNO | errno);
  const body = [...when.flatMap(testCondition), verdict];
  // A condition has loaded something else: what comes next compares the number again.
  const reload = when.length > 0 ? [op(LD_ABS, NR)] : [];
  const code = [op(JEQ, number, 0, OUT), ...body, ...reload];
  return code.map((one, at) => {
    // The number was another: it is still loaded. A condition failed: it must be loaded again.
    const end = at === 0 ? code.length : code.length - reload.length;
    const distance = end - at - 1;
    return {
      ...one,
      jt: one.jt === OUT ? distance : one.jt,
      jf: one.jf === OUT ? distance : one.jf,
    };
  });
}

/** @throws Error  a call that the architecture doesn't have is left out; one that is unknown is a bug */
export function assemble(rules: readonly Rule[], architecture: Architecture): Uint8Array {
  const { audit, calls, foreignFrom } = architecture;
  const program: Instruction[] = [
    op(LD_ABS, ARCH),
    op(JEQ, audit, 1, 0),
    op(RET, KILL_PROCESS),
    op(LD_ABS, NR),
  ];
  if (foreignFrom !== undefined) program.push(op(JGE, foreignFrom, 0, 1), op(RET, KILL_PROCESS));
  for (const rule of rules) {
    for (const name of rule.calls) {
      const number = calls[name];
      if (number === undefined) throw new Error(`no system call is called '${name}'`);
      if (number >= 0) program.push(...block(number, rule));
    }
  }
  program.push(op(RET, ERRNO | EPERM));
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    if (jt > 255 || jf > 255) throw new Error('a jump is too long');
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k >>> 0, true);
  });
  return bytes;
}

/** What a filter says, for a call: for tests. @returns 'allow', 'kill', or an errno */
export function judge(
  filter: Uint8Array,
  audit: number,
  number: number,
  args: readonly number[],
): 'allow' | 'kill' | number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(NR, number, true);
  data.setUint32(ARCH, audit, true);
  args.forEach((arg, i) => data.setBigUint64(argLow(i), BigInt.asUintN(64, BigInt(arg)), true));
  const view = new DataView(filter.buffer, filter.byteOffset, filter.length);
  let a = 0;
  for (let at = 0; ; ) {
    const code = view.getUint16(at * 8, true);
    const jt = view.getUint8(at * 8 + 2);
    const jf = view.getUint8(at * 8 + 3);
    const k = view.getUint32(at * 8 + 4, true);
    at++;
    if (code === LD_ABS) a = data.getUint32(k, true);
    else if (code === AND) a = (a & k) >>> 0;
    else if (code === JEQ) at += a === k ? jt : jf;
    else if (code === JGE) at += a >= k ? jt : jf;
    else if (code === JSET) at += (a & k) !== 0 ? jt : jf;
    else if (k === ALLOW) return 'allow';
    else return k === KILL_PROCESS ? 'kill' : k & 0xffff;
  }
}
