import { randomFrom } from '../../src/actors/test-schedule.ts';

/** From 0 up to 1. */
export type Random = () => number;

export const pick = (random: Random, n: number): number => Math.floor(random() * n);

/** A fuzzer as a program: its arguments are seconds and a seed. It ends at the first thing found, by what `test` throws. */
export function fuzz(what: string, test: (random: Random) => void): void {
  const seconds = Number(process.argv[2] ?? 10);
  const random = randomFrom(Number(process.argv[3] ?? Date.now() % 2 ** 31));
  const end = performance.now() + seconds * 1000;
  let count = 0;
  for (; performance.now() < end; count++) test(random);
  console.log(`${count} ${what}`);
}
