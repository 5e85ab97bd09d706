/** Numbers as `bit` takes them. bitop.luajit.org/semantics.html */

const float = new Float64Array(1);
const words = new Int32Array(float.buffer);
const LOW_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;

/** With this added, a double up to ±2^51 has no place for a fraction, and its mantissa ends in the integer. */
const BIAS = 2 ** 52 + 2 ** 51;
const MAX_EXACT = 2 ** 51;

/**
 * To 32 bits: modulo 2^32, a fraction to the nearest even. Beyond ±2^51 what LuaJIT takes is not the number's low bits but the
 * mantissa's all the same, and programs that multiply hashes or random numbers rely on it.
 */
export const toBits = (n: number): number => ((n | 0) === n ? n | 0 : largeToBits(n));

/** The same of a number that is none of 32 bits. */
export const largeToBits = (n: number): number =>
  n <= MAX_EXACT && n >= -MAX_EXACT ? (n + BIAS) | 0 : mantissa(n + BIAS);

function mantissa(n: number): number {
  float[0] = n;
  return words[LOW_WORD]!;
}
