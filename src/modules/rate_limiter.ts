/**
 * `require 'rate_limiter'`: a token bucket. `rate` tokens come in each second, up to `burst` lie in it;
 * fibers take them in the order in which they asked. Ours, not Emilua's.
 */
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { monotonicMs, startTimer } from '../io/timer.ts';
import { checkNumber, checkTable, optNumber } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { rawGetString } from '../runtime/table.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

class RateLimiter extends Userdata {
  readonly rate: number;
  readonly burst: number;
  /**
   * Tokens that the bucket lacks at `asOf`, more than `burst` when some are promised. Counted in tokens, since sums of
   * times are rounded: a full bucket is to have its burst, and not all but a 2⁻⁵³ of it.
   */
  private taken = 0;
  private asOf = monotonicMs();

  constructor(rate: number, burst: number) {
    super();
    this.rate = rate;
    this.burst = burst;
  }

  /** Promise `n` tokens. @returns milliseconds until they are there */
  take(n: number): number {
    const now = monotonicMs();
    this.taken = Math.max(0, this.taken - ((now - this.asOf) / 1000) * this.rate) + n;
    this.asOf = now;
    return (Math.max(0, this.taken - this.burst) / this.rate) * 1000;
  }

  /** A promise that was not needed. */
  giveBack(n: number): void {
    this.taken -= n;
  }
}

function amount(self: RateLimiter, n: LuaValue, fn: string): number {
  const k = optNumber(n, 2, fn, 1);
  if (!(k > 0) || k > self.burst) throw badArgument(2);
  return k;
}

function acquire(self: RateLimiter, n: LuaValue): Result {
  suspensionPoint();
  const k = amount(self, n, 'acquire');
  const delay = self.take(k);
  if (delay === 0) return NONE;
  return suspend((waiter) => {
    const cancel = startTimer(delay, () => waiter.wake(NONE));
    return () => {
      cancel();
      self.giveBack(k);
    };
  });
}

function tryAcquire(self: RateLimiter, n: LuaValue): boolean {
  const k = amount(self, n, 'try_acquire');
  if (self.take(k) === 0) return true;
  self.giveBack(k);
  return false;
}

luaType('rate_limiter', RateLimiter, {
  methods: { acquire, try_acquire: tryAcquire },
  properties: { rate: (self) => self.rate, burst: (self) => self.burst },
});

export const rateLimiter = luaModule('rate_limiter', {
  new: (options: LuaValue) => {
    const t = checkTable(options, 1, 'new');
    const rate = checkNumber(rawGetString(t, 'rate'), 1, 'new');
    const burst = optNumber(rawGetString(t, 'burst'), 1, 'new', Math.max(1, rate));
    if (!(rate > 0) || !Number.isFinite(rate)) throw badArgument('rate');
    if (!(burst > 0) || !Number.isFinite(burst)) throw badArgument('burst');
    return new RateLimiter(rate, burst);
  },
});
