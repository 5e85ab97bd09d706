/**
 * Filters of system calls, as Lua holds them: rules that become a program when it is wanted. The class is here, and
 * not in its module, since `system` and `spawn_vm` take such objects.
 */
import { ByteSpan } from '../runtime/byte-span.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import type { Architecture } from '../sandbox/architectures.ts';
import { encode, INSTRUCTION_BYTES, type Instruction, MAX_INSTRUCTIONS } from '../sandbox/bpf.ts';
import { type Action, compile, type Rule } from '../sandbox/seccomp.ts';

export class SeccompFilter extends Userdata {
  /** What becomes of calls that no rule fits. */
  readonly otherwise: Action;
  readonly architecture: Architecture;
  private readonly list: Rule[];
  private compiled: Instruction[] | undefined = undefined;

  constructor(otherwise: Action, architecture: Architecture, rules: readonly Rule[] = []) {
    super();
    this.otherwise = otherwise;
    this.architecture = architecture;
    this.list = [...rules];
  }

  get rules(): readonly Rule[] {
    return this.list;
  }

  add(...rules: Rule[]): void {
    this.list.push(...rules);
    this.compiled = undefined;
  }

  /** @throws LuaError  E2BIG: more instructions than the kernel takes */
  get program(): readonly Instruction[] {
    this.compiled ??= compile(this.list, this.otherwise, this.architecture);
    if (this.compiled.length > MAX_INSTRUCTIONS) throw codeError('E2BIG');
    return this.compiled;
  }

  get bytes(): Uint8Array {
    return encode(this.program);
  }
}

/** The program of a filter, or of a `byte_span` that is one already. @throws LuaError  EINVAL{arg}, E2BIG */
export function filterBytes(v: LuaValue, arg: number | string): Uint8Array {
  if (v instanceof SeccompFilter) return v.bytes;
  if (!(v instanceof ByteSpan) || v.length === 0 || v.length % INSTRUCTION_BYTES !== 0)
    throw badArgument(arg);
  if (v.length > MAX_INSTRUCTIONS * INSTRUCTION_BYTES) throw codeError('E2BIG');
  return v.view();
}
