/** `require 'semaphore'`: a counter that fibers take from, oldest first. Ours, not Emilua's. */
import type { Waiter } from '../fibers/fiber.ts';
import { WaitQueue } from '../fibers/queue.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import type { Receiver } from '../fibers/waitable.ts';
import { optInteger } from '../runtime/check.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

const MAX = Number.MAX_SAFE_INTEGER;

/** Who waits for how much. */
class Request implements Receiver {
  private readonly waiter: Waiter;
  readonly wanted: number;
  /** Its fiber has been interrupted. */
  givenUp = false;

  constructor(waiter: Waiter, wanted: number) {
    this.waiter = waiter;
    this.wanted = wanted;
  }
  get settled(): boolean {
    return this.givenUp || this.waiter.settled;
  }
  wake(value?: Result): void {
    this.waiter.wake(value);
  }
  fail(error: unknown): void {
    this.waiter.fail(error);
  }
}

class Semaphore extends Userdata {
  count: number;
  /** A large request is not overtaken by small ones. */
  readonly requests = new WaitQueue<Request>();
  constructor(count: number) {
    super();
    this.count = count;
  }

  /** Give to those who wait, in order. */
  serve(): void {
    for (;;) {
      const request = this.requests.first;
      if (request === undefined || request.wanted > this.count) return;
      this.count -= request.wanted;
      this.requests.shift()!.wake(NONE);
    }
  }
}

function amount(n: LuaValue, fn: string): number {
  const k = optInteger(n, 2, fn, 1);
  if (k < 1) throw badArgument(2);
  return k;
}

function take(self: Semaphore, wanted: number): boolean {
  if (self.requests.first !== undefined || self.count < wanted) return false;
  self.count -= wanted;
  return true;
}

function acquire(self: Semaphore, n: LuaValue): Result {
  suspensionPoint();
  const wanted = amount(n, 'acquire');
  if (take(self, wanted)) return NONE;
  return suspend((waiter) => {
    waiter.waitsFor = self;
    const request = new Request(waiter, wanted);
    self.requests.push(request);
    return () => {
      request.givenUp = true;
      self.requests.remove(request);
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
  methods: {
    acquire,
    try_acquire: (self, n: LuaValue) => take(self, amount(n, 'try_acquire')),
    release,
  },
  properties: { count: (self) => self.count },
});

export const semaphore = luaModule('semaphore', {
  new: (count: LuaValue) => {
    const n = optInteger(count, 1, 'new', 0);
    if (n < 0 || n > MAX) throw badArgument(1);
    return new Semaphore(n);
  },
});
