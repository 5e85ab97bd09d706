/**
 * `require 'select'`: wait for the first of several things. Ours, not Emilua's.
 *
 * Cases are channels' `receiving()` and `sending(v)`, futures, fiber handles (ready when the fiber has
 * ended; it stays joinable) and numbers (a timeout in seconds). Exactly one case is completed; the
 * others are as if they had never been tried.
 */
import { Fiber } from '../fibers/fiber.ts';
import { suspend } from '../fibers/suspend.ts';
import { type Receiver, Waitable } from '../fibers/waitable.ts';
import { startTimer } from '../io/timer.ts';
import { checkTable } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { rawGet, rawLength } from '../runtime/table.ts';
import { type LuaValue, list, NONE, type Result, Userdata } from '../runtime/value.ts';
import type { LuaModule } from './define.ts';

/** What all cases of one `select` complete. */
interface Winner {
  readonly settled: boolean;
  wake(index: number, values: Result): void;
  fail(error: unknown): void;
}

const caseOf = (winner: Winner, index: number): Receiver => ({
  get settled() {
    return winner.settled;
  },
  select: winner,
  wake: (value) => winner.wake(index, value),
  fail: (error) => winner.fail(error),
});

/** Try a case; if it isn't ready, subscribe. @returns how to forget it, or true when it has won */
function attempt(v: LuaValue, receiver: Receiver): true | (() => void) {
  if (v instanceof Waitable) return v.poll(receiver) ? true : v.subscribe(receiver);
  if (v instanceof Fiber) {
    if (v.ended) {
      receiver.wake(NONE);
      return true;
    }
    return v.onEnd(() => receiver.wake(NONE));
  }
  if (v === Number.POSITIVE_INFINITY) return () => {};
  return startTimer((v as number) * 1000, () => receiver.wake(NONE));
}

/** `select(cases)`: the index of the case that was ready first, then its values. */
function wait(cases: LuaValue): Result {
  const t = checkTable(cases, 1, 'select');
  const n = rawLength(t);
  const items: LuaValue[] = [];
  for (let i = 1; i <= n; i++) {
    const v = rawGet(t, i);
    const isTimeout = typeof v === 'number' && v >= 0;
    if (!isTimeout && !(v instanceof Waitable) && !(v instanceof Fiber)) throw badArgument(1);
    items.push(v);
  }
  if (n === 0) throw badArgument(1);
  return suspend((waiter) => {
    // A timeout is woken from outside; otherwise only fibers can wake it.
    if (!items.some((v) => typeof v === 'number' && v < Number.POSITIVE_INFINITY)) {
      waiter.waitsFor = items.find((v) => v instanceof Userdata);
    }
    const undos: (() => void)[] = [];
    const forget = (): void => {
      for (const undo of undos) undo();
    };
    const winner: Winner = {
      get settled() {
        return waiter.settled;
      },
      wake(index, values) {
        if (waiter.settled) return;
        waiter.wake([index, ...list(values)]);
        forget();
      },
      fail(error) {
        if (waiter.settled) return;
        waiter.fail(error);
        forget();
      },
    };
    for (let i = 0; i < items.length; i++) {
      const undo = attempt(items[i], caseOf(winner, i + 1));
      if (undo === true || waiter.settled) {
        if (undo !== true) undo();
        forget();
        return undefined;
      }
      undos.push(undo);
    }
    return forget;
  });
}

export const select: LuaModule = { name: 'select', create: () => wait };
