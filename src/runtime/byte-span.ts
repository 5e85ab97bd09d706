/**
 * `byte_span`: a view of some bytes, with room behind them. The class is here, and not in its module,
 * since streams, sockets and files work on it, too.
 */
import { decodeBytes, encodeBytes } from './bytes.ts';
import { type LuaValue, Userdata } from './value.ts';

/** Offsets and lengths are int32 in system calls. */
export const MAX_SPAN = 0x7fffffff;

export class ByteSpan extends Userdata {
  /** The memory, which other spans may share; `offset` in it is this span's first byte. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  /** Bytes of the memory from `offset` on that are this span's to use, ≥ length. */
  readonly capacity: number;

  constructor(bytes: Uint8Array, offset: number, length: number, capacity: number) {
    super();
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.capacity = capacity;
  }

  /** The part from byte `start` (from 0) up to `end` (≤ capacity); shares the memory. */
  part(start: number, end: number): ByteSpan {
    return new ByteSpan(this.bytes, this.offset + start, end - start, this.capacity - start);
  }

  /** The bytes themselves, as an array over the same memory. */
  view(): Uint8Array {
    return this.bytes.subarray(this.offset, this.offset + this.length);
  }

  override toString(): string {
    return decodeBytes(this.bytes, this.offset, this.offset + this.length);
  }
}

/**
 * Small spans are parts of a larger piece of memory: an array of their own costs 300 bytes beside its
 * contents, and half a microsecond. Each part is handed out once, so it is zeroed, and spans never
 * reach beyond their capacity.
 */
const SLAB = 16 * 1024;
const SMALL = 2048;
let slab = new Uint8Array(0);
let slabUsed = 0;

/** A new span of `length` bytes, with zeros in all of its memory. */
export function allocateSpan(length: number, capacity = length): ByteSpan {
  if (capacity > SMALL) return new ByteSpan(new Uint8Array(capacity), 0, length, capacity);
  if (slabUsed + capacity > slab.length) {
    slab = new Uint8Array(SLAB);
    slabUsed = 0;
  }
  const at = slabUsed;
  slabUsed += capacity;
  return new ByteSpan(slab, at, length, capacity);
}

/** A new span with the bytes of a string, and no room behind them. */
export function spanOfString(text: string): ByteSpan {
  const span = allocateSpan(text.length);
  encodeBytes(text, span.bytes, span.offset);
  return span;
}

/** A new span that owns these bytes. */
export const spanOfBytes = (bytes: Uint8Array): ByteSpan =>
  new ByteSpan(bytes, 0, bytes.length, bytes.length);

/** The bytes of a string or span, not to be changed; undefined for anything else. */
export function bytesOf(v: LuaValue): Uint8Array | undefined {
  if (v instanceof ByteSpan) return v.view();
  return typeof v === 'string' ? spanOfString(v).view() : undefined;
}
