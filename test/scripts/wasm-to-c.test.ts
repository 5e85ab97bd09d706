/** wasm-to-c.ts: what it makes of a module computes what V8 computes, and traps where V8 does. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { wasmToC } from '../../scripts/wasm-to-c.ts';
import { compile, ifSupported, noCompiler } from '../support/cc.ts';

const folder = mkdtempSync(join(tmpdir(), 'perilune-wasm-'));
after(() => rmSync(folder, { recursive: true }));

type Type = 'i' | 'j' | 'f' | 'd';
const TYPES: Record<Type, number> = { i: 0x7f, j: 0x7e, f: 0x7d, d: 0x7c };

interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly [name: string]: unknown;
}
const api = (
  globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object, imports: object) => { exports: WasmExports };
      RuntimeError: new () => Error;
    };
  }
).WebAssembly;

// ---- an assembler ----

function leb(value: bigint | number, signed = false): number[] {
  let rest = BigInt(value);
  const out: number[] = [];
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = signed
      ? (rest === 0n && byte < 0x40) || (rest === -1n && byte >= 0x40)
      : rest === 0n;
    out.push(isLast ? byte : byte | 0x80);
    if (isLast) return out;
  }
}
const vector = (items: readonly (readonly number[])[]): number[] => [
  ...leb(items.length),
  ...items.flat(),
];
const text = (of: string): number[] => [...leb(of.length), ...Buffer.from(of)];
const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...leb(content.length),
  ...content,
];
const constant = (type: Type, bits: bigint): number[] => {
  const bytes = new Uint8Array(new BigUint64Array([bits]).buffer);
  switch (type) {
    case 'i':
      return [0x41, ...leb(BigInt.asIntN(32, bits), true)];
    case 'j':
      return [0x42, ...leb(BigInt.asIntN(64, bits), true)];
    case 'f':
      return [0x43, ...bytes.subarray(0, 4)];
    case 'd':
      return [0x44, ...bytes];
  }
};

interface Func {
  readonly takes: readonly Type[];
  readonly gives: Type | undefined;
  readonly locals: readonly Type[];
  readonly body: readonly number[];
  readonly name?: string;
}
interface Parts {
  readonly functions: readonly Func[];
  /** Functions in the table from 1 on. */
  readonly table?: readonly number[];
  readonly globals?: readonly { type: Type; bits: bigint }[];
  readonly data?: readonly { at: number; bytes: readonly number[] }[];
}

/** With a memory of a page, and the function host.note(i64) as number 0. */
function assemble({ functions, table = [], globals = [], data = [] }: Parts): Uint8Array {
  const type = ({ takes, gives }: Pick<Func, 'takes' | 'gives'>): number[] => [
    0x60,
    ...vector(takes.map((t) => [TYPES[t]])),
    ...vector(gives ? [[TYPES[gives]]] : []),
  ];
  return Uint8Array.from([
    ...Buffer.from('\0asm\x01\0\0\0', 'latin1'),
    ...section(1, vector([type({ takes: ['j'], gives: undefined }), ...functions.map(type)])),
    ...section(2, vector([[...text('host'), ...text('note'), 0, ...leb(0)]])),
    ...section(3, vector(functions.map((_, i) => leb(i + 1)))),
    ...section(4, vector([[0x70, 0, ...leb(table.length + 2)]])),
    ...section(5, vector([[1, 1, 1]])),
    ...section(
      6,
      vector(globals.map(({ type: t, bits }) => [TYPES[t], 1, ...constant(t, bits), 0x0b])),
    ),
    ...section(
      7,
      vector([
        [...text('memory'), 2, 0],
        ...functions.flatMap(({ name }, i) => (name ? [[...text(name), 0, ...leb(i + 1)]] : [])),
      ]),
    ),
    ...section(9, vector([[0, ...constant('i', 1n), 0x0b, ...vector(table.map((f) => leb(f)))]])),
    ...section(
      10,
      vector(
        functions.map(({ locals, body }) => {
          const code = [...vector(locals.map((t) => [1, TYPES[t]])), ...body, 0x0b];
          return [...leb(code.length), ...code];
        }),
      ),
    ),
    ...section(
      11,
      vector(
        data.map(({ at, bytes }) => [
          0,
          ...constant('i', BigInt(at)),
          0x0b,
          ...leb(bytes.length),
          ...bytes,
        ]),
      ),
    ),
  ]);
}

// ---- both sides ----

interface Calls {
  readonly bytes: Uint8Array;
  /** Of functions (i64, i64) -> i64, each of which is called with each of the pairs. */
  readonly names: readonly string[];
  readonly pairs: readonly (readonly [bigint, bigint])[];
  /** Whether each call has an instance of its own. */
  readonly isStateful: boolean;
}
type Outcome = string;

const TRAPS: readonly (readonly [RegExp, string])[] = [
  [/unreachable/, 'trap 1'],
  [/memory access out of bounds/, 'trap 2'],
  [/divide by zero|remainder by zero/, 'trap 3'],
  [/unrepresentable/, 'trap 4 or 5'],
  [/table index is out of bounds|null function|signature/, 'trap 6 or 7'],
  [/call stack/, 'trap 8'],
];
const kindOf = (trap: number, text_: string): string => {
  const [, kind] = TRAPS.find(([, k]) => k === text_ || k.includes(String(trap)))!;
  return kind;
};

function sum(bytes: Uint8Array): number {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) >>> 0;
  return hash;
}

/** Bytes of the memory that programs use, but for its end. */
const USED = 4608;

/** What V8 does: a line for each call, with the result or the trap, what it noted, and a sum of the memory after. */
function inV8({ bytes, names, pairs, isStateful }: Calls): Outcome[] {
  const module = new api.Module(bytes);
  const out: Outcome[] = [];
  let noted = 0n;
  const note = (value: bigint): void => {
    noted = BigInt.asUintN(64, noted * 31n + value);
  };
  const instantiate = (): WasmExports => new api.Instance(module, { host: { note } }).exports;
  let exports = instantiate();
  for (const name of names) {
    for (const [a, b] of pairs) {
      noted = 0n;
      if (isStateful) exports = instantiate();
      let result: string;
      try {
        result = BigInt.asUintN(
          64,
          (exports[name] as (a: bigint, b: bigint) => bigint)(a, b),
        ).toString(16);
      } catch (thrown) {
        assert.ok(thrown instanceof api.RuntimeError, `${name}: ${thrown}`);
        const known = TRAPS.find(([pattern]) => pattern.test((thrown as Error).message));
        assert.ok(known, `${name}: ${thrown}`);
        result = known[1];
      }
      const memory = isStateful ? sum(new Uint8Array(exports.memory.buffer, 0, USED)) : 0;
      out.push(`${result} ${noted.toString(16)} ${memory}`);
    }
  }
  return out;
}

function inC({ bytes, names, pairs, isStateful }: Calls, flags: readonly string[]): Outcome[] {
  const { source, header } = wasmToC(bytes, 'm');
  writeFileSync(join(folder, 'm.c'), source);
  writeFileSync(join(folder, 'm.h'), header);
  writeFileSync(
    join(folder, 'main.c'),
    `#include "m.h"
#include <setjmp.h>
#include <stdio.h>
static jmp_buf trapped;
static uint64_t noted;
_Noreturn void wasm_trap(struct wasm *m, enum wasm_trap why) { (void)m; longjmp(trapped, (int)why); }
void m_host_note(struct wasm *m, uint64_t value) { (void)m; noted = noted * 31 + value; }
static uint64_t (*const functions[])(struct wasm *, uint64_t, uint64_t) = {${names.map((name) => `m_${name}`).join(', ')}};
static const uint64_t pairs[][2] = {${pairs.map((pair) => `{${pair.map((bits) => `${bits}ull`).join(', ')}}`).join(', ')}};
static uint8_t memory[65536];
int main(void) {
  for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
    for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
      static struct wasm m;
      memset(&m, 0, sizeof m);
      if (${Number(isStateful)}) memset(memory, 0, sizeof memory);
      noted = 0;
      m.memory = memory;
      m.stack_limit = (uintptr_t)__builtin_frame_address(0) - 1024 * 1024;
      m_instantiate(&m);
      int why = setjmp(trapped);
      if (why == 0) printf("%llx", (unsigned long long)functions[f](&m, pairs[p][0], pairs[p][1]));
      else printf("trap %d", why);
      uint32_t sum = 0;
      for (size_t i = 0; i < ${isStateful ? USED : 0}; i++) sum = sum * 31 + memory[i];
      printf(" %llx %u\\n", (unsigned long long)noted, sum);
    }
}
`,
  );
  const include = fileURLToPath(new URL('../../native/libc-service', import.meta.url));
  compile([
    '-std=gnu11',
    '-w',
    '-fno-math-errno',
    '-ffp-contract=off',
    ...flags,
    `-I${include}`,
    `-I${folder}`,
    join(folder, 'm.c'),
    join(folder, 'main.c'),
    '-o',
    join(folder, 'main'),
  ]);
  const printed = execFileSync(join(folder, 'main'), {
    encoding: 'utf8',
    timeout: 300_000,
    maxBuffer: 1 << 28,
  });
  return printed
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^trap (\d)/, (all, trap) => kindOf(Number(trap), all)));
}

const sanitizer = ifSupported(['-fsanitize=undefined', '-fno-sanitize-recover=all']);

// ---- operators ----

const OPERATORS: (readonly [name: string, bytes: readonly number[], takes: string, gives: Type])[] =
  [];
function operators(first: number, takes: string, gives: Type, names: string): void {
  names.split(' ').forEach((name, i) => {
    OPERATORS.push([name, [first + i], takes, gives]);
  });
}
for (const [type, first] of [
  ['i', 0x45],
  ['j', 0x50],
] as const) {
  operators(first, type, 'i', `${type}_eqz`);
  operators(first + 1, type + type, 'i', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u');
}
operators(0x5b, 'ff', 'i', 'eq ne lt gt le ge');
operators(0x61, 'dd', 'i', 'eq ne lt gt le ge');
for (const [type, first] of [
  ['i', 0x67],
  ['j', 0x79],
] as const) {
  operators(first, type, type, 'clz ctz popcnt');
  operators(
    first + 3,
    type + type,
    type,
    'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr',
  );
}
for (const [type, first] of [
  ['f', 0x8b],
  ['d', 0x99],
] as const) {
  operators(first, type, type, 'abs neg ceil floor trunc nearest sqrt');
  operators(first + 7, type + type, type, 'add sub mul div min max copysign');
}
operators(0xa7, 'j', 'i', 'wrap');
for (const [first, takes, gives] of [
  [0xa8, 'f', 'i'],
  [0xaa, 'd', 'i'],
  [0xae, 'f', 'j'],
  [0xb0, 'd', 'j'],
  [0xb2, 'i', 'f'],
  [0xb4, 'j', 'f'],
  [0xb7, 'i', 'd'],
  [0xb9, 'j', 'd'],
  [0xac, 'i', 'j'],
] as const) {
  operators(first, takes, gives, 'convert_s convert_u');
}
operators(0xb6, 'd', 'f', 'demote');
operators(0xbb, 'f', 'd', 'promote');
operators(0xbc, 'f', 'i', 'reinterpret');
operators(0xbd, 'd', 'j', 'reinterpret');
operators(0xbe, 'i', 'f', 'reinterpret');
operators(0xbf, 'j', 'd', 'reinterpret');
operators(0xc0, 'i', 'i', 'extend8_s extend16_s');
operators(0xc2, 'j', 'j', 'extend8_s extend16_s extend32_s');
for (let i = 0; i < 8; i++) {
  OPERATORS.push([`sat${i}`, [0xfc, i], 'fd'[(i >> 1) & 1]!, i < 4 ? 'i' : 'j']);
}

/** i64 bits as a value of the type, and back. */
const FROM_BITS: Record<Type, number[]> = { i: [0xa7], j: [], f: [0xa7, 0xbe], d: [0xbf] };
const TO_BITS: Record<Type, number[]> = { i: [0xad], j: [], f: [0xbc, 0xad], d: [0xbd] };

const bitsOf = (number: number): bigint =>
  new BigUint64Array(new Float64Array([number]).buffer)[0]!;
const bitsOfFloat = (number: number): bigint =>
  BigInt(new Uint32Array(new Float32Array([number]).buffer)[0]!);
const NUMBERS = [
  0,
  0.5,
  0.49999999999999994,
  0.9999999,
  1,
  1.5,
  2.5,
  3.7,
  127.5,
  8388607.5,
  8388608,
  2147483647,
  2147483648,
  2147483649,
  4294967295,
  4294967296,
  2 ** 52 - 0.5,
  2 ** 52,
  2 ** 53 + 2,
  9223372036854774784,
  2 ** 63,
  2 ** 64,
  1e-310,
  1e300,
  Infinity,
];
const INTEGERS = [
  0n,
  1n,
  2n,
  7n,
  31n,
  32n,
  33n,
  63n,
  64n,
  127n,
  128n,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xfffffffen,
  0xffffffffn,
  0x100000000n,
  0x123456789abcdef0n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xfffffffffffffffen,
  0xffffffffffffffffn,
];
const SPECIAL: Record<Type, readonly bigint[]> = {
  i: INTEGERS,
  j: INTEGERS,
  f: [...NUMBERS, ...NUMBERS.map((n) => -n)]
    .map(bitsOfFloat)
    .concat(0x7fc00000n, 0x7f800001n, 0xff800001n, 1n),
  d: [...NUMBERS, ...NUMBERS.map((n) => -n)]
    .map(bitsOf)
    .concat(0x7ff8000000000000n, 0x7ff0000000000001n, 1n),
};

/** Of results that are numbers, NaN is NaN: which one is left open. But these only move bits. */
const KEEPS_BITS = new Set(['abs', 'neg', 'copysign', 'reinterpret']);
function normalize(line: string, gives: Type, name: string): string {
  const [bits, ...rest] = line.split(' ');
  if (bits === 'trap' || KEEPS_BITS.has(name)) return line;
  const value = BigInt(`0x${bits}`);
  const isNaN =
    gives === 'f'
      ? (value & 0x7fffffffn) > 0x7f800000n
      : gives === 'd' && (value & ~(1n << 63n)) > 0x7ff0000000000000n;
  return isNaN ? ['nan', ...rest].join(' ') : line;
}

for (const type of ['i', 'j', 'f', 'd'] as const) {
  const title = { i: 'i32', j: 'i64', f: 'f32', d: 'f64' }[type];
  test(`operators that take ${title}`, { skip: noCompiler }, () => {
    const chosen = OPERATORS.filter(([, , takes]) => takes[0] === type);
    const bytes = assemble({
      functions: chosen.map(([, op, takes, gives], i) => ({
        takes: ['j', 'j'],
        gives: 'j',
        locals: [],
        name: `op${i}`,
        body: [
          ...[...takes].flatMap((t, n) => [0x20, n, ...FROM_BITS[t as Type]]),
          ...op,
          ...TO_BITS[gives],
        ],
      })),
    });
    const values = SPECIAL[type];
    const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
    const names = chosen.map((_, i) => `op${i}`);
    const expected = inV8({ bytes, names, pairs, isStateful: false });
    const actual = inC({ bytes, names, pairs, isStateful: false }, sanitizer);
    assert.equal(actual.length, expected.length);
    const wrong = expected.flatMap((line, i) => {
      const [name, , takes, gives] = chosen[Math.floor(i / pairs.length)]!;
      const [a, b] = pairs[i % pairs.length]!;
      const should = normalize(line, gives, name);
      const is = normalize(actual[i]!, gives, name);
      return should === is
        ? []
        : [`${takes} ${name}(0x${a.toString(16)}, 0x${b.toString(16)}) = ${is}, not ${should}`];
    });
    assert.deepEqual(wrong.slice(0, 20), []);
  });
}

// ---- programs ----

/** xorshift: the same programs each time. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const ALL: readonly Type[] = ['i', 'j', 'f', 'd'];
const BLOCK_TYPE: Record<Type, number> = TYPES;
/** Operators by what they give, without those that make a NaN of one kind or another visible as bits. */
const giving = (type: Type): typeof OPERATORS =>
  OPERATORS.filter(
    ([name, , takes, gives]) =>
      gives === type && !(name === 'reinterpret' && 'fd'.includes(takes)) && !(name === 'copysign'),
  );

/** A program that ends: a global counts what is left to do. */
function program(seed: number): Parts {
  const pick = random(seed);
  const of = <T>(list: readonly T[]): T => list[pick(list.length)]!;
  const globals = [
    { type: 'i' as Type, bits: 300n },
    ...ALL.map((type) => ({ type, bits: of(SPECIAL[type].slice(0, 8)) })),
  ];
  const functions: Func[] = [];
  const table: number[] = [];
  const COUNT = 40;
  for (let n = 0; n < COUNT; n++) {
    const isEntry = n >= COUNT - 16;
    const takes: Type[] = isEntry ? ['j', 'j'] : Array.from({ length: pick(3) }, () => of(ALL));
    const gives: Type | undefined = isEntry ? 'j' : of([...ALL, undefined]);
    const locals: Type[] = [...ALL, of(ALL), of(ALL)];
    const variables = [...takes, ...locals];
    const localOf = (type: Type): number => {
      const fitting = variables.flatMap((t, i) => (t === type ? [i] : []));
      return of(fitting);
    };
    /** Types of what the blocks around give to those who leave them; undefined: nothing. */
    const blocks: (Type | undefined)[] = [];
    const fuel = (): number[] => [
      0x23, 0, 0x41, 1, 0x6b, 0x24, 0, 0x23, 0, 0x45, 0x04, 0x40, 0x00, 0x0b,
    ];
    const address = (depth: number): number[] =>
      pick(30) === 0
        ? expression('i', depth)
        : [...expression('i', depth), ...constant('i', 0xff8n), 0x71];
    const offset = (): number[] => leb(pick(40) === 0 ? 0x10000 : pick(64));
    const called = (wanted: Type | undefined, depth: number): number[] | undefined => {
      const fitting = functions.flatMap((f, i) =>
        f.gives === wanted && f.name === undefined ? [i] : [],
      );
      if (fitting.length === 0) return undefined;
      const index = of(fitting);
      const args = functions[index]!.takes.flatMap((t) => expression(t, depth - 1));
      const slot = table.indexOf(index + 1);
      if (slot >= 0 && pick(2) === 0) {
        return [
          ...args,
          ...constant('i', BigInt(pick(12) === 0 ? pick(table.length + 3) : slot + 1)),
          0x11,
          ...leb(index + 1),
          0,
        ];
      }
      return [...args, 0x10, ...leb(index + 1)];
    };
    function expression(type: Type, depth: number): number[] {
      if (depth <= 0)
        return pick(2) === 0 ? constant(type, of(SPECIAL[type])) : [0x20, ...leb(localOf(type))];
      switch (pick(13)) {
        case 0:
          return [0x20, ...leb(localOf(type))];
        case 1:
          return [...expression(type, depth - 1), 0x22, ...leb(localOf(type))];
        case 2:
          return [
            ...expression(type, depth - 1),
            ...expression(type, depth - 1),
            ...expression('i', depth - 1),
            0x1b,
          ];
        case 3: {
          blocks.push(type);
          const body = [...statements(depth - 1), ...expression(type, depth - 1)];
          const leave = pick(2) === 0 ? [...expression('i', depth - 1), 0x0d, 0] : [];
          blocks.pop();
          return [0x02, BLOCK_TYPE[type], ...body, ...leave, 0x0b];
        }
        case 4: {
          const condition = expression('i', depth - 1);
          blocks.push(type);
          const first = [...statements(depth - 1), ...expression(type, depth - 1)];
          const second = [...statements(depth - 1), ...expression(type, depth - 1)];
          blocks.pop();
          return [...condition, 0x04, BLOCK_TYPE[type], ...first, 0x05, ...second, 0x0b];
        }
        case 5: {
          const [op, align] = { i: [0x28, 2], j: [0x29, 3], f: [0x2a, 2], d: [0x2b, 3] }[type] as [
            number,
            number,
          ];
          const narrow = type === 'i' ? 0x2c + pick(4) : type === 'j' ? 0x30 + pick(6) : op;
          return pick(2) === 0
            ? [...address(depth - 1), op, align, ...offset()]
            : [...address(depth - 1), narrow, narrow === op ? align : 0, ...offset()];
        }
        case 6:
          return [0x23, ...leb(1 + ALL.indexOf(type))];
        case 7:
          return called(type, depth) ?? expression(type, depth - 1);
        case 8:
          if (type === 'i')
            return pick(2) === 0 ? [0x3f, 0] : [...constant('i', BigInt(pick(2))), 0x40, 0];
          return expression(type, depth - 1);
        default: {
          const [, op, needs] = of(giving(type));
          return [...[...needs].flatMap((t) => expression(t as Type, depth - 1)), ...op];
        }
      }
    }
    function statements(depth: number): number[] {
      return Array.from({ length: depth <= 0 ? 0 : pick(3) }, () => statement(depth)).flat();
    }
    function statement(depth: number): number[] {
      const type = of(ALL);
      switch (pick(12)) {
        case 0: {
          const [op, align] = { i: [0x36, 2], j: [0x37, 3], f: [0x38, 2], d: [0x39, 3] }[type] as [
            number,
            number,
          ];
          // NaNs of floats stay out of the memory: which they are is left open.
          const isFloat = type === 'f' || type === 'd';
          const value = isFloat ? constant(type, of(SPECIAL[type])) : expression(type, depth - 1);
          const narrow = type === 'i' ? 0x3a + pick(2) : type === 'j' ? 0x3c + pick(3) : op;
          return pick(2) === 0
            ? [...address(depth - 1), ...value, op, align, ...offset()]
            : [...address(depth - 1), ...value, narrow, narrow === op ? align : 0, ...offset()];
        }
        case 1:
          return [...expression(type, depth - 1), 0x24, ...leb(1 + ALL.indexOf(type))];
        case 2: {
          blocks.push(undefined);
          const body = [
            ...fuel(),
            ...statements(depth - 1),
            ...expression('i', depth - 1),
            0x0d,
            0,
          ];
          blocks.pop();
          return [0x03, 0x40, ...body, 0x0b];
        }
        case 3: {
          blocks.push(undefined);
          const body = [
            ...statements(depth - 1),
            ...expression('i', depth - 1),
            0x0d,
            0,
            ...statements(depth - 1),
          ];
          blocks.pop();
          return [0x02, 0x40, ...body, 0x0b];
        }
        case 4: {
          const condition = expression('i', depth - 1);
          blocks.push(undefined);
          const body = statements(depth - 1);
          const otherwise = pick(2) === 0 ? [0x05, ...statements(depth - 1)] : [];
          blocks.pop();
          return [...condition, 0x04, 0x40, ...body, ...otherwise, 0x0b];
        }
        case 5: {
          // A switch: nested blocks, and a branch out of one of them by number.
          const count = 1 + pick(4);
          for (let i = 0; i < count; i++) blocks.push(undefined);
          const start = Array.from({ length: count }, () => [0x02, 0x40]).flat();
          const targets = Array.from({ length: pick(6) }, () => leb(pick(count)));
          const jump = [
            ...expression('i', depth - 1),
            0x0e,
            ...vector(targets),
            ...leb(pick(count)),
          ];
          const cases = Array.from({ length: count }, () => {
            blocks.pop();
            return [0x0b, ...statements(depth - 1)];
          }).flat();
          return [...start, ...jump, ...cases];
        }
        case 6:
          return called(undefined, depth) ?? [0x01];
        case 7:
          return [...expression('j', depth - 1), 0x10, 0];
        case 8:
          return [...expression(type, depth - 1), 0x1a];
        case 9: {
          // Out of a block, or of the function, from the middle of it; what comes after is dead.
          const depthOut = pick(blocks.length + 1);
          const target = depthOut === blocks.length ? gives : blocks.at(-1 - depthOut);
          const value = target ? expression(target, depth - 1) : [];
          const isReturn = depthOut === blocks.length && pick(2) === 0;
          const jump = isReturn ? [0x0f] : [0x0c, ...leb(depthOut + 1)]; // one more: it is in an `if`
          const dead = pick(2) === 0 ? [0x02, 0x40, 0x0b, 0x01] : [];
          return [...expression('i', depth - 1), 0x04, 0x40, ...value, ...jump, ...dead, 0x0b];
        }
        case 10: {
          const size = [...expression('i', depth - 1), ...constant('i', 0x3fn), 0x71];
          return pick(2) === 0
            ? [...address(depth - 1), ...address(depth - 1), ...size, 0xfc, 10, 0, 0]
            : [...address(depth - 1), ...expression('i', depth - 1), ...size, 0xfc, 11, 0];
        }
        default: {
          const local = pick(variables.length);
          return [...expression(variables[local]!, depth - 1), 0x21, ...leb(local)];
        }
      }
    }
    const DEPTH = 4;
    const first = isEntry ? [0x20, 0, 0x21, ...leb(localOf('j'))] : [];
    const body = [
      ...fuel(),
      ...first,
      ...Array.from({ length: 4 }, () => statement(DEPTH)).flat(),
      ...(gives ? expression(gives, DEPTH) : []),
    ];
    functions.push({ takes, gives, locals, body, ...(isEntry ? { name: `f${n}` } : {}) });
    if (!isEntry && pick(2) === 0) table.push(n + 1);
  }
  return {
    functions,
    table,
    globals,
    data: [{ at: 8, bytes: Array.from({ length: 64 }, () => pick(256)) }],
  };
}

test('programs of all kinds of control flow', { skip: noCompiler }, () => {
  const pairs = [
    [0n, 1n],
    [0xffffffffffffffffn, 0x123456789abcdef0n],
    [0x8000000000000000n, 7n],
  ] as const;
  let trapped = 0;
  let finished = 0;
  for (const seed of (process.env.WASM_SEEDS ?? '1,2,3').split(',').map(Number)) {
    const parts = program(Math.imul(seed, 0x9e3779b1));
    const bytes = assemble(parts);
    const names = parts.functions.flatMap(({ name }) => name ?? []);
    const expected = inV8({ bytes, names, pairs, isStateful: true });
    assert.deepEqual(
      inC({ bytes, names, pairs, isStateful: true }, seed % 2 ? sanitizer : ['-O2']),
      expected,
      `seed ${seed}`,
    );
    trapped += expected.filter((line) => line.startsWith('trap')).length;
    finished += expected.filter((line) => !line.startsWith('trap')).length;
  }
  assert.ok(trapped > 5 && finished > 15, `${trapped} traps, ${finished} ends`);
});

test('what is not translated is an error', () => {
  const of = (body: number[]): Parts => ({
    functions: [{ takes: [], gives: undefined, locals: [], body, name: 'f' }],
  });
  assert.throws(() => wasmToC(assemble(of([0xfd, 12])), 'm'), /operator 0xfd is not translated/);
  assert.throws(() => wasmToC(assemble(of([0x0c, 9])), 'm'), /a branch to nowhere/);
  assert.throws(() => wasmToC(assemble(of([0x1a])), 'm'), /operand stack is empty/);
  assert.throws(() => wasmToC(assemble(of([])).subarray(0, 40), 'm'), /ends too early/);
  assert.throws(() => wasmToC(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]), 'm'), /no module/);
  const bytes = assemble(of([]));
  assert.match(wasmToC(bytes, 'm').header, /void m_f\(struct wasm \*m\);/);
});

test('a stack that runs out is a trap', { skip: noCompiler }, () => {
  const bytes = assemble({
    functions: [
      {
        takes: ['j', 'j'],
        gives: 'j',
        locals: [],
        name: 'deep',
        body: [
          0x20, 0, 0x50, 0x04, 0x7e, 0x42, 0, 0x05, 0x20, 0, 0x42, 1, 0x7d, 0x20, 1, 0x10, 1, 0x20,
          1, 0x7c, 0x0b,
        ],
      },
    ],
  });
  const actual = inC(
    {
      bytes,
      names: ['deep'],
      pairs: [
        [10n, 3n],
        [1n << 40n, 3n],
      ],
      isStateful: false,
    },
    [],
  );
  assert.deepEqual(
    actual.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['1e 0', 'trap 8'],
  );
});
