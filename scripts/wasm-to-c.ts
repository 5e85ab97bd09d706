/**
 * Translates a WebAssembly module to C: of version 1 what clang emits, with sign extension, saturating conversions
 * and bulk memory. Everything else is an error here, not at run time.
 *
 *   node scripts/wasm-to-c.ts MODULE.wasm NAME FOLDER   writes FOLDER/NAME.c and FOLDER/NAME.h
 *
 * A function of the module becomes a C function, flat, with a `goto` for each branch. The operand stack is one of
 * this program, not of the C: it holds expressions. What may trap, reads memory or has an effect is assigned to a
 * variable where it stands, so that order is kept; the rest is pure but for the locals that it reads, and is
 * assigned before one of those changes, and before a block begins. What the operators do says wasm.h.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  decode,
  type FunctionType,
  type Module,
  type Reader,
  type ValueType,
} from './wasm-decode.ts';

const C_TYPES = { i: 'uint32_t', j: 'uint64_t', f: 'float', d: 'double' } as const;

/** The longest expression that is not given a variable, in characters. */
const LONGEST = 200;

/** Operators by number: what they take and give, in letters of ValueType, and their C; `m` in front: they may trap. */
const OPERATORS = new Map<
  number,
  { takes: string; gives: ValueType; c: string; effect: boolean }
>();
function define(first: number, takes: string, gives: ValueType, texts: string): void {
  let number = first;
  for (const text of texts.trim().split(/\s*;\s*/)) {
    const effect = text.startsWith('!');
    OPERATORS.set(number++, { takes, gives, effect, c: effect ? text.slice(1) : text });
  }
}
const compare = (type: string, sign: string): string =>
  type === 'f'
    ? '$0 == $1; $0 != $1; $0 < $1; $0 > $1; $0 <= $1; $0 >= $1'
    : `$0 == $1; $0 != $1; ${['<', '>', '<=', '>=']
        .map((op) => `(${sign})$0 ${op} (${sign})$1; $0 ${op} $1`)
        .join('; ')}`;
const arithmetic = (t: string): string =>
  `${t}_clz($0); ${t}_ctz($0); ${t}_popcnt($0); $0 + $1; $0 - $1; $0 * $1; !${t}_div_s(m, $0, $1); !${t}_div_u(m, $0, $1); ` +
  `!${t}_rem_s(m, $0, $1); !${t}_rem_u(m, $0, $1); $0 & $1; $0 | $1; $0 ^ $1; ${t}_shl($0, $1); ${t}_shr_s($0, $1); ` +
  `${t}_shr_u($0, $1); ${t}_rotl($0, $1); ${t}_rotr($0, $1)`;
const floats = (t: string): string =>
  `${t}_abs($0); ${t}_neg($0); ${t}_ceil($0); ${t}_floor($0); ${t}_trunc($0); ${t}_nearest($0); ${t}_sqrt($0); ` +
  `$0 + $1; $0 - $1; $0 * $1; $0 / $1; ${t}_min($0, $1); ${t}_max($0, $1); ${t}_copysign($0, $1)`;

define(0x45, 'i', 'i', '$0 == 0');
define(0x46, 'ii', 'i', compare('i', 'int32_t'));
define(0x50, 'j', 'i', '$0 == 0');
define(0x51, 'jj', 'i', compare('j', 'int64_t'));
define(0x5b, 'ff', 'i', compare('f', ''));
define(0x61, 'dd', 'i', compare('f', ''));
for (const [first, type, name] of [
  [0x67, 'i', 'i32'],
  [0x79, 'j', 'i64'],
  [0x8b, 'f', 'f32'],
  [0x99, 'd', 'f64'],
] as const) {
  const texts = (type === 'i' || type === 'j' ? arithmetic(name) : floats(name)).split(';');
  texts.forEach((text, index) => {
    define(first + index, text.includes('$1') ? type + type : type, type, text);
  });
}
define(0xa7, 'j', 'i', '(uint32_t)$0');
define(0xa8, 'f', 'i', '!i32_trunc_s(m, $0); !i32_trunc_u(m, $0)');
define(0xaa, 'd', 'i', '!i32_trunc_s(m, $0); !i32_trunc_u(m, $0)');
define(0xac, 'i', 'j', '(uint64_t)(int64_t)(int32_t)$0; (uint64_t)$0');
define(0xae, 'f', 'j', '!i64_trunc_s(m, $0); !i64_trunc_u(m, $0)');
define(0xb0, 'd', 'j', '!i64_trunc_s(m, $0); !i64_trunc_u(m, $0)');
define(0xb2, 'i', 'f', '(float)(int32_t)$0; (float)$0');
define(0xb4, 'j', 'f', '(float)(int64_t)$0; (float)$0');
define(0xb6, 'd', 'f', '(float)$0');
define(0xb7, 'i', 'd', '(double)(int32_t)$0; (double)$0');
define(0xb9, 'j', 'd', '(double)(int64_t)$0; (double)$0');
define(0xbb, 'f', 'd', '(double)$0');
define(0xbc, 'f', 'i', 'i32_reinterpret_f32($0)');
define(0xbd, 'd', 'j', 'i64_reinterpret_f64($0)');
define(0xbe, 'i', 'f', 'f32_reinterpret_i32($0)');
define(0xbf, 'j', 'd', 'f64_reinterpret_i64($0)');
define(0xc0, 'i', 'i', '(uint32_t)(int8_t)$0; (uint32_t)(int16_t)$0');
define(0xc2, 'j', 'j', '(uint64_t)(int8_t)$0; (uint64_t)(int16_t)$0; (uint64_t)(int32_t)$0');
/** After 0xfc, from 0xfc00 on. */
define(0xfc00, 'f', 'i', 'i32_trunc_s_sat($0); i32_trunc_u_sat($0)');
define(0xfc02, 'd', 'i', 'i32_trunc_s_sat($0); i32_trunc_u_sat($0)');
define(0xfc04, 'f', 'j', 'i64_trunc_s_sat($0); i64_trunc_u_sat($0)');
define(0xfc06, 'd', 'j', 'i64_trunc_s_sat($0); i64_trunc_u_sat($0)');

/** From 0x28 on: name in wasm.h, type of the value. */
const LOADS: readonly (readonly [string, ValueType])[] = [
  ['i32_load', 'i'],
  ['i64_load', 'j'],
  ['f32_load', 'f'],
  ['f64_load', 'd'],
  ['i32_load8_s', 'i'],
  ['i32_load8_u', 'i'],
  ['i32_load16_s', 'i'],
  ['i32_load16_u', 'i'],
  ['i64_load8_s', 'j'],
  ['i64_load8_u', 'j'],
  ['i64_load16_s', 'j'],
  ['i64_load16_u', 'j'],
  ['i64_load32_s', 'j'],
  ['i64_load32_u', 'j'],
];
/** From 0x36 on. */
const STORES = [
  'i32_store',
  'i64_store',
  'f32_store',
  'f64_store',
  'i32_store8',
  'i32_store16',
  'i64_store8',
  'i64_store16',
  'i64_store32',
];
const FIELDS = { i: 'i32', j: 'i64', f: 'f32', d: 'f64' } as const;

/** What is on the operand stack. */
interface Operand {
  readonly c: string;
  readonly type: ValueType;
  /** The locals that it reads. */
  readonly locals: readonly number[];
}

interface Block {
  readonly kind: 'function' | 'block' | 'loop' | 'if';
  readonly label: string;
  /** The variable of its result, and what that is; undefined: it has none. */
  readonly result: Operand | undefined;
  /** Operands on the stack before it. */
  readonly height: number;
  /** Where an `if` without `else` goes; undefined: nothing does. */
  otherwise: string | undefined;
  used: boolean;
}

const WORDS = /[^A-Za-z0-9_]/g;

/**
 * @param name  what all C names that others see begin with
 * @returns text of the C file, which includes `wasm.h`; and of its header: exports as functions, and what the host has to
 *          give, as functions of the name `<name>_<module>_<field>`
 */
export function wasmToC(bytes: Uint8Array, name: string): { source: string; header: string } {
  const module = decode(bytes);
  const { memory } = module;
  if (module.globals.length > 16) throw new Error('more than 16 globals: WASM_GLOBALS in wasm.h');
  const head = (
    type: FunctionType,
    called: string,
    parameter = (i: number): string => `l${i}`,
  ): string =>
    `${type.gives ? C_TYPES[type.gives] : 'void'} ${called}(${['struct wasm *m', ...[...type.takes].map((t, i) => `${C_TYPES[t as ValueType]} ${parameter(i)}`)].join(', ')})`;
  const nameOf = (index: number): string => {
    const imported = module.imports[index];
    return imported ? `${name}_${imported.name.replace(WORDS, '_')}` : `f${index}`;
  };

  const prototypes = module.imports.map(
    ({ type, name: field }) =>
      `/* the host's */ ${head(type, `${name}_${field.replace(WORDS, '_')}`)};`,
  );
  const wrappers: string[] = [];
  for (const [field, index] of module.exports) {
    const type = module.typeOf(index);
    const prototype = head(type, `${name}_${field.replace(WORDS, '_')}`);
    const call = `${nameOf(index)}(${['m', ...[...type.takes].map((_, i) => `l${i}`)].join(', ')})`;
    prototypes.push(`${prototype};`);
    wrappers.push(`${prototype} { ${type.gives ? 'return ' : ''}${call}; }`);
  }
  const globals = module.exportedGlobals.map(
    ([field, index]) =>
      `#define ${name}_${field.replace(WORDS, '_')}(m) ((m)->globals[${index}].${FIELDS[module.globals[index]!.type]})`,
  );
  const header = [
    '/* Made by scripts/wasm-to-c.ts. */',
    '#include "wasm.h"',
    `enum { ${name}_memory_size = ${memory} };`,
    `/* m->memory is zeroed. */ void ${name}_instantiate(struct wasm *m);`,
    ...prototypes,
    ...globals,
    '',
  ].join('\n');

  const bodies = module.functions.map((_, i) => {
    const index = module.imports.length + i;
    return translateFunction(module, index, nameOf, head);
  });
  const source = [
    '/* Made by scripts/wasm-to-c.ts. */',
    `#define WASM_MEMORY ${memory}u`,
    `#include "${name}.h"`,
    ...module.functions.map((_, i) => {
      const index = module.imports.length + i;
      return `static ${head(module.typeOf(index), nameOf(index))};`;
    }),
    `static const struct wasm_function table[${module.table.length + 1}] = {`,
    ...[...module.table.entries()]
      .filter(([, index]) => index !== undefined)
      .map(
        ([at, index]) => `[${at}] = {${module.typeIndexOf(index!)}, (wasm_any)${nameOf(index!)}},`,
      ),
    '};',
    ...bodies,
    ...wrappers,
    ...module.data.map(
      ({ bytes: data }, i) => `static const uint8_t data${i}[] = {${data.join(',')}};`,
    ),
    `void ${name}_instantiate(struct wasm *m) {`,
    ...module.globals.map(({ type, start }, i) => `m->globals[${i}].${FIELDS[type]} = ${start.c};`),
    ...module.data.map(({ at, bytes: data }, i) =>
      data.length > 0
        ? `memcpy(wasm_at(m, ${at}u, 0, sizeof data${i}), data${i}, sizeof data${i});`
        : '',
    ),
    '(void)m; (void)table;',
    '}',
    '',
  ].join('\n');
  return { source, header };
}

function translateFunction(
  module: Module,
  index: number,
  nameOf: (index: number) => string,
  head: (type: FunctionType, called: string) => string,
): string {
  const type = module.typeOf(index);
  const { locals: more, code } = module.functions[index - module.imports.length]!;
  const localTypes = [...type.takes, ...more] as ValueType[];
  const out: string[] = [`static ${head(type, nameOf(index))} {`, 'wasm_enter(m);'];
  for (let i = type.takes.length; i < localTypes.length; i++) {
    out.push(`${C_TYPES[localTypes[i]!]} l${i} = 0;`);
  }
  let variables = 0;
  const newVariable = (of: ValueType): Operand => ({ c: `t${variables++}`, type: of, locals: [] });
  const stack: Operand[] = [];
  const pop = (): Operand => {
    const operand = stack.pop();
    if (!operand || stack.length < blocks.at(-1)!.height)
      throw new Error('the operand stack is empty');
    return operand;
  };
  const popAll = (count: number): Operand[] => {
    const taken: Operand[] = [];
    for (let i = 0; i < count; i++) taken.unshift(pop());
    return taken;
  };
  /** With a variable for what it is, now. */
  const settle = (operand: Operand): Operand => {
    const variable = newVariable(operand.type);
    out.push(`${C_TYPES[operand.type]} ${variable.c} = ${operand.c};`);
    return variable;
  };
  const isSettled = ({ c }: Operand): boolean => /^(?:t\d+|\d+u(?:ll)?)$/.test(c);
  const settleAll = (needed: (operand: Operand) => boolean): void => {
    stack.forEach((operand, i) => {
      if (!isSettled(operand) && needed(operand)) stack[i] = settle(operand);
    });
  };
  const push = (c: string, of: ValueType, from: readonly Operand[]): void => {
    const operand = { c, type: of, locals: [...new Set(from.flatMap(({ locals }) => locals))] };
    stack.push(c.length > LONGEST ? settle(operand) : operand);
  };

  let labels = 0;
  const blocks: Block[] = [];
  const open = (kind: Block['kind'], of: ValueType | undefined): Block => {
    settleAll(() => true);
    const result = of && newVariable(of);
    if (result && kind !== 'function') out.push(`${C_TYPES[result.type]} ${result.c};`);
    const block: Block = {
      kind,
      label: `L${labels++}`,
      result,
      height: stack.length,
      otherwise: undefined,
      used: false,
    };
    blocks.push(block);
    return block;
  };
  /** The C of a branch to the block `depth` blocks outwards; the operand that goes with it stays on the stack. */
  const branch = (depth: number): string => {
    const block = blocks.at(-1 - depth);
    if (!block) throw new Error('a branch to nowhere');
    const value = stack.at(-1);
    if (block.kind === 'function') return block.result ? `return ${value!.c};` : 'return;';
    block.used = true;
    const carry = block.kind !== 'loop' && block.result ? `${block.result.c} = ${value!.c}; ` : '';
    return `{ ${carry}goto ${block.label}; }`;
  };
  const fallOut = (block: Block): void => {
    if (block.result) out.push(`${block.result.c} = ${pop().c};`);
    if (stack.length !== block.height) throw new Error('operands are left at the end of a block');
  };

  open('function', type.gives);
  const reader: Reader = code;
  let reachable = true;
  /** Blocks that began where nothing comes to. */
  let dead = 0;
  while (blocks.length > 0) {
    const op = reader.op();
    if (!reachable) {
      if (op === 0x02 || op === 0x03 || op === 0x04) dead++;
      if (op === 0x0b && dead > 0) {
        dead--;
        continue;
      }
      if (dead > 0 || (op !== 0x0b && op !== 0x05)) {
        reader.skip(op);
        continue;
      }
    }
    const operator = OPERATORS.get(op);
    if (operator) {
      const taken = popAll(operator.takes.length);
      taken.forEach((operand, i) => {
        if (operand.type !== operator.takes[i]) throw new Error(`wrong types for operator ${op}`);
      });
      const c = `(${operator.c.replace(/\$(\d)/g, (_, i) => taken[Number(i)]!.c)})`;
      push(c, operator.gives, taken);
      if (operator.effect) stack.push(settle(pop()));
    } else if (op >= 0x28 && op <= 0x35) {
      const [name, of] = LOADS[op - 0x28]!;
      const offset = reader.memarg();
      stack.push(settle({ c: `${name}(m, ${pop().c}, ${offset}u)`, type: of, locals: [] }));
    } else if (op >= 0x36 && op <= 0x3e) {
      const offset = reader.memarg();
      const [at, value] = popAll(2);
      out.push(`${STORES[op - 0x36]}(m, ${at!.c}, ${offset}u, ${value!.c});`);
    } else {
      switch (op) {
        case 0x00: // unreachable
          out.push('wasm_trap(m, WASM_UNREACHABLE);');
          reachable = false;
          break;
        case 0x01: // nop
          break;
        case 0x02: // block
          open('block', reader.blockType());
          break;
        case 0x03: {
          const block = open('loop', reader.blockType());
          out.push(`${block.label}:;`);
          break;
        }
        case 0x04: {
          // if
          const of = reader.blockType();
          const condition = pop();
          const block = open('if', of);
          block.otherwise = `E${labels++}`;
          out.push(`if (!${condition.c}) goto ${block.otherwise};`);
          break;
        }
        case 0x05: {
          // else
          const block = blocks.at(-1)!;
          if (reachable) {
            fallOut(block);
            block.used = true;
            out.push(`goto ${block.label};`);
          }
          stack.length = block.height;
          out.push(`${block.otherwise}:;`);
          block.otherwise = undefined;
          reachable = true;
          break;
        }
        case 0x0b: {
          // end
          const block = blocks.pop()!;
          if (block.kind === 'function') {
            if (reachable) out.push(block.result ? `return ${stack.pop()!.c};` : 'return;');
            break;
          }
          blocks.push(block);
          if (reachable) fallOut(block);
          blocks.pop();
          stack.length = block.height;
          const continues: boolean = reachable || block.otherwise !== undefined;
          if (block.otherwise !== undefined) out.push(`${block.otherwise}:;`);
          if (block.used && block.kind !== 'loop') out.push(`${block.label}:;`);
          reachable = continues || (block.used && block.kind !== 'loop');
          if (reachable && block.result) stack.push(block.result);
          break;
        }
        case 0x0c: // br
          out.push(branch(reader.u32()));
          reachable = false;
          break;
        case 0x0d: {
          // br_if
          const condition = pop();
          out.push(`if (${condition.c}) ${branch(reader.u32())}`);
          break;
        }
        case 0x0e: {
          // br_table
          const targets = reader.vector(() => reader.u32());
          const last = reader.u32();
          const condition = pop();
          const cases = new Map<number, string>();
          targets.forEach((target, i) => {
            if (target !== last) cases.set(target, `${cases.get(target) ?? ''}case ${i}: `);
          });
          out.push(`switch (${condition.c}) {`);
          for (const [target, values] of cases) out.push(`${values}${branch(target)}`);
          out.push(`default: ${branch(last)}`, '}');
          reachable = false;
          break;
        }
        case 0x0f: // return
          out.push(branch(blocks.length - 1));
          reachable = false;
          break;
        case 0x10: {
          // call
          const callee = reader.u32();
          call(module.typeOf(callee), nameOf(callee));
          break;
        }
        case 0x11: {
          // call_indirect
          const typeIndex = reader.u32();
          if (reader.u32() !== 0) throw new Error('a second table');
          const of = module.types[typeIndex]!;
          const at = pop();
          const pointer = head(of, '(*)');
          call(
            of,
            `((${pointer})wasm_function(m, table, ${module.table.length}, ${at.c}, ${module.canonical(typeIndex)}))`,
          );
          break;
        }
        case 0x1a: // drop
          pop();
          break;
        case 0x1b: {
          // select
          const [a, b, condition] = popAll(3) as [Operand, Operand, Operand];
          push(`(${condition.c} ? ${a.c} : ${b.c})`, a.type, [a, b, condition]);
          break;
        }
        case 0x20: {
          // local.get
          const local = reader.u32();
          stack.push({ c: `l${local}`, type: localTypes[local]!, locals: [local] });
          break;
        }
        case 0x21: // local.set
        case 0x22: {
          // local.tee
          const local = reader.u32();
          const value = pop();
          settleAll(({ locals }) => locals.includes(local));
          out.push(`l${local} = ${value.c};`);
          if (op === 0x22) stack.push({ c: `l${local}`, type: value.type, locals: [local] });
          break;
        }
        case 0x23: {
          // global.get
          const global = reader.u32();
          const of = module.globals[global]!.type;
          stack.push(settle({ c: `m->globals[${global}].${FIELDS[of]}`, type: of, locals: [] }));
          break;
        }
        case 0x24: {
          // global.set
          const global = reader.u32();
          out.push(`m->globals[${global}].${FIELDS[module.globals[global]!.type]} = ${pop().c};`);
          break;
        }
        case 0x3f: // memory.size
          reader.u32();
          push('memory_size()', 'i', []);
          break;
        case 0x40: // memory.grow
          reader.u32();
          push(`memory_grow(${pop().c})`, 'i', []);
          break;
        case 0x41: // i32.const
        case 0x42: // i64.const
        case 0x43: // f32.const
        case 0x44: {
          // f64.const
          const { c, type: of } = reader.constant(op);
          push(c, of, []);
          break;
        }
        case 0xfc0a:
        case 0xfc0b: {
          reader.u32();
          if (op === 0xfc0a) reader.u32();
          const taken = popAll(3).map(({ c }) => c);
          out.push(`${op === 0xfc0a ? 'memory_copy' : 'memory_fill'}(m, ${taken.join(', ')});`);
          break;
        }
        default:
          throw new Error(`operator 0x${op.toString(16)} is not translated`);
      }
    }
  }
  out.push('}');
  return out.join('\n');

  function call(of: FunctionType, callee: string): void {
    const taken = popAll(of.takes.length).map(({ c }) => c);
    const c = `${callee}(${['m', ...taken].join(', ')})`;
    if (of.gives) stack.push(settle({ c, type: of.gives, locals: [] }));
    else out.push(`${c};`);
  }
}

if (import.meta.main) {
  const [file, name, folder] = process.argv.slice(2);
  if (!file || !name || !folder) throw new Error('usage: wasm-to-c.ts MODULE.wasm NAME FOLDER');
  writeModule(file, name, folder);
}

/** `folder`/`name`.c and .h from the module `file`. */
export function writeModule(file: string, name: string, folder: string): void {
  const { source, header } = wasmToC(readFileSync(file), name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.c`), source);
  writeFileSync(join(folder, `${name}.h`), header);
}
