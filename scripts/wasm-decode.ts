/**
 * What a WebAssembly module says, for wasm-to-c.ts. Source: the WebAssembly core specification, "Binary Format".
 */

/** i32, i64, f32, f64. */
export type ValueType = 'i' | 'j' | 'f' | 'd';

export interface FunctionType {
  /** A letter each. */
  readonly takes: string;
  readonly gives: ValueType | undefined;
}

/** A constant as C. */
export interface Constant {
  readonly c: string;
  readonly type: ValueType;
}

export interface Module {
  readonly types: readonly FunctionType[];
  /** Functions of the host: they come first in the numbering of functions. */
  readonly imports: readonly {
    readonly name: string;
    readonly type: FunctionType;
    readonly typeIndex: number;
  }[];
  readonly functions: readonly { readonly locals: string; readonly code: Reader }[];
  /** Functions by name. */
  readonly exports: readonly (readonly [string, number])[];
  readonly exportedGlobals: readonly (readonly [string, number])[];
  readonly globals: readonly { readonly type: ValueType; readonly start: Constant }[];
  /** Numbers of functions; undefined: none. */
  readonly table: readonly (number | undefined)[];
  readonly data: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** Bytes; the memory doesn't grow. */
  readonly memory: number;
  typeOf(func: number): FunctionType;
  /** The number of a function's type; equal types have one. */
  typeIndexOf(func: number): number;
  canonical(typeIndex: number): number;
}

const VALUE_TYPES = new Map<number, ValueType>([
  [0x7f, 'i'],
  [0x7e, 'j'],
  [0x7d, 'f'],
  [0x7c, 'd'],
]);

const PAGE = 65536;

export class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }
  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error('the module ends too early');
    return byte;
  }
  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new Error('the module ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  /** LEB128, with a sign or without. */
  #leb(signed: boolean): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return signed ? BigInt.asIntN(Number(shift), value) : value;
    }
  }
  u32(): number {
    return Number(this.#leb(false));
  }
  text(): string {
    return Buffer.from(this.bytes(this.u32())).toString();
  }
  vector<T>(item: () => T): T[] {
    return Array.from({ length: this.u32() }, item);
  }
  valueType(byte = this.byte()): ValueType {
    const type = VALUE_TYPES.get(byte);
    if (!type) throw new Error(`values of type 0x${byte.toString(16)} are not translated`);
    return type;
  }
  blockType(): ValueType | undefined {
    const byte = this.byte();
    return byte === 0x40 ? undefined : this.valueType(byte);
  }
  /** One number for those of two parts, too: 0xfc.. */
  op(): number {
    const byte = this.byte();
    return byte === 0xfc ? 0xfc00 + this.u32() : byte;
  }
  /** @returns the offset */
  memarg(): number {
    this.u32(); // alignment
    return this.u32();
  }
  constant(op: number): Constant {
    switch (op) {
      case 0x41:
        return { c: `${BigInt.asUintN(32, this.#leb(true))}u`, type: 'i' };
      case 0x42:
        return { c: `${BigInt.asUintN(64, this.#leb(true))}ull`, type: 'j' };
      case 0x43:
        this.#at += 4;
        return {
          c: `f32_reinterpret_i32(${this.#view.getUint32(this.#at - 4, true)}u)`,
          type: 'f',
        };
      case 0x44:
        this.#at += 8;
        return {
          c: `f64_reinterpret_i64(${this.#view.getBigUint64(this.#at - 8, true)}ull)`,
          type: 'd',
        };
      default:
        throw new Error(`operator 0x${op.toString(16)} in a constant expression is not translated`);
    }
  }
  /** A constant, and the end of its expression. */
  constantExpression(): Constant {
    const constant = this.constant(this.op());
    if (this.op() !== 0x0b) throw new Error('a constant expression of more than one operator');
    return constant;
  }
  /** Over what follows `op`. */
  skip(op: number): void {
    if (op === 0x02 || op === 0x03 || op === 0x04) this.blockType();
    else if (op === 0x0c || op === 0x0d || op === 0x10 || (op >= 0x20 && op <= 0x24)) this.u32();
    else if (op === 0x3f || op === 0x40 || op === 0xfc0b) this.u32();
    else if (op === 0x11 || op === 0xfc0a || (op >= 0x28 && op <= 0x3e)) this.memarg();
    else if (op === 0x0e) {
      this.vector(() => this.u32());
      this.u32();
    } else if (op >= 0x41 && op <= 0x44) this.constant(op);
  }
}

/** Section numbers of the binary format. */
const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
};

export function decode(bytes: Uint8Array): Module {
  const whole = new Reader(bytes);
  if (Buffer.from(whole.bytes(8)).toString('latin1') !== '\0asm\x01\0\0\0')
    throw new Error('no module');
  const sections = new Map<number, Reader>();
  while (!whole.isAtEnd) {
    const number = whole.byte();
    const content = new Reader(whole.bytes(whole.u32()));
    if (number !== SECTION.custom) sections.set(number, content);
  }
  if (sections.has(SECTION.start)) throw new Error('a start function is not translated');
  const section = <T>(number: number, item: (reader: Reader) => T): T[] => {
    const reader = sections.get(number);
    return reader ? reader.vector(() => item(reader)) : [];
  };

  const types = section(SECTION.type, (reader): FunctionType => {
    if (reader.byte() !== 0x60) throw new Error('a type that is not of a function');
    const takes = reader.vector(() => reader.valueType()).join('');
    const gives = reader.vector(() => reader.valueType());
    if (gives.length > 1) throw new Error('more than one result');
    return { takes, gives: gives[0] };
  });

  const memories: number[] = [];
  const tables: number[] = [];
  const memory = (reader: Reader): void => {
    if (reader.byte() !== 1) throw new Error('a memory without a maximum');
    const least = reader.u32();
    if (reader.u32() !== least) throw new Error('a memory that grows');
    memories.push(least * PAGE);
  };
  const table = (reader: Reader): void => {
    if (reader.byte() !== 0x70) throw new Error('a table that is not of functions');
    const limited = reader.byte() === 1;
    tables.push(reader.u32());
    if (limited) reader.u32();
  };
  const imports: { name: string; type: FunctionType; typeIndex: number }[] = [];
  section(SECTION.import, (reader) => {
    const name = `${reader.text()}_${reader.text()}`;
    const kind = reader.byte();
    if (kind === 0) {
      const typeIndex = reader.u32();
      imports.push({ name, type: types[typeIndex]!, typeIndex });
    } else if (kind === 2) memory(reader);
    else throw new Error(`the import ${name} is neither a function nor a memory`);
  });
  const typeIndexes = section(SECTION.function, (reader) => reader.u32());
  section(SECTION.table, table);
  section(SECTION.memory, memory);
  if (tables.length > 1 || memories.length > 1) throw new Error('a second table or memory');
  const globals = section(SECTION.global, (reader) => {
    const type = reader.valueType();
    reader.byte(); // whether it changes
    return { type, start: reader.constantExpression() };
  });
  const exports: [string, number][] = [];
  const exportedGlobals: [string, number][] = [];
  section(SECTION.export, (reader) => {
    const name = reader.text();
    const kind = reader.byte();
    const index = reader.u32();
    if (kind === 0) exports.push([name, index]);
    if (kind === 3) exportedGlobals.push([name, index]);
  });
  const entries: (number | undefined)[] = Array.from({ length: tables[0] ?? 0 }, () => undefined);
  const placeOf = (reader: Reader): number => {
    if (reader.u32() !== 0) throw new Error('a segment that is not active');
    return Number.parseInt(reader.constantExpression().c, 10);
  };
  section(SECTION.element, (reader) => {
    const at = placeOf(reader);
    for (const [i, index] of reader.vector(() => reader.u32()).entries()) {
      if (at + i >= entries.length) throw new Error('a segment that does not fit into its table');
      entries[at + i] = index;
    }
  });
  const functions = section(SECTION.code, (reader) => {
    const code = new Reader(reader.bytes(reader.u32()));
    const locals = code.vector(() => {
      const count = code.u32();
      return code.valueType().repeat(count);
    });
    return { locals: locals.join(''), code };
  });
  if (functions.length !== typeIndexes.length) throw new Error('functions without code');
  const data = section(SECTION.data, (reader) => {
    const at = placeOf(reader);
    const content = reader.bytes(reader.u32());
    if (at + content.length > (memories[0] ?? 0))
      throw new Error('data that does not fit into the memory');
    return { at, bytes: content };
  });

  const typeIndexOf = (func: number): number => {
    const index = imports[func]?.typeIndex ?? typeIndexes[func - imports.length];
    if (index === undefined) throw new Error(`there is no function ${func}`);
    return index;
  };
  const canonical = (typeIndex: number): number =>
    types.findIndex(
      ({ takes, gives }) => takes === types[typeIndex]!.takes && gives === types[typeIndex]!.gives,
    );
  return {
    types,
    imports,
    functions,
    exports,
    exportedGlobals,
    globals,
    table: entries,
    data,
    memory: memories[0] ?? 0,
    typeOf: (func) => types[typeIndexOf(func)]!,
    typeIndexOf: (func) => canonical(typeIndexOf(func)),
    canonical,
  };
}
