/** Choices that a seed determines. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
    for (let i = 0; i < 4; i++) this.int(2); // neighbouring seeds begin alike
  }

  /** 0 to n - 1. */
  int(n: number): number {
    // xorshift32
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state % n;
  }

  chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }

  /** `n` times, or up to `most` times. */
  some<T>(least: number, most: number, make: (i: number) => T): T[] {
    return Array.from({ length: least + this.int(most - least + 1) }, (_, i) => make(i));
  }
}
