/**
 * Classic BPF, as far as filters of system calls have it: seccomp(2), and Documentation/networking/filter.rst of the kernel.
 *
 * Jumps lead forwards only, and those that depend on something not further than 255 instructions. So a program is
 * made from its end to its beginning: where a jump leads is there already, and so is its distance. One that
 * is too far goes through an unconditional jump, which may be of any length. The same instruction with the same
 * ways on is made once, so that parts with the same end share it.
 */

export const LD_ABS = 0x20; // BPF_LD | BPF_W | BPF_ABS
export const JA = 0x05;
export const JEQ = 0x15;
export const JGT = 0x25;
export const JGE = 0x35;
export const JSET = 0x45;
export const AND = 0x54;
export const RET = 0x06;

/** struct sock_filter */
export interface Instruction {
  readonly code: number;
  /** How many instructions are left out if the condition holds, and if not. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

export const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS */
export const MAX_INSTRUCTIONS = 4096;
/** The longest jump of an instruction that compares. */
const FAR = 255;

/** A place in the program: how many instructions come behind it. */
export type Place = number;

export class BackwardsProgram {
  private readonly reversed: Instruction[] = [];
  private readonly known = new Map<string, Place>();

  /** Number of instructions. */
  get length(): number {
    return this.reversed.length;
  }

  /** Return `k`: what is to become of the call. */
  ret(k: number): Place {
    return this.once(`ret ${k}`, () => this.push({ code: RET, jt: 0, jf: 0, k }));
  }

  /** An instruction that isn't a jump, and goes on at `next`. */
  then(code: number, k: number, next: Place): Place {
    return this.once(`${code} ${k} ${next}`, () => {
      this.goOnAt(next);
      return this.push({ code, jt: 0, jf: 0, k });
    });
  }

  /** Compare with `k`, and go on at `yes` or `no`. */
  branch(code: number, k: number, yes: Place, no: Place): Place {
    if (yes === no) return yes;
    return this.once(`${code} ${k} ${yes} ${no}`, () => {
      // The way to `yes` may become longer by the jump that is made for `no`.
      const near = this.within(FAR - 1, yes);
      const other = this.within(FAR, no);
      return this.push({ code, jt: this.distance(near), jf: this.distance(other), k });
    });
  }

  /** In the order in which it runs, which begins at `start`. */
  from(start: Place): Instruction[] {
    this.goOnAt(start);
    return this.reversed.toReversed();
  }

  private once(key: string, make: () => Place): Place {
    let place = this.known.get(key);
    if (place === undefined) {
      place = make();
      this.known.set(key, place);
    }
    return place;
  }

  private push(instruction: Instruction): Place {
    return this.reversed.push(instruction) - 1;
  }

  /** From the instruction that is made next. */
  private distance(to: Place): number {
    return this.reversed.length - 1 - to;
  }

  private within(most: number, to: Place): Place {
    return this.distance(to) <= most ? to : this.jump(to);
  }

  /** What comes next in the program is what is at `next`. */
  private goOnAt(next: Place): void {
    if (this.distance(next) !== 0) this.jump(next);
  }

  private jump(to: Place): Place {
    return this.push({ code: JA, jt: 0, jf: 0, k: this.distance(to) });
  }
}

export function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * INSTRUCTION_BYTES, code, true);
    view.setUint8(i * INSTRUCTION_BYTES + 2, jt);
    view.setUint8(i * INSTRUCTION_BYTES + 3, jf);
    view.setUint32(i * INSTRUCTION_BYTES + 4, k, true);
  });
  return bytes;
}

/** @returns undefined: that is no whole number of instructions */
export function decode(bytes: Uint8Array): Instruction[] | undefined {
  if (bytes.length % INSTRUCTION_BYTES !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const program: Instruction[] = [];
  for (let at = 0; at < bytes.length; at += INSTRUCTION_BYTES) {
    program.push({
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    });
  }
  return program;
}
