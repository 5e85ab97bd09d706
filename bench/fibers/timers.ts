/** Adding and cancelling a timer beside COUNT others, in random order: "name nanoseconds" a line. */
import { Timer, timers } from '../../src/io/timer.ts';

const COUNT = Number(process.env['COUNT'] ?? 1_000_000);
const ROUNDS = 1_000_000;

/** Between 10 and 20 minutes: none is due before this has ended. */
const delay = (): number => 600_000 + Math.random() * 600_000;
const each = (name: string, count: number, body: () => void): void => {
  const start = performance.now();
  body();
  console.log(`${name}\t${((performance.now() - start) / count) * 1e6}`);
};

const nothing = (): void => {};
const all = Array.from({ length: COUNT }, () => new Timer(nothing));
each(`add, up to ${COUNT}`, COUNT, () => {
  for (const timer of all) timers.start(timer, delay());
});
const more = Array.from({ length: 1000 }, () => new Timer(nothing));
each('add and cancel', ROUNDS, () => {
  for (let n = 0; n < ROUNDS / more.length; n++) {
    for (const timer of more) timers.start(timer, delay());
    for (const timer of more) timers.cancel(timer);
  }
});
for (let i = all.length - 1; i > 0; i--) {
  const j = Math.floor(Math.random() * (i + 1));
  [all[i], all[j]] = [all[j]!, all[i]!];
}
each(`cancel, of ${COUNT}`, COUNT, () => {
  for (const timer of all) timers.cancel(timer);
});
