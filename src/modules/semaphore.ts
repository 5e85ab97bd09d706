/** `require 'semaphore'`: a counter that fibers take from, oldest first. Ours, not Emilua's. */
import type { Waiter } from '../fibers/fiber.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { optInteger } from '../runtime/check.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

const MAX = Number.MAX_SAFE_INTEGER;

class Semaphore extends Userdata {
  count: number;
  /** Who waits for how much. A large request is not overtaken by small ones. */
  readonly waiting: { waiter: Waiter; wanted: number }[] = [];
  constructor(count: number) {
    super();
    this.count = count;
  }

  /** Give to those who wait, in order. */
  serve(): void {
    while (this.waiting.length > 0 && this.waiting[0]!.wanted <= this.count) {
      const { waiter, wanted } = this.waiting.shift()!;
      this.count -= wanted;
      waiter.wake(NONE);
    }
  }
}

function amount(n: LuaValue, fn: string): number {
  const k = optInteger(n, 2, fn, 1);
  if (k < 1) throw badArgument(2);
  return k;
}

function tryAcquire(self: Semaphore, n: LuaValue): boolean {
  const wanted = amount(n, 'try_acquire');
  if (self.waiting.length > 0 || self.count < wanted) return false;
  self.count -= wanted;
  return true;
}

function acquire(self: Semaphore, n: LuaValue): Result {
  suspensionPoint();
  if (tryAcquire(self, n)) return NONE;
  const wanted = amount(n, 'acquire');
  return suspend((waiter) => {
    waiter.waitsFor = self;
    const entry = { waiter, wanted };
    self.waiting.push(entry);
    return () => {
      const at = self.waiting.indexOf(entry);
      if (at >= 0) self.waiting.splice(at, 1);
      self.serve(); // it may have stood in front of smaller requests
    };
  });
}

function release(self: Semaphore, n: LuaValue): Result {
  const k = amount(n, 'release');
  if (self.count + k > MAX) throw codeError('EOVERFLOW');
  self.count += k;
  self.serve();
  return NONE;
}

luaType('semaphore', Semaphore, {
  methods: { acquire, try_acquire: tryAcquire, release },
  properties: { count: (self) => self.count },
});

export const semaphore = luaModule('semaphore', {
  new: (count: LuaValue) => {
    const n = optInteger(count, 1, 'new', 0);
    if (n < 0) throw badArgument(1);
    return new Semaphore(n);
  },
});
