/**
 * The random numbers of LuaJIT: a combined Tausworthe generator of period 2^223 (L'Ecuyer 1991,
 * table 3, first entry). The same seed gives the same numbers as there. Not for cryptography.
 */

/** What each of the four generators shifts by: k, q and s of L'Ecuyer's table. */
const GENERATORS = [
  { k: 63, q: 31, s: 18 },
  { k: 58, q: 19, s: 28 },
  { k: 55, q: 24, s: 7 },
  { k: 47, q: 21, s: 8 },
] as const;

/** Their state before a program has seeded them: that of seed 0. */
const UNSEEDED = [
  0xa0d27757, 0x0a345b8c, 0x764a296c, 0x5d4aa64f, 0x51220704, 0x070adeaa, 0x2a2717b5, 0xa7b7b927,
];

export class Random {
  /** High and low half of each generator's 64 bits. Made when it is used: most VMs never do. */
  private words: Int32Array | undefined = undefined;

  private start(): Int32Array {
    this.words = new Int32Array(UNSEEDED);
    return this.words;
  }

  /** Start again from a number. */
  seed(d: number): void {
    const words = this.words ?? this.start();
    const bits = new DataView(new ArrayBuffer(8));
    GENERATORS.forEach(({ k }, i) => {
      d = d * Math.PI + Math.E;
      bits.setFloat64(0, d);
      // One of the upper k bits must be set.
      const least = 1n << BigInt(64 - k);
      const u = bits.getBigUint64(0);
      if (u < least) bits.setBigUint64(0, u + least);
      words[2 * i] = bits.getInt32(0);
      words[2 * i + 1] = bits.getInt32(4);
    });
    for (let i = 0; i < 10; i++) this.next();
  }

  /** The next number, in [0, 1), a multiple of 2^-52. */
  next(): number {
    const w = this.words ?? this.start();
    // Each: z = (((z << q) ^ z) >>> (k - s)) ^ ((z & (-1 << (64 - k))) << s), written out in halves;
    // x and y are those of (z << q) ^ z.

    let h = w[0]!;
    let l = w[1]!;
    let x = ((h << 31) | (l >>> 1)) ^ h;
    l &= -2;
    let high = (w[0] = (h << 18) | (l >>> 14));
    let low = (w[1] = (x >>> 13) ^ (l << 18));

    h = w[2]!;
    l = w[3]!;
    x = ((h << 19) | (l >>> 13)) ^ h;
    const y = (l << 19) ^ l;
    l &= -64;
    high ^= w[2] = (x >>> 30) ^ ((h << 28) | (l >>> 4));
    low ^= w[3] = ((x << 2) | (y >>> 30)) ^ (l << 28);

    h = w[4]!;
    l = w[5]!;
    x = ((h << 24) | (l >>> 8)) ^ h;
    l &= -512;
    high ^= w[4] = (h << 7) | (l >>> 25);
    low ^= w[5] = (x >>> 16) ^ (l << 7);

    h = w[6]!;
    l = w[7]!;
    x = ((h << 21) | (l >>> 11)) ^ h;
    l &= -131072;
    high ^= w[6] = (h << 8) | (l >>> 24);
    low ^= w[7] = (x >>> 7) ^ (l << 8);

    return ((high & 0xfffff) * 2 ** 32 + (low >>> 0)) * 2 ** -52;
  }
}
